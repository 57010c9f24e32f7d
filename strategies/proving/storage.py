"""Where a search keeps what it need not have at hand: the frontier, and where each state came from.

Rules of this file:

1. A state that was expanded is kept as its fingerprint, 8 bytes in the table, and as 6 bytes in an unnamed file on disk: the state it
   was first reached from, and by which action. Its values are forgotten.
2. The frontier stays in memory up to a budget: its blocks as they are as long as there is plenty, then packed, and packed blocks beyond it
   go to an unnamed file. They come back one at a time.
3. Unnamed files vanish with the process, however it ends, so there is nothing to clean up.
"""

from __future__ import annotations

import gc
import tempfile
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heatproof.model.errors import HeatproofError
from heatproof.strategies.proving.packing import Rows, packed, unpack
from heatproof.strategies.proving.threads import Threads

STEP = np.dtype([("parent", "<u4"), ("action", "<u2")])
"""Where a state came from, as it is kept on disk: 6 bytes."""

MOST_STATES = 3 * 2**30
"""States that a search can number in four bytes, and whose fingerprints fit into the largest table."""

COLLECTED = (100_000, 50, 100)
"""The thresholds of Python's garbage collector during a search: what is learned stays, and going through all of it every so many hundred
objects takes a fifth of the time of a search that learns much."""

PLAIN = 0.25
"""The share of the memory of a frontier up to which blocks are not packed. Packed they are a tenth of it or less, but packing and unpacking
a state takes up to a third of the time that it takes to expand it."""

PARTS, PART = 8, 1024
"""The most parts that a block is packed in, and the fewest states that are a part."""

PIECE = 1 << 20
"""Records copied in one go."""


class NoRoom(HeatproofError):
    """A search does not fit on disk or in memory. What it has seen until then stays true."""


@contextmanager
def rarely_collected() -> Iterator[None]:
    """Let Python look for what is not used any more less often."""
    before = gc.get_threshold()
    gc.set_threshold(*COLLECTED)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def memory_free() -> int | None:
    """The bytes of memory that could be had without swapping, or None where the system does not say."""
    try:
        text = Path("/proc/meminfo").read_text()
        return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return None


@dataclass(frozen=True, slots=True)
class Storage:
    """How much of a frontier is kept in memory, in bytes, and the folder of files for the rest; None: where temporary files go."""

    memory: int = 1 << 30
    folder: Path | None = None

    def file(self, owner: Any, small: int = 1 << 20) -> IO[bytes]:
        """An unnamed file, closed when its owner is gone; while it is small it stays in memory. Raises :class:`HeatproofError` if there
        cannot be one."""
        try:
            tempfile.TemporaryFile(dir=self.folder).close()
        except OSError as error:
            raise HeatproofError(f"cannot keep files in {self.folder or tempfile.gettempdir()}: {error.strerror}") from error
        file: Any = tempfile.SpooledTemporaryFile(small, dir=str(self.folder) if self.folder else None)  # noqa: SIM115  # its owner closes it
        weakref.finalize(owner, file.close)
        return file  # type: ignore[no-any-return]


@dataclass(slots=True)
class Block:
    """Some states of a level: their values by column, their sums, and the number of the first in the whole search."""

    rows: NDArray[Any]
    sums: NDArray[np.uint64]
    first: int

    def rest(self, begin: int) -> Block:
        """What is left from a position on."""
        return Block(self.rows[begin:], self.sums[begin:], self.first + begin)

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        return self.rows.nbytes + self.sums.nbytes


@dataclass(slots=True)
class Packed:
    """A block with its rows packed, in parts, which several threads can pack and unpack. It keeps nothing of the room of the block."""

    parts: list[Rows]
    sums: NDArray[np.uint64]
    first: int

    @classmethod
    def of(cls, block: Block, threads: Threads) -> Packed:
        """A block packed."""
        count = max(1, min(PARTS, len(block.rows) // PART))
        ends = [len(block.rows) * n // count for n in range(count + 1)]
        parts = threads.spread(lambda n: packed(block.rows[ends[n] : ends[n + 1]]), count)
        return cls(parts, block.sums.copy(), block.first)

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        return sum(array.nbytes for array in (*(array for part in self.parts for array in part), self.sums))

    def block(self, threads: Threads, room: Block | None = None) -> Block:
        """The block as it was, in room for one if that is given, and then as wide as that."""
        states, (first, *_) = len(self.sums), self.parts[0]
        if room is None:
            room = Block(np.empty((states, len(first)), first.dtype), np.empty_like(self.sums), 0)
        block = Block(room.rows[:states], room.sums[:states], self.first)
        ends = np.cumsum([0, *(len(counts) for _, counts, *_ in self.parts)])
        threads.spread(lambda n: unpack(self.parts[n], block.rows[ends[n] : ends[n + 1]]), len(self.parts))
        block.sums[:] = self.sums
        return block


class Spilled(NamedTuple):
    """A packed block on disk: where it stands in the file, its first state, and of how many parts it is."""

    place: int
    first: int
    parts: int


class Frontier:
    """The blocks of one level, first in, first out. ``states`` counts the states that were put in, ``held`` the bytes in memory,
    ``spilled`` the blocks that went to disk. ``threads`` pack and unpack them."""

    def __init__(self, storage: Storage, threads: Threads | None = None):
        self.storage, self.threads = storage, threads or Threads()
        self.blocks: deque[Block | Packed | Spilled] = deque()
        self.states = self.held = self.spilled = 0
        self.file: IO[bytes] | None = None

    def put(self, block: Block, taken: int = 0) -> bool:
        """Add a block; ``taken`` bytes of the memory are in use elsewhere. Answers whether the block is kept as it is; if not, its room can be
        used again. Raises :class:`NoRoom` when the disk is full."""
        self.states += len(block.rows)
        used = self.held + taken
        if used + block.bytes <= PLAIN * self.storage.memory:
            self.held += block.bytes
            self.blocks.append(block)
            return True
        entry = Packed.of(block, self.threads)
        if used + entry.bytes <= self.storage.memory:
            self.held += entry.bytes
            self.blocks.append(entry)
            return False
        if self.file is None:
            self.file = self.storage.file(self, 1)
        self.blocks.append(Spilled(self.file.seek(0, 2), block.first, len(entry.parts)))
        self.spilled += 1
        try:
            for array in (*(array for part in entry.parts for array in part), entry.sums):
                np.save(self.file, array, allow_pickle=False)
        except OSError as error:
            raise NoRoom(f"the frontier does not fit on disk: {error.strerror}; give it more memory, or a folder") from error
        return False

    def thinned(self, most: int) -> Frontier:
        """About so many of its states, evenly; all of them if there are no more, or ``most`` is 0."""
        if not most or self.states <= most:
            return self
        step, fewer = -(-self.states // most), Frontier(self.storage, self.threads)
        for block in self:
            fewer.put(Block(block.rows[::step].copy(), block.sums[::step].copy(), block.first))
        return fewer

    def take(self, room: Callable[[], Block] | None = None) -> Block | None:
        """The next block, or None. ``room`` is asked for where to put a block that is not in memory as it is: fresh room must be cleared by
        the system first."""
        if not self.blocks:
            return None
        entry = self.blocks.popleft()
        if not isinstance(entry, Spilled):
            self.held -= entry.bytes
        return entry if isinstance(entry, Block) else self._loaded(entry).block(self.threads, room() if room else None)

    def __iter__(self) -> Iterator[Block]:
        """The blocks that are left, without taking them, one at a time: together they may not fit into memory."""
        for entry in self.blocks:
            yield entry if isinstance(entry, Block) else self._loaded(entry).block(self.threads)

    @property
    def firsts(self) -> list[int]:
        """The first states of the blocks that are left."""
        return [entry.first for entry in self.blocks]

    def _loaded(self, entry: Packed | Spilled) -> Packed:
        if isinstance(entry, Packed):
            return entry
        assert self.file is not None
        self.file.seek(entry.place)
        arrays = [np.load(self.file, allow_pickle=False) for _ in range(4 * entry.parts + 1)]
        parts = [(arrays[at], arrays[at + 1], arrays[at + 2], arrays[at + 3]) for at in range(0, 4 * entry.parts, 4)]
        return Packed(parts, arrays[-1], entry.first)


class Records:
    """Records of one kind on disk, by number."""

    def __init__(self, storage: Storage, dtype: Any):
        self.dtype = np.dtype(dtype)
        self.file = storage.file(self)
        self.count = 0

    def add(self, records: NDArray[Any]) -> None:
        """Append records. Raises :class:`NoRoom` when the disk is full."""
        self.file.seek(0, 2)
        try:
            self.file.write(np.ascontiguousarray(records, self.dtype).tobytes())
        except OSError as error:
            raise NoRoom(f"what a search has seen does not fit on disk: {error.strerror}") from error
        self.count += len(records)

    def __getitem__(self, number: int) -> Any:
        self.file.seek(number * self.dtype.itemsize)
        return np.frombuffer(self.file.read(self.dtype.itemsize), self.dtype)[0]

    def pieces(self) -> Iterator[NDArray[Any]]:
        """All of them, in order, a piece at a time."""
        for first in range(0, self.count, PIECE):
            self.file.seek(first * self.dtype.itemsize)
            size = min(PIECE, self.count - first) * self.dtype.itemsize
            yield np.frombuffer(self.file.read(size), self.dtype)

    def array(self) -> NDArray[Any]:
        """All of them in memory."""
        return np.concatenate([np.empty(0, self.dtype), *self.pieces()])


class Steps(Records):
    """Where each state came from: the state before, and the action."""

    def __init__(self, storage: Storage):
        super().__init__(storage, STEP)

    def extend(self, parents: NDArray[np.uint32], actions: NDArray[np.uint16]) -> None:
        """Note states in the order of their numbers. Raises :class:`NoRoom` when there are too many."""
        if self.count + len(parents) > MOST_STATES:
            raise NoRoom(f"a search numbers at most {MOST_STATES:,} states; make the scope smaller")
        records = np.empty(len(parents), STEP)
        records["parent"], records["action"] = parents, actions
        self.add(records)

    def back(self, state: int) -> list[int]:
        """The actions from the first state to a state, by number."""
        found: list[int] = []
        while state > 0:
            parent, action = self[state].tolist()
            found.append(action)
            state = parent
        return found[::-1]


LESSON = np.dtype([("action", "<u4"), ("width", "<u4"), ("fresh", "u1")])
"""A lesson as it is kept: the action, how many values the state has, and whether the arrays were brought up to date before."""


class Diary:
    """What was learned, as it can be learned again: each lesson's action and state, in order. Values have numbers by the order in which
    they were met, so the same lessons in the same order give all numbers the same meaning."""

    def __init__(self, storage: Storage):
        self.lessons, self.values = Records(storage, LESSON), Records(storage, np.uint32)
        self.fresh = False

    def note(self, row: list[int], action: int) -> None:
        """An action was learned in a state."""
        width = len(row)
        while width and not row[width - 1]:
            width -= 1
        self.lessons.add(np.array([(action, width, self.fresh)], LESSON))
        self.values.add(np.array(row[:width], np.uint32))
        self.fresh = False
