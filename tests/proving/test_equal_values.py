"""Values that are equal and not the same (True and 1, 0.0 and -0.0, tuples of two classes, exceptions that differ in an attribute), and values that
look alike (two lambdas on one line, texts that are masked where they are shown), are told apart wherever they go: a handler may do another thing
for each.

What the search finds is held against all schedules, one by one.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from itertools import product
from typing import Any, NamedTuple

import pytest

from heatproof.model.contents import title
from heatproof.model.design import Design
from heatproof.model.effects import Body, Escape, Handler, Insert, Me, Read, Send, Sleep, Transaction, Update
from heatproof.model.observation import Observation
from heatproof.model.scenario import Operation
from heatproof.model.world import World
from heatproof.properties.base import Witness, at_rest, witness
from heatproof.strategies.proving.search import Search
from tests.model.toys import ACCOUNT, Account, asking, outcomes
from tests.toys import seen_toy


class Closed(NamedTuple):
    left: int


class Left(NamedTuple):
    left: int


First = namedtuple("row", "number")  # type: ignore[name-match]  # the name is that of another
Second = namedtuple("row", "number")  # type: ignore[name-match]  # the name is that of another


class Coded(Escape):
    """What went wrong is in an attribute."""

    def __init__(self, code: Any):
        super().__init__("refused")
        self.code = code


class Named(str):
    """A text with something beside it that nobody compares."""

    __slots__ = ("beside",)


def named(beside: str) -> Named:
    text = Named("text")
    text.beside = beside
    return text


class Secret(str):
    """Does not show what it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class Size(int):
    def __repr__(self) -> str:
        return "some"

    @property
    def beside(self) -> int:
        return int(self)


class Plain:
    def __init__(self, beside: int):
        self.beside = beside

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and other.beside == self.beside

    def __hash__(self) -> int:
        return hash(self.beside)

    def __repr__(self) -> str:
        return "Plain"


class Stage(Enum):
    OPEN = 1
    OPENING = 2

    def __str__(self) -> str:
        return "open"

    @property
    def beside(self) -> str:
        return self.name


VALUES: dict[str, tuple[Any, Any]] = {
    "numbers": (1, True),
    "nothing": (False, 0),
    "fractions": (1, 1.0),
    "signs": (0.0, -0.0),
    "digits": (Decimal("1.0"), Decimal("1.00")),
    "classes": (Closed(0), Left(0)),
    "classes of one name": (First(0), Second(0)),
    "in a tuple": (("left", 0), ("left", False)),
    "in a set": (frozenset({1}), frozenset({True})),
    "attributes": (named("one"), named("other")),
    "masked texts": (Secret("one"), Secret("other")),
    "masked numbers": (Size(1), Size(2)),
    "short texts": (Plain(1), Plain(2)),
    "names of members": (Stage.OPEN, Stage.OPENING),
}


def told(value: Any) -> str:
    """What a handler may make of a value."""
    inside = sorted(map(told, value)) if isinstance(value, tuple | frozenset) else value
    kind = type(value).__name__ if type(value) is not Second else "Second"
    return f"{kind} {inside!s} {getattr(value, 'beside', '')}"


def in_a_column(one: Any, other: Any) -> Design:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("C-1", ACCOUNT, Account("A", one))
        yield Send("C-2", "look", ())
        yield Update("C-3", ACCOUNT, "A", {"value": other})

    def look(self: Design, me: Me) -> Handler:
        row = yield Read("L-1", ACCOUNT, "A")
        yield Insert("L-2", ACCOUNT, Account("B", told(row.value)))  # type: ignore[arg-type]  # any column may hold anything

    return seen_toy(create=create, look=look)


def in_a_message(one: Any, other: Any) -> Design:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        for value in (one, other):
            yield Send("C-1", "look", (value,))

    def look(self: Design, me: Me, value: Any) -> Handler:
        if (yield Read("L-1", ACCOUNT, "B")) is None:
            yield Insert("L-2", ACCOUNT, Account("B", told(value)))  # type: ignore[arg-type]  # any column may hold anything

    return seen_toy(create=create, look=look)


def _racing(body: Callable[[], Body], look: Callable[..., Handler]) -> Design:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("C-1", ACCOUNT, Account("A"))
        yield Send("C-2", "look", ())
        yield Update("C-3", ACCOUNT, "A", {"value": 1})

    def looking(self: Design, me: Me) -> Handler:
        yield from look(Transaction("L-1", body))

    return seen_toy(create=create, look=looking)


def answered(one: Any, other: Any) -> Design:
    def body() -> Body:
        row = yield Read("T-1", ACCOUNT, "A")
        return (one, other)[row.value]

    def look(asked: Transaction) -> Handler:
        value = yield asked
        yield Sleep("L-2")  # it is held meanwhile
        yield Insert("L-3", ACCOUNT, Account("B", told(value)))  # type: ignore[arg-type]  # any column may hold anything

    return _racing(body, look)


def raised(one: Any, other: Any) -> Design:
    def body() -> Body:
        row = yield Read("T-1", ACCOUNT, "A")
        raise Coded((one, other)[row.value])

    def look(asked: Transaction) -> Handler:
        try:
            yield asked
        except Coded as error:
            yield Sleep("L-2")
            yield Insert("L-3", ACCOUNT, Account("B", told(error.code)))  # type: ignore[arg-type]  # any column may hold anything

    return _racing(body, look)


def raised_from_another(one: Any, other: Any) -> Design:
    def body() -> Body:
        row = yield Read("T-1", ACCOUNT, "A")
        raise Escape("refused") from Coded((one, other)[row.value])

    def look(asked: Transaction) -> Handler:
        try:
            yield asked
        except Escape as error:
            cause: Any = error.__cause__
            yield Sleep("L-2")
            yield Insert("L-3", ACCOUNT, Account("B", told(cause.code)))  # type: ignore[arg-type]  # any column may hold anything

    return _racing(body, look)


WAYS = {"column": in_a_column, "message": in_a_message, "answer": answered, "exception": raised, "cause": raised_from_another}
SWITCHES: tuple[dict[str, Any], ...] = (
    {}, {"merge": False}, {"symmetric": False}, {"placing": False}, {"symmetric": False, "merge": False, "columns": False, "placing": False},
)  # fmt: skip


@at_rest("nothing is noted", "There is no note.")
def noted(observation: Observation) -> Iterable[Witness]:
    if "B" in observation.resources:
        yield witness(str(observation.resources["B"].value))


def lambdas(first: bool) -> Callable[[], str]:
    return (lambda: "one") if first else (lambda: "other")


def nested_lambdas(first: bool) -> Callable[[], str]:
    return (lambda: (lambda: "one")()) if first else (lambda: (lambda: "other")())


def expressions(first: bool) -> Callable[[], str]:
    generator = (text for text in ["one"]) if first else (text + "r" for text in ["othe"])
    return generator.__next__


def classes(first: bool) -> Callable[[], str]:
    class Policy:
        text = "one" if first else "other"

    return lambda: Policy.text


def things(first: bool) -> Callable[[], str]:
    class Policy:
        text = "one" if first else "other"

        def __call__(self) -> str:
            return self.text

    return Policy()


def made_classes(first: bool) -> Callable[[], str]:
    policy: Any = type("Policy", (), {"text": "one" if first else "other"})
    return lambda: str(policy.text)


def made_tuples(first: bool) -> Callable[[], str]:
    class Policy(NamedTuple):
        number: int = 0

        def __call__(self) -> str:
            return "one" if first else "other"

    return Policy()


MAKERS = [lambdas, nested_lambdas, expressions, classes, things, made_classes, made_tuples]


def keeping(make: Callable[[bool], Callable[[], str]]) -> Design:
    def body() -> Body:
        row = yield Read("T-1", ACCOUNT, "A")
        return not row.value

    def look(asked: Transaction) -> Handler:
        kept = make((yield asked))
        yield Sleep("L-2")
        yield Sleep("L-3")
        yield Insert("L-4", ACCOUNT, Account("B", kept()))  # type: ignore[arg-type]  # any column may hold anything

    return _racing(body, look)


def at_the_end(world: World) -> str:
    return str(world.database.rows[ACCOUNT]["B"].value)


@pytest.mark.parametrize(("way", "values"), list(product(WAYS, VALUES)))
def test_what_becomes_of_each_is_found(way: str, values: str) -> None:
    design = WAYS[way](*VALUES[values])
    found_as_all_schedules_say(design, set(map(told, VALUES[values])))


def _noted(error: Any) -> int:
    error.add_note("once")
    return len(error.__notes__)


def _listed(error: Any) -> int:
    error.code.append("once")
    return len(error.code)


def _counted(error: Any) -> int:
    error.times = getattr(error, "times", 0) + 1
    return int(error.times)


def _argued(error: Any) -> int:
    error.args = (*error.args, "once")
    return len(error.args) - 1


@pytest.mark.parametrize("change", [_noted, _listed, _counted, _argued])
def test_what_a_handler_does_to_an_exception_is_not_there_when_it_is_run_again(change: Callable[[Any], int]) -> None:
    def body() -> Body:
        yield Read("T-1", ACCOUNT, "A")
        raise Coded([])

    def look(asked: Transaction) -> Handler:
        try:
            yield asked
        except Coded as error:
            times = change(error)
            row = yield Read("L-2", ACCOUNT, "A")  # where it goes on in two ways
            yield Insert("L-3", ACCOUNT, Account("B", f"{times} {row.value}"))  # type: ignore[arg-type]  # any column may hold anything

    found_as_all_schedules_say(_racing(body, look), {"1 0", "1 1"})


@dataclass(frozen=True)
class Holding:
    """A value that holds a list which nobody compares."""

    items: list[str] = field(default_factory=list, compare=False)


class Listed(list[str]):
    """A list that can be looked up."""

    def __hash__(self) -> int:  # type: ignore[override]  # of a list it is None
        return 1


class Beside(tuple[Any, ...]):
    """A tuple that may have more than its items."""


def _closing() -> Callable[[], list[str]]:
    items: list[str] = []
    return lambda: items


def _one_more(answer: Any) -> int:
    if isinstance(answer, Beside):
        vars(answer)["times"] = vars(answer).get("times", 0) + 1
        return int(vars(answer)["times"])
    items = answer() if callable(answer) else getattr(answer, "items", answer)
    items.append("once")
    return len(items)


@pytest.mark.parametrize("answer", [Holding, Listed, Beside, _closing])
def test_what_a_handler_does_to_an_answer_is_not_there_when_it_is_run_again(answer: Callable[[], Any]) -> None:
    def body() -> Body:
        yield Read("T-1", ACCOUNT, "A")
        return answer()

    def look(asked: Transaction) -> Handler:
        times = _one_more((yield asked))
        row = yield Read("L-2", ACCOUNT, "A")  # where it goes on in two ways
        yield Insert("L-3", ACCOUNT, Account("B", f"{times} {row.value}"))  # type: ignore[arg-type]  # any column may hold anything

    found_as_all_schedules_say(_racing(body, look), {"1 0", "1 1"})


@pytest.mark.parametrize("carried", [Holding, Listed, Beside, _closing])
def test_what_a_handler_does_to_its_message_is_not_there_when_it_is_run_again(carried: Callable[[], Any]) -> None:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("C-1", ACCOUNT, Account("A"))
        yield Send("C-2", "look", (carried(),))
        yield Update("C-3", ACCOUNT, "A", {"value": 1})

    def looking(self: Design, me: Me, message: Any) -> Handler:
        times = _one_more(message)
        row = yield Read("L-2", ACCOUNT, "A")
        yield Insert("L-3", ACCOUNT, Account("B", f"{times} {row.value}"))  # type: ignore[arg-type]  # any column may hold anything

    found_as_all_schedules_say(seen_toy(create=create, look=looking), {"1 0", "1 1"})


@pytest.mark.parametrize("make", MAKERS)
def test_what_is_held_is_found(make: Callable[[bool], Callable[[], str]]) -> None:
    found_as_all_schedules_say(keeping(make), {"one", "other"})


def found_as_all_schedules_say(design: Design, ends: set[str]) -> None:
    assert outcomes(World(design, asking(engines=1, threads=2)), at_the_end) == ends, "each is what becomes of some schedule"
    for switches in SWITCHES:
        search = Search(design, asking(engines=1, threads=2), [noted], **switches)
        assert search.run().complete
        assert {kind for _, kind in search.result.violations} == ends, switches


def test_a_class_has_the_name_of_a_variable_of_its_module_too() -> None:
    assert [title(kind) for kind in (First, Second, Stage, int)] == [
        f"{__name__}.First",
        f"{__name__}.Second",
        f"{__name__}.Stage",
        "int",
    ]
    assert title(type(things(True))) == ""


# ------------------------------------------------------------------------------------------------- what reads like an engine


CODES = {0: "E1", 1: "E2"}


def spelled(number: int) -> str:
    return f"E{number + 1}"


def looked_up(number: int) -> str:
    return CODES[number]


@pytest.mark.parametrize("code", [spelled, looked_up])
def test_texts_that_read_like_engines_are_not_exchanged_with_them(code: Callable[[int], str]) -> None:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("C-1", ACCOUNT, Account("A"))
        for which in range(2):
            yield Send("C-2", "work", (which,))

    def work(self: Design, me: Me, which: int) -> Handler:
        yield Update("W-1", ACCOUNT, "A", {"owner": code(which)})
        yield Send("W-2", "told", (me.engine,))

    def tell(self: Design, me: Me, engine: str) -> Handler:
        yield Read("T-1", ACCOUNT, "A")

    @at_rest("nobody owns it", "The account has no owner.")
    def owned(observation: Observation) -> Iterable[Witness]:
        yield witness(str(observation.resources["A"].owner))

    design = seen_toy(create=create, work=work, told=tell)
    search = Search(design, asking(engines=2, threads=1), [owned])
    assert search.run().complete
    assert {kind for _, kind in search.result.violations} == {"E1", "E2"}
