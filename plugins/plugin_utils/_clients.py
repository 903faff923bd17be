# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: what clients of a broker and a result backend must know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.celeryops.cluster.plugins.plugin_utils._rabbitmq import user_name
from ansible_collections.celeryops.cluster.plugins.plugin_utils._settings import safe_settings
from ansible_collections.celeryops.cluster.plugins.plugin_utils._urls import build_url

MANAGEMENT_PORT = 15672


class _Urls(NamedTuple):
    """Where workers, control clients and those who only count find the broker."""

    worker: str
    control: str
    management: str | None = None


def client_settings(
    broker: Mapping[str, Any], backend: Mapping[str, Any], task_limit: int | str
) -> dict[str, Any]:
    """All that depends on the broker and the backend, for workers, producers and control clients.

    `broker` has a kind, redis or rabbitmq, a host, a port, a path (database number or virtual
    host) and passwords by role; `backend` a kind, redis or rpc, and for Redis a host, a port, a
    path and a password. Where something else than the collection made one of them, a `url` stands
    for all that, for RabbitMQ with a `management_url`. No task takes longer than `task_limit`
    seconds, which are a text when they come from the command line.

    Returns broker_url and result_backend, the `settings` of Celery, and `control`, which is for
    control.json.
    """
    urls = _broker_urls(broker)
    result_backend = _backend_url(backend)
    settings = safe_settings(urls.worker, int(task_limit))
    return {
        "broker_url": urls.worker,
        "result_backend": result_backend,
        "settings": settings,
        "control": {
            "broker_url": urls.control,
            "broker_use_ssl": None,
            "result_backend": result_backend,
            "result_backend_options": settings["result_backend_transport_options"],
            "management_url": urls.management,
        },
    }


def _broker_urls(broker: Mapping[str, Any]) -> _Urls:
    if broker.get("url"):
        management = broker.get("management_url", "").rstrip("/").removesuffix("/api")
        return _Urls(broker["url"], broker["url"], management or None)
    return _rabbitmq_urls(broker) if broker["kind"] == "rabbitmq" else _redis_urls(broker)


def _redis_urls(broker: Mapping[str, Any]) -> _Urls:
    url = _redis_url(broker, broker["passwords"]["worker"])
    return _Urls(url, url)


def _redis_url(server: Mapping[str, Any], password: str) -> str:
    return build_url(
        host=server["host"], port=server["port"], password=password, path=server["path"]
    )


def _rabbitmq_urls(broker: Mapping[str, Any]) -> _Urls:
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
    return _Urls(urls["worker"], urls["control"], urls["monitor"].rstrip("/"))


def _backend_url(backend: Mapping[str, Any]) -> str:
    if backend.get("url"):
        return str(backend["url"])
    return "rpc://" if backend["kind"] == "rpc" else _redis_url(backend, backend["password"])
