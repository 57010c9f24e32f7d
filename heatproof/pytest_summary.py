"""What tests found, as strings on their reports, and the table that is made of them at the end.

A record is a dictionary that JSON can hold: of a stateful test (:func:`of_machine`), or of a stored case (with the key ``case``).
"""

from __future__ import annotations

import json
import os
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest

from heatproof.model.errors import HeatproofError
from heatproof.pytest_options import KEY, Options
from heatproof.reports.files import write_whole
from heatproof.reports.tables import Line, plain_table
from heatproof.strategies.exploring import Findings
from heatproof.strategies.machine import Setting

Record = dict[str, Any]

FEW = 20
"""Properties of a design of which each gets a line; of more, those that held share one unless pytest is asked to be verbose."""


def of_machine(setting: Setting, tally: Findings, files: Sequence[str]) -> Record:
    """What a stateful test found: for each property of how many examples it was asked, by kind of witness how many violated it, and
    for situations how many reached it."""
    survives = setting.design.survives
    return {
        "design": setting.design.name,
        "examples": tally.runs,
        "cut": tally.cut,
        "properties": [
            [
                prop.name, prop.expectation, tally.reached[prop.name] if prop.expectation == "sometimes" else tally.asked(prop, survives),
                {kind: count for (name, kind), count in sorted(tally.violated.items()) if name == prop.name},
            ]
            for prop in setting.properties
        ],
        "expected": sorted(map(list, setting.expected)),
        "files": list(files),
    }  # fmt: skip


def attach(item: pytest.Item, report: pytest.TestReport, record: Record) -> None:
    """Put the record of a test onto its report, as a string: so it gets to the terminal from other processes too. Its main points become
    properties of the test for a JUnit report."""
    told: dict[str, object] = {"design": record.get("design", "")}
    if "case" in record:
        told |= {"case": record["case"], "verdict": record["outcome"], "property": ": ".join(record.get("expected") or ())}
    else:
        told |= {
            "examples": record["examples"],
            "violated": "; ".join(f"{name}: {kind}" for name, _, _, kinds in record["properties"] for kind in kinds),
            "never reached": "; ".join(_missed([record])),
            "files": " ".join(record["files"]),
        }
    points = [(f"heatproof {name}", str(value)) for name, value in told.items()]
    item.user_properties.extend(points)
    report.user_properties.extend(points)
    vars(report)[KEY] = json.dumps(record)


def _missed(records: Iterable[Record]) -> list[str]:
    counts: Counter[str] = Counter()
    for record in records:
        counts.update({name: count for name, expectation, count, _ in record["properties"] if expectation == "sometimes"})
    return [name for name, count in counts.items() if not count]


def write(terminal: pytest.TerminalReporter, reports: Iterable[Any], options: Options) -> None:
    """The table for the terminal, and verdicts.txt where a report was asked for."""
    records = [json.loads(vars(report)[KEY]) for report in sorted(reports, key=lambda report: str(report.nodeid))]
    files = sorted(file for record in records for file in record.get("files", ()))
    if options.report_asked:
        path = options.report / "verdicts.txt"
        try:
            write_whole(path, "\n".join(_text(records, verbose=True)) + "\n")
            files.append(os.path.relpath(path, terminal.config.invocation_params.dir))
        except HeatproofError as error:
            terminal.write_line(f"heatproof: {error}", red=True)
    terminal.write_sep("=", "heatproof")
    for line in _text(records, terminal.verbosity > 0):
        terminal.write_line(line)
    if files:
        terminal.write_line("Files written:")
        for file in files:
            terminal.write_line(f"  {file}")


def _text(records: Sequence[Record], verbose: bool) -> Iterator[str]:
    machines = [record for record in records if "case" not in record]
    for design in sorted({record["design"] for record in machines}):
        group = [record for record in machines if record["design"] == design]
        examples, cut = sum(record["examples"] for record in group), sum(record["cut"] for record in group)
        inconclusive = f", {_count(cut, 'example')} cut before rest (inconclusive)" if cut else ""
        yield f"{design}: {_count(examples, 'example')} in {_count(len(group), 'test')}{inconclusive}"
        yield from plain_table(_lines(group, verbose)).splitlines()
        if missed := _missed(group):
            text = f"Never reached: {', '.join(missed)}. What depends on these situations was not put to the test."
            yield from textwrap.wrap(text, 118, subsequent_indent="  ", break_on_hyphens=False)
    stored = [record for record in records if "case" in record]
    if stored:
        outcomes = Counter(record["outcome"] for record in stored)
        yield f"{_count(len(stored), 'case')}: " + ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
        for record in stored:
            if verbose or record["outcome"] not in ("as expected", "held"):
                yield f"  {record['outcome']:11}  {record['case']}" + (
                    f"  {': '.join(record['expected'])}" if record.get("expected") else ""
                )


def _lines(group: Sequence[Record], verbose: bool) -> list[Line]:
    """A line for each property, those that were violated first; situations only where they were reached."""
    asked: Counter[str] = Counter()
    kinds: dict[str, Counter[str]] = {}
    expectation: dict[str, str] = {}
    for record in group:
        for name, expected, count, found in record["properties"]:
            asked[name] += count
            expectation[name] = expected
            kinds.setdefault(name, Counter()).update(found)
    new = {
        (name, kind) for record in group for name, _, _, found in record["properties"] for kind in found
        if [name, kind] not in record["expected"]
    }  # fmt: skip
    violated = [
        Line(name, "", "violated", _count(count, "example"), kind + ("" if (name, kind) in new else " (expected)"))
        for name, found in kinds.items() for kind, count in sorted(found.items())
    ]  # fmt: skip
    rest = [name for name in asked if not kinds[name]]
    held = {name: asked[name] for name in rest if expectation[name] != "sometimes" and asked[name]}
    silent = [Line(name, "", "not asked", "", "") for name in rest if expectation[name] != "sometimes" and not asked[name]]
    reached = {name: asked[name] for name in rest if expectation[name] == "sometimes" and asked[name]}
    fold = not verbose and len(asked) > FEW
    return [*violated, *silent, *_folded("held", held, "properties", fold), *_folded("reached", reached, "situations", fold)]


def _folded(verdict: str, counts: dict[str, int], noun: str, fold: bool) -> Iterator[Line]:
    if fold and len(counts) > 1:
        least, most = min(counts.values()), max(counts.values())
        yield Line(f"{len(counts)} {noun}", "", verdict, f"{least} to {_count(most, 'example')}" if least < most else
                   _count(most, "example"), "-v lists them")  # fmt: skip
    else:
        for name, count in counts.items():
            yield Line(name, "", verdict, _count(count, "example"), "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("s" if number != 1 else "")
