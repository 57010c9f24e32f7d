"""OpenStack Heat's convergence algorithm (openstack-heat 27.0.1), complete as in ``heat-algorithm.md`` sections 1 to 12.

Every method says which steps of that description it holds, and every effect carries its step id. It is modelled as it is: nothing
is repaired. Read in this order: :mod:`values`, :mod:`requests`, :mod:`setup`, :mod:`worker`, :mod:`resource`, :mod:`sync`,
:mod:`ending`.

Left out, as section 14 allows or because no operation leads there: events, notifications, snapshots, nested stacks, suspend and
resume, adopt and abandon, tags, credentials, the operator's reset (8.6), software-config push (8.2), the plugin hooks
``restore_prev_rsrc`` (RU-2) and ``prepare_for_replace`` (RU-5), the property data as a table of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from heatproof.model.designs.heat.requests import Requests
from heatproof.model.designs.heat.seen import HeatObservation
from heatproof.model.designs.heat.values import CREDENTIALS, RESOURCE, STACK, SYNC_POINT, TEMPLATE, NodeData, StackRow
from heatproof.model.scenario import Operation
from heatproof.model.world import World


class Heat(Requests):
    """The design as it is."""

    name = "heat"
    sentence = "OpenStack Heat's convergence engine as it is (openstack-heat 27.0.1)"
    tables = (CREDENTIALS, TEMPLATE, STACK, RESOURCE, SYNC_POINT)
    versions: ClassVar[Mapping[str, tuple[str, ...]]] = {"resource": ("key",), "sync_point": ("key",)}
    messages = ("check_resource", "cancel_check_resource")
    tasks = ("converge_create_or_update", "cancel_update", "purge_again")
    operations = {  # noqa: RUF012  # a constant
        "create": "create_stack",
        "update": "update_stack",
        "delete": "delete_stack",
        "rollback": "cancel_stack",
        "cancel": "cancel_stack",
        "check": "check_stack",
        "signal": "signal",
        "mark unhealthy": "mark_unhealthy",
    }
    apart = frozenset({"user_creds", "PR-5a"})  # the engine does both together with what comes before, on tables of their own
    survives = frozenset(
        {"duplicate", "stall", "pause", "abort", "fail", "fail-always", "conflict", "slow", "not-found", "timeout"}
    )

    def label(self, message: str, args: tuple[Any, ...]) -> str:
        """``check(A@T1, U, T2)``; what is spawned is named by its traversal."""
        if message == "check_resource":
            return f"check({args[0]}, {args[1]}, {args[2]})"
        if message == "converge_create_or_update":
            return f"set up({args[0].traversal})"
        if message == "cancel_check_resource":
            return f"stop workers({args[0]})"
        if message == "cancel_update":
            return f"cancel({args[1]})"
        if message == "purge_again":
            return f"purge({args[0].traversal})"
        return super().label(message, args)

    def may_ask(self, world: World, operation: Operation) -> bool:
        """A user asks of a stack that he knows: once it has been stored."""
        return operation.kind == "create" or operation.stack in world.database.rows[STACK]

    def observe(self, world: World) -> HeatObservation:
        """Stacks, rows and sync points are Heat's own tables."""
        return HeatObservation(world)


__all__ = ["Heat", "NodeData", "StackRow"]
