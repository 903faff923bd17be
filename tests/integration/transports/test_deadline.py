"""One deadline bounds everything, whatever is frozen: a broker, a Sentinel, a worker."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._client import (
    CLOSE_SECONDS,
    SILENCE_SECONDS,
    Client,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import BrokerError
from ansible_collections.celeryops.cluster.plugins.module_utils._link import Link
from ansible_collections.celeryops.cluster.tests.integration.transports.brokers import (
    Brokers,
    Transport,
)
from ansible_collections.celeryops.cluster.tests.integration.transports.conftest import (
    sentinel_options,
    sentinels,
)

# What a machine that is busy with other things may add; a frozen broker would add much more.
SLACK = 3.0
BROKERS = [
    ("prefixed", "redis"),
    ("tls", "redis_tls"),
    ("sentinel", "master"),
    ("amqp", "rabbitmq"),
    ("amqps", "rabbitmq"),
]


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds + SLACK


@pytest.mark.parametrize(
    ("name", "servers"), [*BROKERS, ("sentinel", "sentinel1 sentinel2 sentinel3")]
)
def test_a_broker_that_is_frozen(
    transports: dict[str, Transport], brokers: Brokers, name: str, servers: str
) -> None:
    with (
        brokers.frozen(*servers.split()),
        at_most(1.5),
        Client(transports[name].broker, 1.5) as client,
        pytest.raises(BrokerError) as caught,
    ):
        client.call("ping", nodes=["a@test"])
    sentence = str(caught.value)
    assert "Sentinels" in sentence or "didn't answer within" in sentence or "timed out" in sentence


@pytest.mark.parametrize(("name", "server"), BROKERS)
def test_a_broker_that_freezes_under_a_client(
    transports: dict[str, Transport], brokers: Brokers, name: str, server: str
) -> None:
    with Client(transports[name].broker, 20.0) as client:
        client.queue_sizes(["some"])
        with (
            brokers.frozen(server),
            at_most(0.5 + SILENCE_SECONDS),
            pytest.raises(BrokerError, match=r"didn't answer within|timed out|Timeout"),
        ):
            client.call("ping", nodes=["a@test"], patience=0.5)
        # And it goes on when the broker does.
        assert client.queue_sizes(["some"]) in ({"some": 0}, {"some": None})


@pytest.mark.parametrize(("name", "server"), BROKERS)
def test_closing(
    transports: dict[str, Transport], brokers: Brokers, name: str, server: str
) -> None:
    client = Client(transports[name].broker, 20.0)
    client.queue_sizes(["some"])
    with brokers.frozen(server), at_most(CLOSE_SECONDS):
        client.close()


@pytest.mark.parametrize("name", ["prefixed", "amqps"])
def test_a_connection_that_was_given_up_has_one_thread(
    transports: dict[str, Transport], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It is closed when the step that was left behind has ended: TLS with two ends the process."""
    may_end, has_ended, closed = threading.Event(), threading.Event(), threading.Event()
    alone: list[bool] = []

    def step(_connection: object) -> None:
        may_end.wait(60.0)
        has_ended.set()

    def close(link: Link, *, complete: bool) -> None:
        alone.append(has_ended.is_set())
        original(link, complete=complete)
        closed.set()

    original = Link.close
    monkeypatch.setattr(Link, "close", close)
    with (
        Client(transports[name].broker, 1.0) as client,
        pytest.raises(BrokerError, match="didn't answer within"),
    ):
        client.run(step)
    may_end.set()
    assert closed.wait(60.0)
    assert alone == [True]


def test_one_sentinel_that_is_frozen(brokers: Brokers) -> None:
    transport = Transport("sentinel", sentinels(brokers), sentinel_options(brokers))
    with brokers.frozen("sentinel1"), Client(transport.broker, 10.0) as client:
        assert client.queue_sizes(["some"]) == {"some": 0}


def test_one_sentinel_that_is_down(brokers: Brokers) -> None:
    dead = f"sentinel://{brokers.login}@{brokers.address}:1/0"
    options = sentinel_options(brokers)
    transport = Transport("sentinel", f"{dead};{sentinels(brokers)}", options)
    with Client(transport.broker, 10.0) as client:
        assert client.queue_sizes(["some"]) == {"some": 0}


def test_one_place_of_several_that_is_frozen(brokers: Brokers) -> None:
    other = brokers.redis().replace(":6379/", ":6382/")
    transport = Transport("several", f"{brokers.redis()};{other}")
    with brokers.frozen("redis"), Client(transport.broker, 10.0) as client:
        assert client.queue_sizes(["some"]) == {"some": 0}


@pytest.mark.parametrize("name", ["prefixed", "sentinel", "amqp"])
def test_a_worker_that_is_stuck(
    served: dict[str, Transport], processes: dict[str, subprocess.Popen[bytes]], name: str
) -> None:
    transport = served[name]
    processes[name].send_signal(signal.SIGSTOP)
    try:
        with at_most(1.0), Client(transport.broker, 20.0) as client:
            replies = client.call("ping", nodes=[transport.node], patience=0.5)
        assert replies.missing == [transport.node]
        assert f"the broker has the mailbox of {transport.node}" in client.notes[0]
    finally:
        processes[name].send_signal(signal.SIGCONT)


@pytest.mark.parametrize("name", ["prefixed", "amqp"])
def test_it_returns_when_all_have_answered(served: dict[str, Transport], name: str) -> None:
    transport = served[name]
    with Client(transport.broker, 60.0) as client:
        with at_most(1.0):
            assert client.call("ping", nodes=[transport.node]).missing == []
        # An unknown fleet is complete when nobody has answered for a while.
        with at_most(2.0):
            assert transport.node in client.call("ping").answers


@pytest.mark.parametrize("name", ["prefixed", "amqp"])
def test_nobody_listens(transports: dict[str, Transport], name: str) -> None:
    lonely = replace(transports[name], exchange="nobody")
    with at_most(1.0), Client(lonely.broker, 1.0) as client:
        assert client.call("ping").answers == {}
