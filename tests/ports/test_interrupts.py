"""Ctrl-C and SIGTERM while Heat's engine runs: whatever it is at, the command ends with what it has found, and the engine can go on."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from heatproof.cli import cli
from heatproof.model import interrupting
from heatproof.model.errors import HeatproofError
from heatproof.model.interrupting import Interrupted
from heatproof.model.scenario import create, scenario
from heatproof.model.templates import resource
from heatproof.ports.heat import installation
from heatproof.ports.heat.design import HeatEngine
from heatproof.reports import cases, confirming, judging
from heatproof.strategies.asked import properties_for
from heatproof.strategies.nearby import Nearby
from heatproof.strategies.running import Driver
from heatproof.strategies.shrinking import Shrinker
from tests.toys import ROOT

if reason := installation.why_not():
    pytest.skip(f"the real engine is not here: {reason}", allow_module_level=True)

CASE = ROOT / "reports" / "regressions" / "heat-27.0.1" / "unhealthy-in-one-write.case.json"
PATCH = ("--patch", "unhealthy-in-one-write")
MODELS = ROOT / "reports" / "regressions" / "heat"
HANGS = MODELS / "rest-no-operation-hangs-create-hangs-sync-points-wait.case.json"
ENGINE = HeatEngine()
ASKED = scenario(create([resource("A", {"p": 1}), resource("B", depends_on=["A"])]))


class Interrupts:
    """Sends SIGINT from within a statement that Heat sends to the database: the ``at``-th from when it is ready."""

    def __init__(self) -> None:
        self.at: int | None = None
        self.sent = 0

    def ready(self, at: int) -> None:
        """From now on."""
        self.at = at

    def statement(self) -> None:
        """One more was sent."""
        if self.at is not None:
            self.at -= 1
            if not self.at:
                self.at = None
                self.sent += 1
                signal.raise_signal(signal.SIGINT)


@pytest.fixture(autouse=True)
def _heeded() -> Iterator[None]:
    """As the command line has it, and pytest afterwards as it was."""
    installation.installed()
    before = signal.signal(signal.SIGINT, interrupting.interrupt)
    yield
    signal.signal(signal.SIGINT, before)
    assert not interrupting.waits()


@pytest.fixture
def interrupts(monkeypatch: pytest.MonkeyPatch) -> Interrupts:
    """Not ready yet."""
    found, dialect = Interrupts(), installation.installed().database.engine.dialect
    whole = dialect.do_execute

    def do_execute(*args: Any, **kwargs: Any) -> None:
        whole(*args, **kwargs)
        found.statement()

    monkeypatch.setattr(dialect, "do_execute", do_execute)
    return found


def before(monkeypatch: pytest.MonkeyPatch, where: type, name: str, call: Callable[[], None]) -> None:
    """Have ``call`` called before a method."""
    whole = getattr(where, name)

    def called(*args: Any, **kwargs: Any) -> Any:
        call()
        return whole(*args, **kwargs)

    monkeypatch.setattr(where, name, called)


def heatproof(*args: object) -> Result:
    return CliRunner().invoke(cli, [str(arg) for arg in args])


def settled() -> list[str]:
    driver = Driver(ENGINE, ASKED, [])
    assert driver.settle() == "rest"
    return [str(entry.action) for entry in driver.world.log]


@pytest.mark.parametrize("at", [1, 12, 150, 600])
def test_a_replay_ends_with_the_verdict_of_the_exact_schedule(
    at: int, interrupts: Interrupts, monkeypatch: pytest.MonkeyPatch
) -> None:
    before(monkeypatch, Nearby, "search", lambda: interrupts.ready(at))
    done = heatproof("replay", CASE, *PATCH)
    assert (interrupts.sent, done.exit_code) == (1, 3), done.output
    assert "cannot be decided on heat-engine+unhealthy-in-one-write" in done.output
    assert "The schedule does not fit any more: it fits for 38 of 42 actions" in done.output
    assert re.search(r"Interrupted in run (\d+) of at most 1000 near by; \d+ before it did not show it\.\n$", done.output)
    monkeypatch.undo()
    assert judging.judge(cases.read(CASE), ENGINE, properties_for("heat-engine"), 0).answer == judging.FAILS


def test_a_replay_that_is_interrupted_in_its_exact_schedule_says_so(interrupts: Interrupts) -> None:
    interrupts.ready(40)
    done = heatproof("replay", CASE)
    assert (done.exit_code, done.output) == (3, "heatproof: interrupted\n")


def test_a_replay_tells_its_verdict_where_the_story_is_interrupted(
    interrupts: Interrupts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before(monkeypatch, judging.Judgement, "story", lambda: interrupts.ready(40))
    done = heatproof("replay", CASE, "--output", tmp_path / "now.case.json")
    assert done.exit_code == 1, done.output
    assert f"{CASE}: still fails on heat-engine: rest: no operation hangs: CREATE hangs, sync points wait" in done.output
    assert "Interrupted before its story could be told." in done.output
    assert cases.read(tmp_path / "now.case.json").schedule == cases.read(CASE).schedule


@pytest.mark.parametrize("at", [5, 300])
def test_an_interrupted_shrink_writes_the_best_so_far(
    at: int, interrupts: Interrupts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before(monkeypatch, Shrinker, "__init__", lambda: interrupts.ready(at))
    done = heatproof("shrink", CASE, "--output", tmp_path / "small.case.json")
    assert (interrupts.sent, done.exit_code) == (1, 0), done.output
    assert re.search(r"Interrupted with \d+ of 3000 runs left: this is the best so far\.", done.output)
    monkeypatch.undo()
    small = cases.read(tmp_path / "small.case.json")
    assert judging.judge(small, ENGINE, properties_for("heat-engine"), 0).answer == judging.FAILS


def test_a_confirmation_ends_with_what_the_same_schedule_came_to(
    interrupts: Interrupts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    case = tmp_path / "of-the-model.case.json"
    assert heatproof("confirm", CASE, "--output", case).exit_code == 1
    before(monkeypatch, Nearby, "search", lambda: interrupts.ready(30))
    done = heatproof("confirm", case, *PATCH)
    assert (interrupts.sent, done.exit_code) == (1, 3), done.output
    assert "cannot be decided on heat-engine+unhealthy-in-one-write" in done.output
    assert "It ended without the failure." in done.output
    assert done.output.endswith("  Interrupted in run 1 of at most 200 near by; 0 before it did not show it.\n")


def test_a_confirmation_keeps_what_it_found_and_leaves_the_story(interrupts: Interrupts, monkeypatch: pytest.MonkeyPatch) -> None:
    before(monkeypatch, confirming.Confirmation, "story", lambda: interrupts.ready(30))
    done = heatproof("confirm", HANGS)
    assert (interrupts.sent, done.exit_code) == (1, 1), done.output
    assert "confirmed on heat-engine" in done.output
    assert done.output.endswith("Interrupted before its story could be told.\n")


def test_a_table_of_confirmations_ends_where_it_is_interrupted(
    interrupts: Interrupts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.case.json").write_bytes(HANGS.read_bytes())
    whole, count = confirming.confirm, []

    def confirm(*args: Any) -> Any:
        count.append(1)
        if len(count) == 2:
            interrupts.ready(30)
        return whole(*args)

    monkeypatch.setattr("heatproof.confirm_command.confirm", confirm)
    done = heatproof("confirm", tmp_path)
    assert (interrupts.sent, done.exit_code) == (1, 1), done.output
    assert "| `a` | confirmed |" in done.output
    assert "| `b` |" not in done.output
    assert done.output.endswith("\n2 cases: 1 confirmed; interrupted with 1 of them tried\n")


def test_scenario_files_on_the_engine_end_with_those_that_were_run(interrupts: Interrupts, monkeypatch: pytest.MonkeyPatch) -> None:
    from heatproof import scenarios_command

    whole, count = scenarios_command.run_file, []

    def run_file(*args: Any) -> Any:
        count.append(1)
        if len(count) == 3:
            interrupts.ready(100)
        return whole(*args)

    monkeypatch.setattr(scenarios_command, "run_file", run_file)
    done = heatproof("scenario", "--design", "heat-engine")
    assert (interrupts.sent, done.exit_code) == (1, 3), done.output
    assert done.output.endswith("2 passed, 0 failed; interrupted with 19 to go\n")


def test_accesses_end_with_what_was_measured(interrupts: Interrupts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from heatproof.ports.heat.accesses import comparing

    whole, count = comparing.run, []

    def run(*args: Any) -> Any:
        count.append(1)
        if len(count) == 2:
            interrupts.ready(50)
        return whole(*args)

    monkeypatch.setattr(comparing, "run", run)
    words = ("--shapes", "flat", "--operations", "create", "--sizes", "1,2", "--processes", 1, "--brief")
    done = heatproof("accesses", *words, "--csv", tmp_path / "numbers.csv")
    assert (interrupts.sent, done.exit_code) == (1, 3), done.output
    assert "Equal in 1 of 1" in done.output
    assert done.output.endswith("Interrupted before all was measured.\n")
    assert "create,flat,1," in (tmp_path / "numbers.csv").read_text()


def test_a_table_of_ported_cases_ends_where_it_is_interrupted(
    interrupts: Interrupts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from heatproof import port_command

    for name in ("a", "b"):
        (tmp_path / f"{name}.case.json").write_bytes(CASE.read_bytes())
    whole, count = port_command.tried, []

    def tried(*args: Any) -> Any:
        count.append(1)
        if len(count) == 2:
            interrupts.ready(20)
        return whole(*args)

    monkeypatch.setattr(port_command, "tried", tried)
    done = heatproof("port", tmp_path, "--output", tmp_path, "--orders", 50)
    assert (interrupts.sent, done.exit_code) == (1, 3), done.output
    assert "| a |" in done.output
    assert "| b |" not in done.output
    assert done.output.endswith("; interrupted with 1 of them tried\n")


# ----------------------------------------------------------------------------------------------------- what it rests on


@pytest.mark.parametrize("at", range(1, 40, 6))
def test_an_interrupt_is_raised_between_two_actions_and_the_engine_goes_on(at: int, interrupts: Interrupts) -> None:
    whole = settled()
    driver = Driver(ENGINE, ASKED, [])
    interrupts.ready(at)
    with pytest.raises(KeyboardInterrupt):
        driver.settle()
    done = [str(entry.action) for entry in driver.world.log]
    assert done == whole[: len(done)] != whole
    assert driver.settle() == "rest"
    assert [str(entry.action) for entry in driver.world.log] == whole


def test_the_unwinding_of_a_run_is_not_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    from heatproof.ports.heat.hub import Activity

    driver = Driver(ENGINE, ASKED, [])
    for _ in range(12):
        action = driver.world.default()
        assert action is not None
        driver.perform(action)
    given_up: list[str] = []
    whole = Activity.give_up

    def give_up(self: Activity) -> None:
        signal.raise_signal(signal.SIGINT)
        whole(self)
        given_up.append(self.task)

    monkeypatch.setattr(Activity, "give_up", give_up)
    living = [activity.task for activity in driver.world.live.activities.values()]  # type: ignore[attr-defined]  # the world is the engine's
    with pytest.raises(KeyboardInterrupt):
        Driver(ENGINE, ASKED, [])
    assert given_up == living != []
    monkeypatch.undo()
    settled()


def test_heat_that_does_not_come_back_is_interrupted_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGALRM stands for the clock by which an interrupt has waited too long. What was interrupted may make of it what it likes."""
    from heat.engine.stack import Stack

    whole = settled()
    swallowed: list[BaseException] = []

    def endless(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGINT)
        while len(swallowed) < 2:
            try:
                signal.raise_signal(signal.SIGALRM)
            except BaseException as error:
                swallowed.append(error)
                installation.installed().database.connection.close()  # type: ignore[attr-defined]  # as SQLAlchemy does

    monkeypatch.setattr(Stack, "_converge_create_or_update", endless)
    with pytest.raises(KeyboardInterrupt):
        settled()
    assert [type(error) for error in swallowed] == [KeyboardInterrupt] * 2
    monkeypatch.undo()
    assert settled() == whole


def test_an_interrupt_that_is_swallowed_while_heat_is_loaded_is_raised_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def swallowing() -> object:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            return object()
        raise AssertionError

    monkeypatch.setattr(installation, "Installation", swallowing)
    with pytest.raises(KeyboardInterrupt):
        installation.installed.__wrapped__()


def test_what_was_known_comes_with_the_interrupt(interrupts: Interrupts, monkeypatch: pytest.MonkeyPatch) -> None:
    before(monkeypatch, Nearby, "search", lambda: interrupts.ready(30))
    from heatproof.model import catalogue

    spec = "heat-engine+unhealthy-in-one-write"
    with pytest.raises(Interrupted) as raised:
        judging.judge(cases.read(CASE), catalogue.load(spec), properties_for(spec), 100)
    assert raised.value.found.answer == judging.UNDECIDED
    assert len(raised.value.found.told) == 2


def test_who_waits_for_a_server_that_does_not_answer_stops_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    from heatproof.ports.heat.databases import waiting

    class Silent:
        def blockers(self, _pid: int) -> frozenset[int]:
            signal.raise_signal(signal.SIGINT)
            return frozenset()

    monkeypatch.setattr(waiting, "_readable", lambda *_: False)
    waiter = object.__new__(waiting.Waiter)
    waiter.database, waiter.pid, waiter.connection = Silent(), 1, None  # type: ignore[assignment]  # a waiter that says nothing

    def wait() -> None:
        with interrupting.WHOLE, pytest.raises(HeatproofError, match="interrupted while a statement waited"):
            waiter.blockers()

    with pytest.raises(KeyboardInterrupt):
        wait()
