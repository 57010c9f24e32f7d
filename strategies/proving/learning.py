"""A world in which one action is learned at a time: what it reads, what it does, and what the properties say of it.

Rules of this file:

1. The semantics are those of :class:`heatproof.model.world.World`; only its dictionaries are exchanged for views.
2. What is learned of an action is a :class:`Lesson`: the units that were read, in order and with their values, and what came of it.
   Equal values of these units have equal outcomes, whatever the rest of the state is.
3. Properties are asked within the lesson, so what they read is among what the action read. A partial order reduction that respects
   reads and writes therefore respects properties.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from heatproof.model import engines
from heatproof.model.columns import Live
from heatproof.model.contents import Opaque, exact
from heatproof.model.continuations import Pool
from heatproof.model.database import MISSING
from heatproof.model.design import Design
from heatproof.model.errors import HeatproofError, NotEnabled
from heatproof.model.faults import FAULTS, limit, refuse_alike
from heatproof.model.meter import accesses_of
from heatproof.model.pending import pending
from heatproof.model.program import Node, refuse_nested
from heatproof.model.scenario import Scenario
from heatproof.model.watchdog import RUNNING, Stuck
from heatproof.model.watching import met
from heatproof.model.world import Action, Entry, Message, Task, World
from heatproof.properties.base import Property, Witness
from heatproof.strategies.asking import in_property, monitor
from heatproof.strategies.proving.columns import WatchedProgram
from heatproof.strategies.proving.history import OneEntry
from heatproof.strategies.proving.looks import Looks
from heatproof.strategies.proving.names import NamesMatter, OwnNamesMatter, Tasks, watched_names
from heatproof.strategies.proving.symmetry import Nameless
from heatproof.strategies.proving.told import told
from heatproof.strategies.proving.versions import Versions
from heatproof.strategies.proving.views import ADDRESSED, AT, CLOCK, MEMBERSHIP, PRESENT, Space, Unit, View
from heatproof.strategies.running import SYSTEM

REST = Action("rest", "")
"""No action of a world: asking what must hold now that nothing can happen."""

Key = tuple[str, str]


class Found(NamedTuple):
    """What the properties said of one action: the violations with their witnesses, and the situations that were reached."""

    violations: tuple[tuple[Key, Witness], ...] = ()
    reached: tuple[str, ...] = ()


NOTHING_FOUND = Found()
NOTHING_LOOKED_AT: Mapping[int, int] = {}


class Lesson(NamedTuple):
    """What was learned of one action in one state.

    ``path``: the units read, by column, with their values; ``enabled``: whether the action is possible; ``writes``: the columns
    written, with their new values; ``found``: what properties say; ``accesses``: how many database accesses it is; ``system``: whether the
    system does it by itself, so that the state is not at rest; ``searched``: the dictionaries that were looked through key by key, and
    ``assumed``: the units that were asked for and that no state ever had: the lesson holds while that is so. ``looks``: the columns that
    were looked at, as bits, of the rows among the units read; of what is not in it all counts.
    """

    path: tuple[tuple[int, int], ...]
    enabled: bool
    writes: tuple[tuple[int, int], ...] = ()
    found: Found = NOTHING_FOUND
    accesses: int = 0
    system: bool = False
    searched: tuple[str, ...] = ()
    assumed: tuple[Unit, ...] = ()
    looks: Mapping[int, int] = NOTHING_LOOKED_AT


class LearningWorld(World):
    """A world whose state is fetched from a :class:`Space` as it is asked for, and in which one action is done at a time."""

    watching = WatchedProgram
    identified: Callable[[str], str] = staticmethod(lambda engine: engine)  # the id of an engine as it is handed out (telling.py)
    named = False  # whether names of tasks and messages count: where a property looks at tasks or a handler at its own, as they name what begins

    def __init__(
        self,
        design: Design,
        scenario: Scenario,
        properties: Iterable[Property],
        space: Space,
        merge: bool = True,
        names_matter: bool = False,
        own_names: bool = False,
        numbered: Iterable[str] | None = None,
        live: Live | None = None,
    ):
        """``numbered``: the names of the tables whose versions are numbers; None: all. ``live``: the columns of rows that handlers will look at
        again; None: all."""
        self.watched = self.watching(design, scenario, live) if live is not None and merge else None
        super().__init__(design, scenario, self.watched)
        self.settles = True  # whether a situation is looked for only until a lesson has reached it
        self.own_names, self.named = own_names or not merge, self.named or own_names or names_matter
        # In which tasks of an engine began: so their messages come back to a queue.
        self.keeps_order = self.late and not self.any_order
        self.me, self.own_name_read, self.space = watched_names(self), False, space
        self.looks = None if self.watched is None else Looks(design.tables)
        self.merge = merge
        self.pool = Pool(design)
        self.classes: dict[Any, int] = {}  # what a suspended handler goes by -> the number of its class
        self.members: list[tuple[Node, Any]] = []  # a node of each class, and what the class is known by
        self.class_of: dict[Node, int] = {}
        self.exposed: set[tuple[int, int]] = set()  # values of nodes by column that go with the name of their task
        self._statics: dict[Any, Any] = {}
        self._static_of: dict[Task, Any] = {}  # the same by task: two are never equal
        self.names_matter = names_matter
        names = {} if numbered is None or not merge else {t: n for t, n in design.versions.items() if t not in set(numbered)}
        self.versions = Versions(self, {table: names[table.name] for table in design.tables if table.name in names})
        self.log = OneEntry()
        self.started: list[tuple[int, int]] = []
        self._exchange()
        self.observation = design.observation(self)
        self.observation.tasks = Tasks(self)  # all that properties may do with it
        self.monitor = monitor(properties, self, self.observation)

    @property
    def misled(self) -> bool:
        """Whether handlers were merged that differ in what one of them looked at since."""
        return self.watched is not None and self.watched.misled

    @property
    def unsure(self) -> bool:
        """Whether the handler that runs looked at what it was not expected to look at, and nothing was learned of that."""
        return self.watched is not None and self.watched.rows.noticed

    def _exchange(self) -> None:
        """Exchange every dictionary of the state for a view, and note what was in it."""
        space, database, reality = self.space, self.database, self.reality
        place = engines.place

        def by_engine(names: Iterable[str]) -> list[str]:
            return sorted(names, key=lambda engine: place((engine, None)))

        plain: list[tuple[View, dict[Any, Any]]] = []

        def view(old: dict[Any, Any], group: str, **options: Any) -> Any:
            fresh = View(space, group, **options)
            plain.append((fresh, dict(old)))
            return fresh

        for table in database.rows:
            options: dict[str, Any] = {"looks": self.looks}
            if table in self.versions.names:
                options |= {"encode": self.versions.encode(table), "decode": self.versions.decode(table)}
            rows = View(space, f"row of {table.name}", members=True, **options)
            plain.append((rows, dict(database.rows[table])))
            database.rows[table] = rows
        database.used = view(database.used, "used")
        reality.things = view(reality.things, "thing", members=True)
        reality.made = view(reality.made, "made")
        reality.broken = view(reality.broken, "broken")
        reality.alone = view(reality.alone, "alone")
        reality.workers = view(reality.workers, "at work")
        self.bag = view(self.bag, "message", encode=_message, ordered=not self.any_order)
        self.tasks = view(self.tasks, "task", encode=self._task)
        self.nodes = view(self.nodes, "node", encode=self._node)
        self.free = view(self.free, "free", members=True, sort=by_engine)
        self.down = view(self.down, "down", members=True, sort=by_engine)
        self.listens = view(self.listens, "listens")
        self.notices = view(self.notices, "notice")
        self.expired = view(self.expired, "expired", members=True)
        self.split = view(self.split, "split")
        self.left = view(self.left, "left")
        self.happened = view(self.happened, "happened", members=True)
        self.state = view(self.state, "state")
        self.requests = view(self.requests, "request", members=True)
        self.asked = view(self.asked, "asked")
        self.memory = view(self.memory, "memory", members=True)
        # what follows from the rest, so that who asks for the tasks of one engine need not look at those of others
        self.at: dict[str, View] = {}
        self.addressed = View(space, ADDRESSED)
        self.clocks: dict[Any, View] = {}
        self._ordered = ()
        by_name: Any = (self.listens, self.notices, self.split, self.asked, self.reality.workers)
        self._by_name: tuple[View, ...] = by_name  # what goes by the names of tasks
        space.look_at((), 0)
        for fresh, old in plain:
            for key, value in old.items():
                fresh[key] = value
        self.started = space.written()

    # ----------------------------------------------------------------------------------------- how values are told apart

    def _task(self, _name: str, task: Task) -> Any:
        return (task.handler, task.args, task.engine, task.worker, None if task.message is None else task.message.to), task

    def _node(self, name: str, node: Node) -> Any:
        task = self.tasks[name]
        number = self.class_number(node)
        return (self._static(task), number, name if self._goes_by_name(name) else ""), self.members[number][0]

    def _static(self, task: Task) -> Any:
        """What of a task matters beside its node."""
        known = self._static_of.get(task)
        if known is None:
            to = None if task.message is None else task.message.to
            args = task.args if self.names_matter or (self.late and task.worker) else ()
            static = (task.handler, self.identified(task.engine), task.worker, to, args)
            # one object for equal ones, whose text need not be made again
            known = self._static_of[task] = self._statics.setdefault(exact(self._statics, static, lambda met: met), static)
        return known

    def _goes_by_name(self, name: str) -> bool:
        """Whether something else in the state goes by the name of this task. Read only where that may have changed."""
        for view in self._by_name:
            if name in view.dirty:
                return any(name in view for view in self._by_name)  # no further than to the first
        identity = self._identity(name)
        return identity is not None and identity[2] != ""

    def _identity(self, name: str) -> Any:
        """What tells the node of this task from others, as it was before the action; None if it was absent, or is not read so far."""
        nodes: Any = self.nodes
        column = nodes.column(name)
        for read, number in self.space.path:
            if read == column:
                return self.space.identities[column][number]
        return None

    def class_number(self, node: Node) -> int:
        """The class of a node: nodes of a class behave alike from here on (model/continuations.py)."""
        number = self.class_of.get(node)
        if number is None:
            known = None
            if self.merge and node.effect is not None:
                if node.gen is None:
                    node.gen = self.program._again(node)
                refuse_nested(node)
                held, watched = self.versions.looking(), self.watched
                rows = None if watched is None else watched.looking()
                with suppress(Opaque):  # it is about to do something with what hides what it holds
                    known = self.pool.of(node.gen, pending(node.effect), held, rows)
                self.versions.found(node, held, known is None)
                if watched is not None and rows is not None:
                    watched.found(node, None if known is None else rows)
            identity = known if known is not None else _path(node)
            if known is not None:
                key: Any = id(known)  # of the pool, which has one object for equal ones and keeps it
            else:
                key = exact(self.classes, identity, lambda number: self.members[number][1])
            number = self.classes.get(key)
            if number is None:
                number = self.classes[key] = len(self.members)
                self.members.append((node, identity))
            else:  # it is the first of its class that goes on: this one is never asked to
                node.gen = None
                if self.watched is not None:
                    self.watched.forget(node)
            self.class_of[node] = number
        return number

    def content(self, column: int, number: int) -> Any:
        """What of a unit's value is part of the state; None: nothing. Names that only tell equals apart are not, nor is what follows
        from the rest."""
        unit = self.space.units[column]
        identity: Any = self.space.identities[column][number]
        group = unit.group
        if group == "node":
            static, member, name = identity
            held = self.members[member][1]
            return self.by_name(("node", static, held if self.own_names else Nameless(held), name), unit, self.keeps_order)
        if group.startswith(PRESENT):
            return (group, identity)
        if group == "message":
            return self.by_name(("message", identity), unit, not self.any_order)
        if group == MEMBERSHIP + "message" and not self.any_order:
            return (group, identity)
        if group.startswith(MEMBERSHIP + AT) and self.keeps_order:
            return (MEMBERSHIP, AT, self.identified(group.removeprefix(MEMBERSHIP + AT)), identity)
        if group in ("task", ADDRESSED) or group.startswith((MEMBERSHIP, AT, CLOCK)):
            return None
        if group in ("free", "down"):
            return (group, self.identified(unit.key), self.identified(identity) if group == "down" else identity)
        return (group, unit.key, identity)

    def by_name(self, content: tuple[Any, ...], unit: Unit, queued: bool = False) -> tuple[Any, ...]:
        """The content of a task or message, with its name where that counts, as it does where names stand for it in a queue."""
        return (*content, unit.key) if self.named or queued else content

    def mentions(self, column: int, content: Any) -> None:
        """What of a unit's value is part of the state was found to mention engines."""

    # --------------------------------------------------------------------------------------- what a search does otherwise

    def put(self, dictionary: dict[Any, Any], key: Any, value: Any) -> None:
        """As in a world, but what has no membership is written without reading it first."""
        if self.looks is not None and (dictionary is self.split or dictionary is self.memory):
            value = self.looks.stored(value)
        if dictionary is self.tasks and value is MISSING:
            del self._at(self.tasks[key].engine)[key]
        elif dictionary is self.bag and value is MISSING and self.bag[key].to is not None:
            del self.addressed[key]
        elif dictionary is self.bag and value is not MISSING and value.to is not None:
            self.addressed[key] = True
        if not isinstance(dictionary, View) or dictionary.members:
            super().put(dictionary, key, value)
            return
        self.journal.append((dictionary, key, MISSING))
        if value is MISSING:
            del dictionary[key]
        else:
            dictionary[key] = value

    def advance(self, action: Action, task: Task, node: Node, result: Any) -> Entry:
        """As in a world."""
        if self.versions.names:
            self.versions.holding()
        return super().advance(action, task, node, result if self.looks is None else self.looks.result(result))

    def begin(self, name: str, handler: str, args: tuple[Any, ...], engine: str, message: Message | None) -> tuple[Task, Node]:
        """As in a world."""
        self._at(engine)[name] = True
        return super().begin(name, handler, args, engine, message)

    def post(self, handler: str, args: tuple[Any, ...], to: str | None, name: str | None = None) -> Message | None:
        """As in a world."""
        message = super().post(handler, args if self.looks is None else self.looks.stored(args), to, name)
        if message is not None and to is not None:
            self.addressed[message.name] = True
        return message

    def answer(self, name: str, outcome: str, reason: str) -> None:
        """As in a world. Of a lost operation the reason is which engine died, so it is exchanged with that."""
        super().answer(name, outcome, self.identified(reason) if outcome == "lost" else reason)

    def _at(self, engine: str) -> Any:
        if engine not in self.at:
            self.at[engine] = View(self.space, AT + engine, ordered=self.keeps_order)
        return self.at[engine]

    def tasks_of(self, engine: str) -> list[Task]:
        """As in a world, without a look at others."""
        return [self.tasks[name] for name in self._at(engine)]

    def limits_asked(self) -> set[Any]:
        """As in a world, without a look at where every task stands."""
        self.space.searched[CLOCK] = None  # there may be more limits than anybody has asked for so far
        return {topic for topic, names in self.clocks.items() if names}

    def messages_to(self, engine: str) -> list[Message]:
        """As in a world, without a look at others."""
        return [message for name in self.addressed if (message := self.bag[name]).to == engine]

    def stamp(self, table: dict[str, Any]) -> tuple[int, int]:
        """Nothing is ordered by when it came."""
        return (0, 0)

    def arrange(self, table: dict[str, Any]) -> None:
        """Views are in order."""

    def _undo(self) -> None:
        """What is not kept need not be undone."""

    # ------------------------------------------------------------------------------------------------------- the lessons

    def lesson(self, row: Any, width: int, action: Action) -> Lesson:
        """Do ``action`` in the state ``row``, a sequence of ``width`` values by column, and say what came of it.

        Raises :class:`DesignError` for what a design does wrong, :class:`NamesMatter` and :class:`OwnNamesMatter` when the search must
        begin anew.
        """
        space, monitor = self.space, self.monitor
        space.look_at(row, width)
        self.journal.clear()
        self.marks.clear()
        self.log.clear()
        self.database.forget_indexes()
        monitor.violations.clear()
        monitor.reached.clear()
        of_task = action.kind == "step" or (action.kind in FAULTS and FAULTS[action.kind].domain == "task")
        self.versions.begin(action.subject if of_task else None)
        if self.looks is not None:
            self.looks.begin()
        if action == REST:
            self._ask(lambda: monitor.at_rest(1) if self.state["issued"] else None)
            self.versions.check()
            return self._lesson(True, (), self._found())
        system = action.kind in SYSTEM or (action.kind == "restart" and not self.free)
        try:
            entry = self.perform(action)
        except NotEnabled:
            self.versions.check()
            return self._lesson(False)
        if monitor.watches:
            self._ask(lambda: monitor.after(1))
        accesses = accesses_of(self, entry)
        if entry.before is not None and entry.after is not None:
            monitor.saw((met(entry.before, entry.after),))
        self.versions.settle(entry)
        writes = self._written()
        if self.watched is not None:
            self.watched.check(entry.after, self.pool)
        if self.own_name_read and not (self.own_names and self.named):
            raise OwnNamesMatter
        return self._lesson(True, writes, self._found(), accesses, system, entry.after)

    def _lesson(
        self,
        enabled: bool,
        writes: tuple[tuple[int, int], ...] = (),
        found: Found = NOTHING_FOUND,
        accesses: int = 0,
        system: bool = False,
        after: Node | None = None,
    ) -> Lesson:
        """What was learned; ``after``: where the task stands whose step it was."""
        space, looks = self.space, self.looks
        if looks is not None:
            if looks.sent and after is not None and self.watched is not None:
                looks.held(after.result, self.watched.looked(after))
                if after.escaped is not None or (after.effect is not None and after not in self.class_of):
                    looks.everything()
            for rows in self.database.rows.values():
                looks.written(rows)
        at = NOTHING_LOOKED_AT if looks is None else looks.at
        return Lesson(tuple(space.path), enabled, writes, found, accesses, system, tuple(space.searched), tuple(space.assumed), at)

    def _ask(self, ask: Callable[[], Any]) -> None:
        RUNNING.what = ask
        try:
            ask()
        except (HeatproofError, NamesMatter):
            raise
        except (Exception, SystemExit, Stuck) as error:
            raise in_property(error, self.monitor.asking) from error
        finally:
            RUNNING.what = None

    def _found(self) -> Found:
        if not self.monitor.violations and not self.monitor.reached:
            return NOTHING_FOUND
        violations = tuple((key, told(v.witness)) for key, v in sorted(self.monitor.violations.items()))
        if self.settles:  # a search wants to know when a situation is reached first: no use reading rows for it again
            self.monitor.settled |= self.monitor.reached
        return Found(violations, tuple(sorted(self.monitor.reached)))

    def _written(self) -> tuple[tuple[int, int], ...]:
        nodes: Any = self.nodes
        for view in self._by_name:
            for name in view.dirty:
                if name not in nodes.dirty and name in nodes:
                    nodes[name] = nodes[name]
        before = dict(self.space.path)
        if "timeout" in self.scenario.faults:
            for name in nodes.dirty:
                self._ask_for_time(name, before)
        return tuple([(column, number) for column, number in self.space.written() if before.get(column) != number])

    def _ask_for_time(self, name: str, before: dict[int, int]) -> None:
        """Note whether the task, whose node was written, is about to ask for a time limit; ``before``: what was read, by column."""
        after, column = limit(dict.get(self.nodes, name)), self.space.columns.get(Unit("node", name))
        if column in before:
            was = {limit(self.space.values[column][before[column]])} - {None}
        else:  # taken away without a look
            self.space.searched[CLOCK], was = None, set(self.clocks)
        for topic in was - {after}:
            del self.clocks[topic][name]
        if after is not None:
            refuse_alike(after, self.clocks)
            self.clocks.setdefault(after, View(self.space, CLOCK + str(after)))[name] = True


def _message(_name: str, message: Message) -> Any:
    return (message.handler, message.args, message.to), message


def _path(node: Node) -> Any:
    root = node.root
    return (root.handler, root.args, root.me, tuple([step.result for step in node.path()]))
