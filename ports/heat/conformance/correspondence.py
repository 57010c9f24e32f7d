"""Which point of the engine is which step of the model, what has no counterpart, and what is not compared. Tables, and their reasons.

Everything that is *not* compared stands here, with its reason; a test sees to it that each entry is needed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from heatproof.model import effects as fx
from heatproof.model.anomalies import ANOMALIES
from heatproof.model.designs.heat.ending import credentials_delete
from heatproof.model.designs.heat.values import CREDENTIALS, RESOURCE, STACK, SYNC_POINT, TEMPLATE
from heatproof.model.effects import is_database as model_database
from heatproof.model.faults import FAULTS
from heatproof.model.world import Message

if TYPE_CHECKING:
    from heatproof.ports.heat.world import EngineWorld

ENGINE_ALONE = {
    "resource_prop_data_create_or_update": "property data and cached attributes are a table of their own, whose rows nobody sees before a row"
    " of the table resource refers to them",
    "stack_get_all_by_root_owner_id": "the nested stacks of a stack, of which there are none",
}
"""Transactions of the engine that are no step of the model: in lockstep they are done together with what comes before them."""

MODEL_ALONE = {
    "listen": "the engine registers for cancel notices without any access to what is shared",
    "user_creds": "credentials are made and deleted by the engine together with what comes before that",
    "PR-5a": "cached attributes are a table of their own in the engine, see above; where the row refers to them already, they are seen at once."
    " The model tells them by their values, the engine by their id, which is a limit",
}
"""Effects of the model that are no point of the engine: done together with what comes before them."""

TABLES = (TEMPLATE, STACK, RESOURCE, SYNC_POINT)
"""The tables whose rows are compared."""

NOT_COMPARED = {
    ("stack", "reason"): "a text for people",
}
"""Columns that are not compared. Of failures that a CHECK collects the names are compared, not the texts."""

TIME = (
    "the engine's clock counts operations, as the model's does: a task sees the time at which the operation began that it works on, as"
    " if the clocks of the engines were late by that much; rows of one name come in the order of their structural names, which no database"
    " promises to be otherwise"
)
"""What is arranged on the engine's side so that the choice between rows by time is the model's."""

UNCOMPARED = {
    "stall": "it holds a message back, which a policy does anyway",
    "pause": "it holds an engine back, which a policy does anyway",
    "slow": "it holds a task back, which a policy does anyway",
    "overtake": "Heat promises no order",
    **{a.name: "one transaction of the engine is one action" for a in ANOMALIES},
}
"""Faults that are not injected in lockstep, and why."""

COMPARED = tuple(kind for kind in FAULTS if kind not in UNCOMPARED)
"""Faults that are."""

STEPS: dict[str, tuple[str, ...]] = {
    # heat.db.api function: steps of the model
    "stack_get_by_name": ("C-1",),
    "stack_create": ("C-1",),
    "raw_template_create": ("C-1", "CV-4"),
    "stack_update": ("C-2", "CV-5", "SU-5", "MC-2", "MF-1", "PG-3", "PG-7", "RB-3", "SV-1", "SV-2"),
    "stack_get": ("C-2", "U-1", "DL-1", "CA-1", "4.7", "8.1", "8.3", "W-5", "RN-1", "PR-7", "MC-1", "MF-1", "SV-2"),
    "stack_delete": ("PG-7",),
    "raw_template_get": ("W-6", "RB-2", "8.1"),
    "raw_template_delete": ("PG-5",),
    "sync_point_create": ("SU-6", "SU-7"),
    "sync_point_get": ("SP-1",),
    "sync_point_update_input_data": ("SP-3",),
    "sync_point_delete_all_by_stack_and_traversal": ("CV-7", "PG-6", "SV-3"),
    "resource_get_all_active_by_stack": ("SU-1",),
    "resource_get_all_by_stack": ("SU-2", "MF-1", "8.1", "8.3"),
    "resource_get_all_by_physical_resource_id": ("8.3",),
    "engine_get_all_locked_by_stack": ("SW-1", "SW-3"),
    "resource_create": ("SU-3a",),
    "resource_create_replacement": ("RP-2",),
    "resource_get": ("W-4", "LK-2", "UP-1", "RP-3", "RD-7", "8.1"),
    "resource_update": ("LK-1", "LK-4", "RU-5", "RU-6", "RD-7", "8.1", "8.3"),
    "resource_update_and_save": ("RC-4", "SU-3b", "ST-2", "UP-2a", "UP-2b", "8.3", "8.7"),
    "resource_delete": ("RD-2",),
    "resource_attr_data_delete": ("LK-3", "PR-5", "UP-2b", "8.3"),
    "resource_attr_id_set": ("PR-5",),
    "resource_purge_deleted": ("PG-1",),
}
"""The functions of ``heat.db.api``, each a transaction, and the steps of the model that stand for it."""


def model_alone(effect: Any) -> bool:
    """Whether the engine has no point for an effect of the model."""
    table = getattr(effect, "table", None)
    credentials = table is CREDENTIALS or getattr(effect, "body", None) is credentials_delete
    return type(effect) is fx.Listen or credentials or getattr(effect, "step", "") == "PR-5a"


def engine_alone(effect: Any) -> bool:
    """Whether the model has no step for a point of the engine."""
    return type(effect) is fx.Transaction and function(effect) in ENGINE_ALONE


def function(effect: Any) -> str:
    """The function of ``heat.db.api`` that a point of the engine is about to call."""
    return function_name(effect.step)


def function_name(point: str) -> str:
    """The same from its step, such as ``store/stack_update``."""
    return point.rpartition("/")[2]


def same(mine: Any, its: Any) -> bool:
    """Whether an effect of the model and a point of the engine are the same: for a transaction by :data:`STEPS`, else by kind."""
    if type(its) is fx.Transaction:
        return model_database(mine) and mine.step in STEPS.get(function(its), ())
    return type(mine) is type(its)


def model_message(message: Message) -> Any:
    """What a message of the model carries, complete."""
    if message.handler != "check_resource":
        return message.args
    row, kind, traversal, *rest = message.args
    data: Any = rest[0] if rest else frozenset()
    skip, failures = (rest[1], rest[2]) if len(rest) > 1 else (False, frozenset())
    return row, kind, traversal, data, skip, frozenset(name for name, _ in failures)


def engine_message(message: Message, world: EngineWorld) -> Any:
    """The same of a message of the engine."""
    if message.handler != "check_resource":
        return message.args[:1]
    row, kind, traversal, payload = message.args
    sent = json.loads(payload.text)
    failures = frozenset(sent.get("accumulated_failures") or {})
    return row, kind, traversal, world.reader.input_data(sent["data"]), bool(sent.get("skip_propagate")), failures


__all__ = [
    "COMPARED",
    "ENGINE_ALONE",
    "MODEL_ALONE",
    "NOT_COMPARED",
    "STEPS",
    "TABLES",
    "TIME",
    "UNCOMPARED",
    "engine_alone",
    "engine_message",
    "function",
    "function_name",
    "model_alone",
    "model_message",
    "same",
]
