"""Versions of rows without their numbers: a unit says for each task and row which of the versions that the task holds is the present one.

Theory of operation. A design names columns of which only equality counts (model/versions.py). Of such a column a state keeps no number. When
a task reads the row it gets a :class:`Version`; where its handler holds versions of the row already, the unit of row and task says which of
them it is, if any. Who writes the next version takes away the units of the row of all others: none of theirs is it any more. So a state
where a row was written three times and one where it was written four times are one state, if the same tasks hold the present version. Such
a unit belongs to its task as its node does: the two are scrambled together in the fingerprint (kernel.py:after), so that tasks stay
anonymous.

Why it is sound. The numbers grow, so what is not the present version never is again; a search that forgets the numbers forgets nothing that
a comparison can see. Everything else that a handler or a property might do with a version is noticed, and so is a comparison with a
number that was worked out but never written, a write of anything but the next version, and a row that is inserted once more after it
was deleted: all of these may tell numbers apart, or bring one back. Then :class:`VersionsMatter` names the table and the search
begins anew with the numbers of that table in the state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from heatproof.model.continuations import Held
from heatproof.model.effects import Table
from heatproof.model.program import Node
from heatproof.model.versions import CURRENT, Column, Version
from heatproof.model.world import Entry
from heatproof.strategies.proving.views import OWNED, PRESENT, Unit, View

if TYPE_CHECKING:
    from heatproof.strategies.proving.learning import LearningWorld

Number = tuple[int, int]
Holding = dict[Column, tuple[tuple[Number, bool], ...]]
"""The versions of each row that a handler holds: their numbers, and whether they were ever written."""

NEVER = (-1, 0)
"""The present version of a row that is gone."""


class VersionsMatter(Exception):
    """Somebody does with the versions of these tables what may tell their numbers apart: the search begins anew with the numbers."""

    def __init__(self, tables: Iterable[str]):
        super().__init__(", ".join(sorted(tables)))
        self.tables = frozenset(tables)


class Versions:
    """What tasks know of the versions of rows, in one world in which actions are learned. ``names``: the columns of versions by table."""

    def __init__(self, world: LearningWorld, names: dict[Table, tuple[str, ...]]):
        self.world, self.space, self.names = world, world.space, names
        self.wrong: set[str] = set()  # tables whose versions were misused
        self.pilot = False  # whether the search is for learning only: with the numbers it sees more states, and learns more
        self.holdings: dict[Node, Holding] = {}
        self.views: dict[Column, View] = {}
        self.gone = View(self.space, "gone")
        self.columns: dict[str, Column] = {}  # by the group of their units
        self.owned: dict[str, list[Column]] = {}  # the columns with a unit for a task
        self.looked = 0  # how many units were looked at for it
        self._known: dict[tuple[int, tuple[Number, ...]], Any] = {}  # rows with their versions, by stored row
        self._of: dict[Table, dict[Any, list[Column]]] = {}
        self.begin(None)

    def begin(self, task: str | None) -> None:
        """A lesson begins: the step of a task, or something else."""
        self.task = task
        self.held: Holding | None = None  # what the task holds, once somebody has asked
        self.present: dict[Column, Number] = {}  # the version that each row has, as the task knows it, of the rows that were read
        self.real: set[tuple[Column, Number]] = set()  # versions that were in their rows

    # ------------------------------------------------------------------------------------------------------ for Version

    def misused(self, column: Column) -> None:
        """A version was used as what it is not."""
        self.wrong.add(column.table)

    def written(self, version: Version) -> bool:
        """Whether a version was ever in its row, as far as the task knows."""
        return not version.more or (version.column, version.number) in self.real

    def check(self) -> None:
        """Raises :class:`VersionsMatter` if versions were misused. Of a handler that was merged with others wrongly it may not be so: what it does
        not expect to look at it does not hold, and later it does not know that it has written that version."""
        if self.wrong and self.world.misled and not self.pilot:
            self.wrong.clear()
        elif self.wrong:
            raise VersionsMatter(self.wrong)

    def known(self) -> set[str]:
        """The tables of which whoever went wrong in the last lesson may have had versions: where it has numbers it may do well."""
        return {*self.wrong, *[column.table for column in (*self.present, *(self.held or ()))]}

    # ----------------------------------------------------------------------------------------------------- rows in views

    def decode(self, table: Table) -> Callable[[Any, Any], Any]:
        """What a view of the rows of a table makes of a stored row: one with versions."""
        known, of = self._known, self._of.setdefault(table, {})

        def decoded(key: Any, row: Any) -> Any:
            columns, present = of.get(key) or self._columns_of(table, key), self.present
            numbers = tuple([present.get(column) or self._present(column) for column in columns])
            found = known.get((id(row), numbers))
            if found is None:
                versions = {c.name: Version(c, *number, self) for c, number in zip(columns, numbers, strict=True)}
                found = known[id(row), numbers] = row._replace(**versions), row  # the stored row is kept, so that identities last
            return found[0]

        return decoded

    def _columns_of(self, table: Table, key: Any) -> list[Column]:
        """The columns of versions of a row, which are made once."""
        known = self._of.setdefault(table, {})
        if key not in known:
            known[key] = [Column(table.name, key, name) for name in self.names[table]]
        return known[key]

    def encode(self, table: Table) -> Callable[[Any, Any], Any]:
        """What a view stores of a row: not its versions."""
        stored = dict.fromkeys(self.names[table], CURRENT)

        def encoded(_key: Any, row: Any) -> Any:
            row = row._replace(**stored)
            return row, row

        return encoded

    def _present(self, column: Column) -> Number:
        """The number of the version that a row has, for the task whose step this is."""
        number = self.present.get(column)
        if number is None:
            held = (self.held if self.held is not None else self.holding()).get(column)
            if not held:
                number = (0, 0)
            elif place := self._view(column).get(self.task):
                number = held[place - 1][0]
            else:
                number = (min(set(range(len(held) + 1)) - {n[0] for n, _ in held}), 0)
            self.present[column] = number
            self.real.add((column, number))
        return number

    def holding(self) -> Holding:
        """What the task holds before its step; must be asked before it goes on."""
        if self.held is None:
            node = self.world.nodes.get(self.task) if self.task is not None else None
            self.held = self.holdings.get(node, {}) if node is not None else {}
            self.real.update((column, number) for column, some in self.held.items() for number, real in some if real)
        return self.held

    def _view(self, column: Column) -> View:
        view = self.views.get(column)
        if view is None:
            view = self.views[column] = View(self.space, f"{PRESENT}{column.table} {column.key} {column.name}")
            self.columns[view.group] = column
        return view

    # ----------------------------------------------------------------------------------------------------- after an action

    def settle(self, entry: Entry | None) -> None:
        """Bring what tasks hold up to date with what the action has written. Raises :class:`VersionsMatter`."""
        if not self.names:
            return
        for table in self.names:
            rows: Any = self.world.database.rows[table]
            for key, was in rows.dirty.items():
                for column in self._columns_of(table, key):
                    self._wrote(column, rows, was)
        nodes: Any = self.world.nodes
        for name, was in nodes.dirty.items():
            if name != self.task and not dict.__contains__(nodes, name):
                self._killed(name)
            elif not was:
                self._begun(dict.__getitem__(nodes, name))
        if entry is not None and entry.task is not None and entry.after is not None:
            self._hold(entry)
        self.check()

    def _wrote(self, column: Column, rows: View, was: bool) -> None:
        """A row was written, inserted or deleted."""
        row = dict.get(rows, column.key)
        if row is None:
            if was:
                self.gone[column] = True
                self.present[column] = NEVER
                self._next(column)
            return
        version = getattr(row, column.name)
        if not was:
            if type(version) is Version or self.gone.get(column):
                self.misused(column)
            return
        before = self._present(column)
        if type(version) is not Version or version.column != column or version.seen != before[0] or version.more < before[1]:
            self.misused(column)
        elif version.number != before:
            if self.task is None:
                self.misused(column)
            self.present[column] = version.number
            self.real.add((column, version.number))
            self._next(column)

    def _next(self, column: Column) -> None:
        """No version of a row that others hold is the present one any more."""
        view, space = self._view(column), self.space
        space.searched[view.group] = None
        for unit in [space.units[number] for number in space.groups.get(view.group, ())]:
            if unit.key != self.task:
                del view[unit.key]

    def _killed(self, name: str) -> None:
        """A task was taken away, whatever it held."""
        units = self.space.units
        while self.looked < len(units):
            unit = units[self.looked]
            if unit.group in self.columns:
                self.owned.setdefault(unit.key, []).append(self.columns[unit.group])
            self.looked += 1
        self.space.searched[OWNED + name] = None
        for column in self.owned.get(name, ()):
            del self._view(column)[name]

    def _begun(self, node: Node) -> None:
        """A task was begun; a version among its arguments is somebody else's."""
        if node.effect is not None:
            self.world.class_number(node)
            self.wrong.update(column.table for column in self.holdings.get(node, ()))

    def _hold(self, entry: Entry) -> None:
        """The task of this entry has gone on, and holds other versions than before."""
        assert entry.task is not None
        assert entry.after is not None
        name, before = entry.task.name, self.holdings.get(entry.before, {}) if entry.before is not None else {}
        after: Holding = {}
        if entry.after.effect is not None:
            self.world.class_number(entry.after)
            after = self.holdings.get(entry.after, {})
        if (before or after) and name != self.task:
            self.wrong.update(column.table for column in (*before, *after))
            return
        for column in before:
            if column not in after:
                del self._view(column)[name]
        for column, some in after.items():
            view, numbers = self._view(column), [number for number, _ in some]
            if any(real is not (not number[1] or (column, number) in self.real) for number, real in some):
                self.misused(column)  # another run came to the same node and had written what this one has not
            present = self.present.get(column)
            if present is None:
                if some == before.get(column):
                    continue
                place = view.get(name) if column in before else None
                present = before[column][place - 1][0] if place else NEVER
            if present in numbers:
                view[name] = numbers.index(present) + 1
            elif column in before:
                del view[name]

    # -------------------------------------------------------------------------------------------------------- for nodes

    def absent(self, unit: Unit, node: Node | None) -> bool:
        """Whether a task that stands at a node (None: it is not there) cannot have this unit, since it holds no version of that row."""
        return node is None or self.columns.get(unit.group) not in self.holdings.get(node, {})

    def looking(self) -> Held:
        """What is to take down the versions that a handler holds, for :meth:`found`."""
        self.holding()
        return Held(self.written)

    def found(self, node: Node, held: Held, opaque: bool) -> None:
        """A handler at a node was looked at."""
        if held.mixed or opaque:
            self.wrong.update(table.name for table in self.names)
        self.holdings[node] = {
            column: tuple([(version.number, self.written(version)) for version in some]) for column, some in held.versions.items()
        }
