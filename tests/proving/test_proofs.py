"""What an exhaustive search says of each property, and that an ordinary world says the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from heatproof.model.scenario import Scenario, scenario
from heatproof.properties.base import seen
from heatproof.properties.catalogue import ALL, REST_IS_REACHED
from heatproof.reports.proofs import failure_of, lines, summary
from heatproof.strategies.asked import properties_for
from heatproof.strategies.proving.proofs import Found, Live, Proof, Proofs, excuses, prove
from tests.model.toys import asking
from tests.toys import ADDING, HEAT, small, sum_is_two

READS, NEVER = seen("reads", "It reads.", ("A-1", "")), seen("never", "It never does.", ("Z-9", ""))


def added(*proofs: Proof, expected: int = 0) -> Proofs:
    found = Proofs(expected or len(proofs))
    for proof in proofs:
        found.add(proof)
    return found


def lost_update() -> Proof:
    return prove(ADDING, asking(engines=2, threads=1), [sum_is_two, REST_IS_REACHED, NEVER])


def test_a_violation_is_shown_by_an_ordinary_world_in_as_many_steps() -> None:
    proof = lost_update()
    assert set(proof.violations) == {("sum", "sum is 1")}
    found = proof.violations["sum", "sum is 1"]
    failure = failure_of(ADDING, [sum_is_two], found, ("sum", "sum is 1"))
    assert failure.violation.step == len(found.actions) <= proof.depth + 1
    assert failure.violation.witness.kind == "sum is 1"


def test_a_search_that_is_mistaken_is_not_believed() -> None:
    found = lost_update().violations["sum", "sum is 1"]
    wrong = found._replace(actions=found.actions[:-1])
    with pytest.raises(ValueError, match="does not show it"):
        failure_of(ADDING, [sum_is_two], wrong, ("sum", "sum is 1"))


def test_verdicts() -> None:
    proofs = added(lost_update())
    verdicts = {line.name: (line.verdict, line.basis) for line in lines([sum_is_two, NEVER], proofs, (), frozenset())}
    steps = len(proofs.violations["sum", "sum is 1"].actions)
    assert verdicts == {"sum": ("violated", f"{steps} steps"), "never": ("not reached", f"{proofs.states:,} states")}


def test_what_is_cut_is_incomplete_and_says_how_much_was_seen() -> None:
    asked: list[Live] = []

    def go_on(live: Live) -> str:
        asked.append(live)
        return "enough" if live.states > 20 else ""

    proof = prove(HEAT, small(), properties_for("heat"), go_on=go_on, label="one")
    proofs = added(proof)
    assert not proof.complete
    assert proof.cut == "enough"
    assert asked[-1].states == proof.states
    assert proof.waiting > 0
    table = lines(properties_for("heat"), proofs, (), frozenset())
    assert {line.verdict for line in table} <= {"incomplete", "reached", "not asked"}
    told = summary(proofs, "enough")
    assert any(f"Cut: one: enough after {proof.states:,} states" in line for line in told)


def test_what_was_not_begun_is_not_held() -> None:
    whole = prove(ADDING, asking(engines=1, threads=1), [ALL["rest: no operation hangs"]])
    proofs = added(whole, expected=3)
    assert not proofs.whole
    assert {line.verdict for line in lines([sum_is_two, NEVER], proofs, (), frozenset())} == {"incomplete"}
    assert summary(proofs, "the time budget was used")[-1] == "Not begun: 2 scenarios; the time budget was used."


def test_the_shortest_of_several_scenarios_stays_whatever_the_order() -> None:
    proofs = [
        prove(ADDING, asking(engines=engines, threads=2), [sum_is_two], number=number)
        for number, engines in ((0, 1), (1, 2), (2, 1))
    ]
    forth, back = added(*proofs), added(*reversed(proofs))
    assert forth.violations == back.violations
    assert forth.violated == back.violated
    assert forth.violations["sum", "sum is 1"].number == 0


def test_a_longer_way_does_not_replace_a_shorter_one() -> None:
    proof = lost_update()
    (key, found), *_ = proof.violations.items()
    longer = replace(proof, violations={key: Found(found.scenario, found.actions * 2, found.witness, -1)})
    assert added(longer, proof).violations[key] == found


def test_faults_that_excuse_are_named() -> None:
    prop = ALL["rest: no operation hangs"]
    assert excuses(prop, ("crash", "vanish"), frozenset()) == ["crash"]
    assert excuses(prop, ("crash",), frozenset({"crash"})) == []
    (line,) = lines([prop], Proofs(0), {"crash"}, frozenset())
    assert line.detail.endswith("(Not asked of what comes after: crash.)")


def test_circles_are_not_judged_and_that_is_said() -> None:
    (line,) = lines([REST_IS_REACHED], added(lost_update()), (), frozenset())
    assert line.verdict == "not asked"


@pytest.mark.parametrize("switches", [(), (("symmetric", False),), (("merge", False),)])
def test_switches_change_how_not_what(switches: tuple[tuple[str, bool], ...]) -> None:
    given: Scenario = scenario(*small().operations, engines=2, threads=1, faults={"crash": 1})
    proof = prove(HEAT, given, properties_for("heat"), switches)
    assert proof.complete
    assert not proof.violations
    assert set(proof.reached) == {"physical operation without a task"}
