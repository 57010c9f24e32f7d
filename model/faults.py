"""The faults: what the world does on its own. A table of kinds, each with a sentence, its possible targets and its injection.

Each kind is switched on by giving it a budget in the scenario; every injection uses one up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from heatproof.model import anomalies, engines
from heatproof.model import effects as fx
from heatproof.model.canonical import canonical
from heatproof.model.database import MISSING
from heatproof.model.errors import DesignError, NotEnabled, ScenarioError
from heatproof.model.reality import drift_of

if TYPE_CHECKING:
    from heatproof.model.program import Node
    from heatproof.model.world import Action, Entry, World

WRITES = (fx.Insert, fx.Update, fx.Delete, fx.Transaction)
HOLDS = {"stall": ("10", "40", "rest"), "pause": ("10", "40"), "slow": ("10", "40")}
"""For how many actions a message, an engine or a physical operation may be held back; ``rest``: until nothing else can run, or for
long only those that sleep."""

PATIENCE = 300
"""Actions after which the default policy stops passing over a task that a deviation held back, and those that only sleep no longer count as
something else that can run: it stays fair."""

_REST = 10_000_000  # longer than any run, and than the six digits of any other time


class Fault(NamedTuple):
    """One kind of fault: what ``domain`` its subjects come from (see ``DOMAINS``), whether it ``fits`` one of them now, and
    ``strike``, which does it and enters it into the log."""

    kind: str
    layer: str
    sentence: str
    domain: str
    fits: Callable[[World, str], bool]
    strike: Callable[[World, Action], Entry]

    def targets(self, world: World) -> list[str]:
        """The subjects it could strike now."""
        return [name for name in DOMAINS[self.domain](world) if self.fits(world, name)]

    def can_strike(self, world: World, subject: str) -> bool:
        """Whether it could strike this subject now; looks at nothing else."""
        return subject in DOMAINS[self.domain](world) and self.fits(world, subject)


def _things(world: World) -> Collection[str]:
    return world.reality.things


DOMAINS: dict[str, Callable[[World], Collection[str]]] = {
    "message": lambda world: world.bag,
    "task": lambda world: world.tasks,
    "engine": lambda world: world.free,
    "dead engine": lambda world: world.down,
    "thing": _things,
    "clock": lambda world: _clocks(world),
}
"""Where the subjects of faults come from."""


def _always(_world: World, _subject: str) -> bool:
    return True


# ------------------------------------------------------------------------------------------------------- messages


def _lose(world: World, action: Action) -> Entry:
    engines.lose(world, action.subject)
    return world.note(action)


def _duplicate(world: World, action: Action) -> Entry:
    message = world.bag[action.subject]
    world.post(message.handler, message.args, message.to)
    return world.note(action)


def _hold(world: World, action: Action) -> Entry:
    until = len(world.log) + _REST if action.detail == "rest" else len(world.log) + int(action.detail or "10")
    world.put(world.held, action.subject, until)
    return world.note(action)


def _waits_behind(world: World, name: str) -> bool:
    return not world.any_order and all(message.name != name for message in world.deliverable())


def _overtake(world: World, action: Action) -> Entry:
    message = world.bag[action.subject]
    first = world.deliverable()[0]
    ahead = type(message)(message.name, message.handler, message.args, message.to, (-1 - len(world.log), first.seq[1]))
    world.put(world.bag, message.name, MISSING)
    items = list(world.bag.items())
    for name, _ in items:
        world.put(world.bag, name, MISSING)
    world.put(world.bag, ahead.name, ahead)
    for name, other in items:
        world.put(world.bag, name, other)
    return world.note(action)


# -------------------------------------------------------------------------------------------------------- engines


def _crash(world: World, action: Action) -> Entry:
    engines.crash(world, action.subject)
    return world.note(action)


def _probes(world: World, name: str) -> bool:
    effect = world.nodes[name].effect
    return type(effect) is fx.Probe and effect.engine in world.free


def _false_dead(world: World, action: Action) -> Entry:
    return _with_result(world, action, False)


# ------------------------------------------------------------------------------------------------------- database


def _writes(world: World, name: str) -> bool:
    effect = world.nodes[name].effect
    return type(effect) in WRITES and not (type(effect) is fx.Transaction and effect.reads_only)


def _abort(world: World, action: Action) -> Entry:
    world.put(world.split, action.subject, MISSING)
    return _with_result(world, action, fx.Thrown(fx.Aborted("deadlock")))


def _disconnect(world: World, action: Action) -> Entry:
    node = world.nodes[action.subject]
    result = node.perform(world, world.tasks[action.subject], node.effect)
    if type(result) is not fx.Thrown:  # what is not committed is no commit to lose the connection after
        result = fx.Thrown(fx.Disconnected("connection lost after commit"))
    return _with_result(world, action, result)


# -------------------------------------------------------------------------------------------------------- reality


def _finishes(world: World, name: str) -> bool:
    effect = world.nodes[name].effect
    return type(effect) is fx.Finish and effect.physical in world.reality.things


def _unheld(world: World, name: str) -> bool:
    return world.held.get(name, 0) <= len(world.log)


def _outcome(outcome: str) -> Callable[[World, Action], Entry]:
    def strike(world: World, action: Action) -> Entry:
        effect = world.nodes[action.subject].effect
        assert isinstance(effect, fx.Finish)
        return _with_result(world, action, world.reality.finish(action.subject, effect.physical, outcome))

    return strike


def _fail_always(world: World, action: Action) -> Entry:
    effect = world.nodes[action.subject].effect
    assert isinstance(effect, fx.Finish)
    world.reality.break_name(world.reality.things[effect.physical].name)
    return _with_result(world, action, world.reality.finish(action.subject, effect.physical, "failed"))


def _stands(world: World, physical: str) -> bool:
    thing = world.reality.things[physical]
    return thing.state == "healthy" and not thing.drifted


def _vanish(world: World, action: Action) -> Entry:
    world.reality.remove(action.subject)
    return world.note(action)


def _changeable(world: World, physical: str) -> bool:
    return _stands(world, physical) and bool(world.reality.things[physical].spec.properties)


def _change(world: World, action: Action) -> Entry:
    drifted = drift_of(world.reality.things[action.subject])
    world.reality.change(action.subject, spec=drifted.spec, drifted=True)
    return world.note(action)


def _sicken(world: World, action: Action) -> Entry:
    world.reality.change(action.subject, state="unhealthy")
    return world.note(action)


# ----------------------------------------------------------------------------------------------------------- time


def limit(node: Node | None) -> Any:
    """The time limit that a task which stands there is about to ask for; None for none."""
    return node.effect.topic if node is not None and isinstance(node.effect, fx.Expired) else None


def _clocks(world: World) -> dict[str, object]:
    topics = world.limits_asked()
    for thing in world.reality.things.values():
        topics.update(b.topic for b in thing.busy if b.topic is not None and b.task)
    found: dict[str, object] = {}
    for topic in sorted(topics - world.expired.keys(), key=canonical):
        refuse_alike(topic, found.values())
        found[str(topic)] = topic
    return found


def refuse_alike(topic: object, others: Iterable[object]) -> None:
    """Raise :class:`DesignError` if another time limit reads like this one: what runs out is said by how it reads."""
    if alike := [other for other in others if str(other) == str(topic) and other != topic]:
        raise DesignError(f"two time limits read {topic}: {alike[0]!r} and {topic!r}; call them by names that read differently")


def _timeout(world: World, action: Action) -> Entry:
    world.put(world.expired, _clocks(world)[action.subject], True)
    return world.note(action)


def _with_result(world: World, action: Action, result: object) -> Entry:
    task = world.tasks[action.subject]
    return world.advance(action, task, world.nodes[action.subject], result)


FAULTS: dict[str, Fault] = {
    f.kind: f
    for f in (
        Fault("lose", "messages", "a message is lost", "message", _always, _lose),
        Fault("duplicate", "messages", "a message is delivered twice", "message", _always, _duplicate),
        Fault("stall", "messages", "a message is held back for a while, or until nothing else can run", "message", _unheld, _hold),
        Fault("overtake", "messages", "a message overtakes an older one although their order was promised",
              "message", _waits_behind, _overtake),
        Fault("crash", "engines", "an engine dies between two effects of its tasks", "engine", _always, _crash),
        Fault("restart", "engines", "a dead engine comes back under a new id", "dead engine", lambda w, _: bool(w.free), engines.restart),
        Fault("pause", "engines", "an engine stands still for a while", "engine", _unheld, _hold),
        Fault("false-dead", "engines", "a live engine is judged dead by a probe", "task", _probes, _false_dead),
        Fault("abort", "database", "a transaction is rolled back and the caller is told (deadlock)", "task", _writes, _abort),
        Fault("disconnect", "database", "the connection is lost after the commit: the caller cannot know the outcome",
              "task", _writes, _disconnect),
        *(Fault(a.name, "database", a.sentence, "task", a.fits, a.strike) for a in anomalies.ANOMALIES),
        Fault("fail", "reality", "a physical operation fails once", "task", _finishes, _outcome("failed")),
        Fault("fail-always", "reality", "a physical operation fails, and so does every later one on that name",
              "task", _finishes, _fail_always),
        Fault("conflict", "reality", "a physical operation meets a conflict and has to be tried again",
              "task", _finishes, _outcome("conflict")),
        Fault("slow", "reality", "a physical operation takes long", "task", lambda w, n: _finishes(w, n) and _unheld(w, n), _hold),
        Fault("not-found", "reality", "a physical operation finds that its object is gone", "task", _finishes, _outcome("not found")),
        Fault("vanish", "reality", "a physical resource vanishes behind the record", "thing", _stands, _vanish),
        Fault("change", "reality", "a property of a physical resource changes behind the record", "thing", _changeable, _change),
        Fault("sicken", "reality", "a physical resource becomes unhealthy", "thing", _stands, _sicken),
        Fault("timeout", "time", "the time limit of an operation runs out while it is running", "clock", _always, _timeout),
    )
}  # fmt: skip


def enabled(world: World) -> list[Action]:
    """Every fault that could strike now within the budget left."""
    from heatproof.model.world import Action

    actions: list[Action] = []
    for kind, left in world.left.items():
        if left > 0:
            for target in FAULTS[kind].targets(world):
                if kind in HOLDS:
                    actions.extend(Action(kind, target, length) for length in HOLDS[kind])
                else:
                    actions.append(Action(kind, target))
    return actions


def remaining(until: int, now: int) -> int:
    """What is left of being held back until then: so many actions; or, where that is until nothing else can run, a number below 0: for how many
    actions it has been so, up to PATIENCE, from which on more make no difference."""
    more = until - now
    return max(0, more) if more < _REST // 10 else -1 - min(_REST - more, PATIENCE)


def holding(world: World) -> dict[str, int]:
    """Who is held back now, and until when. Whoever waits until nothing else can run does not wait for those that poll, for longer than PATIENCE
    actions: they may poll for what he brings."""
    now, held = len(world.log), world.held
    long = [name for name, until in held.items() if remaining(until, now) < -PATIENCE]
    if long and all(type(world.next_access(action)) is fx.Sleep for action in world.free_to_act(held)):
        return {name: until for name, until in held.items() if name not in long}
    return held


def inject(world: World, action: Action) -> Entry:
    """Let a fault strike. Raises :class:`NotEnabled` if it cannot, or if its budget is used up."""
    kind = action.kind
    fault = FAULTS.get(kind)
    if fault is None:
        raise NotEnabled(f"no action is called {kind!r}")
    left = world.left.get(kind, 0)
    if left < 1:
        raise NotEnabled(f"no {kind!r} is left in the fault budget")
    if not fault.can_strike(world, action.subject):
        raise NotEnabled(f"fault {kind!r} cannot strike {action.subject!r} now")
    if (
        action.detail
        and action.detail not in HOLDS.get(kind, ())
        and not (kind in HOLDS and re.fullmatch("[0-9]{1,6}", action.detail))
    ):
        raise NotEnabled(f"fault {kind!r} cannot last {action.detail!r}; take one of {', '.join(HOLDS.get(kind, ())) or 'nothing'}")
    world.put(world.left, kind, left - 1)
    world.put(world.happened, kind, world.happened.get(kind, 0) + 1)
    return fault.strike(world, action)


def refuse_unknown(budget: Mapping[str, int]) -> None:
    """Raise :class:`ScenarioError` if a budget names a fault that does not exist."""
    for kind, count in budget.items():
        if kind not in FAULTS:
            raise ScenarioError(f"unknown fault {kind!r}; known are {', '.join(FAULTS)}")
        if count < 0:
            raise ScenarioError(f"the budget for fault {kind!r} is {count}; it must be 0 or more")
