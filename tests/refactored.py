"""Heat's design, refactored in ways that change the schedules of its failures but not the failures.

``python -m tests.refactored`` prints how the stored cases of Heat's design fare on each of them: the table of docs/cases.md.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from heatproof.model.designs.heat import Heat
from heatproof.model.designs.heat.resource import Job
from heatproof.model.designs.heat.sync import NONE, decode, senders
from heatproof.model.designs.heat.values import (
    CREDENTIALS,
    RESOURCE,
    STACK,
    TEMPLATE,
    C,
    CredentialsRow,
    StackCopy,
    StackRow,
    TemplateRow,
)
from heatproof.model.effects import Delete, Effect, Handler, Insert, Listen, Me, Query, Read, Send, Transaction, Update
from heatproof.model.templates import EMPTY
from heatproof.properties.catalogue import ALL
from heatproof.reports import cases
from heatproof.reports.judging import Judgement, judge

FOLDER = Path(__file__).parents[1] / "reports" / "regressions" / "heat"
STORED = sorted(FOLDER.glob("*.case.json"))


def translated(handler: Handler, change: Callable[[Any], list[Any]]) -> Handler:
    """A handler each effect of which is exchanged for those that ``change`` makes of it, the last of which has its result."""
    result, thrown = None, None
    while True:
        try:
            effect = handler.send(result) if thrown is None else handler.throw(thrown)
        except StopIteration as stop:
            return stop.value
        *before, last = change(effect)
        for one in before:  # noqa: UP028  # what is sent back would go to the list
            yield one
        result, thrown = None, None
        try:
            result = yield last
        except Exception as error:
            thrown = error


class Translated(Heat):
    """Every effect of every handler goes through ``change``."""

    def handlers(self) -> dict[str, Callable[..., Handler]]:
        def wrapped(handler: Callable[..., Handler]) -> Callable[..., Handler]:
            return lambda *args: translated(handler(*args), self.change)

        return {name: wrapped(handler) for name, handler in super().handlers().items()}

    def change(self, effect: Any) -> list[Any]:
        return [effect]


class RenamesHelpers(Heat):
    """Methods that handlers consist of have other names."""

    def check_node(self, *args: Any) -> Handler:
        yield from self.look_at_one_node(*args)

    def look_at_one_node(self, *args: Any) -> Handler:
        yield from super().check_node(*args)

    def lock(self, job: Job, action: str, *more: Any, **options: Any) -> Handler:
        yield from self.take_the_lock(job, action, *more, **options)

    def take_the_lock(self, job: Job, action: str, *more: Any, **options: Any) -> Handler:
        yield from super().lock(job, action, *more, **options)


class RenamesSteps(Translated):
    """Every step has another id."""

    def change(self, effect: Any) -> list[Any]:
        return [e._replace(step=f"{e.step.lower()}.1") for e in super().change(effect)]


class RenamesTasks(Heat):
    """Messages and tasks are called otherwise, and so are the operations."""

    def label(self, message: str, args: tuple[Any, ...]) -> str:
        kind, _, rest = super().label(message, args).partition("(")
        return f"{kind} node <{rest.rstrip(')')}>"

    def operation_label(self, number: int, operation: Any) -> str:
        return f"{number}: {operation.kind}"


class RenamesMessages(Translated):
    """The message check_resource is called check, with its handler."""

    messages = ("check", "cancel_check_resource")

    def handlers(self) -> dict[str, Callable[..., Handler]]:
        return super().handlers()

    def check(self, *args: Any, **options: Any) -> Handler:
        # Heat's own ``check`` takes a job; the message takes the identity of its task
        if isinstance(args[0], Job):
            return (yield from super().check(*args, **options))
        return (yield from self.check_resource(*args, **options))

    def label(self, message: str, args: tuple[Any, ...]) -> str:
        return super().label("check_resource" if message == "check" else message, args)

    def change(self, effect: Any) -> list[Any]:
        return [effect._replace(message="check") if type(effect) is Send and effect.message == "check_resource" else effect]


class ReadsMore(Heat):
    """A worker looks at the stack before it looks at its resource, and a request looks at the stack first."""

    def check_resource(self, me: Me, rid: str, *more: Any) -> Handler:
        yield Query("W-3a", STACK, {"deleted": False})
        yield from super().check_resource(me, rid, *more)

    def update_stack(self, me: Me, number: int, operation: Any) -> Handler:
        yield Query("U-0", RESOURCE, {"stack": operation.stack})
        return (yield from super().update_stack(me, number, operation))


class ReadsBeforeWrites(Translated):
    """Every row is read once more before it is written by key."""

    def change(self, effect: Any) -> list[Any]:
        if type(effect) is Update:
            return [Read(f"{effect.step}+", effect.table, effect.key), effect]
        return [effect]


class SplitsLoading(Heat):
    """W-5 is two reads instead of one transaction."""

    def check_resource(
        self, me: Me, rid: str, kind: str, traversal: str, data: Any = frozenset(), skip: bool = False, failures: Any = NONE
    ) -> Handler:
        row = yield Read("W-4", RESOURCE, rid)
        if row is None:
            return
        loaded = yield Read("W-5a", STACK, row.stack)
        template = yield Read("W-5b", TEMPLATE, loaded.template)
        if template is None:
            return
        st, content = StackCopy(loaded), template.content
        before = yield from self.definition_before(row, kind, traversal, st, content)
        if before is False:
            return
        if traversal != st.traversal:
            yield from self.retrigger_replaced(row, kind, st)
            return
        yield Listen("W-8", st.id)
        job = Job(me, traversal, kind, row, st, before, content.get(row.name), decode(data), senders(data))
        yield from self.check_node(job, content, data, skip, failures)


class SplitsCompletion(Translated):
    """Sync points are cleared away one kind at a time: PG-6 is two steps."""

    def change(self, effect: Any) -> list[Any]:
        if type(effect) is Delete and effect.step in ("PG-6", "CV-7", "SV-3"):
            return [effect._replace(step=f"{effect.step}a", where={**effect.where, "kind": C}), effect]
        return [effect]


def _both(template: TemplateRow, stack: StackRow) -> Iterator[Effect]:
    yield Insert("C-1", CREDENTIALS, CredentialsRow(stack.id))
    goal = yield Insert("C-1", TEMPLATE, template)
    yield Insert("C-1", STACK, stack._replace(template=goal))
    return goal


class MergesInserts(Heat):
    """C-1 writes the template and the stack in one transaction."""

    def create_stack(self, me: Me, number: int, operation: Any) -> Handler:
        content = operation.template or EMPTY
        row = StackRow(
            operation.stack, f"T{number}.0", "CREATE", "IN_PROGRESS", None, rollback=operation.rollback, timeout=operation.timeout,
            credentials=operation.stack,
        )  # fmt: skip
        goal = yield Transaction("C-1", _both, (TemplateRow(f"t{number}", content), row))
        st = StackCopy(row._replace(template=goal))
        yield from self.converge_stack(me, st, "CREATE", f"T{number}", goal=goal, content=content)


class AllAtOnce(RenamesTasks, ReadsMore, SplitsCompletion):
    """Tasks are called otherwise, reads come on top, and steps are split."""


class NothingIsTheSame(RenamesTasks, ReadsMore, RenamesSteps, SplitsCompletion):
    """And every step has another id, so that neither names nor ids lead anywhere."""


REFACTORED: dict[str, type[Heat]] = {
    cls.__name__: cls
    for cls in (
        RenamesHelpers, RenamesSteps, RenamesMessages, RenamesTasks, ReadsMore, ReadsBeforeWrites, SplitsLoading, SplitsCompletion,
        MergesInserts, AllAtOnce, NothingIsTheSame,
    )
}  # fmt: skip


LIMITS = {NothingIsTheSame.__name__}
"""Where not every case is found again."""


def judged(name: str, path: Path, budget: int = 1_000) -> Judgement:
    """A stored case on a refactored design."""
    return judge(cases.read(path), REFACTORED[name](), list(ALL.values()), budget)


def table(names: list[str]) -> Iterator[str]:
    """How the stored cases fare, a line for each refactoring."""
    yield "| refactoring | exactly | near by | gone | undecided | most runs |"
    yield "|---|---|---|---|---|---|"
    for name in names:
        answers: Counter[str] = Counter()
        runs = 0
        for path in STORED:
            done = judged(name, path)
            answers[done.answer] += 1
            runs = max(runs, done.found.runs if done.found else 0)
            if not done.shows:
                print(name, path.name, done.told, file=sys.stderr)
        counts = " | ".join(
            str(answers[a])
            for a in ("still fails", "still fails, differently scheduled", "not found any more", "cannot be decided")
        )
        yield f"| {name}: {REFACTORED[name].__doc__} | {counts} | {runs} |"


if __name__ == "__main__":
    for line in table(sys.argv[1:] or list(REFACTORED)):
        print(line, flush=True)
