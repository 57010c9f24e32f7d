"""One run of the real engine. It is a world: what can happen next, faults, reality and the message layer are the model's own.

What differs is that a task is not a generator but Heat's code in a greenlet, and that the rows are read from a database. Neither can
be taken back. So after an :meth:`undo`, and when another run has had the installation in between, the run is made again from its beginning
as far as it had come, the next time that something is to be done in it.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from heatproof.model import effects as fx
from heatproof.model import interrupting
from heatproof.model.canonical import canonical
from heatproof.model.database import MISSING
from heatproof.model.errors import HeatproofError, NotEnabled, ScenarioError
from heatproof.model.program import Program
from heatproof.model.scenario import Operation, Scenario
from heatproof.model.world import Action, Entry, World
from heatproof.ports.heat import cures, curing, hub
from heatproof.ports.heat.execution import Execution
from heatproof.ports.heat.installation import installed
from heatproof.ports.heat.live import Live
from heatproof.ports.heat.tables import Reader

if TYPE_CHECKING:
    from heatproof.ports.heat.design import HeatEngine


class EngineWorld(World):
    """The engine and a scenario, in one state. Raises :class:`HeatproofError` if there is no engine that the port knows."""

    program: Execution
    design: HeatEngine

    def __init__(self, design: HeatEngine, scenario: Scenario, program: Program | None = None):
        self.installation = installed()
        super().__init__(design, scenario, Execution(design.handlers()))
        self.passed: dict[int, list[Action]] = {}  # what was passed over, by the length of the log then
        self._register(scenario.operations)
        self.live: Live = None  # type: ignore[assignment]  # made by _fresh
        self.stale = False
        self.waits: dict[int, frozenset[str]] = {}  # the tasks that wait for a lock of the database, by the length of the log then
        self._fresh()

    def _register(self, operations: tuple[Operation, ...]) -> None:
        for operation in operations:
            for definition in operation.template.resources if operation.template is not None else ():
                self.installation.plugin.register(definition.kind)

    def _fresh(self) -> None:
        """Begin with an empty database."""
        before = self.installation.owner
        with interrupting.WHOLE:
            if isinstance(before, EngineWorld):
                before.abandon()
            curing.apply(self.design.cures, cures.known)
            self.installation.use(self.design.database)
            self._live(Live(self, self.installation))
            self.setting = self.installation.reset(self, self.design.database).sentence

    def _live(self, live: Live) -> None:
        self.live = self.program.live = live
        live.world = self
        self.reader = Reader(live, self.installation.database, self.database.rows)

    def abandon(self) -> None:
        """Give up everything that is alive: another run is to have the installation."""
        self.live.give_up()
        self.stale = True

    # ---------------------------------------------------------------------------------------------------------- actions

    def add_operation(self, operation: Operation) -> None:
        """Put one more operation at the end of the scenario."""
        super().add_operation(operation)
        self._register((operation,))

    @property
    def blocked(self) -> frozenset[str]:
        """The tasks that wait for a lock which another transaction holds: they are no choice."""
        return self.waits.get(len(self.log), frozenset())

    def free_to_act(self, held: dict[str, int]) -> list[Action]:
        """What the system can do if only these, of those that are held back, wait; who waits for a lock can do nothing."""
        blocked = self.blocked
        return [a for a in super().free_to_act(held) if a.kind != "step" or a.subject not in blocked]

    def progress(self) -> list[Action]:
        """What the system itself can do next. Where only what is held back could end a wait for a lock, it goes on."""
        actions = super().progress()
        if not (blocked := self.blocked):
            return actions
        return [a for a in actions if a.kind != "step" or a.subject not in blocked] or [
            task.action for task in self.tasks.values() if task.name not in blocked
        ]

    def default(self) -> Action | None:
        """What the default policy does next; who waits for a lock is passed over."""
        if not (blocked := self.blocked):
            return super().default()
        whole = self.tasks
        self.tasks = {name: task for name, task in whole.items() if name not in blocked}
        try:
            return super().default()
        finally:
            self.tasks = whole

    def pass_over(self, action: Action) -> None:
        """Hold its subject back from now on."""
        self.passed.setdefault(len(self.log), []).append(action)
        super().pass_over(action)

    def perform(self, action: Action) -> Entry:
        """Do ``action``. What it wrote to the database is in the rows afterwards. It is done whole: Heat would take an interrupt for a failure of
        its own, and SQLAlchemy would close the connection."""
        if action.subject in self.blocked and action.kind == "step":
            raise NotEnabled(f"task {action.subject!r} waits for a lock that another transaction holds")
        if self.stale or self.installation.owner is not self:
            self._again()
        with interrupting.WHOLE:
            try:
                return self._perform(action)
            finally:
                if interrupting.forced():
                    self.installation.give_up()
                    self.stale = True

    def _perform(self, action: Action) -> Entry:
        before = len(self.log)
        try:
            entry = super().perform(action)
        except Exception:
            self.stale = self.stale or self.live.last is not None
            raise
        if self.live.broken is not None:
            self.stale = True
            raise self.live.broken
        assert len(self.log) == before + 1
        if action.kind == "crash":
            self.live.give_up(action.subject)
        self.look()
        if self.live.by_statement:
            from heatproof.ports.heat.databases import waiting

            self.waits[len(self.log)] = waiting.settle(list(self.live.activities.values()), self.live.last)
        return entry

    def look(self) -> None:
        """Take over what has changed in the database."""
        if self.installation.database.changed():
            for table, key, row in self.reader.changes(self.live.last):
                self.put(self.database.rows[table], key, MISSING if row is None else row)

    def listen(self, task: str, topic: str) -> None:
        """A task has registered for cancel notices."""
        self.put(self.listens, task, (*self.listens.get(task, ()), topic))

    # ------------------------------------------------------------------------------------------------- taking it back

    def undo(self) -> Entry:
        """Take the last performed action back; its entry."""
        entry = super().undo()
        self.stale = True
        self.passed = {at: actions for at, actions in self.passed.items() if at <= len(self.log)}
        self.waits.pop(len(self.log) + 1, None)
        return entry

    def _again(self) -> None:
        """Make the run again as far as it had come, and take over what is alive in it."""
        other = type(self)(self.design, self.scenario)
        for number, entry in enumerate(self.log):
            for passed in self.passed.get(number, ()):
                other.pass_over(passed)
            other.perform(entry.action)
        if other.database.rows != self.database.rows or other.tasks.keys() != self.tasks.keys():
            raise HeatproofError(
                f"the real engine did something else when the same {len(self.log)} actions were done again: the port is not"
                " deterministic here; please keep the case"
            )
        self._live(other.live)
        self.live.resumed.clear()
        self.reader._seen = other.reader._seen
        for name, node in self.nodes.items():
            again = other.nodes[name]
            node.gen, node.effect = again.gen, again.effect  # a thread that is to be started belongs to the new run
        self.installation.owner = self
        self.stale = False

    def audit(self) -> None:
        """Make the run once more; raises :class:`HeatproofError` if it has another trace."""
        again = type(self)(self.design, self.scenario)
        for number, entry in enumerate(self.log):
            for passed in self.passed.get(number, ()):
                again.pass_over(passed)
            again.perform(entry.action)
        if trace(again) != trace(self):
            raise HeatproofError(
                f"the real engine has another trace when the same {len(self.log)} actions are done again: the port is not"
                " deterministic here; please keep the case"
            )

    def _undo(self) -> None:
        super()._undo()
        self.stale = True


def trace(world: World) -> str:
    """A hash of everything that was done and every statement that was sent, the same in every process."""
    made = blake2b(digest_size=16)
    for entry in world.log:
        made.update(repr(tuple(entry.action)).encode())
        if entry.before is not None and entry.after is not None and entry.before.effect is not None:
            made.update(f"{type(entry.before.effect).__name__} {entry.before.effect.step}".encode())
            result = entry.after.result
            if type(result) is not fx.Thrown:
                sent = getattr(result, "statements", None)
                made.update((repr(sent) if sent is not None else canonical(result)).encode())
    return made.hexdigest()


__all__ = ["EngineWorld", "ScenarioError", "hub", "trace"]
