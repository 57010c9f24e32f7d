"""What a search makes of handlers that are no functions of what they are sent, or that do not end."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import pytest

from heatproof.model.design import Design
from heatproof.model.effects import Handler, Insert, Me, Read, Send, Sleep, Update
from heatproof.model.errors import DesignError, NeverYields
from heatproof.model.scenario import Operation
from heatproof.model.watchdog import watchdog
from heatproof.reports.proofs import done_again
from heatproof.strategies.proving import guarding
from heatproof.strategies.proving.guarding import guarded
from heatproof.strategies.proving.least import least
from heatproof.strategies.proving.proofs import Found, prove
from heatproof.strategies.proving.search import Search
from heatproof.strategies.shrinking import Failure
from tests.model.toys import ACCOUNT, Account, asking, by_default, place
from tests.toys import ADDING, seen_toy, sum_is_two

WRITTEN: list[str] = []


def writes(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Sleep("X-1")
    WRITTEN.append(me.engine)


def counts(self: Any, me: Me, number: int, operation: Operation) -> Handler:
    self.count = getattr(self, "count", 0) + 1
    yield Sleep("X-1")


def guesses(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Sleep(f"X-{random.random()}")


@pytest.mark.parametrize(
    ("handler", "message"),
    [(writes, "changed the module variable WRITTEN"), (counts, "changed the attribute self.count"), (guesses, "is no function of")],
)
def test_a_handler_that_is_no_function_is_found_before_a_search(handler: Any, message: str) -> None:
    with pytest.raises(DesignError, match=message), guarded(seen_toy(create=handler), asking()):
        pytest.fail("it must not begin")


def test_what_changes_only_later_is_found_at_the_end() -> None:
    with pytest.raises(DesignError, match="changed the module variable WRITTEN"), guarded(seen_toy(create=writes)):
        WRITTEN.append("x")


def test_it_explains_another_error() -> None:
    with pytest.raises(DesignError, match="changed the module variable WRITTEN"), guarded(seen_toy(create=writes)):
        _write_and_fail()


def _write_and_fail() -> None:
    WRITTEN.append("x")
    raise ValueError("nobody knows why")


def test_a_way_that_cannot_be_done_again_is_laid_to_the_design() -> None:
    found = prove(ADDING, asking(engines=2, threads=1), [sum_is_two]).violations["sum", "sum is 1"]
    wrong = found._replace(actions=found.actions[:-1])
    with pytest.raises(DesignError, match=r"does not show it\. So some handler or property of design 'toy' did not do the same"):
        done_again(ADDING, [sum_is_two], wrong, ("sum", "sum is 1"))


def test_the_handlers_of_a_way_are_run_twice() -> None:
    design, scenario = seen_toy(create=guesses), asking()
    world = design.open(scenario)
    world.perform(world.operations()[0])
    found = Found(scenario, (world.log[0].action,), None)  # type: ignore[arg-type]  # nobody asks for the witness
    with pytest.raises(DesignError, match="is no function of"):
        done_again(design, [sum_is_two], found, ("sum", "sum is 1"))


def test_a_handler_that_calls_itself_without_end() -> None:
    def calls_itself(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Sleep("X-1")
        yield from calls_itself(self, me, number, operation)

    with pytest.raises(DesignError) as caught:
        Search(seen_toy(create=calls_itself), asking(), []).run()
    said = f"{place(calls_itself, 'yield Sleep')}: handler 'create' stands in more than 100 generators"
    assert str(caught.value).startswith(said)


# ---------------------------------------------------------------------------------------------------- handlers that do not end


def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Insert("I-1", ACCOUNT, Account("A"))
    yield Send("I-2", "work", (1,))
    yield Send("I-2", "work", (2,))


def work(self: Design, me: Me, number: int) -> Handler:
    yield Update("W-1", ACCOUNT, "A", {"value": number})
    row = yield Read("W-2", ACCOUNT, "A")
    for _ in range(50_000_000 if row.value != number else 0):  # not for ever, so that a broken watchdog fails the test
        pass


def test_a_handler_that_does_not_end_is_found_by_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarding, "watchdog", partial(watchdog, 0.1))
    design, scenario = seen_toy(create=create, work=work), asking(engines=2, threads=1)
    with pytest.raises(NeverYields, match="handler 'work' runs without yielding") as caught, guarded(design, scenario):
        prove(design, scenario, [])
    assert str(caught.value).startswith(place(work, "row.value").rpartition(":")[0])
    assert "test_impure.py" in str(caught.value)


def test_counterexamples_are_made_small_in_spite_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = 0

    def never(*args: Any, **options: Any) -> None:
        nonlocal tried
        tried += 1
        raise NeverYields("it does not end")

    found = prove(ADDING, asking(engines=2, threads=1), [sum_is_two]).violations["sum", "sum is 1"]
    failure: Failure = done_again(ADDING, [sum_is_two], found, ("sum", "sum is 1"))
    monkeypatch.setattr("heatproof.strategies.shrinking.replay", never)
    assert least(ADDING, [sum_is_two], failure, 100).failure.violation == failure.violation
    assert tried == 1


def test_a_watchdog_goes_on_after_one_within_it() -> None:
    with watchdog(0.05):
        with watchdog(60):
            pass
        with pytest.raises(NeverYields):
            by_default(seen_toy(create=runs_on).open(asking()))


def runs_on(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Sleep("X-1")
    for _ in range(50_000_000):
        pass
