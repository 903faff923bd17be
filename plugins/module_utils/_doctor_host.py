# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""Reading what a host runs and has: services, logs, processes, disks, certificates, releases.

Only reads; what can't be read because it isn't there is left out.
"""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path

from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    CONFIGURATION,
    Broker,
    Cluster,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._doctor import (
    CertificateFile,
    Disk,
    Process,
    Unit,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError

# Servers that the roles set up, by a file that is there if they did.
_SERVERS = {
    "redis-server.service": "etc/redis/celeryops.conf",
    "rabbitmq-server.service": "etc/rabbitmq/conf.d/50-celeryops.conf",
    "nginx.service": "etc/nginx/conf.d/celeryops.conf",
}
_DATA = ("", "etc", "opt/celeryops", "tmp", "var/log", "var/lib/redis", "var/lib/rabbitmq")
_PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "UnitFileState",
    "ActiveEnterTimestampMonotonic",
    "NRestarts",
    "NeedDaemonReload",
    "MainPID",
    "ControlGroup",
    "LimitNOFILESoft",
)
_LOG_LINES = 100
_ERROR_LINE = re.compile(r"\b(CRITICAL|ERROR|FATAL)\b|\b\w*(Error|Exception): ")
# Its soft and its hard limit.
_OPEN_FILES = re.compile(r"^Max open files\s+(\d+|unlimited)\s+(\d+|unlimited)", re.MULTILINE)
_SSL_CERTIFICATE = re.compile(r"^\s*ssl_certificate\s+([^;\s]+)\s*;", re.MULTILINE)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_UTC_TIME, _EXPLICIT_VERSION = 0x17, 0xA0

Remaining = Callable[[], float]
Properties = Mapping[str, str]


def unit_names(
    cluster: Cluster, nodes: Collection[str], root: Path = Path("/")
) -> dict[str, str | None]:
    """The services that the host should run, and the node of each.

    Args:
        cluster: The cluster.
        nodes: The nodes of this host to take in.
    """
    if cluster.app is None:
        return {}
    names: dict[str, str | None] = {}
    for node in nodes:
        pool = cluster.nodes[node].pool
        number = node.partition("@")[0].removeprefix(pool)
        names[f"celery-{cluster.app}-{pool}@{number}.service"] = node
    workers = {node.partition("@")[0] for node in cluster.local_nodes()}
    started = _configuration(cluster.app, root).glob("instances/*.env")
    for instance in sorted({path.stem for path in started} - workers):
        names[f"celery-{cluster.app}-{instance}.service"] = None
    names |= {unit: None for unit, mark in _SERVERS.items() if (root / mark).exists()}
    return names


def show_units(names: Iterable[str], remaining: Remaining) -> list[Properties]:
    """What the service manager shows of each unit.

    Raises:
        CeleryOpsError: It can't be asked.
    """
    wanted = list(names)
    if not wanted:
        return []
    text = _run(["systemctl", "show", f"--property={','.join(_PROPERTIES)}", *wanted], remaining)
    return [
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        for block in text.strip().split("\n\n")
    ]


def unit_of(shown: Properties, node: str | None, log: Callable[[str, int], list[str]]) -> Unit:
    """A service; its log is read only if it is down."""
    name = shown["Id"]
    started = int(shown.get("ActiveEnterTimestampMonotonic") or 0) / 1e6
    unit = Unit(
        name=name,
        node=node,
        load=shown["LoadState"],
        active=shown["ActiveState"],
        sub=shown["SubState"],
        result=shown.get("Result", ""),
        enabled=shown.get("UnitFileState", ""),
        since=time.monotonic() - started,
        restarts=int(shown.get("NRestarts") or 0),
        outdated=shown.get("NeedDaemonReload") == "yes",
    )
    if unit.active != "failed" and unit.sub != "auto-restart":
        return unit
    errors = [line for line in log(name, _LOG_LINES) if _ERROR_LINE.search(line)]
    return replace(unit, log_error=errors[-1] if errors else None)


def log_lines(unit: str, count: int, remaining: Remaining) -> list[str]:
    """The last lines of a service's log.

    Raises:
        CeleryOpsError: The journal can't be read.
    """
    command = ["journalctl", f"--unit={unit}", f"--lines={count}", "--output=short-iso"]
    return _run([*command, "--quiet", "--no-pager"], remaining).splitlines()


def file_lines(
    app: str | None, unit: str, count: int, remaining: Remaining, root: Path = Path("/")
) -> list[str]:
    """The last lines of a service's log file; none where it logs to the journal alone.

    Raises:
        CeleryOpsError: The file can't be read.
    """
    instance = unit.removeprefix(f"celery-{app}-").removesuffix(".service").replace("@", "")
    path = root / f"var/log/celeryops/{app}/{instance}.log"
    if not path.is_file():
        return []
    return _run(["tail", f"--lines={count}", str(path)], remaining).splitlines()


def processes(shown: Iterable[Properties], root: Path = Path("/")) -> Iterator[Process]:
    """The live processes of services, with their open files."""
    # In a container, the service manager can't give more than it was given.
    ceiling = _limits(root / "proc/1")[1]
    for unit in shown:
        told = unit.get("LimitNOFILESoft", "")
        promised = min(ceiling, int(told)) if told.isdigit() else 0
        for pid in _pids(unit, root):
            directory = root / "proc" / str(pid)
            try:
                limit = _limits(directory)[0]
                opened = len(list((directory / "fd").iterdir()))
            except OSError:
                # It has ended meanwhile.
                continue
            yield Process(unit["Id"], pid, opened, limit, promised)


def _limits(process: Path) -> tuple[int, int]:
    """How many files a process may open, and how far it may raise that itself."""
    found = _OPEN_FILES.search((process / "limits").read_text(encoding="utf-8"))
    soft, hard = found.groups() if found else ("unlimited", "unlimited")
    return (
        sys.maxsize if soft == "unlimited" else int(soft),
        sys.maxsize if hard == "unlimited" else int(hard),
    )


def _pids(unit: Properties, root: Path) -> list[int]:
    group = root / "sys/fs/cgroup" / unit.get("ControlGroup", "").lstrip("/") / "cgroup.procs"
    main = int(unit.get("MainPID") or 0)
    if unit.get("ControlGroup") and group.is_file():
        return [int(pid) for pid in group.read_text(encoding="utf-8").split()]
    return [main] if main else []


def disks(app: str | None, root: Path = Path("/")) -> Iterator[Disk]:
    """The file systems that services and the host itself write to, each once."""
    own = [f"var/lib/celeryops/{app}", f"var/log/celeryops/{app}"] if app else []
    seen = set()
    for path in (root / name for name in (*_DATA, *own)):
        if path.is_dir() and (device := path.stat().st_dev) not in seen:
            seen.add(device)
            found = os.statvfs(path)
            yield Disk(
                str(path),
                found.f_bavail * found.f_frsize,
                found.f_blocks * found.f_frsize,
                found.f_favail,
                found.f_files,
            )


def certificate_paths(broker: Broker, root: Path = Path("/")) -> list[str]:
    """The files with certificates that the host's configuration names."""
    nginx = root / _SERVERS["nginx.service"]
    paths = _SSL_CERTIFICATE.findall(nginx.read_text("utf-8", "replace")) if nginx.is_file() else []
    if isinstance(broker.use_ssl, Mapping):
        options = (broker.use_ssl.get(name) for name in ("ca_certs", "certfile"))
        paths += [option for option in options if isinstance(option, str)]
    if broker.security:
        paths.append(broker.security.certificate)
    return list(dict.fromkeys(paths))


def certificate_file(path: str) -> CertificateFile:
    """When the first of a file's certificates ends."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return CertificateFile(path, fault=f"can't be read ({reason})")
    try:
        ends = [_end(ssl.PEM_cert_to_DER_cert(found)) for found in _CERTIFICATE.findall(text)]
    except (ValueError, IndexError, StopIteration):
        ends = []
    if not ends:
        return CertificateFile(path, fault="holds no certificate that can be read")
    return CertificateFile(path, end=min(ends))


def releases(app: str | None, root: Path = Path("/")) -> dict[str, str]:
    """By instance the release that it runs."""
    links = sorted((root / f"opt/celeryops/{app}/instances").glob("*")) if app else []
    return {link.name: link.readlink().name for link in links if link.is_symlink()}


def _configuration(app: str, root: Path) -> Path:
    return root / CONFIGURATION.relative_to("/") / app


def _run(command: list[str], remaining: Remaining) -> str:
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            check=False,
            env=environment,
            errors="replace",
            text=True,
            timeout=max(1.0, remaining()),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CeleryOpsError(
            f"`{command[0]}` can't be asked ({type(error).__name__}): this host must be managed by "
            "systemd and have time to answer."
        ) from error
    if done.returncode:
        reason = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise CeleryOpsError(
            f"`{command[0]}` failed ({reason}): run the task with `become: true`, on a host that "
            "is managed by systemd."
        )
    return done.stdout


def _end(der: bytes) -> datetime:
    """When a certificate ends: RFC 5280's tbsCertificate.validity.notAfter."""
    certificate = next(_values(der))[1]
    fields = _values(next(_values(certificate))[1])
    # Version (if it isn't 1), serial number, signature and issuer come before the validity.
    left = 4 if next(fields)[0] == _EXPLICIT_VERSION else 3
    *_before, (_tag, validity) = islice(fields, left)
    _start, (tag, end) = _values(validity)
    text = end.decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc)


def _values(der: bytes) -> Iterator[tuple[int, bytes]]:
    """The tags and the contents of DER values that follow each other."""
    while der:
        tag, length, start = der[0], der[1], 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(der[2:start], "big")
        yield tag, der[start : start + length]
        der = der[start + length :]
