"""Scopes: which scenarios are searched, each once up to isomorphism.

Rules of this file:

1. The user may ask the next operation at any moment, or never: a search of a scenario contains the scenarios that begin like it. So only
   the longest ones of a scope are listed.
2. Scenarios that differ only in what resources are called count once: *isomorphic* as graphs of the resources, marked with what each
   operation wants of them. That holds for designs to which a name is a name; one that sorts by names may do otherwise with others.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import networkx as nx

from heatproof.model.choosing import chosen
from heatproof.model.design import Design
from heatproof.model.errors import ScenarioError
from heatproof.model.faults import FAULTS, HOLDS, refuse_unknown
from heatproof.model.scenario import KINDS, Operation, Scenario, Scope
from heatproof.model.templates import Attr, Ref, Template
from heatproof.strategies.proving.shapes import CHANGES, LINKS, changes, pairs_of, shapes, template_of

ABOUT = ("signal", "mark unhealthy")
"""Operations that are about one resource."""


class Asked(NamedTuple):
    """One operation as a user wrote it: its kind, and of an update what it changes ("": anything)."""

    kind: str
    change: str = ""


class Member(NamedTuple):
    """One scenario of a scope, with what it is called."""

    label: str
    scenario: Scenario


@dataclass(frozen=True, slots=True)
class Limits:
    """What a scope may hold beside its templates.

    ``operations``: what the user asks in this order, or how many operations of ``kinds`` (None: all that the design knows) he asks;
    ``link``: how resources require each other; ``rollback``: whether what fails rolls back on its own; ``faults``: the budget by kind.
    """

    operations: tuple[Asked, ...] | int
    kinds: tuple[str, ...] | None = None
    scope: Scope = Scope()
    faults: Mapping[str, int] = field(default_factory=dict)
    rollback: bool = False
    link: str = "id"


def asked(text: str) -> tuple[Asked, ...] | int:
    """What a user wrote for operations: a number, or kinds in order such as ``create,update:replace,delete``.

    Raises :class:`ScenarioError` for an unknown kind or change.
    """
    if text.strip().isdecimal() and len(text) < 10:
        count = int(text)
        if not 1 <= count <= 20:
            raise ScenarioError(f"the number of operations is {count}; it must be between 1 and 20")
        return count
    found = []
    for word in filter(None, map(str.strip, text.split(","))):
        kind, colon, change = map(str.strip, word.partition(":"))
        kind = kind.replace("-", " ")
        if kind not in KINDS:
            raise ScenarioError(f"unknown operation {word!r}; known are {', '.join(KINDS)}, or write how many")
        if colon and kind != "update":
            raise ScenarioError(f"{word!r}: only an update changes something; write {kind!r} alone")
        if colon and change not in CHANGES:
            raise ScenarioError(f"{word!r}: unknown change {change!r}; known are {', '.join(CHANGES)}")
        found.append(Asked(kind, change))
    if not found:
        raise ScenarioError("no operation is given; write kinds such as create,update, or how many")
    if found[0].kind != "create":
        raise ScenarioError(
            f"the first operation is {found[0].kind!r}; a stack must be created before anything else: begin with create"
        )
    if any(one.kind == "create" for one in found[1:]):
        raise ScenarioError("the stack is created twice; after the first create use update")
    return tuple(found)


def refuse_impossible(design: Design, limits: Limits) -> None:
    """Raise :class:`ScenarioError` for what cannot be searched: unknown or impossible faults, operations that the design does not have."""
    refuse_faults(design, limits.faults, limits.scope)
    if limits.link not in LINKS:
        raise ScenarioError(f"unknown way to require a resource {limits.link!r}; known are {', '.join(LINKS)}")
    kinds = limits.kinds or () if isinstance(limits.operations, int) else [one.kind for one in limits.operations[1:]]
    if reason := design.refuses((Operation(kind) for kind in ("create", *kinds)), limits.scope.engines):
        raise ScenarioError(reason)


def refuse_faults(design: Design, faults: Mapping[str, int], scope: Scope) -> None:
    """Raise :class:`ScenarioError` for unknown faults, and for those that cannot strike in a search or change nothing there."""
    refuse_unknown(faults)
    if held := sorted(set(faults) & set(HOLDS)):
        raise ScenarioError(
            f"fault {held[0]!r} only lets something wait, and an exhaustive search contains every run with every delay as it is; leave out"
            f" {', '.join(HOLDS)}"
        )
    if immune := sorted(set(faults) & design.immune):
        raise ScenarioError(f"fault {immune[0]!r} cannot be injected into design {design.name!r}")
    if "restart" in faults and "crash" not in faults:
        raise ScenarioError("fault 'restart' brings back an engine that has crashed, and none can: add crash to the faults")
    if "overtake" in faults and scope.reorder and design.order != "fifo":
        raise ScenarioError("fault 'overtake' breaks an order that this design never promised: its messages may always overtake")


def one_shape(design: Design, resources: int, dependencies: str, limits: Limits) -> Iterator[Member]:
    """The scenarios that begin with a template of so many resources with these dependencies. Raises :class:`ScenarioError`."""
    refuse_impossible(design, limits)
    pairs = pairs_of(dependencies, resources)
    yield from _once(_scenarios(design, template_of(pairs, resources, limits.link), resources, limits))


def all_templates(design: Design, most: int, limits: Limits) -> Iterator[Member]:
    """The scenarios that begin with any template of 1 to ``most`` resources, up to isomorphism; smaller ones first."""
    refuse_impossible(design, limits)
    yield from _once(member for template in _templates(most, limits) for member in _scenarios(design, template, most, limits))


def left_out(design: Design, most: int, limits: Limits) -> list[Template]:
    """The templates of these with which no scenario begins, since some change that is asked for is not possible after them."""
    return [template for template in _templates(most, limits) if next(_scenarios(design, template, most, limits), None) is None]


def _templates(most: int, limits: Limits) -> Iterator[Template]:
    for count in range(1, most + 1):
        for pairs in shapes(count):
            yield template_of(pairs, count, limits.link)


def _scenarios(design: Design, template: Template, most: int, limits: Limits) -> Iterator[Member]:
    if isinstance(limits.operations, int):
        kinds = limits.kinds or tuple(kind for kind in KINDS if kind in design.operations)
        later = tuple(Asked(kind) for kind in kinds if kind != "create")
        choices: list[tuple[Asked, ...]] = [later] * (limits.operations - 1)
    else:
        choices = [(one,) for one in limits.operations[1:]]
    first = Operation("create", template, rollback=limits.rollback, timeout="timeout" in limits.faults)
    for label, operations in _longer(f"create {spelled(template)}", (first,), (template,), choices, most, limits):
        yield Member(label, Scenario(operations, limits.scope, limits.faults))


def _longer(
    label: str,
    operations: tuple[Operation, ...],
    goals: tuple[Template, ...],
    choices: Sequence[Sequence[Asked]],
    most: int,
    limits: Limits,
) -> Iterator[tuple[str, tuple[Operation, ...]]]:
    """All ways to go on with these choices."""
    if not choices:
        yield label, operations
        return
    for one in choices[0]:
        for said, operation in _operations(one, goals, most, limits):
            after = (*goals, operation.template) if operation.template is not None else goals
            yield from _longer(f"{label}, {said}", (*operations, operation), after, choices[1:], most, limits)


def _operations(one: Asked, goals: tuple[Template, ...], most: int, limits: Limits) -> Iterator[tuple[str, Operation]]:
    timed = "timeout" in limits.faults
    if one.kind == "update":
        kinds = (one.change,) if one.change else tuple(CHANGES)
        room = 26 if one.change == "add" else most
        for change in changes(goals, kinds, limits.link, room):
            yield f"update {change}", Operation("update", change.template, rollback=limits.rollback, timeout=timed)
    elif one.kind in ABOUT:
        for name in sorted({name for goal in goals for name in goal.names}):  # one may still be there that the goal has no more
            yield f"{one.kind} {name}", Operation(one.kind, resource=name)
    else:
        yield one.kind, Operation(one.kind, timeout=timed and one.kind in ("delete", "check"))


def spelled(template: Template) -> str:
    """A template in short: ``A, B(A)`` where B requires A."""
    return ", ".join(f"{one.name}({' '.join(one.requires())})" if one.requires() else one.name for one in template.resources)


# ------------------------------------------------------------------------------------------------------ isomorphism


def _once(members: Iterator[Member]) -> Iterator[Member]:
    """The members without those that are isomorphic to one before."""
    kept: dict[Hashable, list[nx.DiGraph[str]]] = {}
    for member in members:
        graph = _graph(member.scenario.operations)
        outline = tuple((o.kind, o.template is None, o.rollback, o.timeout, o.stack) for o in member.scenario.operations)
        mark = tuple(sorted((wants, graph.in_degree(n), graph.out_degree(n)) for n, wants in graph.nodes(data="wants")))
        alike = kept.setdefault((outline, mark), [])
        if not any(isomorphic(graph, other) for other in alike):
            alike.append(graph)
            yield member


def isomorphic(one: nx.DiGraph[str], other: nx.DiGraph[str]) -> bool:
    """Whether two graphs of scenarios are the same but for the names of resources."""

    def same(a: Mapping[str, object], b: Mapping[str, object]) -> bool:
        return a["wants"] == b["wants"]

    return bool(nx.is_isomorphic(one, other, node_match=same, edge_match=same))


def _graph(operations: Sequence[Operation]) -> nx.DiGraph[str]:
    """The resources of a scenario, each marked with what every operation wants of it; edges: how each operation links them."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    nodes: dict[str, list[str]] = {}
    edges: dict[tuple[str, str], list[str]] = {}
    for number, operation in enumerate(operations):
        if operation.resource is not None:
            nodes.setdefault(operation.resource, []).append(f"{number} is it")
        for one in operation.template.resources if operation.template is not None else ():
            plain = [(name, value) for name, value in one.properties if not isinstance(value, Ref | Attr)]
            nodes.setdefault(one.name, []).append(f"{number} {plain} {one.kind} {one.fails}")
            for other in one.depends_on:
                edges.setdefault((one.name, other), []).append(f"{number} after")
            for name, value in one.properties:
                if isinstance(value, Ref | Attr):
                    attribute = value.attribute if isinstance(value, Attr) else ""
                    where = "in place" if (name, value) in one.in_place else "replace"
                    edges.setdefault((one.name, value.resource), []).append(f"{number} {where} {attribute}")
    for name, wants in nodes.items():
        graph.add_node(name, wants="; ".join(wants))
    for (one_name, other), wants in edges.items():
        graph.add_edge(one_name, other, wants="; ".join(sorted(wants)))
    return graph


# ------------------------------------------------------------------------------------------------------------ faults


def budget_of(words: Sequence[str], each: int = 1) -> dict[str, int]:
    """The fault budget that a user wrote: kinds separated by commas, each with a number of its own (``crash=1``) or with ``each``.

    Raises :class:`ScenarioError` for what is no list of faults (:func:`chosen`) and for what is no number.
    """
    budget: dict[str, int] = {}
    parted = [(word, *map(str.strip, word.partition("="))) for text in words for word in map(str.strip, text.split(",")) if word]
    if words and chosen([kind for _, kind, _, _ in parted], FAULTS, "fault") == ():
        return {}
    for word, kind, equals, number in parted:
        if equals and not (number.isdecimal() and len(number) < 10 and int(number) <= 20):
            raise ScenarioError(f"{word!r}: how many faults of a kind is a number from 0 to 20, such as {kind}=1")
        budget[kind] = int(number) if equals else each
    return {kind: count for kind, count in budget.items() if count}


__all__ = ["Asked", "Limits", "Member", "all_templates", "asked", "budget_of", "left_out", "one_shape", "refuse_faults", "spelled"]
