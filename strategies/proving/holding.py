"""Interrupts that are held back while something is read that is of no use in part.

Not by the blocks of :mod:`heatproof.model.interrupting`: those wait for some seconds, which reading may exceed, and only where that module
heeds the signals, which who searches without the command line need not ask for.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_held() -> Iterator[list[int]]:
    """Within, Ctrl-C and SIGTERM do nothing but to be put into the list. A second Ctrl-C is not held back; a second SIGTERM is, since ``timeout``
    sends two."""
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def hold(number: int, _frame: FrameType | None) -> None:
        if came and number == signal.SIGINT:
            raise KeyboardInterrupt
        came.append(number)

    # what is left to others, or ends this process at once, stays so
    heeded = [number for number, handler in before.items() if callable(handler)]
    if threading.current_thread() is not threading.main_thread():
        heeded = []
    try:
        for number in heeded:
            signal.signal(number, hold)
        yield came
    finally:
        for number in heeded:
            signal.signal(number, before[number])


__all__ = ["interrupts_held"]
