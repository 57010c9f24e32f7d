"""Making a failure small: the same failure with fewer faults, operations, resources, engines, and fewer deviations.

Passes take turns until none helps. The scenario loses a part, and where the deviations no longer show the failure in what is left,
other schedules of it are looked for. The deviations are minimised by delta debugging (Zeller and Hildebrandt 2002), then by local
moves (:mod:`heatproof.strategies.moves`). Both end where every single change makes it worse, so the last pass is a renewed search
under a tighter bound (:mod:`heatproof.strategies.fewest`): all schedules of fewer deviations, or of as many in fewer steps, as
far as the budget goes; of the scenario, and of each that is smaller. Every accepted candidate is recorded anew, so that its
deviations are those of the run it made. How near to the least the result is, is measured: docs/shrinking.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from operator import attrgetter
from random import Random

from heatproof.model.design import Design
from heatproof.model.errors import HeatproofError, NeverYields, NotEnabled
from heatproof.model.program import Program
from heatproof.model.scenario import Scenario
from heatproof.model.world import Action
from heatproof.properties.base import Property
from heatproof.properties.monitor import Violation
from heatproof.strategies import moves, running
from heatproof.strategies.fewest import Fewest, can_search
from heatproof.strategies.following import along
from heatproof.strategies.notes import with_their_notes
from heatproof.strategies.policies import PORTFOLIO
from heatproof.strategies.renumbering import renumbered
from heatproof.strategies.running import Driver, Plan
from heatproof.strategies.schedules import Deviation, places, record, replay
from heatproof.strategies.smaller import smaller_scenarios, weight

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Effort:
    """What is spent on one scenario that lacks a part, in runs: on random plans, and on a search for few deviations."""

    plans: int
    fewest: int


NONE, QUICK, THOROUGH = Effort(0, 0), Effort(12, 60), Effort(40, 300)
FEW = 2
"""Deviations that are searched for."""
LONGEST = 2_000
"""Actions that a run of such a search may have."""
DEAR = 3
"""An action of a search for few deviations takes as long as so many of a run: states are compared."""


@dataclass(slots=True)
class Failure:
    """A violation with everything that shows it again: the scenario, the actions in order, and the deviations they are."""

    scenario: Scenario
    actions: list[Action]
    violation: Violation
    deviations: list[Deviation] = field(default_factory=list)
    small: bool = False  # whether a shrinker has done with it, and was not cut
    around: int = 0  # so many of the actions, the last ones, go round a circle once; 0: that is not known

    @property
    def score(self) -> tuple[int, ...]:
        """What is made small, in order of weight: operations, faults, deviations, resources, engines, threads, what is in the templates,
        steps."""
        scenario, parts = self._parts()
        return (*scenario[:2], len(self.deviations), *scenario[2:], *parts)

    @property
    def scenario_first(self) -> tuple[int, ...]:
        """The same with deviations after resources, engines and threads."""
        scenario, parts = self._parts()
        return (*scenario, len(self.deviations), *parts)

    def _parts(self) -> tuple[tuple[int, ...], tuple[int, int]]:
        s = self.scenario
        size = sum(len(o.template) for o in s.operations if o.template is not None)
        faults = sum(s.faults.values())
        return (len(s.operations), faults, s.size, size, s.scope.engines, s.scope.threads), (weight(s), len(self.actions))


class Shrinker:
    """Shrinks one failure within a budget of runs. ``best`` is always a failure of the same kind, and ``left`` what is left of the budget,
    also while it is at work: who interrupts it can take that. ``over`` says before each run, and now and then in a search, whether time is up;
    what is left of the budget is then given up. But for that, the same failure and budget make the same."""

    def __init__(
        self,
        design: Design,
        properties: Sequence[Property],
        failure: Failure,
        budget: int = 1500,
        over: Callable[[], bool] = lambda: False,
    ):
        self.design = design
        name = failure.violation.name
        needed = with_their_notes([name], properties)
        self.properties = [p for p in properties if p.name in needed]
        self.key: Key = failure.violation.key
        self.left = budget
        self.over, self.cut = over, False
        self.best = failure
        self.programs: dict[Scenario, Program] = {}
        self.searched: set[tuple[Scenario, Effort]] = set()
        self.searches = can_search(design, self.key)
        self.by: Callable[[Failure], tuple[int, ...]] = attrgetter("scenario_first")
        self.passed: list[Failure] = []  # the best of before
        first = self._recorded(failure.scenario, failure.actions)
        if first is not None:
            self.best = first

    def shrink(self) -> Failure:
        """Make it as small as the budget allows."""
        self._try(self.best.scenario, self.best.deviations)  # a run that goes round in circles is cut after its first lap
        whole = self.left
        for effort in (NONE, QUICK, THOROUGH):
            self._passes(effort, whole // 3)
        self.by = attrgetter("score")
        while self._fewer_in_more():
            self._passes(QUICK, 0)
        effort = THOROUGH
        self._passes(effort, 0)
        while len(self.best.deviations) > FEW and self.left > 0:  # there may be more to gain, and there is a budget for it
            effort = Effort(2 * effort.plans, 4 * effort.fewest)
            self._passes(effort, 0)
        self.best.small = not self.cut
        return self.best

    def _passes(self, effort: Effort, reserve: int) -> None:
        """All passes in turn until none helps, or only so many runs are left. What costs much comes last, and then all begins again."""
        while self.left > reserve:
            before = self.by(self.best)
            self._fewer_deviations()
            self._smaller_scenario(NONE, reserve)
            if self.by(self.best) < before:
                continue
            self._moved_deviations(reserve)
            self._renewed(effort)
            if self.by(self.best) < before:
                continue
            if effort is NONE or not self._smaller_scenario(effort, reserve):
                return

    def _fewer_in_more(self) -> bool:
        """What was taken away may have been worth fewer deviations than it cost: a story of two resources and one deviation is easier to
        follow than one of one resource and four. So scenarios of before are searched for fewer deviations than there are now."""
        best = self.best
        for larger in reversed(self.passed):
            if self.left <= 0 or not best.deviations:
                return False
            same = (
                len(larger.scenario.operations) == len(best.scenario.operations) and larger.scenario.faults == best.scenario.faults
            )
            if same and len(larger.deviations) < len(best.deviations):
                self.best = larger
                self.passed.clear()
                return True
            if same and self._fewest(larger.scenario, len(best.deviations) - 1, min(self.left, THOROUGH.fewest)):
                self.passed.clear()
                return True
        return False

    # ------------------------------------------------------------------------------------------------------ trying

    def _is_over(self) -> bool:
        if self.left > 0 and self.over():
            self.left, self.cut = 0, True
        return self.cut

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
        return self._does(scenario, lambda driver: replay(driver, deviations, limit=len(self.best.actions) * 2 + 500))

    def _does(self, scenario: Scenario, run: Callable[[Driver], object]) -> bool:
        """Make one run; keep it if it is the same failure and smaller."""
        if self.left <= 0 or self._is_over():
            return False
        self.left -= 1
        driver = self._driver(scenario)
        try:
            run(driver)
        except NeverYields:
            self.left, self.cut = 0, True  # nor does it in other runs like this one, and each takes seconds
            return False
        except HeatproofError:
            return False  # a mistake of the design or of a property; the explorer tells it if it comes to it
        violation = driver.monitor.violations.get(self.key)
        if violation is None:
            return False
        actions = [e.action for e in driver.world.log][: violation.step]
        return self._keep(scenario, actions)

    def _keep(self, scenario: Scenario, actions: Sequence[Action]) -> bool:
        candidate = self._recorded(scenario, actions)
        if candidate is None or self.by(candidate) >= self.by(self.best):
            return False
        if candidate.scenario != self.best.scenario:
            self.passed.append(self.best)
        self.best = candidate
        return True

    def _any(self, candidates: Iterable[Sequence[Deviation]], most: int) -> bool:
        """Try these deviations in turn, at most so many, until one is kept."""
        return any(self._try(self.best.scenario, deviations) for deviations in islice(candidates, most))

    # -------------------------------------------------------------------------------------------------- deviations

    def _fewer_deviations(self) -> None:
        """Delta debugging."""
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

    def _moved_deviations(self, reserve: int) -> None:
        """Local moves, until none helps or a fourth of what may be used is used."""
        until = self.left - (self.left - reserve) // 4
        while self.left > until and self.best.deviations:
            deviations = self.best.deviations
            run = moves.places(self.design.open(self.best.scenario, self.programs.get(self.best.scenario)), self.best.actions)
            most = self.left - until
            if not (
                self._any(moves.merged(deviations), most)
                or self._any(moves.retargeted(deviations, run), most // 4)
                or self._any(moves.shifted(deviations, run), most // 4)
                or self._any(moves.with_one_less(deviations, run), most // 4)
            ):
                return
            self._fewer_deviations()

    def _renewed(self, effort: Effort) -> None:
        """A search of the whole scenario under a tighter bound: from further and further before the end, fewer deviations than are made
        from there on; at last, as many in fewer steps."""
        searching = True
        while searching and self.left > 0 and self.searches:
            searching = False
            best = self.best
            for kept, place in reversed(list(enumerate(self._deviates_at()))):
                fewer = min(FEW, len(best.deviations) - kept - 1)
                if self._fewest(best.scenario, fewer, min(self.left, effort.fewest), best.actions[: place - 1]):
                    self._fewer_deviations()
                    searching = True
                    break
        best = self.best
        if len(best.deviations) <= FEW:
            self._fewest(best.scenario, len(best.deviations), min(self.left, effort.fewest * 2), shortest=True)

    def _deviates_at(self) -> list[int]:
        """The numbers of the actions of the best, from 1, that are deviations."""
        driver = self._driver(self.best.scenario)
        record(driver, self.best.actions)
        return places(driver.world)

    def _fewest(self, scenario: Scenario, deviations: int, runs: int, start: Sequence[Action] = (), shortest: bool = False) -> bool:
        """Look for a schedule of ``scenario`` of at most so many deviations after ``start``, for as long as ``runs`` runs take."""
        if not self.searches or deviations < 0 or runs <= 0 or self._is_over():
            return False
        length = max(1, len(self.best.actions) // DEAR)
        program = self._driver(scenario).world.program
        most, performed = len(self.best.actions), 0
        for steps in (most, LONGEST):  # no more than there are first: a run that polls goes on by default until patience is lost
            budget = runs * length - performed
            search = Fewest(self.design, self.properties, scenario, self.key, budget, program, start, self._is_over)
            found = search.search(deviations, steps, fewest=shortest)
            performed += found.performed
            if found.actions is not None or performed >= runs * length:
                break
        self.left = max(0, self.left - max(1, -(-performed // length)))
        return found.actions is not None and self._keep(scenario, found.actions)

    # ---------------------------------------------------------------------------------------------------- scenario

    def _smaller_scenario(self, effort: Effort, reserve: int) -> bool:
        """Take parts away until nothing more can go, or three fourths of what may be used are used. What takes effort is done once;
        whether it was."""
        tried: set[Scenario] = set()
        reserve += (self.left - reserve) // 4
        progress = True
        while progress:
            progress = False
            for smaller in smaller_scenarios(self.best.scenario):
                if self.left <= reserve:
                    return False
                if smaller in tried or smaller.scope.engines < self.design.least_engines:
                    continue
                tried.add(smaller)
                if self._shows(smaller, effort):
                    if effort is not NONE:
                        return True
                    progress = True
                    break
        return False

    def _shows(self, scenario: Scenario, effort: Effort) -> bool:
        """Whether there is a schedule of ``scenario`` that shows the failure: with the same deviations; if that may take effort along the
        same names, with few deviations, or under a random plan. Each scenario is searched once."""
        best = self.best
        if effort is NONE:
            renamed = renumbered(self.design, best.deviations, best.scenario, scenario)
            return self._try(scenario, renamed) or (renamed != best.deviations and self._try(scenario, best.deviations))
        if (scenario, effort) in self.searched:
            return False
        self.searched.add((scenario, effort))
        return (
            self._does(scenario, lambda driver: along(driver, best.actions, limit=len(best.actions) * 2 + 500, renamed=True))
            or self._fewest(scenario, min(FEW, max(1, len(best.deviations))), min(effort.fewest, self.left))
            or any(self._does(scenario, plan) for plan in _plans(effort.plans))
        )


def _plans(count: int) -> Iterator[Callable[[Driver], object]]:
    for seed in range(count):
        rng = Random(seed)
        plan = Plan(PORTFOLIO[seed % len(PORTFOLIO)], seed, rng.choice((0.0, 0.01, 0.05)), rng.choice((0.01, 0.05)), steps=600)
        yield lambda driver, plan=plan: running.drive(driver, plan)  # type: ignore[misc]


__all__ = ["Failure", "Key", "Shrinker"]
