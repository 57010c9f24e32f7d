"""Files are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from heatproof.model.errors import HeatproofError


def write_whole(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` so that nobody ever sees half of it.

    Raises :class:`HeatproofError` with the place and the reason (no such folder, full disk); nothing is left behind then.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        if isinstance(error, OSError):
            raise HeatproofError(f"cannot write {path}: {error.strerror or error}; nothing was written there") from error
        raise


def refuse_unwritable(folder: Path) -> None:
    """Raise :class:`HeatproofError` if no files can be written to ``folder``, which need not exist yet: better before long work."""
    try:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        raise HeatproofError(f"cannot write to {folder}: {error.strerror}") from error
