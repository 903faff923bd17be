"""A simulated fleet: many worker nodes in few processes, on a real Redis.

Each node is a mailbox node of the messaging library, which dispatches a command as in a worker and
answers under its own name. What a worker does per node and the fleet does once per process: it
decodes a command once, and sends its nodes' replies on to Redis in groups. So 1,000 replies cost
it some 15 ms of two processors, and not the seconds that 1,000 workers would take there: a client
that is slow can't hide behind the fleet.
"""

from __future__ import annotations

import base64
import json
import selectors
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any
from uuid import uuid4

import kombu
import redis
from kombu.pidbox import Mailbox, Node
from kombu.utils.json import dumps

READY = "ready"
TRIAL = "trial"
GROUP = 100


class Fleet:
    """Nodes that listen as long as the context lasts."""

    def __init__(
        self,
        url: str,
        names: Sequence[str],
        *,
        processes: int = 2,
        listeners: bool = False,
        exchange: str = "celery",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Set the fleet up.

        Args:
            url: Where the Redis is.
            names: The nodes; a name that is there twice is a duplicate.
            processes: How many processes share the nodes.
            listeners: Whether Redis sends each command once for each node, as it does for workers,
                and not once for each process. What the others get is thrown away.
            exchange: The name before `.pidbox` of the control exchange.
            options: Transport options.
        """
        self._shares = [list(names[first::processes]) for first in range(processes)]
        self._settings = {
            "url": url,
            "exchange": exchange,
            "options": dict(options or {}),
            "listeners": listeners,
        }
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Fleet:
        for share in filter(None, self._shares):
            process = subprocess.Popen(
                [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            self._processes.append(process)
            assert process.stdin
            process.stdin.write(json.dumps({**self._settings, "names": share}) + "\n")
            process.stdin.flush()
        for process in self._processes:
            assert process.stdout
            if process.stdout.readline().strip() != READY:
                raise RuntimeError("a process of the simulated fleet ended at its start")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for process in self._processes:
            # A process ends when nobody is at the other end any more.
            assert process.stdin
            assert process.stdout
            process.stdin.close()
            process.wait(20)
            process.stdout.close()


class Worker:
    """What a node does with its commands; its pool changes at once."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._size = 2
        self._queues = ["celery"]

    def handlers(self) -> dict[str, Callable[..., Any]]:
        """The function for each command; it gets the mailbox's state first."""
        nothing: Sequence[str] = ("active", "reserved", "scheduled", "revoked", "registered")
        return {
            "ping": lambda _state: {"ok": "pong"},
            "clock": lambda _state: {"clock": 1},
            "conf": lambda _state, **_options: {},
            "stats": self._stats,
            "active_queues": self._active_queues,
            "pool_grow": lambda _state, n=1: self._resize(n),
            "pool_shrink": lambda _state, n=1: self._resize(-n),
            "add_consumer": self._add_consumer,
            "cancel_consumer": self._cancel_consumer,
            "celeryops": lambda _state: {"release": "1", "config": "1", "runtime": "1"},
            **{name: lambda _state, **_options: [] for name in nothing},
        }

    def _stats(self, _state: Any) -> Any:
        return {
            "clock": "1",
            "pid": 1,
            "uptime": 60,
            "total": {"noop": 1},
            "prefetch_count": 4 * self._size,
            "broker": {"hostname": "redis", "transport": "redis"},
            "pool": {
                "implementation": "celery.concurrency.prefork:TaskPool",
                "max-concurrency": 2,
                "processes": list(range(100, 100 + self._size)),
            },
            "rusage": {"utime": 0.0, "stime": 0.0},
        }

    def _active_queues(self, _state: Any) -> Any:
        exchange = {"name": "celery", "type": "direct"}
        return [
            {"name": name, "exchange": exchange, "routing_key": name, "queue_arguments": None}
            for name in self._queues
        ]

    def _resize(self, difference: int) -> Any:
        self._size += difference
        return {"ok": "pool will change"}

    def _add_consumer(self, _state: Any, queue: str, **_options: Any) -> Any:
        if queue not in self._queues:
            self._queues.append(queue)
        return {"ok": f"add consumer {queue}"}

    def _cancel_consumer(self, _state: Any, queue: str) -> Any:
        if queue in self._queues:
            self._queues.remove(queue)
        return {"ok": f"no longer consuming from {queue}"}


class Replies:
    """Sends replies to their queues, as the library would, but a group at a time."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._waiting: list[tuple[str, str, str, Any]] = []

    def add(self, exchange: str, routing_key: str, ticket: str, body: Any) -> None:
        self._waiting.append((exchange, routing_key, ticket, body))
        if len(self._waiting) >= GROUP:
            self.send()

    def send(self) -> None:
        places = {reply[:2] for reply in self._waiting}
        queues = {place: self._channel._lookup(*place) for place in places}
        with self._channel.client.pipeline(transaction=False) as pipeline:
            for exchange, routing_key, ticket, body in self._waiting:
                message = _envelope(exchange, routing_key, ticket, dumps(body))
                for queue in queues[exchange, routing_key]:
                    pipeline.lpush(queue, message)
            pipeline.execute()
        self._waiting.clear()


def _envelope(exchange: str, routing_key: str, ticket: str, body: str) -> str:
    return json.dumps(
        {
            "body": base64.b64encode(body.encode()).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {"ticket": ticket, "clock": 1},
            "properties": {
                "delivery_mode": 1,
                "delivery_info": {"exchange": exchange, "routing_key": routing_key},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": str(uuid4()),
            },
        }
    )


def _simulated(mailbox: Any, name: str, replies: Replies) -> Any:
    class Simulated(Node):  # type: ignore[misc]
        def reply(
            self, data: Any, exchange: str, routing_key: str, ticket: str, **_options: Any
        ) -> None:
            replies.add(exchange, routing_key, ticket, data)

    return Simulated(name, handlers=Worker(name).handlers(), mailbox=mailbox)


def _listen_deafly(url: str, topic: str, count: int) -> None:
    """Be so many listeners more, which throw away what they get."""
    listeners = [redis.Redis.from_url(url).pubsub() for _number in range(count)]
    for listener in listeners:
        listener.psubscribe(topic)
        listener.get_message(timeout=5)

    def throw_away() -> None:
        with selectors.DefaultSelector() as ready:
            for listener in listeners:
                ready.register(listener.connection._sock, selectors.EVENT_READ, listener)
            while True:
                for key, _events in ready.select():
                    key.data.connection._sock.recv(1 << 16)

    threading.Thread(target=throw_away, daemon=True).start()


def _listen(settings: Mapping[str, Any]) -> None:
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    with kombu.Connection(settings["url"], transport_options=settings["options"]) as connection:
        mailbox = Mailbox(settings["exchange"], type="fanout", connection=connection)
        channel = connection.channel()
        replies = Replies(channel)
        nodes = [_simulated(mailbox, name, replies) for name in settings["names"]]
        heard: set[str] = set()
        if settings["listeners"]:
            topic = channel._get_publish_topic(mailbox.exchange.name, "")
            _listen_deafly(settings["url"], topic, len(nodes) - 1)

        def on_command(body: Any, message: Any) -> None:
            if body["method"] == TRIAL:
                heard.add(body["arguments"]["mark"])
                return
            if body["destination"]:
                body["destination"] = frozenset(body["destination"])
            for node in nodes:
                node.handle_message(body, message)
            replies.send()

        with nodes[0].Consumer(channel, accept=["json"], callbacks=[on_command]):
            # The library subscribes some time after it was told to consume.
            mark = str(uuid4())
            while mark not in heard:
                mailbox.abcast(TRIAL, {"mark": mark})
                _drain(connection)
            print(READY, flush=True)
            while not over.is_set():
                _drain(connection)


def _drain(connection: Any) -> None:
    with suppress(TimeoutError):
        connection.drain_events(timeout=0.2)


if __name__ == "__main__":
    _listen(json.loads(sys.stdin.readline()))
