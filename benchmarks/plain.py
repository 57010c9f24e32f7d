"""The plain way: a RuleBasedStateMachine with one rule for each kind of action, on the same world. What heatproof is measured against."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from heatproof.model.design import Design
from heatproof.model.scenario import Scenario
from heatproof.model.world import Action
from heatproof.properties.base import Property
from heatproof.strategies.running import Driver

INDEX = st.integers(0, 63)


class Found(Exception):
    """The failure that was looked for."""


def plain_machine(
    design: Design, scenario: Scenario, properties: list[Property], wanted: tuple[str, str] | None, counter: list[int]
) -> type:
    """A machine with a rule for each kind of action that the scenario allows. Counts its steps in ``counter``; raises
    :class:`Found` when it sees ``wanted``."""

    class Plain(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.driver = Driver(design, scenario, properties)

        def _actions(self, kind: str) -> list[Action]:
            world = self.driver.world
            if kind == "operate":
                return world.operations()
            return [a for a in (world.faults() if kind in scenario.faults else world.progress()) if a.kind == kind]

        def _do(self, kind: str, index: int) -> None:
            actions = self._actions(kind)
            self.driver.perform(actions[index % len(actions)])
            counter[0] += 1
            if wanted in self.driver.monitor.violations:
                raise Found

        @precondition(lambda self: self.driver.world.at_rest and not self.driver.world.operations())
        @rule()
        def rest(self) -> None:
            """Hypothesis gives up where no rule is possible."""

        def teardown(self) -> None:
            if wanted is not None:
                self.driver.settle()
                if wanted in self.driver.monitor.violations:
                    raise Found

    for kind in ("step", "deliver", "operate", "settle", *scenario.faults):
        _add_rule(Plain, kind)
    return Plain


def _add_rule(machine: type, kind: str) -> None:
    def do(self: Any, index: int) -> None:
        self._do(kind, index)

    do.__name__ = kind.replace("-", "_")
    setattr(machine, do.__name__, precondition(lambda self: bool(self._actions(kind)))(rule(index=INDEX)(do)))


def run_plain(machine: type, number: int, examples: int, steps: int) -> bool:
    """Run the machine with seed ``number``; whether it found what it looked for."""
    configured = settings(
        max_examples=examples, stateful_step_count=steps, phases=[Phase.generate], database=None, deadline=None,
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
    )  # fmt: skip
    seeded = seed(number)(machine)
    try:
        run_state_machine_as_test(seeded, settings=configured)
    except Found:
        return True
    return False
