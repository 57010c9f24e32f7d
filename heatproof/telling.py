"""What a search says on the terminal: how far it is, and its table."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console

from heatproof.exit_codes import say
from heatproof.model.errors import HeatproofError
from heatproof.reports import progress, tables


def reporter(every: float = 10.0) -> progress.Reporter:
    """Tells how far it is, on the stream of errors, since what a command prints is to be the same whenever it is run: in place on a terminal,
    else a line every so many seconds."""
    console = Console(stderr=True, highlight=False)
    return progress.Terminal(console) if console.is_terminal else progress.Lines(_say_if_possible, time.monotonic, every)


def _say_if_possible(line: str) -> None:
    """No search is ended for a line of progress that nobody takes: what it finds is printed elsewhere, and kept in files."""
    with suppress(OSError):
        say(line, err=True)


def tell_table(console: Console, table: Sequence[tables.Line]) -> None:
    """Print the table."""
    if console.is_terminal:
        console.print(tables.terminal_table(table))
    else:
        say(tables.plain_table(table))


@contextmanager
def kept(table: Sequence[tables.Line], summary: Sequence[str], folder: Path) -> Iterator[None]:
    """Print the table and what it rests on if what is done within cannot be written to ``folder``: what was found is not lost with the report."""
    try:
        yield
    except HeatproofError as error:
        say("\n".join([tables.plain_table(table), "", *summary]))
        raise HeatproofError(
            f"{error}. The report in {folder} is not complete; the verdicts are above, and the exit code says nothing of them"
        ) from error


__all__ = ["kept", "reporter", "tell_table"]
