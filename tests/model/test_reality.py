"""What is in progress in reality ends, whoever is gone."""

from __future__ import annotations

from typing import Any

import pytest

from heatproof.model.design import Design
from heatproof.model.effects import Begin, Finish, Handler, Me, Send, Sleep
from heatproof.model.reality import Spec
from heatproof.model.scenario import Operation, create, scenario
from heatproof.properties.base import at_rest, witness
from heatproof.properties.catalogue import REST_IS_REACHED
from heatproof.strategies.proving.proofs import prove
from tests.toys import seen_toy


@at_rest("all has ended", "At rest nothing is in progress.")
def all_has_ended(observation: Any) -> Any:
    """Who is busy at rest will be for ever."""
    for thing in observation.reality.values():
        for busy in thing.busy:
            yield witness(f"{busy.operation} of {thing.name} goes on")


def waits_for_nothing(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    """It waits for what does not exist, and ends while something else is in progress."""
    yield Begin("B-1", "create", "A", Spec("A"), "one")
    yield Finish("F-1", "nobody")


def makes_two(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    """Two things, of which a message gets rid."""
    made = []
    for name in ("A", "B"):
        made.append((yield Begin("B-1", "create", name, Spec(name), "one")))
        yield Finish("F-1", made[-1])
    yield Send("S-1", "rid", tuple(made))


def rid(self: Design, me: Me, *things: str) -> Handler:
    """Two deletes at once; the other is waited for first."""
    for thing in things:
        yield Begin("B-2", "delete", thing, None, "two")
    for thing in reversed(things):
        yield Finish("F-2", thing)


def deletes_twice(self: Design, me: Me, *things: str) -> Handler:
    """A delete and a check of the same thing, of which the first takes away the second."""
    yield Begin("B-3", "check", things[0], None, "three")
    yield Begin("B-4", "delete", things[0], None, "three")
    yield Begin("B-5", "update", things[1], Spec("B", properties=(("p", 1),)), "three")
    yield Finish("F-3", things[0])
    yield Finish("F-4", things[0])
    yield Sleep("Z-1")


@pytest.mark.parametrize(
    "design",
    [seen_toy(create=waits_for_nothing), seen_toy(create=makes_two, rid=rid), seen_toy(create=makes_two, rid=deletes_twice)],
)
@pytest.mark.parametrize("faults", [{}, {"vanish": 1}, {"crash": 1}, {"vanish": 1, "crash": 1}, {"not-found": 1, "crash": 1}])
def test_what_is_in_progress_ends_though_its_task_has_waited_for_something_else(design: Design, faults: dict[str, int]) -> None:
    asked = scenario(create([]), engines=1, threads=2, faults=faults)
    proof = prove(design, asked, [all_has_ended, REST_IS_REACHED])
    assert proof.complete
    assert not proof.violations
