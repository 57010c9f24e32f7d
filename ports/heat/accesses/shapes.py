"""Templates of four shapes and any size, and the operations on them whose cost is asked for."""

from __future__ import annotations

from collections.abc import Callable

from heatproof.model.errors import ScenarioError
from heatproof.model.scenario import Operation, Scenario, create, scenario, update
from heatproof.model.templates import Ref, Template, resource


def _chain(number: int, size: int) -> tuple[int, ...]:
    return (number - 1,) if number else ()


def _tree(number: int, size: int) -> tuple[int, ...]:
    return ((number - 1) // 2,) if number else ()


def _fan_in(number: int, size: int) -> tuple[int, ...]:
    return tuple(range(number)) if number == size - 1 else ()


def _flat(number: int, size: int) -> tuple[int, ...]:
    return ()


SHAPES: dict[str, Callable[[int, int], tuple[int, ...]]] = {"chain": _chain, "tree": _tree, "fan-in": _fan_in, "flat": _flat}
"""Which resources (by their numbers, from 0) resource ``number`` of ``size`` refers to. chain: the one before; tree: its parent in a binary
tree; fan-in: the last one refers to all others; flat: none."""


def template(shape: str, size: int, in_place: int = 1, replace: int = 1, text: int = 0) -> Template:
    """A template of ``size`` resources. Each has a property that can be changed in place and one whose change forces a replacement, and
    refers to others by further ones; with ``text`` it has a property more, of so many characters, as definitions of real resources are
    longer. Raises :class:`ScenarioError` for an unknown shape and for a size below 1."""
    if shape not in SHAPES:
        raise ScenarioError(f"unknown shape {shape!r}; known are {', '.join(SHAPES)}")
    if size < 1:
        raise ScenarioError(f"a template of this shape has at least one resource, not {size}")
    width = len(str(size - 1))

    def name(number: int) -> str:
        return f"R{number:0{width}}"

    return Template(
        resource(
            name(number),
            {"value": in_place, **{f"to_{name(other)}": Ref(name(other)) for other in SHAPES[shape](number, size)}},
            {"fixed": replace, **({"text": "x" * text} if text else {})},
        )
        for number in range(size)
    )


OPERATIONS = {
    "create": "the stack is created",
    "unchanged": "an update to the same template",
    "in-place": "an update that changes every resource in place",
    "replacement": "an update that replaces every resource",
    "delete": "the stack is deleted",
}
"""The operations, with a sentence each. All but the first come after a create that has come to rest."""


def asked(operation: str, shape: str, size: int, text: int = 0) -> Scenario:
    """The scenario in which ``operation`` comes last, on templates as :func:`template` makes them.

    Raises :class:`ScenarioError` for an unknown operation, shape or size."""
    first = create(template(shape, size, text=text))
    if operation not in OPERATIONS:
        raise ScenarioError(f"unknown operation {operation!r}; known are {', '.join(OPERATIONS)}")
    if operation == "create":
        return scenario(first)
    if operation == "delete":
        return scenario(first, Operation("delete"))
    goal = template(shape, size, 2 if operation == "in-place" else 1, 2 if operation == "replacement" else 1, text)
    return scenario(first, update(goal))


__all__ = ["OPERATIONS", "SHAPES", "asked", "template"]
