"""How properties come to be asked, and what is said of one that is mistaken: by a run and by a search alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from heatproof.model.design import Design
from heatproof.model.errors import DesignError, HeatproofError
from heatproof.model.scenario import create, scenario
from heatproof.model.templates import resource
from heatproof.model.watching import WorldObservation
from heatproof.properties.base import Property, Witness, always, at_rest, sometimes, witness
from heatproof.properties.catalogue import ALL
from heatproof.strategies.exploring import Options, batch
from heatproof.strategies.proving.proofs import prove
from heatproof.strategies.proving.search import Search
from heatproof.strategies.proving.told import told
from heatproof.strategies.running import Plan, run
from tests.model.toys import ACCOUNT, toy
from tests.toys import seen_toy, sending, set_flag

ASKED = scenario(create([resource("A")]), engines=1, threads=1)
FLAG = {"create": sending(("set_flag",)), "set_flag": set_flag}
SETTING = seen_toy(**FLAG)

Way = Callable[[Design, Property], set[str]]


def by_a_run(design: Design, prop: Property) -> set[str]:
    """The kinds of violations that one run shows."""
    return {kind for _, kind in run(design, ASKED, [prop], Plan("random", 0)).violations}


def by_a_search(design: Design, prop: Property) -> set[str]:
    """Those that a search of all runs finds."""
    return {kind for _, kind in Search(design, ASKED, [prop]).run().violations}


BOTH = pytest.mark.parametrize("asked", [by_a_run, by_a_search])


def observed(observe: Callable[[Any], dict[str, Any]]) -> Design:
    """The design with an observation that has these attributes."""

    def method(_self: Design, world: Any) -> WorldObservation:
        observation = WorldObservation(world)
        vars(observation).update(observe(world))
        return observation

    return toy(handlers={"observe": method}, **FLAG)


# ----------------------------------------------------------------------------------------------------------- aspects


def aspect_told(*watches: str) -> Property:
    """A property that is violated by every change, and tells how that was called."""
    return always("told", "Nothing changes.", watches)(lambda _, change: witness(change.aspect) if change.old else None)


@BOTH
def test_a_table_can_be_watched_by_its_name(asked: Way) -> None:
    assert asked(observed(lambda _: {}), aspect_told("account")) == {"account"}


@BOTH
@pytest.mark.parametrize("watches", [("account",), ("resource",), ("account", "resource")])
def test_a_table_that_goes_by_two_names_is_watched_by_both_and_told_once(asked: Way, watches: tuple[str, ...]) -> None:
    changes = []

    @always("noted", "Changes are noted.", watches)
    def noted(_observation: Any, change: Any) -> Witness | None:
        changes.append(change)
        return None

    assert asked(SETTING, aspect_told(*watches)) == {"resource"}
    run(SETTING, ASKED, [noted], Plan("random", 0))
    assert len(changes) == 2


@BOTH
def test_one_table_under_two_names_of_an_observation(asked: Way) -> None:
    twice = observed(lambda world: {"stacks": world.database.rows[ACCOUNT], "resources": world.database.rows[ACCOUNT]})
    assert asked(twice, aspect_told("stack")) == asked(twice, aspect_told("resource")) == {"stack"}


@BOTH
@pytest.mark.parametrize(
    ("prop", "said"),
    [
        (aspect_told("resource", "resorce"), r"watches 'resorce', and there is nothing .* has 'resource', .*, 'account'$"),
        (aspect_told("stack"), r"watches 'stack', and .*; 'stack' is the table that observation\.stacks points to$"),
        (aspect_told(), "watches nothing, so that it would never be asked; "),
        (sometimes("told", "It changes.", {"acount"})(lambda *_: True), "watches 'acount', and there is nothing of that name"),
    ],
    ids=["unknown", "not observed", "nothing", "situation"],
)
def test_what_watches_what_there_is_not_is_refused(asked: Way, prop: Property, said: str) -> None:
    with pytest.raises(HeatproofError, match=rf"test_asking\.py:\d+: property 'told' {said}"):
        asked(SETTING, prop)


@BOTH
def test_properties_for_all_designs_are_not_asked_of_what_a_design_has_not(asked: Way) -> None:
    for prop in ALL.values():
        if prop.expectation in ("always", "sometimes") and "resource" not in prop.watches:
            assert asked(SETTING, prop) == set()


@BOTH
def test_one_aspect_may_be_named_without_a_set(asked: Way) -> None:
    prop = always("told", "Nothing changes.", "account")(lambda *_: witness("changed"))
    assert asked(SETTING, prop) == {"changed"}


# ---------------------------------------------------------------------------------------------------------- mistakes


def raising(error: BaseException) -> Any:
    """A function that raises it."""

    def check(*_: Any) -> Any:
        raise error

    return check


def yielding(*_: Any) -> Iterator[Any]:
    """A generator of what is no witness."""
    yield "bad"


RESTING = "the check of an at rest property must 'yield witness"
ALWAYS = "the check of an always property must 'return witness"


@BOTH
@pytest.mark.parametrize(
    ("declare", "check", "said"),
    [
        (always, lambda *_: "bad", f"answered 'bad'; {ALWAYS}"),
        (always, lambda *_: False, f"answered False; {ALWAYS}"),
        (always, yielding, f"answered <generator object yielding at .*>; {ALWAYS}"),
        (always, lambda *_: Witness(3), "gave a witness of the kind 3; a kind is a text"),  # type: ignore[arg-type]  # the mistake
        (always, lambda _: None, r"raised TypeError: .*; its check is called with \(observation, change\)"),
        (always, raising(ValueError("oops")), "raised ValueError: oops; it asks for something"),
        (always, raising(SystemExit(0)), "raised SystemExit: 0; it asks for something"),
        (at_rest, lambda _: witness("bad"), f"returned Witness.*; {RESTING}"),
        (at_rest, lambda _: "bad", f"returned 'bad'; {RESTING}"),
        (at_rest, lambda _: None, f"returned None; {RESTING}"),
        (at_rest, yielding, f"answered 'bad'; {RESTING}"),
        (at_rest, lambda *, more: None, r"raised TypeError: .*; its check is called with \(observation\)"),
        (at_rest, raising(SystemExit(0)), "raised SystemExit: 0; it asks for something"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_mistaken_property_is_named_with_its_place_and_what_to_do(asked: Way, declare: Any, check: Any, said: str) -> None:
    prop = declare("mistaken", "Is mistaken.", {"resource"})(check) if declare is always else declare("mistaken", "Is.")(check)
    with pytest.raises(HeatproofError, match=rf"test_asking\.py:\d+: property 'mistaken' {said}"):
        asked(SETTING, prop)


@BOTH
def test_a_line_of_a_library_is_not_where_a_property_is_mistaken(asked: Way) -> None:
    prop = at_rest("mistaken", "Is.")(lambda _: [{}.__class__(__import__("json").loads("{"))])
    with pytest.raises(HeatproofError, match=r"test_asking\.py:\d+: property 'mistaken' raised JSONDecodeError"):
        asked(SETTING, prop)


@BOTH
def test_a_witness_may_hold_what_cannot_be_sorted_or_looked_up(asked: Way) -> None:
    found = witness("mixed", of={1, "a", None}, sets=[{2, 1}], rows={"b": [1], "a": {2}}, other=bytearray(b"x"))
    assert asked(SETTING, at_rest("mixed", "Is.")(lambda _: [found])) == {"mixed"}
    assert str(witness("mixed", of={1, "a", None}, usual={10, 9})) == "mixed; of: none, 1, a; usual: 9, 10"
    assert told(found).values == (
        ("of", (None, 1, "a")), ("sets", ((1, 2),)), ("rows", (("b", (1,)), ("a", (2,)))), ("other", "bytearray(b'x')"),
    )  # fmt: skip


# -------------------------------------------------------------------------------------------- what a property keeps

SEEN: list[Any] = []
COUNT = 0


def appends(_observation: Any, change: Any) -> Witness | None:
    """Keeps what it has seen in a list of the module."""
    SEEN.append(change.key)
    return witness("three") if len(SEEN) == 3 else None


def counts(*_: Any) -> None:
    """Counts in a variable of the module."""
    global COUNT
    COUNT += 1


def remembers(observation: Any, _change: Any) -> Witness | None:
    """Keeps it as part of the state."""
    count = observation.memory.get("count", 0) + 1
    observation.remember("count", count)
    return witness("two") if count == 2 else None


def in_a_batch(design: Design, prop: Property) -> set[str]:
    """The kinds of violations that a batch of runs finds."""
    found = batch(design, [prop], Options(resources=1, operations=1, engines=1, threads=1, faults=()), 0)
    return {kind for _, kind in found.failures}


def in_a_proof(design: Design, prop: Property) -> set[str]:
    """Those of a proof."""
    return {kind for _, kind in prove(design, ASKED, [prop]).violations}


@pytest.mark.parametrize("asked", [in_a_batch, in_a_proof])
def test_a_property_that_keeps_something_of_its_own_is_refused(asked: Way) -> None:
    SEEN.clear()
    prop = always("keeps", "Is mistaken.", "resource")
    with pytest.raises(
        DesignError, match=r"test_asking\.py:\d+: property 'keeps' changed the module variable SEEN; a property must keep"
    ):
        asked(SETTING, prop(appends))
    with pytest.raises(
        DesignError, match=r"test_asking\.py:\d+: property 'keeps' assigns the module variable COUNT \(global COUNT\); a"
    ):
        asked(SETTING, prop(counts))
    assert asked(SETTING, prop(remembers)) == {"two"}


@pytest.mark.parametrize("asked", [in_a_batch, in_a_proof])
@pytest.mark.parametrize("value", [[], {1: 2}, ([],)], ids=str)
def test_what_may_change_is_not_remembered(value: Any, asked: Way) -> None:
    prop = always("notes", "Is mistaken.", "resource")(lambda observation, _change: observation.remember("note", value))
    with pytest.raises(
        HeatproofError, match=r"test_asking\.py:\d+: property 'notes' raised TypeError: .*may change, so it cannot be remem"
    ):
        asked(SETTING, prop)


@pytest.mark.parametrize("asked", [in_a_batch, in_a_proof])
def test_a_property_that_remembers_and_is_not_asked_of_every_change_is_refused(asked: Way) -> None:
    def reached(observation: Any, change: Any) -> bool:
        return remembers(observation, change) is not None

    def rested(observation: Any) -> Iterator[Witness]:
        found = remembers(observation, None)
        yield from () if found is None else (found,)

    for prop in (sometimes("notes", "Is mistaken.", "resource")(reached), at_rest("notes", "Is mistaken.")(rested)):
        kind = prop.expectation
        with pytest.raises(
            HeatproofError, match=rf"test_asking\.py:\d+: property 'notes' is a property of the kind '{kind}' and re"
        ):
            asked(SETTING, prop)


# ------------------------------------------------------------------------------------------------------ observations


@BOTH
@pytest.mark.parametrize("copy", [dict, list, lambda rows: {key: row.value for key, row in rows.items()}])
def test_an_observation_that_copies_is_refused(asked: Way, copy: Any) -> None:
    eager = observed(lambda world: {"resources": copy(world.database.rows[ACCOUNT])})
    with pytest.raises(
        HeatproofError, match=r"test_asking\.py:\d+: design 'toy' observes resources as a (dict|list) that it makes"
    ):
        asked(eager, ALL["created once"])


class Lazy(dict[str, Any]):
    """A view of rows that looks again whenever it is asked."""

    rows: Any

    def values(self) -> Any:
        """The rows as they are now."""
        return self.rows.values()


@BOTH
def test_a_view_of_rows_is_no_copy(asked: Way) -> None:
    def view(world: Any) -> dict[str, Any]:
        lazy = Lazy()
        lazy.rows = world.database.rows[ACCOUNT]
        return {"resources": lazy}

    prop = at_rest("empty", "Nothing is there.")(lambda seen: [witness(row.id) for row in seen.resources.values()])
    assert asked(observed(view), prop) == {"A"}
    with pytest.raises(HeatproofError, match="watches 'resource', and there is nothing of that name to watch"):
        asked(observed(view), aspect_told("resource"))
    assert asked(observed(view), aspect_told("account")) == {"account"}


def test_a_mistake_that_shows_in_what_namedtuple_has_made_is_told_where_the_property_makes_it() -> None:
    @at_rest("many", "It has everything that is to be told.")
    def many(observation: WorldObservation) -> Iterator[Witness]:
        yield Witness()  # type: ignore[call-arg]  # that is the mistake

    with pytest.raises(HeatproofError, match=r"^\S*test_asking\.py:\d+: property 'many' raised TypeError"):
        by_a_run(SETTING, many)
    made = compile("def fail(): raise ValueError('made')", "<made>", "exec")
    made_of: dict[str, Any] = {}
    exec(made, made_of)  # as a namedtuple is made
    failing = at_rest("made", "It calls what has no file.")(lambda observation: [made_of["fail"]()])
    with pytest.raises(HeatproofError, match=r"^\S*test_asking\.py:\d+: property 'made' raised ValueError: made"):
        by_a_run(SETTING, failing)
