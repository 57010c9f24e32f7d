"""The graph of states as arrays: which transitions a state has, and what is on a cycle. Compiled as :mod:`kernel` is, by its rules.

A graph of n states is given by ``begins`` (n + 1 numbers: the edges of state s are ``begins[s]`` to ``begins[s + 1]``) and ``targets``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from heatproof.strategies.proving import kernel
from heatproof.strategies.proving.kernel import (  # type: ignore[attr-defined]
    ACCESSES,
    ENABLED,
    SYSTEM,
    after,
    busy,
    fingerprint,
    mix,
    njit,
    stood_for,
    walk,
)
from heatproof.strategies.proving.stale import renew

NOWHERE = np.uint32(0xFFFFFFFF)
"""No state."""


@njit(cache=True)
def possible(
    rows: Any, i: Any, guards: Any, guard_from: Any, guard_to: Any, guard_rival: Any, candidates: Any, crew: Any, waits: Any,
    roots: Any, records: Any, keys: Any, values: Any, leaves: Any, salts: Any, outcomes: Any, taken: Any,
) -> Any:  # fmt: skip
    """The actions that are possible in a state of which everything was learned, into ``taken``, their outcomes into ``outcomes``. Answers
    how many there are, or -1 - a if nobody has learned action a."""
    count = 0
    none_idle = busy(rows, i, crew)
    for g in range(guards.shape[0]):
        guard = guards[g]
        if guard != np.uint32(kernel.ALWAYS) and (rows[i, guard] == 0 or stood_for(rows, i, g, guards, guard_rival, salts)):
            continue
        for c in range(guard_from[g], guard_to[g]):
            if none_idle and waits[c]:
                continue
            action = candidates[c]
            outcome = walk(rows, i, roots[action], records, keys, values)
            if outcome == kernel.NOWHERE:
                return -1 - action
            if leaves[outcome, ENABLED]:
                outcomes[count] = outcome
                taken[count] = action
                count += 1
    return count


@njit(cache=True)
def mark_after(
    rows: Any, sums: Any, i: Any, outcome: Any, leaves: Any, writes: Any, delta: Any, task_node: Any,
    beside_from: Any, beside_to: Any, beside: Any, salts: Any, out: Any,
) -> Any:  # fmt: skip
    """The fingerprint of the state that an outcome makes of state i; its sums into the first of the three rows of ``out``."""
    after(
        rows, sums, i, outcome, leaves, writes, delta, task_node, beside_from, beside_to, beside, salts, out, 0,
    )  # fmt: skip
    mark: Any = fingerprint(out, 0)
    return mark


@njit(cache=True)
def transitions(
    rows: Any, sums: Any, begin: Any, end: Any, first: Any,
    guards: Any, guard_from: Any, guard_to: Any, guard_rival: Any, candidates: Any, crew: Any, waits: Any,
    roots: Any, records: Any, keys: Any, values: Any, leaves: Any, writes: Any, delta: Any, task_node: Any,
    beside_from: Any, beside_to: Any, beside: Any, salts: Any,
    outcomes: Any, taken: Any, scratch: Any, out_source: Any, out_action: Any, out_system: Any, out_accesses: Any, out_mark: Any,
) -> Any:  # fmt: skip
    """The transitions of the states ``begin`` to ``end`` of a block as far as the outputs have room. Answers how many there are, and
    the first state that is left."""
    used = 0
    for i in range(begin, end):
        if used + taken.shape[0] > out_source.shape[0]:
            return used, i
        count = possible(
            rows, i, guards, guard_from, guard_to, guard_rival, candidates, crew, waits, roots, records, keys, values, leaves, salts,
            outcomes, taken,
        )  # fmt: skip
        for k in range(count):
            outcome = outcomes[k]
            out_source[used] = first + i
            out_action[used] = taken[k]
            out_system[used] = leaves[outcome, SYSTEM]
            out_accesses[used] = leaves[outcome, ACCESSES]
            out_mark[used] = mark_after(
                rows, sums, i, outcome, leaves, writes, delta, task_node, beside_from, beside_to, beside, salts, scratch,
            )  # fmt: skip
            used += 1
    return used, end


@njit(cache=True)
def marks_of(sums: Any, out: Any) -> None:
    """The fingerprints of the states of a block."""
    for i in range(sums.shape[0]):
        out[i] = fingerprint(sums, i)


@njit(cache=True)
def index(marks: Any, table: Any) -> None:
    """Enter the numbers of states by their fingerprints into a table of twice as many places, a power of two, full of NOWHERE."""
    mask = np.uint64(table.shape[0] - 1)
    for n in range(marks.shape[0]):
        at = mix(marks[n]) & mask
        while table[at] != NOWHERE:
            at = (at + np.uint64(1)) & mask
        table[at] = n


@njit(cache=True)
def number(marks: Any, table: Any, wanted: Any, out: Any) -> Any:
    """The numbers of states by their fingerprints; how many are unknown."""
    mask = np.uint64(table.shape[0] - 1)
    unknown = 0
    for i in range(wanted.shape[0]):
        at = mix(wanted[i]) & mask
        while table[at] != NOWHERE and marks[table[at]] != wanted[i]:
            at = (at + np.uint64(1)) & mask
        out[i] = table[at]
        if table[at] == NOWHERE:
            unknown += 1
    return unknown


@njit(cache=True)
def reverse(begins: Any, targets: Any, back_begins: Any, back_edges: Any) -> None:
    """The edges that lead to each state: ``back_edges[back_begins[t]:back_begins[t + 1]]``, by number."""
    states = begins.shape[0] - 1
    for e in range(targets.shape[0]):
        back_begins[targets[e] + 1] += 1
    for s in range(states):
        back_begins[s + 1] += back_begins[s]
    place = back_begins[:-1].copy()
    for e in range(targets.shape[0]):
        back_edges[place[targets[e]]] = e
        place[targets[e]] += 1


@njit(cache=True)
def peel(begins: Any, targets: Any, order: Any, left: Any) -> Any:
    """Take away states that nothing leads to, again and again: they are on no cycle. Into ``order`` in the order they went; ``left[s]``
    is how many of the edges to s are left. Answers how many went."""
    states = begins.shape[0] - 1
    for e in range(targets.shape[0]):
        left[targets[e]] += 1
    count = 0
    for s in range(states):
        if left[s] == 0:
            order[count] = s
            count += 1
    at = 0
    while at < count:
        s = order[at]
        at += 1
        for e in range(begins[s], begins[s + 1]):
            t = targets[e]
            left[t] -= 1
            if left[t] == 0:
                order[count] = t
                count += 1
    return count


@njit(cache=True)
def components(begins: Any, targets: Any, wanted: Any, component: Any) -> Any:
    """Tarjan's strongly connected components of the states that are ``wanted``, by number into ``component`` (-1 for the others), in
    reverse topological order: edges lead to components of the same or a lower number. Answers how many there are."""
    states = begins.shape[0] - 1
    low = np.full(states, -1, np.int64)
    depth = np.full(states, -1, np.int64)
    stack = np.empty(states, np.int64)
    path = np.empty(states, np.int64)
    place = np.empty(states, np.int64)
    component[:] = -1
    found = clock = top = 0
    for root in range(states):
        if not wanted[root] or depth[root] >= 0:
            continue
        length = 1
        path[0] = root
        place[0] = begins[root]
        depth[root] = low[root] = clock
        clock += 1
        stack[top] = root
        top += 1
        while length > 0:
            s = path[length - 1]
            if place[length - 1] < begins[s + 1]:
                t = targets[place[length - 1]]
                place[length - 1] += 1
                if not wanted[t]:
                    continue
                if depth[t] < 0:
                    depth[t] = low[t] = clock
                    clock += 1
                    stack[top] = t
                    top += 1
                    path[length] = t
                    place[length] = begins[t]
                    length += 1
                elif component[t] < 0:
                    low[s] = min(low[s], depth[t])
                continue
            length -= 1
            if length > 0:
                low[path[length - 1]] = min(low[path[length - 1]], low[s])
            if low[s] == depth[s]:
                while True:
                    top -= 1
                    component[stack[top]] = found
                    if stack[top] == s:
                        break
                found += 1
    return found


@njit(cache=True)
def farthest(begins: Any, targets: Any, weights: Any, component: Any, members: Any, starts: Any, best: Any, came: Any) -> None:
    """The greatest sum of weights on any way from state 0, over the components of :func:`components`, none of which has an edge of any
    weight inside: ``best[c]`` to component c, entered by edge ``came[c]`` (-1: it has state 0). ``members[starts[c]:starts[c + 1]]`` are
    the states of component c."""
    best[:] = -1
    came[:] = -1
    best[component[0]] = 0
    for c in range(best.shape[0] - 1, -1, -1):
        if best[c] < 0:
            continue
        for m in range(starts[c], starts[c + 1]):
            s = members[m]
            for e in range(begins[s], begins[s + 1]):
                t = component[targets[e]]
                if t != c and best[c] + weights[e] > best[t]:
                    best[t] = best[c] + weights[e]
                    came[t] = e


renew(possible)
