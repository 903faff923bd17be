# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: what a rolling change has done, from what hosts and recording tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._report_series import (
    Interval,
    Look,
    Point,
    backlog,
    highest,
    intervals,
    lowest,
    read_looks,
    running,
    steady_rate,
    throughput,
)

# The variables in which the role `worker` leaves what it has done.
_MOMENTS = "__celery_worker_moments"
_CAUSE = "__celery_worker_cause"
_BEFORE = "__celery_worker_releases"
_ROLLS = "__celery_worker_rolls"


class Outcome(Enum):
    """What became of a host."""

    DONE = "done"
    SAME = "nothing to change"
    UNTOUCHED = "not touched"
    KEPT = "not drained: it goes on as before"
    BACK = "went back to what ran before"
    BROKEN = "failed"


@dataclass(frozen=True)
class HostChange:
    """What was done to a host.

    Attributes:
        batch: The number of its batch.
        before: The releases that it ran.
        moments: When its steps began or ended, in seconds of Unix time.
        cause: Why it failed.
        changes: Whether anything was to be done.
    """

    host: str
    batch: int
    before: tuple[str, ...] = ()
    moments: Mapping[str, float] = field(default_factory=dict)
    cause: str = ""
    changes: bool = True

    @property
    def outcome(self) -> Outcome:
        """What became of it."""
        if "done" in self.moments:
            return Outcome.DONE
        if "restored" in self.moments:
            return Outcome.BACK
        if "change" in self.moments or "gate" in self.moments:
            return Outcome.BROKEN
        if self.moments:
            return Outcome.KEPT
        return Outcome.UNTOUCHED if self.changes else Outcome.SAME

    @property
    def failed(self) -> bool:
        """Whether the change ended here."""
        return self.outcome in (Outcome.KEPT, Outcome.BACK, Outcome.BROKEN)

    @property
    def began(self) -> float | None:
        """When its first step began."""
        return min(self.moments.values(), default=None)

    @property
    def ended(self) -> float | None:
        """When its last step began or ended, as far as it is known."""
        return max(self.moments.values(), default=None)

    @property
    def working(self) -> float | None:
        """From when on all its nodes worked again."""
        return self.moments.get("gate", self.ended) if not self.failed else self.ended

    def seconds(self, first: str, last: str) -> float | None:
        """How long it took from one moment to another; None if they weren't reached."""
        if first not in self.moments or last not in self.moments:
            return None
        return self.moments[last] - self.moments[first]


@dataclass(frozen=True)
class Report:
    """What was done to a cluster, and how it worked meanwhile.

    Attributes:
        release: The release that the hosts get; empty for a restart.
        now: When the report was made, in seconds of Unix time.
        looks: What was recorded.
    """

    app: str
    release: str
    now: float
    hosts: Sequence[HostChange]
    looks: Sequence[Look]

    @property
    def title(self) -> str:
        """What was done, in a few words."""
        return f"{self.app}: {f'change to release {self.release}' if self.release else 'restart'}"

    @property
    def began(self) -> float:
        """When the first step began."""
        return min((host.began for host in self.hosts if host.began is not None), default=self.now)

    @property
    def failed(self) -> bool:
        """Whether it ended before all was done."""
        return any(host.failed for host in self.hosts)

    @property
    def changing(self) -> list[HostChange]:
        """The hosts that were to be changed."""
        return [host for host in self.hosts if host.outcome is not Outcome.SAME]

    @property
    def verdict(self) -> str:
        """How it ended."""
        done = sum(host.outcome is Outcome.DONE for host in self.hosts)
        told = f"done on {done} of {len(self.changing)} hosts"
        return f"failed, {told}" if self.failed else told

    def intervals(self) -> list[Interval]:
        """How many tasks were done when."""
        return intervals(self.looks)

    def throughput(self) -> list[Point]:
        """Tasks for each second."""
        return throughput(self.intervals())

    def backlog(self) -> list[Point]:
        """The messages that waited."""
        return backlog(self.looks)

    def steady(self) -> float | None:
        """Tasks for each second while no host was out of work."""
        busy = [
            (host.began, host.working)
            for host in self.hosts
            if host.began is not None and host.working is not None
        ]
        return steady_rate(self.intervals(), busy)

    def lowest(self) -> float | None:
        """The lowest throughput since the first step."""
        return lowest(self.throughput(), self.began, self.now)

    def highest_backlog(self) -> float | None:
        """The most messages that waited."""
        return highest(self.backlog())

    def running(self) -> dict[str, str | None]:
        """Which node runs which release in the end."""
        return running(self.looks)

    def nothing_seen(self) -> str:
        """Why there is no timeline; empty if there is one."""
        if len([look for look in self.looks if not look.error]) > 1:
            return ""
        errors = [look.error for look in self.looks if look.error]
        return f"The cluster was not seen: {errors[-1]}" if errors else "Nothing was recorded."


def report_of(
    batches: Sequence[Sequence[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
    *,
    app: str,
    release: str,
    recording: str,
    now: float,
) -> Report:
    """The report of a change.

    Args:
        batches: The hosts, batch by batch.
        hostvars: Their variables, with what the role `worker` leaves there.
        app: The name of the application.
        release: The release that the hosts get; empty for a restart.
        recording: What the module `celery_recording` wrote.
        now: The present time.
    """
    hosts = [
        _host(host, number, hostvars[host])
        for number, batch in enumerate(batches, 1)
        for host in batch
    ]
    return Report(app, release, float(now), hosts, read_looks(recording))


def duration(seconds: float) -> str:
    """A time span in words: `12 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _host(host: str, batch: int, variables: Mapping[str, Any]) -> HostChange:
    return HostChange(
        host,
        batch,
        before=tuple(sorted({str(release) for release in variables.get(_BEFORE) or ()})),
        moments={str(name): float(time) for name, time in (variables.get(_MOMENTS) or {}).items()},
        cause=str(variables.get(_CAUSE) or ""),
        changes=bool(variables.get(_ROLLS, True)),
    )
