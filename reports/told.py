"""A case replayed for people: the run taken apart, what was violated in it, and its passing neighbour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from heatproof.model.design import Design
from heatproof.model.errors import HeatproofError, NotEnabled
from heatproof.properties.base import Property
from heatproof.properties.monitor import Violation
from heatproof.reports.cases import Case
from heatproof.reports.neighbours import TRIED, Neighbour, neighbour
from heatproof.reports.trace import Trace, trace
from heatproof.strategies.running import Driver
from heatproof.strategies.schedules import Deviation, record


class Told(NamedTuple):
    """What a page or a picture is made of.

    ``violation``: the expected one, if it shows; else ``held`` says how the run ended. ``others``: what else was violated.
    ``neighbour``: None where there is none, and ``reason`` says why.
    """

    case: Case
    design: Design
    run: Trace
    deviations: Sequence[Deviation]
    violation: Violation | None
    held: str
    others: Sequence[Violation]
    neighbour: Neighbour | None
    reason: str


def told(case: Case, design: Design, properties: Sequence[Property], source: str, neighbours: bool = True) -> Told:
    """The case from ``source`` (a file, for messages) on that design. Raises :class:`HeatproofError` where a step does not fit it.

    Where its steps do not show what is expected, the run goes on under the default policy, since what must hold at rest can be said only
    there. ``neighbours``: whether to look for the passing neighbour.
    """
    driver = Driver(design, case.scenario, properties)
    try:
        deviations = record(driver, case.schedule)
    except NotEnabled as error:
        step, steps = len(driver.world.log) + 1, len(case.schedule)
        raise HeatproofError(
            f"{source} does not fit {design.name} at step {step} of {steps}: {error}; 'heatproof replay' says more"
        ) from error
    end = "rest"
    if not driver.world.at_rest and (case.expected is None or case.expected not in driver.monitor.violations):
        end = driver.settle()
    violations = driver.monitor.violations
    found = violations.get(case.expected) if case.expected is not None else next(iter(violations.values()), None)
    others = [violation for violation in violations.values() if violation is not found]
    expected = None if found is None else (found.name, found.witness.kind)
    other, reason = None, ""
    if expected is not None and neighbours:
        if deviations:
            other = neighbour(design, case.scenario, properties, deviations, expected, driver.world)
            if other is None:
                tried = "none of its deviations" if len(deviations) <= TRIED else f"none of its last {TRIED} deviations"
                reason = f"There is no passing neighbour: the failure needs {tried}, each left out alone."
        else:
            reason = "There is no passing neighbour: this run follows the default order of things, without any deviation."
    return Told(case, design, trace(driver.world), deviations, found, _held(case, end), others, other, reason)


def _held(case: Case, end: str) -> str:
    """How a run ended in which what was expected does not show."""
    how = {
        "rest": "the run comes to rest",
        "cut": "the run was cut before it came to rest, so this is no verdict",
        "circle": "the run goes round in circles",
    }[end]
    if case.expected is None:
        return f"Nothing is violated: {how}."
    return f"The expected failure does not show ({': '.join(case.expected)}): {how}."


__all__ = ["Told", "told"]
