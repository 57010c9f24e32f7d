"""Sync points, propagation, stack completion and retriggering. heat-algorithm.md sections 5.11b, 5.11c, 5.12 to 5.12c."""

from __future__ import annotations

import contextlib
from typing import Any

from heatproof.model.designs.heat.setup import Setup
from heatproof.model.designs.heat.values import (
    CHECK,
    COMPLETE,
    DELETE,
    INIT,
    RESOURCE,
    STACK,
    SYNC_POINT,
    C,
    Data,
    GNode,
    NodeData,
    ResourceRow,
    StackRow,
    U,
    merge,
    next_key,
)  # fmt: skip
from heatproof.model.effects import DatabaseError, Escape, Handler, Look, Me, Read, Send, Sleep, Update
from heatproof.model.templates import Plain, Template

Failures = frozenset[tuple[str, str]]
NONE: Failures = frozenset()


class SyncPointNotFound(Escape):
    """The sync point is missing: its traversal is over (EntityNotFound)."""


class AttributeFailure(Escape):
    """An attribute could not be read."""


class Sync(Setup):
    """SP, PR, SC, RN, RT."""

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
                failures=row.failures | failures,
                skip=row.skip or skip,
            )  # SP-2
            matched = yield from self.store_sync_point(row, new)
            if matched:
                break
            yield Sleep("SP-3")
        waiting = predecessors - {node for node, _ in new.data}  # SP-4
        return None if waiting else new  # SP-5

    def store_sync_point(self, row: Any, new: Any) -> Handler:
        """SP-3: CAS on the version; whether it matched."""
        key = (row.entity, row.traversal, row.kind)
        return (yield from self.retried(Update("SP-3", SYNC_POINT, key, new, where={"key": row.key})))

    # ------------------------------------------------------------------------------------------------- 5.12 propagation

    def propagate(
        self, me: Me, row: ResourceRow, kind: str, traversal: str, st: StackRow, content: Template, skip: bool, failures: Failures
    ) -> Handler:
        """5.12 (check_resource.py:_initiate_propagate_resource): tell the nodes behind this one."""
        graph = st.deps
        node = (row.id, kind)
        if node not in graph and row.replaces is not None:
            node = (row.replaces, kind)  # PR-1
        try:
            data: NodeData | None = None
            for other, other_kind in graph.dependents(node):
                value: Any = None
                if other_kind == U:
                    if data is None:
                        data = yield from self.node_data(row, content)
                    value = data
                elif other != node[0]:
                    value = row.replaced_by or row.id  # PR-2
                done = yield from self.sync(
                    other, other_kind, traversal, node, value, graph.predecessors((other, other_kind)), failures, skip
                )
                if done is not None:  # PR-4
                    yield from self.cast_check(other, other_kind, traversal, done)
            if kind == U:
                yield from self.store_attributes(row, data)  # PR-5
            yield from self.check_stack_complete(me, row, node, traversal, st, failures, skip)  # PR-6
        except SyncPointNotFound:
            fresh = yield from self.reload_stack("PR-7", st)
            if fresh is not None and not fresh.deleted and fresh.traversal != traversal:
                yield from self.retrigger(row.id, kind, fresh)

    def node_data(self, row: ResourceRow, content: Template) -> Handler:
        """PR-2: what the dependents are told. Attributes are read from the physical resource, once, if anybody reads them."""
        names = content.attributes_read.get(row.name, ())
        values: tuple[tuple[str, Plain], ...] = ()
        if names and row.physical is not None:
            thing = yield Look("PR-2", row.physical)
            if thing is None:
                raise AttributeFailure(f"cannot read attributes of {row.physical}: not found")
            known = dict(thing.spec.properties)
            values = tuple((name, known.get(name)) for name in names)
        return NodeData(row.id, row.name, row.physical, values)

    def store_attributes(self, row: ResourceRow, data: NodeData | None) -> Handler:
        """PR-5: cache the attributes that were read; nobody looks whether it worked. Where no dependent was told anything, old ones
        are cleared, BLIND."""
        if data is None:
            if row.attributes is not None:
                yield Update("PR-5", RESOURCE, row.id, {"attributes": None})
        elif data.attributes and row.status == COMPLETE and row.action not in (INIT, DELETE):
            with contextlib.suppress(DatabaseError):
                yield Update(
                    "PR-5", RESOURCE, row.id, {"attributes": data.attributes, "key": next_key(row.key)},
                    where={"engine": None, "key": row.key},
                )  # fmt: skip

    def cast_check(self, row: str, kind: str, traversal: str, point: Any) -> Handler:
        """Send check_resource for a node all of whose predecessors have reported."""
        yield Send("PR-4", "check_resource", (row, kind, traversal, point.data, point.skip, point.failures))

    def check_stack_complete(
        self, me: Me, row: ResourceRow, node: GNode, traversal: str, st: StackRow, failures: Failures, skip: bool
    ) -> Handler:
        """5.12c (check_resource.py:check_stack_complete)."""
        roots = st.deps.roots
        if node not in roots:
            return  # SC-1
        done = yield from self.sync(st.id, U, traversal, node, None, roots, failures, skip)  # SC-2
        if done is None:
            return
        if st.action == CHECK and done.failures:  # SC-3
            reason = ", ".join(f"{name}: {why}" for name, why in sorted(done.failures))
            yield from self.mark_failed(me, st, traversal, reason)
        else:
            yield from self.mark_complete(me, st, traversal)

    # --------------------------------------------------------------------------------------------------- 5.11 retrigger

    def retrigger_new_traversal(self, row: str, kind: str, traversal: str, st: StackRow) -> Handler:
        """5.11b (check_resource.py:_retrigger_new_traversal): the traversal may have changed while we worked."""
        fresh = yield from self.reload_stack("RN-1", st)
        if fresh is not None and not fresh.deleted and fresh.traversal != traversal:
            yield from self.retrigger(row, kind, fresh)

    def reload_stack(self, step: str, st: StackRow) -> Handler:
        """RN-1, PR-7: the stack as it is now, not as it was loaded."""
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
        return st.deps.predecessors(node)

    def node_to_wake(self, row: str, kind: str, st: StackRow) -> GNode:
        """RT-2: the update node if the graph has one, else the cleanup node."""
        return (row, U) if (row, U) in st.deps else (row, C)


def senders(data: Data) -> frozenset[str]:
    """The row ids under which the predecessors that are update nodes have reported: the keys of the input map."""
    return frozenset(node[0] for node, value in data if isinstance(value, NodeData))


def decode(data: Data) -> dict[str, NodeData]:
    """W-3: name to data of the predecessors that are update nodes; null values are skipped."""
    return {value.name: value for _, value in data if isinstance(value, NodeData)}
