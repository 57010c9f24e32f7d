"""Case files to test with: a real one, and what becomes of it after a change."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from heatproof.model.scenario import Scenario
from heatproof.reports.cases import Case, dump
from heatproof.reports.judging import noted
from heatproof.strategies.running import Plan, run
from tests.toys import HEAT, ROOT, STORM, large

EXPECTED = ("rest: no operation hangs", "CREATE hangs, a lock is held")
BARE = Case("a real one", "heat", large(), (), EXPECTED, "made up")
REAL = noted(BARE, HEAT, run(HEAT, large(), [], Plan("random", 1, faultiness=0.05)).actions)
TEXT = dump(REAL, "1.2")
SHORT = dump(noted(BARE._replace(scenario=Scenario(large().operations[:2], faults=STORM)), HEAT, REAL.schedule[:5]), "1.2").encode()
STORED = sorted((ROOT / "reports" / "regressions").rglob("*.case.json")) + sorted((ROOT / "docs").rglob("*.case.json"))


def edited(change: Callable[[dict[str, Any]], object]) -> bytes:
    """The text of a case after ``change`` was made to it."""
    raw = json.loads(TEXT)
    change(raw)
    return json.dumps(raw).encode()


def at(*path: str | int, value: Any) -> bytes:
    """The text of a case with ``value`` put there."""

    def change(raw: Any) -> None:
        for step in path[:-1]:
            raw = raw[step]
        raw[path[-1]] = value

    return edited(change)


def of_schema_1(case: Case) -> dict[str, Any]:
    """The file of a case as heatproof wrote it when its schema was 1."""
    raw = json.loads(dump(case, "0.1.0"))
    del raw["deviations"], raw["expectation"]
    design = "+".join([raw["design"]["name"], *raw["design"]["changes"]])
    return {**raw, "schema": 1, "design": design, "schedule": [list(action) for action in case.schedule]}
