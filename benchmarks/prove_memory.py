"""What the exhaustive search keeps in memory and on disk for each state, while it grows to ten million."""

from __future__ import annotations

import gc
from time import perf_counter

from benchmarks.common import Result
from heatproof.strategies.proving import search
from heatproof.strategies.proving.search import Search
from heatproof.strategies.proving.storage import Storage
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


def resident() -> int:
    """Bytes of this process in memory now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096
