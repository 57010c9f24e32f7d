"""docs/tutorial.md shows its files as they are and prints what the commands print.

Every ``console`` block is run; the blocks of one section share a folder. How many runs and steps there were and which order of events was found
change with whatever changes the exploration, so they are not compared. The one story on the page is that of a case kept beside it, and must
be that to the letter. ``python tests/docs/test_tutorial.py`` writes what is printed now into the page, and that case.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from heatproof.model.effects import EFFECTS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "tutorial.md"
TEXT = PAGE.read_text()
SECTIONS = {part.partition("\n")[0]: part for part in TEXT.split("\n## ")}
RUN = [title for title, part in SECTIONS.items() if "```console\n" in part]
FILES = sorted(path.name for path in (DOCS / "tutorial").glob("*.py"))
KEPT = DOCS / "tutorial" / "lost-update.case.json"
STORY = ".heatproof/check/rest-no-operation-hangs-create-hangs-nothing-to-wait-for.case.json"
CONSOLE = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.DOTALL | re.MULTILINE)
PYTHON = {"heatproof": ["-m", "heatproof"], "python": []}


def outputs(block: str) -> Iterator[tuple[str, str]]:
    """The commands of a block, each with what the page says that it prints."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def printed(block: str, folder: Path) -> str:
    """The block with what its commands print when they are run in ``folder``."""
    code, text = 0, ""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "HYPOTHESIS", "COV"))} | {"COLUMNS": "80"}
    for command, _ in outputs(block):
        words = shlex.split(command)
        if words == ["echo", "$?"]:
            output = f"{code}\n"
        else:
            done = subprocess.run(
                [sys.executable, *PYTHON[words[0]], *words[1:]],
                cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
            )  # fmt: skip
            code, output = done.returncode, done.stdout
        text += f"$ {command}\n{output}"
    text = re.sub(r"^exploring: .*\n|^shrinking.*\n", "", text, flags=re.MULTILINE)
    text = text.replace(f"{folder.resolve()}/", "").replace(f"{folder}/", "")
    text = re.sub(r" at 0x[0-9a-f]+", " at 0x7f0123456789", text)
    return re.sub(r"passed in [0-9.]+s", "passed in 1.23s", text)


def lasting(text: str) -> str:
    """Without what a change of the exploration changes: counts, the widths of columns, and what a story tells between its scenario and
    its end."""
    text = re.sub(r"^ {4,}.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"\b\d+ (engine|thread|run|step|deviation|example|more lead)s?\b", r"N \1", text)
    return re.sub(r" {2,}", "  ", re.sub(r"after step \d+", "after step N", text))


def in_place(folder: Path) -> Path:
    """The files of the tutorial, copied."""
    for name in [*FILES, KEPT.name]:
        shutil.copy(DOCS / "tutorial" / name, folder / name)
    return folder


@pytest.mark.parametrize("name", FILES)
def test_the_page_shows_the_file(name: str) -> None:
    blocks = re.findall(rf"^<!-- file: {re.escape(name)} -->\n```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    shown = [line for block in blocks for line in block.splitlines() if line]
    assert shown == [line for line in (DOCS / "tutorial" / name).read_text().splitlines() if line]


def test_every_block_of_python_is_a_file() -> None:
    assert TEXT.count("```python\n") == len(re.findall(r"^<!-- file: .* -->\n```python\n", TEXT, re.MULTILINE))


@pytest.mark.parametrize("title", RUN)
def test_commands_print_what_the_page_says(title: str, tmp_path: Path) -> None:
    folder = in_place(tmp_path)
    for block in CONSOLE.findall(SECTIONS[title]):
        assert lasting(printed(block, folder)) == lasting(block)


def test_the_story_is_that_of_the_case_kept(tmp_path: Path) -> None:
    command = f"$ heatproof replay {KEPT.name} --design countdown.py:Blind\n"
    assert printed(command, in_place(tmp_path)).removeprefix(command) in TEXT


def test_every_effect_is_in_the_table() -> None:
    table = re.findall(r"^\| `(\w+)\((.*?)\)` \|", TEXT, re.MULTILINE)
    assert [name for name, _ in table] == [effect.__name__ for effect in EFFECTS]
    for effect, (_, arguments) in zip(EFFECTS, table, strict=True):
        names = [argument.partition("=")[0] for argument in arguments.split(", ")]
        assert names == list(effect._fields)
        assert [n.partition("=")[0] for n in arguments.split(", ") if "=" in n] == list(effect._field_defaults)


def rewrite(folder: Path) -> None:
    """Put what is printed now into the page."""
    text = TEXT
    for title in RUN:
        place = folder / re.sub(r"\W+", "-", title)
        place.mkdir()
        in_place(place)
        for block in CONSOLE.findall(SECTIONS[title]):
            text = text.replace(block, printed(block, place), 1)
            if f"$ heatproof replay {STORY} --design countdown.py:Blind\n" in block:
                shutil.copy(place / STORY, KEPT)
    PAGE.write_text(text)


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        rewrite(Path(name))
