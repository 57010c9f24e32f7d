"""Options that several commands take: names from a list, the server that the real engine runs on, patches of Heat; and the command that lists
the patches."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

from heatproof.exit_codes import HELD, errors
from heatproof.model import catalogue
from heatproof.model.choosing import chosen, meant
from heatproof.model.errors import HeatproofError, ScenarioError
from heatproof.ports.heat.databases.choice import VARIABLE, kind_of, on

F = TypeVar("F", bound=Callable[..., Any])
Parse = Callable[[click.Context, click.Parameter, str | None], tuple[str, ...] | None]


def names_of(known: Any, what: str, refused: Mapping[str, str] | None = None) -> Parse:
    """The callback of an option whose value is names of ``known`` with commas between them, or ``none``. ``refused`` are names that cannot be
    taken here, with the reason of each."""

    def parse(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
        if value is None:
            return None
        names = tuple(name.strip() for name in value.split(",") if name.strip())
        for name in names:
            if refused is not None and name in refused:
                raise click.BadParameter(f"{what} {name!r} {refused[name]}")
            kind, numbered, _ = name.partition("=")
            if what == "fault" and numbered and kind in known:
                raise click.BadParameter(f"{name!r}: how often each may strike is said by --fault-budget here; name {kind} alone")
        try:
            return chosen(names, known, what)
        except ScenarioError as error:
            raise click.BadParameter(str(error)) from error

    return parse


class Seconds(click.FloatRange):
    """A time budget: a number of seconds, which must be finite."""

    def __init__(self) -> None:
        super().__init__(0.1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        seconds: float = super().convert(value, param, ctx)
        if not isfinite(seconds):
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        return seconds


# -------------------------------------------------------------------------------------------------------- files and folders


class Place(click.Path):
    """A file or a folder. An empty text names none: as a path it would be the current folder."""

    def __init__(self, *, file_okay: bool = True, dir_okay: bool = True) -> None:
        super().__init__(file_okay=file_okay, dir_okay=dir_okay, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path."""
        if not str(value):
            what = "a file" if not self.dir_okay else "a folder" if not self.file_okay else "a file or a folder"
            self.fail(f"it is empty; name {what}", param, ctx)
        return super().convert(value, param, ctx)


def report_option(default: str) -> Callable[[F], F]:
    """The option for the folder of a report."""
    return click.option(
        "--report", type=Place(file_okay=False), default=Path(default), show_default=True,
        help="Folder for the verdicts, stories and cases. What the report before wrote there is taken away, if it is as it was written; all other"
        " files stay, also pages and shrunk cases.",
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------------------- the database


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


def placed(design: str | None, stored: str, database: str | None, patches: Sequence[str] = ()) -> str | None:
    """The design that a case of the design ``stored`` is judged on: ``design`` if the user named one, on ``database`` if he named one, with
    ``patches``, and None where he named nothing: a database is no name for a file. Raises :class:`HeatproofError` where it needs a server and
    nobody has told which, and if there is no such patch."""
    spec = on(design or stored, database)
    if patches:
        return patched(spec, patches)
    named = design is not None or (database is not None and not catalogue.is_file(stored))
    return spec if named else None


# --------------------------------------------------------------------------------------------------------------- patches


def patch_option(command: F) -> F:
    """Add the option; the command gets the names as ``patch``, a tuple."""
    return click.option(
        "--patch", multiple=True, metavar="NAME",
        help="Cure this known defect of Heat: a patch of heat-engine, the repair of that name in heat (may be given several times;"
        " 'heatproof patches' lists them).",
    )(command)  # fmt: skip


def patched(spec: str, patches: Sequence[str]) -> str:
    """The design with these patches, each once. Raises :class:`HeatproofError` if it has none of that name."""
    if not patches:
        return spec
    if catalogue.is_file(spec):
        raise HeatproofError(f"{spec!r} is a design of your own; a patch cures Heat's engine (heat-engine) and its model (heat)")
    name, *changes = spec.split("+")
    known = listed()
    for patch in patches:
        if patch not in known:
            raise HeatproofError(
                f"unknown patch {patch!r}{meant(patch, known)}; 'heatproof patches' lists them: {', '.join(known)}"
            )
    return "+".join([name, *changes, *(p for p in dict.fromkeys(patches) if p not in changes)])


def listed() -> dict[str, str]:
    """The patches, with a sentence each."""
    return catalogue.changes_of("heat-engine")


@click.command(name="patches")
@errors
def patches_command() -> int:
    """List the known defects of Heat's engine that can be cured, with what is wrong and what the patch changes.

    Each is a patch of heat-engine and a repair of heat of the same name: --patch NAME, or heat-engine+NAME and heat+NAME.
    """
    for name, sentence in listed().items():
        click.echo(f"{name}: {sentence}")
    return HELD


__all__ = [
    "Place", "Seconds", "database_option", "listed", "names_of", "on", "patch_option", "patched", "patches_command", "placed",
    "report_option",
]  # fmt: skip
