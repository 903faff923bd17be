# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""Samples: what nodes have answered at one time, and what makes them suspicious."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._canary import (
    CANARY,
    Door,
    door_of,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Node
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import is_direct_queue
from ansible_collections.celeryops.cluster.plugins.module_utils._pool import PoolState, read_state
from ansible_collections.celeryops.cluster.plugins.module_utils._pool_file import (
    QUEUES,
    SIZE,
    present_value,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._replies import Replies

READINGS = ("ping", "stats", "active_queues", "reserved", "active")
# What changes from one sample to the next.
READINGS_AGAIN = ("stats", "reserved", "active")
# Seconds. A task is ended a while after its hard limit, and clocks differ.
OVERDUE_MARGIN = 30.0


@dataclass(frozen=True)
class Running:
    """A task that runs, and since when, in seconds of the node's clock."""

    name: str
    since: float | None


@dataclass(frozen=True)
class Sample:
    """What a node has answered at one time; None for what it hasn't.

    Canaries don't count as tasks.

    Attributes:
        queues: The queues it consumes from, without its own.
        door: Where its own queue gets its messages; None where it has none.
        reserved: How many tasks it holds and hasn't begun.
        held: The same by queue, as far as the queue can be told.
        started: How many tasks it has begun since its own start.
        hard_limit: Seconds after which its pool ends a task that has no limit of its own.
        live: The variables of the file that keeps what was set live for its pool.
        waits: By queue, for how many seconds the task that came last had waited, as `wait`, and
            how many seconds ago it came, as `ago`.
    """

    answered: bool
    pool: PoolState | None = None
    queues: tuple[str, ...] | None = None
    door: Door | None = None
    reserved: int | None = None
    held: Mapping[str, int] = field(default_factory=dict)
    running: tuple[Running, ...] | None = None
    started: int | None = None
    hard_limit: float | None = None
    release: str | None = None
    live: Mapping[str, str] = field(default_factory=dict)
    waits: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def active(self) -> int | None:
        """How many tasks it runs."""
        return None if self.running is None else len(self.running)

    @property
    def paused(self) -> bool:
        """Whether it consumes from none but its own queue."""
        return self.queues == ()

    @property
    def saturated(self) -> bool:
        """Whether all its processes run a task."""
        return self.pool is not None and (self.active or 0) >= max(1, self.pool.size)

    def held_for(self, now: float) -> float:
        """For how many seconds at least each of its processes has run the same task.

        Args:
            now: The present time, in seconds since the epoch; the node's clock may differ.
        """
        # Other kinds of pools can't end a task, so that a limit says nothing about them.
        if not self.saturated or self.pool is None or self.pool.kind != "prefork":
            return 0.0
        return min(now - (task.since or now) for task in self.running or ())

    def is_overdue(self, limits: Mapping[str, float], now: float) -> bool:
        """Whether each of its processes holds a task that should have been ended long ago.

        Args:
            limits: The hard limits of the tasks that have one of their own, in seconds.
            now: The present time, in seconds since the epoch.
        """
        ends = [
            task.since + limit + OVERDUE_MARGIN
            for task in self.running or ()
            if task.since and (limit := limits.get(task.name, self.hard_limit))
        ]
        return self.saturated and len(ends) == self.active and now > max(ends)


def sample_of(node: str, replies: Mapping[str, Replies]) -> Sample:
    """What one node has answered to the readings, by command."""
    answers = {command: r.answers[node] for command, r in replies.items() if node in r.answers}
    stats, queues = answers.get("stats"), answers.get("active_queues")
    reserved, active = _tasks(answers.get("reserved")), _tasks(answers.get("active"))
    runtime = answers.get("celeryops") or {}
    return Sample(
        answered=bool(answers),
        pool=read_state(stats) if stats else None,
        queues=None if queues is None else tuple(sorted(_task_queues(queues))),
        door=door_of(queues or ()),
        reserved=None if reserved is None else len(reserved),
        held=_held(reserved or (), _task_queues(queues or ())),
        running=None if active is None else tuple(map(_running, active)),
        started=_started(stats["total"]) if stats else None,
        hard_limit=_hard_limit(stats["pool"]) if stats else None,
        release=runtime.get("release"),
        live=runtime.get("live") or {},
        waits=runtime.get("waits") or {},
    )


def is_suspicious(sample: Sample, ready: Mapping[str, int | None]) -> bool:
    """Whether a node doesn't work though there is something to do; perhaps it is about to.

    Args:
        sample: What it answered.
        ready: How many messages wait in each queue.
    """
    return _waits_idly(sample) or bool(_neglected(sample, ready))


def wedged(
    first: Sample,
    second: Sample,
    ready: tuple[Mapping[str, int | None], Mapping[str, int | None]],
    seconds: float,
) -> str | None:
    """Why a suspicious node is wedged; None if it isn't.

    Args:
        first: What it answered at first.
        second: What it answered later.
        ready: How many messages waited in each queue, both times.
        seconds: How much later.
    """
    if first.started != second.started:
        return None
    if _waits_idly(first) and _waits_idly(second):
        return (
            f"holds {second.reserved} tasks and began none in {seconds:.0f} s: "
            "it is wedged, or all of them wait for a rate limit"
        )
    still_there = replace(second, queues=first.queues)
    if queue := next(iter(_neglected(first, ready[0]) & _neglected(still_there, ready[1])), None):
        return (
            f"could run more and began none of the {ready[1][queue]} tasks that wait in "
            f"'{queue}' in {seconds:.0f} s: it doesn't fetch, or tasks with a time to come fill "
            "its prefetch"
        )
    return None


def task_limits(registered: Sequence[str]) -> dict[str, float]:
    """The hard limits by task, as `registered` tells them: `name [time_limit=30.0]`."""
    limits = {}
    for entry in registered:
        name, _bracket, details = entry.partition(" [time_limit=")
        if details:
            limits[name] = float(details.rstrip("]"))
    return limits


def too_few(expected: Node | None, sample: Sample) -> str | None:
    """What to say of a pool that has fewer processes than it should; None if it hasn't."""
    if sample.pool is None:
        return None
    if sample.pool.size == 0 and sample.pool.kind == "prefork":
        return "has no process: it takes tasks and never runs them"
    if sample.pool.kind == "solo":
        return None
    if sample.pool.autoscale:
        wanted = sample.pool.autoscale.min
    elif expected:
        wanted = int(present_value(sample.live, expected, SIZE))
    else:
        return None
    size = sample.pool.size
    return f"has {size} of {wanted} processes" if size < wanted else None


def wanted_queues(expected: Node | None, sample: Sample) -> list[str]:
    """The queues that a node should consume from; none where it isn't known."""
    if expected is None:
        return []
    return [name for name in present_value(sample.live, expected, QUEUES).split(",") if name]


def _waits_idly(sample: Sample) -> bool:
    """Whether a node holds tasks and runs none."""
    return bool(sample.reserved) and sample.active == 0


def _neglected(sample: Sample, ready: Mapping[str, int | None]) -> set[str]:
    """The queues in which messages wait though the node surely could run one more task."""
    if sample.pool is None or sample.active is None or sample.reserved is None:
        return set()
    if sample.active + sample.reserved >= sample.pool.size:
        return set()
    return {queue for queue in sample.queues or () if ready.get(queue)}


def _task_queues(queues: Collection[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {queue["name"]: queue for queue in queues if not is_direct_queue(queue["name"])}


def _tasks(found: Sequence[Mapping[str, Any]] | None) -> list[Mapping[str, Any]] | None:
    """The tasks without canaries: one that is stuck must not look like work."""
    return None if found is None else [task for task in found if task["name"] != CANARY]


def _held(
    tasks: Sequence[Mapping[str, Any]], queues: Mapping[str, Mapping[str, Any]]
) -> dict[str, int]:
    """How many of the tasks came from each queue; a task tells only the way that it came."""
    keys = {queue.get("routing_key"): name for name, queue in queues.items()}
    only = next(iter(queues)) if len(queues) == 1 else None
    held: Counter[str] = Counter()
    for task in tasks:
        key = task["delivery_info"].get("routing_key")
        if queue := key if key in queues else keys.get(key, only):
            held[queue] += 1
    return dict(held)


def _running(task: Mapping[str, Any]) -> Running:
    return Running(task["name"], task.get("time_start"))


def _started(total: Mapping[str, int]) -> int:
    return sum(count for name, count in total.items() if name != CANARY)


def _hard_limit(pool: Mapping[str, Any]) -> float | None:
    limits = pool.get("timeouts") or (None, None)
    return float(limits[1]) if limits[1] else None
