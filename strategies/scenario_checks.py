"""What a scenario file can ask of the outcome: ``reality``, ``test`` and ``verify``, as in Heat's own framework.

There ``reality`` is read off the rows of the database; here it is the physical reality of the model, whatever the records say.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from heatproof.model.errors import ScenarioError
from heatproof.model.reality import Physical
from heatproof.model.templates import Attr, Plain, Ref, Template


class Thing:
    """A physical resource as a script sees it. Two are equal if they are the same physical resource, whatever happened to it.

    Heat's files ask for ``uuid`` and ``name``; ``logical_name`` is the word of the prototype.
    """

    script_face = frozenset({"uuid", "id", "physical_resource_id", "name", "logical_name", "properties"})

    def __init__(self, physical: Physical):
        self.uuid = self.id = self.physical_resource_id = physical.id
        self.name = self.logical_name = physical.name
        self.properties: dict[str, Plain] = dict(physical.spec.properties)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Thing) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return self.id


class Reality:
    """``reality``: the physical resources that exist. ``look`` gives those of the world once there is one."""

    script_face = frozenset({"resources_by_logical_name", "all_resources", "resource_properties"})

    def __init__(self) -> None:
        self.look: Callable[[], Iterable[Physical]] | None = None

    def all_resources(self) -> list[Thing]:
        """All of them."""
        if self.look is None:
            raise ScenarioError("nothing has run yet: put this into a function and queue it with engine.call(function)")
        return [Thing(physical) for physical in self.look()]

    def resources_by_logical_name(self, logical_name: str) -> list[Thing]:
        """Those of one name in the template."""
        return [thing for thing in self.all_resources() if thing.name == logical_name]

    def resource_properties(self, res: Thing, prop_name: str) -> Plain:
        """The value of one property; None if it has no such property."""
        return res.properties.get(prop_name)


class _Assertion(NamedTuple):
    """How many values it takes, what must hold of them, and what is said if it does not."""

    values: int
    holds: Callable[..., Any]
    text: str


_EQUAL = _Assertion(2, operator.eq, "{0} != {1}")
ASSERTIONS: Mapping[str, _Assertion] = {
    "assertEqual": _EQUAL,
    "assertListEqual": _EQUAL,
    "assertTupleEqual": _EQUAL,
    "assertSequenceEqual": _EQUAL,
    "assertSetEqual": _EQUAL,
    "assertDictEqual": _EQUAL,
    "assertNotEqual": _Assertion(2, operator.ne, "{0} == {1}"),
    "assertTrue": _Assertion(1, bool, "{0} is not true"),
    "assertFalse": _Assertion(1, operator.not_, "{0} is not false"),
    "assertIs": _Assertion(2, operator.is_, "{0} is not {1}"),
    "assertIsNot": _Assertion(2, operator.is_not, "unexpectedly identical: {0}"),
    "assertIsNone": _Assertion(1, lambda value: value is None, "{0} is not None"),
    "assertIsNotNone": _Assertion(1, lambda value: value is not None, "unexpectedly None"),
    "assertIn": _Assertion(2, lambda one, many: one in many, "{0} not found in {1}"),
    "assertNotIn": _Assertion(2, lambda one, many: one not in many, "{0} unexpectedly found in {1}"),
    "assertGreater": _Assertion(2, operator.gt, "{0} not greater than {1}"),
    "assertGreaterEqual": _Assertion(2, operator.ge, "{0} not greater than or equal to {1}"),
    "assertLess": _Assertion(2, operator.lt, "{0} not less than {1}"),
    "assertLessEqual": _Assertion(2, operator.le, "{0} not less than or equal to {1}"),
    "assertCountEqual": _Assertion(2, lambda a, b: Counter(a) == Counter(b), "the elements of {0} are not those of {1}"),
}


class Assertions:
    """``test``: those assertions of a ``unittest.TestCase`` that compare values. ``made`` counts them."""

    script_face = frozenset({*ASSERTIONS, "fail"})

    def __init__(self, reality: Reality):
        self.made = 0
        self._reality = reality

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name not in ASSERTIONS:
            raise AttributeError(name)
        return partial(self._assert, name)

    def _assert(self, name: str, *values: Any, msg: object = None) -> None:
        wanted, holds, text = ASSERTIONS[name]
        if len(values) == wanted + 1:
            *values, msg = values  # type: ignore[assignment]
        if len(values) != wanted:
            raise ScenarioError(f"{name} takes {wanted} values and a message, not {len(values)}")
        self._begin()
        if not holds(*values):
            told = text.format(*map(_shown, values))
            raise AssertionError(told if msg is None else f"{told} : {msg}")

    def fail(self, msg: object = None) -> None:
        """Fail."""
        self._begin()
        raise AssertionError("failed" if msg is None else str(msg))

    def _begin(self) -> None:
        if self._reality.look is None:
            raise ScenarioError("nothing has run yet: put this into a function and queue it with engine.call(function)")
        self.made += 1


def _shown(value: object) -> str:
    text = repr(sorted(value, key=repr) if isinstance(value, set | frozenset) else value)
    return text if len(text) <= 400 else f"{text[:400]}..."


def verify(test: Assertions, reality: Reality, goal: Template) -> None:
    """That reality is what the template says: each resource once, with its properties and no others, and nothing else."""
    same, called = test.assertEqual, reality.resources_by_logical_name
    for name in goal.names:
        count = len(called(name))
        same(1, count, f'Found {count} copies of resource "{name}"')
    for definition in goal.resources:
        name = definition.name
        (thing,) = called(name)
        for prop, value in definition.properties:
            wanted = value
            if isinstance(value, Ref | Attr):
                (target,) = called(value.resource)
                wanted = target.id if isinstance(value, Ref) else target.properties[value.attribute]
            same(wanted, thing.properties.get(prop), f"Unexpected value for {name} prop {prop}")
        same(len(definition.properties), len(thing.properties), f"Unexpected number of properties of {name}")
    same(set(goal.names), {thing.name for thing in reality.all_resources()})


__all__ = ["ASSERTIONS", "Assertions", "Reality", "Thing", "verify"]
