"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from heatproof.model.errors import HeatproofError
from heatproof.reports.files import write_whole


def failing(error: BaseException) -> Callable[..., NoReturn]:
    """A function that raises."""

    def fail(*_arguments: Any, **_more: Any) -> NoReturn:
        raise error

    return fail


def test_a_file_is_written_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.txt"
    write_whole(path, "süß\n")
    assert path.read_bytes() == "süß\n".encode()
    assert path.stat().st_mode & 0o777 == 0o644
    write_whole(path, "")
    assert path.read_bytes() == b""
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("function", ["fsync", "replace", "fdopen", "chmod"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EIO])
@pytest.mark.parametrize("before", [None, "before"])
def test_what_cannot_be_written_leaves_everything_as_it_was(
    function: str, code: int, before: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.txt"
    if before is not None:
        path.write_text(before)
    monkeypatch.setattr(os, function, failing(OSError(code, os.strerror(code))))
    with pytest.raises(HeatproofError) as caught:
        write_whole(path, "after")
    monkeypatch.undo()
    assert str(caught.value) == f"cannot write {path}: {os.strerror(code)}{'; that file is as it was' if before else ''}"
    assert [file.name for file in tmp_path.iterdir()] == ([] if before is None else ["file.txt"])
    assert before is None or path.read_text() == before


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError()], ids=repr)
def test_an_interrupt_leaves_nothing_behind(error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", failing(error))
    with pytest.raises(type(error)):
        write_whole(tmp_path / "file.txt", "text")
    monkeypatch.undo()
    assert not list(tmp_path.iterdir())


def test_nobody_sees_half_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the very last moment the old file is there, whole; what replaces it is whole too."""
    path = tmp_path / "file.txt"
    path.write_text("before")
    seen = []
    replace = os.replace

    def look(source: str, target: Path) -> None:
        seen.append((path.read_text(), Path(source).read_text()))
        replace(source, target)

    monkeypatch.setattr(os, "replace", look)
    write_whole(path, "after" * 100_000)
    assert seen == [("before", "after" * 100_000)]


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HeatproofError, match=r"cannot write .*file/x/y: Not a directory$"):
        write_whole(tmp_path / "file" / "x" / "y", "text")
    with pytest.raises(HeatproofError, match=r"cannot write .*file/x: a file stands where a folder should$"):
        write_whole(tmp_path / "file" / "x", "text")
    (tmp_path / "folder").mkdir()
    with pytest.raises(HeatproofError, match=r"folder is a folder, no file that can be written whole; name another"):
        write_whole(tmp_path / "folder", "text")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "folder"]


def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "full").symlink_to("/dev/full")
    for name in ("pipe", "full"):
        with pytest.raises(
            HeatproofError, match=f"{name} is a device, pipe or socket, no file that can be written whole; name another"
        ):
            write_whole(tmp_path / name, "text")
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "full").is_symlink()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("before", [None, "before"])
def test_a_symlink_stays_and_its_target_is_written(before: str | None, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "file.txt", tmp_path / "link"
    if before is not None:
        target.write_text(before)
    link.symlink_to("there/file.txt")
    write_whole(link, "after")
    assert link.is_symlink()
    assert target.read_text() == "after"
    assert list(target.parent.iterdir()) == [target]


def test_who_may_read_a_file_is_for_the_user_to_say(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_whole(tmp_path / "file.txt", "text")
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)
    assert (tmp_path / "file.txt").stat().st_mode & 0o777 == 0o600
