"""What users ask, and what stops a traversal. heat-algorithm.md sections 4.3 to 4.7, 7.1 and 8."""

from __future__ import annotations

from heatproof.model.designs.heat.ending import origin
from heatproof.model.designs.heat.values import (
    CHECK,
    COMPLETE,
    CREATE,
    DELETE,
    FAILED,
    IN_PROGRESS,
    INIT,
    RESOURCE,
    STACK,
    SYNC_POINT,
    TEMPLATE,
    UPDATE,
    ResourceRow,
    StackRow,
    TemplateRow,
    full,
    next_key,
)  # fmt: skip
from heatproof.model.designs.heat.worker import Worker
from heatproof.model.effects import Delete, Handler, Insert, Me, Query, Read, Refused, Spawn, Update
from heatproof.model.scenario import Operation
from heatproof.model.templates import EMPTY

METADATA_ATTEMPTS = 11  # 8.1


class Requests(Worker):
    """C, U, DL, CA, SV and the writers that are no traversals."""

    def create_stack(self, me: Me, number: int, operation: Operation) -> Handler:
        """4.3 (service.py:create_stack)."""
        content = operation.template or EMPTY
        goal = yield Insert("C-1", TEMPLATE, TemplateRow(f"t{number}", content))
        st = StackRow(
            operation.stack, f"T{number}.0", CREATE, IN_PROGRESS, goal, rollback=operation.rollback, timeout=operation.timeout
        )
        yield Insert("C-1", STACK, st)
        yield from self.converge_stack(me, st, CREATE, f"T{number}", goal=goal, content=content)  # C-2

    def update_stack(self, me: Me, number: int, operation: Operation) -> Handler:
        """4.4 (service.py:update_stack)."""
        st = yield Read("U-1", STACK, operation.stack)
        if st is None or st.deleted:
            return Refused("the stack does not exist")
        if st.action == DELETE:
            return Refused("the stack is being deleted")
        yield from self.converge_stack(
            me, st, UPDATE, f"T{number}", content=operation.template or EMPTY,
            rollback=operation.rollback, timeout=operation.timeout,
        )  # fmt: skip  # U-2

    def delete_stack(self, me: Me, number: int, operation: Operation) -> Handler:
        """4.5 (service.py:delete_stack)."""
        st = yield Read("DL-1", STACK, operation.stack)
        if st is None or st.deleted:
            return Refused("the stack does not exist")
        if st.action == DELETE and st.status == COMPLETE:
            yield from self.delete_again(me, st)
            return Refused("the stack does not exist")
        if st.status == IN_PROGRESS:
            st = yield from self.stop_before_delete(me, st)
        yield from self.converge_stack(me, st, DELETE, f"T{number}")  # DL-3

    def stop_before_delete(self, me: Me, st: StackRow) -> Handler:
        """DL-2."""
        return (yield from self.stop_traversal(me, st))

    def delete_again(self, me: Me, st: StackRow) -> Handler:
        """DL-1: the purge of a deleted stack that is still there is run again."""
        yield Spawn("DL-1", "purge_again", (st,))

    def purge_again(self, me: Me, st: StackRow) -> Handler:
        """DL-1, in a thread of its own."""
        yield from self.purge_db(me, st, st.traversal)

    def cancel_stack(self, me: Me, number: int, operation: Operation) -> Handler:
        """4.6 (service.py:stack_cancel_update), with rollback for the kind ``rollback``."""
        st = yield Read("CA-1", STACK, operation.stack)
        if st is None or st.deleted:
            return Refused("the stack does not exist")
        with_rollback = operation.kind == "rollback"
        if st.status != IN_PROGRESS or st.action not in ((UPDATE,) if with_rollback else (UPDATE, CREATE)):
            return Refused(f"cannot cancel {st.action} {st.status}")
        yield Spawn("CA-2", "cancel_update", (st, number, with_rollback))

    def cancel_update(self, me: Me, st: StackRow, number: int, with_rollback: bool) -> Handler:
        """CA-2, in a thread of its own."""
        if with_rollback:
            yield from self.cancel_with_rollback(me, st)
        else:
            yield from self.stop_traversal(me, st)

    def cancel_with_rollback(self, me: Me, st: StackRow) -> Handler:
        """CA-2."""
        yield from self.rollback(me, st, st.traversal, from_worker=False)

    def check_stack(self, me: Me, number: int, operation: Operation) -> Handler:
        """4.7 (service.py:stack_check)."""
        st = yield Read("4.7", STACK, operation.stack)
        if st is None or st.deleted:
            return Refused("the stack does not exist")
        template = yield Read("4.7", TEMPLATE, st.template)
        if template is None:
            return Refused("the template of the stack is gone")
        yield from self.converge_stack(me, st, CHECK, f"T{number}", goal=st.template, content=template.content)

    def stop_traversal(self, me: Me, st: StackRow) -> Handler:
        """7.1 (worker.py:stop_traversal): fence the traversal off with an id that belongs to nobody; the stack as it is in
        memory afterwards."""
        old, fence = st.traversal, f"{st.traversal}x{origin(me)}"
        st = st._replace(traversal=fence)
        matched = yield from self.store_stack("SV-1", st.id, {"traversal": fence}, old)
        if matched:
            reason = f"Stack {st.action} cancelled"
            values = {"action": st.action, "status": FAILED, "reason": reason}
            st = st._replace(status=FAILED, reason=reason)
            matched = yield from self.store_stack("SV-2", st.id, values, fence)
            if matched:
                yield Delete("SV-3", SYNC_POINT, {"stack": st.id, "traversal": old})
        return st

    # ----------------------------------------------------------------------------------- 8: writers that are no traversals

    def signal(self, me: Me, number: int, operation: Operation) -> Handler:
        """8.1 (resource.py:metadata_set): CAS with lock and version as just read; it can succeed on a locked row."""
        row = yield from self.find(operation)
        if row is None:
            return Refused("the resource does not exist")
        if row.action in (INIT, DELETE):
            return Refused(f"the resource is {row.action} {row.status}")
        for attempt in range(METADATA_ATTEMPTS):
            if attempt:
                row = yield Read("8.1", RESOURCE, row.id)
                if row is None:
                    return Refused("the resource does not exist")
            values = {"metadata": row.metadata + 1, "key": next_key(row.key)}
            where = self.metadata_guard(row)
            matched = yield from self.retried(Update("8.1", RESOURCE, row.id, values, where=where))
            if matched:
                return None
        return Refused("the resource is too busy")

    def metadata_guard(self, row: ResourceRow) -> dict[str, object]:
        """8.1: what the write of the metadata expects."""
        return {"engine": row.engine, "key": row.key}

    def mark_unhealthy(self, me: Me, number: int, operation: Operation) -> Handler:
        """8.3 (service.py:resource_mark_unhealthy): CAS lock, BLIND state, CAS unlock."""
        row = yield from self.find(operation)
        if row is None:
            return Refused("the resource does not exist")
        if row.action == DELETE:
            return None
        where = {"engine": None, "key": row.key}
        matched = yield from self.retried(
            Update("8.3", RESOURCE, row.id, {"engine": me.engine, "key": next_key(row.key)}, where=where)
        )
        if not matched:
            return Refused("the resource is locked")
        key = next_key(row.key)
        yield Update("8.3", RESOURCE, row.id, full(row._replace(action=CHECK, status=FAILED)))
        where = {"engine": me.engine, "key": key}
        yield from self.retried(Update("8.3", RESOURCE, row.id, {"engine": None, "key": next_key(key)}, where=where))
        return None

    def find(self, operation: Operation) -> Handler:
        """The row of the resource that the user means: one of that name that is no tombstone."""
        rows = yield Query(
            "8.1", RESOURCE, {"stack": operation.stack, "name": operation.resource}, unless={"action": DELETE, "status": COMPLETE}
        )
        serving = [row for row in rows if row.replaced_by is None] or list(rows)
        return serving[-1] if serving else None
