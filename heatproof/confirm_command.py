"""The command ``heatproof confirm``: a case of the model tried on the real engine, and the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

import heatproof
from heatproof.exit_codes import HELD, INCOMPLETE, VIOLATED, errors, say
from heatproof.model.errors import HeatproofError
from heatproof.model.interrupting import Interrupted
from heatproof.options import Place, patch_option, patched
from heatproof.reports import cases
from heatproof.reports.cases import Case
from heatproof.reports.confirming import (
    BEYOND,
    BUDGET,
    CONFIRMED,
    ELSEWHERE,
    NOT,
    UNDECIDED,
    Confirmation,
    OutOfReachError,
    confirm,
    counterpart,
)
from heatproof.reports.files import refuse_unwritable, refuse_unwritable_file, write_whole
from heatproof.reports.judging import design_of

CODES = {CONFIRMED: VIOLATED, ELSEWHERE: VIOLATED, NOT: HELD, BEYOND: INCOMPLETE, UNDECIDED: INCOMPLETE}
SUFFIX = ".case.json"


@click.command(name="confirm")
@click.argument("case", metavar="CASE|FOLDER", type=Place())
@click.option("--nearby", default=BUDGET, show_default=True, metavar="RUNS", type=click.IntRange(0),
              help="Where the same schedule does not show it: how many runs to look near by; 0: none.")  # fmt: skip
@click.option("-o", "--output", type=Place(),
              help="Write the case as it is on the other target; for FOLDER the folder for those that are confirmed.")  # fmt: skip
@patch_option
@click.option("--full", is_flag=True, help="Tell every step; else what does not matter to the failure is folded to fit a screen.")
@errors
def confirm_command(case: Path, nearby: int, output: Path | None, patch: tuple[str, ...], full: bool) -> int:
    """Try CASE on the other target: one of the model on Heat's own engine, one of the engine on the model.

    The same scenario is run under the same schedule: each step of a task is matched by what it does (the table it reads or writes, the message
    it sends, the physical operation), since the two have other steps. Then schedules near by are tried. The answer is one of: confirmed;
    confirmed, differently scheduled; not reproduced, with the first difference (at which action, what was expected, what was possible);
    out of reach, with the reason; it cannot be decided. For a FOLDER of cases: a table.

    Exit codes: 1 confirmed, 0 not reproduced, which is no proof, 2 the file is broken, 3 out of reach or undecided. For a folder: 1 if any
    is confirmed, else 3 if any could not be tried, else 0.
    """
    if case.is_dir():
        return _folder(case, nearby, output, patch)
    stored = cases.read(case)
    if output is not None:
        refuse_unwritable_file(output)
    try:
        result = tried(stored, case, nearby, patch)
    except Interrupted as interrupt:
        result = interrupt.found
    try:
        if output is not None and result.case is not None:
            write_whole(output, cases.dump(result.case, heatproof.__version__))
    finally:  # neither is lost where the other cannot be written
        _say(case, stored, result, full)
    if output is not None and result.case is not None:
        say(f"\nWritten: {output}")
    return CODES[result.answer]


def _say(path: Path, stored: Case, result: Confirmation, full: bool) -> None:
    say(f"{path}: {result.answer} on {result.on}: {'anything' if stored.expected is None else ': '.join(stored.expected)}")
    for line in result.told:
        say(f"  {line}")
    if result.case is not None:
        try:
            said = result.story(full)
        except KeyboardInterrupt:
            said = "  Interrupted before its story could be told."
        say(f"\n{said}")


def tried(case: Case, path: Path, nearby: int, patches: Sequence[str] = ()) -> Confirmation:
    """Try a case on its counterpart, with these patches (or repairs) made to that. Raises :class:`HeatproofError` for a case that names
    what does not exist."""
    try:
        on = patched(counterpart(case.design), patches)
    except OutOfReachError as error:
        return Confirmation(BEYOND, "the other target", [f"{error}."])
    return confirm(case, design_of(case, str(path)), on, nearby)


def _folder(folder: Path, nearby: int, output: Path | None, patches: Sequence[str]) -> int:
    found = sorted(folder.glob(f"*{SUFFIX}"))
    if not found:
        raise HeatproofError(f"{folder}: there is no case in this folder: no file whose name ends with {SUFFIX}")
    stored = {path: cases.read(path) for path in found}
    if output is not None:
        refuse_unwritable(output, *(path.name for path in found))
    answers = dict.fromkeys(CODES, 0)
    say("| case | answer | how |\n|---|---|---|")
    tried_all = ""
    for path, case in stored.items():
        try:
            result = tried(case, path, nearby, patches)
        except KeyboardInterrupt:
            tried_all = f"; interrupted with {sum(answers.values())} of them tried"
            break
        answers[result.answer] += 1
        told = " ".join(result.told).replace("|", "\\|")
        say(f"| `{path.name.removesuffix(SUFFIX)}` | {result.answer} | {told} |")
        if output is not None and result.case is not None:
            write_whole(output / path.name, cases.dump(result.case, heatproof.__version__))
    say(
        f"\n{len(found)} cases: {', '.join(f'{count} {answer}' for answer, count in answers.items() if count) or 'none tried'}{tried_all}"
    )
    codes = [CODES[answer] for answer, count in answers.items() if count] + [INCOMPLETE] * bool(tried_all)
    return next((code for code in (VIOLATED, INCOMPLETE) if code in codes), HELD)


__all__ = ["confirm_command", "tried"]
