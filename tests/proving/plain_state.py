"""The states of the plain interpreter (plainly.py): dictionaries of immutable values, and how the database and reality change them."""

from __future__ import annotations

from typing import Any, NamedTuple

from heatproof.model import effects as fx

ACCESSES = (fx.Read, fx.Query, fx.Insert, fx.Update, fx.Delete, fx.Transaction)

ANOMALIES = ("PMP", "G-single", "G2-item", "P4")

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
    drifted: bool = False


class State:
    """Everything that is shared, in dictionaries of immutable values."""

    references: dict[str, dict[str, str]]

    def __init__(self, tables: list[fx.Table], engines: dict[str, int], faults: dict[str, int]):
        self.rows: dict[str, dict[Any, Any]] = {table.name: {} for table in tables}
        self.references = {table.name: {column: other.name for column, other in table.references.items()} for table in tables}
        self.used: dict[Any, int] = {}
        self.messages: dict[str, Message] = {}
        self.tasks: dict[str, Task] = {}
        self.idle = engines
        self.down: dict[str, str] = {}
        self.listens: dict[str, tuple[Any, ...]] = {}
        self.told: set[str] = set()
        self.expired: set[Any] = set()
        self.split: dict[str, tuple[Answer, ...]] = {}
        self.things: dict[str, Thing] = {}
        self.made: dict[str, int] = {}
        self.broken: set[str] = set()
        self.faults = faults
        self.issued = 0
        self.requests: dict[int, tuple[str, str]] = {}
        self.seen: frozenset[str] = frozenset()
        self.accesses: dict[int, int] = {}
        self.memory: dict[Any, Any] = {}
        self.changes: list[tuple[str, Any, Any]] = []
        self.found: set[Any] = set()
        self.event: tuple[str, str] = ("", "")

    def copy(self) -> State:
        """A state of its own; rows, messages and tasks are never changed, so they are shared."""
        other = object.__new__(State)
        for name, value in vars(self).items():
            setattr(other, name, value.copy() if isinstance(value, dict | set) else value)
        other.rows = {name: dict(rows) for name, rows in self.rows.items()}
        other.changes, other.found, other.event = [], set(), ("", "")
        return other

    def text(self, fifo: bool) -> str:
        """What tells it from every other state; ``fifo``: also the order of messages, and of the tasks whose messages may come back."""
        parts = {
            **vars(self),
            **{f"rows of {name}": rows for name, rows in self.rows.items()},
            "order": [*self.messages, *self.tasks] if fifo else [],
        }
        for name in ("rows", "changes", "found", "event"):  # the last three are of the action that led here
            del parts[name]
        return repr([sorted(part.items(), key=repr) if isinstance(part, dict) else sorted(part, key=repr) if isinstance(part, set | frozenset)
                     else part for part in parts.values()])  # fmt: skip


def unused(state: State, name: str) -> str:
    """The name, with a number behind it where a message or task has it."""
    names = (name, *(f"{name}#{number}" for number in range(2, 1_000)))
    return next(free for free in names if free not in state.messages and free not in state.tasks)


def forgotten(state: State, name: str) -> None:
    """A task is gone: nobody tells it anything, and what it has begun goes on without it."""
    state.listens.pop(name, None)
    state.told.discard(name)
    state.split.pop(name, None)
    for thing in state.things.values():
        busy = tuple(work._replace(task="") if work.task == name else work for work in thing.busy)
        state.things = {**state.things, thing.id: thing._replace(busy=busy)}


def moments(done: list[tuple[Any, Answer]]) -> dict[str, int]:
    """Which anomalies there may be in a transaction with these accesses, and after how many of its first reads it is split for each."""
    found: dict[str, int] = {}
    reads = next((place for place, (effect, _) in enumerate(done) if not isinstance(effect, fx.Read | fx.Query)), len(done))
    for count in range(1, reads + 1):
        rows = [(effect.table.name, effect.key) for effect, _ in done[:count] if isinstance(effect, fx.Read)]
        queried = [effect.table.name for effect, _ in done[:count] if isinstance(effect, fx.Query)]
        for effect, _ in done[count:]:
            table = effect.table.name
            match effect:
                case fx.Read():
                    name = "" if (table, effect.key) in rows else "G-single"
                case fx.Query():
                    name = "PMP" if queried else ""
                case fx.Update():
                    name = "P4" if (table, effect.key) in rows or table in queried else "G2-item"
                case _:
                    name = "P4" if table in queried or table in [of for of, _ in rows] else "G2-item"
            if name:
                found.setdefault(name, count)
    return found


def access(state: State, effect: Any) -> Answer:
    """Do one access to the database; how it ends."""
    if isinstance(effect, fx.Read | fx.Query):
        return _access(state, effect)
    before, used = {name: dict(rows) for name, rows in state.rows.items()}, dict(state.used)
    answer = _access(state, effect)
    if dangling := _dangling(state):
        state.rows, state.used = before, used
        return Answer(fx.ForeignKeyError(*dangling), True)
    table, rows = effect.table.name, state.rows[effect.table.name]
    if isinstance(effect, fx.Insert) and not answer.raised:
        state.changes.append((table, answer.value, None))
    elif isinstance(effect, fx.Update) and answer.value:
        state.changes.append((table, effect.key, before[table][effect.key]))
    elif isinstance(effect, fx.Delete):
        state.changes += [(table, key, row) for key, row in before[table].items() if key not in rows]
    return answer


def _dangling(state: State) -> tuple[Any, ...]:
    """What refers to nothing; empty if nothing does."""
    for name, rows in state.rows.items():
        for row in rows.values():
            for column, other in state.references[name].items():
                value = getattr(row, column)
                if value is not None and value not in state.rows[other]:
                    return (f"{name}.{column}", value, other)
    return ()


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


def begin(state: State, task: str, effect: fx.Begin) -> Any:
    """Begin a physical operation: the id of what is created, or whether the thing is there."""
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


def came_to(state: State, task: str, physical: str) -> str:
    """How the operation of a task ends if nothing strikes it and it cannot fail."""
    if task in state.told:
        return "cancelled"
    thing = state.things.get(physical)
    work = next((work for work in thing.busy if work.task == task), None) if thing else None
    return "timed out" if work is not None and work.topic in state.expired else "done"


def finish(state: State, task: str, physical: str, outcome: str) -> str:
    """End the operation of a task (empty: of nobody), with this outcome unless reality knows better; the outcome."""
    thing = state.things.get(physical)
    work = next((work for work in thing.busy if work.task == task), None) if thing else None
    if thing is None or work is None:
        return "not found"
    place = thing.busy.index(work)
    left = thing._replace(busy=(*thing.busy[:place], *thing.busy[place + 1 :]))
    spec = work.spec or thing.spec
    broken = work.operation in spec.fails or spec.name in state.broken
    if outcome == "done" and (broken or (work.operation == "check" and (thing.state != "healthy" or thing.drifted))):
        outcome = "failed"
    if outcome == "not found" or (outcome == "done" and work.operation == "delete"):
        del state.things[physical]
        return outcome
    if outcome == "done" and work.operation == "create":
        left = left._replace(state="healthy")
    elif outcome == "done" and work.operation == "update":
        left = left._replace(spec=work.spec, drifted=False)
    elif outcome in ("failed", "cancelled", "timed out") and work.operation in ("create", "update"):
        left = left._replace(state="failed")
    state.things[physical] = left
    return outcome
