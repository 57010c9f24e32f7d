"""What is asked of designs that are written: properties of every expectation, whose kinds tell everything that there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from heatproof.model.observation import Change
from heatproof.properties.base import EVERY, PHYSICAL, Property, Witness, always, at_rest, seen, sometimes, witness
from tests.proving.machines import anonymous, text


@always("cells", "No cell is ever written.", ["cell"])
def cells(observation: Any, change: Change) -> Witness | None:
    """One kind for what the cells are, and for what one was before."""
    before = change.old
    return witness(f"{text(observation.resources)} after {before and anonymous(before.value)}")


@always("pairs", "No pair is ever written beside a running task.", ["pair"], tolerates=EVERY - PHYSICAL)
def pairs(observation: Any, change: Change) -> Witness | None:
    """One kind for what the pairs are, and which handlers run."""
    running = sorted(task.handler for task in observation.tasks.values())
    rows = [(row.left, row.right, row.cell, anonymous(row.note)) for _, row in sorted(observation.pairs.items())]
    return witness(f"{rows} {running}") if running and change.new is not None else None


@always("requests", "No request ends.", ["request"], tolerates=frozenset({"crash"}))
def requests(observation: Any, change: Change) -> Witness | None:
    """One kind for how all of them have ended."""
    return witness(f"{[request.outcome for request in observation.requests]} {sorted(observation.faults.items())}")


@always("things", "There is nothing.", ["reality"])
def things(observation: Any, change: Change) -> Witness | None:
    """One kind for what there is, and how many tasks an engine runs at most."""
    there = sorted((thing.id, thing.state, len(thing.busy)) for thing in observation.reality.values())
    engines = sorted(observation.engines.values())
    return witness(f"{there} {engines}")


@always("memory", "Notes which cells went, and how often.", ["resource"])
def memory(observation: Any, change: Change) -> Witness | None:
    """Holds until the same cell has gone twice."""
    if change.new is None:
        times = observation.memory.get(change.key, 0) + 1
        observation.remember(change.key, min(times, 2))
        return witness(f"{change.key} has gone twice") if times > 1 else None
    return None


@always("listed", "Nothing is written while there is anything.", ["cell", "reality"])
def listed(observation: Any, change: Change) -> Witness | None:
    """One kind for what there is, as it is come across."""
    values = [row.value for row in observation.resources.values() if row.owner is None]
    return witness(f"{values} {list(observation.reality)} {list(observation.memory)} {list(observation.faults)}")


@at_rest("resting", "Nothing comes to rest.", needs=["memory"])
def resting(observation: Any) -> Iterator[Witness]:
    """Two kinds for each rest."""
    yield witness(f"{text(observation.resources, observation.engines)}; {sorted(observation.memory.items(), key=repr)}")
    yield witness(
        f"{[request.outcome for request in observation.requests]}; {sorted(observation.faults.items())}; {len(observation.pairs)}"
    )


@sometimes("both", "Two cells hold the same.", ["cell"])
def both(observation: Any, change: Change) -> bool:
    """Reached or not."""
    values = [row.value for row in observation.resources.values()]
    return len(values) > 1 and values[0] == values[1]


@sometimes("pending", "A pair is written while another task runs.", ["pair"])
def pending(observation: Any, change: Change) -> bool:
    """Looks at tasks."""
    return any(task.handler == "work2" for task in observation.tasks.values())


SEEN = [seen(f"step {number} {outcome}", "That.", (f"S-{number}", outcome))
        for number in range(1, 12) for outcome in ("found", "missing", "matched", "lost", "done", "failed", "Duplicate", "Aborted")]  # fmt: skip

MEMORY: Property = memory

WANTED: list[Property] = [cells, pairs, requests, things, listed, MEMORY, resting, both, pending, *SEEN]
