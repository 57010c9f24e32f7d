"""What of a run a story tells: all of it, what changed something, or only what has to do with the failure.

A step is of the failure if it is a deviation or a fault; if it went by an outdated read, lost its write or overwrote what it did not
know, or is one of the two steps that made it so (the read, and the write in between); if it sent a message to nobody; if it raised an exception
or met a row that was gone; if it made something that the witness names, or changed it last; or if it is the one at which the property was violated.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from heatproof.model.observation import Change
from heatproof.properties.monitor import Violation
from heatproof.reports.trace import Step, Trace

Level = Literal["all", "changes", "rows", "named", "failure"]
LEVELS: tuple[Level, ...] = ("all", "changes", "rows", "named", "failure")
"""From everything to least. *changes* leaves out what only looked and found. *rows* leaves out what touches no row that a step of the failure
touches and is no link of the chain of messages that led to the violation; *named* follows only the rows that the witness names. *failure* is
the steps of the failure alone."""


def told(trace: Trace, violation: Violation, level: Level) -> frozenset[int]:
    """The numbers of the steps of tasks that are told at a level. What the user asks, deliveries and faults are the teller's business."""
    if level == "all":
        return frozenset(step.number for step in trace.steps)
    named = names(violation)
    changes = [(step, change) for step in trace.steps for change in step.changes if _is_named(change, named)]
    last = {(change.aspect, change.key): step.number for step, change in changes}
    failing = frozenset(_failing(trace, violation)) | {s.number for s, change in changes if change.old is None} | {*last.values()}
    if level == "changes":
        return failing | {step.number for step in trace.steps if step.matters}
    if level == "failure":
        return failing
    chain = frozenset(_chain(trace, violation))
    if level == "named":
        return failing | chain | {step.number for step, _ in changes}
    places = {place for step in trace.steps if step.number in failing for place in _rows(step)}
    return failing | chain | {s.number for s in trace.steps if s.matters and places & _rows(s)}


def _rows(step: Step) -> set[tuple[str, Any]]:
    """The rows and physical resources of a step that are worth following: what it touched in vain or too late, or changed."""
    rows = {(stale.table, stale.key) for stale in step.stale} | {(t.table, t.key) for t in step.touches if t.outcome == "lost"}
    rows |= {change.key for change in step.changes if change.aspect == "row"}
    return rows | {(change.aspect, change.key) for change in step.changes if change.aspect == "reality"}


def _chain(trace: Trace, violation: Violation) -> Iterator[int]:
    """The steps that sent the message, or began the task, from which the violation came, and so on back to what the user asked."""
    wanted = ""
    for step in reversed(trace.steps[: violation.step]):
        if not wanted:
            wanted = step.who.name if step.who is not None else step.action.subject
        elif wanted in step.sent or wanted in step.started:
            yield step.number
            wanted = step.who.name if step.who is not None else step.action.subject


def names(violation: Violation) -> frozenset[str]:
    """The texts in the values of a witness."""
    found: set[str] = set()

    def take(value: Any) -> None:
        if isinstance(value, tuple | list | frozenset | set):
            found.add("/".join(map(str, value)))
            for part in value:
                take(part)
        elif isinstance(value, str):
            found.add(value)

    for _, value in violation.witness.values:
        take(value)
    return frozenset(found)


def _is_named(change: Change, named: frozenset[str]) -> bool:
    """Whether a row or a physical resource is named, or a row by the name of a physical resource that was made for it."""
    if change.aspect == "reality":
        return str(change.key) in named
    if change.aspect != "row":
        return False
    key = change.key[1]
    text = "/".join(map(str, key)) if isinstance(key, tuple) else str(key)
    return text in named or any(name.rpartition(".")[0] == text for name in named)


def _failing(trace: Trace, violation: Violation) -> Iterator[int]:
    written: dict[tuple[str, Any], int] = {}
    for step in trace.steps:
        if (
            step.instead is not None
            or step.fault
            or step.vanished
            or step.ended not in ("", "ends")
            or step.number == violation.step
        ):
            yield step.number
        for stale in step.stale:
            yield from (step.number, stale.read, stale.changed)
        for touch in step.touches:
            if touch.outcome == "lost" or (touch.outcome == "missing" and (touch.table, touch.key) in written):
                yield from (step.number, written.get((touch.table, touch.key), 0))  # and who took it away
        written.update({change.key: step.number for change in step.changes if change.aspect == "row"})


def steps_of_the_design(trace: Trace) -> list[str]:
    """The ids of the steps involved, in order of appearance: where something was lost, outdated, gone, struck by a fault or passed over."""
    found: dict[str, None] = {}
    was_there: set[tuple[str, Any]] = set()
    for step in trace.steps:
        if step.instead is not None and step.instead.at:
            found[step.instead.at] = None
        if step.at and (
            step.stale or step.fault or step.vanished or step.ended not in ("", "ends") or _met_nothing(step, was_there)
        ):
            found[step.at] = None
        was_there.update(change.key for change in step.changes if change.aspect == "row")
    return list(found)


def _met_nothing(step: Step, was_there: set[tuple[str, Any]]) -> bool:
    """Whether a write of it was lost, or it looked for a row that had been there."""
    return any(
        touch.outcome == "lost" or (touch.outcome == "missing" and (touch.table, touch.key) in was_there) for touch in step.touches
    )


__all__ = ["LEVELS", "Level", "names", "steps_of_the_design", "told"]
