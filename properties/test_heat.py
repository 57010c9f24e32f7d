"""Heat's own design under test: what is wrong with it is known and kept, strictly; anything else fails.

``reports/regressions/heat/`` holds one case for every kind of failure that was found. The pytest plugin collects them: each must still
fail, exactly as stored. A case that starts to pass fails the suite, because then either the model of Heat has changed or a property has
become weaker.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from heatproof.model import catalogue
from heatproof.reports import cases
from heatproof.strategies.machine import machine, shards

FOLDER = Path(__file__).resolve().parent.parent / "reports" / "regressions" / "heat"
KNOWN = sorted(FOLDER.glob("*.case.json"))
CASES = [cases.read(path) for path in KNOWN]
EXPECTED = frozenset(
    case.expected for case in CASES if case.expected is not None and case.expectation == "fails" and case.design == "heat"
)


def test_there_are_known_failures(pytestconfig: pytest.Config) -> None:
    assert KNOWN, f"no case is stored in {FOLDER}"
    assert "reports/regressions" in pytestconfig.getini("testpaths")


TestHeat1, TestHeat2 = shards(machine(catalogue.load("heat"), expected=EXPECTED, quick=True))
