"""Which columns of the rows that a handler holds it will look at again: *live columns*.

A handler that has read a row often keeps all of it and looks at few columns later. Two suspended handlers that differ in nothing but columns
that neither will look at again go on alike, and may be merged (model/continuations.py). Which columns these are cannot be read off the code,
since rows are kept in objects and handed from function to function. So it is learned from runs, and every other look is noticed: the handlers
of a search are sent *watched rows*, which tell when a column is looked at.

What was learned hangs on :class:`Place`: a way to a row from the frames of a suspended handler, such as "the local ``job`` of the second frame,
there the attribute ``row``". Columns that nobody was seen to look at are no part of what a handler is known by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

Mark = tuple[tuple[str, int, int], ...]
"""Where a handler stands: of each frame, outermost first, the name of its code, its first line and the position in it (bytes)."""

Entry = tuple[Mark, tuple[str | int, ...], str, tuple[int, ...]]
"""Live columns at one place: where the handler stands, the way to the place, the name of the class of the row, and the columns by number."""

ALL = -1
"""All columns, as bits."""


class Place:
    """A way to rows that handlers hold. ``live`` has the columns that will be looked at, as bits by column, by the name of the class of the row."""

    __slots__ = ("_shown", "inside", "live")

    def __init__(self) -> None:
        self.live: dict[str, int] = {}
        self.inside: dict[str | int, Place] = {}
        self._shown: dict[Any, tuple[tuple[int, ...], int]] = {}

    def at(self, name: str | int) -> Place:
        """The place one step further: a local, an attribute, an item."""
        place = self.inside.get(name)
        if place is None:
            place = self.inside[name] = Place()
        return place

    def columns(self, kind: type[Any]) -> tuple[tuple[int, ...], int]:
        """The live columns of a row of this class that is held here, by number and as bits."""
        found = self._shown.get(kind)
        if found is None:
            always: int = kind._always
            live = self.live.get(kind.__name__, 0) | always
            found = self._shown[kind] = tuple([n for n in range(live.bit_length()) if live >> n & 1]), live
        return found

    def entries(self, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str, tuple[int, ...]]]:
        """What is live here and further in: the way from ``path`` on, the class, and the columns by number."""
        for kind, columns in self.live.items():
            yield path, kind, tuple([n for n in range(columns.bit_length()) if columns >> n & 1])
        for name, place in self.inside.items():
            yield from place.entries((*path, name))

    def join(self, other: Place) -> None:
        """Let the columns be live that are so at another place, and further in."""
        for kind, columns in other.live.items():
            self.live[kind] = self.live.get(kind, 0) | columns
        self._shown.clear()
        for name, place in other.inside.items():
            self.at(name).join(place)

    def add(self, kind: type[Any], columns: int) -> bool:
        """Let columns be live; whether one was not."""
        always: int = kind._always
        before = self.live.get(kind.__name__, 0) | always
        self.live[kind.__name__] = before | columns
        self._shown.clear()
        return (before | columns) != before


class Live:
    """The live columns of all places, by where the handler stands."""

    def __init__(self) -> None:
        self.places: dict[Mark, Place] = {}

    def at(self, mark: Mark) -> Place:
        """The places of a handler that stands there."""
        place = self.places.get(mark)
        if place is None:
            place = self.places[mark] = Place()
        return place

    def entries(self) -> list[Entry]:
        """All of it as plain values, for :meth:`enter`."""
        found: list[Entry] = []
        for mark, place in self.places.items():
            found += [(mark, path, kind, columns) for path, kind, columns in place.entries(())]
        return found

    def enter(self, entries: Iterable[Entry]) -> None:
        """Let these columns be live."""
        for mark, path, kind, columns in entries:
            place = self.at(mark)
            for name in path:
                place = place.at(name)
            place.live[kind] = place.live.get(kind, 0) | sum(1 << column for column in columns)

    def join(self, other: Live) -> None:
        """Let the columns be live that are so by another one."""
        for mark, place in other.places.items():
            self.at(mark).join(place)


class Look(NamedTuple):
    """One thing that a run did with watched rows, in order: columns of ``row`` were looked at (``source`` is 0), or were copied from ``source``
    to the new ``row``. Rows go by their number in the run."""

    row: int
    columns: int
    source: int = 0


SIMPLE = frozenset({str, int, bool, type(None)})
"""Classes of values with nothing in them."""


class Watched:
    """What all rows are that tell which of their columns are looked at: ``_rows`` is told. Columns of rows cannot have names that begin with an
    underscore."""

    __slots__ = ()
    _rows: Any
    _kind: type[Any]
    _every: int
    _always: int
    _number: int


class HeldRow(Watched):
    """What all watched rows of handlers are."""

    __slots__ = ()


class Rows:
    """The watched rows of the handlers of one search, and what is done with them while a handler runs.

    ``made`` counts the rows of the present run; the same run again makes the same rows in the same order, so numbers last. ``dead`` are the
    columns, as bits, that the handler was not expected to look at when it last stood still, by row; ``noticed`` says that it has, and
    ``log``, unless it is None, takes down all that is done.
    """

    def __init__(self, tables: Iterable[Any], live: Live):
        self.live = live
        self.made = 0
        self.dead: dict[int, int] = {}
        self.noticed = False
        self.running = False
        self.log: list[Look] | None = None
        self.kinds = watched_kinds(tables, self)
        self.seen: dict[int, int] = {}  # of each row the columns that were looked at since somebody has cleared this, as bits
        self.copies: dict[
            int, tuple[int, int]
        ] = {}  # since then, by new row: the row that it was made of, and which columns are the same

    def watch(self, value: Any) -> Any:
        """What is sent to a handler, with watched rows in place of rows."""
        kind = self.kinds.get(type(value))
        if kind is not None:
            return self.new(kind, tuple.__iter__(value))
        return _with_others(value, self.watch) if isinstance(value, tuple) else value

    def plain(self, value: Any) -> Any:
        """What a handler asks for, with rows in place of watched rows; all of these have then been looked at."""
        if type(value) in SIMPLE:
            return value
        if isinstance(value, HeldRow):
            row: Any = value
            self.looked(row, ALL)
            return tuple.__new__(row._kind, tuple.__iter__(row))
        if isinstance(value, tuple):
            return _with_others(value, self.plain)
        if type(value) in (list, set, frozenset) and any(isinstance(item, tuple) for item in value):
            return type(value)([self.plain(item) for item in value])
        if type(value) is dict and any(isinstance(item, tuple) for item in value.values()):
            return {key: self.plain(item) for key, item in value.items()}
        return value

    def new(self, kind: type[Any], items: Iterable[Any]) -> Any:
        """A watched row."""
        row = tuple.__new__(kind, items)
        self.made += 1
        row._number = self.made
        return row

    def looked(self, row: Any, columns: int) -> None:
        """Columns of a row, as bits, were looked at."""
        if not self.running:
            return
        number, seen = row._number, self.seen
        if self.log is not None:
            self.log.append(Look(number, columns & row._every))
            return
        seen[number] = seen.get(number, 0) | columns & row._every
        if self.dead and self.dead.get(number, 0) & columns:
            self.noticed = True

    def copied(self, old: Any, new: Any, columns: int) -> None:
        """The columns of a new row are those of another one."""
        if self.log is not None:
            self.log.append(Look(new._number, columns, old._number))
            return
        self.copies[new._number] = old._number, columns
        if dead := self.dead.get(old._number, 0) & columns:
            self.dead[new._number] = dead


def _with_others(value: tuple[Any, ...], other: Callable[[Any], Any]) -> tuple[Any, ...]:
    """A tuple with what ``other`` has for each of its items that is not simple; the tuple itself where that changes nothing."""
    items, changed = [], False
    for item in tuple.__iter__(value):
        if type(item) not in SIMPLE:
            new = other(item)
            changed, item = changed or new is not item, new
        items.append(item)
    return tuple.__new__(type(value), items) if changed else value


def watched_kinds(tables: Iterable[Any], rows: Any, base: type[Any] = HeldRow) -> dict[type[Any], type[Any]]:
    """The classes of watched rows of these tables, by the class of the plain row. ``rows`` is told of what is done with them, as :class:`Rows`
    is; ``base`` is what all of them are."""
    return {table.row: _watched(table.row, rows, table.key_columns, base) for table in tables if _simple(table.row)}


def plain_kind(row: Any) -> type[Any]:
    """The class of a row, or of the plain row that it stands for."""
    return row._kind if isinstance(row, Watched) else type(row)


def _simple(kind: type[Any]) -> bool:
    """Whether a class is a named tuple whose columns are looked at in no other ways than those of every named tuple."""
    return kind.__mro__[1:] == (tuple, object) and not {"__getattribute__", "__eq__", "__hash__", "__iter__"} & kind.__dict__.keys()


def _watched(kind: type[Any], rows: Any, key: tuple[str, ...], base: type[Any]) -> type[Any]:
    """The class of the watched rows of a class of rows."""
    fields: tuple[str, ...] = kind._fields
    bits = {name: 1 << place for place, name in enumerate(fields)}

    def column(place: int) -> Any:
        bit, item = 1 << place, tuple.__getitem__

        def look(self: Any) -> Any:
            if rows.running:
                rows.looked(self, bit)
            return item(self, place)

        return property(look)

    def whole(name: str) -> Any:
        plain = getattr(kind, name)

        def look(self: Any, *args: Any) -> Any:
            rows.looked(self, ALL)
            for other in args:
                if isinstance(other, Watched):
                    other._rows.looked(other, ALL)
            return plain(self, *args)

        return look

    def _replace(self: Any, /, **values: Any) -> Any:
        kept = ALL
        for name in values:
            kept &= ~bits.get(name, 0)
        items = [values.pop(name, item) for name, item in zip(fields, tuple.__iter__(self), strict=True)]
        if values:
            raise ValueError(f"Got unexpected field names: {list(values)!r}")
        new = rows.new(type(self), items)
        rows.copied(self, new, kept)
        return new

    def _make(_cls: Any, items: Iterable[Any]) -> Any:
        return kind._make(items)

    ways = (
        "__getitem__", "__contains__", "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__hash__", "__repr__", "__add__",
        "__mul__", "__rmul__", "__getnewargs__", "index", "count", "_asdict",
    )  # fmt: skip

    def __iter__(self: Any) -> Iterator[Any]:
        rows.looked(self, ALL)
        return iter(tuple(tuple.__iter__(self)))  # who goes on with it later has looked at everything already

    def __new__(_cls: Any, *args: Any, **values: Any) -> Any:
        return kind(*args, **values)  # of the class of a watched row a handler makes a row

    def __reduce_ex__(self: Any, _protocol: Any) -> Any:
        rows.looked(self, ALL)
        return kind, tuple(tuple.__iter__(self))  # so is a copy

    def __radd__(self: Any, other: Any) -> Any:
        rows.looked(self, ALL)
        return other + tuple(tuple.__iter__(self))

    inside: dict[str, Any] = {name: whole(name) for name in ways}
    inside |= {name: column(place) for place, name in enumerate(fields)}
    inside |= {"_replace": _replace, "_make": classmethod(_make), "__radd__": __radd__, "__module__": kind.__module__}
    inside |= {"__iter__": __iter__, "__new__": __new__, "__reduce_ex__": __reduce_ex__}
    inside |= {"_rows": rows, "_kind": kind, "_always": sum(bits[name] for name in key), "_every": (1 << len(fields)) - 1}
    return type(kind.__name__, (base, kind), inside)
