"""Whoever looks into the ids of engines, in a search whose engines are anonymous (symmetry.py), is noticed.

Handlers are told of their engine by an :class:`EngineId`, which takes notice; so are properties, of the engines that live and of those of tasks.
Rows, messages and what properties remember hold what these have put there. A text that reads like an id and is none, and a kind of witness that
reads like one, are noticed too. The search then begins anew and tells engines apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from heatproof.model.engine_ids import EngineId, EnginesTold, look_for_made_up
from heatproof.model.world import Task
from heatproof.strategies.proving.names import Tasks
from heatproof.strategies.proving.symmetry import LIKE

if TYPE_CHECKING:
    from heatproof.strategies.proving.learning import LearningWorld, Lesson


class Telling:
    """Watches over the ids of engines in one world."""

    def __init__(self, world: LearningWorld):
        self._world = world
        self._ids: dict[str, EngineId] = {}
        EngineId.noticed = False
        identified, plain = self.identified, world.me
        world.identified = identified

        def made(kind: Any, engine: str, task: str) -> Any:
            return tuple.__new__(kind, (identified(engine), self._named(task)))

        world.me = type("Me", (plain,), {"__slots__": (), "__new__": made})
        observation: Any = world.observation
        observation.tasks = _Tasks(world, self)
        if getattr(observation, "engines", None) is world.free:
            observation.engines = _Engines(world.free, self)

    def identified(self, engine: str) -> EngineId:
        """The id of an engine as it is handed out. There is one object for each."""
        known = self._ids.get(engine)
        if known is None:
            known = self._ids[engine] = EngineId(engine)
        return known

    def _named(self, task: str) -> str:
        """The name of a task as its handler is told: one that is made of the id of an engine, that of a message which carries one, is watched as that
        is. Raises :class:`EnginesTold` where it may be made of something else, and handlers are known to look at their names."""
        if not LIKE.search(task):
            return task
        if EngineId.doubted and self._world.own_names:
            EngineId.told()
        return task if EngineId.doubted else self.identified(task)

    def check(self, lesson: Lesson) -> None:
        """Raise :class:`EnginesTold` where somebody has looked into an id while this was learned, or a kind of witness has one."""
        if EngineId.noticed or any(LIKE.search(str.__str__(kind)) for (_, kind), _ in lesson.found.violations):
            raise EnginesTold


class _Engines(Mapping[str, int]):
    """The engines that live, as properties see them."""

    def __init__(self, free: Mapping[str, int], telling: Telling):
        self._free, self._telling = free, telling

    def __getitem__(self, engine: str) -> int:
        self._by_name(engine)
        return self._free[engine]

    def __contains__(self, engine: object) -> bool:
        self._by_name(engine)
        return engine in self._free

    def _by_name(self, engine: object) -> None:
        """Somebody asks for an engine: it must not be by a text that he has made up."""
        look_for_made_up(engine)

    def __iter__(self) -> Iterator[str]:
        engines = list(self._free)
        if len(engines) > 1:  # who goes through them learns which comes first
            EngineId.told()
        return map(self._telling.identified, engines)

    def __len__(self) -> int:
        return len(self._free)


class _Tasks(Tasks):
    """The tasks as properties see them, on such engines."""

    def __init__(self, world: LearningWorld, telling: Telling):
        super().__init__(world)
        self._telling = telling

    def __iter__(self) -> Iterator[str]:
        names = list(super().__iter__())
        if any(LIKE.search(name) for name in names):  # they are in order, and a text in which an id stands is no secret any more
            EngineId.told()
        return iter(names)

    def __getitem__(self, name: str) -> Any:
        task = super().__getitem__(name)
        return Task(task.name, task.handler, task.args, self._telling.identified(task.engine), task.seq, task.message)
