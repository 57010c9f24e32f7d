"""A check from beginning to end: explore in several processes, make the failures small, write the report."""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from math import inf
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import heatproof
from heatproof.ending import begin_worker, end_workers, handed_back
from heatproof.model import catalogue
from heatproof.model.design import Design
from heatproof.model.errors import HeatproofError
from heatproof.model.scenario import Scenario, Scope
from heatproof.properties.base import Property
from heatproof.reports import verdicts
from heatproof.reports.cases import Case, dump
from heatproof.reports.files import write_whole
from heatproof.reports.judging import noted, replay_command
from heatproof.reports.progress import Reporter, Tick
from heatproof.reports.story import story
from heatproof.reports.tables import lines, plain_table, summary
from heatproof.strategies import scenario_files
from heatproof.strategies.asked import properties_for
from heatproof.strategies.exploring import Findings, Options, batch
from heatproof.strategies.running import Driver
from heatproof.strategies.schedules import record
from heatproof.strategies.shrinking import Failure, Key, Shrinker

now = time.monotonic
"""The clock that processes share: a worker stops exploring and shrinking by it."""

SHRINKING = 0.35
"""The share of a time budget that is kept for making failures small."""


@dataclass(slots=True)
class Outcome:
    """What a check came to: its findings, why it stopped, whether that was before its budget was used, the error that ended it after
    something had been found out, and how many failures have no story, since it was interrupted before these were told."""

    findings: Findings
    stopped: str
    interrupted: bool
    error: Exception | None = None
    untold: int = 0


def heats_scenarios(design: Design, options: Options) -> tuple[Scenario, ...]:
    """The operations of Heat's own scenario files, as far as they are installed, within the scope, and possible for the design."""
    folder = scenario_files.installed()
    if folder is None or design.tables != catalogue.DESIGNS["heat"].tables:
        return ()
    found = []
    for file in scenario_files.find_files([folder]):
        scenario = replace(
            scenario_files.as_scenario(file), scope=Scope(max(options.engines, design.least_engines), options.threads)
        )
        kinds = {o.kind for o in scenario.operations}
        fits = scenario.size <= options.resources and len(scenario.operations) <= options.operations
        if fits and (options.kinds is None or kinds <= {"create", *options.kinds}):
            found.append(scenario)
    return tuple(found)


# ------------------------------------------------------------------------------------------------- in worker processes

_worker: dict[str, Any] = {}


def _start(spec: str, wanted: tuple[str, ...], called_off: Event) -> None:
    begin_worker()
    _worker["called_off"] = called_off
    gc.set_threshold(100_000, 20, 50)  # a trie of small objects that stay: collecting them again and again finds nothing
    _worker["design"] = catalogue.load(spec)
    _worker["properties"] = properties_for(spec, wanted)


def _batch(options: Options, number: int, until: float | None) -> Findings:
    before = Findings()
    try:
        return batch(_worker["design"], _worker["properties"], options, number, over=_over(until), before=before)
    except HeatproofError as error:
        before.error = error
        return before


def _shrink(failure: Failure, budget: int, until: float | None, share: float = inf) -> tuple[Failure, int]:
    """Make it small until ``until``, in at most ``share`` seconds; what came of it, and how many runs are left where it was cut by these."""
    design, properties = _worker["design"], _worker["properties"]
    until = None if until is None else min(until, now() + share)
    over, left = _over(until), 0

    def noted() -> bool:
        nonlocal left
        if ended := over():
            left = shrinker.left
        return ended

    with design.program(failure.scenario).watchdog():
        shrinker = Shrinker(design, properties, failure, budget, noted)
        return shrinker.shrink(), left


def _over(until: float | None) -> Callable[[], bool]:
    called_off = _worker.get("called_off")
    return lambda: (until is not None and now() >= until) or (called_off is not None and called_off.is_set())


# ------------------------------------------------------------------------------------------------------ in the parent


@dataclass(slots=True)
class Limits:
    """How long: seconds (None: no limit), scenarios (None: no limit), processes, and runs to shrink each failure."""

    seconds: float | None
    examples: int | None
    processes: int = 2
    shrink: int = 1200


class Check:
    """Runs a check. ``clock`` tells seconds; only budgets and progress look at it."""

    def __init__(
        self,
        spec: str,
        wanted: tuple[str, ...],
        options: Options,
        limits: Limits,
        reporter: Reporter,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.spec, self.wanted, self.options, self.limits = spec, wanted, options, limits
        self.properties = properties_for(spec, wanted)
        self.reporter = reporter
        self.clock = clock
        self.findings = Findings()
        self.started = clock()
        self.situations = sum(p.expectation == "sometimes" for p in self.properties)
        self.context = multiprocessing.get_context("spawn")
        self.called_off = self.context.Event()  # workers hand back what they have then

    def run(self) -> Outcome:
        """Explore until the budget is used or the user interrupts; then shrink what was found. What ends it early is raised, but where runs
        have been made it is part of the outcome: what hours have found is not lost with it."""
        stopped, interrupted = "the budget was used", False
        failed: Exception | None = None
        given = self.spec, self.wanted, self.called_off
        pool = ProcessPoolExecutor(self.limits.processes, self.context, initializer=_start, initargs=given)
        try:
            self._explore(pool)
            self._shrink(pool)
        except KeyboardInterrupt:
            stopped, interrupted = "interrupted by the user", True
        except BrokenProcessPool as error:
            failed = HeatproofError(f"a worker process died ({error}); try fewer --processes, or look for a full memory")
            failed.__cause__ = error
        except Exception as error:
            failed = error
        finally:
            self.reporter.close()
            processes = list((pool._processes or {}).values())
            pool.shutdown(wait=not interrupted, cancel_futures=True)
            if interrupted:
                end_workers(processes)
        if failed is None:
            return Outcome(self.findings, stopped, interrupted)
        if not self.findings.runs:
            raise failed
        return Outcome(self.findings, "ended by an error", True, failed)

    def _explore(self, pool: ProcessPoolExecutor) -> None:
        seconds, examples = self.limits.seconds, self.limits.examples
        until = None if seconds is None else self.started + seconds * (1 - SHRINKING if self.limits.shrink else 1)
        numbers = self._numbers(until, examples)
        pending: set[Future[Findings]] = set()
        done: dict[int, Findings] = {}
        order: dict[Future[Findings], int] = {}
        merged = 0
        try:
            while True:
                if any(found.error is not None for found in done.values()):
                    numbers = iter(())  # what was begun before is waited for: the first error counts, with what was found before it
                while len(pending) < self.limits.processes + 1 and (number := next(numbers, None)) is not None:
                    future = pool.submit(_batch, self.options, number, self._shared(until))
                    order[future] = number
                    pending.add(future)
                if not pending:
                    break
                finished, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in finished:
                    done[order.pop(future)] = future.result()
                while merged in done:  # in order, so that the same batches make the same findings
                    self.findings.add(found := done.pop(merged))
                    merged += 1
                    if found.error is not None:
                        done.clear()
                        raise found.error
                self._tick("exploring", until)
        except KeyboardInterrupt:
            self.called_off.set()
            for future in handed_back(order):
                done[order[future]] = future.result()
            raise
        finally:  # what came early is not lost where the user interrupts
            for number in sorted(done):
                self.findings.add(done[number])

    def _numbers(self, until: float | None, examples: int | None) -> Iterator[int]:
        number = 0
        while (until is None or self.clock() < until) and (examples is None or number * 10 < examples):
            yield number
            number += 1

    def _shrink(self, pool: ProcessPoolExecutor) -> None:
        seconds = self.limits.seconds
        until = None if seconds is None else self.started + seconds
        if not self.limits.shrink:
            return
        failures = self.findings.failures
        waiting = [(key, self.limits.shrink) for key in sorted(failures, key=lambda key: (failures[key].score, key))]
        cut: list[tuple[Key, int]] = []  # those that have had their share; what others leave of theirs is for them
        pending: dict[Future[tuple[Failure, int]], Key] = {}
        try:
            self._shrink_in_turn(pool, until, waiting, cut, pending)
        except KeyboardInterrupt:
            self.called_off.set()
            for future in handed_back(pending):
                failures[pending[future]], _ = future.result()
            raise

    def _shrink_in_turn(
        self,
        pool: ProcessPoolExecutor,
        until: float | None,
        waiting: list[tuple[Key, int]],
        cut: list[tuple[Key, int]],
        pending: dict[Future[tuple[Failure, int]], Key],
    ) -> None:
        failures, processes = self.findings.failures, self.limits.processes
        while waiting or pending or cut:
            if not waiting and not pending:
                waiting, cut = cut, []
            while waiting and len(pending) <= processes and (until is None or self.clock() < until):
                share = inf if until is None else (until - self.clock()) * processes / (len(waiting) + len(pending))
                key, budget = waiting.pop(0)
                pending[pool.submit(_shrink, failures[key], budget, self._shared(until), share)] = key
            if not pending:
                break
            finished, _ = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in finished:
                key = pending.pop(future)
                failures[key], left = future.result()
                cut += [(key, left)] if left > 0 else []
            self._tick(f"shrinking, {len(waiting) + len(pending)} to go", until)

    def _shared(self, until: float | None) -> float | None:
        """The same moment by the clock that workers go by."""
        return None if until is None else now() + until - self.clock()

    def _tick(self, stage: str, until: float | None) -> None:
        now = self.clock()
        found = self.findings
        rate = found.steps / max(now - self.started, 1e-9)
        left = None if until is None else until - now
        self.reporter.tick(
            Tick(
                stage,
                found.scenarios,
                found.runs,
                found.steps,
                rate,
                len(found.reached),
                self.situations,
                len(found.failures),
                left,
            )
        )


# ----------------------------------------------------------------------------------------------------------- the report


def tell(design: Design, properties: Sequence[Property], failure: Failure) -> str:
    """The story of a failure; also gives the failure the deviations of its schedule."""
    driver = Driver(design, failure.scenario, properties)
    failure.deviations = record(driver, failure.actions)
    return story(driver.world, failure.deviations, failure.violation)


def report(folder: Path, spec: str, outcome: Outcome, properties: Sequence[Property]) -> dict[Key, str]:
    """Write the table, and a case and a story for every kind of failure; the names of these. What the report before it in the same folder
    wrote is taken away.

    What needs no run comes first: the cases, bare, and the table. Then each case is noted and told, until the user interrupts. Where he has
    interrupted the check already, and each run is one of the real engine, which this process would have to load, that is left to 'heatproof replay'.
    """
    design = catalogue.load(spec)
    table, did = lines(properties, outcome.findings, design.survives), summary(outcome.findings, outcome.stopped)
    names = verdicts.names_in(folder, outcome.findings.failures)
    bare: dict[Key, Case] = {}
    for key, failure in sorted(outcome.findings.failures.items()):
        bare[key] = Case(f"{key[0]}: {key[1]}", spec, failure.scenario, tuple(failure.actions), key)
    found = verdicts.Verdicts(spec, did, table, [names.get((line.name, line.kind), "") for line in table])
    files = {f"{names[key]}.case.json": dump(case, heatproof.__version__) for key, case in bare.items()}
    verdicts.write(folder, found, f"heatproof check {spec}\n{did}\n\n{plain_table(table)}\n", files, heatproof.__version__)
    outcome.untold = len(bare)
    stories = [f"{names[key]}.story.txt" for key in bare]
    try:
        for key, case in bare.items() if design.pure or not outcome.interrupted else ():
            failure, path = outcome.findings.failures[key], folder / f"{names[key]}.case.json"
            try:
                told, whole = tell(design, properties, failure), dump(noted(case, design, failure.actions), heatproof.__version__)
            except HeatproofError:
                if outcome.error is None:
                    raise
                continue  # what ended the check may well end this run too, and is told all the same
            write_whole(path, whole)
            command = f"Replay it: {replay_command(path, spec)}"
            write_whole(path.with_name(f"{names[key]}.story.txt"), f"{told}\n\n  {command}\n")
            outcome.untold -= 1
    except KeyboardInterrupt:
        outcome.interrupted = True
    finally:
        verdicts.list_again(folder, found, [*files, *stories], heatproof.__version__)
    return names
