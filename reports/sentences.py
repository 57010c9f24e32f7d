"""The steps of a trace in sentences: what happened, what would have happened, what was lost or out of date."""

from __future__ import annotations

from typing import Any, NamedTuple

from heatproof.model import effects as fx
from heatproof.model.faults import FAULTS
from heatproof.properties.monitor import Violation
from heatproof.reports.showing import columns, key, visible
from heatproof.reports.staleness import Stale
from heatproof.reports.story import setting
from heatproof.reports.trace import Instead, Step, Touch, Trace

MOST = 80
"""Moments that a page lists."""


class Note(NamedTuple):
    """Something remarkable about a step. ``kind``: deviation, lost, overwrites, outdated or exception."""

    kind: str
    text: str


class Moment(NamedTuple):
    """A step that a reader should not miss: its number, its most remarkable kind (that of a note, or operation, fault, violation), who did
    what, and what is remarkable about it."""

    step: int
    kind: str
    who: str
    what: str
    notes: tuple[Note, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """Its own kind and those of its notes, each once."""
        return tuple(dict.fromkeys([self.kind, *(note.kind for note in self.notes)]))


def headline(step: Step) -> str:
    """What happened, in one line, without its actor where that is a task that goes a step."""
    action = step.action
    match action.kind:
        case "operate":
            return visible(f"the user asks {action.detail}: {action.subject}")
        case "deliver":
            return visible(f"{action.detail} takes {action.subject}")
        case "settle":
            return visible(f"the operation on {action.subject}, left by a dead task, ends")
        case "restart" if not step.fault:
            return visible(f"{action.subject} is started again, since no engine is left")
    text = f"{step.at} {step.phrase}" if step.at else ""
    if step.fault:
        struck = f"{step.fault} {action.subject}" + (f" ({action.detail})" if action.detail else "")
        text = f"FAULT {struck}" + (f" at {text}" if text else f": {FAULTS[step.fault].sentence}")
    return visible(text or str(action))


def instead(one: Instead) -> str:
    """What the default policy would have done where a schedule deviates."""
    default = one.default
    if default is None:
        return "by default, nothing more would have happened"
    match default.kind:
        case "step":
            text = f"by default, {default.subject} would have gone on first: {one.at} {one.phrase}"
        case "deliver":
            text = f"by default, {default.detail} would have taken {default.subject} first"
        case "operate":
            text = f"by default, the user would have asked {default.subject} only now"
        case "settle":
            text = f"by default, the operation on {default.subject} would have ended first"
        case _:
            text = f"by default, this would have come first: {default}"
    return visible(text)


def stale(one: Stale) -> str:
    """A stale read and what came of it."""
    row = f"{one.table} {key(one.key)}"
    when = f"read at step {one.read}, overwritten at step {one.changed} by {one.by}"
    if one.columns:
        when += f" ({', '.join(one.columns)})"
    if one.kind == "overwrites":
        return visible(f"overwrites what it does not know: {row} was {when}")
    return visible(f"goes by an outdated {row}: {when}; reading it now, it would {intention(one.otherwise)}")


def lost(touch: Touch, reasons: tuple[Stale, ...] = ()) -> str:
    """A compare-and-set that matched nothing, and since when it could not match."""
    row = f"{touch.table} {key(touch.key)}"
    if touch.met is None:
        return visible(f"its write is lost: there is no {row} any more")
    wrong = " and ".join(f"{name} should be {_short(wanted)} but is {_short(there)}" for name, wanted, there in touch.mismatch)
    text = f"its write of {row} is lost: {wrong}"
    reason = next((s for s in reasons if s.kind == "lost" and (s.table, s.key) == (touch.table, touch.key)), None)
    if reason is not None and reason.read:
        text += f"; read at step {reason.read}, overwritten at step {reason.changed} by {reason.by}"
    elif touch.set is not None:
        text += f"; changed at step {touch.set.step} by {touch.set.by}"
    return visible(text)


def intention(effect: fx.Effect | str) -> str:
    """What a task is about to do, as an infinitive."""
    match effect:
        case str():
            return effect
        case fx.Read(_, table, name):
            text = f"read {table} {key(name)}"
        case fx.Query(_, table, where, _):
            text = f"read the rows of {table} where {columns(where)}"
        case fx.Insert(_, table, row):
            text = f"insert {table} {key(table.key_of(row))}"
        case fx.Update(_, table, name, _, where):
            text = f"write {table} {key(name)}" + (f" if {columns(where)}" if where else "")
        case fx.Delete(_, table, where):
            text = f"delete from {table} where {columns(where)}"
        case fx.Transaction(_, body, args, _):
            text = f"do {getattr(body, '__name__', 'a transaction')}({', '.join(str(a) for a in args if isinstance(a, str | int))})"
        case fx.Send(_, message, args, _):
            text = f"send {message}({', '.join(str(a) for a in args if isinstance(a, str | int))})"
        case fx.Spawn(_, handler, _):
            text = f"start {handler}"
        case fx.Probe(_, engine):
            text = f"ask whether {engine} lives"
        case fx.Begin(_, operation, subject, _, _, _):
            text = f"begin to {operation} {subject}"
        case fx.Finish(_, physical):
            text = f"wait for the operation on {physical} to end"
        case fx.Look(_, physical):
            text = f"look at {physical}"
        case fx.Expired(_, topic):
            text = f"look at the clock of {topic}"
        case fx.Cancel(_, topic):
            text = f"leave cancel notices for {topic}"
        case fx.Listen(_, topic):
            text = f"listen for cancel notices of {topic}"
        case _:
            text = "give way"
    return f"{text} ({effect.step})" if effect.step else text


def notes(step: Step) -> tuple[Note, ...]:
    """What is remarkable about a step."""
    found = []
    if step.instead is not None:
        found.append(Note("deviation", instead(step.instead)))
    found += [Note("lost", lost(touch, step.stale)) for touch in step.touches if touch.outcome == "lost"]
    found += [Note(one.kind, stale(one)) for one in step.stale if one.kind != "lost"]
    if step.ended not in ("", "ends"):
        found.append(Note("exception", visible(f"ends with {step.ended}")))
    return tuple(found)


def moments(trace: Trace, violation: Violation | None) -> list[Moment]:
    """The steps that tell the story, in order: what the user asked, deviations, faults, lost writes, stale reads, the violation."""
    found: list[Moment] = []
    asked = iter(setting(trace.world.scenario)[1:])
    for step in trace.steps:
        said = notes(step)
        kind = "fault" if step.fault else "operation" if step.action.kind == "operate" else said[0].kind if said else ""
        if kind:
            who = visible(step.who.name) if step.who is not None and step.at else ""
            what = headline(step)
            if step.action.kind == "operate":
                what = visible(f"{what}, {next(asked).partition(': ')[2]}")
            found.append(Moment(step.number, kind, who, what, said))
    if violation is not None:
        what = visible(f"{violation.sentence} {violation.witness}", 2_000)
        found.append(Moment(violation.step, "violation", "", what))
    return sorted(found, key=lambda moment: moment.step)


def most_telling(found: list[Moment], most: int = MOST) -> list[Moment]:
    """At most so many of the moments: operations, faults and the violation, then what comes last."""
    first = [moment for moment in found if moment.kind in ("operation", "fault", "violation")][-most:]
    others = [moment for moment in found if moment not in first]
    return sorted([*first, *others[max(len(others) - (most - len(first)), 0) :]], key=lambda moment: moment.step)


def _short(value: Any) -> str:
    return "null" if value is None else visible(str(value), 60)


__all__ = ["MOST", "Moment", "Note", "headline", "instead", "intention", "lost", "moments", "most_telling", "notes", "stale"]
