"""Cases: what is stored is what is read, and a file that is no case is told by name and place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatproof.model.errors import HeatproofError
from heatproof.model.scenario import Scenario
from heatproof.model.world import Action
from heatproof.reports.cases import LIMIT, Case, dump, load, read
from heatproof.strategies.running import Plan, run
from heatproof.strategies.scenarios import scenarios
from tests.toys import HEAT, ROOT, STORM, large

TEXTS = st.text(max_size=30)
ACTIONS = st.lists(st.builds(Action, TEXTS, TEXTS, TEXTS), max_size=4).map(tuple)
REAL = Case(
    "a real one", "heat", large(), tuple(run(HEAT, large(), [], Plan("random", 1, faultiness=0.05)).actions), ("property", "kind"), "made up"
)  # fmt: skip
TEXT = dump(REAL, "1.2")
SHORT = dump(REAL._replace(schedule=REAL.schedule[:5], scenario=Scenario(large().operations[:2], faults=STORM)), "1.2").encode()


def edited(change: Callable[[dict[str, Any]], object]) -> bytes:
    """The text of a case after ``change`` was made to it."""
    raw = json.loads(TEXT)
    change(raw)
    return json.dumps(raw).encode()


def at(*path: str | int, value: Any) -> bytes:
    """The text of a case with ``value`` put there."""

    def change(raw: Any) -> None:
        for step in path[:-1]:
            raw = raw[step]
        raw[path[-1]] = value

    return edited(change)


# --------------------------------------------------------------------------------------------------- there and back


@given(scenarios(HEAT, max_operations=4, max_engines=4), ACTIONS, st.none() | st.tuples(TEXTS, TEXTS), TEXTS)
def test_what_is_stored_is_what_is_read(
    asked: Scenario, schedule: tuple[Action, ...], expected: tuple[str, str] | None, text: str
) -> None:
    case = Case(text, "heat", asked, schedule, expected, text)
    again = load(dump(case, "1.2").encode(), "here")
    assert again == case._replace(heatproof="1.2")
    assert dump(again, "1.2") == dump(case, "1.2")
    assert {type(action) for action in again.schedule} <= {Action}


def test_a_file_is_read_and_its_text_is_for_people(tmp_path: Path) -> None:
    path = tmp_path / "here.case.json"
    path.write_text(TEXT, encoding="utf-8")
    assert read(path) == REAL._replace(heatproof="1.2")
    assert TEXT.endswith("}\n")
    assert all(len(line) < 200 for line in TEXT.splitlines())
    assert '"engines": 2' in TEXT


def test_what_has_its_default_may_be_left_out() -> None:
    def shorten(raw: dict[str, Any]) -> None:
        del raw["expected"], raw["origin"]

    assert load(edited(shorten), "here") == REAL._replace(heatproof="1.2", expected=None, origin="")


# ------------------------------------------------------------------------------------------------------- broken files

CYCLE = {"A": {"depends_on": ["B"]}, "B": {"depends_on": ["A"]}}
TEMPLATE = ("scenario", "operations", 0, "template")
BROKEN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is no case: Input data was truncated"),
    "truncated": (TEXT[: len(TEXT) // 2].encode(), "is no case: Input data was truncated"),
    "binary": (bytes(range(128)), "is no case: JSON is malformed"),
    "not utf-8": (TEXT.replace("a real one", "\udc80").encode(errors="surrogateescape"), "is no case: it is not UTF-8 from byte 48 on"),
    "no json": (b"Once upon a time", "is no case: JSON is malformed"),
    "a list": (b"[]", "is no case: Expected `object`, got `array`"),
    "no schema": (b"{}", "is no case: Object missing required field `schema`"),
    "deep": (b'{"schema":1,"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "is no case: maximum recursion depth"),
    "deep in the schema": (b'{"schema":' * 100_000, "is no case: Expected `int`, got `object` - at `\\$.schema`"),
    "other schema": (at("schema", value=2), "cases of schema 2 cannot be read by this heatproof, which reads schema 1"),
    "unknown field": (at("colour", value="red"), "is a broken case: Object contains unknown field `colour`"),
    "missing field": (edited(lambda raw: raw.pop("title")), "is a broken case: Object missing required field `title`"),
    "unknown field below": (at("scenario", "x", value=1), "is a broken case: Object contains unknown field `x` - at `\\$.scenario`"),
    "wrong type": (at("title", value=3), "is a broken case: Expected `str`, got `int` - at `\\$.title`"),
    "no engine": (at("scenario", "engines", value=0), "is a broken case: Expected `int` >= 1 - at `\\$.scenario.engines`"),
    "negative threads": (at("scenario", "threads", value=-3), "is a broken case: .* - at `\\$.scenario.threads`"),
    "too many engines": (at("scenario", "engines", value=10**9), "is a broken case: .* - at `\\$.scenario.engines`"),
    "negative faults": (at("scenario", "faults", "lose", value=-1), "is a broken case: .* - at `\\$.scenario.faults\\[...\\]`"),
    "unknown fault": (at("scenario", "faults", "flood", value=1), "is a broken case: unknown fault 'flood'; known are lose, "),
    "huge number": (at("scenario", "engines", value=10**30), "is a broken case: .* - at `\\$.scenario.engines`"),
    "no number": (edited(lambda raw: raw["scenario"].update(engines=float("nan"))), "is (no|a broken) case: "),
    "unknown operation": (
        at("scenario", "operations", 1, "kind", value="explode"), "is a broken case: operation 2: unknown kind 'explode'; known are create"
    ),
    "no create": (at("scenario", "operations", 0, "kind", value="check"), "is a broken case: operation 1 \\(check\\) comes before the create"),
    "no template": (at(*TEMPLATE, value=None), "is a broken case: operation 1 \\(create\\) needs a template"),
    "cycle": (at(*TEMPLATE, value=CYCLE), "is a broken case: the template has a cycle: (A -> B -> A|B -> A -> B)"),
    "reference to nothing": (
        at(*TEMPLATE, value={"A": {"in_place": {"p": {"get": "resource", "resource": "Z"}}}}), "broken case: resource 'A' refers to 'Z'"
    ),
    "unknown reference": (
        at(*TEMPLATE, value={"A": {"in_place": {"p": {"get": "moon"}}}}), "broken case: Invalid value 'moon' - at `\\$.scenario.operations"
    ),
    "property twice": (
        at(*TEMPLATE, value={"A": {"in_place": {"p": 1}, "replace": {"p": 1}}}), "broken case: resource 'A': property 'p' stands both under"
    ),
    "unknown failure": (at(*TEMPLATE, value={"A": {"fails": ["dance"]}}), "broken case: resource 'A': fails names 'dance'"),
    "short action": (at("schedule", 3, value=["step", "A"]), "broken case: Expected `array` of length 3 - at `\\$.schedule\\[3\\]`"),
    "long action": (
        at("schedule", 0, value=["a", "b", "c", "d"]), "broken case: Expected `array` of length 3 - at `\\$.schedule\\[0\\]`"
    ),
    "wrong action": (at("schedule", 0, value=["a", 1, "c"]), "broken case: Expected `str`, got `int` - at `\\$.schedule\\[0\\]\\[1\\]`"),
    "no expectation": (at("expected", value=["a", "b"]), "broken case: .* - at `\\$.expected`"),
    "no design": (at("design", value=""), "broken case: .* - at `\\$.design`"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_told_by_name_and_place(what: str, tmp_path: Path) -> None:
    data, message = BROKEN[what]
    path = tmp_path / "broken.case.json"
    path.write_bytes(data)
    with pytest.raises(HeatproofError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("name", "message"), [("missing", "cannot read .*missing: No such file"), ("", "cannot read .*: Is a directory")]
)
def test_what_cannot_be_read_is_told(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(HeatproofError, match=message):
        read(tmp_path / name)


@pytest.mark.parametrize("size", [30_000_000, LIMIT + 1])
def test_a_file_that_is_too_large_is_no_case(size: int, tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(size)
    with pytest.raises(HeatproofError, match=rf"{path} is no case: it has more than the {LIMIT} bytes"):
        read(path)


def test_what_never_ends_is_no_case() -> None:
    with pytest.raises(HeatproofError, match="/dev/zero is no case"):
        read(Path("/dev/zero"))


# ------------------------------------------------------------------------------------------------------------- fuzzing

VALUES: list[Any] = [None, True, -1, 0, 10**20, 1e308, "", "x" * 300, "\x00", [], {}, [[]], {"get": "resource"}, CYCLE]


def mutated(rng: Random, data: bytes) -> bytes:
    """The bytes of a file after one to three accidents."""
    text = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        here, there = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        match rng.randrange(5):
            case 0:
                del text[here:]
            case 1:
                del text[here : min(there, here + 20)]
            case 2:
                text[here:here] = text[here : min(there, here + 50)]
            case 3:
                text[here:here] = rng.randbytes(rng.randint(1, 4))
            case _:
                text[here : here + 1] = rng.choice(b'{}[]",:0-.eE\\x\xff').to_bytes()
    return bytes(text)


def transplanted(rng: Random) -> bytes:
    """A case in which some value is another, so that it is good JSON."""
    raw: Any = json.loads(TEXT)
    place, last = raw, rng.choice([*raw])
    while isinstance(place[last], dict | list) and place[last] and rng.random() < 0.8:
        place = place[last]
        last = rng.choice([*place]) if isinstance(place, dict) else rng.randrange(len(place))
    place[last] = rng.choice(VALUES)
    return json.dumps(raw).encode()


def test_whatever_a_file_holds_it_is_a_case_or_an_error_for_people() -> None:
    rng = Random(0)
    kept = min((ROOT / "reports" / "regressions").rglob("*.case.json"), key=lambda path: (path.stat().st_size, path)).read_bytes()
    makers: list[Callable[[], bytes]] = [
        lambda: mutated(rng, SHORT),
        lambda: mutated(rng, kept),
        lambda: transplanted(rng),
        lambda: rng.randbytes(rng.randint(0, 300)),
    ]
    cases = 0
    for number in range(100 * settings().max_examples):
        data = makers[number % len(makers)]()
        try:
            case = load(data, "here")
        except HeatproofError as error:
            assert str(error).startswith("here")  # noqa: PT017
            continue
        cases += 1
        assert load(dump(case, "1.2").encode(), "there") == case._replace(heatproof="1.2")
    assert cases > 0
