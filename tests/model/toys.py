"""Small designs made of a few functions, and how they are run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

from heatproof.model.design import Design
from heatproof.model.effects import Handler, Insert, Me, Table
from heatproof.model.scenario import Operation, Scenario, create, scenario
from heatproof.model.templates import EMPTY
from heatproof.model.world import Action, World

ASKED = ("create", "update", "delete", "signal")


class Account(NamedTuple):
    """A row of the one table that most toys need."""

    id: str
    value: int = 0
    owner: str | None = None


ACCOUNT = Table("account", Account, index=("owner",))


def toy(*, tables: tuple[Table, ...] = (ACCOUNT,), handlers: dict[str, Any] | None = None, **functions: Any) -> Design:
    """A design of these handlers, each a function of ``self``, ``me`` and its arguments. Those called create, update, delete and
    signal handle operations, the others messages; ``handlers`` are class attributes such as ``acknowledge``."""
    body: dict[str, Any] = {
        "name": "toy",
        "tables": tables,
        "messages": tuple(name for name in functions if name not in ASKED),
        "operations": {name: name for name in functions if name in ASKED},
        **functions,
        **(handlers or {}),
    }
    made: Design = type("Toy", (Design,), body)()
    return made


def accounts(*rows: Account) -> Callable[..., Handler]:
    """A create handler that inserts these rows."""

    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        for row in rows or (Account("A"), Account("B")):
            yield Insert("I-1", ACCOUNT, row)

    return create


def asking(*kinds: str, **options: Any) -> Scenario:
    """A scenario that creates a stack and then asks these operations of it."""
    later = (Operation(kind, EMPTY if kind == "update" else None, "A" if kind == "signal" else None) for kind in kinds)
    return scenario(create(EMPTY), *later, **options)


def by_default(world: World, limit: int = 5_000) -> World:
    """Run under the default policy to the end of the scenario."""
    while (action := world.default()) is not None:
        world.perform(action)
        assert len(world.log) < limit
    return world


def outcomes(world: World, of: Callable[[World], Any]) -> set[Any]:
    """What ``of`` says at the end of every schedule there is, found by doing and undoing."""
    found: set[Any] = set()
    actions = world.actions()
    if not world.progress() and not world.operations():
        found.add(of(world))
    for action in actions:
        world.perform(action)
        found |= outcomes(world, of)
        world.undo()
    return found


def step_all(world: World) -> World:
    """Run under the default policy until the world is at rest, without asking anything more."""
    while world.progress():
        action = world.default()
        assert action is not None
        world.perform(action)
    return world


def wander(world: World, seed: int, steps: int = 2_000, faultiness: float = 0.1, eagerness: float = 0.1) -> Iterator[Action]:
    """Random actions, each performed after it is yielded, until nothing is left to do but faults."""
    rng = Random(seed)
    for _ in range(steps):
        faults = world.faults() if rng.random() < faultiness else []
        asked = world.operations() if rng.random() < eagerness else []
        actions = faults or asked or world.progress() or world.operations()
        if not actions:
            return
        action = rng.choice(actions)
        yield action
        world.perform(action)


def whole(world: World) -> dict[str, Any]:
    """The complete state as values: what is a dictionary with an order as a list of its items."""
    database, reality = world.database, world.reality
    return {
        "rows": {table.name: dict(rows) for table, rows in database.rows.items()},
        "used": dict(database.used),
        "reality": (dict(reality.things), dict(reality.made), dict(reality.broken), dict(reality.alone)),
        "bag": [(m.name, m.handler, m.args, m.to, m.seq) for m in world.bag.values()],
        "tasks": [(t.name, t.handler, t.args, t.engine, t.seq, t.message) for t in world.tasks.values()],
        "nodes": {name: id(node) for name, node in world.nodes.items()},
        "engines": (list(world.free.items()), list(world.down.items())),
        "heard": (dict(world.listens), dict(world.notices), dict(world.expired), dict(world.split)),
        "held": (dict(world.held), dict(world.ranks), dict(world.slept)),
        "faults": (dict(world.left), dict(world.happened)),
        "requests": (dict(world.state), dict(world.requests), dict(world.asked)),
        "memory": dict(world.memory),
        "lengths": (len(world.log), len(world.marks), len(world.journal)),
    }


def place(function: Callable[..., Any], text: str) -> str:
    """``FILE:LINE`` of the first line of ``function`` that contains ``text``."""
    lines, first = inspect.getsourcelines(function)
    number = next(n for n, line in enumerate(lines) if text in line)
    return f"{inspect.getsourcefile(function)}:{first + number}"
