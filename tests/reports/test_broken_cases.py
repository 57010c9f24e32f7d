"""A file that is no case is told in one message, with the place in it. Nothing in a file is ever run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from heatproof.model.designs.heat import Heat
from heatproof.model.errors import HeatproofError
from heatproof.reports.cases import LIMIT, load, read
from heatproof.reports.judging import design_of
from tests.reports.case_files import REAL, TEXT, at, edited

CYCLE = {"A": {"depends_on": ["B"]}, "B": {"depends_on": ["A"]}}
TEMPLATE = ("scenario", "operations", 0, "template")
ANY = "schedule", 3
BROKEN: dict[str, tuple[bytes, str]] = {
    # no JSON
    "empty": (b"", r"is no case: Input data was truncated \(it ends in line 1, column 1\)"),
    "truncated": (TEXT[: len(TEXT) // 2].encode(), r"is no case: Input data was truncated \(it ends in line \d+, column \d+\)"),
    "binary": (bytes(range(128)), "is no case: JSON is malformed: invalid character in line 1, column 1$"),
    "not utf-8": (TEXT.replace("a real", "\udc80").encode(errors="surrogateescape"), "is no case: it is not UTF-8 from line 4, column 12 on"),
    "byte order mark": (b"\xef\xbb\xbf" + TEXT.encode(), "is no case: it begins with a byte order mark; store it as UTF-8 without one$"),
    "no json": (b"Once upon a time", "is no case: JSON is malformed"),
    "a comma too many": (TEXT.replace('"2"', '"2",').encode() + b",", "is no case: JSON is malformed: trailing characters in line"),
    "two documents": ((TEXT + TEXT).encode(), "is no case: JSON is malformed: trailing characters in line"),
    "a list": (b"[]", "is no case: Expected `object`, got `array`"),
    "not a number": (TEXT.replace('"engines": 2', '"engines": NaN').encode(), r"is no case: JSON is malformed: .* in line \d+, column \d+"),
    "a control character": (TEXT.replace("a real", "\x1b").encode(), "is no case: JSON is malformed: invalid character in line 4"),
    "half a character": (TEXT.replace("a real", "\\ud800").encode(), "is no case: "),
    "deep": (b'{"schema":2,"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "is no case: it is nested deeper than any case"),
    "deep and open": (b"[" * 10_000_000, "is no case: "),
    # other schemas
    "no schema": (b"{}", "is no case: Object missing required field `schema`"),
    "deep in the schema": (b'{"schema":' * 100_000, "is no case: Expected `int`, got `object` - at `\\$.schema`"),
    "a newer schema": (
        at("schema", value=3), "cases of schema 3 cannot be read by this heatproof, which reads 1 and 2; a newer heatproof has written it"
    ),
    "no such schema": (at("schema", value=0), "cases of schema 0 cannot be read by this heatproof, which reads 1 and 2$"),
    "a large schema": (at("schema", value=10**30), "cases of schema 1000000000000000000000000000000 cannot be read"),
    "an endless schema": (at("schema", value=10**400), f"cases of schema {10**39!s}\\.\\.\\. cannot be read"),
    "a schema that is true": (at("schema", value=True), "is no case: Expected `int`, got `bool` - at `\\$.schema`"),
    # fields and types
    "unknown field": (at("colour", value="red"), "is a broken case: Object contains unknown field `colour`"),
    "missing field": (edited(lambda raw: raw.pop("title")), "is a broken case: Object missing required field `title`"),
    "unknown field below": (at("scenario", "x", value=1), "is a broken case: Object contains unknown field `x` - at `\\$.scenario`"),
    "wrong type": (at("title", value=3), "is a broken case: Expected `str`, got `int` - at `\\$.title`"),
    "no engine": (at("scenario", "engines", value=0), "is a broken case: Expected `int` >= 1 - at `\\$.scenario.engines`"),
    "negative threads": (at("scenario", "threads", value=-3), "is a broken case: .* - at `\\$.scenario.threads`"),
    "too many engines": (at("scenario", "engines", value=10**9), "is a broken case: .* - at `\\$.scenario.engines`"),
    "negative faults": (at("scenario", "faults", "lose", value=-1), 'is a broken case: .* - at `\\$.scenario.faults\\["lose"\\]`'),
    "huge number": (at("scenario", "engines", value=10**30), "is a broken case: .* - at `\\$.scenario.engines`"),
    "a fraction": (
        at(*TEMPLATE, "A", "in_place", "p", value=1.5),
        'is a broken case: Expected .*, got `float` - at `\\$.scenario.operations\\[0\\].template\\["A"\\].in_place\\["p"\\]`',
    ),
    "expectation": (at("expectation", value="maybe"), "is a broken case: Invalid enum value 'maybe' - at `\\$.expectation`"),
    "short action": (at(*ANY, value=["step"]), "broken case: Expected `array` of at least length 2, got 1 - at `\\$.schedule\\[3\\]`"),
    "long action": (at(*ANY, value=list("abcde")), "broken case: Expected `array` of at most length 4 - at `\\$.schedule\\[3\\]`"),
    "wrong action": (at(*ANY, value=["a", 1, "c"]), "broken case: Expected `str`, got `int` - at `\\$.schedule\\[3\\]\\[1\\]`"),
    "wrong anchor": (at("deviations", 0, "instead_of", value=["a"]), "broken case: .* - at `\\$.deviations\\[0\\].instead_of`"),
    "an anchor that is no time": (
        at("deviations", 0, "instead_of", value=["a", "b", "", 0]), "broken case: .* - at `\\$.deviations\\[0\\].instead_of\\[3\\]`"
    ),
    "no expectation": (at("expected", value=["a", "b"]), "broken case: .* - at `\\$.expected`"),
    "long text": (at("title", value="x" * 10_001), "broken case: Expected `str` of length <= 10000 - at `\\$.title`"),
    "key twice": (
        TEXT.replace('"threads"', '"engines": 2,\n  "threads"').encode(),
        'broken case: key "engines" stands twice in one object, the second time in line \\d+, column 3; keep one',
    ),
    "schema twice": (
        TEXT.replace('"schema"', '"schema": 1, "schema"', 1).encode(),
        'broken case: key "schema" stands twice in one object, the second time in line 2, column 15; keep one',
    ),
    "key twice, one of them spelled otherwise": (
        TEXT.replace('"title"', '"titl\\u0065": "", "title"').encode(), 'broken case: key "title" stands twice .* in line 4, column 20'
    ),
    "a field that is no name": (at("a\nb\x1b" * 500, value=1), r"broken case: Object contains unknown field `a\\nb\\x1ba\\nb.* \.\.\. .*b\\x1b`$"),
    # names of nothing
    "unknown design": (at("design", "name", value="nosuch"), "broken case: unknown design 'nosuch'; known are heat.* - at `\\$.design`"),
    "no design": (at("design", "name", value=""), "broken case: .* - at `\\$.design.name`"),
    "unknown mutation": (
        at("design", "changes", value=["nosuch"]),
        "broken case: design 'heat' has no mutation or repair 'nosuch'.* - at `\\$.design`",
    ),
    "changes in the name": (at("design", "name", value="heat+a"), "broken case: the name of the design and each of its changes stand by them"),
    "changes of a file": (at("design", value={"name": "a.py:B", "changes": ["c"]}), "broken case: the design 'a.py:B' of a file has no changes"),
    "unknown property": (
        at("expected", "property", value="rest: no operation hang"),
        "no property is called 'rest: no operation hang'; perhaps 'rest: no operation hangs'; .* - at `\\$.expected.property`",
    ),
    "unknown witness": (
        at("expected", "witness", value="CREATE hang, a lock is held"),
        "property 'rest: no operation hangs' has no witness 'CREATE hang, a lock is held'; it has '\\* hangs, a lock is held', .*"
        " - at `\\$.expected.witness`",
    ),
    "a situation": (at("expected", "property", value="lock stolen"), "'lock stolen' is a situation to be reached"),
    "unknown fault": (at("scenario", "faults", "flood", value=1), "broken case: unknown fault 'flood'; known are .* - at `\\$.scenario.faults`"),
    "unknown operation": (
        at("scenario", "operations", 1, "kind", value="explode"), "broken case: operation 2: unknown kind 'explode'; known are create"
    ),
    "unknown action": (
        at(*ANY, 0, value="explode"),
        "broken case: no action is called 'explode'; known are (?!.*restart.*restart).* - at `\\$.schedule\\[3\\]\\[0\\]`",
    ),
    "unknown resource": (
        at("scenario", "operations", 2, value={"kind": "signal", "resource": "Z"}),
        "no template of stack 'S' so far has a resource 'Z' \\(they have A, B, C, D, E, F\\) - at `\\$.scenario.operations\\[2\\].resource`",
    ),
    "engine beyond the scope": (
        at(*ANY, value=["deliver", "a", "E3"]), "there is no engine 'E3'; the scope has E1 to E2, .* - at `\\$.schedule\\[3\\]\\[2\\]`"
    ),
    "crash beyond the scope": (at("deviations", 0, "do", value=["crash", "E0"]), "no engine 'E0'.* - at `\\$.deviations\\[0\\].do\\[1\\]`"),
    "no engine at all": (at(*ANY, value=["deliver", "a"]), "there is no engine ''; .* - at `\\$.schedule\\[3\\]\\[2\\]`"),
    "fault beyond the budget": (
        at("schedule", value=[["abort", "a"], ["abort", "b"]]),
        "fault 'abort' strikes for the 2nd time, but the budget of the scenario is 1 - at `\\$.schedule\\[1\\]`, `\\$.scenario.faults`",
    ),
    "fault without a budget": (at(*ANY, value=["lose", "a"]), "fault 'lose' strikes for the 1st time, but .* is 0 - at `\\$.schedule\\[3\\]`"),
    "operations beyond the scenario": (
        at("schedule", value=[["operate", f"check#{n}", "E1"] for n in range(5)]),
        "operation 5 is asked, but the scenario has 4 - at `\\$.schedule\\[4\\]`",
    ),
    # scenarios that cannot be
    "no create": (at("scenario", "operations", 0, "kind", value="check"), "operation 1 \\(check\\) comes before the create.* - at `\\$.scenario"),
    "no template": (at(*TEMPLATE, value=None), "is a broken case: operation 1 \\(create\\) needs a template"),
    "cycle": (at(*TEMPLATE, value=CYCLE), "the template has a cycle: (A -> B -> A|B -> A -> B).* - at `\\$.scenario.operations\\[0\\].template`"),
    "reference to nothing": (
        at(*TEMPLATE, value={"A": {"in_place": {"p": {"get": "resource", "resource": "Z"}}}}), "broken case: resource 'A' refers to 'Z'"
    ),
    "unknown reference": (
        at(*TEMPLATE, value={"A": {"in_place": {"p": {"get": "moon"}}}}), "broken case: Invalid value 'moon' - at `\\$.scenario.operations"
    ),
    "property twice": (
        at(*TEMPLATE, value={"A": {"in_place": {"p": 1}, "replace": {"p": 1}}}), "broken case: resource 'A': property 'p' stands both under"
    ),
    "unknown failure": (at(*TEMPLATE, value={"A": {"fails": ["dance"]}}), "broken case: resource 'A': fails names 'dance'"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_told_by_name_and_place(what: str, tmp_path: Path) -> None:
    data, message = BROKEN[what]
    path = tmp_path / "broken.case.json"
    path.write_bytes(data)
    with pytest.raises(HeatproofError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert len(str(caught.value)) < 1_000
    assert "\n" not in str(caught.value)


def test_a_place_is_told_also_where_much_else_is_wrong() -> None:
    """The key is that of the first trouble, even if another one comes behind it."""
    many = {f"R{n}": {"fails": [] if n < 500 else [n]} for n in range(1_000)}
    with pytest.raises(HeatproofError, match=r'template\["R500"\]\.fails\[0\]`'):
        load(at(*TEMPLATE, value=many), "here")


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    os.symlink("loop", tmp_path / "loop")
    for name, message in (
        ("missing", "No such file"), ("", "Is a directory"), ("loop", "Too many levels of symbolic links"), ("x" * 300, "name too long"),
        ("a\0b", "null byte"), ("missing/case", "No such file"),
    ):  # fmt: skip
        with pytest.raises(HeatproofError, match=f"cannot read .*{message}"):
            read(tmp_path / name)


@pytest.mark.parametrize("size", [100_000_000, LIMIT + 1])
def test_a_file_that_is_too_large_is_no_case(size: int, tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(size)
    with pytest.raises(HeatproofError, match=rf"{path} is no case: it has more than the {LIMIT} bytes"):
        read(path)


def test_what_never_ends_is_no_case() -> None:
    with pytest.raises(HeatproofError, match="/dev/zero is no case"):
        read(Path("/dev/zero"))


def test_a_large_case_is_read() -> None:
    schedule = tuple(REAL.schedule[n % len(REAL.schedule)] for n in range(100_000))
    raw: dict[str, Any] = json.loads(TEXT) | {"deviations": None, "schedule": [["step", a.subject] for a in schedule]}
    assert len(load(json.dumps(raw).encode(), "here").schedule) == 100_000


# ---------------------------------------------------------------------------------------------------- nothing is ever run

MARK = "MARK = __import__('pathlib').Path(__file__).with_suffix('.ran').touch()\n"
DESIGN = MARK + "from heatproof.model.designs.heat import Heat\nclass Mine(Heat): pass\n"


def named(spec: str) -> bytes:
    """A case about a design in a file."""
    return at("design", value={"name": spec, "changes": []})


def test_a_case_runs_no_code(tmp_path: Path) -> None:
    """A case that names a Python file is read, but the file is loaded only if the user names it himself, or trusts the folder."""
    file, ran = tmp_path / "inside" / "mine.py", tmp_path / "inside" / "mine.ran"
    file.parent.mkdir()
    file.write_text(DESIGN)
    for spec, trusted in ((f"{file}:Mine", None), ("../mine.py:Mine", file.parent / "below"), ("/etc/x.py:Mine", file.parent)):
        case = load(named(spec), "here")
        with pytest.raises(HeatproofError, match=r"is about .*, which is (code of somebody's own|not in)"):
            design_of(case, "here", trusted=trusted)
    assert not ran.exists()
    assert type(design_of(load(named("mine.py:Mine"), "here"), "here", trusted=file.parent)[0]).__name__ == "Mine"
    assert ran.exists()
    ran.unlink()
    design_of(load(named("other.py:Mine"), "here"), "here", own="heat")
    assert not ran.exists()


@pytest.mark.parametrize(
    "text", ["__import__('os').system('true')", "{{7*7}}", "$(id)", "<script>alert(1)</script>", "%s%n", "\x1b[2J"]
)
def test_text_is_text(text: str) -> None:
    assert load(at("title", value=text), "here").title == text


def test_an_operation_is_asked_where_the_design_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Heat, "front", "api")
    with pytest.raises(HeatproofError, match=r"asked at 'api', not 'E2' - at `\$.schedule\[0\]\[2\]`"):
        load(TEXT.encode(), "here")
    asked = [["operate", "create#1", "api"]]
    assert load(edited(lambda raw: raw.update(schedule=asked, deviations=None)), "here").schedule[0].detail == "api"
    mine = load(edited(lambda raw: raw.update(schedule=asked, deviations=None, design={"name": "mine.py:Mine"})), "here")
    assert mine.schedule[0].detail == "api"


def test_a_pipe_among_cases_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.case.json")
    with pytest.raises(HeatproofError, match=r"cannot read .*x\.case\.json: it is a pipe"):
        read(tmp_path / "x.case.json")
