"""The steps of a run as paragraphs: what one task did without a break, with what it ran into, and what deviates from the default order."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from typing import Any, NamedTuple

from heatproof.model.faults import FAULTS
from heatproof.model.observation import Change
from heatproof.reports.repeats import Said, pieces
from heatproof.reports.staleness import Place, Stale
from heatproof.reports.telling import intention, shown, shown_key
from heatproof.reports.trace import Instead, Step, Touch, Trace

WIDTH = 110
INDENT = " " * 12


class _Paragraph(NamedTuple):
    """What one task did without a break: its steps, whether it is told, the line of its deviation, its head, and of each of the steps after
    that the text and what it is like."""

    steps: Sequence[Step]
    told: bool
    deviation: str
    head: str
    rest: Sequence[tuple[str, Said]]

    @property
    def said(self) -> Said:
        """What it is like, to look whether it comes again."""
        first, last = self.steps[0].number, self.steps[-1].number
        once = f" {first}" if any(step.fault for step in self.steps) else ""  # each fault is told
        texts = [f"{self.told}{once}", self.deviation, self.head, *(said.text for _, said in self.rest)]
        return Said(first, last, "\n".join(texts), tuple(step for _, said in self.rest for step in said.steps))


class _Again(NamedTuple):
    """What stands in the place of paragraphs that are others again."""

    steps: Sequence[Step]
    text: str


def paragraphs(trace: Trace, told: Set[int], whole: bool = False, after: int = 0) -> Iterator[str]:
    """The lines of the log ``after`` so many steps. Steps of tasks that are not ``told`` are left out; where that leaves nothing, one line says who
    was at work. What comes again several times in a row is told once, with how often and up to which step, unless all is to be told in ``whole``."""
    found = [paragraph for paragraph in _paragraphs(trace.steps, told, after) if paragraph.steps[0].number > after]
    folded: list[Step] = []
    for paragraph in _once(found, whole):
        if isinstance(paragraph, _Again):
            yield from _folded(folded)
            folded = []
            yield from _wrapped(f"{_numbers(paragraph.steps):>8}  ", paragraph.text)
        elif paragraph.told:
            yield from _folded(folded)
            folded = []
            if paragraph.deviation:
                yield from _wrapped("      >>  ", paragraph.deviation)
            text = "; ".join(_texts(paragraph.rest, whole))
            yield from _wrapped(f"{_numbers(paragraph.steps):>8}  ", f"{paragraph.head}: {text}" if text else paragraph.head)
        else:
            folded += paragraph.steps
    yield from _folded(folded)


def _paragraphs(steps: Sequence[Step], told: Set[int], after: int) -> Iterator[_Paragraph]:
    was_there: set[Place] = set()
    for group in [*_groups(steps[:after]), *_groups(steps[after:])]:
        deviation = "" if group[0].instead is None else f"{_passed_over(group[0].instead, group[0])}:"
        head, rest = _head(group)
        texts = []
        for step in group:
            if step is not group[0] or rest is group:
                texts.append(_both(step, was_there, step.number in told or bool(step.fault)))
            was_there.update(change.key for change in step.changes if change.aspect == "row")
        yield _Paragraph(group, any(_is_told(step, told) for step in group), deviation, head, texts)


def _both(step: Step, was_there: set[Place], told: bool) -> tuple[str, Said]:
    """The text of a step (empty if it is not told), and what it is like."""
    steps: list[int] = []

    def noted(number: int) -> str:
        steps.append(number)
        return "#"

    like = f"{told}{f' {step.number}' if step.fault else ''} {_told(step, was_there, noted)}"
    return _told(step, was_there, str) if told else "", Said(step.number, step.number, like, tuple(steps))


def _once(found: Sequence[_Paragraph], whole: bool) -> Iterator[_Paragraph | _Again]:
    """The paragraphs; in the place of those that are one block of them again, a line that says so, with their steps."""
    if whole:
        yield from found
        return
    for begin, size, times in pieces([paragraph.said for paragraph in found]):
        block = found[begin : begin + size]
        if times == 1:
            yield from block
        elif not any(paragraph.told for paragraph in block):
            yield from found[begin : begin + size * times]
        else:
            yield from _once(block, whole)
            again = [step for paragraph in found[begin + size : begin + size * times] for step in paragraph.steps]
            numbers = _numbers([step for paragraph in block for step in paragraph.steps])
            count = sum(bool(paragraph.deviation) for paragraph in block)
            deviations = f", each with {count} deviation{'s' if count > 1 else ''}" if count else ""
            yield _Again(again, f"... the same as {numbers}, {times - 1} more times{deviations}")


def _texts(rest: Sequence[tuple[str, Said]], whole: bool) -> Iterator[str]:
    """The texts of steps; in the place of those that are one block of them again, a text that says so."""
    if whole:
        yield from (text for text, _ in rest if text)
        return
    for begin, size, times in pieces([said for _, said in rest]):
        block = rest[begin : begin + size]
        if times == 1:
            yield from (text for text, _ in block if text)
        elif any(text for text, _ in block):
            yield from _texts(block, whole)
            first, last = block[0][1].first, block[-1][1].last
            numbers = f"{first}" if first == last else f"{first}-{last}"
            yield f"... the same as {numbers}, {times - 1} more times, to {rest[begin + size * times - 1][1].last}"


def happenings(trace: Trace) -> list[Said]:
    """What happened at each step, whether by default or not, to look whether it comes again."""
    found, was_there = [], set[Place]()
    for step in trace.steps:
        _, said = _both(step, was_there, step.at != "")
        found.append(said._replace(text=f"{step.action} {said.text}"))
        was_there.update(change.key for change in step.changes if change.aspect == "row")
    return found


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


def _told(step: Step, was_there: set[Place], number: Callable[[int], str]) -> str:
    """One step of a task: its id, what it did, what it ran into, and how the task ended. ``number`` writes the number of another step."""
    text = f"{step.at} {_did(step, was_there, number)}"
    if any(touch.outcome == "missing" and (touch.table, touch.key) in was_there for touch in step.touches):
        text = text.replace("(not there)", "(gone)")
    if step.fault:
        text = f"FAULT {step.fault} at {text}"
    notes = [_stale(one, number) for one in step.stale if one.kind != "lost"]
    if notes:
        text += f" [{'; '.join(notes)}]"
    if step.ended not in ("", "ends"):
        text += f"; ends with {step.ended}"
    return text


def _did(step: Step, was_there: set[Place], number: Callable[[int], str]) -> str:
    """What it changed, row by row in the order of its statements, which of its writes were lost, and what it sent in a transaction; where it is
    nothing of that, the effect in words."""
    lost = any(touch.outcome == "lost" for touch in step.touches)
    if not lost and not any(touch.inside or touch.kind == "update" for touch in step.touches):
        return step.phrase
    changes = {change.key: change for change in step.changes if change.aspect == "row"}
    found: dict[Any, str] = {}
    for index, touch in enumerate(step.touches):
        if touch.outcome == "lost":
            found[index] = _lost(touch, step, was_there, number)
        elif (change := changes.get((touch.table, touch.key))) is not None and touch.kind not in ("read", "query"):
            _tell_change(found, change, step, changes.values())
    for change in changes.values():  # what no statement of its own wrote
        _tell_change(found, change, step, changes.values())
    sent = [f"sends {name}" for name in step.sent] if any(touch.inside for touch in step.touches) else []
    return "; ".join([*found.values(), *sent, *step.vanished]) or step.phrase


def _tell_change(found: dict[Any, str], change: Change, step: Step, changes: Iterable[Change]) -> None:
    """Tell of a row what became of it, unless it is among what is ``found``; of those that were inserted into a table, or deleted, together."""
    table, key = change.key
    if None not in (change.old, change.new):
        found.setdefault(change.key, _changed(change, step))
        return
    verb = "inserts" if change.old is None else "deletes"
    alike = sum(
        one.key[0] == table and (one.old is None, one.new is None) == (change.old is None, change.new is None) for one in changes
    )
    found.setdefault((verb, table), f"{verb} {table} {shown_key(key)}" if alike == 1 else f"{verb} {alike} of {table}")


def _changed(change: Change, step: Step) -> str:
    table, key = change.key
    columns = [column for column in change.new._fields if getattr(change.new, column) != getattr(change.old, column)]
    values = ", ".join(f"{column}={shown(getattr(change.new, column))}" for column in columns)
    blind = any(touch.table == table and touch.key == key and not touch.where and not touch.inside for touch in step.touches)
    return f"writes {table} {shown_key(key)}{' blindly' if blind else ''} ({values})"


def _lost(touch: Touch, step: Step, was_there: set[Place], number: Callable[[int], str]) -> str:
    text = f"writes {touch.table} {shown_key(touch.key)}: LOST, "
    if touch.met is None:
        return text + ("it is not there any more" if (touch.table, touch.key) in was_there else "there is none")
    text += " and ".join(f"{column} should be {shown(wanted)} but is {shown(there)}" for column, wanted, there in touch.mismatch)
    reason = next((one for one in step.stale if one.kind == "lost" and (one.table, one.key) == (touch.table, touch.key)), None)
    if reason is not None and reason.read:
        return f"{text} [read at {number(reason.read)}, overwritten at {number(reason.changed)} by {reason.by}]"
    return text + (f" [since {number(touch.set.step)}, by {touch.set.by}]" if touch.set is not None else "")


def _stale(one: Stale, number: Callable[[int], str]) -> str:
    row = f"{one.table} {shown_key(one.key)}"
    read, changed = number(one.read), number(one.changed)
    if one.kind == "overwrites":
        return f"read at {read}, OVERWRITES what {one.by} wrote at {changed}"
    return f"goes by {row} as read at {read}, overwritten at {changed} by {one.by}; else it would {intention(one.otherwise)}"


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


__all__ = ["WIDTH", "happenings", "paragraphs"]
