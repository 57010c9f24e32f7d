"""The meter: what is counted, and that nothing is counted twice."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from heatproof.model.design import Design
from heatproof.model.designs.heat import Heat
from heatproof.model.designs.heat.values import C, Graph, U
from heatproof.model.effects import (
    Delete,
    Disconnected,
    Escape,
    Handler,
    Insert,
    Me,
    Query,
    Read,
    Send,
    Transaction,
    Update,
)
from heatproof.model.meter import Access, Tally, meter, size
from heatproof.model.scenario import Operation, create, scenario
from heatproof.model.templates import Ref, Template, resource
from heatproof.model.world import Action, World
from heatproof.properties.costs import at_most
from heatproof.strategies.proving.costs import costs
from tests.model.toys import ACCOUNT, Account, asking, by_default, toy, wander
from tests.toys import seen_toy

ROW = len('{"id":"A","value":0,"owner":null}')


def body() -> Generator[Any, Any, int]:
    row = yield Read("", ACCOUNT, "A")
    yield Update("", ACCOUNT, "A", {"value": row.value + 1})
    rows = yield Query("T-2", ACCOUNT, {})
    return len(rows)


def busy(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Insert("X-1", ACCOUNT, Account("A"))
    yield Read("X-2", ACCOUNT, "Z")
    yield Update("X-3", ACCOUNT, "A", Account("A", 7), where={"value": 1})
    yield Update("X-3", ACCOUNT, "A", Account("A", 7))
    yield Transaction("X-4", body)
    yield Send("X-5", "work", ())


def work(self: Design, me: Me) -> Handler:
    yield Query("W-1", ACCOUNT, {"owner": "x"})
    yield Delete("W-2", ACCOUNT, {})


def test_every_access_is_counted_with_what_it_touched() -> None:
    counted = meter(by_default(World(toy(create=busy, work=work), asking())))
    mine = ("create", "create#1", 1)
    other = ("work", "work()", 1)
    assert counted.accesses == (
        Access("X-1", "insert", "account", *mine, "matched", 1, 0, ROW),
        Access("X-2", "read", "account", *mine, "missed"),
        Access("X-3", "compare-and-set", "account", *mine, "missed"),
        Access("X-3", "update", "account", *mine, "matched", 1, 0, ROW),
        Access("X-4", "transaction", "", *mine, "done"),
        Access("X-4", "read", "account", *mine, "matched", 1, ROW, 0, inside=True),
        Access("X-4", "update", "account", *mine, "matched", 1, 0, len('{"value":8}'), inside=True),
        Access("T-2", "query", "account", *mine, "matched", 1, ROW, 0, inside=True),
        Access("W-1", "query", "account", *other, "missed"),
        Access("W-2", "delete", "account", *other, "matched", 1),
    )
    assert counted.total == Tally(7, 9, 6, 3, 6, 2 * ROW, 2 * ROW + 11)
    assert counted.by("kind")["read"] == Tally(1, 2, 1, 1, 1, ROW, 0)
    assert counted.by("handler", "outcome") == {
        ("create", "done"): Tally(1),
        ("create", "matched"): Tally(2, 5, 5, 0, 5, 2 * ROW, 2 * ROW + 11),
        ("create", "missed"): Tally(2, 2, 0, 2),
        ("work", "matched"): Tally(1, 1, 1, 0, 1),
        ("work", "missed"): Tally(1, 1, 0, 1),
    }
    assert counted.rows("task") == [("create#1", 5, 7, 5, 2, 5, 66, 77), ("work()", 2, 2, 1, 1, 1, 0, 0)]
    assert counted.text("task").splitlines() == [
        "task      accesses  statements  matched  missed  rows  read  written",
        "create#1         5           7        5       2     5    66       77",
        "work()           2           2        1       1     1     0        0",
        "total            7           9        6       3     6    66       77",
    ]
    assert str(counted).splitlines()[0].split()[:3] == ["table", "kind", "accesses"]
    with pytest.raises(ValueError, match="an access has no field 'colour'; take from step, kind, table, handler"):
        counted.by("colour")


def test_nothing_is_counted_where_nothing_was_done() -> None:
    world = World(toy(create=busy, work=work), asking())
    assert meter(world).total == Tally()
    assert meter(world).text() == "table  kind  accesses  statements  matched  missed  rows  read  written\n" + (
        "total               0           0        0       0     0     0        0"
    )


def test_what_faults_do_to_accesses() -> None:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        for step in ("X-1", "X-2"):
            try:
                yield Insert(step, ACCOUNT, Account("A"))
            except Escape:
                continue
        try:
            yield Transaction("X-3", body)
        except Disconnected:
            yield Transaction("X-4", body)

    world = World(toy(create=create), asking(faults={"abort": 1, "disconnect": 2, "P4": 1}))
    world.perform(Action("operate", "create#1", "E1"))
    for kind in ("abort", "disconnect", "disconnect", "P4", "step"):
        world.perform(Action(kind, "create#1"))
    assert not world.tasks
    counted = [(a.step, a.kind, a.outcome, a.rows) for a in meter(world).accesses]
    assert counted == [
        ("X-1", "insert", "Aborted", 0),
        ("X-2", "insert", "Disconnected", 1),
        ("X-3", "transaction", "Disconnected", 0),
        ("X-3", "read", "matched", 1), ("X-3", "update", "matched", 1), ("T-2", "query", "matched", 1),
        ("X-4", "read", "matched", 1),  # the split
        ("X-4", "transaction", "done", 0),
        ("X-4", "update", "matched", 1), ("T-2", "query", "matched", 1),
    ]  # fmt: skip
    assert meter(world).total[:2] == (4, 8)


def test_a_message_belongs_to_the_operation_it_goes_back_to() -> None:
    def asks(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Send("X-1", "work", (number,))

    def works(self: Design, me: Me, number: int) -> Handler:
        yield Insert(f"W-{number}", ACCOUNT, Account("A"))

    design = toy(create=asks, update=asks, work=works, handlers={"acknowledge": "late"})
    world = World(design, asking("update", "update", engines=3, threads=3, faults={"duplicate": 1, "crash": 1}))
    for number, kind in enumerate(("create", "update", "update"), 1):
        world.perform(Action("operate", f"{kind}#{number}", "E1"))
        world.perform(Action("step", f"{kind}#{number}"))
    world.perform(Action("duplicate", "work(2)"))
    world.perform(Action("deliver", "work(2)#2", "E2"))
    world.perform(Action("deliver", "work(3)", "E2"))
    world.perform(Action("crash", "E2"))
    by_default(world)
    assert {key: tally.accesses for key, tally in meter(world).by("step", "operation").items()} == {
        ("W-1", 1): 1, ("W-2", 2): 2, ("W-3", 3): 1,
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_the_meter_leaves_the_world_alone_and_counts_every_database_effect(seed: int) -> None:
    template = Template([resource("A", {"p": 1}), resource("B", {"p": Ref("A")})])
    faults = {"abort": 2, "disconnect": 2, "crash": 1, "G-single": 1, "PMP": 1, "P4": 1, "duplicate": 1, "slow": 1}
    world = World(Heat(), scenario(create(template), Operation("check"), Operation("delete"), faults=faults))
    for _ in wander(world, seed, 400, faultiness=0.05, eagerness=0.02):
        pass
    before = (len(world.log), len(world.journal), world.program.nodes)
    counted = meter(world)
    assert (len(world.log), len(world.journal), world.program.nodes) == before
    done = [
        e.before.effect.step for e in world.log
        if e.before is not None and isinstance(e.before.effect, Read | Query | Insert | Update | Delete | Transaction)
    ]  # fmt: skip
    assert counted.total.accesses == len(done)
    assert [a.step for a in counted.accesses if not a.inside] == done
    assert all(tally.operation in (1, 2, 3) for tally in counted.accesses)


def test_a_join_is_no_statement_and_adds_no_rows() -> None:
    def joining() -> Generator[Any, Any, None]:
        yield Read("", ACCOUNT, "A")
        yield Read("", ACCOUNT, "B", joined=True)
        yield Query("", ACCOUNT, {"owner": "x"})
        yield Query("", ACCOUNT, {"owner": "y"}, joined=True)
        yield Query("", ACCOUNT, {"owner": "z"}, joined=True)

    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        for name, owner in (("A", "x"), ("B", "y"), ("C", "y")):
            yield Insert("X-1", ACCOUNT, Account(name, owner=owner))
        yield Transaction("X-2", joining)

    counted = meter(by_default(World(toy(create=create), asking()))).accesses
    sizes = [size(Account(name, owner=owner)) for name, owner in (("A", "x"), ("B", "y"), ("C", "y"))]
    assert [(a.kind, a.outcome, a.rows, a.read) for a in counted if a.step == "X-2"] == [
        ("transaction", "done", 0, 0),
        ("read", "matched", 1, sizes[0] + sizes[1]),
        ("query", "matched", 2, sum(sizes)),  # a union: x and y were found, z was not
    ]


def test_a_compared_update_that_changes_nothing_is_not_sent() -> None:
    def comparing(value: int) -> Generator[Any, Any, None]:
        yield Read("", ACCOUNT, "A")
        yield Update("", ACCOUNT, "A", {"value": value}, compared=True)

    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("X-1", ACCOUNT, Account("A", 7))
        yield Transaction("X-2", comparing, (7,))
        yield Transaction("X-3", comparing, (8,))
        yield Update("X-4", ACCOUNT, "A", {"value": 8})

    counted = meter(by_default(World(toy(create=create), asking()))).by("step", "kind")
    assert ("X-2", "update") not in counted
    assert counted["X-3", "update"].matched == counted["X-4", "update"].matched == 1


def test_what_a_design_counts_apart_is_told() -> None:
    def writing() -> Generator[Any, Any, None]:
        yield Query("", ACCOUNT, {})
        yield Insert("", ACCOUNT, Account("B"))

    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Read("X-1", ACCOUNT, "A")
        yield Insert("X-2", ACCOUNT, Account("A"))
        yield Transaction("X-3", writing)

    world = by_default(World(toy(create=create, handlers={"apart": frozenset({"account"})}), asking(faults={"abort": 1})))
    assert [(a.step, a.apart) for a in meter(world).accesses] == [
        ("X-1", ""), ("X-2", "account"), ("X-3", "account"), ("X-3", "account"), ("X-3", "account"),
    ]  # fmt: skip
    assert meter(world).by("apart")["account"].statements == 3


def test_sizes() -> None:
    assert size(Account("A", 10)) == len('{"id":"A","value":10,"owner":null}')
    assert size({"value": True}) == len('{"value":true}')
    assert size(frozenset({"b", "a"})) == len('["a","b"]')
    assert size(Graph([("A", C)], [(("A", U), ("B", U))])) == len('[[["A","C"],null],[["A","U"],["B","U"]]]')
    assert size(Template([resource("A", {"p": Ref("B")}), resource("B")])) == len(
        '{"A":{"name":"A","in_place":[["p",{"resource":"B"}]],"replace":[],"depends_on":[],"kind":"thing","fails":[]},'
        '"B":{"name":"B","in_place":[],"replace":[],"depends_on":[],"kind":"thing","fails":[]}}'
    )


def reading(self: Design, me: Me, *what: Any) -> Handler:
    """Two accesses."""
    yield Read("W-1", ACCOUNT, "A")
    yield Read("W-2", ACCOUNT, "A")


def sends(*what: int) -> Any:
    def operate(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        for one in what:
            yield Send("S-1", "work", (one,))

    return operate


@pytest.mark.parametrize(("acknowledge", "fault"), [("early", Action("overtake", "work(2)")), ("late", Action("crash", "E1"))])
def test_what_is_put_back_into_a_queue_stays_with_its_operation(acknowledge: str, fault: Action) -> None:
    queue = {"order": "fifo", "acknowledge": acknowledge, "front": "api"}
    design = toy(create=sends(1, 2), update=sends(3, 4), work=reading, handlers=queue)
    world = World(design, asking("update", engines=1, threads=1, reorder=False, faults={fault.kind: 1}))
    for name in ("create#1", "update#2"):
        world.perform(Action("operate", name, "api"))
        while name in world.tasks:
            world.perform(Action("step", name))
    if fault.kind == "crash":
        world.perform(Action("deliver", "work(1)", "E1"))
    world.perform(fault)
    while (action := world.default()) is not None:
        world.perform(action)
    assert {number: tally.accesses for number, tally in meter(world).by("operation").items()} == {1: 4, 2: 4}


def test_what_is_compared_and_changes_nothing_is_no_access_in_a_search_either() -> None:
    def writes(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("X-1", ACCOUNT, Account("A", 1))
        yield Update("X-2", ACCOUNT, "A", {"value": 1}, compared=True)
        yield Update("X-3", ACCOUNT, "A", {"value": 2}, compared=True)
        yield Update("X-4", ACCOUNT, "B", {"value": 2}, compared=True)
        yield Update("X-5", ACCOUNT, "A", {"value": 2})

    design = seen_toy(create=writes)
    assert meter(by_default(World(design, asking()))).total.accesses == 3
    assert costs(design, asking(), [at_most(3)]).bounded == {at_most(3).name: 3}


def test_what_is_to_be_joined_to_nothing_counts_by_itself() -> None:
    def reads(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Read("X-1", ACCOUNT, "A", joined=True)
        yield Query("X-2", ACCOUNT, {}, joined=True)
        yield Transaction("X-3", alone)

    def alone() -> Generator[Any, Any, None]:
        yield Query("", ACCOUNT, {}, joined=True)

    counted = meter(by_default(World(toy(create=reads), asking()))).accesses
    assert [(access.step, access.kind) for access in counted] == [
        ("X-1", "read"), ("X-2", "query"), ("X-3", "transaction"), ("X-3", "query"),
    ]  # fmt: skip


def test_bytes_are_those_of_the_row_itself() -> None:
    def writes(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("X-1", ACCOUNT, Account("A", 1))
        yield Insert("X-2", ACCOUNT, Account("B", True))

    one, true = (access.written for access in meter(by_default(World(toy(create=writes), asking()))).accesses)
    assert true == one + len("true") - len("1")
