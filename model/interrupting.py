"""Ctrl-C and SIGTERM where an interrupt must not come.

Python raises KeyboardInterrupt wherever it is. In code of somebody else's that a target runs, it may be taken for a failure of that code's, or
leave half a transaction and a closed connection behind. So within :data:`WHOLE` an interrupt waits until what is done there is done, and within
:data:`LAST` also afterwards, until something else is begun; but it waits no longer than :data:`PATIENCE`.
"""

from __future__ import annotations

import signal
from contextlib import suppress
from types import FrameType
from typing import Any

PATIENCE = 3.0
"""Seconds that an interrupt waits. What is still at it then is interrupted all the same, again and again."""


class Interrupted(KeyboardInterrupt):
    """An interrupt with what had been found until then, as ``found``, for who can make something of it."""

    def __init__(self, found: Any):
        super().__init__()
        self.found = found


class _State:
    """``depth``: in how many blocks within one another this is; ``waits``: whether an interrupt waits; ``forced``: whether one was raised within
    a block, since it had waited too long; ``loading``: whether one that is raised is raised once more at the end, if it was swallowed."""

    __slots__ = ("depth", "forced", "loading", "waits")

    def __init__(self) -> None:
        self.depth = 0
        self.waits = self.forced = self.loading = False

    def heard(self) -> None:
        """It has come to where it is heeded."""
        if self.waits:
            self.waits = self.forced = False
            _wake(0)


_state = _State()


class _Whole:
    """A block that is done whole: an interrupt is raised before it begins or after its end."""

    __slots__ = ()

    def __enter__(self) -> None:
        if _state.waits and not _state.depth:
            _state.heard()
            raise KeyboardInterrupt
        _state.depth += 1

    def __exit__(self, _kind: object, _error: object, _traceback: object) -> None:
        _state.depth -= 1
        if _state.waits and not _state.depth:
            _state.heard()
            raise KeyboardInterrupt from None


class _Last:
    """A block that makes something of what was found, and is soon done: an interrupt is not raised at its end either, but where something is
    begun after it that is to be whole, or else when it has waited long enough."""

    __slots__ = ()

    def __enter__(self) -> None:
        _state.depth += 1

    def __exit__(self, _kind: object, error: object, _traceback: object) -> None:
        _state.depth -= 1
        if isinstance(error, KeyboardInterrupt) and not _state.depth:
            _state.heard()


class _Loading:
    """A block that may be left in the middle, but for good: an interrupt that is swallowed within is raised again at its end."""

    __slots__ = ()

    def __enter__(self) -> None:
        _state.loading = True

    def __exit__(self, _kind: object, error: object, _traceback: object) -> None:
        _state.loading = False
        if not _state.depth and _state.waits:
            _state.heard()
            if not isinstance(error, KeyboardInterrupt):
                raise KeyboardInterrupt from None


WHOLE, LAST, LOADING = _Whole(), _Last(), _Loading()


def interrupt(_number: int = signal.SIGINT, _frame: FrameType | None = None) -> None:
    """Raise KeyboardInterrupt as soon as it may be raised. A handler of signals."""
    if _state.depth:
        _state.waits = True
        _wake(PATIENCE)
        return
    _state.waits = _state.loading
    raise KeyboardInterrupt


def waits() -> bool:
    """Whether an interrupt waits: who waits for something himself asks now and then."""
    return _state.waits


def forced() -> bool:
    """Whether an interrupt has waited too long and was raised within the present block."""
    return _state.forced


def heed() -> None:
    """Have Ctrl-C interrupt in this way, where nothing else was to become of it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        with suppress(ValueError):  # only the main thread can, and then it has done so or will
            signal.signal(signal.SIGINT, interrupt)


def _wake(seconds: float) -> None:
    """Have :func:`_late` called after so many seconds; 0: not at all. Where somebody else uses that clock nobody is called."""
    with suppress(ValueError):  # not the main thread
        if signal.getsignal(signal.SIGALRM) is signal.SIG_DFL and seconds:
            signal.signal(signal.SIGALRM, _late)
        if signal.getsignal(signal.SIGALRM) is _late:
            signal.setitimer(signal.ITIMER_REAL, seconds, seconds)


def _late(_number: int, _frame: FrameType | None) -> None:
    if not _state.waits:
        return
    if _state.depth:
        _state.forced = True
    else:
        _state.heard()
    raise KeyboardInterrupt


__all__ = ["LAST", "LOADING", "PATIENCE", "WHOLE", "Interrupted", "forced", "heed", "interrupt", "waits"]
