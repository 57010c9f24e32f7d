"""Schedules: recorded as deviations they are the same run again; anchors, and what does not fit."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given

from heatproof.model.design import Design
from heatproof.model.effects import Handler, Me, Read, Send, Sleep, Spawn
from heatproof.model.errors import NotEnabled
from heatproof.model.faults import FAULTS, PATIENCE
from heatproof.model.scenario import Scenario
from heatproof.model.world import Action
from heatproof.properties.base import Property
from heatproof.properties.catalogue import ALL, REST_IS_REACHED
from heatproof.strategies.running import Driver, Plan, Run, run
from heatproof.strategies.scenarios import plans, scenarios
from heatproof.strategies.schedules import END, Anchor, Anchors, Deviation, record, replay
from tests.model.toys import ACCOUNT, asking
from tests.toys import ADDING, HEAT, SPINNING, busy, count_down, seen_toy, sending, set_flag, struck, sum_is_two

PROPERTIES = list(ALL.values())


def done(driver: Driver) -> list[Action]:
    return [entry.action for entry in driver.world.log]


def same_again(design: Design, asked: Scenario, first: Run, properties: Sequence[Property] = ()) -> list[Deviation]:
    """The deviations of a run, which were shown to be the same run again."""
    exact = Driver(design, asked, properties, first.world.program)
    deviations = record(exact, first.actions)
    assert done(exact) == first.actions
    again = Driver(design, asked, properties, first.world.program)
    ended = replay(again, deviations)
    assert done(again) == first.actions
    assert ended.unused == []
    assert ended.end == first.end == "rest"
    assert first.violations == exact.monitor.violations == again.monitor.violations
    return deviations


# ------------------------------------------------------------------------------------------------- the same run again


@given(scenarios(HEAT, max_operations=4), plans())
def test_a_run_is_replayed_from_its_deviations(asked: Scenario, plan: Plan) -> None:
    same_again(HEAT, asked, run(HEAT, asked, PROPERTIES, plan), PROPERTIES)


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_run_with_this_fault_is_replayed_from_its_deviations(fault: str) -> None:
    for asked, plan in struck(fault, 6):
        deviations = same_again(HEAT, asked, run(HEAT, asked, PROPERTIES, plan), PROPERTIES)
        assert fault in {deviation.instead.kind for deviation in deviations}


def helper(self: Design, me: Me) -> Handler:
    """A task that gives way twice."""
    yield Sleep("H-1")
    yield Sleep("H-2")


def spawning(self: Design, me: Me, number: int, operation: object) -> Handler:
    """Spawns tasks of the same name, some beside each other, some after each other."""
    for _ in range(3):
        yield Spawn("S-1", "helper", ())
        yield Sleep("S-2")


def resend(self: Design, me: Me, number: int) -> Handler:
    """A message that is sent again under the same name."""
    if (yield Read("M-1", ACCOUNT, "A")) is not None and number:
        yield Send("M-2", "resend", (number - 1,))
        yield Send("M-3", "resend", (0,))


TOYS = {
    "spawning": seen_toy(create=spawning, update=spawning, helper=helper),
    "sending": seen_toy(create=sending(("resend", 2)), update=sending(("resend", 1), ("resend", 2)), resend=resend),
    "late": seen_toy(create=sending(("resend", 2)), update=sending(("resend", 1)), resend=resend, acknowledge="late"),
    "fifo": seen_toy(create=sending(("resend", 2)), update=sending(("resend", 1)), resend=resend, order="fifo"),
}


@pytest.mark.parametrize("name", TOYS)
def test_names_that_come_again_are_told_apart(name: str) -> None:
    faults = {"crash": 1, "restart": 1, "duplicate": 2, "lose": 1, "stall": 1}
    asked = asking("update", "update", faults=faults)
    for seed in range(100):
        same_again(TOYS[name], asked, run(TOYS[name], asked, [], Plan("random", seed, 0.1, 0.1)))


@given(scenarios(HEAT))
def test_without_deviations_it_is_the_default_run(asked: Scenario) -> None:
    default, again = (Driver(HEAT, asked, PROPERTIES) for _ in range(2))
    assert default.settle() == replay(again, []).end == "rest"
    assert done(default) == done(again)
    assert default.monitor.violations == again.monitor.violations
    assert record(Driver(HEAT, asked, []), done(default)) == []


# ---------------------------------------------------------------------------------------------------------- deviations


def lost_update() -> list[Deviation]:
    """ADDING with x before its write while y does everything."""
    return [Deviation(Anchor("step", "add_one(x)", 1, "A-2", 1), Action("deliver", "add_one(y)", "E2"))]


def test_one_deviation_is_enough_for_a_stall() -> None:
    driver = Driver(ADDING, asking(), [sum_is_two])
    assert replay(driver, lost_update()) == ("rest", [])
    assert driver.monitor.violations.keys() == {("sum", "sum is 1")}
    steps = [action.subject for action in done(driver)[-4:]]
    assert steps == ["add_one(y)", "add_one(y)", "add_one(y)", "add_one(x)"], "x waits until y has come to its end"


def test_what_is_passed_over_is_not_held_back_for_ever() -> None:
    design = seen_toy(create=sending(("set_flag",), ("count_down", 1_000)), set_flag=set_flag, count_down=count_down)
    driver = Driver(design, asking(), [])
    deviation = Deviation(Anchor("deliver", "set_flag()"), Action("deliver", "count_down(1000)", "E1"))
    assert replay(driver, [deviation]) == ("rest", [])
    first, last = (done(driver).index(Action("deliver", name, "E1")) for name in ("count_down(1000)", "set_flag()"))
    assert last - first == PATIENCE


@pytest.mark.parametrize(
    ("anchor", "instead"),
    [
        (Anchor("step", "add_one(x)", 1, "A-2", 2), Action("deliver", "add_one(y)", "E2")),
        (Anchor("step", "add_one(x)", 2, "A-2", 1), Action("deliver", "add_one(y)", "E2")),
        (Anchor("step", "add_one(x)", 1, "A-9", 1), Action("deliver", "add_one(y)", "E2")),
        (Anchor("step", "add_one(z)", 1, "A-2", 1), Action("deliver", "add_one(y)", "E2")),
        (Anchor("deliver", "add_one(x)", 2), Action("deliver", "add_one(y)", "E2")),
        (Anchor("step", "add_one(x)", 1, "A-2", 1), Action("deliver", "add_one(y)", "E9")),
        (Anchor("step", "add_one(x)", 1, "A-2", 1), Action("deliver", "add_one(z)", "E1")),
        (Anchor("step", "add_one(x)", 1, "A-2", 1), Action("step", "add_one(y)")),
        (Anchor("step", "add_one(x)", 1, "A-2", 1), Action("lose", "add_one(y)")),
        (Anchor("step", "add_one(x)", 1, "A-2", 1), Action("operate", "update#2", "E1")),
        (Anchor("step", "add_one(x)", 1, "A-2", 1), Action("nonsense", "add_one(y)")),
        (END, Action("vanish", "A.1")),
    ],
    ids=str,
)  # fmt: skip
def test_a_deviation_that_does_not_fit_is_told_and_changes_nothing(anchor: Anchor, instead: Action) -> None:
    default, again = (Driver(ADDING, asking(), [sum_is_two]) for _ in range(2))
    default.settle()
    wrong = Deviation(anchor, instead)
    assert replay(again, [wrong]) == ("rest", [wrong])
    assert done(again) == done(default)


def test_the_others_keep_their_place_when_one_is_dropped() -> None:
    asked = busy(faults={"vanish": 1})
    lost = total = 0
    for seed in range(5):
        found = run(HEAT, asked, [], Plan("random", seed, 0.0, 0.01, steps=60))
        deviations = same_again(HEAT, asked, found)
        for i in range(len(deviations)):
            fewer = deviations[:i] + deviations[i + 1 :]
            lost += len(replay(Driver(HEAT, asked, [], found.world.program), fewer).unused)
            total += len(fewer)
    assert total > 50
    assert lost < total / 4


def test_a_schedule_that_does_not_fit_says_what_was_possible() -> None:
    driver = Driver(ADDING, asking(), [])
    with pytest.raises(NotEnabled, match=r"no message is called 'add_one\(y\)'; waiting are add_one\(x\)"):
        record(
            driver, [Action("operate", "create#1", "E1"), *[Action("step", "create#1")] * 3, Action("deliver", "add_one(y)", "E1")]
        )
    assert len(driver.world.log) == 4, "what fits was done"


def test_a_recorded_run_that_never_rests_is_known_as_such() -> None:
    found = run(SPINNING, asking(), [REST_IS_REACHED], Plan("random", 0, steps=20))
    driver = Driver(SPINNING, asking(), [REST_IS_REACHED])
    deviations = record(driver, found.actions[:25])
    (violation,) = driver.monitor.violations.values()
    assert (violation.name, violation.step, len(driver.world.log)) == (REST_IS_REACHED.name, 25, 25)
    again = Driver(SPINNING, asking(), [REST_IS_REACHED])
    assert replay(again, deviations).end == "circle"
    assert again.monitor.violations.keys() == driver.monitor.violations.keys()
    assert len(again.world.log) < 60, "it stops after the first lap"
    assert replay(Driver(SPINNING, asking(), []), deviations, limit=500).end == "cut", "whoever does not ask is not told"


# ------------------------------------------------------------------------------------------------------------- anchors


def test_an_anchor_names_step_time_and_life() -> None:
    def twice(self: Design, me: Me) -> Handler:
        for _ in range(2):
            yield Read("X-1", ACCOUNT, "A")
            yield Read("X-2", ACCOUNT, "A")

    driver = Driver(seen_toy(create=sending(("twice",)), update=sending(("twice",)), twice=twice), asking("update"), [])
    world, anchors = driver.world, Anchors(driver.world)
    told = []
    while (action := world.default()) is not None:
        told.append(str(anchors.of(action)))
        driver.perform(action)
        anchors.performed(action)
    life = ["deliver twice()", *(f"twice() before {step}" for step in ("X-1", "X-2", "X-1 (time 2)", "X-2 (time 2)"))]
    again = ["deliver twice() (no. 2)", *(line.replace("twice()", "twice() (no. 2)") for line in life[1:])]
    create = ["operate create#1", *(f"create#1 before {step}" for step in ("R-1", "I-1", "S-1"))]
    change = ["operate update#2", *(f"update#2 before {step}" for step in ("R-1", "S-1"))]
    assert told == [*create, *life, *change, *again]
    assert str(anchors.of(None)) == "at the end"


def test_a_deviation_reads_as_a_sentence() -> None:
    (deviation,) = lost_update()
    assert str(deviation) == "instead of add_one(x) before A-2: deliver add_one(y) to E2"
