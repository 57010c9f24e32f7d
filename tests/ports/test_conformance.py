"""The model and the engine in lockstep: they agree, a wrong model is found out, and what is not compared is what the tables say."""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import Future
from pathlib import Path
from threading import Event

import pytest
from click.testing import CliRunner

from heatproof.model import catalogue
from heatproof.model import effects as fx
from heatproof.model.designs.heat import Heat
from heatproof.model.designs.heat.values import STACK
from heatproof.model.faults import FAULTS
from heatproof.model.scenario import Operation, Scenario, create, scenario, update
from heatproof.model.templates import Attr, Ref, Template, resource
from heatproof.model.world import Action
from heatproof.ports.heat import installation

if reason := installation.why_not():
    pytest.skip(f"the real engine is not here: {reason}", allow_module_level=True)

from heatproof import conform_command
from heatproof.cli import cli
from heatproof.conform_command import asked
from heatproof.ports.heat.conformance import correspondence
from heatproof.ports.heat.conformance.comparing import Agreement, Options, batch, run
from heatproof.ports.heat.conformance.lockstep import Lockstep
from heatproof.reports import cases
from heatproof.strategies.running import Driver, Plan
from tests.toys import NIGHTLY

SMALL = Template([resource("A", {"p": 1}, {"r": 1}), resource("B", {"p": Ref("A"), "q": Attr("A", "p")})])
LARGE = Template([*SMALL.resources, resource("C", {"p": 1}, depends_on=["A"]), resource("D", {"p": Attr("B", "p")}, kind="other")])
CHANGED = Template([resource("A", {"p": 2}, {"r": 1}), *SMALL.resources[1:]])
REPLACED = Template([resource("A", {"p": 1}, {"r": 2}), *SMALL.resources[1:]])
FAILING = Template([resource("A", {"p": 2}, {"r": 1}, fails=["update"]), *SMALL.resources[1:]])
ASKED = asked()
FOLDER = Path(cases.__file__).parent / "regressions" / "heat"
STORED = sorted(path.name.removesuffix(".case.json") for path in FOLDER.glob("*.case.json"))

OPERATIONS: dict[str, tuple[Operation, ...]] = {
    "create": (create(LARGE),),
    "unchanged": (create(SMALL), update(SMALL)),
    "in place": (create(SMALL), update(CHANGED)),
    "replacement": (create(SMALL), update(REPLACED)),
    "fewer and more": (create(LARGE), update(SMALL), update(LARGE)),
    "delete": (create(LARGE), Operation("delete")),
    "failure": (create(SMALL), update(FAILING), update(SMALL)),
    "rollback": (create(SMALL), update(FAILING, rollback=True)),
    "cancel": (create(SMALL), update(CHANGED), Operation("cancel"), update(SMALL)),
    "cancel with rollback": (create(SMALL), update(CHANGED), Operation("rollback")),
    "check": (create(SMALL), Operation("check")),
    "signal": (create(SMALL), Operation("signal", resource="A"), Operation("signal", resource="X")),
    "mark unhealthy": (create(SMALL), Operation("mark unhealthy", resource="A"), Operation("mark unhealthy", resource="X")),
    "time limit": (create(SMALL, timeout=True), update(CHANGED, timeout=True)),
}  # fmt: skip


def agreed(drawn: Scenario, *plans: Plan) -> list[Lockstep]:
    runs = []
    for plan in plans:
        both, end = run(drawn, plan, ASKED)
        assert both.difference is None
        assert end == "rest"
        runs.append(both)
    return runs


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_each_operation_alone_and_overlapping(name: str) -> None:
    quiet, eager = agreed(scenario(*OPERATIONS[name]), Plan("fifo", 0, 0.0), Plan("random", 1, 0.05))
    assert len(quiet.actions) > 40
    assert eager.actions != quiet.actions


@pytest.mark.parametrize("kind", sorted(correspondence.COMPARED))
def test_each_fault(kind: str) -> None:
    """Where it can strike, it strikes both alike."""
    budget = {kind: 1, **({"crash": 1} if kind in ("restart", "false-dead") else {})}
    drawn = scenario(create(SMALL, timeout=True), update(CHANGED, timeout=True), Operation("delete"), faults=budget)
    struck: Counter[str] = Counter()
    for seed in range(20):
        (both,) = agreed(drawn, Plan("random", seed, 0.05, 0.5))
        struck.update(both.world.happened)
        if struck[kind]:
            return
    assert kind == "false-dead", "it needs a lock that is held and asked for"


@pytest.mark.parametrize("seed", range(1, 11) if NIGHTLY else [0])
def test_random_runs_agree(seed: int) -> None:
    """Ten thousand runs in the nightly: those of docs/real-engine.md."""
    options, batches = (Options(seed=seed), 50) if NIGHTLY else (Options(resources=3, plans=1), 2)
    found = Agreement()
    for number in range(batches):
        found.add(batch(options, number, ASKED))
    assert [parted.difference for parted in found.parted] == []
    assert found.runs == (1_000 if NIGHTLY else 20)
    assert found.cut == 0
    assert found.steps > 1_000
    assert len(found.struck) > 3
    assert sum(runs for operations, runs in found.overlapping.items() if operations >= (3 if NIGHTLY else 2)) > found.runs / 10
    assert found.violated, "a run in which nothing is wrong tells little"


@pytest.mark.parametrize("name", STORED)
def test_the_stored_cases_of_the_model_agree(name: str) -> None:
    """They are rarer runs than those that are drawn: two of them have shown what eight thousand had not."""
    case = cases.read(FOLDER / f"{name}.case.json")
    alone, both = Driver(Heat(), case.scenario, ()), Lockstep(case.scenario, ASKED)
    for action in case.schedule:
        node = alone.world.nodes.get(action.subject) if action.kind == "step" else None
        done = node is not None and correspondence.model_alone(node.effect)  # with the action before it
        alone.perform(action)
        assert done or both.perform(action) is None, both.difference
    while actions := both.world.progress():
        assert both.perform(actions[0]) is None, both.difference
    assert both.rest() is None, both.difference


@pytest.mark.parametrize("mutation", ["inverted-deps-cycle", "lock-and-state-are-separate-writes", "old-sync-points-kept"])
def test_a_wrong_model_is_found_out(mutation: str) -> None:
    model = catalogue.load(f"heat+{mutation}")
    assert isinstance(model, Heat)
    both, end = run(scenario(create(LARGE), update(REPLACED), update(LARGE)), Plan("random", 1, 0.05), (), model)
    assert end == "parted"
    assert both.difference is not None
    assert both.difference.step == len(both.actions)
    assert both.difference.model != both.difference.engine


# ----------------------------------------------------------------------------------------------- what is not compared


def test_what_has_no_counterpart_is_met() -> None:
    """Each entry of the tables is needed."""
    both, _ = run(scenario(create(SMALL), update(REPLACED), Operation("cancel")), Plan("random", 2, 0.1), ())
    alone = [
        type(e.before.effect).__name__ for e in both.model.world.log
        if e.before is not None and correspondence.model_alone(e.before.effect)
    ]  # fmt: skip
    its = {
        correspondence.function(e.before.effect) for e in both.engine.world.log
        if e.before is not None and type(e.before.effect) is fx.Transaction
    }  # fmt: skip
    assert {"Listen", "Insert"} <= set(alone)
    assert len(correspondence.MODEL_ALONE) == 3  # PR-5a is met in test_corrections
    assert set(correspondence.ENGINE_ALONE) <= its
    assert len(both.engine.world.log) != len(both.model.world.log)


def test_only_the_text_of_a_failure_differs() -> None:
    (both,) = agreed(scenario(create(SMALL), update(FAILING)), Plan("fifo", 0, 0.0))
    table = STACK
    mine, its = both.model.world.database.rows[table]["S"], both.engine.world.database.rows[table]["S"]
    differing = {c for c in table.columns if getattr(mine, c) != getattr(its, c)} - {"updated_at"}
    assert {("stack", c) for c in differing} == set(correspondence.NOT_COMPARED)


def test_every_fault_is_compared_or_left_out_for_a_reason() -> None:
    assert set(correspondence.COMPARED) | set(correspondence.UNCOMPARED) == set(FAULTS)
    assert not set(correspondence.COMPARED) & set(correspondence.UNCOMPARED)
    assert all(correspondence.UNCOMPARED.values())


def test_the_table_of_steps_knows_every_function_once() -> None:
    assert not set(correspondence.STEPS) & set(correspondence.ENGINE_ALONE)
    assert all(steps for steps in correspondence.STEPS.values())


def test_an_action_that_only_one_side_can_do_is_a_difference() -> None:
    both = Lockstep(scenario(create(SMALL)))
    assert both.perform(both.world.operations()[0]) is None
    both.model.perform(Action("step", "create#1"))
    found = both.perform(Action("step", "create#1"))
    assert found is not None
    assert found.kind in ("rows", "next")


# ----------------------------------------------------------------------------------------------------- the command


def test_the_command_agrees() -> None:
    done = CliRunner().invoke(cli, ["conform", "--runs", "20", "--processes", "1", "--resources", "1", "--operations", "2"])
    assert done.exit_code == 0, done.output
    assert "20 runs of 10 scenarios" in done.output
    assert re.search(r"without a rest between them: 1: \d+, 2: \d+\.", done.output)
    assert "The model and the engine agree" in done.output


def test_the_command_tells_where_they_part() -> None:
    arguments = ["conform", "--runs", "20", "--processes", "1", "--resources", "3", "--faults", "none"]
    done = CliRunner().invoke(cli, [*arguments, "--design", "heat+inverted-deps-cycle"])
    assert done.exit_code == 1, done.output
    for words in (
        "They part after",
        "What was done on both sides",
        "operate create#1",
        "What comes next",
        "the model has",
        "the engine has",
    ):
        assert words in done.output


def test_the_command_goes_on_after_a_difference() -> None:
    wrong = ["--resources", "2", "--operations", "2", "--design", "heat+inverted-deps-cycle"]
    done = CliRunner().invoke(cli, ["conform", "--runs", "40", "--processes", "1", *wrong, "--keep-going"])
    assert done.exit_code == 1, done.output
    assert re.search(r"^40 runs of 20 scenarios", done.output, re.MULTILINE)
    (parted,) = re.findall(r"^(\d+) of them parted", done.output, re.MULTILINE)
    assert done.output.count("They part after ") == 1
    assert 1 < int(parted) == 1 + done.output.count("Another run parts after ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--faults", "stall"], "is not compared: it holds a message back"),
        (["--faults", "nonsense"], "unknown fault 'nonsense'"),
        (["--kinds", "nonsense"], "unknown kind of operation"),
        (["--design", "heat-engine", "--runs", "1", "--processes", "1"], "is no model of Heat's algorithm"),
        (["--runs", "0"], "0"),
    ],
)
def test_wrong_use_is_told(arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(cli, ["conform", *arguments])
    assert done.exit_code == 2
    assert words in done.output


def test_a_batch_that_has_begun_stops_when_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    small, clock = Options(1, 1, faults=(), kinds=()), [1_000.0]
    monkeypatch.setattr(conform_command, "now", lambda: clock[0])
    monkeypatch.setattr(conform_command, "_worker", {"properties": [], "called_off": Event()})
    assert conform_command._batch(small, 1, "heat", False, 1_000.0).runs == 0
    assert conform_command._batch(small, 0, "heat", False, 1_000.0).runs == 1, "so that something was compared"
    asked_for = [False, False, False, True]
    found = batch(small, 1, over=lambda: asked_for.pop(0) if len(asked_for) > 1 else True)
    assert found.runs == 3


def test_what_workers_have_compared_is_told_where_the_user_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second batch is done before the first, and the user interrupts."""
    first: Future[Agreement] = Future()
    second: Future[Agreement] = Future()
    second.set_result(Agreement(scenarios=1, runs=7))

    class Pool:
        _processes = None

        def __init__(self, *_: object, **__: object) -> None:
            self.futures = iter([first, second])
            self.until: list[object] = []

        def submit(self, *asked_for: object) -> Future[Agreement]:
            if (future := next(self.futures, None)) is None:
                raise KeyboardInterrupt
            self.until.append(asked_for[-1])
            return future

        def shutdown(self, **_: object) -> None:
            assert self.until == [1_060.0] * 2

    monkeypatch.setattr(conform_command, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(conform_command, "now", lambda: 1_000.0)
    done = CliRunner().invoke(cli, ["conform", "--seconds", "60", "--processes", "1"])
    assert done.exit_code == 3, done.output
    assert "7 runs of 1 scenarios" in done.output
    assert "Interrupted; so far they agree." in done.output
