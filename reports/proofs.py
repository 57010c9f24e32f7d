"""The verdicts of an exhaustive search: the table, what it rests on, and the counterexamples as cases with their stories."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import heatproof
from heatproof.model import catalogue
from heatproof.model.design import Design
from heatproof.model.errors import DesignError, NotEnabled
from heatproof.model.scenario import Scenario
from heatproof.model.world import World
from heatproof.properties.base import Property
from heatproof.properties.catalogue import REST_IS_REACHED, UNJUDGED, judged
from heatproof.properties.costs import shown
from heatproof.properties.monitor import Violation
from heatproof.reports import verdicts
from heatproof.reports.cases import Case, dump
from heatproof.reports.circling import CIRCLE
from heatproof.reports.judging import noted, replay_command
from heatproof.reports.story import story
from heatproof.reports.tables import Line, counted, plain_table
from heatproof.strategies.proving.least import Least
from heatproof.strategies.proving.proofs import Found, Proofs, excuses
from heatproof.strategies.running import Driver
from heatproof.strategies.schedules import record
from heatproof.strategies.shrinking import Failure, Key

ANEW = "while it was learning what it goes by, before it began (or began anew)"
"""Where a search was cut that has no states to go on from."""

SHOWN = 10
"""How many scenarios that were not searched to their end are named."""


def lines(
    properties: Sequence[Property],
    proofs: Proofs,
    faults: Iterable[str],
    survives: frozenset[str],
    fewest: Mapping[Key, Least] | None = None,
    asked: Collection[Scenario] = (),
) -> list[Line]:
    """The table: violated properties first, one line for each kind of witness, then what held or is incomplete, then the situations. Where the run
    with the fewest deviations is of none of the scenarios that were ``asked``, that is said."""
    asked = frozenset(asked)
    least = proofs.whole or proofs.expected == 1  # else a scenario that was not searched to its end may have a shorter run
    violated, held, situations = [], [], []
    seen = f"{proofs.states:,} states"
    for prop in properties:
        if prop.expectation == "sometimes":
            count = proofs.reached.get(prop.name, 0)
            verdict = "reached" if count else "not reached" if proofs.whole else "incomplete"
            basis = ("" if least else "at most ") + counted(proofs.nearest[prop.name], "step") if count else seen
            situations.append(Line(prop.name, prop.expectation, verdict, basis, prop.sentence))
            continue
        keys = proofs.violated_by(prop)
        for key in keys:
            found = proofs.violations[key]
            steps = ("" if found.shortest and least else "at most ") + counted(len(found.actions), "step")
            there = f"{'' if proofs.whole else 'at least '}{proofs.violated[key]} of {counted(proofs.expected, 'scenario')}"
            many = f", in {there}" if proofs.expected > 1 else ""
            detail = f"{key[1]}{_worst(prop, proofs, ', ')}{many}{_deviations((fewest or {}).get(key), asked)}"
            violated.append(Line(prop.name, prop.expectation, "violated", steps, detail, key[1]))
        if not keys:
            vain = UNJUDGED if not judged(prop) else _of_nothing(prop, asked)
            verdict = "not asked" if vain else "held" if proofs.settled(prop) else "incomplete"
            excused = excuses(prop, faults, survives)
            note = vain or (f" (Not asked of what comes after: {', '.join(excused)}.)" if excused else "")
            held.append(Line(prop.name, prop.expectation, verdict, seen, prop.sentence + _worst(prop, proofs, " ") + note))
    return violated + held + sorted(situations, key=lambda line: ("not reached", "incomplete", "reached").index(line.verdict))


def _of_nothing(prop: Property, asked: Collection[Scenario]) -> str:
    """That a bound is on operations of a kind that none of the scenarios has; an empty text if one has."""
    kind = prop.bound.kind if prop.bound is not None else ""
    there = not kind or not asked or any(operation.kind == kind for one in asked for operation in one.operations)
    return "" if there else f" (No scenario of the scope has an operation of the kind {kind!r}.)"


def _worst(prop: Property, proofs: Proofs, before: str) -> str:
    """The most accesses that were found of what a property with a bound is about."""
    if prop.bound is None or prop.name not in proofs.worst:
        return ""
    most, allowed = proofs.worst[prop.name], prop.bound.accesses
    number = f"{shown(most)}, {allowed} allowed" if most == float("inf") else f"{shown(most)} of {allowed} allowed"
    return f"{before}worst{'' if proofs.settled(prop) else ' so far'}: {number}"


def _deviations(found: Least | None, asked: Collection[Scenario]) -> str:
    if found is None:
        return ""
    smaller = ", in a smaller scenario" if asked and found.failure.scenario not in asked else ""
    return f"; {counted(len(found.failure.deviations), 'deviation')}, {'the least' if found.proven else 'perhaps fewer'}{smaller}"


def summary(proofs: Proofs, stopped: str) -> list[str]:
    """What the verdicts rest on, in a few sentences: how much was seen, how sure that is, and what was cut."""
    scenarios = counted(proofs.expected, "scenario")
    counts = f"{proofs.states:,} states, {proofs.transitions:,} transitions, depth {proofs.depth}"
    sure = f"With probability {proofs.collision:.1g} at most two states had the same fingerprint, and something was not seen."
    circles = [
        f"{what} not judged to the end: {loose.label}: {loose.cut}."
        for what, found in (("Circles", proofs.unjudged), ("Costs", proofs.uncounted))
        for loose in sorted(found)[:SHOWN]
    ]
    if proofs.unkept:
        more = f", and {len(proofs.unkept) - 1} more" if len(proofs.unkept) > 1 else ""
        circles.append(f"Not kept: {min(proofs.unkept)}{more}.")
    if proofs.whole:
        return [f"{scenarios} searched to the end: {counts}.", sure, *circles]
    told = [f"{proofs.complete} of {scenarios} searched to the end; seen in all: {counts}.", sure]
    for loose in sorted(proofs.loose)[:SHOWN]:
        rest = f"with {loose.waiting:,} states still to go on from" if loose.waiting else ANEW
        told.append(f"Cut: {loose.label}: {loose.cut} after {loose.states:,} states, at depth {loose.depth}, {rest}.")
    if len(proofs.loose) > SHOWN:
        told.append(f"Cut likewise: {len(proofs.loose) - SHOWN} more.")
    left = proofs.expected - proofs.complete - len(proofs.loose)
    if left:
        told.append(f"Not gone through: {counted(left, 'scenario')}; {stopped}.")
    return told + circles


class Written(NamedTuple):
    """Where a counterexample is: the names of its two cases, without ending (the same if they are the same)."""

    fewest: str
    shortest: str


def failure_of(design: Design, properties: Sequence[Property], found: Found, key: Key) -> Failure:
    """A violation as the ordinary machine sees it. Raises ValueError if it does not: then the search is mistaken.

    A circle is seen by the machine itself only where the default policy goes round it; where it does not, that the state comes again
    is seen here.
    """
    driver = Driver(design, found.scenario, properties)
    deviations = record(driver, found.actions)
    driver.world.audit()
    violation = driver.monitor.violations.get(key)
    bound = next((p.bound for p in properties if p.name == key[0]), None)
    if violation is None and bound is not None:  # judged at rest; a circle that costs is gone round until the bound is exceeded
        driver = Driver(design, found.scenario, properties)
        around = found.actions[-found.around :] if found.around else ()
        record(driver, [*found.actions, *around * (bound.accesses + 1)])
        driver.settle()
        violation = driver.monitor.violations.get(key)
        if violation is not None:
            shown_by = violation.witness if found.around else found.witness
            return failure_of(design, properties, Found(found.scenario, tuple(e.action for e in driver.world.log), shown_by), key)
    if violation is None and found.around and comes_again(design, found):
        violation = Violation(key[0], REST_IS_REACHED.sentence, found.witness, len(found.actions))
    if violation is None:
        raise ValueError(f"the search found {key} after {len(found.actions)} actions, and a world that does them does not show it")
    if bound is not None:  # it may have rested on the way, and have been judged by less than its worst
        violation = violation._replace(witness=found.witness, step=len(found.actions))
    lap = found.around if violation.key == CIRCLE else 0
    return Failure(found.scenario, list(found.actions), violation, deviations, around=lap)


def done_again(design: Design, properties: Sequence[Property], found: Found, key: Key) -> Failure:
    """The same of a search of somebody's handlers. Raises :class:`DesignError` where the machine does not see the violation."""
    try:
        return failure_of(design, properties, found, key)
    except (ValueError, NotEnabled) as error:
        raise DesignError(
            f"{error}. So some handler or property of design {design.name!r} did not do the same when it was run again:"
            " it must not use module or object state, clocks, random numbers, the ids of objects or the order of sets. If none does, what a"
            " search makes smaller is mistaken here: see if it finds this with --no-columns, --no-placing, --no-versions or --no-merge"
        ) from error


def comes_again(design: Design, found: Found) -> bool:
    """Whether the last ``around`` actions lead back to where they began, and can be done again and again."""
    if not found.around:
        return False
    driver, around = Driver(design, found.scenario, []), found.actions[-found.around :]
    for action in found.actions[: -found.around]:
        driver.perform(action)
    begun = _looks(driver.world)
    try:
        for action in around * 3:
            driver.perform(action)
    except NotEnabled:
        return False
    return _looks(driver.world) == begun


def _looks(world: World) -> object:
    """What can be seen of a state: everything but what tasks remember, which search and machine tell apart by different means."""
    tasks = {name: (task.engine, world.nodes[name].effect) for name, task in world.tasks.items()}
    rows = [dict(rows) for rows in world.database.rows.values()]
    messages = {name: (message.args, message.to) for name, message in world.bag.items()}
    return (rows, dict(world.reality.things), tasks, messages, dict(world.free), dict(world.down), dict(world.left))


def write(
    folder: Path,
    spec: str,
    head: Sequence[str],
    table: Sequence[Line],
    properties: Sequence[Property],
    shortest: Mapping[Key, Failure],
    fewest: Mapping[Key, Least],
) -> dict[Key, Written]:
    """Write the table, and for every kind of violation the case with the shortest run (of a bound on costs the dearest) and the one with the
    fewest deviations, each with its story. The case with the fewest deviations has the plain name."""
    design = catalogue.load(spec)
    bounds = {prop.name for prop in properties if prop.bound is not None}
    names = verdicts.names_in(folder, shortest)
    written, files = {}, dict[str, str]()
    try:
        for key in sorted(shortest):
            name = other = names[key]
            files |= _files(folder, name, spec, design, properties, fewest[key].failure, key, "fewest deviations")
            if fewest[key].failure is not shortest[key]:
                which = "dearest" if key[0] in bounds else "shortest"
                other = f"{name}-{which}"
                files |= _files(folder, other, spec, design, properties, shortest[key], key, f"{which} run")
            written[key] = Written(name, other)
    finally:  # also where the user interrupts while stories are made
        stored = [name if f"{(name := names.get((line.name, line.kind), ''))}.case.json" in files else "" for line in table]
        text = "\n".join([f"heatproof prove {spec}", *head, "", plain_table(table)]) + "\n"
        verdicts.write(folder, verdicts.Verdicts(spec, " ".join(head), table, stored), text, files, heatproof.__version__)
    return written


def _files(
    folder: Path, name: str, spec: str, design: Design, properties: Sequence[Property], failure: Failure, key: Key, what: str
) -> dict[str, str]:
    """The story of a violation and, where a replay shows it, the case, by file name."""
    case = Case(f"{key[0]}: {key[1]}", spec, failure.scenario, (), key, f"heatproof prove: {what}")
    driver = Driver(design, failure.scenario, properties)
    failure.deviations = record(driver, failure.actions)
    files = {}
    end = f"Replay it: {replay_command(folder / f'{name}.case.json', spec)}"
    if key in driver.monitor.violations:
        files[f"{name}.case.json"] = dump(noted(case, design, failure.actions), heatproof.__version__)
    else:
        end = "There is no case of it: a replay ends under the default policy, and that leaves this circle."
    told = story(driver.world, failure.deviations, failure.violation, around=failure.around)
    files[f"{name}.story.txt"] = f"{told}\n\n  {end}\n"
    return files


__all__ = ["Written", "done_again", "failure_of", "lines", "summary", "write"]
