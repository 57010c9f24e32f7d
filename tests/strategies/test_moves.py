"""Local moves of deviations: earlier, later, another target, two made one, and one less."""

from __future__ import annotations

from heatproof.model.world import Action, World
from heatproof.strategies.moves import Place, merged, places, retargeted, shifted, with_one_less
from heatproof.strategies.running import Driver
from heatproof.strategies.schedules import Anchor, Deviation, replay
from tests.model.toys import asking
from tests.toys import ADDING

X, Y = Anchor("step", "x", step="1"), Anchor("step", "y", step="1")
LATER = Anchor("step", "x", step="2")
TAKE, TAKE2, OTHER = Action("deliver", "m", "E1"), Action("deliver", "m", "E2"), Action("deliver", "n", "E1")
GO = Action("step", "x")
RUN = [Place(X, (GO, TAKE, TAKE2, OTHER), 0.0), Place(Y, (Action("step", "y"), TAKE), 0.3), Place(LATER, (GO, TAKE, OTHER), 0.6)]


def test_two_are_made_one() -> None:
    assert list(merged([Deviation(X, TAKE), Deviation(Y, OTHER)])) == [[Deviation(X, OTHER)], [Deviation(Y, TAKE)]]
    assert len(list(merged([Deviation(X, TAKE), Deviation(Y, OTHER), Deviation(LATER, GO)]))) == 6


def test_another_target_the_same_message_first() -> None:
    assert list(retargeted([Deviation(X, TAKE)], RUN)) == [[Deviation(X, TAKE2)], [Deviation(X, OTHER)]]


def test_later_and_earlier_the_nearest_first() -> None:
    assert list(shifted([Deviation(X, TAKE)], RUN)) == [[Deviation(Y, TAKE)], [Deviation(LATER, TAKE)]]
    assert list(shifted([Deviation(LATER, OTHER)], RUN)) == [[Deviation(X, OTHER)]]
    assert list(shifted([Deviation(Anchor("step", "gone"), TAKE)], RUN)) == []


def test_one_less_and_another_moved() -> None:
    found = list(with_one_less([Deviation(X, TAKE), Deviation(Y, TAKE)], RUN))
    assert [Deviation(LATER, TAKE)] in found
    assert [Deviation(X, OTHER)] in found
    assert all(len(each) == 1 for each in found)


def test_the_places_of_a_run_are_where_its_deviations_are_anchored() -> None:
    driver = Driver(ADDING, asking(), [])
    anchor = Anchor("step", "add_one(x)", step="A-2")
    assert replay(driver, [Deviation(anchor, Action("deliver", "add_one(y)", "E1"))]).unused == []
    actions = [entry.action for entry in driver.world.log]
    found = places(World(ADDING, asking()), actions)
    assert len(found) == len(actions)
    assert anchor in [place.anchor for place in found]
    assert all(action in place.possible for action, place in zip(actions, found, strict=True))
