"""What can be wrong with an effect before it is done: a table or column that does not exist, a value that cannot be hashed.

Asked once for each effect that a handler yields anew, not each time it is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from heatproof.model import effects as fx
from heatproof.model.bodies import assigned
from heatproof.model.choosing import meant
from heatproof.model.columns import plain_kind
from heatproof.model.contents import hashable

OPERATIONS = ("create", "update", "delete", "check")
"""Physical operations."""


def mistake(effect: fx.Effect, handlers: Mapping[str, Any] | None = None) -> str | None:
    """What is wrong with ``effect`` and what to do about it; None if nothing is. ``handlers`` are those of the design, where they are known."""
    step: Any = effect.step
    if not isinstance(step, str):
        return f"its step id is {step!r:.80}; the first argument of an effect is the id of the step in the design's text"
    match effect:
        case fx.Send(message=name, args=args) | fx.Spawn(handler=name, args=args):
            return _handler(name, handlers) or _arguments(args)
        case fx.Read(table=table, key=key):
            return _table(table) or _key(key)
        case fx.Query(table=table, where=where, unless=unless):
            return _table(table) or _columns(table, where, "where") or _columns(table, unless, "unless")
        case fx.Insert(table=table, row=row):
            return _table(table) or _row(table, row)
        case fx.Update(table=table, key=key, values=values, where=where):
            wrong = _table(table) or _key(key) or _columns(table, where, "where")
            return wrong or (_columns(table, values, "values") if isinstance(values, Mapping) else _row(table, values))
        case fx.Delete(table=table, where=where):
            return _table(table) or _columns(table, where, "where")
        case fx.Begin(operation=operation):
            return _operation(operation)
        case fx.Finish(physical=physical):
            return _physical(physical)
        case fx.Transaction(body=body):
            if name := assigned(body):
                return (
                    f"its body assigns {name}, which is not its own (nonlocal); the handler would not see that when it is run again, so let the"
                    " body return what it finds, 'found = yield Transaction(...)', and hand over what it needs as arguments"
                )
        case _:
            pass
    return None


def _table(table: object) -> str | None:
    return None if isinstance(table, fx.Table) else f"{table!r:.80} is no Table"


def _key(key: object) -> str | None:
    return None if hashable(key) else f"the key {key!r:.80} cannot be hashed"


def _arguments(args: object) -> str | None:
    if not isinstance(args, tuple):
        return f"its arguments must be a tuple, not {args!r:.200}; of one argument that is ({args!r:.200},)"
    if not hashable(args):
        return f"its arguments cannot be hashed: {args!r:.200}; send tuples and frozensets instead of lists, dicts and sets"
    return None


def _handler(name: object, handlers: Mapping[str, Any] | None) -> str | None:
    if handlers is None or (isinstance(name, str) and name in handlers):
        return None
    near = meant(name, handlers) if isinstance(name, str) else ""
    return f"the design has no handler {name!r:.80}{near}; it has {', '.join(sorted(handlers))}"


def _operation(operation: object) -> str | None:
    known = operation in OPERATIONS
    return None if known else f"{operation!r:.80} is no physical operation; take {', '.join(OPERATIONS[:-1])} or {OPERATIONS[-1]}"


def _physical(physical: object) -> str | None:
    return "it waits for the end of nothing (None); give it the id of a physical resource" if physical is None else None


def _row(table: fx.Table, row: Any) -> str | None:
    if plain_kind(row) is not table.row:
        return f"a row for table {table} must be a {table.row.__name__}, not {row!r:.200}"
    if hashable(row):
        return None
    return _columns(table, dict(zip(table.columns, row, strict=True)), "the row")


def _columns(table: fx.Table, values: object, what: str) -> str | None:
    if values is None:
        return None
    if not isinstance(values, Mapping):
        return f"{what} must be a dict of columns, not {values!r:.80}"
    for column, value in values.items():
        if column not in table.columns:
            near = get_close_matches(str(column), table.columns, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(table.columns)}"
            return f"{what} names column {column!r}, which table {table} does not have{hint}"
        if not hashable(value):
            return f"{what} gives column {column!r} a value that cannot be hashed: {value!r:.80}; use tuples and frozensets"
    return None
