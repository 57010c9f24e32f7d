"""Policies: what each says it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations_with_replacement, pairwise
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatproof.model import effects as fx
from heatproof.model.effects import Table
from heatproof.model.errors import ScenarioError
from heatproof.model.scenario import Scenario
from heatproof.model.world import Action, Entry, Task, World
from heatproof.strategies.policies import POLICIES, PORTFOLIO, Chains, Fifo, Policy, Pos, make, racing
from heatproof.strategies.running import Driver, Plan, run
from heatproof.strategies.scenarios import scenarios
from tests.model.toys import ACCOUNT, Account, asking
from tests.toys import ADDING, AWAITING, HEAT, STORM, busy

NAMES = sorted(POLICIES)
OTHER = Table("other", Account)


class Tasks:
    """Stands in for a world: tasks by name, each with the effect it is about to do."""

    def __init__(self, **effects: Any):
        self.effects = effects
        self.log: list[Entry] = []

    def actions(self) -> list[Action]:
        return [Action("step", name) for name in self.effects]

    def next_access(self, action: Action) -> Any:
        return self.effects.get(action.subject)

    def choices(self, policy: Policy, count: int) -> list[str]:
        """Whom the policy picks, so many times, among all tasks."""
        found = []
        for _ in range(count):
            action = policy.choose(cast(World, self), self.actions())
            self.log.append(Entry(action, None, None, None))
            found.append(action.subject)
        return found


class Checked:
    """A policy that is watched."""

    def __init__(self, policy: Policy):
        self.policy = policy

    def choose(self, world: World, actions: Sequence[Action]) -> Action:
        before = list(actions)
        chosen = self.policy.choose(world, actions)
        assert chosen in before
        assert actions == before, "the list belongs to the world"
        return chosen


# ----------------------------------------------------------------------------------------------------- all policies


@given(scenarios(HEAT, faults=()), st.sampled_from(NAMES), st.integers(0, 2**16))
def test_a_policy_picks_what_is_possible(asked: Scenario, name: str, seed: int) -> None:
    driver = Driver(HEAT, asked, [])
    policy = Checked(make(name, Random(seed)))
    for _ in asked.operations:
        driver.perform(driver.world.operations()[-1])
        driver.burst(policy, 300)


@pytest.mark.parametrize("name", NAMES)
def test_a_run_ends_whatever_the_policy(name: str) -> None:
    for seed in range(5):
        assert run(HEAT, busy(faults=STORM), [], Plan(name, seed, eagerness=0.05, faultiness=0.05)).end == "rest"


@pytest.mark.parametrize("name", NAMES)
def test_a_run_ends_although_the_policy_is_unfair(name: str) -> None:
    ends = [run(AWAITING, asking(), [], Plan(name, seed, steps=400)) for seed in range(20)]
    assert {done.end for done in ends} == {"rest"}
    starved = sum(len(done.actions) > 400 for done in ends)
    assert bool(starved) == (name == "pct"), f"{starved} runs needed the fair tail"


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_decides_everything(name: str) -> None:
    plans = [Plan(name, seed) for seed in (1, 1, 2)]
    first, again, other = (run(HEAT, busy(), [], plan).actions for plan in plans)
    assert first == again
    assert first != other


@pytest.mark.parametrize("name", ["pct", "pos", "random", "sticky"])
def test_a_message_may_go_to_any_engine(name: str) -> None:
    runs = [run(ADDING, asking(engines=3), [], Plan(name, seed)) for seed in range(20)]
    used = Counter(action.detail for done in runs for action in done.actions if action.kind == "deliver")
    assert len(used) == 3
    assert min(used.values()) > 5


def test_the_portfolio_names_known_policies() -> None:
    assert set(PORTFOLIO) <= set(POLICIES)
    assert all(entry.sentence for entry in POLICIES.values())


def test_an_unknown_policy_is_told_with_those_that_are_known() -> None:
    with pytest.raises(ScenarioError, match=r"^unknown policy 'best'; known are fifo, lockstep, random, sticky, pct, pos$"):
        make("best", Random(0))


# ------------------------------------------------------------------------------------------------------- one by one

READ = fx.Read("1", ACCOUNT, "A")
WRITE = fx.Update("2", ACCOUNT, "A", {"value": 1})
WRITE_B = fx.Update("3", ACCOUNT, "B", {"value": 1})


def test_fifo_does_what_the_world_does_by_default() -> None:
    driver = Driver(HEAT, busy(), [])
    world, policy = driver.world, Fifo(Random(0))
    driver.perform(world.operations()[0])
    while actions := world.progress():
        assert policy.choose(world, actions) == world.default()
        driver.perform(policy.choose(world, actions))


def test_lockstep_gives_each_task_its_turn() -> None:
    found = Tasks(a=READ, b=READ, c=READ).choices(make("lockstep", Random(0)), 30)
    assert all(set(found[i : i + 3]) == {"a", "b", "c"} for i in range(0, 30, 3))


def test_random_picks_all_equally_often() -> None:
    found = Counter(Tasks(**dict.fromkeys("abcd", READ)).choices(make("random", Random(0)), 4_000))
    assert all(900 < found[name] < 1_100 for name in "abcd")


def test_sticky_mostly_stays_with_its_task() -> None:
    rates = set()
    for seed in range(20):
        found = Tasks(**dict.fromkeys("abcdefghij", READ)).choices(make("sticky", Random(seed)), 4_000)
        stays = sum(one == other for one, other in pairwise(found)) / len(found)
        rates.add(next(rate for rate in (0.5, 0.8, 0.95) if abs(rate + (1 - rate) / 10 - stays) < 0.03))
    assert rates == {0.5, 0.8, 0.95}


def test_sticky_goes_on_with_the_task_it_delivered() -> None:
    policy = make("sticky", Random(0))
    world = Tasks(a=READ, b=READ)
    followed = 0
    for _ in range(200):
        policy.choose(cast(World, world), [Action("deliver", "a", "E1")])
        followed += policy.choose(cast(World, world), world.actions()).subject == "a"
    assert followed > 120


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_pct_changes_its_priorities_so_many_times(depth: int) -> None:
    for seed in range(20):
        found = Tasks(**dict.fromkeys("abcdef", READ)).choices(Chains(Random(seed), depth, length=40), 60)
        runs = [name for name, before in zip(found, [None, *found], strict=False) if name != before]
        assert len(runs) <= depth, "a task goes on until its priority falls"
        assert len(set(runs)) == len(runs), "and falls below all others"
    assert len(runs) > 1 or depth == 1


def test_pct_carries_on_a_chain_of_messages_or_begins_one() -> None:
    inherited = 0
    for seed in range(200):
        world, policy = Tasks(sender=READ), Chains(Random(seed), depth=1)
        world.choices(policy, 1)
        world.log[-1] = world.log[-1]._replace(task=cast(Task, SimpleNamespace(name="sender")))
        policy.choose(cast(World, world), [Action("deliver", "sent", "E1")])
        inherited += policy.priority["sent"] == policy.priority["sender"]
    assert 70 < inherited < 130


def test_pos_draws_again_where_events_race() -> None:
    world = Tasks(reads_a=READ, writes_a=WRITE, writes_b=WRITE_B, sends=fx.Send("4", "m", ()))
    ran = set()
    for seed in range(20):
        policy = Pos(Random(seed))
        rng = Random(seed)
        drawn = {name: rng.random() for name in world.effects}
        (chosen,) = world.choices(policy, 1)
        ran.add(chosen)
        assert chosen == max(drawn, key=lambda name: drawn[name])
        changed = {name for name, priority in policy.priority.items() if priority != drawn[name]}
        assert changed == {"reads_a", "writes_a"} - {chosen} if chosen in ("reads_a", "writes_a") else not changed
        assert chosen not in policy.priority, "the next event of the task has a priority of its own"
    assert ran == set(world.effects)


EFFECTS = {
    "read A": READ,
    "read B": fx.Read("", ACCOUNT, "B"),
    "query": fx.Query("", ACCOUNT, {}),
    "query other": fx.Query("", OTHER, {}),
    "write A": WRITE,
    "write B": WRITE_B,
    "insert": fx.Insert("", ACCOUNT, Account("A")),
    "delete": fx.Delete("", ACCOUNT, {}),
    "transaction": fx.Transaction("", lambda: iter(())),  # type: ignore[arg-type, return-value]
    "reading transaction": fx.Transaction("", lambda: iter(()), reads_only=True),  # type: ignore[arg-type, return-value]
    "send": fx.Send("", "m", ()),
    "begin": fx.Begin("", "update", "A.1"),
    "finish": fx.Finish("", "A.1"),
    "look": fx.Look("", "A.1"),
    "nothing": None,
}
RACES = """
    write A: read A, query, write A, insert, delete, transaction, reading transaction
    write B: read B, query, write B, insert, delete, transaction, reading transaction
    insert: read A, read B, query, insert, delete, transaction, reading transaction
    delete: read A, read B, query, delete, transaction, reading transaction
    transaction: read A, read B, query, query other, transaction, reading transaction
    begin: begin, finish
    finish: finish
"""
RACING = {frozenset((one, other)) for line in RACES.split("\n") if (one := line.strip().partition(": ")[0])
          for other in line.partition(": ")[2].split(", ")}  # fmt: skip


@pytest.mark.parametrize(("one", "other"), list(combinations_with_replacement(EFFECTS, 2)))
def test_which_effects_race(one: str, other: str) -> None:
    expected = frozenset((one, other)) in RACING
    assert racing(EFFECTS[one], EFFECTS[other]) is expected
    assert racing(EFFECTS[other], EFFECTS[one]) is expected
