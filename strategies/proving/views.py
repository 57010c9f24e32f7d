"""What an action reads and writes: dictionaries that fetch each entry of a state when it is asked for, and note that it was.

Rules of this file:

1. The state of a world is a set of *units*: one for each entry of its dictionaries, such as the row ``A`` of table *resource* or the
   node of the task ``check(A)``. A unit that some state was seen to have gets a column; its value is a small number, 0 where there is
   no such entry.
2. Which entries a dictionary has can be a unit of its own, its *membership*: whoever looks through the dictionary reads it. Where it is
   none, whoever looks through reads every unit that the dictionary ever had.
3. An action of the world is done on views and so tells which units it depends on, in which order, and what it wrote.

With that one mechanism everything the world can do, and every property that is asked about it, is learned from the one implementation
that also serves the random runs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from heatproof.model.contents import exact, same
from heatproof.model.engine_ids import EngineId, look_for_made_up
from heatproof.model.errors import HeatproofError
from heatproof.model.in_order import in_order

if TYPE_CHECKING:
    from heatproof.strategies.proving.looks import Looks

ABSENT = 0
"""The value of a unit that is not there."""

MEMBERSHIP = "members of "

AT, CLOCK, ADDRESSED = "tasks at ", "asking for ", "addressed"
"""Groups of units that follow from others: the names of the tasks of an engine, of those that are about to ask for a time limit, and of the
messages to one engine."""

PRESENT, OWNED = "present version of ", "present versions with "
"""Groups of units that say which of the versions of a row that a task holds is the present one, by task; and the name by which somebody looks
through all that a task may have of these (versions.py)."""

OF_DESIGN = ("row of ", "memory")
"""How the groups of units begin whose keys are of the making of handlers and properties."""

MOST_VALUES = 2**18 - 1
"""Values that one unit can take: what is known of them is kept in arrays as long as that for each unit."""


class Unit(NamedTuple):
    """One part of the state: the dictionary it is an entry of, and its key."""

    group: str
    key: Any


class TooManyValues(HeatproofError):
    """A unit takes more values than fit."""


class Space:
    """The units of one design and scenario, the values they were seen to have, and the state that is being looked at.

    ``units[c]`` is the unit of column c, ``values[c][v]`` what its value v stands for (a row, a node, ...; None for v = 0), and
    ``identities[c][v]`` what tells that value from others.
    """

    def __init__(self) -> None:
        self.units: list[Unit] = []
        self.values: list[list[Any]] = []
        self.identities: list[list[Hashable]] = []
        self.columns: dict[Unit, int] = {}
        self.fresh: list[tuple[int, int]] = []  # values that nobody has taken notice of yet, by column
        self.groups: dict[str, list[int]] = {}  # the columns of each dictionary
        self.path: list[tuple[int, int]] = []  # the units read so far, with their values
        self.assumed: list[Unit] = []  # the units read so far that no state ever had
        self.searched: dict[str, None] = {}  # dictionaries without a membership that were looked through
        self.touched: list[View] = []
        self.row: Sequence[int] = ()  # the state that is being looked at: values by column
        self.width = 0  # how many columns that state has; later ones are ABSENT
        self._ids: list[dict[Hashable, int]] = []
        self.most = 0  # the greatest number of a value

    def _new(self, unit: Unit) -> int:
        column = self.columns[unit] = len(self.units)
        self.units.append(unit)
        self.values.append([None])
        self.identities.append([None])
        self._ids.append({})
        self.groups.setdefault(unit.group, []).append(column)
        return column

    def intern(self, unit: Unit, identity: Hashable, value: Any) -> tuple[int, int]:
        """The column of a unit and the number of a value of it; ``identity`` tells values apart. Raises :class:`TooManyValues`."""
        column = self.columns.get(unit)
        if column is None:
            column = self._new(unit)
        return column, self.number(column, identity, value)

    def number(self, column: int, identity: Hashable, value: Any) -> int:
        """The number of a value of the unit in a column; ``identity`` tells values apart. Raises :class:`TooManyValues`."""
        ids, met = self._ids[column], self.identities[column]
        number = ids.get(identity)
        if number is not None and met[number] is not identity and not same(met[number], identity):
            number = ids.get(exact(ids, identity, met.__getitem__))
        if number is None:
            number = len(self.values[column])
            if number > MOST_VALUES:
                unit = self.units[column]
                raise TooManyValues(
                    f"{unit.group} {unit.key} takes more than {MOST_VALUES:,} values in this scope; make it smaller"
                )
            ids[exact(ids, identity, met.__getitem__)] = number
            self.most = max(self.most, number)
            self.values[column].append(value)
            met.append(identity)
            self.fresh.append((column, number))
        return number

    def read(self, column: int) -> Any:
        """The value of a unit, by its column, in the state that is being looked at; None if it is absent. Noted in ``path``."""
        number = self.row[column] if column < self.width else ABSENT
        self.path.append((column, number))
        return self.values[column][number]

    def look_at(self, row: Sequence[int], width: int) -> None:
        """Begin to look at another state: a sequence of ``width`` numbers."""
        self.row, self.width, self.path, self.assumed, self.searched = row, width, [], [], {}
        for view in self.touched:
            view.forget()
        self.touched = []

    def written(self) -> list[tuple[int, int]]:
        """The units that were written since, with their new values, memberships included."""
        found: list[tuple[int, int]] = []
        for view in list(self.touched):
            if view.dirty:
                found += view.written()
        return found


class View(dict[Any, Any]):
    """A dictionary of the world over the state that a :class:`Space` looks at.

    ``members``: whether which keys it has is a unit of its own. Where it is not, looking through it reads the unit of every key
    that any state ever had; that is dear where it happens often, and otherwise spares the many who put something in a dependence
    on everything else that is in. ``ordered``: whether the order in which entries came is part of the state; ``sort`` puts keys in
    order where it is not. ``encode`` answers for a key and a value what tells the value from others, and what stands for it from then on;
    ``decode`` makes a value of that again. ``looks`` takes down which columns of rows are looked at; None: nobody does.
    """

    __slots__ = (
        "_all", "_columns", "_known", "_of_design", "_space", "_touched", "_units", "decode", "dirty", "encode", "group", "looks", "members",
        "membership", "ordered", "sort",
    )  # fmt: skip

    def __init__(
        self,
        space: Space,
        group: str,
        encode: Callable[[Any, Any], tuple[Hashable, Any]] | None = None,
        members: bool = False,
        ordered: bool = False,
        sort: Callable[[Iterable[Any]], list[Any]] = in_order,
        decode: Callable[[Any, Any], Any] | None = None,
        looks: Looks | None = None,
    ):
        super().__init__()
        self._space = space
        self.group = group
        self.encode, self.decode, self.looks = encode, decode, looks
        self.members = members or ordered
        self.membership = Unit(MEMBERSHIP + group, ())
        self.ordered = ordered
        self.sort = sort
        self.dirty: dict[Any, bool] = {}  # keys that were written -> whether they had been there
        self._known: set[Any] = set()
        self._columns: dict[Any, int] = {}
        self._units: dict[Any, Unit] = {}
        self._all: tuple[Any, ...] | None = None
        self._touched = False
        self._of_design = group.startswith(OF_DESIGN)  # whether handlers and properties ask for entries by keys of theirs

    def forget(self) -> None:
        """Another state is looked at."""
        dict.clear(self)
        self._known.clear()
        self.dirty.clear()
        self._all = None
        self._touched = False

    def _touch(self) -> None:
        """Something of this dictionary is looked at or written for the first time."""
        self._touched = True
        self._space.touched.append(self)

    def _fetch(self, key: Any) -> None:
        """Read a unit that was not read yet."""
        self._known.add(key)
        space = self._space
        if EngineId.doubted and self._of_design:
            look_for_made_up(key)
        if not self._touched:
            self._touched = True
            space.touched.append(self)
        column = self._columns.get(key)
        if column is None:
            column = self.column(key)
            if column is None:
                space.assumed.append(self._unit(key))
                return
        number = space.row[column] if column < space.width else ABSENT
        space.path.append((column, number))
        value = space.values[column][number]
        if value is not None:
            if self.decode is not None:
                value = self.decode(key, value)
            dict.__setitem__(self, key, value if self.looks is None else self.looks.row(column, value))

    def column(self, key: Any) -> int | None:
        """The column of a key; None if no state ever had it."""
        column = self._columns.get(key)
        if column is None:
            column = self._space.columns.get(self._unit(key))
            if column is not None:
                self._columns[key] = column
        return column

    def _unit(self, key: Any) -> Unit:
        """The unit of a key, which is made once."""
        unit = self._units.get(key)
        if unit is None:
            unit = self._units[key] = Unit(self.group, key)
        return unit

    def _before(self) -> tuple[Any, ...]:
        """The keys that the state had before anything was written."""
        if self._all is None:
            space = self._space
            if not self._touched:
                self._touch()
            if self.members:
                column = space.columns.get(self.membership)
                if column is None:
                    space.assumed.append(self.membership)
                self._all = (None if column is None else space.read(column)) or ()
            else:
                columns = space.groups.get(self.group, ())
                space.searched[self.group] = None
                self._all = tuple([space.units[column].key for column in columns])
        return self._all

    def _in_order(self) -> list[Any]:
        before = self._before()
        for key in before:
            if key not in self._known:
                self._fetch(key)
        present = list(dict.keys(self))
        if self.ordered:
            first = [key for key in before if dict.__contains__(self, key) and key not in self.dirty]
            return first + [key for key in present if key in self.dirty]
        return self.sort(present)

    # ------------------------------------------------------------------------------- what the world does with a dictionary

    def __getitem__(self, key: Any) -> Any:
        if key not in self._known:
            self._fetch(key)
        return dict.__getitem__(self, key)

    def get(self, key: Any, default: Any = None) -> Any:
        if key not in self._known:
            self._fetch(key)
        return dict.get(self, key, default)

    def __contains__(self, key: Any) -> bool:
        if key not in self._known:
            self._fetch(key)
        return dict.__contains__(self, key)

    def _write(self, key: Any) -> None:
        if key in self.dirty:
            if self.ordered:
                self.dirty[key] = self.dirty.pop(key)
            return
        if self.members:
            if key not in self._known:
                self._fetch(key)
        elif not self._touched:
            self._touch()
        self._known.add(key)
        self.dirty[key] = dict.__contains__(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._write(key)
        dict.__setitem__(self, key, value)

    def __delitem__(self, key: Any) -> None:
        self._write(key)
        dict.pop(self, key, None)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._in_order())

    def __len__(self) -> int:
        return len(self._in_order()) if self.dirty or not self.members else len(self._before())

    def __bool__(self) -> bool:
        return len(self) > 0

    def keys(self) -> Any:
        return dict.fromkeys(self._in_order()).keys()

    def values(self) -> Any:
        return {key: dict.__getitem__(self, key) for key in self._in_order()}.values()

    def items(self) -> Any:
        return {key: dict.__getitem__(self, key) for key in self._in_order()}.items()

    def __reversed__(self) -> Any:
        return reversed(self._in_order())

    def copy(self) -> Any:
        return dict(self.items())

    def __eq__(self, other: object) -> bool:
        return self is other or bool(self.copy() == (other.copy() if isinstance(other, View) else other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # as of any dictionary

    def __repr__(self) -> str:
        return repr(self.copy())

    # ------------------------------------------------------------------------------------------------- what was written

    def written(self) -> list[tuple[int, int]]:
        """The units of this dictionary that were written, with their new values."""
        space, columns, looks, encode = self._space, self._columns, self.looks, self.encode
        found, moved = list[tuple[int, int]](), False
        for key, was in self.dirty.items():
            there = dict.__contains__(self, key)
            column = columns.get(key)
            if column is None:
                column = self.column(key)
            if there:
                identity = value = dict.__getitem__(self, key)
                if looks is not None:
                    identity = value = looks.stored(value)
                if encode is not None:
                    identity, value = encode(key, value)
                if column is None:
                    found.append(space.intern(self._unit(key), identity, value))
                else:
                    found.append((column, space.number(column, identity, value)))
            elif column is not None:
                found.append((column, ABSENT))
            else:  # taken out without a look, and no state ever had it: the lesson holds while that is so
                space.assumed.append(self._unit(key))
            moved = moved or was != there
        if self.members and (moved or self.ordered):
            before, after = self._before(), tuple(self._keys_now())
            if after != before:
                unit = self.membership
                found.append(space.intern(unit, after, after) if after else (space.columns[unit], ABSENT))
        return found

    def _keys_now(self) -> list[Any]:
        """The keys after what was written, without reading what was not."""
        kept = [key for key in self._before() if key not in self.dirty]
        fresh = [key for key in self.dirty if dict.__contains__(self, key)]
        return kept + fresh if self.ordered else self.sort(kept + fresh)
