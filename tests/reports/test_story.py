"""Stories: what is told of a run, and where."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given

from heatproof.model.design import Design
from heatproof.model.effects import Handler, Insert, Me, Send, Update
from heatproof.model.faults import FAULTS
from heatproof.model.scenario import Operation, Scenario, create, scenario, update
from heatproof.model.templates import resource
from heatproof.model.world import Action
from heatproof.properties.base import Property, witness
from heatproof.properties.catalogue import REST_IS_REACHED
from heatproof.properties.monitor import Violation
from heatproof.reports import cases
from heatproof.reports.judging import FAILS, design_of, judge
from heatproof.reports.story import WIDTH, setting, story
from heatproof.strategies.running import Driver, Plan, run
from heatproof.strategies.scenarios import plans, scenarios
from heatproof.strategies.schedules import Anchor, Deviation, places, record, replay
from tests.adopt import KEPT
from tests.model.toys import ACCOUNT, Account, asking
from tests.toys import ADDING, HEAT, SPINNING, busy, seen_toy, struck, sum_is_two

GOLDEN = Path(__file__).parent / "golden"
NONE = Violation("p", "Holds.", witness("does not"), 1)


def golden(name: str, text: str) -> None:
    """Compare with the file of that name; with HEATPROOF_GOLDEN=1 in the environment the file is written anew."""
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("HEATPROOF_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        file.write_text(text + "\n", encoding="utf-8")
    assert text + "\n" == file.read_text(encoding="utf-8"), f"run with HEATPROOF_GOLDEN=1 and read the diff of {file.name}"


def told(design: Design, asked: Scenario, properties: Sequence[Property], deviations: Sequence[Deviation]) -> str:
    """The story of a run with these deviations, all of which must fit, and of the first violation in it."""
    driver = Driver(design, asked, properties)
    assert replay(driver, deviations).unused == []
    return story(driver.world, deviations, next(iter(driver.monitor.violations.values())))


OVERLAP = Deviation(Anchor("step", "add_one(x)", 1, "A-2"), Action("deliver", "add_one(y)", "E2"))


def test_a_lost_update() -> None:
    golden("lost-update", told(ADDING, asking(), [sum_is_two], [OVERLAP]))


def test_faults() -> None:
    deviations = [
        Deviation(Anchor("deliver", "add_one(x)"), Action("duplicate", "add_one(x)")),
        Deviation(Anchor("step", "add_one(x)", 1, "A-2"), Action("abort", "add_one(x)")),
        Deviation(Anchor("step", "add_one(y)", 1, "A-2"), Action("crash", "E1")),
    ]
    asked = asking(engines=1, faults={"abort": 1, "crash": 1, "duplicate": 1})
    golden("faults", told(ADDING, asked, [sum_is_two], deviations))


def test_a_circle() -> None:
    golden("circle", told(SPINNING, asking(), [REST_IS_REACHED], []))


# --------------------------------------------------------------------------------------------------- what is in a story


@given(scenarios(HEAT, max_operations=4), plans())
def test_each_deviation_stands_where_it_was(asked: Scenario, plan: Plan) -> None:
    driver = Driver(HEAT, asked, [])
    deviations = record(driver, run(HEAT, asked, [], plan).actions)
    where = places(driver.world)
    assert [driver.world.log[number - 1].action for number in where] == [deviation.instead for deviation in deviations]
    lines = story(driver.world, deviations, NONE).splitlines()
    marked = [int(re.split(r"[ -]+", below.strip())[0]) for line, below in pairwise(lines) if line.startswith("      >>")]
    assert marked == where


@given(scenarios(HEAT), plans())
def test_every_step_is_told_once_and_in_order(asked: Scenario, plan: Plan) -> None:
    driver = Driver(HEAT, asked, [])
    deviations = record(driver, run(HEAT, asked, [], plan).actions)
    told: list[int] = []
    for line in story(driver.world, deviations, NONE).splitlines():
        if numbers := re.match(r" {0,8}(\d+)(?:-(\d+))?  \S", line):
            first, last = numbers.groups()
            told += range(int(first), int(last or first) + 1)
    assert told == list(range(1, len(driver.world.log) + 1))


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_fault_is_told(fault: str) -> None:
    ((asked, plan),) = struck(fault, 1)
    driver = Driver(HEAT, asked, [])
    deviations = record(driver, run(HEAT, asked, [], plan).actions)
    text = story(driver.world, deviations, NONE)
    assert text.count(f"FAULT {fault} ") == driver.world.happened[fault]
    assert f"{asked.faults[fault]} x {fault}" in text


def test_the_end_names_the_violation() -> None:
    violation = Violation("sum", "It adds up.", witness("it does not", is_=1, wanted=2, rows=("A", "B"), none=None), 3)
    driver = Driver(ADDING, asking(), [])
    driver.settle()
    lines = story(driver.world, [], violation).splitlines()
    assert lines[0] == "sum: it does not"
    assert "  Violated after step 3: It adds up." in lines
    assert "  Witness: it does not; is: 1; wanted: 2; rows: A, B; none: none" in lines
    assert story(driver.world, [], violation, "A title").splitlines()[0] == "A title"


def test_a_run_of_nothing_can_be_told() -> None:
    assert "Witness: does not" in story(Driver(ADDING, asking(), []).world, [], NONE)


def test_long_names_are_wrapped_and_whole() -> None:
    name = "A" * 150

    def long_one(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("I-1", ACCOUNT, Account(name, owner="x" * 300))
        yield Update("U-1", ACCOUNT, name, {"owner": "y " * 100})
        yield Send("S-1", "note", (name, name, name))

    def note(self: Design, me: Me, *names: str) -> Handler:
        yield Update("U-2", ACCOUNT, names[0], {"value": 1})

    driver = Driver(seen_toy(create=long_one, note=note), asking(), [])
    driver.settle()
    lines = story(driver.world, [], NONE).splitlines()
    assert sum(name in line for line in lines) > 4
    assert all(len(line) <= WIDTH or " " not in line.strip().replace(": ", "") or name in line for line in lines)


def test_the_setting_tells_what_is_asked() -> None:
    before = [resource("A", {"p": 0}, {"r": 1}), resource("B", depends_on=["A"], kind="other", fails=["create"])]
    operations = [
        create(before, rollback=True, timeout=True),
        update([before[0]]),
        Operation("signal", resource="A"),
        Operation("delete"),
    ]
    assert setting(scenario(*operations, engines=1, threads=2, faults={"lose": 2})) == [
        "1 engine of 2 threads; faults: 2 x lose",
        "operation 1: create (rolls back on failure) (with a time limit) to A(p=0, r!=1); B(class other, after A, always fails to create)",
        "operation 2: update to A as before",
        "operation 3: signal A",
        "operation 4: delete",
    ]
    assert setting(busy())[1] == "operation 1: create to A(p=0, r!=0); B(a=id of A); C(b=p of A, after B)"


@pytest.mark.parametrize("path", sorted(KEPT.glob("*.case.json")), ids=lambda path: path.name.removesuffix(".case.json"))
def test_kept_stories_are_up_to_date(path: Path) -> None:
    case = cases.read(path)
    judged = judge(case, *design_of(case, path.name))
    assert judged.answer == FAILS, " ".join(judged.told)
    kept = path.with_name(path.name.replace(".case.json", ".story.txt"))
    assert judged.story(case) + "\n" == kept.read_text(), f"{kept.name} is out of date; 'python -m tests.adopt' writes it anew"
