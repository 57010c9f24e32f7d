"""Schedules as deviations from the default policy, by name.

A deviation says: where the default policy would have done *this* (a task before one of its steps, or a delivery), do *that* instead.
Its anchor names the task, which of the tasks of that name, the step id and which time the task comes to it; no position in the run. So a
deviation keeps its meaning when others are dropped, when the scenario shrinks, and when the design around it is edited.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from heatproof.model.errors import NotEnabled
from heatproof.model.faults import FAULTS
from heatproof.model.world import Action, World
from heatproof.strategies.running import TAIL, Driver, Laps


class Anchor(NamedTuple):
    """A choice of the default policy: what it would do, to the ``life``-th task or message of that name, before the ``time``-th
    arrival at ``step``."""

    kind: str
    subject: str
    life: int = 1
    step: str = ""
    time: int = 1

    def __str__(self) -> str:
        life = f" (no. {self.life})" if self.life > 1 else ""
        if self.kind == "step":
            return f"{self.subject}{life} before {self.step}" + (f" (time {self.time})" if self.time > 1 else "")
        return f"{self.kind} {self.subject}{life}" if self.kind != "end" else "at the end"


class Deviation(NamedTuple):
    """Where the default policy would have done ``anchor``, do ``instead``."""

    anchor: Anchor
    instead: Action

    def __str__(self) -> str:
        return f"instead of {self.anchor}: {self.instead}"


END = Anchor("end", "")


class Anchors:
    """Names the default policy's choices in one run."""

    def __init__(self, world: World):
        self.world = world
        self.lives: dict[str, int] = {}

    def performed(self, action: Action) -> None:
        """An action was done."""
        if action.kind in ("deliver", "operate", "settle"):
            self._lives_again(action.subject)
        newest = next(reversed(self.world.tasks.values()), None)
        if newest is not None and newest.seq[0] == len(self.world.log) - 1 and newest.name != action.subject:  # spawned
            self._lives_again(newest.name)

    def _lives_again(self, subject: str) -> None:
        self.lives[subject] = self.lives.get(subject, 0) + 1

    def of(self, action: Action | None) -> Anchor:
        """The anchor of what the default policy would do."""
        if action is None:
            return END
        life = self.lives.get(action.subject, 0) + (action.kind != "step")
        if action.kind != "step":
            return Anchor(action.kind, action.subject, max(life, 1))
        node = self.world.nodes[action.subject]
        effect = node.effect
        step = effect.step if effect is not None else ""
        time = sum(1 for n in node.path() if n.effect is not None and n.effect.step == step)
        return Anchor("step", action.subject, max(life, 1), step, time)


def deviate(world: World, default: Action | None, instead: Action) -> None:
    """Tell the default policy that it is overruled. What merely happens beside (a fault that is no step of the task) holds nothing
    back; an operation or another choice holds back what would have been done."""
    if default is not None and (instead.kind not in FAULTS or instead.kind == "slow") and instead.subject != default.subject:
        world.pass_over(default)


def record(driver: Driver, actions: Iterable[Action]) -> list[Deviation]:
    """Perform exactly these actions; the deviations of that schedule. Raises :class:`NotEnabled` where one does not fit.

    Where the actions end before rest, the driver asks whether rest would come.
    """
    world, anchors = driver.world, Anchors(driver.world)
    deviations = []
    for action in actions:
        default = world.default()
        if action != default:
            deviations.append(Deviation(anchors.of(default), action))
            deviate(world, default, action)
        driver.perform(action)
        anchors.performed(action)
    if world.at_rest:
        driver.rest()
    elif driver.judges_ends:
        driver.look_ahead()
    return deviations


def places(world: World) -> list[int]:
    """Where the run of ``world`` deviated from the default policy: the numbers of these actions, from 1."""
    again = world.design.open(world.scenario, world.program)
    found = []
    for number, entry in enumerate(world.log, 1):
        default = again.default()
        if entry.action != default:
            found.append(number)
            deviate(again, default, entry.action)
        again.perform(entry.action)
    return found


class Replayed(NamedTuple):
    """A replay by deviations: how it ended (``rest``, ``circle`` or ``cut``) and which deviations found no place."""

    end: str
    unused: list[Deviation]


def replay(driver: Driver, deviations: Sequence[Deviation], limit: int = TAIL) -> Replayed:
    """Run under the default policy, deviating where an anchor fits. A deviation whose action is not possible there is skipped."""
    world, anchors = driver.world, Anchors(driver.world)
    pending: dict[tuple[str, str], list[Deviation]] = {}
    for deviation in deviations:
        pending.setdefault((deviation.anchor.kind, deviation.anchor.subject), []).append(deviation)
    unused: list[Deviation] = []
    laps = Laps(world)
    while len(world.log) < limit:
        default = world.default()
        if pending:
            key = (default.kind, default.subject) if default is not None else ("end", "")
            waiting = pending.get(key)
            if waiting:
                fitting = _fitting(waiting, anchors.of(default))
                if fitting is not None:
                    waiting.remove(fitting)
                    if not waiting:
                        del pending[key]
                    if not _try(driver, anchors, default, fitting.instead):
                        unused.append(fitting)
                    continue
        if default is None:
            driver.rest()
            break
        driver.perform(default)
        anchors.performed(default)
        if driver.judges_ends and not pending and (began := laps.began()) is not None:
            driver.went_round(began, began)
            return Replayed("circle", unused)
    left = [d for waiting in pending.values() for d in waiting]
    return Replayed("rest" if world.at_rest else "cut", unused + left)


def _fitting(waiting: list[Deviation], here: Anchor) -> Deviation | None:
    for deviation in waiting:
        if deviation.anchor == here:
            return deviation
    return None


def _try(driver: Driver, anchors: Anchors, default: Action | None, action: Action) -> bool:
    world = driver.world
    mark = len(world.journal)
    deviate(world, default, action)
    try:
        driver.perform(action)
    except NotEnabled:
        world.database.rollback(mark)
        return False
    anchors.performed(action)
    return True
