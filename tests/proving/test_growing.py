"""The table of fingerprints: whatever is in it is found again when it has grown, wherever it stood."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from heatproof.strategies.proving import kernel
from heatproof.strategies.proving.growing import MOST_PLACES, grow, sound
from heatproof.strategies.proving.search import Search
from tests.proving.peers import instance
from tests.proving.test_counts import PROPERTIES

Marks = NDArray[np.uint64]

LAST = 2**64 - 1


def table_of(size: int, marks: Marks) -> tuple[Marks, NDArray[np.uint16]]:
    """A table with these fingerprints, entered one by one, and a depth for each."""
    table, depths = np.zeros(size, np.uint64), np.zeros(size, np.uint16)
    for mark in marks:
        at = kernel.slot_of(table, mark)
        table[at], depths[at] = mark, depth_of(mark)
    return table, depths


def depth_of(mark: np.uint64) -> int:
    return int(mark) % 65_521


def holds(table: Marks, depths: NDArray[np.uint16], marks: Marks) -> None:
    """Exactly these are there, each once, where it is looked for, with its depth; and another is not."""
    assert sorted(table[table != 0].tolist()) == sorted(marks.tolist())
    assert sound(table)
    for mark in marks:
        at = kernel.slot_of(table, mark)
        assert (table[at], depths[at]) == (mark, depth_of(mark))
        if int(mark) ^ 1 and mark ^ np.uint64(1) not in marks:
            assert table[kernel.slot_of(table, mark ^ np.uint64(1))] == 0


def anywhere(size: int, number: int) -> Marks:
    return np.random.default_rng(size).integers(1, LAST, number, np.uint64, endpoint=True)


def at_the_end(size: int, number: int) -> Marks:
    """All belong to the last place, so all but one stand at the beginning."""
    return np.arange(LAST - number + 1, LAST, dtype=np.uint64)


def at_the_beginning(size: int, number: int) -> Marks:
    return np.arange(1, number + 1, dtype=np.uint64)


def at_both(size: int, number: int) -> Marks:
    return np.concatenate([at_the_end(size, number // 2), at_the_beginning(size, number // 2)])


def around_the_middle(size: int, number: int) -> Marks:
    """One cluster, of whose places all belong to the first."""
    return np.arange(number, dtype=np.uint64) + np.uint64(1 << 63)


def in_few_clusters(size: int, number: int) -> Marks:
    """Clusters that run into each other, and one around the end."""
    far = np.random.default_rng(number).choice(np.array([1, 1 << 61, 1 << 63, 3 << 62, LAST - (1 << 20)], np.uint64), number)
    return far + np.arange(number, dtype=np.uint64)


def in_reverse(size: int, number: int) -> Marks:
    """Neighbours, those that belong further behind first, so that who comes later passes them."""
    return np.linspace(1, LAST >> 1, number, dtype=np.uint64)[::-1].copy() + np.uint64(LAST >> 2)


KINDS = [anywhere, at_the_end, at_the_beginning, at_both, around_the_middle, in_few_clusters, in_reverse]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [2, 3, 16, 100, 1024])
@pytest.mark.parametrize("larger", [1.01, 1.5, 2, 7.3])
def test_what_was_in_a_table_is_found_when_it_has_grown(kind: object, size: int, larger: float) -> None:
    for load in (0.0, 0.1, 0.5, 0.8, 1.0):
        marks = kind(size, min(int(load * size), size - 1))  # type: ignore[operator]  # one of the functions above
        table, depths = table_of(size, marks)
        holds(table, depths, marks)
        grow(table, depths, max(int(larger * size), size + 1))
        assert len(table) == len(depths) == max(int(larger * size), size + 1)
        holds(table, depths, marks)


@given(
    st.lists(st.integers(1, LAST) | st.integers(1, 50) | st.integers(LAST - 50, LAST), unique=True, max_size=60),
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.integers(1, 20),
)
def test_a_table_that_grows_again_and_again_is_a_set(numbers: list[int], steps: list[int], room: int) -> None:
    marks = np.array(numbers, np.uint64)
    table, depths = table_of(len(marks) + room, marks)
    for step in steps:
        grow(table, depths, len(table) + step)
        holds(table, depths, marks)


def test_depths_that_are_not_kept_stay_so() -> None:
    marks = anywhere(100, 80)
    table, depths = table_of(100, marks)[0], np.zeros(0, np.uint16)
    grow(table, depths, 150)
    assert len(depths) == 0
    assert sound(table)
    assert set(table.tolist()) == {0, *marks.tolist()}


def test_places_go_by_the_order_of_fingerprints_up_to_the_largest_table() -> None:
    marks = np.sort(anywhere(1, 1000))
    for size in (1, 2, 1000, 2**31 + 1, MOST_PLACES):
        table = np.lib.stride_tricks.as_strided(np.zeros(1, np.uint64), (size,), (0,))  # only its length counts
        places = [int(kernel.place_of(table, mark)) for mark in (np.uint64(1), *marks, np.uint64(LAST))]
        assert places == sorted(places)
        assert (places[0], places[-1]) == (0, size - 1)


def test_a_table_in_which_one_is_not_found_is_not_sound() -> None:
    table, _ = table_of(100, anywhere(100, 50))
    assert sound(table)
    taken = np.flatnonzero(table)
    for wrong in (np.roll(table, 1), table[:-1].copy(), np.where(np.arange(100) == taken[0], table[taken[1]], table)):
        assert not sound(wrong)


@pytest.mark.parametrize("reduce", [False, True])
def test_how_a_table_grows_changes_nothing(reduce: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    design, asked = instance("I3", "Grabbing")
    monkeypatch.setattr("heatproof.strategies.proving.expanding.MOST", 30)  # so that hardly any room is wanted in the table
    monkeypatch.setattr("heatproof.strategies.proving.search.CHUNK", 10)
    usual = Search(design, asked, PROPERTIES, reduce=reduce)
    usual.run()
    monkeypatch.setattr("heatproof.strategies.proving.search.PLACES", 200)
    small = Search(design, asked, PROPERTIES, reduce=reduce)
    result = small.run()
    assert len(small.table) < len(usual.table)
    assert sound(small.table)
    assert result == usual.result
    assert set(small.table.tolist()) == set(usual.table.tolist())
