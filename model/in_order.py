"""Dictionaries that list their entries in the order of their keys, whenever these came.

When a row came, and whether an undo has put it back since, is no part of a state. Who looks through the rows, as properties do, must
find equal states alike, in a run and in a search.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from heatproof.model.canonical import canonical
from heatproof.model.contents import compared_as_usual

K = TypeVar("K")
V = TypeVar("V")

NUMBERS = (int, float)
COMPARED = (str, Decimal, date, timedelta)
"""Classes whose values have an order that is a whole one, each among themselves."""

TEXT, TUPLES = {str}, {tuple}

SIMPLE = frozenset((str, int))


def in_order(keys: Iterable[K]) -> list[K]:
    """Keys in their order, as a query has it; those that have none by their text (:func:`canonical`)."""
    listed: list[Any] = list(keys)
    if len(listed) < 2 or (kinds := set(map(type, listed))) == TEXT:
        listed.sort()  # as nearly always
        return listed
    if kinds == TUPLES:
        parts = {tuple(map(type, key)) for key in listed}
        if len(parts) == 1 and SIMPLE.issuperset(*parts):
            listed.sort()
            return listed
    shapes = set(map(_shape, listed))
    if len(shapes) == 1 and None not in shapes:
        with suppress(TypeError):
            return sorted(listed)  # of one shape, whose parts can be compared
    return sorted(listed, key=canonical)


def _shape(key: Any) -> Any:
    """What kinds of parts a key has; None if one of them has no order that is a whole one."""
    kind = type(key)
    if issubclass(kind, tuple):
        parts = tuple(map(_shape, tuple.__iter__(key)))
        return None if None in parts or not compared_as_usual(kind) else parts
    if issubclass(kind, NUMBERS):
        return "number"
    return next((one for one in COMPARED if issubclass(kind, one)), None)


class InOrder(dict[K, V]):
    """A dictionary of the world whose entries are listed in the order of their keys. It is looked through far more often than it is written."""

    __slots__ = ("_listed",)
    _listed: dict[K, V] | None  # a plain dictionary, in that order, until something is written

    def __init__(self, *entries: Any, **more: Any):
        super().__init__(*entries, **more)
        self._listed = None

    def _now(self) -> dict[K, V]:
        """A plain dictionary, in order, which nobody changes."""
        listed = self._listed
        if listed is None:
            listed = self._listed = {key: self[key] for key in in_order(dict.keys(self))}
        return listed

    def __iter__(self) -> Iterator[K]:
        return iter(self._now())

    def __reversed__(self) -> Iterator[K]:
        return reversed(self._now())

    def __repr__(self) -> str:
        return repr(self._now())

    def copy(self) -> dict[K, V]:
        """A plain dictionary, in that order."""
        return dict(self._now())

    def keys(self) -> Any:
        """As of a dictionary, at this moment."""
        return self._now().keys()

    def values(self) -> Any:
        """As of a dictionary, at this moment."""
        return self._now().values()

    def items(self) -> Any:
        """As of a dictionary, at this moment."""
        return self._now().items()

    def __setitem__(self, key: K, value: V) -> None:
        self._listed = None
        dict.__setitem__(self, key, value)

    def __delitem__(self, key: K) -> None:
        self._listed = None
        dict.__delitem__(self, key)


def _writing(name: str) -> Any:
    plain = getattr(dict, name)

    def method(self: InOrder[Any, Any], *args: Any, **more: Any) -> Any:
        self._listed = None
        return plain(self, *args, **more)

    return method


for _name in ("__ior__", "clear", "pop", "popitem", "setdefault", "update"):
    setattr(InOrder, _name, _writing(_name))


class Listed(Mapping[K, V]):
    """A dictionary that has an order of its own, listed in the order of its keys."""

    def __init__(self, entries: Mapping[K, V]):
        self._entries = entries

    def __getitem__(self, key: K) -> V:
        return self._entries[key]

    def __iter__(self) -> Iterator[K]:
        return iter(in_order(self._entries))

    def __len__(self) -> int:
        return len(self._entries)


__all__ = ["InOrder", "Listed", "in_order"]
