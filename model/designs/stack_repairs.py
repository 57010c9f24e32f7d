"""Repairs of stacks, traversals and their templates; those of rows, and the table of all, are in :mod:`repairs`."""

from __future__ import annotations

from typing import Any

import networkx

from heatproof.model.designs.heat import Heat
from heatproof.model.designs.heat.ending import NotFound, origin, resource_purge_deleted, stack_update, template_delete
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
    Graph,
    ResourceRow,
    StackCopy,
    StackRow,
    SyncPointRow,
    full,
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
from heatproof.model.templates import Template


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


def take_back_template(st: StackCopy) -> Handler:
    """CV-5: delete the template that an operation has stored (CV-4) and does not come to use."""
    if st.action in (UPDATE, DELETE) and st.template is not None:
        yield Delete("CV-5", TEMPLATE, {"id": st.template})


class LostError(Escape):
    """The stack belongs to another operation."""


class LostAreRefused(Heat):
    """CV-5: an operation that loses the stack is refused, and its template deleted."""

    name = "lost-operations-are-refused"

    def operation_lost(self, st: StackCopy) -> Handler:
        """CV-5."""
        if st.action == ROLLBACK:
            return
        yield from take_back_template(st)
        raise LostError(st.id)

    def _refused(self, handler: Handler) -> Handler:
        try:
            return (yield from handler)
        except LostError:
            return Refused("an action is in progress")

    def create_stack(self, me: Me, number: int, operation: Operation) -> Handler:
        """4.3."""
        return (yield from self._refused(super().create_stack(me, number, operation)))

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


def owns(step: str, stack: str, traversal: str) -> Body:
    """Whether the traversal owns the stack, inside a transaction."""
    row = yield Read(step, STACK, stack)
    return row is not None and row.traversal == traversal


def insert_if_current(step: str, table: Any, stack: str, traversal: str, row: Any) -> Body:
    """SU-3a, SU-6, SU-7: an insert, if the traversal still owns the stack; the key, or None."""
    return (yield Insert(step, table, row)) if (yield from owns(step, stack, traversal)) else None


def write_if_owned(stack: str, traversal: str, row: ResourceRow) -> Body:
    """SU-3b: a write of a row, if the traversal still owns the stack; the number of rows matched."""
    return (yield Update("SU-3b", RESOURCE, row.id, full(row))) if (yield from owns("SU-3b", stack, traversal)) else 0


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


def store_in_state(stack: str, values: Any, expected: str, state: tuple[str, str]) -> Body:
    """CV-5 of a rollback: only if the stack still is in the state that was loaded; the number of rows matched."""
    row = yield Read("CV-5", STACK, stack)
    if row is not None and not row.deleted and (row.action, row.status) != state:
        return 0
    return (yield from stack_update(stack, values, expected))


class RollbackOnlyWhileInProgress(Heat):
    """RB-3 is left out, and CV-5 of a rollback demands that the stack still is in the state that was loaded."""

    name = "rollback-only-while-in-progress"

    def forget_way_back(self, st: StackCopy) -> Handler:
        """RB-3."""
        yield from ()
        return True

    def publish_operation(self, st: StackCopy, expected: str, state: tuple[str, str]) -> Handler:
        """CV-5."""
        if st.action != ROLLBACK:
            return (yield from super().publish_operation(st, expected, state))
        return (yield from self.retried(Transaction("CV-5", store_in_state, (st.id, st.row, expected, state))))


def drop_unused(stack: str, templates: tuple[str, ...]) -> Body:
    """CV-5: delete those of these templates that no stack and no row has or, being locked, may come to have."""
    row = yield Read("CV-5", STACK, stack)
    locked = yield Query("CV-5", RESOURCE, {"stack": stack}, unless={"engine": None})
    for template in templates:
        of_it = yield Query("CV-5", RESOURCE, {"template": template})
        if not of_it and not locked and template not in (row.template, row.prev_template):
            yield from template_delete(template)


def store_with_way_back(stack: str, values: StackRow, expected: str) -> Body:
    """CV-5 of an update: the number of rows matched, and the way back that was stored. The goal of a rollback is what held. The template that
    was overtaken goes, if no row has it or may come to have it."""
    row = yield Read("CV-5", STACK, stack)
    way_back, overtaken = values.prev_template, None
    if row is not None and not row.deleted:
        if row.status == DONE or row.action == ROLLBACK or (row.action == CHECK and row.prev_template is None):
            way_back = row.template
        else:
            way_back, overtaken = row.prev_template, row.template
    matched = yield from stack_update(stack, values._replace(prev_template=way_back), expected)
    if matched and overtaken is not None:
        yield from drop_unused(stack, (overtaken,))
    return matched, way_back


class RollbackToWhatLastHeld(Heat):
    """CV-1: an update keeps the way back of the operation before it, unless that was COMPLETE (a rollback goes to what held)."""

    name = "rollback-to-what-last-held"

    def publish_operation(self, st: StackCopy, expected: str, state: tuple[str, str]) -> Handler:
        """CV-5."""
        if st.action != UPDATE:
            return (yield from super().publish_operation(st, expected, state))
        matched, way_back = yield from self.retried(Transaction("CV-5", store_with_way_back, (st.id, st.row, expected)))
        st.set(prev_template=way_back)
        return matched

    def score(self, st: StackCopy, row: ResourceRow) -> int:
        """The rows of the way back serve only where they are not replaced: an overtaken update may have done so."""
        replaced = row.replaced_by is not None and row.template is not None and row.template == st.prev_template
        return super().score(st, row) - 5 * replaced


def fail_unless_complete(stack: str, values: Any, expected: str) -> Body:
    """MF-1, if the stack is not COMPLETE; the number of rows matched."""
    row = yield Read("MF-1", STACK, stack)
    if row is not None and not row.deleted and row.status == DONE:
        return 0
    return (yield from stack_update(stack, values, expected))


class OnlyWhatRunsFails(Heat):
    """MF-1 does not write over COMPLETE."""

    name = "only-what-runs-fails"

    def store_stack(self, step: str, stack: str, values: Any, expected: str) -> Handler:
        """MF-1."""
        if step != "MF-1":
            return (yield from super().store_stack(step, stack, values, expected))
        return (yield from self.retried(Transaction(step, fail_unless_complete, (stack, values, expected))))


class MadeBeforeUnmade(Heat):
    """SU-3: a row for which nothing was made gives way to the one that it is to replace, if that is well."""

    name = "made-before-unmade"

    def best_existing(self, st: StackCopy, rows: list[ResourceRow]) -> ResourceRow | None:
        """SU-3."""
        well = {row.id for row in rows if row.action != DELETE and row.status != FAILED}
        return super().best_existing(st, [row for row in rows if row.action != INIT or row.replaces not in well])


def without_circles(ext: dict[str, ResourceRow]) -> dict[str, ResourceRow]:
    """G-3, G-4: the rows, without the requirements and then the links that would have them cleaned up in a circle."""
    graph = networkx.DiGraph()
    graph.add_nodes_from(ext)

    def added(first: str | None, then: str) -> bool:
        if first not in ext or networkx.has_path(graph, then, first):
            return False
        graph.add_edge(first, then)
        return True

    requires = {row: frozenset([other for other in sorted(ext[row].requires) if added(other, row)]) for row in sorted(ext)}
    replaces = {row: ext[row].replaces if added(ext[row].replaces, row) else None for row in sorted(ext)}
    return {name: row._replace(requires=requires[name], replaces=replaces[name]) for name, row in ext.items()}


class NoCycleOfCleanups(Heat):
    """G-4: a replacement is cleaned up before the old copy only where what they require does not say otherwise."""

    name = "no-cycle-of-cleanups"

    def graph(self, content: Template, ext: dict[str, ResourceRow], current: dict[str, str]) -> Graph:
        """G-1 to G-7."""
        return super().graph(content, without_circles(ext), current)


class CancelledSyncPointsGo(Heat):
    """SV-3 comes before SV-2."""

    name = "cancelled-sync-points-go"

    def stop_traversal(self, me: Me, st: StackCopy) -> Handler:
        """7.1."""
        old, fence = st.traversal, f"{st.traversal}x{origin(me)}"
        st.set(traversal=fence)
        matched = yield from self.store_stack("SV-1", st.id, {"traversal": fence}, old)
        if matched:
            yield Delete("SV-3", SYNC_POINT, {"stack": st.id, "traversal": old})
            yield from self.persist_state("SV", st, FAILED, f"Stack {st.action} cancelled")


class OvertakenTemplatesGo(Heat):
    """CV-5 deletes the templates that the stack does not refer to any more, if no row has one or may come to have it."""

    name = "overtaken-templates-go"

    def publish_operation(self, st: StackCopy, expected: str, state: tuple[str, str]) -> Handler:
        """CV-5."""
        row = yield Read("CV-5", STACK, st.id)
        matched = yield from super().publish_operation(st, expected, state)
        if matched and row is not None:
            before = tuple(sorted({row.template, row.prev_template} - {None, st.template, st.prev_template}))
            if before:
                yield Transaction("CV-5", drop_unused, (st.id, before))
        return matched


class NoTemplateForDeleted(Heat):
    """CV-5 deletes the template again where the stack is gone."""

    name = "no-template-for-what-is-deleted"

    def publish_operation(self, st: StackCopy, expected: str, state: tuple[str, str]) -> Handler:
        """CV-5."""
        try:
            return (yield from super().publish_operation(st, expected, state))
        except NotFound:
            yield from take_back_template(st)
            raise


def purge_with_links(stack: str) -> Body:
    """PG-1: no row is linked with a tombstone that goes."""
    tombstones = yield Query("PG-1", RESOURCE, {"stack": stack, "action": DELETE, "status": DONE})
    for link in ("replaces", "replaced_by"):
        for tombstone in tombstones:
            for row in (yield Query("PG-1", RESOURCE, {"stack": stack, link: tombstone.id})):
                yield Update("PG-1", RESOURCE, row.id, {link: None})
    yield from resource_purge_deleted(stack)


class PurgeClearsLinks(Heat):
    """PG-1 clears the links to the rows that it deletes."""

    name = "purge-clears-links"

    def purge_tombstones(self, st: StackCopy) -> Handler:
        """PG-1, PG-1b."""
        yield from self.retried(Transaction("PG-1", purge_with_links, (st.id,)))
