"""The interesting situations: *sometimes* properties. A check that never reached one says so in its table.

Those given by (step, outcome) pairs name steps of ``heat-algorithm.md``; the others are seen in what an action changed.
"""

from __future__ import annotations

from heatproof.model.observation import Change, Observation
from heatproof.properties.base import seen, sometimes
from heatproof.properties.facts import goal

CONTENTION = (
    seen("sync point contended", "A report to a sync point loses its compare-and-set.", ("SP-3", "lost")),
    seen("lock lost", "A worker does not get the lock of a resource.", ("LK-1", "lost")),
    seen("lock tried again", "A worker that lost the lock reads the row again for another attempt.", ("LK-2", "found")),
    seen("unlock lost", "A worker cannot release its lock because the row has changed.", ("LK-4", "lost")),
    seen("unchanged row contended", "Stamping an unchanged resource loses its compare-and-set.", ("RU-6", "lost")),
    seen("attribute cache contended", "Storing cached attributes loses its compare-and-set.", ("PR-5", "lost")),
    seen("replacement contended", "Linking a replacement loses its compare-and-set.", ("RP-2", "lost")),
    seen("traversal switch lost", "An operation loses the stack to another one while it switches the traversal.", ("CV-5", "lost")),
    seen("graph not published", "A set-up is superseded before it can publish its graph.", ("SU-5", "lost")),
    seen("completion overtaken", "A traversal is superseded at the moment it completes.", ("MC-2", "lost")),
    seen("failure overtaken", "A resource fails for a traversal that does not own the stack any more.", ("MF-1", "lost")),
    seen("purge overtaken", "A traversal is superseded while it purges.", ("PG-3", "lost")),
    seen("signal contended", "A signal has to be written again.", ("8.1", "lost")),
)

RECOVERY = (
    seen("row gone", "A message arrives for a row that is gone.", ("W-4", "missing")),
    seen(
        "stale replacement",
        "A message of an old traversal arrives for a replacement that the new one does not know.",
        ("ST-2", "matched"),
    ),
    seen("sync point gone", "A worker finds that the sync point it reports to is gone.", ("SP-1", "missing")),
    seen(
        "next traversal woken",
        "A worker that ends for an old traversal looks for the new one.",
        ("PR-7", "found"),
        ("RN-1", "found"),
    ),
    seen("node sent again", "A retrigger finds that all predecessors have reported and sends the node again.", ("RT-5", "done")),
    seen("lock of a dead engine", "A worker asks whether the holder of a lock lives, and it does not.", ("UP-2", "dead")),
    seen("lock of a live engine", "A worker asks whether the holder of a lock lives, and it does.", ("UP-2", "alive")),
    seen("lock stolen", "A worker takes a lock away.", ("UP-2a", "matched")),
    seen("check sent again", "A worker that could not lock sends its message again.", ("UP-4", "done")),
    seen("delete purged again", "A delete finds a deleted stack that is still there.", ("DL-1", "done")),
)

PATHS = (
    seen("replacement made", "A resource is replaced.", ("RP-2", "matched")),
    seen("unchanged resource stamped", "An update finds a resource unchanged.", ("RU-6", "matched")),
    seen("row never created is deleted", "Cleanup deletes a row for which nothing was ever made.", ("RD-2", "matched")),
    seen("replacement unlinked", "The link of a replacement to the deleted original is taken away.", ("RD-7", "matched")),
    seen("tombstone taken up again", "A set-up takes over the row of a deleted resource.", ("SU-3b", "matched")),
    seen("traversal stopped", "A traversal is fenced off.", ("SV-1", "matched")),
    seen("workers told to stop", "A delete tells another engine to cancel its workers.", ("SW-2", "done")),
    seen("operation cancelled", "A physical operation is cancelled.",
         ("RC-4", "cancelled"), ("RU-9", "cancelled"), ("RD-5", "cancelled"), ("DO-1", "cancelled")),
    seen("operation timed out", "A time limit runs out.", ("CK-1", "expired"), ("RC-4", "timed out"), ("RU-9", "timed out"),
         ("RD-5", "timed out"), ("DO-1", "timed out")),
    seen("conflict", "A physical operation meets a conflict.",
         ("RC-4", "conflict"), ("RU-9", "conflict"), ("RD-5", "conflict"), ("DO-1", "conflict")),
    seen("attribute passed on", "An attribute of a resource is read for its dependents.", ("PR-2", "found")),
    seen("check failed", "A check finds a resource that is not well.", ("DO-1", "failed"), ("DO-1", "not found")),
)  # fmt: skip


@sometimes("update meets a lock", "An operation takes over the stack while a worker holds a lock.", {"stack"})
def update_meets_lock(observation: Observation, change: Change) -> bool:
    """The overlap that convergence is for."""
    old, new = change.old, change.new
    if old is None or new is None or old.traversal == new.traversal:
        return False
    return any(row.engine is not None and row.stack == new.id for row in observation.resources.values())


@sometimes("update meets an update", "An operation takes over the stack while another is in progress.", {"stack"})
def update_meets_update(_observation: Observation, change: Change) -> bool:
    """Update during update."""
    old, new = change.old, change.new
    return old is not None and new is not None and old.traversal != new.traversal and old.status == "IN_PROGRESS" and (
        (new.status == "IN_PROGRESS" and old.action != new.action) or old.template != new.template
    )  # fmt: skip


@sometimes("automatic rollback", "A stack that failed rolls back on its own.", {"stack"})
def automatic_rollback(_observation: Observation, change: Change) -> bool:
    """MF-2."""
    old, new = change.old, change.new
    return (
        old is not None and new is not None and old.status == "FAILED" and new.action == "ROLLBACK" and new.status == "IN_PROGRESS"
    )


@sometimes("rollback while in progress", "A stack is rolled back before its operation has ended.", {"stack"})
def rollback_in_progress(_observation: Observation, change: Change) -> bool:
    """Cancel with rollback."""
    old, new = change.old, change.new
    return (
        old is not None
        and new is not None
        and old.status == "IN_PROGRESS"
        and old.action != "ROLLBACK"
        and new.action == "ROLLBACK"
    )


@sometimes("rollback to a template", "A rollback returns to the previous template.", {"stack"})
def rollback_to_template(observation: Observation, change: Change) -> bool:
    """RB-4, and not RB-3, which a repair leaves out. Where there is nothing to go back to (RB-1) the goal is empty."""
    old, new = change.old, change.new
    if old is None or new is None or old.action == "ROLLBACK" or new.action != "ROLLBACK":
        return False
    template = goal(observation, new)
    return template is not None and len(template) > 0


def _completes(change: Change, action: str) -> bool:
    old, new = change.old, change.new
    return old is not None and new is not None and (new.action, new.status) == (action, "COMPLETE") and old.status != "COMPLETE"


@sometimes("delete completed", "A delete ends COMPLETE.", {"stack"})
def delete_completed(_observation: Observation, change: Change) -> bool:
    """A design that refuses or fails each one keeps what is asked of a deleted stack."""
    return _completes(change, "DELETE")


@sometimes("rollback completed", "A rollback ends COMPLETE.", {"stack"})
def rollback_completed(_observation: Observation, change: Change) -> bool:
    """As for a delete."""
    return _completes(change, "ROLLBACK")


@sometimes("replacement replaced", "A replacement is itself replaced.", {"resource"})
def replacement_replaced(_observation: Observation, change: Change) -> bool:
    """Chains of replacements."""
    old, new = change.old, change.new
    return (
        old is not None and new is not None and new.replaces is not None and old.replaced_by is None and new.replaced_by is not None
    )


@sometimes("broken resource replaced", "A resource that a check or a user found not to be well is replaced.", {"resource"})
def broken_replaced(_observation: Observation, change: Change) -> bool:
    """What a check and a mark are for."""
    old, new = change.old, change.new
    found = old is not None and (old.action, old.status) == ("CHECK", "FAILED")
    return found and new is not None and old.replaced_by is None and new.replaced_by is not None


@sometimes("engine dies with a lock", "A lock is held by an engine that is gone.", {"resource", "request"})
def dead_lock(observation: Observation, _change: Change) -> bool:
    """The lock stores the engine."""
    return bool(observation.faults) and any(
        row.engine is not None and row.engine not in observation.engines for row in observation.resources.values()
    )


@sometimes("two of a name", "Two physical resources of one name exist at once.", {"reality"})
def two_of_a_name(observation: Observation, change: Change) -> bool:
    """A replacement is made before the original is deleted."""
    if change.new is None or change.old is not None:
        return False
    return any(other.name == change.new.name and other.id != change.key for other in observation.reality.values())


@sometimes("physical operation without a task", "A physical operation goes on although its task is dead.", {"reality"})
def orphaned(_observation: Observation, change: Change) -> bool:
    """A crash between begin and end."""
    return change.new is not None and any(not b.task for b in change.new.busy)


@sometimes("drift", "A physical resource changes behind its record.", {"reality"})
def drifted(observation: Observation, change: Change) -> bool:
    """What a check is for."""
    return change.old is not None and any(observation.faults.get(kind) for kind in ("vanish", "change", "sicken"))


STATES = (
    update_meets_lock, update_meets_update, automatic_rollback, rollback_in_progress, rollback_to_template,
    delete_completed, rollback_completed, replacement_replaced, broken_replaced, dead_lock, two_of_a_name, orphaned, drifted,
)  # fmt: skip
SITUATIONS = (*CONTENTION, *RECOVERY, *PATHS, *STATES)
