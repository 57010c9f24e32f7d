"""The command ``heatproof replay``: a stored case exactly, step by step, or near by where it no longer fits."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

import heatproof
from heatproof.exit_codes import HELD, INCOMPLETE, VIOLATED, errors, say
from heatproof.model.errors import HeatproofError
from heatproof.model.interrupting import Interrupted
from heatproof.model.world import Action, Entry, World
from heatproof.options import Place, database_option, patch_option, placed
from heatproof.reports import cases, states
from heatproof.reports.cases import Case
from heatproof.reports.files import refuse_unwritable_file, write_whole
from heatproof.reports.judging import ELSEWHERE, FAILS, GONE, UNDECIDED, Judgement, design_of, judge, replay_command
from heatproof.reports.telling import tell
from heatproof.strategies.following import Misfit, exactly, spelled
from heatproof.strategies.nearby import BUDGET
from heatproof.strategies.running import Driver

CODES = {FAILS: VIOLATED, ELSEWHERE: VIOLATED, GONE: HELD, UNDECIDED: INCOMPLETE}


@click.command()
@click.argument("case", type=Place())
@click.option(
    "--design",
    help="Judge it on this design instead of the one in the case. Needed if that is a FILE.py:Class: a case runs no code.",
)
@click.option("--step", "walk", is_flag=True, help="Walk it: the state after each action; on a terminal one at a time.")
@click.option(
    "--until", type=click.IntRange(0), metavar="N", help="Only the first N actions; then the state, and what is possible next."
)
@click.option("--nearby", default=BUDGET, show_default=True, metavar="RUNS", type=click.IntRange(0),
              help="Where it does not show its failure exactly: how many runs to look near by; 0: none.")  # fmt: skip
@click.option(
    "--output",
    type=Place(dir_okay=False),
    help="Write the case as it is now, with the schedule that shows it.",
)
@database_option
@patch_option
@click.option("--full", is_flag=True, help="Tell every step; else what does not matter to the failure is folded to fit a screen.")
@errors
def replay(
    case: Path, design: str | None, walk: bool, until: int | None, nearby: int, output: Path | None, full: bool, database: str | None,
    patch: tuple[str, ...],
) -> int:  # fmt: skip
    """Replay CASE and say whether its failure still shows, with its story.

    It is replayed exactly first. Where the schedule no longer fits the design, that is told (at which action, what was expected, what was
    possible), and schedules near by are tried: the stored one along its names and step ids, its deviations, these with one and
    with several of them changed, and runs of their own. The answer is one of: it still fails; it still fails, differently
    scheduled; it is not found any more, which is no proof; it cannot be decided.

    Exit codes: 1 it fails (as a case should that is kept because it fails), 0 it is not found any more, 2 the file is broken
    or names what does not exist, 3 it cannot be decided.
    """
    stored = cases.read(case)
    design = placed(design, stored.design, database, patch)
    known, properties = design_of(stored, str(case), design)
    if walk or until is not None:
        return _walk(stored, Driver(known, stored.scenario, properties), walk, until)
    if output is not None:
        refuse_unwritable_file(output)
    try:
        judged = judge(stored, known, properties, nearby, _tell_wait)
    except Interrupted as interrupt:
        judged = interrupt.found
    renewed = None if judged.case is None or output is None else judged.case._replace(design=design or stored.design)
    try:
        if renewed is not None and output is not None:
            write_whole(output, cases.dump(renewed, heatproof.__version__))
    finally:  # neither is lost where the other cannot be written
        tell_judgement(case, stored, judged, design or stored.design, full)
    if renewed is not None:
        say(f"\nWritten: {output}")
    elif judged.answer == ELSEWHERE:
        say(f"\nTo keep it as it is now: {replay_command(case, design or stored.design, stored.design)} --output NEW.case.json")
    return CODES[judged.answer]


def _tell_wait(line: str) -> None:
    if sys.stderr.isatty():
        say(line, err=True)


def tell_judgement(path: Path, case: Case, judged: Judgement, spec: str, full: bool = False) -> None:
    """Print the answer, how it came about, and the story if there is one."""
    expected = "anything" if case.expected is None else ": ".join(case.expected)
    if judged.answer != FAILS:
        say(f"{path}: {judged.answer} on {spec}: {expected}")
        for line in judged.told:
            say(f"  {line}")
        if case.expectation == "holds" and judged.answer == GONE:
            say("  The case says that it must hold, and it does, as far as was looked.")
    if judged.shows and judged.violation is not None:
        try:
            said = judged.story(case, full)
        except KeyboardInterrupt:
            said = "  Interrupted before its story could be told."
            if judged.answer == FAILS:
                say(f"{path}: {judged.answer} on {spec}: {expected}")
        say(("\n" if judged.answer != FAILS else "") + said)
        if case.expectation == "holds":
            say("\n  The case says that this must hold.")


# ------------------------------------------------------------------------------------------------------------- walking


def _walk(case: Case, driver: Driver, every: bool, until: int | None) -> int:
    """Show the states of the exact replay: each one, or the last one only."""
    world, count = driver.world, len(case.schedule)
    schedule, steps = case.schedule[:until], case.steps[:until]
    frames = ["\n".join(["The beginning", *states.shown(states.lines(world))])]
    before, known = states.lines(world), set[tuple[str, str]]()

    def each(default: Action | None) -> None:
        nonlocal before
        entry, now = world.log[-1], states.lines(world)
        instead = "" if default is None or default == entry.action else f"  (instead of {default})"
        violated = [f"! {v.name}: {v.witness}" for key, v in driver.monitor.violations.items() if key not in known]
        known.update(driver.monitor.violations)
        frames.append(
            "\n".join([f"{len(world.log)} of {count}: {_happened(entry, world)}{instead}", *states.shown(now, before), *violated])
        )
        before = now

    end, code = "", INCOMPLETE
    try:
        with world.program.watchdog():
            _, misfit = exactly(driver, schedule, steps, each)
    except HeatproofError as error:
        end = f"At action {len(world.log) + 1} something went wrong: {error}"
    else:
        code = INCOMPLETE if misfit is not None else VIOLATED if driver.monitor.violations else HELD
        end = _end(case, world, misfit)
        end = "\n".join([*(f"! {v.name}: {v.witness}" for key, v in driver.monitor.violations.items() if key not in known), end])
    if every and sys.stdin.isatty() and sys.stdout.isatty():
        _page(frames, end)
    else:
        say("\n\n".join([*(frames if every else frames[-1:]), end]))
    return code


def _end(case: Case, world: World, misfit: Misfit | None) -> str:
    if misfit is not None:
        misfit = misfit._replace(of=len(case.schedule))
        return f"The schedule does not fit any more: {misfit}.\nWithout --step and --until, 'heatproof replay' looks near by."
    at = len(world.log)
    if at < len(case.schedule):
        step = f" at {case.steps[at]}" if case.steps and case.steps[at] else ""
        possible = ", ".join(spelled(world, action) for action in world.actions())
        return f"The schedule goes on with: {case.schedule[at]}{step}. Possible: {possible}"
    return "Nothing can happen any more." if world.at_rest else "Here the schedule ends, before rest."


def _happened(entry: Entry, world: World) -> str:
    if entry.before is None or entry.task is None:
        return str(entry.action)
    told = tell(entry, world)
    fault = f"FAULT {entry.action.kind}: " if entry.action.kind != "step" else ""
    return f"{fault}{entry.task.name}: {told.step} {told.phrase}"


def _page(frames: list[str], end: str) -> None:
    """One state at a time, as the user asks."""
    at = 0
    for asked in _asked(len(frames) - 1):
        if asked == "q":
            return
        at = max(0, min(len(frames) - 1, at + {"": 1, "b": -1}.get(asked, 0) if asked in ("", "b") else int(asked)))
        click.clear()
        say(frames[at])
        if at == len(frames) - 1:
            say(f"\n{end}")


def _asked(last: int) -> Iterator[str]:
    """What the user types: nothing for the next state, ``b`` for the one before, a number, or ``q``."""
    yield "0"
    while True:
        try:
            typed = click.prompt(f"\n[Enter] next, b back, 0-{last} go there, q quit", default="", show_default=False).strip()
        except click.Abort:
            return
        if typed in ("", "b", "q") or (typed.isdecimal() and len(typed) < 10):
            yield typed


__all__ = ["replay"]
