"""Three brokers that are one, and keep tasks on all of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host

BROKERS = ["broker1", "broker2", "broker3"]
NODES = [f"rabbit@{broker}" for broker in BROKERS]
VHOST = "monitoring-prod"
NAME = "monitoring-broker.celeryops.internal"

each_broker = pytest.mark.parametrize("broker", BROKERS)


@pytest.fixture(scope="session")
def ctl(cluster: dict[str, Host]) -> Callable[..., Any]:
    """What rabbitmqctl answers on a broker, as JSON."""

    def run(*words: str, on: str = "broker1") -> Any:
        command = " ".join(["rabbitmqctl --quiet --formatter json", *words])
        return json.loads(cluster[on].check_output(command))

    return run


@each_broker
def test_each_node_sees_all_nodes(ctl: Callable[..., Any], broker: str) -> None:
    status = ctl("cluster_status", on=broker)
    assert sorted(status["running_nodes"]) == NODES
    assert status["partitions"] == {}


@pytest.mark.parametrize("queue", ["default", "checks"])
def test_queues_of_tasks_are_on_all_nodes(ctl: Callable[..., Any], queue: str) -> None:
    found = {
        item["name"]: item
        for item in ctl("list_queues", "-p", VHOST, "name", "type", "members", "policy")
    }
    assert found[queue]["type"] == "quorum"
    assert sorted(found[queue]["members"]) == NODES
    assert found[queue]["policy"] == "celeryops.tasks"


def test_a_task_may_take_as_long_as_a_worker_that_stops(ctl: Callable[..., Any]) -> None:
    (policy,) = ctl("list_policies", "-p", VHOST)
    definition = json.loads(policy["definition"])
    # celery_worker_stop_timeout (3600 s) and ten minutes.
    assert definition["consumer-timeout"] == 4_200_000
    assert definition["delivery-limit"] == 100


def test_queues_that_nobody_declares_as_quorum_are_so_all_the_same(
    ctl: Callable[..., Any],
) -> None:
    types = {
        item["name"]: item["default_queue_type"]
        for item in ctl("list_vhosts", "name", "default_queue_type")
    }
    assert types[VHOST] == "quorum"


@each_broker
def test_a_node_that_is_cut_off_stops(cluster: dict[str, Host], broker: str) -> None:
    asked = "rabbitmqctl --quiet eval 'application:get_env(rabbit, cluster_partition_handling).'"
    assert cluster[broker].check_output(asked) == "{ok,pause_minority}"


@each_broker
def test_a_node_may_open_as_many_files_as_the_host_allows(
    cluster: dict[str, Host], broker: str
) -> None:
    pid = cluster[broker].check_output(
        "systemctl show --property=MainPID --value rabbitmq-server.service"
    )
    read = "awk '/^Max open files/ {{ print $5 }}' /proc/{}/limits"
    host, node = (int(cluster[broker].check_output(read.format(each))) for each in ("1", pid))
    assert node == min(65536, host)


@each_broker
def test_a_node_listens_on_its_own_addresses_only(cluster: dict[str, Host], broker: str) -> None:
    address = cluster[broker].check_output("hostname -I").split()[0]
    listening = cluster[broker].check_output("ss --no-header --listening --tcp --numeric")
    places = {line.split()[3] for line in listening.splitlines()}
    assert {"127.0.0.1:5672", f"{address}:5672", f"{address}:15672"} <= places
    assert not any(
        place.endswith((":5672", ":15672", ":15692")) and place.startswith(("*", "0.0.0.0", "[::]"))
        for place in places
    )


@pytest.mark.parametrize("host", [*BROKERS, "worker1", "worker2", "dashboard1"])
def test_one_name_leads_to_all_brokers(cluster: dict[str, Host], host: str) -> None:
    addresses = {cluster[broker].check_output("hostname -I").split()[0] for broker in BROKERS}
    found = cluster[host].check_output(f"getent ahosts {NAME}").splitlines()
    assert {line.split()[0] for line in found} == addresses


@pytest.mark.parametrize("unit", ["rabbitmq-server.service"])
@each_broker
def test_service_runs_and_starts_at_boot(cluster: dict[str, Host], broker: str, unit: str) -> None:
    service = cluster[broker].service(unit)
    assert service.is_running
    assert service.is_enabled


@pytest.mark.parametrize("host", [*BROKERS, "worker1", "worker2", "dashboard1"])
def test_no_unit_of_the_host_has_failed(cluster: dict[str, Host], host: str) -> None:
    assert cluster[host].check_output("systemctl --failed --no-legend") == ""


def test_a_metrics_page_is_there(cluster: dict[str, Host]) -> None:
    address = cluster["broker1"].check_output("hostname -I").split()[0]
    read = f"import urllib.request as u; print(u.urlopen('http://{address}:15692/metrics').read().decode())"
    assert "rabbitmq_identity_info" in cluster["broker1"].check_output("python3 -c %s", read)
