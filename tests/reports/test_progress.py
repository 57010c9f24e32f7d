"""Progress: plain lines now and then, or one line of a terminal that is written over."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from heatproof.reports.progress import Lines, Reporter, Silent, Terminal, Tick
from heatproof.telling import reporter

TICK = Tick("exploring", 20, 200, 12_345, 6_789.4, 30, 45, 2, 12.6)
LINE = "exploring: 20 scenarios, 200 runs, 12345 steps (6,789/s), situations 30/45, failures 2, 13 s left"


@pytest.mark.parametrize(("left", "end"), [(12.6, ", 13 s left"), (0.2, ", 0 s left"), (-3.0, ", 0 s left"), (None, "failures 2")])
def test_a_tick_is_one_line(left: float | None, end: str) -> None:
    text = str(TICK._replace(left=left))
    assert text.startswith("exploring: 20 scenarios, 200 runs, 12345 steps (6,789/s), situations 30/45, failures 2")
    assert text.endswith(end)
    assert "\n" not in text


def test_lines_come_at_intervals_of_the_clock() -> None:
    written: list[str] = []
    times = [5.0, 6.0, 14.9, 15.0, 20.0, 35.0, 44.0, 45.0]
    reporter = Lines(written.append, iter(times).__next__, interval=10.0)
    counts = []
    for _ in times[1:]:
        reporter.tick(TICK)
        counts.append(len(written))
    assert counts == [0, 0, 1, 1, 2, 2, 3], "what takes no longer than an interval needs no line"
    reporter.close()
    assert set(written) == {LINE}


def test_a_terminal_shows_the_last_line_and_clears_it() -> None:
    file = StringIO()
    reporter = Terminal(Console(file=file, force_terminal=True, width=200))
    reporter.tick(TICK._replace(stage="[red]exploring[/]"))
    reporter.tick(TICK)
    reporter.close()
    shown = file.getvalue()
    assert LINE in shown
    assert shown.endswith("\x1b[1A\x1b[2K"), "the line is taken away"


def test_a_terminal_can_be_closed_without_a_tick() -> None:
    file = StringIO()
    Terminal(Console(file=file, force_terminal=True, width=80)).close()
    assert "exploring" not in file.getvalue()


def test_what_is_printed_is_the_same_however_long_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    progress = reporter(0.0)
    progress.tick(TICK)
    progress.say("compiling")
    progress.close()
    assert capsys.readouterr() == ("", f"{LINE}\ncompiling\n")


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    reporter: Reporter = Silent()
    reporter.tick(TICK)
    reporter.close()
    assert capsys.readouterr() == ("", "")
