"""Where in Heat an activity stands: read off the call stack, told in Heat's own function names."""

from __future__ import annotations

from types import FrameType

from heatproof.model.effects import Body, Transaction

READS = ("get", "count", "list", "exists")
"""Words by which the functions of heat.db.api that only read are known."""

QUIET = {
    "event_create", "resource_data_get_all", "stack_tags_get", "stack_tags_delete", "user_creds_create", "user_creds_get",
    "user_creds_delete", "snapshot_get_all_by_stack",
}  # fmt: skip
"""Transactions that are done together with what comes before them: on tables that nothing in a scenario changes and the engine then
reads (events, plug-in data, tags, credentials, snapshots)."""

ENGINE = ("/heat/engine/", "/ports/heat/cures.py")
"""Where the code of Heat's engine is, and what patches put in its place."""
WAITERS = {"_wait_for_cancellation"}


class Call:
    """A function of ``heat.db.api`` as the body of a transaction: it is the engine that runs it."""

    def __init__(self, name: str):
        self.__name__ = name

    def __call__(self) -> Body:
        raise NotImplementedError(f"{self.__name__} is run by the engine itself")

    def __repr__(self) -> str:
        return self.__name__


_calls: dict[str, Call] = {}

TABLES = {
    "raw_template": "raw_template",
    "sync_point": "sync_point",
    "resource": "resource",
    "engine": "resource",
    "stack": "stack",
}
"""The table that a function of heat.db.api is about, by how its name begins."""
BESIDE = ("resource_data", "resource_prop_data", "raw_template_files", "stack_tags", "stack_lock", "resource_snapshot")
"""Beginnings of names of functions that are about other tables than these."""


def tables_of(name: str) -> frozenset[str]:
    """The tables of the model that a function of heat.db.api is about; none for one that is about others."""
    bare = name.lstrip("_")
    if bare.startswith(BESIDE):
        return frozenset()
    return frozenset(table for head, table in TABLES.items() if bare.startswith(head))


def reads_only(name: str) -> bool:
    """Whether a function of heat.db.api only reads."""
    return any(word in name for word in READS) and not any(word in name for word in ("create", "update", "set", "delete"))


def function(frame: FrameType | None) -> str:
    """The function of heat.db.api whose transaction is about to begin."""
    return _function(frame)[0]


def _function(frame: FrameType | None) -> tuple[str, FrameType | None]:
    name = ""
    while frame is not None and not name:
        code = frame.f_code
        if code.co_name == "wrapper" and (fn := frame.f_locals.get("fn")) is not None:
            name = fn.__name__
        elif code.co_filename.endswith("/heat/db/api.py"):
            name = code.co_name
        frame = frame.f_back
    return name, frame


def access(frame: FrameType | None) -> Transaction | None:
    """The transaction that is about to begin, as an effect; None for one that is no action of its own."""
    name, frame = _function(frame)
    if name in QUIET:
        return None
    call = _calls.setdefault(name, Call(name))
    return Transaction(f"{caller(frame)}/{name}", call, (), reads_only(name))


def quiet(name: str, frame: FrameType | None) -> Transaction:
    """A transaction of :data:`QUIET`, for where it is an action nevertheless."""
    return Transaction(f"{caller(frame)}/{name}", _calls.setdefault(name, Call(name)), (), False)


def caller(frame: FrameType | None) -> str:
    """The function of Heat's engine that is at work."""
    while frame is not None:
        if frame.f_code.co_filename.find(ENGINE[0]) >= 0 or frame.f_code.co_filename.endswith(ENGINE[1]):
            return frame.f_code.co_name
        frame = frame.f_back
    return "?"


def sleeping(frame: FrameType | None) -> str | None:
    """The step at which an activity sleeps until others have done something; None for a pause that some other point follows: between
    two polls of a plug-in, between two casts, before a database function is called again."""
    while frame is not None:
        code = frame.f_code
        if code.co_name in WAITERS:
            return code.co_name
        if "/tenacity/" in code.co_filename:
            return f"{caller(frame)}/retry"
        if ENGINE[0] in code.co_filename:
            return None
        frame = frame.f_back
    return None
