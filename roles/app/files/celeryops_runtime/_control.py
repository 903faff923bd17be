"""What a worker tells about itself when an operator asks."""

from __future__ import annotations

import os
from copy import copy
from datetime import datetime
from typing import Any

from celery.utils.quorum_queues import detect_quorum_queues

from celeryops_runtime import __version__
from celeryops_runtime._events import sends_task_events
from celeryops_runtime._live import live_values
from celeryops_runtime._stamp import waits


def celeryops(state: Any) -> dict[str, Any]:
    """Release, configuration and runtime of this worker, and what was set live for its pool."""
    return {
        "release": os.environ.get("CELERYOPS_RELEASE"),
        "config": os.environ.get("CELERYOPS_CONFIG"),
        "runtime": __version__,
        "live": live_values(state.hostname),
        "events": sends_task_events(state.consumer),
        "applies_time_limits": True,
        "waits": waits(state.consumer),
    }


def celeryops_route(state: Any, task_name: str, queue: str | None = None) -> dict[str, Any]:
    """Where this app would send a task without arguments, and how.

    With `queue`, as if the task were sent to it. `delayed_key` is the routing key of the queue for
    a task with an ETA, where the broker holds such tasks until then; None where workers hold them.
    """
    app = state.app
    task = app.tasks.get(task_name)
    own = task._get_exec_options() if task else {}
    given = {name: value for name, value in own.items() if value is not None}
    if queue is not None:
        given["queue"] = queue
    # A copy, since a route to a queue that the app doesn't know adds it, and a worker that was
    # started without a list of queues would consume from it after its next reconnection.
    queues = copy(app.amqp.queues)
    options = app.amqp.Router(queues).route(given, task_name, (), {}, task)
    expires = options.get("expires")
    return {
        "registered": task is not None,
        **_destination(app, options),
        "delayed_key": _delayed_key(app, state.consumer, options.get("queue")),
        "serializer": options.get("serializer") or app.conf.task_serializer,
        "priority": options.get("priority"),
        "expires": expires.isoformat() if isinstance(expires, datetime) else expires,
        "ignore_result": bool(task and task.ignore_result),
    }


def _destination(app: Any, options: dict[str, Any]) -> dict[str, str | None]:
    """What Celery's AMQP.send_task_message makes of a route."""
    queue = options.get("queue")
    exchange, key = options.get("exchange"), options.get("routing_key")
    kind = queue.exchange.type if queue else "direct"
    if kind == "direct" and queue and not (exchange and key):
        exchange, key = "", queue.name
    elif exchange is None and queue:
        exchange = queue.exchange.name or app.amqp.default_exchange.name
        key = key or queue.routing_key
    return {
        "queue": queue.name if queue else None,
        "exchange": getattr(exchange, "name", exchange),
        "exchange_type": options.get("exchange_type") or kind,
        "routing_key": key or app.conf.task_default_routing_key,
    }


def _delayed_key(app: Any, consumer: Any, queue: Any) -> str | None:
    # Whether others are bound to the delay isn't known, and an unbound one loses its tasks.
    if queue is None or queue.name not in app.amqp.queues.consume_from:
        return None
    if queue.exchange.type == "direct":
        return None
    quorum, _name = detect_quorum_queues(app, consumer.connection.transport.driver_type)
    return queue.routing_key if quorum else None
