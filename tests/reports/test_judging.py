"""Stored cases do not rot: judged on a design that has been refactored, each still finds its bug, or says that it does not."""

from __future__ import annotations

import re
from collections import Counter
from functools import partialmethod

import pytest

from heatproof.model.designs.heat import Heat
from heatproof.model.designs.heat.values import STACK
from heatproof.model.effects import Handler, Me, Read
from heatproof.model.errors import HeatproofError
from heatproof.model.program import Program
from heatproof.model.scenario import Scenario
from heatproof.model.world import World
from heatproof.properties.catalogue import ALL
from heatproof.reports.cases import Case, dump, load, read
from heatproof.reports.judging import ELSEWHERE, FAILS, GONE, UNDECIDED, judge, noted
from tests.refactored import LIMITS, REFACTORED, STORED, judged
from tests.toys import HEAT, NIGHTLY, ROOT, same_in_any_process

ASKED = list(ALL.values())
HANGS = "rest-no-operation-hangs-create-hangs-sync-points-wait.case.json"
KEPT = read(ROOT / "reports" / "regressions" / "heat" / HANGS)


# ---------------------------------------------------------------------------------------------------------- refactorings


LOST = {(name, "a-check-vouches-for-what-it-saw-not-there.case.json") for name in ("AllAtOnce", "RenamesTasks")}
"""A limit (docs/cases.md): seven deviations that hang together, of which each names a task."""


@pytest.mark.parametrize("name", sorted(REFACTORED.keys() - LIMITS))
def test_every_stored_case_finds_its_bug_in_a_refactored_design(name: str) -> None:
    """In the nightly every case in every design; else every other case in one, and those between in the next."""
    first = 0 if NIGHTLY else sorted(REFACTORED).index(name) % 2
    for path in STORED[first :: 1 if NIGHTLY else 2]:
        done = judged(name, path, budget=20)
        assert done.shows == ((name, path.name) not in LOST), (path.name, done.told)
        if not done.shows:
            continue
        assert done.violation is not None
        assert done.violation.key == read(path).expected


@pytest.mark.parametrize("name", ["ReadsMore", "AllAtOnce"])
def test_what_was_found_near_by_is_exact_from_then_on(name: str) -> None:
    design = REFACTORED[name]()
    for path in STORED[:: 7 if name == "ReadsMore" else 11]:
        done = judged(name, path)
        assert done.case is not None
        again = judge(load(dump(done.case, "1").encode(), "again"), design, ASKED)
        assert again.answer == FAILS
        assert again.case is not None
        assert again.case._replace(heatproof="") == done.case._replace(heatproof="")


def test_a_limit_where_neither_names_nor_step_ids_are_left() -> None:
    """Where every task and every step is called otherwise and steps have come on top, only chance finds a bug again."""
    answers = Counter(judged(name, path, budget=60).answer for name in sorted(LIMITS) for path in STORED[::9])
    assert answers[ELSEWHERE] >= 2
    assert answers[GONE] >= 1
    assert set(answers) == {ELSEWHERE, GONE}


def test_without_step_ids_and_deviations_most_is_found_all_the_same() -> None:
    """As in cases of schema 1."""
    bare = [read(path)._replace(steps=(), deviations=None) for path in STORED[::6]]
    answers = Counter(judge(case, REFACTORED["SplitsLoading"](), ASKED, 200).answer for case in bare)
    assert answers[FAILS] + answers[ELSEWHERE] >= len(bare) - 3
    assert UNDECIDED not in answers


def everything_judged() -> str:
    """Judgements as text, to be compared between processes."""
    told = []
    for name in ("RenamesTasks", "ReadsBeforeWrites", "NothingIsTheSame"):
        for path in STORED[::15]:
            done = judged(name, path, budget=60)
            told.append(f"{name} {path.name} {done.answer} {done.told} {done.case and dump(done.case, '1')}")
    return "\n".join(told)


def test_a_judgement_is_the_same_in_any_process() -> None:
    assert "still fails, differently" in same_in_any_process("tests.reports.test_judging", "everything_judged")


# --------------------------------------------------------------------------------------------------------- the answers


class Mended(Heat):
    """Nothing is marked unhealthy."""

    def mark_unhealthy(self, me: Me, number: int, operation: object) -> Handler:
        """A read only."""
        yield Read("8.3", STACK, "S")


class Raises(Heat):
    """A worker is mistaken, but only after it has done all it had to do."""

    def check_resource(self, me: Me, *args: object) -> Handler:
        """One step more."""
        yield Read("W-3", STACK, "S")
        yield from super().check_resource(me, *args)  # type: ignore[arg-type]
        raise ValueError("mistaken")


class Refuses(Heat):
    """Knows no mark unhealthy."""

    operations = {kind: handler for kind, handler in Heat.operations.items() if kind != "mark unhealthy"}  # noqa: RUF012


class NotThere(Heat):
    """What it needs is not installed."""

    def open(self, scenario: Scenario, program: Program | None = None) -> World:
        """No world."""
        raise HeatproofError("the real engine cannot be run: it is not installed")


class Endless(Heat):
    """A worker computes for ever."""

    def check_resource(self, me: Me, *args: object) -> Handler:
        """One step more."""
        yield Read("W-3", STACK, "S")
        while True:
            pass


HOLDS = KEPT._replace(expectation="holds")
SPELT = KEPT._replace(expected=("rest: no operation hangs", "ROLLBACK hangs, sync points wait"))


@pytest.mark.parametrize(
    ("case", "design", "answer", "as_expected", "said"),
    [
        (KEPT, HEAT, FAILS, True, "All 28 actions fit, and the failure shows."),
        (HOLDS, HEAT, FAILS, False, "All 28 actions fit, and the failure shows."),
        (KEPT._replace(expected=None), HEAT, FAILS, True, "the failure shows"),
        (KEPT, REFACTORED["ReadsMore"](), ELSEWHERE, True, "Near by it still fails: along its names, in run 1 of at most 60."),
        (HOLDS, REFACTORED["ReadsMore"](), ELSEWHERE, False, "Near by it still fails: along its names, in run 1 of at most 60."),
        (KEPT, Mended(), GONE, False, "60 runs near by did not show it either; that is no proof."),
        (HOLDS, Mended(), GONE, True, "60 runs near by did not show it either; that is no proof."),
        (HOLDS._replace(schedule=KEPT.schedule[:20], steps=KEPT.steps[:20]), HEAT, GONE, True, "All 20 actions fit, .* more lead to rest, and"),
        (SPELT, HEAT, GONE, False, "The property is violated, but by another witness: CREATE hangs, sync points wait."),
        (SPELT._replace(expectation="holds"), HEAT, FAILS, False, "the failure shows"),
        (KEPT, Raises(), UNDECIDED, False, r"of \d+ runs near by went wrong, .*raised ValueError: mistaken"),
        (HOLDS, Raises(), UNDECIDED, False, r"of \d+ runs near by went wrong, .*raised ValueError: mistaken"),
        (KEPT, NotThere(), UNDECIDED, False, "^the real engine cannot be run: it is not installed$"),
        (KEPT, Refuses(), UNDECIDED, False, "'Refuses' cannot have this scenario: design 'Refuses' has no operation 'mark unhealthy'"),
    ],
)  # fmt: skip
def test_the_answers(case: Case, design: Heat, answer: str, as_expected: bool, said: str) -> None:
    done = judge(case, design, ASKED, 60)
    assert done.answer == answer
    assert done.as_expected(case) is as_expected
    assert done.shows is (done.violation is not None) is (done.case is not None)
    assert re.search(said, " ".join(done.told)), done.told
    if done.shows:
        assert "Witness: CREATE hangs" in done.story(case)


@pytest.mark.parametrize("budget", [0, 1, 49])
def test_too_small_a_budget_decides_nothing(budget: int) -> None:
    assert judge(KEPT, Mended(), ASKED, budget).answer == UNDECIDED
    assert judge(KEPT, HEAT, ASKED, budget).answer == FAILS


def test_the_budget_is_kept() -> None:
    for budget in (1, 7, 60, 200):
        done = judge(KEPT, Mended(), ASKED, budget)
        assert done.found is not None
        assert done.found.runs == budget


def test_a_design_that_computes_for_ever_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Program, "watchdog", partialmethod(Program.watchdog, 0.2))
    done = judge(KEPT, Endless(), ASKED, 1_000)
    assert done.found is not None
    assert done.found.runs == 1  # each would take as long again
    assert done.answer == UNDECIDED
    assert "runs without yielding and does not end" in " ".join(done.told)


def test_what_must_hold_is_looked_for_near_by_only_where_it_does_not_fit() -> None:
    done = judge(HOLDS._replace(schedule=KEPT.schedule[:20], steps=KEPT.steps[:20]), HEAT, ASKED)
    assert done.found is None


def test_noted_is_what_a_run_was() -> None:
    case = noted(KEPT._replace(steps=(), deviations=None), HEAT, KEPT.schedule)
    assert case == KEPT
