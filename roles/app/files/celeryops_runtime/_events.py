"""Has an operator's command switch a worker's task events off."""

from __future__ import annotations

from typing import Any


def name_event_groups(sender: Any, **_: Any) -> None:
    """Name the groups of events that a worker sends.

    A worker that was started with task events on sends all groups, which Celery keeps as an empty
    set. It takes that for "off already" when it is told to switch them off, and goes on sending.
    """
    dispatcher = sender.event_dispatcher
    if dispatcher is not None and not dispatcher.groups:
        dispatcher.groups.update({"task", "worker"})


def sends_task_events(consumer: Any) -> bool:
    """Whether the worker sends events of its tasks."""
    dispatcher = consumer.event_dispatcher
    if dispatcher is None or not dispatcher.enabled:
        return False
    return not dispatcher.groups or "task" in dispatcher.groups
