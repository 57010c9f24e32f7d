"""Structural names for what Heat numbers or draws: stacks, traversals, rows, templates.

A schedule names actions by what they are about, so a name must not depend on the order of other things. Rows are named after the
traversal that inserted them (``A@T1``), traversals after the operation that began them (``T2``) or the row whose failure did
(``T2~A@T1``), as in the model of Heat's algorithm. A name is given when the thing is first seen in the database, which is at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from heatproof.model.designs.heat.ending import origin
from heatproof.model.designs.heat.values import StackRow
from heatproof.model.effects import Me
from heatproof.ports.heat.hub import Activity

FENCE = "_update_current_traversal/"
"""The function of Heat that puts a traversal id on a stack that belongs to nobody."""


class Names:
    """The names of one run. ``look`` has the database read, for whoever asks for what has not been seen yet."""

    def __init__(self, look: Callable[[], None]):
        self._look = look
        self.stacks: dict[str, str] = {}
        self.stack_ids: dict[str, str] = {}
        self.traversals: dict[str, str] = {"": ""}
        self.rows: dict[int, str] = {}
        self.templates: dict[int, str] = {}
        self._taken: dict[str, int] = {}

    def stack(self, identifier: str) -> str:
        """The name of a stack."""
        return self._found(self.stacks, identifier)

    def traversal(self, identifier: str) -> str:
        """The name of a traversal."""
        return self._found(self.traversals, identifier)

    def row(self, identifier: int | str) -> str:
        """The name of a row of the table resource."""
        return self._found(self.rows, int(identifier))

    def template(self, identifier: int | None) -> str | None:
        """The name of a stored template."""
        return None if identifier is None else self._found(self.templates, identifier)

    def _found(self, names: dict[Any, str], identifier: Any) -> str:
        if identifier not in names:
            self._look()
        return names.get(identifier, f"unknown {identifier}")

    # -------------------------------------------------------------------------------------------------- giving names

    def see_stack(self, identifier: str, name: str) -> None:
        """A stack is in the database."""
        self.stacks.setdefault(identifier, name)
        self.stack_ids.setdefault(name, identifier)

    def see_template(self, identifier: int, by: Activity | None, stacks: dict[str, StackRow]) -> None:
        """A template is in the database; ``stacks`` as they were before."""
        if identifier not in self.templates:
            number = _operation(by)
            creates = number is not None and by is not None and by.task.startswith("create#") and f"t{number}" not in self._taken
            made = f"t{number}" if creates else f"t({self._fresh(by, _only(stacks))})"
            self.templates[identifier] = self._unused(made)

    def see_traversal(self, identifier: str, by: Activity | None, before: StackRow | None) -> None:
        """A stack belongs to a traversal; ``before`` is the stack as it was."""
        if identifier in self.traversals:
            return
        if before is None:
            made = f"T{_operation(by)}.0"
        elif by is not None and by.doing is not None and by.doing.step.startswith(FENCE):
            made = f"{before.traversal}x{origin(Me(by.engine, by.task))}"
        else:
            made = self._fresh(by, before)
        name = self.traversals[identifier] = self._unused(made)
        if by is not None:
            by.live.ticks[name] = by.live.tick(by)

    def see_row(self, identifier: int, name: str, by: Activity | None) -> None:
        """A row of the table resource is in the database."""
        if identifier not in self.rows:
            self.rows[identifier] = self._unused(f"{name}@{by.topic if by is not None else '?'}")

    def _fresh(self, by: Activity | None, before: StackRow | None) -> str:
        """What the traversal that this activity begins is called."""
        number = _operation(by)
        if number is not None and f"T{number}" not in self._taken:
            return f"T{number}"
        old = before.traversal if before is not None else "?"
        if by is not None and by.superseded is not None:
            old = by.superseded
        return f"{old}~{origin(Me(by.engine, by.task))}" if by is not None else f"{old}~?"

    def _unused(self, name: str) -> str:
        count = self._taken[name] = self._taken.get(name, 0) + 1
        return name if count == 1 else f"{name}#{count}"


def _operation(by: Activity | None) -> str | None:
    """The number of the operation that an activity handles itself."""
    if by is None or "(" in by.task:
        return None
    return by.task.partition("#")[2].partition("#")[0] or None


def _only(stacks: dict[str, StackRow]) -> StackRow | None:
    return next(iter(stacks.values()), None)
