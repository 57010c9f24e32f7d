"""Handlers and the trie of what they were seen to do: what a handler may not do is reported with place, line and advice."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from functools import partial, wraps
from typing import Any

import pytest

from heatproof.model.design import Design
from heatproof.model.designs.heat import Heat
from heatproof.model.effects import (
    Begin,
    Body,
    Handler,
    Insert,
    Listen,
    Me,
    Query,
    Read,
    Refused,
    Send,
    Sleep,
    Spawn,
    Transaction,
    Update,
)
from heatproof.model.errors import DesignError, spelt
from heatproof.model.performing import PERFORMERS
from heatproof.model.program import Program
from heatproof.model.scenario import Operation, create, scenario
from heatproof.model.templates import Template, resource
from heatproof.model.world import Action, World
from tests.model.toys import ACCOUNT, Account, asking, by_default, place, toy


def message_of(design: Design, *, log: int | None = None) -> str:
    """What is said against this design when it is run."""
    world = World(design, asking())
    with pytest.raises(DesignError) as caught:
        by_default(world)
    if log is not None:
        assert len(world.log) == log
    assert len(world.marks) == len(world.log), "an error leaves nothing half done"
    return str(caught.value)


# ------------------------------------------------------------------------------------------------- what is no effect


def sub_handler() -> Handler:
    yield Sleep("X-2")


def yields_nothing(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Sleep("X-1")
    yield  # type: ignore[misc]


def yields_generator(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Sleep("X-1")
    yield sub_handler()  # type: ignore[misc]


def yields_class(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Sleep("X-1")
    yield Sleep  # type: ignore[misc]


def yields_text(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Sleep("X-1")
    yield "read the row"  # type: ignore[misc]


def yields_text_inside(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Sleep("X-1")
    yield from yields_text(self, me, number, operation)


@pytest.mark.parametrize(
    ("handler", "source", "advice"),
    [
        (yields_nothing, "yield  # type", "give the yield a value, such as 'yield Sleep(\"step id\")'"),
        (yields_generator, "yield sub_handler()", "write 'yield from sub_handler(...)' instead of 'yield sub_handler(...)'"),
        (yields_class, "yield Sleep  #", "call it: 'yield Sleep(...)'"),
        (yields_text, 'yield "read the row"', "yield one of Read, Query, Insert"),
    ],
)
def test_what_is_no_effect_is_reported_with_place_line_and_advice(handler: Callable[..., Any], source: str, advice: str) -> None:
    message = message_of(toy(create=handler), log=1)
    first, line, last = message.splitlines()
    assert first.startswith(f"{place(handler, source)}: handler 'create' yielded ")
    assert first.endswith("which is no effect")
    assert line.strip().startswith(source.removesuffix("  #"))
    assert last.strip().startswith(advice)


def test_the_place_is_that_of_the_innermost_generator() -> None:
    assert message_of(toy(create=yields_text_inside)).startswith(place(yields_text, "read the row"))


# ------------------------------------------------------------------------------------------ handlers that cannot be run


def test_a_function_without_yield_is_no_handler() -> None:
    def no_generator(self: Design, me: Me, number: int, operation: Operation) -> None:
        return None

    message = message_of(toy(create=no_generator), log=0)
    assert message == (
        f"{place(no_generator, 'def no_generator')}: handler 'create' returned NoneType instead of being a generator;"
        " it must contain at least one 'yield'"
    )


def test_a_handler_with_other_parameters() -> None:
    def too_few(self: Design, me: Me) -> Handler:
        yield Sleep("X-1")

    message = message_of(toy(create=too_few), log=0)
    assert message.startswith(f"{place(too_few, 'def too_few')}: handler 'create' cannot be called with (1, ")
    assert "takes 2 positional arguments but 4 were given" in message


def test_a_message_nobody_handles() -> None:
    def sends(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Send("X-1", "wrok", (1,))

    def work(self: Design, me: Me, number: int) -> Handler:
        yield Sleep("X-2")

    assert message_of(toy(create=sends, work=work), log=0).startswith(
        f"{place(sends, 'yield Send')}: handler 'create', step X-1: Send: the design has no handler 'wrok'; perhaps 'work'; it has create, work\n"
    )


def test_a_task_nobody_handles() -> None:
    def spawns(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Spawn("X-1", "wrok", ())

    assert message_of(toy(create=spawns), log=0).startswith(
        f"{place(spawns, 'yield Spawn')}: handler 'create', step X-1: Spawn: the design has no handler 'wrok'; it has create\n"
    )


@pytest.mark.parametrize("kind", [Send, Spawn])
def test_arguments_that_are_a_text(kind: Any) -> None:
    def sends(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield kind("X-1", "create", "ab")

    assert "its arguments must be a tuple, not 'ab'; of one argument that is ('ab',)" in message_of(toy(create=sends), log=0)


def test_an_operation_that_is_none() -> None:
    def begins(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Begin("X-1", "craete", "A")

    assert message_of(toy(create=begins), log=0).startswith(
        f"{place(begins, 'yield Begin')}: handler 'create', step X-1: Begin: 'craete' is no physical operation; take create, update, delete or"
    )


@pytest.mark.parametrize(
    ("effect", "said"),
    [
        (Send("X-2", "create", "ab"), "step X-1: Send: its arguments must be a tuple, not 'ab'"),
        (Send("X-2", "wrok", ()), "step X-1: a message was sent to 'wrok', but design 'toy' has no such handler; it has create"),
        (Sleep("X-2"), "step X-1: a transaction may contain Read, "),
    ],
)
def test_what_is_wrong_in_a_transaction_is_told_with_its_place(effect: Any, said: str) -> None:
    def body() -> Body:
        yield effect

    def transacts(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Transaction("X-1", body)

    where = place(body, "def body" if "wrok" in said else "yield effect")
    assert message_of(toy(create=transacts), log=1).startswith(f"{where}: {said}")


def test_the_text_of_an_exception_stays_on_its_line() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise KeyError

    def raises(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Sleep("X-1")
        raise ValueError("one\ntwo") if number == 1 else Mute

    assert "raised ValueError: one\\ntwo; an exception that is meant" in message_of(toy(create=raises), log=1)
    assert spelt(Mute()) == "Mute: (its text raises KeyError)"


def test_a_handler_that_is_listed_but_not_there() -> None:
    design = toy(create=yields_text)
    type(design).messages = ("work",)
    with pytest.raises(DesignError, match="design 'toy' lists a handler 'work' but Toy has no such method"):
        World(design, asking())


# ---------------------------------------------------------------------------------------------------- endless handlers


def test_a_handler_that_never_yields_is_caught_by_the_watchdog() -> None:
    def spins(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Sleep("X-1")
        for _ in range(50_000_000):  # not for ever, so that a broken watchdog fails the test
            pass

    world = World(toy(create=spins), asking())
    with pytest.raises(DesignError) as caught, world.program.watchdog(0.05):
        by_default(world)
    file = place(spins, "def spins").rpartition(":")[0]
    assert str(caught.value).startswith(f"{file}:")
    assert str(caught.value).endswith(
        "handler 'create' runs without yielding and does not end; between two yields a handler may only compute"
    )


def test_a_transaction_that_never_yields_is_caught_too() -> None:
    def spins() -> Generator[Any, Any, None]:
        yield Read("", ACCOUNT, "A")
        for _ in range(50_000_000):  # not for ever, so that a broken watchdog fails the test
            pass

    def handler(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Transaction("X-1", spins)

    world = World(toy(create=handler), asking())
    with pytest.raises(DesignError, match="the transaction of step X-1 runs without yielding"), world.program.watchdog(0.05):
        by_default(world)


def test_a_handler_that_only_takes_long_is_left_alone() -> None:
    def computes(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        for n in range(40):
            sum(range(20_000))
            yield Sleep(f"X-{n}")

    world = World(toy(create=computes), asking())
    with world.program.watchdog(0.005 * 2):
        by_default(world)
    assert len(world.log) == 41


def test_a_handler_that_yields_for_ever() -> None:
    def sleeps(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        while True:
            yield Sleep("X-1")

    design = toy(create=sleeps)
    world = World(design, asking(), Program(design.handlers(), PERFORMERS, max_effects=50))
    with pytest.raises(DesignError) as caught:
        by_default(world)
    assert len(world.log) == 51
    assert str(caught.value) == (
        f"{place(sleeps, 'yield Sleep')}: handler 'create' yielded more than 50 effects for one message and does not end;"
        " where it waits for others let it give way ('yield Sleep(\"step id\")'), bound its attempts, or let it send itself a message instead"
        " of looping"
    )


def test_a_handler_that_does_not_end_is_told_by_its_own_loop() -> None:
    def waits(self: Design) -> Handler:
        yield Sleep("X-1")
        yield Sleep("X-2")

    def loops(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        while True:
            yield from waits(self)

    @wraps(loops)
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        running = loops(self, me, number, operation)
        effect = next(running)
        while True:
            effect = running.send((yield effect))

    design = toy(create=create)
    world = World(design, asking(), Program(design.handlers(), PERFORMERS, max_effects=50))
    with pytest.raises(DesignError) as caught:
        by_default(world)
    assert str(caught.value).startswith(f"{place(loops, 'yield from')}: handler 'create' yielded more than 50 effects")


def test_a_transaction_that_reads_for_ever() -> None:
    def reads() -> Generator[Any, Any, None]:
        while True:
            yield Read("", ACCOUNT, "A")

    def handler(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Transaction("X-1", reads)

    assert message_of(toy(create=handler)) == "step X-1: a transaction of more than 10000 effects does not seem to end"


# ---------------------------------------------------------------------------------------------- what cannot be hashed


def test_a_message_with_a_list() -> None:
    def sends(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Send("X-1", "work", ([1, 2],))

    def work(self: Design, me: Me, numbers: list[int]) -> Handler:
        yield Sleep("X-2")

    message = message_of(toy(create=sends, work=work), log=0)
    assert message.startswith(
        f"{place(sends, 'yield Send')}: handler 'create', step X-1: Send: its arguments cannot be hashed: ([1, 2],)"
    )
    assert "send tuples and frozensets instead of lists, dicts and sets" in message
    assert message.endswith('yield Send("X-1", "work", ([1, 2],))')


def test_a_result_with_a_list() -> None:
    def body() -> Generator[Any, Any, list[Any]]:
        rows = yield Query("", ACCOUNT, {})
        return list(rows)

    def handler(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Transaction("X-1", body)

    message = message_of(toy(create=handler), log=1)
    assert message.startswith(f"{place(handler, 'yield Transaction')}: the result of Transaction cannot be hashed: []")


# ----------------------------------------------------------------------------------------- handlers that are no functions

COUNTS: dict[str, int] = {}


def counts(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    COUNTS["seen"] = COUNTS.get("seen", 0) + 1
    yield Sleep(f"X-{COUNTS['seen']}")
    yield Sleep("X-0")


def guesses(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Sleep("X-1")
    yield Sleep(f"X-{random.random()}")


def ordered_by_address(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Listen("X-1", object())


def returns_by_chance(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Sleep("X-1")
    return Refused(f"{random.random()}")


@pytest.mark.parametrize("handler", [counts, guesses, ordered_by_address, returns_by_chance])
def test_an_audit_finds_what_depends_on_anything_else(handler: Callable[..., Any]) -> None:
    world = by_default(World(toy(create=handler), asking()))
    with pytest.raises(DesignError) as caught:
        world.audit()
    assert f"{place(handler, 'def ').rpartition(':')[0]}:" in str(caught.value)
    assert "handler 'create' is no function of its message and the results it was sent: run again, it went on with" in str(
        caught.value
    )
    assert "it must not use module or object state, clocks, random numbers or the order of sets" in str(caught.value)


def yields_nan(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Listen("X-1", ("limit", float("nan")))


def test_what_reads_alike_and_is_not_equal_is_told_as_that() -> None:
    world = by_default(World(toy(create=yields_nan), asking()))
    with pytest.raises(DesignError, match=r"which reads as before and is not equal to it; .*: no nan, and no objects without"):
        world.audit()


def test_going_back_finds_it_without_an_audit() -> None:
    world = World(toy(create=guesses), asking())
    step = Action("step", "create#1")
    for action in (world.operations()[0], step, step):
        world.perform(action)
    world.undo()
    world.nodes["create#1"].children.clear()  # as if another result had come
    with pytest.raises(DesignError, match="is no function of its message"):
        world.perform(step)


def test_an_audit_of_heat_finds_nothing() -> None:
    template = Template([resource("A", {"p": 1}), resource("B", depends_on=["A"])])
    by_default(World(Heat(), scenario(create(template)))).audit()


def test_a_live_generator_is_used_once_and_the_handler_run_again_elsewhere() -> None:
    calls = []

    def handler(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        calls.append(1)
        key = yield Insert("X-1", ACCOUNT, Account("A"))
        row = yield Read("X-2", ACCOUNT, key)
        yield Update("X-3", ACCOUNT, key, {"value": row.value + 1})

    world = World(toy(create=handler), asking())
    by_default(world)
    assert len(calls) == 1
    nodes = world.program.nodes
    while world.log:
        world.undo()
    by_default(world)
    assert (len(calls), world.program.nodes) == (1, nodes), "a known path runs no handler"
    world.undo()
    world.undo()
    world.database.rows[ACCOUNT]["A"] = Account("A", 7)
    by_default(world)
    assert len(calls) == 2, "an unknown result runs it again from its beginning"
    assert world.database.rows[ACCOUNT]["A"] == Account("A", 8)


def test_equal_results_of_two_types_are_two() -> None:
    def reading(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        row = yield Read("R", ACCOUNT, "a")
        yield Sleep(f"{row.value}")

    program = Program({"reading": partial(reading, None)}, PERFORMERS)
    node = program.start("reading", (1, None), Me("E1", "reading"))
    one, other = program.follow(node, Account("a", 1)), program.follow(node, Account("a", True))
    assert (one.effect, other.effect) == (Sleep("1"), Sleep("True"))
    assert program.follow(node, Account("a", 1)) is one
    assert program.follow(node, Account("a", True)) is other


def test_equal_arguments_of_two_types_are_two() -> None:
    def shown(self: Design, me: Me, value: Any) -> Handler:
        yield Sleep(f"{value}")

    program = Program({"shown": partial(shown, None)}, PERFORMERS)
    nodes = [program.start("shown", (value,), Me("E1", "shown")) for value in (1, True, 1.0, 1)]
    assert [node.effect for node in nodes] == [Sleep("1"), Sleep("True"), Sleep("1.0"), Sleep("1")]
    assert nodes[0] is nodes[3]
