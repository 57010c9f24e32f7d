"""Stateful tests under pytest: options are applied to them, what they find is noted, and how they fail is told and kept as a case."""

from __future__ import annotations

import os
import re
import shlex
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import Phase, settings

import heatproof
from heatproof import pytest_summary
from heatproof.model import catalogue
from heatproof.model.errors import HeatproofError
from heatproof.pytest_options import Options
from heatproof.pytest_summary import Record
from heatproof.reports import cases
from heatproof.reports.files import write_whole
from heatproof.reports.judging import design_of, judge, noted, replay_command
from heatproof.reports.story import story
from heatproof.strategies import profiles
from heatproof.strategies.exploring import Findings
from heatproof.strategies.failing import Violated
from heatproof.strategies.machine import ConvergenceMachine

TALLY = pytest.StashKey[Findings]()


def machine_of(item: pytest.Item) -> type[ConvergenceMachine] | None:
    """The machine that a test runs, or None if it is another test."""
    found = getattr(getattr(item, "cls", None), "machine", None)
    return found if isinstance(found, type) and issubclass(found, ConvergenceMachine) else None


def prepare(items: Sequence[pytest.Item], options: Options, folder: Path) -> None:
    """Mark the stateful tests and apply the options to them."""
    done: set[type] = set()
    for item in items:
        machine = machine_of(item)
        if machine is not None:
            item.add_marker("heatproof")
            test: Any = item.cls  # type: ignore[attr-defined]  # a test with a machine is of a class
            if test not in done:
                done.add(test)
                test.settings = _settings(test.settings, options, folder)
                if options.seed is not None:
                    hypothesis.seed(options.seed + machine.shard)(machine)
                if not options.shrink:
                    machine.setting = replace(machine.setting, shrink=0)


def _settings(now: settings, options: Options, folder: Path) -> settings:
    changes: dict[str, Any] = {}
    if options.profile is not None:
        own = options.profile in profiles.NAMES
        wanted = profiles.profile(options.profile, folder) if own else settings.get_profile(options.profile)
        changes = {name: getattr(wanted, name) for name in ("max_examples", "derandomize", "database", "print_blob")}
    if options.budget is not None:
        changes["max_examples"] = options.budget
    if options.seed is not None:
        changes |= {"database": None, "derandomize": False}  # what an earlier run kept would come first
    if not options.shrink:
        changes["phases"] = [phase for phase in now.phases if phase is not Phase.shrink]
    return settings(now, **changes)


@contextmanager
def counted(item: pytest.Item) -> Iterator[None]:
    """Around a test: count what its machine does."""
    machine = machine_of(item)
    if machine is None:
        yield
        return
    machine.tally = item.stash[TALLY] = Findings()
    try:
        yield
    finally:
        machine.tally = None


def finish(item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException] | None, options: Options) -> Record | None:
    """What a test of a machine found, or None for another test; each failure is kept as a case."""
    machine = machine_of(item)
    if machine is None or TALLY not in item.stash:
        return None
    files: list[str] = []
    for failure in violations(None if excinfo is None else excinfo.value):
        files += _keep(item, failure, options)
    return pytest_summary.of_machine(machine.setting, item.stash[TALLY], files)


def violations(error: BaseException | None) -> list[Violated]:
    """The failures in what a test raised; empty if that was (also) something else."""
    if isinstance(error, Violated):
        return [error]
    if isinstance(error, BaseExceptionGroup):
        found = [violations(part) for part in error.exceptions]
        return [failure for part in found for failure in part] if all(found) else []
    return []


def _keep(item: pytest.Item, failure: Violated, options: Options) -> list[str]:
    """Write the case and the story of a failure, and tell in its text how to see it again."""
    failure.explain = failure.explain or story
    small, told = failure.small()
    key = small.violation.key
    root, here = item.config.rootpath, item.config.invocation_params.dir
    spec = catalogue.spec_of(failure.design, root)
    path = options.report / f"{_name(item, key)}.case.json"
    case = cases.Case(f"{key[0]}: {key[1]}", spec, small.scenario, tuple(small.actions), key, item.nodeid)
    shown = shlex.quote(os.path.relpath(path, here))
    lines = ["  See it again:", ""]
    if _shows(case, root):
        lines.append(f"      {replay_from(here, path, spec, root)}")
    lines.append(f"      pytest {shlex.quote(_from(here, item))} --heatproof-replay {shown}")
    beside = path.with_name(path.name.replace(".case.json", ".story.txt"))
    try:
        write_whole(path, cases.dump(noted(case, failure.design, small.actions), heatproof.__version__))
        write_whole(beside, "\n".join([told or "", "", *lines, ""]))
    except HeatproofError as error:
        failure.add_note(f"heatproof could not keep the case: {error}")
        return []
    failure.again = "\n".join(lines)
    return [os.path.relpath(file, here) for file in (path, beside)]


def replay_from(here: Path, path: Path, spec: str, root: Path) -> str:
    """The command that replays a case in the folder ``here``; ``spec`` names its design as seen from ``root``."""
    file, name = catalogue.parted(spec)
    seen = os.path.relpath(root / file, here) + (name and f":{name}") if catalogue.is_file(spec) else spec
    return replay_command(Path(os.path.relpath(path, here)), seen)


def _from(here: Path, item: pytest.Item) -> str:
    """The node id of the test's class as it is written in the folder ``here``."""
    _, _, name = (item.parent or item).nodeid.partition("::")
    return f"{os.path.relpath(item.path, here)}::{name}"


def _name(item: pytest.Item, key: tuple[str, str]) -> str:
    """A file name that no other test and no other kind of failure has: the same in every run and every process."""
    whole = re.sub(r"[^A-Za-z0-9_]+", "-", f"{(item.parent or item).nodeid.replace('.py::', '-')}-{'-'.join(key)}").strip("-")
    return whole if len(whole) <= 150 else f"{whole[:140]}-{zlib.crc32(whole.encode()):08x}"


def _shows(case: cases.Case, root: Path) -> bool:
    """Whether ``heatproof replay`` shows it: not where the design is made in a function, or the property is not among those of its file."""
    try:
        design, properties = design_of(case, "it", trusted=root)
        return judge(case, design, properties, budget=0).shows
    except HeatproofError:
        return False


def tell(item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException] | None, report: pytest.TestReport) -> None:
    """The failure's text in the place of a traceback through Hypothesis, and what Hypothesis says after it."""
    found = violations(None if excinfo is None else excinfo.value)
    if not found or item.config.getoption("tbstyle") not in ("auto", "long", "short"):
        return
    told = pytest.ExceptionInfo.from_exception(found[0]).getrepr(style="value", chain=False)
    for number, failure in enumerate(found):
        if number:
            told.addsection(f"failure {number + 1} of {len(found)}", str(failure))
        if notes := getattr(failure, "__notes__", []):
            told.addsection("Hypothesis", "\n".join(notes))
    if told.reprcrash is not None:
        first = found[0].violations[0]
        told.reprcrash.message = f"{first.name}: {first.witness}"
    report.longrepr = told
