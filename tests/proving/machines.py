"""Designs that are drawn: each handler is a little machine that goes through a program, a tuple of instructions.

Its registers are local variables, so what a handler holds while others go on (rows, engines, tasks, physical things) is whatever the program makes
of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

from hypothesis import strategies as st

from heatproof.model import effects as fx
from heatproof.model.design import Design
from heatproof.model.effects import Body, Handler, Me
from heatproof.model.observation import Change, Observation
from heatproof.model.reality import Spec
from heatproof.model.scenario import Operation, Scenario, create, scenario, update
from heatproof.model.templates import EMPTY
from heatproof.model.watching import WorldObservation
from heatproof.model.world import World
from heatproof.properties.base import EVERY, Property, Witness, always, at_rest, witness
from tests.proving.plain_state import State


class Cell(NamedTuple):
    """A row with what anybody may write, an owner and a version."""

    id: str
    value: Any = 0
    owner: str | None = None
    version: int = 0


CELL = fx.Table("cell", Cell, index=("owner",))

Instruction = tuple[str, int, int]
"""What to do, with two small numbers: a register or a cell, and another register, a cell, a program, or how many to skip."""

WORDS = ("again", "take", "keep", "same", "skip", "put", "claim", "free", "fence", "add", "move", "tell", "scan", "insert", "delete", "read", "query",
         "send", "spawn", "listen", "cancel", "sleep", "late", "probe", "begin", "change", "finish", "see", "guard", "stop")  # fmt: skip

VALUES = (1, True, None, "w", ("w", 0), 1.0)


class Gone(fx.Escape):
    """A cell is not there."""


class Machines(Design):
    """Programs, by number: that of create is the first, that of update the second, those of messages and tasks the others. ``sent``: which of
    these are sent by create before it begins with its own. ``labels``: whether messages are called by what they carry."""

    name = "machines"
    tables = (CELL,)
    messages = ("work",)
    operations = {"create": "first", "update": "second"}  # noqa: RUF012  # as designs have it
    survives = EVERY
    programs: tuple[tuple[Instruction, ...], ...] = ()
    sent: tuple[int, ...] = ()
    labels = True

    def __repr__(self) -> str:
        parts = ("programs", "sent", "labels", "acknowledge", "order", "front", "versions")
        return f"Machines({', '.join(f'{part}={getattr(self, part)!r}' for part in parts)})"

    def first(self, me: Me, number: int, operation: Operation) -> Handler:
        yield fx.Insert("M-1", CELL, Cell("A"))
        for program in self.sent:
            yield fx.Send("M-1", "work", (self.later(program),))
        return (yield from self.run(me, 0))

    def second(self, me: Me, number: int, operation: Operation) -> Handler:
        return (yield from self.run(me, 1))

    def work(self, me: Me, program: int) -> Handler:
        yield from self.run(me, program)

    def run(self, me: Me, program: int) -> Handler:
        r: list[Any] = [None, None]
        guarded, at = False, 0
        code = self.programs[program]
        while at < len(code):
            what, a, b = code[at]
            at += 1
            if what == "again":
                yield fx.Send("M-25", "work", (max(program, 2),))
            elif what == "skip":
                at += 0 if r[a] else b + 1
            elif what == "guard":
                guarded = True
            elif what == "stop":
                return fx.Refused("stopped") if r[a] else None
            else:
                try:
                    yield from self.do(me, r, what, a, b)
                except fx.DatabaseError as error:
                    if not guarded:
                        raise
                    r[a] = type(error).__name__
        return None

    def do(self, me: Me, r: list[Any], what: str, a: int, b: int) -> Handler:
        """One instruction that does not change where the program goes on."""
        cell, row = "AB"[b], r[a] if isinstance(r[a], Cell) else None
        match what:
            case "take":  # a column of a row that is held
                r[a] = row[1 + b] if row is not None else r[a]
            case "keep":
                r[a] = (me.engine, me.task)[b]
            case "same":
                r[a] = r[0] == r[1]
            case "put":
                yield fx.Update("M-2", CELL, cell, {"value": _plain(r[a])})
            case "claim":
                r[a] = yield fx.Update("M-3", CELL, cell, {"owner": me.engine}, where={"owner": None})
            case "free":
                r[a] = yield fx.Update("M-4", CELL, cell, {"owner": None}, where={"owner": me.engine})
            case "fence" if row is not None:
                new = {"version": row.version + 1, "value": _next(row.value)}
                r[a] = yield fx.Update("M-5", CELL, row.id, new, where={"version": row.version})
            case "add":
                r[a] = yield fx.Transaction("M-6", _add, (cell,))
            case "move":
                r[a] = yield fx.Transaction("M-7", _move, (cell, "AB"[a]))
            case "tell":
                r[a] = yield fx.Transaction("M-8", _tell, ("AB"[a], self.later(b)))
            case "scan":
                r[a] = yield fx.Transaction("M-24", _scan, (cell,))
            case "insert":
                r[a] = yield fx.Insert("M-9", CELL, Cell(cell, VALUES[a]))
            case "delete":
                r[a] = yield fx.Delete("M-10", CELL, {"id": cell})
            case "read":
                r[a] = yield fx.Read("M-11", CELL, cell)
            case "query":
                r[a] = tuple(found.id for found in (yield fx.Query("M-12", CELL, {"owner": me.engine if b else None})))
            case "send":
                yield fx.Send("M-13", "work", (self.later(b),), to=(None, me.engine)[a])
            case "spawn":
                yield fx.Spawn("M-14", "work", (self.later(b),))
            case "listen":
                yield fx.Listen("M-15", b)
            case "cancel":
                yield fx.Cancel("M-16", b)
            case "sleep":
                yield fx.Sleep("M-17")
            case "late":
                r[a] = yield fx.Expired("M-18", b)
            case "probe" if isinstance(r[a], str) and r[a].startswith("E"):
                r[a] = yield fx.Probe("M-19", r[a])
            case "begin":
                r[a] = yield fx.Begin("M-20", "create", cell, Spec(cell, fails=("create",) if a else ()), "c", b)
            case "change" if isinstance(r[a], str) and "." in r[a]:
                yield fx.Begin("M-21", ("delete", "check")[b], r[a], None, "c", b)
            case "finish" if isinstance(r[a], str) and "." in r[a]:
                r[a] = yield fx.Finish("M-22", r[a])
            case "see":
                seen = yield fx.Look("M-23", f"{cell}.1")
                r[a] = None if seen is None else seen.state

    def later(self, number: int) -> int:
        """One of the programs of messages."""
        return min(2 + number, len(self.programs) - 1)

    def label(self, message: str, args: tuple[Any, ...]) -> str:
        return f"{message}({args[0]})" if self.labels else message

    def observe(self, world: World) -> WorldObservation:
        observation = WorldObservation(world)
        observation.resources = world.database.rows[CELL]
        return observation


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Cell) else value


def _next(value: Any) -> int:
    return 0 if value == 1 else 1


def _add(cell: str) -> Body:
    row = yield fx.Read("M-6", CELL, cell)
    if row is None:
        raise Gone(cell)
    yield fx.Update("M-6", CELL, cell, {"value": _next(row.value)})
    return row.value


def _move(source: str, target: str) -> Body:
    row = yield fx.Read("M-7", CELL, source)
    yield fx.Update("M-7", CELL, target, {"value": None if row is None else row.value})
    if row is None:
        raise Gone(source)
    return tuple(found.id for found in (yield fx.Query("M-7", CELL, {"value": row.value})))


def _scan(cell: str) -> Body:
    before = yield fx.Query("M-24", CELL, {"owner": None})
    row = yield fx.Read("M-24", CELL, cell)
    after = yield fx.Query("M-24", CELL, {"owner": None})
    return (len(before), None if row is None else row.value, len(after))


def _tell(cell: str, program: int) -> Body:
    row = yield fx.Read("M-8", CELL, cell)
    if row is not None and row.value != 1:
        yield fx.Update("M-8", CELL, cell, {"value": 1})
        yield fx.Send("M-8", "work", (program,))
    return row


# ------------------------------------------------------------------------------------------------------ what is seen of them


def text(rows: Mapping[Any, Any], alive: Mapping[str, Any] | None = None) -> str:
    """What the rows are, apart from versions and from which engine is which; ``alive``: the engines, where it counts whether they live."""
    return " ".join(f"{row.id}={anonymous(row.value)}/{_owned(row.owner, alive)}" for row in sorted(rows.values()))


def anonymous(value: Any) -> str:
    return re.sub(r"E\d(/\d)?", "E", repr(value))


def _owned(owner: str | None, alive: Mapping[str, Any] | None) -> str:
    return "nobody" if owner is None else "somebody" if alive is None else "alive" if owner in alive else "dead"


@always("nothing", "Nothing is ever written.", ["cell"])
def nothing(observation: Observation, change: Change) -> Witness | None:
    """One kind for whatever the rows are."""
    return witness(text(observation.resources)) if observation.resources else None


@always("remembering", "Remembers the values that there were.", ["cell"])
def remembering(observation: Observation, change: Change) -> Witness | None:
    """Holds."""
    if seen := watched(observation.resources):
        observation.remember("seen", observation.memory.get("seen", frozenset()) | {seen})
    return None


@at_rest("no rest", "Nothing comes to rest.")
def resting(observation: Observation) -> Iterator[Witness]:
    """One kind for whatever there is at rest."""
    yield witness(rest(observation.resources, observation.engines, [request.outcome for request in observation.requests],
                       {thing.id: thing.state for thing in observation.reality.values()}, observation.memory.get("seen", frozenset())))  # fmt: skip


def rest(rows: Any, engines: Any, requests: list[str], things: dict[str, str], seen: frozenset[str]) -> str:
    """What there is at rest."""
    return f"{text(rows, engines)}; {requests}; {sorted(things.items())}; {sorted(seen)}"


def watched(rows: Mapping[Any, Any]) -> str:
    """What is remembered of rows: the value of B; an empty text where there is no B."""
    return anonymous(rows["B"].value) if "B" in rows else ""


def kinds(states: list[State], depths: list[int], rests: list[bool]) -> dict[tuple[str, str], int]:
    """The kinds of violations of these properties there are in some states, and the least depth of each."""
    found: dict[tuple[str, str], int] = {}
    for state, depth, at in zip(states, depths, rests, strict=True):
        rows = state.rows["cell"]
        if rows:
            found.setdefault((nothing.name, text(rows)), depth)
        if at and state.issued:
            things = {thing.id: thing.state for thing in state.things.values()}
            outcomes = [outcome for _, (outcome, _) in sorted(state.requests.items())]
            found.setdefault((resting.name, rest(rows, state.idle, outcomes, things, state.seen)), depth)
    return found


# -------------------------------------------------------------------------------------------------------------------- drawn

FAULTS = ("crash", "restart", "lose", "duplicate", "abort", "disconnect", "fail", "fail-always", "conflict", "not-found", "change",
          "vanish", "sicken", "overtake", "PMP", "G-single", "G2-item", "P4", "timeout", "false-dead")  # fmt: skip

PHRASES = (("read", "fence"), ("read", "take", "same"), ("keep", "put"), ("claim", "skip", "free"), ("begin", "finish"),
           ("begin", "finish", "change"), ("see", "put"), ("scan", "put"), ("read", "take", "probe"))  # fmt: skip
"""What does something only together, on one register."""

INSTRUCTIONS = st.tuples(st.sampled_from([*((word,) for word in WORDS), *PHRASES]), st.integers(0, 1), st.integers(0, 1)).map(
    lambda drawn: [(word, *drawn[1:]) for word in drawn[0]]
)
PROGRAM = st.lists(INSTRUCTIONS, min_size=1, max_size=4).map(lambda parts: tuple(chain.from_iterable(parts)))


@st.composite
def designs(draw: st.DrawFn) -> Machines:
    """A design, of two programs for operations and up to three for messages."""
    body = {
        "programs": tuple(draw(st.lists(PROGRAM, min_size=3, max_size=5))),
        "sent": tuple(draw(st.lists(st.integers(0, 2), max_size=2))),
        "labels": draw(st.booleans()),
        "acknowledge": draw(st.sampled_from(["early", "late"])),
        "order": draw(st.sampled_from(["bag", "bag", "fifo"])),
        "front": draw(st.sampled_from(["", "", "api"])),
        "versions": draw(st.sampled_from([{}, {"cell": ("version",)}])),
    }
    made: Machines = type("Machines", (Machines,), body)()
    return made


@st.composite
def scopes(draw: st.DrawFn) -> Scenario:
    """A scenario of one or two operations, with at most two kinds of faults."""
    faults = draw(st.lists(st.sampled_from(FAULTS), max_size=2, unique=True))
    if faults == ["restart"]:
        faults.append("crash")
    operations = [create(EMPTY), update(EMPTY)][: draw(st.integers(1, 2))]
    engines, threads, reorder = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.booleans())
    return scenario(
        *operations, engines=engines, threads=threads, reorder=reorder, faults=dict.fromkeys(faults, draw(st.integers(1, 2)))
    )


PROPERTIES: list[Property] = [nothing, resting]
