"""What must hold of every physical operation at the moment it begins or ends."""

from __future__ import annotations

from heatproof.model.observation import Change, Observation, Physical, StackView
from heatproof.properties.base import DATABASE, DRIFT, EVERY, Witness, always, witness
from heatproof.properties.facts import as_wanted, goal

REALITY = ("reality",)


def _begun(change: Change, *operations: str) -> Physical | None:
    """The thing on which one of these operations has just begun, or None."""
    new, old = change.new, change.old
    if new is None or not new.busy or (old is not None and len(old.busy) >= len(new.busy)):
        return None
    thing: Physical = new
    return thing if new.busy[-1].operation in operations else None


def _stack(observation: Observation, thing: Physical) -> StackView | None:
    return observation.stacks.get(thing.spec.stack)


@always(
    "one worker at a time",
    "No two tasks have an operation in progress on the same physical resource.",
    REALITY,
    EVERY - {"false-dead"},
    kinds=("* at once",),
)
def one_worker(observation: Observation, change: Change) -> Witness | None:
    """P5."""
    if change.new is None or len(change.new.busy) < 2:
        return None
    working = [b for b in change.new.busy if b.task]
    if len(working) < 2:
        return None
    kinds = " and ".join(sorted(b.operation for b in working[-2:]))
    return witness(f"{kinds} at once", physical=change.key, tasks=[b.task for b in working])


@always(
    "requirements first on create",
    "A physical create begins only when every requirement exists and is healthy.",
    REALITY,
    EVERY - DRIFT,
    kinds=("requirement missing", "requirement not ready"),
)
def requirements_first(observation: Observation, change: Change) -> Witness | None:
    """P11, as it happened physically."""
    thing = _begun(change, "create")
    if thing is None or change.old is not None:
        return None
    return _requirement_missing(observation, thing, thing.busy[-1].cause)


@always(
    "requirements first on update",
    "A physical update begins only when every requirement exists and is healthy.",
    REALITY,
    EVERY - DRIFT,
    kinds=("requirement missing", "requirement not ready"),
)
def requirements_first_on_update(observation: Observation, change: Change) -> Witness | None:
    """P11, as it happened physically."""
    thing = _begun(change, "update")
    return None if thing is None else _requirement_missing(observation, thing, thing.busy[-1].cause)


def _requirement_missing(observation: Observation, thing: Physical, cause: str | None) -> Witness | None:
    stack = _stack(observation, thing)
    if stack is None or stack.traversal != cause:
        return None
    template = goal(observation, stack)
    definition = template.get(thing.name) if template is not None else None
    if definition is None:
        return None
    for name in definition.requires():
        there = [other for other in observation.reality.values() if other.name == name and other.spec.stack == stack.id]
        if not there:
            return witness("requirement missing", resource=thing.name, requires=name)
        if not any(other.state == "healthy" for other in there):
            return witness("requirement not ready", resource=thing.name, requires=name, state=there[-1].state)
    return None


@always(
    "requirements are up to date",
    "A create or update by the traversal that owns the stack begins only after every requirement was brought to its goal.",
    REALITY,
    kinds=("requirement still at another template",),
)
def requirements_up_to_date(observation: Observation, change: Change) -> Witness | None:
    """P11: a node is processed only after its predecessors."""
    thing = _begun(change, "create", "update")
    stack = None if thing is None else _stack(observation, thing)
    if thing is None or stack is None or stack.traversal != thing.busy[-1].cause or stack.action == "CHECK":
        return None
    template = goal(observation, stack)
    definition = template.get(thing.name) if template is not None else None
    for name in definition.requires() if definition is not None else ():
        rows = [r for r in observation.resources.values() if r.name == name and r.stack == stack.id]
        if not any(r.template == stack.template and r.physical is not None for r in rows):
            return witness("requirement still at another template", resource=thing.name, requires=name, rows=[r.id for r in rows])
    return None


@always(
    "references are good",
    "What a create or update refers to exists when it begins.",
    REALITY,
    EVERY - DRIFT - {"not-found"},
    kinds=("refers to what is gone",),
)
def references_good(observation: Observation, change: Change) -> Witness | None:
    """P11: with the data of its predecessors."""
    thing = _begun(change, "create", "update")
    stack = None if thing is None else _stack(observation, thing)
    if thing is None or stack is None or stack.traversal != thing.busy[-1].cause:
        return None
    spec = thing.busy[-1].spec
    for other in spec.requires if spec is not None else ():
        if other not in observation.reality:
            return witness("refers to what is gone", resource=thing.name, physical=thing.id, refers_to=other)
    return None


def _does_without(observation: Observation, thing: Physical, name: str) -> bool:
    """Whether the row of a thing has been brought to a template in which it does not come after ``name``: where its properties are the same
    as before, nothing was done with the thing itself for that."""
    for row in observation.resources.values():
        if row.physical == thing.id and row.template is not None and row.template in observation.templates:
            definition = observation.templates[row.template].content.get(thing.name)
            return definition is not None and name not in definition.requires()
    return False


@always(
    "dependents first on delete",
    "A physical delete begins only when no other physical resource refers to it, and when none comes after"
    " it that another of its name does not stand in for, or did until something happened to that behind the record.",
    REALITY,
    kinds=("still referred to", "a dependent still exists"),
)
def dependents_first(observation: Observation, change: Change) -> Witness | None:
    """P3. Drift excuses only what had a stand-in when it struck."""
    _note_lost(observation, change)
    thing = _begun(change, "delete")
    if thing is None:
        return None
    for other in observation.reality.values():
        if other.id != thing.id and thing.id in other.spec.requires:
            return witness("still referred to", physical=thing.id, dependent=other.id, state=other.state)
    for other in observation.reality.values():
        same = other.spec.stack == thing.spec.stack and thing.name in other.spec.after
        if same and not _does_without(observation, other, thing.name) and not _stood_in_for(observation, thing):
            return witness("a dependent still exists", physical=thing.id, dependent=other.id, state=other.state)
    return None


def _siblings(observation: Observation, thing: Physical) -> list[Physical]:
    """The other physical resources of its name."""
    return [
        o for o in observation.reality.values() if o.name == thing.name and o.id != thing.id and o.spec.stack == thing.spec.stack
    ]


def _stood_in_for(observation: Observation, thing: Physical) -> bool:
    """Whether another of its name is healthy, or was beside it until it was lost."""
    lost = observation.memory.get(("stand-in lost", thing.id), False)
    return lost or any(other.state == "healthy" for other in _siblings(observation, thing))


def _note_lost(observation: Observation, change: Change) -> None:
    """Note for which things a healthy one that vanishes or sickens has stood in, until there is another that does."""
    old, new = change.old, change.new
    if new is not None and new.state == "healthy" and (old is None or old.state != "healthy"):
        for other in _siblings(observation, new):
            if observation.memory.get(("stand-in lost", other.id)):
                observation.remember(("stand-in lost", other.id), False)
    if old is None or old.state != "healthy" or (new is not None and new.state != "unhealthy"):
        return
    if not any(busy.operation == "delete" for busy in old.busy):  # else it has not been lost
        for other in _siblings(observation, old):
            observation.remember(("stand-in lost", other.id), True)


@always(
    "a newer traversal is not undone",
    "No operation begins for a traversal that is older than the one that last changed the resource.",
    (*REALITY, "stack"),
    kinds=("* by an older traversal",),
)
def not_undone(observation: Observation, change: Change) -> Witness | None:
    """The order of traversals is the order in which they came to own the stack."""
    if change.aspect == "stack":
        new = change.new
        if new is not None and new.traversal and ("order", new.traversal) not in observation.memory:
            observation.remember(("order", new.traversal), len(observation.memory))
        return None
    thing = _begun(change, "update", "delete")
    if thing is None:
        return None
    order = observation.memory
    mine, theirs = order.get(("order", thing.busy[-1].cause)), order.get(("order", thing.changed_by))
    if mine is not None and theirs is not None and mine < theirs:
        return witness(
            f"{thing.busy[-1].operation} by an older traversal", physical=thing.id, by=thing.busy[-1].cause, newer=thing.changed_by
        )
    return None


@always("created once", "A row gets a second physical resource only when its first is gone.", REALITY, kinds=("two for one row",))
def created_once(observation: Observation, change: Change) -> Witness | None:
    """P6."""
    thing = _begun(change, "create")
    if thing is None or change.old is not None:
        return None
    for other in observation.reality.values():
        if other.id != thing.id and other.owner == thing.owner:
            return witness("two for one row", row=thing.owner, first=other.id, second=thing.id)
    return None


@always(
    "one replacement a traversal",
    "A traversal makes a second physical resource for a name only if the first is not healthy.",
    REALITY,
    EVERY - DRIFT,
    kinds=("two in one traversal",),
)
def one_replacement(observation: Observation, change: Change) -> Witness | None:
    """P6: once per needed replacement."""
    thing = _begun(change, "create")
    if thing is None or change.old is not None:
        return None
    for other in observation.reality.values():
        same = other.name == thing.name and other.made_by == thing.made_by and other.spec.stack == thing.spec.stack
        if same and other.id != thing.id and other.owner != thing.owner and other.state in ("healthy", "creating"):
            return witness("two in one traversal", resource=thing.name, first=other.id, second=thing.id, traversal=thing.made_by)
    return None


@always(
    "nothing is made for a deleted stack",
    "No physical create begins for a stack whose delete is COMPLETE.",
    REALITY,
    kinds=("create for a deleted stack",),
)
def nothing_for_deleted(observation: Observation, change: Change) -> Witness | None:
    """A worker that had loaded before the delete must not go on."""
    thing = _begun(change, "create")
    stack = None if thing is None else _stack(observation, thing)
    if thing is None or stack is None or change.old is not None:
        return None
    if stack.deleted or (stack.action == "DELETE" and stack.status == "COMPLETE"):
        return witness("create for a deleted stack", physical=thing.id, traversal=thing.made_by)
    return None


@always(
    "what is well stays untouched",
    "A healthy resource that is as its unchanged definition says is neither updated nor replaced nor deleted.",
    REALITY,
    EVERY - DRIFT - DATABASE,
    kinds=("replaced", "updated", "deleted"),
)
def untouched(observation: Observation, change: Change) -> Witness | None:
    """P8. A row that is FAILED (also because a user marked it unhealthy) is not well."""
    thing = _begun(change, "update", "delete", "create")
    stack = None if thing is None else _stack(observation, thing)
    if (
        thing is None
        or stack is None
        or stack.traversal != thing.busy[-1].cause
        or stack.action not in ("CREATE", "UPDATE", "ROLLBACK")
    ):
        return None
    template = goal(observation, stack)
    definition = template.get(thing.name) if template is not None else None
    if definition is None:
        return None
    operation = thing.busy[-1].operation
    for row in observation.resources.values():
        if row.name != thing.name or row.stack != stack.id or row.physical is None:
            continue
        healthy = observation.reality.get(row.physical)
        if operation == "create":
            if row.status != "COMPLETE" or row.action == "DELETE" or healthy is None or healthy.busy:
                continue
        elif healthy is not thing or row.action == "CHECK":
            continue
        before = observation.templates.get(row.template) if row.template is not None else None
        old = before.content.get(thing.name) if before is not None else None
        if (
            healthy.state == "healthy"
            and not healthy.drifted
            and old == definition
            and as_wanted(observation, stack, definition, healthy)
        ):
            if operation == "delete" and _another(observation, stack, healthy):
                continue
            done = {"create": "replaced", "update": "updated", "delete": "deleted"}[operation]
            return witness(done, resource=thing.name, physical=healthy.id, traversal=stack.traversal)
    return None


def _another(observation: Observation, stack: StackView, thing: Physical) -> bool:
    """Whether another healthy physical resource serves the same name."""
    return any(
        o.name == thing.name and o.id != thing.id and o.state == "healthy" and o.spec.stack == stack.id
        for o in observation.reality.values()
    )


ACTING = (
    one_worker, requirements_first, requirements_first_on_update, requirements_up_to_date, references_good, dependents_first,
    not_undone, created_once, one_replacement, nothing_for_deleted, untouched,
)  # fmt: skip
