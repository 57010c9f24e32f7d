"""Pages and diagrams of the engine's cases: Heat's own function names, and the statement behind each access."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from heatproof.cli import cli
from heatproof.model import catalogue
from heatproof.ports.heat import installation
from heatproof.reports import cases
from heatproof.reports.graphs import graphs
from heatproof.reports.told import told
from heatproof.strategies.asked import properties_for
from tests.toys import ROOT

if reason := installation.why_not():
    pytest.skip(f"the real engine is not here: {reason}", allow_module_level=True)

CASE = ROOT / "reports" / "regressions" / "heat-27.0.1" / "release-in-spite-of-signals.case.json"


def test_a_case_of_the_engine_has_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = CliRunner().invoke(cli, ["report", str(CASE), "-o", str(page)])
    assert (done.exit_code, done.output) == (0, f"{page}\n")
    text = page.read_text()
    assert "resource_id_set/resource_update_and_save" in text
    assert "UPDATE resource SET nova_instance=A@T1.1 WHERE id=A@T1" in text


def test_its_graphs_show_what_was_so_at_each_step() -> None:
    case = cases.read(CASE)
    shown = told(case, catalogue.load(case.design), properties_for(case.design), str(CASE), neighbours=False)
    drawn = graphs(shown.run)
    assert "IN_PROGRESS" in repr(drawn)
    assert "A@T1" in repr(drawn)


def test_a_case_of_the_engine_has_a_sequence_diagram() -> None:
    done = CliRunner().invoke(cli, ["report", str(CASE), "--mermaid"])
    assert done.exit_code == 0
    assert done.output.startswith("sequenceDiagram\n")
    assert "UPDATE resource SET" in done.output
