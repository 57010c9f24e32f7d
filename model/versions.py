"""Versions: numbers in rows of which only equality counts, as a search of all states sees them.

A column that tells one write of a row from another (Heat's ``atomic_key``) grows with every write, so two states in which a row was written
three times and four times are different, although nobody can tell: whoever holds such a number only ever asks whether the row still has it. A
design names such columns (``versions = {"resource": ("key",)}``), and a search then forgets the number and remembers who holds the present
one (strategies/proving/versions.py). In a handler that is searched, such a column holds a :class:`Version` instead of a number. It can be
compared with another version of the same row, and one can be added to it; whatever else is done with it is noticed.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple, Protocol


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
    """A version of a row as one task knows it: ``seen`` tells those that it read apart, ``more`` is what was added since."""

    __slots__ = ("column", "hashed", "more", "seen", "watcher")

    def __init__(self, column: Column, seen: int, more: int, watcher: Watcher):
        self.column, self.seen, self.more, self.watcher = column, seen, more, watcher
        self.hashed = hash((column, seen, more))

    @property
    def number(self) -> tuple[int, int]:
        """What tells it from other versions of the row that the same task holds."""
        return self.seen, self.more

    def _misused(self) -> None:
        self.watcher.misused(self.column)

    def __hash__(self) -> int:
        return self.hashed

    def __eq__(self, other: object) -> bool:
        if other is self:
            return True
        if type(other) is not Version:
            if other is None or isinstance(other, int | float):
                self._misused()
            return False
        if other.column != self.column:
            self._misused()
            return False
        if other.number == self.number:
            return True
        if not (self.watcher.written(self) and self.watcher.written(other)):
            self._misused()  # somebody else may have written the very number that was only worked out
        return False

    def __add__(self, other: object) -> Version:
        if type(other) is not int or other != 1:
            self._misused()
        return Version(self.column, self.seen, self.more + 1, self.watcher)

    __radd__ = __add__

    def __bool__(self) -> bool:
        self._misused()
        return True

    def __int__(self) -> int:
        self._misused()
        return 1

    __index__ = __int__

    def __float__(self) -> float:
        return float(int(self))

    def _compared(self, _other: object) -> bool:
        self._misused()
        return False

    __lt__ = __le__ = __gt__ = __ge__ = _compared

    def _worked_with(self, _other: object) -> Version:
        self._misused()
        return self

    __sub__ = __rsub__ = __mul__ = __rmul__ = __floordiv__ = __mod__ = _worked_with

    def __repr__(self) -> str:
        self._misused()
        return f"Version({self.column.table} {self.column.key}: {self.seen} + {self.more})"
