"""What is alive in a run and cannot be taken back: engines, activities, clock, names. It is made anew where a run is made again."""

from __future__ import annotations

import copy
import functools
import json
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import blake2b
from types import FrameType
from typing import TYPE_CHECKING, Any

from heatproof.model import effects as fx
from heatproof.model.errors import HeatproofError
from heatproof.ports.heat import hub
from heatproof.ports.heat.hub import Activity
from heatproof.ports.heat.installation import Installation
from heatproof.ports.heat.names import Names

if TYPE_CHECKING:
    from heatproof.ports.heat.world import EngineWorld

START = datetime(2030, 1, 1)
"""When every run begins."""

LATE = 10_000_000.0
"""Seconds by which the clock is ahead for whom the time limit has run out: more than any limit."""

TENANT = "tenant"


class Payload:
    """The arguments of a message, as JSON."""

    __slots__ = ("text",)

    def __init__(self, text: str):
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Payload) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return self.text

    def canonical(self) -> str:
        """The text."""
        return self.text


class Thunk:
    """A function that an engine has asked to be run in a thread of its own."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]):
        inner = function.func if isinstance(function, functools.partial) else function
        self.name: str = getattr(inner, "__name__", str(inner))
        self.call = functools.partial(function, *args, **kwargs)
        self.owner: Any = getattr(inner, "__self__", None)

    def canonical(self) -> str:
        """Its name; whom it works for is told by the task's."""
        return self.name

    def __repr__(self) -> str:
        return self.name


class Live:
    """The living side of one run."""

    def __init__(self, world: EngineWorld, installation: Installation):
        self.world = world
        self.installation = installation
        self.names = Names(lambda: self.world.look())
        self.engines: dict[str, Any] = {}
        self.activities: dict[int, Activity] = {}
        self.by_statement = world.design.database.statements
        self.last: Activity | None = None
        self.broken: HeatproofError | None = None  # why the run cannot go on
        self._lives: dict[str, int] = {}
        self.metered = world.design.metered
        self.resumed: list[Activity] = []  # where accesses are counted: who has been resumed since that was last looked at
        self.counts_operations = getattr(world.design, "clock", "") == "operations"
        self.ticks: dict[str | None, int] = {}  # the same by traversal

    # ------------------------------------------------------------------------------------------------------ activities

    def begin(self, task: str, engine: str, topic: str | None, run: Callable[[], Any]) -> Activity:
        """An activity that stands before its first instruction."""
        self._lives[task] = self._lives.get(task, 0) + 1
        activity = Activity(self, f"{task}", engine, topic, run)
        activity.origin = f"{task}/{self._lives[task]}"
        self.activities[id(activity)] = activity
        return activity

    def ended(self, activity: Activity) -> None:
        """It has come to its end."""
        self.activities.pop(id(activity), None)

    def give_up(self, engine: str | None = None) -> None:
        """Unwind all activities, or those of one engine."""
        for activity in list(self.activities.values()):
            if engine is None or activity.engine == engine:
                self.ended(activity)
                activity.give_up()

    # ------------------------------------------------------------------------------------------------ time and identity

    def seconds(self, activity: Activity) -> float:
        """What a clock shows to an activity. Each sees the same, but for pauses of its own, and time limits that have run out."""
        return len(self.world.log) / 1000 + activity.slept + (LATE if activity.late else 0.0)

    def now(self, activity: Activity, caller: FrameType) -> datetime:
        """The same as a date, to be written to the database. With a clock that counts operations: the number of the operation that the
        activity works on, counted from what the stack says in ``caller``, where an operation begins."""
        if caller.f_code.co_name == "converge_stack":
            activity.superseded = self.names.traversals.get(caller.f_locals["self"].current_traversal)
        if not self.counts_operations:
            return START + timedelta(seconds=self.seconds(activity))
        if caller.f_code.co_name == "converge_stack":
            before = caller.f_locals["self"].updated_time or START
            activity.tick = int((before - START).total_seconds()) + 1
        return START + timedelta(seconds=self.tick(activity))

    def tick(self, activity: Activity) -> int:
        """How many operations had begun when the one began that the activity works on."""
        return activity.tick if activity.tick is not None else self.ticks.get(activity.topic, 0)

    def identifier(self, activity: Activity) -> uuid.UUID:
        """A fresh identifier: a function of the activity's name and of how many it has drawn before."""
        activity.drawn += 1
        drawn = blake2b(f"{activity.origin}/{activity.drawn}".encode(), digest_size=16).digest()
        return uuid.UUID(bytes=drawn, version=4)

    # ---------------------------------------------------------------------------------------------- engines and messages

    def engine(self, name: str) -> Any:
        """The services of an engine; a new one knows nothing of what another life of it did."""
        found = self.engines.get(name)
        if found is None:
            from heat.engine.worker import WorkerService

            from heatproof.ports.heat.threads import Threads

            found = copy.copy(self.installation.service)
            found.engine_id = name
            found.thread_group_mgr = Threads()
            found.worker_service = WorkerService("heatproof", "worker", name, found.thread_group_mgr)
            self.engines[name] = found
        return found

    def context(self) -> Any:
        """A request context; each activity has its own, as when messages are really sent."""
        from heat.common.context import RequestContext

        return RequestContext(
            username="user", password="password", project_id=TENANT, user_id="user", auth_token="token",
            roles=[], overwrite=False, is_admin=False, request_id="request",
        )  # fmt: skip

    def message(self, method: str, text: str) -> tuple[Any, ...]:
        """What a message carries: what names it, and its arguments as they were sent."""
        sent = json.loads(text)
        names = self.names
        if method == "check_resource":
            return (
                names.row(sent["resource_id"]),
                "U" if sent["is_update"] else "C",
                names.traversal(sent["current_traversal"]),
                Payload(text),
            )
        return (names.stack(sent["stack_id"]), Payload(text))

    def spawn(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], step: str) -> None:
        """Run a function in a thread of its own, beside the present activity."""
        activity = hub.current()
        assert activity is not None
        thunk = Thunk(function, args, kwargs)
        handler, about = _THREADS.get(thunk.name, ("run_thread", "operation"))
        if about == "traversal":
            label = self.names.traversal(thunk.owner.current_traversal)
        else:
            label = activity.task.partition("#")[2].partition("#")[0] or activity.task
        hub.point(fx.Spawn(step, handler, (label, thunk)))


_THREADS = {
    "_converge_create_or_update": ("converge_create_or_update", "traversal"),
    "rollback": ("cancel_update", "operation"),
    "stop_traversal": ("cancel_update", "operation"),
    "purge_db": ("purge_again", "traversal"),
}
"""The functions that Heat starts in threads: the handler, and after what the task is named."""
