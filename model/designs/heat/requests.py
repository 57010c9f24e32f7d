"""What users ask, and what stops a traversal. heat-algorithm.md sections 4.3 to 4.7, 7.1 and 8."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from heatproof.model.designs.heat.ending import NotFound, attributes_delete, load_stack, origin, read_anew, stack_create
from heatproof.model.designs.heat.values import (
    CHECK,
    COMPLETE,
    CREATE,
    CREDENTIALS,
    DELETE,
    FAILED,
    IN_PROGRESS,
    INIT,
    RESOURCE,
    STACK,
    SYNC_POINT,
    TEMPLATE,
    UPDATE,
    CredentialsRow,
    ResourceRow,
    StackCopy,
    StackRow,
    TemplateRow,
    full,
    known,
    next_key,
)  # fmt: skip
from heatproof.model.designs.heat.worker import Worker
from heatproof.model.effects import (
    Delete,
    Escape,
    Handler,
    Insert,
    Look,
    Me,
    Query,
    Read,
    Refused,
    Sleep,
    Spawn,
    Transaction,
    Update,
)
from heatproof.model.scenario import Operation
from heatproof.model.templates import EMPTY, Attr, Ref, Template

METADATA_ATTEMPTS = 11  # 8.1


class DefinitionLost(Escape):
    """A resource that is not in the template any more is made with a definition that nobody keeps; where its properties were never stored
    and refer to others, they cannot be told (AssertionError, function.py:Function.stack)."""


def told(handler: Callable[..., Handler]) -> Callable[..., Handler]:
    """The caller is told that the stack is gone, as of anything else that Heat itself raises."""

    @wraps(handler)
    def telling(self: Any, me: Me, number: int, operation: Operation) -> Handler:
        try:
            return (yield from handler(self, me, number, operation))
        except NotFound as error:
            return Refused(f"not found: {error}")

    return telling


class Requests(Worker):
    """C, U, DL, CA, SV and the writers that are no traversals."""

    @told
    def create_stack(self, me: Me, number: int, operation: Operation) -> Handler:
        """4.3 (service.py:create_stack)."""
        content = operation.template or EMPTY
        known = yield Read("C-1", STACK, operation.stack)
        if known is not None and not known.deleted:
            return Refused("the stack exists already")
        goal = yield Insert("C-1", TEMPLATE, TemplateRow(f"t{number}", content))
        row = StackRow(
            operation.stack, f"T{number}.0", CREATE, IN_PROGRESS, goal, rollback=operation.rollback, timeout=operation.timeout,
            credentials=operation.stack,
        )  # fmt: skip
        yield Insert("C-1", CREDENTIALS, CredentialsRow(operation.stack))
        yield Transaction("C-1", stack_create, (row,))
        st = StackCopy(row)
        try:
            yield from self.store_copy("C-2", st, st.traversal)  # create_stack_user_project_id
        except Escape:
            yield from self.persist_state("C", st, FAILED, "Failed to create stack user project")
        yield from self.converge_stack(me, st, CREATE, f"T{number}", goal=goal, content=content)  # C-2

    @told
    def update_stack(self, me: Me, number: int, operation: Operation) -> Handler:
        """4.4 (service.py:update_stack)."""
        st = yield Read("U-1", STACK, operation.stack)
        if st is None or st.deleted:
            return Refused("the stack does not exist")
        if st.action == DELETE:
            return Refused("the stack is being deleted")
        yield from self.converge_stack(
            me, StackCopy(st), UPDATE, f"T{number}", content=operation.template or EMPTY,
            rollback=operation.rollback, timeout=operation.timeout,
        )  # fmt: skip  # U-2

    @told
    def delete_stack(self, me: Me, number: int, operation: Operation) -> Handler:
        """4.5 (service.py:delete_stack)."""
        row = yield Read("DL-1", STACK, operation.stack)
        if row is None or row.deleted:
            return Refused("the stack does not exist")
        st = StackCopy(row)
        if st.action == DELETE and st.status == COMPLETE:
            yield from self.delete_again(me, st)
            return Refused("the stack does not exist")
        if st.status == IN_PROGRESS:
            yield from self.stop_before_delete(me, st)
        yield from self.converge_stack(me, st, DELETE, f"T{number}")  # DL-3

    def stop_before_delete(self, me: Me, st: StackCopy) -> Handler:
        """DL-2."""
        yield from self.stop_traversal(me, st)

    def delete_again(self, me: Me, st: StackCopy) -> Handler:
        """DL-1: the purge of a deleted stack that is still there is run again."""
        yield Spawn("DL-1", "purge_again", (st.row,))

    def purge_again(self, me: Me, row: StackRow) -> Handler:
        """DL-1, in a thread of its own."""
        yield from self.purge_db(me, StackCopy(row))

    @told
    def cancel_stack(self, me: Me, number: int, operation: Operation) -> Handler:
        """4.6 (service.py:stack_cancel_update), with rollback for the kind ``rollback``."""
        st = yield Read("CA-1", STACK, operation.stack)
        if st is None or st.deleted:
            return Refused("the stack does not exist")
        with_rollback = operation.kind == "rollback"
        if st.status != IN_PROGRESS or st.action not in ((UPDATE,) if with_rollback else (UPDATE, CREATE)):
            return Refused(f"cannot cancel {st.action} {st.status}")
        yield Spawn("CA-2", "cancel_update", (st, number, with_rollback))

    def cancel_update(self, me: Me, row: StackRow, number: int, with_rollback: bool) -> Handler:
        """CA-2, in a thread of its own."""
        st = StackCopy(row)
        if with_rollback:
            yield from self.cancel_with_rollback(me, st)
        else:
            yield from self.stop_traversal(me, st)

    def cancel_with_rollback(self, me: Me, st: StackCopy) -> Handler:
        """CA-2."""
        yield from self.rollback(me, st, from_worker=False)

    @told
    def check_stack(self, me: Me, number: int, operation: Operation) -> Handler:
        """4.7 (service.py:stack_check)."""
        st = yield from self.stack_of(operation, "4.7")
        if st is None:
            return Refused("the stack does not exist")
        yield from self.converge_stack(me, st, CHECK, f"T{number}", goal=st.template, content=st.content)

    def stop_traversal(self, me: Me, st: StackCopy) -> Handler:
        """7.1 (worker.py:stop_traversal): fence the traversal off with an id that belongs to nobody."""
        old, fence = st.traversal, f"{st.traversal}x{origin(me)}"
        st.set(traversal=fence)
        matched = yield from self.store_stack("SV-1", st.id, {"traversal": fence}, old)
        if matched:
            matched = yield from self.persist_state("SV", st, FAILED, f"Stack {st.action} cancelled")
            if matched:
                yield Delete("SV-3", SYNC_POINT, {"stack": st.id, "traversal": old})

    # ----------------------------------------------------------------------------------- 8: writers that are no traversals

    def signal(self, me: Me, number: int, operation: Operation) -> Handler:
        """8.1 (service.py:resource_signal, resource.py:metadata_set): CAS with lock and version as just read; it can succeed on a
        locked row."""
        st = yield from self.stack_of(operation, "8.1")
        if st is None:
            return Refused("the stack does not exist")
        row, taken = yield from self.signalled(st, operation)
        if row is None:
            return Refused("the resource does not exist")
        if row.action in (INIT, DELETE):
            return Refused(f"the resource is {row.action} {row.status}")
        for attempt in range(METADATA_ATTEMPTS):
            if attempt:
                yield Sleep("8.1")
            row = yield Transaction("8.1", read_anew, (row.id,), reads_only=True)
            if row is None:
                return Refused("the resource does not exist")
            if row.action == DELETE:
                break
            values = {"metadata": row.metadata + 1, "key": next_key(row.key)}
            where = self.metadata_guard(row)
            matched = yield from self.retried(Update("8.1", RESOURCE, row.id, values, where=where))
            if matched:
                break
        else:
            return Refused("the resource is too busy")
        yield from self.look_at_all("8.1", st.content, taken, lambda row: row.action != INIT)
        return None

    def look_at_all(
        self, step: str, content: Template, taken: dict[str, ResourceRow], wanted: Callable[[ResourceRow], bool]
    ) -> Handler:
        """Read the attributes that others read of each resource of the template, where they are not cached: it is asked what the resource
        is referred to by, and the answer carries them (resource.py:node_data)."""
        for name in content.order:
            row = taken.get(name)
            if row is None or row.physical is None or known(row.attributes) is not None or not wanted(row):
                continue
            for _ in content.attributes_read.get(name, ()):
                thing = yield Look(step, row.physical)
                if thing is not None:
                    break

    def metadata_guard(self, row: ResourceRow) -> dict[str, object]:
        """8.1: what the write of the metadata expects."""
        return {"engine": row.engine, "key": row.key}

    def mark_unhealthy(self, me: Me, number: int, operation: Operation) -> Handler:
        """8.3 (service.py:resource_mark_unhealthy): CAS lock, BLIND state, CAS unlock."""
        st = yield from self.stack_of(operation, "8.3")
        if st is None:
            return Refused("the stack does not exist")
        if operation.resource not in st.content:
            yield from self.search_by_physical_id(st, operation)
            return Refused("the resource does not exist")
        taken = yield from self.rows_by_name("8.3", st)
        row = taken.get(operation.resource)
        if row is None:  # Heat locks a row without an id, which nobody has
            yield from self.retried(Update("8.3", RESOURCE, "", {"engine": me.engine}, where={"engine": None}))
            return Refused("the resource is locked")
        return (yield from self.mark_row(me, row))

    def mark_row(self, me: Me, row: ResourceRow) -> Handler:
        """8.3: what is done to the row that was found."""
        key = next_key(row.key)
        locked = {"engine": me.engine, "key": key}
        matched = yield from self.retried(Update("8.3", RESOURCE, row.id, locked, where={"engine": None, "key": row.key}))
        if not matched:
            return Refused("the resource is locked")
        error: Escape | None = None
        if row.action != DELETE:
            try:
                yield from self.write_blind("8.3", row.id, full(row._replace(action=CHECK, status=FAILED)))
                if row.attributes is not None:
                    yield Transaction("8.3", attributes_delete, (row.id,))
            except Escape as raised:  # the lock is released all the same (resource.py:lock)
                error = raised
        free = {"engine": None, "key": next_key(key)}
        matched = yield from self.retried(Update("8.3", RESOURCE, row.id, free, where=locked))
        if not matched:
            return Refused("the resource was taken away")
        if error is not None:
            raise error
        return None

    def stack_of(self, operation: Operation, step: str) -> Handler:
        """The stack with its template; None if there is none (service.py:_get_stack)."""
        found = yield Transaction(step, load_stack, (operation.stack,), reads_only=True)
        return None if found is None or found[0].deleted else StackCopy(*found)

    def signalled(self, st: StackCopy, operation: Operation) -> Handler:
        """The row of the resource that is meant, in the template or not (stack.py:resource_get)."""
        taken = yield from self.rows_by_name("8.1", st)
        if operation.resource in st.content:
            return taken.get(operation.resource), taken
        yield from self.rows_known("8.1", st)
        row = st.known.get(operation.resource or "")
        if row is None or row.template == st.template:
            return None, taken
        own = yield Read("8.1", TEMPLATE, row.template)
        if own is None or row.name not in own.content:
            return None, taken
        refers = any(isinstance(value, Ref | Attr) for _, value in own.content[row.name].properties)
        if refers and row.properties is None and row.action != DELETE:
            raise DefinitionLost("Need a reference to the StackDefinition object")
        return row, taken

    def search_by_physical_id(self, st: StackCopy, operation: Operation) -> Handler:
        """8.3: what is not in the template may be a physical id, or what a resource is referred to by: attributes are read for that
        (service.py:_find_resource_in_stack, stack.py:resource_by_refid)."""
        yield Query("8.3", RESOURCE, {"physical": operation.resource})
        taken = yield from self.rows_by_name("8.3", st)
        yield from self.look_at_all(
            "8.3", st.content, taken, lambda row: row.action != INIT and (row.action, row.status) in SERVING
        )


SERVING = {
    (INIT, COMPLETE),
    (CREATE, IN_PROGRESS),
    (CREATE, COMPLETE),
    (UPDATE, IN_PROGRESS),
    (UPDATE, COMPLETE),
    (CHECK, COMPLETE),
}
"""The states of resources that can be referred to (stack.py:resource_by_refid)."""
