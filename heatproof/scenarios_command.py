"""The command ``heatproof scenario``: Heat's own scenario files on the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from heatproof.exit_codes import HELD, INCOMPLETE, VIOLATED, WRONG, errors
from heatproof.model import catalogue
from heatproof.model.design import Design
from heatproof.model.errors import HeatproofError
from heatproof.options import Place, database_option, on, patch_option, patched
from heatproof.properties.base import witness
from heatproof.properties.monitor import Violation
from heatproof.reports.story import story
from heatproof.strategies.running import Driver
from heatproof.strategies.scenario_files import Result, directly, find_files, installed, run_file
from heatproof.strategies.schedules import record


@click.command(name="scenario")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=Place())
@click.option("--design", default="heat", show_default=True, help="The design to run them on; see 'heatproof designs'.")
@click.option("-v", "--verbose", is_flag=True, help="Print what the engine and the worker did, turn by turn.")
@database_option
@patch_option
@errors
def scenario(paths: Sequence[Path], design: str, verbose: bool, database: str | None, patch: tuple[str, ...]) -> int:
    """Run scenario files of Heat's convergence tests, unmodified, on the model.

    PATH is a file or a folder of files; without any, the 21 files of the installed openstack-heat are run.

    A file queues messages for the engine. Then, in each turn, the engine takes one of its messages and after it the worker takes one of
    its own, the oldest, until nothing is left. engine.noop(n) stands for n turns in which the engine does nothing: the worker
    processes n messages. An operation such as engine.create_stack(...) is a turn too, with all of its set-up, and so is
    engine.call(f, ...), which calls f before the worker's half of its turn.

    The files are data: they are checked and interpreted, never executed. Exit codes: 0 all passed, 1 some failed, 2 a file is
    no scenario, 3 interrupted.
    """
    known = catalogue.load(patched(on(design, database), patch))
    files, folder = find_files(paths), None
    if not paths:
        folder = installed()
        if folder is None:
            raise HeatproofError(
                "openstack-heat is not installed, so its scenario files are not here; 'pip install --no-deps openstack-heat' gets them,"
                " or name files of your own: heatproof scenario PATH..."
            )
        files = find_files([folder])
    names = {file: file.stem if folder is not None else str(file) for file in files}
    width = max(map(len, names.values()))
    passed = failed = wrong = 0
    rest = ""
    try:
        for file in files:
            try:
                result = run_file(file, known)
            except HeatproofError as error:
                click.echo(f"heatproof: {error}", err=True)
                wrong += 1
                continue
            passed, failed = passed + result.passed, failed + (not result.passed)
            counts = f"messages {result.messages:4}  steps {result.steps:5}  assertions {result.asserted:3}"
            click.echo(f"{'PASS' if result.passed else 'FAIL'} {names[file]:{width}} {counts}")
            if verbose:
                click.echo(trace(result))
            if not result.passed:
                click.echo(f"\n{tell(result, known)}\n")
    except KeyboardInterrupt:
        rest = f"; interrupted with {len(files) - passed - failed - wrong} to go"
    click.echo(f"{passed} passed, {failed} failed" + (f", {wrong} could not be run" if wrong else "") + rest)
    return WRONG if wrong else VIOLATED if failed else INCOMPLETE if rest else HELD


def trace(result: Result) -> str:
    """What the engine and the worker did, a line each: the turn, who, what."""
    return "\n".join(f"{turn.number:6}  {turn.process:6}  {turn.did}" for turn in result.trace)


def tell(result: Result, design: Design) -> str:
    """Where a scenario failed, and the story up to there."""
    where = f"{result.path}:{result.line}"
    values: dict[str, object] = {"at": where, "statement": result.source}
    if result.queued not in (None, result.line):
        values["queued in line"] = result.queued
    sentence = "What the scenario asserts is so."
    violation = Violation(f"scenario {result.path.stem}", sentence, witness(result.message, **values), result.steps)
    driver = Driver(directly(design), result.world.scenario, [])
    deviations = record(driver, [entry.action for entry in result.world.log])
    return story(driver.world, deviations, violation, f"{where}: {result.message}\n    {result.source}")


__all__ = ["scenario", "tell", "trace"]
