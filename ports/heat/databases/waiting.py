"""The grain of one SQL statement, with real lock waits, on PostgreSQL.

Each statement and each commit is a point. A task keeps its connection and its open transaction while others run, so a statement may
have to wait for a lock that another holds. The driver lets us wait instead of itself: while the server says that a statement is blocked
(``pg_blocking_pids``), its task stands still, and it is no choice of the scheduler's.

Rules of this file:

1. A waiter is asked about only when it has settled: either its answer is there or it is blocked (again). Between the end of one
   transaction and the wake-up of whoever waited for it there is a short time in which it is neither, and he may block the next in the
   queue for as long; what is seen then is chance. So all are asked until nothing changes any more.
2. Who closes a circle of waiting tasks is the one that is sent away (``deadlock detected``): not whose timer runs out first.
3. A task that is given up while it waits has its connection ended on the server too, as when a process dies and its kernel closes it.
4. Transactions that are no actions of their own wait like the others: what they write refers to rows that another may have locked.
5. Whom something blocks that is no task of the run, so that nothing in the run can end it, is not waited for longer than
   :data:`base.PATIENCE`: the run ends with an error that says who waits for what.
"""

from __future__ import annotations

import select
import sys
import time
from typing import TYPE_CHECKING, Any

from heatproof.model import effects as fx
from heatproof.model import interrupting
from heatproof.model.errors import HeatproofError
from heatproof.ports.heat import hub, places, statements
from heatproof.ports.heat.databases import base
from heatproof.ports.heat.hub import Activity

if TYPE_CHECKING:
    from heatproof.ports.heat.databases.postgresql import PostgreSQL

GLANCE = 0.002
"""Seconds that an answer may take before the server is asked whether the statement is blocked."""


class Waiter:
    """A statement of an activity that waits for a lock: its connection, and whether it is the one to be sent away."""

    __slots__ = ("connection", "database", "pid", "sent_away")

    def __init__(self, database: PostgreSQL, connection: Any):
        self.database = database
        self.connection = connection
        self.pid: int = connection.info.backend_pid
        self.sent_away = False

    def blockers(self) -> frozenset[int]:
        """The server processes that it waits for, once it has settled; empty: its answer is there."""
        last = time.monotonic() + base.PATIENCE
        while not _readable(self.connection, 0.0):
            if found := self.database.blockers(self.pid):
                return found
            refuse_to_wait()
            if time.monotonic() > last:
                raise HeatproofError(f"PostgreSQL did not answer for {base.PATIENCE:g} seconds, and nothing blocks the statement")
            _readable(self.connection, GLANCE)
        return frozenset()


def refuse_to_wait() -> None:
    """Raise :class:`HeatproofError` where the user wants this to end: it may take :data:`base.PATIENCE` otherwise."""
    if interrupting.waits():
        raise HeatproofError("interrupted while a statement waited")


def _readable(connection: Any, seconds: float) -> bool:
    return bool(select.select([connection.fileno()], [], [], seconds)[0])


def listen(database: PostgreSQL) -> None:
    """Make each statement and each commit of Heat's on ``database`` a point, and its lock waits too."""
    from oslo_db import exception
    from psycopg2 import extensions
    from sqlalchemy import event

    def ask(activity: Activity, what: str, reads_only: bool) -> Any:
        access = activity.access
        assert access is not None
        return hub.point(fx.Transaction(f"{access.step}/{what}", access.body, (), reads_only))

    def before(_connection: Any, cursor: Any, text: str, _parameters: Any, _context: Any, _many: bool) -> None:
        activity = hub.current()
        if activity is None:
            return
        activity.connections.add(cursor.connection.info.backend_pid)
        if activity.access is None:
            return
        kind, table = statements.head(text)
        reads = kind in ("select", "other")
        result = ask(activity, f"{kind} {table}".strip(), reads)
        activity.wrote = activity.wrote or not reads
        if type(result) is fx.Thrown:  # the transaction is rolled back either way: nothing of it was committed
            raise exception.DBDeadlock if isinstance(result.exception, fx.Aborted) else exception.DBConnectionError

    def before_commit(connection: Any) -> None:
        """What leaves here early must end the transaction itself: SQLAlchemy takes it for committed."""
        activity = hub.current()
        if activity is None or activity.access is None or not activity.wrote:
            return
        driver = connection.connection.driver_connection
        try:
            result = ask(activity, "commit", False)
        except hub.Killed:
            driver.rollback()
            raise
        activity.committed = activity.sent
        if type(result) is fx.Thrown and isinstance(result.exception, fx.Aborted):
            driver.rollback()
            raise exception.DBDeadlock
        if type(result) is fx.Thrown:
            driver.commit()
            database.note_commit()
            raise exception.DBConnectionError

    event.listen(database.engine, "before_cursor_execute", before)
    event.listen(database.engine, "commit", before_commit)
    extensions.set_wait_callback(lambda connection: _wait(database_of(connection), connection))
    _databases[database.name] = database


_databases: dict[str, PostgreSQL] = {}


def database_of(connection: Any) -> PostgreSQL | None:
    """The database at the grain of a statement to which a connection leads, if it is not one of the port's own there."""
    if hub.current() is None or connection.info.backend_pid == 0:  # which is not connected yet
        return None
    found = _databases.get(connection.info.dbname)
    return None if found is None or found.is_own(connection) else found


def _wait(database: PostgreSQL | None, connection: Any) -> None:
    """Called by the driver where it would wait for the server."""
    from psycopg2 import errors, extensions

    last = time.monotonic() + 2 * base.PATIENCE  # the server itself gives up sooner, but where tasks wait
    while (state := connection.poll()) != extensions.POLL_OK:
        if state == extensions.POLL_WRITE:
            select.select([], [connection.fileno()], [], base.PATIENCE)
        elif not _readable(connection, GLANCE) and database is not None:
            activity = hub.current()
            assert activity is not None
            waiter = Waiter(database, connection)
            try:
                blocked = bool(waiter.blockers())
            except HeatproofError as error:
                activity.broke(error)
                blocked = True
            if blocked and activity.given_up:  # what it still sends comes to nothing, and is not waited for
                database.end(waiter.pid)
                raise hub.Killed
            if blocked:
                _stand(activity, waiter)
                if waiter.sent_away:
                    database.end(waiter.pid)
                    raise errors.DeadlockDetected("deadlock detected")
                last = time.monotonic() + 2 * base.PATIENCE
        if time.monotonic() > last:
            raise errors.LockNotAvailable("the server does not answer")


def _stand(activity: Activity, waiter: Waiter) -> None:
    """Have the task stand still while its statement is blocked."""
    access = activity.access
    if access is None:  # no action of its own, but for this
        access = places.quiet(activity.apart, sys._getframe())
    activity.waiter = waiter
    try:
        hub.point(fx.Transaction(f"{access.step}/wait for a lock", access.body, (), True))
    except hub.Killed:
        waiter.database.end(waiter.pid)
        raise
    finally:
        activity.waiter = None


def settle(activities: list[Activity], newest: Activity | None) -> frozenset[str]:
    """The tasks that are blocked, once all that wait have settled. Where ``newest`` has closed a circle, it is sent away. Raises
    :class:`HeatproofError` where one waits for what none of them holds."""
    waiting = {a.waiter.pid: a for a in activities if a.waiter is not None and not a.waiter.sent_away}
    waiters = [a.waiter for a in waiting.values() if a.waiter is not None]
    held = {pid for activity in activities for pid in activity.connections}
    last = time.monotonic() + base.PATIENCE
    before, blocked_by = None, {waiter.pid: waiter.blockers() for waiter in waiters}
    while blocked_by != before or any(not found <= held for found in blocked_by.values()):
        refuse_to_wait()
        if time.monotonic() > last:
            raise _blocked_by_others(waiting, blocked_by, held)
        before = blocked_by  # one may have been blocked by another that was itself just being answered
        blocked_by = {waiter.pid: waiter.blockers() for waiter in waiters}
    if newest is not None and newest.waiter is not None and newest.waiter.pid in blocked_by:
        pid = newest.waiter.pid
        if pid in _reached(blocked_by, pid):
            newest.waiter.sent_away = True
            del blocked_by[pid]
    return frozenset(waiting[pid].task for pid, blockers in blocked_by.items() if blockers)


def _blocked_by_others(waiting: dict[int, Activity], blocked_by: dict[int, frozenset[int]], held: set[int]) -> HeatproofError:
    """Says which task waits for which server process that is none of the run's."""
    for pid, found in sorted(blocked_by.items()):
        waiter = waiting[pid].waiter
        if waiter is not None and not found <= held:
            others = ", ".join(waiter.database.doing(other) for other in sorted(found - held))
            return HeatproofError(
                f"task {waiting[pid].task!r} has waited {base.PATIENCE:g} seconds for a lock that no task of this run holds, so nothing"
                f" here can end it ({others}). Does anybody else use the database {waiter.database.name}? If not, it is a mistake of"
                " the port; please keep the case"
            )
    return HeatproofError(f"PostgreSQL has said one thing and another for {base.PATIENCE:g} seconds of who waits for whom")


def _reached(blocked_by: dict[int, frozenset[int]], start: int) -> set[int]:
    """The processes that ``start`` waits for, directly or through others."""
    found: set[int] = set()
    todo = list(blocked_by[start])
    while todo:
        pid = todo.pop()
        if pid not in found:
            found.add(pid)
            todo.extend(blocked_by.get(pid, ()))
    return found


__all__ = ["Waiter", "listen", "settle"]
