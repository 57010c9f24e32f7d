"""A schedule of one target followed on another: on the real engine what was found on its model, and the other way round.

Both do the same algorithm with other steps: the engine reads more often, the model has steps that are no access of the engine's. What
corresponds is found by what a step *does*: a *mark* is the kind of an effect (it writes, reads, sends, begins a physical operation, ...)
and whom it concerns (tables, a message, an operation). Tasks, messages and rows are named alike by both; no step id is compared.

A task is brought to what it is to do by letting it do what only the other target's steps have no counterpart for: reads that the schedule does
not have. Everything else that does not correspond is a *difference*; the first one is kept, and the rest of the schedule is followed as well as
it goes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from heatproof.model import effects as fx
from heatproof.model.database import MISSING
from heatproof.model.design import Reach
from heatproof.model.errors import NotEnabled
from heatproof.model.faults import FAULTS
from heatproof.model.world import Action, Entry, World
from heatproof.strategies.following import alike, spelled
from heatproof.strategies.running import Driver
from heatproof.strategies.schedules import deviate

EXTRA = 80
"""How many steps in a row a task may take that the schedule does not have."""
QUIET = ("read", "nothing")
"""The kinds of marks of what nobody else can see."""


class Mark(NamedTuple):
    """What a step does: ``read``, ``write``, ``send``, ``spawn``, ``probe``, ``cancel``, ``begin``, ``finish`` or ``nothing``, and whom it
    concerns: tables, a message, a physical operation. ``key``: of the one row it reads or writes, where that is known beforehand."""

    kind: str
    about: frozenset[str] = frozenset()
    key: Any = None

    @property
    def seen(self) -> bool:
        """Whether others can see it."""
        return self.kind not in QUIET

    def fits(self, other: Mark) -> bool:
        """Whether a step with the ``other`` mark does the same."""
        if self.kind != other.kind or (None not in (self.key, other.key) and self.key != other.key):
            return False
        return self.about == other.about or bool(self.about & other.about)

    def __str__(self) -> str:
        return f"{self.kind} {', '.join(sorted(self.about))}".strip()


class Did(NamedTuple):
    """One action of a run: what it did (None: it is no step of a task), at which step id, which rows changed, whether its task ended."""

    action: Action
    mark: Mark | None
    step: str
    rows: frozenset[tuple[str, Any]]
    ended: bool


def mark_of(world: World, effect: Any) -> Mark:
    """The mark of an effect that is about to be done."""
    if fx.is_database(effect):
        reach: Reach = world.design.reaches(world, effect)
        key = effect.key if isinstance(effect, fx.Read | fx.Update) else None
        if (reach.writes | {effect.step}) & world.design.apart:
            return Mark("nothing")
        if reach.writes:
            return Mark("write", reach.writes, key)
        return Mark("read", reach.reads, key) if reach.reads else Mark("nothing")
    match effect:
        case fx.Send():
            return Mark("send", frozenset([world.design.label(effect.message, effect.args)]))
        case fx.Begin():
            return Mark("begin", frozenset([effect.operation]))
        case fx.Spawn() | fx.Probe() | fx.Cancel() | fx.Finish():
            return Mark(type(effect).__name__.lower())
    return Mark("nothing", frozenset([type(effect).__name__.lower()]))


def marked(driver: Driver, actions: Iterable[Action]) -> list[Did]:
    """Perform these actions and say what each did. Raises :class:`NotEnabled` where one does not fit."""
    world = driver.world
    found = []
    for action in actions:
        default, node, before = world.default(), world.nodes.get(action.subject), len(world.journal)
        effect = node.effect if node is not None and action.kind not in ("deliver", "operate") else None
        mark = mark_of(world, effect) if effect is not None else None
        if action != default:
            deviate(world, default, action)
        driver.perform(action)
        ended = mark is not None and action.subject not in world.tasks
        rows = _changed(world, before)
        if mark is not None and mark.kind == "write" and not rows and not world.design.pure and not _lost(world.log[-1]):
            mark = Mark("nothing")  # it wrote what this target alone has
        found.append(Did(action, mark, effect.step if effect is not None else "", rows, ended))
    return found


def _changed(world: World, before: int) -> frozenset[tuple[str, Any]]:
    """The rows that are different since the journal had that length: table and key."""
    tables = {id(rows): table.name for table, rows in world.database.rows.items()}
    old: dict[tuple[int, Any], Any] = {}
    for where, key, was in world.journal[before:]:
        if id(where) in tables:
            old.setdefault((id(where), key), (where, was))
    return frozenset((tables[i], key) for (i, key), (where, was) in old.items() if where.get(key, MISSING) != was)


class Difference(NamedTuple):
    """The first place where a target did not do the same: at which action (from 1) of how many, what was expected there, what was so
    instead, and what was possible."""

    number: int
    of: int
    expected: str
    instead: str
    possible: tuple[str, ...]

    def __str__(self) -> str:
        shown = ", ".join(self.possible[:6]) + (f" and {len(self.possible) - 6} more" if len(self.possible) > 6 else "")
        return f"at action {self.number} of {self.of}: expected {self.expected}, but {self.instead}. Possible there: {shown or 'nothing'}"


class Across:
    """Follows what was done on one target (``done``) on another, that of ``driver``. ``difference``: the first place where they differ."""

    def __init__(self, driver: Driver, done: Sequence[Did]):
        self.driver, self.done = driver, done
        self.difference: Difference | None = None
        self.number = 0
        self.names: dict[str, str] = {}
        self.lives: Counter[str] = Counter()
        self.owed: dict[str, Counter[tuple[str, Any]]] = {}  # by task: rows that only the one (+) or the other (-) has changed
        self.early: dict[str, list[Mark]] = {}  # by task: what it has sent before its turn
        self.ahead: dict[tuple[str, int], list[Mark]] = {}
        lives: Counter[str] = Counter()
        for did in done:
            if did.action.kind in ("deliver", "operate"):
                lives[did.action.subject] += 1
            if did.mark is not None:
                self.ahead.setdefault((did.action.subject, lives[did.action.subject]), []).append(did.mark)

    def follow(self) -> None:
        """Follow it all."""
        for number, did in enumerate(self.done, 1):
            self.number = number
            name = self._name(did.action)
            action = did.action._replace(subject=name)
            if did.action.kind in ("deliver", "operate"):
                self.lives[did.action.subject] += 1
            if did.mark is None:
                self._at_once(did, action)
                continue
            ahead = self.ahead[did.action.subject, self.lives[did.action.subject]]
            ahead.pop(0)
            self._step(did, action, did.mark, ahead)
            if did.ended:
                self._to_its_end(did, name)

    # ------------------------------------------------------------------------------------------------------------ steps

    def _at_once(self, did: Did, action: Action) -> None:
        """What is no step of a task. If it is not possible yet, tasks that the schedule is through with go on first."""
        while (reason := self._done(action)) and self._tidied():
            action = did.action._replace(subject=self._name(did.action))
        if reason:
            self._differs(str(action), reason)

    def _step(self, did: Did, action: Action, mark: Mark, ahead: Sequence[Mark]) -> None:
        """Bring the task to a step that does the same and do it; where there is none, the step is left out."""
        world, name = self.driver.world, action.subject
        if mark in self.early.get(name, ()):
            self.early[name].remove(mark)
            return
        for _ in range(EXTRA):  # steps of the task until it has done this one
            if name not in world.tasks:
                if mark.seen or action.kind in FAULTS:
                    self._differs(_told(did), f"{name} has ended" if self.lives[did.action.subject] else f"there is no {name}")
                return
            here = mark_of(world, world.nodes[name].effect)
            if here.fits(mark):
                before = len(world.journal)
                if reason := self._done(action):
                    self._differs(_told(did), reason)
                    return
                changed = _changed(world, before)
                if did.rows and not changed and not _lost(world.log[-1]) and self._again(name, mark):
                    continue  # it wrote what this target alone has
                if mark.kind == "write" and action.kind == "step":
                    owed = self.owed.setdefault(name, Counter())
                    owed.update(did.rows)
                    owed.subtract(changed)
                elif mark.seen:
                    self._same_rows(did, name)
                return
            if not here.seen:
                if not mark.seen and any(here.fits(later) for later in _until_seen(ahead)):
                    return  # the other target does not do this step
            elif not mark.seen:
                return
            elif here.kind == mark.kind == "send" and here in ahead:
                self.early.setdefault(name, []).append(here)  # both are sent, in another order
            else:
                stands = self._difference(_told(did), f"{name} stands before something else")
                if any(here.fits(later) for later in ahead):
                    self.difference = self.difference or stands
                    return
                if self._goes_on(name, here):
                    self.difference = self.difference or stands
                continue
            if self._done(Action("step", name)):
                return

    def _again(self, name: str, mark: Mark) -> bool:
        """Whether the task is about to do such a step once more."""
        world = self.driver.world
        return name in world.tasks and mark_of(world, world.nodes[name].effect).fits(mark)

    def _to_its_end(self, did: Did, name: str) -> None:
        """The other target's task has ended: so should this one."""
        world = self.driver.world
        self._same_rows(did, name)
        for _ in range(EXTRA):
            if name not in world.tasks:
                return
            here = mark_of(world, world.nodes[name].effect)
            goes_on = self._difference(f"the end of {did.action.subject}", f"{name} goes on: it is about to {here}")
            if self._goes_on(name, here):
                self.difference = self.difference or goes_on

    def _same_rows(self, did: Did, name: str) -> None:
        """Both targets' tasks have changed the same rows so far, in whatever order."""
        owed = self.owed.pop(name, Counter())
        missing, more = (
            ", ".join(f"{table} {key}" for (table, key), count in sorted(owed.items(), key=str) if count * sign > 0)
            for sign in (1, -1)
        )
        if missing or more:
            self._differs(f"by {_told(did)} a write to {missing or 'nothing more'}", f"{more or 'nothing'} was written")

    def _goes_on(self, name: str, here: Mark) -> bool:
        """Let a task do what the schedule does not have; whether others can see that."""
        world = self.driver.world
        before = len(world.journal)
        if self._done(Action("step", name)):
            return False
        return here.seen and (here.kind != "write" or bool(_changed(world, before)) or _lost(world.log[-1]))

    def _differs(self, expected: str, instead: str) -> None:
        self.difference = self.difference or self._difference(expected, instead)

    def _difference(self, expected: str, instead: str) -> Difference:
        world = self.driver.world
        possible = tuple(spelled(world, a) for a in world.actions())
        return Difference(self.number, len(self.done), expected, instead, possible)

    def _done(self, action: Action) -> str:
        """Do an action if it is possible; why it was not, or nothing."""
        world = self.driver.world
        default, mark = world.default(), len(world.journal)
        if default is not None and action != default:
            deviate(world, default, action)
        try:
            self.driver.perform(action)
        except NotEnabled as error:
            world.database.rollback(mark)
            return str(error)
        return ""

    def _tidied(self) -> bool:
        """Let a task of which the schedule has nothing more go on by one step; whether there is one."""
        mine = {now: name for name, now in self.names.items()}
        for task in list(self.driver.world.tasks.values()):
            name = mine.get(task.name, task.name)
            if not self.ahead.get((name, self.lives[name])) and not self._done(task.action):
                return True
        return False

    def _name(self, action: Action) -> str:
        """What the subject of an action is called on this target: the same, or what there is that looks most like it."""
        world, name = self.driver.world, action.subject
        pools: tuple[Iterable[str], ...] = (world.bag, world.tasks, world.reality.things, world.free, world.down, world.expired)
        if action.kind == "operate" or name in self.names or any(name in pool for pool in pools):
            return self.names.get(name, name)
        pool = (
            world.tasks if action.kind == "step" else world.bag if action.kind in ("deliver", "lose", "duplicate", "stall") else ()
        )
        taken = set(self.names.values()) | {did.action.subject for did in self.done}
        free = [other for other in pool if other not in taken and alike(name, other) > 1]
        if free:
            self.names[name] = max(free, key=lambda other: alike(name, other))
        return self.names.get(name, name)


def _until_seen(marks: Sequence[Mark]) -> Iterable[Mark]:
    for mark in marks:
        yield mark
        if mark.seen:
            return


def _lost(entry: Entry) -> bool:
    """Whether a write that changed no row met none; else there was nothing to delete, or it wrote columns that only this target has."""
    assert entry.before is not None
    assert entry.after is not None
    result = entry.after.result
    return bool(getattr(result, "lost", result == 0 and type(entry.before.effect) is not fx.Delete))


def _told(did: Did) -> str:
    what = f"{did.action.subject} at {did.step} ({did.mark})"
    return what if did.action.kind == "step" else f"{did.action.kind} {what}"


__all__ = ["Across", "Did", "Difference", "Mark", "mark_of", "marked"]
