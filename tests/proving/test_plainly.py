"""The search held against an interpreter that shares nothing with the model, on designs that are drawn."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st

from heatproof.model.design import Design
from heatproof.model.scenario import Scenario, create, scenario
from heatproof.model.templates import EMPTY
from heatproof.properties.catalogue import REST_IS_REACHED
from heatproof.properties.costs import at_most
from heatproof.strategies.proving.proofs import Switches, prove
from heatproof.strategies.running import Driver, Plan, run
from tests.proving.everything import Everything, everything, goes_round
from tests.proving.machines import PROPERTIES, Instruction, Machines, designs, kinds, remembering, scopes, watched
from tests.proving.plainly import Plainly
from tests.toys import fewer

MOST = 600
"""States that are gone through plainly; a scenario with more of them is not looked at."""


def held_against_each_other(
    design: Machines, asked: Scenario, found: Everything | None, switches: Switches = (), memory: bool = False
) -> None:
    assert found is not None
    plainly = Plainly(design, asked)
    there_is = kinds(found.states, found.depths, [plainly.rests(state) for state in found.states])
    properties = [remembering, *PROPERTIES] if memory else PROPERTIES
    proof = prove(design, asked, properties, switches)
    assert proof.complete
    assert {key: len(seen.actions) for key, seen in proof.violations.items()} == there_is
    assert proof.states <= len(found.states)
    for key, seen in proof.violations.items():
        driver = Driver(design, asked, properties)
        for action in seen.actions:
            driver.perform(action)
        if driver.world.at_rest:
            driver.rest()
        assert key in driver.monitor.violations


@pytest.mark.parametrize("switch", ["", "symmetric", "merge", "columns", "placing", "versions", "reduce"])
@fewer(30, nightly=15, suppress_health_check=list(HealthCheck))
@given(design=designs(), asked=scopes(), memory=st.booleans())
def test_the_search_finds_what_there_is_and_as_soon(switch: str, design: Machines, asked: Scenario, memory: bool) -> None:
    found = everything(Plainly(design, asked, (lambda state: watched(state.rows["cell"])) if memory else lambda state: ""), MOST)
    assume(found is not None)
    held_against_each_other(design, asked, found, ((switch, switch == "reduce"),) if switch else (), memory)


@fewer(12, nightly=6, suppress_health_check=list(HealthCheck))
@given(design=designs(), asked=scopes())
def test_a_run_goes_on_for_ever_where_there_is_one(design: Machines, asked: Scenario) -> None:
    found = everything(Plainly(design, asked), MOST)
    assume(found is not None)
    proof = prove(design, asked, [REST_IS_REACHED])
    assert proof.complete
    assert not proof.unjudged
    assert bool(proof.violations) is goes_round(found)
    for steps in (0, 20):  # a random run sees no circle where there is none
        done = run(design, asked, [REST_IS_REACHED], Plan("fifo", 0, steps=steps), None)
        assert done.end != "circle" or proof.violations


BOUNDS = (at_most(4), at_most(3, kind="update"), at_most(6, per="run"))


@fewer(10, suppress_health_check=list(HealthCheck))
@given(design=designs(), asked=scopes())
def test_nothing_costs_more_than_the_search_says(design: Machines, asked: Scenario) -> None:
    found = everything(Plainly(design, asked, counts=True), MOST)  # where a run for ever costs something, there is no end to it
    assume(found is not None)
    costs_are_right(design, asked, found)


def costs_are_right(design: Design, asked: Scenario, found: Everything | None) -> None:
    """The search says the worst costs of all states, in which accesses were counted."""
    assert found is not None
    proof = prove(design, asked, BOUNDS)
    assert proof.complete
    assert not proof.uncounted
    costs = [state.accesses for state in found.states]
    most = {number: max(cost.get(number, 0) for cost in costs) for number in range(1, len(asked.operations) + 1)}
    there_is = {BOUNDS[0].name: max(most.values()), BOUNDS[2].name: max(sum(cost.values()) for cost in costs)}
    assert proof.worst == there_is | ({BOUNDS[1].name: most[2]} if 2 in most else {})


# ---------------------------------------------------------------------------------------------------- what it has found

IDLE: tuple[Instruction, ...] = (("guard", 0, 0),)
NAMES_ITSELF: tuple[Instruction, ...] = (("keep", 0, 1), ("put", 0, 0))

FOUND: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "of equal messages in a queue the first is delivered, whatever it is called": (
        {"programs": (IDLE, IDLE, (("put", 0, 0),)), "sent": (0, 0), "order": "fifo"},
        {"engines": 1, "threads": 1, "faults": {"duplicate": 1}},
    ),
    "equal messages are not alike to tasks that look at their names": (
        {"programs": (IDLE, IDLE, NAMES_ITSELF), "sent": (0, 0)},
        {"engines": 1, "threads": 1},
    ),
    "nor where a task that has forgotten its name decides what the next is called": (
        {"programs": (IDLE, IDLE, (("send", 0, 1), ("sleep", 0, 0)), NAMES_ITSELF), "sent": (0, 0)},
        {"engines": 1, "threads": 2},
    ),
    "messages of one name in a queue differ by what they carry": (
        {"programs": (IDLE, IDLE, NAMES_ITSELF, (("add", 0, 0),)), "sent": (0, 1), "order": "fifo", "labels": False},
        {"engines": 2, "threads": 1, "faults": {"duplicate": 1}},
    ),
    "messages come back to a queue in the order in which their tasks began": (
        {"programs": (IDLE, IDLE, (("put", 0, 0),), (("add", 0, 0),)), "sent": (1, 0), "order": "fifo", "acknowledge": "late"},
        {"engines": 2, "threads": 2, "faults": {"crash": 1}},
    ),
    "a message to one engine has left its queue when it is delivered": (
        {"programs": ((("send", 1, 0),), IDLE, (("read", 0, 0),)), "order": "fifo"},
        {"engines": 2, "threads": 1, "faults": {"crash": 1}},
    ),
}


@pytest.mark.parametrize("switch", ["", "symmetric", "merge", "columns", "reduce"])
@pytest.mark.parametrize("name", sorted(FOUND))
def test_what_it_has_found(name: str, switch: str) -> None:
    body, scope = FOUND[name]
    design: Machines = type("Machines", (Machines,), body)()
    asked = scenario(create(EMPTY), **scope)
    held_against_each_other(
        design, asked, everything(Plainly(design, asked), 5_000), ((switch, switch == "reduce"),) if switch else ()
    )
