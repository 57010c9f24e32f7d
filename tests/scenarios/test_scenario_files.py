"""Heat's own scenario files, the prototype's dialect, and files of our own on the model; and the command that runs them."""

import importlib.metadata
import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st

from heatproof import scenarios_command
from heatproof.cli import cli
from heatproof.model import catalogue
from heatproof.model.design import Design
from heatproof.model.designs.heat import Heat
from heatproof.model.errors import HeatproofError
from heatproof.properties.catalogue import ALL
from heatproof.strategies import running, scenario_files
from heatproof.strategies.scenario_files import Result, Run, as_scenario, directly, find_files, installed, run_file
from heatproof.strategies.scenario_language import parse

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MEASURED = dict(
    line.split(": ") for line in (HERE / "worker_messages.txt").read_text().splitlines() if line and not line.startswith("#")
)
FOLDER = installed()
needs_heat = pytest.mark.skipif(FOLDER is None, reason="openstack-heat is not installed; 'make test' installs it")
each_file = pytest.mark.parametrize("name", sorted(MEASURED))


def heats(name: str) -> Path:
    assert FOLDER is not None
    return FOLDER / f"{name}.py"


def run(tmp_path: Path, text: str, design: Design | None = None) -> Result:
    path = tmp_path / "scenario.py"
    path.write_text(text)
    return run_file(path, design or Heat())


# ------------------------------------------------------------------------------------------------------- Heat's 21 files


@needs_heat
def test_the_installed_files_are_those_that_were_measured() -> None:
    assert FOLDER is not None
    assert [path.stem for path in find_files([FOLDER])] == sorted(MEASURED)
    assert len(MEASURED) == 21


@needs_heat
@each_file
def test_heats_scenario_passes_and_the_worker_does_what_heats_own_does(name: str) -> None:
    result = run_file(heats(name), Heat())
    assert result.passed, result
    assert (result.line, result.message, result.queued) == (None, "", None)
    assert result.asserted > 0
    assert result.processed == MEASURED[name].split()
    assert result.messages == len(MEASURED[name].split())
    assert result.world.at_rest


@needs_heat
@each_file
def test_a_scenario_is_an_example_for_exploration(name: str) -> None:
    scenario = as_scenario(heats(name))
    assert (scenario.scope.engines, scenario.scope.threads) == (2, 2)
    asked = [f"{operation.kind}_stack" for operation in scenario.operations]
    assert asked == re.findall(r"^engine\.(\w+_stack)\(", heats(name).read_text(), re.MULTILINE)
    explored = running.run(Heat(), scenario, list(ALL.values()), running.Plan("random", 1))
    assert explored.end == "rest"


@needs_heat
def test_a_run_is_a_pure_function_of_the_file_and_the_design() -> None:
    one, other = (run_file(heats("update_replace"), Heat()) for _ in range(2))
    assert one.trace == other.trace
    assert [entry.action for entry in one.world.log] == [entry.action for entry in other.world.log]


@needs_heat
@pytest.mark.parametrize(
    ("mutation", "name", "line", "message"),
    [
        ("isolated-node-lost", "disjoint_create", 24, '1 != 0 : Found 0 copies of resource "B"'),
        ("created-from-old-definition", "update_interrupt_create", 22, "'blarg' != 'foo' : Unexpected value for C prop a"),
        ("replacement-reports-under-its-own-id", "update_add", 36, '1 != 0 : Found 0 copies of resource "E"'),
        ("own-template-as-previous", "basic_create_rollback", 26, "[] != ['A', 'B', 'C', 'D', 'E']"),
        (
            "inverted-deps-cycle",
            "update_replace_invert_deps",
            33,
            "update_stack ended with CircularDependency: the graph has a cycle",
        ),
        (
            "cancel-has-no-thread-manager",
            "update_add_rollback",
            37,
            "rollback_stack ended with NoThreads: the stack has no thread manager",
        ),
    ],
)
def test_a_mutation_makes_a_scenario_fail_in_a_line_with_a_message(mutation: str, name: str, line: int, message: str) -> None:
    result = run_file(heats(name), catalogue.load(f"heat+{mutation}"))
    assert (result.passed, result.line, result.message) == (False, line, message)
    assert result.source == heats(name).read_text().splitlines()[line - 1]
    assert result.source.startswith("engine.")


WAITS = [
    (name, int(which), turns, verdict == "P")
    for name, which, verdicts in map(str.split, (HERE / "waits.txt").read_text().split("\n\n")[1].splitlines())
    for turns, verdict in enumerate(verdicts)
]


@needs_heat
@given(st.sampled_from(WAITS))
@example(("update_interrupt_create", 1, 0, False))
@example(("update_replace_missed_cleanup", 2, 2, False))
def test_a_scenario_that_waits_longer_or_shorter_has_the_verdict_of_heats_own_framework(wait: tuple[str, int, int, bool]) -> None:
    name, which, turns, passes = wait
    text = heats(name).read_text()
    noop = list(re.finditer(r"engine\.noop\(\d+\)", text))[which - 1]
    changed = text[: noop.start()] + (f"engine.noop({turns})" if turns else "") + text[noop.end() :]
    result = Run(parse(heats(name), changed.encode()), Heat()).run()
    assert result.passed is passes, result


# ---------------------------------------------------------------------------------------------------- the prototype's words


@pytest.mark.parametrize("path", sorted((HERE / "prototype").glob("*.py")), ids=lambda path: path.stem)
def test_the_words_of_the_prototype(path: Path) -> None:
    result = run_file(path, Heat())
    assert result.passed, result
    assert result.asserted >= 10


# ------------------------------------------------------------------------------------------------------ what a turn is

TEN = "made = Template({" + ", ".join(f"'R{n}': RsrcDef({{}}, [])" for n in range(10)) + "})\n"
COUNT = "def check(count):\n    test.assertEqual(count, len(reality.all_resources()))\n"


@pytest.mark.parametrize(
    ("waiting", "count"),
    [
        ("", 1),
        ("engine.noop()", 2),
        ("engine.noop(0)", 2),
        ("engine.noop(1)", 2),
        ("engine.noop(3)", 4),
        ("engine.noop(9)", 10),
        ("engine.noop(1)\nengine.noop(1)", 3),
        ("engine.call(len, [])", 2),
        ("engine.noop(18446744073709551615)", 10),
        ("worker.noop(2)\nengine.noop(4)", 3),
        ("worker.call(check, 0)\nengine.noop(4)", 4),
    ],
)
def test_noop_lets_the_worker_process_so_many_messages(tmp_path: Path, waiting: str, count: int) -> None:
    result = run(tmp_path, f"{TEN}{COUNT}engine.create_stack('s', made)\n{waiting}\nengine.call(check, {count})\n")
    assert result.passed, result
    assert result.messages == 10


def test_an_operation_is_done_with_its_set_up_before_the_worker_takes_its_half_of_the_turn(tmp_path: Path) -> None:
    result = run(tmp_path, f"{TEN}engine.create_stack('s', made)\nengine.delete_stack('s')\nengine.call(verify, Template())\n")
    assert [(turn.number, turn.process, turn.did.partition("(")[0]) for turn in result.trace[:5]] == [
        (1, "engine", "line 2: engine.create_stack"),
        (1, "worker", "check"),
        (2, "engine", "line 3: engine.delete_stack"),
        (2, "worker", "check"),
        (3, "engine", "line 4: engine.call"),
    ]


# ---------------------------------------------------------------------------------------------------------- how it fails


def test_a_failed_assertion_in_a_function_names_its_own_line_and_the_one_that_queued_it(tmp_path: Path) -> None:
    check = "def check(a,\n          b):\n    test.assertEqual(a,\n                     b, 'why')\n"
    result = run(tmp_path, f"{TEN}{check}engine.create_stack('s', made)\nengine.call(check, 1, b=2)\n")
    assert (result.passed, result.line, result.queued) == (False, 4, 7)
    assert result.source == "test.assertEqual(a, b, 'why')"
    assert result.message == "1 != 2 : why"


def test_the_line_is_the_callers_again_after_a_call(tmp_path: Path) -> None:
    check = "def three():\n    return 3\ndef check():\n    test.assertEqual(2, three())\n"
    assert run(tmp_path, f"{TEN}{check}engine.create_stack('s', made)\nengine.call(check)\n").line == 5


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("next(iter(reality.resources_by_logical_name('none')))", "StopIteration"),
        ("reality.resources_by_logical_name('none')[0]", "IndexError: list index out of range"),
        ("test.fail('no')", "no"),
        ("test.fail()", "failed"),
        ("assert len([]) == 1", "len([]) == 1 is not true"),
        ("test.assertIsNotNone(None)", "unexpectedly None"),
        ("test.assertIsNone(0, 'm')", "0 is not None : m"),
        ("test.assertIn(1, [2], msg='m')", "1 not found in [2] : m"),
        ("test.assertIsNot(None, None)", "unexpectedly identical: None"),
        ("test.assertCountEqual([1, 1], [1])", "the elements of [1, 1] are not those of [1]"),
        ("test.assertLess(2, 1)", "2 not less than 1"),
        ("test.assertEqual({2, 1}, 0)", "[1, 2] != 0"),
    ],
)
def test_what_goes_wrong_in_a_function_is_a_failure(tmp_path: Path, statement: str, message: str) -> None:
    result = run(tmp_path, f"{TEN}def check():\n    {statement}\nengine.create_stack('s', made)\nengine.call(check)\n")
    assert (result.passed, result.line, result.message) == (False, 3, message)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("engine.create_stack('s', made)\nengine.call(verify, Template())", 3, "[] != ['R0']"),
        ("engine.create_stack('s', made)\nengine.delete_stack('s')\nengine.noop(20)\nengine.update_stack('s', made)", 5,
         "update_stack was refused: the stack does not exist"),
        ("engine.create_stack('s', made)\nengine.delete_stack('s')\nengine.update_stack('s', made)", 4,
         "update_stack was refused: the stack is being deleted"),
    ],
)  # fmt: skip
def test_an_operation_that_is_refused_is_a_failure(tmp_path: Path, text: str, line: int, message: str) -> None:
    result = run(tmp_path, TEN + text + "\n")
    assert (result.passed, result.line) == (False, line)
    assert result.message == message


def test_verify_looks_at_reality_and_at_nothing_less(tmp_path: Path) -> None:
    told = (
        "made = Template({'A': RsrcDef({'a': 'x', '!b': 'y'}, []), 'B': RsrcDef({'c': GetRes('A'), 'd': GetAtt('A', '!b')}, [])})\n"
    )
    asked = "engine.create_stack('s', made)\nengine.noop(2)\nengine.call(verify, made)\n"
    assert run(tmp_path, told + asked).passed
    for wrong, message in [
        ("Template({'A': RsrcDef({'a': 'x', '!b': 'y'}, [])})", "['A'] != ['A', 'B']"),
        ("Template({'A': RsrcDef({'a': 'x'}, []), 'B': RsrcDef({}, [])})", "1 != 2 : Unexpected number of properties of A"),
        ("Template({'A': RsrcDef({'a': 'z'}, [])})", "'z' != 'x' : Unexpected value for A prop a"),
        (
            "Template({'A': RsrcDef({'a': 'x', '!b': 'y'}, []), 'B': RsrcDef({'c': GetAtt('A', 'q'), 'd': 'y'}, [])})",
            "KeyError: 'q'",
        ),
        ("Template({'Z': RsrcDef({}, [])})", '1 != 0 : Found 0 copies of resource "Z"'),
    ]:
        result = run(tmp_path, told + asked.replace("verify, made", f"verify, {wrong}"))
        assert (result.passed, result.line, result.message) == (False, 4, message)


def test_a_scenario_that_never_ends_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenario_files, "MESSAGES", 4)
    result = run(tmp_path, f"{TEN}engine.create_stack('s', made)\n")
    assert (result.passed, result.messages, result.message) == (False, 4, "the worker still has messages after 4")


# ---------------------------------------------------------------------------------------------------------- the designs


def test_rollback_needs_no_update_in_progress(tmp_path: Path) -> None:
    text = f"{TEN}engine.create_stack('s', made)\nengine.noop(30)\nengine.rollback_stack('s')\nengine.noop(30)\nengine.call(verify, Template())\n"
    assert run(tmp_path, text).passed


def test_the_rollback_is_mixed_into_heats_designs_only() -> None:
    mutated = catalogue.load("heat+isolated-node-lost")
    mixed = directly(mutated)
    assert isinstance(mixed, type(mutated))
    assert mixed.name == "heat+isolated-node-lost"
    assert directly(mixed) is mixed
    own = Design()
    assert directly(own) is own


def test_a_design_without_an_operation_of_the_file_is_refused(tmp_path: Path) -> None:
    class NoRollback(Heat):
        name = "bare"
        operations = {"create": "create_stack"}  # noqa: RUF012

    with pytest.raises(HeatproofError, match=r"scenario\.py: design 'bare' has no operation 'rollback'"):
        run(tmp_path, f"{TEN}engine.create_stack('s', made)\nengine.rollback_stack('s')\n", NoRollback())


# ------------------------------------------------------------------------------------------------------------ the files


def test_files_and_folders_are_found_sorted_and_once(tmp_path: Path) -> None:
    for name in ["b.py", "a.py", "deep/c.py", "deep/__init__.py", "notes.txt"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_files([tmp_path / "notes.txt", tmp_path, tmp_path / "a.py"])
    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["notes.txt", "a.py", "b.py", "deep/c.py"]


def test_a_missing_file_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(HeatproofError, match="there is no such file or folder"):
        find_files([tmp_path / "missing"])
    with pytest.raises(HeatproofError, match="there is no scenario in this folder"):
        find_files([tmp_path])


@needs_heat
def test_heat_is_found_without_importing_it() -> None:
    code = "import sys; from heatproof.strategies.scenario_files import installed; print(installed(), 'heat' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == f"{FOLDER} False\n"


def test_heat_is_looked_for_as_a_package_and_then_as_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", missing)
    assert installed() == FOLDER  # by the module
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert installed() is None


# ---------------------------------------------------------------------------------------------------------- the command


def command(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["scenario", *map(str, arguments)])
    return result.exit_code, result.output


@needs_heat
def test_the_command_runs_heats_files() -> None:
    code, output = command()
    lines = output.splitlines()
    assert code == 0
    assert re.fullmatch(r"PASS basic_create +messages +5  steps +\d+  assertions +14", lines[0])
    assert [line.split()[:2] for line in lines[:-1]] == [["PASS", name] for name in sorted(MEASURED)]
    assert lines[-1] == "21 passed, 0 failed"


@needs_heat
def test_the_command_tells_the_story_of_a_failure() -> None:
    path = heats("disjoint_create")
    code, output = command("--design", "heat+isolated-node-lost", path)
    assert code == 1
    assert output.startswith(f"FAIL {path} ")
    assert f'{path}:24: 1 != 0 : Found 0 copies of resource "B"\n    engine.call(verify, example_template)\n' in output
    assert "the user asks E1 for create#1: C-1 reads stack foo (not there);" in output
    assert "E1 takes check(A@T1, U, T1): LK-1 writes resource A@T1" in output
    assert output.endswith("0 passed, 1 failed\n")


def test_the_command_prints_the_trace(tmp_path: Path) -> None:
    path = HERE / "prototype" / "chain_create.py"
    code, output = command("-v", path)
    assert code == 0
    assert [line.split(maxsplit=2) for line in output.splitlines()[1:-1]] == [
        ["1", "engine", 'line 17: engine.create_stack("chain", chain)'],
        ["2", "engine", "line 18: engine.call(check_count, 0)"],
        ["3", "engine", "line 19: engine.call(check_count, 0)"],
        ["3", "worker", "check(first@T1, U, T1)"],
        ["4", "engine", "line 20: engine.call(check_count, 1)"],
        ["4", "worker", "check(second@T1, U, T1)"],
        ["5", "worker", "check(third@T1, U, T1)"],
        ["7", "engine", "line 22: engine.call(verify, chain)"],
    ]


def test_the_command_says_what_is_no_scenario_and_runs_the_rest(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("import os\n")
    (tmp_path / "good.py").write_text(f"{TEN}engine.create_stack('s', made)\n")
    code, output = command(tmp_path)
    assert code == 2
    assert f"heatproof: {tmp_path}/bad.py:1: import is not part of the scenario language\n" in output
    assert f"PASS {tmp_path}/good.py" in output
    assert output.endswith("1 passed, 0 failed, 1 could not be run\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["/nowhere"], "heatproof: /nowhere: there is no such file or folder"),
        (["--design", "hat"], "heatproof: unknown design 'hat'"),
    ],
)
def test_wrong_use_of_the_command(arguments: list[str], message: str) -> None:
    code, output = command(*arguments)
    assert code == 2
    assert message in output


def test_the_command_says_how_to_get_heats_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenarios_command, "installed", lambda: None)
    code, output = command()
    assert code == 2
    assert "openstack-heat is not installed" in output
    assert "pip install --no-deps openstack-heat" in output


def test_the_help_says_what_noop_means() -> None:
    code, output = command("--help")
    assert code == 0
    assert "engine.noop(n) stands for n turns in which the engine does nothing: the worker processes n messages" in " ".join(
        output.split()
    )


# --------------------------------------------------------------------------------------------------------- the document

SESSIONS = re.findall(r"^```console\n(.*?)^```", (ROOT / "docs" / "scenarios.md").read_text(), re.MULTILINE | re.DOTALL)


@needs_heat
@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session.splitlines()[0])
def test_the_documented_commands_do_what_the_document_says(session: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    first, *expected = session.splitlines()
    assert first.startswith("$ heatproof ")
    output = CliRunner().invoke(cli, shlex.split(first)[2:]).output
    pattern = "".join(r"(.*\n)*?" if line == "..." else re.escape(f"{line}\n") for line in expected)
    assert re.fullmatch(pattern, output), output


def test_the_documented_scenario_passes(tmp_path: Path) -> None:
    texts = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "scenarios.md").read_text(), re.MULTILINE | re.DOTALL)
    assert texts
    for text in texts:
        assert run(tmp_path, text).passed
