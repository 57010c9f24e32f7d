"""Versions: numbers in rows of which only equality counts, as a search of all states sees them.

A column that tells one write of a row from another (Heat's ``atomic_key``) grows with every write, so two states in which a row was written
three times and four times are different, although nobody can tell: whoever holds such a number only ever asks whether the row still has it. A
design names such columns (``versions = {"resource": ("key",)}``), and a search then forgets the number and remembers who holds the present
one (strategies/proving/versions.py). In a handler that is searched, such a column holds a :class:`Version` instead of a number. It can be
compared with another version of the same row, and one can be added to it; whatever else is done with it is noticed, but for the questions
``is`` and ``type()``.
"""

from __future__ import annotations

import sys
from enum import Enum
from numbers import Number
from types import FrameType
from typing import Any, NamedTuple, Protocol

PASSED_ON = "heatproof.model.columns"
"""The module of watched rows, which hash what they hold when they are hashed."""

OF_DESIGNS = ("heatproof.model.designs.", "heatproof.properties.")
"""What is asked by what runs it, as designs and properties of others are."""


class Column(NamedTuple):
    """A column of versions of one row: the names of the table and the column, and the key of the row."""

    table: str
    key: Any
    name: str


class Watcher(Protocol):
    """Who wants to know what is done with versions."""

    def misused(self, column: Column) -> None:
        """A version was used as what it is not."""

    def written(self, version: Version) -> bool:
        """Whether this version was ever in the row, so that no other can become equal to it."""


class Stored(Enum):
    """What stands in a stored row instead of its version."""

    CURRENT = "the present version"


CURRENT = Stored.CURRENT


class Version:
    """A version of a row as one task knows it: ``seen`` tells those that it read apart, ``more`` is what was added since.

    It says that it is an ``int`` where somebody asks (``isinstance``, ``case int()``), and answers to all that a number answers to as some number.
    """

    __slots__ = ("column", "hashed", "more", "seen", "watcher")

    def __init__(self, column: Column, seen: int, more: int, watcher: Watcher):
        self.column, self.seen, self.more, self.watcher = column, seen, more, watcher
        self.hashed = hash((column, seen, more))

    @property  # type: ignore[misc]  # nobody sets it
    def __class__(self) -> type[int]:  # type: ignore[override]  # what it truly is type() says
        return int

    @property
    def number(self) -> tuple[int, int]:
        """What tells it from other versions of the row that the same task holds."""
        return self.seen, self.more

    def _misused(self) -> None:
        self.watcher.misused(self.column)

    def _any_number(self) -> int:
        """A number that it might be; who asks for it counts on more than whether it is equal to others."""
        self._misused()
        return 1 + self.more

    def __hash__(self) -> int:
        if _asked_by_a_design():
            self._misused()  # a number may be looked for in a set of these, or this in a set of numbers
        return self.hashed

    def __eq__(self, other: object) -> bool:
        if other is self:
            return True
        if type(other) is not Version:
            if other is None or isinstance(other, Number):
                self._misused()
                return False
            return NotImplemented
        if other.column != self.column:
            self._misused()
            return False
        if other.number == self.number:
            return True
        if not (self.watcher.written(self) and self.watcher.written(other)):
            self._misused()  # somebody else may have written the very number that was only worked out
        return False

    def __add__(self, other: object) -> Any:
        if type(other) is int and other == 1:
            return Version(self.column, self.seen, self.more + 1, self.watcher)
        return _added(self, other)

    __radd__ = __add__

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(int, name):
            raise AttributeError(f"'int' object has no attribute {name!r}")
        return getattr(self._any_number(), name)

    def __copy__(self) -> Version:
        return self

    def __deepcopy__(self, _copied: object) -> Version:
        return self

    def __reduce_ex__(self, _protocol: object) -> Any:
        return int, (self._any_number(),)

    def __repr__(self) -> str:
        self._misused()
        return f"Version({self.column.table} {self.column.key}: {self.seen} + {self.more})"


def _asked_by_a_design() -> bool:
    """Whether it is a handler or a property that hashes something, and not what runs these."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if frame.f_code.co_name != "__hash__" and module != PASSED_ON:
            return not module.startswith("heatproof.") or module.startswith(OF_DESIGNS)
        frame = frame.f_back
    return False


def _as_a_number(name: str) -> Any:
    """What a version does where a number has a method of this name."""
    method, back = getattr(int, name), REFLECTED.get(name, f"__{name[3:]}" if name.startswith("__r") else f"__r{name[2:]}")

    def work(self: Version, *args: Any) -> Any:
        number = self._any_number()
        others = [other._any_number() if type(other) is Version else other for other in args]
        found = method(number, *others)
        if found is NotImplemented and hasattr(type(others[0]), back):
            found = getattr(type(others[0]), back)(others[0], number)
        return found

    work.__name__ = name
    return work


REFLECTED = {"__lt__": "__gt__", "__gt__": "__lt__", "__le__": "__ge__", "__ge__": "__le__"}
"""What is asked of the other one where a number does not know what to do with it."""

OTHERWISE = frozenset({"__doc__", "__new__", "__getattribute__", "__ne__", "__getnewargs__", "__sizeof__"})
"""What every object has, and what is asked for in another way."""

_added = _as_a_number("__add__")

for _name, _method in vars(int).items():
    if _name.startswith("__") and _name not in OTHERWISE | vars(Version).keys() and callable(_method):
        setattr(Version, _name, _as_a_number(_name))
