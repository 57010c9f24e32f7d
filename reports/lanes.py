"""The lanes of a space-time diagram: who and what has one, and where it stands.

From left to right: the user, the threads of each engine, the message layer, the rows that were touched, reality. Rows and physical
resources beyond a number share a lane (of rows: one for each table), so that a diagram never grows wider than a page can show.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from heatproof.reports.showing import key, short, visible
from heatproof.reports.staleness import Place
from heatproof.reports.trace import Running, Trace

USER, THREAD, SLOT, ROW, THING = 28, 24, 10, 15, 20
"""Widths of lanes: the user's, a thread's, one waiting message's, a row's, a physical resource's."""

GAP = 12
"""Between the groups."""

ROWS, THINGS, SLOTS = 18, 10, 6
"""The most lanes of rows, of physical resources, and of messages that wait at the same time."""


class Lane(NamedTuple):
    """One lane: its group (user, engine, messages, database or reality), its short and its whole name, its middle and its width."""

    group: str
    label: str
    name: str
    x: float
    width: float


class Lanes:
    """Where everything stands. ``all`` is in order from left to right; ``width`` is that of the whole diagram."""

    def __init__(self, trace: Trace):
        self.all: list[Lane] = []
        self.width: float = GAP / 2
        self._threads: dict[tuple[str, bool, int], Lane] = {}
        self._rows: dict[Place, Lane] = {}
        self._others: dict[str, Lane] = {}
        self._things: dict[str, Lane] = {}
        self.user = self._add("user", "user", "the user", USER)
        for base, worker, slot in _threads(trace):
            kind = "thread" if worker else "request"
            number = f" {slot}" if slot > 1 or worker else ""
            lane = self._add("engine", f"{base} {kind}{number}", f"engine {base}, {kind}{number}", THREAD)
            self._threads[base, worker, slot] = lane
        self.slots, self._slot_of = _slots(trace)
        self.messages = self._add("messages", "waiting messages", "the message layer", SLOT * max(len(self.slots), 1) + 8)
        self._add_rows(trace)
        things = list(dict.fromkeys(c.key for s in trace.steps for c in s.changes if c.aspect == "reality"))
        for physical in things[: THINGS if len(things) > THINGS + 1 else THINGS + 1]:
            self._things[physical] = self._add("reality", short(physical, 24), f"physical resource {visible(physical)}", THING)
        if len(things) > len(self._things):
            rest = self._add("reality", "other things", f"{len(things) - len(self._things)} more physical resources", THING)
            self._things.update((physical, rest) for physical in things if physical not in self._things)
        self.width += GAP / 2

    def thread(self, who: Running) -> Lane:
        """The lane of a task."""
        return self._threads[who.engine.partition("/")[0], who.worker, who.slot]

    def engine(self, name: str) -> list[Lane]:
        """The lanes of an engine."""
        return [lane for (base, _, _), lane in self._threads.items() if base == name.partition("/")[0]]

    def message(self, name: str, step: int) -> float:
        """Where a message waits that was sent at ``step``: the middle of its place in the message layer."""
        slot = min(self._slot_of[name, step], SLOTS - 1)
        return self.messages.x - self.messages.width / 2 + 4 + SLOT * (slot + 0.5)

    def row(self, table: str, name: Any) -> Lane | None:
        """The lane of a row; None for one that was never there (a condition that met nothing)."""
        return self._rows.get((table, name)) or self._others.get(table)

    def shares(self, table: str, name: Any) -> bool:
        """Whether a row has no lane of its own."""
        return (table, name) not in self._rows

    def thing(self, physical: str) -> Lane | None:
        """The lane of a physical resource."""
        return self._things.get(physical)

    def _add(self, group: str, label: str, name: str, width: float) -> Lane:
        if self.all and self.all[-1].group != group:
            self.width += GAP
        lane = Lane(group, label, name, self.width + width / 2, width)
        self.width += width
        self.all.append(lane)
        return lane

    def _add_rows(self, trace: Trace) -> None:
        places = _ranked(trace)
        own = set(places[: ROWS if len(places) > ROWS + 3 else ROWS + 3])
        tables = [table.name for table in trace.world.design.tables]
        first = _places(trace)
        for table in tables:
            for place in first:
                if place[0] == table and place in own:
                    label = short(key(place[1]), 24)
                    self._rows[place] = self._add("database", label, f"row {visible(key(place[1]))} of table {table}", ROW)
            rest = sum(1 for place in first if place[0] == table and place not in own)
            if rest:
                self._others[table] = self._add("database", f"other {short(table, 16)}s", f"{rest} more rows of table {table}", ROW)


def _threads(trace: Trace) -> list[tuple[str, bool, int]]:
    """The threads in which tasks ran, and at least one of each engine: workers first."""
    found = {(base, True, 1) for base in (c.key.partition("/")[0] for c in trace.before if c.aspect == "engine")}
    for step in trace.steps:
        for change in step.changes:
            if change.aspect == "task" and change.new is not None:
                found.add((change.new.engine.partition("/")[0], change.new.worker, change.new.slot))
    return sorted(found, key=lambda t: (_number(t[0]), not t[1], t[2]))


def _number(engine: str) -> tuple[int, str]:
    digits = "".join(c for c in engine if c.isdecimal())
    return (int(digits) if digits else 0, engine)


def _slots(trace: Trace) -> tuple[list[int], dict[tuple[str, int], int]]:
    """How many messages wait at most at the same time (at most SLOTS), as places, and the place of each by name and step of sending."""
    waiting: dict[str, int] = {}
    found: dict[tuple[str, int], int] = {}
    for step in trace.steps:
        for change in step.changes:
            if change.aspect == "message" and change.new is None:
                waiting.pop(change.key, None)
        for change in step.changes:
            if change.aspect == "message" and change.old is None:
                taken = set(waiting.values())
                slot = next(n for n in range(len(taken) + 1) if n not in taken)
                waiting[change.key] = found[change.key, step.number] = slot
    return list(range(min(max(found.values(), default=0) + 1, SLOTS))), found


def _places(trace: Trace) -> dict[Place, list[int]]:
    """Every row that was touched, in order of its first step, with how often and by how many tasks it was written."""
    found: dict[Place, list[int]] = {}
    writers: dict[Place, set[str]] = {}
    for step in trace.steps:
        for place in _of(step.touches):
            found.setdefault(place, [0, 0])[0] += 1
        for change in step.changes:
            if change.aspect == "row":
                found.setdefault(change.key, [0, 0])
                writers.setdefault(change.key, set()).add(step.action.subject)
    for place, names in writers.items():
        found[place][1] = len(names)
    return found


def _of(touches: Iterable[Any]) -> Iterable[Place]:
    return ((touch.table, touch.key) for touch in touches if touch.key is not None)


def _ranked(trace: Trace) -> list[Place]:
    """The rows, those first at which tasks met: lost writes, stale reads, several writers, many touches."""
    places = _places(trace)
    met: dict[Place, int] = {}
    for step in trace.steps:
        for touch in step.touches:
            if touch.outcome == "lost":
                met[touch.table, touch.key] = met.get((touch.table, touch.key), 0) + 1
        for stale in step.stale:
            met[stale.table, stale.key] = met.get((stale.table, stale.key), 0) + 1
    order = {place: n for n, place in enumerate(places)}
    return sorted(places, key=lambda p: (-met.get(p, 0), -min(places[p][1], 4), -places[p][0], order[p]))


__all__ = ["Lane", "Lanes"]
