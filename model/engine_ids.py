"""The ids of engines as a search hands them out whose engines are anonymous (strategies/proving/symmetry.py).

A design that only compares and stores ids of engines goes on alike whichever engine is which. One that looks into their text does not: what it
makes of it, ``f"{me.engine}_lock"`` or ``int(me.engine[1:])``, is no id any more, and would not be exchanged with it. So these take notice when
somebody looks into them.

Who it is says the frame that asks. The machinery of heatproof may look: what it makes of an id, such as the label of a message, is no secret
of a design. Where it only puts in order for somebody else, that is who asks.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dis import opname
from os.path import dirname
from types import CodeType, FrameType
from typing import Any, ClassVar

from heatproof.model.errors import Passing

HARMLESS = frozenset(
    ("__doc__", "__new__", "__getattribute__", "__sizeof__", "__hash__", "__eq__", "__ne__", "__len__", "__getnewargs__", "maketrans")
)  # fmt: skip
"""What may be done with an id without looking into it, or has to be done. All that are exchanged with one another are of one length."""

ENGINE = re.compile(r"E\d+(/\d+)?")
"""The id of an engine."""

WITHIN = re.compile(r"E\d")
"""What one begins with wherever it stands in a text: the reason of an operation that was lost, ``E1 died``, is exchanged with the engine."""

ORDER = frozenset(("__lt__", "__le__", "__gt__", "__ge__"))
"""The questions that tell which comes first."""

DESIGNS, ASKERS = "heatproof.model.designs.", "heatproof.properties."
"""How modules of heatproof begin that decide something by what they see in a state, as a design of the user's own does."""

FOR_OTHERS = frozenset(
    (
        "heatproof.model.in_order", "heatproof.model.canonical", "heatproof.model.columns", "heatproof.properties.base",
        "heatproof.strategies.proving.columns", "heatproof.strategies.proving.looks", "heatproof.strategies.proving.names",
        "heatproof.strategies.proving.views",
    )
)  # fmt: skip
"""Modules that put in order or show for whoever asks them to."""

MAKERS = frozenset(("heatproof.model.database", "heatproof.model.reality"))
"""Modules that tell a design what they have put in order, the rows with their keys, or made: the key of a second row, ``key#2``, and the name of a
thing, ``owner.1``."""

SHOWN = frozenset(("__format__", "__str__", "__repr__"))
"""What puts an id into another text."""

LIBRARY = dirname(os.__file__) + os.sep
"""Where the modules of Python stand, which do what they are asked to."""


class EnginesTold(Passing):
    """Somebody looks into the id of an engine, or what looks like one stands in a text: the search begins anew and tells engines apart. No
    handler is to catch it."""


class EngineId(str):
    """The id of an engine. It is equal to its text and goes by the same hash."""

    __slots__ = ()
    watching: ClassVar[bool] = False  # whether a search whose engines are anonymous is at work: one may outlive it, in a cache
    doubted: ClassVar[bool] = False  # whether handlers may make up such a text of what the scenario has, and look for it
    noticed: ClassVar[bool] = False  # whether somebody has looked into one, even if he goes on as if he had not

    def __reduce__(self) -> Any:
        """Elsewhere it is a text."""
        return str, (str.__str__(self),)

    def __copy__(self) -> EngineId:
        return self

    def __deepcopy__(self, _memory: Any) -> EngineId:
        return self

    def __hash__(self) -> int:
        if EngineId.watching and (
            asks_for_hash(frame := sys._getframe(1)) or (EngineId.doubted and _telling(frame, "__contains__"))
        ):
            EngineId.told()  # what is looked up is compared only where it has the same hash: where one engine is, but not where another is
        return str.__hash__(self)

    def __eq__(self, other: object) -> bool:
        if EngineId.watching and type(other) is str and WITHIN.search(other) and _telling(sys._getframe(1), "__eq__"):
            EngineId.told()  # a text that somebody has made up, such as that of a name and a number, is equal to that of one engine
        return str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    @classmethod
    def told(cls) -> None:
        """Somebody has looked into one."""
        cls.noticed = True
        raise EnginesTold


def _noticing(name: str) -> Any:
    plain = getattr(str, name)

    def method(self: Any, *args: Any, **options: Any) -> Any:
        if EngineId.watching and _telling(sys._getframe(1), name):
            EngineId.told()
        return plain(self, *args, **options)

    return method


def look_for_made_up(value: Any) -> None:
    """Raise :class:`EnginesTold` if there is a text in what a handler asks for that reads like an id and is none."""
    if type(value) is str:
        if ENGINE.fullmatch(value):
            EngineId.told()
    elif isinstance(value, Mapping):
        look_for_made_up((*value, *value.values()))
    elif isinstance(value, tuple | frozenset):
        for item in value:
            look_for_made_up(item)


def asks_for_hash(frame: FrameType) -> bool:
    """Whether somebody who is given a hash in this frame has asked for it, rather than that he looks something up."""
    return ("hash" in frame.f_code.co_names or frame.f_globals.get("__name__") in FOR_OTHERS) and _telling(frame, "__hash__")


def _telling(asked: FrameType, name: str) -> bool:
    """Whether what is done with an id in a frame may tell engines apart."""
    frame: FrameType | None = asked
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module in MAKERS:
            return name in ORDER or name in SHOWN
        if module not in FOR_OTHERS and not _of_python(frame.f_code) and frame.f_code.co_name not in ("__hash__", "__ne__"):
            if (
                module.startswith("heatproof.") and not module.startswith((DESIGNS, ASKERS))
            ) or module == "heatproof.properties.monitor":
                return False
            if name == "__hash__":
                return "hash" in frame.f_code.co_names and _calls(frame)
            return name != "__lt__" or frame is not asked or not _sorts(frame)
        frame = frame.f_back
    return False


def _of_python(code: CodeType) -> bool:
    """Whether code is of Python itself, or was made by it for a class of somebody's."""
    file = code.co_filename
    if file.startswith("<"):
        return file.startswith("<frozen ") or code.co_name.startswith("__")
    return file.startswith(LIBRARY) and "-packages" not in file


def _sorts(frame: FrameType) -> bool:
    """Whether a frame, as it seems, sorts, which only asks ``<``: that is for the design to say (docs/proving.md)."""
    return _calls(frame) and not {"sorted", "sort"}.isdisjoint(frame.f_code.co_names)


def _calls(frame: FrameType) -> bool:
    """Whether a frame stands at a call."""
    return "CALL" in opname[frame.f_code.co_code[frame.f_lasti]]


for _name in vars(str).keys() - HARMLESS:
    setattr(EngineId, _name, _noticing(_name))
EngineId.__radd__ = _noticing("__add__")  # type: ignore[attr-defined]  # which a text has not, but is asked for
