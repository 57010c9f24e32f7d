"""A monitor asks the properties of a run: after every action those that watch what it changed, at rest the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from heatproof.model.observation import Change, Observation
from heatproof.properties.base import Property, Witness


class Violation(NamedTuple):
    """A property that does not hold, why, and after how many actions of the run that was seen."""

    name: str
    sentence: str
    witness: Witness
    step: int

    @property
    def key(self) -> tuple[str, str]:
        """What makes two violations the same failure: the property and the kind of witness."""
        return (self.name, self.witness.kind)


class Monitor:
    """Asks ``properties`` of one run. ``changes`` yields what the last action changed.

    ``violations`` holds the first violation of each kind, ``reached`` the names of the situations that were seen. Those in ``settled`` are not
    looked for.
    """

    def __init__(
        self,
        properties: Iterable[Property],
        observation: Observation,
        changes: Callable[[], Iterable[Change]],
        survives: frozenset[str],
    ):
        self.observation = observation
        self.survives = survives
        self.violations: dict[tuple[str, str], Violation] = {}
        self.reached: set[str] = set()
        self.settled: set[str] = set()
        self._changes = changes
        self._watchers: dict[str, list[Property]] = {}
        self._situations: dict[str, list[Property]] = {}
        self._resting: list[Property] = []
        self._seen: dict[tuple[str, str], list[str]] = {}
        for prop in properties:
            if prop.expectation == "always":
                for aspect in prop.watches:
                    self._watchers.setdefault(aspect, []).append(prop)
            elif prop.expectation == "sometimes":
                for aspect in prop.watches:
                    self._situations.setdefault(aspect, []).append(prop)
                for pair in prop.seen:
                    self._seen.setdefault(pair, []).append(prop.name)
            elif prop.expectation in ("at rest", "cost") and prop.bound is None:  # a bound is judged by whoever drives the run
                self._resting.append(prop)

    def after(self, step: int) -> None:
        """Ask what the last action, number ``step``, concerns."""
        observation = self.observation
        for change in self._changes():
            for prop in self._watchers.get(change.aspect, ()):
                assert prop.check is not None
                found = prop.check(observation, change)
                if found is not None:
                    self.violated(prop, found, step)
            for prop in self._situations.get(change.aspect, ()):
                assert prop.check is not None
                if prop.name not in self.reached and prop.name not in self.settled and prop.check(observation, change):
                    self.reached.add(prop.name)

    def at_rest(self, step: int) -> None:
        """Ask what must hold now that nothing can happen any more."""
        for prop in self._resting:
            assert prop.check is not None
            if prop.asked(self.observation.faults, self.survives):
                for found in prop.check(self.observation):
                    self.violated(prop, found, step)

    def saw(self, met: Iterable[tuple[str, str]]) -> None:
        """Note the situations that these events, as pairs of (step, outcome), reach."""
        for pair in met:
            self.reached.update(self._seen.get(pair, ()))

    def violated(self, prop: Property, found: Witness, step: int) -> None:
        """Note a violation, unless a fault excuses the design or one of its kind is known. Raises ValueError for a witness of a kind that
        the property does not list: a case of it could not be read."""
        key = (prop.name, found.kind)
        if key not in self.violations and prop.asked(self.observation.faults, self.survives):
            if not prop.has_kind(found.kind):
                raise ValueError(
                    f"the witness {found.kind!r} is of no kind that property {prop.name!r} lists: {', '.join(prop.kinds)}"
                )
            self.violations[key] = Violation(prop.name, prop.sentence, found, step)
