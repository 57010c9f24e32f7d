"""The log of a world in a search: states are kept, not runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, SupportsIndex

from heatproof.model.errors import HeatproofError
from heatproof.model.world import Entry


class OneEntry(list[Entry]):
    """A log of one entry: in a search there is no history, only a state."""

    def _no_history(self) -> HeatproofError:
        return HeatproofError(
            "a property asks for the history of a run; an exhaustive search keeps states, not runs: let the property remember what it"
            " needs (Observation.remember), or leave it out with --property"
        )

    def __iter__(self) -> Iterator[Entry]:
        raise self._no_history()

    def __getitem__(self, index: Any) -> Any:
        raise self._no_history()

    def __reversed__(self) -> Iterator[Entry]:
        raise self._no_history()

    def last(self) -> Entry:
        """The only entry."""
        return list.__getitem__(self, -1)

    def pop(self, index: SupportsIndex = -1) -> Entry:
        return list.pop(self, index)
