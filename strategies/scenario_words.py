"""A scenario in the words of Heat's convergence tests.

The language has four operations, one class of resource with six properties, and no faults. Where a scenario says the same thing
in other words (a property of another name, another value, a change of class) it is put into these words; what is a condition that
may not matter (rollback on failure, a time limit) is left out and noted; what cannot be said raises :class:`Inexpressible`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from heatproof.model.scenario import Operation, Scenario, Scope
from heatproof.model.templates import Attr, Plain, Ref, ResourceDef, Template, Value, resource

OPERATIONS = ("create", "update", "delete", "rollback")
IN_PLACE, REPLACE = ("a", "b", "c", "ca"), ("!a", "!b")
"""The properties of the one class that Heat's framework has. What is equal to a name is the default value of that property. Of the
first of each there is an attribute."""

_STACK = re.compile(r"[a-zA-Z][a-zA-Z0-9_.-]{0,254}")
_CLASS = "class"  # the group of the property that stands for the class


class Inexpressible(Exception):
    """The language of Heat's scenarios cannot express this; the text says why, in a sentence or two."""


class Wording(NamedTuple):
    """A scenario in the words of the language; ``notes`` say what stands for what, ``left_out`` what the language cannot say."""

    scenario: Scenario
    notes: tuple[str, ...]
    left_out: tuple[str, ...]


def word(scenario: Scenario) -> Wording:
    """Put a scenario into the words of the language. Raises :class:`Inexpressible`."""
    _refuse(scenario)
    return _Words(scenario).wording()


def printable(text: str) -> str:
    """``text`` in one line of characters that can be printed: what cannot be is written as Python writes it in a literal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _refuse(scenario: Scenario) -> None:
    if kinds := sorted({o.kind for o in scenario.operations} - set(OPERATIONS)):
        raise Inexpressible(f"The language has no word for {_listed('operation', kinds)}.")
    if scenario.faults:
        raise Inexpressible(f"The language has no word for {_listed('fault', scenario.faults)}.")
    for definition in _definitions(scenario):
        if definition.fails:
            raise Inexpressible(
                f"The language has no word for a resource that fails to {definition.fails[0]}, as {definition.name!r:.80} does."
            )


def _listed(what: str, names: Iterable[str]) -> str:
    quoted = [repr(name) for name in names]
    return f"the {what}{'s' if len(quoted) > 1 else ''} {' and '.join(quoted)}"


def _definitions(scenario: Scenario) -> Iterable[ResourceDef]:
    return (d for o in scenario.operations if o.template is not None for d in o.template.resources)


class _Words:
    """The words for one scenario: names, properties and values, each thing with one word and each word for one thing."""

    def __init__(self, scenario: Scenario):
        self.scenario = scenario
        self.notes: list[str] = []
        self.values: dict[tuple[str, Plain], str] = {}
        self.names: dict[str, str] = {}
        self.stacks: dict[str, str] = {}
        for name in sorted({d.name for d in _definitions(scenario)}):
            self.names[name] = self._unused(_safe(name).replace("/", "_"), self.names, "resource", name)
        for stack in sorted({o.stack for o in scenario.operations}):
            plain = stack if _STACK.fullmatch(stack) else "stack"
            self.stacks[stack] = self._unused(plain, self.stacks, "stack", stack)
        self.slots = {name: self._slots(name) for name in self.names}

    def wording(self) -> Wording:
        """The scenario in these words."""
        left_out = []
        if any(o.rollback for o in self.scenario.operations):
            left_out.append("rollback on failure")
        if any(o.timeout for o in self.scenario.operations):
            left_out.append("a time limit")
        operations = tuple(
            Operation(o.kind, None if o.template is None else self._template(o.template), stack=self.stacks[o.stack])
            for o in self.scenario.operations
        )
        return Wording(Scenario(operations, Scope(1, 1, reorder=False)), tuple(self.notes), tuple(left_out))

    def _unused(self, base: str, used: dict[str, str], what: str, original: str) -> str:
        word, number = base, 1
        while word in used.values() or (word != original and word in self._taken(what)):
            number += 1
            word = f"{base}_{number}"
        if word != original:
            self.notes.append(f"{word!r} stands for the {what} {original!r}")
        return word

    def _taken(self, what: str) -> set[str]:
        if what == "resource":
            return {d.name for d in _definitions(self.scenario)}
        return {o.stack for o in self.scenario.operations}

    def _slots(self, name: str) -> dict[tuple[str, str], str]:
        """The property of Heat's class for each property (group, name) of the definitions of ``name``."""
        templates = [o.template for o in self.scenario.operations if o.template is not None]
        own = [d for t in templates if (d := t.get(name)) is not None]
        read = {a for t in templates for a in t.attributes_read.get(name, ())}
        in_place = {prop for d in own for prop, _ in d.in_place}
        replace = {prop for d in own for prop, _ in d.replace}
        in_place |= read - replace
        slots = {
            ("in place", p): s for p, s in self._assign(name, in_place, read, IN_PLACE, "that can be changed in place").items()
        }
        classes = {_CLASS} if len({d.kind for d in own}) > 1 else set()
        assigned = self._assign(name, replace, read, REPLACE, "whose change forces a replacement", len(classes))
        slots |= {("replace", p): s for p, s in assigned.items()}
        if classes:
            slots[_CLASS, ""] = next(s for s in reversed(REPLACE) if s not in assigned.values())
            self.notes.append(f"the property {slots[_CLASS, '']!r} of {self.names[name]!r} stands for its class: there is one only")
        for (_, prop), slot in sorted(slots.items()):
            if prop not in ("", slot):
                self.notes.append(f"the property {slot!r} of {self.names[name]!r} stands for {prop!r}")
        return slots

    def _assign(
        self, name: str, props: set[str], read: set[str], slots: tuple[str, ...], sort: str, reserved: int = 0
    ) -> dict[str, str]:
        if len(props) + reserved > len(slots):
            raise Inexpressible(
                f"Resource {name!r:.80} needs {len(props) + reserved} properties {sort}; the language has {len(slots)}."
            )
        wanted = sorted(props & read)
        if len(wanted) > 1:
            raise Inexpressible(f"{len(wanted)} attributes of resource {name!r:.80} {sort} are read; the language has one.")
        found = dict.fromkeys(wanted, slots[0])
        for prop in sorted(props - set(wanted), key=lambda p: (p not in slots, p)):  # those that have a name of the language first
            free = [slot for slot in slots if slot not in found.values()]
            found[prop] = prop if prop in free else free[0]
        return found

    def _template(self, template: Template) -> Template:
        return Template(self._definition(template, d) for d in template.resources)

    def _definition(self, template: Template, d: ResourceDef) -> ResourceDef:
        slots = self.slots[d.name]
        in_place = {slots["in place", prop]: self._value(template, value) for prop, value in d.in_place}
        replace = {slots["replace", prop]: self._value(template, value) for prop, value in d.replace}
        if (_CLASS, "") in slots:
            replace[slots[_CLASS, ""]] = self._text(d.kind)
        return resource(self.names[d.name], in_place, replace, [self.names[other] for other in d.depends_on])

    def _value(self, template: Template, value: Value) -> Value:
        if isinstance(value, Ref):
            return Ref(self.names[value.resource])
        if isinstance(value, Attr):
            slots = self.slots[value.resource]
            replaces = value.attribute in dict(template[value.resource].replace)
            return Attr(self.names[value.resource], slots["replace" if replaces else "in place", value.attribute])
        return self._text(value)

    def _text(self, value: Plain) -> str:
        """A text for a value, none that Heat would take for the default: its properties are text."""
        key = (type(value).__name__, value)
        if key not in self.values:
            text = _safe(str(value))
            while not text or text in self.values.values() or text in (*IN_PLACE, *REPLACE):
                text += "_"
            if text != str(value):
                self.notes.append(f"the value {text!r} stands for {value!r}")
            self.values[key] = text
        return self.values[key]


def _safe(text: str) -> str:
    return text if all(c.isprintable() or c in "\t\n" for c in text) else printable(text)


__all__ = ["Inexpressible", "Wording", "printable", "word"]
