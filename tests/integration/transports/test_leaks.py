"""A client leaves nothing behind: no key, queue or connection on the broker, no memory here."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from ansible_collections.celeryops.cluster.plugins.module_utils._client import Call, Client
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import BrokerError
from ansible_collections.celeryops.cluster.tests.integration.transports.brokers import (
    Brokers,
    Transport,
)

CALLS = 1000
CLIENTS = 100
MEGABYTE = 1 << 20


Remains = Callable[[], dict[str, list[str]]]


def test_a_thousand_calls_on_redis(served: dict[str, Transport], brokers: Brokers) -> None:
    _nothing_remains(served["prefixed"], _redis_remains(brokers))


def test_a_thousand_calls_on_rabbitmq(served: dict[str, Transport], brokers: Brokers) -> None:
    _nothing_remains(served["amqp"], _rabbitmq_remains(brokers))


def _redis_remains(brokers: Brokers) -> Remains:
    observer = redis.Redis.from_url(brokers.redis(1))

    def remains() -> dict[str, list[str]]:
        clients = [client["id"] for client in observer.client_list(_type="normal")]
        return {"keys": sorted(map(repr, observer.keys("*"))), "connections": sorted(clients)}

    return remains


def _rabbitmq_remains(brokers: Brokers) -> Remains:
    def listed(*what: str) -> list[str]:
        return sorted(brokers.run("rabbitmqctl", "--quiet", *what, "name").split("\n"))

    return lambda: {
        "queues": listed("list_queues", "--vhost", "shop"),
        "connections": listed("list_connections"),
        "channels": listed("list_channels"),
    }


def _nothing_remains(transport: Transport, remains: Remains) -> None:
    _use(transport, clients=3, calls=100)
    before, own = _settled(remains), _own()
    _use(transport, clients=1, calls=CALLS)
    _use(transport, clients=CLIENTS, calls=2)
    assert _settled(remains, before) == before
    files, threads, memory = _own()
    assert (files, threads) == own[:2]
    assert memory - own[2] < 4 * MEGABYTE


def _use(transport: Transport, clients: int, calls: int) -> None:
    for _client in range(clients):
        with Client(transport.broker, 120.0) as client:
            for number in range(calls):
                _call(client, transport.node, number)


def _call(client: Client, node: str, number: int) -> None:
    """Usually a ping; at times one that some node doesn't answer, which is given up."""
    lost = number % 100 == 99
    nodes = [node, "gone@test"] if lost else [node]
    calls = [Call("ping", nodes=nodes), Call("stats", nodes=nodes)]
    for replies in client.call_all(calls, grace=0.0, patience=0.2 if lost else None):
        assert list(replies.answers) == [node]


def _settled(
    remains: Remains, hoped_for: dict[str, list[str]] | None = None
) -> dict[str, list[str]]:
    """What is on the broker, which notices the end of a connection a moment later."""
    found = remains()
    for _attempt in range(20):
        if found == hoped_for:
            break
        time.sleep(0.2)
        previous, found = found, remains()
        if hoped_for is None and found == previous:
            break
    return found


def _own() -> tuple[int, int, int]:
    """The files and threads of this process, and its memory in bytes."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count(), pages * 4096


@pytest.mark.parametrize("name", ["prefixed", "amqp"])
def test_a_reply_that_comes_too_late(
    served: dict[str, Transport], brokers: Brokers, name: str
) -> None:
    """The worker answers when the client has gone: its reply finds no queue and makes none."""
    transport = served[name]
    observer = redis.Redis.from_url(brokers.redis(1))
    before = sorted(observer.keys("*"))
    for _round in range(50):
        client = Client(transport.broker, 10.0)
        client.call("stats", nodes=[transport.node], patience=0.0)
        client.close()
    time.sleep(0.3)
    assert sorted(observer.keys("*")) == before


@pytest.mark.parametrize(("name", "server"), [("prefixed", "redis"), ("amqp", "rabbitmq")])
def test_a_connection_that_comes_too_late(
    transports: dict[str, Transport], brokers: Brokers, name: str, server: str
) -> None:
    """It was given up when the broker was frozen, and comes about when the broker goes on."""
    remains = {"redis": _redis_remains, "rabbitmq": _rabbitmq_remains}[server](brokers)
    before, own = _settled(remains), _own()
    for _attempt in range(3):
        with (
            brokers.frozen(server),
            Client(transports[name].broker, 0.5) as client,
            pytest.raises(BrokerError),
        ):
            client.queue_sizes(["some"])
    assert _settled(remains, before) == before
    assert _own()[:2] == own[:2]
