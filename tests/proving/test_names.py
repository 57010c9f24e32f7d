"""What only tells equals apart is no part of the state, and what looks like it is, where somebody looks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from heatproof.model.effects import Begin, Finish, Handler, Insert, Look, Me, Read, Send, Sleep, Update
from heatproof.model.observation import Change, Observation
from heatproof.model.reality import Spec
from heatproof.model.scenario import Operation, Scenario, create, scenario, update
from heatproof.model.templates import resource
from heatproof.model.world import Action
from heatproof.properties.base import Property, Witness, always, at_rest, witness
from heatproof.reports.proofs import done_again
from heatproof.strategies.proving import expanding, kernel
from heatproof.strategies.proving.proofs import prove
from heatproof.strategies.proving.search import Search
from heatproof.strategies.proving.stale import renew
from heatproof.strategies.running import Driver
from tests.model.toys import ACCOUNT, Account, Design, asking
from tests.toys import HEAT, seen_toy


def twice(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Insert("N-1", ACCOUNT, Account("A", 0))
    yield Send("N-2", "own", ("A",))
    yield Send("N-2", "own", ("A",))


def engine_only(self: Design, me: Me, name: str) -> Handler:
    row = yield Read("N-3", ACCOUNT, name)
    yield Update("N-4", ACCOUNT, name, {"value": row.value + 1, "owner": me.engine})


def its_name(self: Design, me: Me, name: str) -> Handler:
    yield Read("N-3", ACCOUNT, name)
    yield Update("N-4", ACCOUNT, name, {"owner": me.task})


def unpacked(self: Design, me: Me, name: str) -> Handler:
    yield Read("N-3", ACCOUNT, name)
    _, task = me
    yield Update("N-4", ACCOUNT, name, {"owner": task})


def printed(self: Design, me: Me, name: str) -> Handler:
    yield Read("N-3", ACCOUNT, name)
    yield Update("N-4", ACCOUNT, name, {"owner": f"{me}"})


def whole(self: Design, me: Me, name: str) -> Handler:
    yield Read("N-3", ACCOUNT, name)
    yield Update("N-4", ACCOUNT, name, {"owner": me})


def searched(own: Any) -> Search:
    search = Search(seen_toy(create=twice, own=own), asking(engines=1, threads=2), [])
    assert search.run().complete
    return search


def test_the_name_of_a_task_does_not_count_where_no_handler_looks_at_it() -> None:
    search = searched(engine_only)
    assert not search.own_names
    named = Search(search.design, search.scenario, [])
    named.begin(False, True, ())
    assert named.run().states > search.result.states


@pytest.mark.parametrize("own", [its_name, unpacked, printed, whole])
def test_it_counts_where_one_looks(own: Any) -> None:
    assert searched(own).own_names


def told_apart(own: Any, prop: Property) -> tuple[set[Any], set[Any]]:
    """The kinds of violations that a search finds where two equal messages are sent, and those of all schedules, one by one."""
    return held(seen_toy(create=twice, own=own), asking(engines=1, threads=2), prop)


def held(design: Design, given: Scenario, prop: Property) -> tuple[set[Any], set[Any]]:
    """The kinds of violations that a search finds, and those of all schedules, one by one."""
    driver = Driver(design, given, [prop])

    def go_on() -> None:
        if driver.world.state["issued"] and driver.world.at_rest:
            driver.rest()
        for action in driver.world.actions():
            driver.perform(action)
            go_on()
            driver.world.undo()

    go_on()
    return set(Search(design, given, [prop]).run().violations), set(driver.monitor.violations)


@always("tasks have no names", "Nobody knows which task has written.", ["account"])
def nameless(observation: Observation, change: Change) -> Witness | None:
    """One kind for whatever tasks there are."""
    return witness(" ".join(sorted(observation.tasks)))


@always("rows have no names", "No row says which task has written it.", ["account"])
def unowned(observation: Observation, change: Change) -> Witness | None:
    """One kind for whoever stands in a row."""
    return witness(str(change.new.owner)) if change.new.owner else None


def test_which_of_two_equal_tasks_comes_first_counts_where_somebody_looks() -> None:
    for own, prop in ((engine_only, nameless), (its_name, unowned)):
        found, there_is = told_apart(own, prop)
        assert found == there_is
        assert any("#2" in kind and "#2 " not in kind for _, kind in found)


def begins(self: Design, me: Me, name: str) -> Handler:
    physical = yield Begin("N-5", "create", name, Spec(name), "cause", None)
    seen = yield Look("N-6", physical)
    yield Update("N-7", ACCOUNT, name, {"owner": seen.busy[0].task}, where={"owner": None})


def test_the_task_of_a_physical_operation_is_only_the_same_or_another() -> None:
    """A limit (docs/proving.md): that somebody shows its name is not noticed."""
    found, there_is = held(seen_toy(create=twice, own=begins), asking(engines=1, threads=1), unowned)
    assert found < there_is


def test_messages_of_a_queue_are_what_they_carry_whatever_they_are_called() -> None:
    def carrying(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("N-1", ACCOUNT, Account("A", 0))
        for what in (1.0, 2.0):
            yield Send("N-2", "carried", (what,))

    def carried(self: Design, me: Me, what: float) -> Handler:
        yield Update("N-3", ACCOUNT, "A", {"owner": f"{what}"})

    design = seen_toy(create=carrying, carried=carried, order="fifo")
    found, there_is = held(design, asking(engines=1, threads=1, faults={"overtake": 1}), last)
    assert found == there_is
    assert len(found) == 2


@at_rest("nobody is last", "No message is the last one.")
def last(observation: Observation) -> Iterator[Witness]:
    """One kind for whatever stands in the row."""
    yield witness(observation.resources["A"].owner)  # type: ignore[attr-defined]


def test_heat_looks_at_names_where_it_rolls_back() -> None:
    for rollback in (False, True):
        given = scenario(create([resource("A", {"p": 1})], rollback=rollback), engines=1, threads=1, faults={"fail": 1})
        search = Search(HEAT, given, [])
        search.run()
        assert search.own_names is rollback


def test_a_create_is_beside_nobody() -> None:
    template = [resource("A", {"p": 1})]
    search = Search(HEAT, scenario(create(template), update(template), engines=1, threads=1), [])
    search.run()
    values = [search.space.identities[c] for c in search.space.groups["request"]]
    assert {identity[2] for identities in values for identity in identities[1:]} == {()}  # type: ignore[index]


def test_there_is_always_room_for_what_a_state_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = searched(engine_only).result
    monkeypatch.setattr(expanding, "MISSES", 1)
    assert searched(engine_only).result == whole


def test_what_was_compiled_against_another_kernel_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    function = SimpleNamespace(
        __module__="heatproof.strategies.proving.graph_kernel", stats=SimpleNamespace(cache_path=str(tmp_path))
    )
    old, other = tmp_path / "graph_kernel.possible-18.nbi", tmp_path / "kernel.walk-1.nbi"
    for file in (old, other):
        file.write_text("")
    renew(function)
    assert not old.exists()
    assert other.exists()
    old.write_text("")
    renew(function)
    assert old.exists(), "it is of this kernel"
    changed = tmp_path / "kernel.py"
    changed.write_text("# another text")
    monkeypatch.setattr(kernel, "__file__", str(changed))
    renew(function)
    assert not old.exists()


# ------------------------------------------------------------------------------------- what comes back to a queue


def sends_boxes(*boxes: Any, block: bool = False) -> Any:
    def asked(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        for box in boxes:
            yield Send("C-1", "work", (box,))
        if block:
            yield Send("C-2", "block", ())

    return asked


def work(self: Design, me: Me, box: Any) -> Handler:
    key = yield Insert("W-1", ACCOUNT, Account(f"try{box[0]}", 0, me.engine))
    while not key.endswith("#2"):
        yield Sleep("W-2")


def block(self: Design, me: Me) -> Handler:
    yield Insert("B-1", ACCOUNT, Account("block", 0, me.engine))
    while True:
        yield Sleep("B-2")


@always("order", "Nothing is done again before something else.", {"resource"})
def order(observation: Observation, change: Change) -> Witness | None:
    rows, new = observation.resources, change.new
    for one, other in ("ab", "ba"):
        if change.old is None and new is not None and change.key == f"try{one}#2" and f"try{other}#2" not in rows:
            owners = {key: row.owner for key, row in rows.items()}  # type: ignore[attr-defined]  # rows are accounts here
            beside = any(owner == new.owner for key, owner in owners.items() if key.startswith("block"))
            if "trya" in rows and "tryb" in rows and owners["trya"] == owners["tryb"] and beside:
                return witness(f"first {one}")
    return None


@pytest.mark.parametrize("labels", [True, False])
def test_which_of_two_messages_of_one_name_comes_back_first_counts(labels: bool) -> None:
    """An argument that is no text or number is no part of the name: the messages are called alike, but come back in the order of their tasks."""
    a, b = ("a", "b") if labels else (("a",), ("b",))
    design = seen_toy("late", "fifo", create=sends_boxes(a), update=sends_boxes(b, block=True), work=work, block=block)
    proof = prove(design, asking("update", engines=2, threads=2, faults={"crash": 1}), [order])
    assert proof.complete
    assert sorted(kind for _, kind in proof.violations) == ["first a", "first b"]


def test_messages_that_come_back_are_called_as_they_were() -> None:
    def first(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("R-1", ACCOUNT, Account("A", 0, ()))
        for which in (1, 2, 3):
            yield Send("R-2", "work", (which,))

    def work(self: Design, me: Me, which: int) -> Handler:
        row = yield Read("R-3", ACCOUNT, "A")
        yield Update("R-4", ACCOUNT, "A", {"owner": (*row.owner, which)})
        yield Sleep("R-5")

    @at_rest("order", "Nobody works.", frozenset({"crash"}))
    def order(observation: Observation) -> Iterator[Witness]:
        for row in observation.resources.values():
            yield witness(f"{row.owner}")  # type: ignore[attr-defined]  # the rows here are accounts

    design: Design = type(
        "Alike", (type(seen_toy("late", create=first, work=work)),), {"label": lambda *_: "work", "front": "api"}
    )()
    asked = asking(engines=1, threads=3, faults={"crash": 1})
    proof = prove(design, asked, [order])
    assert len(proof.violations) > 50
    for key, found in proof.violations.items():  # of two that began in another order than that of their names
        assert done_again(design, [order], found, key).violation.key == key


@pytest.mark.parametrize("acknowledge", ["early", "late"])
@pytest.mark.parametrize("order", ["bag", "fifo"])
def test_tasks_die_in_an_order_that_a_search_knows(order: str, acknowledge: str) -> None:
    def first(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        for name in ("A", "B"):
            yield Send("D-1", "make", (name,))

    def make(self: Design, me: Me, name: str) -> Handler:
        yield Finish("D-3", (yield Begin("D-2", "create", name, Spec(name), "one")))

    @always("alone", "Nothing goes on alone.", ["reality"], frozenset({"crash"}))
    def alone(observation: Observation, change: Change) -> Witness | None:
        if not change.new.busy or change.new.busy[0].task:
            return None
        observation.remember("order", (*observation.memory.get("order", ()), change.key))
        return witness(f"{observation.memory['order']}")

    design = seen_toy(acknowledge, order, create=first, make=make)
    asked = asking(engines=1, threads=2, faults={"crash": 1})
    there_is = {key for _, key in prove(design, asked, [alone]).violations}
    assert there_is == {"('A.1',)", "('B.1',)", "('A.1', 'B.1')"}
    driver = Driver(design, asked, [alone])
    for kind, subject, detail in (
        (
            ("operate", "create#1", "E1"),
            ("step", "create#1", ""),
            ("step", "create#1", ""),
            ("deliver", "make(B)", "E1"),
            ("step", "make(B)", ""),
            ("deliver", "make(A)", "E1"),
            ("step", "make(A)", ""),
            ("crash", "E1", ""),
        )
        if order == "bag"
        else ()
    ):  # they began in another order than that of their names
        driver.perform(Action(kind, subject, detail))
    assert {kind for _, kind in driver.monitor.violations} <= there_is
