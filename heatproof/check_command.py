"""``heatproof check``: explore a design and say what does not hold."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import click
from rich.console import Console

from heatproof import checking
from heatproof.exit_codes import HELD, INCOMPLETE, VIOLATED, errors
from heatproof.model import catalogue
from heatproof.model.errors import HeatproofError
from heatproof.model.faults import FAULTS
from heatproof.model.scenario import KINDS
from heatproof.options import Seconds, database_option, names_of, on, patch_option, patched, report_option
from heatproof.reports import tables, verdicts
from heatproof.reports.judging import replay_command
from heatproof.strategies.exploring import Options
from heatproof.strategies.policies import POLICIES, PORTFOLIO
from heatproof.telling import kept, reporter, tell_table


@click.command()
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
    run = checking.Check(design, given["wanted"], options, limits, reporter())
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
    if outcome.findings.runs and tables.unasked(table):
        click.echo(f"{tables.UNASKED} Report: {given['report']}/")
        return INCOMPLETE
    if outcome.interrupted or not outcome.findings.runs:
        return INCOMPLETE
    click.echo(f"Nothing was violated in what was explored; that is no proof. Report: {given['report']}/")
    return HELD
