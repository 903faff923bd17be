"""The broker keeps what it is given, and tells nobody without the password."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host

REDIS = """
import json, os, redis
def opened(variable):
    return redis.Redis.from_url(os.environ[variable], decode_responses=True)
"""


def test_it_refuses_who_has_no_password(application: Callable[[str], Any]) -> None:
    answer = application(f"""{REDIS}
try:
    redis.Redis("broker1", protocol=2).ping()
except redis.exceptions.RedisError as error:
    print(json.dumps(str(error)))
""")
    assert answer == "Authentication required."


@pytest.mark.parametrize(
    ("name", "value"),
    [("maxmemory-policy", "noeviction"), ("appendonly", "yes"), ("appendfsync", "everysec")],
)
def test_no_task_is_lost_to_memory_or_a_restart(
    application: Callable[[str], Any], name: str, value: str
) -> None:
    read = f"opened('CELERY_BROKER_URL').config_get('{name}')"
    assert application(f"{REDIS}\nprint(json.dumps({read}))") == {name: value}


def test_it_listens_on_its_own_addresses_only(cluster: dict[str, Host]) -> None:
    broker = cluster["broker1"]
    listening = broker.check_output("ss --no-header --listening --tcp --numeric 'sport = :6379'")
    address = broker.check_output("hostname -I").split()[0]
    assert {line.split()[3] for line in listening.splitlines()} == {
        "127.0.0.1:6379",
        f"{address}:6379",
    }


def test_tasks_and_results_are_kept_apart(application: Callable[[str], Any]) -> None:
    keys = application(f"""{REDIS}
from monitoring_app.tasks.operations import work
work.delay(0, "apart").get(timeout=30)
urls = ["CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"]
print(json.dumps([opened(url).keys() for url in urls]))
""")
    broker, backend = [{key.split(":")[0].split(".")[0] for key in found} for found in keys]
    assert "_kombu" in broker
    assert not any(key.startswith("celery-task-meta") for key in broker)
    assert any(key.startswith("celery-task-meta") for key in backend)
    assert "_kombu" not in backend
