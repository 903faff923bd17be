# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""The examination of a host: what is looked at in which order, and what is told of it."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from functools import partial
from importlib import metadata
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._broker import endpoints
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Backend,
    Broker,
    Cluster,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._doctor import (
    Finding,
    Place,
    Unit,
    of_certificates,
    of_disks,
    of_login,
    of_places,
    of_processes,
    of_units,
    routed_queues,
)
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
from ansible_collections.celeryops.cluster.plugins.module_utils._doctor_secrets import (
    Redactor,
    documents,
    known_secrets,
    worker_broker_url,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._doctor_servers import (
    login_fault,
    reach,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import ALL

# Looking up names, connecting and logging in take that long where nothing answers.
LEAST_SECONDS = 5.0
# What is still tried when the time is over has so long.
_LAST_SECONDS = 0.5
_LOG_LINES = 200
_PACKAGES = ("celery", "kombu", "redis", "amqp", "billiard")


@dataclass(frozen=True)
class Order:
    """What the user asks for.

    Attributes:
        nodes: Names and globs of the nodes of this host whose services are examined; empty for all.
        pool: The pool that they must belong to.
        reference: The time on the controller, in seconds of Unix time.
        details: Whether to tell what a support bundle holds.
    """

    nodes: Sequence[str] = ()
    pool: str | None = None
    reference: float | None = None
    details: bool = False


@dataclass
class Examination:
    """What was found on a host, and what the judgement of the whole cluster needs of it.

    Names of tasks, instances and units are no keys in it: one may look like a secret's name.

    Attributes:
        clock_offset: Seconds by which the host's clock is ahead of the reference.
        routes: Each `task` and the `queue` that the deployment's settings send it to.
        releases: Each `instance` and the `release` that it runs.
    """

    host: str | None
    findings: list[Finding] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)
    clock_offset: float | None = None
    routes: list[dict[str, str]] = field(default_factory=list)
    releases: list[dict[str, str]] = field(default_factory=list)
    details: dict[str, Any] | None = None

    def result(self, redactor: Redactor) -> dict[str, Any]:
        """What was found as a module returns it, without secrets."""
        found: dict[str, Any] = redactor.clean(asdict(self))
        for finding in found["findings"]:
            finding["host"] = self.host
        return found


def examine(cluster: Cluster, order: Order, remaining: Callable[[], float]) -> dict[str, Any]:
    """Examine this host, and its way to the broker and the result backend.

    Raises:
        CeleryOpsError: The service manager can't be asked, or a URL can't be understood.
    """
    found = Examination(cluster.host)
    if order.reference is not None:
        found.clock_offset = round(time.time() - order.reference, 1)
    _look_at_services(cluster, order, found, remaining)
    found.findings += of_disks(disks(cluster.app))
    paths = certificate_paths(cluster.broker)
    found.findings += of_certificates(map(certificate_file, paths), datetime.now(timezone.utc))
    found.findings += _of_servers(cluster, lambda: max(_LAST_SECONDS, remaining()))
    files = documents(cluster.app) if cluster.app else {}
    routes = routed_queues(files.get("settings.json") or {})
    found.routes = [{"task": task, "queue": queue} for task, queue in routes.items()]
    running = releases(cluster.app)
    found.releases = [{"instance": name, "release": running[name]} for name in running]
    if order.details:
        found.details = _details(cluster.app, found.units, files, remaining)
    return found.result(Redactor(known_secrets(cluster.app) if cluster.app else ()))


def selected_nodes(cluster: Cluster, order: Order) -> list[str]:
    """The nodes of this host whose services are examined."""
    return [
        name
        for name in cluster.local_nodes()
        if order.pool in (None, cluster.nodes[name].pool)
        and (not order.nodes or any(glob == ALL or fnmatchcase(name, glob) for glob in order.nodes))
    ]


def _look_at_services(
    cluster: Cluster, order: Order, found: Examination, remaining: Callable[[], float]
) -> None:
    names = unit_names(cluster, selected_nodes(cluster, order))
    shown = show_units(names, remaining)
    log = partial(log_lines, remaining=remaining)
    found.units = [unit_of(about, names.get(about["Id"]), log) for about in shown]
    found.findings += of_units(found.units)
    found.findings += of_processes(processes(shown))


def _of_servers(cluster: Cluster, remaining: Callable[[], float]) -> Iterator[Finding]:
    """What is wrong on the way to each server; a place that two of them share is told once."""
    reached: dict[tuple[str, int], Place] = {}
    for server in _servers(cluster):
        keys = {(place.host, place.port): place for place in endpoints(server)}
        new = {
            key: reach(server, place, remaining)
            for key, place in keys.items()
            if key not in reached
        }
        reached |= new
        usable = any(reached[key].open for key in keys)
        yield from of_places(new.values(), usable)
        if usable and (fault := login_fault(server, remaining)):
            yield of_login(fault)


def _servers(cluster: Cluster) -> Iterator[Broker | Backend]:
    """The broker as operators use it, and as workers do if that differs; the result backend."""
    yield cluster.broker
    path, url = worker_broker_url(cluster.app) if cluster.app else ("", None)
    if url and url != cluster.broker.url:
        yield replace(cluster.broker, url=url, origin=path)
    if cluster.backend:
        yield cluster.backend


def _details(
    app: str | None,
    units: Sequence[Unit],
    files: Mapping[str, Any],
    remaining: Callable[[], float],
) -> dict[str, Any]:
    return {
        "files": dict(files),
        "logs": [
            {
                "unit": unit.name,
                "lines": [
                    *log_lines(unit.name, _LOG_LINES, remaining),
                    *file_lines(app, unit.name, _LOG_LINES, remaining),
                ],
            }
            for unit in units
            if unit.load == "loaded"
        ],
        "versions": {
            "kernel": platform.release(),
            "python": platform.python_version(),
            **{name: version for name in _PACKAGES if (version := _version(name))},
        },
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def order_of(
    nodes: Sequence[str] | None,
    pool: str | None,
    reference: float | None,
    details: bool,
    timeout: float,
) -> Order:
    """Check what the user asked for.

    Raises:
        CeleryOpsError: The time-out is too short.
    """
    if timeout < LEAST_SECONDS:
        raise CeleryOpsError(
            f"`timeout` must be at least {LEAST_SECONDS:.0f} seconds, not {timeout}: "
            "a server that doesn't answer takes that long to be told from a slow one."
        )
    return Order(tuple(nodes or ()), pool, reference, details)
