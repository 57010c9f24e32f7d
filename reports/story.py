"""A failure told as a numbered story: who did what to which row, with the deviations marked, ending in the witness."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from heatproof.model.scenario import Operation, Scenario
from heatproof.model.templates import Attr, Ref, ResourceDef, Template
from heatproof.model.world import World
from heatproof.properties.monitor import Violation
from heatproof.reports import folding
from heatproof.reports.circling import CIRCLE, Circle, circle_from
from heatproof.reports.paragraphs import WIDTH, paragraphs
from heatproof.reports.trace import Trace, trace
from heatproof.strategies.schedules import Deviation

SCREEN = 40
"""Lines that a story may have before what does not matter to the failure is folded."""

SHORT = 20
"""Steps after the last one of which all are told, and lines in which the way to a circle may be told besides the circle."""


def story(
    world: World, deviations: Sequence[Deviation], violation: Violation, title: str = "", full: bool = False, around: int = 0
) -> str:
    """The story of the run in ``world`` as text. ``deviations`` are those of its schedule, in order. Its last steps go ``around`` a circle once, if
    that is not 0.

    It tells every step if it is to be ``full``; else as much as fits one screen, and in any case what is of the failure.
    """
    taken, circle = trace(world), None
    if violation.key == CIRCLE:
        circle = Circle(taken, len(taken.steps) - around + 1, around) if around else circle_from(world)
    for level in folding.LEVELS[:1] if full else folding.LEVELS:
        told = folding.told(taken, violation, level)
        lines = _lines(taken, told, deviations, violation, title, full, circle)
        if len(lines) <= SCREEN:
            break
    return "\n".join(lines)


def _lines(
    taken: Trace, told: frozenset[int], deviations: Sequence[Deviation], violation: Violation, title: str, full: bool,
    circle: Circle | None,
) -> list[str]:  # fmt: skip
    scenario, *operations = setting(taken.world.scenario)
    count = f"; {_count(len(deviations), 'deviation')} from the default order" if deviations else ""
    lines = [title or f"{violation.name}: {violation.witness.kind}", ""]
    lines += wrapped(scenario + count)
    if taken.world.setting:
        lines += wrapped(f"on {taken.world.setting}")
    lines += [line for operation in operations for line in wrapped(operation)]
    lines += ["", *paragraphs(taken, told, full), ""]
    lines += wrapped(f"Violated after step {violation.step}: {violation.sentence}")
    lines += wrapped(f"Witness: {violation.witness}")
    if circle is not None:
        lines += _circle(circle, len(taken.steps), full)
    steps = folding.steps_of_the_design(taken)
    if steps:
        lines += wrapped(f"Steps of the design: {', '.join(steps)}")
    folded = sum(1 for step in taken.steps if step.at and step.matters and step.number not in told)
    if folded:
        lines += wrapped(f"Folded: {_count(folded, 'step')}; 'heatproof replay --full' tells all.")
    return lines


def _circle(circle: Circle, seen: int, full: bool) -> list[str]:
    """Where a run goes round, and, where that is after the last of the steps ``seen``, what goes on there."""
    first, size = circle.begins, circle.size
    last = first + size - 1
    steps = f"step {first} comes" if size == 1 else f"steps {first}-{last} come"
    if last <= seen:
        return wrapped(f"From step {first} on it goes round in a circle: {steps} again and again, and so on for ever.")
    told = frozenset(step.number for step in circle.run.steps if full or last - seen <= SHORT or step.matters)
    way, lap = (
        list(paragraphs(circle.run._replace(steps=circle.run.steps[:last]), told, full, after)) for after in (seen, first - 1)
    )
    return [
        *wrapped(
            f"After step {seen} it goes on by default, and from step {first} on in a circle: {steps} again and again, and so on for ever."
        ),
        *(way if full or len(way) <= SHORT else lap),
    ]


def wrapped(text: str) -> list[str]:
    """A line of text below the title, wrapped."""
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


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


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("s" if number != 1 else "")
