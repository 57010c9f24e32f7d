"""What handlers look at is learned where it is cheap to be misled: first in smaller scenarios, and before a search gets large in a few states of
each level of it, down to its end."""

from __future__ import annotations

from typing import Any

from heatproof.model.columns import Live
from heatproof.model.errors import HeatproofError
from heatproof.model.scenario import Scenario
from heatproof.strategies.proving.columns import smaller
from heatproof.strategies.proving.search import Search

STATES = 200_000
"""States of a smaller scenario that are gone through for it."""

LARGE, NARROW, PASSES = 250_000, 2_000, 3
"""A search that is misled after so many states is gone through from so many states of each level first, at most so often."""

ENOUGH = "enough"

_known: dict[Any, Live] = {}


def prepare(search: Search, live: Live) -> None:
    """Learn for a search that was misled, as far as that was not done yet; ``live``: what it knows of the columns that handlers look at."""
    if not search.prepared:
        live.join(prepared(search, search.scenario))
        search.prepared = 1
    if search.prepared == 1 and search.result.states > LARGE:
        for _ in range(PASSES):
            before = live.entries()
            pilot = _pilot(search, search.scenario, live, lambda result: search.go_on(search.result))
            pilot.narrow = NARROW
            _run(pilot)
            if live.entries() == before:
                break
        search.prepared = 2


def _pilot(search: Search, scenario: Scenario, live: Live, go_on: Any) -> Search:
    """A search that only learns."""
    pilot = Search(
        search.design, scenario, [], search.symmetric, versions=search.versions, storage=search.storage, world=search.kind, placing=search.placing,
        go_on=go_on,
    )  # fmt: skip
    pilot.live, pilot.pilot = live, True
    pilot.begin(False, False, pilot.numbered)
    return pilot


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
        pilot = _pilot(
            search, small, live, lambda result: search.go_on(search.result) or (ENOUGH if result.states > STATES else "")
        )
        if _run(pilot) not in ("", ENOUGH):
            return live
        _known[key] = live
    return _known[key]
