from __future__ import annotations

import pytest
from celery.app.defaults import SETTING_KEYS

from ansible_collections.celeryops.cluster.plugins.plugin_utils._settings import safe_settings

URLS = [
    "redis://broker1:6379/0",
    "rediss://broker1",
    "sentinel://s1",
    "amqp://broker1//",
    "amqps://b",
]


@pytest.mark.parametrize("url", URLS)
def test_celery_knows_all_of_them(url: str) -> None:
    assert safe_settings(url, 60).keys() <= set(SETTING_KEYS)


@pytest.mark.parametrize("url", URLS[:3])
def test_redis_gives_no_message_out_twice_while_a_task_runs(url: str) -> None:
    options = safe_settings(url, 3600)["broker_transport_options"]
    assert options["visibility_timeout"] == 4200
    assert "task_default_queue_type" not in safe_settings(url, 3600)


@pytest.mark.parametrize("url", URLS[3:])
def test_rabbitmq_keeps_messages_in_quorum_queues_and_confirms_them(url: str) -> None:
    settings = safe_settings(url, 3600)
    assert settings["task_default_queue_type"] == "quorum"
    assert settings["broker_transport_options"] == {"confirm_publish": True}
