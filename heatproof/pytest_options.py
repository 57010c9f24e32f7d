"""The options and ini settings of the pytest plugin: what they are, and what they may be. Imported in every pytest run, so lazy too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Options:
    """What was asked for; None: not asked for."""

    profile: str | None
    budget: int | None
    seed: int | None
    shrink: bool
    replay: Path | None
    report: Path
    asked: str
    """The options in words, for the header; empty if there are none."""

    report_asked: bool


OPTIONS = pytest.StashKey[Options]()
KEY = "heatproof"
"""The attribute of a report that holds what a test found."""


def add(parser: pytest.Parser) -> None:
    """Options and ini settings, all under one prefix."""
    group = parser.getgroup("heatproof", "heatproof: stateful tests of convergence designs, and stored cases")
    for name, metavar, text in (
        ("profile", "NAME", "examples as in this profile: dev, ci or nightly of heatproof, or one registered with Hypothesis"),
        ("budget", "N", "draw N examples in each stateful test of heatproof, instead of what the profile says"),
        ("seed", "N", "draw the same examples in every run, and others for another N"),
        ("report", "DIR", "where the case and the story of a failure are written, and verdicts.txt (default: .heatproof/pytest)"),
    ):
        group.addoption(f"--heatproof-{name}", metavar=metavar, help=text)
        parser.addini(f"heatproof_{name}", f"the default of --heatproof-{name}", default="")
    group.addoption(
        "--heatproof-no-shrink", action="store_true", default=None, help="tell a failure as it was found, not made small"
    )
    parser.addini("heatproof_no_shrink", "the default of --heatproof-no-shrink", type="bool", default=False)
    group.addoption(
        "--heatproof-replay", metavar="FILE",
        help="run this case and nothing else, with the design and properties of the stateful tests of that design, or else as the case"
        " says; fails if the failure shows",
    )  # fmt: skip
    parser.addini("heatproof_cases", "patterns of the files that are collected as cases", type="args", default=["*.case.json"])


def read(config: pytest.Config) -> Options:
    """The options, checked. Raises :class:`pytest.UsageError`."""
    asked: list[str] = []

    def given(name: str) -> tuple[str, str]:
        """The value and where it comes from."""
        value, place = config.getoption(f"heatproof_{name}"), f"--heatproof-{name}"
        if value == "":
            raise pytest.UsageError(f"{place}: a value is missing")
        if value is None and (value := config.getini(f"heatproof_{name}")):
            place = f"heatproof_{name} in {config.inipath}"
        if value:
            asked.append(f"{name} {value}")
        return value, place

    def number(name: str, least: int) -> int | None:
        value, place = given(name)
        if not value:
            return None
        if not value.isdecimal() or int(value) < least:
            raise pytest.UsageError(f"{place}: {value!r} is no whole number from {least} on")
        return int(value)

    profile = _profile(config, *given("profile"))
    budget, seed = number("budget", 1), number("seed", 0)
    shrink = not (config.getoption("heatproof_no_shrink") or config.getini("heatproof_no_shrink"))
    if not shrink:
        asked.append("no-shrink")
    report, place = given("report")
    base = config.invocation_params.dir if place.startswith("--") else (config.inipath or config.rootpath / "x").parent
    folder = base / report if report else config.rootpath / ".heatproof" / "pytest"
    if report:
        _refuse_unwritable(folder, place)
    replay = config.getoption("heatproof_replay")
    file = None if replay is None else _readable(config.invocation_params.dir / replay)
    if file is not None:
        asked.append(f"replay {replay}")
    return Options(profile, budget, seed, shrink, file, folder, ", ".join(asked), bool(report))


def _profile(config: pytest.Config, name: str, place: str) -> str | None:
    if not name:
        return None
    from hypothesis import settings
    from hypothesis.errors import InvalidArgument

    from heatproof.strategies import profiles

    if name not in profiles.NAMES:
        try:
            settings.get_profile(name)
        except InvalidArgument:
            raise pytest.UsageError(
                f"{place}: there is no profile {name!r}; heatproof has {', '.join(profiles.NAMES)}, and others are made in a"
                " conftest.py with hypothesis.settings.register_profile"
            ) from None
    return name


def _refuse_unwritable(folder: Path, place: str) -> None:
    from heatproof.model.errors import HeatproofError
    from heatproof.reports.files import refuse_unwritable

    if folder.exists() and not folder.is_dir():
        raise pytest.UsageError(f"{place}: {folder} is no folder")
    try:
        refuse_unwritable(folder, "verdicts.txt")
    except HeatproofError as error:
        raise pytest.UsageError(f"{place}: {error}") from error


def _readable(file: Path) -> Path:
    from heatproof.model.errors import HeatproofError
    from heatproof.reports import cases

    try:
        cases.read(file)
    except HeatproofError as error:
        raise pytest.UsageError(f"--heatproof-replay: {error}") from error
    return file
