"""What a search has seen, and what it had found before it began anew."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from heatproof.model.errors import HeatproofError
from heatproof.model.world import Action
from heatproof.properties.base import Witness
from heatproof.strategies.proving.learning import REST, Key
from heatproof.strategies.running import Driver
from heatproof.strategies.schedules import record

if TYPE_CHECKING:
    from heatproof.strategies.proving.search import Search


@dataclass(slots=True)
class Sighting:
    """A violation where it was seen first: its witness, the number of the state before, and the action that led there."""

    witness: Witness
    state: int
    action: Action
    depth: int


class Way(NamedTuple):
    """A violation with the actions that lead to it from the beginning of the scenario; ``shortest``: whether there is no shorter way."""

    actions: list[Action]
    witness: Witness
    shortest: bool = True


@dataclass(slots=True)
class Result:
    """What a search saw. ``complete``: whether that is everything; ``cut`` says why not; ``expanded``: from how many states it has gone on.

    ``reached``: situations, with the fewest steps from the beginning of the scenario. ``supposed`` are violations that were seen after the search
    was misled: there may be no such run (:func:`confirmed`).
    """

    states: int = 0
    transitions: int = 0
    depth: int = 0
    terminal: int = 0
    resting: int = 0
    terminal_sum: int = 0
    expanded: int = 0
    complete: bool = False
    cut: str = ""
    violations: dict[Key, Sighting] = field(default_factory=dict)
    supposed: dict[Key, Sighting] = field(default_factory=dict)
    reached: dict[str, int] = field(default_factory=dict)
    widest: int = 0
    lessons: int = 0

    @property
    def waiting(self) -> int:
        """How many states it has not gone on from."""
        return max(0, self.states - self.expanded)

    def collision(self) -> float:
        """The probability that two of the states had the same 64-bit fingerprint, so that one was not seen: at most n**2 / 2**65."""
        return min(1.0, self.states**2 / 2.0**65)


class Earlier:
    """What a search had found before it began anew: it may be stopped before it comes there again.

    ``most``: what the pass saw that came furthest.
    """

    def __init__(self) -> None:
        self.found: dict[Key, Way] = {}
        self.met: dict[str, int] = {}
        self.most = Result()

    def keep(self, search: Search) -> None:
        """Keep what a search has found that is about to begin anew."""
        self.found, self.met = self.ways(search), self.reached(search)
        self.most = self.furthest(search)

    def ways(self, search: Search) -> dict[Key, Way]:
        """A way to each violation that was found so far."""
        found = self.found | {key: Way(way_to(search, one), one.witness) for key, one in search.result.violations.items()}
        for key, one in search.result.supposed.items():
            if key not in found and (way := confirmed(search, key, one)) is not None:
                found[key] = way
        return found

    def reached(self, search: Search) -> dict[str, int]:
        """The situations that were reached so far, with the fewest steps to them."""
        return self.met | search.result.reached

    def furthest(self, search: Search) -> Result:
        """What was seen in the pass that came furthest."""
        return max(search.result, self.most, key=lambda result: result.states)


def way_to(search: Search, sighting: Sighting) -> list[Action]:
    """The actions that lead to what was seen."""
    return search.way(sighting.state, *[sighting.action] * (sighting.action != REST))


def confirmed(search: Search, key: Key, sighting: Sighting) -> Way | None:
    """The way to what was seen after the search was misled, if an ordinary world that goes there shows it too."""
    try:
        actions = way_to(search, sighting)
        driver = Driver(search.design, search.scenario, search.properties)
        record(driver, actions)
    except HeatproofError:
        return None
    violation = driver.monitor.violations.get(key)
    return None if violation is None else Way(actions, violation.witness, False)
