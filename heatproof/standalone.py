"""For test files that ``heatproof port`` has written of cases of the real engine: one call that fails as long as the defect is there."""

from __future__ import annotations

from collections.abc import Sequence

from heatproof.model import catalogue
from heatproof.options import patched
from heatproof.reports import cases
from heatproof.reports.judging import judge
from heatproof.strategies.asked import properties_for

NEARBY = 60
"""Runs near by, where the schedule does not fit the engine any more: a change of Heat moves it."""


def check(text: str, patches: Sequence[str] = (), nearby: int = NEARBY) -> None:
    """Run the case in ``text`` (a case file of heatproof about heat-engine) on the installed Heat, with these patches.

    Raises AssertionError, with the story, if its failure shows, under the stored schedule or under one of ``nearby`` others; also if
    nothing can be said. Raises :class:`HeatproofError` for a broken case and for a Heat that the port does not know.
    """
    case = cases.load(text.encode(), "the case in this file")
    spec = patched(case.design, patches)
    judged = judge(case, catalogue.load(spec), properties_for(spec), nearby)
    if judged.shows:
        raise AssertionError(f"{case.title}\n\n{judged.story(case)}")
    if not judged.as_expected(case._replace(expectation="holds")):
        raise AssertionError(f"{case.title}: {judged.answer}. {' '.join(judged.told)}")


__all__ = ["check"]
