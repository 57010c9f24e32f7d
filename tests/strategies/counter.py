"""A toy design for the stateful machine: every resource that is asked for adds one to a counter. Its variants have one mistake each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from heatproof.model.design import Design
from heatproof.model.effects import Handler, Insert, Me, Read, Refused, Send, Table, Update
from heatproof.model.observation import Change
from heatproof.model.scenario import Operation
from heatproof.model.watching import WorldObservation
from heatproof.model.world import World
from heatproof.properties.base import EVERY, Witness, always, at_rest, seen, witness
from heatproof.properties.catalogue import REST_IS_REACHED


class Row(NamedTuple):
    """A counter."""

    id: str
    value: int = 0


COUNTER = Table("counter", Row)


class Counter(Design):
    """Reads the counter and writes it with a compare-and-set; who loses sends himself the message again."""

    name = "counter"
    sentence = "increments by compare-and-set"
    tables = (COUNTER,)
    messages = ("add",)
    operations = {"create": "create", "update": "update"}  # noqa: RUF012  # a constant
    survives = frozenset({"stall", "pause"})

    def create(self, me: Me, number: int, operation: Operation) -> Handler:
        """Insert the counter and ask for the first increments."""
        yield Insert("K-1", COUNTER, Row(operation.stack))
        yield from self.increments(number, operation)

    def update(self, me: Me, number: int, operation: Operation) -> Handler:
        """Ask for more increments."""
        if (yield Read("K-2", COUNTER, operation.stack)) is None:
            return Refused("there is no counter")
        yield from self.increments(number, operation)
        return None

    def increments(self, number: int, operation: Operation) -> Handler:
        """One message for each resource."""
        assert operation.template is not None
        for name in operation.template.names:
            yield Send("K-3", "add", (operation.stack, name, number))

    def add(self, me: Me, stack: str, name: str, number: int) -> Handler:
        """One increment."""
        row = yield Read("K-4", COUNTER, stack)
        if not (yield Update("K-5", COUNTER, stack, {"value": row.value + 1}, where=self.guard(row))):
            yield Send("K-6", "add", (stack, name, number))

    def guard(self, row: Row) -> Mapping[str, Any] | None:
        """What the write expects."""
        return {"value": row.value}

    def observe(self, world: World) -> CounterObservation:
        """Counters are the resources."""
        return CounterObservation(world)


class Blind(Counter):
    """Writes whatever the counter is by now: increments get lost."""

    name = "blind-counter"

    def guard(self, row: Row) -> Mapping[str, Any] | None:
        """Nothing is expected."""
        return None


class Stubborn(Counter):
    """Expects the wrong value from the second increment on, and so tries for ever."""

    name = "stubborn-counter"

    def guard(self, row: Row) -> Mapping[str, Any] | None:
        """A counter that stands at 0 or has gone back."""
        return {"value": 0}


class Endless(Counter):
    """Counts on and on, and never comes to the same state again."""

    name = "endless-counter"

    def add(self, me: Me, stack: str, name: str, number: int) -> Handler:
        """An increment and a message for the next."""
        yield from super().add(me, stack, name, number)
        yield Send("K-7", "add", (stack, name, number))


class Impure(Counter):
    """Has a mistake in the code of a handler."""

    name = "impure-counter"

    def add(self, me: Me, stack: str, name: str, number: int) -> Handler:
        """No effect."""
        yield "add one"  # type: ignore[misc]  # the mistake


class CounterObservation(WorldObservation):
    """The counters of a world."""

    def __init__(self, world: World):
        super().__init__(world)
        self.resources = world.database.rows[COUNTER]


@at_rest("every increment counts", "At rest the counter stands at the number of increments that were asked for.", frozenset())
def every_increment_counts(observation: Any) -> Iterator[Witness]:
    """What a lost update breaks."""
    asked = sum(len(r.operation.template) for r in observation.requests if r.outcome == "accepted")
    counted = sum(row.value for row in observation.resources.values())
    if counted != asked:
        yield witness("increment lost" if counted < asked else "increment doubled", asked=asked, counted=counted)


@always("the counter never goes down", "No write makes the counter smaller.", ["resource"], EVERY)
def never_down(_observation: Any, change: Change) -> Witness | None:
    """What only a late blind write breaks."""
    if change.old is not None and change.new is not None and change.new.value < change.old.value:
        return witness("went down", before=change.old.value, after=change.new.value)
    return None


CONTENDED = seen("increment contended", "An increment loses its compare-and-set.", ("K-5", "lost"))
PROPERTIES = (every_increment_counts, never_down, CONTENDED, REST_IS_REACHED)
