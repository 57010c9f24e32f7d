"""Scenarios: what is asked of a target and under which conditions. Values only; nothing here runs.

A scenario holds everything but the order of events: that is the schedule's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from heatproof.model.errors import ScenarioError
from heatproof.model.templates import Template

KINDS = ("create", "update", "delete", "rollback", "cancel", "check", "signal", "mark unhealthy")
"""What a user can ask. ``rollback`` is cancel with rollback; ``cancel`` leaves everything where it is."""


class Operation(NamedTuple):
    """One thing a user asks.

    ``template`` is the goal of create and update; ``resource`` the name that signal and mark unhealthy are about;
    ``rollback``: whether a failure rolls back on its own; ``timeout``: whether the operation has a time limit at all.
    """

    kind: str
    template: Template | None = None
    resource: str | None = None
    rollback: bool = False
    timeout: bool = False
    stack: str = "S"

    def __str__(self) -> str:
        extra = [self.resource] if self.resource else []
        if self.template is not None:
            extra.append("{" + ", ".join(self.template.order) + "}")
        if self.rollback:
            extra.append("rollback on failure")
        if self.timeout:
            extra.append("with a time limit")
        return " ".join([self.kind, *extra])


class Scope(NamedTuple):
    """How many engines there are, how many messages each can work on at once, and whether messages may overtake each other."""

    engines: int = 2
    threads: int = 2
    reorder: bool = True


@dataclass(frozen=True, slots=True)
class Scenario:
    """Operations in the order they are issued, the scope, and how many faults of each kind may be injected.

    Raises :class:`ScenarioError` where no target could run it.
    """

    operations: tuple[Operation, ...]
    scope: Scope = Scope()
    faults: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", tuple(self.operations))
        faults: Any = self.faults
        if not isinstance(faults, Mapping) or not all(isinstance(count, int) for count in faults.values()):
            raise ScenarioError(f"the faults of a scenario are a number for each kind, such as {{'crash': 1}}, not {faults!r:.80}")
        object.__setattr__(self, "faults", MappingProxyType({k: n for k, n in sorted(self.faults.items()) if n}))
        sizes: tuple[Any, ...] = self.scope[:2]
        if not all(isinstance(count, int) and count >= 1 for count in sizes):
            raise ScenarioError(
                f"a scope needs at least one engine and one thread, not {self.scope.engines!r} and {self.scope.threads!r}"
            )
        known: set[str] = set()
        for number, operation in enumerate(self.operations, 1):
            if not isinstance(operation, Operation):
                raise ScenarioError(
                    f"operation {number} is {operation!r:.80}, which is none; make it with create(...), update(...) or Operation(...)"
                )
            where = f"operation {number} ({operation.kind})"
            if operation.kind not in KINDS:
                raise ScenarioError(f"operation {number}: unknown kind {operation.kind!r}; known are {', '.join(KINDS)}")
            if operation.kind in ("create", "update") and operation.template is None:
                raise ScenarioError(f"{where} needs a template")
            if operation.kind in ("signal", "mark unhealthy") and operation.resource is None:
                raise ScenarioError(f"{where} needs the name of a resource")
            if operation.kind == "create":
                if operation.stack in known:
                    raise ScenarioError(f"{where}: stack {operation.stack!r} is created twice; use update")
                known.add(operation.stack)
            elif operation.stack not in known:
                raise ScenarioError(f"{where} comes before the create of stack {operation.stack!r}")

    def __hash__(self) -> int:
        return hash((self.operations, self.scope, tuple(self.faults.items())))

    def __reduce__(self) -> tuple[object, ...]:
        return (Scenario, (self.operations, self.scope, dict(self.faults)))

    @property
    def size(self) -> int:
        """The number of different resource names in all templates."""
        return len({name for o in self.operations if o.template is not None for name in o.template.names})


def names_nothing(operations: Iterable[Operation]) -> tuple[int, Operation, frozenset[str]] | None:
    """The first operation, counted from 0, that names a resource which no template of its stack had so far, with the names that these
    had; or None. A target answers it with a refusal; as a stored case it would be a slip of the pen."""
    names: dict[str, set[str]] = {}
    for number, operation in enumerate(operations):
        known = names.setdefault(operation.stack, set())
        if operation.template is not None:
            known.update(operation.template.names)
        if operation.resource is not None and operation.resource not in known:
            return number, operation, frozenset(known)
    return None


def scenario(
    *operations: Operation,
    engines: int = 2,
    threads: int = 2,
    reorder: bool = True,
    faults: Mapping[str, int] | None = None,
) -> Scenario:
    """A scenario with its scope written flat."""
    return Scenario(operations, Scope(engines, threads, reorder), faults or {})


def create(template: Template | Iterable[object], **options: object) -> Operation:
    """A create operation."""
    return _templated("create", template, options)


def update(template: Template | Iterable[object], **options: object) -> Operation:
    """An update operation."""
    return _templated("update", template, options)


def _templated(kind: str, template: object, options: Mapping[str, object]) -> Operation:
    goal = template if isinstance(template, Template) else Template(template)  # type: ignore[arg-type]
    return Operation(kind, goal, **options)  # type: ignore[arg-type]
