"""Cases: a scenario and a schedule with the verdict expected of a design, as one JSON file. The only module that knows msgspec.

Files are data: decoded strictly against the structs below, checked by :mod:`heatproof.reports.case_checks`, never evaluated. What a
file looks like is on ``docs/cases.md``; its JSON Schema is made from the structs. To change the schema: raise ``SCHEMA``, keep what is
needed to read the version before, and store the cases anew (``python -m tests.adopt``).
"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from sys import intern
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from heatproof.model.errors import HeatproofError
from heatproof.model.scenario import Operation, Scenario, Scope
from heatproof.model.templates import Attr, Plain, Ref, ResourceDef, Template, resource
from heatproof.model.world import Action
from heatproof.reports import case_checks
from heatproof.reports.case_errors import in_one_line, place_of, told
from heatproof.strategies.schedules import Anchor, Deviation

SCHEMA: Final = 2
LIMIT = 20_000_000
"""Bytes; a larger file is no case."""
WIDTH = 118
"""Columns that a line of a file has, as far as possible."""

Expectation = Literal["fails", "holds"]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Text = Annotated[str, Meta(max_length=10_000)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]
Number = Annotated[int, Meta(ge=1, le=1_000_000)]


class _Ref(Struct, forbid_unknown_fields=True, tag_field="get", tag="resource", frozen=True):
    """The id of another resource."""

    resource: Name


class _Attr(Struct, forbid_unknown_fields=True, tag_field="get", tag="attribute", frozen=True):
    """An attribute of another resource."""

    resource: Name
    attribute: Name


_Value = _Ref | _Attr | str | int | bool | None


class _Resource(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    """A resource definition: properties that change in place, those that force a replacement, the names it depends on, its class, and the
    physical operations that always fail."""

    in_place: dict[str, _Value] = {}
    replace: dict[str, _Value] = {}
    depends_on: list[Name] = []
    kind: Name = "thing"
    fails: list[Name] = []


class _Operation(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    """What a user asks: the template is the goal of create and update, the resource is whom signal and mark unhealthy are about."""

    kind: Name
    template: dict[Name, _Resource] | None = None
    resource: Name | None = None
    rollback: bool = False
    timeout: bool = False
    stack: Name = "S"


class _Scenario(Struct, forbid_unknown_fields=True, frozen=True):
    """What is asked, of how many engines of how many threads, whether messages may overtake, and the budget of each kind of fault."""

    operations: list[_Operation]
    engines: Annotated[int, Meta(ge=1, le=100)]
    threads: Annotated[int, Meta(ge=1, le=100)]
    reorder: bool
    faults: dict[str, Count]


class _Expected(Struct, forbid_unknown_fields=True, frozen=True):
    """The failure: a property, and the kind of witness that shows it."""

    property: Text
    witness: Text


class _Design(Struct, forbid_unknown_fields=True, frozen=True):
    """A design by name, and the mutations and repairs made to it, in order. FILE.py:Class is a name here; a case runs no code."""

    name: Name
    changes: list[Name] = []


class _Action(Struct, forbid_unknown_fields=True, array_like=True, frozen=True):
    """One action: kind, subject (a task, a message, an operation, an engine, a physical resource), detail (an engine, a duration), and the
    step id of the design that it did."""

    kind: Text
    subject: Text
    detail: Text = ""
    step: Text = ""


class _Anchor(Struct, forbid_unknown_fields=True, array_like=True, frozen=True):
    """What the default policy would do: kind, subject, before which step id; which of that name it is, and which time it comes there."""

    kind: Text
    subject: Text
    step: Text = ""
    life: Number = 1
    time: Number = 1


class _Deviation(Struct, forbid_unknown_fields=True, frozen=True):
    """A place where the schedule goes otherwise than the default policy."""

    instead_of: _Anchor
    do: _Action


class _Case(Struct, forbid_unknown_fields=True, frozen=True):
    """A case of heatproof: see docs/cases.md."""

    schema: Literal[2]
    heatproof: Text
    title: Text
    origin: Text
    design: _Design
    expectation: Expectation
    expected: _Expected | None
    scenario: _Scenario
    deviations: list[_Deviation] | None
    schedule: list[_Action]


class _Case1(Struct, forbid_unknown_fields=True, frozen=True):
    """Schema 1: no step ids, no deviations, and every case was one that fails."""

    schema: Literal[1]
    heatproof: Text
    title: Text
    design: Name
    scenario: _Scenario
    schedule: list[tuple[Text, Text, Text]]
    expected: _Expected | None = None
    origin: Text = ""


class _Version(Struct):
    schema: int


class Case(NamedTuple):
    """A scenario and a schedule (the actions by name) for a design, and what is expected of it.

    - ``design``: as ``heatproof check`` takes it. ``FILE.py:Class`` is a name here; nothing is imported for it.
    - ``expected``: (property, kind of witness) of the failure; None: any.
    - ``expectation``: ``fails``: the design shows that failure; ``holds``: it must not.
    - ``steps``: the design's step id that each action of the schedule did, "" for none; empty where nobody noted them.
    - ``deviations``: of the schedule from the default policy; None where nobody noted them.
    - ``origin``: where it came from: a commit, a bug number. ``heatproof``: the version that wrote the file.
    """

    title: str
    design: str
    scenario: Scenario
    schedule: tuple[Action, ...]
    expected: tuple[str, str] | None = None
    origin: str = ""
    heatproof: str = ""
    expectation: Expectation = "fails"
    steps: tuple[str, ...] = ()
    deviations: tuple[Deviation, ...] | None = None


# ------------------------------------------------------------------------------------------------------------- writing


def dump(case: Case, version: str) -> str:
    """The text of the file of a case. Raises :class:`HeatproofError` for a text that no file can hold."""
    steps = case.steps or ("",) * len(case.schedule)
    name, changes = case_checks.parts(case.design)
    raw = _Case(
        schema=SCHEMA,
        heatproof=version,
        title=case.title,
        origin=case.origin,
        design=_Design(name, changes),
        expectation=case.expectation,
        expected=None if case.expected is None else _Expected(*case.expected),
        scenario=_scenario_out(case.scenario),
        deviations=None if case.deviations is None else [_deviation_out(d) for d in case.deviations],
        schedule=[_Action(a.kind, a.subject, a.detail, step) for a, step in zip(case.schedule, steps, strict=True)],
    )
    plain = msgspec.to_builtins(raw)
    plain["schedule"] = [_trimmed(action) for action in plain["schedule"]]
    for deviation in plain["deviations"] or ():
        deviation["instead_of"] = _trimmed(deviation["instead_of"], defaults=("", 1))
        deviation["do"] = _trimmed(deviation["do"])
    text = "\n".join(_laid_out("", plain, "")) + "\n"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise HeatproofError(f"a case cannot hold {text[error.start]!r}, which is half of a character") from error
    return text


def _trimmed(items: list[Any], defaults: tuple[Any, ...] = ("",)) -> list[Any]:
    while len(items) > 2 and items[-1] in defaults:
        items = items[:-1]
    return items


def _laid_out(head: str, value: Any, indent: str) -> Iterator[str]:
    """The lines of a value: on one line what fits there, else a line for each of its parts."""
    line = f"{indent}{head}{json.dumps(value, ensure_ascii=False)}"
    if not isinstance(value, dict | list) or not value or (indent and len(line) <= WIDTH):
        yield line
        return
    brackets = "{}" if isinstance(value, dict) else "[]"
    yield f"{indent}{head}{brackets[0]}"
    parts = (
        [(f"{json.dumps(k, ensure_ascii=False)}: ", v) for k, v in value.items()]
        if isinstance(value, dict)
        else [("", v) for v in value]
    )
    for number, (part, inner) in enumerate(parts, 1):
        *lines, last = _laid_out(part, inner, indent + " ")
        yield from lines
        yield last + ("," if number < len(parts) else "")
    yield f"{indent}{brackets[1]}"


def json_schema() -> str:
    """The JSON Schema of the files that :func:`dump` writes, as text."""
    schema = _dedented(msgspec.json.schema(_Case))
    text = json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "heatproof case", **schema}, indent=1)
    return text.replace("/_", "/").replace('"_', '"') + "\n"


def _dedented(part: Any) -> Any:
    """Part of a schema. Of the lines of a docstring Python leaves the indentation up to 3.12."""
    if isinstance(part, list):
        return list(map(_dedented, part))
    if not isinstance(part, dict):
        return part
    return {name: cleandoc(value) if name == "description" else _dedented(value) for name, value in part.items()}


# ------------------------------------------------------------------------------------------------------------- reading


def read(path: Path) -> Case:
    """The case in a file. Raises :class:`HeatproofError` that says where in the file what is wrong, and what to do."""
    try:
        # one in a folder of cases would be waited for; /dev/fd/63 is what is meant to be read
        if path.suffix == ".json" and path.is_fifo():
            raise HeatproofError(f"cannot read {path}: it is a pipe, and nobody may ever write to it; put a file there")
        with path.open("rb") as file:
            data = file.read(LIMIT + 1)
    except OSError as error:
        raise HeatproofError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:  # a name that no file can have
        raise HeatproofError(f"cannot read {str(path)!r}: {error}") from error
    if len(data) > LIMIT:
        raise HeatproofError(f"{path} is no case: it has more than the {LIMIT} bytes a case may have")
    return load(data, str(path))


def load(data: bytes, place: str) -> Case:
    """The case in the bytes of a file called ``place``, of this schema or of the one before. Raises :class:`HeatproofError`."""
    if data.startswith(BOM_UTF8):
        raise HeatproofError(f"{place} is no case: it begins with a byte order mark; store it as UTF-8 without one")
    try:
        data.decode()
        version = msgspec.json.decode(data, type=_Version).schema
    except UnicodeDecodeError as error:
        raise HeatproofError(f"{place} is no case: it is not UTF-8 from {place_of(data, error.start)} on") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise HeatproofError(f"{place} is no case: {in_one_line(told(error, data))}") from error
    if version not in (1, SCHEMA):
        newer = "; a newer heatproof has written it: update this one" if version > SCHEMA else ""
        shown = str(version) if len(str(version)) <= 40 else f"{str(version)[:40]}..."
        raise HeatproofError(
            f"{place}: cases of schema {shown} cannot be read by this heatproof, which reads 1 and {SCHEMA}{newer}"
        )
    shape: type[_Case] | type[_Case1] = _Case if version == SCHEMA else _Case1
    try:
        raw = msgspec.json.decode(data, type=shape)
    except (msgspec.DecodeError, RecursionError) as error:
        said = told(error, data, lambda raw: _trouble(raw, shape))
        if said.endswith("`$.schema`"):  # another one than was read before
            said = case_checks.twice(data) or said
        raise HeatproofError(f"{place} is a broken case: {in_one_line(said)}") from error
    try:
        case_checks.refuse_twice(data)
        case = _case_in(raw)
        case_checks.refuse_unknown(case)
    except HeatproofError as error:
        raise HeatproofError(f"{place} is a broken case: {in_one_line(str(error))}") from error
    return case


def _trouble(raw: Any, shape: Any) -> str:
    """What is wrong with JSON that was changed after it was read; "" for nothing."""
    try:
        msgspec.json.decode(msgspec.json.encode(raw), type=shape)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


# ---------------------------------------------------------------------------------------------- from and to the structs


def _case_in(raw: _Case | _Case1) -> Case:
    scenario = _scenario_in(raw.scenario)
    expected = None if raw.expected is None else (raw.expected.property, raw.expected.witness)
    if isinstance(raw, _Case1):
        schedule = tuple(Action(*action) for action in raw.schedule)
        return Case(raw.title, raw.design, scenario, schedule, expected, raw.origin, raw.heatproof)
    return Case(
        raw.title,
        case_checks.spec(raw.design.name, raw.design.changes),
        scenario,
        tuple(_action_in(a) for a in raw.schedule),
        expected,
        raw.origin,
        raw.heatproof,
        raw.expectation,
        tuple(a.step for a in raw.schedule) if any(a.step for a in raw.schedule) else (),
        None if raw.deviations is None else tuple(_deviation_in(d) for d in raw.deviations),
    )


def _action_in(raw: _Action) -> Action:
    return Action(raw.kind, raw.subject, raw.detail)


def _deviation_in(raw: _Deviation) -> Deviation:
    a = raw.instead_of
    return Deviation(Anchor(a.kind, a.subject, a.life, a.step, a.time), _action_in(raw.do))


def _deviation_out(deviation: Deviation) -> _Deviation:
    a = deviation.anchor
    return _Deviation(_Anchor(a.kind, a.subject, a.step, a.life, a.time), _Action(*deviation.instead))


def _scenario_out(scenario: Scenario) -> _Scenario:
    return _Scenario(
        operations=[
            _Operation(
                o.kind,
                None if o.template is None else _template_out(o.template),
                o.resource,
                o.rollback,
                o.timeout,
                intern(o.stack),
            )
            for o in scenario.operations
        ],
        engines=scenario.scope.engines,
        threads=scenario.scope.threads,
        reorder=scenario.scope.reorder,
        faults=dict(scenario.faults),
    )


def _template_out(template: Template) -> dict[str, _Resource]:
    return {
        d.name: _Resource(
            {k: _value_out(v) for k, v in d.in_place}, {k: _value_out(v) for k, v in d.replace},
            list(d.depends_on), intern(d.kind), list(d.fails),
        )
        for d in template.resources
    }  # fmt: skip


def _value_out(value: Plain | Ref | Attr) -> _Value:
    if isinstance(value, Ref):
        return _Ref(value.resource)
    if isinstance(value, Attr):
        return _Attr(value.resource, value.attribute)
    return value


def _value_in(value: _Value) -> Plain | Ref | Attr:
    if isinstance(value, _Ref):
        return Ref(value.resource)
    if isinstance(value, _Attr):
        return Attr(value.resource, value.attribute)
    return value


def _resource_in(name: str, raw: _Resource) -> ResourceDef:
    return resource(
        name, {k: _value_in(v) for k, v in raw.in_place.items()}, {k: _value_in(v) for k, v in raw.replace.items()},
        raw.depends_on, raw.kind, raw.fails,
    )  # fmt: skip


def _scenario_in(raw: _Scenario) -> Scenario:
    operations = []
    for number, o in enumerate(raw.operations):
        try:
            template = None if o.template is None else Template(_resource_in(name, r) for name, r in o.template.items())
        except HeatproofError as error:
            raise HeatproofError(f"{error} - at `$.scenario.operations[{number}].template`") from error
        operations.append(Operation(o.kind, template, o.resource, o.rollback, o.timeout, o.stack))
    case_checks.refuse_faults(raw.faults)
    try:
        return Scenario(tuple(operations), Scope(raw.engines, raw.threads, raw.reorder), raw.faults)
    except HeatproofError as error:
        raise HeatproofError(f"{error} - at `$.scenario.operations`") from error
