"""Deviations of a scenario that has lost an operation: those after it have another number, and with them tasks and messages another name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from heatproof.model.design import Design
from heatproof.model.scenario import Operation, Scenario
from heatproof.strategies.schedules import Deviation

NUMBERED = re.compile(r"(?<![\w#])([A-Za-z_#]+)(\d+)(?!\w)")


def lost(before: Sequence[Operation], after: Sequence[Operation]) -> int | None:
    """The number (from 1) of the one operation of ``before`` that is not in ``after``; None if they differ in another way."""
    if len(after) != len(before) - 1:
        return None
    differing = (n for n, (one, other) in enumerate(zip(before, after, strict=False), 1) if one != other)
    return next(differing, len(before))


def renumbered(design: Design, deviations: Sequence[Deviation], before: Scenario, after: Scenario) -> list[Deviation]:
    """The deviations by the names they have when an operation is gone.

    What operations are called the design says. Numbers in other names mostly count operations (the second traversal is that of the
    second operation), so those above the one that is gone become one less; not in names of engines and resources. That is a guess: what
    is called otherwise is not found, and no harm is done.
    """
    number = lost(before.operations, after.operations)
    if number is None:
        return list(deviations)
    label = design.operation_label
    labels = {
        label(n, operation): label(n - 1, after.operations[n - 2])
        for n, operation in enumerate(before.operations, 1)
        if n > number
    }  # fmt: skip
    kept = {
        *(f"E{n}" for n in range(1, after.scope.engines + 1)),
        *(name for o in before.operations if o.template is not None for name in o.template.names),
    }

    def one_less(found: re.Match[str]) -> str:
        return found[0] if found[0] in kept or int(found[2]) <= number else f"{found[1]}{int(found[2]) - 1}"

    def renamed(name: str) -> str:
        return labels[name] if name in labels else NUMBERED.sub(one_less, name)

    return [
        Deviation(d.anchor._replace(subject=renamed(d.anchor.subject)), d.instead._replace(subject=renamed(d.instead.subject)))
        for d in deviations
    ]


__all__ = ["lost", "renumbered"]
