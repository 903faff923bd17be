# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""One connection to the broker, with a reply queue of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any, Protocol, TypeVar

from ansible_collections.celeryops.cluster.plugins.module_utils._broker import (
    check_certificates,
    reachable,
    transport_options,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._canary import Door, canary
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Broker
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import BrokerError

T = TypeVar("T")

# The library's time-out for one read starts again after each part of a message, hence short reads.
READ_SECONDS = 0.05
# How long a read blocks in Redis before it is renewed, and how many replies it takes at most.
REDIS_READ_SECONDS = 1
REDIS_BATCH = 1000
# A worker looks up the reply queue and then writes to it: a reply between the two would bring a
# deleted queue back, for ever.
STRAGGLER_SECONDS = 0.05


def load_libraries(broker: Broker) -> None:
    """Import what a connection needs: on a busy host it takes longer than connecting."""
    for name in ("kombu.messaging", "kombu.pidbox"):
        import_module(name)
    from kombu.transport import resolve_transport

    resolve_transport(broker.url.partition("://")[0].partition("+")[0].lower())


class Link:
    """A connection with its reply queue; one thread at a time may use it."""

    def __init__(self, broker: Broker, seconds: float, receive: Callable[[Any], None]) -> None:
        """Connect and declare.

        Args:
            broker: The broker.
            seconds: How long connecting may take.
            receive: Takes each message of the reply queue, not yet decoded.
        """
        from kombu.messaging import Producer
        from kombu.pidbox import Mailbox

        self._connection = connect(broker, seconds)
        try:
            self._channel = self._connection.channel()
            self._mailbox: Any = Mailbox(
                broker.exchange, type="fanout", connection=self._connection
            )
            self._producer = Producer(self._channel, auto_declare=False)
            self._queue = self._mailbox.reply_queue(self._channel)
            # On Redis nothing is declared: a queue is there as long as it isn't empty.
            self._on_redis = self._connection.transport.driver_type == "redis"
            self._listeners: int | None = None
            if self._on_redis:
                _on_published(self._channel, self._note_listeners)
            self._inbox: _Inbox = (
                _RedisInbox(self._channel, self._queue, receive)
                if self._on_redis
                else _KombuInbox(self._connection, self._channel, self._queue, receive)
            )
        except BaseException:
            self._connection.release()
            raise

    def send(
        self,
        command: Mapping[str, Any],
        encode: Callable[[Any], tuple[str, str, Any]],
        seconds: float,
    ) -> int | None:
        """Publish a command, which workers ignore after some seconds.

        Returns:
            How many workers it has reached, on Redis, and None elsewhere.
        """
        self._listeners = None
        exchange = self._mailbox.exchange
        content_type, encoding, body = encode({**command, "reply_to": self._reply_to()})
        self._producer.publish(
            body,
            content_type=content_type,
            content_encoding=encoding,
            exchange=exchange.name,
            declare=[exchange],
            # Each worker takes over a clock that is ahead of its own, which this one never is.
            headers={"clock": 1, "expires": time.time() + seconds},
            retry=False,
        )
        return self._listeners

    def _note_listeners(self, listeners: int) -> None:
        self._listeners = listeners

    def send_canary(
        self,
        door: Door,
        ticket: str,
        encode: Callable[[Any], tuple[str, str, Any]],
        seconds: float,
    ) -> None:
        """Publish a task that replies like a command does."""
        headers, arguments = canary(ticket, self._reply_to(), seconds)
        content_type, encoding, body = encode(arguments)
        self._producer.publish(
            body,
            content_type=content_type,
            content_encoding=encoding,
            exchange=door.exchange,
            routing_key=door.routing_key,
            headers=headers,
            correlation_id=headers["id"],
            # RabbitMQ drops what lies in the queue of a node that died meanwhile.
            expiration=seconds,
            retry=False,
        )

    def _reply_to(self) -> dict[str, str]:
        return {
            "exchange": self._queue.exchange.name,
            "routing_key": self._queue.routing_key,
        }

    def read(self, seconds: float) -> None:
        """Receive what is there; where nothing is, wait for it for at most some seconds."""
        self._inbox.read(seconds)

    def mailboxes(self, nodes: Collection[str]) -> list[str]:
        """The nodes of which a mailbox stands on the broker."""
        names = {node: self._mailbox.get_queue(node).name for node in nodes}
        if self._on_redis:
            bound = {
                binding[-1] for binding in self._channel.get_table(self._mailbox.exchange.name)
            }
        else:
            bound = {name for name in names.values() if self._exists(name)}
        return sorted(node for node, name in names.items() if name in bound)

    def _exists(self, name: str) -> bool:
        with self._connection.channel() as channel:
            try:
                channel.queue_declare(queue=name, passive=True)
            except self._connection.channel_errors as error:
                # A worker's mailbox is its own: 405 says that it is there.
                return getattr(error, "code", 404) == 405
            return True

    def queue_sizes(self, names: Collection[str]) -> dict[str, int | None]:
        """The number of messages that wait in each queue; None for a queue that isn't there."""
        return {name: self._queue_size(name) for name in sorted(names)}

    def _queue_size(self, name: str) -> int | None:
        # On Redis, asking whether the queue exists ignores a key prefix.
        passive = not self._on_redis
        # A channel of its own, since RabbitMQ closes it when the queue doesn't exist.
        with self._connection.channel() as channel:
            try:
                return int(channel.queue_declare(queue=name, passive=passive).message_count)
            except self._connection.channel_errors:
                return None

    def run(self, step: Callable[[Any], T]) -> T:
        """Run a step with kombu's connection."""
        return step(self._connection)

    def close(self, *, complete: bool) -> None:
        """Delete the reply queue and disconnect.

        Args:
            complete: Whether no further reply is to be expected.
        """
        try:
            self._inbox.close(complete)
        finally:
            self._connection.release()


class _Inbox(Protocol):
    """The reply queue, declared; it passes its messages on."""

    def read(self, seconds: float) -> None:
        """Pass on what is there; where nothing is, wait for it."""

    def close(self, complete: bool) -> None:
        """Delete the queue."""


class _KombuInbox:
    """A reply queue as the library reads it: message by message."""

    def __init__(
        self, connection: Any, channel: Any, queue: Any, receive: Callable[[Any], None]
    ) -> None:
        from kombu.messaging import Consumer

        self._connection = connection
        self._channel = channel
        self._queue = queue
        self._consumer = Consumer(channel, [queue], on_message=receive, no_ack=True)
        self._consumer.accept = None
        self._consumer.consume()

    def read(self, seconds: float) -> None:
        with suppress(TimeoutError):
            self._connection.drain_events(timeout=min(seconds, READ_SECONDS))

    def close(self, complete: bool) -> None:  # noqa: ARG002
        self._consumer.cancel()
        self._channel.after_reply_message_received(self._queue.name)


class _RedisInbox:
    """A reply queue of which all messages that are there are read at once.

    The library asks Redis for each message anew, which costs more than the rest of a call to a
    large fleet.
    """

    def __init__(self, channel: Any, queue: Any, receive: Callable[[Any], None]) -> None:
        queue.declare()
        self._channel = channel
        self._queue = queue
        self._receive = receive
        self._key = channel.global_keyprefix + queue.name
        self._redis = _connection(channel.client.connection_pool)
        self._request = self._redis.pack_commands(
            [("BRPOP", self._key, REDIS_READ_SECONDS), ("RPOP", self._key, REDIS_BATCH)]
        )
        self._waiting = False

    def read(self, seconds: float) -> None:
        if not self._waiting:
            self._redis.send_packed_command(self._request)
            self._waiting = True
        if not self._redis.can_read(seconds):
            return
        first, more = self._redis.read_response(), self._redis.read_response()
        self._waiting = False
        for payload in [*(first or ())[1:], *(more or ())]:
            if (message := self._message(payload)) is not None:
                self._receive(message)

    def _message(self, payload: bytes) -> Any:
        """The message, or None for rubbish, which anybody who may use Redis can put there."""
        try:
            message = self._channel.Message(json.loads(payload), channel=self._channel)
        except (ValueError, LookupError, TypeError, AttributeError):
            return None
        return message if isinstance(message.headers, dict) else None

    def close(self, complete: bool) -> None:
        self._channel.after_reply_message_received(self._queue.name)
        if not complete:
            time.sleep(STRAGGLER_SECONDS)
            self._channel.client.delete(self._queue.name)


def _on_published(channel: Any, tell: Callable[[int], None]) -> None:
    """Have told to how many clients Redis sent a published message: the library throws it away."""
    make = channel.Client

    def note(listeners: int, **_options: Any) -> int:
        tell(listeners)
        return listeners

    def client(**options: Any) -> Any:
        made = make(**options)
        made.set_response_callback("PUBLISH", note)
        return made

    channel.Client = client


def connect(broker: Broker, seconds: float) -> Any:
    """A connection to the first place that listens and answers."""
    check_certificates(broker)
    failure: Exception | None = None
    for url, patience in _places(broker, seconds):
        try:
            return _connected(broker, url, patience)
        except Exception as error:
            failure = failure or error
    raise failure or BrokerError(f"The broker's URL in {broker.origin} names no place.")


def _places(broker: Broker, seconds: float) -> Iterator[tuple[str, float]]:
    """The URLs to try, each with the seconds for it."""
    places = reachable(broker, seconds)
    count = broker.url.count(";") + 1
    if broker.url.startswith("sentinel"):
        # Sentinel's transport needs all places, and asks them itself.
        next(places, None)
        yield broker.url, seconds
        return
    found = False
    for place in places:
        found = True
        yield place.url, seconds / count
    if not found:
        yield broker.url, seconds


def _connected(broker: Broker, url: str, seconds: float) -> Any:
    from kombu.connection import Connection

    connection = Connection(
        url,
        ssl=broker.use_ssl or False,
        connect_timeout=seconds,
        transport_options=transport_options(broker, seconds),
    )
    try:
        return connection.ensure_connection(max_retries=1, interval_start=0, timeout=seconds)
    except BaseException:
        connection.release()
        raise


def _connection(pool: Any) -> Any:
    """A connection of one's own; before 5.3, redis-py asks what command it is for."""
    from redis import VERSION

    return pool.get_connection(*(("BRPOP",) if VERSION < (5, 3, 0) else ()))
