"""What a value holds, one step further: for who goes through all that may be reached from it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from functools import partial
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from heatproof.model.columns import HeldRow
from heatproof.model.contents import PLAIN, Opaque, attributes, beside, by_value, class_of, fields, filled

CONSTANT = (type, ModuleType, CodeType, Enum)
"""Classes of values that are the same wherever they are held, and are not gone into."""


def parts(value: Any) -> list[Any]:
    """What a value holds, one step further. Raises :class:`Opaque` for what cannot be looked into."""
    kind: Any = class_of(value)
    if kind in PLAIN or isinstance(value, CONSTANT):
        return []
    if issubclass(kind, tuple | frozenset | list | set | dict):
        found = _items(value)
        return [*found, *attributes(value)[1]] if beside(kind) else found
    if kind is CellType:
        return [value.cell_contents] if filled(value) else []
    if kind is FunctionType:
        return [*(value.__closure__ or ()), *(value.__defaults__ or ()), value.__kwdefaults__, vars(value)]
    if kind is MethodType:
        return [value.__func__, value.__self__]
    if kind is BuiltinFunctionType:
        return [value.__self__]
    if issubclass(kind, partial):
        return [value.func, value.args, value.keywords, vars(value)]
    if issubclass(kind, BaseException):
        return [value.args, value.__cause__, value.__context__, *fields(value)[1]]
    try:
        return fields(value)[1]
    except Opaque:
        if by_value(kind):  # such as a date
            return []
        raise


def _items(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*dict.keys(value), *dict.values(value)]
    return [*tuple.__iter__(value)] if isinstance(value, tuple) else [*value]


def held_rows(value: Any) -> Iterator[Any]:
    """The watched rows that may be reached from a value. Raises :class:`Opaque` if there may be others."""
    waiting, met = [value], dict[int, Any]()
    while waiting:
        value = waiting.pop()
        if id(value) not in met:
            met[id(value)] = value  # kept, so that identities last
            if isinstance(value, HeldRow):
                yield value
            waiting += parts(value)
