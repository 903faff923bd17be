"""Publishing from a web process: sent is sent, and a failure shows within seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from celery import Celery
from celery.result import denied_join_result
from kombu.exceptions import OperationalError

# Seconds to wait for a connection or an answer of the broker or the result backend; a request may
# wait for three of them. By default, Celery waits for ever for a broker that has frozen.
PATIENCE = 2.0

_TRANSPORT_OPTIONS = {
    "redis": {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE},
    # Without confirms, even a frozen RabbitMQ would seem to have taken the message.
    "amqp": {"confirm_publish": True, "read_timeout": PATIENCE, "write_timeout": PATIENCE},
}


class BrokerError(Exception):
    """The broker did not take a message; the message says what it or the network answered."""


def limit_waiting(app: Celery) -> None:
    """Have this process give up on a dead broker or result backend within a few seconds.

    Only for processes that publish and read results. Transport options that are set already stay.
    """
    transport = app.connection_for_write().transport.driver_type
    app.conf.update(
        broker_connection_timeout=PATIENCE,
        broker_transport_options={
            **_TRANSPORT_OPTIONS.get(transport, {}),
            **app.conf.broker_transport_options,
        },
        redis_socket_timeout=PATIENCE,
        redis_socket_connect_timeout=PATIENCE,
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0.2},
    )


@contextmanager
def publishing(app: Celery) -> Iterator[None]:
    """Publish within this block; whatever goes wrong with the broker becomes a BrokerError."""
    broker = app.connection_for_write()
    try:
        # Otherwise publishing would also subscribe to the result, and so need the result backend.
        with denied_join_result():
            yield
    except (OperationalError, *broker.connection_errors, *broker.channel_errors) as error:
        raise BrokerError(str(error)) from error
