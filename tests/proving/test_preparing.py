"""What handlers look at is learned in smaller scenarios, and narrowly, before a search gets large."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import pytest

from heatproof.model import catalogue
from heatproof.model.scenario import Operation, create, scenario, update
from heatproof.model.templates import Template, resource
from heatproof.strategies.asked import properties_for
from heatproof.strategies.proving import preparing as preparing_room
from heatproof.strategies.proving.columns import smaller
from heatproof.strategies.proving.names import OwnNamesMatter
from heatproof.strategies.proving.proofs import Live as Going
from heatproof.strategies.proving.proofs import prove
from heatproof.strategies.proving.results import Result
from heatproof.strategies.proving.search import Search
from heatproof.strategies.proving.watchers import Watcher
from tests.proving.test_columns import A1, A2, B
from tests.toys import NIGHTLY


@pytest.mark.parametrize("narrow", [20, 3_000] if NIGHTLY else [3_000])
def test_a_search_that_gets_large_is_gone_through_narrowly_first(narrow: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def searched(large: int) -> tuple[Result, int]:
        begun: list[int] = []
        monkeypatch.setattr("heatproof.strategies.proving.preparing.LARGE", large)
        monkeypatch.setattr("heatproof.strategies.proving.preparing.NARROW", narrow)
        monkeypatch.setattr("heatproof.strategies.proving.columns.GROWTH", 1)  # so that it is misled as often as a large one
        monkeypatch.setattr("heatproof.strategies.proving.columns.SOON", 100)
        asked = scenario(create([A1]), update([A2]), engines=2, threads=1)
        search = Search(catalogue.load("heat"), asked, properties_for("heat"))
        begin = search.begin

        def counted(*how: Any) -> None:
            begun.append(search.result.states)
            begin(*how)

        monkeypatch.setattr(search, "begin", counted)
        return search.run(), len(begun)

    usual, prepared = searched(10**6), searched(500)
    assert usual[0].complete
    assert prepared[0].complete
    assert {key: s.depth for key, s in usual[0].violations.items()} == {key: s.depth for key, s in prepared[0].violations.items()}
    assert usual[0].reached == prepared[0].reached
    assert prepared[1] <= usual[1]
    if narrow == 3_000:
        assert prepared[1] < usual[1]


def test_a_search_that_is_misled_gives_its_memory_back_before_it_prepares(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, pilots = list[int](), list[int]()

    def preparing(search: Search, live: Any) -> None:
        sizes.append(len(search.table))
        prepare(search, live)
        pilots.append(pilot(search, search.scenario, live, lambda result: "").threads.count)

    prepare, pilot = preparing_room.prepare, preparing_room._pilot
    monkeypatch.setattr(preparing_room, "prepare", preparing)
    search = Search(catalogue.load("heat"), scenario(create([A1]), update([A2]), engines=1, threads=1), [], threads=2)
    assert search.run().complete
    assert sizes
    assert set(sizes) == {1}
    assert set(pilots) == {search.threads.count}


def test_what_is_learned_in_a_smaller_scenario_takes_no_longer_than_the_search_may(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    over: set[str] = set()

    def go_on(result: Result) -> str:
        asked.append(result.states)
        if asked[-5:] == [result.states] * 5:  # the counts of the search stand still meanwhile
            over.add("time")
        return "time" if over else ""

    search = Search(catalogue.load("heat"), scenario(create([A1, B]), update([A2, B]), engines=2, threads=1), [], go_on=go_on)
    monkeypatch.setattr("heatproof.strategies.proving.preparing._known", {})
    result = search.run()
    assert search.prepared
    assert (result.complete, result.cut) == (False, "time")


@cache
def searched_whole() -> Search:
    """A search that nobody stops, of a create and an update."""
    search = Search(catalogue.load("heat"), scenario(create([A1]), update([A2]), engines=2, threads=1), properties_for("heat"))
    assert search.run().complete
    return search


@pytest.mark.parametrize("after", [1, 4])
def test_what_was_found_before_a_search_began_anew_is_told_if_it_is_stopped_then(
    after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is begun anew from its beginning by hand, once it has found so many violations, and stopped at once."""
    whole, stop, known = searched_whole(), list[str](), list[int]()

    def go_on(live: Going) -> str:
        known.append(len(live.violations))
        return stop[0] if stop else ""

    class Misleading(Watcher):
        def expanded(self, search: Search, _block: Any, _begin: int, _end: int) -> None:
            if len(search.result.violations) >= after and not stop:
                stop.append("stopped")
                raise OwnNamesMatter

    monkeypatch.setattr("heatproof.strategies.proving.proofs.Search", partial(Search, watchers=[Misleading()]))
    proof = prove(whole.design, whole.scenario, whole.properties, go_on=go_on)
    assert (proof.complete, proof.cut) == (False, "stopped")
    assert known[-1] == len(proof.violations) >= after
    for key, found in proof.violations.items():
        least = whole.result.violations[key].depth + len(whole.forced)
        assert len(found.actions) == least or (len(found.actions) > least and not found.shortest)
    assert proof.reached.items() <= whole.result.reached.items()
    assert proof.reached


def test_how_far_is_learned_aside_is_told_while_a_search_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    told = list[Going]()
    monkeypatch.setattr("heatproof.strategies.proving.preparing._known", {})
    asked = scenario(create([A1, B]), update([A2, B]), engines=2, threads=1)

    def go_on(live: Going) -> str:
        told.append(live)
        return "enough" if sum(live.aside > 0 for live in told) > 5 else ""

    prove(catalogue.load("heat"), asked, [], go_on=go_on)
    aside = [live for live in told if live.aside]
    assert len({live.aside for live in aside}) > 1
    assert len({live.states for live in aside}) == 1
    assert told[-1].aside == 0


def test_the_last_resource_that_nobody_requires_is_left_out() -> None:
    needing = resource("C", {"p": 1}, depends_on=["B"])
    whole = scenario(create([A1, B, needing]), update([A2, B, needing]), engines=2, threads=1, faults={"crash": 1})
    one = smaller(whole)
    assert one is not None
    assert [o.template.names for o in one.operations if o.template is not None] == [("A", "B"), ("A", "B")]
    assert (one.scope, one.faults) == (whole.scope, whole.faults)
    two = smaller(one)
    assert two is not None
    assert two.operations[1].template == Template([A2])
    assert smaller(two) is None


def test_a_resource_that_the_user_names_stays() -> None:
    given_ = scenario(create([A1, B]), Operation("mark unhealthy", resource="B"))
    one = smaller(given_)
    assert one is not None
    assert one.operations[0].template == Template([B])
