# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""Pausing nodes until they are idle, and resuming them.

A paused node consumes from no queue, and still runs what it holds. Workers answer before they act,
so that every step is read back.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._changes import (
    POLL_INTERVAL,
    by_value,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._client import (
    READING_PATIENCE,
    Call,
    Client,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import (
    BrokerError,
    CeleryOpsError,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import listed

# Seconds. A task whose time comes within this is about to run.
ETA_MARGIN = 2.0
# Resuming may overrun the time-out: a node must not stay paused.
RESUME_SECONDS = 5.0
RESUME_AGAIN_AFTER = 1.0

# The queues of a node, as `active_queues` shows them.
Queues = Sequence[Mapping[str, Any]]


def pause(client: Client, queues: Mapping[str, Queues]) -> None:
    """Tell nodes to consume no more.

    Args:
        client: The client.
        queues: The queues that each node consumes from.
    """
    calls = [
        Call("cancel_consumer", {"queue": queue["name"]}, nodes)
        for queue, nodes in by_value(queues)
    ]
    client.call_all(calls, patience=READING_PATIENCE)


def idle_nodes(client: Client, nodes: Collection[str]) -> set[str]:
    """The paused nodes that neither run nor hold a task, and won't in a moment."""
    idle = _resting(client, "active_queues", nodes, lambda queues: not queues)
    if not idle:
        return idle
    # Held ETA tasks can be many, and they are asked for only when they matter. A task moves from
    # scheduled to reserved to active, so that it can't slip through in this order.
    now = datetime.now(timezone.utc)
    return _resting(client, "scheduled", idle, lambda tasks: not eta_is_near(tasks, now))


def resume(client: Client, queues: Mapping[str, Queues]) -> dict[str, str]:
    """Let nodes consume from their queues again, until it is seen or the time is over.

    Args:
        client: The client; this may overrun its deadline by `RESUME_SECONDS`.
        queues: The queues that each node consumed from.

    Returns:
        Why a node may still be paused, by node.
    """
    waiting = dict(queues)
    cause = ""
    with client.at_least(RESUME_SECONDS):
        while waiting and client.remaining() > 0:
            try:
                waiting = _still_paused(client, waiting)
            except BrokerError as error:
                cause = f" ({error.clause})"
            if waiting:
                client.wait(POLL_INTERVAL)
    return {
        node: f"may still be paused, since it didn't show that it consumes from "
        f"{listed(_names(wanted))} again{cause}: check it by celery_health, and restart its "
        "service if it is"
        for node, wanted in waiting.items()
    }


def eta_is_near(scheduled: Sequence[Mapping[str, Any]], now: datetime) -> bool:
    """Whether the time of a held ETA task has come, or will within `ETA_MARGIN`."""
    return any(_is_near(task["eta"], now) for task in scheduled if task["eta"])


@contextlib.contextmanager
def interruptions_raise(state: str) -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise an error, while by default they end Python at once.

    Args:
        state: What some nodes may not be at then.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, _frame: Any) -> None:
        raise CeleryOpsError(
            f"Interrupted by {signal.Signals(number).name}: some nodes may not be at {state}, "
            "run the module again."
        )

    previous = {
        number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _resting(
    client: Client, command: str, nodes: Collection[str], suits: Callable[[Any], bool]
) -> set[str]:
    """The nodes without active and reserved tasks whose answer to a further command suits."""
    calls = [Call(name, {}, nodes) for name in (command, "reserved", "active")]
    first, reserved, active = (
        replies.answers for replies in client.call_all(calls, patience=READING_PATIENCE)
    )
    answered = first.keys() & reserved.keys() & active.keys()
    return {
        node for node in answered if not reserved[node] and not active[node] and suits(first[node])
    }


def _still_paused(client: Client, queues: Mapping[str, Queues]) -> dict[str, Queues]:
    """Tell the nodes to consume; the ones that don't show it yet."""
    calls = [
        Call("add_consumer", _consumer_arguments(queue), nodes) for queue, nodes in by_value(queues)
    ]
    client.call_all(calls, patience=RESUME_AGAIN_AFTER)
    shown = client.call("active_queues", nodes=queues, patience=RESUME_AGAIN_AFTER).answers
    return {
        node: wanted
        for node, wanted in queues.items()
        if node not in shown or not _names(wanted) <= _names(shown[node])
    }


def _consumer_arguments(queue: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `add_consumer` that bring back a queue as `active_queues` showed it."""
    exchange = queue.get("exchange") or {}
    arguments = {
        "queue": queue["name"],
        "exchange": exchange.get("name"),
        "exchange_type": exchange.get("type"),
        "routing_key": queue.get("routing_key"),
        "durable": queue.get("durable"),
        "queue_arguments": queue.get("queue_arguments"),
    }
    return {name: value for name, value in arguments.items() if value is not None}


def _names(queues: Queues) -> set[str]:
    return {queue["name"] for queue in queues}


def _is_near(eta: str, now: datetime) -> bool:
    moment = datetime.fromisoformat(eta.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return moment <= now + timedelta(seconds=ETA_MARGIN)
