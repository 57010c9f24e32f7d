"""What a page needs to unfold a run step by step, as plain data: what happened, and what is different after each step.

Everything is text, each text is kept once, and each step holds only what it changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from heatproof.model.observation import Change
from heatproof.model.reality import Physical
from heatproof.reports.graphs import Graph
from heatproof.reports.sentences import headline, notes
from heatproof.reports.showing import EMPTY, columns, key, value, visible
from heatproof.reports.trace import Running, Step, Trace, Waiting

ASPECTS = {
    "reality": "Reality",
    "message": "Messages waiting",
    "task": "Tasks running",
    "request": "What the user asked",
    "engine": "Engines",
    "held back": "Held back by a fault",
    "broken": "Names that always fail",
}
"""What is there besides tables, and how a page calls it."""


class Texts:
    """Texts by number, each once."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        """The number of a text."""
        return self.numbers.setdefault(text, len(self.numbers))


class Space(NamedTuple):
    """A table, or something like one: its title, and whether it is shown, with its number of rows, even when it is empty."""

    title: str
    table: bool


def spaces(trace: Trace) -> dict[tuple[str, str], Space]:
    """Everything that has a state, in the order in which a page shows it."""
    tables = {("row", table.name): Space(f"Table {visible(table.name)}", True) for table in trace.world.design.tables}
    return {("reality", ""): Space(ASPECTS["reality"], True), **tables} | {
        (aspect, ""): Space(title, False) for aspect, title in ASPECTS.items() if aspect != "reality"
    }


def unfolded(trace: Trace, graphs: list[Graph]) -> dict[str, Any]:
    """The run as data for the page's script.

    ``texts``: every text, by number. ``spaces``: title, whether it is a table, and the columns that hold the same in every row. ``steps``: for
    each step ``say`` (pairs of a kind and a text), ``set`` (changes: the number of the space, the key, then either null, if it
    is gone, or column and value in turn, -1 for a value that is gone) and, where it changes a graph, ``graph`` (number of the
    graph, edges or null, and for each changed node its number, whether it is wanted, and pairs of state and text). ``before`` is
    as ``set``, for what is there before the first step.
    """
    texts = Texts()
    where = spaces(trace)
    numbers = {name: n for n, name in enumerate(where)}

    constant = _constant(trace)
    hidden = {f"{table.name}": {*table.key_columns, *constant.get(table.name, {})} for table in trace.world.design.tables}

    def cells(change: Change, thing: Any, step: int) -> dict[str, str]:
        found = _cells(thing, step)
        return {c: v for c, v in found.items() if c not in hidden[change.key[0]]} if change.aspect == "row" else found

    def sets(changes: tuple[Change, ...], step: int) -> list[Any]:
        found: list[Any] = []
        for change in changes:
            name = ("row", change.key[0]) if change.aspect == "row" else (change.aspect, "")
            item = change.key[1] if change.aspect == "row" else change.key
            old, new = cells(change, change.old, 0), cells(change, change.new, step)
            line: list[Any] = [numbers[name], texts(_key(trace, change.aspect, item))]
            if change.new is None:
                found.append([*line, None])
                continue
            differing = [(c, v) for c, v in new.items() if old.get(c) != v] + [(c, None) for c in old if c not in new]
            found.append(line + [n for c, v in differing for n in (texts(c), -1 if v is None else texts(v))])
        return found

    steps = []
    for step in trace.steps:
        data: dict[str, Any] = {"say": [[kind, texts(text)] for kind, text in said(step)]}
        if changed := sets(step.changes, step.number):
            data["set"] = changed
        if drawn := list(_drawn(graphs, step.number, texts)):
            data["graph"] = drawn
        steps.append(data)
    before = sets(trace.before, 0)
    shown = [[s.title, s.table, _told(constant.get(table, {}))] for (_, table), s in where.items()]
    return {"spaces": shown, "before": before, "steps": steps,
            "texts": list(texts.numbers)}  # fmt: skip


def said(step: Step) -> Iterator[tuple[str, str]]:
    """What a page says about a step: who, what, what is remarkable, and each row that was touched."""
    if step.who is not None and step.at:
        yield "who", visible(f"{step.who.name}, {thread(step.who)}")
    yield "fault" if step.fault else "what", headline(step)
    for note in notes(step):
        yield note.kind, note.text[:1].upper() + note.text[1:]
    for touch in step.touches:
        name = key(touch.key) if touch.key is not None else f"rows where {columns(dict(touch.where))}"
        known = f"; it knew the row as of step {touch.seen}" if touch.seen and touch.kind == "update" else ""
        yield "touch", visible(f"{touch.kind} {touch.table} {name}: {touch.outcome}{known}")
    if step.sent:
        yield "sent", visible(f"sent: {', '.join(step.sent)}")
    if step.started:
        yield "sent", visible(f"started: {', '.join(step.started)}")
    if step.ended == "ends":
        yield "ended", "The task ends."


def thread(who: Running) -> str:
    """Where a task runs, in words."""
    return f"{who.engine} thread {who.slot}" if who.worker else f"{who.engine}, beside its threads"


def _constant(trace: Trace) -> dict[str, dict[str, Any]]:
    """By table the columns, less those of the key, that hold the same in every row at every step."""
    seen: dict[str, dict[str, Any]] = {}
    for step in trace.steps:
        for change in step.changes:
            if change.aspect == "row" and change.new is not None:
                row = change.new._asdict()
                known = seen.setdefault(change.key[0], row)
                seen[change.key[0]] = {c: v for c, v in known.items() if row[c] == v}
    keys = {table.name: table.key_columns for table in trace.world.design.tables}
    return {table: {c: v for c, v in of.items() if c not in keys[table]} for table, of in seen.items()}


def _told(constant: dict[str, Any]) -> str:
    """Columns that never change, less those that say nothing."""
    telling = {c: v for c, v in constant.items() if v is not None and v not in (*EMPTY, 0)}
    return columns(telling) if telling else ""


def _key(trace: Trace, aspect: str, item: Any) -> str:
    if aspect == "request":
        operations = trace.world.scenario.operations
        return visible(trace.world.design.operation_label(item, operations[item - 1]))
    return key(item)


def _cells(thing: Any, step: int) -> dict[str, str]:
    """A row, or what stands for one, as columns that are not null."""
    match thing:
        case None:
            return {}
        case Running():
            return {"in": thread(thing), "for operation": str(thing.operation)}
        case Physical():
            return _thing(thing)
        case Waiting():
            return {"to": thing.to or "any engine", **({"sent at step": str(step)} if step else {})}
        case tuple() if hasattr(thing, "_fields"):
            cells = {name: getattr(thing, name) for name in thing._fields}
            return {name: value(cell) for name, cell in cells.items() if cell is not None and cell not in EMPTY}
        case (str(outcome), str(reason), *_):
            return {"outcome": outcome, **({"reason": visible(reason)} if reason else {})}
        case _:
            return {"": value(thing)}


def _thing(thing: Physical) -> dict[str, str]:
    cells = {"state": thing.state}
    if thing.busy:
        cells["under way"] = visible("; ".join(f"{b.operation} by {b.task or 'nobody any more'}" for b in thing.busy))
    cells |= {"of": visible(thing.owner), "properties": value(thing.spec.properties)}
    if thing.spec.requires:
        cells["refers to"] = value(thing.spec.requires)
    cells |= {"made by": value(thing.made_by), "changed by": value(thing.changed_by)}
    if thing.drifted:
        cells["drifted"] = "changed behind the record"
    return cells


def _drawn(graphs: list[Graph], step: int, texts: Texts) -> Iterator[list[Any]]:
    for number, graph in enumerate(graphs):
        states, edges = graph.states.get(step, {}), graph.edges.get(step)
        if states or edges is not None:
            nodes = [
                [n, int(s.wanted), *(x for line in s.lines for x in (line.state, texts(line.text)))] for n, s in states.items()
            ]
            yield [number, edges, nodes]


__all__ = ["ASPECTS", "Space", "Texts", "said", "spaces", "thread", "unfolded"]
