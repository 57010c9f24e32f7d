"""The extra ``heat``: everything that Heat's engine and its own convergence tests need, pinned, and nothing that nobody needs."""

import subprocess
import sys
import tomllib
from importlib.metadata import requires, version
from pathlib import Path

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
