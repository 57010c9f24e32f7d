"""The instances of the convergence traversal that all model checkers are measured on, as scenarios for ``examples/traversal.py``."""

from __future__ import annotations

from pathlib import Path

from heatproof.model import catalogue
from heatproof.model.design import Design
from heatproof.model.scenario import Operation, Scenario, create, scenario
from heatproof.model.templates import resource

FILE = Path(__file__).parents[2] / "examples" / "traversal.py"

INSTANCES: dict[str, tuple[list[tuple[int, ...]], int, int]] = {
    "I1": ([(), (0,), (0,), (1, 2)], 2, 1),
    "I2": ([(), (0,), (0,), (1, 2)], 2, 2),
    "I3": ([(), (0,), (1,)], 2, 2),
    "I4": ([(), (0,), (0,), (1, 2)], 3, 1),
    "I5": ([(), (), (), (0, 1, 2)], 2, 2),
    "I6": ([(), (0,), (1,)], 3, 2),
    "I7": ([(), (), (), (0, 1, 2)], 3, 2),
    "I8": ([(), (0,), (0,), (1, 2)], 3, 2),
    "I9": ([(), (0,), (0,), (1, 2)], 2, 3),
    "I10": ([(), (), (0, 1), (0, 1), (2, 3)], 2, 2),
    "I11": ([(), (), (), (0, 1, 2)], 2, 3),
}
"""What each resource requires, by number; workers; traversals."""


def instance(name: str, variant: str = "Traversal") -> tuple[Design, Scenario]:
    """A variant of the protocol and the scenario of an instance: each worker is an engine of one thread."""
    requires, workers, traversals = INSTANCES[name]
    base = type(catalogue.load(f"{FILE}:{variant}"))
    design = type(variant, (base,), {"name": variant, "traversals": traversals})()
    names = "ABCDE"
    template = [resource(names[n], depends_on=[names[r] for r in required]) for n, required in enumerate(requires)]
    return design, scenario(create(template), Operation("check"), engines=workers, threads=1)
