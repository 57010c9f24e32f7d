"""Templates: what cannot be one, and what is asked of one that is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatproof.model.errors import ScenarioError, TemplateError
from heatproof.model.scenario import Operation, Scenario, Scope, create, scenario, update
from heatproof.model.templates import EMPTY, Attr, Ref, ResourceDef, Template, resource


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Template(
                [resource("A", depends_on=["B"]), resource("B", {"p": Ref("C")}), resource("C", {"p": Attr("A", "x")})]
            ),
            "the template has a cycle: A -> B -> C -> A; a resource cannot require itself",
        ),
        (lambda: Template([resource("A", {"p": Ref("A")})]), "the template has a cycle: A -> A; a resource cannot require itself"),
        (
            lambda: Template([resource("B"), resource("A", depends_on=["C"])]),
            "resource 'A' refers to 'C', which the template does not define (it defines A, B)",
        ),
        (
            lambda: Template([resource("A", replace={"p": Attr("C", "x")})]),
            "resource 'A' refers to 'C', which the template does not define (it defines A)",
        ),
        (
            lambda: Template([resource("A", {"p": 1}), resource("B"), resource("A", {"p": "x"})]),
            "resource 'A' is defined twice; names must be unique in a template",
        ),
        (
            lambda: resource("A", {"p": 1, "q": 1}, {"q": 2}),
            "resource 'A': property 'q' stands both under in_place and under replace; keep one",
        ),
        (
            lambda: resource("A", fails=["create", "explode"]),
            "resource 'A': fails names 'explode', which is no physical operation; take from create, update, delete, check",
        ),
        (
            lambda: resource("A", depends_on="BC"),
            "resource 'A': depends_on is the text 'BC'; give a list: depends_on=['BC']",
        ),
        (
            lambda: resource("A", fails="create"),
            "resource 'A': fails is the text 'create'; give a list: fails=['create']",
        ),
        (
            lambda: resource("A", replace={"p": ["x"]}),  # type: ignore[dict-item]
            "resource 'A': property 'p' is ['x']; take a text, a number, True, False, None, Ref or Attr",
        ),
        (lambda: resource(""), "a resource needs a name, which is a text, not ''"),
        (lambda: resource(None), "a resource needs a name, which is a text, not None"),  # type: ignore[arg-type]
        (lambda: create([1]), "1 is no resource of a template; make one with resource(...)"),
        (lambda: create("AB"), "a template is made of a list of resources, not of 'AB'"),
        (lambda: update({"A": 1}), "a template is made of a list of resources, not of {'A': 1}"),
        (lambda: create(None), "a template is made of a list of resources, not of None"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_a_template(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        make()
    assert str(caught.value) == message


TREE = Template(
    [
        resource("D", {"p": Ref("B")}, {"q": Attr("A", "x")}, depends_on=["C"]),
        resource("B", depends_on=["A"], kind="other", fails=["update"]),
        resource("C", {"p": Attr("A", "x"), "o": Attr("A", "b")}),
        resource("A", {"x": 1}),
    ]
)


def test_what_a_template_knows() -> None:
    assert TREE.names == ("A", "B", "C", "D")
    assert TREE.order == ("A", "B", "C", "D")
    assert TREE["D"].requires() == ("A", "B", "C")
    assert TREE["D"].properties == (("p", Ref("B")), ("q", Attr("A", "x")))
    assert TREE.dependents("A") == ("B", "C", "D")
    assert TREE.dependents("nobody") == ()
    assert TREE.attributes_read == {"A": ("b", "x")}
    assert sorted(TREE.graph.edges) == [("B", "A"), ("C", "A"), ("D", "A"), ("D", "B"), ("D", "C")]
    assert ("A" in TREE, "Z" in TREE, len(TREE), len(EMPTY)) == (True, False, 4, 0)
    assert TREE.get("Z") is None
    with pytest.raises(KeyError):
        TREE["Z"]


def test_the_order_has_requirements_first() -> None:
    assert Template([resource("A", depends_on=["C"]), resource("B"), resource("C")]).order == ("B", "C", "A")


def test_references_are_resolved() -> None:
    values: dict[Any, Any] = {Ref("B"): "B.1", Attr("A", "x"): 7}
    assert TREE["D"].resolve(values.__getitem__) == (("p", "B.1"), ("q", 7))


def test_a_template_is_a_value() -> None:
    again = Template(reversed(TREE.resources))
    assert again == TREE
    assert hash(again) == hash(TREE)
    assert Template([resource("A", {"x": 2})]) != Template([resource("A", {"x": 1})])
    assert eval(repr(TREE)) == TREE


@st.composite
def definitions(draw: st.DrawFn) -> list[ResourceDef]:
    names = draw(st.permutations("ABCDE"))
    made: list[ResourceDef] = []
    for n, name in enumerate(names[: draw(st.integers(0, 5))]):
        earlier = st.sampled_from(names[:n]) if n else st.nothing()
        links = draw(st.lists(earlier, max_size=3)) if n else []
        values: list[Any] = [Ref(links[0]), Attr(links[-1], "p")] if links else [0, "x"]
        made.append(resource(name, {"p": draw(st.sampled_from(values))}, depends_on=links))
    return made


@given(definitions())
def test_any_template_is_spelled_as_it_is_written_and_ordered(made: list[ResourceDef]) -> None:
    template = Template(made)
    assert eval(repr(template)) == template
    position = {name: n for n, name in enumerate(template.order)}
    assert sorted(position) == sorted(template.names)
    for definition in template.resources:
        for other in definition.requires():
            assert position[other] < position[definition.name]
            assert definition.name in template.dependents(other)


# --------------------------------------------------------------------------------------------------------- scenarios


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: scenario(Operation("explode")), "operation 1: unknown kind 'explode'; known are create, update, "),
        (lambda: scenario(Operation("create")), "operation 1 (create) needs a template"),
        (lambda: scenario(create(EMPTY), Operation("signal")), "operation 2 (signal) needs the name of a resource"),
        (lambda: scenario(create(EMPTY), create(EMPTY)), "operation 2 (create): stack 'S' is created twice; use update"),
        (lambda: scenario(update(EMPTY)), "operation 1 (update) comes before the create of stack 'S'"),
        (lambda: scenario("x"), "operation 1 is 'x', which is none; make it with create(...), update(...) or Operation(...)"),  # type: ignore[arg-type]
        (lambda: scenario(create(EMPTY), engines="2"), "a scope needs at least one engine and one thread, not '2' and 2"),  # type: ignore[arg-type]
        (lambda: scenario(create(EMPTY), threads=2.5), "a scope needs at least one engine and one thread, not 2 and 2.5"),  # type: ignore[arg-type]
        (
            lambda: scenario(create(EMPTY), faults=5),
            "the faults of a scenario are a number for each kind, such as {'crash': 1}, not 5",
        ),  # type: ignore[arg-type]
        (lambda: scenario(create(EMPTY), faults={"lose": "1"}), "the faults of a scenario are a number for each kind"),  # type: ignore[dict-item]
        (lambda: scenario(create(EMPTY), engines=0), "a scope needs at least one engine and one thread, not 0 and 2"),
    ],
)
def test_what_cannot_be_a_scenario(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        make()
    assert str(caught.value).startswith(message)


def test_a_scenario_is_a_value() -> None:
    one = scenario(create(TREE), Operation("delete"), engines=3, faults={"lose": 1, "stall": 0})
    assert one == Scenario((create(TREE), Operation("delete")), Scope(3), {"lose": 1})
    assert hash(one) == hash(Scenario((create(TREE), Operation("delete")), Scope(3), {"lose": 1}))
    assert one.size == 4
    assert str(update(TREE, rollback=True, timeout=True)) == "update {A, B, C, D} rollback on failure with a time limit"
