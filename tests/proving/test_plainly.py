"""The search held against an interpreter that shares nothing with the model, on designs that are drawn."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st

from heatproof.model.scenario import Scenario
from heatproof.properties.catalogue import REST_IS_REACHED
from heatproof.strategies.proving.proofs import prove
from tests.proving.machines import PROPERTIES, Machines, designs, kinds, remembering, scopes, watched
from tests.proving.plainly import Plainly, everything, goes_round
from tests.toys import fewer

MOST = 1_500
"""States that are gone through plainly; a scenario with more of them is not looked at."""


@pytest.mark.parametrize("switch", ["", "symmetric", "merge", "columns", "placing", "versions", "reduce"])
@fewer(15, suppress_health_check=list(HealthCheck))
@given(design=designs(), asked=scopes(), memory=st.booleans())
def test_the_search_finds_what_there_is_and_as_soon(switch: str, design: Machines, asked: Scenario, memory: bool) -> None:
    plainly = Plainly(design, asked, (lambda state: watched(state.rows["cell"])) if memory else lambda state: "")
    found = everything(plainly, MOST)
    assume(found is not None)
    there_is = kinds(found.states, found.depths, [plainly.rests(state) for state in found.states])
    properties = [remembering, *PROPERTIES] if memory else PROPERTIES
    proof = prove(design, asked, properties, ((switch, switch == "reduce"),) if switch else ())
    assert proof.complete
    assert {key: len(seen.actions) for key, seen in proof.violations.items()} == there_is
    assert proof.states <= len(found.states)


@fewer(6, suppress_health_check=list(HealthCheck))
@given(design=designs(), asked=scopes())
def test_a_run_goes_on_for_ever_where_there_is_one(design: Machines, asked: Scenario) -> None:
    found = everything(Plainly(design, asked), MOST)
    assume(found is not None)
    proof = prove(design, asked, [REST_IS_REACHED])
    assert proof.complete
    assert not proof.unjudged
    assert bool(proof.violations) is goes_round(found)
