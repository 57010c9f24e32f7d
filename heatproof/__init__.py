"""heatproof: property-based model checking of convergence designs, OpenStack Heat's above all.

The public face: what other projects use is importable from here. Names are looked up when they are first used, so that importing
one room does not load all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from heatproof.model.catalogue import load
    from heatproof.model.design import Design
    from heatproof.model.errors import DesignError, HeatproofError, NotEnabled, ScenarioError, TemplateError
    from heatproof.model.scenario import Operation, Scenario, Scope, create, scenario, update
    from heatproof.model.templates import Attr, Ref, ResourceDef, Template, resource
    from heatproof.model.watching import WorldObservation
    from heatproof.model.world import Action, World
    from heatproof.properties.base import Property, Witness, always, at_rest, seen, sometimes, witness
    from heatproof.properties.catalogue import ALL as PROPERTIES
    from heatproof.properties.costs import at_most
    from heatproof.strategies.machine import machine, shards
    from heatproof.strategies.running import Driver, Plan, Run, run
    from heatproof.strategies.scenarios import edits, operations, plans, scenarios, scopes, swarms, templates

__all__ = [
    "PROPERTIES", "Action", "Attr", "Design", "DesignError", "Driver", "HeatproofError", "NotEnabled", "Operation", "Plan", "Property",
    "Ref", "ResourceDef", "Run", "Scenario", "ScenarioError", "Scope", "Template", "TemplateError", "Witness", "World",
    "WorldObservation", "__version__", "always", "at_most", "at_rest", "create", "edits", "load", "machine", "operations", "plans", "resource",
    "run", "scenario", "scenarios", "scopes", "seen", "shards", "sometimes", "swarms", "templates", "update", "witness",
]  # fmt: skip

_HOME = {
    "heatproof.model.catalogue": ("load",),
    "heatproof.model.design": ("Design",),
    "heatproof.model.errors": (
        "DesignError",
        "HeatproofError",
        "NotEnabled",
        "ScenarioError",
        "TemplateError",
    ),
    "heatproof.model.scenario": (
        "Operation",
        "Scenario",
        "Scope",
        "create",
        "scenario",
        "update",
    ),
    "heatproof.model.templates": (
        "Attr",
        "Ref",
        "ResourceDef",
        "Template",
        "resource",
    ),
    "heatproof.model.watching": ("WorldObservation",),
    "heatproof.model.world": (
        "Action",
        "World",
    ),
    "heatproof.properties.base": (
        "Property",
        "Witness",
        "always",
        "at_rest",
        "seen",
        "sometimes",
        "witness",
    ),
    "heatproof.properties.catalogue": ("PROPERTIES",),
    "heatproof.properties.costs": ("at_most",),
    "heatproof.strategies.machine": ("machine", "shards"),
    "heatproof.strategies.running": (
        "Driver",
        "Plan",
        "Run",
        "run",
    ),
    "heatproof.strategies.scenarios": (
        "edits",
        "operations",
        "plans",
        "scenarios",
        "scopes",
        "swarms",
        "templates",
    ),
}
_OTHER_NAMES = {"PROPERTIES": "ALL"}


def __getattr__(name: str) -> Any:
    for module, names in _HOME.items():
        if name in names:
            return getattr(import_module(module), _OTHER_NAMES.get(name, name))
    raise AttributeError(f"module 'heatproof' has no attribute {name!r}")
