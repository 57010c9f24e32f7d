"""Which engine a task is on is left open: *placing*.

Theory of operation. A message may be taken by any engine with an idle thread, and hardly anything depends on which it was. So in this world each
task has an engine of its own, an *open* one that is called like the task; of the engines a search only counts the threads that are idle
(kernel.py:busy). As long as nobody looks at an open engine except the task that is on it, no step depends on which engines the tasks are on, and
since every engine with an idle thread may be the one, there are some whenever there is a thread for each worker. So one action stands for as many
as there are engines, and a fingerprint needs no sum for each order of these (symmetry.py).

A task may put its engine into rows, as one who locks does. Then its node says in which rows it stands and where, and the row says no more than that
somebody's engine stands there; so equal tasks stay anonymous.

All else is noticed: :class:`EnginesMatter` has the search begin anew with engines by name, if a handler goes on with the engine of another (not if
it only asks whether there is one), if two engines are compared that may be one, if one is shown, sorted, sent, or written to, if a task ends and
its engine still stands somewhere, or if a handler starts another beside itself. Heat's own design does so. Where engines can crash they are not
left open at all, since then it matters what dies together.

A way that was found is given engines at the end: the first that have an idle thread.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import Enum
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

from heatproof.model.contents import PLAIN, Opaque, fields, filled
from heatproof.model.engine_ids import asks_for_hash
from heatproof.model.engines import OPEN, OpenEngine, Someones
from heatproof.model.errors import Passing
from heatproof.model.scenario import Scope
from heatproof.model.versions import Version
from heatproof.strategies.proving.symmetry import ENGINE

NOTHING_IN = frozenset({*PLAIN, type, Version, BuiltinFunctionType, CodeType, ModuleType})
"""Classes of values that hold no engine."""

HARMLESS = frozenset(
    ("__new__", "__init__", "__getattribute__", "__class__", "__hash__", "__dir__", "__sizeof__", "__getnewargs__", "maketrans")
)
"""What may be done with a text without looking into it, or has to be done."""


class EnginesMatter(Passing):
    """Somebody may tell engines apart: the search begins anew with engines by name. No handler is to catch it."""


def open_engines(places: Places) -> type[OpenEngine]:
    """The class of the open engines of one world."""

    def noticed(name: str) -> Any:
        plain = getattr(str, name)

        def method(self: Any, *args: Any, **options: Any) -> Any:
            if places.asking:
                places.told_apart()
            return plain(self, *args, **options)

        return method

    def equal(self: Any, other: Any) -> Any:
        if places.asking and isinstance(other, OpenEngine):
            return places.same(self.name, other.name)
        if isinstance(other, OpenEngine):
            return str.__eq__(self, other)
        places.by_name(other)
        return False

    def hashed(_self: Any) -> int:
        if places.asking and asks_for_hash(sys._getframe(1)):
            places.told_apart()
        return 1  # a set must compare any two

    def unequal(self: Any, other: Any) -> Any:
        return not equal(self, other)

    ways = [name for name in vars(str) if name not in HARMLESS and callable(getattr(str, name))]
    inside: dict[str, Any] = {name: noticed(name) for name in ways}
    inside |= {"__eq__": equal, "__ne__": unequal, "__hash__": hashed}
    inside["__radd__"] = noticed("__add__")  # which a text has not, but is asked for
    return type("OpenEngine", (OpenEngine,), {"__slots__": (), **inside})


class Places(dict[Any, Any]):
    """The engines of one world, which asks by engine how many threads are idle."""

    def __init__(self, scope: Scope):
        super().__init__()
        self.engines, self.threads = scope.engines, scope.threads
        self.kind = open_engines(self)
        self.asking = False  # whether a handler, a transaction or a property is at work, so that what is done with engines counts
        self.noticed = False  # whether somebody has looked at one, even if he goes on as if he had not
        self.workers: set[str] = set()  # the engines that were made for tasks with a thread
        self._made: dict[str, OpenEngine] = {}
        self._kinds: dict[str, bool] = {}  # of each name of a task whether it has a thread
        self._inside: dict[int, tuple[frozenset[str], Any]] = {}  # what is in things, by identity; kept, so that identities last
        self._clean: dict[int, Any] = {}  # values with no engine in them, the same way

    def fresh(self, task: str) -> OpenEngine:
        """The engine of a task that begins."""
        engine = self._made.get(task)
        if engine is None:
            engine = self._made[task] = self.kind(OPEN + task)
        return engine

    def begins(self, task: str, worker: bool) -> None:
        """A task begins. Raises :class:`EnginesMatter` where one of the same name may have a thread and another has none."""
        if self._kinds.setdefault(task, worker) is not worker:
            raise EnginesMatter
        if worker:
            self.workers.add(task)

    def same(self, one: str, other: str) -> bool:
        """Whether two engines are one. Two workers that have their only threads are not on one. Raises :class:`EnginesMatter`."""
        if one != other and (self.threads > 1 or not {one, other} <= self.workers):
            self.told_apart()
        return one == other

    # ------------------------------------------------------------------------------------------------ as the world sees it

    def by_name(self, other: object) -> None:
        """Somebody compares an engine with something else, or asks for one: it must not be one by name."""
        if self.asking and isinstance(other, str) and ENGINE.fullmatch(other.partition("/")[0]):
            self.told_apart()

    def told_apart(self) -> None:
        """Somebody may tell engines apart."""
        self.noticed = True
        raise EnginesMatter

    def get(self, engine: Any, default: Any = None) -> Any:
        known = engine in self
        return self[engine] if known else default

    def __contains__(self, engine: object) -> bool:
        if isinstance(engine, OpenEngine):
            return True
        self.by_name(engine)
        return False

    def __getitem__(self, engine: Any) -> int:
        if self.asking:  # how many threads are idle there
            self.told_apart()
        return self.threads

    def __setitem__(self, engine: Any, idle: int) -> None:
        """Threads are not counted here: where none is idle, nobody asks what comes of a delivery."""

    def __len__(self) -> int:
        return self.engines

    def _whole(self, *_args: Any) -> Any:
        """Who looks at all of it learns which engines there are."""
        self.told_apart()

    keys = values = items = copy = pop = popitem = setdefault = update = _whole  # type: ignore[assignment]  # it never answers
    __iter__ = __reversed__ = __repr__ = __eq__ = __ne__ = _whole
    __or__ = __ror__ = _whole
    __hash__ = None

    # ------------------------------------------------------------------------------------------------------------- values

    def met(self, row: tuple[Any, ...]) -> dict[str, str]:
        """The engines in a row, each with where it stands there. Two that stand at the same place are in one set, where one is as good as the other.
        Raises :class:`EnginesMatter` where a set holds more than the engines themselves."""
        found: dict[str, str] = {}
        for place, item in enumerate(tuple.__iter__(row)):
            if item.__class__ not in NOTHING_IN:
                self._stands(item, str(place), found)
        return found

    def _stands(self, value: Any, place: str, found: dict[str, str]) -> None:
        kind = type(value)
        if kind in NOTHING_IN:
            return
        if kind is self.kind:
            name = value.name
            found[name] = f"{found.get(name, '')} {place}"
        elif isinstance(value, tuple):
            for number, item in enumerate(tuple.__iter__(value)):
                self._stands(item, f"{place}.{number}", found)
        elif isinstance(value, frozenset) and all(type(item) is self.kind for item in value):
            for item in value:
                self._stands(item, f"{place}.any", found)
        elif self.inside(value):
            raise EnginesMatter

    def inside(self, value: Any) -> frozenset[str]:
        """The engines in a value, however deep."""
        found: set[str] = set()
        self._find(value, found)
        return frozenset(found)

    def _find(self, value: Any, found: set[str]) -> None:
        kind = type(value)
        if kind is self.kind:
            found.add(value.name)
        elif kind in NOTHING_IN or id(value) in self._clean or isinstance(value, type | Enum):
            return
        elif isinstance(value, tuple):
            for item in tuple.__iter__(value):
                if type(item) not in NOTHING_IN and id(item) not in self._clean:
                    self._find(item, found)
        elif isinstance(value, frozenset | set | list):
            for item in value:
                self._find(item, found)
        elif isinstance(value, Mapping):
            for pair in value.items():
                self._find(pair, found)
        elif isinstance(value, partial):
            self._find((value.func, value.args, value.keywords), found)
        elif isinstance(value, FunctionType):
            self._find((value.__defaults__, tuple([cell.cell_contents for cell in value.__closure__ or () if filled(cell)])), found)
        else:
            known = self._inside.get(id(value))
            if known is None:
                inside: set[str] = set()
                self._inside[id(value)] = frozenset(), value  # lest it goes round in circles
                try:
                    for item in fields(value)[1]:
                        self._find(item, inside)
                except Opaque:
                    raise EnginesMatter from None  # there may be one
                known = self._inside[id(value)] = frozenset(inside), value
            found |= known[0]

    def renamed(self, value: Any, names: Mapping[str, str]) -> Any:
        """A value with other names for engines; what has none of these in it stays the same object. Raises :class:`EnginesMatter` for an engine in
        something that is not made of tuples and sets."""
        kind = type(value)
        if kind is self.kind:
            name = value.name
            return Someones(names[name]) if name in names else value
        if kind in NOTHING_IN or id(value) in self._clean:
            return value
        if isinstance(value, tuple):
            fresh, changed, clean = [], False, True
            for item in tuple.__iter__(value):
                if type(item) not in NOTHING_IN and id(item) not in self._clean:
                    new = self.renamed(item, names)
                    changed, clean = changed or new is not item, clean and id(item) in self._clean
                    item = new
                fresh.append(item)
            if changed:
                return tuple.__new__(kind, fresh)
            if clean:
                self._clean[id(value)] = value
            return value
        engines = self.inside(value)
        if not engines:
            self._clean[id(value)] = value
        elif isinstance(value, frozenset):
            return frozenset([self.renamed(item, names) for item in value])
        elif engines & names.keys():
            raise EnginesMatter
        return value
