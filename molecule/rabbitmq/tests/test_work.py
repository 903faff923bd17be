"""Work gets done, now or later, and the modules see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testinfra.host import Host
from urllib3 import HTTPSConnectionPool

SEND = """
import celeryops_runtime.app
import json
from celery import group
from monitoring_app import ledger
from monitoring_app.tasks.operations import work
ledger.client().delete(ledger.LEDGER)
sent = group(work.s({seconds}, f"work-{{number}}") for number in range({count})).apply_async()
sent.save()
print(json.dumps(sent.id))
"""
COLLECT = """
import celeryops_runtime.app
import json
from celery.result import GroupResult
from monitoring_app import ledger
from monitoring_app.celery import app
GroupResult.restore({id!r}, app=app).get(timeout=120)
print(json.dumps(ledger.summary()))
"""
LATER = """
import celeryops_runtime.app
import json, time
from monitoring_app.tasks.operations import work
begin = time.monotonic()
work.apply_async((0, "later"), countdown=3).get(timeout=60)
print(json.dumps(time.monotonic() - begin))
"""


def test_a_cluster_that_works_is_healthy(module: Callable[..., dict[str, Any]]) -> None:
    for host in ("broker1", "worker2", "dashboard1"):
        health = module("celery_health", on=host, nodes=["all"])
        assert (health["healthy"], health["reasons"]) == (True, [])
        assert len(health["nodes"]) == 4


def test_each_of_100_tasks_is_done_once(application: Callable[[str], Any]) -> None:
    sent = application(SEND.format(seconds=0, count=100))
    assert application(COLLECT.format(id=sent)) == {"done": 100, "distinct": 100, "duplicates": {}}


def test_a_task_for_later_waits_in_the_broker(
    application: Callable[[str], Any], module: Callable[..., dict[str, Any]]
) -> None:
    assert 2.5 < application(LATER) < 10
    nodes = module("celery_info", on="broker1", gather=["scheduled"])["nodes"]
    assert all(node["scheduled"] == [] for node in nodes.values())


def test_a_broker_that_stops_loses_and_doubles_no_task(
    cluster: dict[str, Host], application: Callable[[str], Any], recovery: Callable[[], None]
) -> None:
    sent = application(SEND.format(seconds=0.2, count=60))
    cluster["broker2"].check_output("systemctl stop rabbitmq-server.service")
    done = application(COLLECT.format(id=sent))
    cluster["broker2"].check_output("systemctl start rabbitmq-server.service")
    # What was running on a connection to that broker may be done again.
    assert done["distinct"] == 60
    recovery()


def test_a_pool_gets_its_size(
    module: Callable[..., dict[str, Any]], recovery: Callable[[], None]
) -> None:
    grown = module("celery_pool", on="worker1", pool="work", size=3)
    assert grown["nodes"] == {"work1@worker1": {"before": 2, "after": 3}}
    shrunk = module("celery_pool", on="worker1", pool="work", size=2, timeout=60)
    assert shrunk["nodes"] == {"work1@worker1": {"before": 3, "after": 2}}
    recovery()


def test_a_service_sends_tasks(
    dashboard: HTTPSConnectionPool, wait_until: Callable[..., None]
) -> None:
    sent = dashboard.request("POST", "/checks", json={"urls": ["http://dashboard1:8000/health"]})
    assert sent.status == 202, sent.data
    (check,) = sent.json()["ids"]
    wait_until(lambda: dashboard.request("GET", f"/checks/{check}").json()["state"] == "SUCCESS")


def test_flower_speaks_as_a_control_client(cluster: dict[str, Host]) -> None:
    listed = cluster["broker1"].check_output("rabbitmqctl --quiet list_connections user peer_host")
    address = cluster["dashboard1"].check_output("hostname -I").split()[0]
    assert any(line.split() == ["monitoring-prod.control", address] for line in listed.splitlines())
