"""Engines come and go: crash and restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heatproof.model.database import MISSING
from heatproof.model.errors import NotEnabled

if TYPE_CHECKING:
    from heatproof.model.world import Action, Entry, Message, Task, World


OPEN = "E0/"
"""How the ids of engines begin of which it is open which they are. No other does: what is made of one without being noticed reads like an id that
there is not."""


class OpenEngine(str):
    """The id of an engine of which a search leaves open which it is (strategies/proving/placing.py): that of a task."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """The name of its task."""
        return str.__str__(self)[len(OPEN) :]


class Someones:
    """What stands for an open engine where it does not matter whose it is: the place where it stands, or nothing for one's own."""

    __slots__ = ("place",)

    def __init__(self, place: str):
        self.place = place

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Someones) and other.place == self.place

    def __hash__(self) -> int:
        return hash(("engine", self.place))


def crash(world: World, engine: str) -> None:
    """The engine dies: its tasks are gone, their physical operations go on alone, its rows keep its id.

    A message that was to be acknowledged after handling is delivered again, in a queue before those that wait there; one addressed to this engine
    is lost. Only where messages come back to a queue does it matter in which order tasks began; elsewhere that is no part of a state, so they
    die in the order of their names.
    """
    dead = world.tasks_of(engine)
    if world.any_order or not world.late:
        dead.sort(key=lambda task: task.name)
    shut_down(world, engine)
    back = [message for task in dead if (message := kill(world, task)) is not None]
    if back and not world.any_order:
        _put_first(world, back)
    for message in world.messages_to(engine):
        lose(world, message.name)


def lose(world: World, name: str) -> None:
    """A message is gone, and nothing that was said of it is said of another that will be called like it."""
    for table in (world.bag, world.held, world.ranks):
        world.put(table, name, MISSING)


def _put_first(world: World, back: list[Message]) -> None:
    """Put messages that have come back, in the order in which they had been taken, before all others."""
    others = [message for message in world.bag.values() if message not in back]
    for message in (*back, *others):
        world.put(world.bag, message.name, MISSING)
    for place, message in enumerate(back):
        message.seq = (-1 - len(world.log), place)  # an undo sorts by it; whatever is put first later is before these
    for message in (*back, *others):
        world.put(world.bag, message.name, message)


def shut_down(world: World, engine: str) -> None:
    """The engine itself is gone; what becomes of its tasks and of the messages to it comes after."""
    world.put(world.free, engine, MISSING)
    world.put(world.down, engine, _successor(engine))
    world.arrange(world.down)
    world.put(world.held, engine, MISSING)


def kill(world: World, task: Task) -> Message | None:
    """One task of an engine that dies: nobody hears of it again, except by a message that was not acknowledged yet, which has come back. It is called
    as it was: other names would go by the order in which tasks began, and that is no part of a state."""
    name = task.name
    if name in world.asked:
        world.answer(name, "lost", f"{task.engine} died")
    world.put(world.tasks, name, MISSING)
    world.put(world.nodes, name, MISSING)
    for table in (world.listens, world.notices, world.held, world.ranks, world.slept, world.split):
        world.put(table, name, MISSING)
    world.reality.leave(name)
    if world.late and task.message is not None and task.message.to is None:
        return world.post(task.message.handler, task.message.args, None, name)
    return None


def restart(world: World, action: Action) -> Entry:
    """A crashed engine comes back under a new id, empty."""
    engine = action.subject
    if engine not in world.down:
        raise NotEnabled(f"engine {engine!r} is not down; down are {', '.join(world.down) or 'none'}")
    fresh = world.down[engine]
    world.put(world.down, engine, MISSING)
    world.put(world.free, fresh, world.scenario.scope.threads)
    world.arrange(world.free)
    return world.note(action)


def place(item: tuple[str, Any]) -> tuple[int, int]:
    """Where an engine stands among the others, by its number and its life: equal states list their engines in the same order."""
    number, _, life = item[0][1:].partition("/")
    return int(number), int(life or 1)


def _successor(engine: str) -> str:
    base, _, life = engine.partition("/")
    return f"{base}/{int(life or 1) + 1}"
