# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""What is wrong on a host and how to mend it, judged by what was read there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError

ERROR, WARNING = "error", "warning"

# For how long a service that was restarted after a crash is mentioned, in seconds.
_RECENT = 3600.0
# The parts of what may be used, from which on something is told.
_FILES_FEW, _FILES_NONE = 0.7, 0.9
# A disk is short of space when little is left both of it and in itself, in bytes.
_DISK_FEW, _DISK_FEW_BYTES = 0.1, 5 << 30
_DISK_NONE, _DISK_NONE_BYTES = 0.02, 500 << 20
_CERTIFICATE_DAYS = 21
_SITE = "run the playbook celeryops.cluster.site"


@dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    Attributes:
        check: What was looked at.
        severity: `error` for what keeps tasks from being done, `warning` for what soon may.
        cause: What was found, as a sentence.
        fix: What to do about it, as a sentence.
        node: The node that it is about; None for the host.
    """

    check: str
    severity: str
    cause: str
    fix: str
    node: str | None = None


@dataclass(frozen=True)
class Unit:
    """A service as the service manager shows it.

    Attributes:
        node: The node that runs in it.
        since: Seconds since it was started last.
        restarts: How often it was started again after a crash.
        outdated: Whether its file has changed since the service manager read it.
        log_error: The last line of its log that tells of an error.
    """

    name: str
    node: str | None = None
    load: str = "loaded"
    active: str = "active"
    sub: str = "running"
    result: str = "success"
    enabled: str = "enabled"
    since: float = 0.0
    restarts: int = 0
    outdated: bool = False
    log_error: str | None = None


@dataclass(frozen=True)
class Process:
    """A live process of a service: the files that it has open, and those that it may have.

    Attributes:
        promised: How many files the service's unit lets it open, as far as the host allows.
    """

    unit: str
    pid: int
    open: int
    limit: int
    promised: int


@dataclass(frozen=True)
class Disk:
    """A file system, by a path on it: free and all bytes, free and all inodes."""

    path: str
    free: int
    size: int
    free_inodes: int
    inodes: int


@dataclass(frozen=True)
class CertificateFile:
    """A file with certificates: the first end of them, or why it can't be read."""

    path: str
    end: datetime | None = None
    fault: str | None = None


@dataclass(frozen=True)
class Address:
    """An address that a server's name leads to: whether the hosts file says so, and what it does.

    Attributes:
        fault: `refused`, `silent`, or the system's words; None if it takes connections.
    """

    address: str
    from_hosts_file: bool = False
    fault: str | None = None


@dataclass(frozen=True)
class Place:
    """A place that the URL of a server names.

    Attributes:
        title: What the server is.
        origin: Where the URL stands.
        addresses: Empty if the name doesn't resolve.
    """

    title: str
    origin: str
    host: str
    port: int
    addresses: tuple[Address, ...]

    @property
    def open(self) -> bool:
        """Whether it takes connections at one address at least."""
        return any(address.fault is None for address in self.addresses)


def of_units(units: Iterable[Unit]) -> Iterator[Finding]:
    """Services that don't run, or didn't without help."""
    for unit in units:
        if verdict := _down(unit):
            cause, fix = verdict
            yield Finding("unit", ERROR, f"{unit.name} {cause}.", f"{fix}.", unit.node)
            continue
        for cause, fix in _odd(unit):
            yield Finding("unit", WARNING, f"{unit.name} {cause}.", f"{fix}.", unit.node)


def _down(unit: Unit) -> tuple[str, str] | None:
    log = f"; its log says: {unit.log_error.rstrip('.')}" if unit.log_error else ""
    start = f"`systemctl start {unit.name}`"
    if unit.load != "loaded":
        return f"isn't installed ({unit.load})", _SITE.capitalize()
    if unit.active == "failed":
        mended = f"`systemctl reset-failed {unit.name}` and {start}"
        return f"has failed ({unit.result}){log}", f"Mend what its log tells, then {mended}"
    if unit.sub == "auto-restart":
        read = f"`journalctl --unit {unit.name}`"
        return (
            f"stops again and again ({unit.result}){log}",
            f"Mend what its log ({read}) tells: it then starts by itself",
        )
    if unit.active == "inactive":
        return "is stopped", f"Start it by {start}"
    return None


def _odd(unit: Unit) -> Iterator[tuple[str, str]]:
    read = f"`journalctl --unit {unit.name}`"
    if unit.active != "active":
        yield (
            f"is {unit.active}",
            f"Wait; if it stays so, read {read}",
        )
    elif unit.restarts and unit.since < _RECENT:
        yield (
            f"was restarted after a crash {unit.restarts} times, {unit.since / 60:.0f} min ago "
            "the last time",
            f"Read why in {read}",
        )
    if unit.enabled == "disabled":
        yield "doesn't start when the host boots", f"Enable it by `systemctl enable {unit.name}`"
    if unit.outdated:
        yield (
            "has a file that the service manager hasn't read since it changed",
            "Have it read by `systemctl daemon-reload`, and find out who has changed it",
        )


def of_processes(processes: Iterable[Process]) -> Iterator[Finding]:
    """Services that run out of open files, or may open fewer than their unit says.

    Of the processes of a service the one is named that is nearest to its limit.
    """
    worst: dict[str, Process] = {}
    for process in processes:
        other = worst.get(process.unit)
        if other is None or process.open * other.limit > other.open * process.limit:
            worst[process.unit] = process
    for process in worst.values():
        who = f"Process {process.pid} of {process.unit}"
        part = process.open / max(1, process.limit)
        if part >= _FILES_FEW:
            yield Finding(
                "open files",
                ERROR if part >= _FILES_NONE else WARNING,
                f"{who} has {process.open} files open of the {process.limit} that it may have.",
                f"Look for what leaves them open (`ls -l /proc/{process.pid}/fd`), then restart "
                f"{process.unit}, by the playbook celeryops.cluster.restart if it is a worker.",
            )
        elif process.limit < process.promised:
            yield Finding(
                "open files",
                WARNING,
                f"{who} may open {process.limit} files, and its unit says {process.promised}.",
                f"Restart {process.unit}, by the playbook celeryops.cluster.restart if it is a "
                "worker: it was started before its unit was changed.",
            )


def of_disks(disks: Iterable[Disk]) -> Iterator[Finding]:
    """File systems that are full, or soon will be."""
    for disk in disks:
        severity = _shortage(disk.free, disk.size) or _few_inodes(disk)
        if severity:
            yield Finding(
                "disk",
                severity,
                f"The file system of {disk.path} has {disk.free >> 20} MiB free of "
                f"{disk.size >> 20} MiB, and {disk.free_inodes} inodes of {disk.inodes}.",
                f"Make room there (`du -x {disk.path}` shows what takes it), or give it more.",
            )


def _shortage(free: int, size: int) -> str | None:
    if free <= min(size * _DISK_NONE, _DISK_NONE_BYTES):
        return ERROR
    return WARNING if free <= min(size * _DISK_FEW, _DISK_FEW_BYTES) else None


def _few_inodes(disk: Disk) -> str | None:
    # Some file systems make inodes as they need them, and count none.
    if not disk.inodes or disk.free_inodes > disk.inodes * _DISK_FEW:
        return None
    return ERROR if disk.free_inodes <= disk.inodes * _DISK_NONE else WARNING


def of_certificates(files: Iterable[CertificateFile], now: datetime) -> Iterator[Finding]:
    """Certificates that can't be read, have ended, or soon will."""
    fix = (
        "Put a newer one in its place, or remove the one of the own CA below celery_secrets_dir on "
        f"the controller, and {_SITE}."
    )
    for file in files:
        if file.fault:
            yield Finding("certificate", ERROR, f"{file.path} {file.fault}.", fix)
        elif file.end and file.end <= now:
            cause = f"The certificate {file.path} ended on {file.end:%Y-%m-%d}."
            yield Finding("certificate", ERROR, cause, fix)
        elif file.end and file.end <= now + timedelta(days=_CERTIFICATE_DAYS):
            cause = f"The certificate {file.path} ends on {file.end:%Y-%m-%d}."
            yield Finding("certificate", WARNING, cause, fix)


def of_places(places: Iterable[Place], usable: bool) -> Iterator[Finding]:
    """Places of a server whose names don't resolve, or that can't be reached from this host.

    Args:
        places: The places.
        usable: Whether another way leads to the server.
    """
    severity = WARNING if usable else ERROR
    for place in places:
        if not place.addresses:
            yield Finding(
                "name",
                severity,
                f"The name of the {place.title}, {place.host}, doesn't resolve.",
                f"Correct it in {place.origin}, in /etc/hosts, or at the name servers of this host "
                f"(`getent ahosts {place.host}` asks them).",
            )
        for address in place.addresses:
            if address.fault:
                yield _unreachable(place, address, severity)


def _unreachable(place: Place, address: Address, severity: str) -> Finding:
    source = ", by /etc/hosts" if address.from_hosts_file else ""
    where = f"{place.host}:{place.port} ({address.address}{source})"
    right = f"check that {address.address} is right{' in /etc/hosts' if source else ''}"
    if address.fault == "refused":
        return Finding(
            "port",
            severity,
            f"The {place.title} at {where} refuses the connection.",
            f"Start the {place.title} if it is stopped there; if not, {right}, and that it listens "
            "on that address.",
        )
    if address.fault == "silent":
        return Finding(
            "firewall",
            severity,
            f"The {place.title} at {where} doesn't answer.",
            f"If the host is up, {right}, and that the firewalls on both hosts and between them "
            f"let this host in to TCP port {place.port}.",
        )
    return Finding(
        "firewall",
        severity,
        f"The {place.title} at {where} can't be reached ({address.fault}).",
        f"To mend it, {right}, and that the routes and firewalls of this host lead there.",
    )


def of_login(error: CeleryOpsError) -> Finding:
    """A server that takes connections, and then doesn't speak or refuses the login."""
    # The sentences of the collection's errors end with their fix, behind a colon.
    cause, _colon, fix = str(error).rpartition(": ")
    return Finding("login", ERROR, f"{cause}.", f"{fix[:1].upper()}{fix[1:]}")


def routed_queues(settings: Mapping[str, Any]) -> dict[str, str]:
    """By the name or the pattern of tasks, the queue that Celery's `task_routes` sends them to."""
    routes = settings.get("task_routes")
    found = {
        str(task): route.get("queue") if isinstance(route, Mapping) else route
        for task, route in (routes if isinstance(routes, Mapping) else {}).items()
    }
    return {task: queue for task, queue in found.items() if isinstance(queue, str)}
