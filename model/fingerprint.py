"""A 128-bit fingerprint of the state of a world: equal states have equal fingerprints in every process.

The fingerprint is a sum of salted hashes of the parts of the state, so that a part that changed can be exchanged without looking at the
others. Threads are anonymous (a task is counted by what it does, not by where it runs within its engine), and so are messages with
equal content. Names of tasks and messages that only tell equals apart are no part of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields as parts_of
from dataclasses import is_dataclass
from enum import Enum
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from heatproof.model.contents import CONTENT, Opaque, attributes, beside, fields, tells_all, title
from heatproof.model.errors import DesignError
from heatproof.model.faults import remaining

if TYPE_CHECKING:
    from heatproof.model.program import Node
    from heatproof.model.world import World

MODULUS = 1 << 128

BUSY: set[int] = set()
"""The values whose text is being made, by identity."""


def canonical(value: Any) -> str:
    """A text that is the same for equal values in every process, whatever the seed of Python's hashes.

    Raises :class:`DesignError` for a value that shows nothing of what it holds.
    """
    kind = type(value)
    if value is None or kind in (str, int, bool):
        return repr(value)
    name = title(kind) or kind.__qualname__
    if isinstance(value, Enum):  # whatever it says of itself
        return f"{name}.{value.name or canonical(value.value)}"
    if isinstance(value, frozenset | set):
        return "set{" + ",".join(sorted(map(canonical, value))) + "}"
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{canonical(k)}:{canonical(v)}" for k, v in value.items())) + "}"
    if isinstance(value, tuple | list):
        return f"{name}(" + ",".join(map(canonical, value)) + ")" + (_beside(value, attributes) if beside(kind) else "")
    if hasattr(value, "canonical"):
        return f"{name}{canonical(value.canonical())}"
    if is_dataclass(value) and not isinstance(value, type):
        return f"{name}{canonical([getattr(value, f.name) for f in parts_of(value)])}"
    if isinstance(value, BaseException):
        return f"{name}{canonical(value.args)}{_beside(value, fields)}"
    for simple, content in CONTENT.items():
        if isinstance(value, simple) and kind is not simple:
            return f"{name} {canonical(content(value))}{_beside(value, attributes)}"
    if getattr(kind, "__repr__", None) is object.__repr__:
        raise DesignError(
            f"a value of class {kind.__qualname__} stands in a row, a message or a result, and nothing shows what it holds;"
            " make it a NamedTuple or a frozen dataclass, or give it a method canonical() that returns plain values"
        )
    return repr(value) + ("" if tells_all(kind) else _beside(value, fields))


def _beside(value: Any, parts: Callable[[Any], tuple[tuple[str, ...], list[Any]]]) -> str:
    """The text of the attributes of a value, as far as one can look into it. It may be among them."""
    if id(value) in BUSY:
        return "itself"
    BUSY.add(id(value))
    try:
        names, contents = parts(value)
        return canonical(tuple(zip(names, contents, strict=True))) if names else ""
    except Opaque:
        return ""
    finally:
        BUSY.discard(id(value))


def digest(*parts: Any) -> int:
    """The hash of one part of a state."""
    return int.from_bytes(blake2b(canonical(parts).encode(), digest_size=16).digest(), "big")


def fingerprint(world: World, standing: Callable[[Node], int] | None = None) -> int:
    """The fingerprint of the present state. What the default policy remembers and the log are no part of the state. ``standing`` says of each
    task where it stands, by default by all that it was sent (:func:`node_digest`)."""
    standing = standing or node_digest
    total = 0
    now = len(world.log)
    for table, rows in world.database.rows.items():
        for key, row in rows.items():
            total += digest("row", table.name, key, row)
    for thing in world.reality.things.values():
        total += digest("thing", thing)
    ahead: dict[tuple[str, str | None], int] = {}  # how many messages of a queue are before the next one, where that matters
    for message in world.bag.values():
        queue = message.handler, message.to
        if not world.any_order:
            ahead[queue] = ahead.get(queue, 0) + 1
        position = ahead.get(queue)
        total += digest("message", message.handler, message.args, message.to, _left(world, message.name, now), position)
    for name, task in world.tasks.items():
        to = None if task.message is None else (task.message.to,)
        extra = (world.listens.get(name), name in world.notices, world.split.get(name), _left(world, name, now), to)
        total += digest("task", task.engine, standing(world.nodes[name]), extra)
    for engine in world.free:
        if paused := _left(world, engine, now):
            total += digest("paused", engine, paused)
    parts: tuple[tuple[str, Any], ...] = (
        ("used", world.database.used), ("made", world.reality.made), ("broken", world.reality.broken), ("free", world.free),
        ("down", world.down), ("expired", world.expired), ("left", world.left), ("state", world.state),
        ("requests", world.requests), ("memory", world.memory),
    )  # fmt: skip
    for name, part in parts:
        total += digest(name, part)
    return total % MODULUS


def _left(world: World, name: str, now: int) -> int:
    return remaining(world.held.get(name, 0), now)


def node_digest(node: Node) -> int:
    """The hash of a task's state: its call and the results it was sent."""
    path: list[Node] = []
    known: Node | None = node
    while known is not None and known.mark is None:
        path.append(known)
        known = known.parent
    mark = 0 if known is None or known.mark is None else known.mark
    for step in reversed(path):
        if step.parent is None:
            mark = digest("call", step.root.handler, step.root.args, step.root.me)
        else:
            mark = digest("sent", mark, step.result)
        step.mark = mark
    return mark
