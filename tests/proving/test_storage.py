"""What a search keeps, and where: nothing it sees depends on that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heatproof.model.errors import HeatproofError
from heatproof.strategies.proving import storage
from heatproof.strategies.proving.checkpoints import Checkpoint
from heatproof.strategies.proving.packing import packed, unpack
from heatproof.strategies.proving.search import OUT, Search
from heatproof.strategies.proving.storage import Block, Frontier, NoRoom, Packed, Records, Spilled, Steps, Storage
from heatproof.strategies.proving.threads import Threads
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
    frontier = Frontier(Storage(Packed.of(block(0), Threads()).bytes))
    frontier.put(block(0))
    assert frontier.spilled == 0
    frontier = Frontier(frontier.storage)
    frontier.put(block(0), taken=1)
    assert frontier.spilled == 1


def like(states: int, columns: int, greatest: int, dtype: Any) -> np.ndarray[Any, Any]:
    """Rows that differ in few columns from one to the next, as those of a search do."""
    random = np.random.default_rng(states * columns)
    rows = np.zeros((states, columns), dtype)
    for i in range(states):
        rows[i] = rows[i - 1]
        rows[i, random.integers(columns, size=3)] = random.integers(greatest + 1, size=3)
    rows[-1, -1] = greatest
    return rows


@pytest.mark.parametrize("greatest", [0, 1, 255, 256, 65_535, 65_536, 2**32 - 1])
@pytest.mark.parametrize(("states", "columns"), [(1, 1), (1, 300), (2, 64), (300, 1), (300, 7), (300, 256), (40, 700)])
def test_rows_that_were_packed_come_back(states: int, columns: int, greatest: int) -> None:
    for dtype in (np.uint16, np.uint32):
        if greatest > np.iinfo(dtype).max:
            continue
        for rows in (like(states, columns, greatest, dtype), np.full((states, columns), greatest, dtype)):
            close = packed(rows)
            back = np.full_like(rows, 3)
            unpack(close, back)
            assert (back == rows).all()
            wider = np.full((states, columns + 5), 7, np.uint32)  # room of a later time, that was used before
            unpack(close, wider)
            assert (wider[:, :columns] == rows).all()
            assert not wider[:, columns:].any()


def test_every_row_may_be_another_in_every_column() -> None:
    rows = np.arange(300 * 400, dtype=np.uint32).reshape(300, 400)
    back = np.empty_like(rows)
    unpack(packed(rows), back)
    assert (back == rows).all()


def test_packed_numbers_are_as_narrow_as_they_can_be() -> None:
    sizes = [
        [a.itemsize for a in packed(like(50, columns, top, np.uint32))] for columns, top in ((9, 200), (300, 300), (256, 70_000))
    ]
    assert sizes == [[4, 1, 1, 1], [4, 1, 2, 2], [4, 1, 1, 4]]


def test_a_frontier_is_plain_then_packed_then_on_disk() -> None:
    blocks = [Block(like(500, 200, 300, np.uint16), np.full((500, 2), n, np.uint64), 500 * n) for n in range(80)]
    frontier = Frontier(Storage(4 * blocks[0].bytes))
    for b in blocks:
        frontier.put(b)
    kinds = [type(entry) for entry in frontier.blocks]
    assert kinds == sorted(kinds, key=[Block, Packed, Spilled].index)
    assert [kinds.count(kind) for kind in (Block, Spilled)] == [1, frontier.spilled]
    assert kinds.count(Packed) > 20
    assert frontier.spilled > 0
    held = frontier.held
    assert held == sum(entry.bytes for entry in frontier.blocks if not isinstance(entry, Spilled)) <= frontier.storage.memory
    assert frontier.firsts == [b.first for b in blocks] == [b.first for b in frontier]
    for b, seen in zip(blocks, frontier, strict=True):  # a look at them takes nothing, and there are others at the same time
        assert (seen.rows == b.rows).all()
    assert frontier.held == held
    room = Block(np.full((OUT, 256), 9, np.uint16), np.full((OUT, 2), 9, np.uint64), 0)
    for n, b in enumerate(blocks):
        taken = frontier.take(lambda: room)
        assert taken is not None
        assert (taken.rows[:, :200] == b.rows).all()
        assert not taken.rows[:, 200:].any()
        assert (taken.sums == b.sums).all()
        assert taken.first == b.first
        assert (taken.rows.base is room.rows, taken.sums.base is room.sums) == (n > 0, n > 0)
    assert frontier.take(lambda: room) is None
    assert frontier.held == 0


def test_the_room_of_a_block_that_was_packed_is_free_at_once() -> None:
    for memory in (0, 200):
        frontier, given = Frontier(Storage(memory)), block(0)
        assert not frontier.put(given)
        given.rows[:], given.sums[:] = 77, 77
        taken = frontier.take()
        assert taken is not None
        assert (taken.rows == block(0).rows).all()
        assert (taken.sums == block(0).sums).all()
    assert Frontier(Storage(1 << 20)).put(block(0))  # as it is


def test_a_disk_that_is_full_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(
        NoRoom, match="the frontier does not fit on disk: No space left on device; give it more memory, or a folder"
    ):
        Frontier(Storage(0)).put(block(0))


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Levels of a hundred states are of several blocks."""
    for module, name, size in (
        ("search", "OUT", 150),
        ("search", "FULL", 30),
        ("search", "CHUNK", 30),
        ("expanding", "MOST", 30),
        ("storage", "PART", 10),
    ):
        monkeypatch.setattr(f"heatproof.strategies.proving.{module}.{name}", size)


@pytest.mark.parametrize("name", ["I1", "I3"])
@pytest.mark.parametrize(("memory", "kind"), [(0, Spilled), (1 << 30, Packed)])
@pytest.mark.usefixtures("small_blocks")
def test_a_frontier_packed_or_on_disk_changes_nothing(
    name: str, memory: int, kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    design, given = instance(name, "Grabbing")
    plain = Search(design, given, PROPERTIES)
    plain.run()
    monkeypatch.setattr(storage, "PLAIN", 0)
    kinds, take = set(), Frontier.take

    def taking(self: Frontier, *args: Any) -> Block | None:
        kinds.update(type(entry) for entry in self.blocks)
        return take(self, *args)

    monkeypatch.setattr(Frontier, "take", taking)
    other = Search(design, given, PROPERTIES, storage=Storage(memory))
    assert other.run() == plain.result
    assert other.result.complete
    assert kinds == {kind}
    assert [other.way(s) for s in range(other.result.states)] == [plain.way(s) for s in range(plain.result.states)]


@pytest.mark.usefixtures("small_blocks")
def test_a_checkpoint_of_a_packed_frontier_is_gone_on_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    design, given = instance("I3", "Grabbing")
    whole = Search(design, given, PROPERTIES).run()
    monkeypatch.setattr(storage, "PLAIN", 0)

    def search() -> Search:
        return Search(design, given, PROPERTIES, checkpoint=Checkpoint(tmp_path / "search", every=1000))

    stopped = search()
    stopped.go_on = lambda result: "enough" if stopped.level.blocks and stopped.following.blocks else ""
    assert not stopped.run().complete
    assert {type(entry) for entry in (*stopped.level.blocks, *stopped.following.blocks)} == {Packed}
    going_on = search()
    going_on.resume()
    assert replace(going_on.run(), lessons=whole.lessons) == whole  # what is learned in which chunk depends on where it was stopped


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


def test_a_level_can_be_thinned() -> None:
    frontier = Frontier(Storage())
    for first in (0, 10):
        rows = np.arange(first, first + 10, dtype=np.uint16).reshape(10, 1)
        frontier.put(Block(rows, rows.astype(np.uint64), first))
    assert frontier.thinned(0) is frontier.thinned(20) is frontier
    fewer = frontier.thinned(7)
    assert fewer.states == 8
    assert [block.rows.ravel().tolist() for block in fewer] == [[0, 3, 6, 9], [10, 13, 16, 19]]
    assert [block.sums.ravel().tolist() for block in fewer] == [[0, 3, 6, 9], [10, 13, 16, 19]]
