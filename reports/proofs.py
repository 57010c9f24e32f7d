"""The verdicts of an exhaustive search: the table, what it rests on, and the counterexamples as cases with their stories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import heatproof
from heatproof.model import catalogue
from heatproof.model.design import Design
from heatproof.properties.base import Property
from heatproof.reports import verdicts
from heatproof.reports.cases import Case, dump
from heatproof.reports.files import write_whole
from heatproof.reports.judging import noted, replay_command
from heatproof.reports.story import story
from heatproof.reports.tables import Line, counted, plain_table
from heatproof.strategies.proving.proofs import Found, Proofs, excuses, judged
from heatproof.strategies.running import Driver
from heatproof.strategies.schedules import record
from heatproof.strategies.shrinking import Failure, Key

SHOWN = 10
"""How many scenarios that were not searched to their end are named."""


def lines(properties: Sequence[Property], proofs: Proofs, faults: Iterable[str], survives: frozenset[str]) -> list[Line]:
    """The table: violated properties first, one line for each kind of witness, then what held or is incomplete, then the situations."""
    violated, held, situations = [], [], []
    seen = f"{proofs.states:,} states"
    for prop in properties:
        if prop.expectation == "sometimes":
            count = proofs.reached.get(prop.name, 0)
            verdict = "reached" if count else "not reached" if proofs.whole else "incomplete"
            basis = f"depth {proofs.nearest[prop.name]}" if count else seen
            situations.append(Line(prop.name, prop.expectation, verdict, basis, prop.sentence))
            continue
        keys = proofs.violated_by(prop)
        for key in keys:
            steps = counted(len(proofs.violations[key].actions), "step")
            many = f", in {proofs.violated[key]} of {counted(proofs.expected, 'scenario')}" if proofs.expected > 1 else ""
            violated.append(Line(prop.name, prop.expectation, "violated", steps, f"{key[1]}{many}", key[1]))
        if not keys:
            verdict = "held" if proofs.whole and judged(prop) else "incomplete" if judged(prop) else "not asked"
            excused = excuses(prop, faults, survives)
            note = f" (Not asked of what comes after: {', '.join(excused)}.)" if excused else ""
            held.append(Line(prop.name, prop.expectation, verdict, seen, prop.sentence + note))
    return violated + held + sorted(situations, key=lambda line: ("not reached", "incomplete", "reached").index(line.verdict))


def summary(proofs: Proofs, stopped: str) -> list[str]:
    """What the verdicts rest on, in a few sentences: how much was seen, how sure that is, and what was cut."""
    scenarios = counted(proofs.expected, "scenario")
    counts = f"{proofs.states:,} states, {proofs.transitions:,} transitions, depth {proofs.depth}"
    sure = f"With probability {proofs.collision:.1g} at most two states had the same fingerprint, and something was not seen."
    if proofs.whole:
        return [f"{scenarios} searched to the end: {counts}.", sure]
    told = [f"{proofs.complete} of {scenarios} searched to the end; seen in all: {counts}.", sure]
    for loose in sorted(proofs.loose)[:SHOWN]:
        told.append(
            f"Cut: {loose.label}: {loose.cut} after {loose.states:,} states, at depth {loose.depth}, with {loose.waiting:,} states still to"
            " go on from."
        )
    if len(proofs.loose) > SHOWN:
        told.append(f"Cut likewise: {len(proofs.loose) - SHOWN} more.")
    left = proofs.expected - proofs.complete - len(proofs.loose)
    if left:
        told.append(f"Not begun: {counted(left, 'scenario')}; {stopped}.")
    return told


class Written(NamedTuple):
    """Where a counterexample is: the names of its two cases, without ending (the same if they are the same)."""

    fewest: str
    shortest: str


def failure_of(design: Design, properties: Sequence[Property], found: Found, key: Key) -> Failure:
    """A violation as the ordinary machine sees it. Raises ValueError if it does not: then the search is mistaken."""
    driver = Driver(design, found.scenario, properties)
    deviations = record(driver, found.actions)
    violation = driver.monitor.violations.get(key)
    if violation is None:
        raise ValueError(f"the search found {key} after {len(found.actions)} actions, and a world that does them does not show it")
    return Failure(found.scenario, list(found.actions), violation, deviations)


def write(
    folder: Path,
    spec: str,
    head: Sequence[str],
    table: Sequence[Line],
    properties: Sequence[Property],
    shortest: Mapping[Key, Failure],
    fewest: Mapping[Key, Failure],
    names: Mapping[Key, str],
) -> dict[Key, Written]:
    """Write the table, and for every kind of violation the case with the shortest run and the one with the fewest deviations, each with
    its story. The case with the fewest deviations has the plain name."""
    design = catalogue.load(spec)
    verdicts.clear(folder)
    written = {}
    for key in sorted(shortest):
        name = other = names[key]
        _write(folder, name, spec, design, properties, fewest[key], key, "fewest deviations")
        if fewest[key] is not shortest[key]:
            other = f"{name}-shortest"
            _write(folder, other, spec, design, properties, shortest[key], key, "shortest run")
        written[key] = Written(name, other)
    write_whole(folder / "verdicts.txt", "\n".join([f"heatproof prove {spec}", *head, "", plain_table(table)]) + "\n")
    stored = [names.get((line.name, line.kind), "") if line.verdict == "violated" else "" for line in table]
    write_whole(
        folder / verdicts.FILE, verdicts.dump(verdicts.Verdicts(spec, " ".join(head), table, stored), heatproof.__version__)
    )
    return written


def _write(
    folder: Path, name: str, spec: str, design: Design, properties: Sequence[Property], failure: Failure, key: Key, what: str
) -> None:
    case = Case(f"{key[0]}: {key[1]}", spec, failure.scenario, (), key, f"heatproof prove: {what}")
    driver = Driver(design, failure.scenario, properties)
    failure.deviations = record(driver, failure.actions)
    path = folder / f"{name}.case.json"
    write_whole(path, dump(noted(case, design, failure.actions), heatproof.__version__))
    told = story(driver.world, failure.deviations, failure.violation)
    write_whole(folder / f"{name}.story.txt", f"{told}\n\n  Replay it: {replay_command(path, spec)}\n")


__all__ = ["Written", "failure_of", "lines", "summary", "write"]
