"""Dictionaries that list their entries in the order of their keys, whenever these came.

When a row came, and whether an undo has put it back since, is no part of a state. Who looks through the rows, as properties do, must
find equal states alike, in a run and in a search.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from heatproof.model.canonical import canonical
from heatproof.model.engine_ids import EngineId

K = TypeVar("K")
V = TypeVar("V")

COMPARED = frozenset({str, int, float, bool})
"""The classes whose values have an order that is a whole one, each among themselves."""


TEXT = {str}


def in_order(keys: Iterable[K]) -> list[K]:
    """Keys in their order, as a query has it; those that have none by their text (:func:`canonical`)."""
    listed = list(keys)
    if len(listed) < 2 or set(map(type, listed)) == TEXT:
        listed.sort()  # as nearly always
        return listed
    if len({_shape(key) for key in listed} - {()}) < 2 and all(map(_shape, listed)):
        return sorted(listed)  # type: ignore[type-var]  # of one shape, whose parts can be compared
    return sorted(listed, key=canonical)


def _shape(key: Any) -> tuple[type, ...]:
    """The classes of the parts of a key; nothing if one of them has no order."""
    parts = key if type(key) is tuple else (key,)
    shape = tuple(map(type, parts))
    if EngineId in shape:  # which is a text
        shape = tuple([str if kind is EngineId else kind for kind in shape])
    if not COMPARED.issuperset(shape):
        return ()
    return (tuple, *shape) if parts is key else (*shape, *shape)


class InOrder(dict[K, V]):
    """A dictionary of the world whose entries are listed in the order of their keys."""

    __slots__ = ()

    def __iter__(self) -> Iterator[K]:
        return iter(in_order(dict.keys(self)))

    def __reversed__(self) -> Iterator[K]:
        return reversed(in_order(dict.keys(self)))

    def keys(self) -> Any:
        """As of a dictionary, at this moment."""
        return dict.fromkeys(self).keys()

    def values(self) -> Any:
        """As of a dictionary, at this moment."""
        return {key: self[key] for key in self}.values()

    def items(self) -> Any:
        """As of a dictionary, at this moment."""
        return {key: self[key] for key in self}.items()


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
