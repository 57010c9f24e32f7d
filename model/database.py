"""The database: tables of frozen rows, and how each database effect is done. One effect is one transaction.

Everything that changes goes through a journal of ``(dictionary, key, old value)``, so that a world can undo it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from types import GeneratorType
from typing import Any

from heatproof.model.columns import plain_kind
from heatproof.model.effects import (
    Delete,
    Duplicate,
    Escape,
    ForeignKeyError,
    Insert,
    Key,
    Query,
    Read,
    Row,
    Send,
    Table,
    Thrown,
    Transaction,
    Update,
)
from heatproof.model.engine_ids import EngineId, look_for_made_up
from heatproof.model.errors import PASSING, DesignError, NeverYields, place_of_error, raised, spelt
from heatproof.model.in_order import InOrder, in_order
from heatproof.model.watchdog import RUNNING, Stuck
from heatproof.model.wellformed import mismatch, mistake, moves

ADDRESSEES = (str, type(None))
"""Classes of what a message is for, of which nothing needs to be asked."""

LONGEST = 10_000
"""Effects in one transaction, after which it is said not to end."""

Journal = list[tuple[dict[Any, Any], Any, Any]]


class _Missing:
    """Stands in a journal for 'was not there'."""

    def __repr__(self) -> str:
        return "missing"


MISSING = _Missing()


class Database:
    """The tables of one world. ``rows[table]`` maps keys to rows; treat it as read-only."""

    def __init__(self, tables: Iterable[Table], journal: Journal):
        self.rows: dict[Table, dict[Key, Row]] = {table: InOrder() for table in tables}
        if len({table.name for table in self.rows}) < len(self.rows):
            raise DesignError(f"two tables have the same name; the tables are {', '.join(map(repr, self.rows))}")
        for table in self.rows:
            for column, other in table.references.items():
                if other not in self.rows:
                    raise DesignError(f"{table}.{column} refers to table {other}, which the design does not list among its tables")
        self.used: dict[tuple[str, Key], int] = {}  # how often each text key was ever inserted
        self.foreign_keys = True  # whether they are enforced
        self.journal = journal
        self._indexes: dict[Table, dict[tuple[str, Any], list[Key]]] = {}

    def read(self, effect: Read) -> Row | None:
        """The row of that key, or None."""
        row = self.rows[effect.table].get(effect.key)
        if row is None and (wrong := mismatch(effect.table, effect.key)):
            raise DesignError(f"step {effect.step}: {wrong}")
        return row

    def query(self, effect: Query) -> tuple[Row, ...]:
        """The matching rows in the order of their keys."""
        table, where, unless = effect.table, effect.where, effect.unless
        rows = self.rows[table]
        keys: list[Any] = [  # put in order after a look at each row: most tables are large, and most answers are not
            key
            for key in self._candidates(table, where)
            if _matches(rows[key], where) and not (unless and _matches(rows[key], unless))
        ]
        keys.sort()
        return tuple([rows[key] for key in keys])

    def insert(self, effect: Insert) -> Key | Thrown:
        """Store the row; the key it got."""
        table, row = effect.table, effect.row
        if plain_kind(row) is not table.row:
            raise DesignError(f"step {effect.step}: a row for table {table} must be a {table.row.__name__}, not {row!r:.200}")
        if table.references and self.foreign_keys and (broken := self._dangling(table, None, row)):
            return broken
        rows, key = self.rows[table], table.key_of(row)
        if isinstance(key, str) and isinstance(table.key, str):
            fresh = self._next_name(table.name, key)
            if fresh != key:
                key = fresh
                row = row._replace(**{table.key: key})
        elif key in rows:
            return Thrown(Duplicate(table.name, key))
        self._indexes.pop(table, None)
        self.journal.append((rows, key, MISSING))
        rows[key] = row
        return key

    def update(self, effect: Update) -> int | Thrown:
        """Write the row if it is there and matches; how many rows matched."""
        table, key, where = effect.table, effect.key, effect.where
        rows = self.rows[table]
        row = rows.get(key)
        if row is None and (wrong := mismatch(table, key)):
            raise DesignError(f"step {effect.step}: {wrong}")
        if row is None or (where and not _matches(row, where)):
            return 0
        values = effect.values
        if isinstance(values, dict):
            new = row._replace(**values)
        elif plain_kind(values) is table.row:
            new = values
        else:
            raise DesignError(
                f"step {effect.step}: an update of table {table} takes a dict or a {table.row.__name__}, not {values!r:.200}"
            )
        if (type(values) is not dict or not values.keys().isdisjoint(table.key_columns)) and (wrong := moves(table, key, values)):
            raise DesignError(f"step {effect.step}: {wrong}")
        if table.references and self.foreign_keys and (broken := self._dangling(table, row, new)):
            return broken
        if table in self._indexes and any(getattr(row, c) != getattr(new, c) for c in table.index):
            del self._indexes[table]
        self.journal.append((rows, key, row))
        rows[key] = new
        return 1

    def delete(self, effect: Delete) -> int | Thrown:
        """Delete the matching rows; how many."""
        table, where = effect.table, effect.where
        rows = self.rows[table]
        keys = in_order([key for key in self._candidates(table, where) if _matches(rows[key], where)])
        if keys:
            for other, column in table.referred if self.foreign_keys else ():
                gone = set(keys)
                left = (row for key, row in self.rows.get(other, {}).items() if other is not table or key not in gone)
                if any(getattr(row, column) in gone for row in left):
                    return Thrown(ForeignKeyError(f"{other}.{column}", "refers to", table.name))
            self._indexes.pop(table, None)
        for key in keys:
            self.journal.append((rows, key, rows[key]))
            del rows[key]
        return len(keys)

    def transact(
        self, effect: Transaction, known: tuple[Any, ...] = (), stop_after: int | None = None, outbox: list[Send] | None = None
    ) -> Any:
        """Run a transaction's body in one go.

        ``outbox``: what the body sends is added to it, for the caller to post. ``known``: results of its first effects, if it was
        split before. ``stop_after``: run only so many effects and return the tuple of their results instead (to split it). An
        exception that leaves the body undoes what it wrote.
        Raises :class:`DesignError` for a body that is no generator function, does not end, or raises anything but an Escape.
        """
        results: list[Any] = []
        RUNNING.what = results
        try:
            return self._transact(effect, results, known, stop_after, outbox)
        except Stuck as stuck:
            raise NeverYields(
                f"{stuck}: the transaction of step {effect.step} runs without yielding and does not end; between two yields it may only"
                " compute"
            ) from None
        finally:
            RUNNING.what = None

    def _transact(
        self, effect: Transaction, results: list[Any], known: tuple[Any, ...], stop_after: int | None, outbox: list[Send] | None
    ) -> Any:
        body = effect.body(*effect.args)
        if type(body) is not GeneratorType and not isinstance(body, Generator):
            raise DesignError(
                f"step {effect.step}: the body of a transaction must be a generator function, and {effect.body!r} returned {body!r:.200}"
            )
        mark = len(self.journal)
        result: Any = None
        while True:
            try:
                inner = body.throw(result.exception) if type(result) is Thrown else body.send(result)
            except StopIteration as stop:
                return stop.value
            except Escape as error:
                self.rollback(mark)
                return Thrown(error)
            except PASSING:
                raise
            except BaseException as error:
                what = raised(error)
                raise DesignError(
                    f"{place_of_error(error)}: the transaction of step {effect.step} raised {spelt(what)}; an exception"
                    " that is meant to leave it must be a subclass of heatproof.model.effects.Escape"
                ) from error
            if EngineId.doubted:  # of all other effects it is seen where handlers stand before them
                look_for_made_up(inner)
            if type(inner) is Send:
                odd = type(inner.args) is not tuple or type(inner.to) not in ADDRESSEES
                if odd and (wrong := mistake(inner)):
                    raise DesignError(f"{_line(body)}: step {effect.step}: Send: {wrong}")
                if outbox is not None:
                    outbox.append(inner)
                result = None
            elif len(results) < len(known):
                result = known[len(results)]
            else:
                method = _METHODS.get(type(inner))
                if method is None:
                    raise DesignError(
                        f"{_line(body)}: step {effect.step}: a transaction may contain Read, Query, Insert, Update, Delete and Send, not"
                        f" {inner!r:.200}"
                    )
                try:
                    result = method(self, inner)
                except (AttributeError, KeyError, TypeError, ValueError) as error:
                    wrong = mistake(inner, tables=self.rows) or repr(error)
                    raise DesignError(f"{_line(body)}: step {effect.step}: {type(inner).__name__}: {wrong}") from error
                except DesignError as error:
                    raise DesignError(f"{_line(body)}: {error}") from error
            if type(inner) is not Send:
                results.append(result)
            if len(results) > LONGEST:
                raise DesignError(f"step {effect.step}: a transaction of more than {LONGEST} effects does not seem to end")
            if stop_after is not None and len(results) >= stop_after:
                body.close()
                return tuple(results)

    def rollback(self, mark: int) -> None:
        """Undo everything after position ``mark`` of the journal."""
        undo(self.journal, mark)
        self.forget_indexes()

    def forget_indexes(self) -> None:
        """Must be called when rows were changed from outside (by an undo)."""
        if self._indexes:
            self._indexes.clear()

    def _next_name(self, table: str, key: str) -> str:
        used = self.used
        times = used.get((table, key), 0) + 1
        name = key
        if times > 1:
            while (table, name := f"{key}#{times}") in used:
                times += 1
            self._use(table, name, 1)
        self._use(table, key, times)
        return name

    def _use(self, table: str, key: str, times: int) -> None:
        self.journal.append((self.used, (table, key), self.used.get((table, key), MISSING)))
        self.used[table, key] = times

    def _dangling(self, table: Table, old: Row | None, new: Row) -> Thrown | None:
        for column, other in table.references.items():
            value = getattr(new, column)
            if value is None or (old is not None and getattr(old, column) == value):
                continue
            if value not in self.rows[other]:
                return Thrown(ForeignKeyError(f"{table}.{column}", value, f"is not in {other}"))
        return None

    def _candidates(self, table: Table, where: Mapping[str, Any]) -> Iterable[Key]:
        """The keys of the rows that may match, in no order."""
        columns = [c for c in table.index if c in where]
        rows: Any = self.rows[table]
        plain: Any = dict if type(rows) is InOrder else type(rows)  # which need not be put in order for this
        if not columns:
            return list(plain.keys(rows))
        index = self._indexes.get(table)
        if index is None:
            index = {}
            for key, row in plain.items(rows):
                for column in table.index:
                    index.setdefault((column, getattr(row, column)), []).append(key)
            self._indexes[table] = index
        return min((index.get((column, where[column]), []) for column in columns), key=len)


def _line(body: Any) -> str:
    """Where the body of a transaction, a generator, stands."""
    frame = body.gi_frame
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _matches(row: Row, where: Mapping[str, Any]) -> bool:
    for column, value in where.items():  # noqa: SIM110  # a loop is twice as fast as all() here
        if getattr(row, column) != value:
            return False
    return True


def undo(journal: Journal, mark: int) -> None:
    """Put back every old value after position ``mark``, latest first."""
    while len(journal) > mark:
        dictionary, key, old = journal.pop()
        if old is MISSING:
            del dictionary[key]
        else:
            dictionary[key] = old


_METHODS: dict[type[Any], Any] = {
    Read: Database.read,
    Query: Database.query,
    Insert: Database.insert,
    Update: Database.update,
    Delete: Database.delete,
}
