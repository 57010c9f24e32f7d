"""Exit codes of every command, and how a command comes to one."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from heatproof.model.errors import HeatproofError

HELD, VIOLATED, WRONG, INCOMPLETE = 0, 1, 2, 3


def errors(command: Callable[..., int]) -> Callable[..., None]:
    """Turn what a command returns into its exit code, and errors for people into one message and exit code 2."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            code = command(*args, **kwargs)
        except HeatproofError as error:
            click.echo(f"heatproof: {error}", err=True)
            code = WRONG
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = INCOMPLETE
        except KeyboardInterrupt:
            click.echo("heatproof: interrupted", err=True)
            code = INCOMPLETE
        sys.exit(code)

    return wrapped


__all__ = ["HELD", "INCOMPLETE", "VIOLATED", "WRONG", "errors"]
