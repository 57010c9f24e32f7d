"""Database anomalies: reads inside one transaction that come from different moments, named as in Hermitage.

One mechanism makes them all: a transaction is split after its first reads, other tasks may run, and the rest of it acts later
on what was read before. Which anomaly that is depends on what stands before and after the split:

- P4 (lost update): a row that was read is written after the split;
- G2-item (write skew): another row than those read is written after the split;
- G-single (read skew): another row is read by key after the split;
- PMP (predicate-many-preceders): rows are asked for by a condition before and after the split.

A body whose next effect is reached only by other results may show an anomaly late or not at all; one that does not read before
it writes shows none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from heatproof.model import effects as fx
from heatproof.model.bodies import unchanged
from heatproof.model.database import Database

if TYPE_CHECKING:
    from heatproof.model.world import Action, Entry, World

READS = (fx.Read, fx.Query)


class Anomaly(NamedTuple):
    """One named anomaly as a fault."""

    name: str
    sentence: str

    def fits(self, world: World, task: str) -> bool:
        """Whether the task's next effect is a transaction in which this anomaly could show."""
        effect = world.nodes[task].effect
        return type(effect) is fx.Transaction and task not in world.split and self.name in splits(world.database, effect)

    def strike(self, world: World, action: Action) -> Entry:
        """Perform the transaction's first reads and leave the rest for its task's next step."""
        task = action.subject
        effect = world.nodes[task].effect
        assert isinstance(effect, fx.Transaction)
        count = splits(world.database, effect)[self.name]
        with unchanged(effect):
            world.put(world.split, task, world.database.transact(effect, stop_after=count))
        return world.note(action, world.tasks[task])


def splits(database: Database, effect: fx.Transaction) -> dict[str, int]:
    """For each anomaly that could show in this transaction, as it would run now: after how many effects to split it."""
    effects = _trace(database, effect)
    reads = []
    for inner in effects:
        if type(inner) not in READS:
            break
        reads.append(inner)
    found: dict[str, int] = {}
    for count in range(1, len(reads) + 1):
        if count < len(effects) and getattr(effects[count], "joined", False):
            continue  # one statement reads both, at one moment
        before, after = reads[:count], effects[count:]
        keys = {(e.table, e.key) for e in before if isinstance(e, fx.Read)}
        tables = {e.table for e in before if isinstance(e, fx.Query)}
        for inner in after:
            if isinstance(inner, fx.Read) and (inner.table, inner.key) not in keys:
                found.setdefault("G-single", count)
            elif isinstance(inner, fx.Query) and tables:
                found.setdefault("PMP", count)
            elif isinstance(inner, fx.Update):
                same = (inner.table, inner.key) in keys or inner.table in tables
                found.setdefault("P4" if same else "G2-item", count)
            elif isinstance(inner, fx.Delete | fx.Insert):
                table = inner.table
                same = table in tables or any(t is table for t, _ in keys)
                found.setdefault("P4" if same else "G2-item", count)
    return found


def _trace(database: Database, effect: fx.Transaction) -> list[Any]:
    """The effects of a transaction as it would run now; nothing is changed."""
    effects: list[Any] = []

    def body(*args: Any) -> fx.Body:
        gen = effect.body(*args)
        result: Any = None
        while True:
            try:
                inner = gen.throw(result.exception) if type(result) is fx.Thrown else gen.send(result)
            except StopIteration:
                return
            effects.append(inner)
            result = yield inner

    mark = len(database.journal)
    try:
        with unchanged(effect):
            database.transact(fx.Transaction(effect.step, body, effect.args))
    finally:
        database.rollback(mark)
    return effects


ANOMALIES = (
    Anomaly("PMP", "a transaction asks for rows by a condition twice and sees two different moments"),
    Anomaly("G-single", "a transaction reads two rows at two different moments (read skew)"),
    Anomaly("G2-item", "a transaction writes one row because of an outdated read of another (write skew)"),
    Anomaly("P4", "a transaction overwrites a row that changed after it had read it (lost update)"),
)
