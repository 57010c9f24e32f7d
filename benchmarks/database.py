"""What operations ask of the database: the plots of docs/database.md, and what it costs that workers get in each other's way.

``python -m benchmarks.database [FOLDER]`` measures every shape and operation at every size on the model and on the engine, and writes the
plots as SVG, the same files each time. It needs matplotlib (``pip install 'heatproof[plots]'``).
"""

from __future__ import annotations

import io
import statistics
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.common import Result
from heatproof.accesses_command import Run, of_shapes
from heatproof.model import catalogue
from heatproof.model.meter import meter
from heatproof.model.scenario import Scenario, Scope
from heatproof.ports.heat.accesses.comparing import cost, group_of
from heatproof.ports.heat.accesses.shapes import OPERATIONS, SHAPES, asked
from heatproof.reports.files import write_whole
from heatproof.strategies import running
from heatproof.strategies.running import Plan

SIZES = (5, 10, 20, 40)
LARGEST = SIZES[-1]
FOLDER = Path("docs/database")
SCOPE = Scope(4, 4)
"""Sixteen workers."""
SEEDS = 20

COLOURS = {"create": "#1b7837", "unchanged": "#762a83", "in-place": "#2166ac", "replacement": "#b2182b", "delete": "#4d4d4d"}
DRAWN = ("create", "unchanged", "replacement", "delete")
"""In-place lies on unchanged."""
PARTS = {
    "the template": ("#b2182b", ("raw_template.",)),
    "the graph": ("#2166ac", ("stack.current_deps",)),
    "input of sync points": ("#1b7837", ("sync_point.input_data",)),
    "everything else": ("#bbbbbb", ("",)),
}
"""What the bytes are of: colour, and how the names of the columns begin; the first that fits."""


def contention() -> Result:
    """The table: how many more statements the same create takes, and how many compare-and-sets are lost, where tasks take turns."""
    design, rows = catalogue.load("heat"), []
    for shape in SHAPES:
        for size in (10, 20, LARGEST):
            drawn = Scenario(asked("create", shape, size).operations, SCOPE)

            def measured(policy: str, seeds: int, drawn: Scenario = drawn) -> tuple[float, float]:
                runs = [meter(running.run(design, drawn, [], Plan(policy, seed, 0.0)).world) for seed in range(seeds)]
                lost = [sum(a.kind == "compare-and-set" and a.outcome == "missed" for a in run.accesses) for run in runs]
                sent = [cost(a for a in run.accesses if not group_of(a)).statements for run in runs]
                return statistics.mean(sent), statistics.mean(lost)

            one, turns, chance = measured("fifo", 1), measured("lockstep", 1), measured("random", SEEDS)
            rows.append([
                f"{shape} of {size}", f"{one[0]:.0f}", f"{turns[0]:.0f}", f"{turns[1]:.0f}", f"{turns[0] / one[0] - 1:+.0%}",
                f"{chance[0]:.0f}", f"{chance[1]:.0f}", f"{chance[0] / one[0] - 1:+.0%}",
            ])  # fmt: skip
    columns = ["", "one by one", "in turns", "lost", "more", "at random", "lost", "more"]
    return "Statements of a create by 16 workers, in the model", columns, rows


def measure() -> list[Run]:
    """Everything that is plotted. Raises SystemExit if the model does not predict it."""
    given = {"operations": tuple(OPERATIONS), "shapes": tuple(SHAPES), "sizes": SIZES, "text": 0, "processes": 2}
    runs = list(of_shapes(given, "heat", "heat-engine"))
    if wrong := [run.title for run in runs if not run.equal]:
        sys.exit(f"the model does not predict: {'; '.join(wrong)}")
    return runs


def plots(runs: list[Run]) -> dict[str, str]:
    """The files, each with its content."""
    return {
        "statements.svg": _by_size(runs, "statements sent", lambda run: run.comparison.cost("engine", run.number).statements),
        "bytes.svg": _by_size(runs, "kilobytes read", lambda run: run.comparison.cost("engine", run.number).read / 1000),
        "columns.svg": _parts([run for run in runs if run.size == LARGEST]),
    }


def _figure(height: float) -> Any:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "heatproof", "svg.fonttype": "none", "font.size": 8, "axes.spines.top": False,
                                "axes.spines.right": False, "font.family": "sans-serif"})  # fmt: skip
    from matplotlib.figure import Figure

    return Figure(figsize=(7.5, height), layout="constrained")


def _svg(figure: Any) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _by_size(runs: list[Run], what: str, number: Any) -> str:
    figure = _figure(5.6)
    grid = figure.subplots(2, 2, sharex=True, sharey=True)
    for axes, shape in zip(grid.flat, SHAPES, strict=True):
        axes.set_title(shape, loc="left", fontweight="bold")
        for operation in DRAWN:
            here = [run for run in runs if run.shape == shape and run.operation == operation]
            axes.plot([r.size for r in here], [number(r) for r in here], marker="o", markersize=3.5, linewidth=1.2, label=operation,
                      color=COLOURS[operation])  # fmt: skip
        axes.set_xlim(0, LARGEST + 2)
        axes.grid(color="#eeeeee")
    grid[0][0].set_ylim(0, 1.04 * max(number(run) for run in runs))
    for axes in grid[1]:
        axes.set_xlabel("resources")
    for axes in grid[:, 0]:
        axes.set_ylabel(what)
    grid[0][0].legend(frameon=False)
    return _svg(figure)


def parts(run: Run) -> Counter[str]:
    """The bytes that were read for an operation, without what is outside the model, by what they are of (:data:`PARTS`)."""
    found: Counter[str] = Counter()
    for column, number in run.comparison.columns.items():
        if column.operation == run.number and not column.apart:
            name = f"{column.table}.{column.column}"
            found[next(part for part, (_, begins) in PARTS.items() if name.startswith(begins))] += number
    return found


def _parts(runs: list[Run]) -> str:
    figure = _figure(4.6)
    axes = figure.subplots()
    labels = [f"{run.operation}, {run.shape}" for run in runs]
    left = [0.0] * len(runs)
    for part, (colour, _) in PARTS.items():
        widths = [parts(run)[part] / 1000 for run in runs]
        axes.barh(labels, widths, left=left, color=colour, label=part, height=0.7)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel(f"kilobytes read, {LARGEST} resources")
    axes.legend(frameon=False, loc="lower right")
    return _svg(figure)


def main(arguments: list[str]) -> None:
    """Write the plots."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        sys.exit("the plots need matplotlib: pip install 'heatproof[plots]'")
    folder = Path(arguments[0]) if arguments else FOLDER
    runs = measure()
    made = plots(runs)
    for name, content in made.items():
        write_whole(folder / name, content)
        print(folder / name)
    for run in runs:
        if run.size == LARGEST:
            shares = parts(run)
            print(f"{run.title:24}", *(f"{part}: {shares[part] / shares.total():.0%}" for part in PARTS), sep="  ")


if __name__ == "__main__":
    main(sys.argv[1:])
