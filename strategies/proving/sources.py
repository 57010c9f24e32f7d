"""Which files a module's own text is made of: what it imports, directly or not, that is neither Python's, a library's nor heatproof's.

Nothing is imported for it, so that the answer is the same before a design runs and after it.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path


def with_imported(files: Iterable[tuple[str, str]]) -> set[str]:
    """These files, each with the package that it is in (empty for none), and those of the user's own that they import, directly or not."""
    found: set[str] = set()
    waiting = list(files)
    while waiting:
        file, package = waiting.pop()
        if file in found or not Path(file).is_file():
            continue
        found.add(file)
        for name in _imported(file, package):
            waiting += [(spec.origin or "", spec.parent or "") for spec in _modules(name)]
    return found


def _imported(file: str, package: str) -> Iterator[str]:
    """The names of modules that a file may import, wherever in it."""
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (SyntaxError, ValueError):  # nobody has imported it
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            with suppress(ImportError):
                base = "." * node.level + (node.module or "")
                base = importlib.util.resolve_name(base, package) if node.level else base
                yield from (f"{base}.{alias.name}" for alias in node.names)


def _modules(name: str) -> Iterator[ModuleSpec]:
    """The user's own modules that an import of ``name`` runs: packages from the top on, and a module at the end if that is one."""
    top, *parts = name.split(".")
    if top in sys.stdlib_module_names or top == "heatproof":
        return
    spec = None
    with suppress(ImportError, ValueError):
        spec = importlib.util.find_spec(top)
    while spec is not None and _own(spec):
        yield spec
        if not parts or spec.submodule_search_locations is None:
            return
        spec = PathFinder.find_spec(f"{spec.name}.{parts.pop(0)}", spec.submodule_search_locations)


def _own(spec: ModuleSpec) -> bool:
    places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
    return not any("site-packages" in place or "dist-packages" in place for place in places)


__all__ = ["with_imported"]
