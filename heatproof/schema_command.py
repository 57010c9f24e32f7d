"""The command ``heatproof schema``: the JSON Schema of case files."""

from __future__ import annotations

import click

from heatproof.exit_codes import HELD, errors
from heatproof.reports.cases import json_schema


@click.command()
@errors
def schema() -> int:
    """Print the JSON Schema of case files. It is published as docs/case.schema.json."""
    click.echo(json_schema(), nl=False)
    return HELD


__all__ = ["schema"]
