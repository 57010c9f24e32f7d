"""``heatproof port``: which orders of whole messages there are, how they are written, and what is said where they do not suffice."""

import ast
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st

from heatproof import heats_framework
from heatproof.cli import cli
from heatproof.heats_framework import run_files
from heatproof.model import catalogue
from heatproof.model.designs.heat import Heat
from heatproof.model.errors import HeatproofError
from heatproof.model.scenario import Operation, Scenario, Scope
from heatproof.model.templates import Attr, Ref, Template, resource
from heatproof.model.world import Entry
from heatproof.properties.catalogue import ALL
from heatproof.reports import cases
from heatproof.strategies.porting import Failing, Porter
from heatproof.strategies.scenario_files import Run, find_files, installed, processed
from heatproof.strategies.scenario_language import NAMES, parse
from heatproof.strategies.scenario_words import Inexpressible, word
from heatproof.strategies.scenario_writing import FIRST_LINE, FUNCTIONS, Check, write
from heatproof.strategies.whole_messages import Orders
from tests.toys import NIGHTLY

ROOT = Path(__file__).parents[2]
REGRESSIONS = ROOT / "reports" / "regressions"
MISSING = REGRESSIONS / "heat" / "requirements-first-on-update-requirement-missing.case.json"
CHAIN = Template([resource("A", {"a": "x"}), resource("B", {"c": Ref("A")}, {"!a": "y"}), resource("C", depends_on=["B"])])
LESS = Template([resource("B", {"a": "z"}), resource("C")])


def scenario(*operations: Operation, faults: dict[str, int] | None = None) -> Scenario:
    return Scenario(operations, Scope(2, 2), faults or {})


def create(template: Template) -> Operation:
    return Operation("create", template)


def update(template: Template) -> Operation:
    return Operation("update", template)


# ------------------------------------------------------------------------------------------------------------- the orders


def letters(asked: Scenario, overtaking: bool = False) -> list[str]:
    orders = Orders(Heat(), word(asked).scenario, [], overtaking)
    found = [order.letters for order in orders]
    assert orders.complete
    assert len(set(found)) == len(found) or overtaking
    return found


def test_every_order_of_whole_messages_is_found_once() -> None:
    assert letters(scenario(create(Template([resource("A")])))) == ["OM"]
    two = scenario(create(Template([resource("A")])), Operation("delete"))
    assert sorted(letters(two)) == ["OMOM", "OOMM"]  # the first M of OOMM is for the create, and too late
    assert letters(scenario(create(Template()), Operation("delete"))) == ["OO"]


def test_after_an_operation_the_worker_has_its_half_of_the_turn() -> None:
    for found in letters(scenario(create(CHAIN), update(LESS), update(CHAIN))):
        assert not re.search("MOO", found), found


def test_messages_that_overtake_make_more_orders() -> None:
    asked = scenario(create(Template([resource("A"), resource("B")])))
    assert letters(asked) == ["OMM"]
    assert letters(asked, overtaking=True) == ["OMM"] * 2


@pytest.mark.parametrize("third", [update(CHAIN), Operation("delete"), Operation("rollback")], ids=lambda o: o.kind)
def test_what_is_written_brings_about_the_order_that_it_was_written_for(third: Operation) -> None:
    """With something asked at its end, and on its way: in the nightly after each of its letters, else after every third."""
    asked = word(scenario(create(CHAIN), update(LESS), third)).scenario
    orders, tried = Orders(Heat(), asked, []), 0
    for number, order in enumerate(orders):
        if order.refused or order.raised:
            continue
        for after in (None, *range(1 + (0 if NIGHTLY else number % 3), len(order.letters) + 1, 1 if NIGHTLY else 3)):
            if after is not None and not orders.can_ask(order, after):
                continue
            text = write(asked, order.letters, Check("len", ((),), after), [])
            result = Run(parse(Path("x.py"), text.encode()), Heat()).run()
            assert result.passed
            assert "".join(KINDS[kind] for kind in kinds(result.world.log)) == order.letters
            assert result.processed == processed(order.driver.world)
            (asked_at,) = (turn.step for turn in result.trace if "engine.call" in turn.did)
            assert len(kinds(result.world.log[:asked_at])) == (len(order.letters) if after is None else after)
            tried += 1
    assert tried > 20


KINDS = {"operate": "O", "deliver": "M"}


def kinds(log: Sequence[Entry]) -> list[str]:
    return [entry.action.kind for entry in log if entry.action.kind in KINDS]


# --------------------------------------------------------------------------------------------------------------- the words


def test_properties_values_and_classes_get_words_of_the_language() -> None:
    before = Template(
        [resource("A", {"p": 0, "ca": "a"}, {"q": True}, kind="old"), resource("B", {"x": Attr("A", "p"), "y": Ref("A")})]
    )
    after = Template([resource("A", {"p": 1}, {"q": None}, kind="new")])
    wording = word(replace(scenario(create(before), update(after)), faults={}))
    first, second = (o.template for o in wording.scenario.operations)
    assert first == Template(
        [
            resource("A", {"a": "0", "ca": "a_"}, {"!a": "True", "!b": "old"}),
            resource("B", {"a": Attr("A", "a"), "b": Ref("A")}),
        ]
    )
    assert second == Template([resource("A", {"a": "1"}, {"!a": "None", "!b": "new"})])
    assert wording.notes == (
        "the property '!b' of 'A' stands for its class: there is one only",
        "the property 'a' of 'A' stands for 'p'",
        "the property '!a' of 'A' stands for 'q'",
        "the property 'a' of 'B' stands for 'x'",
        "the property 'b' of 'B' stands for 'y'",
        "the value 'a_' stands for 'a'",
    )


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (scenario(create(CHAIN), Operation("check")), "The language has no word for the operation 'check'."),
        (scenario(create(CHAIN), Operation("signal", resource="A"), Operation("cancel")), "for the operations 'cancel' and 'signal'."),
        (scenario(create(CHAIN), faults={"lose": 1}), "The language has no word for the fault 'lose'."),
        (scenario(create(Template([resource("A", fails=["create"])]))), "a resource that fails to create, as 'A' does."),
        (scenario(create(Template([resource("A", dict.fromkeys("pqrst"))]))), "Resource 'A' needs 5 properties that can be changed in place"),
        (scenario(create(Template([resource("A", {}, dict.fromkeys("pqr"))]))), "needs 3 properties whose change forces a replacement"),
        (
            scenario(create(Template([resource("A", {"p": 1, "q": 2}), resource("B", {"a": Attr("A", "p"), "b": Attr("A", "q")})]))),
            "2 attributes of resource 'A' that can be changed in place are read; the language has one.",
        ),
    ],
)  # fmt: skip
def test_what_the_language_has_no_word_for_is_named(asked: Scenario, reason: str) -> None:
    with pytest.raises(Inexpressible, match=re.escape(reason)):
        word(asked)


def test_options_that_may_not_matter_are_left_out_and_noted() -> None:
    asked = scenario(Operation("create", CHAIN, rollback=True, timeout=True))
    wording = word(asked)
    assert wording.left_out == ("rollback on failure", "a time limit")
    assert wording.scenario.operations[0] == create(CHAIN)


HOSTILE = ["it's", 'a"b', "'''", '"""', "x\ny", "\\", "\\n", "#", "{x}", "%s", "coding: utf-7", "a b", "A@T1", "a,b(", "\t", "ü", "日本", "a/b",
           "\x00", "\u202e", "\x1b[2J", "\u2028", "template_1", "engine", "a", "!a", "None", "", "x" * 200]  # fmt: skip
TEXTS = st.sampled_from(HOSTILE) | st.text(max_size=20)
NONEMPTY = TEXTS.filter(bool)
PLAIN = TEXTS | st.integers() | st.booleans() | st.none()


@st.composite
def hostile_templates(draw: st.DrawFn) -> Template:
    names = draw(st.lists(NONEMPTY, min_size=1, max_size=3, unique=True))
    definitions = []
    for number, name in enumerate(names):
        in_place = {prop: draw(PLAIN) for prop in draw(st.lists(TEXTS, max_size=2, unique=True))}
        replaced = {prop: draw(PLAIN) for prop in draw(st.lists(TEXTS, max_size=1)) if prop not in in_place}
        definitions.append(
            resource(name, in_place, replaced, draw(st.lists(st.sampled_from(names[:number]), max_size=1)) if number else ())
        )
    return Template(definitions)


@given(hostile_templates(), hostile_templates(), NONEMPTY, st.lists(TEXTS, max_size=3))
@example(
    Template([resource("a/b", {"'": "\n"})]),
    Template([resource("a_b")]),
    "s s",
    ["# -*- coding: utf-7 -*-", "x\n\nimport os\n", "\x85y"],
)
def test_a_file_says_the_same_whatever_the_names_and_values_are(
    before: Template, after: Template, stack: str, head: Sequence[str]
) -> None:
    try:
        asked = word(scenario(Operation("create", before, stack=stack), Operation("update", after, stack=stack))).scenario
    except Inexpressible:
        return  # moved between the groups too often: it has too many properties
    text = write(asked, "OO" + "M" * 9, Check("verify", (asked.operations[1].template,)), head)
    assert text.startswith(FIRST_LINE + "\n#\n")
    assert text.isascii() or all(c.isprintable() or c == "\n" for c in text)
    used = {node.id for node in ast.walk(ast.parse(text.encode())) if isinstance(node, ast.Name)}
    assert used <= {*NAMES, "template_1", "template_2"}
    file = parse(Path("x.py"), text.encode())
    assert tuple(file.engine.operations) == asked.operations
    result = Run(file, Heat()).run()
    assert result.passed, result
    for definition in before.resources:  # a name stays as it is where Heat takes it and it can be printed
        if "/" not in definition.name and all(c.isprintable() or c in "\t\n" for c in definition.name):
            assert asked.operations[0].template is not None
            assert definition.name in asked.operations[0].template


def test_every_function_that_a_file_may_hold_is_of_the_language(tmp_path: Path) -> None:
    calls = {"check_copies": ("A", 1), "check_at_most": ("A", 1), "check_required": ("B", "A"), "check_reference": ("B", "c", "A")}
    assert calls.keys() == FUNCTIONS.keys()
    asked = word(scenario(create(CHAIN))).scenario
    for function, arguments in calls.items():
        assert (
            Run(parse(tmp_path, write(asked, "OMMM", Check(function, arguments), []).encode()), Heat(), as_heats=True).run().passed
        )
    broken = {"check_copies": ("A", 2), "check_at_most": ("A", 0), "check_required": ("A", "Z"), "check_reference": ("B", "a", "A")}
    for function, arguments in broken.items():
        result = Run(parse(tmp_path, write(asked, "OMMM", Check(function, arguments), []).encode()), Heat(), as_heats=True).run()
        assert not result.passed
        assert result.message


# ------------------------------------------------------------------------------------------------------------- the cases


def port(case: cases.Case) -> str:
    assert case.expected is not None
    failing = Failing(catalogue.load("heat"), case.scenario, case.expected, case.schedule)
    return Porter(failing, list(ALL.values()), Path("x.py")).port().text


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("rest-no-operation-hangs-create-hangs-a-lock-is-held", "The language has no word for the operation 'signal'."),
        (
            "rest-no-operation-hangs-update-hangs-sync-points-wait",
            "None of all 4 orders of whole messages shows it: it takes an interleaving inside a handler;"
            " in the case set up(T1) stops before SU-5 for operate update#2 at E1.",
        ),
    ],
)
def test_the_reason_why_a_case_cannot_be_ported(name: str, reason: str) -> None:
    with pytest.raises(Inexpressible, match=re.escape(reason)):
        port(cases.read(REGRESSIONS / "heat" / f"{name}.case.json"))


def test_a_search_that_was_not_finished_says_so() -> None:
    case = cases.read(REGRESSIONS / "heat" / "rest-no-operation-hangs-update-hangs-sync-points-wait.case.json")
    assert case.expected is not None
    failing = Failing(Heat(), case.scenario, case.expected, case.schedule)
    with pytest.raises(Inexpressible, match="None of 3 orders of whole messages shows it, and not all were tried"):
        Porter(failing, list(ALL.values()), Path("x.py"), runs=3).port()


# ------------------------------------------------------------------------------------------------------------ the command


def command(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["port", *map(str, arguments)])
    return result.exit_code, result.output


def test_the_command_writes_a_file_that_fails_on_the_model(tmp_path: Path) -> None:
    written = tmp_path / "deep" / "x.py"
    code, output = command(MISSING, "-o", written)
    assert code == 0
    assert output.splitlines()[0] == f"{written}: requirements first on update: requirement missing; resource: C; requires: B"
    line = int(re.findall(r"on the model it fails: line (\d+): ", output)[0])
    assert "What it requires is missing" in written.read_text().splitlines()[line - 1]
    assert CliRunner().invoke(cli, ["scenario", str(written)]).exit_code == 1
    assert command(MISSING, "-o", written)[0] == 0  # what it wrote itself it may write again


def test_the_command_says_why_not_and_writes_nothing(tmp_path: Path) -> None:
    case = REGRESSIONS / "heat" / "rest-no-sync-points-sync-point-left-over.case.json"
    code, output = command(case, "-o", tmp_path / "x.py")
    assert code == 3
    assert output == f"heatproof: {case} cannot be ported. The language has no word for the operation 'cancel'.\n"
    assert not list(tmp_path.iterdir())


def test_wrong_input(tmp_path: Path) -> None:
    foreign = tmp_path / "mine.py"
    foreign.write_text("x = 1\n")
    for arguments, message in [
        ([tmp_path / "none.case.json"], "cannot read"),
        ([foreign], "is no case"),
        ([MISSING, "-o", foreign], "is there already, and 'heatproof port' has not written it"),
        ([MISSING, "-o", tmp_path], "is a folder"),
        ([tmp_path], "there is no case in this folder"),
    ]:
        code, output = command(*arguments)
        assert code == 2
        assert message in output
    assert foreign.read_text() == "x = 1\n"


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"expected": None}, 2, "expects no violation"),
        ({"expected": ("no such property", "x")}, 2, "no property is called 'no such property'"),
        ({"design": "nowhere.py:Class"}, 3, "the language is about Heat's"),
        ({"design": "nowhere.py:Class", "expected": ("mine", "wrong")}, 3, "the language is about Heat's"),
        ({"design": "hat"}, 2, "unknown design"),
    ],
)
def test_cases_that_are_not_about_a_failure_of_heat(tmp_path: Path, change: dict[str, object], code: int, message: str) -> None:
    path = tmp_path / "x.case.json"
    path.write_text(cases.dump(cases.read(MISSING)._replace(**change), "0"))
    assert command(path, "-o", tmp_path / "x.py")[0] == code
    assert message in command(path, "-o", tmp_path / "x.py")[1]


def test_a_title_is_only_ever_a_comment(tmp_path: Path) -> None:
    path = tmp_path / "x.case.json"
    case = cases.read(MISSING)._replace(title="coding: utf-7\nimport os\r\x0c\u2028os.abort()\n'''", origin="\nengine.noop(1)")
    path.write_text(cases.dump(case, "0"))
    assert command(path, "-o", tmp_path / "x.py")[0] == 0
    plain = ast.dump(ast.parse((tmp_path / "x.py").read_bytes()))
    assert command(MISSING, "-o", tmp_path / "y.py")[0] == 0
    assert plain == ast.dump(ast.parse((tmp_path / "y.py").read_bytes()))


def test_a_folder_gives_a_table(tmp_path: Path) -> None:
    folder = tmp_path / "cases"
    folder.mkdir()
    for name in [MISSING.name, "rest-no-sync-points-sync-point-left-over.case.json"]:
        (folder / name).write_bytes((REGRESSIONS / "heat" / name).read_bytes())
    code, output = command(folder, "-o", tmp_path / "out")
    assert code == 0
    assert output.splitlines()[2].startswith("| requirements-first-on-update-requirement-missing | written: ")
    assert output.splitlines()[3].endswith("| The language has no word for the operation 'cancel'. |")
    assert output.splitlines()[-1] == f"1 of 2 cases written to {tmp_path / 'out'}"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["requirements-first-on-update-requirement-missing.py"]


def test_without_the_extra_nothing_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heats_framework, "available", lambda: False)
    code, output = command(MISSING, "-o", tmp_path / "x.py", "--run")
    assert (code, output) == (2, "heatproof: --run needs Heat's own test framework: pip install 'heatproof[heat]'\n")
    with pytest.raises(HeatproofError, match="needs the extra 'heat'"):
        run_files([tmp_path])


# ------------------------------------------------------------------------------------------- Heat's own framework and engine

needs_heat = pytest.mark.skipif(
    not heats_framework.available(), reason="the extra 'heat' is not installed; 'make test' installs it"
)


@needs_heat
def test_heats_own_runner_takes_what_is_written_and_hostile_names(tmp_path: Path) -> None:
    names = ["it's", 'a"b', "x\ny", "\\", "\t", "日本", "a/b", "\x00", "'''"]
    templates = [Template([resource(name, {"p": name}), resource("zz", {"r": Ref(name), "s": Attr(name, "p")})]) for name in names]
    for number, template in enumerate(templates):
        asked = word(scenario(create(template))).scenario
        text = write(asked, "OMM", Check("verify", (asked.operations[0].template,)), [names[number]])
        (tmp_path / f"{number}.py").write_text(text)
    written = sorted(tmp_path.glob("*.py"))
    folder = installed()
    assert folder is not None
    (tmp_path / "wrong.py").write_text(
        "t = Template({'A': RsrcDef({'a': 'x'}, [])})\n\n\ndef check(n):\n    test.assertEqual(n, len(reality.all_resources()))\n\n\n"
        "engine.create_stack('s', t)\nengine.noop(2)\nengine.call(check, 1)\nengine.call(verify, Template())\n"
    )
    (tmp_path / "worse.py").write_text("engine.create_stack('s', 1)\n")
    heats = [path for path in find_files([folder]) if path.stem in ("update_interrupt_create", "update_replace_invert_deps")]
    outcomes = run_files([*written, tmp_path / "wrong.py", tmp_path / "worse.py", *heats])
    assert all(outcome.passed and len(outcome.messages) == 2 for outcome in outcomes[: len(names)])
    wrong, worse, *own = outcomes[len(names) :]
    assert (wrong.passed, wrong.line, wrong.error) == (False, 11, "MismatchError")
    assert wrong.messages == ("A1/U/1",)
    assert (worse.passed, worse.line, worse.error) == (False, 1, "AttributeError")
    assert [outcome.passed for outcome in own] == [True, True]
    for outcome in own:  # the same messages as on the model
        assert list(outcome.messages) == Run(parse(outcome.path, outcome.path.read_bytes()), Heat()).run().processed
