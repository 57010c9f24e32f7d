"""All states of a scenario as the plain interpreter finds them, and whether one can go on among them for ever."""

from __future__ import annotations

from typing import Any, NamedTuple

import networkx

from tests.proving.plain_state import State
from tests.proving.plainly import Plainly


class Everything(NamedTuple):
    """All states of a scenario, by number in the order of their depth: how each says it is told from others, and where it leads to."""

    states: list[State]
    depths: list[int]
    edges: list[list[tuple[str, int]]]
    found: dict[Any, int]
    """What the properties say, with the least number of actions after which they do."""

    @property
    def violations(self) -> dict[tuple[str, str], int]:
        """The kinds of violations."""
        return {key: depth for key, depth in self.found.items() if isinstance(key, tuple)}

    @property
    def reached(self) -> dict[str, int]:
        """The situations."""
        return {name: depth for name, depth in self.found.items() if isinstance(name, str)}


def everything(plainly: Plainly, most: int) -> Everything | None:
    """Go through all states, breadth-first; None if there are more than ``most``."""
    first = plainly.first()
    found = Everything([first], [0], [], {})
    numbers = {first.text(plainly.fifo): 0}
    for number, state in enumerate(found.states):  # it grows meanwhile
        found.edges.append([])
        for seen in plainly.at_rest(state):
            found.found.setdefault(seen, found.depths[number])
        for name, then in plainly.moves(state):
            for seen in then.found:
                found.found.setdefault(seen, found.depths[number] + 1)
            text = then.text(plainly.fifo)
            if text not in numbers:
                if len(numbers) == most:
                    return None
                numbers[text] = len(found.states)
                found.states.append(then)
                found.depths.append(found.depths[number] + 1)
            found.edges[number].append((name, numbers[text]))
    return found


def goes_round(found: Everything) -> bool:
    """Whether there is a weakly fair run for ever: a strongly connected component with an edge in it, in which each process (a task or message
    by its name, what goes on in reality, a restart) is impossible in one state or taken on one edge."""
    graph: Any = networkx.DiGraph((number, to) for number, edges in enumerate(found.edges) for _, to in edges)
    for component in networkx.strongly_connected_components(graph):
        inside = {name for number in component for name, to in found.edges[number] if to in component}
        possible = [{_process(name) for name, _ in found.edges[number] if name.split()[0] in SYSTEM} for number in component]
        if inside and set.intersection(*possible) <= {_process(name) for name in inside}:
            return True
    return False


SYSTEM = ("step", "deliver", "settle", "restart")


def _process(name: str) -> tuple[str, str]:
    kind, subject, *_ = name.split()
    return (kind if kind in ("settle", "restart") else "task", subject)
