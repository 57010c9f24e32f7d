"""Heat's convergence scenario files, unmodified, on the model: one message at a time, the oldest first (the fifo policy).

The semantics are those of the event loop in Heat's test framework:

1. The script only queues messages for the engine. Then turn follows turn until both queues are empty.
2. In each turn the engine takes one of its messages, if it has any, and after it the worker takes one of its own, if it has any.
   An operation is one message: it is done with all of its set-up, but without any ``check_resource`` that it sends. A message
   of the worker is one whole ``check_resource``.
3. ``engine.noop(n)`` stands for n turns in which the engine does nothing: n messages of the worker are processed. (The turn of an
   operation or a call has its worker's half too: after ``create_stack(...)`` and ``noop(5)``, six messages have been processed.)
4. An exception that leaves the engine or the worker ends the scenario: it has failed.

Two things are different here. ``stop_traversal`` and ``stop_all_workers``, which the framework mocks away, run for real. And ``reality`` is
the physical reality of the model, not what the rows say. As in the framework, ``rollback_stack`` calls the stack's rollback at once,
without the API's check that an update is in progress (CA-1).
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from heatproof.model.design import Design
from heatproof.model.designs.heat import Heat
from heatproof.model.designs.heat.values import COMPLETE, CREATE, RESOURCE, STACK, UPDATE, StackCopy
from heatproof.model.effects import Handler, Me, Read, Refused, Sleep
from heatproof.model.errors import HeatproofError, ScenarioError
from heatproof.model.reality import Physical, Spec
from heatproof.model.scenario import Operation, Scenario, Scope
from heatproof.model.world import Action, Message, World
from heatproof.strategies.scenario_interpreter import spell
from heatproof.strategies.scenario_language import Queued, ScenarioFile, read

MESSAGES = 5_000
"""Messages after which a scenario that goes on and on has failed."""

PACKAGE, FOLDER = "openstack-heat", "heat/tests/convergence/scenarios"


class Turn(NamedTuple):
    """Half a turn: its number, whose it is (``engine`` or ``worker``), what was done, and how many steps had been made before."""

    number: int
    process: str
    did: str
    step: int


@dataclass(frozen=True, slots=True)
class Result:
    """How a scenario file ended. If it failed: the ``line`` that did, its ``source``, the ``message``, and the line that had queued it.

    ``messages`` counts what the worker processed, ``asserted`` the assertions that were made, ``trace`` the turns in order.
    """

    path: Path
    passed: bool
    line: int | None
    source: str
    message: str
    queued: int | None
    messages: int
    asserted: int
    world: World = field(repr=False)
    trace: tuple[Turn, ...] = field(repr=False)

    @property
    def steps(self) -> int:
        """The steps that the world has made."""
        return len(self.world.log)

    @property
    def processed(self) -> list[str]:
        """What the worker processed, as :func:`processed` tells it."""
        return processed(self.world)


def processed(world: World) -> list[str]:
    """What workers processed: ``A2/C/3`` is the cleanup node of the second row of A that appears, in the third traversal that does."""
    names = {name for o in world.scenario.operations if o.template is not None for name in o.template.names}
    rows: dict[str, str] = {}
    count: dict[str, int] = {}
    traversals: dict[str, int] = {}
    found = []
    for entry in world.log:
        if entry.action.kind == "deliver" and entry.task is not None and entry.task.handler == "check_resource":
            row, kind, traversal = entry.task.args[:3]
            if row not in rows:
                name = max((n for n in names if row.startswith(f"{n}@")), key=len)
                count[name] = count.get(name, 0) + 1
                rows[row] = f"{name}{count[name]}"
            found.append(f"{rows[row]}/{kind}/{traversals.setdefault(traversal, len(traversals) + 1)}")
    return found


class DirectRollback(Heat):
    """Rollback as Heat's framework does it: at once, without the API's check CA-1. A mixin for Heat and its mutations."""

    def cancel_stack(self, me: Me, number: int, operation: Operation) -> Handler:
        """``stack.rollback()`` on a stack that was just loaded."""
        if operation.kind != "rollback":
            return (yield from super().cancel_stack(me, number, operation))
        st = yield Read("CA-1", STACK, operation.stack)
        if st is None or st.deleted:
            return Refused("the stack does not exist")
        return (yield from self.cancel_with_rollback(me, StackCopy(st)))


class Mocked(DirectRollback):
    """What Heat's framework mocks away besides: stopping a traversal and stopping workers."""

    def stop_before_delete(self, me: Me, st: StackCopy) -> Handler:
        """``stop_traversal`` does nothing."""
        yield from ()

    def stop_all_workers(self, me: Me, st: StackCopy) -> Handler:
        """``stop_all_workers`` does nothing."""
        yield from ()


def directly(design: Design, mixin: type[DirectRollback] = DirectRollback) -> Design:
    """The design with rollback as Heat's framework does it; a design that is no variant of Heat's stays as it is."""
    cls = type(design)
    if not isinstance(design, Heat) or issubclass(cls, mixin):
        return design.direct()
    mixed: Design = type(cls.__name__, (mixin, cls), {"name": design.name, "sentence": design.sentence})()
    return mixed


def recorded(world: World) -> list[Physical]:
    """Reality as Heat's framework sees it: a physical resource for every row that says CREATE or UPDATE COMPLETE."""
    return [
        Physical(row.physical or row.id, row.id, Spec(row.name, properties=row.properties or ()), "healthy", (), None, None)
        for row in world.database.rows[RESOURCE].values()
        if row.action in (CREATE, UPDATE) and row.status == COMPLETE
    ]


# ------------------------------------------------------------------------------------------------------------- the files


def installed() -> Path | None:
    """The folder of the scenario files of the openstack-heat that is installed, or None. Heat is not imported."""
    try:
        for file in importlib.metadata.files(PACKAGE) or ():
            if file.parent.as_posix() == FOLDER and file.suffix == ".py":
                folder = Path(str(file.locate())).parent
                return folder if folder.is_dir() else None
    except importlib.metadata.PackageNotFoundError:
        pass
    found = importlib.util.find_spec("heat")
    for place in (found.submodule_search_locations or ()) if found is not None else ():
        folder = Path(place).parent / FOLDER
        if folder.is_dir():
            return folder
    return None


def find_files(paths: Iterable[Path]) -> list[Path]:
    """The scenario files among files and folders, each once; those of a folder sorted. Raises :class:`HeatproofError`."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*.py") if file.name != "__init__.py" and file.is_file())
            if not inside:
                raise HeatproofError(f"{path}: there is no scenario in this folder: no file whose name ends with .py")
            found.update(dict.fromkeys(inside))
        elif path.is_file():
            found[path] = None
        else:
            raise HeatproofError(f"{path}: there is no such file or folder")
    return list(found)


def as_scenario(path: Path) -> Scenario:
    """The operations of a file in order, for two engines of two threads: an example for random exploration. How long the file
    waits between them is left to whoever explores; and the API refuses a rollback that the file asks for during a create."""
    return Scenario(tuple(read(path).engine.operations), Scope(2, 2))


def run_file(path: Path, design: Design) -> Result:
    """Run a scenario file on a design. Raises :class:`HeatproofError` for a file that is no scenario."""
    return Run(read(path), design).run()


# --------------------------------------------------------------------------------------------------------------- the run


class _Failed(Exception):
    """The scenario has failed at the line of the interpreter, or while something that ``queued`` had asked for was going on."""


class Run:
    """One run of a scenario file. ``as_heats``: with all that is different in Heat's framework, also what it mocks away: nothing stops a
    traversal or a worker, foreign keys are not enforced, and ``reality`` is what the rows say."""

    def __init__(self, file: ScenarioFile, design: Design, as_heats: bool = False):
        self.file = file
        try:
            mixed = directly(design, Mocked if as_heats else DirectRollback)
            self.world = mixed.open(Scenario(tuple(file.engine.operations), Scope(mixed.least_engines, 1)))
        except ScenarioError as error:
            raise ScenarioError(f"{file.script.path}: {error}") from error
        file.reality.look = self.world.reality.things.values
        if as_heats:
            self.world.database.foreign_keys = False
            file.reality.look = partial(recorded, self.world)
        self.engine, self.worker = deque(file.engine.queue), deque(file.worker.queue)
        self.trace: list[Turn] = []
        self.turn = self.messages = 0
        self.queued = 0  # the line of the engine's last message that was no noop

    def run(self) -> Result:
        """Run to the end: until both queues are empty, or until it fails."""
        interpreter, message, line = self.file.interpreter, "", None
        try:
            while self.engine or self.worker or self.world.bag:
                self.turn += 1
                self._take("engine", self.engine)
                if self.worker:
                    self._take("worker", self.worker)
                elif self.world.bag:
                    self._deliver()
        except _Failed as failed:
            message, line = str(failed), interpreter.line
        return Result(
            self.file.script.path, line is None, line, self.file.script.source(line) if line else "", message,
            self.queued if line else None, self.messages, self.file.test.made, self.world, tuple(self.trace),
        )  # fmt: skip

    def _take(self, process: str, queue: deque[Queued]) -> None:
        if not queue:
            return
        queued = queue.popleft()
        if queued.turns:
            if not self.world.bag and not self.worker:
                self.turn += queued.turns - 1  # nothing happens in any of them
            elif queued.turns > 1:
                queue.appendleft(queued._replace(turns=queued.turns - 1))
            return
        self.queued = self.file.interpreter.line = queued.line
        self._note(process, f"line {queued.line}: {self.file.script.source(queued.line)}")
        if queued.call is not None:
            self._call(queued)
        else:
            self._operate(queued.operation)

    def _call(self, queued: Queued) -> None:
        assert queued.call is not None
        try:
            self.file.interpreter.guard(queued.call)
        except HeatproofError:
            raise
        except Exception as error:
            raise _Failed(spell(error)) from error

    def _operate(self, number: int) -> None:
        (action,) = self.world.operations()
        operation = self.world.scenario.operations[number - 1]
        self._perform(action, f"{operation.kind}_stack")
        outcome, reason, _ = self.world.requests[number]
        if outcome == "refused":
            raise _Failed(f"{operation.kind}_stack was refused: {reason}")

    def _deliver(self) -> None:
        if self.messages >= MESSAGES:
            raise _Failed(f"the worker still has messages after {MESSAGES}")
        message: Message = self.world.deliverable()[0]
        self._note("worker", message.name)
        self.messages += 1
        self._perform(Action("deliver", message.name, message.to or next(iter(self.world.free))), message.name)

    def _perform(self, action: Action, what: str) -> None:
        """Do this, and then let every task run to its end; no message is delivered meanwhile."""
        world, nodes = self.world, self.world.nodes
        world.perform(action)
        while world.tasks:
            awake = (task for task in world.tasks.values() if type(nodes[task.name].effect) is not Sleep)
            task = next(awake, None) or next(iter(world.tasks.values()))
            entry = world.perform(task.action)
            if entry.after is not None and entry.after.escaped is not None:
                error = entry.after.escaped
                raise _Failed(f"{what} ended with {type(error).__name__}: {error}")

    def _note(self, process: str, did: str) -> None:
        self.trace.append(Turn(self.turn, process, did, len(self.world.log)))


__all__ = [
    "DirectRollback", "Mocked", "Result", "Run", "Turn", "as_scenario", "directly", "find_files", "installed", "processed",
    "recorded", "run_file",
]  # fmt: skip
