# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: what clients of a broker and a result backend must know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._rabbitmq import user_name
from ansible_collections.celeryops.cluster.plugins.plugin_utils._urls import build_url

MANAGEMENT_PORT = 15672
# How long an operation of a Redis client may take, in seconds.
_REDIS_TIMES = {"socket_timeout": 5, "socket_connect_timeout": 2}
_RABBITMQ = {
    # A connection that is dead without a word is given up after two of these, on both sides.
    "broker_heartbeat": 10,
    "broker_transport_options": {"confirm_publish": True},
    # Quorum queues on topic exchanges, on which tasks with an ETA wait in the broker.
    "task_default_queue_type": "quorum",
    "task_default_exchange_type": "topic",
    "task_create_missing_queue_type": "quorum",
    "task_create_missing_queue_exchange_type": "topic",
    # Transient queues that are not exclusive are refused by RabbitMQ from 4.3 on.
    "control_queue_exclusive": True,
    "event_queue_exclusive": True,
}


def client_settings(
    broker: Mapping[str, Any], backend: Mapping[str, Any], task_limit: int
) -> dict[str, Any]:
    """All that depends on the broker and the backend, for workers, producers and control clients.

    `broker` has a kind, redis or rabbitmq, a host, a port, a path (database number or virtual
    host) and passwords by role; `backend` a kind, redis or rpc, and for Redis a host, a port, a
    path and a password. No task takes longer than `task_limit` seconds.

    Returns broker_url and result_backend, the `settings` of Celery, and `control`, which is for
    control.json.
    """
    urls = _rabbitmq_urls(broker) if broker["kind"] == "rabbitmq" else _redis_urls(broker)
    settings = _RABBITMQ if broker["kind"] == "rabbitmq" else _redis(task_limit)
    result_backend, result_settings = _backend(backend, task_limit)
    return {
        "broker_url": urls["worker"],
        "result_backend": result_backend,
        "settings": settings | result_settings,
        "control": {
            "broker_url": urls["control"],
            "broker_use_ssl": None,
            "result_backend": result_backend,
            "result_backend_options": result_settings.get("result_backend_transport_options", {}),
            "management_url": urls["management"],
        },
    }


def _redis_urls(broker: Mapping[str, Any]) -> dict[str, str | None]:
    url = build_url(
        host=broker["host"],
        port=broker["port"],
        password=broker["passwords"]["worker"],
        path=broker["path"],
    )
    return {"worker": url, "control": url, "management": None}


def _redis(task_limit: int) -> dict[str, Any]:
    options = {
        # After this a task that is not acknowledged is done again.
        "visibility_timeout": task_limit + 600,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        **_REDIS_TIMES,
        "socket_keepalive": True,
        "retry_on_timeout": True,
        "health_check_interval": 10,
    }
    return {"broker_transport_options": options}


def _rabbitmq_urls(broker: Mapping[str, Any]) -> dict[str, str]:
    vhost = broker["path"]
    places = {
        "worker": ("amqp", broker["port"], vhost),
        "control": ("amqp", broker["port"], vhost),
        "monitor": ("http", MANAGEMENT_PORT, ""),
    }
    urls = {
        role: build_url(
            host=broker["host"],
            port=port,
            scheme=scheme,
            username=user_name(vhost, role),
            password=broker["passwords"][role],
            path=path,
        )
        for role, (scheme, port, path) in places.items()
    }
    return {**urls, "management": urls["monitor"].rstrip("/")}


def _backend(backend: Mapping[str, Any], task_limit: int) -> tuple[str, dict[str, Any]]:
    if backend["kind"] == "rpc":
        # Results outlast a restart of the broker.
        return "rpc://", {"result_persistent": True}
    url = build_url(
        host=backend["host"],
        port=backend["port"],
        password=backend["password"],
        path=backend["path"],
    )
    settings = {
        "result_backend_transport_options": {"visibility_timeout": task_limit + 600},
        **{f"redis_{name}": seconds for name, seconds in _REDIS_TIMES.items()},
        "redis_socket_keepalive": True,
        "redis_retry_on_timeout": True,
    }
    return url, settings
