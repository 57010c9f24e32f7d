"""A text of a value that is the same for equal values in every process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields as parts_of
from dataclasses import is_dataclass
from enum import Enum
from types import FunctionType
from typing import Any

from heatproof.model.contents import CONTENT, Opaque, attributes, beside, fields, tells_all, title
from heatproof.model.engine_ids import EngineId
from heatproof.model.errors import DesignError

BUSY: set[int] = set()
"""The values whose text is being made, by identity."""


def canonical(value: Any) -> str:
    """A text that is the same for equal values in every process, whatever the seed of Python's hashes.

    Raises :class:`DesignError` for a value that shows nothing of what it holds.
    """
    kind = type(value)
    if value is None or kind in (str, int, bool, EngineId):
        return repr(value)
    name = title(kind) or kind.__qualname__
    if isinstance(value, Enum):  # whatever it says of itself
        return f"{name}.{value.name or canonical(value.value)}"
    if isinstance(value, frozenset | set):
        return "set{" + ",".join(sorted(map(canonical, value))) + "}"
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{canonical(k)}:{canonical(v)}" for k, v in value.items())) + "}"
    if isinstance(value, tuple | list):
        return f"{name}(" + ",".join(map(canonical, value)) + ")" + (_beside(value, attributes) if beside(kind) else "")
    if isinstance(
        getattr(kind, "canonical", None), FunctionType
    ):  # and not a method of the library of that name, such as Decimal's
        return f"{name}{canonical(value.canonical())}"
    if is_dataclass(value) and not isinstance(value, type):
        return f"{name}{canonical([getattr(value, f.name) for f in parts_of(value)])}"
    if isinstance(value, BaseException):
        return f"{name}{canonical(value.args)}{_beside(value, fields)}"
    for simple, content in CONTENT.items():
        if isinstance(value, simple) and kind is not simple:
            return f"{name} {canonical(content(value))}{_beside(value, attributes)}"
    if getattr(kind, "__repr__", None) is object.__repr__:
        raise DesignError(
            f"a value of class {kind.__qualname__} stands in a row, a message or a result, and nothing shows what it holds;"
            " make it a NamedTuple or a frozen dataclass, or give it a method canonical() that returns plain values"
        )
    return repr(value) + ("" if tells_all(kind) else _beside(value, fields))


def _beside(value: Any, parts: Callable[[Any], tuple[tuple[str, ...], list[Any]]]) -> str:
    """The text of the attributes of a value, as far as one can look into it. It may be among them."""
    if id(value) in BUSY:
        return "itself"
    BUSY.add(id(value))
    try:
        names, contents = parts(value)
        return canonical(tuple(zip(names, contents, strict=True))) if names else ""
    except Opaque:
        return ""
    finally:
        BUSY.discard(id(value))
