"""Exit codes of every command, and how a command comes to one."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from errno import EDQUOT, EFBIG, EIO, ENOSPC
from functools import wraps
from typing import Any
from unicodedata import category

import click

from heatproof.model.errors import HeatproofError, place_of_error

STEERING = ("Cc", "Cf", "Zl", "Zp")
"""Unicode categories of what changes how a terminal shows the rest."""
HELD, VIOLATED, WRONG, INCOMPLETE = 0, 1, 2, 3


def say(text: str, err: bool = False) -> None:
    """Print text that may come out of a file: what would steer a terminal, or what its encoding has not, is printed as its number."""
    encoding = (sys.stderr if err else sys.stdout).encoding or "utf-8"
    shown = "".join(c if c == "\n" or category(c) not in STEERING else c.encode("unicode_escape").decode() for c in text)
    click.echo(shown.encode(encoding, "backslashreplace").decode(encoding), err=err)


def errors(command: Callable[..., int]) -> Callable[..., None]:
    """Turn what a command returns into its exit code, and errors for people into one message and exit code 2."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            code = command(*args, **kwargs)
        except HeatproofError as error:
            say(f"heatproof: {error}", err=True)
            code = WRONG
        except SystemExit as error:  # no command ends like that: the code of a design would be taken for a verdict
            say(
                f"heatproof: {place_of_error(error)}: this ends the program (SystemExit: {error}); code of a design must not",
                err=True,
            )
            code = WRONG
        except OSError as error:
            code = unwritten(error)
        except KeyboardInterrupt:
            click.echo("heatproof: interrupted", err=True)
            code = INCOMPLETE
        sys.exit(code)

    return wrapped


def unwritten(error: OSError) -> int:
    """The exit code where the output cannot be written, which is told unless whoever read it has ended. Any other error is raised again."""
    if not isinstance(error, BrokenPipeError):
        if error.filename is not None or error.errno not in (ENOSPC, EDQUOT, EFBIG, EIO):
            raise error
        try:
            say(f"heatproof: the output could not be written: {error.strerror}", err=True)
        except OSError:  # it goes to the same place
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left of it is not tried again at the end
    return INCOMPLETE


def replace_closed_streams() -> None:
    """Let what is printed go nowhere where a standard stream is closed (``>&-``): a file that is opened later would get its number."""
    while (null := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(null, True)
    os.close(null)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


__all__ = ["HELD", "INCOMPLETE", "VIOLATED", "WRONG", "errors", "replace_closed_streams", "say", "unwritten"]
