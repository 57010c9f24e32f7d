"""Who depends on what, as the property asks it: by what a thing was made with, until its row has come to a template that says otherwise.

That it is broken by who still depends on it a case of the model shows: ``dependents-first-on-delete-a-dependent-still-exists``.
"""

from __future__ import annotations

import pytest

from heatproof.model import catalogue
from heatproof.model.scenario import Operation, create, scenario, update
from heatproof.model.templates import Attr, resource
from heatproof.properties.catalogue import ALL
from heatproof.strategies.running import Driver

ORDER = ALL["dependents first on delete"]


def broken(*operations: Operation) -> set[tuple[str, str]]:
    driver = Driver(catalogue.load("heat"), scenario(*operations), [ORDER])
    while (action := driver.world.default()) is not None:
        driver.perform(action)
    return set(driver.monitor.violations)


@pytest.mark.parametrize("value", [1, 2])
def test_who_does_without_another_by_now_may_outlive_it(value: int) -> None:
    """With 1 its property is what it was, and so nothing is done with the thing: it was made after A and always will have been."""
    first = create([resource("A", {"p": 1}), resource("B", {"p": Attr("A", "p")})])
    assert broken(first, update([resource("B", {"p": value})])) == set()
