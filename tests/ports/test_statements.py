"""The grain of a statement on PostgreSQL: lock waits are the server's, nobody is asked who waits, and replays are the same."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner

from heatproof.cli import cli
from heatproof.model import catalogue
from heatproof.model.designs.heat.values import STACK
from heatproof.model.errors import HeatproofError, NotEnabled
from heatproof.model.scenario import Operation, create, scenario, update
from heatproof.model.templates import resource
from heatproof.model.world import Entry
from heatproof.ports.heat import installation
from heatproof.ports.heat.databases import base, choice, postgresql, private

if reason := installation.why_not() or private.why_not("postgresql"):
    pytest.skip(f"the real engine on PostgreSQL is not here: {reason}", allow_module_level=True)

from oslo_db.api import wrap_db_retry

from heatproof.ports.heat.cures import CURES
from heatproof.ports.heat.databases import waiting
from heatproof.ports.heat.hub import Activity, End
from heatproof.ports.heat.world import EngineWorld, trace
from heatproof.reports import cases, judging
from heatproof.strategies import running
from heatproof.strategies.asked import properties_for
from heatproof.strategies.running import Driver
from heatproof.strategies.schedules import record, replay
from tests.ports import traces

ROOT = Path(__file__).parents[2]
DESIGN = "heat-engine+postgresql+statements"
A, B = resource("A", {"p": 1}), resource("B", depends_on=["A"])


@pytest.fixture(scope="module", autouse=True)
def _server() -> Iterator[None]:
    """A server that gives up a statement which the port lets wait for ever."""
    with private.server("postgresql") as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv(choice.VARIABLE, url)
        with postgresql.connect(url) as connection:
            connection.cursor().execute("ALTER ROLE heatproof SET statement_timeout = '60s'")
        yield


def opened(*operations: Operation, design: str = DESIGN, **options: Any) -> EngineWorld:
    world = catalogue.load(design).open(scenario(*operations, **options))
    assert isinstance(world, EngineWorld)
    return world


def settled(world: EngineWorld) -> EngineWorld:
    while (action := world.default()) is not None:
        world.perform(action)
    return world


def step_of(world: EngineWorld, task: str) -> str:
    effect = world.nodes[task].effect
    return "" if effect is None else effect.step


def until(world: EngineWorld, there: Callable[[], bool]) -> None:
    while not there():
        action = world.default()
        assert action is not None
        world.perform(action)


# ------------------------------------------------------------------------------------------------------- lock waits


def waits_for_a_lock(**options: Any) -> tuple[EngineWorld, str, str]:
    """A run in which one request has written the row of the stack and another wants to: the world, who holds and who waits."""
    world = opened(create([A]), update([resource("A", {"p": 2})]), update([resource("A", {"p": 3})]), engines=2, **options)
    while world.state["issued"] < 2:
        action = world.default()
        assert action is not None
        world.perform(action)
    until(world, lambda: "update#2" in world.tasks and step_of(world, "update#2").endswith("update stack"))
    world.perform(next(a for a in world.progress() if a.subject == "update#2"))  # the row is written and not committed
    holder = "update#2"
    world.perform(next(a for a in world.operations() if a.detail == "E2"))
    for _ in range(200):
        if world.blocked:
            break
        world.perform(next(a for a in world.progress() if a.subject == "update#3"))
    assert world.blocked == {"update#3"}
    return world, holder, "update#3"


def test_who_waits_for_a_lock_is_no_choice_until_it_is_given_up() -> None:
    world, holder, waiter = waits_for_a_lock()
    assert step_of(world, waiter).endswith("wait for a lock")
    (step,) = [task.action for task in world.tasks.values() if task.name == waiter]
    assert step not in world.progress()
    with pytest.raises(NotEnabled, match="waits for a lock that another transaction holds"):
        world.perform(step)
    assert step_of(world, holder).endswith("commit")
    world.perform(next(a for a in world.progress() if a.subject == holder))
    assert not world.blocked
    assert step in world.progress()
    entry = world.perform(step)
    assert entry.after is not None
    assert entry.after.result.statements[0].kind == "update"
    settled(world)
    assert not world.tasks


def test_a_crash_gives_up_locks() -> None:
    world, holder, waiter = waits_for_a_lock(faults={"crash": 1})
    assert world.tasks[holder].engine == "E1"
    world.perform(next(a for a in world.faults() if a.subject == "E1"))
    assert not world.blocked
    assert waiter in {a.subject for a in world.progress()}
    settled(world)


def test_who_dies_while_it_waits_is_gone_from_the_server() -> None:
    world, holder, waiter = waits_for_a_lock(faults={"crash": 1})
    (pid,) = [a.waiter.pid for a in world.live.activities.values() if a.waiter is not None]
    world.perform(next(a for a in world.faults() if a.subject == "E2"))
    assert waiter not in world.tasks
    assert not world.installation.database.rows(f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid}")
    world.perform(next(a for a in world.progress() if a.subject == holder))


def test_what_waits_is_the_same_after_an_undo() -> None:
    world, holder, waiter = waits_for_a_lock()
    before = trace(world)
    entry = world.perform(next(a for a in world.progress() if a.subject == holder))
    assert not world.blocked
    world.undo()
    assert world.blocked == {waiter}
    assert waiter not in {a.subject for a in world.progress()}
    world.perform(entry.action)
    world.undo()
    assert trace(world) == before


def test_an_open_transaction_is_not_seen_by_others_before_its_commit() -> None:
    world = opened(create([A]), engines=1)
    until(world, lambda: "create#1" in world.tasks and step_of(world, "create#1").endswith("stack_create/commit"))
    assert not world.database.rows[STACK]
    entry = world.perform(next(a for a in world.progress() if a.subject == "create#1"))
    assert world.database.rows[STACK]
    assert entry.after is not None
    assert entry.after.result.told().startswith("INSERT stack SET")  # what was committed, in a story


def test_who_closes_a_circle_of_waiting_tasks_is_told_of_a_deadlock() -> None:
    world = settled(opened(create([A, resource("B")])))
    from heat.db import api, models

    def crossing(first: int, second: int) -> Callable[[], str]:
        def run() -> str:
            from oslo_db import exception

            try:
                with api.context_manager.writer.using(world.live.context()) as session:
                    for row in (first, second):
                        session.query(models.Resource).filter_by(id=row).update({"status_reason": f"{first} first"})
            except exception.DBDeadlock:
                return "deadlock"
            return "committed"

        return run

    activities = [Activity(world.live, f"task {n}", "E1", None, crossing(n, 3 - n)) for n in (1, 2)]
    ends: list[End] = []
    for one in (*activities, *activities):
        one.resume(None)  # to its first update, then past it to the second
    for one in activities:
        one.resume(None)
        blocked = waiting.settle(activities, one)
        assert blocked == {"task 1"}
    assert [a.waiter.sent_away for a in activities if a.waiter is not None] == [False, True]
    end = activities[1].resume(None)
    assert isinstance(end, End)
    ends.append(end)
    assert waiting.settle(activities, activities[1]) == frozenset()
    while not isinstance(end := activities[0].resume(None), End):
        pass
    ends.append(end)
    assert [e.value for e in ends] == ["deadlock", "committed"]


def locking(world: EngineWorld) -> Callable[[], str]:
    """What locks the row of the stack, and holds it until it is resumed once more."""
    from heat.db import api, models

    def run() -> str:
        with api.context_manager.writer.using(world.live.context()) as session:
            session.query(models.Stack).with_for_update().all()
            session.query(models.Stack).update({"status_reason": "held"})
        return "held"

    return run


def test_transactions_that_are_no_actions_wait_for_locks_too() -> None:
    world = settled(opened(create([A])))
    (stack,) = world.live.names.stacks
    from heat.db import api

    def tell() -> str:
        api.event_create(world.live.context(), {"stack_id": stack, "resource_name": "A"})  # which refers to the row of the stack
        return "told"

    holder = world.live.begin("holder", "E1", None, locking(world))
    teller = world.live.begin("teller", "E1", None, tell)
    holder.resume(None)
    holder.resume(None)  # past the lock, to the update
    there = teller.resume(None)
    assert not isinstance(there, End)
    assert there.step == "?/event_create/wait for a lock"
    assert waiting.settle([holder, teller], teller) == {"teller"}
    while not isinstance(holder.resume(None), End):
        pass
    assert waiting.settle([teller], holder) == frozenset()
    assert teller.resume(None) == End("told")


def test_who_is_given_up_does_not_wait_for_locks() -> None:
    world = settled(opened(create([A])))
    (stack,) = world.live.names.stacks
    from heat.db import api

    def tell_nevertheless() -> None:
        with api.context_manager.writer.using(world.live.context()) as session:
            try:
                session.query(api.models.Stack).count()
            finally:  # as Heat's own handlers do, in the transaction that is open
                session.connection().exec_driver_sql(f"INSERT INTO event (stack_id, uuid) VALUES ('{stack}', '1')")

    holder = world.live.begin("holder", "E1", None, locking(world))
    teller = world.live.begin("teller", "E1", None, tell_nevertheless)
    holder.resume(None)
    holder.resume(None)
    teller.resume(None)
    teller.give_up()
    while not isinstance(end := holder.resume(None), End):
        pass
    assert end.value == "held"


def test_with_all_patches_events_wait_for_who_has_locked_the_stack() -> None:
    """Such a run once stood for 65 minutes: FOR UPDATE keeps others from inserting what refers to the row."""
    design = "+".join((DESIGN, *(cure.name for cure in CURES)))
    one = scenario(create([A]), update([resource("A", {"p": 2})]), update([resource("A", {"p": 3})]), engines=2)
    run = running.run(catalogue.load(design), one, (), running.Plan("random", 2, 0.05, 0.0, 400))
    assert run.end == "rest"
    steps = [e.after.effect.step for e in run.world.log if e.after is not None and e.after.effect is not None]
    assert any(step == "store/event_create/wait for a lock" for step in steps)


def test_a_lock_that_no_task_holds_ends_the_run_with_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "PATIENCE", 0.5)
    world = opened(create([A]))
    until(world, lambda: bool(world.database.rows[STACK]))
    at = world.installation.database.engine.url.set(drivername="postgresql", query={}).render_as_string(hide_password=False)
    with postgresql.connect(at, "a user") as other:
        other.autocommit = False
        other.cursor().execute("SELECT id FROM stack FOR UPDATE")
        with pytest.raises(
            HeatproofError, match=r"waited 0\.5 seconds for a lock that no task .* of a user, idle in transaction: SEL"
        ):
            settled(world)
        with pytest.raises(HeatproofError, match=r"emptying the tables has waited 0\.5 seconds for a lock in PostgreSQL"):
            opened(create([A]))
        other.rollback()
    settled(opened(create([A])))


@pytest.mark.parametrize("level", ["read-committed", "repeatable-read"])
def test_who_has_waited_sees_what_the_isolation_level_gives(level: str) -> None:
    world, holder, waiter = waits_for_a_lock(design=f"{DESIGN}+{level}")
    assert f"isolation level {level.replace('-', ' ')}" in world.setting
    world.perform(next(a for a in world.progress() if a.subject == holder))
    began = len(world.log)
    settled(world)
    mine = [e for e in world.log[began:] if e.task is not None and e.task.name == waiter and e.before is not None]
    waited = mine[0]
    assert waited.before is not None
    assert waited.before.effect.step == "store/stack_update/wait for a lock"
    assert waited.after is not None
    if level == "read-committed":  # the condition is looked at again, on the new row: a compare-and-set that is lost
        assert [(s.kind, s.rows) for s in waited.after.result.statements] == [("update", 0)]
        assert world.requests[3][0] == "accepted"
    else:  # the statement fails, and neither oslo.db nor Heat tries it again
        assert world.requests[3][0] == "escaped"
        assert "could not serialize access due to concurrent update" in world.requests[3][1]


CASE = next(ROOT.glob("reports/regressions/oslo.db-*/serialization-failures-are-not-tried-again.case.json"))


def shows(level: str) -> bool:
    case = cases.read(CASE)
    assert case.design == f"{DESIGN}+repeatable-read"
    spec = f"{DESIGN}+{level}"
    return judging.judge(case, catalogue.load(spec), properties_for(spec), 4).shows


def test_the_case_of_serialization_failures_is_replayed_as_any_other() -> None:
    done = CliRunner().invoke(cli, ["replay", str(CASE), "--nearby", "0"])
    assert done.exit_code == 1, done.output
    assert "isolation level repeatable read; one action is one statement" in done.output
    assert "could not serialize access due to concurrent update" in done.output
    assert "[SQL: " not in done.output
    assert not shows("read-committed")


def test_the_case_is_gone_if_the_statement_that_failed_so_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What oslo.db could do: take SQLSTATE 40001 for a deadlock, as it says of itself."""
    assert shows("repeatable-read")
    original = wrap_db_retry._is_exception_expected

    def expected(self: wrap_db_retry, error: BaseException) -> bool:
        return getattr(getattr(error, "orig", None), "pgcode", "") == "40001" or bool(original(self, error))

    monkeypatch.setattr(wrap_db_retry, "_is_exception_expected", expected)
    assert not shows("repeatable-read")


# ------------------------------------------------------------------------------------------------- again, and elsewhere


def test_runs_have_the_same_traces_in_another_process_order_and_hash_seed() -> None:
    """A limit: a run in which somebody waited for a lock is not compared. The server decides whom it lets go on first, and one of
    fourteen such runs was once seen to go otherwise."""
    numbers = list(range(14))
    runs = {number: traces.run(number, DESIGN) for number in numbers}
    here = {number: trace(run) for number, run in runs.items()}
    steps = [e.after.effect.step for run in runs.values() for e in run.log if e.after is not None and e.after.effect is not None]
    assert any(step.endswith("wait for a lock") for step in steps)
    command = [sys.executable, "-m", "tests.ports.traces", DESIGN, *map(str, reversed(numbers))]
    environment = {**os.environ, "PYTHONHASHSEED": "4242"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
    there = {int(number): made for number, made in (line.split() for line in done.stdout.splitlines())}
    calm = [n for n, run in runs.items() if not any(_waits(entry) for entry in run.log)]
    assert len(calm) > 3
    assert {n: there[n] for n in calm} == {n: here[n] for n in calm}


def _waits(entry: Entry) -> bool:
    effect = entry.after.effect if entry.after is not None else None
    return effect is not None and effect.step.endswith("wait for a lock")


def test_a_recorded_schedule_is_replayed_exactly() -> None:
    first = traces.run(4, DESIGN)
    driver = Driver(catalogue.load(DESIGN), first.scenario, ())
    deviations = record(driver, [entry.action for entry in first.log])
    assert isinstance(driver.world, EngineWorld)
    assert trace(driver.world) == trace(first)
    again = Driver(catalogue.load(DESIGN), first.scenario, ())
    replay(again, deviations)
    assert [e.action for e in again.world.log][: len(first.log)] == [e.action for e in first.log]


def test_faults_of_the_database_strike_statements_and_commits() -> None:
    struck: set[str] = set()
    for seed in range(4):
        world = opened(create([A, B]), faults={"abort": 2, "disconnect": 2})
        rng = Random(seed)
        while (action := world.default()) is not None and len(world.log) < 400:
            faults = [f for f in world.faults() if rng.random() < 0.1]
            if faults:
                struck.add(f"{faults[0].kind} {step_of(world, faults[0].subject).rpartition('/')[2].partition(' ')[0]}")
            world.perform(faults[0] if faults else action)
    assert {"abort", "disconnect"} == {kind.partition(" ")[0] for kind in struck}
    assert any(kind.endswith("commit") for kind in struck)
    assert any(not kind.endswith("commit") for kind in struck)


def test_two_runs_can_take_turns() -> None:
    plan = running.Plan("random", 5, 0.05, 0.0, 400)
    whole = running.run(catalogue.load(DESIGN), scenario(create([A, B]), update([A])), (), plan).world
    one = opened(create([A, B]), update([A]))
    other = opened(create([B, A]))
    for number, entry in enumerate(whole.log):
        one.perform(entry.action)
        if number % 40 == 39 and (action := other.default()) is not None:
            other.perform(action)
    assert trace(one) == trace(whole)
