"""Heat's design, walked through step by step under the default policy: what each operation does and where it ends.

The numbers are pinned: whoever changes a step of the design changes them on purpose. The step ids are those of ``heat-algorithm.md``,
Heat's convergence algorithm restated at the grain of one database transaction.
"""

from __future__ import annotations

from typing import Any

import pytest

from heatproof.model.designs.heat import Heat
from heatproof.model.designs.heat.values import (
    RESOURCE,
    STACK,
    SYNC_POINT,
    TEMPLATE,
    C,
    Graph,
    ResourceRow,
    StackRow,
    TemplateRow,
    U,
)
from heatproof.model.effects import Begin
from heatproof.model.meter import meter
from heatproof.model.reality import Physical, Spec
from heatproof.model.scenario import Operation, create, scenario, update
from heatproof.model.templates import EMPTY, Ref, Template, resource
from heatproof.model.world import Action, World
from tests.model.toys import step_all


def two(p: int = 1, r: int = 1) -> Template:
    """B holds the id of A. ``p`` changes in place, ``r`` by a replacement."""
    return Template([resource("A", {"p": p}, {"r": r}), resource("B", {"p": Ref("A")})])


def begun(*operations: Operation, rollback: bool = False, **faults: int) -> World:
    """A world in which these operations can be asked."""
    budget = {kind.replace("_", "-"): n for kind, n in faults.items()}
    return World(Heat(), scenario(create(two(), rollback=rollback), *operations, faults=budget))


def ask(world: World) -> World:
    """The next operation, to the end."""
    world.perform(world.operations()[0])
    return step_all(world)


def ask_first(world: World, *tasks: str) -> None:
    """The next operation, with these tasks of its own, before anything else goes on."""
    world.perform(world.operations()[0])
    for name in tasks:
        while name in world.tasks:
            world.perform(Action("step", name))


def until(world: World, step: str, after: int = 0) -> str:
    """Go on until some task is about to do ``step``, then ``after`` actions more; the task."""
    while True:
        for name, node in world.nodes.items():
            if node.effect is not None and node.effect.step == step:
                for _ in range(after):
                    world.perform(Action("step", name))
                return name
        action = world.default()
        assert action is not None
        assert action.kind != "operate", f"nothing came to {step}"
        world.perform(action)


def steps(world: World, since: int = 0) -> list[str]:
    """The step ids that were done, one word for each stretch of the same."""
    found: list[str] = []
    for entry in world.log[since:]:
        step = entry.before.effect.step if entry.before is not None and entry.before.effect is not None else entry.action.kind
        if not found or found[-1] != step:
            found.append(step)
    return found


def rows(world: World) -> tuple[dict[Any, Any], ...]:
    """Templates, stacks, resources and reality as they are."""
    tables = world.database.rows
    return dict(tables[TEMPLATE]), dict(tables[STACK]), dict(tables[RESOURCE]), dict(world.reality.things)


def done(action: str) -> str:
    return f"Stack {action} completed successfully"


# What is there after the create, written as heat-algorithm.md says it.

STACK_1 = StackRow(
    "S", "T1", "CREATE", "COMPLETE", "t1", deps=Graph(edges=[(("B@T1", U), ("A@T1", U))]), reason=done("CREATE"), credentials="S"
)
A_1 = ResourceRow(
    "A@T1", "A", "S", "CREATE", "COMPLETE", "t1", key=2, physical="A@T1.1", properties=(("p", 1), ("r", 1))
)  # fmt: skip
B_1 = ResourceRow(
    "B@T1", "B", "S", "CREATE", "COMPLETE", "t1", requires=frozenset({"A@T1"}), key=2, physical="B@T1.1",
    properties=(("p", "A@T1.1"),),
)  # fmt: skip
PHYSICAL_A = Physical("A@T1.1", "A@T1", Spec("A", properties=(("p", 1), ("r", 1))), "healthy", (), "T1", "T1")
PHYSICAL_B = Physical(
    "B@T1.1", "B@T1", Spec("B", properties=(("p", "A@T1.1"),), requires=("A@T1.1",)), "healthy", (), "T1", "T1"
)  # fmt: skip
GRAPH_2 = Graph(
    edges=[
        (("B@T1", U), ("A@T1", U)), (("A@T1", C), ("B@T1", C)), (("A@T1", C), ("A@T1", U)), (("B@T1", C), ("B@T1", U)),
    ]
)  # fmt: skip
STACK_2 = STACK_1._replace(
    traversal="T2", action="UPDATE", template="t(T2)", deps=GRAPH_2, updated_at=1, reason=done("UPDATE")
)  # fmt: skip


def things(*physical: Physical) -> dict[str, Physical]:
    return {thing.id: thing for thing in physical}


def by_id(*values: Any) -> dict[str, Any]:
    return {value.id: value for value in values}


# ------------------------------------------------------------------------------------------- the five ways through


def test_create_step_by_step() -> None:
    world = ask(begun())
    assert steps(world) == [
        "operate", "C-1", "C-2", "CV-5", "CV-7", "CV-8",
        "SU-1", "SU-2", "SU-3a", "SU-5", "SU-6", "SU-7", "SU-8",
        "deliver", "W-4", "W-5", "W-8", "LK-1", "RC-4", "LK-4", "SP-1", "SP-3", "PR-4",
        "deliver", "W-4", "W-5", "W-8", "LK-1", "RC-4", "LK-4", "SP-1", "SP-3", "MC-1", "MC-2", "PG-1", "PG-3", "PG-6",
    ]  # fmt: skip
    assert rows(world) == (by_id(TemplateRow("t1", two())), by_id(STACK_1), by_id(A_1, B_1), things(PHYSICAL_A, PHYSICAL_B))
    assert not world.database.rows[SYNC_POINT]


UNCHANGED = (
    by_id(TemplateRow("t(T2)", two())), by_id(STACK_2),
    by_id(A_1._replace(template="t(T2)", key=3), B_1._replace(template="t(T2)", key=3)),
    things(PHYSICAL_A, PHYSICAL_B),
)  # fmt: skip
IN_PLACE = (
    by_id(TemplateRow("t(T2)", two(p=2))), by_id(STACK_2),
    by_id(
        A_1._replace(action="UPDATE", template="t(T2)", key=4, properties=(("p", 2), ("r", 1)), updated_at=1),
        B_1._replace(template="t(T2)", key=3),
    ),
    things(PHYSICAL_A._replace(spec=Spec("A", properties=(("p", 2), ("r", 1))), changed_by="T2"), PHYSICAL_B),
)  # fmt: skip
REPLACED = (
    by_id(TemplateRow("t(T2)", two(r=2))), by_id(STACK_2),
    by_id(
        A_1._replace(  # RP-1; RD-7 takes the link to the old row away and bumps the key
            id="A@T2", template="t(T2)", key=3, physical="A@T2.1", properties=(("p", 1), ("r", 2)), updated_at=1
        ),
        B_1._replace(
            action="UPDATE", template="t(T2)", key=4, requires=frozenset({"A@T2"}), properties=(("p", "A@T2.1"),), updated_at=1
        ),
    ),
    things(
        PHYSICAL_A._replace(
            id="A@T2.1", owner="A@T2", spec=Spec("A", properties=(("p", 1), ("r", 2))), made_by="T2", changed_by="T2"
        ),
        PHYSICAL_B._replace(spec=Spec("B", properties=(("p", "A@T2.1"),), requires=("A@T2.1",)), changed_by="T2"),
    ),
)  # fmt: skip
DELETED: Any = (
    by_id(TemplateRow("t(T2)", EMPTY)),
    by_id(
        STACK_2._replace(action="DELETE", deps=Graph(edges=[(("A@T1", C), ("B@T1", C))]), deleted=True, reason=done("DELETE"), credentials=None)
    ),
    {}, {},
)  # fmt: skip


@pytest.mark.parametrize(
    ("operation", "actions", "accesses", "statements", "expected"),
    [
        (None, 47, 35, 41, None),
        (update(two()), 54, 40, 43, UNCHANGED),
        (update(two(p=2)), 57, 41, 44, IN_PLACE),
        (update(two(r=2)), 76, 53, 60, REPLACED),
        (Operation("delete"), 45, 33, 41, DELETED),
    ],
    ids=["create", "unchanged", "in place", "replacement", "delete"],
)
def test_what_an_operation_costs_and_leaves(
    operation: Operation | None, actions: int, accesses: int, statements: int, expected: Any
) -> None:
    world = begun() if operation is None else begun(operation)
    ask(world)
    since, before = len(world.log), meter(world).total
    if operation is None:
        since, before = 0, before._replace(accesses=0, statements=0)
    else:
        ask(world)
        assert rows(world) == expected
    total = meter(world).total
    assert (len(world.log) - since, total.accesses - before.accesses, total.statements - before.statements) == (
        actions, accesses, statements,
    )  # fmt: skip
    assert not world.database.rows[SYNC_POINT]
    assert world.at_rest


def test_the_ways_through_an_update() -> None:
    shared = ["deliver", "W-4", "W-5", "W-6", "W-8"]
    for operation, expected in (
        (update(two()), [*shared, "RU-6", "SP-1"]),
        (update(two(p=2)), [*shared, "LK-1", "RU-9", "LK-4", "SP-1"]),
        (
            update(two(r=2)),
            [*shared, "LK-1", "LK-4", "RP-2", "RP-6", "deliver", "W-4", "W-5", "W-8", "LK-1", "RC-4", "LK-4", "SP-1"],
        ),
    ):
        world = ask(begun(operation))
        since = len(world.log)
        walked = steps(ask(world), since)
        first = walked.index("deliver")
        assert walked[:first] == [
            "operate", "U-1", "CV-4", "CV-5", "CV-7", "CV-8", "SU-1", "SU-2", "SU-5", "SU-6", "SU-7", "SU-8",
        ]  # fmt: skip
        assert walked[first : first + len(expected)] == expected
        assert walked[-6:] == ["MC-1", "MC-2", "PG-1", "PG-3", "PG-5", "PG-6"]


def test_cleanup_goes_against_the_dependencies() -> None:
    world = ask(begun(Operation("delete")))
    ask(world)
    effects = (entry.before.effect for entry in world.log if entry.before is not None)
    gone = [effect.subject for effect in effects if isinstance(effect, Begin) and effect.operation == "delete"]
    assert gone == ["B@T1.1", "A@T1.1"]
    assert steps(world)[-9:] == ["SP-1", "SP-3", "MC-1", "MC-2", "PG-1", "PG-3", "PG-5", "PG-6", "PG-7"]


# ------------------------------------------------------------------------------------------------ the other operations


def test_check_of_what_is_well() -> None:
    world = ask(ask(begun(Operation("check"))))
    _, stacks, resources, reality = rows(world)
    assert stacks["S"] == STACK_2._replace(action="CHECK", template="t1", reason=done("CHECK"))
    assert resources == by_id(A_1._replace(action="CHECK", key=4), B_1._replace(action="CHECK", key=4))
    assert reality == things(PHYSICAL_A, PHYSICAL_B)


def test_check_of_what_is_not_well_skips_what_depends_on_it() -> None:
    world = ask(begun(Operation("check"), update(two()), sicken=1))
    world.perform(Action("sicken", "A@T1.1"))
    ask(world)
    _, stacks, resources, _ = rows(world)
    assert (stacks["S"].action, stacks["S"].status, stacks["S"].reason) == (
        "CHECK", "FAILED", "Resource CHECK failed: A: CHECK of A: failed"
    )  # fmt: skip
    assert stacks["S"].traversal == "", "PG-2"
    assert resources == by_id(A_1._replace(action="CHECK", status="FAILED", key=4), B_1)
    ask(world)
    _, stacks, resources, reality = rows(world)
    assert (stacks["S"].action, stacks["S"].status) == ("UPDATE", "COMPLETE")
    assert sorted(resources) == ["A@T3", "B@T1"], "RU-5: what is FAILED is replaced"
    assert sorted(reality) == ["A@T3.1", "B@T1.1"]


def test_check_of_a_class_without_a_check_handler() -> None:
    template = Template([resource("A", kind="unchecked")])
    world = World(Heat(), scenario(create(template), Operation("check"), faults={"sicken": 1}))
    ask(world)
    world.perform(Action("sicken", "A@T1.1"))
    since = len(world.log)
    ask(world)
    assert "8.7" in steps(world, since)
    assert "LK-1" not in steps(world, since)
    row = world.database.rows[RESOURCE]["A@T1"]
    assert (row.action, row.status, row.key) == ("CHECK", "COMPLETE", 2)


def test_signal_bumps_the_version_even_of_a_locked_row() -> None:
    world = ask(ask(begun(Operation("signal", resource="A"))))
    assert world.database.rows[RESOURCE] == by_id(A_1._replace(metadata=1, key=3), B_1)
    world = begun(update(two(p=2)), Operation("signal", resource="A"))
    ask(world)
    world.perform(world.operations()[0])
    until(world, "RU-9", after=1)
    ask_first(world, "signal#3")
    step_all(world)
    row = world.database.rows[RESOURCE]["A@T1"]
    assert (row.metadata, row.key, row.engine, row.status) == (1, 4, "E1", "IN_PROGRESS"), "LK-4 lost, and the lock stays"
    assert world.at_rest
    assert world.database.rows[STACK]["S"].status == "IN_PROGRESS"


def test_mark_unhealthy_has_it_replaced_by_the_next_update() -> None:
    world = ask(ask(begun(Operation("mark unhealthy", resource="A"), update(two()))))
    assert world.database.rows[RESOURCE] == by_id(A_1._replace(action="CHECK", status="FAILED", key=4), B_1)
    ask(world)
    assert sorted(world.reality.things) == ["A@T3.1", "B@T1.1"]
    assert world.database.rows[STACK]["S"].status == "COMPLETE"


def test_cancel_leaves_everything_where_it_is() -> None:
    world = ask(begun(update(two(p=2)), Operation("cancel")))
    world.perform(world.operations()[0])
    until(world, "RU-9")
    since = len(world.log)
    ask_first(world, "cancel#3", "cancel(3)")
    assert steps(world, since) == ["operate", "CA-1", "CA-2", "SV-1", "SV-2", "SV-3"]
    since = len(world.log)
    step_all(world)
    assert steps(world, since) == ["RU-9", "LK-4", "SP-1", "PR-7", "SP-1"], "RT finds no sync point"
    templates, stacks, resources, _ = rows(world)
    assert sorted(templates) == ["t(T2)", "t1"]
    assert stacks["S"] == STACK_2._replace(
        traversal="T2x3", status="FAILED", prev_template="t1", reason="Stack UPDATE cancelled"
    )  # fmt: skip
    assert resources == by_id(IN_PLACE[2]["A@T1"], B_1), "what was running has ended in its own time, and nothing came after it"
    assert not world.database.rows[SYNC_POINT]


def test_rollback_by_the_user_reaches_what_was() -> None:
    world = ask(begun(update(two(r=2)), Operation("rollback")))
    world.perform(world.operations()[0])
    until(world, "RC-4")
    ask(world)
    templates, stacks, resources, reality = rows(world)
    assert templates == by_id(TemplateRow("t1", two()))
    stack = stacks["S"]
    assert (stack.action, stack.status, stack.template, stack.prev_template) == ("ROLLBACK", "COMPLETE", "t1", None)
    assert sorted(resources) == ["A@T1", "B@T1"]
    assert resources["A@T1"] == A_1._replace(action="UPDATE", key=6, updated_at=1), "LK-1, LK-4, RP-2, RU-6; RU-3 drops the link"
    assert resources["B@T1"] == B_1._replace(key=3)
    assert reality == things(PHYSICAL_A, PHYSICAL_B)


def test_what_cannot_be_cancelled_is_refused() -> None:
    world = ask(ask(begun(Operation("cancel"), Operation("rollback"))))
    ask(world)
    assert [world.requests[n][:2] for n in (2, 3)] == [("refused", "cannot cancel CREATE COMPLETE")] * 2
    world = begun(Operation("rollback"))
    world.perform(world.operations()[0])
    until(world, "SU-5")
    ask(world)
    assert world.requests[2][:2] == ("refused", "cannot cancel CREATE IN_PROGRESS"), "with rollback only an update"


def test_a_failed_create_rolls_back_to_nothing() -> None:
    world = begun(rollback=True, fail=1)
    world.perform(world.operations()[0])
    world.perform(Action("fail", until(world, "RC-4", after=2)))
    step_all(world)
    templates, stacks, resources, reality = rows(world)
    stack = stacks["S"]
    assert (stack.action, stack.status, stack.rollback) == ("ROLLBACK", "COMPLETE", True)
    assert [row.content for row in templates.values()] == [EMPTY]
    assert not resources
    assert not reality


def test_a_failed_update_rolls_back_to_what_was() -> None:
    world = ask(begun(update(two(p=2), rollback=True), fail=1))
    world.perform(world.operations()[0])
    world.perform(Action("fail", until(world, "RU-9", after=1)))
    step_all(world)
    templates, stacks, resources, reality = rows(world)
    stack = stacks["S"]
    assert (stack.action, stack.status, stack.template) == ("ROLLBACK", "COMPLETE", "t1")
    assert templates == by_id(TemplateRow("t1", two()))
    assert {row.name: (row.status, row.template) for row in resources.values()} == {
        "A": ("COMPLETE", "t1"),
        "B": ("COMPLETE", "t1"),
    }
    assert len(resources) == 2
    assert "A@T1" not in resources, "what has FAILED is replaced, not mended (RU-5)"
    new = next(row.physical for row in resources.values() if row.name == "A")
    assert {thing.name: thing.spec.properties for thing in reality.values()} == {"A": (("p", 1), ("r", 1)), "B": (("p", new),)}


def test_a_failed_update_without_rollback_stays() -> None:
    world = ask(begun(update(two(p=2)), fail=1))
    world.perform(world.operations()[0])
    world.perform(Action("fail", until(world, "RU-9", after=1)))
    step_all(world)
    templates, stacks, resources, _ = rows(world)
    assert sorted(templates) == ["t(T2)", "t1"]
    assert stacks["S"] == STACK_2._replace(traversal="", status="FAILED", prev_template="t1", reason="UPDATE of A: failed")
    assert resources == by_id(A_1._replace(action="UPDATE", status="FAILED", template="t(T2)", key=4, updated_at=1), B_1)
    assert not world.database.rows[SYNC_POINT]


# --------------------------------------------------------------------------------------------------------- time limits


@pytest.mark.parametrize("rollback", [False, True])
def test_a_time_limit_that_is_noticed_when_a_message_arrives(rollback: bool) -> None:
    world = ask(begun(update(two(p=2), timeout=True, rollback=rollback), timeout=1))
    world.perform(world.operations()[0])
    until(world, "CK-1")
    world.perform(Action("timeout", "T2"))
    since = len(world.log)
    step_all(world)
    stack = world.database.rows[STACK]["S"]
    assert world.database.rows[RESOURCE] == by_id(A_1, B_1), "nothing was touched"
    assert not world.database.rows[SYNC_POINT]
    assert (stack.traversal, stack.status) == ("", "FAILED")
    if rollback:
        assert steps(world, since)[:10] == ["CK-1", "MF-1", "RB-2", "RB-3", "CV-5", "CV-7", "MF-1", "PG-1", "PG-3", "PG-6"]
        assert "CV-8" not in steps(world, since), "there is no thread manager at this point"
        assert (stack.action, stack.template, stack.prev_template) == ("ROLLBACK", "t1", "t(T2)")
    else:
        assert steps(world, since) == ["CK-1", "MF-1", "PG-1", "PG-3", "PG-6"]
        assert (stack.action, stack.reason) == ("UPDATE", "Timed out")


def test_a_time_limit_that_runs_out_during_a_physical_operation() -> None:
    world = ask(begun(update(two(p=2), timeout=True), timeout=1))
    world.perform(world.operations()[0])
    until(world, "RU-9", after=1)
    world.perform(Action("timeout", "T2"))
    since = len(world.log)
    step_all(world)
    assert steps(world, since) == ["RU-9", "LK-4", "MF-1", "PG-1", "PG-3", "PG-6"]
    after = world.log[since].after
    assert after is not None
    assert after.result == "timed out"
    assert world.database.rows[RESOURCE]["A@T1"] == A_1._replace(
        action="UPDATE", status="FAILED", template="t(T2)", key=4, updated_at=1
    )  # fmt: skip
    assert world.database.rows[STACK]["S"].reason == "Timed out"


# -------------------------------------------------------------------------------------------------------- dead engines


def test_nobody_wakes_what_a_dead_engine_has_left() -> None:
    world = ask(begun(update(two(p=2)), crash=1))
    world.perform(world.operations()[0])
    until(world, "RU-9", after=1)
    world.perform(Action("crash", "E1"))
    step_all(world)
    assert world.at_rest
    row = world.database.rows[RESOURCE]["A@T1"]
    assert (row.engine, row.action, row.status, row.template) == ("E1", "UPDATE", "IN_PROGRESS", "t1")
    assert world.database.rows[STACK]["S"].status == "IN_PROGRESS"
    assert len(world.database.rows[SYNC_POINT]) == 5
    assert world.reality.things["A@T1.1"].spec.properties == (("p", 2), ("r", 1)), "the operation went on without it"


def test_the_next_update_takes_the_lock_of_a_dead_engine_away() -> None:
    world = ask(begun(update(two(p=2)), update(two(p=3)), crash=1))
    world.perform(world.operations()[0])
    until(world, "RU-9", after=1)
    world.perform(Action("crash", "E1"))
    step_all(world)
    since = len(world.log)
    ask(world)
    walked = steps(world, since)
    first = walked.index("LK-1")
    assert walked[first : first + 10] == [
        "LK-1", "LK-2", "LK-1", "LK-2", "LK-1", "UP-1", "UP-2", "UP-2a", "UP-2b", "UP-4",
    ]  # fmt: skip
    assert "RP-2" in walked, "what has FAILED is replaced"
    templates, stacks, resources, reality = rows(world)
    assert (stacks["S"].action, stacks["S"].status, stacks["S"].traversal) == ("UPDATE", "COMPLETE", "T3")
    assert templates == by_id(TemplateRow("t(T3)", two(p=3)))
    assert sorted(resources) == ["A@T3", "B@T1"]
    assert all(row.engine is None and row.status == "COMPLETE" for row in resources.values())
    assert sorted(reality) == ["A@T3.1", "B@T1.1"]
