"""Since when a task waits: a stamp on each that is sent, and the waits that a worker has seen."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from celery import signals
from celery.utils.time import maybe_iso8601, maybe_make_aware

# The header's value is in seconds of Unix time. A retry sets it anew, and so does each task of a
# chain, while a task that the broker delivers again keeps it.
DUE = "celeryops_due"
# A topic exchange may see any number of routing keys.
MOST_ROUTES = 1000
DELAYED_EXCHANGES = "celery_delayed"
DELAYED_LEVELS = 28

# (exchange, routing key): (seconds that its last task waited, when that task came)
_waits: dict[tuple[str, str], tuple[float, float]] = {}


def stamp_tasks() -> None:
    """Have each task that this process sends carry the moment from which it waits."""
    signals.before_task_publish.connect(stamp)
    signals.task_received.connect(note_wait)


def stamp(headers: Any = None, body: Any = None, **_: Any) -> None:
    """Write the stamp: the present, or the task's ETA if that is later."""
    # Whatever is wrong with an ETA or with the headers, the task is to be sent.
    with suppress(Exception):
        headers[DUE] = now = time.time()
        # A task of the first version of Celery's protocol has its ETA in the body.
        eta = (headers if "task" in headers else body).get("eta")
        if eta:
            moment = maybe_make_aware(maybe_iso8601(eta))
            headers[DUE] = max(now, moment.timestamp())


def note_wait(request: Any = None, **_: Any) -> None:
    """Remember how long the task that has just come here waited in its queue."""
    with suppress(Exception):
        now = time.time()
        waited = now - request.request_dict[DUE]
        info = request.delivery_info
        route = info["exchange"], info["routing_key"]
        # A task with an ETA may be held here, and one that is delivered again was run meanwhile.
        if waited < 0 or info["redelivered"]:
            return
        if route in _waits or len(_waits) < MOST_ROUTES:
            _waits[route] = waited, now


def waits(consumer: Any) -> dict[str, dict[str, float]]:
    """How long the last task of each consumed queue waited, and how long ago it came."""
    now = time.time()
    found: dict[str, dict[str, float]] = {}
    for queue in consumer.task_consumer.queues:
        seen = [wait for route, wait in _waits.items() if _leads_to(queue, *route)]
        if seen:
            waited, came = max(seen, key=lambda wait: wait[1])
            found[queue.name] = {"wait": round(waited, 3), "ago": round(max(0.0, now - came), 3)}
    return found


def _leads_to(queue: Any, exchange: str, key: str) -> bool:
    if exchange == "":
        return bool(key == queue.name)
    if exchange.startswith(DELAYED_EXCHANGES):
        return bool(key.split(".", DELAYED_LEVELS)[-1] == queue.routing_key)
    return bool((exchange, key) == (queue.exchange.name, queue.routing_key))
