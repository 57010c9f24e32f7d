"""What a database is to the port: Heat's tables, empty at the beginning of each run, and read past Heat after each action."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from heatproof.model.errors import HeatproofError
from heatproof.ports.heat import statements
from heatproof.ports.heat.databases.choice import SERVERS, Choice

PATIENCE = 60.0
"""Seconds after which a server is given up that neither answers nor is kept from it by a task of the run."""

WAITED = ("LockNotAvailable", 1205)
"""What the drivers of PostgreSQL and MariaDB say when a lock was not to be had in time: a class, and a number."""

NEVER = -1
"""Instead of after an hour, as oslo.db has it: what is in SQLite's memory is gone with its connection."""


class Database:
    """One database in this process.

    - ``manager`` is what Heat's own context manager is given the connections of; ``engine`` is SQLAlchemy's.
    - ``sentence`` says in one line what runs: the server with its version, the isolation level, the grain.
    """

    choice: Choice
    sentence: str

    def __init__(self, url: str, **settings: Any):
        import sqlalchemy
        from heat.db import models
        from oslo_db.sqlalchemy import enginefacade

        for table in models.BASE.metadata.tables.values():
            keys = list(table.primary_key.columns)
            if len(keys) == 1 and isinstance(keys[0].type, sqlalchemy.Integer):
                table.dialect_options["sqlite"]["autoincrement"] = True  # else the id of a deleted row is given out again
        self.manager = enginefacade.transaction_context()
        self.manager.configure(connection=url, max_retries=0, connection_recycle_time=NEVER, **settings)
        self.engine = self.manager.writer.get_engine()
        models.BASE.metadata.create_all(self.engine)
        self.tables: list[str] = [table.name for table in models.BASE.metadata.sorted_tables]
        self._written = False
        statements.listen(self.engine)

    def reset(self) -> None:
        """Empty all tables, and have numbers begin with 1 again."""
        raise NotImplementedError

    def changed(self) -> bool:
        """Whether anything was committed since this was last asked."""
        raise NotImplementedError

    def rows(self, query: str) -> Sequence[tuple[Any, ...]]:
        """The rows of a query, as they are committed."""
        raise NotImplementedError

    def close(self) -> None:
        """Give up all connections."""
        self.engine.dispose()

    def note_commits(self) -> None:
        """Have :attr:`_written` set by each commit, for who has no better way to tell a change."""
        from sqlalchemy import event

        event.listen(self.engine, "commit", lambda _connection: self.note_commit())

    def note_commit(self) -> None:
        """Something was committed."""
        self._written = True


def waited(error: BaseException | None) -> bool:
    """Whether an error of SQLAlchemy or oslo.db says that a lock was not to be had in time."""
    while error is not None:
        if type(error).__name__ in WAITED or (error.args and error.args[0] in WAITED):
            return True
        error = getattr(error, "orig", None) or getattr(error, "inner_exception", None)
    return False


def held_elsewhere(kind: str, what: str) -> HeatproofError:
    """Says that ``what`` has waited too long."""
    return HeatproofError(
        f"{what} has waited {PATIENCE:g} seconds for a lock in {SERVERS[kind]}, though nothing else in the run can hold one. Does"
        " anybody else use this database? If not, it is a mistake of the port; please keep the case"
    )
