"""Who expands the states of a block: one thread or several. What comes of it, and in which order, does not depend on how many there are.

The states are taken in pieces. A piece ends early where it has very many transitions or misses, which depends on nothing but its states, and
what is left of it is handed back. Alone, a thread brings one piece after the other through all passes of passes.py; several do one pass over all
pieces, then the next. What they run is compiled and lets go of Python's lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heatproof.strategies.proving import kernel
from heatproof.strategies.proving.passes import NEW_STATE, enter, enter_later, expand, fill, look

if TYPE_CHECKING:
    from heatproof.strategies.proving.search import Search
    from heatproof.strategies.proving.storage import Block
    from heatproof.strategies.proving.threads import Threads

PIECE, PIECES = 2048, 8
"""States of a piece, and how many pieces are expanded in one go."""

MOST, MISSES = 16_384, 32_768
"""The transitions, and the misses, with which a piece ends early."""

SUMS = 1 << 20
"""Sums of states for which a piece has room. There is one for each renaming, and with as many renamings as six engines have a piece ends earlier."""

ADDED = [kernel.STATES, kernel.TRANSITIONS, kernel.TERMINAL, kernel.RESTING, kernel.TERMINAL_SUM]
"""What is counted of each piece."""


class Gone(NamedTuple):
    """What came of a go: first findings (what is said, state, action), misses (state, action), and the states that are left to be expanded, or
    to be expanded again once what is missing was learned."""

    found: NDArray[np.int64]
    misses: NDArray[np.int64]
    left: NDArray[np.int64]


class Piece:
    """Room for what comes of a piece of up to ``most`` transitions and some more, by arrays as in passes.py; ``threads`` enter its states,
    ``actions`` may be possible in one, ``roots`` be missing."""

    def __init__(self, most: int, threads: int, renamings: int, actions: int, roots: int):
        room = most + actions
        self.actions, self.roots = actions, roots
        self.pending, self.misses = np.empty(PIECE, np.int64), np.empty((MISSES + roots, 2), np.int64)
        self.possible = np.empty(actions, np.int64), np.empty(actions, np.int64)
        self.marks = np.empty(room, np.uint64)
        self.ways = np.empty(room, np.uint32), np.empty(room, np.uint32), np.empty(room, np.uint16)
        self.sums = np.empty((room + 2, renamings), np.uint64)  # one of them needs two more
        self.fresh = np.empty((threads, room), np.uint8)
        self.counters = np.zeros(kernel.COUNTERS, np.int64)
        self.found = np.empty((0, 3), np.int64)
        self.todo, self.done = self.pending, 0

    def begin(self, todo: NDArray[np.int64], sayings: int) -> None:
        """These states are expanded next; properties say one of so many things of each."""
        self.todo, self.counters[:] = todo, 0
        if len(self.found) < sayings:
            self.found = np.empty((2 * sayings, 3), np.int64)

    @property
    def taken(self) -> int:
        """How many transitions there are."""
        return int(self.counters[kernel.TAKEN])

    def gone(self) -> tuple[NDArray[np.int64], ...]:
        """What was found, what is missing, the states where it is missing, and those that were not looked at."""
        found, misses, pending = (int(self.counters[number]) for number in (kernel.FOUND, kernel.MISSES, kernel.PENDING))
        return self.found[:found].copy(), self.misses[:misses].copy(), self.pending[:pending].copy(), self.todo[self.done :]


class Expander:
    """Expands states for a search that tells engines apart by so many renamings."""

    def __init__(self, threads: Threads, renamings: int):
        self.threads, self.renamings = threads, renamings
        self.transitions = min(MOST, SUMS // renamings)
        self.room: list[Piece] = []

    def most(self, states: int, actions: int) -> int:
        """How many states may be new after so many, if so many actions may be possible."""
        return -(-states // PIECE) * (self.transitions + actions)

    def go(self, search: Search, block: Block, todo: NDArray[np.int64]) -> Gone:
        """Expand states of a block. What is new stands in the room of the search, which is sealed when it is full."""
        tables = search.tables
        todos = [todo[at : at + PIECE] for at in range(0, len(todo), PIECE)]
        together = self.threads.count > 1 and len(todos) > 1 and not search.reduce  # that relies on what was entered before
        actions, roots, sayings = len(tables.actions.names), len(tables.roots.array), len(tables.outcomes.found_seen.array)
        if self.room and (self.room[0].actions < actions or self.room[0].roots < roots):
            self.room = []
        while len(self.room) < (len(todos) if together else 1):
            self.room.append(Piece(self.transitions, self.threads.count, self.renamings, 2 * actions, roots))
        parts = []
        if together:
            for piece, states in zip(self.room, todos, strict=False):
                piece.begin(states, sayings)
            parts = self._together(search, self._given(search, block), self.room[: len(todos)], actions)
        else:
            (piece, *_), given = self.room, self._given(search, block)
            for states in todos:
                piece.begin(states, sayings)
                parts.append(self._alone(search, given, piece, actions))
        found, misses, pending, rest = (np.concatenate(kind) for kind in zip(*parts, strict=True))
        return Gone(found, misses, np.concatenate([pending, rest]))

    def _given(self, search: Search, block: Block) -> tuple[Any, ...]:
        """What a look needs to know, from the rows to the pairs."""
        tables, outcomes, among = search.tables, search.tables.outcomes, search.independence
        return (
            block.rows, block.sums, block.first, search.result.depth,
            tables.guards, tables.guard_from, tables.guard_to, tables.guard_rival, tables.candidates, tables.crew, tables.waits, tables.roots.array,
            tables.trees.records, tables.trees.keys, tables.trees.children,
            outcomes.leaves, outcomes.writes, outcomes.delta, outcomes.task_node.array, *tables.beside, tables.salts,
            search.table, search.depths,
            tables.stepping, among.mine, among.private, among.reads, among.writes,
            among.owners, among.kinds, among.items, among.whole, among.future_reads, among.future_writes, search.pairs,
        )  # fmt: skip

    def _alone(self, search: Search, given: tuple[Any, ...], piece: Piece, actions: int) -> tuple[NDArray[np.int64], ...]:
        """All passes over one piece."""
        out = search.room_for(self.transitions + actions)
        counters = piece.counters  # what is new stands behind what is new already, all else is of this piece alone
        counters[[kernel.NEW, kernel.PAIRS]] = search.counters[[kernel.NEW, kernel.PAIRS]]
        piece.done = expand(  # type: ignore[call-arg]  # Numba's own type takes no tuple of arrays spread out
            piece.todo, self.transitions, *given, search.tables.outcomes.found_seen.array, piece.misses, piece.pending, piece.found, *piece.possible,
            piece.marks, *piece.ways, piece.sums, piece.fresh[:1], out.rows, out.sums, search.out_parent, search.out_action, counters,
        )  # fmt: skip
        search.counters[[kernel.REDUCED, kernel.TABLE_USED]] += counters[[kernel.REDUCED, kernel.TABLE_USED]]
        search.counters[kernel.PAIRS] = counters[kernel.PAIRS]
        search.counters[ADDED] += counters[ADDED]
        search.filled(int(counters[kernel.NEW]))
        return piece.gone()

    def _together(
        self, search: Search, given: tuple[Any, ...], pieces: list[Piece], actions: int
    ) -> list[tuple[NDArray[np.int64], ...]]:
        """Each pass over all pieces."""
        seen = search.tables.outcomes.found_seen.array
        rows, _, first, depth, *_ = given

        def looked(n: int) -> None:
            piece = pieces[n]
            piece.done = look(  # type: ignore[call-arg]  # Numba's own type takes no tuple of arrays spread out
                piece.todo, 0, MOST, self.transitions, *given, seen.copy(), piece.misses, piece.pending, piece.found, *piece.possible, piece.marks,
                *piece.ways, piece.sums, piece.counters,
            )  # fmt: skip

        places, threads = len(search.table), self.threads.count
        counted = np.zeros((threads, kernel.COUNTERS), np.int64)

        def entered(t: int) -> None:
            low, high = places * t // threads, places * (t + 1) // threads
            for piece in pieces:
                enter(piece.marks, piece.taken, search.table, low, high, search.depths, depth, piece.fresh[t], counted[t])

        self.threads.spread(looked, len(pieces))
        self.threads.spread(entered, threads)
        if counted[:, kernel.LEFT].any():
            for piece in pieces:
                enter_later(piece.marks, piece.taken, search.table, piece.fresh, counted[0])
        search.counters[kernel.TABLE_USED] += counted[:, kernel.TABLE_USED].sum()
        self._filled(search, rows, first, pieces, actions)
        parts = []
        for piece in pieces:
            search.counters[ADDED] += piece.counters[ADDED]
            found, *others = piece.gone()
            found = found[~seen[found[:, 0]]]
            seen[found[:, 0]] = True
            parts.append((found, *others))
        return parts

    def _filled(self, search: Search, rows: Any, first: int, pieces: list[Piece], actions: int) -> None:
        """Fill in what is new, as many pieces at once as there is room for."""
        leaves, writes = search.tables.outcomes.leaves, search.tables.outcomes.writes
        waiting = list(pieces)
        while waiting:
            out, begin = search.room_for(self.transitions + actions), int(search.counters[kernel.NEW])
            begins: list[tuple[Piece, int]] = []
            while waiting and (not begins or begin + self.transitions + actions <= len(out.rows)):
                begins.append((waiting.pop(0), begin))
                piece = begins[-1][0]
                begin += int((piece.fresh[:, : piece.taken] == NEW_STATE).sum())

            def fills(n: int, begins: Any = begins, out: Any = out) -> None:
                piece, begin = begins[n]
                fill(  # type: ignore[call-arg]  # Numba's own type takes no tuple of arrays spread out
                    piece.taken, *piece.ways, piece.sums, piece.fresh, rows, first, leaves, writes, out.rows, out.sums,
                    search.out_parent, search.out_action, begin,
                )  # fmt: skip

            self.threads.spread(fills, len(begins))
            search.filled(begin)
