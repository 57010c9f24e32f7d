"""Heat's ThreadGroupManager without threads: what it starts becomes a task of the world."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from heat.engine.service import ThreadGroupManager

from heatproof.model import effects as fx
from heatproof.ports.heat import hub, places


class Threads(ThreadGroupManager):  # type: ignore[misc]  # Heat has no types
    """The thread groups of one engine."""

    def start(self, stack_id: str, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """A task beside the present one. Events go to their sinks at once: there are none."""
        if getattr(func, "__name__", "") == "_dispatch":
            func(*args, **kwargs)
            return
        activity = hub.current()
        assert activity is not None
        activity.live.spawn(func, args, kwargs, places.caller(sys._getframe(1)))

    def add_msg_queue(self, stack_id: str, msg_queue: Any) -> None:
        """Register for cancel notices; the world is told too, since a plug-in waits for its end there."""
        super().add_msg_queue(stack_id, msg_queue)
        activity = hub.current()
        assert activity is not None
        activity.notices = msg_queue
        activity.live.world.listen(activity.task, activity.live.names.stack(stack_id))

    def send(self, stack_id: str, message: Any) -> None:
        """Leave a notice for every registered task. It finds it when it asks its plug-in whether it is done."""
        activity = hub.current()
        assert activity is not None
        hub.point(fx.Cancel(places.caller(sys._getframe(1)), activity.live.names.stack(stack_id)))
