"""Each host runs the pools that its variables describe, with their limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host

INSTANCES = {
    "worker1": ["checks@1", "green@1", "single@1", "thread@1", "thread@2", "work@1"],
    "worker2": ["green@1", "single@1", "thread@1", "thread@2", "work@1"],
}
UNITS = [
    (host, f"celery-monitoring-{instance}.service")
    for host, instances in INSTANCES.items()
    for instance in instances
]
LIMITS = "--soft-time-limit=50 --time-limit=60 --max-tasks-per-child=1000 --max-memory-per-child="

each_unit = pytest.mark.parametrize(("host", "unit"), UNITS)


def shown(host: Host, unit: str, name: str) -> str:
    return host.check_output("systemctl show --property=%s --value %s", name, unit)


@pytest.mark.parametrize("host", INSTANCES)
def test_a_host_runs_its_instances_and_no_others(cluster: dict[str, Host], host: str) -> None:
    units = cluster[host].check_output(
        "systemctl list-units --plain --no-legend --state=active 'celery-monitoring-*@*.service'"
    )
    found = [line.split()[0] for line in units.splitlines()]
    assert found == [unit for on, unit in UNITS if on == host]


@each_unit
def test_an_instance_works_and_is_confined(cluster: dict[str, Host], host: str, unit: str) -> None:
    assert shown(cluster[host], unit, "StatusText").startswith("consuming; ")
    cluster[host].check_output("systemd-analyze security --no-pager --threshold=25 %s", unit)


@each_unit
def test_the_sandbox_has_its_exceptions(cluster: dict[str, Host], host: str, unit: str) -> None:
    assert shown(cluster[host], unit, "MemoryDenyWriteExecute") == "no"
    assert "/srv" in shown(cluster[host], unit, "ReadWritePaths")
    assert shown(cluster[host], unit, "NoNewPrivileges") == "yes"


def test_sizes_follow_the_processors_and_the_groups(
    cluster: dict[str, Host], processes: Callable[[str, str], int]
) -> None:
    processors = int(cluster["worker1"].check_output("nproc"))
    assert processes("worker1", "work") == 2 * processors
    assert processes("worker2", "work") == 1


def test_celery_has_its_limits(cluster: dict[str, Host]) -> None:
    for host in INSTANCES:
        command = shown(cluster[host], "celery-monitoring-work@1.service", "ExecStart")
        assert f"{LIMITS}307200" in command


def test_systemd_has_its_limits(cluster: dict[str, Host]) -> None:
    unit = "celery-monitoring-work@1.service"
    found = [shown(cluster["worker2"], unit, name) for name in ("Nice", "MemoryMax")]
    assert found == ["5", str(1024**3)]
    assert shown(cluster["worker2"], unit, "CPUQuotaPerSecUSec") == "500ms"
    assert shown(cluster["worker1"], unit, "Nice") == "0"
    main = shown(cluster["worker2"], unit, "MainPID")
    assert cluster["worker2"].check_output(f"ps -o nice= -p {main}").strip() == "5"


def test_operators_know_every_node(module: Callable[..., dict[str, Any]]) -> None:
    found = module("celery_health", on="worker1", nodes="all")
    assert found["healthy"], found["reasons"]
    assert len(found["nodes"]) == len(UNITS)
