# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""How tasks end, by the events that workers send."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

from ansible_collections.celeryops.cluster.plugins.module_utils._client import Client
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Broker
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._security import (
    Codec,
    RefusedError,
    codec,
)

EXCHANGE = "celeryev"
# A connection is made anew after so many seconds: one that is dead may look as if it were silent.
LISTEN_SECONDS = 300.0
RETRY_SECONDS = 2.0
READ_SECONDS = 0.5


class Outcomes:
    """Listens in a thread of its own, and connects again for as long as it takes."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._codec: Codec | None = None
        self._ended: SimpleQueue[bool] = SimpleQueue()
        self._closed = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def take(self) -> list[bool]:
        """Of each task that has ended since the last call, whether it failed."""
        taken = []
        with suppress(Empty):
            while True:
                taken.append(self._ended.get_nowait())
        return taken

    def close(self) -> None:
        """Stop listening."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.is_set():
            # Whoever looks at the cluster says what is wrong with the broker.
            with suppress(CeleryOpsError), Client(self._broker, LISTEN_SECONDS) as client:
                self._codec = self._codec or codec(self._broker)
                client.run(self._listen)
                continue
            self._closed.wait(RETRY_SECONDS)

    def _listen(self, connection: Any) -> None:
        from kombu import Consumer, Exchange, Queue

        # As workers declare it.
        kind = "fanout" if connection.transport.driver_type == "redis" else "topic"
        queue = Queue(
            f"{EXCHANGE}.{uuid4()}",
            Exchange(EXCHANGE, type=kind),
            routing_key="task.#",
            durable=False,
            exclusive=True,
            auto_delete=True,
        )
        consumer = Consumer(connection.channel(), [queue], on_message=self._receive, no_ack=True)
        consumer.accept = None
        until = time.monotonic() + LISTEN_SECONDS
        with consumer:
            while not self._closed.is_set() and time.monotonic() < until:
                with suppress(TimeoutError):
                    connection.drain_events(timeout=READ_SECONDS)

    def _receive(self, message: Any) -> None:
        if self._codec is None:
            return
        with suppress(RefusedError):
            for failed in outcomes(self._codec.decode(message)):
                self._ended.put(failed)


def outcomes(body: Any) -> Collection[bool]:
    """Of each task that has ended by a message with one or several events, whether it failed."""
    events = body if isinstance(body, list) else [body]
    kinds = [event.get("type") for event in events if isinstance(event, dict)]
    return [kind == "task-failed" for kind in kinds if kind in ("task-failed", "task-succeeded")]
