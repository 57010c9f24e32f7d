"""Repairs of Heat's design: each adds one safeguard that Heat does not have.

The counterpart of the mutations: a class that overrides steps of :class:`heatproof.model.designs.heat.Heat`. A repair has the name of the patch
that makes the same change to the real engine (:mod:`heatproof.ports.heat.cures`, which says what is wrong). They combine, with each other
and with mutations: ``heat+release-in-spite-of-signals+one-replacement-a-traversal``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from heatproof.model.designs.heat import Heat
from heatproof.model.designs.heat.ending import load_stack, stack_update
from heatproof.model.designs.heat.requests import DefinitionLost
from heatproof.model.designs.heat.resource import Job, UpdateInProgress
from heatproof.model.designs.heat.sync import NONE
from heatproof.model.designs.heat.values import (
    CHECK,
    DELETE,
    FAILED,
    INIT,
    RESOURCE,
    STACK,
    Data,
    ResourceRow,
    StackCopy,
    next_key,
    unlocked,
)  # fmt: skip
from heatproof.model.designs.heat.values import COMPLETE as DONE
from heatproof.model.designs.stack_repairs import (
    CancelledSyncPointsGo,
    KeepReferredTemplate,
    LostAreRefused,
    MadeBeforeUnmade,
    NoCycleOfCleanups,
    NoTemplateForDeleted,
    OnlyWhatRunsFails,
    OvertakenTemplatesGo,
    PurgeClearsLinks,
    RollbackMakesWhatIsGone,
    RollbackOnlyWhileInProgress,
    RollbackToWhatLastHeld,
    StaleTemplateLoses,
    SupersededSetUpStops,
    owns,
)
from heatproof.model.effects import (
    Aborted,
    Body,
    Disconnected,
    Effect,
    Escape,
    Handler,
    Insert,
    Me,
    Query,
    Read,
    Refused,
    Send,
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


class WhatIsReplacedGoes(Heat):
    """RD-1 also lets go of a row that has been replaced by one of the same template, perhaps by way of others, once that is made."""

    name = "what-is-replaced-goes"

    def cleanup(self, job: Job) -> Handler:
        """RD-1."""
        if job.row.template == job.st.template and (yield from self.is_replaced(job)):
            yield from self.delete_and_unlink(job)
        else:
            yield from super().cleanup(job)

    def is_replaced(self, job: Job) -> Handler:
        """RD-1."""
        following, passed = job.row.replaced_by, {job.row.id}
        while following is not None and following not in passed:
            passed.add(following)
            other = yield Read("RD-1", RESOURCE, following)
            if other is None:
                return False
            if other.template == job.st.template:
                return other.status == DONE and other.action not in (INIT, DELETE)
            following = other.replaced_by
        return False


class MadeIsNoTombstone(Heat):
    """ST-2 makes only a row for which nothing was made a tombstone."""

    name = "made-is-no-tombstone"

    def retrigger_replaced(self, row: ResourceRow, kind: str, st: StackCopy) -> Handler:
        """5.2."""
        if row.action == INIT:
            yield from super().retrigger_replaced(row, kind, st)


class CancelledTriesAgain(Heat):
    """DO-5: who was stopped though its traversal still owns the stack sends its message once more."""

    name = "cancelled-tries-again"

    def cancelled(self, job: Job, data: Data) -> Handler:
        """RN-1."""
        fresh = yield from self.reload_stack("RN-1", job.st)
        if fresh.traversal != job.traversal:
            yield from self.retrigger(job.row.id, job.kind, fresh)
        else:
            yield Send("RN-1", "check_resource", (job.row.id, job.kind, job.traversal, data))


class UnchangedKnowsWhatItRequires(Heat):
    """A row that an update leaves unchanged takes over what it requires by now, with the template."""

    name = "unchanged-knows-what-it-requires"

    def leave_unchanged(self, job: Job) -> Handler:
        """RU-6."""
        job.row = job.row._replace(requires=self.required(job))
        yield from super().leave_unchanged(job)


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
    if not (yield from owns(step, stack, traversal)):
        return 0
    return (yield Update(step, RESOURCE, new.id, unlocked(new), where={"engine": None, "key": key}))


class LockOnlyInCurrentTraversal(Heat):
    """LK-1 and LK-6 demand that the traversal still owns the stack."""

    name = "lock-only-in-the-current-traversal"

    def write_unlocked(self, job: Job, step: str, new: ResourceRow) -> Handler:
        """LK-1, LK-6."""
        args = (step, job.st.id, job.st.traversal, new, job.row.key)
        return (yield from self.retried(Transaction(step, write_if_current, args)))


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


class ReplacedAlready(Escape):
    """What is to be replaced has a replacement of this template: ``row``."""

    def __init__(self, row: str):
        super().__init__(row)
        self.row = row


def replacement_of(row: ResourceRow, new: ResourceRow) -> Body:
    """RP-2: the id of a row of the new one's template that is linked with the old one, or None. An update clears one link (RU-3), a cleanup
    the other."""
    others = yield Query("RP-2", RESOURCE, {"stack": row.stack, "template": new.template})
    there = yield Read("RP-2", RESOURCE, row.id)
    linked = there.replaced_by if there is not None else None
    found = [other.id for other in others if other.action != DELETE and (other.replaces == row.id or other.id == linked)]
    return min(found, default=None)


class OneReplacement(Heat):
    """RP-2 looks first whether a replacement for this template is there already; if it is made, those behind it are told once more."""

    name = "one-replacement-a-traversal"

    def insert_replacement(self, row: ResourceRow, new: ResourceRow) -> Handler:
        """RP-2."""
        if (there := (yield Transaction("RP-2", replacement_of, (row, new), reads_only=True))) is not None:
            raise ReplacedAlready(there)
        return (yield from super().insert_replacement(row, new))

    store_replacement = ReplacementAndLink.store_replacement

    def replace(self, job: Job, data: Data) -> Handler:
        """5.8."""
        try:
            yield from super().replace(job, data)
        except ReplacedAlready as already:
            yield from self.tell_those_behind(job, already.row)

    def tell_those_behind(self, job: Job, replacement: str) -> Handler:
        """PR-3, if the replacement is made; else its own message does."""
        row = yield Read("W-4", RESOURCE, replacement)
        if row is None:
            return
        loaded, content = yield Transaction("W-5", load_stack, (row.stack,), reads_only=True)
        before = yield from self.definition_before(row, job.kind, job.traversal, StackCopy(loaded), content)
        if before is False or row.action in (INIT, DELETE) or (row.status != DONE and row.action != CHECK):
            return
        row = row._replace(replaces=job.row.id)  # PR-1; a cleanup may have cut the link
        its = Job(job.me, job.traversal, job.kind, row, job.st, before, content.get(row.name), job.data, job.senders)
        yield from self.propagate(its, content, False, NONE)


class DefinitionsAreKept(Heat):
    """8.1 finds the definition of a resource that the template no longer has."""

    name = "definitions-are-kept"

    def signalled(self, st: StackCopy, operation: Operation) -> Handler:
        """8.1."""
        try:
            return (yield from super().signalled(st, operation))
        except DefinitionLost:
            return st.known[operation.resource or ""], {}


def tried_again(handler: Callable[..., Handler]) -> Callable[..., Handler]:
    """The handler, with each access that was aborted done again."""

    @wraps(handler)
    def again(*args: Any) -> Handler:
        running = handler(*args)
        try:
            effect = next(running)
            while True:
                try:
                    result = yield effect
                except Aborted:
                    continue
                except Exception as error:
                    effect = running.throw(error)
                else:
                    effect = running.send(result)
        except StopIteration as end:
            return end.value

    return again


class WritesAreTriedAgain(Heat):
    """Every transaction that was aborted is tried again."""

    name = "writes-are-tried-again"

    def handlers(self) -> dict[str, Callable[..., Handler]]:
        """All of them."""
        return {name: tried_again(handler) for name, handler in super().handlers().items()}


class WritersKnowWhatTheyWrote(Heat):
    """A compare-and-set that is lost when it is tried again looks whether what is there is what it wrote."""

    name = "writers-know-what-they-wrote"

    def retried(self, effect: Effect) -> Handler:
        """db/api.py:retry_on_db_error."""
        again = False
        while True:
            try:
                result = yield effect
            except (Aborted, Disconnected):
                again = True
                continue
            if again and result == 0:
                result = yield from self.as_written(effect)
            return result

    def as_written(self, effect: Effect) -> Handler:
        """Whether the row has what was to be written."""
        if isinstance(effect, Update):
            table, key, values = effect.table, effect.key, effect.values
        elif isinstance(effect, Transaction) and effect.body is stack_update:
            table, (key, values, _) = STACK, effect.args
        elif isinstance(effect, Transaction) and effect.body is write_if_current:
            table, key, values = RESOURCE, effect.args[3].id, unlocked(effect.args[3])
        else:
            return 0
        there = yield Read(effect.step, table, key)
        wanted = values if isinstance(values, Mapping) else values._asdict()
        return int(there is not None and all(getattr(there, column) == value for column, value in wanted.items()))


REPAIRS: tuple[type[Heat], ...] = (
    RollbackMakesWhatIsGone, CleanupLeavesTombstone, WhatIsReplacedGoes, MadeIsNoTombstone, CancelledTriesAgain,
    UnchangedKnowsWhatItRequires,
    ReleaseInSpiteOfSignals, LockNotWithAnOldCopy, UnhealthyInOneWrite,
    UnhealthyOnlyWhatWasMade, LockOnlyInCurrentTraversal, OneReplacement, ReplacementAndLink, KeepReferredTemplate, LostAreRefused,
    StaleTemplateLoses, SupersededSetUpStops, RollbackOnlyWhileInProgress, RollbackToWhatLastHeld, OnlyWhatRunsFails,
    MadeBeforeUnmade, NoCycleOfCleanups, CancelledSyncPointsGo, OvertakenTemplatesGo, NoTemplateForDeleted, PurgeClearsLinks,
    WritesAreTriedAgain, WritersKnowWhatTheyWrote, DefinitionsAreKept,
)  # fmt: skip
"""Every repair; each overrides one or two steps."""
