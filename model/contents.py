"""What is in a value, for who must tell values apart by what they hold (model/continuations.py)."""

from __future__ import annotations

import sys
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields as parts_of
from dataclasses import is_dataclass
from enum import Enum
from functools import cache
from hashlib import blake2b
from struct import calcsize
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    MemberDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
)
from typing import Any, TypeVar
from weakref import ReferenceType, WeakKeyDictionary

from heatproof.model.columns import HeldRow
from heatproof.model.versions import Version

PLAIN = (str, int, float, complex, bytes, bool, type(None), type(Ellipsis), range)

INEXACT = frozenset({float, complex})
"""Classes of values that may be equal and yet be told apart by what they are written as: 0.0 and -0.0."""

SURE = frozenset({str, int, bool, bytes, type(None)})
"""Classes whose values, if they are equal, cannot be told apart."""

TUPLES: set[type[Any]] = {tuple}
"""Classes that were found to be tuples and nothing else, whatever they are asked. Only such as a module has: others are of one world."""

MOST = 10_000

DEEP: dict[tuple[type[Any], ...], tuple[int, ...]] = {}
"""The places of a tuple whose values have to be looked into, by the classes of all its values. No more than :data:`MOST`."""

VALUES = (object, str, int, float, complex, bytes, tuple, frozenset, list, dict, set)
"""Classes of which it is known what they keep in C."""

NEVER_VALUES = (BaseException, FunctionType, MethodType, BuiltinFunctionType, MethodWrapperType, ReferenceType)
"""Classes whose objects hold something that may change, though they are compared by it."""

CONTENT: dict[type[Any], Callable[[Any], Any]] = {
    str: str.__str__, int: int.__int__, float: float.__float__, complex: complex.__complex__, bytes: bytes.__bytes__,
}  # fmt: skip
"""What values of classes derived from these hold beside their attributes."""

LIBRARY = sys.stdlib_module_names - {"__main__"}
"""Modules of Python itself."""

TOLD = LIBRARY | {"heatproof"}
"""Packages whose values say all of themselves in their text."""

POINTER = calcsize("P")
"""Bytes that an attribute takes in an object."""


COMPARED: set[tuple[int, int]] = set()
"""The values that are being compared, by identity."""

TWIN = "another that is equal"
"""Stands in the key of what is equal to another key, and not the same."""

Answer = TypeVar("Answer")


def by_class(ask: Callable[[Any], Answer]) -> Callable[[Any], Answer]:
    """What goes by a class alone, found out once. Some classes are of one world, so no class is kept for it that no module has."""
    lasting: dict[Any, Answer] = {}
    passing: WeakKeyDictionary[Any, Answer] = WeakKeyDictionary()

    def asked(kind: Any) -> Answer:
        found = lasting.get(kind)
        if found is None and (found := passing.get(kind)) is None:
            found = ask(kind)
            known: Any = lasting if in_module(kind) else passing
            known[kind] = found
        return found

    return asked


class Opaque(Exception):
    """A value that cannot be looked into."""


def stands_for_itself(value: Any) -> bool:
    """Whether a value holds nothing, however deep, but what is compared by value and never changes."""
    kind = class_of(value)
    if kind in PLAIN:
        return True
    if kind is Version or issubclass(kind, HeldRow):
        return False
    if issubclass(kind, tuple | frozenset):
        items = tuple.__iter__(value) if issubclass(kind, tuple) else frozenset.__iter__(value)
        return compared_as_usual(kind) and all(map(stands_for_itself, items))
    if not by_value(kind) or not hashable(value):
        return False
    return not is_dataclass(kind) or all(stands_for_itself(getattr(value, part.name)) for part in parts_of(kind))


def hashable(value: Any) -> bool:
    """Whether a value can be hashed: what holds something that may change, such as a list, cannot."""
    try:
        hash(value)
    except TypeError:
        return False
    return True


HEAP = 1 << 9
"""The flag of a class that was made by a program (Py_TPFLAGS_HEAPTYPE)."""


def in_module(kind: Any) -> bool:
    """Whether the module of a class has it under its name."""
    return getattr(sys.modules.get(kind.__module__), kind.__qualname__, None) is kind


@by_class
def title(kind: Any) -> str:
    """What a class is called, with its module, and no other class; empty if that is not sure: a function may make one of the same name each time."""
    if kind.__module__ == "builtins" or kind.__module__.startswith("heatproof.") or not kind.__flags__ & HEAP:
        return str(kind.__qualname__)  # heatproof makes some classes anew for each world, and knows how to tell what is of them
    found: Any = sys.modules.get(kind.__module__)
    names = vars(found).items() if isinstance(found, ModuleType) else ()
    for part in kind.__qualname__.split("."):
        found = getattr(found, part, None)
    name = kind.__qualname__ if found is kind else next((name for name, value in names if value is kind), "")
    return f"{kind.__module__}.{name}" if name else ""


@cache
def code_text(code: CodeType) -> str:
    """A text for code that is the same in every process, and another for any other: two lambdas may stand on one line."""
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    whole = repr((code.co_code, names, _constant_text(code.co_consts), *code.co_positions()))
    mark = blake2b(whole.encode(), digest_size=8).hexdigest()
    return f"code {code.co_filename.rpartition('/')[2]}:{code.co_firstlineno} {code.co_qualname} {mark}"


def _constant_text(value: Any) -> str:
    if isinstance(value, CodeType):
        return code_text(value)
    if isinstance(value, tuple | frozenset):
        parts = list(map(_constant_text, value))
        return f"{type(value).__name__}{parts if isinstance(value, tuple) else sorted(parts)}"
    return f"{type(value).__name__} {value!r}"


def class_of(value: Any) -> Any:
    return type(value)


@by_class
def by_value(kind: Any) -> bool:
    """Whether values of a class are compared by all that they hold, so that they must not change."""
    if kind.__hash__ in (None, object.__hash__) or issubclass(kind, NEVER_VALUES):
        return False
    if issubclass(kind, tuple | frozenset):
        return compared_as_usual(kind)
    if kind.__module__.startswith("heatproof."):
        return True
    if isinstance(kind.__eq__, FunctionType):  # nobody knows what it compares, unless it was made of the fields
        made = kind.__eq__.__code__.co_filename.startswith("<") and isinstance(kind.__dict__.get("__eq__"), FunctionType)
        return made and is_dataclass(kind) and all(part.compare for part in parts_of(kind))
    return not _has_attributes(kind)


@by_class
def compared_as_usual(kind: Any) -> bool:
    """Whether a class of tuples or frozensets is compared by its items alone, and has nothing else."""
    base: Any = tuple if issubclass(kind, tuple) else frozenset
    trusted = kind.__module__.startswith("heatproof.")
    return trusted or (kind.__eq__ is base.__eq__ and kind.__hash__ is base.__hash__ and not _has_attributes(kind))


def _has_attributes(kind: Any) -> bool:
    return kind.__dictoffset__ != 0 or bool(_slots(kind))


def same(one: Any, other: Any) -> bool:
    """Whether two values that are equal are so to the last: 1 is no ``True``, 0.0 no -0.0, and what is not compared is equal as well."""
    if one is other:
        return True
    kind = type(one)
    if kind is not type(other):
        return False
    if kind in SURE:
        return True
    if kind in TUPLES:  # asked at every step, and most rows have hardly anything but simple values
        kinds = tuple(map(type, one))
        if kinds != tuple(map(type, other)):
            return False
        places = DEEP.get(kinds)
        for place in _deep(kinds) if places is None else places:
            if one[place] is not other[place] and not same(one[place], other[place]):
                return False
        return True
    if issubclass(kind, tuple) and compared_as_usual(kind):
        if in_module(kind) and kind.__iter__ is tuple.__iter__ and kind.__getitem__ is tuple.__getitem__:
            TUPLES.add(kind)
        return same(tuple(tuple.__iter__(one)), tuple(tuple.__iter__(other)))
    if issubclass(kind, frozenset) and compared_as_usual(kind):
        inside = set(map(type, one))
        if len(inside) < 2 and inside <= SURE and inside == set(map(type, other)):
            return True
        there = {item: item for item in other}
        return all(same(item, there[item]) for item in one)
    if issubclass(kind, tuple) or issubclass(kind, frozenset):  # nobody knows what it compares
        plain: Any = tuple if issubclass(kind, tuple) else frozenset
        return _exactly(plain(plain.__iter__(one)), plain(plain.__iter__(other))) and _same_parts(attributes, one, other)
    if issubclass(kind, BaseException):
        return _exactly(one.args, other.args) and _same_parts(fields, one, other)
    if issubclass(kind, Enum):
        return False
    if kind.__module__.startswith("heatproof."):
        return True  # and an open engine must not be asked what it is called
    if isinstance(getattr(kind, "canonical", None), FunctionType):
        return _exactly(one.canonical(), other.canonical())
    written: Any = kind.__repr__
    shows = not is_dataclass(kind) and written is not object.__repr__
    return (tells_all(kind) or _same_parts(fields, one, other)) and (not shows or repr(one) == repr(other))


def _deep(kinds: tuple[type[Any], ...]) -> tuple[int, ...]:
    """The places of a tuple whose values have to be looked into."""
    places = tuple([place for place, kind in enumerate(kinds) if kind not in SURE])
    if len(DEEP) < MOST and all(map(in_module, {*kinds} - SURE)):  # else a class would be kept that is of one world
        DEEP[kinds] = places
    return places


def exact(table: Mapping[Any, Any], key: Any, met: Callable[[Any], Any]) -> Any:
    """The key under which a dictionary has, or is to get, what belongs to ``key`` and not to one that is equal and not the same. ``met`` answers
    for an entry which key it was made for."""
    number, place = 0, key
    while place in table and not same(met(table[place]), key):
        place, number = (TWIN, number, key), number + 1
    return place


@by_class
def tells_all(kind: Any) -> bool:
    """Whether the text of a value says all that it holds. Those of the library may keep among their attributes what they have worked out."""
    return kind.__module__.partition(".")[0] in TOLD


def _exactly(one: Any, other: Any) -> bool:
    """Whether two values are equal to the last; lists, dictionaries and sets by what they hold."""
    if one is other:
        return True
    kind = type(one)
    if kind is not type(other) or one != other:
        return False
    if kind is list:
        return all(map(_exactly, one, other))
    if kind is dict:
        return all(map(_exactly, (*one, *one.values()), (*other, *other.values())))
    return same(frozenset(one), frozenset(other)) if kind is set else same(one, other)


def _same_parts(parts: Callable[[Any], tuple[tuple[str, ...], list[Any]]], one: Any, other: Any) -> bool:
    """Whether two values hold the same in their attributes, as far as one can look into them."""
    pair = id(one), id(other)
    if pair in COMPARED:
        return True  # they hold themselves
    try:
        (names, contents), (others, theirs) = parts(one), parts(other)
        COMPARED.add(pair)
        return names == others and all(map(_exactly, contents, theirs))
    except Opaque:
        return True
    finally:
        COMPARED.discard(pair)


def filled(cell: CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018  # asking is the test
    except ValueError:
        return False
    return True


def attributes(value: Any) -> tuple[tuple[str, ...], list[Any]]:
    """The names and the contents of the attributes that a value of a class derived from one in :data:`VALUES` has beside what these hold."""
    kind: Any = type(value)
    if _hides(kind) and not issubclass(kind, OrderedDict | defaultdict):
        raise Opaque
    inside = vars(value) if hasattr(value, "__dict__") else {}
    made = [("default_factory", value.default_factory)] if issubclass(kind, defaultdict) else []
    parts = [*inside.items(), *_filled_slots(value), *made]
    return tuple([name for name, _ in parts]), [content for _, content in parts]


@by_class
def beside(kind: Any) -> bool:
    """Whether values of a class that is derived from one in :data:`VALUES` may hold more than values of that. What a watched row has beside its
    columns is its number, which tells nobody anything."""
    if issubclass(kind, HeldRow):
        return False
    return issubclass(kind, defaultdict) or (kind not in (*VALUES, OrderedDict) and (_hides(kind) or _has_attributes(kind)))


def fields(value: Any) -> tuple[tuple[str, ...], list[Any]]:
    """The names and the contents of the attributes of an object; of an exception also what it was raised from."""
    kind: Any = type(value)
    if _hides(kind):
        raise Opaque
    slots = _filled_slots(value)
    if issubclass(kind, BaseException) and value.__cause__ is not None:
        slots.append(("__cause__", value.__cause__))
    names, contents = tuple([name for name, _ in slots]), [content for _, content in slots]
    if hasattr(value, "__dict__"):
        inside = vars(value)
        return (*inside, *names), [*inside.values(), *contents]
    inherited: Any = type(value).__reduce_ex__
    if not slots and inherited is object.__reduce_ex__:
        raise Opaque  # it may hide something in C
    return names, contents


@by_class
def _hides(kind: Any) -> bool:
    """Whether objects of a class keep something in C beside their attributes and what they are compared by: they are larger than these take."""
    if issubclass(kind, type | BaseException):
        return False
    attributes = len(_slots(kind)) + (kind.__dictoffset__ != 0) + (kind.__weakrefoffset__ != 0)
    known = max(base.__basicsize__ for base in VALUES if issubclass(kind, base))
    return bool(kind.__basicsize__ > known + POINTER * attributes)


@by_class
def _slots(kind: Any) -> tuple[MemberDescriptorType, ...]:
    """The slots of a class and of those it derives from, of which several may be called alike; a private one is not called as it is written."""
    found: list[MemberDescriptorType] = []
    for cls in kind.__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            private = name.startswith("__") and not name.endswith("__") and cls.__name__.strip("_")
            slot = cls.__dict__.get(f"_{cls.__name__.lstrip('_')}{name}" if private else name)
            if isinstance(slot, MemberDescriptorType):
                found.append(slot)
    return tuple(found)


def _filled_slots(value: Any) -> list[tuple[str, Any]]:
    """The slots of an object that hold something, by name, with what they hold."""
    found = []
    for slot in _slots(class_of(value)):
        with suppress(AttributeError):
            found.append((slot.__name__, slot.__get__(value)))
    return found
