"""A 128-bit fingerprint of the state of a world: equal states have equal fingerprints in every process.

The fingerprint is a sum of salted hashes of the parts of the state, so that a part that changed can be exchanged without looking at the
others. Threads are anonymous (a task is counted by what it does, not by where it runs within its engine), and so are messages with
equal content. Names of tasks and messages that only tell equals apart are no part of it.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heatproof.model.program import Node
    from heatproof.model.world import World

MODULUS = 1 << 128


def canonical(value: Any) -> str:
    """A text that is the same for equal values in every process, whatever the seed of Python's hashes."""
    if value is None or isinstance(value, str | int | bool):
        return repr(value)
    if isinstance(value, frozenset | set):
        return "{" + ",".join(sorted(map(canonical, value))) + "}"
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{canonical(k)}:{canonical(v)}" for k, v in value.items())) + "}"
    if isinstance(value, tuple | list):
        return f"{type(value).__name__}(" + ",".join(map(canonical, value)) + ")"
    if hasattr(value, "canonical"):
        return f"{type(value).__name__}{canonical(value.canonical())}"
    return repr(value)


def digest(*parts: Any) -> int:
    """The hash of one part of a state."""
    return int.from_bytes(blake2b(canonical(parts).encode(), digest_size=16).digest(), "big")


def fingerprint(world: World) -> int:
    """The fingerprint of the present state. What the default policy remembers and the log are no part of the state."""
    total = 0
    now = len(world.log)
    for table, rows in world.database.rows.items():
        for key, row in rows.items():
            total += digest("row", table.name, key, row)
    for thing in world.reality.things.values():
        total += digest("thing", thing)
    for message in world.bag.values():
        total += digest("message", message.handler, message.args, message.to, _left(world, message.name, now))
    for name, task in world.tasks.items():
        extra = (world.listens.get(name), name in world.notices, world.split.get(name), _left(world, name, now))
        total += digest("task", task.engine, node_digest(world.nodes[name]), extra)
    parts: tuple[tuple[str, Any], ...] = (
        ("used", world.database.used), ("made", world.reality.made), ("broken", world.reality.broken), ("free", world.free),
        ("down", world.down), ("expired", world.expired), ("left", world.left), ("state", world.state),
        ("requests", world.requests), ("memory", world.memory),
    )  # fmt: skip
    for title, part in parts:
        total += digest(title, part)
    return total % MODULUS


def _left(world: World, name: str, now: int) -> int:
    return max(0, world.held.get(name, 0) - now)


def node_digest(node: Node) -> int:
    """The hash of a task's state: its call and the results it was sent."""
    if node.mark is None:
        if node.parent is None:
            node.mark = digest("call", node.root.handler, node.root.args, node.root.me)
        else:
            node.mark = digest("sent", node_digest(node.parent), node.result)
    return node.mark
