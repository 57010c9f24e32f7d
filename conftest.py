"""Hypothesis profiles: ``dev`` at the desk, ``ci`` where CI is set, ``nightly`` for the long run; see heatproof.strategies.profiles."""

import os
from pathlib import Path

from hypothesis import settings

from heatproof.strategies import profiles

# One of them is always loaded; the option --hypothesis-profile is read after this file and wins.
profiles.register(Path(__file__).parent)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
