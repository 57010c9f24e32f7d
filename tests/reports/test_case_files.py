"""Cases as files: what is written is read again, and whatever else is read gets one clear message."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given

from heatproof.model import catalogue
from heatproof.model.errors import HeatproofError
from heatproof.model.scenario import Scenario
from heatproof.model.world import Action
from heatproof.reports import cases, files
from heatproof.strategies.scenarios import scenarios

KEPT = sorted((Path(__file__).resolve().parents[2] / "reports" / "regressions" / "heat").glob("*.case.json"))


@given(scenarios(catalogue.load("heat")))
def test_what_is_written_is_read_again(scenario: Scenario) -> None:
    case = cases.Case("t", "heat", scenario, (Action("operate", "create#1", "E1"),), ("a", "b"), "origin", "0")
    assert cases.load(cases.dump(case, "0").encode(), "here") == case


def _changed(change: str) -> bytes:
    raw = json.loads(KEPT[0].read_text())
    exec_free = {
        "another schema": lambda: raw.update(schema=99),
        "an unknown field": lambda: raw.update(surprise=1),
        "a wrong type": lambda: raw.update(schedule="none"),
        "a missing field": lambda: raw.pop("scenario"),
        "a short action": lambda: raw["schedule"].append(["step", "x"]),
        "an unknown operation": lambda: raw["scenario"]["operations"][0].update(kind="explode"),
        "no engine": lambda: raw["scenario"].update(engines=0),
        "a negative budget": lambda: raw["scenario"].update(faults={"lose": -1}),
        "a cycle": lambda: raw["scenario"]["operations"][0].update(
            template={"A": {"depends_on": ["B"]}, "B": {"depends_on": ["A"]}}
        ),
        "a dangling reference": lambda: raw["scenario"]["operations"][0].update(template={"A": {"depends_on": ["Z"]}}),
    }
    exec_free[change]()
    return json.dumps(raw).encode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("another schema", "schema 99"),
        ("an unknown field", "surprise"),
        ("a wrong type", "$.schedule"),
        ("a missing field", "scenario"),
        ("a short action", "$.schedule"),
        ("an unknown operation", "explode"),
        ("no engine", "engines"),
        ("a negative budget", "faults"),
        ("a cycle", "A -> B -> A"),
        ("a dangling reference", "refers to 'Z'"),
    ],
)
def test_a_broken_case_says_what_and_where(change: str, said: str) -> None:
    with pytest.raises(HeatproofError, match="here") as caught:
        cases.load(_changed(change), "here")
    assert said in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"\x00\xff", b"[" * 100_000, b"{" + b'"a":{' * 50_000, b"null", b"[]", b'{"schema": 1'])
def test_what_is_no_case_says_so(data: bytes) -> None:
    with pytest.raises(HeatproofError, match="here"):
        cases.load(data, "here")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    huge = tmp_path / "huge.case.json"
    with huge.open("wb") as file:
        file.truncate(cases.LIMIT + 1)
    with pytest.raises(HeatproofError, match="more than"):
        cases.read(huge)


def test_files_with_random_changes_are_cases_or_said_to_be_broken() -> None:
    rng = Random(1)
    data = KEPT[0].read_bytes()
    for _ in range(5_000):
        changed = bytearray(data)
        for _ in range(rng.randrange(1, 6)):
            place = rng.randrange(len(changed))
            kind = rng.randrange(3)
            if kind == 0:
                changed[place] = rng.randrange(256)
            elif kind == 1:
                del changed[place : place + rng.randrange(1, 40)]
            else:
                changed[place:place] = changed[rng.randrange(len(changed)) :][: rng.randrange(30)]
        with contextlib.suppress(HeatproofError):
            cases.load(bytes(changed), "here")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "sub" / "a.txt"
    files.write_whole(target, "before")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(HeatproofError, match="No space left on device"):
        files.write_whole(target, "after")
    assert target.read_text() == "before"
    assert [path.name for path in target.parent.iterdir()] == ["a.txt"]
