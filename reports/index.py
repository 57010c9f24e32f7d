"""The index page over a whole check: verdicts, situations, and every case with a small picture of its run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from heatproof.reports.diagram import HEIGHT, outline
from heatproof.reports.lanes import Lanes
from heatproof.reports.page import asset, policy, templates
from heatproof.reports.showing import visible
from heatproof.reports.told import Told
from heatproof.reports.verdicts import Verdicts

ORDER = ("violated", "not reached", "not asked", "incomplete", "held", "reached")
"""Of verdicts: what wants attention first."""


class Card(NamedTuple):
    """A case in the index: the name it has in the verdicts, the address of its page (empty: it has none, and ``wrong`` says why), its title,
    a line of figures, and its picture: the size of its space and paths by class."""

    name: str
    address: str
    title: str
    figures: str = ""
    wrong: str = ""
    width: int = 0
    height: int = 0
    paths: Sequence[tuple[str, str]] = ()


def card(name: str, address: str, told: Told) -> Card:
    """The card of a case."""
    run = told.run
    lanes = Lanes(run)
    faults = sum(1 for step in run.steps if step.fault)
    figures = [_count(len(run.world.scenario.operations), "operation"), _count(len(told.deviations), "deviation")]
    if faults:
        figures.append(_count(faults, "fault"))
    figures.append(_count(len(run.steps), "step"))
    if told.violation is None:
        figures.append("does not show any more" if told.case.expected is not None else "nothing violated")
    violated = told.violation.step if told.violation is not None else None
    paths = outline(run, lanes, violated)
    return Card(
        name,
        address,
        visible(told.case.title or name, 200),
        ", ".join(figures),
        "",
        round(lanes.width),
        len(run.steps) * HEIGHT,
        paths,
    )


def index(title: str, verdicts: Verdicts | None, cards: Sequence[Card], version: str) -> str:
    """The page as text. Without verdicts (a folder that no check has written) it lists the cases."""
    css = asset("page.css")
    addresses = {one.name: one.address for one in cards}
    rows: list[dict[str, str]] = []
    situations: list[dict[str, str]] = []
    counts: dict[str, int] = {}
    if verdicts is not None:
        for line, case in zip(verdicts.table, verdicts.cases, strict=True):
            counts[line.verdict] = counts.get(line.verdict, 0) + 1
            shown = {**{k: visible(v, 500) for k, v in line._asdict().items()}, "address": addresses.get(case, "")}
            (situations if line.expectation == "sometimes" else rows).append(shown)
        rows.sort(key=lambda row: ORDER.index(row["verdict"]) if row["verdict"] in ORDER else len(ORDER))
    return templates().get_template("index.html").render(
        title=visible(title, 300), version=version, css=css, policy=policy(css), verdicts=verdicts, rows=rows, situations=situations,
        design=visible(verdicts.design) if verdicts else "", summary=visible(verdicts.summary, 500) if verdicts else "",
        counts=[(verdict, counts[verdict]) for verdict in ORDER if verdict in counts], cards=cards,
        classes={"violated": "violated", "held": "held", "reached": "reached"},
    )  # fmt: skip


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("s" if number != 1 else "")


__all__ = ["Card", "card", "index"]
