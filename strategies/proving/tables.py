"""What was learned, as arrays that the kernel walks through: the actions, a decision tree for each, and the leaves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatproof.model.columns import ALL
from heatproof.model.contents import exact
from heatproof.strategies.proving import kernel
from heatproof.strategies.proving.actions import Actions
from heatproof.strategies.proving.learning import Found, LearningWorld, Lesson
from heatproof.strategies.proving.names import OwnNamesMatter
from heatproof.strategies.proving.placed import PlacedWorld
from heatproof.strategies.proving.reduction import BY_NAME, Futures
from heatproof.strategies.proving.symmetry import Renderer
from heatproof.strategies.proving.telling import Telling
from heatproof.strategies.proving.trees import Trees
from heatproof.strategies.proving.views import ABSENT, AT, CLOCK, OWNED, PRESENT, Unit

WHATEVER = ("node", PRESENT)
"""Groups of units that are written whatever is in them."""


class Growing:
    """An array that grows at its end, with so many numbers in each of its rows (0: one and no rows). ``array`` is the whole of it, ``used`` how
    much counts."""

    def __init__(self, dtype: Any, wide: int = 0):
        self.array: NDArray[Any] = np.zeros((1024, wide) if wide else 1024, dtype)
        self.cells = self.array.data.cast("B")  # through which rows are written in less time
        self.row = Struct(f"{max(wide, 1)}{self.array.dtype.char}")
        assert self.row.size == self.array.strides[0]
        self.used = 0

    def append(self, *values: int) -> int:
        """Add a value, or a row of values; where it stands."""
        place = self.used
        if place == len(self.array):
            self.array = np.concatenate([self.array, np.zeros_like(self.array)])
            self.cells = self.array.data.cast("B")
        row = self.row
        row.pack_into(self.cells, place * row.size, *values)
        self.used = place + 1
        return place


class Outcomes:
    """What actions do, one for each leaf of a tree, as arrays by number; and which columns each reads and writes, as bits."""

    def __init__(self, renamings: int):
        self._leaves, self._writes, self.task_node = Growing(np.uint32, kernel.OUTCOMES), Growing(np.uint32, 2), Growing(np.uint32)
        self.founds: list[Found] = [Found()]
        self.found_seen = Growing(np.bool_)
        self.found_seen.append(0)
        self.reads: list[int] = []
        self.changes: list[int] = []
        self.tasks: list[str] = []  # the task that does it, or nothing
        self.items: list[int] = []
        self.delta: NDArray[np.uint64] = np.zeros((1024, renamings), np.uint64)
        # what is not yet in their deltas: the outcome, 1 or -1 for what is added or taken away, how many pairs of column and value (0: one, that
        # counts for itself and is not scrambled), and these
        self.terms: list[int] = []
        self._found_numbers: dict[Found, int] = {Found(): 0}
        self._places: dict[tuple[tuple[int, int], ...], int] = {(): 0}

    @property
    def leaves(self) -> NDArray[np.uint32]:
        """What stands in kernel.py under this name."""
        return self._leaves.array

    @property
    def writes(self) -> NDArray[np.uint32]:
        """What stands in kernel.py under this name."""
        return self._writes.array

    @property
    def count(self) -> int:
        """How many there are."""
        return self._leaves.used

    def written(self, outcome: int) -> list[tuple[int, int]]:
        """What an outcome writes: columns with their new values."""
        begin, end = self.leaves[outcome, [kernel.WRITE_FROM, kernel.WRITE_TO]]
        return [(column, value) for column, value in self.writes[begin:end].tolist()]

    def add(self, lesson: Lesson, tasks: Iterable[int]) -> int:
        """A new outcome; its number. ``tasks``: the columns of the nodes of the tasks that it writes something of, whatever they are."""
        writes = lesson.writes
        begin = self._places.get(writes)
        if begin is None:
            begin = self._places[writes] = self._writes.used
            for column, value in writes:
                self._writes.append(column, value)
        first = self.task_node.used
        for node in tasks:
            self.task_node.append(node)
        found = self._found_numbers.get(lesson.found)
        if found is None:
            found = self._found_numbers[lesson.found] = len(self.founds)
            self.founds.append(lesson.found)
            self.found_seen.append(0)
        number = self._leaves.append(
            lesson.enabled, lesson.system, begin, begin + len(writes), first, self.task_node.used, found, lesson.accesses
        )
        if number >= len(self.delta):
            self.delta = np.concatenate([self.delta, np.zeros_like(self.delta)])
        return number

    def relate(self, lesson: Lesson, task: str, item: int) -> None:
        """Note what the newest outcome reads and writes, which task does it, and of which item it is: for a reduction."""
        self.reads.append(bits(column for column, _ in lesson.path))
        self.changes.append(bits(column for column, _ in lesson.writes))
        self.tasks.append(task)
        self.items.append(item)

    def settle(self, salts: NDArray[np.uint64]) -> None:
        """Work out the deltas that are still to be worked out."""
        if self.terms:
            kernel.add_terms(np.array(self.terms, np.int64), salts, self.delta)
            self.terms.clear()


def bits(columns: Iterable[int]) -> int:
    """A set of columns as the bits of a number."""
    total = 0
    for column in columns:
        total |= 1 << column
    return total


class Tables:
    """The trees and all that the kernel needs beside them."""

    def __init__(self, world: LearningWorld, renderers: list[Renderer], reduce: bool = False):
        self.world, self.space, self.renderers, self.reduce = world, world.space, renderers, reduce
        self.telling = Telling(world) if renderers[1:] else None  # engines are anonymous as long as nobody looks into their ids
        self.actions = Actions(world.design, world.scenario, world.space, isinstance(world, PlacedWorld))
        self.outcomes = Outcomes(len(renderers))
        self.futures = Futures(world.space)
        self.trees = Trees(self._part)
        self._parts_of: dict[tuple[int, int, int], tuple[Any, ...]] = {}  # what _part has found
        self._items: list[Any] = []  # the values of columns that these are made of
        self._numbers: dict[Any, int] = {}  # and the number of each
        self.roots = Growing(np.uint32)
        self.salts: NDArray[np.uint64] = np.zeros((len(renderers), 64, 64), np.uint64)
        self.parts: dict[int, list[int]] = {}  # the column of a node -> the others that belong to its task
        self.parted, self.besides = 0, 0  # how many others there are, and how many of them are in the arrays
        self.owners: list[int] = []  # of each column the column of the node of its task, or -1 if it belongs to none
        self.blind: list[bool] = []  # whether what is written there is written whatever was there
        self.salted: list[bool] = []  # whether its values count in fingerprints for themselves, and not as part of a task
        self._held: dict[tuple[int, int], tuple[int, tuple[int, ...]]] = {}  # what _may_have has found, of so many parts
        self.beside = tuple([np.zeros(64, np.uint32) for _ in range(3)])  # the same for the kernel: from, to, columns
        self.mine: dict[str, int] = {}  # the columns that go by the name of each task, as bits
        # the ends of lessons that hold while a unit or what else a dictionary might have is absent: the leaf, and the columns it knows
        self.assumed: dict[Unit, list[list[int]]] = {}
        self.searched: dict[str, list[list[int]]] = {}
        self.asked = 0
        self.lessons = 0
        self._arrange()

    # ----------------------------------------------------------------------------------------------------------- lessons

    @property
    def entries(self) -> int:
        """How much was put into the trees: lessons, and further values for which one of them holds."""
        return self.lessons + len(self.trees.links)

    def learn(self, row: Sequence[int], action: int) -> int:
        """The outcome of ``action`` for a state, learned if need be."""
        trees, born = self.trees, len(self.space.units)
        node, known, ended = trees.descend(row, int(self.roots.array[action]))
        if ended and trees.column[node] == kernel.LEAF:
            return trees.outcome[node]
        lesson = self.world.lesson(row, len(row), self.actions.names[action])
        if self.telling is not None:
            self.telling.check(lesson)
        if not ended:
            column = trees.column[node]
            node = trees.child(node, row[column] if column < len(row) else ABSENT)
        self.lessons += 1
        return self._enter(action, row, lesson, born, node, known)

    def _part(self, column: int, value: int, wanted: int) -> Any:
        """What a row that is a value of a unit has in some columns, as bits; None if it is absent."""
        if value == ABSENT:
            return None
        found = self._parts_of.get((column, value, wanted))
        if found is None:
            row: Any = self.space.identities[column][value]
            found = tuple([self._one_of(item) for place, item in enumerate(tuple.__iter__(row)) if wanted >> place & 1])
            self._parts_of[column, value, wanted] = found
        return found

    def _one_of(self, item: Any) -> int:
        """A number that stands for a value of a column and for all that are the same: some are equal that are not, such as 1 and True."""
        key = exact(self._numbers, item, self._items.__getitem__)
        if key not in self._numbers:
            self._numbers[key] = len(self._items)
            self._items.append(item)
        return self._numbers[key]

    def _enter(self, action: int, row: Sequence[int], lesson: Lesson, born: int, node: int, known: dict[int, int]) -> int:
        """Put what was learned where the walk for this state ends: at a new node, after the tree has asked for these columns, of rows those as
        bits, which need not be asked for again."""
        # what is written without a look is asked too: then the outcome alone says by how much the sums change
        # (but of nodes, which can be many: a crash takes them away whatever they are; and of who holds a version, who are many)
        self._attribute()
        width, blind, asking, looks = len(row), self.blind, list[tuple[int, int, int]](), lesson.looks
        asked = {column: row[column] if column < width else ABSENT for column in known}
        for column, value in lesson.path:
            wanted, had = looks.get(column, ALL), known.get(column)
            if had is None or wanted & ~had:
                known[column] = wanted if had is None else had | wanted
                asked[column] = value
                asking.append((column, value, wanted))
        for column, _ in lesson.writes:
            if column not in asked and not blind[column]:
                value = asked[column] = row[column] if column < width else ABSENT
                asking.append((column, value, ALL))
        node = self.trees.grow(node, asking)
        outcome = self._outcome(action, row, lesson, asked)
        self.trees.end(node, outcome)
        if lesson.searched or lesson.assumed:
            end = [node, born]
            for group in lesson.searched:
                self.searched.setdefault(group, []).append(end)
            for unit in lesson.assumed:
                self.assumed.setdefault(unit, []).append(end)
        return outcome

    def _tasks(self, lesson: Lesson, before: dict[int, int]) -> list[int]:
        """Of the tasks of which a lesson writes something the columns of the nodes of those of which not all is known before. What the next
        outcome adds to the sums and takes from them is noted, as far as it is known. ``before``: values before it, by column."""
        owners, salted, number, terms = self.owners, self.salted, self.outcomes.count, self.outcomes.terms
        tasks: dict[int, dict[int, int]] = {}  # what is written of each task, by the column of its node
        for column, value in lesson.writes:
            if (node := owners[column]) >= 0:
                tasks.setdefault(node, {})[column] = value
            elif salted[column]:
                terms += (number, 1, 0, column, value)
                if (was := before[column]) != ABSENT:
                    terms += (number, -1, 0, column, was)
        blindly = []
        for node, new in tasks.items():
            stood = before.get(node, -1)
            held = self._may_have(node, stood) if stood > ABSENT else ()
            if stood < ABSENT or (held and any(column not in before for column in held)):
                blindly.append(node)
                continue
            old = {column: before[column] for column in held} if held else {}
            if stood != ABSENT:
                terms += (number, -1, 1 + len(old), node, stood)
                for pair in old.items():
                    terms += pair
            if new.setdefault(node, stood) != ABSENT:
                for column, value in old.items():
                    new.setdefault(column, value)
                terms += (number, 1, len(new))
                for pair in new.items():
                    terms += pair
        return blindly

    def _may_have(self, node: int, value: int) -> tuple[int, ...]:
        """Which of the columns that belong to a task, whose node is in that column, it may have a value in while its node is ``value``."""
        parts = self.parts[node]
        known = self._held.get((node, value))
        if known is None or known[0] < len(parts):
            units, stands, absent = self.space.units, self.space.values[node][value], self.world.versions.absent
            known = self._held[node, value] = len(parts), tuple([column for column in parts if not absent(units[column], stands)])
        return known[1]

    def _attribute(self) -> None:
        """Which new columns belong to a task: its node, and what goes with that."""
        units, columns, owners = self.space.units, self.space.columns, self.owners
        while len(owners) < len(units):
            column, unit, node = len(owners), units[len(owners)], -1
            if unit.group == "node" or unit.group.startswith(PRESENT):
                node = columns[Unit("node", unit.key)]
                self.parts.setdefault(node, [])
                if node != column:
                    self.parts[node].append(column)
                    self.parted += 1
            owners.append(node)
            self.blind.append(unit.group.startswith(WHATEVER))
            self.salted.append(node < 0 and self.world.content(column, 1) is not None)

    def sum(self, rows: NDArray[Any], sums: NDArray[np.uint64]) -> None:
        """Work out the sums of states, which are 0 so far."""
        for column in range(len(self.space.units)):
            if self.owners[column] < 0 and self.salts[0, column].any():
                sums += self.salts[:, column, rows[:, column]].T
        nodes = np.array([*self.parts], np.uint32)
        kernel.add_tasks(rows, sums, nodes, *self.beside, self.salts)  # type: ignore[call-arg]  # a tuple of arrays spread out

    def _outcome(self, action: int, row: Any, lesson: Lesson, before: dict[int, int]) -> int:
        outcome = self.outcomes.add(lesson, self._tasks(lesson, before))
        if self.reduce:
            owner, item = self.actions.owners[action], 0
            if owner is not None:
                column = self.space.columns[owner]
                item = self.futures.number(column, int(row[column]))
            self.outcomes.relate(lesson, owner.key if owner is not None and owner.group == "node" else "", item)
            if item:
                self.futures.learn(item, self.outcomes.reads[outcome], self.outcomes.changes[outcome], lesson.writes)
        return outcome

    def _ask(self, column: int) -> None:
        """A unit has got a column. What was learned before holds where the unit is absent, so let its end ask."""
        unit, trees, outcomes = self.space.units[column], self.trees, self.outcomes
        ends = [*self.assumed.pop(unit, ()), *self.searched.get(unit.group, ())]
        if unit.group.startswith(PRESENT):
            ends += self.searched.get(OWNED + unit.key, ())
        if unit.group.startswith(CLOCK):  # it may be the first task to ask for this limit
            ends += self.searched.get(CLOCK, ())
        for end in ends:
            node, born = end
            if column >= born:
                outcome = trees.outcome[node]
                trees.ask(node, column)
                end[:] = trees.child(node, ABSENT), column + 1
                trees.end(end[0], outcome)
                if not self.reduce:
                    continue
                outcomes.reads[outcome] |= 1 << column
                if outcomes.items[outcome]:
                    self.futures.learn(outcomes.items[outcome], 1 << column, 0, ())
        if unit.group in BY_NAME or unit.group.startswith((AT, CLOCK)):
            self.mine[unit.key] = self.mine.get(unit.key, 0) | 1 << column

    # ------------------------------------------------------------------------------------------------------------ arrays

    def refresh(self) -> None:
        """Bring the arrays up to date with what was learned."""
        while self.asked < len(self.space.units):
            self._ask(self.asked)
            self.asked += 1
        self.trees.refresh()
        self._salt()
        self._beside()
        self.outcomes.settle(self.salts)
        if self.actions.update():
            self._arrange()

    def _beside(self) -> None:
        """Tell the kernel what else belongs to each task."""
        self._attribute()
        parts = self.parts
        if self.parted > self.besides or self.salts.shape[1] > len(self.beside[0]):
            begin, end, columns = [0] * self.salts.shape[1], [0] * self.salts.shape[1], list[int]()
            for node, some in parts.items():
                begin[node] = len(columns)
                columns += some
                end[node] = len(columns)
            self.beside = np.array(begin, np.uint32), np.array(end, np.uint32), np.array(columns, np.uint32)
            self.besides = self.parted

    def _salt(self) -> None:
        space, salts = self.space, self.salts
        if not space.fresh:
            return
        columns, values = len(space.units), 1 + max(value for _, value in space.fresh)
        if columns > salts.shape[1] or values > salts.shape[2]:
            wide, deep = salts.shape[1], salts.shape[2]
            while wide < columns:
                wide *= 2
            while deep < values:
                deep *= 2
            larger = np.zeros((len(self.renderers), wide, deep), np.uint64)
            larger[:, : salts.shape[1], : salts.shape[2]] = salts
            self.salts = salts = larger
        for column, value in space.fresh:
            content = self.world.content(column, value)
            if content is not None:
                plain = self.renderers[0]
                plain.mentions = False
                salts[:, column, value] = plain.salt(content)
                if plain.mentions:
                    self.world.mentions(column, content)
                    for p, renderer in enumerate(self.renderers[1:], 1):
                        salts[p, column, value] = renderer.salt(content)
        space.fresh.clear()
        self.world.versions.check()
        if self.renderers[0].leaked and not (self.world.own_names and self.world.named):
            raise OwnNamesMatter

    def _arrange(self) -> None:
        """The guards with their actions, in the order in which they were met."""
        self.actions.update()
        while self.roots.used < len(self.actions.names):
            self.roots.append(self.trees.node())
        guarded = self.actions.guarded
        places = {column: place for place, column in enumerate(guarded)}
        self.guards = np.array([kernel.ALWAYS if column < 0 else column for column in guarded], np.uint32)
        ends, candidates = [0], list[int]()
        for actions in guarded.values():
            candidates += actions
            ends.append(len(candidates))
        self.guard_from, self.guard_to = np.array(ends[:-1], np.uint32), np.array(ends[1:], np.uint32)
        self.candidates = np.array(candidates, np.uint32)
        self.waits = self._waits()
        self.crew = np.array(self._crew() if self.actions.open_engines else (), np.uint32)
        self.guard_rival = np.array([places.get(self._rival(column), -1) for column in guarded], np.int64)
        units, owners = self.space.columns, self.actions.owners if self.reduce else ()
        self.stepping = np.array([units.get(o, -1) if o is not None and o.group == "node" else -1 for o in owners], np.int64)

    def _waits(self) -> NDArray[np.bool_]:
        """Which of the candidates want an idle thread."""
        names = self.actions.names
        return np.array([names[a].kind == "deliver" for a in self.candidates.tolist()], np.bool_)

    def _crew(self) -> list[int]:
        """The columns of the nodes of all tasks that may have a thread, and how many threads there are."""
        space, scope = self.space, self.world.scenario.scope
        tasks = [(space.units[column].key, space.values[column][1]) for column in space.groups.get("task", ())]
        return [*[space.columns[Unit("node", name)] for name, task in tasks if task.worker], scope.engines * scope.threads]

    def _rival(self, column: int) -> int:
        """The message with the next lower number of the same name; -2 if there is none, or if it matters which of them comes first."""
        if column < 0 or not self.world.any_order or self.space.units[column].group != "message":
            return -2
        base, mark, number = self.space.units[column].key.rpartition("#")
        if not mark or not number.isdigit() or int(number) < 2:
            return -2
        lower = base if int(number) == 2 else f"{base}#{int(number) - 1}"
        return self.space.columns.get(Unit("message", lower), -2)
