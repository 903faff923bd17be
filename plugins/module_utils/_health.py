# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""Whether nodes and the cluster are healthy, and why not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._client import Client
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Cluster, Node
from ansible_collections.celeryops.cluster.plugins.module_utils._examination import (
    SECOND_SAMPLE_AFTER,
    Age,
    Findings,
    Limits,
    Scope,
    beat_can_answer,
    look,
    queue_names,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._flights import Flight
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import (
    BEAT,
    Selection,
    listed,
    selected,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._replies import Replies
from ansible_collections.celeryops.cluster.plugins.module_utils._sample import (
    Sample,
    too_few,
    wanted_queues,
    wedged,
)


@dataclass
class NodeHealth:
    """The verdict on a node.

    Attributes:
        canary: Seconds until a canary was back; None if none was sent or came.
        canary_reason: Why not.
    """

    healthy: bool
    reasons: list[str]
    kind: str | None
    processes: int | None
    queues: list[str] | None
    active: int | None
    reserved: int | None
    release: str | None
    canary: float | None = None
    canary_reason: str | None = None


@dataclass
class Health:
    """The verdict on the cluster, or on a part of it."""

    reasons: list[str] = field(default_factory=list)
    nodes: dict[str, NodeHealth] = field(default_factory=dict)
    queues: dict[str, dict[str, Any]] = field(default_factory=dict)
    beats: list[str] = field(default_factory=list)
    unknown_nodes: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    duplicates: list[str] = field(default_factory=list)

    def result(self) -> dict[str, Any]:
        """The verdict as a module returns it."""
        # What Ansible shows when `until: result.healthy` has waited in vain.
        summary = f"Not healthy: {'; '.join(self.reasons)}." if self.reasons else "Healthy."
        return {**asdict(self), "healthy": not self.reasons, "msg": summary}


def examine(
    client: Client, cluster: Cluster, selection: Selection, limits: Limits | None = None
) -> Health:
    """Examine the selected nodes and their queues; beat too, if the whole cluster is selected.

    Raises:
        BrokerError: The broker can't be reached or fails.
        CeleryOpsError: The selection matches no node.
    """
    limits = limits or Limits()
    nodes = selected(client, cluster, selection)
    complete = not cluster.app or len(nodes) == len(cluster.nodes)
    runtime = any(node.release for node in cluster.nodes.values())
    whole = selection.unbounded and complete
    beats = cluster.beats if whole and runtime and beat_can_answer() else ()
    scope = Scope(nodes, whole, runtime, beats)
    return _verdict(cluster, scope, limits, look(client, cluster, scope, limits))


def _verdict(cluster: Cluster, scope: Scope, limits: Limits, found: Findings) -> Health:
    ping = found.replies["ping"]
    strange = (ping.answers.keys() | ping.errors.keys()) - set(scope.nodes)
    health = Health(
        beats=sorted(name for name in strange if name.startswith(BEAT)),
        unknown_nodes=sorted(name for name in strange if not name.startswith(BEAT)),
        missing=[node for node in ping.missing if not node.startswith(BEAT)],
        errors=_errors(found.replies),
        duplicates=sorted(found.duplicates),
    )
    for node, sample in found.samples.items():
        reasons = _node_reasons(cluster.nodes.get(node), node, found)
        if node in found.duplicates:
            reasons.append("more than one worker bears this name: give each its own")
        flight = found.flights.get(node, Flight())
        health.nodes[node] = _node_health(sample, reasons, flight)
    health.queues = _queues(cluster, found)
    health.reasons = _cluster_reasons(health, limits)
    if scope.whole:
        health.reasons += _beat_reasons(health, scope.beats)
    return health


def _node_reasons(expected: Node | None, name: str, found: Findings) -> list[str]:
    """Why a node isn't healthy; empty if it is."""
    sample = found.samples[name]
    if not sample.answered:
        busy = expected is not None and expected.kind == "solo"
        hint = " (a busy worker of kind solo answers between two tasks only)" if busy else ""
        return [f"doesn't answer within {found.waited:.1f} s{hint}"]
    again = found.again.get(name)
    reasons = []
    if sample.pool is None or sample.queues is None:
        reasons.append("answers only in part: it is overloaded, or starting, or stopping")
    latest = again if again and again.pool else sample
    if lack := too_few(expected, replace(latest, live=sample.live)):
        reasons.append(lack)
    if sample.queues is not None:
        reasons += _queue_reasons(expected, sample)
    if expected and expected.release and sample.release not in (None, expected.release):
        reasons.append(f"runs release {sample.release} instead of {expected.release}")
    if again and (idle := wedged(sample, again, found.ready, SECOND_SAMPLE_AFTER)):
        reasons.append(idle)
    if name in found.overdue:
        reasons.append("each of its processes holds a task that is older than its hard time limit")
    if fault := found.flights.get(name, Flight()).fault:
        reasons.append(fault)
    return reasons


def _queue_reasons(expected: Node | None, sample: Sample) -> list[str]:
    queues = sample.queues or ()
    if expected is None:
        return [] if queues else ["consumes from no queue: it is paused"]
    wanted = wanted_queues(expected, sample)
    lacking = sorted(set(wanted) - set(queues))
    if lacking and not queues:
        return [f"consumes from no queue: it is paused, and should consume from {_and(lacking)}"]
    surplus = sorted(set(queues) - set(wanted))
    return [
        *([f"doesn't consume from {_and(lacking)}"] if lacking else []),
        *([f"consumes from {_and(surplus)}, which it shouldn't"] if surplus else []),
    ]


def _cluster_reasons(health: Health, limits: Limits) -> list[str]:
    """Why the cluster isn't healthy: the reasons of its nodes, and those of its queues."""
    reasons = [
        f"{name}: {reason}"
        for name, node in sorted(health.nodes.items())
        for reason in node.reasons
    ]
    for name, queue in sorted(health.queues.items()):
        if not queue["consumers"]:
            reasons.append(f"no examined node shows that it consumes from queue '{name}'")
        if limits.backlog is not None and queue["backlog"] > limits.backlog:
            reasons.append(
                f"{queue['backlog']} tasks wait for queue '{name}', more than {limits.backlog}"
            )
        if limits.age is not None and (queue["age"] or 0) > limits.age:
            reasons.append(
                f"the oldest task of queue '{name}' waits for {queue['age']:.0f} s, "
                f"longer than {limits.age:.0f} s"
            )
    reasons += [
        f"{name}: more than one worker bears this name, which isn't in the inventory"
        for name in health.duplicates
        if name not in health.nodes and not name.startswith(BEAT)
    ]
    return reasons or ([] if health.nodes else ["no worker node answers"])


def _beat_reasons(health: Health, expected: Collection[str]) -> list[str]:
    """Why beat isn't healthy: exactly one may tick."""
    reasons = [
        f"{name}: more than one beat ticks under this name, and each sends the scheduled tasks"
        for name in health.duplicates
        if name.startswith(BEAT)
    ]
    if len(health.beats) > 1:
        reasons.append(
            f"{len(health.beats)} beats tick ({listed(health.beats)}), and each sends the "
            "scheduled tasks: stop all but one"
        )
    if expected and not health.beats:
        reasons.append(f"no beat ticks: {listed(expected)} doesn't answer")
    return reasons


def _queues(cluster: Cluster, found: Findings) -> dict[str, dict[str, Any]]:
    queues = {}
    for queue in sorted(queue_names(cluster, found.samples)):
        ready = found.ready[0][queue]
        reserved = sum(sample.held.get(queue, 0) for sample in found.samples.values())
        consumers = [n for n, sample in found.samples.items() if queue in (sample.queues or ())]
        age = found.ages.get(queue, Age(None, "unknown"))
        queues[queue] = {
            "ready": ready,
            "reserved": reserved,
            "backlog": (ready or 0) + reserved,
            "consumers": sorted(consumers),
            "age": age.seconds,
            "age_kind": age.kind,
        }
    return queues


def _node_health(sample: Sample, reasons: list[str], flight: Flight) -> NodeHealth:
    return NodeHealth(
        healthy=not reasons,
        reasons=reasons,
        kind=sample.pool.kind if sample.pool else None,
        processes=sample.pool.size if sample.pool else None,
        queues=None if sample.queues is None else list(sample.queues),
        active=sample.active,
        reserved=sample.reserved,
        release=sample.release,
        canary=flight.seconds,
        canary_reason=flight.reason,
    )


def _errors(replies: Mapping[str, Replies]) -> dict[str, str]:
    errors: dict[str, list[str]] = {}
    for command, reply in replies.items():
        for node, text in reply.errors.items():
            if command != "celeryops":
                errors.setdefault(node, []).append(f"{command}: {text}")
    return {node: "; ".join(texts) for node, texts in errors.items()}


def _and(names: Iterable[str]) -> str:
    return " and ".join(f"'{name}'" for name in names)
