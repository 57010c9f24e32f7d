"""Cases: a scenario and a schedule with the violation expected of a design, as one JSON file. The only module that knows msgspec.

Files are data: decoded strictly against the structs below, checked, never evaluated.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, Struct

from heatproof.model.errors import HeatproofError
from heatproof.model.faults import refuse_unknown
from heatproof.model.scenario import Operation, Scenario, Scope
from heatproof.model.templates import Attr, Plain, Ref, ResourceDef, Template, resource
from heatproof.model.world import Action

SCHEMA = 1
LIMIT = 20_000_000
"""Bytes; a larger file is no case."""

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]


class _Ref(Struct, forbid_unknown_fields=True, tag_field="get", tag="resource", frozen=True):
    resource: Name


class _Attr(Struct, forbid_unknown_fields=True, tag_field="get", tag="attribute", frozen=True):
    resource: Name
    attribute: Name


_Value = _Ref | _Attr | str | int | bool | None


class _Resource(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    in_place: dict[str, _Value] = {}
    replace: dict[str, _Value] = {}
    depends_on: list[Name] = []
    kind: Name = "thing"
    fails: list[Name] = []


class _Operation(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    kind: Name
    template: dict[str, _Resource] | None = None
    resource: Name | None = None
    rollback: bool = False
    timeout: bool = False
    stack: Name = "S"


class _Scenario(Struct, forbid_unknown_fields=True, frozen=True):
    operations: list[_Operation]
    engines: Annotated[int, Meta(ge=1, le=100)]
    threads: Annotated[int, Meta(ge=1, le=100)]
    reorder: bool
    faults: dict[str, Count]


class _Expected(Struct, forbid_unknown_fields=True, frozen=True):
    property: str
    witness: str


class _Case(Struct, forbid_unknown_fields=True, frozen=True):
    schema: int
    heatproof: str
    title: str
    design: Name
    scenario: _Scenario
    schedule: list[tuple[str, str, str]]
    expected: _Expected | None = None
    origin: str = ""


class _Version(Struct):
    schema: int


class Case(NamedTuple):
    """A scenario and a schedule (the actions by name) for a design, and the failure expected: (property, kind of witness)."""

    title: str
    design: str
    scenario: Scenario
    schedule: tuple[Action, ...]
    expected: tuple[str, str] | None = None
    origin: str = ""
    heatproof: str = ""


def dump(case: Case, version: str) -> str:
    """The text of the file of a case."""
    raw = _Case(
        schema=SCHEMA,
        heatproof=version,
        title=case.title,
        design=case.design,
        scenario=_scenario_out(case.scenario),
        schedule=[(a.kind, a.subject, a.detail) for a in case.schedule],
        expected=None if case.expected is None else _Expected(*case.expected),
        origin=case.origin,
    )
    return msgspec.json.format(msgspec.json.encode(raw), indent=1).decode() + "\n"


def read(path: Path) -> Case:
    """The case in a file. Raises :class:`HeatproofError` that says where in the file what is wrong, and what to do."""
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT + 1)
    except OSError as error:
        raise HeatproofError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > LIMIT:
        raise HeatproofError(f"{path} is no case: it has more than the {LIMIT} bytes a case may have")
    return load(data, str(path))


def load(data: bytes, place: str) -> Case:
    """The case in the bytes of a file called ``place``. Raises :class:`HeatproofError`."""
    try:
        data.decode()
        version = msgspec.json.decode(data, type=_Version).schema
    except UnicodeDecodeError as error:
        raise HeatproofError(f"{place} is no case: it is not UTF-8 from byte {error.start} on") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise HeatproofError(f"{place} is no case: {error}") from error
    if version != SCHEMA:
        raise HeatproofError(f"{place}: cases of schema {version} cannot be read by this heatproof, which reads schema {SCHEMA}")
    try:
        raw = msgspec.json.decode(data, type=_Case)
        scenario = _scenario_in(raw.scenario)
    except (msgspec.DecodeError, RecursionError, HeatproofError) as error:
        raise HeatproofError(f"{place} is a broken case: {error}") from error
    schedule = tuple(Action(*action) for action in raw.schedule)
    expected = None if raw.expected is None else (raw.expected.property, raw.expected.witness)
    return Case(raw.title, raw.design, scenario, schedule, expected, raw.origin, raw.heatproof)


def _scenario_out(scenario: Scenario) -> _Scenario:
    return _Scenario(
        operations=[
            _Operation(
                o.kind, None if o.template is None else _template_out(o.template), o.resource, o.rollback, o.timeout, o.stack
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
            list(d.depends_on), d.kind, list(d.fails),
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
    operations = tuple(
        Operation(
            o.kind,
            None if o.template is None else Template(_resource_in(name, r) for name, r in o.template.items()),
            o.resource, o.rollback, o.timeout, o.stack,
        )
        for o in raw.operations
    )  # fmt: skip
    refuse_unknown(raw.faults)
    return Scenario(operations, Scope(raw.engines, raw.threads, raw.reorder), raw.faults)
