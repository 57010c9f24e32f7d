"""``python -m tests.adopt [FOLDER]``: keep the failures of a check as known ones, or write the stories of the known ones anew.

For each case in FOLDER (a report of ``heatproof check heat``) whose kind of failure is not kept yet, the case and its story go to
``reports/regressions/heat/``. Then every story there is told again. Read the diff before you commit it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import heatproof
from heatproof.model import catalogue
from heatproof.properties.catalogue import ALL
from heatproof.reports import cases
from heatproof.reports.files import write_whole
from heatproof.reports.story import story
from heatproof.strategies.running import Driver
from heatproof.strategies.schedules import record

KEPT = Path(__file__).resolve().parent.parent / "reports" / "regressions" / "heat"


def adopt(folder: Path) -> None:
    """Take over the cases of a report whose kind of failure is not kept yet."""
    known = {cases.read(path).expected for path in KEPT.glob("*.case.json")}
    for path in sorted(folder.glob("*.case.json")):
        case = cases.read(path)
        if case.expected not in known:
            write_whole(KEPT / path.name, cases.dump(case, heatproof.__version__))
            print(f"kept {path.name}")


def tell(path: Path) -> str:
    """The story of a kept case. Raises KeyError if it does not fail any more."""
    case = cases.read(path)
    assert case.expected is not None
    driver = Driver(catalogue.load(case.design), case.scenario, ALL.values())
    deviations = record(driver, case.schedule)
    return story(driver.world, deviations, driver.monitor.violations[case.expected], case.title) + "\n"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        adopt(Path(sys.argv[1]))
    for kept in sorted(KEPT.glob("*.case.json")):
        write_whole(kept.with_name(kept.name.replace(".case.json", ".story.txt")), tell(kept))
