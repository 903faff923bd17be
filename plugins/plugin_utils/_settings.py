# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: Celery's settings that keep tasks safe, by the kind of broker."""

from __future__ import annotations

from typing import Any

# Seconds that a message may be held beyond the longest task, before Redis gives it out again.
_VISIBILITY_MARGIN = 600


def safe_settings(broker_url: str, stop_timeout: int) -> dict[str, Any]:
    """Settings with which no task is lost in a crash, a restart or a short broker outage.

    Args:
        broker_url: The broker's URL; only its scheme matters.
        stop_timeout: Seconds that the longest task may take.
    """
    own = _rabbitmq() if broker_url.startswith("amqp") else _redis(stop_timeout)
    return {
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_send_sent_event": True,
        "worker_prefetch_multiplier": 1,
        "worker_send_task_events": True,
        "broker_connection_retry_on_startup": True,
        "broker_channel_error_retry": True,
        "result_backend_transport_options": {
            "visibility_timeout": stop_timeout + _VISIBILITY_MARGIN
        },
        # Results that go back through the broker outlast its restart.
        "result_persistent": True,
        "redis_socket_timeout": 5,
        "redis_socket_connect_timeout": 2,
        "redis_socket_keepalive": True,
        "redis_retry_on_timeout": True,
        **own,
    }


def _redis(stop_timeout: int) -> dict[str, Any]:
    return {
        "broker_transport_options": {
            "visibility_timeout": stop_timeout + _VISIBILITY_MARGIN,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
            "retry_on_timeout": True,
            "health_check_interval": 10,
        }
    }


def _rabbitmq() -> dict[str, Any]:
    return {
        # A connection that is dead without a word is given up after two of these, on both sides.
        "broker_heartbeat": 10,
        "broker_transport_options": {"confirm_publish": True},
        "task_default_queue_type": "quorum",
        "task_create_missing_queue_type": "quorum",
        # Tasks with a time to come wait in the broker only behind a topic exchange.
        "task_default_exchange_type": "topic",
        "task_create_missing_queue_exchange_type": "topic",
        # Transient queues that are not exclusive are refused by RabbitMQ from 4.3 on.
        "control_queue_exclusive": True,
        "event_queue_exclusive": True,
        "broker_native_delayed_delivery_queue_type": "quorum",
    }
