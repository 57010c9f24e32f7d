"""The real engine: schedules and transactions a second, start-up, reset, memory, where the time goes, several processes, other databases."""

from __future__ import annotations

import cProfile
import os
import pstats
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from time import process_time

from benchmarks.common import Result
from heatproof.model import catalogue
from heatproof.model import effects as fx
from heatproof.model.scenario import create, scenario, update
from heatproof.model.templates import Ref
from heatproof.model.templates import resource as define
from heatproof.ports.heat import installation
from heatproof.ports.heat.databases import choice, private
from heatproof.properties.base import Property
from heatproof.strategies import running
from heatproof.strategies.asked import properties_for
from heatproof.strategies.running import Plan, Run

ROOT = Path(__file__).parents[1]
BEFORE = [define("A", {"p": 1}), define("B", {"p": Ref("A")}), define("C", {"p": Ref("B")})]
AFTER = [define("A", {"p": 2}), define("B", {"p": Ref("A")}, {"r": 1}), define("C", {"p": Ref("B")})]
SCENARIO = scenario(create(BEFORE), update(AFTER), engines=2, threads=2)
"""A chain of three is created and updated: one in place, one by replacement, one left alone."""

RUNS = 10


def measure() -> Result:
    """Everything about the engine but the replays, which are a benchmark of their own."""
    title = "Heat's engine, create and update of 3 resources (processor time; 'both cores' is time on the clock)"
    if reason := installation.why_not():
        return title, ["", ""], [[f"not measured: {reason}", ""]]
    rows = [["start-up: a process that has made one run", _start()]]
    asked = properties_for("heat-engine")
    _runs("heat-engine", (), "fifo", 2)
    rows += _rates("SQLite, fifo, no properties", "heat-engine", (), "fifo")
    rows += _rates("SQLite, random, all properties", "heat-engine", asked, "random")
    rows.append(["reset of the database", f"{_reset() * 1e6:.0f} us"])
    rows += _places(asked)
    rows += _both()
    return title, ["", ""], rows


def measure_databases() -> Result:
    """The same schedules on the servers that are installed."""
    title = "Heat's engine on other databases, create and update of 3 resources, random, all properties"
    if reason := installation.why_not():
        return title, ["", ""], [[f"not measured: {reason}", ""]]
    asked = properties_for("heat-engine")
    _runs("heat-engine", asked, "random", 2)
    rows = _rates("SQLite", "heat-engine", asked, "random")
    for kind, words in (("postgresql", ""), ("postgresql", "+statements"), ("mariadb", "")):
        name = f"{choice.SERVERS[kind]}{', an action is a statement' if words else ''}"
        with _server(kind) as reason:
            if reason:
                rows.append([name, f"not measured: {reason}"])
                continue
            design = f"heat-engine+{kind}{words}"
            _runs(design, asked, "random", 1)
            rows += _rates(name, design, asked, "random")
            rows.append(["  reset", f"{_reset(5) * 1e3:.0f} ms"])
    return title, ["", ""], rows


def _runs(design: str, properties: Sequence[Property], policy: str, count: int) -> list[Run]:
    target = catalogue.load(design)
    return [running.run(target, SCENARIO, properties, Plan(policy, seed, 0.02, 0.0)) for seed in range(count)]


def _rates(name: str, design: str, properties: Sequence[Property], policy: str) -> list[list[str]]:
    """Schedules, actions and transactions a second; where there is a server, it works beside this process, so time on the clock too."""
    began, clock = process_time(), time.perf_counter()
    runs = _runs(design, properties, policy, RUNS)
    spent, passed = process_time() - began, time.perf_counter() - clock
    steps = sum(len(run.actions) for run in runs)
    transactions = sum(1 for run in runs for e in run.world.log if e.before is not None and type(e.before.effect) is fx.Transaction)
    return [
        [name, f"{RUNS / spent:.1f} schedules/s"],
        ["  actions", f"{steps / spent:,.0f}/s, {steps / RUNS:.0f} a schedule"],
        ["  transactions (or statements and commits)", f"{transactions / spent:,.0f}/s, {transactions / RUNS:.0f} a schedule"],
        ["  on the clock", f"{RUNS / passed:.1f} schedules/s"],
    ]


def _reset(count: int = 100) -> float:
    """Seconds that it takes to empty the database that was used last."""
    database = installation.installed().database
    began = time.perf_counter()
    for _ in range(count):
        database.reset()
    return (time.perf_counter() - began) / count


def _start() -> str:
    program = "from benchmarks.engine import _memory, _runs; from time import process_time; _runs('heat-engine', (), 'fifo', 1);" \
        "print(process_time(), _memory())"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    seconds, megabytes = map(float, done.stdout.split())
    return f"{seconds:.1f} s, {megabytes:.0f} MB"


def _places(properties: Sequence[Property]) -> list[list[str]]:
    """The share of the time that each package has."""
    profile = cProfile.Profile()
    profile.enable()
    _runs("heat-engine", properties, "random", RUNS)
    profile.disable()
    spent: Counter[str] = Counter()
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    for (file, _, name), (_, _, own, _, _) in stats.items():
        spent[_package(file, name)] += own
    whole = sum(spent.values())
    return [[f"  of the time: {place}", f"{share / whole:.0%}"] for place, share in spent.most_common(8)]


def _package(file: str, name: str) -> str:
    if file == "~":
        return "SQLite itself" if "sqlite3" in name else "built-in functions"
    _, found, rest = file.rpartition("/site-packages/")
    if found:
        return rest.partition("/")[0].removesuffix(".py")
    return "heatproof" if str(ROOT) in file else "Python's library"


def _both() -> list[list[str]]:
    """Two processes beside each other against one alone."""
    (alone, memory), (together, _) = _beside(1), _beside(2)
    return [["one process, on the clock", f"{alone:.1f} schedules/s"],
            ["two processes, both cores", f"{together:.1f} schedules/s, {together / alone:.1f} times"],
            [f"most memory of a process that has made {2 * RUNS + 1} runs", f"{memory:.0f} MB"]]  # fmt: skip


def _beside(count: int) -> tuple[float, float]:
    """Schedules a second of so many processes, and the most memory that one of them had."""
    command = [sys.executable, "-m", "benchmarks.engine", str(2 * RUNS)]
    workers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(count)]
    for worker in workers:  # until all are ready
        assert worker.stdout is not None
        worker.stdout.readline()
    began = time.perf_counter()
    for worker in workers:  # before any is waited for: they are to run beside each other
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    memory = max(float(worker.communicate()[0]) for worker in workers)
    return count * 2 * RUNS / (time.perf_counter() - began), memory


def _memory() -> float:
    """The most memory that this process had, in megabytes. ``getrusage`` counts that of the process which has started this one, too."""
    return int(re.findall(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)[0]) / 1024


@contextmanager
def _server(kind: str) -> Iterator[str | None]:
    reason = private.why_not(kind)
    with nullcontext("") if reason else private.server(kind) as url:
        before = os.environ.get(choice.VARIABLE)
        os.environ[choice.VARIABLE] = url
        try:
            yield reason
        finally:
            os.environ.pop(choice.VARIABLE)
            if before is not None:
                os.environ[choice.VARIABLE] = before


if __name__ == "__main__":
    _runs("heat-engine", (), "fifo", 1)
    print("ready", flush=True)
    sys.stdin.readline()
    _runs("heat-engine", (), "random", int(sys.argv[1]))
    print(_memory())
