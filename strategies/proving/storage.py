"""Where a search keeps what it need not have at hand: the frontier, and where each state came from.

Rules of this file:

1. A state that was expanded is kept as its fingerprint, 8 bytes in the table, and as 6 bytes in an unnamed file on disk: the state it
   was first reached from, and by which action. Its values are forgotten.
2. The frontier stays in memory up to a budget; blocks beyond it go to an unnamed file and come back one at a time.
3. Unnamed files vanish with the process, however it ends, so there is nothing to clean up.
"""

from __future__ import annotations

import gc
import tempfile
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from heatproof.model.errors import HeatproofError

STEP = np.dtype([("parent", "<u4"), ("action", "<u2")])
"""Where a state came from, as it is kept on disk: 6 bytes."""

MOST_STATES = 2**32 - 1
"""States that a search can number."""

COLLECTED = (100_000, 50, 100)
"""The thresholds of Python's garbage collector during a search: what is learned stays, and going through all of it every so many hundred
objects takes a fifth of the time of a search that learns much."""

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


class Frontier:
    """The blocks of one level, first in, first out. ``states`` counts the states that were put in, ``held`` the bytes in memory,
    ``spilled`` the blocks that went to disk."""

    def __init__(self, storage: Storage):
        self.storage = storage
        self.blocks: deque[Block | tuple[int, int]] = deque()  # a block, or where it stands in the file and its first number
        self.states = self.held = self.spilled = 0
        self.file: IO[bytes] | None = None

    def put(self, block: Block, taken: int = 0) -> None:
        """Add a block; ``taken`` bytes of the memory are in use elsewhere."""
        self.states += len(block.rows)
        if self.held + taken + block.bytes <= self.storage.memory:
            self.held += block.bytes
            self.blocks.append(block)
            return
        if self.file is None:
            self.file = self.storage.file(self, 1)
        self.blocks.append((self.file.seek(0, 2), block.first))
        self.spilled += 1
        try:
            np.save(self.file, block.rows, allow_pickle=False)
            np.save(self.file, block.sums, allow_pickle=False)
        except OSError as error:
            raise NoRoom(f"the frontier does not fit on disk: {error.strerror}; give it more memory, or a folder") from error

    def take(self) -> Block | None:
        """The next block, or None."""
        if not self.blocks:
            return None
        block = self._loaded(entry := self.blocks.popleft())
        if entry is block:
            self.held -= block.bytes
        return block

    def __iter__(self) -> Iterator[Block]:
        """The blocks that are left, without taking them."""
        return map(self._loaded, self.blocks)

    def _loaded(self, entry: Block | tuple[int, int]) -> Block:
        if isinstance(entry, Block):
            return entry
        assert self.file is not None
        self.file.seek(entry[0])
        rows: NDArray[Any] = np.load(self.file, allow_pickle=False)
        return Block(rows, np.load(self.file, allow_pickle=False), entry[1])


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
