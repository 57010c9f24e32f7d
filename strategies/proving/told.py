"""What properties say, as it can be looked up, whatever it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heatproof.model.engine_ids import EngineId
from heatproof.properties.base import Witness, in_order


def told(witness: Witness) -> Witness:
    """The witness with tuples for its lists, sets and dictionaries, and a text for what else cannot be looked up."""
    return Witness(witness.kind, tuple((name, value if type(value) is str else _plain(value)) for name, value in witness.values))


def _plain(value: Any) -> Any:
    if type(value) is EngineId:
        return str.__str__(value)
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
