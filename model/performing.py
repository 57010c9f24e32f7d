"""How each effect is done in a world: one small function each, called with the world, the task and the effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from heatproof.model import bodies
from heatproof.model import effects as fx
from heatproof.model.database import MISSING
from heatproof.model.errors import DesignError

if TYPE_CHECKING:
    from heatproof.model.world import Task, World


def read(world: World, _task: Task, effect: fx.Read) -> Any:
    """Read one row."""
    return world.database.rows[effect.table].get(effect.key)


def query(world: World, _task: Task, effect: fx.Query) -> Any:
    """Read the rows that match."""
    return world.database.query(effect)


def insert(world: World, _task: Task, effect: fx.Insert) -> Any:
    """Insert a row."""
    return world.database.insert(effect)


def update(world: World, _task: Task, effect: fx.Update) -> Any:
    """Write one row, perhaps conditionally."""
    return world.database.update(effect)


def delete(world: World, _task: Task, effect: fx.Delete) -> Any:
    """Delete the rows that match."""
    return world.database.delete(effect)


def transaction(world: World, task: Task, effect: fx.Transaction) -> Any:
    """Run a transaction, or what is left of one that a fault has split."""
    known = world.split.get(task.name, ())
    if known:
        world.put(world.split, task.name, MISSING)
    outbox: list[fx.Send] = []
    node = world.nodes[task.name]
    if node.held is None:  # the same in all worlds, and nothing but the body can change it
        node.held = bodies.held_by(effect)
    with bodies.unchanged(effect, node.held):
        result = world.database.transact(effect, known, outbox=outbox)
    if type(result) is not fx.Thrown:
        for sent in outbox:
            try:
                world.post(sent.message, sent.args, sent.to)
            except DesignError as error:
                raise DesignError(f"{bodies.place_of(effect.body)}: step {effect.step}: {error}") from error
    return result


def send(world: World, _task: Task, effect: fx.Send) -> None:
    """Put a message into the message layer."""
    world.post(effect.message, effect.args, effect.to)


def spawn(world: World, task: Task, effect: fx.Spawn) -> None:
    """Start a task beside this one, which ends at once if it has nothing to do."""
    name = world.unused(world.design.label(effect.handler, effect.args))
    begun, node = world.begin(name, effect.handler, effect.args, task.engine, None)
    if node.effect is None:
        world.end(begun)


def probe(world: World, _task: Task, effect: fx.Probe) -> bool:
    """Ask whether an engine lives."""
    return effect.engine in world.free


def listen(world: World, task: Task, effect: fx.Listen) -> None:
    """Register for cancel notices."""
    world.put(world.listens, task.name, (*world.listens.get(task.name, ()), effect.topic))


def cancel(world: World, task: Task, effect: fx.Cancel) -> None:
    """Leave cancel notices in this engine."""
    for name, topics in list(world.listens.items()):
        other = world.tasks.get(name)
        if effect.topic in topics and other is not None and other.engine == task.engine:
            world.put(world.notices, name, True)


def sleep(world: World, task: Task, _effect: fx.Sleep) -> None:
    """Give way, also to others that have given way before."""
    world.put(world.slept, task.name, len(world.log))


def expired(world: World, _task: Task, effect: fx.Expired) -> bool:
    """Look at the clock."""
    return effect.topic in world.expired


def begin(world: World, task: Task, effect: fx.Begin) -> Any:
    """Begin a physical operation."""
    if effect.operation == "create":
        return world.reality.create(task.name, effect.subject, effect.spec, effect.cause, effect.topic)
    return world.reality.begin(task.name, effect.operation, effect.subject, effect.spec, effect.cause, effect.topic)


def finish(world: World, task: Task, effect: fx.Finish) -> str:
    """End the physical operation of this task."""
    thing = world.reality.things.get(effect.physical)
    outcome = "done"
    if task.name in world.notices:
        outcome = "cancelled"
    elif world.expired and thing is not None:
        busy = next((b for b in thing.busy if b.task == task.name), None)
        if busy is not None and busy.topic in world.expired:
            outcome = "timed out"
    return world.reality.finish(task.name, effect.physical, outcome)


def look(world: World, _task: Task, effect: fx.Look) -> Any:
    """Look at a physical resource."""
    return world.reality.things.get(effect.physical)


PERFORMERS: dict[type[Any], Callable[..., Any]] = {
    fx.Read: read, fx.Query: query, fx.Insert: insert, fx.Update: update, fx.Delete: delete, fx.Transaction: transaction,
    fx.Send: send, fx.Spawn: spawn, fx.Probe: probe, fx.Listen: listen, fx.Cancel: cancel, fx.Sleep: sleep,
    fx.Expired: expired, fx.Begin: begin, fx.Finish: finish, fx.Look: look,
}  # fmt: skip
