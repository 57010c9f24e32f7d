"""The convergence traversal: a small abstraction of Heat's algorithm that exists for other model checkers too, to compare them.

A template is a graph. A front process starts one traversal after another, each by its sync points and by a message for each leaf.
A worker takes a message, reads the resource and the stack, locks, works, unlocks, and reports to the sync points of the dependents;
whoever completes a sync point sends the next message. One effect is one access; what a worker does not need any more it forgets.

The variants at the end take safeguards away, each the seeded bug of that name in the implementations for the other checkers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

from heatproof.model.design import Design
from heatproof.model.effects import Body, Delete, Handler, Insert, Me, Read, Send, Table, Transaction, Update
from heatproof.model.observation import Change, Observation
from heatproof.model.scenario import Operation
from heatproof.model.watching import WorldObservation
from heatproof.model.world import World
from heatproof.properties.base import Property, Witness, always, at_rest, witness

GOAL = "stack"
"""The name under which the stack itself has a sync point."""


class Stack(NamedTuple):
    """The stack: the traversal that owns it, and whether that has come to its end."""

    id: str
    traversal: int
    status: str


class Resource(NamedTuple):
    """A resource: the version that its record says, the engine that locked it, a key that each write raises, its state, and what was
    made physically. ``holders`` are the engines that hold its lock, which a property looks at and no handler."""

    id: str
    version: int
    engine: str | None
    key: int
    state: str
    made: int
    holders: frozenset[str]
    requires: tuple[str, ...]
    targets: tuple[str, ...]


class SyncPoint(NamedTuple):
    """A sync point of a resource or of the stack in one traversal: who has reported, and who has to."""

    name: str
    traversal: int
    key: int
    reported: frozenset[str]
    needed: frozenset[str]


STACK = Table("stack", Stack)
RESOURCE = Table("resource", Resource)
SYNC_POINT = Table("sync point", SyncPoint, key=("name", "traversal"), index=("traversal",))


class Traversal(Design):
    """The protocol as it is meant to be."""

    sentence = "the convergence traversal, a small protocol that is written for other model checkers too"
    tables = (STACK, RESOURCE, SYNC_POINT)
    messages = ("check",)
    operations: ClassVar[dict[str, str]] = {"create": "api", "check": "wait"}
    front = "API"
    traversals: ClassVar[int] = 2
    stack_first: ClassVar[bool] = False

    def label(self, message: str, args: tuple[Any, ...]) -> str:
        """``check(A, T1)``."""
        return f"check({args[0]}, T{args[1]})" if message == "check" else super().label(message, args)

    def may_ask(self, world: World, operation: Operation) -> bool:
        """The end is waited for: ``check`` is asked when the last traversal was started and the stack is COMPLETE."""
        if operation.kind == "create":
            return True
        stack = world.database.rows[STACK].get("S")
        return stack is not None and stack.status == "COMPLETE" and world.requests[1][0] != "running"

    def observe(self, world: World) -> TraversalObservation:
        """Rows are what there is to see."""
        return TraversalObservation(world)

    # ------------------------------------------------------------------------------------------------------ the front

    def api(self, _me: Me, _number: int, operation: Operation) -> Handler:
        """Start the traversals one after the other."""
        template = operation.template
        assert template is not None
        requires = {d.name: tuple(d.requires()) for d in template.resources}
        targets = {name: tuple(d for d in requires if name in requires[d]) or (GOAL,) for name in requires}
        needed = {name: frozenset(requires[name]) for name in requires}
        needed[GOAL] = frozenset(name for name in requires if targets[name] == (GOAL,))
        leaves = [name for name in requires if not requires[name]]
        for traversal in range(1, self.traversals + 1):
            yield Transaction("API-1", _begin, (traversal, tuple(requires.items()), tuple(targets.items())))
            yield Delete("API-2", SYNC_POINT, {"traversal": traversal - 1})
            for name in needed:
                yield Insert("API-3", SYNC_POINT, SyncPoint(name, traversal, 1, frozenset(), needed[name]))
            yield Read("API-4", STACK, "S")
            for leaf in leaves:
                yield Send("API-5", "check", (leaf, traversal))

    def wait(self, _me: Me, _number: int, _operation: Operation) -> Handler:
        """The stack is COMPLETE."""
        return
        yield

    # ------------------------------------------------------------------------------------------------------- a worker

    def check(self, me: Me, name: str, traversal: int) -> Handler:
        """Bring one resource to a traversal."""
        engine = me.engine
        del me
        if self.stack_first:
            stack = yield Read("W-2", STACK, "S")
            if stack.traversal != traversal:
                return
        row = yield Read("W-1", RESOURCE, name)
        key, targets = (row.key if row.engine is None else None), row.targets
        del row
        if not self.stack_first:
            stack = yield Read("W-2", STACK, "S")
            if stack.traversal != traversal:
                return
        if not (yield self.lock(name, engine, key)):
            yield Transaction("W-4", _put_back, (name, traversal))
            return
        del key
        yield Update("W-5", RESOURCE, name, {"made": traversal})
        yield Transaction("W-6", _unlock, (name, traversal, engine))
        del engine
        while targets:  # no 'for': its iterator would be remembered to the end
            point = yield Read("W-7", SYNC_POINT, (targets[0], traversal))
            if point is None:
                break
            outcome = yield self.report(point, name)
            if outcome == "lost":
                continue
            del point
            if targets[0] == GOAL and outcome == "full":
                yield Update("W-9", STACK, "S", {"status": "COMPLETE"}, {"traversal": traversal})
            targets = targets[1:]
        else:
            return
        del targets
        yield from self.superseded(name, traversal)

    def lock(self, name: str, engine: str, key: int | None) -> Any:
        """W-3: lock if nobody has written since."""
        return Transaction("W-3", _lock, (name, engine, key))

    def report(self, point: SyncPoint, reporter: str) -> Any:
        """W-8: report by compare-and-set, and send the dependent in the same access if that was the last report."""
        return Transaction("W-8", _report, (point.name, point.traversal, point.key, point.reported, reporter))

    def superseded(self, name: str, traversal: int) -> Handler:
        """The sync point is gone: wake the resource in the traversal that owns the stack now, if it waits for nobody."""
        stack = yield Read("W-10", STACK, "S")
        if stack.traversal == traversal:
            return
        yield Transaction("W-11", _wake, (name, stack.traversal))


def _begin(traversal: int, requires: tuple[Any, ...], targets: tuple[Any, ...]) -> Body:
    if traversal == 1:
        yield Insert("API-1", STACK, Stack("S", 1, "IN_PROGRESS"))
        for (name, required), (_, others) in zip(requires, targets, strict=True):
            yield Insert("API-1", RESOURCE, Resource(name, 0, None, 0, "INIT", 0, frozenset(), required, others))
    else:
        yield Update("API-1", STACK, "S", {"traversal": traversal, "status": "IN_PROGRESS"})


def _lock(name: str, engine: str, key: int | None) -> Body:
    row = yield Read("W-3", RESOURCE, name)
    if key is None or row.engine is not None or row.key != key:
        return False
    yield Update("W-3", RESOURCE, name, _locked(row, engine))
    return True


def _lock_blindly(name: str, engine: str, key: int | None) -> Body:
    if key is None:
        return False
    row = yield Read("W-3", RESOURCE, name)
    yield Update("W-3", RESOURCE, name, _locked(row, engine))
    return True


def _locked(row: Resource, engine: str) -> dict[str, Any]:
    return {"engine": engine, "key": row.key + 1, "state": "IN_PROGRESS", "holders": row.holders | {engine}}


def _put_back(name: str, traversal: int) -> Body:
    row = yield Read("W-4", RESOURCE, name)
    if row.engine is None:
        yield Send("W-4", "check", (name, traversal))


def _unlock(name: str, traversal: int, engine: str) -> Body:
    row = yield Read("W-6", RESOURCE, name)
    done = {"version": traversal, "engine": None, "key": row.key + 1, "state": "COMPLETE", "holders": row.holders - {engine}}
    yield Update("W-6", RESOURCE, name, done)


def _report(name: str, traversal: int, key: int, reported: frozenset[str], reporter: str) -> Body:
    point = yield Read("W-8", SYNC_POINT, (name, traversal))
    if point is None or point.key != key:
        return "lost"
    return (yield from _reported(point, reported, reporter))


def _report_blindly(name: str, traversal: int, reported: frozenset[str], reporter: str) -> Body:
    point = yield Read("W-8", SYNC_POINT, (name, traversal))
    if point is None:
        return "lost"
    return (yield from _reported(point, reported, reporter))


def _reported(point: SyncPoint, reported: frozenset[str], reporter: str) -> Body:
    name, traversal = point.name, point.traversal
    yield Update("W-8", SYNC_POINT, (name, traversal), {"reported": reported | {reporter}, "key": point.key + 1})
    if reported | {reporter} != point.needed:
        return "waiting"
    if name != GOAL:
        yield Send("W-8", "check", (name, traversal))
    return "full"


def _wake(name: str, traversal: int) -> Body:
    point = yield Read("W-11", SYNC_POINT, (name, traversal))
    if point is not None and point.reported == point.needed:
        yield Send("W-11", "check", (name, traversal))


# --------------------------------------------------------------------------------------------------------- what is asked


class TraversalObservation(WorldObservation):
    """The rows."""

    def __init__(self, world: World):
        super().__init__(world)
        rows = world.database.rows
        self.stacks, self.resources, self.sync_points = rows[STACK], rows[RESOURCE], rows[SYNC_POINT]


@always("S1: requirements first", "Nothing is made while a requirement is at an older version.", ["resource"])
def requirements_first(observation: Observation, change: Change) -> Witness | None:
    """S1."""
    old, new = change.old, change.new
    if old is None or new.made == old.made:
        return None
    for name in new.requires:
        if observation.resources[name].version < new.made:  # type: ignore[attr-defined]
            return witness("requirement older", resource=new.id, requires=name)
    return None


@always("S2: one holder", "No two workers hold the lock of one resource.", ["resource"])
def one_holder(_observation: Observation, change: Change) -> Witness | None:
    """S2."""
    if len(change.new.holders) > 1:
        return witness("two holders", resource=change.key, holders=change.new.holders)
    return None


@always("S3: COMPLETE is true", "While the stack is COMPLETE every resource is at its traversal.", ["resource", "stack"])
def complete_is_true(observation: Observation, _change: Change) -> Witness | None:
    """S3."""
    for stack in observation.stacks.values():
        if stack.status == "COMPLETE":
            for name, row in observation.resources.items():
                if row.version != stack.traversal:  # type: ignore[attr-defined]
                    return witness("an older version", resource=name)
    return None


@at_rest("never stuck", "At rest the stack is COMPLETE.")
def never_stuck(observation: Observation) -> Iterator[Witness]:
    """Every terminal state is COMPLETE."""
    for stack in observation.stacks.values():
        if stack.status != "COMPLETE":
            yield witness("stuck", traversal=stack.traversal)


PROPERTIES: Iterable[Property] = (requirements_first, one_holder, complete_is_true, never_stuck)


class Versioned(Traversal):
    """The protocol as it is, and what a search may know of it beside its text. The implementations for other checkers count Traversal."""

    sentence = "the convergence traversal, where a search may forget how often a row was written"
    versions: ClassVar[Mapping[str, tuple[str, ...]]] = {"resource": ("key",), "sync point": ("key",)}


# ---------------------------------------------------------------------------------------------------------- seeded bugs


class StackFirst(Traversal):
    """The stack is read before the resource."""

    sentence = "the convergence traversal, but a worker reads the stack before the resource"
    stack_first = True


class Unconditional(Traversal):
    """B1."""

    sentence = "the convergence traversal, but sync points are written without the compare"

    def report(self, point: SyncPoint, reporter: str) -> Any:
        """W-8 without its condition."""
        return Transaction("W-8", _report_blindly, (point.name, point.traversal, point.reported, reporter))


class Grabbing(Traversal):
    """B2."""

    sentence = "the convergence traversal, but the lock is taken without the compare"

    def lock(self, name: str, engine: str, key: int | None) -> Any:
        """W-3 without its condition."""
        return Transaction("W-3", _lock_blindly, (name, engine, key))


class Careless(Traversal):
    """B3."""

    sentence = "the convergence traversal, but a worker whose sync point is gone just ends"

    def superseded(self, name: str, traversal: int) -> Handler:
        """W-10 and W-11 left out."""
        return
        yield
