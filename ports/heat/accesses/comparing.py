"""The same scenario on the model and on the engine, fifo, each with its accesses counted; what is equal and what is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from heatproof.model import catalogue
from heatproof.model.design import Design
from heatproof.model.designs.heat import Heat
from heatproof.model.errors import HeatproofError
from heatproof.model.meter import Access, Meter, Metering
from heatproof.model.scenario import Operation, Scenario
from heatproof.ports.heat.accesses import mapping
from heatproof.ports.heat.accesses.metering import Column, EngineMetering

LONGEST = 200_000
"""Actions after which a run is given up."""


class Line(NamedTuple):
    """One kind of access to one table, for one operation (its number, from 1): how many statements, and how many rows their writes met, in
    the model and in the engine. For transactions the table is empty."""

    operation: int
    table: str
    kind: str
    model: tuple[int, int]
    engine: tuple[int, int]

    @property
    def equal(self) -> bool:
        """Whether both have the same."""
        return self.model == self.engine


class Cost(NamedTuple):
    """What something comes to: transactions, statements, rows found or written, bytes read and written."""

    transactions: int = 0
    statements: int = 0
    rows: int = 0
    read: int = 0
    written: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two meters of one scenario. ``columns``: the bytes that the engine read, by column."""

    operations: tuple[Operation, ...]
    model: Meter
    engine: Meter
    columns: Counter[Column]

    @property
    def lines(self) -> list[Line]:
        """All that is compared, in order."""
        return compare(self.model, self.engine)

    @property
    def equal(self) -> bool:
        """Whether the model predicts exactly what the engine does."""
        return all(line.equal for line in self.lines)

    def cost(self, side: str, operation: int, group: str = "") -> Cost:
        """What an operation costs on the ``model`` or the ``engine``; ``group``: of what is counted apart under that name."""
        meter = self.model if side == "model" else self.engine
        return cost(a for a in meter.accesses if a.operation == operation and group_of(a) == group)

    def read_from(self, operation: int) -> Counter[tuple[str, str]]:
        """The bytes that the engine read for an operation, by function of ``heat.db.api`` and column (``table.column``), what is apart
        included."""
        found: Counter[tuple[str, str]] = Counter()
        for column, number in self.columns.items():
            if column.operation == operation:
                found[column.function, f"{column.table}.{column.column}"] += number
        return found

    def apart(self, side: str, operation: int) -> dict[str, Cost]:
        """What is outside the model, by name; only what there is."""
        meter = self.model if side == "model" else self.engine
        groups = sorted({group_of(a) for a in meter.accesses if a.operation == operation} - {""})
        return {group: self.cost(side, operation, group) for group in groups}


def group_of(access: Access) -> str:
    """What an access is counted apart under; empty: it is compared. The model names tables and steps."""
    return mapping.TABLES_OUTSIDE.get(access.apart) or mapping.STEPS_OUTSIDE.get(access.apart, access.apart)


def is_statement(access: Access) -> bool:
    """Whether it is a statement that was sent: of an aborted transaction the model does not know which were."""
    return access.kind != "transaction" and access.outcome != "Aborted"


def cost(accesses: Iterable[Access]) -> Cost:
    """What they come to. A statement that stands alone is a transaction too."""
    numbers = [0] * len(Cost._fields)
    for a in accesses:
        one = (not a.inside, is_statement(a), a.rows, a.read, a.written)
        numbers = [n + int(m) for n, m in zip(numbers, one, strict=True)]
    return Cost(*numbers)


def compare(model: Meter, engine: Meter) -> list[Line]:
    """Transactions, and statements by table and kind, of each operation, without what is outside the model."""
    counts = [_counts(model), _counts(engine)]
    return [Line(*key, counts[0].get(key, (0, 0)), counts[1].get(key, (0, 0))) for key in sorted({*counts[0], *counts[1]})]


def _counts(meter: Meter) -> dict[tuple[int, str, str], tuple[int, int]]:
    found: dict[tuple[int, str, str], tuple[int, int]] = {}
    for a in meter.accesses:
        if group_of(a):
            continue
        keys = [(a.operation, "", "transaction")] if not a.inside else []
        if is_statement(a):
            keys.append((a.operation, a.table, a.kind))
        for key in keys:
            number, rows = found.get(key, (0, 0))
            found[key] = number + 1, rows + (a.rows if key[2] != "transaction" else 0)
    return found


def run(scenario: Scenario, model: str = Heat.name, engine: str = "heat-engine") -> Comparison:
    """Run it on both under the default policy. Raises :class:`HeatproofError` if there is no engine, if ``model`` is no model of Heat's
    algorithm or ``engine`` no engine, and if a run does not come to rest."""
    mine, its = catalogue.load(model), catalogue.load(engine)
    if not isinstance(mine, Heat):
        raise HeatproofError(f"design {model!r} is no model of Heat's algorithm; compare heat or heat+MUTATION")
    predicted, done = settled(mine, scenario), settled(its, scenario)
    if not isinstance(done, EngineMetering):
        raise HeatproofError(f"design {engine!r} is no engine; compare with heat-engine")
    return Comparison(scenario.operations, Meter(predicted.accesses), Meter(done.accesses), done.columns)


def settled(design: Design, scenario: Scenario) -> Metering:
    """A run under the default policy to its end. Raises :class:`HeatproofError` if it has none."""
    metering = design.metering(scenario)
    for _ in range(LONGEST):
        action = metering.world.default()
        if action is None:
            return metering
        metering.perform(action)
    raise HeatproofError(f"{design.name} has not come to rest after {LONGEST} actions")
