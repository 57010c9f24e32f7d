"""A command that is ended by a signal takes all of its processes with it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROC = Path("/proc")
CASE = min((Path(__file__).resolve().parents[2] / "reports" / "regressions" / "heat").glob("*.case.json"))
SOON = 200.0
"""Seconds: a generous bound, so that a mistake ends the test."""

if not (PROC / "self" / "stat").is_file():
    pytest.skip("there is no /proc to see processes in", allow_module_level=True)


def living(session: int) -> set[int]:
    """The processes of a session that are not dead yet."""
    found = set()
    for stat in PROC.glob("[0-9]*/stat"):
        try:
            state, _parent, _group, its, *_ = stat.read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        if int(its) == session and state not in "ZX":
            found.add(int(stat.parent.name))
    return found


@contextmanager
def begun(*words: object) -> Iterator[subprocess.Popen[str]]:
    """A command in a session of its own, once it has two worker processes (and the process that looks after these). None is left."""
    command = [sys.executable, "-m", "heatproof", *map(str, words), "--processes", "2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        soon(lambda: len(living(process.pid)) >= 4 or process.poll() is not None)
        assert process.poll() is None
        yield process
        soon(lambda: not living(process.pid))
    finally:
        for pid in living(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.communicate(timeout=SOON)


def soon(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.parametrize("whole_group", [False, True], ids=["the command", "the command and its group, twice, as timeout does"])
def test_sigterm_ends_a_check_and_its_workers_with_what_was_found(tmp_path: Path, whole_group: bool) -> None:
    with begun("check", "--seconds", 100, "--shrink", 0, "--report", tmp_path / "out") as process:
        process.send_signal(signal.SIGTERM)
        if whole_group:
            os.killpg(process.pid, signal.SIGTERM)
        out, err = process.communicate(timeout=SOON)
    assert process.returncode in (1, 3), out + err
    assert "interrupted by the user" in out
    assert (tmp_path / "out" / "verdicts.txt").is_file()


@pytest.mark.parametrize("words", [("prove", "heat", "--seconds", 100), ("conform", "--seconds", 100)], ids=lambda words: words[0])
def test_sigterm_ends_the_other_commands_that_have_workers(words: tuple[object, ...]) -> None:
    with begun(*words) as process:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=SOON)
    assert process.returncode in (1, 3), out + err


def test_what_workers_have_searched_until_ctrl_c_is_told(tmp_path: Path) -> None:
    words = (
        "--resources",
        2,
        "--operations",
        "create,update",
        "--faults",
        "crash",
        "--threads",
        2,
        "--shrink",
        0,
        "--seconds",
        100,
    )
    with begun("prove", "heat", *words, "--report", tmp_path / "out") as process:
        assert process.stderr is not None
        states = most = 0  # the command has searched by itself, and fewer are seen again when it leaves that to workers
        while not 1_000 <= states < most:
            found = re.search(r"^searching: \d of 8 scenarios, ([\d,]+) states", process.stderr.readline())
            states = int(found[1].replace(",", "")) if found else 0
            most = max(most, states)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SOON)
    assert process.returncode in (1, 3), out + err
    assert re.search(r"scenarios searched to the end; seen in all: [1-9][\d,]{3,} states", out), out
    assert re.search(r"Cut: .*: the user interrupted after [1-9][\d,]* states", out), out
    assert re.search(r"Not gone through: \d scenarios; the user interrupted", out), out


def test_workers_end_with_a_command_that_is_killed(tmp_path: Path) -> None:
    with begun("check", "--seconds", 100, "--report", tmp_path / "out") as process:
        process.kill()


def shell(text: str, *words: object) -> subprocess.CompletedProcess[str]:
    """A command in which ``$heatproof`` is started with these words, with the redirections of ``text``."""
    command = ["sh", "-c", text.replace("$heatproof", '"$@"'), "sh", sys.executable, "-m", "heatproof", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("words", [("properties",), ("--help",), ("replay", CASE)], ids=lambda words: words[0])
def test_a_full_disk_is_told_in_one_message(words: tuple[object, ...]) -> None:
    done = shell("$heatproof > /dev/full", *words)
    assert (done.returncode, done.stderr) == (3, "heatproof: the output could not be written: No space left on device\n")
    assert shell("$heatproof > /dev/full 2>&1", *words).returncode == 3


def test_what_was_found_is_kept_where_it_cannot_be_printed(tmp_path: Path) -> None:
    words = (
        "prove",
        "--operations",
        "create",
        "--processes",
        "1",
        "--property",
        "one worker at a time",
        "--report",
        tmp_path / "out",
    )
    done = shell("$heatproof > /dev/full", *words)
    assert done.returncode == 3
    assert done.stderr.endswith("heatproof: the output could not be written: No space left on device\n")
    assert "held" in (tmp_path / "out" / "verdicts.txt").read_text()
    again = ("replay", CASE, "--output", tmp_path / "again.case.json")
    assert shell("$heatproof > /dev/full", *again).returncode == 3
    assert (tmp_path / "again.case.json").exists()


@pytest.mark.parametrize(
    ("text", "case", "code"),
    [("$heatproof >&-", CASE, 1), ("$heatproof 2>&-", "nosuch", 2), ("$heatproof <&- >&- 2>&-", CASE, 1)],
)
def test_a_stream_that_is_closed_is_not_written_to(text: str, case: object, code: int) -> None:
    done = shell(text, "replay", case)
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_modules_are_imported(number: signal.Signals) -> None:
    """That takes seconds where a machine is busy."""
    program = "import signal, sys; sys.modules['click'] = type(sys)('click'); sys.modules['click'].__getattr__ = end"
    end = f"def end(name): signal.raise_signal({number:d}); [None for _ in range(100)]"  # by then it has come to Python
    program = f"{end}\n{program}\nfrom heatproof.__main__ import main\nmain()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (3, "heatproof: interrupted\n")
