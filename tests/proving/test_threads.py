"""Several threads expand the states of a block."""

from __future__ import annotations

import gc
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatproof.model.design import Design
from heatproof.model.scenario import Scenario
from heatproof.properties.base import Property
from heatproof.strategies.asked import properties_for
from heatproof.strategies.proving import expanding, kernel, storage, threads
from heatproof.strategies.proving.expanding import Expander
from heatproof.strategies.proving.growing import sound
from heatproof.strategies.proving.passes import KNOWN, LATER, NEW_STATE, enter, enter_later
from heatproof.strategies.proving.search import Search
from heatproof.strategies.proving.storage import Block, Packed
from heatproof.strategies.proving.threads import Threads
from tests.proving.peers import instance
from tests.proving.test_counts import PROPERTIES, SMALL
from tests.toys import fewer

SCOPES: list[tuple[Design, Scenario, list[Property]]] = [
    (*instance("I3", "Grabbing"), PROPERTIES),
    (*SMALL["heat, chain and crash"], properties_for("heat")),
]

several = pytest.mark.skipif(not kernel.COMPILED, reason="where nothing is compiled there is one thread")


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Levels of a hundred states are of many pieces, of which some end early, and of several blocks."""
    for module, name, size in (
        ("search", "OUT", 150), ("search", "FULL", 30), ("search", "CHUNK", 40), ("search", "PLACES", 64), ("expanding", "PIECE", 7),
        ("expanding", "PIECES", 6), ("expanding", "MOST", 12),
    ):  # fmt: skip
        monkeypatch.setattr(f"heatproof.strategies.proving.{module}.{name}", size)


def everything(search: Search) -> list[Any]:
    """All that a search found out, with where each state came from."""
    result = search.run()
    assert result.complete
    assert sound(search.table)
    counters = np.delete(search.counters, kernel.FETCHED)
    return [result, counters.tolist(), search.steps.array().tolist(), sorted(search.table[search.table != 0].tolist())]


@several
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.usefixtures("small_pieces")
def test_the_number_of_threads_changes_nothing(scope: tuple[Design, Scenario, list[Property]]) -> None:
    alone = everything(Search(*scope))
    for number in (2, 3, 5):
        assert everything(Search(*scope, threads=number)) == alone


@several
@pytest.mark.usefixtures("small_pieces")
def test_threads_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    used = []
    together = Expander._together

    def noting(self: Expander, *args: Any) -> Any:
        used.append(len(args[2]))
        return together(self, *args)

    monkeypatch.setattr(Expander, "_together", noting)
    Search(*SCOPES[0], threads=2).run()
    assert max(used) == 6


def test_a_piece_ends_earlier_where_states_have_many_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Search(*SCOPES[0], symmetric=True, placing=False)
    assert len(whole.tables.renderers) == 2
    monkeypatch.setattr(expanding, "SUMS", 40)
    other = Search(*SCOPES[0], symmetric=True, placing=False)
    assert other.expander.transitions == 20
    assert replace(other.run(), violations={}, lessons=0) == replace(whole.run(), violations={}, lessons=0)
    (piece,), (usual,) = other.expander.room, whole.expander.room
    assert len(piece.sums) < len(usual.sums) / 50


@several
def test_pieces_change_nothing_but_what_is_learned_when(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Search(*SCOPES[0]).run()
    monkeypatch.setattr(expanding, "PIECE", 5)
    other = Search(*SCOPES[0], threads=2).run()
    assert replace(other, lessons=0, violations={}) == replace(whole, lessons=0, violations={})
    assert {key: sighting.depth for key, sighting in other.violations.items()} == {
        key: sighting.depth for key, sighting in whole.violations.items()
    }


@several
@pytest.mark.parametrize("wrong", [0, 4, 5])
def test_each_piece_of_work_is_done_once_and_what_goes_wrong_is_told(wrong: int) -> None:
    three, done = Threads(3), list[int]()
    assert three.spread(lambda number: done.append(number) or -number, 6) == [0, -1, -2, -3, -4, -5]  # type: ignore[func-returns-value]
    assert sorted(done) == list(range(6))

    def work(number: int) -> None:
        if number == wrong:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        three.spread(work, 6)


def test_interpreted_there_is_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "COMPILED", False)
    alone, done = Threads(4), list[int]()
    alone.spread(done.append, 3)
    assert (alone.count, alone.others, done) == (1, None, [0, 1, 2])


@several
def test_threads_that_nobody_needs_any_more_end() -> None:
    before = set(threading.enumerate())
    four = Threads(4)
    four.spread(abs, 20)
    started = set(threading.enumerate()) - before
    assert started
    del four
    gc.collect()
    for thread in started:
        thread.join(timeout=60)
        assert not thread.is_alive()


@fewer(3, nightly=1)
@given(data=st.data(), states=st.integers(1, 40), count=st.integers(1, 5), part=st.integers(1, 12), wider=st.booleans())
def test_blocks_are_packed_in_parts(data: st.DataObject, states: int, count: int, part: int, wider: bool) -> None:
    numbers = data.draw(st.lists(st.lists(st.integers(0, 2), min_size=5, max_size=5), min_size=states, max_size=states))
    block, room = Block(np.array(numbers, np.uint16), np.arange(2 * states, dtype=np.uint64).reshape(states, 2), 7), None
    if wider:
        room = Block(np.full((50, 8), 9, np.uint32), np.zeros((50, 2), np.uint64), 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "PART", part)
        close, alone = Packed.of(block, Threads(count)), Packed.of(block, Threads())
    assert len(close.parts) == max(1, min(storage.PARTS, states // part))
    assert str(close) == str(alone)
    back = close.block(Threads(count), room)
    assert (back.rows[:, :5].tolist(), back.sums.tolist(), back.first) == (numbers, block.sums.tolist(), 7)
    assert not back.rows[:, 5:].any()


MARKS = st.lists(st.sampled_from([(i << 58) + j for i in (0, 1, 20, 21, 31, 32, 42, 43, 62, 63) for j in range(1, 9)]), max_size=60)
"""Fingerprints of which many have the same place, also at the ends of the parts of a table and at its own."""


@given(before=MARKS, given=MARKS, parts=st.integers(1, 5))
@settings(max_examples=300)
def test_states_are_entered_by_parts_as_they_are_in_one(before: list[int], given: list[int], parts: int) -> None:
    table, counters = np.zeros(150, np.uint64), np.zeros(kernel.COUNTERS, np.int64)
    known, marks = np.array(before, np.uint64), np.array(given, np.uint64)
    depths = np.zeros(0, np.uint16)
    enter(known, len(known), table, 0, 150, depths, 0, np.zeros(len(known), np.uint8), counters)
    assert set(table[table != 0].tolist()) == set(before)
    fresh = np.full((parts, len(marks)), 7, np.uint8)
    for part in range(parts)[::-1]:
        enter(marks, len(marks), table, 150 * part // parts, 150 * (part + 1) // parts, depths, 0, fresh[part], counters)
    assert counters[kernel.LEFT] == (fresh == LATER).sum()
    assert parts > 1 or not (fresh == LATER).any()
    enter_later(marks, len(marks), table, fresh, counters)
    assert sound(table)
    assert set(table[table != 0].tolist()) == {*before, *given}
    assert counters[kernel.TABLE_USED] == len({*before, *given})
    new = [mark not in before and mark not in given[:b] for b, mark in enumerate(given)]
    assert (fresh == NEW_STATE).sum(axis=0).tolist() == new
    assert set(fresh.ravel().tolist()) <= {KNOWN, NEW_STATE}
