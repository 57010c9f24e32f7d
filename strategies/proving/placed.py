"""The world of a search that leaves it open which engine a task is on (placing.py)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any

from heatproof.model.engines import OpenEngine
from heatproof.model.faults import FAULTS
from heatproof.model.program import Node
from heatproof.model.scenario import Scenario
from heatproof.model.world import Action, Entry, Message, Task
from heatproof.strategies.proving.columns import WatchedProgram
from heatproof.strategies.proving.learning import Found, LearningWorld, Lesson
from heatproof.strategies.proving.placing import EnginesMatter, Places
from heatproof.strategies.proving.symmetry import Nameless
from heatproof.strategies.proving.views import Unit

if TYPE_CHECKING:
    from heatproof.strategies.proving.search import Search

ROW = "row of "
"""How the groups of units of rows begin."""

NOBODY: dict[str, str] = {}
"""The engines in a row that there is not."""

NO_TIES: frozenset[Any] = frozenset()
"""The rows that hold an engine that stands in none."""


def may_be_open(scenario: Scenario) -> bool:
    """Whether engines can be left open in a scenario: there are several, and nothing happens to them."""
    return scenario.scope.engines > 1 and not any(FAULTS[kind].domain in ("engine", "dead engine") for kind in scenario.faults)


class PlacedProgram(WatchedProgram):
    """Handlers whose engines are open."""

    places: Places

    def _send(self, gen: Generator[Any, Any, Any], result: Any) -> Any:
        self.places.asking = True
        try:
            return super()._send(gen, result)
        finally:
            self.places.asking = False


class PlacedWorld(LearningWorld):
    """A world in which one action is learned at a time and engines are open."""

    watching = PlacedProgram
    watched: PlacedProgram
    places: Places

    def _exchange(self) -> None:
        self.free = {}
        super()._exchange()
        self.free = self.places = self.watched.places = Places(self.scenario.scope)
        self._met: dict[tuple[int, int], dict[str, str]] = {}  # the engines in rows, by column and value
        self._of: dict[int, frozenset[str]] = {}  # those that handlers hold, by the number of their class
        self._shown: dict[int, Any] = {}  # what of a task matters beside its node, without the name of its engine, by identity
        self._tied: dict[str, frozenset[Any]] = {}  # the rows that hold the engine of each task whose node this action wrote

    # ----------------------------------------------------------------------------------------- how values are told apart

    def content(self, column: int, number: int) -> Any:
        """As in any learning world. What is on one engine is not part of a state."""
        unit = self.space.units[column]
        group = unit.group
        identity: Any = self.space.identities[column][number]
        places = self.places
        if group == "node":
            static, member, name, ties = identity
            own = {static[1].name: ""} if isinstance(static[1], OpenEngine) else NOBODY
            held, shown = places.renamed(self.members[member][1], own), self._shown.get(id(static))
            if shown is None:  # there is one object for equal ones, which is kept
                shown = self._shown[id(static)] = places.renamed(static, own)
            return self.by_name(("node", shown, held if self.own_names else Nameless(held), name, ties), unit, self.keeps_order)
        content = super().content(column, number)
        if group.startswith(ROW):
            met = places.met(identity)
            return places.renamed(content, met) if met else content
        return content

    def mentions(self, column: int, content: Any) -> None:
        """What of a unit's value is part of the state was found to mention engines. Raises :class:`EnginesMatter` if it is no place for one."""
        unit = self.space.units[column]
        if self.places.inside(unit.key if unit.group == "node" or unit.group.startswith(ROW) else content):
            raise EnginesMatter

    def _node(self, name: str, node: Node) -> Any:
        (static, number, known), member = super()._node(name, node)
        return (static, number, known, self._ties(name)), member

    # ----------------------------------------------------------------------------------------------------------- lessons

    def lesson(self, row: Any, width: int, action: Action) -> Lesson:
        """As in any learning world. Raises :class:`EnginesMatter` too."""
        self.places.asking = False
        self._tied = {}
        try:
            lesson = super().lesson(row, width, action)
        finally:
            self.places.asking = False
        if self.places.noticed:
            raise EnginesMatter
        return lesson

    def _ask(self, ask: Callable[[], Any]) -> None:
        self.places.asking = True
        super()._ask(ask)
        self.places.asking = False

    def _found(self) -> Found:
        found = super()._found()
        if found.violations and self.places.inside(found.violations):  # to be told by its name
            raise EnginesMatter
        return found

    def _written(self) -> tuple[tuple[int, int], ...]:
        log: Any = self.log
        entry = log.last()
        self.watched.check(entry.after, self.pool)  # what nobody looks at again is not held
        self._where_engines_are(entry)
        return super()._written()

    def _where_engines_are(self, entry: Entry) -> None:
        """Find out which rows hold the engine of the task that has gone on, and that nobody else has one."""
        own = entry.task.name if entry.task is not None and isinstance(entry.task.engine, OpenEngine) else None
        tied = self._ties(own) if own is not None else NO_TIES
        state, width = self.space.row, self.space.width
        rows: Any
        for rows in self.database.rows.values():
            for key in rows.dirty:
                column, fresh = rows._columns.get(key), dict.get(rows, key)
                number = state[column] if column is not None and column < width else 0  # what is written was read
                old, new = self._met_in(column, number) if number else NOBODY, NOBODY if fresh is None else self.places.met(fresh)
                if old == new:
                    continue
                if any(old.get(name) != new.get(name) for name in old.keys() | new.keys() if name != own):
                    raise EnginesMatter
                tied = frozenset([tie for tie in tied if tie[:2] != (rows.group, key)])
                if own in new:
                    tied |= {(rows.group, key, new[own])}
        if own is not None:
            if own in self.nodes:
                self._tied[own] = tied
            elif tied:
                raise EnginesMatter
        nodes: Any = self.nodes
        for name in nodes.dirty:
            node = dict.get(nodes, name)
            if node is not None and node.effect is not None:
                number = self.class_number(node)
                held = self._of.get(number)
                if held is None:
                    held = self._of[number] = self.places.inside(self.members[number][1])
                if held and held != {name}:
                    raise EnginesMatter

    def _ties(self, name: str) -> frozenset[Any]:
        """The rows that hold the engine of a task: for each its table, its key, and where in it the engine stands."""
        known = self._tied.get(name)
        if known is None:
            identity: Any = self._identity(name)
            known = self._tied[name] = NO_TIES if identity is None else identity[3]
        return known

    def _met_in(self, column: int, number: int) -> dict[str, str]:
        known = self._met.get((column, number))
        if known is None:
            known = self._met[column, number] = self.places.met(self.space.values[column][number])
        return known

    # -------------------------------------------------------------------------------------------------- what is otherwise

    def _at(self, engine: str) -> Any:
        return {engine.name: True} if isinstance(engine, OpenEngine) else super()._at(engine)  # nobody is beside it

    def perform(self, action: Action) -> Entry:
        """As in a world."""
        self.places.asking = True
        return super().perform(action)

    def advance(self, action: Action, task: Task, node: Node, result: Any) -> Entry:
        """As in a world."""
        self.places.asking = False  # values are looked up; the program has handlers asked
        return super().advance(action, task, node, result)

    def begin(self, name: str, handler: str, args: tuple[Any, ...], engine: str, message: Message | None) -> tuple[Task, Node]:
        """As in a world."""
        self.places.asking = False
        self.places.begins(name, message is not None)
        if isinstance(engine, OpenEngine) and engine.name != name:  # one task has started another beside it
            raise EnginesMatter
        return super().begin(name, handler, args, engine, message)

    def post(self, handler: str, args: tuple[Any, ...], to: str | None, name: str | None = None) -> Message | None:
        """As in a world."""
        if to is not None or self.places.inside(args):
            raise EnginesMatter
        return super().post(handler, args, to, name)

    def _deliver(self, action: Action) -> Entry:
        self.places.asking = False
        return super()._deliver(action._replace(detail=self.places.fresh(action.subject)))

    def _operate(self, action: Action) -> Entry:
        if not self.design.front:
            action = action._replace(detail=self.places.fresh(self.unused(action.subject)))
        return super()._operate(action)

    def end(self, task: Task) -> None:
        escaped = self.nodes[task.name].escaped
        if escaped is not None and self.places.inside((escaped.args, vars(escaped))):  # to be told by its name
            raise EnginesMatter
        super().end(task)


def settled(search: Search, actions: Iterable[Action]) -> list[Action]:
    """The actions of a run of a search with open engines, with the names of engines that may be those."""
    tables, columns, state = search.tables, search.space.columns, dict(search.world.started)
    scope, front = search.scenario.scope, search.design.front
    on: dict[str, str] = {}  # the engine of each task that has a thread
    run = []
    for action in actions:
        search._applied(state, tables.learn(search._row(state), tables.actions.numbers[action]))
        if action.kind == "deliver":
            taken = [*on.values()]
            engine = next(e for n in range(1, scope.engines + 1) if taken.count(e := f"E{n}") < scope.threads)
            on[action.subject], action = engine, action._replace(detail=engine)
        elif action.kind == "operate" and not front:
            action = action._replace(detail="E1")
        on = {name: engine for name, engine in on.items() if state.get(columns.get(Unit("task", name), -1))}
        run.append(action)
    return run
