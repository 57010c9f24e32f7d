"""A whole exploration: scenarios drawn by Hypothesis, each run under several plans, failures told apart and made small.

The work is cut into batches. A batch is a pure function of the design, the options and its number, so that a failure found by two
processes is the same failure found by one, and only the number of batches done depends on the clock. With a time budget the last ones are
ended between two runs: what they tell is what was run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, settings

from heatproof.model.design import Design
from heatproof.model.errors import HeatproofError
from heatproof.model.program import Program
from heatproof.model.purity import purity_of
from heatproof.model.scenario import Scenario
from heatproof.properties.base import Property
from heatproof.properties.catalogue import judged
from heatproof.strategies.asking import Keeping
from heatproof.strategies.policies import PORTFOLIO
from heatproof.strategies.running import STEPS, Plan, Run, run
from heatproof.strategies.scenarios import scenarios
from heatproof.strategies.shrinking import Failure, Key

SCENARIOS = 10
"""Scenarios in a batch."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is explored: the largest scope, the kinds of operations and faults that may occur (None: all that the design knows), the
    policies, the seed, and how many plans each scenario is run under."""

    resources: int = 5
    operations: int = 4
    engines: int = 2
    threads: int = 2
    kinds: tuple[str, ...] | None = None
    faults: tuple[str, ...] | None = None
    budget: int = 2
    policies: tuple[str, ...] = PORTFOLIO
    seed: int = 0
    plans: int = 10
    fixed: tuple[Scenario, ...] = ()


@dataclass(slots=True)
class Findings:
    """What was found so far; findings of several batches can be added up."""

    scenarios: int = 0
    runs: int = 0
    steps: int = 0
    cut: int = 0
    violated: Counter[Key] = field(default_factory=Counter)
    failures: dict[Key, Failure] = field(default_factory=dict)
    reached: Counter[str] = field(default_factory=Counter)
    struck: Counter[frozenset[str]] = field(default_factory=Counter)
    """How many runs had these kinds of faults and no others: what a property was asked of follows from it."""
    kinds: Counter[str] = field(default_factory=Counter)
    """How many runs had operations of a kind: a bound on what such an operation costs was asked of these."""
    error: HeatproofError | None = None
    """What ended the batch early. It is no finding, and is not added up."""

    def add(self, other: Findings) -> None:
        """Take over what another batch found; of each failure the smaller one stays."""
        self.scenarios += other.scenarios
        self.runs += other.runs
        self.steps += other.steps
        self.cut += other.cut
        self.violated.update(other.violated)
        self.reached.update(other.reached)
        self.struck.update(other.struck)
        self.kinds.update(other.kinds)
        for key, failure in other.failures.items():
            self.keep(key, failure)

    def asked(self, prop: Property, survives: frozenset[str]) -> int:
        """Of how many runs the property was asked: faults that it does not tolerate excuse a design that does not survive them."""
        if not judged(prop):
            return 0
        count = sum(count for faults, count in self.struck.items() if prop.asked(faults, survives))
        return min(count, self.kinds[prop.bound.kind]) if prop.bound is not None and prop.bound.kind else count

    def keep(self, key: Key, failure: Failure) -> None:
        """Keep ``failure`` unless a smaller one of its kind is known."""
        known = self.failures.get(key)
        if known is None or failure.score < known.score:
            self.failures[key] = failure

    def note(self, scenario: Scenario, done: Run) -> None:
        """Take over one run."""
        self.runs += 1
        self.steps += len(done.actions)
        self.cut += done.end == "cut"
        self.reached.update(done.reached)
        self.struck[frozenset(done.world.happened)] += 1
        self.kinds.update({operation.kind for operation in scenario.operations})
        for key, violation in done.violations.items():
            self.violated[key] += 1
            self.keep(key, Failure(scenario, done.actions[: violation.step], violation))


def batch(
    design: Design,
    properties: Sequence[Property],
    options: Options,
    number: int,
    audited: int = 1,
    over: Callable[[], bool] = lambda: False,
    before: Findings | None = None,
) -> Findings:
    """Explore batch ``number``. The handlers of the first ``audited`` runs are run twice, to see that they are pure. ``over`` says before
    each run whether time is up; only the very first run of batch 0 is made all the same, so that something was looked at. ``before`` takes what was
    found before a run that ended in an error, which is raised; not where handlers or properties turn out to be impure: it may come of that."""
    findings = Findings()

    def ended() -> bool:
        return (number > 0 or findings.runs > 0) and over()

    purity = purity_of(design) if design.pure else None
    keeping = Keeping(properties)
    rng = Random(f"{options.seed}/{number}")

    errors: list[Exception] = []

    def explore(scenario: Scenario) -> None:
        if errors or ended():
            return
        try:
            explore_one(design, properties, options, scenario, rng, findings, audited, ended)
        except Exception as error:  # Hypothesis would run the scenario again, with the random numbers that come next
            errors.append(error)

    if options.fixed and number % 4 == 3:
        for scenario in options.fixed:
            explore(scenario)
    else:
        strategy = scenarios(
            design, max_resources=options.resources, max_operations=options.operations, max_engines=options.engines,
            max_threads=options.threads, kinds=options.kinds, faults=options.faults, max_faults=options.budget,
        )  # fmt: skip
        drawn = hypothesis.given(strategy)(explore)
        drawn = settings(
            max_examples=SCENARIOS, phases=[Phase.generate], database=None, deadline=None, derandomize=False,
            suppress_health_check=list(HealthCheck), verbosity=Verbosity.quiet,
        )(drawn)  # fmt: skip
        hypothesis.seed(rng.getrandbits(64))(drawn)()
    if errors:
        if before is not None:
            before.add(findings)
        raise errors[0]
    if purity is not None:
        purity.check()
    keeping.check()
    return findings


def explore_one(
    design: Design,
    properties: Sequence[Property],
    options: Options,
    scenario: Scenario,
    rng: Random,
    findings: Findings,
    audited: int = 0,
    over: Callable[[], bool] = lambda: False,
) -> None:
    """Run one scenario under several plans, the first in any case, and note what they find."""
    findings.scenarios += 1
    program = design.program(scenario)
    with program.watchdog():
        _run_plans(design, properties, options, scenario, rng, findings, audited, over, program)


def _run_plans(
    design: Design,
    properties: Sequence[Property],
    options: Options,
    scenario: Scenario,
    rng: Random,
    findings: Findings,
    audited: int,
    over: Callable[[], bool],
    program: Program,
) -> None:
    start = rng.randrange(len(options.policies))
    for index in range(options.plans):
        if index and over():
            return
        plan = Plan(
            options.policies[(start + index) % len(options.policies)],
            rng.getrandbits(48),
            rng.choice((0.0, 0.002, 0.01, 0.03, 0.1)),
            rng.choice((0.005, 0.02, 0.08)),
            STEPS,
        )
        done = run(design, scenario, properties, plan, program)
        if findings.runs < audited:
            done.world.audit()
        findings.note(scenario, done)


__all__ = ["Findings", "Options", "batch", "explore_one"]
