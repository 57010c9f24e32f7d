"""What a worker does to one resource under its lock. heat-algorithm.md sections 5.5 to 5.9."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from heatproof.model.designs.heat.ending import NotFound, attributes_delete, resource_delete, update_and_save
from heatproof.model.designs.heat.sync import Sync
from heatproof.model.designs.heat.values import (
    CHECK,
    COMPLETE,
    CREATE,
    DELETE,
    FAILED,
    FAILS,
    IN_PROGRESS,
    INIT,
    RESOURCE,
    UPDATE,
    NodeData,
    ResourceRow,
    StackCopy,
    full,
    guarded,
    known,
    next_key,
    unlocked,
)  # fmt: skip
from heatproof.model.effects import (
    Begin,
    Body,
    DatabaseError,
    Escape,
    Finish,
    Handler,
    Insert,
    Me,
    Read,
    Sleep,
    Transaction,
    Update,
)
from heatproof.model.reality import Spec
from heatproof.model.templates import Attr, Plain, Ref, ResourceDef

LOCK_ATTEMPTS = 3  # LK-2: 1 + 2
REPLACEMENT_ATTEMPTS = 3  # RP-3
RETRIES = 5  # RC-6, RD-5: action_retry_limit


class UpdateReplace(Escape):
    """The resource must be replaced."""


class UpdateInProgress(Escape):
    """The lock could not be had."""


class ResourceFailure(Escape):
    """A physical operation failed."""


class Cancelled(Escape):
    """A cancel notice reached the plugin task (scheduler.Cancelled)."""


class TimedOut(Escape):
    """The timer of the plugin task fired (scheduler.Timeout)."""


@dataclass
class Job:
    """The copies that one worker holds in memory for the whole message (1.5).

    ``cached`` are the attributes known without a look (None: none are), ``new_cache`` whether they are to be stored, ``has_cache`` whether
    the row as loaded had any stored, ``stored`` those of them that this worker has not cleared.
    """

    me: Me
    traversal: str
    kind: str
    row: ResourceRow
    st: StackCopy
    before: ResourceDef | None
    after: ResourceDef | None
    data: dict[str, NodeData]
    senders: frozenset[str]
    loaded: ResourceRow | None = None  # W-4: the row as it was read

    def __post_init__(self) -> None:
        self.loaded = self.row
        self.stored = self.row.attributes
        self.has_cache = self.stored is not None
        self.cached = known(self.stored)
        self.new_cache = False

    def forget_attributes(self) -> None:
        """What was cached counts as new where there was any (attributes.py:reset_resolved_values)."""
        self.new_cache = self.cached is not None
        self.cached = None

    @property
    def requires(self) -> frozenset[str]:
        """The row ids inside the values of the input data."""
        return frozenset(value.id for value in self.data.values())

    def resolve(self, definition: ResourceDef) -> tuple[tuple[str, Plain], ...]:
        """The properties of ``definition`` with references replaced by the input data, and what is to fail, which is a property too."""

        def value_of(value: Ref | Attr) -> Plain:
            data = self.data.get(value.resource)
            if data is None:  # stk_defn.py:ResourceProxy.FnGetRefId
                return value.resource if isinstance(value, Ref) else None
            return data.reference if isinstance(value, Ref) else dict(data.attributes).get(value.attribute)

        fails = ((FAILS, ",".join(definition.fails)),) if definition.fails else ()
        return definition.resolve(value_of) + fails

    def spec(self, definition: ResourceDef) -> Spec:
        """What the physical resource is to be."""
        values = tuple(pair for pair in self.resolve(definition) if pair[0] != FAILS)
        referred = {v.resource for _, v in definition.properties if isinstance(v, Ref)}
        needs = {d.reference for name, d in self.data.items() if name in referred and d.reference}
        after = tuple(name for name in definition.requires() if name not in referred)
        return Spec(definition.name, definition.kind, values, tuple(sorted(needs)), definition.fails, self.st.id, after)


def create_replacement(old: str, key: int | None, row: ResourceRow) -> Body:
    """RP-2: insert the row, then link it by CAS; the insert stays even if the CAS loses (db/api.py:resource_create_replacement)."""
    new = yield Insert("RP-2", RESOURCE, row)
    matched = yield Update("RP-2", RESOURCE, old, {"replaced_by": new, "key": next_key(key)}, where={"engine": None, "key": key})
    return new, matched


class Resource(Sync):
    """RC, RU, RD, RP, LK."""

    # -------------------------------------------------------------------------------------- 5.9 lock and action recorder

    def lock(self, job: Job, action: str, attempts: int = LOCK_ATTEMPTS) -> Handler:
        """LK-1 to LK-3: acquire the lock by CAS, writing every column from memory. Raises :class:`UpdateInProgress`."""
        for attempt in range(attempts):
            row = job.row = job.row._replace(action=action, status=IN_PROGRESS)  # in memory also where the lock is not had
            held = row._replace(engine=job.me.engine, key=next_key(row.key))
            matched = yield from self.acquire(job, held)
            if matched:
                job.row = held
                try:
                    yield from self.clear_attributes(job)  # LK-3
                except DatabaseError as error:
                    yield from self.fail(job, action, str(error))
                return
            if attempt + 1 < attempts:  # LK-2
                yield Sleep("LK-2")
                fresh = yield Read("LK-2", RESOURCE, row.id)
                if fresh is None:  # the exception is a failure, and the release that it leads to is lost
                    yield from self.fail(job, action, "not found")
                if not self.still_as_loaded(job, fresh):
                    break
                job.row = row._replace(key=fresh.key)
        raise UpdateInProgress(job.row.id)

    def still_as_loaded(self, job: Job, fresh: ResourceRow) -> bool:
        """LK-2: whether the loaded copy may go on with the new version; nobody looks."""
        return True

    def acquire(self, job: Job, held: ResourceRow) -> Handler:
        """LK-1."""
        return (yield from self.write_unlocked(job, "LK-1", held))

    def clear_attributes(self, job: Job, step: str = "LK-3") -> Handler:
        """LK-3: forget cached attributes, BLIND; nothing is written if the loaded copy has none (clear_stored_attributes)."""
        if job.has_cache:
            yield Transaction(step, attributes_delete, (job.row.id,))
            job.stored = None
        job.forget_attributes()

    def unlock(self, job: Job, action: str, status: str) -> Handler:
        """LK-4: release by CAS with a full-row write. Raises :class:`UpdateInProgress` if it loses; the lock then stays."""
        row = job.row
        freed = row._replace(action=action, status=status, engine=None, key=next_key(row.key))
        matched = yield from self.release(job, freed)
        if not matched:
            raise UpdateInProgress(row.id)
        job.row = freed
        if status != COMPLETE:
            yield from self.clear_attributes(job)

    def release(self, job: Job, freed: ResourceRow) -> Handler:
        """LK-4: the write itself."""
        where = {"engine": job.me.engine, "key": job.row.key}
        return (yield from self.retried(Update("LK-4", RESOURCE, freed.id, guarded(freed), where=where)))

    def finish(self, job: Job, action: str, step: str) -> Handler:
        """LK-5: wait for the plugin and turn a bad end into (action, FAILED) and an exception. True if it is to be tried again."""
        assert job.row.physical is not None
        outcome = yield Finish(step, job.row.physical)
        if outcome == "done" or (outcome == "not found" and action == DELETE):
            return False
        if outcome == "conflict" and action in (CREATE, DELETE):
            return True
        if outcome == "cancelled":
            yield from self.abort(job, action)
            raise Cancelled(f"{action} aborted")
        if outcome == "timed out":
            yield from self.abort(job, action)
            raise TimedOut("Timed out")
        yield from self.fail(job, action, outcome)
        return False

    def abort(self, job: Job, action: str) -> Handler:
        """LK-5: (action, FAILED) after a cancel or a timeout; that this write fails is only logged."""
        with contextlib.suppress(Escape):
            yield from self.unlock(job, action, FAILED)

    def fail(self, job: Job, action: str, outcome: str) -> Handler:
        """LK-5: the failure of an action."""
        yield from self.unlock(job, action, FAILED)
        raise ResourceFailure(f"{action} of {job.row.name}: {outcome}")

    # ------------------------------------------------------------------------------------------------------ 5.5 create

    def create(self, job: Job) -> Handler:
        """5.5 (resource.py:create_convergence, create)."""
        self.adopt_template(job)  # RC-1
        job.row = job.row._replace(requires=self.required(job))
        definition = job.before  # W-6 has put the goal definition there
        if definition is None:
            raise ResourceFailure(f"CREATE of {job.row.name}: the template has no such resource")
        job.row = job.row._replace(properties=job.resolve(definition))  # RC-2
        for attempt in range(1 + RETRIES):
            again = yield from self.create_once(job, definition)
            if not again:
                return
            if attempt < RETRIES:
                yield from self.delete_physical(job)  # RC-6
        raise ResourceFailure(f"CREATE of {job.row.name}: conflict")

    def adopt_template(self, job: Job) -> None:
        """RC-1: the row takes the goal template, in memory, before the lock."""
        job.row = job.row._replace(template=job.st.template)

    def required(self, job: Job) -> frozenset[str]:
        """The ids that the row is recorded to depend on."""
        return job.requires

    def create_once(self, job: Job, definition: ResourceDef) -> Handler:
        """RC-2 to RC-5: one CREATE cycle; True if it met a conflict."""
        spec = job.spec(definition)  # RC-2
        yield from self.lock(job, CREATE, attempts=1)  # RC-3
        physical = yield Begin("RC-4", "create", job.row.id, spec, job.traversal, job.traversal)
        with contextlib.suppress(DatabaseError):  # resource_id_set only logs it
            yield Transaction("RC-4", update_and_save, (job.row.id, {"physical": physical}))
        job.row = job.row._replace(physical=physical)
        again = yield from self.finish(job, CREATE, "RC-4")
        yield from self.unlock(job, CREATE, FAILED if again else COMPLETE)  # RC-5
        return again

    # ------------------------------------------------------------------------------------------------------ 5.6 update

    def update(self, job: Job) -> Handler:
        """5.6 (resource.py:update_convergence, update). Raises :class:`UpdateReplace` where it has to be replaced."""
        after = job.after
        if after is None:
            raise ResourceFailure(f"UPDATE of {job.row.name}: the template has no such resource")
        self.check_class(job, after)  # RU-1
        job.row = job.row._replace(replaced_by=None)  # RU-3
        values = job.resolve(after)  # RU-4
        try:
            needed = self.needs_update(job, after, values)  # RU-5
        except UpdateReplace:
            yield from self.prepare_to_replace(job)
            raise
        if not needed:
            yield from self.leave_unchanged(job)
            return
        old = job.row
        job.row = job.row._replace(updated_at=job.st.updated_at, requires=self.requires_while_updating(job))  # RU-7
        yield from self.lock(job, UPDATE)  # RU-8
        held = dict(self.properties_before(job, old))
        if any(held.get(name) != value for name, value in values if name in dict(after.replace)) or (
            {name for name, _ in after.replace} != {name for name, _ in (job.before or after).replace}
        ):
            yield from self.unlock(job, UPDATE, COMPLETE)  # RU-11
            raise UpdateReplace(job.row.name)
        yield from self.update_in_place(job, after)

    def check_class(self, job: Job, after: ResourceDef) -> None:
        """RU-1: another resource class means replacement."""
        if job.before is not None and job.before.kind != after.kind:
            raise UpdateReplace(job.row.name)

    def needs_update(self, job: Job, after: ResourceDef, values: tuple[tuple[str, Plain], ...]) -> bool:
        """RU-5 (_needs_update). The status seen is that of the loaded copy. Raises :class:`UpdateReplace`."""
        row = job.row
        if row.status == FAILED or (row.action in (DELETE, INIT) and row.status == COMPLETE):
            raise UpdateReplace(row.name)
        before = self.properties_before(job, row)
        return before != values or job.before is None or job.before.depends_on != after.depends_on

    def prepare_to_replace(self, job: Job) -> Handler:
        """RU-5: the hook ``prepare_for_replace`` runs under the bare lock, for every plugin: Heat compares a bound method with a function,
        which are never equal. Raises :class:`UpdateInProgress`."""
        yield from self.bare_lock("RU-5", job, None, job.me.engine)
        yield from self.bare_lock("RU-5", job, job.me.engine, None)

    def bare_lock(self, step: str, job: Job, expected: str | None, engine: str | None) -> Handler:
        """Take or release the lock and write nothing else (resource.py:lock)."""
        row, key = job.row, next_key(job.row.key)
        where = {"engine": expected, "key": row.key}
        matched = yield from self.retried(Update(step, RESOURCE, row.id, {"engine": engine, "key": key}, where=where))
        if not matched:
            raise UpdateInProgress(row.id)
        job.row = row._replace(engine=engine, key=key)

    def properties_before(self, job: Job, row: ResourceRow) -> tuple[tuple[str, Plain], ...]:
        """RU-4: what was last applied; of a row to which nothing ever was, what its definition says."""
        if row.properties is not None:
            return row.properties
        return () if job.before is None else job.resolve(job.before)

    def leave_unchanged(self, job: Job) -> Handler:
        """RU-6: stamp the goal template by CAS without taking the lock; status FAILED becomes COMPLETE."""
        status = COMPLETE if job.row.status == FAILED else job.row.status
        job.row = job.row._replace(template=job.st.template, status=status)
        yield from self.store_unlocked(job, "RU-6")

    def store_unlocked(self, job: Job, step: str) -> Handler:
        """LK-6: write the row by CAS if it is not locked. Raises :class:`UpdateInProgress` if that loses."""
        new = job.row._replace(key=next_key(job.row.key))
        matched = yield from self.write_unlocked(job, step, new)
        if not matched:
            raise UpdateInProgress(new.id)
        job.row = new

    def write_unlocked(self, job: Job, step: str, new: ResourceRow) -> Handler:
        """LK-1 and LK-6: the write itself."""
        where = {"engine": None, "key": job.row.key}
        return (yield from self.retried(Update(step, RESOURCE, new.id, unlocked(new), where=where)))

    def requires_while_updating(self, job: Job) -> frozenset[str]:
        """RU-7: the old dependencies are kept until the update is done."""
        return job.row.requires | job.requires

    def update_in_place(self, job: Job, after: ResourceDef) -> Handler:
        """RU-9, RU-10."""
        old_template, old_properties = job.row.template, job.row.properties
        spec = job.spec(after)
        job.row = job.row._replace(template=job.st.template)
        begun = yield Begin("RU-9", "update", job.row.physical or "", spec, job.traversal, job.traversal)
        if not begun:
            yield from self.update_failed(job, "not found", old_template)
        yield from self.finish_update(job, old_template)
        values = job.resolve(after)
        if values != old_properties:
            job.forget_attributes()
        job.row = job.row._replace(properties=values, requires=self.required(job))  # RU-10
        yield from self.unlock(job, UPDATE, COMPLETE)

    def finish_update(self, job: Job, old_template: str | None) -> Handler:
        """RU-10: what a failure leaves in the row is decided here."""
        return (yield from self.finish(job, UPDATE, "RU-9"))

    def update_failed(self, job: Job, outcome: str, old_template: str | None) -> Handler:
        """RU-10: an update that could not begin."""
        yield from self.fail(job, UPDATE, outcome)

    # ------------------------------------------------------------------------------------------------------- CHECK, 8.7

    def check(self, job: Job) -> Handler:
        """DO-1: look whether the physical resource is well; a class without a check handler is believed (8.7)."""
        if job.before is not None and job.before.kind == "unchecked":
            if (job.row.action, job.row.status) == (INIT, COMPLETE):
                return
            new = job.row._replace(action=CHECK, status=COMPLETE)
            job.row = new
            yield from self.write_blind("8.7", new.id, full(new))
            return
        if (job.row.action, job.row.status) == (INIT, COMPLETE):
            job.row = job.row._replace(action=CHECK, status=FAILED)
            yield from self.write_blind("8.7", job.row.id, full(job.row))
            yield from self.clear_attributes(job)
            raise ResourceFailure(f"CHECK of {job.row.name}: not created yet")
        yield from self.lock(job, CHECK)
        begun = yield Begin("DO-1", "check", job.row.physical or "", None, job.traversal, job.traversal)
        if not begun:
            yield from self.fail(job, CHECK, "not found")
        yield from self.finish(job, CHECK, "DO-1")
        yield from self.unlock(job, CHECK, COMPLETE)

    # ----------------------------------------------------------------------------------------------------- 5.7 cleanup

    def cleanup(self, job: Job) -> Handler:
        """5.7 (resource.py:delete_convergence, delete)."""
        row = job.row
        if row.template == job.st.template:
            return  # RD-1
        if row.action == INIT:
            yield from self.delete_row(job)  # RD-2
            return
        yield from self.delete_and_unlink(job)

    def delete_and_unlink(self, job: Job) -> Handler:
        """RD-3 to RD-7: what was made goes, and who replaces it forgets that it does."""
        if not (job.row.action == DELETE and job.row.status == COMPLETE):  # RD-3
            yield from self.delete_physical(job)
        if job.row.replaced_by is not None:  # RD-7
            other = yield Read("RD-7", RESOURCE, job.row.replaced_by)
            if other is not None and other.template == job.st.template:
                where = {"engine": None, "key": other.key}
                unlink = {"replaces": None, "key": next_key(other.key)}
                yield from self.retried(Update("RD-7", RESOURCE, other.id, unlink, where=where))

    def delete_row(self, job: Job) -> Handler:
        """RD-2: a row for which nothing was ever made is deleted, BLIND."""
        yield Transaction("RD-2", resource_delete, (job.row.id,))

    def delete_physical(self, job: Job, attempts: int = LOCK_ATTEMPTS) -> Handler:
        """RD-4 to RD-6: one DELETE cycle; the row stays as a tombstone."""
        yield from self.lock(job, DELETE, attempts)
        for _ in range(1 + RETRIES if job.row.physical is not None else 0):
            begun = yield Begin("RD-5", "delete", job.row.physical or "", None, job.traversal, job.traversal)
            if not begun or not (yield from self.finish(job, DELETE, "RD-5")):
                break
        else:
            if job.row.physical is not None:
                yield from self.fail(job, DELETE, "conflict")
        yield from self.delete_done(job)

    def delete_done(self, job: Job) -> Handler:
        """RD-6."""
        yield from self.unlock(job, DELETE, COMPLETE)

    # -------------------------------------------------------------------------------------------------- 5.8 replacement

    def make_replacement(self, job: Job) -> Handler:
        """5.8 (check_resource.py:_handle_resource_replacement): the id of the new row, or None if it gave up."""
        row = job.row
        new = ResourceRow(
            f"{row.name}@{job.traversal}", row.name, row.stack, INIT, COMPLETE, job.st.template, requires=self.required(job),
            replaces=row.id, updated_at=job.st.updated_at,
        )  # fmt: skip  # RP-1
        for attempt in range(REPLACEMENT_ATTEMPTS):
            if attempt:  # RP-3
                yield Sleep("RP-3")
                fresh = yield Read("RP-3", RESOURCE, row.id)
                if fresh is None:
                    raise NotFound(f"resource {row.id}")
                if fresh.engine is not None or fresh.updated_at != row.updated_at:
                    return None
                row = row._replace(key=fresh.key)
            made, matched = yield from self.insert_replacement(row, new)
            if matched:
                return made
        return None  # RP-4

    def insert_replacement(self, row: ResourceRow, new: ResourceRow) -> Handler:
        """RP-2: the id of the new row, and whether it could be linked."""
        return (yield from self.store_replacement(row, new))

    def store_replacement(self, row: ResourceRow, new: ResourceRow) -> Handler:
        """RP-2: the write itself."""
        return (yield from self.retried(Transaction("RP-2", create_replacement, (row.id, row.key, new))))
