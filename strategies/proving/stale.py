"""What was compiled against a text of another module that has changed since is forgotten: Numba's cache looks only at the file that a function
stands in."""

from __future__ import annotations

import contextlib
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any

from heatproof.strategies.proving import kernel


def renew(function: Any, *others: ModuleType) -> None:
    """Forget what was compiled of the module of a compiled function against another text of :mod:`kernel`, or of other modules."""
    if not hasattr(function, "stats"):  # interpreted
        return
    name, folder = function.__module__.rpartition(".")[2], Path(str(function.stats.cache_path))
    texts = [Path(str(module.__file__)).read_bytes() for module in (kernel, *others)]
    stamp, text = folder / f"{name}.stamp", blake2b(b"".join(texts), digest_size=16).hexdigest()
    with contextlib.suppress(OSError):  # where nothing can be written nothing is cached
        if stamp.is_file() and stamp.read_text() == text:
            return
        for old in folder.glob(f"{name}.*.nb?"):
            old.unlink(missing_ok=True)
        stamp.write_text(text)
