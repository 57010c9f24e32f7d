"""The verdicts of a check as a table, in plain text and for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.table import Table
from rich.text import Text

from heatproof.model.faults import FAULTS
from heatproof.properties.base import Property
from heatproof.properties.catalogue import UNJUDGED, judged
from heatproof.strategies.exploring import Findings
from heatproof.strategies.shrinking import Failure


class Line(NamedTuple):
    """One line of the table: a property, its verdict, what the verdict rests on, the sentence or witness, and of a violated one the kind
    of witness."""

    name: str
    expectation: str
    verdict: str
    basis: str
    detail: str
    kind: str = ""


COLOURS = {
    "violated": "red",
    "held": "green",
    "reached": "green",
    "not reached": "yellow",
    "not asked": "yellow",
    "incomplete": "yellow",
}


def lines(properties: Sequence[Property], findings: Findings, survives: frozenset[str] = frozenset()) -> list[Line]:
    """The table: violated properties first, one line for each kind of witness, then what held, then the situations."""
    violated, held, situations = [], [], []
    for prop in properties:
        if prop.expectation == "sometimes":
            count = findings.reached.get(prop.name, 0)
            verdict = "reached" if count else "not reached"
            situations.append(Line(prop.name, prop.expectation, verdict, _runs(count) if count else "", prop.sentence))
            continue
        keys = sorted((key for key in findings.violated if key[0] == prop.name), key=lambda k: (-findings.violated[k], k))
        for key in keys:
            failure = findings.failures[key]
            violated.append(
                Line(prop.name, prop.expectation, "violated", _runs(findings.violated[key]), f"{key[1]} ({_size(failure)})", key[1])
            )
        if not keys:
            asked = findings.asked(prop, survives)
            verdict = "held" if asked else "not asked" if findings.runs else "incomplete"
            held.append(
                Line(prop.name, prop.expectation, verdict, _runs(asked), prop.sentence + ("" if judged(prop) else UNJUDGED))
            )
    return violated + held + sorted(situations, key=lambda line: line.verdict != "not reached")


def _runs(count: int) -> str:
    return counted(count, "run")


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("s" if number != 1 else "")


def _size(failure: Failure) -> str:
    """How large it is, and which faults it has: those that struck, which may be fewer than the scenario allows until it is made small."""
    parts, steps = [counted(len(failure.scenario.operations), "operation")], counted(len(failure.actions), "step")
    if struck := [action.kind for action in failure.actions if action.kind in FAULTS]:
        parts.append(f"{counted(len(struck), 'fault')}: {', '.join(dict.fromkeys(struck))}")
    if not failure.small:
        return ", ".join([*parts, steps, "not made small"])
    if failure.deviations:
        parts.append(counted(len(failure.deviations), "deviation"))
    return ", ".join([*parts, steps])


UNASKED = "Nothing was put to the test: all that was wanted is not asked here."


def unasked(table: Sequence[Line]) -> bool:
    """Whether all that was wanted was not asked of anything, which is no verdict on a design."""
    return all(line.verdict == "not asked" for line in table)


def terminal_table(table: Sequence[Line]) -> Table:
    """The table for a terminal."""
    shown = Table(show_lines=False, pad_edge=False, box=None)
    for title in ("verdict", "property", "in", "what"):
        shown.add_column(title, overflow="fold", no_wrap=title == "verdict")
    for line in table:
        verdict = Text(line.verdict, COLOURS.get(line.verdict, "white"))
        shown.add_row(verdict, Text(line.name), Text(line.basis), Text(line.detail))  # a plain str would be read as markup
    return shown


def plain_table(table: Sequence[Line]) -> str:
    """The table as text."""
    widths = [max([len(row[i]) for row in _cells(table)] or [0]) for i in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)), row[3]]).rstrip()
        for row in _cells(table)
    )


def _cells(table: Sequence[Line]) -> list[tuple[str, str, str, str]]:
    return [("verdict", "property", "in", "what"), *((line.verdict, line.name, line.basis, line.detail) for line in table)]


def summary(findings: Findings, stopped: str) -> str:
    """One sentence on how much was done."""
    text = f"{counted(findings.scenarios, 'scenario')}, {_runs(findings.runs)}, {counted(findings.steps, 'step')}"
    if findings.cut:
        text += f"; {_runs(findings.cut)} cut before rest (inconclusive)"
    return f"{text}; {stopped}."
