"""Which columns of the rows of a state an action looks at: states that differ in others have the same outcome.

An action reads rows as wholes, but most of what it reads it does not look at: a check whether an engine stands in a row, a handler that
wants one column, a property that compares two. So the rows that a view hands out tell when a column of theirs is looked at, as the watched
rows of handlers do (model/columns.py), and what is learned of an action says for each row which columns it depends on.

A row that is the result of an effect goes to the handler, which may look at it, and hold it. What it looks at before it stands still again is
noted when it does so for the first time, and kept with the node that it comes to; what it holds counts as looked at where it is live. What
is written counts as looked at as a whole, and so does all that was read when it cannot be said where a row has gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from heatproof.model.columns import ALL, SIMPLE, Watched, watched_kinds
from heatproof.model.effects import Thrown
from heatproof.model.engine_ids import EngineId
from heatproof.model.engines import OpenEngine
from heatproof.model.versions import Version

NOTHING_IN = SIMPLE | {float, bytes, Version, OpenEngine, EngineId}
"""Classes of values that hold no rows."""


class SeenRow(Watched):
    """What all rows are that views hand out. ``_number`` is the column of the unit."""

    __slots__ = ()


class Looks:
    """The rows that were read in one lesson. ``at`` has for each, by the column of its unit, the columns that were looked at, as bits."""

    running = True

    def __init__(self, tables: Iterable[Any]):
        self.kinds = watched_kinds(tables, self, SeenRow)
        self.at: dict[int, int] = {}
        self.rows: list[Any] = []
        self.sent_as: Any = (
            None  # what a handler was sent, and of each row in it the column of its unit, if it is a row of the state
        )
        self.sent: tuple[int | None, ...] = ()

    def begin(self) -> None:
        """Another lesson begins."""
        self.at, self.rows, self.sent = {}, [], ()

    def row(self, column: int, row: Any) -> Any:
        """What is handed out for the row of a unit, by its column."""
        kind = self.kinds.get(type(row))
        if kind is None:
            self.at[column] = ALL
            return row
        seen = tuple.__new__(kind, row)
        seen._number = column
        self.at[column] = 0
        self.rows.append(seen)
        return seen

    # ------------------------------------------------------------------------------------------------- for watched rows

    def new(self, kind: type[Any], items: Iterable[Any]) -> Any:
        """A row that was made of one of these is a row like any other."""
        return tuple.__new__(kind._kind, items)

    def looked(self, row: Any, columns: int) -> None:
        """Columns of a row, as bits, were looked at."""
        at, number = self.at, row._number
        at[number] = at.get(number, 0) | columns & row._every

    def copied(self, old: Any, _new: Any, _columns: int) -> None:
        """A new row was made of one."""
        self.looked(old, ALL)

    # ------------------------------------------------------------------------------------------------ where rows go

    def plain(self, row: Any) -> Any:
        """One of these as a plain row."""
        return tuple.__new__(row._kind, tuple.__iter__(row))

    def stored(self, value: Any) -> Any:
        """What is written into the state, with plain rows; these have then been looked at."""
        kind = type(value)
        if kind in NOTHING_IN:
            return value
        if isinstance(value, SeenRow):
            self.looked(value, ALL)
            value, kind = self.plain(value), value._kind
        if isinstance(value, tuple):
            items, changed = [], False
            for item in tuple.__iter__(value):
                if type(item) not in NOTHING_IN:
                    plain = self.stored(item)
                    changed, item = changed or plain is not item, plain
                items.append(item)
            if changed:
                return tuple.__new__(kind, items)
        elif kind is frozenset:
            pairs = [(item, self.stored(item)) for item in value]
            if any(one is not other for one, other in pairs):
                return frozenset([other for _, other in pairs])
        return value

    def result(self, result: Any) -> Any:
        """What a handler is sent, with plain rows; from which units they are is kept in ``sent``, in the order in which they become watched
        rows (:meth:`heatproof.model.columns.Rows.watch`)."""
        if type(result) in NOTHING_IN:
            return result
        with suppress(
            Exception
        ):  # what a result says of having lost is told (model/watching.py): whatever that looks at is looked at
            getattr(result, "lost", False)
        sent: list[int | None] = []
        self.sent_as = self._result(result, sent)
        self.sent = tuple(sent)
        return self.sent_as

    def _result(self, value: Any, sent: list[int | None]) -> Any:
        kind = type(value)
        if kind in NOTHING_IN:
            return value
        if isinstance(value, SeenRow):
            fresh = any(row is value for row in self.rows)  # else it is kept in something else, and belongs to that
            sent.append(value._number if fresh else None)
            return self.plain(value)
        if isinstance(value, tuple) and kind not in self.kinds and kind is not Thrown:
            items = [self._result(item, sent) for item in tuple.__iter__(value)]
            if any(one is not other for one, other in zip(items, tuple.__iter__(value), strict=True)):
                return tuple.__new__(kind, items)
            return value
        if kind in self.kinds:
            sent.append(None)
        if not self._without_rows(value):
            self.everything()
        return value

    def _without_rows(self, value: Any) -> bool:
        """Whether there is certainly no row of the state in a value: it is simple, or made of what is, or stands in a row itself."""
        if type(value) in NOTHING_IN:
            return True
        if isinstance(value, SeenRow):
            return False
        if type(value) is Thrown:
            return not vars(value.exception) and all(map(self._without_rows, value.exception.args))
        if isinstance(value, tuple):
            return all(map(self._without_rows, tuple.__iter__(value)))
        if type(value) in (list, set, frozenset):
            return all(map(self._without_rows, value))
        return any(item is value for row in self.rows for item in tuple.__iter__(row))

    def everything(self) -> None:
        """Nobody can say what was looked at of what was read so far."""
        self.at = dict.fromkeys(self.at, ALL)

    def held(self, result: Any, bits: Iterable[int]) -> None:
        """Which columns the handler has looked at, or will, of each row that it was sent, as bits. ``result``: what was sent when that was found
        out, which is equal; where it is of other classes, nobody can say what was looked at."""
        if not self._of_one_kind(result, self.sent_as):
            self.everything()
            return
        for column, looked in zip(self.sent, bits, strict=True):
            if column is not None:
                self.at[column] |= looked

    def _of_one_kind(self, one: Any, other: Any) -> bool:
        if type(one) is not type(other):
            return False
        if type(one) in self.kinds or not isinstance(one, tuple):
            return True
        return all(map(self._of_one_kind, tuple.__iter__(one), tuple.__iter__(other)))

    def written(self, rows: Any) -> None:
        """The rows of a table, which is a view, that were written count as looked at."""
        for key in rows.dirty:
            column = rows.column(key)
            if column in self.at:
                self.at[column] = ALL
