"""Runs of the real engine by number, and their traces; run as a program: ``python -m tests.ports.traces DESIGN 0 1 2`` prints one a line."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from random import Random

from heatproof.model import catalogue
from heatproof.model.scenario import Operation, Scenario, Scope, create, update
from heatproof.model.templates import Attr, Ref, resource
from heatproof.ports.heat.world import EngineWorld, trace
from heatproof.strategies import running
from heatproof.strategies.policies import PORTFOLIO
from heatproof.strategies.running import Plan

A = resource("A", {"p": 1}, {"r": 1})
B = resource("B", {"p": Ref("A")})
C = resource("C", {"p": Attr("B", "p")}, depends_on=["A"])
FIRST, SECOND = (
    (A, B, C),
    (resource("A", {"p": 1}, {"r": 2}), resource("B", {"p": Attr("A", "r")}), resource("D", depends_on=["B"])),
)
SCENARIOS = (
    (create(FIRST, rollback=True), update(SECOND, rollback=True)),
    (create(FIRST), Operation("signal", resource="A"), Operation("delete")),
    (create(SECOND), update(FIRST, timeout=True), Operation("rollback")),
    (create(FIRST), update(SECOND), update(FIRST)),
    (create(FIRST), Operation("mark unhealthy", resource="B"), Operation("check"), update(SECOND)),
)
FAULTS = ("fail", "crash", "restart", "false-dead", "conflict", "abort", "disconnect", "duplicate", "timeout", "vanish", "stall")


def planned(number: int) -> tuple[Scenario, Plan]:
    """Scenario and plan number so and so: what is asked, some faults, how it is driven."""
    rng = Random(number)
    faults = dict.fromkeys(rng.sample(FAULTS, rng.randrange(4)), 1)
    scenario = Scenario(SCENARIOS[number % len(SCENARIOS)], Scope(2, 2), faults)
    return scenario, Plan(PORTFOLIO[number % len(PORTFOLIO)], rng.getrandbits(32), 0.05, 0.05, 400)


def run(number: int, design: str = "heat-engine") -> EngineWorld:
    """That run."""
    scenario, plan = planned(number)
    world = running.run(catalogue.load(design), scenario, (), plan).world
    assert isinstance(world, EngineWorld)
    return world


def traces(numbers: Iterable[int], design: str = "heat-engine") -> dict[int, str]:
    """The trace of each run."""
    return {number: trace(run(number, design)) for number in numbers}


if __name__ == "__main__":
    for number, made in traces(map(int, sys.argv[2:]), sys.argv[1]).items():
        print(number, made)
