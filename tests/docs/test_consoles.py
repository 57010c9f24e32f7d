"""Pages whose commands are run where the repository is, and print what the page says; ``...`` stands for lines that it leaves out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from heatproof.cli import cli
from tests.toys import ROOT

PAGES = ("cases.md",)
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands() -> Iterator[tuple[str, str]]:
    """Every command of these pages, with what it is to print."""
    for page in PAGES:
        for block in BLOCK.findall((ROOT / "docs" / page).read_text()):
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                command, _, output = part.partition("\n")
                yield command, output


@pytest.mark.parametrize(("command", "output"), list(commands()))
def test_a_command_prints_what_the_page_says(command: str, output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    program, *arguments = shlex.split(command)
    assert program == "heatproof"
    printed = CliRunner().invoke(cli, arguments).output
    pattern = "".join(r"(.*\n)*?" if line == "..." else re.escape(f"{line}\n") for line in output.splitlines())
    assert re.fullmatch(pattern, printed), printed


@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "docs").glob("*.md")))
def test_links_between_pages_lead_somewhere(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    for link in re.findall(r"\]\((?!https?:)([^)#\s]+)", text):
        assert (ROOT / "docs" / link).exists(), link
