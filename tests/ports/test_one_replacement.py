"""What refusing a second replacement must not cost: a node behind it that nobody tells, and a row that nobody makes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from heatproof.model import catalogue
from heatproof.model.design import Design
from heatproof.model.designs.heat.resource import Job
from heatproof.model.designs.repairs import OneReplacement
from heatproof.model.effects import Handler
from heatproof.model.scenario import Operation, create, scenario, update
from heatproof.model.templates import Template, resource
from heatproof.ports.heat import installation
from heatproof.reports import cases, confirming
from heatproof.strategies.asked import properties_for
from heatproof.strategies.running import Driver
from heatproof.strategies.schedules import Deviation, replay
from tests.toys import ROOT

if reason := installation.why_not():
    pytest.skip(f"the real engine is not here: {reason}", allow_module_level=True)

PATCH = "one-replacement-a-traversal"
CASE = ROOT / "reports" / "regressions" / "heat-27.0.1" / f"{PATCH}-2.case.json"
TWICE = ("one replacement a traversal", "two in one traversal")
HANGS = ("rest: no operation hangs", "UPDATE hangs, sync points wait")


class TellsNobody(OneReplacement):
    """The repair as it was at first."""

    name = "tells-nobody"

    def tell_those_behind(self, job: Job, replacement: str) -> Handler:
        """Nothing."""
        yield from ()


def violated(design: Design, spec: str, deviations: Sequence[Deviation]) -> set[tuple[str, str]]:
    driver = Driver(design, cases.read(CASE).scenario, properties_for(spec))
    done = replay(driver, deviations)
    assert (done.end, done.unused) == ("rest", [])
    return set(driver.monitor.violations)


def test_a_replacement_that_is_made_before_the_set_up_is_through() -> None:
    """Its report finds no sync points yet; the set-up's own message for the node must make up for that, without a second replacement."""
    case = cases.read(CASE)
    assert case.deviations is not None
    engine = catalogue.load("heat-engine")
    assert TWICE in violated(engine, "heat-engine", case.deviations)
    assert not violated(catalogue.load(f"heat-engine+{PATCH}"), "heat-engine", case.deviations) & {TWICE, HANGS}

    on_the_model = confirming.confirm(case, (engine, properties_for("heat-engine")), "heat", 0)
    assert on_the_model.answer == confirming.CONFIRMED
    assert TWICE in violated(catalogue.load("heat"), "heat", on_the_model.deviations)
    assert not violated(catalogue.load(f"heat+{PATCH}"), "heat", on_the_model.deviations) & {TWICE, HANGS}
    assert HANGS in violated(TellsNobody(), "heat", on_the_model.deviations)


BEFORE = {"heat": "RP-2", "heat-engine": "resource_create_replacement"}


@pytest.mark.parametrize("spec", BEFORE)
def test_a_row_that_could_not_be_linked_is_not_taken_for_a_replacement(spec: str) -> None:
    """A signal moves the version of the old row just before the new one is inserted and linked. Were the new row to stay, the second attempt
    would find it, and nobody would ever make it."""
    design = catalogue.load(f"{spec}+{PATCH}")
    old, new = (Template([resource("B", {}, {"r": value})]) for value in (1, 2))
    operations = (create(old), update(new), Operation("signal", resource="B"))
    driver = Driver(design, scenario(*operations, threads=4), properties_for(spec))
    world, task = driver.world, "check(B@T1, U, T2)"

    def do(kind: str, about: str) -> None:
        driver.perform(next(a for a in world.actions() if a.kind == kind and a.subject == about))

    def to_the_end_of(name: str) -> None:
        while name in world.nodes:
            do("step", name)

    do("operate", "create#1")
    while actions := world.progress():
        driver.perform(actions[0])
    do("operate", "update#2")
    while task not in world.nodes:
        driver.perform(world.progress()[0])
    while BEFORE[spec] not in world.nodes[task].effect.step:
        do("step", task)
    do("operate", "signal#3")
    to_the_end_of("signal#3")
    assert driver.settle() == "rest"
    assert driver.observation.stacks["S"].status == "COMPLETE"
    assert not driver.monitor.violations
