"""What the running tasks know, and when it is out of date: stale reads.

Three kinds of staleness are told. *lost*: a task's conditional write matched nothing. *overwrites*: a task wrote, without a condition,
columns that somebody else had changed since the task saw the row. *outdated*: a task went on otherwise than it would have gone on had it
read later. The last is decided, not guessed: a handler is a function of what it was sent, so the handler is sent what it would
read now instead of what it did read, and everything else as it was, and one looks whether it does the same. A change that makes no
difference to what the task does after it is not told, and neither is one of a row that the task has itself written since.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from heatproof.model import effects as fx
from heatproof.model.errors import HeatproofError
from heatproof.model.program import Node
from heatproof.model.world import World

Place = tuple[str, Any]
"""A row, or what stands in for one: (table, key), ("reality", physical id) or ("engine", id)."""


class Stale(NamedTuple):
    """A task acted on what was no longer so.

    ``kind``: lost, overwrites or outdated. ``read``: the step at which the task last read or wrote the row, 0 if it never did.
    ``changed`` and ``by``: the step since which it is different, and who did that (a task, or an action that is none); ``columns``: what is
    different. ``otherwise``: what an outdated task would have done instead, empty for the others.
    """

    kind: str
    table: str
    key: Any
    read: int
    changed: int
    by: str
    columns: tuple[str, ...]
    otherwise: fx.Effect | str = ""


class Written(NamedTuple):
    """Somebody wrote a row: at which step, who, and which columns got another value."""

    step: int
    by: str
    columns: frozenset[str]


class _Reading:
    """One read of a running task: the node it stood on, the result, and, while it is out of date, since when and by whom, and the
    node that the task would stand on now with what it would read now (None: it had gone another way before)."""

    __slots__ = ("node", "result", "shadow", "since", "step")

    def __init__(self, step: int, node: Node, result: Any):
        self.step = step
        self.node = node
        self.result = result
        self.since: Stale | None = None
        self.shadow: Node | None = None


class Knowledge:
    """What every running task of a world has seen, kept up to date as the world goes on."""

    def __init__(self, world: World):
        self.world = world
        self.written: dict[Place, list[Written]] = {}
        self.seen: dict[str, dict[Place, int]] = {}
        self.own: dict[str, dict[Place, int]] = {}
        self.readings: dict[str, list[_Reading]] = {}

    def begins(self, task: str) -> None:
        """A task of that name starts: it knows nothing."""
        self.seen[task], self.own[task], self.readings[task] = {}, {}, []

    def last_seen(self, task: str, place: Place) -> int:
        """The step at which the task last read or wrote there, or 0."""
        return self.seen.get(task, {}).get(place, 0)

    def changed_since(self, task: str, place: Place, columns: frozenset[str]) -> Written | None:
        """The first time that somebody else changed one of the columns there (of none: any) after the task saw it."""
        seen = self.last_seen(task, place)
        for write in self.written.get(place, ()):
            if write.step > seen and write.by != task and (write.columns & columns or not columns):
                return write
        return None

    def last_changed(self, place: Place, columns: frozenset[str]) -> Written | None:
        """The last time that somebody changed one of the columns there (of none: any)."""
        return next((w for w in reversed(self.written.get(place, ())) if w.columns & columns or not columns), None)

    def outdated(self, task: str) -> list[Stale]:
        """The reads that make a difference to what the task does next: had it read now, it would do something else."""
        return self._diverging(task, self.world.nodes[task])

    def steps(self, task: str, step: int, node: Node, after: Node) -> list[Stale]:
        """The task has gone from ``node`` to ``after``; what it read may turn out to be outdated when it ends."""
        for reading in self.readings[task]:
            if reading.shadow is not None:
                reading.shadow = self._follow(reading.shadow, after.result)
        if type(after.result) is not fx.Thrown and _reads(node.effect):
            self.readings[task].append(_Reading(step, node, after.result))
        return self._diverging(task, after) if after.effect is None else []

    def sees(self, task: str, step: int, place: Place) -> None:
        """The task has read there."""
        self.seen.setdefault(task, {})[place] = step

    def writes(self, step: int, by: str, places: Mapping[Place, frozenset[str]]) -> None:
        """A step wrote these rows, and changed these columns; what others have read there may be out of date now."""
        for place, columns in places.items():
            self.written.setdefault(place, []).append(Written(step, by, columns))
            if by in self.world.tasks:
                self.sees(by, step, place)
                self.own.setdefault(by, {})[place] = step
        changed = {place: columns for place, columns in places.items() if columns}
        for name in self.world.tasks if changed else ():
            if name != by:
                for reading in self.readings.get(name, ()):
                    self._compare(name, reading, step, by, changed)

    def _compare(self, name: str, reading: _Reading, step: int, by: str, changed: Mapping[Place, frozenset[str]]) -> None:
        effect: Any = reading.node.effect
        concerned = [place for place in changed if _concerns(effect, place)]
        if not concerned or any(at > reading.step and _concerns(effect, place) for place, at in self.own.get(name, {}).items()):
            return
        now = _ask(self.world, effect)
        if now == reading.result:
            reading.since = reading.shadow = None
            return
        if reading.since is None:
            place = _differs(effect, reading.result, now, concerned)
            reading.since = Stale("outdated", *place, reading.step, step, by, tuple(sorted(changed[place])))
        reading.shadow = self._again(reading, now, self.world.nodes[name])

    def _again(self, reading: _Reading, now: Any, here: Node) -> Node | None:
        """The node that the task would stand on had it read ``now``; None if it had gone another way before it came here."""
        shadow = self._follow(reading.node, now)
        for node, following in pairwise(here.path()[reading.node.depth + 1 :]):
            if shadow is None or not _same(shadow, node):
                return None
            shadow = self._follow(shadow, following.result)
        return shadow

    def _follow(self, node: Node, result: Any) -> Node | None:
        if node.effect is None:
            return None
        try:
            return node.children.get(result) or self.world.program.follow(node, result)
        except (HeatproofError, TypeError):  # it cannot make sense of such a mixture of results
            return None

    def _diverging(self, task: str, here: Node) -> list[Stale]:
        found = []
        for reading in self.readings.get(task, ()):
            if reading.shadow is not None and reading.since is not None and not _same(reading.shadow, here):
                otherwise = reading.shadow.effect or ("end" if reading.shadow.escaped is None else str(reading.shadow.escaped))
                found.append(reading.since._replace(otherwise=otherwise))
                reading.shadow = None
        return found


def _reads(effect: Any) -> bool:
    """Whether an effect only looks, so that one can ask what it would see now."""
    return isinstance(effect, fx.Read | fx.Query | fx.Look | fx.Probe) or (type(effect) is fx.Transaction and effect.reads_only)


def _concerns(effect: Any, place: Place) -> bool:
    """Whether a change there can change what the effect sees."""
    match effect:
        case fx.Read(_, table, key):
            return place == (table.name, key)
        case fx.Query(_, table, _, _):
            return place[0] == table.name
        case fx.Look(_, physical):
            return place == ("reality", physical)
        case fx.Probe(_, engine):
            return place == ("engine", engine)
        case _:
            return place[0] not in ("reality", "engine")


def _ask(world: World, effect: Any) -> Any:
    """What the effect would see now."""
    match effect:
        case fx.Read():
            return world.database.read(effect)
        case fx.Query():
            return world.database.query(effect)
        case fx.Look(_, physical):
            return world.reality.things.get(physical)
        case fx.Probe(_, engine):
            return engine in world.free
        case _:
            mark = len(world.journal)
            result = world.database.transact(effect)
            world.database.rollback(mark)
            return result


def _differs(effect: Any, before: Any, now: Any, places: list[Place]) -> Place:
    """The first of the places at which a query's answer differs; the first of all for other effects."""
    if type(effect) is fx.Query:
        table = effect.table
        rows = [{table.key_of(row): row for row in answer} for answer in (before, now)]
        for place in places:
            if rows[0].get(place[1]) != rows[1].get(place[1]):
                return place
    return places[0]


def _same(one: Node, other: Node) -> bool:
    return (
        type(one.effect) is type(other.effect)
        and one.effect == other.effect
        and one.value == other.value
        and type(one.escaped) is type(other.escaped)
    )


__all__ = ["Knowledge", "Place", "Stale", "Written"]
