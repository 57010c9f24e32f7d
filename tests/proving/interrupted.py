"""``python -m tests.proving.interrupted FILE CALL N``: a search with a checkpoint at FILE, killed at the N-th call of CALL from when it begins;
goes on from FILE if it is there. Says what it found if it lives to its end."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from heatproof.strategies.proving import expanding
from heatproof.strategies.proving.checkpoints import Checkpoint
from heatproof.strategies.proving.search import Search
from heatproof.strategies.proving.storage import Storage
from tests.proving.peers import instance
from tests.proving.test_counts import PROPERTIES

PLACES: dict[str, tuple[Any, str]] = {
    "expand": (expanding, "expand"),  # while states are expanded
    "fsync": (os, "fsync"),  # the file is written, or its name is
    "replace": (os, "replace"),  # the file waits for its name
}


def searching(file: Path | None) -> Search:
    """A search that finds violations on its way."""
    design, given = instance("I3", "Grabbing")
    checkpoint = None if file is None else Checkpoint(file, every=0)
    return Search(design, given, PROPERTIES, storage=Storage(memory=20_000), checkpoint=checkpoint)


def said(search: Search) -> str:
    """What a search found, with the ways."""
    result = search.result
    ways = [(key, search.way(s.state, s.action), s.witness) for key, s in sorted(result.violations.items())]
    counts = (result.states, result.transitions, result.depth, result.terminal, result.resting, result.terminal_sum, result.widest)
    return repr((counts, result.complete, result.lessons, sorted(result.reached.items()), ways))


def main(file: Path, call: str, number: int) -> None:
    """Run, and perhaps die."""
    search = searching(file)
    if file.exists():
        search.resume()
    if call in PLACES:
        where, name = PLACES[call]
        whole, left = getattr(where, name), [number]

        def dying(*args: Any) -> Any:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            return whole(*args)

        setattr(where, name, dying)
    search.run()
    print(said(search))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
