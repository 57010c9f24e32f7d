"""The page of a case: one HTML file that needs nothing else.

Text of a case is data. Jinja escapes it in markup and in the embedded JSON, the script only ever sets it as text, and the page's own policy
lets nothing run but the one script it was written with, and nothing load at all.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup

from heatproof.model.catalogue import DESIGNS
from heatproof.properties.monitor import Violation
from heatproof.reports.diagram import COLOURS, HEIGHT, SHAPES, diagram
from heatproof.reports.graphs import WIDE, graphs
from heatproof.reports.lanes import Lanes
from heatproof.reports.sentences import headline, moments, most_telling, notes
from heatproof.reports.showing import value, visible
from heatproof.reports.story import setting
from heatproof.reports.told import Told
from heatproof.reports.trace import Step, Trace, trace
from heatproof.reports.unfolding import unfolded

LAST = 3
"""How many of the last steps that changed what a witness names are listed."""

WORDS = {
    "operation": "operation", "deviation": "deviation", "fault": "fault", "lost": "lost write", "overwrites": "blind write",
    "outdated": "stale read", "exception": "exception", "violation": "violated",
}  # fmt: skip
"""What a page calls each kind of moment."""

GROUPS = {"user": "", "engine": "engines", "messages": "", "database": "rows of the database", "reality": "reality"}


class _Row(NamedTuple):
    number: int
    kind: str
    flag: str
    who: str
    text: str
    colour: str


def page(told: Told, version: str, command: str) -> str:
    """The page as text; ``command`` replays the case."""
    case, design = told.case, told.design
    violation, other = told.violation, None
    happened = moments(told.run, violation)
    run = _viewer("run", "step-", told.run, violation, "The run, step by step")
    if told.neighbour is not None:
        found = trace(told.neighbour.world)
        other = _viewer("neighbour", "neighbour-step-", found, None, "The passing neighbour", hidden=True)
        other["start"] = min(told.neighbour.differs, other["count"])
    css, js = asset("page.css"), asset("page.js")
    scope, *operations = setting(told.run.world.scenario)
    return templates().get_template("case.html").render(
        title=visible(case.title or "A case without a title", 500), design=visible(case.design), sentence=visible(design.sentence),
        origin=visible(case.origin, 1_000), recorded=visible(case.heatproof, 100), version=version, command=visible(command, 500),
        heat=isinstance(design, DESIGNS["heat"]), policy=policy(css, js), css=css, js=js, run=run, other=other, height=HEIGHT,
        operations=[visible(line.partition(": ")[2], 500) for line in operations], scope=visible(scope),
        replaces=any("!=" in line for line in operations), deviations=_count(len(told.deviations), "deviation"),
        violated=None if violation is None else {
            "sentence": violation.sentence, "step": violation.step, "kind": visible(violation.witness.kind),
            "facts": [(visible(name), value(item), _touched(told.run, item)) for name, item in violation.witness.values],
        },
        held=visible(told.held, 500), others=[visible(f"{v.name}: {v.witness.kind}") for v in told.others],
        moments=most_telling(happened), happened=len(happened), words=WORDS, other_sentence=_other(told), no_other=told.reason, legend=LEGEND,
    )  # fmt: skip


def _viewer(name: str, prefix: str, run: Trace, violation: Violation | None, title: str, hidden: bool = False) -> dict[str, Any]:
    """What the template needs to show a run."""
    lanes, drawn = Lanes(run), graphs(run)
    witness = {value(item) for _, item in violation.witness.values} if violation is not None else set()
    violated = violation.step if violation is not None else None
    rows = _rows(run, violated)
    data = unfolded(run, drawn)
    data["violated"] = violated
    data["witness"] = sorted(witness)
    data["moments"] = sorted({row.number for row in rows if row.kind or run.steps[row.number - 1].action.kind == "operate"})
    data["graphs"] = [
        {
            "stack": visible(graph.stack), "width": round(graph.width), "height": round(graph.height), "wide": WIDE,
            "nodes": [[visible(node.name), round(node.x), round(node.y), round(node.height)] for node in graph.nodes],
        }
        for graph in drawn
    ]  # fmt: skip
    shown = [
        {"x": round(lane.x, 1), "label": lane.label, "name": lane.name, "group": lane.group, "witness": lane.label in witness}
        for lane in lanes.all
    ]
    groups = [
        {"title": GROUPS[group], "x": round(members[0].x - members[0].width / 2, 1)}
        for group, members in ((g, list(m)) for g, m in groupby(lanes.all, lambda lane: lane.group))
    ]
    return {
        "head": round(30 + 5.7 * max(len(lane.label) for lane in lanes.all)),
        "zoom": _zoom(lanes.width),
        "id": name, "prefix": prefix, "title": title, "hidden": hidden, "count": len(run.steps), "start": violated or len(run.steps),
        "lanes": shown, "groups": groups, "width": round(lanes.width + 70), "pieces": diagram(run, lanes, violated),
        "rows": rows, "data": data, "note": "",
    }  # fmt: skip


def _zoom(width: float) -> str:
    """The class with which a diagram fits on a printed page, of 1040 pixels, 300 of which are text."""
    tenths = int(10 * 1040 / (width + 70 + 300))
    return "" if tenths >= 10 else f" zoom-{max(tenths, 5)}"


def _touched(run: Trace, named: Any) -> list[tuple[int, str]]:
    """The last steps that changed the row or physical resource of that name, each in a few words."""
    found = []
    for step in run.steps:
        for change in step.changes:
            mine = change.key[1] if change.aspect == "row" else change.key if change.aspect == "reality" else None
            if mine is not None and mine == named:
                who = f"{step.who.name}: " if step.who is not None and step.at else ""
                found.append((step.number, visible(f"{who}{headline(step)}", 140)))
                break
    return found[-LAST:]


def _rows(run: Trace, violated: int | None) -> list[_Row]:
    found, before = [], ""
    for step in run.steps:
        said = [note.kind for note in notes(step)]
        kind = "violation" if step.number == violated else "fault" if step.fault else said[0] if said else ""
        if kind == "deviation" and len(said) > 1:
            kind = said[1]
        flags = [
            WORDS[k]
            for k in dict.fromkeys([*(["fault"] if step.fault else []), *said, *(["violation"] if kind == "violation" else [])])
        ]
        name = step.who.name if step.who is not None and step.at else ""
        who = visible(name, 60) if name != before else ""
        before = name
        found.append(_Row(step.number, kind, " + ".join(flags), who, visible(headline(step), 160), _colour(step)))
    return found


def _colour(step: Step) -> str:
    return f"op{(step.who.operation - 1) % COLOURS + 1}" if step.who is not None else ""


def _other(told: Told) -> str:
    """One sentence on the neighbour."""
    if told.neighbour is None:
        return ""
    left = told.deviations[told.neighbour.without]
    also = ""
    if told.neighbour.violations:
        names = "; ".join(f"{v.name}: {v.witness.kind}" for v in told.neighbour.violations[:3])
        also = f" It is not without fault either: {names}."
    return visible(
        f"The same run without one deviation ({left}) goes another way from step {told.neighbour.differs} on, and this failure does not"
        f" show in it.{also}", 900,
    )  # fmt: skip


# --------------------------------------------------------------------------------------------------------- the template


@cache
def templates() -> jinja2.Environment:
    """The templates beside this file. Everything is escaped, and a name that is not there is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("heatproof.reports", "pages"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


@cache
def asset(name: str) -> Markup:
    """The page's own script or style, as it is."""
    environment = templates()
    assert environment.loader is not None
    return Markup(environment.loader.get_source(environment, name)[0])


def policy(css: str, js: str = "") -> str:
    """What a browser may run and load on a page: this style, this script if there is one, and nothing else."""

    def digest(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    script = digest(js) if js else "'none'"
    return f"default-src 'none'; script-src {script}; style-src {digest(css)}; img-src data:; base-uri 'none'; form-action 'none'"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("s" if number != 1 else "")


def _drawn(kind: str, text: str, path: str = "", rect: float = 0) -> dict[str, Any]:
    return {"kind": kind, "text": text, "rect": rect, "width": 34, "path": path or SHAPES.get(kind, "").format(x=16, y=9)}


ARROW = "M2 9H30m-5 -3.5l5 3.5l-5 3.5"
LEGEND = [
    _drawn(
        "task op1",
        "a task, in a thread of its engine or beside them (request); coloured by the operation it was begun for",
        rect=12,
    ),
    _drawn("act", "a step of a task", "M16 9m-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0 -5 0"),
    _drawn("asks", "the user asks; a message is sent, or taken by an engine", ARROW),
    _drawn("waits", "a message waits in the message layer", rect=4),
    _drawn("read", "a row is read (dotted: it is not there)"),
    _drawn("write", "a row is written"),
    _drawn("insert", "a row is inserted"),
    _drawn("delete", "a row is deleted"),
    _drawn("lost", "a lost compare-and-set: the row was not as the task expected, nothing was written"),
    _drawn("stale", "a stale read, from the read to what the task did with it", rect=2),
    _drawn("changed", "here somebody else changed what had been read", "M16 9m-4 -4l8 4l-8 4z"),
    _drawn("outdated", "here the task acted on it: reading again, it would have done something else", "M16 9m-5 4l5 -9l5 9z"),
    _drawn("begin", "a physical operation begins"),
    _drawn("end", "it ends"),
    _drawn("failed", "it fails; a message is lost"),
    _drawn("exists", "a physical resource, or a row, is there", rect=6),
    _drawn("busy", "a physical operation is under way", rect=12),
    _drawn("fault", "a fault strikes", "M16 9m2 -9l-7 10h5l-2 8l7 -10h-5z"),
    _drawn(
        "mark complete", "in the template: a row, complete (grey: not begun or deleted; blue: in progress; red: failed)", rect=9
    ),
    _drawn("violated", "here the property is violated", "M16 9m-6 -6l12 12m0 -12l-12 12"),
]

__all__ = ["WORDS", "asset", "page", "policy", "templates"]
