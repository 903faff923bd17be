# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""Whether nodes and the cluster are healthy, and why not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._client import Call, Client
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Cluster, Node
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import (
    BEAT,
    Selection,
    selected,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._pool import PoolState, read_state
from ansible_collections.celeryops.cluster.plugins.module_utils._replies import Replies

# Seconds. Health takes longer over duplicates than the other modules.
DUPLICATE_GRACE = 0.3
# Between the two samples that tell a wedged node from one that was caught between two tasks.
SECOND_SAMPLE_AFTER = 3.0
SECOND_SAMPLE_PATIENCE = 1.0
READINGS = ("ping", "stats", "active_queues", "reserved", "active")


@dataclass(frozen=True)
class Sample:
    """What a node has answered at one time; None for what it hasn't.

    Attributes:
        started: How many tasks the node has begun to run since its own start.
    """

    answered: bool
    pool: PoolState | None = None
    queues: tuple[str, ...] | None = None
    reserved: int | None = None
    active: int | None = None
    started: int | None = None
    release: str | None = None

    @property
    def suspicious(self) -> bool:
        """Whether the node holds tasks and runs none."""
        return bool(self.reserved) and self.active == 0


@dataclass
class NodeHealth:
    """The verdict on a node."""

    healthy: bool
    reasons: list[str]
    kind: str | None
    processes: int | None
    queues: list[str] | None
    active: int | None
    reserved: int | None
    release: str | None


@dataclass
class Health:
    """The verdict on the cluster, or on a part of it."""

    reasons: list[str] = field(default_factory=list)
    nodes: dict[str, NodeHealth] = field(default_factory=dict)
    queues: dict[str, dict[str, Any]] = field(default_factory=dict)
    unknown_nodes: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    duplicates: list[str] = field(default_factory=list)

    def result(self) -> dict[str, Any]:
        """The verdict as a module returns it."""
        return {**asdict(self), "healthy": not self.reasons}


def examine(client: Client, cluster: Cluster, selection: Selection) -> Health:
    """Examine the selected nodes and their queues.

    Raises:
        BrokerError: The broker can't be reached or fails.
        CeleryOpsError: The selection matches no node.
    """
    health = Health()
    expected = selected(client, cluster, selection)
    whole = len(expected) == len(cluster.nodes)
    releases = any(node.release for node in cluster.nodes.values())
    # Without the runtime package the command is unknown, and each asking would log an error.
    commands = (*READINGS, "celeryops") if releases else READINGS
    # An undirected ping also reaches nodes that nobody expects.
    calls = [Call(c, nodes=expected, directed=not (whole and c == "ping")) for c in commands]
    left = client.remaining()
    patience = max(left - SECOND_SAMPLE_AFTER - SECOND_SAMPLE_PATIENCE, left / 2)
    replies = dict(
        zip(commands, client.call_all(calls, patience=patience, grace=DUPLICATE_GRACE), strict=True)
    )
    samples = {node: sample_of(node, replies) for node in expected}
    again = _second_samples(client, samples)

    health.duplicates = client.duplicates
    health.missing = replies["ping"].missing
    answered = replies["ping"].answers.keys() | replies["ping"].errors.keys()
    health.unknown_nodes = sorted(
        name for name in answered - set(expected) - cluster.beats if not name.startswith(BEAT)
    )
    health.errors = _errors(replies)
    for node, sample in samples.items():
        reasons = node_reasons(cluster.nodes.get(node), sample, again.get(node), patience)
        if node in health.duplicates:
            reasons.append("more than one worker bears this name: give each its own")
        health.nodes[node] = _node_health(sample, reasons)
    health.queues = _queues(client, cluster, samples)
    health.reasons = cluster_reasons(health)
    return health


def sample_of(node: str, replies: Mapping[str, Replies]) -> Sample:
    """What one node has answered to the readings."""
    answers = {command: r.answers[node] for command, r in replies.items() if node in r.answers}
    stats = answers.get("stats")
    queues = answers.get("active_queues")
    return Sample(
        answered=bool(answers),
        pool=read_state(stats) if stats else None,
        queues=None if queues is None else tuple(sorted(queue["name"] for queue in queues)),
        reserved=_count(answers.get("reserved")),
        active=_count(answers.get("active")),
        started=sum(stats["total"].values()) if stats else None,
        release=(answers.get("celeryops") or {}).get("release"),
    )


def node_reasons(
    expected: Node | None, sample: Sample, again: Sample | None, patience: float
) -> list[str]:
    """Why a node isn't healthy; empty if it is.

    Args:
        expected: The node as the inventory has it; None where it isn't known.
        sample: What it answered.
        again: What it answered a while later, if the first sample was suspicious.
        patience: How long it was waited for, in seconds.
    """
    if not sample.answered:
        busy = expected is not None and expected.kind == "solo"
        hint = " (a busy worker of kind solo answers between two tasks only)" if busy else ""
        return [f"doesn't answer within {patience:.1f} s{hint}"]
    reasons = []
    if sample.pool is None or sample.queues is None:
        reasons.append("answers only in part: it is overloaded, or starting, or stopping")
    if sample.pool is not None and sample.pool.kind == "prefork" and sample.pool.size == 0:
        reasons.append("has no process: it takes tasks and never runs them")
    if sample.queues is not None:
        reasons += _queue_reasons(expected, sample.queues)
    if expected and expected.release and sample.release not in (None, expected.release):
        reasons.append(f"runs release {sample.release} instead of {expected.release}")
    if again is not None and _is_wedged(sample, again):
        reasons.append(
            f"holds {again.reserved} tasks and began none in {SECOND_SAMPLE_AFTER:.0f} s: "
            "it is wedged, or all of them wait for a rate limit"
        )
    return reasons


def cluster_reasons(health: Health) -> list[str]:
    """Why the cluster isn't healthy: the reasons of its nodes, and its queues without consumer."""
    reasons = [
        f"{name}: {reason}"
        for name, node in sorted(health.nodes.items())
        for reason in node.reasons
    ]
    reasons += [
        f"no examined node shows that it consumes from queue '{name}'"
        for name, queue in sorted(health.queues.items())
        if not queue["consumers"]
    ]
    reasons += [
        f"{name}: more than one worker bears this name, which isn't in the inventory"
        for name in health.duplicates
        if name not in health.nodes
    ]
    return reasons or ([] if health.nodes else ["no worker node answers"])


def _second_samples(client: Client, samples: Mapping[str, Sample]) -> dict[str, Sample]:
    """A later sample of the suspicious nodes, if there are any and there is time for it."""
    suspicious = [node for node, sample in samples.items() if sample.suspicious]
    if not suspicious or client.remaining() < SECOND_SAMPLE_AFTER + SECOND_SAMPLE_PATIENCE:
        return {}
    client.wait(SECOND_SAMPLE_AFTER)
    commands = ("stats", "reserved", "active")
    calls = [Call(command, nodes=suspicious) for command in commands]
    replies = client.call_all(calls, patience=SECOND_SAMPLE_PATIENCE)
    by_command = dict(zip(commands, replies, strict=True))
    return {node: sample_of(node, by_command) for node in suspicious}


def _is_wedged(first: Sample, second: Sample) -> bool:
    return first.suspicious and second.suspicious and first.started == second.started


def _queue_reasons(expected: Node | None, queues: Collection[str]) -> list[str]:
    if expected is None:
        return [] if queues else ["consumes from no queue: it is paused"]
    lacking = sorted(set(expected.queues) - set(queues))
    if lacking and not queues:
        return [f"consumes from no queue: it is paused, and should consume from {_and(lacking)}"]
    surplus = sorted(set(queues) - set(expected.queues))
    return [
        *([f"doesn't consume from {_and(lacking)}"] if lacking else []),
        *([f"consumes from {_and(surplus)}, which it shouldn't"] if surplus else []),
    ]


def _queues(
    client: Client, cluster: Cluster, samples: Mapping[str, Sample]
) -> dict[str, dict[str, Any]]:
    consumed = {name: set(sample.queues or ()) for name, sample in samples.items()}
    expected = {
        queue for name in samples if name in cluster.nodes for queue in cluster.nodes[name].queues
    }
    queues = expected.union(*consumed.values())
    sizes = client.queue_sizes(queues) if queues else {}
    return {
        queue: {
            "ready": sizes[queue],
            "consumers": sorted(name for name, names in consumed.items() if queue in names),
        }
        for queue in sorted(queues)
    }


def _node_health(sample: Sample, reasons: list[str]) -> NodeHealth:
    return NodeHealth(
        healthy=not reasons,
        reasons=reasons,
        kind=sample.pool.kind if sample.pool else None,
        processes=sample.pool.size if sample.pool else None,
        queues=None if sample.queues is None else list(sample.queues),
        active=sample.active,
        reserved=sample.reserved,
        release=sample.release,
    )


def _errors(replies: Mapping[str, Replies]) -> dict[str, str]:
    errors: dict[str, list[str]] = {}
    for command, reply in replies.items():
        for node, text in reply.errors.items():
            if command != "celeryops":
                errors.setdefault(node, []).append(f"{command}: {text}")
    return {node: "; ".join(texts) for node, texts in errors.items()}


def _count(items: Collection[Any] | None) -> int | None:
    return None if items is None else len(items)


def _and(names: Iterable[str]) -> str:
    return " and ".join(f"'{name}'" for name in names)
