"""The exhaustive search beside Spin on the convergence traversal, and how much each reduction saves.

Spin comes from Debian's packages ``spin`` and ``gcc``; the models for it are written by ``gen_pml.py``, which lies with the other peers'
implementations in the folder that ``HEATPROOF_PEERS`` names (default: ``../shared/peers`` beside the project). Where one of the
three is missing, Spin's columns stay empty and say so.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

from benchmarks.common import Result
from heatproof.model.scenario import scenario
from heatproof.strategies.asked import properties_for
from heatproof.strategies.proving.search import Search
from tests.proving.peers import FILE, instance

INSTANCES = ("I5", "I8", "I10", "I7")
PEERS = Path(os.environ.get("HEATPROOF_PEERS", Path(__file__).parents[2] / "shared" / "peers"))
FLAGS = ("-O2", "-w", "-DSAFETY")


def _missing() -> str:
    for program in ("spin", "gcc"):
        if shutil.which(program) is None:
            return f"no {program} here"
    return "" if (PEERS / "gen_pml.py").is_file() else f"no gen_pml.py in {PEERS.name}"


def spin(name: str, folder: Path) -> tuple[float, float]:
    """Seconds of the wall clock and of the processor that Spin takes for an instance, compilation not counted."""
    model = subprocess.run([sys.executable, PEERS / "gen_pml.py", name, "none", "row"], capture_output=True, check=True).stdout
    (folder / "model.pml").write_bytes(model)
    subprocess.run(["spin", "-a", "model.pml"], cwd=folder, check=True, capture_output=True)
    subprocess.run(["gcc", *FLAGS, "pan.c", "-o", "pan"], cwd=folder, check=True)
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), perf_counter()
    subprocess.run(["./pan", "-m1000000"], cwd=folder, check=True, capture_output=True)
    wall, after = perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure() -> Result:
    """The table."""
    properties = properties_for(f"{FILE}:Versioned")
    # what Numba compiles, or loads, is not counted either; of a smaller instance the table of fingerprints would not grow
    Search(*instance("I2", "Versioned"), properties).run()
    missing, rows = _missing(), []
    for name in INSTANCES:
        search, wall, used = Search(*instance(name, "Versioned"), properties), perf_counter(), process_time()
        result = search.run()
        wall, used = perf_counter() - wall, process_time() - used
        row = [f"{result.states:,}", f"{result.transitions:,}", f"{result.lessons:,}", f"{wall:.2f} s", f"{used:.2f} s"]
        if not missing:
            with tempfile.TemporaryDirectory() as folder:
                theirs = spin(name, Path(folder))
            row += [f"{theirs[0]:.2f} s", f"{theirs[1]:.2f} s", f"{wall / theirs[0]:.2f}", f"{used / theirs[1]:.2f}"]
        rows.append([name, *row, *[missing] * (0 if not missing else 4)])
    title = "Exhaustive search beside Spin, each on one core, with all that must be learned, without what must be compiled"
    columns = [
        "instance",
        "states",
        "transitions",
        "lessons",
        "wall",
        "processor",
        "Spin: wall",
        "processor",
        "wall ratio",
        "processor ratio",
    ]
    return title, columns, rows


def reductions() -> Result:
    """How many states each reduction leaves, on the same protocol; the answers are the same (tests/proving)."""
    properties, rows = properties_for(f"{FILE}:Versioned"), []
    ways = (
        ("none", {"symmetric": False, "merge": False}), ("merged nodes", {"symmetric": False, "versions": False}),
        ("and anonymous engines", {"versions": False}), ("and versions", {}), ("and steps alone", {"reduce": True}),
    )  # fmt: skip
    for name in ("I1", "I3", "I2", "I6"):
        row = [name]
        for _, options in ways:
            result = Search(*instance(name, "Versioned"), properties, **options).run()
            row.append(f"{result.states:,}")
        rows.append(row)
    return "States that each reduction leaves", ["instance", *(title for title, _ in ways)], rows


def engines() -> Result:
    """The same states with engines open and with engines by name, for more and more engines of one thread each."""
    properties, rows = properties_for(f"{FILE}:Versioned"), []
    design, given = instance("I2", "Versioned")
    Search(design, given, properties).run()  # what Numba compiles, or loads, is not counted
    for count in range(2, 6):
        given = scenario(*given.operations, engines=count, threads=1)
        seen = []
        for placing in (True, False):
            used = process_time()
            result = Search(design, given, properties, placing=placing).run()
            seen.append((result, process_time() - used))
        (left_open, mine), (by_name, other) = seen
        assert left_open.states == by_name.states
        numbers = (left_open.states, left_open.transitions, left_open.lessons, by_name.transitions, by_name.lessons)
        rows.append([str(count), *(f"{number:,}" for number in numbers), f"{mine:.2f} s", f"{other:.2f} s", f"{mine / other:.2f}"])
    columns = ["engines", "states", "transitions", "lessons", "by name: transitions", "lessons", "processor", "by name", "ratio"]
    return "The convergence traversal with more engines, left open and by name", columns, rows
