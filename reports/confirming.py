"""A case of one target tried on its counterpart: what was found on the model on the real engine, and the other way round.

First the same scenario under the same schedule, step by step by what the steps do (:mod:`heatproof.strategies.corresponding`), then schedules
near by under a stated budget of runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from heatproof.model import catalogue, interrupting
from heatproof.model.design import Design
from heatproof.model.errors import HeatproofError
from heatproof.model.scenario import Scenario
from heatproof.properties.base import Property
from heatproof.properties.monitor import Violation
from heatproof.reports.case_checks import parts
from heatproof.reports.cases import Case
from heatproof.reports.judging import noted
from heatproof.reports.story import story
from heatproof.strategies.asked import properties_for
from heatproof.strategies.corresponding import Across, Did, Difference, marked
from heatproof.strategies.following import exactly, steps_of
from heatproof.strategies.nearby import LEAST, Nearby, Stored, pick
from heatproof.strategies.running import Driver
from heatproof.strategies.schedules import Deviation, record

BUDGET = 200
"""Runs near by, unless somebody says otherwise: the engine makes a few in a second."""

Answer = Literal["confirmed", "confirmed, differently scheduled", "not reproduced", "out of reach", "cannot be decided"]
CONFIRMED: Answer = "confirmed"
ELSEWHERE: Answer = "confirmed, differently scheduled"
NOT: Answer = "not reproduced"
BEYOND: Answer = "out of reach"
UNDECIDED: Answer = "cannot be decided"


class OutOfReachError(HeatproofError):
    """A case cannot be tried on the other target; the message says why."""


@dataclass(slots=True)
class Confirmation:
    """What trying a case on its counterpart came to.

    - ``answer``: one of the five above; ``on``: the design it was tried on; ``told``: how it came to that, as sentences.
    - ``difference``: the first place where the other target did not do the same; None: it did the same to the end of the schedule.
    - ``violation``, ``driver``, ``deviations``: the run that confirms it, and ``case``: that run as a case of the other target; where an interrupt
      came before that was made once more, there is no ``case``.
    """

    answer: Answer
    on: str
    told: list[str] = field(default_factory=list)
    difference: Difference | None = None
    violation: Violation | None = None
    driver: Driver | None = None
    deviations: Sequence[Deviation] = ()
    case: Case | None = None

    @property
    def confirmed(self) -> bool:
        """Whether the other target fails too."""
        return self.answer in (CONFIRMED, ELSEWHERE)

    def story(self, full: bool = False) -> str:
        """The story of the run that confirms it. Only where there is one."""
        assert self.driver is not None
        assert self.violation is not None
        assert self.case is not None
        return story(self.driver.world, self.deviations, self.violation, self.case.title, full)


def counterpart(spec: str) -> str:
    """The design that a case of the design ``spec`` is tried on. Raises :class:`OutOfReachError` where there is none."""
    if catalogue.is_file(spec):
        raise OutOfReachError(f"{spec} is a design of somebody's own; the real engine does not run it")
    name, changes = parts(spec)
    other = catalogue.COUNTERPARTS[name]
    known = catalogue.changes_of(other)
    settings = catalogue.settings_of(name)
    changes = [change for change in changes if change not in settings]
    if missing := [change for change in changes if change not in known]:
        raise OutOfReachError(
            f"the case is about {spec!r}, and {other!r} has no change {missing[0]!r}: a mutation is a mistake that the other target does"
            " not make"
        )
    return "+".join([other, *changes])


def confirm(
    case: Case,
    own: tuple[Design, Sequence[Property]],
    on: str,
    budget: int = BUDGET,
    notify: Callable[[str], None] = lambda _line: None,
) -> Confirmation:
    """Try a case of the design ``own`` (with its properties) on the design ``on``, with at most ``budget`` runs near by. ``notify`` is told
    when it becomes longer. Deterministic. Raises :class:`HeatproofError` for a case that says what must hold, and if there is no such design. An
    interrupt brings what was known before it (:class:`Interrupted`), once the same schedule was followed."""
    if case.expectation != "fails":
        raise HeatproofError("this case says what must hold; there is no failure to confirm")
    found = Confirmation(NOT, on)
    try:
        return _tried_on(found, case, own, budget, notify)
    except KeyboardInterrupt:
        if not found.told:
            raise
        if found.answer == NOT:
            found.answer = UNDECIDED
            found.told.append("Interrupted before anything near by was looked at.")
        raise interrupting.Interrupted(found) from None


def _tried_on(
    found: Confirmation, case: Case, own: tuple[Design, Sequence[Property]], budget: int, notify: Callable[[str], None]
) -> Confirmation:
    """The same, noting in ``found`` what it comes to on its way."""
    on = found.on
    try:
        scenario, properties = _tried(case, on)
    except OutOfReachError as error:
        return Confirmation(BEYOND, on, [f"{error}."])
    done = _own(case, *own)
    if isinstance(done, str):
        return Confirmation(UNDECIDED, on, [done])
    design = catalogue.load(on)
    try:
        across, end = _followed(Driver(design, scenario, properties), done)
        driver, found.difference = across.driver, across.difference
        found.told.append(_first(across, done))
        if (violation := pick(driver.monitor.violations, case.expected)) is not None:
            return _confirmed(found, CONFIRMED, case, design, driver, violation)
        found.told.append("It ended without the failure." if end != "cut" else "It did not come to rest.")
        if not scenario.scope.reorder:  # who is sent first of several at once is left open by Heat
            free = replace(scenario, scope=scenario.scope._replace(reorder=True))
            again, _ = _followed(Driver(design, free, properties), done)
            if (violation := pick(again.driver.monitor.violations, case.expected)) is not None:
                found.told.append("It fails under the same schedule if messages may overtake each other, as those of Heat may.")
                return _confirmed(found, ELSEWHERE, case, design, again.driver, violation)
    except HeatproofError as error:
        return Confirmation(UNDECIDED, on, [*found.told, f"In the run something went wrong: {error}"])
    others = {kind for name, kind in driver.monitor.violations if case.expected is not None and name == case.expected[0]}
    if budget < 1:
        found.answer = UNDECIDED
        found.told.append(f"Nobody looked near by; it takes at least {LEAST} runs there to say anything.")
        return found
    notify(f"{' '.join(found.told)} Looking near by, in up to {budget} runs ...")
    actions = [entry.action for entry in driver.world.log]
    deviations = tuple(record(Driver(design, scenario, []), actions))
    near = Nearby(design, properties, scenario, Stored(tuple(actions), steps_of(driver.world), deviations), case.expected, budget)
    came = near.found
    try:
        near.search()
    except KeyboardInterrupt:
        if came.violation is None:
            found.answer = UNDECIDED
            found.told.append(near.interrupted())
            raise
    if came.violation is not None:
        found.answer = ELSEWHERE
        found.told.append(f"Near by it fails: {came.stage}, in run {came.runs} of at most {budget}.")
        with interrupting.LAST:
            near_by = Driver(design, scenario, properties)
            exactly(near_by, came.actions)
            violation = pick(near_by.monitor.violations, case.expected)
            assert violation is not None
            return _confirmed(found, ELSEWHERE, case, design, near_by, violation)
    others |= came.others
    found.told.append(f"{came.runs} runs near by did not show it; that is no proof.")
    if others:
        found.told.append(f"The property was violated by other witnesses: {', '.join(sorted(others))}.")
    if came.raised:
        found.told.append(f"{len(came.raised)} of these runs went wrong, the first like this: {came.raised[0]}")
    too_little = [f"it takes at least {LEAST} runs near by"] if came.runs < LEAST else []
    too_little += [f"{came.cut} of the runs were cut before they came to rest"] if came.cut * 2 > came.runs else []
    too_little += ["most of them went wrong"] if len(came.raised) * 2 > came.runs else []
    if too_little:
        found.answer = UNDECIDED
        found.told.append(f"That is too little to say anything: {'; '.join(too_little)}.")
    return found


def _followed(driver: Driver, done: Sequence[Did]) -> tuple[Across, str]:
    """Follow a schedule to rest; how that ended."""
    across = Across(driver, done)
    with driver.world.program.watchdog():
        across.follow()
        end = driver.settle()
    return across, end


def _tried(case: Case, on: str) -> tuple[Scenario, list[Property]]:
    """The scenario and the properties for the other target. Raises :class:`OutOfReachError`."""
    design = catalogue.load(on)
    struck = {action.kind for action in case.schedule}
    if immune := sorted(design.immune & struck):
        raise OutOfReachError(
            f"the fault {immune[0]!r} of its schedule cannot be injected into {on}: there a transaction is one action"
        )
    if reason := design.refuses(case.scenario.operations, case.scenario.scope.engines):
        raise OutOfReachError(reason)
    properties = properties_for(on)
    if case.expected is not None and case.expected[0] not in {p.name for p in properties}:
        raise OutOfReachError(f"the property {case.expected[0]!r} is not asked of {on}")
    faults = {kind: count for kind, count in case.scenario.faults.items() if kind not in design.immune}
    return Scenario(case.scenario.operations, case.scenario.scope, faults), properties


def _own(case: Case, design: Design, properties: Sequence[Property]) -> list[Did] | str:
    """What the case does on its own design, or why that is not to be had."""
    driver = Driver(design, case.scenario, properties)
    try:
        with driver.world.program.watchdog():
            _, misfit = exactly(driver, case.schedule, case.steps)
            if misfit is not None:
                return f"The case does not fit its own design any more: {misfit}. Bring it up to date with 'heatproof replay --output'."
            if pick(driver.monitor.violations, case.expected) is None:
                driver.settle()
            if pick(driver.monitor.violations, case.expected) is None:
                return "The case does not fail on its own design any more; see 'heatproof replay'."
            return marked(Driver(design, case.scenario, []), case.schedule)
    except HeatproofError as error:
        return f"On its own design something went wrong: {error}"


def _first(across: Across, done: Sequence[Did]) -> str:
    if across.difference is None:
        return f"All {len(done)} actions have their counterpart."
    return f"First difference: {across.difference}."


def _confirmed(
    found: Confirmation, answer: Answer, case: Case, design: Design, driver: Driver, violation: Violation
) -> Confirmation:
    actions = [entry.action for entry in driver.world.log[: violation.step]]
    found.answer, found.violation = answer, violation
    with interrupting.LAST:
        found.driver = Driver(design, driver.world.scenario, driver.properties)
        found.deviations, _ = exactly(found.driver, actions)
        made = case._replace(design=found.on, scenario=driver.world.scenario, expected=violation.key, origin=_origin(case))
        found.case = noted(made, design, actions)
    return found


def _origin(case: Case) -> str:
    here = f"found on {case.design}"
    return f"{case.origin}; {here}" if case.origin else here


__all__ = [
    "BEYOND",
    "BUDGET",
    "CONFIRMED",
    "ELSEWHERE",
    "NOT",
    "UNDECIDED",
    "Confirmation",
    "OutOfReachError",
    "confirm",
    "counterpart",
]
