"""The pytest plugin: stored cases are tests, stateful tests heed the options, and a table of verdicts at the end.

Rules of this file:

1. It is imported in every pytest run of every environment that has heatproof, so it imports nothing but pytest: what a hook needs it
   imports when there is a case or a stateful test to be dealt with.
2. A run without either is as if the plugin were not there.
3. What the tests find travels to the terminal as strings on reports, since under pytest-xdist they run in other processes.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from heatproof import pytest_options
from heatproof.pytest_options import KEY, OPTIONS

if TYPE_CHECKING:
    from heatproof.pytest_cases import CaseFile


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options and ini settings, all under one prefix."""
    pytest_options.add(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers; check the options. Raises :class:`pytest.UsageError`."""
    config.addinivalue_line("markers", "heatproof: a stateful test of heatproof, or a stored case (added by heatproof itself)")
    config.addinivalue_line("markers", "heatproof_case: a stored case (added by heatproof itself)")
    config.stash[OPTIONS] = pytest_options.read(config)


def pytest_report_header(config: pytest.Config) -> str | None:
    """The options, if there are any."""
    asked = config.stash[OPTIONS].asked
    return f"heatproof: {asked}" if asked else None


# --------------------------------------------------------------------------------------------------------- collection


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> CaseFile | None:
    """A stored case is a test. Unless they are named, files are left alone that are called like cases and are about something else, and
    those in a report, which show what a design did and not what it must do."""
    config = parent.config
    if not any(file_path.match(pattern) for pattern in config.getini("heatproof_cases")):
        return None
    in_report = (file_path.parent / "verdicts.txt").exists()
    if not parent.session.isinitpath(file_path) and (in_report or not _looks_like_case(file_path)):
        return None
    from heatproof.pytest_cases import CaseFile

    found: CaseFile = CaseFile.from_parent(parent, path=file_path)
    return found


def _looks_like_case(file: Path) -> bool:
    """Whether it has words of a case near its beginning, or nothing at all."""
    try:
        with file.open("rb") as opened:
            head = opened.read(1 << 16)
    except OSError:
        return True  # reading it as a case says what is wrong
    return b'"heatproof"' in head or b'"schedule"' in head or not head.strip()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, session: pytest.Session, items: list[pytest.Item]
) -> Generator[None, object, object]:
    """Let the stateful tests heed the options; replay one case instead of those that are left when others have chosen, if asked to."""
    options = config.stash[OPTIONS]
    if "heatproof.strategies.machine" in sys.modules:
        from heatproof import pytest_machines

        pytest_machines.prepare(items, options, config.rootpath)
    result = yield
    if options.replay is not None:
        from heatproof.pytest_cases import replays

        kept, instead = replays(session, items, options.replay)
        if left := [item for item in items if item not in instead]:
            config.hook.pytest_deselected(items=left)
        items[:] = kept
    return result


# ---------------------------------------------------------------------------------------------------------------- runs


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Count what a stateful test does."""
    if "heatproof.pytest_machines" not in sys.modules:
        return (yield)
    from heatproof import pytest_machines

    with pytest_machines.counted(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put what a test found onto its report, and the story in the place of a traceback through Hypothesis."""
    report = yield  # a failure of a TestCase gets into ``call`` only here
    if call.when == "call" and "heatproof.pytest_summary" in sys.modules:
        from heatproof import pytest_machines, pytest_summary

        record = getattr(item, "record", None) if item.get_closest_marker("heatproof_case") else None
        record = record or pytest_machines.finish(item, call.excinfo, item.config.stash[OPTIONS])
        if record is not None:
            pytest_summary.attach(item, report, record)
            pytest_machines.tell(item, call.excinfo, report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table of verdicts."""
    reports = [report for group in terminalreporter.stats.values() for report in group if KEY in vars(report)]
    if reports:
        from heatproof import pytest_summary

        pytest_summary.write(terminalreporter, reports, config.stash[OPTIONS])
