"""The names of tasks: they tell tasks apart and are no part of a state, unless a property or a handler looks at them, which is noticed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from heatproof.model.effects import Me

if TYPE_CHECKING:
    from heatproof.strategies.proving.learning import LearningWorld


class NamesMatter(Exception):
    """A property looks at tasks: the search begins anew with their names and arguments as part of the state."""


class OwnNamesMatter(Exception):
    """A handler looks at the name of its task: the search begins anew, and takes what handlers hold of their names for part of the state."""


class Tasks(Mapping[str, Any]):
    """The tasks as properties see them."""

    def __init__(self, world: LearningWorld):
        self._world = world

    def _asked(self) -> Mapping[str, Any]:
        if not self._world.names_matter:
            raise NamesMatter
        return self._world.tasks

    def __getitem__(self, name: str) -> Any:
        return self._asked()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._asked())

    def __len__(self) -> int:
        return len(self._asked())


def watched_names(world: LearningWorld) -> type[Me]:
    """The class of what handlers know of themselves in a world that takes notice when one looks at the name of its task."""

    def noticed(name: str) -> Any:
        plain = getattr(Me, name)

        def method(self: Me, *args: Any) -> Any:
            world.own_name_read = True
            return plain(self, *args)

        return method

    def task(self: Me) -> str:
        world.own_name_read = True
        return tuple.__getitem__(self, 1)

    ways = ("__getitem__", "__iter__", "__repr__", "__format__", "__str__", "_asdict", "_replace")
    return type("Me", (Me,), {"__slots__": (), "task": property(task), **{name: noticed(name) for name in ways}})
