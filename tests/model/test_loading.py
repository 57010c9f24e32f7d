"""Design files are read as they stand now."""

from __future__ import annotations

import os
from pathlib import Path

from tests.toys import python

FILE = """from heatproof.model.design import Design
import neighbour

class Mine(Design):
    name = "{name}" + neighbour.NAME
"""

LOAD = "from heatproof.model.catalogue import load; print(load('mine.py:Mine').name)"


def test_a_design_that_was_changed_within_a_second_is_read_anew_with_its_neighbours(tmp_path: Path) -> None:
    """Python takes bytecode for that of a text of the same second and length."""
    files = [tmp_path / "mine.py", tmp_path / "neighbour.py"]
    said = []
    for name in ("a", "b"):
        files[0].write_text(FILE.format(name=name))
        files[1].write_text(f"NAME = '{name}'")
        for file in files:
            os.utime(file, (1_000_000_000, 1_000_000_000))
        said.append(python("-c", LOAD, folder=tmp_path))
    assert said == ["aa\n", "bb\n"]
    assert sorted(tmp_path.iterdir()) == sorted(files)
