"""Whether a run can come back to a state in which it was, judged by what was learned of the actions alone.

Theory of operation. Each transition moves some units from one value to another. Round a cycle of states all of that is undone, so every
single move lies on a cycle of moves; an outcome with a move that lies on none, such as one that raises a version or uses up a fault, is
taken by no transition of a cycle of states. Without such outcomes other moves lie on no cycle any more, and so on: what is left when
nothing changes is all that a cycle can consist of. A unit that no outcome of it writes keeps its value all round, so outcomes that want it
to have different values are in no cycle together: each value is looked at on its own. An outcome that looks at some columns of a row wants one of
all the values that have the same there. Where nothing is ever left no run comes back.

That takes seconds where the graph of the states would need hundreds of millions of edges. It is sound and not complete: "perhaps" is
judged by the graph (circles.py).

States that differ only in their engines, or in the names of tasks and messages, are the same to a search, so a cycle may come back to what
only looks like the state it began with. Therefore moves are those of contents up to such names: what engines exchange is one vertex, and
absence is one vertex for all tasks and one for all messages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatproof.strategies.proving import graph_kernel, kernel
from heatproof.strategies.proving.search import Search
from heatproof.strategies.proving.symmetry import ENGINE, Renderer
from heatproof.strategies.proving.views import ABSENT

MOST_CASES = 5_000
"""How many combinations of values are looked at before the answer is "perhaps"."""

ANONYMOUS = ("node", "message")
"""The groups of units whose names are no part of the state."""

compiled: Any = graph_kernel
Numbers = NDArray[np.int64]


def never_returns(search: Search) -> bool:
    """Whether no run of a search that saw everything, without partial order reduction, comes back to a state. False means "perhaps"."""
    return Moves(search).lie_on_no_cycle()


class Moves:
    """What each outcome that was learned moves, and what it wants to find.

    Move m, of outcome ``owner[m]``, writes ``column[m]`` and leads from vertex ``source[m]`` to ``target[m]``. Outcome ``wanting[w]`` wants
    to find one of ``values[wanted[w]]`` in ``where[w]``, a column that is the same unit whatever engines and tasks are called.
    """

    def __init__(self, search: Search):
        search.tables.refresh()
        self.search = search
        self.numbers: dict[Any, int] = {}
        self.values: list[frozenset[int]] = []
        self._values: dict[frozenset[int], int] = {}
        self._alike: dict[tuple[int, int, Any], frozenset[int]] = {}
        self.cases = 0
        self.empty: set[bytes] = set()  # outcomes of which no cycle can be made, while no more is written
        units, world = search.space.units, search.world
        plain = Renderer(search.tables.renderers[0].order)
        self.counts = [world.content(column, 1) is not None for column in range(len(units))]
        self.named = []  # by column: what says which unit it is, or nothing where engines or tasks give it its name
        for unit in units:
            plain.mentions = False
            key = plain.text((unit.group, unit.key))
            self.named.append("" if plain.mentions or unit.group in ANONYMOUS else key)
        moves: list[tuple[int, int, int, int]] = []
        wants: list[tuple[int, int, int]] = []
        hubs: dict[int, int] = {}
        self.outcomes = 0
        for outcome, path in self._learned():
            number = self.outcomes
            self.outcomes += 1
            wants += [
                (number, column, self._wanted(column, values))
                for column, values in path.items()
                if self.named[column] and self.counts[column]
            ]
            for column, value in self._writes(outcome):
                if column in path:  # and then it is asked for as a whole
                    (before,) = path[column]
                    source = self._vertex(column, before)
                else:  # written without a look: it may have been anything
                    source = hubs.setdefault(column, self._number(("any", column)))
                moves.append((number, column, source, self._vertex(column, value)))
        into = [(hub, self._vertex(column, v)) for column, hub in hubs.items() for v in range(len(search.space.values[column]))]
        self.owner, self.column, self.source, self.target = np.array(moves, np.int64).reshape(-1, 4).T
        self.wanting, self.where, self.wanted = np.array(wants, np.int64).reshape(-1, 3).T
        self.hub, self.into = np.array(into, np.int64).reshape(-1, 2).T

    def _number(self, what: Any) -> int:
        return self.numbers.setdefault(what, len(self.numbers))

    def _vertex(self, column: int, value: int) -> int:
        """What a value of a column is, whatever engines, tasks and messages are called."""
        if value != ABSENT:
            return self._number(tuple(sorted(self.search.tables.salts[:, column, value].tolist())))
        group = ENGINE.sub("E", self.search.space.units[column].group)  # that of the tasks of an engine is called like it
        return self._number((group, self.named[column]))

    def _wanted(self, column: int, values: frozenset[int]) -> int:
        """The number of what is wanted: these values of a column."""
        vertices = frozenset([self._vertex(column, value) for value in values])
        number = self._values.setdefault(vertices, len(self.values))
        if number == len(self.values):
            self.values.append(vertices)
        return number

    def _writes(self, outcome: int) -> Iterator[tuple[int, int]]:
        """The writes of an outcome that count in fingerprints."""
        for column, value in self.search.tables.outcomes.written(outcome):
            if self.counts[column]:
                yield column, value

    def _learned(self) -> Iterator[tuple[int, dict[int, frozenset[int]]]]:
        """Every outcome of a possible action, with the values, by column, of which it wants to find one."""
        tables = self.search.tables
        trees = tables.trees
        children: dict[int, list[tuple[int, int]]] = {}
        for key, child in trees.edges.items():
            children.setdefault(key >> kernel.VALUE_BITS, []).append((key & (1 << kernel.VALUE_BITS) - 1, child))
        for root in tables.roots.array[1 : len(tables.actions.names)].tolist():  # action 0 only asks
            waiting: list[tuple[int, dict[int, frozenset[int]]]] = [(root, {})]
            while waiting:
                node, path = waiting.pop()
                column = trees.column[node]
                if column < kernel.UNKNOWN:
                    for value, child in children.get(node, ()):
                        values = self._like(node, column, value)
                        if values := values & path.get(column, values):
                            waiting.append((child, {**path, column: values}))
                elif column == kernel.LEAF:
                    outcome = trees.outcome[node]
                    if tables.outcomes.leaves[outcome, kernel.ENABLED]:
                        yield outcome, path

    def _like(self, node: int, column: int, value: int) -> frozenset[int]:
        """The values of a column that have the same child of a node as this one."""
        trees, count = self.search.tables.trees, len(self.search.space.values[column])
        if node not in trees.partial or value == ABSENT:
            return frozenset([value])
        wanted = trees.partial[node][0]
        part = trees.part(column, value, wanted)
        found = self._alike.get((column, wanted, part))
        if found is None:
            found = frozenset([other for other in range(1, count) if trees.part(column, other, wanted) == part])
            self._alike[column, wanted, part] = found
        return found

    # ----------------------------------------------------------------------------------------------------------- cycles

    def lie_on_no_cycle(self) -> bool:
        """Whether no cycle of states can be made of these outcomes."""
        self.cases = 0
        left, parts = self._on_cycles(np.arange(self.outcomes))
        while len(left):
            written = np.unique(self.column[self._moves_of(left)])
            self.empty.clear()
            gone = [part for part in parts if self._none_of(part, written)]
            if not gone:
                return False
            left, parts = self._on_cycles(np.setdiff1d(left, np.concatenate(gone)))
        return True

    def _none_of(self, outcomes: Numbers, written: Numbers) -> bool:
        """Whether no cycle has, of those outcomes that share moves with these, only some of these, where ``written`` are all columns that
        anything in the cycle can write."""
        outcomes, parts = self._on_cycles(outcomes)
        if len(parts) > 1:
            return all(self._none_of(part, written) for part in parts)
        if not len(outcomes) or (known := outcomes.tobytes()) in self.empty:
            return True
        self.cases += 1
        wants = self._wants_of(outcomes)
        wants = wants[~np.isin(self.where[wants], written)]
        column = self._parting(wants)
        if column < 0 or self.cases > MOST_CASES:
            return False
        wants = wants[self.where[wants] == column]
        kinds = np.unique(self.wanted[wants]).tolist()
        for value in sorted(frozenset().union(*[self.values[kind] for kind in kinds])):
            other = [kind for kind in kinds if value not in self.values[kind]]
            if not self._none_of(np.setdiff1d(outcomes, self.wanting[wants[np.isin(self.wanted[wants], other)]]), written):
                return False
        self.empty.add(known)
        return True

    def _parting(self, wants: Numbers) -> int:
        """The column that parts the most outcomes from others, whatever value it has; -1 if there is none that parts any."""
        pairs, times = np.unique(np.stack([self.where[wants], self.wanted[wants]]), axis=1, return_counts=True)
        most, best, all_of, fits = 0, -1, Counter[int](), Counter[tuple[int, int]]()
        for column, kind, count in zip(*pairs.tolist(), times.tolist(), strict=True):
            all_of[column] += count
            for value in self.values[kind]:
                fits[column, value] += count
        largest: dict[int, int] = {}
        for (column, _), count in fits.items():
            largest[column] = max(largest.get(column, 0), count)
        for column, count in sorted(all_of.items()):
            if count - largest[column] > most:
                most, best = count - largest[column], column
        return best

    def _on_cycles(self, outcomes: Numbers) -> tuple[Numbers, list[Numbers]]:
        """Those whose every move lies on a cycle of the moves of such outcomes, and the same in parts, none of which has a cycle of moves in
        common with another."""
        while len(outcomes):
            moves = self._moves_of(outcomes)
            source, target = self.source[moves], self.target[moves]
            hubs = np.isin(self.hub, source)
            component = _components(np.concatenate([source, self.into[hubs]]), np.concatenate([target, self.hub[hubs]]))
            fits = component[: len(moves), 0] == component[: len(moves), 1]
            if fits.all():
                return outcomes, self._parts(outcomes, moves, component[: len(moves), 0])
            outcomes = np.setdiff1d(outcomes, self.owner[moves[~fits]])
        return outcomes, []

    def _parts(self, outcomes: Numbers, moves: Numbers, component: Numbers) -> list[Numbers]:
        """Outcomes by what they share: two that move something in one component belong together."""
        owner = self.owner[moves]
        place = component + self.outcomes  # beside the numbers of outcomes
        part = _components(np.concatenate([owner, place]), np.concatenate([place, owner]))[: len(moves), 0]
        parts = [np.unique(owner[part == number]) for number in np.unique(part).tolist()]
        still = np.setdiff1d(outcomes, owner)  # what changes nothing that counts is a cycle of its own
        return parts + [still[n : n + 1] for n in range(len(still))]

    def _moves_of(self, outcomes: Numbers) -> Numbers:
        return _ranges(self.owner, outcomes)

    def _wants_of(self, outcomes: Numbers) -> Numbers:
        return _ranges(self.wanting, outcomes)


def _ranges(owner: Numbers, wanted: Numbers) -> Numbers:
    """Where the wanted numbers stand in a sorted array."""
    begins, ends = np.searchsorted(owner, wanted, "left"), np.searchsorted(owner, wanted, "right")
    lengths = ends - begins
    return np.repeat(begins - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths) + np.arange(lengths.sum())


def _components(source: Numbers, target: Numbers) -> Numbers:
    """The strongly connected components of the source and the target of each edge."""
    known, numbers = np.unique(np.stack([source, target], axis=1), return_inverse=True)
    numbers = numbers.reshape(-1, 2)
    order = np.argsort(numbers[:, 0], kind="stable")
    begins = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.bincount(numbers[:, 0], minlength=len(known)))]).astype(np.int64)
    component = np.empty(len(known), np.int64)
    compiled.components(begins, numbers[order, 1].astype(np.uint32), np.ones(len(known), np.bool_), component)
    return component[numbers]
