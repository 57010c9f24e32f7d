"""The stateful test of a design, for Hypothesis: rules are what users ask, what goes wrong, and bursts of what the system does itself.

A whole test of a design of one's own::

    from heatproof.reports.story import story
    from heatproof.strategies.machine import machine

    TestMine = machine(Mine(), [my_property, my_other_property], explain=story).TestCase

Rules of this file:

1. An example is a pure function of what was drawn. A burst gets a seed, not a draw a step: Hypothesis shrinks what is asked, and our own
   shrinker makes the schedule of what is left small, once, when the failure is told.
2. No rule has a precondition. Hypothesis switches rules off for a whole example, perhaps all that are still possible, and
   then throws the example away; here, a rule for which there is nothing to do does nothing.
3. Operations, faults and bursts overlap: what a user asks comes after some steps of what was asked before, and a burst may itself
   be struck by faults. Else most examples would come to rest between any two rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar, NamedTuple
from unittest import TestCase

from hypothesis import Phase, event, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from heatproof.model.design import Design
from heatproof.model.errors import ScenarioError
from heatproof.model.faults import FAULTS
from heatproof.model.scenario import Operation, Scenario, Scope
from heatproof.model.templates import Template
from heatproof.model.world import World
from heatproof.properties.base import Property
from heatproof.properties.catalogue import ALL
from heatproof.strategies import policies, scenarios
from heatproof.strategies.exploring import Findings
from heatproof.strategies.failing import Explain, violated
from heatproof.strategies.running import TAIL, Driver, Run
from heatproof.strategies.shrinking import Failure, Key
from heatproof.strategies.striking import Striking

LENGTHS = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233)
"""How many steps a burst may have."""
FAULTINESS = (0.0, 0.05, 0.01, 0.2)
"""With which probability a fault strikes at each step of a burst, for a whole example."""


class Burst(NamedTuple):
    """What the system does by itself. One argument of a rule, not three: Hypothesis favours the rules with the fewest."""

    policy: str
    seed: int
    length: int


@dataclass(frozen=True)
class Setting:
    """What a machine tests and how: see :func:`machine`."""

    design: Design
    properties: tuple[Property, ...]
    expected: frozenset[Key]
    explain: Explain | None
    max_operations: int
    fails: bool
    shrink: int
    tail: int
    scopes: st.SearchStrategy[Scope]
    faults: st.SearchStrategy[dict[str, int]]
    creates: st.SearchStrategy[Operation]


_RUNNER = st.runner()
_INDEX = st.integers(0, 127)
_SEED = st.integers(0, 255)  # Hypothesis tries to shrink seeds as well
_POLICY = st.sampled_from(policies.PORTFOLIO[::-1])
_BURST = st.builds(Burst, _POLICY, _SEED, st.sampled_from(LENGTHS))
_AFTER = st.sampled_from((0, *LENGTHS))


def _of_setting(name: str) -> st.SearchStrategy[Any]:
    return _RUNNER.flatmap(lambda machine: getattr(machine.setting, name))


@st.composite
def _asked(draw: st.DrawFn, kind: str) -> Operation | None:
    """The next operation, or None if the user has asked enough or there is nothing to ask for."""
    machine: ConvergenceMachine = draw(_RUNNER)
    if len(machine.world.scenario.operations) >= machine.setting.max_operations:
        return None
    return scenarios.following(draw, kind, draw(scenarios.BYTES[4]), list(machine.goals), machine.setting.fails)


@st.composite
def _engine(draw: st.DrawFn) -> str | None:
    """An engine that lives, or None."""
    machine: ConvergenceMachine = draw(_RUNNER)
    alive = list(machine.world.free)
    return alive[draw(_INDEX) % len(alive)] if alive else None


@st.composite
def _fault(draw: st.DrawFn) -> str | None:
    """A kind of fault of which some are left, or None."""
    machine: ConvergenceMachine = draw(_RUNNER)
    left = [kind for kind, count in machine.world.left.items() if count]
    return left[draw(_INDEX) % len(left)] if left else None


def _rule(kind: str) -> Callable[..., None]:
    def ask(self: ConvergenceMachine, operation: Operation | None, at: str | None, after: int) -> None:
        if operation is not None and at is not None:
            self.run(after)
            self.ask(operation, at)

    ask.__name__ = kind.replace(" ", "_")
    ask.__doc__ = f"The user asks for {kind}, at some engine, after so many steps of the system."
    return rule(operation=_asked(kind), at=_engine(), after=_AFTER)(ask)


class ConvergenceMachine(RuleBasedStateMachine):
    """Base of the stateful tests of designs: :func:`machine` makes subclasses with a ``setting``, and without the rules for
    operations that their design has not."""

    setting: ClassVar[Setting]
    tally: ClassVar[Findings | None] = None
    """Where every example is noted, if somebody keeps count."""
    shard: ClassVar[int] = 0
    """Which of the shards of a machine it is."""

    def __init__(self) -> None:
        super().__init__()
        self.driver: Driver | None = None
        self.goals: list[Template] = []
        self.policy: policies.Policy
        self.luck: Random
        self.strikes: Striking
        self.faultiness = 0.0
        self.whole = True  # nothing was raised in the middle of an action

    @property
    def world(self) -> World:
        """The world as it is now."""
        assert self.driver is not None
        return self.driver.world

    @initialize(
        scope=_of_setting("scopes"), faults=_of_setting("faults"), faultiness=st.sampled_from(FAULTINESS),
        policy=_POLICY, seed=_SEED, operation=_of_setting("creates"),
    )  # fmt: skip
    def create(self, scope: Scope, faults: dict[str, int], faultiness: float, policy: str, seed: int, operation: Operation) -> None:
        """What the example has: its scope, what may go wrong and how often, the policy it begins with, and its first operation."""
        self.driver = Driver(self.setting.design, Scenario((), scope, faults), self.setting.properties)
        self.faultiness = faultiness if faults else 0.0
        self.turn_to(policy, seed)
        self.ask(operation, "E1")

    update = _rule("update")
    delete = _rule("delete")
    check = _rule("check")
    rollback = _rule("rollback")
    cancel = _rule("cancel")
    mark_unhealthy = _rule("mark unhealthy")
    signal = _rule("signal")

    @rule(kind=_fault(), which=_INDEX, after=_AFTER)
    def inject(self, kind: str | None, which: int, after: int) -> None:
        """Something goes wrong, after so many steps of the system."""
        if kind is not None:
            self.run(after)
            with self._acting() as driver:
                possible = [action for action in driver.world.faults() if action.kind == kind]
                if possible:
                    driver.perform(possible[which % len(possible)])

    @rule(burst=_BURST)
    def let_run(self, burst: Burst) -> None:
        """The system goes on by itself, from now on under another policy."""
        self.turn_to(burst.policy, burst.seed)
        self.run(burst.length)

    def turn_to(self, policy: str, seed: int) -> None:
        """Go on under another policy."""
        self.policy = policies.make(policy, Random(seed))
        self.luck = Random(seed)
        self.strikes = Striking(self.world, self.luck.random)

    def run(self, steps: int) -> None:
        """Let the system do so many steps, or until it rests; faults may strike in between."""
        with self._acting() as driver:
            while steps > 0 and not driver.world.at_rest:
                calm = int(self.luck.expovariate(self.faultiness)) if self.faultiness else steps
                self._go(driver, min(calm, steps))
                steps -= calm + 1
                if steps >= 0 and (fault := self.strikes.draw()):
                    driver.perform(fault)

    def _go(self, driver: Driver, steps: int) -> None:
        """So many steps in which no fault is drawn, but those may strike that were drawn before."""
        while self.strikes.to_come and steps > 0 and not driver.world.at_rest:
            if fault := self.strikes.due():
                driver.perform(fault)
            else:
                driver.burst(self.policy, 1)
            steps -= 1
        driver.burst(self.policy, steps)

    def ask(self, operation: Operation, at: str) -> None:
        """Issue an operation at an engine, or at another if it has died; where none lives it waits for the next one."""
        with self._acting() as driver:
            driver.world.add_operation(operation)
            if operation.template is not None:
                self.goals.append(operation.template)
            for action in sorted(driver.world.operations(), key=lambda action: action.detail != at)[:1]:
                driver.perform(action)

    def teardown(self) -> None:
        """Let the system come to rest under the default policy and judge the run; one that is cut is judged by what was seen."""
        if self.whole and self.driver is not None:
            run = self._end()
            for name in sorted(run.reached):
                event(f"reached: {name}")
            for name, kind in sorted(run.violations.keys() & self.setting.expected):
                event(f"expected: {name}: {kind}")
            event(f"ended: {run.end}")

    @contextmanager
    def _acting(self) -> Iterator[Driver]:
        """Around every action: what it violated is raised, with what else the run shows when it goes on."""
        driver, self.whole = self.driver, False
        assert driver is not None
        yield driver
        if not driver.monitor.violations.keys() <= self.setting.expected:
            self._end()
        self.whole = True

    def _end(self) -> Run:
        """The run, gone on with to its end. Raises :class:`Violated` for what is not expected of it."""
        driver, setting = self.driver, self.setting
        assert driver is not None
        run = driver.finish(driver.settle(setting.tail))
        if self.tally is not None:
            self.tally.note(driver.world.scenario, run)
        found = [violation for key, violation in run.violations.items() if key not in setting.expected]
        if found:
            found.sort(key=lambda violation: (violation.step, violation.key))
            failure = Failure(driver.world.scenario, run.actions[: found[0].step], found[0])
            raise violated(found[0].key)(setting.design, setting.properties, failure, found, setting.explain, setting.shrink)
        return run


def machine(
    design: Design,
    properties: Iterable[Property] = tuple(ALL.values()),
    expected: Iterable[Key] = (),
    *,
    explain: Explain | None = None,
    max_resources: int = 4,
    max_operations: int = 4,
    max_engines: int = 2,
    max_threads: int = 2,
    faults: Iterable[str] | None = None,
    max_faults: int = 2,
    fails: bool = True,
    steps: int = 10,
    shrink: int = 300,
    quick: bool = False,
    tail: int = TAIL,
) -> type[ConvergenceMachine]:
    """The stateful test of a design; its attribute ``TestCase`` is for pytest. How many examples there are is up to the profile.

    - ``expected``: violations that are known, as pairs of property name and kind of witness. They are noted as events and do not fail.
    - ``explain`` tells a failure: :func:`heatproof.reports.story.story`, or a function of your own with its arguments.
    - ``max_resources`` to ``max_faults``: how large examples get; ``faults`` names the kinds that may strike (None: any).
    - ``fails``: whether definitions may have physical operations that always fail.
    - ``steps``: rules in an example; ``shrink``: runs that are spent to make a failure small when it is told.
    - ``quick``: stop at the first failure and leave all shrinking to ours, which takes about a second. Else Hypothesis looks for other
      kinds of failures too and shrinks the program of each first, which took it some 6 seconds for each kind of failure of Heat.
    - ``tail``: how many steps an example has to come to rest when its rules are done; one that needs more is cut.

    Raises :class:`ScenarioError` for impossible bounds.
    """
    if reason := design.refuses([Operation("create")]):
        raise ScenarioError(f"{reason}; every example begins with a create")
    if steps < 1 or max_operations < 1:
        raise ScenarioError(f"an example needs at least one rule and one operation, not {steps} and {max_operations}")
    setting = Setting(
        design, tuple(properties), frozenset(expected), explain, max_operations, fails, shrink, tail,
        scenarios.scopes(max_engines, max_threads, design.least_engines),
        scenarios.swarms([kind for kind in (FAULTS if faults is None else faults) if kind not in design.immune], max_faults),
        scenarios.operations(1, (), max_resources, fails=fails).map(lambda asked: asked[0]),
    )  # fmt: skip
    missing = {kind.replace(" ", "_"): None for kind in scenarios.WEIGHTS if kind not in design.operations}
    name = "".join(filter(str.isalnum, design.name.title())) + "Machine"
    made: type[ConvergenceMachine] = type(name, (ConvergenceMachine,), {**missing, "setting": setting, "__doc__": design.sentence})
    # Explaining traces every line, which made shrinking ten times slower, to say which of our own lines ran.
    left_out = (Phase.explain, Phase.shrink) if quick else (Phase.explain,)
    phases = [phase for phase in settings().phases if phase not in left_out]
    made.TestCase.settings = settings(made.TestCase.settings, stateful_step_count=steps, phases=phases)
    made.TestCase.machine = made  # type: ignore[attr-defined]  # for who finds the test and wants to know of what
    return made


def shards(made: type[ConvergenceMachine], count: int = 2, first_seed: int = 0) -> list[type[TestCase]]:
    """``count`` test cases of a machine with different seeds, for the workers of pytest-xdist: ``TestA, TestB = shards(machine(...))``.

    A seed makes a shard draw the same in every run: pass another ``first_seed`` each night, such as a multiple of ``count``.
    """
    found: list[type[TestCase]] = []
    for number in range(count):
        shard: type[ConvergenceMachine] = type(f"{made.__name__}{number + 1}", (made,), {"shard": number})
        seed(first_seed + number)(shard)
        shard.TestCase.settings = made.TestCase.settings
        shard.TestCase.machine = shard  # type: ignore[attr-defined]
        found.append(shard.TestCase)
    return found
