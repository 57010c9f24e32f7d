"""How a traversal ends: mark_complete, mark_failed, purge_db, rollback. heat-algorithm.md section 6."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from heatproof.model.design import Design
from heatproof.model.designs.heat.values import (
    CHECK,
    COMPLETE,
    CREATE,
    CREDENTIALS,
    DELETE,
    FAILED,
    RESOURCE,
    ROLLBACK,
    STACK,
    SYNC_POINT,
    TEMPLATE,
    UPDATE,
    Attributes,
    StackCopy,
    StackRow,
)  # fmt: skip
from heatproof.model.effects import (
    Aborted,
    Body,
    Delete,
    Disconnected,
    Effect,
    Escape,
    Handler,
    Insert,
    Me,
    Query,
    Read,
    Transaction,
    Update,
)  # fmt: skip
from heatproof.model.templates import EMPTY, Template

_STATE_STEPS = {"C": ("C-2", "C-2"), "MC": ("MC-1", "MC-2"), "MF": ("MF-1", "MF-1"), "SV": ("SV-2", "SV-2")}
"""The read and the write of a change of the stack's status, by where it is done."""


class NotFound(Escape):
    """A stack or template that should be there is gone (heat.common.exception.NotFound)."""


def stack_update(stack: str, values: Any, expected: str) -> Body:
    """db/api.py:stack_update: CAS on ``current_traversal``; a stack that is gone raises."""
    matched = yield Update("", STACK, stack, values, where={"traversal": expected, "deleted": False})
    if not matched:
        row = yield Read("", STACK, stack)
        if row is None or row.deleted:
            raise NotFound(f"stack {stack}")
    return matched


def load_stack(stack: str) -> Body:
    """The stack row with its template in one statement, also where the stack is deleted; None if it was never stored."""
    row = yield Read("", STACK, stack)
    if row is None:
        return None
    template = yield Read("", TEMPLATE, row.template, joined=True)
    return row, template.content


def stack_create(row: StackRow) -> Body:
    """C-1: insert the stack, and see whether an earlier one has its name (db/api.py:stack_create)."""
    yield Insert("", STACK, row)
    yield Read("", STACK, row.id)


def credentials_delete(stack: str, credentials: str) -> Body:
    """PG-7: delete the credentials; the stack no longer refers to them, whoever owns it (db/api.py:user_creds_delete)."""
    known = yield Read("", CREDENTIALS, credentials)
    if known is None:
        return
    yield Update("", STACK, stack, {"credentials": None}, where={"credentials": credentials})
    yield Delete("", CREDENTIALS, {"id": credentials})


def template_delete(template: str) -> Body:
    """PG-5, PG-1b: delete a template; what refers to it is looked for (db/api.py:raw_template_delete)."""
    known = yield Read("", TEMPLATE, template)
    if known is None:
        return
    yield Query("", STACK, {"template": template})
    yield Delete("", TEMPLATE, {"id": template})


def update_and_save(row: str, values: dict[str, Any]) -> Body:
    """A write by key alone; 0 if the row is gone (db/api.py:resource_update_and_save). SQLAlchemy compares before it sends."""
    known = yield Read("", RESOURCE, row)
    if known is None:
        return 0
    yield Update("", RESOURCE, row, values, compared=True)
    yield Read("", RESOURCE, row)
    return 1


def read_anew(row: str) -> Body:
    """The row as it is, read twice (db/api.py:resource_get with ``refresh``)."""
    known = yield Read("", RESOURCE, row)
    if known is None:
        return None
    return (yield Read("", RESOURCE, row))


def attributes_delete(row: str) -> Body:
    """Forget the cached attributes, BLIND (db/api.py:resource_attr_data_delete)."""
    known = yield Read("", RESOURCE, row)
    if known is not None and known.attributes is not None:
        yield Update("", RESOURCE, row, {"attributes": None})


def attributes_rewrite(row: str, old: Attributes, new: Attributes) -> Body:
    """PR-5a: write cached attributes anew where they stand, if they are still there; whether they are
    (db/api.py:resource_prop_data_create_or_update)."""
    stored = yield Read("", RESOURCE, row)
    if stored is None or stored.attributes != old:
        return False
    return bool((yield Update("", RESOURCE, row, {"attributes": new})))


def resource_delete(row: str) -> Body:
    """Delete a row, BLIND (db/api.py:resource_delete)."""
    known = yield Read("", RESOURCE, row)
    if known is not None:
        yield Delete("", RESOURCE, {"id": row})


def resource_purge_deleted(stack: str) -> Body:
    """PG-1 and PG-1b: delete the tombstones and the templates that only they referred to (db/api.py:resource_purge_deleted)."""
    tombstones = yield Query("PG-1", RESOURCE, {"stack": stack, "action": DELETE, "status": COMPLETE})
    yield Delete("PG-1", RESOURCE, {"stack": stack, "action": DELETE, "status": COMPLETE})
    templates = sorted({row.template for row in tombstones if row.template is not None})
    unused = []
    for template in templates:  # one statement
        goals = yield Query("PG-1b", STACK, {"template": template}, joined=template != templates[0])
        previous = yield Query("PG-1b", STACK, {"prev_template": template}, joined=True)
        rows = yield Query("PG-1b", RESOURCE, {"template": template}, joined=True)
        if not rows and not goals and not previous:
            unused.append(template)
    for template in unused:
        yield from template_delete(template)


def stack_delete(stack: str) -> Body:
    """PG-7: delete what rows are left and soft-delete the stack."""
    row = yield Read("PG-7", STACK, stack)
    if row is None or row.deleted:
        return
    rows = yield Query("PG-7", RESOURCE, {"stack": stack})
    if rows:
        yield Delete("PG-7", RESOURCE, {"stack": stack})
    yield Update("PG-7", STACK, stack, {"deleted": True})


class Ending(Design):
    """MC, MF, PG, RB."""

    if TYPE_CHECKING:

        def converge_stack(
            self,
            me: Me,
            st: StackCopy,
            action: str,
            traversal: str,
            goal: str | None = None,
            content: Template = EMPTY,
            rollback: bool | None = None,
            timeout: bool | None = None,
            from_worker: bool = False,
            threads: bool = True,
        ) -> Handler: ...

        def rows_by_name(self, step: str, st: StackCopy) -> Handler: ...

    def store_stack(self, step: str, stack: str, values: Any, expected: str) -> Handler:
        """One CAS on the stack row; the number of rows matched. Retried on database errors (retry_on_db_error)."""
        return (yield from self.retried(Transaction(step, stack_update, (stack, values, expected))))

    def write_blind(self, step: str, row: str, values: dict[str, Any]) -> Handler:
        """A write by key alone. Raises :class:`NotFound` if the row is gone."""
        matched = yield Transaction(step, update_and_save, (row, values))
        if not matched:
            raise NotFound(f"resource {row}")

    def retried(self, effect: Effect) -> Handler:
        """db/api.py:retry_on_db_error: again on deadlock and on connection loss."""
        while True:
            try:
                return (yield effect)
            except (Aborted, Disconnected):
                continue

    def store_copy(self, step: str, st: StackCopy, expected: str) -> Handler:
        """A full-row write of the copy by CAS (stack.py:store)."""
        return (yield from self.store_stack(step, st.id, st.row, expected))

    def persist_state(self, step: str, st: StackCopy, status: str, reason: str) -> Handler:
        """Change the status in memory, read the stack, write the status by CAS; whether it was ours (stack.py:state_set)."""
        st.set(status=status, reason=reason)
        first, second = _STATE_STEPS[step]
        row = yield Read(first, STACK, st.id)
        if row is None or row.deleted:
            return False
        values = {"action": st.action, "status": status, "reason": reason}
        return (yield from self.store_stack(second, st.id, values, st.traversal))

    def mark_complete(self, me: Me, st: StackCopy) -> Handler:
        """6.1 (stack.py:mark_complete)."""
        matched = yield from self.persist_state("MC", st, COMPLETE, f"Stack {st.action} completed successfully")
        if matched:
            yield from self.purge_db(me, st)

    def mark_failed(self, me: Me, st: StackCopy, reason: str, threads: bool = True, from_worker: bool = True) -> Handler:
        """6.2 (stack.py:mark_failed). False if the stack was not ours any more. ``from_worker``: the stack object came from a
        worker's message, which matters to a rollback (SU-2)."""
        if st.action == CHECK and not from_worker and not st.made:  # supports_check_action
            yield from self.rows_by_name("MF-1", st)
        matched = yield from self.persist_state("MF", st, FAILED, reason)
        if not matched:
            return False
        if st.rollback and st.action in (CREATE, UPDATE):
            yield from self.rollback(me, st, threads, from_worker)
        else:
            yield from self.purge_db(me, st)
        return True

    def purge_db(self, me: Me, st: StackCopy) -> Handler:
        """6.3 (stack.py:purge_db)."""
        yield from self.purge_tombstones(st)
        gone, expected = None, st.traversal
        if st.status == FAILED:
            st.set(traversal=self.traversal_after_failure(st))
        elif st.prev_template is not None:
            gone = st.prev_template
            st.set(prev_template=None)
        matched = yield from self.store_copy("PG-3", st, expected)
        if not matched:
            return
        if gone is not None:
            yield from self.delete_previous(gone)
        yield Delete("PG-6", SYNC_POINT, {"stack": st.id, "traversal": expected})
        if st.action == DELETE and st.status == COMPLETE:
            if st.credentials is not None:
                yield Transaction("PG-7", credentials_delete, (st.id, st.credentials))
                st.set(credentials=None)
            with contextlib.suppress(NotFound):
                yield from self.store_copy("PG-7", st, st.traversal)  # _delete_credentials
            yield Transaction("PG-7", stack_delete, (st.id,))

    def purge_tombstones(self, st: StackCopy) -> Handler:
        """PG-1, PG-1b."""
        yield from self.retried(Transaction("PG-1", resource_purge_deleted, (st.id,)))

    def delete_previous(self, template: str) -> Handler:
        """PG-5: the template that a rollback would have gone to."""
        yield Transaction("PG-5", template_delete, (template,))

    def traversal_after_failure(self, st: StackCopy) -> str:
        """PG-2: the traversal id that a failed stack keeps."""
        return ""

    def rollback(self, me: Me, st: StackCopy, threads: bool = True, from_worker: bool = True) -> Handler:
        """6.4 (stack.py:rollback)."""
        goal: str | None = None
        content: Template = EMPTY
        if st.prev_template is not None:
            row = yield Read("RB-2", TEMPLATE, st.prev_template)
            if row is None:
                raise NotFound(f"template {st.prev_template}")
            goal, content = row.id, row.content
            matched = yield from self.forget_way_back(st)
            if not matched:
                return
        yield from self.converge_stack(
            me, st, ROLLBACK, f"{st.traversal}~{origin(me)}", goal=goal, content=content, from_worker=from_worker, threads=threads
        )

    def forget_way_back(self, st: StackCopy) -> Handler:
        """RB-3."""
        st.set(prev_template=None)
        return (yield from self.store_copy("RB-3", st, st.traversal))


def origin(me: Me) -> str:
    """A short name for the task that starts a traversal on its own: the row it works on, or the operation it belongs to."""
    name, _, repeat = me.task.partition("#")
    inner = name.partition("(")[2].partition(",")[0].rstrip(")") or me.task
    return f"{inner}#{repeat}" if repeat and inner != me.task else inner
