"""What is looked through is come across in the order of its keys, whenever it came."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from heatproof.model import effects as fx
from heatproof.model.design import Design
from heatproof.model.in_order import InOrder, in_order
from heatproof.model.scenario import Operation, create, scenario
from heatproof.model.watching import WorldObservation
from heatproof.model.world import World
from heatproof.properties.base import always, witness
from heatproof.strategies.proving.proofs import prove
from heatproof.strategies.running import Driver


class Slip(NamedTuple):
    """A row with a number for a key."""

    number: int
    note: str = ""


SLIP = fx.Table("slip", Slip, key="number")


class Slips(Design):
    """Puts rows in an order that is not that of their keys."""

    name = "slips"
    tables = (SLIP,)
    messages = ("other",)
    operations = {"create": "first"}  # noqa: RUF012  # as designs have it

    def first(self, me: fx.Me, number: int, operation: Operation) -> fx.Handler:
        yield fx.Send("1", "other", ())
        yield fx.Insert("2", SLIP, Slip(10, "ten"))
        yield fx.Insert("3", SLIP, Slip(2, "two"))
        yield fx.Read("5", SLIP, 2)

    def other(self, me: fx.Me) -> fx.Handler:
        yield fx.Insert("4", SLIP, Slip(1, "one"))
        yield fx.Read("6", SLIP, 1)

    def observe(self, world: World) -> WorldObservation:
        observation: Any = WorldObservation(world)
        observation.slips = world.database.rows[SLIP]
        return observation  # type: ignore[no-any-return]  # an attribute was put on it


@always("slips", "No slip is written.", ["slip"])
def slips(observation: Any, change: Any) -> Any:
    """One kind for what is come across, and who runs, in the order in which it is."""
    return witness(f"{[row.note for row in observation.slips.values()]} {list(observation.tasks)}")


def test_a_search_comes_across_things_as_a_run_does() -> None:
    asked = scenario(create([]), engines=1, threads=1)
    found = prove(Slips(), asked, [slips]).violations
    assert ("slips", "['one', 'two', 'ten'] ['create#1', 'other()']") in found
    for key, seen in found.items():
        driver = Driver(Slips(), asked, [slips])
        for action in seen.actions:
            driver.perform(action)
        assert key in driver.monitor.violations


def test_an_undo_leaves_things_as_they_were_come_across() -> None:
    world = World(Slips(), scenario(create([]), engines=1, threads=1))
    rows = world.database.rows[SLIP]
    while (action := world.default()) is not None:
        world.perform(action)
    assert list(rows) == [1, 2, 10]
    mark = len(world.journal)
    world.database.delete(fx.Delete("", SLIP, {"number": 2}))
    world.database.rollback(mark)
    assert [row.number for row in rows.values()] == [key for key, _ in rows.items()] == list(rows.keys()) == [1, 2, 10]
    assert list(reversed(rows)) == [10, 2, 1]
    assert list(dict(rows)) == list(rows.copy()) == [1, 2, 10]
    assert repr(rows) == repr(dict(rows))


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([10, 9], [9, 10]),
        (["b", "a"], ["a", "b"]),
        ([("a", 10), ("a", 9)], [("a", 9), ("a", 10)]),
        ([("b", None), ("a", "c")], [("a", "c"), ("b", None)]),
        (["b", 1, None], ["b", 1, None]),
        ([Slip(10), Slip(2)], [Slip(2), Slip(10)]),
        ([((10, 1), "a"), ((2, 1), "a")], [((2, 1), "a"), ((10, 1), "a")]),
        ([1.5, 10, 2], [1.5, 2, 10]),
        ([Decimal(10), Decimal(2)], [Decimal(2), Decimal(10)]),
        ([timedelta(10), timedelta(2)], [timedelta(2), timedelta(10)]),
        ([frozenset({2, 1}), frozenset({1})], [frozenset({1, 2}), frozenset({1})]),
    ],
)
def test_keys_have_an_order_whatever_they_are(keys: list[Any], expected: list[Any]) -> None:
    assert in_order(keys) == in_order(keys[::-1]) == expected
    entries: InOrder[Any, int] = InOrder()
    for number, key in enumerate(keys):
        entries[key] = number
    assert list(entries) == expected


@always("as a whole", "No table is looked at as a whole.", ["slip"])
def as_a_whole(observation: Any, change: Any) -> Any:
    """One kind for what a table is as a whole."""
    rows = observation.slips
    return witness(f"{rows == {}} {rows != {}} {len(rows.copy())} {rows} {observation.memory == {}} {[*({**rows} | {})]}")


def test_a_table_may_be_compared_copied_and_shown() -> None:
    asked = scenario(create([]), engines=1, threads=1)
    found = prove(Slips(), asked, [as_a_whole]).violations
    assert len(found) > 4
    for key, seen in found.items():
        assert key[1].startswith("False True ")
        driver = Driver(Slips(), asked, [as_a_whole])
        for action in seen.actions:
            driver.perform(action)
        assert key in driver.monitor.violations
