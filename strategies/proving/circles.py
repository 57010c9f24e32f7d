"""Whether every run that stays fair comes to rest: cycles of the state graph, judged under weak fairness.

A run is weakly fair if no process is possible all the time from some point on and never goes on. Processes are the tasks and messages,
by name (a message becomes the task that handles it), what reality finishes by itself, and the restart of an engine when none is left.
What the user asks and what goes wrong need never happen.

A run that goes on for ever stays, from some point on, in one strongly connected component. A component has a fair run if and only if
each process is impossible in one of its states or taken on one of its edges: a tour of all of it is such a run then, and where some
process is possible throughout and never taken inside, that is so for every part of the component too. So it is enough to look at whole
components, once.

Two passes. The first goes through all states with symmetry: a cycle of runs is a cycle there, so where that graph has none, every run
comes to rest. If it has any, the second pass tells apart what has different names, engines and equal tasks: around a cycle of states
that are merely alike, tasks may change places, and then fairness towards each could not be judged. Partial order reduction is not
used in either: it may leave out the very interleaving that goes round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from heatproof.model.design import Design
from heatproof.model.scenario import Scenario
from heatproof.model.world import Action
from heatproof.properties.base import Property, Witness, witness
from heatproof.properties.catalogue import REST_IS_REACHED
from heatproof.strategies.proving.graph import Graph
from heatproof.strategies.proving.learning import LearningWorld
from heatproof.strategies.proving.results import Result
from heatproof.strategies.proving.search import Search
from heatproof.strategies.proving.storage import Storage
from heatproof.strategies.running import Driver

Verdict = Literal["held", "violated", "incomplete"]


@dataclass(slots=True)
class Circles:
    """Whether a property that is judged of whole runs holds.

    ``cut`` says why the answer is incomplete. ``states`` and ``transitions`` are those of the first pass, ``cyclic`` how many of its states
    lie on or behind a cycle; ``named`` the states of the second pass, 0 if there was none. ``way`` leads to the cycle that is reached
    soonest and ``around`` goes round it once, fairly.
    """

    verdict: Verdict = "incomplete"
    cut: str = ""
    states: int = 0
    transitions: int = 0
    cyclic: int = 0
    named: int = 0
    witness: Witness | None = None
    way: list[Action] = field(default_factory=list)
    around: list[Action] = field(default_factory=list)


class NamedWorld(LearningWorld):
    """A world in which everything goes by its name, so that going round the graph each process is itself again."""

    named = True


def circles(
    design: Design,
    scenario: Scenario,
    asked: Property = REST_IS_REACHED,
    symmetric: bool = True,
    go_on: Callable[[Result], str] = lambda result: "",
    storage: Storage | None = None,
) -> Circles:
    """Judge ``asked``, that every fair run comes to rest, over all runs of a scenario. ``go_on`` as for a search, asked in both passes."""
    answer, graph = Circles(), Graph()
    result = Search(design, scenario, [], symmetric, go_on=go_on, storage=storage, watchers=[graph], versions=False).run()
    answer.states, answer.transitions = result.states, result.transitions
    if result.complete:
        graph.close()
        answer.cyclic = int(graph.cyclic().sum())
        if not answer.cyclic:
            answer.verdict = "held"
            return answer
        graph = Graph()
        search = Search(
            design, scenario, [], False, go_on=go_on, storage=storage, watchers=[graph], versions=False, world=NamedWorld
        )
        result = search.run()
        answer.named = result.states
        if result.complete:
            graph.close()
            _judge(answer, search, graph, asked)
            return answer
    answer.cut = result.cut
    return answer


def _judge(answer: Circles, search: Search, graph: Graph, asked: Property) -> None:
    fair = Fairness(search, graph)
    answer.verdict = "held"
    for component in fair.components():
        entry = int(np.flatnonzero(fair.component == component)[0])
        way = search.way(entry)
        driver = Driver(search.design, search.scenario, [])
        for action in way:
            driver.perform(action)
        if not asked.asked(driver.observation.faults, search.design.survives):
            continue
        names = search.tables.actions.names
        around = [names[graph.action[edge]] for edge in fair.lap(entry)]
        for action in around:
            driver.perform(action)
        handlers = sorted({e.task.handler for e in driver.world.log[len(way) :] if e.task is not None})
        answer.verdict, answer.way, answer.around = "violated", way, around
        answer.witness = witness("goes round in circles", handlers=handlers)
        return


class Fairness:
    """The components of a graph and what goes on in them."""

    def __init__(self, search: Search, graph: Graph):
        self.graph = graph
        self.component, self.count = graph.components(graph.cyclic())
        processes: dict[tuple[str, str], int] = {}
        whose = [(a.kind if a.kind in ("settle", "restart") else "task", a.subject) for a in search.tables.actions.names]
        self.process: NDArray[np.int64] = np.array([processes.setdefault(who, len(processes)) for who in whose], np.int64)
        self.processes = len(processes)

    def components(self) -> list[int]:
        """Those with a cycle that a fair run can keep up, that which is reached soonest first."""
        graph, component = self.graph, self.component
        source = np.repeat(np.arange(graph.states), np.diff(graph.begins))
        of, to = component[source], component[graph.targets]
        inside = (of >= 0) & (of == to)
        pair = of * self.processes + self.process[graph.action]
        # a process is possible throughout a component if as many of its states have such an edge as there are
        system = (of >= 0) & graph.system
        once = np.unique(np.stack([pair[system], source[system]]), axis=1)[0]
        pairs, states = np.unique(once, return_counts=True)
        sizes = np.bincount(component[component >= 0], minlength=self.count)
        throughout = pairs[states == sizes[pairs // self.processes]]
        starved = np.setdiff1d(throughout, pair[inside]) // self.processes
        fair = np.zeros(self.count, np.bool_)
        fair[np.unique(of[inside])] = True
        fair[starved] = False
        ordered = component[(component >= 0)]
        ordered = ordered[fair[ordered]]
        found, first = np.unique(ordered, return_index=True)
        return [int(c) for c in found[np.argsort(first)]]

    def lap(self, entry: int) -> list[int]:
        """The edges once around from a state and back, so that going round for ever is fair."""
        graph, component, process = self.graph, self.component, self.process
        here = component[entry]

        def inside(state: int) -> bool:
            return bool(component[state] == here)

        def possible(state: int) -> set[int]:
            edges = slice(int(graph.begins[state]), int(graph.begins[state + 1]))
            return set(process[graph.action[edges][graph.system[edges]]].tolist())

        edges: list[int] = []
        state, waiting = entry, possible(entry)

        def helps(edge: int) -> bool:
            return process[graph.action[edge]] in waiting or not waiting <= possible(int(graph.targets[edge]))

        while waiting:
            edges += graph.shortest(state, inside, helps)
            waiting.discard(int(process[graph.action[edges[-1]]]))
            state = int(graph.targets[edges[-1]])
            waiting &= possible(state)
        if state != entry or not edges:
            edges += graph.shortest(state, inside, lambda edge: int(graph.targets[edge]) == entry)
        return edges
