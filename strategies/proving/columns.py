"""What a handler holds of a row counts only where somebody will look at it: the live columns of model/columns.py, as a search learns them.

A search begins as if no column of any row that is held were looked at again. Where a handler does look at one, the run that it stands in is
gone through once more, and every column that it looks at is entered wherever it was held until then. The search goes on for a while, since
there will be more to learn, and begins anew with that; and so on, until it comes to its end with nothing to notice. So what it says relies on
nothing that was not noticed: of handlers that were merged none has looked at anything in which they differ.

To be misled late is dear. So what can be learned in a smaller scenario (:func:`smaller`) is learned there, once a search was misled at all, and
what a large one may be misled by later in a few states of each level of it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import replace
from typing import Any, NamedTuple

from heatproof.model.columns import ALL, Live, Look, Rows
from heatproof.model.contents import Opaque
from heatproof.model.continuations import Held, HeldRows, Pool
from heatproof.model.design import Design
from heatproof.model.effects import Escape, Refused
from heatproof.model.errors import HeatproofError
from heatproof.model.parts import held_rows
from heatproof.model.performing import PERFORMERS
from heatproof.model.program import Node, Program
from heatproof.model.scenario import Operation, Scenario
from heatproof.model.templates import Template
from heatproof.model.world import program_for

GROWTH, SOON, LARGE, LATER = 2, 2000, 250_000, 1.1
"""A search that has something new to take into account begins anew when it has come to so many times as many states, and some more; one with
so many states when it has come to so many times as many, since the rest is learned in another way then (preparing.py)."""


class ColumnsMatter(Exception):
    """Handlers look at columns that they were not expected to look at: the search begins anew with what was learned of it; ``whole``: with all
    columns, since not everything that handlers hold can be looked into."""

    def __init__(self, whole: bool):
        super().__init__()
        self.whole = whole


class Coming(NamedTuple):
    """What becomes of the rows that came with a result, numbers ``first`` + 1 to ``last``: the columns that are looked at by row, as bits, and
    the rows that are made of others, as in :class:`Rows`."""

    first: int
    last: int
    seen: dict[int, int]
    copies: dict[int, tuple[int, int]]

    def looked(self) -> tuple[int, ...]:
        """The columns of each of these rows that are looked at, in it or in what is made of it."""
        found = [0] * (self.last - self.first)
        for row, columns in self.seen.items():
            number = row
            while number > self.last and number in self.copies:
                number, kept = self.copies[number]
                columns &= kept  # what is the same as in the row before
            if self.first < number <= self.last:
                found[number - self.first - 1] |= columns
        return tuple(found)


class WatchedProgram(Program):
    """The handlers of a design, which are sent watched rows. ``misled`` says that one looked at what it was not expected to look at: handlers
    may have been merged that go on differently, so the search goes on only to learn more."""

    def __init__(self, design: Design, scenario: Scenario, live: Live):
        plain = program_for(design, scenario)
        super().__init__(plain.handlers, PERFORMERS, plain.max_effects, plain.tables)
        self.rows = Rows(design.tables, live)
        self.misled = False
        self._news = False  # whether anything was learned since somebody asked
        self._until = 0  # how many states the search goes on to
        self._made: dict[Node, int] = {}  # how many rows the run had made
        self._dead: dict[Node, dict[int, int]] = {}  # by row that is held the columns that are not expected to be looked at
        self._before: dict[Node, dict[int, int]] = {}  # the same for a node that nobody has looked at, as it was at the node before
        self._sent: dict[Node, tuple[int, ...]] = {}  # of each row that came with the last result the columns that count, as bits
        self._coming: dict[Node, Coming] = {}  # what that is worked out from, where nobody has asked yet
        self._held: dict[Node, HeldRows] = {}  # the rows that a handler holds at nodes that somebody has learned from
        self._upto = 0  # how many rows the run had made when it was sent its last result

    def start(self, handler: str, args: tuple[Any, ...], me: Any) -> Node:
        """As in a program."""
        self.rows.made, self.rows.dead = 0, {}
        node = super().start(handler, args, me)
        self._made.setdefault(node, self.rows.made)
        return node

    def follow(self, node: Node, result: Any) -> Node:
        """As in a program."""
        rows = self.rows
        if node.gen is None:
            node.gen = self._again(node)
        rows.made, rows.dead = self._made[node], dict(self._dead.get(node, {}))
        rows.seen, rows.copies, first = {}, {}, rows.made
        child = super().follow(node, result)
        if self._upto > first:
            self._coming[child] = Coming(first, self._upto, rows.seen, rows.copies)
        self._made[child] = rows.made
        if rows.dead and child.effect is not None:
            self._before[child] = rows.dead
        return child

    def _again(self, node: Node) -> Generator[Any, Any, Any]:
        self.rows.made, self.rows.dead = 0, {}
        return super()._again(node)

    def _send(self, gen: Generator[Any, Any, Any], result: Any) -> Any:
        rows = self.rows
        sent = rows.watch(result)
        self._upto = rows.made
        rows.running = True
        try:
            return rows.plain(super()._send(gen, sent))
        except StopIteration as stop:
            if type(stop.value) is Refused:  # anything else that a handler returns is told nobody
                self._leaves(stop.value)
                stop.value = rows.plain(stop.value)
            raise
        except Escape as escaped:
            self._leaves(escaped)
            escaped.args = rows.plain(escaped.args)
            raise
        finally:
            rows.running = False

    def _leaves(self, value: Any) -> None:
        """The user is told of this later: all rows in it have been looked at."""
        rows = self.rows
        try:
            for row in held_rows(value):
                rows.looked(row, ALL)
        except Opaque:  # any row may be behind it
            rows.noticed |= bool(rows.dead)
            rows.seen |= dict.fromkeys(range(1, rows.made + 1), ALL)

    # ------------------------------------------------------------------------------------------------- what is live

    def looking(self) -> HeldRows:
        """What is to take down the rows that a handler holds, for :meth:`found`."""
        return HeldRows(self.rows)

    def found(self, node: Node, held: HeldRows | None) -> None:
        """A handler that has just come to a node was looked at; None: it cannot be looked into, which raises :class:`ColumnsMatter`."""
        if held is None:
            raise ColumnsMatter(True)
        before, dead, whole = self._before.pop(node, None), dict[int, int](), set[int]()
        coming = self._coming.get(node)
        for row, place in held.met:
            number, every = row._number, row._every
            live = every if place is None else place.columns(type(row))[1]
            if coming is not None:
                coming.seen[number] = coming.seen.get(number, 0) | live
            if place is None:
                whole.add(number)
            if before and before.get(number, 0) & live:
                self.rows.noticed = True
            if every & ~live:
                dead[number] = dead.get(number, 0) | every & ~live
        if whole & dead.keys():
            self.rows.noticed = True
        if dead:
            self._dead[node] = dead

    def looked(self, node: Node) -> tuple[int, ...]:
        """Which columns a handler at a node, which has been looked at, has looked at or will, of each row that came with its last result, as bits."""
        coming = self._coming.pop(node, None)
        if coming is not None:
            self._sent[node] = coming.looked()
        return self._sent.get(node, ())

    def forget(self, node: Node) -> None:
        """Nobody goes on from this node."""
        self._dead.pop(node, None)

    def check(self, node: Node | None, pool: Pool) -> None:
        """Learn from it if the handler that has just come to a node looked at what it was not expected to look at. Raises
        :class:`ColumnsMatter` if there is nothing to be learned from it."""
        if self.rows.noticed:
            assert node is not None
            self.rows.noticed = False
            new = self._learn(node, pool)
            if not new and not self.misled:
                raise ColumnsMatter(True)
            self._news |= new
            self.misled = True

    def outdated(self, states: int, ended: bool) -> bool:
        """Whether a search that has come to so many states, or to its end, is to begin anew."""
        if self._news:
            self._until, self._news = int((LATER if states > LARGE else GROWTH) * states) + SOON, False
        return self.misled and (ended or states > self._until)

    def _learn(self, node: Node, pool: Pool) -> bool:
        """Enter the columns that the run up to a node looks at wherever they are held before; whether that is anything new."""
        rows, events = self.rows, list[Look | HeldRows]()
        gen = self._call(node.root)
        rows.made, rows.log = 0, []
        try:
            for known in node.path():
                fresh = Node(node.root, None, None, gen)
                self.nodes -= 1
                self._resume(fresh, known.result)
                events += rows.log
                rows.log.clear()
                if fresh.effect is not None:
                    held = self._held.get(known)
                    if held is None:
                        held = HeldRows(rows)
                        if pool.of(gen, held=Held(lambda version: True), rows=held) is None:
                            return False
                        # the same run again holds rows of the same numbers; what a row holds in columns that count only since then is
                        # looked at by the search that begins anew
                        self._held[known] = held
                    events.append(held)
        finally:
            rows.log = None
        return _enter(events)


def _enter(events: Iterable[Look | HeldRows]) -> bool:
    """Backwards through a run: what is looked at later is live wherever it is held."""
    live: dict[int, int] = {}
    new = False
    for event in reversed(list(events)):
        if isinstance(event, Look):
            columns = live.get(event.row, 0) & event.columns if event.source else event.columns
            row = event.source or event.row
            live[row] = live.get(row, 0) | columns
            continue
        for row, place in event.met:  # what other runs look at that come by here
            there = row._every if place is None else place.columns(type(row))[1]
            live[row._number] = live.get(row._number, 0) | there
        for row, place in event.met:
            if place is not None:
                new = place.add(type(row), live[row._number]) or new
    return new


# ------------------------------------------------------------------------------------------------------- a smaller scenario


def smaller(scenario: Scenario) -> Scenario | None:
    """The scenario without the last of the resources that no other requires; None if there would be none left, or it cannot be left out."""
    templates = [operation.template for operation in scenario.operations if operation.template is not None]
    names = dict.fromkeys(name for template in templates for name in template.order)
    required = {other for template in templates for one in template.resources for other in one.requires()}
    asked = {operation.resource for operation in scenario.operations}
    for name in reversed(names):
        if len(names) > 1 and name not in required and name not in asked:
            try:
                return replace(scenario, operations=tuple([_without(name, operation) for operation in scenario.operations]))
            except HeatproofError:
                return None
    return None


def _without(name: str, operation: Operation) -> Operation:
    template = operation.template
    if template is None:
        return operation
    return operation._replace(template=Template([one for one in template.resources if one.name != name]))
