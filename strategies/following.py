"""Following a stored schedule: exactly, or along its names and step ids where the design around it has changed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from heatproof.model.errors import NotEnabled
from heatproof.model.world import Action, World
from heatproof.strategies.running import TAIL, Driver
from heatproof.strategies.schedules import Deviation, deviate, record

MESSAGES = ("deliver", "lose", "duplicate", "stall", "overtake")
"""The kinds of actions that concern a message."""
EXTRA = 60
"""How many steps in a row a task may take that its schedule does not have, before the schedule is given up for it."""


class Misfit(NamedTuple):
    """Where a schedule does not fit: at which of its actions (from 1) of how many, what was to be done there, why it could not, and what
    was possible instead (what the default policy would do first)."""

    number: int
    of: int
    expected: str
    reason: str
    possible: tuple[str, ...]

    def __str__(self) -> str:
        shown = ", ".join(self.possible[:8]) + (f" and {len(self.possible) - 8} more" if len(self.possible) > 8 else "")
        return (
            f"it fits for {self.number - 1} of {self.of} actions; action {self.number} was to be: {self.expected}, but {self.reason}."
            f" Possible there: {shown or 'nothing'}"
        )


class Strayed(NotEnabled):
    """An action is possible, but does another step of the design than it did when the schedule was stored."""


def stands_before(world: World, name: str) -> str:
    """The step id that a task stands before; "" if there is no such task."""
    node = world.nodes.get(name)
    return "" if node is None or node.effect is None else node.effect.step


def spelled(world: World, action: Action) -> str:
    """An action with the step that it would do."""
    step = stands_before(world, action.subject) if action.subject in world.tasks else ""
    return f"{action} before {step}" if step and action.kind == "step" else f"{action} at {step}" if step else str(action)


def steps_of(world: World) -> tuple[str, ...]:
    """For each action of the log the step id of the design that it did, or "" for none."""
    return tuple("" if e.before is None or e.before.effect is None else e.before.effect.step for e in world.log)


def exactly(
    driver: Driver, schedule: Sequence[Action], steps: Sequence[str] = (), each: Callable[[Action | None], None] | None = None
) -> tuple[list[Deviation], Misfit | None]:
    """Perform exactly these actions, each at its step id if one is given; the deviations that they are, or where they do not fit.
    ``each`` is called after each action with what the default policy would have done.

    The driver is then at the end of the schedule, or where it does not fit. Raises :class:`HeatproofError` for a mistake of the
    design or of a property.
    """
    world = driver.world
    here: list[tuple[Action, str, Action | None]] = []

    def checked() -> Iterator[Action]:
        for action, step in zip(schedule, steps or ("",) * len(schedule), strict=True):
            here[:] = [(action, step, world.default())]
            now = stands_before(world, action.subject)
            if step and now and now != step:
                raise Strayed(f"{action.subject} stands before {now}")
            yield action
            if each is not None:
                each(here[0][2])

    try:
        return record(driver, checked()), None
    except NotEnabled as error:
        action, step, default = here[0]
        expected = f"{action} at {step}" if step else str(action)
        others = [a for a in world.actions() if a != default]
        possible = tuple(spelled(world, a) for a in ([default] if default is not None else []) + others)
        return [], Misfit(len(world.log) + 1, len(schedule), expected, str(error), possible)


def along(driver: Driver, schedule: Sequence[Action], steps: Sequence[str] = (), limit: int = TAIL, renamed: bool = False) -> str:
    """Follow a schedule as far as its names and step ids lead, then the default policy to the end; how it ended: ``rest``,
    ``circle`` or ``cut``.

    A task that stands before a step its schedule does not have goes on until it stands where it was to be. What is not possible
    waits for the tasks that the schedule is through with, and is left out if that does not help. With ``renamed``, a task, message or
    operation of a name that is not there may be the one there that looks most like it.
    """
    follower = _Follower(driver, schedule, steps or ("",) * len(schedule), renamed)
    for action, here in zip(schedule, follower.marked, strict=True):
        follower.follow(action, here)
        if len(driver.world.log) > limit:
            return "cut"
    return driver.settle(limit)


class _Here(NamedTuple):
    """The step of a task, and how many of that name there were before it."""

    task: str
    life: int
    step: str


class _Follower:
    """Does what it can of a schedule. ``ahead``: how often the schedule still has a step of a task; ``through``: how many actions it
    still has for a task, by its name now; ``names``: what the names of the schedule are now."""

    def __init__(self, driver: Driver, schedule: Sequence[Action], steps: Sequence[str], renamed: bool):
        self.driver, self.renamed = driver, renamed
        self.marked = list(_lives(schedule, steps))
        self.ahead = Counter(self.marked)
        self.through = Counter(action.subject for action in schedule)
        self.names: dict[str, str] = {}

    def follow(self, action: Action, here: _Here) -> None:
        """Do one action of the schedule, or leave it out."""
        self.ahead[here] -= 1
        now = action._replace(subject=self._name(action, here.step))
        if not here.step or self._brought_to(now.subject, here):
            while not self._done(now) and self._tidied():
                now = action._replace(subject=self._name(action, here.step))
        self.through[action.subject] -= 1

    def _brought_to(self, task: str, here: _Here) -> bool:
        """Let a task take the steps that are new; whether it then stands before the step that it is to do."""
        for _ in range(EXTRA):
            now = stands_before(self.driver.world, task)
            if now == here.step:
                return True
            if not now or self.ahead[here._replace(step=now)] > 0:  # it is gone, or that step is: the task is further on already
                return False
            if not self._done(Action("step", task)):
                return False
        return False

    def _done(self, action: Action) -> bool:
        """Do an action, if it is possible."""
        world = self.driver.world
        default, mark = world.default(), len(world.journal)
        if default is not None and action != default:
            deviate(world, default, action)
        try:
            self.driver.perform(action)
        except NotEnabled:
            world.database.rollback(mark)
            return False
        return True

    def _tidied(self) -> bool:
        """Let a task of which the schedule has nothing more go on by one step; whether there is one."""
        mine = {now: name for name, now in self.names.items()}
        tasks = list(self.driver.world.tasks.values())
        return any(self._done(task.action) for task in tasks if self.through[mine.get(task.name, task.name)] <= 0)

    def _name(self, action: Action, step: str) -> str:
        """What the subject of an action is called now."""
        world, name = self.driver.world, action.subject
        if not self.renamed or name in self.names:
            return self.names.get(name, name)
        pool: Iterable[str] = ()
        if action.kind == "operate":
            pool = [a.subject for a in world.operations()]
        elif action.kind in MESSAGES:
            pool = world.bag
        elif action.kind == "step" or step:
            pool = world.tasks
        taken = set(self.names.values())
        free = [other for other in pool if other not in taken]
        if free and name not in pool:
            self.names[name] = max(free, key=lambda other: alike(name, other) + 0.5 * (stands_before(world, other) == step))
        return self.names.get(name, name)


def alike(one: str, other: str) -> int:
    """How many words two names have in common."""
    words = [Counter(re.findall(r"[\w@~.]+", name)) for name in (one, other)]
    return (words[0] & words[1]).total()


def _lives(schedule: Sequence[Action], steps: Sequence[str]) -> Iterator[_Here]:
    lives: Counter[str] = Counter()
    for action, step in zip(schedule, steps, strict=True):
        if action.kind in ("deliver", "operate"):
            lives[action.subject] += 1
        yield _Here(action.subject, lives[action.subject], step)
