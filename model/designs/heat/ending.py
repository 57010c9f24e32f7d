"""How a traversal ends: mark_complete, mark_failed, purge_db, rollback. heat-algorithm.md section 6."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heatproof.model.design import Design
from heatproof.model.designs.heat.values import (
    COMPLETE,
    CREATE,
    DELETE,
    FAILED,
    RESOURCE,
    ROLLBACK,
    STACK,
    SYNC_POINT,
    TEMPLATE,
    UPDATE,
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
    Me,
    Query,
    Read,
    Transaction,
    Update,
)  # fmt: skip
from heatproof.model.templates import EMPTY, Template


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


def resource_purge_deleted(stack: str) -> Body:
    """PG-1 and PG-1b: delete the tombstones and the templates that only they referred to (db/api.py:resource_purge_deleted)."""
    tombstones = yield Query("PG-1", RESOURCE, {"stack": stack, "action": DELETE, "status": COMPLETE})
    if not tombstones:
        return
    yield Delete("PG-1", RESOURCE, {"stack": stack, "action": DELETE, "status": COMPLETE})
    for template in sorted({row.template for row in tombstones if row.template is not None}):
        rows = yield Query("PG-1b", RESOURCE, {"template": template})
        goals = yield Query("PG-1b", STACK, {"template": template})
        previous = yield Query("PG-1b", STACK, {"prev_template": template})
        if not rows and not goals and not previous:
            yield Delete("PG-1b", TEMPLATE, {"id": template})


def stack_delete(stack: str) -> Body:
    """PG-7: delete what rows are left and soft-delete the stack."""
    yield Delete("PG-7", RESOURCE, {"stack": stack})
    yield Update("PG-7", STACK, stack, {"deleted": True})


class Ending(Design):
    """MC, MF, PG, RB."""

    if TYPE_CHECKING:

        def converge_stack(
            self,
            me: Me,
            st: StackRow,
            action: str,
            traversal: str,
            goal: str | None = None,
            content: Template = EMPTY,
            rollback: bool | None = None,
            timeout: bool | None = None,
            from_worker: bool = False,
            threads: bool = True,
        ) -> Handler: ...

    def store_stack(self, step: str, stack: str, values: Any, expected: str) -> Handler:
        """One CAS on the stack row; the number of rows matched. Retried on database errors (retry_on_db_error)."""
        return (yield from self.retried(Transaction(step, stack_update, (stack, values, expected))))

    def retried(self, effect: Effect) -> Handler:
        """db/api.py:retry_on_db_error: again on deadlock and on connection loss."""
        while True:
            try:
                return (yield effect)
            except (Aborted, Disconnected):
                continue

    def mark_complete(self, me: Me, st: StackRow, traversal: str) -> Handler:
        """6.1 (stack.py:mark_complete)."""
        yield Read("MC-1", STACK, st.id)
        matched = yield from self.store_stack(
            "MC-2", st.id, _status(st.action, COMPLETE, f"Stack {st.action} completed successfully"), traversal
        )
        if matched:
            yield from self.purge_db(me, st._replace(status=COMPLETE, reason=""), traversal)

    def mark_failed(
        self, me: Me, st: StackRow, traversal: str, reason: str, threads: bool = True, from_worker: bool = True
    ) -> Handler:
        """6.2 (stack.py:mark_failed). False if the stack was not ours any more. ``from_worker``: the stack object came from a
        worker's message, which matters to a rollback (SU-2)."""
        matched = yield from self.store_stack("MF-1", st.id, _status(st.action, FAILED, reason), traversal)
        if not matched:
            return False
        st = st._replace(status=FAILED, reason=reason)
        if st.rollback and st.action in (CREATE, UPDATE):
            yield from self.rollback(me, st, traversal, threads, from_worker)
        else:
            yield from self.purge_db(me, st, traversal)
        return True

    def purge_db(self, me: Me, st: StackRow, traversal: str) -> Handler:
        """6.3 (stack.py:purge_db)."""
        yield from self.retried(Transaction("PG-1", resource_purge_deleted, (st.id,)))
        gone = None
        owned = st.traversal
        if st.status == FAILED:
            owned = self.traversal_after_failure(st)
        elif st.prev_template is not None:
            gone, st = st.prev_template, st._replace(prev_template=None)
        st = st._replace(traversal=owned)
        matched = yield from self.store_stack("PG-3", st.id, st, traversal)
        if not matched:
            return
        if gone is not None:
            yield from self.delete_previous(gone)
        yield Delete("PG-6", SYNC_POINT, {"stack": st.id, "traversal": traversal})
        if st.action == DELETE and st.status == COMPLETE:
            yield Transaction("PG-7", stack_delete, (st.id,))

    def delete_previous(self, template: str) -> Handler:
        """PG-5: the template that a rollback would have gone to."""
        yield Delete("PG-5", TEMPLATE, {"id": template})

    def traversal_after_failure(self, st: StackRow) -> str:
        """PG-2: the traversal id that a failed stack keeps."""
        return ""

    def rollback(self, me: Me, st: StackRow, traversal: str, threads: bool = True, from_worker: bool = True) -> Handler:
        """6.4 (stack.py:rollback)."""
        goal: str | None = None
        content: Template = EMPTY
        if st.prev_template is not None:
            row = yield Read("RB-2", TEMPLATE, st.prev_template)
            if row is None:
                raise NotFound(f"template {st.prev_template}")
            goal, content = row.id, row.content
            st = st._replace(prev_template=None)
            matched = yield from self.store_stack("RB-3", st.id, st, traversal)
            if not matched:
                return
        yield from self.converge_stack(
            me, st, ROLLBACK, f"{traversal}~{origin(me)}", goal=goal, content=content, from_worker=from_worker, threads=threads
        )


def origin(me: Me) -> str:
    """A short name for the task that starts a traversal on its own: the row it works on, or the operation it belongs to."""
    name, _, repeat = me.task.partition("#")
    inner = name.partition("(")[2].partition(",")[0].rstrip(")") or me.task
    return f"{inner}#{repeat}" if repeat and inner != me.task else inner


def _status(action: str, status: str, reason: str) -> dict[str, str]:
    return {"action": action, "status": status, "reason": reason}
