"""The fewest deviations of a violation: made few by shrinking, then held against all schedules that have fewer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from heatproof.model.design import Design
from heatproof.properties.base import Property
from heatproof.strategies.fewest import Fewest, can_search
from heatproof.strategies.running import Driver
from heatproof.strategies.schedules import record
from heatproof.strategies.shrinking import Failure, Shrinker

ACTIONS = 20
"""How many actions the search for fewer deviations may do for each run that shrinking may make."""


class Least(NamedTuple):
    """A failure with few deviations; ``proven``: no schedule of its scenario that shows it, with as many actions as a default policy
    without impatience has, has fewer."""

    failure: Failure
    proven: bool


def least(
    design: Design, properties: Sequence[Property], failure: Failure, runs: int, over: Callable[[], bool] = lambda: False
) -> Least:
    """Make the deviations of a failure few, within so many runs for shrinking and :data:`ACTIONS` times as many actions for the
    search. ``over`` says before each run, and now and then in the search, whether time is up; but for that it is deterministic."""
    shrinker = Shrinker(design, properties, failure, runs, over)
    small = shrinker.shrink()
    key = small.violation.key
    if not small.deviations:
        return Least(small, True)
    if shrinker.cut or not can_search(design, key):
        return Least(small, False)
    search = Fewest(design, properties, small.scenario, key, runs * ACTIONS, over=over)
    answer = search.search(len(small.deviations) - 1, fewest=False)
    if answer.actions is None:
        return Least(small, answer.finished)
    driver = Driver(design, small.scenario, properties)
    deviations = record(driver, answer.actions)
    return Least(Failure(small.scenario, list(answer.actions), driver.monitor.violations[key], deviations, True), True)


__all__ = ["ACTIONS", "Least", "least"]
