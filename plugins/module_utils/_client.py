# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""The control client: commands to worker nodes and their replies, within one deadline.

Kombu's own broadcast waits anew after each reply, stops at the first of two workers that share a
name, counts late replies to other calls, publishes again for ever when the broker goes away, and
sends a command with an empty list of nodes to all of them. Only its names, declarations and
message format are used here.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeVar
from uuid import uuid4

from ansible_collections.celeryops.cluster.plugins.module_utils._broker import (
    explain,
    no_answer,
    reachable,
    transport_options,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._commands import check_command
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Broker
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._replies import (
    DUPLICATE_GRACE,
    Gathering,
    Replies,
    all_duplicates,
)

T = TypeVar("T")

# A broker that is down or frozen is reported after this many seconds, however long the time-out.
CONNECT_SECONDS = 4.0
CLOSE_SECONDS = 1.0
# What a step may take longer than its own time-outs say before it is given up.
MARGIN_SECONDS = 0.5
# The library's time-out for one read starts again after each empty read, hence short reads.
READ_SECONDS = 0.05


@dataclass(frozen=True)
class Call:
    """A command for some nodes.

    Attributes:
        nodes: The nodes that should answer; None when the fleet isn't known.
        directed: Whether only these nodes get the command. An undirected one also reaches nodes
            that nobody expects.
    """

    command: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    nodes: Collection[str] | None = None
    directed: bool = True


class Client:
    """Sends commands over one connection, which is made when it is first needed.

    After a fault the connection is given up, and the next call makes a new one. A client serves
    one module call or one reading; it isn't safe for use by several threads at once.
    """

    def __init__(self, broker: Broker, timeout: float) -> None:
        """Start the clock.

        Args:
            broker: The broker to use.
            timeout: Seconds for everything: connecting, declaring, sending and waiting.
        """
        self._broker = broker
        self._deadline = time.monotonic() + timeout
        self._link: _Link | None = None
        # With those that were given up: their reply queues are deleted in the end.
        self._links: list[_Link] = []
        self._gatherings: dict[str, Gathering] = {}

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def duplicates(self) -> list[str]:
        """The names under which more than one worker has answered any call so far."""
        return all_duplicates(self._gatherings.values())

    def remaining(self) -> float:
        """Seconds until the deadline, at least 0."""
        return max(0.0, self._deadline - time.monotonic())

    @contextmanager
    def at_least(self, seconds: float) -> Iterator[None]:
        """Move the deadline for a while, if need be, so that at least some seconds remain."""
        deadline = self._deadline
        self._deadline = max(deadline, time.monotonic() + seconds)
        try:
            yield
        finally:
            self._deadline = deadline

    def wait(self, seconds: float) -> None:
        """Sleep, but not beyond the deadline."""
        time.sleep(min(seconds, self.remaining()))

    def call(
        self,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        nodes: Collection[str] | None = None,
        *,
        patience: float | None = None,
    ) -> Replies:
        """Send one command and wait for its replies.

        Args:
            command: A command of the table in `_commands`.
            arguments: Its arguments.
            nodes: The nodes that get it and should answer. None asks every worker, and the reply
                is complete after a quiet window; an empty list asks nobody.
            patience: Seconds to wait for silent nodes; until the deadline by default.

        Raises:
            BrokerError: The broker can't be reached or fails.
            ValueError: The command or an argument isn't in the table.
        """
        return self.call_all([Call(command, arguments or {}, nodes)], patience=patience)[0]

    def call_all(
        self,
        calls: Sequence[Call],
        *,
        patience: float | None = None,
        grace: float = DUPLICATE_GRACE,
    ) -> list[Replies]:
        """Send several commands at once and wait for all their replies.

        A worker handles its commands in the order of `calls`.

        Args:
            calls: The commands.
            patience: Seconds to wait for silent nodes; until the deadline by default.
            grace: Seconds to wait for a second worker of a name when all nodes have answered.

        Raises:
            BrokerError: The broker can't be reached or fails.
            ValueError: A command or an argument isn't in the table.
        """
        for call in calls:
            check_command(call.command, call.arguments)
        link = self._connected()
        seconds = self.remaining() if patience is None else min(patience, self.remaining())

        def send_and_gather() -> list[Gathering]:
            limit = time.monotonic() + seconds
            gatherings = [self._send(link, call, seconds) for call in calls]
            while True:
                over = max((g.over_at(limit, grace) for g in gatherings), default=0.0)
                left = over - time.monotonic()
                if left <= 0:
                    return gatherings
                link.read(min(left, READ_SECONDS))

        gatherings = self._bounded(send_and_gather, seconds + MARGIN_SECONDS)
        return [gathering.replies(time.monotonic()) for gathering in gatherings]

    def queue_sizes(self, names: Collection[str]) -> dict[str, int | None]:
        """The number of messages that wait in each queue; None for a queue that doesn't exist.

        On Redis, where an empty queue doesn't exist, it is 0, and all priorities are counted.

        Raises:
            BrokerError: The broker can't be reached or fails.
        """
        link = self._connected()
        return self._bounded(lambda: link.queue_sizes(names), self.remaining() + MARGIN_SECONDS)

    def close(self) -> None:
        """Delete the reply queues and close the connections, as far as the broker still answers."""
        self._link = None
        while self._links:
            _in_thread(self._links.pop().close, CLOSE_SECONDS)

    def _connected(self) -> _Link:
        if self._link is None:
            seconds = min(CONNECT_SECONDS, self.remaining())
            link = self._bounded(lambda: _Link(self._broker, seconds, self._receive), seconds)
            self._links.append(link)
            self._link = link
        return self._link

    def _send(self, link: _Link, call: Call, seconds: float) -> Gathering:
        ticket = str(uuid4())
        gathering = Gathering(call.nodes, time.monotonic())
        # Celery takes an empty list of nodes for "all of them".
        if call.nodes is None or call.nodes:
            self._gatherings[ticket] = gathering
            link.send(call, ticket, seconds)
        return gathering

    def _receive(self, ticket: str, reply: Mapping[str, Any]) -> None:
        if ticket in self._gatherings:
            self._gatherings[ticket].add(reply, time.monotonic())

    def _bounded(self, step: Callable[[], T], seconds: float) -> T:
        """Run a step of messaging, for at most some seconds.

        Neither the look-up of names nor the libraries' retries honour a time-out, hence the
        thread: it is left behind when its time is over, together with the connection.
        """
        link, self._link = self._link, None
        future = _in_thread(step, seconds)
        if not future.done():
            raise no_answer(self._broker, seconds)
        try:
            value = future.result()
        except CeleryOpsError:
            raise
        except ImportError as error:
            raise CeleryOpsError(
                f"{sys.executable} can't import the messaging library ({error}): install "
                "celery[redis] for it, or give `app` so that the environment of the app is used."
            ) from error
        except Exception as error:
            raise explain(error, self._broker) from error
        self._link = link
        return value


class _Link:
    """A connection with its reply queue; one thread at a time may use it."""

    def __init__(
        self, broker: Broker, seconds: float, receive: Callable[[str, Mapping[str, Any]], None]
    ) -> None:
        from kombu.connection import Connection
        from kombu.messaging import Consumer, Producer
        from kombu.pidbox import Mailbox

        place = reachable(broker, seconds)
        self._connection = Connection(
            # Sentinel needs all its places, and asks them itself.
            place.url if place and not broker.url.startswith("sentinel") else broker.url,
            ssl=broker.use_ssl or False,
            connect_timeout=seconds,
            transport_options=transport_options(broker, seconds),
        )
        try:
            self._connection.ensure_connection(max_retries=1, interval_start=0, timeout=seconds)
            self._channel = self._connection.channel()
            mailbox: Any = Mailbox(broker.exchange, type="fanout", connection=self._connection)
            self._exchange = mailbox.exchange
            self._serializer = broker.serializer
            self._producer = Producer(self._channel, auto_declare=False)
            self._replies = mailbox.reply_queue(self._channel)
            self._consumer = Consumer(
                self._channel,
                [self._replies],
                callbacks=[lambda body, message: receive(message.headers.get("ticket", ""), body)],
                accept=list(broker.accept),
                no_ack=True,
            )
            self._consumer.consume()
        except BaseException:
            self._connection.release()
            raise

    def send(self, call: Call, ticket: str, seconds: float) -> None:
        self._producer.publish(
            {
                "method": call.command,
                "arguments": dict(call.arguments),
                "destination": sorted(call.nodes) if call.nodes and call.directed else None,
                "pattern": None,
                "matcher": None,
                "ticket": ticket,
                "reply_to": {
                    "exchange": self._replies.exchange.name,
                    "routing_key": self._replies.routing_key,
                },
            },
            exchange=self._exchange.name,
            declare=[self._exchange],
            # Each worker takes over a clock that is ahead of its own, which this one never is.
            headers={"clock": 1, "expires": time.time() + seconds},
            serializer=self._serializer,
            retry=False,
        )

    def read(self, seconds: float) -> None:
        with suppress(TimeoutError):
            self._connection.drain_events(timeout=seconds)

    def queue_sizes(self, names: Collection[str]) -> dict[str, int | None]:
        return {name: self._queue_size(name) for name in sorted(names)}

    def _queue_size(self, name: str) -> int | None:
        # On Redis nothing is declared, and asking whether the queue exists ignores a key prefix.
        passive = self._connection.transport.driver_type != "redis"
        # A channel of its own, since RabbitMQ closes it when the queue doesn't exist.
        with self._connection.channel() as channel:
            try:
                return int(channel.queue_declare(queue=name, passive=passive).message_count)
            except self._connection.channel_errors:
                return None

    def close(self) -> None:
        try:
            self._consumer.cancel()
            self._channel.after_reply_message_received(self._replies.name)
        finally:
            self._connection.release()


def _in_thread(step: Callable[[], T], seconds: float) -> Future[T]:
    """Run a step in a thread, and come back when it is over or after some seconds."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(step())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    wait([future], seconds)
    return future
