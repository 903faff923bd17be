"""Somebody is told of what fails, and no task waits for that."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from testinfra.host import Host

POOLS = ("work", "green", "thread", "single")
TOKEN = "scenario-token"
# It knows no token, since its own code stands in the journal.
RECEIVER = """
import http.server, json
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        alert = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        alert["authorization"] = self.headers["Authorization"]
        with open("/run/alerts.log", "a") as log:
            print(json.dumps(alert), file=log, flush=True)
        self.send_response(204)
        self.end_headers()
http.server.HTTPServer(("", 9000), Receiver).serve_forever()
"""
SEND = """
import json
from monitoring_app.tasks.operations import {task}
print(json.dumps([{task}.apply_async({arguments}, queue=queue).id for queue in {queues}]))
"""
QUEUES = {"work": "default", "green": "green", "thread": "thread", "single": "single"}
WORK = "celery-monitoring-work@1.service"


@pytest.fixture(scope="module")
def alerts(cluster: dict[str, Host]) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Takes alerts on worker1; those that have come."""
    host = cluster["worker1"]
    host.check_output("systemd-run --unit=alerts --description=alerts python3 -c %s", RECEIVER)
    host.check_output("touch /run/alerts.log")
    yield lambda: [json.loads(line) for line in host.file("/run/alerts.log").content.splitlines()]
    host.check_output("systemctl stop alerts.service; rm /run/alerts.log")


def test_a_failure_in_any_pool_is_reported(
    application: Callable[[str], Any],
    alerts: Callable[[], list[dict[str, Any]]],
    wait_until: Callable[..., None],
) -> None:
    queues = [QUEUES[pool] for pool in POOLS]
    # Three retries come before the last failure: the fourth is the one that counts.
    arguments = "(9, 'alerts')"
    sent = application(SEND.format(task="risky_operation", arguments=arguments, queues=queues))
    wait_until(lambda: {alert["id"] for alert in alerts()} == set(sent), 90)
    assert len(alerts()) == len(sent)
    for alert in alerts():
        assert alert["event"] == "task-failed"
        assert alert["authorization"] == f"Bearer {TOKEN}"
        assert alert["exception"] == "OperationError('operation alerts failed at attempt 4')"
        assert alert["text"].startswith(f"monitoring: task {alert['task']} on {alert['node']} ")
    assert {alert["node"].split("@")[0][:-1] for alert in alerts()} == set(POOLS)


def test_a_lost_process_is_reported(
    cluster: dict[str, Host],
    application: Callable[[str], Any],
    module: Callable[..., dict[str, Any]],
    alerts: Callable[[], list[dict[str, Any]]],
    wait_until: Callable[..., None],
    recovery: Callable[[], None],
) -> None:
    [sent] = application(SEND.format(task="work", arguments="(20, 'lost')", queues=["default"]))

    def found() -> dict[str, Any]:
        task: dict[str, Any] = module("celery_task_info", on="worker1", ids=[sent])["tasks"][sent]
        return task

    wait_until(lambda: found()["held"] == "active")
    node = found()["node"]
    main = f"$(systemctl show --property=MainPID --value {WORK})"
    cluster[node.split("@")[1]].check_output(f"pkill --signal KILL --parent {main}")
    wait_until(lambda: any(alert["id"] == sent for alert in alerts()))
    [alert] = [alert for alert in alerts() if alert["id"] == sent]
    assert (alert["event"], alert["node"]) == ("worker-lost", node)
    # The task itself is not lost with its process.
    wait_until(lambda: found()["state"] == "SUCCESS", 90)
    recovery()


def test_a_service_that_is_given_up_is_reported(
    cluster: dict[str, Host],
    alerts: Callable[[], list[dict[str, Any]]],
    wait_until: Callable[..., None],
    recovery: Callable[[], None],
) -> None:
    host, drop_in = cluster["worker2"], f"/run/systemd/system/{WORK}.d"
    host.check_output(
        f"mkdir {drop_in}; printf '[Unit]\\nStartLimitBurst=1\\n' >{drop_in}/once.conf"
    )
    host.check_output("systemctl daemon-reload")

    def given_up() -> bool:
        # Between two starts there is nothing to kill.
        host.run(f"systemctl kill --signal=KILL {WORK}")
        return any(alert["event"] == "service-failed" for alert in alerts())

    wait_until(given_up)
    alert = alerts()[-1]
    assert (alert["unit"], alert["host"]) == (WORK, "worker2")
    host.check_output(f"rm -r {drop_in}; systemctl daemon-reload; systemctl reset-failed {WORK}")
    host.check_output(f"systemctl start {WORK}")
    recovery()


def test_nobody_reads_the_token(cluster: dict[str, Host]) -> None:
    for host in cluster.values():
        file = host.file("/etc/celeryops/monitoring/alerts.json")
        assert (file.user, file.group, file.mode) == ("root", "celery", 0o640)
        assert TOKEN not in host.check_output("systemctl show 'celery-*'")
        assert TOKEN not in host.check_output("journalctl --no-pager --quiet")
