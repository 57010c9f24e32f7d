"""The command ``heatproof adopt``: keep a case for ever."""

from __future__ import annotations

import re
from pathlib import Path

import click

import heatproof
from heatproof.exit_codes import HELD, INCOMPLETE, errors, say
from heatproof.model import catalogue
from heatproof.model.design import Design
from heatproof.model.errors import HeatproofError
from heatproof.options import Place, database_option, placed
from heatproof.reports import cases
from heatproof.reports.cases import Case
from heatproof.reports.files import refuse_unwritable, write_whole
from heatproof.reports.judging import ELSEWHERE, UNDECIDED, Judgement, design_of, judge, noted, replay_command
from heatproof.strategies.nearby import BUDGET


@click.command()
@click.argument("case", type=Place())
@click.option(
    "--expect", type=click.Choice(["fails", "holds"]), help="What it must show from now on. [default: what the case says]"
)
@click.option("--title", help="A title instead of the one in the case.")
@click.option("--origin", help="Where it came from: a commit, a bug number.")
@click.option("--name", help="The name of the files. [default: that of CASE]")
@click.option("--design", help="The design it is kept for instead of the one in the case. Needed if that is a FILE.py:Class.")
@click.option("--into", default=Path("reports/regressions"), show_default=True, type=Place(file_okay=False),
              help="The folder of all regression cases; there is one in it for each design.")  # fmt: skip
@click.option("--nearby", default=BUDGET, show_default=True, metavar="RUNS", type=click.IntRange(0),
              help="Where it does not show its failure exactly: how many runs to look near by.")  # fmt: skip
@database_option
@errors
def adopt(
    case: Path,
    expect: cases.Expectation | None,
    title: str | None,
    origin: str | None,
    name: str | None,
    design: str | None,
    into: Path,
    nearby: int,
    database: str | None,
) -> int:
    """Keep CASE among the regression cases, with its story beside it. The pytest plugin runs what is kept.

    'fails': the failure must show; a case of a known bug. 'holds': it must not; a case of a bug that was mended. A case that does not show
    what it is to show is refused. If its failure shows only near by, the schedule found there is kept. Exit codes: 0 kept, 2 refused,
    3 it cannot be decided.
    """
    stored = cases.read(case)
    design = placed(design, stored.design, database)
    wanted = stored._replace(
        expectation=expect or stored.expectation,
        title=stored.title if title is None else title,
        origin=stored.origin if origin is None else origin,
        design=design or stored.design,
    )
    known, properties = design_of(wanted, str(case), design)
    refuse_unwritable(into)
    judged = judge(wanted, known, properties, nearby)
    if judged.answer == UNDECIDED:
        say(f"{case}: {UNDECIDED} on {wanted.design}. {' '.join(judged.told)}")
        return INCOMPLETE
    if not judged.as_expected(wanted):
        must = "fails" if wanted.expectation == "fails" else "must hold"
        other = "holds" if wanted.expectation == "fails" else "fails"
        raise HeatproofError(
            f"{case} is not adopted as one that {must} on {wanted.design}: {judged.answer}. {' '.join(judged.told)}"
            f" To keep it as it is: --expect {other}"
        )
    kept = _as_kept(wanted, judged, known)
    path = into / folder_of(wanted.design) / f"{_plain(name) if name else _stem(case)}.case.json"
    text = cases.dump(kept, heatproof.__version__)
    _refuse_another(path, text)
    beside = path.with_name(path.name.removesuffix(".case.json") + ".story.txt")
    write_whole(beside, judged.account(kept) + "\n")
    write_whole(path, text)
    say(f"Kept: {path}, {beside.name} ({kept.expectation} on {kept.design})")
    if judged.answer == ELSEWHERE:
        say(f"  It is kept with another schedule. {' '.join(judged.told)}")
    for other_path in sorted(path.parent.glob("*.case.json")):
        if other_path != path and _kind(cases.read(other_path)) == _kind(kept):
            say(f"  The same kind of failure is kept in {other_path} too.")
    say(f"See it: {replay_command(path, kept.design)}")
    return HELD


def folder_of(spec: str) -> str:
    """The folder in which the cases of a design are kept: its name with its changes, or the class of one in a file."""
    if not catalogue.is_file(spec):
        return spec
    file, wanted = catalogue.parted(spec)
    return _plain(wanted or Path(file).stem)


def _as_kept(case: Case, judged: Judgement, design: Design) -> Case:
    if judged.case is not None:
        return judged.case
    return case if judged.misfit is not None else noted(case, design, case.schedule)


def _kind(case: Case) -> tuple[object, ...]:
    return case.design, case.expectation, case.expected


def _stem(path: Path) -> str:
    return _plain(path.name.removesuffix(".json").removesuffix(".case"))


def _plain(name: str) -> str:
    plain = re.sub(r"[^\w.+-]+", "-", name).strip("-.")[:120]
    if not plain:
        raise HeatproofError(f"{name!r} is no name for a file; take letters, digits and '-'")
    return plain


def _refuse_another(path: Path, text: str) -> None:
    try:
        there = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise HeatproofError(f"cannot read {path}: {error.strerror}") from error
    if there != text.encode():
        raise HeatproofError(f"{path} is there already and is another case; give this one another --name, or take that one away")


__all__ = ["adopt", "folder_of"]
