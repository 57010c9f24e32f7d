"""States close together: each as where it differs from the one before it in its block. Compiled as :mod:`kernel` is, by its rules.

States of a block were reached one after the other, from the same state or from neighbours, so they differ in 5 to 10 of their 200 columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatproof.strategies.proving.kernel import njit  # type: ignore[attr-defined]  # not its own

Rows = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]
"""Rows packed: the first of them, in how many columns each differs from the one before, these columns, and what stands there. All but the
first row are of the narrowest numbers that hold them."""


def packed(rows: NDArray[Any]) -> Rows:
    """Rows, of which there is at least one, packed."""
    counts = np.empty(len(rows), np.uint16)
    # of these the system gives what is written to, no more
    columns, values = np.empty(rows.size, np.uint16), np.empty(rows.size, rows.dtype)
    used = collect(rows, counts, columns, values)
    return rows[0].copy(), narrow(counts), narrow(columns[:used]), narrow(values[:used])


def unpack(rows: Rows, into: NDArray[Any]) -> None:
    """Bring rows that were packed back, ``into`` as many; where these are wider nothing stands in what they have more."""
    first, counts, columns, values = rows
    into[0, : len(first)], into[0, len(first) :] = first, 0
    # one compiled text for all widths
    restore(into, counts.astype(np.uint16), columns.astype(np.uint16), values.astype(into.dtype))


def narrow(numbers: NDArray[Any]) -> NDArray[Any]:
    """The same numbers without a sign in the fewest bytes that hold each of them."""
    return numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))))


@njit(cache=True, nogil=True)
def collect(rows: Any, counts: Any, columns: Any, values: Any) -> Any:
    """In how many columns each row differs from the one before; these columns, row after row, and what stands there. Answers how many that are
    in all."""
    used = 0
    counts[0] = 0
    for i in range(1, rows.shape[0]):
        before = used
        for c in range(rows.shape[1]):
            if rows[i, c] != rows[i - 1, c]:
                columns[used], values[used] = c, rows[i, c]
                used += 1
        counts[i] = used - before
    return used


@njit(cache=True, nogil=True)
def restore(rows: Any, counts: Any, columns: Any, values: Any) -> None:
    """All rows after the first from that."""
    at = 0
    for i in range(1, rows.shape[0]):
        for c in range(rows.shape[1]):
            rows[i, c] = rows[i - 1, c]
        for _ in range(counts[i]):
            rows[i, columns[at]] = values[at]
            at += 1
