"""converge_stack and the set-up of a traversal. heat-algorithm.md sections 3, 4.1, 4.2 and 7.2."""

from __future__ import annotations

from heatproof.model.designs.heat.ending import Ending
from heatproof.model.designs.heat.values import (
    CHECK,
    COMPLETE,
    CREATE,
    DELETE,
    FAILED,
    IN_PROGRESS,
    INIT,
    RESOURCE,
    ROLLBACK,
    SYNC_POINT,
    TEMPLATE,
    C,
    GNode,
    Graph,
    ResourceRow,
    StackCopy,
    StackRow,
    SyncPointRow,
    TemplateRow,
    U,
    full,
)  # fmt: skip
from heatproof.model.effects import (
    Cancel,
    Delete,
    Escape,
    Handler,
    Insert,
    Me,
    Query,
    Send,
    Sleep,
    Spawn,
)  # fmt: skip
from heatproof.model.templates import EMPTY, Template

POLLS = 3  # SW-3: a poll every 5 s, 3 times


class NoThreads(Escape):
    """The stack object at hand has no thread manager (CK-1)."""


class CircularDependency(Escape):
    """The graph has a cycle (dependencies.CircularDependencyException)."""


class Setup(Ending):
    """CV, SU, the graph G, and SW."""

    def converge_stack(
        self,
        me: Me,
        st: StackCopy,
        action: str,
        traversal: str,
        goal: str | None = None,
        content: Template = EMPTY,
        rollback: bool | None = None,
        timeout: bool | None = None,
        from_worker: bool = False,
        threads: bool = True,
    ) -> Handler:
        """4.1 (stack.py:converge_stack). ``st`` is the stack as loaded earlier; ``goal`` the id of the goal template if it
        is stored already, ``content`` what it says; ``traversal`` the fresh id of CV-3."""
        old, state, traversal = st.traversal, (st.action, st.status), self.traversal_id(traversal, goal)
        try:
            if action != CHECK:
                st.content, st.made = content, False
                st.set(prev_template=self.previous_template(st, action), template=goal)  # CV-1
            st.set(action=action, status=IN_PROGRESS, reason=f"Stack {action} started", traversal=traversal)  # CV-2, CV-3
            if action != CREATE:
                st.set(updated_at=st.updated_at + 1)
            if rollback is not None:
                st.set(rollback=rollback)
            if timeout is not None:
                st.set(timeout=timeout or st.timeout)  # service.py:_prepare_stack_updates keeps a limit that is not set again
            if st.template is None:
                stored = yield Insert("CV-4", TEMPLATE, TemplateRow(f"t({traversal})", content))
                st.set(template=stored)
            matched = yield from self.publish_operation(st, old, state)
            if matched:
                yield from self.forget_sync_points(st, old)
                if not threads:
                    raise NoThreads("the stack has no thread manager")
                yield Spawn("CV-8", "converge_create_or_update", (st.row, content, from_worker, tuple(st.known.values())))
        except Escape as error:
            if st.status == IN_PROGRESS:  # CV-9: stack.py:reset_state_on_error
                yield from self.mark_failed(me, st, str(error), threads, from_worker)
            raise
        if not matched:
            yield from self.operation_lost(st)

    def publish_operation(self, st: StackCopy, expected: str, state: tuple[str, str]) -> Handler:
        """CV-5; ``state`` is the action and the status that the stack had when it was loaded."""
        return (yield from self.store_copy("CV-5", st, expected))

    def operation_lost(self, st: StackCopy) -> Handler:
        """CV-5: the stack was somebody else's; nobody is told."""
        yield from ()

    def forget_sync_points(self, st: StackCopy, old: str) -> Handler:
        """CV-7: the sync points of the traversal that is over."""
        if old:
            yield Delete("CV-7", SYNC_POINT, {"stack": st.id, "traversal": old})

    def traversal_id(self, fresh: str, goal: str | None) -> str:
        """CV-3: a traversal is known by an id of its own."""
        return fresh

    def previous_template(self, st: StackCopy, action: str) -> str | None:
        """CV-1: what becomes the previous template; whether the goal was ever reached does not matter."""
        return st.prev_template if action == CREATE else st.template

    def converge_create_or_update(
        self, me: Me, row: StackRow, content: Template, from_worker: bool, known: tuple[ResourceRow, ...] = ()
    ) -> Handler:
        """4.2 (stack.py:_converge_create_or_update), in a thread of its own; on the same copy of the stack, ``known`` with it."""
        st = StackCopy(row, content, known)
        try:
            rows = yield Query("SU-1", RESOURCE, {"stack": st.id}, unless={"action": DELETE, "status": COMPLETE})
            ext = {row.id: row for row in rows}
            taken: dict[str, ResourceRow] = {}  # SU-2: the rows whose ids the template's resources took over
            if not from_worker:
                taken = yield from self.rows_by_name("SU-2", st)
            current: dict[str, str] = {}  # SU-3: name -> the row chosen or inserted for it
            for name in content.dependents_first:
                best = self.best_existing(st, [row for row in rows if row.name == name])
                if best is not None:
                    current[name] = best.id
                elif name in taken:
                    again = taken[name]._replace(template=st.template)
                    yield from self.take_over_row(st, again)
                    current[name] = again.id
                else:
                    fresh = ResourceRow(
                        f"{name}@{st.traversal}", name, st.id, self.first_action(st), COMPLETE, st.template,
                        updated_at=st.updated_at,
                    )  # fmt: skip
                    current[name] = yield from self.insert_row(st, fresh)
            st.set(deps=self.graph(content, ext, current))
            yield from self.publish(me, st, content)
        except Escape as error:
            yield from self.setup_failed(me, st, error, from_worker)  # SU-9

    def first_action(self, st: StackCopy) -> str:
        """SU-3a: the action that a new row begins with."""
        return st.action if st.action in (ROLLBACK, DELETE) else INIT

    def take_over_row(self, st: StackCopy, row: ResourceRow) -> Handler:
        """SU-3b: BLIND."""
        yield from self.write_blind("SU-3b", row.id, full(row))

    def insert_row(self, st: StackCopy, row: ResourceRow) -> Handler:
        """SU-3a."""
        return (yield Insert("SU-3a", RESOURCE, row))

    def rows_by_name(self, step: str, st: StackCopy) -> Handler:
        """What the resources of the template take over when they are made: name to row, tombstones included, any one if there are several
        (stack.py:_db_resources_get). The rows are asked for again with every resource until there are any, and then never again."""
        taken: dict[str, ResourceRow] = {}
        for name in st.content.names:
            yield from self.rows_known(step, st)
            if name in st.known:
                taken[name] = st.known[name]
        st.made = True
        return taken

    def rows_known(self, step: str, st: StackCopy) -> Handler:
        """All rows of the stack, into memory."""
        if not st.known:
            found = yield Query(step, RESOURCE, {"stack": st.id})
            st.known = {row.name: row for row in found}

    def publish(self, me: Me, st: StackCopy, content: Template) -> Handler:
        """SU-5 to SU-8: the graph first, the sync points after it, then the leaves."""
        matched = yield from self.store_copy("SU-5", st, st.traversal)
        if not matched:
            return
        if st.action == DELETE:
            yield from self.stop_all_workers(me, st)  # SU-5b
        yield from self.insert_sync_points(st)
        if not st.graph.leaves:
            yield from self.mark_complete(me, st)
        for row, kind in st.graph.leaves:
            yield Send("SU-8", "check_resource", (row, kind, st.traversal))

    def insert_sync_points(self, st: StackCopy) -> Handler:
        """SU-6, SU-7. Heat sorts the graph as it goes: a cycle is met after the nodes that do not require it."""
        for row, kind in st.graph.order():
            yield from self.insert_sync_point("SU-6", SyncPointRow(row, st.traversal, kind, st.id))
        if st.graph.has_cycle:
            raise CircularDependency("the graph has a cycle")
        yield from self.insert_sync_point("SU-7", SyncPointRow(st.id, st.traversal, U, st.id))

    def insert_sync_point(self, step: str, row: SyncPointRow) -> Handler:
        """SU-6 and SU-7, one of them."""
        yield from self.retried(Insert(step, SYNC_POINT, row))

    def setup_failed(self, me: Me, st: StackCopy, error: Escape, from_worker: bool) -> Handler:
        """SU-9, where nothing has ended the traversal yet (stack.py:reset_state_on_error)."""
        if st.status == IN_PROGRESS:
            yield from self.mark_failed(me, st, str(error), from_worker=from_worker)
        raise error

    # ------------------------------------------------------------------------------------------------ section 3: graph

    def graph(self, content: Template, ext: dict[str, ResourceRow], current: dict[str, str]) -> Graph:
        """G-1 to G-7: the graph over the goal template's names (``current``: name to row) and all existing rows.

        Whether a row has an update node is found out by sorting the graph so far (``Dependencies`` is an iterable without ``__contains__``),
        so that a row without one meets a cycle of those before it. Raises :class:`CircularDependency` then.
        """
        nodes: set[GNode] = {(row, U) for row in current.values()}
        edges: set[tuple[GNode, GNode]] = {
            ((current[a], U), (current[b], U)) for a in content.names for b in content[a].requires()
        }  # G-1
        for row in ext.values():
            nodes.add((row.id, C))  # G-2
            edges.update(((other, C), (row.id, C)) for other in row.requires if other in ext)  # G-3
            if row.replaces in ext and row.replaces is not None:
                edges.add(((row.replaces, C), (row.id, C)))  # G-4
            if (row.id, U) in nodes:
                edges.add(((row.id, C), (row.id, U)))  # G-5
            elif Graph(nodes, edges).has_cycle:
                raise CircularDependency("the graph has a cycle")
        return Graph(nodes, edges)

    def best_existing(self, st: StackCopy, rows: list[ResourceRow]) -> ResourceRow | None:
        """Choose the row for a name (stack.py:_get_best_existing_rsrc_db); None if there is none."""
        return max(rows, key=lambda row: (self.score(st, row), row.updated_at), default=None)

    def score(self, st: StackCopy, row: ResourceRow) -> int:
        """How well a row serves the goal; a higher score is better."""
        score = 0
        if row.status == FAILED:
            score -= 30
        if row.action == DELETE:
            score -= 50
        if row.replaced_by is not None:
            score -= 1
        if row.template is not None and row.template == st.prev_template:
            score += 5
        if row.template == st.template:
            score += 10
        return score

    # -------------------------------------------------------------------------------------------- 7.2: stop the workers

    def stop_all_workers(self, me: Me, st: StackCopy) -> Handler:
        """7.2 (worker.py:stop_all_workers, _cancel_workers): tell every engine that locks a row of the stack, then wait a while."""
        locked = yield Query("SW-1", RESOURCE, {"stack": st.id}, unless={"engine": None})
        for engine in sorted({row.engine for row in locked}):
            if engine == me.engine:
                yield Cancel("SW-2", st.id)
            else:
                yield Send("SW-2", "cancel_check_resource", (st.id,), to=engine)
        for _ in range(POLLS):
            if not locked:
                return
            yield Sleep("SW-3")
            locked = yield Query("SW-3", RESOURCE, {"stack": st.id}, unless={"engine": None})

    def cancel_check_resource(self, me: Me, stack: str) -> Handler:
        """SW-4, in the engine that was told."""
        yield Cancel("SW-4", stack)
