"""Templates made and changed by small numbers: what the strategies decode their bytes with. Pure functions; nothing here draws.

Zero is simple: the definition of ``bytes(4)`` has nothing but a name, and the edit 0 of resource 0 changes one property in place.
Properties are called ``p`` and ``q`` (changed in place), ``r`` and ``s`` (their change forces a replacement), as far as this
module adds any; templates with other names are edited as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from string import ascii_uppercase

import networkx as nx

from heatproof.model.errors import TemplateError
from heatproof.model.templates import OPERATIONS, Attr, Ref, ResourceDef, Template, Value

NAMES = ascii_uppercase
IN_PLACE, REPLACE = ("p", "q"), ("r", "s")
VALUES = (0, 1, 2)
WAYS = 5  # in which one resource may require another


def definition(name: str, others: Sequence[ResourceDef], code: bytes, fails: bool = True) -> ResourceDef:
    """The resource definition that four bytes stand for: plain properties and kind, two requirements among ``others``, failures.

    The larger a byte the more it says: half of all bytes give a requirement, the last eighth another kind, the last
    sixteenth a physical operation that always fails (if ``fails``).
    """
    plain, first, second, failing = code
    made = ResourceDef(
        name,
        in_place=(("p", VALUES[(plain & 3) - 1]),) if plain & 3 else (),
        replace=(("r", VALUES[(plain >> 2 & 3) - 1]),) if plain >> 2 & 3 else (),
        kind="other" if plain >= 224 else "thing",
        fails=(OPERATIONS[failing % 4],) if fails and failing >= 240 else (),
    )
    for choice in (first - 96, second - 160):
        if others and choice >= 0:
            made = linked(made, others[choice // WAYS % len(others)], choice)
    return made


def linked(one: ResourceDef, target: ResourceDef, how: int) -> ResourceDef:
    """``one`` with a requirement of ``target``. ``how`` modulo 5: by depends_on, by its id in a property that changes in place, by its id
    in one that forces a replacement, by an attribute in place, by an attribute that forces a replacement."""
    way, known = how % WAYS, dict(one.properties)
    free = [name for name in (IN_PLACE if way % 2 else REPLACE) if not isinstance(known.get(name), Ref | Attr)]
    if way == 0 or not free:
        return one._replace(depends_on=tuple(sorted({*one.depends_on, target.name})))
    attributes = [name for name, _ in target.properties] if way > 2 else []
    value = Attr(target.name, attributes[how // WAYS % len(attributes)]) if attributes else Ref(target.name)
    return _set(one, bool(way % 2), free[0], value)


def _set(one: ResourceDef, in_place: bool, name: str, value: Value) -> ResourceDef:
    if in_place:
        return one._replace(in_place=tuple(sorted({**dict(one.in_place), name: value}.items())))
    return one._replace(replace=tuple(sorted({**dict(one.replace), name: value}.items())))


def moved(one: ResourceDef, old: str, new: ResourceDef | None) -> ResourceDef:
    """``one`` with its requirements of ``old`` turned to ``new``, or made plain if that is None."""

    def value(v: Value) -> Value:
        if not isinstance(v, Ref | Attr) or v.resource != old:
            return v
        if new is None:
            return VALUES[0]
        return Attr(new.name, v.attribute) if isinstance(v, Attr) and v.attribute in dict(new.properties) else Ref(new.name)

    kept = {other for other in one.depends_on if other != old}
    if new is not None and old in one.depends_on:
        kept.add(new.name)
    return one._replace(
        in_place=tuple((name, value(v)) for name, v in one.in_place),
        replace=tuple((name, value(v)) for name, v in one.replace),
        depends_on=tuple(sorted(kept)),
    )


# ----------------------------------------------------------------------------------------------------------- edits

Edit = Callable[[Template, int, int], Iterable[ResourceDef] | None]


def edit(template: Template, kind: str, at: int = 0, how: int = 0) -> Template | None:
    """``template`` after one edit of that kind (see :data:`EDITS`), or None where it is not possible or changes nothing.

    ``at``: which resource or requirement, ``how``: which value, target or way; both modulo what there is.
    """
    changed = EDITS[kind][1](template, at, how) if len(template) or kind == "add" else None
    if changed is None:
        return None
    try:
        new = Template(changed)
    except TemplateError:  # a cycle
        return None
    return new if new != template else None


def _with(template: Template, *changed: ResourceDef) -> list[ResourceDef]:
    new = {one.name: one for one in changed}
    return [new.get(one.name, one) for one in template.resources]


def _value(in_place: bool) -> Edit:
    def change(template: Template, at: int, how: int) -> list[ResourceDef] | None:
        one = template.resources[at % len(template)]
        pairs = dict(one.in_place if in_place else one.replace)
        plain = [name for name, v in pairs.items() if not isinstance(v, Ref | Attr)]
        plain = plain or [name for name in (IN_PLACE if in_place else REPLACE) if name not in dict(one.properties)][:1]
        if not plain:
            return None
        name = plain[how % len(plain)]
        values = [v for v in VALUES if v != pairs.get(name)]
        return _with(template, _set(one, in_place, name, values[how // len(plain) % len(values)]))

    return change


def _remove(template: Template, at: int, _how: int) -> list[ResourceDef]:
    gone = template.names[at % len(template)]
    return [moved(one, gone, None) for one in template.resources if one.name != gone]


def _add(template: Template, at: int, how: int) -> list[ResourceDef] | None:
    name = next((name for name in NAMES if name not in template), None)
    return None if name is None else [*template.resources, definition(name, template.resources, bytes((how, at, 0, 0)), False)]


def _link(template: Template, at: int, how: int) -> list[ResourceDef] | None:
    one = template.resources[at % len(template)]
    others = [
        other
        for other in template.resources
        if other.name not in one.requires() and not nx.has_path(template.graph, other.name, one.name)
    ]
    return _with(template, linked(one, others[how // WAYS % len(others)], how)) if others else None


def _requirements(template: Template) -> list[tuple[ResourceDef, str]]:
    return [(one, other) for one in template.resources for other in one.requires()]


def _unlink(template: Template, at: int, _how: int) -> list[ResourceDef] | None:
    pairs = _requirements(template)
    return _with(template, moved(*pairs[at % len(pairs)], None)) if pairs else None


def _redirect(template: Template, at: int, how: int) -> list[ResourceDef] | None:
    pairs = _requirements(template)
    return _with(template, moved(*pairs[at % len(pairs)], template.resources[how % len(template)])) if pairs else None


def _reverse(template: Template, at: int, how: int) -> list[ResourceDef] | None:
    pairs = _requirements(template)
    if not pairs:
        return None
    one, other = pairs[at % len(pairs)]
    freed = moved(one, other, None)
    return _with(template, freed, linked(template[other], freed, how))


def _kind(template: Template, at: int, _how: int) -> list[ResourceDef]:
    one = template.resources[at % len(template)]
    return _with(template, one._replace(kind="other" if one.kind == "thing" else "thing"))


def _fail(template: Template, at: int, how: int) -> list[ResourceDef]:
    one = template.resources[at % len(template)]
    return _with(template, one._replace(fails=tuple(sorted({*one.fails, OPERATIONS[how % 4]}))))


def _heal(template: Template, at: int, _how: int) -> list[ResourceDef] | None:
    failing = [one for one in template.resources if one.fails]
    return _with(template, failing[at % len(failing)]._replace(fails=())) if failing else None


EDITS: dict[str, tuple[int, Edit]] = {
    "change in place": (4, _value(in_place=True)),
    "change replace": (4, _value(in_place=False)),
    "remove": (2, _remove),
    "add": (2, _add),
    "unlink": (1, _unlink),
    "link": (2, _link),
    "redirect": (1, _redirect),
    "reverse": (2, _reverse),
    "heal": (2, _heal),
    "kind": (1, _kind),
    "fail": (1, _fail),
}
"""The kinds of edits, the simplest first: how often each is drawn, and what it makes of a template (None: not possible there)."""
