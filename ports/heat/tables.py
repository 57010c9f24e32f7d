"""Heat's tables read as rows of the model: after each transaction that wrote, past Heat, with names instead of ids."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from heatproof.model.designs.heat.values import (
    FAILS,
    NOTHING,
    RESOURCE,
    STACK,
    SYNC_POINT,
    TEMPLATE,
    C,
    Data,
    GNode,
    Graph,
    NodeData,
    ResourceRow,
    StackRow,
    SyncPointRow,
    TemplateRow,
    U,
)  # fmt: skip
from heatproof.model.effects import Table
from heatproof.model.templates import Plain, Template
from heatproof.ports.heat import hot
from heatproof.ports.heat.databases.base import Database
from heatproof.ports.heat.hub import Activity
from heatproof.ports.heat.live import START, Live

QUERIES = {
    TEMPLATE: "SELECT id, template FROM raw_template ORDER BY id",
    STACK: "SELECT id, name, current_traversal, action, status, raw_template_id, prev_raw_template_id, current_deps, disable_rollback,"
    " timeout, updated_at, status_reason, deleted_at, user_creds_id FROM stack ORDER BY id",
    RESOURCE: "SELECT r.id, r.name, r.stack_id, r.action, r.status, r.current_template_id, r.requires, r.replaces, r.replaced_by,"
    " r.engine_id, r.atomic_key, r.nova_instance, p.data, a.data, r.rsrc_metadata, COALESCE(r.updated_at, r.created_at) FROM resource r"
    " LEFT JOIN resource_properties_data p ON p.id = r.rsrc_prop_data_id"
    " LEFT JOIN resource_properties_data a ON a.id = r.attr_data_id ORDER BY r.id",
    SYNC_POINT: "SELECT entity_id, traversal_id, is_update, stack_id, atomic_key, input_data, extra_data FROM sync_point"
    " ORDER BY entity_id, traversal_id, is_update",
}


class Reader:
    """Reads the tables of one run. ``known`` are the rows as they were last read, by table and key."""

    def __init__(self, live: Live, database: Database, known: dict[Table, dict[Any, Any]]):
        self.live = live
        self.names = live.names
        self.database = database
        self.known = known
        self._seen: dict[Table, list[tuple[Any, ...]]] = {}
        self._rows: dict[tuple[Table, tuple[Any, ...]], tuple[Any, Any]] = {}
        self._contents: dict[str, Template] = {}

    def changes(self, by: Activity | None) -> Iterator[tuple[Table, Any, Any]]:
        """What ``by`` has just changed: table, key, and the row as it is now (None: gone)."""
        for table, query in QUERIES.items():
            raw = list(self.database.rows(query))
            if raw == self._seen.get(table):
                continue
            self._seen[table] = raw
            self._name(table, raw, by)
            now = dict(self._read(table, row) for row in raw)
            before = self.known[table]
            for key in [key for key in before if key not in now]:
                yield table, key, None
            for key, row in now.items():
                if before.get(key) != row:
                    yield table, key, row

    def _name(self, table: Table, raw: Iterable[tuple[Any, ...]], by: Activity | None) -> None:
        names, stacks = self.names, self.known[STACK]
        for row in raw:
            if table is TEMPLATE:
                names.see_template(row[0], by, stacks)
            elif table is STACK:
                names.see_stack(row[0], row[1])
                names.see_traversal(row[2], by, stacks.get(row[1]))
            elif table is RESOURCE:
                names.see_row(row[0], row[1], by)

    def _read(self, table: Table, raw: tuple[Any, ...]) -> tuple[Any, Any]:
        found = self._rows.get((table, raw))
        if found is None:
            row = {TEMPLATE: self._template, STACK: self._stack, RESOURCE: self._resource, SYNC_POINT: self._sync_point}[table](raw)
            found = self._rows[table, raw] = (table.key_of(row), row)
        return found

    def _template(self, raw: tuple[Any, ...]) -> TemplateRow:
        text = raw[1]
        content = self._contents.get(text)
        if content is None:
            content = self._contents[text] = hot.read(json.loads(text))
        return TemplateRow(self.names.templates[raw[0]], content)

    def _stack(self, raw: tuple[Any, ...]) -> StackRow:
        names = self.names
        return StackRow(
            raw[1], names.traversal(raw[2]), raw[3], raw[4], names.template(raw[5]), names.template(raw[6]), self._graph(raw[7]),
            not raw[8], raw[9] is not None, _time(raw[10]), raw[11] or "", raw[12] is not None, None if raw[13] is None else raw[1],
        )  # fmt: skip

    def _graph(self, text: str | None) -> Graph | None:
        edges = (json.loads(text) or {}).get("edges") if text else None
        if edges is None:
            return None
        nodes = {self._node(end) for edge in edges for end in edge if end is not None}
        return Graph(nodes, {(self._node(a), self._node(b)) for a, b in edges if b is not None})

    def _node(self, pair: Any) -> GNode:
        return (self.names.row(pair[0]), U if pair[1] else C)

    def _resource(self, raw: tuple[Any, ...]) -> ResourceRow:
        names = self.names
        template = names.template(raw[5])
        return ResourceRow(
            names.rows[raw[0]], raw[1], names.stack(raw[2]), raw[3], raw[4], template,
            frozenset(names.row(one) for one in json.loads(raw[6] or "[]") or ()),
            None if raw[7] is None else names.row(raw[7]), None if raw[8] is None else names.row(raw[8]),
            raw[9], raw[10], raw[11], _properties(raw[12]), _attributes(raw[13]),
            int((json.loads(raw[14] or "{}") or {}).get("signals", 0)), _time(raw[15]),
        )  # fmt: skip

    def _sync_point(self, raw: tuple[Any, ...]) -> SyncPointRow:
        names = self.names
        entity = names.row(raw[0]) if raw[0].isdecimal() else names.stack(raw[0])
        extra = (json.loads(raw[6]) or {}).get("extra_data", {}) if raw[6] else {}
        data = self.input_data(json.loads(raw[5]) if raw[5] else None)
        failures = frozenset((name, str(why)) for name, why in extra.get("resource_failures", {}).items())
        return SyncPointRow(
            entity, names.traversal(raw[1]), U if raw[2] else C, names.stack(raw[3]), raw[4], data, failures,
            bool(extra.get("skip_propagate", False)),
        )  # fmt: skip

    def input_data(self, stored: Any) -> Data:
        """What the predecessors have sent, from a sync point or a message as Heat writes it."""
        sent = (stored or {}).get("input_data", {})
        return frozenset((self._sender(sender), self._data(value)) for sender, value in sent.items())

    def _sender(self, text: str) -> GNode:
        return self._node(ast.literal_eval(text.partition(":")[2]))

    def _data(self, value: Any) -> Any:
        if isinstance(value, dict):
            read = {
                ast.literal_eval(path.partition(":")[2])[-1]: attribute for path, attribute in (value.get("attrs") or {}).items()
            }
            return NodeData(self.names.row(value["id"]), value["name"], value["reference_id"], tuple(sorted(read.items())))
        return None if value is None else self.names.row(value)


def _properties(text: str | None) -> tuple[tuple[str, Plain], ...] | None:
    if text is None:
        return None
    stored = json.loads(text) or {}
    fails = ((FAILS, ",".join(sorted(stored[hot.FAILS]))),) if stored.get(hot.FAILS) else ()
    return tuple((stored.get(hot.IN_PLACE) or {}).items()) + tuple((stored.get(hot.REPLACE) or {}).items()) + fails


def _attributes(text: str | None) -> tuple[tuple[str, Plain], ...] | None:
    if text is None:
        return None
    stored = json.loads(text) or {}
    return tuple(sorted(stored[hot.ATTRIBUTE].items())) if hot.ATTRIBUTE in stored else NOTHING


def _time(at: str | datetime | None) -> int:
    """Milliseconds since the beginning of the run; 0 for never."""
    if at is None:
        return 0
    return int(((datetime.fromisoformat(at) if isinstance(at, str) else at) - START).total_seconds() * 1000)
