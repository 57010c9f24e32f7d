"""What properties say of the states of the plain interpreter: they are asked as the documentation says, of an observation made of such a state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from heatproof.model import effects as fx
from heatproof.model.observation import Change, Request
from heatproof.properties.base import Property
from tests.proving.plain_state import Answer, State

ASPECTS = {"cell": "resource"}
"""Tables that are told under another name."""


class Seen:
    """A state as properties see it."""

    def __init__(self, state: State, plainly: Any):
        self.state = state
        self.resources, self.pairs = _sorted(state.rows["cell"]), _sorted(state.rows.get("pair", {}))
        self.reality, self.tasks, self.engines = _sorted(state.things), _sorted(state.tasks), state.idle
        struck = {kind: count - state.faults[kind] for kind, count in plainly.budget.items()}
        self.faults = _sorted({kind: count for kind, count in struck.items() if count})
        operations = plainly.scenario.operations
        self.requests = [Request(number, operations[number - 1], *answer) for number, answer in sorted(state.requests.items())]
        self.places = {**state.rows, "reality": state.things, "request": state.requests}

    @property
    def memory(self) -> dict[Any, Any]:
        """What is remembered so far."""
        return _sorted(self.state.memory)

    def remember(self, name: Any, value: Any) -> None:
        """Part of the state from now on."""
        self.state.memory[name] = value


def _sorted(entries: dict[Any, Any]) -> dict[Any, Any]:
    return dict(sorted(entries.items()))


def ask(state: State, plainly: Any, properties: Iterable[Property]) -> None:
    """Ask the properties what they say of the action that has led to a state; ``state.found`` has it: kinds of violations, and situations."""
    seen = Seen(state, plainly)
    for aspect, key, old in state.changes:
        change = Change(ASPECTS.get(aspect, aspect), key, old, seen.places[aspect].get(key))
        for prop in properties:
            if prop.check is None or not {aspect, change.aspect} & prop.watches or prop.expectation not in ("always", "sometimes"):
                continue
            answer = prop.check(seen, change)
            if prop.expectation == "sometimes":
                state.found |= {prop.name} if answer else set()
            elif answer is not None and prop.asked(seen.faults, plainly.design.survives):
                state.found.add((prop.name, answer.kind))
    for prop in properties:
        if state.event in prop.seen:
            state.found.add(prop.name)


def ask_at_rest(state: State, plainly: Any, properties: Iterable[Property]) -> set[Any]:
    """What they say of a state at rest."""
    seen = Seen(state, plainly)
    at_rest = [prop for prop in properties if prop.expectation == "at rest" and prop.check is not None]
    asked = [prop for prop in at_rest if prop.asked(seen.faults, plainly.design.survives)]
    return {(prop.name, answer.kind) for prop in asked for answer in (prop.check(seen) if prop.check else ())}


def outcome(effect: Any, answer: Answer) -> str:
    """How an effect ended, in one word, where the documentation has a word for it."""
    value = answer.value
    if answer.raised:
        return type(value).__name__
    match effect:
        case fx.Read() | fx.Look():
            return "missing" if value is None else "found"
        case fx.Query():
            return "found" if value else "missing"
        case fx.Update() | fx.Delete():
            return "matched" if value else "lost"
        case fx.Probe():
            return "alive" if value else "dead"
        case fx.Finish():
            return str(value)
    return "done"
