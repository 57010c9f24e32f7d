"""COMPLETE means converged: the same four statements at the moment COMPLETE is written and at rest. P2 of heat-algorithm.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from heatproof.model.observation import Change, Observation, StackView, Template
from heatproof.properties.base import DRIFT, EVERY, Property, Witness, witness
from heatproof.properties.facts import claims_convergence, complete, goal, serving, things, wanted

CALM = EVERY - DRIFT


def _there(observation: Observation, stack: StackView, template: Template) -> Iterator[Witness]:
    for name in template.names:
        thing = serving(observation, stack, name)
        if thing is None:
            yield witness("no physical resource", stack=stack.id, resource=name)
        elif thing.state != "healthy":
            yield witness("not healthy", stack=stack.id, resource=name, physical=thing.id, state=thing.state)


def _as_defined(observation: Observation, stack: StackView, template: Template) -> Iterator[Witness]:
    for definition in template.resources:
        thing = serving(observation, stack, definition.name)
        if thing is None or thing.state != "healthy":
            continue
        if thing.spec.kind != definition.kind:
            yield witness("wrong class", resource=definition.name, physical=thing.id, is_=thing.spec.kind, wanted=definition.kind)
            continue
        has = dict(thing.spec.properties)
        for name, value in wanted(observation, stack, definition).items():
            if has.get(name) != value:
                yield witness(
                    "wrong property", resource=definition.name, physical=thing.id, property=name, is_=has.get(name), wanted=value
                )
                break


def _nothing_else(observation: Observation, stack: StackView, template: Template) -> Iterator[Witness]:
    serves = {thing.id for name in template.names if (thing := serving(observation, stack, name)) is not None}
    for thing in things(observation, stack.id):
        if thing.id not in serves:
            kind = "superfluous copy" if thing.name in template else "not in the template"
            yield witness(kind, resource=thing.name, physical=thing.id, made_by=thing.made_by)


def _no_work(observation: Observation, stack: StackView, template: Template) -> Iterator[Witness]:
    for thing in things(observation, stack.id):
        for operation in thing.busy:
            if operation.operation != "check":
                yield witness(
                    "operation in progress", physical=thing.id, operation=operation.operation, by=operation.task or "the dead"
                )


STATEMENTS: tuple[tuple[str, str, Callable[[Observation, StackView, Template], Iterator[Witness]], tuple[str, ...]], ...] = (
    ("everything is there", "each resource of the template has a healthy physical resource that a row knows", _there,
     ("no physical resource", "not healthy")),
    ("everything is as defined", "each physical resource has the class and the resolved properties of its definition", _as_defined,
     ("wrong class", "wrong property")),
    ("nothing else is there", "no physical resource exists that does not serve a name of the template", _nothing_else,
     ("superfluous copy", "not in the template")),
    ("nothing is in progress", "no physical operation is going on", _no_work, ("operation in progress",)),
)  # fmt: skip


def _when_written(statement: Callable[[Observation, StackView, Template], Iterator[Witness]]) -> Callable[..., Witness | None]:
    def check(observation: Observation, change: Change) -> Witness | None:
        stack, old = change.new, change.old
        if stack is None or not claims_convergence(stack):
            return None
        if old is not None and claims_convergence(old) and old.traversal == stack.traversal:
            return None
        template = goal(observation, stack)
        return None if template is None else next(statement(observation, stack, template), None)

    return check


def _when_resting(statement: Callable[[Observation, StackView, Template], Iterator[Witness]]) -> Callable[..., Iterator[Witness]]:
    def check(observation: Observation) -> Iterator[Witness]:
        for stack, template in complete(observation):
            yield from statement(observation, stack, template)

    return check


WRITTEN = tuple(
    Property(f"COMPLETE is written: {name}", "always", f"When COMPLETE is written, {sentence}.", CALM, frozenset({"stack"}),
             _when_written(statement), kinds=kinds)
    for name, sentence, statement, kinds in STATEMENTS
)  # fmt: skip

RESTING = tuple(
    Property(f"COMPLETE at rest: {name}", "at rest", f"At rest, if the stack is COMPLETE, {sentence}.", CALM,
             check=_when_resting(statement), kinds=kinds)
    for name, sentence, statement, kinds in STATEMENTS
)  # fmt: skip
