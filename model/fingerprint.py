"""A 128-bit fingerprint of the state of a world: equal states have equal fingerprints in every process.

The fingerprint is a sum of salted hashes of the parts of the state, so that a part that changed can be exchanged without looking at the
others. Threads are anonymous (a task is counted by what it does, not by where it runs within its engine), and so are messages with
equal content. Names of tasks and messages that only tell equals apart are no part of it.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from heatproof.model.canonical import canonical
from heatproof.model.faults import remaining

if TYPE_CHECKING:
    from heatproof.model.program import Node
    from heatproof.model.world import World

MODULUS = 1 << 128


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
