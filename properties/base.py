"""What a property is: a named statement with an expectation, and a witness when it does not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple

from heatproof.model.observation import Change, Event, Observation

Expectation = Literal["always", "at rest", "eventually", "sometimes", "cost"]

MESSAGES = frozenset({"lose", "duplicate", "stall", "overtake"})
ENGINES = frozenset({"crash", "restart", "pause", "false-dead"})
DATABASE = frozenset({"abort", "disconnect"})
ANOMALIES = frozenset({"PMP", "G-single", "G2-item", "P4"})
PHYSICAL = frozenset({"fail", "fail-always", "conflict", "slow", "not-found"})
DRIFT = frozenset({"vanish", "change", "sicken"})
TIME = frozenset({"timeout"})
EVERY = MESSAGES | ENGINES | DATABASE | ANOMALIES | PHYSICAL | DRIFT | TIME


class Witness(NamedTuple):
    """Why a property does not hold: ``kind`` tells different failures of one property apart, ``values`` are named facts."""

    kind: str
    values: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        return self.kind + "".join(f"; {name}: {_shown(value)}" for name, value in self.values)


def _shown(value: Any) -> str:
    if isinstance(value, tuple | list | frozenset | set):
        items = in_order(value) if isinstance(value, frozenset | set) else value
        return ", ".join(map(_shown, items)) or "none"
    return "none" if value is None else str(value)


def in_order(values: Iterable[Any]) -> list[Any]:
    """The values sorted; where they cannot be compared, by their classes and texts."""
    values = list(values)
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=lambda value: (type(value).__name__, repr(value)))


def witness(kind: str, **values: Any) -> Witness:
    """A witness from keyword arguments; underscores in names become spaces, those around them vanish (``is_``)."""
    return Witness(kind, tuple((name.strip("_").replace("_", " "), value) for name, value in values.items()))


class Bound(NamedTuple):
    """The most accesses to the database that an operation (of a kind, if not empty), or a run, may cost."""

    accesses: int
    per: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Property:
    """A named statement about a target.

    - ``expectation``: *always* is asked after every action that changed one of the aspects in ``watches`` (model/watching.py); *at rest* and *cost*
      are asked when nothing can happen any more; *sometimes* says that a run ought to reach the situation; *eventually* is
      judged by whoever drives the run.
    - ``sentence``: what holds, in one sentence.
    - ``tolerates``: the kinds of faults in spite of which it must hold for any design. After another fault it is asked only
      of a design that claims to survive it.
    - ``check``: for *always* called with the observation and the change, else with the observation; each witness found, or for
      *sometimes* whether the situation is reached. ``seen`` is the other way to say a *sometimes*: pairs of (step, outcome).
    - ``kinds``: the kinds of its witnesses, with ``*`` for any text, so that a case which expects another one is known to be wrong.
      Empty: nobody says.
    - ``bound``: for *cost* the other way to say it, instead of a check; see :mod:`heatproof.properties.costs`.
    - ``needs``: the names of the properties whose notes (``observation.remember``) it goes by: they are asked wherever it is. None: nobody says.

    Raises ValueError for a name or a sentence that is no text on one line: tables, cases and the names of files are made of them.
    """

    name: str
    expectation: Expectation
    sentence: str
    tolerates: frozenset[str] = EVERY
    watches: frozenset[str] = frozenset()
    check: Callable[..., Any] | None = None
    seen: frozenset[tuple[str, str]] = frozenset()
    kinds: tuple[str, ...] = ()
    bound: Bound | None = None
    needs: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        name: Any = self.name
        sentence: Any = self.sentence
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            raise ValueError(f"the name of a property is a text on one line, not {name!r:.80}")
        if not isinstance(sentence, str) or not sentence.isprintable():
            raise ValueError(f"the sentence of a property is a text on one line, not {sentence!r:.80}")

    def has_kind(self, kind: str) -> bool:
        """Whether a witness of that kind can be one of this property."""
        return not self.kinds or any(fnmatchcase(kind, pattern) for pattern in self.kinds)

    def asked(self, faults: Iterable[str], survives: frozenset[str]) -> bool:
        """Whether the property must hold after these faults for a design that survives those."""
        return all(fault in self.tolerates or fault in survives for fault in faults)

    def is_seen(self, event: Event) -> bool:
        """Whether this event alone reaches the situation."""
        return (event.step, event.outcome) in self.seen


Always = Callable[[Observation, Change], Witness | None]
AtRest = Callable[[Observation], Iterable[Witness]]


def always(
    name: str,
    sentence: str,
    watches: Iterable[str],
    tolerates: frozenset[str] = EVERY,
    kinds: Iterable[str] = (),
    needs: Iterable[str] | None = None,
) -> Callable[[Always], Property]:
    """Declare an *always* property whose check is the decorated function."""
    return lambda check: Property(
        name, "always", sentence, tolerates, _aspects(watches), check, kinds=tuple(kinds), needs=_names(needs)
    )


def _names(needs: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if needs is None else (needs,) if isinstance(needs, str) else tuple(needs)


def _aspects(watches: Iterable[str]) -> frozenset[str]:
    return frozenset([watches] if isinstance(watches, str) else watches)


def at_rest(
    name: str,
    sentence: str,
    tolerates: frozenset[str] = EVERY,
    kinds: Iterable[str] = (),
    needs: Iterable[str] | None = None,
) -> Callable[[AtRest], Property]:
    """Declare an *at rest* property whose check is the decorated function."""
    return lambda check: Property(name, "at rest", sentence, tolerates, frozenset(), check, kinds=tuple(kinds), needs=_names(needs))


def sometimes(
    name: str, sentence: str, watches: Iterable[str], needs: Iterable[str] | None = None
) -> Callable[[Callable[[Observation, Change], bool]], Property]:
    """Declare a *sometimes* property that is reached by a change."""
    return lambda check: Property(name, "sometimes", sentence, EVERY, _aspects(watches), check, needs=_names(needs))


def seen(name: str, sentence: str, *events: tuple[str, str]) -> Property:
    """A *sometimes* property that is reached by one of these (step, outcome) pairs."""
    return Property(name, "sometimes", sentence, EVERY, seen=frozenset(events))
