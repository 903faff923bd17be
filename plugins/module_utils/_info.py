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
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import Selection, selected
from ansible_collections.celeryops.cluster.plugins.module_utils._secrets import hide_secrets


def _header(report: Mapping[str, str]) -> str:
    # The settings that follow are free text, in which secrets can't be told; `conf` has them.
    return str(hide_secrets(report["ok"].strip().partition("\n\n")[0]))


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


def gather(client: Client, cluster: Cluster, selection: Selection, items: Sequence[str]) -> Info:
    """Ask the selected nodes for some items, all at once.

    Raises:
        BrokerError: The broker can't be reached or fails.
        CeleryOpsError: The selection matches no node.
    """
    nodes = selected(client, cluster, selection)
    replies = client.call_all([Call(ITEMS[item][0], nodes=nodes) for item in items])
    info = Info(duplicates=client.duplicates)
    silent = set(nodes)
    errors: dict[str, list[str]] = {}
    for item, reply in zip(items, replies, strict=True):
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
