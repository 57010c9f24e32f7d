"""The inner loop: states are expanded by walking decision trees. Plain functions over arrays, compiled by Numba where it is installed.

Rules of this file:

1. No Python objects: only arrays of numbers, so that Numba can compile it. Without Numba the same text runs, slowly.
2. Nothing is learned here. Where a tree ends before a leaf, the state and the action are handed back as a *miss*, and the state is
   left to be expanded again once somebody has learned what is missing.

Layouts. ``rows[i, c]`` is the value of column c in state i of a block (uint16), ``sums[i, p]`` its sum of salts under renaming p
(uint64, wraps around). A tree node n reads column ``node_column[n]``; -1 stands for a leaf, -2 for what nobody has learned. The
child of n for value v is found in an open-addressed table under ``n << 16 | v``.
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


LEAF, UNKNOWN = -1, -2

STATES, TRANSITIONS, NEW, TERMINAL, RESTING, TABLE_USED, MISSES, PENDING, FOUND, TERMINAL_SUM, OLD, EDGES, REDUCED = range(13)
"""What the counters count: states expanded, transitions, new states, states without any action, states at rest, entries of the table,
misses, states to be expanded again, first findings, the sum of the fingerprints of terminal states, transitions to states of the same
or an earlier level, edges written, states at which the reduction took one action alone."""
COUNTERS = 13

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)


@njit(cache=True)
def mix(x: Any) -> Any:
    """The finalizer of splitmix64: every bit of the result depends on every bit of ``x``."""
    x = x ^ (x >> np.uint64(30))
    x = x * MIX_1
    x = x ^ (x >> np.uint64(27))
    x = x * MIX_2
    return x ^ (x >> np.uint64(31))


@njit(cache=True)
def child(keys: Any, values: Any, node: Any, value: Any) -> Any:
    """The child of a tree node for a value, or -1."""
    mask = np.uint64(keys.shape[0] - 1)
    key = np.int64(node) << 16 | np.int64(value)
    at = mix(np.uint64(key)) & mask
    while True:
        known = keys[at]
        if known == key:
            return values[at]
        if known == -1:
            return -1
        at = (at + np.uint64(1)) & mask


@njit(cache=True)
def put_children(keys: Any, values: Any, new_keys: Any, new_values: Any) -> None:
    """Enter children into the table, which has room."""
    mask = np.uint64(keys.shape[0] - 1)
    for i in range(new_keys.shape[0]):
        at = mix(np.uint64(new_keys[i])) & mask
        while keys[at] != -1:
            at = (at + np.uint64(1)) & mask
        keys[at] = new_keys[i]
        values[at] = new_values[i]


@njit(cache=True)
def visit(table: Any, fingerprint: Any) -> bool:
    """Enter a fingerprint; whether it is new."""
    mask = np.uint64(table.shape[0] - 1)
    at = (fingerprint * GOLDEN) >> np.uint64(20) & mask
    while True:
        known = table[at]
        if known == fingerprint:
            return False
        if known == np.uint64(0):
            table[at] = fingerprint
            return True
        at = (at + np.uint64(1)) & mask


@njit(cache=True)
def rehash(old: Any, table: Any) -> None:
    """Enter all fingerprints of a table into a larger one."""
    for i in range(old.shape[0]):
        if old[i] != np.uint64(0):
            visit(table, old[i])


@njit(cache=True)
def fingerprint(sums: Any) -> Any:
    """The fingerprint of a state from its sums, the same for all renamings of it. Never 0."""
    total = np.uint64(0)
    for p in range(sums.shape[0]):
        total += mix(sums[p])
    return total if total != np.uint64(0) else np.uint64(1)


@njit(cache=True)
def walk(row: Any, node: Any, node_column: Any, keys: Any, values: Any) -> Any:
    """From a tree node to a leaf for this state. Answers the leaf node, or -1 - n for the node n at which nothing is known."""
    while True:
        column = node_column[node]
        if column == LEAF:
            return node
        if column == UNKNOWN:
            return -1 - node
        after = child(keys, values, node, row[column])
        if after < 0:
            return -1 - node
        node = after


@njit(cache=True)
def expand(
    todo: Any, rows: Any, sums: Any, first: Any,
    guards: Any, guard_from: Any, guard_to: Any, guard_rival: Any, candidates: Any, roots: Any,
    node_column: Any, node_leaf: Any, keys: Any, values: Any,
    enabled: Any, system: Any, write_from: Any, write_to: Any, write_column: Any, write_value: Any, leaf_found: Any, found_seen: Any,
    salts: Any, table: Any, room: Any,
    new_rows: Any, new_sums: Any, new_parent: Any, new_action: Any,
    misses: Any, pending: Any, found: Any, leaves: Any, taken: Any, scratch: Any, counters: Any,
) -> Any:  # fmt: skip
    """Expand the states ``todo`` of a block, the first of which has number ``first`` in the whole search.

    Stops early where an output is full. Answers how many of ``todo`` were looked at.
    """
    renamings = sums.shape[1]
    for position in range(todo.shape[0]):
        i = todo[position]
        row = rows[i]
        if counters[PENDING] >= pending.shape[0] or counters[MISSES] + roots.shape[0] >= misses.shape[0]:
            return position
        # which actions are possible, and what they do
        count = 0
        going = False
        missed = False
        for g in range(guards.shape[0]):
            guard = guards[g]
            if guard >= 0:
                value = row[guard]
                if value == 0:
                    continue
                rival = guard_rival[g]
                hidden = False
                while rival >= 0:  # an equal message of a lower number stands for this one
                    other = row[guards[rival]]
                    if other != 0 and salts[0, guards[rival], other] == salts[0, guard, value]:
                        hidden = True
                        break
                    rival = guard_rival[rival]
                if hidden:
                    continue
            for c in range(guard_from[g], guard_to[g]):
                action = candidates[c]
                end = walk(row, roots[action], node_column, keys, values)
                if end < 0:
                    misses[counters[MISSES], 0] = i
                    misses[counters[MISSES], 1] = action
                    counters[MISSES] += 1
                    missed = True
                elif enabled[node_leaf[end]]:
                    leaves[count] = node_leaf[end]
                    taken[count] = action
                    count += 1
                    if system[node_leaf[end]]:
                        going = True
        if not missed and not going:  # at rest: action 0 asks what must hold
            end = walk(row, roots[0], node_column, keys, values)
            if end < 0:
                misses[counters[MISSES], 0] = i
                misses[counters[MISSES], 1] = 0
                counters[MISSES] += 1
                missed = True
            else:
                seen = leaf_found[node_leaf[end]]
                if seen > 0 and not found_seen[seen]:
                    if counters[FOUND] >= found.shape[0]:
                        return position
                    found_seen[seen] = True
                    found[counters[FOUND], 0] = seen
                    found[counters[FOUND], 1] = first + i
                    found[counters[FOUND], 2] = 0
                    counters[FOUND] += 1
        if missed:
            pending[counters[PENDING]] = i
            counters[PENDING] += 1
            continue
        if (
            counters[NEW] + count > new_parent.shape[0]
            or counters[TABLE_USED] + count > room
            or counters[FOUND] + count > found.shape[0]
        ):
            return position
        if not going:
            counters[RESTING] += 1
        if count == 0:
            counters[TERMINAL] += 1
            counters[TERMINAL_SUM] += np.int64(fingerprint(sums[i]))
        counters[STATES] += 1
        for k in range(count):
            leaf = leaves[k]
            counters[TRANSITIONS] += 1
            for p in range(renamings):
                scratch[p] = sums[i, p]
            for w in range(write_from[leaf], write_to[leaf]):
                column = write_column[w]
                old, new = row[column], write_value[w]
                for p in range(renamings):
                    scratch[p] += salts[p, column, new] - salts[p, column, old]
            seen = leaf_found[leaf]
            if seen > 0 and not found_seen[seen]:
                found_seen[seen] = True
                found[counters[FOUND], 0] = seen
                found[counters[FOUND], 1] = first + i
                found[counters[FOUND], 2] = taken[k]
                counters[FOUND] += 1
            if visit(table, fingerprint(scratch)):
                counters[TABLE_USED] += 1
                n = counters[NEW]
                new_rows[n] = row
                for w in range(write_from[leaf], write_to[leaf]):
                    new_rows[n, write_column[w]] = write_value[w]
                for p in range(renamings):
                    new_sums[n, p] = scratch[p]
                new_parent[n] = first + i
                new_action[n] = taken[k]
                counters[NEW] = n + 1
    return todo.shape[0]
