"""What can be wrong with an effect before it is done: a table or column that does not exist, a value that cannot be hashed.

Asked once for each effect that a handler yields anew, not each time it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from typing import Any

from heatproof.model import effects as fx
from heatproof.model.bodies import assigned, moving
from heatproof.model.choosing import meant
from heatproof.model.columns import plain_kind
from heatproof.model.contents import hashable

OPERATIONS = ("create", "update", "delete", "check")
"""Physical operations."""

ENGINE = "give it the id of an engine, a text such as that of me.engine"
PHYSICAL = "give it the id of a physical resource, a text"


Known = tuple[Mapping[str, Any] | None, Collection[fx.Table] | None]
"""The handlers and the tables of a design; None: nobody knows which."""


def mistake(effect: fx.Effect, handlers: Mapping[str, Any] | None = None, tables: Collection[fx.Table] | None = None) -> str | None:
    """What is wrong with ``effect`` and what to do about it; None if nothing is. ``handlers`` and ``tables`` are those of the design, where they
    are known."""
    step: Any = effect.step
    if not isinstance(step, str):
        return f"its step id is {step!r:.80}; the first argument of an effect is the id of the step in the design's text"
    check = _CHECKS.get(type(effect))
    return None if check is None else check(effect, (handlers, tables))


def _send(effect: fx.Send, known: Known) -> str | None:
    wrong = _handler(effect.message, known[0]) or _arguments(effect.args)
    return wrong or (None if effect.to is None else _text(effect.to, "it is for engine", ENGINE))


def _spawn(effect: fx.Spawn, known: Known) -> str | None:
    return _handler(effect.handler, known[0]) or _arguments(effect.args)


def _read(effect: fx.Read, known: Known) -> str | None:
    return _table(effect.table, known[1]) or _key(effect.table, effect.key) or _flag(effect, "joined")


def _query(effect: fx.Query, known: Known) -> str | None:
    wrong = _table(effect.table, known[1]) or _where(effect) or _flag(effect, "joined")
    return wrong or _columns(effect.table, effect.unless, "unless")


def _insert(effect: fx.Insert, known: Known) -> str | None:
    return _table(effect.table, known[1]) or _row(effect.table, effect.row)


def _update(effect: fx.Update, known: Known) -> str | None:
    table, values = effect.table, effect.values
    wrong = _table(table, known[1]) or _key(table, effect.key) or _columns(table, effect.where, "where")
    wrong = wrong or (_columns(table, values, "values") if isinstance(values, Mapping) else _row(table, values))
    return wrong or _flag(effect, "compared") or moves(table, effect.key, values)


def _delete(effect: fx.Delete, known: Known) -> str | None:
    return _table(effect.table, known[1]) or _where(effect)


def _begin(effect: fx.Begin, _known: Known) -> str | None:
    operation = effect.operation
    wrong = _operation(operation) or _subject(operation, effect.subject) or _spec(operation, effect.spec)
    return wrong or _name(effect.topic, "its time limit is") or _name(effect.cause, "its cause is")


def _topic(effect: fx.Listen | fx.Cancel | fx.Expired, _known: Known) -> str | None:
    return "its topic is None, which is none; name one" if effect.topic is None else _name(effect.topic, "its topic is")


def _transaction(effect: fx.Transaction, _known: Known) -> str | None:
    if wrong := _body(effect) or _flag(effect, "reads_only"):
        return wrong
    if name := assigned(effect.body):
        return (
            f"its body assigns {name}, which is not its own (nonlocal); the handler would not see that when it is run again, so let the"
            " body return what it finds, 'found = yield Transaction(...)', and hand over what it needs as arguments"
        )
    if (iterator := moving(effect)) is not None:
        return (
            f"its body holds {iterator!r:.80}, which only goes on and cannot be kept as it is now; let it hold a tuple of what comes,"
            " or call there what yields effects"
        )
    return None


_CHECKS: dict[type[Any], Callable[[Any, Known], str | None]] = {
    fx.Send: _send, fx.Spawn: _spawn, fx.Read: _read, fx.Query: _query, fx.Insert: _insert, fx.Update: _update, fx.Delete: _delete,
    fx.Begin: _begin, fx.Listen: _topic, fx.Cancel: _topic, fx.Expired: _topic, fx.Transaction: _transaction,
    fx.Finish: lambda effect, _: _text(effect.physical, "it waits for the end of", PHYSICAL),
    fx.Look: lambda effect, _: None if effect.physical is None else _text(effect.physical, "it looks at", PHYSICAL),
    fx.Probe: lambda effect, _: _text(effect.engine, "it asks after engine", ENGINE),
}  # fmt: skip


def _table(table: object, tables: Collection[fx.Table] | None) -> str | None:
    if not isinstance(table, fx.Table):
        return f"{table!r:.80} is no Table"
    if tables is None or table in tables:
        return None
    return f"table {table} is not among the tables of the design ({', '.join(map(repr, tables)) or 'it has none'}); list it in its 'tables'"


def _key(table: fx.Table, key: object) -> str | None:
    return mismatch(table, key) if hashable(key) else f"the key {key!r:.80} cannot be hashed"


def mismatch(table: fx.Table, key: object) -> str | None:
    """What is wrong with a key that no row of that table can have; None for any other."""
    if isinstance(table.key, str) or (isinstance(key, tuple) and len(key) == len(table.key)):
        return None
    return f"the key of table {table} is a tuple of {', '.join(table.key)}, and not {key!r:.80}"


def moves(table: fx.Table, key: Any, values: Any) -> str | None:
    """What is wrong with an update that gives a row another key; None if it does not. A row that tells who looks at it is read past that, for
    it is nobody's look."""
    parts = [key] if isinstance(table.key, str) else [*key]
    if type(values) is dict or isinstance(values, Mapping):
        given = [values.get(column, part) for column, part in zip(table.key_columns, parts, strict=True)]
    else:
        given = [tuple.__getitem__(values, place) for place in table.key_places]
    if given != parts:
        for column, value, part in zip(table.key_columns, given, parts, strict=True):
            if value is not part and value != part:
                row = f"the row {part!r:.80} of table {table}"
                return f"it gives {row} another key, {column}={value!r:.80}; delete the row and insert another"
    return None


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


def _subject(operation: str, subject: object) -> str | None:
    what = f"it is to {operation}"
    if operation != "create":
        return _text(subject, what, PHYSICAL)
    return f"{what} something for None; give it the key of a row" if subject is None else _name(subject, f"{what} something for")


def _spec(operation: str, spec: object) -> str | None:
    from heatproof.model.reality import Spec  # which goes by the database, which asks here

    if spec is None and operation in ("delete", "check"):
        return None
    if not isinstance(spec, Spec):
        return f"what it is to make must be a Spec (heatproof.model.reality), not {spec!r:.80}; only delete and check need none"
    if not hashable(spec):
        return f"what it is to make holds something that cannot be hashed: {spec!r:.200}"
    for field in ("name", "kind", "stack"):
        if not isinstance(value := getattr(spec, field), str):
            return f"what it is to make has the {field} {value!r:.80}; give its Spec a text"
    for field in ("properties", "requires", "fails", "after"):
        if not isinstance(value := getattr(spec, field), tuple | frozenset):
            return f"what it is to make has {field} {value!r:.80}; give its Spec a tuple"
    unknown = [one for one in spec.fails if one not in OPERATIONS]
    return f"what it is to make fails to {unknown[0]!r:.80}, but {_operation(unknown[0])}" if unknown else None


def _body(effect: Any) -> str | None:
    body, args = effect.body, effect.args
    if not callable(body):
        return f"its body must be a generator function, not {body!r:.80}; what that needs is given after it, as a tuple"
    return None if isinstance(args, tuple) else f"what its body is called with must be a tuple, not {args!r:.80}"


def _text(name: object, what: str, give: str) -> str | None:
    """What is wrong with the name of something whose names are texts; None if nothing is."""
    return None if isinstance(name, str) else f"{what} {name!r:.80}; {give}"


def _flag(effect: Any, name: str) -> str | None:
    return None if isinstance(value := getattr(effect, name), bool) else f"{name} must be True or False, not {value!r:.80}"


def _where(effect: fx.Query | fx.Delete) -> str | None:
    where: Any = effect.where
    if where is None:
        return "where must be a dict of columns, not None; an empty one means all rows"
    return _columns(effect.table, where, "where")


def _name(name: object, what: str) -> str | None:
    """What is wrong with the name of something, or a topic; None if nothing is."""
    return None if hashable(name) else f"{what} {name!r:.80}, which cannot be hashed; take a text, a number or a tuple of such"


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
