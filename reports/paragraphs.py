"""The steps of a run as paragraphs: what one task did without a break, with what it ran into, and what deviates from the default order."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence, Set

from heatproof.model.faults import FAULTS
from heatproof.model.observation import Change
from heatproof.reports.staleness import Place, Stale
from heatproof.reports.telling import intention, shown, shown_key
from heatproof.reports.trace import Instead, Step, Touch, Trace

WIDTH = 110
INDENT = " " * 12


def paragraphs(trace: Trace, told: Set[int]) -> Iterator[str]:
    """The lines of the log. Steps of tasks that are not ``told`` are left out; where that leaves nothing, one line says who was at work."""
    folded: list[Step] = []
    was_there: set[Place] = set()
    for group in _groups(trace.steps):
        if any(_is_told(step, told) for step in group):
            yield from _folded(folded)
            folded = []
            if group[0].instead is not None:
                yield from _wrapped("      >>  ", f"{_passed_over(group[0].instead, group[0])}:")
            head, rest = _head(group)
            text = "; ".join(_told(step, was_there) for step in rest if step.number in told or step.fault)
            yield from _wrapped(f"{_numbers(group):>8}  ", f"{head}: {text}" if text else head)
        else:
            folded += group
        was_there.update(change.key for step in group for change in step.changes if change.aspect == "row")
    yield from _folded(folded)


def _is_told(step: Step, told: Set[int]) -> bool:
    return step.number in told or step.who is None or step.action.kind == "operate"


def _groups(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """What the same task did without a break and without a deviation, with the delivery or the request that began it."""
    group: list[Step] = []
    for step in steps:
        begins = not step.at or step.instead is not None
        if group and (begins or _name(step) != _name(group[-1])):
            yield group
            group = []
        group.append(step)
    if group:
        yield group


def _name(step: Step) -> str:
    return step.who.name if step.who is not None else step.action.subject


def _numbers(group: Sequence[Step]) -> str:
    first, last = group[0].number, group[-1].number
    return f"{first}" if first == last else f"{first}-{last}"


def _folded(steps: Sequence[Step]) -> Iterator[str]:
    if steps:
        tasks = list(dict.fromkeys(_name(step) for step in steps))
        few = ", ".join(tasks[:3]) + (f" and {len(tasks) - 3} more" if len(tasks) > 3 else "")
        yield from _wrapped(f"{_numbers(steps):>8}  ", f"... {few}")


def _head(group: Sequence[Step]) -> tuple[str, Sequence[Step]]:
    """How a paragraph begins, and the steps that it tells."""
    first = group[0]
    action = first.action
    if first.at:
        return _name(first), group
    match action.kind:
        case "operate":
            head = f"the user asks {action.detail} for {action.subject}"
        case "deliver":
            head = f"{action.detail} takes {action.subject}"
        case "settle":
            head = f"the operation on {action.subject}, left by a dead task, ends"
        case "restart" if not first.fault:
            head = f"{action.subject} is started again, since no engine is left"
        case _:
            head = f"FAULT {action}" if first.fault else str(action)
    return head, group[1:]


def _told(step: Step, was_there: set[Place]) -> str:
    """One step of a task: its id, what it did, what it ran into, and how the task ended."""
    text = f"{step.at} {_did(step)}"
    if any(touch.outcome == "missing" and (touch.table, touch.key) in was_there for touch in step.touches):
        text = text.replace("(not there)", "(gone)")
    if step.fault:
        text = f"FAULT {step.fault} at {text}"
    notes = [_stale(one) for one in step.stale if one.kind != "lost"]
    if notes:
        text += f" [{'; '.join(notes)}]"
    if step.ended not in ("", "ends"):
        text += f"; ends with {step.ended}"
    return text


def _did(step: Step) -> str:
    """What it changed, row by row, and which of its writes were lost; where it is neither, the effect in words."""
    lost = [_lost(touch, step) for touch in step.touches if touch.outcome == "lost"]
    if not lost and not any(touch.inside or touch.kind == "update" for touch in step.touches):
        return step.phrase
    changed = [_changed(change, step) for change in step.changes if change.aspect == "row" and None not in (change.old, change.new)]
    for verb, one in (
        ("inserts", [c for c in step.changes if c.old is None]),
        ("deletes", [c for c in step.changes if c.new is None]),
    ):
        for table, keys in _by_table(one).items():
            changed.append(f"{verb} {table} {keys[0]}" if len(keys) == 1 else f"{verb} {len(keys)} of {table}")
    return "; ".join([*changed, *lost]) or step.phrase


def _changed(change: Change, step: Step) -> str:
    table, key = change.key
    columns = [column for column in change.new._fields if getattr(change.new, column) != getattr(change.old, column)]
    values = ", ".join(f"{column}={shown(getattr(change.new, column))}" for column in columns)
    blind = any(touch.table == table and touch.key == key and not touch.where and not touch.inside for touch in step.touches)
    return f"writes {table} {shown_key(key)}{' blindly' if blind else ''} ({values})"


def _by_table(changes: Sequence[Change]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for change in changes:
        if change.aspect == "row":
            table, key = change.key
            found.setdefault(table, []).append(shown_key(key))
    return found


def _lost(touch: Touch, step: Step) -> str:
    text = f"writes {touch.table} {shown_key(touch.key)}: LOST, "
    if touch.met is None:
        return f"{text}it is not there any more"
    text += " and ".join(f"{column} should be {shown(wanted)} but is {shown(there)}" for column, wanted, there in touch.mismatch)
    reason = next((one for one in step.stale if one.kind == "lost" and (one.table, one.key) == (touch.table, touch.key)), None)
    if reason is not None and reason.read:
        return f"{text} [read at {reason.read}, overwritten at {reason.changed} by {reason.by}]"
    return text + (f" [since {touch.set.step}, by {touch.set.by}]" if touch.set is not None else "")


def _stale(one: Stale) -> str:
    row = f"{one.table} {shown_key(one.key)}"
    if one.kind == "overwrites":
        return f"read at {one.read}, OVERWRITES what {one.by} wrote at {one.changed}"
    return (
        f"goes by {row} as read at {one.read}, overwritten at {one.changed} by {one.by}; else it would {intention(one.otherwise)}"
    )


def _passed_over(instead: Instead, step: Step) -> str:
    """What the default policy would have done here."""
    anchor = instead.anchor
    name = anchor.subject + (f" (no. {anchor.life})" if anchor.life > 1 else "")
    beside = step.action.kind in FAULTS
    match anchor.kind:
        case "step":
            return f"{'before' if beside else 'instead of'} {name} going on: {instead.at} {instead.phrase}".rstrip()
        case "deliver":
            return f"before {name} is delivered" if beside else f"instead of delivering {name}"
        case "operate":
            return f"before the user asks for {name}" if beside else f"instead of waiting for the user to ask for {name}"
        case "settle":
            return f"before the operation on {name} ends" if beside else f"instead of ending the operation on {name}"
        case "end":
            return "at the end"
        case _:
            return f"{'before' if beside else 'instead of'} {anchor}"


def _wrapped(head: str, text: str) -> Iterator[str]:
    yield from textwrap.wrap(
        text, WIDTH, initial_indent=head, subsequent_indent=INDENT, break_long_words=False, break_on_hyphens=False
    ) or [head.rstrip()]


__all__ = ["WIDTH", "paragraphs"]
