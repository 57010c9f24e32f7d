"""What a case file may name: designs, properties, faults, resources, engines. A name that means nothing is told with its place in the file."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from heatproof.model import catalogue, faults
from heatproof.model.choosing import meant
from heatproof.model.errors import HeatproofError
from heatproof.model.faults import FAULTS
from heatproof.model.scenario import names_nothing
from heatproof.properties.catalogue import ALL

if TYPE_CHECKING:
    from heatproof.model.scenario import Scenario
    from heatproof.model.world import Action
    from heatproof.properties.base import Property
    from heatproof.reports.cases import Case

KINDS = ("step", "deliver", "operate", "settle", *FAULTS)
"""The kinds of actions a schedule may have."""


def parts(design: str) -> tuple[str, list[str]]:
    """A design as a user writes it, taken apart: its name and the mutations and repairs made to it, in order."""
    if catalogue.is_file(design):
        return design, []
    name, *changes = design.split("+")
    return name, changes


def spec(name: str, changes: Sequence[str]) -> str:
    """The design as a user writes it. Raises :class:`HeatproofError` for what nobody could write."""
    if catalogue.is_file(name) and changes:
        raise HeatproofError(
            f"the design {name!r} of a file has no changes to choose from; put a class there for each - at `$.design`"
        )
    if not catalogue.is_file(name) and any("+" in part or catalogue.is_file(part) for part in (name, *changes)):
        raise HeatproofError("the name of the design and each of its changes stand by themselves, without '+' - at `$.design`")
    return "+".join([name, *changes])


def refuse_twice(data: bytes) -> None:
    """Raise :class:`HeatproofError` if a key stands twice in one object of this JSON."""
    if said := twice(data):
        raise HeatproofError(said)


def twice(data: bytes) -> str:
    """Where a key stands twice in one object of this JSON, in words; "" if none does."""
    found = False

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal found
        made = dict(pairs)
        found = found or len(made) < len(pairs)
        return made

    json.loads(data, object_pairs_hook=once)
    return _second(data.decode()) if found else ""


def _second(text: str) -> str:
    """Where a key stands for the second time, in words."""
    keys: list[set[str]] = []
    for token in re.finditer(r'("(?:[^"\\]|\\.)*")(\s*:)?|[{}\[\]]', text):
        if token[0] in "{[":
            keys.append(set())
        elif token[0] in "}]":
            keys.pop()
        elif token[2]:
            key = json.loads(token[1])
            if key in keys[-1]:
                line, column = text.count("\n", 0, token.start()) + 1, token.start() - text.rfind("\n", 0, token.start())
                return f"key {token[1]} stands twice in one object, the second time in line {line}, column {column}; keep one"
            keys[-1].add(key)
    raise AssertionError("no key stands twice")


def refuse_faults(budget: Mapping[str, int]) -> None:
    """Raise :class:`HeatproofError` for a fault that does not exist."""
    try:
        faults.refuse_unknown(budget)
    except HeatproofError as error:
        raise HeatproofError(f"{error} - at `$.scenario.faults`") from error


def refuse_unknown(case: Case) -> None:
    """Raise :class:`HeatproofError` for the first name of a case that names nothing. What only a design in a file could tell (its
    properties) is left to whoever loads it."""
    front: str | None = None  # what is asked where, only a design that is loaded can tell
    if not catalogue.is_file(case.design):
        try:
            front = catalogue.load(case.design).front
        except HeatproofError as error:
            raise HeatproofError(f"{error} - at `$.design`") from error
        if case.expected is not None:
            refuse_expected(case.expected, ALL)
    _refuse_resources(case.scenario)
    _refuse_actions(case.scenario, front, case.schedule, "$.schedule[{}]")
    if case.deviations is not None:
        _refuse_actions(case.scenario, front, [d.instead for d in case.deviations], "$.deviations[{}].do")


def refuse_expected(expected: tuple[str, str], known: Mapping[str, Property]) -> None:
    """Raise :class:`HeatproofError` unless there is a property of that name, which can be violated, with such a witness."""
    name, kind = expected
    prop = known.get(name)
    if prop is None:
        raise HeatproofError(
            f"no property is called {name!r}{meant(name, known)}; 'heatproof properties' lists them - at `$.expected.property`"
        )
    if prop.expectation == "sometimes":
        raise HeatproofError(f"{name!r} is a situation to be reached, which no single run violates - at `$.expected.property`")
    if not prop.has_kind(kind):
        kinds = ", ".join(map(repr, prop.kinds)) + (" (* stands for any text)" if any("*" in one for one in prop.kinds) else "")
        raise HeatproofError(f"property {name!r} has no witness {kind!r}; it has {kinds} - at `$.expected.witness`")


def _refuse_resources(scenario: Scenario) -> None:
    if (found := names_nothing(scenario.operations)) is not None:
        number, operation, known = found
        raise HeatproofError(
            f"no template of stack {operation.stack!r} so far has a resource {operation.resource!r}"
            f" (they have {', '.join(sorted(known)) or 'none'}) - at `$.scenario.operations[{number}].resource`"
        )


def _refuse_actions(scenario: Scenario, front: str | None, actions: Sequence[Action], place: str) -> None:
    struck: Counter[str] = Counter()
    for number, action in enumerate(actions):
        at = place.format(number)
        if action.kind not in KINDS:
            raise HeatproofError(f"no action is called {action.kind!r}; known are {', '.join(KINDS)} - at `{at}[0]`")
        struck[action.kind] += 1
        if action.kind == "operate" and struck["operate"] > len(scenario.operations):
            raise HeatproofError(
                f"operation {struck['operate']} is asked, but the scenario has {len(scenario.operations)} - at `{at}`"
            )
        if action.kind in FAULTS and action.kind != "restart" and struck[action.kind] > scenario.faults.get(action.kind, 0):
            budget = scenario.faults.get(action.kind, 0)
            raise HeatproofError(
                f"fault {action.kind!r} strikes for the {_nth(struck[action.kind])} time, but the budget of the scenario is {budget}"
                f" - at `{at}`, `$.scenario.faults`"
            )
        if action.kind != "operate" or front == "":
            _refuse_engine(scenario, action, at)
        elif front is not None and action.detail != front:
            raise HeatproofError(f"operations of this design are asked at {front!r}, not {action.detail!r} - at `{at}[2]`")


def _refuse_engine(scenario: Scenario, action: Action, at: str) -> None:
    if action.kind in ("deliver", "operate"):
        name, where = action.detail, f"{at}[2]"
    elif action.kind in ("crash", "pause", "restart"):
        name, where = action.subject, f"{at}[1]"
    else:
        return
    found = re.fullmatch(r"E([1-9][0-9]{0,3})(/[1-9][0-9]{0,8})?", name)
    engines = scenario.scope.engines
    if found is None or int(found[1]) > engines:
        known = "E1" if engines == 1 else f"E1 to E{engines}"
        raise HeatproofError(f"there is no engine {name!r}; the scope has {known}, and E1/2 is E1 after a restart - at `{where}`")


def _nth(number: int) -> str:
    return f"{number}{'th' if 10 <= number % 100 <= 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
