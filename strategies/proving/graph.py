"""The graph of all states with every transition, for what must be asked of it as a whole: cycles, and the dearest run.

A search keeps no transitions. A :class:`Graph` watches one that goes through all states without partial order reduction and writes each
transition to disk, 16 bytes; when the search is over they are brought into memory, with 4 bytes for the target of each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatproof.model.errors import HeatproofError
from heatproof.model.world import Action
from heatproof.strategies.proving import graph_kernel, kernel
from heatproof.strategies.proving.search import Search
from heatproof.strategies.proving.storage import Block, NoRoom, Records, memory_free

TRANSITION = np.dtype([("source", "<u4"), ("action", "<u2"), ("system", "u1"), ("accesses", "u1"), ("mark", "<u8")])
"""A transition as it is kept on disk: the number of its source, the action, whether the system does it by itself, which database
access it is (0: none), and the fingerprint of its target."""

ROOM = 1 << 16

compiled: Any = graph_kernel


class Graph:
    """All transitions of a search; see :class:`heatproof.strategies.proving.watchers.Watcher`.

    After :meth:`close`: ``begins`` and ``targets`` as in :mod:`graph_kernel`, and for each edge ``action``, ``system`` and ``accesses``.
    """

    def __init__(self) -> None:
        self.records: Records | None = None
        self.marked: Records | None = None
        self.begins: NDArray[np.int64] = np.zeros(1, np.int64)
        self.targets: NDArray[np.uint32] = np.empty(0, np.uint32)
        self.action: NDArray[np.uint16] = np.empty(0, np.uint16)
        self.system: NDArray[np.bool_] = np.empty(0, np.bool_)
        self.accesses: NDArray[np.uint8] = np.empty(0, np.uint8)
        self.marks: NDArray[np.uint64] = np.empty(0, np.uint64)

        self.first = Block(np.zeros((1, 1), np.uint16), np.zeros((1, 1), np.uint64), 0)

    # ------------------------------------------------------------------------------------------------- while it goes on

    def begins_at(self, search: Search, block: Block) -> None:
        """The search begins, perhaps anew."""
        self.first = Block(block.rows.copy(), block.sums.copy(), 0)
        self.records, self.marked = Records(search.storage, TRANSITION), Records(search.storage, np.uint64)

    def expanded(self, search: Search, block: Block, begin: int, end: int) -> None:
        """Write the transitions of these states."""
        assert self.records is not None
        assert self.marked is not None
        tables = search.tables
        actions = len(tables.actions.names)
        outcomes, taken = np.empty(actions, np.int64), np.empty(actions, np.int64)
        scratch = np.empty((3, block.sums.shape[1]), np.uint64)
        room = ROOM + actions
        source, action = np.empty(room, np.uint32), np.empty(room, np.uint16)
        system, accesses, mark = np.empty(room, np.uint8), np.empty(room, np.uint8), np.empty(room, np.uint64)
        marks = np.empty(end - begin, np.uint64)
        compiled.marks_of(block.sums[begin:end], marks)
        self.marked.add(marks)
        while begin < end:
            used, begin = compiled.transitions(
                block.rows, block.sums, begin, end, block.first, *enabling(tables), *changing(tables)[1:],
                outcomes, taken, scratch, source, action, system, accesses, mark,
            )  # fmt: skip
            records = np.empty(used, TRANSITION)
            columns: tuple[NDArray[Any], ...] = (source, action, system, accesses, mark)
            for name, values in zip(TRANSITION.names or (), columns, strict=True):
                records[name] = values[:used]
            self.records.add(records)

    # ---------------------------------------------------------------------------------------------------- when it is over

    def close(self) -> None:
        """Bring the transitions into memory. Raises :class:`NoRoom` where that would take more than there is."""
        assert self.records is not None
        assert self.marked is not None
        self._fit(self.marked.count, self.records.count)
        self.marks = self.marked.array()
        states, edges = len(self.marks), self.records.count
        size = 2
        while size < 2 * states:
            size *= 2
        table = np.full(size, graph_kernel.NOWHERE, np.uint32)
        compiled.index(self.marks, table)
        self.targets, self.action = np.empty(edges, np.uint32), np.empty(edges, np.uint16)
        self.system, self.accesses = np.empty(edges, np.bool_), np.empty(edges, np.uint8)
        self.begins = np.zeros(states + 1, np.int64)
        at = 0
        for piece in self.records.pieces():
            to = at + len(piece)
            if compiled.number(self.marks, table, piece["mark"].copy(), self.targets[at:to]):
                raise HeatproofError("a transition leads to a state that was never expanded; this is a mistake of heatproof's own")
            self.action[at:to], self.system[at:to], self.accesses[at:to] = piece["action"], piece["system"], piece["accesses"]
            self.begins[1:] += np.bincount(piece["source"], minlength=states)
            at = to
        np.cumsum(self.begins, out=self.begins)

    def _fit(self, states: int, edges: int) -> None:
        free, needed = memory_free(), 48 * states + 12 * edges
        if free is not None and needed > free:
            raise NoRoom(
                f"the graph of {states:,} states and {edges:,} transitions takes {needed / 2**30:.1f} GiB of memory, and"
                f" {free / 2**30:.1f} are free"
            )

    @property
    def states(self) -> int:
        """How many states there are."""
        return len(self.begins) - 1

    def source(self, edge: int) -> int:
        """The state that an edge comes from."""
        return int(np.searchsorted(self.begins, edge, "right")) - 1

    def cyclic(self) -> NDArray[np.bool_]:
        """Which states are left when those that nothing leads to are taken away again and again: none, where nothing goes round."""
        order, left = np.empty(self.states, np.uint32), np.zeros(self.states, np.uint32)
        gone = compiled.peel(self.begins, self.targets, order, left)
        found = np.ones(self.states, np.bool_)
        found[order[:gone]] = False
        return found

    def components(self, wanted: NDArray[np.bool_]) -> tuple[NDArray[np.int64], int]:
        """The strongly connected component of each wanted state, -1 for the others, and how many there are; edges lead to components
        of the same or a lower number."""
        component = np.empty(self.states, np.int64)
        return component, int(compiled.components(self.begins, self.targets, wanted, component))

    def shortest(self, start: int, inside: Callable[[int], bool], ends: Callable[[int], bool]) -> list[int]:
        """The edges of a shortest way, of at least one, from a state through states ``inside`` up to and with an edge that ``ends`` it."""
        came: dict[int, int] = {}
        waiting = deque([start])
        while waiting:
            state = waiting.popleft()
            for edge in range(int(self.begins[state]), int(self.begins[state + 1])):
                target = int(self.targets[edge])
                if not inside(target):
                    continue
                if ends(edge):
                    found = [edge]
                    while state != start:
                        found.append(came[state])
                        state = self.source(came[state])
                    return found[::-1]
                if target not in came and target != start:
                    came[target] = edge
                    waiting.append(target)
        raise HeatproofError("a way was asked for that is not there; this is a mistake of heatproof's own")

    def way(self, search: Search, state: int) -> list[int]:
        """The edges of a shortest way from the first state."""
        found: list[int] = []
        while state > 0:
            parent, action = (int(number) for number in search.steps[state])
            edges = np.arange(self.begins[parent], self.begins[parent + 1])
            found.append(int(edges[(self.targets[edges] == state) & (self.action[edges] == action)][0]))
            state = parent
        return found[::-1]

    def perform(self, search: Search, edges: list[int]) -> list[Action]:
        """The actions of a run along edges that begin at the first state. Under symmetry an edge leads to a state that is the target but
        for the names of engines, so the run is done step by step: of what is possible, what leads to the next fingerprint."""
        return [*search.forced, *Walker(search, self).along(edges)]


class Exchanged(HeatproofError):
    """A way cannot be followed: where it went through a state like this one, something else had the name that something goes by later on."""


class Walker:
    """One run through the tables of a search."""

    def __init__(self, search: Search, graph: Graph):
        self.search, self.graph = search, graph
        self.block = Block(graph.first.rows.copy(), graph.first.sums.copy(), 0)

    def along(self, edges: Iterable[int]) -> list[Action]:
        """The actions along edges, from where it is."""
        graph, names = self.graph, self.search.tables.actions.names
        return [names[self.go(graph.marks[graph.targets[edge]], graph.accesses[edge])] for edge in edges]

    def here(self) -> bytes:
        """The state, names and all."""
        row = self.block.rows[0]
        content: bytes = row[: int(np.max(np.flatnonzero(row), initial=-1)) + 1].tobytes()
        return content

    def go(self, mark: np.uint64, accesses: np.uint8) -> int:
        """Take the transition to a fingerprint with that access; the action. Raises :class:`Exchanged` if there is none."""
        search, tables, block = self.search, self.search.tables, self.block
        while True:
            tables.refresh()
            search.fit(block)
            row, sums = block.rows[0], block.sums[0]
            outcomes = np.empty(len(tables.actions.names), np.int64)
            taken, out = np.empty(len(outcomes), np.int64), np.empty((3, len(sums)), np.uint64)
            count = compiled.possible(block.rows, 0, *enabling(tables), tables.salts, outcomes, taken)
            if count >= 0:
                break
            tables.learn(row.tolist(), -1 - count)
        for outcome, action in zip(outcomes[:count].tolist(), taken[:count].tolist(), strict=True):
            if (
                tables.outcomes.leaves[outcome, kernel.ACCESSES] == accesses
                and compiled.mark_after(block.rows, block.sums, 0, outcome, *changing(tables), out) == mark
            ):
                sums[:] = out[0]
                for column, value in tables.outcomes.written(outcome):
                    row[column] = value
                return int(action)
        raise Exchanged("states that differ only in names go on to states that are told apart by these")


def enabling(tables: Any) -> tuple[Any, ...]:
    """What :func:`graph_kernel.possible` needs of the tables, less the salts."""
    return (
        tables.guards, tables.guard_from, tables.guard_to, tables.guard_rival, tables.candidates, tables.crew, tables.waits, tables.roots.array,
        tables.trees.records, tables.trees.keys, tables.trees.children, tables.outcomes.leaves,
    )  # fmt: skip


def changing(tables: Any) -> tuple[Any, ...]:
    """What outcomes change of the sums."""
    did = tables.outcomes
    return did.leaves, did.writes, did.delta, did.task_node.array, *tables.beside, tables.salts
