"""What an effect holds, as it was when a handler yielded it, and the bodies of transactions among it.

A node of the trie is done in many worlds, and the handler that yielded its effect may long have gone on. So a node keeps an effect of its own: its
lists, dicts and sets are copied, and of a transaction whatever its arguments and its body hold that may change (copying.py): the variables that
it closes over, the object whose method it is.
"""

from __future__ import annotations

import dis
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache, partial
from itertools import repeat
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any

from heatproof.model.columns import SIMPLE
from heatproof.model.contents import Opaque, filled
from heatproof.model.copying import Copies, lasting, shared, still
from heatproof.model.effects import Transaction
from heatproof.model.errors import DesignError
from heatproof.model.parts import CONSTANT, parts

CONTAINERS = frozenset((dict, list, set))

Held = list[tuple[Callable[[Any], str], Any, Any]]
"""What a transaction holds that its body must not change: what it is called, it, and a copy."""


def settled(effect: Any) -> Any:
    """An effect that nothing changes any more that a handler does."""
    if type(effect) is not Transaction:
        return effect if CONTAINERS.isdisjoint(map(type, effect)) else effect._make(map(_copy, effect))
    if still(effect.body) and still(effect.args):
        return effect
    copies = Copies()
    body, args = copies.of(effect.body), copies.of(effect.args)
    return effect if body is effect.body and args is effect.args else effect._replace(body=body, args=args)


def _copy(value: Any) -> Any:
    return value.copy() if type(value) in CONTAINERS else value


def _closes(body: Any) -> bool:
    return (type(body) is FunctionType and not still(body)) or isinstance(body, partial)


# --------------------------------------------------------------------------------------------------- what a body may not do


def assigned(body: Any) -> str:
    """The variable of somebody else that a body assigns, or a function that it closes over; empty if there is none."""
    return next((name for function in _functions(body, set()) for name in _assigned(function.__code__)), "")


def moving(effect: Transaction) -> Any:
    """An iterator that a transaction holds and that cannot be copied; None if there is none."""
    waiting: list[Any] = [value for value in (effect.body, effect.args) if not still(value)]
    met: dict[int, Any] = {}
    while waiting:
        value = waiting.pop()
        if id(value) in met:
            continue
        met[id(value)] = value
        if not (still(value) or shared(type(value))):
            with suppress(Opaque):
                waiting += parts(value)
        elif isinstance(value, Iterator):
            return value
    return None


class unchanged:  # a word before a block
    """Raises :class:`DesignError` if a transaction changes what its handler handed over while it is run."""

    __slots__ = ("effect", "held")

    def __init__(self, effect: Transaction, held: Held | None = None):
        """``held``: what :func:`held_by` has said of it."""
        self.effect, self.held = effect, held_by(effect) if held is None else held

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, _error: object, _trace: object) -> None:
        for what, value, before in self.held:
            if kind is None and not alike(value, before):
                raise DesignError(
                    f"{place_of(self.effect.body)}: the transaction of step {self.effect.step} changed {what(before)}; its handler would not"
                    " see that when it is run again, so let the transaction return what it finds: 'found = yield Transaction(...)'"
                )


def held_by(effect: Transaction) -> Held:
    """What a transaction holds that its body must not change, as it is now."""
    if still(effect.body) and still(effect.args):
        return []
    copies, found = Copies(), Held()

    def watch(what: Callable[[Any], str], value: Any) -> None:
        if not still(value) and (copy := copies.of(value)) is not value:
            found.append((what, value, copy))

    for value in effect.args:
        watch(lambda before: f"its argument {before!r:.80}", value)
    body = effect.body
    while isinstance(body, partial):
        for value in (*body.args, *body.keywords.values()):
            watch(lambda before: f"its argument {before!r:.80}", value)
        body = body.func
    if type(body) is MethodType:
        watch(lambda before: f"the {type(before).__name__} whose method it is", body.__self__)
        body = body.__func__
    for function in _functions(body, set()):
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if filled(cell):
                watch(partial(_variable, name), cell.cell_contents)
        for value in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            watch(lambda before: f"its default {before!r:.80}", value)
    return found


def _variable(name: str, _before: Any) -> str:
    return f"the variable {name}"


def place_of(body: Any) -> str:
    """Where a body is defined."""
    while isinstance(body, partial):
        body = body.func
    code = getattr(getattr(body, "__func__", body), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else repr(body)


def _functions(body: Any, met: set[int]) -> Iterator[FunctionType]:
    """A body and the functions that it closes over, as far as they close over anything."""
    while isinstance(body, partial):
        body = body.func
    if not _closes(body) or id(body) in met:
        return
    met.add(id(body))
    yield body
    for cell in body.__closure__ or ():
        if filled(cell):
            yield from _functions(cell.cell_contents, met)


@cache
def _assigned(code: CodeType) -> tuple[str, ...]:
    """The free variables of a function that it assigns, or a function in it."""
    found: list[str] = []
    waiting = [code]
    while waiting:
        inner = waiting.pop()
        waiting += [constant for constant in inner.co_consts if isinstance(constant, CodeType)]
        if free := {*inner.co_freevars} & {*code.co_freevars}:
            stored = [one.argval for one in dis.get_instructions(inner) if one.opname in ("STORE_DEREF", "DELETE_DEREF")]
            found += [name for name in stored if name in free]
    return tuple(found)


# ------------------------------------------------------------------------------------------------------------- comparing


def differing(one: Transaction, other: Transaction) -> str:
    """What two transactions of one step do not hold alike, in words."""
    if not alike(one.args, other.args):
        return f"other arguments ({one.args!r:.200} instead of {other.args!r:.200})"
    held = [[(what(value), value) for what, value, _ in held_by(effect)] for effect in (one, other)]
    for (what, mine), (_, theirs) in zip(*held, strict=False):
        if not alike(mine, theirs):
            return f"another value of {what} ({mine!r:.200} instead of {theirs!r:.200})"
    return f"another body ({place_of(one.body)} instead of {place_of(other.body)})"


def alike(one: Any, other: Any, met: frozenset[tuple[int, int]] = frozenset()) -> bool:
    """Whether two values are equal, functions that are made anew in each run by their code and what they hold."""
    if one is other or (id(one), id(other)) in met:
        return True
    if type(one) is not type(other):
        return False
    met |= {(id(one), id(other))}
    kind: Any = type(one)
    if kind in SIMPLE:
        return bool(one == other)
    names: tuple[str, ...]
    if kind is CellType:
        return filled(one) == filled(other) and (not filled(one) or alike(one.cell_contents, other.cell_contents, met))
    if kind is FunctionType:
        names = ("__code__", "__closure__", "__defaults__", "__kwdefaults__")
    elif kind is MethodType:
        names = ("__func__", "__self__")
    elif isinstance(one, partial):
        names = ("func", "args", "keywords")
    elif shared(kind):
        if kind.__eq__ is not object.__eq__ or issubclass(kind, CONSTANT):
            return bool(one == other)
        if issubclass(kind, BaseException) and not alike(one.args, other.args, met):
            return False
        return not hasattr(one, "__dict__") or alike(vars(one), vars(other), met)
    elif issubclass(kind, tuple | list | deque):
        return len(one) == len(other) and all(alike(a, b, met) for a, b in zip(_items(one), _items(other), strict=True))
    elif issubclass(kind, dict):
        if one.keys() == other.keys() and SIMPLE.issuperset(map(type, one)):
            theirs = [other[key] for key in one]
            if SIMPLE.issuperset(map(type, one.values())):
                return bool(one == other) and [*map(type, one.values())] == [*map(type, theirs)]
            return all(map(alike, one.values(), theirs, repeat(met)))
        pairs, others = list(dict.items(one)), list(dict.items(other))
        return len(pairs) == len(others) and (
            all(alike(a, b, met) for a, b in zip(pairs, others, strict=True))
            or (one.keys() == other.keys() and all(alike(value, other[key], met) for key, value in pairs))
        )
    elif issubclass(kind, set | frozenset):
        return bool(one == other) or (len(one) == len(other) and all(any(alike(a, b, met) for b in other) for a in one))
    else:
        try:
            own, its = lasting(one), lasting(other)
        except Opaque:
            return bool(one == other)
        return own.keys() == its.keys() and all(alike(value, its[name], met) for name, value in own.items())
    return all(alike(getattr(one, name), getattr(other, name), met) for name in names)


def _items(value: Any) -> Iterator[Any]:
    return tuple.__iter__(value) if isinstance(value, tuple) else iter(value)


__all__ = ["alike", "assigned", "moving", "place_of", "settled", "unchanged"]
