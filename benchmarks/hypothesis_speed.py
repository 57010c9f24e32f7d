"""Whole scenarios per second when Hypothesis draws everything: templates, edits, bursts and seeds."""

from __future__ import annotations

from random import Random

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from benchmarks.common import ASKED, Result, median_rate, per_second
from heatproof.model import catalogue
from heatproof.model.scenario import Scenario, create, scenario, update
from heatproof.properties.base import Property
from heatproof.strategies.policies import PORTFOLIO, make
from heatproof.strategies.running import Driver
from heatproof.strategies.scenarios import edits, templates

EXAMPLES = 200


@st.composite
def _two_operations(draw: st.DrawFn) -> Scenario:
    first = draw(templates(max_resources=5, min_resources=5))
    return scenario(create(first), update(draw(edits(first))))


BURSTS = st.lists(st.tuples(st.sampled_from(PORTFOLIO), st.integers(0, 2**16), st.integers(1, 200)), min_size=1, max_size=4)


def _explore(properties: list[Property]) -> int:
    design = catalogue.load("heat")
    done = 0

    @settings(max_examples=EXAMPLES, phases=[Phase.generate], database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(_two_operations(), BURSTS)
    def one(drawn: Scenario, bursts: list[tuple[str, int, int]]) -> None:
        nonlocal done
        driver = Driver(design, drawn, properties)
        for policy, seed, length in bursts:
            if operations := driver.world.operations():
                driver.perform(operations[0])
            driver.burst(make(policy, Random(seed)), length)
        driver.settle()
        driver.finish("rest")
        done += 1

    one()
    return done


def _draw_only() -> int:
    done = 0

    @settings(max_examples=EXAMPLES, phases=[Phase.generate], database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(_two_operations(), BURSTS)
    def one(drawn: Scenario, bursts: list[tuple[str, int, int]]) -> None:
        nonlocal done
        done += 1

    one()
    return done


def measure() -> Result:
    """The table."""
    rows = [
        [label, per_second(median_rate(work))]
        for label, work in (
            ("drawn and run to rest, all properties", lambda: _explore(ASKED)),
            ("drawn and run to rest, no properties", lambda: _explore([])),
            ("drawn only", _draw_only),
        )
    ]
    return ("Scenarios of 5 resources and 2 operations, drawn by Hypothesis with bursts and seeds", ["", "scenarios"], rows)
