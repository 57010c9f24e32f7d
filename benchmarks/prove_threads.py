"""The same search by one thread and by several, one after the other, with a frontier that is not packed and with one that is."""

from __future__ import annotations

import os
from time import perf_counter

from benchmarks.common import Result
from heatproof.model import catalogue
from heatproof.model.scenario import create, scenario, update
from heatproof.model.templates import Template, resource
from heatproof.strategies.asked import properties_for
from heatproof.strategies.proving.search import Search
from heatproof.strategies.proving.storage import Storage
from tests.proving.peers import instance

STATES = int(os.environ.get("THREADS_STATES", "20_000_000"))
"""States after which a search is cut."""


def measure() -> Result:
    """Two scopes that are large enough for it; each is gone through as far as ``THREADS_STATES``."""
    before, after = (Template([resource("A", {"p": p}), resource("B", {"p": 1})]) for p in (1, 2))
    pair = scenario(create(before), update(after), engines=2, threads=2)
    scopes = (
        ("I7", (*instance("I7", "Versioned"), []), 1 << 40),
        ("two side by side", (catalogue.load("heat"), pair, properties_for("heat")), 1 << 40),
        ("the same, packed", (catalogue.load("heat"), pair, properties_for("heat")), 1 << 20),
    )  # fmt: skip
    rows = []
    for name, asked, memory in scopes:
        took = []
        for threads in (1, 2):
            begun = perf_counter()
            search = Search(
                *asked, storage=Storage(memory), threads=threads, go_on=lambda result: "enough" if result.states >= STATES else ""
            )
            states = search.run().states
            took.append(perf_counter() - begun)
            del search
        rows.append([name, f"{states:,}", *(f"{time:.1f} s" for time in took), f"{took[0] / took[1]:.2f}"])
    return (
        "prove-threads: one scenario by one thread and by two, on the clock",
        ["scope", "states", "one", "two", "times as fast"],
        rows,
    )
