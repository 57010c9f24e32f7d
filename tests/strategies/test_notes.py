"""Who goes by the notes of another property is never asked without it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from heatproof.model.design import Design
from heatproof.model.effects import Handler, Me, Update
from heatproof.model.errors import HeatproofError
from heatproof.model.scenario import Operation, create, scenario, update
from heatproof.model.templates import resource
from heatproof.model.watching import WorldObservation
from heatproof.properties.base import always, at_rest, witness
from heatproof.properties.catalogue import ALL
from heatproof.properties.costs import at_most
from heatproof.strategies.asked import names_for, properties_for
from heatproof.strategies.notes import goes_by, with_their_notes
from heatproof.strategies.policies import POLICIES
from heatproof.strategies.proving.proofs import prove
from heatproof.strategies.running import Driver, Plan, drive
from heatproof.strategies.schedules import record
from heatproof.strategies.shrinking import Failure, Shrinker
from tests.model.toys import ACCOUNT
from tests.toys import HEAT, seen_toy, sending


class Noted(Mapping[Any, Any]):
    """The memory of a run, which takes down who looks at whose notes."""

    def __init__(self, driver: Driver):
        self.driver, self.entries = driver, driver.world.memory
        self.wrote: dict[Any, str] = {}
        self.read: set[tuple[str, str]] = set()
        self.remember = driver.observation.remember
        seen: Any = driver.observation
        seen.memory, seen.remember = self, self.writes

    @property
    def asking(self) -> str:
        assert self.driver.monitor.asking is not None
        return self.driver.monitor.asking.name

    def writes(self, key: Any, value: Any) -> None:
        self.wrote[key] = self.asking
        self.remember(key, value)

    def __getitem__(self, key: Any) -> Any:
        if key in self.wrote:
            self.read.add((self.asking, self.wrote[key]))
        return self.entries[key]

    def __iter__(self) -> Iterator[Any]:
        for key in self.entries:
            self.read.add((self.asking, self.wrote[key]))
            yield key

    def __len__(self) -> int:
        return len(self.entries)


def test_heats_properties_say_whose_notes_they_go_by() -> None:
    before, after = [resource("A"), resource("B")], [resource("A", {"p": 1}), resource("C")]
    more = (Operation("check"), Operation("mark unhealthy", resource="A"), Operation("signal", resource="A"), Operation("cancel"))
    asked = [
        scenario(create(before), update(after, rollback=True), *more[:2], update(before), faults={"fail": 1, "sicken": 1}),
        scenario(create(before), *more[1:], update(after), Operation("rollback"), faults={"crash": 1, "vanish": 1}),
        scenario(create(before), update(after), more[0], Operation("delete"), faults={"fail-always": 1, "crash": 1}),
    ]
    read: set[tuple[str, str]] = set()
    for number, given in enumerate(asked):
        for policy in sorted(POLICIES):
            for seed in range(2):
                driver = Driver(HEAT, given, list(ALL.values()))
                noted = Noted(driver)
                drive(driver, Plan(policy, 10 * number + seed, 0.1, 0.2, 2000))
                read |= noted.read
    others = {(reader, writer) for reader, writer in read if reader != writer}
    assert len({reader for reader, _ in others}) >= 4
    assert not {(reader, writer) for reader, writer in others if writer not in with_their_notes([reader], ALL.values())}


@always("first", "Notes who was first.", ["account"], needs=())
def first(observation: Any, change: Any) -> None:
    """Remembers what was written first."""
    if change.new.value and "first" not in observation.memory:
        observation.remember("first", change.new.value)


@at_rest("one was first", "One was written before two.")
def one_first(observation: Any) -> Iterator[Any]:
    """Goes by what the other has noted."""
    if observation.memory.get("first") != 1:
        yield witness("one was not first")


def put(self: Design, me: Me, value: int) -> Handler:
    """A message that writes a value."""
    yield Update("U-1", ACCOUNT, "A", {"value": value})


PUTTING = seen_toy(create=sending(("put", 1), ("put", 2)), put=put)
KEY = ("one was first", "one was not first")


def test_who_speaks_of_the_memory_goes_by_all_who_take_notes() -> None:
    others = [first, one_first, at_most(3), ALL["rest is reached"]]
    assert goes_by(one_first, others) == ["first"]
    assert goes_by(first, others) == []
    assert with_their_notes([one_first.name], others) == {"first", one_first.name}
    silent = at_rest("silent", "It asks nothing.")(lambda observation: ())
    assert goes_by(silent, others) == []
    hidden = at_rest("hidden", "It cannot be looked into.")(print)  # type: ignore[arg-type]
    assert goes_by(hidden, others) == ["first"]


def test_a_failure_is_made_small_with_the_notes_it_goes_by() -> None:
    asked = scenario(create([]), engines=1, threads=2)
    found = prove(PUTTING, asked, [first, one_first]).violations[KEY]
    driver = Driver(PUTTING, asked, [first, one_first])
    record(driver, found.actions)
    small = Shrinker(PUTTING, [first, one_first], Failure(asked, list(found.actions), driver.monitor.violations[KEY]), 200).shrink()
    assert len(small.deviations) == 1
    again = Driver(PUTTING, small.scenario, [first, one_first])
    record(again, small.actions)
    assert KEY in again.monitor.violations


def test_who_is_asked_alone_is_asked_with_the_notes_it_goes_by(tmp_path: Path) -> None:
    text = dedent("""
        from heatproof import always, at_rest, witness
        from tests.strategies.test_notes import PUTTING

        class Putting(type(PUTTING)):
            "As there."

        @always("first", "x", ["account"])
        def first(observation, change):
            observation.remember("first", change.new.value)

        @at_rest("one was first", "x"NEEDS)
        def one_first(observation):
            if observation.memory.get("first") != 1:
                yield witness("one was not first")

        PROPERTIES = (first, one_first)
        """)

    def spec(needs: str) -> str:
        file = tmp_path / f"noting{len(needs)}.py"
        file.write_text(text.replace("NEEDS", needs))
        return f"{file}:Putting"

    def asked(needs: str, name: str) -> list[str]:
        return [prop.name for prop in properties_for(spec(needs), [name])]

    silent, nobody, one, wrong = "", ", needs=()", ", needs=['first']", ", needs=['second']"
    assert asked(silent, "one was first") == ["first", "one was first"]
    assert asked(silent, "first") == ["first"]
    with pytest.raises(
        HeatproofError, match="does not say whose notes it goes by, and 'first' takes some: leave both out, or neither"
    ):
        names_for(spec(silent), (), ("first",))
    assert names_for(spec(silent), (), ("one was first",)) == ("first",)
    assert asked(nobody, "one was first") == ["one was first"]
    assert names_for(spec(nobody), (), ("first",)) == ("one was first",)
    assert asked(one, "one was first") == ["first", "one was first"]
    with pytest.raises(HeatproofError, match="'one was first' goes by what 'first' notes: leave both out, or neither"):
        names_for(spec(one), (), ("first",))
    with pytest.raises(HeatproofError, match="'one was first' needs what 'second' notes, and there is no property of that name"):
        asked(wrong, "one was first")


def test_who_goes_by_notes_through_an_observation_of_its_own() -> None:
    class Counting(WorldObservation):
        """Has a word of its own for what is remembered."""

        def noted(self) -> int:
            return len(self.memory)

    asking_it = at_rest("asks", "It asks.")(lambda observation: [witness("noted")] if observation.noted() else [])
    assert goes_by(asking_it, [first, asking_it]) == ["first"]
    del Counting
