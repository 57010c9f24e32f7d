"""Which Hypothesis profile is in force, and what it sets."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEST = """
from hypothesis import settings

def test():
    now = settings()
    name = settings.get_current_profile_name()
    print("is", name, now.max_examples, now.deadline, now.derandomize, now.database is not None)
"""


@pytest.mark.parametrize(
    ("ci", "arguments", "expected"),
    [
        ("", [], "dev 50 None False True"),
        ("true", [], "ci 300 None True False"),
        ("true", ["--hypothesis-profile", "dev"], "dev 50 None False True"),
        ("true", ["--hypothesis-profile", "nightly"], "nightly 10000 None False True"),
        ("", ["--hypothesis-profile", "ci"], "ci 300 None True False"),
    ],
)
def test_profile(tmp_path: Path, ci: str, arguments: list[str], expected: str) -> None:
    shutil.copy(ROOT / "conftest.py", tmp_path)
    (tmp_path / "test_it.py").write_text(TEST)
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    if ci:
        environment["CI"] = ci
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"is {expected}\n" in result.stdout, result.stdout + result.stderr
