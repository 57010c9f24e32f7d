"""SQLite in memory: what runs where nothing else is asked. Foreign keys are enforced, and no id is given out twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from heatproof.ports.heat.databases.base import Database
from heatproof.ports.heat.databases.choice import Choice


class Embedded(Database):
    """Tables on the one connection that there is. They are put back by copying an empty database over it, in memory."""

    sentence = "SQLite in memory; one action is one transaction, and no two run at the same time (serializable)"

    def __init__(self) -> None:
        self.choice = Choice()
        super().__init__("sqlite://", sqlite_fk=True)
        self.connection = self.engine.raw_connection().driver_connection
        self.empty: bytes = self.connection.serialize()
        self._changes = -1

    def reset(self) -> None:
        """Copy the empty one over it."""
        self.connection.deserialize(self.empty)
        self._changes = -1

    def changed(self) -> bool:
        """SQLite counts."""
        before, self._changes = self._changes, self.connection.total_changes
        return before != self._changes

    def rows(self, query: str) -> Sequence[tuple[Any, ...]]:
        """On the same connection: no transaction is open while anybody looks."""
        found: Sequence[tuple[Any, ...]] = self.connection.execute(query).fetchall()
        return found
