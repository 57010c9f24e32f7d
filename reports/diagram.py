"""The space-time diagram of a trace, as shapes: time goes down, a row of the picture for each step.

The picture is cut into pieces of so many steps, so that it prints on pages and a browser draws only what is seen. Marks of one kind in
one piece are one SVG path: a run of 2 000 steps stays a few hundred elements.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from heatproof.model.reality import Physical as Thing
from heatproof.reports.lanes import Lane, Lanes
from heatproof.reports.showing import visible
from heatproof.reports.trace import Running, Step, Trace

HEIGHT = 22
"""Of one step."""

PIECE = 25
"""Steps in a piece."""

COLOURS = 6
"""How many operations are told apart by colour before colours come again."""


class Bar(NamedTuple):
    """An upright bar: its left side, top, width and height within its piece, class and tooltip."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


class Piece(NamedTuple):
    """Steps ``first`` to ``last`` as shapes: the height, the bars and, by class, the paths."""

    first: int
    last: int
    height: int
    bars: list[Bar]
    paths: dict[str, str]


class _Span(NamedTuple):
    lane_x: float
    width: float
    begin: float
    end: float
    kind: str
    title: str


ORDER = (
    "band", "exists", "record", "waits", "held", "busy", "task", "stale", "reads", "writes", "sends", "takes", "asks", "read", "missing",
    "write", "insert", "delete", "none", "act", "begin", "end", "failed", "lost", "overwrites", "outdated", "changed", "fault", "violated",
)  # fmt: skip
"""What is drawn above what."""


def diagram(trace: Trace, lanes: Lanes, violated: int | None = None) -> list[Piece]:
    """The pieces of the diagram; ``violated`` is the number of the step at which the property was violated."""
    drawing = _Drawing(trace, lanes)
    for step in trace.steps:
        drawing.step(step)
    if violated:
        drawing.mark(lanes.user.x, violated, "violated", "M{x} {y}m-7 -7l14 14m0 -14l-14 14")
    return list(drawing.pieces())


def outline(trace: Trace, lanes: Lanes, violated: int | None = None) -> list[tuple[str, str]]:
    """A small picture, uncut: by class the paths of tasks, physical resources and operations, deviations (``band``), the violation (``end``)."""
    drawing = _Drawing(trace, lanes)
    for step in trace.steps:
        drawing.step(step)
    parts: dict[str, list[str]] = {}
    for span in drawing.ended():
        if span.kind.startswith(("task", "exists", "busy")):
            x, y = round(span.lane_x - span.width), round(span.begin)
            parts.setdefault(span.kind, []).append(f"M{x} {y}h{2 * span.width:g}V{round(span.end)}H{x}z")
    width, thick = round(lanes.width), max(round(len(trace.steps) * HEIGHT / 90), 2)
    bands = [_middle(step.number) for step in trace.steps if step.instead is not None]
    parts["band"] = [f"M0 {y - thick / 2:g}h{width}v{thick}h-{width}z" for y in bands]
    if violated:
        parts["end"] = [f"M0 {min(_middle(violated), drawing.count * HEIGHT - thick):g}h{width}v{thick}h-{width}z"]
    return sorted(((kind, "".join(shapes)) for kind, shapes in parts.items() if shapes), key=lambda p: _rank(p[0]))


class _Drawing:
    def __init__(self, trace: Trace, lanes: Lanes):
        self.lanes = lanes
        self.count = len(trace.steps)
        self.spans: list[_Span] = []
        self.marks: dict[int, dict[str, list[str]]] = {}
        self.open: dict[tuple[str, object], tuple[float, float, float, str, str]] = {}
        self.sent: dict[str, int] = {}

    # ------------------------------------------------------------------------------------------------ what is drawn

    def step(self, step: Step) -> None:
        """Everything that one step adds."""
        y = _middle(step.number)
        x = self._actor(step)
        for change in step.changes:
            match change.aspect:
                case "task":
                    self._task(change.key, change.old, change.new, y, bool(step.fault))
                case "message":
                    self._message(step, change.key, change.old is None, change.new is None, x)
                case "row":
                    lane = self.lanes.row(*change.key)
                    if lane is not None and not self.lanes.shares(*change.key):
                        self._life("row", change.key, lane, change.old, change.new, y, "record", 3)
                case "reality":
                    self._thing(change.key, change.old, change.new, y)
        if step.action.kind == "operate" and x is not None:
            self._line(self.lanes.user.x, x, step.number, "asks")
        if step.who is not None and step.at and x is not None:
            self.mark(x, step.number, "act", "M{x} {y}m-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0 -5 0")
            self._accesses(step, x)
        self._physical(step, x)
        if step.fault:
            self._fault(step, x)

    def mark(self, x: float, number: int, kind: str, shape: str) -> None:
        """A mark at a step; ``shape`` has places for x and y."""
        y = _middle(number) - _top(number)
        self.marks.setdefault((number - 1) // PIECE, {}).setdefault(kind, []).append(shape.format(x=_n(x), y=_n(y)))

    def _actor(self, step: Step) -> float | None:
        return self.lanes.thread(step.who).x if step.who is not None else None

    def _task(self, name: str, old: Running | None, new: Running | None, y: float, struck: bool) -> None:
        if old is not None and (was := self.open.pop(("task", name), None)) is not None:
            x, width, begin, kind, title = was
            self.spans.append(_Span(x, width, begin, y + (0 if struck else 5), kind, title))
        if new is not None:
            kind = f"task op{(new.operation - 1) % COLOURS + 1}"
            title = visible(f"{new.name} in {new.engine}, for operation {new.operation}")
            self.open["task", name] = (self.lanes.thread(new).x, 12, y - 5, kind, title)

    def _message(self, step: Step, name: str, comes: bool, goes: bool, x: float | None) -> None:
        y = _middle(step.number)
        if comes:
            self.sent[name] = step.number
            place = self.lanes.message(name, step.number)
            self.open["message", name] = (place, 4, y, "waits", visible(f"{name} waits"))
            if x is not None:
                self._line(x, place, step.number, "sends")
        if goes and (was := self.open.pop(("message", name), None)) is not None:
            place, width, begin, kind, title = was
            self.spans.append(_Span(place, width, begin, y, kind, title))
            if step.taken == name and x is not None:
                self._line(place, x, step.number, "takes")
            elif not step.taken:
                self.mark(place, step.number, "lost", "M{x} {y}m-4 -4l8 8m0 -8l-8 8")

    def _life(self, what: str, name: object, lane: Lane, old: object, new: object, y: float, kind: str, width: float) -> None:
        if old is None and new is not None:
            self.open[what, name] = (lane.x, width, y, kind, lane.name)
        if new is None and (was := self.open.pop((what, name), None)) is not None:
            self.spans.append(_Span(was[0], width, was[2], y, kind, was[4]))

    def _thing(self, physical: str, old: Thing | None, new: Thing | None, y: float) -> None:
        lane = self.lanes.thing(physical)
        if lane is None:
            return
        self._life("thing", physical, lane, old, new, y, "exists", 6)
        was, now = old is not None and bool(old.busy), new is not None and bool(new.busy)
        if new is not None and now and not was:
            title = visible(f"{new.busy[0].operation} of {physical} by {new.busy[0].task or 'nobody any more'}")
            self.open["busy", physical] = (lane.x, 12, y, "busy", title)
        if was and not now and (began := self.open.pop(("busy", physical), None)) is not None:
            self.spans.append(_Span(began[0], began[1], began[2], y, "busy", began[4]))

    def _accesses(self, step: Step, x: float) -> None:
        """Reads and writes of rows: a line from the task to the row, and a mark on it."""
        reads: list[float] = []
        writes: list[float] = []
        for touch in step.touches:
            lane = self.lanes.row(touch.table, touch.key) if touch.key is not None else None
            if lane is None:
                continue
            kind = {"found": "read", "missing": "missing", "lost": "lost", "none": "none"}.get(touch.outcome)
            if kind is None:
                kind = {"insert": "insert", "delete": "delete"}.get(touch.kind, "write") if touch.outcome == "written" else "lost"
            (reads if kind in ("read", "missing") else writes).append(lane.x)
            self.mark(lane.x, step.number, kind, SHAPES[kind])
        for kind, places in (("reads", reads), ("writes", writes)):
            if places:
                self._line(x, max(places), step.number, kind, head=False)
        for one in step.stale:
            lane = self.lanes.row(one.table, one.key) or (self.lanes.thing(str(one.key)) if one.table == "reality" else None)
            if lane is not None:
                begin = one.read or one.changed
                self.spans.append(_Span(lane.x - 6, 2, _middle(begin), _middle(step.number), "stale", "a stale read"))
                self.mark(lane.x - 6, one.changed, "changed", "M{x} {y}m-4 -4l8 4l-8 4z")
                if one.kind != "lost":
                    self.mark(lane.x - 6, step.number, one.kind, "M{x} {y}m-5 4l5 -9l5 9z")

    def _physical(self, step: Step, x: float | None) -> None:
        done = step.physical
        lane = self.lanes.thing(done.id) if done is not None else None
        if done is None or lane is None:
            return
        if done.kind == "look":
            kind = "read" if done.outcome == "found" else "missing"
        elif done.kind == "begin":
            kind = "begin" if done.outcome == "begun" else "missing"
        else:
            kind = "end" if done.outcome == "done" else "failed"
        if x is not None:
            self._line(x, lane.x, step.number, "reads" if done.kind == "look" else "writes", head=False)
        self.mark(lane.x, step.number, kind, SHAPES[kind])

    def _fault(self, step: Step, x: float | None) -> None:
        subject = step.action.subject
        places = [lane.x for lane in self.lanes.engine(subject)] or [
            lane.x for lane in (self.lanes.thing(subject),) if lane is not None
        ]
        if not places and ("message", subject) in self.open:
            places = [self.open["message", subject][0]]
        for place in places or [x if x is not None else self.lanes.user.x]:
            self.mark(place, step.number, "fault", "M{x} {y}m2 -9l-7 10h5l-2 8l7 -10h-5z")

    def _line(self, x1: float, x2: float, number: int, kind: str, head: bool = True) -> None:
        shape = f"M{_n(x1)} {{y}}H{_n(x2)}"
        if head:
            shape += "m-5 -3.5l5 3.5l-5 3.5" if x2 > x1 else "m5 -3.5l-5 3.5l5 3.5"
        self.mark(x1, number, kind, shape)

    # ------------------------------------------------------------------------------------------------- the pieces

    def ended(self) -> list[_Span]:
        """Every bar; what has not ended goes on to the bottom."""
        bottom = self.count * HEIGHT
        return self.spans + [_Span(x, width, begin, bottom, kind, title) for x, width, begin, kind, title in self.open.values()]

    def pieces(self) -> Iterator[Piece]:
        """The picture, cut."""
        cut: dict[int, list[Bar]] = {}
        tall = PIECE * HEIGHT
        for span in self.ended():
            for number in range(int(span.begin // tall), int(max(span.end - 0.01, span.begin) // tall) + 1):
                top = max(span.begin - number * tall, 0)
                low = min(span.end - number * tall, tall)
                bar = Bar(span.lane_x - span.width / 2, top, span.width, max(low - top, 1), span.kind, span.title)
                cut.setdefault(number, []).append(bar)
        for number in range(-(-self.count // PIECE)):
            last = min((number + 1) * PIECE, self.count)
            paths = {kind: "".join(parts) for kind, parts in self.marks.get(number, {}).items()}
            bars = sorted(cut.get(number, ()), key=lambda bar: (_rank(bar.kind), bar.x, bar.y))
            yield Piece(
                number * PIECE + 1,
                last,
                (last - number * PIECE) * HEIGHT,
                bars,
                dict(sorted(paths.items(), key=lambda p: _rank(p[0]))),
            )


SHAPES = {
    "read": "M{x} {y}m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0",
    "missing": "M{x} {y}m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0",
    "write": "M{x} {y}m-4 -4h8v8h-8z",
    "insert": "M{x} {y}m0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z",
    "delete": "M{x} {y}m-4 -4l8 8m0 -8l-8 8",
    "none": "M{x} {y}m-3 0h6",
    "lost": "M{x} {y}m-5 -5h10v10h-10zl10 10m0 -10l-10 10",
    "begin": "M{x} {y}m-5 -4h10l-5 8z",
    "end": "M{x} {y}m-5 4h10l-5 -8z",
    "failed": "M{x} {y}m-5 -5l10 10m0 -10l-10 10",
}
"""Marks as SVG path data, around the point (x, y)."""


def _middle(number: int) -> float:
    return (number - 0.5) * HEIGHT


def _top(number: int) -> float:
    return (number - 1) // PIECE * PIECE * HEIGHT


def _rank(kind: str) -> int:
    return ORDER.index(kind) if kind in ORDER else ORDER.index(kind.partition(" ")[0])


def _n(number: float) -> str:
    """A coordinate, short."""
    return f"{number:.1f}".rstrip("0").rstrip(".")


__all__ = ["COLOURS", "HEIGHT", "PIECE", "SHAPES", "Bar", "Piece", "diagram", "outline"]
