"""The world: everything that is shared, what can happen next, and one way to make it happen.

Rules of this file:

1. All state lives in dictionaries and every change goes through the journal, so that :meth:`World.undo` is exact.
2. An action is a name, never an index: it means the same in another process and after an edit of the design.
3. One implementation of the semantics serves all drivers: random, recorded, exhaustive.

Theory of operation. ``perform`` takes one :class:`Action`, does it and appends one entry to ``log``; ``undo`` takes the last one
back. ``progress`` lists what the system itself can do next, ``operations`` what the user can ask next, ``faults`` what may go
wrong within the budget, and ``default`` names what the boring policy would do. The world is *at rest* when ``progress`` is empty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from heatproof.model import engines, faults, performing
from heatproof.model.contents import same
from heatproof.model.database import MISSING, Database, Journal, undo
from heatproof.model.design import Design
from heatproof.model.effects import Me, Refused, Sleep
from heatproof.model.errors import DesignError, NotEnabled, ScenarioError
from heatproof.model.faults import PATIENCE
from heatproof.model.in_order import InOrder
from heatproof.model.lookup import Lookup
from heatproof.model.program import Node, Program
from heatproof.model.reality import Reality
from heatproof.model.scenario import Operation, Scenario


class Action(NamedTuple):
    """One choice of what happens next: its kind, whom it concerns, and a detail (the engine, the duration)."""

    kind: str
    subject: str
    detail: str = ""

    def __str__(self) -> str:
        if self.kind == "deliver":
            return f"deliver {self.subject} to {self.detail}"
        if self.kind == "operate":
            return f"operate {self.subject} at {self.detail}"
        return f"{self.kind} {self.subject}" + (f" ({self.detail})" if self.detail else "")


class Message:
    """A message in the message layer. ``seq`` orders messages by when they were sent; it is no part of the state."""

    __slots__ = ("args", "deliveries", "handler", "name", "seq", "to")

    def __init__(self, name: str, handler: str, args: tuple[Any, ...], to: str | None, seq: tuple[int, int]):
        self.name = name
        self.handler = handler
        self.args = args
        self.to = to
        self.seq = seq
        self.deliveries: dict[str, Action] = {}


class Task:
    """A handler that is running: ``name``, its engine, and whether it takes one of the engine's worker threads."""

    __slots__ = ("action", "args", "engine", "handler", "message", "name", "seq", "worker")

    def __init__(self, name: str, handler: str, args: tuple[Any, ...], engine: str, seq: tuple[int, int], message: Message | None):
        self.name = name
        self.handler = handler
        self.args = args
        self.engine = engine
        self.seq = seq
        self.message = message
        self.worker = message is not None
        self.action = Action("step", name)


class Entry(NamedTuple):
    """One entry of the log: what was done, by which task, the node it stood on before and the one it stands on now."""

    action: Action
    task: Task | None
    before: Node | None
    after: Node | None


class World(Lookup):
    """A design and a scenario, in one state. Raises :class:`ScenarioError` if the design has no such operations."""

    me: type[Me] = Me
    """What tells a handler of itself."""

    setting = ""
    """What it runs on, in one line, where that is not this model."""

    def __init__(self, design: Design, scenario: Scenario, program: Program | None = None):
        if reason := design.refuses(scenario.operations, scenario.scope.engines):
            raise ScenarioError(reason)
        faults.refuse_unknown(scenario.faults)
        if immune := sorted(design.immune & scenario.faults.keys()):
            raise ScenarioError(f"fault {immune[0]!r} cannot be injected into {design.name}")
        self.design = design
        self.scenario = scenario
        self.program = program or program_for(design, scenario)
        self.late = design.acknowledge == "late"
        self.any_order = design.order == "bag" and scenario.scope.reorder
        journal: Journal = []
        self.journal = journal
        self.database = Database(design.tables, journal)
        self.reality = Reality(journal)
        self.bag: dict[str, Message] = {}
        self.tasks: dict[str, Task] = {}
        self.nodes: dict[str, Node] = {}
        self.free: dict[str, int] = {f"E{n}": scenario.scope.threads for n in range(1, scenario.scope.engines + 1)}
        self.down: dict[str, str] = {}  # a crashed engine -> the id it will have after its restart
        self.listens: dict[str, tuple[Any, ...]] = {}
        self.notices: dict[str, bool] = {}
        self.expired: dict[Any, bool] = {}
        self.split: dict[str, tuple[Any, ...]] = {}  # results so far of a transaction that a fault has split
        self.held: dict[str, int] = {}  # a message, task or engine -> the length of the log until which it is held back
        self.ranks: dict[str, int] = {}  # what the default policy passes over, since when
        self.slept: dict[str, int] = {}  # when a task gave way last: the default policy lets them go on in turn
        self.left: dict[str, int] = dict(scenario.faults)
        self.happened: dict[str, int] = InOrder()
        self.state: dict[str, int] = {"issued": 0}
        self.requests: dict[int, tuple[str, str, tuple[int, ...]]] = {}  # an operation -> outcome so far, reason, those beside it
        self.asked: dict[str, int] = {}  # the task that handles an operation -> the operation's number
        self.memory: dict[Any, Any] = InOrder()  # what properties remember
        self.log: list[Entry] = []
        self.marks: list[int] = []
        self._ordered: tuple[tuple[dict[str, Any], Callable[[tuple[str, Any]], Any]], ...] = (
            (self.bag, _sent), (self.tasks, _sent), (self.free, engines.place), (self.down, engines.place),
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------ what can happen next

    def progress(self) -> list[Action]:
        """What the system itself can do next, oldest first: step a task, deliver a message, settle what a dead task left."""
        held = self.held
        if not held:
            actions = [task.action for task in self.tasks.values()]
            if self.bag or self.reality.alone or not self.free:
                self._add_deliveries(actions, held)
            return actions
        held = faults.holding(self)
        actions = self.free_to_act(held)
        if not actions:  # what is held back goes on when nothing else can
            return self.free_to_act({})
        return actions

    def free_to_act(self, held: dict[str, int]) -> list[Action]:
        """What the system can do if only these, of those that are held back, wait."""
        now = len(self.log)
        actions = [task.action for task in self.tasks.values() if held.get(task.name, 0) <= now and held.get(task.engine, 0) <= now]
        self._add_deliveries(actions, held)
        return actions

    def _add_deliveries(self, actions: list[Action], held: dict[str, int]) -> None:
        now = len(self.log)
        if self.bag:
            idle = [e for e, free in self.free.items() if free > 0 and held.get(e, 0) <= now]
            if idle:
                for message in self.deliverable():
                    if held.get(message.name, 0) <= now:
                        deliveries = message.deliveries
                        for engine in idle:
                            if message.to is None or message.to == engine:
                                action = deliveries.get(engine)
                                if action is None:
                                    action = deliveries[engine] = Action("deliver", message.name, engine)
                                actions.append(action)
        if self.reality.alone:
            actions.extend(Action("settle", thing) for thing in self.reality.orphans())
        if not self.free:
            actions.extend(Action("restart", engine) for engine in self.down)

    def deliverable(self) -> list[Message]:
        """The messages that may be delivered next, oldest first: all of a bag, of a fifo the oldest of each topic and addressee."""
        if self.any_order:
            return list(self.bag.values())
        heads: dict[tuple[str, str | None], Message] = {}
        for message in self.bag.values():
            heads.setdefault((message.handler, message.to), message)
        return list(heads.values())

    def operations(self) -> list[Action]:
        """What the user can ask next: the next operation of the scenario, at the design's front or at any engine that lives."""
        issued = self.state["issued"]
        if issued >= len(self.scenario.operations):
            return []
        operation = self.scenario.operations[issued]
        if not self.design.may_ask(self, operation):
            return []
        label = self.design.operation_label(issued + 1, operation)
        return [Action("operate", label, where) for where in ((self.design.front,) if self.design.front else self.free)]

    def add_operation(self, operation: Operation) -> None:
        """Put one more operation at the end of the scenario, for who asks as he goes. Not journaled: an undo leaves it there.

        Raises :class:`ScenarioError`, with nothing changed, if the design or the scenario cannot have it.
        """
        if reason := self.design.refuses((operation,)):
            raise ScenarioError(reason)
        self.scenario = replace(self.scenario, operations=(*self.scenario.operations, operation))

    def faults(self) -> list[Action]:
        """What may go wrong now, within the budget of the scenario."""
        return faults.enabled(self)

    def actions(self) -> list[Action]:
        """Everything that can happen next; what the system does itself first, oldest first."""
        return self.progress() + self.operations() + self.faults()

    @property
    def at_rest(self) -> bool:
        """Whether nothing but a user or a fault can change anything any more."""
        return not self.tasks and not self.progress()

    def default(self) -> Action | None:
        """What the default policy does next, or None at the end: the oldest task goes on to its end, then the oldest message
        is delivered, then what sleeps or was held back goes on, then the next operation is issued."""
        now, ranks = len(self.log), self.ranks
        held = self.held and faults.holding(self)
        later: list[tuple[int, tuple[int, ...], Action]] = []
        for task in self.tasks.values():
            since = ranks.get(task.name)
            if held and (held.get(task.name, 0) > now or held.get(task.engine, 0) > now):
                continue
            if since is not None and since > now - PATIENCE:
                later.append((since + 1, task.seq, task.action))
            elif type(self.nodes[task.name].effect) is Sleep:
                later.append((0, (self.slept.get(task.name, -1), *task.seq), task.action))
            else:
                return task.action
        if self.bag:
            idle = [e for e, free in self.free.items() if free > 0 and held.get(e, 0) <= now]
            for message in (self.bag.values() if self.any_order else self.deliverable()) if idle else ():
                if held.get(message.name, 0) > now:
                    continue
                engine = next((e for e in idle if message.to is None or message.to == e), None)
                if engine is None:
                    continue
                action = Action("deliver", message.name, engine)
                since = ranks.get(message.name)
                if since is None or since <= now - PATIENCE:
                    return action
                later.append((since + 1, message.seq, action))
        if self.reality.alone and (orphans := self.reality.orphans()):
            return Action("settle", orphans[0])
        if later:
            return min(later)[2]
        progress = self.progress()
        if progress:
            return progress[0]
        operations = self.operations()
        return operations[0] if operations else None

    def pass_over(self, action: Action) -> None:
        """The default policy would have done ``action`` and something else is done: hold its subject back from now on."""
        if action.kind in ("step", "deliver"):
            self.journal.append((self.ranks, action.subject, self.ranks.get(action.subject, MISSING)))
            self.ranks[action.subject] = len(self.log)

    # ---------------------------------------------------------------------------------------------- making it happen

    def perform(self, action: Action) -> Entry:
        """Do ``action``. Raises :class:`NotEnabled` if it is not possible now; an error leaves nothing changed."""
        self.marks.append(len(self.journal))
        kind, subject = action.kind, action.subject
        try:
            if kind == "step":
                task = self.tasks.get(subject)
                if task is None:
                    raise NotEnabled(f"no task is called {subject!r}; running are {', '.join(self.tasks) or 'none'}")
                if self.held and self._held_back(action, task.engine):
                    raise NotEnabled(f"task {subject!r} or its engine is held back, and something else can run")
                node = self.nodes[subject]
                return self.advance(action, task, node, node.perform(self, task, node.effect))
            if kind == "deliver":
                return self._deliver(action)
            if kind == "operate":
                return self._operate(action)
            if kind == "settle":
                return self._settle(action)
            if kind == "restart" and not self.free:
                return engines.restart(self, action)
            return faults.inject(self, action)
        except Exception:
            self._undo()
            raise

    def advance(self, action: Action, task: Task, node: Node, result: Any) -> Entry:
        """The effect of ``node`` had ``result``: the task goes on to its next effect or ends."""
        try:
            after = node.children.get(result)
        except TypeError:
            after = None  # not hashable: follow says so
        if after is None or (after.result is not result and not same(after.result, result)):
            after = self.program.follow(node, result)
        name = task.name
        self.journal.append((self.nodes, name, node))
        self.nodes[name] = after
        entry = tuple.__new__(Entry, (action, task, node, after))  # twice as fast as by its class, and there is one for each step
        self.log.append(entry)
        if after.effect is None:
            self.end(task)
        return entry

    def note(self, action: Action, task: Task | None = None, after: Node | None = None) -> Entry:
        """Enter an action that is no step of a task into the log."""
        entry = Entry(action, task, None, after)
        self.log.append(entry)
        return entry

    def put(self, dictionary: dict[Any, Any], key: Any, value: Any) -> None:
        """Write one entry of the state, through the journal; MISSING takes it out."""
        old = dictionary.get(key, MISSING)
        if old is value:
            return
        self.journal.append((dictionary, key, old))
        if value is MISSING:
            del dictionary[key]
        else:
            dictionary[key] = value

    def post(self, handler: str, args: tuple[Any, ...], to: str | None, name: str | None = None) -> Message | None:
        """Put a message into the message layer; None if it is addressed to an engine that is gone."""
        if handler not in self.program.handlers:
            raise DesignError(
                f"a message was sent to {handler!r}, but design {self.design.name!r} has no such handler;"
                f" it has {', '.join(sorted(self.program.handlers))}"
            )
        if to is not None and to not in self.free:
            return None
        name = self.unused(name or self.design.label(handler, args))
        message = Message(name, handler, args, to, self.stamp(self.bag))
        self.journal.append((self.bag, name, MISSING))
        self.bag[name] = message
        return message

    def stamp(self, table: dict[str, Any]) -> tuple[int, int]:
        """What orders messages and tasks by when they came. It is no part of the state."""
        return (len(self.log), len(table))

    def arrange(self, table: dict[str, Any]) -> None:
        """Put a table of engines into their order, so that equal states list them alike."""
        items = sorted(table.items(), key=engines.place)
        table.clear()
        table.update(items)

    def unused(self, name: str) -> str:
        """``name``, or with ``#2``, ``#3``, ... behind it while a message or task of that name is about."""
        if name not in self.bag and name not in self.tasks:
            return name
        number = 2
        while f"{name}#{number}" in self.bag or f"{name}#{number}" in self.tasks:
            number += 1
        return f"{name}#{number}"

    def begin(self, name: str, handler: str, args: tuple[Any, ...], engine: str, message: Message | None) -> tuple[Task, Node]:
        """Start a task; it stands before its first effect."""
        task = Task(name, handler, args, engine, self.stamp(self.tasks), message)
        node = self.program.start(handler, args, self.me(engine, name))
        self.journal.append((self.tasks, name, MISSING))
        self.journal.append((self.nodes, name, MISSING))
        self.tasks[name] = task
        self.nodes[name] = node
        if message is not None:
            self.journal.append((self.free, engine, self.free[engine]))
            self.free[engine] -= 1
        return task, node

    def _deliver(self, action: Action) -> Entry:
        message = self.bag.get(action.subject)
        engine = action.detail
        if message is None:
            raise NotEnabled(f"no message is called {action.subject!r}; waiting are {', '.join(self.bag) or 'none'}")
        if self.free.get(engine, 0) < 1 or message.to not in (None, engine):
            raise NotEnabled(f"engine {engine!r} cannot take {message.name!r}: it is busy, down, or not the addressee")
        if not self.any_order and message not in self.deliverable():
            raise NotEnabled(f"message {message.name!r} cannot overtake an older one here")
        if self.held and self._held_back(action, engine):
            raise NotEnabled(f"message {message.name!r} or engine {engine!r} is held back, and something else can run")
        self.put(self.bag, message.name, MISSING)
        self.put(self.ranks, message.name, MISSING)
        self.put(self.held, message.name, MISSING)
        task, node = self.begin(message.name, message.handler, message.args, engine, message)
        entry = self.note(action, task, node)
        if node.effect is None:
            self.end(task)
        return entry

    def _operate(self, action: Action) -> Entry:
        number = self.state["issued"]
        if number >= len(self.scenario.operations):
            raise NotEnabled("every operation of the scenario has been issued")
        operation = self.scenario.operations[number]
        label = self.design.operation_label(number + 1, operation)
        if action.subject != label:
            raise NotEnabled(f"the next operation is {label!r}, not {action.subject!r}")
        if self.design.front:
            if action.detail != self.design.front:
                raise NotEnabled(
                    f"operations of design {self.design.name!r} are asked at {self.design.front!r}, not {action.detail!r}"
                )
        elif action.detail not in self.free:
            raise NotEnabled(f"engine {action.detail!r} is not alive; alive are {', '.join(self.free) or 'none'}")
        if not self.design.may_ask(self, operation):
            raise NotEnabled(f"the user does not ask {label!r} yet, as design {self.design.name!r} has it")
        self.put(self.state, "issued", number + 1)
        handler = self.design.operations[operation.kind]
        task, node = self.begin(self.unused(label), handler, (number + 1, operation), action.detail, None)
        operations = self.scenario.operations
        beside = tuple(sorted(n for n in self.asked.values() if operations[n - 1].kind != "create"))
        self.put(self.requests, number + 1, ("running", "", beside))
        self.put(self.asked, task.name, number + 1)
        entry = self.note(action, task, node)
        if node.effect is None:
            self.end(task)
        return entry

    def _held_back(self, action: Action, engine: str) -> bool:
        now, held = len(self.log), self.held
        return (held.get(action.subject, 0) > now or held.get(engine, 0) > now) and action not in self.progress()

    def _settle(self, action: Action) -> Entry:
        thing = self.reality.things.get(action.subject)
        if thing is None or all(b.task for b in thing.busy):
            raise NotEnabled(f"nothing goes on at {action.subject!r} without a task")
        self.reality.finish("", action.subject, "done")
        return self.note(action)

    def end(self, task: Task) -> None:
        """A task has nothing more to do."""
        name = task.name
        if name in self.asked:
            node = self.nodes[name]
            if node.escaped is not None:
                self.answer(name, "escaped", str(node.escaped))
            elif type(node.value) is Refused:
                self.answer(name, "refused", node.value.reason)
            else:
                self.answer(name, "accepted", "")
        self.put(self.tasks, name, MISSING)
        self.put(self.nodes, name, MISSING)
        if task.worker:
            self.put(self.free, task.engine, self.free[task.engine] + 1)
        self.reality.leave(name)
        for table in (self.listens, self.notices, self.held, self.ranks, self.slept, self.split):
            if name in table:
                self.put(table, name, MISSING)

    def answer(self, name: str, outcome: str, reason: str) -> None:
        """The operation that the task ``name`` handles has ended."""
        number = self.asked[name]
        self.put(self.requests, number, (outcome, reason, self.requests[number][2]))
        self.put(self.asked, name, MISSING)

    # ------------------------------------------------------------------------------------------------- taking it back

    def undo(self) -> Entry:
        """Take the last performed action back; its entry."""
        entry = self.log.pop()
        self._undo()
        return entry

    def _undo(self) -> None:
        mark = self.marks.pop()
        gone = {id(d) for d, _, old in self.journal[mark:] if old is not MISSING}
        undo(self.journal, mark)
        for dictionary, place in self._ordered:
            if id(dictionary) in gone:
                items = sorted(dictionary.items(), key=place)
                dictionary.clear()
                dictionary.update(items)
        self.database.forget_indexes()

    def next_access(self, action: Action) -> Any:
        """The effect that a step action would do, or None for any other action."""
        node = self.nodes.get(action.subject) if action.kind == "step" else None
        return None if node is None else node.effect

    def audit(self) -> None:
        """Run every handler of the log once more; raises :class:`DesignError` if one is no function of what it was sent."""
        last = {}
        for entry in self.log:
            if entry.task is not None and entry.after is not None:
                last[entry.task.name, entry.task.seq] = entry.after
        for node in last.values():
            self.program.replay(node)


def _sent(item: tuple[str, Any]) -> Any:
    return item[1].seq


def program_for(design: Design, scenario: Scenario) -> Program:
    """A program for worlds of this design. A handler may yield more effects the more resources there are."""
    return Program(design.handlers(), performing.PERFORMERS, 20_000 + 20 * scenario.size, design.tables)
