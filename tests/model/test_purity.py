"""Handlers that write behind the kernel's back."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from heatproof.model.design import Design
from heatproof.model.designs.heat import Heat
from heatproof.model.effects import (
    Handler,
    Me,
    Sleep,
)
from heatproof.model.errors import DesignError
from heatproof.model.purity import Purity
from heatproof.model.scenario import Operation, create, scenario
from heatproof.model.templates import Template, resource
from heatproof.model.world import World
from tests.model.toys import asking, by_default, place, toy

COUNTS: dict[str, int] = {}
NUMBERS = itertools.count()


def run_under_purity(design: Design) -> Purity:
    purity = Purity(design)
    purity.check()
    by_default(World(design, asking()))
    return purity


def helps(me: Me) -> str:
    COUNTS.setdefault(me.engine, 0)
    return "X-1"


def writes_module(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    if COUNTS is not None:
        COUNTS[me.task] = 1
    yield Sleep("X-1")


def writes_in_a_helper(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Sleep(helps(me))


def takes_numbers(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    next(NUMBERS)
    yield Sleep("X-1")


def writes_default(self: Design, me: Me, number: int, operation: Operation, seen: list[int] = []) -> Handler:  # noqa: B006
    seen.append(number)
    yield Sleep("X-1")


def writes_self(self: Any, me: Me, number: int, operation: Operation) -> Handler:
    self.count = number
    yield Sleep("X-1")


def writes_class(self: Any, me: Me, number: int, operation: Operation) -> Handler:
    self.operations["signal"] = "create"
    yield Sleep("X-1")


@pytest.mark.parametrize(
    ("handler", "where", "source", "variable"),
    [
        (writes_module, writes_module, "COUNTS[me.task] = 1", "the module variable COUNTS"),
        (writes_in_a_helper, helps, "COUNTS.setdefault", "the module variable COUNTS"),
        (takes_numbers, takes_numbers, "next(NUMBERS)", "the module variable NUMBERS"),
        (writes_default, writes_default, "def writes_default", "the default value of seen"),
        (writes_self, writes_self, "self.count = number", "the attribute self.count"),
        (writes_class, writes_class, 'self.operations["signal"]', "the attribute self.operations"),
    ],
)
def test_a_handler_that_writes_behind_the_kernels_back(
    handler: Callable[..., Any], where: Callable[..., Any], source: str, variable: str
) -> None:
    COUNTS.clear()
    purity = run_under_purity(toy(create=handler))
    with pytest.raises(DesignError) as caught:
        purity.check()
    message, line = str(caught.value).splitlines()
    assert message == (
        f"{place(where, source)}: handler 'create' changed {variable}; between two yields a handler may only touch its own"
        " locals; keep it in a table instead"
    )
    assert line.strip().startswith(source)


def test_a_closure_variable_that_is_written_into() -> None:
    seen: set[str] = set()

    def handler(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        seen.add(me.task)
        yield Sleep("X-1")

    purity = run_under_purity(toy(create=handler))
    with pytest.raises(DesignError) as caught:
        purity.check()
    assert str(caught.value).startswith(f"{place(handler, 'seen.add')}: handler 'create' changed the closure variable seen; ")


def test_a_handler_of_several_is_named_as_one_of_them() -> None:
    COUNTS.clear()
    purity = run_under_purity(toy(create=writes_in_a_helper, work=writes_in_a_helper))
    with pytest.raises(DesignError, match="one of the handlers 'work', 'create' changed the module variable COUNTS"):
        purity.check()


def assigns_global(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    global COUNTS
    yield Sleep("X-1")
    COUNTS = {}


def test_a_global_statement_is_refused_before_anything_runs() -> None:
    with pytest.raises(DesignError) as caught:
        Purity(toy(create=assigns_global))
    assert str(caught.value).splitlines()[0] == (
        f"{place(assigns_global, 'COUNTS = {}')}: handler 'create' assigns the module variable COUNTS (global COUNTS);"
        " between two yields a handler may only touch its own locals; keep it in a table instead"
    )


def test_a_nonlocal_statement_is_refused_unless_it_stays_inside_the_handler() -> None:
    count = 0

    def outside(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        nonlocal count
        count += 1
        yield Sleep("X-1")

    def inside(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        mine = 0

        def add() -> None:
            nonlocal mine
            mine += 1

        add()
        yield Sleep(f"X-{mine}")

    with pytest.raises(DesignError) as caught:
        Purity(toy(create=outside))
    assert str(caught.value).startswith(
        f"{place(outside, 'count += 1')}: handler 'create' assigns the closure variable count (nonlocal count)"
    )
    run_under_purity(toy(create=inside)).check()


def test_heat_is_pure() -> None:
    purity = Purity(Heat())
    template = Template([resource("A", {"p": 1}), resource("B", depends_on=["A"])])
    by_default(World(purity.design, scenario(create(template), Operation("check"), Operation("delete"))))
    purity.check()


class Shared:
    value = 0


def test_what_is_added_to_an_attribute_of_a_class_is_told_with_its_line() -> None:
    def adds(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Sleep("X-1")
        Shared.value += 1
        yield Sleep(f"X-{Shared.value}")

    with pytest.raises(DesignError) as caught:
        run_under_purity(toy(create=adds)).check()
    assert str(caught.value).startswith(f"{place(adds, 'value += 1')}: handler 'create' changed the variable Shared.value; ")
