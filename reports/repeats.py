"""What comes again in a row: blocks of what is told that differ in nothing but the numbers of their steps, found exactly.

Two blocks are the same if their texts are, and each step that a text refers to is either the same step in all of them (one from before) or one
of the block's own lap, as far away in each.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

LEAST = 3
"""Times in a row from which on a block is told once."""

MOST = 400
"""The longest block that is looked for."""


class Said(NamedTuple):
    """Something that is told: the numbers of its first and last step, its text without the steps it refers to, and these in order."""

    first: int
    last: int
    text: str
    steps: tuple[int, ...] = ()


class Piece(NamedTuple):
    """A block of ``size`` from the index ``begin`` on, so many times in a row."""

    begin: int
    size: int
    times: int


def pieces(said: Sequence[Said]) -> Iterator[Piece]:
    """All of what is said, in order: what comes once, one by one, and blocks that come again at least :data:`LEAST` times in a row. Where several
    begin at the same place, it is the one that reaches farthest, and of these the shortest."""
    where: dict[str, list[int]] = {}
    for index, one in enumerate(said):
        where.setdefault(one.text, []).append(index)
    index = 0
    while index < len(said):
        places = where[said[index].text]
        best = Piece(index, 1, 1)
        shorter: list[tuple[int, int]] = []  # blocks that come again, and how far these reach
        for place in range(bisect_right(places, index), len(places)):
            size = places[place] - index
            if size > MOST or index + LEAST * size > len(said):
                break
            if any(size % known == 0 and LEAST * size <= reached for known, reached in shorter):
                continue  # laps of a shorter block
            times = 1 + _alike(said, index, size) // size
            if times >= LEAST:
                shorter.append((size, size * times))
                if size * times > best.size * best.times:
                    best = Piece(index, size, times)
        yield best
        index += best.size * best.times


def _alike(said: Sequence[Said], begin: int, size: int) -> int:
    """How many that follow a block come again in the order of the block."""
    own: dict[tuple[int, int], bool] = {}  # whether it is a step of the lap, by index in the block and in the text
    for index in range(begin + size, len(said)):
        at = (index - begin) % size
        if not _again(said[begin + at], said[index], at, own):
            return index - begin - size
    return len(said) - begin - size


def _again(one: Said, other: Said, at: int, own: dict[tuple[int, int], bool]) -> bool:
    """Whether ``other`` is ``one`` in a later lap."""
    later = other.first - one.first
    if one.text != other.text or other.last - one.last != later or len(one.steps) != len(other.steps):
        return False
    for number, (step, its) in enumerate(zip(one.steps, other.steps, strict=True)):
        if its - step not in (0, later) or own.setdefault((at, number), its != step) != (its != step):
            return False
    return True


def circle(said: Sequence[Said], began: int, size: int) -> tuple[int, int]:
    """The first index of what goes on in a circle, and after how many it comes again, where it is known that what is said from the index ``began``
    on comes again after ``size`` for ever: it may have begun before, and its laps be shorter."""
    laps = (s for s in range(1, size) if size % s == 0)
    shortest = next((s for s in laps if all(_again(said[n], said[n + s], 0, {}) for n in range(began, began + size - s))), size)
    while began and began - 1 + shortest < len(said) and _again(said[began - 1], said[began - 1 + shortest], 0, {}):
        began -= 1
    return began, shortest


__all__ = ["LEAST", "Piece", "Said", "circle", "pieces"]
