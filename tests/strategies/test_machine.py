"""The stateful machine finds what is wrong with a design, tells it, and can be repeated."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from heatproof.model.design import Design
from heatproof.model.errors import DesignError, ScenarioError
from heatproof.model.faults import FAULTS
from heatproof.reports.story import story
from heatproof.strategies.failing import Violated, violated
from heatproof.strategies.machine import ConvergenceMachine, machine, shards
from tests.strategies.counter import PROPERTIES, Blind, Counter, Endless, Impure, Stubborn

ROOT = Path(__file__).parents[2]
LOST = ("every increment counts", "increment lost")
DOWN = ("the counter never goes down", "went down")
FOR_EVER = ("rest is reached", "goes round in circles")

TestCounter = machine(Counter(), PROPERTIES).TestCase
TestCounter1, TestCounter2 = shards(machine(Counter(), PROPERTIES))


def run(made: type[ConvergenceMachine], examples: int = 300, first: int = 0) -> None:
    """Run a machine in the same way under every profile."""
    seed(first)(made)
    fixed = settings(made.TestCase.settings, max_examples=examples, database=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(made, settings=fixed)


def failure_of(design: Design, expected: Sequence[tuple[str, str]] = (), first: int = 0, **options: Any) -> Violated:
    """The first failure that the machine finds."""
    with pytest.raises(Violated) as caught:
        run(machine(design, PROPERTIES, expected, explain=story, quick=True, **options), first=first)
    return caught.value


def script_of(failure: Violated) -> str:
    """The Python at the end of a failure's text."""
    text = str(failure).partition("of this test:\n")[2]
    return "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))


def test_a_lost_update_is_found_told_and_shown_again() -> None:
    failure = failure_of(Blind(), [DOWN])
    text = str(failure)
    assert text.startswith(
        "a property does not hold of design 'blind-counter':\n  1. every increment counts: increment lost; asked: "
    )
    assert "K-5" in text
    assert "Witness: increment lost; asked: 2; counted: 1" in text
    assert "operation 1: create to A; B\n" in text
    assert "operation 2" not in text
    names: dict[str, Any] = {"design": Blind(), "properties": PROPERTIES}
    exec(script_of(failure), names)
    assert names["driver"].monitor.violations.keys() == {LOST}
    assert len(names["deviations"]) <= 8


def test_the_script_lists_all_actions_where_the_deviations_do_not_lead_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heatproof.strategies.failing.replay", lambda driver, deviations: None)
    script = script_of(failure_of(Blind(), [DOWN], shrink=0))
    assert "actions = [" in script
    names: dict[str, Any] = {"design": Blind(), "properties": PROPERTIES}
    exec(script, names)
    assert LOST in names["driver"].monitor.violations


def test_all_failures_of_a_run_are_named_the_first_one_first() -> None:
    failures = (failure_of(Blind(), first=first, max_resources=6, max_threads=4, max_operations=1, shrink=0) for first in range(50))
    failure = next(failure for failure in failures if len(failure.violations) > 1)
    assert [violation.key for violation in failure.violations] == [DOWN, LOST]
    assert failure.violations[0].step < failure.violations[1].step
    text = str(failure)
    assert text.startswith(
        "2 properties do not hold of design 'blind-counter':\n  1. the counter never goes down: went down; before: "
    )
    assert "\n  2. every increment counts: increment lost; asked: " in text


def test_what_is_expected_does_not_fail() -> None:
    run(machine(Blind(), PROPERTIES, [LOST, DOWN]), examples=100)


def test_failures_of_different_kinds_differ_by_type() -> None:
    assert violated(LOST) is violated(LOST)
    assert violated(LOST) is not violated(DOWN)
    assert issubclass(violated(LOST), Violated)


def test_each_kind_of_failure_is_shrunk_by_itself() -> None:
    def groups() -> Iterator[ExceptionGroup[Exception]]:
        for first in range(2, 22):
            try:
                run(machine(Blind(), PROPERTIES, shrink=0, max_resources=6, max_threads=4, max_operations=1, steps=4), first=first)
            except Violated:
                continue  # Hypothesis goes on for ten examples or twice as long, and has met the one kind only
            except ExceptionGroup as found:
                yield found

    failures = [failure for failure in next(groups()).exceptions if isinstance(failure, Violated)]
    assert sorted(failure.violations[0].key for failure in failures) == [LOST, DOWN]


def test_a_run_that_goes_round_in_circles_is_a_failure() -> None:
    failure = failure_of(Stubborn(), max_operations=1, max_resources=2)
    assert [violation.key for violation in failure.violations] == [FOR_EVER]
    names: dict[str, Any] = {"design": Stubborn(), "properties": PROPERTIES}
    exec(script_of(failure), names)
    assert FOR_EVER in names["driver"].monitor.violations


def test_a_run_that_is_cut_is_no_failure() -> None:
    run(machine(Endless(), PROPERTIES, tail=300), examples=20)


def test_a_mistake_in_the_design_is_reported_as_such() -> None:
    with pytest.raises(DesignError, match="which is no effect"):
        run(machine(Impure(), PROPERTIES))


def test_rules_are_what_the_design_can_do() -> None:
    def rules(made: type[ConvergenceMachine]) -> set[str]:
        return {found.function.__name__ for found in made.setup_state().rules}

    assert rules(machine(Counter(), PROPERTIES)) == {"update", "inject", "let_run"}
    every = {"update", "delete", "check", "rollback", "cancel", "mark_unhealthy", "signal", "inject", "let_run"}
    assert rules(machine(heat())) == every


def heat() -> Design:
    """Heat's own design."""
    from heatproof.model.designs.heat import Heat

    return Heat()


def test_shards_draw_different_things_and_the_same_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr("heatproof.strategies.machine.event", seen.append)

    def traces() -> list[list[str]]:
        found = []
        for shard in shards(machine(Counter(), PROPERTIES), 3, first_seed=5):
            seen.clear()
            log: list[str] = []
            monkeypatch.setattr(
                Counter, "label", lambda self, message, args, log=log: log.append(f"{message}{args}") or f"{message}{args}"
            )
            shard.settings = settings(shard.settings, max_examples=5, database=None)  # type: ignore[attr-defined]
            shard("runTest").runTest()  # type: ignore[attr-defined]
            found.append(log)
        return found

    first = traces()
    assert first == traces()
    assert first[0] != first[1] != first[2] != first[0]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"max_operations": 0}, "at least one rule and one operation"),
        ({"steps": 0}, "at least one rule and one operation"),
        ({"max_resources": 0}, "max_resources is 0"),
        ({"max_engines": 0}, "max_engines is 0"),
        ({"max_faults": -1}, "max_count is -1"),
        ({"faults": ["flood"]}, "unknown fault 'flood'"),
    ],
)
def test_impossible_bounds_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ScenarioError, match=text):
        machine(Counter(), PROPERTIES, **options)


def test_a_fault_that_a_design_is_immune_to_does_not_strike() -> None:
    class Immune(Counter):
        immune = frozenset(FAULTS) - {"crash"}

    run(machine(Immune(), PROPERTIES), examples=30)  # a world would refuse any other


def test_a_design_without_create_is_refused() -> None:
    class Headless(Counter):
        operations = {"update": "update"}  # noqa: RUF012  # a constant

    with pytest.raises(ScenarioError, match="no operation 'create'"):
        machine(Headless(), PROPERTIES)


MINIMAL = """
from counter import PROPERTIES, Blind

from heatproof.reports.story import story
from heatproof.strategies.machine import machine, shards

KNOWN = [("every increment counts", "increment lost"), ("the counter never goes down", "went down")]

TestFound = machine(Blind(), PROPERTIES, explain=story, quick=True).TestCase
TestKnown1, TestKnown2 = shards(machine(Blind(), PROPERTIES, KNOWN))
"""


def test_another_project_needs_few_lines(tmp_path: Path) -> None:
    assert len(MINIMAL.splitlines()) < 20
    (tmp_path / "test_minimal.py").write_text(MINIMAL)
    shutil.copy(Path(__file__).with_name("counter.py"), tmp_path)
    shutil.copy(ROOT / "conftest.py", tmp_path)
    plugins = ["-n", "2", "-p", "no:cacheprovider", "-p", "no:randomly"]
    options = ["-q", *plugins, "--hypothesis-profile", "ci", "--hypothesis-show-statistics"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert "1 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert "not hold of design 'blind-counter':" in done.stdout
    assert "Witness: " in done.stdout
    assert "pytest test_minimal.py::TestFound --heatproof-replay " in done.stdout
    assert "ended: rest" in done.stdout
    assert "expected: every increment counts: increment lost" in done.stdout


TRACES = """
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from heatproof.model.designs.heat import Heat
from heatproof.properties.catalogue import ALL
from heatproof.strategies.machine import ConvergenceMachine, machine
from heatproof.strategies.running import run
from heatproof.strategies.scenarios import plans, scenarios

fixed = settings(max_examples=40, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))

@seed(7)
@fixed
@given(scenarios(Heat()), plans())
def by_plan(scenario, plan):
    done = run(Heat(), scenario, list(ALL.values()), plan)
    print(scenario.operations, scenario.scope, dict(scenario.faults), plan)
    print(done.end, [str(action) for action in done.actions], sorted(done.violations.items()), sorted(done.reached))

class Everything(frozenset):
    __contains__ = __ge__ = lambda self, other: True

made = machine(Heat())
object.__setattr__(made.setting, "expected", Everything())
finish = made.teardown

def teardown(self):
    finish(self)
    if self.driver is not None:
        print([str(entry.action) for entry in self.world.log], sorted(self.driver.monitor.violations.items()))

made.teardown = teardown
by_plan()
run_state_machine_as_test(seed(7)(made), settings=settings(fixed, stateful_step_count=10))
"""


def test_nothing_depends_on_the_seed_of_pythons_hashes() -> None:
    outputs = []
    for hash_seed in ("0", "1", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", TRACES], env={"PYTHONHASHSEED": hash_seed}, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    assert outputs[0].count("\n") >= 100
    assert outputs[0] == outputs[1] == outputs[2]
