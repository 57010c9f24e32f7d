"""Cases: what is stored is what is read, in the schema that is published, and in the one before."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatproof.model.catalogue import MUTATIONS_OF
from heatproof.model.errors import HeatproofError
from heatproof.model.scenario import Scenario
from heatproof.model.world import Action
from heatproof.properties.catalogue import ALL
from heatproof.reports.cases import SCHEMA, WIDTH, Case, Expectation, dump, json_schema, load, read
from heatproof.reports.judging import noted
from heatproof.strategies.scenarios import scenarios
from heatproof.strategies.schedules import Anchor, Deviation
from tests.reports.case_files import BARE, REAL, STORED, TEXT, edited, of_schema_1
from tests.toys import HEAT, ROOT

TEXTS = st.text(max_size=30)
STEPS = st.builds(Action, st.sampled_from(["step", "settle", "restart"]), st.just("E1"), TEXTS)
ACTIONS = st.lists(STEPS | st.builds(Action, st.just("deliver"), TEXTS, st.just("E1")), max_size=4).map(tuple)
COUNTS = st.integers(1, 1_000)
DEVIATIONS = st.lists(st.builds(Deviation, st.builds(Anchor, TEXTS, TEXTS, COUNTS, TEXTS, COUNTS), STEPS), max_size=3).map(tuple)
DESIGNS = st.sampled_from(["heat", *(f"heat+{name}" for name in sorted(MUTATIONS_OF["heat"])), "some/where.py:Mine"])
KINDS = st.none() | st.builds(
    lambda pair, text: (pair[0], pair[1].replace("*", text)),
    st.sampled_from([(name, kind) for name, prop in ALL.items() for kind in prop.kinds]),
    TEXTS,
)


@given(
    scenarios(HEAT, max_operations=4, max_engines=4), ACTIONS, KINDS, TEXTS, DESIGNS, st.sampled_from(["fails", "holds"]),
    st.none() | DEVIATIONS, st.data(),
)  # fmt: skip
def test_what_is_stored_is_what_is_read(
    asked: Scenario,
    schedule: tuple[Action, ...],
    expected: tuple[str, str] | None,
    text: str,
    design: str,
    expectation: Expectation,
    deviations: tuple[Deviation, ...] | None,
    data: st.DataObject,
) -> None:
    steps = data.draw(st.tuples(*(TEXTS for _ in schedule)))
    steps = steps if any(steps) else ()
    case = Case(text, design, asked, schedule, expected, text, "", expectation, steps, deviations)
    written = dump(case, "1.2")
    again = load(written.encode(), "here")
    assert again == case._replace(heatproof="1.2")
    assert dump(again, "1.2") == written
    assert {type(action) for action in again.schedule} <= {Action}
    VALIDATOR.validate(json.loads(written))


def test_a_file_is_read_and_its_text_is_for_people(tmp_path: Path) -> None:
    path = tmp_path / "here.case.json"
    path.write_text(TEXT, encoding="utf-8")
    assert read(path) == REAL._replace(heatproof="1.2")
    assert TEXT.endswith("}\n")
    assert all(len(line) <= WIDTH + 1 for line in TEXT.splitlines())
    assert '"engines": 2' in TEXT
    assert TEXT.count("\n") < len(REAL.schedule) + len(REAL.deviations or ()) + 60  # an action, a deviation: a line each


def test_what_has_its_default_may_be_left_out() -> None:
    text = edited(lambda raw: raw["design"].pop("changes"))
    assert load(text, "here") == REAL._replace(heatproof="1.2")


def test_what_no_file_can_hold_is_not_written() -> None:
    with pytest.raises(HeatproofError, match="half of a character"):
        dump(REAL._replace(title="\udc80"), "1.2")


# ---------------------------------------------------------------------------------------------------- the published schema

PUBLISHED = ROOT / "docs" / "case.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(json.loads(json_schema()))


def test_the_published_schema_is_the_one_in_use() -> None:
    assert PUBLISHED.read_text() == json_schema(), "out of date: heatproof schema > docs/case.schema.json"
    VALIDATOR.check_schema(VALIDATOR.schema)


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.name.removesuffix(".case.json"))
def test_what_is_stored_follows_the_published_schema_and_is_as_it_would_be_written(path: Path) -> None:
    VALIDATOR.validate(json.loads(path.read_text()))
    case = read(path)
    assert dump(case, case.heatproof) == path.read_text()


# --------------------------------------------------------------------------------------------------------- the schema before


def test_a_file_of_schema_1_is_read_and_becomes_one_of_today() -> None:
    old = json.dumps(of_schema_1(REAL)).encode()
    read_now = load(old, "here")
    assert read_now == REAL._replace(heatproof="0.1.0", steps=(), deviations=None, expectation="fails")
    assert noted(read_now, HEAT, read_now.schedule) == REAL._replace(heatproof="0.1.0")
    assert json.loads(dump(read_now, "1.2"))["schema"] == SCHEMA


def test_the_defaults_of_schema_1() -> None:
    raw = of_schema_1(BARE)
    del raw["expected"], raw["origin"]
    assert load(json.dumps(raw).encode(), "here") == BARE._replace(heatproof="0.1.0", expected=None, origin="")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("expectation", "holds", "unknown field `expectation`"),
        ("deviations", None, "unknown field `deviations`"),
        ("design", {"name": "heat", "changes": []}, "Expected `str`, got `object` - at `\\$.design`"),
        ("schedule", [["step", "a"]], "Expected `array` of length 3 - at `\\$.schedule\\[0\\]`"),
        ("schedule", [["step", "a", "", "LK-1"]], "Expected `array` of length 3 - at `\\$.schedule\\[0\\]`"),
        ("design", "nosuch", "unknown design 'nosuch'"),
    ],
)
def test_schema_1_is_as_strict_as_ever(field: str, value: object, message: str) -> None:
    raw = {**of_schema_1(REAL), field: value}
    with pytest.raises(HeatproofError, match=f"here is a broken case: .*{message}"):
        load(json.dumps(raw).encode(), "here")
