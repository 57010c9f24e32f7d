"""Who depends on what, as the property asks it: by what a thing was made with, until its row has come to a template that says otherwise.

That it is broken by who still depends on it a case of the model shows: ``dependents-first-on-delete-a-dependent-still-exists``.
"""

from __future__ import annotations

import pytest

from heatproof.model import catalogue
from heatproof.model.design import Design
from heatproof.model.designs.heat import Heat
from heatproof.model.designs.heat.values import C, Graph, ResourceRow
from heatproof.model.scenario import Operation, create, scenario, update
from heatproof.model.templates import Attr, Template, resource
from heatproof.model.world import Action
from heatproof.properties.catalogue import ALL
from heatproof.strategies.running import Driver

ORDER = ALL["dependents first on delete"]


def broken(*operations: Operation, design: Design | None = None, fault: str = "", lost: str = "") -> set[tuple[str, str]]:
    """What is violated by default, where the fault strikes that thing as soon as it is there and healthy."""
    driver = Driver(design or catalogue.load("heat"), scenario(*operations, faults={fault: 1} if fault else {}), [ORDER])
    while (action := driver.world.default()) is not None:
        thing = driver.observation.reality.get(lost)
        if thing is not None and thing.state == "healthy" and fault not in driver.observation.faults:
            action = Action(fault, lost)
        driver.perform(action)
    return set(driver.monitor.violations)


@pytest.mark.parametrize("value", [1, 2])
def test_who_does_without_another_by_now_may_outlive_it(value: int) -> None:
    """With 1 its property is what it was, and so nothing is done with the thing: it was made after A and always will have been."""
    first = create([resource("A", {"p": 1}), resource("B", {"p": Attr("A", "p")})])
    assert broken(first, update([resource("B", {"p": value})])) == set()


class Unordered(Heat):
    """Cleanups come in no order (no G-3)."""

    def graph(self, content: Template, ext: dict[str, ResourceRow], current: dict[str, str]) -> Graph:
        graph = super().graph(content, ext, current)
        return Graph(graph.nodes, {(a, b) for a, b in graph.edges if (a[1], b[1]) != (C, C)})


A, B = resource("A", replace={"p": 1}), resource("B", depends_on=["A"])


@pytest.mark.parametrize("fault", ["vanish", "sicken", "change"])
def test_what_a_replacement_stood_in_for_may_go_when_that_is_lost(fault: str) -> None:
    """Nobody looks at A again after it was made."""
    assert broken(create([A, B]), update([resource("A", replace={"p": 2}), B]), fault=fault, lost="A@T2.1") == set()


@pytest.mark.parametrize("fault", ["sicken", "change"])
def test_drift_is_no_excuse_where_nothing_stood_in(fault: str) -> None:
    found = broken(create([A, B]), Operation("delete"), design=Unordered(), fault=fault, lost="A@T1.1")
    assert found == {(ORDER.name, "a dependent still exists")}
