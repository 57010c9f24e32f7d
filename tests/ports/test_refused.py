"""What is noted of a statement that the database refuses, where accesses are counted."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from heatproof.ports.heat import installation

if reason := installation.why_not():
    pytest.skip(f"the real engine is not here: {reason}", allow_module_level=True)

import sqlalchemy
from oslo_db.exception import DBError
from oslo_db.sqlalchemy import enginefacade
from sqlalchemy.exc import DBAPIError

from heatproof.ports.heat import hub, statements


@pytest.fixture
def engines() -> Iterator[list[Any]]:
    """Two of one dialect, made as Heat's are, each with a table of one row."""
    made = []
    for _ in range(2):
        manager = enginefacade.transaction_context()
        manager.configure(connection="sqlite://", max_retries=0, sqlite_fk=True)
        made.append(manager.writer.get_engine())
        with made[-1].begin() as connection:
            connection.execute(sqlalchemy.text("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT NOT NULL)"))
            connection.execute(sqlalchemy.text("INSERT INTO t VALUES (1, 'a')"))
        statements.listen(made[-1])
    yield made
    for engine in made:
        engine.dispose()


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM nosuch",  # oslo.db has a name for it and returns what is to be raised
        "INSERT INTO t VALUES (1, 'b')",
        "INSERT INTO t VALUES (2, NULL)",
        "UPDATE t SET nosuch = 1",  # it has none and raises it itself
        "UPDAT t",
    ],
)
def test_each_refused_statement_is_noted_once(engines: list[Any], text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for engine in engines:
        activity: Any = SimpleNamespace(live=SimpleNamespace(metered=True), statements=[], apart="", access=None)
        monkeypatch.setattr(hub, "_current", activity)
        with pytest.raises((DBAPIError, DBError)), engine.begin() as connection:
            connection.execute(sqlalchemy.text(text))
        noted = [(sent[0], sent[2]) for sent in activity.statements if sent[0] not in ("BEGIN", "")]
        assert noted == [(text, statements.FAILED)]
