"""The services that systemd runs, and how."""

from __future__ import annotations

import pytest
from testinfra.host import Host

WORKERS = [
    (host, f"celery-monitoring-{pool}@1.service", f"{pool}1")
    for host in ("worker1", "worker2")
    for pool in ("work", "checks")
]
PROGRAMS = [
    ("dashboard1", f"celery-monitoring-{name}.service", name) for name in ("beat", "flower", "api")
]
OTHERS = [("broker1", "redis-server.service"), ("dashboard1", "nginx.service")]

each_worker = pytest.mark.parametrize(("host", "unit", "instance"), WORKERS)
each_instance = pytest.mark.parametrize(("host", "unit", "instance"), WORKERS + PROGRAMS)


def properties(host: Host, unit: str) -> dict[str, str]:
    lines = host.check_output("systemctl show %s", unit).splitlines()
    return dict(line.split("=", 1) for line in lines)


def command_line(host: Host, unit: str) -> list[str]:
    pid = properties(host, unit)["MainPID"]
    return host.check_output(f"tr '\\0' '\\n' </proc/{pid}/cmdline").splitlines()


@pytest.mark.parametrize(
    ("host", "unit"), [*((host, unit) for host, unit, _ in WORKERS + PROGRAMS), *OTHERS]
)
def test_service_runs_and_starts_at_boot(cluster: dict[str, Host], host: str, unit: str) -> None:
    found = properties(cluster[host], unit)
    assert (found["ActiveState"], found["UnitFileState"]) == ("active", "enabled")


@pytest.mark.parametrize("host", ["broker1", "worker1", "worker2", "dashboard1"])
def test_no_unit_of_the_host_has_failed(cluster: dict[str, Host], host: str) -> None:
    assert cluster[host].check_output("systemctl --failed --no-legend") == ""


@each_worker
def test_worker_is_ready_when_it_consumes(
    cluster: dict[str, Host], host: str, unit: str, instance: str
) -> None:
    found = properties(cluster[host], unit)
    assert found["Type"] == "notify"
    assert found["StatusText"].startswith("consuming; prefork pool; release ")
    assert f"--hostname={instance}@{host}" in command_line(cluster[host], unit)


@each_worker
def test_worker_may_finish_its_tasks_before_it_stops(
    cluster: dict[str, Host], host: str, unit: str, instance: str
) -> None:
    found = properties(cluster[host], unit)
    # Only the main process is told to stop, and has celery_worker_stop_timeout (3600 s) for it.
    assert (found["KillMode"], found["TimeoutStopUSec"]) == ("mixed", "1h")


@each_instance
def test_service_is_confined(cluster: dict[str, Host], host: str, unit: str, instance: str) -> None:
    # The threshold is in tenths of the exposure that systemd works out.
    cluster[host].check_output("systemd-analyze security --no-pager --threshold=25 %s", unit)


@each_instance
def test_service_may_open_as_many_files_as_the_host_allows(
    cluster: dict[str, Host], host: str, unit: str, instance: str
) -> None:
    pid = properties(cluster[host], unit)["MainPID"]
    hard_limits = [
        int(
            cluster[host].check_output(
                f"awk '/^Max open files/ {{ print $5 }}' /proc/{each}/limits"
            )
        )
        for each in ("1", pid)
    ]
    assert hard_limits[1] == min(65536, hard_limits[0])


@each_instance
def test_service_runs_what_its_own_link_leads_to(
    cluster: dict[str, Host], host: str, unit: str, instance: str
) -> None:
    link = f"/opt/celeryops/monitoring/instances/{instance}"
    release = cluster[host].check_output("readlink --canonicalize %s", link)
    python, program, *_ = command_line(cluster[host], unit)
    assert python.startswith(f"{release}/venv/bin/")
    assert program.startswith(f"{link}/venv/bin/")


def test_all_services_run_the_same_release(cluster: dict[str, Host]) -> None:
    releases = {
        cluster[host].file(f"/opt/celeryops/monitoring/instances/{instance}").linked_to
        for host, _, instance in WORKERS + PROGRAMS
    }
    assert len(releases) == 1, releases
