"""A case of the real engine as a test file of its own: a unittest that fails as long as the defect is in the installed Heat."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import heatproof
from heatproof.reports import cases
from heatproof.reports.cases import Case
from heatproof.strategies.scenario_words import printable

FIRST_LINE = "# A test of OpenStack Heat's convergence engine, written by 'heatproof port'."

TEXT = '''{first}
#
{head}

import os
import unittest

from heatproof import standalone

PATCHES = tuple(os.environ.get("HEATPROOF_PATCHES", "").split())
"""Names of patches ('heatproof patches') to try the test with: HEATPROOF_PATCHES={example} python -m unittest {file}."""

CASE = r"""
{case}"""


class {cls}(unittest.TestCase):
    """{title}"""

    def test_{name}(self):
        """{sentence}"""
        standalone.check(CASE, PATCHES)


if __name__ == "__main__":
    unittest.main()
'''


def file_of(path: Path) -> Path:
    """How the test file is called that stands for a scenario file: as unittest and pytest look for it."""
    return path.with_name("test_" + re.sub(r"\W+", "_", path.stem).strip("_") + ".py")


def text_of(case: Case, path: Path, written: Path, patch: str = "") -> str:
    """The test file ``written`` of the case in ``path``; ``patch``: one that cures it, for the example."""
    assert case.expected is not None
    prop, kind = case.expected
    title = printable(case.title or f"{prop}: {kind}")
    stem = re.sub(r"\W+", "_", path.name.removesuffix(".case.json")).strip("_").lower() or "case"
    head = [
        title, "", f"Property: {prop}; witness: {kind}.",
        "It drives the engine of the installed openstack-heat (27.0.1), unchanged and in one process, under the schedule below, and fails as long as"
        " the defect is there. It needs the packages openstack-heat and heatproof (pip install 'heatproof[heat]'), and nothing else: no server, no"
        " keystone, no message broker. Run it with python -m unittest or pytest.",
        "Where a change of Heat moves the schedule, schedules near by are tried.",
        f"Case: {path.name}. {printable(case.origin)}".rstrip(), f"heatproof {heatproof.__version__}.",
    ]  # fmt: skip
    comment = [line for part in head for line in (textwrap.wrap(part, 116) or [""])]
    return TEXT.format(
        first=FIRST_LINE, head="\n".join(f"# {line}".rstrip() for line in comment), case=cases.dump(case, heatproof.__version__),
        cls="Test" + "".join(word.capitalize() for word in stem.split("_")), title=_quoted(title), name=stem,
        sentence=_quoted(f"Must hold: {prop}."), example=patch or "NAME", file=written.name,
    )  # fmt: skip


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


__all__ = ["FIRST_LINE", "file_of", "text_of"]
