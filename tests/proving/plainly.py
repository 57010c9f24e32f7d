"""A second opinion: all runs of a design, by an interpreter that shares nothing with the model but the effects that handlers yield.

What the search says is held against it. So it uses no world, no program, no database and no monitor of heatproof: a state is what was written
down (rows, messages, and of each task all that it was ever sent), a handler is run again from its beginning whenever it goes on, and nothing is
merged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from typing import Any

from heatproof.model import effects as fx
from heatproof.model.design import Design
from heatproof.model.scenario import Scenario
from heatproof.properties.base import Property
from tests.proving.plain_asked import ask, ask_at_rest, outcome
from tests.proving.plain_state import (
    ACCESSES,
    ANOMALIES,
    OUTCOMES,
    Answer,
    Message,
    State,
    Task,
    access,
    begin,
    came_to,
    finish,
    forgotten,
    moments,
    unused,
)  # fmt: skip


class Plainly:
    """A design and a scenario. ``watch`` says what a property remembers of a state after each action, or an empty text. ``counts``: whether the
    accesses of each operation are part of a state."""

    def __init__(self, design: Design, scenario: Scenario, watch: Callable[[State], str] = lambda state: "", counts: bool = False,
                 properties: Sequence[Property] = ()):  # fmt: skip
        self.design, self.scenario, self.watch, self.counts, self.properties = design, scenario, watch, counts, properties
        self.budget = {kind: count for kind, count in scenario.faults.items() if count}
        self.handlers = design.handlers()
        self._shortest: dict[str, tuple[Answer, ...]] = {}
        self._known: dict[str, tuple[Any, Any, Any]] = {}
        self.late, self.fifo = design.acknowledge == "late", design.order == "fifo" or not scenario.scope.reorder

    def first(self) -> State:
        """Nothing was asked yet."""
        scope = self.scenario.scope
        return State(
            list(self.design.tables),
            {f"E{number}": scope.threads for number in range(1, scope.engines + 1)},
            dict(self.budget),
        )

    def moves(self, state: State) -> Iterator[tuple[str, State]]:
        """What can happen next, and the state after it."""
        for name, then in (*self._progress(state), *self._asked(state), *self._struck(state)):
            if seen := self.watch(then):
                then.seen |= {seen}
            if self.properties:
                then.changes += _changed("request", state.requests, then.requests) + _changed("reality", state.things, then.things)
                ask(then, self, self.properties)
            yield name, then

    def at_rest(self, state: State) -> set[Any]:
        """What the properties say of a state in which nothing goes on."""
        return ask_at_rest(state, self, self.properties) if state.issued and self.rests(state) else set()

    def rests(self, state: State) -> bool:
        """Whether nothing goes on by itself."""
        return not state.tasks and not list(self._progress(state))

    # ----------------------------------------------------------------------------------------------- what goes on by itself

    def _progress(self, state: State) -> Iterator[tuple[str, State]]:
        for task in state.tasks.values():
            then = state.copy()
            effect = self._effect(task)
            self._sent(then, task, self._done(then, task, effect))
            yield f"step {task.name}", then
        first: dict[Any, str] = {}
        for message in state.messages.values():
            if self.fifo and first.setdefault((message.handler, message.to), message.name) != message.name:
                continue
            for engine, idle in state.idle.items():
                if idle and message.to in (None, engine):
                    then = state.copy()
                    del then.messages[message.name]
                    then.idle[engine] -= 1
                    self._start(then, Task(message.name, message.handler, message.args, engine, message, 0, message.origin))
                    yield f"deliver {message.name} to {engine}", then
        for thing in state.things.values():
            if any(not work.task for work in thing.busy):
                then = state.copy()
                finish(then, "", thing.id, "done")
                yield f"settle {thing.id}", then
        if not state.idle:
            yield from self._restarted(state)

    def _restarted(self, state: State) -> Iterator[tuple[str, State]]:
        for engine, fresh in state.down.items():
            then = state.copy()
            del then.down[engine]
            then.idle[fresh] = self.scenario.scope.threads
            yield f"restart {engine}", then

    def _asked(self, state: State) -> Iterator[tuple[str, State]]:
        number = state.issued + 1
        if number > len(self.scenario.operations) or not getattr(self.design, "willing", lambda cells: True)(state.rows["cell"]):
            return
        operation = self.scenario.operations[number - 1]
        label = self.design.operation_label(number, operation)
        for engine in [self.design.front] if self.design.front else list(state.idle):
            then = state.copy()
            then.issued = number
            then.requests[number] = ("running", "")
            handler = self.design.operations[operation.kind]
            self._start(then, Task(unused(then, label), handler, (number, operation), engine, None, number, number * self.counts))
            yield f"operate {label} at {engine}", then

    # ------------------------------------------------------------------------------------------------------ what goes wrong

    def _struck(self, state: State) -> Iterator[tuple[str, State]]:
        for kind, left in state.faults.items():
            for subject, then in self._strikes(kind, state) if left else ():
                then.faults[kind] -= 1
                yield f"{kind} {subject}", then

    def _strikes(self, kind: str, state: State) -> Iterator[tuple[str, State]]:
        if kind == "crash":
            for engine in state.idle:
                yield engine, self._crashed(state, engine)
        elif kind == "restart":
            yield from self._restarted(state) if state.idle else ()
        elif kind in ("lose", "duplicate"):
            for message in state.messages.values():
                then = state.copy()
                if kind == "lose":
                    del then.messages[message.name]
                else:
                    self._post(then, message.handler, message.args, message.to, message.origin)
                yield message.name, then
        elif kind == "overtake":
            first = {(message.handler, message.to): message.name for message in reversed(state.messages.values())}
            for message in state.messages.values():
                if self.fifo and first[message.handler, message.to] != message.name:
                    then = state.copy()
                    then.messages = {message.name: message, **then.messages}
                    yield message.name, then
        elif kind in ANOMALIES:
            for task in state.tasks.values():
                effect = self._effect(task)
                if isinstance(effect, fx.Transaction) and task.name not in state.split:
                    accesses = self._inside(state.copy(), effect)
                    if count := moments(accesses).get(kind):
                        then = state.copy()
                        then.split[task.name] = tuple(answer for _, answer in accesses[:count])
                        yield task.name, then
        elif kind in ("vanish", "sicken", "change"):
            for thing in [thing for thing in state.things.values() if thing.state == "healthy" and not thing.drifted]:
                then = state.copy()
                if kind == "vanish":
                    del then.things[thing.id]
                elif kind == "change" and thing.spec.properties:
                    then.things[thing.id] = thing._replace(drifted=True)
                elif kind == "change":
                    continue
                else:
                    then.things[thing.id] = thing._replace(state="unhealthy")
                yield thing.id, then
        elif kind == "timeout":
            asked = {effect.topic for task in state.tasks.values() if isinstance(effect := self._effect(task), fx.Expired)}
            asked |= {work.topic for thing in state.things.values() for work in thing.busy if work.task and work.topic is not None}
            for topic in asked - state.expired:
                then = state.copy()
                then.expired.add(topic)
                yield str(topic), then
        else:
            for task in state.tasks.values():
                then = state.copy()
                answer = self._spoilt(kind, then, task, self._effect(task))
                if answer is not None:
                    self._sent(then, task, answer)
                    yield task.name, then

    def _spoilt(self, kind: str, state: State, task: Task, effect: Any) -> Answer | None:
        """How an effect ends that this fault strikes; None: it cannot strike there."""
        writes = isinstance(effect, fx.Insert | fx.Update | fx.Delete) or (
            isinstance(effect, fx.Transaction) and not effect.reads_only
        )
        if kind == "abort" and writes:
            state.split.pop(task.name, None)
            return Answer(fx.Aborted("deadlock"), True)
        if kind == "disconnect" and writes:
            answer = self._done(state, task, effect)
            return answer if answer.raised else Answer(fx.Disconnected("connection lost after commit"), True)
        if kind in OUTCOMES and isinstance(effect, fx.Finish) and effect.physical in state.things:
            if kind == "fail-always":
                state.broken.add(state.things[effect.physical].spec.name)
            return Answer(finish(state, task.name, effect.physical, OUTCOMES[kind]))
        if kind == "false-dead" and isinstance(effect, fx.Probe) and effect.engine in state.idle:
            return Answer(False)
        return None

    def _crashed(self, state: State, engine: str) -> State:
        then = state.copy()
        del then.idle[engine]
        base, _, life = engine.partition("/")
        then.down[engine] = f"{base}/{int(life or 1) + 1}"
        for task in [task for task in state.tasks.values() if task.engine == engine]:
            del then.tasks[task.name]
            if task.number:
                then.requests[task.number] = ("lost", f"{engine} died")
            forgotten(then, task.name)
            if self.late and task.message is not None and task.message.to is None:
                then.messages[task.name] = Message(task.name, task.handler, task.args, None, task.origin)
        if self.fifo:  # what comes back is where it was: it had been taken before all that wait
            came = [name for name in then.messages if name not in state.messages]
            then.messages = {name: then.messages[name] for name in (*came, *state.messages)}
        for message in [message for message in then.messages.values() if message.to == engine]:
            del then.messages[message.name]
        return then

    # ---------------------------------------------------------------------------------------------------- tasks and messages

    def _run(self, task: Task) -> tuple[Any, Any, Any]:
        """What a handler is about to do, or what it has returned, or what has left it."""
        told = repr((task.name, task.handler, task.args, task.engine, task.sent))
        if told not in self._known:
            self._known[told] = self._run_again(task)
        return self._known[told]

    def _run_again(self, task: Task) -> tuple[Any, Any, Any]:
        handler = self.handlers[task.handler](fx.Me(task.engine, task.name), *task.args)
        try:
            effect = next(handler)
            for answer in task.sent:
                effect = handler.throw(deepcopy(answer.value)) if answer.raised else handler.send(answer.value)
        except StopIteration as end:
            return None, end.value, None
        except fx.Escape as error:
            return None, None, error
        return effect, None, None

    def _effect(self, task: Task) -> Any:
        return self._run(task)[0]

    def _standing(self, task: Task) -> str:
        """Where a handler stands that holds nothing but locals, and what they are: who stands alike goes on alike, whatever it was sent."""
        handler, stands = self.handlers[task.handler](fx.Me(task.engine, task.name), *task.args), []
        with suppress(StopIteration, fx.Escape):
            next(handler)
            for answer in task.sent:
                handler.throw(deepcopy(answer.value)) if answer.raised else handler.send(answer.value)
            stands = [handler.gi_frame.f_lasti, sorted(handler.gi_frame.f_locals.items(), key=str)]
        return repr((task.name, task.handler, task.args, task.engine, stands or task.sent))

    def _start(self, state: State, task: Task) -> None:
        state.tasks[task.name] = task
        self._end(state, task)

    def _sent(self, state: State, task: Task, answer: Answer) -> None:
        effect = self._effect(task)
        state.event = (effect.step, outcome(effect, answer))
        if self.counts and isinstance(effect, ACCESSES):
            state.accesses[task.origin] = state.accesses.get(task.origin, 0) + 1
        sent = (*task.sent, answer)
        if task.handler in getattr(self.design, "polls", ()):
            sent = self._shortest.setdefault(self._standing(task._replace(sent=sent)), sent)
        state.tasks[task.name] = task = task._replace(sent=sent)
        self._end(state, task)

    def _end(self, state: State, task: Task) -> None:
        """Take the task away if it has nothing more to do."""
        effect, value, error = self._run(task)
        if effect is not None:
            return
        del state.tasks[task.name]
        if task.message is not None:
            state.idle[task.engine] += 1
        if task.number:
            refused = isinstance(value, fx.Refused)
            state.requests[task.number] = (
                ("escaped", str(error)) if error else ("refused", value.reason) if refused else ("accepted", "")
            )
        forgotten(state, task.name)

    def _post(self, state: State, handler: str, args: tuple[Any, ...], to: str | None, origin: int) -> None:
        if to is None or to in state.idle:
            name = unused(state, self.design.label(handler, args))
            state.messages[name] = Message(name, handler, args, to, origin)

    # -------------------------------------------------------------------------------------------------------------- effects

    def _done(self, state: State, task: Task, effect: Any) -> Answer:
        """Do an effect; how it ends."""
        match effect:
            case fx.Transaction():
                return self._transacted(state, effect, task.origin, state.split.pop(task.name, ()))
            case fx.Read() | fx.Query() | fx.Insert() | fx.Update() | fx.Delete():
                return access(state, effect)
            case fx.Send():
                self._post(state, effect.message, effect.args, effect.to, task.origin)
                return Answer(None)
            case fx.Spawn():
                name = unused(state, self.design.label(effect.handler, effect.args))
                self._start(state, Task(name, effect.handler, effect.args, task.engine, None, 0, task.origin))
                return Answer(None)
            case fx.Probe():
                return Answer(effect.engine in state.idle)
            case fx.Listen():
                state.listens[task.name] = (*state.listens.get(task.name, ()), effect.topic)
                return Answer(None)
            case fx.Cancel():
                beside = (name for name in state.tasks if state.tasks[name].engine == task.engine)
                state.told |= {name for name in beside if effect.topic in state.listens.get(name, ())}
                return Answer(None)
            case fx.Sleep():
                return Answer(None)
            case fx.Expired():
                return Answer(effect.topic in state.expired)
            case fx.Begin():
                return Answer(begin(state, task.name, effect))
            case fx.Finish():
                return Answer(finish(state, task.name, effect.physical, came_to(state, task.name, effect.physical)))
            case fx.Look():
                return Answer(state.things.get(effect.physical))
        raise AssertionError(effect)

    def _inside(self, state: State, effect: fx.Transaction) -> list[tuple[Any, Answer]]:
        """The accesses of a transaction as it would be done now, each with how it ends."""
        done: list[tuple[Any, Answer]] = []
        self._transacted(state, effect, 0, (), done)
        return done

    def _transacted(
        self,
        state: State,
        effect: fx.Transaction,
        origin: int,
        known: tuple[Answer, ...],
        done: list[tuple[Any, Answer]] | None = None,
    ) -> Answer:
        before, changes = state.copy(), list(state.changes)
        body, sends = effect.body(*effect.args), []
        answer = Answer(None)
        try:
            while True:
                inner = body.throw(answer.value) if answer.raised else body.send(answer.value)
                if isinstance(inner, fx.Send):
                    sends.append(inner)
                    answer = Answer(None)
                else:
                    answer = known[0] if known else access(state, inner)
                    known = known[1:]
                    if done is not None:
                        done.append((inner, answer))
        except StopIteration as end:
            for sent in sends:
                self._post(state, sent.message, sent.args, sent.to, origin)
            return Answer(end.value)
        except fx.Escape as error:
            state.rows, state.used, state.changes = before.rows, before.used, changes
            return Answer(error, True)


def _changed(aspect: str, before: dict[Any, Any], after: dict[Any, Any]) -> list[tuple[str, Any, Any]]:
    keys = [*after, *(key for key in before if key not in after)]
    return [(aspect, key, before.get(key)) for key in keys if before.get(key) != after.get(key)]
