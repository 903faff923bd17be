# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""A recording: what the nodes and queues of a cluster were like, look after look."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from ansible_collections.celeryops.cluster.plugins.module_utils._client import Call, Client
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Cluster
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._examination import (
    queue_names,
    with_runtime,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._sample import Sample, sample_of

# How long silent nodes are waited for: while one is down, each look lasts as long.
PATIENCE = 1.0
# After a look that took long, so many times as long is waited, but not longer than some seconds.
REST = 3
LONGEST_REST = 5.0
# How soon it is noticed that the recording is no longer wanted.
STEP = 0.5
# So many values of nodes are kept, and looks in any case; above that, every other look is dropped.
MOST_VALUES = 50_000
FEWEST_LOOKS = 200

READINGS = ("stats", "active_queues")

Look = dict[str, Any]


@dataclass(frozen=True)
class Order:
    """How to record.

    Attributes:
        path: The file that is written; without it, the recording ends.
        interval: Seconds between two looks, if they don't take longer.
        lease: Seconds after which it ends, counted from the last access to the file by others.
    """

    path: Path
    interval: float
    lease: float


def look(cluster: Cluster, seconds: float) -> Look:
    """What is seen of a cluster now, for a line of the recording.

    Args:
        cluster: The cluster; workers that it doesn't know may answer as well.
        seconds: How long the look may take.
    """
    try:
        with Client(cluster.broker, seconds) as client:
            samples = _samples(client, cluster)
            # Those of silent nodes as well: what waits there is of the most interest then.
            queues = {queue for node in cluster.nodes.values() for queue in node.queues}
            sizes = client.queue_sizes(queues | queue_names(cluster, samples))
    except CeleryOpsError as error:
        return {"error": str(error)}
    return {"nodes": {name: _node(sample) for name, sample in samples.items()}, "queues": sizes}


def record(order: Order, see: Callable[[], Look], clock: Callable[[], float]) -> int:
    """Write a line of JSON for each look, until the file is taken away or the lease is over.

    Args:
        order: How to record.
        see: Takes a look.
        clock: Tells the time that stands on the lines.

    Returns:
        The number of looks that were taken.
    """
    order.path.unlink(missing_ok=True)
    taken = 0
    descriptor = os.open(order.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
        looks: list[Look] = []
        while _wanted(order, file):
            began = time.monotonic()
            looks.append({"time": round(clock(), 3), **see()})
            taken += 1
            looks = _written(file, looks)
            took = time.monotonic() - began
            until = began + took + max(order.interval - took, min(REST * took, LONGEST_REST))
            while time.monotonic() < until and _wanted(order, file):
                time.sleep(STEP)
    return taken


def _samples(client: Client, cluster: Cluster) -> dict[str, Sample]:
    """What the nodes answer: with those that nobody expects, as new ones beside the old."""
    calls = [Call(name, nodes=list(cluster.nodes), directed=False) for name in READINGS]
    answered = client.call_all(calls, patience=PATIENCE, grace=0, settle=True)
    replies = dict(zip(READINGS, answered, strict=True))
    names = {node for reply in replies.values() for node in reply.answers}
    samples = {name: sample_of(name, replies) for name in sorted(names)}
    # Without the runtime package, asking for a release logs an error.
    if asked := with_runtime(samples):
        (releases,) = client.call_all(
            [Call("celeryops", nodes=asked)], patience=PATIENCE, grace=0, settle=True
        )
        replies["celeryops"] = releases
    return {name: sample_of(name, replies) for name in samples}


def _node(sample: Sample) -> dict[str, Any]:
    return {
        "done": sample.started,
        "release": sample.release,
        "paused": None if sample.queues is None else sample.paused,
    }


def _wanted(order: Order, file: TextIO) -> bool:
    """Whether the file is still there, and somebody has touched it not too long ago."""
    try:
        there = order.path.stat()
    except FileNotFoundError:
        return False
    own = os.path.samestat(there, os.fstat(file.fileno()))
    return own and time.time() - there.st_atime < order.lease


def _written(file: TextIO, looks: list[Look]) -> list[Look]:
    """Append the last look, or write all of them anew once they are too many; those that stay."""
    values = sum(len(look.get("nodes", ())) for look in looks)
    if len(looks) > FEWEST_LOOKS and values > MOST_VALUES:
        looks = looks[::2]
        file.seek(0)
        file.truncate()
        file.writelines(map(_line, looks))
    else:
        file.write(_line(looks[-1]))
    file.flush()
    return looks


def _line(look: Mapping[str, Any]) -> str:
    return json.dumps(look, separators=(",", ":")) + "\n"
