"""Which engine a task is on makes no states, as long as nobody can tell; and whatever tells is noticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from heatproof.model.design import Design
from heatproof.model.effects import (
    Handler,
    Insert,
    Me,
    Read,
    Send,
    Table,
    Transaction,
    Update,
)
from heatproof.model.observation import Observation
from heatproof.model.scenario import Operation, Scenario, create, scenario, update
from heatproof.model.templates import resource
from heatproof.model.watching import WorldObservation
from heatproof.properties.base import always, at_rest, witness
from heatproof.strategies.asked import properties_for
from heatproof.strategies.proving.checkpoints import Checkpoint
from heatproof.strategies.proving.circles import circles
from heatproof.strategies.proving.learning import REST
from heatproof.strategies.proving.results import Result
from heatproof.strategies.proving.search import Search
from heatproof.strategies.running import Driver
from tests.model.toys import asking
from tests.proving.peers import FILE, instance
from tests.toys import HEAT, fewer, same_in_any_process, seen_toy

PROPERTIES = properties_for(f"{FILE}:Traversal")


class Door(NamedTuple):
    """What engines lock: who has it, who else is about, and what was said."""

    id: str
    engine: str | None = None
    about: frozenset[str] = frozenset()
    seen: frozenset[str] = frozenset()


DOOR = Table("door", Door)

# --------------------------------------------------------------------------------------------------------- random handlers

ACTIONS = (
    "lock", "try", "free", "unlock", "enter", "leave", "ask", "count", "mine", "read", "compare", "forget", "drop", "wait", "tell",
)  # fmt: skip


def working(self: Design, me: Me, program: tuple[str, ...]) -> Handler:
    """A little machine that locks doors with its engine, and says what it finds."""
    engine, held = me.engine, None
    for what in program:
        if what == "lock":
            yield Update("D-1", DOOR, "A", {"engine": engine})
        elif what == "try":
            won = yield Update("D-2", DOOR, "A", {"engine": engine}, {"engine": None})
            yield from saying(f"tried {won}")
        elif what == "free":
            yield Update("D-3", DOOR, "A", {"engine": None})
        elif what == "unlock":
            freed = yield Update("D-4", DOOR, "A", {"engine": None}, {"engine": engine})
            yield from saying(f"unlocked {freed}")
        elif what in ("enter", "leave"):
            yield Transaction("D-5", moving, (engine, what == "enter"))
        elif what == "ask":
            row = yield Read("D-6", DOOR, "A")
            yield from saying(f"locked {row.engine is not None}")
        elif what == "count":
            row = yield Read("D-7", DOOR, "A")
            yield from saying(f"about {len(row.about)}")
        elif what == "mine":
            row = yield Read("D-8", DOOR, "A")
            yield from saying(f"mine {row.engine == engine}")
        elif what == "read":
            held = yield Read("D-9", DOOR, "A")
        elif what == "compare" and held is not None:
            yield from saying(f"held {held.engine == engine}")
        elif what == "forget":
            held = None
        elif what == "drop":
            engine = "nobody"
        elif what == "wait":
            yield Read("D-10", DOOR, "B")
        elif what == "tell":
            yield Send("D-11", "working", (("ask",),))


def saying(word: str) -> Handler:
    yield Transaction("D-12", say, (word,))


def say(word: str) -> Any:
    row = yield Read("D-13", DOOR, "A")
    yield Update("D-13", DOOR, "A", {"seen": row.seen | {word}})


def moving(engine: str, enters: bool) -> Any:
    row = yield Read("D-14", DOOR, "A")
    yield Update("D-14", DOOR, "A", {"about": row.about | {engine} if enters else row.about - {engine}})


@at_rest("nothing said", "Nobody says anything.")
def silence(observation: Observation) -> Any:
    """One kind of witness for each word."""
    for row in observation.resources.values():
        for word in sorted(row.seen):  # type: ignore[attr-defined]  # the rows here are doors
            yield witness(word)


@always("no two are about", "Two engines are never about.", ["resource"])
def alone(_observation: Observation, change: Any) -> Any:
    """Looks into a set of engines."""
    return witness("two") if len(change.new.about) > 1 else None


def starting(*messages: tuple[Any, ...]) -> Any:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("D-0", DOOR, Door("A"))
        for name, *args in messages:
            yield Send("D-0", name, tuple(args))

    return create


def doors(front: str = "", **functions: Any) -> Design:
    """A design of these handlers."""
    design = seen_toy(**functions)
    made: Design = type("Doors", (type(design),), {"tables": (DOOR,), "observe": _observe, "front": front})()
    return made


def _observe(_self: Design, world: Any) -> Any:
    observation = WorldObservation(world)
    observation.resources = world.database.rows[DOOR]
    return observation


def searched(design: Design, asked: Scenario, properties: Any = (silence, alone), **options: Any) -> tuple[Search, Result]:
    search = Search(design, asked, list(properties), **options)
    return search, search.run()


def lengths(search: Search) -> dict[Any, int]:
    """How long the shortest run to each violation is. It is one of an ordinary world, which comes to the same."""
    found = {}
    for key, seen in search.result.violations.items():
        actions = search.way(seen.state, *[seen.action] * (seen.action != REST))
        driver = Driver(search.design, search.scenario, search.properties)
        for action in actions:
            driver.perform(action)
        if seen.action == REST:
            driver.rest()
        assert key in driver.monitor.violations
        found[key] = len(actions)
    return found


def held_against_each_other(design: Design, asked: Scenario, properties: Any = (silence, alone)) -> tuple[Search, Search]:
    """Search with engines open and with engines by name; both find the same."""
    (open_search, mine), (named, other) = (searched(design, asked, properties, placing=placing) for placing in (True, False))
    assert mine.complete
    assert other.complete
    assert lengths(open_search) == lengths(named)
    assert mine.reached == other.reached
    assert mine.states <= other.states
    return open_search, named


PROGRAM = st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=6).map(tuple)


@fewer(9, nightly=3, suppress_health_check=list(HealthCheck))
@given(st.lists(PROGRAM, min_size=1, max_size=3), st.integers(2, 3), st.integers(1, 2), st.sampled_from(["", "front"]))
def test_whatever_is_done_with_engines_the_same_can_be_seen(
    programs: list[tuple[str, ...]], engines: int, threads: int, front: str
) -> None:
    design = doors(front, create=starting(*[("working", program) for program in programs]), working=working)
    held_against_each_other(design, asking(engines=engines, threads=threads))


# ---------------------------------------------------------------------------------------------- what it saves, and where


@pytest.mark.parametrize("variant", ["Traversal", "Unconditional", "Grabbing", "Careless", "StackFirst", "Versioned"])
@pytest.mark.parametrize("name", ["I1", "I3", "I4"])
def test_the_protocol_has_as_many_states_as_with_anonymous_engines(name: str, variant: str) -> None:
    """Those are what other checkers count (test_counts.py). There are fewer transitions, since one delivery stands for one to each engine."""
    open_search, named = held_against_each_other(*instance(name, variant), PROPERTIES)
    assert open_search.open is ((name, variant) != ("I3", "Grabbing"))  # there one takes the lock of another
    if not open_search.open:
        return
    mine, other = open_search.result, named.result
    assert (mine.states, mine.depth, mine.terminal, mine.resting) == (other.states, other.depth, other.terminal, other.resting)
    assert mine.transitions < other.transitions
    assert mine.lessons < other.lessons


def test_any_number_of_engines_is_no_more_work() -> None:
    """Where engines have names there is a sum for each order of them in every fingerprint: 720 for six."""
    design = doors("front", create=starting(*[("working", ("try", "wait", "unlock"))] * 3), working=working)
    found = [searched(design, asking(engines=engines, threads=1)) for engines in (3, 6)]
    assert len({result.states for _, result in found}) == 1
    assert all(search.open and len(search.tables.renderers) == 1 for search, _ in found)


def test_threads_are_counted() -> None:
    """Two tasks are about at once only if there are two threads, wherever these are."""
    design = doors("front", create=starting(*[("working", ("enter", "leave"))] * 3), working=working)
    for engines, threads, about in ((2, 1, True), (1, 1, False), (1, 2, False)):
        search, result = searched(design, asking(engines=engines, threads=threads), [alone])
        assert bool(result.violations) is about, (engines, threads)
        assert search.open is (engines > 1)
    assert held_against_each_other(design, asking(engines=2, threads=1), [alone])[0].open


def test_heat_has_engines_by_name() -> None:
    """Its requests start tasks beside themselves, and who finds a lock asks whose it is."""
    updated = scenario(create([resource("A", {"p": 1})]), update([resource("A", {"p": 2})]), engines=2, threads=1)
    search, result = searched(HEAT, updated, properties_for("heat"))
    assert not search.open
    assert result == searched(HEAT, updated, properties_for("heat"), placing=False)[1]


@pytest.mark.parametrize("fault", ["crash", "restart"])
def test_engines_to_which_something_happens_have_names(fault: str) -> None:
    design = doors("front", create=starting(("working", ("lock",))), working=working)
    assert not searched(design, asking(engines=2, threads=1, faults={fault: 1}))[0].open


# ------------------------------------------------------------------------------------------------------- what else there is


def test_circles_are_judged_with_open_engines_too() -> None:
    design = doors("front", create=starting(("working", ("try", "tell", "unlock"))), working=working)
    assert circles(design, asking(engines=2, threads=1)).verdict == "held"


def test_a_search_that_has_given_engines_names_can_be_gone_on_with(tmp_path: Path) -> None:
    design = doors("front", create=starting(*[("working", ("lock", "read", "wait", "compare", "free"))] * 2), working=working)
    asked = asking(engines=2, threads=2)
    whole = searched(design, asked)[1]
    kept = Checkpoint(tmp_path / "kept", every=0)
    stops = Search(design, asked, [silence, alone], checkpoint=kept, go_on=lambda result: "enough" if result.states > 20 else "")
    assert not stops.run().complete
    assert not stops.open
    other = Search(design, asked, [silence, alone], checkpoint=Checkpoint(tmp_path / "kept"))
    other.resume()
    assert not other.open
    assert (other.run().states, other.result.transitions) == (whole.states, whole.transitions)


def told() -> str:
    """What a search finds, with the ways."""
    search, result = searched(*instance("I3", "Grabbing"), PROPERTIES)
    ways = [str(action) for seen in result.violations.values() for action in search.way(seen.state, seen.action)]
    return repr((result.states, result.transitions, result.lessons, sorted(lengths(search).items()), ways))


def test_the_same_in_any_process() -> None:
    assert "deliver check(A, T1) to E1" in same_in_any_process(__name__, "told")
