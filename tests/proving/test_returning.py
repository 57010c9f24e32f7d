"""What was learned of the actions can tell that no run comes back; it never says so of one that does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from heatproof.model import catalogue
from heatproof.model.effects import Handler, Insert, Me, Read, Send, Update
from heatproof.model.scenario import Operation, Scenario, create, scenario, update
from heatproof.model.templates import resource
from heatproof.strategies.proving import proofs
from heatproof.strategies.proving.graph import Graph
from heatproof.strategies.proving.returning import Moves, never_returns
from heatproof.strategies.proving.search import Search
from heatproof.strategies.proving.views import Unit
from tests.model.toys import ACCOUNT, Account, Design, asking
from tests.proving.peers import instance
from tests.proving.test_circles import JUDGED
from tests.toys import HEAT, seen_toy

A = resource("A", {"p": 1})
Program = tuple[tuple[str, int], ...]


def looked(design: Design, asked: Scenario, most: int = 20_000, symmetric: bool = True) -> tuple[bool, bool] | None:
    """Whether what was learned says that nothing comes back, and whether anything does; None if that is too much to look at."""
    graph = Graph()
    search = Search(design, asked, [], symmetric, watchers=[graph], go_on=lambda result: "enough" if result.states > most else "")
    if not search.run().complete:
        return None
    graph.close()
    return never_returns(search), bool(graph.cyclic().any())


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("name", sorted(JUDGED))
def test_what_goes_round_is_never_said_not_to(name: str, symmetric: bool) -> None:
    design, asked, *_ = JUDGED[name]
    answer = looked(design, asked, symmetric=symmetric)
    assert answer is not None
    says, goes_round = answer
    assert not (says and goes_round)


def test_the_tasks_of_one_engine_are_absent_as_those_of_another() -> None:
    def first(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Send("Q-1", "go", ())

    def go(self: Design, me: Me) -> Handler:
        yield Read("Q-2", ACCOUNT, "A")

    search = Search(
        seen_toy("late", "fifo", create=first, go=go), asking(engines=2, threads=1, faults={"crash": 1}), [], versions=False
    )
    assert search.run().complete
    moves, columns = Moves(search), search.space.columns
    one, other = [moves._vertex(columns[Unit(f"members of tasks at {engine}", ())], 0) for engine in ("E1", "E2")]
    assert one == other, "states in which engines are exchanged are one state"


def running(self: Design, me: Me, program: Program) -> Handler:
    """A little machine whose memory is one row and what it has still to do."""
    at = 0
    while at < len(program):
        what, number = program[at]
        if what == "set":
            yield Update("G-1", ACCOUNT, "A", {"value": number})
        elif what == "raise":
            row = yield Read("G-2", ACCOUNT, "A")
            yield Update("G-2", ACCOUNT, "A", {"value": min(row.value + 1, 3)}, where={"value": row.value})
        elif what == "own":
            yield Update("G-3", ACCOUNT, "A", {"owner": me.engine if number else None})
        elif what == "wait" and (yield Read("G-4", ACCOUNT, "A")).value < number:
            continue
        elif what == "back" and (yield Read("G-5", ACCOUNT, "A")).value == number:
            at = 0
            continue
        elif what == "mine" and (yield Read("G-6", ACCOUNT, "A")).owner not in (None, me.engine):
            continue
        elif what == "send":
            yield Send("G-7", "running", (program[number:],))
        at += 1


def programs(*given: Program) -> Design:
    """A design that runs these programs beside each other."""

    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("G-0", ACCOUNT, Account("A"))
        for program in given:
            yield Send("G-0", "running", (program,))

    return seen_toy(create=create, running=running)


STEP = st.tuples(st.sampled_from(["set", "raise", "own", "wait", "back", "mine", "send"]), st.integers(0, 2))
PROGRAM = st.lists(STEP, min_size=1, max_size=4).map(tuple)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(PROGRAM, PROGRAM, st.sampled_from([{}, {"crash": 1}, {"duplicate": 1}]), st.integers(1, 2))
def test_random_programs(one: Program, other: Program, faults: dict[str, int], threads: int) -> None:
    answer = looked(programs(one, other), asking(engines=2, threads=threads, faults=faults), 2_000)
    assume(answer is not None)
    assert answer is not None
    says, goes_round = answer
    assert not (says and goes_round)


@pytest.mark.parametrize(
    ("given", "goes_round"),
    [
        ([(("raise", 0), ("raise", 0)), (("set", 1),)], False),
        ([(("wait", 1),), (("set", 1),)], True),
        ([(("raise", 0), ("back", 0)), (("set", 0),)], False),
        ([(("own", 1), ("own", 0)), (("mine", 0), ("own", 1))], True),
        ([(("send", 0),)], True),
        ([(("send", 1), ("set", 0)), (("set", 2),)], False),
    ],
)
def test_programs_of_which_it_is_known(given: list[Program], goes_round: bool) -> None:
    assert looked(programs(*given), asking()) == (not goes_round, goes_round)


def test_a_message_that_sends_itself_again_under_another_name_comes_back() -> None:
    """Equal messages and tasks have other names, and states that differ only in these are the same: the second message is never looked at."""
    answer = looked(programs((("send", 0),)), asking(engines=1, threads=2))
    assert answer is None or not answer[0]


SCENARIOS: dict[str, tuple[Any, ...]] = {
    "create": (create([A]),),
    "create and delete": (create([A]), Operation("delete", None, None)),
    "create and in-place update": (create([A]), update([resource("A", {"p": 2})])),
}


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_the_runs_of_heat_never_come_back(name: str) -> None:
    search = Search(HEAT, scenario(*SCENARIOS[name], engines=2, threads=1, faults={"crash": 1}), [], versions=False)
    assert search.run().complete
    assert never_returns(search)


def test_a_protocol_that_puts_messages_back_is_left_to_the_graph() -> None:
    answer = looked(*instance("I3"))
    assert answer is not None
    assert not (answer[0] and answer[1])


def test_where_nothing_comes_back_there_is_no_second_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("the graph of all states was asked for")

    monkeypatch.setattr(proofs, "circles", never)
    proof = proofs.prove(catalogue.load("heat"), scenario(create([A]), faults={"crash": 1}), [proofs.REST_IS_REACHED])
    assert proof.complete
    assert not proof.unjudged
