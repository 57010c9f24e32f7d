"""Facts that several properties ask for: which physical resource serves a name, what it ought to look like, who is older."""

from __future__ import annotations

from collections.abc import Iterator

from heatproof.model.observation import Attr, Observation, Physical, Ref, ResourceDef, StackView, Template


def goal(observation: Observation, stack: StackView) -> Template | None:
    """The goal template of a stack, or None if it is not stored."""
    row = observation.templates.get(stack.template)
    return None if row is None else row.content


def things(observation: Observation, stack: str) -> list[Physical]:
    """The physical resources of a stack, in order of id."""
    return [thing for _, thing in sorted(observation.reality.items()) if thing.spec.stack == stack]


def serving(observation: Observation, stack: StackView, name: str) -> Physical | None:
    """The physical resource that serves ``name``: of those known to a row that is not deleted, one at the goal template if
    there is one."""
    best: Physical | None = None
    for row in observation.resources.values():
        if row.name != name or row.stack != stack.id or row.physical is None:
            continue
        if row.action == "DELETE" and row.status == "COMPLETE":
            continue
        thing = observation.reality.get(row.physical)
        if thing is not None and (best is None or row.template == stack.template):
            best = thing
            if row.template == stack.template:
                return best
    return best


def wanted(observation: Observation, stack: StackView, definition: ResourceDef) -> dict[str, object]:
    """The properties that a resource ought to have now, with references to what serves the other names now."""

    def value_of(value: Ref | Attr) -> str | int | bool | None:
        thing = serving(observation, stack, value.resource)
        if thing is None:
            return None
        return thing.id if isinstance(value, Ref) else dict(thing.spec.properties).get(value.attribute)

    return dict(definition.resolve(value_of))


def as_wanted(observation: Observation, stack: StackView, definition: ResourceDef, thing: Physical) -> bool:
    """Whether a physical resource is what its definition says."""
    return thing.spec.kind == definition.kind and dict(thing.spec.properties) == wanted(observation, stack, definition)


def complete(observation: Observation) -> Iterator[tuple[StackView, Template]]:
    """The stacks that claim to be in line with their template, with that template."""
    for _, stack in sorted(observation.stacks.items()):
        if claims_convergence(stack):
            template = goal(observation, stack)
            if template is not None:
                yield stack, template


def claims_convergence(stack: StackView) -> bool:
    """Whether the stack says that its template holds."""
    return not stack.deleted and stack.status == "COMPLETE" and stack.action in ("CREATE", "UPDATE", "ROLLBACK")


def busy(stack: StackView) -> bool:
    """Whether an operation is in progress on the stack."""
    return not stack.deleted and stack.status == "IN_PROGRESS"
