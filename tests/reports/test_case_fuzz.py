"""Whatever a file holds, it is a case or an error for people, with nothing else: no exception, no hang, nothing run.

With the nightly profile these are 110 000 inputs; ``make nightly`` tries them. docs/cases.md has the result of one such run.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from heatproof.model.errors import HeatproofError
from heatproof.model.faults import FAULTS
from heatproof.properties.catalogue import ALL
from heatproof.reports.case_checks import KINDS
from heatproof.reports.cases import Case, dump, load
from heatproof.reports.judging import judge
from heatproof.strategies.schedules import Deviation
from tests.reports.case_files import SHORT, STORED, TEXT, of_schema_1
from tests.reports.test_cases import VALIDATOR
from tests.toys import HEAT

HEATS = [path for path in STORED if path.parent.name == "heat"]
KEPT = min(HEATS, key=lambda path: (path.stat().st_size, path)).read_bytes()
OLD = json.dumps(of_schema_1(load(KEPT, "kept"))).encode()
REAL = [SHORT, KEPT, OLD]
CYCLE = {"A": {"depends_on": ["B"]}, "B": {"depends_on": ["A"]}}
VALUES: list[Any] = [
    None, True, -1, 0, 2**63, 10**20, 10**400, 1e308, 0.5, float("nan"), float("-inf"), "", "x" * 300, "x" * 20_000, "\x00", "\ud800",
    "heat", "../x.py:A", "E1", "E99", "operate", "crash", [], {}, [[]], [[[[[[]]]]]], {"get": "resource"}, {"schema": 2}, CYCLE,
]  # fmt: skip


def loaded(data: bytes) -> Case | None:
    """The case in these bytes, or None if they are none and that is told as it should be."""
    try:
        case = load(data, "here")
    except HeatproofError as error:
        text = str(error)
        assert text.startswith("here")
        assert text.isprintable()
        assert len(text) < 1_000
        return None
    written = dump(case, "1.2")
    assert load(written.encode(), "there") == case._replace(heatproof="1.2")
    return case


# ------------------------------------------------------------------------------------------------------ mutated real files


def mutated(rng: Random, data: bytes) -> bytes:
    """The bytes of a file after one to three accidents."""
    text = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        here, there = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        match rng.randrange(6):
            case 0:
                del text[here:]
            case 1:
                del text[here : min(there, here + 20)]
            case 2:
                text[here:here] = text[here : min(there, here + 50)]
            case 3:
                text[here:here] = rng.randbytes(rng.randint(1, 4))
            case 4:
                lines = text.split(b"\n")
                lines.insert(rng.randrange(len(lines)), rng.choice(lines))
                text = bytearray(b"\n".join(lines))
            case _:
                text[here : here + 1] = rng.choice(b'{}[]",:0-.eE\\x\xff').to_bytes()
    return bytes(text)


def transplanted(rng: Random, data: bytes) -> bytes:
    """A case in which some value is another, or gone, so that it is good JSON (or nearly)."""
    raw: Any = json.loads(data)
    for _ in range(rng.randint(1, 2)):
        place, last = raw, rng.choice([*raw])
        while isinstance(place[last], dict | list) and place[last] and rng.random() < 0.8:
            place = place[last]
            last = rng.choice([*place]) if isinstance(place, dict) else rng.randrange(len(place))
        match rng.randrange(4):
            case 0:
                del place[last]
            case 1 if isinstance(place, list):
                place.insert(last, place[rng.randrange(len(place))])
            case 1:
                place[rng.choice([*place, "new"])] = place[last]
            case _:
                place[last] = rng.choice(VALUES)
        if not raw:
            break
    return json.dumps(raw).encode()


def test_mutated_real_files() -> None:
    rng = Random(0)
    makers: list[Callable[[Random], bytes]] = [
        lambda rng: mutated(rng, rng.choice(REAL)),
        lambda rng: transplanted(rng, rng.choice(REAL)),
        lambda rng: mutated(rng, transplanted(rng, rng.choice(REAL))),
        lambda rng: rng.randbytes(rng.randint(0, 300)),
    ]
    count: Counter[bool] = Counter()
    for number in range(90 * settings().max_examples if settings().max_examples <= 1_000 else 90_000):
        case = loaded(makers[number % len(makers)](rng))
        count[case is not None] += 1
    assert all(count.values())
    assert count[True] > 10


# ------------------------------------------------------------------------------------------------- what Hypothesis draws

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from([*json.loads(TEXT), "step", "heat"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*json.loads(TEXT)]) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=20,
)
ROOTS = [json.loads(data) for data in REAL]


@given(
    st.binary(max_size=200)
    | JSON.map(lambda raw: json.dumps(raw).encode())
    | JSON.map(lambda raw: json.dumps({"schema": 2, "x": raw}).encode())
)
def test_whatever_hypothesis_draws(data: bytes) -> None:
    loaded(data)


@given(st.data())
def test_a_value_that_hypothesis_draws_in_a_real_file(data: st.DataObject) -> None:
    raw = json.loads(json.dumps(data.draw(st.sampled_from(ROOTS))))
    place, last = raw, data.draw(st.sampled_from(sorted(raw)))
    while isinstance(place[last], dict | list) and place[last] and data.draw(st.booleans()):
        place = place[last]
        last = data.draw(st.sampled_from(sorted(place)) if isinstance(place, dict) else st.integers(0, len(place) - 1))
    place[last] = data.draw(JSON)
    case = loaded(json.dumps(raw).encode())
    if case is not None and raw["schema"] == 2:
        VALIDATOR.validate(raw)


# ----------------------------------------------------------------------------------------- what was read can be replayed


ASKED = list(ALL.values())
DETAILS = ["", "E1", "10", "rest", "-1", "9" * 5_000, "٣", "1e3", "\x00"]


def rescheduled(rng: Random, case: Case) -> Case:
    """The case with some of its actions, steps and deviations changed, such as no reader can refuse."""
    schedule, steps = list(case.schedule), list(case.steps or [""] * len(case.schedule))
    deviations = list(case.deviations or ())
    for _ in range(rng.randint(1, 4)):
        here, there = rng.randrange(len(schedule)), rng.randrange(len(schedule))
        other = schedule[there]
        match rng.randrange(5):
            case 0:
                schedule[here] = other
            case 1:
                schedule[here] = other._replace(kind=rng.choice(KINDS), detail=rng.choice(DETAILS))
            case 2:
                del schedule[here], steps[here]
            case 3:
                steps[here] = rng.choice([*steps, "", "nowhere"])
            case _ if deviations:
                change = rng.choice(deviations)
                anchor = change.anchor._replace(step=rng.choice(steps), time=rng.randint(1, 9), kind=rng.choice(KINDS))
                deviations.append(Deviation(anchor, other._replace(kind=rng.choice(KINDS), detail=rng.choice(DETAILS))))
    faults = dict.fromkeys(FAULTS, 2)
    return case._replace(
        schedule=tuple(schedule), steps=tuple(steps), deviations=tuple(deviations), scenario=replace(case.scenario, faults=faults)
    )


def test_a_case_with_another_schedule_can_be_judged() -> None:
    """Whatever a schedule says, judging it ends in an answer, and soon."""
    rng, answers, real = Random(0), Counter[str](), load(KEPT, "here")
    for _ in range(100):
        judged = judge(rescheduled(rng, real), HEAT, ASKED, 20)
        assert " ".join(judged.told)
        answers[judged.answer] += 1
    assert answers["still fails"]
    assert answers["still fails, differently scheduled"]
