"""The fewest deviations of a violation: made few by shrinking, then held against all schedules that have fewer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from heatproof.model.design import Design
from heatproof.model.world import Action
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
    few = _failure(design, properties, small, answer.actions) if answer.actions is not None else small
    left, most = search.budget - search.performed, len(failure.actions)
    while most < len(few.actions) and left > 0:  # by default a run may poll until patience is lost, which nobody wants to read
        again = Fewest(design, properties, few.scenario, key, left, over=over)
        shorter = again.search(len(few.deviations), most)
        if shorter.actions is not None:
            few = _failure(design, properties, few, shorter.actions)
            break
        left, most = left - shorter.performed, 2 * most
    return Least(few, answer.actions is not None or answer.finished)


def _failure(design: Design, properties: Sequence[Property], like: Failure, actions: Sequence[Action]) -> Failure:
    driver = Driver(design, like.scenario, properties)
    deviations = record(driver, actions)
    return Failure(like.scenario, list(actions), driver.monitor.violations[like.violation.key], deviations, True)


__all__ = ["ACTIONS", "Least", "least"]
