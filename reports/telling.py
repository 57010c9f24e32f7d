"""One effect in words: what it did to which row, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from heatproof.model import effects as fx
from heatproof.model.world import Entry


class Told(NamedTuple):
    """An effect told: its step id, a phrase, and whether it changed anything or failed (so that it must not be left out)."""

    step: str
    phrase: str
    matters: bool


def tell(entry: Entry) -> Told:
    """The effect of a step of the log."""
    assert entry.before is not None
    assert entry.after is not None
    effect, result = entry.before.effect, entry.after.result
    assert effect is not None
    thrown = type(result) is fx.Thrown
    phrase, matters = _phrase(effect, result, thrown)
    if thrown:
        phrase, matters = f"{phrase}: {type(result.exception).__name__}", True
    return Told(effect.step, phrase, matters)


def _phrase(effect: fx.Effect, result: Any, thrown: bool) -> tuple[str, bool]:
    match effect:
        case fx.Read(_, table, key):
            return f"reads {table} {_key(key)}{'' if result is not None else ' (gone)'}", result is None
        case fx.Query(_, table, where, _):
            count = "?" if thrown else len(result)
            return f"reads {count} rows of {table} where {_columns(where)}", False
        case fx.Insert(_, table, row):
            return f"inserts {table} {_key(table.key_of(row) if thrown else result)}", True
        case fx.Update(_, table, key, values, where):
            lost = not thrown and not result
            guard = "" if where else " blindly"
            text = f"writes {table} {_key(key)}{guard} ({_columns(_brief(values))})"
            return (f"{text}: LOST, expected {_columns(where or {})}" if lost else text), True
        case fx.Delete(_, table, where):
            return f"deletes {'?' if thrown else result} of {table} where {_columns(where)}", bool(result)
        case fx.Transaction(_, body, args, reads_only):
            lost = isinstance(result, int) and result == 0
            name = getattr(body, "__name__", "transaction")
            text = f"{name}({', '.join(_brief_text(a) for a in args)})"
            return (f"{text}: LOST" if lost else text), lost or not reads_only
        case fx.Send(_, message, args, to):
            return f"sends {message}({', '.join(str(a) for a in args if isinstance(a, str))}){f' to {to}' if to else ''}", True
        case fx.Spawn(_, handler, _):
            return f"starts {handler}", True
        case fx.Probe(_, engine):
            return f"asks whether {engine} lives: {'yes' if result else 'no'}", True
        case fx.Begin(_, operation, subject, _, _, _):
            return f"begins to {operation} {result if operation == 'create' else subject}{'' if result else ' (not found)'}", True
        case fx.Finish(_, physical):
            return f"the operation on {physical} ends: {result}", True
        case fx.Look(_, physical):
            return f"looks at {physical}{'' if result is not None else ' (gone)'}", result is None
        case fx.Expired(_, topic):
            return f"looks at the clock of {topic}: {'run out' if result else 'time left'}", bool(result)
        case fx.Cancel(_, topic):
            return f"leaves cancel notices for {topic}", True
        case fx.Listen(_, topic):
            return f"listens for cancel notices of {topic}", False
        case _:
            return "gives way", False


BRIEF = ("action", "status", "traversal", "engine", "replaced_by", "physical", "template")


def _brief(values: Any) -> dict[str, Any]:
    """The columns of a write that a reader wants to see; of a full-row write only the telling ones."""
    if isinstance(values, dict):
        if len(values) <= 5:
            return values
        return {k: values[k] for k in BRIEF if values.get(k) is not None}
    fields: dict[str, Any] = getattr(values, "_asdict", dict)()
    picked = {k: fields[k] for k in BRIEF if fields.get(k) is not None}
    return picked or dict(list(fields.items())[:4])


def _brief_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    brief = _brief(value)
    return _columns(brief) if brief else "..."


def _columns(columns: Any) -> str:
    return ", ".join(f"{name}={_value(value)}" for name, value in columns.items()) or "nothing"


def _value(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(map(_value, value))) + "}"
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _key(key: Any) -> str:
    return "/".join(map(str, key)) if isinstance(key, tuple) else str(key)


def touched(entry: Entry) -> list[tuple[str, Any, bool]]:
    """The rows that a step touched by key: (table, key, written)."""
    effect = entry.before.effect if entry.before is not None else None
    result = entry.after.result if entry.after is not None else None
    match effect:
        case fx.Read(_, table, key):
            return [(table.name, key, False)]
        case fx.Update(_, table, key, _, _):
            return [(table.name, key, bool(result) and type(result) is not fx.Thrown)]
        case fx.Query(_, table, _, _):
            return [(table.name, table.key_of(row), False) for row in result] if type(result) is tuple else []
        case _:
            return []


def written_columns(entry: Entry) -> frozenset[str]:
    """The columns that a step wrote to one row by key."""
    effect = entry.before.effect if entry.before is not None else None
    if type(effect) is not fx.Update:
        return frozenset()
    return frozenset(effect.values) if isinstance(effect.values, Mapping) else frozenset(effect.table.columns)


def overwritten(entry: Entry) -> frozenset[str]:
    """The columns that a step wrote without expecting anything of the row."""
    effect = entry.before.effect if entry.before is not None else None
    return frozenset() if type(effect) is fx.Update and effect.where else written_columns(entry)
