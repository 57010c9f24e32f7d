"""How near shrunk cases come to the least that shows the same failure, and how long shrinking takes.

For every mutation of Heat's design and every scope: what an exploration within that scope finds that it does not find in Heat's own design is
shrunk, and compared with the least case there is: of all scenarios that the one found can be reduced to and of all their schedules, the
one with the fewest operations, then the fewest deviations, then the fewest steps. An exhaustive search decides that; where its
budget does not suffice, the comparison is not made and counted as not finished.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from time import process_time
from typing import NamedTuple

from benchmarks.common import ASKED, Result
from heatproof.model import catalogue
from heatproof.model.design import Design
from heatproof.model.designs.mutations import MUTATIONS
from heatproof.model.scenario import Scenario
from heatproof.properties.base import Property
from heatproof.strategies.exploring import Options, batch
from heatproof.strategies.fewest import Fewest, can_search
from heatproof.strategies.shrinking import Failure, Key, Shrinker
from heatproof.strategies.smaller import smaller_scenarios

BATCHES, KEYS = 4, 1
"""How many batches an exploration has at most, and how many failures it looks for."""
SCENARIOS, ACTIONS = 1_500, 150_000
"""How many scenarios and how many actions an exhaustive search may come to."""
HEAT = catalogue.load("heat")
RUNS = 1_200
"""The budget of the shrinker: that of ``heatproof check``."""


class Scope(NamedTuple):
    """Options of an exploration, as a line of the table has them."""

    title: str
    options: Options


def _scope(resources: int, operations: int, engines: int, threads: int, faults: tuple[str, ...] | None = ()) -> Scope:
    title = (
        f"{resources} resources, {operations} operations, {engines} x {threads} threads, {'any' if faults is None else 'no'} fault"
    )
    return Scope(
        title, Options(resources=resources, operations=operations, engines=engines, threads=threads, faults=faults, budget=1)
    )


SCOPES = (_scope(2, 2, 2, 1), _scope(1, 3, 2, 1), _scope(2, 2, 1, 2, None))
LARGE = Scope("5 resources, 4 operations, 2 x 2 threads, any fault: time only", Options())


class Measure(NamedTuple):
    """How large a case is, in the order of weight."""

    operations: int
    deviations: int
    steps: int

    def times(self, least: Measure) -> float:
        """How many times the least it is, where it is worst."""
        return max(_ratio(mine, its) for mine, its in zip(self, least, strict=True))


def _ratio(mine: int, least: int) -> float:
    return 1.0 if mine == least else mine / least if least else float("inf")


def measured(failure: Failure) -> Measure:
    """How large a failure is."""
    return Measure(len(failure.scenario.operations), len(failure.deviations), len(failure.actions))


def reductions(scenario: Scenario, most: int) -> list[Scenario] | None:
    """A scenario and everything it can be reduced to; None if that is more than ``most``."""
    found, todo = {scenario: None}, [scenario]
    while todo:
        for smaller in smaller_scenarios(todo.pop()):
            if smaller not in found:
                found[smaller] = None
                todo.append(smaller)
        if len(found) > most:
            return None
    return list(found)


def least(design: Design, properties: Sequence[Property], scenario: Scenario, key: Key, mine: Measure) -> Measure | None:
    """The least case within ``scenario`` that shows ``key``, given one that is known; None if the search could not be finished."""
    all_of_them = reductions(scenario, SCENARIOS) if can_search(design, key) else None
    if all_of_them is None:
        return None
    budget, best = ACTIONS, mine
    for number in range(mine.operations + 1):
        shown = False
        for reduced in sorted((s for s in all_of_them if len(s.operations) == number), key=lambda s: s.size):
            if number < mine.operations:
                search = Fewest(design, properties, reduced, key, budget)
                there = search.anywhere()
                budget -= search.performed
                if there is None:
                    return None
                if not there:
                    continue
            if not shown and number < mine.operations:
                best = Measure(number, 10, 10_000)
            shown = True
            for deviations, steps in ((best.deviations - 1, 300), (best.deviations, best.steps - 1)):
                if deviations >= 0 and steps > 0:
                    search = Fewest(design, properties, reduced, key, budget)
                    found = search.search(deviations, min(steps, 300))
                    budget -= search.performed
                    if not found.finished:
                        return None
                    if found.actions is not None:
                        best = min(best, Measure(number, found.deviations, len(found.actions)))
        if shown:
            return best
    return best


@cache
def _of_heat(scope: Scope) -> frozenset[Key]:
    return frozenset(key for number in range(BATCHES) for key in batch(HEAT, ASKED, scope.options, number, audited=0).failures)


def found(design: Design, scope: Scope) -> list[Failure]:
    """Failures of a design that Heat's own does not show in this scope, as an exploration comes to them."""
    new: dict[Key, Failure] = {}
    for number in range(BATCHES):
        for key, failure in batch(design, ASKED, scope.options, number, audited=0).failures.items():
            if key not in _of_heat(scope):
                new.setdefault(key, failure)
        if len(new) >= KEYS:
            break
    return list(new.values())[:KEYS]


class Compared(NamedTuple):
    """One failure shrunk: in what, how long it took, how large it is, and the least if that could be found."""

    mutation: str
    key: Key
    seconds: float
    mine: Measure
    least: Measure | None


def compare(mutation: str, scope: Scope, exact: bool = True) -> Iterator[Compared]:
    """Shrink what a mutation shows in a scope."""
    design = catalogue.load(f"heat+{mutation}")
    for failure in found(design, scope):
        key = failure.violation.key
        start = process_time()
        shrinker = Shrinker(design, ASKED, failure, RUNS)
        small = shrinker.shrink()
        seconds = process_time() - start
        mine = measured(small)
        yield Compared(
            mutation, key, seconds, mine, least(design, shrinker.properties, failure.scenario, key, mine) if exact else None
        )


def _median(values: Iterable[float]) -> str:
    listed = list(values)
    return f"{statistics.median(listed):.2f}" if listed else "-"


def _worst(values: Iterable[float]) -> str:
    listed = list(values)
    return f"{max(listed):.2f}" if listed else "-"


def measure() -> Result:
    """The table."""
    rows = []
    every: list[Compared] = []
    for scope in (*SCOPES, LARGE):
        done = [c for mutation in MUTATIONS for c in compare(mutation.name, scope, exact=scope is not LARGE)]
        every += done
        rows.append(_row(scope.title, done))
    rows.append(_row("all", every))
    columns = ["", "mutations", "failures", "finished", "median", "worst", "as least", "seconds", "most"]
    return ("Shrunk cases, how many times the least (operations, deviations or steps, where it is worst)", columns, rows)


def _row(title: str, done: list[Compared]) -> list[str]:
    times = [c.mine.times(c.least) for c in done if c.least is not None]
    return [
        title, str(len({c.mutation for c in done})), str(len(done)), str(len(times)), _median(times), _worst(times),
        str(sum(c.mine == c.least for c in done)), _median(c.seconds for c in done), _worst(c.seconds for c in done),
    ]  # fmt: skip
