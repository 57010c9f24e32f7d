"""A world in one state as lines: tasks, messages, engines, every table, reality; with what the last action changed marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from heatproof.model.world import World
from heatproof.strategies.following import stands_before

WIDTH = 160


class Line(NamedTuple):
    """One thing of a state: of which group it is, its name, and how it is."""

    group: str
    name: str
    text: str


def lines(world: World) -> list[Line]:
    """Everything that a state has, in the order in which it is shown."""
    return [*_running(world), *_rows(world), *_reality(world)]


def shown(now: Sequence[Line], before: Sequence[Line] = ()) -> list[str]:
    """The lines as text: ``*`` before what was otherwise before, ``-`` before what is gone; nothing is marked without a before."""
    old = {(line.group, line.name): line.text for line in before}
    here = {(line.group, line.name) for line in now}
    gone = [(line, "-") for line in before if (line.group, line.name) not in here]
    marked = [(line, "*" if before and old.get((line.group, line.name)) != line.text else " ") for line in now]
    groups = list(dict.fromkeys(line.group for line in (*now, *before)))
    marked = sorted([*marked, *gone], key=lambda pair: groups.index(pair[0].group))
    width = max((len(line.group) for line, _ in marked), default=0)
    return [f"{mark} {line.group:{width}}  {line.name}: {_cut(line.text)}" for line, mark in marked]


def _running(world: World) -> Iterator[Line]:
    now = len(world.log)

    def held(name: str) -> str:
        return ", held back" if world.held.get(name, 0) > now else ""

    for engine, free in world.free.items():
        yield Line("engine", engine, f"{free} of {world.scenario.scope.threads} threads free{held(engine)}")
    for engine, successor in world.down.items():
        yield Line("engine", engine, f"down; would come back as {successor}")
    for task in world.tasks.values():
        yield Line("task", task.name, f"in {task.engine}, before {stands_before(world, task.name)}{held(task.name)}")
    for message in world.bag.values():
        yield Line("message", message.name, f"waits{f' for {message.to}' if message.to else ''}{held(message.name)}")


def _rows(world: World) -> Iterator[Line]:
    for table, rows in world.database.rows.items():
        for key in sorted(rows, key=str):
            row = rows[key]
            columns = (c for c in table.columns if c != table.key and getattr(row, c) not in (None, "", (), frozenset()))
            yield Line(table.name, _value(key), ", ".join(f"{c}={_value(getattr(row, c))}" for c in columns))


def _reality(world: World) -> Iterator[Line]:
    for key, thing in sorted(world.reality.things.items()):
        spec = ", ".join(f"{name}={_value(value)}" for name, value in thing.spec.properties)
        busy = ", ".join(f"{b.operation} by {b.task or 'a task that is gone'}" for b in thing.busy)
        parts = [thing.state, *([f"({spec})"] if spec else []), *([f"busy: {busy}"] if busy else []), f"made by {thing.made_by}"]
        yield Line("reality", key, " ".join(parts) + (", drifted" if thing.drifted else ""))


def _value(value: Any) -> str:
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(map(_value, value))) + "}"
    if type(value) is tuple:
        return "/".join(map(_value, value))
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."
