"""The table of fingerprints grows where it stands. Compiled as :mod:`kernel` is, by its rules.

A second table, into which all are entered anew, would be twice as much memory again for a while, and each entry a place that must be fetched.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatproof.strategies.proving.kernel import njit, slot_of  # type: ignore[attr-defined]  # njit is not its own
from heatproof.strategies.proving.stale import renew

MOST_PLACES = 2**32
"""Places of a table: a place is found by the upper half of a fingerprint."""


def grow(table: NDArray[np.uint64], depths: NDArray[np.uint16], size: int) -> None:
    """Make a table of fingerprints, of which not all places are taken, larger, and with it the depths of its states if these are kept. Nothing
    else may look at these arrays. Raises MemoryError where there is no room."""
    old = len(table)
    for array in (table, depths) if len(depths) else (table,):
        array.resize(size, refcheck=False)  # the system gives the pages another address, or only adds some
    spread(table, depths, old)


@njit(cache=True)
def spread(table: Any, depths: Any, old: Any) -> None:
    """Bring the fingerprints of a table that was given free places behind its ``old`` ones to where they belong now.

    All are moved to the end, and then, from the first on, each to its place. That is never behind where it stands: a place is as near to
    the end of the larger table as it was to that of the old one, or further from it. So whoever looks for a free place from there on
    passes nothing but what has its place already. The first of all, up to a free place, are entered last: some of them may stand there
    because there was no room at the end.
    """
    keep = depths.shape[0] == table.shape[0]
    begin = 0
    while table[begin] != np.uint64(0):
        begin += 1
    first, first_depths = table[:begin].copy(), depths[:begin].copy()
    further = table.shape[0] - old
    for i in range(old - 1, begin - 1, -1):
        table[i + further] = table[i]
        if keep:
            depths[i + further] = depths[i]
    table[: begin + further] = 0
    for i in range(begin + further, table.shape[0]):
        mark = table[i]
        if mark != np.uint64(0):
            table[i] = 0
            at = slot_of(table, mark)
            table[at] = mark
            if keep:
                depths[at] = depths[i]
    for i in range(begin):
        at = slot_of(table, first[i])
        table[at] = first[i]
        if keep:
            depths[at] = first_depths[i]


@njit(cache=True)
def sound(table: Any) -> bool:
    """Whether each fingerprint of a table, of which not all places are taken, stands where it is looked for."""
    wrong = 0
    for i in range(table.shape[0]):
        if table[i] != np.uint64(0):
            wrong += slot_of(table, table[i]) != np.uint64(i)
    return wrong == 0


renew(spread)
