"""What is put in Heat's places: each function takes what stands there and returns what is to stand there.

Where no activity is running (set-up, the scheduler, other code of the process) every one does what the original did.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from heatproof.model import effects as fx
from heatproof.ports.heat import hub, places
from heatproof.ports.heat.databases import base

# ------------------------------------------------------------------------------------------------------- the database


def transactions(original: Any) -> Any:
    """The scheduler is asked first; database faults are raised as oslo.db raises them. At the grain of a statement it is asked later."""
    from oslo_db import exception
    from oslo_db.sqlalchemy import enginefacade

    @contextmanager
    def _transaction_scope(self: Any, context: Any) -> Iterator[Any]:
        result, activity = None, hub.current()
        if activity is None or getattr(enginefacade._transaction_contexts_by_thread(context), "current", None) is not None:
            with original(self, context) as resource:
                yield resource
            return
        access = places.access(sys._getframe(1))
        activity.apart = "" if access is not None else places.function(sys._getframe(1))
        if activity.given_up:
            raise hub.Killed
        if activity.apart:
            activity.quiet.append(activity.apart)
        if activity.live.by_statement:
            activity.access, activity.wrote, activity.sent = access, False, []
            try:
                with original(self, context) as resource:
                    yield resource
            finally:
                activity.access = None
                activity.connections.clear()
            return
        if access is not None:
            result = hub.point(access)
        if isinstance(result, fx.Thrown) and isinstance(result.exception, fx.Aborted):
            raise exception.DBDeadlock
        try:
            with original(self, context) as resource:
                yield resource
        except Exception as error:
            if base.waited(error):
                name = activity.apart if access is None else access.step
                activity.broke(
                    base.held_elsewhere(activity.live.world.design.database.kind, f"task {activity.task!r} before {name}")
                )
            raise
        if isinstance(result, fx.Thrown):
            raise exception.DBConnectionError

    return _transaction_scope


# -------------------------------------------------------------------------------------------- messages and liveness


def no_client(original: Any) -> Any:
    """No client."""

    def __init__(self: Any) -> None:
        self._client = None

    return __init__


def cast(original: Any) -> Any:
    """Into the message layer."""

    def cast(self: Any, ctxt: Any, msg: Any, version: Any = None) -> None:
        method, arguments = msg
        _send(ctxt, method, arguments, None)

    return cast


def cast_to_one(original: Any) -> Any:
    """Into the message layer, for one engine."""

    def cancel_check_resource(self: Any, ctxt: Any, stack_id: str, engine_id: str) -> None:
        _send(ctxt, "cancel_check_resource", {"stack_id": stack_id}, engine_id)

    return cancel_check_resource


def _send(context: Any, method: str, arguments: dict[str, Any], to: str | None) -> None:
    activity = hub.current()
    assert activity is not None
    text = json.dumps(arguments)  # what is sent must survive the way there
    hub.point(fx.Send(places.caller(sys._getframe(2)), method, activity.live.message(method, text), to))


def no_listener_client(original: Any) -> Any:
    """No client."""

    def __init__(self: Any, engine_id: str) -> None:
        self.engine_id = engine_id

    return __init__


def is_alive(original: Any) -> Any:
    """The world is asked."""

    def is_alive(self: Any, ctxt: Any) -> Any:
        return hub.point(fx.Probe(places.caller(sys._getframe(1)), self.engine_id))

    return is_alive


# ------------------------------------------------------------------------------------------------------ time and chance


def sleep(original: Any) -> Any:
    """Nobody sleeps."""

    def sleep(seconds: float) -> None:
        activity = hub.current()
        if activity is None:
            original(seconds)
        elif seconds > 0:
            step = places.sleeping(sys._getframe(1))
            if step is None:
                activity.slept += seconds
            else:
                hub.point(fx.Sleep(step))

    return sleep


def wallclock(original: Any) -> Any:
    """The world's clock."""

    def wallclock() -> float:
        activity = hub.current()
        return float(original()) if activity is None else activity.live.seconds(activity)

    return wallclock


def utcnow(original: Any) -> Any:
    """The world's clock."""

    def utcnow(with_timezone: bool = False) -> Any:
        activity = hub.current()
        return original(with_timezone) if activity is None else activity.live.now(activity, sys._getframe(1))

    return utcnow


def has_timed_out(original: Any) -> Any:
    """An action of its own."""

    def has_timed_out(self: Any) -> bool:
        activity = hub.current()
        if (
            activity is not None
            and activity.topic is not None
            and self.timeout_mins is not None
            and self.status == self.IN_PROGRESS
        ):
            return bool(hub.point(fx.Expired("has_timed_out", activity.topic)))
        return bool(original(self))

    return has_timed_out


class _EvenChance:
    """Stands for the module ``random``: jitter decides nothing here, since a task that sleeps is woken when the scheduler says so."""

    @staticmethod
    def random() -> float:
        """One half."""
        return 0.5

    @staticmethod
    def uniform(low: float, high: float) -> float:
        """The middle."""
        return (low + high) / 2


def chance(original: Any) -> Any:
    """No chance."""
    return _EvenChance


def uuid4(original: Any) -> Any:
    """From the name of the activity."""

    def uuid4() -> Any:
        activity = hub.current()
        return original() if activity is None else activity.live.identifier(activity)

    return uuid4


def encrypt(original: Any) -> Any:
    """With a fixed vector, at a fixed time."""
    from cryptography import fernet

    def encrypt(value: Any, encryption_key: Any = None) -> Any:
        if hub.current() is None or value is None:
            return original(value, encryption_key)
        from heat.common import crypt

        key = fernet.base64.b64encode(crypt.get_valid_encryption_key(encryption_key, fix_length=True).encode())
        text = value if isinstance(value, bytes) else value.encode()
        return "cryptography_decrypt_v1", fernet.Fernet(key)._encrypt_from_parts(text, 0, b"0" * 16).decode()

    return encrypt


# ------------------------------------------------------------------------------------------------------------ order


def hash_by_name(original: Any) -> Any:
    """By the name."""

    def __hash__(self: Any) -> int:
        return len(self.name)

    return __hash__


def hash_without_text(original: Any) -> Any:
    """Without text."""

    def __hash__(self: Any) -> int:
        node = self.rsrc_id if isinstance(self.rsrc_id, int) else len(self.rsrc_id)
        return hash((node, bool(self.is_update)))

    return __hash__


class InOrder(set[Any]):
    """A set that is gone through in order."""

    def __iter__(self) -> Iterator[Any]:
        """In the order of their texts."""
        return iter(sorted(super().__iter__(), key=repr))


def in_order(original: Any) -> Any:
    """The same set, gone through in order."""

    def ordered(*args: Any, **kwargs: Any) -> Any:
        found = original(*args, **kwargs)
        return InOrder(found) if isinstance(found, set) else found

    return ordered


def _place(node: Any) -> tuple[str, ...]:
    """Where a node of a graph comes: cleanup before update, then by name; so do resources."""
    activity = hub.current()
    if activity is None or not hasattr(node, "rsrc_id"):
        return (str(getattr(node, "name", node)),)
    return ("U" if node.is_update else "C", activity.live.names.row(node.rsrc_id))


def nodes_in_order(original: Any) -> Any:
    """In the order of their names."""
    return lambda self: sorted(original(self), key=lambda item: _place(item[0]))


def edges_in_order(original: Any) -> Any:
    """In the order of their names."""
    return lambda *args: iter(sorted(original(*args), key=_place))


def sorted_in_order(original: Any) -> Any:
    """Nodes and rows that are alike in the order of their names."""

    def sorted(iterable: Any, /, *, key: Any = None, reverse: bool = False) -> Any:
        items = list(iterable)
        if items and hasattr(items[0], "rsrc_id"):
            items = original(items, key=_place)
        elif items and hasattr(items[0], "atomic_key"):
            items = original(items, key=_named)
        return original(items, key=key, reverse=reverse)

    return sorted


def _named(row: Any) -> str:
    activity = hub.current()
    return "" if activity is None else activity.live.names.row(row.id)


class _Named:
    """A query for rows of the table resource whose result is in the order of names."""

    def __init__(self, query: Any):
        self._query = query

    def all(self) -> list[Any]:
        """The rows."""
        return sorted(self._query.all(), key=_named)


def rows_in_order(original: Any) -> Any:
    """In the order of names, where the clock is that of the model's."""

    def exact_filter(query: Any, model: Any, filters: Any) -> Any:
        activity = hub.current()
        made = original(query, model, filters)
        in_order = activity is not None and activity.live.counts_operations and model.__tablename__ == "resource"
        return _Named(made) if in_order else made

    return exact_filter


def rows_by_id_in_order(original: Any) -> Any:
    """The same, of rows by id."""

    def db_active_resources_get(self: Any) -> Any:
        activity = hub.current()
        found = original(self)
        in_order = activity is not None and activity.live.counts_operations and found
        return {row.id: row for row in sorted(found.values(), key=_named)} if in_order else found

    return db_active_resources_get


def nodes_are_nodes(original: Any) -> Any:
    """Keys of input data that are nodes, as nodes."""
    from heat.engine.stack import ConvergenceNode

    def _str_unpack_tuple(s: str) -> Any:
        made = original(s)
        return ConvergenceNode(*made) if len(made) in (2, 3) and isinstance(made[1], bool) else made

    return _str_unpack_tuple


# ----------------------------------------------------------------------------------------------- who asks, and keystone


def allowed(original: Any) -> Any:
    """Always."""
    return lambda *args, **kwargs: True


def not_admin(original: Any) -> Any:
    """Never."""
    return lambda *args, **kwargs: False


class _Keystone:
    """What little the engine asks of keystone for stacks whose resources need no users."""

    def create_stack_domain_project(self, stack_id: str) -> str:
        """The project of a stack."""
        return f"project-of-{stack_id}"

    def delete_stack_domain_project(self, project_id: str) -> None:
        """Nothing was made."""


def keystone(original: Any) -> Any:
    """A keystone that makes nothing."""
    return lambda self: _Keystone()


def plain_context(original: Any) -> Any:
    """The class of other contexts."""
    from heat.common import context

    return context.RequestContext
