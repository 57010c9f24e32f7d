"""The table of verdicts: what it says of which property, and how it looks in plain text and on a terminal."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from heatproof.model.scenario import Scenario
from heatproof.model.world import Action
from heatproof.properties.base import Property, witness
from heatproof.properties.catalogue import REST_IS_REACHED
from heatproof.properties.costs import at_most
from heatproof.properties.monitor import Violation
from heatproof.reports.tables import Line, lines, plain_table, summary, terminal_table, unasked
from heatproof.strategies.exploring import Findings
from heatproof.strategies.schedules import END, Deviation
from heatproof.strategies.shrinking import Failure
from tests.toys import busy, small

STEP = Action("step", "m()")
CALM = Property("calm", "at rest", "It is calm.", tolerates=frozenset())
TRUE = Property("true", "always", "It is true.")
FALSE = Property("false", "always", "It is false.")
SEEN = Property("seen", "sometimes", "It is seen.")
UNSEEN = Property("unseen", "sometimes", "It is not seen.")
PROPERTIES = [SEEN, TRUE, CALM, FALSE, UNSEEN]


def failure(prop: Property, kind: str, scenario: Scenario, steps: int, deviations: int = 0, made_small: bool = True) -> Failure:
    """A failure of so many steps and deviations, the faults of the scenario first."""
    violation = Violation(prop.name, prop.sentence, witness(kind), steps)
    struck = [Action(kind, "m()") for kind, count in scenario.faults.items() for _ in range(count)][:steps]
    return Failure(scenario, struck + [STEP] * (steps - len(struck)), violation, [Deviation(END, STEP)] * deviations, made_small)


def findings(runs: int = 9, *failures: tuple[Failure, int]) -> Findings:
    """Findings with these failures, each with how many runs showed it; three runs were struck by a loss."""
    found = Findings(scenarios=3, runs=runs, steps=100 * runs)
    if runs:
        found.struck.update({frozenset(): runs - 3, frozenset({"lose"}): 3})
    found.reached["seen"] = 4
    for one, count in failures:
        found.failures[one.violation.key] = one
        found.violated[one.violation.key] = count
    return found


def test_each_property_has_its_verdict() -> None:
    found = findings(9, (failure(FALSE, "one", small(), 7), 1), (failure(FALSE, "two", busy(faults={"lose": 2}), 30, 3), 5))
    assert lines(PROPERTIES, found) == [
        Line("false", "always", "violated", "5 runs", "two (4 operations, 2 faults: lose, 3 deviations, 30 steps)", "two"),
        Line("false", "always", "violated", "1 run", "one (1 operation, 7 steps)", "one"),
        Line("true", "always", "held", "9 runs", "It is true."),
        Line("calm", "at rest", "held", "6 runs", "It is calm."),
        Line("unseen", "sometimes", "not reached", "", "It is not seen."),
        Line("seen", "sometimes", "reached", "4 runs", "It is seen."),
    ]


def test_a_failure_that_was_not_made_small_says_so_and_which_faults_it_had() -> None:
    table = lines([FALSE], findings(9, (failure(FALSE, "one", busy(faults={"lose": 2, "crash": 2}), 3, 1, made_small=False), 2)))
    assert table[0].detail == "one (4 operations, 3 faults: crash, lose, 3 steps, not made small)"
    table = lines([FALSE], findings(9, (failure(FALSE, "one", busy(), 3, 1, made_small=False), 2)))
    assert table[0].detail == "one (4 operations, 3 steps, not made small)"


@pytest.mark.parametrize(
    ("struck", "survives", "verdict", "basis"),
    [
        ({"lose"}, frozenset(), "not asked", "0 runs"),
        ({"lose"}, frozenset({"lose"}), "held", "5 runs"),
        (set(), frozenset(), "held", "5 runs"),
    ],
)
def test_what_faults_excuse_was_not_asked(struck: set[str], survives: frozenset[str], verdict: str, basis: str) -> None:
    found = Findings(runs=5)
    found.struck[frozenset(struck)] = 5
    assert lines([CALM], found, survives) == [Line("calm", "at rest", verdict, basis, "It is calm.")]


def test_that_nobody_judges_a_property_of_whole_runs_is_said() -> None:
    found = Findings(runs=5)
    found.struck[frozenset()] = 5
    own, judged = lines([Property("own", "eventually", "It ends well."), REST_IS_REACHED], found)
    assert (own.verdict, own.basis) == ("not asked", "0 runs")
    assert own.detail.startswith("It ends well. (Nobody judges it")
    assert (judged.verdict, judged.basis) == ("held", "5 runs")


def test_a_bound_on_operations_of_a_kind_is_asked_of_runs_that_have_one() -> None:
    found = findings()
    found.kinds.update({"create": 9, "update": 2})
    table = lines([at_most(9), at_most(9, kind="update"), at_most(9, kind="delete")], found)
    assert [(line.verdict, line.basis) for line in table] == [("held", "9 runs"), ("held", "2 runs"), ("not asked", "0 runs")]
    assert [unasked(table), unasked(table[2:])] == [False, True]


def test_without_runs_nothing_held() -> None:
    assert {line.verdict for line in lines([TRUE, CALM, UNSEEN], Findings())} == {"incomplete", "not reached"}


def test_plain_text_is_aligned_and_plain() -> None:
    found = findings(9, (failure(FALSE, "[bold]it[/] :boom: \\[x]", small(), 7), 1))
    text = plain_table(lines(PROPERTIES, found))
    rows = text.splitlines()
    assert len(rows) == 1 + len(PROPERTIES)
    assert {row.index(what) for row, what in zip(rows, ("what", "[bold]", "It", "It", "It", "It"), strict=True)} == {31}
    assert "[bold]it[/] :boom: \\[x] (1 operation, 7 steps)" in text
    assert text.isprintable() or set(text) - set(text.strip("\n")) <= {"\n"}
    assert "\x1b" not in text
    assert not any(row != row.rstrip() for row in rows)
    assert plain_table([]) == "verdict  property  in  what"


@pytest.mark.parametrize("width", [40, 80, 250])
def test_a_terminal_shows_everything_literally(width: int) -> None:
    strange = "[bold]it[/] :boom: \\[x] [/nonsense]"
    table = lines(PROPERTIES, findings(9, (failure(FALSE, strange, small(), 7), 1)))
    console = Console(file=StringIO(), force_terminal=True, width=width, color_system="standard", legacy_windows=False)
    with console.capture() as captured:
        console.print(terminal_table(table))
    assert "\x1b[31mviolated" in captured.get()
    plain = Console(file=StringIO(), width=width, no_color=True)
    with plain.capture() as captured:
        plain.print(terminal_table(table))
    shown = captured.get()
    assert all(len(row) <= width for row in shown.splitlines())
    assert width < 250 or strange in shown
    assert sorted("".join(shown.split())) == sorted("".join(plain_table(table).split())), "no letter is lost"


def test_the_summary_counts() -> None:
    assert summary(Findings(1, 1, 1), "the end") == "1 scenario, 1 run, 1 step; the end."
    assert (
        summary(Findings(2, 20, 300, 1), "the end")
        == "2 scenarios, 20 runs, 300 steps; 1 run cut before rest (inconclusive); the end."
    )
