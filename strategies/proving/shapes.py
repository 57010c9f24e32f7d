"""Templates of a scope: the shapes of dependencies by name, every shape there is, and every single change of a template.

Rules of this file:

1. A shape is a graph with an edge from each resource to each that it requires, as :attr:`Template.graph`; shapes count once up to
   isomorphism.
2. Every resource has a property ``p``, whose change is made in place, and a property ``r``, whose change forces a replacement. What is
   changed gets a value that it has not had before, so that no two templates of a scenario are equal by accident.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import combinations, product
from typing import NamedTuple

import networkx as nx

from heatproof.model.errors import ScenarioError, TemplateError
from heatproof.model.templates import Attr, Ref, ResourceDef, Template, Value, resource
from heatproof.strategies.editing import NAMES, moved

LINKS = ("id", "depends-on", "attribute")
"""How a resource requires another: by its id or by an attribute of it, each in a property that changes in place, or by nothing but order."""

Pairs = tuple[tuple[int, int], ...]


def _chain(count: int) -> Pairs:
    return tuple((n, n - 1) for n in range(1, count))


def _diamond(count: int) -> Pairs:
    middle = range(1, count - 1)
    return tuple([(n, 0) for n in middle] + [(count - 1, n) for n in middle])


SHAPES: dict[str, tuple[str, Callable[[int], Pairs]]] = {
    "none": ("no resource requires another", lambda count: ()),
    "chain": ("each requires the one before it", _chain),
    "fan-out": ("all others require the first", lambda count: tuple((n, 0) for n in range(1, count))),
    "fan-in": ("the last requires all others", lambda count: tuple((count - 1, n) for n in range(count - 1))),
    "diamond": ("the last requires those in the middle, and each of these the first", _diamond),
    "full": ("each requires all before it", lambda count: tuple((n, m) for n in range(count) for m in range(n))),
}
"""Dependencies by name: a sentence, and for a number of resources the pairs (requires, required)."""


def pairs_of(text: str, count: int) -> Pairs:
    """The dependencies that a user wrote: a name of :data:`SHAPES`, or pairs such as ``B:A,C:A`` for B requires A and C requires A.

    Raises :class:`ScenarioError` for what no template of ``count`` resources can have.
    """
    if text in SHAPES:
        if text == "diamond" and count < 4:
            raise ScenarioError(f"a diamond needs at least 4 resources, and there are {count}: add --resources 4")
        return SHAPES[text][1](count)
    names, found = NAMES[:count], []
    for pair in filter(None, map(str.strip, text.split(","))):
        one, colon, other = map(str.strip, pair.partition(":"))
        if not colon:
            raise ScenarioError(
                f"dependencies are one of {', '.join(SHAPES)}, or pairs such as B:A (B requires A); {pair!r} is neither"
            )
        for name in (one, other):
            if len(name) != 1 or name not in names:
                raise ScenarioError(
                    f"dependency {pair!r} names {name!r}; with {count} resources they are called {', '.join(names)}"
                    + (": raise --resources" if len(name) == 1 and name in NAMES else "")
                )
        found.append((names.index(one), names.index(other)))
    if not found:
        raise ScenarioError(f"no dependency is given; write one of {', '.join(SHAPES)}, or pairs such as B:A (B requires A)")
    return tuple(found)


def template_of(pairs: Sequence[tuple[int, int]], count: int, link: str = "id") -> Template:
    """The template of ``count`` resources A, B, C, ... with these dependencies. Raises :class:`ScenarioError` for a cycle."""
    made = [resource(name, {"p": 0}, {"r": 0}) for name in NAMES[:count]]
    for one, other in pairs:
        made[one] = linked(made[one], NAMES[other], link)
    try:
        return Template(made)
    except TemplateError as error:
        raise ScenarioError(f"impossible dependencies: {error}") from error


def shapes(count: int) -> Iterator[Pairs]:
    """All shapes of ``count`` resources, each once up to isomorphism; a resource requires only those with a smaller number."""
    kept: dict[Hashable, list[nx.DiGraph[int]]] = {}
    possible = list(combinations(range(count), 2))
    for size in range(len(possible) + 1):
        for chosen in combinations(possible, size):
            graph: nx.DiGraph[int] = nx.DiGraph()
            graph.add_nodes_from(range(count))
            graph.add_edges_from((late, early) for early, late in chosen)
            alike = kept.setdefault(tuple(sorted((graph.in_degree(n), graph.out_degree(n)) for n in graph)), [])
            if not any(nx.is_isomorphic(graph, other) for other in alike):
                alike.append(graph)
                yield tuple((late, early) for early, late in chosen)


def linked(one: ResourceDef, other: str, link: str) -> ResourceDef:
    """``one`` with a requirement of the resource called ``other``."""
    if link == "depends-on":
        return one._replace(depends_on=tuple(sorted({*one.depends_on, other})))
    value: Value = Ref(other) if link == "id" else Attr(other, "p")
    return one._replace(in_place=tuple(sorted({**dict(one.in_place), f"of {other}": value}.items())))


# ----------------------------------------------------------------------------------------------------------- changes


class Change(NamedTuple):
    """One change of a template: its kind, what is changed, and the template that comes of it."""

    kind: str
    what: str
    template: Template

    def __str__(self) -> str:
        return f"{self.kind} {self.what}".strip()


def _changed(template: Template, one: ResourceDef) -> Template:
    return Template(one if known.name == one.name else known for known in template.resources)


def _values(property_: str, in_place: bool) -> Callable[[Sequence[Template], str], Iterator[tuple[str, Template]]]:
    def change(goals: Sequence[Template], _link: str) -> Iterator[tuple[str, Template]]:
        template = goals[-1]
        for one in template.resources:
            pairs = dict(one.in_place if in_place else one.replace)
            had = [known.get(one.name) for known in goals]
            values = [dict(known.properties).get(property_) for known in had if known is not None]
            fresh = 1 + max((value for value in values if isinstance(value, int)), default=-1)
            new = tuple(sorted({**pairs, property_: fresh}.items()))
            yield one.name, _changed(template, one._replace(in_place=new) if in_place else one._replace(replace=new))

    return change


def _same(goals: Sequence[Template], _link: str) -> Iterator[tuple[str, Template]]:
    yield "", goals[-1]


def _back(goals: Sequence[Template], _link: str) -> Iterator[tuple[str, Template]]:
    for number, goal in enumerate(goals, 1):
        if goal != goals[-1] and goal not in goals[number:]:
            yield f"to goal {number}", goal


def _remove(goals: Sequence[Template], _link: str) -> Iterator[tuple[str, Template]]:
    template = goals[-1]
    for gone in template.names:
        kept = (moved(one, gone, None) for one in template.resources if one.name != gone)
        yield gone, Template(_unlinked(one, gone) for one in kept)


def _add(goals: Sequence[Template], link: str) -> Iterator[tuple[str, Template]]:
    template = goals[-1]
    name = next((name for name in NAMES if all(name not in known for known in goals)), None)
    if name is None:
        return
    new = resource(name, {"p": 0}, {"r": 0})
    for wanted in product((False, True), repeat=len(template)):
        others = [other for other, required in zip(template.names, wanted, strict=True) if required]
        one = new
        for other in others:
            one = linked(one, other, link)
        yield f"{name} requiring {', '.join(others)}" if others else name, Template([*template.resources, one])


def _link(goals: Sequence[Template], link: str) -> Iterator[tuple[str, Template]]:
    template = goals[-1]
    for one in template.resources:
        for other in template.names:
            if other not in one.requires() and not nx.has_path(template.graph, other, one.name):
                yield f"{one.name} to {other}", _changed(template, linked(one, other, link))


def _unlink(goals: Sequence[Template], _link: str) -> Iterator[tuple[str, Template]]:
    template = goals[-1]
    for one in template.resources:
        for other in one.requires():
            yield f"{one.name} from {other}", _changed(template, _unlinked(moved(one, other, None), other))


def _unlinked(one: ResourceDef, other: str) -> ResourceDef:
    """Without the property that held a requirement of ``other``, which :func:`moved` made plain."""
    return one._replace(in_place=tuple((name, value) for name, value in one.in_place if name != f"of {other}"))


CHANGES: dict[str, tuple[str, Callable[[Sequence[Template], str], Iterator[tuple[str, Template]]]]] = {
    "same": ("the same template again", _same),
    "in-place": ("a property that changes in place", _values("p", in_place=True)),
    "replace": ("a property whose change forces a replacement", _values("r", in_place=False)),
    "remove": ("a resource less, and what required it does not any more", _remove),
    "add": ("a resource more, requiring any of the others", _add),
    "link": ("one more dependency", _link),
    "unlink": ("one dependency less", _unlink),
    "back": ("an earlier template again", _back),
}
"""What an update can change: a sentence, and a function of all goals so far (the last one counts) and the way resources are linked."""


def changes(goals: Sequence[Template], kinds: Sequence[str] = tuple(CHANGES), link: str = "id", most: int = 26) -> Iterator[Change]:
    """Every single change of the last of ``goals`` that leaves at most ``most`` resources."""
    for kind in kinds:
        for what, template in CHANGES[kind][1](goals, link):
            if len(template) <= max(most, len(goals[-1])):
                yield Change(kind, what, template)


__all__ = ["CHANGES", "LINKS", "SHAPES", "Change", "changes", "linked", "pairs_of", "shapes", "template_of"]
