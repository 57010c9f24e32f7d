"""Partial order reduction: fewer states, and the same answers."""

from __future__ import annotations

import pytest

from heatproof.model import catalogue
from heatproof.model.design import Design
from heatproof.model.effects import Handler, Me, Read, Send, Update
from heatproof.model.scenario import Operation, Scenario, create, scenario, update
from heatproof.model.templates import resource
from heatproof.properties.base import Property
from heatproof.strategies.asked import properties_for
from heatproof.strategies.proving.reduction import Futures, words
from heatproof.strategies.proving.results import Result
from heatproof.strategies.proving.search import Search
from heatproof.strategies.proving.views import Space, Unit
from tests.model.toys import ACCOUNT, asking
from tests.proving.peers import FILE, instance
from tests.proving.test_counts import SMALL
from tests.toys import HEAT, NIGHTLY, seen_toy, sending

A, B = resource("A", {"p": 1}), resource("B", {"p": 1}, depends_on=["A"])


def both(design: Design, given: Scenario, properties: list[Property], merge: bool = True) -> tuple[Result, Result]:
    """What a search finds without the reduction and with it."""
    plain = Search(design, given, properties, merge=merge, placing=False).run()
    return plain, Search(design, given, properties, merge=merge, reduce=True).run()


def answer_alike(plain: Result, reduced: Result) -> None:
    """Both answer alike, and come to the same ends."""
    assert plain.complete
    assert reduced.complete
    assert sorted(reduced.violations) == sorted(plain.violations)
    assert sorted(reduced.reached) == sorted(plain.reached)
    assert (reduced.terminal, reduced.terminal_sum, reduced.resting) == (plain.terminal, plain.terminal_sum, plain.resting)


def agree(plain: Result, reduced: Result) -> None:
    """The same, and the reduction leaves no more states."""
    answer_alike(plain, reduced)
    assert reduced.states <= plain.states


@pytest.mark.parametrize("name", sorted(SMALL))
def test_small_scopes_are_answered_alike(name: str) -> None:
    design, given = SMALL[name]
    agree(*both(design, given, properties_for("heat") if design is HEAT else []))


@pytest.mark.parametrize("variant", ["Careless", "Grabbing", "StackFirst", "Traversal", "Unconditional"])
@pytest.mark.parametrize("name", ["I1", "I3", "I6"])
def test_the_protocol_and_its_seeded_bugs_are_answered_alike(name: str, variant: str) -> None:
    design, given = instance(name, variant)
    agree(*both(design, given, properties_for(f"{FILE}:Traversal")))


MUTATIONS = (
    "exception-in-setup-hangs", "isolated-node-lost", "lock-and-state-are-separate-writes", "no-retrigger-at-all", "old-sync-points-kept",
    "retrigger-uses-cached-stack", "retrigger-wrong-kind", "sync-blind",
)  # fmt: skip


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_mutations_are_answered_alike(mutation: str) -> None:
    design = catalogue.load(f"heat+{mutation}")
    given = scenario(create([A, B, resource("C")]), engines=2, threads=2 if NIGHTLY else 1)
    agree(*both(design, given, properties_for("heat")))


@pytest.mark.parametrize("faults", [{}, {"crash": 1}], ids=str)
def test_a_delete_during_a_create_is_answered_alike(faults: dict[str, int]) -> None:
    given = scenario(create([A]), Operation("delete"), engines=1, threads=1, faults=faults)
    agree(*both(HEAT, given, properties_for("heat")))


def test_what_is_merged_depends_on_what_was_met() -> None:
    """Here the reduction may leave a few states more or less, since continuations are merged by what has been learned of them; without merging
    it leaves fewer."""
    given = scenario(create([A]), Operation("delete"), engines=1, threads=1, faults={"fail": 1})
    plain, reduced = both(HEAT, given, properties_for("heat"))
    answer_alike(plain, reduced)
    assert 0.99 * plain.states < reduced.states < 1.01 * plain.states
    agree(*both(HEAT, given, properties_for("heat"), merge=False))


# ------------------------------------------------------------------------------------------------------ what it saves


def reading(self: Design, me: Me, name: str, other: str) -> Handler:
    for number in range(4):
        row = yield Read(f"R-{number}", ACCOUNT, name)
        del row
    yield Update("R-5", ACCOUNT, other, {"value": 1})


def test_readers_of_rows_that_nobody_writes_do_not_interleave() -> None:
    design = seen_toy(create=sending(("reading", "B", "A"), ("reading", "B", "A")), reading=reading)
    plain, reduced = both(design, asking(engines=1, threads=2), [])
    agree(plain, reduced)
    assert (plain.states, reduced.states) == (38, 28)


def test_readers_of_rows_that_others_write_do() -> None:
    """Whether A was read before or after it was written makes two results."""
    design = seen_toy(create=sending(("reading", "A", "A"), ("reading", "A", "A")), reading=keeping)
    plain, reduced = both(design, asking(engines=1, threads=2), [])
    agree(plain, reduced)


def keeping(self: Design, me: Me, name: str, other: str) -> Handler:
    row = yield Read("K-1", ACCOUNT, name)
    yield Update("K-2", ACCOUNT, other, {"value": row.value + 1})


def test_a_crash_after_a_read_stands_for_the_crash_before_it() -> None:
    design = seen_toy(create=sending(("reading", "B", "A"), ("reading", "B", "A")), reading=reading)
    plain, reduced = both(design, asking(engines=2, threads=1, faults={"crash": 1}), [])
    agree(plain, reduced)
    assert reduced.states < plain.states


def forever(self: Design, me: Me) -> Handler:
    yield Read("F-1", ACCOUNT, "B")
    yield Send("F-2", "forever", ())


def test_a_circle_puts_nobody_off() -> None:
    """Two messages send themselves again for ever, touching nothing; the third must still be seen to do its work."""
    design = seen_toy(create=sending(("forever",), ("keeping", "A", "A")), forever=forever, keeping=keeping)
    agree(*both(design, asking(engines=1, threads=2), []))


# ------------------------------------------------------------------------------------------------------------ the parts


def test_a_future_is_that_of_all_that_descends() -> None:
    space = Space()
    (one, first), (two, second), (message, sent) = (
        space.intern(Unit(group, key), key, key) for group, key in (("node", "a"), ("node", "b"), ("message", "m"))
    )
    futures = Futures(space)
    start = futures.number(one, first)
    futures.learn(start, 0b001, 0b010, [(message, sent)])
    futures.complete()
    assert not futures.whole[start]
    futures.learn(futures.number(message, sent), 0b100, 0, [(two, second)])
    futures.learn(futures.number(two, second), 0, 0b1000, [])
    futures.complete()
    assert futures.whole[start]
    assert (futures.reads[start], futures.writes[start]) == (0b101, 0b1010)


def test_bits_become_words() -> None:
    assert words([1 | 1 << 64, 0], 2).tolist() == [[1, 1], [0, 0]]
    assert words([], 3).shape == (0, 3)


def test_the_update_of_a_small_stack_pays() -> None:
    given = scenario(create([A]), update([resource("A", {"p": 2})]), engines=1, threads=1)
    plain, reduced = both(HEAT, given, properties_for("heat"))
    agree(plain, reduced)
    assert reduced.states < plain.states
