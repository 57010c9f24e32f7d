"""Transactions that are made on the way: what they hold is what it was when they were yielded, and they change nothing of it."""

from __future__ import annotations

import random
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Generator
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property, partial
from operator import itemgetter
from string import Template
from types import SimpleNamespace
from typing import Any

import pytest

from heatproof.model.bodies import settled
from heatproof.model.design import Design
from heatproof.model.effects import Handler, Insert, Me, Read, Sleep, Transaction, Update
from heatproof.model.errors import DesignError
from heatproof.model.scenario import Operation
from heatproof.model.world import World
from tests.model.test_program import message_of
from tests.model.toys import ACCOUNT, Account, asking, by_default, place, toy


def begun(world: World, actions: int) -> World:
    """Make so many actions under the default policy."""
    for _ in range(actions):
        action = world.default()
        assert action is not None
        world.perform(action)
    return world


def with_a_closure(values: dict[str, int], number: int) -> Any:
    def body() -> Generator[Any, Any, int]:
        yield Update("", ACCOUNT, "A", values)
        return number

    return body


def with_a_partial(values: dict[str, int], number: int) -> Any:
    return partial(_write, values, number=number)


def _write(values: dict[str, int], number: int) -> Generator[Any, Any, int]:
    yield Update("", ACCOUNT, "A", values)
    return number


def with_a_lambda(values: dict[str, int], number: int) -> Any:
    body = with_a_closure(values, number)
    return lambda: body()


@pytest.mark.parametrize("made", [with_a_closure, with_a_partial, with_a_lambda])
def test_a_transaction_may_be_made_on_the_way(made: Any) -> None:
    def handler(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("X-0", ACCOUNT, Account("A"))
        values, found = {"value": 1}, 0
        found = yield Transaction("X-1", made(values, 7))
        values["value"] = 2
        yield Transaction("X-2", made(values, 8))
        yield Sleep(f"X-{found}")

    world = by_default(World(toy(create=handler), asking()))
    world.audit()
    assert world.log[-1].before is not None
    assert world.log[-1].before.effect == Sleep("X-7")
    again = begun(World(toy(create=handler), asking(), world.program), 3)
    assert again.database.rows[ACCOUNT]["A"].value == 1, "what the handler has done since does not count"


def test_it_is_done_with_the_variables_as_they_were() -> None:
    def handler(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("X-0", ACCOUNT, Account("A"))

        def body() -> Generator[Any, Any, None]:
            yield Update("", ACCOUNT, "A", {"value": value})

        for value in (1, 2):  # noqa: B007  # the body closes over it
            yield Transaction("X-1", body)

    world = by_default(World(toy(create=handler), asking()))
    assert world.database.rows[ACCOUNT]["A"].value == 2
    again = begun(World(toy(create=handler), asking(), world.program), 3)
    assert again.database.rows[ACCOUNT]["A"].value == 1


def test_so_is_a_common_effect() -> None:
    def handler(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("X-0", ACCOUNT, Account("A"))
        values = {"value": 1}
        yield Update("X-1", ACCOUNT, "A", values)
        values["value"] = 2
        yield Update("X-2", ACCOUNT, "A", values)

    world = by_default(World(toy(create=handler), asking()))
    world.audit()
    again = begun(World(toy(create=handler), asking(), world.program), 3)
    assert again.database.rows[ACCOUNT]["A"].value == 1


def test_what_a_closure_holds_is_compared() -> None:
    def handler(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        chosen = random.random()

        def body() -> Generator[Any, Any, int]:
            row = yield Read("", ACCOUNT, "A")
            return 1 if row is not None and chosen < 2 else 0

        yield Transaction("X-1", body)

    with pytest.raises(DesignError, match="is no function of its message"):
        by_default(World(toy(create=handler), asking())).audit()


def assigns(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    got = None

    def body() -> Generator[Any, Any, None]:
        nonlocal got
        got = yield Read("", ACCOUNT, "A")

    yield Transaction("X-1", body)
    yield Sleep(f"X-{got}")


def has_it_assigned(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    got = None

    def note(row: Any) -> None:
        nonlocal got
        got = row

    def body() -> Generator[Any, Any, None]:
        note((yield Read("", ACCOUNT, "A")))

    yield Transaction("X-1", partial(body))
    yield Sleep(f"X-{got}")


@pytest.mark.parametrize("handler", [assigns, has_it_assigned])
def test_a_transaction_that_assigns_a_variable_of_its_handler(handler: Any) -> None:
    message = message_of(toy(create=handler), log=0)
    assert message.startswith(
        f"{place(handler, 'yield Transaction')}: handler 'create', step X-1: Transaction: its body assigns got, "
    )
    assert "let the body return what it finds" in message


def fills_an_argument(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    got: list[Any] = []
    yield Transaction("X-1", _fill, (got,))
    yield Sleep(f"X-{got}")


def _fill(out: list[Any]) -> Generator[Any, Any, None]:
    out.append((yield Read("", ACCOUNT, "A")))


def fills_a_variable(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    got: list[Any] = []

    def body() -> Generator[Any, Any, None]:
        got.append((yield Read("", ACCOUNT, "A")))

    yield Transaction("X-1", body)
    yield Sleep(f"X-{got}")


@pytest.mark.parametrize(("handler", "what"), [(fills_an_argument, "its argument []"), (fills_a_variable, "the variable got")])
def test_a_transaction_that_changes_what_its_handler_holds(handler: Any, what: str) -> None:
    assert f"the transaction of step X-1 changed {what}; " in message_of(toy(create=handler), log=1)


def test_a_body_may_call_itself_and_assign_its_own() -> None:
    def handler(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("X-0", ACCOUNT, Account("A"))
        names = ["A"]

        def body(left: int = 2) -> Generator[Any, Any, int]:
            seen = 0

            def note() -> None:
                nonlocal seen
                seen += len(names)

            note()
            if left:
                seen += yield from body(left - 1)
            yield Read("", ACCOUNT, names[0])
            return seen

        yield Sleep(f"X-{(yield Transaction('X-1', body))}")

    world = by_default(World(toy(create=handler), asking()))
    world.audit()
    assert world.log[-1].before is not None
    assert world.log[-1].before.effect == Sleep("X-3")


def test_a_body_keeps_its_attributes() -> None:
    number = 1

    def body() -> Any:
        yield number

    body.limit = 3  # type: ignore[attr-defined]  # functions may have any
    copied = settled(Transaction("T", body, ())).body
    assert copied is not body
    assert copied.limit == 3


# ------------------------------------------------------------------------------------------------------------ things


class Job:
    """Something that a handler keeps what it knows in."""

    def __init__(self, value: int):
        self.value = value
        self.seen: list[Any] = []

    def write(self) -> Generator[Any, Any, None]:
        """A body that is a method."""
        yield Update("", ACCOUNT, "A", {"value": self.value})

    def note(self) -> Generator[Any, Any, None]:
        """One that keeps something."""
        self.value = (yield Read("", ACCOUNT, "A")).value


class Slotted:
    """The same with slots."""

    __slots__ = ("value",)

    def __init__(self, value: int):
        self.value = value


@dataclass
class Noted:
    """The same, compared by what it holds."""

    value: int
    inside: list[int] = field(default_factory=list)


def _write_of(job: Any) -> Generator[Any, Any, None]:
    yield Update("", ACCOUNT, "A", {"value": job.value})


def _over(value: Any, look: Callable[[Any], int]) -> Any:
    def body() -> Generator[Any, Any, None]:
        yield Update("", ACCOUNT, "A", {"value": look(value)})

    return body, ()


def _set(job: Any) -> None:
    job.value = 2


def _put(key: Any) -> Callable[[Any], None]:
    def put(held: Any) -> None:
        held[key] = 2

    return put


def _knows_itself() -> Any:
    job: Any = Job(1)
    job.me = {"me": [job]}
    return job


MADE: dict[str, tuple[Callable[[], Any], Callable[[Any], Any], Callable[[Any], None]]] = {
    "a thing": (lambda: Job(1), lambda job: _over(job, lambda job: job.value), _set),
    "a thing with slots": (lambda: Slotted(1), lambda job: _over(job, lambda job: job.value), _set),
    "a data class": (lambda: Noted(1), lambda job: _over(job, lambda job: job.value), _set),
    "a name space": (lambda: SimpleNamespace(value=1), lambda job: _over(job, lambda job: job.value), _set),
    "a list in a dict": (lambda: {"A": [1]}, lambda plan: _over(plan, lambda plan: plan["A"][0]), lambda plan: _put(0)(plan["A"])),
    "a dict in a tuple": (lambda: ({"A": 1},), lambda plan: _over(plan, lambda plan: plan[0]["A"]), lambda plan: _put("A")(plan[0])),
    "a queue": (lambda: deque([1], 3), lambda queue: _over(queue, lambda queue: queue[-1]), lambda queue: queue.append(2)),
    "one with default values": (lambda: defaultdict(int, A=1), lambda plan: _over(plan, lambda plan: plan["A"]), _put("A")),
    "one in order": (lambda: OrderedDict(A=1), lambda plan: _over(plan, lambda plan: plan["A"]), _put("A")),
    "an argument": (lambda: Job(1), lambda job: (_write_of, (job,)), _set),
    "what is in an argument": (lambda: [Job(1)], lambda jobs: (lambda jobs: _write_of(jobs[0]), (jobs,)), lambda jobs: _set(jobs[0])),
    "a word of a partial": (lambda: Job(1), lambda job: (partial(_write_of, job=job), ()), _set),
    "its method": (lambda: Job(1), lambda job: (job.write, ()), _set),
    "a method that it holds": (lambda: Job(1), lambda job: _over(job.write, lambda write: write.__self__.value), _set),
    "one that knows itself": (_knows_itself, lambda job: _over(job, lambda job: job.me["me"][0].value), _set),
    "one by two names": (lambda: Job(1), lambda job: _over([job, job], lambda both: both[0].value * (both[0] is both[1])), _set),
}  # fmt: skip


@pytest.mark.parametrize("what", MADE)
def test_it_is_done_with_things_as_they_were(what: str) -> None:
    make, body_of, change = MADE[what]

    def handler(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("X-0", ACCOUNT, Account("A"))
        held = make()
        body, args = body_of(held)
        yield Transaction("X-1", body, args)
        change(held)
        body, args = body_of(held)
        yield Transaction("X-2", body, args)

    world = by_default(World(toy(create=handler), asking()))
    world.audit()
    assert world.database.rows[ACCOUNT]["A"].value == 2
    again = begun(World(toy(create=handler), asking(), world.program), 3)
    assert again.database.rows[ACCOUNT]["A"].value == 1


def _changing(change: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    def made(held: Any) -> Any:
        def body() -> Generator[Any, Any, None]:
            change(held, (yield Read("", ACCOUNT, "A")))

        return body, ()

    return made


def _takes(held: Any) -> Generator[Any, Any, None]:
    held.value = (yield Read("", ACCOUNT, "A")).value


CHANGED: dict[str, tuple[Callable[[], Any], Callable[[Any], Any], str]] = {
    "an attribute": (lambda: Job(1), _changing(lambda job, row: setattr(job, "value", row.value)), "the variable held"),
    "a new attribute": (lambda: Job(1), _changing(lambda job, row: setattr(job, "row", row)), "the variable held"),
    "an attribute that is gone": (lambda: Job(1), _changing(lambda job, row: delattr(job, "value")), "the variable held"),
    "a slot": (lambda: Slotted(1), _changing(lambda job, row: setattr(job, "value", row.value)), "the variable held"),
    "a data class": (lambda: Noted(1), _changing(lambda job, row: setattr(job, "value", 0)), "the variable held"),
    "a list in one": (lambda: Noted(1), _changing(lambda job, row: job.inside.append(0)), "the variable held"),
    "a list in a dict": (lambda: {"rows": []}, _changing(lambda found, row: found["rows"].append(row)), "the variable held"),
    "a list in a tuple": (lambda: ([],), _changing(lambda found, row: found[0].append(row)), "the variable held"),
    "a queue": (deque, _changing(lambda found, row: found.append(row)), "the variable held"),
    "an argument": (lambda: Job(1), lambda job: (_takes, (job,)), "its argument <"),
    "a word of a partial": (lambda: Job(1), lambda job: (partial(_takes, held=job), ()), "its argument <"),
    "its own thing": (lambda: Job(1), lambda job: (job.note, ()), "the Job whose method it is"),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGED)
def test_a_transaction_that_changes_a_thing_of_its_handler(what: str) -> None:
    make, body_of, said = CHANGED[what]

    def handler(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("X-0", ACCOUNT, Account("A"))
        held = make()
        body, args = body_of(held)
        yield Transaction("X-1", body, args)
        yield Sleep(f"X-{held}")

    assert f"the transaction of step X-1 changed {said}" in message_of(toy(create=handler), log=2)


class Lazy:
    """A thing that works something out when it is first asked for it."""

    def __init__(self, value: int):
        self.value = value

    @cached_property
    def double(self) -> int:
        """Twice as much."""
        return 2 * self.value


NOTHING = Lazy(0)


def test_a_body_may_work_something_out_and_know_a_thing_by_its_name() -> None:
    def handler(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("X-0", ACCOUNT, Account("A"))
        lazy, nothing = Lazy(3), NOTHING

        def body() -> Generator[Any, Any, None]:
            yield Update("", ACCOUNT, "A", {"value": lazy.double if nothing is NOTHING else 0})

        yield Transaction("X-1", body)

    world = by_default(World(toy(create=handler), asking()))
    world.audit()
    assert world.database.rows[ACCOUNT]["A"].value == 6


@pytest.mark.parametrize("make", [lambda: iter([1, 2]), lambda: (n for n in (1, 2)), lambda: [map(str, (1, 2))]])
def test_a_transaction_that_holds_an_iterator(make: Any) -> None:
    def handler(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        held = make()

        def body() -> Generator[Any, Any, None]:
            yield Update("", ACCOUNT, "A", {"value": next(held)})

        yield Transaction("X-1", body)

    message = message_of(toy(create=handler), log=0)
    assert "handler 'create', step X-1: Transaction: its body holds <" in message
    assert "let it hold a tuple of what comes" in message


def test_defaults_are_as_they_were_too() -> None:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        items = [1]
        yield Insert("I-1", ACCOUNT, Account("A"))
        for _ in range(2):

            def body(held: list[int] = items, *, again: list[int] = items) -> Generator[Any, Any, None]:
                yield Update("", ACCOUNT, "A", {"value": (len(held), len(again), held is again)})

            yield Transaction("T-1", body)
            items.append(1)
            yield Sleep("S-1")

    world = begun(World(toy(create=create), asking()), 3)
    assert world.database.rows[ACCOUNT]["A"].value == (1, 1, True)
    by_default(world)
    assert world.database.rows[ACCOUNT]["A"].value == (2, 2, True)
    world.audit()


def test_a_transaction_that_changes_its_default() -> None:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        def body(found: list[Any] = []) -> Generator[Any, Any, None]:  # noqa: B006  # that is the mistake
            found.append((yield Read("", ACCOUNT, "A")))

        yield Transaction("T-1", body)

    assert "the transaction of step T-1 changed its default []" in message_of(toy(create=create))


@pytest.mark.parametrize("make", [lambda: ValueError("x"), lambda: Template("$a"), lambda: nullcontext(1), lambda: itemgetter(2)])
def test_things_of_the_library_that_compare_nothing_may_be_held(make: Any) -> None:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        held = make()

        def body() -> Generator[Any, Any, str]:
            yield Read("", ACCOUNT, "A")
            return type(held).__name__

        found = yield Transaction("T-1", body)
        yield Insert("I-1", ACCOUNT, Account(found))

    by_default(World(toy(create=create), asking())).audit()


def _guessing(*args: Any, **words: Any) -> Any:
    def body(*_: Any) -> Any:
        yield Read("X-1", ACCOUNT, (args, words))

    return body


@pytest.mark.parametrize(
    ("transaction", "said"),
    [
        (lambda n: Transaction("X-1", _guessing(), (n,)), "at step X-1 with other arguments ((2,) instead of (1,))"),
        (
            lambda n: Transaction("X-1", _guessing([n])),
            "at step X-1 with another value of the variable args (([2],) instead of ([1],))",
        ),
        (lambda n: Transaction("X-1", _guessing(word={n})), "with another value of the variable words ({'word': {2}} instead of"),
        (lambda n: Transaction("X-1", (_guessing, [].sort)[n - 1]), "with another body ("),
    ],
)
def test_what_of_a_transaction_is_another_is_told(transaction: Callable[[int], Any], said: str) -> None:
    numbers = iter((1, 2))

    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield transaction(next(numbers))

    world = World(toy(create=create), asking())
    world.perform(world.operations()[0])
    with pytest.raises(DesignError) as caught:
        world.audit()
    assert said in str(caught.value)
