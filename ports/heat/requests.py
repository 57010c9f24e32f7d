"""The handlers of the real engine: which service of Heat's is called for an operation, a message, a thread. Each runs in an activity."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from heatproof.model.effects import Me, Refused
from heatproof.model.scenario import Operation
from heatproof.model.templates import EMPTY
from heatproof.ports.heat import hot, hub
from heatproof.ports.heat.live import TENANT

if TYPE_CHECKING:
    from heatproof.ports.heat.live import Live, Payload, Thunk

LIMIT = 60
"""Minutes that an operation with a time limit may take."""


def _live() -> Live:
    activity = hub.current()
    assert activity is not None
    return activity.live


def _asked(call: Callable[[], Any]) -> Refused | None:
    """Ask the engine; what it tells the user where it refuses. Anything but one of Heat's own exceptions goes on."""
    from heat.common.exception import HeatException
    from oslo_messaging.rpc.dispatcher import ExpectedException

    try:
        call()
    except ExpectedException as error:
        told = error.exc_info[1]
        return Refused(f"{type(told).__name__}: {told}")
    except HeatException as error:
        return Refused(f"{type(error).__name__}: {error}")
    return None


class Requests:
    """Operations, messages and threads."""

    def create_stack(self, me: Me, number: int, operation: Operation) -> Refused | None:
        """service.py:create_stack."""
        live = _live()
        template = hot.write(operation.template or EMPTY)
        return _asked(
            lambda: live.engine(me.engine).create_stack(live.context(), operation.stack, template, {}, {}, _options(operation))
        )

    def update_stack(self, me: Me, number: int, operation: Operation) -> Refused | None:
        """service.py:update_stack."""
        live = _live()
        template = hot.write(operation.template or EMPTY)
        return self._of(
            me, operation, lambda engine, who: engine.update_stack(live.context(), who, template, {}, {}, _options(operation))
        )

    def delete_stack(self, me: Me, number: int, operation: Operation) -> Refused | None:
        """service.py:delete_stack."""
        return self._of(me, operation, lambda engine, who: engine.delete_stack(_live().context(), who))

    def cancel_stack(self, me: Me, number: int, operation: Operation) -> Refused | None:
        """service.py:stack_cancel_update."""
        back = operation.kind == "rollback"
        return self._of(
            me, operation, lambda engine, who: engine.stack_cancel_update(_live().context(), who, cancel_with_rollback=back)
        )

    def check_stack(self, me: Me, number: int, operation: Operation) -> Refused | None:
        """service.py:stack_check."""
        return self._of(me, operation, lambda engine, who: engine.stack_check(_live().context(), who))

    def signal(self, me: Me, number: int, operation: Operation) -> Refused | None:
        """service.py:resource_signal; the caller waits, so that the outcome is the request's."""
        return self._of(
            me, operation,
            lambda engine, who: engine.resource_signal(_live().context(), who, operation.resource, None, sync_call=True),
        )  # fmt: skip

    def mark_unhealthy(self, me: Me, number: int, operation: Operation) -> Refused | None:
        """service.py:resource_mark_unhealthy."""
        return self._of(
            me, operation, lambda engine, who: engine.resource_mark_unhealthy(_live().context(), who, operation.resource, True)
        )

    def _of(self, me: Me, operation: Operation, call: Callable[[Any, dict[str, str]], Any]) -> Refused | None:
        """Ask about a stack that there is."""
        live = _live()
        known = live.names.stack_ids.get(operation.stack)
        if known is None:
            return Refused("the stack does not exist")
        who = {"tenant": TENANT, "stack_name": operation.stack, "stack_id": known, "path": ""}
        return _asked(lambda: call(live.engine(me.engine), who))

    # ---------------------------------------------------------------------------------------------- messages and threads

    def check_resource(self, me: Me, row: str, kind: str, traversal: str, sent: Payload) -> None:
        """worker.py:check_resource."""
        live = _live()
        live.engine(me.engine).worker_service.check_resource(live.context(), **json.loads(sent.text))

    def cancel_check_resource(self, me: Me, stack: str, sent: Payload) -> None:
        """worker.py:cancel_check_resource."""
        live = _live()
        live.engine(me.engine).worker_service.cancel_check_resource(live.context(), **json.loads(sent.text))

    def converge_create_or_update(self, me: Me, label: str, thunk: Thunk) -> None:
        """stack.py:_converge_create_or_update, in a thread."""
        thunk.call()

    def cancel_update(self, me: Me, label: str, thunk: Thunk) -> None:
        """stack.py:rollback or worker.py:stop_traversal, in a thread."""
        thunk.call()

    def purge_again(self, me: Me, label: str, thunk: Thunk) -> None:
        """stack.py:purge_db, in a thread."""
        thunk.call()

    def run_thread(self, me: Me, label: str, thunk: Thunk) -> None:
        """Anything else that Heat starts in a thread."""
        thunk.call()


class DirectRollback(Requests):
    """Rollback without asking the API."""

    def cancel_stack(self, me: Me, number: int, operation: Operation) -> Refused | None:
        """stack.py:rollback on a stack that was just loaded."""
        from heat.engine.stack import Stack

        if operation.kind != "rollback":
            return super().cancel_stack(me, number, operation)

        def rollback(engine: Any, who: dict[str, str]) -> None:
            stack = Stack.load(_live().context(), stack_id=who["stack_id"])
            stack.thread_group_mgr = engine.thread_group_mgr
            stack.rollback()

        return self._of(me, operation, rollback)


def _options(operation: Operation) -> dict[str, Any]:
    return {"disable_rollback": not operation.rollback, "timeout_mins": LIMIT if operation.timeout else None}
