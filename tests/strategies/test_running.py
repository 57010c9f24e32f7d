"""A run: a pure function of the design, the scenario and the plan; how it ends, and what it is asked on the way."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatproof.model.design import Design
from heatproof.model.effects import Body, Handler, Insert, Me, Read, Send, Sleep, Spawn, Transaction, Update
from heatproof.model.errors import DesignError, HeatproofError, NeverYields
from heatproof.model.observation import Change, Observation
from heatproof.model.scenario import Operation, Scenario, scenario
from heatproof.model.watchdog import RUNNING
from heatproof.model.world import Action, program_for
from heatproof.properties.base import Witness, always, witness
from heatproof.properties.catalogue import ALL, REST_IS_REACHED
from heatproof.strategies.fewest import Fewest
from heatproof.strategies.policies import POLICIES
from heatproof.strategies.proving.proofs import prove
from heatproof.strategies.running import QUIET, Driver, Plan, drive, run
from heatproof.strategies.scenarios import plans, scenarios
from heatproof.strategies.schedules import record
from tests.model.toys import ACCOUNT, Account, asking
from tests.toys import (
    ADDING,
    AWAITING,
    COUNTING,
    HEAT,
    SPINNING,
    STORM,
    await_flag,
    busy,
    fewer,
    resting,
    same_in_any_process,
    seen_toy,
    sending,
    set_flag,
    small,
    sum_is_two,
)  # fmt: skip

PROPERTIES = list(ALL.values())
ENDLESS = (REST_IS_REACHED.name, "goes round in circles")


# ------------------------------------------------------------------------------------------------------------ purity


def digests() -> str:
    """What runs under every policy did and found, as text that tells any two apart."""
    lines = []
    for name in POLICIES:
        for seed in range(4):
            done = run(HEAT, busy(faults=STORM), PROPERTIES, Plan(name, seed, eagerness=0.02, faultiness=0.05))
            what = (done.actions, sorted(done.violations.values()), sorted(done.reached), done.end)
            lines.append(
                f"{name} {seed} {len(done.actions)} {sum(done.world.happened.values())} {sha256(repr(what).encode()).hexdigest()}"
            )
    return "\n".join(lines)


def test_a_run_is_the_same_in_any_process() -> None:
    lines = [line.split() for line in same_in_any_process(__name__, "digests").splitlines()]
    assert len({line[-1] for line in lines}) > len(lines) // 2, "the runs differ from each other"
    assert sum(int(line[3]) for line in lines) > len(lines), "faults struck"


@fewer(3)
@given(scenarios(HEAT), st.lists(plans(), min_size=2, max_size=3))
def test_what_a_program_has_learnt_changes_nothing(asked: Scenario, all_plans: list[Plan]) -> None:
    program = program_for(HEAT, asked)
    for plan in all_plans:
        fresh = run(HEAT, asked, PROPERTIES, plan)
        again = run(HEAT, asked, PROPERTIES, plan, program)
        assert again.actions == fresh.actions
        assert again.violations == fresh.violations
        assert (again.reached, again.end) == (fresh.reached, fresh.end)


# ----------------------------------------------------------------------------------------------------- how a run ends


def test_a_run_that_goes_round_in_circles_is_found_out() -> None:
    done = run(SPINNING, asking(), [REST_IS_REACHED], Plan("fifo", 0, steps=10))
    assert done.end == "circle"
    assert list(done.violations) == [ENDLESS]
    assert "spin" in str(done.violations[ENDLESS].witness)
    assert done.violations[ENDLESS].step < len(done.actions) < 60, "it was found out soon"


def test_tasks_that_begin_each_other_go_round_in_circles_too() -> None:
    def again(self: Design, me: Me, number: int = 0, operation: object = None) -> Handler:
        yield Spawn("S-1", "again", ())

    done = run(seen_toy(create=again, again=again), asking(), [REST_IS_REACHED], Plan("fifo", 0, steps=10))
    assert (done.end, list(done.violations)) == ("circle", [ENDLESS])


def test_a_run_that_takes_long_comes_to_rest() -> None:
    done = run(COUNTING, asking(), [REST_IS_REACHED], Plan("fifo", 0, steps=10))
    assert len(done.actions) > 3_000
    assert (done.end, done.violations) == ("rest", {})


def test_the_order_of_messages_counts_as_state() -> None:
    """The same messages in another order are no circle: those that wait for the flag come and go, but it is on its way."""
    done = run(AWAITING, asking(), [REST_IS_REACHED], Plan("fifo", 0, steps=0))
    assert (done.end, done.violations) == ("rest", {})


@pytest.mark.parametrize("limit", [1, 10, 100])
def test_a_run_that_is_cut_is_asked_nothing_about_its_end(limit: int) -> None:
    never = resting("never", lambda _: "at rest")
    driver = Driver(COUNTING, asking(), [never, REST_IS_REACHED])
    done = driver.finish(driver.settle(limit))
    assert (done.end, len(done.actions), done.violations) == ("cut", limit, {})


def wait(self: Design, me: Me, who: str) -> Handler:
    """Polls until account A is not 0."""
    while not (yield Read("W-1", ACCOUNT, "A")).value:
        yield Sleep("W-2")


def wait_in_laps(self: Design, me: Me, who: str) -> Handler:
    """Polls in laps of seven transactions, each of which is made anew."""
    lap = 0
    while True:

        def look(lap: int = lap) -> Body:
            return (yield Read("L-1", ACCOUNT, "AB"[lap > 7])).value

        if (yield Transaction("L-1", look)):
            return
        yield Sleep("L-2")
        lap = (lap + 1) % 7


@pytest.mark.parametrize("poll", [wait, wait_in_laps])
@pytest.mark.parametrize("tasks", ["x", "xy", "xyz"])
def test_tasks_that_poll_for_ever_go_round_in_circles(tasks: str, poll: Any) -> None:
    polling = seen_toy(create=sending(*(("wait", who) for who in tasks)), wait=poll)
    done = run(polling, asking(threads=3), [REST_IS_REACHED], Plan("fifo", 0, steps=10))
    assert (done.end, list(done.violations)) == ("circle", [ENDLESS])
    assert len(done.actions) < 3 * QUIET


def test_who_polls_gives_way_to_others_that_poll() -> None:
    """The second one waits for nobody, but gives way first; then it does what the first one waits for."""

    def late(self: Design, me: Me) -> Handler:
        yield Sleep("L-1")
        yield Sleep("L-2")
        yield Update("L-3", ACCOUNT, "A", {"value": 1})

    done = run(
        seen_toy(create=sending(("wait", "x"), ("late",)), wait=wait, late=late),
        asking(),
        [REST_IS_REACHED],
        Plan("fifo", 0, steps=0),
    )
    assert (done.end, done.violations) == ("rest", {})


def hasty(self: Design, me: Me, who: str) -> Handler:
    """Polls twenty times and then opens an account."""
    for _ in range(20):
        if (yield Read("H-1", ACCOUNT, "A")).value:
            return
        yield Sleep("H-2")
    yield Insert("H-3", ACCOUNT, Account(who))


@pytest.mark.parametrize("policy", sorted(POLICIES))
@pytest.mark.parametrize(("poll", "gave_up"), [(wait, False), (hasty, True)])
def test_who_polls_for_what_a_stalled_message_brings_gets_it(poll: Any, gave_up: bool, policy: str) -> None:
    """It waits until nothing else can run, which is not for ever where somebody sleeps; but longer than those who give up some time."""
    design = seen_toy(create=sending(("poll", "x"), ("set_flag",)), poll=poll, set_flag=set_flag)
    driver = Driver(design, asking(threads=2, faults={"stall": 1}), [REST_IS_REACHED])
    driver.perform(Action("operate", "create#1", "E1"))
    while driver.world.tasks:
        driver.perform(Action("step", "create#1"))
    driver.perform(Action("stall", "set_flag()", "rest"))
    assert drive(driver, Plan(policy, 0)) == "rest"
    assert not driver.monitor.violations
    assert ("x" in driver.world.database.rows[ACCOUNT]) == gave_up


@pytest.mark.parametrize("stalled", [True, False])
def test_a_message_that_nobody_can_take_hides_no_circle(stalled: bool) -> None:
    """Who polls has the only thread, and would go on for ever also without the stall."""
    design = seen_toy(create=sending(("wait", "x"), ("set_flag",)), wait=wait, set_flag=set_flag)
    driver = Driver(design, asking(engines=1, threads=1, faults={"stall": 1}), [REST_IS_REACHED])
    driver.perform(Action("operate", "create#1", "E1"))
    while driver.world.tasks:
        driver.perform(Action("step", "create#1"))
    if stalled:
        driver.perform(Action("stall", "set_flag()", "rest"))
    assert driver.settle(3_000) == "circle"
    assert list(driver.monitor.violations) == [ENDLESS]


def test_messages_that_lead_to_messages_are_no_circle_while_the_one_that_ends_it_is_held_back() -> None:
    """It could come all the time; only where nobody else could go on would it have to."""

    def ping(self: Design, me: Me) -> Handler:
        if not (yield Read("P-1", ACCOUNT, "A")).value:
            yield Send("P-2", "ping", ())

    design = seen_toy(create=sending(("set_flag",), ("ping",)), ping=ping, set_flag=set_flag)
    asked = asking(engines=2, threads=1, faults={"stall": 1})
    for seed in range(60):
        assert not run(design, asked, [REST_IS_REACHED], Plan("random", seed, faultiness=0.3, steps=300)).violations
    assert not prove(design, asking(engines=2, threads=1), [REST_IS_REACHED]).violations


def test_what_a_task_is_about_to_write_counts_though_it_holds_it_no_more() -> None:
    """And a task that stands in many generators is looked at no further."""

    def counting(self: Design, me: Me) -> Handler:
        number = 0
        while number < QUIET * 2:
            number = (yield Read("C-1", ACCOUNT, "A")).value
            yield Update("C-2", ACCOUNT, "A", {"value": 0})
            yield Update("C-3", ACCOUNT, "A", {"value": number + 1})

    def deep(self: Design, me: Me, left: int = 600) -> Handler:
        if left:
            yield from deep(self, me, left - 1)
        else:
            for _ in range(QUIET * 2):
                yield Read("D-1", ACCOUNT, "A")

    for name, handler in (("counting", counting), ("deep", deep)):
        design = seen_toy(create=sending((name,)), **{name: handler})
        program = program_for(design, asking())
        for _ in range(2):  # the second time all is known
            done = run(design, asking(), [REST_IS_REACHED], Plan("fifo", 0, steps=10), program)
            assert (done.end, done.violations) == ("rest", {})


def test_who_sleeps_while_messages_lead_to_messages_is_no_circle() -> None:
    def late(self: Design, me: Me) -> Handler:
        yield Sleep("L-1")
        yield Update("L-2", ACCOUNT, "A", {"value": 1})

    design = seen_toy(create=sending(("late",), ("await_flag", "x")), late=late, await_flag=await_flag)
    done = run(design, asking(), [REST_IS_REACHED], Plan("fifo", 0, steps=0))
    assert (done.end, done.violations) == ("cut", {})


@pytest.mark.parametrize("counts", [True, False])
def test_a_task_that_does_not_end_and_is_no_fair_circle_is_a_mistake_of_the_design(counts: bool) -> None:
    """One counts its attempts, so that no state comes again; one never gives way to that for which it waits."""

    def loop(self: Design, me: Me) -> Handler:
        attempts = 0
        while not (yield Read("W-1", ACCOUNT, "A")).value:
            attempts += counts
            if counts:
                yield Sleep("W-2")

    design = seen_toy(create=sending(("loop",), *([] if counts else [("set_flag",)])), loop=loop, set_flag=set_flag)
    with pytest.raises(DesignError, match=r"test_running\.py:\d+: handler 'loop' yielded more than \d+ effects for one message"):
        run(design, asking(engines=1, threads=2), [REST_IS_REACHED], Plan("fifo", 0))


def test_looking_ahead_changes_nothing() -> None:
    driver = Driver(SPINNING, asking(), [REST_IS_REACHED])
    driver.perform(driver.world.operations()[0])
    before = (driver.world.log[:], driver.world.tasks.copy(), driver.world.default())
    driver.look_ahead()
    assert before == (driver.world.log, driver.world.tasks, driver.world.default())
    assert driver.monitor.violations[ENDLESS].step == 1


# --------------------------------------------------------------------------------------------------- what it is asked


def test_every_rest_is_asked() -> None:
    stage = resting("stage", lambda seen: f"{len(seen.requests)} asked, {sum(seen.faults.values())} faults")
    done = run(HEAT, busy(), [stage], Plan("random", 1, eagerness=0.0))
    assert [kind for _, kind in done.violations] == [f"{n} asked, 0 faults" for n in (1, 2, 3, 4)]


def test_rest_is_not_asked_before_the_first_operation_whatever_went_wrong_by_then() -> None:
    stage = resting("stage", lambda seen: f"{len(seen.requests)} asked, {sum(seen.faults.values())} faults")
    driver = Driver(HEAT, busy(faults={"crash": 1}), [stage])
    driver.perform(Action("crash", "E1"))
    assert driver.world.at_rest
    driver.perform(driver.world.operations()[0])
    assert not driver.monitor.violations


@pytest.mark.parametrize("seed", range(10))
def test_rest_is_asked_before_a_fault_or_an_eager_user_ends_it(seed: int) -> None:
    stage = resting("stage", lambda seen: f"{len(seen.requests)} asked, {sum(seen.faults.values())} faults")
    asked = scenario(*busy().operations[:1], Operation("check"), faults={"vanish": 1, "sicken": 1})
    done = run(HEAT, asked, [stage], Plan("random", seed, eagerness=0.5, faultiness=0.5))
    replayed = Driver(HEAT, asked, [])
    rests = set()
    for action in [*done.actions, None]:
        if replayed.world.state["issued"] and replayed.world.at_rest:
            rests.add(f"{replayed.world.state['issued']} asked, {sum(replayed.world.happened.values())} faults")
        if action is not None:
            replayed.perform(action)
    assert {kind for _, kind in done.violations} == rests


def test_several_failures_of_one_run_are_all_told() -> None:
    @always("writes", "Nothing is written.", {"resource"})
    def no_writes(observation: Observation, change: Change) -> Witness | None:
        return witness("written" if change.old is not None else "inserted", key=change.key)

    lost = [
        done.violations
        for seed in range(20)
        if (sum_is_two.name, "sum is 1")
        in (
            done := run(ADDING, asking(), [no_writes, sum_is_two, resting("never", lambda _: "at rest")], Plan("random", seed))
        ).violations
    ]
    assert lost
    assert all({kind for _, kind in found} == {"inserted", "written", "sum is 1", "at rest"} for found in lost)
    assert all(
        found["writes", "inserted"].step < found["writes", "written"].step < found["never", "at rest"].step for found in lost
    )


# ------------------------------------------------------------------------------------------------------ kinds of witnesses


def test_every_property_says_which_kinds_of_witnesses_it_has() -> None:
    assert [name for name, prop in ALL.items() if bool(prop.kinds) is (prop.expectation == "sometimes")] == []
    hangs = ALL["rest: no operation hangs"]
    assert hangs.has_kind("CREATE hangs, a lock is held")
    assert not hangs.has_kind("CREATE hangs")
    assert sum_is_two.has_kind("anything: it does not say")


def test_a_witness_of_another_kind_is_a_mistake_of_the_property() -> None:
    other = replace(sum_is_two, kinds=("sum is 3", "sum is below *"))
    lost = next(plan for seed in range(50) if run(ADDING, small(), [sum_is_two], plan := Plan("random", seed)).violations)
    with pytest.raises(
        HeatproofError,
        match="property 'sum' gave a witness of the kind 'sum is 1', which is none of those that it lists: sum is 3, sum is below",
    ):
        run(ADDING, small(), [other], lost)


@pytest.mark.parametrize("expectation", ["always", "at rest"])
def test_a_property_that_never_ends_is_caught_by_the_watchdog(expectation: str) -> None:
    def computes(*_: object) -> None:
        for _n in range(50_000_000):  # not for ever, so that a broken watchdog fails the test
            pass

    @always("slow", "It ends.", {"resource"})
    def at_once(seen: Observation, change: Change) -> Witness | None:
        computes()
        return None

    prop = at_once if expectation == "always" else resting("slow", lambda seen: computes() or "")  # type: ignore[func-returns-value]  # it never comes to that
    driver = Driver(ADDING, asking(), [prop])
    with (
        driver.world.program.watchdog(0.05),
        pytest.raises(
            NeverYields, match=r"test_running\.py:\d+: property 'slow' computes and does not end; it must come to an answer"
        ),
    ):
        driver.settle()
    assert RUNNING.what is None


def test_before_the_first_operation_nothing_is_asked_at_rest() -> None:
    never = resting("never", lambda observation: "something")
    driver = Driver(seen_toy(create=sending()), asking(engines=1, faults={"crash": 1}), [never])
    assert not record(driver, [Action("crash", "E1"), Action("restart", "E1")])[2:]
    driver.rest()
    assert not driver.monitor.violations
    assert Fewest(seen_toy(create=sending()), [never], asking(engines=1, faults={"crash": 1}), ("never", "something"), 1000).search(1).actions == (
        Action("operate", "create#1", "E1"), *[Action("step", "create#1")] * 2,
    )  # fmt: skip
