"""Where a run that goes round in circles begins to do so, and after how many steps it does the same again."""

from __future__ import annotations

from typing import NamedTuple

from heatproof.model.world import World
from heatproof.properties.catalogue import REST_IS_REACHED
from heatproof.reports.paragraphs import happenings
from heatproof.reports.repeats import circle
from heatproof.reports.trace import Trace, trace
from heatproof.strategies.running import TAIL, Driver, Laps
from heatproof.strategies.schedules import record

CIRCLE = (REST_IS_REACHED.name, REST_IS_REACHED.kinds[0])


class Circle(NamedTuple):
    """What goes on for ever: a run that has gone round at least once, the first of its steps that come again, and how many these are."""

    run: Trace
    begins: int
    size: int


def circle_from(world: World) -> Circle | None:
    """The circle in which the run in ``world`` goes round if the default policy goes on with it; None if it does not."""
    driver = Driver(world.design, world.scenario, [], world.program)
    record(driver, [entry.action for entry in world.log])  # what is passed over for good stays so
    again = driver.world
    laps, last = Laps(again), len(world.log) + TAIL
    while (began := laps.began()) is None:
        action = again.default()
        if action is None or not again.progress() or len(again.log) >= last:
            return None
        again.perform(action)
    run = trace(again)
    begins, size = circle(happenings(run), began, len(again.log) - began)
    return Circle(run, begins + 1, size)


__all__ = ["CIRCLE", "Circle", "circle_from"]
