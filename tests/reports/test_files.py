"""Files are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from heatproof.model.errors import HeatproofError
from heatproof.reports import files


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "sub" / "a.txt"
    files.write_whole(target, "before")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(HeatproofError, match="No space left on device"):
        files.write_whole(target, "after")
    assert target.read_text() == "before"
    assert [path.name for path in target.parent.iterdir()] == ["a.txt"]


def test_a_file_cannot_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HeatproofError, match="nothing was written"):
        files.write_whole(tmp_path / "file" / "a.txt", "x")
