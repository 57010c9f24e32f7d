"""The design under test: as a stateful test, and in runs that are drawn one by one. The case in cases/ is a test too."""

from hypothesis import given
from once import PROPERTIES, Once

from heatproof import machine, plans, run, scenarios

TestOnce = machine(Once(), PROPERTIES, faults=["duplicate"], fails=False).TestCase


@given(scenarios(Once(), faults=["duplicate"], fails=False), plans())
def test_a_run_comes_to_rest(scenario, plan):
    assert run(Once(), scenario, PROPERTIES, plan).end == "rest"
