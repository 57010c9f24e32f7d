"""Hypothesis profiles: ``dev`` at the desk, ``ci`` where CI is set, ``nightly`` for the long run.

No profile has a deadline: how long an example takes says nothing about the design in it.
"""

import os
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

# Hypothesis loads a profile of its own, also called "ci", when it finds itself in CI, and what is registered
# without a parent inherits from the loaded one. So every profile here names its parent, and one of them is
# always loaded. The option --hypothesis-profile is read after this file and wins.
_DEFAULT = settings.get_profile("default")

settings.register_profile("dev", _DEFAULT, max_examples=50, deadline=None)
settings.register_profile(
    "ci",
    _DEFAULT,
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "nightly",
    _DEFAULT,
    max_examples=10_000,
    deadline=None,
    derandomize=False,
    database=DirectoryBasedExampleDatabase(Path(__file__).parent / ".hypothesis" / "examples"),
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
