"""What is drawn is valid, reaches everything there is, and shrinks to what is simple."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from heatproof.model.designs.heat import Heat
from heatproof.model.errors import ScenarioError
from heatproof.model.faults import FAULTS
from heatproof.model.scenario import KINDS, Operation, Scenario, Scope
from heatproof.model.templates import EMPTY, Attr, Ref, Template, resource
from heatproof.model.world import World
from heatproof.strategies.editing import EDITS, edit
from heatproof.strategies.policies import PORTFOLIO
from heatproof.strategies.running import Plan
from heatproof.strategies.scenarios import edits, operations, plans, scenarios, scopes, swarms, templates
from tests.strategies.counter import Counter

FIXED = settings(
    max_examples=3000, database=None, deadline=None, phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck)
)
CHAIN = Template([resource("A", {"p": 0}), resource("B", {"p": Ref("A")}), resource("C", depends_on=["B"]), resource("D")])
FAILING = Template([resource("A"), resource("B", fails=["update"], depends_on=["A"])])


def minimal(strategy: SearchStrategy[Any], condition: Callable[[Any], bool] = lambda _: True) -> Any:
    """What Hypothesis shrinks to."""
    return hypothesis.find(strategy, condition, settings=FIXED, random=Random(0))


def sample(strategy: SearchStrategy[Any], count: int = 500) -> list[Any]:
    """The same examples in every run."""
    found: list[Any] = []

    @seed(0)
    @settings(FIXED, max_examples=count, phases=[Phase.generate])
    @given(strategy)
    def keep(value: Any) -> None:
        found.append(value)

    keep()
    return found


def attributes_exist(template: Template) -> bool:
    """Whether every attribute that is read is a property of its resource."""
    return all(
        value.attribute in dict(template[value.resource].properties)
        for definition in template.resources
        for _, value in definition.properties
        if isinstance(value, Attr)
    )


# ----------------------------------------------------------------------------------------------------------- valid


@given(templates())
def test_templates_have_consecutive_names_and_read_what_there_is(template: Template) -> None:
    assert template.names == tuple("ABCDE"[: len(template)])
    assert len(template) >= 1
    assert attributes_exist(template)


@given(templates(26, 20, fails=False))
def test_templates_have_the_size_and_the_failures_that_are_asked_for(template: Template) -> None:
    assert 20 <= len(template) <= 26
    assert not any(definition.fails for definition in template.resources)


@given(edits(CHAIN))
def test_edits_make_another_template_that_reads_what_there_is(edited: Template) -> None:
    assert attributes_exist(edited)


def test_edits_leave_most_resources_as_they_are() -> None:
    kept = [sum(edited.get(d.name) == d for d in CHAIN.resources) for edited in sample(edits(CHAIN))]
    assert sum(number >= 2 for number in kept) > 0.8 * len(kept)
    assert sum(number >= 3 for number in kept) > 0.6 * len(kept)


@given(scenarios(Heat(), max_resources=4, max_operations=4, max_engines=3, max_faults=3))
def test_scenarios_can_be_run_and_have_the_bounds_that_are_asked_for(scenario: Scenario) -> None:
    assert World(Heat(), scenario).operations()
    first, *others = scenario.operations
    assert first.kind == "create"
    assert len(others) <= 3
    known: set[str] = set()
    for operation in scenario.operations:
        if operation.template is not None:
            known.update(operation.template.names)
        assert operation.resource is None or operation.resource in known
    assert scenario.scope.engines <= 3
    assert all(1 <= count <= 3 for count in scenario.faults.values())
    assert scenario.faults.get("crash") == scenario.faults.get("restart")
    assert "timeout" not in scenario.faults or any(operation.timeout for operation in scenario.operations)
    assert "overtake" not in scenario.faults or not scenario.scope.reorder


@given(scenarios(Counter(), kinds=["update"], faults=["stall", "restart"], fails=False))
def test_scenarios_keep_to_the_design_and_to_the_kinds_that_are_asked_for(scenario: Scenario) -> None:
    assert {operation.kind for operation in scenario.operations} <= {"create", "update"}
    assert set(scenario.faults) <= {"stall", "restart"}


def test_time_limits_run_out_as_often_as_other_faults_strike_where_a_design_claims_to_survive_that() -> None:
    class Timed(Counter):
        survives = frozenset({"timeout"})

    plain, timed = sample(scenarios(Counter()), 1500), sample(scenarios(Timed()), 1500)
    counts = [
        sum(kind in scenario.faults for scenario in found)
        for found, kind in ((plain, "timeout"), (timed, "timeout"), (timed, "lose"))
    ]
    assert counts[1] > 2 * counts[0]
    assert counts[1] > counts[2] / 3, "Hypothesis tries the first kinds most"
    assert all(any(operation.timeout for operation in scenario.operations) for scenario in timed if "timeout" in scenario.faults)
    others = [(a, b) for a, b in zip(plain, timed, strict=True) if "timeout" not in b.faults]
    assert all(a == b for a, b in others)


def test_no_fault_is_drawn_where_each_may_strike_no_times() -> None:
    assert not any(sample(swarms(max_count=0), 20))
    assert not any(scenario.faults for scenario in sample(scenarios(Counter(), max_faults=0), 20))


def test_overtaking_is_a_fault_wherever_a_design_promises_order() -> None:
    class Queue(Counter):
        order = "fifo"

    found = sample(scenarios(Queue(), faults=["overtake"]))
    assert any(scenario.faults and scenario.scope.reorder for scenario in found)


# ------------------------------------------------------------------------------------------------------- reachable


def test_every_kind_of_operation_fault_and_scope_is_drawn() -> None:
    found = sample(scenarios(Heat()), 1500)
    assert {operation.kind for scenario in found for operation in scenario.operations} == set(KINDS)
    assert {kind for scenario in found for kind in scenario.faults} == set(FAULTS)
    assert {scenario.scope for scenario in found} == {Scope(e, t) for e in (1, 2) for t in (1, 2)} | {Scope(2, 2, reorder=False)}
    assert {operation.rollback for scenario in found for operation in scenario.operations} == {True, False}
    assert 0.25 < sum(not scenario.faults for scenario in found) / len(found) < 0.6


def test_every_part_of_a_template_is_drawn() -> None:
    definitions = [definition for template in sample(templates()) for definition in template.resources]
    values = [value for definition in definitions for _, value in definition.properties]
    assert {type(value) for value in values} == {int, Ref, Attr}
    assert {name for definition in definitions for name, _ in definition.in_place} == {"p", "q"}
    assert {name for definition in definitions for name, _ in definition.replace} == {"r", "s"}
    assert {definition.kind for definition in definitions} == {"thing", "other"}
    assert {kind for definition in definitions for kind in definition.fails} == {"create", "update", "delete", "check"}
    assert any(definition.depends_on for definition in definitions)
    assert max(len(definition.requires()) for definition in definitions) == 2


@pytest.mark.parametrize("kind", EDITS)
def test_every_kind_of_edit_is_drawn(kind: str) -> None:
    start = FAILING if kind == "heal" else CHAIN
    possible = {edit(start, kind, at, how) for at in range(12) for how in range(60)} - {None}
    assert possible
    assert minimal(edits(start), lambda edited: edited in possible)


def test_updates_go_on_and_straight_back() -> None:
    found = [scenario.operations for scenario in sample(scenarios(Heat(), kinds=["update"])) if len(scenario.operations) == 3]
    goals = [[operation.template for operation in asked] for asked in found]
    assert any(first == third != second for first, second, third in goals)
    assert any(len({first, second, third}) == 3 for first, second, third in goals)
    assert any(first == second for first, second, _ in goals)


@pytest.mark.parametrize(
    ("kind", "at", "how", "after"),
    [
        ("change in place", 0, 0, [resource("A", {"p": 1}), *CHAIN.resources[1:]]),
        ("change in place", 0, 1, [resource("A", {"p": 2}), *CHAIN.resources[1:]]),
        ("change in place", 1, 0, [CHAIN["A"], resource("B", {"p": Ref("A"), "q": 0}), *CHAIN.resources[2:]]),
        ("change replace", 0, 0, [resource("A", {"p": 0}, {"r": 0}), *CHAIN.resources[1:]]),
        ("remove", 0, 0, [resource("B", {"p": 0}), *CHAIN.resources[2:]]),
        ("add", 0, 0, [*CHAIN.resources, resource("E")]),
        ("add", 106, 1, [*CHAIN.resources, resource("E", {"p": 0}, depends_on=["C"])]),
        ("unlink", 1, 0, [*CHAIN.resources[:2], resource("C"), CHAIN["D"]]),
        ("link", 3, 0, [*CHAIN.resources[:3], resource("D", depends_on=["A"])]),
        ("link", 3, 1, [*CHAIN.resources[:3], resource("D", {"p": Ref("A")})]),
        ("link", 3, 3, [*CHAIN.resources[:3], resource("D", {"p": Attr("A", "p")})]),
        ("redirect", 0, 3, [CHAIN["A"], resource("B", {"p": Ref("D")}), *CHAIN.resources[2:]]),
        ("reverse", 0, 0, [resource("A", {"p": 0}, depends_on=["B"]), resource("B", {"p": 0}), *CHAIN.resources[2:]]),
        ("kind", 3, 0, [*CHAIN.resources[:3], resource("D", kind="other")]),
        ("fail", 3, 1, [*CHAIN.resources[:3], resource("D", fails=["update"])]),
        ("heal", 0, 0, None),
        ("redirect", 0, 0, None),
        ("redirect", 0, 2, None),
    ],
)
def test_an_edit_does_what_it_is_called(kind: str, at: int, how: int, after: list[Any] | None) -> None:
    assert edit(CHAIN, kind, at, how) == (None if after is None else Template(after))


def test_a_failing_operation_is_healed() -> None:
    assert edit(FAILING, "heal") == Template([resource("A"), resource("B", depends_on=["A"])])


def test_only_adding_is_possible_to_an_empty_template() -> None:
    assert {kind: edit(EMPTY, kind) for kind in EDITS} == {**dict.fromkeys(EDITS), "add": Template([resource("A")])}


# --------------------------------------------------------------------------------------------------------- minimal


@pytest.mark.parametrize(
    ("strategy", "condition", "simplest"),
    [
        (templates(), bool, Template([resource("A")])),
        (templates(min_resources=0), lambda _: True, EMPTY),
        (templates(), lambda t: len(t) == 3, Template([resource("A"), resource("B"), resource("C")])),
        (templates(), lambda t: t.graph.edges, Template([resource("A"), resource("B", depends_on=["A"])])),
        (
            templates(),
            lambda t: any(isinstance(v, Ref) for d in t.resources for _, v in d.in_place),
            Template([resource("A"), resource("B", {"p": Ref("A")})]),
        ),
        (
            templates(),
            lambda t: any(isinstance(v, Attr) for d in t.resources for _, v in d.replace),
            Template([resource("A", {"p": 0}), resource("B", replace={"r": Attr("A", "p")})]),
        ),
        (templates(), lambda t: any(d.fails for d in t.resources), Template([resource("A", fails=["create"])])),
        (edits(CHAIN), lambda _: True, edit(CHAIN, "change in place")),
        (scopes(3, 3), lambda _: True, Scope(1, 1)),
        (scopes(3, 3), lambda scope: scope.engines > 1, Scope(2, 1)),
        (swarms(), lambda _: True, {}),
        (swarms(), lambda budget: "stall" in budget, {"stall": 1}),
        (swarms(), lambda budget: "crash" in budget, {"crash": 1, "restart": 1}),
        (swarms(), lambda budget: len(budget) == 2 and "restart" not in budget, {"lose": 1, "duplicate": 1}),
        (operations(), lambda _: True, (Operation("create", Template([resource("A")])),)),
        (
            operations(),
            lambda asked: asked[-1].kind == "delete",
            (Operation("create", Template([resource("A")])), Operation("delete")),
        ),
        (
            operations(),
            lambda asked: len(asked) == 2,
            (Operation("create", Template([resource("A")])), Operation("update", Template([resource("A", {"p": 0})]))),
        ),
        (plans(), lambda _: True, Plan("fifo", 0, 0.0, 0.05)),
        (plans(["pos", "pct"]), lambda _: True, Plan("pos", 0, 0.0, 0.05)),
        (scenarios(Heat()), lambda _: True, Scenario((Operation("create", Template([resource("A")])),), Scope(1, 1))),
        (
            scenarios(Heat()),
            lambda s: s.faults.get("timeout"),
            Scenario((Operation("create", Template([resource("A")]), timeout=True),), Scope(1, 1), {"timeout": 1}),
        ),
    ],
)
def test_the_simplest_example(strategy: SearchStrategy[Any], condition: Callable[[Any], bool], simplest: Any) -> None:
    assert minimal(strategy, lambda value: bool(condition(value))) == simplest


# ----------------------------------------------------------------------------------------------------------- plans


def test_plans_take_their_policies_from_the_portfolio() -> None:
    found = sample(plans(steps=77))
    assert {plan.policy for plan in found} == set(PORTFOLIO)
    assert {plan.eagerness for plan in found} == {0.0, 0.005, 0.02, 0.1, 0.5}
    assert {plan.steps for plan in found} == {77}
    assert all(isinstance(plan.seed, int) for plan in found)


# ---------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda: templates(0), "max_resources is 0; it must be between 1 and 26"),
        (lambda: templates(27), "max_resources is 27"),
        (lambda: templates(2, 3), "max_resources is 2; it must be between 3 and 26"),
        (lambda: templates(2, -1), "min_resources is -1"),
        (lambda: operations(0), "max_operations is 0"),
        (lambda: operations(kinds=["suspend"]), "unknown operation 'suspend'; known are create, update"),
        (lambda: scopes(0), "max_engines is 0"),
        (lambda: scopes(1, 0), "max_threads is 0"),
        (lambda: swarms(["flood"]), "unknown fault 'flood'; known are lose, duplicate"),
        (lambda: swarms(max_count=-1), "max_count is -1"),
        (lambda: plans(["best"]), "unknown policy 'best'; known are fifo"),
        (lambda: plans([]), "no policy is given"),
        (lambda: scenarios(Counter(), kinds=["delete"]), "design 'counter' has no operation 'delete'; it has create, update"),
    ],
)
def test_what_cannot_be_drawn_is_refused_at_once(wrong: Callable[[], object], text: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        wrong()
    assert str(caught.value).startswith(text)


def test_the_same_seed_draws_the_same() -> None:
    assert sample(scenarios(Heat()), 50) == sample(scenarios(Heat()), 50)
