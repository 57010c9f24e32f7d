"""Database anomalies: each shows with its own fault, and with nothing else."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from heatproof.model.anomalies import splits
from heatproof.model.database import Database
from heatproof.model.design import Design
from heatproof.model.effects import (
    Aborted,
    Handler,
    Insert,
    Me,
    Query,
    Read,
    Send,
    Transaction,
    Update,
)
from heatproof.model.scenario import Operation
from heatproof.model.world import Action, World
from tests.model.toys import ACCOUNT, Account, asking, by_default, outcomes, toy

Body = Generator[Any, Any, Any]


ANOMALIES = ("PMP", "G-single", "G2-item", "P4")


def two_tasks(one: Any, other: Any, *rows: Account) -> Design:
    """Creates these rows and runs two transactions at the same time; what each returns becomes the value of row R1 or R2."""

    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        for row in rows:
            yield Insert("I-1", ACCOUNT, row)
        yield Send("I-2", "first", ())
        yield Send("I-2", "second", ())

    def first(self: Design, me: Me) -> Handler:
        result = yield Transaction("F-1", one)
        yield Insert("F-2", ACCOUNT, Account("R1", result))

    def second(self: Design, me: Me) -> Handler:
        result = yield Transaction("S-1", other)
        yield Insert("S-2", ACCOUNT, Account("R2", result))

    return toy(create=create, first=first, second=second)


def both_add() -> Body:
    row = yield Read("", ACCOUNT, "A")
    yield Update("", ACCOUNT, "A", {"value": row.value + 1})


def leave_if(other: str, mine: str) -> Any:
    """Of two on duty one may leave while the other stays."""

    def body() -> Body:
        row = yield Read("", ACCOUNT, other)
        if row.value:
            yield Update("", ACCOUNT, mine, {"value": 0})

    return body


def sum_up() -> Body:
    a = yield Read("", ACCOUNT, "A")
    b = yield Read("", ACCOUNT, "B")
    return a.value + b.value


def move() -> Body:
    yield Update("", ACCOUNT, "A", {"value": 0})
    yield Update("", ACCOUNT, "B", {"value": 2})


def count_twice() -> Body:
    before = yield Query("", ACCOUNT, {"owner": "x"})
    after = yield Query("", ACCOUNT, {"owner": "x"})
    return len(after) - len(before)


def one_more() -> Body:
    yield Insert("", ACCOUNT, Account("C", 0, "x"))


TOYS = {
    "P4": (two_tasks(both_add, both_add, Account("A")), "A", {2}, {1, 2}),
    "G2-item": (two_tasks(leave_if("B", "A"), leave_if("A", "B"), Account("A", 1), Account("B", 1)), "AB", {1}, {0, 1}),
    "G-single": (two_tasks(sum_up, move, Account("A", 1), Account("B", 1)), "R1", {2}, {2, 3}),
    "PMP": (two_tasks(count_twice, one_more, Account("A", 0, "x")), "R1", {0}, {0, 1}),
}


@pytest.mark.parametrize("fault", ANOMALIES)
@pytest.mark.parametrize("anomaly", TOYS)
def test_each_anomaly_shows_with_its_fault_and_with_no_other(anomaly: str, fault: str) -> None:
    design, rows, sound, broken = TOYS[anomaly]

    def told(world: World) -> int:
        table = world.database.rows[ACCOUNT]
        return sum(table[key].value for key in ([rows] if rows in table else rows))

    world = World(design, asking(engines=1, faults={fault: 1}))
    assert outcomes(world, told) == (broken if fault == anomaly else sound)
    assert not world.log


def test_a_transaction_without_an_earlier_read_has_no_anomaly() -> None:
    world = World(two_tasks(move, move, Account("A", 1), Account("B", 1)), asking(faults=dict.fromkeys(ANOMALIES, 1)))
    while world.progress() or world.operations():
        world.perform((world.progress() or world.operations())[-1])
        assert not world.faults()


def test_a_split_transaction_that_is_aborted_begins_anew() -> None:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("I-1", ACCOUNT, Account("A"))
        try:
            yield Transaction("F-1", both_add)
        except Aborted:
            yield Update("F-2", ACCOUNT, "A", {"value": 10})
            yield Transaction("F-3", both_add)

    world = World(toy(create=create), asking(faults={"P4": 1, "abort": 1}))
    world.perform(Action("operate", "create#1", "E1"))
    for kind in ("step", "P4", "abort"):
        world.perform(Action(kind, "create#1"))
    assert by_default(world).database.rows[ACCOUNT]["A"].value == 11, "not what the aborted one had read"


def _two(joined: bool) -> Body:
    yield Read("", ACCOUNT, "A")
    yield Read("", ACCOUNT, "B", joined=joined)


def test_what_one_statement_reads_is_of_one_moment() -> None:
    database = Database((ACCOUNT,), [])
    assert splits(database, Transaction("X-1", _two, (False,))) == {"G-single": 1}
    assert splits(database, Transaction("X-1", _two, (True,))) == {}
