"""MariaDB: a database of this process's own on a server. One action is one transaction; points in time are whole seconds there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from multiprocessing.util import Finalize
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from heatproof.model.errors import HeatproofError
from heatproof.ports.heat.databases import base
from heatproof.ports.heat.databases.base import Database
from heatproof.ports.heat.databases.choice import Choice

PREFIX = "heatproof_run_"
"""Databases of this name are ours: they are made for a process and go with it."""

LATCH = "heatproof"
"""The lock that is held while databases are made or taken away."""


def connect(url: str) -> Any:
    """A connection on which each statement is a transaction. Raises :class:`HeatproofError` if there is no driver, or no MariaDB there."""
    try:
        import pymysql
    except ImportError as error:
        raise HeatproofError("MariaDB needs its driver: pip install 'heatproof[heat,mariadb]'") from error
    at = urlsplit(url)
    host = at.hostname or "localhost"
    try:
        connection = pymysql.connect(
            host=host, port=at.port or 3306, user=unquote(at.username or ""), password=unquote(at.password or ""),
            autocommit=True, charset="utf8mb4", init_command=f"SET SESSION lock_wait_timeout = {max(1, round(base.PATIENCE))}",
        )  # fmt: skip
    except (pymysql.Error, RuntimeError) as error:
        raise HeatproofError(f"MariaDB at {host} cannot be used: {error.args[-1]}") from error
    version = connection.get_server_info()
    if "MariaDB" not in version:
        raise HeatproofError(f"the server at {host} is MySQL {version}; only MariaDB has been tried")
    return connection


class MariaDB(Database):
    """Tables in a database of their own. Raises :class:`HeatproofError` if there is no driver, no server at ``url``, or no right to make
    databases there."""

    def __init__(self, url: str, choice: Choice):
        self.choice = choice
        self._reader = connect(url)
        try:
            self.name = self._make()
            self._reader.select_db(self.name)
            self._do("SELECT RELEASE_LOCK(%s)", LATCH)
        except self._reader.Error as error:
            raise HeatproofError(f"MariaDB at {urlsplit(url).hostname} cannot be used: {error.args[-1]}") from error
        level = choice.isolation.replace("-", " ")
        settings = f"tx_isolation = '{level.replace(' ', '-').upper()}', innodb_lock_wait_timeout = {max(1, round(base.PATIENCE))}"
        query = f"init_command={quote(f'SET SESSION {settings}')}&charset=utf8mb4"
        super().__init__(urlunsplit(urlsplit(url)._replace(scheme="mysql+pymysql", path=f"/{self.name}", query=query)))
        self.note_commits()
        version = self._reader.get_server_info().removeprefix("5.5.5-").partition("-")[0]
        self.sentence = f"MariaDB {version}, isolation level {level}; one action is one transaction"
        self._do("SET SESSION foreign_key_checks = 0")
        self._finalizer = Finalize(self, _drop, (self._reader, self.engine, self.name, os.getpid()), exitpriority=10)

    def _make(self) -> str:
        """Make the database, and take away those that processes which were killed have left; the lock is then ours."""
        self._do("SELECT GET_LOCK(%s, 60)", LATCH)
        used = {row[0] for row in self._do("SELECT DISTINCT db FROM information_schema.processlist WHERE db IS NOT NULL")}
        for (left,) in self._do("SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE %s", PREFIX + "%"):
            if left not in used:
                self._do(f"DROP DATABASE IF EXISTS `{left}`")
        name = f"{PREFIX}{self._reader.thread_id()}"
        self._do(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci")  # as Heat's own set-up says
        return name

    def _do(self, text: str, *values: Any) -> Sequence[tuple[Any, ...]]:
        with self._reader.cursor() as cursor:
            cursor.execute(text, values or None)
            found: Sequence[tuple[Any, ...]] = cursor.fetchall()
            return found

    def reset(self) -> None:
        """Empty the tables that are not, and have their numbers begin with 1 again."""
        counted = "SELECT table_name FROM information_schema.tables WHERE table_schema = %s AND auto_increment > 1"
        try:
            for name in self.tables:
                self._do(f"DELETE FROM `{name}`")
            for (name,) in self._do(counted, self.name):
                self._do(f"ALTER TABLE `{name}` AUTO_INCREMENT = 1")
        except self._reader.Error as error:
            if base.waited(error):
                raise base.held_elsewhere(self.choice.kind, "emptying the tables") from error
            raise HeatproofError(f"MariaDB cannot be used any more: {error.args[-1]}") from error
        self._written = False

    def changed(self) -> bool:
        """Commits are counted here: nobody else writes to this database."""
        before, self._written = self._written, False
        return before

    def rows(self, query: str) -> Sequence[tuple[Any, ...]]:
        """On a connection that sees what is committed."""
        return self._do(query)

    def close(self) -> None:
        """Take the database away."""
        self._finalizer()


def _drop(reader: Any, engine: Any, name: str, process: int) -> None:
    import pymysql

    if os.getpid() != process:
        return
    try:
        engine.dispose()
        with reader.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
        reader.close()
    except pymysql.Error:
        pass  # the server is gone, or will be told by the next process that makes one
