"""The actions of a scenario that were ever possible, as an exhaustive search knows them."""

from __future__ import annotations

from typing import Any

from heatproof.model.design import Design
from heatproof.model.faults import FAULTS, HOLDS
from heatproof.model.scenario import Scenario
from heatproof.model.world import Action
from heatproof.strategies.proving.learning import REST
from heatproof.strategies.proving.views import CLOCK, Space, Unit


class Actions:
    """The actions that were ever possible. Each is looked at only in states that have its guard: the unit without which it cannot be."""

    def __init__(self, design: Design, scenario: Scenario, space: Space, open_engines: bool):
        self.space, self.scenario, self.open_engines = space, scenario, open_engines
        self.names: list[Action] = []
        self.numbers: dict[Action, int] = {}
        self.guarded: dict[int, list[int]] = {}  # column of the guard (-1: none) -> actions
        self.owners: list[Unit | None] = []  # the unit whose value can do it
        self.seen = 0  # columns looked at
        self.engines: list[int] = []
        self.messages: list[int] = []
        self.things: dict[int, int] = {}  # the columns of things, and how many of their values were looked at
        self.front = design.front
        self.operations = [design.operation_label(n, o) for n, o in enumerate(scenario.operations, 1)]
        self.faults = {kind: FAULTS[kind] for kind in scenario.faults if kind not in HOLDS}
        self._add(REST, None)
        if self.front or open_engines:
            for label in self.operations:
                self._add(Action("operate", label, self.front), -1)

    def _add(self, action: Action, guard: int | None) -> None:
        if action not in self.numbers:
            self.numbers[action] = len(self.names)
            self.names.append(action)
            self.owners.append(self._owner(action))
            if guard is not None:
                self.guarded.setdefault(guard, []).append(self.numbers[action])

    def _owner(self, action: Action) -> Unit | None:
        kind, subject = action.kind, action.subject
        if kind in ("step", "deliver", "settle", "restart"):
            return Unit({"step": "node", "deliver": "message", "settle": "alone", "restart": "down"}[kind], subject)
        if kind == "operate":
            return Unit("state", "issued")
        return Unit("left", kind) if kind in self.faults else None

    def update(self) -> bool:
        """Look at the units and the things that are new; whether there are new actions."""
        before = len(self.names)
        units = self.space.units
        while self.seen < len(units):
            column, unit = self.seen, units[self.seen]
            self.seen += 1
            self._found(column, unit)
        for column, looked in self.things.items():
            values = self.space.values[column]
            self.things[column] = len(values)
            for thing in values[max(looked, 1) :]:
                for busy in thing.busy:
                    if busy.topic is not None and busy.task:
                        self._limit(busy.topic)
        return len(self.names) > before

    def _found(self, column: int, unit: Unit) -> None:
        domain = ""
        if unit.group == "node":
            self._add(Action("step", unit.key), column)
            domain = "task"
        elif unit.group == "message":
            self.messages.append(column)
            if self.open_engines:
                self._add(Action("deliver", unit.key), column)
            for engine in self.engines:
                self._add(Action("deliver", unit.key, self.space.units[engine].key), column)
            domain = "message"
        elif unit.group == "free":
            self.engines.append(column)
            for message in self.messages:
                self._add(Action("deliver", self.space.units[message].key, unit.key), message)
            if not self.front:
                for label in self.operations:
                    self._add(Action("operate", label, unit.key), column)
            domain = "engine"
        elif unit.group == "down":
            self._add(Action("restart", unit.key), column)
        elif unit.group == "alone":
            self._add(Action("settle", unit.key), column)
        elif unit.group == "thing":
            domain = "thing"
            self.things[column] = 0
        elif unit.group.startswith(CLOCK):
            self._limit(unit.group.removeprefix(CLOCK))
        if domain:
            for kind, fault in self.faults.items():
                if fault.domain == domain:
                    self._add(Action(kind, unit.key), column)

    def _limit(self, topic: Any) -> None:
        """A time limit that may run out."""
        if "timeout" in self.faults:
            self._add(Action("timeout", str(topic)), -1)
