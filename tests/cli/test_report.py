"""The command ``heatproof report``, run as a stranger would run it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from heatproof.cli import cli
from heatproof.options import placed
from heatproof.reports.cases import dump
from tests.reports.test_page import LATE, STORED
from tests.reports.wild import wild_case

MINE = "from heatproof.model.designs.heat import Heat\n\n\nclass Mine(Heat):\n    pass\n"
SHORT = "rest-no-sync-points-sync-point-left-over"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["report", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two cases of Heat, one of them in a folder below."""
    (tmp_path / "below").mkdir()
    shutil.copy(STORED / f"{SHORT}.case.json", tmp_path)
    shutil.copy(STORED / f"{LATE}.case.json", tmp_path / "below")
    return tmp_path


def test_the_page_of_a_case_stands_beside_it(folder: Path) -> None:
    found = run(folder / f"{SHORT}.case.json")
    assert (found.exit_code, found.output) == (0, f"{folder / SHORT}.html\n")
    assert "At rest no sync point is left." in (folder / f"{SHORT}.html").read_text()


def test_the_page_of_a_case_goes_where_it_is_told(folder: Path) -> None:
    assert run(folder / f"{SHORT}.case.json", "--output", folder / "new" / "report.html").exit_code == 0
    assert (folder / "new" / "report.html").exists()
    assert run(folder / f"{SHORT}.case.json", "--output", folder / "new").exit_code == 0
    assert (folder / "new" / f"{SHORT}.html").exists()
    assert not (folder / f"{SHORT}.html").exists()


def test_a_folder_of_cases_gets_an_index(folder: Path) -> None:
    found = run(folder)
    assert (found.exit_code, found.output) == (0, f"{folder / 'index.html'} and 2 pages of cases\n")
    text = (folder / "index.html").read_text()
    assert f'href="{SHORT}.html"' in text
    assert f'href="below/{LATE}.html"' in text
    assert (folder / "below" / f"{LATE}.html").exists()


def test_the_report_of_a_check_gets_its_verdicts(tmp_path: Path) -> None:
    checked = CliRunner().invoke(
        cli,
        ["check", "heat", "--examples", "10", "--shrink", "100", "--processes", "1", "--no-scenarios", "--report", str(tmp_path)],
    )
    assert checked.exit_code == 1, checked.output
    cases = sorted(path.name.removesuffix(".case.json") for path in tmp_path.glob("*.case.json"))
    table = json.loads((tmp_path / "verdicts.json").read_text())["table"]
    assert sorted(line["case"] for line in table if line["verdict"] == "violated") == cases
    assert run(tmp_path, "--output", tmp_path / "site").exit_code == 0
    text = (tmp_path / "site" / "index.html").read_text()
    assert all(f'<a href="{name}.html">' in text for name in cases)
    assert sorted(path.name for path in (tmp_path / "site").iterdir()) == sorted(
        [*(f"{name}.html" for name in cases), "index.html"]
    )
    assert "not reached" in text


def test_a_report_takes_away_only_what_the_report_before_it_wrote(tmp_path: Path) -> None:
    """Not what a user keeps there, also of a report that he has changed, nor pages and shrunk cases."""
    quick = ["--examples", "2", "--shrink", "0", "--processes", "1", "--no-scenarios", "--report", str(tmp_path)]
    assert CliRunner().invoke(cli, ["check", "heat", *quick]).exit_code == 1
    first, changed, *others = sorted(tmp_path.glob("*.case.json"))
    assert others
    assert CliRunner().invoke(cli, ["shrink", str(first), "--budget", "1"]).exit_code == 0
    assert run(tmp_path).exit_code == 0
    changed.write_text(changed.read_text() + "\n")
    for name in ("mine.case.json", "mine.story.txt", "mine.html"):
        (tmp_path / name).write_text("kept")
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir() if not path.name.startswith("verdicts.")}
    own = {path.name for path in (first, *others)} | {path.name for path in tmp_path.glob("*.story.txt")} - {"mine.story.txt"}
    asked = ["--property", "one worker at a time", "--faults", "none"]
    assert CliRunner().invoke(cli, ["check", "heat", *quick, *asked]).exit_code == 0
    there = {path.name: path.read_bytes() for path in tmp_path.iterdir() if not path.name.startswith("verdicts.")}
    assert there == {name: data for name, data in kept.items() if name not in own}


def test_a_report_writes_over_no_file_of_the_user(tmp_path: Path) -> None:
    quick = ["check", "heat", "--examples", "2", "--shrink", "0", "--processes", "1", "--no-scenarios", "--report"]
    CliRunner().invoke(cli, [*quick, str(tmp_path / "other")])
    mine = min((tmp_path / "other").glob("*.case.json")).name
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / mine).write_text("kept")
    for _ in range(2):
        CliRunner().invoke(cli, [*quick, str(tmp_path / "out")])
        assert (tmp_path / "out" / mine).read_text() == "kept"
        assert (tmp_path / "out" / mine.replace(".case", "-2.case")).exists()
        cases = {line["case"] for line in json.loads((tmp_path / "out" / "verdicts.json").read_text())["table"]} - {""}
        assert cases == {
            path.name.removesuffix(".case.json") for path in (tmp_path / "out").glob("*.case.json") if path.name != mine
        }


@pytest.mark.parametrize("command", ["check", "prove"])
def test_verdicts_that_heatproof_has_not_written_are_not_written_over(command: str, tmp_path: Path) -> None:
    (tmp_path / "verdicts.json").write_text('{"mine": 1}')
    done = CliRunner().invoke(cli, [command, "heat", "--report", str(tmp_path)])
    assert done.exit_code == 2
    assert "holds no verdicts of schema 2" in done.output
    assert "name another folder with --report, or take it away" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["verdicts.json"]


def test_one_broken_case_does_not_hide_the_others(folder: Path) -> None:
    (folder / "broken.case.json").write_text("{")
    found = run(folder)
    assert found.exit_code == 2
    assert f"heatproof: {folder / 'broken.case.json'}" in found.output
    assert "and 2 pages of cases" in found.output
    assert "cannot be shown" in (folder / "index.html").read_text()
    assert not (folder / "broken.html").exists()


def test_where_no_case_can_be_shown_the_index_of_before_stays(folder: Path) -> None:
    assert run(folder).exit_code == 0
    before = (folder / "index.html").read_text()
    for case in folder.rglob("*.case.json"):
        case.write_text("{")
    found = run(folder)
    assert found.exit_code == 2
    assert f"none of the 2 cases in {folder} can be shown, and nothing was written: {folder / 'below'}" in found.output
    assert (folder / "index.html").read_text() == before


def test_names_of_files_stay_names(tmp_path: Path) -> None:
    name = "a b&<b>#?%20\"'"
    known = wild_case()._replace(expected=("rest: no sync points", "sync point left over"))
    (tmp_path / f"{name}.case.json").write_text(dump(known, "1"))
    assert run(tmp_path).exit_code == 0
    assert (tmp_path / f"{name}.html").exists()
    assert 'href="a%20b%26%3Cb%3E%23%3F%2520%22%27.html"' in (tmp_path / "index.html").read_text()


def test_a_design_of_ones_own_is_loaded_only_if_it_is_named(folder: Path) -> None:
    design = folder / "own.py"
    design.write_text("import pathlib; pathlib.Path(__file__).with_suffix('.ran').touch()\n" + MINE)
    shutil.rmtree(folder / "below")
    case = folder / f"{SHORT}.case.json"
    case.write_text(case.read_text().replace('"name": "heat"', f'"name": "{design}:Mine"'))
    asked = f"A case is data and runs no code, so name the design yourself if you trust it: --design {design}:Mine"
    for arguments in ([case], [case, "--mermaid"], [folder]):
        found = run(*arguments)
        assert found.exit_code == 2
        assert asked in found.output
    assert not design.with_suffix(".ran").exists()
    assert not list(folder.glob("rest*.html"))
    for arguments in ([case], [folder]):
        assert run(*arguments, "--design", f"{design}:Mine").exit_code == 0
        assert f"heatproof replay {case} --design {design}:Mine" in (folder / f"{SHORT}.html").read_text()
        (folder / f"{SHORT}.html").unlink()
    assert run(case, "--mermaid", "--design", f"{design}:Mine").output.startswith("sequenceDiagram\n")


def test_a_database_does_not_name_the_design_of_a_file() -> None:
    stored = "heat-engine+own.py:Mine"
    assert placed(None, stored, "postgresql://a@b/c") is None
    assert placed("heat-engine", stored, "postgresql://a@b/c") == "heat-engine+postgresql+read-committed"


def test_the_page_says_on_which_design_to_replay(folder: Path) -> None:
    case = folder / f"{SHORT}.case.json"
    assert run(case, "--design", "heat+deadlock-not-retried").exit_code == 0
    assert f"heatproof replay {case} --design heat+deadlock-not-retried" in (folder / f"{SHORT}.html").read_text()


def test_mermaid_is_printed_or_written(folder: Path) -> None:
    found = run(folder / f"{SHORT}.case.json", "--mermaid")
    assert found.exit_code == 0
    assert found.output.startswith("sequenceDiagram\n")
    assert run(folder / f"{SHORT}.case.json", "--mermaid", "--output", folder / "x.mmd").output == ""
    assert (folder / "x.mmd").read_text() == found.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.case.json"], "cannot read"),
        (["."], "there is no case in"),
        ([".", "--mermaid"], "--mermaid takes one case, and . is a folder"),
        ([str(STORED / f"{LATE}.case.json"), "--mermaid"], "has 164 steps, and a Mermaid diagram is legible up to 60"),
        ([str(STORED / f"{SHORT}.case.json"), "--output", "file/x.html"], "cannot write"),
        ([], "Missing argument"),
    ],
)
def test_wrong_input_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str) -> None:
    monkeypatch.chdir(tmp_path)
    if "file/x.html" in arguments:
        (tmp_path / "file").write_text("")
    found = run(*arguments)
    assert found.exit_code == 2
    assert message in found.output
    assert "Traceback" not in found.output
    assert [path for path in tmp_path.rglob("*") if path.name != "file"] == []
