"""Shrinking: the same failure, smaller, within a budget; where the smallest scenario is known it is found."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import NamedTuple

import pytest
from hypothesis import example, given

from heatproof.model import catalogue
from heatproof.model.design import Design
from heatproof.model.effects import Handler, Insert, Me, Read, Send, Update
from heatproof.model.errors import NotEnabled
from heatproof.model.scenario import Operation, Scenario, create, names_nothing, scenario
from heatproof.model.templates import EMPTY, resource
from heatproof.model.world import Action, World, program_for
from heatproof.properties.base import Witness, witness
from heatproof.properties.catalogue import ALL, REST_IS_REACHED
from heatproof.properties.monitor import Violation
from heatproof.strategies import fewest
from heatproof.strategies.fewest import Fewest
from heatproof.strategies.renumbering import lost, renumbered
from heatproof.strategies.running import Driver, Plan, run
from heatproof.strategies.scenarios import scenarios
from heatproof.strategies.schedules import Anchor, Deviation, record, replay
from heatproof.strategies.shrinking import Failure, Key, Shrinker
from heatproof.strategies.smaller import smaller_scenarios
from tests.model.toys import ACCOUNT, Account, asking
from tests.toys import ADDING, HEAT, SPINNING, busy, large, resting, seen_toy, sum_is_two

PROPERTIES = list(ALL.values())


class Known(NamedTuple):
    """A failure of a mutation and, where it is known, the least that shows it: faults, operations, resources, engines times
    threads, deviations. ``without``: a fault with which a smaller run may show it on Heat too."""

    mutation: str
    key: Key
    least: tuple[int, int, int, int, int] | None = None
    without: str = ""


NOTHING_THERE = ("COMPLETE is written: everything is there", "no physical resource")
KNOWN = [
    Known("isolated-node-lost", NOTHING_THERE, (0, 1, 1, 1, 0)),
    Known("own-template-as-previous", ("failed only for a reason", "stack CREATE FAILED"), (0, 1, 1, 1, 0)),
    Known("created-row-keeps-old-template", NOTHING_THERE, (0, 2, 1, 1, 1)),
    Known("requires-from-node-ids", ("rest: requires is complete", "dependency not recorded"), (0, 2, 2, 1, 0)),
    Known("deadlock-not-retried", NOTHING_THERE, (1, 2, 1, 1, 1), without="fail"),
    Known("sync-blind", ("rest: no operation hangs", "CREATE hangs, sync points wait"), (0, 1, 2, 2, 1)),
    Known("cleanup-removes-row-the-next-graph-holds", ("rest: no operation hangs", "CHECK hangs, sync points wait")),
    Known("exception-in-worker-hangs", ("rest: no superfluous rows", "never created")),
]


def shows(design: Design, failure: Failure) -> int | None:
    """After how many steps the actions of this failure show it on ``design``."""
    driver = Driver(design, failure.scenario, PROPERTIES)
    try:
        record(driver, failure.actions)
    except NotEnabled:
        return None
    found = driver.monitor.violations.get(failure.violation.key)
    return None if found is None else found.step


@cache
def found(known: Known) -> tuple[Design, Failure]:
    """A failure of that kind of the mutation, on a schedule on which Heat does not show it."""
    design, asked = catalogue.load(f"heat+{known.mutation}"), large()
    program = program_for(design, asked)
    for seed, policy in product(range(60), ("pos", "pct", "random", "sticky", "fifo")):
        plan = Plan(policy, seed, (0.0, 0.01, 0.05)[seed % 3], 0.01 if seed % 2 else 0.0)
        done = run(design, asked, PROPERTIES, plan, program)
        violation = done.violations.get(known.key)
        if violation is not None:
            failure = Failure(asked, done.actions[: violation.step], violation)
            if shows(HEAT, failure) is None and known.without not in {action.kind for action in failure.actions}:
                return design, failure
    raise AssertionError(f"{known.mutation} does not show {known.key}")


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.mutation)
def test_a_failure_is_made_small(known: Known) -> None:
    design, failure = found(known)
    shrinker = Shrinker(design, PROPERTIES, failure, 150 if known.least is None else 1_000)
    at_first = shrinker.best.score
    small = shrinker.shrink()
    assert small.violation.key == known.key
    assert small.score <= at_first, "the failure as it was found, with its deviations"
    assert shows(design, small) == len(small.actions), "the last action shows it"
    again = Driver(design, small.scenario, PROPERTIES)
    assert replay(again, small.deviations, limit=len(small.actions)).unused == []
    assert [entry.action for entry in again.world.log] == small.actions
    if known.least is not None:
        asked = small.scenario
        scope = asked.scope.engines * asked.scope.threads
        least = (sum(asked.faults.values()), len(asked.operations), asked.size, scope, len(small.deviations))
        assert least == known.least
        assert shows(HEAT, small) is None


@pytest.mark.parametrize("asked", [0, 1, 7, 40])
def test_when_time_is_up_no_more_runs_are_made_and_the_best_is_kept(asked: int) -> None:
    """Time is told by how often it was asked for: before each run or search, and now and then in a search."""
    design, failure = found(KNOWN[2])
    looks = 0

    def over() -> bool:
        nonlocal looks
        looks += 1
        return looks > asked

    shrinker = Shrinker(design, PROPERTIES, failure, 1_000, over)
    at_first = shrinker.best.score
    small = shrinker.shrink()
    assert looks == asked + 1, "once it is up nobody asks again"
    assert (shrinker.left, shrinker.cut, small.small) == (0, True, False)
    assert shows(design, small) == len(small.actions)
    assert small.score <= at_first
    if asked == 40:
        assert small.score < at_first
    elif not asked:
        assert small is shrinker.best
        assert small.score == at_first


def test_within_a_search_it_is_asked_too_whether_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fewest, "OFTEN", 1)
    design, failure = found(KNOWN[2])
    looks: list[int] = []
    Shrinker(design, PROPERTIES, failure, 300, lambda: bool(looks.append(0))).shrink()
    assert len(looks) > 300, "more often than there are runs"


def test_who_is_not_out_of_time_makes_the_same_as_without_a_limit() -> None:
    design, failure = found(KNOWN[2])
    free, timed = (Shrinker(design, PROPERTIES, failure, 100, *over) for over in ((), (lambda: False,)))
    assert free.shrink() == timed.shrink()
    assert timed.best.small
    assert not timed.cut


@pytest.mark.parametrize("budget", [0, 1, 10, 60])
def test_the_budget_is_kept(budget: int) -> None:
    design, failure = found(KNOWN[2])
    runs = 0

    class Counting(Shrinker):
        def _driver(self, asked: Scenario) -> Driver:
            nonlocal runs
            runs += 1
            return super()._driver(asked)

    shrinker = Counting(design, PROPERTIES, failure, budget)
    recorded, runs = runs, 0
    small = shrinker.shrink()
    assert shrinker.left == 0
    assert recorded <= 2
    assert runs <= 3 * budget + 1, "each run may be recorded, and once more with the faults it used"
    assert shows(design, small) == len(small.actions)


def test_more_budget_makes_it_smaller() -> None:
    design, failure = found(KNOWN[3])
    scores = [Shrinker(design, PROPERTIES, failure, budget).shrink().score for budget in (0, 30, 300)]
    assert scores[0] > scores[1] > scores[2]


def test_shrinking_is_repeatable() -> None:
    design, failure = found(KNOWN[2])
    assert len({repr(Shrinker(design, PROPERTIES, failure, 200).shrink()) for _ in range(2)}) == 1


# -------------------------------------------------------------------------------------------------- unusual failures


def violations(design: Design, asked: Scenario, prop: object, plan: Plan) -> Failure:
    """The one failure of a run."""
    done = run(design, asked, [prop], plan)  # type: ignore[list-item]
    (violation,) = done.violations.values()
    return Failure(asked, done.actions[: violation.step], violation)


def test_a_run_that_never_rests_is_made_small() -> None:
    asked = scenario(create([resource("A")]), faults={"pause": 2, "stall": 2})
    failure = violations(SPINNING, asked, REST_IS_REACHED, Plan("random", 2, faultiness=0.2, steps=200))
    small = Shrinker(SPINNING, [REST_IS_REACHED], failure, 100).shrink()
    assert small.violation.key == failure.violation.key
    assert (small.scenario.faults, small.scenario.size, small.deviations) == ({}, 0, [])
    assert len(small.actions) < 12


def test_a_mistake_of_the_design_is_not_taken_for_the_failure() -> None:
    """Shrinking comes to runs in which the design or a property makes a mistake; what was found before is told all the same."""

    def careful(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        assert operation.template is not None
        yield Insert("I-1", ACCOUNT, Account("A", len(operation.template["A"].name) - 1))
        for who in (1, 2, 3):
            yield Send("S-1", "note", (who,))

    def note(self: Design, me: Me, who: int) -> Handler:
        row = yield Read("N-1", ACCOUNT, "A")
        assert row.value or who > 1, "1 must not be the first, as it is by default"
        yield Update("N-2", ACCOUNT, "A", {"value": row.value * 10 + who})

    design = seen_toy(create=careful, note=note)
    order = resting("order", lambda seen: {312: "3 1 2"}[seen.resources["A"].value])  # type: ignore[attr-defined]
    asked = scenario(create([resource("A"), resource("B")]))
    driver = Driver(design, asked, [order])
    replay(driver, [Deviation(Anchor("deliver", f"note({n})"), Action("deliver", f"note({m})", "E1")) for n, m in ((1, 3), (2, 1))])
    (violation,) = driver.monitor.violations.values()
    assert violation.witness.kind == "3 1 2"
    small = Shrinker(design, [order], Failure(asked, [entry.action for entry in driver.world.log], violation), 200).shrink()
    assert small.scenario == scenario(create([resource("A")]), engines=1, threads=1)
    assert len(small.deviations) == 2


def test_a_lost_update_comes_down_to_one_deviation() -> None:
    found = [done for seed in range(40) if (done := run(ADDING, asking(), [sum_is_two], Plan("random", seed))).violations]
    assert len(found) > 10
    for done in found:
        (violation,) = done.violations.values()
        small = Shrinker(ADDING, [sum_is_two], Failure(asking(), done.actions[: violation.step], violation), 200).shrink()
        assert len(small.deviations) == 1


def test_a_failure_that_its_actions_do_not_show_stays_as_it_is() -> None:
    wrong = Violation("sum", "At rest account A is 2.", Witness("sum is 7"), 1)
    failure = Failure(scenario(create(EMPTY)), [Action("operate", "create#1", "E1")], wrong)
    assert Shrinker(HEAT, PROPERTIES, failure, 20).shrink() is failure


# -------------------------------------------------------------------------------------------------- smaller scenarios


TWICE = [resource("A"), resource("B"), resource("C", depends_on=["A", "B"])]


@given(scenarios(HEAT, max_operations=4, max_engines=3))
@example(scenario(create(TWICE)))
def test_smaller_scenarios_are_smaller_and_can_be_run(asked: Scenario) -> None:
    def weight(asked: Scenario) -> tuple[int, ...]:
        return Failure(asked, [], Violation("", "", witness(""), 0)).score

    for smaller in smaller_scenarios(asked):
        assert weight(smaller) < weight(asked)
        World(HEAT, smaller)


def test_a_resource_that_is_named_stays() -> None:
    """A signal to a resource that no template has could be run, and the case could not be read again."""
    asked = scenario(create(TWICE), Operation("signal", resource="B"))
    assert all(names_nothing(smaller.operations) is None for smaller in smaller_scenarios(asked))
    assert scenario(create(TWICE)) in set(smaller_scenarios(asked))


def test_every_kind_of_part_can_be_taken_away() -> None:
    asked = large()
    everything = set(smaller_scenarios(asked))
    operations = asked.operations
    expected = [
        scenario(*operations, faults={"crash": 1, "fail": 1}),
        scenario(*operations[:3], faults=asked.faults),
        scenario(operations[0], *operations[2:], faults=asked.faults),
        scenario(*operations, engines=1, faults=asked.faults),
        scenario(*operations, threads=1, faults=asked.faults),
        scenario(operations[0], operations[1]._replace(rollback=False), *operations[2:], faults=asked.faults),
    ]
    assert set(expected) <= everything
    begun = operations[1]._replace(kind="create")
    assert scenario(begun, *operations[2:], faults=asked.faults) in everything, "the update creates the stack instead"
    assert not list(smaller_scenarios(scenario(create(EMPTY), engines=1, threads=1))), (
        "nothing happens in a scenario of no operation"
    )


# -------------------------------------------------------------------------------------------------- other numbers


def test_deviations_are_renamed_when_an_operation_is_gone() -> None:
    before = scenario(create([resource("A"), resource("R5")]), *(Operation("update", EMPTY, rollback=n > 1) for n in (1, 2, 3)))
    after = scenario(*before.operations[:1], *before.operations[2:])
    assert lost(before.operations, after.operations) == 2
    there = [
        Deviation(Anchor("step", "check(R5@T1, U, T3)", 1, "LK-1"), Action("operate", "update#4", "E1")),
        Deviation(Anchor("deliver", "check(A@T2, U, T4)"), Action("deliver", "set up(T3~A@T1)", "E3")),
    ]
    assert renumbered(HEAT, there, before, after) == [
        Deviation(Anchor("step", "check(R5@T1, U, T2)", 1, "LK-1"), Action("operate", "update#3", "E1")),
        Deviation(Anchor("deliver", "check(A@T2, U, T3)"), Action("deliver", "set up(T2~A@T1)", "E3")),
    ]
    assert renumbered(HEAT, there, before, before) == there


def test_of_the_last_operation_the_number_is_known() -> None:
    operations = busy().operations
    for number in range(1, len(operations) + 1):
        assert lost(operations, operations[: number - 1] + operations[number:]) == number
    assert lost(operations, operations) is None


def test_one_resource_more_is_worth_it_where_that_saves_deviations() -> None:
    """A failure that needs one deviation with two resources and two with one."""

    def numbered(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        assert operation.template is not None
        yield Insert("I-1", ACCOUNT, Account("A"))
        for who in (1, 2, 3)[: 4 - len(operation.template)]:
            yield Send("S-1", "note", (who,))

    def note(self: Design, me: Me, who: int) -> Handler:
        row = yield Read("N-1", ACCOUNT, "A")
        yield Update("N-2", ACCOUNT, "A", {"value": row.value * 10 + who})

    design = seen_toy(create=numbered, note=note)
    disordered = resting("order", lambda seen: {21: "out of order", 312: "out of order"}.get(seen.resources["A"].value, "else"))  # type: ignore[attr-defined]
    asked = scenario(create([resource("A"), resource("B")]), engines=1, threads=1)
    driver = Driver(design, asked, [disordered])
    assert replay(driver, [Deviation(Anchor("deliver", "note(1)"), Action("deliver", "note(2)", "E1"))]).unused == []
    violation = driver.monitor.violations["order", "out of order"]
    failure = Failure(asked, [entry.action for entry in driver.world.log], violation)
    fewer_resources = scenario(create([resource("A")]), engines=1, threads=1)
    assert Fewest(design, [disordered], fewer_resources, violation.key, 10_000).search(3).deviations == 2
    small = Shrinker(design, [disordered], failure, 400).shrink()
    assert (small.scenario.size, len(small.deviations)) == (2, 1)
