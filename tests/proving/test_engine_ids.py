"""Handlers and properties that look into the ids of engines, or make something else of them, are noticed by a search whose engines are anonymous."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import pytest

from heatproof.model.canonical import canonical
from heatproof.model.catalogue import load
from heatproof.model.design import Design
from heatproof.model.effects import (
    Begin,
    Expired,
    Finish,
    Handler,
    Insert,
    Me,
    Query,
    Read,
    Send,
    Sleep,
    Table,
    Transaction,
    Update,
)
from heatproof.model.engine_ids import EngineId, EnginesTold
from heatproof.model.in_order import in_order
from heatproof.model.observation import Observation
from heatproof.model.reality import Spec
from heatproof.model.scenario import Scenario, create, scenario
from heatproof.model.templates import resource
from heatproof.model.watching import WorldObservation
from heatproof.properties.base import Property, always, at_rest, witness
from heatproof.strategies.proving.search import Search
from heatproof.strategies.proving.symmetry import Renderer, ambiguous, renderers
from tests.model.toys import asking
from tests.toys import seen_toy


class Lock(NamedTuple):
    """Who has it, and how often it was written in spite of what stands there."""

    id: Any
    owner: Any = None
    n: int = 0


LOCK = Table("lock", Lock)


def _observe(self: Design, world: Any) -> Any:
    observation = WorldObservation(world)
    observation.stacks = world.database.rows[LOCK]
    return observation


def locks(**functions: Any) -> Design:
    """A design with one table of locks."""
    made: Design = type("Locks", (type(seen_toy(**functions)),), {"tables": (LOCK,), "observe": _observe})()
    return made


def going(*messages: tuple[Any, ...]) -> Any:
    """The handler that creates the lock and sends these messages."""

    def create(self: Design, me: Me, number: int, operation: Any) -> Handler:
        yield Insert("C-1", LOCK, Lock("L"))
        for name, *args in messages:
            yield Send("C-2", name, tuple(args))

    return create


@at_rest("counted", "Nobody counts.", frozenset())
def counted(observation: Observation) -> Any:
    """One kind for each number."""
    for row in observation.stacks.values():
        yield witness(f"n {row.n}")  # type: ignore[attr-defined]  # the rows here are locks


@at_rest("counted there", "Nobody counts there.", frozenset())
def counted_there(observation: Observation) -> Any:
    """One kind for each number, without a look at other locks."""
    yield witness(f"n {observation.stacks['L'].n}")  # type: ignore[attr-defined]  # the rows here are locks


def same(design: Design, asked: Scenario, *properties: Property) -> tuple[Search, Search]:
    """A search with all reductions and one without placing, which find what one without any finds, after as many steps."""
    plain = {"symmetric": False, "merge": False, "versions": False, "columns": False, "placing": False}
    searches = [Search(design, asked, properties, **options) for options in ({}, {"placing": False}, plain)]  # type: ignore[arg-type]
    found = []
    for search in searches:
        assert search.run().complete
        found.append({key: len(search.forced) + seen.depth for key, seen in search.result.violations.items()})
    assert found[0] == found[1] == found[2] != {}
    return searches[0], searches[1]


def locking(mine: Callable[[Any], Any], theirs: Callable[[Any], Any] | None = None) -> Design:
    """Workers who put something of their engine into a lock, and count where they find it there later."""
    ask = theirs or (lambda me: lambda owner: owner == mine(me))

    def go(self: Design, me: Me) -> Handler:
        yield Update("G-1", LOCK, "L", {"owner": mine(me)}, where={"owner": None})
        yield Sleep("G-2")
        row = yield Read("G-3", LOCK, "L")
        if ask(me)(row.owner):
            yield Update("G-4", LOCK, "L", {"n": row.n + 1})

    return locks(create=going(("go",), ("go",)), go=go)


@lru_cache
def kept(engine: str) -> tuple[str, int]:
    """An id that outlives the search in which it was handed out."""
    return (engine, 1)


MADE: dict[str, Callable[[Me], Any]] = {
    "before": lambda me: f"{me.engine}_lock",
    "of a cache": lambda me: f"{kept(me.engine)[0]}_lock",
    "behind": lambda me: f"lock_{me.engine}",
    "beside": lambda me: f"lock-{me.engine}",
    "added before": lambda me: me.engine + "x",
    "added behind": lambda me: "worker" + me.engine,
    "put in": lambda me: "at %s" % me.engine,  # noqa: UP031  # the old way is one way
    "formatted": lambda me: "at {:>4}".format(me.engine),  # noqa: UP032  # and so is this
    "put in and taken apart": lambda me: f"{me.engine}_lock".lower(),
    "joined": lambda me: "-".join(["lock", me.engine]),
    "joined closely": lambda me: "".join(["lock", me.engine]),
    "joined with a number": lambda me: "".join([me.engine, "2"]),
    "joined with what begins": lambda me: "".join(["LOCKE", me.engine]),
    "replaced": lambda me: "x_lock".replace("x", me.engine),
    "lowered": lambda me: me.engine.lower(),
    "a number": lambda me: int(me.engine[1:]),
    "indexed": lambda me: me.engine[1],
    "encoded": lambda me: me.engine.encode(),
    "encoded in C": lambda me: bytes(me.engine, "ascii"),
    "its letters": lambda me: tuple(me.engine),
    "translated": lambda me: me.engine.translate({69: "F"}),
    "its hash": lambda me: hash(me.engine) % 2**31,
    "the hash of a row": lambda me: hash((me.engine, 1)) % 2**31,
    "its text": lambda me: str(me.engine)[1:],
    "shown": lambda me: repr(me),
    "twice": lambda me: me.engine * 2,
    "the greater": lambda me: max(me.engine, "D"),
    "copied": lambda me: copy.deepcopy([me.engine])[0].lower(),
}  # fmt: skip

EXCHANGED = {"joined", "encoded in C"}


@pytest.mark.parametrize("engines", [2, 3])
@pytest.mark.parametrize("how", MADE)
def test_what_is_made_of_an_id(how: str, engines: int) -> None:
    for search in same(locking(MADE[how]), asking(engines=engines, threads=1), counted):
        assert search.anonymous is (how in EXCHANGED)


ASKED: dict[str, Callable[[Me], Callable[[Any], bool]]] = {
    "equal": lambda me: lambda owner: owner == me.engine,
    "among": lambda me: lambda owner: owner in {me.engine, None},
    "looked up": lambda me: lambda owner: {owner: True}.get(me.engine, False),
    "any": lambda me: lambda owner: bool(owner),  # asked here
    "sure": lambda me: lambda owner: owner is not None and owner != me.engine,
    "less": lambda me: lambda owner: owner < me.engine,
    "least of two": lambda me: lambda owner: (owner, 1) < (me.engine, 0),
    "least": lambda me: lambda owner: min(owner, me.engine) is owner and owner != me.engine,
    "last letter": lambda me: lambda owner: owner[-1] == me.engine[-1],
    "even": lambda me: lambda owner: int(owner[1:]) % 2 == 0,
}  # fmt: skip


@pytest.mark.parametrize("how", ASKED)
@pytest.mark.parametrize("faults", [{}, {"crash": 1}], ids=["", "crash"])
def test_what_is_asked_of_an_id(how: str, faults: dict[str, int]) -> None:
    design = locking(lambda me: me.engine, ASKED[how])
    _, named = same(design, asking(engines=2, threads=1, faults=faults), counted)
    assert named.anonymous is (how in ("equal", "among", "looked up", "any", "sure"))


def test_who_goes_on_as_if_nothing_had_happened_is_noticed() -> None:
    def mine(me: Me) -> Any:
        try:
            return me.engine.lower()
        except BaseException:  # what no handler should do
            return "nobody"

    assert not same(locking(mine), asking(engines=2, threads=1), counted)[1].anonymous


def _keyed(key: Callable[[Any], Any], through: bool) -> Design:
    def go(self: Design, me: Me) -> Handler:
        made = yield Transaction("K-1", _once, (key(me.engine),))
        rows = yield Query("K-2", LOCK, {"n": 0})
        if through and len(rows) > 1 and rows[1].id == made:
            yield Update("K-3", LOCK, "L", {"n": 7})
        elif not through:
            yield Update("K-4", LOCK, made, {"n": 1})

    return locks(create=going(("go",), ("go",)), go=go)


def _once(key: Any) -> Any:
    if (yield Read("K-5", LOCK, key)) is None:
        yield Insert("K-5", LOCK, Lock(key))
    return key


@pytest.mark.parametrize("through", [False, True])
@pytest.mark.parametrize("key", [lambda engine: engine, lambda engine: f"{engine}_row"])
def test_keys_of_rows(key: Callable[[Any], Any], through: bool) -> None:
    same(_keyed(key, through), asking(engines=2, threads=1), counted)


@pytest.mark.parametrize("sent", [lambda me: me.engine, lambda me: f"{me.engine}_", lambda me: ("of", me.engine.lower())])
def test_what_is_sent(sent: Callable[[Me], Any]) -> None:
    def go(self: Design, me: Me) -> Handler:
        yield Send("S-1", "told", (sent(me),))

    def told(self: Design, me: Me, what: Any) -> Handler:
        if what == sent(me):
            row = yield Read("S-2", LOCK, "L")
            yield Update("S-3", LOCK, "L", {"n": row.n + 1})

    _, named = same(locks(create=going(("go",), ("go",)), go=go, told=told), asking(engines=2, threads=1), counted)
    assert named.anonymous is (sent is test_what_is_sent.pytestmark[0].args[1][0])  # type: ignore[attr-defined]


@pytest.mark.parametrize("topic", [lambda me: me.engine, lambda me: f"{me.engine}_limit"])
def test_topics_of_limits(topic: Callable[[Me], Any]) -> None:
    def go(self: Design, me: Me) -> Handler:
        made = yield Begin("T-1", "create", "A", Spec("A"), "one", topic(me))
        yield Finish("T-2", made)

    def asks(self: Design, me: Me) -> Handler:
        if (yield Expired("T-3", topic(me))):
            yield Update("T-4", LOCK, "L", {"n": 7})

    design = locks(create=going(("go",), ("asks",)), go=go, asks=asks)
    same(design, asking(engines=2, threads=1, faults={"timeout": 1}), counted)


def _remembering(what: Callable[[Any], Any]) -> Property:
    @always("same again", "The lock is of the same again.", ["stack"])
    def again(observation: Observation, change: Any) -> Any:
        if change.new is None or change.new.owner is None:
            return None
        before, now = observation.memory.get("owner"), what(change.new.owner)
        observation.remember("owner", now)
        return witness("same" if before == now else "first" if before is None else "other")

    return again


@pytest.mark.parametrize("what", [lambda one: one, lambda one: f"{one}_x", lambda one: one[1:], lambda one: "".join([one, "x"])])
def test_what_properties_remember(what: Callable[[Any], Any]) -> None:
    def go(self: Design, me: Me) -> Handler:
        yield Update("R-1", LOCK, "L", {"owner": me.engine})

    design = locks(create=going(("go",), ("go",), ("go",)), go=go)
    same(design, asking(engines=2, threads=1), _remembering(what))


@always("by name", "The kind of a witness may be an engine.", ["stack"])
def by_name(_observation: Observation, change: Any) -> Any:
    """As one that has a kind for each."""
    return witness(change.new.owner) if change.new and change.new.owner else None


@always("some are busy", "A property may look into the ids of the engines that live.", ["stack"])
def numbered(observation: Observation, change: Any) -> Any:
    """As one that has a kind for the number of each."""
    free = [int(engine[1:]) for engine, idle in observation.engines.items() if idle]
    return witness(f"number {free[0]}") if free and change.new and change.new.owner else None


@always("on some", "A property may look into the engines of tasks.", ["stack"])
def on_some(observation: Observation, change: Any) -> Any:
    """As one that tells the tasks of the first from others."""
    on = {task.engine[1:] for task in observation.tasks.values() if task.handler == "go"}
    return witness(f"on {sorted(on)}") if change.new and change.new.owner else None


@pytest.mark.parametrize("prop", [by_name, numbered, on_some], ids=lambda prop: prop.name)
@pytest.mark.parametrize("engines", [2, 3])
def test_a_property_that_tells_engines_by_name_is_noticed(prop: Property, engines: int) -> None:
    design = locking(lambda me: me.engine)
    assert not same(design, asking(engines=engines, threads=1), prop)[1].anonymous


@pytest.mark.parametrize("text", ["E1_lock", "LOCKE1", "E1E2", "E7", "E01", "E1x"])
def test_a_text_that_only_looks_like_an_id_is_not_exchanged(text: str) -> None:
    sure = Renderer((1, 2))
    sure.sure = True
    with pytest.raises(EnginesTold):
        sure.salt((text, 1))


@pytest.mark.parametrize("text", ["E1", "at E1", "lock-E1", "E1/2", "E1:go"])
def test_a_text_with_an_id_is_exchanged(text: str) -> None:
    sure = renderers(asking(engines=2), True)
    assert [one.text(text) for one in sure] == [repr(text), repr(text.replace("E1", "E2"))]


@pytest.mark.parametrize(("name", "is_ambiguous"), [("A", False), ("NODE", False), ("E", True), ("E1", True)])
def test_a_name_that_may_become_an_id_is_ambiguous(name: str, is_ambiguous: bool) -> None:
    assert ambiguous(scenario(create([resource(name)]))) is is_ambiguous


MADE_UP: dict[str, tuple[Callable[[Me, str], Any], Callable[[Me, str, Any], bool]]] = {
    "no": (lambda me, made: me.engine, lambda me, made, owner: owner == me.engine),
    "stored": (lambda me, made: made, lambda me, made, owner: owner == made),
    "stored within": (lambda me, made: (made, 1), lambda me, made, owner: owner == (made, 1)),
    "stored beside one": (lambda me, made: (me.engine, made), lambda me, made, owner: owner == (me.engine, made)),
    "compared": (lambda me, made: me.engine, lambda me, made, owner: owner == made),
    "compared from the other side": (lambda me, made: me.engine, lambda me, made, owner: made == owner),
    "not unlike": (lambda me, made: me.engine, lambda me, made, owner: not made != owner),  # noqa: SIM202  # another question
    "looked up": (lambda me, made: me.engine, lambda me, made, owner: owner in {made: 1}),
    "among": (lambda me, made: me.engine, lambda me, made, owner: owner in ("", made)),
    "another looked up": (lambda me, made: me.engine, lambda me, made, owner: owner in {made.replace("1", "2"): 1}),
    "found in a set": (lambda me, made: me.engine, lambda me, made, owner: made in {owner}),
    "compared within": (lambda me, made: (me.engine, 1), lambda me, made, owner: owner == (made, 1)),
}  # fmt: skip


@pytest.mark.parametrize("how", MADE_UP)
@pytest.mark.parametrize("faults", [{}, {"crash": 1}], ids=["", "crash"])
@pytest.mark.parametrize("name", ["E", "E1"])
@pytest.mark.parametrize("numbers", [(1, 2), (2,)], ids=str)
def test_a_name_and_a_number_make_an_id(numbers: tuple[int, ...], name: str, faults: dict[str, int], how: str) -> None:
    mine, theirs = MADE_UP[how]

    def create_stack(self: Design, me: Me, number: int, operation: Any) -> Handler:
        yield Insert("C-1", LOCK, Lock("L"))
        for n in numbers:
            yield Send("C-2", "go", (operation.template.order[0], n))

    def go(self: Design, me: Me, name: str, n: int) -> Handler:
        yield Update("G-1", LOCK, "L", {"owner": mine(me, f"{name}{n}"[:2])}, where={"owner": None})
        yield Sleep("G-2")
        row = yield Read("G-3", LOCK, "L")
        if theirs(me, f"{name}{n}"[:2], row.owner):
            yield Update("G-4", LOCK, "L", {"n": row.n + n})

    asked = scenario(create([resource(name)]), engines=2, threads=1, faults=faults)
    _, named = same(locks(create=create_stack, go=go), asked, counted)
    assert named.anonymous is (how == "no" and name == "E")  # E1 is sent


@pytest.mark.parametrize("faults", [{}, {"crash": 1}], ids=["", "crash"])
def test_a_row_is_found_by_a_name_and_a_number(faults: dict[str, int]) -> None:
    def create_stack(self: Design, me: Me, number: int, operation: Any) -> Handler:
        yield Insert("C-1", LOCK, Lock("L"))
        yield Send("C-2", "go", (operation.template.order[0],))

    def go(self: Design, me: Me, name: str) -> Handler:
        yield Insert("G-1", LOCK, Lock(me.engine))
        if (yield Transaction("G-2", find, (name,))):
            yield Update("G-3", LOCK, "L", {"n": 1})

    def find(name: str) -> Any:
        return (yield Read("G-2", LOCK, f"{name}2")) is not None

    asked = scenario(create([resource("E")]), engines=2, threads=1, faults=faults)
    _, named = same(locks(create=create_stack, go=go), asked, counted_there)
    assert not named.anonymous


@pytest.mark.parametrize(("design", "is_open"), [("heat", False), ("examples/traversal.py:Versioned", True)])
def test_a_resource_called_like_the_beginning_of_an_id_costs_nothing(design: str, is_open: bool) -> None:
    searches = []
    for name in ("A", "E"):
        search = Search(load(design), scenario(create([resource(name)]), engines=2, threads=2), [])
        searches.append((search.run().states, search.result.lessons, search.anonymous, search.open))
    assert searches[0] == searches[1]
    assert searches[0][2:] == (True, is_open)


def test_what_c_does_not_take_for_a_text_is_no_mistake_of_the_design() -> None:
    assert not same(locking(lambda me: sys.intern(me.engine)), asking(engines=2, threads=1), counted)[1].anonymous


def test_an_id_is_a_text_to_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    one = EngineId("E1")
    assert sorted([EngineId("E2"), one])[0][1:] == "1"  # as long as no search is at work
    assert one == "E1"
    assert {"E1": 1}[one] == 1
    monkeypatch.setattr(EngineId, "watching", True)
    assert one == EngineId("E1")
    assert one not in (None, 1, "none", "E")
    for text in ("E1", "E2/3"):  # which somebody has made up
        with pytest.raises(EnginesTold):
            assert one != text
    assert [str.__str__(each) for each in sorted([EngineId("E2"), one])] == ["E1", "E2"]
    assert Renderer((2, 1)).text(Lock(one)) == Renderer((2, 1)).text(Lock("E1"))
    for order in (in_order, lambda keys: sorted(map(canonical, keys))):
        with pytest.raises(EnginesTold):  # whoever has them put in order
            order([EngineId("E2"), one])
    assert type(pickle.loads(pickle.dumps(one))) is str
