"""Judging a stored case: exactly as it is stored, and where that does not show its failure, near by. The one place for it.

There are three answers and what goes with them: the failure shows (exactly, or differently scheduled), it is not found any more, or
it cannot be decided. Which of them is right is the case's ``expectation``.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from heatproof.model import catalogue, interrupting
from heatproof.model.design import Design
from heatproof.model.errors import HeatproofError, ScenarioError
from heatproof.model.world import Action
from heatproof.properties.base import Property
from heatproof.properties.monitor import Violation
from heatproof.reports import case_checks
from heatproof.reports.cases import Case
from heatproof.reports.story import setting, story
from heatproof.strategies.asked import properties_for
from heatproof.strategies.following import Misfit, exactly, steps_of
from heatproof.strategies.nearby import BUDGET, LEAST, Found, Nearby, Stored, pick
from heatproof.strategies.running import Driver
from heatproof.strategies.schedules import Deviation, record

Answer = Literal["still fails", "still fails, differently scheduled", "not found any more", "cannot be decided"]
FAILS: Answer = "still fails"
ELSEWHERE: Answer = "still fails, differently scheduled"
GONE: Answer = "not found any more"
UNDECIDED: Answer = "cannot be decided"


@dataclass(slots=True)
class Judgement:
    """What judging a case came to.

    - ``answer``: one of the four above; ``told``: how it came to that, as sentences.
    - ``driver``, ``deviations``, ``violation``: the run that shows the failure, for who wants to tell it; where none does, or it could not be
      made once more before an interrupt, the driver is at the end of the exact replay (or at its misfit), and None if there is not even a world.
    - ``misfit``: where the exact replay did not fit. ``found``: what the search near by came to, if there was one.
    - ``case``: where the failure shows, the case as it is now: its schedule, steps and deviations on the design as it is.
    """

    answer: Answer
    told: list[str]
    driver: Driver | None = None
    deviations: Sequence[Deviation] = ()
    violation: Violation | None = None
    misfit: Misfit | None = None
    found: Found | None = None
    case: Case | None = None

    @property
    def shows(self) -> bool:
        """Whether the failure shows."""
        return self.answer in (FAILS, ELSEWHERE)

    def as_expected(self, case: Case) -> bool:
        """Whether the case got what it expects. What cannot be decided is never as expected."""
        return self.shows if case.expectation == "fails" else self.answer == GONE

    def story(self, case: Case, full: bool = False) -> str:
        """The story of the failure, folded unless it is to be ``full``. Only where it shows."""
        assert self.driver is not None
        assert self.violation is not None
        return story(self.driver.world, self.deviations, self.violation, case.title, full)

    def account(self, case: Case) -> str:
        """The story of the failure, or, of a case that holds, what was asked of it and how it went."""
        if self.shows:
            return self.story(case)
        expected = "anything" if case.expected is None else ": ".join(case.expected)
        lines = [case.title, "", *(f"  {line}" for line in setting(case.scenario)), "", f"  Must hold on {case.design}: {expected}"]
        return "\n".join([*lines, *(f"  {line}" for line in self.told)])


def design_of(case: Case, place: str, own: str | None = None, trusted: Path | None = None) -> tuple[Design, list[Property]]:
    """The design a case is judged on, with its properties: ``own`` if the user names one, else the one in the case.

    A case is data, and loading a design of the user's own runs it. So a case's FILE.py:Class is loaded only if the user names it himself
    (``own``), or if FILE.py lies, seen from ``trusted``, in that folder, such as the one of a project whose tests are being run.
    Raises :class:`HeatproofError`, also for an expected property that the design is not asked.
    """
    spec = own or case.design
    if own is None and catalogue.is_file(spec):
        if trusted is None:
            raise HeatproofError(
                f"{place} is about {spec!r}, which is code of somebody's own. A case is data and runs no code, so name the design"
                f" yourself if you trust it: --design {spec}"
            )
        file, wanted = catalogue.parted(spec)
        path = (trusted / file).resolve()
        if not path.is_relative_to(trusted.resolve()):
            raise HeatproofError(f"{place} is about {spec!r}, which is not in {trusted}; a case from elsewhere runs no code here")
        spec = f"{path}:{wanted}"
    design = catalogue.load(spec)
    design.handlers()
    properties = properties_for(spec)
    if case.expected is not None:
        try:
            case_checks.refuse_expected(case.expected, {p.name: p for p in properties})
        except HeatproofError as error:
            raise HeatproofError(f"{place} cannot be judged on {spec}: {error}") from error
    return design, properties


def replay_command(path: Path, spec: str, stored: str | None = None) -> str:
    """The command that replays a case on that design: one of the user's own has to be named, and so has one that is not the ``stored`` one."""
    design = f" --design {shlex.quote(spec)}" if catalogue.is_file(spec) or spec != (stored or spec) else ""
    return f"heatproof replay {shlex.quote(str(path))}{design}"


def judge(
    case: Case,
    design: Design,
    properties: Sequence[Property],
    budget: int = BUDGET,
    notify: Callable[[str], None] = lambda _line: None,
) -> Judgement:
    """Judge a case on a design, with at most ``budget`` runs near by (0: exactly or not at all). ``notify`` is told when it
    becomes longer. Deterministic: the same case, design and budget get the same judgement. Raises nothing for what a case or a design
    can do wrong: that cannot be decided. An interrupt of the look near by brings what was known before it (:class:`Interrupted`)."""
    wanted = _wanted(case)
    try:
        driver = Driver(design, case.scenario, properties)
    except ScenarioError as error:
        return Judgement(UNDECIDED, [f"{design.name!r} cannot have this scenario: {error}"])
    except HeatproofError as error:
        return Judgement(UNDECIDED, [str(error)])
    try:
        with driver.world.program.watchdog():
            judged = _exactly(case, driver, wanted)
    except HeatproofError as error:
        at = len(driver.world.log) + 1
        return Judgement(UNDECIDED, [f"at action {at} of {len(case.schedule)} something went wrong: {error}"], driver)
    if judged.shows or (judged.answer == GONE and case.expectation == "holds"):
        return judged
    if budget < 1:
        return _changed(judged, UNDECIDED, "Nobody looked near by, since the budget is 0 runs.")
    notify(f"{judged.told[-1]} Looking near by, in up to {budget} runs ...")
    search = Nearby(design, properties, case.scenario, Stored(case.schedule, case.steps, case.deviations), wanted, budget)
    try:
        try:
            search.search()
        except KeyboardInterrupt:
            if search.found.violation is None:
                raise
        return _near(case, judged, search.found, search, budget)
    except KeyboardInterrupt:
        if search.found.violation is None:
            _changed(judged, UNDECIDED, search.interrupted())
        raise interrupting.Interrupted(judged) from None


def _wanted(case: Case) -> tuple[str, str | None] | None:
    """What must hold must hold whatever the witness."""
    if case.expected is None or case.expectation == "fails":
        return case.expected
    return (case.expected[0], None)


def _exactly(case: Case, driver: Driver, wanted: tuple[str, str | None] | None) -> Judgement:
    deviations, misfit = exactly(driver, case.schedule, case.steps)
    if misfit is not None:
        return Judgement(UNDECIDED, [f"The schedule does not fit any more: {misfit}."], driver, misfit=misfit)
    count, world = len(case.schedule), driver.world
    violation = pick(driver.monitor.violations, wanted)
    rest, end = "", "rest"
    if violation is None and not world.at_rest:
        end = driver.settle()
        more = len(world.log) - count
        rest = f", {more} more lead to rest" if end == "rest" else f", {more} more do not lead to rest"
        violation = pick(driver.monitor.violations, wanted)
    if violation is not None:
        told = [f"All {count} actions fit{rest}, and the failure shows."]
        with interrupting.LAST:
            return Judgement(FAILS, told, driver, deviations, violation, case=_renewed(case, driver, violation))
    told = [f"All {count} actions fit{rest}, and the failure does not show."]
    if end == "cut":
        return Judgement(UNDECIDED, told, driver, deviations)
    others = [kind for name, kind in driver.monitor.violations if wanted is not None and name == wanted[0]]
    told += [f"The property is violated, but by another witness: {', '.join(others)}."] if others else []
    return Judgement(GONE, told, driver, deviations)


def _near(case: Case, judged: Judgement, found: Found, search: Nearby, budget: int) -> Judgement:
    judged.found = found
    if found.violation is not None:
        _changed(judged, ELSEWHERE, f"Near by it still fails: {found.stage}, in run {found.runs} of at most {budget}.")
        with interrupting.LAST:
            driver = Driver(search.design, case.scenario, search.properties, search.program)
            deviations, misfit = exactly(driver, found.actions)
            assert misfit is None
            violation = pick(driver.monitor.violations, _wanted(case))
            assert violation is not None
            judged.case = _renewed(case, driver, violation)
            judged.driver, judged.deviations, judged.violation = driver, deviations, violation
        return judged
    if found.raised:
        why = f"{len(found.raised)} of {found.runs} runs near by went wrong, the first like this: {found.raised[0]}"
        return _changed(judged, UNDECIDED, why)
    if found.cut * 2 > found.runs:
        return _changed(judged, UNDECIDED, f"{found.cut} of {found.runs} runs near by were cut before they came to rest.")
    if found.runs < LEAST:
        return _changed(judged, UNDECIDED, f"{found.runs} runs near by did not show it; fewer than {LEAST} say nothing.")
    others = f" The property was violated by other witnesses: {', '.join(sorted(found.others))}." if found.others else ""
    return _changed(judged, GONE, f"{found.runs} runs near by did not show it either; that is no proof.{others}")


def _changed(judged: Judgement, answer: Answer, told: str) -> Judgement:
    judged.answer = answer
    judged.told.append(told)
    return judged


def noted(case: Case, design: Design, actions: Sequence[Action]) -> Case:
    """The case with this schedule, and with the step ids and the deviations that it has on ``design`` as it is now. Raises
    :class:`HeatproofError` if these actions are not possible."""
    driver = Driver(design, case.scenario, ())
    deviations = record(driver, actions)
    return case._replace(schedule=tuple(actions), steps=steps_of(driver.world), deviations=tuple(deviations))


def _renewed(case: Case, driver: Driver, violation: Violation) -> Case:
    actions = [entry.action for entry in driver.world.log[: violation.step]]
    return noted(case._replace(expected=violation.key), driver.world.design, actions)
