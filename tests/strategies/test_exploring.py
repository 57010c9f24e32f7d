"""An exploration: batches are pure, and what they find adds up."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatproof.model.design import Design
from heatproof.model.effects import Handler, Insert, Me, Read
from heatproof.model.errors import DesignError, HeatproofError
from heatproof.model.scenario import Operation, Scenario
from heatproof.model.world import Action
from heatproof.properties.base import witness
from heatproof.properties.catalogue import ALL
from heatproof.properties.monitor import Violation
from heatproof.strategies.exploring import SCENARIOS, Findings, Options, batch
from heatproof.strategies.policies import PORTFOLIO
from heatproof.strategies.running import Run
from heatproof.strategies.shrinking import Failure
from tests.model.toys import ACCOUNT, Account
from tests.toys import ADDING, HEAT, busy, resting, same_in_any_process, seen_toy, small

PROPERTIES = list(ALL.values())
OPTIONS = Options(resources=3, operations=3, plans=4)
TOY_OPTIONS = Options(resources=1, operations=2, plans=2, kinds=())


def told(found: Findings) -> str:
    """Findings as text that tells any two apart."""
    counts = [sorted(map(repr, counter.items())) for counter in (found.violated, found.reached)]
    struck = sorted((sorted(kinds), count) for kinds, count in found.struck.items())
    failures = [(key, failure.scenario, failure.actions, failure.violation) for key, failure in sorted(found.failures.items())]
    return repr((found.scenarios, found.runs, found.steps, found.cut, counts, struck, failures))


# ------------------------------------------------------------------------------------------------------------ purity


def digests() -> str:
    """What some batches found, in an order that is not theirs."""
    numbers = (2, 0, 1, 0)
    return "\n".join(f"{n} {sha256(told(batch(HEAT, PROPERTIES, OPTIONS, n)).encode()).hexdigest()}" for n in numbers)


def test_a_batch_finds_the_same_in_any_process_and_order() -> None:
    lines = same_in_any_process(__name__, "digests").splitlines()
    assert lines[1] == lines[3]
    assert len(set(lines)) == 3


@pytest.mark.parametrize("change", [{"seed": 1}, {"resources": 2}, {"policies": ("fifo",)}, {"plans": 5}, {"faults": ()}], ids=str)
def test_options_matter(change: dict[str, object]) -> None:
    assert told(batch(HEAT, PROPERTIES, replace(OPTIONS, **change), 0)) != told(batch(HEAT, PROPERTIES, OPTIONS, 0))  # type: ignore[arg-type]


def test_what_a_batch_has_done() -> None:
    found = batch(HEAT, PROPERTIES, OPTIONS, 0)
    assert found.scenarios == SCENARIOS
    assert found.runs == SCENARIOS * OPTIONS.plans == sum(found.struck.values())
    assert found.failures.keys() == found.violated.keys()
    assert all(failure.violation.step == len(failure.actions) for failure in found.failures.values())


def test_fixed_scenarios_are_explored_too() -> None:
    asked = (busy(), small())
    found = [batch(HEAT, PROPERTIES, Options(plans=3, fixed=asked), number) for number in range(4)]
    assert [one.scenarios for one in found] == [SCENARIOS, SCENARIOS, SCENARIOS, 2]
    assert {failure.scenario for failure in found[3].failures.values()} <= set(asked)


def cut(after: int, number: int = 1, options: Options = OPTIONS) -> Findings:
    """A batch whose time is up when so many runs have begun."""
    begun = iter(range(after))
    return batch(HEAT, PROPERTIES, options, number, over=lambda: next(begun, None) is None)


def test_a_batch_whose_time_is_up_ends_before_the_next_run_and_tells_what_was_run(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[list[Action]] = []

    def noting(found: Findings, scenario: Scenario, done: Run) -> None:
        made.append(done.actions)
        note(found, scenario, done)

    note = Findings.note
    monkeypatch.setattr(Findings, "note", noting)
    whole = told(cut(1_000))
    assert whole == told(batch(HEAT, PROPERTIES, OPTIONS, 1))
    every = made[: SCENARIOS * OPTIONS.plans]
    for runs in (1, 4, 6, 17):
        made.clear()
        found = cut(runs)
        assert made == every[:runs]
        assert (found.runs, found.steps) == (runs, sum(map(len, made)))
        assert found.scenarios == -(-runs // OPTIONS.plans)
        assert sum(found.struck.values()) == runs


def test_time_that_is_up_before_anything_was_run_leaves_one_run() -> None:
    assert [(found.scenarios, found.runs) for found in (cut(0, number) for number in range(3))] == [(1, 1), (0, 0), (0, 0)]
    fixed = cut(3, 3, Options(plans=2, fixed=(busy(), small())))
    assert (fixed.scenarios, fixed.runs) == (2, 3)


# ---------------------------------------------------------------------------------------------------------- adding up


def violation(key: tuple[str, str], step: int) -> Failure:
    """A failure of so many steps."""
    return Failure(small(), [Action("step", "m()")] * step, Violation(key[0], "", witness(key[1]), step))


KEYS = st.sampled_from([("one", "a"), ("one", "b"), ("two", "a")])
COUNTS = st.integers(0, 5)


@st.composite
def findings(draw: st.DrawFn) -> Findings:
    """Findings of a batch."""
    scenarios, runs, steps, cut = (draw(COUNTS) for _ in range(4))
    found = Findings(scenarios, runs, steps, cut)
    for key, step in draw(st.dictionaries(KEYS, st.integers(1, 9))).items():
        found.violated[key] = draw(COUNTS) + 1
        found.failures[key] = violation(key, step)
    found.reached.update(draw(st.dictionaries(st.sampled_from("xyz"), COUNTS)))
    found.struck.update(draw(st.dictionaries(st.frozensets(st.sampled_from("cd")), COUNTS)))
    found.kinds.update(draw(st.dictionaries(st.sampled_from("uv"), COUNTS)))
    return found


@given(st.lists(findings(), max_size=4))
def test_the_order_of_batches_does_not_matter(parts: list[Findings]) -> None:
    sums = set()
    for order in permutations(parts):
        total = Findings()
        for part in order:
            total.add(part)
        sums.add(told(total))
        for key, failure in total.failures.items():
            assert failure.score == min(part.failures[key].score for part in parts if key in part.failures)
    assert len(sums) == 1


def test_of_two_equally_small_failures_the_first_stays() -> None:
    first, second = violation(("one", "a"), 3), violation(("one", "a"), 3)
    found = Findings()
    for failure in (first, second):
        found.keep(("one", "a"), failure)
    assert found.failures["one", "a"] is first


# ------------------------------------------------------------------------------------------------------------- errors


def test_a_mistake_of_the_design_is_told_as_such() -> None:
    def careless(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Read("R-1", ACCOUNT, "A")
        raise ValueError("oops")

    with pytest.raises(DesignError, match=r"test_exploring\.py:\d+: handler 'create' raised ValueError: oops"):
        batch(seen_toy(create=careless), [], TOY_OPTIONS, 0)


def test_a_mistake_that_only_some_runs_show_is_told_as_such() -> None:
    """Hypothesis would run the scenario again, see it pass, and call it flaky."""

    def on_e2(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("I-1", ACCOUNT, Account("A"))
        if me.engine == "E2":
            raise ValueError("oops")

    for number in range(4):
        with pytest.raises(DesignError, match=r"handler 'create' raised ValueError: oops"):
            batch(seen_toy(create=on_e2), [], TOY_OPTIONS, number)


def test_an_impure_handler_is_found_out() -> None:
    calls = []

    def forgetful(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        calls.append(me)
        yield Insert(f"I-{len(calls)}", ACCOUNT, Account("A"))

    with pytest.raises(DesignError, match="handler 'create' is no function of its message and the results it was"):
        batch(seen_toy(create=forgetful), [], TOY_OPTIONS, 0)


def test_a_mistake_in_a_property_is_told_as_such() -> None:
    broken = resting("broken", lambda seen: seen.resources["no such row"].id)
    with pytest.raises(HeatproofError, match=r"test_exploring\.py:\d+: property 'broken' raised KeyError: 'no such row'"):
        batch(ADDING, [broken], TOY_OPTIONS, 0)


def test_the_portfolio_takes_turns() -> None:
    found = batch(HEAT, PROPERTIES, Options(resources=2, operations=2, plans=len(PORTFOLIO), faults=()), 0)
    assert found.runs == SCENARIOS * len(PORTFOLIO)
