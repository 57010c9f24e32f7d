"""A search relies on handlers that are functions of what they are sent: whatever says that they are none, before a search and around it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from heatproof.model.design import Design
from heatproof.model.purity import Purity, purity_of
from heatproof.model.scenario import Scenario
from heatproof.model.watchdog import watchdog

ACTIONS = 2_000
"""Actions of the run whose handlers are run again before a search."""

AUDITS = 3
"""How often they are run again."""


@contextmanager
def guarded(design: Design, *scenarios: Scenario) -> Iterator[None]:
    """While something is done with the handlers of a design, watch over them. Of ``scenarios`` one run is made beforehand.

    Raises :class:`DesignError` for handlers that assign a variable of others, at once; for what they changed, before the run goes on to a search
    and at the end, also where it ends in another error, which may come of it; and for one that computes for ever.
    """
    purity = purity_of(design)
    with watchdog():
        try:
            for scenario in scenarios:
                _run_twice(design, scenario, purity)
            yield
        except Exception:
            purity.check()
            raise
        purity.check()


def _run_twice(design: Design, scenario: Scenario, purity: Purity) -> None:
    """One run under the default policy, and all its handlers once more."""
    world = design.open(scenario)
    while (action := world.default()) is not None and len(world.log) < ACTIONS:
        world.perform(action)
    purity.check()
    for _ in range(AUDITS):
        world.audit()


__all__ = ["guarded"]
