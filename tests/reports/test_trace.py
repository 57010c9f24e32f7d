"""A run taken apart: what each step did, on what knowledge, and what changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given

from heatproof.model import catalogue
from heatproof.model.design import Design
from heatproof.model.effects import Handler, Insert, Look, Me, Probe, Query, Read, Send, Transaction, Update
from heatproof.model.faults import FAULTS
from heatproof.model.scenario import Operation, Scenario, create, scenario
from heatproof.model.templates import resource
from heatproof.model.world import Action, World
from heatproof.reports import cases
from heatproof.reports.trace import Step, Trace, trace
from heatproof.strategies.running import Driver, Plan, run
from heatproof.strategies.scenarios import plans, scenarios
from heatproof.strategies.schedules import Anchor, Deviation, places, record, replay
from tests.model.toys import ACCOUNT, Account, asking
from tests.toys import ADDING, HEAT, fewer, large, same_in_any_process, seen_toy, sending, struck

REGRESSIONS = sorted(Path(cases.__file__).parent.glob("regressions/heat/*.case.json"))


def traced(design: Design, asked: Scenario, deviations: Sequence[Deviation] = ()) -> Trace:
    """A run with these deviations, all of which fit."""
    driver = Driver(design, asked, [])
    assert replay(driver, deviations).unused == []
    return trace(driver.world)


def stale(found: Trace) -> list[tuple[int, str, str, int, int, str, tuple[str, ...]]]:
    """What is stale in a run: step, kind, key, when it was read, since when and by whom it is different, in what."""
    return [(step.number, s.kind, str(s.key), s.read, s.changed, s.by, s.columns) for step in found.steps for s in step.stale]


def meanwhile(first: str, step: str, other: str) -> list[Deviation]:
    """While task ``first`` stands before ``step``, the message ``other`` is handled."""
    return [Deviation(Anchor("step", first, 1, step), Action("deliver", other, "E2"))]


# --------------------------------------------------------------------------------------------------------- stale reads


def test_a_row_that_has_changed_is_overwritten() -> None:
    found = traced(ADDING, asking(), meanwhile("add_one(x)", "A-2", "add_one(y)"))
    (read,) = [s.number for s in found.steps if s.at == "A-1" and s.who and s.who.name == "add_one(x)"]
    (wrote,) = [s.number for s in found.steps if s.at == "A-2" and s.who and s.who.name == "add_one(y)"]
    assert stale(found) == [(len(found.steps), "overwrites", "A", read, wrote, "add_one(y)", ("value",))]


def test_a_conditional_write_is_lost() -> None:
    def add_one(self: Design, me: Me, who: str) -> Handler:
        row = yield Read("A-1", ACCOUNT, "A")
        yield Update("A-2", ACCOUNT, "A", {"value": row.value + 1}, {"value": row.value})

    adding = seen_toy(create=sending(("add_one", "x"), ("add_one", "y")), add_one=add_one)
    found = traced(adding, asking(), meanwhile("add_one(x)", "A-2", "add_one(y)"))
    last = found.steps[-1]
    assert stale(found) == [(last.number, "lost", "A", last.number - 4, last.number - 1, "add_one(y)", ("value",))]
    (touch,) = last.touches
    assert (touch.outcome, touch.mismatch) == ("lost", (("value", 0, 1),))
    assert touch.set is not None
    assert (touch.set.step, touch.set.by) == (last.number - 1, "add_one(y)")


def test_a_lost_write_of_what_was_never_read_says_who_changed_it() -> None:
    def claim(self: Design, me: Me, who: str) -> Handler:
        yield Update("C-1", ACCOUNT, "A", {"owner": who}, {"owner": None})

    found = traced(seen_toy(create=sending(("claim", "x"), ("claim", "y")), claim=claim), asking())
    assert stale(found) == [(len(found.steps), "lost", "A", 0, len(found.steps) - 2, "claim(x)", ("owner",))]


def deciding(read: object, column: str = "value") -> Design:
    """Whoever decides reads, gives way, and then sends the value if it is 0; another task sets that column of account A to 7."""

    def decide(self: Design, me: Me) -> Handler:
        found = yield read  # type: ignore[misc]
        row = found[0] if type(found) is tuple else found
        yield Read("D-2", ACCOUNT, "nothing")
        if row is True or (row is not None and getattr(row, "value", 1) == 0):
            yield Send("D-3", "note", (1,))
            yield Read("D-4", ACCOUNT, "nothing")

    def change(self: Design, me: Me) -> Handler:
        yield Update("C-1", ACCOUNT, "A", {column: 7})

    def note(self: Design, me: Me, value: int) -> Handler:
        yield Read("N-1", ACCOUNT, "A")

    return seen_toy(create=sending(("decide",), ("change",)), decide=decide, change=change, note=note)


def both(one: object) -> Handler:
    return (yield one)  # type: ignore[misc]


@pytest.mark.parametrize(
    "read",
    [Read("D-1", ACCOUNT, "A"), Query("D-1", ACCOUNT, {}), Transaction("D-1", both, (Read("", ACCOUNT, "A"),), reads_only=True)],
    ids=["read", "query", "transaction"],
)
def test_who_would_do_something_else_by_now_is_outdated(read: object) -> None:
    found = traced(deciding(read), asking(), meanwhile("decide()", "D-3", "change()"))
    (sent,) = [s for s in found.steps if s.at == "D-3"]
    (reading,) = [s.number for s in found.steps if s.at == "D-1"]
    assert stale(found) == [(sent.number, "outdated", "A", reading, sent.number - 1, "change()", ("value",))]
    assert sent.stale[0].otherwise == "end"


def test_a_change_that_makes_no_difference_is_not_told() -> None:
    read = Read("D-1", ACCOUNT, "A")
    assert stale(traced(deciding(read, column="owner"), asking(), meanwhile("decide()", "D-3", "change()"))) == []


def test_what_was_decided_before_the_change_is_not_told() -> None:
    found = traced(deciding(Read("D-1", ACCOUNT, "A")), asking(), meanwhile("decide()", "D-4", "change()"))
    assert found.steps[-1].at
    assert stale(found) == []


def test_who_asks_for_an_engine_that_dies_is_outdated() -> None:
    deviations = [Deviation(Anchor("step", "decide()", 1, "D-3"), Action("crash", "E2"))]
    found = traced(deciding(Probe("D-1", "E2")), asking(faults={"crash": 1}), deviations)
    (sent,) = [s for s in found.steps if s.at == "D-3"]
    assert stale(found) == [(sent.number, "outdated", "E2", sent.number - 3, sent.number - 1, "crash E2", ("state",))]


def test_a_lost_update_inside_a_split_transaction() -> None:
    def more(value: int) -> Handler:
        row = yield Read("", ACCOUNT, "A")
        yield Update("", ACCOUNT, "A", {"value": row.value + value})

    def add(self: Design, me: Me, value: int) -> Handler:
        yield Transaction("T-1", more, (value,))

    adding = seen_toy(create=sending(("add", 1), ("add", 2)), add=add)
    split = Deviation(Anchor("step", "add(1)", 1, "T-1"), Action("P4", "add(1)"))
    found = traced(adding, asking(faults={"P4": 1}), [split, *meanwhile("add(1)", "T-1", "add(2)")])
    number = next(s.number for s in found.steps if s.fault)
    assert [t.kind for t in found.steps[number - 1].touches] == ["read"]
    assert stale(found) == [(number + 3, "overwrites", "A", number, number + 2, "add(2)", ("value",))]
    assert [t.kind for t in found.steps[number + 1].touches] == ["read", "update"]  # the other did both at once: nothing stale


# --------------------------------------------------------------------------------------------------------- every step


def stepped(world: World) -> list[tuple[object, ...]]:
    """What is there after each action, copied from a world that does the same."""
    again, found = World(world.design, world.scenario), []
    for entry in world.log:
        again.perform(entry.action)
        rows = {(t.name, key): row for t, table in again.database.rows.items() for key, row in table.items()}
        alive = {**dict.fromkeys(again.free, "up"), **dict.fromkeys(again.down, "down")}
        found.append((rows, dict(again.reality.things), set(again.bag), set(again.tasks), alive, dict(again.requests)))
    return found


def states(found: Trace) -> list[tuple[object, ...]]:
    """The same, put together from the changes."""
    all_states = []
    for state in found.states():
        of = {
            a: {k: v for (x, k), v in state.items() if x == a} for a in ("row", "reality", "message", "task", "engine", "request")
        }
        all_states.append((of["row"], of["reality"], set(of["message"]), set(of["task"]), of["engine"], of["request"]))
    return all_states


@fewer(4, nightly=1)
@given(scenarios(HEAT), plans())
def test_the_changes_add_up_to_every_state(asked: Scenario, plan: Plan) -> None:
    world = run(HEAT, asked, [], plan).world
    assert states(trace(world)) == stepped(world)


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_the_changes_add_up_where_a_fault_strikes(fault: str) -> None:
    for asked, plan in struck(fault, 2):
        world = run(HEAT, asked, [], plan).world
        found = trace(world)
        assert states(found) == stepped(world)
        assert [s.number for s in found.steps if s.fault == fault] == [
            n
            for n, entry in enumerate(world.log, 1)
            if entry.action.kind == fault and (fault != "restart" or found.steps[n - 1].instead)
        ]


@fewer(4, nightly=1)
@given(scenarios(HEAT), plans())
def test_deviations_are_those_of_the_schedule(asked: Scenario, plan: Plan) -> None:
    driver = Driver(HEAT, asked, [])
    deviations = record(driver, run(HEAT, asked, [], plan).actions)
    found = [step for step in trace(driver.world).steps if step.instead is not None]
    assert [step.number for step in found] == places(driver.world)
    assert [Deviation(s.instead.anchor, s.action) for s in found if s.instead] == deviations


@fewer(4, nightly=1)
@given(scenarios(HEAT), plans())
def test_two_tasks_are_never_in_one_thread(asked: Scenario, plan: Plan) -> None:
    for state in trace(run(HEAT, asked, [], plan).world).states():
        tasks = [value for (aspect, _), value in state.items() if aspect == "task"]
        workers = [(t.engine.partition("/")[0], t.slot) for t in tasks if t.worker]
        assert len(set(workers)) == len(workers)
        assert all(slot <= asked.scope.threads for _, slot in workers)
        assert all(1 <= t.operation <= len(asked.operations) for t in tasks)


def test_what_the_default_policy_would_have_done_is_told() -> None:
    found = traced(ADDING, asking(), meanwhile("add_one(x)", "A-2", "add_one(y)"))
    first = next(step for step in found.steps if step.instead is not None)
    assert first.action == Action("deliver", "add_one(y)", "E2")
    assert first.instead is not None
    assert (first.instead.default, first.instead.at) == (Action("step", "add_one(x)"), "A-2")
    assert first.instead.phrase == "writes account A blindly (value=1)"


def test_statements_inside_transactions_are_told() -> None:
    found = traced(HEAT, scenario(create([resource("A")])))
    inside = [t for step in found.steps if step.phrase.startswith("stack_update") for t in step.touches]
    assert {(t.table, t.key, t.kind, t.outcome, t.inside) for t in inside} == {("stack", "S", "update", "written", True)}


def test_messages_physical_operations_and_ends() -> None:
    found = traced(HEAT, scenario(create([resource("A")]))).steps
    (sent,) = [s.number for s in found if s.sent]
    (taken,) = [s.number for s in found if s.taken]
    assert found[sent - 1].sent == (found[taken - 1].taken,) == ("check(A@T1, U, T1)",)
    physical = [s.physical for s in found if s.physical]
    assert [(p.kind, p.id, p.outcome) for p in physical] == [("begin", "A@T1.1", "begun"), ("end", "A@T1.1", "done")]
    assert [s.who.name for s in found if s.ended and s.who] == ["create#1", "set up(T1)", "check(A@T1, U, T1)"]


def test_looking_at_a_thing_that_changes() -> None:
    def look(self: Design, me: Me) -> Handler:
        yield Look("L-1", "A.1")

    found: list[Step] = list(traced(seen_toy(create=sending(("look",)), look=look), asking()).steps)
    assert found[-1].physical is not None
    assert found[-1].physical.outcome == "missing"


@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda path: path.name.partition(".")[0])
def test_every_stored_case_can_be_taken_apart(path: Path) -> None:
    stored = cases.read(path)
    world = World(catalogue.load(stored.design), stored.scenario)
    for action in stored.schedule:
        world.perform(action)
    found = trace(world)
    assert states(found)[-1] == stepped(world)[-1]
    for step in found.steps:
        for s in step.stale:
            assert s.read < s.changed < step.number or s.read == 0
            assert s.by != (step.who.name if step.who else "")


def test_the_same_in_any_process() -> None:
    assert same_in_any_process("tests.reports.test_trace", "hashed")


def hashed() -> str:
    """A short form of the trace of Heat, without the order of sets."""
    found = trace(run(HEAT, large(), [], Plan("random", 3, 0.05, 0.1)).world).steps
    return str(
        [
            (
                s.number,
                s.at,
                s.phrase,
                [x._replace(otherwise=None) for x in s.stale],
                [(t.table, t.key, t.outcome, sorted(t.columns)) for t in s.touches],
            )
            for s in found
        ]
    )


def test_an_operation_that_is_refused_ends() -> None:
    def refuse(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("I-1", ACCOUNT, Account("A"))

    found = traced(seen_toy(create=refuse), asking())
    assert [s.ended for s in found.steps] == ["", "ends"]
