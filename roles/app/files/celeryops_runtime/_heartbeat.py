"""Keeps the worker's heartbeat from holding up its loop."""

from __future__ import annotations

from typing import Any

from celery.worker.heartbeat import Heart


def send_heartbeats_once() -> None:
    """Have each heartbeat tried once; one that fails waits in the dispatcher's buffer.

    Celery retries it for ever, inside the worker's loop: while the broker is away, hangs or refuses
    the password, such a worker neither stops nor looks for its broker (Celery 5.5 to 5.7, seen on a
    stack of `retry_over_time` below `Heart._send`).
    """
    retrying = Heart._send

    def send(self: Heart, event: str, retry: bool = False) -> Any:  # noqa: ARG001
        return retrying(self, event, retry=False)

    Heart._send = send
