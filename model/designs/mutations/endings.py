"""Mutations of what ends an operation: failure, completion, purge, rollback, delete. See :mod:`heatproof.model.designs.mutations`."""

from __future__ import annotations

from heatproof.model.designs.heat import Heat
from heatproof.model.designs.heat.resource import Job
from heatproof.model.designs.heat.values import (
    COMPLETE,
    FAILED,
    RESOURCE,
    ROLLBACK,
    STACK,
    ResourceRow,
    StackCopy,
    guarded,
)  # fmt: skip
from heatproof.model.effects import Effect, Escape, Handler, Me, Read, Update


class KeepGoingAfterFailure(Heat):
    """A26: a failed stack keeps its traversal, so its other branches go on (PG-2)."""

    name = "keep-going-after-failure"

    def traversal_after_failure(self, st: StackCopy) -> str:
        """PG-2 keeps the id."""
        return st.traversal


class WrongTraversalPurged(Heat):
    """A27: the failure blanks the traversal id before the purge uses it (MF-1, PG-6)."""

    name = "wrong-traversal-purged"

    def purge_db(self, me: Me, st: StackCopy) -> Handler:
        """PG with the blanked id."""
        if st.status == FAILED:
            yield from self.store_stack("MF-1", st.id, {"traversal": ""}, st.traversal)
            st.set(traversal="")
        yield from super().purge_db(me, st)


class RollbackCompletionDropped(Heat):
    """A28: the completion of a rollback is read as lost (MC-2)."""

    name = "rollback-completion-dropped"

    def mark_complete(self, me: Me, st: StackCopy) -> Handler:
        """MC-2 reports a loss for ROLLBACK."""
        if st.action == ROLLBACK:
            yield Read("MC-1", STACK, st.id)
            yield from self.store_stack("MC-2", st.id, {"status": COMPLETE}, st.traversal)
        else:
            yield from super().mark_complete(me, st)


class ExceptionInWorkerHangs(Heat):
    """A29: an unexpected exception in a worker is only logged (no CK-5)."""

    name = "exception-in-worker-hangs"

    def check_raised(self, job: Job, error: Escape) -> Handler:
        """No CK-5."""
        yield from ()


class ExceptionInSetupHangs(Heat):
    """A30: an unexpected exception in the set-up is only logged (no SU-9)."""

    name = "exception-in-setup-hangs"

    def setup_failed(self, me: Me, st: StackCopy, error: Escape, from_worker: bool) -> Handler:
        """No SU-9."""
        yield from ()
        raise error


class DeleteWaits(Heat):
    """A47: a delete waits for every running operation to end by itself (no 7.1, no 7.2)."""

    name = "delete-of-in-progress-stack"

    def stop_before_delete(self, me: Me, st: StackCopy) -> Handler:
        """No DL-2."""
        yield from ()

    def stop_all_workers(self, me: Me, st: StackCopy) -> Handler:
        """No SU-5b."""
        yield from ()


class CrashBeforeSoftDelete(Heat):
    """A48: a deleted stack that was not purged cannot be deleted again (DL-1)."""

    name = "crash-before-soft-delete"

    def delete_again(self, me: Me, st: StackCopy) -> Handler:
        """DL-1 without the purge."""
        yield from ()


class UnlockNotRetried(Heat):
    """A51: a database error while the lock is released leaves it held (LK-4)."""

    name = "db-error-at-unlock"

    def release(self, job: Job, freed: ResourceRow) -> Handler:
        """LK-4 once."""
        return (yield Update("LK-4", RESOURCE, freed.id, guarded(freed), where={"engine": job.me.engine, "key": job.row.key}))


class DeadlockNotRetried(Heat):
    """A52: a transient database error is an exception everywhere (no retry_on_db_error)."""

    name = "deadlock-not-retried"

    def retried(self, effect: Effect) -> Handler:
        """Once."""
        return (yield effect)


class OwnTemplateAsPrevious(Heat):
    """A56: a create records its own template as the previous one (CV-1)."""

    name = "own-template-as-previous"

    def previous_template(self, st: StackCopy, action: str) -> str | None:
        """CV-1 for CREATE too."""
        return st.template


class CancelHasNoThreads(Heat):
    """A63: a cancel with rollback has no thread manager (CV-8)."""

    name = "cancel-has-no-thread-manager"

    def cancel_with_rollback(self, me: Me, st: StackCopy) -> Handler:
        """CV-8 raises."""
        yield from self.rollback(me, st, threads=False, from_worker=False)


ENDINGS = (
    KeepGoingAfterFailure,
    WrongTraversalPurged,
    RollbackCompletionDropped,
    ExceptionInWorkerHangs,
    ExceptionInSetupHangs,
    DeleteWaits,
    CrashBeforeSoftDelete,
    UnlockNotRetried,
    DeadlockNotRetried,
    OwnTemplateAsPrevious,
    CancelHasNoThreads,
)
