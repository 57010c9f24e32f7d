"""The worker: one check_resource message. heat-algorithm.md sections 5.1 to 5.4, 5.8, 5.10 and 5.11."""

from __future__ import annotations

from heatproof.model.designs.heat.ending import load_stack, read_anew
from heatproof.model.designs.heat.resource import (
    Cancelled,
    Job,
    Resource,
    ResourceFailure,
    TimedOut,
    UpdateInProgress,
    UpdateReplace,
)  # fmt: skip
from heatproof.model.designs.heat.sync import NONE, Failures, decode, failed_too, senders
from heatproof.model.designs.heat.values import (
    CHECK,
    DELETE,
    FAILED,
    IN_PROGRESS,
    INIT,
    RESOURCE,
    TEMPLATE,
    C,
    Data,
    ResourceRow,
    StackCopy,
    U,
    full,
)  # fmt: skip
from heatproof.model.effects import (
    Escape,
    Expired,
    ForeignKeyError,
    Handler,
    Listen,
    Me,
    Probe,
    Read,
    Send,
    Transaction,
)  # fmt: skip
from heatproof.model.templates import ResourceDef, Template


class Worker(Resource):
    """W, ST, CK, DO, UP, FH."""

    def check_resource(
        self,
        me: Me,
        rid: str,
        kind: str,
        traversal: str,
        data: Data = frozenset(),
        skip: bool = False,
        failures: Failures = NONE,
    ) -> Handler:
        """5.1, 5.2 (worker.py:check_resource). W-1 is the delivery."""
        row = yield Read("W-4", RESOURCE, rid)
        if row is None:
            return
        loaded, content = yield Transaction("W-5", load_stack, (row.stack,), reads_only=True)
        st = StackCopy(loaded)
        before = yield from self.definition_before(row, kind, traversal, st, content)
        if before is False:
            return
        if traversal != st.traversal:  # W-7
            yield from self.retrigger_replaced(row, kind, st)
            return
        yield Listen("W-8", st.id)
        job = Job(me, traversal, kind, row, st, before, content.get(row.name), decode(data), senders(data))
        yield from self.check_node(job, content, data, skip, failures)

    def definition_before(self, row: ResourceRow, kind: str, traversal: str, st: StackCopy, content: Template) -> Handler:
        """W-6: the definition that the row was last brought to; False if its template is gone."""
        if row.template == st.template or (row.action == INIT and kind == U and traversal == st.traversal):
            return content.get(row.name)
        own = yield Read("W-6", TEMPLATE, row.template)
        if own is None:
            return False
        definition: ResourceDef | None = own.content.get(row.name)
        return definition

    def retrigger_replaced(self, row: ResourceRow, kind: str, st: StackCopy) -> Handler:
        """5.2 (worker.py:_retrigger_replaced)."""
        if (row.id, kind) in st.graph or row.replaces is None:
            return  # ST-1
        yield from self.write_blind("ST-2", row.id, {"action": DELETE})
        yield from self.retrigger(row.replaces, kind, st.row)  # ST-3

    # -------------------------------------------------------------------------------------------------------- 5.3 check

    def check_node(self, job: Job, content: Template, data: Data, skip: bool, failures: Failures) -> Handler:
        """5.3 (check_resource.py:check)."""
        st, me = job.st, job.me
        if st.status == IN_PROGRESS and st.timeout:  # CK-1
            expired = yield Expired("CK-1", job.traversal)
            if expired:
                yield from self.mark_failed(me, st, "Timed out", threads=False)
                return
        try:
            done = True
            if not skip:  # CK-2
                done, skip, failures = yield from self.do_check(job, data, failures)  # CK-3
            if done:  # CK-4
                yield from self.propagate(job, content, skip, failures)
        except Escape as error:
            yield from self.check_raised(job, error)  # CK-5
            raise

    def check_raised(self, job: Job, error: Escape) -> Handler:
        """CK-5: any exception whatsoever."""
        yield from self.failure(job, str(error), NONE)

    def do_check(self, job: Job, data: Data, failures: Failures) -> Handler:
        """5.4 (check_resource.py:_do_check_resource): (done?, skip the rest?, failures)."""
        loaded = job.row  # DO-0: the template as loaded
        try:
            yield from self.dispatch(job)
            return True, False, failures
        except UpdateReplace:
            yield from self.replace(job, data)
        except UpdateInProgress:
            yield from self.could_not_lock(job, loaded.template, data)
        except ResourceFailure as error:
            return (yield from self.failure(job, str(error), failures))
        except TimedOut as error:
            return (yield from self.timed_out(job, str(error), failures))
        except Cancelled:
            yield from self.cancelled(job, data)
        return False, False, failures

    def dispatch(self, job: Job) -> Handler:
        """DO-1 to DO-4."""
        if job.st.action == CHECK:
            if job.kind == U:
                yield from self.check(job)
        elif job.kind == C:
            yield from self.cleanup(job)
        elif self.is_new(job):
            yield from self.create(job)
        else:
            yield from self.update(job)

    def is_new(self, job: Job) -> bool:
        """DO-3: nothing was ever made for the row."""
        return job.row.action == INIT

    def timed_out(self, job: Job, reason: str, failures: Failures) -> Handler:
        """DO-5: a timeout takes the ordinary path of failure."""
        return (yield from self.failure(job, reason, failures))

    def cancelled(self, job: Job, data: Data) -> Handler:
        """DO-5: who stops the workers is taken to have stopped the traversal."""
        yield from self.retrigger_new_traversal(job.row.id, job.kind, job.traversal, job.st)

    def failure(self, job: Job, reason: str, failures: Failures) -> Handler:
        """5.11a (check_resource.py:_handle_resource_failure)."""
        if job.st.action == CHECK:
            return True, True, failed_too(failures, frozenset({(job.row.name, reason)}))  # FH-1
        owned = yield from self.mark_failed(job.me, job.st, reason)  # FH-2
        if not owned:
            yield from self.retrigger_after_failure(job)
        return False, False, failures

    def retrigger_after_failure(self, job: Job) -> Handler:
        """FH-2: the stack is somebody else's."""
        yield from self.retrigger_new_traversal(job.row.id, job.kind, job.traversal, job.st)

    def replace(self, job: Job, data: Data) -> Handler:
        """5.8: make a replacement and have it checked."""
        try:
            made = yield from self.make_replacement(job)
        except ForeignKeyError:  # RP-5
            yield from self.retrigger_new_traversal(job.row.id, job.kind, job.traversal, job.st)
            return
        if made is not None:  # RP-6
            yield Send("RP-6", "check_resource", (made, job.kind, job.traversal, data))

    # --------------------------------------------------------------------------------------------- 5.10 could not lock

    def could_not_lock(self, job: Job, prev_template: str | None, data: Data) -> Handler:
        """5.10 (check_resource.py:_stale_resource_needs_retry)."""
        row = job.row
        fresh = yield Transaction("UP-1", read_anew, (row.id,), reads_only=True)
        if fresh is None:
            raise ResourceFailure(f"{row.id}: not found")
        again = False
        if fresh.engine is not None and fresh.engine != job.me.engine:
            alive = yield Probe("UP-2", fresh.engine)
            if not alive:
                yield from self.steal(job)
                again = True
        elif fresh.engine is None and fresh.template == prev_template:
            again = self.retry_after_bump()  # UP-3
        if again:
            yield Send("UP-4", "check_resource", (row.id, job.kind, job.traversal, data))

    def retry_after_bump(self) -> bool:
        """UP-3: the lock is free and the row is as it was: only its version moved."""
        return True

    def steal(self, job: Job) -> Handler:
        """UP-2a and UP-2b: take the lock of a dead engine away, both BLIND."""
        yield from self.write_blind("UP-2a", job.row.id, {"engine": None})
        yield from self.fail_stolen(job)

    def fail_stolen(self, job: Job) -> Handler:
        """UP-2b."""
        job.row = job.row._replace(status=FAILED)
        yield from self.write_blind("UP-2b", job.row.id, full(job.row))
        yield from self.clear_attributes(job, "UP-2b")
