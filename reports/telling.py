"""One effect in words: what it did to which row, and how it ended."""

from __future__ import annotations

from typing import Any, NamedTuple

from heatproof.model import effects as fx
from heatproof.model.database import MISSING
from heatproof.model.world import Entry, World


class Told(NamedTuple):
    """An effect told: its step id, a phrase, and whether it changed anything or failed (so that it must not be left out)."""

    step: str
    phrase: str
    matters: bool


def tell(entry: Entry, world: World) -> Told:
    """The effect of the last step of the log of ``world``."""
    assert entry.before is not None
    assert entry.after is not None
    effect, result = entry.before.effect, entry.after.result
    assert effect is not None
    thrown = type(result) is fx.Thrown
    if type(effect) is fx.Send:
        phrase, matters = sending(world, effect, next(iter(_posted(world)), "")), True
    else:
        phrase, matters = _phrase(effect, result, thrown)
    if thrown:
        phrase, matters = f"{phrase}: {type(result.exception).__name__}", True
    return Told(effect.step, phrase, matters)


def _posted(world: World) -> list[str]:
    """The names of the messages that came to be with the last step."""
    return [name for table, name, old in world.journal[world.marks[-1] :] if table is world.bag and old is MISSING]


def sending(world: World, effect: fx.Send, name: str = "") -> str:
    """That a message is sent, by the ``name`` that it got, and that it is lost where it is for an engine that is not there."""
    text = f"sends {name or world.design.label(effect.message, effect.args)}{f' to {effect.to}' if effect.to else ''}"
    return f"{text}, but no engine {effect.to} is alive: the message is lost" if vanishes(world, effect) else text


def vanishes(world: World, effect: fx.Send) -> bool:
    """Whether a message is for an engine that is not there."""
    return effect.to is not None and effect.to not in world.free


def _phrase(effect: fx.Effect, result: Any, thrown: bool) -> tuple[str, bool]:
    match effect:
        case fx.Read(_, table, key):
            return f"reads {table} {shown_key(key)}{'' if result is not None else ' (not there)'}", result is None
        case fx.Query(_, table, where, _):
            count = "?" if thrown else len(result)
            return f"reads {count} row{'' if count == 1 else 's'} of {table} where {_columns(where)}", False
        case fx.Insert(_, table, row):
            return f"inserts {table} {shown_key(table.key_of(row) if thrown else result)}", True
        case fx.Update(_, table, key, values, where):
            lost = not thrown and not result
            guard = "" if where else " blindly"
            text = f"writes {table} {shown_key(key)}{guard} ({_columns(_brief(values))})"
            return (f"{text}: LOST, expected {_columns(where or {})}" if lost else text), True
        case fx.Delete(_, table, where):
            return f"deletes {'?' if thrown else result} of {table} where {_columns(where)}", bool(result)
        case fx.Transaction(_, body, args, reads_only):
            lost = (isinstance(result, int) and result == 0) or getattr(result, "lost", False)
            name = getattr(body, "__name__", "transaction")
            if hasattr(result, "told"):  # the target did it itself, and knows what was done
                return f"{result.told()}{': LOST' if lost else ''}", lost or result.writes
            text = f"{name}({', '.join(_brief_text(a) for a in args)})"
            return (f"{text}: LOST" if lost else text), lost or not reads_only
        case fx.Spawn(_, handler, _):
            return f"starts {handler}", True
        case fx.Probe(_, engine):
            return f"asks whether {engine} lives: {'yes' if result else 'no'}", True
        case fx.Begin(_, operation, subject, _, _, _):
            return f"begins to {operation} {result if operation == 'create' else subject}{'' if result else ' (not found)'}", True
        case fx.Finish(_, physical):
            return f"the operation on {physical} ends: {result}", True
        case fx.Look(_, physical):
            return f"looks at {physical}{'' if result is not None else ' (not there)'}", result is None
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
    if isinstance(value, str | int):
        return str(value)
    brief = _brief(value)
    return _columns(brief) if brief else "..."


def _columns(columns: Any) -> str:
    return ", ".join(f"{name}={shown(value)}" for name, value in columns.items()) or "nothing"


def shown(value: Any) -> str:
    """A value of a row, cut where it is long."""
    if value is None:
        return "null"
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(map(shown, value))) + "}"
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def shown_key(key: Any) -> str:
    """The key of a row."""
    return "/".join(map(str, key)) if isinstance(key, tuple) else str(key)


def intention(effect: fx.Effect | str) -> str:
    """What a task is about to do, as an infinitive."""
    match effect:
        case str():
            return effect
        case fx.Read(_, table, key):
            text = f"read {table} {shown_key(key)}"
        case fx.Query(_, table, where, _):
            text = f"read the rows of {table} where {_columns(where)}"
        case fx.Insert(_, table, row):
            text = f"insert {table} {shown_key(table.key_of(row))}"
        case fx.Update(_, table, key, _, where):
            text = f"write {table} {shown_key(key)}" + (f" if {_columns(where)}" if where else "")
        case fx.Delete(_, table, where):
            text = f"delete from {table} where {_columns(where)}"
        case fx.Transaction(_, body, args, _):
            text = f"do {getattr(body, '__name__', 'a transaction')}({', '.join(str(a) for a in args if isinstance(a, str | int))})"
        case fx.Send(_, message, args, _):
            text = f"send {message}({', '.join(str(a) for a in args if isinstance(a, str | int))})"
        case fx.Spawn(_, handler, _):
            text = f"start {handler}"
        case fx.Probe(_, engine):
            text = f"ask whether {engine} lives"
        case fx.Begin(_, operation, subject, _, _, _):
            text = f"begin to {operation} {subject}"
        case fx.Finish(_, physical):
            text = f"wait for the operation on {physical} to end"
        case fx.Look(_, physical):
            text = f"look at {physical}"
        case fx.Expired(_, topic):
            text = f"look at the clock of {topic}"
        case fx.Cancel(_, topic):
            text = f"leave cancel notices for {topic}"
        case fx.Listen(_, topic):
            text = f"listen for cancel notices of {topic}"
        case _:
            text = "give way"
    return f"{text} ({effect.step})" if effect.step else text
