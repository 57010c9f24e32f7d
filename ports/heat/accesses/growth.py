"""How a number grows with the number of resources: the simplest polynomial that says it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

EXACT = 1e-6
CLOSE = 0.02
"""The greatest relative error of a law that is said to hold exactly, or about."""
WORDS = ("constant", "linear", "quadratic")


class Growth(NamedTuple):
    """A law ``c0 + c1 n + c2 n**2``: its coefficients from the constant on, and its greatest relative error where it was fitted. One with an
    error above :data:`CLOSE` is no law, but the best of the highest degree that was tried."""

    coefficients: tuple[float, ...]
    error: float

    @property
    def word(self) -> str:
        """constant, linear or quadratic; *more than* that if not even that is close."""
        known = WORDS[len(self.coefficients) - 1]
        return known if self.error <= CLOSE else f"more than {known}"

    def __call__(self, size: float) -> float:
        """What it says for that many resources."""
        return float(sum(c * size**power for power, c in enumerate(self.coefficients)))

    def __str__(self) -> str:
        if self.error > CLOSE:
            return self.word
        exact = self.error <= EXACT
        terms = []
        for power, c in reversed(list(enumerate(self.coefficients))):
            number = f"{abs(c):,.0f}" if exact or abs(c) >= 10 else f"{abs(c):.3g}"
            if number != "0" or len(self.coefficients) == 1:
                sign = ("-" if c < 0 else "+") + " "
                terms.append(
                    sign + " ".join([*([number] if number != "1" or not power else []), *([_POWERS[power]] if power else [])])
                )
        return ("" if exact else "about ") + " ".join(terms).removeprefix("+ ")


_POWERS = ("", "n", "n^2")


def growth(sizes: Sequence[int], numbers: Sequence[float]) -> Growth:
    """The polynomial of the lowest degree, at most 2, that is within :data:`EXACT` of all numbers; else the first within :data:`CLOSE`;
    else that of the highest degree. A law has fewer coefficients than there are sizes, or it would say nothing. Raises ValueError for
    fewer than two."""
    if len(sizes) != len(numbers) or len(sizes) < 2:
        raise ValueError("at least two sizes are needed, and a number for each")
    scale = np.maximum(np.abs(np.asarray(numbers, float)), 1.0)
    laws = []
    for degree in range(min(3, len(sizes) - 1)):
        powers = np.vander(np.asarray(sizes, float), degree + 1, increasing=True)
        found, *_ = np.linalg.lstsq(powers / scale[:, None], np.asarray(numbers, float) / scale, rcond=None)
        error = float(np.max(np.abs(powers @ found - numbers) / scale))
        laws.append(Growth(tuple(float(round(c)) if error <= EXACT else float(c) for c in found), error))
    for bound in (EXACT, CLOSE):
        for law in laws:
            if law.error <= bound:
                return law
    return laws[-1]


__all__ = ["CLOSE", "EXACT", "Growth", "growth"]
