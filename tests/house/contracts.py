"""Import-linter's contracts, less the test files that live in the rooms: those may import what they need.

Import-linter can excuse a module by its whole name only, not ``test_*``: a plain contract would need a line
per test file.
"""

from grimp import ImportGraph
from importlinter import ContractCheck
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.layers import LayersContract

__all__ = ["ForbiddenInCode", "LayersOfCode"]


class LayersOfCode(LayersContract):
    """Layers, in which test files do not count."""

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Whether the contract is kept."""
        return super().check(_code(graph), verbose)


class ForbiddenInCode(ForbiddenContract):
    """Forbidden imports, which test files may make."""

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Whether the contract is kept."""
        return super().check(_code(graph), verbose)


def _code(graph: ImportGraph) -> ImportGraph:
    for module in list(graph.modules):
        name = module.rpartition(".")[2]
        if name.startswith("test_") or name == "conftest":
            graph.remove_module(module)
    return graph
