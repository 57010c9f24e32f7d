"""``python -m tests.adopt [--shrink] [FOLDER]``: keep the failures of a check as known ones, or store the known ones anew.

For each case in FOLDER (a report of ``heatproof check heat``) whose kind of failure is not kept yet, the case goes to
``reports/regressions/heat/``. Then every case there is written anew, in the schema and with the step ids and deviations of today, and
under a schedule near by where its own does not fit the design any more; its story is told again. With ``--shrink`` each is made smaller
first, where that is possible. Read the diff before you commit it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import heatproof
from heatproof.reports import cases
from heatproof.reports.files import write_whole
from heatproof.reports.judging import FAILS, design_of, judge, noted
from heatproof.strategies.shrinking import Failure, Shrinker

KEPT = Path(__file__).resolve().parent.parent / "reports" / "regressions" / "heat"


def adopt(folder: Path) -> None:
    """Take over the cases of a report whose kind of failure is not kept yet."""
    known = {cases.read(path).expected for path in KEPT.glob("*.case.json")}
    for path in sorted(folder.glob("*.case.json")):
        case = cases.read(path)
        if case.expected not in known:
            write_whole(KEPT / path.name, cases.dump(case, heatproof.__version__))
            print(f"kept {path.name}")


BUDGET = 6_000
"""Runs to make a case smaller."""


def store(path: Path, smaller: bool = False) -> None:
    """Write a kept case and its story anew, if it still fails."""
    case = cases.read(path)
    design, properties = design_of(case, str(path))
    judged = judge(case, design, properties)
    if smaller and judged.case is not None and judged.violation is not None:
        stored = judged.case
        failure = Failure(stored.scenario, list(stored.schedule), judged.violation, list(judged.deviations))
        small = Shrinker(design, properties, failure, BUDGET).shrink()
        case = noted(stored._replace(scenario=small.scenario), design, small.actions)
        judged = judge(case, design, properties)
    if judged.case is None:
        print(f"{path.name}: {judged.answer}. {' '.join(judged.told)}")
        return
    if judged.answer != FAILS:
        print(f"{path.name}: {' '.join(judged.told)}")
    now = noted(case, design, case.schedule) if judged.answer == FAILS else judged.case
    text = cases.dump(now, case.heatproof)
    if text.encode() != path.read_bytes():
        write_whole(path, cases.dump(now, heatproof.__version__))
    write_whole(path.with_name(path.name.replace(".case.json", ".story.txt")), judged.story(case) + "\n")


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--shrink"]
    if arguments:
        adopt(Path(arguments[0]))
    for kept in sorted(KEPT.glob("*.case.json")):
        store(kept, smaller="--shrink" in sys.argv)
