"""Which faults strike in a random run, once one is due."""

from __future__ import annotations

from collections.abc import Callable

from heatproof.model.faults import FAULTS, HOLDS
from heatproof.model.world import Action, World


class Striking:
    """The faults of one world, drawn one by one. ``random`` answers a number from 0 up to 1.

    Some kinds can only strike at a task that is about to do something of theirs: to look whether its time has run out, to probe an engine. Were
    they drawn from what is possible at the very moment, they hardly ever would be. So one that is not possible now can be drawn as well, and
    strikes as soon as it can.
    """

    def __init__(self, world: World, random: Callable[[], float]):
        self.world, self.random = world, random
        self.to_come: list[str] = []

    def draw(self) -> Action | None:
        """A fault that is to strike now; None if there is none, or if it is to come."""
        world, actions = self.world, self.world.faults()
        now = {action.kind for action in actions}
        later = [
            kind for kind, left in world.left.items()
            if left > 0 and kind not in now and kind not in self.to_come and FAULTS[kind].domain in ("task", "clock")
        ]  # fmt: skip
        if not actions and not later:
            return None
        chosen = int(self.random() * (len(actions) + len(later)))
        if chosen < len(actions):
            return actions[chosen]
        self.to_come.append(later[chosen - len(actions)])
        return None

    def due(self) -> Action | None:
        """A fault that was to come and can strike now."""
        for kind in self.to_come:
            targets = FAULTS[kind].targets(self.world) if self.world.left[kind] else []
            if targets or not self.world.left[kind]:
                self.to_come.remove(kind)
                lengths = HOLDS.get(kind, ("",))
                return Action(kind, self._any(targets), self._any(lengths)) if targets else None
        return None

    def _any(self, of: list[str] | tuple[str, ...]) -> str:
        return of[int(self.random() * len(of))]
