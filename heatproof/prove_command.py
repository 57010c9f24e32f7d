"""The command ``heatproof prove``: exhaustive search of a small scope."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from heatproof.exit_codes import HELD, INCOMPLETE, VIOLATED, errors, say
from heatproof.model import catalogue
from heatproof.model.design import Design
from heatproof.model.errors import HeatproofError, ScenarioError
from heatproof.model.faults import HOLDS
from heatproof.model.scenario import KINDS, Scope
from heatproof.model.templates import Template
from heatproof.options import Place, Seconds, report_option
from heatproof.reports import cases, tables, verdicts
from heatproof.reports.files import refuse_no_file
from heatproof.reports.judging import replay_command
from heatproof.strategies import scenario_files
from heatproof.strategies.asked import names_for
from heatproof.strategies.proving import scopes, shapes
from heatproof.strategies.proving.scopes import Limits, Member
from heatproof.telling import kept, reporter, tell_table

if TYPE_CHECKING:  # the search needs Numba, for which no other command should wait
    from heatproof.proving import Outcome, Prover

UNITS = {"": 2**20, "k": 2**10, "m": 2**20, "g": 2**30}
SHARE = 0.8
"""The share of the memory that is free at the beginning which a search may take if nobody says otherwise."""


def _memory(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    match = re.fullmatch(r"(\d{1,9}(?:\.\d+)?)\s*([kmg]?)i?b?", value.strip().lower())
    size = 0 if match is None else int(float(match[1]) * UNITS[match[2]])
    if not size:
        raise click.BadParameter(f"{value!r} is no amount of memory; write MiB, or a number with a unit, such as 500M or 2G")
    return size


def _faults(_context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    try:
        scopes.budget_of(value)
    except ScenarioError as error:
        raise click.BadParameter(str(error)) from error
    return value


@click.command()
@click.argument("design", required=False)
@click.option("--scenario", type=Place(),
              help="Search the scenario of this file, one of Heat's scenario files or a case, instead of what options up to --link say.")  # fmt: skip
@click.option("--all-templates", type=click.IntRange(1, 5), metavar="N",
              help="Every template shape of up to N resources, each once up to isomorphism.")  # fmt: skip
@click.option("--resources", type=click.IntRange(1, 12), help="Resources of the first template. [default: 1]")
@click.option(
    "--dependencies", metavar="SHAPE|PAIRS", help=f"{', '.join(shapes.SHAPES)}; or pairs: B:A for B requires A. [default: chain]"
)
@click.option("--operations", metavar="KINDS|NUMBER",
              help="What the user asks, in this order, at any moment: create,update:replace,delete; an update without a change is searched"
              f" with each of {', '.join(shapes.CHANGES)}. A number: every sequence of so many. [default: create,update; 2]")  # fmt: skip
@click.option("--kinds", metavar="KINDS", help="With a number of --operations: kinds to choose from. [default: all of the design]")
@click.option("--rollback", is_flag=True, help="Creates and updates roll back on their own when they fail.")
@click.option("--link", type=click.Choice(shapes.LINKS), help="How a resource requires another. [default: id]")
@click.option("--engines", type=click.IntRange(1, 6), help="Engines. [default: 2]")
@click.option("--threads", type=click.IntRange(1, 8), help="Worker threads of each engine. [default: 1]")
@click.option("--faults", "--fault", multiple=True, callback=_faults, metavar="KIND[=N],...",
              help="Faults that may strike, anywhere: crash,lose=2. Without a number: --fault-budget times. [default: none]")  # fmt: skip
@click.option("--fault-budget", type=click.IntRange(0, 20), help="Most faults of each kind in a run. [default: 1]")
@click.option("--property", "wanted", multiple=True, help="Ask only this property (may be given several times).")
@click.option("--except", "unwanted", multiple=True, metavar="PROPERTY",
              help="Ask all properties but this one (may be given several times).")  # fmt: skip
@click.option("--seconds", type=Seconds(), help="Time budget. [default: no limit]")
@click.option("--memory", callback=_memory, metavar="SIZE",
              help=f"Memory budget, such as 500M or 2G. [default: {SHARE:.0%} of what is free]")  # fmt: skip
@click.option("--processes", default=os.cpu_count() or 1, show_default="one a core", type=click.IntRange(1, 256),
              help="Worker processes; one scenario alone is searched by so many threads.")  # fmt: skip
@click.option("--no-symmetry", is_flag=True, help="Tell engines apart. For designs that sort engine ids.")
@click.option("--no-merge", is_flag=True, help="Tell handlers apart that have a different past but go on alike.")
@click.option("--no-versions", is_flag=True, help="Tell states apart that differ in nothing but how often a row was written.")
@click.option("--no-columns", is_flag=True,
              help="Tell handlers apart that hold rows which differ in nothing that they will look at again.")  # fmt: skip
@click.option("--no-placing", is_flag=True, help="Tell states apart that differ in nothing but which engine a task is on.")
@click.option(
    "--reduce", is_flag=True, help="Partial order reduction: take a step alone where it commutes with all that can follow."
)
@click.option("--checkpoint", type=Place(dir_okay=False), metavar="FILE",
              help="Keep the search in FILE as it goes, so that it survives whatever ends it. Several scenarios: FILE.1, FILE.2, ...")  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on from the checkpoint.")
@click.option("--shrink", default=1200, show_default=True, type=click.IntRange(0),
              help="Runs to look for the fewest deviations of each violation; 0: do not.")  # fmt: skip
@report_option(".heatproof/prove")
@errors
def prove(design: str | None, **given: Any) -> int:
    """Search all runs of DESIGN in a small scope, and say of each property whether it holds.

    DESIGN is heat (the default), heat+MUTATION, or FILE.py:Class for a design of your own. The scope is given by the options, or by a
    scenario. Verdicts: held (in all runs of the scope), violated (with the shortest run, and with one of few deviations, as cases),
    reached or not reached (situations), incomplete (the search was cut).

    Exit codes: 0 everything asked held, 1 something was violated, 2 wrong use, 3 incomplete, and nothing was violated so far.
    """
    spec = design or _design_of(given["scenario"]) or "heat"
    known = catalogue.load(spec)
    known.handlers()
    if not known.pure:
        raise HeatproofError(
            f"design {spec!r} runs real code, whose states cannot be gone through one by one: use 'heatproof check {spec}', or prove its"
            " model"
        )
    members, notes, left_out = members_of(known, given)
    verdicts.refuse_folder(given["report"])
    stored = _checkpoint(given["checkpoint"], given["resume"], len(members))
    without = {"symmetric": "symmetry", "merge": "merge", "versions": "versions", "columns": "columns", "placing": "placing"}
    switches = (*((name, not given[f"no_{option}"]) for name, option in without.items()), ("reduce", given["reduce"]))
    console = Console(highlight=False)
    from heatproof.proving import Budget, Prover, Stored, memory_free
    from heatproof.strategies.proving.checkpoints import Checkpoint

    free = memory_free()
    memory = given["memory"] or (None if free is None else int(free * SHARE))
    budget = Budget(given["seconds"], memory, given["processes"], given["shrink"])
    keep = None if stored is None else Stored(*stored)
    if keep is not None:
        Checkpoint(keep.file(0))  # what cannot be written is refused now; later the search is worth more
    for note in notes:
        say(note)
    wanted = names_for(spec, given["wanted"], given["unwanted"])
    prover = Prover(spec, wanted, members, switches, budget, reporter(1.0), keep)
    return _tell(prover, prover.run(), left_out, given["report"], console)


def _checkpoint(path: Path | None, resume: bool, scenarios: int) -> tuple[Path, bool, bool] | None:
    """Where the search is kept, whether it goes on from there, and whether there are several files. Raises :class:`HeatproofError` for what
    would lose an earlier search, and for nothing to go on from."""
    if path is None:
        if resume:
            raise HeatproofError("--resume goes on from a checkpoint: name it with --checkpoint FILE")
        return None
    files = [path] if scenarios == 1 else [path.with_name(f"{path.name}.{number + 1}") for number in range(scenarios)]
    there = any(file.exists() for file in files)
    if there and not resume:
        for file in files:
            refuse_no_file(file)
        raise HeatproofError(f"the checkpoint {path} exists: --resume goes on with it; else take it away, or name another")
    if resume and not there:
        raise HeatproofError(f"there is no checkpoint {path} to go on from; leave out --resume to begin one")
    return path, resume, scenarios > 1


def _tell(prover: Prover, outcome: Outcome, left_out: Sequence[str], folder: Path, console: Console) -> int:
    from heatproof.reports import proofs

    spec, design = prover.spec, prover.design
    faults = {kind for member in prover.members for kind in member.scenario.faults}
    asked = [member.scenario for member in prover.members]
    table = proofs.lines(prover.properties, outcome.proofs, faults, design.survives, outcome.fewest, asked)
    if outcome.interrupted and not outcome.proofs.states and (folder / verdicts.FILE).exists():
        say(f"Interrupted. Nothing was done, so the report of before stays in {folder}/")
        return INCOMPLETE
    head = [*proofs.summary(outcome.proofs, outcome.stopped), *left_out]
    with kept(table, head, folder):
        written = proofs.write(folder, spec, head, table, prover.properties, outcome.shortest, outcome.fewest)
    tell_table(console, table)
    say("")
    for line in head:
        say(line)
    if outcome.error is not None:
        say(f"An error ended it early. What was found until then: {folder}/")
        raise outcome.error
    if outcome.shortest:
        count = len(outcome.shortest)
        say(
            f"{tables.counted(count, 'kind')} of violation. Of each the shortest run and one with few deviations, as cases: {folder}/"
        )
        for key in sorted(outcome.fewest, key=lambda key: (outcome.fewest[key].failure.score, key)):
            if (case := folder / f"{written[key].fewest}.case.json").exists():
                say(f"Begin with: {replay_command(case, spec)}")
                break
        return VIOLATED
    if tables.unasked(table):
        say(tables.UNASKED)
        return INCOMPLETE
    return HELD if all(outcome.proofs.settled(prop) for prop in prover.properties) and outcome.proofs.whole else INCOMPLETE


# ------------------------------------------------------------------------------------------------------------ the scope

SHOWN = 10
"""How many templates that have no scenario are named."""

SCOPED = ("all_templates", "resources", "dependencies", "operations", "kinds", "rollback", "link")


def members_of(design: Design, given: Mapping[str, Any]) -> tuple[list[Member], list[str], list[str]]:
    """The scenarios of the scope that the options describe, what a user should know of it, and what of it has none. Raises
    :class:`HeatproofError`."""
    each = given["fault_budget"]
    if each is not None and not given["faults"]:
        raise ScenarioError(
            "--fault-budget says how often each of --faults may strike, and none is named; name some, or leave it out"
        )
    faults = scopes.budget_of(given["faults"], 1 if each is None else each)
    if given["scenario"] is not None:
        if beside := [name for name in SCOPED if given[name] not in (None, False)]:
            raise ScenarioError(f"--scenario says what is asked, so --{beside[0].replace('_', '-')} cannot; leave one of them out")
        return (*_stored(design, given, faults), [])
    default = "2" if given["all_templates"] or given["kinds"] is not None else "create,update"
    operations = scopes.asked(default if given["operations"] is None else given["operations"])
    kinds = None
    if given["kinds"] is not None:
        if not isinstance(operations, int):
            raise ScenarioError("--operations names the kinds in order, so --kinds has no meaning; give --operations a number")
        kinds = tuple(word.strip().replace("-", " ") for word in given["kinds"].split(",") if word.strip())
        if unknown := [kind for kind in kinds if kind not in KINDS]:
            raise ScenarioError(f"unknown kind of operation {unknown[0]!r}; known are {', '.join(KINDS)}")
        if not kinds or (operations > 1 and set(kinds) == {"create"}):
            raise ScenarioError(
                "--kinds names nothing that can be asked after the create; name such kinds, or leave it out for all"
            )
    limits = Limits(
        operations,
        kinds,
        Scope(given["engines"] or max(2, design.least_engines), given["threads"] or 1),
        faults,
        given["rollback"],
        given["link"] or "id",
    )
    left: list[str] = []
    if most := given["all_templates"]:
        for name in ("resources", "dependencies"):
            if given[name] is not None:
                raise ScenarioError(f"--all-templates goes through every shape, so --{name} has no meaning beside it; leave it out")
        found = list(scopes.all_templates(design, most, limits))
        left = _left_out(scopes.left_out(design, most, limits))
    else:
        dependencies = "chain" if given["dependencies"] is None else given["dependencies"]
        found = list(scopes.one_shape(design, given["resources"] or 1, dependencies, limits))
    if not found:
        raise ScenarioError("there is no scenario in this scope: no update of that kind is possible there")
    return found, [] if len(found) == 1 else [f"{len(found)} scenarios, each once up to isomorphism."], left


def _left_out(templates: Sequence[Template]) -> list[str]:
    if not templates:
        return []
    named = "; ".join(scopes.spelled(template) for template in templates[:SHOWN])
    more = f"; and {len(templates) - SHOWN} more" if len(templates) > SHOWN else ""
    return [
        f"Left out: {tables.counted(len(templates), 'template')} in which the changes that are asked for are not possible: {named}{more}."
    ]


def _stored(design: Design, given: Mapping[str, Any], faults: dict[str, int]) -> tuple[list[Member], list[str]]:
    path, notes = given["scenario"], []
    scenario = cases.read(path).scenario if _is_case(path) else scenario_files.as_scenario(path)
    budget = faults if given["faults"] else dict(scenario.faults)
    if held := sorted(set(budget) & set(HOLDS)) if not given["faults"] else []:
        notes.append(f"Left out: {', '.join(held)}. They let something wait, and every run with every delay is searched anyway.")
        budget = {kind: count for kind, count in budget.items() if kind not in HOLDS}
    scope = scenario.scope._replace(
        engines=given["engines"] or scenario.scope.engines, threads=given["threads"] or scenario.scope.threads
    )
    if not scenario.operations:
        raise ScenarioError(f"{path}: its scenario asks nothing; a search begins with an operation")
    scopes.refuse_faults(design, budget, scope)
    if reason := design.refuses(scenario.operations, scope.engines):
        raise ScenarioError(reason)
    return [Member(path.name, replace(scenario, scope=scope, faults=budget))], notes


def _is_case(path: Path) -> bool:
    return path.suffix == ".json"


def _design_of(path: Path | None) -> str | None:
    """The design that a case is about. Raises :class:`HeatproofError` if that is somebody's code: a case runs none."""
    if path is None or not _is_case(path):
        return None
    spec = cases.read(path).design
    if catalogue.is_file(spec):
        raise HeatproofError(
            f"{path} is about {spec!r}, which is code of somebody's own. A case is data and runs no code, so name the design yourself if"
            f" you trust it: heatproof prove {spec} --scenario {path}"
        )
    return spec


__all__ = ["members_of", "prove"]
