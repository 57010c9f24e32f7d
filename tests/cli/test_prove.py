"""``heatproof prove``, run as a stranger would run it."""

from __future__ import annotations

import gc
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from heatproof import proving
from heatproof.cli import cli
from heatproof.model.scenario import create, scenario
from heatproof.model.templates import resource
from heatproof.properties.base import Witness
from heatproof.proving import Budget, Prover
from heatproof.reports.progress import Lines
from heatproof.strategies.proving.learning import LearningWorld
from heatproof.strategies.proving.proofs import INTERRUPTED, Found, Live, Proof
from heatproof.strategies.proving.scopes import Member
from tests.cli.test_commands import heatproof

DESIGN = """
from typing import NamedTuple
from heatproof.model.design import Design
from heatproof.model.effects import Insert, Read, Send, Table, Update
from heatproof.model.watching import WorldObservation
from heatproof.properties.base import at_rest, seen, witness

class Row(NamedTuple):
    id: str
    value: int = 0

ROWS = Table("rows", Row)

@at_rest("sum", "At rest the row is 2.")
def SUM(observation):
    value = observation.rows["a"].value
    if value != 2:
        yield witness(f"the row is {value}")

@at_rest("history", "Asks for the history.")
def HISTORY(observation):
    list(observation.history)
    return ()

PROPERTIES = [SUM, seen("meets", "It meets.", ("3", "")), HISTORY]

class Toy(Design):
    tables = (ROWS,)
    messages = ("add",)
    operations = {"create": "create"}
    COUNT = 2

    def create(self, me, number, operation):
        yield Insert("1", ROWS, Row("a"))
        for n in range(self.COUNT):
            yield Send("2", "add", (n,))

    def add(self, me, n):
        row = yield Read("3", ROWS, "a")
        yield Update("4", ROWS, "a", {"value": row.value + 1})

    def observe(self, world):
        observation = WorldObservation(world)
        observation.rows = world.database.rows[ROWS]
        return observation

class Guarded(Toy):
    def add(self, me, n):
        matched = 0
        while not matched:
            row = yield Read("3", ROWS, "a")
            matched = yield Update("4", ROWS, "a", {"value": row.value + 1}, {"value": row.value})
"""


def prove(*words: str | Path) -> Result:
    """Run the command in this process: a process of its own takes its time to start."""
    return CliRunner().invoke(cli, ["prove", *map(str, words)])


def toy(folder: Path) -> Path:
    """A design file with a lost update, and the same design without it."""
    file = folder / "toy.py"
    file.write_text(DESIGN)
    return file


def test_a_violation_comes_with_two_cases_that_replay(tmp_path: Path) -> None:
    spec, out = f"{toy(tmp_path)}:Toy", tmp_path / "out"
    done = heatproof("prove", spec, "--operations", "create", "--property", "sum", "--report", out)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "violated" in done.stdout
    assert "1 scenario searched to the end" in done.stdout
    assert "\x1b" not in done.stdout
    stored = sorted(out.glob("*.case.json"))
    assert stored
    for case in stored:
        told = heatproof("replay", case, "--design", spec)
        assert told.returncode == 1, told.stdout + told.stderr
        assert case.with_name(case.name.replace(".case.json", ".story.txt")).is_file()
    pages = heatproof("report", out, "--design", spec)
    assert pages.returncode == 0, pages.stderr
    assert (out / "index.html").is_file()


def test_what_holds_is_said_to_hold(tmp_path: Path) -> None:
    spec, out = f"{toy(tmp_path)}:Guarded", tmp_path / "out"
    done = prove(spec, "--operations", "create", "--property", "sum", "--property", "meets", "--report", out)
    assert done.exit_code == 0, done.stdout + done.stderr
    assert [line["verdict"] for line in json.loads((out / "verdicts.json").read_text())["table"]] == ["held", "not reached"]
    assert not list(out.glob("*.case.json"))


def test_the_dearest_run_of_a_bound_is_kept_and_its_number_is_said(tmp_path: Path) -> None:
    file, out = toy(tmp_path), tmp_path / "out"
    file.write_text(f"from heatproof import at_most\n{DESIGN}\nPROPERTIES = [at_most(6), at_most(7)]\n")
    asked = [word for most in (6, 7) for word in ("--property", f"at most {most} accesses per operation")]
    done = prove(f"{file}:Guarded", "--operations", "create", *asked, "--report", out)
    assert done.exit_code == 1, done.stdout + done.stderr
    exceeded, held = json.loads((out / "verdicts.json").read_text())["table"]
    assert exceeded["detail"].startswith("too many accesses, worst: 7 of 6 allowed; "), "an insert; one of two writes in vain, once"
    assert held["verdict"] == "held"
    assert held["detail"].endswith("in any order of events. worst: 7 of 7 allowed")
    name = "at-most-6-accesses-per-operation-too-many-accesses-dearest"
    assert "accesses: 7; allowed: 6" in (out / f"{name}.story.txt").read_text()
    told = CliRunner().invoke(cli, ["replay", str(out / f"{name}.case.json"), "--design", f"{file}:Guarded"])
    assert told.exit_code == 1, told.output


@pytest.mark.parametrize("command", ["check", "prove"])
def test_a_bound_on_what_is_not_asked_does_not_hold(command: str, tmp_path: Path) -> None:
    file, out = toy(tmp_path), tmp_path / "out"
    bounds = (
        "PROPERTIES = [at_most(7), at_most(7, kind='delete')]\nGuarded.operations = dict.fromkeys(('create', 'delete'), 'create')"
    )
    file.write_text(f"from heatproof import at_most\n{DESIGN}\n{bounds}\n")
    scope = ("--operations", "create") if command == "prove" else ("--kinds", "create", "--examples", "1", "--processes", "1")
    words = (command, f"{file}:Guarded", *scope, "--report", str(out))
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.stdout + done.stderr
    held, other = json.loads((out / "verdicts.json").read_text())["table"]
    assert (held["verdict"], other["verdict"], other["name"]) == ("held", "not asked", "at most 7 accesses per delete")
    assert (command == "check") is ("No scenario of the scope has an operation of the kind 'delete'." not in other["detail"])
    done = CliRunner().invoke(cli, [*words, "--property", "at most 7 accesses per delete"])
    assert done.exit_code == 3, done.stdout + done.stderr
    assert "Nothing was put to the test" in done.stdout


def test_which_templates_have_no_scenario_is_said_below_the_table(tmp_path: Path) -> None:
    file, out = toy(tmp_path), tmp_path / "out"
    file.write_text(f"{DESIGN}\nGuarded.operations = dict.fromkeys(('create', 'update'), 'create')\nGuarded.COUNT = 0\n")
    words = (f"{file}:Guarded", "--all-templates", "2", "--property", "meets", "--report", out)
    told = "Left out: 2 templates in which the changes that are asked for are not possible: A; A, B."
    for changes, said in (("create,update:unlink", True), ("create,update:same", False)):
        done = prove(*words, "--operations", changes)
        assert done.exit_code == 0, done.stdout + done.stderr
        assert (told in done.stdout.splitlines()) is said
        assert (told in (out / "verdicts.txt").read_text().splitlines()) is said


def test_a_design_that_is_no_function_of_what_it_is_sent_is_refused(tmp_path: Path) -> None:
    file = toy(tmp_path)
    file.write_text(DESIGN + "        SEEN.append(n)\n\nSEEN = []\n")
    for words in (("--operations", "create"), ("--all-templates", "2", "--operations", "1", "--processes", "2")):
        done = prove(f"{file}:Guarded", *words, "--property", "sum", "--report", tmp_path / "out")
        assert done.exit_code == 2, done.output
        assert "changed the module variable SEEN" in done.output


def test_what_is_left_out_is_not_asked_and_what_nobody_looks_at_may_be_forgotten(tmp_path: Path) -> None:
    words, states = ("--operations", "create,update:same", "--faults", "crash", "--shrink", "0", "--processes", "1"), []
    for switch in ((), ("--no-versions",), ("--no-versions", "--no-columns")):
        prove("heat", *words, "--except", "rest is reached", *switch, "--report", tmp_path / "out")
        said = json.loads((tmp_path / "out" / "verdicts.json").read_text())
        assert "rest is reached" not in [line["name"] for line in said["table"]]
        states.append(int(said["summary"].split(": ")[1].split(" states")[0].replace(",", "")))
    assert states[0] < states[2]
    assert states[1] < states[2]


def test_a_proof_takes_away_what_the_one_before_left(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for name, code in (("Toy", 1), ("Guarded", 0)):
        done = prove(f"{toy(tmp_path)}:{name}", "--operations", "create", "--property", "sum", "--report", out)
        assert done.exit_code == code
    assert not list(out.glob("*.case.json"))


def test_a_property_that_asks_for_history_is_refused(tmp_path: Path) -> None:
    done = prove(f"{toy(tmp_path)}:Guarded", "--operations", "create", "--report", tmp_path / "out")
    assert done.exit_code == 2
    assert "asks for the history of a run" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_cut_search_is_incomplete(tmp_path: Path) -> None:
    words = ("--resources", "3", "--dependencies", "none", "--threads", "3", "--operations", "create,delete")
    done = prove(*words, "--seconds", "0.1", "--property", "one worker at a time", "--report", tmp_path / "out")
    assert done.exit_code == 3, done.stdout + done.stderr
    assert "incomplete  one worker at a time" in done.stdout
    assert "the time budget was used" in done.stdout  # after so many states, or on a slow machine before the first
    done = prove(*words, "--memory", "1M", "--property", "one worker at a time", "--report", tmp_path / "out")
    assert done.exit_code == 3, done.stdout + done.stderr
    assert "the memory budget was used after" in done.stdout


@pytest.mark.parametrize("states", [40, 100])
def test_a_search_that_was_begun_again_with_more_memory_loses_nothing_when_it_is_stopped_soon(states: int) -> None:
    member = Member("once more", scenario(create([resource("A")])))
    prover = Prover("heat", (), [member, member], (), Budget(), Lines(lambda line: None, lambda: 0.0, 1.0))
    violation = Found(member.scenario, (), Witness("a thing"))
    first = Proof(0, "once more", 70, 200, 9, 0, False, proving.MEMORY, 7, 0.0, {("thing", ""): violation}, {})
    prover.cramped.append(first)
    prover._take(replace(first, states=states, cut=INTERRUPTED, violations={("thing", ""): violation} if states > 70 else {}))
    assert prover.proofs.states == max(70, states)
    assert list(prover.proofs.violations) == [("thing", "")]
    assert [loose.cut for loose in prover.proofs.loose] == [INTERRUPTED]


def test_progress_tells_how_fast_it_goes_now_and_what_is_learned_first() -> None:
    lines, now = list[str](), [0.0]
    member = Member("one", scenario(create([resource("A")])))
    prover = Prover("heat", (), [member], (), Budget(), Lines(lines.append, lambda: now[0], 1.0), clock=lambda: now[0])
    for seconds, states, aside in ((2, 1000, 0), (4, 5000, 0), (6, 5000, 70), (7, 100, 0), (9, 2100, 0)):
        now[0] = seconds
        prover.live[0] = Live(states, 0, 0, 0, frozenset(), frozenset(), aside), 0
        prover._tick("searching", 0)
    assert [line.partition(" states (")[2].partition(")")[0] for line in lines if "aside" not in line] == [
        "500/s",
        "2,000/s",
        "0/s",
        "1,000/s",
    ]
    assert lines[2].startswith("searching, learning first (70 states aside): 5,000 states (0/s)")


def test_a_search_that_is_over_leaves_no_memory_taken(tmp_path: Path) -> None:
    """What one leaves would count against the budget of the next in the same process."""

    def worlds() -> list[LearningWorld]:
        return [found for found in gc.get_objects() if type(found) is LearningWorld]

    before = worlds()  # of other tests
    done = prove("--operations", "create,delete", "--engines", "1", "--shrink", "0", "--report", tmp_path / "out")
    assert done.exit_code == 1
    assert not [found for found in worlds() if all(found is not other for other in before)]


@pytest.mark.parametrize(
    "words", [("--operations", "create,delete"), ("--all-templates", "1", "--operations", "2", "--kinds", "cancel,delete")]
)
def test_a_search_that_was_cut_goes_on_from_its_checkpoint(words: tuple[str, ...], tmp_path: Path) -> None:
    common = (*words, "--engines", "1", "--shrink", "0", "--processes", "1", "--report", tmp_path / "out")
    kept = (*common, "--checkpoint", tmp_path / "kept")
    whole = prove(*common)
    assert whole.exit_code == 1, whole.output
    cut = prove(*kept, "--memory", "1M")
    assert "the memory budget was used after" in cut.output
    again = prove(*kept)
    assert again.exit_code == 2
    assert "--resume goes on with it" in again.stderr
    resumed = prove(*kept, "--resume")
    assert resumed.exit_code == 1
    assert resumed.output.splitlines()[-1:] == whole.output.splitlines()[-1:]
    assert [line for line in resumed.output.splitlines() if "searched to the end" in line] == [
        line for line in whole.output.splitlines() if "searched to the end" in line
    ]
    (tmp_path / f"kept{'.1' if len(words) > 2 else ''}").write_bytes(b"nonsense")
    broken = prove(*kept, "--resume")
    assert broken.exit_code == 2
    assert "Traceback" not in broken.stderr


@pytest.mark.parametrize("full", ["save", "part"])
def test_a_checkpoint_that_cannot_be_written_does_not_end_the_search(
    full: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither where the disk is full in the end, nor where not even the file of a later scenario can be made."""
    words = ("--all-templates", "1", "--operations", "2", "--kinds", "cancel,delete")
    common = (*words, "--engines", "1", "--shrink", "0", "--processes", "1", "--report", tmp_path / "out")
    whole = prove(*common)
    if full == "save":
        monkeypatch.setattr("zipfile.ZipFile.writestr", full_disk)
    else:
        (tmp_path / "kept.2").mkdir()
    done = prove(*common, "--checkpoint", tmp_path / "kept", *(("--resume",) if full == "part" else ()))
    assert done.exit_code == whole.exit_code == 1, done.output
    lines = [line for line in done.output.splitlines() if not line.startswith("Not kept: ")]
    assert [line for line in lines if not line.startswith("searching")] == [
        line for line in whole.output.splitlines() if not line.startswith("searching")
    ]
    (told,) = set(done.output.splitlines()) - set(lines)
    if full == "save":
        assert (
            told
            == f"Not kept: the checkpoint {tmp_path}/kept.1 could not be written: No space left on device; there is none, and 1 more."
        )
    else:
        assert told == f"Not kept: cannot write the checkpoint {tmp_path}/kept.2: it is a folder."


def full_disk(*_arguments: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_report_that_cannot_be_written_loses_neither_table_nor_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", full_disk)
    for words in (
        ("prove", "--operations", "create", "--engines", "1", "--shrink", "0", "--processes", "1"),
        ("check", "--examples", "1", "--shrink", "0", "--processes", "1", "--no-scenarios"),
    ):
        done = CliRunner().invoke(cli, [*words, "--report", str(tmp_path / "out")])
        assert done.exit_code == 2
        assert "rest is reached" in done.stdout
        assert "1 scenario searched to the end" in done.stdout or "10 scenarios, 100 runs" in done.stdout
        end = f"The report in {tmp_path}/out is not complete; the verdicts are above, and the exit code says nothing of them\n"
        assert done.stderr.endswith(f": No space left on device. {end}")


def test_only_files_of_its_own_name_and_a_number_are_an_earlier_checkpoint(tmp_path: Path) -> None:
    words = ("--all-templates", "1", "--operations", "2", "--kinds", "cancel,delete", "--engines", "1", "--shrink", "0")
    kept = (*words, "--processes", "1", "--report", tmp_path / "out", "--checkpoint", tmp_path / "k[x]")
    (tmp_path / "k[x].log").touch()
    nothing = prove(*kept, "--resume")
    assert (nothing.exit_code, nothing.stdout) == (2, "")
    assert "there is no checkpoint" in nothing.stderr
    assert prove(*kept).exit_code == 1
    before = (tmp_path / "k[x].1").read_bytes()
    again = prove(*kept)
    assert again.exit_code == 2
    assert "exists: --resume goes on with it" in again.stderr
    assert (tmp_path / "k[x].1").read_bytes() == before
    assert (
        "/dev/full is a device, pipe or socket"
        in prove("--resources", "1", "--operations", "create", "--checkpoint", "/dev/full").stderr
    )


def test_a_case_is_a_scope(tmp_path: Path) -> None:
    case = tmp_path / "one.case.json"
    head = {"schema": 1, "heatproof": "", "title": "", "design": "heat", "schedule": []}
    operations = [{"kind": "create", "template": {"A": {}}}]
    shape = {"operations": operations, "engines": 1, "threads": 1, "reorder": True, "faults": {"stall": 2, "crash": 1}}
    case.write_text(json.dumps({**head, "scenario": shape}))
    done = prove("--scenario", case, "--report", tmp_path / "out")
    assert done.exit_code == 0, done.stdout + done.stderr
    assert "Left out: stall." in done.stdout
    assert "(Not asked of what comes after: crash.)" in done.stdout


def test_a_case_runs_no_code(tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text("import pathlib; pathlib.Path(__file__).with_suffix('.ran').touch()")
    case = tmp_path / "one.case.json"
    head = {"schema": 1, "heatproof": "", "title": "", "design": f"{own}:Toy", "schedule": []}
    operations = [{"kind": "create", "template": {"A": {}}}]
    shape = {"operations": operations, "engines": 1, "threads": 1, "reorder": True, "faults": {}}
    case.write_text(json.dumps({**head, "scenario": shape}))
    done = prove("--scenario", case, "--report", tmp_path / "out")
    assert done.exit_code == 2
    assert f"if you trust it: heatproof prove {own}:Toy --scenario {case}" in done.stderr
    assert not own.with_suffix(".ran").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("heat-engine",), "runs real code"),
        (("nosuch",), "unknown design"),
        (("--property", "nosuch"), "unknown property"),
        (("--except", "nosuch"), "unknown property"),
        (("--property", "rest is reached", "--except", "rest is reached"), "nothing would be asked"),
        (("--faults", "stall"), "every delay"),
        (("--faults", "nosuch"), "unknown fault"),
        (("--operations", "delete"), "begin with create"),
        (("--operations", "create,update:unlink"), "no scenario in this scope"),
        (("--dependencies", "A:B,B:A", "--resources", "2"), "cycle"),
        (("--scenario", "nosuch.py"), "nosuch.py"),
        (("--scenario", "nosuch.json"), "nosuch.json"),
        (("--scenario", "nosuch.py", "--resources", "2"), "leave one of them out"),
        (("--all-templates", "2", "--dependencies", "none"), "leave it out"),
        (("--operations", "create", "--kinds", "update"), "--kinds has no meaning"),
        (("--operations", "2", "--kinds", "nosuch"), "unknown kind of operation"),
        (("--resume",), "name it with --checkpoint"),
        (("--resume", "--checkpoint", "nosuch", "--operations", "create"), "no checkpoint nosuch to go on from"),
        (("--memory", "much"), "no amount of memory"),
        (("--engines", "0"), "--engines"),
        (("--report", "/proc/nosuch"), "cannot write"),
    ],
)  # fmt: skip
def test_wrong_use_is_one_message_and_exit_code_2(
    words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = prove(*words)
    assert done.exit_code == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_nothing_is_said_of_handlers_that_are_let_go_before_they_end(tmp_path: Path) -> None:
    """They stand at a yield that a ``finally`` comes to again."""
    file = toy(tmp_path)
    tidy = """
class Tidy(Toy):
    def add(self, me, n):
        try:
            yield from super().add(me, n)
        finally:
            yield Read("5", ROWS, "a")
"""
    file.write_text(file.read_text() + tidy)
    words = (
        f"{file}:Tidy",
        "--operations",
        "create",
        "--threads",
        "2",
        "--shrink",
        "0",
        "--property",
        "sum",
        "--report",
        tmp_path / "out",
    )
    done = heatproof("prove", *words)
    assert done.returncode == 1, done.stdout + done.stderr
    assert all(line.startswith(("compiling", "searching: ", "making ")) for line in done.stderr.splitlines()), done.stderr
