"""PostgreSQL: a database of this process's own on a server, and the level at which transactions are isolated there."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from multiprocessing.util import Finalize
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from heatproof.model.errors import HeatproofError
from heatproof.ports.heat.databases import base
from heatproof.ports.heat.databases.base import Database
from heatproof.ports.heat.databases.choice import Choice

PREFIX = "heatproof_run_"
"""Databases of this name are ours: they are made for a process and go with it."""

LATCH = 1_802_465_119
"""The advisory lock that is held while databases are made or taken away."""


def connect(url: str, name: str = "heatproof") -> Any:
    """A connection on which each statement is a transaction. Raises :class:`HeatproofError` if there is no driver or no server."""
    try:
        import psycopg2
    except ImportError as error:
        raise HeatproofError("PostgreSQL needs its driver: pip install 'heatproof[heat,postgresql]'") from error
    try:
        connection = psycopg2.connect(urlunsplit(urlsplit(url)._replace(scheme="postgresql")), application_name=name)
    except psycopg2.Error as error:
        raise _unusable(url, error) from error
    connection.autocommit = True
    connection.cursor().execute("SELECT set_config('lock_timeout', %s, false)", [f"{base.PATIENCE * 1000:.0f}"])
    return connection


def _unusable(url: str, error: Exception) -> HeatproofError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return HeatproofError(f"PostgreSQL at {urlsplit(url).hostname or 'the local socket'} cannot be used: {reason}")


_pause = threading.Event().wait
"""Sleeps for real: the scheduler holds ``time.sleep``."""


class PostgreSQL(Database):
    """Tables in a database of their own: rows keep their order only where no other transaction looks at the same database.

    Raises :class:`HeatproofError` if there is no driver, or no server at ``url``, or no right to make databases there.
    """

    def __init__(self, url: str, choice: Choice):
        self.choice = choice
        self._admin = connect(url)
        try:
            self.name = self._make()
            own = urlsplit(url)._replace(scheme="postgresql+psycopg2", path=f"/{self.name}")
            self._reader = connect(urlunsplit(own), "heatproof reads")
            self._admin.cursor().execute("SELECT pg_advisory_unlock(%s)", [LATCH])
        except self._admin.Error as error:
            raise _unusable(url, error) from error
        options = f"-c default_transaction_isolation={choice.isolation.replace('-', chr(92) + ' ')}"
        if not choice.statements:
            options += f" -c lock_timeout={base.PATIENCE * 1000:.0f}"
        query = f"{own.query}&" if own.query else ""
        made = own._replace(query=f"{query}options={quote(options)}")
        super().__init__(urlunsplit(made), max_pool_size=60, max_overflow=40)
        if choice.statements:
            from heatproof.ports.heat.databases import waiting

            waiting.listen(self)
        self.note_commits()
        self._empty = "TRUNCATE {} RESTART IDENTITY".format(", ".join(f'"{name}"' for name in self.tables))
        with self.engine.connect() as connection:
            level = connection.exec_driver_sql("SHOW transaction_isolation").scalar_one()
            version = connection.exec_driver_sql("SHOW server_version").scalar_one().split()[0]
        grain = "one action is one statement, and lock waits are real" if choice.statements else "one action is one transaction"
        self.sentence = f"PostgreSQL {version}, isolation level {level}; {grain}"
        self._finalizer = Finalize(self, _drop, (self._admin, self._reader, self.engine, self.name, os.getpid()), exitpriority=10)

    def _make(self) -> str:
        """Make the database, and take away those that processes which were killed have left; the advisory lock is then ours."""
        cursor = self._admin.cursor()
        cursor.execute("SELECT pg_advisory_lock(%s)", [LATCH])
        cursor.execute(
            "SELECT datname FROM pg_database d WHERE datname LIKE %s AND datdba = (SELECT oid FROM pg_roles WHERE rolname = current_user)"
            " AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid)",
            [PREFIX.replace("_", r"\_") + "%"],
        )
        for (left,) in cursor.fetchall():
            cursor.execute(f'DROP DATABASE IF EXISTS "{left}"')
        name = f"{PREFIX}{self._admin.info.backend_pid}"
        cursor.execute(f"CREATE DATABASE \"{name}\" ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
        return name

    def reset(self) -> None:
        """Truncate."""
        try:
            self._reader.cursor().execute(f"SET lock_timeout = {base.PATIENCE * 1000:.0f}; {self._empty}")
        except self._reader.Error as error:
            if base.waited(error):
                raise base.held_elsewhere(self.choice.kind, "emptying the tables") from error
            raise HeatproofError(f"PostgreSQL cannot be used any more: {' '.join(str(error).split())}") from error
        self._written = False

    def changed(self) -> bool:
        """Commits are counted here: nobody else writes to this database."""
        before, self._written = self._written, False
        return before

    def rows(self, query: str) -> Sequence[tuple[Any, ...]]:
        """On a connection that sees what is committed."""
        cursor = self._reader.cursor()
        cursor.execute(query)
        found: Sequence[tuple[Any, ...]] = cursor.fetchall()
        return found

    # ------------------------------------------------------------------------------------------------------ lock waits

    def is_own(self, connection: Any) -> bool:
        """Whether a connection is one of the port's own, which nobody schedules."""
        return connection is self._admin or connection is self._reader

    def blockers(self, pid: int) -> frozenset[int]:
        """The server processes that a server process waits for."""
        (found,) = self.rows(f"SELECT pg_blocking_pids({pid:d})")
        return frozenset(found[0])

    def end(self, pid: int) -> None:
        """End a server process; its transaction is rolled back when this returns."""
        self.rows(f"SELECT pg_terminate_backend({pid:d})")
        while self.rows(f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid:d}"):
            _pause(0.001)

    def doing(self, pid: int) -> str:
        """What a server process does, in words."""
        for state, client, query in self.rows(f"SELECT state, application_name, query FROM pg_stat_activity WHERE pid = {pid:d}"):
            return f"server process {pid} of {client or 'somebody'}, {state}: {' '.join(query.split())[:200]}"
        return f"server process {pid}, which is gone"

    def close(self) -> None:
        """Take the database away."""
        self._finalizer()


def _drop(admin: Any, reader: Any, engine: Any, name: str, process: int) -> None:
    import psycopg2

    if os.getpid() != process:
        return
    try:
        engine.dispose()
        reader.close()
        admin.cursor().execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.close()
    except psycopg2.Error:
        pass  # the server is gone, or will be told by the next process that makes one
