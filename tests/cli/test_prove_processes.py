"""``heatproof prove`` with worker processes, a budget and checkpoints: what is told where it is interrupted or one of them dies."""

from __future__ import annotations

import json
import os
import re
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from heatproof import proving
from heatproof.cli import cli
from heatproof.model.scenario import create, scenario
from heatproof.model.templates import resource
from heatproof.proving import Budget, Prover
from heatproof.reports.progress import Lines
from heatproof.strategies.proving.compiling import WorkingClock
from heatproof.strategies.proving.scopes import Member
from heatproof.strategies.proving.search import Search
from tests.cli.test_prove import prove


def test_small_scenarios_large_ones_and_one_process_come_to_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large ones are searched by worker processes. The second is large here: they go on where the command has come to."""
    texts, worth = [], iter([False, True])
    for processes, alone in (("1", 0.0), ("2", 1e9), ("2", 0.0), ("3", -1.0)):
        monkeypatch.setattr(proving, "ALONE", alone)
        if alone < 0:
            monkeypatch.setattr(Prover, "_worth_starting", lambda self: next(worth, True))
        out = tmp_path / f"{processes} {alone}"
        done = prove("--all-templates", "2", "--operations", "1", "--processes", processes, "--report", out)
        assert done.exit_code == 0, done.stdout + done.stderr
        texts.append((out / "verdicts.txt").read_text())
    assert set(texts) == {texts[0]}
    assert "3 scenarios searched to the end" in texts[0]


def test_workers_are_started_only_for_what_is_large_and_where_there_is_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They take seconds to start, and with a budget of a few nothing else was done."""
    started = []

    class Counted(ProcessPoolExecutor):
        def __init__(self, *given: Any, **options: Any) -> None:
            started.append(given)
            super().__init__(*given, **options)

    monkeypatch.setattr(proving, "ProcessPoolExecutor", Counted)
    words = ("--all-templates", "2", "--operations", "1", "--processes", "2", "--report", tmp_path / "out")
    for alone, seconds, expected in ((1e9, (), 0), (0.0, ("--seconds", proving.STARTING), 0), (0.0, (), 1)):
        monkeypatch.setattr(proving, "ALONE", alone)
        done = prove(*words, *map(str, seconds))
        assert "scenarios searched to the end" in done.stdout
        assert len(started) == expected


def test_what_is_left_to_workers_goes_on_from_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "ALONE", 0.0)
    words = ("--all-templates", "2", "--operations", "1", "--processes", "2", "--report", tmp_path / "out")
    done = prove(*words, "--checkpoint", tmp_path / "kept")
    assert done.exit_code == 0, done.output
    assert f"reading the checkpoint {tmp_path}/kept.1, to its end: what it knows is told\n" in done.stderr
    assert "3 scenarios searched to the end" in done.stdout


def test_a_budget_is_not_used_up_by_compiling() -> None:
    """Nor is that done without a word."""
    now, said = [100.0], list[str]()
    member = Member("one", scenario(create([resource("A")])))
    prover = Prover("heat", (), [member], (), Budget(seconds=10.0), Lines(said.append, lambda: now[0]), clock=lambda: now[0])
    for begin, end in ((101.0, 161.0), (162.0, 192.0)):
        now[0] = begin
        prover.clock.start()
        now[0] = begin + 5
        prover.clock.start()  # what the first needs
        prover.clock.end()
        assert not prover._late()
        now[0] = end
        prover.clock.end()
    assert prover.clock() == 102.0, "100 s, and one before each"
    assert said == ["compiling, once after an installation; that takes a minute and is not counted"]
    now[0] += 8.0
    assert prover._late()


def test_the_clock_of_a_budget_hears_of_what_numba_compiles() -> None:
    numba, told = pytest.importorskip("numba"), list[int]()
    clock = WorkingClock(lambda: 0.0, lambda: told.append(1))
    with clock.heeded():
        assert numba.njit(lambda number: number + 1)(1) == 2
    assert told == [1]
    assert clock.since is None
    numba.njit(lambda number: number + 2)(1)
    assert told == [1]


@pytest.mark.parametrize("several", [False, True])
def test_what_a_checkpoint_knows_is_told_where_the_user_interrupts_while_it_is_read(
    several: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words: tuple[str | Path, ...] = ("--operations", "create,delete", "--engines", "1", "--shrink", "0", "--processes", "1")
    if several:
        words = ("--all-templates", "1", "--operations", "2", "--kinds", "delete,cancel", *words[2:])
    words = (*words, "--report", tmp_path / "out", "--checkpoint", tmp_path / "kept")
    assert prove(*words).exit_code == 1
    known = json.loads((tmp_path / "out" / "verdicts.json").read_text())["table"]
    resume = Search.resume

    def interrupted(search: Search) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        resume(search)

    monkeypatch.setattr(Search, "resume", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a command
    try:
        done = prove(*words, "--resume")
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert done.exit_code == 1, done.output
    told = json.loads((tmp_path / "out" / "verdicts.json").read_text())["table"]
    violated = [line["detail"] for line in known if line["verdict"] == "violated"]
    if several:
        assert "Not gone through: 1 scenario; the user interrupted." in done.stdout
    else:
        assert [line["detail"] for line in told if line["verdict"] == "violated"] == violated


@pytest.mark.parametrize(
    "words", [("prove", "--operations", "create,delete", "--engines", "1"), ("check", "--no-scenarios")], ids=lambda words: words[0]
)
def test_a_report_stays_where_nothing_was_done_for_another(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = (*words, "--shrink", "0", "--processes", "1", "--report", str(tmp_path))
    first = CliRunner().invoke(cli, [*command, *(("--examples", "1") if words[0] == "check" else ())])
    assert first.exit_code == 1
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def interrupt(*_given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Prover, "_here", interrupt)
    monkeypatch.setattr("heatproof.checking.Check._explore", interrupt)
    done = CliRunner().invoke(cli, list(command))
    assert done.exit_code == 3, done.output
    assert f"Nothing was done, so the report of before stays in {tmp_path}/" in done.output
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_one_scenario_comes_to_the_same_however_many_make_its_counterexamples_small(tmp_path: Path) -> None:
    words, found = ("heat", "--operations", "create,update:same", "--engines", "1", "--shrink", "3"), []
    out = tmp_path / "out"
    for processes in ("1", "3"):
        done = prove(*words, "--processes", processes, "--report", out)
        assert done.exit_code == 1, done.stdout + done.stderr
        found.append({file.name: file.read_text() for file in out.iterdir()})
    assert found[0] == found[1]
    assert len([name for name in found[0] if name.endswith(".case.json")]) > 8


@pytest.mark.usefixtures("all_large")
def test_what_the_command_has_seen_before_it_left_a_scenario_to_workers_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_prover: Prover) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(Prover, "_there", interrupted)
    done = prove("--all-templates", "2", "--operations", "1", "--processes", "2", "--report", tmp_path / "out")
    assert done.exit_code == 3, done.output
    assert re.search(r"Cut: create A: the user interrupted after [1-9]\d* states", done.stdout), done.stdout
    assert "Not gone through: 2 scenarios; the user interrupted." in done.stdout


def dying(monkeypatch: pytest.MonkeyPatch, work: str, number: int) -> None:
    """Worker processes die when they are given such work for the so manieth time."""
    left = [number]

    class Dying(ProcessPoolExecutor):
        def submit(self, function: Any, *args: Any, **options: Any) -> Any:
            left[0] -= function.__name__ == work
            if not left[0]:
                raise BrokenProcessPool("killed")
            return super().submit(function, *args, **options)

    monkeypatch.setattr(proving, "ProcessPoolExecutor", Dying)


def test_what_was_found_is_not_lost_when_a_worker_dies_while_it_is_made_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, texts = ("heat", "--operations", "create,update:same", "--engines", "1", "--shrink", "3", "--processes", "2"), []
    for number in (0, 1, 5):
        dying(monkeypatch, "_shrink", number)
        done = prove(*words, "--report", tmp_path / "out")
        assert done.exit_code == 1, done.stdout + done.stderr
        texts.append((tmp_path / "out" / "verdicts.txt").read_text())
    assert texts[0] == texts[1] == texts[2]
    assert "perhaps fewer" in texts[0] or "the least" in texts[0]


@pytest.fixture
def all_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scenarios are left to worker processes that would be searched by the command itself, since they are small."""
    monkeypatch.setattr(proving, "ALONE", 0.0)


@pytest.mark.usefixtures("all_large")
def test_all_is_done_by_the_command_where_there_are_no_worker_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_self: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("multiprocessing.context.BaseContext.Queue", none)
    done = prove(
        "--operations", "create,update:same", "--engines", "1", "--shrink", "1", "--processes", "2", "--report", tmp_path / "out"
    )
    assert done.exit_code == 1, done.stdout + done.stderr
    done = prove("--all-templates", "2", "--operations", "1", "--processes", "2", "--report", tmp_path / "other")
    assert done.exit_code == 0, done.stdout + done.stderr
    assert "3 scenarios searched to the end" in done.stdout


@pytest.mark.usefixtures("all_large")
def test_what_was_searched_is_told_when_a_worker_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("--all-templates", "2", "--operations", "1", "--processes", "2", "--report", tmp_path / "out")
    dying(monkeypatch, "_prove", 3)
    done = prove(*words)
    assert done.exit_code == 3, done.stdout + done.stderr
    assert "Not gone through: " in done.stdout
    assert "a worker process died (killed); try fewer --processes, less --memory, or look for a full memory." in done.stdout
    dying(monkeypatch, "_prove", 1)
    done = prove(*words)
    assert done.exit_code == 3, done.stdout + done.stderr
    assert "a worker process died (killed)" in done.stdout
    assert "seen in all: 2 states" in done.stdout, "what the command had begun itself is told"


@pytest.mark.usefixtures("all_large")
def test_a_search_for_which_its_share_of_the_memory_was_too_little_gets_all_of_it(tmp_path: Path) -> None:
    """A process takes more than 100 MB before it has seen anything, and less than 600 here."""
    words = ("--all-templates", "1", "--operations", "2", "--kinds", "cancel,delete", "--engines", "1", "--shrink", "0")
    texts = []
    for memory in ("8G", "600M"):
        done = prove("heat", *words, "--processes", "6", "--memory", memory, "--report", tmp_path / "out")
        assert done.exit_code == 1, done.stdout + done.stderr
        texts.append((tmp_path / "out" / "verdicts.txt").read_text())
    assert texts[0] == texts[1]
    assert "2 scenarios searched to the end" in texts[0]
