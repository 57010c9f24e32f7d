"""Heat's own design under test: what is wrong with it is known and kept, strictly; anything else fails.

``reports/regressions/heat/`` holds one case for every kind of failure that was found. Each must still fail, exactly as stored: a case that
starts to pass fails the suite, because then either the model of Heat has changed or a property has become weaker.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from heatproof.model import catalogue
from heatproof.reports import cases
from heatproof.reports.judging import ELSEWHERE, design_of, judge
from heatproof.reports.story import story
from heatproof.strategies.machine import machine, shards

FOLDER = Path(__file__).resolve().parent.parent / "reports" / "regressions" / "heat"
KNOWN = sorted(FOLDER.glob("*.case.json"))
CASES = [cases.read(path) for path in KNOWN]
EXPECTED = frozenset(
    case.expected for case in CASES if case.expected is not None and case.expectation == "fails" and case.design == "heat"
)


@pytest.mark.parametrize("path", KNOWN, ids=lambda path: path.name.removesuffix(".case.json"))
def test_known_failure_still_fails(path: Path) -> None:
    case = cases.read(path)
    judged = judge(case, *design_of(case, path.name))
    assert judged.as_expected(case), f"{path.name}: {judged.answer} on {case.design}: {case.title}. {' '.join(judged.told)}"
    anew = "'python -m tests.adopt' stores it anew"
    assert judged.answer != ELSEWHERE, f"{path.name}: {judged.answer}; {anew}. {' '.join(judged.told)}"
    if case.expectation == "fails":
        kept = path.with_name(path.name.replace(".case.json", ".story.txt"))
        assert judged.story(case) + "\n" == kept.read_text(), f"{kept.name} is out of date; {anew}"


def test_there_are_known_failures() -> None:
    assert KNOWN, f"no case is stored in {FOLDER}"


TestHeat1, TestHeat2 = shards(machine(catalogue.load("heat"), expected=EXPECTED, explain=story, quick=True))
