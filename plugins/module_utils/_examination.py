# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""An examination of nodes and queues: what is looked at, in which order, and what is seen."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import version

from ansible_collections.celeryops.cluster.plugins.module_utils._canary import CANARY
from ansible_collections.celeryops.cluster.plugins.module_utils._client import Call, Client
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Cluster
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._flights import (
    Flight,
    send_canaries,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._queue_info import oldest
from ansible_collections.celeryops.cluster.plugins.module_utils._queues import queues_by
from ansible_collections.celeryops.cluster.plugins.module_utils._replies import Replies
from ansible_collections.celeryops.cluster.plugins.module_utils._sample import (
    READINGS,
    READINGS_AGAIN,
    Sample,
    is_suspicious,
    sample_of,
    task_limits,
    too_few,
    wanted_queues,
)

# The first Celery whose beat answers.
FIRST_WITH_BEAT = (5, 7)
# Seconds. Health takes longer over duplicates than the other modules.
DUPLICATE_GRACE = 0.3
# Between the two samples that tell a wedged node from one that was caught between two tasks.
SECOND_SAMPLE_AFTER = 3.0
SECOND_SAMPLE_PATIENCE = 1.0
# How long all processes must be held by the same tasks for their limits to be asked for.
HELD_SECONDS = 60.0
# For how long the wait of the task that came last says something about those behind it.
RECENT_SECONDS = 60.0


@dataclass(frozen=True)
class Limits:
    """What the caller sets; None for what doesn't matter.

    Attributes:
        canary: Seconds within which a canary must come back.
        backlog: How many tasks may wait for a queue, in the broker and in the nodes.
        age: For how many seconds the oldest message of a queue may have waited.
    """

    canary: float | None = None
    backlog: int | None = None
    age: float | None = None


def limits_of(
    canary: bool, canary_timeout: float, backlog: int | None, age: float | None
) -> Limits:
    """Check what the user asked for.

    Raises:
        CeleryOpsError: A number is out of range.
    """
    if canary_timeout <= 0:
        raise CeleryOpsError(f"`canary_timeout` must be above 0 seconds, not {canary_timeout}.")
    if backlog is not None and backlog < 0:
        raise CeleryOpsError(f"`max_backlog` must be at least 0, not {backlog}.")
    if age is not None and age <= 0:
        raise CeleryOpsError(f"`max_age` must be above 0 seconds, not {age}.")
    return Limits(canary_timeout if canary else None, backlog, age)


@dataclass(frozen=True)
class Scope:
    """What is examined.

    Attributes:
        whole: Whether it is the whole cluster.
        runtime: Whether nodes run with the package `celeryops_runtime`, as beat does then.
        beats: Those that should answer.
    """

    nodes: list[str]
    whole: bool
    runtime: bool
    beats: Collection[str] = ()


@dataclass(frozen=True)
class Age:
    """How old the oldest message of a queue is.

    Attributes:
        seconds: Its age; None if it can't be told, or if nothing waits.
        kind: `exact`, `at_least`, `last` if it is the age of the task that came to a node last, or
            `unknown`.
    """

    seconds: float | None
    kind: str


@dataclass(frozen=True)
class Findings:
    """What was seen.

    Attributes:
        replies: The replies of the first reading, by command.
        waited: For how many seconds it waited for silent nodes.
        samples: What the nodes answered.
        again: What the suspicious ones answered a while later.
        ready: How many messages waited in each queue, at the first and at the second time.
        overdue: The nodes of which each process holds a task beyond its hard limit.
        flights: What became of the canaries.
        ages: Of the queues, if they matter, how old the oldest message is.
        duplicates: The names under which more than one worker answered.
    """

    replies: Mapping[str, Replies]
    waited: float
    samples: Mapping[str, Sample]
    again: Mapping[str, Sample]
    ready: tuple[Mapping[str, int | None], Mapping[str, int | None]]
    overdue: Collection[str]
    flights: Mapping[str, Flight]
    ages: Mapping[str, Age]
    duplicates: Collection[str]


def look(client: Client, cluster: Cluster, scope: Scope, limits: Limits) -> Findings:
    """Look at nodes and queues; a second time at what is suspicious.

    Raises:
        BrokerError: The broker can't be reached or fails.
    """
    replies, waited = _first_reading(client, scope)
    samples = {node: sample_of(node, replies) for node in scope.nodes}
    if told := [] if scope.runtime else with_runtime(samples):
        replies["celeryops"] = client.call("celeryops", nodes=told, patience=SECOND_SAMPLE_PATIENCE)
        samples |= {node: sample_of(node, replies) for node in told}
    ready = client.queue_sizes(queue_names(cluster, samples))
    read_with = client.remaining()
    ages = {} if limits.age is None else _ages(client, cluster, samples, ready)
    overdue = _overdue(client, samples)
    flights: dict[str, Flight] = {}
    if limits.canary is not None:
        seconds = min(limits.canary, client.remaining() - SECOND_SAMPLE_PATIENCE)
        flights = send_canaries(client, samples, seconds)
    suspicious = {
        node
        for node, sample in samples.items()
        if too_few(cluster.nodes.get(node), sample) or is_suspicious(sample, ready)
    }
    passed = read_with - client.remaining()
    again = _second_reading(client, suspicious, SECOND_SAMPLE_AFTER - passed)
    return Findings(
        replies=replies,
        waited=waited,
        samples=samples,
        again=again,
        ready=(ready, client.queue_sizes(ready) if again else {}),
        overdue=overdue,
        flights=flights,
        ages=ages,
        duplicates=client.duplicates,
    )


def beat_can_answer() -> bool:
    """Whether the beat of the installed Celery has a remote control."""
    major, minor = version("celery").split(".")[:2]
    return (int(major), int(minor)) >= FIRST_WITH_BEAT


def _first_reading(client: Client, scope: Scope) -> tuple[dict[str, Replies], float]:
    # Without the runtime package no beat answers, and asking for a release logs an error.
    commands = (*READINGS, "celeryops") if scope.runtime else READINGS
    # An undirected ping also reaches nodes and beats that nobody expects.
    ping = Call("ping", nodes=[*scope.nodes, *scope.beats], directed=not scope.whole)
    calls = [ping if c == "ping" else Call(c, nodes=scope.nodes) for c in commands]
    left = client.remaining()
    patience = max(left - SECOND_SAMPLE_AFTER - SECOND_SAMPLE_PATIENCE, left / 2)
    replies = client.call_all(calls, patience=patience, grace=DUPLICATE_GRACE, settle=True)
    waited = max((reply.elapsed for reply in replies), default=0.0)
    return dict(zip(commands, replies, strict=True)), waited


def with_runtime(samples: Mapping[str, Sample]) -> list[str]:
    """The nodes that show that they run with the package `celeryops_runtime`."""
    return [node for node, s in samples.items() if s.door and s.door.exchange == CANARY]


def _second_reading(client: Client, nodes: Collection[str], wait: float) -> dict[str, Sample]:
    """A later sample of some nodes, if there are any and there is time for it."""
    if not nodes or client.remaining() < max(0.0, wait) + SECOND_SAMPLE_PATIENCE:
        return {}
    client.wait(max(0.0, wait))
    calls = [Call(command, nodes=nodes) for command in READINGS_AGAIN]
    replies = client.call_all(calls, patience=SECOND_SAMPLE_PATIENCE)
    by_command = dict(zip(READINGS_AGAIN, replies, strict=True))
    return {node: sample_of(node, by_command) for node in nodes}


def _ages(
    client: Client,
    cluster: Cluster,
    samples: Mapping[str, Sample],
    ready: Mapping[str, int | None],
) -> dict[str, Age]:
    waiting = sorted(queue for queue, count in ready.items() if count)
    readings = queues_by(client, cluster.broker)(lambda queues: queues.read(waiting, 0))
    now = time.time()
    ages = {}
    for queue in waiting:
        age = oldest(readings[queue], now, None)
        ages[queue] = Age(age["age"], age["kind"])
        waits = [sample.waits[queue] for sample in samples.values() if queue in sample.waits]
        last = min(waits, key=lambda wait: wait["ago"], default=None)
        if age["age"] is None and last and last["ago"] <= RECENT_SECONDS:
            ages[queue] = Age(last["wait"], "last")
    return ages


def _overdue(client: Client, samples: Mapping[str, Sample]) -> set[str]:
    """The nodes of which each process holds a task beyond its hard limit."""
    now = time.time()
    held = [node for node, sample in samples.items() if sample.held_for(now) > HELD_SECONDS]
    if not held:
        return set()
    options = {"taskinfoitems": ["time_limit"]}
    tasks = client.call("registered", options, held, patience=SECOND_SAMPLE_PATIENCE).answers
    return {
        node for node, found in tasks.items() if samples[node].is_overdue(task_limits(found), now)
    }


def queue_names(cluster: Cluster, samples: Mapping[str, Sample]) -> set[str]:
    """The queues that the nodes consume from, and those that they should."""
    return {
        queue
        for name, sample in samples.items()
        for queue in (*(sample.queues or ()), *wanted_queues(cluster.nodes.get(name), sample))
    }
