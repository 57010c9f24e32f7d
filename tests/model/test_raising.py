"""What is said of a handler, a transaction or an observation that raises."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from heatproof.model.design import Design
from heatproof.model.effects import (
    Aborted,
    Handler,
    Me,
    Read,
    Sleep,
    Transaction,
)
from heatproof.model.errors import DesignError
from heatproof.model.scenario import Operation
from heatproof.model.world import World
from tests.model.toys import ACCOUNT, asking, by_default, place, toy

from tests.model.test_program import message_of  # isort: skip


def test_an_exception_in_a_handler_is_a_mistake_in_the_design() -> None:
    def divides(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Sleep("X-1")
        yield Sleep(f"X-{1 / 0}")

    assert message_of(toy(create=divides), log=1) == (
        f"{place(divides, '1 / 0')}: handler 'create' raised ZeroDivisionError: division by zero; an exception that is meant to"
        " leave a handler must be a subclass of heatproof.model.effects.Escape"
    )


def test_an_exception_in_a_transaction_is_a_mistake_in_the_design() -> None:
    def divides() -> Generator[Any, Any, int]:
        row = yield Read("", ACCOUNT, "A")
        return 1 // len(row or ())

    def handler(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Transaction("X-1", divides)

    message = message_of(toy(create=handler), log=1)
    assert message.startswith(f"{place(divides, '1 //')}: the transaction of step X-1 raised ZeroDivisionError")


class Cancelled(BaseException):
    """Such as asyncio has one."""


def ends_the_process(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Sleep("X-1")
    raise SystemExit(0)


def is_cancelled(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Sleep("X-1")
    raise Cancelled("enough")


def takes_the_next_of_nothing(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Sleep("X-1")
    yield from _next_of_nothing()


def _next_of_nothing() -> Handler:
    yield Sleep(next(iter(())))


@pytest.mark.parametrize(
    ("handler", "source", "what"),
    [
        (ends_the_process, "raise SystemExit", "SystemExit: 0"),
        (is_cancelled, "raise Cancelled", "Cancelled: enough"),
        (takes_the_next_of_nothing, None, "StopIteration: "),
    ],
)
def test_what_is_no_common_exception_is_a_mistake_too(handler: Any, source: str | None, what: str) -> None:
    at = place(handler, source) if source else place(_next_of_nothing, "next(iter")
    assert message_of(toy(create=handler), log=1).startswith(f"{at}: handler 'create' raised {what}; an exception that")


def test_a_handler_that_is_no_generator_and_raises() -> None:
    def ends(self: Design, me: Me, number: int, operation: Operation) -> None:
        raise SystemExit(0)

    assert message_of(toy(create=ends), log=0).startswith(f"{place(ends, 'raise')}: handler 'create' raised SystemExit: 0; ")


@pytest.mark.parametrize("error", [SystemExit(0), StopIteration()])
def test_nor_may_a_transaction_raise_it(error: BaseException) -> None:
    def ends() -> Generator[Any, Any, int]:
        yield Read("", ACCOUNT, "A")
        raise error

    def handler(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Transaction("X-1", ends)

    assert message_of(toy(create=handler), log=1).startswith(
        f"{place(ends, 'raise')}: the transaction of step X-1 raised {type(error).__name__}: "
    )


def test_the_user_may_interrupt_a_handler() -> None:
    def interrupted(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Sleep("X-1")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        by_default(World(toy(create=interrupted), asking()))


def test_what_observe_raises_is_a_mistake_in_the_design() -> None:
    def observe(self: Design, world: World) -> Any:
        raise SystemExit(0)

    design = toy(create=ends_the_process, handlers={"observe": observe})
    with pytest.raises(DesignError) as caught:
        design.observation(World(design, asking()))
    assert str(caught.value).startswith(f"{place(observe, 'raise')}: observe of design 'toy' raised SystemExit: 0; ")


def test_an_escape_ends_the_task_and_is_noted() -> None:
    def escapes(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Sleep("X-1")
        raise Aborted("on purpose")

    world = by_default(World(toy(create=escapes), asking()))
    assert not world.tasks
    assert world.requests[1][:2] == ("escaped", "on purpose")
    assert world.log[-1].after is not None
    assert world.log[-1].after.escaped == Aborted("on purpose")
