"""Which repair cures which stored case of the model, near by: ``python -m benchmarks.repairs``. A table for docs/findings.md."""

from __future__ import annotations

from pathlib import Path

from heatproof.model import catalogue
from heatproof.reports import cases, judging
from heatproof.strategies.asked import properties_for

FOLDER = Path(__file__).parents[1] / "reports" / "regressions" / "heat"
RUNS = 60


def main() -> None:
    """Judge each case on the model with each repair alone, then with all of them."""
    repairs = list(catalogue.REPAIRS_OF["heat"])
    properties = properties_for("heat")
    print(f"| case of the model | gone with ({RUNS} runs near by) |\n|---|---|")
    for path in sorted(FOLDER.glob("*.case.json")):
        case = cases.read(path)
        alone = [name for name in repairs if not judging.judge(case, catalogue.load(f"heat+{name}"), properties, RUNS).shows]
        together = judging.judge(case, catalogue.load("+".join(["heat", *repairs])), properties, RUNS)
        told = ", ".join(f"`{name}`" for name in alone) or ("all together" if not together.shows else "none of them")
        print(f"| `{path.name.removesuffix('.case.json')}` | {told}{' (but not with all)' if alone and together.shows else ''} |")


if __name__ == "__main__":
    main()
