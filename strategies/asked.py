"""Which properties a design is asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from heatproof.model import catalogue
from heatproof.model.choosing import meant
from heatproof.model.design import Design
from heatproof.model.errors import HeatproofError
from heatproof.model.faults import FAULTS
from heatproof.model.scenario import KINDS
from heatproof.properties.base import Property
from heatproof.properties.catalogue import ALL
from heatproof.strategies.notes import goes_by, with_their_notes


def names_for(spec: str, wanted: Sequence[str], unwanted: Sequence[str]) -> tuple[str, ...]:
    """The names of the properties that a design is to be asked: the ``wanted``, or all if there are none, but not the ``unwanted``. Raises
    :class:`HeatproofError` as :func:`properties_for`, and if nothing is left."""
    if not unwanted:
        return tuple(wanted)
    properties_for(spec, unwanted)
    left = tuple([p.name for p in properties_for(spec, wanted) if p.name not in unwanted])
    if not left:
        raise HeatproofError("with these properties left out nothing would be asked")
    known = properties_for(spec)
    for prop in known:
        if prop.name in left and (relied := [name for name in goes_by(prop, known) if name in unwanted]):
            if prop.needs is not None:
                raise HeatproofError(f"{prop.name!r} goes by what {relied[0]!r} notes: leave both out, or neither")
            raise HeatproofError(
                f"{prop.name!r} looks at what properties remember and does not say whose notes it goes by, and {relied[0]!r} takes some: leave both"
                f" out, or neither, or declare {prop.name!r} with needs=(), or the names of those whose notes it goes by"
            )
    return left


def properties_for(spec: str, wanted: Sequence[str] = ()) -> list[Property]:
    """The properties a design is asked; only the ``wanted`` if any, and those whose notes they need.

    For a design in a file: PROPERTIES of that file, or, if it has none, all but the situations, which are Heat's. For the others:
    all. Raises :class:`HeatproofError` for an unknown name and for a file whose PROPERTIES are empty or no properties.
    """
    known = dict(ALL)
    if spec.partition("+")[0] in catalogue.TARGETS:  # whose steps are functions of the engine, not step ids
        known = {name: p for name, p in ALL.items() if not p.seen}
    if catalogue.is_file(spec):
        path = catalogue.parted(spec)[0]
        module = catalogue.load_module(path)
        if getattr(module, "PROPERTIES", ALL) is not ALL:  # that is what 'from heatproof import *' brings
            known = _own(path, module.PROPERTIES)
            refuse_unfit(catalogue.load(spec), known.values())
        elif not isinstance(catalogue.load(spec), catalogue.DESIGNS["heat"]):
            known = {name: p for name, p in ALL.items() if p.expectation != "sometimes"}
    if unknown := [name for name in wanted if name not in known]:
        raise HeatproofError(f"unknown property {unknown[0]!r}{meant(unknown[0], known)}; 'heatproof properties {spec}' lists them")
    for prop in known.values():
        if missing := [name for name in prop.needs or () if name not in known and name not in ALL]:
            raise HeatproofError(f"{prop.name!r} needs what {missing[0]!r} notes, and there is no property of that name")
    asked = with_their_notes(wanted or known, known.values())
    known = {name: ALL[name] for name in sorted(asked - known.keys()) if name in ALL} | known
    return [p for name, p in known.items() if name in asked]


def _own(path: str, properties: Any) -> dict[str, Property]:
    """The PROPERTIES of a design file by name."""
    if not isinstance(properties, tuple | list):
        raise HeatproofError(
            f"{path}: PROPERTIES must be a tuple or list of properties, not {properties!r:.80}; leave it out to ask the properties of Heat"
        )
    if not properties:
        raise HeatproofError(f"{path}: PROPERTIES is empty, so nothing would be asked; put properties in, or leave it out")
    known: dict[str, Property] = {}
    for prop in properties:
        if not isinstance(prop, Property):
            raise HeatproofError(f"{path}: PROPERTIES holds {prop!r:.80}, which is no property; make one with always, at_rest, ...")
        if known.setdefault(prop.name, prop) is not prop:
            raise HeatproofError(f"{path}: two of PROPERTIES are called {prop.name!r}; each needs a name of its own")
    return known


def refuse_unfit(design: Design, properties: Iterable[Property]) -> None:
    """Raise :class:`HeatproofError` for a property that tolerates an unknown fault, or bounds operations of a kind that there is not:
    it would ask less than it says."""
    for prop in properties:
        if not KNOWN.issuperset(prop.tolerates):
            unknown = sorted(set(prop.tolerates) - KNOWN)
            raise HeatproofError(
                f"property {prop.name!r} tolerates the unknown fault {unknown[0]!r}; known are {', '.join(FAULTS)}"
            )
        if prop.bound is not None and prop.bound.kind and prop.bound.kind not in (*KINDS, *design.operations):
            raise HeatproofError(f"property {prop.name!r}: {design.lacks(prop.bound.kind)}")


KNOWN = frozenset(FAULTS)
