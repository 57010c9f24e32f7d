"""The pytest plugin in projects that have stateful tests and stored cases, and in those that have none."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import pytest

import heatproof
from heatproof.reports import cases
from tests.toys import NIGHTLY

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples"
BUG = "        return row.physical is None\n"
CASE = "cases/delivered-twice.case.json"
SAME = ("-p", "no:cacheprovider", "--heatproof-seed", "3", "--heatproof-budget", "60")
AS_FOUND = (*SAME, "--heatproof-no-shrink")
"""The same without what takes most of the time, for tests to which it is one whether a failure was made small."""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A copy of the example: a design with a bug, its tests and a case."""
    for name in ("pyproject.toml", "once.py", "test_once.py", CASE):
        (pytester.path / name).parent.mkdir(exist_ok=True)
        shutil.copy(EXAMPLE / name, pytester.path / name)
    return pytester


def mend(project: pytest.Pytester) -> None:
    """Take the bug out."""
    file = project.path / "once.py"
    before, after = file.read_text().split(BUG)
    file.write_text(before + after.replace("        # return (yield", "        return (yield"))


def table(result: pytest.RunResult) -> list[str]:
    """The lines of the summary, without the names of files."""
    lines = result.stdout.str().splitlines()
    titles = [number for number, line in enumerate(lines) if re.match(r"=+ \w", line)]
    start = next(number for number in titles if " heatproof =" in lines[number])
    return lines[start + 1 : next(number for number in titles if number > start)]


def stories(folder: Path) -> dict[str, str]:
    """What was written to a folder of reports."""
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


# ------------------------------------------------------------------------------------------------------ not in the way


def test_importing_it_imports_nothing_heavy() -> None:
    heavy = ["hypothesis", "networkx", "msgspec", "rich", "click", "heatproof.model", "heatproof.strategies", "heatproof.reports"]
    code = f"import sys, heatproof.pytest_plugin; sys.exit(' '.join(m for m in {heavy} if m in sys.modules) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_project_without_cases_sees_nothing_of_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(): pass")
    (pytester.path / "other.case.json").write_text('{"a case": "of something else"}')
    pytester.makeconftest(
        """
        import sys
        def pytest_unconfigure():
            print("loaded:", *sorted(m for m in sys.modules if m.startswith("heatproof")))
        """
    )
    result = pytester.runpytest_subprocess("-s", "-W", "error", "--strict-markers")
    result.assert_outcomes(passed=1)
    lines = [line for line in result.stdout.lines if "heatproof" in line and not line.startswith("plugins: ")]
    assert lines == ["loaded: heatproof heatproof.pytest_options heatproof.pytest_plugin"]


# --------------------------------------------------------------------------------------------------------------- cases


def test_cases_are_tests_in_the_order_of_their_names(project: pytest.Pytester) -> None:
    text = (project.path / CASE).read_text()
    for name in ("b", "a", "sub/c"):
        (project.path / f"cases/{name}.case.json").parent.mkdir(exist_ok=True)
        (project.path / f"cases/{name}.case.json").write_text(text)
    result = project.runpytest_inprocess("--collect-only", "-q", "cases")
    ids = [line for line in result.stdout.lines if "::" in line]
    assert ids == [f"cases/{name}.case.json::replay" for name in ("a", "b", "delivered-twice", "sub/c")]


def write(project: pytest.Pytester, name: str, case: cases.Case) -> str:
    """Write a case and give its name."""
    (project.path / name).write_text(cases.dump(case, heatproof.__version__))
    return name


def test_a_case_must_do_what_it_says(project: pytest.Pytester) -> None:
    stored = cases.read(project.path / CASE)
    fails = write(project, "cases/fails.case.json", stored._replace(expectation="fails", title="A known bug"))
    write(project, "cases/unknown.case.json", stored._replace(design="once.py:Nothing"))
    write(project, "cases/elsewhere.case.json", stored._replace(design="../once.py:Once"))
    (project.path / "cases/broken.case.json").write_text('{"schema": 2, "heatproof": ')
    (project.path / "cases/empty.case.json").write_text("")

    result = project.runpytest_subprocess("-p", "no:cacheprovider", "-W", "error", "cases")
    result.assert_outcomes(passed=1, failed=5)
    text = result.stdout.str()
    assert "cases/broken.case.json is no case: " in text
    assert "cases/empty.case.json is no case: " in text
    assert re.search(r"has no design 'Nothing'; write .*once\.py:NAME, where NAME is one of Once", text)
    assert "a case from elsewhere runs no code here" in text
    assert "Traceback" not in text
    assert re.search(r"^FAILED cases/delivered-twice.case.json::replay - still fails on once", text, re.MULTILINE)
    assert "      >>  before make(A) is delivered:\n" in text
    assert "The case says that this must hold." in text
    command = f"heatproof replay {CASE} --design once.py:Once"
    assert f"See it: {command}\n" in text
    assert ran(project, command) == (1, "A message that is delivered twice makes two of a thing")

    mend(project)
    result = project.runpytest_subprocess("-p", "no:cacheprovider", CASE, fails)
    result.assert_outcomes(passed=1, failed=1)
    text = result.stdout.str()
    assert "not found any more on once.py:Once: created once: two for one row" in text
    assert "  A known bug\n  The case says that this design fails. If the design was mended" in text
    assert table(result)[0] == "2 cases: 1 as expected, 1 otherwise"


def test_a_report_is_no_store_of_cases(project: pytest.Pytester) -> None:
    report = project.path / "report"
    report.mkdir()
    shutil.copy(project.path / CASE, report)
    assert project.runpytest_inprocess("report").parseoutcomes() == {"failed": 1}
    (report / "verdicts.txt").touch()
    assert project.runpytest_inprocess("report").ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert project.runpytest_inprocess("report/delivered-twice.case.json").parseoutcomes() == {"failed": 1}


def ran(project: pytest.Pytester, command: str) -> tuple[int, str]:
    """Run a command that a text tells to run: its exit code and its first line."""
    program, *words = shlex.split(command)
    done = subprocess.run(
        [sys.executable, "-m", program, *words], cwd=project.path, capture_output=True, text=True, check=False, timeout=120
    )
    return done.returncode, (done.stdout or done.stderr).splitlines()[0]


def test_what_is_no_case_is_collected_only_if_it_is_named(pytester: pytest.Pytester) -> None:
    (pytester.path / "other.case.json").write_text('{"a case": "of something else"}')
    assert pytester.runpytest_inprocess().ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result = pytester.runpytest_inprocess("other.case.json")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*other.case.json is no case: *"])


def test_which_files_are_cases_can_be_set(project: pytest.Pytester) -> None:
    for patterns, count in (("", 0), ("bugs/*.case.json", 0), ("cases/*.json x*", 1)):
        (project.path / "pytest.ini").write_text(f"[pytest]\nheatproof_cases = {patterns}")
        result = project.runpytest_inprocess("--collect-only", "-q", "cases")
        assert result.stdout.str().count("::replay") == count


# --------------------------------------------------------------------------------------------------------- stateful tests


def test_a_failure_is_a_story_and_how_to_see_it_again_and_then_the_blob(project: pytest.Pytester) -> None:
    result = project.runpytest_subprocess(*SAME, "--heatproof-profile", "ci", "-W", "error", "test_once.py")
    result.assert_outcomes(passed=1, failed=1)
    text = result.stdout.str()
    order = [
        "2 properties do not hold of design 'Once':", "  operation 1: create to A", "      >>  ", "  Violated after step ",
        "  Witness: two for one row; ", "heatproof replay ", "pytest test_once.py::TestOnce --heatproof-replay ",
        "- Hypothesis -", "You can reproduce this test case by temporarily adding @reproduce_failure(", "= heatproof =",
        "Files written:", "FAILED test_once.py::TestOnce::runTest - created once: two for one row; r",
    ]  # fmt: skip
    places = [text.find(part) for part in order]
    assert -1 not in places, order[places.index(-1)]
    assert places == sorted(places)
    assert "Traceback" not in text
    assert "stateful.py" not in text

    kept = ".heatproof/pytest/test_once-TestOnce-created-once-two-for-one-row"
    assert f"  {kept}.case.json\n  {kept}.story.txt\n" in text
    story = (project.path / f"{kept}.story.txt").read_text()
    assert story.partition("\n  See it again:")[0].strip() in text
    replay, by_test = re.findall(r"^      ((?:heatproof|pytest) .*)$", story, re.MULTILINE)
    assert ran(project, replay) == (1, "created once: two for one row")

    arguments = [*shlex.split(by_test)[1:], "-p", "no:cacheprovider"]
    shown = project.runpytest_subprocess(*arguments)
    shown.assert_outcomes(failed=1)
    assert "  Witness: two for one row; " in shown.stdout.str()
    assert table(shown)[0] == "1 case: 1 violated"
    assert [path.name for path in project.path.glob(".heatproof/pytest/*.case.json")] == [Path(kept).name + ".case.json"]

    mend(project)
    project.runpytest_subprocess(*arguments).assert_outcomes(passed=1)


SUMMARY = re.compile(
    r"verdict  .*created once  .*two for one row.*Never reached: claim contended\. .*1 case: 1 otherwise", re.DOTALL
)


def test_the_results_are_the_same_in_every_process_and_order(project: pytest.Pytester) -> None:
    (project.path / "backwards.py").write_text("def pytest_collection_modifyitems(items):\n    items.reverse()\n")
    (project.path / "test_more.py").write_text("from test_once import TestOnce as TestAgain\n")
    ways = [["-n", "2", "-p", "backwards"], ["-p", "no:xdist"]]
    if NIGHTLY:
        ways += [["-n", "2"], ["-p", "backwards"]]
    found: list[tuple[list[str], dict[str, str]]] = []
    for number, way in enumerate(ways):
        report = project.path / f"report{number}"
        result = project.runpytest_subprocess(*AS_FOUND, *way, "--heatproof-report", report.name)
        result.assert_outcomes(passed=1, failed=3)  # the case, and the stateful test twice
        written = {name: text.replace(report.name, "DIR") for name, text in stories(report).items()}
        found.append(([line.replace(report.name, "DIR") for line in table(result)], written))
    assert all(one == found[0] for one in found)
    lines, written = found[0]
    assert SUMMARY.search("\n".join(lines))
    tests = [name.partition("-created")[0] for name in written]
    assert tests == ["test_more-TestAgain", "test_more-TestAgain", "test_once-TestOnce", "test_once-TestOnce", "verdicts.txt"]
    assert written["verdicts.txt"].splitlines() == lines[: lines.index("Files written:")]


def test_a_summary_says_what_was_asked_and_what_was_not_reached(project: pytest.Pytester) -> None:
    mend(project)
    result = project.runpytest_subprocess(*SAME)
    result.assert_outcomes(passed=3)
    first, head, *lines = table(result)
    examples = int(re.fullmatch(r"Once: (\d+) examples in 1 test", first)[1])  # type: ignore[index]
    assert examples >= 60
    assert head.split() == ["verdict", "property", "in", "what"]
    told = [re.split(r"  +", line) for line in lines[:5]]
    assert [row[:2] for row in told] == [
        ["held", "rest: all is made"], ["held", "created once"], ["held", "rest: everything physical is known"],
        ["held", "rest is reached"], ["reached", "claim contended"],
    ]  # fmt: skip
    assert {row[2] for row in told[:4]} == {f"{examples} examples"}
    assert lines[5:] == ["1 case: 1 as expected"]


def test_a_case_that_needs_a_server_is_skipped_with_the_reason(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEATPROOF_DATABASE", raising=False)
    shutil.copy(next(ROOT.glob("reports/regressions/oslo.db-*/*.case.json")), project.path / "cases" / "repeatable.case.json")
    result = project.runpytest_subprocess("cases", "-rs", "-W", "error")
    result.assert_outcomes(failed=1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*this runs on PostgreSQL, and nobody has told which server: --database postgresql://*"])
    assert table(result)[0].startswith("2 cases: 1 otherwise, 1 skipped")


def test_properties_of_a_junit_report(project: pytest.Pytester) -> None:
    project.runpytest_subprocess(*AS_FOUND, "-n", "2", "--junit-xml", "junit.xml", "-W", "error").assert_outcomes(
        passed=1, failed=2
    )
    tests = {
        test.get("name"): {p.get("name"): p.get("value") for p in test.iter("property")}
        for test in ET.parse(project.path / "junit.xml").iter("testcase")
    }
    assert tests["replay"] == {
        "heatproof design": "once.py:Once", "heatproof case": CASE, "heatproof verdict": "otherwise",
        "heatproof property": "created once: two for one row",
    }  # fmt: skip
    assert tests["test_a_run_comes_to_rest"] == {}
    stateful = tests["runTest"]
    assert stateful["heatproof violated"] == "created once: two for one row; rest: everything physical is known: known to nobody"
    assert stateful["heatproof never reached"] == "claim contended"
    assert int(str(stateful["heatproof examples"])) > 0
    assert str(stateful["heatproof files"]).startswith(".heatproof/pytest/test_once-TestOnce-created-once")


def test_markers(project: pytest.Pytester) -> None:
    for expression, names in (
        ("heatproof", ["replay", "runTest"]),
        ("heatproof_case", ["replay"]),
        ("not heatproof", ["test_a_run_comes_to_rest"]),
    ):
        result = project.runpytest_inprocess("--strict-markers", "--collect-only", "-q", "-m", expression)
        assert [line.rpartition("::")[2] for line in result.stdout.lines if "::" in line] == names


def test_in_a_package_under_importlib(project: pytest.Pytester) -> None:
    package = project.path / "src" / "mine"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    shutil.move(project.path / "once.py", package)
    shutil.move(project.path / "test_once.py", package)
    test = package / "test_once.py"
    test.write_text(test.read_text().replace("from once ", "from mine.once "))
    result = project.runpytest_subprocess(*AS_FOUND, "--import-mode=importlib", "-o", "pythonpath=src", "-m", "heatproof", "src")
    result.assert_outcomes(failed=1, deselected=1)
    (replay,) = re.findall(r"^      (heatproof replay .*)$", result.stdout.str(), re.MULTILINE)
    assert replay.endswith(" --design src/mine/once.py:Once")
    assert ran(project, replay) == (1, "created once: two for one row")


def test_from_another_folder(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.path / "cases")
    result = project.runpytest_subprocess(*SAME, "--rootdir", "..", "-c", "../pyproject.toml", "../test_once.py", ".")
    result.assert_outcomes(passed=1, failed=2)
    commands = re.findall(r"(heatproof replay .*)$", result.stdout.str(), re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        program, *words = shlex.split(command)
        done = subprocess.run([sys.executable, "-m", program, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 1, done.stderr


MADE = """
from once import PROPERTIES, Once
from heatproof import machine

def made():
    class Local(Once):
        pass
    return Local()

TestLocal = machine(made(), PROPERTIES, faults=["duplicate"], fails=False).TestCase
"""


def test_a_design_that_cannot_be_named_is_replayed_by_its_test(project: pytest.Pytester) -> None:
    (project.path / "test_local.py").write_text(MADE)
    result = project.runpytest_subprocess(*SAME, "test_local.py")
    text = result.stdout.str()
    assert "heatproof replay" not in text
    (command,) = re.findall(r"^      pytest (.*)$", text, re.MULTILINE)
    shown = project.runpytest_subprocess("-p", "no:cacheprovider", *shlex.split(command))
    shown.assert_outcomes(failed=1)
    assert "  Witness: two for one row; " in shown.stdout.str()


OTHERS = """
from once import PROPERTIES, Once

from heatproof import machine

class Mended(Once):
    def creates(self, row):
        return (yield from ())

class Spoilt(Once):
    pass

TestOnce = machine(Once(), PROPERTIES, faults=["duplicate"]).TestCase
TestMended = machine(Mended(), PROPERTIES, faults=["duplicate"]).TestCase
TestSpoilt = machine(Spoilt(), PROPERTIES, faults=["duplicate"]).TestCase
"""


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["test_others.py::TestMended"], "test_others.py::TestMended::runTest,1 test collected"),
        (["-k", "Mended"], "test_others.py::TestMended::runTest,1/4 tests collected (3 deselected)"),
        (["test_others.py"], "test_others.py::TestOnce::runTest,1/3 tests collected (2 deselected)"),
        (
            ["test_others.py::TestMended", "test_others.py::TestSpoilt"],
            "test_others.py::TestMended::runTest,test_others.py::TestSpoilt::runTest,2 tests collected",
        ),
        (["cases"], f"{CASE}::replay,1 test collected"),
    ],
    ids=["test", "keyword", "file", "tests", "case"],
)
def test_a_case_is_replayed_on_the_design_of_the_test_that_is_asked_for(
    project: pytest.Pytester, asked: list[str], told: str
) -> None:
    (project.path / "test_once.py").unlink()
    (project.path / "test_others.py").write_text(OTHERS)
    found = project.runpytest_inprocess("-p", "no:cacheprovider", "--collect-only", "-q", "--heatproof-replay", CASE, *asked)
    lines = [re.sub(r" in .*", "", line) for line in found.outlines if line.strip()]
    assert ",".join(lines) == told


def test_where_nothing_can_be_written_the_failure_comes_as_python(project: pytest.Pytester) -> None:
    (project.path / ".heatproof").write_text("a file where the folder would be")
    result = project.runpytest_subprocess(*AS_FOUND, "test_once.py::TestOnce")
    text = result.stdout.str()
    assert "replay(driver, deviations)" in text
    assert "heatproof could not keep the case: cannot write " in text
    assert "Files written" not in text


# --------------------------------------------------------------------------------------------------------------- options


def test_the_number_of_examples(project: pytest.Pytester) -> None:
    mend(project)

    def examples(*arguments: str) -> int:
        result = project.runpytest_subprocess("-p", "no:cacheprovider", "test_once.py::TestOnce", *arguments)
        result.assert_outcomes(passed=1)
        return int(table(result)[0].split()[1])

    assert examples("--heatproof-seed", "1", "--heatproof-budget", "1") < 10
    assert 50 <= examples("--heatproof-seed", "1", "--heatproof-profile", "dev") < 100
    assert examples() >= 300
    (project.path / "pytest.ini").write_text("[pytest]\nheatproof_budget = 7\nheatproof_seed = 2\n")
    assert 7 <= examples() < 50


def test_a_failure_is_not_made_small_if_nobody_wants_it(project: pytest.Pytester) -> None:
    def size(*arguments: str) -> int:
        project.runpytest_subprocess(*SAME, "--heatproof-report", "out", "test_once.py::TestOnce", *arguments)
        (path,) = (project.path / "out").glob("*.case.json")
        template = cases.read(path).scenario.operations[0].template
        assert template is not None
        return len(template)

    assert size("--heatproof-no-shrink") > size()


def test_another_seed_finds_another_example(project: pytest.Pytester) -> None:
    def found(seed: str) -> str:
        arguments = ("-p", "no:cacheprovider", "--heatproof-no-shrink", "--heatproof-seed", seed, "--heatproof-report", seed)
        project.runpytest_subprocess(*arguments, "test_once.py::TestOnce")
        return next((project.path / seed).glob("*.case.json")).read_text()

    assert found("1") != found("22")


def test_a_profile_of_the_project(project: pytest.Pytester) -> None:
    project.makeconftest("from hypothesis import settings\nsettings.register_profile('tiny', max_examples=2)")
    mend(project)
    result = project.runpytest_subprocess("-p", "no:cacheprovider", "--heatproof-profile", "tiny", "-k", "TestOnce")
    result.stdout.fnmatch_lines(["heatproof: profile tiny", "Once: * examples in 1 test"])
    assert int(table(result)[0].split()[1]) < 20


WRONG: list[tuple[Sequence[str], str, str]] = [
    (["--heatproof-budget", "0"], "", "--heatproof-budget: '0' is no whole number from 1 on"),
    (["--heatproof-budget", "ten"], "", "--heatproof-budget: 'ten' is no whole number from 1 on"),
    (["--heatproof-budget="], "", "--heatproof-budget: a value is missing"),
    (["--heatproof-seed", "-1"], "", "--heatproof-seed"),
    (["--heatproof-seed=-1"], "", "--heatproof-seed: '-1' is no whole number from 0 on"),
    (["--heatproof-profile", "huge"], "", "--heatproof-profile: there is no profile 'huge'; heatproof has dev, ci, nightly"),
    (["--heatproof-replay", "none.case.json"], "", "--heatproof-replay: cannot read * No such file"),
    (["--heatproof-replay", "once.py"], "", "--heatproof-replay: *once.py is no case: "),
    (["--heatproof-report", "once.py"], "", "--heatproof-report: *once.py is no folder"),
    ([], "heatproof_budget = many", "heatproof_budget in *pytest.ini: 'many' is no whole number from 1 on"),
    ([], "heatproof_seed = 1.5", "heatproof_seed in *pytest.ini: '1.5' is no whole number from 0 on"),
    ([], "heatproof_profile = huge", "heatproof_profile in *pytest.ini: there is no profile 'huge'"),
    ([], "heatproof_report = once.py", "heatproof_report in *pytest.ini: *once.py is no folder"),
]


def test_a_report_that_cannot_be_written_is_refused_before_any_test(project: pytest.Pytester) -> None:
    (project.path / "out" / "verdicts.txt").mkdir(parents=True)
    result = project.runpytest_inprocess("--heatproof-report", "out")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--heatproof-report: cannot write to *out: *verdicts.txt is a folder, no file *"])


@pytest.mark.parametrize(
    ("arguments", "ini", "text"), WRONG, ids=lambda value: value if isinstance(value, str) else " ".join(value)
)
def test_wrong_use_is_said_in_one_line(project: pytest.Pytester, arguments: Sequence[str], ini: str, text: str) -> None:
    if ini:
        (project.path / "pytest.ini").write_text(f"[pytest]\n{ini}")
    result = project.runpytest_inprocess(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{text}*"])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
