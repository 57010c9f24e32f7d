"""The real engine as a design: what can be asked of it, and who in Heat answers."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from heatproof.model.anomalies import ANOMALIES
from heatproof.model.choosing import meant
from heatproof.model.design import Design, Reach
from heatproof.model.designs.heat import Heat
from heatproof.model.designs.heat.seen import HeatObservation
from heatproof.model.designs.heat.values import STACK
from heatproof.model.effects import Me, Refused
from heatproof.model.errors import DesignError
from heatproof.model.program import Program
from heatproof.model.scenario import Operation, Scenario
from heatproof.ports.heat.cures import CURES
from heatproof.ports.heat.databases.choice import DATABASE_WORDS, IN_ORDER, LATE, WORDS, choose
from heatproof.ports.heat.requests import DirectRollback, Requests

if TYPE_CHECKING:
    from heatproof.model.meter import Metering
    from heatproof.model.world import World


class HeatEngine(Requests, Design):
    """The convergence engine of the installed openstack-heat. ``changes`` are words for what differs from the plain one."""

    name = "heat-engine"
    sentence = "OpenStack Heat's convergence engine itself, as installed (openstack-heat 27.0.1)"
    tables = Heat.tables
    messages = ("check_resource", "cancel_check_resource")
    tasks = ("converge_create_or_update", "cancel_update", "purge_again", "run_thread")
    operations = Heat.operations
    survives = Heat.survives
    pure = False
    clock = "actions"
    """What the clock counts: actions, or with ``operations`` those of the stack that have begun when the operation began that a task
    works on, as a clock does that stands still in between and is late where a task is."""

    metered = False
    """Whether the rows and bytes are counted that queries find; each query is asked twice then."""
    immune = frozenset(anomaly.name for anomaly in ANOMALIES)  # one transaction is one action

    def __init__(self, *changes: str):
        self.changes = changes
        self.database = choose([word for word in changes if word in DATABASE_WORDS])
        if LATE in changes:
            self.acknowledge = "late"  # type: ignore[misc]
        if IN_ORDER in changes:
            self.order = "fifo"  # type: ignore[misc]
        known = {**WORDS, **self.patches()}
        if unknown := [word for word in changes if word not in known]:
            raise DesignError(
                f"design {HeatEngine.name!r} has no change {unknown[0]!r}{meant(unknown[0], known)}; it has {', '.join(known)}"
            )
        self.cures = tuple(word for word in changes if word not in WORDS)
        if len(set(self.cures)) < len(self.cures):
            raise DesignError(f"a patch stands twice in {'+'.join((HeatEngine.name, *changes))!r}")
        if changes:
            self.sentence = f"{HeatEngine.sentence}; {'; '.join(known[word] for word in changes)}"  # type: ignore[misc]
        self.name = "+".join((HeatEngine.name, *changes))  # type: ignore[misc]  # the class has the name of what is unchanged

    @classmethod
    def patches(cls) -> dict[str, str]:
        """The patches that it can run with: name, and what is wrong without it."""
        return {cure.name: f"{cure.defect}; patched: {cure.change}" for cure in CURES}

    @classmethod
    def settings(cls) -> Iterable[str]:
        """The words that say on which database it runs."""
        return DATABASE_WORDS

    def open(self, scenario: Scenario, program: Program | None = None) -> World:
        """A run of the engine."""
        from heatproof.ports.heat.world import EngineWorld

        return EngineWorld(self, scenario, program)

    def metering(self, scenario: Scenario, program: Program | None = None) -> Metering:
        """A run of the engine whose accesses are counted."""
        from heatproof.ports.heat.accesses.metering import EngineMetering
        from heatproof.ports.heat.world import EngineWorld

        counted = copy.copy(self)
        counted.metered = True
        return EngineMetering(EngineWorld(counted, scenario))

    def program(self, scenario: Scenario) -> Program:
        """Nothing is shared between runs."""
        from heatproof.ports.heat.execution import Execution

        return Execution(self.handlers())

    def direct(self) -> Design:
        """With rollback as Heat's test framework does it."""
        return DirectEngine(*self.changes)

    def label(self, message: str, args: tuple[Any, ...]) -> str:
        """As the model names its tasks."""
        if message == "check_resource":
            return f"check({args[0]}, {args[1]}, {args[2]})"
        titles = {
            "converge_create_or_update": "set up", "cancel_update": "cancel", "purge_again": "purge",
            "cancel_check_resource": "stop workers",
        }  # fmt: skip
        return f"{titles.get(message, str(args[-1]))}({args[0]})"

    def reaches(self, world: World, effect: Any) -> Reach:
        """Told by the function of heat.db.api that is about to be called."""
        from heatproof.ports.heat.places import tables_of

        tables = tables_of(effect.body.__name__)
        return Reach(tables, frozenset()) if effect.reads_only else Reach(frozenset(), tables)

    def may_ask(self, world: World, operation: Operation) -> bool:
        """A user asks of a stack that he knows: once it has been stored."""
        return operation.kind == "create" or operation.stack in world.database.rows[STACK]

    def observe(self, world: World) -> HeatObservation:
        """Heat's tables as rows of the model."""
        return HeatObservation(world)


class DirectEngine(DirectRollback, HeatEngine):
    """The engine, with rollback as Heat's test framework does it: without the API's check that an update is in progress."""


__all__ = ["HeatEngine", "Me", "Operation", "Refused"]
