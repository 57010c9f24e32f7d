"""A monitor asks the properties of a run: after every action those that watch what it changed, at rest the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from heatproof.model.observation import Change, Observation
from heatproof.properties.base import Property, Witness

Check = Callable[..., Any]


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


ANSWER = {
    "always": "the check of an always property must 'return witness(...)' for what is wrong, and None if all is well",
    **dict.fromkeys(("at rest", "cost"), "the check of an at rest property must 'yield witness(...)' for each thing that is wrong"),
}
"""How a property of each expectation answers."""


class Mistake(Exception):
    """What a property says is no answer: what it is, and what to do."""


class Monitor:
    """Asks ``properties`` of one run. ``changes`` yields what the last action changed; ``aspects`` has the name by which changes of an aspect
    are told, where that is another than the one that is watched.

    ``violations`` holds the first violation of each kind, ``reached`` the names of the situations that were seen. Those in ``settled`` are not
    looked for. ``asking`` is the property that was asked last. Raises :class:`Mistake` for one that does not answer with witnesses.
    """

    def __init__(
        self,
        properties: Iterable[Property],
        observation: Observation,
        changes: Callable[[], Iterable[Change]],
        survives: frozenset[str],
        aspects: Mapping[str, str],
    ):
        self.asking: Property | None = None
        self.observation = observation
        self.survives = survives
        self.violations: dict[tuple[str, str], Violation] = {}
        self.reached: set[str] = set()
        self.settled: set[str] = set()
        self._changes = changes
        self._watchers: dict[str, list[tuple[Property, Check]]] = {}
        self._situations: dict[str, list[tuple[Property, Check]]] = {}
        self._resting: list[Property] = []
        self._seen: dict[tuple[str, str], list[str]] = {}
        for prop in properties:
            watched = {aspects.get(aspect, aspect) for aspect in prop.watches}
            if prop.expectation == "always":
                assert prop.check is not None
                for aspect in watched:
                    self._watchers.setdefault(aspect, []).append((prop, prop.check))
            elif prop.expectation == "sometimes":
                if prop.check is not None:
                    for aspect in watched:
                        self._situations.setdefault(aspect, []).append((prop, prop.check))
                for pair in prop.seen:
                    self._seen.setdefault(pair, []).append(prop.name)
            elif prop.expectation in ("at rest", "cost") and prop.bound is None:  # a bound is judged by whoever drives the run
                self._resting.append(prop)

    @property
    def watches(self) -> bool:
        """Whether there is anything to ask after an action."""
        return bool(self._watchers or self._situations)

    @property
    def sees(self) -> bool:
        """Whether events reach any situation."""
        return bool(self._seen)

    def after(self, step: int) -> None:
        """Ask what the last action, number ``step``, concerns."""
        observation, watchers, situations, reached, settled = (
            self.observation, self._watchers, self._situations, self.reached, self.settled
        )  # fmt: skip
        for change in self._changes():
            aspect = change.aspect
            if aspect in watchers:
                for prop, check in watchers[aspect]:
                    self.asking = prop
                    found = check(observation, change)
                    if found is not None:
                        self.violated(prop, found, step)
            if aspect in situations:
                for prop, check in situations[aspect]:
                    name = prop.name
                    if name not in reached and name not in settled:
                        self.asking = prop
                        if check(observation, change):
                            reached.add(name)

    def at_rest(self, step: int) -> None:
        """Ask what must hold now that nothing can happen any more."""
        for prop in self._resting:
            assert prop.check is not None
            if prop.asked(self.observation.faults, self.survives):
                self.asking = prop
                answer = prop.check(self.observation)
                if isinstance(answer, Witness | str) or not isinstance(answer, Iterable):
                    raise Mistake(f"returned {answer!r:.200}; {ANSWER[prop.expectation]}")
                for found in answer:
                    self.violated(prop, found, step)

    def saw(self, met: Iterable[tuple[str, str]]) -> None:
        """Note the situations that these events, as pairs of (step, outcome), reach."""
        for pair in met:
            self.reached.update(self._seen.get(pair, ()))

    def takes_notes(self) -> None:
        """The property that was asked last remembers something. Raises :class:`Mistake` where it is not asked in every run whenever there is
        something to note: what it remembers would depend on who asked when, and be no part of a run."""
        if self.asking is not None and self.asking.expectation != "always":
            raise Mistake(
                f"is a property of the kind {self.asking.expectation!r} and remembers something; it is not asked whenever something changes, so"
                " let an always property take the notes, and name that in needs"
            )

    def violated(self, prop: Property, found: Any, step: int) -> None:
        """Note a violation, unless a fault excuses the design or one of its kind is known. Raises :class:`Mistake` for what is no witness, and
        for a witness of a kind that the property does not list: a case of it could not be read."""
        if not isinstance(found, Witness):
            raise Mistake(f"answered {found!r:.200}; {ANSWER[prop.expectation]}")
        if not isinstance(found.kind, str):
            raise Mistake(f"gave a witness of the kind {found.kind!r:.200}; a kind is a text: witness('what is wrong', name=value)")
        key = (prop.name, found.kind)
        if key not in self.violations and prop.asked(self.observation.faults, self.survives):
            if not prop.has_kind(found.kind):
                raise Mistake(
                    f"gave a witness of the kind {found.kind!r}, which is none of those that it lists: {', '.join(prop.kinds)}; list it too"
                )
            self.violations[key] = Violation(prop.name, prop.sentence, found, step)
