"""Making a failure small: the same failure with fewer faults, operations, resources, engines, and fewer deviations.

Two passes take turns until neither helps: the scenario loses a part (and if the deviations no longer show the failure there, a
short renewed search looks for another schedule that does), and the deviations are minimised by delta debugging (Zeller and
Hildebrandt 2002) and local moves. Every accepted candidate is recorded anew, so that its deviations are those of the run it made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from heatproof.model.design import Design
from heatproof.model.errors import HeatproofError, NotEnabled
from heatproof.model.program import Program
from heatproof.model.scenario import Operation, Scenario, Scope
from heatproof.model.templates import Attr, Ref, ResourceDef, Template
from heatproof.model.world import Action
from heatproof.properties.base import Property
from heatproof.properties.monitor import Violation
from heatproof.strategies import running
from heatproof.strategies.policies import PORTFOLIO
from heatproof.strategies.running import Driver, Plan
from heatproof.strategies.schedules import Anchors, Deviation, record, replay

Key = tuple[str, str]
LONGEST, SINGLES = 400, 800
"""How many steps of the default run are gone through for single deviations, and how many of those are tried."""


@dataclass(slots=True)
class Failure:
    """A violation with everything that shows it again: the scenario, the actions in order, and the deviations they are."""

    scenario: Scenario
    actions: list[Action]
    violation: Violation
    deviations: list[Deviation] = field(default_factory=list)
    small: bool = False  # whether a shrinker has done with it

    @property
    def score(self) -> tuple[int, ...]:
        """What is made small, in order of weight."""
        s = self.scenario
        weight = sum(
            len(r.properties) + len(r.depends_on) + len(r.fails) + (r.kind != "thing")
            + 2 * sum(isinstance(v, Ref | Attr) for _, v in r.properties)
            for o in s.operations if o.template is not None for r in o.template.resources
        )  # fmt: skip
        options = sum(o.rollback + o.timeout for o in s.operations)
        size = sum(len(o.template) for o in s.operations if o.template is not None)
        return (
            sum(s.faults.values()), len(s.operations), s.size, size, s.scope.engines, s.scope.threads, weight + options,
            len(self.deviations), len(self.actions),
        )  # fmt: skip


class Shrinker:
    """Shrinks one failure within a budget of runs. ``best`` is always a failure of the same kind."""

    def __init__(self, design: Design, properties: Sequence[Property], failure: Failure, budget: int = 1500):
        self.design = design
        self.properties = [p for p in properties if p.name == failure.violation.name or _remembers(p)]
        self.key: Key = failure.violation.key
        self.left = budget
        self.best = failure
        self.programs: dict[Scenario, Program] = {}
        self.searched: set[Scenario] = set()
        first = self._recorded(failure.scenario, failure.actions)
        if first is not None:
            self.best = first

    def shrink(self) -> Failure:
        """Make it as small as the budget allows."""
        self._try(self.best.scenario, self.best.deviations)  # a run that goes round in circles is cut after its first lap
        unfinished = True
        while unfinished and self.left > 0:
            before = self.best.score
            self._fewer_deviations()
            unfinished = self._smaller_scenario(self.left // 2) or self.best.score != before
        self._one_deviation()
        self.best.small = True
        return self.best

    # ------------------------------------------------------------------------------------------------------ trying

    def _driver(self, scenario: Scenario) -> Driver:
        program = self.programs.get(scenario)
        if len(self.programs) > 50:
            self.programs.clear()
        driver = Driver(self.design, scenario, self.properties, program)
        self.programs[scenario] = driver.world.program
        return driver

    def _recorded(self, scenario: Scenario, actions: Sequence[Action]) -> Failure | None:
        """The failure that exactly these actions show, cut after it is seen."""
        driver = self._driver(scenario)
        try:
            deviations = record(driver, actions)
        except NotEnabled:
            return None
        violation = driver.monitor.violations.get(self.key)
        if violation is None:
            return None
        used = {k: n for k, n in driver.world.happened.items() if n}
        if used != dict(scenario.faults):
            return self._recorded(replace(scenario, faults=used), actions)
        done = [e.action for e in driver.world.log]
        return Failure(scenario, done, violation, deviations)

    def _try(self, scenario: Scenario, deviations: Sequence[Deviation]) -> bool:
        """Replay with these deviations; keep it if it is the same failure and smaller."""
        if self.left <= 0:
            return False
        self.left -= 1
        driver = self._driver(scenario)
        try:
            replay(driver, deviations, limit=len(self.best.actions) * 2 + 500)
        except HeatproofError:
            return False  # a mistake of the design or of a property; the explorer tells it if it comes to it
        violation = driver.monitor.violations.get(self.key)
        if violation is None:
            return False
        actions = [e.action for e in driver.world.log][: violation.step]
        return self._keep(scenario, actions)

    def _keep(self, scenario: Scenario, actions: Sequence[Action]) -> bool:
        candidate = self._recorded(scenario, actions)
        if candidate is None or candidate.score >= self.best.score:
            return False
        self.best = candidate
        return True

    def _search(self, scenario: Scenario, runs: int) -> bool:
        """Look for another schedule of ``scenario`` that shows the failure, once for each scenario."""
        if scenario in self.searched:
            return False
        self.searched.add(scenario)
        for seed in range(min(runs, self.left)):
            self.left -= 1
            rng = Random(seed)
            plan = Plan(PORTFOLIO[seed % len(PORTFOLIO)], seed, rng.choice((0.0, 0.01, 0.05)), rng.choice((0.01, 0.05)), steps=600)
            driver = self._driver(scenario)
            try:
                found = running.run(self.design, scenario, self.properties, plan, driver.world.program)
            except HeatproofError:
                continue
            violation = found.violations.get(self.key)
            if violation is not None and self._keep(scenario, found.actions[: violation.step]):
                return True
        return False

    # -------------------------------------------------------------------------------------------------- deviations

    def _fewer_deviations(self) -> None:
        pieces = 2
        while self.left > 0 and self.best.deviations:
            deviations = self.best.deviations
            size = max(1, len(deviations) // pieces)
            for start in range(0, len(deviations), size):
                if self._try(self.best.scenario, deviations[:start] + deviations[start + size :]):
                    pieces = max(2, pieces - 1)
                    break
            else:
                if size == 1:
                    break
                pieces = min(len(deviations), pieces * 2)
        for index, deviation in enumerate(list(self.best.deviations)):
            if deviation.instead.kind == "deliver" and index < len(self.best.deviations):
                for engine in ("E1", "E2"):
                    other = Deviation(deviation.anchor, deviation.instead._replace(detail=engine))
                    if other != deviation:
                        changed = list(self.best.deviations)
                        changed[index] = other
                        if self._try(self.best.scenario, changed):
                            break

    def _one_deviation(self) -> None:
        """Delta debugging is local: it ends at several deviations where another single one would do. So every single deviation from
        the default run is tried, within a budget of its own; not with faults, which are deviations that must stay."""
        scenario = self.best.scenario
        if scenario.faults or len(self.best.deviations) < 2:
            return
        driver = self._driver(scenario)
        world, anchors = driver.world, Anchors(driver.world)
        candidates = []
        while (default := world.default()) is not None and len(world.log) < LONGEST:
            anchor = anchors.of(default)
            for other in world.progress() + world.operations():
                if other.subject != default.subject:
                    candidates.append(Deviation(anchor, other))
            try:
                driver.perform(default)
            except HeatproofError:
                break
            anchors.performed(default)
        self.left = min(SINGLES, len(candidates))
        for candidate in candidates:
            if self._try(scenario, [candidate]):
                return

    # ---------------------------------------------------------------------------------------------------- scenario

    def _smaller_scenario(self, reserve: int) -> bool:
        """Take parts away until that many runs are left, which deviations are to be made fewer with; whether it had to stop there."""
        tried: set[Scenario] = set()
        progress = True
        while progress:
            progress = False
            for smaller in smaller_scenarios(self.best.scenario):
                if self.left <= reserve:
                    return self.left > 0
                if smaller in tried:
                    continue
                tried.add(smaller)
                if self._try(smaller, self.best.deviations) or self._search(smaller, runs=12):
                    progress = True
                    break
        return False


def _remembers(prop: Property) -> bool:
    """Whether other properties rely on what this one notes."""
    return prop.expectation == "always" and "stack" in prop.watches and not prop.name.startswith("COMPLETE")


def smaller_scenarios(scenario: Scenario) -> Iterator[Scenario]:
    """Scenarios with one part less, the largest parts first."""

    def attempt(make: Callable[[], Scenario]) -> Iterator[Scenario]:
        try:
            yield make()
        except HeatproofError:
            return

    operations = scenario.operations
    for kind, count in scenario.faults.items():
        yield replace(scenario, faults={**scenario.faults, kind: count - 1})
    for index in reversed(range(len(operations) if len(operations) > 1 else 0)):
        yield from attempt(lambda index=index: replace(scenario, operations=operations[:index] + operations[index + 1 :]))  # type: ignore[misc]
    names = sorted({n for o in operations if o.template is not None for n in o.template.names}, reverse=True)
    for name in names:
        yield from attempt(lambda name=name: replace(scenario, operations=tuple(_without(o, name) for o in operations)))  # type: ignore[misc]
    for index, operation in enumerate(operations):
        if operation.template is not None:
            for name in reversed(operation.template.names):
                changed = (*operations[:index], _without(operation, name), *operations[index + 1 :])
                yield from attempt(lambda changed=changed: replace(scenario, operations=changed))  # type: ignore[misc]
    scope = scenario.scope
    if scope.engines > 1:
        yield replace(scenario, scope=Scope(scope.engines - 1, scope.threads, scope.reorder))
    if scope.threads > 1:
        yield replace(scenario, scope=Scope(scope.engines, scope.threads - 1, scope.reorder))
    for index, operation in enumerate(operations):
        for simpler in _simpler_operations(operation):
            yield replace(scenario, operations=(*operations[:index], simpler, *operations[index + 1 :]))
    for change in _everywhere(operations):
        yield from attempt(lambda change=change: replace(scenario, operations=change))  # type: ignore[misc]


def _without(operation: Operation, name: str) -> Operation:
    if operation.template is None:
        return operation
    kept = []
    for definition in operation.template.resources:
        if definition.name != name:
            kept.append(_unlinked(definition, name))
    return operation._replace(template=Template(kept))


def _unlinked(definition: ResourceDef, name: str) -> ResourceDef:
    """The definition with references to ``name`` made plain."""

    def plain(pairs: tuple[tuple[str, object], ...]) -> tuple[tuple[str, object], ...]:
        return tuple((k, 0 if isinstance(v, Ref | Attr) and v.resource == name else v) for k, v in pairs)

    return definition._replace(
        in_place=plain(definition.in_place), replace=plain(definition.replace),  # type: ignore[arg-type]
        depends_on=tuple(d for d in definition.depends_on if d != name),
    )  # fmt: skip


def _simpler_operations(operation: Operation) -> Iterator[Operation]:
    if operation.rollback:
        yield operation._replace(rollback=False)
    if operation.timeout:
        yield operation._replace(timeout=False)


def _everywhere(operations: tuple[Operation, ...]) -> Iterator[tuple[Operation, ...]]:
    """The same simplification of one resource in every template: no such property, no such dependency, nothing special."""
    definitions = [d for o in operations if o.template is not None for d in o.template.resources]
    for name in sorted({d.name for d in definitions}, reverse=True):
        mine = [d for d in definitions if d.name == name]
        for prop in sorted({p for d in mine for p, _ in d.properties}):
            yield _mapped(operations, name, lambda d, p=prop: _dropped(d, p))  # type: ignore[misc]
        for other in sorted({r for d in mine for r in d.requires()}):
            yield _mapped(operations, name, lambda d, r=other: _unlinked(d, r))  # type: ignore[misc]
            if any(other in d.requires() and d.depends_on != (other,) for d in mine):
                yield _mapped(operations, name, lambda d, r=other: _explicit(d, r))  # type: ignore[misc]
        if any(d.fails for d in mine):
            yield _mapped(operations, name, lambda d: d._replace(fails=()))
        if any(d.kind != "thing" for d in mine):
            yield _mapped(operations, name, lambda d: d._replace(kind="thing"))


def _explicit(definition: ResourceDef, other: str) -> ResourceDef:
    """The reference to ``other`` as a plain depends_on."""
    if other not in definition.requires():
        return definition
    unlinked = _unlinked(definition, other)
    return unlinked._replace(depends_on=tuple(sorted({*unlinked.depends_on, other})))


def _dropped(definition: ResourceDef, prop: str) -> ResourceDef:
    return definition._replace(
        in_place=tuple(p for p in definition.in_place if p[0] != prop), replace=tuple(p for p in definition.replace if p[0] != prop)
    )


def _mapped(operations: tuple[Operation, ...], name: str, change: Callable[[ResourceDef], ResourceDef]) -> tuple[Operation, ...]:
    return tuple(
        o if o.template is None else o._replace(template=Template(change(d) if d.name == name else d for d in o.template.resources))
        for o in operations
    )
