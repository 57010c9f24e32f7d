"""Queues: which message comes first, whom it is for, and where what was not acknowledged comes back."""

from __future__ import annotations

from typing import Any

import pytest

from heatproof.model.design import Design
from heatproof.model.effects import Handler, Insert, Me, Send, Sleep
from heatproof.model.scenario import Operation
from heatproof.model.world import Action, World
from tests.model.toys import ACCOUNT, Account, asking, toy, whole


def work(self: Design, me: Me, number: int) -> Handler:
    yield Sleep("W-1")
    yield Insert("W-2", ACCOUNT, Account(f"R{number}"))


def sent(*messages: tuple[int, str | None], **options: Any) -> World:
    """A world in which these numbers were sent, to these engines, through a queue with late acknowledgement."""

    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        for what, to in messages:
            yield Send("X-1", "work", (what,), to=to)

    world = World(toy(create=create, work=work, handlers={"order": "fifo", "acknowledge": "late"}), asking(**options))
    world.perform(Action("operate", "create#1", "E1"))
    while world.tasks:
        world.perform(Action("step", "create#1"))
    return world


def test_what_is_for_one_engine_does_not_wait_behind_what_is_for_another() -> None:
    world = sent((1, "E1"), (2, "E2"), (3, "E2"), (4, None), (5, None), engines=2, threads=1)
    assert [message.name for message in world.deliverable()] == ["work(1)", "work(2)", "work(4)"]
    world.perform(Action("deliver", "work(2)", "E2"))
    assert [message.name for message in world.deliverable()] == ["work(1)", "work(3)", "work(4)"]


@pytest.mark.parametrize(("crashes", "order"), [(["E1"], [1, 3, 4]), (["E2"], [2, 3, 4]), (["E1", "E2"], [2, 1, 3, 4])])
def test_what_was_not_acknowledged_comes_back_as_the_first(crashes: list[str], order: list[int]) -> None:
    """Of two engines' messages those of the one that died last: nobody keeps in mind which of them was sent first."""
    world = sent((1, None), (2, None), (3, None), (4, None), engines=2, threads=1, faults={"crash": 2})
    for number, engine in enumerate(("E1", "E2"), 1):
        world.perform(Action("deliver", f"work({number})", engine))
    before = whole(world)
    for engine in crashes:
        world.perform(Action("crash", engine))
    assert list(world.bag) == [f"work({number})" for number in order]
    world.perform(Action("restart", "E1") if len(crashes) > 1 else world.progress()[0])
    world.undo()
    assert list(world.bag) == [f"work({number})" for number in order], "an undo leaves it so"
    for _ in crashes:
        world.undo()
    assert whole(world) == before


def test_those_of_one_engine_come_back_in_the_order_in_which_it_took_them() -> None:
    world = sent((1, None), (2, None), (3, None), engines=1, threads=2, faults={"crash": 1})
    for number in (1, 2):
        world.perform(Action("deliver", f"work({number})", "E1"))
    world.perform(Action("crash", "E1"))
    assert list(world.bag) == ["work(1)", "work(2)", "work(3)"]


@pytest.mark.parametrize("fault", [Action("lose", "work(1)"), Action("crash", "E2")])
def test_what_is_said_of_a_message_goes_with_it(fault: Action) -> None:
    """Another that is called like it is not held back because that one was."""

    def twice(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Send("X-1", "work", (1,), to="E2" if fault.kind == "crash" else None)
        yield Sleep("X-2")
        yield Send("X-3", "work", (1,))
        yield Sleep("X-4")

    world = World(toy(create=twice, work=work), asking(engines=2, threads=1, faults={fault.kind: 1, "stall": 1}))
    world.perform(Action("operate", "create#1", "E1"))
    world.perform(Action("step", "create#1"))
    world.perform(Action("stall", "work(1)", "rest"))
    world.pass_over(Action("deliver", "work(1)", "E2"))
    world.perform(fault)
    assert not world.held
    assert not world.ranks
    for _ in range(2):
        world.perform(Action("step", "create#1"))
    assert "work(1)" in [action.subject for action in world.progress()]
