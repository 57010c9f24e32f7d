"""One run: a world, a policy and a monitor from the first action to rest. A pure function of its arguments.

The runner times what the policies do not: when the user issues the next operation and when a fault strikes. A run whose policy has
had its number of steps goes on under the default policy (the fair tail), so that only a run that truly cannot end does not end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from heatproof.model.design import Design
from heatproof.model.fingerprint import fingerprint
from heatproof.model.program import Program
from heatproof.model.scenario import Scenario
from heatproof.model.watching import Watch, met
from heatproof.model.world import Action, World
from heatproof.properties.base import Property, witness
from heatproof.properties.catalogue import REST_IS_REACHED
from heatproof.properties.monitor import Monitor, Violation
from heatproof.strategies import policies

STEPS = 4_000
TAIL = 20_000


@dataclass(slots=True)
class Run:
    """What one run did: its actions, what was violated, which situations were reached, and how it ended: ``rest``, ``circle``
    (a state came again under the fair policy) or ``cut``."""

    actions: list[Action]
    violations: dict[tuple[str, str], Violation]
    reached: set[str]
    end: str
    world: World = field(repr=False)


class Driver:
    """A world with its monitor: every action goes through :meth:`perform`."""

    def __init__(self, design: Design, scenario: Scenario, properties: Iterable[Property], program: Program | None = None):
        self.properties = list(properties)
        self.world = World(design, scenario, program)
        self.observation = design.observe(self.world)
        self.monitor = Monitor(self.properties, self.observation, Watch(self.world, self.observation).changes, design.survives)

    def perform(self, action: Action) -> None:
        """Do ``action`` and ask what it concerns."""
        self.world.perform(action)
        self.monitor.after(len(self.world.log))

    def rest(self) -> None:
        """Ask what must hold at rest."""
        self.monitor.at_rest(len(self.world.log))

    def burst(self, policy: policies.Policy, steps: int) -> None:
        """Let the system run under ``policy`` for so many steps, or until it rests."""
        world, perform = self.world, self.perform
        for _ in range(steps):
            actions = world.progress()
            if not actions:
                self.rest()
                return
            perform(policy.choose(world, actions))

    def settle(self, limit: int = TAIL) -> str:
        """Run on under the default policy to the end of the scenario; how it ended: ``rest``, ``circle`` or ``cut``."""
        world = self.world
        resting = False
        checkpoint, seen, interval = len(world.log) + limit // 4, None, 1
        while len(world.log) < checkpoint + limit:
            action = world.default()
            if action is None or (action.kind == "operate" and not resting):
                self.rest()
                if action is None:
                    return "rest"
            resting = action.kind == "operate"
            self.perform(action)
            if len(world.log) >= checkpoint:  # Brent: compare with a state at growing distances
                now = fingerprint(world)
                if now == seen:
                    return "circle"
                if len(world.log) - checkpoint >= interval:
                    seen, interval = now, interval * 2
        return "cut"

    def finish(self, end: str) -> Run:
        """The run as it was."""
        world = self.world
        self.monitor.saw({met(e.before, e.after) for e in world.log if e.before is not None and e.after is not None})
        violations = dict(self.monitor.violations)
        if end == "circle" and REST_IS_REACHED in self.properties:
            survives = world.design.survives
            if REST_IS_REACHED.asked(world.happened, survives):
                tasks = sorted({e.task.handler for e in world.log[-200:] if e.task is not None})
                found = Violation(
                    REST_IS_REACHED.name, REST_IS_REACHED.sentence, witness("goes round in circles", handlers=tasks), len(world.log)
                )
                violations[found.key] = found
        return Run([e.action for e in world.log], violations, self.monitor.reached, end, world)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a run is driven: a policy, a seed, how eagerly the user issues operations (probability at each step; 0: only at rest), how
    often a fault strikes (probability at each step), and how many steps the policy has."""

    policy: str
    seed: int
    eagerness: float = 0.02
    faultiness: float = 0.02
    steps: int = STEPS


def run(design: Design, scenario: Scenario, properties: Sequence[Property], plan: Plan, program: Program | None = None) -> Run:
    """Run a scenario as planned and ask the properties."""
    driver = Driver(design, scenario, properties, program)
    world = driver.world
    rng = Random(plan.seed)
    policy = policies.make(plan.policy, rng)
    random, perform = rng.random, driver.perform
    eager, faulty = plan.eagerness, plan.faultiness if scenario.faults else 0.0
    log, last = world.log, plan.steps
    count = len(scenario.operations)
    while len(log) < last:
        if faulty and random() < faulty:
            actions = world.faults()
            if actions:
                perform(actions[int(random() * len(actions))])
                continue
        if world.state["issued"] < count and random() < eager:
            actions = world.operations()
            if actions:
                perform(actions[int(random() * len(actions))])
                continue
        actions = world.progress()
        if actions:
            perform(policy.choose(world, actions))
            continue
        if log:
            driver.rest()
        actions = world.operations()
        if not actions:
            return driver.finish("rest")
        perform(actions[int(random() * len(actions))])
    return driver.finish(driver.settle())
