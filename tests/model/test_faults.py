"""Faults of the database and of reality, and that every fault there is can strike."""

from __future__ import annotations

from typing import Any

import pytest

from heatproof.model.design import Design
from heatproof.model.designs.heat import Heat
from heatproof.model.effects import (
    Aborted,
    Begin,
    Cancel,
    Disconnected,
    Escape,
    Expired,
    Finish,
    Handler,
    Insert,
    Listen,
    Look,
    Me,
    Query,
    Read,
    Sleep,
    Spawn,
    Transaction,
    Update,
)
from heatproof.model.faults import FAULTS, HOLDS
from heatproof.model.reality import Spec
from heatproof.model.scenario import Operation, create, scenario, update
from heatproof.model.templates import Attr, Ref, Template, resource
from heatproof.model.world import Action, World
from tests.model.toys import ACCOUNT, Account, asking, by_default, toy, wander

ONE = Template([resource("A", {"p": 1}, {"r": 1}), resource("B", {"p": Ref("A")}), resource("C", {"p": Attr("B", "p")})])
TWO = Template([resource("A", {"p": 2}, {"r": 2}), resource("B", {"p": Ref("A")}), resource("D", depends_on=["A"])])


# ----------------------------------------------------------------------------------------------------------- database


def tries(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    try:
        yield Insert("X-1", ACCOUNT, Account("A"))
    except Escape as error:
        yield Insert("X-2", ACCOUNT, Account(type(error).__name__))


@pytest.mark.parametrize(("fault", "rows"), [("abort", ["Aborted"]), ("disconnect", ["A", "Disconnected"])])
def test_abort_undoes_and_disconnect_does_not(fault: str, rows: list[str]) -> None:
    world = World(toy(create=tries), asking(faults={fault: 1}))
    world.perform(Action("operate", "create#1", "E1"))
    world.perform(Action(fault, "create#1"))
    assert list(by_default(world).database.rows[ACCOUNT]) == rows


@pytest.mark.parametrize("effect", [Read("X-1", ACCOUNT, "A"), Query("X-1", ACCOUNT, {}), Sleep("X-1"), Look("X-1", "A.1")])
def test_what_only_reads_is_not_aborted(effect: Any) -> None:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield effect

    world = World(toy(create=create), asking(faults={"abort": 1, "disconnect": 1}))
    world.perform(Action("operate", "create#1", "E1"))
    assert not world.faults()


def test_an_abort_of_a_transaction() -> None:
    def body() -> Any:
        yield Update("", ACCOUNT, "A", {"value": 1})
        yield Insert("", ACCOUNT, Account("B"))

    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("X-1", ACCOUNT, Account("A"))
        for _ in range(3):
            try:
                yield Transaction("X-2", body)
            except (Aborted, Disconnected):
                continue
            return

    world = World(toy(create=create), asking(faults={"abort": 1, "disconnect": 1}))
    world.perform(Action("operate", "create#1", "E1"))
    world.perform(Action("step", "create#1"))
    world.perform(Action("abort", "create#1"))
    assert list(world.database.rows[ACCOUNT].values()) == [Account("A")]
    world.perform(Action("disconnect", "create#1"))
    assert list(world.database.rows[ACCOUNT].values()) == [Account("A", 1), Account("B")]
    assert list(by_default(world).database.rows[ACCOUNT]) == ["A", "B", "B#2"]


# ------------------------------------------------------------------------------------------------------------ reality

SPEC = Spec("A", properties=(("p", 1),))


def physical(*operations: str, wait: bool = True, spec: Spec = SPEC) -> Design:
    """Creates a thing and does these operations on it; what each ended in becomes a row."""

    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Listen("X-0", "T")
        thing = yield Begin("X-1", "create", "A", spec, cause="T1", topic="T")
        ended = []
        for what in ("create", *operations):
            if what != "create":
                begun = yield Begin("X-2", what, thing, spec if what == "update" else None, cause="T1", topic="T")
                if not begun:
                    ended.append("not begun")
                    continue
            if not wait:
                return
            outcome = yield Finish("X-3", thing)
            ended.append(outcome)
        for outcome in ended:
            yield Insert("X-4", ACCOUNT, Account(outcome))

    def update(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Cancel("Y-1", "T")

    return toy(create=create, update=update)


def begun(design: Design, *kinds: str, steps: int = 2, **faults: int) -> World:
    """A world in which the create has begun."""
    world = World(design, asking(*kinds, engines=2, faults={kind.replace("_", "-"): n for kind, n in faults.items()}))
    world.perform(Action("operate", "create#1", "E1"))
    for _ in range(steps):
        world.perform(Action("step", "create#1"))
    return world


def ended(world: World) -> list[Any]:
    return list(by_default(world).database.rows[ACCOUNT])


def test_physical_operations_begin_and_end() -> None:
    world = begun(physical("update", "check", "delete", "check"))
    thing = world.reality.things["A.1"]
    assert (thing.state, thing.owner, thing.made_by, [b.operation for b in thing.busy]) == ("creating", "A", "T1", ["create"])
    world.perform(Action("step", "create#1"))
    assert world.reality.things["A.1"] == thing._replace(state="healthy", busy=())
    assert ended(world) == ["done", "done#2", "done#3", "done#4", "not begun"]
    assert not world.reality.things
    assert world.reality.made == {"A": 1}


@pytest.mark.parametrize(
    ("fault", "outcome", "state"),
    [("fail", "failed", "failed"), ("conflict", "conflict", "creating"), ("not-found", "not found", None)],
)
def test_how_a_physical_operation_may_end(fault: str, outcome: str, state: str | None) -> None:
    world = begun(physical("update"), **{fault: 1})
    assert world.faults() == [Action(fault, "create#1")]
    world.perform(Action(fault, "create#1"))
    thing = world.reality.things.get("A.1")
    assert (thing.state if thing else None) == state
    assert thing is None or not thing.busy
    assert ended(world) == sorted([outcome, "done" if thing else "not begun"])


def test_fail_always_breaks_the_name() -> None:
    world = begun(physical("update", "delete"), fail_always=1)
    world.perform(Action("fail-always", "create#1"))
    assert ended(world) == ["failed", "failed#2", "failed#3"]
    assert "A.1" in world.reality.things


def test_operations_that_fail_by_their_definition() -> None:
    world = begun(physical("update", "delete", spec=SPEC._replace(fails=("update", "delete"))))
    assert ended(world) == ["done", "failed", "failed#2"]


@pytest.mark.parametrize("length", HOLDS["slow"])
def test_slow_takes_long_but_not_for_ever(length: str) -> None:
    def idle(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        for _ in range(60):
            yield Sleep("Y-1")

    design = physical()
    type(design).update = idle  # type: ignore[attr-defined]
    world = begun(design, "update", slow=1)
    world.perform(world.operations()[0])
    world.perform(Action("slow", "create#1", length))
    begin = len(world.log)
    while Action("step", "create#1") not in world.progress():
        world.perform(world.progress()[0])
    assert len(world.log) - begin == int(length) - 1
    assert ended(world) == ["done"]
    alone = begun(physical(), slow=1)
    alone.perform(Action("slow", "create#1", length))
    assert alone.progress() == [Action("step", "create#1")]


def test_vanish_change_and_sicken() -> None:
    for fault, changed in (("vanish", None), ("change", "drifted"), ("sicken", "unhealthy")):
        world = begun(physical("check"), steps=3, **{fault: 1})
        assert world.faults() == [Action(fault, "A.1")]
        world.perform(Action(fault, "A.1"))
        thing = world.reality.things.get("A.1")
        if fault == "change":
            assert thing is not None
            assert thing.drifted
            assert thing.spec.properties == (("p", "drifted"),)
        else:
            assert (thing and thing.state) == changed
        assert not world.faults()
        assert ended(world) == ["done", "not begun" if thing is None else "failed"]


def test_timeout() -> None:
    world = begun(physical("update"), timeout=1)
    assert world.faults() == [Action("timeout", "T")]
    world.perform(Action("timeout", "T"))
    assert not world.faults()
    assert ended(world) == ["timed out", "timed out#2"]
    assert world.reality.things["A.1"].state == "failed"


def test_timeout_of_a_topic_that_is_no_text() -> None:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        late = yield Expired("X-1", ("T", 1))
        yield Insert("X-2", ACCOUNT, Account(str(late)))

    for faults, row in (({}, "False"), ({"timeout": 1}, "True")):
        world = World(toy(create=create), asking(faults=faults))
        world.perform(Action("operate", "create#1", "E1"))
        for action in world.faults():
            world.perform(action)
        assert list(by_default(world).database.rows[ACCOUNT]) == [row]


@pytest.mark.parametrize(("engine", "outcome"), [("E1", "cancelled"), ("E2", "done")])
def test_a_cancel_notice_reaches_the_tasks_of_its_engine(engine: str, outcome: str) -> None:
    world = begun(physical(), "update")
    world.perform(Action("operate", "update#2", engine))
    world.perform(Action("step", "update#2"))
    assert ended(world) == [outcome]


@pytest.mark.parametrize("restart", [False, True])
def test_what_a_dead_engine_had_begun_goes_on_without_it(restart: bool) -> None:
    world = begun(physical(), crash=1, restart=1)
    world.perform(Action("crash", "E1"))
    assert world.reality.things["A.1"].busy[0].task == ""
    if restart:
        world.perform(Action("restart", "E1"))
    assert world.progress() == [Action("settle", "A.1")]
    assert not world.at_rest
    assert world.default() == Action("settle", "A.1")
    by_default(world)
    assert world.reality.things["A.1"].state == "healthy"
    assert not world.reality.alone
    assert world.at_rest


def test_what_a_task_does_not_wait_for_goes_on_without_it() -> None:
    world = begun(physical(wait=False))
    assert not world.tasks
    assert world.progress() == [Action("settle", "A.1")]
    assert by_default(world).reality.things["A.1"].state == "healthy"


def test_a_settled_operation_does_not_starve_behind_a_task_that_polls() -> None:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        thing = yield Begin("X-1", "create", "A", SPEC)
        yield Spawn("X-2", "poll", (thing,))

    def poll(self: Design, me: Me, thing: str) -> Handler:
        while True:
            seen = yield Look("P-1", thing)
            if seen.state == "healthy":
                return
            yield Sleep("P-2")

    world = by_default(World(toy(create=create, poll=poll), asking()), limit=20)
    assert world.at_rest


# ------------------------------------------------------------------------------------------------- faults, all of them


@pytest.mark.parametrize("kind", FAULTS)
def test_every_fault_strikes_heat_in_a_random_search(kind: str) -> None:
    helpers = {"restart": {"crash": 1}, "false-dead": {"slow": 3}}.get(kind, {})
    heat = Heat()
    asked = scenario(
        create(ONE), update(TWO, timeout=True), update(ONE), Operation("delete"), reorder=kind != "overtake",
        faults={kind: 1, **helpers},
    )  # fmt: skip
    program = World(heat, asked).program
    for seed in range(400):
        world = World(heat, asked, program)
        for _ in wander(world, seed, 1_000, faultiness=0.4, eagerness=0.02):
            pass
        if kind in world.happened:
            break
    assert world.happened[kind] == 1
    assert world.left[kind] == 0
    assert kind in {e.action.kind for e in world.log}
    assert not [a for a in world.faults() if a.kind == kind]


def test_every_fault_has_a_sentence_and_a_layer() -> None:
    assert {f.layer for f in FAULTS.values()} == {"messages", "engines", "database", "reality", "time"}
    assert all(f.sentence[0].islower() and not f.sentence.endswith(".") for f in FAULTS.values())
    assert set(HOLDS) <= set(FAULTS)


def test_a_name_that_is_broken_twice_is_undone() -> None:
    asked = scenario(create(Template([resource("A")]), rollback=True), engines=1, threads=1, faults={"fail-always": 2})
    world = World(Heat(), asked)
    while (action := next(iter(world.faults()), world.default())) is not None:
        world.perform(action)
    assert world.happened == {"fail-always": 2}
    while world.log:
        world.undo()
    assert not world.reality.broken
