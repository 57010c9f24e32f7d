"""Countdown: a resource is created when all it requires is there; counters in rows say when."""

from typing import ClassVar, NamedTuple

from heatproof import Design, WorldObservation, always, at_rest, seen, witness
from heatproof.model.effects import Begin, Finish, Insert, Read, Send, Table, Update
from heatproof.model.reality import Spec
from heatproof.properties.base import DRIFT, EVERY
from heatproof.properties.catalogue import ALL


class StackRow(NamedTuple):
    """A stack; ``left`` counts its resources that are still to be created."""

    id: str
    status: str
    left: int
    action, traversal, deleted = "CREATE", "T1", False  # read by generic properties


class ResourceRow(NamedTuple):
    """A resource; ``left`` counts those it requires that are still to be created."""

    id: str
    stack: str
    left: int
    dependents: tuple[str, ...]
    fails: tuple[str, ...]
    physical: str | None = None
    engine = None  # read by a generic property; nothing is ever locked here


STACK = Table("stack", StackRow)
RESOURCE = Table("resource", ResourceRow)


class Countdown(Design):
    """The design."""

    sentence = "Who counts a resource down to zero sends the message that creates it."
    tables = (STACK, RESOURCE)
    messages = ("make",)
    operations: ClassVar = {"create": "create_stack"}

    def create_stack(self, me, number, operation):
        """A request: write the rows, then send a message for what requires nothing."""
        stack, template = operation.stack, operation.template
        status = "IN_PROGRESS" if template.names else "COMPLETE"
        yield Insert("CS-1", STACK, StackRow(stack, status, len(template)))
        for name in template.order:
            left, dependents = len(template[name].requires()), template.dependents(name)
            row = ResourceRow(name, stack, left, dependents, template[name].fails)
            yield Insert("CS-2", RESOURCE, row)
        for name in template.order:
            if not template[name].requires():
                yield Send("CS-3", "make", (name,))

    def make(self, me, name):
        """A message: create one resource, then count down what waits for it."""
        row = yield Read("MK-1", RESOURCE, name)
        spec = Spec(name, fails=row.fails, stack=row.stack)
        physical = yield Begin("MK-2", "create", name, spec, "T1")
        yield Update("MK-3", RESOURCE, name, {"physical": physical})
        outcome = yield Finish("MK-4", physical)
        if outcome != "done":
            yield Update("MK-5", STACK, row.stack, {"status": "FAILED"})
            return
        for other in row.dependents:
            left = yield from self.count_down(RESOURCE, other)
            if left == 0:
                yield Send("MK-6", "make", (other,))
        left = yield from self.count_down(STACK, row.stack)
        if left == 0:
            yield Update("MK-7", STACK, row.stack, {"status": "COMPLETE"})

    def count_down(self, table, key):
        """Take one off by compare-and-set, again until it matches; what is left then."""
        while True:
            row = yield Read("CD-1", table, key)
            new = {"left": row.left - 1}
            matched = yield Update("CD-2", table, key, new, where={"left": row.left})
            if matched:
                return row.left - 1

    def observe(self, world):
        """What properties see: reality always, and these two tables."""
        observation = WorldObservation(world)
        observation.stacks = world.database.rows[STACK]
        observation.resources = world.database.rows[RESOURCE]
        return observation


@always("counts stay at or above zero", "No count falls below zero.", {"stack", "resource"})
def counts_fit(observation, change):
    """Asked whenever a row of a stack or of a resource has changed."""
    if change.new is not None and change.new.left < 0:
        return witness(f"{change.aspect} below zero", row=change.key, left=change.new.left)
    return None


@at_rest(
    "COMPLETE means made",
    "At rest, if a stack is COMPLETE, each of its resources has a healthy physical one.",
    EVERY - DRIFT,
)
def complete_means_made(observation):
    """Asked when nothing can happen any more."""
    for row in observation.resources.values():
        thing = observation.reality.get(row.physical)
        well = thing is not None and thing.state == "healthy"
        if observation.stacks[row.stack].status == "COMPLETE" and not well:
            yield witness("no healthy one", resource=row.id, physical=row.physical)


CONTENDED = seen("count contended", "A count-down loses its compare-and-set.", ("CD-2", "lost"))

GENERIC = (
    "one worker at a time",
    "created once",
    "rest: no operation hangs",
    "rest: everything physical is known",
    "rest is reached",
)

PROPERTIES = (counts_fit, complete_means_made, CONTENDED, *(ALL[name] for name in GENERIC))


class Blind(Countdown):
    """The count-down without the compare: it writes what it computed from an old copy."""

    def count_down(self, table, key):
        """Read, then write."""
        row = yield Read("CD-1", table, key)
        yield Update("CD-2", table, key, {"left": row.left - 1})
        return row.left - 1


class Bold(Countdown):
    """The same design with a claim: a lost message does not stop it."""

    survives = frozenset({"lose"})
