"""Who looks on while a search goes on, and who writes down where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from heatproof.strategies.proving.search import Search
    from heatproof.strategies.proving.storage import Block


class Watcher(Protocol):
    """Looks on while a search goes on."""

    def begins_at(self, search: Search, block: Block) -> None:
        """The search begins, perhaps anew."""

    def expanded(self, search: Search, block: Block, begin: int, end: int) -> None:
        """These states of a block have been expanded, and all that they can do was learned. Blocks come in the order of their states."""


class Keeper(Protocol):
    """Writes down where a search stands, so that it can go on in another process."""

    def rests(self, search: Search, ends: bool) -> None:
        """Between two chunks; ``ends``: there will be no other."""

    def resume(self, search: Search) -> None:
        """Bring a search that has not begun to where it stood."""
