"""Continuations: equal exactly where the future is equal."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from functools import partial
from threading import local
from typing import Any, NamedTuple

import pytest

from heatproof.model.contents import Opaque, _hides, fields
from heatproof.model.continuations import Pool, continuation, readable

Gen = Generator[Any, Any, Any]


def stand(make: Callable[..., Gen], args: tuple[Any, ...], sent: list[Any]) -> Gen:
    """A generator that was sent these values."""
    gen = make(*args)
    next(gen)
    for value in sent:
        gen.send(value)
    return gen


def forgetful(a: int) -> Gen:
    got = yield a
    del got
    yield "again"
    yield "end"


def remembering(a: int) -> Gen:
    got = yield a
    yield "again"
    yield got


def looping(items: tuple[int, ...]) -> Gen:
    for _ in items:
        yield "at"
    yield "end"


def nested(a: int) -> Gen:
    for _ in range(2):
        got = yield from remembering(a)
        del got


def overwriting(a: int) -> Gen:
    row = yield a
    if row:
        row = yield "second"
    yield row


def aliased(same: bool) -> Gen:
    one: list[int] = []
    two = one if same else []
    yield "written through one"
    one.append(1)
    yield len(two)


def guarded(a: int) -> Gen:
    got = yield a
    try:
        yield "may raise"
    except KeyError:
        yield got


def stumbling(a: int) -> Gen:
    got = yield a
    try:
        if got:
            raise KeyError(a)
    except KeyError:
        del got
    else:
        del got
    yield "behind it"


def closing(a: int) -> Gen:
    got = yield a
    hold = lambda: got  # noqa: E731
    yield "held"
    yield hold()


def test_this_interpreter_is_understood() -> None:
    assert readable()


@pytest.mark.parametrize(
    ("make", "args", "one", "other", "same"),
    [
        (forgetful, (1,), ["x"], ["y"], True),
        (forgetful, (1,), ["x"], ["y", "z"], False),
        (remembering, (1,), ["x"], ["y"], False),
        (remembering, (1,), ["x", 1], ["y", 2], True),
        (looping, ((1, 1, 1),), [0], [0, 0], False),
        (looping, ((1, 1, 1),), [5, 6], [7, 8], True),
        (nested, (1,), ["x"], ["y"], False),
        (nested, (1,), ["x", 0], ["y", 0], True),
        (nested, (1,), ["x", 0, 0], ["x"], False),
        (overwriting, (1,), ["x"], ["y"], True),
        (guarded, (1,), ["x"], ["y"], False),
        (stumbling, (1,), [True], [False], True),
        (closing, (1,), ["x"], ["y"], False),
        (closing, (1,), ["x"], ["x"], True),
    ],
)
def test_equal_continuations(make: Callable[..., Gen], args: tuple[Any, ...], one: list[Any], other: list[Any], same: bool) -> None:
    first, second = continuation(stand(make, args, one)), continuation(stand(make, args, other))
    assert first is not None
    assert second is not None
    assert (first == second) is same
    assert not same or hash(first) == hash(second)


def test_the_same_object_twice_is_not_two_equal_objects() -> None:
    assert continuation(stand(aliased, (True,), [])) != continuation(stand(aliased, (False,), []))


def test_what_cannot_be_looked_into_has_no_continuation() -> None:
    def odd() -> Gen:
        for item in map(str, [1, 2]):
            yield item * 2

    assert continuation(stand(odd, (), [])) is None


class Flag(IntEnum):
    """A number with a name."""

    ON = 1


class Text(str):
    """A text with attributes."""


class Slotted:
    """With slots only."""

    __slots__ = ("one", "two")


@pytest.mark.parametrize(
    "kind", [object, Slotted, Flag, Text, type("Numbers", (tuple,), {}), type("Own", (dict,), {"__slots__": ("one",)})]
)
def test_classes_that_keep_nothing_in_c(kind: Any) -> None:
    assert not _hides(type("Derived", (kind,), {})) if kind is not Flag else not _hides(Flag)


@pytest.mark.parametrize("kind", [partial, deque, OrderedDict, local])
def test_what_is_kept_in_c_cannot_be_looked_into(kind: Any) -> None:
    derived = type("Derived", (kind,), {})
    made = derived(print) if kind is partial else derived()
    made.one = 1
    with pytest.raises(Opaque):
        fields(made)


@dataclass(frozen=True)
class Frozen:
    inside: Any


def holding(make: Callable[[Any], Any]) -> Gen:
    """Holds something that is compared by what it holds, and could be hashed if that could."""
    inside = [1]
    held = make(inside)
    yield "held"
    inside.append(2)
    yield held


@pytest.mark.parametrize("make", [Frozen, lambda inside: (Frozen(inside), 1), lambda inside: Frozen({"a": inside})])
def test_what_is_frozen_may_hold_what_is_not(make: Callable[[Any], Any]) -> None:
    first, second, other = (stand(holding, (way,), []) for way in (make, make, lambda inside: make([1])))
    assert continuation(first) is not None
    assert continuation(first) == continuation(second)
    assert continuation(first) != continuation(other)  # nobody writes into that list through another name


class Names(list[Any]):
    """A list with attributes."""


class Pairs(dict[Any, Any]):
    """A dictionary with attributes."""


class Numbers(tuple[Any, ...]):
    """A tuple with attributes."""


class Few(frozenset[Any]):
    """A set with attributes."""


class Count(int):
    """A number with attributes."""


class Alike:
    """Compared with nothing that it holds."""

    def __init__(self, number: int):
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alike)

    def __hash__(self) -> int:
        return 1


class Blind(NamedTuple):
    """A tuple that is compared by one of its items."""

    name: str
    number: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Blind) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(frozen=True)
class Half:
    """Compared by one of its fields."""

    name: str
    number: int = field(default=0, compare=False)


def with_number(thing: Any, number: int) -> Any:
    thing.number = number
    return thing


def function_with(number: int) -> Any:
    def helper() -> Any:
        return helper.number  # type: ignore[attr-defined]  # functions may have any

    return with_number(helper, number)


def caused(number: int, chain: bool) -> Any:
    try:
        try:
            raise KeyError(number)
        except KeyError as cause:
            if chain:
                raise ValueError("bad") from cause
            raise ValueError("bad")  # noqa: B904  # the context is what is looked for
    except ValueError as error:
        return error


@dataclass(frozen=True, repr=False)
class Mute:
    """Says nothing of what it holds."""

    number: int


HIDDEN: dict[str, Callable[[int], Any]] = {
    "attribute of a function": function_with,
    "attribute of a list": lambda n: with_number(Names(), n),
    "attribute of a dictionary": lambda n: with_number(Pairs(), n),
    "attribute of a tuple": lambda n: with_number(Numbers((1,)), n),
    "attribute of a frozenset": lambda n: with_number(Few((1,)), n),
    "attribute of a text": lambda n: with_number(Text("a"), n),
    "attribute of a number": lambda n: with_number(Count(1), n),
    "attribute of a tuple in a tuple": lambda n: (with_number(Numbers((1,)), n),),
    "field that is not compared": lambda n: Half("a", n),
    "the same in a tuple": lambda n: (Half("a", n), 1),
    "field that is not shown": Mute,
    "kind of a field that is not shown": lambda n: Mute(True if n else 1),
    "equal by definition": Alike,
    "tuple that is equal by definition": lambda n: Blind("a", n),
    "the same in a frozenset": lambda n: frozenset({Blind("a", n)}),
    "default": lambda n: defaultdict(lambda: n),
    "cause": lambda n: caused(n, True),
    "context": lambda n: caused(n, False),
    "name of an error": lambda n: NameError("bad", name=str(n)),
    "note of an error": lambda n: with_number(ValueError("bad"), n),
    "sign of nothing": lambda n: -0.0 if n else 0.0,
    "the same in a tuple, twice": lambda n: ((-0.0 if n else 0.0,), 1),
    "kind of a number": lambda n: (True,) if n else (1,),
    "kind of a number in a set": lambda n: frozenset({1.0 if n else 1}),
    "digits": lambda n: Decimal("1.00" if n else "1.0"),
    "hour": lambda n: datetime(2014, 1, 1, 12 + n, tzinfo=timezone(timedelta(hours=n))),
    "order of a dictionary": lambda n: {"a": 0, "b": 1} if n else {"b": 1, "a": 0},
    "order of an ordered dictionary": lambda n: OrderedDict([("a", 0), ("b", 1)][:: -1 if n else 1]),
}


def keeping(make: Callable[[int], Any], number: int) -> Gen:
    kept = make(number)
    yield "held"
    yield kept


@pytest.mark.parametrize("name", sorted(HIDDEN))
def test_what_can_be_told_apart_is_told_apart(name: str) -> None:
    pool = Pool()
    zero, one = (pool.of(stand(keeping, (HIDDEN[name], number), [])) for number in (0, 1))
    assert zero is None or zero is not one


@pytest.mark.parametrize("name", sorted(HIDDEN.keys() - {"default", "attribute of a function", "hour", "digits"}))
def test_what_is_the_same_is_the_same(name: str) -> None:
    pool = Pool()
    first, second = (pool.of(stand(keeping, (HIDDEN[name], 1), [])) for _ in range(2))
    assert first is not None
    assert first is second


def going_through(make: Callable[[], Any], steps: int) -> Gen:
    """Stands in the middle of something."""
    it = iter(make())
    for _ in range(steps):
        next(it, None)
    yield "at"
    yield next(it, "over")


@pytest.mark.parametrize(
    "make",
    [
        lambda: [1, 1], lambda: (1, 1), lambda: "aa", lambda: b"aa", lambda: {1: 1, 2: 1}, lambda: {1: 1, 2: 1}.values(),
        lambda: {1: 1, 2: 1}.items(), lambda: {1, 2}, lambda: frozenset((1, 2)), lambda: reversed([1, 1]), lambda: reversed({1: 1, 2: 1}),
        lambda: enumerate([1, 1]), lambda: zip([1, 1], [1, 1], strict=True), lambda: range(2), lambda: reversed({1: 1, 2: 1}.items()),
    ],
)  # fmt: skip
def test_an_iterator_stands_somewhere_and_comes_to_its_end(make: Callable[[], Any]) -> None:
    pool = Pool()
    shown = [[pool.of(stand(going_through, (make, steps), [])) for _ in range(2)] for steps in range(5)]
    assert all(one is other is not None for one, other in shown)
    assert len({one for one, _ in shown[:3]}) == 3
    assert shown[3] == shown[4]


def test_an_iterator_whose_dictionary_has_grown_has_no_continuation() -> None:
    def grows() -> Gen:
        entries = {1: 1, 2: 2}
        it = iter(entries)
        next(it)
        entries[3] = 3
        yield "at"
        yield next(it)

    assert Pool().of(stand(grows, (), [])) is None
