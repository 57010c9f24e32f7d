"""Which database, which isolation level and which grain: words that are changes of the design, so that cases, reports and stories say them.

``heat-engine`` is SQLite in memory; ``heat-engine+postgresql`` is PostgreSQL, one action a transaction, at the isolation level that is
usual there; ``heat-engine+postgresql+statements+repeatable-read`` is what it says. Where the server is stands in none
of them: it is told by ``--database``, or by the environment variable :data:`VARIABLE`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from heatproof.model.errors import HeatproofError

VARIABLE = "HEATPROOF_DATABASE"
"""Where commands leave the place of the server for their worker processes, and where a user may."""

SERVERS = {"postgresql": "PostgreSQL", "mariadb": "MariaDB"}
"""The databases with a server, by the word for each."""

SCHEMES = {"postgresql": "postgresql", "mariadb": "mariadb", "mysql": "mariadb"}
ISOLATIONS = ("read-committed", "repeatable-read", "serializable")
USUAL = {"sqlite": "", "postgresql": "read-committed", "mariadb": "repeatable-read"}
"""What these servers do unless they are told otherwise, which OpenStack's installation guides do not."""

STATEMENTS = "statements"
DATABASE_WORDS = {
    "postgresql": "its database is PostgreSQL (--database postgresql://...)",
    "mariadb": "its database is MariaDB (--database mysql://...)",
    STATEMENTS: "one action is one SQL statement instead of one transaction, and lock waits are real; on PostgreSQL",
    **{name: f"transactions run at the isolation level {name.replace('-', ' ')}" for name in ISOLATIONS},
}
"""The words about the database, with a sentence each."""

LATE, IN_ORDER = "acknowledge-late", "in-order"
WORDS = {
    **DATABASE_WORDS,
    LATE: "a message is acknowledged after it was handled, and delivered again if its engine dies; Heat acknowledges before",
    IN_ORDER: "messages of one kind are delivered in the order they were sent in; Heat is promised no order",
}
"""All words behind the name of the engine that say where and how it runs, with a sentence each."""


class Choice(NamedTuple):
    """A database: ``kind`` (``sqlite`` or a word of SERVERS), ``isolation`` (a word of ISOLATIONS; empty for SQLite), and whether one
    action is one statement."""

    kind: str = "sqlite"
    isolation: str = ""
    statements: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """The words that say it, in order."""
        kind = () if self.kind == "sqlite" else (self.kind,)
        return (*kind, *((STATEMENTS,) if self.statements else ()), *((self.isolation,) if self.isolation else ()))


def choose(words: Sequence[str]) -> Choice:
    """What the words say. Raises :class:`HeatproofError` for words that do not go together."""
    kinds = [w for w in words if w in SERVERS]
    levels = [w for w in words if w in ISOLATIONS]
    for several in (kinds, levels):
        if len(several) > 1:
            raise HeatproofError(f"{several[0]!r} and {several[1]!r} exclude each other; keep one")
    kind, statements = (kinds or ["sqlite"])[0], STATEMENTS in words
    if statements and kind != "postgresql":
        raise HeatproofError(f"{STATEMENTS!r}, one action a statement, can only be had on PostgreSQL; put 'postgresql' before it")
    if levels and kind == "sqlite":
        raise HeatproofError(
            f"{levels[0]!r} says nothing of SQLite, where one transaction runs at a time; put 'postgresql' or 'mariadb' before it"
        )
    return Choice(kind, levels[0] if levels else USUAL[kind], statements)


def kind_of(url: str) -> str:
    """The word for what serves at ``url``. Raises :class:`HeatproofError` for a URL that is none or names another database."""
    scheme = urlsplit(url).scheme.partition("+")[0]
    if scheme not in SCHEMES:
        raise HeatproofError(
            f"{url.partition('://')[0]!r} is no database that heat-engine can run on; write postgresql://USER@HOST:PORT/DATABASE,"
            " mysql://USER@HOST:PORT/DATABASE, or postgresql:// or mysql:// alone to have the installed server started for this"
            " command (SQLite in memory is what runs without --database)"
        )
    return SCHEMES[scheme]


def place(kind: str) -> str:
    """The URL of the server of that kind. Raises :class:`HeatproofError` if nobody has told it, or told that of another kind."""
    url = os.environ.get(VARIABLE, "")
    if not url or kind_of(url) != kind:
        scheme = next(scheme for scheme, word in SCHEMES.items() if word == kind)
        raise HeatproofError(
            f"this runs on {SERVERS[kind]}, and nobody has told which server: --database {scheme}://USER@HOST:PORT/DATABASE, or"
            f" --database {scheme}:// to have the installed one started for this command; {VARIABLE} in the environment will do too"
        )
    return url


def needs_server(spec: str) -> str:
    """Why the design ``spec`` cannot run here, if it is the engine on a server and nobody has told which; else nothing."""
    name, *words = spec.split("+")
    try:
        for word in words if name == "heat-engine" else ():
            if word in SERVERS:
                place(word)
    except HeatproofError as error:
        return str(error)
    return ""


def on(spec: str, url: str | None) -> str:
    """The design ``spec`` on the database at ``url`` (None: as it stands), with the words for what it leaves open. Raises
    :class:`HeatproofError` for a design that is no engine, for words that do not go together, and where nobody has told the server."""
    name, *words = spec.split("+")
    if url is None:
        if reason := needs_server(spec):
            raise HeatproofError(reason)
        return spec
    kind = kind_of(url)
    if name != "heat-engine":
        raise HeatproofError(f"--database is about heat-engine; {spec} keeps its tables in the model")
    if others := [w for w in words if w in SERVERS and w != kind]:
        raise HeatproofError(f"{spec} runs on {SERVERS[others[0]]}, and --database names {SERVERS[kind]}; give one of that kind")
    chosen = choose([kind, *(w for w in words if w in DATABASE_WORDS and w != kind)])
    return "+".join([name, *chosen.words, *(w for w in words if w not in DATABASE_WORDS)])
