"""What is the same, and what a value is called, where values say little of themselves."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

import pytest

from heatproof.model.canonical import canonical
from heatproof.model.contents import exact, same
from heatproof.strategies.proving.symmetry import Renderer


class Bare:
    """Is equal by what it holds, and its text is an address."""

    def __init__(self, number: int, beside: int = 0):
        self.number, self.beside = number, beside

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bare) and other.number == self.number

    def __hash__(self) -> int:
        return hash(self.number)


class Canonical(Bare):
    def canonical(self) -> tuple[int, int]:
        return self.number, self.beside


class Knot:
    """Holds itself."""

    def __init__(self, number: int):
        self.number, self.me = number, self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Knot)

    def __hash__(self) -> int:
        return 1

    def __repr__(self) -> str:
        return "Knot"


class Odd(tuple[int, ...]):
    """Is equal to any other."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Odd)

    def __hash__(self) -> int:
        return 1


class Shy(tuple[Any, ...]):
    """Is compared as any tuple, and does not show what it holds to who goes through it."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __getitem__(self, place: Any) -> Any:
        return None


class Mark(Enum):
    """Members that hold nothing that could be shown."""

    ONE = object()
    OTHER = object()  # noqa: PIE796  # it is another object


@pytest.mark.parametrize(
    "make", [Bare, Canonical, Knot, lambda number: Odd((number,)), lambda number: Mark.ONE if number else Mark.OTHER]
)
def test_what_is_made_alike_is_the_same_and_no_other_is(make: Any) -> None:
    assert same(make(1), make(1))
    assert not (make(1) == make(0) and same(make(1), make(0)))


def test_what_is_not_compared_counts_too() -> None:
    assert not same(Bare(1, 1), Bare(1, 2))
    assert not same(Canonical(1, 1), Canonical(1, 2))
    assert not same(Odd((1,)), Odd((1, 2)))


def test_a_tuple_is_read_past_what_its_class_shows() -> None:
    for _ in range(2):  # a class that was seen before is asked less
        assert same(Shy((1, 0.0)), Shy((1, 0.0)))
        assert not same(Shy((1,)), Shy((True,)))
        assert not same(Shy((0.0,)), Shy((-0.0,)))


@pytest.mark.parametrize(("one", "other"), [((1, 2), (True, 2)), ((1, "a"), (True, "a")), ((0.0, 1), (-0.0, 1)), ((False,), (0,))])
def test_sets_of_equal_values_that_are_not_the_same(one: Any, other: Any) -> None:
    assert frozenset(one) == frozenset(other)
    assert not same(frozenset(one), frozenset(other))
    assert same(frozenset(one), frozenset(tuple(one)))


def test_the_same_key_is_found_again() -> None:
    table: dict[Any, Any] = {}
    for value in (Canonical(1, 1), Canonical(1, 2), Canonical(1, 1), Canonical(1, 2)):
        key = exact(table, value, lambda met: met)
        table.setdefault(key, value)
    assert [value.beside for value in table.values()] == [1, 2]


@pytest.mark.parametrize("text", [canonical, Renderer().text], ids=["fingerprint", "search"])
def test_texts_of_what_holds_itself_or_nothing(text: Any) -> None:
    assert text(Knot(1)) == text(Knot(1)) != text(Knot(2))
    assert text(Mark.ONE) != text(Mark.OTHER)
    assert text(Mark.ONE).endswith("Mark.ONE")
