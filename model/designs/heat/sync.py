"""Sync points, propagation, stack completion and retriggering. heat-algorithm.md sections 5.11b, 5.11c, 5.12 to 5.12c."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from heatproof.model.designs.heat.ending import attributes_rewrite
from heatproof.model.designs.heat.setup import Setup
from heatproof.model.designs.heat.values import (
    CHECK,
    COMPLETE,
    DELETE,
    INIT,
    NOTHING,
    RESOURCE,
    STACK,
    SYNC_POINT,
    C,
    Data,
    GNode,
    NodeData,
    ResourceRow,
    StackCopy,
    StackRow,
    U,
    merge,
    next_key,
)  # fmt: skip
from heatproof.model.effects import DatabaseError, Escape, Handler, Look, Me, Read, Send, Sleep, Transaction, Update
from heatproof.model.templates import Template

if TYPE_CHECKING:
    from heatproof.model.designs.heat.resource import Job

Failures = frozenset[tuple[str, str]]
NONE: Failures = frozenset()


class SyncPointNotFound(Escape):
    """The sync point is missing: its traversal is over (EntityNotFound)."""


class NodeMissing(Escape):
    """The node is not in the graph: Heat raises KeyError where it asks for its dependents (dependencies.py:required_by)."""


class Sync(Setup):
    """SP, PR, SC, RN, RT."""

    if TYPE_CHECKING:

        def clear_attributes(self, job: Job, step: str = "LK-3") -> Handler: ...

    def sync(
        self,
        entity: str,
        kind: str,
        traversal: str,
        sender: GNode,
        value: Any,
        predecessors: frozenset[GNode],
        failures: Failures = NONE,
        skip: bool = False,
    ) -> Handler:
        """5.12b (sync_point.py:sync): report to a sync point. The merged row if all ``predecessors`` have reported, else
        None. Raises :class:`SyncPointNotFound`."""
        while True:
            row = yield Read("SP-1", SYNC_POINT, (entity, traversal, kind))
            if row is None:
                raise SyncPointNotFound(f"{entity} {kind} {traversal}")
            new = row._replace(
                data=merge(row.data, sender, value),
                key=row.key + 1,
                failures=failed_too(row.failures, failures),
                skip=row.skip or skip,
            )  # SP-2
            matched = yield from self.store_sync_point(row, new)
            if matched:
                break
            if len(predecessors) > len(row.data) + 1:  # else it is tried again at once
                yield Sleep("SP-3")
        waiting = predecessors - {node for node, _ in new.data}  # SP-4
        return None if waiting else new  # SP-5

    def store_sync_point(self, row: Any, new: Any) -> Handler:
        """SP-3: CAS on the version; whether it matched."""
        key = (row.entity, row.traversal, row.kind)
        return (yield from self.retried(Update("SP-3", SYNC_POINT, key, new, where={"key": row.key})))

    # ------------------------------------------------------------------------------------------------- 5.12 propagation

    def propagate(self, job: Job, content: Template, skip: bool, failures: Failures) -> Handler:
        """5.12 (check_resource.py:_initiate_propagate_resource): tell the nodes behind this one."""
        row, kind, traversal, graph = job.row, job.kind, job.traversal, job.st.graph
        node = (row.id, kind)
        if node not in graph and row.replaces is not None:
            node = (row.replaces, kind)  # PR-1
        try:
            data: NodeData | None = None
            if node not in graph:
                raise NodeMissing("")
            for other, other_kind in graph.dependents(node):
                value: Any = None
                if other_kind == U:
                    if data is None:
                        data = yield from self.node_data(job, content)
                    value = data
                elif other != node[0]:
                    value = row.replaced_by or row.id  # PR-2
                done = yield from self.sync(
                    other, other_kind, traversal, node, value, graph.predecessors((other, other_kind)), failures, skip
                )
                if done is not None:  # PR-4
                    yield from self.cast_check(other, other_kind, traversal, done)
            if kind == U:
                yield from self.store_attributes(job, data)  # PR-5
            yield from self.check_stack_complete(job.me, row, node, traversal, job.st, failures)  # PR-6
        except SyncPointNotFound:
            fresh = yield from self.reload_stack("PR-7", job.st)
            if fresh.traversal != traversal:
                yield from self.retrigger(row.id, kind, fresh)

    def node_data(self, job: Job, content: Template) -> Handler:
        """PR-2: what the dependents are told. Attributes are read from the physical resource if anybody reads them and they are not
        cached: all at once, but of a thing that is gone one after the other, and they are null."""
        row = job.row
        names = content.attributes_read.get(row.name, ())
        if job.cached is None and row.action != INIT and row.physical is not None:
            for _ in names:
                thing = yield Look("PR-2", row.physical)
                if thing is not None:
                    job.cached, job.new_cache = dict(thing.spec.properties), True
                    break
        values = job.cached if job.cached is not None and row.action != INIT else {}
        return NodeData(row.id, row.name, row.physical or row.name, tuple((name, values.get(name)) for name in names))

    def store_attributes(self, job: Job, data: NodeData | None) -> Handler:
        """PR-5: cache the attributes that were read, if nobody else has; nobody looks whether it worked. Those that the row has already
        are written anew where they stand, BLIND (PR-5a). Where no dependent was told anything, old ones are cleared, BLIND."""
        row = job.row
        if data is None:
            yield from self.clear_attributes(job, "PR-5")
        elif job.new_cache and row.status == COMPLETE and row.action not in (INIT, DELETE):
            with contextlib.suppress(DatabaseError):
                new = NOTHING if job.cached is None else tuple(sorted(job.cached.items()))
                if job.stored is not None:
                    rewritten = yield Transaction("PR-5a", attributes_rewrite, (row.id, job.stored, new))
                    job.stored = new if rewritten else None
                where = {"engine": None, "key": row.key, "attributes": job.stored}
                yield Update("PR-5", RESOURCE, row.id, {"attributes": new, "key": next_key(row.key)}, where=where)

    def cast_check(self, row: str, kind: str, traversal: str, point: Any) -> Handler:
        """Send check_resource for a node all of whose predecessors have reported."""
        yield Send("PR-4", "check_resource", (row, kind, traversal, point.data, point.skip, point.failures))

    def check_stack_complete(
        self, me: Me, row: ResourceRow, node: GNode, traversal: str, st: StackCopy, failures: Failures
    ) -> Handler:
        """5.12c (check_resource.py:check_stack_complete)."""
        roots = st.graph.roots
        if node not in roots:
            return  # SC-1
        done = yield from self.sync(st.id, U, traversal, node, None, roots, failures)  # SC-2
        if done is None:
            return
        if st.action == CHECK and done.failures:  # SC-3
            told = "; ".join(f"{name}: {why}" for name, why in sorted(done.failures))
            yield from self.mark_failed(me, st, f"Resource CHECK failed: {told}")
        else:
            yield from self.mark_complete(me, st)

    # --------------------------------------------------------------------------------------------------- 5.11 retrigger

    def retrigger_new_traversal(self, row: str, kind: str, traversal: str, st: StackCopy) -> Handler:
        """5.11b (check_resource.py:_retrigger_new_traversal): the traversal may have changed while we worked."""
        fresh = yield from self.reload_stack("RN-1", st)
        if fresh.traversal != traversal:
            yield from self.retrigger(row, kind, fresh)

    def reload_stack(self, step: str, st: StackCopy) -> Handler:
        """RN-1, PR-7: the stack as it is now, not as it was loaded; deleted or not. It is read twice (``Stack.load`` with
        ``force_reload``), and the second counts."""
        yield Read(step, STACK, st.id)
        return (yield Read(step, STACK, st.id))

    def retrigger(self, row: str, kind: str, st: StackRow) -> Handler:
        """5.11c (check_resource.py:retrigger_check_resource): wake the node of ``row`` in the traversal of ``st``.
        ``kind`` is that of the node that ended; it does not matter here."""
        node = self.node_to_wake(row, kind, st)  # RT-1, RT-2
        try:
            done = yield from self.sync(row, node[1], st.traversal, node, None, self.predecessors_to_wake(node, st))  # RT-3
        except SyncPointNotFound:
            return  # RT-4
        if done is not None:  # RT-5
            yield Send("RT-5", "check_resource", (row, node[1], st.traversal, done.data, done.skip, done.failures))

    def predecessors_to_wake(self, node: GNode, st: StackRow) -> frozenset[GNode]:
        """RT-3: whose reports the node waits for; none if it is not in the graph."""
        return st.graph.predecessors(node)

    def node_to_wake(self, row: str, kind: str, st: StackRow) -> GNode:
        """RT-2: the update node if the graph has one, else the cleanup node."""
        return (row, U) if (row, U) in st.graph else (row, C)


def failed_too(known: Failures, more: Failures) -> Failures:
    """The failures of both, one for each name: the later one counts."""
    return frozenset({**dict(known), **dict(more)}.items())


def senders(data: Data) -> frozenset[str]:
    """The row ids under which the predecessors that are update nodes have reported: the keys of the input map."""
    return frozenset(node[0] for node, value in data if isinstance(value, NodeData))


def decode(data: Data) -> dict[str, NodeData]:
    """W-3: name to data of the predecessors that are update nodes; null values are skipped."""
    return {value.name: value for _, value in data if isinstance(value, NodeData)}
