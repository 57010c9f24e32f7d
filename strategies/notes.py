"""Whose notes a property goes by: what one remembers of a run (``observation.remember``) another may look at (``observation.memory``).

Who leaves the first out changes what the second says. Where a property does not say whose notes it goes by (``Property.needs``), and speaks
of the memory at all, it is taken to go by those of everybody who takes any.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import FunctionType

from heatproof.model.purity import mentions
from heatproof.model.watching import WorldObservation
from heatproof.properties.base import Property
from heatproof.properties.catalogue import ALL


def goes_by(prop: Property, others: Iterable[Property]) -> list[str]:
    """The names of the properties whose notes ``prop`` goes by, as it says itself or else as far as one of ``others`` may be."""
    if prop.needs is not None:
        return list(prop.needs)
    if prop.check is None or prop == ALL.get(prop.name) or not _speaks_of(prop, "memory"):
        return []
    return [o.name for o in others if o.name != prop.name and o.check is not None and _takes_notes(o)]


def _takes_notes(prop: Property) -> bool:
    return prop != ALL.get(prop.name) and _speaks_of(prop, "remember")


def _speaks_of(prop: Property, name: str) -> bool:
    """Whether a property speaks of something of an observation by this name, or by that of what an observation of somebody's own has for it."""
    names, kinds = {name}, list(WorldObservation.__subclasses__())
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if not kind.__module__.startswith("heatproof."):
            names |= {own for own, part in vars(kind).items() if isinstance(part, FunctionType | property) and mentions(part, name)}
    return any(mentions(prop.check, one) for one in names)


def with_their_notes(wanted: Iterable[str], others: Iterable[Property]) -> set[str]:
    """These properties, by name, and all whose notes they go by, directly or not."""
    by_name, found, waiting = {prop.name: prop for prop in others}, set[str](), list(wanted)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            if (prop := by_name.get(name, ALL.get(name))) is not None:
                waiting += goes_by(prop, by_name.values())
    return found


__all__ = ["goes_by", "with_their_notes"]
