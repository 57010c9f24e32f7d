"""A schedule of one design followed on another that does the same with other steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heatproof.model.design import Design
from heatproof.model.effects import Handler, Insert, Me, Read, Send, Transaction, Update
from heatproof.model.scenario import Operation, Scenario, create, scenario, update
from heatproof.model.templates import resource
from heatproof.model.world import Action
from heatproof.strategies.corresponding import Across, Did, Mark, marked
from heatproof.strategies.running import Driver
from tests.strategies.counter import COUNTER, PROPERTIES, Blind, Counter, Row

ASKED = scenario(create([resource("A"), resource("B")]), engines=1)
LOST = [
    *[Action("operate", "create#1", "E1"), *[Action("step", "create#1")] * 3],
    *[Action("deliver", "add(S, A, 1)", "E1"), Action("step", "add(S, A, 1)")],
    *[Action("deliver", "add(S, B, 1)", "E1"), *[Action("step", "add(S, B, 1)")] * 2, Action("step", "add(S, A, 1)")],
]
"""An increment is lost: A writes what it read before B wrote."""


class Wordy(Blind):
    """The same, but it looks twice, has its messages sent in another order, and calls its steps by other names."""

    name = "wordy-counter"

    def increments(self, number: int, operation: Operation) -> Handler:
        """In another order."""
        assert operation.template is not None
        for name in reversed(operation.template.names):
            yield Send("sends", "add", (operation.stack, name, number))

    def add(self, me: Me, stack: str, name: str, number: int) -> Handler:
        """Looks at another counter first and at its own afterwards."""
        yield Read("looks", COUNTER, "another")
        row = yield Read("reads", COUNTER, stack)
        yield Transaction("writes", write, (stack, row.value + 1))
        yield Read("looks again", COUNTER, stack)


def write(stack: str, value: int) -> Any:
    """A transaction."""
    yield Update("", COUNTER, stack, {"value": value})


class Guarded(Wordy):
    """The same without the mistake."""

    name = "guarded-counter"

    def add(self, me: Me, stack: str, name: str, number: int) -> Handler:
        """Compares and sets."""
        row = yield Read("reads", COUNTER, stack)
        if not (yield Update("writes", COUNTER, stack, {"value": row.value + 1}, where=self.expects(row))):
            yield Send("again", "add", (stack, name, number))

    def expects(self, row: Row) -> Mapping[str, Any]:
        """What was read."""
        return {"value": row.value}


class Other(Counter):
    """Inserts one counter more."""

    name = "other-counter"

    def create(self, me: Me, number: int, operation: Operation) -> Handler:
        """Two counters."""
        yield Insert("1", COUNTER, Row("another"))
        yield from super().create(me, number, operation)


def done(design: Design, schedule: list[Action], asked: Scenario = ASKED) -> list[Did]:
    return marked(Driver(design, asked, []), schedule)


def across(design: Design, did: list[Did], asked: Scenario = ASKED) -> tuple[Across, Driver]:
    driver = Driver(design, asked, PROPERTIES)
    follower = Across(driver, did)
    follower.follow()
    driver.settle()
    return follower, driver


def test_what_an_action_did() -> None:
    did = done(Blind(), LOST)
    assert [d.mark for d in did[1:5]] == [
        Mark("write", frozenset(["counter"])), Mark("send", frozenset(["add(S, A, 1)"])), Mark("send", frozenset(["add(S, B, 1)"])), None
    ]  # fmt: skip
    assert did[5].mark == Mark("read", frozenset(["counter"]), "S")
    assert [set(d.rows) for d in did if d.rows] == [
        {("counter", "S")}
    ] * 2  # inserted, set to 1; and the lost write sets it to 1 again
    assert [d.step for d in did if d.ended] == ["K-3", "K-5", "K-5"]


def test_the_same_failure_with_other_steps() -> None:
    follower, driver = across(Wordy(), done(Blind(), LOST))
    assert follower.difference is None
    assert ("every increment counts", "increment lost") in driver.monitor.violations


def test_and_back() -> None:
    _, driver = across(Wordy(), done(Blind(), LOST))
    made = done(Wordy(), [entry.action for entry in driver.world.log])
    back, again = across(Blind(), made)
    assert back.difference is None
    assert ("every increment counts", "increment lost") in again.monitor.violations


def test_the_first_difference_says_where_what_was_expected_and_what_was_possible() -> None:
    follower, driver = across(Guarded(), done(Blind(), LOST))
    assert not driver.monitor.violations
    assert follower.difference is not None
    assert follower.difference.number == len(LOST)
    assert str(follower.difference) == (
        "at action 10 of 10: expected the end of add(S, A, 1), but add(S, A, 1) goes on: it is about to send add(S, A, 1)."
        " Possible there: step add(S, A, 1) before again"
    )


def test_rows_that_only_one_writes_are_a_difference() -> None:
    follower, _ = across(Other(), done(Blind(), LOST))
    assert follower.difference is not None
    assert "expected create#1 at K-3 (send add(S, A, 1)), but create#1 stands before something else" in str(follower.difference)


def test_an_action_that_is_not_possible_is_a_difference() -> None:
    two = scenario(create([resource("A")]), update([resource("A")]), engines=1)
    did = done(Blind(), [Action("operate", "create#1", "E1"), *[Action("step", "create#1")] * 2], two)
    follower, _ = across(Blind(), [*did, did[0]], two)
    assert follower.difference is not None
    assert follower.difference.number == 4
    assert "the next operation is 'update#2', not 'create#1'" in follower.difference.instead
    assert follower.difference.possible[-1] == "operate update#2 at E1"
