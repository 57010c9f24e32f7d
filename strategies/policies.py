"""Policies: what picks the next action of the system. Users and faults are timed by the runner, not here.

Every policy is made for one run, from one :class:`random.Random`, and picks from a non-empty list of progress actions. No single
policy wins (Thomson et al. 2014; field notes 4.2), so runs take theirs from a portfolio.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple, Protocol

from heatproof.model import effects as fx
from heatproof.model.errors import ScenarioError
from heatproof.model.world import Action, World


class Policy(Protocol):
    """Picks what happens next."""

    def choose(self, world: World, actions: Sequence[Action]) -> Action:
        """One of ``actions``, all of which are enabled."""


class Fifo:
    """The default: the oldest task to its end, then the oldest message. Fair and boring."""

    def __init__(self, rng: Random):
        pass

    def choose(self, world: World, actions: Sequence[Action]) -> Action:
        """What the default policy does."""
        return world.default() or actions[0]


class Lockstep:
    """Every task one step in turn: tasks that started together meet at the same rows."""

    def __init__(self, rng: Random):
        self.turn = 0

    def choose(self, world: World, actions: Sequence[Action]) -> Action:
        """The next in turn."""
        self.turn += 1
        return actions[self.turn % len(actions)]


class Uniform:
    """Every enabled action with the same probability."""

    def __init__(self, rng: Random):
        self.random = rng.random

    def choose(self, world: World, actions: Sequence[Action]) -> Action:
        """Any."""
        return actions[int(self.random() * len(actions))]


class Sticky:
    """Go on with the same task with a probability drawn once for the run (0.5, 0.8 or 0.95), else any."""

    def __init__(self, rng: Random):
        self.random = rng.random
        self.stay = rng.choice((0.5, 0.8, 0.95))
        self.last: Action | None = None

    def choose(self, world: World, actions: Sequence[Action]) -> Action:
        """The last action again, if it is enabled."""
        if self.last is not None and self.random() < self.stay and self.last in actions:
            return self.last
        action = actions[int(self.random() * len(actions))]
        self.last = action if action.kind == "step" else Action("step", action.subject)
        return action


class Chains:
    """PCT over causal chains (Ozkan et al., OOPSLA 2018): each chain of messages has a random priority; at d - 1 random moments
    the chain that runs falls below all others."""

    def __init__(self, rng: Random, depth: int | None = None, length: int = 250):
        depth = depth or rng.choice((2, 3, 5, 8))
        self.random = rng.random
        self.changes = {rng.randrange(length) for _ in range(depth - 1)}
        self.priority: dict[str, float] = {}
        self.floor = 0.0

    def choose(self, world: World, actions: Sequence[Action]) -> Action:
        """The enabled action of the highest priority."""
        priority = self.priority
        best, top = actions[0], -1e9
        for action in actions:
            value = priority.get(action.subject)
            if value is None:
                value = priority[action.subject] = self._inherit(world)
            if value > top:
                best, top = action, value
        if len(world.log) in self.changes:
            self.floor -= 1.0
            priority[best.subject] = self.floor
        return _anywhere(best, actions, self.random)

    def _inherit(self, world: World) -> float:
        """What the last step has made possible goes on with the chain of its task or begins a new one, as a coin says."""
        entry = world.log[-1] if world.log else None
        if entry is not None and entry.task is not None and self.random() < 0.5:
            return self.priority.get(entry.task.name, self.random())
        return self.random()


class Pos:
    """Partial order sampling (Yuan et al., CAV 2018): a random priority for each next event, drawn again for those that race
    with the event that runs."""

    def __init__(self, rng: Random):
        self.random = rng.random
        self.priority: dict[str, float] = {}

    def choose(self, world: World, actions: Sequence[Action]) -> Action:
        """The enabled action of the highest priority."""
        priority, random = self.priority, self.random
        best, top = actions[0], -1.0
        for action in actions:
            value = priority.get(action.subject)
            if value is None:
                value = priority[action.subject] = random()
            if value > top:
                best, top = action, value
        mine = world.next_access(best)
        for action in actions:
            if action is not best and racing(mine, world.next_access(action)):
                priority[action.subject] = random()
        priority.pop(best.subject, None)
        return _anywhere(best, actions, random)


def _anywhere(action: Action, actions: Sequence[Action], random: Callable[[], float]) -> Action:
    """A step as it is; a delivery to any of the engines that can take the message, which share its priority."""
    if action.kind != "deliver":
        return action
    same = [other for other in actions if other.subject == action.subject]
    return same[int(random() * len(same))]


WRITES = (fx.Insert, fx.Update, fx.Delete, fx.Transaction)


def _writes(effect: Any) -> bool:
    return type(effect) in WRITES and not getattr(effect, "reads_only", False)


def racing(one: Any, other: Any) -> bool:
    """Whether the order of two effects can matter: they touch the same row, or one asks for rows of a table the other
    writes, and at least one of them writes. A transaction may touch anything in the database."""
    if one is None or other is None:
        return False
    kinds = type(one), type(other)
    if kinds[0] not in fx.DATABASE or kinds[1] not in fx.DATABASE:
        return kinds[0] in (fx.Begin, fx.Finish) and kinds[1] in (fx.Begin, fx.Finish)
    if not _writes(one) and not _writes(other):
        return False
    if fx.Transaction in kinds:
        return True
    if one.table is not other.table:
        return False
    keys = [getattr(e, "key", None) for e in (one, other)]
    return None in keys or keys[0] == keys[1]


class Entry(NamedTuple):
    """A policy as it is listed: its maker and a sentence."""

    make: Callable[[Random], Policy]
    sentence: str


POLICIES: dict[str, Entry] = {
    "fifo": Entry(Fifo, "the oldest task to its end, then the oldest message"),
    "lockstep": Entry(Lockstep, "every task one step in turn"),
    "random": Entry(Uniform, "any enabled action"),
    "sticky": Entry(Sticky, "mostly the same task"),
    "pct": Entry(Chains, "random priorities for chains of messages, with a few changes (PCT)"),
    "pos": Entry(Pos, "random priorities for events, drawn again where they race (POS)"),
}
PORTFOLIO = ("pos", "pct", "random", "sticky", "pos", "pct", "lockstep", "random", "fifo")
"""The policies that runs take turns with; shares as in field notes 4.5."""


def make(name: str, rng: Random) -> Policy:
    """A policy by name. Raises :class:`ScenarioError` for an unknown one."""
    entry = POLICIES.get(name)
    if entry is None:
        raise ScenarioError(f"unknown policy {name!r}; known are {', '.join(POLICIES)}")
    return entry.make(rng)
