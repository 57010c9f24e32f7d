"""Values as text for people: rows, keys, templates. Nothing that a value contains can do more than be read."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from heatproof.model.templates import Attr, Ref, ResourceDef, Template

LONGEST = 300
"""Characters of one value that are shown."""

UNSEEN = ("Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp")
"""Unicode categories of what is not seen."""

EMPTY: tuple[Any, ...] = ("", (), frozenset())


def visible(text: str, longest: int = LONGEST) -> str:
    """``text`` without anything that is not seen or that changes how its surroundings look: control characters and marks of
    direction are spelt out (``\\u202e``), and what is too long is cut."""
    shown = text[:longest]
    if not shown.isprintable():
        shown = "".join(_spelt(c) if unicodedata.category(c) in UNSEEN else c for c in shown)
    return shown if len(text) <= longest else f"{shown}... ({len(text)} characters)"


def short(text: str, longest: int) -> str:
    """``text`` as a label of at most so many characters."""
    shown = visible(text, longest + 1)
    return shown if len(shown) <= longest else shown[: longest - 1] + "\u2026"


def _spelt(character: str) -> str:
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character) or (
        f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"
    )


def value(thing: Any) -> str:
    """Any value of a row, a message or a physical resource."""
    return visible(_plain(thing))


def key(thing: Any) -> str:
    """The key of a row: the columns of a composite one with slashes between."""
    return visible("/".join(map(str, thing)) if isinstance(thing, tuple) else str(thing))


def columns(values: Mapping[str, Any]) -> str:
    """Columns with their values."""
    return visible(", ".join(f"{name}={_plain(item)}" for name, item in values.items()) or "nothing")


def definition(one: ResourceDef) -> str:
    """A resource definition in a line; ``!=`` marks properties whose change forces a replacement."""
    parts = [f"{name}={_plain(item)}" for name, item in one.in_place]
    parts += [f"{name}!={_plain(item)}" for name, item in one.replace]
    if one.kind != "thing":
        parts.append(f"class {one.kind}")
    if one.depends_on:
        parts.append("after " + ", ".join(one.depends_on))
    if one.fails:
        parts.append("always fails to " + ", ".join(one.fails))
    return one.name + (f"({', '.join(parts)})" if parts else "")


def _plain(thing: Any) -> str:
    match thing:
        case None:
            return "null"
        case bool():
            return "true" if thing else "false"
        case Ref(resource):
            return f"id of {resource}"
        case Attr(resource, attribute):
            return f"{attribute} of {resource}"
        case Template():
            return "; ".join(definition(one) for one in thing.resources) or "nothing"
        case frozenset() | set():
            return "{" + ", ".join(sorted(map(_plain, thing))) + "}"
        case tuple() if hasattr(thing, "_fields"):
            shown = ((name, getattr(thing, name)) for name in thing._fields)
            return ", ".join(f"{name}={_plain(item)}" for name, item in shown if item is not None and item not in EMPTY)
        case tuple() if thing and all(isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str) for pair in thing):
            return ", ".join(f"{name}={_plain(item)}" for name, item in thing)
        case tuple() | list():
            return "(" + ", ".join(map(_plain, thing)) + ")" if thing else "none"
        case Mapping():
            return ", ".join(f"{name}={_plain(item)}" for name, item in thing.items()) or "none"
        case _ if hasattr(thing, "nodes") and hasattr(thing, "edges"):
            return _graph(thing)
        case _:
            return str(thing)


def _graph(graph: Any) -> str:
    """A graph as its nodes, each with those it requires."""
    requires: dict[Any, list[str]] = {node: [] for node in graph.nodes}
    for node, other in graph.edges:
        requires[node].append(key(other))
    parts = [key(node) + (f" after {' and '.join(sorted(others))}" if others else "") for node, others in requires.items()]
    return "; ".join(sorted(parts)) or "none"


__all__ = ["LONGEST", "columns", "definition", "key", "short", "value", "visible"]
