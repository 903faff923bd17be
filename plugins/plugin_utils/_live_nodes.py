# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: the live nodes of a cluster as hosts of an inventory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._client import Client
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Cluster, Node
from ansible_collections.celeryops.cluster.plugins.module_utils._health import NodeHealth, examine
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import (
    ALL,
    Selection,
    pool_of,
)

ONLINE, OFFLINE, UNKNOWN = "online", "offline", "unknown"
GROUPINGS = ("status", "health", "pool", "kind", "queue", "release")


def live_nodes(
    client: Client, cluster: Cluster, expected: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """The variables of each node, of those that answer and of those that should, by name.

    Args:
        client: The client.
        cluster: The cluster.
        expected: The nodes that should answer, where the cluster's file isn't known. If there are
            none, all that answer are taken for expected.

    Raises:
        BrokerError: The broker can't be reached or fails.
    """
    health = examine(client, cluster, Selection((ALL, *expected)))
    found = dict(health.nodes)
    if health.unknown_nodes:
        bare = Cluster(cluster.broker)
        found |= examine(client, bare, Selection(tuple(health.unknown_nodes))).nodes
    known = {*cluster.nodes, *expected}
    return {
        name: _variables(name, node, cluster.nodes.get(name), _status(name, health.missing, known))
        for name, node in sorted(found.items())
    }


def by_machine(nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The variables of each machine, with those of its nodes in them."""
    machines: dict[str, dict[str, Mapping[str, Any]]] = {}
    for name, values in nodes.items():
        machines.setdefault(values["celery_host"], {})[name] = values
    return {machine: _machine(found) for machine, found in sorted(machines.items())}


def groups_of(values: Mapping[str, Any], groupings: Sequence[str]) -> list[str]:
    """The groups of a host by its variables, as names that may still need to be made safe."""
    healthy = values["celery_healthy"]
    known = {
        "status": [values["celery_status"]],
        "health": ["healthy" if healthy else "unhealthy"],
        "pool": [f"pool_{name}" for name in _listed(values, "celery_pool")],
        "kind": [f"kind_{name}" for name in _listed(values, "celery_kind")],
        "queue": [f"queue_{name}" for name in values["celery_queues"]],
        "release": [f"release_{name}" for name in _listed(values, "celery_release")],
    }
    return [f"celery_{name}" for grouping in groupings for name in known[grouping]]


def _status(name: str, missing: Sequence[str], known: set[str]) -> str:
    if name in missing:
        return OFFLINE
    return ONLINE if not known or name in known else UNKNOWN


def _variables(name: str, found: NodeHealth, node: Node | None, status: str) -> dict[str, Any]:
    """What is known of a node; of one that doesn't answer, what the cluster's file says."""
    queues = found.queues
    if queues is None:
        queues = list(node.queues) if node else []
    return {
        "celery_node": name,
        "celery_host": name.partition("@")[2] or name,
        "celery_status": status,
        "celery_healthy": found.healthy,
        "celery_reasons": found.reasons,
        "celery_pool": node.pool if node else pool_of(name),
        "celery_kind": found.kind or (node.kind if node else None),
        "celery_queues": queues,
        "celery_release": found.release,
        "celery_processes": found.processes,
        "celery_active": found.active,
        "celery_reserved": found.reserved,
    }


def _machine(nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    statuses = {values["celery_status"] for values in nodes.values()}
    # The worst of them.
    status = next(each for each in (OFFLINE, UNKNOWN, ONLINE) if each in statuses)
    return {
        "celery_nodes": {name: dict(values) for name, values in nodes.items()},
        "celery_status": status,
        "celery_healthy": all(values["celery_healthy"] for values in nodes.values()),
        "celery_reasons": [
            f"{name}: {reason}"
            for name, values in nodes.items()
            for reason in values["celery_reasons"]
        ],
        "celery_pool": _union(nodes, "celery_pool"),
        "celery_kind": _union(nodes, "celery_kind"),
        "celery_queues": _union(nodes, "celery_queues"),
        "celery_release": _union(nodes, "celery_release"),
    }


def _union(nodes: Mapping[str, Mapping[str, Any]], name: str) -> list[str]:
    return sorted({value for values in nodes.values() for value in _listed(values, name)})


def _listed(values: Mapping[str, Any], name: str) -> list[str]:
    """A variable's values: one, several or none."""
    value = values[name]
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
