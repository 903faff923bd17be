# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: the report of a rolling change as text."""

from __future__ import annotations

from ansible_collections.celeryops.cluster.plugins.plugin_utils._report import (
    HostChange,
    Outcome,
    Report,
    duration,
)
from ansible_collections.celeryops.cluster.plugins.plugin_utils._reports import release_lines

_STEPS = (
    ("drained in", "drain", "change"),
    ("started in", "change", "gate"),
    ("gate passed in", "gate", "done"),
)


def report_lines(report: Report) -> list[str]:
    """What was done, host by host, who runs what now, and how the cluster worked meanwhile."""
    return [
        f"{report.title}: {report.verdict}, in {duration(report.now - report.began)}",
        *(f"Batch {host.batch}: {host.host}: {told(report, host)}" for host in report.changing),
        *running_lines(report),
        *_numbers(report),
    ]


def told(report: Report, host: HostChange) -> str:
    """What was done to a host."""
    parts = [way(report, host), *steps(host)]
    if host.outcome is not Outcome.DONE:
        parts.append(host.outcome.value)
    sentence = ", ".join(part for part in parts if part)
    return f"{sentence}: {host.cause}" if host.cause and host.failed else sentence


def way(report: Report, host: HostChange) -> str:
    """From which release a host was to come to which."""
    if not report.release:
        return "restart"
    old = [release for release in host.before if release != report.release]
    return f"{' and '.join(old)} -> {report.release}" if old else f"{report.release}, configuration"


def steps(host: HostChange) -> list[str]:
    """How long the steps took that a host has done."""
    return [
        f"{name} {duration(seconds)}"
        for name, first, last in _STEPS
        if (seconds := host.seconds(first, last)) is not None
    ]


def gate(host: HostChange) -> str:
    """The result of a host's gate."""
    if host.outcome is Outcome.DONE:
        return "passed"
    if "gate" in host.moments:
        return "failed"
    return "not reached"


def running_lines(report: Report) -> list[str]:
    """Who runs what in the end."""
    nodes = {node: {"release": release} for node, release in report.running().items()}
    return [f"Running {line}" for line in release_lines(nodes)]


def rates(report: Report) -> str:
    """The steady and the lowest throughput."""
    steady, low = report.steady(), report.lowest()
    usual = "unknown" if steady is None else f"{steady:.1f} tasks/s"
    least = "unknown" if low is None else f"{low:.1f} tasks/s"
    share = f" ({100 * low / steady:.0f} %)" if steady and low is not None else ""
    return f"{usual} steady, {least} at the lowest{share}"


def _numbers(report: Report) -> list[str]:
    if reason := report.nothing_seen():
        return [f"No timeline: {reason}"]
    return [
        f"Throughput: {rates(report)}",
        f"Backlog: {report.highest_backlog() or 0:.0f} at the highest",
    ]
