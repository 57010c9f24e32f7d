"""What is learned for a search before it goes on. What handlers look at is learned where it is cheap to be misled: first in smaller scenarios, and
before a search gets large in a few states of each level of it, down to its end."""

from __future__ import annotations

from random import Random
from typing import Any

from heatproof.model.columns import Live
from heatproof.model.errors import HeatproofError
from heatproof.model.scenario import Scenario
from heatproof.strategies.proving import kernel
from heatproof.strategies.proving.columns import LARGE, smaller
from heatproof.strategies.proving.results import Result
from heatproof.strategies.proving.search import Search

STATES = 200_000
"""States of a smaller scenario that are gone through for it."""

NARROW, PART, PASSES = 2_000, 1_000, 3
"""Whenever a large search is misled it is gone through from so many states of each level first, or from one of so many of those that it has seen,
if that is more; at most so often."""

WALKS, WALK = 60, 2000
"""Random runs that a reduction begins with, and how long each may be."""

ENOUGH = "enough"

_known: dict[Any, Live] = {}


def prepare(search: Search, live: Live) -> None:
    """Learn for a search that was misled: in smaller scenarios the first time, narrowly whenever it is large. ``live``: what it knows of the
    columns that handlers look at, to which more is added."""
    try:
        _prepare(search, live)
    finally:
        search.aside = 0


def _prepare(search: Search, live: Live) -> None:
    if not search.prepared:
        live.join(prepared(search, search.scenario))
        search.prepared = True
    states = search.result.states
    for _ in range(PASSES if states > LARGE else 0):
        before = live.entries()
        pilot = _pilot(search, search.scenario, live, lambda result: _asked(search, result))
        pilot.narrow = max(NARROW, states // PART)
        _run(pilot)
        if live.entries() == before:
            break


def _pilot(search: Search, scenario: Scenario, live: Live, go_on: Any) -> Search:
    """A search that only learns."""
    pilot = Search(
        search.design, scenario, [], search.symmetric, versions=search.versions, storage=search.storage, world=search.kind, placing=search.placing,
        go_on=go_on, threads=search.threads.count,
    )  # fmt: skip
    pilot.live, pilot.pilot = live, True
    pilot.begin(False, False, pilot.numbered)
    return pilot


def _asked(search: Search, aside: Result) -> str:
    """Why a search that another one learns for must stop, or an empty text."""
    search.aside = aside.states
    return search.go_on(search.result)


def _run(pilot: Search) -> str:
    """Let it learn; why it stopped."""
    try:
        return pilot.run().cut
    except HeatproofError:  # of what is wrong there nothing is to be said
        return ENOUGH


def prepared(search: Search, scenario: Scenario) -> Live:
    """The columns of rows that handlers were seen to look at in smaller scenarios than this one, as far as the search may go on. What comes of
    it depends on the design, the scenario and the options of the search alone, so within a process it is kept, if it came to its end."""
    small, live = smaller(scenario), Live()
    if small is None:
        return live
    key = type(search.design), small, search.symmetric, search.versions, search.placing, search.kind
    if key not in _known:
        live.join(prepared(search, small))
        pilot = _pilot(search, small, live, lambda result: _asked(search, result) or (ENOUGH if result.states > STATES else ""))
        if _run(pilot) not in ("", ENOUGH):
            return live
        _known[key] = live
    return _known[key]


def warm_up(search: Search) -> None:
    """Learn what the futures hold from a few random runs: what is not known yet cannot be reduced."""
    tables, random = search.tables, Random(0)
    for _ in range(WALKS):
        state, row = search._beginning()
        for _ in range(WALK):
            if tables.actions.seen < len(search.space.units):
                tables.refresh()
            possible = []
            for action in range(1, len(tables.actions.names)):
                outcome = tables.learn(row, action)
                if tables.outcomes.leaves[outcome, kernel.ENABLED]:
                    possible.append(outcome)
            if not possible:
                break
            row = search._row(search._applied(state, random.choice(possible)))
    tables.refresh()
