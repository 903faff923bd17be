"""Has an operator's command change the limits of a task, and a worker start with what was kept."""

from __future__ import annotations

import json
import logging
from typing import Any

from celery.worker import control

from celeryops_runtime._live import live_values

LIMITS = ("rate_limit", "soft_time_limit", "time_limit")
# In the file of the pool: by task, the limits that were set live, and beside them those that the
# task had of its own.
KEPT = "CELERYOPS_TASK_LIMITS"

logger = logging.getLogger(__name__)
# By task, what the app and its settings say.
_declared: dict[str, dict[str, Any]] = {}


def time_limit(state: Any, task_name: str, hard: Any = None, soft: Any = None, **_: Any) -> Any:
    """Change the time limits of a task, from the next one of its kind on.

    Celery's own command notes and confirms them, while the worker goes on with those that it read
    when it began to consume.
    """
    reply = control.time_limit(state, task_name=task_name, hard=hard, soft=soft)
    task = state.app.tasks.get(task_name)
    if task is not None:
        state.consumer.strategies[task_name] = task.start_strategy(state.app, state.consumer)
    return reply


def celeryops_limits(state: Any, task_name: str) -> dict[str, Any]:
    """The limits that a task has of its own, whatever was set live."""
    if task_name not in state.app.tasks:
        return {"error": "unknown task"}
    return {"declared": _declared.get(task_name) or _limits(state.app.tasks[task_name])}


def apply_kept_limits(sender: Any, **_: Any) -> None:
    """Give the tasks of a worker that starts the limits that were set live before.

    Where a task's own have changed since, by the app or the inventory, these count.
    """
    tasks = sender.app.tasks
    _declared.update({name: _limits(task) for name, task in tasks.items()})
    for name, kept in json.loads(live_values(sender.hostname).get(KEPT, "{}")).items():
        if _declared.get(name) == kept["declared"]:
            for limit in LIMITS:
                setattr(tasks[name], limit, kept["live"][limit])
        else:
            logger.warning("The limits set live for %s don't count: its own have changed.", name)


def _limits(task: Any) -> dict[str, Any]:
    return {limit: getattr(task, limit) for limit in LIMITS}
