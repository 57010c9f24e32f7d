"""Every place where Heat and its libraries are held, and why. No file is changed.

Each patch names its place, the reason, and the signature that the place has in the releases that the port knows; a test compares
these, so that a new release that moves a place is told by name. What is put there stands in :mod:`replacements`.
"""

from __future__ import annotations

import builtins
import importlib
import inspect
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from heatproof.model.errors import HeatproofError
from heatproof.ports.heat import replacements as new

Wrap = Callable[[Any], Any]
"""Takes what stands at a place and returns what is to stand there."""


class Patch(NamedTuple):
    """One place: ``module:name``, the signature it must have, why it is held, and what is put there."""

    place: str
    signature: str
    reason: str
    wrap: Wrap


PATCHES: tuple[Patch, ...] = (
    Patch("oslo_db.sqlalchemy.enginefacade:_TransactionContextManager._transaction_scope", "(self, context) -> 'Any'",
          "the scheduler is asked before each outermost transaction; none is open while others run", new.transactions),
    Patch("heat.rpc.worker_client:WorkerClient.__init__", "(self)", "there is no message broker", new.no_client),
    Patch("heat.rpc.worker_client:WorkerClient.cast", "(self, ctxt, msg, version=None)",
          "a message goes into the world's message layer, as JSON", new.cast),
    Patch("heat.rpc.worker_client:WorkerClient.cancel_check_resource", "(self, ctxt, stack_id, engine_id)",
          "so does one that is directed to an engine", new.cast_to_one),
    Patch("heat.rpc.listener_client:EngineListenerClient.__init__", "(self, engine_id)", "there is no message broker",
          new.no_listener_client),
    Patch("heat.rpc.listener_client:EngineListenerClient.is_alive", "(self, ctxt)", "the world knows which engines live", new.is_alive),
    Patch("time:sleep", "", "nobody sleeps for real; who waits for others is woken by the scheduler", new.sleep),
    Patch("heat.common.timeutils:wallclock", "", "the clock of plug-in tasks is the world's", new.wallclock),
    Patch("oslo_utils.timeutils:utcnow", "(with_timezone: 'bool' = False) -> 'datetime.datetime'", "and so is the clock of rows", new.utcnow),
    Patch("heat.engine.stack:Stack.has_timed_out", "(self)", "to look at the clock is an action of its own where a time limit is set",
          new.has_timed_out),
    Patch("heat.common.timeutils:random", "", "jitter of back-off must not depend on chance", new.chance),
    Patch("heat.db.api:random", "", "the purge of old events must not depend on chance", new.chance),
    Patch("tenacity.wait:random", "", "jitter of back-off must not depend on chance", new.chance),
    Patch("uuid:uuid4", "()", "identifiers are drawn from the name of the task that draws them", new.uuid4),
    Patch("heat.common.crypt:encrypt", "(value, encryption_key=None)", "it draws a random vector and notes the time", new.encrypt),
    Patch("heat.engine.resource:Resource.__hash__", "(self)", "it is the address of the object, which orders sets", new.hash_by_name),
    Patch("heat.engine.stack:ConvergenceNode.__hash__", "", "it hashes text, which orders sets by PYTHONHASHSEED",
          new.hash_without_text),
    Patch("heat.engine.rsrc_defn:ResourceDefinition.required_resource_names", "(self)",
          "names are gone through in the order of their hashes, which makes the order of edges and casts", new.in_order),
    Patch("heat.engine.stk_defn:StackDefinition.all_rsrc_names", "(self)", "the same", new.in_order),
    Patch("heat.engine.stk_defn:StackDefinition.enabled_rsrc_names", "(self)", "the same", new.in_order),
    Patch("heat.engine.resource:Resource.referenced_attrs", "(self, stk_defn=None, in_resources=True, in_outputs=True, load_all=False)",
          "attributes are read and sent in the order of their hashes", new.in_order),
    Patch("heat.engine.dependencies:Graph.items", "", "nodes are gone through in an order that goes back to the hashes of ids",
          new.nodes_in_order),
    Patch("heat.engine.dependencies:Node.__iter__", "(self)", "the same", new.edges_in_order),
    Patch("heat.engine.dependencies:Node.required_by", "(self, source=None)", "the same", new.edges_in_order),
    Patch("heat.db.filters:exact_filter", "(query, model, filters)",
          "of several rows of a name the last one counts, in an order that nothing promises", new.rows_in_order),
    Patch("heat.engine.stack:Stack.db_active_resources_get", "(self)", "a cycle in the graph is met at a row that has no update node",
          new.rows_by_id_in_order),
    Patch("heat.engine.stack:sorted", "", "leaves are cast in the order of a set",
          new.sorted_in_order),
    Patch("heat.engine.sync_point:_str_unpack_tuple", "(s)",
          "what is compared with nodes must hash as nodes do: plain tuples hash their text", new.nodes_are_nodes),
    Patch("heat.common.policy:ResourceEnforcer.enforce",
          "(self, context, res_type, scope=None, target=None, is_registered_policy=False)", "there is no policy", new.allowed),
    Patch("heat.common.policy:Enforcer.check_is_admin", "(self, context)", "and nobody is an administrator", new.not_admin),
    Patch("heat.engine.clients.os.keystone:KeystoneClientPlugin._create", "(self)", "there is no keystone", new.keystone),
    Patch("heat.common.context:StoredContext",
          "(username=None, password=None, aws_creds=None, auth_url=None, is_admin=None, trust_id=None, trustor_user_id=None,"
          " auth_token_info=None, region_name=None, auth_plugin=None, trusts_auth_plugin=None, **kwargs)",
          "there is no keystone to ask for the roles of a stored context",
          new.plain_context),
)  # fmt: skip


_standing: dict[str, Any] = {}
"""What stood at each place before it was held."""


def find(patch: Patch) -> tuple[Any, str, Any]:
    """The object that holds the place, the name there, and what stands there. Raises :class:`HeatproofError` if it has moved."""
    module, _, path = patch.place.partition(":")
    *outer, name = path.split(".")
    try:
        holder: Any = importlib.import_module(module)
        for part in outer:
            holder = getattr(holder, part)
        standing = inspect.getattr_static(holder, name) if outer else getattr(holder, name, None) or getattr(builtins, name)
        return holder, name, _standing.get(patch.place, standing)
    except (ImportError, AttributeError) as error:
        raise HeatproofError(
            f"the real engine cannot be run: {patch.place} is not there any more ({error}); it is held because {patch.reason}"
        ) from error


def signature(standing: Any) -> str:
    """The signature of what stands at a place; empty for what has none or whose own is Python's, which another Python may tell otherwise."""
    if inspect.isbuiltin(standing) or (
        inspect.isroutine(standing) and not hasattr(standing, "__code__") and not hasattr(standing, "__func__")
    ):
        return ""
    try:
        return str(inspect.signature(standing))
    except (TypeError, ValueError):
        return ""


def install(patches: Iterable[Patch]) -> None:
    """Put them all in. Raises :class:`HeatproofError` if a place has moved, with nothing put in."""
    found = [(patch, *find(patch)) for patch in patches]
    for patch, holder, name, standing in found:
        _standing[patch.place] = standing
        setattr(holder, name, patch.wrap(standing))
