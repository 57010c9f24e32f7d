"""Writes a run of whole messages as a scenario file of Heat's convergence tests.

What is written is made of literals and of the words of the language, and of nothing else: a name or a value from a case only ever
stands inside a literal that Python's ``repr`` has written, or in a comment without its line breaks.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from heatproof.model.scenario import Operation, Scenario
from heatproof.model.templates import EMPTY, Attr, Ref, ResourceDef, Template, Value
from heatproof.strategies.scenario_words import printable

SLACK = 20
"""Turns to wait at the end beyond those that the model needs."""

FIRST_LINE = "# A scenario in the language of Heat's convergence tests, written by 'heatproof port'."
"""No text from a case stands in the first two lines: Python would heed the name of an encoding there."""

FUNCTIONS = {
    "check_copies": """\
def check_copies(name, expected):
    test.assertEqual(expected, len(reality.resources_by_logical_name(name)), 'Wrong number of copies')
""",
    "check_at_most": """\
def check_at_most(name, most):
    test.assertLessEqual(len(reality.resources_by_logical_name(name)), most, 'Too many copies')
""",
    "check_required": """\
def check_required(name, required):
    if reality.resources_by_logical_name(name):
        test.assertNotEqual([], reality.resources_by_logical_name(required), 'What it requires is missing')
""",
    "check_reference": """\
def check_reference(name, prop, required):
    existing = [r.physical_resource_id for r in reality.resources_by_logical_name(required)]
    for r in reality.resources_by_logical_name(name):
        test.assertIn(reality.resource_properties(r, prop), existing, 'It refers to what is gone')
""",
}
"""What a check may call besides ``verify``. Heat runs these functions without the names of the file, so each stands for itself."""


class Check(NamedTuple):
    """What is asked, and when: a function and its arguments, after how many letters of the order (None: when nothing is left, and
    the empty function name: nothing is asked, since an exception ends the scenario)."""

    function: str
    arguments: tuple[object, ...] = ()
    after: int | None = None


def write(scenario: Scenario, letters: str, check: Check, head: Sequence[str]) -> str:
    """The text of a scenario file: ``scenario`` is in the words of the language, ``letters`` an order of whole messages (see
    :mod:`whole_messages`), ``head`` what the comment at the top says, a paragraph each."""
    templates = _templates(scenario, check)
    names = {template: f"template_{number}" for number, template in enumerate(templates, 1)}
    lines = [FIRST_LINE, "#", *_comment(head), ""]
    if check.function in FUNCTIONS:
        lines += ["", *FUNCTIONS[check.function].splitlines(), ""]
    for template, name in names.items():
        lines += ["", *_literal(name, template)]
    lines += ["", *_script(scenario, letters, check, names)]
    return "\n".join(lines) + "\n"


def _templates(scenario: Scenario, check: Check) -> list[Template]:
    found = dict.fromkeys(o.template for o in scenario.operations if o.template is not None)
    found.update(dict.fromkeys(value for value in check.arguments if isinstance(value, Template)))
    return list(found)


def _comment(paragraphs: Iterable[str]) -> Iterator[str]:
    for number, paragraph in enumerate(paragraphs):
        if number:
            yield "#"
        for line in textwrap.wrap(printable(paragraph), 110, break_on_hyphens=False):
            yield f"# {line}"


def _literal(name: str, template: Template) -> Iterator[str]:
    if template == EMPTY:
        yield f"{name} = Template()"
        return
    yield f"{name} = Template({{"
    for definition in template.resources:
        yield f"    {definition.name!r}: {_definition(definition)},"
    yield "})"


def _definition(definition: ResourceDef) -> str:
    values = ", ".join(f"{prop!r}: {_value(value)}" for prop, value in definition.properties)
    return f"RsrcDef({{{values}}}, {list(definition.depends_on)!r})"


def _value(value: Value) -> str:
    if isinstance(value, Ref):
        return f"GetRes({value.resource!r})"
    if isinstance(value, Attr):
        return f"GetAtt({value.resource!r}, {value.attribute!r})"
    return repr(value)


def _script(scenario: Scenario, letters: str, check: Check, names: dict[Template, str]) -> Iterator[str]:
    """The statements that queue: in the turn of an operation or of a check the worker has its half too."""
    operations = iter(scenario.operations)
    leading = len(letters) - len(letters.lstrip("O"))
    if leading > 1 and "M" in letters:
        yield f"worker.noop({leading - 1})  # the first {leading} operations, with nothing processed between them"
    position = 0
    for letter in letters:
        if letter != "O":
            continue
        position = letters.index("O", position) + 1
        yield _operation(next(operations), names)
        following = letters[position:].partition("O")[0]
        last = "O" not in letters[position:]
        waited = min(len(following), 1)  # in the turn of the operation
        if check.after is not None and check.function and position <= check.after <= position + len(following):
            at = max(check.after - position, waited)
            yield from _wait(at - waited)
            yield _call(check, names)
            waited = min(len(following), at + 1)
        if not last:
            yield from _wait(len(following) - waited)
        else:
            yield f"engine.noop({len(following) - waited + SLACK})  # until nothing is left"
    if check.function and check.after is None:
        yield _call(check, names)


def _wait(turns: int) -> Iterator[str]:
    if turns > 0:
        yield f"engine.noop({turns})"


def _operation(operation: Operation, names: dict[Template, str]) -> str:
    template = "" if operation.template is None else f", {names[operation.template]}"
    return f"engine.{operation.kind}_stack({operation.stack!r}{template})"


def _call(check: Check, names: dict[Template, str]) -> str:
    arguments = [names[value] if isinstance(value, Template) else repr(value) for value in check.arguments]
    return f"engine.call({', '.join([check.function, *arguments])})"


__all__ = ["FIRST_LINE", "FUNCTIONS", "Check", "write"]
