"""Heat's own engine under the stateful test: what is wrong with it is known and kept; anything else fails.

Known is what a stored case shows: of the model of Heat's design (``reports/regressions/heat/``), which is to be wrong in the same ways, and of
the engine (``reports/regressions/heat-27.0.1/``). :data:`ALSO` is what else a search has met on the engine, each with the command that
shows it.

An example takes some tenths of a second here instead of milliseconds, so there are fewer by :data:`DEARER`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from heatproof.model import catalogue
from heatproof.model.faults import FAULTS
from heatproof.ports.heat import installation
from heatproof.reports import cases
from heatproof.reports.story import story
from heatproof.strategies import running, scenario_files
from heatproof.strategies.asked import properties_for
from heatproof.strategies.machine import machine, shards
from heatproof.strategies.policies import PORTFOLIO
from heatproof.strategies.running import Plan

if reason := installation.why_not():
    pytest.skip(f"the real engine is not here: {reason}", allow_module_level=True)

REGRESSIONS = Path(__file__).resolve().parent.parent / "reports" / "regressions"
KNOWN = sorted([*(REGRESSIONS / "heat").glob("*.case.json"), *(REGRESSIONS / "heat-27.0.1").glob("*.case.json")])
ALSO = frozenset({
    ("rest: a deleted stack leaves nothing", "not purged"),  # heatproof check heat-engine --seconds 300 (a message is duplicated)
})  # fmt: skip
EXPECTED = ALSO | {case.expected for case in map(cases.read, KNOWN) if case.expected is not None and case.expectation == "fails"}
DEARER = 12

ENGINE = catalogue.load("heat-engine")
MACHINE = machine(
    ENGINE, properties_for("heat-engine"), EXPECTED, explain=story, max_resources=3, max_operations=3,
    faults=sorted(FAULTS.keys() - ENGINE.immune), steps=6, shrink=40, quick=True, tail=3_000,
)  # fmt: skip
CHOSEN = MACHINE.TestCase.settings
# The same examples each time, but for the nightly: that is for new ones.
CALM = {} if settings.get_current_profile_name() == "nightly" else {"derandomize": True, "database": None}
MACHINE.TestCase.settings = settings(CHOSEN, max_examples=-(-CHOSEN.max_examples // DEARER), **CALM)  # type: ignore[arg-type]

FOLDER = scenario_files.installed()
FILES = scenario_files.find_files([FOLDER]) if FOLDER is not None else []
SEEDS = range(max(1, CHOSEN.max_examples // 500))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_heats_scenarios_under_random_interleavings(file: Path) -> None:
    asked = properties_for("heat-engine")
    for seed in SEEDS:
        policy = PORTFOLIO[(FILES.index(file) + seed) % len(PORTFOLIO)]
        run = running.run(ENGINE, scenario_files.as_scenario(file), asked, Plan(policy, seed, 0.02, 0.0, 2_000))
        assert run.end == "rest"
        assert run.violations.keys() <= EXPECTED, f"{policy}, seed {seed}: {sorted(run.violations.keys() - EXPECTED)}"


TestEngine1, TestEngine2 = shards(MACHINE)
