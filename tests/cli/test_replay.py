"""``heatproof replay``, run as a stranger would run it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from heatproof.reports.cases import json_schema, read
from tests.cli.test_commands import heatproof, here
from tests.toys import ROOT

KEPT = ROOT / "reports" / "regressions" / "heat" / "rest-no-operation-hangs-create-hangs-sync-points-wait.case.json"
SCHEDULE = [str(action) for action in read(KEPT).schedule]
LENGTH = len(SCHEDULE)
WORKS = SCHEDULE.index("step check(B@T1, U, T1)")
"""Where the worker takes its first step."""
DESIGNS = """
from heatproof.model.designs.heat import Heat
from heatproof.model.effects import Read
from heatproof.model.designs.heat.values import STACK

class Reads(Heat):
    def check_resource(self, me, rid, *more):
        yield Read("W-3", STACK, "S")
        yield from super().check_resource(me, rid, *more)

class Raises(Heat):
    def check_resource(self, me, rid, *more):
        yield Read("W-3", STACK, "S")
        raise ValueError("mistaken")

class Refuses(Heat):
    operations = {k: v for k, v in Heat.operations.items() if k != "mark unhealthy"}

class Mended(Heat):
    def mark_unhealthy(self, me, number, operation):
        yield Read("8.3", STACK, "S")
"""


@pytest.fixture
def design(tmp_path: Path) -> Path:
    file = tmp_path / "mine.py"
    file.write_text(DESIGNS)
    return file


def edited(folder: Path, old: str, new: str) -> Path:
    """The kept case with its text changed."""
    path = folder / "edited.case.json"
    text = KEPT.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return path


def test_exactly(tmp_path: Path) -> None:
    done = heatproof("replay", KEPT)
    assert done.returncode == 1
    assert done.stdout == KEPT.with_name(KEPT.name.replace(".case.json", ".story.txt")).read_text()
    assert done.stderr == ""
    same = tmp_path / "same.case.json"
    assert heatproof("replay", KEPT, "--output", same).returncode == 1
    assert same.read_bytes() == KEPT.read_bytes()


def test_where_it_no_longer_fits_it_is_told_and_found_near_by(design: Path, tmp_path: Path) -> None:
    done = heatproof("replay", KEPT, "--design", f"{design}:Reads")
    assert done.returncode == 1, done.stderr
    said = done.stdout
    assert f"still fails, differently scheduled on {design}:Reads: rest: no operation hangs: CREATE hangs, sync points wait" in said
    assert f"it fits for {WORKS} of {LENGTH} actions; action {WORKS + 1} was to be: step check(B@T1, U, T1) at W-4" in said
    assert "but check(B@T1, U, T1) stands before W-3" in said
    possible = said.partition("Possible there: ")[2].partition(".\n")[0].split(", ")
    assert "step mark unhealthy#2 before 8.3" in possible
    assert "T1) before W-3" in possible
    assert "Near by it still fails: along its names, in run 1 of at most 1000." in said
    assert "Witness: CREATE hangs" in said
    assert said.endswith(f"To keep it as it is now: heatproof replay {KEPT} --design {design}:Reads --output NEW.case.json\n")
    new = tmp_path / "new.case.json"
    assert heatproof("replay", KEPT, "--design", f"{design}:Reads", "--output", new).stdout.endswith(f"Written: {new}\n")
    assert read(new).design == f"{design}:Reads"
    again = heatproof("replay", new, "--design", f"{design}:Reads")
    assert again.returncode == 1
    assert "differently scheduled" not in again.stdout


def test_what_is_gone_is_said_to_be(design: Path) -> None:
    done = here("replay", KEPT, "--design", f"{design}:Mended", "--nearby", "100")
    assert done.returncode == 0, done.stdout
    assert "not found any more on" in done.stdout
    assert "100 runs near by did not show it either; that is no proof." in done.stdout


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("Raises", (), "handler 'check_resource' raised ValueError: mistaken"),
        ("Refuses", (), "cannot have this scenario: design 'Refuses' has no operation 'mark unhealthy'"),
        ("Reads", ("--nearby", "0"), "Nobody looked near by, since the budget is 0 runs."),
        ("Mended", ("--nearby", "10"), "10 runs near by did not show it; fewer than 50 say nothing."),
    ],
)
def test_what_cannot_be_decided(kind: str, options: tuple[str, ...], said: str, design: Path) -> None:
    done = here("replay", KEPT, "--design", f"{design}:{kind}", *options)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "cannot be decided on" in done.stdout
    assert said in done.stdout
    assert "Traceback" not in done.stderr


def test_a_case_that_must_hold(tmp_path: Path, design: Path) -> None:
    case = edited(tmp_path, '"expectation": "fails"', '"expectation": "holds"')
    done = here("replay", case)
    assert done.returncode == 1
    assert done.stdout.endswith("The case says that this must hold.\n")
    done = here("replay", case, "--design", f"{design}:Mended", "--nearby", "60")
    assert done.returncode == 0
    assert "it must hold, and it does, as far as was looked." in done.stdout


def test_another_witness_is_told(tmp_path: Path) -> None:
    case = edited(tmp_path, '"witness": "CREATE hangs, sync points wait"', '"witness": "CREATE hangs, a lock is held"')
    done = here("replay", case, "--nearby", "60")
    assert "The property is violated, but by another witness: CREATE hangs, sync points wait." in done.stdout
    assert "still fails, differently scheduled" in done.stdout or "not found any more" in done.stdout


def test_a_design_of_ones_own_is_loaded_only_if_it_is_named(tmp_path: Path, design: Path) -> None:
    design.write_text("import pathlib; pathlib.Path(__file__).with_suffix('.ran').touch()\n" + DESIGNS)
    case = edited(tmp_path, '"name": "heat"', f'"name": "{design}:Mended"')
    for options in ((), ("--step",), ("--until", "3")):
        done = here("replay", case, *options, where=tmp_path)
        assert done.returncode == 2
        assert (
            f"A case is data and runs no code, so name the design yourself if you trust it: --design {design}:Mended" in done.stderr
        )
    assert not design.with_suffix(".ran").exists()
    assert here("replay", case, "--design", f"{design}:Mended", "--nearby", "60").returncode == 0
    assert design.with_suffix(".ran").exists()


def test_text_of_a_case_does_not_steer_the_terminal(tmp_path: Path) -> None:
    case = edited(tmp_path, '"title": "', '"title": "\\u001b[2J\\u009b\\u202e')
    done = heatproof("replay", case)
    assert "\\x1b[2J\\x9b\\u202e" in done.stdout
    assert not {"\x1b", "\x9b", "\u202e"} & set(done.stdout)
    done = heatproof("replay", edited(tmp_path, '"property": "', '"property": "\\u001b'))
    assert "\x1b" not in done.stderr


# ------------------------------------------------------------------------------------------------------------ step by step


def test_step_by_step_as_plain_text() -> None:
    done = here("replay", KEPT, "--step")
    assert done.returncode == 1
    frames = done.stdout.split("\n\n")
    assert len(frames) == 1 + LENGTH + 1
    assert frames[0].startswith("The beginning\n  engine  E1: 1 of 1 threads free")
    asks = SCHEDULE.index("operate mark unhealthy#2 at E1") + 1
    assert frames[asks].startswith(f"{asks} of {LENGTH}: operate mark unhealthy#2 at E1  (instead of step check(B@T1, U, T1))\n")
    assert "* task" in frames[asks]
    assert frames[-1].startswith("! rest: no operation hangs: CREATE hangs, sync points wait; stack: S;")


@pytest.mark.parametrize(("number", "code"), [(0, 0), (20, 0), (LENGTH, 1), (10_000, 1)])
def test_until(number: int, code: int) -> None:
    done = here("replay", KEPT, "--until", number)
    assert done.returncode == code
    assert done.stdout.startswith(f"{min(number, LENGTH)} of {LENGTH}: " if number else "The beginning")
    assert ("The schedule goes on with: " in done.stdout) is (number < LENGTH)
    walked = here("replay", KEPT, "--until", number, "--step")
    assert walked.stdout.endswith(done.stdout)
    assert walked.stdout.count(f" of {LENGTH}: ") == min(number, LENGTH)


def test_walking_where_the_schedule_does_not_fit(design: Path) -> None:
    done = here("replay", KEPT, "--step", "--design", f"{design}:Reads")
    assert done.returncode == 3
    assert f"it fits for {WORKS} of {LENGTH} actions" in done.stdout
    assert "without --step and --until" in done.stdout.lower()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no terminal to pretend")
def test_step_by_step_on_a_terminal() -> None:
    """Enter goes on, b goes back, a number goes there, q quits; one state is shown at a time."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "heatproof", "replay", str(KEPT), "--step"]
    environment = {**os.environ, "TERM": "dumb"}
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment, close_fds=True)
    os.close(slave)
    shown = ""

    def read_more() -> str:
        assert select.select([master], [], [], 60)[0], f"nothing more is said after: {shown}"
        return os.read(master, 65536).decode()

    for answer, expected in (
        ("\n", f"1 of {LENGTH}:"),
        ("25\n", f"25 of {LENGTH}:"),
        ("b\n", f"24 of {LENGTH}:"),
        ("x\n", ""),
        ("99\n", f"{LENGTH} of {LENGTH}:"),
        ("q\n", ""),
    ):
        while "q quit" not in shown:
            shown += read_more()
        shown = ""
        os.write(master, answer.encode())
        while expected not in shown:
            shown += read_more()
    assert process.wait(timeout=60) == 1
    os.close(master)


def test_the_schema_is_printed() -> None:
    done = here("schema")
    assert done.returncode == 0
    assert done.stdout == json_schema()
