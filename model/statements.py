"""The statements of a database effect, one by one, looked at without leaving a trace: what a transaction would do inside."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, NamedTuple

from heatproof.model import effects as fx
from heatproof.model.bodies import unchanged
from heatproof.model.database import MISSING, Database


class Write(NamedTuple):
    """A row that a statement wrote: its key, and the row before and after (None: it was not there, or is gone)."""

    key: fx.Key
    before: fx.Row | None
    after: fx.Row | None


class Statement(NamedTuple):
    """A read, query, insert, update or delete: the effect, its result, the row that an update met under its key, what was written."""

    effect: Any
    result: Any
    met: fx.Row | None
    writes: tuple[Write, ...]


def statements(
    database: Database, effect: Any, known: tuple[Any, ...] = (), outbox: list[fx.Send] | None = None
) -> tuple[list[Statement], Any]:
    """What ``effect`` would do if it were done now, and the result of the whole; nothing is changed.

    ``known``: results of the first statements, of a transaction that was split after them; these write nothing. ``outbox``: takes what a transaction
    would send.
    """
    seen: list[Statement] = []
    journal = database.journal

    def body(*args: Any) -> fx.Body:
        gen = effect.body(*args) if type(effect) is fx.Transaction else _alone(effect)
        result: Any = None
        while True:
            try:
                inner = gen.throw(result.exception) if type(result) is fx.Thrown else gen.send(result)
            except StopIteration as stop:
                return stop.value
            if isinstance(inner, fx.Send):
                result = yield inner
                continue
            mark = len(journal)
            met = database.rows.get(inner.table, {}).get(inner.key) if type(inner) is fx.Update else None
            try:
                result = yield inner
            except fx.Escape as error:
                result = fx.Thrown(error)
            rows = database.rows.get(inner.table)
            writes = [
                Write(key, None if old is MISSING else old, table.get(key)) for table, key, old in journal[mark:] if table is rows
            ]
            seen.append(Statement(inner, result, met, tuple(writes)))

    mark = len(journal)
    with unchanged(effect) if type(effect) is fx.Transaction else nullcontext():
        whole = database.transact(fx.Transaction(effect.step, body, getattr(effect, "args", ())), known, outbox=outbox)
    database.rollback(mark)
    return seen, whole


def _alone(effect: Any) -> fx.Body:
    return (yield effect)


__all__ = ["Statement", "Write", "statements"]
