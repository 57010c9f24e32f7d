"""The command line, run as a stranger would run it."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import pytest
from click.testing import CliRunner

from heatproof.cli import cli
from heatproof.model.catalogue import MUTATIONS_OF
from heatproof.model.faults import FAULTS
from heatproof.properties.catalogue import ALL
from heatproof.strategies.policies import POLICIES

KEPT = Path(__file__).resolve().parents[2] / "reports" / "regressions" / "heat"
SMALL = ("--examples", "10", "--processes", "1", "--shrink", "0", "--no-scenarios")


def heatproof(*words: str | Path, where: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command; what it printed and its exit code."""
    command = [sys.executable, "-m", "heatproof", *map(str, words)]
    return subprocess.run(command, cwd=where, capture_output=True, text=True, check=False, timeout=120)


def here(*words: str | Path, where: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The same in this process, which saves the second that a command takes to begin: for what a process of its own would not show better."""
    with chdir(where or "."):
        done = CliRunner().invoke(cli, [*map(str, words)], prog_name="heatproof")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess([*words], done.exit_code, done.stdout, done.stderr)


DESIGN = """
from typing import NamedTuple
from heatproof.model.design import Design
from heatproof.model.effects import Insert, Read, Sleep, Table
from heatproof.model.watching import WorldObservation
from heatproof.properties.catalogue import ALL

PROPERTIES = (ALL["one worker at a time"], ALL["rest is reached"])
COUNTS = []

class Row(NamedTuple):
    id: str

ROWS = Table("rows", Row)

class Toy(Design):
    tables = (ROWS,)
    operations = {"create": "create"}

    def create(self, me, number, operation):
        yield Insert("1", ROWS, Row("a"))
        {body}

    def observe(self, world):
        return WorldObservation(world)
"""


def written(folder: Path, body: str) -> Path:
    """A design file whose handler goes on with ``body``."""
    file = folder / "toy.py"
    file.write_text(DESIGN.replace("{body}", body))
    return file


def test_a_design_that_holds(tmp_path: Path) -> None:
    file = written(tmp_path, "yield Sleep('2')")
    done = heatproof("check", f"{file}:Toy", *SMALL, "--report", tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing was violated" in done.stdout
    assert "\x1b" not in done.stdout
    assert (tmp_path / "out" / "verdicts.txt").is_file()


def test_nothing_is_left_where_the_user_is_but_the_report(tmp_path: Path) -> None:
    """Hypothesis would keep there what it has read of the design's text."""
    written(tmp_path, "yield Sleep('2')")
    done = heatproof("check", "toy.py:Toy", *SMALL, "--report", "out", where=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "toy.py"]


def test_a_handler_that_polls_for_ever_is_a_circle(tmp_path: Path) -> None:
    file = written(tmp_path, "while True: yield Sleep('2')")
    done = heatproof("check", f"{file}:Toy", *SMALL, "--report", tmp_path / "out")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "goes round in circles" in done.stdout
    told = heatproof("replay", tmp_path / "out" / "rest-is-reached-goes-round-in-circles.case.json", "--design", f"{file}:Toy")
    assert told.returncode == 1
    assert "goes round in circles" in told.stdout


def test_heat_is_violated_and_the_first_case_replays(tmp_path: Path) -> None:
    done = heatproof("check", "heat", "--examples", "20", "--processes", "1", "--shrink", "100", "--report", tmp_path / "out")
    assert done.returncode == 1, done.stdout + done.stderr
    command = done.stdout.strip().splitlines()[-1]
    assert command.startswith("Begin with: heatproof replay ")
    told = heatproof("replay", command.rpartition(" ")[2])
    assert told.returncode == 1
    assert "Witness:" in told.stdout


def test_the_same_seed_finds_the_same_in_one_process_and_in_two(tmp_path: Path) -> None:
    verdicts = []
    for name, processes in (("a", "1"), ("b", "2")):
        done = heatproof("check", *SMALL[:2], "--processes", processes, "--shrink", "0", "--seed", "5", "--report", tmp_path / name)
        assert done.returncode in (0, 1)
        verdicts.append((tmp_path / name / "verdicts.txt").read_text())
    assert verdicts[0] == verdicts[1]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("yield 'nonsense'", "which is no effect"),
        ("yield Read('2', ROWS, ['a'])", "cannot be hashed"),
        ("for n in range(10**9): yield Read('2', ROWS, 'a')", "does not end"),
        ("COUNTS.append(1); yield Sleep('2')", "COUNTS"),
        ("raise KeyError('a')", "raised KeyError"),
        ("while True: pass", "runs without yielding"),
    ],
)
def test_a_design_that_is_mistaken_is_told_with_its_place(tmp_path: Path, body: str, said: str) -> None:
    file = written(tmp_path, body)
    done = heatproof("check", f"{file}:Toy", *SMALL, "--report", tmp_path / "out")
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert f"{file}:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("check", "nosuch"), "unknown design 'nosuch'"),
        (("check", "heat+nosuch"), "no mutation or repair 'nosuch'"),
        (("check", "nosuch.py:Toy"), "there is no file"),
        (("check", "--faults", "nosuch"), "unknown fault 'nosuch'"),
        (("check", "--policies", "nosuch"), "unknown policy 'nosuch'"),
        (("check", "--kinds", "nosuch"), "unknown kind of operation 'nosuch'"),
        (("check", "--property", "nosuch", *SMALL), "unknown property 'nosuch'"),
        (("check", "--engines", "0"), "engines"),
        (("check", *SMALL, "--report", "/dev/null/out"), "cannot write"),
        (("replay", "/dev/null"), "is no case"),
        (("replay", "nosuch.case.json"), "cannot read"),
        (("scenario", "nosuch.py"), "nosuch.py"),
    ],
)
def test_wrong_use_is_told_in_one_message(words: tuple[str, ...], said: str) -> None:
    done = here(*words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_design_file_with_a_mistake_in_it(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def (:\n")
    (tmp_path / "empty.py").write_text("")
    assert "cannot be loaded: SyntaxError" in here("check", tmp_path / "broken.py").stderr
    assert "has no design" in here("check", tmp_path / "empty.py").stderr


def test_ctrl_c_ends_with_what_was_found(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "heatproof", "check", "--seconds", "100", "--shrink", "0", "--report", str(tmp_path / "out")]
    heeded = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that runs tests in the background has it ignored
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, heeded)
    assert process.stderr is not None
    process.stderr.readline()  # it has begun; what it has done by then does not matter
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode in (1, 3), out + err
    assert "interrupted by the user" in out
    assert (tmp_path / "out" / "verdicts.txt").is_file()


def test_the_lists_are_complete() -> None:
    designs, properties, faults, policies = (here(word).stdout for word in ("designs", "properties", "faults", "policies"))
    assert all(f"heat+{name}: {cls.__doc__.strip()}" in designs for name, cls in MUTATIONS_OF["heat"].items())
    assert all(f"  {name}: " in properties for name in ALL)
    assert all(f"{name} (" in faults for name in FAULTS)
    assert all(f"{name}: " in policies for name in POLICIES)


@pytest.mark.parametrize(
    "word", ["check", "replay", "shrink", "adopt", "diff", "scenario", "schema", "designs", "properties", "faults", "policies"]
)
def test_every_command_has_help(word: str) -> None:
    done = here(word, "--help")
    assert done.returncode == 0
    assert f"heatproof {word}" in done.stdout.replace("python -m heatproof", "heatproof")
