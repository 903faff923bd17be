"""Keeps a worker's events from waiting for RabbitMQ."""

from __future__ import annotations

from typing import Any

from celery.worker.consumer import Consumer


def send_events_unconfirmed() -> None:
    """Have no event wait until RabbitMQ confirms it, as `confirm_publish` has it for tasks.

    A worker with a gevent pool waits for ever for the confirmation of one of its heartbeats, and
    holds the lock that each event needs: it answers ping, receives a task and never runs it (Celery
    5.7 with py-amqp 5.4, seen on a stack of `basic_publish_confirm` below `Heart._send`). Others
    stand still for each event. Celery uses this connection for events alone.
    """

    def connection_for_write(self: Any, url: Any = None, heartbeat: Any = None) -> Any:
        connection = self.app.connection_for_write(url=url, heartbeat=heartbeat)
        connection.transport_options = {
            name: value
            for name, value in connection.transport_options.items()
            if name != "confirm_publish"
        }
        return self.ensure_connected(connection)

    Consumer.connection_for_write = connection_for_write
