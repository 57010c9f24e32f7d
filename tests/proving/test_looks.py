"""What an action does not look at makes no lessons: rows are asked for by the columns that count, and every way to look at one is noticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from heatproof.model import catalogue
from heatproof.model.design import Design
from heatproof.model.effects import Body, Delete, Handler, Insert, Me, Query, Read, Send, Sleep, Table, Transaction, Update
from heatproof.model.observation import Change, Observation
from heatproof.model.scenario import create, scenario, update
from heatproof.model.templates import Template, resource
from heatproof.properties.base import Property, Witness, always, witness
from heatproof.strategies.asked import properties_for
from heatproof.strategies.proving.learning import LearningWorld
from heatproof.strategies.proving.looks import Looks
from heatproof.strategies.proving.results import Result
from heatproof.strategies.proving.search import Search
from tests.model.toys import asking
from tests.proving.peers import FILE, instance
from tests.proving.test_columns import CELL, Cell, seen_cells, silence
from tests.toys import NIGHTLY


class Whole(LearningWorld):
    """A world in which all of a row counts that is read."""

    def _exchange(self) -> None:
        self.looks = None
        super()._exchange()


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
        observation.late = world.database.rows[LATE]  # type: ignore[attr-defined]  # for the property here alone
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


@pytest.mark.parametrize("name", ["I3", "I2"])
def test_the_protocol_is_the_same_and_there_is_less_to_learn(name: str) -> None:
    properties = properties_for(f"{FILE}:Versioned")
    mine, whole = (
        Search(*instance(name, "Versioned"), properties, world=world, placing=False).run() for world in (LearningWorld, Whole)
    )
    assert same(mine, whole)
    assert mine.lessons < whole.lessons


@pytest.mark.parametrize("crash", [0, 1] if NIGHTLY else [1])
def test_heat_is_the_same_and_there_is_less_to_learn(crash: int) -> None:
    before, after = Template([resource("A", {"p": 1})]), Template([resource("A", {"p": 2})])
    engines = 2 if NIGHTLY else 1
    asked = scenario(create(before), update(after), engines=engines, threads=1, faults={"crash": crash} if crash else {})
    properties = properties_for("heat")
    mine, whole = (Search(catalogue.load("heat"), asked, properties, world=world).run() for world in (LearningWorld, Whole))
    assert {key: s.depth for key, s in mine.violations.items()} == {key: s.depth for key, s in whole.violations.items()}
    assert mine.reached == whole.reached
    assert abs(mine.states - whole.states) <= whole.states // 500  # tasks that listen go by names, and who was met first has which
    assert mine.lessons < whole.lessons
