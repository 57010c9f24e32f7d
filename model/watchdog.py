"""Interrupts what a design computes between two yields, in a handler or in the body of a transaction, if that does not end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from heatproof.model.errors import Passing


class Stuck(Passing):
    """Raised by the watchdog inside a handler; its text says where."""


class _Running:
    """What of a design runs right now, in this process: an object of this one run of it, or None."""

    __slots__ = ("what",)

    def __init__(self) -> None:
        self.what: object = None


RUNNING = _Running()


@contextmanager
def watchdog(seconds: float = 5.0) -> Iterator[None]:
    """While open, a handler that computes for more than ``seconds`` of processor time without yielding is interrupted, whatever program or
    world it is of.

    Works in the main thread only (it uses SIGVTALRM); elsewhere it does nothing. Compiled code is not disturbed: Python heeds a signal when that
    comes back, and then no handler runs.
    """
    seen: object = None

    def tick(_signal: int, frame: FrameType | None) -> None:
        nonlocal seen
        if RUNNING.what is not None and RUNNING.what is seen:
            seen = None
            raise Stuck(f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else "somewhere")
        seen = RUNNING.what

    try:
        before = signal.signal(signal.SIGVTALRM, tick)
    except ValueError:  # not the main thread
        yield
        return
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


__all__ = ["RUNNING", "Stuck", "watchdog"]
