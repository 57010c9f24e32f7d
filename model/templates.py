"""Templates: what a user wants, as a graph of resource definitions.

A template is a value: frozen, hashable, equal to another with the same content. ``template.graph`` is its dependency graph as
a :class:`networkx.DiGraph` with an edge from each resource to each of those it requires, as in Heat's own ``Dependencies``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import networkx as nx

from heatproof.model.errors import TemplateError

OPERATIONS = ("create", "update", "delete", "check")


class Ref(NamedTuple):
    """The id of another resource (``get_resource``)."""

    resource: str


class Attr(NamedTuple):
    """An attribute of another resource (``get_attr``). Attribute ``x`` is the value of its property ``x``."""

    resource: str
    attribute: str


Plain = str | int | bool | None
Value = Plain | Ref | Attr


class ResourceDef(NamedTuple):
    """One resource definition.

    ``in_place``: properties that can be changed in place; ``replace``: properties whose change forces a replacement; both as
    sorted tuples of (name, value). ``kind`` is the resource class: changing it forces a replacement. ``fails``:
    the physical operations that always fail for this definition (of ``create``, ``update``, ``delete``, ``check``).
    """

    name: str
    in_place: tuple[tuple[str, Value], ...] = ()
    replace: tuple[tuple[str, Value], ...] = ()
    depends_on: tuple[str, ...] = ()
    kind: str = "thing"
    fails: tuple[str, ...] = ()

    @property
    def properties(self) -> tuple[tuple[str, Value], ...]:
        """All properties, those that force a replacement last."""
        return self.in_place + self.replace

    def requires(self) -> tuple[str, ...]:
        """The names this definition depends on, explicitly or by a reference, each once, sorted."""
        names = set(self.depends_on)
        names.update(value.resource for _, value in self.properties if isinstance(value, Ref | Attr))
        return tuple(sorted(names))

    def resolve(self, value_of: Callable[[Ref | Attr], Plain]) -> tuple[tuple[str, Plain], ...]:
        """All properties with references replaced by what ``value_of`` says."""
        return tuple((name, value_of(v) if isinstance(v, Ref | Attr) else v) for name, v in self.properties)


def resource(
    name: str,
    in_place: Mapping[str, Value] | None = None,
    replace: Mapping[str, Value] | None = None,
    depends_on: Iterable[str] = (),
    kind: str = "thing",
    fails: Iterable[str] = (),
) -> ResourceDef:
    """A resource definition from plain dictionaries and lists.

    Raises :class:`TemplateError` if it has no name, a property stands in both groups or ``fails`` names no physical operation.
    """
    named: Any = name
    if not isinstance(named, str) or not named:
        raise TemplateError(f"a resource needs a name, which is a text, not {name!r:.80}")
    in_place, replace = dict(in_place or {}), dict(replace or {})
    for what, names in (("depends_on", depends_on), ("fails", fails)):
        if isinstance(names, str):  # which would be taken for a list of its letters
            raise TemplateError(f"resource {name!r}: {what} is the text {names!r:.80}; give a list: {what}=[{names!r:.80}]")
    if both := sorted(in_place.keys() & replace.keys()):
        raise TemplateError(f"resource {name!r}: property {both[0]!r} stands both under in_place and under replace; keep one")
    for prop, value in (*in_place.items(), *replace.items()):
        if not isinstance(value, Plain | Ref | Attr):
            raise TemplateError(
                f"resource {name!r}: property {prop!r} is {value!r:.80}; take a text, a number, True, False, None, Ref or Attr"
            )
    if unknown := sorted(set(fails) - set(OPERATIONS)):
        raise TemplateError(
            f"resource {name!r}: fails names {unknown[0]!r}, which is no physical operation; take from {', '.join(OPERATIONS)}"
        )
    return ResourceDef(
        name,
        tuple(sorted(in_place.items())),
        tuple(sorted(replace.items())),
        tuple(sorted(set(depends_on))),
        kind,
        tuple(sorted(set(fails))),
    )


class Template:
    """A set of resource definitions by name, without cycles and without references to nothing.

    Raises :class:`TemplateError` with a message that names the resources concerned.
    """

    def __init__(self, resources: Iterable[ResourceDef] = ()):
        given: Any = resources
        if isinstance(given, str | ResourceDef | Mapping) or not isinstance(given, Iterable):
            raise TemplateError(f"a template is made of a list of resources, not of {given!r:.80}")
        given = tuple(given)
        for one in given:
            if not isinstance(one, ResourceDef):
                raise TemplateError(f"{one!r:.80} is no resource of a template; make one with resource(...)")
        self.resources: tuple[ResourceDef, ...] = tuple(sorted(given, key=lambda r: r.name))
        self._by_name = {r.name: r for r in self.resources}
        self._hash = hash(self.resources)
        if len(self._by_name) != len(self.resources):
            names = [r.name for r in self.resources]
            twice = next(n for n in names if names.count(n) > 1)
            raise TemplateError(f"resource {twice!r} is defined twice; names must be unique in a template")
        for definition in self.resources:
            for other in definition.requires():
                if other not in self._by_name:
                    raise TemplateError(
                        f"resource {definition.name!r} refers to {other!r}, which the template does not define"
                        f" (it defines {', '.join(self._by_name) or 'nothing'})"
                    )
        if not nx.is_directed_acyclic_graph(self.graph):
            cycle = [a for a, _ in nx.find_cycle(self.graph)]
            raise TemplateError(f"the template has a cycle: {' -> '.join([*cycle, cycle[0]])}; a resource cannot require itself")

    @cached_property
    def graph(self) -> nx.DiGraph[str]:
        """Edges from each resource to those it requires."""
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_nodes_from(self._by_name)
        graph.add_edges_from((r.name, other) for r in self.resources for other in r.requires())
        return graph

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the resources, sorted."""
        return tuple(self._by_name)

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The names, requirements first; ties in the order of names."""
        return tuple(nx.lexicographical_topological_sort(self.graph.reverse(copy=False)))

    @cached_property
    def dependents_first(self) -> tuple[str, ...]:
        """The names, dependents first; ties in the order of names."""
        return tuple(nx.lexicographical_topological_sort(self.graph))

    def __getitem__(self, name: str) -> ResourceDef:
        return self._by_name[name]

    def get(self, name: str) -> ResourceDef | None:
        """The definition of that name, or None."""
        return self._by_name.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __len__(self) -> int:
        return len(self.resources)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and self.resources == other.resources

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Template([{', '.join(map(_spell, self.resources))}])"

    def dependents(self, name: str) -> tuple[str, ...]:
        """The names of the resources that require ``name`` directly, sorted."""
        return self._dependents.get(name, ())

    @cached_property
    def _dependents(self) -> dict[str, tuple[str, ...]]:
        return {name: tuple(sorted(self.graph.predecessors(name))) for name in self.names}

    @cached_property
    def attributes_read(self) -> dict[str, tuple[str, ...]]:
        """For each resource of which attributes are read: their names, sorted."""
        found: dict[str, set[str]] = {}
        for definition in self.resources:
            for _, value in definition.properties:
                if isinstance(value, Attr):
                    found.setdefault(value.resource, set()).add(value.attribute)
        return {name: tuple(sorted(attributes)) for name, attributes in found.items()}


EMPTY = Template()


def _spell(r: ResourceDef) -> str:
    parts: list[Any] = [repr(r.name)]
    if r.in_place:
        parts.append(f"in_place={dict(r.in_place)!r}")
    if r.replace:
        parts.append(f"replace={dict(r.replace)!r}")
    if r.depends_on:
        parts.append(f"depends_on={list(r.depends_on)!r}")
    if r.kind != "thing":
        parts.append(f"kind={r.kind!r}")
    if r.fails:
        parts.append(f"fails={list(r.fails)!r}")
    return f"resource({', '.join(parts)})"
