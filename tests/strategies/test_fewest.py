"""The fewest deviations that show a failure, compared with going through every schedule one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from heatproof.model import catalogue
from heatproof.model.design import Design
from heatproof.model.effects import Handler, Insert, Me, Read, Send, Update
from heatproof.model.errors import HeatproofError
from heatproof.model.scenario import Operation, Scenario, create, scenario
from heatproof.model.templates import resource
from heatproof.model.world import Action
from heatproof.properties.base import Property
from heatproof.properties.catalogue import ALL, REST_IS_REACHED
from heatproof.strategies import fewest
from heatproof.strategies.fewest import Answer, Fewest, can_search
from heatproof.strategies.running import Driver
from heatproof.strategies.schedules import places, record
from heatproof.strategies.shrinking import Key
from tests.model.toys import ACCOUNT, Account, asking
from tests.toys import ADDING, HEAT, resting, seen_toy, sending, sum_is_two

PROPERTIES = [p for p in ALL.values() if p.expectation != "sometimes"]
HANGS = ("rest: no operation hangs", "CREATE hangs, sync points wait")
MANY = 1_000_000


def one_by_one(design: Design, asked: Scenario, properties: Sequence[Property], key: Key, most: int) -> tuple[int, int] | None:
    """The least (deviations, steps) of all schedules of at most so many deviations, each made from its beginning."""
    least: tuple[int, int] | None = None
    todo: list[tuple[Action, ...]] = [(action,) for action in Driver(design, asked, properties).world.actions()]
    while todo:
        prefix = todo.pop()
        driver = Driver(design, asked, properties)
        try:
            deviations = len(record(driver, prefix))
        except HeatproofError:
            continue
        if deviations > most:
            continue
        if key in driver.monitor.violations:
            size = deviations, driver.monitor.violations[key].step
            least = min(least or size, size)
        else:
            todo += [(*prefix, action) for action in driver.world.actions()]
    return least


def searched(design: Design, asked: Scenario, properties: Sequence[Property], key: Key, most: int) -> Answer:
    """What the search says, its schedule having been done again."""
    answer = Fewest(design, properties, asked, key, MANY).search(most)
    assert answer.finished
    if answer.actions is not None:
        driver = Driver(design, asked, properties)
        assert len(record(driver, answer.actions)) == answer.deviations
        assert driver.monitor.violations[key].step == len(answer.actions)
    return answer


def size(answer: Answer) -> tuple[int, int] | None:
    return None if answer.actions is None else (answer.deviations, len(answer.actions))


def in_order(self: Design, me: Me, number: int, operation: Operation) -> Handler:
    yield Insert("I-1", ACCOUNT, Account("A"))
    for who in (1, 2, 3):
        yield Send("S-1", "note", (who,))


def note(self: Design, me: Me, who: int) -> Handler:
    row = yield Read("N-1", ACCOUNT, "A")
    yield Update("N-2", ACCOUNT, "A", {"value": row.value * 10 + who})


NOTING = seen_toy(create=in_order, note=note)
"""Three messages whose order, and whose lost updates, can be seen in the end."""

ORDER = resting("order", lambda seen: str(seen.resources["A"].value))  # type: ignore[attr-defined]
KINDS = ("123", "132", "213", "231", "312", "321", "12", "21", "13", "3", "1", "23", "33")


@pytest.mark.parametrize("scope", [(1, 1), (1, 2), (2, 1)])
def test_a_lost_update_is_as_small_as_it_can_be(scope: tuple[int, int]) -> None:
    asked = asking(engines=scope[0], threads=scope[1])
    key = ("sum", "sum is 1")
    assert size(searched(ADDING, asked, [sum_is_two], key, 3)) == one_by_one(ADDING, asked, [sum_is_two], key, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_every_order_is_reached_with_the_fewest_deviations(kind: str) -> None:
    asked = asking(engines=1, threads=2)
    assert size(searched(NOTING, asked, [ORDER], ("order", kind), 2)) == one_by_one(NOTING, asked, [ORDER], ("order", kind), 2)


@pytest.mark.parametrize("fault", ["lose", "duplicate", "crash", "abort", "stall"])
def test_faults_are_deviations_too(fault: str) -> None:
    asked = asking(engines=1, threads=1, faults={fault: 1})
    for value in (0, 1, 2, 3):
        key = ("sum", f"sum is {value}")
        prop = resting("sum", lambda seen: f"sum is {seen.resources['A'].value if 'A' in seen.resources else 0}")  # type: ignore[attr-defined]
        assert size(searched(ADDING, asked, [prop], key, 2)) == one_by_one(ADDING, asked, [prop], key, 2)


def test_a_mutation_of_heat_at_one_deviation() -> None:
    design = catalogue.load("heat+sync-blind")
    asked = scenario(create([resource("A"), resource("B")]), engines=1, threads=2)
    answer = searched(design, asked, PROPERTIES, HANGS, 1)
    assert size(answer) == one_by_one(design, asked, PROPERTIES, HANGS, 1)
    assert answer.deviations == 1
    assert searched(HEAT, asked, PROPERTIES, HANGS, 2).actions is None


def test_whether_it_shows_at_all() -> None:
    asked = scenario(create([resource("A"), resource("B")]), engines=1, threads=2)
    assert Fewest(catalogue.load("heat+sync-blind"), PROPERTIES, asked, HANGS, MANY).anywhere() is True
    assert Fewest(HEAT, PROPERTIES, asked, HANGS, MANY).anywhere() is False
    assert Fewest(HEAT, PROPERTIES, asked, HANGS, 100).anywhere() is None


def test_the_budget_is_kept_and_said() -> None:
    asked = scenario(create([resource("A"), resource("B")]), engines=1, threads=2)
    search = Fewest(HEAT, PROPERTIES, asked, HANGS, 500)
    answer = search.search(5)
    assert (answer.actions, answer.finished, answer.performed) == (None, False, 500)
    assert search.driver.world.log == [], "the world is as it was"
    assert search.driver.world.journal == []


def test_when_time_is_up_the_rest_of_the_budget_is_given_up() -> None:
    asked = scenario(create([resource("A"), resource("B")]), engines=1, threads=2)
    looks = iter([False, False, False])  # at the beginning, and before an action that is the first of so many
    search = Fewest(HEAT, PROPERTIES, asked, HANGS, MANY, over=lambda: next(looks, True))
    answer = search.search(5)
    assert (answer.actions, answer.finished) == (None, False)
    assert fewest.OFTEN <= answer.performed <= 3 * fewest.OFTEN
    assert search.driver.world.log == []


def test_without_asking_for_the_fewest_steps_it_ends_at_once() -> None:
    asked = asking(engines=1, threads=2)
    answer = Fewest(ADDING, [sum_is_two], asked, ("sum", "sum is 1"), MANY).search(3, fewest=False)
    assert answer.deviations == 1
    assert not answer.finished


def test_beyond_the_patience_of_the_default_policy_nothing_is_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fewest, "PATIENCE", 5)
    answer = Fewest(ADDING, [sum_is_two], asking(), ("sum", "sum is 1"), MANY).search(1, steps=50)
    assert answer.actions is not None
    assert not answer.finished


def test_it_goes_on_from_where_it_is_told() -> None:
    asked = asking(engines=1, threads=2)
    whole = searched(NOTING, asked, [ORDER], ("order", "21"), 2)
    assert whole.actions is not None
    driver = Driver(NOTING, asked, [])
    record(driver, whole.actions)
    first, second = places(driver.world)
    for start, left in ((first, 1), (second - 1, 1), (second, 0)):
        search = Fewest(NOTING, [ORDER], asked, ("order", "21"), MANY, start=whole.actions[:start])
        assert search.search(left).actions == whole.actions
        assert len(search.driver.world.log) == start
    assert Fewest(NOTING, [ORDER], asked, ("order", "21"), MANY, start=whole.actions[: second - 1]).search(0).actions is None


def test_what_shows_in_no_state_is_not_searched_for() -> None:
    assert can_search(HEAT, HANGS)
    assert not can_search(HEAT, (REST_IS_REACHED.name, "goes round in circles"))
    assert not can_search(type("Live", (Design,), {"pure": False})(), HANGS)


@pytest.mark.parametrize(("one", "other"), [(1, True), (-1, -2), (0.0, -0.0), ((1,), (True,))])
def test_states_whose_values_are_only_equal_or_hashed_alike_are_told_apart(one: Any, other: Any) -> None:
    def put(self: Design, me: Me, value: Any) -> Handler:
        row = yield Read("P-1", ACCOUNT, "A")
        yield Update("P-2", ACCOUNT, "A", {"value": value, "owner": "both" if row.owner else "one"})

    def more(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        if (yield Read("M-1", ACCOUNT, "A")).owner == "both":
            yield Insert("M-2", ACCOUNT, Account("B"))

    design = seen_toy(create=sending(("put", one), ("put", other)), put=put, update=more)
    last = resting("last", lambda observation: f"{len(observation.resources)} {observation.resources['A'].value!r}")
    asked = asking("update", engines=1, threads=1)
    answer = searched(design, asked, [last], ("last", f"2 {one!r}"), 1)
    assert size(answer) == one_by_one(design, asked, [last], ("last", f"2 {one!r}"), 1)
    assert answer.deviations == 1
