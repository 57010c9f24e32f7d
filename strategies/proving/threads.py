"""Threads that do pieces of work of compiled functions, which let go of Python's lock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from heatproof.strategies.proving.kernel import COMPILED

T = TypeVar("T")

MOST_THREADS = 8
"""More have nothing to do."""


class Threads:
    """So many threads, with the one that asks them; one where nothing is compiled. They end when nobody needs them any more."""

    def __init__(self, count: int = 1):
        self.count = min(count, MOST_THREADS) if COMPILED else 1
        self.others = ThreadPoolExecutor(self.count - 1) if self.count > 1 else None

    def spread(self, work: Callable[[int], T], count: int) -> list[T]:
        """What comes of ``count`` pieces of work, by number from 0: whoever is done takes the next. Raises what any of them raises."""
        numbers, done = iter(range(count)), dict[int, T]()

        def some() -> None:
            for number in numbers:
                done[number] = work(number)

        helping = [self.others.submit(some) for _ in range(min(self.count, count) - 1)] if self.others else []
        try:
            some()
        finally:
            wait(helping)
        for helper in helping:
            helper.result()
        return [done[number] for number in range(count)]
