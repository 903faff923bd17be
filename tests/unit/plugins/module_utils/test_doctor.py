# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._doctor import (
    ERROR,
    WARNING,
    Address,
    CertificateFile,
    Disk,
    Finding,
    Place,
    Process,
    Unit,
    of_certificates,
    of_disks,
    of_login,
    of_places,
    of_processes,
    of_units,
    routed_queues,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import BrokerError

NAME = "celery-shop-cpu@1.service"
NOW = datetime(2026, 11, 21, tzinfo=timezone.utc)
GIB = 1 << 30


def unit(**about: Any) -> Unit:
    return Unit(NAME, "cpu1@w1", **about)


def only(findings: Iterator[Finding]) -> Finding:
    (found,) = findings
    for sentence in (found.cause, found.fix):
        assert sentence[-1] == "."
        assert sentence[0] == sentence[0].upper() or sentence.startswith(("celery-", "`"))
    return found


@pytest.mark.parametrize(
    ("about", "severity", "cause", "fix"),
    [
        ({"load": "not-found"}, ERROR, "isn't installed", "celeryops.cluster.site"),
        ({"active": "inactive"}, ERROR, "is stopped", f"`systemctl start {NAME}`"),
        ({"active": "failed", "result": "exit-code"}, ERROR, "has failed (exit-code)", "reset-fai"),
        (
            {"active": "activating", "sub": "auto-restart", "log_error": "ImportError: no shop."},
            ERROR,
            "again and again (success); its log says: ImportError: no shop.",
            "journalctl --unit",
        ),
        ({"active": "deactivating"}, WARNING, "is deactivating", "Wait"),
        ({"restarts": 3, "since": 120.0}, WARNING, "crash 3 times, 2 min ago", "journalctl"),
        ({"enabled": "disabled"}, WARNING, "when the host boots", f"`systemctl enable {NAME}`"),
        ({"outdated": True}, WARNING, "hasn't read", "daemon-reload"),
    ],
)
def test_a_unit(about: dict[str, Any], severity: str, cause: str, fix: str) -> None:
    found = only(of_units([unit(**about)]))
    assert (found.check, found.severity, found.node) == ("unit", severity, "cpu1@w1")
    assert found.cause.startswith(NAME)
    assert cause in found.cause
    assert fix in found.fix


def test_a_unit_that_runs() -> None:
    assert list(of_units([unit(), unit(restarts=3, since=86400.0), unit(enabled="static")])) == []


@pytest.mark.parametrize(
    ("opened", "limit", "severity"),
    [(950, 1000, ERROR), (800, 1000, WARNING), (10, 1000, WARNING), (10, 4096, None)],
)
def test_open_files(opened: int, limit: int, severity: str | None) -> None:
    found = list(of_processes([Process(NAME, 17, opened, limit, promised=4096)]))
    assert [finding.severity for finding in found] == ([severity] if severity else [])
    assert all(NAME in finding.fix for finding in found)


def test_a_service_is_told_once() -> None:
    each = [Process(NAME, pid, pid, 100, 100) for pid in (71, 95, 80)]
    assert only(of_processes(each)).cause.startswith(f"Process 95 of {NAME} has 95 files open")


@pytest.mark.parametrize(
    ("disk", "severity"),
    [
        (Disk("/", 0, GIB, 9, 10), ERROR),
        (Disk("/", GIB, 100 * GIB, 9, 10), WARNING),
        # A twentieth of a large disk is much.
        (Disk("/", 50 * GIB, 1000 * GIB, 9, 10), None),
        # A small one that is half empty is as it should be.
        (Disk("/", 32 << 20, 64 << 20, 9, 10), None),
        (Disk("/", 50 * GIB, 100 * GIB, 1, 1000), ERROR),
        (Disk("/", 50 * GIB, 100 * GIB, 50, 1000), WARNING),
        (Disk("/", 50 * GIB, 100 * GIB, 0, 0), None),
    ],
)
def test_disks(disk: Disk, severity: str | None) -> None:
    found = list(of_disks([disk]))
    assert [finding.severity for finding in found] == ([severity] if severity else [])
    assert all("du -x /" in finding.fix for finding in found)


@pytest.mark.parametrize(("days", "severity"), [(-1, ERROR), (0, ERROR), (20, WARNING), (22, None)])
def test_certificates(days: int, severity: str | None) -> None:
    file = CertificateFile("/etc/shop.pem", end=NOW + timedelta(days=days))
    found = list(of_certificates([file], NOW))
    assert [finding.severity for finding in found] == ([severity] if severity else [])
    assert all("celeryops.cluster.site" in finding.fix for finding in found)


def test_a_certificate_that_cannot_be_read() -> None:
    file = CertificateFile("/etc/shop.pem", fault="can't be read (no such file or directory)")
    found = only(of_certificates([file], NOW))
    assert found.cause == "/etc/shop.pem can't be read (no such file or directory)."


def place(*addresses: Address) -> Place:
    return Place("broker", "/etc/control.json", "broker1", 6379, addresses)


@pytest.mark.parametrize(
    ("addresses", "check", "cause", "fix"),
    [
        ((), "name", "broker, broker1, doesn't resolve", "getent ahosts broker1"),
        (
            (Address("10.0.0.9", True, "refused"),),
            "port",
            "broker at broker1:6379 (10.0.0.9, by /etc/hosts) refuses",
            "check that 10.0.0.9 is right in /etc/hosts",
        ),
        (
            (Address("10.0.0.9", False, "silent"),),
            "firewall",
            "broker1:6379 (10.0.0.9) doesn't answer",
            "TCP port 6379",
        ),
        (
            (Address("10.0.0.9", False, "no route to host"),),
            "firewall",
            "can't be reached (no route to host)",
            "routes and firewalls",
        ),
    ],
)
def test_a_place(addresses: tuple[Address, ...], check: str, cause: str, fix: str) -> None:
    found = only(of_places([place(*addresses)], usable=False))
    assert (found.check, found.severity) == (check, ERROR)
    assert cause in found.cause
    assert fix in found.fix


def test_a_place_beside_one_that_works() -> None:
    one_of_two = place(Address("10.0.0.8"), Address("10.0.0.9", fault="refused"))
    assert one_of_two.open
    assert only(of_places([one_of_two], usable=True)).severity == WARNING
    assert list(of_places([place(Address("10.0.0.8"))], usable=True)) == []


def test_a_login() -> None:
    error = BrokerError("The broker at b:6379 refuses the password (a: b): check the URL in x.")
    found = only(iter([of_login(error)]))
    assert found.cause == "The broker at b:6379 refuses the password (a: b)."
    assert found.fix == "Check the URL in x."


def test_routes() -> None:
    routes = {"shop.mail": "mail", "shop.*": {"queue": "cpu"}, "shop.x": {"exchange": "x"}}
    assert routed_queues({"task_routes": routes}) == {"shop.mail": "mail", "shop.*": "cpu"}
    assert routed_queues({"task_routes": ["shop.routes.Router"]}) == {}
    assert routed_queues({}) == {}
