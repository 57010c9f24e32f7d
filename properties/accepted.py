"""What a user may count on once an operation has been accepted: a check that ends well has looked, what fails is rolled back where that was
asked for, and a mark or a signal is not lost.

A look is a physical operation ``check``: what it found is seen where it ends. A class of resources without one is believed (8.7).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import NamedTuple

from heatproof.model.observation import Change, Observation, Physical, Request, ResourceView, StackView
from heatproof.properties.base import EVERY, Witness, always, at_rest, witness
from heatproof.properties.facts import claims_convergence, goal, serving
from heatproof.properties.resting import PROGRESS

BELIEVED = "unchecked"
"""The class of resources that cannot be looked at (heat/engine/resource.py:check: check is not supported for it)."""
STOPPING = ("cancel", "delete")
"""What a user asks to stop an operation that is in progress (4.5, 4.6)."""


class Look(NamedTuple):
    """The end of a look at a physical resource: for which traversal, and whether the resource was well."""

    cause: str | None
    well: bool


def _look(change: Change) -> Look | None:
    """The look that has just ended on a physical resource; None where none has. What a dead task began nobody has seen."""
    old, new = change.old, change.new
    if old is None or (new is not None and len(new.busy) >= len(old.busy)):
        return None
    left = () if new is None else new.busy
    for busy in old.busy:
        if busy.operation == "check" and busy.task and busy not in left:
            well = new is not None and new.state == "healthy" and not new.drifted
            failed = new is not None and new.changed_by == busy.cause != old.changed_by  # so reality records it
            return Look(busy.cause, well and not failed)
    return None


def _rows(observation: Observation, stack: str, name: str | None) -> list[ResourceView]:
    """The rows of a name that are not being deleted."""
    return [
        row
        for _, row in sorted(observation.resources.items())
        if row.stack == stack and row.name == name and row.action != "DELETE"
    ]


def _request(observation: Observation, number: int) -> Request:
    return next(request for request in observation.requests if request.number == number)


# ------------------------------------------------------------------------------------------------------------- check


@always(
    "a check vouches for what it saw",
    "CHECK COMPLETE is written only when the check has looked at each resource of the template and found it well.",
    ("stack", "reality"),
    kinds=("found not well", "not there", "not looked at"),
)
def check_vouches(observation: Observation, change: Change) -> Witness | None:
    """DO-1, SC-3: a check with failures is CHECK_FAILED. It is for what breaks behind the record, so drift excuses nothing; what breaks
    after the look does. Of several looks of a traversal one that finds it well is enough. Also notes what was found broken, until it is well
    again, for what is asked at rest."""
    if change.aspect == "reality":
        look, old = _look(change), change.old
        stack = None if look is None else observation.stacks.get(old.spec.stack)
        _note_broken(observation, change, look)
        if look is not None and stack is not None and stack.action == "CHECK" and stack.traversal == look.cause:
            key = ("looks", stack.id)
            observation.remember(key, observation.memory.get(key, frozenset()) | {(old.name, look.well)})
        return None
    stack, old = change.new, change.old
    if stack is None:
        return None
    if (old is None or old.traversal != stack.traversal) and observation.memory.get(("looks", stack.id)):
        observation.remember(("looks", stack.id), frozenset())
    if (stack.action, stack.status) != ("CHECK", "COMPLETE") or (old is not None and old.status == "COMPLETE"):
        return None
    return next(_not_vouched_for(observation, stack), None)


def _is_well(thing: Physical | None) -> bool:
    return thing is not None and thing.state == "healthy" and not thing.drifted


def _note_broken(observation: Observation, change: Change, look: Look | None) -> None:
    key = ("found broken", change.key)
    if look is not None and change.new is not None and not _is_well(change.new):
        observation.remember(key, (look.cause,))
    elif _is_well(change.new) and observation.memory.get(key):
        observation.remember(key, ())


@at_rest(
    "rest: what a check found is heeded",
    "At rest what a check found broken, and is so still, is not COMPLETE; a later operation that is has healed or replaced it.",
    EVERY - {"crash"},
    kinds=("taken for well", "not healed"),
    needs=("a check vouches for what it saw",),
)
def check_heeded(observation: Observation) -> Iterator[Witness]:
    """DO-1, RU-5: what was found broken is (CHECK, FAILED), and the next update replaces it. Drift after the look is no matter: the look has
    seen what is told here, unless its worker died."""
    for _, row in sorted(observation.resources.items()):
        found, thing = observation.memory.get(("found broken", row.physical)), observation.reality.get(row.physical or "")
        stack = observation.stacks.get(row.stack)
        if not found or thing is None or stack is None or row.action == "DELETE":
            continue
        state = f"{row.action} {row.status}"
        if row.status == "COMPLETE":
            yield witness(
                "taken for well", row=row.id, physical=thing.id, is_="drifted" if thing.drifted else thing.state, state=state
            )
        elif claims_convergence(stack) and stack.traversal != found[0] and _serves(observation, stack, row):
            yield witness("not healed", row=row.id, physical=thing.id, state=state, stack=f"{stack.action} {stack.status}")


def _not_vouched_for(observation: Observation, stack: StackView) -> Iterator[Witness]:
    looks = observation.memory.get(("looks", stack.id), frozenset())
    template = goal(observation, stack)
    for name in template.names if template is not None else ():
        if (name, True) in looks or _is_believed(observation, stack, name):
            continue
        rows = _rows(observation, stack.id, name)
        kind = "not looked at" if any(row.physical in observation.reality for row in rows) else "not there"
        yield witness(
            "found not well" if (name, False) in looks else kind,
            resource=name,
            rows=[f"{r.id} {r.action} {r.status}" for r in rows],
        )


def _is_believed(observation: Observation, stack: StackView, name: str) -> bool:
    """Whether the resource is of a class that cannot be looked at, by the goal or by what one of its rows was brought to."""
    for template in (stack.template, *(row.template for row in _rows(observation, stack.id, name))):
        stored = None if template is None else observation.templates.get(template)
        definition = None if stored is None else stored.content.get(name)
        if definition is not None and definition.kind == BELIEVED:
            return True
    return False


# ---------------------------------------------------------------------------------------------------------- rollback


@always(
    "a rollback was asked for",
    "A rollback begins only if a user asked for one, or if the operation that owned the stack was to be rolled back on failure.",
    ("stack",),
    kinds=("nobody asked for a rollback",),
)
def rollback_asked_for(observation: Observation, change: Change) -> Witness | None:
    """MF-2. Also notes whose operation owns the stack, for what is asked at rest."""
    stack, old = change.new, change.old
    if stack is None or (old is not None and old.traversal == stack.traversal) or not stack.traversal:
        return None  # the traversal of a failed stack is blanked (PG-2): it is still that operation's
    owners: tuple[int, ...] = observation.memory.get(("owners", stack.id), ())
    found = None
    if stack.action == "ROLLBACK" and (old is None or old.action != "ROLLBACK"):
        mine = [r for r in observation.requests if r.operation.stack == stack.id and r.outcome != "refused"]
        if not any(r.operation.kind == "rollback" or (r.number in owners and r.operation.rollback) for r in mine):
            found = witness("nobody asked for a rollback", stack=stack.id, traversal=stack.traversal)
    now = _owners(observation, stack)
    if now != owners:
        observation.remember(("owners", stack.id), now)
    return found


def _owners(observation: Observation, stack: StackView) -> tuple[int, ...]:
    """The creates and updates one of which the stack is now owned by, if one of them is to be rolled back on failure: where two with the
    same goal are asked at once, nobody can tell them apart. Who takes the stack over is usually still running."""
    template = goal(observation, stack)
    fitting = [
        r
        for r in observation.requests
        if r.operation.kind in ("create", "update")
        and (r.operation.kind.upper(), r.operation.stack) == (stack.action, stack.id)
        and r.operation.template == template
        and r.outcome != "refused"
    ]
    fitting = [r for r in fitting if r.outcome == "running"] or fitting
    return tuple(r.number for r in fitting) if any(r.operation.rollback for r in fitting) else ()


@at_rest(
    "rest: a failure is rolled back",
    "At rest no stack is FAILED by a create or update that was to be rolled back on failure, unless a user stopped it.",
    PROGRESS,
    kinds=("* not rolled back",),
    needs=("a rollback was asked for",),
)
def rolled_back(observation: Observation) -> Iterator[Witness]:
    """MF-2, RB. A rollback that fails itself is ROLLBACK FAILED."""
    for _, stack in sorted(observation.stacks.items()):
        owners = observation.memory.get(("owners", stack.id), ())
        if stack.deleted or stack.status != "FAILED" or stack.action not in ("CREATE", "UPDATE") or not owners:
            continue
        mine = [r for r in observation.requests if r.operation.stack == stack.id]
        requests = [r for r in mine if r.number in owners]
        stopped = any(
            r.operation.kind in STOPPING and r.outcome != "refused" and (r.number > o.number or r.number in o.beside)
            for r in mine
            for o in requests
        )
        if not stopped and all(r.operation.rollback for r in requests):
            yield witness(
                f"{stack.action} not rolled back", stack=stack.id, operation=f"{requests[-1].number} {requests[-1].operation}"
            )


# ------------------------------------------------------------------------------------------- mark unhealthy and signal


def _accepted(observation: Observation, change: Change, kind: str) -> Request | None:
    """The request of that kind that has just been accepted."""
    if change.aspect != "request" or change.new is None:
        return None
    request = _request(observation, change.key)
    return request if request.operation.kind == kind and request.outcome == "accepted" else None


@always(
    "a mark is written",
    "When a mark unhealthy is accepted, the row of the resource does not say COMPLETE any more.",
    ("request", "reality"),
    kinds=("mark without effect",),
)
def mark_written(observation: Observation, change: Change) -> Witness | None:
    """8.3: of several rows of the name that are not deleted, one does. Also notes which physical resource was marked, until a check finds it well,
    for what is asked at rest."""
    if change.aspect == "reality":
        look = _look(change)
        if look is not None and look.well and observation.memory.get(("unhealthy", change.key)):
            observation.remember(("unhealthy", change.key), ())
        return None
    request = _accepted(observation, change, "mark unhealthy")
    if request is None:
        return None
    stack, rows = request.operation.stack, _rows(observation, request.operation.stack, request.operation.resource)
    if rows and all(row.status == "COMPLETE" and row.physical is not None and not _is_found_well(observation, row) for row in rows):
        states = [f"{row.id} {row.action} {row.status}" for row in rows]
        return witness("mark without effect", rows=states, operation=f"{request.number} {request.operation}")
    owner = observation.stacks.get(stack)
    for row in rows:
        if (row.action, row.status) == ("CHECK", "FAILED") and row.physical is not None:
            observation.remember(("unhealthy", row.physical), ("marked", None if owner is None else owner.traversal))
    return None


def _is_found_well(observation: Observation, row: ResourceView) -> bool:
    """Whether a check has believed that the resource is well, which nobody could look at."""
    thing = observation.reality.get(row.physical) if row.physical is not None else None
    return (row.action, row.status) == ("CHECK", "COMPLETE") and thing is not None and thing.spec.kind == BELIEVED


@at_rest(
    "rest: a mark is heeded",
    "At rest what a user marked unhealthy, and no check has found well since, is not COMPLETE; a later operation that is has replaced it.",
    kinds=("taken for well", "not replaced"),
    needs=("a mark is written",),
)
def mark_heeded(observation: Observation) -> Iterator[Witness]:
    """8.3, RU-5: a resource that is FAILED is replaced by the next update."""
    for _, row in sorted(observation.resources.items()):
        marked = observation.memory.get(("unhealthy", row.physical))
        stack = observation.stacks.get(row.stack)
        if not marked or stack is None or row.action == "DELETE":
            continue
        state = f"{row.action} {row.status}"
        if row.status == "COMPLETE":
            if not _is_found_well(observation, row):
                yield witness("taken for well", row=row.id, physical=row.physical, state=state)
        elif claims_convergence(stack) and stack.traversal != marked[1] and _serves(observation, stack, row):
            yield witness("not replaced", row=row.id, physical=row.physical, state=state, stack=f"{stack.action} {stack.status}")


def _serves(observation: Observation, stack: StackView, row: ResourceView) -> bool:
    """Whether the row's physical resource serves its name in the goal of the stack, and none that has replaced it stands beside it."""
    template = goal(observation, stack)
    thing = serving(observation, stack, row.name) if template is not None and row.name in template else None
    return thing is not None and thing.id == row.physical and len(_rows(observation, stack.id, row.name)) == 1


@always(
    "a signal is written",
    "When a signal is accepted, the metadata of the resource has been raised for it, unless the resource was deleted meanwhile.",
    ("request", "resource"),
    kinds=("signal without effect",),
)
def signal_written(observation: Observation, change: Change) -> Witness | None:
    """8.1: no signal is lost to another one that is written at the same time. Asked of designs whose rows have ``metadata``."""
    if change.aspect == "resource":
        row = change.old if change.old is not None else change.new
        before, after = (getattr(r, "metadata", None) for r in (change.old, change.new))
        more = after - before if before is not None and after is not None else 0
        if change.old is not None and row.action != "DELETE" and (change.new is None or change.new.action == "DELETE"):
            more += sum(1 for _ in _signals(observation, row.stack, row.name, "running"))  # they are for what is gone now
        if more:
            key = _written(row.stack, row.name)
            observation.remember(key, observation.memory.get(key, 0) + more)
        if after is not None and after != observation.memory.get(("metadata", row.id), 0):
            observation.remember(("metadata", row.id), after)
        return None
    request = _accepted(observation, change, "signal")
    if request is None:
        return None
    stack, name = request.operation.stack, request.operation.resource
    if not any(hasattr(row, "metadata") for row in _rows(observation, stack, name)):
        return None
    accepted = [r.number for r in _signals(observation, stack, name, "accepted")]
    written = observation.memory.get(_written(stack, name), 0)
    for row in _rows(observation, stack, name):  # what the same action has written may be told after this
        written += max(0, getattr(row, "metadata", 0) - observation.memory.get(("metadata", row.id), 0))
    if len(accepted) > written:
        return witness("signal without effect", resource=name, accepted=accepted, written=written)
    return None


def _written(stack: str, name: str | None) -> Hashable:
    return ("signals", stack, name)


def _signals(observation: Observation, stack: str, name: str | None, outcome: str) -> Iterator[Request]:
    """The signals for a resource that have come so far."""
    for request in observation.requests:
        operation = request.operation
        if (operation.kind, operation.stack, operation.resource, request.outcome) == ("signal", stack, name, outcome):
            yield request


ACCEPTED = (check_vouches, rollback_asked_for, mark_written, signal_written)
ACCEPTED_AT_REST = (rolled_back, mark_heeded, check_heeded)
