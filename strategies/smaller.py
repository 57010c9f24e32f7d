"""Scenarios with one part less: without a fault, an operation, a resource, an engine, a thread, or with something simpler in a template."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from heatproof.model.errors import HeatproofError
from heatproof.model.scenario import Operation, Scenario, Scope, names_nothing
from heatproof.model.templates import Attr, Ref, ResourceDef, Template


def smaller_scenarios(scenario: Scenario) -> Iterator[Scenario]:
    """Scenarios with one part less, the largest parts first. None lets an operation name a resource that is gone: as a case it
    could not be read."""
    known = names_nothing(scenario.operations) is None

    def attempt(make: Callable[[], Scenario]) -> Iterator[Scenario]:
        try:
            smaller = make()
        except HeatproofError:
            return
        if not known or names_nothing(smaller.operations) is None:
            yield smaller

    operations = scenario.operations
    for index in reversed(range(len(operations) if len(operations) > 1 else 0)):
        yield from attempt(lambda index=index: replace(scenario, operations=operations[:index] + operations[index + 1 :]))  # type: ignore[misc]
    for shorter in _begun_later(operations):
        yield from attempt(lambda shorter=shorter: replace(scenario, operations=shorter))  # type: ignore[misc]
    for kind, count in scenario.faults.items():
        yield replace(scenario, faults={**scenario.faults, kind: count - 1})
    names = sorted({n for o in operations if o.template is not None for n in o.template.names}, reverse=True)
    for name in names:
        yield from attempt(lambda name=name: replace(scenario, operations=tuple(_without(o, name) for o in operations)))  # type: ignore[misc]
    for index, operation in enumerate(operations):
        if operation.template is not None:
            for name in reversed(operation.template.names):
                changed = (*operations[:index], _without(operation, name), *operations[index + 1 :])
                yield from attempt(lambda changed=changed: replace(scenario, operations=changed))  # type: ignore[misc]
    scope = scenario.scope
    if scope.engines > 1:
        yield replace(scenario, scope=Scope(scope.engines - 1, scope.threads, scope.reorder))
    if scope.threads > 1:
        yield replace(scenario, scope=Scope(scope.engines, scope.threads - 1, scope.reorder))
    for index, operation in enumerate(operations):
        for simpler in _simpler_operations(operation):
            yield replace(scenario, operations=(*operations[:index], simpler, *operations[index + 1 :]))
    for change in _everywhere(operations):
        if change == operations:  # an explicit dependency stays what it is
            continue
        yield from attempt(lambda change=change: replace(scenario, operations=change))  # type: ignore[misc]


def _begun_later(operations: tuple[Operation, ...]) -> Iterator[tuple[Operation, ...]]:
    """Without the create of a stack whose next operation is an update: that creates it instead."""
    for index, operation in enumerate(operations):
        if operation.kind == "create":
            mine = (n for n, later in enumerate(operations) if n > index and later.stack == operation.stack)
            following = next(mine, None)
            if following is not None and operations[following].kind == "update":
                begun = operations[following]._replace(kind="create")
                yield (*operations[:index], *operations[index + 1 : following], begun, *operations[following + 1 :])


def _without(operation: Operation, name: str) -> Operation:
    if operation.template is None:
        return operation
    kept = []
    for definition in operation.template.resources:
        if definition.name != name:
            kept.append(_unlinked(definition, name))
    return operation._replace(template=Template(kept))


def _unlinked(definition: ResourceDef, name: str) -> ResourceDef:
    """The definition with references to ``name`` made plain."""

    def plain(pairs: tuple[tuple[str, object], ...]) -> tuple[tuple[str, object], ...]:
        return tuple((k, 0 if isinstance(v, Ref | Attr) and v.resource == name else v) for k, v in pairs)

    return definition._replace(
        in_place=plain(definition.in_place), replace=plain(definition.replace),  # type: ignore[arg-type]
        depends_on=tuple(d for d in definition.depends_on if d != name),
    )  # fmt: skip


def _simpler_operations(operation: Operation) -> Iterator[Operation]:
    if operation.rollback:
        yield operation._replace(rollback=False)
    if operation.timeout:
        yield operation._replace(timeout=False)


def _everywhere(operations: tuple[Operation, ...]) -> Iterator[tuple[Operation, ...]]:
    """The same simplification of one resource in every template: no such property, no such dependency, nothing special."""
    definitions = [d for o in operations if o.template is not None for d in o.template.resources]
    for name in sorted({d.name for d in definitions}, reverse=True):
        mine = [d for d in definitions if d.name == name]
        for prop in sorted({p for d in mine for p, _ in d.properties}):
            yield _mapped(operations, name, lambda d, p=prop: _dropped(d, p))  # type: ignore[misc]
        for other in sorted({r for d in mine for r in d.requires()}):
            yield _mapped(operations, name, lambda d, r=other: _unlinked(d, r))  # type: ignore[misc]
            if any(other in d.requires() and d.depends_on != (other,) for d in mine):
                yield _mapped(operations, name, lambda d, r=other: _explicit(d, r))  # type: ignore[misc]
        if any(d.fails for d in mine):
            yield _mapped(operations, name, lambda d: d._replace(fails=()))
        if any(d.kind != "thing" for d in mine):
            yield _mapped(operations, name, lambda d: d._replace(kind="thing"))


def _explicit(definition: ResourceDef, other: str) -> ResourceDef:
    """The reference to ``other`` as a plain depends_on."""
    if other not in definition.requires():
        return definition
    unlinked = _unlinked(definition, other)
    return unlinked._replace(depends_on=tuple(sorted({*unlinked.depends_on, other})))


def _dropped(definition: ResourceDef, prop: str) -> ResourceDef:
    return definition._replace(
        in_place=tuple(p for p in definition.in_place if p[0] != prop), replace=tuple(p for p in definition.replace if p[0] != prop)
    )


def _mapped(operations: tuple[Operation, ...], name: str, change: Callable[[ResourceDef], ResourceDef]) -> tuple[Operation, ...]:
    return tuple(
        o if o.template is None else o._replace(template=Template(change(d) if d.name == name else d for d in o.template.resources))
        for o in operations
    )


def weight(scenario: Scenario) -> int:
    """How much there is in the templates and options beside the resources themselves."""
    definitions = [r for o in scenario.operations if o.template is not None for r in o.template.resources]
    parts = sum(
        len(r.properties) + len(r.depends_on) + len(r.fails) + (r.kind != "thing")
        + 2 * sum(isinstance(v, Ref | Attr) for _, v in r.properties)
        for r in definitions
    )  # fmt: skip
    return parts + sum(o.rollback + o.timeout for o in scenario.operations)


__all__ = ["smaller_scenarios", "weight"]
