# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""What nodes tell about themselves, without their secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._client import Call, Client
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Cluster
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import (
    Selection,
    is_direct_queue,
    listed,
    selected,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._replies import Replies
from ansible_collections.celeryops.cluster.plugins.module_utils._secrets import hide_secrets


def _header(report: Mapping[str, str]) -> str:
    # The settings that follow are free text, in which secrets can't be told; `conf` has them.
    return str(hide_secrets(report["ok"].strip().partition("\n\n")[0]))


def _found_tasks(tasks: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """By id, the state of each task that the node has, and what it tells of it."""
    return {
        task_id: {"state": state, "task": hide_secrets(request)}
        for task_id, (state, request) in tasks.items()
    }


# item: (command, how its reply becomes the item's value)
ITEMS: Mapping[str, tuple[str, Callable[[Any], Any]]] = MappingProxyType(
    {
        "ping": ("ping", lambda reply: reply["ok"]),
        "stats": ("stats", hide_secrets),
        "active": ("active", hide_secrets),
        "reserved": ("reserved", hide_secrets),
        "scheduled": ("scheduled", hide_secrets),
        "active_queues": ("active_queues", hide_secrets),
        "registered": ("registered", hide_secrets),
        "revoked": ("revoked", hide_secrets),
        "conf": ("conf", lambda reply: hide_secrets(reply, numbers=True)),
        "report": ("report", _header),
        "query_task": ("query_task", _found_tasks),
        "clock": ("clock", lambda reply: reply["clock"]),
        "release": ("celeryops", lambda reply: reply["release"]),
    }
)


@dataclass
class Info:
    """The items by node, and what is lacking."""

    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    duplicates: list[str] = field(default_factory=list)


def gather(
    client: Client,
    cluster: Cluster,
    selection: Selection,
    items: Sequence[str],
    queue: str | None = None,
    task_ids: Sequence[str] = (),
) -> Info:
    """Ask the selected nodes for some items, all at once.

    Args:
        client: The client.
        cluster: The cluster.
        selection: The nodes.
        items: What to ask for.
        queue: Only nodes that consume from this queue now.
        task_ids: What `query_task` asks for.

    Raises:
        BrokerError: The broker can't be reached or fails.
        CeleryOpsError: The selection matches no node, or no node consumes from the queue.
    """
    if ("query_task" in items) != bool(task_ids):
        raise CeleryOpsError(
            "`query_task` in `gather` and the option `task_ids` need each other: give both."
        )
    nodes = selected(client, cluster, selection)
    silent: list[str] = []
    if queue is not None:
        nodes, silent = _consuming(client, nodes, queue)
    calls = [
        Call(ITEMS[item][0], {"ids": list(task_ids)} if item == "query_task" else {}, nodes)
        for item in items
    ]
    info = _gathered(dict(zip(items, client.call_all(calls), strict=True)), nodes)
    info.missing = sorted([*info.missing, *silent])
    info.duplicates = client.duplicates
    return info


def _consuming(client: Client, nodes: Sequence[str], queue: str) -> tuple[list[str], list[str]]:
    """The nodes that consume from a queue, and those of which it isn't known."""
    replies = client.call("active_queues", nodes=nodes, patience=client.remaining() / 2)
    consuming = [
        node for node, found in replies.answers.items() if queue in {q["name"] for q in found}
    ]
    silent = sorted({*replies.missing, *replies.errors})
    if not consuming and not silent:
        known = {q["name"] for found in replies.answers.values() for q in found}
        raise CeleryOpsError(
            f"no node consumes from queue '{queue}'; consumed: "
            f"{listed(name for name in known if not is_direct_queue(name))}."
        )
    return sorted(consuming), silent


def _gathered(replies: Mapping[str, Replies], nodes: Sequence[str]) -> Info:
    info = Info()
    silent = set(nodes)
    errors: dict[str, list[str]] = {}
    for item, reply in replies.items():
        silent &= set(reply.missing)
        for node, value in reply.answers.items():
            info.nodes.setdefault(node, {})[item] = ITEMS[item][1](value)
        for node, text in reply.errors.items():
            info.nodes.setdefault(node, {})[item] = None
            # A worker without the runtime package has no release, and that is no fault.
            if item != "release":
                errors.setdefault(node, []).append(f"{item}: {text}")
        for node in reply.missing:
            errors.setdefault(node, []).append(f"{item}: no answer")
    info.missing = sorted(silent)
    info.errors = {n: "; ".join(texts) for n, texts in errors.items() if n not in silent}
    return info
