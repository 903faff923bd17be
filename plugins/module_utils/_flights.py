# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""What becomes of canaries."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ansible_collections.celeryops.cluster.plugins.module_utils._client import Call, Client
from ansible_collections.celeryops.cluster.plugins.module_utils._sample import Sample, sample_of

# Seconds.
LOOK_AGAIN = 1.0


@dataclass(frozen=True)
class Flight:
    """A node's canary.

    Attributes:
        seconds: How long it took; None if it isn't back, or wasn't sent.
        reason: Why not.
        fault: The reason, if it is one against the node.
    """

    seconds: float | None = None
    reason: str | None = None
    fault: str | None = None


def send_canaries(
    client: Client, samples: Mapping[str, Sample], seconds: float
) -> dict[str, Flight]:
    """Send a canary to each node that should be able to run it, and wait for all of them.

    Args:
        client: The client.
        samples: What the nodes have answered a moment ago.
        seconds: How long to wait.
    """
    flights = {
        node: Flight(reason=reason)
        for node, sample in samples.items()
        if (reason := _why_not(sample))
    }
    if seconds <= 0:
        return dict.fromkeys(samples, Flight(reason="no time was left for it"))
    doors = {n: sample.door for n, sample in samples.items() if sample.door and n not in flights}
    replies = client.send_canaries(doors, patience=seconds)
    flights |= {node: Flight(seconds=replies.arrived[node]) for node in replies.answers}
    busy = _busy(client, samples, replies.missing)
    late = f"not back after {seconds:.1f} s"
    fault = f"a canary didn't come back within {seconds:.1f} s: it fetches or runs nothing"
    for node in replies.missing:
        flights[node] = Flight(reason="busy") if node in busy else Flight(None, late, fault)
    return flights


def _why_not(sample: Sample) -> str | None:
    if not sample.answered:
        return "the node doesn't answer"
    if sample.paused:
        return "paused"
    if sample.door is None:
        return "the node has no queue of its own: it runs without the package celeryops_runtime"
    return None


def _busy(client: Client, samples: Mapping[str, Sample], nodes: Collection[str]) -> set[str]:
    """The nodes that had no process free, before or after."""
    commands = ("stats", "active")
    calls = [Call(command, nodes=nodes) for command in commands]
    replies = client.call_all(calls, patience=LOOK_AGAIN)
    by_command = dict(zip(commands, replies, strict=True))
    return {
        node for node in nodes if samples[node].saturated or sample_of(node, by_command).saturated
    }
