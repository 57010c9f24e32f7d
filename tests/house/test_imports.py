"""The contracts on who may import whom hold, and each turns red when it is broken."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The rooms and the contracts, in a folder where they may be broken."""
    ignore = shutil.ignore_patterns("__pycache__", "regressions")
    shutil.copytree(ROOT / "heatproof", tmp_path / "heatproof", ignore=ignore)
    shutil.copytree(ROOT / "tests" / "house", tmp_path / "tests" / "house", ignore=ignore)
    for name in ["pyproject.toml", "tests/__init__.py"]:
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("model/new.py", "import heatproof.properties"),
        ("model/new.py", "from heatproof.strategies import anything"),
        ("model/new.py", "from heatproof.model.designs import anything"),
        ("properties/new.py", "from heatproof.model import database"),
        ("properties/new.py", "import heatproof.reports"),
        ("strategies/new.py", "import heatproof.reports"),
        ("reports/new.py", "import heatproof.cli"),
        ("annexe/__init__.py", ""),
    ],
)
def test_a_broken_rule_is_found(copy: Path, file: str, line: str) -> None:
    target = copy / "heatproof" / file
    target.parent.mkdir(exist_ok=True)
    target.write_text(line + "\n")
    (copy / "heatproof" / "cli.py").touch()
    result = lint_imports(copy)
    assert result.returncode == 1, result.stdout
    assert "1 broken" in result.stdout, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("properties/new.py", "from heatproof.model import observation, templates"),
        ("properties/test_new.py", "from heatproof.model import database; import heatproof.strategies"),
        ("model/catalogue.py", "from heatproof.model.designs import new"),
        ("cli.py", "import heatproof.model.designs.new, heatproof.reports"),
    ],
)
def test_what_is_allowed_passes(copy: Path, file: str, line: str) -> None:
    (copy / "heatproof" / "model" / "designs" / "new.py").touch()
    (copy / "heatproof" / file).write_text(line + "\n")
    result = lint_imports(copy)
    assert result.returncode == 0, result.stdout + result.stderr
