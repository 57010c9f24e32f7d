"""Tasks of the real engine as nodes: the counterpart of the model's trie. A node's state is alive, so it is never found again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from heatproof.model import effects as fx
from heatproof.model.performing import PERFORMERS
from heatproof.model.program import Node, Program, Root
from heatproof.ports.heat import statements
from heatproof.ports.heat.hub import Activity, End

if TYPE_CHECKING:
    from heatproof.ports.heat.live import Live


def _transaction(_world: Any, _task: Any, _effect: Any) -> None:
    """Heat does it itself when it is resumed."""


PERFORM: dict[type[Any], Callable[..., Any]] = {**PERFORMERS, fx.Transaction: _transaction}


class Execution(Program):
    """Runs handlers in activities. ``live`` is the living side of the run that it serves."""

    def __init__(self, handlers: dict[str, Callable[..., Any]]):
        super().__init__(handlers, PERFORM)
        self.live: Live | None = None

    def start(self, handler: str, args: tuple[Any, ...], me: fx.Me) -> Node:
        """A new activity, run to its first point."""
        live = self.live
        assert live is not None
        function = self.handlers[handler]
        topic = args[2] if handler == "check_resource" else args[0] if handler == "converge_create_or_update" else None
        activity = live.begin(me.task, me.engine, topic, lambda: function(me, *args))
        root = Root(handler, args, me)
        root.node = Node(root, None, None, None)
        self._go_on(root.node, activity, None)
        return root.node

    def follow(self, node: Node, result: Any) -> Node:
        """Resume the activity that stands at ``node``; what it stands at next."""
        activity = node.gen
        assert isinstance(activity, Activity)
        node.gen = None
        after = Node(node.root, node, result, None)
        self._go_on(after, activity, result)
        if type(node.effect) is fx.Transaction and type(result) is not fx.Thrown:
            sent = tuple(map(statements.read, activity.committed)) if node.effect.step.endswith("/commit") else ()
            after.result = statements.Accessed(tuple(map(statements.read, activity.statements)), activity.live.names, sent)
        return after

    def replay(self, node: Node) -> None:
        """A task of the engine cannot be run again by itself; see :meth:`heatproof.ports.heat.world.EngineWorld.audit`."""

    @contextmanager
    def watchdog(self, seconds: float = 5.0) -> Iterator[None]:
        """Heat's code may compute as long as it likes."""
        yield

    def _go_on(self, node: Node, activity: Activity, result: Any) -> None:
        live = activity.live
        live.last = activity
        if live.metered:
            live.resumed.append(activity)
        there = activity.resume(result)
        if isinstance(there, End):
            live.ended(activity)
            node.value = there.value
            node.escaped = None if there.error is None else escape(there.error)
            return
        node.effect = there
        node.perform = PERFORM[type(there)]
        node.gen = activity


def escape(error: BaseException) -> fx.Escape:
    """An exception of Heat's as one that may leave a handler: it keeps its name and its text, without the statement that SQLAlchemy adds."""
    inner = getattr(error, "exc_info", None)
    if inner:
        error = inner[1]
    kind = type(type(error).__name__, (fx.Escape,), {})
    made: fx.Escape = kind(str(error).partition("\n[SQL: ")[0])
    return made
