"""Shrinking where tasks poll: by default such a run goes on until patience is lost, which no search has the budget for."""

from __future__ import annotations

import pytest

from heatproof.model.design import Design
from heatproof.model.effects import Expired, Handler, Me, Read, Sleep, Update
from heatproof.model.observation import Change, Observation
from heatproof.properties.base import Witness, always, witness
from heatproof.strategies.running import Driver, Plan, run
from heatproof.strategies.schedules import record
from heatproof.strategies.shrinking import Failure, Shrinker
from tests.model.toys import ACCOUNT, asking
from tests.toys import seen_toy, sending


def hold(self: Design, me: Me) -> Handler:
    yield Update("H-1", ACCOUNT, "A", {"owner": "held"})
    yield Update("H-2", ACCOUNT, "A", {"owner": None})


def wait(self: Design, me: Me) -> Handler:
    while (yield Read("W-1", ACCOUNT, "A")).owner is not None:
        if (yield Expired("W-2", "hold")):
            yield Update("W-3", ACCOUNT, "A", {"value": 1})
            return
        yield Sleep("W-4")


@always("patience", "Nobody gives up waiting.", {"account"})
def patience(observation: Observation, change: Change) -> Witness | None:
    return witness("given up") if change.new.value else None


@pytest.mark.parametrize(("seed", "deviations"), [(13, 4), (0, 4)])
def test_few_deviations_are_looked_for_in_short_runs_first(seed: int, deviations: int) -> None:
    waiting = seen_toy(create=sending(("hold",), ("wait",)), hold=hold, wait=wait)
    asked = asking(engines=1, threads=2, faults={"timeout": 1})
    done = run(waiting, asked, [patience], Plan("random", seed, 0.1, 0.3))
    violation = done.violations["patience", "given up"]
    actions = done.actions[: violation.step]
    many = Failure(asked, actions, violation, record(Driver(waiting, asked, [patience]), actions))
    assert len(many.deviations) == deviations
    small = Shrinker(waiting, [patience], many, 300).shrink()
    assert (len(small.deviations), len(small.actions)) == (2, 12)
