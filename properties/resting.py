"""What must hold when nothing can happen any more: nothing waits, nothing is left over, what was asked was done."""

from __future__ import annotations

from collections.abc import Iterator

from heatproof.model.observation import Change, Observation, Request, ResourceView, StackView, Template
from heatproof.properties.base import ANOMALIES, DATABASE, DRIFT, EVERY, MESSAGES, PHYSICAL, TIME, Witness, always, at_rest, witness
from heatproof.properties.facts import busy, claims_convergence, complete, goal

PROGRESS = PHYSICAL | TIME | DRIFT | {"pause", "stall", "restart"}
"""Faults that no design may be stopped by; the others only stop one that claims to survive them."""


def _rows(observation: Observation, stack: StackView) -> list[ResourceView]:
    return [row for _, row in sorted(observation.resources.items()) if row.stack == stack.id]


@at_rest(
    "rest: no operation hangs",
    "At rest no stack is IN_PROGRESS.",
    PROGRESS,
    kinds=("* hangs, a lock is held", "* hangs, sync points wait", "* hangs, nothing to wait for"),
)
def nothing_hangs(observation: Observation) -> Iterator[Witness]:
    """P1."""
    for _, stack in sorted(observation.stacks.items()):
        if busy(stack):
            locked = [row.id for row in _rows(observation, stack) if row.engine is not None]
            waiting = sum(1 for point in observation.sync_points.values() if point.traversal == stack.traversal)
            kind = "a lock is held" if locked else ("sync points wait" if waiting else "nothing to wait for")
            yield witness(
                f"{stack.action} hangs, {kind}", stack=stack.id, traversal=stack.traversal, locked=locked, sync_points=waiting
            )


@at_rest(
    "rest: no lock of a live engine",
    "At rest no row is locked by an engine that lives.",
    EVERY - {"crash"},
    kinds=("locked by a live engine",),
)
def no_live_lock(observation: Observation) -> Iterator[Witness]:
    """P7."""
    for key, row in sorted(observation.resources.items()):
        if row.engine is not None and row.engine in observation.engines:
            yield witness("locked by a live engine", row=key, engine=row.engine, state=f"{row.action} {row.status}")


@at_rest(
    "rest: no lock of a dead engine",
    "At rest no row is locked by an engine that is gone.",
    EVERY - {"crash"},
    kinds=("locked by a dead engine",),
)
def no_dead_lock(observation: Observation) -> Iterator[Witness]:
    """P7: only a design that survives crashes is asked."""
    for key, row in sorted(observation.resources.items()):
        if row.engine is not None and row.engine not in observation.engines:
            yield witness("locked by a dead engine", row=key, engine=row.engine)


@at_rest("rest: no half-done row", "At rest no row is IN_PROGRESS.", PROGRESS, kinds=("* IN_PROGRESS",))
def no_half_done(observation: Observation) -> Iterator[Witness]:
    """P7: state and lock go together."""
    for key, row in sorted(observation.resources.items()):
        if row.status == "IN_PROGRESS":
            yield witness(f"{row.action} IN_PROGRESS", row=key, engine=row.engine)


@at_rest(
    "rest: everything physical is known",
    "At rest every physical resource is known to a row.",
    PROGRESS | MESSAGES,
    kinds=("known to nobody",),
)
def all_known(observation: Observation) -> Iterator[Witness]:
    """P4."""
    known = {row.physical for row in observation.resources.values()}
    for key, thing in sorted(observation.reality.items()):
        if key not in known:
            yield witness("known to nobody", physical=key, resource=thing.name, made_by=thing.made_by)


@at_rest(
    "rest: rows tell the truth",
    "At rest the physical resource that a COMPLETE row names exists and is healthy.",
    EVERY - DRIFT - {"crash"},
    kinds=("names what is not there", "names what is not healthy"),
)
def rows_true(observation: Observation) -> Iterator[Witness]:
    """A row that says COMPLETE after anything but DELETE vouches for its physical resource."""
    for key, row in sorted(observation.resources.items()):
        if row.status == "COMPLETE" and row.action in ("CREATE", "UPDATE") and row.engine is None:
            thing = observation.reality.get(row.physical) if row.physical is not None else None
            if thing is None:
                yield witness("names what is not there", row=key, physical=row.physical, state=f"{row.action} {row.status}")
            elif thing.state != "healthy":
                yield witness("names what is not healthy", row=key, physical=row.physical, state=thing.state)


@at_rest("rest: no sync points", "At rest no sync point is left.", PROGRESS, kinds=("sync point left over",))
def no_sync_points(observation: Observation) -> Iterator[Witness]:
    """P12. Where an operation hangs its sync points are no garbage."""
    for key, point in sorted(observation.sync_points.items(), key=lambda item: str(item[0])):
        stack = observation.stacks.get(point.stack)
        if stack is None or not (busy(stack) and stack.traversal == point.traversal):
            yield witness("sync point left over", sync_point=key, stack=None if stack is None else f"{stack.action} {stack.status}")


@at_rest(
    "rest: no superfluous rows",
    "At rest, if the stack is COMPLETE, each name of the template has one row and there are no others.",
    PROGRESS,
    kinds=("tombstone", "row of another template", "never created", "second row of a name"),
)
def no_superfluous_rows(observation: Observation) -> Iterator[Witness]:
    """P12."""
    for stack, template in complete(observation):
        served: dict[str, str] = {}
        for row in sorted(_rows(observation, stack), key=lambda r: (r.template != stack.template, r.physical is None, r.id)):
            state = f"{row.action} {row.status}"
            if row.action == "DELETE" and row.status == "COMPLETE":
                yield witness("tombstone", row=row.id)
            elif row.name not in template:
                yield witness("row of another template", row=row.id, state=state)
            elif row.name in served:
                kind = "never created" if row.action == "INIT" else "second row of a name"
                yield witness(kind, row=row.id, state=state, beside=served[row.name])
            else:
                served[row.name] = row.id


@at_rest(
    "rest: no superfluous templates",
    "At rest every stored template is the goal or the way back of a stack, or some row's.",
    PROGRESS,
    kinds=("template left over",),
)
def no_superfluous_templates(observation: Observation) -> Iterator[Witness]:
    """P12."""
    used: set[str | None] = {row.template for row in observation.resources.values()}
    for stack in observation.stacks.values():
        used.update((stack.template, stack.prev_template))
    for key in sorted(observation.templates):
        if key not in used:
            yield witness("template left over", template=key)


@at_rest(
    "rest: links lead somewhere",
    "At rest, if the stack is COMPLETE, no row says that it is replaced by or replaces a row that is gone.",
    PROGRESS,
    kinds=("replaced by what is gone", "replaces what is gone"),
)
def links_lead(observation: Observation) -> Iterator[Witness]:
    """What a later operation will follow."""
    for stack, _ in complete(observation):
        for row in _rows(observation, stack):
            if row.replaced_by is not None and row.replaced_by not in observation.resources:
                yield witness("replaced by what is gone", row=row.id, replaced_by=row.replaced_by)
            if row.replaces is not None and row.replaces not in observation.resources:
                yield witness("replaces what is gone", row=row.id, replaces=row.replaces)


@at_rest(
    "rest: requires is complete",
    "At rest, if the stack is COMPLETE, each row requires the rows whose physical resources its own depends on.",
    EVERY - DRIFT,
    kinds=("dependency not recorded",),
)
def requires_complete(observation: Observation) -> Iterator[Witness]:
    """I-6."""
    for stack, _ in complete(observation):
        owner = {row.physical: row.id for row in _rows(observation, stack) if row.physical is not None}
        for row in _rows(observation, stack):
            thing = observation.reality.get(row.physical) if row.physical is not None else None
            for other in thing.spec.requires if thing is not None else ():
                if other in owner and owner[other] not in row.requires:
                    yield witness("dependency not recorded", row=row.id, depends_on=owner[other], requires=row.requires)


@at_rest(
    "rest: a deleted stack leaves nothing",
    "At rest a stack whose delete is COMPLETE has no rows, no physical resources and is marked deleted.",
    PROGRESS,
    kinds=("physical resources left", "rows left", "not purged"),
)
def deleted_is_gone(observation: Observation) -> Iterator[Witness]:
    """P2, P12."""
    for key, stack in sorted(observation.stacks.items()):
        if not stack.deleted and not (stack.action == "DELETE" and stack.status == "COMPLETE"):
            continue
        left = sorted(p for p, thing in observation.reality.items() if thing.spec.stack == key)
        if left:
            yield witness("physical resources left", stack=key, physical=left)
        rows = [row.id for row in _rows(observation, stack)]
        if rows:
            yield witness("rows left", stack=key, rows=rows)
        if not stack.deleted:
            yield witness("not purged", stack=key, state=f"{stack.action} {stack.status}")


@at_rest(
    "rest: what was accepted took effect",
    "At rest the last accepted operation came to own the stack, unless a later one did.",
    PROGRESS,
    kinds=("accepted * without effect",),
    needs=("the goal is remembered",),
)
def took_effect(observation: Observation) -> Iterator[Witness]:
    """P10, I-9."""
    requests = [r for r in observation.requests if r.operation.kind in ("create", "update", "delete", "check")]
    for request in reversed(requests):
        if request.outcome != "accepted":
            continue
        if ("took effect", request.number) not in observation.memory:
            rivals = [r.number for r in observation.requests if r.number > request.number or r.number in request.beside]
            if not any(("took effect", number) in observation.memory for number in rivals):
                yield witness(
                    f"accepted {request.operation.kind} without effect", operation=f"{request.number} {request.operation}"
                )
        return


@always(
    "the goal is remembered",
    "The goal of a traversal does not change while it owns the stack.",
    ("stack",),
    kinds=("goal changed",),
)
def goal_is_fixed(observation: Observation, change: Change) -> Witness | None:
    """Also notes which operations took effect and which templates ever held, for what is asked at rest."""
    new: StackView | None = change.new
    old: StackView | None = change.old
    if new is None:
        return None
    template = goal(observation, new)
    if old is None or old.traversal != new.traversal:
        _note_effect(observation, new, template)
    elif template is not None and old.template != new.template:
        return witness("goal changed", traversal=new.traversal, before=old.template, after=new.template)
    if claims_convergence(new) and template is not None and not (old is not None and claims_convergence(old)):
        observation.remember(("held", new.id), template)
    return None


def _note_effect(observation: Observation, stack: StackView, template: Template | None) -> None:
    for request in observation.requests:
        operation = request.operation
        if ("took effect", request.number) in observation.memory or request.outcome == "refused":
            continue
        if operation.stack != stack.id or operation.kind.upper() != stack.action:
            continue
        if operation.template is not None and operation.template != template:
            continue
        observation.remember(("took effect", request.number), True)
        observation.remember(("goals", stack.id), (*observation.memory.get(("goals", stack.id), ()), template))
        observation.remember(("before", request.number), observation.memory.get(("held", stack.id)))
        return


@at_rest(
    "rest: a rollback goes back",
    "At rest, after a COMPLETE rollback, the goal is a template that was asked for earlier, or none.",
    PROGRESS,
    kinds=("not an earlier template",),
    needs=("the goal is remembered",),
)
def rollback_goes_back(observation: Observation) -> Iterator[Witness]:
    """P9, weakly."""
    for stack in observation.stacks.values():
        template = goal(observation, stack)
        if stack.action == "ROLLBACK" and stack.status == "COMPLETE" and template is not None and len(template):
            goals = observation.memory.get(("goals", stack.id), ())
            if template not in goals[:-1]:
                yield witness("not an earlier template", stack=stack.id, goal=template.names)


@at_rest(
    "rest: a rollback restores what held",
    "At rest, after a COMPLETE rollback, the goal is the template that last held (none, if none did).",
    PROGRESS,
    kinds=("another template",),
    needs=("the goal is remembered",),
)
def rollback_restores(observation: Observation) -> Iterator[Witness]:
    """P9, I-8: prev_raw_template_id is the template to go back to, whether or not it was ever reached."""
    for stack in observation.stacks.values():
        template = goal(observation, stack)
        if stack.action != "ROLLBACK" or stack.status != "COMPLETE" or template is None:
            continue
        numbers = [r.number for r in observation.requests if ("before", r.number) in observation.memory]
        held = observation.memory.get(("before", numbers[-1])) if numbers else None
        if template != held and (held is not None or len(template)):
            yield witness("another template", stack=stack.id, goal=template.names, held=held.names if held is not None else None)


STOPPING = ("delete", "cancel", "rollback")
"""What a user asks to stop what is in progress, among other things."""
CAN_FAIL = {"CREATE": (), "UPDATE": ("delete",), "ROLLBACK": ("delete",), "DELETE": ("delete",), "CHECK": ("check",)}
"""What an action of a stack does to resources that are there already, as their definitions of before say."""


def _stops(observation: Observation, stack: str) -> list[Request]:
    mine = (r for r in observation.requests if r.operation.stack == stack and r.outcome != "refused")
    return [r for r in mine if r.operation.kind in STOPPING]


def _begins(old: StackView | None, new: StackView) -> bool:
    """Whether an operation begins on the stack. That only the traversal changes is how one is fenced off."""
    return busy(new) and (old is None or not busy(old) or (old.action, old.template) != (new.action, new.template))


def _note_stops(observation: Observation, stack: StackView) -> None:
    """Note which requests cannot stop the operation that begins: those that are over, and the one that it is itself. Where several that may be
    it are running, nobody can tell which of them it is."""
    stops = _stops(observation, stack.id)
    over = {r.number for r in stops if r.outcome != "running"}
    own = [r.number for r in stops if r.outcome == "running" and r.operation.kind.upper() == stack.action]
    over.update(own if len(own) == 1 else ())
    if over != observation.memory.get(("stops nothing", stack.id), frozenset()):
        observation.remember(("stops nothing", stack.id), frozenset(over))


def _stack_may_fail(observation: Observation, stack: StackView) -> bool:
    """Whether somebody can have stopped the operation that owns the stack, something in its way is defined to fail, or a check found a
    resource wanting."""
    over = observation.memory.get(("stops nothing", stack.id), frozenset())
    if any(r.number not in over for r in _stops(observation, stack.id)):
        return True
    template = goal(observation, stack)
    if stack.action not in ("DELETE", "CHECK") and template is not None and _defined_to_fail(template, ("create", "update")):
        return True
    rows = _rows(observation, stack)
    if stack.action == "CHECK" and any((row.action, row.status) == ("CHECK", "FAILED") for row in rows):
        return True
    asked = (r.operation.template for r in observation.requests if r.operation.template is not None)
    return any(_defined_to_fail(before, CAN_FAIL.get(stack.action, ())) for before in asked)


def _defined_to_fail(template: Template, operations: tuple[str, ...], name: str | None = None) -> bool:
    return any(operation in d.fails for d in template.resources if name in (None, d.name) for operation in operations)


def _resource_may_fail(observation: Observation, row: ResourceView) -> bool:
    """Whether a user has stopped or marked something, the action on the resource is defined to fail, or a check found it wanting."""
    if _stops(observation, row.stack):
        return True
    if row.action == "CHECK":
        marks = ("mark unhealthy", row.stack, row.name)
        if any((r.operation.kind, r.operation.stack, r.operation.resource) == marks for r in observation.requests):
            return True
        thing = observation.reality.get(row.physical) if row.physical is not None else None
        if thing is None or thing.state != "healthy" or thing.drifted:
            return True
    asked = (r.operation.template for r in observation.requests if r.operation.template is not None)
    return any(_defined_to_fail(template, (row.action.lower(),), row.name) for template in asked)


@always(
    "failed only for a reason",
    "FAILED is written only after a fault struck, where something is defined to fail or a check found it wanting, or where a user stopped"
    " the operation or marked the resource.",
    ("stack", "resource"),
    kinds=(
        "stack * FAILED",
        "resource * FAILED",
    ),
)
def failed_for_reason(observation: Observation, change: Change) -> Witness | None:
    """Something must have gone wrong before anything says so. A delete, cancel or rollback is a reason for what it stops, not for its own
    failure or for what begins when it is over."""
    new, old = change.new, change.old
    if new is None:
        return None
    if change.aspect == "stack" and _begins(old, new):
        _note_stops(observation, new)
    if new.status != "FAILED" or (old is not None and old.status == "FAILED") or observation.faults:
        return None
    if _stack_may_fail(observation, new) if change.aspect == "stack" else _resource_may_fail(observation, new):
        return None
    return witness(f"{change.aspect} {new.action} FAILED", key=change.key, reason=getattr(new, "reason", None))


@at_rest(
    "rest: no request ends in an exception",
    "No request of a user ends in an exception, unless the database failed.",
    kinds=("* raised",),
)
def no_exceptions(observation: Observation) -> Iterator[Witness]:
    """P10: refused is an answer, an exception is none."""
    if any(kind in observation.faults for kind in DATABASE | ANOMALIES):
        return
    for request in observation.requests:
        if request.outcome == "escaped":
            yield witness(
                f"{request.operation.kind} raised", operation=f"{request.number} {request.operation}", reason=request.reason
            )


RESTING = (
    nothing_hangs, no_live_lock, no_dead_lock, no_half_done, all_known, rows_true, no_sync_points, no_superfluous_rows,
    no_superfluous_templates, links_lead, requires_complete, deleted_is_gone, took_effect, rollback_goes_back, rollback_restores,
    no_exceptions,
)  # fmt: skip
WRITING = (goal_is_fixed, failed_for_reason)

__all__ = ["RESTING", "WRITING", "Request"]
