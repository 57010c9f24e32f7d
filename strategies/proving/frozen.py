"""Values as they can be looked up, whatever they are made of: what a handler is about to do, and what properties say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from heatproof.model import effects as fx
from heatproof.model.contents import fields
from heatproof.properties.base import Witness, in_order


def frozen(value: Any) -> Any:
    """The value with tuples for what cannot be hashed, so that it can be looked up. Raises :class:`Opaque` for what hides what it holds."""
    try:
        hash(value)
    except TypeError:
        kind = type(value).__name__
        if isinstance(value, Mapping):
            return (kind, *[(frozen(key), frozen(item)) for key, item in value.items()])  # a transaction may go through it in order
        if isinstance(value, set):
            return (kind, frozenset(map(frozen, value)))
        if isinstance(value, Iterable):
            return (kind, *map(frozen, value))
        names, contents = fields(value)
        return (kind, *zip(names, map(frozen, contents), strict=True))
    return value


def told(witness: Witness) -> Witness:
    """The witness with tuples for its lists, sets and dictionaries, and a text for what else cannot be looked up."""
    return Witness(
        witness.kind, tuple((name, value if isinstance(value, str) else _plain(value)) for name, value in witness.values)
    )


def _plain(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return tuple(map(_plain, in_order(value)))
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    if isinstance(value, Mapping):
        return tuple((_plain(key), _plain(item)) for key, item in value.items())
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value


def pending(effect: Any) -> tuple[Any, ...]:
    """What a node is about to do, which its handler need not remember any more, as a value that can be looked up and shown."""
    return (type(effect).__name__, *(value.name if isinstance(value, fx.Table) else frozen(value) for value in effect))
