"""What docs/database.md says of the number of accesses is what the model's meter counts; that the engine does the same is tested in tests/ports."""

from __future__ import annotations

import re
from functools import cache

import pytest

from heatproof.model.designs.heat import Heat
from heatproof.ports.heat.accesses import comparing
from heatproof.ports.heat.accesses.mapping import OUTSIDE
from heatproof.ports.heat.accesses.shapes import OPERATIONS, SHAPES, asked
from tests.toys import ROOT

PAGE = (ROOT / "docs" / "database.md").read_text()
LAW = r"\| (about )?(\d+) n (?:([+-]) (\d+) )?"
ROW = re.compile(rf"^\| ([\w-]+) \| ([\w, -]+?) {LAW}{LAW}{LAW}\|$", re.MULTILINE)


def laws() -> list[tuple[str, str, int, int, int, bool]]:
    """Operation, shape, which number of a cost it is, slope, constant, whether it only holds about."""
    found = []
    for row in ROW.finditer(PAGE):
        for shape in row[2].split(", "):
            for number in range(3):
                about, slope, sign, constant = row.groups()[2 + 4 * number : 6 + 4 * number]
                found.append((row[1], shape, number, int(slope), int(f"{sign or '+'}{constant or 0}"), bool(about)))
    return found


def test_the_table_has_every_operation_and_shape_once() -> None:
    assert sorted((operation, shape) for operation, shape, number, *_ in laws() if number == 0) == sorted(
        (operation, shape) for operation in OPERATIONS for shape in SHAPES
    )


@pytest.mark.parametrize("size", [5, 10, 40])
def test_the_laws_hold(size: int) -> None:
    @cache
    def costs(operation: str, shape: str) -> comparing.Cost:
        drawn = asked(operation, shape, size)
        counted = comparing.settled(Heat(), drawn).accesses
        return comparing.cost(a for a in counted if a.operation == len(drawn.operations) and not comparing.group_of(a))

    for operation, shape, number, slope, constant, about in laws():
        cost = costs(operation, shape)
        expected = slope * size + constant
        assert cost[number] == (pytest.approx(expected, rel=0.02) if about else expected), (operation, shape, size, number)


def test_everything_outside_the_model_is_told() -> None:
    told = PAGE.partition("Outside the model is")[2]
    assert all(f"{name} |" in told or f"{name}, " in told or f", {name}" in told for name in OUTSIDE)


def test_the_plots_are_there() -> None:
    for name in re.findall(r"!\[.*?\]\((.*?)\)", PAGE):
        assert (ROOT / "docs" / name).read_text().startswith("<?xml")
