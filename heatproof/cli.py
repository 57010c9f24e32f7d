"""The command line. Exit codes: 0 held, 1 violated, 2 wrong use or broken input, 3 incomplete."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module

import click

import heatproof
from heatproof.ending import heed_sigterm, let_handlers_go
from heatproof.exit_codes import INCOMPLETE, replace_closed_streams, unwritten

COMMANDS = {
    "accesses": "accesses_command", "adopt": "adopt_command", "check": "check_command", "confirm": "confirm_command:confirm_command",
    "conform": "conform_command", "designs": "listing_commands", "diff": "diff_command", "faults": "listing_commands",
    "patches": "options:patches_command", "policies": "listing_commands", "port": "port_command", "properties": "listing_commands",
    "prove": "prove_command", "replay": "replay_command", "report": "report_command", "scenario": "scenarios_command",
    "schema": "schema_command", "shrink": "shrink_command",
}  # fmt: skip
"""The module that has each command, and how it is called there if otherwise. Only that of the command that is asked for is imported: what
some need takes as long to load as others take in all."""


class _Commands(click.Group):
    """The commands, each loaded when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command = getattr(import_module(f"heatproof.{module}"), name or cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(heatproof.__version__, prog_name="heatproof")
def cli() -> None:
    """A property-based model checker for convergence designs, OpenStack Heat's above all.

    Exit codes: 0 everything asked held, 1 something was violated, 2 wrong use or broken input, 3 incomplete.
    """


def main() -> None:
    """The entry point. What nobody foresaw ends with exit code 3: it is no verdict on a design."""
    # Hypothesis keeps what it has read of a program's text in a folder, by default .hypothesis where the user is, and does without where that
    # cannot be. What draws are worker processes, which inherit this. In pytest the folder is the user's own business.
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", os.devnull)
    replace_closed_streams()
    heed_sigterm()
    let_handlers_go()
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("heatproof: interrupted", err=True)
        sys.exit(INCOMPLETE)
    except Exception as error:
        if isinstance(error, OSError):
            with suppress(OSError):
                sys.exit(unwritten(error))
        import traceback

        traceback.print_exc()
        click.echo(f"heatproof: this is a mistake in heatproof itself, not in a design: {type(error).__name__}: {error}", err=True)
        sys.exit(INCOMPLETE)


__all__ = ["cli", "main"]
