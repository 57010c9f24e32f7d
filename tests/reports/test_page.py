"""Pages as text: what stands in them, how large they are, that text stays text; what a browser makes of them is in tests/browser."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

from heatproof import checking
from heatproof.model import catalogue
from heatproof.model.errors import HeatproofError
from heatproof.model.scenario import create, scenario
from heatproof.model.templates import resource
from heatproof.model.world import Action
from heatproof.reports import cases
from heatproof.reports.cases import Case
from heatproof.reports.graphs import graphs
from heatproof.reports.lanes import ROWS, SLOTS, THINGS, Lanes
from heatproof.reports.mermaid import LONGEST, escaped, mermaid
from heatproof.reports.page import page
from heatproof.reports.sentences import MOST, moments, most_telling, notes
from heatproof.reports.showing import visible
from heatproof.reports.told import Told, told
from heatproof.reports.trace import trace
from heatproof.strategies.running import Driver, Plan, run
from heatproof.strategies.schedules import record
from tests.model.toys import asking
from tests.reports.wild import PAYLOADS, long_case, wild_case
from tests.toys import ADDING, HEAT, SPINNING, large, resting, same_in_any_process, sum_is_two

STORED = Path(cases.__file__).parent / "regressions" / "heat"
LATE = "complete-is-written-nothing-is-in-progress-operation-in-progress"


@cache
def of(name: str) -> Told:
    """A stored case of Heat, replayed."""
    return heats(cases.read(STORED / f"{name}.case.json"))


def heats(case: Case, neighbours: bool = True) -> Told:
    """A case of Heat, replayed."""
    return told(case, catalogue.load(case.design), checking.properties_for(case.design), "x.case.json", neighbours)


def written(case: Told) -> str:
    return page(case, "1.2.3", "heatproof replay x.case.json")


class Elements(HTMLParser):
    """The elements and attributes of a page, and its embedded scripts."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.ids: list[str] = []
        self.inside = ""
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag
        if tag == "script":
            self.scripts.append("")
        if "id" in dict(attrs):
            self.ids.append(dict(attrs)["id"] or "")

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            self.scripts[-1] += data
        elif self.inside != "style":
            self.words += data


# ------------------------------------------------------------------------------------------------------- what stands there


def test_a_page_says_what_must_hold_what_was_found_and_where() -> None:
    words = Elements(written(of(LATE))).words
    for text in (
        "COMPLETE is written: nothing is in progress: operation in progress",
        "When COMPLETE is written, no physical operation is going on.",
        "step 164",
        "update to A; C(!a!=a of A)",
        "2 engines of 1 thread",
        "the user asks E2: rollback#3",
        "By default, check(C@T1, C, T2) would have gone on first: RD-5 the operation on C@T1.1 ends: done.",
        "heatproof replay x.case.json",
    ):
        assert text in words


def test_every_step_has_a_line_and_an_address() -> None:
    found = Elements(written(of(LATE)))
    assert [i for i in found.ids if re.fullmatch(r"step-\d+", i)] == [f"step-{n}" for n in range(1, 165)]
    assert len(found.ids) == len(set(found.ids))


def test_every_stored_case_has_a_page_of_less_than_half_a_megabyte() -> None:
    for path in sorted(STORED.glob("*.case.json")):
        text = written(of(path.name.removesuffix(".case.json")))
        assert len(text.encode()) < 500_000
        assert "What was found" in text


def test_a_page_of_200_steps_is_smaller_than_a_megabyte() -> None:
    case = run(HEAT, large(), checking.properties_for("heat"), Plan("random", 1, 0.05, 0.1))
    assert len(case.actions) > 180
    text = written(heats(Case("Long", "heat", large(), tuple(case.actions))))
    assert len(text.encode()) < 600_000


def test_a_page_of_2_000_steps_stays_small_enough_to_be_opened() -> None:
    text = written(heats(long_case(24, 3)))
    assert text.count('<li class="row') > 2_000
    assert len(text.encode()) < 3_000_000


def test_the_same_in_any_process() -> None:
    assert same_in_any_process("tests.reports.test_page", "digest")


def digest() -> str:
    """A page, short."""
    return hashlib.sha256(written(heats(wild_case())).encode()).hexdigest()


def test_a_page_of_a_design_without_resources() -> None:
    driver = Driver(ADDING, asking(), [sum_is_two])
    driver.settle()
    case = Case("Adds", "toy", asking(), tuple(e.action for e in driver.world.log), ("sum", "sum is 1"))
    text = written(told(case, ADDING, [sum_is_two], "x"))
    assert "The expected failure does not show (sum: sum is 1): the run comes to rest." in text
    assert "Table account" in text


def test_a_case_of_nothing() -> None:
    assert "step 1 of 0" not in written(told(Case("", "toy", asking(), ()), ADDING, [], "x"))


def test_a_schedule_that_does_not_fit_is_an_error() -> None:
    case = Case("", "toy", asking(), (Action("step", "nobody"),))
    with pytest.raises(HeatproofError, match=r"x\.case\.json does not fit toy at step 1 of 1: no task is called 'nobody'"):
        told(case, ADDING, [], "x.case.json")


def test_a_run_that_does_not_end_is_no_verdict() -> None:
    case = Case("", "toy", asking(), (Action("operate", "create#1", "E1"),))
    assert "goes round in circles" in told(case, SPINNING, [], "x").held


# --------------------------------------------------------------------------------------------------------- text stays text


def test_what_is_made_from_a_wild_case_has_only_the_elements_of_a_tame_one() -> None:
    wild, tame = Elements(written(heats(wild_case()))), Elements(written(of(LATE)))
    assert {tag for tag, _ in wild.tags} <= {tag for tag, _ in tame.tags}
    assert {name for _, attrs in wild.tags for name in attrs} <= {name for _, attrs in tame.tags for name in attrs}
    assert not [name for _, attrs in wild.tags for name in attrs if name.startswith("on")]
    assert not [
        v for _, attrs in wild.tags for name, v in attrs.items() if name in ("href", "src") and not re.match(r"#|data:,$", v or "")
    ]
    assert len(wild.scripts) == len([s for s in tame.scripts if s]) - (
        1 if of(LATE).neighbour and not heats(wild_case()).neighbour else 0
    )


def test_every_payload_is_shown_as_it_is() -> None:
    words = Elements(written(heats(wild_case()))).words
    for payload in PAYLOADS:
        assert visible(payload) in words


def test_the_embedded_data_is_json_and_cannot_end_its_element() -> None:
    found = Elements(written(heats(wild_case())))
    data = json.loads(found.scripts[0])
    assert len(data["steps"]) == len(heats(wild_case()).run.steps)
    assert "<" not in found.scripts[0]
    joined = "\n".join(data["texts"])
    assert "</script><script>window.hit=1</script>" in joined
    assert "\u202e" not in joined
    assert "\x00" not in joined


def test_the_page_allows_its_own_script_and_nothing_else() -> None:
    text = written(of(LATE))
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1])  # type: ignore[index]
    for tag in ("script", "style"):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_nothing_in_a_page_is_fetched() -> None:
    text = written(of(LATE)).replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|url\(|@import|//\w+\.\w", text)


def test_what_cannot_be_seen_is_spelt_out() -> None:
    assert visible("a\u202eb\x00c\nd\u2028\U000e0001") == "a\\u202eb\\u0000c\\nd\\u2028\\U000e0001"
    assert visible("ä€😀 x") == "ä€😀 x"
    assert visible("x" * 1000) == "x" * 300 + "... (1000 characters)"


# ------------------------------------------------------------------------------------------------------------ the parts


def test_the_neighbour_differs_by_one_deviation_and_passes() -> None:
    case = of(LATE)
    assert case.neighbour is not None
    assert case.neighbour.differs == 90
    assert case.case.expected not in {(v.name, v.witness.kind) for v in case.neighbour.violations}
    same = [e.action for e in case.neighbour.world.log[:87]]
    assert same == list(case.case.schedule[:87])
    driver = Driver(HEAT, case.case.scenario, [])
    assert len(record(driver, [e.action for e in case.neighbour.world.log])) == len(case.deviations) - 1


def test_without_deviations_there_is_no_neighbour_and_the_page_says_why() -> None:
    driver = Driver(ADDING, asking(), [])
    driver.settle()
    case = Case("", "toy", asking(), tuple(e.action for e in driver.world.log), ("sum", "sum is 2"))
    found = told(case, ADDING, [resting("sum", lambda seen: "sum is 2")], "x")
    assert found.violation is not None
    assert "without any deviation" in found.reason
    assert found.reason in html.unescape(written(found))


def test_lanes_do_not_outgrow_a_page() -> None:
    found = Lanes(heats(long_case(24, 1), neighbours=False).run)
    groups = [lane.group for lane in found.all]
    assert groups.count("database") <= ROWS + 4
    assert groups.count("reality") == THINGS + 1
    assert found.messages.width <= 11 * SLOTS + 8
    assert [lane.x for lane in found.all] == sorted(lane.x for lane in found.all)


def test_moments_are_the_remarkable_steps_in_order() -> None:
    case = of("complete-at-rest-everything-is-there-not-healthy")
    found = moments(case.run, case.violation)
    assert [(m.step, m.kind) for m in found] == [
        (1, "operation"), (33, "operation"), (49, "operation"), (83, "outdated"), (84, "outdated"), (85, "lost"), (93, "lost"),
        (96, "exception"), (96, "violation"),
    ]  # fmt: skip
    assert found[2].kinds == ("operation", "deviation")
    assert found[3].notes[0].text == (
        "goes by an outdated resource A@T1: read at step 47, overwritten at step 67 by check(A@T1, U, T3) (key, template); reading it"
        " now, it would read raw_template t(T3) (W-6)"
    )
    assert found[5].notes[0].text == (
        "its write of resource A@T1 is lost: key should be 2 but is 3; read at step 47, overwritten at step 67 by check(A@T1, U, T3)"
    )


def test_too_many_moments_are_cut_to_the_most_telling() -> None:
    found = [m._replace(step=n) for n in range(1, 300) for m in moments(of(LATE).run, None)[2:3]]
    found = [m._replace(kind="deviation") if m.step % 10 else m._replace(kind="fault") for m in found]
    kept = most_telling(found)
    assert len(kept) == MOST
    assert [m.step for m in kept if m.kind == "fault"] == list(range(10, 300, 10))
    assert [m.step for m in kept] == sorted(m.step for m in kept)
    assert most_telling(found[:5]) == found[:5]


def test_the_template_graph_knows_every_copy() -> None:
    case = of(LATE)
    (graph,) = graphs(case.run)
    assert [node.name for node in graph.nodes] == ["C", "A"] or [node.name for node in graph.nodes] == ["A", "C"]
    last: dict[int, object] = {}
    for step in sorted(graph.states):
        last.update(graph.states[step])
    (c,) = [n for n, node in enumerate(graph.nodes) if node.name == "C"]
    assert [line.text for line in last[c].lines] == [  # type: ignore[attr-defined]
        "C@T1 DELETE IN_PROGRESS, held by E1", "C@T2 DELETE COMPLETE", "C@T2~3 CREATE COMPLETE", "C@T1.1 healthy, delete under way",
        "C@T2~3.1 healthy",
    ]  # fmt: skip


def test_a_step_without_anything_remarkable_has_no_notes() -> None:
    found = trace(heats(Case("", "heat", scenario(create([resource("A")])), ())).run.world).steps
    assert all(notes(step) == () for step in found)


# --------------------------------------------------------------------------------------------------------------- Mermaid


def test_a_mermaid_diagram() -> None:
    text = mermaid(of("rest-no-lock-of-a-live-engine-locked-by-a-live-engine"))
    lines = text.splitlines()
    assert lines[0] == "sequenceDiagram"
    assert "  U->>E1r1: 1 the user asks E1: create#35;1" in lines
    assert "  M->>E1t1: 17 E1 takes check(A@T1, U, T1)" in lines
    assert any(line.startswith("  Note over E1r1: deviation: by default, check(A@T1, U, T1)") for line in lines)
    assert any(
        line.startswith("  Note over U,R: violated after step 31: At rest no row is locked by an engine that lives.")
        for line in lines
    )
    arrow = re.compile(r"  (U|M|R|E\d+[tr]\d+)(->>|-->>|-x|-\))(U|M|D|R|E\d+[tr]\d+): [^;#]*(#\d+;[^;#]*)*$")
    known = re.compile(r"sequenceDiagram$|  (accTitle: |participant |Note over [\w,]+: )[^;#]*(#\d+;[^;#]*)*$")
    assert all(arrow.match(line) or known.match(line) for line in lines)


def test_mermaid_says_why_not_for_longer_ones() -> None:
    with pytest.raises(HeatproofError, match=rf"has 164 steps, and a Mermaid diagram is legible up to {LONGEST}"):
        mermaid(of(LATE))


def test_mermaid_takes_any_text() -> None:
    for payload in PAYLOADS:
        assert re.fullmatch(r"[A-Za-z0-9 .,()/@~+'\-:=?_]*(#\d+;[A-Za-z0-9 .,()/@~+'\-:=?_]*)*", escaped(payload))
        assert not re.search(r"\bend\b", escaped(payload))
    assert escaped("x" * 100) == "x" * 87 + "..."
