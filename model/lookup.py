"""What is asked of a whole world, so that one that can tell without looking at everything may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heatproof.model import faults

if TYPE_CHECKING:
    from heatproof.model.program import Node
    from heatproof.model.world import Message, Task


class Lookup:
    """Questions to a world. These answers look through all that there is."""

    if TYPE_CHECKING:
        bag: dict[str, Message]
        tasks: dict[str, Task]
        nodes: dict[str, Node]

    def tasks_of(self, engine: str) -> list[Task]:
        """The tasks of an engine."""
        return [task for task in self.tasks.values() if task.engine == engine]

    def messages_to(self, engine: str) -> list[Message]:
        """The messages that are addressed to an engine."""
        return [message for message in self.bag.values() if message.to == engine]

    def limits_asked(self) -> set[Any]:
        """The time limits that tasks are about to ask for."""
        return {topic for name in self.tasks if (topic := faults.limit(self.nodes[name])) is not None}
