"""Verdicts as data, and the index page made of them."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatproof.model.errors import HeatproofError
from heatproof.reports.index import Card, card, index
from heatproof.reports.tables import Line
from heatproof.reports.verdicts import Verdicts, dump, read, write
from tests.reports.test_page import LATE, Elements, of
from tests.reports.wild import PAYLOADS

TABLE = [
    Line("b", "always", "held", "3 runs", "It is b."),
    Line("a", "at rest", "violated", "2 runs", "two (1 operation)", "two"),
    Line("seen", "sometimes", "reached", "1 run", "Seen."),
    Line("unseen", "sometimes", "not reached", "", "Unseen."),
]
VERDICTS = Verdicts("heat", "1 run.", TABLE, ["", "a-two", "", ""], {"a-two.case.json": "00"})


FOREIGN = ("", "notes.txt", "../a.case.json", "/a.case.json", "below\\a.story.txt", "\0.case.json")


def stored(folder: Path, text: str | bytes) -> Path:
    path = folder / "verdicts.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_verdicts_are_read_as_they_were_written(tmp_path: Path) -> None:
    assert read(stored(tmp_path, dump(VERDICTS, "1"))) == VERDICTS


def test_what_is_wrong_with_verdicts_is_said(tmp_path: Path) -> None:
    good = json.loads(dump(VERDICTS, "1"))
    for text, message in [
        ("", "is no JSON"),
        (b"\xff\xfe\x00", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "no verdicts of schema 2, but 'list'"),
        (json.dumps({**good, "schema": 3}), "no verdicts of schema 2, but '3'"),
        (json.dumps({**good, "files": ["a.case.json"]}), "'files' is no object of names and digests"),
        *((json.dumps({**good, "files": {name: "00"}}), "which is no case or story beside it") for name in FOREIGN),
        (json.dumps({**good, "files": {"a.case.json": None}}), "which is no case or story beside it"),
        (json.dumps({**good, "more": 1}), "the file must have exactly the fields"),
        (json.dumps({**good, "summary": None}), "'summary' of the file is no text"),
        (json.dumps({**good, "table": {}}), "'table' is no list"),
        (json.dumps({**good, "table": [good["table"][0], 7]}), "line 2 of 'table' must have exactly the fields"),
        (json.dumps({**good, "table": [{**good["table"][0], "case": 7}]}), "'case' of line 1 of 'table' is no text"),
    ]:
        with pytest.raises(HeatproofError, match=message):
            read(stored(tmp_path, text))
    with pytest.raises(HeatproofError, match="cannot read"):
        read(tmp_path / "nothing.json")


def test_a_report_of_an_older_version_says_nothing_of_its_files_so_they_stay(tmp_path: Path) -> None:
    old = {name: value for name, value in json.loads(dump(VERDICTS, "1")).items() if name != "files"}
    assert read(stored(tmp_path, json.dumps({**old, "schema": 1}))) == VERDICTS._replace(files={})
    (tmp_path / "a-two.case.json").write_text("kept")
    write(tmp_path, VERDICTS, "", {"b.case.json": "b"}, "1")
    assert (tmp_path / "a-two.case.json").read_text() == "kept"
    assert list(read(tmp_path / "verdicts.json").files) == ["b.case.json"]
    write(tmp_path, VERDICTS, "", {}, "1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-two.case.json", "verdicts.json", "verdicts.txt"]


def test_a_list_of_files_reaches_nothing_beside_the_folder_and_no_links(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "a.case.json").write_text("kept")
    write(tmp_path / "out", VERDICTS, "", {"a.case.json": "kept"}, "1")
    raw = json.loads((tmp_path / "out" / "verdicts.json").read_text())
    stored(tmp_path / "out", json.dumps({**raw, "files": {"../a.case.json": raw["files"]["a.case.json"]}}))
    write(tmp_path / "out", VERDICTS, "", {}, "1")
    assert (tmp_path / "a.case.json").exists()
    (tmp_path / "out" / "a.case.json").unlink()
    (tmp_path / "out" / "a.case.json").symlink_to(tmp_path / "a.case.json")
    stored(tmp_path / "out", json.dumps(raw))
    write(tmp_path / "out", VERDICTS, "", {}, "1")
    assert (tmp_path / "out" / "a.case.json").is_symlink()


@given(st.data())
def test_a_file_with_a_few_bytes_changed_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    text = bytearray(dump(VERDICTS, "1").encode())
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    path = stored(tmp_path_factory.getbasetemp(), bytes(text))
    with contextlib.suppress(HeatproofError):
        index("x", read(path), [], "1")


def test_the_index_lists_what_was_violated_first_and_links_its_case() -> None:
    page = index("heatproof check heat", VERDICTS, [card("a-two", "a-two.html", of(LATE))], "1")
    found = Elements(page)
    order = [page.index(f'scope="row">{text}') for text in ('<a href="a-two.html">a</a>', "b<", "seen", "unseen")]
    assert order == sorted(order)
    for text in ("1 violated", "1 held", "1 reached", "1 not reached", "3 operations, 1 deviation, 164 steps", "1 run."):
        assert text in found.words
    paths = [attrs["class"] for tag, attrs in found.tags if tag == "path"]
    assert {"exists", "busy", "band", "end", "task op1", "task op2", "task op3"} == set(paths)


def test_an_index_without_verdicts_lists_the_cases() -> None:
    words = Elements(index("Cases", None, [card("x", "x.html", of(LATE)), Card("y", "", "y", wrong="it is broken")], "1")).words
    assert "no verdicts in this folder" in words
    assert "cannot be shown: it is broken" in words


def test_text_in_an_index_stays_text() -> None:
    a, b, c, d, e, f, *_ = PAYLOADS
    verdicts = Verdicts(a, b, [Line(c, "always", d, e, f), Line(c, "sometimes", d, e, f)], ["x", ""])
    page = index(a, verdicts, [Card("x", "x.html", b, c), Card("y", "", d, wrong=e)], "1")
    tame = Elements(index("x", VERDICTS, [Card("x", "", "x", "x"), card("a-two", "a-two.html", of(LATE))], "1"))
    found = Elements(page)
    assert {tag for tag, _ in found.tags} <= {tag for tag, _ in tame.tags}
    assert {name for _, attrs in found.tags for name in attrs} <= {name for _, attrs in tame.tags for name in attrs}
    for payload in (a, b, c, d, e, f):
        assert payload.replace("\u202e", "\\u202e")[:20] in found.words
    assert "script-src 'none'" in page.replace("&#39;", "'")
