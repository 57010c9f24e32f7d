"""``python -m benchmarks.counterexamples``: the shortest counterexample of each property for each mutation of Heat, as a Markdown page.

Every scope is small enough to be searched to its end in seconds. Numbers of steps are exact: there is no shorter run in the scope.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from heatproof.model import catalogue
from heatproof.model.scenario import Scope
from heatproof.strategies.asked import properties_for
from heatproof.strategies.proving.proofs import Proof, prove
from heatproof.strategies.proving.scopes import Limits, Member, asked, budget_of, one_shape

SCOPES: dict[str, tuple[int, str, str, int, int, str, bool]] = {
    "a": (1, "none", "create,update:same", 1, 1, "", False),
    "b": (1, "none", "create,update:in-place", 1, 1, "", False),
    "c": (1, "none", "create,update:replace", 1, 1, "", False),
    "d": (1, "none", "create,delete", 1, 1, "", False),
    "e": (1, "none", "create,check", 1, 1, "", False),
    "f": (2, "chain", "create", 2, 1, "crash,lose", False),
    "g": (2, "none", "create", 2, 1, "", False),
    "h": (1, "none", "create", 1, 1, "fail,abort,disconnect,timeout", True),
    "i": (1, "none", "create,update:remove", 1, 1, "", False),
    "j": (1, "none", "create,cancel", 2, 1, "crash", False),
    "k": (1, "none", "create,signal", 2, 1, "abort", False),
}
"""Resources, dependencies, operations, engines, threads, faults, rollback."""

Seen = dict[tuple[str, str], tuple[int, str]]
"""Of each violation the fewest steps, and the scope."""


def members(name: str) -> list[Member]:
    """The scenarios of a scope."""
    resources, dependencies, operations, engines, threads, faults, rollback = SCOPES[name]
    limits = Limits(asked(operations), None, Scope(engines, threads), budget_of([faults] if faults else []), rollback)
    return list(one_shape(catalogue.load("heat"), resources, dependencies, limits))


def command(name: str) -> str:
    """The options of ``heatproof prove`` for a scope."""
    resources, dependencies, operations, engines, threads, faults, rollback = SCOPES[name]
    return (
        f"--resources {resources} --dependencies {dependencies} --operations {operations} --engines {engines} --threads {threads}"
        + (f" --faults {faults}" if faults else "")
        + (" --rollback" if rollback else "")
    )


def searched(spec: str) -> list[tuple[str, Proof]]:
    """A design in all scopes."""
    design, found = catalogue.load(spec), []
    properties = properties_for(spec)
    for name in SCOPES:
        for number, member in enumerate(members(name)):
            found.append((name, prove(design, member.scenario, properties, number=number, label=member.label)))
    return found


def shortest(found: list[tuple[str, Proof]]) -> Seen:
    """Of each violation the fewest steps, and the scope where."""
    best: Seen = {}
    for name, proof in found:
        for key, violation in proof.violations.items():
            best[key] = min(best.get(key, (sys.maxsize, "")), (len(violation.actions), name))
    return best


def page(results: dict[str, list[tuple[str, Proof]]]) -> Iterator[str]:
    """The page, line by line."""
    own = shortest(results["heat"])
    cut = sorted({f"{spec} in {name}" for spec, found in results.items() for name, proof in found if not proof.complete})
    yield "| scope | `heatproof prove heat` with | states | violations |"
    yield "|---|---|---|---|"
    for name in SCOPES:
        mine = [proof for other, proof in results["heat"] if other == name]
        kinds = {key for proof in mine for key in proof.violations}
        yield f"| {name} | `{command(name)}` | {sum(p.states for p in mine):,} | {len(kinds) or 'none'} |"
    yield ""
    yield "Heat's own design, as it is:"
    yield ""
    yield "| property | witness | steps | scope |"
    yield "|---|---|---|---|"
    for (prop, kind), (steps, name) in sorted(own.items()):
        yield f"| {prop} | {kind} | {steps} | {name} |"
    yield ""
    yield "What each mutation adds: violations that Heat's own design does not have in these scopes, and those that it has but not so soon"
    yield "(with Heat's own number of steps in brackets)."
    yield ""
    yield "| mutation | property | witness | steps | scope |"
    yield "|---|---|---|---|---|"
    silent = []
    for spec, found in results.items():
        more = {key: best for key, best in shortest(found).items() if key not in own or best[0] < own[key][0]}
        if not more:
            silent.append(spec.partition("+")[2])
        for key, (steps, name) in sorted(more.items(), key=lambda item: (item[0] in own, item[1][0], item[0])):
            before = f" ({own[key][0]})" if key in own else ""
            yield f"| {spec.partition('+')[2]} | {key[0]} | {key[1]} | {steps}{before} | {name} |"
    silent.remove("")
    yield ""
    yield f"Not told from Heat's own design in these scopes ({len(silent)}): {', '.join(silent) or 'none'}."
    if cut:
        yield f"Not searched to the end: {', '.join(cut)}."


def main(specs: list[str]) -> int:
    """Search and print."""
    known = ["heat", *(f"heat+{name}" for name in catalogue.MUTATIONS_OF["heat"])]
    asked_for = ["heat", *(s for s in specs if s != "heat")] if specs else known
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        results = dict(zip(asked_for, pool.map(searched, asked_for), strict=True))
    print("\n".join(page(results)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
