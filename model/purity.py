"""Handlers that touch shared state behind the kernel's back: what they could change is looked at before a run and after it.

Running a handler again (:meth:`heatproof.model.program.Program.replay`) shows that it went on differently. It does not show a handler that
only writes somewhere, nor one whose secret does not matter in the run at hand. So:

- A handler, or a function it calls, that assigns a ``global`` or ``nonlocal`` variable is refused before anything runs.
- Whatever else a handler can reach by name (module and closure variables, default values of parameters, attributes of the design
  and of its class) is compared with what it was at the start.

What is reachable is read from the code: the functions of the design's own modules that the handlers name, directly or not. A container
that is handed around under other names only, or that hides in an object of a library, is not seen.
"""

from __future__ import annotations

import dis
import itertools
import linecache
import operator
import random
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property, lru_cache
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from heatproof.model.design import Design
from heatproof.model.errors import DesignError

ADVICE = "between two yields a handler may only touch its own locals; keep it in a table instead"
CHANGES = (
    "add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft", "remove", "reverse",
    "setdefault", "sort", "update",
)  # fmt: skip
READS = ("LOAD_ATTR", "LOAD_METHOD")
WRITES = ("STORE_SUBSCR", "DELETE_SUBSCR", "STORE_ATTR", "DELETE_ATTR")


class Site(NamedTuple):
    """A place where a variable is named: how likely it changes it there, file, line, and the handlers that get there."""

    weight: int
    file: str
    line: int
    handlers: tuple[str, ...]


class Variable:
    """Something a handler can reach: what it is called in a message, how to get at it, where it is named, what it was."""

    def __init__(self, title: str, get: Callable[[], Any]):
        self.title = title
        self.get = get
        self.sites: list[Site] = []
        self.before: object = None


class Purity:
    """Watches over the handlers of one design. Raises :class:`DesignError` for one that assigns a global or nonlocal variable.

    A subclass may watch over other functions: ``what`` says what they are, one and several, and ``advice`` what is to be done."""

    what, advice = ("handler", "handlers"), ADVICE

    def __init__(self, design: Design):
        self.design = design
        self.methods = {_function(value) for owner in type(design).__mro__ for value in vars(owner).values()}
        self.attributes = _attributes(design)
        self.variables: dict[tuple[int, str], Variable] = {}
        for function, handlers in _reached(design).items():
            _refuse_assignments(function, handlers, self)
            self._find_variables(function, handlers)
        for variable in self.variables.values():
            variable.before = _frozen(variable.get())

    def check(self) -> None:
        """Raise :class:`DesignError` if anything changed since the start."""
        for variable in self.variables.values():
            if _frozen(variable.get()) != variable.before:
                site = min(variable.sites, key=lambda s: (-s.weight, s.file, s.line))
                line = linecache.getline(site.file, site.line).strip()
                raise DesignError(f"{_at(site, self)} changed {variable.title}; {self.advice}\n    {line}")

    def _find_variables(self, function: FunctionType, handlers: tuple[str, ...]) -> None:
        names = function.__globals__
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        attributes = self.attributes
        itself = function.__code__.co_varnames[:1] if function in self.methods else ()
        for code in _codes(function.__code__):
            instructions = _instructions(code)
            sites = _Sites(instructions, code, handlers)
            for number, instruction in enumerate(instructions):
                name = instruction.argval
                if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME") and name in names:
                    self._add("the module variable", names, name, sites.of(instruction))
                    after = instructions[number + 1]
                    if after.opname == "COPY":  # of an augmented assignment
                        after = instructions[number + 2]
                    if _own(names[name]) and after.opname in (*READS, "STORE_ATTR"):
                        self._add(f"the variable {name}.", names[name], after.argval, sites.of(instruction))
                elif instruction.opname == "LOAD_DEREF" and name in cells:
                    self._add("the closure variable", cells[name], name, sites.of(instruction))
                elif (instruction.opname in (*READS, "STORE_ATTR") and name in attributes) or (
                    instruction.opname == "STORE_ATTR" and _last(instructions[number - 1].argval) in itself
                ):
                    self._add("the attribute self.", self.design, name, sites.of(instruction))
        parameters = function.__code__.co_varnames[: function.__code__.co_argcount]
        site = Site(0, function.__code__.co_filename, function.__code__.co_firstlineno, handlers)
        for name, value in zip(reversed(parameters), reversed(function.__defaults__ or ()), strict=False):
            self._add("the default value of", {name: value}, name, site)
        for name, value in (function.__kwdefaults__ or {}).items():
            self._add("the default value of", {name: value}, name, site)

    def _add(self, what: str, place: Any, name: str, site: Site) -> None:
        value = _value(place, name)
        if isinstance(value, FunctionType | type | ModuleType) or (what.startswith("the default") and _constant(value)):
            return
        key = (id(value), name) if what.startswith("the default") else (id(place), name)
        if key not in self.variables:
            title = f"{what}{name}" if what.endswith(".") else f"{what} {name}"
            self.variables[key] = Variable(title, lambda: _value(place, name))
        self.variables[key].sites.append(site)


@lru_cache(maxsize=8)
def purity_of(design: Design) -> Purity:
    """What watches over the handlers of a design from the first time that somebody asks."""
    return Purity(design)


# ------------------------------------------------------------------------------------------------- what can be reached


def texts(design: Design, watch: Purity | None = None) -> Iterator[str]:
    """Every text that stands in the handlers of a design, or in what they can reach by name. ``watch``: what watches over them, if there is any."""
    for function in _reached(design):
        yield from _texts((function.__defaults__, function.__kwdefaults__))
        for code in _codes(function.__code__):
            described = code.co_consts[:1] == (function.__doc__,)
            yield from _texts(code.co_consts[described:])
    for variable in (watch or purity_of(design)).variables.values():
        yield from _texts(variable.before)


def mentions(handler: Any, name: str) -> bool:
    """Whether a function, or one of its own modules that it names, directly or not, speaks of something by this name. So does what cannot be
    looked into, for all that one knows."""
    alone: Any = type("Alone", (), {"handlers": lambda _: {"": handler}})()
    reached = _reached(alone)
    return not reached or any(name in (*code.co_names, *code.co_consts) for f in reached for code in _codes(f.__code__))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts((*value.keys(), *value.values()))
    elif isinstance(value, tuple | frozenset):
        for item in value:
            yield from _texts(item)


def _reached(design: Design) -> dict[FunctionType, tuple[str, ...]]:
    """Every function of the design's own modules that its handlers name, directly or not, with those handlers."""
    found: dict[FunctionType, tuple[str, ...]] = {}
    named: dict[FunctionType, list[FunctionType]] = {}
    for handler, method in design.handlers().items():
        waiting = [function for function in [_function(method)] if function is not None]
        while waiting:
            function = waiting.pop()
            if handler in found.get(function, ()):
                continue
            found[function] = (*found.get(function, ()), handler)
            if function not in named:
                named[function] = list(_named(function, design))
            waiting.extend(named[function])
    return found


def _named(function: FunctionType, design: Design) -> Iterator[FunctionType]:
    """The functions that a function names."""
    for name in dict.fromkeys(name for code in _codes(function.__code__) for name in code.co_names):
        for other in (*_functions_of(function.__globals__.get(name)), _function(_static(type(design), name))):
            if other is not None:
                yield other
    for cell in function.__closure__ or ():
        for other in _functions_of(_content(cell)):
            if other is not None:
                yield other


def _functions_of(value: Any) -> Iterator[FunctionType | None]:
    """A function of the design's own modules, or those of a class of theirs."""
    if isinstance(value, type) and _own(value):
        yield from map(_function, vars(value).values())
    elif _own(value):
        yield _function(value)


def _function(value: Any) -> FunctionType | None:
    if isinstance(value, property):
        value = value.fget
    value = getattr(value, "__func__", value)
    if not isinstance(value, FunctionType) or value.__code__.co_filename.startswith("<"):  # made by dataclass or namedtuple
        return None
    return value if _own_module(value.__globals__.get("__name__")) else None


def _static(owner: type, name: str) -> Any:
    return next((vars(c)[name] for c in owner.__mro__ if name in vars(c)), None)


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A code object and those inside it: inner functions, comprehensions, lambdas."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


@cache
def _instructions(code: CodeType) -> list[dis.Instruction]:
    return list(dis.get_instructions(code))


def _last(names: Any) -> Any:
    """The name that an instruction puts on top: since Python 3.13 one may have two."""
    return names[-1] if isinstance(names, tuple) and names else names


def _own(value: Any) -> bool:
    """Whether a module, class, function or object belongs to the design rather than to the framework or to a library."""
    return _own_module(value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None))


def _own_module(name: object) -> bool:
    if not isinstance(name, str) or name not in sys.modules or name.partition(".")[0] in sys.stdlib_module_names - {"__main__"}:
        return False
    if name.startswith("heatproof."):
        return name.startswith("heatproof.model.designs.")
    file = getattr(sys.modules.get(name), "__file__", None) or ""
    return "site-packages" not in file and "dist-packages" not in file


def _attributes(design: Design) -> set[str]:
    """The names of the data that stand in the design, its class or the classes above."""
    names = set(vars(design))
    for owner in type(design).__mro__[:-1]:
        names.update(n for n, v in vars(owner).items() if not n.startswith("__") and not callable(getattr(v, "__func__", v)))
    return names


# ------------------------------------------------------------------------------------------------------ what it says


def _refuse_assignments(function: FunctionType, handlers: tuple[str, ...], watch: Purity) -> None:
    outer = set(function.__code__.co_freevars)
    for code in _codes(function.__code__):
        instructions = _instructions(code)
        for instruction in instructions:
            name = instruction.argval
            if instruction.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
                what = f"the module variable {name} (global {name})"
            elif instruction.opname in ("STORE_DEREF", "DELETE_DEREF") and name in outer and name in code.co_freevars:
                what = f"the closure variable {name} (nonlocal {name})"
            else:
                continue
            site = _Sites(instructions, code, handlers).of(instruction)
            line = linecache.getline(site.file, site.line).strip()
            raise DesignError(f"{_at(site, watch)} assigns {what}; {watch.advice}\n    {line}")


class _Sites:
    """The lines of one code object, weighed: one that writes into something comes before one that calls, and that before the rest."""

    def __init__(self, instructions: list[dis.Instruction], code: CodeType, handlers: tuple[str, ...]):
        self.code = code
        self.handlers = handlers
        self.weights: dict[int, int] = {}
        for i in instructions:
            changes = i.opname in WRITES or (i.opname in READS and i.argval in CHANGES)
            weight = 2 if changes else 1 if i.opname.startswith("CALL") else 0
            self.weights[self.line(i)] = max(weight, self.weights.get(self.line(i), 0))

    def line(self, instruction: dis.Instruction) -> int:
        return (instruction.positions.lineno if instruction.positions else None) or self.code.co_firstlineno

    def of(self, instruction: dis.Instruction) -> Site:
        line = self.line(instruction)
        return Site(self.weights[line], self.code.co_filename, line, self.handlers)


def _at(site: Site, watch: Purity) -> str:
    names = ", ".join(map(repr, site.handlers[:4])) + (", ..." if len(site.handlers) > 4 else "")
    one, several = watch.what
    return f"{site.file}:{site.line}: {one if len(site.handlers) == 1 else f'one of the {several}'} {names}"


# ------------------------------------------------------------------------------------------------------- what it was


def _value(place: Any, name: str) -> Any:
    if isinstance(place, dict):
        return place.get(name)
    if hasattr(place, "cell_contents") or type(place).__name__ == "cell":
        return _content(place)
    return getattr(place, name, None)


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _constant(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | complex | bytes)


def _frozen(value: Any, above: tuple[int, ...] = ()) -> object:
    """A copy of everything that could change in ``value``, to be compared; what cannot be looked into counts as itself."""
    if _constant(value):
        return (type(value), value)
    if id(value) in above:
        return "itself"
    above = (*above, id(value))
    if isinstance(value, list | tuple | deque):
        return (type(value), tuple(_frozen(v, above) for v in value))
    if isinstance(value, set | frozenset):
        return (type(value), frozenset(_frozen(v, above) for v in value))
    if isinstance(value, Mapping):
        return (type(value), tuple((_frozen(k, above), _frozen(v, above)) for k, v in value.items()))
    if isinstance(value, bytearray):
        return bytes(value)
    if isinstance(value, random.Random):
        return value.getstate()
    if isinstance(value, itertools.count | itertools.cycle | itertools.repeat):
        return repr(value)
    if isinstance(value, Iterator):
        return (id(value), operator.length_hint(value, -1))
    if isinstance(value, type | FunctionType | ModuleType) or not _own(value):
        return id(value)
    known = vars(value) if hasattr(value, "__dict__") else {n: getattr(value, n, None) for n in getattr(value, "__slots__", ())}
    kept = {n: v for n, v in known.items() if not isinstance(_static(type(value), n), cached_property)}
    return (id(value), tuple((n, _frozen(v, above)) for n, v in kept.items()))


__all__ = ["Purity", "purity_of", "texts"]
