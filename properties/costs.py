"""Bounds on what is asked of the database, stated as properties.

``at_most(40)`` says that no operation costs more than 40 accesses, in any run. A run is judged when it comes to rest; an exhaustive search
judges all runs at once and shows the dearest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from heatproof.properties.base import Bound, Property, Witness, witness

TOO_MANY = "too many accesses"


def at_most(accesses: int, per: Literal["operation", "run"] = "operation", kind: str = "") -> Property:
    """No operation (of that ``kind``, if one is given), or no run as a whole, costs more than so many accesses to the database: round
    trips, a transaction is one, whatever stands in it. What an operation costs includes all tasks and messages that go back to it.

    Raises ValueError for what is no number from 0 on, for another ``per``, and for a kind of operation together with ``per="run"``.
    """
    if type(accesses) is not int or accesses < 0:
        raise ValueError(f"a bound is a number of accesses, not {accesses!r:.80}")
    if per not in ("operation", "run"):
        raise ValueError(f"a bound is per 'operation' or per 'run', not {per!r:.80}")
    if per == "run" and kind:
        raise ValueError(f"a bound per run is on the whole run, not on operations of kind {kind!r}")
    number = f"{accesses} access{'es' if accesses != 1 else ''}"
    whose = f"{kind or 'operation'}" if per == "operation" else "run"
    return Property(
        f"at most {number} per {whose}",
        "cost",
        f"No {whose} costs more than {number} to the database, in any order of events.",
        kinds=(TOO_MANY,),
        bound=Bound(accesses, per, kind),
    )


class Cost(NamedTuple):
    """What an operation costs, with its label, by which another may be called too, and its kind. Infinite: without limit."""

    label: str
    kind: str
    accesses: float


def exceeded(bound: Bound, run: float, operations: Mapping[int, Cost]) -> Iterator[tuple[int, Witness]]:
    """What exceeds a bound: the number of the operation, 0 for the run as a whole, and a witness. From the accesses of a run, infinite: without
    limit, and what each operation costs, by its number."""
    if bound.per == "run":
        if run > bound.accesses:
            yield 0, witness(TOO_MANY, accesses=shown(run), allowed=bound.accesses)
        return
    for number, (label, kind, accesses) in operations.items():
        if accesses > bound.accesses and bound.kind in ("", kind):
            yield number, witness(TOO_MANY, operation=label, accesses=shown(accesses), allowed=bound.accesses)


def worst(bound: Bound, run: float, operations: Mapping[int, Cost]) -> float | None:
    """The most accesses of what a bound is about, from the same; None if there is nothing that it is about."""
    if bound.per == "run":
        return run
    return max((cost.accesses for cost in operations.values() if bound.kind in ("", cost.kind)), default=None)


def shown(accesses: float) -> int | str:
    """A number of accesses as a witness has it."""
    return "without limit" if accesses == float("inf") else int(accesses)
