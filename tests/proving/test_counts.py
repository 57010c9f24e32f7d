"""Exact numbers: the search sees all states, each once, and comes to every violation by the shortest way."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from heatproof.model.design import Design
from heatproof.model.effects import Handler, Insert, Me, Read, Send, Spawn, Update
from heatproof.model.fingerprint import fingerprint
from heatproof.model.scenario import Operation, Scenario, create, scenario
from heatproof.model.templates import resource
from heatproof.model.world import World
from heatproof.strategies.asked import properties_for
from heatproof.strategies.proving import expanding, search
from heatproof.strategies.proving.results import Result
from heatproof.strategies.proving.search import Search
from heatproof.strategies.proving.storage import Storage
from heatproof.strategies.running import Driver
from tests.model.toys import ACCOUNT, Account, asking
from tests.proving.peers import FILE, instance
from tests.toys import HEAT, same_in_any_process, seen_toy, spin

PROPERTIES = properties_for(f"{FILE}:Traversal")


def searched(name: str, variant: str = "Traversal", **options: bool) -> Result:
    design, given = instance(name, variant)
    return Search(design, given, PROPERTIES, **options).run()


# ----------------------------------------------------------------------------------------- what other checkers count


@pytest.mark.parametrize(
    ("name", "states", "edges"), [("I1", 240, 404), ("I2", 213_587, 477_264), ("I3", 5_407, 10_171), ("I4", 541, 1_027)]
)
def test_the_peers_count_the_same(name: str, states: int, edges: int) -> None:
    result = searched(name, symmetric=False)
    assert (result.states, result.transitions) == (states, edges)
    assert result.complete
    assert not result.violations


@pytest.mark.parametrize(("name", "states"), [("I1", 128), ("I2", 108_136), ("I3", 2_806), ("I4", 128)])
def test_the_peers_count_the_same_where_workers_are_anonymous(name: str, states: int) -> None:
    result = searched(name)
    assert result.states == states
    assert not result.violations


@pytest.mark.parametrize(
    ("name", "states", "transitions", "lessons"),
    [("I5", 282_375, 704_628, 622), ("I8", 260_232, 808_851, 681), ("I10", 317_744, 750_953, 884)],
)
def test_what_is_measured_beside_spin_is_searched_with_all_reductions(
    name: str, states: int, transitions: int, lessons: int
) -> None:
    search = Search(*instance(name, "Versioned"), PROPERTIES)
    assert (search.run().states, search.result.transitions, search.result.lessons) == (states, transitions, lessons)
    assert search.open
    assert search.anonymous


@pytest.mark.parametrize(
    ("variant", "name", "steps"),
    [
        ("Unconditional", "I1", 35), ("Unconditional", "I2", 47), ("Grabbing", "I3", 24), ("Grabbing", "I2", 26),
        ("Careless", "I3", 28), ("Careless", "I2", 30), ("StackFirst", "I3", 35), ("StackFirst", "I2", 39),
    ],
)  # fmt: skip
@pytest.mark.parametrize("symmetric", [False, True])
def test_the_shortest_ways_to_seeded_bugs_are_as_long_as_the_peers_say(
    variant: str, name: str, steps: int, symmetric: bool
) -> None:
    assert min(s.depth for s in searched(name, variant, symmetric=symmetric).violations.values()) == steps


def test_rows_of_larger_numbers_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a column has more values than 16 bits tell apart, in the middle of a search."""
    monkeypatch.setattr(search, "OUT", 512)
    monkeypatch.setattr(expanding, "MOST", 64)
    plain = searched("I3")
    monkeypatch.setattr(search, "SMALL", 10)
    wide = Search(*instance("I3"), PROPERTIES, storage=Storage(memory=20_000))
    assert replace(wide.run(), lessons=0) == replace(plain, lessons=0)
    assert wide.space.most > 10
    assert wide.out.rows.dtype == np.uint32


def test_a_way_leads_to_its_violation() -> None:
    design, given = instance("I3", "Grabbing")
    search = Search(design, given, PROPERTIES)
    for key, sighting in search.run().violations.items():
        driver = Driver(design, given, PROPERTIES)
        actions = search.way(sighting.state, sighting.action)
        for action in actions:
            driver.perform(action)
        assert key in driver.monitor.violations
        assert driver.monitor.violations[key].step == len(actions) == sighting.depth + len(search.forced)


# ------------------------------------------------------------------------------------ what a plain search counts


def plainly(design: Design, given: Scenario) -> tuple[tuple[int, int, int], set[object]]:
    """States, transitions and states without any action, and what the states look like, found by doing and undoing in one world."""
    world = World(design, given)
    if len(world.actions()) == 1:
        world.perform(world.actions()[0])
    seen = {fingerprint(world): looks(world)}
    waiting = [[entry.action for entry in world.log]]
    transitions = terminal = 0
    while waiting:
        way = waiting.pop()
        while world.log:
            world.undo()
        for action in way:
            world.perform(action)
        actions = world.actions()
        terminal += not actions
        for action in actions:
            transitions += 1
            world.perform(action)
            if (mark := fingerprint(world)) not in seen:
                seen[mark] = looks(world)
                waiting.append([*way, action])
            world.undo()
    return (len(seen), transitions, terminal), set(seen.values())


def looks(world: World) -> object:
    """A state as far as names that only tell equals apart are left out."""
    tasks = [(world.tasks[name].engine, node.effect, [n.result for n in node.path()]) for name, node in world.nodes.items()]
    facts: tuple[dict[Any, Any], ...] = (world.free, world.down, world.left, world.requests, world.state)
    return (
        *(tuple(sorted(map(str, rows.values()))) for rows in world.database.rows.values()),
        tuple(sorted(str(thing) for thing in world.reality.things.values())),
        tuple(sorted(str((m.handler, m.args, m.to)) for m in world.bag.values())),
        tuple(sorted(map(str, tasks))),
        tuple(sorted(str((key, value)) for table in facts for key, value in table.items())),
    )


def seen_by(search: Search) -> set[object]:
    """What the states of a search look like: each is reached by its way in a world of its own."""
    found = set()
    for number in range(search.run().states):
        world = World(search.design, search.scenario)
        for action in search.way(number):
            world.perform(action)
        found.add(looks(world))
    return found


def forwarding(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Insert("F-1", ACCOUNT, Account("A", number))
    yield Send("F-2", "add", ("A",))
    yield Spawn("F-3", "add", ("A",))


def add(self: Design, me: Me, name: str) -> Handler:
    row = yield Read("A-1", ACCOUNT, name)
    if row is None:
        return
    yield Update("A-2", ACCOUNT, name, {"value": row.value + 1, "owner": me.engine}, {"value": row.value})


def signalling(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Send("F-4", "add", ("A",))


A, B = resource("A", {"p": 1}), resource("B", {"p": 1}, depends_on=["A"])
SMALL = {
    "toy, two messages": (seen_toy(create=forwarding, add=add), asking(engines=2, threads=1)),
    "toy, in order": (
        seen_toy(create=forwarding, signal=signalling, add=add, order="fifo"),
        asking("signal", engines=1, threads=2),
    ),
    "toy, crash": (seen_toy(create=forwarding, add=add), asking(engines=2, threads=1, faults={"crash": 1, "restart": 1})),
    "toy, late": (seen_toy(create=forwarding, add=add, acknowledge="late"), asking(engines=1, threads=1, faults={"crash": 1})),
    "toy, faults": (
        seen_toy(create=forwarding, add=add),
        asking(engines=1, threads=2, faults={"lose": 1, "duplicate": 1, "abort": 1, "disconnect": 1}),
    ),
    "toy, endless": (seen_toy(create=forwarding, add=add, spin=spin), asking(engines=2, threads=1)),
    "heat, create": (HEAT, scenario(create([A]), engines=2, threads=2)),
    "heat, chain and crash": (HEAT, scenario(create([A, B]), engines=2, threads=2, faults={"crash": 1})),
    "heat, failure": (HEAT, scenario(create([A], rollback=True), engines=1, threads=2, faults={"fail": 1, "conflict": 1})),
    "heat, time": (HEAT, scenario(create([A], timeout=True), engines=2, threads=1, faults={"timeout": 1, "crash": 1})),
    "heat, drift": (HEAT, scenario(create([A]), engines=1, threads=1, faults={"vanish": 1, "sicken": 1})),
}  # fmt: skip


EQUALS = {"toy, faults", "toy, in order"}
"""Where equal messages meet. Which of them is taken is the same here and another state there, by the name of the task."""


@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_plain_search_sees_the_same(name: str) -> None:
    design, given = SMALL[name]
    counts, looks = plainly(design, given)
    search = Search(design, given, [], symmetric=False, merge=False)
    assert seen_by(search) == looks
    result = search.result
    assert (result.states, result.transitions, result.terminal) == counts or name in EQUALS
    assert result.terminal == counts[2]


@pytest.mark.parametrize("name", sorted(SMALL))
def test_nodes_that_go_on_alike_are_one_without_changing_anything_else(name: str) -> None:
    design, given = SMALL[name]
    for properties in ([], properties_for("heat") if design is HEAT else []):
        found = [
            Search(design, given, properties, symmetric=symmetric, merge=merge).run()
            for symmetric, merge in product((False, True), repeat=2)
        ]
        assert len({(tuple(sorted(r.violations)), tuple(sorted(r.reached)), r.depth) for r in found}) == 1
        assert found[0].states >= found[1].states >= found[3].states
        assert found[0].states >= found[2].states >= found[3].states


def counted() -> object:
    """What is compared between processes."""
    design, given = SMALL["heat, failure"]
    search = Search(design, given, properties_for("heat"))
    result = search.run()
    ways = [search.way(s.state) for s in result.violations.values()]
    return (result.states, result.transitions, result.terminal_sum, sorted(result.violations), sorted(result.reached), ways)


def test_the_same_in_every_process() -> None:
    same_in_any_process("tests.proving.test_counts", "counted")
