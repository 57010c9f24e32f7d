"""What the world makes of the ids of engines, and the order in which it shows them, tell engines apart to handlers and properties that look."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from heatproof.model.design import Design
from heatproof.model.effects import Begin, Handler, Insert, Me, Probe, Read, Send, Sleep, Spawn, Transaction, Update
from heatproof.model.observation import Observation
from heatproof.model.reality import Spec
from heatproof.model.scenario import create, scenario, update
from heatproof.model.templates import resource
from heatproof.properties.base import always, at_rest, witness
from tests.model.toys import asking
from tests.proving.test_engine_ids import LOCK, Lock, counted, counted_there, going, locks, same


def _second_row(me: Me) -> Handler:
    yield Insert("K-6", LOCK, Lock(me.engine))
    return (yield Insert("K-7", LOCK, Lock(me.engine)))


def _thing(me: Me) -> Handler:
    return (yield Begin("K-6", "create", me.engine, Spec("A"), "one"))


@pytest.mark.parametrize("makes", [_second_row, _thing])
@pytest.mark.parametrize("theirs", [lambda owner, made: owner < made, lambda owner, made: owner != made and owner[1] == "1"])
def test_what_the_world_makes_of_an_id_for_a_design(theirs: Callable[[str, str], bool], makes: Callable[[Me], Handler]) -> None:
    def go(self: Design, me: Me) -> Handler:
        made = yield from makes(me)
        yield Update("K-8", LOCK, "L", {"owner": made}, where={"owner": None})
        row = yield Read("K-9", LOCK, "L")
        if theirs(row.owner, made):
            yield Update("K-10", LOCK, "L", {"n": row.n + 1})

    same(locks(create=going(("go",), ("go",)), go=go), asking(engines=2, threads=1), counted_there)


@at_rest("in order", "Things are not gone through in their order.", frozenset())
def things_in_order(observation: Observation) -> Any:
    """One kind for whether that of the owner comes first."""
    there: Any = [*observation.reality]
    yield witness(f"first {there[0] == observation.stacks['L'].owner}")  # type: ignore[attr-defined]  # the rows here are locks


def test_things_that_are_called_like_engines_are_gone_through_in_order() -> None:
    def go(self: Design, me: Me) -> Handler:
        yield Update("K-8", LOCK, "L", {"owner": (yield from _thing(me))}, where={"owner": None})

    same(locks(create=going(("go",), ("go",)), go=go), asking(engines=2, threads=1), things_in_order)


LOOKED: dict[str, Callable[[str], bool]] = {
    "not at all": lambda name: True,
    "how it ends": lambda name: name.endswith("1)"),
    "at a letter": lambda name: name[6] == "1",
}  # fmt: skip


@pytest.mark.parametrize("how", LOOKED)
@pytest.mark.parametrize("name", ["A", "E"])
def test_a_task_is_called_like_the_engine_that_its_message_carries(name: str, how: str) -> None:
    def go(self: Design, me: Me) -> Handler:
        yield Send("S-1", "told", (me.engine,))

    def told(self: Design, me: Me, engine: str) -> Handler:
        row = yield Read("S-2", LOCK, "L")
        yield Update("S-3", LOCK, "L", {"n": row.n + (2 if LOOKED[how](me.task) else 1)})

    asked = scenario(create([resource(name)]), engines=2, threads=1)
    _, named = same(locks(create=going(("go",), ("go",)), go=go, told=told), asked, counted_there)
    assert named.anonymous is (how == "not at all" and name == "A")


@always("one of those", "No task of the first engine runs there.", ["stack"])
def by_name_of_task(observation: Observation, change: Any) -> Any:
    """As one that looks into the names of tasks."""
    there = [name for name in observation.tasks if name.startswith("told")]
    owner: Any = getattr(change.new, "owner", None)
    return witness("there") if owner and len(there) == 1 and there[0][5] == "1" and owner != there[0][4:6] else None


def test_a_property_that_goes_through_tasks_that_are_called_like_engines_is_noticed() -> None:
    def go(self: Design, me: Me) -> Handler:
        yield Spawn("S-1", "told", (me.engine,))

    def told(self: Design, me: Me, engine: str) -> Handler:
        yield Update("S-2", LOCK, "L", {"owner": engine}, where={"owner": None})
        yield Update("S-3", LOCK, "L", {"n": 1})

    assert not same(
        locks(create=going(("go",), ("go",)), go=go, told=told), asking(engines=2, threads=1), counted, by_name_of_task
    )[1].anonymous


GOING_THROUGH: dict[str, Callable[[Mapping[str, int], Any], Any]] = {
    "which is it": lambda engines, owner: [engine == owner for engine in engines],
    "is it the first": lambda engines, owner: next(iter(engines)) == owner,
    "how many threads": lambda engines, _owner: list(engines.values()),
    "how many": lambda engines, _owner: len(engines),
    "that one": lambda engines, owner: engines.get(owner),
}  # fmt: skip


@pytest.mark.parametrize("how", GOING_THROUGH)
@pytest.mark.parametrize("faults", [{}, {"crash": 1}], ids=["", "crash"])
def test_a_property_that_goes_through_engines_learns_which_comes_first(faults: dict[str, int], how: str) -> None:
    @always("which", "No lock has an owner.", ["stack"])
    def which(observation: Observation, change: Any) -> Any:
        owner = getattr(change.new, "owner", None)
        return witness(f"{GOING_THROUGH[how](observation.engines, owner)}") if owner else None

    def go(self: Design, me: Me) -> Handler:
        yield Update("G-1", LOCK, "L", {"owner": me.engine}, where={"owner": None})
        yield Sleep("G-2")

    design: Design = type("Fronted", (type(locks(create=going(("go",), ("go",)), go=go)),), {"front": "api"})()
    _, named = same(design, asking(engines=2, threads=1, faults=faults), which)
    assert named.anonymous is (how in ("how many", "that one"))


def _spelled(observation: Observation) -> bool:
    return observation.engines.get("E1") is not None


def _made_up(observation: Observation) -> bool:
    return "".join(["E", "1"]) in observation.engines


@pytest.mark.parametrize("there", [_spelled, _made_up])
def test_a_property_that_asks_for_an_engine_by_name_is_noticed(there: Callable[[Observation], bool]) -> None:
    @at_rest("which", "No engine is left beside the owner of a lock.", frozenset({"crash"}))
    def which(observation: Observation) -> Any:
        owner: Any = observation.stacks["L"].owner if "L" in observation.stacks else None  # type: ignore[attr-defined]  # the rows here are locks
        if owner and len(observation.engines) == 1 and owner in observation.engines:
            yield witness("the first" if there(observation) else "another")

    def go(self: Design, me: Me) -> Handler:
        yield Update("G-1", LOCK, "L", {"owner": me.engine}, where={"owner": None})

    design = locks(create=going(("go",), ("go",)), go=go)
    assert not same(design, asking(engines=2, threads=1, faults={"crash": 1}), which)[1].anonymous


def _row(observation: Any, key: str) -> bool:
    return observation.stacks.get(key) is not None


def _note(observation: Any, key: str) -> bool:
    return ("met", key) in observation.memory


@pytest.mark.parametrize("there", [_row, _note])
def test_a_property_that_makes_up_an_id_and_looks_for_it_is_noticed(there: Callable[[Any, str], bool]) -> None:
    @always("which", "Nothing is locked.", ["stack"])
    def which(observation: Any, change: Any) -> Any:
        observation.remember(("met", change.key), True)
        name = observation.requests[0].operation.template.order[0]
        return witness("there" if there(observation, f"{name}2") else "not there")

    def go(self: Design, me: Me) -> Handler:
        yield Insert("G-1", LOCK, Lock(me.engine))

    design: Design = type("Fronted", (type(locks(create=going(("go",)), go=go)),), {"front": "api"})()
    assert not same(design, scenario(create([resource("E")]), engines=2, threads=1), which)[1].anonymous


def test_a_message_that_a_transaction_sends_to_an_engine_by_a_name_that_is_made_up_is_noticed() -> None:
    def go(self: Design, me: Me) -> Handler:
        yield Update("G-1", LOCK, "L", {"owner": me.engine})

    def look(self: Design, me: Me, number: int, operation: Any) -> Handler:
        row = yield Read("U-1", LOCK, "L")
        if row is not None and row.owner and not (yield Probe("U-2", row.owner)):  # there is the one or the other engine
            yield Transaction("U-3", mark_there, (operation.template.order[0],))

    def mark_there(name: str) -> Any:
        yield Send("U-3", "mark", (), to=f"{name}1")

    def mark(self: Design, me: Me) -> Handler:
        yield Update("M-1", LOCK, "L", {"n": 7})

    @at_rest("marked", "It is not marked.", frozenset({"crash"}))
    def marked(observation: Any) -> Any:
        yield from [witness(f"n {row.n}") for row in observation.stacks.values()]

    design = locks(create=going(("go",)), go=go, update=look, mark=mark)
    design = type("Fronted", (type(design),), {"front": "api"})()
    asked = scenario(create([resource("E")]), update([resource("E")]), engines=2, threads=1, faults={"crash": 1})
    assert not same(design, asked, marked)[1].anonymous


def test_a_reason_that_is_made_up_is_noticed() -> None:
    def first(self: Design, me: Me, number: int, operation: Any) -> Handler:
        yield Insert("C-1", LOCK, Lock("L"))
        yield Sleep("C-2")

    @always("which", "No operation is lost.", ["request"], frozenset({"crash"}))
    def which(observation: Any, change: Any) -> Any:
        (request,) = observation.requests
        died = f"{request.operation.template.order[0]}1 died"
        return witness(f"first {request.reason == died}") if request.outcome == "lost" and observation.stacks else None

    asked = scenario(create([resource("E")]), engines=2, threads=1, faults={"crash": 1})
    assert not same(locks(create=first), asked, which)[1].anonymous
