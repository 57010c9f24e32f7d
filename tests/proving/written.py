"""Designs that are written anew each time: their handlers are text in Python, drawn from a grammar of statements.

The machines of machines.py hold what they hold in the registers of one loop. What is drawn here holds it as people do: in locals, on the stack of an
expression, in iterators, closures, generators that wait for others, lists under two names and objects.
"""

from __future__ import annotations

import collections
import contextlib
import copy
import itertools
import operator
import re
import types
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from textwrap import indent
from typing import Any, NamedTuple

from hypothesis import strategies as st

from heatproof.model import effects as fx
from heatproof.model.design import Design
from heatproof.model.effects import Body, Handler, Me
from heatproof.model.reality import Spec
from heatproof.model.scenario import Operation
from heatproof.model.watching import WorldObservation
from heatproof.model.world import World
from heatproof.properties.base import EVERY
from tests.proving.machines import CELL, Cell, Gone
from tests.proving.statements import (
    BEFORE,
    BEFORE_POLLING,
    FORGETTING,
    GRAMMAR,
    HOLDING,
    LOOPS,
    POLLING,
    STATEMENTS,
    VARIABLES,
    WAITING,
    WHOLE,
)


class Pair(NamedTuple):
    """A row with a key of two columns, which may refer to a cell."""

    left: str
    right: int
    cell: str | None = None
    note: Any = None
    stamp: int = 0


PAIR = fx.Table("pair", Pair, key=("left", "right"), references={"cell": CELL})


class Box:
    """A thing that is what it is, and not what it holds."""

    def __init__(self, row: Any = None):
        self.row, self.other = row, row


@dataclass(frozen=True)
class Frozen:
    """A thing that is what it holds."""

    value: Any
    row: Any
    other: Any = None


class Slotted:
    """A thing without a dictionary."""

    __slots__ = ("other", "row")

    def __init__(self, row: Any):
        self.row = row
        self.other = None


def ticks(value: Any) -> Iterator[Any]:
    """A generator that is no handler."""
    count = num(value)
    while True:
        got = yield count
        count = step(count) if got is None else num(got)


@contextlib.contextmanager
def holding(box: Any, row: Any) -> Iterator[Any]:
    """Let a box hold something for a while."""
    if isinstance(box, Frozen):
        yield row
        return
    before, box.row = box.row, row
    try:
        yield row
    finally:
        box.row = before


class Written(Design):
    """What the drawn designs have in common. ``polls``: the handlers that wait in loops, and hold nothing but locals."""

    name = "written"
    tables = (CELL, PAIR)
    messages = ("work0", "work1", "work2")
    operations = {"create": "first", "update": "second"}  # noqa: RUF012  # as designs have it
    survives = EVERY
    polls: frozenset[str] = frozenset()
    text = ""
    patient = False

    def __repr__(self) -> str:
        return f"\n{self.text}"

    def may_ask(self, world: World, operation: Operation) -> bool:
        return self.willing(world.database.rows[CELL])

    def willing(self, rows: Any) -> bool:
        """Whether the user asks the next operation while there are these cells."""
        return not (self.patient and "B" in rows)

    def observe(self, world: World) -> WorldObservation:
        observation: Any = WorldObservation(world)
        observation.resources = world.database.rows[CELL]
        observation.pairs = world.database.rows[PAIR]
        return observation  # type: ignore[no-any-return]  # an attribute was put on it


# ------------------------------------------------------------------------------------- what is drawn may call these by name


def val(row: Any) -> Any:
    """What a cell holds."""
    return None if row is None else row.value


def num(value: Any) -> int:
    """A small number."""
    return value if isinstance(value, int) and 0 <= value < 3 else 0


def step(value: Any) -> int:
    """Another one."""
    return (num(value) + 1) % 3


def key(value: Any) -> str:
    """The key of a cell."""
    return value if isinstance(value, str) and value in ("A", "B") else "A"


def tall(*columns: Any) -> int:
    """How many of these there are."""
    return sum(1 for column in columns if column)


def adds(where: str, value: Any) -> Body:
    """A transaction that sees what it writes."""
    row = yield fx.Read("T-1", CELL, where)
    if row is None:
        raise Gone(where)
    yield fx.Update("T-2", CELL, where, {"value": step(row.value)})
    found = yield fx.Query("T-3", CELL, {"value": value})
    return tuple(other.id for other in found)


def links(where: str, right: int) -> Body:
    """A transaction that may fail in its middle."""
    yield fx.Update("T-4", CELL, where, {"value": 2})
    with suppress(fx.Duplicate):
        yield fx.Insert("T-5", PAIR, Pair(where, right, "B"))
    yield fx.Send("T-6", "work2", (right,))
    return (yield fx.Query("T-7", PAIR, {"cell": "B"}))


def counts(row: Any) -> Body:
    """A transaction that is given a row."""
    now = yield fx.Read("T-8", CELL, "A")
    if row is not None and now is not None and now.value == row.value:
        yield fx.Update("T-9", CELL, "A", {"value": row.owner})
    return row == now


def twice(me: Me, row: Any, times: int = 1) -> Handler:
    """A helper that calls itself."""
    if times:
        inner = yield from twice(me, row, times - 1)
        yield fx.Update("H-1", CELL, "A", {"value": val(row)}, where={"value": inner})
    return row.owner if row is not None else None


def walks(rows: Any) -> Handler:
    """A helper with a loop, an exception that it holds, and an end that comes in any case."""
    seen = []
    try:
        for row in rows:
            seen.append(row)
            yield fx.Update("H-2", CELL, row.id, {"value": step(row.value)})
            if len(seen) > 1 and seen[0].owner == row.owner:
                raise Gone(row.id)
    except fx.Escape as error:
        yield fx.Sleep("H-3")
        return type(error).__name__
    finally:
        yield fx.Update("H-4", CELL, "A", {"owner": None})
    return seen[-1].value if seen else None


# -------------------------------------------------------------------------------------------------------------------- drawn


class _Writer:
    """Writes handlers, drawing what stands where."""

    def __init__(self, draw: st.DrawFn):
        self.draw, self.steps, self.number, self.polling, self.loops = draw, 0, 0, False, 0
        self.holds = draw(st.booleans())
        self.theme: list[str] = []

    def one_of(self, templates: Sequence[str]) -> str:
        """One of these; most often one about the variables that this handler is about, so that what one statement holds another looks at."""
        near = [template for template in templates if any(re.search(rf"\b{name}\b", template) for name in self.theme)]
        return self.draw(st.sampled_from(near if near and self.draw(st.integers(0, 3)) else templates))

    def block(self, depth: int, most: int) -> str:
        """Some statements."""
        return "\n".join(self.statement(depth) for _ in range(self.draw(st.integers(1, most))))

    def several(self) -> str:
        """A handler of any statements."""
        return self.block(2, 5)

    def waiting(self) -> str:
        """A handler that reads what others write, holds it in some way while it waits, and then writes what it makes of it."""
        still = [template for template in (*STATEMENTS, *HOLDING) if "yield" not in template and "{V}" not in template]
        lines = [
            "c = yield fx.Read({s}, CELL, 'A')\nx = val(c)",
            self.drawn(still, 1, 4),
            "yield fx.Sleep({s})",
            self.drawn(still, 0, 2),
            "yield fx.Update({s}, CELL, 'A', {'value': {V}})",
        ]
        return "\n".join(self.filled(line, 0) for line in lines if line)

    def forking(self) -> str:
        """A handler that comes to hold the like in two ways, by what it has read; what has told it so is gone before it goes on."""
        still = [template for template in (*STATEMENTS, *HOLDING) if "yield" not in template and "{V}" not in template]
        ways = [indent(self.drawn(still, 1, 4), "    ") for _ in range(2)]
        lines = [
            self.draw(st.sampled_from(["", "c = yield fx.Read({s}, CELL, 'A')", "c = yield fx.Read({s}, CELL, 'A')\nx = val(c)"])),
            self.drawn(still, 0, 2),
            f"if x:\n{ways[0]}\nelse:\n{ways[1]}",
            self.drawn(FORGETTING, 1, 3),
            "yield fx.Update({s}, CELL, 'A', {'value': 0})",
            "yield fx.Sleep({s})",
            self.drawn(still, 0, 3),
            "yield fx.Update({s}, CELL, 'A', {'value': {V}})",
        ]
        return "\n".join(self.filled(line, 0) for line in lines if line)

    def drawn(self, templates: Sequence[str], least: int, most: int) -> str:
        """Some of these, one below the other."""
        return "\n".join(self.one_of(templates) for _ in range(self.draw(st.integers(least, most))))

    def statement(self, depth: int) -> str:
        choice = [*POLLING] if self.polling else [*STATEMENTS, *(HOLDING if self.holds else ()), *(WHOLE if depth else ())]
        if self.loops:
            choice += LOOPS
        return self.filled(
            self.one_of([template for template in choice if depth or not {"{B}", "{L}"} & set(template.split())]),
            depth,
        )

    def filled(self, template: str, depth: int) -> str:
        """The text of a template, with something in each of its holes."""
        found = []
        for line in template.split("\n"):
            if line.strip() in ("{B}", "{L}"):
                self.loops += (looped := line.strip() == "{L}")
                held, self.loops = self.loops, self.loops if looped else 0
                found.append(indent(self.block(depth - 1, 2), line[: line.index("{")]))
                self.loops = held - looped
            else:
                found.append(re.sub(r"\{(\w)\}", lambda hole: self.hole(hole[1], depth), line))
        return "\n".join(found)

    def hole(self, symbol: str, depth: int) -> str:
        if symbol in "st":
            self.steps += 1
            return f'"{symbol.upper()}-{self.steps}"'
        if symbol == "H":
            return f'"work{self.draw(st.integers(min(self.number, 2), 2))}"'
        holes = {**GRAMMAR, **WAITING} if self.polling else GRAMMAR
        return self.filled(self.one_of(holes[symbol]), depth)

    def handler(self, name: str, arguments: str, first: str, polls: bool) -> str:
        """A handler; what it sends is handled by those that come after it."""
        self.polling, self.theme = polls, self.draw(st.lists(st.sampled_from(VARIABLES), min_size=1, max_size=2))
        write = self.draw(st.sampled_from([self.several, self.waiting, self.forking])) if not polls else self.several
        body = write()
        body += "" if "yield" in first + body else "\nyield fx.Sleep('S-0')"
        self.number += 1
        return f"    def {name}(self, me, {arguments}):\n" + indent(
            f"{first}{BEFORE_POLLING if polls else BEFORE}\n{body}", "        "
        )


@st.composite
def sources(draw: st.DrawFn) -> str:
    """The text of a module with a design."""
    writer = _Writer(draw)
    polls = draw(st.sampled_from([(), (), ("work1",), ("work2",), ("second",), ("second", "work2")]))
    some = [
        'yield fx.Insert("F-1", CELL, Cell("A"))\n',
        'yield fx.Insert("F-1", CELL, Cell("A"))\nyield fx.Insert("F-2", CELL, Cell("B", 1))\n',
    ]
    head = {
        "acknowledge": draw(st.sampled_from(["early", "late"])),
        "order": draw(st.sampled_from(["bag", "bag", "fifo"])),
        "front": draw(st.sampled_from(["", "", "api"])),
        "versions": draw(st.sampled_from([{}, {"cell": ("version",)}, {"cell": ("version",), "pair": ("stamp",)}])),
        "polls": frozenset(polls),
        "patient": draw(st.sampled_from([False, False, True])),
    }
    sent = "".join(
        f'yield fx.Send("F-3", "work{which}", ({value},))\n'
        for which in draw(st.lists(st.integers(0, 2), max_size=3))
        for value in draw(st.sampled_from([(0,), (1,), (0, 1)]))
    )
    parts = [
        writer.handler("first", "number, operation", draw(st.sampled_from(some)) + sent + "x = None\n", False),
        writer.handler("second", "number, operation", "x = None\n", "second" in polls),
    ]
    writer.number = 1
    parts += [writer.handler(f"work{which}", "x=None", "", f"work{which}" in polls) for which in range(3)]
    lines = [f"    {name} = {value!r}" for name, value in head.items()]
    return (
        "\n\n".join(
            [
                '"""Drawn."""\n\nfrom tests.proving.written import *\n\n\nclass Drawn(Written):\n    """Drawn."""',
                "\n".join(lines),
                *parts,
            ]
        )
        + "\n"
    )


def made(text: str) -> Written:
    """The design of a module with this text."""
    names: dict[str, Any] = {"__name__": __name__}
    exec(compile(text, "drawn.py", "exec"), names)
    names["Drawn"].text = text
    design: Written = names["Drawn"]()
    return design


__all__ = [
    "CELL",
    "PAIR",
    "Box",
    "Cell",
    "Frozen",
    "Gone",
    "Pair",
    "Slotted",
    "Spec",
    "Written",
    "adds",
    "collections",
    "contextlib",
    "copy",
    "counts",
    "fx",
    "holding",
    "itertools",
    "key",
    "links",
    "num",
    "operator",
    "partial",
    "step",
    "suppress",
    "tall",
    "ticks",
    "twice",
    "types",
    "val",
    "walks",
]
