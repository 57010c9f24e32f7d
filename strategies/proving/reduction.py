"""Partial order reduction: where a step commutes with all that the others can ever do, it is taken alone.

Theory of operation. What can act in a state are its *items*: the tasks where they stand, the messages, what the user has still to
ask, the faults that are left. From the lessons one knows what each item may do next, which units that reads and writes, and which
items come of it; the *future* of an item is the union over all that descends from it. A step of a task that touches nothing which the
futures of the other items write, and writes nothing which they touch, is a persistent set of one action (Godefroid 1996): whatever the
others do, it can be done first without making a difference. So only it is explored, unless that leads to a state of this or an
earlier level; else a circle could put off the others for ever (the proviso for breadth-first search of Bosnacki and Holzmann 2005).

Why it is sound for what is asked. What a property reads when it is asked after an action is among what that action reads (learning.py),
so its answer is the same in either order: *always* and *sometimes* are kept. A state at rest, or without any action, is reached by a
run all of whose steps belong to it, and exchanging steps that commute comes to the same state: *at rest* is kept, and so are the
terminal states. The number of accesses of a run does not depend on the order of its steps: the worst cost is kept. Depths are not: a
shortest way is searched for without the reduction.

A crash commutes with no step, for it takes the task away. But a step that changes nothing except where its own task stands, and
after which the task is taken away, has left nothing behind: the crash before it and the crash after it lead to the same state, so that
nothing is lost if it is always taken first.

Futures are learned while one searches, so a step may have been taken alone too early, when not all of the others' futures was known.
Every such decision is noted as a pair of (outcome, item). When the search has ended, each pair is judged again by all that is known by
then; if one does not hold, the search begins anew with what was learned. A search whose pairs all hold has missed nothing: the first
action in conflict with a step that was taken alone would itself have been seen, in an exchanged order, after that step, and would stand
in the future of its item.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatproof.strategies.proving import kernel
from heatproof.strategies.proving.views import ABSENT, AT, CLOCK, Space, Unit

ACTING = ("node", "message", "alone", "down", "state", "left")
"""The groups of units whose values can act."""

CRASHES = Unit("left", "crash")
"""The budget of crashes."""

PRIVATE = ("node", "task", "split", "at work")
"""Those of the units that go by the name of a task which nobody but a fault touches while that task runs. Another task of the same name,
which the future of a message may well hold, gets another name until then (World.unused)."""

BY_NAME = ("node", "task", "listens", "notice", "split", "asked", "at work")
"""The groups of units that go by the name of a task, beside those that follow from others."""


class Futures:
    """What every item may still do. An item is a value of a column that can act; its number is 0 where there is none."""

    def __init__(self, space: Space):
        self.space = space
        self.numbers: dict[tuple[int, int], int] = {}
        self.reads: list[int] = [0]  # bits by column
        self.writes: list[int] = [0]
        self.seen: list[bool] = [True]  # whether anything of it was learned
        self.whole: list[bool] = [True]  # whether something was learned of all that descends from it
        self.before: list[set[int]] = [set()]
        self.following: list[set[int]] = [set()]
        self.changed = True

    def number(self, column: int, value: int) -> int:
        """The number of an item."""
        number = self.numbers.get((column, value))
        if number is None:
            number = self.numbers[column, value] = len(self.reads)
            self.reads.append(0)
            self.writes.append(0)
            self.seen.append(False)
            self.whole.append(False)
            self.before.append(set())
            self.following.append(set())
        return number

    def acts(self, column: int) -> bool:
        """Whether the values of a column can act."""
        return self.space.units[column].group in ACTING

    def learn(self, item: int, reads: int, writes: int, written: Iterable[tuple[int, int]]) -> None:
        """An action of this item was learned."""
        self.seen[item] = True
        for column, value in written:
            if value != ABSENT and self.acts(column):
                child = self.number(column, value)
                if child not in self.following[item]:
                    self.following[item].add(child)
                    self.before[child].add(item)
                    reads |= self.reads[child]
                    writes |= self.writes[child]
        self._grow(item, reads, writes)

    def _grow(self, item: int, reads: int, writes: int) -> None:
        """Add to a future, and to all it is part of."""
        waiting = [(item, reads, writes)]
        while waiting:
            item, reads, writes = waiting.pop()
            if reads & ~self.reads[item] or writes & ~self.writes[item]:
                self.changed = True
                self.reads[item] |= reads
                self.writes[item] |= writes
                waiting.extend((parent, self.reads[item], self.writes[item]) for parent in self.before[item])

    def complete(self) -> None:
        """Find out of which items everything was seen at least once."""
        whole = list(self.seen)
        waiting = [item for item, seen in enumerate(whole) if not seen]
        while waiting:
            for parent in self.before[waiting.pop()]:
                if whole[parent]:
                    whole[parent] = False
                    waiting.append(parent)
        self.whole = whole


def words(bits: Iterable[int], width: int) -> NDArray[np.uint64]:
    """Rows of 64-bit words from sets of columns given as bits."""
    raw = b"".join([b.to_bytes(8 * width, "little") for b in bits])
    return np.frombuffer(raw, np.uint64).reshape(-1, width).copy() if raw else np.zeros((0, width), np.uint64)


class Independence:
    """What the kernel goes by: the futures, and what outcomes read and write, as arrays of a moment.

    ``owners`` are the columns that can act, ``kinds`` what they are, ``items`` the number of the item of a column and a value, ``mine`` the
    columns that go by the name of the task in a column and ``private`` those of them that are its own. Item 0 is what is not known yet.
    """

    def __init__(self, space: Space, futures: Futures, reads: list[int], writes: list[int], tasks: list[str], mine: dict[str, int]):
        futures.complete()
        columns = len(space.units)
        self.width = (columns + 63) // 64
        self.owners = np.array([c for c in range(columns) if futures.acts(c)], np.int64)
        kinds = np.array([_kind(unit) for unit in space.units], np.int64)
        self.kinds = kinds[self.owners]
        self.items = np.zeros((columns, max(map(len, space.values), default=1)), np.int64)
        self.item_kinds = np.zeros(len(futures.reads), np.int64)
        if futures.numbers:
            column, value = np.array(list(futures.numbers), np.int64).T
            numbers = np.array(list(futures.numbers.values()), np.int64)
            self.items[column, value] = numbers
            self.item_kinds[numbers] = kinds[column]
        self.whole = np.array(futures.whole, np.bool_)
        self.whole[0] = False
        self.future_reads, self.future_writes = words(futures.reads, self.width), words(futures.writes, self.width)
        self.reads, self.writes = words(reads, self.width), words(writes, self.width)
        own = sum(
            1 << column for column, unit in enumerate(space.units) if unit.group in PRIVATE or unit.group.startswith((AT, CLOCK))
        )
        by_column = [mine.get(unit.key, 0) if unit.group == "node" else 0 for unit in space.units]
        self.mine, self.private = words(by_column, self.width), words([bits & own for bits in by_column], self.width)
        self._by_outcome = [mine.get(task, 0) for task in tasks]
        self._own = own

    def conflicts(self, pairs: NDArray[np.uint64]) -> NDArray[Any]:
        """For each pair of (outcome, item) that a search relied on whether the two are in conflict by what is known now."""
        outcome, item = (pairs >> np.uint64(32)).astype(np.int64) - 1, (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)
        mine = words(self._by_outcome, self.width)[outcome]
        private = words([bits & self._own for bits in self._by_outcome], self.width)[outcome]
        kind = self.item_kinds[item]
        read, written = self.reads[outcome], self.writes[outcome]
        later_reads, later_writes = self.future_reads[item], self.future_writes[item]
        local = ~np.any(written & ~mine, axis=1) & (kind == kernel.CRASH)
        away = np.any(read & ~mine & later_writes, axis=1)
        shown = np.where((kind == kernel.FAULT)[:, None] | (kind == kernel.CRASH)[:, None], ~np.uint64(0), ~private)
        clash = np.any((read & shown & later_writes) | (written & shown & (later_reads | later_writes)), axis=1)
        return np.where(self.whole[item], np.where(local, away, clash), True)


def _kind(unit: Unit) -> int:
    if unit == CRASHES:
        return kernel.CRASH
    return kernel.FAULT if unit.group == "left" else kernel.OTHER
