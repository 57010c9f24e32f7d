"""The exhaustive search and the random exploration held against each other: whatever random runs find, the search has found."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatproof.model import catalogue
from heatproof.model.design import Design
from heatproof.model.faults import FAULTS, HOLDS
from heatproof.model.scenario import Operation, Scenario, create, scenario, update
from heatproof.model.templates import resource
from heatproof.properties.base import Property
from heatproof.strategies.asked import properties_for
from heatproof.strategies.proving.graph import Graph
from heatproof.strategies.proving.proofs import Proof, prove
from heatproof.strategies.proving.search import Search
from heatproof.strategies.running import Plan, run
from heatproof.strategies.scenarios import plans, scenarios
from tests.model.toys import asking
from tests.proving.peers import FILE, instance
from tests.toys import ADDING, HEAT, SPINNING, fewer, sum_is_two

ONE, TWO = [resource("A", {"p": 0}, {"r": 0})], [resource("A", {"p": 0}), resource("B", depends_on=["A"])]
ALONE = {"engines": 1, "threads": 1}

HEATS: dict[str, Scenario] = {
    "heat, two": scenario(create(TWO), engines=2, threads=2),
    "heat, two and a crash": scenario(create(TWO), engines=2, threads=1, faults={"crash": 1}),
    "heat, a lost message": scenario(create(TWO), engines=2, threads=1, faults={"lose": 1}),
    "heat, rollback": scenario(create(ONE), Operation("rollback"), engines=2, threads=1),
    "heat, cancel": scenario(create(ONE), Operation("cancel"), engines=2, threads=1),
    "heat, delete": scenario(create(ONE), Operation("delete"), **ALONE),
    "heat, the same again": scenario(create(ONE), update(ONE), **ALONE),
    "heat, failure": scenario(create(ONE, rollback=True), **ALONE, faults={"fail": 1}),
    "heat+deadlock-not-retried": scenario(create(ONE), **ALONE, faults={"abort": 1}),
    "heat+no-retrigger-at-all": scenario(create(ONE), update(ONE), **ALONE),
    "heat+isolated-node-lost": scenario(create(ONE), **ALONE),
    "heat+sync-blind": scenario(create([*ONE, resource("B"), resource("C", depends_on=["A", "B"])]), engines=2, threads=1),
}
CLEAN = ["heat, two", "heat, two and a crash", "heat, rollback"]
TRAVERSALS = [
    (variant, name) for variant in ("Traversal", "Unconditional", "Grabbing", "Careless", "StackFirst") for name in ("I1", "I3")
]
NAMES = sorted([*HEATS, *(f"{variant}, {name}" for variant, name in TRAVERSALS), "toy, adding", "toy, spinning"])


def case(name: str) -> tuple[Design, Scenario, list[Property]]:
    """A design, a scenario that can be searched to its end in a second or two, and what is asked."""
    if name in HEATS:
        spec = name if "+" in name else "heat"
        return catalogue.load(spec), HEATS[name], properties_for(spec)
    if name.startswith("toy"):
        return (
            (ADDING if "adding" in name else SPINNING),
            asking(),
            [sum_is_two] if "adding" in name else properties_for("heat", ["rest is reached"]),
        )
    variant, _, number = name.partition(", ")
    return *instance(number, variant), properties_for(f"{FILE}:{variant}")


@cache
def proved(name: str) -> Proof:
    """Searched once."""
    proof = prove(*case(name))
    assert proof.complete
    assert not proof.unjudged
    return proof


@fewer(10, nightly=3)
@given(plan=plans(steps=500))
@pytest.mark.parametrize("name", NAMES)
def test_random_runs_find_nothing_that_the_search_has_not_found(name: str, plan: Plan) -> None:
    done, proof = run(*case(name), plan), proved(name)
    assert done.end != "cut"
    assert set(done.violations) <= set(proof.violations)
    assert done.reached <= set(proof.reached)
    for key, violation in done.violations.items():
        found = proof.violations[key]
        assert found.around or len(found.actions) <= violation.step, "the search comes by the shortest way"


def test_scopes_are_clean_and_are_not() -> None:
    assert [name for name in CLEAN if proved(name).violations] == []
    assert len([name for name in NAMES if proved(name).violations]) > len(NAMES) // 2


@pytest.mark.parametrize("name", ["Grabbing, I3", "heat, delete", "heat, the same again", "toy, adding", "toy, spinning"])
def test_random_runs_do_find_some(name: str) -> None:
    found = {key for seed in range(40) for key in run(*case(name), Plan("random", seed, 0.1, 0.1)).violations}
    assert found


TINY = scenarios(
    HEAT,
    max_resources=2,
    max_operations=1,
    max_engines=2,
    max_threads=2,
    faults=[f for f in FAULTS if f not in HOLDS],
    max_faults=1,
)


@fewer(20, nightly=10)
@given(given_=TINY, drawn=st.lists(plans(), min_size=3, max_size=3))
def test_whatever_scenario_is_drawn(given_: Scenario, drawn: list[Plan]) -> None:
    properties = properties_for("heat")
    proof = prove(HEAT, given_, properties, go_on=lambda live: "too many" if live.states > 5_000 else "")
    for plan in drawn if proof.complete and not proof.unjudged else ():
        done = run(HEAT, given_, properties, plan)
        assert set(done.violations) <= set(proof.violations)
        assert done.reached <= set(proof.reached)


def struck_and_possible(kind: str) -> tuple[set[str], set[str]]:
    """The faults of a kind that strike in random runs of a scenario, and those that the search sees there, as actions."""
    more = {"restart": {"crash": 1}, "false-dead": {"crash": 1}}.get(kind, {})
    operations = [create(ONE, rollback=True, timeout=True), *([update(ONE)] if kind == "false-dead" else [])]
    given_ = scenario(*operations, engines=2, threads=1, faults={kind: 1, **more})
    struck = {
        str(action)
        for seed in range(60)
        for action in run(HEAT, given_, [], Plan("random", seed, 0.2, 0.3)).actions
        if action.kind == kind
    }
    graph = Graph()
    search = Search(HEAT, given_, [], watchers=[graph])
    assert search.run().complete
    graph.close()
    return struck, {str(search.tables.actions.names[number]) for number in set(graph.action.tolist())}


@pytest.mark.parametrize("kind", sorted(FAULTS.keys() - HOLDS.keys()))
def test_every_fault_that_strikes_in_random_runs_strikes_in_a_search(kind: str) -> None:
    struck, possible = struck_and_possible(kind)
    assert struck <= possible
    assert struck or kind in ("G-single", "G2-item", "PMP", "overtake", "false-dead"), "nothing of that kind in this scenario"
