"""Values as they can be looked up, whatever they are made of: what a handler is about to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from heatproof.model import effects as fx
from heatproof.model.contents import fields


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


def pending(effect: Any) -> tuple[Any, ...]:
    """What a node is about to do, which its handler need not remember any more, as a value that can be looked up and shown."""
    return (type(effect).__name__, *(value.name if isinstance(value, fx.Table) else frozen(value) for value in effect))
