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
from collections.abc import Callable, Generator, Iterable
from enum import Enum
from functools import cache, partial
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, GeneratorType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

from heatproof.model.columns import HeldRow, Mark, Place, Rows
from heatproof.model.contents import (
    CONTENT,
    INEXACT,
    PLAIN,
    Opaque,
    attributes,
    beside,
    by_class,
    by_value,
    fields,
    filled,
    hashable,
    holds_row,
    same,
    stands_for_itself,
    title,
)
from heatproof.model.liveness import live_after
from heatproof.model.versions import Column, Version

HOLE = "a version"
"""Stands in a row for its version."""

_SAMPLES: tuple[Any, ...] = (
    iter(()), iter([]), iter(""), iter(range(0)), iter(range(2**70)), iter({}), iter({}.items()), iter({}.values()), iter(set()),
    reversed([]), enumerate(()), zip(()), reversed({}), iter(b""),
)  # fmt: skip
ITERATORS = tuple(type(sample) for sample in _SAMPLES)


class Pool:
    """One object for each value that continuations show: equal ones are identical, so that comparing and keeping them is cheap however
    much they hold. Rows and templates are held by many handlers, and what a handler holds changes little from step to step."""

    def __init__(self, design: Any = None) -> None:
        """``design``: it and its tables never change, and go by their names."""
        self._tuples: dict[tuple[int, ...], tuple[Any, ...]] = {}  # by the identities of the parts
        self._values: dict[Any, Any] = {}
        self._plain: dict[tuple[type, Any], Any] = {}
        self.names: dict[tuple[str, ...], tuple[str, ...]] = {}  # of attributes
        self.ways: dict[type[Any], _Show] = {}  # how values are shown, by class, as far as somebody has asked
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
        look = _Look(self, held, rows)
        try:
            first = None if beside is None else _value(beside, look)  # what is held in both counts as a whole
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
            first = (self._plain if kind in PLAIN else self._values).setdefault(key, key)
            if first is not key and not same(first[1], key[1]):
                exact: Any = (kind, value, repr(value))
                first = self._values.setdefault(exact, exact)
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


class _Look:
    """One look at a generator: the objects met so far, which are numbered, the pool of what it shows, the versions of rows, and the rows."""

    def __init__(self, pool: Pool, held: Held | None = None, rows: HeldRows | None = None) -> None:
        self.pool = pool
        self.seen: dict[int, int] = {}
        self.tuple = pool.tuple
        self.held = held
        self.rows = rows

    def row(self, row: Any, at: Place | None) -> Any:
        """What shows a watched row that is held at a place."""
        if self.rows is None:
            raise Opaque
        self.rows.met.append((row, at))
        kind, known = row._kind, self.pool.at
        columns, bits = (range(len(row._fields)), row._every) if at is None else at.columns(type(row))
        shown: list[Any] = [kind, self.pool.value(bits)]
        for column in columns:
            value = tuple.__getitem__(row, column)
            found = known.get(id(value))
            shown.append(_value(value, self) if found is None else found[0])
        return self.tuple(*shown)

    def version(self, version: Version) -> Any:
        """What shows a version of a row."""
        if self.held is None:
            raise Opaque
        return self.pool.value(("version", self.held.place(version)))


def continuation(gen: Generator[Any, Any, Any]) -> tuple[Any, ...] | None:
    """As :meth:`Pool.of`, for one look."""
    return Pool().of(gen)


def _frames(gen: Any, look: _Look, at: Place | None = None) -> tuple[Any, ...]:
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
        shown.append(_value(value, look, None if at is None else at.at(name)) if found is None else found[0])
    for number, value in enumerate(referents[stack:]):
        found = known.get(id(value))
        shown.append(_value(value, look, None if at is None else at.at(number)) if found is None else found[0])
    return look.tuple(*shown)


_Place = tuple[int, tuple[str, ...]]
"""Where a frame stands in its code, and the names of the locals that may still be read."""


def _inside(at: Place | None, name: Any) -> Place | None:
    return None if at is None else at.at(name)


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


def _value(value: Any, look: _Look, at: Place | None = None) -> Any:
    """A hashable stand-in for a value, of the pool: equal for values that nobody can tell apart from now on. ``at``: where it is held, where
    it matters which columns of rows there will be looked at."""
    known = look.pool.at.get(id(value))
    if known is not None:
        return known[0]
    kind = type(value)
    ways = look.pool.ways
    show = ways.get(kind)
    if show is None:
        show = ways[kind] = _way_to_show(kind)
    return show(value, look, at)


def _way_to_show(kind: type[Any]) -> _Show:
    """How values of a class are shown, which goes by the class alone."""
    if kind in PLAIN:
        return _itself
    if kind is Version:
        return lambda value, look, at: look.version(value)
    if not (title(kind) or issubclass(kind, HeldRow)):
        return _opaque
    for base, show in _WAYS:
        if issubclass(kind, base):
            more = (
                issubclass(kind, tuple | frozenset) and base is not HeldRow and beside(kind)
            )  # of a watched row that is its number
            return _with_attributes(show) if more else show
    compared: Any = kind
    if by_value(compared):
        return _by_what_it_holds
    for simple, content in CONTENT.items():
        if issubclass(kind, simple):
            return _with_attributes(partial(_content, content))
    return _way_to_show_a_thing(kind)


def _content(content: Callable[[Any], Any], value: Any, look: _Look, _at: Place | None) -> Any:
    return look.pool.value(content(value), False)


def _with_attributes(show: _Show) -> _Show:
    """How values are shown that have attributes beside what ``show`` shows."""

    def both(value: Any, look: _Look, at: Place | None) -> Any:
        names, contents = attributes(value)
        held = [_value(content, look, _inside(at, name)) for name, content in zip(names, contents, strict=True)]
        return look.tuple(type(value), show(value, look, at), look.pool.names.setdefault(names, names), *held)

    return both


def _way_to_show_a_thing(kind: type[Any]) -> _Show:
    """How values of a class are shown that are what they are, and not what they hold: what is written through one name is read through the
    other, so each is shown once."""
    show: _Show | None = _THINGS.get(kind) or next((way for base, way in _THINGS.items() if issubclass(kind, base)), None)
    if show is None:
        show = _opaque if kind.__module__ == "builtins" else _attributes
    found = _with_attributes(show) if issubclass(kind, list | dict | set) and beside(kind) else show

    def once(value: Any, look: _Look, at: Place | None) -> Any:
        number = look.seen.get(id(value))
        if number is not None:
            return look.tuple("again", look.pool.value(number))
        look.seen[id(value)] = len(look.seen)
        return found(value, look, at)

    return once


def _itself(value: Any, look: _Look, _at: Place | None) -> Any:
    return look.pool.value(value)


def _constant(value: Any, _look: _Look, _at: Place | None) -> Any:
    return value


def _opaque(_value: Any, _look: _Look, _at: Place | None) -> Any:
    raise Opaque


def _row(value: Any, look: _Look, at: Place | None) -> Any:
    return look.row(value, at)


def _tuple(value: Any, look: _Look, at: Place | None) -> Any:
    if look.held is not None and (holed := look.pool.holed(value)) is not None:
        return look.tuple(holed[0], *[look.version(version) for version in holed[1]])
    return look.pool.value(value) if stands_for_itself(value) else look.tuple(type(value), *_items(value, look, at))


def _frozenset(value: Any, look: _Look, _at: Place | None) -> Any:
    return look.pool.value(value) if stands_for_itself(value) else look.tuple(type(value), _set(value, look))


def _builtin(value: Any, look: _Look, _at: Place | None) -> Any:
    owner = value.__self__
    return value if owner is None or isinstance(owner, ModuleType) else look.tuple(value.__name__, _value(owner, look))


def _by_what_it_holds(value: Any, look: _Look, at: Place | None) -> Any:
    if (look.rows is None or not holds_row(value)) and hashable(value):
        return look.pool.value(value)
    return _attributes(value, look, at)


def _listed(value: Any, look: _Look, at: Place | None) -> Any:
    return look.tuple(type(value), *_items(value, look, at))


def _mapping(value: Any, look: _Look, at: Place | None) -> Any:
    inside = _inside(at, "*")
    return look.tuple(
        type(value), *[part for key, item in value.items() for part in (_value(key, look), _value(item, look, inside))]
    )


def _whole_set(value: Any, look: _Look, _at: Place | None) -> Any:
    return look.tuple(type(value), _set(value, look))


def _generator(value: Any, look: _Look, at: Place | None) -> Any:
    return look.tuple(GeneratorType, _frames(value, look, at))


def _iterator(value: Any, look: _Look, at: Place | None) -> Any:
    parts = value.__reduce__()
    if not isinstance(parts, tuple):
        raise Opaque
    items = [(place, part) for place, part in enumerate(parts) if part is not None]
    shown = [part if part in (iter, reversed) else _value(part, look, _inside(at, place)) for place, part in items]
    return look.tuple(type(value), look.tuple(*shown))


def _cell(value: Any, look: _Look, at: Place | None) -> Any:
    return look.tuple(CellType, _value(value.cell_contents, look, _inside(at, "cell")) if filled(value) else None)


def _method(value: Any, look: _Look, _at: Place | None) -> Any:
    return look.tuple(MethodType, _value(value.__func__, look), _value(value.__self__, look))


def _function(value: Any, look: _Look, _at: Place | None) -> Any:
    inside = look.tuple(*[_value(cell, look) for cell in value.__closure__ or ()])
    rest = value.__defaults__, value.__kwdefaults__, vars(value) or None
    return look.tuple(FunctionType, value.__code__, inside, *[_value(part, look) for part in rest])


def _partial(value: Any, look: _Look, _at: Place | None) -> Any:
    return look.tuple(partial, *[_value(part, look) for part in (value.func, value.args, value.keywords, vars(value))])


def _exception(value: Any, look: _Look, _at: Place | None) -> Any:
    cause = (value.__cause__, value.__context__, value.__suppress_context__)
    kept = [getattr(value, name, None) for name in _kept(type(value))]
    return look.tuple(type(value), *[_value(part, look) for part in (value.args, vars(value), *cause, *kept)])


@by_class
def _kept(kind: Any) -> tuple[str, ...]:
    """What exceptions of a class keep in C, or in slots, beside their arguments."""
    return tuple([name for cls in kind.__mro__ for name, part in vars(cls).items() if isinstance(part, MemberDescriptorType)])


def _attributes(value: Any, look: _Look, at: Place | None) -> Any:
    names, contents = fields(value)
    known, held = look.pool.at, []
    for name, content in zip(names, contents, strict=True):
        found = known.get(id(content))
        held.append(_value(content, look, None if at is None else at.at(name)) if found is None else found[0])
    return look.tuple(type(value), look.pool.names.setdefault(names, names), *held)


_Show = Callable[[Any, _Look, Place | None], Any]
_WAYS: tuple[tuple[type[Any], _Show], ...] = (
    (HeldRow, _row), (tuple, _tuple), (frozenset, _frozenset), (ModuleType, _constant), (CodeType, _constant),
    (type, lambda value, look, at: value if title(value) else _opaque(value, look, at)),
    (Enum, _constant), (BuiltinFunctionType, _builtin),
)  # fmt: skip
"""How values are shown that are not known by the very class; the first that fits counts."""

_THINGS: dict[type[Any], _Show] = {
    list: _listed, dict: _mapping, set: _whole_set, GeneratorType: _generator, CellType: _cell, MethodType: _method, FunctionType: _function,
    partial: _partial, BaseException: _exception, **dict.fromkeys(ITERATORS, _iterator),
}  # fmt: skip


def _items(value: Any, look: _Look, at: Place | None) -> list[Any]:
    return [_value(item, look, _inside(at, place)) for place, item in enumerate(value)]


def _set(items: Iterable[Any], look: _Look) -> Any:
    before = look.held.count if look.held is not None else 0
    shown = look.pool.value(frozenset([_value(item, look) for item in items]))
    if look.held is not None and look.held.count > before:
        look.held.mixed = True
    return shown


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
        first = (_frames(one, _Look(pool)), _frames(two, _Look(pool)))
        three.send(None)
        one.send("x"), two.send("y")  # what was sent is not looked at again
        later = [_frames(gen, _Look(pool)) for gen in (one, two, three)]
        return first[0] is first[1] and later[0] is later[1] is later[2] is not first[0]
    except (Opaque, AttributeError):
        return False
