"""A stack on which no operation can begin any more, after one update that fails: no race, one engine, one thread, the default order."""

from __future__ import annotations

import pytest

from heatproof.model import catalogue
from heatproof.model.scenario import Operation, create, scenario, update
from heatproof.model.templates import Attr, Ref, Template, resource
from heatproof.ports.heat import installation
from heatproof.strategies.asked import properties_for
from heatproof.strategies.running import Driver

if reason := installation.why_not():
    pytest.skip(f"the real engine is not here: {reason}", allow_module_level=True)

PATCH = "no-cycle-of-cleanups"
C = resource("C", depends_on=["B"])
BEFORE = Template([resource("A", {"p": 1}), resource("B", {}, {"r": Ref("A")}), C])
TURNED = Template([resource("A", {"p": 2}, depends_on=["B"], fails=("update",)), resource("B", {}, {"r": 0}), C])
MENDED = Template([resource("A", {"p": 1}), resource("B", {}, {"r": 0}), C])


def ended(spec: str, *operations: Operation) -> Driver:
    """B refers to A at first, and A comes after a new B at the second template; the update of A fails."""
    driver = Driver(catalogue.load(spec), scenario(create(BEFORE), *operations, engines=1, threads=1), properties_for(spec))
    assert driver.settle() == "rest"
    return driver


def state(driver: Driver) -> tuple[str, str, bool]:
    stack = driver.observation.stacks["S"]
    return stack.action, stack.status, "ycl" in stack.reason or "ircular" in stack.reason


@pytest.mark.parametrize("spec", ["heat", "heat-engine"])
@pytest.mark.parametrize(
    ("after", "action"),
    [
        ([update(TURNED), Operation("delete")], "DELETE"),
        ([update(TURNED), Operation("delete"), Operation("delete")], "DELETE"),
        ([update(TURNED), update(MENDED)], "UPDATE"),
    ],
)
def test_nothing_can_be_done_with_the_stack_any_more(spec: str, after: list[Operation], action: str) -> None:
    without = ended(spec, *after)
    assert state(without) == (action, "FAILED", True)
    assert len(without.observation.resources) == 4
    cured = ended(f"{spec}+{PATCH}", *after)
    assert state(cured) == (action, "COMPLETE", False)
    assert not cured.monitor.violations


@pytest.mark.parametrize("spec", ["heat", "heat-engine"])
def test_a_rollback_cannot_begin_either(spec: str) -> None:
    """What it leaves once it can is another defect."""
    assert state(ended(spec, update(TURNED, rollback=True))) == ("ROLLBACK", "FAILED", True)
    cured = ended(f"{spec}+{PATCH}+what-is-replaced-goes", update(TURNED, rollback=True))
    assert state(cured) == ("ROLLBACK", "COMPLETE", False)
    assert not cured.monitor.violations


@pytest.mark.parametrize("spec", ["heat", "heat-engine"])
def test_an_old_requirement_that_an_unchanged_row_keeps_closes_a_circle_too(spec: str) -> None:
    """Nothing fails here at all: what is between C and A is turned around, and C is unchanged since the attribute was what stands there now.
    Cured by either patch: with the one the row says what it requires, the other leaves out the edge that closes the circle."""
    first = Template([resource("A", {"p": 0}), resource("C", {"p": Attr("A", "p")}, {"r": 0})])
    second = Template([resource("A", {"p": Attr("C", "r"), "q": 1}), resource("C", {"p": 0}, {"r": 0})])
    operations = (create(first), update(second), Operation("delete"), Operation("delete"))

    def after(design: str) -> Driver:
        driver = Driver(catalogue.load(design), scenario(*operations, engines=1, threads=1), properties_for(design))
        assert driver.settle() == "rest"
        return driver

    assert state(after(spec)) == ("DELETE", "FAILED", True)
    for patch in (PATCH, "unchanged-knows-what-it-requires"):
        assert state(after(f"{spec}+{patch}")) == ("DELETE", "COMPLETE", False)
