"""``heatproof shrink``, ``adopt`` and ``diff``, run as a stranger would run them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import heatproof as package
from heatproof.cli import cli
from heatproof.model.scenario import Scenario
from heatproof.reports.cases import Case, dump, read
from heatproof.reports.judging import noted
from heatproof.strategies.running import Plan, run
from heatproof.strategies.shrinking import Shrinker
from tests.cli.test_commands import heatproof, here
from tests.cli.test_replay import DESIGNS, KEPT, LENGTH
from tests.toys import HEAT, ROOT, large

HANGS = ("rest: no operation hangs", "CREATE hangs, sync points wait")
OTHER = KEPT.with_name("rest-no-operation-hangs-update-hangs-a-lock-is-held.case.json")


@pytest.fixture
def design(tmp_path: Path) -> Path:
    file = tmp_path / "mine.py"
    file.write_text(DESIGNS)
    return file


@pytest.fixture
def padded(tmp_path: Path) -> Path:
    """The kept case with an operation more at its end, and more engines than it needs."""
    case = read(KEPT)
    operations = (*case.scenario.operations, case.scenario.operations[-1])
    more = case._replace(scenario=Scenario(operations, case.scenario.scope._replace(engines=3)))
    path = tmp_path / "padded.case.json"
    path.write_text(dump(noted(more, HEAT, case.schedule), "1"))
    return path


def renamed(path: Path, **fields: object) -> Path:
    """A case file with some of its fields changed, beside it."""
    other = path.with_name(f"changed-{path.name}")
    other.write_text(json.dumps(json.loads(path.read_text()) | fields))
    return other


# -------------------------------------------------------------------------------------------------------------- shrink


def test_shrink_writes_the_smaller_case(padded: Path) -> None:
    before = padded.read_bytes()
    done = heatproof("shrink", padded, "--budget", "400")
    assert done.returncode == 0, done.stderr
    small = padded.with_name("padded.small.case.json")
    assert f"Written: {small}\nSee it: heatproof replay {small}\n" in done.stdout
    assert "engines      3 -> 1" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert padded.read_bytes() == before
    case = read(small)
    assert case.expected == HANGS
    assert len(case.scenario.operations) == 2
    assert (case.title, case.heatproof) == (read(KEPT).title, package.__version__)
    told = heatproof("replay", small)
    assert told.returncode == 1
    assert "differently" not in told.stdout


def test_an_interrupted_shrink_writes_the_best_so_far(padded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Shrinker, "_moved_deviations", interrupted)
    done = CliRunner().invoke(cli, ["shrink", str(padded), "--budget", "400"])
    assert done.exit_code == 0, done.output
    assert re.search(r"Interrupted with [0-9]+ of 400 runs left: this is the best so far\.", done.output)
    small = read(padded.with_name("padded.small.case.json"))
    assert len(small.scenario.operations) == len(read(padded).scenario.operations) - 1
    assert here("replay", padded.with_name("padded.small.case.json")).returncode == 1


def test_shrink_of_the_same_case_gives_the_same(padded: Path, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.case.json", "b.case.json")]
    for file in files:
        here("shrink", padded, "--budget", "60", "--output", file)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_shrink_on_another_design_begins_near_by(design: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.case.json"
    done = here("shrink", KEPT, "--design", f"{design}:Reads", "--output", out, "--budget", "60")
    assert done.returncode == 0, done.stderr
    assert f"See it: heatproof replay {out} --design {design}:Reads" in done.stdout
    assert here("replay", out, "--design", f"{design}:Reads").returncode == 1


def test_shrink_refuses_what_does_not_fail(design: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.case.json"
    done = here("shrink", KEPT, "--design", f"{design}:Mended", "--output", out)
    assert done.returncode == 2
    assert "there is no failure to shrink" in done.stderr
    done = here("shrink", KEPT, "--design", f"{design}:Raises", "--output", out)
    assert done.returncode == 3
    assert "cannot be decided" in done.stdout
    assert not out.exists()


def test_shrink_cannot_write(padded: Path) -> None:
    done = here("shrink", padded, "--budget", "5", "--output", "/dev/null/x")
    assert done.returncode == 2
    assert "cannot write /dev/null/x: Not a directory" in done.stderr


# --------------------------------------------------------------------------------------------------------------- adopt


def test_adopt_keeps_case_and_story(tmp_path: Path) -> None:
    given = tmp_path / "found.case.json"
    given.write_bytes(KEPT.read_bytes())
    done = heatproof("adopt", given, "--title", "A title", "--origin", "bug 4711", where=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "reports" / "regressions" / "heat"
    assert sorted(path.name for path in folder.iterdir()) == ["found.case.json", "found.story.txt"]
    case = read(folder / "found.case.json")
    assert (case.title, case.origin, case.expectation, case.design) == ("A title", "bug 4711", "fails", "heat")
    assert case._replace(title=read(KEPT).title, origin="") == read(KEPT)
    told = (folder / "found.story.txt").read_text()
    assert told == heatproof("replay", folder / "found.case.json").stdout
    assert told.startswith("A title\n")
    again = heatproof("adopt", given, "--title", "A title", "--origin", "bug 4711", where=tmp_path)
    assert again.returncode == 0
    other = heatproof("adopt", given, "--title", "B", "--name", "other", where=tmp_path)
    assert "The same kind of failure is kept in reports/regressions/heat/found.case.json too." in other.stdout


def test_adopt_does_not_write_over_another_case(tmp_path: Path) -> None:
    here("adopt", KEPT, "--name", "x", "--into", tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / "heat").iterdir()}
    done = here("adopt", OTHER, "--name", "x", "--into", tmp_path)
    assert done.returncode == 2
    assert "x.case.json is there already and is another case; give this one another --name" in done.stderr
    assert {path: path.read_bytes() for path in (tmp_path / "heat").iterdir()} == before


def test_adopt_refuses_a_case_that_does_not_show_what_it_is_to_show(design: Path, tmp_path: Path) -> None:
    into = tmp_path / "kept"
    for options, code, said in (
        (("--expect", "holds"), 2, "is not adopted as one that must hold on heat: still fails."),
        (
            ("--design", f"{design}:Mended", "--nearby", "60"),
            2,
            f"is not adopted as one that fails on {design}:Mended: not found any more.",
        ),
        (("--design", f"{design}:Raises"), 3, "cannot be decided"),
        (("--design", f"{design}:Mended", "--expect", "holds", "--nearby", "9"), 3, "cannot be decided"),
        (("--expect", "perhaps"), 2, "'perhaps' is not one of 'fails', 'holds'"),
        (("--name", "///"), 2, "'///' is no name for a file"),
    ):
        done = here("adopt", KEPT, "--into", into, *options)
        assert done.returncode == code, done.stdout + done.stderr
        assert said in done.stdout + done.stderr
        assert not into.exists()


def test_adopt_a_case_that_must_hold(design: Path, tmp_path: Path) -> None:
    into = tmp_path / "kept"
    done = here("adopt", KEPT, "--into", into, "--design", f"{design}:Mended", "--expect", "holds", "--nearby", "60")
    assert done.returncode == 0, done.stdout + done.stderr
    kept = into / "Mended" / KEPT.name
    assert read(kept).expectation == "holds"
    story = kept.with_name(KEPT.name.replace(".case.json", ".story.txt")).read_text()
    assert f"Must hold on {design}:Mended: {': '.join(HANGS)}" in story
    assert here("replay", kept, "--design", f"{design}:Mended", "--nearby", "60").returncode == 0
    assert here("replay", kept, "--design", f"{design}:Reads").returncode == 1


def test_adopt_keeps_the_schedule_that_was_found_near_by(design: Path, tmp_path: Path) -> None:
    done = here("adopt", KEPT, "--into", tmp_path / "kept", "--design", f"{design}:Reads")
    assert done.returncode == 0, done.stderr
    assert "It is kept with another schedule." in done.stdout
    again = here("replay", tmp_path / "kept" / "Reads" / KEPT.name, "--design", f"{design}:Reads")
    assert again.returncode == 1
    assert "differently" not in again.stdout


def test_adopt_cannot_write() -> None:
    done = here("adopt", KEPT, "--into", "/dev/null")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


# ---------------------------------------------------------------------------------------------------------------- diff


def test_diff_of_the_same() -> None:
    done = here("diff", KEPT, KEPT)
    assert done.returncode == 0
    assert "schedule, by its deviations: the same" in done.stdout
    assert done.stdout.endswith(f"{LENGTH} actions, the same in both\n")
    assert not [line for line in done.stdout.splitlines()[2:] if line.startswith(("  -", "  +"))]


def test_titles_make_no_difference(tmp_path: Path) -> None:
    path = tmp_path / "a.case.json"
    path.write_bytes(KEPT.read_bytes())
    assert here("diff", path, renamed(path, title="other", origin="elsewhere")).returncode == 0


def test_diff_says_what_differs(tmp_path: Path) -> None:
    done = here("diff", KEPT, OTHER)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    ones, others = [list(map(str, read(path).schedule)) for path in (KEPT, OTHER)]
    alike = next(n for n, (one, other) in enumerate(zip(ones, others, strict=False)) if one != other)
    assert lines[0] == f"--- {KEPT}: {read(KEPT).title}"
    assert lines[1] == f"+++ {OTHER}: {read(OTHER).title}"
    for line in (
        "    design heat", "  - fails: rest: no operation hangs: CREATE hangs, sync points wait", "    engines 1, threads 1",
        "    operation 1: create", "  - operation 1:   B", "  - operation 2: mark unhealthy B", "  + operation 3: signal A",
        "  - instead of check(B@T1, U, T1) before W-4: operate mark unhealthy#2 at E1",
        "  + instead of check(A@T2, U, T2) before RC-4: operate signal#3 at E1",
        f"{len(ones)} and {len(others)} actions; the first {alike} are the same, then",
    ):  # fmt: skip
        assert line in lines
    for sign, action in (("-", ones[alike]), ("+", others[alike])):
        assert [line for line in lines if line.startswith(f"  {sign} {alike + 1}: {action}")]
    assert [line for line in lines if line.startswith("  - fails on heat: rest: no operation hangs: CREATE hangs")]


def test_deviations_are_aligned(tmp_path: Path) -> None:
    """One deviation less: the others are shown as common."""
    case = read(KEPT)
    path = tmp_path / "less.case.json"
    assert case.deviations is not None
    assert len(case.deviations) > 1
    path.write_text(dump(case._replace(deviations=(*case.deviations[:1], *case.deviations[2:])), "1"))
    lines = here("diff", KEPT, path).stdout.splitlines()
    about = [line for line in lines if "instead of" in line]
    assert len(about) == len(case.deviations)
    assert [line[:4] for line in about] == ["    ", "  - ", *["    "] * (len(about) - 2)]


def test_diff_of_cases_of_ones_own_designs(tmp_path: Path) -> None:
    tutorial = ROOT / "docs" / "tutorial" / "lost-update.case.json"
    done = here("diff", tutorial, KEPT)
    assert done.returncode == 1
    assert "  - not judged: countdown.py:Blind is code of somebody's own; name it with --design if you trust it" in done.stdout
    done = here("diff", tutorial, tutorial, "--design", "countdown.py:Countdown", where=tutorial.parent)
    assert done.returncode == 0
    assert (
        "does not fail on countdown.py:Countdown: All 20 actions fit, 3 more lead to rest, and the failure does not show."
        in done.stdout
    )


def test_diff_of_what_is_no_case() -> None:
    done = here("diff", KEPT, "/dev/null")
    assert done.returncode == 2
    assert "/dev/null is no case" in done.stderr


# ----------------------------------------------------------------------------------------------------------- a large case


def test_the_commands_bear_a_large_case(tmp_path: Path) -> None:
    """Some 160 actions with 70 deviations, which show nothing."""
    first = run(HEAT, large(), [], Plan("random", 1, faultiness=0.05))
    path = tmp_path / "large.case.json"
    path.write_text(dump(noted(Case("large", "heat", large(), (), HANGS), HEAT, first.actions), "1"))
    assert here("diff", path, KEPT).returncode == 1
    assert here("replay", path, "--step").stdout.count(f" of {len(first.actions)}: ") == len(first.actions)
    assert here("replay", path, "--nearby", "60").returncode in (0, 1)
