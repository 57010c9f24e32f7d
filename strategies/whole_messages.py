"""Runs in which every handler goes to its end once begun: what Heat's own convergence tests can bring about, and all of it.

Such a run is a word of two letters: ``O``, the engine does the next operation with all of its set-up, and ``M``, the worker processes the
oldest message. In Heat's framework the worker has its half of the turn of an operation, so an ``O`` that leaves messages is followed
by an ``M``, unless the worker was given something else to do: ``worker.noop(n)`` holds it back for the first n turns of a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from heatproof.model.design import Design
from heatproof.model.effects import Sleep
from heatproof.model.program import Program
from heatproof.model.scenario import Scenario
from heatproof.model.world import Action
from heatproof.properties.base import Property
from heatproof.properties.monitor import Violation
from heatproof.strategies.running import Driver

LONGEST = 500
"""Operations and messages after which a run is given up."""


class Order(NamedTuple):
    """A run of whole messages: its ``letters``, and for the letter with which something happened its number from 1.

    ``ends``: how many actions of the world each letter has brought it to; ``raised``: the first letter that an exception left, or 0;
    ``refused``: whether an operation was refused; ``driver``: the run itself, asked at rest.
    """

    letters: str
    ends: tuple[int, ...]
    raised: int
    refused: bool
    driver: Driver

    def seen(self, violation: Violation) -> int:
        """The number of the letter after which ``violation`` was seen."""
        return next((n for n, end in enumerate(self.ends, 1) if end >= violation.step), len(self.ends))


class Orders:
    """All runs of whole messages of a scenario. ``overtaking``: any message may be next, not only the oldest, and any letter."""

    def __init__(self, design: Design, scenario: Scenario, properties: Sequence[Property], overtaking: bool = False):
        scope = scenario.scope._replace(reorder=overtaking)
        self.design, self.scenario, self.properties = design, replace(scenario, scope=scope), properties
        self.overtaking = overtaking
        self.program: Program | None = None
        self.complete = False

    def __iter__(self) -> Iterator[Order]:
        """Each run once. ``complete`` afterwards says whether the end was reached."""
        waiting: list[tuple[Action, ...]] = [()]
        while waiting:
            yield self._run(waiting.pop(), waiting)
        self.complete = True

    def again(self, order: Order, letters: int) -> Driver:
        """The run ``order`` up to so many of its letters; nothing is asked at rest."""
        driver = self._driver()
        for entry in order.driver.world.log[: order.ends[letters - 1] if letters else 0]:
            driver.perform(entry.action)
        return driver

    def can_ask(self, order: Order, letters: int) -> bool:
        """Whether a scenario can ask something after so many letters. To ask takes a turn of its own, with the worker's half: so not
        between an operation and the message in its turn, not before an operation while there are messages, and not among the operations
        that come before all messages."""
        if letters == len(order.letters):
            return True
        if "M" not in order.letters[:letters]:
            return False
        waiting = bool(self.again(order, letters).world.bag)
        return not waiting or (order.letters[letters - 1] == "M" and order.letters[letters] == "M")

    def _driver(self) -> Driver:
        driver = Driver(self.design, self.scenario, self.properties, self.program)
        self.program = driver.world.program
        return driver

    def _run(self, first: tuple[Action, ...], waiting: list[tuple[Action, ...]]) -> Order:
        driver = self._driver()
        world, chosen = driver.world, list(first)
        letters, ends, raised = "", [], 0
        while len(letters) < LONGEST:
            if len(letters) < len(chosen):
                action = chosen[len(letters)]
            else:
                possible = self._possible(driver, letters)
                if not possible:
                    break
                action = possible[0]
                waiting.extend((*chosen, other) for other in reversed(possible[1:]))
                chosen.append(action)
            letters += "O" if action.kind == "operate" else "M"
            driver.perform(action)
            if self._to_the_end(driver) and not raised:
                raised = len(letters)
            ends.append(len(world.log))
        if world.at_rest:
            driver.rest()
        refused = any(outcome == "refused" for outcome, _, _ in world.requests.values())
        return Order(letters, tuple(ends), raised, refused, driver)

    def _possible(self, driver: Driver, letters: str) -> list[Action]:
        world = driver.world
        messages = world.deliverable() if world.bag else []
        if not self.overtaking:
            messages = messages[:1]
        idle = next(iter(world.free))
        found = [Action("deliver", message.name, message.to or idle) for message in messages]
        if self.overtaking or not found or not letters.endswith("O") or "M" not in letters:
            found += world.operations()[:1]
        return found

    def _to_the_end(self, driver: Driver) -> bool:
        """Let every task run to its end; whether an exception left one."""
        world, escaped = driver.world, False
        while world.tasks:
            awake = (t for t in world.tasks.values() if type(world.nodes[t.name].effect) is not Sleep)
            task = next(awake, None) or next(iter(world.tasks.values()))
            driver.perform(task.action)
            after = world.log[-1].after
            escaped = escaped or (after is not None and after.escaped is not None)
        return escaped


__all__ = ["LONGEST", "Order", "Orders"]
