"""How a check spends its time: no clock but one that is handed in, and no processes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from heatproof import checking
from heatproof.checking import Check, Limits
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


def made(clock: Clock, limits: Limits) -> Check:
    return Check("heat", (), Options(), limits, Silent(), clock)  # type: ignore[arg-type]


@pytest.mark.parametrize(("shrink", "batches"), [(1200, 65), (0, 100)])
def test_only_who_shrinks_keeps_time_for_it(shrink: int, batches: int) -> None:
    clock = Clock()
    check, pool = made(clock, Limits(100.0, None, 1, shrink)), Pool(clock, 1.0, lambda *_: Findings())
    check._explore(pool)  # type: ignore[arg-type]
    assert len(pool.asked) == batches


def test_each_shrink_is_told_when_time_is_up(failure: Failure, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, workers = Clock(), Clock()
    workers.seconds = 5.0
    monkeypatch.setattr(checking, "now", workers)
    check = made(clock, Limits(100.0, None, 1, 1200))
    pool = Pool(clock, 30.0, lambda *_: failure)
    for number in range(6):
        check.findings.failures["sum is two", str(number)] = failure
    check._shrink(pool)  # type: ignore[arg-type]
    assert pool.asked == [(failure, 1200, 5.0 + left) for left in (100, 70, 40, 10)], (
        "by the clock that workers go by, and no more then"
    )


def test_a_shrink_that_has_begun_stops_when_time_is_up(failure: Failure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "now", Clock())
    monkeypatch.setattr(checking, "_worker", {"design": ADDING, "properties": [sum_is_two]})
    assert not checking._shrink(failure, 200, 1_000.0).small
    assert checking._shrink(failure, 200, 1_000.5).small
    assert checking._shrink(failure, 200, None).small
