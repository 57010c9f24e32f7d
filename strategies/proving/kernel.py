"""What the inner loops are made of: decision trees are walked, fingerprints made. Plain functions over arrays,
compiled by Numba where it is installed.

Rules of this file:

1. No Python objects: only arrays of numbers, so that Numba can compile it. Without Numba the same text runs, slowly.
2. Nothing is learned here. Where a tree ends before a leaf, the state and the action are handed back as a *miss*, and the state is
   left to be expanded again once somebody has learned what is missing.

Layouts. ``rows[i, c]`` is the value of column c in state i of a block (uint16, or uint32 where some column has more values),
``sums[i, p]`` its sum under renaming p (uint64, wraps around): of the salts of its values, those of a task scrambled together
(:func:`after`). ``records[4 * n:4 * n + 4]`` is the node n of a tree: the column that it reads (or ``LEAF``, or ``UNKNOWN`` for what nobody has
learned), two values with their children, or the outcome of a leaf. The child for any other value v is found in an open-addressed table under
``n << VALUE_BITS | v``. ``leaves[o]`` is what outcome o is and does (``ENABLED`` to ``ACCESSES``), ``writes[w]`` the column and the value of
a write.
"""

from __future__ import annotations

from typing import Any

import numpy as np

try:
    from numba import njit

    COMPILED = True
except ImportError:  # the same text, interpreted
    COMPILED = False

    def njit(*_args: Any, **_options: Any) -> Any:  # type: ignore[no-redef]
        """Stands in for numba.njit."""
        return lambda function: function


LEAF, UNKNOWN = 0xFFFFFFFF, 0xFFFFFFFE
"""Stand for the column in the record of a node that reads none. Columns, like all that is an index here, are kept without a sign where it
counts: for a number that may be negative Numba adds code that counts from the end of the array."""

NOWHERE = 0xFFFFFFFF
"""Stands for the other child, or the outcome, in the record of a node that has none. Node 0 is one of which nobody has learned anything."""

ALWAYS = 0xFFFFFFFF
"""Stands for the guard of actions that have none."""

COLUMN, NEXT, VALUE, CHILD, OUTCOME = 0, 1, 2, 3, 3
RECORD = 4
"""What stands in the record of a node, in four numbers of 32 bits, so that one fetch brings all of it. ``NEXT`` is the value for which the
child is the node with the next number: there the processor goes on before it knows that it may. ``VALUE`` has the child ``CHILD``."""

ENABLED, SYSTEM, WRITE_FROM, WRITE_TO, TASK_FROM, TASK_TO, TELLS, ACCESSES = range(8)
OUTCOMES = 8
"""What stands in the record of an outcome, again in one place: whether the action is possible, whether the system does it by itself, where its
writes begin and end, where the tasks that it touches whatever they are begin and end, the number of what properties say of it, and how
many database accesses it is."""

VALUE_BITS = 20
"""Bits for the value of a column in the key of a tree node's child."""

(
    STATES,
    TRANSITIONS,
    NEW,
    TERMINAL,
    RESTING,
    TABLE_USED,
    MISSES,
    PENDING,
    FOUND,
    TERMINAL_SUM,
    REDUCED,
    PAIRS,
    FETCHED,
    TAKEN,
    FULL,
    LEFT,
) = range(16)
"""What the counters count: states expanded, transitions, new states, states without any action, states at rest, entries of the table,
misses, states to be expanded again, first findings, the sum of the fingerprints of terminal states, states at which the reduction took
one action alone, what it relied on, nothing, transitions that were taken and not entered yet, outputs that are full, and fingerprints that
are left to be entered later."""
COUNTERS = 16

OTHER, FAULT, CRASH = range(3)
"""Kinds of what can act: what the system and the user do, the budgets of faults, the budget of crashes."""

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)


@njit(cache=True, inline="always")
def mix(x: Any) -> Any:
    """The finalizer of splitmix64: every bit of the result depends on every bit of ``x``."""
    x = x ^ (x >> np.uint64(30))
    x = x * MIX_1
    x = x ^ (x >> np.uint64(27))
    x = x * MIX_2
    return x ^ (x >> np.uint64(31))


@njit(cache=True, inline="always")
def child(keys: Any, values: Any, node: Any, value: Any) -> Any:
    """The child of a tree node for a value, or 0."""
    mask = np.uint64(keys.shape[0] - 1)
    key = np.int64(node) << VALUE_BITS | np.int64(value)
    at = (np.uint64(key) * GOLDEN) >> np.uint64(40) & mask
    while keys[at] != key and keys[at] != -1:
        at = (at + np.uint64(1)) & mask
    return values[at]


@njit(cache=True)
def put_children(keys: Any, values: Any, new_keys: Any, new_values: Any) -> None:
    """Enter children into the table, which has room."""
    mask = np.uint64(keys.shape[0] - 1)
    for i in range(new_keys.shape[0]):
        at = (np.uint64(new_keys[i]) * GOLDEN) >> np.uint64(40) & mask
        while keys[at] != -1:
            at = (at + np.uint64(1)) & mask
        keys[at] = new_keys[i]
        values[at] = new_values[i]


@njit(cache=True, inline="always")
def place_of(table: Any, mark: Any) -> Any:
    """Where a fingerprint would stand in an empty table of at most 2**32 places: they go by their upper halves, so that they are in the same order
    in a larger one (growing.py)."""
    return (mark >> np.uint64(32)) * np.uint64(table.shape[0]) >> np.uint64(32)


@njit(cache=True, inline="always")
def slot_of(table: Any, mark: Any) -> Any:
    """Where a fingerprint stands in the table, or the free place where it would stand."""
    at = place_of(table, mark)
    while table[at] != mark and table[at] != np.uint64(0):
        at += np.uint64(1)
        if at == np.uint64(table.shape[0]):
            at = np.uint64(0)
    return at


@njit(cache=True, inline="always")
def fingerprint(sums: Any, i: Any) -> Any:
    """The fingerprint of state i from its sums, the same for all renamings of it. Never 0."""
    total = np.uint64(0)
    for p in range(sums.shape[1]):
        total += mix(sums[i, p])
    return total if total != np.uint64(0) else np.uint64(1)


@njit(cache=True, inline="always")
def walk(rows: Any, i: Any, root: Any, records: Any, keys: Any, values: Any) -> Any:
    """From the root of a tree to the outcome for state i, or ``NOWHERE`` if nobody has learned it. There is one way out, because of others
    Numba would count references to the arrays, which takes longer than all the rest."""
    at = np.uint64(root) << np.uint64(2)
    column = records[at]
    while column < np.uint32(UNKNOWN):
        value = rows[i, column]
        if value == records[at + np.uint64(NEXT)]:
            at += np.uint64(RECORD)
        elif value == records[at + np.uint64(VALUE)]:
            at = np.uint64(records[at + np.uint64(CHILD)]) << np.uint64(2)
        else:
            at = np.uint64(child(keys, values, at >> np.uint64(2), value)) << np.uint64(2)
        column = records[at]
    return np.int64(records[at + np.uint64(OUTCOME)])


@njit(cache=True, inline="always")
def stood_for(rows: Any, i: Any, g: Any, guards: Any, guard_rival: Any, salts: Any) -> Any:
    """Whether the guard g is a message that an equal one of a lower number stands for in this state: delivering that is enough."""
    value = rows[i, guards[g]]
    rival = guard_rival[g]
    while rival >= 0:
        other = rows[i, guards[rival]]
        if other != 0 and salts[0, guards[rival], other] == salts[0, guards[g], value]:
            return True
        rival = guard_rival[rival]
    return False


@njit(cache=True, inline="always")
def written(column: Any, value: Any, begin: Any, end: Any, writes: Any) -> Any:
    """The value of a column after the writes ``begin`` to ``end``; ``value``: what it is before."""
    for w in range(begin, end):
        if writes[w, 0] == column:
            return np.int64(writes[w, 1])
    return value


@njit(cache=True, inline="always")
def after(
    rows: Any, sums: Any, i: Any, outcome: Any, leaves: Any, writes: Any, delta: Any, task_node: Any,
    beside_from: Any, beside_to: Any, beside: Any, salts: Any, into: Any, at: Any,
) -> None:  # fmt: skip
    """The sums of the state that an outcome makes of state i, into row ``at`` of ``into``, of which the next two are needed for it. The delta
    of an outcome is without the tasks that it touches whatever they are: for those of ``task_node``, columns of nodes, it depends on the
    state.

    A task adds its node with what belongs to it, scrambled together, so that what belongs to one task cannot be taken for another's.
    """
    for p in range(sums.shape[1]):
        into[at, p] = sums[i, p] + delta[outcome, p]
    begin, end = leaves[outcome, WRITE_FROM], leaves[outcome, WRITE_TO]
    for t in range(leaves[outcome, TASK_FROM], leaves[outcome, TASK_TO]):
        node = task_node[t]
        value = np.int64(rows[i, node])
        fresh = written(node, value, begin, end, writes)
        if value == 0 and fresh == 0:  # there is no such task
            continue
        same = value == fresh
        if same:
            for k in range(beside_from[node], beside_to[node]):
                was = np.int64(rows[i, beside[k]])
                if was != 0 and was != written(beside[k], was, begin, end, writes):
                    same = False
        if same:
            continue
        for p in range(sums.shape[1]):
            into[at + 1, p], into[at + 2, p] = salts[p, node, value], salts[p, node, fresh]
        for k in range(beside_from[node], beside_to[node]):
            column = beside[k]
            was = np.int64(rows[i, column])
            now = written(column, was, begin, end, writes)
            if was != 0 or now != 0:
                for p in range(sums.shape[1]):
                    into[at + 1, p] += salts[p, column, was]
                    into[at + 2, p] += salts[p, column, now]
        for p in range(sums.shape[1]):
            if value != 0:
                into[at, p] -= mix(into[at + 1, p])
            if fresh != 0:
                into[at, p] += mix(into[at + 2, p])


@njit(cache=True)
def add_tasks(rows: Any, sums: Any, nodes: Any, beside_from: Any, beside_to: Any, beside: Any, salts: Any) -> None:
    """Add to the sums of states what their tasks add; ``nodes``: the columns of nodes."""
    for i in range(rows.shape[0]):
        for node in nodes:
            if rows[i, node] != 0:
                for p in range(sums.shape[1]):
                    total = salts[p, node, rows[i, node]]
                    for k in range(beside_from[node], beside_to[node]):
                        total += salts[p, beside[k], rows[i, beside[k]]]
                    sums[i, p] += mix(total)


@njit(cache=True)
def add_terms(terms: Any, salts: Any, delta: Any) -> None:
    """Add to the deltas of outcomes what is listed in ``terms``, number after number: an outcome, 1 to add or -1 to take away, and how many
    pairs of column and value follow, whose salts are scrambled together; if it is 0, one follows, and is not scrambled."""
    at = 0
    while at < terms.shape[0]:
        outcome, sign, pairs = terms[at], terms[at + 1], terms[at + 2]
        end = at + 3 + 2 * max(pairs, 1)
        for p in range(delta.shape[1]):
            total = np.uint64(0)
            for k in range(at + 3, end, 2):
                total += salts[p, terms[k], terms[k + 1]]
            if pairs > 0:
                total = mix(total)
            if sign > 0:
                delta[outcome, p] += total
            else:
                delta[outcome, p] -= total
        at = end


@njit(cache=True, inline="always")
def busy(rows: Any, i: Any, crew: Any) -> Any:
    """Whether no thread is idle in state i. ``crew``: the columns of the nodes of all who may have one, and how many there are; or empty."""
    taken = 0
    for k in range(crew.shape[0] - 1):
        taken += rows[i, crew[k]] != 0
    return crew.shape[0] > 0 and taken >= crew[-1]
