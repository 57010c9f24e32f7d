"""The patches: what each puts in the place of Heat's code. Each is as small as its defect allows. Those of rows are here, those of
stacks and traversals in :mod:`stack_cures`.

Functions of Heat are found when a patch runs, so that importing this module imports nothing of Heat.
"""

from __future__ import annotations

from typing import Any

from heatproof.ports.heat import retry_cures as retries
from heatproof.ports.heat import stack_cures as stacks
from heatproof.ports.heat.curing import Cure
from heatproof.ports.heat.patches import Patch

# ------------------------------------------------------------------------------------------------- rows and their locks


def _tombstone(original: Any) -> Any:
    def delete_convergence(self: Any, template_id: Any, engine_id: Any, timeout: Any, progress_callback: Any = None) -> None:
        if self.current_template_id == template_id or self.action != self.INIT:
            return original(self, template_id, engine_id, timeout, progress_callback)  # type: ignore[no-any-return]
        self._calling_engine_id = engine_id
        return self.state_set(self.DELETE, self.COMPLETE, lock=self.LOCK_RESPECT)  # type: ignore[no-any-return]

    return delete_convergence


def _replaced_goes(original: Any) -> Any:
    from heat.common import exception
    from heat.engine import scheduler
    from heat.objects import resource as objects

    def replaced(self: Any, template_id: Any) -> bool:
        """Whether a row of the template has come into its place, perhaps by way of others, and is made."""
        following, passed = self.replaced_by, {self.id}
        while following is not None and following not in passed:
            passed.add(following)
            try:
                other = objects.Resource.get_obj(
                    self.context, following, fields=("current_template_id", "action", "status", "replaced_by")
                )
            except exception.NotFound:
                return False
            if other.current_template_id == template_id:
                return other.status == self.COMPLETE and other.action not in (self.INIT, self.DELETE)
            following = other.replaced_by
        return False

    def delete_convergence(self: Any, template_id: Any, engine_id: Any, timeout: Any, progress_callback: Any = None) -> None:
        if self.current_template_id == template_id and replaced(self, template_id):
            self._calling_engine_id = engine_id
            scheduler.TaskRunner(self.delete)(timeout=timeout, progress_callback=progress_callback)
            self._update_replacement_data(template_id)
        else:
            original(self, template_id, engine_id, timeout, progress_callback)

    return delete_convergence


def _with_requires(original: Any) -> Any:
    def update_convergence(
        self: Any, template_id: Any, new_requires: Any, engine_id: Any, timeout: Any, new_stack: Any, progress_callback: Any = None
    ) -> None:
        persist = self._persist_update_no_change

        def persisting(new_template_id: Any) -> None:
            self.requires = new_requires
            persist(new_template_id)

        with stacks.instead(self, "_persist_update_no_change", persisting):
            original(self, template_id, new_requires, engine_id, timeout, new_stack, progress_callback)

    return update_convergence


def _release_again(original: Any) -> Any:
    from heat.common import exception
    from heat.objects import resource as objects

    def _store_with_lock(self: Any, rs: Any, lock: Any) -> None:
        while True:
            try:
                return original(self, rs, lock)  # type: ignore[no-any-return]
            except exception.UpdateInProgress:
                if lock != self.LOCK_RELEASE:
                    raise
                try:
                    there = objects.Resource.get_obj(self.context, self.id, refresh=True, fields=("engine_id", "atomic_key"))
                except exception.NotFound:
                    there = None
                if there is None or there.engine_id != self._calling_engine_id or there.atomic_key == self._atomic_key:
                    raise
                self._atomic_key = there.atomic_key

    return _store_with_lock


COPIED = ("current_template_id", "action", "status")


def _remember(original: Any) -> Any:
    def _load_data(self: Any, resource: Any) -> None:
        original(self, resource)
        self.as_loaded = tuple(getattr(resource, column) for column in (*COPIED, "atomic_key"))

    return _load_data


def _not_with_an_old_copy(original: Any) -> Any:
    from heat.common import exception
    from heat.objects import resource as objects

    def _store_with_lock(self: Any, rs: Any, lock: Any) -> None:
        loaded = getattr(self, "as_loaded", None)
        if lock == self.LOCK_ACQUIRE and loaded is not None and loaded[-1] != self._atomic_key:  # LK-2: it has taken a new version
            there = objects.Resource.get_obj(self.context, self.id, refresh=True, fields=COPIED)
            if tuple(getattr(there, column) for column in COPIED) != loaded[:-1]:
                raise exception.UpdateInProgress(self.name)
        original(self, rs, lock)

    return _store_with_lock


def _own_version(original: Any) -> Any:
    def _incr_atomic_key(self: Any, last_key: Any) -> None:
        original(self, last_key)
        if getattr(self, "as_loaded", None) is not None:  # what it has written itself it knows
            self.as_loaded = (self.current_template_id, self.action, self.status, self._atomic_key)

    return _incr_atomic_key


def _mark_at_once(original: Any) -> Any:
    from heat.common import context, exception
    from heat.engine import stack as parser

    def resource_mark_unhealthy(
        self: Any, cnxt: Any, stack_identity: Any, resource_name: Any, mark_unhealthy: Any, resource_status_reason: Any = None
    ) -> None:
        stack = parser.Stack.load(cnxt, stack=self._get_stack(cnxt, stack_identity))
        if not stack.convergence or mark_unhealthy is not True:
            return original(self, cnxt, stack_identity, resource_name, mark_unhealthy, resource_status_reason)  # type: ignore[no-any-return]
        rsrc = self._find_resource_in_stack(cnxt, resource_name, stack)
        reason = resource_status_reason or "state changed by resource_mark_unhealthy api"
        rsrc._calling_engine_id = self.engine_id
        try:
            if rsrc.action != rsrc.DELETE:
                rsrc.state_set(rsrc.CHECK, rsrc.FAILED, reason=reason, lock=rsrc.LOCK_RESPECT)
        except exception.UpdateInProgress:
            raise exception.ActionInProgress(stack_name=stack.name, action=stack.action) from None
        return None

    return context.request_context(resource_mark_unhealthy)


def _refuse_unmade(original: Any) -> Any:
    from heat.common import context, exception
    from heat.engine import stack as parser

    def resource_mark_unhealthy(
        self: Any, cnxt: Any, stack_identity: Any, resource_name: Any, mark_unhealthy: Any, resource_status_reason: Any = None
    ) -> None:
        stack = parser.Stack.load(cnxt, stack=self._get_stack(cnxt, stack_identity))
        rsrc = self._find_resource_in_stack(cnxt, resource_name, stack)
        if rsrc.action == rsrc.INIT:
            raise exception.ResourceNotAvailable(resource_name=rsrc.name)
        original(self, cnxt, stack_identity, resource_name, mark_unhealthy, resource_status_reason)

    return context.request_context(resource_mark_unhealthy)


def _fenced(original: Any) -> Any:
    def _store_with_lock(self: Any, rs: Any, lock: Any) -> None:
        if lock not in (self.LOCK_ACQUIRE, self.LOCK_RESPECT):
            return original(self, rs, lock)  # type: ignore[no-any-return]
        self.context.locks_for = (self.stack.id, self.stack.current_traversal)
        try:
            return original(self, rs, lock)  # type: ignore[no-any-return]
        finally:
            del self.context.locks_for

    return _store_with_lock


def _only_for_the_owner(original: Any) -> Any:
    from heat.db import api, models

    def resource_update(context: Any, resource_id: Any, values: Any, atomic_key: Any, expected_engine_id: Any = None) -> Any:
        if fence := getattr(context, "locks_for", None):
            stack_id, traversal = fence
            owner = context.session.query(models.Stack.current_traversal).filter_by(id=stack_id).with_for_update(read=True).scalar()
            if owner != traversal:
                api._truncate_status_reason(values)  # begun too: who counts attempts looks whether an earlier one was committed
                return False
        return api._resource_update(context, resource_id, values, atomic_key, expected_engine_id=expected_engine_id)

    return api.retry_on_db_error(api.context_manager.writer(resource_update))


# --------------------------------------------------------------------------------------------------------- replacements


class _ReplacedAlready(Exception):
    """What is to be replaced has a replacement of this template; ``row`` is its id. No exception of Heat's: nobody else takes it for one."""

    def __init__(self, row: Any):
        super().__init__(row)
        self.row = row


def _one_replacement(original: Any) -> Any:
    from heat.db import api, models

    def resource_get_replacement(context: Any, resource_id: Any, template_id: Any) -> Any:
        rows = models.Resource
        linked = context.session.query(rows.replaced_by).filter_by(id=resource_id).scalar()  # an update clears it (RU-3)
        found = context.session.query(rows.id).filter_by(current_template_id=template_id).filter(rows.action != "DELETE")
        return (
            found.filter((rows.replaces == resource_id) | (rows.id == linked)).order_by(rows.id).limit(1).scalar()
        )  # RD-7 clears it

    replacement_of = api.context_manager.reader(resource_get_replacement)

    def replacement(
        cls: Any, context: Any, existing_res_id: Any, new_res_values: Any, atomic_key: Any = 0, expected_engine_id: Any = None
    ) -> Any:
        if (there := replacement_of(context, existing_res_id, new_res_values["current_template_id"])) is not None:
            raise _ReplacedAlready(there)
        return original(cls, context, existing_res_id, new_res_values, atomic_key, expected_engine_id)

    return replacement


def _tell_those_behind(original: Any) -> Any:
    from heat.engine import check_resource, node_data

    def _handle_resource_replacement(
        self: Any, cnxt: Any, current_traversal: Any, new_tmpl_id: Any, requires: Any, rsrc: Any, stack: Any, adopt_stack_data: Any
    ) -> None:
        try:
            return original(self, cnxt, current_traversal, new_tmpl_id, requires, rsrc, stack, adopt_stack_data)  # type: ignore[no-any-return]
        except _ReplacedAlready as already:
            row = already.row
        data = node_data.load_resources_data(self.input_data)
        new, _definition, _its_stack = check_resource.load_resource(
            cnxt, row, data, current_traversal, True
        )  # held: it refers to them weakly
        if new is not None and (new.status == new.COMPLETE or new.action == new.CHECK) and new.action not in (new.INIT, new.DELETE):
            new.replaces = rsrc.id  # PR-1; a cleanup may have cut the link
            self._initiate_propagate_resource(cnxt, row, current_traversal, True, new, stack)
        return None

    return _handle_resource_replacement


def _link_with_insert(original: Any) -> Any:
    from heat.common import exception
    from heat.db import api
    from oslo_db import exception as db_exception

    def resource_create_replacement(
        context: Any, existing_res_id: Any, new_res_values: Any, atomic_key: Any, expected_engine_id: Any = None
    ) -> Any:
        try:
            with api.context_manager.writer.independent.using(context):
                made = api._resource_create(context, new_res_values)
                if not api._resource_update(
                    context, existing_res_id, {"replaced_by": made.id}, atomic_key, expected_engine_id=expected_engine_id
                ):
                    raise exception.UpdateInProgress(resource_name=new_res_values.get("name"))
        except db_exception.DBReferenceError:
            return None
        return made

    return api.retry_on_db_error(api.context_manager.writer(resource_create_replacement))


def _clear_links(original: Any) -> Any:
    from heat.db import api, models

    def resource_purge_deleted(context: Any, stack_id: Any) -> None:
        rows = context.session.query(models.Resource).filter_by(stack_id=stack_id)
        gone = [row.id for row in rows.filter_by(action="DELETE", status="COMPLETE")]
        for link in ("replaces", "replaced_by") if gone else ():
            rows.filter(getattr(models.Resource, link).in_(gone)).update(
                {link: None, "updated_at": models.Resource.updated_at}, synchronize_session=False
            )
        context.session.expire_all()
        original(context, stack_id)

    return api.retry_on_db_error(api.context_manager.writer(resource_purge_deleted))


# ------------------------------------------------------------------------------------------------------------- the table

STORE = "heat.engine.resource:Resource._store_with_lock"

NOT_TRIED_AGAIN = (
    ("raw_template_create", "(context, values)", "C-1, CV-4"), ("raw_template_delete", "(context, template_id)", "PG-5"),
    ("stack_create", "(context, values)", "C-1"), ("stack_delete", "(context, stack_id)", "PG-7"),
    ("user_creds_create", "(context)", "C-1"), ("user_creds_delete", "(context, user_creds_id)", "PG-7"),
    ("resource_create", "(context, values)", "SU-3a"), ("resource_delete", "(context, resource_id)", "RD-2"),
    ("resource_update_and_save", "(context, resource_id, values)", "SU-3b, RC-4, W-8"),
    ("resource_attr_data_delete", "(context, resource_id, attr_id)", "LK-3"),
    ("resource_prop_data_create_or_update", "(context, values, rpd_id=None)", "RC-2, RU-10"),
    ("sync_point_delete_all_by_stack_and_traversal", "(context, stack_id, traversal_id)", "CV-7, PG-6, SV-3"),
)  # fmt: skip
"""Functions of heat/db/api.py that write and are no retry_on_db_error: name, signature, steps."""

CURES: tuple[Cure, ...] = (
    Cure("rollback-makes-what-is-gone",
         "a rollback gives the row of a resource that has to be made again the action ROLLBACK instead of INIT; such a row is taken for one"
         " that was made, found unchanged, and never made",
         "the row of a resource that has none begins as INIT, whatever the stack does",
         (Patch("heat.engine.resource:Resource.__init__", "(self, name, definition, stack)", "SU-3a", stacks.init_not_rollback),)),
    Cure("cleanup-leaves-a-tombstone",
         "cleanup deletes the row of a resource that was never made by its key alone, although a worker is making it or a newer graph has it",
         "it is made a tombstone under the lock's condition instead, as rows of resources that were made are",
         (Patch("heat.engine.resource:Resource.delete_convergence", "(self, template_id, engine_id, timeout, progress_callback=None)",
                "RD-2", _tombstone),)),
    Cure("what-is-replaced-goes",
         "cleanup leaves whatever has the template that the stack goes to, also a failed resource that was replaced on the way back to that same"
         " template",
         "what has been replaced by a row of that template, perhaps by way of others, goes, once that is made",
         (Patch("heat.engine.resource:Resource.delete_convergence", "(self, template_id, engine_id, timeout, progress_callback=None)",
                "RD-1", _replaced_goes),)),
    Cure("unchanged-knows-what-it-requires",
         "an update that replaces what an unchanged resource depends on leaves the row of that with the old dependency; a delete then goes in the"
         " wrong order",
         "the row of an unchanged resource takes over what it requires by now, with the template",
         (Patch("heat.engine.resource:Resource.update_convergence",
                "(self, template_id, new_requires, engine_id, timeout, new_stack, progress_callback=None)", "RU-6", _with_requires),)),
    Cure("release-in-spite-of-signals",
         "a write of metadata to a locked row makes the holder lose its release, and nobody ever releases the lock",
         "a release that loses is tried again with the version that is there, as long as the lock is the holder's",
         (Patch(STORE, "(self, rs, lock)", "LK-4", _release_again),)),
    Cure("lock-not-with-an-old-copy",
         "a worker that could not lock takes over the version of the row that is there by now, but not the row, and goes on with what it decided"
         " from its old copy: it deletes what has just been updated",
         "it gives up if the template or the state of the row is another than it has loaded",
         (Patch("heat.engine.resource:Resource._load_data", "(self, resource)", "W-4", _remember),
          Patch("heat.engine.resource:Resource._incr_atomic_key", "(self, last_key)", "LK-1, LK-4", _own_version),
          Patch(STORE, "(self, rs, lock)", "LK-2", _not_with_an_old_copy))),
    Cure("unhealthy-in-one-write",
         "marking a resource unhealthy takes the lock, and a message that meets it is dropped: nobody wakes the traversal",
         "the mark is one conditional write that takes no lock, so that who loses to it tries again",
         (Patch("heat.engine.service:EngineService.resource_mark_unhealthy",
                "(self, cnxt, stack_identity, resource_name, mark_unhealthy, resource_status_reason=None)", "8.3", _mark_at_once),)),
    Cure("unhealthy-only-what-was-made",
         "a resource that was never made can be marked unhealthy; it is then replaced, and its row stays, since it has no cleanup node",
         "the request is refused with ResourceNotAvailable, as a signal to such a resource is",
         (Patch("heat.engine.service:EngineService.resource_mark_unhealthy",
                "(self, cnxt, stack_identity, resource_name, mark_unhealthy, resource_status_reason=None)", "8.3", _refuse_unmade),)),
    Cure("lock-only-in-the-current-traversal",
         "a worker compares the traversal before it locks, on what it read then, and works on under a lock that it takes later",
         "the write that takes the lock demands that the traversal still owns the stack",
         (Patch(STORE, "(self, rs, lock)", "LK-1, LK-2, RU-6", _fenced),
          Patch("heat.db.api:resource_update", "(context, resource_id, values, atomic_key, expected_engine_id=None)", "LK-1, RU-6",
                _only_for_the_owner))),
    Cure("one-replacement-a-traversal",
         "a node that is triggered twice is replaced twice: nobody looks whether a replacement for this template is there already",
         "before a replacement is made one looks for one that is linked with this row, in either direction, and has this template; if it is made"
         " already, those behind it are told once more; the row of a replacement and the link to it are written both or neither",
         (Patch("heat.objects.resource:Resource.replacement",
                "(cls, context, existing_res_id, new_res_values, atomic_key=0, expected_engine_id=None)", "RP-2, RP-3", _one_replacement),
          Patch("heat.engine.check_resource:CheckResource._handle_resource_replacement",
                "(self, cnxt, current_traversal, new_tmpl_id, requires, rsrc, stack, adopt_stack_data)", "RP-4, PR-3", _tell_those_behind),
          Patch("heat.db.api:resource_create_replacement",
                "(context, existing_res_id, new_res_values, atomic_key, expected_engine_id=None)", "RP-2", _link_with_insert))),
    Cure("replacement-and-link-together",
         "the row of a replacement is committed before one looks whether it could be linked, and stays if not",
         "the exception is raised inside the transaction, so that the row goes with it",
         (Patch("heat.db.api:resource_create_replacement",
                "(context, existing_res_id, new_res_values, atomic_key, expected_engine_id=None)", "RP-2", _link_with_insert),)),
    Cure("keep-a-template-that-is-referred-to",
         "the previous template is deleted after COMPLETE was written; where a row still refers to it, the stack is declared failed",
         "the template is left where the foreign key refuses",
         (Patch("heat.db.api:raw_template_delete", "(context, template_id)", "PG-5", stacks.keep_template),)),
    Cure("lost-operations-are-refused",
         "an operation that loses the stack to another is accepted, does nothing, and leaves its template behind",
         "it is refused with ActionInProgress, and its template deleted",
         (Patch("heat.engine.stack:Stack.converge_stack",
                "(self, template, action='UPDATE', new_stack=None, pre_converge=None, new_traversal_id=None, abandon=False)",
                "CV-5", stacks.refuse_lost),)),
    Cure("a-stale-previous-template-loses",
         "an operation that loaded the stack before the one before it completed writes back the previous template, which is deleted by now, and"
         " ends in an internal error",
         "it loses the stack, as any operation does that was overtaken",
         (Patch("heat.db.api:stack_update", "(context, stack_id, values, exp_trvsl=None)", "CV-5", stacks.stale_template_loses),)),
    Cure("superseded-set-up-stops",
         "a set-up that is superseded goes on to insert rows and sync points that nobody deletes, and rewrites rows that others have made",
         "each such write of a set-up demands in its transaction that the traversal still owns the stack",
         (Patch("heat.engine.stack:Stack._update_or_store_resources", "(self)", "SU-3", stacks.fenced_rows),
          Patch("heat.db.api:resource_create", "(context, values)", "SU-3a", stacks.fenced_insert),
          Patch("heat.db.api:sync_point_create", "(context, values)", "SU-6, SU-7", stacks.fenced_sync_point),
          Patch("heat.db.api:resource_update_and_save", "(context, resource_id, values)", "SU-3b", stacks.fenced_update),
          Patch("heat.engine.stack:Stack._converge_create_or_update", "(self, pre_converge=None, abandon=False)", "SU-9",
                stacks.stops_where_superseded))),
    Cure("rollback-only-while-in-progress",
         "a rollback that is asked for as the update completes makes the stack UPDATE_IN_PROGRESS again, and then cannot start, since the template"
         " to go back to is gone",
         "the rollback is published in one write, which demands that the stack still is in the state that was loaded",
         (Patch("heat.engine.stack:Stack.rollback", "(self)", "RB-3", stacks.one_write_rollback),
          Patch("heat.db.api:stack_update", "(context, stack_id, values, exp_trvsl=None)", "CV-5", stacks.only_in_state))),
    Cure("rollback-to-what-last-held",
         "an update that overtakes another, or follows one that failed, takes the template of that as the one to go back to, whether or not it was"
         " ever reached",
         "it keeps the way back of the one before, unless that was COMPLETE, and the overtaken template goes if no row has it; of two rows of a"
         " name, one that is replaced does not come first for being of the way back",
         (Patch("heat.engine.stack:Stack.converge_stack",
                "(self, template, action='UPDATE', new_stack=None, pre_converge=None, new_traversal_id=None, abandon=False)",
                "CV-1", stacks.keep_what_held),
          Patch("heat.db.api:stack_update", "(context, stack_id, values, exp_trvsl=None)", "CV-5", stacks.way_back_of_the_row),
          Patch("heat.engine.stack:Stack._get_best_existing_rsrc_db", "(self, rsrc_name)", "SU-3", stacks.choose_what_is_not_replaced))),
    Cure("only-what-runs-fails",
         "a message that comes late and finds its row gone declares the stack failed, though the operation is COMPLETE",
         "FAILED is not written over COMPLETE",
         (Patch("heat.engine.stack:Stack.mark_failed", "(self, failure_reason)", "MF-1", stacks.fail_only_what_runs),
          Patch("heat.db.api:stack_update", "(context, stack_id, values, exp_trvsl=None)", "MF-1", stacks.unless_complete))),
    Cure("made-before-unmade",
         "an update that takes back a replacement which is not made yet makes it nevertheless, and deletes the healthy resource that was to be"
         " replaced",
         "a row for which nothing was made gives way to the one that it is to replace, if that is well",
         (Patch("heat.engine.stack:Stack._get_best_existing_rsrc_db", "(self, rsrc_name)", "SU-3", stacks.made_before_unmade),)),
    Cure("no-cycle-of-cleanups",
         "where an update that turns a dependency around fails or is overtaken, the old copy of a resource, its replacement and what is between"
         " them are to be cleaned up in a circle: no operation on the stack can begin any more, not even a delete",
         "a replacement is cleaned up before the old copy only where what they require does not say otherwise",
         (Patch("heat.engine.stack:Stack._compute_convg_dependencies",
                "(self, existing_resources, current_template_deps, current_resources)", "G-3, G-4", stacks.no_cycle),)),
    Cure("definitions-are-kept",
         "a signal to a resource that the template no longer has ends in an internal error, since nobody keeps the definition that it was made"
         " with",
         "the stack keeps the definitions that it loads for such resources",
         (Patch("heat.engine.stack:Stack._resource_from_db_resource", "(self, db_res, stk_def_cache=None)", "8.1",
                stacks.keep_definitions),)),
    Cure("made-is-no-tombstone",
         "a message of an old traversal for a replacement that the new one does not update makes the row of that a tombstone, also where it is"
         " made: nobody deletes what was made",
         "only a row for which nothing was made becomes a tombstone so",
         (Patch("heat.engine.worker:WorkerService._retrigger_replaced", "(self, is_update, rsrc, stack, check_resource)", "ST-2",
                stacks.only_unmade_go),)),
    Cure("cancelled-tries-again",
         "a notice that is to stop the workers of an old traversal and comes late stops one of the delete that sent it, and nobody does its work",
         "who is stopped though its traversal still owns the stack sends its message once more",
         (Patch("heat.engine.check_resource:CheckResource._do_check_resource",
                "(self, cnxt, current_traversal, tmpl, resource_data, is_update, rsrc, stack, adopt_stack_data)", "DO-5",
                stacks.remembers_its_message),
          Patch("heat.engine.check_resource:CheckResource._retrigger_new_traversal",
                "(self, cnxt, current_traversal, is_update, stack_id, rsrc_id)", "RN-1", stacks.cancelled_tries_again))),
    Cure("cancelled-sync-points-go",
         "a cancel that is overtaken between its two writes does not delete the sync points of the traversal that it has stopped",
         "it deletes them as soon as it has stopped the traversal",
         (Patch("heat.engine.worker:_stop_traversal", "(stack)", "SV-2, SV-3", stacks.forget_first),)),
    Cure("overtaken-templates-go",
         "an operation that overtakes another forgets the template that the one before could have gone back to; nobody deletes it",
         "it is deleted with the write that forgets it, if no row has it or, being locked, may come to have it",
         (Patch("heat.db.api:stack_update", "(context, stack_id, values, exp_trvsl=None)", "CV-5", stacks.drop_the_overtaken),)),
    Cure("no-template-for-what-is-deleted",
         "an update that finds the stack deleted when it is to be stored leaves its template behind",
         "the template is deleted before the caller is told that the stack is not there",
         (Patch("heat.engine.stack:Stack.converge_stack",
                "(self, template, action='UPDATE', new_stack=None, pre_converge=None, new_traversal_id=None, abandon=False)",
                "CV-5", stacks.no_template_for_the_deleted),)),
    Cure("writes-are-tried-again",
         "a transaction that the database gives up because of a deadlock is tried again by some functions of db/api.py and not by others; what"
         " comes after it is then left out, such as the release of a lock",
         "all that write are tried again",
         tuple(Patch(f"heat.db.api:{name}", signature, steps, retries.tried_again) for name, signature, steps in NOT_TRIED_AGAIN)),
    Cure("writers-know-what-they-wrote",
         "a conditional write whose connection is lost after the commit is tried again and finds that the condition does not hold any more: its"
         " own doing is taken for another's",
         "a write that was begun more than once and matches nothing looks whether what is there is what it wrote",
         (Patch("heat.db.api:_truncate_status_reason", "(values)", "LK-1, CV-5", retries.count_attempts),
          Patch("heat.db.api:resource_update", "(context, resource_id, values, atomic_key, expected_engine_id=None)", "LK-1, LK-4, RU-6",
                retries.row_knows_its_writer),
          Patch("heat.db.api:stack_update", "(context, stack_id, values, exp_trvsl=None)", "CV-5, SU-5", retries.stack_knows_its_writer))),
    Cure("purge-clears-links",
         "the purge deletes tombstones that other rows say they replace, or are replaced by",
         "these links are cleared in the same transaction",
         (Patch("heat.db.api:resource_purge_deleted", "(context, stack_id)", "PG-1", _clear_links),)),
)  # fmt: skip


def known() -> dict[str, Cure]:
    """The patches by name."""
    return {cure.name: cure for cure in CURES}


__all__ = ["CURES", "known"]
