"""``heatproof port`` of cases of the engine: a test file of its own that fails on the installed Heat and passes with the cure."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from heatproof import engine_port, heats_framework, standalone
from heatproof.cli import cli
from heatproof.model.errors import HeatproofError
from heatproof.ports.heat import installation
from heatproof.reports import cases
from tests.toys import NIGHTLY, ROOT

if reason := installation.why_not():
    pytest.skip(f"the real engine is not here: {reason}", allow_module_level=True)

KEPT = ROOT / "reports" / "regressions" / "heat-27.0.1"
NAME = "release-in-spite-of-signals"
KEPT_NAMES = sorted(path.name.removesuffix(".case.json") for path in KEPT.glob("*.case.json"))


def port(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["port", *map(str, arguments)])
    return done.exit_code, done.output


@pytest.mark.parametrize("name", KEPT_NAMES if NIGHTLY else [NAME])
def test_it_fails_on_the_installed_heat_and_passes_with_the_cure(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "cases"
    folder.mkdir()
    (folder / f"{name}.case.json").write_bytes((KEPT / f"{name}.case.json").read_bytes())
    code, told = port(folder, "-o", tmp_path)
    assert code == 0, told
    (written,) = tmp_path.glob("*.py")
    compile(written.read_text(), str(written), "exec")
    if not written.name.startswith("test_"):  # a scenario file of Heat's own: its framework runs it
        assert [outcome.passed for outcome in heats_framework.run_files([written])] == [False]
        return
    witness = f"Witness: {(cases.read(KEPT / f'{name}.case.json').expected or ('', ''))[1]}"
    for patches, ended, shown in (("", 1, witness), (re.sub(r"-\d$", "", name), 0, "OK")):
        done = subprocess.run(
            [sys.executable, "-m", "unittest", written.name], cwd=tmp_path, text=True, capture_output=True, check=False,
            env={**os.environ, "HEATPROOF_PATCHES": patches},
        )  # fmt: skip
        assert done.returncode == ended, done.stderr
        assert shown in done.stderr


def test_a_folder_becomes_test_files_named_as_unittest_looks_for_them(tmp_path: Path) -> None:
    folder = tmp_path / "cases"
    folder.mkdir()
    for name in (NAME, "unhealthy-only-what-was-made"):
        (folder / f"{name}.case.json").write_bytes((KEPT / f"{name}.case.json").read_bytes())
    code, told = port(folder, "-o", tmp_path / "out")
    assert code == 0
    assert told.splitlines()[-1] == f"2 of 2 cases written to {tmp_path / 'out'}, 2 as tests of the engine"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "test_release_in_spite_of_signals.py", "test_unhealthy_only_what_was_made.py"
    ]  # fmt: skip


def test_what_is_not_its_own_is_not_overwritten(tmp_path: Path) -> None:
    mine = tmp_path / "test_mine.py"
    mine.write_text("mine\n")
    code, told = port(KEPT / f"{NAME}.case.json", "-o", mine)
    assert (code, mine.read_text()) == (2, "mine\n")
    assert "'heatproof port' has not written it" in told


def test_any_title_can_be_written() -> None:
    case = cases.read(KEPT / f"{NAME}.case.json")._replace(title='a """ and a \\ and {braces}', origin="two\nlines")
    text = engine_port.text_of(case, Path("a b.case.json"), Path("test_a_b.py"))
    scope: dict[str, object] = {"__name__": "written"}
    exec(compile(text, "test_a_b.py", "exec"), scope)
    assert cases.load(str(scope["CASE"]).encode(), "there") == case._replace(
        heatproof=cases.load(str(scope["CASE"]).encode(), "x").heatproof
    )


def test_it_passes_only_if_something_can_be_said() -> None:
    text = (KEPT / f"{NAME}.case.json").read_text()
    with pytest.raises(AssertionError, match="cannot be decided"):
        standalone.check(text, (NAME,), nearby=0)
    with pytest.raises(HeatproofError, match="unknown patch"):
        standalone.check(text, ("no-such",))
    with pytest.raises(HeatproofError, match="is no case"):
        standalone.check("{")


def test_what_the_model_does_not_show_is_told_in_sentences(tmp_path: Path) -> None:
    case = KEPT / "writes-are-tried-again.case.json"
    done = CliRunner().invoke(cli, ["port", str(case), "--output", str(tmp_path / "test_it.py")])
    assert done.exit_code == 0, done.output
    assert (
        "As a scenario it cannot be ported: On the model, under the same schedule, the answer is: cannot be decided. "
        in done.output
    )
    assert done.output.endswith("Nobody looked near by; it takes at least 50 runs there to say anything.\n")
