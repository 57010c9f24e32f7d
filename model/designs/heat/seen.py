"""Heat's tables as an observation. The rows have the fields that the views ask for, so nothing is copied."""

from __future__ import annotations

from heatproof.model.designs.heat.values import RESOURCE, STACK, SYNC_POINT, TEMPLATE
from heatproof.model.watching import WorldObservation
from heatproof.model.world import World


class HeatObservation(WorldObservation):
    """What can be seen of a world in which Heat's design runs."""

    def __init__(self, world: World):
        super().__init__(world)
        rows = world.database.rows
        self.stacks = rows[STACK]
        self.resources = rows[RESOURCE]
        self.sync_points = rows[SYNC_POINT]
        self.templates = rows[TEMPLATE]
