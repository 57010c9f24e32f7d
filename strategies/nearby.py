"""Looking near by: where a stored schedule no longer fits the design, schedules close to it, the closest first.

Four stages under one budget of runs, each a pure function of what is stored and the design as it is now:

1. the stored schedule followed along its names and step ids;
2. the stored deviations from the default policy, by their anchors;
3. those deviations with one of them moved, turned to another action, or dropped; those that found no place first;
4. several of them changed at once, then runs of their own, both seeded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from heatproof.model.design import Design
from heatproof.model.errors import HeatproofError, NeverYields
from heatproof.model.program import Program
from heatproof.model.scenario import Scenario
from heatproof.model.world import Action
from heatproof.properties.base import Property
from heatproof.properties.monitor import Violation
from heatproof.strategies import running
from heatproof.strategies.following import along
from heatproof.strategies.moves import Place, places
from heatproof.strategies.policies import PORTFOLIO
from heatproof.strategies.running import Driver, Plan
from heatproof.strategies.schedules import Deviation, record, replay

BUDGET = 1_000
"""Runs, unless somebody says otherwise."""
LEAST = 50
"""With fewer runs than this nothing can be said to be gone."""
SHARES = {"one changed": 0.4, "several changed": 0.6}
"""Which part of the budget is used when a stage ends at the latest; the last stage has the rest."""
LONGEST = 2_000
"""How many actions a run may have beyond twice the stored ones."""


Key = tuple[str, str]


class Stored(NamedTuple):
    """What is known of the schedule that failed: its actions, the step id each did (or nothing), its deviations (or nothing)."""

    schedule: tuple[Action, ...]
    steps: tuple[str, ...] = ()
    deviations: tuple[Deviation, ...] | None = None


@dataclass(slots=True)
class Found:
    """What a search came to: the violation and the actions that lead to it (or none), in which stage, after how many runs, how many of
    them were cut before rest, what the design or a property raised, and which other kinds of witness of the same property were seen."""

    runs: int = 0
    cut: int = 0
    raised: list[str] = field(default_factory=list)
    others: set[str] = field(default_factory=set)
    stage: str = ""
    violation: Violation | None = None
    actions: tuple[Action, ...] = ()


class Nearby:
    """One search: for the violation ``wanted`` (a property and a kind of witness; no kind: any; None: any violation) in ``scenario``,
    near ``stored``, within ``budget`` runs."""

    def __init__(
        self,
        design: Design,
        properties: Sequence[Property],
        scenario: Scenario,
        stored: Stored,
        wanted: tuple[str, str | None] | None,
        budget: int = BUDGET,
        program: Program | None = None,
    ):
        self.design, self.scenario, self.stored = design, scenario, stored
        self.properties = [p for p in properties if p.expectation != "sometimes"]
        self.wanted = wanted
        self.budget = budget
        self.program = program or design.program(scenario)
        self.limit = 2 * len(stored.schedule) + LONGEST
        self.found = Found()
        self.stuck = False
        self.deviations = stored.deviations or ()

    def search(self) -> Found:
        """Look until it is found or the budget is used."""
        with self.program.watchdog():
            for stage, runs in (
                ("along its names", self._along), ("by its deviations", self._as_stored), ("one changed", self._one_changed),
                ("several changed", self._several_changed), ("runs of their own", self._anything),
            ):  # fmt: skip
                until = self.budget * SHARES.get(stage, 1)
                for run in runs():
                    self.found.stage = stage
                    if self._shows(run):
                        return self.found
                    if self.found.runs >= self.budget or self._hopeless():
                        return self.found
                    if self.found.runs >= until:
                        break
        return self.found

    # -------------------------------------------------------------------------------------------------------- the stages

    def _along(self) -> Iterator[Callable[[Driver], str]]:
        schedule, steps, limit = self.stored.schedule, self.stored.steps, self.limit
        yield lambda driver: along(driver, schedule, steps, limit)
        if steps:  # where step ids have changed they mislead
            yield lambda driver: along(driver, schedule, (), limit)
        yield lambda driver: along(driver, schedule, steps, limit, renamed=True)

    def _as_stored(self) -> Iterator[Callable[[Driver], str]]:
        if self.stored.deviations is None:  # then those of the run along its names
            driver = self._driver(())
            with suppress(HeatproofError):
                along(driver, self.stored.schedule, self.stored.steps, self.limit)
                self.deviations = tuple(record(self._driver(()), [entry.action for entry in driver.world.log]))
        yield self._deviating(self.deviations)

    def _one_changed(self) -> Iterator[Callable[[Driver], str]]:
        deviations = self.deviations
        unused = self._unused(deviations)
        placed = [d for d in deviations if d not in unused]
        places = self._places(placed)
        lost = [(d, list(_moved(d, places))) for d in unused]
        if unused:
            best = [next(iter(moves), None) for _, moves in lost]
            yield self._deviating([*placed, *(d for d in best if d is not None)])
        for deviation, moves in lost:
            others = [d for d in deviations if d is not deviation]
            yield from (self._deviating([*others, move]) for move in moves)
        for deviation in placed:
            others = [d for d in deviations if d is not deviation]
            yield self._deviating(others)
        for deviation in placed:
            others = [d for d in deviations if d is not deviation]
            yield from (self._deviating([*others, move]) for move in _moved(deviation, places)[:40])

    def _several_changed(self) -> Iterator[Callable[[Driver], str]]:
        deviations = self.deviations
        unused = self._unused(deviations)
        placed = [d for d in deviations if d not in unused]
        places = self._places(placed)
        moves = {d: _moved(d, places) for d in deviations}
        rng = Random(0)
        while any(moves.values()):
            changed = []
            for deviation in deviations:
                if moves[deviation] and (deviation in unused or rng.random() < 0.3):
                    rank = min(int(rng.expovariate(0.25)), len(moves[deviation]) - 1)
                    changed.append(moves[deviation][rank])
                elif rng.random() < 0.9:
                    changed.append(deviation)
            yield self._deviating(changed)

    def _anything(self) -> Iterator[Callable[[Driver], str]]:
        for seed in range(self.budget):
            rng = Random(seed)
            plan = Plan(
                PORTFOLIO[seed % len(PORTFOLIO)],
                seed,
                rng.choice((0.0, 0.01, 0.05, 0.2)),
                rng.choice((0.01, 0.05)),
                steps=self.limit,
            )
            yield lambda driver, plan=plan: running.drive(driver, plan)  # type: ignore[misc]

    def interrupted(self) -> str:
        """How far it had come when it was interrupted without having found it."""
        before = max(self.found.runs - 1, 0)
        return f"Interrupted in run {before + 1} of at most {self.budget} near by; {before} before it did not show it."

    def _hopeless(self) -> bool:
        return self.stuck or len(self.found.raised) == self.found.runs >= LEAST

    # ------------------------------------------------------------------------------------------------------------- runs

    def _driver(self, properties: Sequence[Property] | None = None) -> Driver:
        return Driver(self.design, self.scenario, self.properties if properties is None else properties, self.program)

    def _deviating(self, deviations: Sequence[Deviation]) -> Callable[[Driver], str]:
        return lambda driver: replay(driver, deviations, self.limit).end

    def _shows(self, run: Callable[[Driver], str]) -> bool:
        found = self.found
        found.runs += 1
        driver = self._driver()
        try:
            end = run(driver)
        except HeatproofError as error:
            found.raised.append(str(error))
            self.stuck = isinstance(error, NeverYields)
            end = ""
        found.cut += end == "cut"
        violations = driver.monitor.violations
        violation = pick(violations, self.wanted)
        if violation is None:
            found.others.update(kind for name, kind in violations if self.wanted is not None and name == self.wanted[0])
            return False
        found.actions = tuple(e.action for e in driver.world.log[: violation.step])
        found.violation = violation  # last: whoever interrupts it goes by this
        return True

    def _unused(self, deviations: Sequence[Deviation]) -> list[Deviation]:
        try:
            return replay(self._driver(()), deviations, self.limit).unused
        except HeatproofError:
            return []

    def _places(self, deviations: Sequence[Deviation]) -> list[Place]:
        """The points of the run with these deviations."""
        driver = self._driver(())
        with suppress(HeatproofError):
            replay(driver, deviations, self.limit)
        return places(self.design.open(self.scenario, self.program), [entry.action for entry in driver.world.log])


def pick(violations: Mapping[Key, Violation], wanted: tuple[str, str | None] | None) -> Violation | None:
    """The first violation that is wanted."""
    return next(
        (v for (name, kind), v in violations.items() if wanted is None or (name == wanted[0] and wanted[1] in (None, kind))), None
    )


def _moved(deviation: Deviation, places: Sequence[Place]) -> list[Deviation]:
    """The deviation at other places and with other actions, the most alike first."""
    anchor, action = deviation
    wanted = next((p.part for p in places if p.anchor == anchor), None)
    ranked: dict[Deviation, tuple[float, ...]] = {}
    for number, place in enumerate(places):
        here = place.anchor
        far = 0.0 if wanted is None else abs(place.part - wanted)
        unlike = (
            (here.subject != anchor.subject) + 2 * (here.step != anchor.step) + (here.kind != anchor.kind)
            + 0.5 * (here.life != anchor.life) + 0.5 * (here.time != anchor.time)
        )  # fmt: skip
        for other in place.possible:
            if other.subject == here.subject and other.kind == here.kind:
                continue
            if other.kind != action.kind:
                continue
            changed = 0 if other == action else 1 if other.subject == action.subject else 3
            moved = Deviation(here, other)
            if moved != deviation:
                ranked.setdefault(moved, (unlike + changed + 2 * far, number))
    return sorted(ranked, key=lambda d: ranked[d])
