"""Time limits: one can run out while somebody is about to ask for it, or something is in progress that has it, and not otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from heatproof.model.design import Design
from heatproof.model.effects import Begin, Expired, Finish, Handler, Insert, Me, Sleep, Update
from heatproof.model.errors import DesignError
from heatproof.model.reality import Spec
from heatproof.model.scenario import Operation
from heatproof.model.world import Action, World
from heatproof.properties.base import always, witness
from heatproof.strategies.proving.proofs import prove
from heatproof.strategies.running import Plan, run
from tests.model.toys import ACCOUNT, Account, asking
from tests.toys import resting, seen_toy, sending


@always("early", "The limit has not run out before anything was begun.", ["account"])
def early(observation: Any, change: Any) -> Any:
    """What was noted of the limit, while there is nothing."""
    return witness("late before work") if change.new.value == 7 and not observation.reality else None


def works(self: Design, me: Me) -> Handler:
    """Has a limit."""
    made = yield Begin("B-1", "create", "A", Spec("A"), "one", "limit")
    yield Finish("B-2", made)


def asks_late(self: Design, me: Me) -> Handler:
    """Asks for the same limit, long after others may have begun."""
    for _ in range(6):
        yield Sleep("E-1")
    if (yield Expired("E-2", "limit")):
        yield Update("E-3", ACCOUNT, "A", {"value": 7})


def test_a_limit_that_somebody_else_has_too_runs_out_before_he_has_it() -> None:
    """When it was learned that it cannot run out, nobody had stood before the question yet."""
    design = seen_toy(create=sending(("works",), ("asks_late",)), works=works, asks_late=asks_late)
    asked = asking(engines=2, threads=1, faults={"timeout": 1})
    seen = {
        switch: prove(design, asked, [early], ((switch, False),)).violations
        for switch in ("symmetric", "merge", "columns", "placing")
    }
    for violations in (prove(design, asked, [early]).violations, *seen.values()):
        assert {key: len(found.actions) for key, found in violations.items()} == {("early", "late before work"): 15}


def test_a_limit_goes_with_the_last_who_could_ask_for_it() -> None:
    """When a crash was learned, nobody had stood before the question yet: it takes those away who do now."""

    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("C-1", ACCOUNT, Account("A"))
        for _ in range(3):
            yield Sleep("C-2")

    def update(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        for _ in range(2):
            yield Sleep("U-1")
        yield Expired("U-2", "limit")

    design = seen_toy(create=create, update=update)
    asked = asking("update", engines=2, threads=1, faults={"timeout": 1, "crash": 1})
    struck = resting(
        "struck", lambda observation: f"{dict(observation.faults)} {[request.outcome for request in observation.requests]}"
    )
    found = prove(design, asked, [struck])
    for (_, kind), way in found.violations.items():
        world = design.open(asked)
        for action in way.actions:
            world.perform(action)
        assert kind.startswith(str(dict(world.happened)))
    random = set[Any]()
    for seed in range(150):
        random |= run(design, asked, [struck], Plan("random", seed, 0.3, 0.3)).violations.keys()
    assert random <= found.violations.keys()


def test_two_limits_that_read_alike_are_refused() -> None:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        for limit in (1, "1"):
            yield Begin("B-1", "create", "A", Spec("A"), "one", limit)
        yield Sleep("B-2")

    def asks(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        for limit in (1, "1"):
            yield Expired("E-1", limit)

    said = "two time limits read 1: (1 and '1'|'1' and 1); call them by names that read differently"
    for handler in (create, asks):
        with pytest.raises(DesignError, match=said):
            prove(seen_toy(create=handler), asking(faults={"timeout": 1}), [early])
    world = World(seen_toy(create=create), asking(faults={"timeout": 1}))
    world.perform(Action("operate", "create#1", "E1"))
    world.perform(Action("step", "create#1"))
    assert world.faults() == [Action("timeout", "1")]
    world.perform(Action("step", "create#1"))
    with pytest.raises(DesignError, match=said):
        world.faults()
