"""The fewest deviations: all schedules of a scenario that deviate from the default policy in at most so many places.

The search goes through the world by do and undo, and does not go on from a state to which it has come before with no more deviations in no
more steps. Part of such a state is all that the default policy goes by: the order of messages and tasks, and what it passes over.
Where the search is finished, its answer is exact: no schedule of that many deviations shows the failure, or the one found has the
fewest steps. That is what a shrunk case can be measured by.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from heatproof.model.contents import exact
from heatproof.model.design import Design
from heatproof.model.errors import HeatproofError, NeverYields
from heatproof.model.faults import PATIENCE, remaining
from heatproof.model.program import Program
from heatproof.model.scenario import Scenario
from heatproof.model.world import Action, World
from heatproof.properties.base import Property
from heatproof.properties.catalogue import REST_IS_REACHED
from heatproof.strategies.running import Driver
from heatproof.strategies.schedules import deviate

OFTEN = 200
"""After so many actions it is asked whether time is up: a run or two."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search came to: the actions that show the failure with the fewest deviations, then the fewest steps (or none found), how
    many deviations these are, whether everything within the bounds was seen, and how many actions were performed."""

    actions: tuple[Action, ...] | None
    deviations: int
    finished: bool
    performed: int


@dataclass(slots=True)
class _Point:
    """A state on the way: what can be done there, with how many deviations, and how long the journal was before it was reached."""

    choices: Iterator[tuple[Action, Action | None]]
    used: int
    mark: int


def can_search(design: Design, key: tuple[str, str]) -> bool:
    """Whether schedules of this design can be gone through for this failure: its handlers can be taken back, and the failure shows in a
    state, which going round in circles does not."""
    return design.pure and key[0] != REST_IS_REACHED.name


class Fewest:
    """A search for the failure ``key`` (a property and a kind of witness) in ``scenario``, from its beginning or from where the actions of
    ``start`` lead. It has ``budget`` actions in all; ``over`` says now and then whether time is up, and what is left of them is given up."""

    def __init__(
        self,
        design: Design,
        properties: Sequence[Property],
        scenario: Scenario,
        key: tuple[str, str],
        budget: int,
        program: Program | None = None,
        start: Sequence[Action] = (),
        over: Callable[[], bool] = lambda: False,
    ):
        self.over = over
        self.key, self.budget, self.performed = key, budget, 0
        self.driver = Driver(design, scenario, [p for p in properties if p.name != REST_IS_REACHED.name], program)
        self.standing = Standing()
        self.seen: dict[int, list[tuple[int, int]]] = {}
        self.best: tuple[Action, ...] | None = None
        self.steps = 0
        self.longest = 0
        world = self.driver.world
        for action in start:
            default = world.default()
            if action != default:
                deviate(world, default, action)
            world.perform(action)

    def search(self, deviations: int, steps: int = PATIENCE, fewest: bool = True) -> Answer:
        """Look for a schedule of at most so many (more) deviations and at most so many actions, of none at first, then of one, and so on;
        with ``fewest`` go on until no shorter one is left, without until there is one.

        A run of more than :data:`PATIENCE` actions, after which the default policy loses its patience, may hide another: then the search
        is not finished.
        """
        self.steps = steps
        for allowed in range(deviations + 1):
            self.seen.clear()
            whole = self._through(allowed, fewest) and self.longest <= PATIENCE
            if self.best is not None:
                return Answer(self.best, allowed, whole and fewest, self.performed)
            if self.performed >= self.budget:
                return Answer(None, allowed, False, self.performed)
        return Answer(None, deviations, whole, self.performed)

    def anywhere(self) -> bool | None:
        """Whether any schedule of the scenario shows the failure, of whatever length; None if the budget was used before that was clear."""
        self.seen.clear()
        self.steps = sys.maxsize
        whole = self._through(sys.maxsize, fewest=False)
        return True if self.best is not None else False if whole else None

    def _through(self, allowed: int, fewest: bool) -> bool:
        """Go through all schedules of at most ``allowed`` deviations; whether that came to its end."""
        driver, world = self.driver, self.driver.world
        path = [_Point(self._choices(allowed > 0), 0, len(world.journal))]
        found = False
        while path:
            if self.performed % OFTEN == 0 and self.over():
                self.budget = self.performed
            if self.performed >= self.budget or (found and not fewest):
                self._back(path)
                return found and not fewest
            point = path[-1]
            choice = next(point.choices, None)
            if choice is None:
                path.pop()
                if path:
                    self._undo(point.mark)
                continue
            action, default = choice
            mark, before = len(world.journal), len(world.log)
            used = point.used + (default is not action)
            if default is not action:
                deviate(world, default, action)
            self.performed += 1
            try:
                driver.perform(action)
                if world.at_rest:
                    driver.rest()
            except HeatproofError as error:  # it is not possible, or a mistake of the design: nothing goes on from here
                if isinstance(error, NeverYields):  # the next one would take as long
                    self.performed = self.budget
                driver.monitor.violations.clear()
                if len(world.log) > before:
                    self._undo(mark)
                else:
                    world.database.rollback(mark)
                continue
            shown = self.key in driver.monitor.violations
            driver.monitor.violations.clear()
            here = len(world.log)
            self.longest = max(self.longest, here)
            if shown and here <= self.steps:
                self.best, self.steps, found = tuple(e.action for e in world.log), here - 1, True
            if shown or here >= self.steps or not self._new(used, here):
                self._undo(mark)
            else:
                path.append(_Point(self._choices(used < allowed), used, mark))
        return True

    def _choices(self, deviating: bool) -> Iterator[tuple[Action, Action | None]]:
        """What can be done here, each with what the default policy would do."""
        world = self.driver.world
        default = world.default()
        others = [action for action in world.actions() if action != default] if deviating else []
        if default is not None:
            yield default, default
        for action in others:
            yield action, default

    def _new(self, used: int, here: int) -> bool:
        """Whether this state was not reached before with no more deviations in no more steps."""
        everything = self.steps == sys.maxsize
        state = self.standing.of(self.driver.world, by_default=not everything)
        if everything:
            used = here = 0
        reached = self.seen.setdefault(state, [])
        for u, h in reached:
            if u <= used and h <= here:
                return False
        if reached:
            reached[:] = [(u, h) for u, h in reached if u < used or h < here]
        reached.append((used, here))
        return True

    def _undo(self, mark: int) -> None:
        world = self.driver.world
        world.undo()
        world.database.rollback(mark)  # what was passed over

    def _back(self, path: list[_Point]) -> None:
        while len(path) > 1:
            self._undo(path.pop().mark)


class Standing:
    """Tells where worlds of one program stand: equal answers for equal states, to the last (1 is no ``True``)."""

    def __init__(self) -> None:
        self._known: dict[Any, tuple[Any, int]] = {}

    def of(self, world: World, by_default: bool = True) -> int:
        """Where a world stands. With ``by_default`` all that decides how it goes on under the default policy is part of it: the order of
        messages and tasks, and what is passed over."""
        now, number = len(world.log), self._number
        reality, database = world.reality, world.database
        held = tuple((name, remaining(until, now)) for name, until in world.held.items() if until > now) if world.held else ()
        order = tuple if by_default or not world.any_order else frozenset
        ranks = tuple(tuple(sorted(of, key=of.__getitem__)) for of in (world.ranks, world.slept)) if by_default else ()
        parts: tuple[dict[Any, Any], ...] = (
            *database.rows.values(), database.used, reality.things, reality.made, reality.broken, reality.alone, world.listens, world.notices,
            world.expired, world.split, world.left, world.happened, world.state, world.requests, world.asked, world.memory,
        )  # fmt: skip
        return hash((
            tuple(frozenset(map(number, dict.items(part))) for part in parts),
            order(number((message.name, message.args, message.to)) for message in world.bag.values()),
            order((task.name, task.engine, id(world.nodes[task.name])) for task in world.tasks.values()),
            tuple(world.free.items()), tuple(world.down.items()), held, ranks,
        ))  # fmt: skip

    def _number(self, value: Any) -> int:
        """A number that no other value has: the hash of a state must not go by those of what it holds, of which -1 and -2 have the same."""
        place = exact(self._known, value, itemgetter(0))
        return self._known.setdefault(place, (value, len(self._known)))[1]


__all__ = ["Answer", "Fewest", "can_search"]
