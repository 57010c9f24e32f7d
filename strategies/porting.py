"""From a failure to a scenario of Heat's own tests: which order of whole messages shows it, and what a scenario can ask to see it.

A failure can be ported if (1) its scenario can be said in the words of the language, (2) some run in which every handler goes to
its end once begun shows the same failure on the model, (3) the scenario can see it: ``reality`` holds the rows that are COMPLETE, and an
exception ends a scenario, and (4) it also shows with what is different in Heat's framework. All four are decided by trying.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from heatproof.model.design import Design
from heatproof.model.scenario import Operation, Scenario
from heatproof.model.templates import EMPTY, Attr, Ref, ResourceDef, Template
from heatproof.model.world import Action
from heatproof.properties.base import Property
from heatproof.properties.facts import goal
from heatproof.properties.monitor import Violation
from heatproof.strategies.running import Driver
from heatproof.strategies.scenario_files import Result, Run
from heatproof.strategies.scenario_language import parse
from heatproof.strategies.scenario_script import BYTES
from heatproof.strategies.scenario_words import Inexpressible, Wording, word
from heatproof.strategies.scenario_writing import Check, write
from heatproof.strategies.schedules import record
from heatproof.strategies.whole_messages import Order, Orders

RUNS = 20_000
"""Runs of whole messages after which the search is given up."""

WRITTEN = 40
"""How many runs that show the failure are written and tried, shortest first."""

NAMINGS = 24
"""How many ways to name the resources are tried, to see whether the order of what is ready at once matters."""

AT_REST = (
    "COMPLETE at rest: everything is there", "COMPLETE at rest: everything is as defined", "COMPLETE at rest: nothing else is there",
    "rest: no operation hangs", "rest: a deleted stack leaves nothing", "rest: no superfluous rows", "rest: a rollback goes back",
)  # fmt: skip
"""What ``verify`` of the goal can see when nothing is left to do."""


class Failing(NamedTuple):
    """What is to be ported: a design and a scenario, the failure (property and kind of witness), and a schedule that shows it."""

    design: Design
    scenario: Scenario
    key: tuple[str, str]
    schedule: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Ported:
    """A failure as a scenario file.

    ``letters``: the order (see :mod:`whole_messages`); ``check``: what is asked; ``runs``: how many orders there are or were tried;
    ``shows``: of ``namings`` ways to name the resources, with how many it shows (what is ready at once is taken by name); ``result``:
    how the file ended on the model; ``as_heats``: and with what is different in Heat's framework.
    """

    text: str
    wording: Wording
    letters: str
    check: Check
    violation: Violation
    runs: int
    shows: int
    namings: int
    result: Result
    as_heats: Result


class Porter:
    """Ports one failure; ``path`` is what messages call the file, and ``runs`` the most orders that are tried."""

    def __init__(self, failing: Failing, properties: Sequence[Property], path: Path, runs: int = RUNS):
        self.failing, self.properties, self.path, self.runs = failing, properties, path, runs

    def port(self, head: Callable[[Ported], Sequence[str]] = lambda ported: ()) -> Ported:
        """The scenario file; ``head`` gives what its comment says. Raises :class:`Inexpressible` with the reason."""
        wording = word(self.failing.scenario)
        orders = Orders(self.failing.design, wording.scenario, self.properties)
        found, tried = self._search(orders)
        if not found:
            raise Inexpressible(self._why_not(wording, tried, orders.complete))
        candidates = list(self._candidates(wording, orders, found, tried))
        if not candidates:
            violation = found[0].driver.monitor.violations[self.failing.key]
            raise Inexpressible(self._unseen(wording, orders, found[0], violation))
        best = max(candidates, key=lambda c: (c.shows * 100 // c.namings, -len(c.letters)))
        text = write(wording.scenario, best.letters, best.check, head(best))
        result, as_heats = self._try(text)
        return replace(best, text=text, result=result, as_heats=as_heats)

    # ------------------------------------------------------------------------------------------------------- the search

    def _search(self, orders: Orders) -> tuple[list[Order], int]:
        found, tried = [], 0
        for order in itertools.islice(orders, self.runs):
            tried += 1
            violation = order.driver.monitor.violations.get(self.failing.key)
            if violation is None or order.refused:
                continue
            if order.raised and order.raised < order.seen(violation):
                continue  # the scenario ends before
            found.append(order)
        return sorted(found, key=lambda o: (len(o.letters), o.letters)), tried

    def _candidates(self, wording: Wording, orders: Orders, found: list[Order], tried: int) -> Iterator[Ported]:
        for order in found[:WRITTEN]:
            violation = order.driver.monitor.violations[self.failing.key]
            for check in checks(wording.scenario, orders, order, violation):
                if check.after is not None and not orders.can_ask(order, check.after):
                    continue
                text = write(wording.scenario, order.letters, check, ())
                result, as_heats = self._try(text)
                if not result.passed and not as_heats.passed:
                    namings, shows = self._namings(wording.scenario, order.letters, check)
                    yield Ported(text, wording, order.letters, check, violation, tried, shows, namings, result, as_heats)
                    break

    def _try(self, text: str) -> tuple[Result, Result]:
        content = text.encode()
        if len(content) > BYTES:
            raise Inexpressible(f"As a scenario file it would have {len(content)} bytes; the language allows {BYTES}.")
        first, second = (Run(parse(self.path, content), self.failing.design, as_heats).run() for as_heats in (False, True))
        return first, second

    def _namings(self, scenario: Scenario, letters: str, check: Check) -> tuple[int, int]:
        """With how many of so many ways to name the resources the scenario fails in what the model takes for Heat's framework."""
        names = sorted({name for o in scenario.operations if o.template is not None for name in o.template.names})
        count = shows = 0
        for permuted in itertools.islice(itertools.permutations(names), NAMINGS):
            renamed = dict(zip(names, permuted, strict=True))
            text = write(_renamed(scenario, renamed), letters, _renamed_check(check, renamed), ())
            count += 1
            shows += not Run(parse(self.path, text.encode()), self.failing.design, as_heats=True).run().passed
        return count, shows

    # ------------------------------------------------------------------------------------------------------ why it is not

    def _why_not(self, wording: Wording, tried: int, complete: bool) -> str:
        without = f" The language has no word for {' and '.join(wording.left_out)} either." if wording.left_out else ""
        if not complete:
            return f"None of {tried} orders of whole messages shows it, and not all were tried.{without}"
        if self._overtaking(wording):
            return f"It takes messages that overtake each other; the worker of Heat's framework takes the oldest first.{without}"
        runs = "The one order" if tried == 1 else f"None of all {tried} orders"
        does = "does not show it" if tried == 1 else "shows it"
        return f"{runs} of whole messages {does}: it takes an interleaving inside a handler{self._where()}.{without}"

    def _overtaking(self, wording: Wording) -> bool:
        orders = Orders(self.failing.design, wording.scenario, self.properties, overtaking=True)
        return any(self.failing.key in order.driver.monitor.violations for order in itertools.islice(orders, self.runs // 4))

    def _where(self) -> str:
        driver = Driver(self.failing.design, self.failing.scenario, [])
        for deviation in record(driver, self.failing.schedule):
            anchor = deviation.anchor
            if anchor.kind == "step":
                return f"; in the case {anchor.subject} stops before {anchor.step} for {deviation.instead}"
        return ""

    def _unseen(self, wording: Wording, orders: Orders, order: Order, violation: Violation) -> str:
        for check in checks(wording.scenario, orders, order, violation):
            if not self._try(write(wording.scenario, order.letters, check, ()))[0].passed:
                return (
                    "An order of whole messages shows it, but not where foreign keys are not enforced and nothing stops a traversal,"
                    " as in Heat's framework."
                )
        return (
            "An order of whole messages shows it, but no scenario can see it: in Heat's framework reality is the rows that say CREATE or"
            " UPDATE COMPLETE, and nothing else can be asked."
        )


# ------------------------------------------------------------------------------------------------------- what can be asked


def checks(scenario: Scenario, orders: Orders, order: Order, violation: Violation) -> Iterator[Check]:
    """What a scenario may ask to see ``violation``, best first."""
    name, values = violation.name, dict(violation.witness.values)
    at = max(order.seen(violation), 1)
    if order.raised:
        if order.raised == at or violation.name == "rest: no request ends in an exception":
            yield Check("")
        return
    if name in AT_REST:
        yield Check("verify", (_goal(order.driver),))
    elif name == "rest: a rollback restores what held":
        yield Check("verify", (_held(order.driver),))
    elif name.startswith("COMPLETE is written: "):
        yield Check("verify", (_goal(orders.again(order, at)),), at)
    elif name.startswith("requirements first on "):
        yield Check("check_required", (values["resource"], values["requires"]), at)
    elif name == "dependents first on delete":
        yield from _dependents(scenario, values, at)
    elif name == "what is well stays untouched" and violation.witness.kind in ("replaced", "deleted"):
        yield Check("check_copies", (values["resource"], 1), at)
    elif name == "one replacement a traversal":
        yield Check("check_at_most", (values["resource"], 1), at)


def _dependents(scenario: Scenario, values: dict[str, Any], at: int) -> Iterator[Check]:
    gone, dependent = _name_of(scenario, values["physical"]), _name_of(scenario, values["dependent"])
    yield Check("check_required", (dependent, gone), at)
    props = {
        prop
        for o in scenario.operations
        if o.template is not None and (d := o.template.get(dependent)) is not None
        for prop, value in d.properties
        if value == Ref(gone)
    }
    for prop in sorted(props):
        yield Check("check_reference", (dependent, prop, gone), at)


def _name_of(scenario: Scenario, physical: str) -> str:
    """The name of the resource that a physical resource was made for: its id begins with it."""
    names = {name for o in scenario.operations if o.template is not None for name in o.template.names}
    return max((name for name in names if physical.startswith(f"{name}@")), key=len)


def _goal(driver: Driver) -> Template:
    """What the last stack that was asked for something is to be."""
    observation = driver.observation
    stack = observation.stacks[driver.world.scenario.operations[driver.world.state["issued"] - 1].stack]
    if stack.action == "DELETE":
        return EMPTY
    return goal(observation, stack) or EMPTY


def _held(driver: Driver) -> Template:
    """What held before the last operation."""
    memory = driver.observation.memory
    numbers = [r.number for r in driver.observation.requests if ("before", r.number) in memory]
    held = memory.get(("before", numbers[-1])) if numbers else None
    return held if isinstance(held, Template) else EMPTY


def _renamed(scenario: Scenario, names: dict[str, str]) -> Scenario:
    operations = [
        Operation(o.kind, None if o.template is None else _renamed_template(o.template, names), stack=o.stack)
        for o in scenario.operations
    ]
    return Scenario(tuple(operations), scenario.scope)


def _renamed_check(check: Check, names: dict[str, str]) -> Check:
    """Only templates and names of resources stand in for something; a property keeps its name."""

    def renamed(place: int, value: object) -> object:
        if isinstance(value, Template):
            return _renamed_template(value, names)
        is_name = isinstance(value, str) and not (check.function == "check_reference" and place == 1)
        return names.get(str(value), value) if is_name else value

    return check._replace(arguments=tuple(renamed(place, value) for place, value in enumerate(check.arguments)))


def _renamed_template(template: Template, names: dict[str, str]) -> Template:
    def value(given: Any) -> Any:
        if isinstance(given, Ref):
            return Ref(names[given.resource])
        return Attr(names[given.resource], given.attribute) if isinstance(given, Attr) else given

    def properties(given: tuple[tuple[str, Any], ...]) -> tuple[tuple[str, Any], ...]:
        return tuple((name, value(v)) for name, v in given)

    return Template(
        ResourceDef(
            names[d.name], properties(d.in_place), properties(d.replace), tuple(sorted(names[other] for other in d.depends_on)),
        )
        for d in template.resources
    )  # fmt: skip


__all__ = ["NAMINGS", "RUNS", "Failing", "Ported", "Porter", "checks"]
