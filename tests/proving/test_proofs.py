"""What an exhaustive search says of each property, and that an ordinary world says the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from heatproof import proving
from heatproof.model.design import Design
from heatproof.model.effects import Handler, Me, Read, Update
from heatproof.model.scenario import Operation, Scenario, create, scenario, update
from heatproof.model.templates import resource
from heatproof.properties.base import Property, always, seen, sometimes, witness
from heatproof.properties.catalogue import ALL, REST_IS_REACHED
from heatproof.properties.costs import at_most
from heatproof.reports.proofs import comes_again, failure_of, lines, summary
from heatproof.strategies.asked import properties_for
from heatproof.strategies.proving import graph, storage
from heatproof.strategies.proving import proofs as proofs_module
from heatproof.strategies.proving.circles import Circles
from heatproof.strategies.proving.least import least
from heatproof.strategies.proving.proofs import Found, Live, Loose, Proof, Proofs, excuses, prove
from heatproof.strategies.running import Driver, Plan, run
from heatproof.strategies.schedules import record
from heatproof.strategies.shrinking import Failure
from tests.model.toys import ACCOUNT, asking
from tests.proving.test_costs import CHEAP_THEN_DEAR
from tests.strategies.test_shrinking_polls import hold, patience, wait
from tests.toys import ADDING, AWAITING, HEAT, SPINNING, seen_toy, sending, small, sum_is_two

READS, NEVER = seen("reads", "It reads.", ("A-1", "")), seen("never", "It never does.", ("Z-9", ""))


def added(*proofs: Proof, expected: int = 0) -> Proofs:
    found = Proofs(expected or len(proofs))
    for proof in proofs:
        found.add(proof)
    return found


def lost_update() -> Proof:
    return prove(ADDING, asking(engines=2, threads=1), [sum_is_two, REST_IS_REACHED, NEVER])


def test_a_violation_is_shown_by_an_ordinary_world_in_as_many_steps() -> None:
    proof = lost_update()
    assert set(proof.violations) == {("sum", "sum is 1")}
    found = proof.violations["sum", "sum is 1"]
    failure = failure_of(ADDING, [sum_is_two], found, ("sum", "sum is 1"))
    assert failure.violation.step == len(found.actions) <= proof.depth + 1
    assert failure.violation.witness.kind == "sum is 1"


def test_a_search_that_is_mistaken_is_not_believed() -> None:
    found = lost_update().violations["sum", "sum is 1"]
    wrong = found._replace(actions=found.actions[:-1])
    with pytest.raises(ValueError, match="does not show it"):
        failure_of(ADDING, [sum_is_two], wrong, ("sum", "sum is 1"))


def test_verdicts() -> None:
    proofs = added(lost_update())
    verdicts = {line.name: (line.verdict, line.basis) for line in lines([sum_is_two, NEVER], proofs, (), frozenset())}
    steps = len(proofs.violations["sum", "sum is 1"].actions)
    assert verdicts == {"sum": ("violated", f"{steps} steps"), "never": ("not reached", f"{proofs.states:,} states")}


@pytest.mark.parametrize("front", ["", "front"])
@pytest.mark.parametrize("engines", [1, 2])
@pytest.mark.parametrize(("aspect", "new"), [("request", None), ("account", 0), ("account", 1)])
def test_steps_to_a_situation_and_to_a_violation_are_counted_alike(aspect: str, new: Any, engines: int, front: str) -> None:
    """Also where the first action, the only one possible, shows them."""

    def shows(_observation: Any, change: Any) -> bool:
        return new is None or change.new.value == new

    design = type("Front", (type(ADDING),), {"front": front})()
    situation = sometimes("situation", "It comes to that.", aspect)(shows)
    violated = always("violated", "It does not.", aspect)(lambda *seen: witness("so") if shows(*seen) else None)
    proof = prove(design, asking(engines=engines, threads=1), [situation, violated])
    steps = len(proof.violations["violated", "so"].actions)
    assert proof.reached == {"situation": steps}
    assert (steps == 1) is (aspect == "request")
    table = lines([situation, violated], added(proof), (), frozenset())
    assert [line.basis for line in table] == [f"{steps} step{'s' * (steps > 1)}"] * 2


def test_what_is_cut_is_incomplete_and_says_how_much_was_seen() -> None:
    asked: list[Live] = []

    def go_on(live: Live) -> str:
        asked.append(live)
        return "enough" if live.states > 20 else ""

    proof = prove(HEAT, small(), properties_for("heat"), go_on=go_on, label="one")
    proofs = added(proof)
    assert not proof.complete
    assert proof.cut == "enough"
    assert asked[-1].states == proof.states
    assert proof.waiting > 0
    table = lines(properties_for("heat"), proofs, (), frozenset())
    assert {line.verdict for line in table} <= {"incomplete", "reached", "not asked"}
    told = summary(proofs, "enough")
    learning = Proofs(1, loose=[Loose(0, "one", "enough", 0, 0, 0)])
    assert summary(learning, "enough")[2] == (
        "Cut: one: enough after 0 states, at depth 0, while it was learning what it goes by, before it began (or began anew)."
    )
    assert any(f"Cut: one: enough after {proof.states:,} states" in line for line in told)


def test_what_was_not_begun_is_not_held() -> None:
    whole = prove(ADDING, asking(engines=1, threads=1), [ALL["rest: no operation hangs"]])
    proofs = added(whole, expected=3)
    assert not proofs.whole
    assert {line.verdict for line in lines([sum_is_two, NEVER], proofs, (), frozenset())} == {"incomplete"}
    assert summary(proofs, "the time budget was used")[-1] == "Not gone through: 2 scenarios; the time budget was used."


def test_the_shortest_of_several_scenarios_stays_whatever_the_order() -> None:
    proofs = [
        prove(ADDING, asking(engines=engines, threads=2), [sum_is_two], number=number)
        for number, engines in ((0, 1), (1, 2), (2, 1))
    ]
    forth, back = added(*proofs), added(*reversed(proofs))
    assert forth.violations == back.violations
    assert forth.violated == back.violated
    assert forth.violations["sum", "sum is 1"].number == 0


STARTED = sometimes("started", "It begins.", "account")(lambda *_: True)


def test_another_scenario_may_have_a_shorter_run_until_it_is_searched() -> None:
    first = prove(ADDING, asking(engines=1, threads=2), [sum_is_two, STARTED])
    rest = replace(first, number=1)
    cut = replace(rest, complete=False, cut="enough", violations={}, reached={})
    for others, before, in_all in (
        ([rest], "", "2 of 2"),
        ([cut], "at most ", "at least 1 of 2"),
        ([], "at most ", "at least 1 of 2"),
    ):
        violated, *_, reached = lines([sum_is_two, STARTED], added(first, *others, expected=2), (), frozenset())
        assert violated.basis == f"{before}{len(first.violations['sum', 'sum is 1'].actions)} steps"
        assert violated.detail == f"sum is 1, in {in_all} scenarios"
        assert reached.basis == f"{before}{first.reached[STARTED.name]} steps"
    (line, *_) = lines([sum_is_two], added(replace(first, complete=False)), (), frozenset())
    assert not line.basis.startswith("at most"), "a search goes by levels"


def test_a_longer_way_does_not_replace_a_shorter_one() -> None:
    proof = lost_update()
    (key, found), *_ = proof.violations.items()
    longer = replace(proof, violations={key: Found(found.scenario, found.actions * 2, found.witness, -1)})
    assert added(longer, proof).violations[key] == found


def test_faults_that_excuse_are_named() -> None:
    prop = ALL["rest: no operation hangs"]
    assert excuses(prop, ("crash", "vanish"), frozenset()) == ["crash"]
    assert excuses(prop, ("crash",), frozenset({"crash"})) == []
    (line,) = lines([prop], Proofs(0), {"crash"}, frozenset())
    assert line.detail.endswith("(Not asked of what comes after: crash.)")


def test_partial_order_reduction_finds_the_same_and_the_shortest_ways_are_found_again() -> None:
    given = scenario(*small().operations, Operation("cancel"), engines=2, threads=1)
    properties = [p for p in properties_for("heat") if p != REST_IS_REACHED]
    plain, reduced = (prove(HEAT, given, properties, (("reduce", on),)) for on in (False, True))
    assert reduced.states < plain.states
    assert set(reduced.reached) == set(plain.reached)
    assert {k: len(f.actions) for k, f in reduced.violations.items()} == {k: len(f.actions) for k, f in plain.violations.items()}
    assert all(f.shortest for f in reduced.violations.values())


def test_where_the_shortest_way_is_not_found_again_that_is_said() -> None:
    given = scenario(*small().operations, Operation("cancel"), engines=2, threads=1)
    properties = [p for p in properties_for("heat") if p != REST_IS_REACHED]
    passes: list[int] = []

    def go_on(live: Live) -> str:
        done = bool(passes) and live.states == passes[-1]
        passes.append(live.states)
        return "enough" if done else ""

    proof = prove(HEAT, given, properties, (("reduce", True), ("columns", False)), go_on)
    assert proof.violations
    assert not all(f.shortest for f in proof.violations.values())
    table = lines(properties, added(proof), (), frozenset())
    assert any(line.basis.startswith("at most ") for line in table if line.verdict == "violated")


# ---------------------------------------------------------------------------------------------------------- circles


def contend(self: Design, me: Me, who: str) -> Handler:
    """Writes its name until nobody overwrites it before it looks."""
    owner = None
    while owner != who:
        yield Update("C-1", ACCOUNT, "A", {"owner": who})
        owner = (yield Read("C-2", ACCOUNT, "A")).owner


CONTENDING = seen_toy(create=sending(("contend", "x"), ("contend", "y")), contend=contend)
CIRCLE = (REST_IS_REACHED.name, "goes round in circles")


@pytest.mark.parametrize(("design", "held"), [(SPINNING, False), (CONTENDING, False), (AWAITING, True), (ADDING, True)])
def test_a_run_that_never_ends_is_found_where_it_is_fair(design: Design, held: bool) -> None:
    proof = prove(design, asking(), [REST_IS_REACHED])
    assert proof.complete
    assert not proof.unjudged
    assert set(proof.violations) == (set() if held else {CIRCLE})
    (line,) = lines([REST_IS_REACHED], added(proof), (), frozenset())
    assert line.verdict == ("held" if held else "violated")
    for found in proof.violations.values():
        assert found.around > 0
        assert failure_of(design, [REST_IS_REACHED], found, CIRCLE).violation.step <= len(found.actions)


def test_a_circle_that_does_not_close_is_not_believed() -> None:
    found = prove(CONTENDING, asking(engines=2, threads=1), [REST_IS_REACHED]).violations[CIRCLE]
    assert comes_again(CONTENDING, found)
    assert not comes_again(CONTENDING, found._replace(around=found.around - 1))
    assert not comes_again(CONTENDING, found._replace(actions=found.actions[:-1]))


def test_circles_that_were_not_judged_to_the_end_are_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(*_: object) -> Circles:
        return Circles(cut="enough")

    monkeypatch.setattr(proofs_module, "circles", cut)
    proof = prove(CONTENDING, asking(engines=2, threads=1), [REST_IS_REACHED])
    assert proof.complete
    (line,) = lines([REST_IS_REACHED], added(proof), (), frozenset())
    assert line.verdict == "incomplete"
    assert summary(added(proof), "")[-1] == "Circles not judged to the end: : enough."


def test_a_graph_that_does_not_fit_in_memory_is_said_not_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "memory_free", lambda: 1000)
    proof = prove(CONTENDING, asking(engines=2, threads=1), [REST_IS_REACHED])
    assert proof.complete
    assert proof.unjudged.startswith(f"the graph of {proof.states:,} states and {proof.transitions:,} transitions takes ")


def test_what_was_seen_before_the_disk_was_full_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = storage.Records.add

    def full(self: storage.Records, records: Any) -> None:
        if self.count > 10:
            raise storage.NoRoom("what a search has seen does not fit on disk: No space left on device")
        plain(self, records)

    monkeypatch.setattr(storage.Records, "add", full)
    proof = prove(ADDING, asking(engines=2, threads=1), [sum_is_two])
    assert not proof.complete
    assert proof.cut == "what a search has seen does not fit on disk: No space left on device"
    assert proof.states > 10


def test_other_properties_of_whole_runs_are_not_judged_and_that_is_said() -> None:
    other = replace(REST_IS_REACHED, name="other")
    (line,) = lines([other], added(lost_update()), (), frozenset())
    assert line.verdict == "not asked"


@pytest.mark.parametrize(
    ("bound", "held"), [(at_most(46), True), (at_most(45), False), (at_most(66, per="run"), True), (at_most(65, per="run"), False)]
)
def test_a_bound_on_costs_is_judged_over_all_runs(bound: Property, held: bool) -> None:
    given = scenario(create([resource("A")]), update([resource("A", {"p": 1})]), engines=1, threads=1)
    proof = prove(HEAT, given, [bound])
    (line,) = lines([bound], added(proof), (), frozenset())
    assert line.verdict == ("held" if held else "violated")
    for key, found in proof.violations.items():
        failure = failure_of(HEAT, [bound], found, key)
        assert failure.violation.name == bound.name


def test_the_line_of_a_bound_says_the_worst_of_all_scenarios() -> None:
    bounds = [at_most(2), at_most(9), at_most(9, kind="create"), at_most(3, per="run")]
    design = CHEAP_THEN_DEAR[0]
    proofs = [prove(design, asking(*["signal"] * n, engines=1, threads=1), bounds, number=n) for n in (2, 0, 1)]
    forth, back = added(*proofs), added(*reversed(proofs))
    assert forth.worst == back.worst
    assert forth.violations == back.violations
    told = {line.name: (line.verdict, line.detail) for line in lines(bounds, forth, (), frozenset())}
    assert told == {
        "at most 2 accesses per operation": ("violated", "too many accesses, worst: 3 of 2 allowed, in 2 of 3 scenarios"),
        "at most 9 accesses per operation": ("held", f"{bounds[1].sentence} worst: 3 of 9 allowed"),
        "at most 9 accesses per create": ("held", f"{bounds[2].sentence} worst: 1 of 9 allowed"),
        "at most 3 accesses per run": ("violated", "too many accesses, worst: 7 of 3 allowed, in 2 of 3 scenarios"),
    }
    key = ("at most 3 accesses per run", "too many accesses")
    assert forth.violations[key].number == 2, "the dearest stays, not the shortest"
    failure = failure_of(design, bounds, forth.violations[key], key)
    assert dict(failure.violation.witness.values)["accesses"] == 7, "it rests on the way, with more than 3 already"
    assert failure.violation.step == len(failure.actions)


def test_the_worst_so_far_and_no_limit_are_said() -> None:
    bound = at_most(9)
    proof = prove(CHEAP_THEN_DEAR[0], CHEAP_THEN_DEAR[1], [bound])
    (line,) = lines([bound], added(proof, expected=2), (), frozenset())
    assert (line.verdict, line.detail) == ("incomplete", f"{bound.sentence} worst so far: 3 of 9 allowed")
    (line,) = lines([bound], added(prove(CONTENDING, asking(), [bound])), (), frozenset())
    assert line.detail == "too many accesses, worst: without limit, 9 allowed"


def test_a_cost_without_limit_is_shown_by_an_ordinary_world() -> None:
    bound = at_most(20)
    proof = prove(CONTENDING, asking(), [bound])
    ((key, found),) = proof.violations.items()
    assert found.around
    assert failure_of(CONTENDING, [bound], found, key).violation.key == key


def test_costs_that_were_not_judged_to_the_end_are_not_held() -> None:
    bound = at_most(1000)
    proof = replace(prove(ADDING, asking(engines=1, threads=1), [bound]), uncounted="enough")
    (line,) = lines([bound], added(proof), (), frozenset())
    assert line.verdict == "incomplete"
    assert summary(added(proof), "")[-1] == "Costs not judged to the end: : enough."


# ------------------------------------------------------------------------------------------------------- deviations


def test_the_least_deviations_are_the_least() -> None:
    found = lost_update().violations["sum", "sum is 1"]
    failure = failure_of(ADDING, [sum_is_two], found, ("sum", "sum is 1"))
    few = least(ADDING, [sum_is_two], failure, 200)
    assert few.proven
    assert len(few.failure.deviations) == 1, "it takes one: the second message before the first writes"
    assert few.failure.violation.key == failure.violation.key
    assert not least(ADDING, [sum_is_two], failure, 0).proven

    def told(asked: list[Scenario]) -> str:
        return lines([sum_is_two], added(lost_update()), (), frozenset(), {("sum", "sum is 1"): few}, asked)[0].detail

    assert told([few.failure.scenario]).endswith("; 1 deviation, the least")
    assert told([asking(engines=2, threads=3)]).endswith("; 1 deviation, the least, in a smaller scenario")


def test_a_search_for_fewer_deviations_that_has_begun_ends_with_the_time() -> None:
    found = prove(ADDING, asking(engines=2, threads=1), [sum_is_two]).violations[("sum", "sum is 1")]
    failure = failure_of(ADDING, [sum_is_two], found, ("sum", "sum is 1"))
    asked = 0

    def over() -> bool:
        nonlocal asked
        asked += 1
        return asked > 3

    cut = least(ADDING, [sum_is_two], failure, 200, over)
    assert asked == 4
    assert not cut.proven
    assert cut.failure.violation.key == ("sum", "sum is 1")


def test_of_schedules_with_the_fewest_deviations_a_short_one_is_told() -> None:
    """The first that is found polls for as long as the default policy has patience, since that is what it goes on with."""
    waiting = seen_toy(create=sending(("hold",), ("wait",)), hold=hold, wait=wait)
    asked = asking(engines=1, threads=2, faults={"timeout": 1})
    done = run(waiting, asked, [patience], Plan("random", 13, 0.1, 0.3))
    violation = done.violations["patience", "given up"]
    actions = done.actions[: violation.step]
    many = Failure(asked, actions, violation, record(Driver(waiting, asked, [patience]), actions))
    few = least(waiting, [patience], many, 40)
    assert few.proven
    assert (len(many.deviations), len(few.failure.deviations), len(few.failure.actions)) == (4, 2, 12)


@pytest.mark.parametrize("switches", [(), (("symmetric", False),), (("merge", False),)])
def test_switches_change_how_not_what(switches: tuple[tuple[str, bool], ...]) -> None:
    given: Scenario = scenario(*small().operations, engines=2, threads=1, faults={"crash": 1})
    proof = prove(HEAT, given, properties_for("heat"), switches)
    assert proof.complete
    assert not proof.violations
    assert set(proof.reached) == {"physical operation without a task"}


def test_a_frontier_is_kept_in_memory_as_far_as_the_budget_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, plain = set(), storage.Frontier.put

    def put(self: storage.Frontier, *args: Any) -> bool:
        seen.add(self.storage.memory)
        return plain(self, *args)

    monkeypatch.setattr(storage.Frontier, "put", put)
    assert prove(ADDING, asking(engines=2, threads=1), [sum_is_two], storage=proving._storage(1_000_000)).complete
    assert seen == {300_000}
    assert proving._storage(None) == storage.Storage()
