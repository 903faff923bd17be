# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""What RabbitMQ has of a queue that workers are about to consume from.

RabbitMQ answers a declaration that differs from what it has by closing the channel, of which a
worker dies. So it is tried here first, on a channel of its own, and only for what exists: nothing
is created. Other brokers have no such checks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

_DELAYS = "celery_delayed_delivery"
_NOT_FOUND = 404


def clash(connection: Any, name: str, definition: Mapping[str, Any]) -> str | None:
    """Why a worker can't declare a queue and its exchange like this; None if it can."""
    if connection.transport.driver_type != "amqp":
        return None
    for declare in (partial(_declare_queue, name), _declare_exchange):
        flaw = _flaw(connection, partial(declare, definition, True))
        if flaw is None:
            flaw = _flaw(connection, partial(declare, definition, False))
        elif flaw.code == _NOT_FOUND:
            continue
        if flaw is not None:
            return f"the broker says: {flaw.reply_text.partition(' - ')[2] or flaw.reply_text}"
    return None


def bind_to_delays(connection: Any, name: str, definition: Mapping[str, Any]) -> None:
    """Have RabbitMQ deliver tasks with a time to come to a queue that was added live.

    Workers bind only the queues that they start with, and what is published for a queue without
    that binding is lost.
    """
    if (
        connection.transport.driver_type != "amqp"
        or definition["exchange_type"] == "direct"
        or _flaw(connection, lambda channel: channel.exchange_declare(_DELAYS, "topic", True))
    ):
        return
    from kombu import Exchange, Queue
    from kombu.transport.native_delayed_delivery import (
        bind_queue_to_native_delayed_delivery_exchange,
    )

    exchange = Exchange(definition["exchange"], definition["exchange_type"])
    queue = Queue(name, exchange, definition["routing_key"])
    bind_queue_to_native_delayed_delivery_exchange(connection, queue)


def _declare_queue(name: str, definition: Mapping[str, Any], passive: bool, channel: Any) -> None:
    channel.queue_declare(
        queue=name,
        passive=passive,
        durable=definition["durable"],
        auto_delete=False,
        arguments=dict(definition["queue_arguments"]) or None,
    )


def _declare_exchange(definition: Mapping[str, Any], passive: bool, channel: Any) -> None:
    channel.exchange_declare(
        exchange=definition["exchange"],
        type=definition["exchange_type"],
        passive=passive,
        durable=definition["durable"],
        auto_delete=False,
    )


def _flaw(connection: Any, step: Callable[[Any], Any]) -> Any:
    """The error of a step on a channel of its own, which it closes; None without one."""
    with connection.channel() as channel:
        try:
            step(channel)
        except connection.channel_errors as error:
            return error
    return None
