"""The decision trees of the actions: which unit to look at next, and what comes of it at the end.

A node asks for the value of one column and has a child for each value that was met, or it is a leaf with an outcome, or nobody has learned
yet what comes there. Where what comes does not depend on all of a row, but on some of its columns, all rows that have the same there have one
child; which do is found out as they are met. Most nodes have a single child, and that has the next number, since both come from one lesson.
So two children of a node stand in the record of the node itself, and only further ones in a table that must be searched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatproof.model.columns import ALL
from heatproof.strategies.proving import kernel
from heatproof.strategies.proving.views import ABSENT

NONE = (1 << kernel.VALUE_BITS) - 1
"""A value that no unit has."""


class Trees:
    """All trees together: nodes by number.

    ``column[n]`` is the column that node n asks for, or ``kernel.LEAF`` or ``kernel.UNKNOWN``; ``outcome[n]`` the outcome of a leaf. ``edges``
    has the child of node n for value v under ``n << VALUE_BITS | v``, and ``links`` the same for further values that have a child in common
    with one of these. ``part`` answers what a value, by its column, has in some columns of the row that it stands for, given as bits. The arrays
    ``records``, ``keys`` and ``children`` are the same for the kernel; :meth:`refresh` brings them up to date.
    """

    def __init__(self, part: Callable[[int, int, int], Any]) -> None:
        self.part = part
        self.column: list[int] = []
        self.outcome: list[int] = []
        self.edges: dict[int, int] = {}
        self.links: dict[int, int] = {}
        self.partial: dict[
            int, tuple[int, dict[Any, int]]
        ] = {}  # what of its value a node asks for, as bits, and the child for each
        self.records: NDArray[np.uint32] = np.empty(0, np.uint32)
        self._enlarge(1024)
        self.keys: NDArray[np.int64] = np.full(1 << 10, -1, np.int64)
        self.children: NDArray[np.int32] = np.zeros(1 << 10, np.int32)
        self._further: dict[int, int] = {}  # the edges to children that do not stand in a record
        self._fresh: list[int] = []  # those of them that are not in the table yet, by key
        self.node()  # what the kernel comes to where there is no child

    def _enlarge(self, size: int) -> None:
        """Make room for the records of so many nodes."""
        larger = np.tile(np.array([kernel.UNKNOWN, NONE, NONE, kernel.NOWHERE], np.uint32), size)
        larger[: len(self.records)] = self.records
        self.records, self.room = larger, size
        self._cells = larger.data  # through which single numbers are written in less time

    def node(self) -> int:
        """A new node of which nothing is known."""
        number = len(self.column)
        if number == self.room:
            self._enlarge(2 * number)
        self.column.append(kernel.UNKNOWN)
        self.outcome.append(-1)
        return number

    def child(self, node: int, value: int) -> int:
        """A new child of a node for a value that it has none for."""
        key = node << kernel.VALUE_BITS | value
        number = self.edges[key] = self.node()
        if node in self.partial:
            wanted, children = self.partial[node]
            children[self.part(self.column[node], value, wanted)] = number
        if number == node + 1:
            self._cells[kernel.RECORD * node + kernel.NEXT] = value
        else:
            self._note(node, value, number)
        return number

    def _note(self, node: int, value: int, child: int) -> None:
        """Let the kernel find the child of a node for a value."""
        cells, at = self._cells, kernel.RECORD * node
        if cells[at + kernel.CHILD] == kernel.NOWHERE:
            cells[at + kernel.VALUE], cells[at + kernel.CHILD] = value, child
        else:
            key = node << kernel.VALUE_BITS | value
            self._further[key] = child
            self._fresh.append(key)

    def _link(self, node: int, value: int) -> int | None:
        """The child of a node for a value that it has none for, if it has one for what it asks of it."""
        key = node << kernel.VALUE_BITS | value
        child = self.links.get(key)
        if child is None and node in self.partial:
            wanted, children = self.partial[node]
            child = children.get(self.part(self.column[node], value, wanted))
            if child is not None:
                self.links[key] = child
                self._note(node, value, child)
        return child

    def ask(self, node: int, column: int) -> None:
        """Let a node without children ask for a column from now on."""
        self.column[node] = column
        at = kernel.RECORD * node
        self._cells[at], self._cells[at + kernel.CHILD] = column, kernel.NOWHERE

    def grow(self, node: int, asking: list[tuple[int, int, int]]) -> int:
        """Let a node without children ask for columns one after the other, and make a child for each of these values; the last child. The third
        number says of which columns of a row, as bits, or ``ALL``."""
        columns, outcomes, edges = self.column, self.outcome, self.edges
        for column, value, wanted in asking:
            number = len(columns)
            if number == self.room:
                self._enlarge(2 * number)
            cells, at = self._cells, kernel.RECORD * node
            if number == node + 1:
                cells[at + kernel.NEXT], cells[at + kernel.CHILD] = value, kernel.NOWHERE
            else:
                cells[at + kernel.VALUE], cells[at + kernel.CHILD] = value, number
            cells[at] = columns[node] = column
            columns.append(kernel.UNKNOWN)
            outcomes.append(-1)
            edges[node << kernel.VALUE_BITS | value] = number
            if wanted != ALL:
                self.partial[node] = wanted, {self.part(column, value, wanted): number}
            node = number
        return node

    def end(self, node: int, outcome: int) -> None:
        """Make a node a leaf."""
        self.column[node], self.outcome[node] = kernel.LEAF, outcome
        at = kernel.RECORD * node
        self._cells[at], self._cells[at + kernel.OUTCOME] = kernel.LEAF, outcome

    def descend(self, row: Any, root: int) -> tuple[int, dict[int, int], bool]:
        """From a root down as far as a state goes: the last node; the columns that it and those before it ask for, and of which columns of the
        rows there, as bits; and whether the last one is a leaf, or such that nobody has learned what comes there; if not, it has no child for
        the state."""
        node, width, edges, columns, partial, asked = root, len(row), self.edges, self.column, self.partial, dict[int, int]()
        unknown, bits = kernel.UNKNOWN, kernel.VALUE_BITS
        while (column := columns[node]) < unknown:
            value = row[column] if column < width else ABSENT
            asked[column] = asked.get(column, 0) | partial[node][0] if node in partial else ALL
            after = edges.get(node << bits | value)
            if after is None:
                after = self._link(node, value)
                if after is None:
                    return node, asked, False
            node = after
        return node, asked, True

    def refresh(self) -> None:
        """Bring the arrays up to date."""
        fresh = self._fresh
        if not fresh:
            return
        if 2 * len(self._further) > len(self.keys):
            size = len(self.keys)
            while size < 4 * len(self._further):
                size *= 2
            self.keys, self.children = np.full(size, -1, np.int64), np.zeros(size, np.int32)
            fresh = list(self._further)
        found = [self._further[key] for key in fresh]
        kernel.put_children(self.keys, self.children, np.array(fresh, np.int64), np.array(found, np.int32))
        self._fresh = []
