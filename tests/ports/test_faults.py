"""Every kind of fault on the real engine, and what its messages are worth: taken before they are handled, in any order, perhaps twice."""

from __future__ import annotations

from itertools import cycle

import pytest
from click.testing import CliRunner

from heatproof.cli import cli
from heatproof.model import catalogue
from heatproof.model.faults import FAULTS
from heatproof.model.scenario import Scenario, Scope, create, scenario, update
from heatproof.model.templates import resource
from heatproof.model.world import World
from heatproof.ports.heat import installation
from heatproof.strategies import running
from heatproof.strategies.running import Plan

if reason := installation.why_not():
    pytest.skip(f"the real engine is not here: {reason}", allow_module_level=True)

from tests.ports import traces

ENGINE = catalogue.load("heat-engine")
NEVER = {"overtake"}  # no order is promised, so nothing overtakes
A, B = resource("A", {"p": 1}), resource("B", {"p": 1})


@pytest.mark.parametrize("kind", sorted(FAULTS.keys() - ENGINE.immune - NEVER - {"false-dead"}))
def test_a_fault_strikes_and_the_run_ends(kind: str) -> None:
    budget = {kind: 2, **({"crash": 2} if kind == "restart" else {})}
    policies = cycle(("random", "pos", "pct", "sticky"))
    for number in range(20):
        operations = traces.SCENARIOS[number % len(traces.SCENARIOS)]
        plan = Plan(next(policies), number, 0.1, 0.3, 400)
        run = running.run(ENGINE, Scenario(operations, Scope(2, 2), budget), (), plan)
        assert run.end in ("rest", "circle")
        if run.world.happened.get(kind, 0):
            return
    pytest.fail(f"{kind} never struck")


def test_a_live_engine_is_judged_dead_and_its_lock_is_stolen() -> None:
    world = ENGINE.open(scenario(create([A]), update([resource("A", {"p": 2})]), engines=2, faults={"false-dead": 1}))
    while not any(thing.busy for thing in world.reality.things.values()):
        world.perform(next(iter((*world.progress(), *world.operations()))))
    (holder,) = [name for name in world.tasks if name.startswith("check")]
    (row,) = ENGINE.observe(world).resources.values()
    locked = row.engine
    world.perform(next(a for a in world.operations() if a.detail != locked))
    while not (faults := world.faults()):
        possible = [a for a in world.progress() if a.subject != holder and a.detail != locked]
        world.perform(possible[0])
    assert locked in world.free
    world.perform(faults[0])
    while ENGINE.observe(world).resources["A@T1"].engine == locked:
        world.perform(next(a for a in world.progress() if a.subject != holder))
    assert locked in world.free


def test_nothing_overtakes_where_no_order_is_promised() -> None:
    for number in range(3):
        plan = Plan("random", number, 0.1, 0.5, 400)
        run = running.run(ENGINE, Scenario(traces.SCENARIOS[0], Scope(2, 2), {"overtake": 5}), (), plan)
        assert not run.world.happened


def test_a_fault_that_cannot_be_injected_is_refused() -> None:
    done = CliRunner().invoke(cli, ["check", "heat-engine", "--faults", "PMP"])
    assert done.exit_code == 2
    assert "fault 'PMP' cannot be injected into heat-engine" in done.output


# ------------------------------------------------------------------------------------------------------------ messages


def sent(design: str, count: int = 2) -> World:
    """A run in which so many messages wait: two resources that do not depend on each other are to be created."""
    world = catalogue.load(design).open(scenario(create([A, B]), engines=2, faults={"crash": 1, "duplicate": 1, "overtake": 1}))
    while len(world.bag) < count:
        world.perform(next(a for a in (*world.progress(), *world.operations()) if a.kind != "deliver"))
    return world


def test_messages_are_delivered_in_any_order_to_any_engine() -> None:
    world = sent("heat-engine")
    offered = {(a.subject, a.detail) for a in world.progress() if a.kind == "deliver"}
    assert offered == {(name, engine) for name in world.bag for engine in ("E1", "E2")}
    assert len(world.bag) == 2


def test_where_an_order_is_promised_only_a_fault_breaks_it() -> None:
    world = sent("heat-engine+in-order")
    first, second = world.bag
    assert {a.subject for a in world.progress() if a.kind == "deliver"} == {first}
    world.perform(next(a for a in world.faults() if a.kind == "overtake" and a.subject == second))
    assert {a.subject for a in world.progress() if a.kind == "deliver"} == {second}


def test_a_message_is_acknowledged_before_it_is_handled_and_lost_with_its_engine() -> None:
    world = sent("heat-engine")
    (taken, _) = world.bag
    world.perform(next(a for a in world.progress() if (a.subject, a.detail) == (taken, "E2")))
    assert taken not in world.bag
    world.perform(next(a for a in world.faults() if (a.kind, a.subject) == ("crash", "E2")))
    assert taken not in world.bag
    assert taken not in world.tasks


def test_a_message_that_is_acknowledged_late_is_delivered_again() -> None:
    world = sent("heat-engine+acknowledge-late")
    (taken, _) = world.bag
    world.perform(next(a for a in world.progress() if (a.subject, a.detail) == (taken, "E2")))
    assert taken not in world.bag
    world.perform(next(a for a in world.faults() if (a.kind, a.subject) == ("crash", "E2")))
    assert taken in world.bag
    while (action := world.default()) is not None:
        world.perform(action)
    assert [e.action.subject for e in world.log if e.action.kind == "deliver"].count(taken) == 2
    (stack,) = ENGINE.observe(world).stacks.values()
    assert (stack.action, stack.status) == ("CREATE", "COMPLETE")


def test_a_duplicate_is_handled_too_and_does_no_harm_to_a_create() -> None:
    world = sent("heat-engine")
    (twice, _) = world.bag
    world.perform(next(a for a in world.faults() if (a.kind, a.subject) == ("duplicate", twice)))
    while (action := world.default()) is not None:
        world.perform(action)
    handled = [e for e in world.log if e.action.kind == "deliver" and e.action.subject.partition("#")[0] == twice]
    assert len(handled) == 2
    assert sorted(thing.owner for thing in world.reality.things.values()) == ["A@T1", "B@T1"]
