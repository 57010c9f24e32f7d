"""What lockstep with the engine showed to be wrong in the model: each correction in the smallest scenario that shows it, on both sides."""

from __future__ import annotations

import pytest

from heatproof.model.designs.heat.values import NOTHING, RESOURCE, STACK, SYNC_POINT
from heatproof.model.scenario import Operation, Scenario, create, scenario, update
from heatproof.model.templates import Attr, Ref, ResourceDef, Template, resource
from heatproof.ports.heat import installation

if reason := installation.why_not():
    pytest.skip(f"the real engine is not here: {reason}", allow_module_level=True)

from heatproof.conform_command import asked
from heatproof.ports.heat.conformance.comparing import accesses_differ, run
from heatproof.ports.heat.conformance.lockstep import Lockstep
from heatproof.strategies.running import Plan

ONE = Template([resource("A")])
TWO = Template([resource("A", {"p": 1}), resource("B", {"p": Ref("A")})])


class Walk:
    """Both sides, led by hand: every action must leave them alike."""

    def __init__(self, drawn: Scenario):
        self.both = Lockstep(drawn, asked())
        self.rows = self.both.model.world.database.rows

    def do(self, kind: str, about: str) -> None:
        """The action of this kind about this subject, in the first engine that can do it."""
        found = [a for a in self.both.world.actions() if a.kind == kind and a.subject == about]
        assert found, f"{kind} {about} is not possible; possible are {', '.join(map(str, self.both.world.actions()))}"
        assert self.both.perform(found[0]) is None, self.both.difference

    def go(self, task: str, step: str = "", times: int = 1) -> None:
        """Let a task go on until it stands before a step, for the ``times``-th time from here; without one until it has ended."""
        while task in self.both.world.nodes:
            if step and self.both.world.nodes[task].effect.step == step:
                times -= 1
                if not times:
                    return
            self.do("step", task)
        assert not step, f"{task} has ended and never stood before {step}"

    def rest(self) -> None:
        """Everything else in the default order."""
        while actions := self.both.world.progress():
            assert self.both.perform(actions[0]) is None, self.both.difference
        assert self.both.rest() is None, self.both.difference


def test_a_set_up_that_has_completed_the_traversal_does_not_fail_it() -> None:
    """SU-9 is only for a stack that is IN_PROGRESS: here a delete of a stack without rows completes within its set-up, a set-up that it
    has overtaken inserts a row, and PG-5 cannot delete the template of that row."""
    walk = Walk(scenario(create(ONE), Operation("delete"), threads=4))
    walk.do("operate", "create#1")
    walk.go("create#1")
    walk.go("set up(T1)", "SU-3a")
    walk.do("operate", "delete#2")
    walk.go("delete#2")
    walk.go("set up(T2)", "SU-5")
    walk.go("set up(T1)")
    walk.go("set up(T2)")
    walk.rest()
    stack = walk.rows[STACK]["S"]
    assert (stack.action, stack.status, stack.deleted) == ("DELETE", "COMPLETE", False)
    assert "A@T1" in walk.rows[RESOURCE]


@pytest.mark.parametrize(("dropped", "points"), [("D", 0), ("0", 3), ("", 2)])
def test_where_a_cycle_is_met(dropped: str, points: int) -> None:
    """Heat looks for an update node by sorting the graph that is there so far, so that a row without one meets a cycle of the rows before it,
    before the graph is stored (SU-5). Otherwise the cycle is met while sync points are inserted, after those of the nodes before it."""
    more = [resource(dropped)] if dropped else []
    first = Template([resource("A", {"p": 0}), resource("C", {"p": Attr("A", "p")}, {"r": 0}), *more])
    second = Template([resource("A", {"p": Attr("C", "r"), "q": 1}), resource("C", {"p": 0}, {"r": 0}), *more])
    third = Template([resource("A", {"p": 0}), resource("C", {"p": Attr("A", "p")}, {"r": 0})])
    both, end = run(scenario(create(first), update(second), update(third)), Plan("fifo", 0, 0.0), asked())
    assert (both.difference, end) == (None, "rest")
    rows = both.model.world.database.rows
    assert rows[RESOURCE]["A@T1"].requires == {"C@T1"}
    assert rows[RESOURCE]["C@T1"].requires == {"A@T1"}, "RU-6 leaves it as it is"
    stack = rows[STACK]["S"]
    assert (stack.action, stack.status, stack.reason) == ("UPDATE", "FAILED", "the graph has a cycle")
    inserted = [e for e in both.model.world.log if e.before is not None and e.before.effect.step == "SU-6"]
    assert sum("T3" in str(e.action) for e in inserted) == points
    assert not rows[SYNC_POINT]


def test_marking_unhealthy_releases_the_lock_after_a_database_error() -> None:
    """8.3: whatever is raised under the lock."""
    walk = Walk(scenario(create(TWO), Operation("mark unhealthy", resource="B"), faults={"abort": 1}))
    walk.do("operate", "create#1")
    walk.rest()
    walk.do("operate", "mark unhealthy#2")
    walk.go("mark unhealthy#2", "8.3", 4)
    assert walk.rows[RESOURCE]["B@T1"].engine is not None
    walk.do("abort", "mark unhealthy#2")
    walk.rest()
    row = walk.rows[RESOURCE]["B@T1"]
    assert (row.engine, row.action, row.status) == (None, "CREATE", "COMPLETE")


@pytest.mark.parametrize(
    ("definition", "created", "answer"),
    [
        (resource("B", {"p": 1}), False, "refused"),
        (resource("B", {"p": 1}, depends_on=["A"]), False, "refused"),
        (resource("B", {"p": Ref("A")}), False, "escaped"),
        (resource("B", {"p": Attr("A", "p")}), False, "escaped"),
        (resource("B", {"p": Attr("A", "p")}), True, "accepted"),
    ],
)
def test_a_signal_for_a_resource_that_the_template_has_no_more(definition: ResourceDef, created: bool, answer: str) -> None:
    """8.1: Heat keeps no stack definition for it, so that properties that were never stored and refer to others cannot be told."""
    one = resource("A", {"p": 1})
    asked_for = Operation("signal", resource="B")
    walk = Walk(scenario(create(Template([one, definition])), update(Template([one])), asked_for, threads=4))
    walk.do("operate", "create#1")
    walk.go("create#1")
    if created:
        walk.rest()
    else:
        walk.go("set up(T1)")
    walk.do("operate", "update#2")
    walk.go("update#2")
    walk.do("operate", "signal#3")
    walk.go("signal#3")
    assert walk.both.model.world.requests[3][0] == answer
    assert walk.rows[RESOURCE]["B@T1"].metadata == (answer == "accepted")


def test_a_connection_is_lost_after_the_commit_only_of_what_is_committed() -> None:
    """An insert that is tried again after its commit is refused, also where the connection would be lost once more."""
    walk = Walk(scenario(create(ONE), faults={"disconnect": 2}))
    walk.do("operate", "create#1")
    walk.go("create#1")
    walk.go("set up(T1)", "SU-6")
    walk.do("disconnect", "set up(T1)")
    assert walk.both.world.nodes["set up(T1)"].effect.step == "SU-6"
    walk.do("disconnect", "set up(T1)")
    assert walk.both.world.nodes["set up(T1)"].effect.step == "MF-1"
    walk.rest()
    assert walk.rows[STACK]["S"].status == "FAILED"


def reading(value: Ref | Attr | int, **properties: int) -> Template:
    """A with these properties, and B with one of this value."""
    return Template([resource("A", properties), resource("B", {"p": value}, depends_on=["A"])])


def test_attributes_that_somebody_else_has_cached_first_stay() -> None:
    """PR-5 expects the attributes of the row as its worker knows them, which has taken over a version (LK-2) and nothing else."""
    walk = Walk(scenario(create(reading(0, p=1)), update(reading(Attr("A", "p"), p=2)), threads=4, faults={"duplicate": 1}))
    walk.do("operate", "create#1")
    walk.rest()
    walk.do("operate", "update#2")
    walk.go("update#2")
    walk.go("set up(T2)")
    check = "check(A@T1, U, T2)"
    walk.do("duplicate", check)
    for task in (check, f"{check}#2"):
        walk.do("deliver", task)
        walk.go(task, "W-5")
    walk.go(check)
    cached = walk.rows[RESOURCE]["A@T1"]
    assert cached.attributes == (("p", 2),)
    walk.go(f"{check}#2", "LK-2")
    walk.go(f"{check}#2", "PR-5")
    released = walk.rows[RESOURCE]["A@T1"]
    assert released.key == cached.key + 2
    walk.do("step", f"{check}#2")
    assert walk.rows[RESOURCE]["A@T1"] == released
    walk.rest()


@pytest.mark.parametrize("signalled", [False, True])
def test_attributes_that_were_forgotten_are_written_where_they_stand(signalled: bool) -> None:
    """A CHECK forgets attributes; where nobody reads them any more it stores that it knows none. Who reads them again writes that anew
    before the row is looked at (PR-5a), also where the row has another version by then."""
    later = [Operation("check"), update(reading(Attr("A", "p"), p=1)), Operation("signal", resource="A")]
    walk = Walk(scenario(create(reading(Attr("A", "p"), p=1)), update(reading(0, p=1)), *later, threads=4))
    for operation, attributes in (("create#1", (("p", 1),)), ("update#2", (("p", 1),)), ("check#3", NOTHING)):
        walk.do("operate", operation)
        walk.rest()
        assert walk.rows[RESOURCE]["A@T1"].attributes == attributes
    walk.do("operate", "update#4")
    walk.go("update#4")
    walk.go("set up(T4)")
    check = "check(A@T1, U, T4)"
    walk.do("deliver", check)
    walk.go(check, "PR-5")
    before = walk.rows[RESOURCE]["A@T1"]
    assert before.attributes == (("p", 1),)
    if signalled:
        walk.do("operate", "signal#5")
        walk.go("signal#5", "8.1", 4)
        walk.go("signal#5")
    walk.go(check)
    after = walk.rows[RESOURCE]["A@T1"]
    assert (after.attributes, after.key - before.key) == (before.attributes, 1)
    walk.rest()


def test_the_limit_that_cached_attributes_are_told_by_their_values() -> None:
    """A limit, named in correspondence.MODEL_ALONE (PR-5a). A worker that knows no attributes of a row that has some stored looks whether
    they still stand there. While it stood still, three operations have forgotten them, learned others, and stored anew that none are known:
    the model takes these for those that its worker has read and writes over them; on the engine they have another id and stay."""
    reads, does_not = (reading(value, p=1) for value in (Attr("A", "p"), 0))
    changed = [update(reading(value, p=2)) for value in (Attr("A", "p"), 0)]
    check = Operation("check")
    walk = Walk(scenario(create(reads), update(does_not), check, update(reads), *changed, check, threads=8))
    for operation in ("create#1", "update#2", "check#3"):
        walk.do("operate", operation)
        walk.rest()
    late = "check(A@T1, U, T4)"
    walk.do("operate", "update#4")
    walk.go("update#4")
    walk.go("set up(T4)")
    walk.do("deliver", late)
    walk.go(late, "PR-4")
    for number, attributes in ((5, (("p", 2),)), (6, (("p", 2),)), (7, NOTHING)):
        walk.do("operate", f"{walk.both.scenario.operations[number - 1].kind}#{number}")
        while actions := [a for a in walk.both.world.progress() if a.subject != late]:
            assert walk.both.perform(actions[0]) is None, walk.both.difference
        assert walk.rows[RESOURCE]["A@T1"].attributes == attributes
    with pytest.raises(AssertionError):
        walk.go(late)
    parted = walk.both.difference
    assert parted is not None
    assert (parted.kind, parted.subject) == ("rows", "attributes of resource A@T1")
    assert (parted.model, parted.engine) == ("(('p', 1),)", str(NOTHING))


def test_attributes_of_a_thing_without_properties_are_known() -> None:
    """They are cached like others: the second check does not look again (PR-2)."""
    reads = reading(Attr("A", "p"))
    both, end = run(scenario(create(reads), Operation("signal", resource="A"), update(reads)), Plan("fifo", 0, 0.0), asked())
    assert (both.difference, end) == (None, "rest")
    assert both.model.world.database.rows[RESOURCE]["A@T1"].attributes == ()
    looks = [e for e in both.model.world.log if e.before is not None and e.before.effect.step == "PR-2"]
    assert len(looks) == 1


def test_a_stack_that_is_deleted_while_it_is_created() -> None:
    """C-2: whatever goes wrong while the stack's project is stored is to mark the stack as failed, which is looked for first."""
    walk = Walk(scenario(create(ONE), Operation("delete"), threads=4))
    walk.do("operate", "create#1")
    walk.go("create#1", "C-2")
    walk.do("operate", "delete#2")
    walk.go("delete#2")
    walk.go("set up(T2)")
    assert walk.rows[STACK]["S"].deleted
    walk.do("step", "create#1")
    assert walk.both.world.nodes["create#1"].effect.step == "C-2"
    walk.rest()
    assert walk.both.model.world.requests[1][0] == "refused"


def test_a_write_that_a_foreign_key_refuses_is_counted() -> None:
    """A set-up writes a row anew where it stands (SU-3b), whose template a rollback has deleted: the statement is sent and refused."""
    one, other = (Template([resource("A", {"p": 1}, kind=kind)]) for kind in ("plain", "other"))
    walk = Walk(scenario(create(one), update(other), Operation("rollback"), Operation("cancel")))
    for kind, about, times in (
        ("operate", "create#1", 1), ("step", "create#1", 7), ("step", "set up(T1)", 1), ("operate", "update#2", 1),
        ("step", "update#2", 5), ("step", "set up(T2)", 3), ("operate", "rollback#3", 1), ("step", "set up(T2)", 4),
        ("deliver", "check(A@T2, U, T2)", 1), ("step", "check(A@T2, U, T2)", 15), ("step", "set up(T1)", 2),
    ):  # fmt: skip
        for _ in range(times):
            walk.do(kind, about)
    assert walk.both.world.nodes["set up(T1)"].effect.step == "MF-1"
    assert accesses_differ(walk.both) is None


def test_the_limit_that_a_row_has_no_reason() -> None:
    """A limit: marking a resource unhealthy that a CHECK has found to be so changes nothing but a text, which the model does not have."""
    walk = Walk(scenario(create(ONE), Operation("check"), Operation("mark unhealthy", resource="A"), faults={"vanish": 1}))
    for kind, about in (("operate", "create#1"), ("vanish", "A@T1.1"), ("operate", "check#2"), ("operate", "mark unhealthy#3")):
        walk.do(kind, about)
        walk.rest()
    parted = accesses_differ(walk.both)
    assert parted is not None
    assert (parted.subject, parted.model, parted.engine) == (
        "updates of resource for operation 3",
        "0 with 0 rows",
        "1 with 1 rows",
    )
