"""A thousand recorded schedules of the real engine, with faults, replayed in another process, in another order, under another hash seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from benchmarks.common import Result
from heatproof.ports.heat import installation

ROOT = Path(__file__).parents[1]
COUNT = int(os.environ.get("REPLAYS", "1000"))


def measure() -> Result:
    """How many of the schedules had the same trace: a hash over all actions and all SQL with its parameters."""
    title = f"{COUNT} recorded schedules of Heat's engine, replayed"
    if reason := installation.why_not():
        return title, ["", ""], [[f"not measured: {reason}", ""]]
    from heatproof.ports.heat.world import trace
    from tests.ports import traces

    began = perf_counter()
    runs = {number: traces.run(number) for number in range(COUNT)}
    schedules = {number: [entry.action for entry in run.log] for number, run in runs.items()}
    here = {number: trace(run) for number, run in runs.items()}
    recorded = perf_counter() - began
    lines = "".join(json.dumps([number, schedules[number]]) + "\n" for number in reversed(range(COUNT)))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.replays"], input=lines, capture_output=True, text=True, check=True, cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "4242"},
    )  # fmt: skip
    there = dict(line.split() for line in done.stdout.splitlines())
    same = sum(there.get(str(number)) == made for number, made in here.items())
    return title, ["", ""], [
        ["actions in them", f"{sum(map(len, schedules.values())):,}"],
        ["different traces among them", f"{len(set(here.values()))}"],
        ["the same trace in another process, order and PYTHONHASHSEED", f"{same} of {COUNT}"],
        ["recorded in, on the clock", f"{recorded:.0f} s"],
        ["replayed in, on the clock", f"{perf_counter() - began - recorded:.0f} s"],
    ]  # fmt: skip


def replay() -> None:
    """Perform the schedules that come in, one a line, and print the trace of each."""
    from heatproof.model import catalogue
    from heatproof.model.world import Action
    from heatproof.ports.heat.world import trace
    from tests.ports import traces

    design = catalogue.load("heat-engine")
    for line in sys.stdin:
        number, schedule = json.loads(line)
        world = design.open(traces.planned(number)[0])
        for action in schedule:
            world.perform(Action(*action))
        print(number, trace(world))


if __name__ == "__main__":
    replay()
