"""Mistakes of a user: each is one message that says what and where, and ends with exit code 2."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import click
import pytest
from click.testing import CliRunner, Result

from heatproof import proving
from heatproof.cli import COMMANDS, cli
from heatproof.model import catalogue
from heatproof.model.errors import DesignError
from heatproof.model.scenario import create, scenario
from heatproof.model.world import World
from heatproof.strategies.running import Driver
from tests.cli.test_commands import DESIGN, KEPT
from tests.toys import ROOT, python

TOY = DESIGN.replace("{body}", "yield Sleep('2')")


def asked(*words: str | Path) -> Result:
    """What a command came to, in this process."""
    return CliRunner().invoke(cli, list(map(str, words)))


def refused(said: str, *words: str | Path) -> None:
    """The command says so in one message."""
    done = asked(*words)
    assert done.exit_code == 2, (done.output, done.exception)
    assert said in done.stderr
    assert isinstance(done.exception, SystemExit)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("import sys; sys.exit(0)", "toy.py cannot be loaded: SystemExit: 0 (at "),
        ("raise GeneratorExit", "toy.py cannot be loaded: GeneratorExit"),
        ("class Toy(Toy):\n  def __init__(self): raise ValueError('boo')", "design 'Toy' cannot be made as Toy(), without arguments: ValueE"),
        ("class Toy(Toy):\n  def __init__(self): raise SystemExit", "design 'Toy' cannot be made as Toy(), without arguments: SystemE"),
        ("class Toy(Toy):\n  def __init__(self, x): pass", "toy.py: design 'Toy' cannot be made as Toy(), without arguments: TypeError"),
        ("Toy.operations = None", "design 'Toy': operations must be a dict of handlers by kind of operation, not None"),
        ("Toy.operations = {'create': 'create', 'explode': 'create'}", "operations names the unknown kind 'explode'; known are create, u"),
        ("Toy.operations = {'create': None}", "design 'Toy': operations must hold names, not (None,)"),
        ("Toy.name = 5", "design 'Toy': name must be a text on one line, not 5"),
        ("Toy.name = ''", "design 'Toy': name must be a text on one line, not ''"),
        ("Toy.sentence = None", "design 'Toy': sentence must be a text on one line, not None"),
        ("Toy.front = 1", "design 'Toy': front must be a text on one line, not 1"),
        ("Toy.pure = 'no'", "design 'Toy': pure must be True or False, not 'no'"),
        ("Toy.versions = 5", "design 'Toy': versions must be a dict of columns by the name of their table, not 5"),
        ("Toy.versions = {'rows': 'id'}", "design 'Toy': versions of 'rows' must hold names, not 'id'"),
        ("Toy.versions = {5: ('id',)}", "design 'Toy': versions must hold names, not (5,)"),
        ("Toy.apart = 'rows'", "design 'Toy': apart must hold names, not 'rows'"),
        ("Toy.apart = 5", "design 'Toy': apart must hold names, not 5"),
        ("Toy.acknowledge = None", "design 'Toy': acknowledge must be 'early' or 'late', not None"),
        ("Toy.order = ['bag']", "design 'Toy': order must be 'bag' or 'fifo', not ['bag']"),
        ("Toy.tables = (ROWS, Table('rows', Row))", "design 'Toy': two of its tables are called 'rows'; call one something else"),
        ("Table(5, Row)", "ValueError: the name of a table is a text, not 5 (at {toy}:27)"),
        ("Toy.tables = (1, 2)", "design 'Toy': tables must be a tuple of Tables, not (1, 2)"),
        ("Toy.messages = 'work'", "design 'Toy': messages must hold names, not 'work'"),
        ("Toy.survives = frozenset({'loose'})", "design 'Toy': survives names the unknown fault 'loose'; known are lose, duplicate"),
        ("Toy.survives = ('lose', 'DRIFT')", "design 'Toy': survives names the unknown fault 'DRIFT'"),
        ("Toy.immune = frozenset({'loose'})", "design 'Toy': immune names the unknown fault 'loose'"),
        ("class Toy(Toy):\n  handlers = ('create',)", "toy.py: design 'Toy': 'handlers' is ('create',), and Design has a method of that name"),
        ("Toy.operations, Toy.open = {'create': 'open'}, Toy.create", "design 'Toy': a handler cannot be called 'open'; Design has"),
        ("from heatproof import at_most\nat_most(-1)", "ValueError: a bound is a number of accesses, not -1 (at {toy}:28)"),
        ("from heatproof import at_most\nat_most('x')", "ValueError: a bound is a number of accesses, not 'x' (at {toy}:28)"),
        ("from heatproof import at_most\nat_most(1.5)", "ValueError: a bound is a number of accesses, not 1.5 (at {toy}:28)"),
        ("from heatproof import at_most\nat_most(1, per='day')", "a bound is per 'operation' or per 'run', not 'day' (at {toy}:28)"),
        ("from heatproof import at_rest\nat_rest(5, 'X.')(list)", "the name of a property is a text on one line, not 5 (at {toy}:28)"),
        ("from heatproof import at_rest\nat_rest('', 'X.')(list)", "the name of a property is a text on one line, not '' (at {toy}:28)"),
        ("from heatproof import at_rest\nat_rest('x', None)(list)", "the sentence of a property is a text on one line, not None (at"),
        ("from heatproof.model.effects import Table\nTable('x', dict)",
         "ValueError: the rows of table 'x' must be of a NamedTuple class, not <class 'dict'> (at {toy}:28)"),
        ("exit(0)", "SystemExit: 0 (at {toy}:27)"),
        ("PROPERTIES = None", "toy.py: PROPERTIES must be a tuple or list of properties, not None"),
        ("PROPERTIES = PROPERTIES[0]", "toy.py: PROPERTIES must be a tuple or list of properties, not Property("),
        ("PROPERTIES = (1, 2)", "toy.py: PROPERTIES holds 1, which is no property"),
        ("PROPERTIES = ()", "toy.py: PROPERTIES is empty"),
        ("from dataclasses import replace\nPROPERTIES = (PROPERTIES[0], replace(PROPERTIES[0], sentence='!'))", "two of PROPERTIES are"),
        ("from heatproof import at_rest\nPROPERTIES = [at_rest('x', 'X.', frozenset({'dupplicate'}))(list)]",
         "property 'x' tolerates the unknown fault 'dupplicate'; known are lose, duplicate"),
        ("from heatproof.properties.costs import at_most\nPROPERTIES = [at_most(1, kind='updates')]",
         "property 'at most 1 access per updates': design 'Toy' has no operation 'updates'; it has create"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "words",
    [("check", "--examples", "1", "--processes", "1"), ("prove", "--operations", "create"), ("properties",)],
    ids=lambda w: w[0],
)
def test_a_mistaken_file_is_refused_before_anything_runs(tmp_path: Path, words: tuple[str, ...], more: str, said: str) -> None:
    (tmp_path / "toy.py").write_text(f"{TOY}\n{more}\n")
    report = () if words[0] == "properties" else ("--report", tmp_path / "out")
    refused(said.replace("{toy}", str(tmp_path / "toy.py")), words[0], f"{tmp_path / 'toy.py'}:Toy", *words[1:], *report)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("toy.py.txt:Toy", TOY, "toy.py.txt is no Python file; a design is named FILE.py:Class"),
        ("toy.py", "", "toy.py has no design; write a subclass of Design there and name it: "),
        ("toy.py", f"{TOY}\nclass Other(Toy): pass", "toy.py:NAME, where NAME is one of Other, Toy"),
        ("toy.py:Toys", TOY, "toy.py has no design 'Toys'; write "),
    ],
)
def test_a_design_that_is_not_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name.partition(":")[0]).write_text(text)
    refused(said, "properties", tmp_path / name)


def test_a_folder_may_have_a_colon_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "a:b").mkdir()
    (tmp_path / "a:b" / "toy.py").write_text(TOY)
    for name in ("toy.py:Toy", "toy.py"):
        assert catalogue.load(f"{tmp_path}/a:b/{name}").name == "Toy"
        assert "one worker at a time" in asked("properties", f"{tmp_path}/a:b/{name}").output


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise ValueError('obs')", "observe of design 'Toy' raised ValueError: obs"),
        ("return None", "observe of design 'Toy' returned None; it must return a WorldObservation"),
    ],
)
def test_a_design_that_is_observed_wrong(tmp_path: Path, body: str, said: str) -> None:
    (tmp_path / "toy.py").write_text(TOY.replace("return WorldObservation(world)", body))
    with pytest.raises(DesignError) as raised:
        Driver(catalogue.load(f"{tmp_path / 'toy.py'}:Toy"), scenario(create([])), ())
    assert said in str(raised.value)


def test_all_of_heatproof_may_be_imported(tmp_path: Path) -> None:
    """That brings PROPERTIES, a dict of all there are, and is as if the file had none of its own."""
    (tmp_path / "toy.py").write_text(TOY.replace("PROPERTIES = ", "from heatproof import *\nOTHERS = "))
    done = asked("properties", f"{tmp_path / 'toy.py'}:Toy")
    assert done.exit_code == 0, done.stderr
    assert "one worker at a time" in done.stdout


def test_no_fault_strikes_where_each_may_strike_no_times(tmp_path: Path) -> None:
    (tmp_path / "toy.py").write_text(TOY)
    words = ("--faults", "crash", "--fault-budget", "0", "--examples", "10", "--processes", "1", "--report", tmp_path / "out")
    done = asked("check", f"{tmp_path / 'toy.py'}:Toy", *words)
    assert done.exit_code == 0, done.stderr
    assert "100 runs" in done.stdout


def test_a_design_without_operations(tmp_path: Path) -> None:
    (tmp_path / "toy.py").write_text(f"{TOY}\nToy.operations = {{}}\n")
    refused("design 'Toy' has no operation 'create'; it has none", "prove", f"{tmp_path / 'toy.py'}:Toy")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("check", "--seconds", "nan"), "'nan' is no number of seconds"),
        (("prove", "--seconds", "inf"), "'inf' is no number of seconds"),
        (("shrink", "x.case.json", "--seconds", "nan"), "'nan' is no number of seconds"),
        (("conform", "--seconds", "inf"), "'inf' is no number of seconds"),
        (("check", "--kinds", ","), "it names no kind of operation"),
        (("check", "--policies", ""), "it names no policy"),
        (("check", "--faults", "lose,crash=2"), "'crash=2': how often each may strike is said by --fault-budget here"),
        (("prove", "--operations", "²"), "unknown operation '²'"),
        (("prove", "--operations", "9" * 5000), "unknown operation '9999"),
        (("prove", "--operations", ""), "no operation is given; write kinds"),
        (("prove", "--faults", "crash=²"), "how many faults of a kind is a number from 0 to 20"),
        (("prove", "--faults", f"crash={'9' * 5000}"), "how many faults of a kind is a number from 0 to 20"),
        (("prove", "--dependencies", ""), "no dependency is given; write one of"),
        (("prove", "--kinds", ","), "--kinds names nothing that can be asked after the create"),
        (("prove", "--kinds", "create"), "--kinds names nothing that can be asked after the create"),
        (("prove", "--memory", "0.0000001k"), "is no amount of memory"),
        (("prove", "--fault-budget", "2"), "--fault-budget says how often each of --faults may strike, and none is named"),
    ],
)
def test_a_value_that_an_option_cannot_have(words: tuple[str, ...], said: str) -> None:
    refused(said, *words)


THREE = """
PROPERTIES = (at_rest("none", "There is none.")(lambda seen: [witness("one")] if len(seen.rows) == 1 else []),)

class Three(Toy):
    def create(self, me, number, operation):
        for name in operation.template.order:
            yield Insert("1", ROWS, Row(name))
        if len(operation.template) == 3:
            yield Insert("2", ROWS, 3)

    def observe(self, world):
        seen = WorldObservation(world)
        seen.rows = world.database.rows[ROWS]
        return seen
"""


@pytest.mark.parametrize("processes", ["1", "2"])
@pytest.mark.parametrize("command", ["check", "prove"])
def test_what_was_found_before_a_mistake_came_up_is_told_with_it(
    command: str, processes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proving, "ALONE", -1.0)  # worker processes search what they can
    (tmp_path / "toy.py").write_text(f"{TOY}\nfrom heatproof import at_rest, witness{THREE}")
    spec, out = f"{tmp_path / 'toy.py'}:Three", tmp_path / "out"
    scope = ("--all-templates", "3", "--operations", "create") if command == "prove" else ("--resources", "3", "--examples", "100")
    refused(
        "handler 'create', step 2: Insert: a row for table rows must be a Row, not 3",
        command,
        spec,
        *scope,
        "--processes",
        processes,
        "--report",
        out,
    )
    assert "violated  none " in (out / "verdicts.txt").read_text()
    assert asked("replay", out / "none-one.case.json", "--design", spec).exit_code == 1


def test_code_of_a_design_that_ends_the_program_is_no_verdict(tmp_path: Path) -> None:
    (tmp_path / "toy.py").write_text(f"{TOY}\nclass Toy(Toy):\n  def handlers(self): raise SystemExit(0)\n")
    refused("toy.py:28: this ends the program (SystemExit: 0)", "properties", f"{tmp_path / 'toy.py'}:Toy")


EVERY = {name: command for name in COMMANDS if (command := cli.get_command(click.Context(cli), name)) is not None}
PATHS = [
    (name, parameter) for name, command in EVERY.items() for parameter in command.params if isinstance(parameter.type, click.Path)
]


@pytest.mark.parametrize(("name", "parameter"), PATHS, ids=[f"{name} {parameter.name}" for name, parameter in PATHS])
def test_an_empty_text_is_no_path(name: str, parameter: click.Parameter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a path it is the current folder."""
    monkeypatch.chdir(tmp_path)
    needed = [
        "" if one is parameter else "x"
        for one in EVERY[name].params
        if isinstance(one, click.Argument) and (one.required or one is parameter)
    ]
    option = [] if isinstance(parameter, click.Argument) else [parameter.opts[-1], ""]
    refused("it is empty; name a ", name, *needed, *option)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        ("shrink", "{case}"),
        ("shrink", "{case}", "--output", "{there}"),
        ("replay", "{case}", "--output", "{there}"),
        ("adopt", "{case}", "--into", "{there}"),
        ("confirm", "{case}", "--output", "{there}"),
        ("confirm", "{folder}", "--output", "{there}"),
        ("port", "{case}", "--output", "{there}"),
        ("port", "{folder}", "--output", "{there}"),
    ],
)
def test_where_nothing_can_be_written_is_told_before_anything_runs(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = shutil.copy(min((ROOT / "reports" / "regressions" / "heat").glob("*.case.json")), tmp_path)

    def read_only(**_options: Any) -> NoReturn:
        raise OSError(30, "Read-only file system")

    def runs(*_arguments: Any) -> NoReturn:
        raise AssertionError("something was done")

    monkeypatch.setattr(tempfile, "TemporaryFile", read_only)
    monkeypatch.setattr(World, "perform", runs)
    given = [word.format(case=case, folder=tmp_path, there=tmp_path / "there") for word in words]
    refused(": Read-only file system\n", *given)


def test_what_a_replay_says_is_not_lost_with_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ROOT / "reports/regressions/heat/a-check-vouches-for-what-it-saw-not-looked-at.case.json"

    def full(_handle: int) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    done = asked("replay", case, "--output", tmp_path / "new.case.json")
    assert done.exit_code == 2
    assert "a check vouches for what it saw: not looked at" in done.stdout
    assert "Written" not in done.stdout
    assert done.stderr == f"heatproof: cannot write {tmp_path}/new.case.json: No space left on device\n"
    assert not list(tmp_path.iterdir())


def test_what_may_be_a_file_or_a_folder_is_asked_for_as_that() -> None:
    refused("Invalid value for '--checkpoint': it is empty; name a file\n", "prove", "--checkpoint", "")
    refused("Invalid value for '--report': it is empty; name a folder\n", "check", "--report", "")
    refused("Invalid value for 'CASE|FOLDER': it is empty; name a file or a folder\n", "report", "")
    assert {name for name, _ in PATHS} >= {"check", "prove", "replay", "shrink", "report", "adopt", "diff", "port", "scenario"}


@pytest.mark.parametrize(
    ("words", "folder"),
    [
        (("check", "heat", "--report", "."), "verdicts.txt"),
        (("check", "heat", "--report", "."), "verdicts.json"),
        (("prove", "heat", "--report", "."), "verdicts.txt"),
        (("report", "."), "index.html"),
        (("replay", "x.case.json", "--output", "pipe"), ""),
        (("shrink", "x.case.json"), "x.small.case.json"),
        (("adopt", "x.case.json", "--into", "."), "heat/x.story.txt"),
        (("confirm", "x.case.json", "--output", "out"), "out"),
        (("confirm", ".", "--output", "out"), "out/x.case.json"),
        (("port", "x.case.json", "--output", "pipe/x.py"), ""),
        (("accesses", "--csv", "pipe"), ""),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else one,
)
def test_where_no_file_can_be_written_nothing_is_begun(
    words: tuple[str, ...], folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something else stands there; after the work is too late to say so."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(KEPT / "rest-no-sync-points-sync-point-left-over.case.json", "x.case.json")
    os.mkfifo("pipe")
    if folder:
        Path(folder).mkdir(parents=True)
    there = sorted(tmp_path.rglob("*"))

    def begun(*_: object) -> None:
        raise AssertionError("it has begun")

    for place in (
        "checking.Check", "proving.Prover", "report_command.told", "replay_command.judge", "shrink_command.judge",
        "adopt_command.judge", "confirm_command.confirm", "port_command.ported_case", "accesses_command.compared",
    ):  # fmt: skip
        monkeypatch.setattr(f"heatproof.{place}", begun)
    monkeypatch.setattr("heatproof.ports.heat.installation.why_not", lambda: None)
    refused("pipe/x.py: Not a directory" if "pipe/x.py" in words else f"{Path(folder or 'pipe').name} is a ", *words)
    assert sorted(tmp_path.rglob("*")) == there


@pytest.mark.parametrize("command", ["check", "prove"])
@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ("none,crash", "none and crash contradict each other; leave one of them out"),
        ("crash,none", "none and crash contradict each other; leave one of them out"),
        ("crash,lose,crash", "crash is given twice; name each fault once"),
        ("", "it names no fault; leave it out for the default, or write none"),
        (" ,", "it names no fault; leave it out for the default, or write none"),
        ("crsh", "unknown fault 'crsh'; perhaps 'crash'; known are lose, "),
    ],
)
def test_a_list_of_faults_is_taken_by_check_and_prove_alike(command: str, faults: str, said: str) -> None:
    name = "'--faults'" if command == "check" else "'--faults' / '--fault'"
    refused(f"Invalid value for {name}: {said}", command, "--faults", faults)


@pytest.mark.parametrize("faults", [("crash=1,crash=2",), ("crash=1", "crash"), ("crash=1", "none"), ("none", "crash")])
def test_faults_with_numbers_and_in_several_options_are_one_list(faults: tuple[str, ...]) -> None:
    refused("is given twice" if "none" not in faults else "contradict", "prove", *(f"--faults={words}" for words in faults))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("check", "--property", "rest: no sync pionts"),
            "unknown property 'rest: no sync pionts'; perhaps 'rest: no sync points'; 'h",
        ),
        (
            ("prove", "--property", "rest: no sync pionts"),
            "; perhaps 'rest: no sync points'; 'heatproof properties heat' lists them",
        ),
        (("prove", "--except", "rest: no sync pionts"), "; perhaps 'rest: no sync points'; 'heatproof properties heat' lists them"),
        (("check", "heta"), "unknown design 'heta'; perhaps 'heat'; known are heat, heat-engine"),
        (
            ("check", "heat+sync-lost-reprot"),
            "no mutation or repair 'sync-lost-reprot'; perhaps 'sync-lost-report'; 'heatproof designs'",
        ),
        (("check", "heat+foo"), "design 'heat' has no mutation or repair 'foo'; 'heatproof designs' lists them"),
        (("check", "--policies", "fifo,radnom"), "unknown policy 'radnom'; perhaps 'random'; known are "),
        (("check", "--kinds", "delete,delete"), "delete is given twice; name each kind of operation once"),
    ],
)
def test_what_a_user_may_have_meant_is_said(words: tuple[str, ...], said: str) -> None:
    refused(said, *words)


def test_every_command_is_loaded_when_it_is_asked_for() -> None:
    assert sorted(EVERY) == cli.list_commands(click.Context(cli)) == list(COMMANDS)
    assert all(command.name == name for name, command in EVERY.items())
    asked = "import sys, heatproof.cli as c; c.cli.get_command(None, 'faults')"
    loaded = python("-c", f"{asked}; print(sorted({{'numpy', 'hypothesis'}} & {{*sys.modules}}))")
    assert loaded == "[]\n"
