"""How a check spends its time: no clock but one that is handed in, and no processes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from heatproof import checking
from heatproof.checking import Check, Limits
from heatproof.cli import cli
from heatproof.model.errors import HeatproofError
from heatproof.reports.progress import Tick
from heatproof.strategies.exploring import Findings, Options
from heatproof.strategies.running import Plan, run
from heatproof.strategies.shrinking import Failure
from tests.model.toys import asking
from tests.toys import ADDING, sum_is_two


class Silent:
    """Tells nothing."""

    def tick(self, tick: Tick) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Clock:
    """Shows what it is set to."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


class Pool:
    """Has everything done at once, each in so many seconds, and notes what was asked for."""

    def __init__(self, clock: Clock, each: float, result: Callable[..., Any]):
        self.clock, self.each, self.result = clock, each, result
        self.asked: list[tuple[Any, ...]] = []

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Done."""
        self.asked.append(args)
        self.clock.seconds += self.each
        done: Future[Any] = Future()
        done.set_result(self.result(*args))
        return done


@pytest.fixture
def failure() -> Failure:
    done = run(ADDING, asking(), [sum_is_two], Plan("random", 0))
    for seed in range(1, 50):
        if done.violations:
            break
        done = run(ADDING, asking(), [sum_is_two], Plan("random", seed))
    (violation,) = done.violations.values()
    return Failure(asking(), done.actions[: violation.step], violation)


class Broken(Pool):
    """Does so many batches, and then breaks."""

    _processes = None
    good = 2

    def __init__(self, *_: object, **__: object):
        super().__init__(Clock(), 0.0, lambda *_: Findings(scenarios=1, runs=1))

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Done, or broken."""
        done = super().submit(function, *args)
        if len(self.asked) > self.good:
            done = Future()
            done.set_exception(HeatproofError("the port is not deterministic here"))
        return done

    def shutdown(self, **_: object) -> None:
        """Nothing."""


def made(clock: Clock, limits: Limits) -> Check:
    return Check("heat", (), Options(), limits, Silent(), clock)  # type: ignore[arg-type]  # a reporter that stands in


@pytest.mark.parametrize(("shrink", "batches"), [(1200, 65), (0, 100)])
def test_only_who_shrinks_keeps_time_for_it(shrink: int, batches: int) -> None:
    clock = Clock()
    check, pool = made(clock, Limits(100.0, None, 1, shrink)), Pool(clock, 1.0, lambda *_: Findings())
    check._explore(pool)  # type: ignore[arg-type]  # a pool that stands in
    assert len(pool.asked) == batches


def test_each_batch_is_told_when_time_is_up_and_only_with_a_time_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, workers = Clock(), Clock()
    workers.seconds = 5.0
    monkeypatch.setattr(checking, "now", workers)
    pool = Pool(clock, 30.0, lambda *_: Findings())
    made(clock, Limits(100.0, None, 1, 1200))._explore(pool)  # type: ignore[arg-type]  # a pool that stands in
    assert [until for _, _, until in pool.asked] == [5.0 + left for left in (65, 35, 5)], "by the clock that workers go by"
    pool.asked.clear()
    made(clock, Limits(None, 20, 1, 1200))._explore(pool)  # type: ignore[arg-type]  # a pool that stands in
    assert [until for _, _, until in pool.asked] == [None, None]


def test_a_batch_that_has_begun_stops_when_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, options = Clock(), Options(resources=1, operations=1, plans=3, kinds=())
    monkeypatch.setattr(checking, "now", clock)
    monkeypatch.setattr(checking, "_worker", {"design": ADDING, "properties": []})
    whole = checking._batch(options, 1, None)
    assert whole.runs == whole.scenarios * 3 > 3
    assert checking._batch(options, 1, 1_000.5).runs == whole.runs
    assert checking._batch(options, 1, 1_000.0).runs == 0


def test_each_shrink_is_told_when_time_is_up(failure: Failure, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, workers = Clock(), Clock()
    workers.seconds = 5.0
    monkeypatch.setattr(checking, "now", workers)
    check = made(clock, Limits(100.0, None, 1, 1200))
    pool = Pool(clock, 30.0, lambda *_: (failure, 0))
    for number in range(6):
        check.findings.failures["sum is two", str(number)] = failure
    check._shrink(pool)  # type: ignore[arg-type]  # a pool that does as it is told
    assert [asked[:3] for asked in pool.asked] == [(failure, 1200, 5.0 + left) for left in (100, 70, 40, 10)], (
        "by the clock that workers go by, and no more then"
    )


@pytest.mark.parametrize(("processes", "each"), [(1, 10.0), (2, 20.0)])
def test_failures_share_the_time_for_making_them_small(failure: Failure, processes: int, each: float) -> None:
    """Time stands still: nobody has used anything of it yet."""
    clock = Clock()
    check, pool = made(clock, Limits(100.0, None, processes, 1200)), Pool(clock, 0.0, lambda *_: (failure, 0))
    for number in range(10):
        check.findings.failures["sum is two", str(number)] = failure
    check._shrink(pool)  # type: ignore[arg-type]  # a pool that does as it is told
    shares = [share for *_, share in pool.asked]
    assert shares[0] == each
    assert len(shares) == 10
    assert shares == sorted(shares), "what one leaves of its share is for those that come later"


def test_what_others_leave_is_for_the_failures_that_were_cut(failure: Failure) -> None:
    """The first has used its share and has runs left; the others take a second each."""
    clock = Clock()

    def done(_failure: Failure, budget: int, _until: float, _share: float) -> tuple[Failure, int]:
        return failure, 900 if len(pool.asked) == 1 else 0

    check, pool = made(clock, Limits(100.0, None, 1, 1200)), Pool(clock, 1.0, done)
    for number in range(5):
        check.findings.failures["sum is two", str(number)] = failure
    check._shrink(pool)  # type: ignore[arg-type]  # a pool that does as it is told
    assert [budget for _, budget, *_ in pool.asked] == [1200] * 5 + [900], "with the runs that it has left"
    assert pool.asked[-1][-1] == 95.0


def test_a_shrink_that_has_begun_stops_when_time_is_up(failure: Failure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "now", Clock())
    monkeypatch.setattr(checking, "_worker", {"design": ADDING, "properties": [sum_is_two]})
    for until, share in ((1_000.0, 60.0), (1_060.0, 0.0)):
        cut, left = checking._shrink(failure, 200, until, share)
        assert not cut.small
        assert 0 < left <= 200
    for until, share in ((1_000.5, 0.5), (None, 60.0)):
        whole, left = checking._shrink(failure, 200, until, share)
        assert whole.small
        assert left == 0


def test_what_was_found_is_not_lost_with_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(checking, "ProcessPoolExecutor", Broken)
    outcome = made(Clock(), Limits(None, 1_000, 1, 0)).run()
    assert outcome.findings.runs == 2
    assert isinstance(outcome.error, HeatproofError)
    options = ["--examples", "1000", "--processes", "1", "--no-scenarios", "--report", str(tmp_path / "report")]
    done = CliRunner().invoke(cli, ["check", "heat", *options])
    assert done.exit_code == 2
    assert done.output.rstrip().endswith("heatproof: the port is not deterministic here")
    assert "2 runs" in (tmp_path / "report" / "verdicts.txt").read_text()
    assert "ended by an error" in (tmp_path / "report" / "verdicts.txt").read_text()


def test_an_error_before_anything_was_found_writes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(checking, "ProcessPoolExecutor", Broken)
    monkeypatch.setattr(Broken, "good", 0)
    with pytest.raises(HeatproofError, match="not deterministic"):
        made(Clock(), Limits(None, 1_000, 1, 0)).run()
    done = CliRunner().invoke(cli, ["check", "heat", "--no-scenarios", "--report", str(tmp_path / "report")])
    assert done.exit_code == 2
    assert not (tmp_path / "report").exists()


class Finding(Broken):
    """Every batch finds the same."""

    good = 1_000
    found: Failure

    def __init__(self, *_: object, **__: object):
        failures = {("rest: no sync points", kind): self.found for kind in ("one", "other", "third")}
        Pool.__init__(self, Clock(), 0.0, lambda *_: Findings(scenarios=1, runs=1, failures=failures))


def report_of(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


CASES = [f"rest-no-sync-points-{kind}.case.json" for kind in ("one", "other", "third")]


def test_an_interrupt_while_stories_are_told_leaves_the_cases_and_the_table(
    failure: Failure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: list[Failure] = []

    def tell(_design: object, _properties: object, failure: Failure) -> str:
        if told:
            raise KeyboardInterrupt
        told.append(failure)
        return "A story"

    monkeypatch.setattr(Finding, "found", failure, raising=False)
    monkeypatch.setattr(checking, "ProcessPoolExecutor", Finding)
    monkeypatch.setattr(checking, "tell", tell)
    monkeypatch.setattr(checking, "noted", lambda case, *_: case)
    options = ["--examples", "10", "--processes", "1", "--shrink", "0", "--no-scenarios", "--report", str(tmp_path)]
    done = CliRunner().invoke(cli, ["check", "heat", *options])
    assert done.exit_code == 1, done.output
    assert "3 kinds of failure." in done.output
    assert "Interrupted before 2 of the stories were told; 'heatproof replay' tells that of a case." in done.output
    assert report_of(tmp_path) == sorted([*CASES, "rest-no-sync-points-one.story.txt", "verdicts.json", "verdicts.txt"])
    for name in CASES:
        assert len(json.loads((tmp_path / name).read_text())["schedule"]) == len(failure.actions)


def test_a_check_of_the_engine_that_was_interrupted_runs_nothing_more(
    failure: Failure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the engine would be loaded")

    monkeypatch.setattr(checking, "tell", never)
    monkeypatch.setattr(checking, "noted", never)
    findings = Findings(scenarios=1, runs=1, failures={("rest: no sync points", "one"): failure})
    outcome = checking.Outcome(findings, "interrupted by the user", True)
    checking.report(tmp_path, "heat-engine", outcome, checking.properties_for("heat-engine"))
    assert outcome.untold == 1
    assert report_of(tmp_path) == [CASES[0], "verdicts.json", "verdicts.txt"]


class Interrupted(Pool):
    """Hands back two batches, or whatever is asked for, only when they are called off; the user interrupts where a third is asked for."""

    def __init__(self, check: Check, result: Any):
        self.check, self.asked, self.result = check, [], result

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Pending, until it is called off."""
        if len(self.asked) == 2:
            raise KeyboardInterrupt
        self.asked.append(args)
        result, called_off = self.result, self.check.called_off

        class Waiting(Future[Any]):
            def result(self, timeout: float | None = None) -> Any:
                assert called_off.is_set()
                return result

        done: Future[Any] = Waiting()
        done.set_result(result)
        return done


def test_what_workers_are_at_is_handed_back_where_the_user_interrupts(failure: Failure) -> None:
    check = made(Clock(), Limits(100.0, None, 2, 1200))
    pool = Interrupted(check, Findings(scenarios=1, runs=7))
    with pytest.raises(KeyboardInterrupt):
        check._explore(pool)  # type: ignore[arg-type]  # a pool that stands in
    assert check.findings.runs == 14


def test_what_was_made_small_is_handed_back_where_the_user_interrupts(failure: Failure) -> None:
    check = made(Clock(), Limits(100.0, None, 2, 1200))
    small = Failure(failure.scenario, failure.actions, failure.violation, small=True)
    for number in range(3):
        check.findings.failures["sum is two", str(number)] = failure
    with pytest.raises(KeyboardInterrupt):
        check._shrink(Interrupted(check, (small, 0)))  # type: ignore[arg-type]  # a pool that stands in
    assert [found.small for found in check.findings.failures.values()] == [True, True, False]


def test_a_worker_that_is_called_off_stops_between_two_runs(failure: Failure, monkeypatch: pytest.MonkeyPatch) -> None:
    called_off = threading.Event()
    monkeypatch.setattr(checking, "_worker", {"design": ADDING, "properties": [sum_is_two], "called_off": called_off})
    options = Options(resources=1, operations=1, plans=3, kinds=())

    def explored() -> int:
        return checking.batch(ADDING, [], options, 1, over=checking._over(None)).runs

    assert explored() > 3
    assert checking._shrink(failure, 200, None)[0].small
    called_off.set()
    assert explored() == 0
    assert not checking._shrink(failure, 200, None)[0].small
