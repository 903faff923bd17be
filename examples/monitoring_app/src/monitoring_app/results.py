"""The states of tasks, read from the result backend."""

from __future__ import annotations

from typing import Any, TypedDict

from celery.backends.redis import RedisBackend

from monitoring_app.celery import app


class TaskState(TypedDict):
    """What is known of a task; one that is not known at all is PENDING."""

    state: str
    result: Any  # what the task returned; None before that
    error: str | None  # the exception of a task that failed or is tried again


def read(task_ids: list[str]) -> dict[str, TaskState]:
    """The states of tasks by their ids: on Redis in one round trip, however many they are."""
    backend = app.backend
    if not isinstance(backend, RedisBackend):
        return {task_id: _state(backend.get_task_meta(task_id)) for task_id in task_ids}
    stored = backend.mget([backend.get_key_for_task(task_id) for task_id in task_ids])
    return {
        task_id: _state(backend.decode_result(value) if value else {"status": "PENDING"})
        for task_id, value in zip(task_ids, stored, strict=True)
    }


def _state(meta: dict[str, Any]) -> TaskState:
    state, result = meta["status"], meta.get("result")
    return TaskState(
        state=state,
        result=result if state == "SUCCESS" else None,
        error=f"{type(result).__name__}: {result}" if isinstance(result, BaseException) else None,
    )
