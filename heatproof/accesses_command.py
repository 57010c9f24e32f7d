"""The command ``heatproof accesses``: what operations ask of the database, in the model and in the engine."""

from __future__ import annotations

import csv
import io
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple

import click

from heatproof.ending import begin_worker, end_workers
from heatproof.exit_codes import HELD, INCOMPLETE, VIOLATED, errors, say
from heatproof.model.designs.heat import Heat
from heatproof.model.errors import HeatproofError
from heatproof.model.scenario import Scenario
from heatproof.options import Place, database_option, on, patch_option, patched
from heatproof.ports.heat import installation
from heatproof.ports.heat.accesses import comparing
from heatproof.ports.heat.accesses.comparing import Comparison, Cost, Line
from heatproof.ports.heat.accesses.growth import growth
from heatproof.ports.heat.accesses.shapes import OPERATIONS, SHAPES, asked
from heatproof.reports import cases
from heatproof.reports.files import refuse_unwritable_file, write_whole

SIZES = (5, 10)
LARGEST = 1000
CREATE = "create"
TELLING = 4
"""How many sizes it takes to tell a square from what is more."""


class Run(NamedTuple):
    """One operation that was measured: what it is called, the shape and size of its template (empty and 0 for a case), its number in the
    scenario, and the comparison of the whole scenario."""

    operation: str
    shape: str
    size: int
    number: int
    comparison: Comparison

    @property
    def title(self) -> str:
        """How it is headed."""
        return f"{self.operation}, {self.shape} of {self.size}" if self.shape else f"operation {self.number}: {self.operation}"

    @property
    def lines(self) -> list[Line]:
        """What is compared of it."""
        return [line for line in self.comparison.lines if line.operation == self.number]

    @property
    def equal(self) -> bool:
        """Whether both sides have the same."""
        return all(line.equal for line in self.lines)


def _names(known: Any, what: str) -> Callable[[click.Context, click.Parameter, str], tuple[str, ...]]:
    def parse(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
        for name in names:
            if name not in known:
                raise click.BadParameter(f"unknown {what} {name!r}; known are {', '.join(known)}")
        if not names:
            raise click.BadParameter(f"name at least one {what}; known are {', '.join(known)}")
        return names

    return parse


def _sizes(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        sizes = sorted({int(number) for number in value.split(",")})
    except ValueError:
        raise click.BadParameter(f"{value!r} are no numbers of resources; write them as 5,10,20") from None
    if sizes[0] < 1 or sizes[-1] > LARGEST:
        raise click.BadParameter(f"a template has 1 to {LARGEST} resources here, not {sizes[0] if sizes[0] < 1 else sizes[-1]}")
    return tuple(sizes)


@click.command()
@click.argument("case", required=False, type=Place())
@click.option(
    "--shapes", default=",".join(SHAPES), show_default=True, callback=_names(SHAPES, "shape"), help="Shapes of templates."
)
@click.option("--operations", default=",".join(OPERATIONS), show_default=True, callback=_names(OPERATIONS, "operation"),
              help="What is asked; all but create of a stack that was created before.")  # fmt: skip
@click.option("--sizes", default=",".join(map(str, SIZES)), show_default=True, callback=_sizes, help="Numbers of resources.")
@click.option("--text", default=0, show_default=True, type=click.IntRange(0, 100_000), metavar="BYTES",
              help="A text of so many bytes in each resource's definition: real ones are longer.")  # fmt: skip
@click.option("--brief", is_flag=True, help="One line for each operation, without its accesses by table and kind.")
@click.option("--columns", default=0, show_default=True, type=click.IntRange(0), metavar="N",
              help="The N columns of tables from which most bytes were read, by function of heat.db.api.")  # fmt: skip
@click.option("--csv", "output", type=Place(dir_okay=False), help="Write all numbers to this file too.")
@click.option("--design", default=Heat.name, show_default=True, help="The model: heat, or heat+MUTATION.")
@click.option(
    "--processes", default=os.cpu_count() or 1, show_default="one a core", type=click.IntRange(1, 256), help="Worker processes."
)
@database_option
@patch_option
@errors
def accesses(case: Path | None, **given: Any) -> int:
    """Count what operations ask of the database, in the model of Heat's algorithm and in the engine itself, and compare.

    For each operation, shape and size (or for each operation of the scenario of CASE, without its faults and its schedule): the accesses by
    table and kind, transactions, statements, rows, and the bytes that were read and written, on an otherwise idle system (the policy
    fifo). From four sizes on, also how they grow. What is outside the model, such as events, is counted apart.

    Bytes are those of all values of all rows that a query returns, as text in UTF-8; in the model, those of its rows as JSON.

    Exit codes: 0 the model predicts exactly what the engine does, 1 it does not, 2 wrong use or no engine, 3 interrupted.
    """
    if reason := installation.why_not():
        raise HeatproofError(f"there is no engine to compare with: {reason}")
    if given["output"] is not None:
        refuse_unwritable_file(given["output"])
    model, engine = patched(given["design"], given["patch"]), patched(on("heat-engine", given["database"]), given["patch"])
    runs: list[Run] = []
    measured = of_case(case, model, engine) if case is not None else of_shapes(given, model, engine)
    if given["brief"]:
        say(_brief())
    interrupted = False
    try:
        for run in measured:
            runs.append(run)
            say(_brief(run) if given["brief"] else told(run))
            if given["columns"]:
                say(dearest(run, given["columns"]))
    except KeyboardInterrupt:
        interrupted = True
    if len({run.size for run in runs}) >= TELLING:
        say("\n" + grown(runs, given["columns"]))
    if given["output"] is not None:
        write_whole(given["output"], as_csv(runs))
    equal = sum(run.equal for run in runs)
    say(f"\nEqual in {equal} of {len(runs)}: transactions, and statements and rows by table and kind, as the model predicts them.")
    if interrupted:
        say("Interrupted before all was measured.")
    return VIOLATED if equal < len(runs) else INCOMPLETE if interrupted else HELD


def of_case(case: Path, model: str, engine: str) -> Iterator[Run]:
    """Each operation of a stored scenario."""
    scenario = cases.read(case).scenario
    found = comparing.run(Scenario(scenario.operations, scenario.scope), model, engine)
    for number, operation in enumerate(scenario.operations, 1):
        yield Run(str(operation), "", 0, number, found)


def of_shapes(given: dict[str, Any], model: str, engine: str) -> Iterator[Run]:
    """Each operation, shape and size. A create is measured with what comes after it, where something does."""
    wanted: Sequence[str] = given["operations"]
    later = [name for name in wanted if name != CREATE] or [CREATE]
    jobs = [(shape, size, name) for shape in given["shapes"] for size in given["sizes"] for name in later]
    scenarios = [asked(name, shape, size, given["text"]) for shape, size, name in jobs]
    done = compared(scenarios, model, engine, given["processes"])
    for (shape, size, name), found in zip(jobs, done, strict=True):
        if name == later[0] and CREATE in wanted:
            yield Run(CREATE, shape, size, 1, found)
        if name != CREATE:
            yield Run(name, shape, size, len(found.operations), found)


def compared(scenarios: Sequence[Scenario], model: str, engine: str, processes: int) -> Iterator[Comparison]:
    """The scenarios in order, in several processes where there are several. Raises :class:`HeatproofError` if one of these died."""
    processes = min(processes, len(scenarios))
    if processes < 2:
        yield from (comparing.run(one, model, engine) for one in scenarios)
        return
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), initializer=begin_worker)
    whole = False
    try:
        yield from pool.map(comparing.run, scenarios, [model] * len(scenarios), [engine] * len(scenarios))
        whole = True
    except BrokenProcessPool as error:
        raise HeatproofError(f"a worker process died ({error}); try fewer --processes, or look for a full memory") from error
    finally:
        working = list((pool._processes or {}).values())
        pool.shutdown(wait=whole, cancel_futures=True)
        if not whole:
            end_workers(working)


# ------------------------------------------------------------------------------------------------------------ the report


def told(run: Run) -> str:
    """One operation: its accesses by table and kind on both sides, what they come to, and what is apart."""
    rows = [["table", "kind", "model", "rows", "engine", "rows", ""]]
    for line in run.lines:
        numbers = ["" if line.kind == "transaction" and i % 2 else str(n) for i, n in enumerate((*line.model, *line.engine))]
        rows.append([line.table or "(all)", line.kind, *numbers, "" if line.equal else "<- differs"])
    widths = [max(len(row[i]) for row in rows) for i in range(7)]
    lines = [f"\n{run.title}: {'equal' if run.equal else 'NOT equal'}"]
    for row in rows:
        cells = [cell.ljust(w) if i in (0, 1, 6) else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))]
        lines.append(f"  {'  '.join(cells)}".rstrip())
    mine, its = run.comparison.cost("model", run.number), run.comparison.cost("engine", run.number)
    lines.append(f"  in all: {_cost(its)}; in the model {mine.read:,} and {mine.written:,}")
    lines += [f"  apart, {name}: {_cost(cost)}" for name, cost in run.comparison.apart("engine", run.number).items()]
    return "\n".join(lines)


def _cost(cost: Cost) -> str:
    return (
        f"{cost.transactions:,} transactions, {cost.statements:,} statements, {cost.rows:,} rows, {cost.read:,} bytes read,"
        f" {cost.written:,} written"
    )


BRIEF = ("transactions", "statements", "rows", "bytes read", "written", "apart", "read")


def _brief(run: Run | None = None) -> str:
    if run is None:
        return f"{'':32}" + "".join(f"{name:>13}" for name in BRIEF)
    cost, groups = run.comparison.cost("engine", run.number), run.comparison.apart("engine", run.number).values()
    apart = (sum(g.statements for g in groups), sum(g.read for g in groups))
    return f"{run.title:32}" + "".join(f"{n:13,}" for n in (*cost, *apart)) + ("  equal" if run.equal else "  NOT equal")


def dearest(run: Run, most: int) -> str:
    """The columns from which most bytes were read, what is apart included."""
    counted = run.comparison.read_from(run.number)
    return "\n".join(
        f"  {counted[key]:12,} bytes {counted[key] / counted.total():5.1%}  {key[0]}: {key[1]}" for key in _first(counted, most)
    )


def _first(counted: Counter[tuple[str, str]], most: int) -> list[tuple[str, str]]:
    return sorted(counted, key=lambda key: (-counted[key], key))[:most]


def grown(runs: Sequence[Run], most: int) -> str:
    """How the numbers grow with the number n of resources, and the bytes from the ``most`` columns from which most were read."""
    by_kind: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        by_kind.setdefault((run.operation, run.shape), []).append(run)
    lines = ["Growth with n resources, what is apart not included but in columns:"]
    for (operation, shape), group in by_kind.items():
        sizes = [run.size for run in group]
        costs = [run.comparison.cost("engine", run.number) for run in group]
        laws = {field: growth(sizes, [getattr(c, field) for c in costs]) for field in Cost._fields}
        lines.append(
            f"  {operation}, {shape}: transactions {laws['transactions']}; statements {laws['statements']}; rows {laws['rows']};"
            f" bytes read {laws['read']}; written {laws['written']}"
        )
        counted = [run.comparison.read_from(run.number) for run in group]
        for key in _first(counted[-1], most):
            lines.append(f"    {key[0]}: {key[1]}: {growth(sizes, [c[key] for c in counted])}")
    return "\n".join(lines)


def as_csv(runs: Sequence[Run]) -> str:
    """All numbers: a line for each operation, side, table and kind, and what it is apart under."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("operation", "shape", "size", "number", "side", "apart", "table", "kind", *Cost._fields))
    for run in runs:
        for side, meter in (("model", run.comparison.model), ("engine", run.comparison.engine)):
            groups: dict[tuple[str, str, str], list[Any]] = {}
            for access in meter.accesses:
                if access.operation == run.number:
                    groups.setdefault((comparing.group_of(access), access.table, access.kind), []).append(access)
            for key in sorted(groups):
                table.writerow((run.operation, run.shape, run.size, run.number, side, *key, *comparing.cost(groups[key])))
    return text.getvalue()


__all__ = ["accesses"]
