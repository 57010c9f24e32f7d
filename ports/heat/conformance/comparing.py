"""Many runs of both targets: scenarios drawn by Hypothesis, each run in lockstep under several plans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, settings

from heatproof.model import catalogue
from heatproof.model.designs.heat import Heat
from heatproof.model.errors import HeatproofError
from heatproof.model.meter import meter
from heatproof.model.scenario import Scenario
from heatproof.model.world import Action
from heatproof.ports.heat.accesses.comparing import compare
from heatproof.ports.heat.conformance.correspondence import COMPARED
from heatproof.ports.heat.conformance.lockstep import Difference, Lockstep
from heatproof.properties.base import Property
from heatproof.strategies import policies
from heatproof.strategies.policies import PORTFOLIO
from heatproof.strategies.running import Plan
from heatproof.strategies.scenarios import scenarios

SCENARIOS = 10
"""Scenarios in a batch."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is compared: the largest scope, which kinds of operations and faults occur (None: all), the most of each fault, the seed,
    how many plans each scenario is run under, and whether what the whole run asked of the database is compared as well."""

    resources: int = 5
    operations: int = 4
    engines: int = 2
    threads: int = 2
    kinds: tuple[str, ...] | None = None
    faults: tuple[str, ...] | None = None
    budget: int = 2
    seed: int = 0
    plans: int = 2
    accesses: bool = False


@dataclass(frozen=True, slots=True)
class Parted:
    """A run in which the two parted: the scenario, the plan, the actions done on both sides, the difference after the last, and what
    each task would do next on either side."""

    scenario: Scenario
    plan: Plan
    actions: tuple[Action, ...]
    difference: Difference
    following: tuple[tuple[str, str, str], ...] = ()


@dataclass(slots=True)
class Agreement:
    """What was compared so far; agreements of several batches can be added up.

    ``cut``: runs that did not come to rest; ``longest``: actions of the longest run that agreed to its end; ``kinds``: runs in which an
    operation was asked; ``overlapping``: runs by the most operations that were asked without a rest between them; ``points``: runs in
    which a task of the engine stood there while that of the model stood at that step; ``struck`` and ``violated``: runs with a kind of
    fault, and runs in which both found a property violated.
    """

    scenarios: int = 0
    runs: int = 0
    steps: int = 0
    cut: int = 0
    longest: int = 0
    parted: list[Parted] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    overlapping: Counter[int] = field(default_factory=Counter)
    points: Counter[tuple[str, str]] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    violated: Counter[str] = field(default_factory=Counter)

    def add(self, other: Agreement) -> None:
        """Take over what another batch found."""
        self.scenarios += other.scenarios
        self.runs += other.runs
        self.steps += other.steps
        self.cut += other.cut
        self.longest = max(self.longest, other.longest)
        self.parted += other.parted
        self.kinds.update(other.kinds)
        self.overlapping.update(other.overlapping)
        self.points.update(other.points)
        self.struck.update(other.struck)
        self.violated.update(other.violated)


def run(scenario: Scenario, plan: Plan, properties: Sequence[Property] = (), design: Heat | None = None) -> tuple[Lockstep, str]:
    """One run of both as planned, to rest or to the first difference; it, and how it ended: ``rest``, ``parted`` or ``cut``."""
    both = Lockstep(scenario, properties, design)
    rng = Random(plan.seed)
    policy = policies.make(plan.policy, rng)
    random = rng.random
    faulty = plan.faultiness if scenario.faults else 0.0

    def any_of(actions: list[Action]) -> Action:
        return actions[int(random() * len(actions))]

    while len(both.actions) < plan.steps:
        action = None
        if (faulty and random() < faulty and (actions := both.world.faults())) or (
            random() < plan.eagerness and (actions := both.world.operations())
        ):
            action = any_of(actions)
        elif actions := both.world.progress():
            action = policy.choose(both.world, actions)
        elif both.rest() is not None:
            return both, "parted"
        elif actions := both.world.operations():
            action = any_of(actions)
        else:
            return both, "rest"
        if both.perform(action) is not None:
            return both, "parted"
    return both, "cut"


def batch(
    options: Options,
    number: int,
    properties: Sequence[Property] = (),
    design: str = Heat.name,
    most: int = 5,
    over: Callable[[], bool] = lambda: False,
) -> Agreement:
    """Compare batch ``number``, a pure function of the options; stops after ``most`` differences. ``design``: the model, perhaps mutated. ``over``
    says before each run whether time is up; only the very first run of batch 0 is made all the same, so that something was compared.

    Raises :class:`HeatproofError` if there is no engine, or if the design is no model of Heat's algorithm.
    """
    model = catalogue.load(design)
    if not isinstance(model, Heat):
        raise HeatproofError(f"design {design!r} is no model of Heat's algorithm; compare heat or heat+MUTATION")
    found = Agreement()
    rng = Random(f"conform/{options.seed}/{number}")
    errors: list[Exception] = []

    def ended() -> bool:
        return (number > 0 or found.runs > 0) and over()

    def compare(scenario: Scenario) -> None:
        if errors or len(found.parted) >= most or ended():
            return
        try:
            _compare(options, scenario, rng, properties, found, model, ended)
        except Exception as error:  # Hypothesis would run the scenario again, with the random numbers that come next
            errors.append(error)

    faults = COMPARED if options.faults is None else options.faults
    strategy = scenarios(
        Heat(), max_resources=options.resources, max_operations=options.operations, max_engines=options.engines,
        max_threads=options.threads, kinds=options.kinds, faults=faults, max_faults=options.budget,
    )  # fmt: skip
    drawn = settings(
        max_examples=SCENARIOS, phases=[Phase.generate], database=None, deadline=None, derandomize=False,
        suppress_health_check=list(HealthCheck), verbosity=Verbosity.quiet,
    )(hypothesis.given(strategy)(compare))  # fmt: skip
    hypothesis.seed(rng.getrandbits(64))(drawn)()
    if errors:
        raise errors[0]
    return found


def accesses_differ(both: Lockstep) -> Difference | None:
    """The first difference in what the two runs asked of the database: transactions, and statements and rows by table and kind, of each
    operation."""
    for line in compare(meter(both.model.world), meter(both.engine.world)):
        if not line.equal:
            about = f"{line.kind}s of {line.table or 'all tables'} for operation {line.operation}"
            mine, its = (f"{number} with {rows} rows" for number, rows in (line.model, line.engine))
            return Difference(len(both.actions), "accesses", about, mine, its)
    return None


def _compare(
    options: Options,
    scenario: Scenario,
    rng: Random,
    properties: Sequence[Property],
    found: Agreement,
    model: Heat,
    ended: Callable[[], bool],
) -> None:
    found.scenarios += 1
    start = rng.randrange(len(PORTFOLIO))
    for index in range(options.plans):
        if index and ended():
            return
        plan = Plan(
            PORTFOLIO[(start + index) % len(PORTFOLIO)], rng.getrandbits(48), rng.choice((0.0, 0.01, 0.03, 0.1)),
            rng.choice((0.005, 0.02, 0.08)),
        )  # fmt: skip
        both, end = run(scenario, plan, properties, model)
        if options.accesses and both.difference is None:
            both.difference = accesses_differ(both)
        found.runs += 1
        found.steps += len(both.actions)
        found.cut += end == "cut"
        found.overlapping[both.overlapping] += 1
        found.kinds.update(o.kind for o in scenario.operations)
        found.struck.update(both.world.happened.keys())
        found.violated.update({name for name, _ in both.model.monitor.violations})
        found.points.update(both.points)
        if both.difference is not None:
            found.parted.append(Parted(scenario, plan, tuple(both.actions), both.difference, tuple(both.next_steps())))
        else:
            found.longest = max(found.longest, len(both.actions))


__all__ = ["Agreement", "Options", "Parted", "accesses_differ", "batch", "run"]
