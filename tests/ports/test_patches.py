"""Patches of the engine and repairs of the model: each cures the case that is kept for it, and Heat's own scenarios still pass."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from heatproof.cli import cli
from heatproof.model import catalogue
from heatproof.model.errors import HeatproofError
from heatproof.ports.heat import cures, curing, installation
from heatproof.ports.heat.databases import choice, private
from heatproof.reports import cases, confirming, judging
from heatproof.strategies import scenario_files
from heatproof.strategies.asked import properties_for
from heatproof.strategies.nearby import LEAST, Nearby, Stored
from tests.toys import NIGHTLY, ROOT

if reason := installation.why_not():
    pytest.skip(f"the real engine is not here: {reason}", allow_module_level=True)

from heatproof.ports.heat import patches

FOLDER = ROOT / "reports" / "regressions" / "heat-27.0.1"
NAMES = sorted(cures.known())
ALL = "heat-engine+" + "+".join(NAMES)
NEAR = 200 if NIGHTLY else 1
"""Runs near by on the engine: each takes a quarter of a second on an idle core."""
CHANGED_AT = [(cure.name, place) for cure in cures.CURES for place in cure.places]


@pytest.fixture(autouse=True)
def _installed() -> None:
    installation.installed()


NEAR_ON_THE_MODEL = 60 if NIGHTLY else LEAST
BEHIND = {
    "cancelled-sync-points-go": ("superseded-set-up-stops",),
    "no-cycle-of-cleanups": ("only-what-runs-fails",),
    "no-template-for-what-is-deleted": ("lost-operations-are-refused", "overtaken-templates-go"),
    "overtaken-templates-go": ("no-template-for-what-is-deleted", "lost-operations-are-refused"),
}
"""Patches that a case runs with: without them another defect shows near by as a failure of the same kind."""


NOT_FURTHER = {"made-before-unmade": 4, "what-is-replaced-goes-2": 4, "what-is-replaced-goes-3": 4}
"""Runs near by on the engine where more show what the patch leaves as it is, as a failure of the same kind: a replacement that is made already
is gone on from; an engine that dies a little earlier leaves a physical resource whose id is nowhere (docs/findings.md, behind the patches); two
replacements are made."""

ON_THE_MODEL = {"writes-are-tried-again": "writes-are-tried-again-2"}
"""A case of the same defect that is in the model's reach: the model writes the properties with the row, and so cannot lose only those."""


def engine(name: str, *more: str) -> str:
    return "+".join(("heat-engine", *BEHIND.get(name, ()), *more))


def model(name: str, *more: str) -> str:
    return "+".join(("heat", *BEHIND.get(name, ()), *more))


def kept(name: str) -> cases.Case:
    return cases.read(FOLDER / f"{name}.case.json")


@pytest.mark.parametrize(("name", "place"), CHANGED_AT, ids=[f"{name} {place.place}" for name, place in CHANGED_AT])
def test_each_place_is_as_the_patch_knows_it(name: str, place: patches.Patch) -> None:
    curing.remove()
    _, _, standing = patches.find(place)
    assert patches.signature(getattr(standing, "__func__", standing)) == place.signature
    assert place.reason


def test_a_place_that_has_moved_is_told_and_nothing_is_changed() -> None:
    good = cures.known()["cleanup-leaves-a-tombstone"]
    moved = good._replace(name="moved", places=(good.places[0]._replace(signature="(self)"),))
    before = patches.find(good.places[0])[2]
    with pytest.raises(HeatproofError, match=r"has the signature \(self, template_id.*the patch knows \(self\)"):
        curing.apply(("good", "moved"), lambda: {"good": good, "moved": moved})
    assert patches.find(good.places[0])[2] is before


def test_each_patch_has_its_repair_and_a_case() -> None:
    assert sorted(repair.name for repair in catalogue.REPAIRS_OF["heat"].values()) == NAMES
    assert {path.name.removesuffix(".case.json") for path in FOLDER.glob("*.case.json")} >= set(NAMES)
    assert {name: kept(name).design for name in NAMES} == {name: engine(name) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_the_case_is_gone_with_the_patch_also_near_by(name: str) -> None:
    case, spec = kept(name), engine(name, name)
    judged = judging.judge(case, catalogue.load(spec), properties_for(spec), 0)
    assert not judged.shows
    runs = min(NEAR, NOT_FURTHER.get(name, NEAR))
    near = Nearby(
        catalogue.load(spec),
        properties_for(spec),
        case.scenario,
        Stored(case.schedule, case.steps, case.deviations),
        case.expected,
        runs,
    )
    found = near.search()
    assert found.violation is None, f"{found.stage}: {found.violation}"
    assert found.runs == runs
    assert not found.raised


@pytest.mark.parametrize("case", sorted(FOLDER.glob("*-[0-9].case.json")), ids=lambda path: path.name.removesuffix(".case.json"))
def test_a_further_case_of_a_defect_is_gone_with_the_same_patch(case: Path) -> None:
    stored, full = cases.read(case), case.name.removesuffix(".case.json")
    name, near = full[:-2], min(NEAR, NOT_FURTHER.get(full, NEAR))
    shown = {}
    for spec in (stored.design, f"{stored.design}+{name}", ALL):
        shown[spec] = judging.judge(stored, catalogue.load(spec), properties_for(spec), near).shows
    assert list(shown.values()) == [True, False, False]


@pytest.mark.parametrize("name", NAMES)
def test_the_model_shows_it_too_and_not_with_the_repair(name: str) -> None:
    case, own = kept(ON_THE_MODEL.get(name, name)), (catalogue.load(engine(name)), properties_for(engine(name)))
    assert confirming.confirm(case, own, model(name), NEAR_ON_THE_MODEL).answer in (confirming.CONFIRMED, confirming.ELSEWHERE)
    assert confirming.confirm(case, own, model(name, name), NEAR_ON_THE_MODEL).answer == confirming.NOT


@pytest.mark.parametrize("name", NAMES)
def test_the_patches_do_not_get_in_each_others_way(name: str) -> None:
    """Each case under all of them, under what is left of its schedule."""
    case = kept(name)
    judged = judging.judge(case, catalogue.load(ALL), properties_for(ALL), 0)
    assert not judged.shows
    if NIGHTLY:
        stored = Stored(case.schedule, case.steps, case.deviations)
        near = Nearby(catalogue.load(ALL), properties_for(ALL), case.scenario, stored, case.expected, NEAR).search()
        assert (near.violation, near.runs, near.raised) == (None, NEAR, [])


def test_what_is_not_in_the_reach_of_the_model() -> None:
    for name, other in ON_THE_MODEL.items():
        own = (catalogue.load("heat-engine"), properties_for("heat-engine"))
        assert confirming.confirm(kept(name), own, "heat", NEAR_ON_THE_MODEL).answer == confirming.NOT
        judged = judging.judge(kept(other), catalogue.load(f"heat-engine+{name}"), properties_for(f"heat-engine+{name}"), 0)
        assert not judged.shows


def test_the_findings_are_told_with_a_command_for_each() -> None:
    text = (ROOT / "docs" / "findings.md").read_text()
    headings = re.findall(r"(?m)^## (\d+)\. `([a-z-]+)`$", text)
    assert [int(number) for number, _ in headings] == list(range(1, len(NAMES) + 1))
    assert sorted(name for _, name in headings) == NAMES
    for number, name in headings:
        assert f"| {number} | [`{name}`](#{number}-{name}) |" in text
        assert f"`.venv/bin/heatproof replay reports/regressions/heat-27.0.1/{name}.case.json`" in text


def test_without_the_patch_heat_is_as_before() -> None:
    name = "release-in-spite-of-signals"
    case = kept(name)
    for spec, shows in ((f"heat-engine+{name}", False), ("heat-engine", True), (f"heat-engine+{name}", False)):
        assert judging.judge(case, catalogue.load(spec), properties_for(spec), 0).shows is shows


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"] if NIGHTLY else ["postgresql"])
def test_the_cases_fail_on_other_databases_too(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if reason := private.why_not(kind):
        pytest.skip(f"no {choice.SERVERS[kind]}: {reason}")
    with private.server(kind) as url:
        monkeypatch.setenv(choice.VARIABLE, url)
        answers = {}
        for name in NAMES if NIGHTLY else NAMES[::3]:
            spec = f"{engine(name)}+{kind}"
            answers[name] = judging.judge(kept(name), catalogue.load(spec), properties_for(spec), 3).answer
    assert answers == dict.fromkeys(answers, judging.FAILS)


FILES = scenario_files.find_files([found]) if (found := scenario_files.installed()) is not None else []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_heats_scenarios_pass_with_all_patches(file: Path) -> None:
    result = scenario_files.run_file(file, catalogue.load(ALL))
    assert result.passed, f"line {result.line}: {result.message}"


if NIGHTLY:

    @pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
    @pytest.mark.parametrize("name", NAMES)
    def test_heats_scenarios_pass_with_each_patch(name: str, file: Path) -> None:
        result = scenario_files.run_file(file, catalogue.load(f"heat-engine+{name}"))
        assert result.passed, f"line {result.line}: {result.message}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_heats_scenarios_pass_on_the_model_with_each_repair(file: Path) -> None:
    """In the nightly each file with each repair; else each file with a third of them, another third than the next file."""
    first = 0 if NIGHTLY else FILES.index(file) % 3
    for name in NAMES[first :: 1 if NIGHTLY else 3]:
        result = scenario_files.run_file(file, catalogue.load(f"heat+{name}"))
        assert result.passed, f"{name}: line {result.line}: {result.message}"


# ------------------------------------------------------------------------------------------------------ the command line


def heatproof(*args: object) -> tuple[int, str]:
    done = CliRunner().invoke(cli, [str(arg) for arg in args])
    return done.exit_code, done.output


def test_the_patches_are_listed() -> None:
    code, told = heatproof("patches")
    assert code == 0
    assert [line.partition(":")[0] for line in told.splitlines()] == [cure.name for cure in cures.CURES]
    assert all("; patched: " in line for line in told.splitlines())


def test_a_case_is_replayed_with_a_patch() -> None:
    path = FOLDER / "release-in-spite-of-signals.case.json"
    assert heatproof("replay", path, "--nearby", 0)[0] == 1
    code, told = heatproof("replay", path, "--nearby", 0, "--patch", "release-in-spite-of-signals")
    assert code == 3
    assert "cannot be decided on heat-engine+release-in-spite-of-signals" in told


def test_a_patch_that_there_is_not_is_refused() -> None:
    path = FOLDER / "release-in-spite-of-signals.case.json"
    for arguments in (("replay", path), ("check", "heat-engine"), ("scenario",), ("confirm", path), ("shrink", path)):
        code, told = heatproof(*arguments, "--patch", "no-such-patch")
        assert code == 2
        assert "unknown patch 'no-such-patch'; 'heatproof patches' lists them" in told
    code, told = heatproof("check", "mine.py:Mine", "--patch", NAMES[0])
    assert (code, "is a design of your own" in told) == (2, True)
    assert heatproof("check", f"heat+{NAMES[0]}+{NAMES[0]}")[0] == 2
    assert heatproof("check", f"heat-engine+{NAMES[0]}+{NAMES[0]}")[0] == 2
