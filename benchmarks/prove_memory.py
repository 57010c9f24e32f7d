"""What the exhaustive search keeps in memory and on disk for each state, while it grows to ten million, and what a state that waits takes."""

from __future__ import annotations

import gc
from time import perf_counter

from benchmarks.common import Result
from benchmarks.prove_scopes import CHAIN, CHAIN_AFTER
from heatproof.model import catalogue
from heatproof.model.scenario import create, scenario, update
from heatproof.model.templates import Template, resource
from heatproof.properties.base import Property
from heatproof.strategies.asked import properties_for
from heatproof.strategies.proving import search
from heatproof.strategies.proving.search import Search
from heatproof.strategies.proving.storage import Block, Packed, Storage
from tests.proving.peers import instance

STOPS = (1_000_000, 2_000_000, 5_000_000, 10_000_000)
FRONTIER = 64 << 20


def measure() -> Result:
    """The instance I7 without symmetry, whose 18 million states are never all seen here, with 64 MB of frontier in memory."""
    design, given = instance("I7")
    warm = Search(*instance("I1"), [])  # what is compiled, and what libraries keep, is there before anything is measured
    warm.run()
    del warm
    gc.collect()
    before, begun = resident(), perf_counter()
    proof = Search(design, given, [], symmetric=False, storage=Storage(FRONTIER))
    rows: list[list[str]] = []
    for stop in STOPS:
        proof.go_on = lambda result, stop=stop: "enough" if result.states >= stop else ""  # type: ignore[misc]
        states = proof.run().states
        frontier = proof.level.held + proof.following.held + proof.out.bytes + (proof.block.bytes if proof.block else 0)
        kept = resident() - before - frontier
        rows.append([
            f"{states:,}",
            f"{proof.table.nbytes / states:.1f}",
            f"{kept / states:.1f}",
            f"{proof.steps.count * proof.steps.dtype.itemsize / states:.1f}",
            f"{frontier / 2**20:.0f} MB",
            f"{sum(f.spilled for f in (proof.level, proof.following)):,}",
            f"{perf_counter() - begun:.0f} s",
        ])  # fmt: skip
    columns = [
        "states", "fingerprints", "all in memory but the frontier", "on disk: where from", "frontier in memory", "blocks on disk", "time",
    ]  # fmt: skip
    title = (
        f"prove-memory: bytes a state; I7 of examples/traversal.py without symmetry; the table is at most {search.LOAD:.0%} full"
    )
    return title, columns, rows


WAITING = 2_000_000
"""States after which those that wait are looked at."""


def waiting() -> Result:
    """Bytes of a state that waits, as it is and packed, each with its sums, and how long it takes to pack it and to bring it back."""
    heat, properties, rows = catalogue.load("heat"), properties_for("heat"), []
    two = [Template([resource("A", {"p": p}), resource("B", {"p": 1})]) for p in (1, 2)]
    scopes = {"I7": (*instance("I7"), list[Property]())}
    for name, before, after in (("two side by side", *two), ("a chain of two", CHAIN, CHAIN_AFTER)):
        for faults in ({}, {"crash": 1}):
            given = scenario(create(before), update(after), engines=2, threads=2, faults=faults)
            scopes[name + ", a crash" * len(faults)] = heat, given, properties
    for name, asked in scopes.items():
        proof = Search(*asked, storage=Storage(1 << 40), go_on=lambda result: "enough" if result.states >= WAITING else "")
        proof.run()
        proof.seal()
        blocks = [*proof.level, *proof.following]
        states, room = sum(len(block.rows) for block in blocks), Block(proof.out.rows, proof.out.sums, 0)
        Packed.of(blocks[0], proof.threads).block(proof.threads, room)  # what is compiled is not counted
        begun = perf_counter()
        packed = [Packed.of(block, proof.threads) for block in blocks]
        between = perf_counter()
        for block in packed:
            block.block(proof.threads, room)
        ended = perf_counter()
        rows.append([
            name,
            f"{states:,}",
            f"{sum(block.bytes for block in blocks) / states:.0f}",
            f"{sum(block.bytes for block in packed) / states:.0f}",
            f"{(between - begun) / states * 1e6:.2f} us",
            f"{(ended - between) / states * 1e6:.2f} us",
        ])  # fmt: skip
    columns = ["scope", "states that wait", "bytes of each", "packed", "to pack", "to bring back"]
    return f"prove-waiting: what a state that waits takes, when {WAITING:,} have been seen", columns, rows


def resident() -> int:
    """Bytes of this process in memory now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096
