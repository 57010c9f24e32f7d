"""A row of the state is followed to whoever gets it: as a result, in a message, in what is remembered or thrown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from heatproof.model.design import Design
from heatproof.model.effects import Body, Escape, Handler, Insert, Me, Read, Refused, Send, Sleep, Transaction
from heatproof.model.errors import DesignError
from heatproof.model.observation import Change, Observation
from heatproof.model.scenario import Operation
from heatproof.properties.base import Witness, always, at_rest, seen, witness
from heatproof.strategies.proving.learning import LearningWorld
from heatproof.strategies.proving.search import Search
from tests.model.toys import asking
from tests.proving.test_columns import CELL, Cell, Holder, seen_cells, silence
from tests.proving.test_looks import Whole, same, say, searched, starting, writing


@dataclass(frozen=True)
class Box:
    """Something that a row may be in."""

    inside: Any


class Found(Escape):
    """Something that is thrown with a row."""


class Marked(Escape):
    """The same, in an attribute."""

    def __init__(self, row: Any):
        super().__init__()
        self.row = row


def _row() -> Body:
    row = yield Read("L-7", CELL, "A")
    return row


def _inside(make: Callable[[Any], Any]) -> Callable[[], Body]:
    def body() -> Body:
        row = yield Read("L-7", CELL, "A")
        return make(row)

    return body


def _throwing(kind: type[Escape]) -> Callable[[], Body]:
    def body() -> Body:
        row = yield Read("L-7", CELL, "A")
        raise kind(row)
        yield

    return body


RESULTS: dict[str, tuple[Callable[[], Body], Callable[[Any], Any]]] = {
    "a row": (_row, lambda got: got.one),
    "a pair": (_inside(lambda row: (1, row)), lambda got: got[1].one),
    "two of them": (_inside(lambda row: (row, (row, 2))), lambda got: (got[0].one, got[1][0].two)),
    "a row and a copy": (_inside(lambda row: (row._replace(one=5), row)), lambda got: (got[0].two, got[1].one)),
    "a set": (_inside(lambda row: frozenset([row])), lambda got: next(iter(got)).one),
    "a thing": (_inside(Box), lambda got: got.inside.one),
    "a thing in a row": (_inside(lambda row: Cell("C", Box(row))), lambda got: got.one.inside.one),  # type: ignore[arg-type]  # no number on purpose
    "a thing that is what it is": (_inside(Holder), lambda got: got.row.one),
    "a list in a thing": (_inside(lambda row: Holder([row])), lambda got: got.row[0].one),  # type: ignore[arg-type]  # no row but a list of one
    "what it throws": (_throwing(Found), lambda got: got.args[0].one),
    "in what it throws": (_throwing(Marked), lambda got: got.row.one),
    "whether there is one": (_row, lambda got: got is None),
}


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("way", RESULTS)
def test_a_row_is_followed_to_whoever_gets_it(way: str, later: bool) -> None:
    body, look = RESULTS[way]

    def looking(self: Design, me: Me) -> Handler:
        got: Any
        try:
            got = yield Transaction("L-7", body)
        except Escape as escape:
            got = escape
        if later:
            yield Sleep("L-7")
        word = str(look(got))
        del got
        yield Transaction("L-8", say, (word,))

    mine, whole = searched(seen_cells(create=starting, writing=writing, looking=looking))
    assert same(mine, whole)
    assert mine.violations


def test_a_row_with_a_version_is_followed_into_a_thing() -> None:
    body = _inside(Holder)

    def looking(self: Design, me: Me) -> Handler:
        got = yield Transaction("L-7", body)
        yield Sleep("L-7")
        word = str(got.row.one)
        del got
        yield Transaction("L-8", say, (word,))

    plain = seen_cells(create=starting, writing=writing, looking=looking)
    design = type("Versioned", (type(plain),), {"versions": {"cell": ("three",)}})()
    mine, whole = searched(design)
    assert same(mine, whole)
    assert mine.violations


def _sending() -> Body:
    row = yield Read("L-12", CELL, "A")
    yield Send("L-12", "got", (row, (row,)))


def _storing() -> Body:
    row = yield Read("L-12", CELL, "A")
    yield Insert("L-12", CELL, row._replace(id="C"))
    yield Insert("L-12", CELL, Cell("D", row))  # type: ignore[arg-type]  # no number on purpose
    yield Insert("L-12", CELL, row)


@pytest.mark.parametrize("body", [_sending, _storing])
def test_a_row_that_is_put_somewhere_is_looked_at(body: Any) -> None:
    def looking(self: Design, me: Me) -> Handler:
        yield Transaction("L-12", body)
        for name in ("A#2", "C", "D"):
            row = yield Read("L-13", CELL, name)
            if row is not None:
                yield Transaction("L-13", say, (str(row),))

    def got(self: Design, me: Me, row: Cell, others: tuple[Cell, ...]) -> Handler:
        yield Transaction("L-13", say, (f"{row.one} {others[0].two}",))

    mine, whole = searched(seen_cells(create=starting, writing=writing, looking=looking, got=got))
    assert same(mine, whole)
    assert len(mine.violations) > 1


def test_a_row_that_was_sent_is_no_row_of_the_state_any_more() -> None:
    def back(row: Any) -> Body:
        yield Read("L-20", CELL, "B")
        return row

    def looking(self: Design, me: Me) -> Handler:
        yield Transaction("L-20", _sending)

    def got(self: Design, me: Me, row: Cell, _others: tuple[Cell, ...]) -> Handler:
        again = yield Transaction("L-21", back, (row,))
        word = str(again.one)
        del again, row
        yield Transaction("L-21", say, (word,))

    mine, whole = searched(seen_cells(create=starting, writing=writing, looking=looking, got=got))
    assert same(mine, whole)
    assert len(mine.violations) > 1


def test_a_transaction_that_was_split_gives_back_the_row_that_it_had_read() -> None:
    def body() -> Body:
        row = yield Read("L-22", CELL, "A")
        yield Read("L-22", CELL, "B")
        return row

    def looking(self: Design, me: Me) -> Handler:
        row = yield Transaction("L-22", body)
        word = str(row.one)
        del row
        yield Transaction("L-23", say, (word,))

    design = seen_cells(create=starting, writing=writing, looking=looking)
    asked = asking(engines=1, threads=2, faults={"G2-item": 1})
    mine, whole = (Search(design, asked, (silence,), world=world).run() for world in (LearningWorld, Whole))
    assert same(mine, whole)
    assert len(mine.violations) > 2


def test_a_result_that_is_equal_and_of_another_class_is_followed() -> None:
    def body() -> Body:
        row = yield Read("L-24", CELL, "A")
        other = yield Read("L-24", CELL, "B")
        return row if not other.seen else tuple(row)

    def looking(self: Design, me: Me) -> Handler:
        for _ in range(2):
            got = yield Transaction("L-24", body)
            word = str(got[1])
            del got
            yield Transaction("L-24", say, (word,))

    mine, whole = searched(seen_cells(create=starting, writing=writing, looking=looking))
    assert same(mine, whole)


class Losing(NamedTuple):
    """What a transaction says, which looks into a row to say whether it has lost."""

    row: Cell

    @property
    def lost(self) -> bool:
        """Whether the row was not written yet."""
        return self.row.one == 0


def test_what_is_told_of_a_result_is_looked_at() -> None:
    body = _inside(Losing)

    def looking(self: Design, me: Me) -> Handler:
        yield Transaction("L-25", body)

    told = [seen(name, "It is so.", ("L-25", name)) for name in ("lost", "matched")]
    design = seen_cells(create=starting, writing=writing, looking=looking)
    mine, whole = searched(design, *told)
    assert same(mine, whole)
    assert set(mine.reached) == {"lost", "matched"}


def test_a_row_of_another_class_is_refused_as_in_a_world() -> None:
    class Derived(Cell):
        """A row of a class of its own."""

    def looking(self: Design, me: Me) -> Handler:
        yield Insert("L-26", CELL, Derived("E"))

    with pytest.raises(DesignError, match="must be a Cell"):
        searched(seen_cells(create=starting, writing=writing, looking=looking))


def test_a_handler_that_ends_with_an_exception_tells_what_is_in_it() -> None:
    def looking(self: Design, me: Me) -> Handler:
        row = yield Read("L-14", CELL, "A")
        raise Found(row)

    mine, whole = searched(seen_cells(create=starting, writing=writing, looking=looking))
    assert same(mine, whole)


def test_rows_are_remembered_as_they_are() -> None:
    @always("as before", "The row is as it was when it was remembered.", ["resource"])
    def as_before(observation: Observation, change: Change) -> Witness | None:
        row: Any = observation.resources.get("A")
        if change.key != "B" or row is None:
            return None
        before = observation.memory.get("row")
        observation.remember("row", row)
        return None if before is None else witness(f"{before.one} {row.two}")

    def looking(self: Design, me: Me) -> Handler:
        yield Transaction("L-15", say, ("something",))
        yield Transaction("L-15", say, ("more",))

    mine, whole = searched(seen_cells(create=starting, writing=writing, looking=looking), as_before)
    assert same(mine, whole)
    assert len(mine.violations) > 3


class Deep(Escape):
    """What is thrown with a row further in, and says so."""

    def __str__(self) -> str:
        return str(self.args[0].inside[0])


def _said(kind: type[Escape]) -> Callable[[Any], Any]:
    def leave(row: Any) -> Any:
        raise kind(row)

    return leave


def _in_a_cause(row: Any) -> Any:
    raise Caused from Found(row)


class Caused(Escape):
    """Says what it comes from."""

    def __str__(self) -> str:
        return str(self.__cause__)


def _further_in(row: Any) -> Any:
    raise Deep(Box([row]))


class MarkedToo(Marked):
    """The same, which is told."""

    def __str__(self) -> str:
        return f"{self.row.two}"


REFUSALS: dict[str, Callable[[Any], Any]] = {
    "thrown": _said(Found),
    "thrown in an attribute": _said(MarkedToo),
    "thrown in a thing": _further_in,
    "thrown in a cause": _in_a_cause,
    "refused": Refused,
    "refused in words": lambda row: Refused(f"{row}"),
    "refused with a pair": lambda row: Refused((1, row)),  # type: ignore[arg-type]  # no text on purpose
    "refused with a thing": lambda row: Refused(Box(row)),  # type: ignore[arg-type]  # the same
    "refused with what works it out": lambda row: Refused(lambda: row.one),  # type: ignore[arg-type, return-value]  # the same
}


@at_rest("told", "The user is told something.")
def told(observation: Observation) -> Iterator[Witness]:
    """Shows the reason, whatever it is."""
    for request in observation.requests:
        reason: Any = request.reason
        if type(reason) is tuple:
            reason = reason[-1]
        row = reason.inside if isinstance(reason, Box) else reason
        yield witness(row if isinstance(row, str) else f"{row()}" if callable(row) else f"{row.one} {row.two}")


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("way", REFUSALS)
def test_a_row_is_followed_to_the_user_who_is_told(way: str, later: bool) -> None:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield from starting(self, me, number, operation)
        row = yield Read("L-27", CELL, "A")
        if later:
            yield Sleep("L-27")
        return REFUSALS[way](row)

    def looking(self: Design, me: Me) -> Handler:
        yield Sleep("L-28")

    design = seen_cells(create=create, writing=writing, looking=looking)
    mine, whole = searched(design, told)
    assert same(mine, whole)
    every = Search(design, asking(engines=1, threads=2), (silence, told), columns=False).run()
    assert {key: (s.witness, s.depth) for key, s in mine.violations.items()} == {
        key: (s.witness, s.depth) for key, s in every.violations.items()
    }
    assert len(mine.violations) > 1
