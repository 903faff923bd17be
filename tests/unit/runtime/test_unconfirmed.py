"""Events must not wait for RabbitMQ's confirmation, which tasks need."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery
from celery.worker.consumer import Consumer

from celeryops_runtime._unconfirmed import send_events_unconfirmed


def test_only_the_connection_for_events_lacks_confirmations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Consumer, "connection_for_write", Consumer.connection_for_write)
    send_events_unconfirmed()
    consumer: Any = Consumer.__new__(Consumer)
    options = {"confirm_publish": True, "polling_interval": 1}
    consumer.app = Celery(broker="memory://")
    consumer.app.conf.broker_transport_options = options
    consumer.ensure_connected = lambda connection: connection
    connection = consumer.connection_for_write(heartbeat=10)
    assert connection.transport_options == {"polling_interval": 1}
    assert connection.heartbeat == 10
    assert consumer.app.connection_for_write().transport_options == options
