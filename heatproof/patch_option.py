"""The option ``--patch`` of the commands that run a design, and the command that lists what it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from heatproof.exit_codes import HELD, errors
from heatproof.model import catalogue
from heatproof.model.errors import HeatproofError

F = TypeVar("F", bound=Callable[..., Any])


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
            raise HeatproofError(f"unknown patch {patch!r}; 'heatproof patches' lists them: {', '.join(known)}")
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


__all__ = ["listed", "patch_option", "patched", "patches_command"]
