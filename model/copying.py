"""Copies of what a handler hands over, as deep as it can be changed.

What never changes is shared: values (also things that say with canonical() what they hold), modules, classes, exceptions, everything that is of
the framework or derived from it (a design, a table, a template), things of libraries, and what the module of its class holds under a name, which
purity.py looks after. So is what hides what it holds.
"""

from __future__ import annotations

import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator
from functools import cached_property, partial
from types import CellType, FunctionType, MethodType, SimpleNamespace
from typing import Any

from heatproof.model.columns import SIMPLE
from heatproof.model.contents import HEAP, LIBRARY, PLAIN, Opaque, attributes, beside, by_class, by_value, class_of, fields, filled
from heatproof.model.parts import CONSTANT

OWN = "heatproof.model.designs."
"""Where designs are that are like those of others."""

PARTS = (CellType, FunctionType, MethodType, SimpleNamespace)
"""Classes of the library whose values are copied, beside containers."""


MOST = 50_000

STILL: dict[int, Any] = {}
"""Tuples that hold nothing that can be changed, by identity; kept, so that identities last. No more than :data:`MOST`."""


@by_class
def shared(kind: Any) -> bool:
    """Whether values of a class are never copied, nor what they hold."""
    if issubclass(kind, (*PLAIN, *CONSTANT, BaseException)):
        return True
    if issubclass(kind, (tuple, frozenset, list, dict, set, deque, partial, *PARTS)):
        return False
    if isinstance(getattr(kind, "canonical", None), FunctionType):  # a value that may stand in a row
        return True
    modules = [f"{cls.__module__}." for cls in kind.__mro__ if cls is not object]
    if any(name.startswith("heatproof.") and not name.startswith(OWN) for name in modules):
        return True
    return kind.__module__.partition(".")[0] in LIBRARY and kind.__module__ != "collections"


def still(value: Any) -> bool:
    """Whether a value certainly holds nothing that can be changed, which is soon said of most."""
    kind: Any = type(value)
    if kind in SIMPLE:
        return True
    if issubclass(kind, (tuple, frozenset)):  # half the time of a union
        if id(value) in STILL:
            return True
        items: Any = tuple.__iter__ if issubclass(kind, tuple) else frozenset.__iter__
        if not (SIMPLE.issuperset(map(type, items(value))) or all(map(still, items(value)))) or (
            kind is not tuple and beside(kind)
        ):
            return False
        if len(STILL) > MOST:
            STILL.clear()
        STILL[id(value)] = value
        return True
    if kind is FunctionType:  # the defaults of one that is no function of another are of its module, which purity.py looks after
        local = "<locals>" in value.__qualname__
        more = (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()) if local else ()
        return value.__closure__ is None and all(map(still, more))
    return still(value.__self__) if kind is MethodType else shared(kind) and not issubclass(kind, Iterator)


class Copies:
    """The copies that were made together: one of each thing, however often it is met. A value that holds nothing that can be changed is its own."""

    def __init__(self) -> None:
        self.made: dict[int, tuple[Any, Any]] = {}  # by identity, with the value, so that identities last

    def of(self, value: Any) -> Any:
        """The copy of a value."""
        kind: Any = class_of(value)
        if kind in SIMPLE or shared(kind):
            return value
        known = self.made.get(id(value))
        if known is not None:
            return known[1]
        copy = self._of(value, kind)
        self.made[id(value)] = value, copy
        return copy

    def _make(self, value: Any, copy: Any) -> Any:
        """Note a copy that is still to be filled."""
        self.made[id(value)] = value, copy
        return copy

    def _of(self, value: Any, kind: Any) -> Any:
        if issubclass(kind, tuple | frozenset):
            return self._immutable(value, kind)
        if issubclass(kind, list | dict | set | deque):
            return self._container(value, kind)
        if kind is FunctionType:
            return self._function(value)
        if kind is MethodType:
            owner = self.of(value.__self__)
            return value if owner is value.__self__ else MethodType(self.of(value.__func__), owner)
        if kind is CellType:
            cell = self._make(value, CellType())
            if filled(value):
                cell.cell_contents = self.of(value.cell_contents)
            return cell
        if issubclass(kind, partial):
            words = {name: self.of(word) for name, word in value.keywords.items()}
            return kind(self.of(value.func), *map(self.of, value.args), **words)
        return self._thing(value, kind)

    def _immutable(self, value: Any, kind: Any) -> Any:
        if still(value):
            return value
        base: Any = tuple if issubclass(kind, tuple) else frozenset
        copies, same = [], True
        for item in base.__iter__(value):
            copy = self.of(item)
            copies.append(copy)
            same = same and copy is item
        if same and not beside(kind):
            return value
        known = self.made.get(id(value))  # it holds itself
        return self._with_attributes(value, base.__new__(kind, copies)) if known is None else known[1]

    def _container(self, value: Any, kind: Any) -> Any:
        if (
            kind in (dict, list, set)
            and SIMPLE.issuperset(map(type, value))
            and (kind is not dict or SIMPLE.issuperset(map(type, value.values())))
        ):
            return value.copy()
        copy = kind.__new__(kind)
        self._make(value, copy)
        if issubclass(kind, deque):
            deque.__init__(copy, map(self.of, value), value.maxlen)
            return copy if kind is deque else self._with_attributes(value, copy)
        if issubclass(kind, list):
            list.extend(copy, map(self.of, list.__iter__(value)))
        elif issubclass(kind, set):
            set.update(copy, map(self.of, set.__iter__(value)))
        else:
            put: Any = OrderedDict.__setitem__ if issubclass(kind, OrderedDict) else dict.__setitem__
            for key, item in dict.items(value) if put is dict.__setitem__ else OrderedDict.items(value):
                put(copy, self.of(key), self.of(item))
            if issubclass(kind, defaultdict):
                copy.default_factory = self.of(value.default_factory)
        return self._with_attributes(value, copy)

    def _with_attributes(self, value: Any, copy: Any) -> Any:
        if beside(class_of(value)):
            try:
                names, _ = attributes(value)
            except Opaque:
                return value
            self._fill(value, copy, names)
        return copy

    def _function(self, value: Any) -> Any:
        if still(value):
            return value
        closure = value.__closure__ or ()
        cells = tuple([self.made[id(cell)][1] if id(cell) in self.made else CellType() for cell in closure])
        copy = FunctionType(value.__code__, value.__globals__, value.__name__, None, cells or None)
        copy.__qualname__, copy.__module__ = value.__qualname__, value.__module__
        copy.__dict__.update(value.__dict__)
        self._make(value, copy)
        copy.__defaults__, words = self.of(value.__defaults__), value.__kwdefaults__
        copy.__kwdefaults__ = None if words is None else {name: self.of(word) for name, word in words.items()}
        fresh = [(old, new) for old, new in zip(closure, cells, strict=True) if id(old) not in self.made]
        for old, new in fresh:
            self._make(old, new)
        for old, new in fresh:
            if filled(old):
                new.cell_contents = self.of(old.cell_contents)
        return copy

    def _thing(self, value: Any, kind: Any) -> Any:
        try:
            names, contents = fields(value)
        except Opaque:
            return value
        if named(value):
            return value
        if by_value(kind) and all(self.of(content) is content for content in contents):
            return value
        solid = next(cls for cls in kind.__mro__ if not cls.__flags__ & HEAP)  # which says how things of it are made
        copy = self._make(value, solid.__new__(kind))
        self._fill(value, copy, names)
        return copy

    def _fill(self, value: Any, copy: Any, names: tuple[str, ...]) -> None:
        """Give a copy what the value has in its attributes."""
        inside = vars(value) if hasattr(value, "__dict__") else {}
        for name in names:
            if name in inside:
                vars(copy)[name] = self.of(inside[name])
            elif name != "default_factory":
                object.__setattr__(copy, name, self.of(getattr(value, name)))


def thrown_again(exception: BaseException) -> Any:
    """An exception like this one, with nothing of where it was raised: who catches it may change it. Nor does this one keep that any longer, since it
    would keep the world in which it was."""
    part: BaseException | None = exception
    while part is not None and (part.__traceback__ is not None or part.__context__ is not None):
        cause = part.__cause__
        part.__traceback__ = part.__context__ = None
        part = cause
    kind: Any = class_of(exception)
    solid = next(cls for cls in kind.__mro__ if not cls.__flags__ & HEAP)  # which says how things of it are made
    copy = solid.__new__(kind, *exception.args)
    copy.args = exception.args
    Copies()._fill(exception, copy, fields(exception)[0])
    copy.__suppress_context__ = exception.__suppress_context__
    return copy


def named(value: Any) -> bool:
    """Whether the module of its class holds a thing under a name."""
    module = sys.modules.get(class_of(value).__module__)
    return any(one is value for one in vars(module).values()) if module is not None else False


def lasting(value: Any) -> dict[str, Any]:
    """The attributes of a thing, without those that only keep what was worked out of the others. Raises :class:`Opaque`."""
    kind = class_of(value)
    found = zip(*fields(value), strict=True)
    return {name: content for name, content in found if not isinstance(getattr(kind, name, None), cached_property)}
