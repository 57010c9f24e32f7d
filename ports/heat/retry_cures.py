"""What the patches of transactions that fail put in the place of Heat's code; the table is in :mod:`cures`.

Functions of Heat are found when a patch runs, so that importing this module imports nothing of Heat.
"""

from __future__ import annotations

import functools
from typing import Any


def tried_again(original: Any) -> Any:
    from heat.db import api
    from oslo_db import api as retries
    from oslo_db.sqlalchemy import enginefacade

    @functools.wraps(original)
    def write(context: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(enginefacade._transaction_contexts_by_thread(context), "current", None) is not None:
            return original(context, *args, **kwargs)  # whoever began the transaction begins it again
        database = api.CONF.database
        again = retries.wrap_db_retry(
            max_retries=database.db_max_retries,
            retry_on_deadlock=True,
            retry_interval=database.db_retry_interval,
            inc_retry_interval=database.db_inc_retry_interval,
            max_retry_interval=database.db_max_retry_interval,
        )
        return again(original)(context, *args, **kwargs)

    return write


def count_attempts(original: Any) -> Any:
    def _truncate_status_reason(values: Any) -> Any:
        if (attempts := getattr(values, "attempts", None)) is not None:
            attempts.append(1)
        return original(values)

    return _truncate_status_reason


class Counted(dict[str, Any]):
    """What is to be written, with how often that was begun."""

    def __init__(self, values: Any):
        super().__init__(values)
        self.attempts: list[int] = []


def as_written(found: Any, values: Any) -> bool:
    """Whether what is there is what was to be written, in the columns that were asked for."""
    return all(getattr(found, name) == values.get(name, getattr(found, name)) for name in found._fields)


def row_knows_its_writer(original: Any) -> Any:
    from heat.db import api, models

    def resource_get_lock(context: Any, resource_id: Any) -> Any:
        columns = (models.Resource.engine_id, models.Resource.atomic_key, models.Resource.action, models.Resource.status)
        return context.session.query(*columns).filter_by(id=resource_id).first()

    there = api.context_manager.reader(resource_get_lock)

    def resource_update(context: Any, resource_id: Any, values: Any, atomic_key: Any, expected_engine_id: Any = None) -> Any:
        counted = Counted(values)
        if original(context, resource_id, counted, atomic_key, expected_engine_id):
            return True
        found = there(context, resource_id) if len(counted.attempts) > 1 else None
        return found is not None and found.atomic_key == (atomic_key or 0) + 1 and as_written(found, counted)

    return resource_update


def stack_knows_its_writer(original: Any) -> Any:
    from heat.db import api, models

    def stack_get_owner(context: Any, stack_id: Any) -> Any:
        columns = (models.Stack.current_traversal, models.Stack.action, models.Stack.status, models.Stack.raw_template_id)
        return context.session.query(*columns).filter_by(id=stack_id, deleted_at=None).first()

    there = api.context_manager.reader(stack_get_owner)

    def stack_update(context: Any, stack_id: Any, values: Any, exp_trvsl: Any = None) -> Any:
        counted = Counted(values)
        if original(context, stack_id, counted, exp_trvsl):
            return True
        found = there(context, stack_id) if len(counted.attempts) > 1 and "current_traversal" in counted else None
        return found is not None and as_written(found, counted)

    return stack_update
