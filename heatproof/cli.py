"""The command line. Exit codes: 0 held, 1 violated, 2 wrong use or broken input, 3 incomplete."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import replace
from typing import Any

import click
from rich.console import Console

import heatproof
from heatproof import checking
from heatproof.accesses_command import accesses
from heatproof.adopt_command import adopt
from heatproof.confirm_command import confirm_command
from heatproof.conform_command import conform
from heatproof.diff_command import diff
from heatproof.ending import heed_sigterm, let_handlers_go
from heatproof.exit_codes import HELD, INCOMPLETE, VIOLATED, errors, replace_closed_streams, unwritten
from heatproof.model import catalogue
from heatproof.model.errors import HeatproofError
from heatproof.model.faults import FAULTS
from heatproof.model.scenario import KINDS
from heatproof.options import Seconds, database_option, names_of, on, patch_option, patched, patches_command, report_option
from heatproof.port_command import port
from heatproof.ports.heat.databases.choice import WORDS
from heatproof.properties.catalogue import UNJUDGED, judged
from heatproof.prove_command import prove
from heatproof.replay_command import replay
from heatproof.report_command import report
from heatproof.reports import tables, verdicts
from heatproof.reports.judging import replay_command
from heatproof.scenarios_command import scenario
from heatproof.schema_command import schema
from heatproof.shrink_command import shrink
from heatproof.strategies.asked import properties_for
from heatproof.strategies.exploring import Options
from heatproof.strategies.policies import POLICIES, PORTFOLIO
from heatproof.telling import kept, reporter, tell_table


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(heatproof.__version__, prog_name="heatproof")
def cli() -> None:
    """A property-based model checker for convergence designs, OpenStack Heat's above all.

    Exit codes: 0 everything asked held, 1 something was violated, 2 wrong use or broken input, 3 incomplete.
    """


def main() -> None:
    """The entry point. What nobody foresaw ends with exit code 3: it is no verdict on a design."""
    replace_closed_streams()
    heed_sigterm()
    let_handlers_go()
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("heatproof: interrupted", err=True)
        sys.exit(INCOMPLETE)
    except Exception as error:
        if isinstance(error, OSError):
            with suppress(OSError):
                sys.exit(unwritten(error))
        import traceback

        traceback.print_exc()
        click.echo(f"heatproof: this is a mistake in heatproof itself, not in a design: {type(error).__name__}: {error}", err=True)
        sys.exit(INCOMPLETE)


@cli.command()
@click.argument("design", default="heat")
@click.option("--resources", default=5, show_default=True, type=click.IntRange(1, 30), help="Most resources in a template.")
@click.option("--operations", default=4, show_default=True, type=click.IntRange(1, 20), help="Most operations in a scenario.")
@click.option("--engines", default=2, show_default=True, type=click.IntRange(1, 10), help="Most engines.")
@click.option("--threads", default=2, show_default=True, type=click.IntRange(1, 20), help="Most worker threads of an engine.")
@click.option(
    "--kinds", callback=names_of(KINDS, "kind of operation"), help="Kinds of operations, separated by commas; default: all."
)
@click.option("--faults", callback=names_of(FAULTS, "fault"), help="Kinds of faults, separated by commas, or none; default: all.")
@click.option("--fault-budget", default=2, show_default=True, type=click.IntRange(0, 20), help="Most faults of each kind in a run.")
@click.option(
    "--policies", callback=names_of(POLICIES, "policy"), help=f"Policies, separated by commas; default: {','.join(PORTFOLIO)}."
)
@click.option("--property", "wanted", multiple=True, help="Ask only this property (may be given several times).")
@click.option("--seed", default=0, show_default=True, help="The same seed and number of examples find the same.")
@click.option("--seconds", type=Seconds(), help="Time budget, shrinking included. [default: 60 if --examples is not given]")
@click.option(
    "--examples",
    type=click.IntRange(1),
    help="Stop after so many scenarios, rounded up to a multiple of 10: they come in batches of 10.",
)
@click.option(
    "--processes", default=os.cpu_count() or 1, show_default="one a core", type=click.IntRange(1, 256), help="Worker processes."
)
@click.option(
    "--shrink", default=1200, show_default=True, type=click.IntRange(0), help="Runs to make each failure small; 0: do not."
)
@click.option("--scenarios/--no-scenarios", default=True, show_default=True,
              help="Explore the operations of Heat's own scenario files too, where openstack-heat is installed.")  # fmt: skip
@database_option
@patch_option
@report_option(".heatproof/check")
@errors
def check(design: str, **given: Any) -> int:
    """Explore DESIGN and say what does not hold.

    DESIGN is a name that 'heatproof designs' lists, such as heat or heat+MUTATION, or FILE.py:Class for a design of your own.
    """
    seconds = given["seconds"] if given["seconds"] or given["examples"] else 60.0
    options = Options(
        given["resources"], given["operations"], given["engines"], given["threads"], given["kinds"], given["faults"],
        given["fault_budget"], given["policies"] or PORTFOLIO, given["seed"],
    )  # fmt: skip
    design = patched(on(design, given["database"]), given["patch"])
    known = catalogue.load(design)
    known.handlers()
    if not known.pure:
        from heatproof.ports.heat.installation import why_not

        if reason := why_not():  # said at once, rather than by workers that have loaded half of it
            raise HeatproofError(f"the real engine cannot be run: {reason}")
    if vain := [kind for kind in given["faults"] or () if kind in known.immune]:
        raise HeatproofError(f"fault {vain[0]!r} cannot be injected into {known.name}")
    verdicts.refuse_folder(given["report"])
    if given["scenarios"]:
        options = replace(options, fixed=checking.heats_scenarios(known, options))
    console = Console(highlight=False)
    limits = checking.Limits(seconds, given["examples"], given["processes"], given["shrink"])
    run = checking.Check(design, given["wanted"], options, limits, reporter(console))
    outcome = run.run()
    if outcome.interrupted and not outcome.findings.runs and (given["report"] / verdicts.FILE).exists():
        click.echo(f"Interrupted. Nothing was done, so the report of before stays in {given['report']}/")
        return INCOMPLETE
    table = tables.lines(run.properties, outcome.findings, known.survives)
    summary = tables.summary(outcome.findings, outcome.stopped)
    with kept(table, [summary], given["report"]):
        names = checking.report(given["report"], design, outcome, run.properties)
    tell_table(console, table)
    click.echo(f"\n{summary}")
    if outcome.error is not None:
        click.echo(f"An error ended it early. What was found until then: {given['report']}/")
        raise outcome.error
    missed = [line.name for line in table if line.verdict == "not reached"]
    if missed:
        click.echo(f"Never reached: {', '.join(missed)}. What depends on these situations was not put to the test.")
    if outcome.findings.failures:
        count = len(outcome.findings.failures)
        click.echo(f"{count} kind{'s' if count > 1 else ''} of failure. A story and a case of each: {given['report']}/")
        if outcome.untold:
            click.echo(f"Interrupted before {outcome.untold} of the stories were told; 'heatproof replay' tells that of a case.")
        smallest = min(outcome.findings.failures.items(), key=lambda item: (item[1].score, item[0]))
        click.echo(f"Begin with: {replay_command(given['report'] / (names[smallest[0]] + '.case.json'), design)}")
        return VIOLATED
    if outcome.interrupted or not outcome.findings.runs:
        return INCOMPLETE
    click.echo(f"Nothing was violated in what was explored; that is no proof. Report: {given['report']}/")
    return HELD


@cli.command()
@click.option(
    "--mutations/--no-mutations", default=True, show_default=True, help="List the mutations and repairs of each design too."
)
@errors
def designs(mutations: bool) -> int:
    """List the designs, their mutations and repairs, with a sentence each."""
    for name, design in catalogue.DESIGNS.items():
        click.echo(f"{name}: {design.sentence}")
        for change, meaning in catalogue.changes_of(name).items() if mutations else ():
            click.echo(f"  {name}+{change}: {meaning}")
    for name, (_, sentence) in catalogue.TARGETS.items():
        click.echo(f"{name}: {sentence} (docs/real-engine.md)")
        for change, meaning in WORDS.items() if mutations else ():
            click.echo(f"  {name}+{change}: {meaning}")
    click.echo("FILE.py:Class: a design of your own (docs/tutorial.md)")
    return HELD


@cli.command()
@click.argument("design", default="heat")
@errors
def properties(design: str) -> int:
    """List the properties that DESIGN is asked, by expectation, with a sentence and what they tolerate."""
    catalogue.load(design).handlers()
    known = properties_for(design)
    for expectation in ("always", "at rest", "eventually", "cost", "sometimes"):
        group = [p for p in known if p.expectation == expectation]
        if group:
            click.echo(f"{expectation} ({len(group)}):")
        for prop in group:
            excused = sorted(set(FAULTS) - prop.tolerates)
            note = f" [not asked of a design after faults it does not claim to survive: {', '.join(excused)}]" if excused else ""
            note = note if judged(prop) else UNJUDGED
            click.echo(f"  {prop.name}: {prop.sentence}{note if expectation != 'sometimes' else ''}")
    return HELD


@cli.command()
@errors
def faults() -> int:
    """List the kinds of faults, with a sentence each."""
    for kind, fault in FAULTS.items():
        click.echo(f"{kind} ({fault.layer}): {fault.sentence}")
    return HELD


@cli.command()
@errors
def policies() -> int:
    """List the policies that pick what happens next, with a sentence each."""
    for name, entry in POLICIES.items():
        click.echo(f"{name}: {entry.sentence}")
    return HELD


cli.add_command(prove)
cli.add_command(replay)
cli.add_command(shrink)
cli.add_command(diff)
cli.add_command(conform)
cli.add_command(accesses)
cli.add_command(adopt)
cli.add_command(report)
cli.add_command(scenario)
cli.add_command(schema)
cli.add_command(port)
cli.add_command(confirm_command)
cli.add_command(patches_command)

__all__ = ["cli", "main"]
