"""Repairs of Heat's design: each adds one safeguard that Heat does not have.

The counterpart of the mutations: a class that overrides steps of :class:`heatproof.model.designs.heat.Heat`. A repair has the name of the patch
that makes the same change to the real engine (:mod:`heatproof.ports.heat.cures`, which says what is wrong). They combine, with each other
and with mutations: ``heat+release-in-spite-of-signals+one-replacement-a-traversal``.
"""

from __future__ import annotations

from typing import Any

from heatproof.model.designs.heat import Heat
from heatproof.model.designs.heat.resource import Job, UpdateInProgress
from heatproof.model.designs.heat.values import (
    CHECK,
    DELETE,
    FAILED,
    INIT,
    RESOURCE,
    ROLLBACK,
    STACK,
    SYNC_POINT,
    TEMPLATE,
    UPDATE,
    ResourceRow,
    StackCopy,
    SyncPointRow,
    full,
    next_key,
    unlocked,
)  # fmt: skip
from heatproof.model.designs.heat.values import COMPLETE as DONE
from heatproof.model.effects import (
    Body,
    Delete,
    Escape,
    ForeignKeyError,
    Handler,
    Insert,
    Me,
    Query,
    Read,
    Refused,
    Transaction,
    Update,
)
from heatproof.model.scenario import Operation


class CleanupLeavesTombstone(Heat):
    """RD-2 makes a row for which nothing was ever made a tombstone, if it is not locked and as it was read."""

    name = "cleanup-leaves-a-tombstone"

    def delete_row(self, job: Job) -> Handler:
        """RD-2."""
        job.row = job.row._replace(action=DELETE, status=DONE)
        yield from self.store_unlocked(job, "RD-2")


class ReleaseInSpiteOfSignals(Heat):
    """LK-4 is tried again with the version that is there, as long as the lock is the holder's."""

    name = "release-in-spite-of-signals"

    def unlock(self, job: Job, action: str, status: str) -> Handler:
        """LK-4."""
        while True:
            try:
                yield from super().unlock(job, action, status)
                return
            except UpdateInProgress:
                there = yield Read("LK-4", RESOURCE, job.row.id)
                if there is None or there.engine != job.me.engine or there.key == job.row.key:
                    raise
                job.row = job.row._replace(key=there.key, metadata=there.metadata)


class UnhealthyInOneWrite(Heat):
    """8.3 is one conditional write that takes no lock."""

    name = "unhealthy-in-one-write"

    def mark_row(self, me: Me, row: ResourceRow) -> Handler:
        """8.3."""
        if row.action == DELETE:
            return None
        new = row._replace(action=CHECK, status=FAILED, key=next_key(row.key))
        where = {"engine": None, "key": row.key}
        matched = yield from self.retried(Update("8.3", RESOURCE, row.id, unlocked(new), where=where))
        return None if matched else Refused("the resource is locked")


class UnhealthyOnlyWhatWasMade(Heat):
    """8.3 is refused for a resource that was never made, as a signal (8.1) is."""

    name = "unhealthy-only-what-was-made"

    def mark_row(self, me: Me, row: ResourceRow) -> Handler:
        """8.3."""
        if row.action == INIT:
            return Refused("the resource is INIT COMPLETE")
        return (yield from super().mark_row(me, row))


class LockNotWithAnOldCopy(Heat):
    """LK-2 takes the new version only if nothing else of the row has changed that the decision was made from."""

    name = "lock-not-with-an-old-copy"

    def still_as_loaded(self, job: Job, fresh: ResourceRow) -> bool:
        """LK-2."""
        loaded = job.loaded
        assert loaded is not None
        return (fresh.template, fresh.action, fresh.status) == (loaded.template, loaded.action, loaded.status)


def write_if_current(step: str, stack: str, traversal: str, new: ResourceRow, key: int | None) -> Body:
    """LK-1, LK-6: a write of a row that is not locked, if the traversal still owns the stack; the number of rows matched."""
    row = yield Read(step, STACK, stack)
    if row is None or row.traversal != traversal:
        return 0
    return (yield Update(step, RESOURCE, new.id, unlocked(new), where={"engine": None, "key": key}))


class LockOnlyInCurrentTraversal(Heat):
    """LK-1 and LK-6 demand that the traversal still owns the stack."""

    name = "lock-only-in-the-current-traversal"

    def write_unlocked(self, job: Job, step: str, new: ResourceRow) -> Handler:
        """LK-1, LK-6."""
        args = (step, job.st.id, job.st.traversal, new, job.row.key)
        return (yield from self.retried(Transaction(step, write_if_current, args)))


def has_replacement(row: ResourceRow, new: ResourceRow) -> Body:
    """RP-2: whether a row of the new one's template is linked with the old one. An update clears one link (RU-3), a cleanup the other."""
    others = yield Query("RP-2", RESOURCE, {"stack": row.stack, "template": new.template})
    there = yield Read("RP-2", RESOURCE, row.id)
    linked = there.replaced_by if there is not None else None
    return any(other.action != DELETE and (other.replaces == row.id or other.id == linked) for other in others)


class OneReplacement(Heat):
    """RP-2 looks first whether a replacement for this template is there already."""

    name = "one-replacement-a-traversal"

    def insert_replacement(self, row: ResourceRow, new: ResourceRow) -> Handler:
        """RP-2."""
        if (yield Transaction("RP-2", has_replacement, (row, new), reads_only=True)):
            return None, 0
        return (yield from super().insert_replacement(row, new))


def replace_if_free(old: str, key: int | None, row: ResourceRow) -> Body:
    """RP-2: the row of a replacement and the link to it, both or neither."""
    there = yield Read("RP-2", RESOURCE, old)
    if there is None or there.engine is not None or there.key != key:
        return None, 0
    new = yield Insert("RP-2", RESOURCE, row)
    return new, (yield Update("RP-2", RESOURCE, old, {"replaced_by": new, "key": next_key(key)}))


class ReplacementAndLink(Heat):
    """RP-2 inserts the row of a replacement only if it can be linked."""

    name = "replacement-and-link-together"

    def store_replacement(self, row: ResourceRow, new: ResourceRow) -> Handler:
        """RP-2."""
        return (yield from self.retried(Transaction("RP-2", replace_if_free, (row.id, row.key, new))))


class KeepReferredTemplate(Heat):
    """PG-5 leaves a template that a row still refers to."""

    name = "keep-a-template-that-is-referred-to"

    def delete_previous(self, template: str) -> Handler:
        """PG-5."""
        try:
            yield from super().delete_previous(template)
        except ForeignKeyError:
            return


class RollbackMakesWhatIsGone(Heat):
    """SU-3a: a new row begins with INIT, whatever the stack does."""

    name = "rollback-makes-what-is-gone"

    def first_action(self, st: StackCopy) -> str:
        """SU-3a."""
        return INIT


class StaleTemplateLoses(Heat):
    """CV-5 loses where the previous template that it would write is gone."""

    name = "a-stale-previous-template-loses"

    def store_stack(self, step: str, stack: str, values: Any, expected: str) -> Handler:
        """CV-5, and wherever all columns are written."""
        try:
            return (yield from super().store_stack(step, stack, values, expected))
        except ForeignKeyError:
            return 0


class LostError(Escape):
    """The stack belongs to another operation."""


class LostAreRefused(Heat):
    """CV-5: an operation that loses the stack is refused, and its template deleted."""

    name = "lost-operations-are-refused"

    def operation_lost(self, st: StackCopy) -> Handler:
        """CV-5."""
        if st.action == ROLLBACK:
            return
        if st.action in (UPDATE, DELETE) and st.template is not None:
            yield Delete("CV-5", TEMPLATE, {"id": st.template})
        raise LostError(st.id)

    def _refused(self, handler: Handler) -> Handler:
        try:
            return (yield from handler)
        except LostError:
            return Refused("an action is in progress")

    def update_stack(self, me: Me, number: int, operation: Operation) -> Handler:
        """4.4."""
        return (yield from self._refused(super().update_stack(me, number, operation)))

    def delete_stack(self, me: Me, number: int, operation: Operation) -> Handler:
        """4.5."""
        return (yield from self._refused(super().delete_stack(me, number, operation)))

    def check_stack(self, me: Me, number: int, operation: Operation) -> Handler:
        """4.7."""
        return (yield from self._refused(super().check_stack(me, number, operation)))


class SupersededError(Escape):
    """A set-up found that the stack belongs to another traversal."""


def insert_if_current(step: str, table: Any, stack: str, traversal: str, row: Any) -> Body:
    """SU-3a, SU-6, SU-7: an insert, if the traversal still owns the stack; the key, or None."""
    owner = yield Read(step, STACK, stack)
    if owner is None or owner.traversal != traversal:
        return None
    return (yield Insert(step, table, row))


def write_if_owned(stack: str, traversal: str, row: ResourceRow) -> Body:
    """SU-3b: a write of a row, if the traversal still owns the stack; the number of rows matched."""
    owner = yield Read("SU-3b", STACK, stack)
    if owner is None or owner.traversal != traversal:
        return 0
    return (yield Update("SU-3b", RESOURCE, row.id, full(row)))


class SupersededSetUpStops(Heat):
    """SU-3a, SU-3b, SU-6 and SU-7 demand that the traversal still owns the stack; where it does not, the set-up ends."""

    name = "superseded-set-up-stops"

    def insert_row(self, st: StackCopy, row: ResourceRow) -> Handler:
        """SU-3a."""
        made = yield Transaction("SU-3a", insert_if_current, ("SU-3a", RESOURCE, st.id, st.traversal, row))
        if made is None:
            raise SupersededError(st.id)
        return made

    def take_over_row(self, st: StackCopy, row: ResourceRow) -> Handler:
        """SU-3b."""
        if not (yield Transaction("SU-3b", write_if_owned, (st.id, st.traversal, row))):
            raise SupersededError(st.id)

    def insert_sync_point(self, step: str, row: SyncPointRow) -> Handler:
        """SU-6, SU-7."""
        made = yield from self.retried(Transaction(step, insert_if_current, (step, SYNC_POINT, row.stack, row.traversal, row)))
        if made is None:
            raise SupersededError(row.stack)

    def setup_failed(self, me: Me, st: StackCopy, error: Escape, from_worker: bool) -> Handler:
        """SU-9: whoever owns the stack now does without this set-up."""
        if not isinstance(error, SupersededError):
            yield from super().setup_failed(me, st, error, from_worker)


REPAIRS: tuple[type[Heat], ...] = (
    RollbackMakesWhatIsGone, CleanupLeavesTombstone, ReleaseInSpiteOfSignals, LockNotWithAnOldCopy, UnhealthyInOneWrite,
    UnhealthyOnlyWhatWasMade, LockOnlyInCurrentTraversal, OneReplacement, ReplacementAndLink, KeepReferredTemplate, LostAreRefused,
    StaleTemplateLoses, SupersededSetUpStops,
)  # fmt: skip
"""Every repair; each overrides one or two steps."""
