"""Which scopes of Heat's own design the exhaustive search finishes, how fast, and how much each reduction leaves.

``SCOPES_SECONDS`` is the budget of each search (default: 60 seconds of the clock), ``SCOPES_WAYS`` which reductions to use, by number from 0
(default: 0,1,2,3,4,5). What was cut is told with how many states it had
seen, at which depth, and how many of them it had not gone on from.
"""

from __future__ import annotations

import os
import resource
from time import monotonic, process_time
from typing import Any

from benchmarks.common import Result
from heatproof.model import catalogue
from heatproof.model.scenario import Operation, Scenario, create, scenario, update
from heatproof.model.templates import Template
from heatproof.model.templates import resource as of
from heatproof.strategies.asked import properties_for
from heatproof.strategies.proving import kernel
from heatproof.strategies.proving.search import Search
from heatproof.strategies.proving.views import TooManyValues

SECONDS = float(os.environ.get("SCOPES_SECONDS", "60"))

ONE, ONE_AFTER = Template([of("A", {"p": 1})]), Template([of("A", {"p": 2})])
CHAIN = Template([of("A", {"p": 1}), of("B", {"p": 1}, depends_on=["A"])])
CHAIN_AFTER = Template([of("A", {"p": 2}), of("B", {"p": 1}, depends_on=["A"])])

SCOPES: dict[str, tuple[Any, ...]] = {
    "create of one": (create(ONE),),
    "create of a chain of two": (create(CHAIN),),
    "create and delete of one": (create(ONE), Operation("delete")),
    "create and in-place update of one": (create(ONE), update(ONE_AFTER)),
    "create and in-place update of a chain of two": (create(CHAIN), update(CHAIN_AFTER)),
}

WAYS: dict[str, dict[str, bool]] = {
    "none": {"symmetric": False, "merge": False},
    "merged": {"symmetric": False, "versions": False, "columns": False},
    "and symmetric": {"versions": False, "columns": False},
    "and columns": {"versions": False},
    "and versions": {},
    "and steps alone": {"reduce": True},
}


ASKED = [list(WAYS)[int(number)] for number in os.environ.get("SCOPES_WAYS", "0,1,2,3,4,5").split(",")]


def _run(given: Scenario, **options: Any) -> str:
    design, began, used = catalogue.load("heat"), monotonic(), process_time()
    search = Search(
        design, given, properties_for("heat"), go_on=lambda _: "time" if monotonic() - began > SECONDS else "", **options
    )
    try:
        result = search.run()
    except TooManyValues:
        return f"over {search.result.states:,}: too many values"
    used = process_time() - used
    if result.complete:
        return f"{result.states:,} in {used:.1f} s"
    waiting = result.states - int(search.counters[kernel.STATES])
    return f"over {result.states:,}, depth {result.depth}, {waiting:,} wait"


def measure() -> Result:
    """The table: states of each scope and processor seconds, with two engines of two threads."""
    _run(scenario(create(ONE)))  # what Numba compiles is not counted
    rows = []
    for name, operations in SCOPES.items():
        for faults in ({}, {"crash": 1}):
            given = scenario(*operations, engines=2, threads=2, faults=faults)
            rows.append([name + (", a crash" if faults else ""), *(_run(given, **WAYS[way]) for way in ASKED)])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    title = f"States of scopes of Heat, 2 engines of 2 threads, {SECONDS:.0f} s each; largest memory {peak:,} MB"
    return title, ["scope", *ASKED], rows
