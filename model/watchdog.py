"""Interrupts what a design computes between two yields, in a handler or in the body of a transaction, and what properties compute, if that does
not end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from heatproof.model.errors import Passing, is_foreign

AGAIN = 10
"""How many times sooner it interrupts once it has interrupted, as long as what was interrupted is done again."""


class Stuck(Passing):
    """Raised by the watchdog inside a handler or a property; its text says where."""


class _Running:
    """What of a design, or which asking of properties, runs right now, in this process: an object of this one run of it, or None."""

    __slots__ = ("what",)

    def __init__(self) -> None:
        self.what: object = None


RUNNING = _Running()


@contextmanager
def watchdog(seconds: float = 5.0) -> Iterator[None]:
    """While open, a handler that computes for more than ``seconds`` of processor time without yielding is interrupted, whatever program or
    world it is of, and so are properties that are asked for so long after one action.

    Works in the main thread only (it uses SIGVTALRM); elsewhere it does nothing. Compiled code is not disturbed: Python heeds a signal when that
    comes back, and then no handler runs.
    """
    seen: object = None
    sooner = False

    def tick(_signal: int, frame: FrameType | None) -> None:
        nonlocal seen, sooner
        if RUNNING.what is not None and RUNNING.what is seen:
            seen, sooner = None, True
            # a search may do it again, to be sure that this was no mistake of its own; that need not take as long
            signal.setitimer(signal.ITIMER_VIRTUAL, seconds / AGAIN, seconds / AGAIN)
            raise Stuck(_place(frame))
        if RUNNING.what is None and sooner:  # it was not done again
            sooner = False
            signal.setitimer(signal.ITIMER_VIRTUAL, seconds, seconds)
        seen = RUNNING.what

    try:
        before = signal.signal(signal.SIGVTALRM, tick)
    except ValueError:  # not the main thread
        yield
        return
    around = signal.setitimer(signal.ITIMER_VIRTUAL, seconds, seconds)  # of one that is open around this one
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, *around)
        signal.signal(signal.SIGVTALRM, before)


def _place(frame: FrameType | None) -> str:
    """Where the design is: what it calls of heatproof, such as a row that tells when it is looked at, is not what does not end."""
    while frame is not None and not is_foreign(frame):
        frame = frame.f_back
    return "somewhere" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


__all__ = ["RUNNING", "Stuck", "watchdog"]
