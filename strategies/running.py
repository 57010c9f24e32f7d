"""One run: a world, a policy and a monitor from the first action to rest. A pure function of its arguments.

The runner times what the policies do not: when the user issues the next operation and when a fault strikes. A run whose policy has
had its number of steps goes on under the default policy (the fair tail), so that only a run that truly cannot end does not end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from heatproof.model.contents import Opaque, stands_for_itself
from heatproof.model.continuations import Pool
from heatproof.model.design import Design
from heatproof.model.errors import DesignError
from heatproof.model.faults import PATIENCE
from heatproof.model.fingerprint import digest, fingerprint
from heatproof.model.meter import meter
from heatproof.model.pending import pending
from heatproof.model.program import Node, Program, refuse_nested
from heatproof.model.scenario import Scenario
from heatproof.model.watchdog import RUNNING, Stuck
from heatproof.model.watching import met
from heatproof.model.world import Action, World
from heatproof.properties.base import Property, witness
from heatproof.properties.catalogue import REST_IS_REACHED
from heatproof.properties.costs import Cost, exceeded
from heatproof.properties.monitor import Violation
from heatproof.strategies import policies
from heatproof.strategies.asked import refuse_unfit
from heatproof.strategies.asking import in_property, monitor
from heatproof.strategies.striking import Striking

STEPS = 4_000
TAIL = 20_000
SYSTEM = ("step", "deliver", "settle")
"""Kinds of actions that are never possible at rest."""

CROWD = 30
"""Messages from which on looking for a state that comes again is too dear to be done at every step."""

QUIET = 2 * PATIENCE
"""Actions without a new task after which one looks whether those that run go round on their own; nothing is passed over any more then."""

LONG = 100
"""Effects of a task from which on it counts where it stands and what it holds rather than what it was sent: it may be polling."""


@dataclass(slots=True)
class Run:
    """What one run did: its actions, what was violated, which situations were reached, and how it ended: ``rest``, ``circle``
    (a state came again under the fair policy) or ``cut``."""

    actions: list[Action]
    violations: dict[tuple[str, str], Violation]
    reached: set[str]
    end: str
    world: World = field(repr=False)


REPEATED = 10
"""Effects that such a task has done before, one after the other, from which on it is looked into."""


class Laps:
    """Notices when a world that goes on under the default policy comes to a state again: it then goes round for ever."""

    def __init__(self, world: World):
        self.world = world
        self.passed: set[Any] = set()
        self.states: dict[Any, int] = {}
        self.pool = Pool(world.design)
        self.about: set[Any] = set()  # what handlers that may be polling were about to do
        self.nothing_new: dict[int, int] = {}  # how often in a row each of them has been about to do what it had done before
        self.unfair = False

    def began(self) -> int | None:
        """After how many actions the present state was there before, or None.

        What the default policy goes by is part of the state here: the order of messages and tasks, and what it passes over. A
        fingerprint is dear. So one looks only when a task has begun, without which no state comes again, or when none has for long, since those
        that run may poll; takes it from the second time on that messages and tasks are the same; and where there are many messages one looks only
        now and then.
        """
        world, now = self.world, len(self.world.log)
        newest = next(reversed(world.tasks.values()), None)
        if newest is None or self.unfair:
            return None
        quiet = ((now - newest.seq[0]) // QUIET).bit_count() == 1  # for a while, and then ever less often
        if newest.seq[0] < now - 1 and not quiet:
            return None
        if len(world.bag) > CROWD and now % 97:
            return None
        running = [(name, self._standing(world.nodes[name])) for name in world.tasks]
        outline = tuple([(message.name, message.args, message.to) for message in world.bag.values()]), tuple(running)
        if outline not in self.passed:
            self.passed.add(outline)
            return None
        held = tuple((name, now - since) for name, since in world.ranks.items() if since > now - PATIENCE)
        turns = tuple(sorted(world.slept, key=world.slept.__getitem__))
        before = self.states.setdefault((outline, held, turns, fingerprint(world, lambda node: digest(node.root.me))), now)
        if before == now:
            return None
        self.unfair = not self._fair(before)  # then it goes round like that for ever
        return None if self.unfair else before

    def _standing(self, node: Node) -> Any:
        """Where a handler stands and what it holds: a number that another has only if it goes on alike. One that goes round on its own never comes to
        a node again. To look into one that holds much is dear, and as long as it does something new it goes on."""
        if node.depth > LONG and self.world.design.pure and self._repeats(node):
            running, held = self.world.program.running(node), None
            with suppress(DesignError, Opaque):  # it stands too deep, or is about to do something with what hides what it holds
                refuse_nested(node)
                held = self.pool.of(running, pending(node.effect))
            if held is not None:
                return id(node.root), id(held)
        return id(node)

    def _repeats(self, node: Node) -> bool:
        """Whether a handler has done nothing new for a while, as far as that is seen without looking into anything."""
        root, effect = id(node.root), node.effect or ()
        about = root, type(effect), *[value if stands_for_itself(value) else None for value in map(_plainly, effect)]
        self.nothing_new[root] = self.nothing_new.get(root, 0) + 1 if about in self.about else 0
        self.about.add(about)
        return self.nothing_new[root] > REPEATED

    def _fair(self, began: int) -> bool:
        """Whether everything that is possible now has gone on since. The default policy lets a task go on that never gives way, whoever waits, and
        messages that lead to messages before who sleeps; and a message that is held back until nothing else can run is passed over."""
        gone_on = {(entry.action.kind, entry.action.subject) for entry in self.world.log[began:]}
        return all((action.kind, action.subject) in gone_on for action in self.world.free_to_act({}))


class Driver:
    """A world with its monitor: every action goes through :meth:`perform`."""

    def __init__(self, design: Design, scenario: Scenario, properties: Iterable[Property], program: Program | None = None):
        self.properties = list(properties)
        refuse_unfit(design, self.properties)
        self.judges_ends = REST_IS_REACHED in self.properties
        self.bounded = [prop for prop in self.properties if prop.bound is not None]
        self.world = design.open(scenario, program)
        self.observation = design.observation(self.world)
        self.monitor = monitor(self.properties, self.world, self.observation)
        self.watches = self.monitor.watches

    def perform(self, action: Action) -> None:
        """Do ``action`` and ask what it concerns; if it ends a rest, what must hold at rest is asked before."""
        world = self.world
        if action.kind not in SYSTEM and world.at_rest:
            self.rest()
        world.perform(action)
        if self.watches and (
            action.kind != "step" or len(world.journal) - world.marks[-1] > 1
        ):  # else nothing has changed but the task itself
            self._ask(self.monitor.after)

    def rest(self) -> None:
        """Ask what must hold at rest. Before the first operation nothing must."""
        if not self.world.state["issued"]:
            return
        self._ask(self.monitor.at_rest)
        if self.bounded:
            self._count()

    def _ask(self, ask: Callable[[int], None]) -> None:
        """Have properties asked; the watchdog looks how long that takes."""
        RUNNING.what = ask
        try:
            ask(len(self.world.log))
        except (Exception, SystemExit, Stuck) as error:
            raise in_property(error, self.monitor.asking) from error
        finally:
            RUNNING.what = None

    def _count(self) -> None:
        """Judge the bounds on what the run costs. It is metered from its beginning."""
        world = self.world
        costs = meter(world)
        by_operation, operations = costs.by("operation"), world.scenario.operations[: world.state["issued"]]
        counted = {
            n: Cost(world.design.operation_label(n, asked), asked.kind, by_operation[n].accesses if n in by_operation else 0)
            for n, asked in enumerate(operations, 1)
        }
        for prop in self.bounded:
            assert prop.bound is not None
            for _, found in exceeded(prop.bound, costs.total.accesses, counted):
                self.monitor.violated(prop, found, len(world.log))

    def look_ahead(self, limit: int = TAIL) -> None:
        """Ask whether the system goes round in circles from here on. Nothing else is asked on the way; the world is as before."""
        world, here, laps = self.world, len(self.world.log), Laps(self.world)
        while (began := laps.began()) is None and len(world.log) < here + limit and world.progress():
            action = world.default()
            assert action is not None
            world.perform(action)
        if began is not None:
            self.went_round(began, here)
        while len(world.log) > here:
            world.undo()

    def went_round(self, began: int, step: int) -> None:
        """The state after ``began`` actions came again under the default policy: after ``step`` actions there was no way to rest."""
        if self.judges_ends:
            handlers = sorted({e.task.handler for e in self.world.log[began:] if e.task is not None})
            self.monitor.violated(REST_IS_REACHED, witness("goes round in circles", handlers=handlers), step)

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
        world, laps, last = self.world, Laps(self.world), len(self.world.log) + limit
        while len(world.log) < last:
            action = world.default()
            if action is None:
                self.rest()
                return "rest"
            self.perform(action)
            if (began := laps.began()) is not None:
                self.went_round(began, began)
                return "circle"
        return "cut"

    def finish(self, end: str) -> Run:
        """The run as it was."""
        world = self.world
        if self.monitor.sees:
            self.monitor.saw({met(e.before, e.after) for e in world.log if e.before is not None and e.after is not None})
        return Run([e.action for e in world.log], dict(self.monitor.violations), self.monitor.reached, end, world)


def _plainly(value: Any) -> Any:
    """A value of an effect, a dictionary as what it holds."""
    return tuple(value.items()) if isinstance(value, dict) else value


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
    return driver.finish(drive(driver, plan))


def drive(driver: Driver, plan: Plan) -> str:
    """Let the world of a driver run as planned from where it is; how it ended: ``rest``, ``circle`` or ``cut``."""
    world, scenario = driver.world, driver.world.scenario
    rng = Random(plan.seed)
    policy = policies.make(plan.policy, rng)
    random, perform = rng.random, driver.perform
    eager, faulty = plan.eagerness, plan.faultiness if scenario.faults else 0.0
    log, last = world.log, plan.steps
    count = len(scenario.operations)
    strikes = Striking(world, random)
    while len(log) < last:
        if (strikes.to_come and (action := strikes.due())) or (faulty and random() < faulty and (action := strikes.draw())):
            perform(action)
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
        actions = world.operations()
        if not actions:
            driver.rest()
            return "rest"
        perform(actions[int(random() * len(actions))])
    return driver.settle()
