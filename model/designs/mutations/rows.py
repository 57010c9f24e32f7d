"""Mutations of what is done to a resource and its row. See :mod:`heatproof.model.designs.mutations`."""

from __future__ import annotations

from typing import Any

from heatproof.model.designs.heat import Heat
from heatproof.model.designs.heat.resource import Job, ResourceFailure
from heatproof.model.designs.heat.sync import Failures
from heatproof.model.designs.heat.values import (
    COMPLETE,
    INIT,
    RESOURCE,
    C,
    Data,
    GNode,
    Graph,
    ResourceRow,
    StackCopy,
    U,
    full,
    guarded,
)  # fmt: skip
from heatproof.model.effects import Delete, Handler, Me, Read, Update
from heatproof.model.templates import ResourceDef, Template


class ReportsUnderOwnId(Heat):
    """A07: a replacement reports to the stack under its own id (SC-1)."""

    name = "replacement-reports-under-its-own-id"

    def check_stack_complete(
        self, me: Me, row: ResourceRow, node: GNode, traversal: str, st: StackCopy, failures: Failures
    ) -> Handler:
        """SC-1 and SC-2 with the real id."""
        yield from super().check_stack_complete(me, row, (row.id, node[1]), traversal, st, failures)

    def graph(self, content: Template, ext: dict[str, ResourceRow], current: dict[str, str]) -> Graph:
        """In today's graph an existing root always has a cleanup node above it, so G-5 goes too."""
        graph = super().graph(content, ext, current)
        return Graph(graph.nodes, {(a, b) for a, b in graph.edges if not (a[0] == b[0] and a[1] == C and b[1] == U)})


class CreatedKeepsOldTemplate(Heat):
    """A08: a row stored by one traversal and created by the next keeps the first one's template (RC-1)."""

    name = "created-row-keeps-old-template"

    def adopt_template(self, job: Job) -> None:
        """RC-1 leaves the template as it is."""


class CreatedFromOldDefinition(Heat):
    """A09: a first create uses the definition of the row's stored template (W-6)."""

    name = "created-from-old-definition"

    def definition_before(self, row: ResourceRow, kind: str, traversal: str, st: StackCopy, content: Template) -> Handler:
        """W-6 without its exception."""
        not_new = row._replace(action=COMPLETE) if row.action == INIT else row
        return (yield from super().definition_before(not_new, kind, traversal, st, content))


class FailedUpdateKeepsOldTemplate(Heat):
    """A10: a failed update leaves the old template id in the row (RU-10)."""

    name = "failed-update-keeps-old-template-id"

    def finish_update(self, job: Job, old_template: str | None) -> Handler:
        """RU-10: only success moves the template id."""
        goal = job.row.template
        job.row = job.row._replace(template=old_template)
        again = yield from super().finish_update(job, old_template)
        job.row = job.row._replace(template=goal)
        return again


class RequiresOverwritten(Heat):
    """A13, B07: an update records the new dependencies only, before it is done (RU-7)."""

    name = "requires-overwritten-by-failed-update"

    def requires_while_updating(self, job: Job) -> frozenset[str]:
        """RU-7 assigns."""
        return job.requires


class CleanupRemovesRow(Heat):
    """A14: cleanup deletes the row that a newer graph may hold (RD-6)."""

    name = "cleanup-removes-row-the-next-graph-holds"

    def delete_done(self, job: Job) -> Handler:
        """RD-6 without a tombstone."""
        yield Delete("RD-6", RESOURCE, {"id": job.row.id})


class DeadHolderInProgress(Heat):
    """A23: stealing a dead engine's lock leaves the row IN_PROGRESS (no UP-2b)."""

    name = "dead-holder-leaves-in-progress"

    def fail_stolen(self, job: Job) -> Handler:
        """No UP-2b."""
        yield from ()


class ReplacedRowsIgnored(Heat):
    """A25: an update of a row that was once replaced is dropped (before DO-3)."""

    name = "replaced-rows-are-ignored"

    def do_check(self, job: Job, data: Data, failures: Failures) -> Handler:
        """Already replaced: nothing to do."""
        if job.kind == U and job.row.replaced_by is not None and job.row.template != job.st.template:
            return False, False, failures
        return (yield from super().do_check(job, data, failures))


class SeparateLockAndState(Heat):
    """A31: lock and state are written separately (LK-1, LK-4)."""

    name = "lock-and-state-are-separate-writes"

    def acquire(self, job: Job, held: ResourceRow) -> Handler:
        """LK-1 as a CAS for the lock and a BLIND write of the state."""
        row = job.row
        lock = {"engine": held.engine, "key": held.key}
        matched = yield Update("LK-1", RESOURCE, row.id, lock, where={"engine": None, "key": row.key})
        if matched:
            yield Update("LK-1", RESOURCE, row.id, full(held))
        return matched

    def release(self, job: Job, freed: ResourceRow) -> Handler:
        """LK-4 as a BLIND write of the state and an unlock with whatever version is there."""
        yield Update("LK-4", RESOURCE, freed.id, {"action": freed.action, "status": freed.status, "template": freed.template})
        fresh = yield Read("LK-4", RESOURCE, freed.id)
        if fresh is None:
            return 0
        return (yield Update("LK-4", RESOURCE, freed.id, guarded(freed), where={"key": fresh.key}))


class UnlockAfterRowIsGone(Heat):
    """A35: after the row is deleted it is unlocked (RD-6)."""

    name = "unlock-after-row-is-gone"

    def delete_done(self, job: Job) -> Handler:
        """RD-6 deletes the row, then LK-4."""
        yield Delete("RD-6", RESOURCE, {"id": job.row.id})
        yield from super().delete_done(job)


class BestRowFromTwoTemplates(Heat):
    """A36: only rows of the goal or the previous template are candidates for a name."""

    name = "best-row-only-from-two-templates"

    def best_existing(self, st: StackCopy, rows: list[ResourceRow]) -> ResourceRow | None:
        """No other candidates."""
        return super().best_existing(st, [row for row in rows if row.template in (st.template, st.prev_template)])


class BestRowByTemplateOnly(Heat):
    """A37: the row for a name is chosen by its template only, failed or not."""

    name = "best-row-first-match"

    def score(self, st: StackCopy, row: ResourceRow) -> int:
        """The template and nothing else."""
        return 10 * (row.template == st.template) + 5 * (row.template == st.prev_template)


class RequiresFromNodeIds(Heat):
    """A40: dependencies are recorded under the ids of those who reported, not of those who were made (RC-1, RU-10)."""

    name = "requires-from-node-ids"

    def required(self, job: Job) -> frozenset[str]:
        """The keys of the input map."""
        return job.senders


class CreateByPhysicalId(Heat):
    """A43: no physical id means create (DO-3)."""

    name = "create-or-update-by-physical-id"

    def is_new(self, job: Job) -> bool:
        """DO-3 tests the physical id."""
        return job.row.physical is None


class TombstoneUpdated(Heat):
    """A44: a tombstone is updated in place (RU-5)."""

    name = "tombstone-updated-in-place"

    def needs_update(self, job: Job, after: ResourceDef, values: Any) -> bool:
        """RU-5 without the case of (DELETE, COMPLETE)."""
        if job.row.action == "DELETE" and job.row.status == COMPLETE:
            return job.before != after or self.properties_before(job, job.row) != values
        return super().needs_update(job, after, values)


class DefinitionFromWrongTemplate(Heat):
    """A57: the old definition is compared with itself (W-6 loads the goal as "before")."""

    name = "definition-from-wrong-template"

    def definition_before(self, row: ResourceRow, kind: str, traversal: str, st: StackCopy, content: Template) -> Handler:
        """W-6 loads the goal."""
        yield from ()
        return content.get(row.name)

    def needs_update(self, job: Job, after: ResourceDef, values: Any) -> bool:
        """RU-5 on two copies of the same definition."""
        super().needs_update(job, after, values)
        return job.before != after


class TypeChangeInPlace(Heat):
    """A65: a resource whose class changed is updated in place (no RU-1)."""

    name = "type-change-in-place"

    def check_class(self, job: Job, after: ResourceDef) -> None:
        """No RU-1."""


class MetadataBlind(Heat):
    """A66: metadata is written without a condition (8.1)."""

    name = "deployment-metadata-lost-update"

    def metadata_guard(self, row: ResourceRow) -> dict[str, object]:
        """8.1, BLIND."""
        return {}


class InvertedDependencies(Heat):
    """B01: cleanup edges also come from the new template's dependencies, reversed (G-3)."""

    name = "inverted-deps-cycle"

    def graph(self, content: Template, ext: dict[str, ResourceRow], current: dict[str, str]) -> Graph:
        """G-3 from both."""
        graph = super().graph(content, ext, current)
        more = {
            ((current[b], C), (current[a], C))
            for a in content.names for b in content[a].requires() if current[a] in ext and current[b] in ext
        }  # fmt: skip
        return Graph(graph.nodes, graph.edges | more)


class DeleteNotCreated(Heat):
    """B08: cleanup of a row without a physical resource fails (RD-5)."""

    name = "delete-not-created"

    def delete_physical(self, job: Job, attempts: int = 3) -> Handler:
        """RD-5 without the test for null."""
        if job.row.physical is None:
            raise ResourceFailure(f"DELETE of {job.row.name}: nothing there")
        yield from super().delete_physical(job, attempts)


class IsolatedNodeLost(Heat):
    """B12: a resource with neither dependencies nor dependents is not in the graph (G-1)."""

    name = "isolated-node-lost"

    def graph(self, content: Template, ext: dict[str, ResourceRow], current: dict[str, str]) -> Graph:
        """Edges only."""
        return Graph((), super().graph(content, ext, current).edges)


ROWS = (
    ReportsUnderOwnId,
    CreatedKeepsOldTemplate,
    CreatedFromOldDefinition,
    FailedUpdateKeepsOldTemplate,
    RequiresOverwritten,
    CleanupRemovesRow,
    DeadHolderInProgress,
    ReplacedRowsIgnored,
    SeparateLockAndState,
    UnlockAfterRowIsGone,
    BestRowFromTwoTemplates,
    BestRowByTemplateOnly,
    RequiresFromNodeIds,
    CreateByPhysicalId,
    TombstoneUpdated,
    DefinitionFromWrongTemplate,
    TypeChangeInPlace,
    MetadataBlind,
    InvertedDependencies,
    DeleteNotCreated,
    IsolatedNodeLost,
)
