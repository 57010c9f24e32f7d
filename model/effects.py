"""What a handler may yield: one effect is one atomic access to the shared world.

Rules of this file:

1. An effect is a value. It says what is to be done and where it stands in the text of the design (``step``); the world does it.
2. The first field of every effect is the step id that a reader finds again in the description of the algorithm.
3. Nothing here knows any design.

A handler is a generator function: ``row = yield Read("W-4", RESOURCE, key)``. What the effect's docstring calls its *result* is
what the ``yield`` evaluates to. Results are immutable and hashable, since a task's state is the history of its results.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Mapping
from typing import Any, NamedTuple

Key = Hashable
Row = Any  # a NamedTuple class of the design's own

Handler = Generator["Effect", Any, Any]
Body = Generator["DatabaseEffect | Send", Any, Any]


class Table:
    """A database table: a name and the NamedTuple class of its rows.

    ``key`` names the column (or the columns, as a tuple) that hold the row's key; ``index`` names columns that are
    often asked for by equality, which makes such queries cost what they find instead of the whole table; ``references`` are its
    foreign keys, column to table: writing a key that is not there, or deleting a row that is referred to, raises
    :class:`ForeignKeyError` in the handler.
    """

    __slots__ = ("columns", "index", "key", "key_columns", "key_places", "name", "references", "referred", "row")

    def __init__(
        self,
        name: str,
        row: type[Any],
        key: str | tuple[str, ...] = "id",
        index: tuple[str, ...] = (),
        references: Mapping[str, Table] | None = None,
    ):
        self.name = name
        self.references: dict[str, Table] = dict(references or {})
        self.referred: list[tuple[Table, str]] = []
        self.row = row
        self.key = key
        self.index = index
        if not isinstance(name, str):
            raise ValueError(f"the name of a table is a text, not {name!r:.80}")
        if not hasattr(row, "_fields") or not callable(row):  # no more of a named tuple is needed
            raise ValueError(f"the rows of table {name!r} must be of a NamedTuple class, not {row!r:.80}")
        given: Any = index
        if isinstance(given, str):  # it would be taken letter by letter
            raise ValueError(
                f"the index of table {name!r} is a tuple of columns, not {index!r}; of one column that is ({index!r},)"
            )
        self.columns: tuple[str, ...] = row._fields
        self.key_columns: tuple[str, ...] = (key,) if isinstance(key, str) else key  # always as a tuple
        for column in (*self.key_columns, *index, *self.references):
            if column not in self.columns:
                raise ValueError(f"table {name!r} has no column {column!r}; it has {', '.join(self.columns)}")
        self.key_places: tuple[int, ...] = tuple(map(self.columns.index, self.key_columns))
        for column, other in self.references.items():
            other.referred.append((self, column))

    def key_of(self, row: Row) -> Key:
        """The key of a row of this table."""
        if isinstance(self.key, str):
            return getattr(row, self.key)  # type: ignore[no-any-return]
        return tuple(getattr(row, column) for column in self.key)

    def __repr__(self) -> str:
        return self.name


# ---------------------------------------------------------------------------------------------------- the database


class Read(NamedTuple):
    """Read one row by key. Result: the row, or None.

    ``joined``: inside a transaction, that this is read by the statement before (a join), and so is no statement of its own; it adds
    columns to the rows of that, not rows.
    """

    step: str
    table: Table
    key: Key
    joined: bool = False


class Query(NamedTuple):
    """Read all rows for which every column named in ``where`` has the given value. Result: a tuple of rows, ordered by key.

    ``unless`` excludes rows in which all the columns named there have the given values. ``joined``: as for :class:`Read`, but it is a
    union that this and the query before are parts of: its rows are the different values that were asked for and found.
    """

    step: str
    table: Table
    where: Mapping[str, Any]
    unless: Mapping[str, Any] | None = None
    joined: bool = False


class Insert(NamedTuple):
    """Insert a row under its key. Result: the key.

    Where the key is one text column and the key has been used before (even by a row that is gone), the row gets the next free
    name ``key#2``, ``key#3``, ...: the equivalent of an auto-increment that never repeats. A composite key that is
    taken raises :class:`Duplicate` in the handler.
    """

    step: str
    table: Table
    row: Row


class Update(NamedTuple):
    """Update one row by key if every column in ``where`` has the value given: a compare-and-set when ``where`` is not empty.

    ``values`` is either a mapping of columns or a whole row (a full-row write). Result: the number of rows matched, 0 or 1.
    ``compared``: whoever writes knows the row, and sends no statement where that would change nothing; only the meter heeds it.
    """

    step: str
    table: Table
    key: Key
    values: Mapping[str, Any] | Row
    where: Mapping[str, Any] | None = None
    compared: bool = False


class Delete(NamedTuple):
    """Delete all rows that match ``where`` (columns by equality). Result: the number of rows deleted."""

    step: str
    table: Table
    where: Mapping[str, Any]


class Transaction(NamedTuple):
    """Several database effects as one transaction: ``body(*args)`` is a generator of them, run in one go. It may contain
    :class:`Send` too: messages that are put into the message layer when it commits (an outbox).

    Result: what the body returns. The anomaly faults (PMP, G-single, G2-item, P4) may split it after its first reads.
    ``reads_only``: the body never writes, so that nothing can abort it.
    """

    step: str
    body: Callable[..., Body]
    args: tuple[Any, ...] = ()
    reads_only: bool = False


DatabaseEffect = Read | Query | Insert | Update | Delete

# ------------------------------------------------------------------------------------- messages, tasks, engines, time


class Send(NamedTuple):
    """Put a message into the message layer. ``to`` names one engine; None means any. Result: None.

    A message to an engine that is not there, because it has crashed or there never was one of that name, is lost, as a message to a worker
    is whose queue went with it: nobody is told.
    """

    step: str
    message: str
    args: tuple[Any, ...]
    to: str | None = None


class Spawn(NamedTuple):
    """Start a task in the same engine, beside this one, outside the limit of worker threads. Result: None."""

    step: str
    handler: str
    args: tuple[Any, ...]


class Probe(NamedTuple):
    """Ask whether an engine lives. Result: True or False; the fault *false-dead* makes it False for a live engine."""

    step: str
    engine: str


class Listen(NamedTuple):
    """Register the running task for cancel notices about ``topic`` in its engine, until it ends. Result: None."""

    step: str
    topic: Hashable


class Cancel(NamedTuple):
    """Leave a cancel notice for every task of this engine that listens to ``topic``. Result: None."""

    step: str
    topic: Hashable


class Sleep(NamedTuple):
    """Give way: the default policy goes on with the task only when nothing else can run, and those that give way take turns. Result: None."""

    step: str


class Expired(NamedTuple):
    """Look at the clock: has the time limit called ``topic`` run out? Result: True or False (fault *timeout*)."""

    step: str
    topic: Hashable


# ------------------------------------------------------------------------------------------------------- reality


class Begin(NamedTuple):
    """Begin a physical operation: ``create``, ``update``, ``delete`` or ``check``.

    For ``create``, ``subject`` is the owner (the row it is made for) and the result is the id of the new physical
    resource, "owner.n" for the n-th; for the others ``subject`` is the physical id and the result is True, or False if there is
    no such thing. ``spec`` is a :class:`heatproof.model.reality.Spec` for create and update. ``topic`` is what a time limit
    and a cancel notice for this operation are called; ``cause`` is the traversal (or whatever the design calls its attempts).
    """

    step: str
    operation: str
    subject: str
    spec: Any = None
    cause: str | None = None
    topic: Hashable = None


class Finish(NamedTuple):
    """Wait for the end of the physical operation this task began on ``physical``.

    Result, one of: ``done``, ``failed``, ``conflict`` (retry it), ``not found``, ``cancelled`` (a cancel notice came),
    ``timed out``.
    """

    step: str
    physical: str


class Look(NamedTuple):
    """Look at a physical resource. Result: a :class:`heatproof.model.reality.Physical`, or None if there is none."""

    step: str
    physical: str


Effect = (
    Read | Query | Insert | Update | Delete | Transaction
    | Send | Spawn | Probe | Listen | Cancel | Sleep | Expired
    | Begin | Finish | Look
)  # fmt: skip

DATABASE: tuple[type[Any], ...] = (Read, Query, Insert, Update, Delete, Transaction)
EFFECTS: tuple[type[Any], ...] = (*DATABASE, Send, Spawn, Probe, Listen, Cancel, Sleep, Expired, Begin, Finish, Look)


def is_database(effect: object) -> bool:
    """Whether an effect is an access to the database."""
    return type(effect) in DATABASE


class Refused(NamedTuple):
    """What the handler of an operation returns if it refuses the request: the user is told ``reason``."""

    reason: str


class Me(NamedTuple):
    """What a handler may know of itself: the engine it runs in and the name of its task. Its first argument."""

    engine: str
    task: str


# ----------------------------------------------------------------------------------- what an effect may raise instead


class Escape(Exception):
    """Base of the exceptions that may leave a handler. Any other exception that leaves one is a mistake in the design.

    An escaped exception ends the task and is noted in the history.
    """

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.args == getattr(other, "args", None)

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.args))


class DatabaseError(Escape):
    """Base of what the database may raise in a handler."""


class Aborted(DatabaseError):
    """The transaction was rolled back (deadlock, certification failure); nothing was written."""


class Disconnected(DatabaseError):
    """The connection was lost after the commit: the caller cannot know that everything was written."""


class Duplicate(DatabaseError):
    """The key is taken."""


class ForeignKeyError(DatabaseError):
    """A row would refer to nothing."""


class Thrown(NamedTuple):
    """A result that is raised in the handler instead of being sent."""

    exception: Escape
