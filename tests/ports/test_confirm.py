"""``heatproof confirm``: a case of the model tried on the real engine, and the other way round."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from heatproof.cli import cli
from heatproof.model import catalogue
from heatproof.model.errors import HeatproofError
from heatproof.model.scenario import create, scenario
from heatproof.model.templates import Template, resource
from heatproof.ports.heat import installation
from heatproof.reports import cases, judging
from heatproof.reports.cases import Case
from heatproof.reports.confirming import BEYOND, CONFIRMED, ELSEWHERE, NOT, UNDECIDED, OutOfReachError, confirm, counterpart
from heatproof.strategies.asked import properties_for
from heatproof.strategies.running import Plan, run
from tests.toys import NIGHTLY, ROOT

if reason := installation.why_not():
    pytest.skip(f"the real engine is not here: {reason}", allow_module_level=True)

KEPT = ROOT / "reports" / "regressions" / "heat"
HANGS = KEPT / "rest-no-operation-hangs-create-hangs-sync-points-wait.case.json"


def own(spec: str) -> Any:
    return catalogue.load(spec), properties_for(spec)


def heatproof(*args: object) -> Result:
    return CliRunner().invoke(cli, [str(arg) for arg in args])


def edited(path: Path, to: Path, **changes: Any) -> Path:
    data = json.loads(path.read_text())
    data.update(changes)
    to.write_text(json.dumps(data))
    return to


def test_a_case_of_the_model_is_confirmed_on_the_engine_and_back() -> None:
    case = cases.read(HANGS)
    found = confirm(case, own("heat"), counterpart("heat"), 0)
    assert (found.answer, found.difference) == (CONFIRMED, None)
    assert found.case is not None
    assert found.case.design == "heat-engine"
    again = judging.judge(found.case, *own("heat-engine"), 0)
    assert again.answer == judging.FAILS
    assert "UPDATE stack SET" in found.story(full=True)
    back = confirm(found.case, own("heat-engine"), counterpart("heat-engine"), 0)
    assert (back.answer, back.difference) == (CONFIRMED, None)


def test_the_same_case_gets_the_same_answer() -> None:
    case = cases.read(KEPT / "rest-no-operation-hangs-update-hangs-a-lock-is-held.case.json")
    one, two = (confirm(case, own("heat"), "heat-engine", 0) for _ in range(2))
    assert (one.answer, one.told, one.case) == (two.answer, two.told, two.case)


ONE = Template([resource("A")])
BOTH = Template([resource("A"), resource("B"), resource("C", depends_on=["A", "B"])])
MUTATED = {
    "isolated-node-lost": (ONE, ("COMPLETE at rest: everything is there", "no physical resource")),
    "sync-lost-report": (BOTH, ("rest: no operation hangs", "CREATE hangs, sync points wait")),
}
"""What is created, and how that fails with a mutation and not without it."""


def mutated(mutation: str) -> Case:
    """A failure that only a mutation has, as a case."""
    spec, (template, wanted) = f"heat+{mutation}", MUTATED[mutation]
    design, properties = own(spec)
    case = cases.read(HANGS)._replace(scenario=scenario(create(template)), expected=wanted)
    for seed in range(200):
        plan = Plan("random", seed, 0.0, 0.0)
        made = run(design, case.scenario, properties, plan)
        if wanted in made.violations:
            return case._replace(
                design=spec, schedule=tuple(made.actions[: made.violations[wanted].step]), steps=(), deviations=None
            )
    raise AssertionError("the mutation does not fail")


@pytest.mark.parametrize("mutation", sorted(MUTATED) if NIGHTLY else ["isolated-node-lost"])
def test_what_the_engine_does_not_do_is_not_reproduced_and_the_first_difference_is_told(mutation: str) -> None:
    case = mutated(mutation)
    found = confirm(case, own(case.design), "heat-engine", 60)
    assert found.answer in (NOT, ELSEWHERE)  # Heat's own lost update may be met near by
    assert found.difference is not None
    assert found.told[0].startswith(f"First difference: at action {found.difference.number} of {len(case.schedule)}: expected ")


def test_a_small_budget_says_nothing() -> None:
    case = mutated("sync-lost-report")
    found = confirm(case, own(case.design), "heat-engine", 0)
    assert found.answer == UNDECIDED
    assert found.difference is not None
    assert found.told[-1] == "Nobody looked near by; it takes at least 50 runs there to say anything."


def test_a_mutation_and_a_design_of_ones_own_are_out_of_reach() -> None:
    with pytest.raises(OutOfReachError, match=r"'heat-engine' has no change 'sync-lost-report'"):
        counterpart("heat+sync-lost-report")
    with pytest.raises(OutOfReachError, match="design of somebody's own"):
        counterpart("nowhere.py:Mine")


def test_an_anomaly_inside_a_transaction_is_out_of_reach(tmp_path: Path) -> None:
    case = cases.read(HANGS)
    schedule = (*case.schedule[:5], case.schedule[5]._replace(kind="P4"), *case.schedule[6:])
    found = confirm(case._replace(schedule=schedule, steps=()), own("heat"), "heat-engine", 0)
    assert found.answer == BEYOND
    assert found.told == ["the fault 'P4' of its schedule cannot be injected into heat-engine: there a transaction is one action."]


def test_a_case_that_does_not_fail_any_more_cannot_be_confirmed() -> None:
    case = cases.read(HANGS)
    found = confirm(case._replace(schedule=case.schedule[:3], steps=(), deviations=None), own("heat"), "heat-engine", 0)
    assert found.answer == UNDECIDED
    assert "does not fail on its own design" in found.told[0]
    with pytest.raises(HeatproofError, match="there is no failure to confirm"):
        confirm(case._replace(expectation="holds"), own("heat"), "heat-engine", 0)


def test_the_command(tmp_path: Path) -> None:
    made = tmp_path / "engine.case.json"
    done = heatproof("confirm", HANGS, "-o", made)
    assert done.exit_code == 1
    assert f"{HANGS}: confirmed on heat-engine: rest: no operation hangs: CREATE hangs, sync points wait" in done.output
    assert "All 28 actions have their counterpart." in done.output
    assert "Witness: CREATE hangs, sync points wait" in done.output
    assert heatproof("replay", made).exit_code == 1
    back = heatproof("confirm", made)
    assert (back.exit_code, "confirmed on heat:" in back.output) == (1, True)


def test_the_command_on_what_it_cannot_try(tmp_path: Path) -> None:
    other = edited(HANGS, tmp_path / "m.case.json", design={"name": "heat", "changes": ["sync-lost-report"]})
    done = heatproof("confirm", other)
    assert done.exit_code == 3
    assert "out of reach on the other target" in done.output
    assert heatproof("confirm", tmp_path / "none.case.json").exit_code == 2
    empty = tmp_path / "empty"
    empty.mkdir()
    assert heatproof("confirm", empty).exit_code == 2


def test_a_folder_is_a_table(tmp_path: Path) -> None:
    (tmp_path / "a.case.json").write_bytes(HANGS.read_bytes())
    edited(HANGS, tmp_path / "b.case.json", design={"name": "heat", "changes": ["sync-lost-report"]})
    done = heatproof("confirm", tmp_path, "--nearby", 0, "-o", tmp_path / "out")
    assert done.exit_code == 1
    lines = done.output.splitlines()
    assert lines[2] == "| `a` | confirmed | All 28 actions have their counterpart. |"
    assert lines[3].startswith("| `b` | out of reach | the case is about 'heat+sync-lost-report'")
    assert lines[-1] == "2 cases: 1 confirmed, 1 out of reach"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.case.json"]


def test_too_few_runs_near_by_say_how_many_it_takes() -> None:
    case = cases.read(KEPT.with_name("heat-27.0.1") / "unhealthy-in-one-write.case.json")
    found = confirm(case, own("heat-engine"), "heat+unhealthy-in-one-write", 10)
    assert found.answer == UNDECIDED
    assert found.told[-2:] == [
        "10 runs near by did not show it; that is no proof.",
        "That is too little to say anything: it takes at least 50 runs near by.",
    ]
