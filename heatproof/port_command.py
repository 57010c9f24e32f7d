"""The command ``heatproof port``: a case as a scenario file of Heat's own convergence tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

import heatproof
from heatproof import engine_port, heats_framework
from heatproof.confirm_command import tried
from heatproof.exit_codes import HELD, INCOMPLETE, errors
from heatproof.heats_framework import Outcome
from heatproof.model import catalogue
from heatproof.model.choosing import meant
from heatproof.model.designs.heat import Heat
from heatproof.model.errors import HeatproofError
from heatproof.options import Place, listed
from heatproof.properties.catalogue import ALL
from heatproof.reports import cases
from heatproof.reports.cases import Case
from heatproof.reports.files import refuse_unwritable, refuse_unwritable_file, write_whole
from heatproof.strategies.porting import RUNS, Failing, Ported, Porter
from heatproof.strategies.scenario_files import Result
from heatproof.strategies.scenario_words import Inexpressible, printable
from heatproof.strategies.scenario_writing import FIRST_LINE

SUFFIX = ".case.json"


@click.command(name="port")
@click.argument("case", metavar="CASE|FOLDER", type=Place())
@click.option("-o", "--output", type=Place(),
              help="The file to write; for FOLDER the folder. [default: the name of the case, in the current folder]")  # fmt: skip
@click.option(
    "--run", "try_it", is_flag=True, help="Run what was written in Heat's own test framework too (needs the extra 'heat')."
)
@click.option("--orders", default=RUNS, show_default=True, type=click.IntRange(1), help="The most orders of whole messages to try.")
@errors
def port(case: Path, output: Path | None, try_it: bool, orders: int) -> int:
    """Write CASE as a scenario file of Heat's own convergence tests, where their language can express it; a case of heat-engine
    otherwise as a test file of its own.

    There every message is processed from beginning to end, the oldest first. So a failure can be ported if it shows in such a run, and
    if a scenario can see it; all such runs are tried. The file fails as long as the bug is there. For a FOLDER of cases: all that can
    be ported are written, and a table says what became of each.

    A case of the engine that no scenario file shows becomes a unittest that drives the installed engine under the schedule of the case. It
    needs openstack-heat and heatproof, and fails as long as the defect is there.

    Exit codes: 0 written, 2 wrong input, 3 the language cannot express it; the reason is said.
    """
    if try_it and not heats_framework.available():
        raise HeatproofError("--run needs Heat's own test framework: pip install 'heatproof[heat]'")
    if case.is_dir():
        return _folder(case, output, try_it, orders)
    path = output or Path(_name(case) + ".py")
    refuse_foreign(path)
    try:
        ported = ported_case(case, path, orders)
    except Inexpressible as reason:
        path = output or engine_port.file_of(path)
        if text := engine_test(case, path):
            refuse_foreign(path)
            write_whole(path, text)
            click.echo(f"{path}: a test of the engine that needs heatproof. As a scenario it cannot be ported: {reason}")
            return HELD
        click.echo(f"heatproof: {case} cannot be ported. {reason}", err=True)
        return INCOMPLETE
    write_whole(path, ported.text)
    click.echo(f"{path}: {ported.violation.name}: {printable(str(ported.violation.witness))}")
    click.echo(f"  on the model it fails: {_failed(ported.result)}")
    if try_it:
        (outcome,) = heats_framework.run_files([path])
        click.echo(f"  in Heat's framework it {_told(outcome)}")
        if difference := first_difference(ported.as_heats, outcome):
            click.echo(f"  {difference}")
    return HELD


def ported_case(path: Path, written: Path, orders: int = RUNS) -> Ported:
    """Port the case in a file; ``written`` is what the scenario file will be called. Raises :class:`Inexpressible` where the language
    cannot express it, and :class:`HeatproofError` for what is no case, or one that expects nothing."""
    case = cases.read(path)
    if case.expected is None:
        raise HeatproofError(f"{path}: this case expects no violation, so there is nothing to port")
    if ".py" in case.design:  # whose properties are its own
        raise Inexpressible(f"The case is about the design {printable(case.design)!r}; the language is about Heat's.")
    if case.expected[0] not in ALL:
        raise HeatproofError(
            f"{path}: unknown property {case.expected[0]!r:.200}{meant(case.expected[0], ALL)}; 'heatproof properties' lists them"
        )
    if catalogue.base_of(case.design) in catalogue.TARGETS:
        case = _on_the_model(case, path)
    design = catalogue.load(case.design)
    if not isinstance(design, Heat):
        raise Inexpressible(f"The case is about the design {case.design!r}; the language is about Heat's.")
    assert case.expected is not None
    failing = Failing(design, case.scenario, case.expected, case.schedule)

    def head(ported: Ported) -> list[str]:
        return _head(path.name, case, ported)

    return Porter(failing, list(ALL.values()), written, orders).port(head)


def _on_the_model(case: Case, path: Path) -> Case:
    """A case of the engine as one of the model. Raises :class:`Inexpressible` where the model does not show it so."""
    found = tried(case, path, 0)
    if found.case is None:
        raise Inexpressible(f"On the model, under the same schedule, the answer is: {found.answer}. {' '.join(found.told)}")
    return found.case


def engine_test(path: Path, written: Path) -> str:
    """A case of the engine as a test file of its own; nothing for a case of another design."""
    case = cases.read(path)
    if catalogue.base_of(case.design) not in catalogue.TARGETS or case.expected is None:
        return ""
    name = _name(path)
    return engine_port.text_of(case, path, written, name if name in listed() else "")


def refuse_foreign(path: Path) -> None:
    """Raise :class:`HeatproofError` where a file would be lost that this command has not written, or none can be written."""
    if path.is_dir():
        raise HeatproofError(f"{path} is a folder; name a file with --output")
    try:
        ours = (FIRST_LINE.encode(), engine_port.FIRST_LINE.encode())
        if path.exists() and not path.read_bytes().startswith(ours):
            raise HeatproofError(
                f"{path} is there already, and 'heatproof port' has not written it; name another file with --output"
            )
    except OSError as error:
        raise HeatproofError(f"cannot look at {path}: {error.strerror}") from error
    refuse_unwritable_file(path)


def _name(path: Path) -> str:
    return path.name.removesuffix(SUFFIX) if path.name.endswith(SUFFIX) else path.stem


def _head(name: str, case: cases.Case, ported: Ported) -> list[str]:
    violation = ported.violation
    mutated = case.design != "heat"
    expected = (
        f"Expected of the design {case.design!r}, which is not Heat's own: this scenario fails. On Heat as it is it should pass."
        if mutated
        else "Expected of openstack-heat 27.0.1: this scenario fails. With the mistake mended it passes."
    )
    where = f"On the model it fails so: {ported.as_heats.message}"
    ready = (
        f"Heat leaves open which comes first of what is ready at once; it fails with {ported.shows} of {ported.namings} ways to name"
        " the resources, where the model goes by name."
    )
    head = [
        f"Case: {name}" + (f" ({case.title})" if case.title else ""),
        f"Property: {violation.name}. {violation.sentence}",
        f"What goes wrong: {violation.witness}",
        expected,
        where,
        ready,
    ]
    if case.origin:
        head.insert(1, f"Origin: {case.origin}")
    if ported.wording.notes:
        head.append("Words: " + "; ".join(ported.wording.notes) + ".")
    if ported.wording.left_out:
        head.append(
            f"Left out, since the language has no word for it and it does not matter: {', '.join(ported.wording.left_out)}."
        )
    return [*head, f"heatproof {heatproof.__version__}."]


def _failed(result: Result) -> str:
    return f"line {result.line}: {printable(result.message)}"


def _told(outcome: Outcome) -> str:
    if outcome.passed:
        return "passes"
    first = (outcome.message.splitlines() or [""])[0]
    return f"fails: line {outcome.line}: {outcome.error}: {printable(first)[:300]}"


def first_difference(result: Result, outcome: Outcome) -> str:
    """Where what the workers processed differs first between the model and Heat's framework; empty if nowhere."""
    ours, theirs = result.processed, list(outcome.messages)
    for number, (mine, other) in enumerate(zip(ours, theirs, strict=False), 1):
        if mine != other:
            return f"message {number} is {mine} on the model and {other} in Heat's framework"
    if len(ours) != len(theirs):
        more, who = (ours, "on the model") if len(ours) > len(theirs) else (theirs, "in Heat's framework")
        return f"after {min(len(ours), len(theirs))} messages that are the same there are more {who}: {more[min(len(ours), len(theirs))]}"
    return ""


def _folder(folder: Path, output: Path | None, try_it: bool, orders: int) -> int:
    found = sorted(folder.glob(f"*{SUFFIX}"))
    if not found:
        raise HeatproofError(f"{folder}: there is no case in this folder: no file whose name ends with {SUFFIX}")
    into = output or Path()
    refuse_unwritable(into)
    ported: dict[Path, Ported] = {}
    reasons: dict[Path, str] = {}
    tests, rest = 0, ""
    for path in found:
        written = into / f"{_name(path)}.py"
        refuse_foreign(written)
        try:
            ported[path] = ported_case(path, written, orders)
        except KeyboardInterrupt:
            rest = f"; interrupted with {len(ported) + len(reasons)} of them tried"
            break
        except Inexpressible as reason:
            reasons[path] = str(reason)
            written = engine_port.file_of(written)
            if text := engine_test(path, written):
                refuse_foreign(written)
                write_whole(written, text)
                reasons[path] = f"written as a test of the engine that needs heatproof: {reason}"
                tests += 1
        else:
            write_whole(written, ported[path].text)
    outcomes: Sequence[Outcome] = (
        heats_framework.run_files([p.result.path for p in ported.values()]) if try_it and ported and not rest else ()
    )
    heats = dict(zip(ported, outcomes, strict=bool(outcomes)))
    click.echo(f"| case | as a scenario |{' in the framework of Heat |' if try_it else ''}\n|---|---|{'---|' if try_it else ''}")
    for path in [path for path in found if path in ported or path in reasons]:
        cell = f"written: {ported[path].result.message}" if path in ported else reasons[path]
        line = f"| {_name(path)} | {_cell(cell)} |"
        if try_it:
            line += f" {_cell(_told(heats[path])) if path in heats else ''} |"
        click.echo(line)
    click.echo(
        f"\n{len(ported) + tests} of {len(found)} cases written to {into}"
        + (f", {tests} as tests of the engine" if tests else "")
        + rest
    )
    return INCOMPLETE if rest or not (ported or tests) else HELD


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|")


__all__ = ["first_difference", "port", "ported_case", "refuse_foreign"]
