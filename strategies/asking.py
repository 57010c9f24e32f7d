"""How properties come to be asked of a world, and what is said of one that is mistaken."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from heatproof.model.contents import LIBRARY
from heatproof.model.errors import HeatproofError, NeverYields, spelt
from heatproof.model.purity import Purity
from heatproof.model.watchdog import Stuck
from heatproof.model.watching import ASPECTS, NOTHING, Watch, WorldObservation
from heatproof.model.world import World
from heatproof.properties.base import Property
from heatproof.properties.catalogue import ALL
from heatproof.properties.monitor import Mistake, Monitor

MACHINERY = ("heatproof.model.", "heatproof.strategies.", "heatproof.properties.monitor")


def monitor(properties: Iterable[Property], world: World, observation: WorldObservation) -> Monitor:
    """What asks ``properties`` of a world. Raises :class:`HeatproofError` for an observation that stays as it is, and for a property that watches
    what there is not: neither would ever find anything."""
    watch, properties = Watch(world, observation), list(properties)
    _refuse_copies(world, observation, watch)
    for prop in properties:
        known = ALL.get(prop.name)
        if prop.expectation in ("always", "sometimes") and not prop.seen and prop is not known and prop != known:
            _refuse_unknown(prop, world, watch)
    made = Monitor(properties, observation, watch.changes, world.design.survives, watch.aspects)
    observation.noting = made.takes_notes
    return made


class Keeping(Purity):
    """Watches over properties: what one keeps of its own is no part of a state, so that what it says depends on which states were asked about
    before, and how often."""

    what = ("property", "properties")
    advice = "a property must keep nothing of its own; let it remember what it needs of a run (observation.remember)"

    def __init__(self, properties: Iterable[Property]):
        checks = {prop.name: prop.check for prop in properties if prop.check is not None}
        asked: Any = type("Asked", (), {"handlers": lambda _: checks})()
        super().__init__(asked)


def _refuse_copies(world: World, observation: WorldObservation, watch: Watch) -> None:
    for aspect, name in ASPECTS.items():
        value = getattr(observation, "__dict__", {}).get(name)
        if type(value) in (dict, list, tuple) and value is not NOTHING and aspect not in watch.aspects:
            raise HeatproofError(
                f"{_place(type(world.design).observe)}design {world.design.name!r} observes {name} as a {type(value).__name__} that it makes itself;"
                f" a world is observed once, at its beginning, so this stays as it is then: point observation.{name} to the rows of a table, such as"
                " world.database.rows[TABLE], and let properties take from them what they need; leave it out if there is none"
            )


def _refuse_unknown(prop: Property, world: World, watch: Watch) -> None:
    unknown = sorted(prop.watches - watch.aspects.keys())
    if prop.watches and not unknown:
        return
    what, hint = "nothing, so that it would never be asked", ""
    if unknown:
        what = f"{unknown[0]!r}, and there is nothing of that name to watch"
        if unknown[0] in ASPECTS:
            hint = f"; {unknown[0]!r} is the table that observation.{ASPECTS[unknown[0]]} points to"
    raise HeatproofError(
        f"{_place(prop.check)}property {prop.name!r} watches {what}; design {world.design.name!r} has {', '.join(map(repr, watch.aspects))}{hint}"
    )


def in_property(error: BaseException, prop: Property | None) -> HeatproofError:
    """What is said of an exception that the property that was asked has raised, or raised about it."""
    if isinstance(error, HeatproofError):
        return error
    assert prop is not None
    if isinstance(error, Mistake):
        return HeatproofError(f"{_place(prop.check)}property {prop.name!r} {error}")
    where = _line(error)
    if isinstance(error, Stuck):
        return NeverYields(
            f"{where or _place(prop.check)}property {prop.name!r} computes and does not end; it must come to an answer"
        )
    if where:
        advice = "it asks for something that the observation of this design does not have, or is mistaken itself"
    else:
        where, given = _place(prop.check), "observation" if prop.expectation in ("at rest", "cost") else "observation, change"
        advice = f"its check is called with ({given})"
    return HeatproofError(f"{where}property {prop.name!r} raised {spelt(error)}; {advice}")


def _line(error: BaseException) -> str:
    """The last line of properties that an exception has come through, as the beginning of a message; empty: none."""
    found, at = "", error.__traceback__
    while at is not None:
        module = at.tb_frame.f_globals.get("__name__", "")
        has_text = not at.tb_frame.f_code.co_filename.startswith("<")  # what namedtuple makes has none, nor has exit
        if has_text and not module.startswith(MACHINERY) and module.partition(".")[0] not in LIBRARY:
            found = f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}: "
        at = at.tb_next
    return found


def _place(check: Any) -> str:
    """Where a function stands, as the beginning of a message."""
    code = getattr(getattr(check, "__func__", check), "__code__", None)
    return "" if code is None else f"{code.co_filename}:{code.co_firstlineno}: "


__all__ = ["Keeping", "in_property", "monitor"]
