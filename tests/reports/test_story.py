"""Stories: what is told of a run, and where."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import given

from heatproof.model.design import Design
from heatproof.model.effects import Delete, Handler, Insert, Me, Send, Transaction, Update
from heatproof.model.faults import FAULTS
from heatproof.model.scenario import Operation, Scenario, create, scenario, update
from heatproof.model.templates import resource
from heatproof.model.world import Action
from heatproof.properties.base import Property, witness
from heatproof.properties.catalogue import REST_IS_REACHED
from heatproof.properties.monitor import Violation
from heatproof.reports import cases, folding
from heatproof.reports.judging import FAILS, design_of, judge
from heatproof.reports.paragraphs import WIDTH
from heatproof.reports.story import SCREEN, setting, story
from heatproof.reports.trace import trace
from heatproof.strategies.running import Driver, Plan, run
from heatproof.strategies.scenarios import plans, scenarios
from heatproof.strategies.schedules import Anchor, Deviation, places, record, replay
from tests.adopt import KEPT
from tests.model.toys import ACCOUNT, Account, asking
from tests.toys import ADDING, HEAT, SPINNING, busy, fewer, seen_toy, struck, sum_is_two

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


@fewer(4, nightly=1)
@given(scenarios(HEAT, max_operations=4), plans())
def test_each_deviation_stands_where_it_was(asked: Scenario, plan: Plan) -> None:
    driver = Driver(HEAT, asked, [])
    deviations = record(driver, run(HEAT, asked, [], plan).actions)
    where = places(driver.world)
    assert [driver.world.log[number - 1].action for number in where] == [deviation.instead for deviation in deviations]
    lines = story(driver.world, deviations, NONE, full=True).splitlines()
    marks = [number for number, line in enumerate(lines) if line.startswith("      >>")]
    firsts = [next(line for line in lines[mark + 1 :] if re.match(r" {0,8}\d", line)) for mark in marks]
    marked = [int(re.split(r"[ -]+", line.strip())[0]) for line in firsts]
    assert marked == where
    folded = " ".join(story(driver.world, deviations, NONE).split())
    again = sum(int(times) * int(each) for times, each in re.findall(r"(\d+) more times, each with (\d+) deviation", folded))
    assert folded.count(" >> ") + again == len(where), "what comes again says how many it has"


@fewer(4, nightly=1)
@given(scenarios(HEAT), plans())
def test_every_step_is_told_once_and_in_order(asked: Scenario, plan: Plan) -> None:
    driver = Driver(HEAT, asked, [])
    deviations = record(driver, run(HEAT, asked, [], plan).actions)
    told: list[int] = []
    for line in story(driver.world, deviations, NONE, full=True).splitlines():
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


# ------------------------------------------------------------------------------------------------------------- folding

STORIES = {path.name: path.read_text().splitlines() for path in sorted(KEPT.glob("*.story.txt"))}


def test_a_typical_story_fits_a_screen() -> None:
    assert median(len(lines) for lines in STORIES.values()) <= SCREEN
    assert max(len(line) for lines in STORIES.values() for line in lines) <= WIDTH


@pytest.mark.parametrize("name", STORIES)
def test_what_is_folded_is_counted(name: str) -> None:
    case = cases.read(KEPT / name.replace(".story.txt", ".case.json"))
    judged = judge(case, *design_of(case, name))
    full = judged.story(case, full=True).splitlines()
    folded = any(line.startswith("  Folded: ") for line in STORIES[name])
    assert folded or len(STORIES[name]) <= len(full)
    assert not any(line.startswith("  Folded: ") for line in full)
    assert not any(re.match(r" {0,8}[0-9-]+  \.\.\. ", line) for line in full)
    deviations = [line for line in full if line.startswith("      >>")]
    assert [line for line in STORIES[name] if line.startswith("      >>")] == deviations
    said = f"{len(deviations)} deviation{'s' if len(deviations) > 1 else ''} from the default order"
    assert STORIES[name][2].endswith(said) if deviations else "deviation" not in STORIES[name][2]


def test_each_level_tells_less_and_no_level_hides_the_failure() -> None:
    path = KEPT / "one-replacement-a-traversal-two-in-one-traversal.case.json"
    case = cases.read(path)
    judged = judge(case, *design_of(case, path.name))
    assert judged.driver is not None
    assert judged.violation is not None
    taken = trace(judged.driver.world)
    told = [folding.told(taken, judged.violation, level) for level in folding.LEVELS]
    assert told[0] == {step.number for step in taken.steps}
    assert all(more >= less for more, less in pairwise(told))
    least = told[-1]
    assert len(least) < len(taken.steps) / 2
    assert judged.violation.step in least
    for step in taken.steps:
        assert step.instead is None or step.number in least
        for stale in step.stale:
            assert {step.number, stale.changed} <= least
        for change in step.changes:
            made = change.old is None and change.key in ("A@T2.1", "A@T2#2.1", ("resource", "A@T2"), ("resource", "A@T2#2"))
            assert not made or step.number in least


def test_who_read_what_is_told_with_who_overwrote_it() -> None:
    lines = " ".join(line.strip() for line in STORIES["rest-no-operation-hangs-update-hangs-sync-points-wait.story.txt"])
    assert "[goes by stack S as read at 26, overwritten at 31 by update#3; else it would end]" in lines
    lines = " ".join(line.strip() for line in STORIES["complete-at-rest-everything-is-there-not-healthy.story.txt"])
    assert "LOST, key should be 2 but is 3 [read at 47, overwritten at 67 by check(A@T1, U, T3)]" in lines


def test_a_row_that_was_never_there_is_not_gone() -> None:
    lines = told(ADDING, asking(), [sum_is_two], [OVERLAP]).splitlines()
    assert any("R-1 reads account A (not there)" in line for line in lines)
    assert any("(gone)" in line for line in STORIES["rest-no-superfluous-rows-tombstone.story.txt"])


# ------------------------------------------------------------------------------------------------------- what a step did


def doing(*effects: Any) -> str:
    """The story, in one line, of an operation that does these effects."""

    def operate(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        for effect in effects:
            _ = yield effect

    def note(self: Design, me: Me, *what: object) -> Handler:
        yield from ()

    driver = Driver(seen_toy(create=operate, note=note), asking(), [])
    driver.settle()
    return " ".join(line.strip() for line in story(driver.world, [], NONE).splitlines())


def whole() -> Handler:
    """A transaction that inserts, writes, inserts, sends and writes what is not there."""
    yield Insert("T-1", ACCOUNT, Account("B"))
    yield Update("T-1", ACCOUNT, "A", {"value": 3})
    yield Send("T-1", "note", (3,))
    yield Send("T-1", "note", (4,), "E9")


def test_a_message_to_an_engine_that_is_not_there_is_told_to_be_lost() -> None:
    text = doing(Send("S-1", "note", ("x",), "E1"), Send("S-2", "note", ("y",), "E7"))
    assert "S-1 sends note(x) to E1; S-2 sends note(y) to E7, but no engine E7 is alive: the message is lost" in text
    assert text.endswith("Steps of the design: S-2")


def test_a_message_is_called_by_its_name() -> None:
    text = doing(Send("S-1", "note", ("x", 1)), Send("S-1", "note", ("x", 2)), Send("S-1", "note", ("x", 2)))
    assert "S-1 sends note(x, 1); S-1 sends note(x, 2); S-1 sends note(x, 2)#2" in text
    assert "takes note(x, 1)" in text


def test_a_transaction_is_told_in_the_order_of_its_statements() -> None:
    text = doing(Insert("I-1", ACCOUNT, Account("A")), Transaction("T-1", whole, ()))
    assert (
        "T-1 inserts account B; writes account A (value=3); sends note(3); sends note(4) to E9, but no engine E9 is alive: the message"
        " is lost" in text
    )


def test_a_row_that_never_was_is_not_called_gone() -> None:
    lost = Update("U-1", ACCOUNT, "A", {"value": 1}, where={"value": 0})
    assert "U-1 writes account A: LOST, there is none" in doing(lost)
    assert "U-1 writes account A: LOST, it is not there any more" in doing(
        Insert("I-1", ACCOUNT, Account("A")), Delete("D-1", ACCOUNT, {"id": "A"}), lost
    )
