"""Scenario files in Heat's own test framework, with Heat's real engine code: ``python -m heatproof.heats_framework FILE...``.

The runner is that of the installed openstack-heat (``heat.tests.convergence``), and nothing of it is replaced: only its two queues are
listened to. It sets up much that is global to a process (configuration, database, logging), so it has a process of its own;
:func:`run_files` starts one and reads back what it says. Needs the extra ``heat``.

A scenario file is executed by Heat's runner as the Python that it is. So give it files that you trust; those that ``heatproof
port`` writes hold nothing but literals and the words of the language.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from heatproof.model.errors import HeatproofError

MARK = "heatproof-result "
ETC = "etc/heat/environment.d/default.yaml"


class Outcome(NamedTuple):
    """How a scenario ended in Heat's framework.

    If it failed: the ``message``, the ``line`` of the file that failed or whose message did, its ``error`` (the name of the
    exception). ``messages`` are what the worker processed: ``A2/C/3`` is the cleanup node of the second row of A that appears, in
    the third traversal that appears; a row that is gone by then is called ``?``.
    """

    path: Path
    passed: bool
    line: int | None
    error: str
    message: str
    messages: tuple[str, ...]


def available() -> bool:
    """Whether the extra is installed; nothing of it is imported."""
    try:
        return all(importlib.metadata.version(name) for name in ("openstack-heat", "oslo.service", "testscenarios", "testtools"))
    except importlib.metadata.PackageNotFoundError:
        return False


def run_files(paths: Sequence[Path], seconds: float | None = None) -> list[Outcome]:
    """Run scenario files one after the other in Heat's framework, in a process of their own.

    Raises :class:`HeatproofError` if the extra is not installed, if the framework cannot start, or after ``seconds``.
    """
    if not available():
        raise HeatproofError("Heat's own framework needs the extra 'heat': pip install 'heatproof[heat]'")
    command = [sys.executable, "-W", "ignore", "-m", "heatproof.heats_framework", *map(str, paths)]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise HeatproofError(f"Heat's framework did not end within {seconds:g} seconds") from error
    found = [json.loads(line.removeprefix(MARK)) for line in done.stdout.splitlines() if line.startswith(MARK)]
    if done.returncode or len(found) != len(paths):
        last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise HeatproofError(f"Heat's framework did not run: {last}")
    return [
        Outcome(path, each["passed"], each["line"], each["error"], each["message"], tuple(each["messages"]))
        for path, each in zip(paths, found, strict=True)
    ]


# ------------------------------------------------------------------------------------------------ in the other process


class _Listener:
    """What goes through the queues of the engine and the worker while one file runs."""

    def __init__(self, path: Path):
        self.path = str(path)
        self.lines: list[int] = []  # where the messages that wait in the engine's queue were queued
        self.line: int | None = None  # of the one that the engine took last
        self.messages: list[str] = []
        self.known: dict[int, str] = {}  # the uuid of each row id: SQLite gives the id of a deleted row to another
        self.rows: dict[str, str] = {}
        self.count: dict[str, int] = {}
        self.traversals: dict[str, int] = {}

    def listen(self, engine: Any, worker: Any, row_of: Callable[[int], tuple[str, str] | None]) -> None:
        """Listen to both queues."""
        send, get, check = engine.send, engine.get, worker.get

        def sent(name: str, data: Any = None) -> None:
            frame: FrameType | None = sys._getframe(1)
            while frame is not None and frame.f_code.co_filename != self.path:
                frame = frame.f_back
            self.lines.append(frame.f_lineno if frame is not None else 0)
            send(name, data)

        def again(name: str, data: Any = None) -> None:
            self.lines.insert(0, self.line or 0)
            type(engine).send_priority(engine, name, data)

        def taken() -> Any:
            message = get()
            if message is not None:
                self.line = self.lines.pop(0)
            return message

        def checked() -> Any:
            message = check()
            if message is not None and message.name == "check_resource":
                data = message.data
                row, name = row_of(data.resource_id) or (self.known.get(data.resource_id, ""), "?")
                self.known[data.resource_id] = row
                if row not in self.rows:
                    self.count[name] = self.count.get(name, 0) + 1
                    self.rows[row] = f"{name}{self.count[name]}"
                number = self.traversals.setdefault(data.current_traversal, len(self.traversals) + 1)
                self.messages.append(f"{self.rows[row]}/{'U' if data.is_update else 'C'}/{number}")
            return message

        engine.send, engine.send_priority, engine.get, worker.get = sent, again, taken, checked

    def outcome(self, error: BaseException | None) -> dict[str, Any]:
        """What to say of the run."""
        line = self.line
        if error is not None:
            inside = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == self.path]
            line = inside[-1] if inside else line
        return {
            "passed": error is None, "line": line if error is not None else None, "messages": self.messages,
            "error": type(error).__name__ if error is not None else "", "message": str(error) if error is not None else "",
        }  # fmt: skip


def _prepare() -> Any:
    """Import Heat's test module. oslo.service must have its backend before anything of Heat is imported, and Heat's tests look for Heat's
    ``etc`` beside the package, where a source tree has it and an installation does not."""
    backend: Any = importlib.import_module("oslo_service.backend")
    backend.init_backend(backend.BackendType.THREADING)
    choose, backend.init_backend = backend.init_backend, lambda *_: None  # heat.tests.common chooses once more
    module = importlib.import_module("heat.tests.convergence.test_converge")
    backend.init_backend = choose
    found = [file for file in importlib.metadata.files("openstack-heat") or () if file.as_posix().endswith(ETC)]
    if found:
        etc = Path(str(found[0].locate())).resolve().parent.parent
        conf = importlib.import_module("oslo_config.cfg").CONF
        conf.set_override("environment_dir", str(etc / "environment.d"))
        conf.set_override("template_dir", str(etc / "templates"))
    return module


def _run(module: Any, path: Path) -> dict[str, Any]:
    """Run one file as Heat's own test does, with its own runner; what came of it."""
    common = importlib.import_module("heat.tests.utils")
    database = importlib.import_module("heat.db.api")
    listener = _Listener(path)

    def row_of(number: int) -> tuple[str, str] | None:
        try:
            row = database.resource_get(common.dummy_context(), number)
        except Exception:  # Heat's NotFound: the row is gone
            return None
        return row.uuid, row.name

    class Ported(module.ScenarioTest):  # type: ignore[misc]
        scenarios: Iterable[Any] = ()
        name, path = "", ""
        ended: BaseException | None = None

        def test_scenario(self) -> None:
            queues = self.procs.engine.queue, self.procs.worker.queue
            listener.listen(*queues, row_of)
            try:
                super().test_scenario()
            except BaseException as error:
                Ported.ended = error
                raise
            finally:
                for queue in queues:
                    for name in ("send", "send_priority", "get"):
                        queue.__dict__.pop(name, None)

    Ported.name, Ported.path = path.stem, str(path)
    result = importlib.import_module("unittest").TestResult()
    Ported("test_scenario").run(result)
    trouble = result.errors + result.failures
    if trouble and Ported.ended is None:
        raise HeatproofError(f"{path}: Heat's framework could not set up its test: {trouble[0][1].strip().splitlines()[-1]}")
    return listener.outcome(Ported.ended)


def main(paths: Sequence[str]) -> None:
    """Run the files and say what came of each, a line of JSON for each."""
    module = _prepare()
    for path in paths:
        print(MARK + json.dumps(_run(module, Path(path))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])


__all__ = ["Outcome", "available", "run_files"]
