"""What the patches of stacks, traversals and their templates put in the place of Heat's code; the table is in :mod:`cures`.

Functions of Heat are found when a patch runs, so that importing this module imports nothing of Heat.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any


@contextmanager
def instead(stack: Any, method: str, function: Callable[..., Any]) -> Iterator[None]:
    """Have ``function`` instead of a method of this stack object for a while."""
    before = stack.__dict__.get(method)
    setattr(stack, method, function)
    try:
        yield
    finally:
        delattr(stack, method)
        if before is not None:
            setattr(stack, method, before)


def keep_template(original: Any) -> Any:
    from oslo_db import exception as db_exception

    def raw_template_delete(context: Any, template_id: Any) -> None:
        with suppress(db_exception.DBReferenceError):  # a row still refers to it; it goes with that row (PG-1b)
            original(context, template_id)

    return raw_template_delete


def refuse_lost(original: Any) -> Any:
    from heat.common import exception
    from heat.objects import raw_template

    def converge_stack(
        self: Any, template: Any, action: Any = "UPDATE", new_stack: Any = None, pre_converge: Any = None,
        new_traversal_id: Any = None, abandon: bool = False,
    ) -> None:  # fmt: skip
        store, lost = self.store, []

        def noting(*args: Any, **kwargs: Any) -> Any:
            stored = store(*args, **kwargs)
            lost.append(stored is None)
            return stored

        with instead(self, "store", noting):
            original(self, template, action, new_stack, pre_converge, new_traversal_id, abandon)
        if any(lost) and action != self.ROLLBACK:
            if action in (self.UPDATE, self.DELETE):
                raw_template.RawTemplate.delete(self.context, self.t.id)
            raise exception.ActionInProgress(stack_name=self.name, action=action)

    return converge_stack


class Superseded(Exception):
    """A set-up found that the stack belongs to another traversal."""


def no_cycle(original: Any) -> Any:
    import networkx

    def _compute_convg_dependencies(self: Any, existing_resources: Any, current_template_deps: Any, current_resources: Any) -> Any:
        rows = existing_resources or {}
        kept = {row: SimpleNamespace(id=row, requires=[], replaces=None) for row in rows}
        graph = networkx.DiGraph()
        graph.add_nodes_from(kept)

        def added(first: Any, then: Any) -> bool:
            """Whether the one may be cleaned up only after the other; it may not where that has to come after it."""
            if first not in kept or networkx.has_path(graph, then, first):
                return False
            graph.add_edge(first, then)
            return True

        for row in sorted(rows):
            kept[row].requires = [other for other in sorted(rows[row].requires) if added(other, row)]
        for row in sorted(rows):
            kept[row].replaces = rows[row].replaces if added(rows[row].replaces, row) else None
        return original(self, kept, current_template_deps, current_resources)

    return _compute_convg_dependencies


def only_unmade_go(original: Any) -> Any:
    def _retrigger_replaced(self: Any, is_update: Any, rsrc: Any, stack: Any, check_resource: Any) -> None:
        if rsrc.action == rsrc.INIT:
            original(self, is_update, rsrc, stack, check_resource)

    return _retrigger_replaced


def remembers_its_message(original: Any) -> Any:
    def _do_check_resource(
        self: Any, cnxt: Any, current_traversal: Any, tmpl: Any, resource_data: Any, is_update: Any, rsrc: Any, stack: Any,
        adopt_stack_data: Any,
    ) -> Any:  # fmt: skip
        self.message_of = (rsrc, adopt_stack_data)
        return original(self, cnxt, current_traversal, tmpl, resource_data, is_update, rsrc, stack, adopt_stack_data)

    return _do_check_resource


def cancelled_tries_again(original: Any) -> Any:
    from heat.engine import check_resource, sync_point
    from heat.engine import stack as parser

    def _retrigger_new_traversal(self: Any, cnxt: Any, current_traversal: Any, is_update: Any, stack_id: Any, rsrc_id: Any) -> None:
        if not isinstance(sys.exc_info()[1], check_resource.CancelOperation):
            return original(self, cnxt, current_traversal, is_update, stack_id, rsrc_id)  # type: ignore[no-any-return]
        latest = parser.Stack.load(cnxt, stack_id=stack_id, force_reload=True)
        if latest.current_traversal != current_traversal:
            return self.retrigger_check_resource(cnxt, rsrc_id, latest)  # type: ignore[no-any-return]
        rsrc, adopt = self.message_of
        data = sync_point.serialize_input_data(self.input_data)
        return self._rpc_client.check_resource(  # type: ignore[no-any-return]
            cnxt, rsrc_id, current_traversal, data, is_update, adopt, abandon=rsrc.abandon_in_progress
        )

    return _retrigger_new_traversal


def fenced_rows(original: Any) -> Any:
    def _update_or_store_resources(self: Any) -> Any:
        self.context.set_up_of = (self.id, self.current_traversal)
        try:
            return original(self)
        finally:
            del self.context.set_up_of

    return _update_or_store_resources


def _refuse_superseded(context: Any, stack_id: Any, traversal: Any) -> None:
    from heat.db import models

    owner = context.session.query(models.Stack.current_traversal).filter_by(id=stack_id).with_for_update(read=True).scalar()
    if owner != traversal:
        raise Superseded


def fenced_insert(original: Any) -> Any:
    from heat.db import api

    def resource_create(context: Any, values: Any) -> Any:
        if fence := getattr(context, "set_up_of", None):
            _refuse_superseded(context, *fence)
        return api._resource_create(context, values)

    return api.context_manager.writer(resource_create)


def fenced_update(original: Any) -> Any:
    from heat.db import api

    def resource_update_and_save(context: Any, resource_id: Any, values: Any) -> Any:
        if fence := getattr(context, "set_up_of", None):
            _refuse_superseded(context, *fence)
        return original(context, resource_id, values)

    return api.context_manager.writer(resource_update_and_save)


def fenced_sync_point(original: Any) -> Any:
    from heat.db import api, models

    def sync_point_create(context: Any, values: Any) -> Any:
        _refuse_superseded(context, values["stack_id"], values["traversal_id"])
        values["entity_id"] = str(values["entity_id"])
        point = models.SyncPoint()
        point.update(values)
        point.save(context.session)
        return point

    return api.retry_on_db_error(api.context_manager.writer(sync_point_create))


def stops_where_superseded(original: Any) -> Any:
    def _converge_create_or_update(self: Any, pre_converge: Any = None, abandon: bool = False) -> None:
        with suppress(Superseded):  # whoever owns the stack now does without this set-up
            original(self, pre_converge, abandon)

    return _converge_create_or_update


def init_not_rollback(original: Any) -> Any:
    def __init__(self: Any, name: Any, definition: Any, stack: Any) -> None:
        original(self, name, definition, stack)
        if self.id is None and stack.convergence and self.action == self.ROLLBACK:
            self.action = self.INIT

    return __init__


def stale_template_loses(original: Any) -> Any:
    from oslo_db import exception as db_exception

    def stack_update(context: Any, stack_id: Any, values: Any, exp_trvsl: Any = None) -> Any:
        try:
            return original(context, stack_id, values, exp_trvsl)
        except db_exception.DBReferenceError:
            if exp_trvsl is None:
                raise
            return False  # the operation before has ended since the stack was loaded, and its previous template is gone

    return stack_update


# ---------------------------------------------------------------------------------------------------------- the way back


def one_write_rollback(original: Any) -> Any:
    from heat.engine import template

    def rollback(self: Any) -> None:
        state, store = self.state, self.store
        if self.prev_raw_template_id is None:
            goal = template.Template.create_empty_template(version=self.t.version)
        else:
            goal = template.Template.load(self.context, self.prev_raw_template_id)

        def storing(*args: Any, **kwargs: Any) -> Any:
            self.context.only_in_state = state
            try:
                return store(*args, **kwargs)
            finally:
                del self.context.only_in_state

        with instead(self, "store", storing):
            self.converge_stack(goal, action=self.ROLLBACK)

    return rollback


def only_in_state(original: Any) -> Any:
    from heat.db import api, models

    def stack_update(context: Any, stack_id: Any, values: Any, exp_trvsl: Any = None) -> Any:
        if state := getattr(context, "only_in_state", None):
            columns = context.session.query(models.Stack.action, models.Stack.status)
            there = columns.filter_by(id=stack_id, deleted_at=None).with_for_update().first()
            if there is not None and tuple(there) != state:
                return False
        return original(context, stack_id, values, exp_trvsl)

    return api.retry_on_db_error(api.context_manager.writer(stack_update))


def drop_unused(context: Any, stack_id: Any, templates: set[Any]) -> None:
    """Delete these templates, in the transaction that is open, where no row has one or, being locked, may come to have it."""
    from heat.db import api, models

    rows = context.session.query(models.Resource)
    if rows.filter_by(stack_id=stack_id).filter(models.Resource.engine_id.isnot(None)).first() is None:
        for template in sorted(templates):
            if rows.filter_by(current_template_id=template).first() is None:
                api.raw_template_delete(context, template)


def keep_what_held(original: Any) -> Any:
    def converge_stack(
        self: Any, template: Any, action: Any = "UPDATE", new_stack: Any = None, pre_converge: Any = None,
        new_traversal_id: Any = None, abandon: bool = False,
    ) -> None:  # fmt: skip
        args, store = (template, action, new_stack, pre_converge, new_traversal_id, abandon), self.store
        if action != self.UPDATE:
            return original(self, *args)  # type: ignore[no-any-return]

        def storing(*args: Any, **kwargs: Any) -> Any:
            self.context.ways_back = []
            try:
                stored = store(*args, **kwargs)
                self.prev_raw_template_id = [self.prev_raw_template_id, *self.context.ways_back][-1]
            finally:
                del self.context.ways_back
            return stored

        with instead(self, "store", storing):
            return original(self, *args)  # type: ignore[no-any-return]

    return converge_stack


def way_back_of_the_row(original: Any) -> Any:
    from heat.db import api, models

    def stack_update(context: Any, stack_id: Any, values: Any, exp_trvsl: Any = None) -> Any:
        ways_back, overtaken = getattr(context, "ways_back", None), None
        if ways_back is not None:
            there = context.session.query(models.Stack).filter_by(id=stack_id, deleted_at=None).with_for_update().first()
            if there is not None:
                held = there.status == "COMPLETE" or there.action == "ROLLBACK"  # the goal of a rollback is what held
                if held or (there.action == "CHECK" and there.prev_raw_template_id is None):
                    ways_back.append(there.raw_template_id)
                else:
                    ways_back.append(there.prev_raw_template_id)
                    overtaken = there.raw_template_id
                values = {**values, "prev_raw_template_id": ways_back[-1]}
        stored = original(context, stack_id, values, exp_trvsl)
        if stored and overtaken is not None:
            drop_unused(context, stack_id, {overtaken})
        return stored

    return api.retry_on_db_error(api.context_manager.writer(stack_update))


def choose_what_is_not_replaced(original: Any) -> Any:
    def _get_best_existing_rsrc_db(self: Any, rsrc_name: Any) -> Any:
        held, rows = self.prev_raw_template_id, (self.ext_rsrcs_db or {}).values()
        of_it = [row for row in rows if row.name == rsrc_name and row.current_template_id == held]
        if of_it and all(row.replaced_by for row in of_it):  # by an update that was overtaken
            self.prev_raw_template_id = None
        try:
            return original(self, rsrc_name)
        finally:
            self.prev_raw_template_id = held

    return _get_best_existing_rsrc_db


def made_before_unmade(original: Any) -> Any:
    def _get_best_existing_rsrc_db(self: Any, rsrc_name: Any) -> Any:
        rows = self.ext_rsrcs_db or {}

        def gives_way(row: Any) -> bool:
            old = rows.get(row.replaces) if row.action == "INIT" else None
            return old is not None and old.name == row.name and old.action != self.DELETE and old.status != self.FAILED

        self.ext_rsrcs_db = {key: row for key, row in rows.items() if not gives_way(row)}
        try:
            return original(self, rsrc_name)
        finally:
            self.ext_rsrcs_db = rows

    return _get_best_existing_rsrc_db


# --------------------------------------------------------------------------------------------------------------- failing


def fail_only_what_runs(original: Any) -> Any:
    def mark_failed(self: Any, failure_reason: Any) -> Any:
        state_set = self.state_set

        def setting(*args: Any, **kwargs: Any) -> Any:
            self.context.unless_complete = True
            try:
                return state_set(*args, **kwargs)
            finally:
                del self.context.unless_complete

        with instead(self, "state_set", setting):
            return original(self, failure_reason)

    return mark_failed


def unless_complete(original: Any) -> Any:
    from heat.db import api, models

    def stack_update(context: Any, stack_id: Any, values: Any, exp_trvsl: Any = None) -> Any:
        if getattr(context, "unless_complete", False):
            there = context.session.query(models.Stack.status).filter_by(id=stack_id, deleted_at=None).with_for_update().scalar()
            if there == "COMPLETE":
                return False
        return original(context, stack_id, values, exp_trvsl)

    return api.retry_on_db_error(api.context_manager.writer(stack_update))


def keep_definitions(original: Any) -> Any:
    def _resource_from_db_resource(self: Any, db_res: Any, stk_def_cache: Any = None) -> Any:
        kept = self.__dict__.setdefault("definitions_kept", {}) if stk_def_cache is None else stk_def_cache
        return original(self, db_res, kept)

    return _resource_from_db_resource


# ------------------------------------------------------------------------------------------------------------ left-overs


def forget_first(original: Any) -> Any:
    from heat.engine import sync_point, worker

    def _stop_traversal(stack: Any) -> None:
        old, update = stack.current_traversal, worker._update_current_traversal
        if not update(stack):
            return
        sync_point.delete_all(stack.context, stack.id, old)
        stack.state_set(stack.action, stack.FAILED, f"Stack {stack.action} cancelled")

    return _stop_traversal


def drop_the_overtaken(original: Any) -> Any:
    from heat.db import api, models

    def stack_update(context: Any, stack_id: Any, values: Any, exp_trvsl: Any = None) -> Any:
        begins = exp_trvsl and "raw_template_id" in values and values.get("current_traversal") not in (None, exp_trvsl)
        columns = context.session.query(models.Stack.raw_template_id, models.Stack.prev_raw_template_id).filter_by(id=stack_id)
        before = {*columns.with_for_update().first()} if begins and columns.first() is not None else set()
        stored = original(context, stack_id, values, exp_trvsl)
        if stored and before:
            drop_unused(context, stack_id, before - {None, *columns.one()})
        return stored

    return api.retry_on_db_error(api.context_manager.writer(stack_update))


def no_template_for_the_deleted(original: Any) -> Any:
    from heat.common import exception
    from heat.objects import raw_template

    def converge_stack(
        self: Any, template: Any, action: Any = "UPDATE", new_stack: Any = None, pre_converge: Any = None,
        new_traversal_id: Any = None, abandon: bool = False,
    ) -> None:  # fmt: skip
        try:
            original(self, template, action, new_stack, pre_converge, new_traversal_id, abandon)
        except exception.NotFound:  # from the store, which is the first that asks whether the stack is still there
            if action in (self.UPDATE, self.DELETE) and self.t.id is not None:
                raw_template.RawTemplate.delete(self.context, self.t.id)
            raise

    return converge_stack
