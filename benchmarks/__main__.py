"""``python -m benchmarks [NAME...]``: run the benchmarks and print one table each. Figures are medians; ratios are of one run."""

from __future__ import annotations

import gc
import platform
import sys

from rich.console import Console
from rich.table import Table

from benchmarks import (
    database,
    engine,
    finding,
    growth,
    hypothesis_speed,
    peers,
    prove_memory,
    prove_scopes,
    prove_threads,
    replays,
    shrinking,
    steps,
)

BENCHMARKS = {
    "steps": steps.measure,
    "hypothesis": hypothesis_speed.measure,
    "finding": finding.measure,
    "growth": growth.measure,
    "engine": engine.measure,
    "engine-databases": engine.measure_databases,
    "contention": database.contention,
    "replays": replays.measure,
    "shrinking": shrinking.measure,
    "peers": peers.measure,
    "engines": peers.engines,
    "reductions": peers.reductions,
    "prove-memory": prove_memory.measure,
    "prove-waiting": prove_memory.waiting,
    "prove-scopes": prove_scopes.measure,
    "prove-threads": prove_threads.measure,
}


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"unknown benchmark {unknown[0]!r}; known are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    console = Console(width=150, highlight=False)
    console.print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}, one process")
    for name in names or BENCHMARKS:
        gc.collect()
        gc.freeze()
        title, columns, rows = BENCHMARKS[name]()
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        for index, column in enumerate(columns):
            table.add_column(column, justify="left" if index == 0 else "right")
        for row in rows:
            table.add_row(*row)
        console.print()
        console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
