"""Local moves: a schedule's deviations with one of them at another place, with another action, or made one with another.

Deviations are names, so a move needs to know a run: where the default policy makes its choices there and what else is possible.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from heatproof.model.world import Action, World
from heatproof.strategies.schedules import Anchor, Anchors, Deviation, deviate


class Place(NamedTuple):
    """A point of a run: what the default policy would do there, what is possible, and how far into the run that is (0 to 1)."""

    anchor: Anchor
    possible: tuple[Action, ...]
    part: float


def places(world: World, actions: Sequence[Action]) -> list[Place]:
    """The points of the run that these actions make of a ``world`` at its beginning."""
    anchors = Anchors(world)
    found = []
    for number, action in enumerate(actions):
        default = world.default()
        found.append(Place(anchors.of(default), tuple(world.actions()), number / len(actions)))
        if action != default:
            deviate(world, default, action)
        world.perform(action)
        anchors.performed(action)
    return found


def merged(deviations: Sequence[Deviation]) -> Iterator[list[Deviation]]:
    """Two of them made one: at the place of one what the other does."""
    for second in range(len(deviations)):
        for first in range(second):
            one, other = deviations[first], deviations[second]
            rest = [d for n, d in enumerate(deviations) if n not in (first, second)]
            yield [*rest, Deviation(one.anchor, other.instead)]
            yield [*rest, Deviation(other.anchor, one.instead)]


def retargeted(deviations: Sequence[Deviation], run: Sequence[Place]) -> Iterator[list[Deviation]]:
    """One of them does something else at its place; another engine first, then another subject."""
    possible = {place.anchor: place.possible for place in run}
    for index, (anchor, instead) in enumerate(deviations):
        others = [a for a in possible.get(anchor, ()) if a != instead and (a.kind, a.subject) != (anchor.kind, anchor.subject)]
        for other in sorted(others, key=lambda a, i=instead: (a.subject != i.subject, a.kind != i.kind)):  # type: ignore[misc]
            yield [*deviations[:index], Deviation(anchor, other), *deviations[index + 1 :]]


def shifted(deviations: Sequence[Deviation], run: Sequence[Place]) -> Iterator[list[Deviation]]:
    """One of them earlier or later, where what it does is possible as well; the nearest places first."""
    at = {place.anchor: number for number, place in enumerate(run)}
    for index, (anchor, instead) in enumerate(deviations):
        here = at.get(anchor)
        if here is None:
            continue
        where = [
            number
            for number, place in enumerate(run)
            if number != here and instead in place.possible and place.anchor.subject != instead.subject
        ]
        for number in sorted(where, key=lambda n: (abs(n - here), n)):
            yield [*deviations[:index], Deviation(run[number].anchor, instead), *deviations[index + 1 :]]


def with_one_less(deviations: Sequence[Deviation], run: Sequence[Place]) -> Iterator[list[Deviation]]:
    """One of them moved by any of these moves, and another dropped."""
    for drop in range(len(deviations)):
        kept = [*deviations[:drop], *deviations[drop + 1 :]]
        yield from retargeted(kept, run)
        yield from shifted(kept, run)


__all__ = ["Place", "merged", "places", "retargeted", "shifted", "with_one_less"]
