"""What a user may count on once an operation was accepted: each of these properties can fail, and on Heat the same run is well.

What they let pass is here too: what breaks after a look, what was stopped, what a check has found well again.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from heatproof.model import catalogue
from heatproof.model.errors import HeatproofError
from heatproof.model.scenario import Operation, Scenario, create, scenario, update
from heatproof.model.templates import resource
from heatproof.model.world import Action
from heatproof.properties.accepted import ACCEPTED, ACCEPTED_AT_REST
from heatproof.properties.base import Property
from heatproof.properties.catalogue import ALL
from heatproof.strategies.asked import names_for, properties_for
from heatproof.strategies.running import Driver

A, B = resource("A", {"p": 1}), resource("B", {"p": 1}, depends_on=["A"])
CHANGED, BAD = resource("A", {"p": 2}), resource("A", {"p": 2}, fails=["update"])
CHECK, CANCEL, DELETE = Operation("check"), Operation("cancel"), Operation("delete")
MARK, SIGNAL = Operation("mark unhealthy", resource="A"), Operation("signal", resource="A")


REASON = "failed only for a reason"


def driver(spec: str, given: Scenario) -> Driver:
    """A run that is asked what these properties ask."""
    return Driver(catalogue.load(spec), given, [*ACCEPTED, *ACCEPTED_AT_REST, ALL[REASON]])


def go_on(made: Driver, until: str = "") -> None:
    """Go on by default: to the end, or until the operation of that label has begun and everything before it has come to rest."""
    while (action := made.world.default()) is not None and action.subject != until:
        made.perform(action)


def answered(made: Driver) -> set[tuple[str, str]]:
    """Go on to the end; what was violated."""
    go_on(made)
    made.rest()
    return set(made.monitor.violations)


def broken(spec: str, *operations: Operation, faults: Sequence[tuple[str, str]] = ()) -> set[tuple[str, str]]:
    """What is violated by default, where before the last operation these faults strike these subjects."""
    budget = {kind: 1 for kind, _ in faults}
    made = driver(spec, scenario(*operations, engines=1, threads=1, faults=budget))
    if faults:
        go_on(made, f"{operations[-1].kind}#{len(operations)}")
    for kind, subject in faults:
        made.perform(Action(kind, subject))
    return answered(made)


FOUND = ("rest: what a check found is heeded", "taken for well")
CHECKED, OWED = "a check vouches for what it saw", "rest: a failure is rolled back"
VIOLATED: dict[str, tuple[str, tuple[Operation, ...], tuple[tuple[str, str], ...], tuple[str, str]]] = {
    "a failure that a check found": ("check-failures-dropped", (create([A, B]), CHECK), (("sicken", "A@T1.1"),), (CHECKED, "found not well")),
    "what is gone": ("check-failures-dropped", (create([A, B]), CHECK), (("vanish", "A@T1.1"),), (CHECKED, "not there")),
    "what nobody looked at": ("check-without-a-look", (create([A]), CHECK), (), (CHECKED, "not looked at")),
    "an update that failed": ("rollback-switch-ignored", (create([A]), update([BAD], rollback=True)), (), (OWED, "UPDATE not rolled back")),
    "a create that failed": (
        "rollback-switch-ignored", (create([resource("A", {"p": 1}, fails=["create"])], rollback=True),), (), (OWED, "CREATE not rolled back")
    ),
    "a rollback": (
        "rollback-unasked", (create([A]), update([BAD])), (), ("a rollback was asked for", "nobody asked for a rollback")
    ),
    "what a check found": ("check-failure-not-recorded", (create([A]), CHECK), (("sicken", "A@T1.1"),), FOUND),
    "what a check found changed": ("check-failure-not-recorded", (create([A]), CHECK), (("change", "A@T1.1"),), FOUND),
    "a delete that nobody stops": ("delete-stops-itself", (create([A, B]), DELETE), (), (REASON, "stack DELETE FAILED")),
    "a delete behind what failed": ("delete-stops-itself", (create([A]), update([BAD]), DELETE), (), (REASON, "stack DELETE FAILED")),
    "a mark": ("mark-not-written", (create([A]), MARK), (), ("a mark is written", "mark without effect")),
    "a mark before an update": ("marked-updated-in-place", (create([A]), MARK, update([CHANGED])), (), ("rest: a mark is heeded", "taken for well")),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(VIOLATED))
def test_each_can_fail(name: str) -> None:
    mutation, operations, faults, expected = VIOLATED[name]
    assert expected in broken(f"heat+{mutation}", *operations, faults=faults)
    assert broken("heat", *operations, faults=faults) == set()


def test_one_of_two_signals_can_be_lost() -> None:
    """A66: both read before either writes."""
    answers = []
    for spec in ("heat+deployment-metadata-lost-update", "heat"):
        made = driver(spec, scenario(create([A]), SIGNAL, SIGNAL, engines=1, threads=1))
        go_on(made, "signal#2")
        for action in (Action("operate", "signal#2", "E1"), Action("operate", "signal#3", "E1")):
            made.perform(action)
        for signal in ("signal#2", "signal#3"):
            while "metadata" not in str(made.world.next_access(Action("step", signal))):
                made.perform(Action("step", signal))
        answers.append(answered(made))
    assert answers == [{("a signal is written", "signal without effect")}, set()]


def stopped(spec: str, stop: Operation, *after: Operation) -> tuple[str, set[tuple[str, str]]]:
    """How an update ends that is stopped when its set-up is to begin, and what is violated."""
    made = driver(spec, scenario(create([A]), update([CHANGED]), stop, *after, engines=1, threads=1))
    go_on(made, "update#2")
    while (made.observation.stacks["S"].action, len(made.world.tasks)) != ("UPDATE", 1):
        made.perform(made.world.default() or Action("", ""))
    made.perform(Action("operate", f"{stop.kind}#3", "E1"))
    found = answered(made)
    return f"{made.observation.stacks['S'].action} {made.observation.stacks['S'].status}", found


ROLLBACK = Operation("rollback")


def test_a_rollback_that_nobody_stops_does_not_fail() -> None:
    """What it is asked to stop is none of its own."""
    assert stopped("heat", ROLLBACK) == ("ROLLBACK COMPLETE", set())
    assert stopped("heat+rollback-to-the-goal", ROLLBACK) == ("ROLLBACK FAILED", {(REASON, "stack ROLLBACK FAILED")})


@pytest.mark.parametrize(("spec", "reached"), [("heat", {"delete completed"}), ("heat+delete-stops-itself", set())])
def test_whether_a_delete_completes_is_told(spec: str, reached: set[str]) -> None:
    asked = [ALL["delete completed"], ALL["rollback completed"]]
    made = Driver(catalogue.load(spec), scenario(create([A]), DELETE, engines=1, threads=1), asked)
    go_on(made)
    assert made.monitor.reached == reached


def test_whether_a_rollback_completes_is_told() -> None:
    asked = [ALL["delete completed"], ALL["rollback completed"]]
    made = Driver(catalogue.load("heat"), scenario(create([A]), update([BAD], rollback=True), engines=1, threads=1), asked)
    go_on(made)
    assert made.monitor.reached == {"rollback completed"}


def test_what_is_over_stops_nothing() -> None:
    """The cancel is a reason for the update, and none for a delete after it."""
    assert stopped("heat", CANCEL) == ("UPDATE FAILED", set())
    assert stopped("heat", CANCEL, DELETE) == ("DELETE COMPLETE", set())
    assert stopped("heat+delete-stops-itself", CANCEL, DELETE) == ("DELETE FAILED", {(REASON, "stack DELETE FAILED")})


# ------------------------------------------------------------------------------------------------ what they let pass


def test_what_breaks_after_the_look_is_excused() -> None:
    made = driver("heat", scenario(create([A, B]), CHECK, engines=1, threads=1, faults={"sicken": 1}))
    go_on(made, "check#2")
    while not made.observation.memory.get(("looks", "S")):
        made.perform(made.world.default() or Action("", ""))
    made.perform(Action("sicken", "A@T1.1"))
    assert answered(made) == set()
    assert (made.observation.stacks["S"].action, made.observation.stacks["S"].status) == ("CHECK", "COMPLETE")


def test_what_is_well_again_is_not_asked_for() -> None:
    """Replaced by the update; and found well by the check after it."""
    made = driver("heat", scenario(create([A]), CHECK, update([CHANGED]), CHECK, engines=1, threads=1, faults={"sicken": 1}))
    go_on(made, "check#2")
    made.perform(Action("sicken", "A@T1.1"))
    assert answered(made) == set()
    assert [row.physical for row in made.observation.resources.values()] == ["A@T3.1"]


def test_a_delete_that_is_defined_to_fail_may() -> None:
    assert broken("heat", create([resource("A", {"p": 1}, fails=["delete"])]), DELETE) == set()


def test_a_delete_may_stop_another() -> None:
    made = driver("heat", scenario(create([A, B]), DELETE, DELETE, engines=1, threads=1))
    go_on(made, "delete#2")
    made.perform(Action("operate", "delete#2", "E1"))
    while made.observation.stacks["S"].action != "DELETE":
        made.perform(Action("step", "delete#2"))
    made.perform(Action("operate", "delete#3", "E1"))
    while "FAILED" not in made.observation.stacks["S"].status:
        made.perform(Action("step", "delete#3"))
    assert answered(made) == set()


def test_a_class_that_cannot_be_looked_at_is_believed() -> None:
    believed = create([resource("A", {"p": 1}, kind="unchecked")])
    assert broken("heat", believed, CHECK) == set()
    assert broken("heat", believed, MARK, CHECK) == set()


@pytest.mark.parametrize("stop", [CANCEL, DELETE], ids=str)
def test_what_a_user_stopped_is_not_rolled_back(stop: Operation) -> None:
    made = driver("heat", scenario(create([A]), update([CHANGED], rollback=True), stop, engines=1, threads=1))
    go_on(made, "update#2")
    while (made.observation.stacks["S"].action, len(made.world.tasks)) != ("UPDATE", 1):
        made.perform(made.world.default() or Action("", ""))
    made.perform(Action("operate", f"{stop.kind}#3", "E1"))
    assert answered(made) == set()


def test_what_a_check_finds_well_is_not_marked_any_more() -> None:
    assert broken("heat", create([A]), MARK, CHECK) == set()
    assert ("rest: a mark is heeded", "taken for well") in broken("heat+check-without-a-look", create([A]), MARK, CHECK)


def test_two_updates_to_the_same_that_differ_in_whether_they_roll_back_cannot_be_told_apart() -> None:
    made = driver("heat", scenario(create([A]), update([BAD]), update([BAD], rollback=True), engines=1, threads=1))
    go_on(made, "update#2")
    made.perform(Action("operate", "update#2", "E1"))
    made.perform(Action("operate", "update#3", "E1"))
    made.perform(Action("step", "update#3"))
    assert answered(made) == set()
    assert made.observation.memory["owners", "S"] == (2, 3)
    assert (made.observation.stacks["S"].action, made.observation.stacks["S"].status) == ("UPDATE", "FAILED")


# --------------------------------------------------------------------------------------------------- asked alone


@pytest.mark.parametrize("prop", [p for p in ALL.values() if p.needs], ids=lambda prop: prop.name)
def test_whose_notes_a_property_needs_is_asked_with_it(prop: Property) -> None:
    assert {p.name for p in properties_for("heat", [prop.name])} == {prop.name, *prop.needs}
    with pytest.raises(HeatproofError, match="leave both out, or neither"):
        names_for("heat", (), prop.needs)
    assert names_for("heat", (), (prop.name,))


def test_asked_alone_a_property_says_the_same() -> None:
    """Without the notes of another one it said in each run that the operation had no effect."""
    asked = scenario(create([A]), update([CHANGED]), engines=1, threads=1)
    for name in (p.name for p in ALL.values() if p.needs):
        made = Driver(catalogue.load("heat"), asked, properties_for("heat", [name]))
        assert answered(made) == set()
