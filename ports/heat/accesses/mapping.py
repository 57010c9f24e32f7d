"""Which statement of the engine is which access of the model, and what is outside the model. Tables, and their reasons.

The mapping goes by the statement alone: its table, what it does, and the columns of its condition. It knows no operation of Heat's.
"""

from __future__ import annotations

import re

from heatproof.model.designs.heat.values import RESOURCE, STACK, SYNC_POINT, TEMPLATE
from heatproof.ports.heat.statements import Statement

TABLES = tuple(table.name for table in (TEMPLATE, STACK, RESOURCE, SYNC_POINT))
"""The tables that the model has: what is done to them is compared."""

KEYS: dict[str, tuple[frozenset[str], ...]] = {
    TEMPLATE.name: (frozenset({"id"}),),
    STACK.name: (frozenset({"id"}), frozenset({"name"})),  # the model knows a stack by its name alone
    RESOURCE.name: (frozenset({"id"}),),
    SYNC_POINT.name: (frozenset({"entity_id", "traversal_id", "is_update"}),),
}
"""The columns that name one row of a table of the model: a query for these is a *read*, an update of these alone an *update*; with a further
condition it is a *compare-and-set*."""

OUTSIDE = {
    "events": "for people; nothing of the algorithm reads them",
    "tags": "of the user, copied from one load of a stack to its next store",
    "credentials": "read where a stack is loaded for keystone, made with the stack, deleted with it",
    "property data": "what properties a resource was last given, and its cached attributes: in the model, columns of the resource",
    "plug-in data": "what a plug-in keeps for itself; that of the port keeps nothing",
    "snapshots": "of a stack, which a delete looks for; there are none",
    "nested stacks": "of a stack, which a request looks for; there are none",
}
"""What is outside the model, by the name under which it is counted apart, and why it is."""

FUNCTIONS = {
    "event_create": "events",
    "stack_tags_get": "tags",
    "stack_tags_delete": "tags",
    "user_creds_create": "credentials",
    "user_creds_get": "credentials",
    "user_creds_delete": "credentials",
    "resource_prop_data_create_or_update": "property data",
    "resource_data_get_all": "plug-in data",
    "snapshot_get_all_by_stack": "snapshots",
    "stack_get_all_by_root_owner_id": "nested stacks",
}
"""The functions of ``heat.db.api`` whose transactions as a whole are outside the model: what they do to tables that it has, too."""

TABLES_OUTSIDE = {
    "event": "events",
    "stack_tag": "tags",
    "user_creds": "credentials",
    "resource_properties_data": "property data",
    "resource_data": "plug-in data",
    "snapshot": "snapshots",
}
"""The tables that the model has not. What is done to any other is counted apart under the table's own name."""

STEPS_OUTSIDE = {"PR-5a": "property data"}
"""The same for steps of the model that do to a column what the engine does to a table that the model has not."""

_WHERE = re.compile(r"\bWHERE\b(.*)", re.DOTALL)
_TERM = re.compile(r"(?:\?|%s) = \w+\.(\w+)|\b\w+\.(\w+) = (?:\?|\d+)")
_GROUP = re.compile(r"\([^()]*\)")
_ITEM = re.compile(r'(\w+)\."?(\w+)"?')


def apart(statement: Statement, function: str = "") -> str:
    """The name under which a statement is counted apart; empty: it is compared. ``function``: that of ``heat.db.api`` it stands in."""
    if group := FUNCTIONS.get(statement.apart or function):
        return group
    if statement.apart:
        return statement.apart
    return "" if statement.table in TABLES else TABLES_OUTSIDE.get(statement.table, statement.table)


def kind(statement: Statement) -> str:
    """What the model's meter calls it: read, query, insert, update, compare-and-set or delete."""
    if statement.kind in ("insert", "delete"):
        return statement.kind
    named, more = condition(statement)
    by_key = any(key <= named for key in KEYS.get(statement.table, ()))
    if statement.kind == "select":
        return "read" if by_key else "query"
    alone = by_key and not more and any(key == named for key in KEYS.get(statement.table, ()))
    return "update" if alone else "compare-and-set"


def condition(statement: Statement) -> tuple[frozenset[str], bool]:
    """The columns that its (first, outermost) condition gives a value to, and whether it asks anything else."""
    text = statement.text
    inner = re.search(r"FROM \(SELECT (.*?)\) AS \w+", text, re.DOTALL)
    found = _WHERE.search(inner[1] if inner else text)
    if found is None:
        return frozenset(), False
    asked = re.split(r"\bLIMIT\b|\bORDER BY\b", found[1])[0]
    terms = [term.strip() for term in _GROUP.sub("()", asked).split(" AND ")]
    named = [match for term in terms if (match := _TERM.fullmatch(term))]
    return frozenset(match[1] or match[2] for match in named), len(named) < len(terms)


def columns(text: str) -> list[tuple[str, str]]:
    """The table and the column of each value that a query asks for; ("", its text) for what is no column."""
    found = re.match(r"\s*SELECT (?:DISTINCT )?(.*?)\s+FROM ", text, re.DOTALL)
    return [_column(item) for item in found[1].split(", ")] if found else []


def _column(item: str) -> tuple[str, str]:
    found = _ITEM.search(item)
    if found is None:
        return "", item.strip()
    table, column = re.sub(r"_\d+$", "", found[1]), found[2]
    if table == "anon":  # what a query inside this one calls it: table_column
        known = max((t for t in (*TABLES, *TABLES_OUTSIDE) if column.startswith(f"{t}_")), key=len, default="")
        return known, column.removeprefix(f"{known}_")
    return table, column


__all__ = ["FUNCTIONS", "KEYS", "OUTSIDE", "STEPS_OUTSIDE", "TABLES", "TABLES_OUTSIDE", "apart", "columns", "condition", "kind"]
