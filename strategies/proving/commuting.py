"""Whether a step may be taken alone, and what that relies on. Compiled as :mod:`kernel` is, by its rules; see :mod:`reduction`."""

from __future__ import annotations

from typing import Any

import numpy as np

from heatproof.strategies.proving.kernel import CRASH, OTHER, PAIRS, mix, njit  # type: ignore[attr-defined]  # njit is not its own
from heatproof.strategies.proving.stale import renew


@njit(cache=True)
def commutes(
    rows: Any, i: Any, own: Any, reads: Any, writes: Any, mine: Any, private: Any,
    owners: Any, kinds: Any, items: Any, whole: Any, future_reads: Any, future_writes: Any,
) -> bool:  # fmt: skip
    """Whether a step of the task in column ``own`` commutes with all that the others can ever do from here on (reduction.py).

    ``reads`` and ``writes`` are the columns that the step reads and writes, as bits, ``mine`` those that go by the name of its task, and
    ``private`` those among them that only a fault could touch while the task runs. For each column that can act, ``items`` holds the
    number of its present value, and the ``future`` tables what that, with all that descends from it, was seen to read and to write;
    ``whole`` says whether all of it was seen at least once.
    """
    words = reads.shape[0]
    local = True  # it changes nothing but where its own task stands
    for w in range(words):
        if writes[w] & ~mine[w] != np.uint64(0):
            local = False
    for o in range(owners.shape[0]):
        column = owners[o]
        value = rows[i, column]
        if value == 0 or column == own:
            continue
        if column >= items.shape[0] or value >= items.shape[1]:
            return False
        item = items[column, value]
        if not whole[item]:
            return False
        if local and kinds[o] == CRASH:  # a crash takes away where the task stands: whether it had read before makes no difference
            for w in range(words):
                if reads[w] & ~mine[w] & future_writes[item, w] != np.uint64(0):
                    return False
        else:
            for w in range(words):
                hidden = private[w] if kinds[o] == OTHER else np.uint64(0)
                read, written = reads[w] & ~hidden, writes[w] & ~hidden
                if (read & future_writes[item, w]) | (written & (future_reads[item, w] | future_writes[item, w])) != np.uint64(0):
                    return False
    return True


@njit(cache=True)
def rely(rows: Any, i: Any, own: Any, outcome: Any, owners: Any, items: Any, pairs: Any, counters: Any) -> None:
    """Note that ``outcome`` was taken alone beside the other items of this state, so that it can be judged again later."""
    mask = np.uint64(pairs.shape[0] - 1)
    for o in range(owners.shape[0]):
        column = owners[o]
        value = rows[i, column]
        if value != 0 and column != own:
            pair = np.uint64(outcome + 1) << np.uint64(32) | np.uint64(items[column, value])
            at = mix(pair) & mask
            while pairs[at] != pair and pairs[at] != np.uint64(0):
                at = (at + np.uint64(1)) & mask
            if pairs[at] == np.uint64(0):
                pairs[at] = pair
                counters[PAIRS] += 1


@njit(cache=True)
def put_pairs(pairs: Any, old: Any) -> None:
    """Enter pairs into a larger table."""
    mask = np.uint64(pairs.shape[0] - 1)
    for i in range(old.shape[0]):
        if old[i] != np.uint64(0):
            at = mix(old[i]) & mask
            while pairs[at] != np.uint64(0):
                at = (at + np.uint64(1)) & mask
            pairs[at] = old[i]


renew(commutes)
