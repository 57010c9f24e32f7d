"""The accesses of a run of the engine: every statement that it sends, as the model's meter would tell it."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from heatproof.model import effects as fx
from heatproof.model.errors import HeatproofError
from heatproof.model.meter import ACCESSING, Access, Metering
from heatproof.model.world import Action, Entry
from heatproof.ports.heat import statements
from heatproof.ports.heat.accesses import mapping
from heatproof.ports.heat.hub import Activity
from heatproof.ports.heat.statements import FAILED, Statement
from heatproof.ports.heat.world import EngineWorld


class Column(NamedTuple):
    """Where bytes were read: for which operation, by which function of ``heat.db.api``, from which column of which table; ``apart``: what
    it is counted apart under."""

    operation: int
    function: str
    table: str
    column: str
    apart: str


class EngineMetering(Metering):
    """A run of the engine whose accesses are counted. An access is a statement; each transaction is one access besides, which holds no rows.

    ``step`` is the point (``store/stack_update``), or of a transaction that is no action of its own the function; ``read`` and ``written``
    are the bytes of the values that a query found, or that were to be stored, as text in UTF-8 (:func:`statements.bytes_of`);
    ``columns``: the bytes read by column. Raises :class:`HeatproofError` where an action is no whole transaction.
    """

    world: EngineWorld

    def __init__(self, world: EngineWorld):
        if world.live.by_statement:
            raise HeatproofError(f"accesses are counted by the transaction; {world.design.name} stops at each statement")
        super().__init__(world)
        self.columns: Counter[Column] = Counter()

    def before(self, action: Action) -> None:
        """Nothing has been done yet."""
        self.world.live.resumed.clear()

    def after(self, entry: Entry) -> None:
        """Note what was sent by whoever was resumed: one task, and whom it started."""
        action, effect = entry.action, None if entry.before is None else entry.before.effect
        for activity in self.world.live.resumed:
            mine = entry.task is not None and activity.task == entry.task.name
            task = entry.task if mine else self.world.tasks.get(activity.task)
            common = (task.handler if task is not None else "", activity.task, self.origins.get(activity.task, 0))
            function = ""
            if mine and type(effect) is fx.Transaction and action.kind in ACCESSING:
                function = effect.body.__name__
                outcome = {"abort": "Aborted", "disconnect": "Disconnected"}.get(action.kind, "done")
                group = mapping.FUNCTIONS.get(function, "")
                self.accesses.append(Access(effect.step, "transaction", "", *common, outcome, apart=group))
            self._note(activity, effect.step if function and effect is not None else "", function, common)

    def _note(self, activity: Activity, step: str, function: str, common: tuple[str, str, int]) -> None:
        for name in activity.quiet:
            self.accesses.append(Access(name, "transaction", "", *common, "done", apart=mapping.FUNCTIONS.get(name, name)))
        for one in map(statements.read, activity.statements):
            if one.kind == "other":
                continue
            group = mapping.apart(one, function)
            rows, read = (one.fetched.rows, sum(one.fetched.columns)) if one.fetched is not None else (max(one.rows, 0), 0)
            ended = "refused" if one.rows == FAILED else "matched" if rows else "missed"
            written = statements.written(one) if rows and one.kind in ("insert", "update") else 0
            point = one.apart or step
            self.accesses.append(
                Access(point, mapping.kind(one), one.table, *common, ended, rows, read, written, inside=True, apart=group)
            )
            self._columns(one, common[2], point.rpartition("/")[2], group)

    def _columns(self, one: Statement, operation: int, function: str, group: str) -> None:
        if one.fetched is None or not one.fetched.rows:
            return
        known = mapping.columns(one.text)
        if len(known) != len(one.fetched.columns):
            known = [(one.table, "?")] * len(one.fetched.columns)
        for (table, column), size in zip(known, one.fetched.columns, strict=True):
            if size:
                self.columns[Column(operation, function, table or one.table, column, group)] += size


__all__ = ["Column", "EngineMetering"]
