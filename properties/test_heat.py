"""Heat's own design under test: what is wrong with it is known and kept, strictly; anything else fails.

``reports/regressions/heat/`` holds one case for every kind of failure that was found. Each must still fail, exactly as stored: a case that
starts to pass fails the suite, because then either the model of Heat has changed or a property has become weaker.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from heatproof.model import catalogue
from heatproof.properties.catalogue import ALL
from heatproof.reports import cases
from heatproof.reports.story import story
from heatproof.strategies.machine import machine, shards
from heatproof.strategies.running import Driver
from heatproof.strategies.schedules import record

FOLDER = Path(__file__).resolve().parent.parent / "reports" / "regressions" / "heat"
KNOWN = sorted(FOLDER.glob("*.case.json"))
EXPECTED = frozenset(expected for path in KNOWN if (expected := cases.read(path).expected) is not None)


@pytest.mark.parametrize("path", KNOWN, ids=lambda path: path.name.removesuffix(".case.json"))
def test_known_failure_still_fails(path: Path) -> None:
    case = cases.read(path)
    driver = Driver(catalogue.load(case.design), case.scenario, ALL.values())
    deviations = record(driver, case.schedule)
    violation = driver.monitor.violations.get(case.expected) if case.expected is not None else None
    assert violation is not None, f"{path.name} does not fail any more on {case.design}: {case.title}"
    told = story(driver.world, deviations, violation, case.title) + "\n"
    kept = path.with_name(path.name.replace(".case.json", ".story.txt"))
    assert told == kept.read_text(), f"{kept.name} is out of date; 'python -m tests.adopt' writes it anew"


def test_there_are_known_failures() -> None:
    assert KNOWN, f"no case is stored in {FOLDER}"


TestHeat1, TestHeat2 = shards(machine(catalogue.load("heat"), expected=EXPECTED, explain=story, quick=True))
