"""The dearest run: the most accesses to the database over all interleavings, and the run that has so many.

An access is what the meter counts (:mod:`heatproof.model.meter`): one round trip, done by a task. It is done for the operation that the task goes
back to. That is no part of a state elsewhere, so here it is added: each message and task knows its operation, and states that differ
only in that are two. The number of accesses is the length of a longest way through the graph of these states; where a cycle has an
access, there is no limit, for any run may go round as often as it likes before it goes on, a fair one too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatproof.model import effects as fx
from heatproof.model.design import Design
from heatproof.model.program import Node
from heatproof.model.scenario import Scenario
from heatproof.model.world import Action, Entry, Message, Task
from heatproof.properties.base import Property, Witness
from heatproof.properties.costs import Cost, exceeded, worst
from heatproof.strategies.proving import graph_kernel
from heatproof.strategies.proving.circles import NamedWorld
from heatproof.strategies.proving.graph import Exchanged, Graph, Walker
from heatproof.strategies.proving.learning import Key, LearningWorld, Lesson
from heatproof.strategies.proving.results import Result
from heatproof.strategies.proving.search import Search
from heatproof.strategies.proving.storage import Storage
from heatproof.strategies.proving.views import View

compiled: Any = graph_kernel

MOST_OPERATIONS = 254
"""Operations that can be told apart in one byte of a transition."""


@dataclass(slots=True)
class Worst:
    """The most accesses, None if there is no limit; a run that has so many by its last action, and once around a cycle with an access if
    there is no limit."""

    accesses: int | None = 0
    actions: list[Action] = field(default_factory=list)
    around: list[Action] = field(default_factory=list)


@dataclass(slots=True)
class Costs:
    """The worst case of a run as a whole and of each operation, by its number from 1. ``cut`` says why there is none. ``bounded`` has,
    by the name of each property with a bound, the most accesses of what it is about, infinite without limit; ``violations``, for each that is
    exceeded, the witness and the run of the most."""

    complete: bool = False
    cut: str = ""
    states: int = 0
    transitions: int = 0
    run: Worst = field(default_factory=Worst)
    operations: dict[int, Worst] = field(default_factory=dict)
    bounded: dict[str, float] = field(default_factory=dict)
    violations: dict[Key, tuple[Witness, Worst]] = field(default_factory=dict)


class OwnedWorld(LearningWorld):
    """A world in which each message and task belongs to an operation. What a lesson says of accesses is then: 0 for none, else 1 and the
    number of the operation it was done for."""

    def _exchange(self) -> None:
        super()._exchange()
        self.origins = View(self.space, "origin")
        self.doing = Action("", "")
        bag: Any = self.bag
        bag.encode = self._message

    def _origin(self) -> int:
        """The operation that what is made now belongs to."""
        if self.doing.kind == "operate":
            return self.state["issued"]
        return int(self.origins.get(self.doing.subject, 0))

    def perform(self, action: Action) -> Entry:
        """As in any world."""
        self.doing, self.owner = action, 0
        entry = super().perform(action)
        if entry.before is not None and type(entry.before.effect) in fx.DATABASE:
            self.owner = self._origin()
        return entry

    def post(self, handler: str, args: tuple[Any, ...], to: str | None, name: str | None = None) -> Message | None:
        """As in any world. What comes back after a crash is called as it was, and belongs to whom it belonged."""
        message = super().post(handler, args, to, name)
        if message is not None:
            back = self.doing.kind == "crash"
            self.origins[message.name] = self.origins.get(message.name, 0) if back else self._origin()
        return message

    def begin(self, name: str, handler: str, args: tuple[Any, ...], engine: str, message: Message | None) -> tuple[Task, Node]:
        """As in any world. A task has the name of its message, and so belongs to the same operation."""
        if message is None:
            self.origins[name] = self._origin()
        return super().begin(name, handler, args, engine, message)

    def _message(self, name: str, message: Message) -> Any:
        return (message.handler, message.args, message.to, self.origins.get(name, 0)), message

    def _node(self, name: str, node: Node) -> Any:
        (static, number, known), node = super()._node(name, node)
        return ((*static, self.origins.get(name, 0)), number, known), node

    def content(self, column: int, number: int) -> Any:
        """As in any learning world: owners are part of what they own."""
        return None if self.space.units[column].group == "origin" else super().content(column, number)

    def lesson(self, row: Any, width: int, action: Action) -> Lesson:
        """As in any learning world, with the owner of an access."""
        lesson = super().lesson(row, width, action)
        return lesson._replace(accesses=1 + self.owner) if lesson.accesses else lesson


class NamedOwnedWorld(NamedWorld, OwnedWorld):
    """The same where everything goes by its name."""


def costs(
    design: Design,
    scenario: Scenario,
    properties: Iterable[Property] = (),
    symmetric: bool = True,
    go_on: Callable[[Result], str] = lambda result: "",
    storage: Storage | None = None,
) -> Costs:
    """The worst cost of a scenario over all its runs, and which of the bounds among ``properties`` are exceeded. ``go_on`` as for a search.

    As with circles (circles.py) a second pass tells apart what has different names, here only where a way cannot be followed without."""
    if len(scenario.operations) > MOST_OPERATIONS:
        return Costs(cut=f"more than {MOST_OPERATIONS} operations")
    properties = list(properties)
    try:
        return _costs(design, scenario, properties, symmetric, go_on, storage, OwnedWorld)
    except Exchanged:
        return _costs(design, scenario, properties, False, go_on, storage, NamedOwnedWorld)


def _costs(
    design: Design,
    scenario: Scenario,
    properties: Iterable[Property],
    symmetric: bool,
    go_on: Callable[[Result], str],
    storage: Storage | None,
    world: type[OwnedWorld],
) -> Costs:
    answer, graph = Costs(), Graph()
    search = Search(design, scenario, [], symmetric, go_on=go_on, storage=storage, watchers=[graph], versions=False, world=world)
    result = search.run()
    answer.states, answer.transitions = result.states, result.transitions
    answer.complete, answer.cut = result.complete, result.cut
    if not result.complete:
        return answer
    graph.close()
    ways = _Ways(search, graph)
    answer.run = ways.worst(graph.accesses > 0)
    answer.operations = {n: ways.worst(graph.accesses == 1 + n) for n in range(1, len(scenario.operations) + 1)}
    counts = {
        n: Cost(design.operation_label(n, asked), asked.kind, _number(answer.operations[n]))
        for n, asked in enumerate(scenario.operations, 1)
    }
    for prop in properties:
        if prop.bound is None:
            continue
        most = worst(prop.bound, _number(answer.run), counts)
        if most is not None:
            answer.bounded[prop.name] = most
        for number, found in exceeded(prop.bound, _number(answer.run), counts):
            dearest = answer.operations.get(number, answer.run)
            if _number(dearest) == most:  # of several operations, or equally dear ones, the first that has the most
                answer.violations.setdefault((prop.name, found.kind), (found, dearest))
    return answer


def _number(most: Worst) -> float:
    return float("inf") if most.accesses is None else most.accesses


class _Ways:
    """The longest ways through a graph. States on cycles are taken together: within a component every state is reached from every other."""

    def __init__(self, search: Search, graph: Graph):
        self.search, self.graph = search, graph
        self.component, self.count = graph.components(np.ones(graph.states, np.bool_))
        self.members = np.argsort(self.component, kind="stable")
        self.starts = np.searchsorted(self.component[self.members], np.arange(self.count + 1))
        source = np.repeat(np.arange(graph.states), np.diff(graph.begins))
        self.inner = self.component[source] == self.component[graph.targets]

    def worst(self, counts: NDArray[np.bool_]) -> Worst:
        """The most edges that ``counts`` on any way."""
        endless = np.flatnonzero(counts & self.inner)
        if len(endless):
            return self._endless(int(endless[0]))
        graph = self.graph
        best, came = np.empty(self.count, np.int64), np.empty(self.count, np.int64)
        compiled.farthest(
            graph.begins, graph.targets, counts.astype(np.int64), self.component, self.members, self.starts, best, came
        )
        here = int(self.count - 1 - np.argmax(best[::-1]))  # of several, the one that comes first
        entered: list[int] = []
        while came[here] >= 0:
            entered.append(int(came[here]))
            here = int(self.component[graph.source(entered[-1])])
        edges: list[int] = []
        state = 0
        for edge in reversed(entered):
            edges += self._inside(state, graph.source(edge))
            edges.append(edge)
            state = int(graph.targets[edge])
        return Worst(int(best.max()), graph.perform(self.search, edges))

    def _endless(self, edge: int) -> Worst:
        graph = self.graph
        there = graph.source(edge)
        lap = [edge, *self._inside(int(graph.targets[edge]), there)]
        walker = Walker(self.search, graph)
        actions = [*self.search.forced, *walker.along(graph.way(self.search, there))]
        known = {walker.here(): len(actions)}
        while True:  # a lap ends at a state that is alike, until it is the same with its names
            actions += walker.along(lap)
            begun = known.setdefault(walker.here(), len(actions))
            if begun < len(actions):
                return Worst(None, actions[:begun], actions[begun:])

    def _inside(self, start: int, end: int) -> list[int]:
        """A shortest way within a component; empty if it is there already."""
        if start == end:
            return []
        graph, here = self.graph, self.component[start]
        return graph.shortest(start, lambda s: bool(self.component[s] == here), lambda e: int(graph.targets[e]) == end)
