"""The extra ``heat``: everything that Heat's engine and its own convergence tests need, pinned, and nothing that nobody needs."""

import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = [Requirement(line) for line in PROJECT["optional-dependencies"]["heat"]]
OLDEST = {"python_version": "3.11", "python_full_version": "3.11.0"}  # which needs most: a backport is needed by the old
ROOTS = {"fixtures", "openstack-heat", "oslotest", "testscenarios", "testtools"}  # the engine, and what heat.tests imports


def closure(requirements: list[Requirement]) -> set[str]:
    found: set[tuple[str, str]] = set()
    todo = [(canonicalize_name(each.name), extra) for each in requirements for extra in ("", *each.extras)]
    while todo:
        name, extra = todo.pop()
        if (name, extra) in found:
            continue
        found.add((name, extra))
        for line in requires(name) or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": extra, **OLDEST}):
                todo += [(canonicalize_name(needed.name), extra) for extra in ("", *needed.extras)]
    return {name for name, _ in found}


def test_what_is_installed_is_what_is_pinned() -> None:
    assert [f"{pin.name}{pin.specifier}" for pin in PINS] == [f"{pin.name}=={version(pin.name)}" for pin in PINS]


def test_all_that_heat_needs_is_pinned_and_nothing_else() -> None:
    pinned = {canonicalize_name(pin.name) for pin in PINS}
    needed = closure([Requirement(name) for name in sorted(ROOTS)])
    own = closure([Requirement(line) for line in PROJECT["dependencies"]])
    assert needed - own == pinned


def test_the_pins_work_together() -> None:
    subprocess.run([sys.executable, "-m", "pip", "check", "--disable-pip-version-check"], check=True)


def test_heats_engine_can_be_imported_once_oslo_service_has_its_backend() -> None:
    program = (
        "from oslo_service import backend; backend.init_backend(backend.BackendType.THREADING);"
        "import heat.engine.service, heat.engine.worker"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)


WITHOUT = """
import importlib.metadata, sys
MODULES, NAMES = {modules!r}, {names!r}

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MODULES:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

def version(name, known=importlib.metadata.version):
    if name.lower() in NAMES:
        raise importlib.metadata.PackageNotFoundError(name)
    return known(name)

sys.meta_path.insert(0, Refusing())
importlib.metadata.version = version
sys.argv[0] = "heatproof"
from heatproof.cli import main
main()
"""
"""The command line in a process that has nothing of the extra."""

CASE = ROOT / "reports" / "regressions" / "heat" / "rest-no-sync-points-sync-point-left-over.case.json"
ONCE = ("--examples", "1", "--shrink", "0", "--processes", "1", "--report", "out")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("designs",), 0, "heat-engine: OpenStack Heat's convergence engine itself"),
        (("check", ROOT / "examples" / "once.py", *ONCE), 1, "once.py"),
        (("prove", "--operations", "create", "--engines", "1", "--processes", "1", "--report", "out"), 0, "searched to the end"),
        (("replay", CASE), 1, "Violated after step 21"),
        (("check", "heat-engine", *ONCE), 2, "pip install 'heatproof[heat]'"),
        (("accesses",), 2, "pip install 'heatproof[heat]'"),
        (("confirm", CASE), 3, "pip install 'heatproof[heat]'"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_without_it_all_works_but_what_runs_the_engine(words: tuple[str, ...], code: int, said: str, tmp_path: Path) -> None:
    names = {canonicalize_name(pin.name) for pin in PINS}
    modules = {top for top, of in packages_distributions().items() if {canonicalize_name(name) for name in of} <= names}
    assert {"greenlet", "heat", "sqlalchemy", "oslo_db", "eventlet"} <= modules
    program = WITHOUT.format(modules=modules, names=names | {pin.name.lower() for pin in PINS})
    command = [sys.executable, "-c", program, *map(str, words)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stdout + done.stderr
    assert said in done.stdout + done.stderr
