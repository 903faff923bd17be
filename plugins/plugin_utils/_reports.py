# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: what people read while and after a playbook works."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

# A node may hold thousands of tasks; the longest-running ones tell what is waited for.
_SHOWN = 5
_HEADING = ("node", "release", "processes", "active", "reserved", "canary", "verdict")


def remaining_tasks(
    remaining: Mapping[str, Sequence[Mapping[str, Any]]], seconds: int | str | None = None
) -> list[str]:
    """A line for each node that still has tasks: how many, and the longest-running ones.

    Args:
        remaining: By node, its tasks with `id`, `name` and `runtime` (seconds, None before the
            start), as `celery_worker` returns them.
        seconds: How long they still may take, if that is to be told.
    """
    within = "" if seconds is None else f", {seconds} s for them"
    return [_line(node, tasks, within) for node, tasks in sorted(remaining.items()) if tasks]


def release_lines(nodes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A line for each release: which nodes run it.

    Args:
        nodes: By node, its `release`, None if it doesn't tell, as `celery_health` returns them.
    """
    by_release: dict[str, list[str]] = {}
    for node, health in sorted(nodes.items()):
        by_release.setdefault(health["release"] or "an unknown release", []).append(node)
    return [f"{release}: {', '.join(names)}" for release, names in sorted(by_release.items())]


def health_lines(nodes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A table of the nodes, a line each under a heading.

    Args:
        nodes: As `celery_health` returns them.
    """
    rows = [_HEADING, *(_health_row(node, health) for node, health in sorted(nodes.items()))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def ending_lines(found: Iterable[Mapping[str, Any]], host: str, uptime: str) -> list[str]:
    """A line for each instance that has been told to stop and still runs tasks.

    Args:
        found: Their links to releases, as the results of a loop of `stat` over what systemd says.
        host: The name of the host.
        uptime: The content of its /proc/uptime.
    """
    now = float(uptime.split()[0])
    return [_ending(link["item"], link["stat"], host, now) for link in found]


def cause(result: Mapping[str, Any]) -> str:
    """Why a task failed: its message, or those of the items that failed in its loop."""
    items = [item for item in result.get("results", []) if item.get("failed")]
    return " ".join(" ".join(str(item.get("msg", "")).split()) for item in items or [result])


def _ending(unit: Mapping[str, Any], link: Mapping[str, Any], host: str, now: float) -> str:
    node = f"{unit['item']['instance']}@{host}"
    # Microseconds after the boot.
    since = now - int(unit["status"]["ActiveExitTimestampMonotonic"]) / 1e6
    release = Path(link["lnk_target"]).name
    return f"{node} (release {release}) is still ending, since {since:.0f} s"


def _health_row(node: str, health: Mapping[str, Any]) -> tuple[str, ...]:
    counts = (health[key] for key in ("release", "processes", "active", "reserved"))
    canary = "-" if health["canary"] is None else f"{health['canary']:.2f} s"
    verdict = "healthy" if health["healthy"] else "; ".join(health["reasons"])
    return (node, *("-" if count is None else str(count) for count in counts), canary, verdict)


def _line(node: str, tasks: Sequence[Mapping[str, Any]], within: str) -> str:
    ordered = sorted(tasks, key=lambda task: -(task["runtime"] or 0))
    shown = ", ".join(_task(task) for task in ordered[:_SHOWN])
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    count = f"{len(tasks)} task{'s' if len(tasks) > 1 else ''} left"
    return f"{node}: {count}{within}: {shown}{more}"


def _task(task: Mapping[str, Any]) -> str:
    if task["runtime"] is None:
        return f"{task['name']} waits ({task['id']})"
    return f"{task['name']} since {task['runtime']:.0f} s ({task['id']})"
