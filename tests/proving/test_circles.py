"""Runs that go on for ever: found where they can be kept up by a fair schedule, and only there."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatproof.model.design import Design
from heatproof.model.effects import Handler, Insert, Me, Read, Send, Sleep, Spawn, Update
from heatproof.model.scenario import Operation, Scenario, create, scenario
from heatproof.model.world import World
from heatproof.strategies.proving.circles import Circles, circles
from heatproof.strategies.proving.graph import Graph
from tests.model.toys import ACCOUNT, Account, asking
from tests.toys import AWAITING, COUNTING, HEAT, SPINNING, A, same_in_any_process, seen_toy


def opening(*names: str) -> Any:
    """A handler of an operation that inserts account A and starts these tasks beside itself."""

    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("I-1", ACCOUNT, Account("A"))
        for name in names:
            yield Spawn("I-2", name, ())

    return create


def ping(self: Design, me: Me) -> Handler:
    """Waits for 0 and makes it 1."""
    while True:
        if (yield Read("P-1", ACCOUNT, "A")).value == 0:
            yield Update("P-2", ACCOUNT, "A", {"value": 1})


def pong(self: Design, me: Me) -> Handler:
    """Waits for 1 and makes it 0."""
    while True:
        if (yield Read("P-3", ACCOUNT, "A")).value == 1:
            yield Update("P-4", ACCOUNT, "A", {"value": 0})


def poll(self: Design, me: Me) -> Handler:
    """Waits for 1."""
    while not (yield Read("P-5", ACCOUNT, "A")).value:
        yield Sleep("P-6")


def raising(self: Design, me: Me) -> Handler:
    """Makes it 1."""
    yield Update("P-7", ACCOUNT, "A", {"value": 1})


def holding(self: Design, me: Me) -> Handler:
    """Locks, works, and unlocks."""
    yield Update("H-1", ACCOUNT, "A", {"owner": "me"})
    yield Sleep("H-2")
    yield Update("H-3", ACCOUNT, "A", {"owner": None})


def again(self: Design, me: Me) -> Handler:
    """Is put back as long as the lock is held."""
    if (yield Read("H-4", ACCOUNT, "A")).owner:
        yield Send("H-5", "again", ())


def locked(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Insert("I-1", ACCOUNT, Account("A"))
    yield Spawn("I-2", "holding", ())
    yield Send("I-3", "again", ())


def left(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    """A lock that nobody will ever give back."""
    yield Insert("I-1", ACCOUNT, Account("A", owner="nobody"))
    yield Send("I-3", "again", ())


def surviving(design: Design, fault: str) -> Design:
    """The design, claiming that the fault is no excuse."""
    stubborn: Design = type("Stubborn", (type(design),), {"survives": frozenset({fault})})()
    return stubborn


LOCKED = seen_toy(create=locked, holding=holding, again=again)
CRASHING = asking(engines=2, threads=1, faults={"crash": 1})

JUDGED: dict[str, tuple[Design, Scenario, str, list[str]]] = {
    "spins alone": (SPINNING, asking(), "violated", ["spin"]),
    "ping-pong": (seen_toy(create=opening("ping", "pong"), ping=ping, pong=pong), asking(), "violated", ["ping", "pong"]),
    "waits for nobody": (seen_toy(create=opening("poll"), poll=poll), asking(), "violated", ["poll"]),
    "waits": (seen_toy(create=opening("poll", "raising"), poll=poll, raising=raising), asking(), "held", []),
    "messages wait": (AWAITING, asking(), "held", []),
    "put back while locked": (LOCKED, asking(), "held", []),
    "put back while locked, one thread": (LOCKED, asking(engines=1, threads=1), "held", []),
    "put back for ever": (seen_toy(create=left, again=again), asking(), "violated", ["again"]),
    "put back after a crash": (surviving(LOCKED, "crash"), CRASHING, "violated", ["again"]),
    "put back after a crash, which excuses it": (LOCKED, CRASHING, "held", []),
    "waits for a message that is lost": (surviving(AWAITING, "lose"), asking(faults={"lose": 1}), "violated", ["await_flag"]),
    "heat": (HEAT, scenario(create([A]), engines=2, threads=2, faults={"crash": 1}), "held", []),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(JUDGED))
@pytest.mark.parametrize("symmetric", [True, False])
def test_only_what_a_fair_run_keeps_up_goes_round(name: str, symmetric: bool) -> None:
    design, asked, verdict, handlers = JUDGED[name]
    answer = circles(design, asked, symmetric=symmetric)
    assert answer.verdict == verdict
    assert bool(answer.around) == (verdict == "violated")
    if verdict == "violated":
        assert answer.witness is not None
        assert dict(answer.witness.values)["handlers"] == handlers
        assert shut_and_fair(design, asked, answer)


def shut_and_fair(design: Design, asked: Scenario, answer: Circles) -> bool:
    """Whether the way and once around replay, end where they began, and pass over nobody who could go on all the time."""
    world = World(design, asked)
    for action in answer.way:
        world.perform(action)
    begun, able = looks(world), {a.subject for a in world.progress()}
    for action in answer.around:
        world.perform(action)
        able &= {a.subject for a in world.progress()} - {action.subject}
    return begun == looks(world) and not able


def looks(world: World) -> object:
    """A state with the names in it. What a task remembers is not shown: it goes on alike."""
    tasks = {name: (task.engine, world.nodes[name].effect) for name, task in world.tasks.items()}
    rows = {table.name: dict(rows) for table, rows in world.database.rows.items()}
    return (rows, tasks, {name: (m.args, m.to) for name, m in world.bag.items()}, dict(world.free), dict(world.left))


def test_the_way_to_the_circle_is_a_shortest() -> None:
    design, asked, *_ = JUDGED["put back for ever"]
    # operate, insert, send, the end of the operation is not waited for: the message is there
    assert len(circles(design, asked).way) == 3


def test_where_nothing_goes_round_one_pass_is_enough() -> None:
    answer = circles(HEAT, scenario(create([A])))
    assert (answer.verdict, answer.cyclic, answer.named) == ("held", 0, 0)
    answer = circles(*JUDGED["waits"][:2])
    assert (answer.verdict, answer.cyclic > 0, answer.named > 0) == ("held", True, True)


def test_a_pass_that_was_cut_says_nothing() -> None:
    answer = circles(COUNTING, asking(), go_on=lambda result: "no time" if result.states > 100 else "")
    assert (answer.verdict, answer.cut) == ("incomplete", "no time")


def judged() -> object:
    """What is compared between processes."""
    return [circles(*JUDGED[name][:2]) for name in ("ping-pong", "put back after a crash")]


def test_the_same_in_every_process() -> None:
    same_in_any_process("tests.proving.test_circles", "judged")


# ------------------------------------------------------------------------------------------------------- the graph itself


def made(edges: list[tuple[int, int]], states: int) -> Graph:
    graph = Graph()
    ordered = sorted(edges)
    counts = np.bincount([s for s, _ in ordered], minlength=states) if ordered else np.zeros(states, np.int64)
    graph.begins = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    graph.targets = np.array([t for _, t in ordered], np.uint32)
    return graph


@given(st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2), max_size=30))))
def test_components_are_those_of_networkx(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    states, edges = drawn
    graph, other = made(edges, states), networkx.MultiDiGraph()
    other.add_nodes_from(range(states))
    other.add_edges_from(edges)
    component, count = graph.components(np.ones(states, np.bool_))
    found = {frozenset(np.flatnonzero(component == c).tolist()) for c in range(count)}
    assert found == set(map(frozenset, networkx.strongly_connected_components(other)))
    assert all(component[s] >= component[t] for s, t in edges)
    cyclic = graph.cyclic()
    assert cyclic.any() != networkx.is_directed_acyclic_graph(other)
    for s, t in edges:
        if networkx.has_path(other, t, s):
            assert cyclic[s]
            assert cyclic[t]


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=25))
def test_a_shortest_way_is_that_of_networkx(edges: list[tuple[int, int]]) -> None:
    graph, other = made(edges, 8), networkx.DiGraph(edges)
    for target in set(other) - {edges[0][0]}:
        if networkx.has_path(other, edges[0][0], target):
            way = graph.shortest(edges[0][0], lambda s: True, lambda e, target=target: graph.targets[e] == target)  # type: ignore[misc]
            assert len(way) == networkx.shortest_path_length(other, edges[0][0], target)
            assert graph.source(way[0]) == edges[0][0]
            assert all(graph.source(b) == graph.targets[a] for a, b in pairwise(way))
