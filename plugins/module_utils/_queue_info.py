# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""What waits in queues, for how long, and who serves them."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._client import (
    Client,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Cluster
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import Selection
from ansible_collections.celeryops.cluster.plugins.module_utils._pool import read_state
from ansible_collections.celeryops.cluster.plugins.module_utils._queues import (
    Message,
    Reading,
    Run,
    ask,
    fleet,
    is_glob,
    matching,
)

EXACT, AT_LEAST, UNKNOWN = "exact", "at_least", "unknown"
NO_STAMPS = "the publishers write no stamp, which celeryops_runtime would do"


@dataclass(frozen=True)
class Order:
    """What the user asks for.

    Attributes:
        queues: Names and globs; empty for all that the nodes and the inventory know.
        observe: Seconds after which messages without a stamp are looked at again.
        most_unacked: So many of the messages that workers hold are looked at on Redis.
    """

    queues: Sequence[str] = ()
    observe: float = 0.0
    most_unacked: int = 10_000


@dataclass
class QueueInfo:
    """The queues, the nodes, and what is lacking."""

    queues: dict[str, dict[str, Any]] = field(default_factory=dict)
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    duplicates: list[str] = field(default_factory=list)


def gather_queues(
    client: Client, cluster: Cluster, run: Run, selection: Selection, order: Order
) -> QueueInfo:
    """Read the queues, and ask the nodes who serves them.

    Raises:
        BrokerError: The broker can't be reached or fails.
        CeleryOpsError: The selection matches no node, or a glob no queue.
    """
    nodes = fleet(client, cluster, selection)
    info = _ask(client, cluster, nodes, strangers=selection.everything and not selection.pool)
    names = matching(order.queues, _candidates(cluster, nodes, info, run, order))
    readings: dict[str, Reading] = run(lambda queues: queues.read(names, order.most_unacked))
    now = time.time()
    stayed: Mapping[str, float] = {}
    if order.observe and any(_unstamped(reading) for reading in readings.values()):
        stayed = _observe(client, run, readings, order)
    for name, reading in readings.items():
        info.queues[name] = _shown(name, reading, info.nodes, now, stayed.get(name))
    for node in info.nodes.values():
        del node["waits"]
    return info


def oldest(reading: Reading, now: float, stayed: float | None) -> dict[str, Any]:
    """The age of the oldest message, and how well it is known.

    Args:
        reading: The queue.
        now: The present, in seconds of Unix time.
        stayed: Seconds for which the same message was seen to wait.
    """
    if not reading.ready:
        return {"age": None, "kind": EXACT}
    heads = reading.heads or ()
    # The clocks of a publisher and of this host may differ a little.
    ages = [max(0.0, now - head.due) for head in heads if head.due is not None]
    if ages and len(ages) == len(heads):
        return {"age": round(max(ages), 3), "kind": EXACT}
    bounds = [*ages, *([stayed] if stayed is not None else [])]
    if bounds:
        return {"age": round(max(bounds), 3), "kind": AT_LEAST}
    return {"age": None, "kind": UNKNOWN}


def _ask(client: Client, cluster: Cluster, nodes: Collection[str], *, strangers: bool) -> QueueInfo:
    """What the nodes consume from, their processes, and the waits that they have seen."""
    queues, stats = ask(client, nodes, ("active_queues", "stats"), strangers=strangers)
    # A worker without the runtime package logs an error when it is asked for its own command.
    told = [node for node in queues.answers if (known := cluster.nodes.get(node)) and known.release]
    [runtime] = ask(client, told, ("celeryops",), strangers=False)
    info = QueueInfo(duplicates=client.duplicates)
    info.missing = sorted({*queues.missing, *stats.missing})
    info.errors = {**stats.errors, **queues.errors}
    for node, consumed in queues.answers.items():
        told_stats = stats.answers.get(node)
        info.nodes[node] = {
            "queues": sorted(queue["name"] for queue in consumed),
            "processes": read_state(told_stats).size if told_stats else None,
            "waits": (runtime.answers.get(node) or {}).get("waits", {}),
        }
    return info


def _candidates(
    cluster: Cluster, nodes: Collection[str], info: QueueInfo, run: Run, order: Order
) -> set[str]:
    names = {name for node in info.nodes.values() for name in node["queues"]}
    names.update(
        name for node in nodes if (known := cluster.nodes.get(node)) for name in known.queues
    )
    if any(is_glob(pattern) for pattern in order.queues):
        names.update(run(lambda queues: queues.known()))
    return names


def _unstamped(reading: Reading) -> bool:
    return any(head.due is None for head in reading.heads or ())


def _observe(
    client: Client, run: Run, readings: Mapping[str, Reading], order: Order
) -> dict[str, float]:
    """The queues whose oldest messages are still there after some seconds, with the seconds."""
    started = time.monotonic()
    client.wait(order.observe)
    names = [name for name, reading in readings.items() if _unstamped(reading)]
    again: dict[str, Reading] = run(lambda queues: queues.read(names, 0))
    seconds = time.monotonic() - started
    return {name: seconds for name in names if _ids(readings[name].heads) & _ids(again[name].heads)}


def _ids(heads: Sequence[Message] | None) -> set[str]:
    return {head.id for head in heads or () if head.id and head.due is None}


def _shown(
    name: str,
    reading: Reading,
    nodes: Mapping[str, Mapping[str, Any]],
    now: float,
    stayed: float | None,
) -> dict[str, Any]:
    serving = {node: about for node, about in nodes.items() if name in about["queues"]}
    head = reading.heads[0] if reading.heads else None
    unknown = dict(reading.unknown)
    no_head = unknown.pop("heads", None)
    age = oldest(reading, now, stayed)
    wait = _wait(name, serving)
    if no_head and reading.ready:
        unknown["head"] = no_head
    if age["kind"] != EXACT:
        unknown["oldest"] = no_head or NO_STAMPS
    if reading.exists and not reading.unacked_exact:
        unknown["unacked"] = "only some of the messages that workers hold were looked at"
    return {
        "exists": reading.exists,
        "type": reading.type,
        "ready": reading.ready,
        "priorities": dict(reading.priorities) if reading.priorities is not None else None,
        "unacked": reading.unacked,
        "unacked_exact": reading.unacked_exact and reading.unacked is not None,
        "consumers": reading.consumers,
        "nodes": sorted(serving),
        "processes": sum(about["processes"] or 0 for about in serving.values()),
        "head": {"id": head.id, "task": head.task} if head else None,
        "oldest": age,
        "wait": wait,
        "unknown": unknown if reading.exists else {},
    }


def _wait(name: str, serving: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """How long the task waited that came to a node last, and how long ago it came."""
    seen = [
        {"seconds": wait["wait"], "ago": wait["ago"], "node": node}
        for node, about in serving.items()
        if (wait := about["waits"].get(name))
    ]
    return min(seen, key=lambda wait: wait["ago"]) if seen else None
