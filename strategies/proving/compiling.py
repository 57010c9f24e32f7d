"""Kernels are compiled where a search first needs them, once after an installation, which takes a minute: whoever waits is told why, and no budget
is used up by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class WorkingClock:
    """Shows the seconds of ``clock`` without those in which kernels were compiled while :meth:`heeded`. ``begins`` is called when that happens
    for the first time."""

    def __init__(self, clock: Callable[[], float], begins: Callable[[], None] = lambda: None):
        self.clock, self.begins = clock, begins
        self.spent = 0.0  # seconds in which was compiled
        self.since: float | None = None  # when what is compiled at the moment was begun
        self.told = False
        self._depth = 0

    def __call__(self) -> float:
        now = self.clock()
        return now - self.spent - (0.0 if self.since is None else now - self.since)

    def start(self) -> None:
        """A kernel begins to be compiled, perhaps within another that needs it."""
        self._depth += 1
        if self._depth == 1:
            self.since = self.clock()
            if not self.told:
                self.told = True
                self.begins()

    def end(self) -> None:
        """It is compiled."""
        self._depth -= 1
        if self._depth == 0 and self.since is not None:
            self.spent += self.clock() - self.since
            self.since = None

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Within, it stands still while something is compiled. Where there is no Numba, nothing is."""
        try:
            from numba.core import event
        except ImportError:
            yield
            return

        class Compiled(event.Listener):
            """Hears of it."""

            def on_start(_self, event: object) -> None:
                """It begins."""
                self.start()

            def on_end(_self, event: object) -> None:
                """It ends."""
                self.end()

        listener = Compiled()
        event.register("numba:compile", listener)  # type: ignore[no-untyped-call]  # Numba's events have no types
        try:
            yield
        finally:
            event.unregister("numba:compile", listener)  # type: ignore[no-untyped-call]  # Numba's events have no types


__all__ = ["WorkingClock"]
