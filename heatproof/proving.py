"""A proof from beginning to end: search every scenario of a scope, in several processes if there are several, one alone by several threads; make
the counterexamples easy to read, write the report."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from heatproof.ending import begin_worker, end_workers
from heatproof.model import catalogue
from heatproof.model.errors import HeatproofError
from heatproof.reports import proofs as reports
from heatproof.reports.progress import Reporter, Searching
from heatproof.strategies.asked import properties_for
from heatproof.strategies.proving.compiling import WorkingClock
from heatproof.strategies.proving.guarding import guarded
from heatproof.strategies.proving.least import Least, least
from heatproof.strategies.proving.proofs import INTERRUPTED, Live, Proof, Proofs, Switches, prove
from heatproof.strategies.proving.scopes import Member
from heatproof.strategies.proving.storage import Storage, memory_free
from heatproof.strategies.shrinking import Failure, Key

SHRINKING = 0.2
"""The share of a time budget that is kept for making counterexamples easy to read, once there is one."""

FRONTIER = 0.3
"""The share of a memory budget in which a search may keep its frontier."""

PATIENCE = 20.0
"""Seconds in which a search in a worker process must come to tell what it has seen once the user has interrupted."""

ALONE = 3.0
"""Seconds: a scenario that takes longer is worth worker processes for it and the ones that are left."""

STARTING = 10.0
"""Seconds: with less than that left, worker processes would have hardly begun before the time is over."""

TIME, MEMORY, LARGE = "the time budget was used", "the memory budget was used", "worker processes go on with it"
ERROR = "an error ended the search of another"


@dataclass(frozen=True, slots=True)
class Budget:
    """How much: seconds (None: no limit), bytes of memory in all processes together (None: no limit), processes, or threads of one scenario, and
    runs to make each counterexample easy to read."""

    seconds: float | None = None
    memory: int | None = None
    processes: int = 1
    shrink: int = 1200


class Stored(NamedTuple):
    """Where searches are kept so that they can go on later, and whether they are to. Of several scenarios each has a file of its own."""

    path: Path
    resume: bool
    several: bool

    def file(self, number: int) -> Path:
        """The file of a scenario, by its number from 0."""
        return self.path.with_name(f"{self.path.name}.{number + 1}") if self.several else self.path


@dataclass(slots=True)
class Outcome:
    """What a proof came to: the searches, of each violation the shortest run and that with the fewest deviations, why it stopped,
    whether the user interrupted it, and the error that ended it after some scenarios had been searched."""

    proofs: Proofs
    shortest: dict[Key, Failure]
    fewest: dict[Key, Least]
    stopped: str
    interrupted: bool
    error: HeatproofError | None = None


def memory_used() -> int:
    """The bytes of memory that this process has at the moment; where the system does not say, the most that it ever had."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@dataclass(slots=True)
class Watch:
    """Tells a search when it must stop, and others how it goes. ``until``: a time of the clock, for a search without and with
    violations; ``memory``: bytes; ``called_off``: whether the user has interrupted; ``alone``: a time of the clock from which on worker processes are
    to search the scenario, ``left_to_them``: whether they are."""

    until: tuple[float, float] | None
    memory: int | None
    tell: Callable[[Live, int], None]
    clock: Callable[[], float] = time.monotonic
    called_off: Callable[[], bool] = lambda: False
    alone: float | None = None
    left_to_them: bool = False
    told: float = 0.0

    def __call__(self, live: Live) -> str:
        if self.called_off():
            return INTERRUPTED
        now, used = self.clock(), memory_used()
        if now >= self.told + 0.5:
            self.told = now
            self.tell(live, used)
        if self.until is not None and now >= self.until[bool(live.violations)]:
            return TIME
        if self.alone is not None and now >= self.alone:
            self.left_to_them = True
            return LARGE
        return MEMORY if self.memory is not None and used > self.memory else ""


# ------------------------------------------------------------------------------------------------- in worker processes

_worker: dict[str, Any] = {}


def _start(spec: str, wanted: tuple[str, ...], switches: Switches, news: Any, called_off: Any) -> None:
    begin_worker()
    _begin(spec, wanted, switches)
    clock = WorkingClock(time.monotonic)
    _worker.update(news=news, called_off=called_off, clock=clock)
    _worker["stack"] = stack = contextlib.ExitStack()
    stack.enter_context(clock.heeded())


def _begin(spec: str, wanted: tuple[str, ...], switches: Switches) -> None:
    gc.set_threshold(100_000, 20, 50)
    _worker.update(design=catalogue.load(spec), properties=properties_for(spec, wanted), switches=switches)


def _prove(
    member: Member,
    number: int,
    until: tuple[float, float] | None,
    memory: int | None,
    threads: int,
    file: Path | None,
    resume: bool,
) -> Proof:
    news, design, properties = _worker["news"], _worker["design"], _worker["properties"]
    called_off = _worker["called_off"].is_set
    watch = Watch(until, memory, lambda live, used: news.put((number, live, used)), _worker["clock"], called_off)
    try:
        with guarded(design, member.scenario):
            return prove(
                design, member.scenario, properties, _worker["switches"], watch, number, member.label, file, resume,
                _storage(memory), threads,
            )  # fmt: skip
    finally:
        give_back()


def give_back() -> None:
    """Give the memory of a search that is over back to the system, so that the next one does not begin with its budget used. A search is
    full of circles, which nothing but the collector takes away, and the C library keeps what was freed unless it is asked not to."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def _storage(memory: int | None) -> Storage:
    """A share of the memory of a process is for the frontier; what does not fit there goes to disk."""
    return Storage() if memory is None else Storage(int(memory * FRONTIER))


def _shrink(failure: Failure, budget: int, until: float | None, clock: Callable[[], float] = time.monotonic) -> Least:
    with guarded(design := _worker["design"]):
        return least(design, _worker["properties"], failure, budget, lambda: until is not None and clock() >= until)


# ------------------------------------------------------------------------------------------------------ in the parent


class Prover:
    """Runs a proof. ``clock`` tells seconds; only budgets and progress look at it."""

    def __init__(
        self,
        spec: str,
        wanted: tuple[str, ...],
        members: Sequence[Member],
        switches: Switches,
        budget: Budget,
        reporter: Reporter,
        stored: Stored | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.stored = stored
        self.clock = clock = WorkingClock(
            clock, lambda: reporter.say("compiling, once after an installation; that takes a minute and is not counted")
        )
        self.spec, self.wanted, self.members, self.switches = spec, wanted, members, switches
        self.budget = budget
        self.at_once = max(1, min(budget.processes, len(members)))  # so many scenarios are searched side by side at most
        self.left: Sequence[int] = range(len(members))  # scenarios that nobody has begun with, by number
        self.begun: Proof | None = None  # what was begun here, and left to worker processes
        self.design, self.properties = catalogue.load(spec), properties_for(spec, wanted)
        self.reporter, self.started = reporter, clock()
        self.rate = self.started, 0, 0.0  # when it was last worked out, with how many states, and states a second
        self.proofs = Proofs(len(members))
        self.done = 0
        self.taken: set[int] = set()  # scenarios that were gone through, or cut, by number
        self.live: dict[int, tuple[Live, int]] = {}
        self.pending: set[Future[Proof]] = set()  # what worker processes search
        self.cramped: list[Proof] = []  # what their share of the memory was too little for
        self.situations = sum(p.expectation == "sometimes" for p in self.properties)
        self.shortest: dict[Key, Failure] = {}
        self.fewest: dict[Key, Least] = {}

    @property
    def _until(self) -> tuple[float, float] | None:
        seconds = self.budget.seconds
        early = self.started + (seconds or 0) * (1 - SHRINKING)
        return None if seconds is None else (early if self.proofs.violations else self.started + seconds, early)

    def run(self) -> Outcome:
        """Search until all is searched, a budget is used or the user interrupts; then make what was found easy to read."""
        with self.clock.heeded(), guarded(self.design):
            return self._run()

    def _run(self) -> Outcome:
        stopped, interrupted, failed = TIME, False, None
        try:
            self._here()
            many = self.budget.processes > 1 and self.budget.shrink and len(self.proofs.violations) > 1
            if self.left or (many and self._worth_starting()):
                stopped = self._there() or stopped
            self._shrink_here()
        except KeyboardInterrupt:
            stopped, interrupted = INTERRUPTED, True
        except HeatproofError as error:
            if not self.taken and self.begun is None:
                raise
            stopped, failed = ERROR, error
        finally:
            self.reporter.close()
        if (seen := self.begun) is not None and seen.number not in self.taken:
            self._take(seen.cut_by(stopped))
        try:
            self._do_again()
        except HeatproofError as error:
            if failed is None:
                raise
            raise failed from error  # of two the first is told
        for key, failure in self.shortest.items():
            known = self.fewest.get(key)
            if known is None or len(known.failure.deviations) > len(failure.deviations):
                self.fewest[key] = Least(failure, not failure.deviations)
        return Outcome(self.proofs, self.shortest, self.fewest, stopped, interrupted, failed)

    # ------------------------------------------------------------------------------------------------ in this process

    def _here(self) -> None:
        """Search scenarios one by one. Where several are left and one of them is large, they are left to worker processes: to start these takes
        seconds."""
        _begin(self.spec, self.wanted, self.switches)
        for number in self.left:
            if self._late():
                break

            def tell(live: Live, used: int, number: int = number) -> None:
                self.live[number] = (live, used)
                self._tick("searching", used)

            member, (file, resume) = self.members[number], self._file(number)
            alone = self.at_once == 1 or number == self.left[-1] or not self._worth_starting()
            watch = Watch(self._until, self.budget.memory, tell, self.clock, alone=None if alone else self.clock() + ALONE)
            with guarded(self.design, member.scenario):
                proof = prove(
                    self.design, member.scenario, self.properties, self.switches, watch, number, member.label, file, resume,
                    _storage(self.budget.memory), self.budget.processes,
                )  # fmt: skip
            if watch.left_to_them:
                self.live.pop(number, None)
                self.left, self.begun = range(number, len(self.members)), proof
                give_back()
                return
            self._take(proof)
            if INTERRUPTED in (proof.cut, proof.unjudged, proof.uncounted):
                raise KeyboardInterrupt
            give_back()
        self.left = ()

    def _worth_starting(self) -> bool:
        """Whether there is enough time left for worker processes."""
        return self._end is None or self.clock() + STARTING < self._end

    @property
    def _theirs(self) -> float:
        """What must be added to a time of the clock to have one by the clocks of worker processes."""
        return time.monotonic() - self.clock()

    def _shrink_here(self) -> None:
        """Make counterexamples small that no worker process has."""
        if keys := self._to_shrink():
            _begin(self.spec, self.wanted, self.switches)
        for key in keys:
            if self._over():
                return
            self._tick("making counterexamples small", memory_used())
            self.fewest[key] = _shrink(self.shortest[key], self.budget.shrink, self._end, self.clock)

    def _file(self, number: int) -> tuple[Path | None, bool]:
        """The checkpoint of a scenario, and whether its search goes on from there; if so, that is said."""
        if self.stored is None:
            return None, False
        file, resume = self.stored.file(number), self.stored.resume or (self.begun is not None and self.begun.number == number)
        if resume and file.is_file():
            self.reporter.say(f"reading the checkpoint {file}, to its end: what it knows is told")
        return file, resume

    def _take(self, proof: Proof) -> None:
        """Take over the search of a scenario. One that was begun again may have been stopped before it came as far as the first:
        of two that are not complete the one that has seen more counts."""
        if not proof.complete:
            before = [*self.cramped, *([] if self.begun is None else [self.begun])]
            first = [one.cut_by(proof.cut) for one in before if one.number == proof.number]
            proof = max([*first, proof], key=lambda one: one.states)
        self.live.pop(proof.number, None)
        self.proofs.add(proof)
        self.taken.add(proof.number)
        self.done += 1

    def _late(self) -> bool:
        until = self._until
        return until is not None and self.clock() >= until[0]

    @property
    def _end(self) -> float | None:
        return None if self.budget.seconds is None else self.started + self.budget.seconds

    def _over(self) -> bool:
        return self._end is not None and self.clock() >= self._end

    def _to_shrink(self) -> list[Key]:
        """The violations that are left to be made small, in that order; the runs of their shortest ways are done again for it."""
        if not self.budget.shrink:
            return []
        self._do_again()
        return sorted(self.shortest.keys() - self.fewest.keys(), key=lambda key: (self.shortest[key].score, key))

    def _do_again(self) -> None:
        """Do the shortest way to each violation again, if that was not done yet."""
        for key, found in self.proofs.violations.items():
            if key not in self.shortest:
                self.shortest[key] = reports.done_again(self.design, self.properties, found, key)

    # -------------------------------------------------------------------------------------------------- in processes

    def _there(self) -> str:
        """Search the scenarios that are left, and make what was found small. Says so if a process died; what was seen until then stays
        true. Raises :class:`HeatproofError` if nothing was."""
        context, finished = multiprocessing.get_context("spawn"), False
        try:
            news, called_off = context.Queue(), context.Event()
            given = self.spec, self.wanted, self.switches, news, called_off
            pool = ProcessPoolExecutor(self.budget.processes, context, initializer=_start, initargs=given)
        except OSError:  # the system has no semaphores, or no more
            self.at_once = 1
            self._here()
            return ""
        try:
            if self.left:
                self._search(pool, news)
            self._shrink(pool)
            finished = True
        except (KeyboardInterrupt, HeatproofError) as error:
            called_off.set()
            self._take_what_is_seen(ERROR if isinstance(error, HeatproofError) else INTERRUPTED)
            self._take_cramped(self.cramped)
            raise
        except BrokenProcessPool as error:
            self._take_cramped(self.cramped)
            died = f"a worker process died ({error}); try fewer --processes, less --memory, or look for a full memory"
            if not self.taken and self.begun is None:
                raise HeatproofError(died) from error
            return died
        finally:
            processes = list((pool._processes or {}).values())
            pool.shutdown(wait=finished, cancel_futures=True)
            if not finished:
                end_workers(processes)
            news.cancel_join_thread()
            news.close()
        return ""

    def _search(self, pool: ProcessPoolExecutor, news: Any) -> None:
        """Search all scenarios, each with its share of the memory; those that it was too little for once more, one by one, with all of it."""
        memory = self.budget.memory
        at_once = min(self.at_once, len(self.left))
        share = None if memory is None else memory // at_once
        self._round(pool, news, self.left, share, at_once)
        for proof in self.cramped:
            self.done -= 1
            self._round(pool, news, [proof.number], memory, 1)
            self._take_cramped([proof])  # if there was no time for it

    def _round(self, pool: ProcessPoolExecutor, news: Any, numbers: Sequence[int], memory: int | None, at_once: int) -> None:
        """Search scenarios, by number, so many at once with so much memory each. Those for which that was too little, and that can have more, are
        cramped."""
        waiting, threads = list(numbers)[::-1], self.budget.processes // at_once
        self.pending = pending = set[Future[Proof]]()
        while waiting or pending:
            while waiting and len(pending) < at_once and not self._late():
                number = waiting.pop()
                file, resume = self._file(number)
                again = at_once == 1 and file is not None
                until = self._until and (self._until[0] + self._theirs, self._until[1] + self._theirs)
                pending.add(pool.submit(_prove, self.members[number], number, until, memory, threads, file, resume or again))
            if not pending:
                break
            finished, _ = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
            while not news.empty():
                number, live, used = news.get()
                self.live[number] = (live, used)
            for future in finished:
                proof = future.result()
                pending.remove(future)
                if proof.cut == MEMORY and at_once > 1:
                    self.live.pop(proof.number, None)
                    self.done += 1
                    self.cramped.append(proof)
                else:
                    self._take(proof)
            self._tick("searching", memory_used() + sum(used for _, used in self.live.values()))

    def _take_what_is_seen(self, why: str) -> None:
        """Wait until searches that are called off tell what they have seen; not for long, and not if the user interrupts again."""
        self._tick("called off", memory_used())
        for future in wait([future for future in self.pending if not future.cancel()], timeout=PATIENCE).done:
            if future.exception() is None:
                self._take(future.result().cut_by(why))

    def _take_cramped(self, proofs: Iterable[Proof]) -> None:
        """Take searches for which there was too little memory as they are, unless they were done again."""
        for proof in proofs:
            if proof.number not in self.taken:
                self._take(proof)

    def _shrink(self, pool: ProcessPoolExecutor) -> None:
        waiting = self._to_shrink()[::-1]
        pending: dict[Future[Least], Key] = {}
        while waiting or pending:
            while waiting and len(pending) <= self.budget.processes and not self._over():
                key = waiting.pop()
                end = None if self._end is None else self._end + self._theirs
                pending[pool.submit(_shrink, self.shortest[key], self.budget.shrink, end)] = key
            if not pending:
                return
            finished, _ = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in finished:
                key = pending.pop(future)
                with contextlib.suppress(MemoryError):  # the shortest way is what is left of it
                    self.fewest[key] = future.result()
            self._tick(f"making counterexamples small, {len(waiting) + len(pending)} to go", memory_used())

    def _rate(self, now: float, states: int) -> float:
        """States a second, for the last second or more. A search that begins anew has fewer states than before."""
        since, before, rate = self.rate
        if now >= since + 1 or states < before:
            rate = max(0, states - before) / max(now - since, 1e-9)
            self.rate = now, states, rate
        return rate

    def _tick(self, stage: str, memory: int) -> None:
        now, total = self.clock(), self.proofs
        running = [live for number, (live, _) in self.live.items()]
        if aside := sum(live.aside for live in running):
            stage += f", learning first ({aside:,} states aside)"
        states = total.states + sum(live.states for live in running)
        reached = set(total.reached).union(*(live.reached for live in running))
        violations = set(total.violations).union(*(live.violations for live in running))
        seconds = self.budget.seconds
        self.reporter.tick(
            Searching(
                stage, self.done, len(self.members), states, total.transitions + sum(live.transitions for live in running),
                self._rate(now, states), max([live.depth for live in running], default=total.depth),
                sum(live.waiting for live in running), memory, len(reached), self.situations, len(violations),
                None if seconds is None else self.started + seconds - now,
            )
        )  # fmt: skip


__all__ = ["Budget", "Outcome", "Prover", "Stored", "memory_free", "memory_used"]
