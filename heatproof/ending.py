"""How a command ends early: all of its processes with it, by whatever signal."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Collection, Iterable
from concurrent.futures import Future, wait
from multiprocessing.process import BaseProcess
from threading import Thread
from types import FrameType, GeneratorType
from typing import Any, TypeVar

from heatproof.model import interrupting

T = TypeVar("T")

GRACE = 3.0
"""Seconds for a worker process that was called off to hand back what it has: it ends the run that it is at."""


def heed_sigterm() -> None:
    """Have SIGTERM end this command as Ctrl-C does, so that what was found is written and its workers and servers are ended. Only the first
    counts: ``timeout`` sends it twice. Neither comes into the middle of what must be done whole (:mod:`heatproof.model.interrupting`)."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        interrupting.interrupt()

    interrupting.heed()
    signal.signal(signal.SIGTERM, interrupt)


def let_handlers_go() -> None:
    """Have nothing said of a handler that nobody goes on with and that comes to another ``yield`` in a ``finally`` when Python closes it: of each
    it would be said on stderr that it ignored that."""
    before = sys.unraisablehook

    def unheard(what: Any) -> None:
        if not (isinstance(what.object, GeneratorType) and isinstance(what.exc_value, RuntimeError)):
            before(what)

    sys.unraisablehook = unheard


def begin_worker() -> None:
    """What a worker process does first: leave Ctrl-C to the command, and SIGTERM, which ``timeout`` sends to all of them, and end with the command
    where that is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    let_handlers_go()
    Thread(target=_end_with_parent, daemon=True).start()


def end_workers(processes: Iterable[BaseProcess]) -> None:
    """End them where they are. They heed no signal that can be ignored."""
    for process in processes:
        process.kill()


def handed_back(pending: Collection[Future[T]]) -> list[Future[T]]:
    """Those of the tasks of worker processes that come to an end within :data:`GRACE`, with a result: for who has called them off."""
    finished, _ = wait([future for future in pending if not future.cancel()], timeout=GRACE)
    return [future for future in finished if not future.cancelled() and future.exception() is None]


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


__all__ = ["begin_worker", "end_workers", "handed_back", "heed_sigterm", "let_handlers_go"]
