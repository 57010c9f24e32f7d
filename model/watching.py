"""A world seen from outside: the part of the observation that is the same for all designs, and what an action changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from heatproof.model import effects as fx
from heatproof.model.contents import hashable
from heatproof.model.database import MISSING
from heatproof.model.in_order import Listed
from heatproof.model.observation import Change, Event, Request
from heatproof.model.program import Node
from heatproof.model.world import World

NOTHING: Mapping[Any, Any] = {}


def _whoever() -> None:
    """Anybody may take notes."""


class WorldObservation:
    """Base of the observations of designs: a subclass points ``stacks``, ``resources``, ``sync_points`` and ``templates`` to
    mappings whose values have the fields that :mod:`heatproof.model.observation` names."""

    def __init__(self, world: World):
        self._world = world
        self.stacks: Mapping[Any, Any] = NOTHING
        self.resources: Mapping[Any, Any] = NOTHING
        self.sync_points: Mapping[Any, Any] = NOTHING
        self.templates: Mapping[Any, Any] = NOTHING
        self.reality = world.reality.things
        self.tasks: Mapping[str, Any] = Listed(world.tasks)
        self.engines = world.free
        self.faults = world.happened
        self.memory = world.memory
        self.noting: Callable[[], None] = _whoever  # asked before anything is remembered

    @property
    def history(self) -> Sequence[Event]:
        """Every effect that was done so far, in order."""
        return [
            event(entry.before, entry.after, entry.task.name)
            for entry in self._world.log
            if entry.task is not None and entry.before is not None and entry.after is not None
        ]

    @property
    def requests(self) -> Sequence[Request]:
        """What the user has asked so far."""
        operations = self._world.scenario.operations
        return [Request(n, operations[n - 1], *answer) for n, answer in sorted(self._world.requests.items())]

    def remember(self, key: Any, value: Any) -> None:
        """Remember ``value`` under ``key`` as part of the state. Raises :class:`TypeError` for what may change: an undo would not take that back."""
        self.noting()
        if not hashable(value):
            raise TypeError(
                f"{value!r:.200} may change, so it cannot be remembered; remember tuples and frozensets, and a new one each time"
            )
        self._world.put(self._world.memory, key, value)


def met(before: Node, after: Node) -> tuple[str, str]:
    """The step id and the outcome of an effect; worked out once for each node."""
    if after.met is None:
        effect = before.effect
        assert effect is not None
        after.met = (effect.step, _outcome(effect, after.result))
    return after.met


def event(before: Node, after: Node, task: str) -> Event:
    """What an effect was and how it ended."""
    effect, result = before.effect, after.result
    assert effect is not None
    name = type(effect).__name__.lower()
    table = getattr(effect, "table", None)
    key: Any = getattr(effect, "key", None)
    if key is None:
        key = next((v for f in ("physical", "subject", "engine", "message", "handler") if (v := getattr(effect, f, None))), None)
    return Event(effect.step, name, table.name if table is not None else "", key, _outcome(effect, result), task)


def _outcome(effect: fx.Effect, result: Any) -> str:
    if type(result) is fx.Thrown:
        return type(result.exception).__name__
    match effect:
        case fx.Read() | fx.Look():
            return "missing" if result is None else "found"
        case fx.Query():
            return "found" if result else "missing"
        case fx.Update() | fx.Delete():
            return "matched" if result else "lost"
        case fx.Transaction():
            if getattr(result, "lost", False):
                return "lost"
            last = result[-1] if isinstance(result, tuple) and result and type(result) is tuple else result
            return "lost" if last == 0 and isinstance(last, int) else "matched"
        case fx.Probe():
            return "alive" if result else "dead"
        case fx.Expired():
            return "expired" if result else "running"
        case fx.Begin():
            return "begun" if result else "not found"
        case fx.Finish():
            return str(result)
        case _:
            return "done"


ASPECTS = {
    "stack": "stacks", "resource": "resources", "sync point": "sync_points", "template": "templates", "reality": "reality",
    "request": "requests",
}  # fmt: skip
"""The aspects that properties of any design can watch, and where an observation has them. Besides these each table is one, by its name."""


class Watch:
    """Tells what each action changed, from the journal of the world.

    ``aspects`` are those that there are, each with the name by which its changes are told: where a table goes by two names, the first in
    ``ASPECTS``, or its own.
    """

    def __init__(self, world: World, observation: WorldObservation):
        self._journal = world.journal
        self._marks = world.marks
        self._aspects: dict[int, tuple[str, Mapping[Any, Any]]] = {}
        self.aspects: dict[str, str] = {}
        places: dict[str, Any] = {table.name: rows for table, rows in world.database.rows.items()}
        places |= {aspect: getattr(observation, name, None) for aspect, name in ASPECTS.items()} | {"request": world.requests}
        journaled = {id(v) for v in (*world.database.rows.values(), *vars(world.reality).values(), *vars(world).values())}
        for aspect in (*ASPECTS, *(name for name in places if name not in ASPECTS)):
            place = places[aspect]
            if id(place) in journaled:
                self.aspects[aspect], _ = self._aspects.setdefault(id(place), (aspect, place))

    def changes(self) -> list[Change]:
        """What the last action changed, in order. A row that was written twice by one action shows twice."""
        found: list[Change] = []
        journal, aspects = self._journal, self._aspects
        for position in range(self._marks[-1], len(journal)):
            table, key, old = journal[position]
            aspect = aspects.get(id(table))
            if aspect is not None:
                change = (aspect[0], key, None if old is MISSING else old, aspect[1].get(key))
                found.append(tuple.__new__(Change, change))
        return found
