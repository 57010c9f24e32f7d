"""The passing neighbour of a failure: the same run without one of its deviations, in which the failure does not show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from heatproof.model.design import Design
from heatproof.model.scenario import Scenario
from heatproof.model.world import World
from heatproof.properties.base import Property
from heatproof.properties.monitor import Violation
from heatproof.strategies.running import Driver
from heatproof.strategies.schedules import Deviation, replay

TRIED = 40
"""Deviations that are left out on trial, the last ones first."""

LONGEST = 4_000
"""Steps of such a run."""


class Neighbour(NamedTuple):
    """A run that does not fail: the number (from 0) of the deviation that it leaves out, what else is violated in it, the step from which
    on it differs, and the world after it."""

    without: int
    violations: list[Violation]
    differs: int
    world: World


def neighbour(
    design: Design, scenario: Scenario, properties: Iterable[Property], deviations: Sequence[Deviation], expected: tuple[str, str],
    failed: World,
) -> Neighbour | None:  # fmt: skip
    """The neighbour of the run in ``failed``: where several pass, the one with the fewest other violations that differs last; None if
    none of those tried comes to rest without the expected violation (property, kind of witness)."""
    asked, best = list(properties), None
    for number in reversed(range(max(len(deviations) - TRIED, 0), len(deviations))):
        driver = Driver(design, scenario, asked, failed.program)
        replayed = replay(driver, [*deviations[:number], *deviations[number + 1 :]], LONGEST)
        violations = driver.monitor.violations
        if replayed.end != "rest" or expected in violations:
            continue
        found = Neighbour(number, list(violations.values()), _differs(failed, driver.world), driver.world)
        if best is None or len(found.violations) < len(best.violations):
            best = found
        if not found.violations:
            break
    return best


def _differs(one: World, other: World) -> int:
    """The number of the first step at which two runs differ."""
    same = 0
    for mine, theirs in zip(one.log, other.log, strict=False):
        if mine.action != theirs.action:
            break
        same += 1
    return same + 1


__all__ = ["LONGEST", "TRIED", "Neighbour", "neighbour"]
