"""The command ``heatproof shrink``: a stored case made smaller."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

import heatproof
from heatproof.exit_codes import HELD, INCOMPLETE, errors, say
from heatproof.model.errors import HeatproofError
from heatproof.model.interrupting import Interrupted
from heatproof.model.scenario import Scenario
from heatproof.options import Place, Seconds, database_option, patch_option, placed
from heatproof.reports import cases
from heatproof.reports.files import refuse_unwritable_file, write_whole
from heatproof.reports.judging import GONE, UNDECIDED, design_of, judge, noted, replay_command
from heatproof.strategies.nearby import BUDGET
from heatproof.strategies.shrinking import Failure, Shrinker


@click.command()
@click.argument("case", type=Place())
@click.option("--design", help="Shrink it on this design instead of the one in the case. Needed if that is a FILE.py:Class.")
@click.option(
    "--budget", default=3_000, show_default=True, metavar="RUNS", type=click.IntRange(1), help="How many runs may be made."
)
@click.option("--seconds", type=Seconds(), help="Stop after so many seconds. [default: no limit]")
@click.option(
    "--output",
    type=Place(dir_okay=False),
    help="Where to write it. [default: NAME.small.case.json beside CASE]",
)
@database_option
@patch_option
@errors
def shrink(case: Path, budget: int, seconds: float | None, output: Path | None, **given: Any) -> int:
    """Make the failure of CASE smaller: fewer faults, operations, resources, engines, then fewer deviations from the default order.

    It stays the same failure: the same property, violated by the same kind of witness. What was found when the budget or the time is used, or
    when you interrupt with Ctrl-C, is written. A case that only fails near by is shrunk from there. Exit codes: 0 written, 2 there is no
    failure to shrink or the file is broken, 3 it cannot be decided whether there is.
    """
    last = None if seconds is None else time.monotonic() + seconds
    stored = cases.read(case)
    design = placed(given["design"], stored.design, given["database"], given["patch"])
    known, properties = design_of(stored, str(case), design)
    target = output or case.with_name(case.name.removesuffix(".json").removesuffix(".case") + ".small.case.json")
    refuse_unwritable_file(target)
    try:
        judged = judge(stored, known, properties, BUDGET)
    except Interrupted as interrupt:
        say(f"{case}: {interrupt.found.answer} on {design or stored.design}. {' '.join(interrupt.found.told)}")
        return INCOMPLETE
    if judged.answer == UNDECIDED:
        say(f"{case}: {UNDECIDED} on {design or stored.design}. {' '.join(judged.told)}")
        return INCOMPLETE
    if judged.answer == GONE or judged.case is None or judged.violation is None:
        raise HeatproofError(f"{case}: there is no failure to shrink on {design or stored.design}. {' '.join(judged.told)}")
    first = judged.case
    failure = Failure(first.scenario, list(first.schedule), judged.violation, list(judged.deviations))
    shrinker: Shrinker | None = None
    small, interrupted = failure, False
    with Live(
        get_renderable=lambda: _progress(shrinker, budget), console=Console(stderr=True), refresh_per_second=4, transient=True
    ):
        try:
            shrinker = Shrinker(known, properties, failure, budget, lambda: last is not None and time.monotonic() >= last)
            small = shrinker.shrink()
        except KeyboardInterrupt:
            small, interrupted = failure if shrinker is None else shrinker.best, True
    made = noted(first._replace(scenario=small.scenario, design=design or stored.design), known, small.actions)
    write_whole(target, cases.dump(made, heatproof.__version__))
    for name, before, after in zip(PARTS, _sizes(first), _sizes(made), strict=True):
        if before or after:
            say(f"{name:>10}  {before:5} -> {after}")
    if shrinker is not None and shrinker.cut:
        say(f"The {seconds:g} seconds were used before the {budget} runs were: this is the best so far.")
    if interrupted:
        say(f"Interrupted with {budget if shrinker is None else shrinker.left} of {budget} runs left: this is the best so far.")
    say(f"Written: {target}\nSee it: {replay_command(target, made.design)}")
    return HELD


PARTS = ("faults", "operations", "resources", "engines", "threads", "deviations", "actions")


def _sizes(case: cases.Case) -> tuple[int, ...]:
    return (*_scenario_sizes(case.scenario), len(case.deviations or ()), len(case.schedule))


def _scenario_sizes(scenario: Scenario) -> tuple[int, ...]:
    scope = scenario.scope
    return sum(scenario.faults.values()), len(scenario.operations), scenario.size, scope.engines, scope.threads


def _progress(shrinker: Shrinker | None, budget: int) -> Text:
    if shrinker is None:
        return Text("")
    best = shrinker.best
    parts = zip(PARTS, (*_scenario_sizes(best.scenario), len(best.deviations), len(best.actions)), strict=True)
    return Text(
        f"shrinking: {max(shrinker.left, 0)} of {budget} runs left; " + ", ".join(f"{n} {part}" for part, n in parts), style="cyan"
    )


__all__ = ["shrink"]
