"""The command ``heatproof report``: the page of a case, or of every case of a folder with an index."""

from __future__ import annotations

from pathlib import Path

import click

import heatproof
from heatproof import checking
from heatproof.exit_codes import HELD, errors
from heatproof.model import catalogue
from heatproof.reports import cases
from heatproof.reports.files import write_whole
from heatproof.reports.page import page
from heatproof.reports.told import Told, told


@click.command()
@click.argument("path", metavar="CASE|FOLDER", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="Where to write; default: beside CASE, or into FOLDER.")
@errors
def report(path: Path, output: Path | None) -> int:
    """Write the page of CASE."""
    text = page(_told(path), heatproof.__version__, f"heatproof replay {path}")
    target = output or path.with_name(path.name.removesuffix(".json").removesuffix(".case") + ".html")
    write_whole(target, text)
    click.echo(f"{target}")
    return HELD


def _told(path: Path) -> Told:
    case = cases.read(path)
    return told(case, catalogue.load(case.design), checking.properties_for(case.design), str(path))


__all__ = ["report"]
