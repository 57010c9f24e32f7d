"""Which states are the same: engines are anonymous, so a state and the same state with engines exchanged count once.

The fingerprint of a state is made of a 64-bit sum for each renaming of the engines: the sum of the salted hashes of all units as they
read under that renaming. Exchanging engines exchanges the sums, so anything that does not depend on their order, here the sum of
their scrambled values, is the same for all states of an orbit. No state is ever sorted or renamed; a step changes each sum by what
it changed.

This is sound for designs that treat engine ids as what they are, opaque. One that looks into the text of an id, or puts it into another text,
is noticed (telling.py), and the search begins anew without symmetry. One that sorts by them and then stops in between can tell engines apart too,
and symmetry would hide half of what it does. ``--no-symmetry`` is there for it, and the tests hold both against each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import fields as parts_of
from dataclasses import is_dataclass
from enum import Enum
from hashlib import blake2b
from itertools import permutations
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

from heatproof.model.contents import CONTENT, Opaque, attributes, beside, code_text, fields, filled, same, tells_all, title
from heatproof.model.design import Design
from heatproof.model.effects import Me
from heatproof.model.engine_ids import EngineId, EnginesTold
from heatproof.model.engines import OpenEngine, Someones
from heatproof.model.errors import DesignError
from heatproof.model.purity import texts
from heatproof.model.scenario import Scenario
from heatproof.model.versions import Version
from heatproof.properties.base import Property
from heatproof.strategies.asking import Keeping

ENGINE = re.compile(r"(?<![A-Za-z0-9_])E(\d+)(?![A-Za-z0-9_])")
"""The id of an engine wherever it stands in a text; what follows a slash is its life."""

LIKE = re.compile(r"E\d")
"""What looks like the beginning of one, whatever is around it."""

SPELLED = re.compile(r"(?<![A-Za-z0-9_])E(\d|$|%|\{)")
"""What reads like one in the text of a program, or like the beginning of one: ``f"E{number}"``."""

NAMED = re.compile(r"(?<![A-Za-z0-9_])E(?![A-Za-z_])")
"""What is one, or may become one where a number is put behind it, such as the name of a resource."""

SHORT = 40
"""The longest text of a tuple that stands for itself within the text of another; of a longer one it is a hash."""


class Nameless:
    """What a handler holds, to be rendered without the name of its own task, which nobody looks at."""

    __slots__ = ("held",)

    def __init__(self, held: Any):
        self.held = held


class Renderer:
    """Turns values into text under one renaming of the engines: equal texts for equal values, in every process.

    ``order[n - 1]`` is the number that engine n gets. ``plain`` renders without renaming; it knows which values mention no engine at
    all. A tuple is shown by a hash of its text, which is kept: rows and templates come again and again in what handlers hold.
    """

    def __init__(self, order: tuple[int, ...] = (), plain: Renderer | None = None):
        self.order = order
        self.plain = plain
        self.known: dict[Any, tuple[str, bool, Any]] = {}  # by value: its text, whether it mentions an engine, and itself
        self.at: dict[int, tuple[str, bool, Any]] = {}  # the same by identity, which lasts while the value is kept
        self.mentions = False  # whether an engine was met since somebody last looked
        self.names = True  # whether the names of tasks count in what handlers know of themselves
        self.leaked = False  # whether such a name was met outside of what a handler holds
        self.nameless: Renderer | None = None
        self.busy: set[int] = set()  # whose text is being made, by identity
        self.sure = False  # whether each text that reads like the id of an engine must be one
        self.doubtful = False  # whether a text that reads like one may be something else, so that only an EngineId is one

    def salt(self, value: Any) -> int:
        """The 64-bit hash of a value. Raises :class:`DesignError` for a value that shows nothing of what it holds."""
        text = self._whole(value) if type(value) is tuple else self.text(value)  # whole: nobody asks for the same once more
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")

    def rename(self, text: str) -> str:
        """A text with the ids of engines in it exchanged. Raises :class:`EnginesTold` where it must be sure what they are and is not."""
        if "E" not in text or not LIKE.search(text):
            return text
        order, found = self.order, ENGINE.findall(text)
        none_is = any(one[0] == "0" or int(one) > len(order) for one in found) or len(found) < len(LIKE.findall(text))
        if self.doubtful or (self.sure and none_is):
            raise EnginesTold
        return self._exchanged(text) if found else text

    def _exchanged(self, text: str) -> str:
        order, self.mentions = self.order, True
        return ENGINE.sub(lambda m: f"E{order[int(m[1]) - 1]}" if 0 < int(m[1]) <= len(order) else m[0], text)

    def text(self, value: Any) -> str:
        """The text of a value."""
        kind = type(value)
        if kind is str:
            return repr(self.rename(value))
        if kind is int or kind is bool or value is None:
            return repr(value)
        if isinstance(value, tuple | frozenset):
            return self._kept(value)
        if kind is Nameless:
            return self._nameless(value)
        if kind is EngineId:
            return repr(self._exchanged(str.__str__(value)))
        if kind is Someones:
            return f"engine at {value.place!r}"
        if isinstance(value, OpenEngine):
            self.mentions = True
            return f"engine of {value.name!r}"
        return self._other(value)

    def _nameless(self, value: Nameless) -> str:
        """With a memory of its own, since the same values have other texts where names count."""
        if self.nameless is None:
            self.nameless = Renderer(self.order, None if self.plain is None else self.plain.nameless)
            self.nameless.names, self.nameless.sure, self.nameless.doubtful = False, self.sure, self.doubtful
        self.nameless.mentions = False
        text = self.nameless.text(value.held)
        self.mentions = self.mentions or self.nameless.mentions
        return text

    def _kept(self, value: Any) -> str:
        known = self.at.get(id(value))
        if known is None:
            known = self._found(value)
            if not self.busy:  # else its text may be short of what is being told
                self.at[id(value)] = known if known[2] is value else (known[0], known[1], value)
        self.mentions = self.mentions or known[1]
        return known[0]

    def _found(self, value: Any) -> tuple[str, bool, Any]:
        """The text of a value that was not met as this very object."""
        plain = self.plain
        there = None if plain is None else plain.at.get(id(value))
        if there is not None and not there[1]:
            return there
        shell = type(value) is tuple  # of these there is one object each (model/continuations.py): no use looking for equal ones
        try:
            known = None if shell else self.known.get(value)
        except TypeError:
            shell, known = True, None
        if known is not None and not same(known[2], value):
            shell, known = True, None
        if known is None:
            before, self.mentions = self.mentions, False
            text = self._whole(value)
            if len(text) > SHORT:
                text = blake2b(text.encode(), digest_size=12).hexdigest()
            known = (text, self.mentions, value)
            self.mentions = before
            if not (shell or self.busy):
                self.known[value] = known
        return known

    def _whole(self, value: Any) -> str:
        whole = type(value)
        if whole is not tuple and isinstance(value, Me):
            self.leaked = self.leaked or self.names
            return f"Me{self.text(value.engine)}" + (self.text(tuple.__getitem__(value, 1)) if self.names else "")
        items, at = [], self.at
        for item in value:
            kind = type(item)
            if kind is str:
                items.append(repr(item if "E" not in item else self.rename(item)))
            elif kind is int or item is None:
                items.append(repr(item))
            elif (known := at.get(id(item))) is None:
                items.append(self._kept(item) if kind is tuple else self.text(item))
            else:
                self.mentions = self.mentions or known[1]
                items.append(known[0])
        if whole is tuple:
            return f"tuple({','.join(items)})"
        if isinstance(value, frozenset | set):
            items.sort()
        return f"{_title(whole)}({','.join(items)}){self._beside(value, attributes) if beside(whole) else ''}"

    def _beside(self, value: Any, parts: Callable[[Any], tuple[tuple[str, ...], list[Any]]]) -> str:
        """The text of the attributes of a value, as far as one can look into it. It may be among them."""
        if id(value) in self.busy:
            return " with itself"
        self.busy.add(id(value))
        try:
            names, contents = parts(value)
            return f" with {','.join([f'{name}={self.text(content)}' for name, content in zip(names, contents, strict=True)])}"
        except Opaque:
            return ""
        finally:
            self.busy.discard(id(value))

    def _other(self, value: Any) -> str:
        if isinstance(value, type):
            return f"class {_title(value)}"
        if isinstance(value, CodeType):
            return code_text(value)
        if isinstance(value, FunctionType) and id(value) not in self.busy:
            return self._function(value)
        if isinstance(value, Enum):  # whatever it says of itself
            return f"{_title(type(value))}.{value.name or self.text(value.value)}"
        if isinstance(value, BuiltinFunctionType | FunctionType | ModuleType):
            return f"{type(value).__name__} {type(value).__module__}.{getattr(value, '__qualname__', value)}"
        if isinstance(getattr(type(value), "canonical", None), FunctionType):  # of a Decimal it is something else
            return f"{_title(type(value))}{self.text(value.canonical())}"
        if is_dataclass(value):
            return f"{_title(type(value))}{self.text(tuple([getattr(value, part.name) for part in parts_of(value)]))}"
        if isinstance(value, BaseException):
            return f"{_title(type(value))}{self.text(value.args)}{self._beside(value, fields)}"
        if type(value) is Version:
            return repr(value)  # where a version must not be, which it takes notice of itself
        for simple, content in CONTENT.items():
            if isinstance(value, simple) and type(value) is not simple:  # what it says of itself may be less
                return f"{_title(type(value))} {self.text(content(value))}{self._beside(value, attributes)}"
        if isinstance(value, list | set):
            return self._whole(value)
        if isinstance(value, dict):
            return type(value).__name__ + str(sorted([f"{self.text(k)}:{self.text(v)}" for k, v in value.items()]))
        if getattr(type(value), "__repr__", None) is object.__repr__:
            raise DesignError(
                f"a value of class {type(value).__qualname__} stands in a row, a message or a local variable, and nothing shows what"
                " it holds; make it a NamedTuple or a frozen dataclass, or give it a method canonical() that returns plain values"
            )
        return self.rename(repr(value)) + ("" if tells_all(type(value)) else self._beside(value, fields))

    def _function(self, function: FunctionType) -> str:
        """Its code, and what it closes over, which may be itself."""
        self.busy.add(id(function))
        try:
            closes = [self.text(cell.cell_contents) if filled(cell) else "" for cell in function.__closure__ or ()]
            rest = [self.text(part) for part in (function.__defaults__, function.__kwdefaults__, vars(function))]
            return f"function {code_text(function.__code__)}({','.join(closes)})({','.join(rest)})"
        finally:
            self.busy.discard(id(function))


def _title(kind: type[Any]) -> str:
    return title(kind) or kind.__qualname__


def renderers(scenario: Scenario, symmetric: bool) -> list[Renderer]:
    """One renderer for each renaming of engines under which states are the same, that without renaming first."""
    engines = scenario.scope.engines
    plain = Renderer(tuple(range(1, engines + 1)))
    if not symmetric or engines == 1:
        return [plain]
    same = [plain, *[Renderer(order, plain) for order in permutations(range(1, engines + 1)) if order != plain.order]]
    for renderer in same:
        renderer.doubtful = ambiguous(scenario)
    return same


class _Speller(Renderer):
    """Finds out whether a value has a text that may become the id of an engine."""

    def rename(self, text: str) -> str:
        self.mentions = self.mentions or NAMED.search(text) is not None
        return text


def ambiguous(scenario: Scenario) -> bool:
    """Whether a name or a value in the scenario reads like the id of an engine, or may become one where a number is put behind it, so that a text
    that reads like one may be something else."""
    renderer = _Speller()
    renderer.text(scenario.operations)
    return renderer.mentions


def spells_engines(design: Design, properties: Iterable[Property]) -> bool:
    """Whether a text in the handlers of a design, or in those properties, reads like the id of an engine, or may become one, such as the code of an
    error."""
    asked = Keeping(properties)
    return any(SPELLED.search(text) for text in (*texts(design), *texts(asked.design, asked)))
