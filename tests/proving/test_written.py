"""Search and random runs held against the plain interpreter, on designs whose handlers are drawn as text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st

from heatproof.model.scenario import Scenario
from heatproof.properties.base import Property
from heatproof.properties.catalogue import REST_IS_REACHED
from heatproof.reports import cases
from heatproof.reports.judging import FAILS, judge
from heatproof.reports.story import story
from heatproof.strategies.policies import POLICIES
from heatproof.strategies.proving.proofs import Switches, prove
from heatproof.strategies.running import Driver, Plan, run
from heatproof.strategies.schedules import record, replay
from heatproof.strategies.shrinking import Failure, Key, Shrinker
from tests.proving.everything import Everything, everything, goes_round
from tests.proving.machines import scopes
from tests.proving.plainly import Plainly
from tests.proving.test_plainly import costs_are_right
from tests.proving.wanted import MEMORY, WANTED
from tests.proving.written import Written, made, sources
from tests.toys import fewer

MOST = 600
"""States that are gone through plainly; a scenario with more of them is not looked at."""

SWITCHES = ["", "symmetric", "merge", "columns", "placing", "versions", "reduce"]

# Python says so of a handler that nobody goes on with and that comes to a yield in a ``finally``
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def agree(design: Written, asked: Scenario, properties: list[Property], found: Everything, switches: Switches = ()) -> None:
    """The search says what there is in all states, and as soon; a run shows all of it. Steps alone keep no depths, and no circles."""
    judged = [] if switches == (("reduce", True),) else [REST_IS_REACHED]
    proof = prove(
        design,
        asked,
        [*properties, *judged],
        switches,
        go_on=lambda live: "too many" if live.states > 2 * len(found.states) + 100 else "",
    )
    assert proof.complete
    assert not proof.unjudged
    circles = {key for key in proof.violations if key[0] == REST_IS_REACHED.name}
    violations = {key: seen for key, seen in proof.violations.items() if key not in circles}
    assert {key: len(seen.actions) for key, seen in violations.items()} == found.violations
    if judged:
        assert proof.reached == found.reached
        assert bool(circles) is goes_round(found)
    assert proof.states <= len(found.states)
    for key, seen in violations.items():
        assert key in again(design, asked, properties, list(seen.actions))[0].monitor.violations


def again(design: Written, asked: Scenario, properties: list[Property], actions: list[Any]) -> tuple[Driver, list[Any]]:
    """A world in which these actions were done, and the deviations that they are."""
    driver = Driver(design, asked, properties)
    return driver, record(driver, actions)


@fewer(30, suppress_health_check=list(HealthCheck))
@given(
    text=sources(),
    asked=scopes(),
    some=st.lists(st.sampled_from(WANTED), max_size=3, unique=True),
    switch=st.sampled_from(SWITCHES),
)
def test_the_search_finds_what_there_is_and_as_soon(text: str, asked: Scenario, some: list[Property], switch: str) -> None:
    design, properties = made(text), some or WANTED
    assume(not (switch == "merge" and design.polls))  # a loop that waits has no end of states then
    found = everything(Plainly(design, asked, properties=properties), MOST)
    assume(found is not None)
    assert found is not None
    agree(design, asked, properties, found, ((switch, switch == "reduce"),) if switch else ())


@fewer(100, suppress_health_check=list(HealthCheck))
@given(text=sources(), asked=scopes())
def test_nothing_costs_more_than_the_search_says(text: str, asked: Scenario) -> None:
    design = made(text)
    found = everything(Plainly(design, asked, counts=True), MOST)
    assume(found is not None)
    costs_are_right(design, asked, found)


PLANS = st.builds(
    Plan,
    st.sampled_from(sorted(POLICIES)),
    st.integers(0, 10**6),
    st.sampled_from([0, 0.05, 0.3]),
    st.sampled_from([0, 0.05, 0.3]),
    st.just(60),
)


@fewer(60, suppress_health_check=list(HealthCheck))
@given(
    text=sources(),
    asked=scopes(),
    some=st.lists(st.sampled_from(WANTED), max_size=3, unique=True),
    drawn=st.lists(PLANS, min_size=3, max_size=6),
)
def test_random_runs_find_nothing_else_and_show_it_again(
    text: str, asked: Scenario, some: list[Property], drawn: list[Plan]
) -> None:
    design = made(text)
    plain = [*dict.fromkeys([*(some or WANTED), MEMORY])]  # others go by its notes
    found = everything(Plainly(design, asked, properties=plain), MOST)
    assume(found is not None)
    assert found is not None
    round_for_ever, properties = goes_round(found), [*plain, REST_IS_REACHED]
    failures: dict[Key, Failure] = {}
    for plan in drawn:
        done = run(design, asked, properties, plan)
        done.world.audit()
        assert done.reached <= set(found.reached)
        for key, violation in done.violations.items():
            assert round_for_ever if key[0] == REST_IS_REACHED.name else found.violations[key] <= violation.step
            failures.setdefault(key, Failure(asked, done.actions[: violation.step], violation))
        driver, deviations = again(design, asked, properties, done.actions)
        assert set(done.violations) <= set(driver.monitor.violations)
        driver = Driver(design, asked, properties)
        assert not replay(driver, deviations).unused
        length = len(driver.world.log)
        assert [entry.action for entry in driver.world.log] == done.actions[:length]
        assert length == len(done.actions) or done.end == "circle"
        assert set(done.violations) <= set(driver.monitor.violations)
    for key in sorted(failures)[:2]:
        shows_again_when_small(design, plain, key, failures[key])


def shows_again_when_small(design: Written, plain: list[Property], key: Key, failure: Failure) -> None:
    """Made small it is a failure of its kind that there is in the smaller scenario too, and a case of it shows it."""
    properties = [*plain, REST_IS_REACHED]
    small = Shrinker(design, properties, failure, 60).shrink()
    driver, deviations = again(design, small.scenario, properties, small.actions)
    assert key in driver.monitor.violations
    assert deviations == small.deviations
    found = everything(Plainly(design, small.scenario, properties=plain), 3 * MOST)
    if found is not None:
        assert goes_round(found) if key[0] == REST_IS_REACHED.name else found.violations[key] <= len(small.actions)
    case = cases.Case("drawn", "drawn.py:Drawn", small.scenario, tuple(small.actions), key, "", "1", "fails", (), tuple(deviations))
    kept = cases.load(cases.dump(case, "1").encode(), "drawn")
    assert kept == case
    judged = judge(kept, design, properties)
    assert judged.answer == FAILS
    assert judged.violation is not None
    assert judged.violation.key == key
    assert judged.story(kept) == story(driver.world, deviations, judged.violation, "drawn")
