"""Checkpoints: where a search stands, in a file that is always whole, from which another process goes on.

Rules of this file:

1. A checkpoint is written beside its place, brought to disk, and renamed: whoever is killed leaves the one before. Only one process at a time
   does that, and none takes away what another has kept there since.
2. It is data: a zip archive of arrays and one JSON text. Nothing in it is evaluated or unpickled, and what does not fit together is
   refused before anything goes on.
3. What was learned is not stored but learned again, lesson by lesson in the same order (:class:`heatproof.strategies.proving.storage.Diary`):
   then every number of the stored states means what it meant. A checkpoint therefore fits only the text of the design, of the properties
   and of heatproof that it was made with, and says so where they have changed.
"""

from __future__ import annotations

import contextlib
import fcntl
import inspect
import os
import sys
import zipfile
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import IO, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from heatproof.model.columns import Entry, Live
from heatproof.model.design import Design
from heatproof.model.errors import HeatproofError
from heatproof.properties.base import Property
from heatproof.strategies.proving import kernel
from heatproof.strategies.proving.growing import MOST_PLACES, sound
from heatproof.strategies.proving.search import LOAD, Search
from heatproof.strategies.proving.sources import with_imported
from heatproof.strategies.proving.storage import PIECE, STEP, Block, Diary, Frontier, Steps
from heatproof.strategies.proving.symmetry import Renderer

MOST_PACKED = 1100
"""Bytes that deflate can make of one, and some more: a file that tells of a larger array lies, and room for it must not even be asked for."""

FORMAT = 9

OPTIONS = ("symmetric", "merge", "versions", "columns", "placing", "reduce")
"""The options of a search that say which states are the same."""

RARELY = 20.0
"""How many times as long as it takes to write a checkpoint the search goes on before it writes the next."""


class CheckpointError(HeatproofError):
    """A checkpoint that is missing, broken, or of another search."""


class UnwrittenError(CheckpointError):
    """A checkpoint that could not be written; what was there before stays."""


class Scope(msgspec.Struct, forbid_unknown_fields=True):
    """What a checkpoint is of. Each field differs for a reason that can be named."""

    design: str
    scenario: str
    properties: list[str]
    options: list[str]
    source: str


class Head(msgspec.Struct, forbid_unknown_fields=True):
    """The numbers of a checkpoint; ``level`` and ``following`` are the first states of their blocks, ``live`` the columns that handlers look
    at. ``begun``: whether there is more; if not, the search is to begin anew with what this says."""

    format: int
    scope: Scope
    begun: bool
    live: list[Entry] | None
    prepared: bool
    leave_open: bool
    anonymous: bool
    names_matter: bool
    own_names: bool
    numbered: list[str] | None
    complete: bool
    passes: int
    result: dict[str, int]
    counters: list[int]
    seen: list[tuple[int, int, int, int]]
    level: list[int]
    following: list[int]
    learned: str


NUMBERS = ("states", "transitions", "depth", "terminal", "resting", "terminal_sum", "widest", "lessons")
"""The fields of a result that a checkpoint keeps."""


class Checkpoint:
    """The checkpoint of a search at ``path``, written every so many seconds (but not so often that writing takes a noticeable share of
    the time), when the search is stopped and when it is over. Raises :class:`UnwrittenError` if nothing can be written there."""

    def __init__(self, path: Path, every: float = 60.0):
        self.path, self.every = path, every
        self.target = Path(os.path.realpath(path))  # a symlink stays one
        self.part = self.target.with_name(f".{self.target.name}.part")
        self.due = monotonic() + every
        self.scope: Scope | None = None  # it takes reading the texts, so it is made once
        self.unkept = ""  # why the file is not what it should be, if the last time it could not be written
        try:
            if path.exists() and not path.is_file():
                raise OSError(21, "it is a folder" if path.is_dir() else "it is a device, pipe or socket")
            with self._alone():
                self.part.unlink()
            self.known = self._stamp()
        except OSError as error:
            raise UnwrittenError(f"cannot write the checkpoint {path}: {error.strerror}") from error

    def rests(self, search: Search, ends: bool) -> None:
        """Write it if it is time. A search goes on though it cannot be written; ``unkept`` says so."""
        began = monotonic()
        if ends or began >= self.due:
            self.unkept = ""
            try:
                self.save(search)
            except UnwrittenError as error:
                self.unkept = str(error)
            self.due = monotonic() + max(self.every, RARELY * (monotonic() - began) if self.every else 0)

    def _scope(self, search: Search) -> Scope:
        if self.scope is None:
            self.scope = scope(search)
        return self.scope

    # -------------------------------------------------------------------------------------------------------------- write

    @contextlib.contextmanager
    def _alone(self) -> Iterator[IO[bytes]]:
        """What is written beside the checkpoint, empty, and held as long as this process lives. Raises :class:`OSError` if another holds it."""
        with os.fdopen(os.open(self.part, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:
            if not _held(file, self.part):
                raise BlockingIOError(11, "another process writes it at the moment")
            file.truncate()
            try:
                yield file
            except BaseException:
                with contextlib.suppress(OSError):
                    self.part.unlink()
                raise

    def _stamp(self) -> tuple[int, int, int] | None:
        """What tells the file that is there now from one that another process puts in its place."""
        try:
            stat = self.target.stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_size, stat.st_mtime_ns

    def save(self, search: Search) -> None:
        """Write where the search stands. Raises :class:`UnwrittenError` if that cannot be done; the file is then as it was."""
        search.seal()
        begun = not search.misled
        level = [] if search.block is None else [search.block.rest(search.at)]
        level = [block for block in level if len(block.rows)]
        head = Head(
            FORMAT,
            self._scope(search),
            begun,
            None if search.live is None else search.live.entries(),
            search.prepared,
            search.leave_open,
            search.anonymous,
            search.names_matter,
            search.own_names,
            search.numbered,
            search.block is None,
            search.passes,
            {name: getattr(search.result, name) for name in NUMBERS},
            search.counters.tolist(),
            search.seen,
            [*(block.first for block in level), *search.level.firsts],
            search.following.firsts,
            learned(search),
        )
        try:
            with self._alone() as file:
                if self._stamp() not in (None, self.known):
                    raise FileExistsError(17, "another process has kept a search there since")
                with zipfile.ZipFile(file, "w") as archive:
                    archive.writestr("head", msgspec.json.encode(head))
                    if begun:
                        _write_states(archive, search, chain(level, search.level, search.following))
                file.flush()
                os.fsync(file.fileno())
                os.replace(self.part, self.target)
                self.known = self._stamp()
            _sync(self.target.parent)
        except OSError as error:
            stays = "the one of earlier stays" if self.target.exists() else "there is none"
            raise UnwrittenError(f"the checkpoint {self.path} could not be written: {error.strerror}; {stays}") from error

    # --------------------------------------------------------------------------------------------------------------- read

    def resume(self, search: Search) -> None:
        """Bring a search to where it stood. Raises :class:`CheckpointError` if the file is missing, broken or of another search."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                _Reader(self.path, archive, search).read()
        except FileNotFoundError:
            raise CheckpointError(f"there is no checkpoint {self.path} to go on from") from None
        except OSError as error:
            raise CheckpointError(f"cannot read the checkpoint {self.path}: {error.strerror or error}") from error
        except MemoryError as error:
            raise CheckpointError(
                f"the checkpoint {self.path} does not fit into memory; go on where there is more of it"
            ) from error
        except (
            zipfile.BadZipFile,
            KeyError,
            ValueError,
            EOFError,
            NotImplementedError,
            RuntimeError,
            msgspec.MsgspecError,
        ) as error:
            raise CheckpointError(
                f"{self.path} is no checkpoint, or a broken one ({error}); take it away and begin anew"
            ) from error


def _write_states(archive: zipfile.ZipFile, search: Search, blocks: Iterable[Block]) -> None:
    """Write what a search has learned, what it has seen, and the states that it is to go on from."""
    assert search.diary is not None
    _write(archive, "pairs", search.pairs)
    _write(archive, "found seen", search.tables.outcomes.found_seen.array[: search.tables.outcomes.found_seen.used])
    pieces: dict[str, Iterable[NDArray[Any]]] = {
        "table": np.split(search.table, range(PIECE, len(search.table), PIECE)),
        "depths": [search.depths],
        "steps": search.steps.pieces(),
        "lessons": search.diary.lessons.pieces(),
        "values": search.diary.values.pieces(),
    }
    for name, records in pieces.items():
        with archive.open(_info(name, name != "table"), "w", force_zip64=True) as member:
            for piece in records:
                member.write(piece.tobytes())
    for block in blocks:
        _write(archive, f"states {block.first}", block.rows[:, : len(search.space.units)])


class _Reader:
    """Reads one checkpoint into a search."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, search: Search):
        self.path, self.archive, self.search = path, archive, search

    def read(self) -> None:
        """Everything, checked."""
        search = self.search
        kind = msgspec.json.decode(self.archive.read("head"))
        if not isinstance(kind, dict) or kind.get("format") != FORMAT:
            raise CheckpointError(
                f"{self.path} is not a checkpoint of format {FORMAT}, which this heatproof writes; take it away and begin anew"
            )
        head = msgspec.json.decode(self.archive.read("head"), type=Head)
        self._same(head.scope)
        search.live, search.prepared = None, head.prepared
        search.leave_open, search.anonymous = search.leave_open and head.leave_open, search.anonymous and head.anonymous
        if head.live is not None:
            search.live = Live()
            search.live.enter(head.live)
        search.begin(head.names_matter, head.own_names, head.numbered)
        if not head.begun:
            return
        search.start()
        self._learn()
        self._must(head.learned == learned(search), "what was learned is not what is learned now")
        self._counts(head)
        self._steps(head.result["states"])
        for found, state, action, depth in head.seen:
            self._must(found < len(search.tables.outcomes.founds) and state < head.result["states"] and depth >= 0, "a finding")
            self._must(0 <= action < len(search.tables.actions.names) and found >= 0 and state >= 0, "a finding")
            search.sight(found, state, action, depth)
        search.level, search.following = (Frontier(search.storage, search.threads) for _ in range(2))
        at = (*head.level, *head.following, head.result["states"])[0]
        for frontier, firsts in ((search.level, head.level), (search.following, head.following)):
            for first in firsts:
                self._must(first == at, "the numbers of states")
                block = self._block(first)
                at += len(block.rows)
                frontier.put(block, search.level.held)
        self._must(at == head.result["states"], "the numbers of states")
        search.block, search.at = search.level.take(), 0
        self._must(head.complete == (search.block is None) and (search.level.states > 0) != head.complete, "the frontier")

    def _must(self, holds: bool, what: str) -> None:
        if not holds:
            raise ValueError(f"it does not fit together: {what}")

    def _same(self, theirs: Scope) -> None:
        ours = scope(self.search)
        for field, what in (
            ("design", "another design"),
            ("scenario", "another scenario or scope"),
            ("properties", "other properties"),
            ("options", "other options of the search"),
            ("source", "another text of the design, of a property or of heatproof"),
        ):
            mine, its = getattr(ours, field), getattr(theirs, field)
            if mine != its:
                detail = f" ({its}, not {mine})" if field == "design" else ""
                raise CheckpointError(
                    f"the checkpoint {self.path} is of {what}{detail}; give another file, or take it away and begin anew"
                )

    def _learn(self) -> None:
        search, tables = self.search, self.search.tables
        diary = search.diary = Diary(search.storage)
        lessons = np.frombuffer(self.archive.read("lessons"), diary.lessons.dtype)
        values = np.frombuffer(self.archive.read("values"), diary.values.dtype)
        self._must(int(lessons["width"].sum()) == len(values), "what was learned")
        at = 0
        for action, width, fresh in lessons.tolist():
            if fresh:
                tables.refresh()
                diary.fresh = True
            row = values[at : at + width].tolist()
            at += width
            self._must(0 <= action < len(tables.actions.names) and width <= len(search.space.units), "what was learned")
            self._must(all(v < len(known) for v, known in zip(row, search.space.values, strict=False)), "what was learned")
            try:
                tables.learn(row, action)
            except Exception as error:  # a state that never was can make a design or a property do anything
                raise ValueError(f"it does not fit together: what was learned ({error})") from error
            diary.note(row, action)
        tables.refresh()

    def _counts(self, head: Head) -> None:
        search, tables = self.search, self.search.tables
        self._must(set(head.result) == set(NUMBERS) and len(head.counters) == len(search.counters), "the counts")
        for name in NUMBERS:
            setattr(search.result, name, head.result[name])
        search.counters[:] = head.counters
        search.counters[kernel.NEW] = 0
        states = head.result["states"]
        search.out.first = states
        table = _growing(self.archive, "table", np.uint64)
        self._must(1 < len(table) <= MOST_PLACES, "the table")
        used = int(np.count_nonzero(table))
        self._must(0 < used == states == head.counters[kernel.TABLE_USED] and used <= LOAD * len(table) + 1, "the table")
        self._must(used < len(table) and bool(sound(table)), "the table")
        search.table, search.passes = table, head.passes
        search.depths, search.pairs = _growing(self.archive, "depths", np.uint16), _array(self.archive, "pairs", np.uint64, 1)
        self._must(len(search.depths) == (len(table) if search.reduce else 0), "the table")
        pairs = int(np.count_nonzero(search.pairs))
        self._must(pairs == head.counters[kernel.PAIRS] and (not pairs or 2 * pairs < len(search.pairs)), "the reduction")
        self._must(len(search.pairs) & (len(search.pairs) - 1) == 0, "the reduction")
        seen = _array(self.archive, "found seen", np.bool_, 1)
        self._must(len(seen) == tables.outcomes.found_seen.used, "what was found")
        tables.outcomes.found_seen.array[: len(seen)] = seen

    def _steps(self, states: int) -> None:
        search = self.search
        search.steps = Steps(search.storage)
        for steps in _pieces(self.archive, "steps", STEP):
            numbers = np.arange(search.steps.count, search.steps.count + len(steps))
            self._must(bool(((steps["parent"] < numbers) | (numbers == 0)).all()), "where states came from")
            self._must(bool((steps["action"] < len(search.tables.actions.names)).all()), "where states came from")
            search.steps.add(steps)
        self._must(search.steps.count == states, "where states came from")

    def _block(self, first: int) -> Block:
        search = self.search
        rows = _array(self.archive, f"states {first}", (np.uint16, np.uint32), 2)
        units = len(search.space.units)
        self._must(len(rows) > 0 and rows.shape[1] <= units, "the states of the frontier")
        known = np.array([len(values) for values in search.space.values[: rows.shape[1]]])
        self._must(bool((rows.max(axis=0) < known).all()), "the states of the frontier")
        block = Block(rows, np.zeros((len(rows), len(search.tables.renderers)), np.uint64), first)
        search.fit(block)
        search.tables.sum(block.rows, block.sums)
        return block


def scope(search: Search) -> Scope:
    """What a search is of."""
    given = search.scenario
    text = Renderer().text((given.operations, tuple(given.scope), tuple(given.faults.items())))
    return Scope(
        search.design.name,
        blake2b(text.encode(), digest_size=16).hexdigest(),
        [prop.name for prop in search.properties],
        [*(f"{name}: {getattr(search, name)}" for name in OPTIONS), f"world: {search.kind.__name__}"],
        source(search.design, search.properties),
    )


def source(design: Design, properties: list[Property]) -> str:
    """A hash of all text that says what the states are: the design, the properties, what these import of the user's own, and heatproof."""
    named: list[Any] = [kind for kind in type(design).__mro__ if kind is not object]
    named += [prop.check for prop in properties if prop.check is not None]
    packages = {inspect.getsourcefile(one): getattr(sys.modules.get(one.__module__), "__package__", None) for one in named}
    files = with_imported((file, package or "") for file, package in packages.items() if file)
    here = Path(__file__).parent
    rooms = (here, here.parents[1] / "model", here.parents[1] / "properties")
    texts = [(str(path.name), path.read_bytes()) for room in rooms for path in room.rglob("*.py")]
    texts += [(Path(name).name, Path(name).read_bytes()) for name in files]
    digest = blake2b(digest_size=16)
    for name, content in sorted(set(texts)):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def learned(search: Search) -> str:
    """A hash of what was learned: what each number of a state stands for, and what each action does."""
    tables, space, outcomes = search.tables, search.space, search.tables.outcomes
    tables.refresh()
    counts = tuple([len(values) for values in space.values])
    names = Renderer().text((tuple(space.units), counts, tuple(tables.actions.names)))  # the same in every process
    digest = blake2b(names.encode(), digest_size=16)
    for numbers in (tables.trees.column, tables.trees.outcome):
        digest.update(np.array(numbers, np.int64).tobytes())
    digest.update(outcomes.leaves[: outcomes.count].tobytes())
    digest.update(outcomes.writes.tobytes())
    digest.update(tables.salts[:, : len(space.units)].sum(axis=2).tobytes())
    return digest.hexdigest()


# ---------------------------------------------------------------------------------------------------------------- arrays


def _info(name: str, packed: bool) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    return info


def _write(archive: zipfile.ZipFile, name: str, array: NDArray[Any], packed: bool = True) -> None:
    with archive.open(_info(name, packed), "w", force_zip64=True) as member:
        np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)


def _array(archive: zipfile.ZipFile, name: str, dtypes: Any, dimensions: int) -> NDArray[Any]:
    with archive.open(name) as member:
        array: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
        if member.read(1) or array.dtype not in (dtypes if isinstance(dtypes, tuple) else (dtypes,)) or array.ndim != dimensions:
            raise ValueError(f"{name} is not what it should be")
    return array


def _growing(archive: zipfile.ZipFile, name: str, dtype: Any) -> NDArray[Any]:
    """An array that is grown rather than made, so that it can grow in place: one that numpy makes large is copied the first time (on Linux it
    asks for huge pages, but not from the first page on, and then the system has two pieces to move)."""
    array: NDArray[Any] = np.zeros(0, dtype)
    info = archive.getinfo(name)
    size = info.file_size
    most = MOST_PACKED if info.compress_type else 1
    if size > most * min(info.compress_size, Path(str(archive.filename)).stat().st_size):
        raise ValueError(f"{name} is not what it should be")
    array.resize(size // array.itemsize, refcheck=False)
    at = 0
    for piece in _pieces(archive, name, dtype):
        array[at : at + len(piece)] = piece
        at += len(piece)
    return array


def _pieces(archive: zipfile.ZipFile, name: str, dtype: Any) -> Iterator[NDArray[Any]]:
    with archive.open(name) as member:
        while content := member.read(np.dtype(dtype).itemsize << 20):
            yield np.frombuffer(content, dtype)


def _held(file: IO[bytes], place: Path) -> bool:
    """Hold a file against other processes as long as it is open here; whether none of them did so before, or has moved it from its place since."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some file systems have no locks
        pass
    return place.exists() and os.path.samestat(os.fstat(file.fileno()), place.stat())


def _sync(folder: Path) -> None:
    """Bring a folder's entries to disk, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


__all__ = ["Checkpoint", "CheckpointError", "UnwrittenError"]
