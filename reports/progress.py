"""Progress behind a small protocol, so that what is shown can be tested: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from rich.console import Console
from rich.live import Live
from rich.text import Text


class Tick(NamedTuple):
    """A moment of a check: what is done, how many scenarios, runs and steps so far, steps per second, situations reached of how
    many, kinds of failures so far, seconds left (None: no limit)."""

    stage: str
    scenarios: int
    runs: int
    steps: int
    rate: float
    reached: int
    situations: int
    failures: int
    left: float | None

    def __str__(self) -> str:
        left = "" if self.left is None else f", {max(0, round(self.left))} s left"
        return (
            f"{self.stage}: {self.scenarios} scenarios, {self.runs} runs, {self.steps} steps ({self.rate:,.0f}/s), "
            f"situations {self.reached}/{self.situations}, failures {self.failures}{left}"
        )


class Searching(NamedTuple):
    """A moment of an exhaustive search: what is done, how many scenarios are finished of how many, states and transitions so far, states
    per second, the depth of the deepest search that is going on, states that were not gone on from yet, memory in bytes, situations
    reached of how many, kinds of violations so far, seconds left (None: no limit)."""

    stage: str
    scenarios: int
    of: int
    states: int
    transitions: int
    rate: float
    depth: int
    waiting: int
    memory: int
    reached: int
    situations: int
    failures: int
    left: float | None

    def __str__(self) -> str:
        left = "" if self.left is None else f", {max(0, round(self.left))} s left"
        scenarios = f"{self.scenarios} of {self.of} scenarios, " if self.of > 1 else ""
        return (
            f"{self.stage}: {scenarios}{self.states:,} states ({self.rate:,.0f}/s), {self.transitions:,} transitions, depth {self.depth}, "
            f"{self.waiting:,} waiting, {self.memory / 2**20:,.0f} MiB, situations {self.reached}/{self.situations}, "
            f"violations {self.failures}{left}"
        )


class Reporter(Protocol):
    """Is told how a check or a search goes on."""

    def tick(self, tick: Tick | Searching) -> None:
        """Something has moved on."""

    def say(self, text: str) -> None:
        """Something begins that may take long, and of which there is no tick."""

    def close(self) -> None:
        """It is over."""


class Lines:
    """One plain line at most every ``interval`` seconds of the clock that is handed in."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float], interval: float = 10.0):
        self._write = write
        self._clock = clock
        self._interval = interval
        self._next = clock() + interval

    def tick(self, tick: Tick | Searching) -> None:
        """Write a line if the last one is old enough."""
        now = self._clock()
        if now >= self._next:
            self._next = now + self._interval
            self._write(str(tick))

    def say(self, text: str) -> None:
        """Write it now: later nobody does."""
        self._write(text)

    def close(self) -> None:
        """Nothing to tidy up."""


class Terminal:
    """One line on a terminal that is written over."""

    def __init__(self, console: Console):
        self._live = Live(console=console, refresh_per_second=4, transient=True)
        self._live.start()

    def tick(self, tick: Tick | Searching) -> None:
        """Show the new line."""
        self._live.update(Text(str(tick), style="cyan"))

    def say(self, text: str) -> None:
        """Show it until there is a tick."""
        self._live.update(Text(text, style="cyan"))

    def close(self) -> None:
        """Take the line away."""
        self._live.stop()


class Silent:
    """Says nothing."""

    def tick(self, tick: Tick | Searching) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""
