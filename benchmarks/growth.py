"""How the time for one fifo create grows with the number of resources."""

from __future__ import annotations

from time import process_time

from benchmarks.common import ASKED, Result, flat, per_second
from heatproof.model import catalogue
from heatproof.properties.base import Property
from heatproof.strategies.running import Driver

SIZES = (5, 50, 500, 5000)


def _create(count: int, properties: list[Property]) -> tuple[int, float]:
    scenario = flat(count)
    start = process_time()
    driver = Driver(catalogue.load("heat"), scenario, properties)
    end = driver.settle(limit=1_000_000)
    assert end == "rest"
    return len(driver.world.log), process_time() - start


def measure() -> Result:
    """The table."""
    rows = []
    for size in SIZES:
        steps, seconds = _create(size, [])
        rows.append([str(size), f"{steps:,}", f"{seconds:.3f} s", f"{seconds / size * 1e6:.0f} us", per_second(steps / seconds)])
    return ("A fifo create in chains of ten, no properties", ["resources", "steps", "time", "time per resource", "steps"], rows)


__all__ = ["ASKED", "measure"]
