"""The command ``heatproof conform``: the model of Heat's algorithm and the engine itself, in lockstep."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import count, groupby
from multiprocessing.synchronize import Event
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from heatproof.ending import begin_worker, end_workers, handed_back
from heatproof.exit_codes import HELD, INCOMPLETE, VIOLATED, errors, say
from heatproof.model.designs.heat import Heat
from heatproof.model.errors import HeatproofError
from heatproof.model.scenario import KINDS
from heatproof.model.world import Action
from heatproof.options import Seconds, names_of
from heatproof.ports.heat import installation
from heatproof.ports.heat.conformance.comparing import SCENARIOS, Agreement, Options, Parted, batch
from heatproof.ports.heat.conformance.correspondence import COMPARED, ENGINE_ALONE, STEPS, UNCOMPARED, function_name
from heatproof.properties.base import Property
from heatproof.strategies.asked import properties_for

now = time.monotonic
"""The clock that processes share: a worker stops comparing by it."""

EVERY = 10.0
"""Seconds between two lines of progress, where the output is no terminal."""


def asked() -> list[Property]:
    """The properties that both sides are asked: those that do not go by the model's step ids."""
    return [p for p in properties_for("heat-engine", ()) if p.expectation != "sometimes"]


@click.command()
@click.option("--resources", default=5, show_default=True, type=click.IntRange(1, 30), help="Most resources in a template.")
@click.option("--operations", default=4, show_default=True, type=click.IntRange(1, 20), help="Most operations in a scenario.")
@click.option("--engines", default=2, show_default=True, type=click.IntRange(1, 10), help="Most engines.")
@click.option("--threads", default=2, show_default=True, type=click.IntRange(1, 20), help="Most worker threads of an engine.")
@click.option(
    "--kinds", callback=names_of(KINDS, "kind of operation"), help="Kinds of operations, separated by commas; default: all."
)
@click.option("--faults", callback=names_of(COMPARED, "fault", {name: f"is not compared: {why}" for name, why in UNCOMPARED.items()}),
              help="Kinds of faults, separated by commas, or none; default: all that can be compared.")  # fmt: skip
@click.option("--fault-budget", default=2, show_default=True, type=click.IntRange(0, 20), help="Most faults of each kind in a run.")
@click.option("--accesses", is_flag=True, help="Compare what each whole run asked of the database too; takes twice as long.")
@click.option("--seed", default=0, show_default=True, help="The same seed and number of runs compare the same.")
@click.option("--runs", type=click.IntRange(1), help="Stop after so many runs, rounded up to whole batches.")
@click.option("--seconds", type=Seconds(), help="Time budget. [default: 60 if --runs is not given]")
@click.option(
    "--keep-going", is_flag=True, help="Go on after a difference, to the end of the budget, and tell of every run that parted."
)
@click.option(
    "--processes", default=os.cpu_count() or 1, show_default="one a core", type=click.IntRange(1, 256), help="Worker processes."
)
@click.option(
    "--design", default=Heat.name, show_default=True, help="The model: heat, or heat+MUTATION to see a wrong one found out."
)
@errors
def conform(**given: Any) -> int:
    """Run random scenarios on the model of Heat's algorithm and on the engine itself, action by action, and compare everything.

    The engine is that of the installed openstack-heat. Compared after each database transaction are what can happen next, the rows of
    stack, resource, sync_point and raw_template, the messages, reality, what each task is about to do, what users are told, and the verdicts
    of the properties. Where the two part, the shortest run that shows it is told. Exit codes: 0 they agree, 1 they part, 2 wrong use or no
    engine, 3 incomplete.
    """
    if reason := installation.why_not():
        raise HeatproofError(f"there is no engine to compare with: {reason}")
    options = Options(
        given["resources"], given["operations"], given["engines"], given["threads"], given["kinds"], given["faults"],
        given["fault_budget"], given["seed"], accesses=given["accesses"],
    )  # fmt: skip
    seconds = given["seconds"] if given["seconds"] or given["runs"] else 60.0
    comparison = Comparison(options, given["design"], given["runs"], seconds, given["processes"], given["keep_going"])
    interrupted = comparison.run()
    found = comparison.found
    click.echo(summary(found, options))
    if found.parted:
        shortest, *others = sorted(found.parted, key=lambda parted: (len(parted.actions), parted.plan.seed))
        say(told(shortest))
        for other in others:
            say(f"\nAnother run parts after {len(other.actions)} actions: {other.difference}.")
        return VIOLATED
    if interrupted or not found.runs:
        click.echo("Interrupted; so far they agree." if interrupted else "Nothing was compared in that time; give more --seconds.")
        return INCOMPLETE
    click.echo("The model and the engine agree in all that was compared; that is no proof.")
    return HELD


# --------------------------------------------------------------------------------------------------- in several processes

_worker: dict[str, Any] = {}


def _start(called_off: Event) -> None:
    begin_worker()
    _worker["called_off"] = called_off
    _worker["properties"] = asked()


def _batch(options: Options, number: int, design: str, keep_going: bool, until: float | None) -> Agreement:
    most = SCENARIOS * options.plans if keep_going else 5

    def over() -> bool:
        return (until is not None and now() >= until) or _worker["called_off"].is_set()

    return batch(options, number, _worker["properties"], design, most, over)


class Comparison:
    """Batches of runs in several processes, until a budget is used, the user interrupts, or, unless it is to ``keep_going``, a batch has
    found a difference."""

    def __init__(self, options: Options, design: str, runs: int | None, seconds: float | None, processes: int, keep_going: bool):
        self.options, self.design, self.processes, self.keep_going = options, design, processes, keep_going
        self.batches = None if runs is None else -(-runs // (SCENARIOS * options.plans))
        self.until = None if seconds is None else now() + seconds
        self.found = Agreement()
        self.context = multiprocessing.get_context("spawn")
        self.called_off = self.context.Event()  # workers hand back what they have then

    def run(self) -> bool:
        """Whether the user has interrupted. Raises :class:`HeatproofError` if a worker process died."""
        pool = ProcessPoolExecutor(self.processes, self.context, initializer=_start, initargs=(self.called_off,))
        console = Console(stderr=True, highlight=False)
        interrupted = False
        try:
            with console.status(Text("starting")) if console.is_terminal else _no_status() as status:
                self._compare(pool, status)
        except KeyboardInterrupt:
            interrupted = True
        except BrokenProcessPool as error:
            raise HeatproofError(f"a worker process died ({error}); try fewer --processes, or look for a full memory") from error
        finally:
            processes = list((pool._processes or {}).values())
            pool.shutdown(wait=not interrupted, cancel_futures=True)
            if interrupted:
                end_workers(processes)
        return interrupted

    def _compare(self, pool: ProcessPoolExecutor, status: Any) -> None:
        numbers, merged = self._numbers(), 0
        order: dict[Future[Agreement], int] = {}
        done: dict[int, Agreement] = {}
        said = now()
        try:
            while True:
                while len(order) <= self.processes and (number := next(numbers, None)) is not None:
                    order[pool.submit(_batch, self.options, number, self.design, self.keep_going, self.until)] = number
                if not order:
                    return
                for future in wait(order, timeout=0.5, return_when=FIRST_COMPLETED).done:
                    done[order.pop(future)] = future.result()
                while merged in done:  # in order, so that the same batches make the same report
                    self.found.add(done.pop(merged))
                    merged += 1
                line = f"comparing: {self.found.runs} runs, {self.found.steps} actions, {len(self.found.parted)} differences"
                if status is not None:
                    status.update(Text(line))
                elif now() - said >= EVERY:
                    said = now()
                    click.echo(line)
        except KeyboardInterrupt:
            self.called_off.set()
            for future in handed_back(order):
                done[order[future]] = future.result()
            raise
        finally:  # what came early is not lost where the user interrupts
            for number in sorted(done):
                self.found.add(done[number])

    def _numbers(self) -> Iterator[int]:
        for number in count() if self.batches is None else range(self.batches):
            if (self.found.parted and not self.keep_going) or (self.until is not None and now() >= self.until):
                return
            yield number


class _no_status:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


# ------------------------------------------------------------------------------------------------------------ the report


def summary(found: Agreement, options: Options) -> str:
    """What was compared, in a few lines."""
    met = {function_name(point) for point, _ in found.points}
    missed = sorted(set(STEPS) - met)
    lines = [
        f"{found.runs} runs of {found.scenarios} scenarios, {found.steps} actions, each compared. The longest run that agreed to its end"
        f" has {found.longest} actions.",
        f"Up to {options.resources} resources, {options.operations} operations, {options.engines} engines, {options.threads} threads."
        f" Runs with: {_counts(found.kinds)}.",
        f"Runs by the most operations that were asked without a rest between them: {_counts(found.overlapping)}.",
        f"Runs struck by: {_counts(found.struck)}.",
        f"Properties that both found violated: {len(found.violated)}.",
        f"Transactions of the engine that were met: {len(met & set(STEPS))} of {len(STEPS)} functions of heat.db.api"
        + (f"; not met: {', '.join(missed)}" if missed else "")
        + f". Apart are {', '.join(sorted(ENGINE_ALONE))}.",
    ]
    if found.parted:
        lines.append(f"{len(found.parted)} of them parted.")
    if found.cut:
        lines.append(f"{found.cut} runs did not come to rest in their number of actions; they agree as far as they went.")
    return "\n".join(lines)


def _counts(counts: Any) -> str:
    return ", ".join(f"{name}: {number}" for name, number in sorted(counts.items())) or "nothing"


def told(parted: Parted) -> str:
    """Where the two part: the scenario, the prefix that agrees, the difference, and what each side would do next."""
    scenario, difference = parted.scenario, parted.difference
    budget = ", ".join(f"{kind} {number}" for kind, number in scenario.faults.items()) or "none"
    lines = [
        "",
        f"They part after {len(parted.actions)} actions: {difference}.",
        "",
        f"Scenario: {scenario.scope.engines} engines of {scenario.scope.threads} threads; faults allowed: {budget}",
        *(f"  {number} {operation}" for number, operation in enumerate(scenario.operations, 1)),
        *(f"    {operation.template}" for operation in scenario.operations if operation.template is not None),
        "",
        "What was done on both sides; all but the last action agrees:",
        *(f"  {line}" for line in folded(parted.actions)),
        "",
        "What comes next, in the model and in the engine:",
        *(f"  {name}: {mine} | {its}" + ("" if _alike(mine, its) else "   <- differs") for name, mine, its in parted.following),
    ]
    return "\n".join(lines)


def _alike(mine: str, its: str) -> bool:
    if "/" in its and its.startswith("transaction "):
        return mine.rpartition(" ")[2] in STEPS.get(function_name(its), ())
    return mine.partition(" ")[0] == its.partition(" ")[0]


def folded(actions: tuple[Action, ...]) -> list[str]:
    """The actions, with the steps of one task in a row told in one line."""
    return [f"{action}" + (f", {number} times" if (number := len(list(same))) > 1 else "") for action, same in groupby(actions)]


__all__ = ["conform"]
