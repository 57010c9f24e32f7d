"""The states after the states of a block, in three passes: *look* which transitions there are, *enter* the states after them in the table, *fill* in
those that are new. Compiled as :mod:`kernel` is, by its rules.

A piece of a block passes through all three (:func:`expand`), some hundred transitions at a time, so that all of it stays near the processor.
Several threads take one pass at a time (expanding.py): pieces can be looked at side by side, since that changes nothing; each thread enters what
belongs into its part of the table; then pieces are filled in side by side. Both come to the same, in the same order: of equal states
the one that comes first, by piece and transition, is new.

Layouts. What is taken of a piece: transition b leads from state ``sources[b]`` of the block by action ``actions[b]`` with outcome
``chosen[b]`` to a state of sums ``after_sums[b]`` and fingerprint ``marks[b]``; ``fresh[t, b]`` is what thread t found out about that: ``KNOWN``,
``NEW_STATE`` or ``LATER``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from heatproof.strategies.proving import commuting
from heatproof.strategies.proving.commuting import commutes, rely
from heatproof.strategies.proving.kernel import (  # type: ignore[attr-defined]  # njit is not its own
    ALWAYS,
    ENABLED,
    FETCHED,
    FOUND,
    FULL,
    LEFT,
    MISSES,
    NEW,
    NOWHERE,
    PAIRS,
    PENDING,
    REDUCED,
    RESTING,
    STATES,
    SYSTEM,
    TABLE_USED,
    TAKEN,
    TELLS,
    TERMINAL,
    TERMINAL_SUM,
    TRANSITIONS,
    WRITE_FROM,
    WRITE_TO,
    after,
    busy,
    fingerprint,
    njit,
    place_of,
    slot_of,
    stood_for,
    walk,
)
from heatproof.strategies.proving.stale import renew

KNOWN, NEW_STATE, LATER = range(3)
"""What is known of the state after a transition: that it was there, that it is new, or nothing, as it may stand in the next part of the table."""

BATCH = 512
"""Transitions whose states are looked up together."""


@njit(cache=True, inline="always")
def tell(said: Any, state: Any, action: Any, found_seen: Any, found: Any, counters: Any) -> None:
    """Note what properties say of an action in a state, where it is said for the first time."""
    if said > 0 and not found_seen[said]:
        found_seen[said] = True
        found[counters[FOUND], 0], found[counters[FOUND], 1], found[counters[FOUND], 2] = said, state, action
        counters[FOUND] += 1


@njit(cache=True, nogil=True)
def look(
    todo: Any, begin: Any, goal: Any, most: Any, rows: Any, sums: Any, first: Any, depth: Any,
    guards: Any, guard_from: Any, guard_to: Any, guard_rival: Any, candidates: Any, crew: Any, waits: Any, roots: Any,
    records: Any, keys: Any, values: Any, leaves: Any, writes: Any, delta: Any, task_node: Any,
    beside_from: Any, beside_to: Any, beside: Any, salts: Any, table: Any, depths: Any,
    stepping: Any, mine: Any, private: Any, outcome_reads: Any, outcome_writes: Any,
    owners: Any, kinds: Any, items: Any, whole: Any, future_reads: Any, future_writes: Any, pairs: Any,
    found_seen: Any, misses: Any, pending: Any, found: Any, outcomes: Any, taken: Any,
    marks: Any, sources: Any, chosen: Any, actions: Any, after_sums: Any, counters: Any,
) -> Any:  # fmt: skip
    """Which transitions there are from the states ``todo`` of a block, from the one at ``begin`` on, until ``goal`` are taken. Answers how many of
    ``todo`` were looked at. ``FULL`` is counted if an output is full, or this piece has ``most`` transitions.

    ``first``: the number of the first state of the block in the whole search. ``pairs`` is empty where there is to be no reduction.
    """
    reducing = pairs.shape[0] > 0
    for position in range(begin, todo.shape[0]):
        i = todo[position]
        used = counters[TAKEN]
        if used >= goal:
            return position
        if (
            counters[TRANSITIONS] >= most
            or counters[MISSES] + roots.shape[0] >= misses.shape[0]
            or (reducing and 2 * (counters[PAIRS] + owners.shape[0]) > pairs.shape[0])
        ):
            counters[FULL] += 1
            return position
        # which actions are possible, and what they do
        count = 0
        going = False
        missed = False
        none_idle = busy(rows, i, crew)
        for g in range(guards.shape[0]):
            guard = guards[g]
            if guard != np.uint32(ALWAYS):
                if rows[i, guard] == 0:
                    continue
                if guard_rival[g] >= 0 and stood_for(rows, i, g, guards, guard_rival, salts):
                    continue
            for c in range(guard_from[g], guard_to[g]):
                if none_idle and waits[c]:
                    continue
                action = candidates[c]
                outcome = walk(rows, i, roots[action], records, keys, values)
                if outcome == NOWHERE:
                    misses[counters[MISSES], 0] = i
                    misses[counters[MISSES], 1] = action
                    counters[MISSES] += 1
                    missed = True
                elif leaves[outcome, ENABLED]:
                    outcomes[count] = outcome
                    taken[count] = action
                    count += 1
                    if leaves[outcome, SYSTEM]:
                        going = True
        resting = np.int64(-1)
        if not missed and not going:  # at rest: action 0 asks what must hold
            resting = walk(rows, i, roots[0], records, keys, values)
            if resting == NOWHERE:
                misses[counters[MISSES], 0] = i
                misses[counters[MISSES], 1] = 0
                counters[MISSES] += 1
                missed = True
        if missed:
            pending[counters[PENDING]] = i
            counters[PENDING] += 1
            continue
        counters[STATES] += 1
        if resting >= 0:
            counters[RESTING] += 1
            tell(leaves[resting, TELLS], first + i, 0, found_seen, found, counters)
        if count == 0:
            counters[TERMINAL] += 1
            counters[TERMINAL_SUM] += np.int64(fingerprint(sums, i))
        start, stop = 0, count
        if reducing and count > 1:
            for k in range(count):
                own = stepping[taken[k]]
                if own >= 0 and outcomes[k] < outcome_reads.shape[0] and commutes(
                    rows, i, own, outcome_reads[outcomes[k]], outcome_writes[outcomes[k]], mine[own], private[own],
                    owners, kinds, items, whole, future_reads, future_writes,
                ):  # fmt: skip
                    after(
                        rows, sums, i, outcomes[k], leaves, writes, delta, task_node, beside_from, beside_to, beside, salts,
                        after_sums, used,
                    )  # fmt: skip
                    at = slot_of(table, fingerprint(after_sums, used))
                    if table[at] == np.uint64(0) or depths[at] == depth + 1:  # else it might be put off for ever
                        start, stop = k, k + 1
                        rely(rows, i, own, outcomes[k], owners, items, pairs, counters)
                        counters[REDUCED] += 1
                        break
        for k in range(start, stop):
            outcome = outcomes[k]
            after(
                rows, sums, i, outcome, leaves, writes, delta, task_node, beside_from, beside_to, beside, salts, after_sums, used,
            )  # fmt: skip
            tell(leaves[outcome, TELLS], first + i, taken[k], found_seen, found, counters)
            marks[used] = fingerprint(after_sums, used)
            sources[used] = i
            chosen[used] = outcome
            actions[used] = taken[k]
            used += 1
        counters[TRANSITIONS] += stop - start
        counters[TAKEN] = used
    return todo.shape[0]


@njit(cache=True, nogil=True)
def enter(marks: Any, count: Any, table: Any, low: Any, high: Any, depths: Any, depth: Any, fresh: Any, counters: Any) -> None:
    """Enter the first ``count`` fingerprints, as far as they belong to the places ``low`` to ``high`` of the table. Nothing else is read or written
    there: what may stand beyond ``high`` is left for ``LATER``."""
    first, end = np.uint64(low), np.uint64(high)
    for begin in range(0, count, BATCH):
        stop = min(begin + BATCH, count)
        total = np.uint64(0)
        for b in range(begin, stop):  # looking all of them up first lets the processor fetch many places at once
            at = place_of(table, marks[b])
            if first <= at < end:
                total += table[at]
        if total == np.uint64(1):  # never read otherwise, the fetches above could be left out by the compiler
            counters[FETCHED] += 1
        for b in range(begin, stop):
            mark = marks[b]
            at = place_of(table, mark)
            fresh[b] = KNOWN
            if first <= at < end:
                while at < end and table[at] != mark and table[at] != np.uint64(0):
                    at += np.uint64(1)
                    if at == np.uint64(table.shape[0]) and first == np.uint64(0):
                        at = np.uint64(0)
                if at == end:
                    fresh[b] = LATER
                    counters[LEFT] += 1
                elif table[at] != mark:
                    table[at] = mark
                    fresh[b] = NEW_STATE
                    counters[TABLE_USED] += 1
                    if depths.shape[0] == table.shape[0]:
                        depths[at] = depth + 1


@njit(cache=True)
def enter_later(marks: Any, count: Any, table: Any, fresh: Any, counters: Any) -> None:
    """Enter the fingerprints that were left for later, when nobody else enters any."""
    for b in range(count):
        for t in range(fresh.shape[0]):
            if fresh[t, b] == LATER:
                at = slot_of(table, marks[b])
                fresh[t, b] = KNOWN if table[at] == marks[b] else NEW_STATE
                if table[at] != marks[b]:
                    table[at] = marks[b]
                    counters[TABLE_USED] += 1


@njit(cache=True, nogil=True)
def fill(
    count: Any, sources: Any, chosen: Any, actions: Any, after_sums: Any, fresh: Any, rows: Any, first: Any, leaves: Any, writes: Any,
    new_rows: Any, new_sums: Any, new_parent: Any, new_action: Any, begin: Any,
) -> Any:  # fmt: skip
    """Fill in the states that are new after the first ``count`` transitions, from place ``begin`` on; the place behind the last."""
    n = begin
    for b in range(count):
        for t in range(fresh.shape[0]):
            if fresh[t, b] == NEW_STATE:
                outcome, source = chosen[b], sources[b]
                for c in range(rows.shape[1]):
                    new_rows[n, c] = rows[source, c]
                for w in range(leaves[outcome, WRITE_FROM], leaves[outcome, WRITE_TO]):
                    new_rows[n, writes[w, 0]] = writes[w, 1]
                for p in range(new_sums.shape[1]):
                    new_sums[n, p] = after_sums[b, p]
                new_parent[n] = first + source
                new_action[n] = actions[b]
                n += 1
    return n


@njit(cache=True)
def expand(
    todo: Any, most: Any, rows: Any, sums: Any, first: Any, depth: Any,
    guards: Any, guard_from: Any, guard_to: Any, guard_rival: Any, candidates: Any, crew: Any, waits: Any, roots: Any,
    records: Any, keys: Any, values: Any, leaves: Any, writes: Any, delta: Any, task_node: Any,
    beside_from: Any, beside_to: Any, beside: Any, salts: Any, table: Any, depths: Any,
    stepping: Any, mine: Any, private: Any, outcome_reads: Any, outcome_writes: Any,
    owners: Any, kinds: Any, items: Any, whole: Any, future_reads: Any, future_writes: Any, pairs: Any,
    found_seen: Any, misses: Any, pending: Any, found: Any, outcomes: Any, taken: Any,
    marks: Any, sources: Any, chosen: Any, actions: Any, after_sums: Any, fresh: Any,
    new_rows: Any, new_sums: Any, new_parent: Any, new_action: Any, counters: Any,
) -> Any:  # fmt: skip
    """All passes over the states ``todo`` of a block; what is new comes behind the ``NEW`` new states that there are. Answers how many of
    ``todo`` were looked at."""
    done = 0
    while True:
        counters[TAKEN] = 0
        done = look(
            todo, done, BATCH, most, rows, sums, first, depth,
            guards, guard_from, guard_to, guard_rival, candidates, crew, waits, roots, records, keys, values, leaves, writes, delta, task_node,
            beside_from, beside_to, beside, salts, table, depths, stepping, mine, private, outcome_reads, outcome_writes,
            owners, kinds, items, whole, future_reads, future_writes, pairs,
            found_seen, misses, pending, found, outcomes, taken, marks, sources, chosen, actions, after_sums, counters,
        )  # fmt: skip
        count = counters[TAKEN]
        enter(marks, count, table, 0, table.shape[0], depths, depth, fresh[0], counters)
        counters[NEW] = fill(
            count, sources, chosen, actions, after_sums, fresh, rows, first, leaves, writes, new_rows, new_sums, new_parent, new_action,
            counters[NEW],
        )  # fmt: skip
        if counters[FULL] or done == todo.shape[0]:
            return done


renew(expand, commuting)
