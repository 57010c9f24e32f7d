"""Breadth-first search of all states of a scenario, level by level, keeping fingerprints only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatproof.model.columns import Live
from heatproof.model.design import Design
from heatproof.model.engine_ids import EngineId, EnginesTold
from heatproof.model.errors import HeatproofError
from heatproof.model.scenario import Scenario
from heatproof.model.world import Action
from heatproof.properties.base import Property
from heatproof.strategies.proving import kernel
from heatproof.strategies.proving.columns import ColumnsMatter
from heatproof.strategies.proving.commuting import put_pairs
from heatproof.strategies.proving.expanding import PIECE, PIECES, Expander
from heatproof.strategies.proving.growing import MOST_PLACES, grow
from heatproof.strategies.proving.learning import LearningWorld
from heatproof.strategies.proving.names import NamesMatter, OwnNamesMatter
from heatproof.strategies.proving.placed import PlacedWorld, may_be_open, settled
from heatproof.strategies.proving.placing import EnginesMatter
from heatproof.strategies.proving.reduction import Independence
from heatproof.strategies.proving.results import Earlier, Result, Sighting
from heatproof.strategies.proving.storage import Block, Diary, Frontier, Steps, Storage, rarely_collected
from heatproof.strategies.proving.symmetry import renderers, spells_engines
from heatproof.strategies.proving.tables import Tables
from heatproof.strategies.proving.threads import Threads
from heatproof.strategies.proving.versions import VersionsMatter
from heatproof.strategies.proving.views import Space
from heatproof.strategies.proving.watchers import Keeper, Watcher

CHUNK = PIECE * PIECES
"""States expanded in one go."""

OUT = 1 << 16
"""New states that fit into one block."""

FULL = 5 << 13
"""New states with which room for a block is handed over as it is, rather than copied into less room; the first of a level always is."""

SPARE = 4
"""Blocks whose room is kept to be used again."""

MOST_ACTIONS = 30_000
"""Actions of one scope: what one state does must fit into one block."""

SMALL = 2**16 - 1
"""The greatest value in rows of 16-bit numbers; where a column has greater ones rows are of 32-bit numbers."""

LOAD, PLACES = 0.8, 1 << 19
"""How full the table of fingerprints may be, and how many it has room for at first."""

LARGE = 2**30
"""Places from which on the table grows by a quarter rather than by half: to have room for nothing is dearer then than to grow more often."""


class Search:
    """One exhaustive search.

    ``go_on`` is asked after every chunk with the result so far and answers why the search must stop, or an empty text. ``storage``
    says how much of the frontier is kept in memory. ``reduce``: whether steps that commute with all that can follow are taken alone.
    ``versions``: whether states are the same that differ in nothing but the numbers of versions; ``columns``: whether they are that differ in
    nothing but columns of held rows that nobody will look at again; ``placing``: whether it is left open which engine a task is on.
    ``world`` is the world in which actions are learned; ``watchers`` look on, ``checkpoint`` writes down where the search stands. What comes of
    it does not depend on the number of ``threads``.
    """

    def __init__(
        self,
        design: Design,
        scenario: Scenario,
        properties: Iterable[Property],
        symmetric: bool = True,
        merge: bool = True,
        reduce: bool = False,
        go_on: Callable[[Result], str] = lambda result: "",
        storage: Storage | None = None,
        watchers: Iterable[Watcher] = (),
        checkpoint: Keeper | None = None,
        world: type[LearningWorld] = LearningWorld,
        versions: bool = True,
        columns: bool = True,
        placing: bool = True,
        threads: int = 1,
    ):
        if not design.pure:
            raise HeatproofError(
                f"design {design.name!r} runs real code that cannot be searched exhaustively; use 'heatproof check'"
            )
        self.design, self.scenario, self.properties = design, scenario, list(properties)
        self.symmetric = symmetric and not spells_engines(design, self.properties)
        self.anonymous = self.symmetric  # as long as nobody looks into the id of an engine
        self.merge, self.versions, self.reduce, self.go_on = merge, versions, reduce, go_on
        self.storage, self.watchers, self.kind = storage or Storage(), list(watchers), world
        self.checkpoint, self.threads = checkpoint, Threads(threads)
        self.columns, self.live = columns, Live() if columns else None
        fits = self.symmetric and merge and not reduce and world is LearningWorld
        self.placing = placing
        self.leave_open = placing and columns and fits and may_be_open(scenario)  # as long as nobody can tell engines apart
        # whether it is for learning only; of how many states of a level it goes on, 0: of all; whether others have learned for it (preparing.py)
        self.pilot, self.narrow, self.prepared = False, 0, False
        self.aside = 0  # how many states those have seen that learn for this search at the moment
        self.passes, self.earlier = 0, Earlier()  # what was found before the search began anew
        self.begin(False, False, () if versions else None)

    def begin(self, names_matter: bool, own_names: bool, numbered: Iterable[str] | None) -> None:
        """Begin anew, with nothing learned and nothing seen. ``names_matter``: names and arguments of tasks are part of the state; ``own_names``:
        so are the names of tasks, and what handlers hold of them; ``numbered``: so are the versions of these tables (None: of all)."""
        if self.passes:
            self.earlier.keep(self)
        self.names_matter, self.own_names = names_matter, own_names
        self.numbered = None if numbered is None else sorted(numbered)
        self.space = Space()
        self.world = (PlacedWorld if self.leave_open and self.live is not None else self.kind)(
            self.design, self.scenario, self.properties, self.space, self.merge, names_matter, own_names, numbered, self.live
        )
        self.world.versions.pilot = self.pilot
        self.open = isinstance(self.world, PlacedWorld)  # whether it is open which engine a task is on
        self.world.settles = not self.reduce  # else not every lesson is one of a state that is searched
        self.tables = Tables(self.world, renderers(self.scenario, self.anonymous and not self.open), self.reduce)
        self.tables.renderers[0].sure = self.open or self.tables.telling is not None
        self.width, self.spare = 64, list[Block]()
        self.kind_of_rows: type[Any] = np.uint16
        self.out = self._room()
        self.out_parent, self.out_action = np.empty(OUT, np.uint32), np.empty(OUT, np.uint16)
        self.expander = Expander(self.threads, len(self.tables.renderers))
        self.diary = Diary(self.storage) if self.checkpoint else None
        self.passes = 0
        self._again()

    def _again(self) -> None:
        """Begin anew with what was learned."""
        self.result = Result()
        self.table: NDArray[np.uint64] = np.zeros(PLACES, np.uint64)
        self.depths: NDArray[np.uint16] = np.zeros(len(self.table) if self.reduce else 0, np.uint16)
        self.pairs: NDArray[np.uint64] = np.zeros(1 << 12 if self.reduce else 0, np.uint64)
        self.counters = np.zeros(kernel.COUNTERS, np.int64)
        self.tables.outcomes.found_seen.array[:] = False
        self.steps = Steps(self.storage)
        self.level, self.following = Frontier(self.storage, self.threads), Frontier(self.storage, self.threads)
        self.block: Block | None = None  # what is expanded now, and how far that has come
        self.at = 0
        self.seen: list[tuple[int, int, int, int]] = []  # first findings: what was found, the state before, the action, the depth
        self.forced: list[Action] = []  # what was done before the first state: the only thing that was possible
        self.out.first = 1
        self.independence = self._independence()
        self.passes += 1

    def _independence(self) -> Independence:
        tables, outcomes = self.tables, self.tables.outcomes
        self.known = tables.lessons
        tables.futures.changed = False
        return Independence(self.space, tables.futures, outcomes.reads, outcomes.changes, outcomes.tasks, tables.mine)

    @rarely_collected()
    def run(self) -> Result:
        """Search everything, or until told to stop. Called again, it goes on where it was stopped."""
        before = EngineId.watching, EngineId.doubted
        try:
            return self._to_the_end()
        finally:
            EngineId.watching, EngineId.doubted = before

    def _to_the_end(self) -> Result:
        while True:
            try:
                EngineId.watching, EngineId.doubted = self.tables.telling is not None, self.tables.renderers[0].doubtful
                self._run()
                if not (self.reduce and self.result.complete) or self._relied_rightly():
                    return self.result
                self.earlier.keep(self)
                self._again()
            except NamesMatter:
                self.begin(True, self.own_names, self.numbered)
            except OwnNamesMatter:
                self.begin(self.names_matter, True, self.numbered)
            except (EnginesMatter, EnginesTold):
                self._name_engines()
            except ColumnsMatter as matter:
                self._look_at_more(matter.whole)
            except VersionsMatter as matter:
                self.begin(self.names_matter, self.own_names, {*(self.numbered or ()), *matter.tables})
            except HeatproofError:  # with all that was looked at, numbers of versions, or engines by name, it may not be so
                if self.misled or self.world.unsure:
                    self._look_at_more(self.world.unsure)
                elif tables := self.world.versions.known():
                    self.begin(self.names_matter, self.own_names, {*(self.numbered or ()), *tables})
                elif self.open or self.tables.telling is not None:
                    self._name_engines()
                else:
                    raise

    def _name_engines(self) -> None:
        """Begin anew with engines by name, and tell them apart if they had names; or first look at more, where handlers were merged wrongly."""
        if self.misled:
            self._look_at_more(False)
            return
        assert self.open or self.anonymous  # else it would begin anew for ever
        self.leave_open, self.anonymous = False, self.anonymous and self.open
        self.begin(self.names_matter, self.own_names, self.numbered)

    def _look_at_more(self, whole: bool) -> None:
        """Begin anew with what was learned of the columns that handlers look at; ``whole``: with all columns."""
        self.earlier.keep(self)
        if whole:
            self.live = None
        elif self.live is not None:
            from heatproof.strategies.proving.preparing import prepare

            self.forget()  # else there is less memory for what is learned beforehand
            prepare(self, self.live)
        self.begin(self.names_matter, self.own_names, self.numbered)

    @property
    def misled(self) -> bool:
        """Whether handlers were merged that differ in what one of them looked at since: the search goes on only to learn more of that."""
        return self.world.misled and not self.pilot

    def _applied(self, state: dict[int, int], outcome: int) -> dict[int, int]:
        """The state, by column, with what an outcome writes written into it."""
        state.update(self.tables.outcomes.written(outcome))
        return state

    def _relied_rightly(self) -> bool:
        """Whether every step that was taken alone may be so by all that is known now."""
        return not self._independence().conflicts(self.pairs[self.pairs != 0]).any()

    def resume(self) -> None:
        """Go on, at the next :meth:`run`, where the checkpoint was written. Raises :class:`HeatproofError` if there is none that fits."""
        assert self.checkpoint is not None
        self.checkpoint.resume(self)

    def forget(self) -> None:
        """Give back the memory of a search that is over: what was seen and what was learned stay known, but it cannot go on."""
        self.table, self.depths = np.zeros(1, np.uint64), np.zeros(0, np.uint16)
        self.block, self.out, self.spare = None, Block(self.out.rows[:0].copy(), self.out.sums[:0].copy(), 0), []
        self.level, self.following = Frontier(self.storage, self.threads), Frontier(self.storage, self.threads)

    def way(self, state: int, *more: Action) -> list[Action]:
        """The actions that lead to a state, by its number, from the beginning of the scenario, and from there on."""
        names = self.tables.actions.names
        actions = [*self.forced, *(names[number] for number in self.steps.back(state)), *more]
        return settled(self, actions) if self.open else actions

    # ------------------------------------------------------------------------------------------------------------ levels

    def _run(self) -> None:
        result, watchers = self.result, self.watchers
        result.cut = ""
        if not self.steps.count:
            self.block = self.start()
            result.states = 1
            if self.said:
                self.sight(self.said, 0, 0, 0)
            for watcher in watchers:
                watcher.begins_at(self, self.block)
        while not result.cut and (self.block is not None or self.misled):  # who is misled has a program of watched rows
            if self.misled and self.world.watched.outdated(result.states, self.block is None):  # type: ignore[union-attr]
                raise ColumnsMatter(False)
            assert self.block is not None
            self._chunk(self.block)
            if self.at >= len(self.block.rows):
                self.block, self.at = self._next(), 0
            result.cut = self.go_on(result)
            if self.checkpoint and (result.cut or not self.misled):
                self.checkpoint.rests(self, bool(result.cut) or self.block is None)
        result.complete = self.block is None and not self.misled
        if result.complete:
            result.cut = ""

    def _next(self) -> Block | None:
        """The block to expand next, of this level or the next."""
        if self.block is not None:
            self._done_with(self.block)
        if not self.level.blocks:
            self.seal()
            self.level, self.following = self.following.thinned(self.narrow), Frontier(self.storage, self.threads)
            self.result.depth += bool(self.level.blocks)
            self.result.widest = max(self.result.widest, self.level.states)
            learned = self.tables.lessons > 1.05 * self.known
            if self.reduce and (learned or (self.tables.futures.changed and self.result.depth % 8 == 0)):
                self.independence = self._independence()
        return self.level.take(self._room)

    def start(self) -> Block:
        """The first state: where the user has only one thing to ask, it has been asked."""
        tables = self.tables
        if self.reduce and self.passes == 1:
            from heatproof.strategies.proving.preparing import warm_up

            warm_up(self)
            self.independence = self._independence()
        _, row = self._beginning()
        tables.refresh()
        self._widen()
        rows = np.zeros((1, self.width), self.kind_of_rows)
        rows[0, : len(row)] = row
        sums = np.zeros((1, len(tables.renderers)), np.uint64)
        tables.sum(rows, sums)
        mark = np.uint64(kernel.fingerprint(sums, 0))
        self.table[kernel.slot_of(self.table, mark)] = mark
        self.counters[kernel.TABLE_USED] = 1
        self.steps.extend(np.zeros(1, np.uint32), np.zeros(1, np.uint16))
        return Block(rows, sums, 0)

    def _beginning(self) -> tuple[dict[int, int], list[int]]:
        """The first state by column, and as a row."""
        tables, state = self.tables, dict(self.world.started)
        row = self._row(state)
        tables.refresh()
        possible = []
        for action in range(1, len(tables.actions.names)):
            outcome = tables.learn(row, action)
            if tables.outcomes.leaves[outcome, kernel.ENABLED]:
                possible.append(action)
        self.forced, self.said = [], 0  # and what was found then, by its number in the tables
        if len(possible) == 1 and tables.actions.names[possible[0]].kind == "operate":
            self.forced = [tables.actions.names[possible[0]]]
            outcome = tables.learn(row, possible[0])
            self.said = int(tables.outcomes.leaves[outcome, kernel.TELLS])
            self._applied(state, outcome)
        return state, self._row(state)

    def _row(self, state: dict[int, int]) -> list[int]:
        row = [0] * max(len(self.space.units), 1)
        for column, value in state.items():
            row[column] = value
        return row

    def _widen(self) -> None:
        while self.width < len(self.space.units):
            self.width += 64
        if self.space.most > SMALL:
            self.kind_of_rows = np.uint32

    def fit(self, block: Block) -> None:
        """Make the rows of a block as wide as there are columns and values now; what is new is absent there."""
        self._widen()
        if not self._fits(block):
            rows = np.zeros((len(block.rows), self.width), self.kind_of_rows)
            rows[:, : block.rows.shape[1]] = block.rows
            block.rows = rows

    # -------------------------------------------------------------------------------------------------------- one block

    def _chunk(self, block: Block) -> None:
        """Expand the next states of a block."""
        begin, end = self.at, min(self.at + CHUNK, len(block.rows))
        todo = np.arange(begin, end, dtype=np.int64)
        while len(todo):
            todo = self._go(block, todo)
        for watcher in self.watchers:
            watcher.expanded(self, block, begin, end)
        self.at = end
        self.result.lessons = self.tables.lessons

    def _go(self, block: Block, todo: NDArray[np.int64]) -> NDArray[np.int64]:
        """Expand states; those that are left to do, or must be done again with what was learned."""
        tables, counters, result = self.tables, self.counters, self.result
        tables.refresh()
        if self.diary is not None:
            self.diary.fresh = True
        self.fit(block)
        actions = len(tables.actions.names)
        if actions > MOST_ACTIONS:
            raise HeatproofError(f"more than {MOST_ACTIONS} actions are possible in this scope; make it smaller")
        self._make_room(self.expander.most(len(todo), actions))
        gone = self.expander.go(self, block, todo)
        self._sightings(gone.found)
        result.transitions = int(counters[kernel.TRANSITIONS])
        result.terminal, result.resting = int(counters[kernel.TERMINAL]), int(counters[kernel.RESTING])
        result.terminal_sum, result.expanded = int(counters[kernel.TERMINAL_SUM]), int(counters[kernel.STATES])
        self._learn(block, gone.misses)
        return gone.left

    def room_for(self, count: int) -> Block:
        """The room of new states, with room for so many more."""
        if self.counters[kernel.NEW] + count > OUT or not self._fits(self.out):
            self.seal()
        assert count <= len(self.out.rows)
        return self.out

    def filled(self, count: int) -> None:
        """There are so many new states in the room now."""
        self.result.states += count - int(self.counters[kernel.NEW])
        self.counters[kernel.NEW] = count

    def seal(self) -> None:
        """Put the new states so far into a block of their own and begin another."""
        count = int(self.counters[kernel.NEW])
        if count:
            block = Block(self.out.rows[:count], self.out.sums[:count], self.out.first)
            if not (whole := count >= FULL or not self.following.blocks):
                block = Block(block.rows.copy(), block.sums.copy(), block.first)
            if self.following.put(block, self.level.held) and whole:
                self.out = self._room()
            self.steps.extend(self.out_parent[:count], self.out_action[:count])
            self.counters[kernel.NEW] = 0
        if not self._fits(self.out):
            self.out = self._room()
        self.out.first = self.result.states

    def _room(self) -> Block:
        """Room for a block of states, that of an old one where there is any: fresh room must be cleared by the system first."""
        while self.spare:
            if self._fits(room := self.spare.pop()):
                return room
        return Block(np.empty((OUT, self.width), self.kind_of_rows), np.empty((OUT, len(self.tables.renderers)), np.uint64), 0)

    def _done_with(self, block: Block) -> None:
        """Let the room of a block be used again."""
        rows, sums = block.rows.base, block.sums.base
        if rows is not None and sums is not None and rows.ndim == 2 and len(rows) == len(sums) == OUT and len(self.spare) < SPARE:
            self.spare.append(Block(rows, sums, 0))

    def _fits(self, block: Block) -> bool:
        return block.rows.shape[1] >= self.width and block.rows.dtype == self.kind_of_rows

    def _make_room(self, count: int) -> None:
        """Make room for so many new states in the table, and for what a reduction relies on."""
        size = len(self.table)
        while self.counters[kernel.TABLE_USED] + count > LOAD * size:
            size = min(size + size // (2 if size < LARGE else 4), MOST_PLACES)
        if size > len(self.table):
            grow(self.table, self.depths, size)
        pairs = 4 * (int(self.counters[kernel.PAIRS]) + max(256, len(self.independence.owners)))
        if self.reduce and pairs > len(self.pairs):
            old = self.pairs
            self.pairs = np.zeros(1 << (2 * pairs).bit_length(), np.uint64)
            put_pairs(self.pairs, old)

    def _learn(self, block: Block, misses: NDArray[np.int64]) -> None:
        tables, diary = self.tables, self.diary
        rows: dict[int, list[int]] = {}
        for i, action in misses.tolist():
            row = rows.get(i)
            if row is None:
                row = rows[i] = block.rows[i].tolist()
            before = tables.entries
            tables.learn(row, action)
            if diary is not None and tables.entries > before:
                diary.note(row, action)

    def _sightings(self, found: NDArray[np.int64]) -> None:
        for number, state, action in found.tolist():
            self.sight(number, state, action, self.result.depth + (action != 0))

    def sight(self, number: int, state: int, action: int, depth: int) -> None:
        """Something was found for the first time, by its number in the tables: after ``action`` in ``state``, at a depth."""
        tables, result = self.tables, self.result
        said = tables.outcomes.founds[number]
        if self.misled:
            for key, witness in said.violations:
                result.supposed.setdefault(key, Sighting(witness, state, tables.actions.names[action], depth))
            return
        self.seen.append((number, state, action, depth))
        for key, witness in said.violations:
            if key not in result.violations:
                result.violations[key] = Sighting(witness, state, tables.actions.names[action], depth)
        for name_of in said.reached:
            result.reached.setdefault(name_of, len(self.forced) + depth)
