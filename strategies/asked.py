"""Which properties a design is asked."""

from __future__ import annotations

from collections.abc import Sequence

from heatproof.model import catalogue
from heatproof.model.errors import HeatproofError
from heatproof.properties.base import Property
from heatproof.properties.catalogue import ALL


def names_for(spec: str, wanted: Sequence[str], unwanted: Sequence[str]) -> tuple[str, ...]:
    """The names of the properties that a design is to be asked: the ``wanted``, or all if there are none, but not the ``unwanted``. Raises
    :class:`HeatproofError` as :func:`properties_for`, and if nothing is left."""
    if not unwanted:
        return tuple(wanted)
    properties_for(spec, unwanted)
    left = tuple([p.name for p in properties_for(spec, wanted) if p.name not in unwanted])
    if not left:
        raise HeatproofError("with these properties left out nothing would be asked")
    return left


def properties_for(spec: str, wanted: Sequence[str] = ()) -> list[Property]:
    """The properties a design is asked; only the ``wanted`` if any.

    For a design in a file: PROPERTIES of that file, or, if it has none, all but the situations, which are Heat's. For the others:
    all. Raises :class:`HeatproofError` for an unknown name and for a file whose PROPERTIES are empty.
    """
    known = dict(ALL)
    if spec.partition("+")[0] in catalogue.TARGETS:  # whose steps are functions of the engine, not step ids
        known = {name: p for name, p in ALL.items() if not p.seen}
    if catalogue.is_file(spec):
        path = spec.partition(":")[0]
        own = getattr(catalogue.load_module(path), "PROPERTIES", None)
        if own is not None:
            known = {p.name: p for p in own}
            if not known:
                raise HeatproofError(f"{path}: PROPERTIES is empty, so nothing would be asked; put properties in, or leave it out")
        elif not isinstance(catalogue.load(spec), catalogue.DESIGNS["heat"]):
            known = {name: p for name, p in ALL.items() if p.expectation != "sometimes"}
    if unknown := [name for name in wanted if name not in known]:
        raise HeatproofError(f"unknown property {unknown[0]!r}; 'heatproof properties {spec}' lists them")
    return [p for name, p in known.items() if not wanted or name in wanted]
