"""What handlers look at is learned in smaller scenarios first: there it is cheap to be misled."""

from __future__ import annotations

from typing import Any

from heatproof.model.columns import Live
from heatproof.model.errors import HeatproofError
from heatproof.model.scenario import Scenario
from heatproof.strategies.proving.columns import smaller
from heatproof.strategies.proving.search import Search

STATES = 200_000
"""States of a smaller scenario that are gone through for it."""

ENOUGH = "enough"

_known: dict[Any, Live] = {}


def prepared(search: Search, scenario: Scenario) -> Live:
    """The columns of rows that handlers were seen to look at in smaller scenarios than this one, as far as the search may go on. What comes of
    it depends on the design, the scenario and the options of the search alone, so within a process it is kept, if it came to its end."""
    small, live = smaller(scenario), Live()
    if small is None:
        return live
    key = type(search.design), small, search.symmetric, search.versions, search.placing, search.kind
    if key not in _known:
        live.join(prepared(search, small))
        pilot = Search(
            search.design, small, [], search.symmetric, versions=search.versions, storage=search.storage, world=search.kind, placing=search.placing,
            go_on=lambda result: search.go_on(search.result) or (ENOUGH if result.states > STATES else ""),
        )  # fmt: skip
        pilot.live, pilot.pilot = live, True
        pilot.begin(False, False, pilot.numbered)
        try:
            if pilot.run().cut not in ("", ENOUGH):
                return live
        except HeatproofError:  # of what is wrong there this search is to say nothing
            pass
        _known[key] = live
    return _known[key]
