# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._declaring import (
    bind_to_delays,
    clash,
)

DEFINITION = {
    "exchange": "mail",
    "exchange_type": "topic",
    "routing_key": "mail",
    "durable": True,
    "queue_arguments": {"x-queue-type": "quorum"},
}


class FlawError(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code, self.reply_text = code, text


class Broker:
    """RabbitMQ with some queues and exchanges, each with what it was declared with."""

    transport = SimpleNamespace(driver_type="amqp")
    channel_errors = (FlawError,)

    def __init__(self, **known: Any) -> None:
        self.known = known
        self.declared: list[str] = []

    def channel(self) -> Any:
        return self

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None: ...

    def queue_declare(self, queue: str, passive: bool, arguments: Any, **_: Any) -> None:
        self.declare(f"queue_{queue}", passive, arguments)

    def exchange_declare(self, exchange: str, type: str, passive: bool, **_: Any) -> None:
        self.declare(f"exchange_{exchange}", passive, type)

    def declare(self, name: str, passive: bool, value: Any) -> None:
        if passive and name not in self.known:
            raise FlawError(404, f"NOT_FOUND - no {name}")
        if not passive:
            self.declared.append(name)
            if self.known[name] != value:
                raise FlawError(406, f"PRECONDITION_FAILED - inequivalent {name}")


def test_nothing_is_created() -> None:
    broker = Broker()
    assert clash(broker, "mail", DEFINITION) is None
    assert broker.declared == []


def test_what_is_there_may_be_the_same() -> None:
    broker = Broker(queue_mail={"x-queue-type": "quorum"}, exchange_mail="topic")
    assert clash(broker, "mail", DEFINITION) is None
    assert broker.declared == ["queue_mail", "exchange_mail"]
    plain = DEFINITION | {"queue_arguments": {}}
    assert clash(Broker(queue_mail=None), "mail", plain) is None


@pytest.mark.parametrize(
    ("known", "name"),
    [
        ({"queue_mail": {"x-queue-type": "classic"}}, "queue_mail"),
        ({"exchange_mail": "direct"}, "exchange_mail"),
    ],
)
def test_what_is_there_may_differ(known: dict[str, Any], name: str) -> None:
    assert clash(Broker(**known), "mail", DEFINITION) == f"the broker says: inequivalent {name}"


def test_a_broker_that_may_not_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise FlawError(403, "ACCESS_REFUSED")

    broker = Broker()
    monkeypatch.setattr(broker, "declare", refuse)
    assert clash(broker, "mail", DEFINITION) == "the broker says: ACCESS_REFUSED"


def test_other_brokers_have_no_such_checks() -> None:
    redis = SimpleNamespace(transport=SimpleNamespace(driver_type="redis"))
    assert clash(redis, "mail", DEFINITION) is None
    bind_to_delays(redis, "mail", DEFINITION)


def test_delays_are_bound_where_there_are_some(monkeypatch: pytest.MonkeyPatch) -> None:
    bound: list[Any] = []
    path = "kombu.transport.native_delayed_delivery.bind_queue_to_native_delayed_delivery_exchange"
    monkeypatch.setattr(path, lambda _connection, queue: bound.append(queue))
    delaying = Broker(exchange_celery_delayed_delivery="topic")
    bind_to_delays(delaying, "mail", DEFINITION | {"exchange_type": "direct"})
    bind_to_delays(Broker(), "mail", DEFINITION)
    assert bound == []
    bind_to_delays(delaying, "mail", DEFINITION)
    assert [(q.name, q.exchange.name, q.exchange.type, q.routing_key) for q in bound] == [
        ("mail", "mail", "topic", "mail")
    ]
