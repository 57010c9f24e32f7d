"""Scopes: every shape and every sequence once, and nothing that cannot be."""

from __future__ import annotations

from itertools import permutations, product

import pytest

from heatproof.model.errors import ScenarioError
from heatproof.model.scenario import KINDS, Operation, Scope
from heatproof.model.templates import Attr, Ref, ResourceDef, Template
from heatproof.strategies.proving.scopes import (
    Asked,
    Limits,
    all_templates,
    asked,
    budget_of,
    left_out,
    one_shape,
    refuse_faults,
    spelled,
)
from heatproof.strategies.proving.shapes import CHANGES, LINKS, SHAPES, changes, pairs_of, shapes, template_of
from tests.toys import ADDING, HEAT


@pytest.mark.parametrize(("count", "known"), [(1, 1), (2, 2), (3, 6), (4, 31), (5, 302)])
def test_there_are_as_many_shapes_as_unlabelled_acyclic_graphs(count: int, known: int) -> None:
    assert len(list(shapes(count))) == known, "OEIS A003087"


def renamed(operations: tuple[Operation, ...], names: dict[str, str]) -> object:
    """The operations with resources called otherwise, as a value that can be compared."""

    def value(v: object) -> object:
        if isinstance(v, Ref):
            return ("id", names[v.resource])
        return ("attribute", names[v.resource], v.attribute) if isinstance(v, Attr) else v

    def one(r: ResourceDef) -> object:
        plain = sorted((name, value(v)) for name, v in r.properties if not isinstance(v, Ref | Attr))
        linked = sorted(str(value(v)) for _, v in r.properties if isinstance(v, Ref | Attr))
        return (names[r.name], plain, linked, sorted(names[d] for d in r.depends_on))

    return tuple(
        (o.kind, None if o.resource is None else names[o.resource],
         None if o.template is None else tuple(sorted(map(str, map(one, o.template.resources)))))
        for o in operations
    )  # fmt: skip


def canonical(operations: tuple[Operation, ...]) -> str:
    """The same for scenarios that differ only in names, found by trying all names: the slow way."""
    used = sorted({name for o in operations if o.template is not None for name in o.template.names})
    return min(str(renamed(operations, dict(zip(used, order, strict=True)))) for order in permutations(used))


@pytest.mark.parametrize("link", LINKS)
def test_each_scenario_comes_once_up_to_names(link: str) -> None:
    limits = Limits(2, link=link)
    found = [canonical(m.scenario.operations) for m in all_templates(HEAT, 2, limits)]
    assert len(set(found)) == len(found)
    everything = {
        canonical((Operation("create", template), operation))
        for pairs in ((0, ()), (1, ()), (1, ((1, 0),)), (1, ((0, 1),)))
        for template in [template_of(pairs[1], pairs[0] + 1, link)]
        for operation in [
            *(Operation("update", change.template) for change in changes((template,), link=link, most=2)),
            *(Operation(kind) for kind in KINDS if kind not in ("create", "update", "signal", "mark unhealthy")),
            *(Operation(kind, resource=name) for kind in ("signal", "mark unhealthy") for name in template.names),
        ]
    }
    assert set(found) == everything


def test_templates_in_which_a_change_is_not_possible_are_told() -> None:
    def left(operations: str) -> list[str]:
        return [spelled(template) for template in left_out(HEAT, 2, Limits(asked(operations)))]

    assert left("create,update:link") == ["A", "A, B(A)"]
    assert left("create,update:unlink") == ["A", "A, B"]
    assert left("create,update") == left("create,delete") == []


def test_labels_tell_scenarios_apart() -> None:
    labels = [m.label for m in all_templates(HEAT, 2, Limits(3, ("update", "delete")))]
    assert len(set(labels)) == len(labels) > 100


def test_the_scenarios_of_a_small_scope() -> None:
    members = one_shape(HEAT, 2, "B:A", Limits(asked("create,update:replace,delete")))
    assert [m.label for m in members] == ["create A, B(A), update replace A, delete", "create A, B(A), update replace B, delete"]


def test_a_template_does_not_outgrow_the_scope_unless_asked_to() -> None:
    def sizes(operations: str) -> set[int]:
        return {
            len(o.template)
            for m in one_shape(HEAT, 2, "none", Limits(asked(operations)))
            for o in m.scenario.operations
            if o.template
        }

    assert sizes("create,update") == {1, 2}
    assert sizes("create,update:add") == {2, 3}


def test_every_change_is_one() -> None:
    first = template_of(pairs_of("chain", 3), 3)
    second = list(changes((first,), ("remove",)))[1].template
    for change in changes((first, second), link="id"):
        assert (change.template == second) == (change.kind == "same")
        assert (change.template == first) == (change.kind == "back")
    kinds = {change.kind for goals in ((first, second), (first,)) for change in changes(goals)}
    assert kinds == set(CHANGES)
    values = [change.template["A"].in_place for change in changes((first, first), ("in-place",)) if change.what == "A"]
    assert values == [(("p", 1),)]


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_shapes_by_name(name: str) -> None:
    pairs = pairs_of(name, 4)
    template = template_of(pairs, 4)
    edges = {"none": 0, "chain": 3, "fan-out": 3, "fan-in": 3, "diamond": 4, "full": 6}
    assert template.graph.number_of_edges() == len(pairs) == edges[name]
    assert SHAPES[name][0]


def test_a_dependency_can_be_made_in_each_way() -> None:
    def linked(how: str) -> Template:
        return template_of(((1, 0),), 2, how)

    assert linked("depends-on")["B"].depends_on == ("A",)
    assert Ref("A") in dict(linked("id")["B"].properties).values()
    assert Attr("A", "p") in dict(linked("attribute")["B"].properties).values()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: pairs_of("nosuch", 2), "'nosuch' is neither"),
        (lambda: pairs_of("B:A", 1), "raise --resources"),
        (lambda: pairs_of("B:1", 2), "'1'"),
        (lambda: pairs_of("diamond", 3), "at least 4 resources"),
        (lambda: template_of(((0, 1), (1, 0)), 2), "cycle"),
        (lambda: template_of(((0, 0),), 1), "cycle"),
        (lambda: asked("nosuch"), "unknown operation 'nosuch'"),
        (lambda: asked("0"), "between 1 and 20"),
        (lambda: asked(","), "no operation"),
        (lambda: asked("update"), "begin with create"),
        (lambda: asked("create,create"), "created twice"),
        (lambda: asked("create,delete:replace"), "only an update"),
        (lambda: asked("create,update:nosuch"), "unknown change 'nosuch'"),
        (lambda: budget_of(["nosuch"]), "unknown fault"),
        (lambda: budget_of(["crash=x"]), "'crash=x'"),
        (lambda: budget_of(["crash=-1"]), "'crash=-1'"),
        (lambda: refuse_faults(HEAT, {"slow": 1}, Scope()), "every delay"),
        (lambda: refuse_faults(HEAT, {"restart": 1}, Scope()), "add crash"),
        (lambda: refuse_faults(HEAT, {"overtake": 1}, Scope()), "may always overtake"),
        (lambda: list(one_shape(HEAT, 1, "none", Limits(1, link="nosuch"))), "unknown way"),
        (lambda: list(one_shape(ADDING, 1, "none", Limits(asked("create,rollback")))), "no operation 'rollback'"),
        (lambda: list(one_shape(ADDING, 1, "none", Limits(2, ("rollback",)))), "no operation 'rollback'"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(wrong: object, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        wrong()  # type: ignore[operator]


def test_what_a_user_writes() -> None:
    assert asked("3") == 3
    assert asked("create, update:in-place,mark-unhealthy") == (
        Asked("create"), Asked("update", "in-place"), Asked("mark unhealthy"),
    )  # fmt: skip
    assert budget_of(["crash", "lose=2,abort=0"], 3) == {"crash": 3, "lose": 2}
    assert budget_of(["none"]) == {}


def test_a_time_limit_comes_with_the_fault_that_needs_one() -> None:
    for timed, kind in product((False, True), ("update", "delete", "check")):
        faults = {"timeout": 1} if timed else {}
        for member in one_shape(HEAT, 1, "none", Limits((Asked("create"), Asked(kind)), faults=faults)):
            assert {o.timeout for o in member.scenario.operations} == {timed}


def test_what_a_user_may_mark_or_signal_is_whatever_the_stack_had() -> None:
    """A resource that an update takes away may still be there."""
    for kind in ("signal", "mark unhealthy"):
        limits = Limits((Asked("create"), Asked("update", "remove"), Asked(kind)))
        asked_for = [member.scenario.operations for member in one_shape(HEAT, 2, "chain", limits)]
        names = [(goal.names if goal else (), about.resource) for _, (_, goal, *_), about in asked_for]
        assert len([name for left, name in names if name not in left]) == 2
        assert list(one_shape(HEAT, 1, "none", limits))
