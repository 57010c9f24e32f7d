"""The language of Heat's convergence scenarios: what a scenario file may name, and what it comes to.

A scenario file is a script that is run once, from top to bottom, and only *queues* messages. ``engine.create_stack``,
``update_stack``, ``delete_stack`` and ``rollback_stack`` queue an operation, ``engine.call(f, ...)`` a call of a function, and
``engine.noop(n)`` n turns in which the engine does nothing, while the worker processes n messages. :mod:`scenario_files` takes
what is queued to its end. The files of Heat's prototype of 2014 call the worker ``converger``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from heatproof.model import templates
from heatproof.model.errors import HeatproofError, ScenarioError, TemplateError
from heatproof.model.scenario import Operation
from heatproof.strategies import scenario_script
from heatproof.strategies.scenario_checks import Assertions, Reality, Thing, verify
from heatproof.strategies.scenario_interpreter import Interpreter
from heatproof.strategies.scenario_script import Script

QUEUED = 2_000
"""The most messages that a script may queue."""

_NAME = re.compile(r"\w[\w.-]*")


class GetRes:
    """The id of another resource."""

    script_face = frozenset({"target_name"})

    def __init__(self, target_name: str):
        self.target_name = target_name

    def __repr__(self) -> str:
        return f"GetRes({self.target_name!r})"


class GetAtt(GetRes):
    """An attribute of another resource: attribute ``a`` is the value of its property ``a``."""

    script_face = frozenset({"target_name", "attr"})

    def __init__(self, target_name: str, attr: str):
        super().__init__(target_name)
        self.attr = attr

    def __repr__(self) -> str:
        return f"GetAtt({self.target_name!r}, {self.attr!r})"


class RsrcDef:
    """A resource definition. A property with ``!`` in its name cannot be changed in place: the resource is replaced."""

    script_face = frozenset({"properties", "depends_on"})

    def __init__(self, properties: Mapping[str, Any], depends_on: Iterable[str]):
        self.properties = properties
        self.depends_on = [depends_on] if isinstance(depends_on, str) else depends_on

    def definition(self, name: str) -> templates.ResourceDef:
        """The model's definition of it, under this name. Raises :class:`TemplateError`."""
        if not isinstance(self.properties, dict):
            raise TemplateError(f"resource {name!r}: the properties are a dict, not {self.properties!r}")
        if not isinstance(self.depends_on, list | tuple) or not all(isinstance(other, str) for other in self.depends_on):
            raise TemplateError(f"resource {name!r}: what it depends on is a list of names, not {self.depends_on!r}")
        values = {_named("property", prop): _value(name, prop, value) for prop, value in self.properties.items()}
        in_place = {prop: value for prop, value in values.items() if "!" not in prop}
        replace = {prop: value for prop, value in values.items() if "!" in prop}
        return templates.resource(name, in_place, replace, self.depends_on)


def _value(name: str, prop: str, value: object) -> templates.Value:
    match value:
        case GetAtt(target_name=str(target), attr=str(attribute)):
            return templates.Attr(target, attribute)
        case GetRes(target_name=str(target)) if type(value) is GetRes:
            return templates.Ref(target)
        case str() | int() | None:
            return value
    raise TemplateError(f"resource {name!r}: property {prop!r} is {value!r}; it can be text, a number, None, GetRes or GetAtt")


class Template:
    """Resource definitions by name. ``goal`` is the model's template. Raises :class:`TemplateError` where no stack could be so."""

    script_face = frozenset({"resources", "key"})

    def __init__(self, resources: Mapping[str, RsrcDef] | None = None, key: object = None):
        if not isinstance(resources, Mapping | None):
            raise TemplateError(f"a template is made of a dictionary of resources by name, not of {resources!r:.80}")
        self.resources: dict[str, RsrcDef] = dict(resources or {})
        self.key = key
        for name, definition in self.resources.items():
            _named("resource", name)
            if not isinstance(definition, RsrcDef):
                raise TemplateError(f"resource {name!r} is {definition!r}, not RsrcDef(properties, depends_on)")
        self.goal = templates.Template(definition.definition(name) for name, definition in self.resources.items())

    def __repr__(self) -> str:
        return f"Template({', '.join(self.resources)})"


def _named(what: str, name: object) -> str:
    if what == "resource":  # Heat's own rule
        if not isinstance(name, str) or not name or "/" in name or len(name) > 255:
            raise TemplateError(f"the name of a resource is text of 1 to 255 characters without '/': {name!r:.80} will not do")
        return name
    if not isinstance(name, str) or not _NAME.fullmatch(name.removeprefix("!") if what == "property" else name):
        raise TemplateError(f"the name of a {what} is made of letters, digits, '_', '-' and '.': {name!r} will not do")
    return name


class Queued(NamedTuple):
    """A message that a script has queued: in which line, and the number of an operation (from 1), or a call, or turns to wait."""

    line: int
    operation: int = 0
    call: Callable[[], object] | None = None
    turns: int = 0


class Process:
    """``worker``: what is queued for it comes before whatever the engine sends it, as in Heat's framework."""

    script_face = frozenset({"noop", "call"})

    def __init__(self, line: Callable[[], int]):
        self.queue: list[Queued] = []
        self.open = True
        self._line = line

    def put(self, **what: Any) -> None:
        """Queue a message."""
        if not self.open:
            raise ScenarioError("too late to queue a message: only the script itself can, not a function that is called")
        if len(self.queue) >= QUEUED:
            raise ScenarioError(f"more than {QUEUED} messages are queued")
        self.queue.append(Queued(self._line(), **what))

    def noop(self, count: int = 1) -> None:
        """For ``count`` turns, at least one, this process does nothing."""
        if not isinstance(count, int):
            raise ScenarioError(f"noop takes a number of turns, not {count!r}")
        self.put(turns=max(1, count))

    def call(self, func: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        """In one turn, call ``func``."""
        if not callable(func):
            raise ScenarioError(f"call takes a function and its arguments, not {func!r}")
        self.put(call=partial(func, *args, **kwargs))


class Engine(Process):
    """``engine``: queues operations too; ``operations`` holds them in order."""

    script_face = frozenset({"noop", "call", "create_stack", "update_stack", "delete_stack", "rollback_stack"})

    def __init__(self, line: Callable[[], int]):
        super().__init__(line)
        self.operations: list[Operation] = []

    def create_stack(self, stack_name: str, scenario_tmpl: Template) -> None:
        """Create a stack."""
        if any(operation.stack == stack_name for operation in self.operations):
            raise ScenarioError(f"stack {stack_name!r} is created twice; update it, or give the second one another name")
        self._ask("create", _named("stack", stack_name), scenario_tmpl)

    def update_stack(self, stack_name: str, scenario_tmpl: Template) -> None:
        """Update a stack."""
        self._ask("update", stack_name, scenario_tmpl)

    def delete_stack(self, stack_name: str) -> None:
        """Delete a stack."""
        self._ask("delete", stack_name)

    def rollback_stack(self, stack_name: str) -> None:
        """Roll a stack back, whatever it is doing."""
        self._ask("rollback", stack_name)

    def _ask(self, kind: str, stack: str, template: Template | None = None) -> None:
        if kind in ("create", "update") and not isinstance(template, Template):
            raise ScenarioError(f"{kind}_stack takes a name and a Template, not {template!r}")
        if kind != "create" and all(operation.stack != stack for operation in self.operations):
            raise ScenarioError(f"{kind}_stack({stack!r}) comes before create_stack({stack!r})")
        self.put(operation=len(self.operations) + 1)
        self.operations.append(Operation(kind, template.goal if template is not None else None, stack=stack))


_CLASSES = (GetRes, GetAtt, RsrcDef, Template, Process, Engine, Reality, Thing, Assertions)
NAMES = ("engine", "worker", "converger", "reality", "test", "verify", "Template", "RsrcDef", "GetRes", "GetAtt")
"""What a scenario file may name, besides a few functions of Python."""


class ScenarioFile:
    """A scenario file whose script has run: what it has queued. Raises :class:`HeatproofError` for a file that is no scenario."""

    def __init__(self, script: Script):
        self.script = script
        self.reality = Reality()
        self.test = Assertions(self.reality)
        self.engine = Engine(self._line)
        self.worker = Process(self._line)
        given = {
            "engine": self.engine, "worker": self.worker, "converger": self.worker, "reality": self.reality, "test": self.test,
            "verify": self._verify, "Template": Template, "RsrcDef": RsrcDef, "GetRes": GetRes, "GetAtt": GetAtt,
        }  # fmt: skip
        self.interpreter = Interpreter(script, given)
        self.interpreter.run()
        self.engine.open = self.worker.open = False
        if not self.engine.operations:
            raise HeatproofError(f"{script.path}: this is no scenario: it asks nothing of the engine")

    def _line(self) -> int:
        return self.interpreter.line

    def _verify(self, tmpl: Template) -> None:
        if not isinstance(tmpl, Template):
            raise ScenarioError(f"verify takes a Template, not {tmpl!r}")
        verify(self.test, self.reality, tmpl.goal)


def read(path: Path) -> ScenarioFile:
    """Read, check and run the script of a scenario file. Raises :class:`HeatproofError` with file and line of what is wrong."""
    return ScenarioFile(scenario_script.read(path, NAMES, ATTRIBUTES))


def parse(path: Path, content: bytes) -> ScenarioFile:
    """The same for a text that is at hand; ``path`` is for the messages."""
    return ScenarioFile(scenario_script.parse(path, content, NAMES, ATTRIBUTES))


ATTRIBUTES: frozenset[str] = frozenset(name for cls in _CLASSES for name in cls.script_face)
"""Every attribute that a scenario file may name, besides those of Python's own values."""
