"""What a stateful test raises when a design does not do what it must: told, made small and with its replay, when somebody reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from heatproof.model.design import Design
from heatproof.model.world import World
from heatproof.properties.base import Property
from heatproof.properties.monitor import Violation
from heatproof.strategies.running import Driver
from heatproof.strategies.schedules import Deviation, record, replay
from heatproof.strategies.shrinking import Failure, Key, Shrinker

Explain = Callable[[World, Sequence[Deviation], Violation], str]
"""Tells the run in a world; :func:`heatproof.reports.story.story` is one, which this room may not import."""


class Small(NamedTuple):
    """A failure made small: with its deviations, and its story if there is somebody to tell it."""

    failure: Failure
    story: str | None


_SMALL: dict[object, Small] = {}


class Violated(AssertionError):
    """``violations`` do not hold of ``design`` in one run; ``failure`` is the first of them, with the run that leads to it.

    The text is made on demand, since it takes up to ``shrink`` runs: all violations, the story of the first one made small
    (if ``explain`` is given), and how to see it again: what ``again`` says, or else Python.
    """

    def __init__(
        self,
        design: Design,
        properties: Sequence[Property],
        failure: Failure,
        violations: Sequence[Violation],
        explain: Explain | None = None,
        shrink: int = 300,
    ):
        super().__init__()
        self.design = design
        self.properties = list(properties)
        self.failure = failure
        self.violations = tuple(violations)
        self.explain = explain
        self.shrink = shrink
        self.again = ""

    def __str__(self) -> str:
        return "\n".join(self._told())

    def small(self) -> Small:
        """The first violation made small; once, since Hypothesis and pytest raise and read the same failure several times."""
        failure = self.failure
        key = (
            self.design, tuple(self.properties), failure.scenario, tuple(failure.actions), failure.violation.key, self.explain,
            self.shrink,
        )  # fmt: skip
        if key not in _SMALL:
            if len(_SMALL) > 50:
                _SMALL.clear()
            if self.shrink:
                failure = Shrinker(self.design, self.properties, failure, self.shrink).shrink()
            driver = Driver(self.design, failure.scenario, self.properties)
            failure = replace(failure, deviations=record(driver, failure.actions))
            told = None if self.explain is None else self.explain(driver.world, failure.deviations, failure.violation)
            _SMALL[key] = Small(failure, told)
        return _SMALL[key]

    def _told(self) -> Iterator[str]:
        count = f"{len(self.violations)} properties do" if len(self.violations) > 1 else "a property does"
        yield f"{count} not hold of design {self.design.name!r}:"
        for number, violation in enumerate(self.violations, 1):
            yield f"  {number}. {violation.name}: {violation.witness}"
        failure, story = self.small()
        if story is not None:
            yield f"\n{story}"
        if self.again:
            yield f"\n{self.again}"
            return
        yield "\nTo see it again, with the design and the properties of this test:\n"
        yield from (f"    {line}" for line in self._script(failure, failure.deviations))

    def _script(self, failure: Failure, deviations: Sequence[Deviation]) -> Iterator[str]:
        """By the deviations, or by all actions where the deviations alone do not lead there."""
        scenario, key = failure.scenario, failure.violation.key
        driver = Driver(self.design, scenario, self.properties)
        replay(driver, deviations)
        short = key in driver.monitor.violations
        yield "from heatproof.model.scenario import Operation, Scenario, Scope"
        yield "from heatproof.model.templates import Attr, Ref, Template, resource"
        yield "from heatproof.model.world import Action"
        yield "from heatproof.strategies.running import Driver"
        yield "from heatproof.strategies.schedules import Anchor, Deviation, record, replay"
        yield ""
        yield "operations = ["
        yield from (f"    {operation!r}," for operation in scenario.operations)
        yield "]"
        yield f"scenario = Scenario(operations, {scenario.scope!r}, {dict(scenario.faults)!r})"
        yield f"{'deviations' if short else 'actions'} = ["
        yield from (f"    {part!r}," for part in (deviations if short else failure.actions))
        yield "]"
        yield "driver = Driver(design, scenario, properties)"
        yield "replay(driver, deviations)" if short else "record(driver, actions)"
        yield f"assert {key!r} in driver.monitor.violations"


@cache
def violated(_key: Key) -> type[Violated]:
    """The type of failures whose first violation has that key. Hypothesis tells failures apart by type and place only; with a type for
    each kind it shrinks and reports each by itself, and none turns into another on the way."""
    return type("Violated", (Violated,), {"__module__": __name__})
