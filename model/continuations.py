"""What a suspended handler will do next depends on where it stands and on what it still holds: its *continuation*.

Two nodes of the trie whose generators have equal continuations behave alike from there on, whatever they were sent before, and may
be merged. A continuation is the chain of frames (a ``yield from`` makes more than one), and of each frame the code, the position
in it, the local variables that are still *live* (will be read before they are written), and what lies on its value stack, such as
the position of a loop's iterator.

Python shows locals but not the value stack; the garbage collector sees both (:func:`gc.get_referents`), in an order that
:func:`readable` puts to the test on the running interpreter before anybody relies on it. Where a value of a kind is met that this
module cannot look into, :func:`continuation` answers None: such a node is merged with no other.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import cache
from operator import itemgetter
from types import CellType, CodeType, FunctionType, GeneratorType
from typing import Any

from heatproof.model.columns import Mark, Place, Rows
from heatproof.model.contents import INEXACT, PLAIN, Opaque, exact, stands_for_itself
from heatproof.model.liveness import live_after
from heatproof.model.versions import Column, Version
from heatproof.model.ways import Show, way_to_show

HOLE = "a version"
"""Stands in a row for its version."""


class Pool:
    """One object for each value that continuations show: equal ones are identical, so that comparing and keeping them is cheap however
    much they hold. Rows and templates are held by many handlers, and what a handler holds changes little from step to step."""

    def __init__(self, design: Any = None) -> None:
        """``design``: it and its tables never change, and go by their names."""
        self._tuples: dict[tuple[int, ...], tuple[Any, ...]] = {}  # by the identities of the parts
        self._values: dict[Any, Any] = {}
        self._plain: dict[Any, Any] = {}
        self.names: dict[tuple[str, ...], tuple[str, ...]] = {}  # of attributes
        self.ways: dict[type[Any], Show] = {}  # how values are shown, by class, as far as somebody has asked
        self._holed: dict[int, Any] = {}  # rows with versions, by identity; kept, so that identities last
        self.at: dict[int, Any] = {}  # what was looked at, by identity, with what stands for it; kept, so that identities last
        for name, constant in [] if design is None else [("design", design), *((f"table {t.name}", t) for t in design.tables)]:
            self.at[id(constant)] = (("constant", name), constant)

    def of(
        self, gen: Generator[Any, Any, Any], beside: Any = None, held: Held | None = None, rows: HeldRows | None = None
    ) -> tuple[Any, ...] | None:
        """The continuation of a suspended generator as a hashable value, or None if it holds something that cannot be looked into.

        Equal answers mean equal futures, as far as the generator is a function of what it is sent; they are one object. ``beside``: what else
        belongs to it. Versions of rows (model/versions.py) are shown by which of the versions of their row they are, in the
        order in which they are met, and entered into ``held``. Watched rows (model/columns.py) are shown by the columns that will be looked at,
        and entered into ``rows``.
        """
        if not readable():
            return None
        look = Look(self, held, rows)
        try:
            first = None if beside is None else look.value(beside)  # what is held in both counts as a whole
            frames = _frames(gen, look, None if rows is None else rows.rows.live.at(mark_of(gen)))
            return frames if beside is None else self.tuple(first, frames)
        except Opaque:
            return None

    def holed(self, row: tuple[Any, ...]) -> tuple[Any, tuple[Version, ...]] | None:
        """A row with nothing where its versions are, and these; None if it has none."""
        known = self._holed.get(id(row))
        if known is None:
            versions = tuple([item for item in tuple.__iter__(row) if type(item) is Version])
            if not versions:
                return None
            shell = tuple([HOLE if type(item) is Version else item for item in tuple.__iter__(row)])
            plain = (self.tuple(type(row), self.value(shell)), versions) if stands_for_itself(shell) else None
            known = self._holed[id(row)] = plain, row
        return known[0]

    def tuple(self, *parts: Any) -> tuple[Any, ...]:
        """The tuple of these parts, which are of this pool, or last."""
        return self._tuples.setdefault(tuple(map(id, parts)), parts)

    def value(self, value: Any, met: bool = True) -> Any:
        """What stands for a value that is compared by what it holds; ``met``: whether this very object may be met again."""
        known = self.at.get(id(value))
        if known is None:
            kind = type(value)
            key = (kind, repr(value) if kind in INEXACT else value)
            table = self._plain if kind in PLAIN else self._values
            place = exact(table, key, itemgetter(0))
            first = table.setdefault(place, (key, place))[1]
            if not met:
                return first
            known = self.at[id(value)] = (first, value)
        return known[0]


class Held:
    """The versions of rows that a handler holds: of each row in the order in which they are met. ``written`` says whether one was ever in
    its row; ``mixed`` whether they were met in the order of a set, which is none."""

    def __init__(self, written: Callable[[Version], bool]) -> None:
        self.written = written
        self.versions: dict[Column, list[Version]] = {}
        self.count = 0
        self.mixed = False

    def place(self, version: Version) -> tuple[Column, int, bool]:
        """What shows a version."""
        self.count += 1
        known = self.versions.setdefault(version.column, [])
        numbers = [other.number for other in known]
        if version.number not in numbers:
            known.append(version)
            numbers.append(version.number)
        return version.column, numbers.index(version.number), self.written(version)


class HeldRows:
    """The watched rows that a handler holds: ``met`` has where each was met (None: where all of it counts)."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.met: list[tuple[Any, Place | None]] = []


def mark_of(gen: Any) -> Mark:
    """Where a suspended generator stands, with those that it waits for."""
    mark = []
    while gen is not None and getattr(gen, "gi_frame", None) is not None:
        code = gen.gi_code
        mark.append((code.co_qualname, code.co_firstlineno, gen.gi_frame.f_lasti))
        gen = gen.gi_yieldfrom
    return tuple(mark)


class Look:
    """One look at a generator: the objects met so far, which are numbered, the pool of what it shows, the versions of rows, and the rows."""

    def __init__(self, pool: Pool, held: Held | None = None, rows: HeldRows | None = None) -> None:
        self.pool = pool
        self.seen: dict[int, int] = {}
        self.kept: list[Any] = []  # what has a number, so that nothing else is found in its place
        self.tuple = pool.tuple
        self.held = held
        self.rows = rows
        self.in_sets = 0

    def value(self, value: Any, at: Place | None = None) -> Any:
        """A hashable stand-in for a value, of the pool: equal for values that nobody can tell apart from now on. ``at``: where it is held, where
        it matters which columns of rows there will be looked at."""
        known = self.pool.at.get(id(value))
        if known is not None:
            return known[0]
        kind = type(value)
        show = self.pool.ways.get(kind)
        if show is None:
            show = self.pool.ways[kind] = way_to_show(kind)
        return show(value, self, at)

    def number(self, value: Any) -> int | None:
        """The number of an object that was met before; None for another, which gets the next one."""
        number = self.seen.get(id(value))
        if number is None:
            self.seen[id(value)] = len(self.seen)
            self.kept.append(value)
        return number

    def frames(self, gen: Any, at: Place | None = None) -> Any:
        """What stands for a generator."""
        return _frames(gen, self, at)

    @contextmanager
    def whole_rows(self) -> Iterator[None]:
        """Rows that are met meanwhile have no numbers, as they count as a whole."""
        self.in_sets += 1
        yield
        self.in_sets -= 1

    def row(self, row: Any, at: Place | None) -> Any:
        """What shows a watched row that is held at a place. Two places may hold the same object: who compares these, or looks for the one among
        others, looks at no column."""
        if self.rows is None:
            raise Opaque
        number = None if self.in_sets else self.number(row)
        self.rows.met.append((row, at))
        kind, known = row._kind, self.pool.at
        columns, bits = (range(len(row._fields)), row._every) if at is None else at.columns(type(row))
        shown: list[Any] = [kind, self.pool.value(bits)]
        for column in columns:
            value = tuple.__getitem__(row, column)
            found = known.get(id(value))
            shown.append(self.value(value) if found is None else found[0])
        return self.tuple(*shown) if number is None else self.tuple("again", self.pool.value(number), *shown)

    def version(self, version: Version) -> Any:
        """What shows a version of a row."""
        if self.held is None:
            raise Opaque
        return self.pool.value(("version", self.held.place(version)))


def continuation(gen: Generator[Any, Any, Any]) -> tuple[Any, ...] | None:
    """As :meth:`Pool.of`, for one look."""
    return Pool().of(gen)


def _frames(gen: Any, look: Look, at: Place | None = None) -> tuple[Any, ...]:
    """Flat, since there are many: the code, where it stands there, the values of the live locals, and the value stack."""
    code, frame = gen.gi_code, gen.gi_frame
    if frame is None:
        return look.tuple(code, "ended")
    referents = gc.get_referents(gen)
    begin = _locals_begin(referents, code)
    slots, stack, place = _live_slots(code, frame.f_lasti, tuple(frame.f_locals))
    stack += begin
    if len(referents) < stack:
        raise Opaque
    known = look.pool.at
    shown: list[Any] = [code, place]  # two codes may be equal that are of different modules
    if referents[-1] is None and len(referents) > stack:
        # behind the stack the collector sees the exception that is being handled: None once there was one, before that nothing
        del referents[-1]
    for name, position in slots:
        value = referents[begin + position]
        found = known.get(id(value))
        shown.append(look.value(value, None if at is None else at.at(name)) if found is None else found[0])
    for number, value in enumerate(referents[stack:]):
        found = known.get(id(value))
        shown.append(look.value(value, None if at is None else at.at(number)) if found is None else found[0])
    return look.tuple(*shown)


_Place = tuple[int, tuple[str, ...]]
"""Where a frame stands in its code, and the names of the locals that may still be read."""


@cache
def _live_slots(code: CodeType, offset: int, bound: tuple[str, ...]) -> tuple[tuple[tuple[str, int], ...], int, _Place]:
    """Of a frame that stands at ``offset`` (bytes) with these locals bound: the names of those that may still be read, with where they stand
    among what the collector sees of its locals; where its value stack begins; and its place. A cell counts, since others may read it."""
    slots = [n for n in code.co_varnames if n in bound or n in code.co_cellvars]
    slots += [n for n in code.co_cellvars if n not in code.co_varnames]
    slots += code.co_freevars
    cells = {*code.co_cellvars, *code.co_freevars}
    live = live_after(code, offset)
    kept = tuple([(name, position) for position, name in enumerate(slots) if name in live or name in cells])
    return kept, len(slots), _place(offset, tuple([name for name, _ in kept]))


@cache
def _place(offset: int, names: tuple[str, ...]) -> _Place:
    """One object for equal places, whatever else was bound there that nobody will read."""
    return offset, names


def _locals_begin(referents: list[Any], code: CodeType) -> int:
    """Where the locals begin in what the collector sees of a generator: behind its function and its code."""
    before: Any = None
    for position, referent in enumerate(referents):
        if (referent is code and type(before) is FunctionType) or (before is code and type(referent) is FunctionType):
            return position + 1
        before = referent
    raise Opaque


# ------------------------------------------------------------------------------------------------------------ the self-test


@cache
def readable() -> bool:
    """Whether this interpreter shows what a suspended generator holds in the way that this module relies on."""

    def inner(a: int) -> Generator[Any, Any, Any]:
        for item in (a, a + 1, a + 2):
            got = yield item
            del got
        return "end"

    def sample(a: int, b: list[int]) -> Generator[Any, Any, Any]:
        unbound: Any
        for _ in range(2):
            back = yield from inner(a)
            b.append((yield back))
            back = None
        unbound = yield b
        return unbound

    def stacks(gen: Any) -> list[type]:
        referents = gc.get_referents(gen)
        return [type(item) for item in referents[_locals_begin(referents, gen.gi_code) :]]

    one: Any = sample(3, [])
    next(one)
    try:
        expected = [int, list, int, CellType, type(iter(range(0))), GeneratorType]
        if stacks(one) != expected or stacks(one.gi_yieldfrom) != [int, int, type(iter(()))]:
            return False
        two, three = sample(3, []), sample(3, [])
        next(two), next(three)
        pool = Pool()
        first = (_frames(one, Look(pool)), _frames(two, Look(pool)))
        three.send(None)
        one.send("x"), two.send("y")  # what was sent is not looked at again
        later = [_frames(gen, Look(pool)) for gen in (one, two, three)]
        return first[0] is first[1] and later[0] is later[1] is later[2] is not first[0]
    except (Opaque, AttributeError):
        return False
