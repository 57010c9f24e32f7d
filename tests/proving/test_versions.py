"""States that differ in nothing but how often a row was written are one state, and what tells the numbers apart is noticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from heatproof.model.design import Design
from heatproof.model.effects import (
    Body,
    Delete,
    Handler,
    Insert,
    Me,
    Read,
    Send,
    Sleep,
    Table,
    Transaction,
    Update,
)
from heatproof.model.errors import DesignError
from heatproof.model.observation import Observation
from heatproof.model.scenario import Operation, Scenario
from heatproof.properties.base import Property, Witness, at_rest, witness
from heatproof.strategies.asked import properties_for
from heatproof.strategies.proving.results import Result
from heatproof.strategies.proving.search import Search
from tests.model.toys import asking
from tests.proving.peers import FILE, instance
from tests.toys import fewer, seen_toy


class Counter(NamedTuple):
    """A row with a version, a value and what was seen of it."""

    id: str
    version: int | None = None
    value: int = 0
    seen: frozenset[str] = frozenset()


class Part(NamedTuple):
    """A row that can come again under its key."""

    whole: str
    name: str
    version: int = 1


COUNTER = Table("counter", Counter)
PART = Table("part", Part, key=("whole", "name"))
VERSIONS = {"versions": {"counter": ("version",), "part": ("version",)}}


def next_version(version: int | None) -> int:
    return 1 if version is None else version + 1


# --------------------------------------------------------------------------------------------------------- the counts


@pytest.mark.parametrize(("name", "states", "edges"), [("I1", 128, 213), ("I3", 2_260, 4_349), ("I2", 57_238, 133_275)])
def test_as_many_states_as_a_plain_search_counts_that_only_keeps_who_holds_the_present_key(
    name: str, states: int, edges: int
) -> None:
    """The reference of the peers, breadth-first in plain Python with workers anonymous, and instead of all keys only whether those that are
    held are the present ones."""
    design, given_ = instance(name, "Versioned")
    result = Search(design, given_, properties_for(f"{FILE}:Versioned"), placing=False).run()
    assert (result.states, result.transitions) == (states, edges)
    assert not result.violations


@pytest.mark.parametrize(
    ("variant", "name", "length"), [("Unconditional", "I1", 35), ("Grabbing", "I3", 24), ("Careless", "I3", 28)]
)
def test_seeded_bugs_are_found_as_soon(variant: str, name: str, length: int) -> None:
    design, given_ = instance(name, variant)
    versioned = type(variant, (type(design),), {"name": variant, "versions": type(instance(name, "Versioned")[0]).versions})()
    result = Search(versioned, given_, properties_for(f"{FILE}:{variant}")).run()
    assert min(sighting.depth for sighting in result.violations.values()) == length
    assert len(result.violations) == len(Search(design, given_, properties_for(f"{FILE}:{variant}")).run().violations)


# ---------------------------------------------------------------------------------------------- what is done with them

Step = tuple[str, int]
WORDS = ("same", "other", "matched", "lost", "gone")


def working(self: Design, me: Me, program: tuple[Step, ...]) -> Handler:
    """A little machine with two registers for versions, which says in a row what it has seen of them."""
    held: list[Any] = ["", ""]  # not None: whether a version is null must make no difference
    for what, place in program:
        if what == "read":
            row = yield Read("V-1", COUNTER, "A")
            held[place] = row.version
        elif what == "compare":
            row = yield Read("V-2", COUNTER, "A")
            if held[place] != "":
                yield Transaction("V-3", say, ("same" if row.version == held[place] else "other",))
        elif what == "swap" and held[place] != "":
            new = next_version(held[place])
            matched = yield Update("V-4", COUNTER, "A", {"version": new, "value": place}, where={"version": held[place]})
            yield Transaction("V-5", say, ("matched" if matched else "lost",))
            if matched:
                held[place] = new
        elif what == "try" and held[place] != "":  # keeps what it would have written, whether it has or not
            held[place], old = next_version(held[place]), held[place]
            yield Update("V-6", COUNTER, "A", {"version": held[place]}, where={"version": old})
        elif what == "raise":
            yield Transaction("V-7", raise_it, ())
        elif what == "write" and held[place] != "":  # a stale one comes back
            yield Update("V-8", COUNTER, "A", {"version": held[place]})


def say(word: str) -> Body:
    row = yield Read("V-9", COUNTER, "A")
    yield Update("V-9", COUNTER, "A", {"seen": row.seen | {word}})


def raise_it() -> Body:
    row = yield Read("V-7", COUNTER, "A")
    yield Update("V-7", COUNTER, "A", {"version": next_version(row.version), "value": 7})


def said(word: str) -> Property:
    @at_rest(f"never {word}", f"Nobody says {word}.")
    def never(observation: Observation) -> Any:
        for row in observation.resources.values():
            if word in row.seen:  # type: ignore[attr-defined]
                yield witness("said", word=word)

    return never


def starting(*programs: tuple[Step, ...]) -> Callable[..., Handler]:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("V-0", COUNTER, Counter("A"))
        for program in programs:
            yield Send("V-0", "working", (program,))

    return create


def looked_at(design: Design, properties: list[Property], versions: bool, **scope: Any) -> tuple[Search, Result]:
    search = Search(
        design, scope.pop("asked", None) or asking(**({"engines": 1, "threads": 2} | scope)), properties, versions=versions
    )
    return search, search.run()


PROGRAM = st.lists(
    st.tuples(st.sampled_from(["read", "compare", "swap", "try", "raise", "write"]), st.integers(0, 1)), min_size=1, max_size=5
).map(tuple)


@fewer(3, nightly=1, suppress_health_check=list(HealthCheck))
@given(st.lists(PROGRAM, min_size=1, max_size=3))
def test_whatever_is_done_with_versions_the_same_can_be_seen(programs: list[tuple[Step, ...]]) -> None:
    design = seen_counter(create=starting(*programs), working=working)
    words = [said(word) for word in WORDS]
    _, plain = looked_at(design, words, False)
    search, merged = looked_at(design, words, True)
    assert set(merged.violations) == set(plain.violations)
    assert {key: seen.depth for key, seen in merged.violations.items()} == {
        key: seen.depth for key, seen in plain.violations.items()
    }
    if not any(what == "try" for program in programs for what, _ in program):
        assert merged.states <= plain.states
    # else somebody may hold what he worked out and could not write; among numbers that may be the one that another has written
    if search.numbered:
        assert (merged.states, merged.transitions) == (plain.states, plain.transitions)


def test_who_was_not_expected_to_look_at_a_version_that_it_wrote_does_not_make_numbers_of_them() -> None:
    """It holds a row, and looks at its version only after the search has merged it with others as if it would not."""

    def taking(self: Design, me: Me) -> Handler:
        row = yield Read("T-1", COUNTER, "A")
        held = row._replace(version=next_version(row.version))
        if (yield Update("T-2", COUNTER, "A", {"version": held.version}, where={"version": row.version})):
            yield Sleep("T-3")
            freed = {"version": next_version(held.version), "value": 1}
            yield Transaction(
                "T-4", say, ("matched" if (yield Update("T-4", COUNTER, "A", freed, {"version": held.version})) else "lost",)
            )

    def begin(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("V-0", COUNTER, Counter("A"))
        for _ in range(2):
            yield Send("V-0", "taking", ())
        yield Send("V-0", "working", ((("raise", 0),),))

    design = seen_counter(create=begin, taking=taking, working=working)
    words = [said(word) for word in WORDS]
    _, plain = looked_at(design, words, False)
    search, merged = looked_at(design, words, True)
    assert search.numbered == []
    assert {key: seen.depth for key, seen in merged.violations.items()} == {
        key: seen.depth for key, seen in plain.violations.items()
    }
    assert merged.states < plain.states


def test_a_row_that_was_written_three_times_is_as_one_that_was_written_once() -> None:
    design = seen_counter(create=starting(*[(("read", 0), ("try", 0))] * 3), working=working)
    search, merged = looked_at(design, [], True)
    assert search.numbered == []
    assert merged.states < looked_at(design, [], False)[1].states


def seen_counter(**functions: Any) -> Design:
    design = seen_toy(**functions)
    body = {"tables": (COUNTER, PART), **VERSIONS, "observe": _observe}
    made: Design = type("Counting", (type(design),), body)()
    return made


def _observe(_self: Design, world: Any) -> Any:
    from heatproof.model.watching import WorldObservation

    observation = WorldObservation(world)
    observation.resources = world.database.rows[COUNTER]
    return observation


def sent(self: Design, me: Me) -> Handler:
    row = yield Read("V-1", COUNTER, "A")
    yield Send("V-2", "got", (row.version,))


def put_elsewhere(self: Design, me: Me) -> Handler:
    row = yield Read("V-1", COUNTER, "A")
    yield Update("V-2", COUNTER, "A", {"value": row.version})


def written_as_a_number(self: Design, me: Me) -> Handler:
    yield Update("V-2", COUNTER, "A", {"version": 5})


def of_another_row(self: Design, me: Me) -> Handler:
    yield Insert("V-1", COUNTER, Counter("B", 1))
    one, other = (yield Read("V-2", COUNTER, "A")), (yield Read("V-2", COUNTER, "B"))
    if one.version == other.version:
        yield Send("V-3", "got", (1,))


def come_again(self: Design, me: Me) -> Handler:
    yield Insert("V-1", PART, Part("A", "x"))
    first = yield Read("V-2", PART, ("A", "x"))
    yield Delete("V-3", PART, {"name": "x"})
    yield Insert("V-4", PART, Part("A", "x"))
    second = yield Read("V-5", PART, ("A", "x"))
    if first.version == second.version:  # it is, though it is another row
        yield Update("V-6", COUNTER, "A", {"value": 9})


@pytest.mark.parametrize(
    ("handler", "table"),
    [
        (sent, "counter"),
        (put_elsewhere, "counter"),
        (written_as_a_number, "counter"),
        (of_another_row, "counter"),
        (come_again, "part"),
    ],
)
def test_a_version_that_gets_about_is_noticed(handler: Any, table: str) -> None:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("V-0", COUNTER, Counter("A", 1))
        yield Send("V-0", handler.__name__, ())

    def got(self: Design, me: Me, number: int) -> Handler:
        row = yield Read("V-8", COUNTER, "A")
        yield Update("V-9", COUNTER, "A", {"value": 9 if row.version == number else 8})

    design = seen_counter(create=create, got=got, **{handler.__name__: handler})
    search, result = looked_at(design, [], True)
    assert search.numbered == [table]
    plain = looked_at(design, [], False)[1]
    assert (result.states, result.transitions) == (plain.states, plain.transitions)


def test_a_property_that_looks_at_a_version_gets_its_number() -> None:
    @at_rest("few writes", "A row is written twice at most.")
    def few(observation: Observation) -> Any:
        for row in observation.resources.values():
            if (row.version or 0) > 2:  # type: ignore[attr-defined]
                yield witness("many", version=row.version)  # type: ignore[attr-defined]

    design = seen_counter(create=starting(*[(("raise", 0),)] * 3), working=working)
    search, result = looked_at(design, [few], True)
    assert search.numbered == ["counter"]
    assert result.violations[few.name, "many"].witness == Witness("many", (("version", 3),))


def test_a_crash_takes_versions_away_with_whoever_held_them() -> None:
    held: tuple[Step, ...] = (("read", 0), ("read", 1), ("swap", 0), ("compare", 1))
    design = seen_counter(create=starting(held, held), working=working)
    given_: Scenario = asking(engines=2, threads=1, faults={"crash": 1})
    words = [said(word) for word in WORDS]
    search, merged = looked_at(design, words, True, asked=given_)
    assert search.numbered == []
    plain = looked_at(design, words, False, asked=given_)[1]
    assert set(merged.violations) == set(plain.violations)
    assert merged.states < plain.states


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        ({"counter": ("verson",)}, "versions names column 'verson' of table 'counter', and there is none"),
        ({"account": ("version",)}, "versions names column 'version' of table 'account', and there is none"),
        ({"part": ("name",)}, "versions names column 'name' of table 'part', which is looked up by its value"),
    ],
)
def test_columns_that_cannot_be_versions_are_told(versions: dict[str, tuple[str, ...]], said: str) -> None:
    wrong = type("Wrong", (type(seen_counter(create=starting())),), {"versions": versions})()
    with pytest.raises(DesignError, match=said):
        wrong.handlers()


def test_a_failure_of_the_database_is_a_step_of_the_task_that_meets_it() -> None:
    held: tuple[Step, ...] = (("read", 0), ("read", 1), ("swap", 0), ("compare", 1))
    design = seen_counter(create=starting(held, held), working=working)
    words = [said(word) for word in WORDS]
    given_ = asking(engines=1, threads=2, faults={"abort": 1})
    search, merged = looked_at(design, words, True, asked=given_)
    assert search.numbered == []
    plain = looked_at(design, words, False, asked=given_)[1]
    assert set(merged.violations) == set(plain.violations)
    assert merged.states < plain.states
