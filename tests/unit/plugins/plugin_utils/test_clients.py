from __future__ import annotations

from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._clients import client_settings

PASSWORD = "p@ss/w:rd"
QUOTED = "p%40ss%2Fw%3Ard"
REDIS: dict[str, Any] = {
    "kind": "redis",
    "host": "broker1",
    "port": 6379,
    "path": "0",
    "passwords": {"worker": PASSWORD},
}
RABBITMQ: dict[str, Any] = {
    "kind": "rabbitmq",
    "host": "shop-broker",
    "port": 5672,
    "path": "shop",
    "passwords": {"worker": PASSWORD, "control": "c", "monitor": "m"},
}
BACKEND = {"kind": "redis", "host": "store1", "port": 6379, "path": "1", "password": PASSWORD}


def test_redis() -> None:
    client = client_settings(REDIS, BACKEND, 3600)
    assert client["broker_url"] == f"redis://:{QUOTED}@broker1:6379/0"
    assert client["result_backend"] == f"redis://:{QUOTED}@store1:6379/1"
    assert client["settings"]["broker_transport_options"]["visibility_timeout"] == 4200
    assert client["settings"]["result_backend_transport_options"] == {"visibility_timeout": 4200}
    assert client["control"]["broker_url"] == client["broker_url"]
    assert client["control"]["management_url"] is None


def test_seconds_from_the_command_line() -> None:
    assert client_settings(REDIS, BACKEND, "3600") == client_settings(REDIS, BACKEND, 3600)


def test_rabbitmq() -> None:
    client = client_settings(RABBITMQ, BACKEND, 3600)
    assert client["broker_url"] == f"amqp://shop.worker:{QUOTED}@shop-broker:5672/shop"
    assert client["settings"]["broker_heartbeat"] == 10
    assert client["settings"]["broker_transport_options"] == {"confirm_publish": True}
    assert client["settings"]["task_default_queue_type"] == "quorum"
    assert client["settings"]["task_default_exchange_type"] == "topic"


def test_each_client_of_rabbitmq_has_a_user_of_its_own() -> None:
    control = client_settings(RABBITMQ, BACKEND, 3600)["control"]
    assert control["broker_url"] == "amqp://shop.control:c@shop-broker:5672/shop"
    assert control["management_url"] == "http://shop.monitor:m@shop-broker:15672"


def test_results_by_rpc() -> None:
    client = client_settings(RABBITMQ, {"kind": "rpc"}, 3600)
    assert client["result_backend"] == client["control"]["result_backend"] == "rpc://"
    assert client["settings"]["result_persistent"] is True


def test_a_broker_that_stands_already_is_taken_by_its_url() -> None:
    broker = {"kind": "redis", "url": "amqp://u:p@b//", "management_url": "http://u:p@b:15672/api/"}
    client = client_settings(broker, {"kind": "redis", "url": "redis://r/3"}, 3600)
    assert client["broker_url"] == client["control"]["broker_url"] == "amqp://u:p@b//"
    assert client["result_backend"] == "redis://r/3"
    assert client["control"]["management_url"] == "http://u:p@b:15672"
    assert client["settings"]["task_default_queue_type"] == "quorum"


def test_a_redis_that_stands_already_has_no_management() -> None:
    broker = {"kind": "redis", "url": "redis://b/0", "management_url": ""}
    assert client_settings(broker, BACKEND, 3600)["control"]["management_url"] is None
