"""The step ids of Heat's design are those of ``heat-algorithm.md``."""

from __future__ import annotations

import ast
from pathlib import Path

import heatproof.model.designs.heat
from heatproof.model.designs.heat import Heat
from heatproof.model.effects import EFFECTS
from heatproof.model.meter import meter
from heatproof.model.scenario import Operation, create, scenario, update
from heatproof.model.templates import Attr, Template, resource
from heatproof.model.world import World
from tests.model.toys import by_default

SECTIONS = {
    "C": "1 2", "U": "1 2", "DL": "1 2 3", "CA": "1 2", "CV": "1 2 3 4 5 6 7 8 9",
    "SU": "1 2 3a 3b 4 5 5b 6 7 8 9", "W": "1 2 3 4 5 6 7 8", "ST": "1 2 3", "CK": "1 2 3 4 5", "DO": "0 1 2 3 4 5",
    "RC": "1 2 3 4 5 6", "RU": "1 2 3 4 5 6 7 8 9 10 11", "RD": "1 2 3 4 5 6 7 8", "RP": "1 2 3 4 5 6",
    "LK": "1 2 3 4 5 6 7", "UP": "1 2 2a 2b 3 4", "FH": "1 2", "RN": "1", "RT": "1 2 3 4 5", "PR": "1 2 3 4 5 6 7",
    "SP": "1 2 3 4 5", "SC": "1 2 3", "MC": "1 2 3", "MF": "1 2", "PG": "1 1b 2 3 5 6 7", "RB": "1 2 3 4",
    "SV": "1 2 3 4", "SW": "1 2 3 4",
}  # fmt: skip
STEPS = {f"{section}-{number}" for section, numbers in SECTIONS.items() for number in numbers.split()} | {
    "4.7",
    "8.1",
    "8.3",
    "8.7",
    "PR-5a",  # the description is silent: docs/architecture.md
}


def steps_in_the_code() -> dict[str, str]:
    """Every step id that an effect of the design is made with, or that is handed to a helper that makes one, and where."""
    found: dict[str, str] = {}
    folder = Path(heatproof.model.designs.heat.__file__).parent
    names = {effect.__name__ for effect in EFFECTS}
    for file in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                called = getattr(node.func, "id", getattr(node.func, "attr", ""))
                for number, argument in enumerate(node.args):
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                        looks = argument.value[:1].isupper() and "-" in argument.value and " " not in argument.value
                        if looks or (called in names and number == 0):
                            found.setdefault(argument.value, f"{file.name}:{node.lineno}")
    return found


def test_every_step_id_stands_in_the_description() -> None:
    found = steps_in_the_code()
    del found[""]  # a statement inside a transaction goes by the step of the transaction
    assert {step: place for step, place in found.items() if step not in STEPS} == {}
    assert len(found) > 50


def test_every_effect_that_is_done_has_one() -> None:
    one = Template([resource("A", {"p": 1}, {"r": 1}), resource("B", {"p": Attr("A", "p")})])
    two = Template([resource("A", {"p": 1}, {"r": 2}), resource("B", {"p": Attr("A", "p")})])
    world = by_default(World(Heat(), scenario(create(one), update(two), Operation("check"), Operation("delete"))))
    done = {entry.before.effect.step for entry in world.log if entry.before is not None and entry.before.effect is not None}
    assert done | set(meter(world).by("step")) <= STEPS
    assert len(done) > 40
