"""The fingerprint: the same for equal states, in every process; different for different ones."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from heatproof.model.canonical import canonical
from heatproof.model.design import Design
from heatproof.model.designs.heat import Heat
from heatproof.model.effects import Begin, Finish, Handler, Insert, Me, Read, Send, Sleep, Update
from heatproof.model.errors import DesignError
from heatproof.model.fingerprint import fingerprint
from heatproof.model.reality import Spec
from heatproof.model.scenario import Operation, create, scenario, update
from heatproof.model.templates import Ref, Template, resource
from heatproof.model.world import Action, World
from tests.model.toys import ACCOUNT, Account, accounts, asking, by_default, toy, whole


def do(world: World, *actions: Action) -> World:
    for action in actions:
        world.perform(action)
    return world


def adds(self: Design, me: Me, key: str) -> Handler:
    row = yield Read("W-1", ACCOUNT, key)
    if row is None:
        yield Insert("W-2", ACCOUNT, Account(key))
    else:
        yield Update("W-3", ACCOUNT, key, {"value": row.value + 1}, where={"value": row.value})


def asks(*keys: str) -> Any:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        for key in keys:
            yield Send("X-1", "adds", (key,))

    return create


ASKED = [Action("operate", "create#1", "E1"), Action("step", "create#1"), Action("step", "create#1")]
A = [Action("deliver", "adds(A)", "E1"), Action("step", "adds(A)")]
B = [Action("deliver", "adds(B)", "E1"), Action("step", "adds(B)")]


def test_independent_steps_in_another_order_give_the_same_fingerprint() -> None:
    design = toy(create=asks("A", "B"), adds=adds)
    worlds = [World(design, asking()) for _ in range(3)]
    do(worlds[0], *ASKED, *A, *B)
    do(worlds[1], *ASKED, *B, *A)
    do(worlds[2], *ASKED, A[0], B[0], A[1], B[1])
    assert len({fingerprint(world) for world in worlds}) == 1
    assert list(worlds[0].tasks) != list(worlds[1].tasks)
    assert len({fingerprint(by_default(world)) for world in worlds}) == 1


@pytest.mark.parametrize("order", ["bag", "fifo"])
def test_the_order_of_messages_is_part_of_the_state_where_it_matters(order: str) -> None:
    prints = set()
    for keys in ("AB", "BA"):
        world = do(World(toy(create=asks(*keys), adds=adds, handlers={"order": order}), asking()), *ASKED)
        prints.add(fingerprint(world))
    assert len(prints) == (1 if order == "bag" else 2)


def test_what_is_held_back_is_part_of_the_state_and_how_long_it_still_is() -> None:
    def waits(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Sleep("X-1")
        yield Sleep("X-1")

    design = toy(create=waits)
    asked = asking(faults={"pause": 2})
    prints = []
    for actions in (
        [Action("pause", "E1", "10"), Action("pause", "E2", "40")],
        [Action("pause", "E1", "40"), Action("pause", "E2", "10")],
        [Action("pause", "E2", "40"), Action("pause", "E1", "10")],
    ):
        prints.append(fingerprint(do(World(design, asked), *actions)))
    assert len(set(prints)) == 3


def test_what_only_policies_and_logs_know_is_not() -> None:
    world = do(World(toy(create=asks("A", "B"), adds=adds), asking()), *ASKED)
    before = fingerprint(world)
    world.pass_over(Action("deliver", "adds(A)", "E1"))
    assert fingerprint(world) == before


@pytest.mark.parametrize("length", ["10", "40"])
def test_how_long_a_task_is_held_back(length: str) -> None:
    def makes(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        thing = yield Begin("X-1", "create", "A", Spec("A"))
        yield Finish("X-2", thing)

    begun = [Action("operate", "create#1", "E1"), Action("step", "create#1")]
    world = do(World(toy(create=makes), asking(faults={"slow": 1})), *begun)
    other = do(World(toy(create=makes), asking(faults={"slow": 1})), *begun)
    assert fingerprint(world) == fingerprint(other)
    assert fingerprint(do(world, Action("slow", "create#1", length))) != fingerprint(do(other, Action("slow", "create#1", "11")))


@pytest.mark.parametrize(
    "part",
    [
        lambda w: w.memory, lambda w: w.requests, lambda w: w.state, lambda w: w.left, lambda w: w.expired, lambda w: w.down,
        lambda w: w.database.used, lambda w: w.reality.made, lambda w: w.reality.broken,
    ],
)  # fmt: skip
def test_every_part_of_the_state_is(part: Callable[[World], dict[Any, Any]]) -> None:
    world = World(toy(create=accounts()), asking())
    before = fingerprint(world)
    world.put(part(world), "A", 1)
    assert fingerprint(world) != before


# --------------------------------------------------------------------------------------------------- other processes

SCRIPT = """
from heatproof.model.designs.heat import Heat
from heatproof.model.fingerprint import fingerprint
from heatproof.model.scenario import Operation, create, scenario, update
from heatproof.model.templates import Attr, Ref, Template, resource
from heatproof.model.world import World

one = Template([resource("A", {"p": 1}, {"r": 1}), resource("B", {"p": Ref("A")}), resource("C", {"p": Attr("B", "p")})])
two = Template([resource("A", {"p": 2}, {"r": 2}), resource("B", depends_on=["A"], fails=["update"])])
world = World(Heat(), scenario(create(one), update(two, rollback=True), Operation("check"), Operation("delete")))
while (action := world.default()) is not None:
    world.perform(action)
    print(fingerprint(world))
"""


def test_every_process_has_the_same_fingerprints() -> None:
    printed = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        run = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
        printed.append(run.stdout.splitlines())
    assert printed[0] == printed[1]
    assert len(set(printed[0])) == len(printed[0]) > 200


# ------------------------------------------------------------------------------------------------- different states


def states(world: World) -> dict[int, Any]:
    """Every reachable state: its fingerprint, and what it is as a value that compares by content."""
    found: dict[int, Any] = {}
    waiting: list[tuple[Action, ...]] = [()]
    while waiting:
        path = waiting.pop()
        while world.log:
            world.undo()
        do(world, *path)
        mark, state = fingerprint(world), content(world)
        if mark in found:
            assert found[mark] == state, "two different states have the same fingerprint"
            continue
        found[mark] = state
        waiting.extend((*path, action) for action in world.actions())
    return found


def content(world: World) -> Any:
    state = whole(world)
    del state["lengths"]
    del state["heard"]
    state["held"] = {name: max(0, until - len(world.log)) for name, until in world.held.items() if until > len(world.log)}
    state["bag"] = sorted(entry[1:4] for entry in state["bag"])  # names only tell equals apart
    state["tasks"] = sorted((name, engine) for name, _, _, engine, _, _ in state["tasks"])
    return repr(sorted((key, canonical(value)) for key, value in state.items()))


@pytest.mark.parametrize(
    ("faults", "count"),
    [({}, 1 + 1 + 4 + 4 * 4), ({"crash": 1}, 71), ({"lose": 1, "duplicate": 1}, 251), ({"abort": 1}, 31), ({"stall": 1}, 102)],
)
def test_all_states_of_a_toy_have_fingerprints_of_their_own(faults: dict[str, int], count: int) -> None:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Send("X-1", "adds", ("A",))
        yield Send("X-1", "adds", ("B",))

    found = states(World(toy(create=create, adds=adds), asking(engines=1, faults=faults)))
    assert len(set(found.values())) == len(found) == count


def test_a_race_on_a_physical_thing() -> None:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        thing = yield Begin("X-1", "create", "A", Spec("A"))
        yield Finish("X-2", thing)
        for _ in range(2):
            yield Send("X-3", "change", (thing,))

    def change(self: Design, me: Me, thing: str) -> Handler:
        yield Begin("Y-1", "update", thing, Spec("A"), cause="T")
        yield Finish("Y-2", thing)

    found = states(World(toy(create=create, change=change), asking(engines=1, threads=2, faults={"fail": 1, "vanish": 1})))
    assert len(set(found.values())) == len(found) == 76


# ------------------------------------------------------------------------------------------------------ as a text


class Plain:
    """Shows nothing of what it holds."""


@dataclass(frozen=True)
class Pair:
    left: frozenset[str]
    right: Any = None


def test_a_text_for_every_value() -> None:
    assert canonical(frozenset("ab")) == canonical(frozenset("ba")) == "set{'a','b'}"
    assert canonical({"b": 1, "a": None}) == "{'a':None,'b':1}"
    assert canonical((1, [True, "x"])) == "tuple(1,list(True,'x'))"
    assert canonical(Account("A")) == "tests.model.toys.Account('A',0,None)"
    assert canonical(Pair(frozenset("ab"))) == "tests.model.test_fingerprint.Pairlist(set{'a','b'},None)"
    assert canonical(ValueError("x", {2, 1})) == "ValueErrortuple('x',set{1,2})"
    assert canonical(Template([resource("A")])) == "Template([resource('A')])"
    values: tuple[Any, ...] = (None, "None", 1, "1", True, (), [], {}, set(), (1,), ((1,),), "'", '"', ("a", "b"), ("a,b",))
    texts = [canonical(value) for value in values]
    assert len(set(texts)) == len(texts)


def test_a_value_that_shows_nothing_is_refused() -> None:
    with pytest.raises(DesignError, match=r"a value of class Plain stands in a row.* give it a method canonical\(\)"):
        canonical((1, Plain()))


def test_a_long_task_has_a_fingerprint() -> None:
    def reads(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        for _ in range(3_000):
            yield Read("X-1", ACCOUNT, "A")

    world = World(toy(create=reads), asking())
    do(world, Action("operate", "create#1", "E1"), *[Action("step", "create#1")] * 2_999)
    before = fingerprint(world)
    assert fingerprint(do(world, Action("step", "create#1"))) != before
    world.undo()
    assert fingerprint(world) == before


def test_replacements_in_either_order_reach_the_same_state() -> None:
    one = Template([resource("A", replace={"r": 1}), resource("B", replace={"r": 1}), resource("C", {"p": Ref("A")})])
    two = Template([resource("A", replace={"r": 2}), resource("B", replace={"r": 2}), resource("C", {"p": Ref("A")})])
    prints = set()
    for last in (0, -1):
        world = World(Heat(), scenario(create(one), update(two), engines=1, threads=1))
        while actions := world.progress() or world.operations():
            steps = [a for a in actions if a.kind == "step"]
            world.perform(steps[0] if steps else actions[last])
        prints.add(fingerprint(world))
    assert len(prints) == 1
