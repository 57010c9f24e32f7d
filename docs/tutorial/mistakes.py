"""The smallest design there is, and two mistakes that are easily made in a handler."""

import itertools
from typing import ClassVar, NamedTuple

from heatproof import Design, WorldObservation
from heatproof.model.effects import Insert, Table


class Row(NamedTuple):
    """A row with nothing in it but its key."""

    id: str


STACK = Table("stack", Row)
COUNTER = itertools.count(1)


class Smallest(Design):
    """A user can create, and that writes a row."""

    tables = (STACK,)
    operations: ClassVar = {"create": "create_stack"}

    def create_stack(self, me, number, operation):
        """The request."""
        yield from self.write(operation.stack)

    def write(self, key):
        """A part of a handler."""
        yield Insert("CS-1", STACK, Row(key))

    def observe(self, world):
        """Reality and nothing else."""
        return WorldObservation(world)


class ForgotFrom(Smallest):
    """Yields a generator instead of what the generator yields."""

    def create_stack(self, me, number, operation):
        """The request."""
        yield self.write(operation.stack)


class UsesCounter(Smallest):
    """Takes ids from a counter: the same request does not always do the same."""

    def create_stack(self, me, number, operation):
        """The request."""
        yield from self.write(f"stack-{next(COUNTER)}")
