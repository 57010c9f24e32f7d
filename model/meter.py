"""The access meter: what a run cost the database, by table, kind, step, handler, task and operation.

It costs nothing while a run goes on: the actions of its log are performed once more in a world of their own, on the same
trie of handlers, and what each access touches is looked at there. So the meter also knows what the log does not keep: the
statements inside transactions, the rows that an update or a delete touched, and what was done where the answer was lost.

A target that is no model has a :class:`Metering` of its own (``Design.metering``), which makes the same :class:`Access` values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any, NamedTuple

from heatproof.model import effects as fx
from heatproof.model.anomalies import ANOMALIES, splits
from heatproof.model.contents import exact
from heatproof.model.database import MISSING
from heatproof.model.statements import Statement, statements
from heatproof.model.templates import Template
from heatproof.model.world import Action, Entry, World

SPLITS = frozenset(a.name for a in ANOMALIES)
ACCESSING = ("step", "abort", "disconnect", *SPLITS)
"""The kinds of actions that do the effect that a task stands before, or strike it."""
FIELDS = ("step", "kind", "table", "handler", "task", "operation", "outcome", "apart")


class Access(NamedTuple):
    """One statement, or one transaction as a whole.

    ``kind``: read, query, insert, update (by key alone), compare-and-set (an update with a condition), delete or transaction;
    ``operation``: the number of the operation (from 1) that it was done for; ``outcome``: *matched* (rows were found or written),
    *missed* (none was), or the exception that came back; a transaction's is *done* or the exception. ``rows``: how many were found or
    written; ``read`` and ``written``: bytes, see :func:`size`. ``inside``: it is a statement inside a transaction. ``apart``: the tables
    of ``Design.apart`` that the transaction writes, if it does, or its step, or what a target counts it apart under.
    """

    step: str
    kind: str
    table: str
    handler: str
    task: str
    operation: int
    outcome: str
    rows: int = 0
    read: int = 0
    written: int = 0
    inside: bool = False
    apart: str = ""


class Tally(NamedTuple):
    """What a number of accesses come to.

    ``accesses`` are round trips: a transaction is one, whatever stands in it; ``statements`` are the reads, queries, inserts,
    updates and deletes, wherever they stand. ``matched`` and ``missed`` count statements; the rest raised an exception.
    """

    accesses: int = 0
    statements: int = 0
    matched: int = 0
    missed: int = 0
    rows: int = 0
    read: int = 0
    written: int = 0


class Meter:
    """The accesses of one run, in order."""

    def __init__(self, accesses: Iterable[Access]):
        self.accesses = tuple(accesses)

    @property
    def total(self) -> Tally:
        """Everything together."""
        return _tally(self.accesses)

    def by(self, *fields: str) -> dict[Any, Tally]:
        """A tally for each value of a field, or for each tuple of values of several, in order.

        Fields are step, kind, table, handler, task, operation, outcome and apart. Raises ValueError for any other.
        """
        for field in fields:
            if field not in FIELDS:
                raise ValueError(f"an access has no field {field!r}; take from {', '.join(FIELDS)}")
        groups: dict[Any, list[Access]] = {}
        for access in self.accesses:
            values = tuple(getattr(access, field) for field in fields)
            groups.setdefault(values[0] if len(fields) == 1 else values, []).append(access)
        return {key: _tally(groups[key]) for key in sorted(groups)}

    def rows(self, *fields: str) -> list[tuple[Any, ...]]:
        """What :meth:`by` says as rows: the values of the fields, then the numbers of the :class:`Tally`."""
        fields = fields or ("table", "kind")
        return [(*(key if len(fields) > 1 else (key,)), *tally) for key, tally in self.by(*fields).items()]

    def text(self, *fields: str) -> str:
        """The same as a table of plain text, with the total in its last line."""
        fields = fields or ("table", "kind")
        names = [*fields, *Tally._fields]
        total = ("total", *("" for _ in fields[1:]), *self.total)
        lines = [[str(cell) for cell in row] for row in (names, *self.rows(*fields), total)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
        return "\n".join(
            "  ".join(
                cell.ljust(width) if column < len(fields) else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )

    def __str__(self) -> str:
        return self.text()


def meter(world: World) -> Meter:
    """The meter of everything that ``world`` did so far."""
    again = world.design.metering(world.scenario, world.program)
    for entry in world.log:
        again.perform(entry.action)
    return Meter(again.accesses)


def size(value: Any) -> int:
    """The bytes of a row or of values written: the length of its JSON, a row as its columns, a graph as its list of edges (a node
    without any is paired with null), a template as its definitions by name."""
    return len(json.dumps(_plain(value), separators=(",", ":")))


class Metering:
    """A world at its beginning, whose accesses are counted from now on. ``origins``: the operation that each message and task goes back
    to."""

    def __init__(self, world: World):
        self.world = world
        self.accesses: list[Access] = []
        self.origins: dict[str, int] = {}
        self.sizes: dict[Any, tuple[Any, int]] = {}

    def perform(self, action: Action) -> None:
        """Do it, and note what it asks of the database."""
        world = self.world
        mark = len(world.journal)
        self.before(action)
        entry = world.perform(action)
        parent = world.state["issued"] if action.kind == "operate" else self.origins.get(action.subject, 0)
        moved: set[tuple[int, str]] = set()  # who was there before is not new, though it was taken out and put back
        for table, name, old in world.journal[mark:] if action.kind != "crash" else ():  # what comes back is called as it was
            if (table is world.bag or table is world.tasks) and (id(table), name) not in moved:
                moved.add((id(table), name))
                if old is MISSING and name in table:
                    self.origins[name] = parent
        self.after(entry)

    def before(self, action: Action) -> None:
        """Note what the effect will do that a task stands before. An action that only holds something back does nothing."""
        world, name = self.world, action.subject
        node = world.nodes.get(name)
        effect: Any = None if node is None else node.effect
        if not fx.is_database(effect) or action.kind not in ACCESSING:
            return
        task = world.tasks[name]
        common = (task.handler, name, self.origins.get(name, 0))
        whole = type(effect) is fx.Transaction
        table = "" if whole else effect.table.name
        known = world.split.get(name, ())
        inside, result = statements(world.database, effect, known)
        written = {one.effect.table.name for one in inside if type(one.effect) not in (fx.Read, fx.Query)}
        apart = ", ".join(sorted((written | {effect.step}) & world.design.apart))
        if action.kind == "abort":
            self.accesses.append(Access(effect.step, _kind(effect), table, *common, "Aborted", apart=apart))
            return
        lost = "Disconnected" if action.kind == "disconnect" and type(result) is not fx.Thrown else ""
        outcome = lost or (type(result.exception).__name__ if type(result) is fx.Thrown else "done")
        if whole and action.kind not in SPLITS:
            self.accesses.append(Access(effect.step, "transaction", "", *common, outcome, apart=apart))
        done = splits(world.database, effect)[action.kind] if action.kind in SPLITS else len(inside)
        found: set[Any] = set()  # what the queries of a union have asked for and found
        mine = len(self.accesses)
        for one in inside[len(known) : done]:
            if not is_sent(one.effect, one.result, ((w.before, w.after) for w in one.writes)):
                continue
            numbers = self._measure(one)
            joined = getattr(one.effect, "joined", False) and len(self.accesses) > mine  # else there is nothing to be joined to
            if type(one.effect) is fx.Query:
                found = {*(found if joined else ()), *([tuple(one.effect.where.values())] if one.result else ())}
            if joined:
                last = self.accesses.pop()
                rows = len(found) if type(one.effect) is fx.Query else last.rows
                ended = "matched" if rows else "missed"
                self.accesses.append(last._replace(rows=rows, read=last.read + numbers[1], outcome=ended))
                continue
            ended = lost if lost and not whole else _ended(one.result, numbers[0])
            step, kind = one.effect.step or effect.step, _kind(one.effect)
            self.accesses.append(Access(step, kind, one.effect.table.name, *common, ended, *numbers, whole, apart))

    def after(self, entry: Entry) -> None:
        """A model has been looked at before."""

    def _measure(self, one: Statement) -> tuple[int, int, int]:
        """Rows, bytes read and bytes written of a statement."""
        if type(one.result) is fx.Thrown:
            return 0, 0, 0
        match one.effect:
            case fx.Read():
                return (0, 0, 0) if one.result is None else (1, self._size(one.result), 0)
            case fx.Query():
                return len(one.result), sum(map(self._size, one.result)), 0
            case fx.Insert():
                return 1, 0, self._size(one.writes[0].after)
            case fx.Update(_, _, _, values, _):
                written = size(values) if isinstance(values, dict) else self._size(values)
                return (1, 0, written) if one.result else (0, 0, 0)
            case _:
                return one.result, 0, 0

    def _size(self, row: Any) -> int:
        key = exact(self.sizes, row, itemgetter(0))  # the text of True is longer than that of 1
        if key not in self.sizes:
            self.sizes[key] = row, size(row)
        return self.sizes[key][1]


def accesses_of(world: World, entry: Entry) -> int:
    """How many accesses to the database the last action of a world was, which has this entry: one or none."""
    effect: Any = None if entry.before is None else entry.before.effect
    if entry.after is None or not fx.is_database(effect):
        return 0
    if not getattr(effect, "compared", False) or entry.action.kind == "abort":
        return 1
    rows, result = world.database.rows[effect.table], None if entry.action.kind == "disconnect" else entry.after.result
    return is_sent(effect, result, ((old, rows.get(key)) for table, key, old in world.journal[world.marks[-1] :] if table is rows))


def is_sent(effect: Any, result: Any, writes: Iterable[tuple[Any, Any]]) -> bool:
    """Whether a statement is sent to the database at all; ``writes``: the rows that it wrote, before and after (``Update.compared``)."""
    spares = type(effect) is fx.Update and effect.compared and type(result) is not fx.Thrown
    return not spares or any(before != after for before, after in writes)


def _kind(effect: Any) -> str:
    conditional = type(effect) is fx.Update and effect.where
    return "compare-and-set" if conditional else type(effect).__name__.lower()


def _ended(result: Any, rows: int) -> str:
    if type(result) is fx.Thrown:
        return type(result.exception).__name__
    return "matched" if rows else "missed"


def _tally(accesses: Iterable[Access]) -> Tally:
    numbers = [0] * len(Tally._fields)
    for a in accesses:
        statement = a.kind != "transaction"
        one = (not a.inside, statement, a.outcome == "matched", a.outcome == "missed", a.rows, a.read, a.written)
        numbers = [n + m for n, m in zip(numbers, one, strict=True)]
    return Tally(*numbers)


def _plain(value: Any) -> Any:
    """``value`` as JSON has it."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if hasattr(value, "_fields"):
        return {name: _plain(getattr(value, name)) for name in value._fields}
    if isinstance(value, Template):
        return {name: _plain(value[name]) for name in value.names}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(map(_plain, value), key=json.dumps)
    if hasattr(value, "nodes") and hasattr(value, "edges"):
        joined = {node for edge in value.edges for node in edge}
        pairs = [*value.edges, *((node, None) for node in value.nodes if node not in joined)]
        return sorted(map(_plain, pairs), key=json.dumps)
    return str(value)


__all__ = ["FIELDS", "Access", "Meter", "Metering", "Tally", "meter", "size"]
