# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import ssl
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.celeryops.cluster.plugins.module_utils import _doctor_host
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Broker,
    Cluster,
    Node,
    Security,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._doctor import Process
from ansible_collections.celeryops.cluster.plugins.module_utils._doctor_host import (
    certificate_file,
    certificate_paths,
    disks,
    file_lines,
    log_lines,
    processes,
    releases,
    show_units,
    unit_names,
    unit_of,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError

BROKER = Broker("redis://b", "x")
SHOWN = {
    "Id": "celery-shop-cpu@1.service",
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "running",
    "Result": "success",
    "UnitFileState": "enabled",
    "ActiveEnterTimestampMonotonic": "1000000",
    "NRestarts": "2",
    "NeedDaemonReload": "no",
    "MainPID": "17",
    "ControlGroup": "/celery.slice/cpu",
    "LimitNOFILESoft": "65536",
}
LIMITS = """\
Limit                     Soft Limit           Hard Limit           Units
Max open files            1024                 524288               files
"""


def written(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def certificate(end: datetime) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=timezone.utc))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def test_the_services_of_a_host(tmp_path: Path) -> None:
    for instance in ("cpu1", "cpu2", "beat"):
        written(tmp_path / f"etc/celeryops/shop/instances/{instance}.env")
    written(tmp_path / "etc/redis/celeryops.conf")
    nodes = {
        f"cpu{number}@{host}": Node(f"cpu{number}@{host}", host, "cpu", "prefork", ("q",), 1)
        for number, host in ((1, "w1"), (2, "w1"), (1, "w2"))
    }
    cluster = Cluster(BROKER, app="shop", host="w1", nodes=nodes)
    # One that was left out is no other service either.
    assert unit_names(cluster, ["cpu1@w1"], tmp_path) == {
        "celery-shop-cpu@1.service": "cpu1@w1",
        "celery-shop-beat.service": None,
        "redis-server.service": None,
    }
    assert unit_names(Cluster(BROKER), [], tmp_path) == {}


def test_what_the_service_manager_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Id=a.service\nResult=a=b\n\nId=b.service\nLoadState=not-found\n"
    monkeypatch.setattr(_doctor_host, "_run", lambda *_: text)
    assert show_units(["a.service", "b.service"], lambda: 5.0) == [
        {"Id": "a.service", "Result": "a=b"},
        {"Id": "b.service", "LoadState": "not-found"},
    ]
    assert show_units([], lambda: 5.0) == []


def test_a_unit_and_its_log() -> None:
    def log(name: str, _count: int) -> list[str]:
        assert name == SHOWN["Id"]
        return ["INFO ready", "ERROR one", "ModuleNotFoundError: No module named 'shop'", "bye"]

    running = unit_of(SHOWN, "cpu1@w1", log)
    assert (running.name, running.node, running.restarts) == (SHOWN["Id"], "cpu1@w1", 2)
    assert running.log_error is None
    failed = unit_of({**SHOWN, "ActiveState": "failed"}, None, log)
    assert failed.log_error == "ModuleNotFoundError: No module named 'shop'"
    absent = {"Id": "x.service", "LoadState": "not-found", "ActiveState": "inactive"}
    assert unit_of({**absent, "SubState": "dead"}, None, log).load == "not-found"


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["sh", "-c", "echo no bus >&2; exit 1"], "`sh` failed (no bus): run the task with"),
        (["no-such-command"], "`no-such-command` can't be asked (FileNotFoundError): this host"),
        (["sleep", "60"], "`sleep` can't be asked (TimeoutExpired): this host"),
    ],
)
def test_a_command_that_fails(command: list[str], sentence: str) -> None:
    with pytest.raises(CeleryOpsError) as caught:
        _doctor_host._run(command, lambda: 0.0)
    assert str(caught.value).startswith(sentence)


def test_the_log_of_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(_doctor_host, "_run", lambda command, _: asked.extend(command) or "a\nb\n")
    assert log_lines("a.service", 7, lambda: 5.0) == ["a", "b"]
    assert {"--unit=a.service", "--lines=7"} <= set(asked)


def test_the_log_file_of_a_service(tmp_path: Path) -> None:
    written(tmp_path / "var/log/celeryops/shop/cpu1.log", "a\nb\nc\n")
    unit = "celery-shop-cpu@1.service"
    assert file_lines("shop", unit, 2, lambda: 5.0, tmp_path) == ["b", "c"]
    assert file_lines("shop", "nginx.service", 2, lambda: 5.0, tmp_path) == []


@pytest.mark.parametrize("grouped", [True, False])
def test_processes(tmp_path: Path, grouped: bool) -> None:
    written(tmp_path / "proc/1/limits", LIMITS.replace("524288", "unlimited"))
    for pid in ("17", "18"):
        written(tmp_path / f"proc/{pid}/limits", LIMITS)
        written(tmp_path / f"proc/{pid}/fd/0")
    if grouped:
        written(tmp_path / "sys/fs/cgroup/celery.slice/cpu/cgroup.procs", "17\n18\n19\n")
    found = list(processes([SHOWN, {**SHOWN, "MainPID": "0", "ControlGroup": ""}], tmp_path))
    pids = [17, 18] if grouped else [17]
    assert found == [Process(SHOWN["Id"], pid, 1, 1024, 65536) for pid in pids]


def test_processes_of_a_service_manager_that_may_not_have_more(tmp_path: Path) -> None:
    for pid in ("1", "17"):
        written(tmp_path / f"proc/{pid}/limits", LIMITS.replace("524288", "20000"))
        written(tmp_path / f"proc/{pid}/fd/0")
    (found,) = processes([SHOWN], tmp_path)
    assert (found.limit, found.promised) == (1024, 20000)
    (unknown,) = processes([{**SHOWN, "LimitNOFILESoft": ""}], tmp_path)
    assert unknown.promised == 0


def test_disks(tmp_path: Path) -> None:
    written(tmp_path / "var/log/x")
    (disk,) = disks("shop", tmp_path)
    assert disk.path == str(tmp_path)
    assert 0 <= disk.free <= disk.size
    assert disk.size == os.statvfs(tmp_path).f_blocks * os.statvfs(tmp_path).f_frsize


def test_the_certificates_that_the_configuration_names(tmp_path: Path) -> None:
    nginx = "ssl_certificate /etc/a.pem;\n    ssl_certificate_key /etc/a.key;\n"
    written(tmp_path / "etc/nginx/conf.d/celeryops.conf", nginx)
    security = Security("/etc/s.key", "/etc/s.pem", "/etc/certs/*.pem")
    use_ssl = {"ca_certs": "/etc/ca.crt", "keyfile": "/etc/c.key", "cert_reqs": 2}
    broker = Broker("rediss://b", "x", use_ssl=use_ssl, security=security)
    assert certificate_paths(broker, tmp_path) == ["/etc/a.pem", "/etc/ca.crt", "/etc/s.pem"]
    assert certificate_paths(BROKER, tmp_path / "nowhere") == []


@pytest.mark.parametrize("year", [2049, 2050, 2120])
def test_the_end_of_a_certificate(tmp_path: Path, year: int) -> None:
    end = datetime(year, 2, 3, 4, 5, 6, tzinfo=timezone.utc)
    chain = certificate(end) + certificate(end + timedelta(days=1))
    file = written(tmp_path / "a.pem", "A chain\n" + chain)
    assert certificate_file(str(file)).end == end


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, "can't be read (no such file or directory)"),
        ("-----BEGIN PRIVATE KEY-----\n", "holds no certificate that can be read"),
        (ssl.DER_cert_to_PEM_cert(b"\x30\x03abc"), "holds no certificate that can be read"),
        (ssl.DER_cert_to_PEM_cert(b"\x30"), "holds no certificate that can be read"),
        (ssl.DER_cert_to_PEM_cert(b"\x30\x00"), "holds no certificate that can be read"),
    ],
)
def test_a_certificate_that_cannot_be_read(tmp_path: Path, text: str | None, fault: str) -> None:
    path = tmp_path / "a.pem"
    if text is not None:
        written(path, text)
    assert certificate_file(str(path)).fault == fault


def test_releases(tmp_path: Path) -> None:
    instances = tmp_path / "opt/celeryops/shop/instances"
    instances.mkdir(parents=True)
    (instances / "cpu1").symlink_to("../releases/1.4.0-1a2b3c4d")
    assert releases("shop", tmp_path) == {"cpu1": "1.4.0-1a2b3c4d"}
    assert releases("nowhere", tmp_path) == {}
    assert releases(None, tmp_path) == {}
