"""The command ``heatproof report``: the page of a case, or of every case of a folder with an index."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import click

import heatproof
from heatproof.exit_codes import HELD, WRONG, errors
from heatproof.model.errors import HeatproofError
from heatproof.options import Place, database_option, placed
from heatproof.reports import cases, verdicts
from heatproof.reports.files import refuse_unwritable, write_whole
from heatproof.reports.index import Card, card, index
from heatproof.reports.judging import design_of, replay_command
from heatproof.reports.mermaid import mermaid
from heatproof.reports.page import page
from heatproof.reports.tables import counted
from heatproof.reports.told import Told, told

ENDING, INDEX = ".case.json", "index.html"


@click.command()
@click.argument("path", metavar="CASE|FOLDER", type=Place())
@click.option(
    "--output", type=Place(),
    help="The file to write, or the folder; default: beside CASE, or FOLDER itself.",
)  # fmt: skip
@click.option(
    "--design",
    help="Show it, or all in FOLDER, on this design instead of the one in the case. Needed if that is a FILE.py:Class: a case runs no code.",
)
@click.option("--mermaid", "sequence", is_flag=True, help="Print CASE as a Mermaid sequence diagram instead (up to 60 steps).")
@database_option
@errors
def report(path: Path, output: Path | None, design: str | None, sequence: bool, database: str | None) -> int:
    """Write the page of CASE, or of every case in FOLDER with an index.

    A page is one HTML file that loads nothing: a space-time diagram of the run to step through, with the state of every table and of
    reality. FOLDER is what 'heatproof check --report FOLDER' wrote (its verdicts are in the index then), or any folder of cases; those
    in folders below are taken too.

    Exit codes: 0 written, 2 wrong input. Where only some cases of FOLDER cannot be shown, the others are written, the index says why, and
    the exit code is 2; where none can, nothing is written.
    """
    if path.is_dir():
        if sequence:
            raise HeatproofError(f"--mermaid takes one case, and {path} is a folder")
        return _folder(path, output or path, design, database)
    if sequence:
        text = mermaid(_told(path, design, database, neighbours=False)[0])
        if output is None:
            click.echo(text, nl=False)
        else:
            write_whole(output, text)
        return HELD
    target = _name(path) + ".html"
    target_path = path.with_name(target) if output is None else output / target if output.is_dir() else output
    write_whole(target_path, _page(*_told(path, design, database)))
    click.echo(f"{target_path}")
    return HELD


def _folder(folder: Path, output: Path, design: str | None, database: str | None) -> int:
    files = sorted(folder.rglob(f"*{ENDING}"))
    found = verdicts.read(folder / verdicts.FILE) if (folder / verdicts.FILE).exists() else None
    if not files and found is None:
        raise HeatproofError(
            f"there is no case in {folder} (a file NAME{ENDING}) and no {verdicts.FILE}, so there is nothing to report"
        )
    refuse_unwritable(output, INDEX)
    cards = []
    for file in files:
        name = file.relative_to(folder).with_name(_name(file)).as_posix()
        try:
            case, command = _told(file, design, database)
            text = _page(case, command)
        except HeatproofError as error:
            cards.append(Card(name, "", name, wrong=str(error)))
            continue
        write_whole(output / f"{name}.html", text)
        cards.append(card(name, quote(f"{name}.html"), case))
    wrong = [one.wrong for one in cards if one.wrong]
    if wrong and len(wrong) == len(cards):  # an index of before is worth more than one of nothing
        raise HeatproofError(
            f"none of the {counted(len(cards), 'case')} in {folder} can be shown, and nothing was written: {wrong[0]}"
        )
    for reason in wrong:
        click.echo(f"heatproof: {reason}", err=True)
    title = f"heatproof check {found.design}" if found is not None else f"Cases in {folder.resolve().name}"
    write_whole(output / INDEX, index(title, found, cards, heatproof.__version__))
    click.echo(f"{output / INDEX} and {counted(len([c for c in cards if c.address]), 'page')} of cases")
    return WRONG if wrong else HELD


def _page(case: Told, command: str) -> str:
    return page(case, heatproof.__version__, command)


def _told(path: Path, design: str | None, database: str | None, neighbours: bool = True) -> tuple[Told, str]:
    """The case in a file, on ``design`` if the user named one, and the command that replays it there."""
    case = cases.read(path)
    design = placed(design, case.design, database)
    known, properties = design_of(case, str(path), design)
    spec = design or case.design
    shown = told(case._replace(design=spec), known, properties, str(path), neighbours)
    return shown, replay_command(path, spec, case.design)


def _name(path: Path) -> str:
    return path.name.removesuffix(ENDING) if path.name.endswith(ENDING) else path.stem


__all__ = ["report"]
