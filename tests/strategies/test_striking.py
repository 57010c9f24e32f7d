"""Which faults strike in random runs: also those that can only strike at one step of a task."""

from __future__ import annotations

from random import Random

import pytest

from heatproof.model.design import Design
from heatproof.model.effects import Expired, Handler, Insert, Me, Probe, Read, Update
from heatproof.model.scenario import Operation
from heatproof.model.world import Action, World
from heatproof.strategies.running import Plan, run
from heatproof.strategies.striking import Striking
from tests.model.toys import ACCOUNT, Account, asking
from tests.toys import seen_toy


def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    """Looks once in 30 steps whether its time is over, whether an engine lives, and writes once."""
    yield Insert("X-1", ACCOUNT, Account("A"))
    for step in range(30):
        if step == 10:
            yield Expired("X-2", "now")
        elif step == 20:
            yield Probe("X-3", "E1")
        yield Read("X-4", ACCOUNT, "A")
    yield Update("X-5", ACCOUNT, "A", {"value": 1})


DESIGN = seen_toy(create=create)


@pytest.mark.parametrize("kind", ["timeout", "false-dead", "crash"])
def test_each_kind_strikes_in_a_fair_share_of_the_runs(kind: str) -> None:
    """Of the moments at which a fault is due one in thirty is one of these."""
    runs = [run(DESIGN, asking(faults={kind: 1}), [], Plan("random", seed, faultiness=0.05)) for seed in range(100)]
    assert sum(done.world.happened.get(kind, 0) for done in runs) > 25


def test_what_cannot_strike_now_strikes_as_soon_as_it_can() -> None:
    world = World(DESIGN, asking(faults={"timeout": 1, "false-dead": 1, "crash": 0}))
    world.perform(Action("operate", "create#1", "E1"))
    strikes = Striking(world, Random(1).random)
    assert strikes.draw() is None
    assert strikes.draw() is None
    assert sorted(strikes.to_come) == ["false-dead", "timeout"]
    assert strikes.draw() is None, "nothing else is left"
    struck = []
    while world.tasks:
        effect, fault = world.nodes["create#1"].effect, strikes.due()
        world.perform(fault or world.progress()[0])
        if fault is not None and effect is not None:
            struck.append((fault.kind, effect.step))
    assert struck == [("timeout", "X-2"), ("false-dead", "X-3")]
    assert not strikes.to_come


def test_a_kind_that_has_been_used_up_meanwhile_does_not_strike() -> None:
    world = World(DESIGN, asking(faults={"timeout": 1}))
    world.perform(Action("operate", "create#1", "E1"))
    strikes = Striking(world, Random(1).random)
    assert strikes.draw() is None
    while not world.faults():
        world.perform(world.progress()[0])
    world.perform(world.faults()[0])
    assert strikes.due() is None
    assert not strikes.to_come
