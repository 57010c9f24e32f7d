"""What comes again in a story: told once, and nothing else; where a circle begins."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from heatproof.model.design import Design
from heatproof.model.effects import Handler, Insert, Me, Sleep, Update
from heatproof.model.scenario import Operation
from heatproof.model.world import Action
from heatproof.properties.base import witness
from heatproof.properties.catalogue import REST_IS_REACHED
from heatproof.properties.monitor import Violation
from heatproof.reports.repeats import LEAST, Said, circle, pieces
from heatproof.reports.story import SCREEN, story
from heatproof.strategies.running import Driver
from tests.model.toys import ACCOUNT, Account, asking
from tests.toys import seen_toy, sending

PLAIN = Violation("p", "Holds.", witness("does not"), 1)


def saying(texts: Sequence[str]) -> list[Said]:
    """One text a step."""
    return [Said(number, number, text) for number, text in enumerate(texts, 1)]


@st.composite
def laps(draw: st.DrawFn) -> list[Said]:
    """Steps in blocks that come again, some of which refer to a step before or to one of their own lap."""
    texts = ["a", "b", "c"]
    found: list[Said] = []
    for block, times in draw(
        st.lists(st.tuples(st.lists(st.sampled_from(texts), min_size=1, max_size=4), st.integers(1, 5)), max_size=6)
    ):
        for _ in range(times):
            for text in block:
                number = len(found) + 1
                steps = draw(st.sampled_from([(), (1,), (number - 1,), (number - 2, 2)]))
                found.append(Said(number, number, text, steps))
    return found


@given(laps())
def test_what_is_folded_can_be_unfolded(said: list[Said]) -> None:
    again: list[Said] = []
    for begin, size, times in pieces(said):
        assert begin == len(again)
        assert times == 1 or times >= LEAST
        block = said[begin : begin + size]
        last = block if times == 1 else said[begin + size : begin + 2 * size]
        for lap in range(times):
            for one, second in zip(block, last, strict=True):  # the second lap says which of the steps are of the lap
                steps = tuple(a + lap * (b - a) for a, b in zip(one.steps, second.steps, strict=True))
                again.append(Said(one.first + lap * size, one.last + lap * size, one.text, steps))
    assert again == said


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=5), st.integers(LEAST, 50))
def test_a_block_that_comes_again_is_found(block: list[str], times: int) -> None:
    assert sum(piece.size for piece in pieces(saying(block * times))) <= len(block) + 1


def test_what_differs_is_not_folded() -> None:
    assert [piece.times for piece in pieces(saying("aaa"))] == [3]
    assert [piece.times for piece in pieces(saying("aa"))] == [1, 1]
    assert {piece.times for piece in pieces([Said(n, n, "a", (n * n,)) for n in range(9)])} == {1}


def test_a_circle_may_have_begun_before_it_is_noticed() -> None:
    assert circle(saying("xyababababab"), 8, 4) == (2, 2)
    assert circle(saying("xyabcb"), 2, 4) == (2, 4)


# ----------------------------------------------------------------------------------------------------------- in stories


def take(self: Design, me: Me, who: str) -> Handler:
    """A message that waits until nobody holds account A, and holds it."""
    while not (yield Update("T-1", ACCOUNT, "A", {"owner": who}, where={"owner": None})):
        yield Sleep("T-2")


def operate(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    """Account A, and those who want it."""
    yield Insert("I-1", ACCOUNT, Account("A"))
    yield from sending(("take", "x"), ("take", "y"))(self, me, number, operation)


POLLING = seen_toy(create=operate, take=take)


def polling() -> Driver:
    """One has taken account A for ever, and the other looks."""
    driver = Driver(POLLING, asking(), [REST_IS_REACHED])
    assert driver.settle() == "circle"
    return driver


def test_a_story_of_polling_fits_a_screen_and_says_where_the_circle_begins() -> None:
    driver = polling()
    (violation,) = driver.monitor.violations.values()
    text = story(driver.world, [], violation)
    lines = text.splitlines()
    assert len(lines) < SCREEN
    taken = next(n for n, entry in enumerate(driver.world.log, 1) if str(entry.action) == "step take(y)")
    joined = " ".join(line.strip() for line in lines)
    times = int(re.search(rf"the same as {taken}-{taken + 1}, (\d+) more times, to", joined)[1])  # type: ignore[index]  # None is a failure
    assert f"to {taken + 1 + 2 * times}" in joined
    said = f"From step {taken} on it goes round in a circle: steps {taken}-{taken + 1} come again and again, and so on for ever."
    assert said in joined
    assert joined.count("T-1 writes account A: LOST") <= 2


def test_all_is_told_in_full() -> None:
    driver = polling()
    effects = [entry.before.effect for entry in driver.world.log if entry.before is not None]
    lost = sum(effect is not None and effect.step == "T-1" for effect in effects) - 1
    assert lost > 100
    assert story(driver.world, [], PLAIN, full=True).count("LOST") == lost


def test_a_circle_after_the_last_step_is_told_too() -> None:
    driver, whole = Driver(POLLING, asking(), [REST_IS_REACHED]), polling()
    (violation,) = whole.monitor.violations.values()
    for entry in whole.world.log:
        if len(driver.world.log) < 8:
            driver.perform(Action(*entry.action))
    joined = " ".join(line.strip() for line in story(driver.world, [], violation).splitlines())
    assert "After step 8 it goes on by default, and from step" in joined
    assert "come again and again, and so on for ever." in joined
