"""What an effect holds, as it was when a handler yielded it, and the bodies of transactions among it.

A node of the trie is done in many worlds, and the handler that yielded its effect may long have gone on. So a node keeps an effect of its own: its
lists, dicts and sets are copied, and a body that closes over variables of the handler closes over copies of these.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator
from functools import cache, partial
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any

from heatproof.model.contents import filled
from heatproof.model.effects import Transaction

CONTAINERS = (dict, list, set)


def settled(effect: Any) -> Any:
    """An effect that nothing changes any more that a handler does."""
    if type(effect) is not Transaction:
        return effect._make(map(_copy, effect)) if any(type(value) in CONTAINERS for value in effect) else effect
    if _closes(effect.body) or any(type(value) in CONTAINERS for value in effect.args):
        return effect._replace(body=_body(effect.body, {}), args=tuple(map(_copy, effect.args)))
    return effect


def _copy(value: Any) -> Any:
    return value.copy() if type(value) in CONTAINERS else value


def _closes(body: Any) -> bool:
    return (type(body) is FunctionType and body.__closure__ is not None) or isinstance(body, partial)


def _body(value: Any, made: dict[int, Any]) -> Any:
    """A function that closes over copies, and the same of the functions that it closes over. ``made``: the copies, by identity."""
    if id(value) in made:
        return made[id(value)]
    if isinstance(value, partial):
        words = {name: _copy(word) for name, word in value.keywords.items()}
        return partial(_body(value.func, made), *[_copy(word) for word in value.args], **words)
    if not _closes(value):
        return _copy(value)
    cells = [(cell, made.get(id(cell))) for cell in value.__closure__]
    own = [CellType() if copy is None else copy for _, copy in cells]
    made.update((id(cell), copy) for (cell, _), copy in zip(cells, own, strict=True))
    copied = FunctionType(value.__code__, value.__globals__, value.__name__, value.__defaults__, tuple(own))
    copied.__kwdefaults__, copied.__qualname__, copied.__module__ = value.__kwdefaults__, value.__qualname__, value.__module__
    copied.__dict__.update(value.__dict__)
    made[id(value)] = copied
    for (cell, before), copy in zip(cells, own, strict=True):
        if before is None and filled(cell):
            copy.cell_contents = _body(cell.cell_contents, made)
    return copied


# --------------------------------------------------------------------------------------------------- what a body may not do


def assigned(body: Any) -> str:
    """The variable of somebody else that a body assigns, or a function that it closes over; empty if there is none."""
    return next((name for function in _functions(body, set()) for name in _assigned(function.__code__)), "")


def held(effect: Transaction) -> list[tuple[str, Any, Any]]:
    """What a transaction holds that its body must not change: what it is called, it, and a copy."""
    found = [(f"its argument {value!r:.80}", value, value.copy()) for value in effect.args if type(value) in CONTAINERS]
    if _closes(effect.body):
        for function in _functions(effect.body, set()):
            for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
                if filled(cell) and type(value := cell.cell_contents) in CONTAINERS:
                    found.append((f"the variable {name}", value, value.copy()))
    return found


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
    for cell in body.__closure__:
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


def alike(one: Any, other: Any, met: frozenset[tuple[int, int]] = frozenset()) -> bool:
    """Whether two values are equal, functions that are made anew in each run by their code and what they hold."""
    if one is other or (id(one), id(other)) in met:
        return True
    if type(one) is not type(other):
        return False
    met |= {(id(one), id(other))}
    kind: Any = type(one)
    names: tuple[str, ...]
    if kind is CellType:
        return filled(one) == filled(other) and (not filled(one) or alike(one.cell_contents, other.cell_contents, met))
    if kind is FunctionType:
        names = ("__code__", "__closure__", "__defaults__", "__kwdefaults__")
    elif kind is MethodType:
        names = ("__func__", "__self__")
    elif isinstance(one, partial):
        names = ("func", "args", "keywords")
    elif kind in (tuple, list, Transaction):
        return len(one) == len(other) and all(alike(a, b, met) for a, b in zip(one, other, strict=True))
    elif kind is dict:
        return one.keys() == other.keys() and all(alike(value, other[key], met) for key, value in one.items())
    elif kind.__eq__ is object.__eq__ and hasattr(one, "__dict__"):
        return alike(vars(one), vars(other), met)
    else:
        return bool(one == other)
    return all(alike(getattr(one, name), getattr(other, name), met) for name in names)


__all__ = ["alike", "assigned", "held", "place_of", "settled"]
