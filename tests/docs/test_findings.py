"""The pages agree on how many defects there are."""

from __future__ import annotations

import re
from pathlib import Path

from heatproof.options import listed

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "findings.md").read_text()
NAMES = re.findall(r"^## \d+\. `(.+)`$", PAGE, re.MULTILINE)
UNCURED = re.findall(r"^\*\*(.+?)\*\*", PAGE.partition("## Without a patch yet\n")[2].partition("\n## ")[0], re.MULTILINE)


def test_each_defect_that_can_be_cured_has_its_patch() -> None:
    assert sorted(NAMES) == sorted(listed())


def test_the_number_of_defects_is_that_of_the_findings() -> None:
    said = re.findall(r"has (\d+) defects found in it", (ROOT / "README.md").read_text())
    assert said == [str(len(NAMES) + len(UNCURED))]
