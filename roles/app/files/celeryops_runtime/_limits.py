"""Has an operator's command change the time limits of a task."""

from __future__ import annotations

from typing import Any

from celery.worker import control


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
