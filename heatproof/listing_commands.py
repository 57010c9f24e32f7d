"""``heatproof designs``, ``properties``, ``faults`` and ``policies``: what there is, with a sentence each."""

from __future__ import annotations

import click

from heatproof.exit_codes import HELD, errors
from heatproof.model import catalogue
from heatproof.model.faults import FAULTS
from heatproof.ports.heat.databases.choice import WORDS
from heatproof.properties.catalogue import UNJUDGED, judged
from heatproof.strategies.asked import properties_for
from heatproof.strategies.policies import POLICIES


@click.command()
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


@click.command()
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


@click.command()
@errors
def faults() -> int:
    """List the kinds of faults, with a sentence each."""
    for kind, fault in FAULTS.items():
        click.echo(f"{kind} ({fault.layer}): {fault.sentence}")
    return HELD


@click.command()
@errors
def policies() -> int:
    """List the policies that pick what happens next, with a sentence each."""
    for name, entry in POLICIES.items():
        click.echo(f"{name}: {entry.sentence}")
    return HELD
