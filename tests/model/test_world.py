"""The world: undo is exact, an action is a name, every fault does what its sentence says, rest is exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from heatproof.model.design import Design
from heatproof.model.designs.heat import Heat
from heatproof.model.effects import (
    Handler,
    Insert,
    Me,
    Probe,
    Refused,
    Send,
    Sleep,
    Spawn,
)
from heatproof.model.errors import NotEnabled, ScenarioError
from heatproof.model.faults import FAULTS, HOLDS, PATIENCE
from heatproof.model.fingerprint import fingerprint
from heatproof.model.scenario import Operation, Scenario, create, scenario, update
from heatproof.model.templates import Attr, Ref, Template, resource
from heatproof.model.world import Action, World
from tests.model.toys import ACCOUNT, Account, accounts, asking, by_default, outcomes, toy, wander, whole

ONE = Template([resource("A", {"p": 1}, {"r": 1}), resource("B", {"p": Ref("A")}), resource("C", {"p": Attr("B", "p")})])
TWO = Template([resource("A", {"p": 2}, {"r": 2}), resource("B", {"p": Ref("A")}), resource("D", depends_on=["A"])])


def heat_scenario(faults: dict[str, int], reorder: bool = True) -> Scenario:
    return scenario(
        create(ONE), update(TWO, timeout=True), Operation("signal", resource="A"), update(ONE, rollback=True),
        Operation("rollback"), Operation("check"), Operation("mark unhealthy", resource="B"), update(TWO), Operation("cancel"),
        Operation("delete"), reorder=reorder, faults=faults,
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- undo


def seen(world: World) -> tuple[Any, ...]:
    return whole(world), world.actions(), world.default(), world.at_rest, fingerprint(world)


@pytest.mark.parametrize("reorder", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_undo_is_exact(seed: int, reorder: bool) -> None:
    world = World(Heat(), heat_scenario(dict.fromkeys(FAULTS, 2), reorder))
    program = world.program
    states = []
    for _ in wander(world, seed, 250, faultiness=0.15, eagerness=0.04):
        states.append(seen(world))
    assert len(states) > 100
    while len(world.log) > len(states) // 2:
        entry = world.undo()
        assert entry.action in states[len(world.log)][1]
        assert seen(world) == states[len(world.log)]
    for other in wander(world, seed + 1, 60, faultiness=0.3):
        assert other in world.actions()
    while world.log:
        world.undo()
        if len(world.log) < len(states) // 2 and len(world.log) % 5 == 0:
            assert seen(world) == states[len(world.log)]
    assert seen(world) == states[0]
    assert seen(world)[1:3] == seen(World(Heat(), heat_scenario(dict.fromkeys(FAULTS, 2), reorder), program))[1:3]


def test_the_same_actions_give_the_same_state() -> None:
    one = World(Heat(), heat_scenario(dict.fromkeys(FAULTS, 1)))
    actions = list(wander(one, 3))
    other = World(Heat(), heat_scenario(dict.fromkeys(FAULTS, 1)))
    for action in actions:
        other.perform(action)
    kept = [name for name in whole(one) if name not in ("nodes", "tasks")]
    assert {n: whole(one)[n] for n in kept} == {n: whole(other)[n] for n in kept}
    assert fingerprint(one) == fingerprint(other)


# ---------------------------------------------------------------------------------------------------- what is enabled


@pytest.mark.parametrize("reorder", [True, False])
def test_an_action_can_be_done_exactly_when_it_is_listed(reorder: bool) -> None:
    world = World(Heat(), heat_scenario(dict.fromkeys(FAULTS, 2), reorder))
    met: dict[Action, None] = {}
    refused = done = 0
    for _ in wander(world, 2, 400, faultiness=0.1, eagerness=0.02):
        listed = world.actions()
        assert len(set(listed)) == len(listed)
        met.update(dict.fromkeys(listed))
        if len(world.log) % 10:
            continue
        before = whole(world)
        for action in met:
            if action in listed:
                world.perform(action)
                world.undo()
                done += 1
            else:
                with pytest.raises(NotEnabled):
                    world.perform(action)
                refused += 1
            assert whole(world) == before
    assert done > 150
    assert refused > 1000


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (Action("step", "nobody"), "no task is called 'nobody'; running are work(1)"),
        (Action("deliver", "nothing", "E1"), "no message is called 'nothing'; waiting are work(2)"),
        (Action("deliver", "work(2)", "E9"), "engine 'E9' cannot take 'work(2)': it is busy, down, or not the addressee"),
        (Action("deliver", "work(2)", "E1"), "engine 'E1' cannot take 'work(2)': it is busy, down, or not the addressee"),
        (Action("operate", "delete#2", "E1"), "the next operation is 'update#2', not 'delete#2'"),
        (Action("operate", "update#2", "E9"), "engine 'E9' is not alive; alive are E1, E2"),
        (Action("settle", "A.1"), "nothing goes on at 'A.1' without a task"),
        (Action("restart", "E1"), "fault 'restart' cannot strike 'E1' now"),
        (Action("lose", "nothing"), "fault 'lose' cannot strike 'nothing' now"),
        (Action("duplicate", "work(2)"), "no 'duplicate' is left in the fault budget"),
        (Action("stall", "work(2)", "soon"), "fault 'stall' cannot last 'soon'; take one of 10, 40, rest"),
        (Action("lose", "work(2)", "10"), "fault 'lose' cannot last '10'; take one of nothing"),
        (Action("dance", "E1"), "no action is called 'dance'"),
    ],
)
def test_an_action_that_is_not_possible_changes_nothing(action: Action, message: str) -> None:
    def ask(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Send("X-1", "work", (number,))
        yield Send("X-1", "work", (2,))

    def work(self: Design, me: Me, number: int) -> Handler:
        yield Sleep("W-1")

    world = World(toy(create=ask, update=ask, work=work), asking("update", threads=1, faults={"lose": 1, "restart": 1, "stall": 1}))
    world.perform(Action("operate", "create#1", "E1"))
    for step in (Action("step", "create#1"), Action("step", "create#1"), Action("deliver", "work(1)", "E1")):
        world.perform(step)
    before = seen(world)
    with pytest.raises(NotEnabled) as caught:
        world.perform(action)
    assert str(caught.value) == message
    assert seen(world) == before


def test_after_the_last_operation_there_is_none() -> None:
    world = by_default(World(toy(create=accounts()), asking()))
    with pytest.raises(NotEnabled, match="every operation of the scenario has been issued"):
        world.perform(Action("operate", "create#1", "E1"))


def test_a_scenario_that_does_not_fit() -> None:
    with pytest.raises(ScenarioError, match="design 'toy' has no operation 'update'; it has create"):
        World(toy(create=accounts()), asking("update"))
    with pytest.raises(ScenarioError, match="unknown fault 'flood'; known are lose, "):
        World(toy(create=accounts()), asking(faults={"flood": 1}))
    with pytest.raises(ScenarioError, match="the budget for fault 'lose' is -1"):
        World(toy(create=accounts()), asking(faults={"lose": -1}))


# ----------------------------------------------------------------------------------------------------------- messages


def sends(*numbers: int) -> Callable[..., Handler]:
    """A create handler that sends work with these numbers."""

    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        for n in numbers:
            yield Send("X-1", "work", (n,))

    return create


def work(self: Design, me: Me, number: int) -> Handler:
    """Notes that this number was worked on, and where."""
    yield Insert("W-1", ACCOUNT, Account(f"R{number}", number, me.engine))


def worked(world: World) -> tuple[str, ...]:
    """The numbers in the order in which they were worked on."""
    return tuple(e.after.result for e in world.log if e.before is not None and type(e.before.effect) is Insert and e.after)


def sent(*numbers: int, **options: Any) -> World:
    """A world in which work with these numbers has been sent."""
    options.setdefault("engines", 1)
    handlers: dict[str, Any] = {key: options.pop(key) for key in ("order", "acknowledge") if key in options}
    return step_bag(World(toy(create=sends(*numbers), work=work, handlers=handlers), asking(**options)))


def step_bag(world: World) -> World:
    world.perform(world.operations()[0])
    while world.tasks:
        world.perform(Action("step", "create#1"))
    return world


def test_a_bag_has_no_order_and_fifo_has() -> None:
    for options, orders in (({}, 6), ({"order": "fifo"}, 1), ({"reorder": False}, 1)):
        world = sent(1, 2, 3, threads=1, **options)
        assert len(outcomes(world, worked)) == orders
    assert outcomes(sent(1, 2, 3, order="fifo", threads=1), worked) == {("R1", "R2", "R3")}


def test_fifo_is_by_topic() -> None:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        for n in (1, 2):
            yield Send("X-1", "work", (n,))
            yield Send("X-1", "other", (n + 2,))

    design = toy(create=create, work=work, other=work, handlers={"order": "fifo"})
    world = step_bag(World(design, asking(engines=1, threads=1)))
    orders = outcomes(world, worked)
    assert len(orders) == 6
    assert all(order.index("R1") < order.index("R2") and order.index("R3") < order.index("R4") for order in orders)


def test_a_message_for_one_engine() -> None:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Send("X-1", "work", (1,), to="E2")
        yield Send("X-1", "work", (2,), to="E9")

    world = step_bag(World(toy(create=create, work=work), asking(engines=2, faults={"crash": 1})))
    assert world.progress() == [Action("deliver", "work(1)", "E2")], "nobody is called E9"
    world.perform(Action("crash", "E2"))
    assert not world.bag, "it is lost with its addressee"


def test_messages_with_equal_content_are_told_apart() -> None:
    world = sent(1, 1, 1, faults={"duplicate": 1})
    assert list(world.bag) == ["work(1)", "work(1)#2", "work(1)#3"]
    world.perform(Action("duplicate", "work(1)#2"))
    assert list(world.bag)[3:] == ["work(1)#4"]
    assert worked(by_default(world)) == ("R1", "R1#2", "R1#3", "R1#4")


def test_lose() -> None:
    world = sent(1, 2, faults={"lose": 1})
    world.perform(Action("lose", "work(1)"))
    assert worked(by_default(world)) == ("R2",)
    assert world.happened == {"lose": 1}
    assert world.left == {"lose": 0}


def test_duplicate() -> None:
    world = sent(1, faults={"duplicate": 1})
    world.perform(Action("duplicate", "work(1)"))
    assert worked(by_default(world)) == ("R1", "R1#2")


@pytest.mark.parametrize(("length", "actions"), [("10", 10), ("40", 40), ("rest", 58)])
def test_stall_holds_a_message_back_but_not_for_ever(length: str, actions: int) -> None:
    assert length in HOLDS["stall"]
    world = sent(*range(1, 31), threads=1, faults={"stall": 1})
    world.perform(Action("stall", "work(1)", length))
    begun = len(world.log)
    with pytest.raises(NotEnabled, match=r"message 'work\(1\)' or engine 'E1' is held back, and something else can run"):
        world.perform(Action("deliver", "work(1)", "E1"))
    by_default(world)
    assert sorted(worked(world)) == sorted(f"R{n}" for n in range(1, 31))
    assert [e.action for e in world.log].index(Action("deliver", "work(1)", "E1")) == begun + actions


def test_a_stalled_head_holds_back_its_topic() -> None:
    world = sent(1, 2, order="fifo", threads=1, faults={"stall": 1})
    world.perform(Action("stall", "work(1)", "rest"))
    assert world.progress() == [Action("deliver", "work(1)", "E1")], "nothing else can run"
    assert world.default() == world.progress()[0]
    assert worked(by_default(world)) == ("R1", "R2")


def test_overtake() -> None:
    world = sent(1, 2, 3, order="fifo", threads=1, faults={"overtake": 2})
    assert world.faults() == [Action("overtake", "work(2)"), Action("overtake", "work(3)")]
    world.perform(Action("overtake", "work(3)"))
    world.perform(Action("overtake", "work(2)"))
    assert [m.name for m in world.deliverable()] == ["work(2)"]
    assert worked(by_default(world)) == ("R2", "R3", "R1")
    assert not sent(1, 2, faults={"overtake": 1}).faults(), "a bag promises no order"


# ------------------------------------------------------------------------------------------------------------ engines


def works_slowly(self: Design, me: Me, number: int) -> Handler:
    yield Sleep("W-0")
    yield Insert("W-1", ACCOUNT, Account(f"R{number}", number, me.engine))


def spawns(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Send("X-1", "work", (1,))
    yield Spawn("X-2", "work", (2,))
    yield Sleep("X-3")
    yield Sleep("X-4")


@pytest.mark.parametrize(("acknowledge", "again"), [("early", []), ("late", ["work(1)"])])
def test_crash_loses_tasks_and_a_late_acknowledgement_brings_messages_back(acknowledge: str, again: list[str]) -> None:
    design = toy(create=spawns, work=works_slowly, handlers={"acknowledge": acknowledge})
    world = World(design, asking(engines=2, faults={"crash": 1}))
    world.perform(Action("operate", "create#1", "E1"))
    for _ in range(2):
        world.perform(Action("step", "create#1"))
    world.perform(Action("deliver", "work(1)", "E1"))
    world.perform(Action("step", "work(1)"))
    assert list(world.tasks) == ["create#1", "work(2)", "work(1)"]
    world.perform(Action("crash", "E1"))
    assert not world.tasks
    assert list(world.bag) == again
    assert world.requests[1] == ("lost", "E1 died", ())
    assert list(world.free) == ["E2"]
    by_default(world)
    assert world.database.rows[ACCOUNT] == ({"R1": Account("R1", 1, "E2")} if again else {})


def test_a_spawned_task_that_has_nothing_to_do_ends_at_once() -> None:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Spawn("X-1", "work", (0,))
        yield Sleep("X-2")

    def work(self: Design, me: Me, times: int) -> Handler:
        for _ in range(times):
            yield Sleep("W-1")

    world = World(toy(create=create, work=work), asking())
    world.perform(Action("operate", "create#1", "E1"))
    world.perform(Action("step", "create#1"))
    assert list(world.tasks) == list(world.nodes) == ["create#1"]
    by_default(world)
    assert world.requests[1] == ("accepted", "", ())
    while world.log:
        world.undo()
    assert not world.tasks


def test_a_message_that_came_back_for_a_dead_addressee_is_lost() -> None:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Send("X-1", "work", (1,), to="E1")

    design = toy(create=create, work=works_slowly, handlers={"acknowledge": "late"})
    world = step_bag(World(design, asking(faults={"crash": 1})))
    world.perform(Action("deliver", "work(1)", "E1"))
    world.perform(Action("crash", "E1"))
    assert not world.bag
    assert world.at_rest


def test_restart_gives_a_new_id_and_all_threads() -> None:
    world = World(
        toy(create=spawns, work=works_slowly), asking(engines=2, threads=2, faults={"crash": 3, "restart": 2, "pause": 1})
    )
    world.perform(Action("operate", "create#1", "E1"))
    world.perform(Action("step", "create#1"))
    world.perform(Action("deliver", "work(1)", "E1"))
    assert world.free == {"E1": 1, "E2": 2}
    world.perform(Action("crash", "E1"))
    assert (world.free, world.down) == ({"E2": 2}, {"E1": "E1/2"})
    world.perform(Action("restart", "E1"))
    assert (list(world.free.items()), world.down) == ([("E1/2", 2), ("E2", 2)], {})
    world.perform(Action("crash", "E1/2"))
    world.perform(Action("restart", "E1/2"))
    assert list(world.free) == ["E1/3", "E2"]
    world.perform(Action("pause", "E2", "40"))
    world.perform(Action("crash", "E2"))
    assert world.left == {"crash": 0, "restart": 0, "pause": 0}
    assert not world.held, "a dead engine is held back no more"


def test_when_all_engines_are_dead_a_restart_is_no_fault() -> None:
    world = World(toy(create=spawns, work=work), asking(engines=1, faults={"crash": 1, "restart": 1}))
    world.perform(Action("crash", "E1"))
    assert world.actions() == [Action("restart", "E1")]
    assert not world.at_rest
    by_default(world)
    assert world.left == {"crash": 0, "restart": 1}
    assert worked(world) == ("R2", "R1")


@pytest.mark.parametrize("length", HOLDS["pause"])
def test_pause_holds_an_engine_back_but_not_for_ever(length: str) -> None:
    world = sent(*range(1, 31), engines=2, threads=1, faults={"pause": 1})
    world.perform(Action("deliver", "work(1)", "E1"))
    world.perform(Action("pause", "E1", length))
    begun = len(world.log)
    with pytest.raises(NotEnabled, match=r"task 'work\(1\)' or its engine is held back"):
        world.perform(Action("step", "work(1)"))
    while world.progress():
        now = world.progress()
        mine = [a for a in now if a.detail == "E1" or a.subject == "work(1)"]
        assert not mine or len(world.log) - begun >= int(length) - 1
        world.perform(now[-1])
    assert len(worked(world)) == 30


def test_a_paused_engine_goes_on_when_nothing_else_can() -> None:
    world = World(toy(create=accounts()), asking(engines=1, faults={"pause": 1}))
    world.perform(Action("operate", "create#1", "E1"))
    world.perform(Action("pause", "E1", "40"))
    assert world.progress() == [Action("step", "create#1")]
    assert world.default() == Action("step", "create#1")
    by_default(world)
    assert len(world.log) == 4


def probing(engine: str) -> Callable[..., Handler]:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        alive = yield Probe("X-1", engine)
        yield Insert("X-2", ACCOUNT, Account("alive" if alive else "dead"))

    return create


def test_a_probe_tells_the_truth_except_by_the_fault_false_dead() -> None:
    def told(world: World) -> tuple[Any, ...]:
        return tuple(world.database.rows[ACCOUNT])

    assert outcomes(World(toy(create=probing("E2")), asking()), told) == {("alive",)}
    assert outcomes(World(toy(create=probing("E3")), asking(faults={"false-dead": 1})), told) == {("dead",)}
    world = World(toy(create=probing("E2")), asking(faults={"false-dead": 1}))
    world.perform(Action("operate", "create#1", "E1"))
    world.perform(Action("false-dead", "create#1"))
    assert "E2" in world.free
    assert told(by_default(world)) == ("dead",)
    dying = World(toy(create=probing("E2")), asking(faults={"crash": 1}))
    dying.perform(Action("crash", "E2"))
    assert told(by_default(dying)) == ("dead",)


def test_threads_limit_messages_and_not_what_is_spawned() -> None:
    world = World(toy(create=spawns, work=works_slowly), asking(engines=1, threads=1))
    world.perform(Action("operate", "create#1", "E1"))
    world.perform(Action("step", "create#1"))
    world.perform(Action("step", "create#1"))
    world.perform(Action("deliver", "work(1)", "E1"))
    assert list(world.tasks) == ["create#1", "work(2)", "work(1)"]
    assert world.free == {"E1": 0}
    world.post("work", (3,), None)
    assert all(a.kind == "step" for a in world.progress())


# --------------------------------------------------------------------------------------------------------------- rest


def test_rest_is_exact() -> None:
    world = World(toy(create=accounts(), work=work, update=sends(1)), asking("update", faults={"lose": 1, "crash": 1}))
    assert world.at_rest
    resting = []
    while (action := world.default()) is not None:
        resting.append((action.kind, world.at_rest))
        world.perform(action)
    assert resting == [
        ("operate", True), ("step", False), ("step", False),
        ("operate", True), ("step", False),
        ("deliver", False), ("step", False),
    ]  # fmt: skip
    assert world.at_rest
    assert not world.progress()
    assert {a.kind for a in world.actions()} == {"crash"}


def test_the_user_is_told() -> None:
    def refuses(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Sleep("X-1")
        return Refused("not now")

    world = by_default(World(toy(create=accounts(), update=refuses, delete=refuses), asking("update", "delete")))
    assert world.requests == {1: ("accepted", "", ()), 2: ("refused", "not now", ()), 3: ("refused", "not now", ())}
    beside = World(toy(create=accounts(), update=refuses), asking("update", "update"))
    for label in ("create#1", "update#2", "update#3"):
        beside.perform(Action("operate", label, "E1"))
    assert beside.requests[2] == ("running", "", ()), "creates are in nobody's way"
    assert beside.requests[3] == ("running", "", (2,))


def test_the_default_policy_is_fair_to_what_it_passes_over() -> None:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Send("X-1", "count", (1,))
        yield Insert("X-2", ACCOUNT, Account("A"))

    def count(self: Design, me: Me, number: int) -> Handler:
        if number < 1_000:
            yield Send("C-1", "count", (number + 1,))
        else:
            yield Sleep("C-2")

    world = World(toy(create=create, count=count), asking(engines=1))
    world.perform(Action("operate", "create#1", "E1"))
    world.perform(Action("step", "create#1"))
    assert world.default() == Action("step", "create#1")
    world.pass_over(Action("step", "create#1"))
    assert world.default() == Action("deliver", "count(1)", "E1")
    while not world.database.rows[ACCOUNT]:
        action = world.default()
        assert action is not None
        world.perform(action)
    assert PATIENCE <= len(world.log) <= PATIENCE + 5
