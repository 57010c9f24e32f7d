"""The one place where Heat's code and the scheduler meet.

Every activity of an engine runs in a greenlet of its own. Before it does anything that others can see it calls :func:`point`, which
switches to the scheduler; the scheduler resumes it when its turn has come. A greenlet that is given up (its engine has crashed, or the
run is over) is unwound at once, with everything shared closed to it: otherwise Heat's ``except BaseException`` handlers would write into
the database of the next run.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from heatproof.model.effects import Effect, Thrown, Transaction
from heatproof.model.errors import HeatproofError

if TYPE_CHECKING:
    from heatproof.ports.heat.databases.waiting import Waiter
    from heatproof.ports.heat.live import Live


class Killed(BaseException):
    """Thrown into an activity that is given up."""


class Fetched(NamedTuple):
    """What a query found: the number of rows, and the bytes of the values of each of its columns, in order."""

    rows: int
    columns: tuple[int, ...]


Sent = tuple[str, Any, int, str, Fetched | None]
"""A statement as it was sent: its text, its parameters, the rows that it met, the function whose transaction it is in where that is no
action of its own, and what a query found, where that is counted."""


class End(NamedTuple):
    """How an activity ended: what it returned, or the exception that left it."""

    value: Any = None
    error: BaseException | None = None


class Activity:
    """What one task of an engine does: a greenlet, and where it stands.

    ``topic`` is the traversal of the message it works on, ``statements`` what it has sent to the database since it was resumed, ``origin``
    its name with the number of its life.
    """

    def __init__(self, live: Live, task: str, engine: str, topic: str | None, run: Callable[[], Any]):
        self.live = live
        self.task = task
        self.engine = engine
        self.topic = topic
        self.origin = task
        self.doing: Effect | None = None  # what it was last resumed to do
        self._next: Effect | None = None
        self.given_up = False
        self.drawn = 0  # how many identifiers it has drawn
        self.slept = 0.0  # seconds
        self.statements: list[Sent] = []
        self.quiet: list[str] = []  # the functions whose transactions it has begun since then that are no actions of their own
        self.access: Transaction | None = None  # at the grain of a statement: the transaction that is open
        self.wrote = False  # whether that has written
        self.sent: list[Sent] = []  # what it has sent to the database
        self.committed: list[Sent] = []  # what the last one had sent when it was committed
        self.waiter: Waiter | None = None  # the statement that waits for a lock
        self.connections: set[int] = set()  # the server processes that its open transaction may hold locks with
        self.late = False  # its time limit has run out, and it has been told so
        self.tick: int | None = None  # what a clock that counts operations shows it; None: what it shows the traversal
        self.superseded: str | None = None  # the traversal of the stack, as it has it in memory, that it is about to supersede
        self.notices: Any = None  # Heat's queue for cancel notices
        self.apart = ""  # the function whose transaction it is in, where that is no action of its own
        from greenlet import greenlet  # of the extra heat: only what runs the engine needs it, not who looks at what it did

        self._greenlet = greenlet(lambda _started: self._run(run))

    def _run(self, run: Callable[[], Any]) -> End:
        try:
            return End(run())
        except Killed as error:
            return End(error=error)
        except BaseException as error:
            return End(error=error)

    def resume(self, result: Any) -> Effect | End:
        """Go on with ``result`` to the next point; what is to happen there, or how it ended."""
        global _current
        before, _current = _current, self
        self.statements = []
        self.quiet = []
        self.doing = self._next
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # who has them raised, as pytest can, would have the engine do something else
                there: Effect | End = self._greenlet.switch(result)
            self._next = None if isinstance(there, End) else there
            return there
        finally:
            _current = before

    def broke(self, error: HeatproofError) -> None:
        """The run cannot go on, and ends with ``error`` where the scheduler is next; until then nothing that this does has any effect,
        whatever Heat makes of it."""
        self.live.broken = self.live.broken or error
        self.given_up = True

    def give_up(self) -> None:
        """Unwind it. Nothing that it does on the way has any effect."""
        global _current
        self.given_up = True
        before, _current = _current, self
        try:
            if self._greenlet:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    self._greenlet.throw(Killed())
            else:
                self._greenlet = type(self._greenlet)(lambda: None)
        finally:
            _current = before


_current: Activity | None = None


def current() -> Activity | None:
    """The activity that is running right now; None outside of all: set-up, and the scheduler itself."""
    return _current


def point(effect: Effect) -> Any:
    """Stop before ``effect`` until the scheduler says so; its result. Outside of all activities nothing stops.

    Database faults come back as :class:`Thrown`; it is for the caller to raise what Heat would see.
    """
    activity = _current
    if activity is None:
        return None
    if activity.given_up:
        raise Killed
    parent = activity._greenlet.parent
    assert parent is not None
    result = parent.switch(effect)
    if activity.given_up:
        raise Killed
    return result


__all__ = ["Activity", "End", "Fetched", "Killed", "Sent", "Thrown", "current", "point"]
