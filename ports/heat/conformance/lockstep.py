"""One run of the model and of the engine side by side, compared after every action.

The two are worlds with the same message layer, engines, reality and faults, and they name their tasks, rows and traversals alike. So an
action means the same to both. What :mod:`correspondence` says has no counterpart is done at once, with the action before it. After each
action everything is compared: what can happen next, the rows of the four tables, the messages, reality, what each task is about to do,
what the users were told, and the verdicts of the properties.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from heatproof.model.designs.heat import Heat
from heatproof.model.errors import HeatproofError
from heatproof.model.scenario import Scenario
from heatproof.model.world import Action, World
from heatproof.ports.heat.conformance import correspondence
from heatproof.ports.heat.design import HeatEngine
from heatproof.ports.heat.world import EngineWorld
from heatproof.properties.base import Property
from heatproof.strategies.running import Driver

LONG = 400
"""Characters of a value that are shown."""


class CountingEngine(HeatEngine):
    """The engine with a clock that counts operations, as the model's does (:data:`correspondence.TIME`)."""

    clock = "operations"


class Difference(NamedTuple):
    """Where the two part: after how many actions, in what (``rows``, ``messages``, ``reality``, ``next``, ``actions``, ``answers``,
    ``verdicts``, ``error`` or ``accesses``), about whom, and what each side has there."""

    step: int
    kind: str
    subject: str
    model: str
    engine: str

    def __str__(self) -> str:
        return f"{self.kind}, {self.subject}: the model has {self.model}; the engine has {self.engine}"


class Lockstep:
    """The two runs. After a :class:`Difference` nothing more can be done in it.

    ``actions`` are what was done on both sides, ``points`` the pairs of (point of the engine, step of the model) at which tasks stood,
    ``overlapping`` the most operations that were asked without a rest between them.
    Raises :class:`HeatproofError` if there is no engine that the port knows.
    """

    def __init__(self, scenario: Scenario, properties: Sequence[Property] = (), design: Heat | None = None):
        self.scenario = scenario
        self.model = Driver(design or Heat(), scenario, properties)
        self.engine = Driver(CountingEngine(), scenario, properties)
        self.actions: list[Action] = []
        self.difference: Difference | None = None
        self.points: set[tuple[str, str]] = set()
        self.overlapping = self._since_rest = 0

    @property
    def world(self) -> World:
        """The model's world: what policies look at."""
        return self.model.world

    def perform(self, action: Action) -> Difference | None:
        """Do it on both sides; the first difference, if there is one."""
        if action.kind == "operate":
            self._since_rest = self._since_rest + 1 if self.world.progress() else 1
            self.overlapping = max(self.overlapping, self._since_rest)
        self.actions.append(action)
        raised = [
            _do(self.model, action, correspondence.model_alone),
            _do(self.engine, action, correspondence.engine_alone),
        ]
        if any(raised):
            self.difference = self._differ("error", str(action), *(told or "none" for told in raised))
        else:
            self.difference = next(self._compare(), None)
        return self.difference

    def rest(self) -> Difference | None:
        """Nothing can happen on either side: ask both what must hold at rest."""
        self.model.rest()
        self.engine.rest()
        self.difference = next(self._verdicts(), None)
        return self.difference

    def next_steps(self) -> list[tuple[str, str, str]]:
        """What each task would do next: its name, in the model, in the engine."""
        mine, its = self.model.world.nodes, self.engine.world.nodes

        def at(nodes: dict[str, Any], name: str) -> str:
            return told(nodes[name].effect if name in nodes else None)

        return [(name, at(mine, name), at(its, name)) for name in sorted({*mine, *its})]

    # ------------------------------------------------------------------------------------------------------ comparing

    def _differ(self, kind: str, subject: object, model: object, engine: object) -> Difference:
        return Difference(len(self.actions), kind, str(subject), _shown(model), _shown(engine))

    def _compare(self) -> Iterator[Difference]:
        yield from self._rows()
        yield from self._messages()
        yield from self._pairs("reality", self.model.world.reality.things, self.engine.world.reality.things)
        yield from self._next()
        yield from self._enabled()
        yield from self._answers()
        yield from self._verdicts()

    def _pairs(self, kind: str, mine: Any, its: Any) -> Iterator[Difference]:
        if mine == its:
            return
        for key in sorted({*mine, *its}, key=str):
            if mine.get(key) != its.get(key):
                yield self._differ(kind, key, mine.get(key, "nothing"), its.get(key, "nothing"))

    def _rows(self) -> Iterator[Difference]:
        for table in correspondence.TABLES:
            mine, its = self.model.world.database.rows[table], self.engine.world.database.rows[table]
            for key in sorted({*mine, *its}, key=str):
                a, b = mine.get(key), its.get(key)
                if a is None or b is None:
                    yield self._differ("rows", f"{table.name} {key}", a or "no such row", b or "no such row")
                    continue
                for column in table.columns:
                    x, y = getattr(a, column), getattr(b, column)
                    if column == "updated_at":
                        x *= 1000  # the model counts operations, the reader milliseconds
                    elif column == "failures":
                        x, y = {name for name, _ in x}, {name for name, _ in y}
                    if x != y and (table.name, column) not in correspondence.NOT_COMPARED:
                        yield self._differ("rows", f"{column} of {table.name} {key}", x, y)

    def _messages(self) -> Iterator[Difference]:
        world = self.engine.world
        assert isinstance(world, EngineWorld)
        mine = {name: (m.handler, m.to, *correspondence.model_message(m)) for name, m in self.model.world.bag.items()}
        its = {name: (m.handler, m.to, *correspondence.engine_message(m, world)) for name, m in world.bag.items()}
        yield from self._pairs("messages", mine, its)

    def _next(self) -> Iterator[Difference]:
        mine, its = self.model.world.nodes, self.engine.world.nodes
        for name in sorted({*mine, *its}):
            x = mine[name].effect if name in mine else None
            y = its[name].effect if name in its else None
            if x is not None and y is not None:
                self.points.add((y.step, x.step))
                if correspondence.same(x, y):
                    continue
            yield self._differ("next", name, told(x), told(y))

    def _enabled(self) -> Iterator[Difference]:
        mine, its = set(self.model.world.actions()), set(self.engine.world.actions())
        if mine != its:
            yield self._differ("actions", "possible on one side only", _texts(mine - its), _texts(its - mine))

    def _answers(self) -> Iterator[Difference]:
        mine = {f"operation {n}": answer[0] for n, answer in self.model.world.requests.items()}
        its = {f"operation {n}": answer[0] for n, answer in self.engine.world.requests.items()}
        yield from self._pairs("answers", mine, its)

    def _verdicts(self) -> Iterator[Difference]:
        mine, its = set(self.model.monitor.violations), set(self.engine.monitor.violations)
        if mine != its:
            yield self._differ("verdicts", "violated on one side only", _texts(mine - its), _texts(its - mine))


def told(effect: Any) -> str:
    """What a task is about to do, in two words."""
    return "no such task" if effect is None else f"{type(effect).__name__.lower()} {effect.step}"


def _do(driver: Driver, action: Action, alone: Callable[[Any], bool]) -> str:
    """Do an action and what has no counterpart on the other side; the text of an error, or nothing."""
    try:
        driver.perform(action)
        again = True
        while again:
            again = False
            for name, node in list(driver.world.nodes.items()):
                if alone(node.effect):
                    driver.perform(driver.world.tasks[name].action)
                    again = True
    except HeatproofError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _texts(values: set[Any]) -> str:
    return ", ".join(sorted(str(v) if isinstance(v, Action) else ": ".join(v) for v in values)) or "none"


def _shown(value: object) -> str:
    text = str(value.canonical() if hasattr(value, "canonical") else value)
    return text if len(text) < LONG else text[:LONG] + "..."


__all__ = ["CountingEngine", "Difference", "Lockstep", "told"]
