"""Patches: defects of Heat cured while a run goes on. No file is changed.

A patch is the smallest change that cures one defect, tried on the engine; the repair of the same name tries it on the model
(:mod:`heatproof.model.designs.repairs`). It stands at places of Heat with a known signature, as what holds Heat does (:mod:`patches`), but only
in runs of a design that asks for it (``heat-engine+NAME``): known defects are cured so that one can look behind them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from heatproof.model.errors import HeatproofError
from heatproof.ports.heat import patches
from heatproof.ports.heat.patches import Patch


class Cure(NamedTuple):
    """A defect cured: ``name``, the defect in a sentence, what the change is, and its places."""

    name: str
    defect: str
    change: str
    places: tuple[Patch, ...]


_in_place: list[tuple[Any, str, Any]] = []
_names: tuple[str, ...] = ()


def apply(names: Sequence[str], known: Callable[[], dict[str, Cure]]) -> None:
    """Have exactly these patches in Heat, in this order. Raises :class:`HeatproofError` if a place has moved, with none in."""
    global _names
    if _names == tuple(names):
        return
    remove()
    places = [place for name in names for place in known()[name].places]
    for place in places:
        _, _, standing = patches.find(place)
        if (there := patches.signature(getattr(standing, "__func__", standing))) != place.signature:
            raise HeatproofError(f"{place.place} has the signature {there}, and the patch knows {place.signature}")
    made_of = [(place, *patches.find(place)[:2]) for place in places]
    for place, holder, name in made_of:
        standing = inspect.getattr_static(holder, name)
        _in_place.append((holder, name, standing))
        bound = isinstance(standing, classmethod | staticmethod)
        made = place.wrap(standing.__func__ if bound else standing)
        setattr(holder, name, type(standing)(made) if bound else made)
    _names = tuple(names)


def remove() -> None:
    """Take all patches out."""
    global _names
    while _in_place:
        holder, name, standing = _in_place.pop()
        setattr(holder, name, standing)
    _names = ()


__all__ = ["Cure", "apply", "remove"]
