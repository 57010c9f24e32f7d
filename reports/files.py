"""Files are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from heatproof.model.errors import HeatproofError


def write_whole(path: Path, text: str) -> None:
    """Write ``text`` to ``path``, or to what a symlink there leads to, so that nobody ever sees half of it.

    Raises :class:`HeatproofError` with the place and the reason (no such folder, full disk, no regular file); the file is as it was then, and
    nothing is left beside it.
    """
    temporary: str | None = None
    try:
        target = Path(os.path.realpath(path))
        refuse_no_file(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.", suffix=".part")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        if isinstance(error, OSError):
            reason = "a file stands where a folder should" if isinstance(error, FileExistsError) else error.strerror or error
            same = "; that file is as it was" if os.path.lexists(path) else ""
            raise HeatproofError(f"cannot write {path}: {reason}{same}") from error
        raise


def refuse_no_file(path: Path) -> None:
    """Raise :class:`HeatproofError` if there is something at ``path`` that is no regular file, such as a folder or a device."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):  # writing says which
        return
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a device, pipe or socket"
        raise HeatproofError(f"{path} is {what}, no file that can be written whole; name another")


def _umask() -> int:
    """What the user has taken from the permissions of new files. It can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def refuse_unwritable(folder: Path, *names: str) -> None:
    """Raise :class:`HeatproofError` if no files can be written to ``folder``, which need not exist yet, or if what has one of these ``names``
    there is no file: better before long work."""
    _refuse_place(folder, f"to {folder}")
    for name in names:
        try:
            refuse_no_file(folder / name)
        except HeatproofError as error:
            raise HeatproofError(f"cannot write to {folder}: {error}") from error


def refuse_unwritable_file(path: Path) -> None:
    """The same of a file, or of what a symlink there leads to."""
    refuse_no_file(path)
    _refuse_place(Path(os.path.realpath(path)).parent, str(path))


def _refuse_place(folder: Path, what: str) -> None:
    try:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        raise HeatproofError(f"cannot write {what}: {error.strerror}") from error
