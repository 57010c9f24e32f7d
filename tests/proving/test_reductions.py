"""With reductions and without: the same verdicts, violations, situations and states at rest, for every template shape up to three
resources and for mutations of Heat."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import pytest

from heatproof.model import catalogue
from heatproof.model.design import Design
from heatproof.model.scenario import Scenario, Scope
from heatproof.properties.catalogue import ALL, REST_IS_REACHED
from heatproof.strategies.proving.proofs import Proof, prove
from heatproof.strategies.proving.scopes import Limits, Member, all_templates, asked, budget_of, one_shape
from tests.toys import HEAT, NIGHTLY

SWITCHES = ("symmetric", "merge")
"""Each of them on and off; :class:`heatproof.strategies.proving.search.Search` takes them."""

PROPERTIES = [prop for prop in ALL.values() if prop != REST_IS_REACHED]
"""Circles are judged with reductions of their own, and tested with them."""


def members(most: int, operations: str, engines: int, threads: int, faults: str = "", design: Design = HEAT) -> list[Member]:
    """The scenarios of a scope."""
    limits = Limits(asked(operations), None, Scope(engines, threads), budget_of([faults] if faults else []))
    return list(all_templates(design, most, limits))


def held_against_each_other(design: Design, given: Scenario, without: tuple[str, ...]) -> Proof:
    """Search with every combination of switches, without columns and ``without`` each of these; what they agree on."""
    ways = [on for on in product((True, False), repeat=len(SWITCHES)) if NIGHTLY or len({*on}) == 1]
    found = [prove(design, given, PROPERTIES, tuple(zip(SWITCHES, on, strict=True))) for on in ways]
    found.insert(1, prove(design, given, PROPERTIES, (("reduce", True),)))
    found.insert(2, prove(design, given, PROPERTIES, (("columns", False),)))
    if "placing" in without:
        found.insert(3, prove(design, given, PROPERTIES, (("placing", False),)))
    # without versions there can be fewer states: who forgets numbers must remember that a row is gone, lest it come again with an old one
    assert min(proof.states for proof in found[2:]) >= found[0].states >= found[1].states
    assert max(proof.states for proof in found) == found[-1].states
    if "versions" in without:
        found.insert(2, prove(design, given, PROPERTIES, (("versions", False),)))
        assert found[2].states <= found[-1].states
    assert all(proof.complete for proof in found)
    assert len({frozenset(proof.violations) for proof in found}) == 1
    assert len({frozenset(proof.reached) for proof in found}) == 1
    assert len({tuple(sorted((key, len(f.actions)) for key, f in proof.violations.items())) for proof in found}) == 1
    return found[0]


def in_turns(name: str, names: Iterable[str]) -> tuple[str, ...]:
    """What each of some scenarios is searched without: in the nightly one thing and the other, else one or the other in turns."""
    both = ("versions", "placing")
    return both if NIGHTLY else (both[sorted(names).index(name) % 2],)


SHAPES = {
    f"{member.label}, {engines} x {threads}, {faults or 'no faults'}": member
    for turn, (engines, threads, faults) in enumerate(((2, 1, "crash"), (2, 1, "lose"), (1, 2, ""), (1, 2, "fail")))
    for number, member in enumerate(members(3, "create", engines, threads, faults))
    if NIGHTLY or (number + turn) % 2 == 0  # each shape under two of the four
}


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_every_shape_up_to_three_resources(name: str) -> None:
    held_against_each_other(HEAT, SHAPES[name].scenario, in_turns(name, SHAPES))


PAIRS = {
    f"{member.label}, {engines} x {threads}": member
    for engines, threads, operations in ((1, 1, "create,update"), (1, 1, "create,delete"), (2, 1, "create,cancel"), (2, 1, "create,rollback"))
    for member in members(1, operations, engines, threads)
}  # fmt: skip
if NIGHTLY:
    PAIRS |= {f"{m.label}, 2 x 1, two operations": m for m in members(2, "2", 2, 1)}


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_two_operations(name: str) -> None:
    held_against_each_other(HEAT, PAIRS[name].scenario, in_turns(name, PAIRS))


MUTATED: dict[str, tuple[str, int, int, str]] = {
    "sync-lost-report": ("create", 2, 2, ""),
    "sync-blind": ("create", 2, 2, ""),
    "isolated-node-lost": ("create", 2, 1, "crash"),
    "deadlock-not-retried": ("create", 2, 1, "abort"),
    "db-error-at-unlock": ("create", 2, 1, "disconnect"),
    "no-retrigger-at-all": ("create,update:same", 1, 1, ""),
    "old-sync-points-kept": ("create,update:in-place", 1, 1, ""),
    "traversal-check-then-act": ("create,update:same", 1, 1, ""),
    "graph-published-after-sync-points": ("create,update:same", 1, 1, ""),
    "replacement-reports-under-its-own-id": ("create,update:replace", 1, 1, ""),
    "delete-not-created": ("create,update:remove", 1, 1, ""),
    "exception-in-worker-hangs": ("create,cancel", 2, 1, ""),
    "own-template-as-previous": ("create,rollback", 2, 1, ""),
}
"""Operations, engines, threads and faults."""

LIKE_HEAT = {"isolated-node-lost", "delete-not-created", "exception-in-worker-hangs"}
"""What needs a larger scope to be told from Heat."""


@pytest.mark.parametrize("mutation", sorted(MUTATED))
def test_mutations(mutation: str) -> None:
    operations, engines, threads, faults = MUTATED[mutation]
    design = catalogue.load(f"heat+{mutation}")
    limits = Limits(asked(operations), None, Scope(engines, threads), budget_of([faults] if faults else []))
    count = 3 if operations == "create" else 1
    for member in one_shape(design, count, "fan-in", limits):
        mine = held_against_each_other(design, member.scenario, in_turns(mutation, MUTATED))
        other = prove(HEAT, member.scenario, PROPERTIES)
        assert ((mine.violations.keys(), mine.states) == (other.violations.keys(), other.states)) is (mutation in LIKE_HEAT)
        if NIGHTLY:
            wider = Scenario(member.scenario.operations, Scope(2, 1), member.scenario.faults)
            held_against_each_other(design, wider, in_turns(mutation, MUTATED))


def test_most_mutations_differ_from_heat_in_these_scopes() -> None:
    """Else nothing would be compared."""
    assert len(MUTATED.keys() - LIKE_HEAT) >= 10
