"""How many examples a stateful test draws, and whether it draws the same ones every time: ``dev`` at the desk, ``ci``, ``nightly``.

No profile has a deadline: how long an example takes says nothing about the design in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

NAMES = ("dev", "ci", "nightly")

# Hypothesis loads a profile of its own, also called "ci", when it finds itself in CI, and what is registered without a parent inherits
# from the loaded one. So every profile here names its parent.
_PARENT = settings.get_profile("default")
_CALM: dict[str, Any] = {"deadline": None, "print_blob": True, "suppress_health_check": [HealthCheck.too_slow]}


def profile(name: str, folder: Path) -> settings:
    """One of :data:`NAMES`; ``nightly`` keeps its examples in ``folder/.hypothesis``. Raises KeyError for another name."""
    if name == "nightly":
        database = DirectoryBasedExampleDatabase(folder / ".hypothesis" / "examples")
        return settings(_PARENT, max_examples=10_000, derandomize=False, database=database, **_CALM)
    return {
        "dev": settings(_PARENT, max_examples=50, deadline=None),
        "ci": settings(_PARENT, max_examples=300, derandomize=True, database=None, **_CALM),
    }[name]


def register(folder: Path) -> None:
    """Make the profiles known to Hypothesis under their names, in place of what it has under these."""
    for name in NAMES:
        settings.register_profile(name, profile(name, folder))
