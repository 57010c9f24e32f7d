"""Following a stored schedule: exactly, with the place where it does not fit, and along its names and step ids."""

from __future__ import annotations

import pytest

from heatproof.model.design import Design
from heatproof.model.effects import Handler, Insert, Me, Read, Send, Update
from heatproof.model.errors import DesignError
from heatproof.model.scenario import Operation
from heatproof.model.world import Action
from heatproof.properties.catalogue import ALL
from heatproof.strategies.following import Misfit, along, exactly, steps_of
from heatproof.strategies.running import Driver, Plan, run
from heatproof.strategies.schedules import record
from tests.model.toys import ACCOUNT, Account
from tests.toys import ADDING, HEAT, add_one, busy, seen_toy, sending, small, sum_is_two

OVERLAP = [Action("operate", "create#1", "E1"), *[Action("step", "create#1")] * 4, Action("deliver", "add_one(x)", "E1"),
           Action("step", "add_one(x)"), Action("deliver", "add_one(y)", "E1"), *[Action("step", "add_one(y)")] * 2,
           Action("step", "add_one(x)")]  # fmt: skip
"""The lost update of ADDING: x reads, y reads and writes, x writes."""
STEPS = ("", "R-1", "I-1", "S-1", "S-1", "", "A-1", "", "A-1", "A-2", "A-2")
LOST = ("sum", "sum is 1")


def shown(design: Design, how: str = "along", renamed: bool = False, steps: tuple[str, ...] = STEPS) -> bool:
    """Whether following the lost update shows it on a design."""
    driver = Driver(design, small(), [sum_is_two])
    if how == "exactly":
        exactly(driver, OVERLAP, steps)
    else:
        assert along(driver, OVERLAP, steps, renamed=renamed) == "rest"
    return LOST in driver.monitor.violations


def test_exactly_is_exactly() -> None:
    driver = Driver(ADDING, small(), [sum_is_two])
    deviations, misfit = exactly(driver, OVERLAP, STEPS)
    assert misfit is None
    assert steps_of(driver.world) == STEPS
    other = Driver(ADDING, small(), [sum_is_two])
    assert record(other, OVERLAP) == deviations
    assert LOST in driver.monitor.violations


def test_each_action_is_told_with_what_the_default_would_have_done() -> None:
    driver, told = Driver(ADDING, small(), []), []
    exactly(driver, OVERLAP, STEPS, lambda default: told.append((driver.world.log[-1].action, default)))
    assert [action for action, _ in told] == OVERLAP
    assert [action for action, default in told if action != default] == [OVERLAP[7]]


@pytest.mark.parametrize(
    ("number", "action", "step", "expected"),
    [
        (6, Action("step", "add_one(x)"), "A-2", "step add_one(x) at A-2, but add_one(x) stands before A-1"),
        (6, Action("step", "add_one(z)"), "A-1", "step add_one(z) at A-1, but no task is called 'add_one(z)'; running are add_one(x)"),
        (6, Action("step", "add_one(z)"), "", "step add_one(z), but no task is called 'add_one(z)'"),
        (5, Action("deliver", "add_one(z)", "E1"), "", "deliver add_one(z) to E1, but no message is called 'add_one(z)'; waiting are add_one(x)"),
        (0, Action("operate", "update#1", "E1"), "", "operate update#1 at E1, but the next operation is 'create#1', not 'update#1'"),
        (0, Action("nonsense", "x"), "", "nonsense x, but no action is called 'nonsense'"),
    ],
)  # fmt: skip
def test_where_it_does_not_fit_is_told(number: int, action: Action, step: str, expected: str) -> None:
    schedule, steps = [*OVERLAP[:number], action], [*STEPS[:number], step]
    driver = Driver(ADDING, small(), [])
    deviations, misfit = exactly(driver, schedule, steps)
    assert isinstance(misfit, Misfit)
    assert not deviations
    assert misfit.number == number + 1
    assert misfit.of == len(schedule)
    assert f"it fits for {number} of {number + 1} actions; action {number + 1} was to be: {expected}" in str(misfit)
    assert len(driver.world.log) == number
    world = Driver(ADDING, small(), []).world
    for one in OVERLAP[:number]:
        world.perform(one)
    assert len(misfit.possible) == len(world.actions())
    assert str(world.default()) in misfit.possible[0]


def test_a_mistake_of_the_design_is_no_misfit() -> None:
    def raises(self: Design, me: Me, who: str) -> Handler:
        yield Read("A-1", ACCOUNT, "A")
        raise ValueError(who)

    design = seen_toy(create=sending(("add_one", "x"), ("add_one", "y")), add_one=raises)
    with pytest.raises(DesignError, match="raised ValueError"):
        exactly(Driver(design, small(), []), OVERLAP)


# -------------------------------------------------------------------------------------------------- along names and steps


def reads_more(self: Design, me: Me, who: str) -> Handler:
    yield Read("A-0", ACCOUNT, "A")
    yield from add_one(self, me, who)
    yield Read("A-3", ACCOUNT, "A")


def splits(self: Design, me: Me, who: str) -> Handler:
    row = yield Read("A-1", ACCOUNT, "A")
    yield Read("A-2a", ACCOUNT, "A")
    yield Update("A-2", ACCOUNT, "A", {"value": row.value + 1})
    yield Update("A-2b", ACCOUNT, "A", {})


def other_steps(self: Design, me: Me, who: str) -> Handler:
    row = yield Read("one", ACCOUNT, "A")
    yield Update("two", ACCOUNT, "A", {"value": row.value + 1})


def merged(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Insert("I-1", ACCOUNT, Account("A"))
    yield Send("S-1", "add_one", ("x",))
    yield Send("S-1", "add_one", ("y",))


def correct(self: Design, me: Me, who: str) -> Handler:
    while True:
        row = yield Read("A-1", ACCOUNT, "A")
        if (yield Update("A-2", ACCOUNT, "A", {"value": row.value + 1}, where={"value": row.value})):
            return


TWO = sending(("add_one", "x"), ("add_one", "y"))


@pytest.mark.parametrize(
    "design",
    [
        ADDING,
        seen_toy(create=TWO, add_one=reads_more),
        seen_toy(create=TWO, add_one=splits),
        seen_toy(create=merged, add_one=add_one),
    ],
)
def test_a_schedule_leads_to_the_same_failure_past_steps_that_are_new_or_gone(design: Design) -> None:
    assert shown(design)
    assert shown(design, "exactly") is (design is ADDING)


def test_where_all_steps_have_other_ids_the_names_lead_there() -> None:
    design = seen_toy(create=TWO, add_one=other_steps)
    assert not shown(design)
    assert shown(design, steps=("",) * len(OVERLAP))


def test_where_the_tasks_have_other_names_the_most_alike_are_taken() -> None:
    design = seen_toy(create=sending(("increase", "x"), ("increase", "y")), increase=add_one)
    assert not shown(design)
    assert shown(design, renamed=True)


def test_what_was_mended_does_not_fail() -> None:
    design = seen_toy(create=TWO, add_one=correct)
    assert not shown(design)
    assert not shown(design, renamed=True)


@pytest.mark.parametrize("seed", range(5))
def test_an_unchanged_design_is_followed_exactly(seed: int) -> None:
    """Whatever the schedule: along its names and step ids it is the schedule itself, up to its end."""
    first = run(
        HEAT, busy(faults={"crash": 1, "abort": 1}), list(ALL.values()), Plan("random", seed, eagerness=0.05, faultiness=0.02)
    )
    steps = steps_of(first.world)
    for given, renamed in ((steps, False), (steps, True), (("",) * len(steps), False)):
        driver = Driver(HEAT, first.world.scenario, list(ALL.values()))
        along(driver, first.actions, given, renamed=renamed)
        assert [entry.action for entry in driver.world.log] == first.actions
        assert driver.monitor.violations.keys() == first.violations.keys()
