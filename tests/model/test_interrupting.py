"""Where an interrupt may come, and where it waits. No clock: the signals are sent from within."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from heatproof.model import interrupting
from heatproof.model.interrupting import LAST, LOADING, WHOLE


@pytest.fixture(autouse=True)
def _heeded() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, interrupting.interrupt)
    yield
    signal.signal(signal.SIGINT, before)
    assert not interrupting.waits()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


@contextmanager
def interrupted() -> Iterator[None]:
    """What is done within is."""
    try:
        yield
    except KeyboardInterrupt:
        return
    raise AssertionError("no interrupt came")


def late() -> None:
    """It has waited too long."""
    signal.raise_signal(signal.SIGALRM)


def test_outside_of_all_blocks_it_comes_at_once() -> None:
    with interrupted():
        ctrl_c()


def test_it_waits_for_the_end_of_the_outermost_block() -> None:
    done = []
    with interrupted(), WHOLE:
        with WHOLE:
            ctrl_c()
            assert interrupting.waits()
            done.append("inner")
        done.append("outer")
    assert done == ["inner", "outer"]
    with WHOLE:
        done.append("another")
    assert done[-1] == "another"


def test_it_comes_in_place_of_an_error_that_it_waited_for() -> None:
    with interrupted(), WHOLE:
        ctrl_c()
        raise ValueError


def test_after_the_last_it_comes_before_anything_else_is_begun() -> None:
    done = []
    with LAST, WHOLE:
        ctrl_c()
        done.append("last")
    done.append("told")
    with interrupted(), WHOLE:
        done.append("another")
    assert done == ["last", "told"]


def test_after_the_last_it_comes_when_it_has_waited_too_long() -> None:
    with LAST:
        ctrl_c()
    with interrupted():
        late()
    late()


def test_it_does_not_wait_too_long_in_a_block() -> None:
    for block in (WHOLE, LAST):
        with interrupted(), block:
            ctrl_c()
            late()
            raise AssertionError


def test_what_swallows_it_is_interrupted_again() -> None:
    swallowed = []
    with interrupted(), WHOLE:
        ctrl_c()
        for _ in range(3):
            try:
                late()
            except KeyboardInterrupt:
                swallowed.append(interrupting.forced())
    assert swallowed == [True, True, True]
    assert not interrupting.forced()


def test_loading_is_left_at_once_or_at_its_end() -> None:
    with interrupted(), LOADING:
        ctrl_c()
        raise AssertionError
    done = []
    with interrupted(), LOADING:
        try:
            ctrl_c()
        except KeyboardInterrupt:
            done.append("swallowed")
    assert done == ["swallowed"]


def test_who_heeds_ctrl_c_in_another_way_goes_on_doing_so() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interrupting.heed()
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupting.heed()
    assert signal.getsignal(signal.SIGINT) is interrupting.interrupt
