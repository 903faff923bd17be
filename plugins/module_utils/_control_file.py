# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""The cluster as its control file describes it: broker, nodes, beats."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError

CONFIGURATION = Path("/etc/celeryops")


@dataclass(frozen=True)
class Security:
    """What signs messages with Celery's `auth` serializer, as paths on the host.

    Attributes:
        key: The private key.
        certificate: Its certificate.
        store: A glob of the certificates whose messages are accepted.
        digest: The name of the digest.
    """

    key: str
    certificate: str
    store: str
    digest: str = "sha256"


@dataclass(frozen=True)
class Backend:
    """Where the results of tasks are.

    Attributes:
        url: Celery's `result_backend`, with the password.
        origin: Where the URL comes from, for error messages.
        options: Celery's `result_backend_transport_options`.
    """

    title: ClassVar[str] = "result backend"

    url: str = field(repr=False)
    origin: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Broker:
    """How to reach the broker and to speak with the workers behind it.

    Attributes:
        url: One URL or several joined by ";", with the password.
        origin: Where the URL comes from, for error messages.
        options: Celery's `broker_transport_options`.
        use_ssl: Celery's `broker_use_ssl`.
        exchange: Celery's `control_exchange`.
        serializer: Celery's `task_serializer`.
        accept: Celery's `accept_content`.
        security: What signs the messages; None where they aren't signed.
        management: The URL of RabbitMQ's management API, with the password; None where there is
            none.
    """

    title: ClassVar[str] = "broker"

    url: str = field(repr=False)
    origin: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    use_ssl: Any = field(default=None, repr=False)
    exchange: str = "celery"
    serializer: str = "json"
    accept: tuple[str, ...] = ("json",)
    security: Security | None = None
    management: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Node:
    """One worker node of the inventory.

    Attributes:
        size: The number of processes that the inventory declares.
        autoscale: The range that the inventory declares instead, as lowest and highest number.
        release: The release that the node should run; None where it isn't known.
    """

    name: str
    host: str
    pool: str
    kind: str
    queues: tuple[str, ...]
    size: int
    release: str | None = None
    autoscale: tuple[int, int] | None = None


@dataclass(frozen=True)
class Cluster:
    """What a module knows of the cluster before it asks.

    Without a control file only the broker is known: `app`, `host` and `venv` are None and there
    are no nodes.
    """

    broker: Broker
    app: str | None = None
    host: str | None = None
    venv: Path | None = None
    nodes: Mapping[str, Node] = field(default_factory=dict)
    beats: frozenset[str] = frozenset()
    backend: Backend | None = None

    def local_nodes(self) -> list[str]:
        """The names of the nodes that run on the host of the control file."""
        return [name for name, node in self.nodes.items() if node.host == self.host]


def read_cluster(app: str, configuration: Path = CONFIGURATION) -> Cluster:
    """Read the control file of an app.

    Args:
        app: The name of the app, as in the inventory.
        configuration: The directory that holds one directory for each app.

    Raises:
        CeleryOpsError: The app is unknown, or the file is unreadable or malformed.
    """
    path = configuration / app / "control.json"
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        text = None
    except OSError as error:
        raise CeleryOpsError(
            f"{path} can't be read ({error.strerror}): run the task with `become: true`."
        ) from error
    if text is None:
        raise CeleryOpsError(_unknown_app(app, configuration))
    try:
        return _cluster(json.loads(text), str(path))
    except ValueError as error:
        raise CeleryOpsError(
            f"{path} is malformed ({_flaw(error)}): run the playbook celeryops.cluster.site "
            "to write it anew."
        ) from error


def _unknown_app(app: str, configuration: Path) -> str:
    known = sorted(path.parent.name for path in configuration.glob("*/control.json"))
    return f"no app '{app}' on this host; known: {', '.join(known) or 'none'}."


def _flaw(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON in line {error.lineno}"
    return str(error)


def _cluster(document: Any, origin: str) -> Cluster:
    nodes = _field(document, "nodes", dict)
    return Cluster(
        broker=Broker(
            url=_field(document, "broker_url", str),
            origin=origin,
            options=_field(document, "broker_options", dict),
            use_ssl=document.get("broker_use_ssl"),
            exchange=_field(document, "control_exchange", str),
            serializer=_field(document, "serializer", str),
            accept=tuple(_field(document, "accept_content", list)),
            security=_security(document["security"]) if document.get("security") else None,
            management=document.get("management_url"),
        ),
        app=_field(document, "app", str),
        host=_field(document, "host", str),
        venv=Path(_field(document, "venv", str)),
        nodes={name: _node(name, values) for name, values in nodes.items()},
        beats=frozenset(_field(document, "beats", list)),
        backend=_backend(document, origin) if document.get("result_backend") else None,
    )


def _security(values: Any) -> Security:
    return Security(
        key=_field(values, "key", str),
        certificate=_field(values, "certificate", str),
        store=_field(values, "store", str),
        digest=_field(values, "digest", str),
    )


def _backend(document: Any, origin: str) -> Backend:
    return Backend(
        url=_field(document, "result_backend", str),
        origin=origin,
        options=_field(document, "result_backend_options", dict),
    )


def _node(name: str, values: Any) -> Node:
    return Node(
        name=name,
        host=_field(values, "host", str),
        pool=_field(values, "pool", str),
        kind=_field(values, "kind", str),
        queues=tuple(_field(values, "queues", list)),
        size=_field(values, "size", int),
        release=values.get("release"),
        autoscale=tuple(values["autoscale"]) if values.get("autoscale") else None,
    )


def _field(document: Any, name: str, kind: type) -> Any:
    # The errors name the field and never its value, which may be a secret.
    if not isinstance(document, dict) or name not in document:
        raise ValueError(f"'{name}' is missing")
    if not isinstance(document[name], kind):
        raise ValueError(f"'{name}' isn't of type {kind.__name__}")
    return document[name]
