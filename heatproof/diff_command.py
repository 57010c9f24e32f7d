"""The command ``heatproof diff``: what two cases have in common and what not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import NamedTuple

import click

from heatproof.exit_codes import HELD, VIOLATED, errors, say
from heatproof.model import catalogue
from heatproof.model.errors import HeatproofError
from heatproof.options import Place, database_option, on
from heatproof.reports import cases
from heatproof.reports.cases import Case
from heatproof.reports.judging import Judgement, design_of, judge
from heatproof.reports.story import spelled


class Side(NamedTuple):
    """A case with what it shows on its design, if that could be loaded."""

    case: Case
    judged: Judgement | None
    verdict: str


@click.command()
@click.argument("one", type=Place())
@click.argument("other", type=Place())
@click.option("--design", help="Judge both on this design. Needed for verdicts on a FILE.py:Class: a case runs no code.")
@database_option
@errors
def diff(one: Path, other: Path, design: str | None, database: str | None) -> int:
    """Say how case ONE and case OTHER differ: in what they expect of which design, scenario, schedule, and in what they show.

    Schedules are compared by their deviations from the default order. Lines of ONE alone begin with '-', of OTHER alone with '+'. Exit
    codes: 0 they are the same case (titles and origins do not matter), 1 they differ, 2 a file is broken.
    """
    a, b = (_side(path, design, database) for path in (one, other))
    say(f"--- {one}: {a.case.title}\n+++ {other}: {b.case.title}")
    for name, left, right in (
        ("design and expectation", _expected(a.case), _expected(b.case)),
        ("scenario", list(_scenario(a.case)), list(_scenario(b.case))),
        ("schedule, by its deviations", _deviations(a), _deviations(b)),
        ("verdict, replayed exactly", [a.verdict], [b.verdict]),
    ):
        say(f"\n{name}{'' if left != right else ': the same'}")
        if left != right or name.startswith("verdict"):
            for line in _compared(left, right):
                say(f"  {line}")
    say(f"\n{_parting(a.case, b.case)}")
    return HELD if _essence(a.case) == _essence(b.case) else VIOLATED


def _side(path: Path, design: str | None, database: str | None) -> Side:
    case = cases.read(path)
    if design is None and catalogue.is_file(case.design):
        return Side(case, None, f"not judged: {case.design} is code of somebody's own; name it with --design if you trust it")
    design = design if database is None else on(design or case.design, database)
    try:
        judged = judge(case, *design_of(case, str(path), design), budget=0)  # exactly, without a look near by
    except HeatproofError as error:
        return Side(case, None, f"not judged: {error}")
    judged_on = design or case.design
    if judged.violation is not None:
        return Side(case, judged, f"fails on {judged_on}: {judged.violation.name}: {judged.violation.witness}")
    return Side(case, judged, f"does not fail on {judged_on}: {judged.told[0]}")


def _essence(case: Case) -> tuple[object, ...]:
    return case.design, case.scenario, case.schedule, case.expected, case.expectation


def _expected(case: Case) -> list[str]:
    expected = "anything" if case.expected is None else ": ".join(case.expected)
    return [f"design {case.design}", f"{'fails' if case.expectation == 'fails' else 'must hold'}: {expected}"]


def _scenario(case: Case) -> Iterator[str]:
    scenario = case.scenario
    scope = scenario.scope
    order = "" if scope.reorder else ", messages in order"
    yield f"engines {scope.engines}, threads {scope.threads}{order}"
    yield from (f"fault budget: {count} x {kind}" for kind, count in scenario.faults.items())
    for number, operation in enumerate(scenario.operations, 1):
        bare = operation._replace(template=None)
        yield f"operation {number}: {bare}" + ("" if operation.stack == "S" else f" of stack {operation.stack}")
        if operation.template is not None:
            yield from (f"operation {number}:   {spelled(one)}" for one in operation.template.resources)


def _deviations(side: Side) -> list[str]:
    if side.case.deviations is not None:
        return [str(deviation) for deviation in side.case.deviations]
    if side.judged is not None and side.judged.misfit is None:
        return [str(deviation) for deviation in side.judged.deviations]
    return ["(not noted in the case)"]


def _compared(left: Sequence[str], right: Sequence[str]) -> Iterator[str]:
    """Both, aligned; what is in the one alone comes before what is in the other alone."""
    for tag, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from (f"  {line}" for line in left[a:b])
        else:
            yield from (f"- {line}" for line in left[a:b])
            yield from (f"+ {line}" for line in right[c:d])


def _parting(one: Case, other: Case) -> str:
    """Where the schedules part."""
    sizes = f"{len(one.schedule)} and {len(other.schedule)} actions"
    for number, (a, b) in enumerate(zip(one.schedule, other.schedule, strict=False), 1):
        if a != b:
            return f"{sizes}; the first {number - 1} are the same, then\n  - {_action(one, number)}\n  + {_action(other, number)}"
    if len(one.schedule) == len(other.schedule):
        return f"{len(one.schedule)} actions, the same in both"
    longer, sign = (one, "-") if len(one.schedule) > len(other.schedule) else (other, "+")
    number = min(len(one.schedule), len(other.schedule)) + 1
    return f"{sizes}; the first {number - 1} are the same, then\n  {sign} {_action(longer, number)}"


def _action(case: Case, number: int) -> str:
    step = case.steps[number - 1] if case.steps else ""
    return f"{number}: {case.schedule[number - 1]}" + (f" at {step}" if step else "")


__all__ = ["diff"]
