"""Transactions that are made on the way: what they hold is what it was when they were yielded, and they change nothing of it."""

from __future__ import annotations

import random
from collections.abc import Generator
from functools import partial
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
