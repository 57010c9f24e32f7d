"""All properties by name, in the order in which they are listed."""

from __future__ import annotations

from heatproof.properties.accepted import ACCEPTED, ACCEPTED_AT_REST
from heatproof.properties.acting import ACTING
from heatproof.properties.base import EVERY, Property
from heatproof.properties.converged import RESTING as CONVERGED_AT_REST
from heatproof.properties.converged import WRITTEN
from heatproof.properties.resting import PROGRESS, RESTING, WRITING
from heatproof.properties.situations import SITUATIONS

REST_IS_REACHED = Property(
    "rest is reached",
    "eventually",
    "A run that stays fair comes to rest: it does not go round in circles for ever.",
    tolerates=PROGRESS,
    kinds=("goes round in circles",),
)
"""Judged by the explorer: under the fair default policy a state that comes again comes again for ever."""

ALL: dict[str, Property] = {
    p.name: p
    for p in (
        *ACTING,
        *WRITTEN,
        *WRITING,
        *ACCEPTED,
        *CONVERGED_AT_REST,
        *RESTING,
        *ACCEPTED_AT_REST,
        REST_IS_REACHED,
        *SITUATIONS,
    )
}

UNJUDGED = " (Nobody judges it: of what holds of whole runs only that they come to rest is judged.)"


def judged(prop: Property) -> bool:
    """Whether anybody judges such a property: of what holds of whole runs, only that they come to rest."""
    return prop.expectation != "eventually" or prop == REST_IS_REACHED


__all__ = ["ALL", "EVERY", "REST_IS_REACHED", "UNJUDGED", "judged"]
