"""Stored cases as tests: each must do on its design what it says in its file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from heatproof import pytest_summary
from heatproof.model import catalogue
from heatproof.model.design import Design
from heatproof.model.errors import HeatproofError
from heatproof.ports.heat.databases.choice import needs_server
from heatproof.properties.base import Property
from heatproof.pytest_machines import machine_of, replay_from
from heatproof.reports import cases
from heatproof.reports.cases import Case
from heatproof.reports.judging import GONE, Judgement, design_of, judge


class CaseFailed(AssertionError):
    """A case did not do what it must; the text is for people."""


class CaseFile(pytest.File):
    """The file of a case: one test. It is read when the test runs, so that one broken file does not stop the others."""

    def collect(self) -> Iterator[pytest.Item]:
        """The one test."""
        yield CaseItem.from_parent(self, name="replay", file=self.path)


class CaseItem(pytest.Item):
    """A case replayed. With ``design`` and ``properties`` it is replayed on these, and fails if its failure shows."""

    def __init__(
        self, *, file: Path, design: Design | None = None, properties: Sequence[Property] = (), show: bool = False, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.file = file
        self.design = design
        self.asked = properties
        self.show = show
        self.record: pytest_summary.Record = {"case": self._shown(), "outcome": "broken"}
        self.add_marker("heatproof")
        self.add_marker("heatproof_case")

    def runtest(self) -> None:
        """Replay it. Raises :class:`CaseFailed`, also for a broken file and for a design that cannot be loaded."""
        try:
            self._replay()
        except HeatproofError as error:
            raise CaseFailed(str(error).replace(str(self.file), self._shown())) from error

    def _replay(self) -> None:
        case = cases.read(self.file)
        self.record |= {"design": case.design, "expected": case.expected}
        if self.design is None and (reason := needs_server(case.design)):
            self.record["outcome"] = "skipped"
            pytest.skip(reason)
        asked = (
            (self.design, self.asked) if self.design is not None else design_of(case, self._shown(), trusted=self.config.rootpath)
        )
        judged = judge(case, *asked)
        if self.show:
            self.record["outcome"] = "violated" if judged.shows else "held" if judged.answer == GONE else "undecided"
        else:
            self.record["outcome"] = "as expected" if judged.as_expected(case) else "otherwise"
        if self.record["outcome"] not in ("as expected", "held"):
            raise CaseFailed(self._told(case, judged))

    def _told(self, case: Case, judged: Judgement) -> str:
        """What the case did instead of what it must."""
        root, here = self.config.rootpath, self.config.invocation_params.dir
        command = replay_from(here, self.file, case.design, root)
        expected = "anything" if case.expected is None else ": ".join(case.expected)
        lines = [f"{judged.answer} on {case.design}: {expected}", "", *(f"  {line}" for line in judged.told), ""]
        if judged.shows:
            lines += [judged.story(case), ""]
            if not self.show:
                lines.append("  The case says that this must hold.")
        elif judged.answer == GONE:
            lines += [
                f"  {case.title}",
                "  The case says that this design fails. If the design was mended, keep the case as one that must hold, or take it away.",
                "  If not, a property or the model of the design has become weaker.",
            ]
        return "\n".join([*lines, f"  See it: {command}"])

    def _shown(self) -> str:
        return os.path.relpath(self.file, self.config.invocation_params.dir)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What is wrong, without a traceback where it is said in words."""
        if not isinstance(excinfo.value, CaseFailed):
            return super().repr_failure(excinfo, style)
        told = excinfo.getrepr(style="value", chain=False)
        if told.reprcrash is not None:
            told.reprcrash.path, told.reprcrash.lineno = str(self.file), 1
            told.reprcrash.message = str(excinfo.value).partition("\n")[0]
        return told

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where it is, and its name in a heading."""
        return self.file, None, self.file.name


def replays(session: pytest.Session, items: Sequence[pytest.Item], file: Path) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """The tests that ``--heatproof-replay`` runs, and those in whose place they stand: the case on the design of each stateful test that is
    named on the command line; else of each that it is about; else of each in a file that is named, or that ``-k`` or ``-m`` have left; or else as
    it says."""
    case = cases.read(file)
    options = session.config.option
    machines = [(item, machine) for item in items if (machine := machine_of(item)) is not None]
    chosen = (
        [one for one in machines if _is_named(one[0])]
        or [one for one in machines if _is_about(case.design, one[1].setting.design)]
        or [one for one in machines if options.keyword or options.markexpr or session.isinitpath(one[0].path)]
    )
    found: dict[object, tuple[pytest.Item, pytest.Item]] = {}
    for item, machine in chosen:
        setting = machine.setting
        assert item.parent is not None
        asked = {"design": setting.design, "properties": setting.properties}
        key = type(setting.design), setting.properties  # shards would all say the same
        if key not in found:
            found[key] = CaseItem.from_parent(item.parent, name=item.name, file=file, show=True, **asked), item
    if not found:
        return [CaseItem.from_parent(CaseFile.from_parent(session, path=file), name="replay", file=file, show=True)], list(
            items[:1]
        )
    return [kept for kept, _ in found.values()], [item for _, item in found.values()]


def _is_named(item: pytest.Item) -> bool:
    """Whether a test, or the class that it is of, is named on the command line, and not only its file."""
    for argument in item.config.args:
        path, _, name = argument.partition("::")
        of_file = Path(os.path.normpath(item.config.invocation_params.dir / path)) == item.path
        own = item.nodeid.partition("::")[2]
        if name and of_file and (own == name or own.startswith(f"{name}::")):
            return True
    return False


def _is_about(spec: str, design: Design) -> bool:
    """Whether a design is the one of that name, or of that class and file."""
    path, name = catalogue.parted(spec)
    own, kind = catalogue.parted(catalogue.spec_of(design, Path.cwd()))
    return spec == design.name or bool(name and (Path(own).name, kind) == (Path(path).name, name))
