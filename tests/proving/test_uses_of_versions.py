"""A version that is used as a number is one: every use that tells numbers apart is noticed, and those that do not need none."""

from __future__ import annotations

import json
import math
import numbers
import pickle
from collections.abc import Callable
from copy import copy, deepcopy
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from heatproof.model.design import Design
from heatproof.model.effects import Escape, Handler, Insert, Me, Read, Refused, Send, Sleep, Transaction
from heatproof.model.errors import DesignError
from heatproof.model.observation import Observation
from heatproof.model.scenario import Operation
from heatproof.properties.base import at_rest, witness
from heatproof.strategies.proving.search import Search
from tests.model.toys import asking
from tests.proving.test_versions import COUNTER, Counter, looked_at, raise_it, seen_counter, starting, working


def using(use: Callable[[Any], Any]) -> Design:
    """A design in which one handler reads a version and does something with it."""

    def look(self: Design, me: Me) -> Handler:
        row = yield Read("V-1", COUNTER, "A")
        if use(row.version):
            yield Send("V-2", "other", ())

    def other(self: Design, me: Me) -> Handler:
        yield Read("V-3", COUNTER, "A")

    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("V-0", COUNTER, Counter("A", 1))
        yield Transaction("V-0", raise_it, ())
        yield Send("V-0", "look", ())

    return seen_counter(create=create, look=look, other=other)


USES: dict[str, Callable[[Any], Any]] = {
    "compared with a number": lambda version: version == 2,
    "compared with nothing": lambda version: version == None,  # noqa: E711
    "found in a tuple": lambda version: version in (1, 2),
    "ordered": lambda version: version > 1,
    "taken for true": bool,
    "printed": lambda version: f"{version}" == "2",
    "formatted": lambda version: format(version) == "2",
    "an index": lambda version: [False, False, True][version],
    "counted down": lambda version: version - 1 == 1,
    "raised by two": lambda version: version + 2 == 4,
    "divided": lambda version: version % 2 == 0,
    "divided to the end": lambda version: version // 2 == 1,
    "a fraction of it": lambda version: version / 4 == 0.5,
    "divided both ways": lambda version: divmod(version, 2) == (1, 0),
    "what divides": lambda version: 4 // version == 2 and 4 / version == 2 and 4 % version == 0,
    "times": lambda version: 1.5 * version == 3 and version * 1.5 == 3,
    "so many times": lambda version: len([0] * version) == 2,
    "a power": lambda version: version**2 == 4 and 2**version == 4,
    "its bits": lambda version: version & 2 and version | 1 == 3 and version ^ 2 == 0 and version << 1 == 4 and ~version == -3,
    "how many bits": lambda version: version.bit_length() == 2,
    "its real part": lambda version: version.real == 2,
    "less than nothing": lambda version: -version == -2,
    "how much": lambda version: abs(version) == 2,
    "rounded": lambda version: round(version) == 2 and math.floor(version) == 2 and math.trunc(version) == 2,
    "a number": lambda version: int(version) == 2,
    "another number": lambda version: float(version) == 2.0,
    "a fraction": lambda version: Fraction(1, 2) * version == 1 and Fraction(2) == version,
    "a decimal": lambda version: Decimal(2) == version,
    "formatted with zeros": lambda version: f"{version:03d}" == "002",
    "formatted by per cent": lambda version: "%d" % version == "2",  # noqa: UP031  # a way of its own
    "hexadecimal": lambda version: hex(version) == "0x2",
    "not ordered": lambda version: not version < 2,
    "ordered with a fraction": lambda version: version > 1.5,
    "the larger": lambda version: max(version, 2) == 2 and min(2, version) == 2,
    "added up": lambda version: sum([version, 0]) == 2,
    "found in a range": lambda version: version in range(2, 3),
    "the end of a range": lambda version: len(range(version)) == 2,
    "a slice": lambda version: "abc"[version:] == "c",
    "found in a set": lambda version: version in {1, 2},
    "found in a set of rows": lambda version: Counter("A", version) in {Counter("A", 2)},
    "a key": lambda version: {1: False, 2: True}[version],
    "a key that may not be there": lambda version: {1: False, 2: True}.get(version),
    "written down": lambda version: json.dumps(version) == "2",
    "matched": lambda version: matched(version) == 2,
    "packed away": lambda version: pickle.dumps(version) == pickle.dumps(2),
    "subtracted from itself": lambda version: version - version == 0,
}


def matched(version: Any) -> int:
    """Which number it is."""
    match version:
        case 1:
            return 1
        case 2:
            return 2
    return 0


def is_a_number(version: Any) -> bool:
    """Whether it is matched by the class of numbers."""
    match version:
        case str():
            return False
        case int(number):
            return number == version
    return False


KNOWN: dict[str, Callable[[Any], Any]] = {
    "a number": lambda version: isinstance(version, int),
    "one of several": lambda version: isinstance(version, str | int) and not isinstance(version, bool | str),
    "of an abstract class": lambda version: isinstance(version, numbers.Integral),
    "matched": is_a_number,
    "its copy": lambda version: copy(version) == version and deepcopy([version])[0] == version,
    "no text": lambda version: version != "2",
    "what is equal to anything": lambda version: version == Anything(),
}


class Anything:
    """Is equal to all."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]  # it is never asked for


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_what_every_number_answers_alike_needs_no_numbers(name: str) -> None:
    design = using(KNOWN[name])
    search, result = looked_at(design, [], True)
    assert search.numbered == []
    assert result.depth == looked_at(design, [], False)[1].depth


def test_an_error_is_told_of_numbers() -> None:
    search = Search(using(lambda version: [1][version]), asking(engines=1, threads=2), [])
    with pytest.raises(DesignError, match="IndexError"):
        search.run()
    search = Search(using(lambda version: version.nothing), asking(engines=1, threads=2), [])
    with pytest.raises(DesignError, match="'int' object has no attribute 'nothing'"):
        search.run()


@pytest.mark.parametrize("name", sorted(USES))
def test_any_other_use_is_noticed(name: str) -> None:
    design = using(USES[name])
    search, result = looked_at(design, [], True)
    assert search.numbered == ["counter"]
    plain = looked_at(design, [], False)[1]
    assert (result.states, result.transitions) == (plain.states, plain.transitions)


PROPERTIES: dict[str, Callable[[Any], Any]] = {
    "a set": lambda version: version in {2, 3},
    "a key": lambda version: {1: False, 2: True, 3: True}[version],
    "text": lambda version: json.dumps(version) in "2 3",
    "bits": lambda version: version & 2,
}


@pytest.mark.parametrize("way", sorted(PROPERTIES))
def test_a_property_that_looks_up_a_version_gets_its_number(way: str) -> None:
    @at_rest("twice", "A row is written less than twice.")
    def twice(observation: Observation) -> Any:
        for row in observation.resources.values():
            if row.version and PROPERTIES[way](row.version):  # type: ignore[attr-defined]
                yield witness("twice")

    design = seen_counter(create=starting(*[(("raise", 0),)] * 2), working=working)
    search, result = looked_at(design, [twice], True)
    assert search.numbered == ["counter"]
    assert set(result.violations) == set(looked_at(design, [twice], False)[1].violations)
    assert result.violations


@pytest.mark.parametrize("told", [Refused, lambda version: Refused((version,)), lambda version: _throw(version)])  # type: ignore[arg-type, return-value]  # no text on purpose
def test_a_version_that_the_user_is_told_is_a_number(told: Any) -> None:
    @at_rest("told 2", "The user is never told of the second version.")
    def never(observation: Observation) -> Any:
        if any("2" in str(request.reason) for request in observation.requests):
            yield witness("told")

    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("V-0", COUNTER, Counter("A", 1))
        yield Send("V-0", "working", ((("raise", 0),),))
        row = yield Read("V-1", COUNTER, "A")
        yield Sleep("V-2")
        return told(row.version)

    search, result = looked_at(seen_counter(create=create, working=working), [never], True)
    assert search.numbered == ["counter"]
    assert result.violations


def _throw(version: Any) -> Any:
    raise Told(version)


class Told(Escape):
    """What the user is told."""
