"""Whatever could tell engines apart is noticed by a search that leaves them open."""

from __future__ import annotations

from typing import Any

import pytest

from heatproof.model.design import Design
from heatproof.model.effects import (
    Cancel,
    Escape,
    Handler,
    Insert,
    Listen,
    Me,
    Probe,
    Read,
    Send,
    Sleep,
    Spawn,
    Transaction,
    Update,
)
from heatproof.model.observation import Observation
from heatproof.model.scenario import Operation
from heatproof.properties.base import Property, always, at_rest, witness
from tests.model.toys import asking
from tests.proving.test_placing import (
    DOOR,
    Door,
    doors,
    held_against_each_other,
    moving,
    say,
    searched,
    silence,
    starting,
    working,
)

# -------------------------------------------------------------------------------------------------------- what is noticed


def _shown(engine: str) -> Any:
    return f"{engine}"


TELLING: dict[str, Any] = {
    "shown": _shown,
    "printed": repr,
    "added to": lambda engine: engine + "x",
    "put into a text": lambda engine: "at %s" % engine,  # noqa: UP031  # the old way is one way
    "taken apart": lambda engine: engine[0],
    "added behind": lambda engine: "x" + engine,
    "measured": len,
    "looked into": lambda engine: "1" in engine,
    "compared with one by name": lambda engine: engine == "E1",
    "looked for among some": lambda engine: engine in ("E1", "E3"),
    "told from all by name": lambda engine: engine not in ("E1", "E2"),
    "compared by order": lambda engine: engine < "E2",
    "asked how it begins": lambda engine: engine.startswith("E"),
    "encoded": lambda engine: engine.encode(),
    "gone through": list,
    "split": lambda engine: engine.split("/"),
}


@pytest.mark.parametrize("how", sorted(TELLING))
def test_who_looks_into_the_name_of_an_engine_is_noticed(how: str) -> None:
    telling = TELLING[how]

    def look(self: Design, me: Me) -> Handler:
        yield Read("L-1", DOOR, "A")
        yield Transaction("L-2", say, (f"saw {telling(me.engine)}",))

    design = doors("front", create=starting(("look",)), look=look)
    assert not held_against_each_other(design, asking(engines=2, threads=1))[0].open


def test_who_goes_on_as_if_nothing_had_happened_is_noticed() -> None:
    def stubborn(self: Design, me: Me) -> Handler:
        try:
            yield Transaction("L-26", say, ("before" if me.engine < "E2" else "behind",))
        except BaseException:  # what no handler should do
            yield Transaction("L-27", say, ("nothing happened",))

    design = doors("front", create=starting(("stubborn",)), stubborn=stubborn)
    search, _ = held_against_each_other(design, asking(engines=2, threads=1), [silence])
    assert not search.open
    assert {kind for _, kind in search.result.violations} == {"before", "behind"}


def locks(self: Design, me: Me) -> Handler:
    yield Update("L-3", DOOR, "A", {"engine": me.engine})
    yield Read("L-4", DOOR, "A")
    yield Update("L-5", DOOR, "A", {"engine": None})


def _ends(self: Design, me: Me) -> Handler:
    yield Update("L-6", DOOR, "A", {"engine": me.engine})


def _holds(self: Design, me: Me) -> Handler:
    row = yield Read("L-7", DOOR, "A")
    yield Read("L-8", DOOR, "B")
    yield Transaction("L-9", say, (f"mine {row.engine == me.engine}",))


def _spawns(self: Design, me: Me) -> Handler:
    yield Spawn("L-10", "locks", ())


def _sends(self: Design, me: Me) -> Handler:
    yield Send("L-11", "told", (me.engine,))


class Box:
    """Holds an engine in a dictionary, and is compared by it."""

    def __init__(self, engine: str):
        self.held = {"engine": engine}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Box) and other.held == self.held

    def __hash__(self) -> int:
        return 1

    def canonical(self) -> tuple[str, ...]:
        """What it holds."""
        return tuple(self.held.values())


def _sends_inside(self: Design, me: Me) -> Handler:
    yield Send("L-34", "told", (Box(me.engine),))


def _addresses(self: Design, me: Me) -> Handler:
    yield Send("L-12", "locks", (), to=me.engine)


def _cancels(self: Design, me: Me) -> Handler:
    yield Listen("L-13", "door")
    yield Cancel("L-14", "door")


def _steals(self: Design, me: Me) -> Handler:
    yield Update("L-15", DOOR, "A", {"engine": me.engine})
    yield Update("L-16", DOOR, "A", {"engine": None})


def _copies(self: Design, me: Me) -> Handler:
    row = yield Read("L-17", DOOR, "A")
    if row.engine is not None:
        yield Insert("L-18", DOOR, row._replace(id="B"))


MEETING: dict[str, Any] = {
    "ends and leaves its lock": _ends, "goes on with another's": _holds, "starts another beside it": _spawns, "sends its engine": _sends,
    "sends it in an object": _sends_inside,
    "sends to its engine": _addresses, "cancels all of its engine": _cancels, "takes the lock from another": _steals, "copies a lock": _copies,
}  # fmt: skip


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("how", sorted(MEETING))
def test_who_may_tell_engines_apart_is_noticed(how: str, threads: int) -> None:
    def told(self: Design, me: Me, sent: Any) -> Handler:
        engine = sent.held["engine"] if isinstance(sent, Box) else sent
        yield Transaction("L-19", say, (f"sent {engine == me.engine}",))

    design = doors("front", create=starting(("locks",), ("met",), ("met",)), locks=locks, met=MEETING[how], told=told)
    known = (how, threads) == ("cancels all of its engine", 1)  # two workers with one thread each are on two engines
    assert held_against_each_other(design, asking(engines=2, threads=threads))[0].open is known


def test_faults_strike_messages_also_while_all_threads_are_busy() -> None:
    @always("struck while all are busy", "Two are about, and a message is lost.", ["resource"])
    def struck(observation: Observation, change: Any) -> Any:
        lost, before = observation.faults.get("lose", 0), observation.memory.get("lost", 0)
        observation.remember("lost", lost)
        return witness("struck") if len(change.new.about) == 2 and lost > before else None

    program = ("enter", "ask", "ask", "leave")
    design = doors("front", create=starting(*[("working", program)] * 3), working=working)
    search, named = held_against_each_other(design, asking(engines=2, threads=1, faults={"lose": 1}), [struck])
    assert search.open
    assert named.result.violations


def test_its_own_engine_is_nothing_else_that_a_handler_may_hold() -> None:
    """What stands for it in the text of a node is equal to nothing."""

    def holds(self: Design, me: Me, which: str) -> Handler:
        held = frozenset([me.engine if which == "engine" else which])
        del me
        yield Read("L-28", DOOR, "A")
        yield Transaction("L-29", say, (f"empty {held == frozenset([''])}",))

    sent = [("holds", which) for which in ("", " 1", "engine")]
    design = doors("front", create=starting(*sent), holds=holds)
    search, _ = held_against_each_other(design, asking(engines=2, threads=1), [silence])
    assert search.open
    assert set(search.result.violations) == {("nothing said", "empty True"), ("nothing said", "empty False")}


def test_a_task_is_no_engine() -> None:
    def compares(self: Design, me: Me) -> Handler:
        yield Read("L-30", DOOR, "A")
        yield Transaction("L-31", say, (f"called {me.engine == me.task}",))

    design = doors("front", create=starting(("compares",)), compares=compares)
    search, _ = held_against_each_other(design, asking(engines=2, threads=1), [silence])
    assert set(search.result.violations) == {("nothing said", "called False")}


class Told(Escape):
    """Names an engine."""


def test_an_exception_tells_an_engine_by_its_name() -> None:
    def refusing(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("L-32", DOOR, Door("A"))
        raise Told(me.engine)

    @at_rest("nothing escapes", "An operation says what escaped.")
    def escaping(observation: Observation) -> Any:
        return [witness(request.reason) for request in observation.requests]

    search, _ = held_against_each_other(doors(create=refusing), asking(engines=2, threads=1), [escaping])
    assert not search.open
    assert set(search.result.violations) == {("nothing escapes", "E1"), ("nothing escapes", "E2")}  # its kind is noticed too


def test_the_user_may_tell_engines_apart() -> None:
    design = doors("front", create=starting(*[("working", ("lock", "wait", "free"))] * 2), update=starting(), working=working)

    def may_ask(self: Design, world: Any, operation: Operation) -> bool:
        return operation.kind == "create" or any(row.engine == "E2" for row in world.database.rows[DOOR].values())

    choosy: Design = type("Choosy", (type(design),), {"may_ask": may_ask})()
    assert not held_against_each_other(choosy, asking("update", engines=2, threads=1), [])[0].open


def test_names_of_tasks_with_and_without_a_thread_are_kept_apart() -> None:
    design = doors("front", create=starting(*[("working", ("ask", "wait"))] * 3), update=starting(), working=working)
    same: Design = type("Same", (type(design),), {"label": lambda *_: "x", "operation_label": lambda *_: "x"})()
    assert not held_against_each_other(same, asking("update", engines=2, threads=1), [silence])[0].open


@always("two sort", "A property may sort engines.", ["resource"])
def sorting(_observation: Observation, change: Any) -> Any:
    """As one that tells a person."""
    return witness("sorted") if len(sorted(change.new.about)) > 1 else None


@at_rest("engines live", "A property may ask which engines live.")
def living(observation: Observation) -> Any:
    """As one that goes through them."""
    return [witness("living", count=len(list(observation.engines)))]


@always("idle", "A property may ask how many threads are idle at an engine.", ["resource"])
def idling(observation: Observation, change: Any) -> Any:
    """As one that asks by engine."""
    idle = {observation.engines.get(engine) for engine in change.new.about}
    return witness("idle", threads=sorted(map(str, idle))) if idle else None


@always("by name", "The kind of a witness may be an engine.", ["resource"])
def kinds(_observation: Observation, change: Any) -> Any:
    """As one that has a kind for each."""
    return witness(change.new.engine) if change.new.engine else None


@pytest.mark.parametrize("prop", [sorting, living, idling, kinds], ids=lambda prop: prop.name)
def test_a_property_that_may_tell_engines_apart_is_noticed(prop: Property) -> None:
    design = doors("front", create=starting(*[("working", ("enter", "lock", "leave", "free"))] * 2), working=working)
    search, named = held_against_each_other(design, asking(engines=2, threads=1), [prop])
    assert not search.open
    assert named.result.violations


@always("nobody is about", "A property may tell who it was.", ["resource"])
def told_by_name(_observation: Observation, change: Any) -> Any:
    """As one whose witness has engines."""
    return witness("about", who=change.new.about) if change.new.about else None


def test_a_witness_has_engines_by_name() -> None:
    def stays(self: Design, me: Me) -> Handler:
        yield Transaction("L-23", moving, (me.engine, True))
        while (yield Read("L-24", DOOR, "A")).about:
            yield Sleep("L-25")

    design = doors("front", create=starting(("stays",)), stays=stays)
    search, _ = held_against_each_other(design, asking(engines=2, threads=1), [told_by_name])
    assert not search.open
    assert [seen.witness.values for seen in search.result.violations.values()] == [(("who", ("E1",)),)]


def test_who_asks_whether_an_engine_lives_is_told() -> None:
    def probes(self: Design, me: Me) -> Handler:
        alive = yield Probe("L-20", me.engine)
        yield Transaction("L-21", say, (f"alive {alive}",))

    design = doors("front", create=starting(("probes",)), probes=probes)
    search, _ = held_against_each_other(design, asking(engines=2, threads=1), [silence])
    assert search.open
    assert set(search.result.violations) == {("nothing said", "alive True")}


def test_texts_that_c_puts_together_are_noticed_where_they_stand() -> None:
    def joins(self: Design, me: Me) -> Handler:
        yield Transaction("L-22", say, ("".join(["at ", me.engine]),))

    search, _ = held_against_each_other(
        doors("front", create=starting(("joins",)), joins=joins), asking(engines=2, threads=1), [silence]
    )
    assert not search.open
    assert set(search.result.violations) == {("nothing said", "at E1"), ("nothing said", "at E2")}


def test_who_has_ids_of_engines_by_name_tells_them_apart() -> None:
    def looks(self: Design, me: Me) -> Handler:
        yield Transaction("L-35", say, (f"begins {'E1'.startswith(me.engine)}",))

    def looks_up(self: Design, me: Me) -> Handler:
        yield Transaction("L-33", say, (f"found {me.engine in {'E1', 'E3'}}",))

    design = doors("front", create=starting(("looks",), ("looks_up",)), looks=looks, looks_up=looks_up)
    search, _ = held_against_each_other(design, asking(engines=2, threads=1), [silence])
    assert not search.open
    assert {kind for _, kind in search.result.violations} == {"begins True", "begins False", "found True", "found False"}


def test_what_is_not_noticed() -> None:
    """C that looks into a text without asking. The documentation says so."""

    def looks(self: Design, me: Me) -> Handler:
        yield Transaction("L-36", say, (f"odd {str.endswith(me.engine, '1')}",))

    search, _ = searched(doors("front", create=starting(("looks",)), looks=looks), asking(engines=2, threads=1), [silence])
    assert search.open
    assert set(search.result.violations) == {("nothing said", "odd False")}
