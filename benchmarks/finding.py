"""heatproof against the plain way, on the same world: steps per second, and time to the first failure on mutations."""

from __future__ import annotations

import contextlib
import io
import statistics
from random import Random
from time import process_time

from benchmarks.common import ASKED, CREATE_DIAMOND, DELETE_CHAIN, UPDATE, UPDATE_CHAIN, Result, per_second
from benchmarks.plain import plain_machine, run_plain
from heatproof.model import catalogue
from heatproof.model.scenario import Scenario
from heatproof.model.world import program_for
from heatproof.strategies.policies import PORTFOLIO
from heatproof.strategies.running import Plan, run

HANGS = "rest: no operation hangs"
CASES: tuple[tuple[str, Scenario, tuple[str, str]], ...] = (
    ("sync-blind", CREATE_DIAMOND, (HANGS, "CREATE hangs, sync points wait")),
    ("no-retrigger-at-all", UPDATE_CHAIN, (HANGS, "UPDATE hangs, sync points wait")),
    ("retrigger-uses-cached-stack", UPDATE_CHAIN, (HANGS, "UPDATE hangs, sync points wait")),
    ("retrigger-wrong-kind", DELETE_CHAIN, (HANGS, "DELETE hangs, sync points wait")),
    ("old-sync-points-kept", UPDATE_CHAIN, (HANGS, "UPDATE hangs, sync points wait")),
    ("exception-in-setup-hangs", DELETE_CHAIN, ("rest: a deleted stack leaves nothing", "not purged")),
    ("lock-and-state-are-separate-writes", UPDATE_CHAIN, ("rest: no lock of a live engine", "locked by a live engine")),
)
"""A mutation, a scenario, and a failure that Heat's own design does not show in that scenario."""

SEEDS = 10
LIMIT = 4.0
"""Seconds of processor time after which a search is given up; its time then counts as a lower bound."""


def ours(mutation: str, scenario: Scenario, key: tuple[str, str], seed: int) -> tuple[float, bool]:
    """Seconds until heatproof's runs show the failure."""
    design = catalogue.load(f"heat+{mutation}")
    rng = Random(seed)
    program = program_for(design, scenario)
    start = process_time()
    number = rng.randrange(len(PORTFOLIO))
    while process_time() - start < LIMIT:
        number += 1
        plan = Plan(PORTFOLIO[number % len(PORTFOLIO)], rng.getrandbits(32), rng.choice((0.0, 0.01, 0.03, 0.1)))
        if key in run(design, scenario, ASKED, plan, program).violations:
            return process_time() - start, True
    return LIMIT, False


def theirs(mutation: str, scenario: Scenario, key: tuple[str, str], seed: int) -> tuple[float, bool]:
    """Seconds until the plain machine shows the failure."""
    design = catalogue.load(f"heat+{mutation}")
    start = process_time()
    number = 0
    while process_time() - start < LIMIT:
        machine = plain_machine(design, scenario, ASKED, key, [0])
        with contextlib.redirect_stdout(io.StringIO()):
            if run_plain(machine, seed * 1000 + number, examples=20, steps=100):
                return process_time() - start, True
        number += 1
    return LIMIT, False


def _rates() -> tuple[float, float]:
    design = catalogue.load("heat")
    program = program_for(design, UPDATE)
    start, steps = process_time(), 0
    for seed in range(300):
        steps += len(run(design, UPDATE, ASKED, Plan("random", seed), program).actions)
    mine = steps / (process_time() - start)
    counter = [0]
    start = process_time()
    run_plain(plain_machine(design, UPDATE, ASKED, None, counter), 0, examples=40, steps=300)
    return mine, counter[0] / (process_time() - start)


def measure() -> Result:
    """The table."""
    mine, plain = _rates()
    rows = [["steps per second, all properties", per_second(mine), per_second(plain), f"{mine / plain:.0f}"]]
    for mutation, scenario, key in CASES:
        left = [ours(mutation, scenario, key, seed) for seed in range(SEEDS)]
        right = [theirs(mutation, scenario, key, seed) for seed in range(SEEDS)]
        a, b = statistics.median(t for t, _ in left), statistics.median(t for t, _ in right)
        bound = "at least " if sum(found for _, found in right) <= len(right) // 2 else ""
        rows.append([f"first failure, {mutation}", f"{a * 1000:.0f} ms", f"{bound}{b * 1000:.0f} ms", f"{bound}{b / a:.0f}"])
    return ("heatproof against a plain RuleBasedStateMachine (median of 10 seeds)", ["", "heatproof", "plain", "ratio"], rows)
