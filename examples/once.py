"""Once: a queue may deliver a message twice, and yet a resource must be made once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, NamedTuple

from heatproof import PROPERTIES as GENERIC
from heatproof import Design, Operation, Witness, World, WorldObservation, at_rest, seen, witness
from heatproof.model.effects import Begin, Finish, Handler, Insert, Me, Read, Send, Table, Update
from heatproof.model.reality import Spec


class ResourceRow(NamedTuple):
    """A resource: who is at work on it, and what was made."""

    id: str
    owner: str | None = None
    physical: str | None = None


RESOURCE = Table("resource", ResourceRow)


class Once(Design):
    """The design."""

    sentence = "A worker makes a resource, unless it is made already or another worker has claimed it."
    tables = (RESOURCE,)
    messages = ("make",)
    operations: ClassVar = {"create": "request"}
    survives = frozenset({"duplicate"})

    def request(self, me: Me, number: int, operation: Operation) -> Handler:
        """The user asks: a row and a message for each resource."""
        assert operation.template is not None
        for name in operation.template.names:
            yield Insert("RQ-1", RESOURCE, ResourceRow(name))
            yield Send("RQ-2", "make", (name,))

    def make(self, me: Me, name: str) -> Handler:
        """A message: make the resource, if it is still to be made."""
        if (yield from self.to_make(me, name)):
            physical = yield Begin("MK-1", "create", name, Spec(name))
            yield Finish("MK-2", physical)
            yield Update("MK-3", RESOURCE, name, {"physical": physical, "owner": None})

    def to_make(self, me: Me, name: str) -> Handler:
        """Whether this worker is to make the resource. The bug: two workers that look at the same time both go on."""
        row = yield Read("LK-1", RESOURCE, name)
        return row.physical is None
        # Mended, who claims it makes it:
        # return (yield Update("LK-2", RESOURCE, name, {"owner": me.task}, where={"owner": None, "physical": None}))

    def observe(self, world: World) -> WorldObservation:
        """What properties see: reality, and this table."""
        observation = WorldObservation(world)
        observation.resources = world.database.rows[RESOURCE]
        return observation


@at_rest("rest: all is made", "At rest each resource is made, and nobody claims it any more.")
def all_is_made(observation: WorldObservation) -> Iterator[Witness]:
    """Asked when nothing can happen any more."""
    for row in observation.resources.values():
        if row.physical is None or row.owner is not None:
            yield witness("not made" if row.physical is None else "still claimed", resource=row.id)


CONTENDED = seen("claim contended", "A claim is lost to another worker.", ("LK-2", "lost"))
PROPERTIES = (
    all_is_made,
    CONTENDED,
    *(GENERIC[name] for name in ("created once", "rest: everything physical is known", "rest is reached")),
)
