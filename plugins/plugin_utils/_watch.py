# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: what has happened in a cluster, told once, by what was seen of it.

A state has two thresholds, so that a value around one of them isn't told again and again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import pool_of

Event: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Thresholds:
    """From when on something is told, and until when it lasts.

    Attributes:
        backlog_high: So many tasks wait for a queue at least.
        backlog_low: So many at most, for the queue to be well again.
        lost_after: Seconds for which a node is silent.
        failures_high: The share of tasks that fail, of those that ended within the window.
        failures_low: The share at most, for the cluster to be well again.
        failures_window: Seconds.
        failures_least: So many tasks must have ended within the window for a share to mean much.
    """

    backlog_high: int
    backlog_low: int
    lost_after: float
    failures_high: float
    failures_low: float
    failures_window: float
    failures_least: int


@dataclass(frozen=True)
class Sight:
    """What was seen at once.

    Attributes:
        backlog: By queue, the tasks that wait in the broker and in the nodes.
        answering: The nodes that answer.
        expected: All nodes that should.
        ended: Of each task that has ended since the last sight, whether it failed.
    """

    backlog: Mapping[str, int]
    answering: Collection[str]
    expected: Collection[str]
    ended: Collection[bool] = ()


@dataclass
class Watch:
    """Remembers what it has told."""

    thresholds: Thresholds
    _high: set[str] = field(default_factory=set)
    _lost: set[str] = field(default_factory=set)
    # By node, when it answered last, or when it was first expected.
    _heard: dict[str, float] = field(default_factory=dict)
    _ended: deque[tuple[float, bool]] = field(default_factory=deque)
    _failing: bool = False
    _away_since: float | None = None

    def see(self, sight: Sight, now: float) -> list[Event]:
        """What has happened, by what is seen now, in seconds of a monotonic clock."""
        return [
            *self._broker_back(now),
            *self._queues(sight),
            *self._nodes(sight, now),
            *self._failures(sight.ended, now),
        ]

    def see_nothing(self, reason: str, now: float) -> list[Event]:
        """What has happened, if the broker can't be asked: nothing can be said of the nodes."""
        if self._away_since is not None:
            return []
        self._away_since = now
        return [{"type": "broker_lost", "text": reason}]

    def _broker_back(self, now: float) -> list[Event]:
        if self._away_since is None:
            return []
        seconds, self._away_since = round(now - self._away_since), None
        # Nodes connect again in their own time.
        self._heard = {
            node: heard if node in self._lost else now for node, heard in self._heard.items()
        }
        text = f"The broker answers again, after {seconds} s."
        return [{"type": "broker_back", "seconds": seconds, "text": text}]

    def _queues(self, sight: Sight) -> list[Event]:
        high, low = self.thresholds.backlog_high, self.thresholds.backlog_low
        events = []
        for queue, backlog in sorted(sight.backlog.items()):
            if queue not in self._high and backlog >= high:
                self._high.add(queue)
                events.append(_backlog("backlog_high", queue, backlog, high))
            elif queue in self._high and backlog <= low:
                self._high.remove(queue)
                events.append(_backlog("backlog_low", queue, backlog, low))
        return events

    def _nodes(self, sight: Sight, now: float) -> list[Event]:
        events = []
        for node in sorted({*sight.expected, *sight.answering}):
            heard = self._heard.setdefault(node, now)
            silent = round(now - heard)
            if node in sight.answering:
                self._heard[node] = now
                if node in self._lost:
                    self._lost.remove(node)
                    events.append(_node("node_back", node, silent, "answers again, after"))
            elif node not in self._lost and now - heard >= self.thresholds.lost_after:
                self._lost.add(node)
                events.append(_node("node_lost", node, silent, "hasn't answered for"))
        # What left the inventory isn't missed.
        self._heard = {node: self._heard[node] for node in {*sight.expected, *sight.answering}}
        self._lost &= self._heard.keys()
        return events

    def _failures(self, ended: Collection[bool], now: float) -> list[Event]:
        limits = self.thresholds
        self._ended.extend((now, failed) for failed in ended)
        while self._ended and self._ended[0][0] < now - limits.failures_window:
            self._ended.popleft()
        count = len(self._ended)
        failed = sum(failed for _when, failed in self._ended)
        share = failed / count if count else 0.0
        if not self._failing and count >= limits.failures_least and share >= limits.failures_high:
            self._failing = True
            return [_failures("failures_high", failed, count, share)]
        if self._failing and share <= limits.failures_low:
            self._failing = False
            return [_failures("failures_low", failed, count, share)]
        return []


def _backlog(kind: str, queue: str, backlog: int, threshold: int) -> Event:
    text = f"{backlog} tasks wait for queue '{queue}'."
    return {
        "type": kind,
        "queue": queue,
        "backlog": backlog,
        "threshold": threshold,
        "text": text,
    }


def _node(kind: str, node: str, seconds: int, what: str) -> Event:
    name, _at, host = node.partition("@")
    pool = pool_of(node)
    return {
        "type": kind,
        "node": node,
        "pool": pool,
        "instance": name.removeprefix(pool),
        "host": host,
        "seconds": seconds,
        "text": f"Node {node} {what} {seconds} s.",
        # So that ansible-rulebook runs its actions on this host only.
        "meta": {"hosts": host},
    }


def _failures(kind: str, failed: int, ended: int, share: float) -> Event:
    return {
        "type": kind,
        "failed": failed,
        "ended": ended,
        "share": round(share, 3),
        "text": f"{failed} of {ended} tasks have failed.",
    }
