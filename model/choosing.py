"""What a user chooses by name: lists of names, and what he may have meant by a name that there is not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from heatproof.model.errors import ScenarioError

NONE = "none"
"""Stands alone for an empty list of names: nothing at all would be a slip."""


def meant(name: str, known: Iterable[str]) -> str:
    """What is said of an unknown name where one that there is looks like it; an empty text if none does."""
    close = get_close_matches(name, list(known), 1)
    return f"; perhaps {close[0]!r}" if close else ""


def chosen(names: Sequence[str], known: Iterable[str], what: str) -> tuple[str, ...]:
    """The names, each of which is known; nothing for ``none``. Raises :class:`ScenarioError` for no name, a name twice, ``none`` beside others and
    an unknown name."""
    if not names:
        raise ScenarioError(f"it names no {what}; leave it out for the default, or write {NONE}")
    if NONE in names:
        if others := [name for name in names if name != NONE]:
            raise ScenarioError(f"{NONE} and {others[0]} contradict each other; leave one of them out")
        return ()
    known = list(known)
    for name in names:
        if name not in known:
            raise ScenarioError(f"unknown {what} {name!r}{meant(name, known)}; known are {', '.join(known)}")
        if names.count(name) > 1:
            raise ScenarioError(f"{name} is given twice; name each {what} once")
    return tuple(names)


__all__ = ["NONE", "chosen", "meant"]
