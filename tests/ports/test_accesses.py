"""What the model's meter predicts of an operation is what the engine asks of its database; and how that is counted."""

from __future__ import annotations

import csv
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from heatproof.model.errors import HeatproofError, ScenarioError
from heatproof.model.meter import Access, Meter, meter
from heatproof.model.scenario import Operation, Scenario, create, scenario, update
from heatproof.model.templates import Attr, Ref, Template, resource
from heatproof.model.world import World
from heatproof.ports.heat import installation

if reason := installation.why_not():
    pytest.skip(f"the real engine is not here: {reason}", allow_module_level=True)

from heatproof.cli import cli
from heatproof.model import catalogue
from heatproof.ports.heat import places, statements
from heatproof.ports.heat.accesses import comparing, mapping
from heatproof.ports.heat.accesses.comparing import Cost, compare
from heatproof.ports.heat.accesses.growth import growth
from heatproof.ports.heat.accesses.shapes import OPERATIONS, SHAPES, asked, template
from heatproof.ports.heat.conformance import correspondence
from heatproof.ports.heat.conformance.comparing import Options, accesses_differ, batch, run
from heatproof.ports.heat.databases import choice, postgresql, private
from heatproof.ports.heat.statements import Statement
from heatproof.properties.costs import at_most
from heatproof.strategies.running import Driver, Plan
from tests.ports import test_conformance
from tests.toys import NIGHTLY

ROOT = Path(__file__).parents[2]
SIZES = (1, 2, 5, 10, 20, 40) if NIGHTLY else (5,)
SMALL, LARGE = test_conformance.SMALL, test_conformance.LARGE


def differing(found: list[comparing.Line]) -> list[comparing.Line]:
    return [line for line in found if not line.equal]


# ----------------------------------------------------------------------------- the model predicts what the engine does


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("operation", sorted(OPERATIONS.keys() - {"create"}))
@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_the_model_predicts_every_access(shape: str, operation: str, size: int) -> None:
    """Of the create that comes before it, too."""
    found = comparing.run(asked(operation, shape, size))
    assert differing(found.lines) == []
    assert {line.operation for line in found.lines} == {1, 2}
    assert all(sum(line.engine[0] for line in found.lines if line.operation == n) > 50 for n in (1, 2) if size >= 5)
    for number in (1, 2):
        mine, its = found.cost("model", number), found.cost("engine", number)
        assert mine[:3] == its[:3]
        assert its.read > 0
        assert its.written > 0


def test_numbers_of_one_run() -> None:
    """Pinned, so that a change of what is counted is seen."""
    found = comparing.run(asked("replacement", "chain", 5))
    assert found.cost("engine", 1)[:3] == (64, 76, 71)
    assert found.cost("engine", 2)[:3] == (142, 161, 185)
    assert found.apart("engine", 2) == {
        "events": Cost(32, 64, 64, 8049, 5133),
        "plug-in data": Cost(20, 0, 0, 0, 0),
        "property data": Cost(5, 5, 5, 0, 470),
        "tags": Cost(2, 2, 0, 0, 0),
    }
    assert found.apart("model", 2) == {}
    assert comparing.run(asked("delete", "flat", 2)).apart("model", 2)["credentials"].statements == 3
    lines = {(line.operation, line.table, line.kind): line.engine for line in found.lines}
    assert lines[1, "resource", "insert"] == (5, 5)
    assert lines[2, "resource", "delete"] == (1, 5)
    assert lines[2, "sync_point", "compare-and-set"] == (14, 14)
    assert (2, "stack", "query") in lines


OTHERS: dict[str, tuple[Operation, ...]] = {
    **test_conformance.OPERATIONS,
    "attributes": (create([resource("A", {"p": 1}), *(resource(n, {"p": Attr("A", "p")}) for n in "BCD")]),
                   update([resource("A", {"p": 2}), *(resource(n, {"p": Attr("A", "p"), "q": Ref("A")}) for n in "BCD")])),
    "nothing at all": (create([]), update([]), Operation("delete")),
    "twice deleted": (create(SMALL), Operation("delete"), Operation("delete"), Operation("check")),
    "checked twice": (create(SMALL), Operation("check"), Operation("check")),
    "a failed create": (create([resource("A", fails=["create"]), resource("B", depends_on=["A"])]), update(SMALL), Operation("delete")),
    "another class": (create([resource("A"), resource("B", {"p": Ref("A")})]), update([resource("A", kind="other"), resource("B")])),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_all_other_operations_too(name: str) -> None:
    found = comparing.run(scenario(*OTHERS[name]))
    assert differing(found.lines) == []
    assert found.lines


@pytest.mark.parametrize("seed", range(40 if NIGHTLY else 4))
def test_also_where_operations_overlap_and_faults_strike(seed: int) -> None:
    """Under any schedule that both follow."""
    faults = {"abort": 2, "disconnect": 1, "crash": 1, "restart": 1, "duplicate": 1, "fail": 1, "lose": 1}
    operations = (create(LARGE), update(test_conformance.REPLACED, rollback=True), Operation("check"), Operation("delete"))
    both, end = run(scenario(*operations, faults=faults), Plan("random", seed, 0.03, 0.05))
    assert end == "rest"
    assert both.world.happened
    assert differing(compare(meter(both.model.world), meter(both.engine.world))) == []


def test_the_reads_that_a_lost_compare_and_set_costs_are_predicted() -> None:
    """Two engines report to one sync point at the same time."""
    both, _ = run(asked("create", "fan-in", 4), Plan("lockstep", 0, 0.0))
    mine, its = meter(both.model.world), meter(both.engine.world)
    assert differing(compare(mine, its)) == []
    lost = [(a.table, a.kind) for a in its.accesses if a.outcome == "missed" and a.kind == "compare-and-set"]
    assert ("sync_point", "compare-and-set") in lost


@pytest.mark.parametrize("mutation", ["lock-and-state-are-separate-writes", "old-sync-points-kept", "sync-blind"])
def test_a_wrong_model_is_found_out(mutation: str) -> None:
    found = [comparing.run(asked(operation, "fan-in", 3), f"heat+{mutation}") for operation in ("replacement", "delete")]
    assert any(not one.equal for one in found)


@pytest.mark.parametrize(
    ("patch", "equal"),
    [("cleanup-leaves-a-tombstone", True), ("one-replacement-a-traversal", False), ("replacement-and-link-together", False)],
)
def test_two_repairs_ask_otherwise_than_the_patches_of_their_names(patch: str, equal: bool) -> None:
    """A limit: they do the same by other statements."""
    found = comparing.run(asked("replacement", "fan-in", 2), f"heat+{patch}", f"heat-engine+{patch}")
    assert found.equal == equal
    assert {line.table for line in differing(found.lines)} <= {"resource"}


# --------------------------------------------------------------------------------------------------- what is counted


def settled(world: World) -> World:
    while (action := world.default()) is not None:
        world.perform(action)
    return world


def test_a_run_of_the_engine_has_a_meter() -> None:
    """The run is made once more."""
    world = settled(catalogue.load("heat-engine").open(asked("create", "flat", 2)))
    counted = meter(world)
    assert counted.by("kind")["transaction"].accesses == counted.total.accesses
    assert counted.by("handler").keys() >= {"create_stack", "check_resource", "converge_create_or_update"}
    assert all(a.operation == 1 for a in counted.accesses)
    assert counted.accesses == meter(world).accesses


def test_a_bound_on_a_cost_can_be_asked_of_the_engine() -> None:
    driver = Driver(catalogue.load("heat-engine"), asked("create", "flat", 1), [at_most(10)])
    driver.settle()
    ((name, _),) = driver.monitor.violations
    assert name == "at most 10 accesses per operation"


def test_runs_that_take_turns_are_counted_as_if_each_were_alone() -> None:
    """An engine that another run has had in between is made again as far as it had come."""
    drawn = asked("create", "flat", 1)
    alone, one, other = (catalogue.load("heat-engine").metering(drawn) for _ in range(3))
    while (action := alone.world.default()) is not None:
        alone.perform(action)
    for turn in range(12):
        for metering in (one, other) if turn % 5 == 0 else (one,):
            action = metering.world.default()
            assert action is not None
            metering.perform(action)
    while (action := one.world.default()) is not None:
        one.perform(action)
    assert one.accesses == alone.accesses


def test_counting_changes_nothing_that_is_sent() -> None:
    def sent(design: str, counted: bool) -> list[object]:
        drawn = asked("in-place", "chain", 2)
        world = settled(catalogue.load(design).metering(drawn).world if counted else catalogue.load(design).open(drawn))
        results = [e.after.result for e in world.log if e.after is not None]
        return [s[:6] for r in results for s in getattr(r, "statements", ())]

    assert sent("heat-engine", True) == sent("heat-engine", False)


def test_bytes_are_those_of_what_a_query_returns() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (a TEXT, b INTEGER, c BLOB)")
    connection.executemany("INSERT INTO t VALUES (?, ?, ?)", [("abc", 12, b"xy"), ("é", None, None), ("no", -1, b"")])
    cursor = connection.cursor()
    found = statements.fetch(cursor, "SELECT a, b, c FROM t WHERE a <> ?", ("no",))
    assert found is not None
    assert (found.rows, found.columns) == (2, (3 + 2, 2, 2))
    assert statements.fetch(cursor, "SELECT a FROM t WHERE a = ?", ("nobody",)) == (0, ())
    assert statements.fetch(cursor, "DELETE FROM t", ()) is None
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (3,)
    connection.close()


def test_what_is_read_of_one_stack_is_what_stands_in_its_tables() -> None:
    """W-5 reads the stack with its template: as many bytes as are stored, read off the database itself."""
    metering = catalogue.load("heat-engine").metering(asked("create", "flat", 1))
    while (action := metering.world.default()) is not None:
        metering.perform(action)
    database = metering.world.installation.database  # type: ignore[attr-defined]
    (stored,) = database.rows("SELECT length(template) FROM raw_template")[0]
    read = [column for column in metering.columns if column[1:4] == ("stack_get", "raw_template", "template")]  # type: ignore[attr-defined]
    loads = sum(a.step.endswith("load/stack_get") for a in metering.accesses if a.kind == "read")
    assert loads == 1
    assert [metering.columns[column] for column in read] == [stored * loads]  # type: ignore[attr-defined]


def test_it_is_the_same_in_other_processes_under_another_hash_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = []
    for processes in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", "77")  # heeded by those that are started from here
        file = tmp_path / f"{processes}.csv"
        arguments = ["--sizes", "3", "--shapes", "fan-in", "--operations", "unchanged,replacement", "--brief", "--csv", str(file)]
        done = CliRunner().invoke(cli, ["accesses", "--processes", processes, *arguments])
        assert done.exit_code == 0, done.output
        assert "replacement, fan-in of 3" in done.output
        assert len(done.output.splitlines()) == 5
        texts.append(file.read_text())
    assert texts[0] == texts[1]


# -------------------------------------------------------------------------------------------------------- the mapping


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("SELECT stack.id FROM stack WHERE stack.id = ?", "read"),
        ("SELECT stack.id FROM stack WHERE (stack.tenant = ? OR stack.x = ?) AND stack.name = ? LIMIT ?", "read"),
        ("SELECT stack.id FROM stack WHERE ? = stack.raw_template_id", "query"),
        ("SELECT anon_1.resource_id FROM (SELECT resource.id AS resource_id FROM resource WHERE resource.id = ? LIMIT ? OFFSET ?) AS anon_1",
         "read"),
        ("SELECT resource.id FROM resource", "query"),
        ("SELECT resource.id FROM resource WHERE resource.stack_id = ? AND resource.engine_id IS NOT NULL", "query"),
        ("SELECT a FROM sync_point WHERE sync_point.entity_id = ? AND sync_point.traversal_id = ?", "query"),
        ("SELECT a FROM sync_point WHERE sync_point.entity_id = ? AND sync_point.traversal_id = ? AND sync_point.is_update = 1", "read"),
        ("UPDATE resource SET a=? WHERE resource.id = ?", "update"),
        ("UPDATE resource SET a=? WHERE resource.id = ? AND resource.engine_id IS NULL", "compare-and-set"),
        ("UPDATE stack SET a=? WHERE stack.id = ? AND (stack.tenant = ? OR stack.x = ?)", "compare-and-set"),
        ("UPDATE resource SET a=? WHERE resource.stack_id = ?", "compare-and-set"),
        ("INSERT INTO stack (id) VALUES (?)", "insert"),
        ("DELETE FROM resource WHERE resource.id = ?", "delete"),
    ],
)  # fmt: skip
def test_the_kind_of_a_statement_goes_by_its_condition(text: str, kind: str) -> None:
    assert mapping.kind(Statement(*statements.head(text), 1, text, ())) == kind


def test_columns_are_told_by_their_table() -> None:
    text = 'SELECT stack.id AS stack_id, raw_template_1.template, anon_1.resource_name AS n, resource_data_1."key", distinct(resource.engine_id)'
    assert mapping.columns(f"{text} \nFROM stack LEFT OUTER JOIN raw_template AS raw_template_1 ON x") == [
        ("stack", "id"), ("raw_template", "template"), ("resource", "name"), ("resource_data", "key"), ("resource", "engine_id"),
    ]  # fmt: skip


def test_what_is_outside_the_model_is_named_and_has_a_reason() -> None:
    assert set(mapping.FUNCTIONS) == places.QUIET | set(correspondence.ENGINE_ALONE)
    assert {*mapping.FUNCTIONS.values(), *mapping.TABLES_OUTSIDE.values()} == set(mapping.OUTSIDE)
    assert not set(mapping.TABLES_OUTSIDE) & set(mapping.TABLES)
    assert all(mapping.OUTSIDE.values())
    unknown = Statement("select", "software_config", -1, "SELECT software_config.id FROM software_config", ())
    assert mapping.apart(unknown) == "software_config"
    known = Statement("select", "stack", -1, "SELECT stack.id FROM stack", ())
    assert mapping.apart(known) == ""
    assert mapping.apart(known, "stack_get_all_by_root_owner_id") == "nested stacks"


def test_what_is_outside_is_met() -> None:
    """Each name is needed, but the nested stacks': a request asks for these only of a stack that is in progress."""
    operations = (create(SMALL), update(SMALL), Operation("delete"))
    both, _ = run(scenario(*operations), Plan("random", 3, 0.3))
    met = {comparing.group_of(a) for a in meter(both.engine.world).accesses}
    found = comparing.run(scenario(*operations))
    met |= {name for number in (1, 2, 3) for name in found.apart("engine", number)}
    assert met - {""} == set(mapping.OUTSIDE)


def test_an_access_that_one_side_lacks_is_a_difference() -> None:
    one = Access("X", "read", "stack", "h", "t", 1, "matched", 1, 10, 0, True)
    (line,) = compare(Meter([one]), Meter([]))
    assert (line.model, line.engine, line.equal) == ((1, 1), (0, 0), False)
    (line,) = compare(Meter([one]), Meter([one._replace(rows=2)]))
    assert not line.equal
    assert compare(Meter([one._replace(apart="event")]), Meter([])) == []


# ----------------------------------------------------------------------------------------------- shapes and growth


@pytest.mark.parametrize("size", [1, 2, 7])
def test_shapes(size: int) -> None:
    edges = {"chain": size - 1, "tree": size - 1, "fan-in": size - 1, "flat": 0}
    for shape in SHAPES:
        made = template(shape, size)
        assert len(made) == size
        assert made.graph.number_of_edges() == edges[shape]
    assert max(dict(template("chain", 7).graph.out_degree()).values()) == 1
    assert max(dict(template("tree", 7).graph.in_degree()).values()) == 2
    assert max(dict(template("fan-in", 7).graph.out_degree()).values()) == 6


def test_wrong_shapes_are_told() -> None:
    with pytest.raises(ScenarioError, match="unknown shape 'ring'; known are chain, tree, fan-in, flat"):
        template("ring", 3)
    with pytest.raises(ScenarioError, match="at least one resource, not 0"):
        template("chain", 0)
    with pytest.raises(ScenarioError, match="unknown operation 'suspend'; known are create, unchanged"):
        asked("suspend", "chain", 3)
    with pytest.raises(HeatproofError, match="'heat-engine' is no model of Heat's algorithm"):
        comparing.run(asked("create", "chain", 1), "heat-engine")
    with pytest.raises(HeatproofError, match="'heat' is no engine"):
        comparing.run(asked("create", "chain", 1), "heat", "heat")


def test_growth_is_the_simplest_law() -> None:
    sizes = (5, 10, 20, 40)
    assert str(growth(sizes, [7, 7, 7, 7])) == "7"
    assert str(growth(sizes, [12 * n + 16 for n in sizes])) == "12 n + 16"
    assert str(growth(sizes, [n * n - n for n in sizes])) == "n^2 - n"
    assert str(growth(sizes, [0, 0, 0, 0])) == "0"
    near = growth(sizes, [1000 * n * n + 30 * n + (7 if n == 20 else 0) for n in sizes])
    assert (near.word, near(100)) == ("quadratic", pytest.approx(10_003_000, rel=1e-3))
    assert str(near).startswith("about 1,000 n^2 + ")
    wild = growth(sizes, [2.0**n for n in sizes])
    assert wild.word == str(wild) == "more than quadratic"
    assert str(growth((5, 10, 20), [n * n for n in (5, 10, 20)])) == "more than linear"  # three sizes say nothing of a square
    with pytest.raises(ValueError, match="at least two sizes"):
        growth((5,), [1])


# -------------------------------------------------------------------------------------------------------- the command


def invoked(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["accesses", "--processes", "1", *arguments])
    return done.exit_code, done.output


def test_the_command_tells_accesses_by_table_and_kind(tmp_path: Path) -> None:
    file = tmp_path / "numbers.csv"
    code, output = invoked(
        "--sizes", "1,2,3,4", "--shapes", "flat", "--operations", "create,delete", "--columns", "2", "--csv", str(file)
    )
    assert code == 0, output
    for words in (
        "create, flat of 2: equal", "delete, flat of 4: equal", "resource      compare-and-set", "in all: 34 transactions, 40 statements",
        "apart, events: ", "raw_template.template", "Growth with n resources", "create, flat: transactions 10 n + 14; statements 12 n + 16;",
        "Equal in 8 of 8: ",
    ):  # fmt: skip
        assert words in output
    rows = list(csv.DictReader(file.read_text().splitlines()))
    counted = [r for r in rows if r["operation"] == "create" and r["size"] == "2" and r["side"] == "engine" and not r["apart"]]
    assert sum(int(r["statements"]) for r in counted) == 40
    assert sum(int(r["transactions"]) for r in counted) == 34


def test_the_page_shows_what_the_command_prints() -> None:
    page = (ROOT / "docs" / "database.md").read_text()
    found = re.findall(r"```console\n\$ \.venv/bin/heatproof accesses ([^\n]*)\n```\n```text\n(.*?)```", page, re.DOTALL)
    ((arguments, shown),) = found
    code, output = invoked(*arguments.split())
    assert code == 0
    assert output.strip() == shown.strip()


def test_the_command_takes_the_scenario_of_a_case() -> None:
    case = sorted((ROOT / "reports" / "regressions" / "heat").glob("*.case.json"))[0]
    code, output = invoked(str(case))
    assert code == 0, output
    assert "operation 1: create {" in output
    assert "operation 2: " in output


def test_the_command_ends_with_1_where_they_differ() -> None:
    code, output = invoked(
        "--sizes", "2", "--shapes", "chain", "--operations", "unchanged", "--design", "heat+old-sync-points-kept"
    )
    assert code == 1, output
    assert "<- differs" in output
    assert "Equal in 0 of 1: " in output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sizes", "0"], "1 to 1000 resources here, not 0"),
        (["--sizes", "5,x"], "are no numbers of resources; write them as 5,10,20"),
        (["--sizes", ""], "are no numbers of resources"),
        (["--shapes", "ring"], "unknown shape 'ring'; known are chain"),
        (["--shapes", ","], "name at least one shape"),
        (["--operations", "suspend"], "unknown operation 'suspend'"),
        (["--design", "heat-engine"], "is no model of Heat's algorithm"),
        (["--design", "nonsense"], "nonsense"),
        (["--csv", "/proc/none/numbers.csv", "--sizes", "1"], "cannot write /proc/none/numbers.csv"),
        (["no-such.case.json"], "no-such.case.json"),
        (["--patch", "nonsense"], "unknown patch 'nonsense'"),
    ],
)
def test_wrong_use_is_told(arguments: list[str], words: str) -> None:
    code, output = invoked(*arguments)
    assert code == 2, output
    assert words in output


def test_without_an_engine_there_is_nothing_to_compare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "why_not", lambda: "openstack-heat is not installed")
    code, output = invoked("--sizes", "1")
    assert (code, output) == (2, "heatproof: there is no engine to compare with: openstack-heat is not installed\n")


def test_the_grain_of_a_statement_is_refused() -> None:
    """What is counted there would be split between actions."""
    live = type("Live", (), {"by_statement": True})()
    world = type("World", (), {"live": live, "design": catalogue.load("heat-engine")})()
    from heatproof.ports.heat.accesses.metering import EngineMetering

    with pytest.raises(HeatproofError, match="accesses are counted by the transaction"):
        EngineMetering(world)


def test_a_case_is_run_without_its_faults() -> None:
    drawn = Scenario((create(Template([resource("A")])),), faults={"crash": 1})
    assert comparing.run(drawn).equal


# ------------------------------------------------------------------------------------------------- in lockstep, and on a server


def test_random_runs_in_lockstep_ask_the_same_of_the_database() -> None:
    found = batch(Options(resources=3, plans=1, accesses=True), 7)
    assert [parted.difference for parted in found.parted] == []
    assert found.runs == 10
    assert len(found.struck) > 2


def test_runs_in_lockstep_that_ask_for_something_else_have_parted() -> None:
    both, end = run(asked("create", "chain", 1), Plan("fifo", 0, 0.0))
    assert end == "rest"
    assert accesses_differ(both) is None
    both.model.world.log.pop()  # as if the model had not done it
    found = accesses_differ(both)
    assert found is not None
    assert (
        str(found)
        == "accesses, transactions of all tables for operation 1: the model has 23 with 0 rows; the engine has 24 with 0 rows"
    )


def test_a_server_is_asked_the_same() -> None:
    if reason := private.why_not("postgresql"):
        pytest.skip(f"PostgreSQL is not here: {reason}")
    with private.server("postgresql") as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv(choice.VARIABLE, url)
        found = comparing.run(asked("replacement", "fan-in", 3), engine="heat-engine+postgresql")
    embedded = comparing.run(asked("replacement", "fan-in", 3))
    assert found.equal
    assert found.lines == embedded.lines
    assert found.cost("engine", 2).read == pytest.approx(embedded.cost("engine", 2).read, rel=0.02)


def test_several_processes_ask_one_server_at_the_same_time(tmp_path: Path) -> None:
    """Each in a database of its own there, which it takes away: what they count is what SQLite is asked."""
    if reason := private.why_not("postgresql"):
        pytest.skip(f"PostgreSQL is not here: {reason}")
    wanted = ["--sizes", "2", "--shapes", "chain,flat", "--operations", "unchanged,delete", "--brief"]
    counted = []
    with private.server("postgresql") as url:
        for more in (["--processes", "1"], ["--processes", "2", "--database", url]):
            file = tmp_path / "numbers.csv"
            done = CliRunner().invoke(cli, ["accesses", *wanted, *more, "--csv", str(file)])
            assert done.exit_code == 0, done.output
            assert "Equal in 4 of 4: " in done.output
            rows = csv.DictReader(file.read_text().splitlines())
            counted.append([{name: value for name, value in row.items() if name not in ("read", "written")} for row in rows])
        with closing(postgresql.connect(url)) as connection:
            left = connection.cursor()
            left.execute("SELECT datname FROM pg_database WHERE datname LIKE 'heatproof_run_%'")
            assert left.fetchall() == []
    assert counted[0] == counted[1]
