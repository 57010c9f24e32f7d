"""The rooms are packages of heatproof, in the checkout and in the wheel."""

import importlib
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import files, version
from pathlib import Path

import pytest

import heatproof

ROOT = Path(__file__).parents[2]
ROOMS = ["model", "ports", "properties", "reports", "strategies"]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_a_relative_link_and_a_package(room: str) -> None:
    assert os.readlink(ROOT / "heatproof" / room) == f"../{room}"
    assert importlib.import_module(f"heatproof.{room}").__doc__


def test_there_is_one_version() -> None:
    assert version("heatproof") == heatproof.__version__


def test_the_face_is_true() -> None:
    assert all(hasattr(heatproof, name) for name in heatproof.__all__)


def test_the_wheel_ships_heatproof_alone_with_every_room(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for folder in ["heatproof", *ROOMS]:
        shutil.copytree(ROOT / folder, source / folder, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ["pyproject.toml", "README.md", "LICENSE"]:
        shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--no-build-isolation", "--wheel-dir", tmp_path, source], check=True)

    (wheel,) = tmp_path.glob("*.whl")
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = {str(Path("heatproof", path.relative_to(ROOT))) for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    expected |= {"heatproof/py.typed"} | {f"heatproof/{path.name}" for path in ROOT.glob("heatproof/*.py")}
    assert {name for name in shipped if name.endswith((".py", ".typed"))} == expected
    assert {name.split("/")[0] for name in shipped} == {"heatproof"}


def test_heats_scenarios_are_installed_to_be_read() -> None:
    shipped = files("openstack-heat") or []
    scenarios = [file for file in shipped if file.match("heat/tests/convergence/scenarios/*.py")]
    assert len(scenarios) == 21
    assert all(Path(str(file.locate())).is_file() for file in scenarios)
