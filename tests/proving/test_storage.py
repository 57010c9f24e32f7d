"""What a search keeps, and where: nothing it sees depends on that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heatproof.model.errors import HeatproofError
from heatproof.strategies.proving import storage
from heatproof.strategies.proving.search import Search
from heatproof.strategies.proving.storage import Block, Frontier, Records, Steps, Storage
from tests.proving.peers import instance
from tests.proving.test_counts import PROPERTIES, SMALL


def block(first: int, states: int = 3) -> Block:
    rows = np.arange(first, first + 4 * states, dtype=np.uint16).reshape(states, 4)
    return Block(rows, rows[:, :2].astype(np.uint64), first)


@pytest.mark.parametrize("memory", [0, 150, 1 << 20])
def test_a_frontier_gives_back_what_was_put_in_in_order(memory: int) -> None:
    frontier = Frontier(Storage(memory))
    for first in range(5):
        frontier.put(block(first))
    assert frontier.states == 15
    assert frontier.spilled == {0: 5, 150: 3, 1 << 20: 0}[memory]
    assert frontier.held <= memory
    assert [b.first for b in frontier] == list(range(5))
    for first in range(5):
        taken = frontier.take()
        assert taken is not None
        assert taken.first == first
        assert (taken.rows == block(first).rows).all()
        assert (taken.sums == block(first).sums).all()
    assert frontier.take() is None
    assert frontier.held == 0


def test_memory_that_is_in_use_elsewhere_counts() -> None:
    frontier = Frontier(Storage(block(0).bytes))
    frontier.put(block(0), taken=1)
    assert frontier.spilled == 1


@pytest.mark.parametrize("name", ["I1", "I3"])
def test_a_frontier_on_disk_changes_nothing(name: str) -> None:
    design, given = instance(name, "Grabbing")
    there, here = (Search(design, given, PROPERTIES, storage=Storage(memory)) for memory in (0, 1 << 30))
    assert there.run() == here.run()
    assert there.result.complete
    assert [there.way(s) for s in range(there.result.states)] == [here.way(s) for s in range(here.result.states)]


def test_a_search_that_was_stopped_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    design, given = SMALL["heat, chain and crash"]
    whole = Search(design, given, []).run()
    stops = iter(["enough"] * 30 + [""] * 1000)
    search = Search(design, given, [], go_on=lambda result: next(stops))
    monkeypatch.setattr("heatproof.strategies.proving.search.CHUNK", 3)
    for _ in range(30):
        search.run()
        assert (search.result.complete, search.result.cut) == (False, "enough")
    assert search.run() == whole


def test_records_come_back_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "PIECE", 4)
    records = Records(Storage(), np.uint64)
    assert records.array().tolist() == []
    for first in (0, 7):
        records.add(np.arange(first, first + 7, dtype=np.uint64))
    assert [len(piece) for piece in records.pieces()] == [4, 4, 4, 2]
    assert records.array().tolist() == list(range(14))
    assert records[9] == 9


def test_there_are_only_so_many_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "MOST_STATES", 2)
    steps = Steps(Storage())
    steps.extend(np.zeros(2, np.uint32), np.zeros(2, np.uint16))
    with pytest.raises(HeatproofError, match="at most 2 states"):
        steps.extend(np.zeros(1, np.uint32), np.zeros(1, np.uint16))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(HeatproofError, match=r"cannot keep files in .*nowhere"):
        Storage(folder=tmp_path / "nowhere").file(object())
