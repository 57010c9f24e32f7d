"""Templates of the model as templates of Heat, and back.

All properties of a resource stand in two maps, one that can be changed in place and one whose change forces a replacement, so that any
names will do. ``fails`` goes in with the first. The resource class becomes the last part of the resource type. Nothing is left out: what is read
back is equal to what was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heatproof.model.templates import Attr, Ref, ResourceDef, Template, Value

VERSION = "2021-04-16"
PREFIX = "Heatproof::"
IN_PLACE, REPLACE, FAILS = "in_place", "replace", "fails"
ATTRIBUTE = "values"


def write(template: Template) -> dict[str, Any]:
    """A HOT template."""
    return {"heat_template_version": VERSION, "resources": {r.name: _resource(r) for r in template.resources}}


def _resource(definition: ResourceDef) -> dict[str, Any]:
    properties: dict[str, Any] = {
        IN_PLACE: {name: _value(v) for name, v in definition.in_place},
        REPLACE: {name: _value(v) for name, v in definition.replace},
    }
    if definition.fails:
        properties[FAILS] = list(definition.fails)
    made: dict[str, Any] = {"type": type_of(definition.kind), "properties": properties}
    if definition.depends_on:
        made["depends_on"] = list(definition.depends_on)
    return made


def type_of(kind: str) -> str:
    """The resource type of a resource class."""
    return PREFIX + kind


def _value(value: Value) -> Any:
    if isinstance(value, Ref):
        return {"get_resource": value.resource}
    if isinstance(value, Attr):
        return {"get_attr": [value.resource, ATTRIBUTE, value.attribute]}
    return value


def read(content: Mapping[str, Any]) -> Template:
    """The template that :func:`write` has written so; also Heat's own empty template."""
    return Template(read_resource(name, snippet) for name, snippet in (content.get("resources") or {}).items())


def read_resource(name: str, snippet: Mapping[str, Any]) -> ResourceDef:
    """One resource definition."""
    properties = snippet.get("properties") or {}
    return ResourceDef(
        name,
        tuple(sorted((n, _read(v)) for n, v in (properties.get(IN_PLACE) or {}).items())),
        tuple(sorted((n, _read(v)) for n, v in (properties.get(REPLACE) or {}).items())),
        tuple(sorted(snippet.get("depends_on") or ())),
        str(snippet["type"]).removeprefix(PREFIX),
        tuple(sorted(properties.get(FAILS) or ())),
    )


def _read(value: Any) -> Value:
    if isinstance(value, Mapping):
        if "get_resource" in value:
            return Ref(value["get_resource"])
        if "get_attr" in value:
            return Attr(value["get_attr"][0], value["get_attr"][2])
    plain: Value = value
    return plain
