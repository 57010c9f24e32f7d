"""A failure told as a numbered story: who did what to which row, with the deviations marked, ending in the witness."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from heatproof.model.faults import FAULTS
from heatproof.model.scenario import Operation, Scenario
from heatproof.model.templates import Attr, Ref, ResourceDef, Template
from heatproof.model.world import Entry, World
from heatproof.properties.monitor import Violation
from heatproof.reports.telling import overwritten, tell, touched, written_columns
from heatproof.strategies.schedules import Deviation, places

WIDTH = 118


def story(world: World, deviations: Sequence[Deviation], violation: Violation, title: str = "") -> str:
    """The story of the run in ``world`` as text. ``deviations`` are those of its schedule, in order."""
    lines = [title or f"{violation.name}: {violation.witness.kind}", ""]
    lines += [f"  {line}" for line in setting(world.scenario)]
    told, steps = _told(world, deviations)
    lines += ["", *told, ""]
    lines += [f"  Violated after step {violation.step}: {violation.sentence}"]
    lines += [f"  Witness: {violation.witness}"]
    if steps:
        lines += [f"  Steps of the design: {', '.join(steps)}"]
    return "\n".join(lines)


def setting(scenario: Scenario) -> list[str]:
    """The scenario in words, one line an operation."""
    scope = scenario.scope
    lines = [f"{_count(scope.engines, 'engine')} of {_count(scope.threads, 'thread')}"]
    if scenario.faults:
        lines[0] += "; faults: " + ", ".join(f"{n} x {kind}" for kind, n in scenario.faults.items())
    previous: Template | None = None
    for number, operation in enumerate(scenario.operations, 1):
        lines.append(f"operation {number}: {_operation(operation, previous)}")
        previous = operation.template if operation.template is not None else previous
    return lines


def _operation(operation: Operation, previous: Template | None) -> str:
    words = [operation.kind]
    if operation.resource:
        words.append(operation.resource)
    if operation.rollback:
        words.append("(rolls back on failure)")
    if operation.timeout:
        words.append("(with a time limit)")
    if operation.template is not None:
        parts = [
            spelled(definition)
            if previous is None or previous.get(definition.name) != definition
            else f"{definition.name} as before"
            for definition in operation.template.resources
        ]
        words.append("to " + ("; ".join(parts) or "nothing"))
    return " ".join(words)


def spelled(definition: ResourceDef) -> str:
    """A resource definition in words; ``!`` marks a property whose change forces a replacement."""

    def shown(value: object) -> str:
        if isinstance(value, Ref):
            return f"id of {value.resource}"
        if isinstance(value, Attr):
            return f"{value.attribute} of {value.resource}"
        return repr(value)

    parts = [f"{name}={shown(value)}" for name, value in definition.in_place]
    parts += [f"{name}!={shown(value)}" for name, value in definition.replace]
    if definition.kind != "thing":
        parts.append(f"class {definition.kind}")
    if definition.depends_on:
        parts.append("after " + ", ".join(definition.depends_on))
    if definition.fails:
        parts.append("always fails to " + ", ".join(definition.fails))
    return definition.name + (f"({', '.join(parts)})" if parts else "")


def _told(world: World, deviations: Sequence[Deviation]) -> tuple[list[str], list[str]]:
    """The log, where consecutive steps of one task that follow the default policy make one paragraph; and the step ids at which
    something was lost, gone or struck by a fault, in order of appearance."""
    steps: dict[str, None] = {}
    return list(_paragraphs(world, deviations, steps)), list(steps)


def _paragraphs(world: World, deviations: Sequence[Deviation], steps: dict[str, None]) -> Iterator[str]:
    waiting = dict(zip(places(world), deviations, strict=False))
    writer: dict[tuple[str, Any], tuple[int, str, frozenset[str]]] = {}
    seen: dict[tuple[str, str, Any], int] = {}
    paragraph: list[str] = []
    first, who, phrase = 0, "", ""

    def flush(last: int) -> Iterator[str]:
        if who:
            numbers = f"{first}" if first == last else f"{first}-{last}"
            yield from _wrapped(f"{numbers:>8}  {who}: ", "; ".join(paragraph or [phrase]))
            paragraph.clear()

    for number, entry in enumerate(world.log, 1):
        deviation = waiting.get(number)
        task = entry.task.name if entry.task is not None else ""
        if entry.before is None or task != who or deviation is not None:
            yield from flush(number - 1)
            who, first = task, number
        if deviation is not None:
            yield f"      >>  {_passed_over(deviation)}:"
        if entry.before is None:
            yield f"{number:>8}  {_happening(entry, deviation is not None)}"
            who = ""
            continue
        told = tell(entry)
        phrase = f"{told.step} {told.phrase}"
        notable = "LOST" in told.phrase or "gone" in told.phrase or entry.action.kind in FAULTS
        for table, key, written in touched(entry):
            columns = overwritten(entry)
            if entry.action.kind == "step" and (table, key) in writer:
                step, other, theirs = writer[table, key]
                read = seen.get((task, table, key))
                if other != task and (read or 0) < step:
                    if "LOST" in told.phrase:
                        phrase += f" [read at {read or '?'}, changed at {step} by {other}]"
                    elif written and read and columns & theirs:
                        phrase += f" [read at {read}, OVERWRITES what {other} wrote at {step}]"
                        notable = True
            seen[task, table, key] = number
            if written:
                writer[table, key] = (number, task, written_columns(entry))
        if notable:
            steps[told.step] = None
        if entry.action.kind in FAULTS:
            phrase = f"FAULT {entry.action.kind} at {phrase}"
        if told.matters or entry.action.kind in FAULTS or deviation is not None:
            paragraph.append(phrase)
        if entry.after is not None and entry.after.escaped is not None:
            paragraph.append(f"ends with {type(entry.after.escaped).__name__}: {entry.after.escaped}")
        elif not paragraph and entry.after is not None and entry.after.effect is None:
            paragraph.append(f"{phrase}; ends")
    yield from flush(len(world.log))


def _passed_over(deviation: Deviation) -> str:
    """What the default policy would have done here."""
    anchor = deviation.anchor
    name = anchor.subject + (f" (no. {anchor.life})" if anchor.life > 1 else "")
    beside = deviation.instead.kind in FAULTS
    match anchor.kind:
        case "step":
            time = f" (time {anchor.time})" if anchor.time > 1 else ""
            at = f"at {anchor.step}{time}"
            return f"before {name} goes on {at}" if beside else f"instead of going on with {name} {at}"
        case "deliver":
            return f"before {name} is delivered" if beside else f"instead of delivering {name}"
        case "operate":
            return f"before the user asks {name}" if beside else f"instead of waiting for the user to ask {name}"
        case "settle":
            return f"before the operation on {name} ends" if beside else f"instead of ending the operation on {name}"
        case "end":
            return "at the end"
        case _:
            return f"{'before' if beside else 'instead of'} {anchor}"


def _happening(entry: Entry, deviates: bool) -> str:
    action = entry.action
    if action.kind == "restart" and not deviates:
        return f"{action.subject} is started again, since no engine is left"
    if action.kind == "operate":
        return f"the user asks {action.detail}: {action.subject}"
    if action.kind == "deliver":
        return f"{action.detail} takes {action.subject}"
    if action.kind == "settle":
        return f"the operation on {action.subject}, left by a dead task, ends"
    if action.kind in FAULTS:
        return f"FAULT {action}"
    return str(action)


def _wrapped(head: str, text: str) -> Iterator[str]:
    indent = " " * 12
    line = head
    for word in text.split(" "):
        if len(line) + len(word) + 1 > WIDTH and line.strip() != head.strip():
            yield line.rstrip()
            line = indent
        line += word + " "
    yield line.rstrip()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("s" if number != 1 else "")
