"""A second opinion: all runs of a design, by an interpreter that shares nothing with the model but the effects that handlers yield.

What the search says is held against it. So it uses no world, no program, no database and no monitor of heatproof: a state is what was written
down (rows, messages, and of each task all that it was ever sent), a handler is run again from its beginning whenever it goes on, and nothing is
merged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any, NamedTuple

from heatproof.model import effects as fx
from heatproof.model.design import Design
from heatproof.model.scenario import Scenario

ACCESSES = (fx.Read, fx.Query, fx.Insert, fx.Update, fx.Delete, fx.Transaction)

OUTCOMES = {"fail": "failed", "fail-always": "failed", "conflict": "conflict", "not-found": "not found"}
"""How a physical operation ends that one of these faults strikes."""


class Answer(NamedTuple):
    """What a task was sent: a value, or an exception that is raised in it."""

    value: Any
    raised: bool = False


class Message(NamedTuple):
    """A message in the message layer."""

    name: str
    handler: str
    args: tuple[Any, ...]
    to: str | None
    origin: int = 0


class Task(NamedTuple):
    """A handler that is running, with all that it was ever sent; ``number``: of the operation that it handles, ``origin``: of the one that it goes
    back to, where accesses are counted."""

    name: str
    handler: str
    args: tuple[Any, ...]
    engine: str
    message: Message | None = None
    number: int = 0
    origin: int = 0
    sent: tuple[Answer, ...] = ()


class Work(NamedTuple):
    """A physical operation that goes on; ``task`` is empty when nobody waits for it any more."""

    task: str
    operation: str
    spec: Any
    topic: Any


class Thing(NamedTuple):
    """A physical resource."""

    id: str
    spec: Any
    state: str
    busy: tuple[Work, ...]


class State:
    """Everything that is shared, in dictionaries of immutable values."""

    def __init__(self, tables: list[str], engines: dict[str, int], faults: dict[str, int]):
        self.rows: dict[str, dict[Any, Any]] = {name: {} for name in tables}
        self.used: dict[Any, int] = {}
        self.messages: dict[str, Message] = {}
        self.tasks: dict[str, Task] = {}
        self.idle = engines
        self.down: dict[str, str] = {}
        self.listens: dict[str, tuple[Any, ...]] = {}
        self.told: set[str] = set()
        self.expired: set[Any] = set()
        self.things: dict[str, Thing] = {}
        self.made: dict[str, int] = {}
        self.broken: set[str] = set()
        self.faults = faults
        self.issued = 0
        self.requests: dict[int, tuple[str, str]] = {}
        self.seen: frozenset[str] = frozenset()
        self.accesses: dict[int, int] = {}

    def copy(self) -> State:
        """A state of its own; rows, messages and tasks are never changed, so they are shared."""
        other = object.__new__(State)
        for name, value in vars(self).items():
            setattr(other, name, value.copy() if isinstance(value, dict | set) else value)
        other.rows = {name: dict(rows) for name, rows in self.rows.items()}
        return other

    def text(self, fifo: bool) -> str:
        """What tells it from every other state; ``fifo``: also the order of messages."""
        parts = {
            **vars(self),
            **{f"rows of {name}": rows for name, rows in self.rows.items()},
            "order": [*self.messages] if fifo else [],
        }
        del parts["rows"]
        return repr([sorted(part.items(), key=repr) if isinstance(part, dict) else sorted(part, key=repr) if isinstance(part, set | frozenset)
                     else part for part in parts.values()])  # fmt: skip


class Plainly:
    """A design and a scenario. ``watch`` says what a property remembers of a state after each action, or an empty text. ``counts``: whether the
    accesses of each operation are part of a state."""

    def __init__(self, design: Design, scenario: Scenario, watch: Callable[[State], str] = lambda state: "", counts: bool = False):
        self.design, self.scenario, self.watch, self.counts = design, scenario, watch, counts
        self.handlers = design.handlers()
        self._known: dict[str, tuple[Any, Any, Any]] = {}
        self.late, self.fifo = design.acknowledge == "late", design.order == "fifo" or not scenario.scope.reorder

    def first(self) -> State:
        """Nothing was asked yet."""
        scope = self.scenario.scope
        return State(
            [table.name for table in self.design.tables],
            {f"E{number}": scope.threads for number in range(1, scope.engines + 1)},
            {kind: count for kind, count in self.scenario.faults.items() if count},
        )

    def moves(self, state: State) -> Iterator[tuple[str, State]]:
        """What can happen next, and the state after it."""
        for name, then in (*self._progress(state), *self._asked(state), *self._struck(state)):
            if seen := self.watch(then):
                then.seen |= {seen}
            yield name, then

    def rests(self, state: State) -> bool:
        """Whether nothing goes on by itself."""
        return not state.tasks and not list(self._progress(state))

    # ----------------------------------------------------------------------------------------------- what goes on by itself

    def _progress(self, state: State) -> Iterator[tuple[str, State]]:
        for task in state.tasks.values():
            then = state.copy()
            effect = self._effect(task)
            self._sent(then, task, self._done(then, task, effect))
            yield f"step {task.name}", then
        first: dict[str, str] = {}
        for message in state.messages.values():
            if self.fifo and first.setdefault(message.handler, message.name) != message.name:
                continue
            for engine, idle in state.idle.items():
                if idle and message.to in (None, engine):
                    then = state.copy()
                    del then.messages[message.name]
                    then.idle[engine] -= 1
                    self._start(then, Task(message.name, message.handler, message.args, engine, message, 0, message.origin))
                    yield f"deliver {message.name} to {engine}", then
        for thing in state.things.values():
            if any(not work.task for work in thing.busy):
                then = state.copy()
                _finish(then, "", thing.id, "done")
                yield f"settle {thing.id}", then
        if not state.idle:
            yield from self._restarted(state)

    def _restarted(self, state: State) -> Iterator[tuple[str, State]]:
        for engine, fresh in state.down.items():
            then = state.copy()
            del then.down[engine]
            then.idle[fresh] = self.scenario.scope.threads
            yield f"restart {engine}", then

    def _asked(self, state: State) -> Iterator[tuple[str, State]]:
        number = state.issued + 1
        if number > len(self.scenario.operations):
            return
        operation = self.scenario.operations[number - 1]
        label = self.design.operation_label(number, operation)
        for engine in [self.design.front] if self.design.front else list(state.idle):
            then = state.copy()
            then.issued = number
            then.requests[number] = ("running", "")
            handler = self.design.operations[operation.kind]
            self._start(then, Task(_unused(then, label), handler, (number, operation), engine, None, number, number * self.counts))
            yield f"operate {label} at {engine}", then

    # ------------------------------------------------------------------------------------------------------ what goes wrong

    def _struck(self, state: State) -> Iterator[tuple[str, State]]:
        for kind, left in state.faults.items():
            for subject, then in self._strikes(kind, state) if left else ():
                then.faults[kind] -= 1
                yield f"{kind} {subject}", then

    def _strikes(self, kind: str, state: State) -> Iterator[tuple[str, State]]:
        if kind == "crash":
            for engine in state.idle:
                yield engine, self._crashed(state, engine)
        elif kind == "restart":
            yield from self._restarted(state) if state.idle else ()
        elif kind in ("lose", "duplicate"):
            for message in state.messages.values():
                then = state.copy()
                if kind == "lose":
                    del then.messages[message.name]
                else:
                    self._post(then, message.handler, message.args, message.to, message.origin)
                yield message.name, then
        elif kind in ("vanish", "sicken"):
            for thing in [thing for thing in state.things.values() if thing.state == "healthy"]:
                then = state.copy()
                if kind == "vanish":
                    del then.things[thing.id]
                else:
                    then.things[thing.id] = thing._replace(state="unhealthy")
                yield thing.id, then
        elif kind == "timeout":
            asked = {effect.topic for task in state.tasks.values() if isinstance(effect := self._effect(task), fx.Expired)}
            asked |= {work.topic for thing in state.things.values() for work in thing.busy if work.task and work.topic is not None}
            for topic in asked - state.expired:
                then = state.copy()
                then.expired.add(topic)
                yield str(topic), then
        else:
            for task in state.tasks.values():
                then = state.copy()
                answer = self._spoilt(kind, then, task, self._effect(task))
                if answer is not None:
                    self._sent(then, task, answer)
                    yield task.name, then

    def _spoilt(self, kind: str, state: State, task: Task, effect: Any) -> Answer | None:
        """How an effect ends that this fault strikes; None: it cannot strike there."""
        writes = isinstance(effect, fx.Insert | fx.Update | fx.Delete) or (
            isinstance(effect, fx.Transaction) and not effect.reads_only
        )
        if kind == "abort" and writes:
            return Answer(fx.Aborted("deadlock"), True)
        if kind == "disconnect" and writes:
            answer = self._done(state, task, effect)
            return answer if answer.raised else Answer(fx.Disconnected("connection lost after commit"), True)
        if kind in OUTCOMES and isinstance(effect, fx.Finish) and effect.physical in state.things:
            if kind == "fail-always":
                state.broken.add(state.things[effect.physical].spec.name)
            return Answer(_finish(state, task.name, effect.physical, OUTCOMES[kind]))
        if kind == "false-dead" and isinstance(effect, fx.Probe) and effect.engine in state.idle:
            return Answer(False)
        return None

    def _crashed(self, state: State, engine: str) -> State:
        then = state.copy()
        del then.idle[engine]
        base, _, life = engine.partition("/")
        then.down[engine] = f"{base}/{int(life or 1) + 1}"
        for task in [task for task in state.tasks.values() if task.engine == engine]:
            del then.tasks[task.name]
            if task.number:
                then.requests[task.number] = ("lost", f"{engine} died")
            _forgotten(then, task.name)
            if self.late and task.message is not None and task.message.to is None:
                self._post(then, task.handler, task.args, None, task.origin)
        for message in [message for message in then.messages.values() if message.to == engine]:
            del then.messages[message.name]
        return then

    # ---------------------------------------------------------------------------------------------------- tasks and messages

    def _run(self, task: Task) -> tuple[Any, Any, Any]:
        """What a handler is about to do, or what it has returned, or what has left it."""
        told = repr((task.name, task.handler, task.args, task.engine, task.sent))
        if told not in self._known:
            self._known[told] = self._run_again(task)
        return self._known[told]

    def _run_again(self, task: Task) -> tuple[Any, Any, Any]:
        handler = self.handlers[task.handler](fx.Me(task.engine, task.name), *task.args)
        try:
            effect = next(handler)
            for answer in task.sent:
                effect = handler.throw(deepcopy(answer.value)) if answer.raised else handler.send(answer.value)
        except StopIteration as end:
            return None, end.value, None
        except fx.Escape as error:
            return None, None, error
        return effect, None, None

    def _effect(self, task: Task) -> Any:
        return self._run(task)[0]

    def _start(self, state: State, task: Task) -> None:
        state.tasks[task.name] = task
        self._end(state, task)

    def _sent(self, state: State, task: Task, answer: Answer) -> None:
        if self.counts and isinstance(self._effect(task), ACCESSES):
            state.accesses[task.origin] = state.accesses.get(task.origin, 0) + 1
        state.tasks[task.name] = task = task._replace(sent=(*task.sent, answer))
        self._end(state, task)

    def _end(self, state: State, task: Task) -> None:
        """Take the task away if it has nothing more to do."""
        effect, value, error = self._run(task)
        if effect is not None:
            return
        del state.tasks[task.name]
        if task.message is not None:
            state.idle[task.engine] += 1
        if task.number:
            refused = isinstance(value, fx.Refused)
            state.requests[task.number] = (
                ("escaped", str(error)) if error else ("refused", value.reason) if refused else ("accepted", "")
            )
        _forgotten(state, task.name)

    def _post(self, state: State, handler: str, args: tuple[Any, ...], to: str | None, origin: int) -> None:
        if to is None or to in state.idle:
            name = _unused(state, self.design.label(handler, args))
            state.messages[name] = Message(name, handler, args, to, origin)

    # -------------------------------------------------------------------------------------------------------------- effects

    def _done(self, state: State, task: Task, effect: Any) -> Answer:
        """Do an effect; how it ends."""
        match effect:
            case fx.Transaction():
                return self._transacted(state, effect, task.origin)
            case fx.Read() | fx.Query() | fx.Insert() | fx.Update() | fx.Delete():
                return _access(state, effect)
            case fx.Send():
                self._post(state, effect.message, effect.args, effect.to, task.origin)
                return Answer(None)
            case fx.Spawn():
                name = _unused(state, self.design.label(effect.handler, effect.args))
                self._start(state, Task(name, effect.handler, effect.args, task.engine, None, 0, task.origin))
                return Answer(None)
            case fx.Probe():
                return Answer(effect.engine in state.idle)
            case fx.Listen():
                state.listens[task.name] = (*state.listens.get(task.name, ()), effect.topic)
                return Answer(None)
            case fx.Cancel():
                beside = (name for name in state.tasks if state.tasks[name].engine == task.engine)
                state.told |= {name for name in beside if effect.topic in state.listens.get(name, ())}
                return Answer(None)
            case fx.Sleep():
                return Answer(None)
            case fx.Expired():
                return Answer(effect.topic in state.expired)
            case fx.Begin():
                return Answer(_begin(state, task.name, effect))
            case fx.Finish():
                return Answer(_finish(state, task.name, effect.physical, _came_to(state, task.name, effect.physical)))
            case fx.Look():
                return Answer(state.things.get(effect.physical))
        raise AssertionError(effect)

    def _transacted(self, state: State, effect: fx.Transaction, origin: int) -> Answer:
        before = state.copy()
        body, sends = effect.body(*effect.args), []
        answer = Answer(None)
        try:
            while True:
                inner = body.throw(answer.value) if answer.raised else body.send(answer.value)
                if isinstance(inner, fx.Send):
                    sends.append(inner)
                    answer = Answer(None)
                else:
                    answer = _access(state, inner)
        except StopIteration as end:
            for sent in sends:
                self._post(state, sent.message, sent.args, sent.to, origin)
            return Answer(end.value)
        except fx.Escape as error:
            state.rows, state.used = before.rows, before.used
            return Answer(error, True)


def _unused(state: State, name: str) -> str:
    names = (name, *(f"{name}#{number}" for number in range(2, 1_000)))
    return next(free for free in names if free not in state.messages and free not in state.tasks)


def _forgotten(state: State, name: str) -> None:
    """A task is gone: nobody tells it anything, and what it has begun goes on without it."""
    state.listens.pop(name, None)
    state.told.discard(name)
    for thing in state.things.values():
        busy = tuple(work._replace(task="") if work.task == name else work for work in thing.busy)
        state.things = {**state.things, thing.id: thing._replace(busy=busy)}


def _access(state: State, effect: Any) -> Answer:
    rows = state.rows[effect.table.name]
    match effect:
        case fx.Read():
            return Answer(rows.get(effect.key))
        case fx.Query():
            found = [rows[key] for key in sorted(rows) if _is(rows[key], effect.where)]
            return Answer(tuple(row for row in found if not (effect.unless and _is(row, effect.unless))))
        case fx.Insert():
            key, row = effect.table.key_of(effect.row), effect.row
            if not isinstance(effect.table.key, str):
                if key in rows:
                    return Answer(fx.Duplicate(effect.table.name, key), True)
            else:
                times = state.used[effect.table.name, key] = state.used.get((effect.table.name, key), 0) + 1
                if times > 1:
                    while (effect.table.name, f"{key}#{times}") in state.used:
                        times += 1
                    state.used[effect.table.name, key] = times
                    key = f"{key}#{times}"
                    state.used[effect.table.name, key] = 1
                    row = row._replace(**{effect.table.key: key})
            rows[key] = row
            return Answer(key)
        case fx.Update():
            row = rows.get(effect.key)
            if row is None or not _is(row, effect.where or {}):
                return Answer(0)
            rows[effect.key] = row._replace(**effect.values) if isinstance(effect.values, dict) else effect.values
            return Answer(1)
        case fx.Delete():
            gone = [key for key in rows if _is(rows[key], effect.where)]
            for key in gone:
                del rows[key]
            return Answer(len(gone))
    raise AssertionError(effect)


def _is(row: Any, where: Any) -> bool:
    return all(getattr(row, column) == value for column, value in where.items())


def _begin(state: State, task: str, effect: fx.Begin) -> Any:
    if effect.operation == "create":
        state.made[effect.subject] = number = state.made.get(effect.subject, 0) + 1
        physical = f"{effect.subject}.{number}"
        state.things[physical] = Thing(physical, effect.spec, "creating", (Work(task, "create", effect.spec, effect.topic),))
        return physical
    thing = state.things.get(effect.subject)
    if thing is None:
        return False
    state.things[thing.id] = thing._replace(busy=(*thing.busy, Work(task, effect.operation, effect.spec, effect.topic)))
    return True


def _came_to(state: State, task: str, physical: str) -> str:
    if task in state.told:
        return "cancelled"
    thing = state.things.get(physical)
    work = next((work for work in thing.busy if work.task == task), None) if thing else None
    return "timed out" if work is not None and work.topic in state.expired else "done"


def _finish(state: State, task: str, physical: str, outcome: str) -> str:
    thing = state.things.get(physical)
    work = next((work for work in thing.busy if work.task == task), None) if thing else None
    if thing is None or work is None:
        return "not found"
    place = thing.busy.index(work)
    left = thing._replace(busy=(*thing.busy[:place], *thing.busy[place + 1 :]))
    spec = work.spec or thing.spec
    broken = work.operation in spec.fails or spec.name in state.broken
    if outcome == "done" and (broken or (work.operation == "check" and thing.state != "healthy")):
        outcome = "failed"
    if outcome == "not found" or (outcome == "done" and work.operation == "delete"):
        del state.things[physical]
        return outcome
    if outcome == "done" and work.operation == "create":
        left = left._replace(state="healthy")
    elif outcome == "done" and work.operation == "update":
        left = left._replace(spec=work.spec)
    elif outcome in ("failed", "cancelled", "timed out") and work.operation in ("create", "update"):
        left = left._replace(state="failed")
    state.things[physical] = left
    return outcome
