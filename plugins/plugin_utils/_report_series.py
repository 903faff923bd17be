# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: what a recording tells of throughput, backlog and releases."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from statistics import median
from typing import Any, NamedTuple

# The rate at a time is that of the seconds before it, so that single tasks don't make it jump.
WINDOW_SECONDS = 10.0
# Fewer seconds tell no rate.
FEWEST_RATE_SECONDS = 4.0
# Between two looks that are further apart than this, nothing is known.
FEWEST_GAP_SECONDS = 30.0
GAP_INTERVALS = 5
# So much time without a change tells what is usual.
CALM_SECONDS = 3.0

SILENT = "silent"
PAUSED = "paused"
UNSEEN = "unseen"


@dataclass(frozen=True)
class Look:
    """What was seen at one time.

    Attributes:
        done: By node, how many tasks it has begun since its start; None if it doesn't tell.
        releases: By node, the release that it runs, likewise.
        paused: The nodes that take no more tasks.
        backlog: How many messages wait in the queues.
        error: Why nothing could be seen.
    """

    time: float
    done: Mapping[str, int | None] = field(default_factory=dict)
    releases: Mapping[str, str | None] = field(default_factory=dict)
    paused: frozenset[str] = frozenset()
    backlog: int = 0
    error: str = ""


class Point(NamedTuple):
    """A value at a time; None where nothing is known."""

    time: float
    value: float | None


class Band(NamedTuple):
    """What a host was like for a while: a release, or one of the states above."""

    start: float
    end: float
    state: str


class Interval(NamedTuple):
    """The time between two looks, and the tasks that were done in it; None if it isn't known."""

    start: float
    end: float
    tasks: float | None


def read_looks(recording: str) -> list[Look]:
    """The looks of a recording, in the order of their times; what isn't one is passed over."""
    return sorted(_looks(recording.splitlines()), key=lambda look: look.time)


def intervals(looks: Sequence[Look]) -> list[Interval]:
    """How many tasks were done between the looks.

    What a node has done while it wasn't seen is spread over that time. A count that is lower than
    before began anew with the worker.
    """
    times = [look.time for look in looks]
    tasks = [0.0] * max(0, len(looks) - 1)
    last: dict[str, tuple[int, int]] = {}
    for index, look in enumerate(looks):
        for node, done in look.done.items():
            if done is None:
                continue
            if node in last:
                before, count = last[node]
                _spread(tasks, times, before, index, done - count if done >= count else done)
            last[node] = (index, done)
    gap = _gap_seconds(times)
    return [
        Interval(a.time, b.time, None if a.error or b.error or b.time - a.time > gap else count)
        for (a, b), count in zip(pairwise(looks), tasks, strict=True)
    ]


def throughput(measured: Sequence[Interval]) -> list[Point]:
    """Tasks for each second, as a line with gaps."""
    points = []
    for index, interval in enumerate(measured):
        recent = list(_recent(measured[: index + 1]))
        seconds = sum(one.end - one.start for one in recent)
        done = sum(one.tasks or 0.0 for one in recent)
        points.append(
            Point(interval.end, done / seconds if seconds >= FEWEST_RATE_SECONDS else None)
        )
    return points


def backlog(looks: Sequence[Look]) -> list[Point]:
    """The messages that wait, as a line with gaps."""
    return [Point(look.time, None if look.error else look.backlog) for look in looks]


def steady_rate(measured: Sequence[Interval], busy: Sequence[tuple[float, float]]) -> float | None:
    """Tasks for each second while nothing changed; None if there was too little such time.

    Args:
        measured: What was done when.
        busy: The times in which a host was changed.
    """
    calm = [one for one in measured if one.tasks is not None and not _overlaps(one, busy)]
    seconds = sum(one.end - one.start for one in calm)
    return sum(one.tasks or 0.0 for one in calm) / seconds if seconds >= CALM_SECONDS else None


def lowest(points: Iterable[Point], start: float, end: float) -> float | None:
    """The lowest known value between two times."""
    return min(
        (p.value for p in points if p.value is not None and start <= p.time <= end), default=None
    )


def highest(points: Iterable[Point]) -> float | None:
    """The highest known value."""
    return max((point.value for point in points if point.value is not None), default=None)


def bands(looks: Sequence[Look], host: str) -> list[Band]:
    """What a host ran when, and when it took no tasks or didn't answer."""
    found: list[Band] = []
    for state, same in groupby(pairwise(looks), key=lambda pair: _state(pair[0], host)):
        pairs = list(same)
        found.append(Band(pairs[0][0].time, pairs[-1][1].time, state))
    return found


def running(looks: Sequence[Look]) -> dict[str, str | None]:
    """By node, the release that it ran when the cluster was seen for the last time."""
    seen = [look for look in looks if not look.error]
    return dict(seen[-1].releases) if seen else {}


def _looks(lines: Iterable[str]) -> Iterator[Look]:
    for line in lines:
        try:
            yield _look(json.loads(line))
        except (ValueError, LookupError, TypeError, AttributeError):
            # The last line of a recording that was killed may be half a one.
            continue


def _look(document: Mapping[str, Any]) -> Look:
    time = float(document["time"])
    if "error" in document:
        return Look(time, error=str(document["error"]))
    nodes = document["nodes"]
    return Look(
        time,
        done={name: node["done"] for name, node in nodes.items()},
        releases={name: node["release"] for name, node in nodes.items()},
        paused=frozenset(name for name, node in nodes.items() if node["paused"]),
        backlog=sum(count or 0 for count in document["queues"].values()),
    )


def _spread(
    tasks: list[float], times: Sequence[float], first: int, last: int, count: float
) -> None:
    span = times[last] - times[first]
    for index in range(first, last):
        tasks[index] += count * (times[index + 1] - times[index]) / span if span > 0 else 0.0


def _gap_seconds(times: Sequence[float]) -> float:
    steps = [b - a for a, b in pairwise(times)]
    return max(FEWEST_GAP_SECONDS, GAP_INTERVALS * median(steps)) if steps else 0.0


def _recent(measured: Sequence[Interval]) -> Iterator[Interval]:
    """The last intervals, back to the window's begin or to a gap."""
    until = measured[-1].end - WINDOW_SECONDS
    for interval in reversed(measured):
        if interval.tasks is None or interval.start < until:
            return
        yield interval


def _overlaps(interval: Interval, times: Sequence[tuple[float, float]]) -> bool:
    return any(interval.start < end and start < interval.end for start, end in times)


def _state(look: Look, host: str) -> str:
    if look.error:
        return UNSEEN
    nodes = [node for node in look.done if node.partition("@")[2] == host]
    if not nodes:
        return SILENT
    if look.paused.issuperset(nodes):
        return PAUSED
    releases: dict[str, int] = defaultdict(int)
    for node in nodes:
        releases[look.releases[node] or "unknown release"] += 1
    return " and ".join(sorted(releases))
