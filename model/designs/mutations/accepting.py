"""Mutations of what a user may count on once an operation was accepted. See :mod:`heatproof.model.designs.mutations`.

None of these is told of Heat's own past: each breaks a plain promise to its users, without a race.
"""

from __future__ import annotations

from typing import Any

from heatproof.model.designs.heat import Heat
from heatproof.model.designs.heat.resource import Job, ResourceFailure
from heatproof.model.designs.heat.sync import NONE, Failures
from heatproof.model.designs.heat.values import CHECK, COMPLETE, DELETE, FAILED, GNode, ResourceRow, StackCopy
from heatproof.model.effects import Handler, Me
from heatproof.model.templates import ResourceDef, Template


class CheckFailuresDropped(Heat):
    """What a check has found broken is not passed on, so that it ends as COMPLETE (FH-1)."""

    name = "check-failures-dropped"

    def check_stack_complete(
        self, me: Me, row: ResourceRow, node: GNode, traversal: str, st: StackCopy, failures: Failures
    ) -> Handler:
        """SC-2 without the failures."""
        yield from super().check_stack_complete(me, row, node, traversal, st, NONE)


class CheckWithoutLook(Heat):
    """A check locks and releases a resource, and does not look at it (DO-1)."""

    name = "check-without-a-look"

    def check(self, job: Job) -> Handler:
        """DO-1 without the plugin."""
        yield from self.lock(job, CHECK)
        yield from self.unlock(job, CHECK, COMPLETE)


class RollbackSwitchIgnored(Heat):
    """What fails is never rolled back, also where that was asked for (MF-2)."""

    name = "rollback-switch-ignored"

    def mark_failed(self, me: Me, st: StackCopy, reason: str, threads: bool = True, from_worker: bool = True) -> Handler:
        """MF-2 purges."""
        st.set(rollback=False)
        return (yield from super().mark_failed(me, st, reason, threads, from_worker))


class RollbackUnasked(Heat):
    """What fails is always rolled back, also where that was not asked for (MF-2)."""

    name = "rollback-unasked"

    def mark_failed(self, me: Me, st: StackCopy, reason: str, threads: bool = True, from_worker: bool = True) -> Handler:
        """MF-2 rolls back."""
        st.set(rollback=True)
        return (yield from super().mark_failed(me, st, reason, threads, from_worker))


class MarkNotWritten(Heat):
    """A mark unhealthy is accepted, and nothing is written (8.3)."""

    name = "mark-not-written"

    def mark_row(self, me: Me, row: ResourceRow) -> Handler:
        """No 8.3."""
        yield from ()


class MarkedUpdatedInPlace(Heat):
    """What is CHECK FAILED is updated as if it were well, instead of being replaced (RU-5)."""

    name = "marked-updated-in-place"

    def needs_update(self, job: Job, after: ResourceDef, values: Any) -> bool:
        """RU-5 without the case of (CHECK, FAILED)."""
        if (job.row.action, job.row.status) == (CHECK, FAILED):
            return job.before != after or self.properties_before(job, job.row) != values
        return super().needs_update(job, after, values)


class CheckFailureNotRecorded(Heat):
    """What a check has found broken makes the stack CHECK FAILED, and its row says COMPLETE (DO-1, LK-5)."""

    name = "check-failure-not-recorded"

    def fail(self, job: Job, action: str, outcome: str) -> Handler:
        """LK-5 releases as COMPLETE after a check."""
        yield from self.unlock(job, action, COMPLETE if action == CHECK else FAILED)
        raise ResourceFailure(f"{action} of {job.row.name}: {outcome}")


class DeleteStopsItself(Heat):
    """A delete stops the traversal that owns the stack when that is its own already (DL-2 after DL-3)."""

    name = "delete-stops-itself"

    def publish(self, me: Me, st: StackCopy, content: Template) -> Handler:
        """SU-5 behind DL-2."""
        if st.action == DELETE:
            yield from self.stop_traversal(me, StackCopy(st.row))
        yield from super().publish(me, st, content)


class RollbackToGoal(Heat):
    """A rollback goes to the template that the stack has, not to the one before it (RB-1)."""

    name = "rollback-to-the-goal"

    def rollback(self, me: Me, st: StackCopy, threads: bool = True, from_worker: bool = True) -> Handler:
        """RB-1 with the template that failed."""
        if st.prev_template is not None:
            st.set(prev_template=st.template)
        yield from super().rollback(me, st, threads, from_worker)


ACCEPTING = (
    CheckFailuresDropped,
    CheckWithoutLook,
    RollbackSwitchIgnored,
    RollbackUnasked,
    MarkNotWritten,
    MarkedUpdatedInPlace,
    CheckFailureNotRecorded,
    DeleteStopsItself,
    RollbackToGoal,
)
