"""The real engine as a target: deterministic, made anew between runs, held where it must be held, and told apart where it cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from heatproof.model import catalogue
from heatproof.model.designs.heat.values import STACK
from heatproof.model.effects import Begin, Finish, Sleep, Spawn, Transaction
from heatproof.model.errors import HeatproofError, ScenarioError
from heatproof.model.scenario import Operation, Scenario, Scope, create, scenario, update
from heatproof.model.templates import resource
from heatproof.model.world import Action
from heatproof.ports.heat import installation
from heatproof.ports.heat.design import HeatEngine
from heatproof.properties.catalogue import ALL
from heatproof.strategies import scenario_files
from heatproof.strategies.running import Driver
from heatproof.strategies.schedules import record, replay

if reason := installation.why_not():
    pytest.skip(f"the real engine is not here: {reason}", allow_module_level=True)

from heat.engine.scheduler import TaskRunner

from heatproof.ports.heat import patches
from heatproof.ports.heat.world import EngineWorld, trace
from tests.ports import traces
from tests.toys import NIGHTLY

ENGINE = HeatEngine()
A, B = resource("A", {"p": 1}), resource("B", depends_on=["A"])
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _installed() -> None:
    installation.installed()


def opened(*operations: Operation, **options: object) -> EngineWorld:
    world = ENGINE.open(scenario(*operations, **options))  # type: ignore[arg-type]
    assert isinstance(world, EngineWorld)
    return world


def settled(world: EngineWorld) -> EngineWorld:
    while (action := world.default()) is not None:
        world.perform(action)
    return world


# ------------------------------------------------------------------------------------------------------- where it is held


@pytest.mark.parametrize("patch", patches.PATCHES, ids=lambda patch: patch.place)
def test_each_place_is_as_the_port_knows_it(patch: patches.Patch) -> None:
    _, _, standing = patches.find(patch)
    assert patches.signature(standing) == patch.signature
    assert patch.reason


def test_a_place_that_has_moved_is_told_by_name() -> None:
    gone = patches.PATCHES[0]._replace(place="heat.engine.stack:Stack.no_such_method")
    with pytest.raises(HeatproofError, match=r"heat\.engine\.stack:Stack\.no_such_method is not there any more"):
        patches.find(gone)


def test_another_release_is_refused_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "KNOWN", ("26.0.0",))
    with pytest.raises(HeatproofError, match=r"openstack-heat 27\.0\.1 is installed, and the port knows 26\.0\.0"):
        installation.Installation()


def test_a_release_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "PACKAGE", "no-such-package")
    assert "pip install 'heatproof[heat]'" in (installation.why_not() or "")


def test_others_of_the_process_have_their_time_and_chance() -> None:
    settled(opened(create([A])))
    began = time.monotonic()
    time.sleep(0.01)
    assert time.monotonic() - began >= 0.01
    assert uuid.uuid4() != uuid.uuid4()


def test_the_engine_does_the_same_where_warnings_are_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """As pytest does here. With Python 3.12 Heat itself warns when a worker is cancelled."""
    asked = (create([A, B]), update([resource("A", {"p": 2})]))
    before = trace(settled(opened(*asked)))
    step, warned = TaskRunner.step, 0

    def warning(self: TaskRunner) -> bool:
        nonlocal warned
        warned += 1
        warnings.warn("as of an old way to write it", DeprecationWarning, stacklevel=1)
        return bool(step(self))

    monkeypatch.setattr(TaskRunner, "step", warning)
    assert trace(settled(opened(*asked))) == before
    assert warned


def test_nothing_of_heats_tests_is_used() -> None:
    code = (
        "import sys; from heatproof.ports.heat.installation import installed; installed();"
        "print([m for m in sys.modules if m.startswith('heat.tests')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"
    assert done.stderr == ""


# ----------------------------------------------------------------------------------------------------------- the target


def test_a_stack_is_created_updated_and_deleted() -> None:
    world = opened(create([A, B]), update([resource("A", {"p": 2}), B]), Operation("delete"))
    seen: set[str] = set()
    while (action := world.default()) is not None:
        world.perform(action)
        seen.update(f"{row.action} {row.status}" for row in ENGINE.observe(world).stacks.values())
        if action.kind == "operate" and action.subject == "update#2":
            assert {t.id: dict(t.spec.properties) for t in world.reality.things.values()} == {"A@T1.1": {"p": 1}, "B@T1.1": {}}
        if action.kind == "operate" and action.subject == "delete#3":
            assert {t.id: dict(t.spec.properties) for t in world.reality.things.values()} == {"A@T1.1": {"p": 2}, "B@T1.1": {}}
    assert {"CREATE COMPLETE", "UPDATE COMPLETE", "DELETE COMPLETE"} <= seen
    assert not world.reality.things
    observation = ENGINE.observe(world)
    assert not observation.resources
    assert not observation.sync_points
    assert all(stack.deleted for stack in observation.stacks.values())


def test_one_action_is_one_transaction_or_one_physical_step_or_one_message() -> None:
    world = settled(opened(create([A])))
    effects = [entry.before.effect for entry in world.log if entry.before is not None]
    assert {Transaction, Begin, Finish} <= {type(effect) for effect in effects}
    for entry in world.log:
        for statement in getattr(entry.after.result if entry.after is not None else None, "statements", ()):
            assert statement.text
    writes = [e for e in world.log if e.after is not None and getattr(e.after.result, "writes", False)]
    assert all(e.action.kind == "step" for e in writes)


def test_refusals_are_told() -> None:
    world = settled(opened(create([A]), Operation("rollback"), Operation("signal", resource="Z")))
    assert world.requests[1][0] == "accepted"
    assert world.requests[2][:2] == ("refused", "NotSupported: Cancelling update when stack is CREATE_COMPLETE is not supported.")
    assert world.requests[3][0] == "refused"


def test_rows_get_names_that_other_rows_do_not_change() -> None:
    alone = settled(opened(create([A])))
    beside = settled(opened(create([A, B])))
    assert "A@T1" in ENGINE.observe(alone).resources
    assert "A@T1" in ENGINE.observe(beside).resources


@pytest.mark.parametrize("kind", sorted(ENGINE.immune))
def test_anomalies_cannot_strike(kind: str) -> None:
    with pytest.raises(ScenarioError, match="cannot be injected"):
        ENGINE.open(Scenario((create([A]),), Scope(1, 1), {kind: 1}))


def test_a_crash_leaves_the_lock_and_the_physical_operation() -> None:
    world = opened(create([A]), engines=2, faults={"crash": 1})
    while not any(thing.busy for thing in world.reality.things.values()):
        action = world.default()
        assert action is not None
        world.perform(action)
    (fault,) = [a for a in world.faults() if a.subject == "E1"]
    world.perform(fault)
    assert not world.tasks
    (row,) = ENGINE.observe(world).resources.values()
    assert row.engine == "E1"
    assert "E1" not in ENGINE.observe(world).engines
    (thing,) = world.reality.things.values()
    assert [b.task for b in thing.busy] == [""]


def test_a_deadlock_is_retried_by_heat() -> None:
    world = opened(create([A]), faults={"abort": 3})
    struck = 0
    while (action := world.default()) is not None:
        node = world.nodes.get(action.subject)
        stepping = node is not None and node.effect is not None and node.effect.step.endswith("resource_update")
        faults = [f for f in world.faults() if f.subject == action.subject] if stepping else []
        struck += bool(faults)
        world.perform(faults[0] if faults else action)
    assert struck == 3
    (stack,) = ENGINE.observe(world).stacks.values()
    assert (stack.action, stack.status) == ("CREATE", "COMPLETE")


def test_time_runs_out_only_when_the_scheduler_says_so() -> None:
    world = opened(create([A], timeout=True), faults={"timeout": 1})
    while not any(thing.busy for thing in world.reality.things.values()):
        action = world.default()
        assert action is not None
        world.perform(action)
    world.perform(world.faults()[0])
    settled(world)
    (stack,) = ENGINE.observe(world).stacks.values()
    assert (stack.action, stack.status, stack.reason) == ("CREATE", "FAILED", "Timed out")  # type: ignore[attr-defined]


def test_a_task_that_waits_for_others_sleeps_until_nothing_else_can_run() -> None:
    def sleeping(world: EngineWorld) -> Iterator[str]:
        return (name for name, node in world.nodes.items() if type(node.effect) is Sleep)

    world = opened(create([A]), Operation("delete"), engines=1, threads=1)
    while not any(thing.busy for thing in world.reality.things.values()):
        action = world.default()
        assert action is not None
        world.perform(action)
    (delete,) = world.operations()
    world.perform(delete)
    while not list(sleeping(world)):
        world.perform(next(a for a in world.progress() if "check" not in a.subject))
    assert list(sleeping(world)) == ["set up(T2)"]
    action = world.default()
    assert action is not None
    assert action.subject == "check(A@T1, U, T1)"


# ------------------------------------------------------------------------------------------------- again, and elsewhere


def test_runs_have_the_same_traces_in_another_process_order_and_hash_seed() -> None:
    numbers = list(range(50 if NIGHTLY else 10))
    here = traces.traces(numbers)
    environment = {**os.environ, "PYTHONHASHSEED": "4242"}
    command = [sys.executable, "-m", "tests.ports.traces", "heat-engine", *map(str, reversed(numbers))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
    there = {int(number): made for number, made in (line.split() for line in done.stdout.splitlines())}
    assert there == here
    assert len(set(here.values())) == len(numbers)


@pytest.mark.parametrize("number", [3, 11, 19])
def test_a_recorded_schedule_is_replayed_exactly(number: int) -> None:
    first = traces.run(number)
    driver = Driver(ENGINE, first.scenario, ())
    deviations = record(driver, [entry.action for entry in first.log])
    assert isinstance(driver.world, EngineWorld)
    assert trace(driver.world) == trace(first)
    again = Driver(ENGINE, first.scenario, ())
    replay(again, deviations)
    assert [e.action for e in again.world.log][: len(first.log)] == [e.action for e in first.log]


def test_what_is_undone_is_made_again() -> None:
    world = opened(create([A, B]), update([A]), engines=1)
    rows = []
    while (action := world.default()) is not None and len(world.log) < 60:
        rows.append({table: dict(content) for table, content in world.database.rows.items()})
        world.perform(action)
    done = [entry.action for entry in world.log]
    whole = trace(world)
    while len(world.log) > 30:
        world.undo()
        assert {table: dict(content) for table, content in world.database.rows.items()} == rows[len(world.log)]
    for action in done[30:]:
        world.perform(action)
    assert trace(world) == whole


def test_two_runs_can_take_turns() -> None:
    one, other = opened(create([A, B])), opened(create([B, A]), update([A]))
    while (actions := [one.default(), other.default()]) != [None, None]:
        for world, action in zip((one, other), actions, strict=True):
            if action is not None and len(world.log) % 40 == 0:
                world.perform(action)
            elif action is not None:
                for _ in range(39):
                    if (follows := world.default()) is not None:
                        world.perform(follows)
    assert trace(one) == trace(settled(opened(create([A, B]))))
    one.audit()


def test_a_run_that_was_given_up_leaves_nothing_to_the_next() -> None:
    world = opened(create([A, B]), update([resource("A", {"p": 2})]))
    for _ in range(40):
        action = world.default()
        assert action is not None
        world.perform(action)
    assert world.tasks
    fresh = opened(create([A]))
    assert not any(fresh.database.rows.values())
    assert not world.live.activities
    settled(fresh)
    assert set(ENGINE.observe(fresh).resources) == {"A@T1"}


# --------------------------------------------------------------------------------------------------- Heat's own scenarios


FOLDER = scenario_files.installed()
FILES = scenario_files.find_files([FOLDER]) if FOLDER is not None else []


def test_all_of_heats_scenario_files_are_there() -> None:
    assert len(FILES) == 21


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_heats_scenario_passes_on_heats_engine(file: Path) -> None:
    result = scenario_files.run_file(file, catalogue.load("heat-engine"))
    assert result.passed, f"line {result.line}: {result.message}"
    assert result.asserted


def test_a_thread_that_is_to_be_started_when_a_run_is_made_again_is_that_of_the_new_run() -> None:
    world = opened(create([A, B]))
    while type(effect := world.nodes["create#1"].effect if "create#1" in world.tasks else None) is not Spawn:
        action = world.default()
        assert action is not None
        world.perform(action)
    old = effect.args[-1].owner
    world.perform(Action("step", "create#1"))
    world.undo()
    settled(world)
    assert old.status == "FAILED"  # the object of the run that was given up
    (stack,) = ENGINE.observe(world).stacks.values()
    assert (stack.action, stack.status) == ("CREATE", "COMPLETE")
    world.audit()


def test_properties_can_be_asked_of_it() -> None:
    driver = Driver(ENGINE, scenario(create([A, B])), ALL.values())
    assert driver.settle() == "rest"
    assert not driver.monitor.violations


def test_a_search_may_take_longer_than_an_hour() -> None:
    """oslo.db has connections made anew after an hour, and what is in SQLite's memory is gone with its connection."""
    world = opened(create([A]))
    with world.installation.database.engine.connect() as connection:
        connected = connection.connection._connection_record
        connected.starttime -= 1_000_000
    settled(world)
    assert [row.status for row in world.database.rows[STACK].values()] == ["COMPLETE"]


def test_a_signal_that_is_answered_by_the_action_that_writes_it_is_no_lost_one() -> None:
    """On the engine the answer is told before the row."""
    driver = Driver(
        ENGINE, scenario(create([A]), Operation("signal", resource="A"), engines=1, threads=1), [ALL["a signal is written"]]
    )
    while (action := driver.world.default()) is not None:
        driver.perform(action)
    assert driver.world.requests[2][0] == "accepted"
    assert not driver.monitor.violations
