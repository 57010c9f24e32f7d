"""Mutations of what wakes whom: sync points, retriggers, the switch of traversals. See :mod:`heatproof.model.designs.mutations`."""

from __future__ import annotations

from typing import Any

from heatproof.model.designs.heat import Heat
from heatproof.model.designs.heat.resource import Job
from heatproof.model.designs.heat.sync import Failures
from heatproof.model.designs.heat.values import (
    STACK,
    SYNC_POINT,
    GNode,
    ResourceRow,
    StackCopy,
    StackRow,
)  # fmt: skip
from heatproof.model.effects import Body, Handler, Me, Read, Send, Transaction, Update
from heatproof.model.templates import Template


class SyncLostReport(Heat):
    """A01: a report that lost its compare-and-set is taken for written (SP-3)."""

    name = "sync-lost-report"

    def store_sync_point(self, row: Any, new: Any) -> Handler:
        """SP-3 without a look at the row count."""
        yield from super().store_sync_point(row, new)
        return 1


class SyncBlind(Heat):
    """A01, variant: reports are written without a condition (SP-3 BLIND)."""

    name = "sync-blind"

    def store_sync_point(self, row: Any, new: Any) -> Handler:
        """SP-3, BLIND."""
        return (yield Update("SP-3", SYNC_POINT, (row.entity, row.traversal, row.kind), new))


class NoRetriggerAfterFailure(Heat):
    """A02: a resource that fails for a superseded traversal wakes nobody (FH-2 without RN)."""

    name = "no-retrigger-after-failure"

    def retrigger_after_failure(self, job: Job) -> Handler:
        """FH-2 ends here."""
        yield from ()


class NoRetriggerAfterTimeout(Heat):
    """A03: a timeout in a superseded traversal wakes nobody (DO-5)."""

    name = "no-retrigger-after-timeout"

    def timed_out(self, job: Job, reason: str, failures: Failures) -> Handler:
        """DO-5 for the own traversal only."""
        yield from self.mark_failed(job.me, job.st, reason)
        return False, False, failures


class StaleReplacementSwallows(Heat):
    """A05: a stale message for a fresh replacement swallows the wake-up (no 5.2)."""

    name = "stale-replacement-message-swallows-wakeup"

    def retrigger_replaced(self, row: ResourceRow, kind: str, st: StackCopy) -> Handler:
        """Section 5.2 is gone."""
        yield from ()


class RetriggerUsesCachedStack(Heat):
    """A15: the reload that is to discover a newer traversal sees the old one (RN-1, PR-7)."""

    name = "retrigger-uses-cached-stack"

    def reload_stack(self, step: str, st: StackCopy) -> Handler:
        """The copy of W-5."""
        yield from ()
        return st.row


class RetriggerWrongKey(Heat):
    """A17: a retriggered node is thought to have no predecessors (RT-2)."""

    name = "retrigger-wrong-key"

    def predecessors_to_wake(self, node: GNode, st: StackRow) -> frozenset[GNode]:
        """RT-3 with an empty set."""
        return frozenset()


class RetriggerWrongKind(Heat):
    """A18: the node woken is of the kind of the one that ended (RT-2)."""

    name = "retrigger-wrong-kind"

    def node_to_wake(self, row: str, kind: str, st: StackRow) -> GNode:
        """RT-2 without a look at the graph."""
        return (row, kind)


class GraphPublishedLate(Heat):
    """A19: the sync points are created before the graph is published (SU-5 after SU-7)."""

    name = "graph-published-after-sync-points"

    def publish(self, me: Me, st: StackCopy, content: Template) -> Handler:
        """SU-6 and SU-7, then SU-5."""
        yield from self.insert_sync_points(st)
        matched = yield from self.store_copy("SU-5", st, st.traversal)
        if not matched:
            return
        if st.action == "DELETE":
            yield from self.stop_all_workers(me, st)
        if not st.graph.leaves:
            yield from self.mark_complete(me, st)
        for row, kind in st.graph.leaves:
            yield Send("SU-8", "check_resource", (row, kind, st.traversal))


def stack_update_blind(stack: str, values: Any) -> Body:
    """A stack write without the expected traversal."""
    return (yield Update("", STACK, stack, values))


class TraversalCheckThenAct(Heat):
    """A20: the traversal is switched without the compare (CV-5 and RB-3 BLIND)."""

    name = "traversal-check-then-act"

    def store_stack(self, step: str, stack: str, values: Any, expected: str) -> Handler:
        """A separate read instead of the condition."""
        if step not in ("CV-5", "RB-3"):
            return (yield from super().store_stack(step, stack, values, expected))
        row = yield Read(step, STACK, stack)
        if row is None or row.deleted or row.traversal != expected:
            return 0
        return (yield Transaction(step, stack_update_blind, (stack, values)))


class NoRetryAfterBump(Heat):
    """A22: a lost compare-and-set on a free row drops the message (UP-3)."""

    name = "no-retry-after-version-bump"

    def retry_after_bump(self) -> bool:
        """UP-3 always drops."""
        return False


class OldSyncPointsKept(Heat):
    """B05: the sync points of a superseded traversal stay, so its workers never notice (no CV-7)."""

    name = "old-sync-points-kept"

    def forget_sync_points(self, st: StackCopy, old: str) -> Handler:
        """No CV-7."""
        yield from ()


class NoRetrigger(Heat):
    """B06: a traversal that met a lock stops there for ever (no RT)."""

    name = "no-retrigger-at-all"

    def retrigger(self, row: str, kind: str, st: StackRow) -> Handler:
        """No RT."""
        yield from ()


class TemplateAsTraversal(Heat):
    """B02: a traversal is known by its goal template (CV-3)."""

    name = "template-id-as-traversal-id"

    def traversal_id(self, fresh: str, goal: str | None) -> str:
        """CV-3 takes the id of the goal."""
        return f"T[{goal or f't({fresh})'}]"


WAKING = (
    SyncLostReport,
    SyncBlind,
    NoRetriggerAfterFailure,
    NoRetriggerAfterTimeout,
    StaleReplacementSwallows,
    RetriggerUsesCachedStack,
    RetriggerWrongKey,
    RetriggerWrongKind,
    GraphPublishedLate,
    TraversalCheckThenAct,
    NoRetryAfterBump,
    OldSyncPointsKept,
    NoRetrigger,
    TemplateAsTraversal,
)
