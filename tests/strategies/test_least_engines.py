"""A design that needs so many engines is given no fewer, wherever scenarios are drawn or made smaller."""

from __future__ import annotations

import pytest
from hypothesis import given

from heatproof.model.design import Design
from heatproof.model.effects import Handler, Insert, Me, Send
from heatproof.model.errors import DesignError, ScenarioError
from heatproof.model.scenario import Operation, Scenario
from heatproof.model.world import World
from heatproof.strategies.exploring import Options, batch
from heatproof.strategies.proving.scopes import Limits, one_shape
from heatproof.strategies.running import Driver, Plan, run
from heatproof.strategies.scenarios import scenarios
from heatproof.strategies.shrinking import Failure, Shrinker
from tests.model.toys import ACCOUNT, Account, asking, toy
from tests.toys import resting, seen_toy


def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    """Opens an account at the third engine."""
    yield Send("X-1", "at", ("A",), to="E3")


def at(self: Design, me: Me, name: str) -> Handler:
    yield Insert("A-1", ACCOUNT, Account(name))


DESIGN = seen_toy(create=create, at=at)
type(DESIGN).least_engines = 3
SEEN = resting("seen", lambda seen: ", ".join(seen.resources) or "nothing")


@given(asked=scenarios(DESIGN, max_engines=2))
def test_random_scenarios_have_as_many(asked: Scenario) -> None:
    assert asked.scope.engines == 3


def test_a_failure_keeps_them() -> None:
    asked = asking(engines=5, threads=2)
    done = run(DESIGN, asked, [SEEN], Plan("random", 0))
    (violation,) = done.violations.values()
    small = Shrinker(DESIGN, [SEEN], Failure(asked, done.actions[: violation.step], violation), 200).shrink()
    assert (small.scenario.scope.engines, small.scenario.scope.threads) == (3, 1)


def test_fewer_are_refused() -> None:
    wrong = r"design 'toy' needs at least 3 engines \(least_engines\), and the scenario has 2"
    with pytest.raises(ScenarioError, match=wrong):
        World(DESIGN, asking(engines=2))
    with pytest.raises(ScenarioError, match=wrong):
        list(one_shape(DESIGN, 1, "chain", Limits(1, ())))
    driver = Driver(DESIGN, asking(engines=3), [SEEN])
    assert driver.settle() == "rest"
    assert list(driver.monitor.violations) == [("seen", "A")]


def test_an_error_in_a_scenario_of_heats_is_not_swallowed() -> None:
    """Every fourth batch takes these instead of what is drawn."""
    with pytest.raises(ScenarioError, match="needs at least 3 engines"):
        batch(DESIGN, [SEEN], Options(fixed=(asking(engines=2),)), 3)


@pytest.mark.parametrize("number", [0, 11, "3", True])
def test_what_is_no_number_of_engines(number: object) -> None:
    with pytest.raises(DesignError, match="least_engines must be a number from 1 to 10, not"):
        toy(create=create, at=at, handlers={"least_engines": number}).handlers()
