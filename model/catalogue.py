"""The designs by name: those that come with heatproof, their mutations, and those in a file of the user's own."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from heatproof.model.choosing import meant
from heatproof.model.design import Design
from heatproof.model.designs.heat import Heat
from heatproof.model.designs.mutations import MUTATIONS
from heatproof.model.designs.repairs import REPAIRS
from heatproof.model.errors import DesignError, place_of_error, spelt

DESIGNS: dict[str, type[Design]] = {Heat.name: Heat}
TARGETS: dict[str, tuple[str, str]] = {
    "heat-engine": ("heatproof.ports.heat.design:HeatEngine", "OpenStack Heat's convergence engine itself, as installed"),
}
"""Designs that are no model: where each lives, and a sentence. Imported only when one is asked for."""

COUNTERPARTS = {"heat": "heat-engine", "heat-engine": "heat"}
"""Who is the model of whom."""

REPAIRS_OF: dict[str, dict[str, type[Design]]] = {Heat.name: {r.name: r for r in REPAIRS}}
MUTATIONS_OF: dict[str, dict[str, type[Design]]] = {Heat.name: {m.name: m for m in MUTATIONS}}


def load(spec: str) -> Design:
    """A design by what the user wrote: ``heat``, ``heat+MUTATION`` (several with further +), ``heat-engine+CHANGE``, or ``FILE.py:Class``.

    Raises :class:`DesignError` with what there is to choose from.
    """
    if is_file(spec):
        return _from_file(spec)
    name, *mutations = spec.split("+")
    if name in TARGETS:
        target: Design = _class_of(name)(*mutations)
        return target
    base = DESIGNS.get(name)
    if base is None:
        named = [*DESIGNS, *TARGETS]
        raise DesignError(
            f"unknown design {name!r}{meant(name, named)}; known are {', '.join(named)}, and FILE.py:Class for one of your own"
            " ('heatproof designs' lists them with their mutations)"
        )
    known = {**MUTATIONS_OF.get(name, {}), **REPAIRS_OF.get(name, {})}
    for number, mutation in enumerate(mutations):
        if mutation not in known:
            raise DesignError(
                f"design {name!r} has no mutation or repair {mutation!r}{meant(mutation, known)}; 'heatproof designs' lists them"
            )
        if mutation in mutations[:number]:
            raise DesignError(f"{mutation!r} stands twice in {spec!r:.200}")
    if not mutations:
        return base()
    mixed = type(
        base.__name__, tuple(known[m] for m in reversed(mutations)), {"name": spec, "sentence": f"{name} with {len(mutations)}"}
    )
    design: Design = mixed()
    return design


def base_of(spec: str) -> str:
    """The name of a design without the changes made to it."""
    return spec if is_file(spec) else spec.partition("+")[0]


def changes_of(name: str) -> dict[str, str]:
    """The changes that can be made to the design of that name, with a sentence each: mutations and repairs, or patches."""
    if name in TARGETS:
        patches: dict[str, str] = _class_of(name).patches()
        return patches
    known = {**MUTATIONS_OF.get(name, {}), **REPAIRS_OF.get(name, {})}
    return {change: (cls.__doc__ or "").strip() for change, cls in known.items()}


def settings_of(name: str) -> frozenset[str]:
    """The words behind the name of a design that say where it runs, and change nothing of it."""
    return frozenset(_class_of(name).settings()) if name in TARGETS else frozenset()


def _class_of(target: str) -> Any:
    module, _, cls = TARGETS[target][0].partition(":")
    return getattr(importlib.import_module(module), cls)


def is_file(spec: str) -> bool:
    """Whether that design is code of the user's own, which is run when it is loaded."""
    return ".py" in spec


def parted(spec: str) -> tuple[str, str]:
    """The path and the class that ``FILE.py:Class`` names; "" where it names no class. A folder may have a colon in its name."""
    path, _, wanted = spec.rpartition(":")
    return (path, wanted) if is_file(path) and "/" not in wanted else (spec, "")


def _from_file(spec: str) -> Design:
    path, wanted = parted(spec)
    module = load_module(path)
    classes = {
        name: value for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Design) and value.__module__ == module.__name__
    }  # fmt: skip
    if not wanted and len(classes) == 1:
        wanted = next(iter(classes))
    if not classes:
        raise DesignError(f"{path} has no design; write a subclass of Design there and name it: {path}:NAME")
    if wanted not in classes:
        what = f"has no design {wanted!r}" if wanted else "has several designs"
        raise DesignError(f"{path} {what}; write {path}:NAME, where NAME is one of {', '.join(sorted(classes))}")
    try:
        return classes[wanted]()
    except (KeyboardInterrupt, DesignError):
        raise
    except BaseException as error:  # SystemExit too: its code would be taken for a verdict
        place = place_of_error(error) if error.__traceback__ and error.__traceback__.tb_next else path
        raise DesignError(f"{place}: design {wanted!r} cannot be made as {wanted}(), without arguments: {spelt(error)}") from error


def spec_of(design: Design, folder: Path) -> str:
    """What :func:`load` takes to give such a design, with the path of its file as seen from ``folder``. A design that is made in a
    function or with arguments is named in the same way, but cannot be loaded."""
    kind = type(design)
    with suppress(DesignError):
        known = None if is_file(design.name) else type(load(design.name))
        if known is kind or (known is not None and known.__mro__[1:] == kind.__mro__[1:] and "+" in design.name):
            return design.name
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if file is None:
        return design.name
    path = Path(file)
    return f"{path.relative_to(folder) if path.is_relative_to(folder) else path}:{kind.__name__}"


class AsItStands(SourceFileLoader):
    """Reads no bytecode: who changes a file twice within a second would be given that of the first text."""

    def get_code(self, fullname: str) -> CodeType:
        """The code of the text that stands in the file."""
        return self.source_to_code(self.get_data(self.path), self.path)


def load_module(path: str) -> ModuleType:
    """The module of a user's design file; loaded once, and found again by other processes under the same name."""
    file = Path(path)
    if not file.is_file():
        raise DesignError(f"there is no file {path!r}")
    if file.suffix != ".py":
        raise DesignError(f"{path} is no Python file; a design is named FILE.py:Class, where the name of the file ends in .py")
    name = f"heatproof_design_{file.stem}"
    known = sys.modules.get(name)
    if known is not None and known.__file__ == str(file.resolve()):
        return known
    found = importlib.util.spec_from_file_location(name, file.resolve(), loader=AsItStands(name, str(file.resolve())))
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    if (folder := str(file.resolve().parent)) not in sys.path:
        sys.path.append(folder)  # so that a design file can import its neighbours, however heatproof was started
    # Bytecode of what it imports would be taken for that of another text as easily: none is left behind.
    keeps, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        found.loader.exec_module(module)
    except BaseException as error:  # SystemExit too: its code would be taken for a verdict
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt) or type(error).__module__ == "_pytest.outcomes":  # a test module may skip itself
            raise
        if isinstance(error, DesignError):
            raise DesignError(f"{path}: {error}") from error
        place = "" if isinstance(error, SyntaxError) else f" (at {place_of_error(error)})"
        raise DesignError(f"{path} cannot be loaded: {spelt(error)}{place}") from error
    finally:
        sys.dont_write_bytecode = keeps
    return module
