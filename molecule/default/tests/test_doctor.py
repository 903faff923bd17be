"""The doctor: nothing to tell of a healthy cluster, and a cause with its fix for each fault."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from testinfra.host import Host

Play = Callable[..., Any]
Module = Callable[..., dict[str, Any]]

DOCTOR = Path("celeryops.cluster.doctor")
UNIT = "celery-monitoring-checks@1.service"
FLOWER = "celery-monitoring-flower.service"
LOGS = "/var/log/celeryops/monitoring"


@pytest.fixture
def stopped(
    cluster: dict[str, Host], recovery: Callable[[], None]
) -> Iterator[Callable[..., None]]:
    """Stops a service, until the test is over."""
    services: list[tuple[str, str]] = []

    def stop(host: str, service: str) -> None:
        services.append((host, service))
        cluster[host].check_output(f"systemctl stop {service}")

    yield stop
    for host, service in services:
        cluster[host].check_output(f"systemctl start {service}")
    recovery()


@pytest.fixture
def wrong_name(cluster: dict[str, Host]) -> Iterator[None]:
    """The hosts file of worker1 leads to another place than the broker."""
    cluster["worker1"].check_output("cp /etc/hosts /run/hosts.before")
    cluster["worker1"].check_output("echo '127.0.0.9 broker1' >> /etc/hosts")
    yield
    # The file belongs to the container: it can be written, and not be replaced.
    cluster["worker1"].check_output("cat /run/hosts.before > /etc/hosts")


@pytest.fixture
def full_disk(cluster: dict[str, Host]) -> Iterator[None]:
    """Nothing more can be written to worker1's logs."""
    cluster["worker1"].check_output(f"mount -t tmpfs -o size=1m tmpfs {LOGS}")
    cluster["worker1"].run(f"dd if=/dev/zero of={LOGS}/fill bs=64k")
    yield
    cluster["worker1"].check_output(f"umount {LOGS}")


def findings(module: Module, host: str) -> list[dict[str, Any]]:
    found = module("celery_doctor", on=host)
    assert not found["failed"]
    assert not found["changed"]
    return list(found["findings"])


def test_a_healthy_cluster_has_no_finding(play: Play, recovery: Callable[[], None]) -> None:
    recovery()
    for options in ((), ("--check", "--diff")):
        run = play(DOCTOR, *options)
        assert run.errors == [], run.output
        assert "errors: 0, warnings: 0" in run.output
        assert set(run.changed.values()) == {0}


def test_a_broker_that_is_stopped(play: Play, stopped: Callable[..., None]) -> None:
    stopped("broker1", "redis-server.service")
    run = play(DOCTOR)
    assert any("mend them as the lines above say" in error for error in run.errors)
    assert "redis-server.service is stopped." in run.output
    assert "Start it by `systemctl start redis-server.service`." in run.output
    for host in ("worker1", "worker2", "dashboard1"):
        (line,) = [line for line in run.output.splitlines() if f"error  {host}" in line]
        assert "port" in line
        assert "The broker at broker1:6379 (" in line
        assert "refuses the connection." in line
    assert "Start the broker if it is stopped there" in run.output


@pytest.mark.usefixtures("wrong_name")
def test_a_wrong_name_in_the_hosts_file(module: Module) -> None:
    (found,) = findings(module, "worker1")
    assert (found["check"], found["severity"]) == ("port", "error")
    assert "broker1:6379 (127.0.0.9, by /etc/hosts) refuses" in found["cause"]
    assert "check that 127.0.0.9 is right in /etc/hosts" in found["fix"]
    assert findings(module, "worker2") == []


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk(module: Module) -> None:
    (found,) = findings(module, "worker1")
    assert (found["check"], found["severity"]) == ("disk", "error")
    assert f"The file system of {LOGS} has 0 MiB free of 1 MiB" in found["cause"]
    assert f"du -x {LOGS}" in found["fix"]


def test_a_service_that_is_stopped(play: Play, stopped: Callable[..., None]) -> None:
    stopped("worker1", UNIT)
    run = play(DOCTOR)
    assert any("Errors: 1;" in error for error in run.errors)
    (line,) = [line for line in run.output.splitlines() if "checks1@worker1" in line]
    assert f"{UNIT} is stopped." in line
    assert f"Start it by `systemctl start {UNIT}`." in run.output


def test_a_host_that_is_gone_keeps_nobody_else_from_being_examined(
    play: Play, inventory: Path, tmp_path: Path, stopped: Callable[..., None]
) -> None:
    copy = tmp_path / "inventory"
    shutil.copytree(inventory, copy)
    gone = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    more = {"celery_broker": {"hosts": {"broker0": gone}}}
    (copy / "zz_more.yml").write_text(yaml.safe_dump(more), encoding="utf-8")
    stopped("worker1", UNIT)
    run = play(DOCTOR, inventory=copy)
    assert any("Errors: 2;" in error for error in run.errors)
    assert "Ansible doesn't reach it (" in run.output
    assert f"{UNIT} is stopped." in run.output


def test_a_pool_alone(module: Module, stopped: Callable[..., None]) -> None:
    stopped("worker1", UNIT)
    assert module("celery_doctor", on="worker1", pool="work")["findings"] == []
    assert module("celery_doctor", on="worker1", nodes=["work*"])["findings"] == []
    assert len(module("celery_doctor", on="worker1", pool="checks")["findings"]) == 1


def test_the_support_bundle_holds_no_secret(
    play: Play,
    cluster: dict[str, Host],
    secrets: dict[str, str],
    leaks: Callable[[str], list[str]],
    tmp_path: Path,
) -> None:
    # Each host knows the secrets that its own files hold.
    said = {
        ("dashboard1", FLOWER): [text for name, text in secrets.items() if "Flower" in name],
        ("worker1", UNIT): [
            "celeryops says",
            *(text for name, text in secrets.items() if "Flower" not in name),
            "https://x.example.org/?token=t0ken-in-a-url",
        ],
    }
    for (host, unit), lines in said.items():
        for line in lines:
            entry = f"MESSAGE=celeryops says {line}\nOBJECT_SYSTEMD_UNIT={unit}\n"
            cluster[host].check_output("printf %%s %s | logger --journald", entry)

    run = play(DOCTOR, celery_doctor_bundle=str(tmp_path / "bundle"))
    assert run.errors == [], run.output
    assert leaks(run.output) == []
    (archive,) = (tmp_path / "bundle").iterdir()
    assert oct(archive.stat().st_mode & 0o777) == oct(0o600)
    with tarfile.open(archive) as bundle:
        files = {
            name.removeprefix("./"): file.read().decode()
            for name in bundle.getnames()
            if (file := bundle.extractfile(name))
        }
    assert {"findings.txt", "health.json", "queues.json", "broker1.json"} <= set(files)
    for host, unit in said:
        assert "celeryops says" in files[f"{host}.{unit}.log"]
    told = json.loads(files["worker1.json"])
    assert told["details"]["files"]["control.json"]["app"] == "monitoring"
    assert told["details"]["versions"]["celery"].startswith("5.")
    everything = "\n".join(files.values())
    assert leaks(everything) == []
    assert "t0ken-in-a-url" not in everything
