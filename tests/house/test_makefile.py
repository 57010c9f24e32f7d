"""How ``make check`` reads heatproof's exit codes: violated is a result, a program that is broken is not."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STUB = """#!/bin/sh
[ "$1" = --version ] && exit {starts}
[ {reports} = yes ] && mkdir -p "$5" && touch "$5/verdicts.txt"
exit {code}
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    ("starts", "reports", "code", "succeeds", "text"),
    [
        (0, "yes", 0, True, ""),
        (0, "yes", 1, True, "Violations were found, as expected of Heat's own design."),
        (0, "yes", 2, False, "exit code 2"),
        (0, "yes", 3, False, "exit code 3"),
        (0, "no", 1, False, "exit code 1"),
        (1, "yes", 1, False, ""),
    ],
)
def test_make_check(tmp_path: Path, starts: int, reports: str, code: int, succeeds: bool, text: str) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    stub = tmp_path / "stub"
    stub.write_text(STUB.format(starts=starts, reports=reports, code=code))
    stub.chmod(0o755)
    for name in ["pyproject.toml", "constraints.txt"]:
        (tmp_path / name).touch()
    kept = tmp_path / ".heatproof" / "check"
    kept.mkdir(parents=True)
    for name in ["verdicts.txt", "mine.case.json"]:
        (kept / name).touch()
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".installed").write_text(f"{tmp_path.resolve()}\n")
    result = subprocess.run(
        ["make", "check", "HEATPROOF=./stub"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode == 0) is succeeds, result.stdout + result.stderr
    assert text in result.stdout + result.stderr
    assert (kept / "mine.case.json").exists(), "what a user keeps there is not taken away"
