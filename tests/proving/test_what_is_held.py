"""Handlers hold things in ways that look alike and are not: each design is searched with everything merged that may be, and with nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import pytest

from heatproof.model.design import Design
from heatproof.model.effects import Handler, Insert, Me, Read, Sleep, Update
from heatproof.properties.base import always, witness
from heatproof.strategies.proving.proofs import prove
from tests.model.toys import ACCOUNT, Account, asking
from tests.toys import seen_toy, sending

DAYS = {"mon": 1, "tue": 2}
OFF = tuple((name, False) for name in ("symmetric", "merge", "columns", "versions", "placing"))


@always("never", "It does not come to that.", ["account"])
def never(observation: Any, change: Any) -> Any:
    """What is written at the end."""
    return witness("it does") if change.new.value == 99 else None


def marks(self: Design, me: Me) -> Handler:
    """Comes at any moment."""
    yield Insert("M-1", ACCOUNT, Account("mark"))
    yield Update("M-2", ACCOUNT, "A", {"owner": "other"})


def wrong() -> Update:
    return Update("W-1", ACCOUNT, "A", {"value": 99})


def loops(self: Design, me: Me) -> Handler:
    for _ in DAYS.items():
        for _ in DAYS.items():
            for _ in sorted(DAYS.items()):
                for _ in {1, 2}:
                    row = yield Read("L-1", ACCOUNT, "A")
                    yield Update("L-2", ACCOUNT, "A", {"value": (row.value + 1) % 2})
    yield wrong()


def live(through: Callable[[dict[str, int]], Any]) -> Callable[..., Handler]:
    """Goes through a dictionary, or through a copy of it, that changes meanwhile."""

    def handler(self: Design, me: Me) -> Handler:
        mark = yield Read("D-1", ACCOUNT, "mark")
        left = {"A": 0, "B": 0}
        todo: Any = dict(left) if mark else left
        mark = None
        for name in through(todo):
            todo = None
            yield Sleep("D-2")
            if name == "A":
                left["B"] = 1
            elif name == 0:
                yield wrong()
            elif name == "B" or name == ("B", 1):
                return

    return handler


class Tally:
    """Counts."""

    def __init__(self, left: int):
        self.left = left


@dataclass(frozen=True)
class Job:
    """Never changes, but for what it holds."""

    name: str
    held: Any


class Counter:
    """Counts where nobody looks."""

    __slots__ = ("__left", "name")

    def __init__(self, name: str, left: int):
        self.name, self.__left = name, left

    def down(self) -> int:
        self.__left -= 1
        return self.__left


class Twice(Counter):
    """Has two slots of one name."""

    __slots__ = ("name",)


class Named(NamedTuple):
    """A base of what has attributes."""

    name: str


class Tried(Named):
    """Has attributes beside its items."""

    left: int


def counted(make: Callable[[], Any], down: Callable[[Any], Any]) -> Callable[..., Handler]:
    """Counts down in something that looks the same each time."""

    def handler(self: Design, me: Me) -> Handler:
        held = make()
        while down(held):
            yield Update("C-1", ACCOUNT, "A", {"value": 1})
        yield wrong()

    return handler


def tally(held: Any) -> bool:
    held.held.left -= 1
    return bool(held.held.left)


def tried() -> tuple[Tried, Tried]:
    held = Tried("A")
    held.left = 3
    return held, held


def fewer(held: tuple[Tried, Tried]) -> bool:
    held[0].left -= 1
    return bool(held[1].left)


def emptied(held: set[Any]) -> bool:
    held.pop()
    return bool(held)


def aliased(self: Design, me: Me) -> Handler:
    """Two that are one are counted down together."""
    mark = yield Read("T-1", ACCOUNT, "mark")
    one = Tried("A")
    other = Tried("A") if mark else one
    one.left = other.left = 1
    mark = None
    yield Sleep("T-2")
    one.left = 0
    if other.left:
        yield wrong()


def among(search: Callable[[Any, list[Any]], bool]) -> Callable[..., Handler]:
    """Looks for a row among others, of which it may be one itself."""

    def handler(self: Design, me: Me) -> Handler:
        row = yield Read("R-1", ACCOUNT, "A")
        known = [row]
        if (yield Read("R-2", ACCOUNT, "mark")):
            row = yield Read("R-3", ACCOUNT, "A")
        yield Sleep("R-4")
        if not search(row, known):
            yield wrong()

    return handler


def forgetful(self: Design, me: Me) -> Handler:
    """What it has deleted it cannot delete again."""
    note = 1
    if (yield Read("F-1", ACCOUNT, "mark")):
        del note
    yield Sleep("F-2")
    try:
        del note
    except UnboundLocalError:
        yield wrong()


def by_name(self: Design, me: Me) -> Handler:
    """Looks at its variables without naming them."""
    note = 1 if (yield Read("N-1", ACCOUNT, "mark")) else 2
    yield Sleep("N-2")
    if locals()["note"] == 1:
        yield wrong()


HANDLERS: dict[str, Callable[..., Handler]] = {
    "loops of dictionaries and sets": loops,
    "the items of a dictionary": live(lambda todo: (part for item in todo.items() for part in item)),
    "the values of a dictionary": live(lambda todo: ("A" if n == 0 else value for n, value in enumerate(todo.values()))),
    "a dictionary": live(lambda todo: (name if name == "A" else todo[name] for name in todo)),
    "a frozen thing with one that changes": counted(lambda: Job("A", Tally(3)), tally),
    "a frozen thing with a method": counted(lambda: Job("A", ["a", "b", "c", ""].pop), lambda held: not held.held()),
    "a frozen thing with a slot wrapper": counted(lambda: Job("A", iter([1, 2, 0]).__next__), lambda held: held.held()),
    "a frozen thing with a function": counted(lambda: Job("A", partial(next, iter([1, 2, 0]))), lambda held: held.held()),
    "in a tuple": counted(lambda: ("x", Job("A", Tally(3))), lambda held: tally(held[1])),
    "a private slot": counted(lambda: Counter("A", 4), Counter.down),
    "two slots of one name": counted(lambda: Twice("A", 4), Counter.down),
    "things in a set": counted(lambda: {Tally(1), Tally(1), Tally(1)}, emptied),
    "functions in a set": counted(lambda: {lambda: 1 for _ in range(3)}, emptied),
    "a tuple with attributes": counted(tried, fewer),
    "two tuples with attributes, or one": aliased,
    "a row in a list": among(lambda row, known: row in known),
    "a list of rows": among(lambda row, known: [row] == known),
    "a row in pairs": among(lambda row, known: (1, row) in [(1, other) for other in known]),
    "how often a row is there": among(lambda row, known: known.count(row) == 1),
    "a variable that is deleted": forgetful,
    "variables by name": by_name,
}


@pytest.mark.parametrize("name", HANDLERS)
def test_what_is_held_in_any_way_is_told_apart(name: str) -> None:
    design = seen_toy(create=sending(("go",), ("marks",)), go=HANDLERS[name], marks=marks)
    asked = asking(engines=1, threads=2)
    plain = prove(design, asked, [never], OFF)
    assert plain.complete
    assert set(plain.violations) == {("never", "it does")}
    merged = prove(design, asked, [never])
    assert {key: len(found.actions) for key, found in merged.violations.items()} == {
        key: len(found.actions) for key, found in plain.violations.items()
    }
