"""Reality: the physical resources that exist, apart from any record of them.

A physical operation begins and ends as two effects. In between it is *busy*: it stands in the ``busy`` tuple of the resource with
the task, the operation and the cause. If its task dies, or ends without having waited for it, the operation goes on alone and
ends by the action *settle*.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from heatproof.model.database import MISSING, Journal
from heatproof.model.in_order import InOrder
from heatproof.model.templates import Plain


class Spec(NamedTuple):
    """What a physical resource is to be.

    Its name in the template, class, resolved properties (tuple of (name, value)), the physical ids that its properties refer
    to, the operations that always fail for it, its stack, and the names that it comes after without holding their ids.
    """

    name: str
    kind: str = "thing"
    properties: tuple[tuple[str, Plain], ...] = ()
    requires: tuple[str, ...] = ()
    fails: tuple[str, ...] = ()
    stack: str = "S"
    after: tuple[str, ...] = ()


class Busy(NamedTuple):
    """A physical operation in progress. ``task`` is empty when the task that began it is gone."""

    task: str
    operation: str
    cause: str | None
    topic: Any
    spec: Spec | None


class Physical(NamedTuple):
    """A physical resource. ``state``: creating, healthy, failed (an operation on it did not succeed) or unhealthy (drift).

    ``owner`` is the row it was made for; ``made_by`` and ``changed_by`` are the causes (traversals) of its create and of the
    last operation that ended on it; ``drifted``: changed behind the record.
    """

    id: str
    owner: str
    spec: Spec
    state: str
    busy: tuple[Busy, ...]
    made_by: str | None
    changed_by: str | None
    drifted: bool = False

    @property
    def name(self) -> str:
        """The name in the template."""
        return self.spec.name


class Reality:
    """The physical resources of one world, by physical id."""

    def __init__(self, journal: Journal):
        self.things: dict[str, Physical] = InOrder()
        self.made: dict[str, int] = {}  # how many were ever made for each owner
        self.broken: dict[str, bool] = {}  # names whose operations fail from now on
        self.alone: dict[str, bool] = {}  # where an operation may go on whose task is gone
        self.workers: dict[str, int] = {}  # how many operations each task has in progress
        self.journal = journal

    def _work(self, task: str, more: int) -> None:
        workers = self.workers
        before = workers.get(task, 0)
        if before + more > 0:
            self.journal.append((workers, task, before or MISSING))
            workers[task] = before + more
        elif before:
            self.journal.append((workers, task, before))
            del workers[task]

    def _put(self, physical: str, thing: Physical) -> None:
        self.journal.append((self.things, physical, self.things.get(physical, MISSING)))
        self.things[physical] = thing

    def remove(self, physical: str) -> None:
        """Make it vanish, and with it what is in progress there."""
        thing = self.things[physical]
        self.journal.append((self.things, physical, thing))
        del self.things[physical]
        for busy in thing.busy:
            if busy.task:
                self._work(busy.task, -1)

    def create(self, task: str, owner: str, spec: Spec, cause: str | None, topic: Any) -> str:
        """Begin to create; the id of the new thing."""
        number = self.made.get(owner, 0) + 1
        self.journal.append((self.made, owner, number - 1 or MISSING))
        self.made[owner] = number
        physical = f"{owner}.{number}"
        self._work(task, 1)
        busy = Busy(task, "create", cause, topic, spec)
        self._put(physical, Physical(physical, owner, spec, "creating", (busy,), cause, cause))
        return physical

    def begin(self, task: str, operation: str, physical: str, spec: Spec | None, cause: str | None, topic: Any) -> bool:
        """Begin an update, delete or check; False if there is no such thing."""
        thing = self.things.get(physical)
        if thing is None:
            return False
        self._work(task, 1)
        busy = Busy(task, operation, cause, topic, spec)
        if spec is not None:  # while it changes it depends on both the old and the new
            union = tuple(sorted({*thing.spec.requires, *spec.requires}))
            thing = thing._replace(spec=thing.spec._replace(requires=union))
        self._put(physical, thing._replace(busy=(*thing.busy, busy)))
        return True

    def finish(self, task: str, physical: str, outcome: str) -> str:
        """End the operation that ``task`` has in progress there, with ``outcome`` unless reality knows better; the outcome."""
        thing = self.things.get(physical)
        if thing is None:
            return "not found"
        busy = next((b for b in thing.busy if b.task == task), None)
        if busy is None:
            return "not found"
        if outcome == "done" and self.fails(thing, busy):
            outcome = "failed"
        rest = tuple(b for b in thing.busy if b is not busy)
        if not task and all(b.task for b in rest):
            self.journal.append((self.alone, physical, True))
            del self.alone[physical]
        if outcome == "not found" or (outcome == "done" and busy.operation == "delete"):
            self.remove(physical)
            return outcome
        if task:
            self._work(task, -1)
        if outcome == "conflict":
            self._put(physical, thing._replace(busy=rest))
        elif outcome == "done":
            self._done(thing, busy, rest)
        else:
            broken = busy.operation in ("create", "update")
            self._put(physical, thing._replace(busy=rest, state="failed" if broken else thing.state, changed_by=busy.cause))
        return outcome

    def _done(self, thing: Physical, busy: Busy, rest: tuple[Busy, ...]) -> None:
        if busy.operation == "create":
            self._put(thing.id, thing._replace(busy=rest, state="healthy"))
        elif busy.operation == "update":
            assert busy.spec is not None
            spec = busy.spec._replace(kind=thing.spec.kind)  # an update cannot make it a thing of another class
            self._put(thing.id, thing._replace(busy=rest, spec=spec, changed_by=busy.cause, drifted=False))
        else:
            self._put(thing.id, thing._replace(busy=rest))

    def fails(self, thing: Physical, busy: Busy) -> bool:
        """Whether that operation cannot succeed: by its definition, because the thing is broken or, for a check, unhealthy."""
        spec = busy.spec or thing.spec
        if busy.operation == "check" and (thing.state != "healthy" or thing.drifted):
            return True
        return busy.operation in spec.fails or spec.name in self.broken

    def leave(self, task: str) -> None:
        """The task has ended: what it still has in progress goes on without it."""
        if task in self.workers:
            self.orphan({task})
            self._work(task, -self.workers[task])

    def orphan(self, tasks: set[str]) -> None:
        """The tasks are gone: what they had in progress goes on without them."""
        for physical, thing in list(self.things.items()):
            if any(b.task in tasks for b in thing.busy):
                busy = tuple(b._replace(task="") if b.task in tasks else b for b in thing.busy)
                self._put(physical, thing._replace(busy=busy))
                self.journal.append((self.alone, physical, self.alone.get(physical, MISSING)))
                self.alone[physical] = True

    def orphans(self) -> list[str]:
        """The ids of things on which an operation goes on whose task is gone, in order of id."""
        things = self.things
        return sorted(p for p in self.alone if p in things and any(not b.task for b in things[p].busy))

    def change(self, physical: str, **values: Any) -> None:
        """Drift: write fields of the thing behind every record."""
        self._put(physical, self.things[physical]._replace(**values))

    def break_name(self, name: str) -> None:
        """From now on every operation on things of that name fails."""
        self.journal.append((self.broken, name, self.broken.get(name, MISSING)))
        self.broken[name] = True


def drift_of(thing: Physical) -> Physical:
    """The thing with its first property changed behind the record."""
    first, *others = thing.spec.properties
    spec = thing.spec._replace(properties=((first[0], "drifted"), *others))
    return thing._replace(spec=spec, drifted=True)


__all__ = ["Busy", "Physical", "Reality", "Spec", "drift_of"]
