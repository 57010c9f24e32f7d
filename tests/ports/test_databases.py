"""The real engine on database servers: the same runs as on SQLite, deterministic, cleaned up, and with messages where one cannot be had."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from heatproof import checking
from heatproof.cli import cli
from heatproof.model import catalogue
from heatproof.model.designs.heat.values import STACK
from heatproof.model.errors import HeatproofError
from heatproof.model.scenario import create, scenario
from heatproof.model.templates import resource
from heatproof.model.world import World
from heatproof.ports.heat import installation
from heatproof.ports.heat.databases import base, choice, private
from heatproof.properties.catalogue import ALL
from heatproof.strategies.exploring import Findings
from heatproof.strategies.running import Driver
from heatproof.strategies.shrinking import Failure

if reason := installation.why_not():
    pytest.skip(f"the real engine is not here: {reason}", allow_module_level=True)

from heatproof.ports.heat.world import EngineWorld, trace
from tests.ports import traces

ROOT = Path(__file__).parents[2]
KINDS = sorted(choice.SERVERS)
LEVEL = {"postgresql": "read committed", "mariadb": "repeatable read"}


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Iterator[str]:
    """A kind of server, one of which is running for the tests of this module."""
    name: str = request.param
    if reason := private.why_not(name):
        pytest.skip(f"no {choice.SERVERS[name]}: {reason}")
    with private.server(name) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv(choice.VARIABLE, url)
        yield name


def opened(design: str) -> EngineWorld:
    world = catalogue.load(design).open(scenario(create([resource("A", {"p": 1})])))
    assert isinstance(world, EngineWorld)
    return world


def settled(world: World) -> None:
    while (action := world.default()) is not None:
        world.perform(action)


def test_the_same_actions_lead_to_the_same_rows_as_on_sqlite(kind: str) -> None:
    for number in (0, 2, 5):
        here = traces.run(number)
        there = catalogue.load(f"heat-engine+{kind}").open(here.scenario)
        for entry in here.log:
            there.perform(entry.action)
        assert there.requests == here.requests
        assert there.reality.things == here.reality.things
        assert rows(there, kind) == rows(here, kind)


def rows(world: World, kind: str) -> dict[str, dict[object, object]]:
    """What is in the tables. MariaDB knows whole seconds only."""
    found = {table.name: dict(content) for table, content in world.database.rows.items()}
    if kind != "mariadb":
        return found
    return {
        table: {key: row._replace(updated_at=0) if hasattr(row, "updated_at") else row for key, row in content.items()}
        for table, content in found.items()
    }


def test_runs_have_the_same_traces_in_another_process_order_and_hash_seed(kind: str) -> None:
    numbers, design = [3, 5, 8, 11], f"heat-engine+{kind}"
    here = traces.traces(numbers, design)
    command = [sys.executable, "-m", "tests.ports.traces", design, *map(str, reversed(numbers))]
    environment = {**os.environ, "PYTHONHASHSEED": "4242"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
    there = {int(number): made for number, made in (line.split() for line in done.stdout.splitlines())}
    assert there == here


def test_what_runs_is_told_with_its_isolation_level(kind: str) -> None:
    told = opened(f"heat-engine+{kind}").setting
    assert told.startswith(choice.SERVERS[kind])
    assert f"isolation level {LEVEL[kind]}; one action is one transaction" in told
    assert "isolation level serializable" in opened(f"heat-engine+{kind}+serializable").setting


def test_a_database_is_of_one_process_and_goes_with_it(kind: str) -> None:
    program = (
        "from tests.ports.test_databases import opened\n"
        f"world = opened('heat-engine+{kind}'); print(world.installation.database.name)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    world = opened(f"heat-engine+{kind}")
    query = {"postgresql": "SELECT datname FROM pg_database", "mariadb": "SHOW DATABASES"}[kind]
    names = {row[0] for row in world.installation.database.rows(query)}
    assert done.stdout.strip() not in names
    assert world.installation.database.name in names  # type: ignore[attr-defined]


def test_a_lock_that_somebody_else_holds_ends_the_run_with_one_error(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "PATIENCE", 1.0)
    monkeypatch.setenv(choice.VARIABLE, os.environ[choice.VARIABLE] + "?application_name=impatient")
    world = opened(f"heat-engine+{kind}")
    while not world.database.rows[STACK] and (action := world.default()) is not None:
        world.perform(action)
    at = world.installation.database.engine.url.render_as_string(hide_password=False)
    with create_engine(at, isolation_level="READ COMMITTED").connect() as other:
        other.execute(text("SELECT id FROM stack FOR UPDATE"))
        told = rf"task 'create#1' before .* has waited 1 seconds for a lock in {choice.SERVERS[kind]}"
        with pytest.raises(HeatproofError, match=told):
            settled(world)


def test_report_case_and_story_tell_what_ran_and_the_case_is_replayed(kind: str, tmp_path: Path) -> None:
    url = os.environ[choice.VARIABLE]
    spec = choice.on("heat-engine", url)
    run = traces.run(8, spec)
    key = ("rest: no superfluous templates", "template left over")
    driver = Driver(catalogue.load(spec), run.scenario, [ALL[key[0]]])
    for entry in run.log:
        driver.perform(entry.action)
    driver.settle()
    failure = Failure(run.scenario, [entry.action for entry in driver.world.log], driver.monitor.violations[key])
    outcome = checking.Outcome(Findings(runs=1, failures={key: failure}), "the budget was used", False)
    checking.report(tmp_path, spec, outcome, [ALL[key[0]]])
    assert (tmp_path / "verdicts.txt").read_text().startswith(f"heatproof check {spec}\n")
    (stored,) = tmp_path.glob("*.case.json")
    assert json.loads(stored.read_text())["design"] == {"name": "heat-engine", "changes": spec.split("+")[1:]}
    (told,) = tmp_path.glob("*.story.txt")
    assert f"on {choice.SERVERS[kind]}" in told.read_text()
    assert f"isolation level {LEVEL[kind]}" in " ".join(told.read_text().split())
    assert url not in told.read_text() + stored.read_text()
    replayed = CliRunner().invoke(cli, ["replay", str(stored), "--database", url, "--nearby", "0"], catch_exceptions=False)
    assert replayed.exit_code == 1, replayed.output
    assert f"on {choice.SERVERS[kind]}" in replayed.output


def test_a_server_ends_with_who_started_it_even_if_that_is_killed(kind: str) -> None:
    program = (
        "import os\nfrom heatproof.ports.heat.databases import private\n"
        f"with private.server({kind!r}) as url:\n    print(url, flush=True)\n    os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    port = urlsplit(done.stdout.strip()).port
    assert port
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.1)
    pytest.fail("the server is still there")


# ------------------------------------------------------------------------------------------- where it cannot be had


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["postgresql", "mariadb"], "exclude each other"),
        (["postgresql", "serializable", "read-committed"], "exclude each other"),
        (["statements"], "can only be had on PostgreSQL"),
        (["serializable"], "says nothing of SQLite"),
    ],
)
def test_words_that_do_not_go_together(words: list[str], message: str) -> None:
    with pytest.raises(HeatproofError, match=message):
        choice.choose(words)


def test_a_design_says_all_that_it_leaves_open() -> None:
    assert choice.on("heat-engine", None) == "heat-engine"
    assert choice.on("heat-engine", "postgresql://h/d") == "heat-engine+postgresql+read-committed"
    assert choice.on("heat-engine+serializable", "mysql+pymysql://h/d") == "heat-engine+mariadb+serializable"
    assert choice.on("heat-engine+statements", "postgresql://h/d") == "heat-engine+postgresql+statements+read-committed"
    with pytest.raises(HeatproofError, match="--database is about heat-engine; heat keeps its tables in the model"):
        choice.on("heat", "postgresql://h/d")
    with pytest.raises(HeatproofError, match="runs on MariaDB, and --database names PostgreSQL"):
        choice.on("heat-engine+mariadb", "postgresql://h/d")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["heat-engine", "--database", "oracle://x"], "'oracle' is no database that heat-engine can run on"),
        (["heat-engine", "--database", "nonsense"], "is no database that heat-engine can run on"),
        (["heat-engine+postgresql"], "nobody has told which server"),
        (["heat-engine+warp"], "has no change 'warp'"),
        (["heat-engine", "--database", "postgresql://nobody@127.0.0.1:1/none"], "PostgreSQL at 127.0.0.1 cannot be used"),
        (["heat-engine", "--database", "mysql://nobody@127.0.0.1:1/none"], "MariaDB at 127.0.0.1 cannot be used"),
    ],
)
def test_wrong_use_is_told_and_nothing_is_written(
    options: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(choice.VARIABLE, raising=False)
    limits = ["--examples", "10", "--processes", "1", "--report", str(tmp_path / "report")]
    done = CliRunner().invoke(cli, ["check", *options, *limits])
    assert done.exit_code == 2
    assert message in " ".join(done.output.split()).replace("│ ", "")
    assert not (tmp_path / "report").exists()


def test_a_server_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(private.PLACES, "postgresql", ((), "no-such-server", "postgresql"))
    done = CliRunner().invoke(cli, ["check", "heat-engine", "--database", "postgresql://"])
    assert done.exit_code == 2
    assert "apt-get install postgresql" in " ".join(done.output.split()).replace("│ ", "")


def test_sqlite_and_a_server_can_take_turns_in_one_process(kind: str) -> None:
    first = trace(traces.run(7))
    trace(traces.run(7, f"heat-engine+{kind}"))
    assert trace(traces.run(7)) == first
