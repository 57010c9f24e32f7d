"""How what a suspended handler holds is shown (model/continuations.py): by the class of a value, equal for values that nobody can tell apart.

Every way is a function of the value, of the look that it is part of, and of the place where it is held. What holds other values asks
``look.value`` for each. Where a value hides what it holds, :class:`Opaque` is raised.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable
from enum import Enum
from functools import partial
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    GeneratorType,
    MemberDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
)
from typing import TYPE_CHECKING, Any

from heatproof.model.columns import HeldRow, Place
from heatproof.model.contents import (
    CONTENT,
    PLAIN,
    Opaque,
    attributes,
    beside,
    by_class,
    by_value,
    fields,
    filled,
    stands_for_itself,
    title,
)
from heatproof.model.versions import Version

if TYPE_CHECKING:
    from heatproof.model.continuations import Look

_SAMPLES: tuple[Any, ...] = (
    iter(()), iter([]), iter(""), iter(range(0)), iter(range(2**70)), reversed([]), enumerate(()), zip(()), iter(b""),
)  # fmt: skip
ITERATORS = tuple(type(sample) for sample in _SAMPLES)
"""Those that say where they stand in what they go through."""

_UNORDERED: tuple[Any, ...] = (
    iter({}),
    iter({}.items()),
    iter({}.values()),
    reversed({}),
    reversed({}.items()),
    reversed({}.values()),
)
LIVE_ITERATORS = tuple(type(sample) for sample in (*_UNORDERED, iter(set())))
"""Those that say only what is left of what they go through, which may change meanwhile."""


def way_to_show(kind: type[Any]) -> Show:
    """How values of a class are shown, which goes by the class alone."""
    if kind in PLAIN:
        return _itself
    if kind is Version:
        return lambda value, look, at: look.version(value)
    if not (title(kind) or issubclass(kind, HeldRow)):
        return _opaque
    for base, show in _WAYS:
        if issubclass(kind, base):
            more = (
                issubclass(kind, tuple | frozenset) and base is not HeldRow and beside(kind)
            )  # of a watched row that is its number
            return _once(_with_attributes(show)) if more else show
    compared: Any = kind
    if by_value(compared):
        return _by_what_it_holds
    for simple, content in CONTENT.items():
        if issubclass(kind, simple):
            return _once(_with_attributes(partial(_content, content)))
    return _way_to_show_a_thing(kind)


def _content(content: Callable[[Any], Any], value: Any, look: Look, _at: Place | None) -> Any:
    return look.pool.value(content(value), False)


def _with_attributes(show: Show) -> Show:
    """How values are shown that have attributes beside what ``show`` shows."""

    def both(value: Any, look: Look, at: Place | None) -> Any:
        names, contents = attributes(value)
        held = [look.value(content, _inside(at, name)) for name, content in zip(names, contents, strict=True)]
        return look.tuple(type(value), show(value, look, at), look.pool.names.setdefault(names, names), *held)

    return both


def _way_to_show_a_thing(kind: type[Any]) -> Show:
    """How values of a class are shown that are what they are, and not what they hold."""
    show: Show | None = _THINGS.get(kind) or next((way for base, way in _THINGS.items() if issubclass(kind, base)), None)
    if show is None:
        show = _opaque if kind.__module__ == "builtins" else _attributes
    return _once(_with_attributes(show) if issubclass(kind, list | dict | set) and beside(kind) else show)


def _once(show: Show) -> Show:
    """What is written through one name is read through the other, so what may change is shown once, and then by its number."""

    def once(value: Any, look: Look, at: Place | None) -> Any:
        number = look.number(value)
        return show(value, look, at) if number is None else look.tuple("again", look.pool.value(number))

    return once


def _itself(value: Any, look: Look, _at: Place | None) -> Any:
    return look.pool.value(value)


def _constant(value: Any, _look: Look, _at: Place | None) -> Any:
    return value


def _opaque(_value: Any, _look: Look, _at: Place | None) -> Any:
    raise Opaque


def _row(value: Any, look: Look, at: Place | None) -> Any:
    return look.row(value, at)


def _tuple(value: Any, look: Look, at: Place | None) -> Any:
    if look.held is not None and (holed := look.pool.holed(value)) is not None:
        return look.tuple(holed[0], *[look.version(version) for version in holed[1]])
    return look.pool.value(value) if stands_for_itself(value) else look.tuple(type(value), *_items(value, look, at))


def _frozenset(value: Any, look: Look, _at: Place | None) -> Any:
    return look.pool.value(value) if stands_for_itself(value) else look.tuple(type(value), _set(value, look))


def _builtin(value: Any, look: Look, _at: Place | None) -> Any:
    owner = value.__self__
    return value if owner is None or isinstance(owner, ModuleType) else look.tuple(value.__name__, look.value(owner))


def _by_what_it_holds(value: Any, look: Look, at: Place | None) -> Any:
    return look.pool.value(value) if stands_for_itself(value) else _attributes(value, look, at)


def _listed(value: Any, look: Look, at: Place | None) -> Any:
    return look.tuple(type(value), *_items(value, look, at))


def _mapping(value: Any, look: Look, at: Place | None) -> Any:
    inside = _inside(at, "*")
    return look.tuple(type(value), *[part for key, item in value.items() for part in (look.value(key), look.value(item, inside))])


def _whole_set(value: Any, look: Look, _at: Place | None) -> Any:
    return look.tuple(type(value), _set(value, look))


def _generator(value: Any, look: Look, at: Place | None) -> Any:
    return look.tuple(GeneratorType, look.frames(value, at))


def _iterator(value: Any, look: Look, at: Place | None) -> Any:
    parts = value.__reduce__()
    if not isinstance(parts, tuple):
        raise Opaque
    if len(parts) == 2 and parts[0] in (iter, reversed):  # it is over; what it says that it goes through is made up
        return look.tuple(type(value), "ended")
    items = [(place, part) for place, part in enumerate(parts) if part is not None]
    shown = [part if part in (iter, reversed) else look.value(part, _inside(at, place)) for place, part in items]
    return look.tuple(type(value), look.tuple(*shown))


def _live_iterator(value: Any, look: Look, at: Place | None) -> Any:
    """It goes on in what it goes through as that is then, from where it stands: of a dictionary so many entries from its end."""
    through = next((held for held in gc.get_referents(value) if isinstance(held, dict | set | frozenset)), None)
    if through is None:
        return look.tuple(type(value), "ended")
    try:
        left = value.__reduce__()[1][0]
    except RuntimeError:  # it has another size than when this began
        raise Opaque from None
    rest = [look.pool.value(len(left))] if isinstance(through, dict) else [look.value(item) for item in left]
    return look.tuple(type(value), look.value(through, at), *rest)


def _cell(value: Any, look: Look, at: Place | None) -> Any:
    return look.tuple(CellType, look.value(value.cell_contents, _inside(at, "cell")) if filled(value) else None)


def _method(value: Any, look: Look, _at: Place | None) -> Any:
    return look.tuple(MethodType, look.value(value.__func__), look.value(value.__self__))


def _function(value: Any, look: Look, _at: Place | None) -> Any:
    inside = look.tuple(*[look.value(cell) for cell in value.__closure__ or ()])
    rest = value.__defaults__, value.__kwdefaults__, vars(value) or None
    return look.tuple(FunctionType, value.__code__, inside, *[look.value(part) for part in rest])


def _partial(value: Any, look: Look, _at: Place | None) -> Any:
    return look.tuple(partial, *[look.value(part) for part in (value.func, value.args, value.keywords, vars(value))])


def _exception(value: Any, look: Look, _at: Place | None) -> Any:
    cause = (value.__cause__, value.__context__, value.__suppress_context__)
    kept = [getattr(value, name, None) for name in _kept(type(value))]
    return look.tuple(type(value), *[look.value(part) for part in (value.args, vars(value), *cause, *kept)])


@by_class
def _kept(kind: Any) -> tuple[str, ...]:
    """What exceptions of a class keep in C, or in slots, beside their arguments."""
    return tuple([name for cls in kind.__mro__ for name, part in vars(cls).items() if isinstance(part, MemberDescriptorType)])


def _attributes(value: Any, look: Look, at: Place | None) -> Any:
    names, contents = fields(value)
    known, held = look.pool.at, []
    for name, content in zip(names, contents, strict=True):
        found = known.get(id(content))
        held.append(look.value(content, None if at is None else at.at(name)) if found is None else found[0])
    return look.tuple(type(value), look.pool.names.setdefault(names, names), *held)


Show = Callable[[Any, "Look", Place | None], Any]
_WAYS: tuple[tuple[type[Any], Show], ...] = (
    (HeldRow, _row), (tuple, _tuple), (frozenset, _frozenset), (ModuleType, _constant), (CodeType, _constant),
    (type, lambda value, look, at: value if title(value) else _opaque(value, look, at)),
    (Enum, _constant), (BuiltinFunctionType, _builtin), (MethodWrapperType, _builtin),
)  # fmt: skip
"""How values are shown that are not known by the very class; the first that fits counts."""

_THINGS: dict[type[Any], Show] = {
    list: _listed, dict: _mapping, set: _whole_set, GeneratorType: _generator, CellType: _cell, MethodType: _method, FunctionType: _function,
    partial: _partial, BaseException: _exception, **dict.fromkeys(ITERATORS, _iterator),
    **dict.fromkeys(LIVE_ITERATORS, _live_iterator),
}  # fmt: skip


def _items(value: Any, look: Look, at: Place | None) -> list[Any]:
    return [look.value(item, _inside(at, place)) for place, item in enumerate(value)]


def _set(items: Any, look: Look) -> Any:
    """The members of a set, in no order. Rows count as a whole, since who looks for one looks at all of it; of two that may change nobody could say
    afterwards which is which."""
    before, things = look.held.count if look.held is not None else 0, len(look.seen)
    with look.whole_rows():
        shown = [look.value(item) for item in items]
    if len(look.seen) > things and len(shown) > 1:
        raise Opaque
    if look.held is not None and look.held.count > before:
        look.held.mixed = True
    return look.pool.value(frozenset(Counter(shown).items()))


def _inside(at: Place | None, name: Any) -> Place | None:
    return None if at is None else at.at(name)


__all__ = ["way_to_show"]
