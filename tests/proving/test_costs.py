"""The dearest run: as dear as the dearest of all that there are, one by one."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from heatproof.model.design import Design
from heatproof.model.effects import DATABASE, Begin, Finish, Handler, Insert, Me, Read, Send, Spawn, Transaction, Update
from heatproof.model.fingerprint import fingerprint
from heatproof.model.meter import meter
from heatproof.model.reality import Spec
from heatproof.model.scenario import Operation, Scenario, create, scenario, update
from heatproof.model.templates import resource
from heatproof.model.world import World
from heatproof.properties.costs import at_most
from heatproof.strategies.proving.costs import OwnedWorld, Worst, _costs, costs
from heatproof.strategies.proving.graph import Exchanged
from heatproof.strategies.running import Driver, Plan, run
from tests.model.toys import ACCOUNT, Account, asking
from tests.toys import ADDING, HEAT, SPINNING, A, same_in_any_process, seen_toy

from tests.proving.test_counts import add, forwarding, signalling  # isort: skip


def retrying(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    """Adds 1 by compare-and-set, which is lost at most once to the other."""
    if number == 1:
        yield Insert("C-1", ACCOUNT, Account("A"))
        yield Send("C-2", "increment", (1,))
    yield Send("C-3", "increment", (number + 1,))


def increment(self: Design, me: Me, who: int) -> Handler:
    while True:
        row = yield Read("C-4", ACCOUNT, "A")
        if (yield Update("C-5", ACCOUNT, "A", {"value": row.value + 1}, {"value": row.value})):
            return


def _both(name: str) -> Any:
    row = yield Read("T-1", ACCOUNT, name)
    if row is None:
        yield Insert("T-1", ACCOUNT, Account(name, 1))
    else:
        yield Update("T-1", ACCOUNT, name, {"value": row.value + 1})
    yield Send("T-1", "look", ())


def whole(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Transaction("T-1", _both, ("A",))


def look(self: Design, me: Me) -> Handler:
    row = yield Read("T-2", ACCOUNT, "A")
    if row.value > 1:
        yield Read("T-3", ACCOUNT, "A")


RACING = seen_toy(create=retrying, signal=retrying, increment=increment)
TINY: dict[str, tuple[Design, Scenario]] = {
    "two messages": (seen_toy(create=forwarding, add=add), asking(engines=2, threads=1)),
    "two operations": (seen_toy(create=forwarding, signal=signalling, add=add), asking("signal", engines=1, threads=1)),
    "racing": (RACING, asking(engines=1, threads=2)),
    "transactions": (seen_toy(create=whole, signal=whole, look=look), asking("signal", engines=1, threads=1)),
    "late": (
        seen_toy(create=forwarding, add=add, acknowledge="late"),
        asking(engines=1, threads=1, faults={"crash": 1, "restart": 1}),
    ),
    "twice": (seen_toy(create=forwarding, add=add), asking(engines=1, threads=1, faults={"duplicate": 1})),
    "refused": (ADDING, asking(engines=1, threads=2, faults={"abort": 1})),
    "adding": (ADDING, asking(engines=2, threads=1)),
    "heat": (HEAT, scenario(create([resource("A")]), engines=1, threads=1, faults={"crash": 1})),
}


def dearest(design: Design, asked: Scenario) -> Counter[int]:
    """The most accesses of each operation, and of a run by number 0, over all schedules, each run on its own and metered."""
    world, most = World(design, asked), Counter[int]()

    def go_on() -> None:
        actions = world.actions()
        if not actions:
            costs = meter(world)
            most[0] = max(most[0], costs.total.accesses)
            for number, tally in costs.by("operation").items():
                most[number] = max(most[number], tally.accesses)
        for action in actions:
            world.perform(action)
            go_on()
            world.undo()

    go_on()
    return most


@pytest.mark.parametrize("name", sorted(TINY))
def test_the_dearest_run_is_the_dearest_of_all(name: str) -> None:
    design, asked = TINY[name]
    most = dearest(design, asked)
    for symmetric in (True, False):
        found = costs(design, asked, symmetric=symmetric)
        assert found.complete
        assert found.run.accesses == most[0]
        assert {n: worst.accesses for n, worst in found.operations.items()} == {n: most[n] for n in found.operations}
        assert spent(design, asked, found.run)[0] == most[0]
        for number, worst in found.operations.items():
            assert spent(design, asked, worst)[number] == most[number]


def spent(design: Design, asked: Scenario, worst: Worst) -> Counter[int]:
    """What the meter says of the run that a worst case shows."""
    world = World(design, asked)
    for action in worst.actions:
        world.perform(action)
    costs = meter(world)
    return Counter({0: costs.total.accesses} | {number: tally.accesses for number, tally in costs.by("operation").items()})


def test_worst_cases_that_can_be_told_by_hand() -> None:
    # an insert; each of two messages reads and writes, and the second to write has read in vain once
    assert costs(*TINY["racing"]).run.accesses == 1 + 2 + 2 + 2
    # a transaction is one access; each looks, and looks again if both transactions were before
    found = costs(*TINY["transactions"])
    assert (found.run.accesses, found.operations[1].accesses, found.operations[2].accesses) == (6, 3, 3)


def test_where_a_circle_has_an_access_there_is_no_limit() -> None:
    def again(self: Design, me: Me) -> Handler:
        yield Read("N-1", ACCOUNT, "A")
        yield Send("N-2", "again", ())

    def start(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        if number == 2:
            yield Insert("N-0", ACCOUNT, Account("A"))
            yield Spawn("N-0", "again", ())

    design = seen_toy(create=start, signal=start, again=again)
    found = costs(design, asking("signal"))
    assert found.run.accesses is found.operations[2].accesses is None
    assert found.operations[1].accesses == 0
    world = World(design, asking("signal"))
    for action in found.run.actions:
        world.perform(action)
    for lap in range(1, 4):
        before = meter(world).total.accesses
        for action in found.run.around:
            world.perform(action)
        assert meter(world).total.accesses > before, lap


def twice(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Insert("W-1", ACCOUNT, Account("A"))
    for _ in range(2):
        yield Send("W-2", "build", ())


def build(self: Design, me: Me) -> Handler:
    """Builds in steps, each of which goes by the name of its task while it is at work; another may take the name of one that has ended."""
    row = yield Read("W-3", ACCOUNT, "A")
    if row.value < 2:
        physical = yield Begin("W-4", "create", "A", Spec(f"part {row.value}"), "T1")
        yield Finish("W-5", physical)
        yield Update("W-6", ACCOUNT, "A", {"value": row.value + 1})
        yield Send("W-7", "build", ())


def test_a_way_on_which_equal_tasks_exchange_their_names_is_shown() -> None:
    design, asked = seen_toy(create=twice, build=build), asking(engines=1, threads=2)
    with pytest.raises(Exchanged):
        _costs(design, asked, [], True, lambda result: "", None, OwnedWorld)
    answer = costs(design, asked)
    assert answer.run.accesses == farthest(World(design, asked), {}) == spent(design, asked, answer.run)[0]


def farthest(world: World, known: dict[int, int]) -> int:
    """The most accesses from a state on, of which those that are alike are gone on from once."""
    here = fingerprint(world)
    if here not in known:
        known[here] = 0
        for action in world.actions():
            entry = world.perform(action)
            access = entry.before is not None and type(entry.before.effect) in DATABASE
            known[here] = max(known[here], access + farthest(world, known))
            world.undo()
    return known[here]


def test_circles_without_an_access_cost_nothing() -> None:
    found = costs(SPINNING, asking())
    assert found.run.accesses == 2  # a read and an insert at the beginning


def test_bounds_hold_or_do_not() -> None:
    design, asked = TINY["transactions"]
    properties = [
        at_most(6, "run"),
        at_most(5, "run"),
        at_most(3),
        at_most(2),
        at_most(3, kind="signal"),
        at_most(2, kind="signal"),
    ]
    found = costs(design, asked, properties)
    assert sorted(name for name, _ in found.violations) == [
        "at most 2 accesses per operation", "at most 2 accesses per signal", "at most 5 accesses per run",
    ]  # fmt: skip
    witness, worst = found.violations["at most 2 accesses per signal", "too many accesses"]
    assert str(witness) == "too many accesses; operation: signal#2; accesses: 3; allowed: 2"
    assert spent(design, asked, worst)[2] == 3


def cheap_then_dear(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    """The create has one access, a signal three."""
    if number == 1:
        yield Insert("D-1", ACCOUNT, Account("A"))
    else:
        for _ in range(3):
            yield Read("D-2", ACCOUNT, "A")


CHEAP_THEN_DEAR = seen_toy(create=cheap_then_dear, signal=cheap_then_dear), asking("signal", engines=1, threads=1)


def test_of_each_bound_the_worst_is_said() -> None:
    properties = [
        at_most(0), at_most(9), at_most(2, kind="create"), at_most(2, kind="signal"), at_most(9, kind="update"), at_most(4, "run"),
    ]  # fmt: skip
    design, asked = CHEAP_THEN_DEAR
    found = costs(design, asked, properties)
    assert found.bounded == {
        "at most 0 accesses per operation": 3,
        "at most 9 accesses per operation": 3,
        "at most 2 accesses per create": 1,
        "at most 2 accesses per signal": 3,
        "at most 4 accesses per run": 4,
    }, "nothing is updated"
    witness, worst = found.violations["at most 0 accesses per operation", "too many accesses"]
    assert str(witness) == "too many accesses; operation: signal#2; accesses: 3; allowed: 0", "not the first that is too dear"
    assert spent(design, asked, worst)[2] == 3


def test_a_run_is_judged_at_rest_too() -> None:
    design, asked = TINY["racing"]
    done = run(design, asked, [at_most(5), at_most(4)], Plan("fifo", 0))
    assert list(done.violations) == [("at most 4 accesses per operation", "too many accesses")]
    found = costs(design, asked, [at_most(6)])
    driver = Driver(design, asked, [at_most(6)])
    for action in found.violations["at most 6 accesses per operation", "too many accesses"][1].actions:
        driver.perform(action)
    assert driver.settle() == "rest"
    assert list(driver.monitor.violations) == [("at most 6 accesses per operation", "too many accesses")]


def test_a_bound_must_make_sense() -> None:
    with pytest.raises(ValueError, match="not -1"):
        at_most(-1)
    with pytest.raises(ValueError, match="on the whole run"):
        at_most(1, "run", "create")


def test_a_search_that_was_cut_bounds_nothing() -> None:
    found = costs(*TINY["adding"], go_on=lambda result: "no time")
    assert (found.complete, found.cut, found.operations) == (False, "no time", {})


def test_heat() -> None:
    """Two operations that overlap: what the first costs depends on when the second comes."""
    asked = scenario(create([A]), update([resource("A", {"p": 1}, {"r": 0})]), engines=1, threads=1)
    found = costs(HEAT, asked)
    assert found.complete
    assert found.run.accesses is not None
    for number, worst in found.operations.items():
        assert spent(HEAT, asked, worst)[number] == worst.accesses
    for seed in range(10):
        meant = run(HEAT, asked, [], Plan("random", seed, eagerness=0.1))
        tallies = meter(meant.world)
        assert tallies.total.accesses <= found.run.accesses
        assert all(t.accesses <= (found.operations[n].accesses or 0) for n, t in tallies.by("operation").items())


def found_costs() -> object:
    """What is compared between processes."""
    return [costs(*TINY[name]) for name in ("racing", "two operations")]


def test_the_same_in_every_process() -> None:
    same_in_any_process("tests.proving.test_costs", "found_costs")


def test_operations_that_are_called_alike_cost_what_each_costs() -> None:
    def often(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        for _ in range(4 if number == 2 else 1):
            yield Read("L-1", ACCOUNT, "A")

    plain = type(seen_toy(create=lambda self, me, number, operation: (yield Insert("L-2", ACCOUNT, Account("A"))), update=often))
    design: Design = type("Alike", (plain,), {"operation_label": lambda _self, _number, operation: operation.kind})()
    asked, bounds = asking("update", "update", engines=1, threads=1), [at_most(3), at_most(2, kind="update")]
    answer = costs(design, asked, bounds)
    assert {number: most.accesses for number, most in answer.operations.items()} == {1: 1, 2: 4, 3: 1}
    assert answer.bounded == {bound.name: 4 for bound in bounds}
    assert {key[0] for key in answer.violations} == {bound.name for bound in bounds}
    assert run(design, asked, bounds, Plan("fifo", 0)).violations.keys() == answer.violations.keys()
