"""Heat's tables as rows, and the values that its rows and messages carry: the graph, the data of a node, the input map.

Column names follow ``heat-algorithm.md`` section 1; the shorter ones are: ``traversal`` = current_traversal, ``template`` =
raw_template_id or current_template_id, ``deps`` = current_deps, ``engine`` = engine_id, ``key`` = atomic_key, ``physical`` =
physical_resource_id, ``properties`` = the property data last applied.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any, NamedTuple

from heatproof.model.effects import Escape, Table
from heatproof.model.templates import EMPTY, Plain, Template

U, C = "U", "C"
"""The kinds of node: update and cleanup (``is_update``)."""

GNode = tuple[str, str]
"""A node of the graph: (row id, kind)."""

CREATE, UPDATE, DELETE, ROLLBACK, CHECK, INIT = "CREATE", "UPDATE", "DELETE", "ROLLBACK", "CHECK", "INIT"
FAILS = "(fails)"
"""The name under which a row keeps what its definition says is to fail."""

IN_PROGRESS, COMPLETE, FAILED = "IN_PROGRESS", "COMPLETE", "FAILED"


def _place(node: GNode) -> tuple[str, str]:
    """Where a node comes among others: cleanup nodes first."""
    return node[1], node[0]


class Graph:
    """``current_deps``: nodes and edges "a requires b", with everything a worker asks of it computed once."""

    def __init__(self, nodes: Iterable[GNode] = (), edges: Iterable[tuple[GNode, GNode]] = ()):
        self.edges = frozenset(edges)
        self.nodes = frozenset(nodes) | {n for edge in self.edges for n in edge}
        self._hash = hash((self.nodes, self.edges))

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Graph) and self.edges == other.edges and self.nodes == other.nodes)

    def __hash__(self) -> int:
        return self._hash

    def __contains__(self, node: object) -> bool:
        return node in self.nodes

    def __repr__(self) -> str:
        return f"Graph({len(self.nodes)} nodes, {len(self.edges)} edges)"

    def canonical(self) -> object:
        """The content in a fixed order."""
        return (sorted(self.nodes), sorted(self.edges))

    @cached_property
    def _requires(self) -> dict[GNode, frozenset[GNode]]:
        found: dict[GNode, set[GNode]] = {n: set() for n in self.nodes}
        for a, b in self.edges:
            found[a].add(b)
        return {n: frozenset(s) for n, s in found.items()}

    @cached_property
    def _required_by(self) -> dict[GNode, tuple[GNode, ...]]:
        found: dict[GNode, list[GNode]] = {n: [] for n in self.nodes}
        for a, b in self.edges:
            found[b].append(a)
        return {n: tuple(sorted(s, key=_place)) for n, s in found.items()}

    def predecessors(self, node: GNode) -> frozenset[GNode]:
        """The nodes that ``node`` requires; empty if it is not in the graph."""
        return self._requires.get(node, frozenset())

    def dependents(self, node: GNode) -> tuple[GNode, ...]:
        """The nodes that require ``node``, cleanup nodes first."""
        return self._required_by.get(node, ())

    @cached_property
    def leaves(self) -> tuple[GNode, ...]:
        """The nodes that require nothing, cleanup nodes first."""
        return tuple(sorted((n for n, r in self._requires.items() if not r), key=_place))

    @cached_property
    def roots(self) -> frozenset[GNode]:
        """The nodes that nobody requires."""
        return frozenset(n for n, r in self._required_by.items() if not r)

    def order(self) -> list[GNode]:
        """All nodes, requirements first; where there is a cycle, those that do not require it (G-10)."""
        waiting = {n: len(r) for n, r in self._requires.items()}
        ready = [_place(n) for n, count in waiting.items() if not count]
        heapify(ready)
        order = []
        while ready:
            kind, row = heappop(ready)
            order.append((row, kind))
            for other in self._required_by[row, kind]:
                waiting[other] -= 1
                if not waiting[other]:
                    heappush(ready, _place(other))
        return order

    @property
    def has_cycle(self) -> bool:
        """Whether there is a cycle."""
        return len(self.order()) < len(self.nodes)


class GraphMissing(Escape):
    """No graph has been published yet: Heat raises KeyError where it decodes ``current_deps``."""


class NodeData(NamedTuple):
    """What a finished update node tells its dependents: row id, name, reference id, the attributes they read."""

    id: str
    name: str
    reference: str | None
    attributes: tuple[tuple[str, Plain], ...] = ()

    def __str__(self) -> str:
        return self.reference or self.id


Data = frozenset[tuple[GNode, Any]]
"""The input map of a sync point: (sender, data) pairs, one for each sender."""


def merge(data: Data, sender: GNode, value: Any) -> Data:
    """The map with the entry of ``sender`` written."""
    return frozenset({pair for pair in data if pair[0] != sender} | {(sender, value)})


class StackRow(NamedTuple):
    """Section 1.1. ``updated_at`` counts the operations begun on the stack: it only grows, as a clock does. ``deps``: None until a
    set-up has published a graph."""

    id: str
    traversal: str
    action: str
    status: str
    template: str | None
    prev_template: str | None = None
    deps: Graph | None = None
    rollback: bool = False
    timeout: bool = False
    updated_at: int = 0
    reason: str = ""
    deleted: bool = False
    credentials: str | None = None

    @property
    def graph(self) -> Graph:
        """The published graph. Raises :class:`GraphMissing` (stack.py:convergence_dependencies)."""
        if self.deps is None:
            raise GraphMissing("'edges'")
        return self.deps


class StackCopy:
    """The stack as one task has it in memory (1.5). A change stays, also where the write that was to publish it is lost.

    ``content`` is the template, ``made`` whether its resources have been made, ``known`` the rows by name that were read for that.
    """

    if TYPE_CHECKING:
        id: str
        traversal: str
        action: str
        status: str
        template: str | None
        prev_template: str | None
        deps: Graph | None
        graph: Graph
        rollback: bool
        timeout: bool
        updated_at: int
        reason: str
        credentials: str | None

    def __init__(self, row: StackRow, content: Template = EMPTY, known: tuple[ResourceRow, ...] = ()):
        self.row = row
        self.content = content
        self.known = {one.name: one for one in known}
        self.made = False

    def __getattr__(self, column: str) -> Any:
        return getattr(self.row, column)

    def set(self, **values: Any) -> None:
        """Change columns in memory."""
        self.row = self.row._replace(**values)


Attributes = tuple[tuple[str, Plain], ...]
"""Cached attributes: those of a resource are its properties."""


class ResourceRow(NamedTuple):
    """Section 1.2."""

    id: str
    name: str
    stack: str
    action: str
    status: str
    template: str | None
    requires: frozenset[str] = frozenset()
    replaces: str | None = None
    replaced_by: str | None = None
    engine: str | None = None
    key: int | None = None
    physical: str | None = None
    properties: tuple[tuple[str, Plain], ...] | None = None
    attributes: Attributes | None = None
    metadata: int = 0
    updated_at: int = 0


class SyncPointRow(NamedTuple):
    """Section 1.3. ``failures`` and ``skip`` are its extra_data, used by CHECK only."""

    entity: str
    traversal: str
    kind: str
    stack: str
    key: int = 0
    data: Data = frozenset()
    failures: frozenset[tuple[str, str]] = frozenset()
    skip: bool = False


class TemplateRow(NamedTuple):
    """Section 1.4."""

    id: str
    content: Template


class CredentialsRow(NamedTuple):
    """A row of user_creds: only that it is there matters, since a stack refers to it."""

    id: str


CREDENTIALS = Table("user_creds", CredentialsRow)
TEMPLATE = Table("raw_template", TemplateRow)
STACK = Table("stack", StackRow, references={"template": TEMPLATE, "prev_template": TEMPLATE, "credentials": CREDENTIALS})
RESOURCE = Table("resource", ResourceRow, index=("stack", "name"), references={"template": TEMPLATE, "stack": STACK})
SYNC_POINT = Table("sync_point", SyncPointRow, key=("entity", "traversal", "kind"), index=("traversal",))

KEPT = ("engine", "key", "attributes", "metadata")
"""What a full-row write does not write: the lock, the version, the cached attributes and the metadata (resource.py:Resource.store)."""

STORED = tuple(c for c in ResourceRow._fields if c not in KEPT)

NOTHING: Attributes = (("(nothing)", None),)
"""What a row has for cached attributes where a worker has stored that it knows none: it had forgotten them, and nobody asked anew."""


def known(attributes: Attributes | None) -> dict[str, Plain] | None:
    """The cached attributes of a row by name; None where a worker has to look."""
    return None if attributes is None or attributes == NOTHING else dict(attributes)


def full(row: ResourceRow) -> dict[str, Any]:
    """A full-row write from memory: what ``Resource.store`` writes BLIND."""
    return {column: getattr(row, column) for column in STORED}


def guarded(row: ResourceRow) -> dict[str, Any]:
    """The same with lock and version: what ``Resource._store_with_lock`` writes."""
    return {**full(row), "engine": row.engine, "key": row.key}


def unlocked(row: ResourceRow) -> dict[str, Any]:
    """A full-row write of a row that is not locked: with the lock where it is taken (LK-1), and without where it is left alone (LK-6)."""
    return guarded(row) if row.engine is not None else {**full(row), "key": row.key}


def next_key(key: int | None) -> int:
    """The version after ``key`` (null, 1, 2, ...)."""
    return 1 if key is None else key + 1
