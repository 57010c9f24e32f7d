"""The option ``--database`` of every command that runs the real engine: which server, told to this command and its worker processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

from heatproof.model.errors import HeatproofError
from heatproof.ports.heat.databases.choice import VARIABLE, kind_of, on

F = TypeVar("F", bound=Callable[..., Any])


def _use(context: click.Context, _parameter: click.Parameter, url: str | None) -> str | None:
    """Tell the place to everything that runs below this command; a URL without a place starts the installed server for it."""
    if url is None:
        return None
    from heatproof.ports.heat.databases import mariadb, postgresql, private

    try:
        kind = kind_of(url)
        if not urlsplit(url).netloc and not urlsplit(url).path.strip("/") and not urlsplit(url).query:
            url = context.with_resource(private.server(kind))
        else:
            (postgresql if kind == "postgresql" else mariadb).connect(url).close()
        context.with_resource(_told(url))
    except HeatproofError as error:
        raise click.BadParameter(str(error)) from error
    return url


@contextmanager
def _told(url: str) -> Iterator[None]:
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = url
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def database_option(command: F) -> F:
    """Add the option; the command gets the URL as ``database``, or None."""
    return click.option(
        "--database", callback=_use, metavar="URL",
        help="Run heat-engine on this server instead of SQLite: postgresql://USER@HOST:PORT/DATABASE or mysql://...; postgresql:// or"
        " mysql:// alone starts the installed server for this command.",
    )(command)  # fmt: skip


def placed(design: str | None, stored: str, database: str | None) -> str | None:
    """The design that a case of the design ``stored`` is judged on: ``design`` if the user named one, on ``database`` if he named one, and
    None where he named neither. Raises :class:`HeatproofError` where it needs a server and nobody has told which."""
    spec = on(design or stored, database)
    return design if database is None else spec


__all__ = ["database_option", "on", "placed"]
