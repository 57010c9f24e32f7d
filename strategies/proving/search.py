"""Breadth-first search of all states of a scenario, level by level, keeping fingerprints only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatproof.model.design import Design
from heatproof.model.errors import HeatproofError
from heatproof.model.scenario import Scenario
from heatproof.model.world import Action
from heatproof.properties.base import Property, Witness
from heatproof.strategies.proving import kernel
from heatproof.strategies.proving.learning import Key, LearningWorld, NamesMatter
from heatproof.strategies.proving.symmetry import renderers
from heatproof.strategies.proving.tables import Tables
from heatproof.strategies.proving.views import Space

CHUNK = 4096
"""States expanded in one go of the kernel."""

OUT = 1 << 16
"""New states that fit into one block."""

LOAD = 0.8
"""How full the table of fingerprints may be."""


@dataclass(slots=True)
class Block:
    """Some states of a level: their values by column, their sums, and the number of the first in the whole search."""

    rows: NDArray[np.uint16]
    sums: NDArray[np.uint64]
    first: int


@dataclass(slots=True)
class Sighting:
    """A violation where it was seen first: its witness, the number of the state before, and the action that led there."""

    witness: Witness
    state: int
    action: Action
    depth: int


@dataclass(slots=True)
class Result:
    """What a search saw. ``complete``: whether that is everything; ``cut`` says why not."""

    states: int = 0
    transitions: int = 0
    depth: int = 0
    terminal: int = 0
    resting: int = 0
    terminal_sum: int = 0
    complete: bool = False
    cut: str = ""
    violations: dict[Key, Sighting] = field(default_factory=dict)
    reached: dict[str, int] = field(default_factory=dict)
    widest: int = 0
    lessons: int = 0

    def collision(self) -> float:
        """The probability that two of the states had the same 64-bit fingerprint, so that one was not seen: at most n**2 / 2**65."""
        return min(1.0, self.states**2 / 2.0**65)


class Search:
    """One exhaustive search.

    ``go_on`` is asked after every chunk with the result so far and answers why the search must stop, or an empty text.
    """

    def __init__(
        self,
        design: Design,
        scenario: Scenario,
        properties: Iterable[Property],
        symmetric: bool = True,
        merge: bool = True,
        go_on: Callable[[Result], str] = lambda result: "",
    ):
        if not design.pure:
            raise HeatproofError(
                f"design {design.name!r} runs real code that cannot be searched exhaustively; use 'heatproof check'"
            )
        self.design, self.scenario, self.properties = design, scenario, list(properties)
        self.symmetric, self.merge, self.go_on = symmetric, merge, go_on
        self.steps: list[
            tuple[NDArray[np.uint32], NDArray[np.uint16]]
        ] = []  # where each state came from: the state before, the action
        self._begin(False)

    def _begin(self, names_matter: bool) -> None:
        self.space = Space()
        self.world = LearningWorld(self.design, self.scenario, self.properties, self.space, self.merge, names_matter)
        self.tables = Tables(self.world, renderers(self.scenario, self.symmetric))
        self.result = Result()
        self.table: NDArray[np.uint64] = np.zeros(1 << 14, np.uint64)
        self.counters = np.zeros(kernel.COUNTERS, np.int64)
        self.steps = []
        self.forced: list[Action] = []  # what was done before the first state: the only thing that was possible
        self.width = 64
        self.out = Block(np.empty((OUT, self.width), np.uint16), np.empty((OUT, len(self.tables.renderers)), np.uint64), 1)
        self.out_parent, self.out_action = np.empty(OUT, np.uint32), np.empty(OUT, np.uint16)
        self.misses, self.pending = np.empty((8 * CHUNK, 2), np.int64), np.empty(CHUNK, np.int64)
        self.found = np.empty((2 * CHUNK, 3), np.int64)
        self.scratch, self.taken = np.empty(0, np.int64), np.empty(0, np.int64)
        self.sums = np.empty(len(self.tables.renderers), np.uint64)

    def run(self) -> Result:
        """Search everything, or until told to stop."""
        try:
            return self._run()
        except NamesMatter:
            self._begin(True)
            return self._run()

    def way(self, state: int) -> list[Action]:
        """The actions that lead to a state, by its number, from the beginning of the scenario."""
        numbers: list[int] = []
        starts = np.cumsum([0, *(len(parents) for parents, _ in self.steps)])
        while state > 0:
            block = int(np.searchsorted(starts, state, "right")) - 1
            parents, actions = self.steps[block]
            numbers.append(int(actions[state - starts[block]]))
            state = int(parents[state - starts[block]])
        return [*self.forced, *(self.tables.actions.names[number] for number in reversed(numbers))]

    # ------------------------------------------------------------------------------------------------------------ levels

    def _run(self) -> Result:
        level = [self._start()]
        result = self.result
        result.states = 1
        while level:
            following: list[Block] = []
            whole = all(self._expand(block, following) for block in level)
            self._seal(following)
            if not whole:
                break
            level = following
            result.depth += bool(level)
            result.widest = max(result.widest, sum(len(block.rows) for block in level))
        result.complete = not level
        result.lessons = self.tables.lessons
        return result

    def _start(self) -> Block:
        """The first state: where the user has only one thing to ask, it has been asked."""
        tables = self.tables
        state = dict(self.world.started)
        row = self._row(state)
        tables.refresh()
        possible = [a for a in range(1, len(tables.actions.names)) if tables.enabled.array[tables.learn(row, a)]]
        if len(possible) == 1 and tables.actions.names[possible[0]].kind == "operate":
            self.forced = [tables.actions.names[possible[0]]]
            leaf = tables.learn(row, possible[0])
            for w in range(tables.write_from.array[leaf], tables.write_to.array[leaf]):
                state[int(tables.write_column.array[w])] = int(tables.write_value.array[w])
            row = self._row(state)
        tables.refresh()
        self._widen()
        rows = np.zeros((1, self.width), np.uint16)
        rows[0, : len(row)] = row
        sums = np.zeros((1, len(tables.renderers)), np.uint64)
        for column, value in state.items():
            sums[0] += tables.salts[:, column, value]
        kernel.visit(self.table, np.uint64(kernel.fingerprint(sums[0])))
        self.counters[kernel.TABLE_USED] = 1
        self.steps.append((np.array([0], np.uint32), np.array([0], np.uint16)))
        return Block(rows, sums, 0)

    def _row(self, state: dict[int, int]) -> NDArray[np.uint16]:
        row = np.zeros(max(len(self.space.units), 1), np.uint16)
        for column, value in state.items():
            row[column] = value
        return row

    def _widen(self) -> None:
        while self.width < len(self.space.units):
            self.width += 64

    def _fit(self, block: Block) -> None:
        """Make the rows of a block as wide as there are columns now; what is new is absent there."""
        self._widen()
        if block.rows.shape[1] < self.width:
            rows = np.zeros((len(block.rows), self.width), np.uint16)
            rows[:, : block.rows.shape[1]] = block.rows
            block.rows = rows

    # -------------------------------------------------------------------------------------------------------- one block

    def _expand(self, block: Block, following: list[Block]) -> bool:
        """Expand a block; whether the search may go on."""
        everything = np.arange(len(block.rows), dtype=np.int64)
        for begin in range(0, len(everything), CHUNK):
            todo = everything[begin : begin + CHUNK]
            while len(todo):
                todo = self._go(block, todo, following)
            self.result.cut = self.go_on(self.result)
            if self.result.cut:
                return False
        return True

    def _go(self, block: Block, todo: NDArray[np.int64], following: list[Block]) -> NDArray[np.int64]:
        """Expand states; those that are left to do, or must be done again with what was learned."""
        tables, counters = self.tables, self.counters
        tables.refresh()
        self._fit(block)
        self._make_room(following)
        actions = len(tables.actions.names)
        if actions > len(self.scratch):
            self.scratch = np.empty(2 * actions, np.int64)
            self.taken = np.empty(2 * actions, np.int64)
        misses, pending, found = self.misses, self.pending, self.found
        counters[kernel.MISSES] = counters[kernel.PENDING] = counters[kernel.FOUND] = 0
        transitions, fresh = counters[kernel.TRANSITIONS], counters[kernel.NEW]
        done = kernel.expand(
            todo, block.rows, block.sums, block.first,
            tables.guards, tables.guard_from, tables.guard_to, tables.guard_rival, tables.candidates, tables.roots.array,
            tables.node_column.array, tables.node_leaf.array, tables.keys, tables.children,
            tables.enabled.array, tables.system.array, tables.write_from.array, tables.write_to.array,
            tables.write_column.array, tables.write_value.array, tables.leaf_found.array, tables.found_seen.array,
            tables.salts, self.table, int(LOAD * len(self.table)),
            self.out.rows, self.out.sums, self.out_parent, self.out_action, misses, pending, found, self.scratch, self.taken, self.sums, counters,
        )  # fmt: skip
        result = self.result
        self._sightings(found[: counters[kernel.FOUND]])
        result.states += int(counters[kernel.NEW] - fresh)
        result.transitions += int(counters[kernel.TRANSITIONS] - transitions)
        result.terminal, result.resting = int(counters[kernel.TERMINAL]), int(counters[kernel.RESTING])
        result.terminal_sum = int(counters[kernel.TERMINAL_SUM])
        self._learn(block, misses[: counters[kernel.MISSES]])
        again = pending[: counters[kernel.PENDING]]
        return np.concatenate([again, todo[done:]])

    def _seal(self, following: list[Block]) -> None:
        """Put the new states so far into a block of their own and begin another."""
        count = int(self.counters[kernel.NEW])
        if count:
            following.append(Block(self.out.rows[:count].copy(), self.out.sums[:count].copy(), self.out.first))
            self.steps.append((self.out_parent[:count].copy(), self.out_action[:count].copy()))
            self.counters[kernel.NEW] = 0
        self.out.first = self.result.states
        if self.out.rows.shape[1] < self.width:
            self.out.rows = np.empty((OUT, self.width), np.uint16)

    def _make_room(self, following: list[Block]) -> None:
        if self.counters[kernel.NEW] + len(self.scratch) > OUT or self.out.rows.shape[1] < self.width:
            self._seal(following)
        size = len(self.table)
        while self.counters[kernel.TABLE_USED] + OUT // 8 > LOAD * size:
            size *= 2
        if size > len(self.table):
            larger = np.zeros(size, np.uint64)
            kernel.rehash(self.table, larger)
            self.table = larger

    def _learn(self, block: Block, misses: NDArray[np.int64]) -> None:
        learn = self.tables.learn
        rows: dict[int, list[int]] = {}
        for i, action in misses.tolist():
            row = rows.get(i)
            if row is None:
                row = rows[i] = block.rows[i].tolist()
            learn(row, action)

    def _sightings(self, found: NDArray[np.int64]) -> None:
        tables, result = self.tables, self.result
        for number, state, action in found.tolist():
            said = tables.founds[number]
            for key, witness in said.violations:
                if key not in result.violations:
                    name = tables.actions.names[action]
                    result.violations[key] = Sighting(witness, state, name, result.depth + (action != 0))
            for name_of in said.reached:
                result.reached.setdefault(name_of, result.depth + 1)


def explore(design: Design, scenario: Scenario, properties: Iterable[Property], **options: Any) -> Result:
    """Search a scenario exhaustively; what was seen."""
    return Search(design, scenario, properties, **options).run()
