"""Servers that are started for a command: another port where the first was taken, and the end of the log where nothing helps."""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

import pytest

from heatproof.model.errors import HeatproofError
from heatproof.ports.heat.databases import private

LISTENS = """
import socket, sys
listening = socket.socket()
listening.bind(("127.0.0.1", int(sys.argv[1])))
listening.listen()
while True:
    listening.accept()
"""


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def command(port: int) -> list[object]:
    return [sys.executable, "-c", LISTENS, port]


def test_a_port_that_somebody_has_taken_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        free = private._free_port()
        ports = [taken.getsockname()[1], free]
        monkeypatch.setattr(private, "_free_port", lambda: ports.pop(0))
        with private._running(command, tmp_path / "log", answers, {}, signal.SIGTERM) as port:
            assert port == free
            assert not ports
    assert not answers(free)


def test_a_server_that_ends_at_once_is_told_with_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = []

    def ending(port: int) -> list[object]:
        began.append(port)
        return [sys.executable, "-c", "import sys; sys.exit('no space left on device')"]

    with (
        pytest.raises(HeatproofError, match=r"ended with code 1; its log ends: no space left on device"),
        private._running(ending, tmp_path / "log", lambda _: False, {}, signal.SIGTERM),
    ):
        pass
    assert len(began) == private.ATTEMPTS


def test_a_server_that_never_answers_is_told_with_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private, "PATIENCE", 0.0)
    with (
        pytest.raises(HeatproofError, match=r"did not answer for 0 seconds; its log ends:"),
        private._running(command, tmp_path / "log", lambda _: False, {}, signal.SIGTERM),
    ):
        pass


def test_what_goes_wrong_within_is_no_reason_to_start_again(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mine"), private._running(command, tmp_path / "log", answers, {}, signal.SIGTERM):
        raise ValueError("mine")
