"""What can be seen of a target from outside. Properties see nothing else.

An observation holds the present rows, reality and what was asked. The field names are the words of the charter; a design maps its
own tables to them, and the real engine does the same, so that both can be asked the same questions.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from heatproof.model.effects import Me, Table
from heatproof.model.reality import Busy, Physical, Spec
from heatproof.model.scenario import Operation
from heatproof.model.templates import Attr, Ref, ResourceDef, Template


class StackView(Protocol):
    """A stack: its action and status, the traversal that owns it, the ids of its goal and its previous template."""

    @property
    def id(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def traversal(self) -> str: ...
    @property
    def template(self) -> str: ...
    @property
    def prev_template(self) -> str | None: ...
    @property
    def deleted(self) -> bool: ...


class ResourceView(Protocol):
    """The record of a resource: which version of which name, its state, its lock, and the physical resource it stands for."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def stack(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def template(self) -> str | None: ...
    @property
    def requires(self) -> frozenset[str]: ...
    @property
    def replaces(self) -> str | None: ...
    @property
    def replaced_by(self) -> str | None: ...
    @property
    def engine(self) -> str | None: ...
    @property
    def physical(self) -> str | None: ...


class Request(NamedTuple):
    """An operation the user has asked: its number (from 1), what it was, how it ended so far (``running``, ``accepted``,
    ``refused``, ``lost`` with its engine, ``escaped`` with an exception), the reason if it was refused, and the numbers of the
    operations that were still running when it was issued. Creates are not among them: what a stack does before it exists is in
    nobody's way, and whether it had ended would only tell states apart."""

    number: int
    operation: Operation
    outcome: str
    reason: str = ""
    beside: tuple[int, ...] = ()


class Event(NamedTuple):
    """One effect that was done, as history tells it.

    ``step`` is its id in the algorithm, ``kind`` the effect (``read``, ``update``, ``send``, ``finish``, ...), ``table`` and
    ``key`` what was touched, ``outcome`` how it ended in one word (``found``, ``missing``, ``matched``, ``lost``, ``alive``,
    ``dead``, the outcome of a physical operation, or the name of the exception that it raised), ``task`` who did it.
    """

    step: str
    kind: str
    table: str
    key: Any
    outcome: str
    task: str


class Observation(Protocol):
    """What can be seen of a target.

    The aspects that properties can watch are ``stack``, ``resource``, ``sync point``, ``template``, ``reality``, ``request``, and the name of any
    table.
    """

    @property
    def stacks(self) -> Mapping[str, StackView]:
        """The stacks by id, deleted ones included."""

    @property
    def resources(self) -> Mapping[str, ResourceView]:
        """The rows of resources by id, tombstones included."""

    @property
    def sync_points(self) -> Mapping[Hashable, Any]:
        """The sync points by key; each has the attributes ``stack`` and ``traversal``."""

    @property
    def templates(self) -> Mapping[str, Any]:
        """The stored templates by id; each has the attribute ``content``, a :class:`Template`."""

    @property
    def reality(self) -> Mapping[str, Physical]:
        """The physical resources by id."""

    @property
    def history(self) -> Sequence[Event]:
        """Every effect that was done so far, in order."""

    @property
    def requests(self) -> Sequence[Request]:
        """What the user has asked so far."""

    @property
    def engines(self) -> Mapping[str, int]:
        """The engines that live, with their number of idle threads."""

    @property
    def tasks(self) -> Mapping[str, Any]:
        """The running tasks by name; each has the attributes ``engine``, ``handler`` and ``args``."""

    @property
    def faults(self) -> Mapping[str, int]:
        """How often each kind of fault has struck."""

    @property
    def memory(self) -> Mapping[Any, Any]:
        """What properties remember of the run, by keys of their own; part of the state, so that an undo takes it back."""

    def remember(self, key: Any, value: Any) -> None:
        """Remember ``value`` under ``key``."""


class Change(NamedTuple):
    """Something that an action changed: the aspect (``stack``, ``resource``, ``sync point``, ``template``, ``reality``,
    ``request``, or the name of a table that is none of these), the key, the value before and after (None: was or is not there)."""

    aspect: str
    key: Any
    old: Any
    new: Any


__all__ = [
    "Attr", "Busy", "Change", "Event", "Me", "Observation", "Operation", "Physical", "Ref", "Request", "ResourceDef", "ResourceView",
    "Spec", "StackView", "Table", "Template",
]  # fmt: skip
