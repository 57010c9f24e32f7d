"""A run taken apart: for every step who did what, to which rows, on what knowledge, against the default policy or with it, and what
changed.

It costs nothing while a run goes on: the actions of its log are performed once more in a world of their own, as the meter does. Values
are those of the model (rows, keys, templates); how they are shown is the business of stories and pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from heatproof.model import effects as fx
from heatproof.model.anomalies import ANOMALIES, splits
from heatproof.model.database import MISSING
from heatproof.model.faults import FAULTS
from heatproof.model.observation import Change
from heatproof.model.program import Node
from heatproof.model.statements import Statement, statements
from heatproof.model.world import Action, Entry, World
from heatproof.reports.staleness import Knowledge, Place, Stale, Written
from heatproof.reports.telling import sending, tell, vanishes
from heatproof.strategies.schedules import Anchor, Anchors, deviate

SPLITS = frozenset(a.name for a in ANOMALIES)


class Touch(NamedTuple):
    """One statement and one row.

    ``kind``: read, query, insert, update or delete; *write*: some statement, known by what it changed. ``outcome``: *found* or
    *missing* (reads), *written*, *lost* (an update whose condition did not hold or whose row is gone), *none* (a delete that matched
    nothing), *undone* (its transaction was rolled back) or the name of the exception. ``key``: None where a condition met no row;
    ``where`` is the condition. ``columns``: those that were written; ``met``: the row that an update met; ``seen``: the step at which the
    task last read or wrote the row before, 0 for never; ``inside``: in a transaction. ``set``: of a lost update, when and by whom the
    columns that were not as expected had last been changed.
    """

    table: str
    key: Any
    kind: str
    outcome: str
    columns: frozenset[str] = frozenset()
    where: tuple[tuple[str, Any], ...] = ()
    met: Any = None
    seen: int = 0
    inside: bool = False
    set: Written | None = None

    @property
    def mismatch(self) -> tuple[tuple[str, Any, Any], ...]:
        """Of a lost update: the columns that were not as expected, with what was expected and what was there."""
        if self.outcome != "lost" or self.met is None:
            return ()
        pairs = ((column, value, getattr(self.met, column)) for column, value in self.where)
        return tuple((column, value, there) for column, value, there in pairs if value != there)


class Physical(NamedTuple):
    """A physical operation that a step began, ended or looked at: ``kind`` is begin, end or look."""

    kind: str
    operation: str
    id: str
    outcome: str


class Instead(NamedTuple):
    """A deviation: the choice of the default policy that was passed over, and what it would have done (``at`` and ``phrase`` as in
    :class:`Step`, empty where it is no step of a task)."""

    anchor: Anchor
    default: Action | None
    at: str
    phrase: str


class Waiting(NamedTuple):
    """A message in the message layer."""

    name: str
    handler: str
    args: tuple[Any, ...]
    to: str | None


class Running(NamedTuple):
    """A task: its engine, the number of its thread there (from 1; those of no worker thread are counted apart), the operation
    that it was begun for (from 1)."""

    name: str
    handler: str
    engine: str
    worker: bool
    slot: int
    operation: int


class Step(NamedTuple):
    """One action of the run.

    ``number``: from 1. ``who``: the task that acts or is acted on, None for the user, the message layer, engines and reality.
    ``at``: the step id in the design, ``phrase``: the effect in words, ``matters``: it changed something or failed; all empty where no
    task went a step. ``sent``, ``started``: names of messages and tasks that came to be; ``taken``: the message delivered; ``vanished``: that
    messages are sent to engines that are not there, in words. ``ended``: empty, "ends", or the exception with which the task ended.
    ``fault``: its kind, or empty. ``changes``: what is different afterwards, once for each thing; the
    aspects are *row* (key: table name and key), *message*, *task*, *engine*, *reality*, *request*, *held back* and *broken*.
    """

    number: int
    action: Action
    who: Running | None
    at: str
    phrase: str
    matters: bool
    touches: tuple[Touch, ...]
    physical: Physical | None
    taken: str
    sent: tuple[str, ...]
    vanished: tuple[str, ...]
    started: tuple[str, ...]
    ended: str
    fault: str
    instead: Instead | None
    stale: tuple[Stale, ...]
    changes: tuple[Change, ...]


class Trace(NamedTuple):
    """A run taken apart, and what was there before its first step (as changes from nothing)."""

    world: World
    steps: tuple[Step, ...]
    before: tuple[Change, ...]

    def states(self) -> Iterator[dict[tuple[str, Any], Any]]:
        """Everything that is there after each step, by aspect and key; one dictionary, which the next step changes."""
        state = {(change.aspect, change.key): change.new for change in self.before}
        for step in self.steps:
            for aspect, key, _, new in step.changes:
                if new is None:
                    state.pop((aspect, key), None)
                else:
                    state[aspect, key] = new
            yield state


def trace(world: World) -> Trace:
    """Everything that ``world`` did so far, taken apart."""
    tracer = _Tracer(world)
    before = tuple(Change("engine", engine, None, "up") for engine in tracer.world.free)
    return Trace(world, tuple(tracer.step(entry.action) for entry in world.log), before)


class _Tracer:
    """A world in which a run is repeated and looked at."""

    def __init__(self, world: World):
        self.world = again = world.design.open(world.scenario, world.program)
        self.pure = world.design.pure  # else what a transaction will do cannot be looked at beforehand
        self.anchors = Anchors(again)
        self.knowledge = Knowledge(again)
        self.running: dict[str, Running] = {}
        self.origins: dict[str, int] = {}
        self.aspects: dict[int, tuple[str, str]] = {
            id(again.bag): ("message", ""), id(again.tasks): ("task", ""), id(again.free): ("engine", ""),
            id(again.down): ("engine", ""), id(again.reality.things): ("reality", ""), id(again.requests): ("request", ""),
            id(again.held): ("held back", ""), id(again.reality.broken): ("broken", ""),
            **{id(rows): ("row", table.name) for table, rows in again.database.rows.items()},
        }  # fmt: skip

    def step(self, action: Action) -> Step:
        world, number = self.world, len(self.world.log) + 1
        default = world.default()
        instead = None
        if action != default:
            instead = self._instead(default)
            deviate(world, default, action)
        mark = len(world.journal)
        node, who = world.nodes.get(action.subject), self.running.get(action.subject)
        inside, outbox = self._inside(action, node)
        vanished = tuple(sending(world, sent) for sent in outbox if vanishes(world, sent))
        touches = tuple(self._touches(action.subject, inside))
        stale = self._conflicts(action.subject, touches)
        if node is not None and self.pure:
            told_already = {(s.table, s.key) for s in stale}
            stale += [s for s in self.knowledge.outdated(action.subject) if (s.table, s.key) not in told_already]
        entry = world.perform(action)
        self.anchors.performed(action)
        changes = self._changes(mark)
        if not self.pure and node is not None:
            touches = tuple(_touched(changes))
        who = who or self.running.get(action.subject)
        self._learn(number, action, entry, touches, changes, inside)
        if entry.before is not None and entry.after is not None and self.pure:
            stale += self.knowledge.steps(action.subject, number, entry.before, entry.after)
        stale = [self._named(one) for one in stale]
        told = tell(entry, world) if entry.before is not None else None
        made = {a: tuple(c.key for c in changes if c.aspect == a and c.old is None) for a in ("message", "task")}
        step = Step(
            number, action, who, told.step if told else "", told.phrase if told else "", told.matters if told else False, touches,
            _physical(entry), action.subject if action.kind == "deliver" else "", made["message"], vanished,
            tuple(name for name in made["task"] if name != action.subject), _ended(entry),
            action.kind if action.kind in FAULTS and not (action.kind == "restart" and instead is None) else "",
            instead, tuple(stale), changes,
        )  # fmt: skip
        for change in changes:
            if change.aspect == "task" and change.new is None:
                self.running.pop(change.key, None)
        return step

    def _instead(self, default: Action | None) -> Instead:
        """What the default policy would do: it is done and taken back."""
        world = self.world
        anchor = self.anchors.of(default)
        if default is None or default.kind != "step":
            return Instead(anchor, default, "", "")
        if not self.pure:  # what it would do is known only by doing it, and taking it back is dear
            effect = world.nodes[default.subject].effect
            return Instead(anchor, default, effect.step if effect is not None else "", "")
        told = tell(world.perform(default), world)
        world.undo()
        return Instead(anchor, default, told.step, told.phrase)

    def _inside(self, action: Action, node: Node | None) -> tuple[list[tuple[Statement, bool]], list[fx.Send]]:
        """The statements of what is about to be done, and whether they will last; what it will send."""
        kind, database = action.kind, self.world.database
        if node is not None and type(node.effect) is fx.Send and kind == "step":
            return [], [node.effect]
        if not self.pure or node is None or not fx.is_database(node.effect) or kind not in ("step", "disconnect", *SPLITS):
            return [], []
        effect: Any = node.effect
        known, outbox = self.world.split.get(action.subject, ()), list[fx.Send]()
        found, whole = statements(database, effect, known, outbox)
        if kind in SPLITS:  # only its first reads are done now
            return [(one, True) for one in found[: splits(database, effect)[kind]]], []
        lasts = type(effect) is not fx.Transaction or type(whole) is not fx.Thrown
        return [(one, lasts) for one in found[len(known) :]], outbox if lasts else []

    def _touches(self, task: str, inside: list[tuple[Statement, bool]]) -> Iterator[Touch]:
        transaction = type(self.world.nodes[task].effect) is fx.Transaction if inside else False
        for one, lasts in inside:
            effect, result, table = one.effect, one.result, one.effect.table
            kind = type(effect).__name__.lower()
            where = tuple((getattr(effect, "where", None) or {}).items())
            if type(result) is fx.Thrown:
                key = getattr(effect, "key", table.key_of(effect.row) if kind == "insert" else None)
                outcomes = [(key, type(result.exception).__name__)]
            elif kind == "read":
                outcomes = [(effect.key, "found" if result is not None else "missing")]
            elif kind == "query":
                outcomes = [(table.key_of(row), "found") for row in result] or [(None, "missing")]
            elif one.writes:
                outcomes = [(write.key, "written" if lasts else "undone") for write in one.writes]
            else:
                outcomes = [(effect.key, "lost") if kind == "update" else (None, "none")]
            columns = frozenset(table.columns if kind in ("insert", "delete") else _written(effect))
            for key, outcome in outcomes:
                seen = self.knowledge.last_seen(task, (table.name, key))
                touch = Touch(table.name, key, kind, outcome, columns, where, one.met, seen, transaction)
                if outcome == "lost":
                    differing = frozenset(column for column, _, _ in touch.mismatch)
                    touch = touch._replace(set=self.knowledge.last_changed((table.name, key), differing))
                yield touch

    def _named(self, one: Stale) -> Stale:
        """With what would be sent otherwise by the name of the message."""
        effect = one.otherwise
        if type(effect) is not fx.Send:
            return one
        return one._replace(otherwise=f"send {self.world.design.label(effect.message, effect.args)} ({effect.step})")

    def _conflicts(self, task: str, touches: tuple[Touch, ...]) -> list[Stale]:
        """What the writes of a step run into because rows have changed since the task saw them."""
        found = []
        fresh: set[Place] = set()  # seen by the same transaction just before
        for touch in touches:
            place = (touch.table, touch.key)
            change = None
            columns = touch.columns
            if touch.kind == "update" and touch.outcome == "lost":
                columns = frozenset(column for column, _, _ in touch.mismatch)
                change = self.knowledge.changed_since(task, place, columns) if touch.seen else touch.set
            elif touch.kind == "update" and touch.outcome == "written" and touch.seen and not touch.where and place not in fresh:
                change = self.knowledge.changed_since(task, place, columns)
            fresh.add(place)
            if change is not None and change.by != task:
                differing = tuple(sorted(change.columns & columns or change.columns))
                kind = "lost" if touch.outcome == "lost" else "overwrites"
                found.append(Stale(kind, *place, touch.seen, change.step, change.by, differing))
        return found

    def _changes(self, mark: int) -> tuple[Change, ...]:
        """What an action changed, once for each thing; also notes which tasks have begun."""
        before: dict[tuple[str, Any], tuple[dict[Any, Any], Any]] = {}
        for table, name, old in self.world.journal[mark:]:
            aspect, prefix = self.aspects.get(id(table), ("", ""))
            if aspect:
                before.setdefault((aspect, (prefix, name) if prefix else name), (table, None if old is MISSING else old))
        found = []
        for (aspect, key), (table, old) in before.items():
            old, new = self._shown(aspect, key, table, old)
            if old != new:
                found.append(Change(aspect, key, old, new))
        return tuple(found)

    def _shown(self, aspect: str, key: Any, table: dict[Any, Any], old: Any) -> tuple[Any, Any]:
        """A thing before and after, as a trace has it."""
        match aspect:
            case "row":
                return old, table.get(key[1])
            case "engine":
                was = None if old is None else "up" if table is self.world.free else "down"
                return was, "up" if key in self.world.free else "down" if key in self.world.down else None
            case "message":
                return _waiting(old), _waiting(table.get(key))
            case "task":
                return self.running.get(key), self._running(key) if key in table else None
            case _:
                return old, table.get(key)

    def _running(self, name: str) -> Running:
        task = self.world.tasks[name]
        base = task.engine.partition("/")[0]
        taken = {r.slot for r in self.running.values() if r.engine.partition("/")[0] == base and r.worker == task.worker}
        slot = next(n for n in range(1, len(taken) + 2) if n not in taken)
        self.running[name] = running = Running(
            name, task.handler, task.engine, task.worker, slot, self.origins.get(name, self.world.state["issued"])
        )
        self.knowledge.begins(name)
        return running

    def _learn(
        self, number: int, action: Action, entry: Entry, touches: tuple[Touch, ...], changes: tuple[Change, ...],
        inside: list[tuple[Statement, bool]],
    ) -> None:  # fmt: skip
        """What the task has seen, what was written, and which operation new messages and tasks go back to."""
        task, knowledge = action.subject, self.knowledge
        parent = self.world.state["issued"] if action.kind == "operate" else self.origins.get(task, 0)
        for change in changes:
            if change.aspect in ("message", "task") and change.old is None and change.new is not None:
                self.origins[change.key] = parent
        for touch in touches:
            knowledge.sees(task, number, (touch.table, touch.key))
        places: dict[Place, frozenset[str]] = {
            (one.effect.table.name, write.key): frozenset() for one, lasts in inside if lasts for write in one.writes
        }
        for change in changes:
            if change.aspect == "row":
                places[change.key] = _different(change.old, change.new)
            elif change.aspect in ("reality", "engine"):
                places[change.aspect, change.key] = _different(change.old, change.new)
        knowledge.writes(number, task if entry.task is not None else str(action), places)


def _touched(changes: Iterable[Change]) -> Iterator[Touch]:
    """The rows that a target has written which does its transactions itself."""
    for change in changes:
        if change.aspect == "row":
            kind = "insert" if change.old is None else "delete" if change.new is None else "write"
            table, key = change.key
            yield Touch(table, key, kind, "written", _different(change.old, change.new))


def _written(effect: Any) -> tuple[str, ...]:
    if type(effect) is not fx.Update:
        return ()
    return tuple(effect.values) if isinstance(effect.values, Mapping) else effect.table.columns


def _different(old: Any, new: Any) -> frozenset[str]:
    """The columns in which two rows differ; all of one if the other is not there."""
    fields = getattr(old if old is not None else new, "_fields", ("state",))
    if old is None or new is None or fields == ("state",):
        return frozenset(fields)
    return frozenset(column for column in fields if getattr(old, column) != getattr(new, column))


def _waiting(message: Any) -> Waiting | None:
    return None if message is None else Waiting(message.name, message.handler, message.args, message.to)


def _physical(entry: Entry) -> Physical | None:
    if entry.before is None or entry.after is None:
        return Physical("end", "", entry.action.subject, "done") if entry.action.kind == "settle" else None
    result = entry.after.result
    match entry.before.effect:
        case fx.Begin(_, "create", _, _, _, _):
            return Physical("begin", "create", str(result), "begun")
        case fx.Begin(_, operation, subject, _, _, _):
            return Physical("begin", operation, subject, "begun" if result else "not found")
        case fx.Finish(_, physical):
            return Physical("end", "", physical, str(result))
        case fx.Look(_, physical):
            return Physical("look", "", physical, "found" if result is not None else "missing")
        case _:
            return None


def _ended(entry: Entry) -> str:
    if entry.after is None or entry.after.effect is not None:
        return ""
    escaped = entry.after.escaped
    return "ends" if escaped is None else f"{type(escaped).__name__}: {escaped}"


__all__ = ["Instead", "Physical", "Running", "Step", "Touch", "Trace", "Waiting", "trace"]
