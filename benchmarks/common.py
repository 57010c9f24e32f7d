"""What the benchmarks share: scenarios of fixed shape, and a clock that counts processor time."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from time import process_time

from heatproof.model.scenario import Operation, Scenario, create, scenario, update
from heatproof.model.templates import Attr, Ref, Template, resource
from heatproof.properties.base import Property
from heatproof.properties.catalogue import ALL

Result = tuple[str, list[str], list[list[str]]]
"""A title, the columns and the rows."""

ASKED: list[Property] = list(ALL.values())
ALWAYS = [p for p in ASKED if p.expectation == "always"]

BEFORE = Template([
    resource("A", {"a": 1}),
    resource("B", {"a": Ref("A")}),
    resource("C", {"a": Ref("A"), "b": Attr("B", "a")}),
    resource("D", depends_on=["C"]),
    resource("E", {"x": 2}),
])  # fmt: skip
AFTER = Template([
    resource("A", {"a": 2}),
    resource("B", {"a": Ref("A")}, {"r": 1}),
    resource("C", {"a": Ref("A"), "b": Attr("B", "a")}),
    resource("D", depends_on=["C"]),
    resource("F", {"x": 2}),
])  # fmt: skip
UPDATE = scenario(create(BEFORE), update(AFTER))
"""Five resources, two operations: an in-place update, a replacement, a removal, an addition, two left alone."""

DIAMOND = Template([
    resource("A", {"a": 1}),
    resource("B", {"a": Ref("A")}),
    resource("C", {"a": Ref("A")}),
    resource("D", depends_on=["B", "C"]),
])  # fmt: skip
CHAIN = Template([resource("A", {"a": 1}), resource("B", {"a": Ref("A")})])
CHAIN_AFTER = Template([resource("A", {"a": 2}), resource("B", {"a": Ref("A"), "b": 2})])
CREATE_DIAMOND = scenario(create(DIAMOND))
UPDATE_CHAIN = scenario(create(CHAIN), update(CHAIN_AFTER))
DELETE_CHAIN = scenario(create(CHAIN), Operation("delete"))


def flat(count: int, branch: int = 10) -> Scenario:
    """A create of ``count`` resources in chains of ``branch``."""
    return scenario(create(Template(resource(f"R{i:05}", {"a": Ref(f"R{i - 1:05}") if i % branch else i}) for i in range(count))))


def median_rate(work: Callable[[], int], repeats: int = 5) -> float:
    """The median, over ``repeats`` calls, of what ``work`` counts per second of processor time."""
    rates = []
    for _ in range(repeats):
        start = process_time()
        count = work()
        rates.append(count / (process_time() - start))
    return statistics.median(rates)


def per_second(rate: float) -> str:
    """A rate as text."""
    return f"{rate:,.0f}/s"
