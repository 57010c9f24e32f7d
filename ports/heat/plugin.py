"""The resource plug-in that scenarios are made of: its physical resources are those of heatproof's reality.

A plug-in is Heat's own way of adding a resource class. This one begins a physical operation in ``handle_X`` and waits for its end in
``check_X_complete``, as plug-ins of real services do; both are points for the scheduler. One class is made for each resource class of the
model, since Heat replaces a resource whose Python class changes.
"""

from __future__ import annotations

from typing import Any

from heat.common import exception
from heat.engine import attributes, environment, properties, resource
from heat.engine import resources as heat_resources
from heat.rpc import api as rpc_api
from heatclient import exc

from heatproof.model import effects as fx
from heatproof.model.reality import Spec
from heatproof.model.templates import Plain, Ref
from heatproof.ports.heat import hot, hub


class Unchecked(resource.Resource):  # type: ignore[misc]  # Heat has no types
    """A resource whose physical side is the world's reality. It has no check handler: Heat believes it."""

    default_client_name = "heat"  # whose errors "conflict" and "not found" it raises
    properties_schema = {  # noqa: RUF012  # as Heat wants it
        hot.IN_PLACE: properties.Schema(properties.Schema.MAP, update_allowed=True, default={}),
        hot.REPLACE: properties.Schema(properties.Schema.MAP, default={}),
        hot.FAILS: properties.Schema(properties.Schema.LIST, update_allowed=True, default=[]),
    }
    attributes_schema = {  # noqa: RUF012
        hot.ATTRIBUTE: attributes.Schema("The properties it has."),
    }
    kind = "thing"

    @classmethod
    def is_service_available(cls, context: Any) -> tuple[bool, None]:
        """No service is needed."""
        return True, None

    # ------------------------------------------------------------------------------------------------------ operations

    def _topic(self) -> tuple[hub.Activity, str | None]:
        activity = hub.current()
        assert activity is not None
        return activity, activity.topic

    def _spec(self, values: Any) -> Spec:
        """What the physical resource is to be, from the goal template and the resolved ``values`` of its properties."""
        activity, _ = self._topic()
        definition = hot.read_resource(self.name, self.stack.t.t["resources"][self.name])
        known: dict[str, Plain] = {**(values[hot.IN_PLACE] or {}), **(values[hot.REPLACE] or {})}
        referred = {v.resource for _, v in definition.properties if isinstance(v, Ref)}
        pairs = tuple((name, known.get(name)) for name, _ in definition.properties)
        needs = {known.get(n) for n, v in definition.properties if isinstance(v, Ref) and isinstance(known.get(n), str)}
        after = tuple(name for name in definition.requires() if name not in referred)
        stack = activity.live.names.stack(self.stack.id)
        return Spec(self.name, self.kind, pairs, tuple(sorted(map(str, needs))), definition.fails, stack, after)

    def _begin(self, operation: str, subject: str, spec: Spec | None = None) -> Any:
        _, topic = self._topic()
        return hub.point(fx.Begin(f"handle_{operation}", operation, subject, spec, topic, topic))

    def _finish(self, operation: str, physical: str) -> bool:
        """Whether it has ended; where Heat itself is to end it (a cancel notice, its time limit) it has not."""
        outcome = hub.point(fx.Finish(f"check_{operation}_complete", physical))
        if outcome in ("cancelled", "timed out"):
            activity, _ = self._topic()
            activity.late = outcome == "timed out"
            if outcome == "cancelled":
                activity.notices.put_nowait(rpc_api.THREAD_CANCEL)
            return False
        if outcome == "conflict":
            raise exc.HTTPConflict(f"{physical} is in conflict")
        if outcome == "not found":
            raise exc.HTTPNotFound(f"{physical} was not found")
        if outcome != "done":
            raise exception.Error(f"{operation} of {physical}: {outcome}")
        return True

    def handle_create(self) -> str:
        """Begin to create, and record the physical id."""
        activity, _ = self._topic()
        physical: str = self._begin("create", activity.live.names.row(self.id), self._spec(self.properties))
        self.resource_id_set(physical)
        return physical

    def check_create_complete(self, physical: str) -> bool:
        """Wait."""
        return self._finish("create", physical)

    def handle_update(self, json_snippet: Any, tmpl_diff: Any, prop_diff: Any) -> str:
        """Begin to update."""
        after = json_snippet.properties(self.properties_schema, self.context)
        if not self._begin("update", self.resource_id or "", self._spec(after)):
            raise exc.HTTPNotFound(f"{self.resource_id} was not found")
        return str(self.resource_id)

    def check_update_complete(self, physical: str) -> bool:
        """Wait."""
        return self._finish("update", physical)

    def handle_delete(self) -> str | None:
        """Begin to delete what there is."""
        if self.resource_id is None or not self._begin("delete", self.resource_id):
            return None
        return str(self.resource_id)

    def check_delete_complete(self, physical: str | None) -> bool:
        """Wait. That it is gone already is as good."""
        try:
            return physical is None or self._finish("delete", physical)
        except exc.HTTPNotFound:
            return True

    def handle_signal(self, details: Any = None) -> None:
        """Write metadata, as wait conditions and scaling groups do."""
        self.metadata_set({"signals": 1}, merge_metadata=_one_more)

    def _resolve_attribute(self, name: str) -> Any:
        if self.resource_id is None:
            return None
        thing = hub.point(fx.Look("_resolve_attribute", self.resource_id))
        if thing is None:
            raise exc.HTTPNotFound(f"{self.resource_id} was not found")  # which Heat takes for "no such attribute"
        return dict(thing.spec.properties)


def _one_more(_new: Any, old: Any) -> dict[str, int]:
    return {"signals": int((old or {}).get("signals", 0)) + 1}


class Thing(Unchecked):
    """A resource that can be checked too."""

    def handle_check(self) -> str:
        """Begin to look whether it is well."""
        if not self._begin("check", self.resource_id or ""):
            raise exc.HTTPNotFound(f"{self.resource_id} was not found")
        return str(self.resource_id)

    def check_check_complete(self, physical: str) -> bool:
        """Wait."""
        return self._finish("check", physical)


_known: dict[str, type[Unchecked]] = {}


def register(kind: str) -> None:
    """Have Heat know the resource type of a class of the model."""
    if kind in _known:
        return
    base = Unchecked if kind == "unchecked" else Thing
    made = type(f"Thing_{kind}", (base,), {"kind": kind})
    _known[kind] = made
    registry: environment.ResourceRegistry = heat_resources.global_env().registry
    registry.register_class(hot.type_of(kind), made)


__all__ = ["Thing", "register"]
