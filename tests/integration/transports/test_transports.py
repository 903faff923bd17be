"""Every way to a broker, with a real worker behind it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._client import Client
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Cluster, Node
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import BrokerError
from ansible_collections.celeryops.cluster.plugins.module_utils._recording import look
from ansible_collections.celeryops.cluster.plugins.module_utils._replies import Gathering
from ansible_collections.celeryops.cluster.tests.integration.transports.brokers import (
    Brokers,
    Transport,
)

NAMES = ["prefixed", "signed", "tls", "mutual", "sentinel", "amqp", "amqps"]


@pytest.mark.parametrize("name", NAMES)
def test_a_command_and_its_reply(served: dict[str, Transport], name: str) -> None:
    transport = served[name]
    with Client(transport.broker, 10.0) as client:
        ping = client.call("ping", nodes=[transport.node])
        assert ping.answers == {transport.node: {"ok": "pong"}}
        stats = client.call("stats", nodes=[transport.node])
        assert stats.answers[transport.node]["pool"]["implementation"].endswith("solo:TaskPool")
        queue = f"{name}_tasks"
        assert client.queue_sizes([queue]) == {queue: 0}
        assert client.notes == []


@pytest.mark.parametrize("name", NAMES)
def test_how_many_workers_a_command_reaches(
    served: dict[str, Transport], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis tells, and RabbitMQ doesn't."""
    reached: list[int | None] = []
    monkeypatch.setattr(Gathering, "reaches", lambda _gathering, count: reached.append(count))
    transport = served[name]
    with Client(transport.broker, 10.0) as client:
        client.call("ping", nodes=[transport.node])
        client.call("ping", nodes=[transport.node, "gone@test"], patience=0.3)
    assert reached == ([None, None] if name.startswith("amqp") else [1, 1])


@pytest.mark.parametrize("name", NAMES)
def test_a_look_of_a_recording(served: dict[str, Transport], name: str) -> None:
    transport = served[name]
    queue = f"{name}_tasks"
    known = {
        transport.node: Node(transport.node, "test", "solo", "solo", (queue,), 1),
        "gone@test": Node("gone@test", "test", "solo", "solo", ("of_nobody",), 1),
    }
    seen = look(Cluster(transport.broker, nodes=known), 10.0)
    assert seen["nodes"] == {transport.node: {"done": 0, "release": None, "paused": False}}
    assert seen["queues"][queue] == 0
    assert "of_nobody" in seen["queues"]


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_fleet_and_a_dead_node(served: dict[str, Transport], name: str) -> None:
    transport = served[name]
    with Client(transport.broker, 10.0) as client:
        assert transport.node in client.call("ping").answers
        replies = client.call("ping", nodes=[transport.node, "gone@test"], patience=0.3)
    assert (list(replies.answers), replies.missing) == ([transport.node], ["gone@test"])


@pytest.mark.parametrize("name", NAMES)
def test_a_worker_that_refuses(served: dict[str, Transport], name: str) -> None:
    transport = served[name]
    with Client(transport.broker, 10.0) as client:
        replies = client.call("pool_grow", {"n": 1}, [transport.node])
    assert replies.errors == {transport.node: "'TaskPool' object has no attribute 'grow'"}


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_password(served: dict[str, Transport], brokers: Brokers, name: str) -> None:
    transport = served[name]
    wrong = replace(transport, url=transport.url.replace(brokers.login, "celery:hunter2"))
    with Client(wrong.broker, 10.0) as client, pytest.raises(BrokerError) as caught:
        client.call("ping", nodes=[transport.node])
    assert "refuses the user name or the password" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "present"),
    [("prefixed", {"options": {}}), ("amqp", {"exchange": "celery"})],
)
def test_the_wrong_place_is_told_from_a_silent_node(
    served: dict[str, Transport], name: str, present: dict[str, object]
) -> None:
    transport = served[name]
    with Client(replace(transport, **present).broker, 10.0) as client:
        client.call("ping", nodes=[transport.node], patience=0.3)
        assert "key prefix or `control_exchange` than the test says" in client.notes[0]


@pytest.mark.parametrize("name", ["tls", "mutual", "amqps"])
def test_a_certificate_of_a_stranger(
    served: dict[str, Transport], brokers: Brokers, name: str
) -> None:
    transport = served[name]
    option = "ca_certs" if name == "amqps" else "ssl_ca_certs"
    use_ssl = {**(transport.use_ssl or {}), option: str(brokers.tls / "stranger.crt")}
    distrustful = replace(transport, use_ssl=use_ssl)
    with Client(distrustful.broker, 10.0) as client, pytest.raises(BrokerError) as caught:
        client.call("ping", nodes=[transport.node])
    assert "certificate" in str(caught.value)
    assert "`broker_use_ssl`" in str(caught.value)


@pytest.mark.parametrize("name", ["mutual", "amqps"])
def test_a_client_certificate_is_needed(served: dict[str, Transport], name: str) -> None:
    transport = served[name]
    use_ssl = {
        option: value
        for option, value in (transport.use_ssl or {}).items()
        if not option.endswith(("certfile", "keyfile"))
    }
    bare = replace(transport, use_ssl=use_ssl)
    with Client(bare.broker, 10.0) as client, pytest.raises(BrokerError) as caught:
        client.call("ping", nodes=[transport.node])
    assert "`broker_use_ssl`" in str(caught.value)


def test_the_url_may_name_the_certificates(served: dict[str, Transport], brokers: Brokers) -> None:
    transport = served["tls"]
    query = f"?ssl_cert_reqs=required&ssl_ca_certs={brokers.tls / 'ca.crt'}"
    by_url = replace(transport, url=transport.url + query, use_ssl=None)
    with Client(by_url.broker, 10.0) as client:
        assert client.call("ping", nodes=[transport.node]).missing == []
    by_url = replace(
        transport, url=transport.url + query.replace("/ca.", "/stranger."), use_ssl=None
    )
    with Client(by_url.broker, 10.0) as client, pytest.raises(BrokerError, match="certificate"):
        client.call("ping", nodes=[transport.node])


def test_a_missing_file_is_named(served: dict[str, Transport]) -> None:
    transport = served["tls"]
    use_ssl = {**(transport.use_ssl or {}), "ssl_ca_certs": "/nowhere/ca.crt"}
    with (
        Client(replace(transport, use_ssl=use_ssl).broker, 10.0) as client,
        pytest.raises(BrokerError, match=r"/nowhere/ca\.crt"),
    ):
        client.call("ping", nodes=[transport.node])


@pytest.mark.parametrize(
    "options",
    [
        {"master_name": "unknown", "sentinel_kwargs": {"password": "hunter2"}},
        {"master_name": "shop", "sentinel_kwargs": {"password": "hunter2"}},
        {"master_name": "shop"},
        {},
    ],
)
def test_wrong_options_for_sentinel(
    served: dict[str, Transport], options: dict[str, object]
) -> None:
    wrong = replace(served["sentinel"], options=options)
    with Client(wrong.broker, 10.0) as client, pytest.raises(BrokerError) as caught:
        client.call("ping", nodes=["sentinel@test"])
    assert "`master_name`" in str(caught.value)
    assert "`sentinel_kwargs`" in str(caught.value)
    assert "hunter2" not in str(caught.value)
