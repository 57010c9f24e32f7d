"""What Heat sends to the database: each statement, with its table and the number of rows it met."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from heatproof.ports.heat import hub
from heatproof.ports.heat.hub import Fetched, Sent
from heatproof.ports.heat.names import Names

_HEAD = re.compile(r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM)\s+(?:.*?\sFROM\s+)?[\"`]?(\w+)", re.DOTALL)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?")
_ASSIGNED = re.compile(r"([\w.]+)=\?")
_CONDITION = re.compile(r"([\w.]+) (?:= \?|(IS) NULL|= 1)")
_NAMED = re.compile(r"%\((\w+)\)s")
_KINDS = {"SELECT": "select", "INSERT INTO": "insert", "UPDATE": "update", "DELETE FROM": "delete"}


class Statement(NamedTuple):
    """One statement: its kind (``select``, ``insert``, ``update``, ``delete``, ``other``), the first table that it names, how many rows a
    write met (-1 for a read), its text and its parameters. ``apart``: the function of its transaction, where that is no action of its
    own (:data:`places.QUIET`). ``fetched``: what a query found, where that is counted (:attr:`HeatEngine.metered`)."""

    kind: str
    table: str
    rows: int
    text: str
    parameters: Any
    apart: str = ""
    fetched: Fetched | None = None


FAILED = -2
"""Instead of the number of rows: the database refused the statement. Noted where accesses are counted."""

UNSEEN = ("event", "user_creds", "resource_properties_data")
"""Tables that no story is about."""


class Accessed:
    """The result of a transaction of Heat's: its ``statements`` in order, and whether a conditional write met no row (``lost``). Where a
    commit is an action of its own, ``committed`` is what was sent before."""

    __slots__ = ("committed", "lost", "names", "statements")

    def __init__(self, statements: tuple[Statement, ...], names: Names, committed: tuple[Statement, ...] = ()):
        self.statements = statements
        self.committed = committed
        self.names = names
        writes = [s.rows for s in statements if s.kind == "update"]
        self.lost = bool(writes) and writes[-1] == 0

    def told(self) -> str:
        """In a few words: the statements that write, with the columns that matter; otherwise what is read."""
        writes = [
            told(s, self.names)
            for s in self.statements or self.committed
            if s.kind in ("insert", "update", "delete") and s.table not in UNSEEN
        ]
        others = sorted({f"{s.kind.upper()} {s.table}" for s in self.statements if s.kind != "other" and s.table != "event"})
        return "; ".join(writes) or ", ".join(others) or "nothing"

    @property
    def writes(self) -> bool:
        """Whether it wrote anything."""
        return any(s.kind in ("insert", "update", "delete") and s.rows for s in self.statements)

    def canonical(self) -> object:
        """What it did, but for points in time: those differ where nothing else does."""
        return [(s.kind, s.table, s.rows, s.text, _TIME.sub("", repr(s.parameters))) for s in self.statements]


COLUMNS = (
    "action",
    "status",
    "engine_id",
    "atomic_key",
    "current_traversal",
    "replaced_by",
    "nova_instance",
    "current_template_id",
)
"""The columns of a write that a reader wants to see; of its condition he sees all."""

INSERTED = ("name", "entity_id")
ALWAYS = ("tenant", "stack_user_project_id", "deleted_at")
"""What Heat asks of every stack, and is always so."""

ROWS = ("replaced_by", "replaces", "entity_id")
TEMPLATES = ("current_template_id", "raw_template_id", "prev_raw_template_id")


def told(statement: Statement, names: Names) -> str:
    """A statement that writes: the row, the columns that matter, the condition; with names instead of ids."""
    written, condition = pairs(statement)

    def shown(column: str, value: Any) -> str:
        return f"{column}={_value(statement.table, column, value, names)}"

    parts = [statement.kind.upper(), statement.table]
    wanted = (*INSERTED, *COLUMNS) if statement.kind == "insert" else COLUMNS
    if kept := [shown(c, v) for c, v in written if c in wanted and (v is not None or c == "engine_id")]:
        parts.append(f"SET {', '.join(kept)}")
    if expected := [shown(c, v) for c, v in condition if c not in ALWAYS]:
        parts.append(f"WHERE {', '.join(expected)}")
    return " ".join(parts) + ("" if statement.rows == 1 else f" [{statement.rows} rows]")


def _value(table: str, column: str, value: Any, names: Names) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        known = names.traversals.get(value) or names.stacks.get(value)
        return known or (names.rows.get(int(value), value) if column in ROWS and value.isdecimal() else value)
    if column in ROWS or (column == "id" and table == "resource"):
        return names.rows.get(value, str(value))
    if column in TEMPLATES or (column == "id" and table == "raw_template"):
        return names.templates.get(value, str(value))
    return str(value)


def pairs(statement: Statement) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
    """The columns that are written and those of the condition, with their values. SQLAlchemy's own text, so its forms are few."""
    text, values = statement.text, list(statement.parameters)
    if statement.kind == "insert":
        columns = [name.strip() for name in text.partition("(")[2].partition(")")[0].split(",")]
        return list(zip(columns, values, strict=False)), []
    head, _, tail = text.partition(" WHERE ")
    written = _ASSIGNED.findall(head)
    condition: list[tuple[str, Any]] = []
    rest = values[len(written) :]
    for column, null in _CONDITION.findall(tail):
        if null:
            condition.append((column.rpartition(".")[2], None))
        elif rest:
            condition.append((column.rpartition(".")[2], rest.pop(0)))
    return [(c.rpartition(".")[2], v) for c, v in zip(written, values, strict=False)], condition


def read(sent: Sent) -> Statement:
    """A statement from what was sent, in one form whatever the driver: a ? for each parameter, which stand in order."""
    text, parameters, rows, apart, fetched = sent
    kind, table = head(text)
    if isinstance(parameters, dict):
        text, parameters = _NAMED.sub("?", text), tuple(parameters[name] for name in _NAMED.findall(text))
    elif "%s" in text:
        text = text.replace("%s", "?")
    return Statement(kind, table, rows if kind != "select" else -1, text, parameters, apart, fetched)


def head(text: str) -> tuple[str, str]:
    """The kind of a statement and the first table that it names."""
    found = _HEAD.match(text)
    return ("other", "") if found is None else (_KINDS[found[1]], found[2])


def written(statement: Statement) -> int:
    """The bytes of the values that an insert or an update was to store."""
    many = isinstance(statement.parameters, list)  # one statement for several rows
    sets = statement.parameters if many else [statement.parameters]
    return sum(bytes_of(value) for one in sets for _, value in pairs(statement._replace(parameters=one))[0])


def fetch(cursor: Any, text: str, parameters: Any) -> Fetched | None:
    """What a query finds, by asking it once more in the same transaction: the rows that the cursor holds are Heat's. None for a write.

    The bytes of a value are those of its text in UTF-8, as the drivers of both servers send it; null has none.
    """
    if head(text)[0] != "select":
        return None
    again = cursor.connection.cursor()
    try:
        again.execute(text, parameters)
        rows = again.fetchall()
    finally:
        again.close()
    return Fetched(len(rows), tuple(sum(map(bytes_of, values)) for values in zip(*rows, strict=True)))


def bytes_of(value: Any) -> int:
    """The bytes of a value: those of its text in UTF-8; null has none, true and false are one."""
    if value is None or isinstance(value, bool):
        return int(value is not None)
    return len(value) if isinstance(value, bytes | bytearray | memoryview) else len(str(value).encode())


def _refused(context: Any) -> None:
    activity = hub.current()
    if activity is not None and activity.live.metered and context.statement:
        activity.statements.append((context.statement, context.parameters, FAILED, activity.apart, None))


def listen(engine: Any) -> None:
    """Have every statement of an SQLAlchemy engine noted by the activity that sends it."""
    from sqlalchemy import event

    def sent(_connection: Any, cursor: Any, text: str, parameters: Any, _context: Any, _many: bool) -> None:
        activity = hub.current()
        if activity is not None:
            fetched = fetch(cursor, text, parameters) if activity.live.metered else None
            activity.statements.append((text, parameters, cursor.rowcount, activity.apart, fetched))
            if activity.access is not None:
                activity.sent.append(activity.statements[-1])

    event.listen(engine, "after_cursor_execute", sent)
    # With the class of the dialect, whose listeners come first: oslo.db raises the errors that it has no name for, and nobody after it is asked.
    if not event.contains(kind := type(engine.dialect), "handle_error", _refused):
        event.listen(kind, "handle_error", _refused)
