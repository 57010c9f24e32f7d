"""What an action does not look at makes no lessons: rows are asked for by the columns that count, and every way to look at one is noticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from heatproof.model import catalogue
from heatproof.model.design import Design
from heatproof.model.effects import Body, Delete, Escape, Handler, Insert, Me, Query, Read, Send, Sleep, Table, Transaction, Update
from heatproof.model.errors import DesignError
from heatproof.model.observation import Change, Observation
from heatproof.model.scenario import create, scenario, update
from heatproof.model.templates import Template, resource
from heatproof.properties.base import Property, Witness, always, seen, witness
from heatproof.strategies.asked import properties_for
from heatproof.strategies.proving.learning import LearningWorld
from heatproof.strategies.proving.looks import Looks
from heatproof.strategies.proving.search import Result, Search
from tests.model.toys import asking
from tests.proving.peers import FILE, instance
from tests.proving.test_columns import CELL, Cell, Holder, seen_cells, silence


class Whole(LearningWorld):
    """A world in which all of a row counts that is read."""

    def _exchange(self) -> None:
        self.looks = None
        super()._exchange()


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


def starting(self: Design, me: Me, number: int, operation: Any) -> Handler:
    """Two rows, one that is written and one in which it is said what was seen; who writes, and who looks."""
    yield Insert("L-0", CELL, Cell("A"))
    yield Insert("L-0", CELL, Cell("B"))
    yield Send("L-0", "writing", ())
    yield Send("L-0", "looking", ())


def writing(self: Design, me: Me) -> Handler:
    """Write the columns one after the other, the first twice."""
    for column in ("two", "one", "three", "one"):
        yield Transaction("L-1", _more, (column,))


def _more(column: str) -> Body:
    row = yield Read("L-1", CELL, "A")
    yield Update("L-1", CELL, "A", {column: getattr(row, column) + 1})


def say(word: str) -> Body:
    """Say what was seen."""
    row = yield Read("L-2", CELL, "B")
    yield Update("L-2", CELL, "B", {"seen": row.seen | {word}})


def searched(design: Design, *properties: Property) -> tuple[Result, Result]:
    """The search by columns that are looked at, and by whole rows."""
    asked = asking(engines=1, threads=2)
    found = [Search(design, asked, (silence, *properties), world=world).run() for world in (LearningWorld, Whole)]
    return found[0], found[1]


def same(one: Result, other: Result) -> bool:
    """Whether two searches saw the same."""
    seen = [
        (
            r.states,
            r.transitions,
            r.depth,
            r.terminal_sum,
            {key: (s.witness, s.depth) for key, s in r.violations.items()},
            r.reached,
        )
        for r in (one, other)
    ]
    return seen[0] == seen[1]


WAYS: dict[str, Callable[[Any], Any]] = {
    "an attribute": lambda row: row.one,
    "a property": lambda row: row.total,
    "an item": lambda row: row[1],
    "some items": lambda row: row[1:3],
    "the items": lambda row: [x for x in row][1],  # noqa: C416  # not list(): another way to go through it
    "a list": lambda row: list(row)[1],
    "unpacked": lambda row: _second(*row),
    "equal": lambda row: row == Cell("A", 1),
    "equal from the other side": lambda row: Cell("A", 1) == row,
    "unequal": lambda row: row != Cell("A", 1),
    "before": lambda row: row < Cell("A", 1),
    "its hash": lambda row: hash(row) == hash(Cell("A", 1)),
    "in a set": lambda row: row in {Cell("A", 1)},
    "in a tuple": lambda row: row in (Cell("A", 1), Cell("A", 2)),
    "contains": lambda row: 2 in row,
    "counted": lambda row: row.count(1),
    "text": lambda row: repr(row),
    "formatted": lambda row: f"{row}",
    "a dictionary": lambda row: row._asdict()["one"],
    "a changed copy": lambda row: row._replace(two=7).one,
    "a copy that is compared": lambda row: row._replace(two=7) == Cell("A", 1, 7),
    "longer": lambda row: row.__add__((1,))[1],
    "put behind": lambda row: _behind((1,), row)[2],
    "sorted": lambda row: sorted([row, Cell("A", 1, 1)])[0].one,
    "matched": lambda row: _matched(row),
    "by name": lambda row: getattr(row, "one"),  # noqa: B009  # a way of its own
    "not at all": lambda row: row is None,
}


def _behind(first: Any, row: Any) -> Any:
    return first + row


class Pair(NamedTuple):
    """Another tuple."""

    one: Any
    two: Any


class Late(NamedTuple):
    """A row whose key is not its first column."""

    one: int
    id: str
    two: int = 0


LATE = Table("late", Late)
TOGETHER: dict[str, Callable[[Any, Any], Any]] = {
    "equal": lambda a, b: a._replace(id="") == b._replace(id=""), "unequal": lambda a, b: a != b, "before": lambda a, b: a < b,
    "not after": lambda a, b: a <= b, "after": lambda a, b: a > b, "not before": lambda a, b: a >= b, "in": lambda a, b: a in (b,),
    "joined": lambda a, b: (b + a)[3:5], "joined the other way": lambda a, b: (a + b)[3:5], "sorted": lambda a, b: sorted([a, b])[0].id,
    "the larger": lambda a, b: max(a, b).id, "a set": lambda a, b: len({a, b}),
}  # fmt: skip


def _second(_id: str, one: int, *_others: Any) -> int:
    return one


def _matched(row: Any) -> str:
    match row:
        case Cell(_, 1):
            return "one"
        case _:
            return "other"


@pytest.mark.parametrize("way", WAYS)
def test_a_transaction_that_looks_is_noticed(way: str) -> None:
    def body() -> Body:
        row = yield Read("L-3", CELL, "A")
        yield from say(str(WAYS[way](row)))

    def looking(self: Design, me: Me) -> Handler:
        yield Transaction("L-3", body)

    design = seen_cells(create=starting, writing=writing, looking=looking)
    mine, whole = searched(design)
    assert same(mine, whole)
    assert mine.lessons <= whole.lessons
    if way in ("an attribute", "a property", "by name", "not at all"):
        assert mine.lessons < whole.lessons


@pytest.mark.parametrize("way", WAYS)
def test_a_handler_that_looks_is_noticed(way: str) -> None:
    def looking(self: Design, me: Me) -> Handler:
        row = yield Read("L-4", CELL, "A")
        word = str(WAYS[way](row))
        del row
        yield Transaction("L-4", say, (word,))

    mine, whole = searched(seen_cells(create=starting, writing=writing, looking=looking))
    assert same(mine, whole)


@pytest.mark.parametrize("way", WAYS)
def test_a_handler_that_looks_later_is_noticed(way: str) -> None:
    def looking(self: Design, me: Me) -> Handler:
        row = yield Read("L-5", CELL, "A")
        yield Sleep("L-5")
        other = row._replace(two=0) if way != "not at all" else row
        yield Sleep("L-5")
        yield Transaction("L-5", say, (str(WAYS[way](other)),))

    mine, whole = searched(seen_cells(create=starting, writing=writing, looking=looking))
    assert same(mine, whole)


@pytest.mark.parametrize("way", WAYS)
def test_a_property_that_looks_is_noticed(way: str) -> None:
    @always("nothing is seen", "Nobody sees anything in the other row.", ["resource"])
    def nothing(observation: Observation, change: Change) -> Witness | None:
        return None if change.key != "B" else witness(str(WAYS[way](observation.resources["A"])))

    def looking(self: Design, me: Me) -> Handler:
        yield Transaction("L-6", say, ("something",))

    mine, whole = searched(seen_cells(create=starting, writing=writing, looking=looking), nothing)
    assert same(mine, whole)


@pytest.mark.parametrize("who", ["body", "handler", "later", "property"])
@pytest.mark.parametrize("way", TOGETHER)
def test_who_compares_two_rows_looks_at_both(way: str, who: str) -> None:
    def starting(self: Design, me: Me, number: int, operation: Any) -> Handler:
        yield Insert("L-16", LATE, Late(1, "A"))
        yield Insert("L-16", LATE, Late(1, "C", 1))
        yield Insert("L-16", CELL, Cell("B"))
        yield Send("L-16", "writing", ())
        yield Send("L-16", "looking", ())

    def writing(self: Design, me: Me) -> Handler:
        for column, value in (("two", 1), ("one", 0), ("two", 3), ("one", 2)):
            yield Update("L-16", LATE, "A", {column: value})

    def body() -> Body:
        a = yield Read("L-16", LATE, "A")
        c = yield Read("L-16", LATE, "C")
        yield from say(str(TOGETHER[way](a, c)))

    def looking(self: Design, me: Me) -> Handler:
        if who == "body":
            yield Transaction("L-16", body)
        elif who == "property":
            yield Transaction("L-16", say, ("something",))
        else:
            a = yield Read("L-16", LATE, "A")
            c = yield Read("L-16", LATE, "C")
            if who == "later":
                yield Sleep("L-16")
            word = str(TOGETHER[way](a, c))
            del a, c
            yield Transaction("L-16", say, (word,))

    @always("nothing is seen", "Nobody sees anything in the other rows.", ["resource"])
    def nothing(observation: Observation, change: Change) -> Witness | None:
        rows: Any = observation
        return None if change.key != "B" else witness(str(TOGETHER[way](rows.late["A"], rows.late["C"])))

    plain = seen_cells(create=starting, writing=writing, looking=looking)

    def observe(self: Design, world: Any) -> Any:
        observation = type(plain).observe(self, world)
        observation.late = world.database.rows[LATE]  # type: ignore[attr-defined]
        return observation

    design = type("Two", (type(plain),), {"tables": (CELL, LATE), "observe": observe})()
    properties = (nothing,) if who == "property" else ()
    mine, whole = searched(design, *properties)
    assert same(mine, whole)
    plainly = Search(design, asking(engines=1, threads=2), (silence, *properties), columns=False).run()
    assert {key: s.depth for key, s in mine.violations.items()} == {key: s.depth for key, s in plainly.violations.items()}


def test_a_tuple_of_another_class_on_the_left_is_not_noticed() -> None:
    """A limit: Python asks the left one, whose class is of no row, and that looks at the tuple past the methods of the row."""

    looks = Looks((LATE,))
    row = looks.row(0, Late(1, "A"))
    assert Pair(1, "A") != row
    assert looks.at == {0: 0}
    assert Late(1, "A") == row
    assert looks.at == {0: 0b111}


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
    "a thing in a row": (_inside(lambda row: Cell("C", Box(row))), lambda got: got.one.inside.one),  # type: ignore[arg-type]
    "a thing that is what it is": (_inside(Holder), lambda got: got.row.one),
    "a list in a thing": (_inside(lambda row: Holder([row])), lambda got: got.row[0].one),  # type: ignore[arg-type]
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


EFFECTS: dict[str, Callable[[], Any]] = {
    "a condition": lambda: Update("L-9", CELL, "B", {"two": 1}, {"id": "B"}),
    "a query": lambda: Query("L-9", CELL, {"one": 1}),
    "what it is not": lambda: Query("L-9", CELL, {}, {"one": 1}),
    "a condition on the row that is written": lambda: Update("L-9", CELL, "A", {"two": 9}, {"one": 1}),
    "a delete": lambda: Delete("L-9", CELL, {"one": 1}),
}


@pytest.mark.parametrize("way", EFFECTS)
def test_a_condition_is_a_look(way: str) -> None:
    def looking(self: Design, me: Me) -> Handler:
        got = yield EFFECTS[way]()
        yield Transaction("L-10", say, (f"got {len(got) if isinstance(got, tuple) else got}",))

    def twice(self: Design, me: Me) -> Handler:
        for column in ("two", "one", "three"):
            got = yield Update("L-11", CELL, "A", {column: 1})
            if not got:
                return

    mine, whole = searched(seen_cells(create=starting, writing=twice, looking=looking))
    assert same(mine, whole)


def _sending() -> Body:
    row = yield Read("L-12", CELL, "A")
    yield Send("L-12", "got", (row, (row,)))


def _storing() -> Body:
    row = yield Read("L-12", CELL, "A")
    yield Insert("L-12", CELL, row._replace(id="C"))
    yield Insert("L-12", CELL, Cell("D", row))  # type: ignore[arg-type]
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


def test_values_that_are_equal_and_not_the_same_are_told_apart() -> None:
    def twice(self: Design, me: Me) -> Handler:
        for one, two in ((1, 1), (True, 2), (1.0, 3), (1, 4)):
            yield Update("L-18", CELL, "A", {"one": one, "two": two})

    def body() -> Body:
        row = yield Read("L-19", CELL, "A")
        yield from say(str(row.one))

    def looking(self: Design, me: Me) -> Handler:
        yield Transaction("L-19", body)

    mine, whole = searched(seen_cells(create=starting, writing=twice, looking=looking))
    assert same(mine, whole)
    assert {key[1] for key in mine.violations} >= {"0", "1", "True", "1.0"}


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


@pytest.mark.parametrize("name", ["I3", "I2"])
def test_the_protocol_is_the_same_and_there_is_less_to_learn(name: str) -> None:
    properties = properties_for(f"{FILE}:Versioned")
    mine, whole = (
        Search(*instance(name, "Versioned"), properties, world=world, placing=False).run() for world in (LearningWorld, Whole)
    )
    assert same(mine, whole)
    assert mine.lessons < whole.lessons


@pytest.mark.parametrize("crash", [0, 1])
def test_heat_is_the_same_and_there_is_less_to_learn(crash: int) -> None:
    before, after = Template([resource("A", {"p": 1})]), Template([resource("A", {"p": 2})])
    asked = scenario(create(before), update(after), engines=2, threads=1, faults={"crash": crash} if crash else {})
    properties = properties_for("heat")
    mine, whole = (Search(catalogue.load("heat"), asked, properties, world=world).run() for world in (LearningWorld, Whole))
    assert {key: s.depth for key, s in mine.violations.items()} == {key: s.depth for key, s in whole.violations.items()}
    assert mine.reached == whole.reached
    assert abs(mine.states - whole.states) <= whole.states // 500  # tasks that listen go by names, and who was met first has which
    assert mine.lessons < whole.lessons
