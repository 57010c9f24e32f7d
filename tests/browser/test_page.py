"""The page of a case as somebody uses it."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from heatproof.reports.graphs import graphs
from heatproof.reports.page import page
from heatproof.reports.told import Told
from tests.browser.conftest import Open
from tests.reports.test_page import LATE, heats, of, written
from tests.reports.wild import PAYLOADS, long_case, wild_case

STALE = "complete-at-rest-everything-is-there-not-healthy"
LOST = "rest-rows-tell-the-truth-names-what-is-not-healthy"


@cache
def text(name: str) -> str:
    """The page of a stored case."""
    return written(of(name))


@cache
def long_told(resources: int, updates: int) -> Told:
    """A long case."""
    return heats(long_case(resources, updates))


def at(tab: Any, run: str = "#case .run") -> int:
    """The step that is shown."""
    return int(tab.locator(f"{run} output").first.inner_text().split()[1])


def current(tab: Any) -> list[str]:
    """The lines of the diagram that are marked as the current step."""
    return [e.get_attribute("id") for e in tab.locator(".row[aria-current=step]").element_handles()]


# ------------------------------------------------------------------------------------------------------------- going about


def test_a_page_opens_where_the_property_is_violated(visit: Open) -> None:
    tab = visit(text(LATE))
    assert tab.title() == "COMPLETE is written: nothing is in progress: operation in progress · heatproof"
    assert (at(tab), current(tab)) == (164, ["step-164"])
    assert "Here the property is violated." in tab.inner_text(".now")
    box, chart = tab.locator("#step-164").bounding_box(), tab.locator(".chart").first.bounding_box()
    assert chart["y"] < box["y"] < chart["y"] + chart["height"]


def test_the_keyboard_steps(visit: Open) -> None:
    tab = visit(text(LATE))
    for key, step in [
        ("ArrowLeft", 163), ("ArrowUp", 162), ("k", 161), ("PageUp", 151), ("ArrowRight", 152), ("ArrowDown", 153), ("j", 154),
        ("PageDown", 164), ("ArrowRight", 164), ("Home", 1), ("ArrowLeft", 1), ("n", 33), ("n", 90), ("p", 33), ("End", 164),
    ]:  # fmt: skip
        tab.keyboard.press(key)
        assert (key, at(tab), current(tab)) == (key, step, [f"step-{step}"])
        assert tab.evaluate("location.hash") == f"#step-{step}"
        assert tab.inner_text(".now h3") == f"After step {step} of 164"


def test_keys_with_a_modifier_and_keys_in_a_table_are_left_alone(visit: Open) -> None:
    tab = visit(text(LATE))
    for key in ("Alt+ArrowLeft", "Control+Home"):
        tab.keyboard.press(key)
        assert at(tab) == 164
    tab.locator("summary").first.focus()
    tab.keyboard.press("ArrowUp")
    assert at(tab) == 164


def test_the_slider_the_buttons_and_clicks_step(visit: Open) -> None:
    tab = visit(text(LATE))
    tab.locator("input[type=range]").first.fill("40")
    assert at(tab) == 40
    assert tab.locator("input[type=range]").first.get_attribute("aria-valuetext").startswith("step 40: ")
    for name, step in [
        ("One step on", 41), ("One step back", 40), ("Next moment that matters", 90), ("Previous moment that matters", 33),
        ("Last step", 164), ("First step", 1),
    ]:  # fmt: skip
        tab.get_by_role("button", name=name, exact=True).first.click()
        assert at(tab) == step
    tab.locator("#step-12 a").click()
    assert at(tab) == 12
    piece = tab.locator(".piece").first.locator(".line svg")
    piece.click(position={"x": 200, "y": 22 * 4 + 5})
    assert at(tab) == 5


def test_every_step_has_a_link(visit: Open) -> None:
    tab = visit(text(LATE), "#step-100")
    assert (at(tab), current(tab)) == (100, ["step-100"])
    tab.locator(".moments a", has_text="step 90").click()
    tab.wait_for_function("document.querySelector('#case .run output').textContent === 'step 90 of 164'")
    assert tab.locator(".moments li[aria-current=step]").get_attribute("data-step") == "90"
    tab.evaluate("location.hash = '#step-3'")
    tab.wait_for_function("document.querySelector('#case .run output').textContent === 'step 3 of 164'")
    for nonsense in ("#step-0", "#step-9999", "#step-x", "#step-", "#elsewhere", "#step-1e3", "#step--5"):
        tab.evaluate("hash => { location.hash = hash }", nonsense)
        tab.keyboard.press("ArrowLeft")
        assert 1 <= at(tab) <= 164


def test_going_on_and_back_shows_the_same(visit: Open) -> None:
    tab = visit(text(LOST), "#step-1")
    on = []
    for _ in range(15):
        on.append(tab.inner_text(".panel"))
        tab.keyboard.press("ArrowRight")
    for before in reversed(on):
        tab.keyboard.press("ArrowLeft")
        assert tab.inner_text(".panel") == before


# ----------------------------------------------------------------------------------------------------------- what is shown


@pytest.mark.parametrize("name", [LATE, LOST])
def test_the_state_of_everything_at_every_step_is_that_of_the_run(visit: Open, name: str) -> None:
    told = of(name)
    tab = visit(text(name))
    tables = [table.name for table in told.design.tables]
    shown = tab.evaluate(
        """() => { const found = [], press = (key) => document.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
             document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "Home", bubbles: true }));
             for (let n = 0; n < Number(document.querySelector("input[type=range]").max); n++) {
               found.push([...document.querySelectorAll("#run details")].map((d) => [d.querySelector("summary").textContent,
                 [...d.querySelectorAll("tr:not(.gone) th")].map((th) => th.textContent)]));
               document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
             } return found; }"""
    )
    assert len(shown) == len(told.run.steps)
    for found, state in zip(shown, told.run.states(), strict=True):
        spaces = {title.partition(" (")[0]: sorted(keys) for title, keys in found}
        for table in tables:
            keys = [
                "/".join(k) if isinstance(k, tuple) else k for (a, at) in state if a == "row" and at[0] == table for k in [at[1]]
            ]
            assert spaces[f"Table {table}"] == sorted(keys)
        assert spaces["Reality"] == sorted(key for aspect, key in state if aspect == "reality")
        assert spaces.get("Messages waiting", []) == sorted(key for aspect, key in state if aspect == "message")
        assert spaces.get("Tasks running", []) == sorted(key for aspect, key in state if aspect == "task")


def test_what_a_step_changed_is_marked_with_what_was_there_before(visit: Open) -> None:
    tab = visit(text(LATE))
    (changed,) = tab.locator("#run tr.changed").all()
    assert changed.locator("th").inner_text() == "foo"
    assert changed.locator("del").all_inner_texts() == ["IN_PROGRESS", "Stack ROLLBACK started"]
    assert changed.locator("ins").all_inner_texts() == ["COMPLETE", "Stack ROLLBACK completed successfully"]
    assert "C@T1.1" in tab.locator("#run tr.witness th").all_inner_texts()[0]


def test_the_template_graph_is_coloured_by_state(visit: Open) -> None:
    told = of(LATE)
    (graph,) = graphs(told.run)
    tab = visit(text(LATE))
    for step in (1, 20, 89, 96, 164):
        tab.evaluate("step => { location.hash = '#step-' + step }", step)
        tab.wait_for_function("step => document.querySelector('.now h3').textContent.startsWith(`After step ${step} of`)", arg=step)
        states = {n: of_step[n] for of_step in [s for k, s in sorted(graph.states.items()) if k <= step] for n in of_step}
        nodes = tab.locator("#run .graph g[class*=wanted]").all()
        assert len(nodes) == len(graph.nodes)
        for number, node in enumerate(nodes):
            state = states.get(number)
            marks = node.locator(".mark").all()
            assert [m.get_attribute("class") for m in marks] == [f"mark {line.state}" for line in (state.lines if state else ())]
            assert ("unwanted" in node.get_attribute("class")) is not bool(state and state.wanted)
    label = tab.locator("#run .graph svg").get_attribute("aria-label")
    assert "C@T1.1 healthy, delete under way" in label


def test_stale_reads_lost_writes_and_deviations_are_marked(visit: Open) -> None:
    tab = visit(text(STALE))
    assert tab.locator("#step-83 .flag").inner_text() == "stale read"
    assert tab.locator("#step-85 .flag").inner_text() == "lost write"
    assert tab.locator("#step-49 .flag").inner_text() == "deviation"
    for kind in ("lost", "outdated", "changed", "asks", "sends", "takes", "read", "write", "insert", "delete", "violated"):
        assert tab.locator(f"#run .piece path.{kind}").count() > 0
    assert tab.locator("#run .piece rect.stale").count() > 1
    assert visit(written(heats(wild_case()))).locator("#run .piece path.fault").count() == 1


def test_the_neighbour_stands_beside_it_on_request(visit: Open) -> None:
    tab = visit(text(LATE))
    assert not tab.locator("#neighbour").is_visible()
    tab.get_by_role("button", name="Compare with the passing neighbour").click()
    assert tab.locator("#neighbour").is_visible()
    assert (at(tab, "#run"), at(tab, "#neighbour")) == (90, 90)
    one, other = tab.locator("#run").bounding_box(), tab.locator("#neighbour").bounding_box()
    tab.locator("#neighbour [data-go=last]").click()
    assert at(tab, "#run") == 90
    assert at(tab, "#neighbour") == len(of(LATE).neighbour.world.log)  # type: ignore[union-attr]
    tab.keyboard.press("ArrowLeft")
    assert at(tab, "#neighbour") == len(of(LATE).neighbour.world.log) - 1  # type: ignore[union-attr]
    assert tab.evaluate("location.hash").startswith("#neighbour-step-")
    tab.set_viewport_size({"width": 1800, "height": 900})
    one, other = tab.locator("#run").bounding_box(), tab.locator("#neighbour").bounding_box()
    assert one["x"] + one["width"] <= other["x"]
    assert abs(one["y"] - other["y"]) < 2
    tab.get_by_role("button", name="Hide the passing neighbour").click()
    assert not tab.locator("#neighbour").is_visible()
    tab = visit(text(LATE), "#neighbour-step-92")
    assert (tab.locator("#neighbour").is_visible(), at(tab, "#neighbour")) == (True, 92)


# ------------------------------------------------------------------------------------------------------ everywhere it is read

CONTRAST = """(selector) => {
  const parse = (c) => c.match(/[\\d.]+/g).map(Number);
  const light = (c) => { const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
                         return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  return [...document.querySelectorAll(selector)].filter((e) => e.offsetParent && e.textContent.trim()).slice(0, 60).map((e) => {
    let back = null;
    for (let at = e; at && !back; at = at.parentElement) {
      const c = parse(getComputedStyle(at).backgroundColor);
      if (c.length < 4 || c[3] === 1) back = c;
    }
    const [a, b] = [light(parse(getComputedStyle(e).color).slice(0, 3)), light(back.slice(0, 3))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); });
}"""


@pytest.mark.parametrize(("name", "scheme"), [(STALE, "light"), (STALE, "dark"), (LOST, "light"), (LOST, "dark")])
def test_text_can_be_read_in_light_and_dark(visit: Open, name: str, scheme: str) -> None:
    tab = visit(text(name), color_scheme=scheme)
    dark = tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
    assert dark is (scheme == "dark")
    for selector in (".row a", ".row .no", ".row .flag", ".tag", ".small", ".notes", ".what", "dd", "dt", ".cells th", ".cells td span",
                     ".cells b", ".now p", "button", "footer", ".moments a"):  # fmt: skip
        found = tab.evaluate(CONTRAST, selector)
        assert all(ratio >= 4.5 for ratio in found), (selector, min(found))


def test_a_phone_needs_no_sideways_scrolling_of_the_page(visit: Open) -> None:
    tab = visit(text(LOST), viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    bar = tab.locator(".controls").first.bounding_box()
    assert bar["y"] + bar["height"] <= 845
    tab.get_by_role("button", name="One step back").first.tap()
    assert at(tab) == 84
    assert tab.locator(".now").first.is_visible()
    for button in tab.locator(".controls").first.locator("button:visible").all():
        assert button.bounding_box()["height"] >= 36
    tab.get_by_role("button", name="Compare with the passing neighbour").tap()
    assert tab.locator(".controls:visible").count() == 1
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_in_print_everything_is_there_and_nothing_is_cut(visit: Open) -> None:
    tab = visit(text(LOST), color_scheme="dark")
    tab.emulate_media(media="print")
    assert tab.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--paper')").strip() == "#ffffff"
    assert tab.locator(".controls:visible, .compare:visible, .cursor:visible").count() == 0
    for selector in (".moments ol", ".chart", ".panel"):
        assert tab.evaluate("s => { const e = document.querySelector(s); return e.scrollHeight - e.clientHeight }", selector) <= 2
    assert tab.locator("#run .again:visible").count() == tab.locator("#run .piece").count() == 4
    pdf = tab.pdf(prefer_css_page_size=True)
    assert pdf.count(b"/Type /Page\n") in range(7, 13)


def test_without_javascript_the_diagram_and_the_words_are_there(visit: Open) -> None:
    tab = visit(text(LATE), java_script_enabled=False)
    assert tab.locator("#step-90").is_visible()
    assert tab.locator("#run .piece path.writes").count() > 3
    assert "need JavaScript" in tab.inner_text(".now")


NAMELESS = """() => {
  const named = (e) => e.getAttribute("aria-label") || e.getAttribute("aria-labelledby"), all = (s) => [...document.querySelectorAll(s)];
  return [...all("button, a, input").filter((e) => !(named(e) || e.textContent.trim())),
          ...all("svg").filter((e) => !named(e) && !e.closest("[aria-hidden=true]")),
          ...all("[role=region], [role=group], section").filter((e) => !named(e))].map((e) => e.outerHTML.slice(0, 80));
}"""
"""What has no name for who listens."""


def test_who_does_not_see_or_point_gets_everything_too(visit: Open) -> None:
    tab = visit(text(LATE))
    assert tab.locator("h1").count() == 1
    assert tab.evaluate(NAMELESS) == []
    levels = tab.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(e => Number(e.tagName[1]))")
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert tab.locator(".now").first.get_attribute("aria-live") == "polite"
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    stops = 0
    while tab.evaluate("document.activeElement !== document.body") and stops < 100:
        style = tab.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert style != "none"
        tab.keyboard.press("Tab")
        stops += 1
    assert 15 < stops < 60


# -------------------------------------------------------------------------------------------------------------- any length


@pytest.mark.parametrize(("resources", "updates", "least"), [(1, 0, 20), (3, 1, 140), (8, 2, 500), (24, 3, 2_000)])
def test_any_length(visit: Open, resources: int, updates: int, least: int) -> None:
    told = long_told(resources, updates)
    count = len(told.run.steps)
    assert count >= least
    tab = visit(page(told, "1", "x"))
    assert at(tab) == count
    for key, step in (("Home", 1), ("End", count), ("ArrowLeft", count - 1), ("PageUp", count - 11)):
        tab.keyboard.press(key)
        assert at(tab) == step
    tab.locator("input[type=range]").first.fill(str(count // 2))
    assert current(tab) == [f"step-{count // 2}"]
    box, chart = tab.locator(f"#step-{count // 2}").bounding_box(), tab.locator(".chart").first.bounding_box()
    assert chart["y"] < box["y"] < chart["y"] + chart["height"]
    assert tab.evaluate("document.querySelectorAll('#run .piece *').length") < 16 * count + 400


# --------------------------------------------------------------------------------------------------------- text stays text


def test_markup_in_every_field_is_shown_and_does_nothing(visit: Open) -> None:
    told = heats(wild_case())
    tab = visit(written(told))
    compare = tab.locator(".compare")
    if compare.count():
        compare.click()
    tab.evaluate(
        """count => { const press = (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
                      press("Home"); for (let n = 0; n < count; n++) press("ArrowRight"); press("n"); }""",
        len(told.run.steps),
    )
    assert tab.evaluate("window.hit") is None
    assert tab.locator("img, iframe, object, embed, b:not(.cell b), i, script:not([type]):not(:last-of-type)").count() == 0
    assert tab.locator("svg[onload], [onerror]").count() == 0
    assert PAYLOADS[0] in tab.inner_text("h1")
    assert PAYLOADS[1] in tab.inner_text("#run .panel")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 1400
