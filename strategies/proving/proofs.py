"""What an exhaustive search says of each property: the search of one scenario as plain values, and those of many added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from heatproof.model.design import Design
from heatproof.model.scenario import Scenario
from heatproof.model.world import Action
from heatproof.properties.base import Property, Witness
from heatproof.properties.catalogue import REST_IS_REACHED
from heatproof.strategies.asking import Keeping
from heatproof.strategies.proving.checkpoints import Checkpoint, UnwrittenError
from heatproof.strategies.proving.circles import Circles, circles
from heatproof.strategies.proving.costs import Costs, costs
from heatproof.strategies.proving.holding import interrupts_held
from heatproof.strategies.proving.learning import Key
from heatproof.strategies.proving.results import Result
from heatproof.strategies.proving.returning import never_returns
from heatproof.strategies.proving.search import Search
from heatproof.strategies.proving.storage import NoRoom, Storage
from heatproof.strategies.proving.views import TooManyValues

INTERRUPTED = "the user interrupted"

Switches = tuple[tuple[str, bool], ...]
"""Options of :class:`Search` that change how it searches and not what it finds, such as ``symmetric``."""


class Found(NamedTuple):
    """A violation by the shortest way: the actions of it from the beginning of the scenario, and the witness. ``around``: how many of
    these, the last ones, go round a circle once; 0: it is none. ``shortest``: whether there is no shorter one in the scenario. ``accesses``: of
    a bound that is exceeded, how many it has, the most that there are."""

    scenario: Scenario
    actions: tuple[Action, ...]
    witness: Witness
    number: int = 0
    around: int = 0
    shortest: bool = True
    accesses: float = 0

    @property
    def order(self) -> tuple[float, int, int]:
        """The dearest first, then the shortest; of equally short ones that of the first scenario."""
        return (-self.accesses, len(self.actions), self.number)


@dataclass(frozen=True, slots=True)
class Proof:
    """The search of one scenario. ``cut`` says why it is not complete, or that the user has interrupted; ``waiting`` how many states it had
    seen but not gone on from; ``unjudged`` why circles, and ``uncounted`` why costs were not judged to the end, though they were asked for.
    ``reached`` has the situations, with the fewest steps from the beginning of the scenario; ``worst``, by the name of each property with a
    bound, the most accesses of what it is about. ``unkept`` says why its checkpoint is not what it should be."""

    number: int
    label: str
    states: int
    transitions: int
    depth: int
    resting: int
    complete: bool
    cut: str
    waiting: int
    collision: float
    violations: dict[Key, Found]
    reached: dict[str, int]
    unjudged: str = ""
    uncounted: str = ""
    worst: dict[str, float] = field(default_factory=dict)
    unkept: str = ""

    def cut_by(self, why: str) -> Proof:
        """The same, where what is not complete was cut for another reason."""
        return replace(self, cut=why, unjudged=self.unjudged and why, uncounted=self.uncounted and why)


class Live(NamedTuple):
    """A search that is going on: its counts, how many states it has not gone on from yet, the situations and violations so far, and how many states
    were gone through aside, to learn for it, if it waits for that at the moment."""

    states: int
    transitions: int
    depth: int
    waiting: int
    reached: frozenset[str]
    violations: frozenset[Key]
    aside: int = 0


def prove(
    design: Design,
    scenario: Scenario,
    properties: Sequence[Property],
    switches: Switches = (),
    go_on: Callable[[Live], str] = lambda live: "",
    number: int = 0,
    label: str = "",
    checkpoint: Path | None = None,
    resume: bool = False,
    storage: Storage | None = None,
    threads: int = 1,
) -> Proof:
    """Search a scenario. ``go_on`` is asked now and then and answers why it must stop, or an empty text. ``checkpoint``: the file from
    which a search that is stopped can go on, and does with ``resume`` if there is one. ``storage``: how much of a frontier is kept in memory.
    The result does not depend on the number of ``threads``. Who interrupts while a checkpoint is read is told what that knows.

    Raises :class:`HeatproofError` for what a design or a property does wrong, and for a checkpoint of another search.
    """
    search: Search
    keeping = Keeping(properties)
    came = list[int]()  # interrupts while a checkpoint was read

    def may_go_on(live: Live) -> str:
        return INTERRUPTED if came else go_on(live)

    def asked(result: Result) -> str:
        return may_go_on(
            Live(
                result.states, result.transitions, result.depth, result.waiting, frozenset(search.earlier.reached(search)),
                frozenset({*search.earlier.found, *result.violations}), search.aside,
            )
        )  # fmt: skip

    options: dict[str, Any] = {"versions": True, "threads": threads} | dict(switches)
    if REST_IS_REACHED in properties:
        options["versions"] = False  # that nothing ever comes back is told by what only grows
    file, unkept = None, ""
    if checkpoint is not None:
        try:
            file = Checkpoint(checkpoint)
        except UnwrittenError as error:  # the search is worth more than its checkpoint
            unkept = str(error)
    search = Search(design, scenario, properties, go_on=asked, checkpoint=file, storage=storage, **options)
    if resume and file is not None and file.path.exists():
        with interrupts_held() as came:  # what the checkpoint knows stays known
            search.resume()
    result = _run(search)
    found = _found(search, scenario, number)
    if search.reduce and found:
        found |= _shortest(search, found, asked, options | {"reduce": False}, number)
    unjudged = ""
    if REST_IS_REACHED in properties:
        unjudged = result.cut
        if result.complete:
            search.forget()  # what is judged now is what was learned, or another pass
        if result.complete and (search.reduce or not never_returns(search)):
            live = Live(result.states, result.transitions, result.depth, 0, frozenset(result.reached), frozenset(found))
            answer = _round(design, scenario, search.symmetric, lambda part: may_go_on(live._replace(depth=part.depth)))
            unjudged = answer.cut
            if answer.witness is not None:
                key = (REST_IS_REACHED.name, answer.witness.kind)
                found[key] = Found(scenario, (*answer.way, *answer.around), answer.witness, number, len(answer.around))
    uncounted, most = "", dict[str, float]()
    if bounded := [prop for prop in properties if prop.bound is not None]:
        uncounted = result.cut
        if result.complete:
            live = Live(result.states, result.transitions, result.depth, 0, frozenset(result.reached), frozenset(found))
            counted = _costs(design, scenario, bounded, search.symmetric, lambda part: may_go_on(live._replace(depth=part.depth)))
            uncounted, most = counted.cut, counted.bounded
            for key, (witness, worst) in counted.violations.items():
                found[key] = Found(
                    scenario, (*worst.actions, *worst.around), witness, number, len(worst.around), False, most[key[0]]
                )
    keeping.check()
    seen = result if result.complete else search.earlier.furthest(search)
    cut = result.cut or (INTERRUPTED if came else "")
    return Proof(
        number, label, seen.states, seen.transitions, seen.depth, seen.resting, result.complete, cut, seen.waiting,
        seen.collision(), found, search.earlier.reached(search), unjudged, uncounted, most,
        unkept if file is None else file.unkept,
    )  # fmt: skip


def _run(search: Search) -> Result:
    """Run a search; what it saw, also where it was stopped from outside."""
    try:
        return search.run()
    except (TooManyValues, NoRoom, MemoryError) as error:
        cut = str(error) or "no memory was left"
    except KeyboardInterrupt:  # what was seen so far is not lost
        cut = INTERRUPTED
    search.result.complete, search.result.cut = False, cut
    return search.result


def _found(search: Search, scenario: Scenario, number: int) -> dict[Key, Found]:
    """The violations that a search has come to, with their ways."""
    ways = search.earlier.ways(search).items()
    return {
        key: Found(scenario, tuple(way.actions), way.witness, number, 0, way.shortest and not search.reduce) for key, way in ways
    }


def _shortest(
    reduced: Search, found: dict[Key, Found], go_on: Callable[[Result], str], options: dict[str, Any], number: int
) -> dict[Key, Found]:
    """The shortest ways of what was found with partial order reduction, which keeps no depths: found again without it, as far as one may
    go on."""
    done = "all found again"

    def until(result: Result) -> str:
        again = {*result.violations, *(key for key, way in search.earlier.found.items() if way.shortest)}
        return done if found.keys() <= again else go_on(reduced.result)

    search = Search(reduced.design, reduced.scenario, reduced.properties, go_on=until, **options)
    _run(search)
    return _found(search, reduced.scenario, number)


def _round(design: Design, scenario: Scenario, symmetric: bool, go_on: Callable[[Result], str]) -> Circles:
    """Whether a fair run goes round for ever."""
    try:
        return circles(design, scenario, REST_IS_REACHED, symmetric, go_on)
    except (TooManyValues, NoRoom, MemoryError) as error:
        return Circles(cut=str(error) or "no memory was left")
    except KeyboardInterrupt:
        return Circles(cut=INTERRUPTED)


def _costs(
    design: Design, scenario: Scenario, bounded: Sequence[Property], symmetric: bool, go_on: Callable[[Result], str]
) -> Costs:
    """The dearest runs, and which bounds they exceed."""
    try:
        return costs(design, scenario, bounded, symmetric, go_on)
    except (TooManyValues, NoRoom, MemoryError) as error:
        return Costs(cut=str(error) or "no memory was left")
    except KeyboardInterrupt:
        return Costs(cut=INTERRUPTED)


class Loose(NamedTuple):
    """A scenario that was not searched to its end: why, how many states were seen and how deep, how many were left to go on from."""

    number: int
    label: str
    cut: str
    states: int
    depth: int
    waiting: int


@dataclass(slots=True)
class Proofs:
    """What the searches of a scope came to. ``expected``: how many scenarios there are; what was not begun is not complete."""

    expected: int
    complete: int = 0
    states: int = 0
    transitions: int = 0
    depth: int = 0
    collision: float = 0.0
    violations: dict[Key, Found] = field(default_factory=dict)
    violated: Counter[Key] = field(default_factory=Counter)
    reached: Counter[str] = field(default_factory=Counter)
    nearest: dict[str, int] = field(default_factory=dict)
    loose: list[Loose] = field(default_factory=list)
    unjudged: list[Loose] = field(default_factory=list)
    uncounted: list[Loose] = field(default_factory=list)
    worst: dict[str, float] = field(default_factory=dict)
    unkept: list[str] = field(default_factory=list)

    def add(self, proof: Proof) -> None:
        """Take over the search of one scenario; of each violation the shortest stays, of a bound the dearest. The order does not matter."""
        self.complete += proof.complete
        self.states += proof.states
        self.transitions += proof.transitions
        self.depth = max(self.depth, proof.depth)
        self.collision = min(1.0, self.collision + proof.collision)
        self.reached.update(proof.reached.keys())
        for name, steps in proof.reached.items():
            self.nearest[name] = min(steps, self.nearest.get(name, steps))
        for name, accesses in proof.worst.items():
            self.worst[name] = max(accesses, self.worst.get(name, accesses))
        for key, found in proof.violations.items():
            self.violated[key] += 1
            known = self.violations.get(key)
            if known is None or found.order < known.order:
                self.violations[key] = found
        if proof.unkept:
            self.unkept.append(proof.unkept)
        if not proof.complete:
            self.loose.append(Loose(proof.number, proof.label, proof.cut, proof.states, proof.depth, proof.waiting))
        for cut, judged_not in ((proof.unjudged, self.unjudged), (proof.uncounted, self.uncounted)):
            if proof.complete and cut:
                judged_not.append(Loose(proof.number, proof.label, cut, proof.states, proof.depth, 0))

    @property
    def whole(self) -> bool:
        """Whether everything was searched to its end; for circles see ``unjudged``, for costs ``uncounted``."""
        return self.complete == self.expected

    def settled(self, prop: Property) -> bool:
        """Whether all was seen that a property is judged by."""
        return self.whole and not (prop == REST_IS_REACHED and self.unjudged) and not (prop.bound is not None and self.uncounted)

    def violated_by(self, prop: Property) -> list[Key]:
        """The kinds of violations of a property, the shortest first."""
        return sorted((key for key in self.violations if key[0] == prop.name), key=lambda key: (self.violations[key].order, key))


def excuses(prop: Property, faults: Iterable[str], survives: frozenset[str]) -> list[str]:
    """The faults in reach after which the property is not asked of the design."""
    return sorted(fault for fault in faults if not prop.asked((fault,), survives))


__all__ = ["INTERRUPTED", "Found", "Live", "Loose", "Proof", "Proofs", "Switches", "excuses", "prove"]
