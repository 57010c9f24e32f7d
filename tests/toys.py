"""Toys that can be driven and observed: small designs for runs, scenarios of Heat, and Python in processes of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

from hypothesis import settings

from heatproof.model import catalogue
from heatproof.model.design import Design
from heatproof.model.effects import Handler, Insert, Me, Read, Send, Update
from heatproof.model.observation import Observation
from heatproof.model.scenario import Operation, Scenario, create, scenario, update
from heatproof.model.templates import Attr, Ref, Template, resource
from heatproof.model.watching import WorldObservation
from heatproof.model.world import World, program_for
from heatproof.properties.base import ENGINES, Property, Witness, at_rest, witness
from heatproof.strategies.policies import POLICIES
from heatproof.strategies.running import Plan, run
from tests.model.toys import ACCOUNT, Account, toy

ROOT = Path(__file__).parents[1]
HEAT = catalogue.load("heat")

Asked = Callable[[Design, Me, int, Operation], Handler]


def seen_toy(acknowledge: str = "early", order: str = "bag", **functions: Any) -> Design:
    """A design of these handlers, as :func:`tests.model.toys.toy`, that can be observed."""
    return toy(handlers={"observe": _observe, "acknowledge": acknowledge, "order": order}, **functions)


def _observe(_self: Design, world: World) -> WorldObservation:
    observation = WorldObservation(world)
    observation.resources = world.database.rows[ACCOUNT]
    return observation


def sending(*messages: tuple[Any, ...]) -> Asked:
    """A handler of an operation that inserts account A if need be and sends these messages, each a name and its arguments."""

    def operate(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        if (yield Read("R-1", ACCOUNT, "A")) is None:
            yield Insert("I-1", ACCOUNT, Account("A"))
        for name, *args in messages:
            yield Send("S-1", name, tuple(args))

    return operate


def spin(self: Design, me: Me) -> Handler:
    """A message that sends itself again, for ever."""
    yield Send("S-2", "spin", ())


def count_down(self: Design, me: Me, number: int) -> Handler:
    """A message that sends its successor, down to 0."""
    if number:
        yield Send("S-3", "count_down", (number - 1,))


def await_flag(self: Design, me: Me, who: str) -> Handler:
    """A message that sends itself again until account A is not 0."""
    row = yield Read("R-2", ACCOUNT, "A")
    if not row.value:
        yield Send("S-4", "await_flag", (who,))


def set_flag(self: Design, me: Me) -> Handler:
    """A message that sets account A to 1."""
    yield Update("U-1", ACCOUNT, "A", {"value": 1})


SPINNING = seen_toy(create=sending(("spin",)), spin=spin)
"""Goes round in circles."""

COUNTING = seen_toy(create=sending(("count_down", 1_500)), count_down=count_down)
"""Takes long, and comes to rest."""

AWAITING = seen_toy(
    create=sending(*(("await_flag", who) for who in "xyz"), ("set_flag",)), await_flag=await_flag, set_flag=set_flag
)
"""Comes to rest if, and only if, a policy is fair."""


def add_one(self: Design, me: Me, who: str) -> Handler:
    """A message that adds 1 to account A, reading and writing it apart from each other."""
    row = yield Read("A-1", ACCOUNT, "A")
    yield Update("A-2", ACCOUNT, "A", {"value": row.value + 1})


ADDING = seen_toy(create=sending(("add_one", "x"), ("add_one", "y")), add_one=add_one)
"""Two messages, each of which adds 1: a lost update if they overlap."""


@at_rest("sum", "At rest account A is 2.")
def sum_is_two(observation: Observation) -> Iterator[Witness]:
    """What ADDING must come to."""
    value = observation.resources["A"].value  # type: ignore[attr-defined]
    if value != 2:
        yield witness(f"sum is {value}")


def resting(name: str, kind: Callable[[Observation], str]) -> Property:
    """An at-rest property that is violated at every rest, by a witness whose kind says what it saw."""
    return at_rest(name, "Never holds.")(lambda observation: iter([witness(kind(observation))]))


# ------------------------------------------------------------------------------------------------------------- Heat

A = resource("A", {"p": 0}, {"r": 0})
B = resource("B", {"a": Ref("A")})
C = resource("C", {"b": Attr("A", "p")}, depends_on=["B"])


def small(**options: Any) -> Scenario:
    """Heat creates one resource."""
    return scenario(create([resource("A")]), **options)


def busy(**options: Any) -> Scenario:
    """Heat creates three resources, replaces the first of them, rolls back, and deletes the stack."""
    changed = Template([resource("A", {"p": 1}, {"r": 1}), B, C])
    operations = [create([A, B, C]), update(changed, rollback=True), Operation("rollback"), Operation("delete")]
    return scenario(*operations, **options)


def restless(fault: str) -> Scenario:
    """A scenario of Heat's in which this fault can strike."""
    if fault == "false-dead":  # a probe is rare: two engines must meet at one lock
        return scenario(create([A]), *(update([resource("A", {"p": n})]) for n in (1, 2, 3)), faults={fault: 2})
    create_all, *others = busy().operations
    operations = [create_all._replace(timeout=True), *others[:2], Operation("check"), others[2]]
    return scenario(*operations, reorder=fault != "overtake", faults={fault: 2, **({"crash": 2} if fault in ENGINES else {})})


def struck(fault: str, count: int) -> list[tuple[Scenario, Plan]]:
    """So many runs of Heat, of all policies, in which this fault strikes."""
    asked, found = restless(fault), []
    program = program_for(HEAT, asked)
    for seed, policy in product(range(200), POLICIES):
        plan = Plan(policy, seed, eagerness=0.05, faultiness=0.9 if seed % 2 else 0.1)
        if fault in run(HEAT, asked, [], plan, program).world.happened:
            found.append((asked, plan))
        if len(found) == count:
            return found
    raise AssertionError(f"{fault} struck {len(found)} times")


def large() -> Scenario:
    """Heat creates five resources, replaces, changes, drops and adds some, checks them and goes back, in some bad weather."""
    before = [resource("A", {"p": 0}, {"r": 0}), resource("B", {"p": Attr("A", "p")}), resource("C", {"p": 0}, depends_on=["B"]),
              resource("D", {"p": Ref("A")}), resource("E")]  # fmt: skip
    after = [resource("A", {"p": 1}, {"r": 1}), resource("B", {"p": Attr("A", "p")}), resource("D", {"p": Ref("A")}),
             resource("E", kind="other"), resource("F", {"q": Ref("E")})]  # fmt: skip
    operations = [create(before), update(after, rollback=True), Operation("check"), update(before)]
    return scenario(*operations, faults={"crash": 1, "fail": 1, "abort": 1})


STORM = dict.fromkeys(("crash", "restart", "lose", "duplicate", "stall", "pause", "abort", "disconnect", "fail", "vanish"), 1)
"""Some of everything that goes wrong."""


# --------------------------------------------------------------------------------------------------------- examples

NIGHTLY = settings().max_examples >= 10_000
"""Whether there is time for what takes long."""


def fewer(dearer: int, nightly: int = 0, **more: Any) -> settings:
    """The settings of a test whose examples take so many times as long as usual ones: so many times fewer of them than the profile says.
    ``nightly`` is how many times fewer in the nightly, where that is another number: much is drawn there for which CI has no time."""
    return settings(max_examples=-(-settings().max_examples // ((NIGHTLY and nightly) or dearer)), **more)


# -------------------------------------------------------------------------------------------------------- processes


def python(*arguments: str | Path, seed: int | str = 0, folder: Path = ROOT, fails: bool = False) -> str:
    """What Python with these arguments and this seed of its hashes writes to its standard output."""
    environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""}
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode != 0) is fails, done.stdout + done.stderr
    return done.stdout


def same_in_any_process(module: str, function: str) -> str:
    """What ``function`` of ``module`` returns as text, shown to be the same in two processes with different seeds of hashes."""
    script = f"from {module} import {function}; print({function}())"
    first, second = (python("-c", script, seed=seed) for seed in (1, 2))
    assert first == second
    return first
