"""What a step of a random run costs, in calls of Python functions: the same on every machine, so that a test can say when it has grown.

Seconds are for ``benchmarks``. Where a change is worth what it costs, raise the number here and say so in the commit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from heatproof.model.continuations import Pool
from heatproof.model.scenario import Scenario, create, scenario, update
from heatproof.model.templates import resource
from heatproof.model.world import program_for
from heatproof.strategies.asked import properties_for
from heatproof.strategies.running import Driver, Plan, run
from tests.toys import HEAT

SEEDS = range(15)


def calls(ask: Callable[[], Any]) -> int:
    """How many Python functions are called on the way."""
    count = 0

    def called(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        ask()
    finally:
        sys.setprofile(before)
    return count


def two_operations() -> Scenario:
    before = [resource(name, {"p": 1}, depends_on=["A"] if name > "A" else []) for name in "ABCDE"]
    after = [resource(name, {"p": 2}, depends_on=["A"] if name > "A" else []) for name in "ABCD"]
    return scenario(create(before), update(after), engines=2, threads=2)


@pytest.mark.parametrize(("asked", "most"), [(False, 17.5), (True, 32.0)], ids=["no properties", "all properties"])
def test_a_step_calls_no_more_functions_than_it_has_to(asked: bool, most: float) -> None:
    properties = properties_for("heat") if asked else []
    given, steps = two_operations(), 0
    program = program_for(HEAT, given)

    def go() -> None:
        nonlocal steps
        steps = sum(len(run(HEAT, given, properties, Plan("random", seed), program).actions) for seed in SEEDS)

    go()  # what handlers do is known from here on
    assert calls(go) / steps <= most


def test_a_long_handler_that_goes_on_is_not_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, of = 0, Pool.of

    def counted(self: Pool, *args: Any) -> Any:
        nonlocal looks
        looks += 1
        return of(self, *args)

    monkeypatch.setattr(Pool, "of", counted)
    many = range(300)
    given = scenario(
        create([resource(f"R{number:03}", depends_on=[f"R{number - 1:03}"] if number % 10 else []) for number in many])
    )
    assert Driver(HEAT, given, []).settle() == "rest"
    assert looks < len(many)
