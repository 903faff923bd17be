"""Work gets done: each task once, whatever is restarted meanwhile."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host
from urllib3 import HTTPSConnectionPool

ORDER = {"id": "order-1", "items": [{"sku": "desk", "quantity": 2, "price": 12500}]}

INSTALL = """
- hosts: worker1
  become: true
  gather_subset: ["!all", "!min", distribution, network, service_mgr]
  roles: [celeryops.cluster.app]
"""

SEND = """
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
import json
from celery.result import GroupResult
from monitoring_app import ledger
from monitoring_app.celery import app
GroupResult.restore({id!r}, app=app).get(timeout=120)
print(json.dumps(ledger.summary()))
"""


@pytest.fixture
def outcome(
    dashboard: HTTPSConnectionPool, wait_until: Callable[..., None]
) -> Callable[[str], dict[str, Any]]:
    """What the API says of a task when it has ended."""

    def get(path: str) -> dict[str, Any]:
        answers: list[dict[str, Any]] = []

        def ended() -> bool:
            answers.append(dashboard.request("GET", path).json())
            return answers[-1]["state"] in ("SUCCESS", "FAILURE")

        wait_until(ended)
        return answers[-1]

    return get


def test_an_order_is_validated_paid_and_shipped(
    dashboard: HTTPSConnectionPool, outcome: Callable[[str], dict[str, Any]]
) -> None:
    sent = dashboard.request("POST", "/orders", json=ORDER)
    assert sent.status == 202
    order = outcome(f"/orders/{sent.json()['id']}")
    assert order["result"] == {
        **ORDER,
        "status": "shipped",
        "total": 25000,
        "payment": "payment-order-1",
        "parcel": "parcel-order-1",
    }


def test_a_check_finds_the_api_up(
    dashboard: HTTPSConnectionPool, outcome: Callable[[str], dict[str, Any]]
) -> None:
    sent = dashboard.request("POST", "/checks", json={"urls": ["http://dashboard1:8000/health"]})
    assert sent.status == 202
    (check,) = sent.json()["ids"]
    assert outcome(f"/checks/{check}")["result"]["status"] == "UP"


def test_each_of_100_tasks_is_done_once(application: Callable[[str], Any]) -> None:
    sent = application(SEND.format(seconds=0, count=100))
    assert application(COLLECT.format(id=sent)) == {"done": 100, "distinct": 100, "duplicates": {}}


def test_a_restarted_worker_loses_and_doubles_no_task(
    cluster: dict[str, Host],
    application: Callable[[str], Any],
    recovery: Callable[[], None],
) -> None:
    sent = application(SEND.format(seconds=0.4, count=50))
    cluster["worker1"].check_output("systemctl restart celery-monitoring-work@1.service")
    recovery()
    assert application(COLLECT.format(id=sent)) == {"done": 50, "distinct": 50, "duplicates": {}}


def test_a_killed_process_loses_no_task(
    cluster: dict[str, Host], application: Callable[[str], Any], recovery: Callable[[], None]
) -> None:
    sent = application(SEND.format(seconds=0.4, count=50))
    main = "$(systemctl show --property=MainPID --value celery-monitoring-work@1.service)"
    cluster["worker1"].check_output(f"pkill --signal KILL --parent {main}")
    # One that was killed between the end of its task and the acknowledgement does it again.
    assert application(COLLECT.format(id=sent))["distinct"] == 50
    recovery()


def test_the_safe_settings_hold_in_every_worker(module: Callable[..., dict[str, Any]]) -> None:
    nodes = module("celery_info", on="broker1", gather=["conf", "stats"])["nodes"]
    assert len(nodes) == 4
    for node in nodes.values():
        assert node["conf"]["task_acks_late"] is True
        assert node["conf"]["task_reject_on_worker_lost"] is True
        assert node["conf"]["worker_prefetch_multiplier"] == 1
        assert node["conf"]["broker_transport_options"]["visibility_timeout"] == 4200
        assert node["stats"]["prefetch_count"] == len(node["stats"]["pool"]["processes"])


@pytest.mark.parametrize("no_broker", ["systemctl kill --signal=STOP"], indirect=True)
def test_a_worker_that_has_lost_its_broker_says_so_and_can_be_stopped(
    cluster: dict[str, Host], wait_until: Callable[..., None], no_broker: None
) -> None:
    broker, worker = cluster["broker1"], cluster["worker1"]
    # A frozen broker leaves heartbeats unread: when it dies, the workers are in the middle of them.
    address = worker.check_output("hostname --ip-address")
    unread = f"ss --no-header --tcp --numeric state established sport = :6379 and dst = {address}"
    wait_until(lambda: len(re.findall(r"^[1-9]", broker.check_output(unread), re.MULTILINE)) >= 2)
    broker.check_output("systemctl kill --signal=KILL redis-server.service")
    broker.check_output("systemctl stop redis-server.service")
    unit = "celery-monitoring-work@1.service"
    status = f"systemctl show --property=StatusText --value {unit}"
    wait_until(lambda: "broker" in worker.check_output(status))
    stopped = worker.run(f"timeout 60 systemctl stop {unit}")
    worker.check_output(f"systemctl start --no-block {unit}")
    assert stopped.rc == 0


def test_a_release_needs_no_secrets_of_the_controller(
    cluster: dict[str, Host], play: Callable[..., Any], tmp_path: Path
) -> None:
    book = tmp_path / "app.yml"
    book.write_text(INSTALL, encoding="utf-8")
    project = Path(__file__).parents[3] / "examples/monitoring_app"
    run = play(
        book,
        celery_app_name="other",
        celery_app_source=str(project),
        celery_secrets_dir=str(tmp_path / "none"),
        celery_broker_password="given-by-the-inventory",
    )
    cluster["worker1"].check_output("rm -r /opt/celeryops/other /etc/celeryops/other")
    assert run.errors == []
    assert run.changed["worker1"] > 0
