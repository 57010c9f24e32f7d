"""Engines come and go: crash and restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heatproof.model.database import MISSING
from heatproof.model.errors import NotEnabled

if TYPE_CHECKING:
    from heatproof.model.world import Action, Entry, World


def crash(world: World, engine: str) -> None:
    """The engine dies: its tasks are gone, their physical operations go on alone, its rows keep its id.

    A message that was to be acknowledged after handling is delivered again; one addressed to this engine is lost.
    """
    dead = [task for task in world.tasks.values() if task.engine == engine]
    world.put(world.free, engine, MISSING)
    world.put(world.down, engine, _successor(engine))
    _sort(world.down)
    world.put(world.held, engine, MISSING)
    for task in dead:
        name = task.name
        if name in world.asked:
            world.answer(name, "lost", f"{engine} died")
        world.put(world.tasks, name, MISSING)
        world.put(world.nodes, name, MISSING)
        for table in (world.listens, world.notices, world.held, world.ranks, world.split):
            world.put(table, name, MISSING)
    world.reality.orphan({task.name for task in dead})
    for message in [m for m in world.bag.values() if m.to == engine]:
        world.put(world.bag, message.name, MISSING)
    if world.late:
        for task in dead:
            if task.message is not None and task.message.to is None:
                world.post(task.message.handler, task.message.args, None)


def restart(world: World, action: Action) -> Entry:
    """A crashed engine comes back under a new id, empty."""
    engine = action.subject
    if engine not in world.down:
        raise NotEnabled(f"engine {engine!r} is not down; down are {', '.join(world.down) or 'none'}")
    fresh = world.down[engine]
    world.put(world.down, engine, MISSING)
    world.put(world.free, fresh, world.scenario.scope.threads)
    _sort(world.free)
    return world.note(action)


def place(item: tuple[str, Any]) -> tuple[int, int]:
    """Where an engine stands among the others, by its number and its life: equal states list their engines in the same order."""
    number, _, life = item[0][1:].partition("/")
    return int(number), int(life or 1)


def _sort(table: dict[str, Any]) -> None:
    items = sorted(table.items(), key=place)
    table.clear()
    table.update(items)


def _successor(engine: str) -> str:
    base, _, life = engine.partition("/")
    return f"{base}/{int(life or 1) + 1}"
