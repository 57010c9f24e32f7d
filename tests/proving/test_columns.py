"""States that differ in nothing but columns of held rows that nobody will look at again are one state, and every look is noticed."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import copy, deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from heatproof.model import catalogue
from heatproof.model.columns import Live, Rows
from heatproof.model.design import Design
from heatproof.model.effects import Body, Handler, Insert, Me, Read, Send, Table, Transaction, Update
from heatproof.model.errors import DesignError
from heatproof.model.observation import Observation
from heatproof.model.program import Node
from heatproof.model.scenario import Operation, Scenario, create, scenario, update
from heatproof.model.templates import resource
from heatproof.model.world import Action, Entry, Task
from heatproof.properties.base import Property, at_rest, witness
from heatproof.strategies.proving.checkpoints import Checkpoint
from heatproof.strategies.proving.learning import LearningWorld
from heatproof.strategies.proving.results import Result
from heatproof.strategies.proving.search import Search
from tests.model.toys import asking
from tests.toys import fewer, seen_toy


class Cell(NamedTuple):
    """A row with three columns that are written, and what was said of them."""

    id: str
    one: int = 0
    two: int = 0
    three: int = 0
    seen: frozenset[str] = frozenset()

    @property
    def total(self) -> int:
        """Looks at two columns."""
        return self.one + self.two


CELL = Table("cell", Cell)
COLUMNS = ("one", "two", "three")


class Holder:
    """Holds a row as designs do: in an attribute."""

    def __init__(self, row: Cell):
        self.row = row


@dataclass(frozen=True)
class Frozen:
    """The same, compared by what it holds."""

    row: Cell


# --------------------------------------------------------------------------------------------------------- random handlers

Step = tuple[str, int, int]
ACTIONS = ("read", "look", "copy", "change", "box", "unbox", "freeze", "list", "inner", "write", "whole", "equal")


def working(self: Design, me: Me, program: tuple[Step, ...]) -> Handler:
    """A little machine with two registers for rows, which says in a row what it has seen in them."""
    held: list[Any] = [None, None]
    for what, place, column in program:
        row = _row(held[place])
        if what == "read":
            held[place] = yield Read("C-1", CELL, "A")
        elif what == "write":
            yield Transaction("C-2", add, (COLUMNS[column],))
        elif row is None:
            continue
        elif what == "look":
            yield Transaction("C-3", say, (f"{COLUMNS[column]} {getattr(row, COLUMNS[column])}",))
        elif what == "copy":
            held[1 - place] = held[place]
        elif what == "change":
            held[place] = row._replace(**{COLUMNS[column]: 9})
        elif what == "box":
            held[place] = Holder(row)
        elif what == "freeze":
            held[place] = Frozen(row)
        elif what == "list":
            held[place] = [row, (row,)]
        elif what == "unbox":
            held[place] = row
        elif what == "inner":
            yield from looking(row, column)
        elif what == "whole":
            yield Transaction("C-4", say, (f"total {sum(row[1:4])}",))
        elif what == "equal":
            yield Transaction("C-5", say, (f"equal {_row(held[0]) == _row(held[1])}",))


def _row(held: Any) -> Any:
    if isinstance(held, Holder | Frozen):
        return held.row
    return held[0] if type(held) is list else held


def looking(row: Cell, column: int) -> Handler:
    fresh = yield Read("C-6", CELL, "A")
    if getattr(fresh, COLUMNS[column]) != getattr(row, COLUMNS[column]):
        yield Transaction("C-7", say, (f"other {COLUMNS[column]}",))


def say(word: str) -> Body:
    row = yield Read("C-8", CELL, "A")
    yield Update("C-8", CELL, "A", {"seen": row.seen | {word}})


def add(column: str) -> Body:
    row = yield Read("C-9", CELL, "A")
    yield Update("C-9", CELL, "A", {column: getattr(row, column) + 1})


@at_rest("nothing said", "Nobody says anything.")
def silence(observation: Observation) -> Any:
    """One kind of witness for each word."""
    for row in observation.resources.values():
        for word in sorted(row.seen):  # type: ignore[attr-defined]
            yield witness(word)


def starting(*programs: tuple[Step, ...]) -> Callable[..., Handler]:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("C-0", CELL, Cell("A"))
        for program in programs:
            yield Send("C-0", "working", (program,))

    return create


def seen_cells(**functions: Any) -> Design:
    design = seen_toy(**functions)
    made: Design = type("Cells", (type(design),), {"tables": (CELL,), "observe": _observe})()
    return made


def _observe(_self: Design, world: Any) -> Any:
    from heatproof.model.watching import WorldObservation

    observation = WorldObservation(world)
    observation.resources = world.database.rows[CELL]
    return observation


def looked_at(
    design: Design, columns: bool, properties: tuple[Property, ...] = (silence,), asked: Scenario | None = None
) -> tuple[Search, Result]:
    search = Search(design, asked or asking(engines=1, threads=2), properties, columns=columns)
    return search, search.run()


PROGRAM = st.lists(
    st.tuples(st.sampled_from(ACTIONS), st.integers(0, 1), st.integers(0, 2)), min_size=1, max_size=6
).map(tuple)  # fmt: skip


@fewer(3, nightly=1, suppress_health_check=list(HealthCheck))
@given(st.lists(PROGRAM, min_size=1, max_size=3))
def test_whatever_is_done_with_rows_the_same_can_be_seen(programs: list[tuple[Step, ...]]) -> None:
    design = seen_cells(create=starting(*programs), working=working)
    _, plain = looked_at(design, False)
    _, merged = looked_at(design, True)
    assert {key: seen.depth for key, seen in merged.violations.items()} == {
        key: seen.depth for key, seen in plain.violations.items()
    }
    assert merged.complete
    assert merged.depth <= plain.depth  # what is last to be seen may be like something seen before
    assert merged.states <= plain.states


WRITER: tuple[Step, ...] = (("write", 0, 0), ("write", 0, 1), ("write", 0, 0))


def test_columns_that_are_not_looked_at_make_no_states() -> None:
    idle: tuple[Step, ...] = (("read", 0, 0), ("write", 0, 2), ("look", 0, 2))
    design = seen_cells(create=starting(WRITER, idle), working=working)
    search, merged = looked_at(design, True)
    plain = looked_at(design, False)[1]
    assert set(merged.violations) == set(plain.violations)
    assert merged.states < plain.states
    assert search.live is not None


def test_a_column_that_is_overwritten_before_it_is_looked_at_makes_no_states() -> None:
    changing: tuple[Step, ...] = (("read", 0, 0), ("write", 0, 2), ("change", 0, 0), ("look", 0, 0))
    design = seen_cells(create=starting(WRITER, changing), working=working)
    merged, plain = looked_at(design, True)[1], looked_at(design, False)[1]
    assert set(merged.violations) == set(plain.violations) == {("nothing said", "one 9")}
    assert merged.states < plain.states


# ------------------------------------------------------------------------------------------------------- each way to look

LOOKS: dict[str, Callable[[Any], Any]] = {
    "attribute": lambda row: row.one,
    "getattr": lambda row: getattr(row, "one"),  # noqa: B009
    "property of the row": lambda row: row.total,
    "index": lambda row: row[1],
    "slice": lambda row: row[1:],
    "unpacking": lambda row: [*row],
    "assignment": lambda row: _assigned(row),
    "loop": lambda row: [item for item in row],  # noqa: C416
    "equality": lambda row: row == Cell("A", 1),
    "equality from the other side": lambda row: Cell("A", 1) == row,
    "inequality": lambda row: row != Cell("A", 1),
    "order": lambda row: row < Cell("A", 1),
    "hash": lambda row: row in {Cell("A", 1)},
    "key": lambda row: {Cell("A", 1): 1}.get(row),
    "membership": lambda row: 1 in row,
    "text": lambda row: str(row),
    "formatted": lambda row: f"{row}",
    "as a dict": lambda row: row._asdict(),
    "tuple": lambda row: tuple(row),
    "added": lambda row: row + (1,),  # noqa: RUF005
    "added to": lambda row: (1, *()) + row,  # noqa: RUF005
    "times": lambda row: row * 2,
    "count": lambda row: row.count(1),
    "place": lambda row: row.index(0),
    "pattern": lambda row: _matched(row),
    "copy, then attribute": lambda row: row._replace(two=5).one,
    "arguments": lambda row: (lambda *given: given)(*row),
    "zip": lambda row: dict(zip(Cell._fields, row, strict=True)),
    "of its class": lambda row: type(row)(*row),
    "of its class, by name": lambda row: type(row)(**{**row._asdict(), "two": 5}).one,
    "copy.copy": lambda row: copy(row),
    "deepcopy": lambda row: deepcopy(row)[1],
}


def _assigned(row: Any) -> Any:
    _id, one, *_others = row
    return one


def _matched(row: Any) -> Any:
    match row:
        case Cell(one=value):
            return value


@pytest.mark.parametrize("name", sorted(LOOKS))
def test_a_look_is_noticed(name: str) -> None:
    look = LOOKS[name]

    def late(self: Design, me: Me) -> Handler:
        row = yield Read("L-1", CELL, "A")
        yield Read("L-2", CELL, "A")
        yield Transaction("L-3", say, (f"saw {look(row)}",))

    def start(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("C-0", CELL, Cell("A"))
        yield Send("C-0", "late", ())
        yield Send("C-0", "working", ((("write", 0, 0),),))

    design = seen_cells(create=start, working=working, late=late)
    merged, plain = looked_at(design, True)[1], looked_at(design, False)[1]
    assert {key: seen.depth for key, seen in merged.violations.items()} == {
        key: seen.depth for key, seen in plain.violations.items()
    }
    assert merged.violations
    assert merged.states <= plain.states


@pytest.mark.parametrize(
    "begin", [iter, lambda row: (item for item in row), reversed, enumerate, lambda row: zip(row, strict=True)]
)
def test_who_goes_through_a_row_while_others_go_on_has_looked_at_it(begin: Callable[[Any], Any]) -> None:
    def late(self: Design, me: Me) -> Handler:
        row = yield Read("L-1", CELL, "A")
        items = begin(row)
        del row
        yield Read("L-2", CELL, "A")
        yield Transaction("L-3", say, (f"saw {list(items)}",))

    def looping(self: Design, me: Me) -> Handler:
        row = yield Read("L-1", CELL, "A")
        for item in row:
            yield Transaction("L-3", say, (f"saw {item}",))

    def start(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("C-0", CELL, Cell("A"))
        yield Send("C-0", "late", ())
        yield Send("C-0", "looping", ())
        yield Send("C-0", "working", ((("write", 0, 0),),))

    design = seen_cells(create=start, working=working, late=late, looping=looping)
    merged, plain = looked_at(design, True)[1], looked_at(design, False)[1]
    assert len(plain.violations) > 5
    assert {key: seen.depth for key, seen in merged.violations.items()} == {
        key: seen.depth for key, seen in plain.violations.items()
    }


def test_a_watched_row_is_the_row_for_who_has_it() -> None:
    rows = Rows([CELL], Live())
    row, plain = rows.watch(Cell("A", 1, 2)), Cell("A", 1, 2)
    assert isinstance(row, Cell)
    assert (row, hash(row), repr(row), row.total, row._fields) == (plain, hash(plain), repr(plain), 3, plain._fields)
    assert type(row._replace(one=3)) is type(row)
    assert row._replace(one=3) == plain._replace(one=3)
    assert rows.plain((row, [row], {"row": row}, frozenset({row}))) == (plain, [plain], {"row": plain}, frozenset({plain}))
    assert type(rows.plain((row,))[0]) is Cell
    assert type(type(row)("A", 1, 2)) is type(copy(row)) is Cell
    with pytest.raises(ValueError, match="unexpected field names"):
        row._replace(four=4)


def test_what_is_not_noticed() -> None:
    """The limits that docs/proving.md states: who asks for the very class, and who reads a row past its own methods."""
    rows = Rows([CELL], Live())
    row = rows.watch(Cell("A", 1))
    rows.running, rows.dead = True, {row._number: row._every}
    assert type(row) is not Cell
    assert tuple.__getitem__(row, 1) == 1
    assert "%s %s %s %s %s" % row == "A 1 0 0 frozenset()"  # noqa: UP031  # the old way reads past the methods of the row
    assert not rows.noticed
    assert row.one == 1
    assert rows.noticed


def test_a_handler_that_cannot_be_looked_into_keeps_rows_whole() -> None:
    def hiding(self: Design, me: Me) -> Handler:
        row = yield Read("L-1", CELL, "A")
        kept = map(lambda item: item, (row,))  # noqa: C417  # an object of C that shows nothing of what it holds
        yield Read("L-2", CELL, "A")
        yield Transaction("L-3", say, (f"saw {next(kept).one}",))

    def start(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("C-0", CELL, Cell("A"))
        yield Send("C-0", "hiding", ())
        yield Send("C-0", "working", ((("write", 0, 0),),))

    design = seen_cells(create=start, working=working, hiding=hiding)
    search, result = looked_at(design, True)
    assert search.live is None
    plain = looked_at(design, False)[1]
    assert (result.states, set(result.violations)) == (plain.states, set(plain.violations))


# ---------------------------------------------------------------------------------------------------------- beginning anew

LATE: tuple[Step, ...] = (("read", 0, 0), ("write", 0, 2), ("look", 0, 0))
A1, A2, B = resource("A", {"p": 1}), resource("A", {"p": 2}), resource("B", {"p": 1})


def test_what_is_seen_after_a_search_was_misled_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be wrong; the search begins anew, and tells what it sees then."""
    design = seen_cells(create=starting(WRITER, LATE), working=working)
    stopped = Search(design, asking(engines=1, threads=2), [silence], go_on=lambda result: "enough" if search_misled() else "")

    def search_misled() -> bool:
        return stopped.misled

    result = stopped.run()
    assert (result.complete, result.cut, result.violations) == (False, "enough", {})
    stopped.go_on = lambda result: ""
    assert set(stopped.run().violations) == set(looked_at(design, False)[1].violations)


def test_what_is_seen_after_a_search_was_misled_is_told_if_a_world_shows_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on to its end although it was misled, and is stopped there."""
    monkeypatch.setattr("heatproof.strategies.proving.columns.SOON", 10**9)
    design = seen_cells(create=starting(WRITER, LATE), working=working)
    properties = [silence, at_rest("ends", "It never ends.")(lambda observation: [witness("it ends")])]
    search = Search(design, asking(engines=1, threads=2), properties, go_on=lambda result: "enough" if ended() else "")

    def ended() -> bool:
        return search.misled and not search.result.waiting

    result = search.run()
    assert (result.complete, result.cut, result.violations) == (False, "enough", {})
    assert result.supposed.keys() == {("nothing said", "one 0"), ("ends", "it ends")}  # the first stands after another run
    way = search.earlier.ways(search)
    assert way.keys() == {("ends", "it ends")}
    assert not way["ends", "it ends"].shortest
    search.go_on = lambda result: ""
    assert search.run().complete
    ways = search.earlier.ways(search)
    assert ways.keys() == search.result.violations.keys() == {("ends", "it ends"), *looked_at(design, False)[1].violations}
    assert all(way.shortest for way in ways.values())


def test_a_search_that_was_misled_can_be_gone_on_with(tmp_path: Path) -> None:
    design, asked = catalogue.load("heat"), scenario(create([A1]), update([A2]), engines=1, threads=2)
    first = Search(
        design, asked, [], go_on=lambda result: "enough" if first_misled() else "", checkpoint=Checkpoint(tmp_path / "search", 0)
    )

    def first_misled() -> bool:
        return first.misled

    assert first.run().cut == "enough"
    second = Search(design, asked, [], checkpoint=Checkpoint(tmp_path / "search", 0))
    second.resume()
    assert second.live is not None
    assert second.live.places
    assert second.run().complete
    third = Search(design, asked, [], checkpoint=Checkpoint(tmp_path / "search", 0))
    third.resume()
    assert third.run().states == second.result.states


@pytest.mark.parametrize("when", ["misled", "unsure"])
def test_an_error_of_a_handler_that_was_merged_wrongly_is_none(when: str) -> None:
    """What it holds may be what it never can hold, so it is done again; with whole rows, where nothing could be learned of it."""
    failed: list[str] = []

    class Failing(LearningWorld):
        def advance(self, action: Action, task: Task, node: Node, result: Any) -> Entry:
            entry = super().advance(action, task, node, result)
            if getattr(self, when):
                failed.append(task.name)
                raise DesignError("this cannot be")
            return entry

    design = seen_cells(create=starting(WRITER, LATE), working=working)
    search = Search(design, asking(engines=1, threads=2), [silence], world=Failing)
    assert set(search.run().violations) == set(looked_at(design, False)[1].violations)
    assert search.result.complete
    assert failed
    assert (search.live is None) == (when == "unsure")


def test_an_error_of_a_handler_is_told() -> None:
    def failing(self: Design, me: Me) -> Handler:
        row = yield Read("L-1", CELL, "A")
        yield Read("L-2", CELL, "A")
        yield Transaction("L-3", say, (str(1 // (1 - row.one)),))

    def start(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("C-0", CELL, Cell("A"))
        yield Send("C-0", "failing", ())
        yield Send("C-0", "working", ((("write", 0, 0),),))

    with pytest.raises(DesignError, match="ZeroDivisionError"):
        looked_at(seen_cells(create=start, working=working, failing=failing), True)


def test_live_columns_can_be_written_down() -> None:
    search = Search(catalogue.load("heat"), scenario(create([A1]), engines=1, threads=1), [])
    search.run()
    assert search.live is not None
    entries = json.loads(json.dumps(search.live.entries()))
    again = Live()
    again.enter([(tuple(map(tuple, mark)), tuple(path), kind, tuple(columns)) for mark, path, kind, columns in entries])
    assert again.entries() == search.live.entries() != []


def _say_one(row: Cell) -> Body:
    yield from say(str(row.one))


def through_a_closure(self: Design, me: Me) -> Handler:
    """Looks at a row that it holds in a transaction that is made on the way."""
    row = yield Read("C-20", CELL, "A")

    def body() -> Body:
        yield from _say_one(row)

    yield Transaction("C-20", body)


def through_a_partial(self: Design, me: Me) -> Handler:
    """The same, in a function with its arguments."""
    row = yield Read("C-21", CELL, "A")
    body = partial(_say_one, row)
    del row
    yield Transaction("C-21", body)


@pytest.mark.parametrize("handler", [through_a_closure, through_a_partial])
def test_a_transaction_that_is_made_with_a_row_looks_at_it(handler: Any) -> None:
    design = seen_cells(create=starting(WRITER, ()), working=_working_or(handler))
    merged, plain = looked_at(design, True)[1], looked_at(design, False)[1]
    path = Search(design, asking(engines=1, threads=2), (silence,), merge=False).run()
    assert set(merged.violations) == set(plain.violations) == set(path.violations)
    assert len(merged.violations) > 1


def _working_or(handler: Any) -> Any:
    def working_or(self: Design, me: Me, program: tuple[Step, ...]) -> Handler:
        yield from working(self, me, program) if program else handler(self, me)

    return working_or
