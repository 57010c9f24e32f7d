"""Steps per second of Heat's design, with properties off and on, beside the bare cost of resuming a generator."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Generator
from pathlib import Path

from benchmarks.common import ALWAYS, ASKED, UPDATE, Result, median_rate, per_second
from heatproof.model import catalogue
from heatproof.model.program import Program
from heatproof.model.world import program_for
from heatproof.properties.base import Property
from heatproof.strategies.policies import POLICIES
from heatproof.strategies.running import Plan, run

RUNS = 150


def _runs(properties: list[Property], policy: str, program: Program | None) -> int:
    design = catalogue.load("heat")
    steps = 0
    for seed in range(RUNS):
        done = run(design, UPDATE, properties, Plan(policy, seed, eagerness=0.02), program)
        steps += len(done.actions)
    return steps


def _bare(count: int = 300_000) -> int:
    def handler() -> Generator[int, int, None]:
        value = 0
        while True:
            value = yield value

    generator = handler()
    next(generator)
    send = generator.send
    for number in range(count):
        send(number)
    return count


def measure() -> Result:
    """The table."""
    bare = median_rate(_bare)
    rows = [["bare resume of a generator", per_second(bare), "1.0"]]
    design = catalogue.load("heat")
    for policy in POLICIES:
        for label, properties in (("no properties", []), ("all always-properties", ALWAYS), ("all properties", ASKED)):
            if policy != "random" and properties is not ASKED:
                continue
            program = program_for(design, UPDATE)
            _runs(properties, policy, program)
            rate = median_rate(lambda p=properties, q=policy, r=program: _runs(p, q, r))  # type: ignore[misc]
            rows.append([f"policy {policy}, {label}", per_second(rate), f"{bare / rate:.1f}"])
    fresh = median_rate(lambda: _runs([], "random", None))
    rows.append(["policy random, no properties, no trie kept between runs", per_second(fresh), f"{bare / fresh:.1f}"])
    rows += [[f"  of the time with all properties: {where}", f"{share:.0%}", ""] for where, share in _shares()]
    return ("Steps of Heat's design (5 resources, create and update, 2 engines of 2 threads)", ["", "rate", "times bare"], rows)


def _shares() -> list[tuple[str, float]]:
    program = program_for(catalogue.load("heat"), UPDATE)
    _runs(ASKED, "random", program)
    profile = cProfile.Profile()
    profile.runcall(_runs, ASKED, "random", program)
    spent: dict[str, float] = {}
    for (file, _, _), (_, _, own, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        path = Path(file)
        room = f"{path.parent.name}/{path.name}" if path.suffix == ".py" and "heatproof" in file else "built-in functions"
        spent[room] = spent.get(room, 0.0) + own
    total = sum(spent.values())
    return sorted(((where, own / total) for where, own in spent.items()), key=lambda item: -item[1])[:8]
