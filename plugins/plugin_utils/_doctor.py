# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: what the playbook doctor makes of what it has found on all hosts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from statistics import median_low
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._doctor import ERROR, WARNING
from ansible_collections.celeryops.cluster.plugins.module_utils._secrets import hide_secrets

Finding = dict[str, Any]
Results = Mapping[str, Mapping[str, Any]]

# Celery warns of a clock that differs by more.
_CLOCK_SECONDS = 15.0
# What keeps a host from the broker; it then says so itself.
_ON_THE_WAY = ("name", "port", "firewall", "login")
# How the playbook registers what it finds.
_HOST, _HEALTH, _QUEUES = "__doctor", "__doctor_health", "__doctor_queues"


def doctor_findings(
    hosts: Iterable[str],
    hostvars: Mapping[str, Mapping[str, Any]],
    foreign_queues: Collection[str] = (),
) -> list[Finding]:
    """All that is wrong with a cluster, the worst first.

    Args:
        hosts: The hosts of the play.
        hostvars: What the playbook has registered of them.
        foreign_queues: The queues that others consume.
    """
    results = {host: hostvars[host][_HOST] for host in hosts if _HOST in hostvars[host]}
    health = _registered(hostvars, results, _HEALTH)
    queues = _registered(hostvars, results, _QUEUES)
    found = [finding for host in results for finding in _of_host(host, results[host])]
    found += _of_clocks(results)
    found += _of_releases(results)
    found += _of_health(health, found)
    found += _of_queues(queues, health, foreign_queues)
    found += _of_routes(results, health, foreign_queues)
    return sorted(found, key=lambda finding: (finding["severity"] != ERROR, finding["host"] or ""))


def doctor_lines(findings: Sequence[Finding]) -> list[str]:
    """A table of findings, each with its fix below it, and how many there are."""
    rows = [
        (found["severity"], found["node"] or found["host"] or "cluster", found["check"])
        for found in findings
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row, found in zip(rows, findings, strict=True):
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines += [f"{cells}  {found['cause']}", f"{' ' * len(cells)}  -> {found['fix']}"]
    counts = Counter(found["severity"] for found in findings)
    return [*lines, f"errors: {counts[ERROR]}, warnings: {counts[WARNING]}"]


def doctor_files(
    hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]], findings: Sequence[Finding]
) -> list[dict[str, str]]:
    """The files of a support bundle, each with its `name` and `content`."""
    results = {host: hostvars[host][_HOST] for host in hosts if _HOST in hostvars[host]}
    whole = {
        "health.json": _registered(hostvars, results, _HEALTH),
        "queues.json": _registered(hostvars, results, _QUEUES),
        "findings.json": list(findings),
    }
    files = {"findings.txt": "\n".join(doctor_lines(findings)) + "\n"}
    for host, result in results.items():
        details = dict(result.get("details") or {})
        for log in details.pop("logs", []):
            files[f"{host}.{log['unit']}.log"] = "\n".join(log["lines"]) + "\n"
        whole[f"{host}.json"] = {**result, "details": details}
    for name, value in whole.items():
        files[name] = json.dumps(hide_secrets(value), indent=2, default=str) + "\n"
    return [{"name": name, "content": files[name]} for name in sorted(files)]


def _registered(
    hostvars: Mapping[str, Mapping[str, Any]], results: Results, name: str
) -> Mapping[str, Any]:
    """What was found once for the whole cluster, by one of its hosts."""
    found: list[Mapping[str, Any]] = [
        hostvars[host][name] for host in results if name in hostvars[host]
    ]
    return found[0] if found else {}


def _finding(
    check: str,
    cause: str,
    fix: str,
    host: str | None = None,
    node: str | None = None,
    severity: str = ERROR,
) -> Finding:
    return {
        "check": check,
        "severity": severity,
        "cause": cause,
        "fix": fix,
        "node": node,
        "host": host,
    }


def _of_host(host: str, result: Mapping[str, Any]) -> list[Finding]:
    if result.get("unreachable"):
        cause = f"Ansible doesn't reach it ({_text(result).rstrip('.')})."
        fix = "Start the host, or correct its ansible_host, ansible_user or key in the inventory."
        return [_finding("host", cause, fix, host)]
    if result.get("failed"):
        fix = "Mend what that says; if the host is new, run the playbook celeryops.cluster.site."
        return [_finding("host", _text(result), fix, host)]
    return [dict(finding) for finding in result["findings"]]


def _text(result: Mapping[str, Any]) -> str:
    return " ".join(str(result.get("msg") or "it doesn't say why").split())


def _of_clocks(results: Results) -> Iterator[Finding]:
    offsets = {
        host: float(result["clock_offset"])
        for host, result in results.items()
        if result.get("clock_offset") is not None
    }
    usual = median_low(offsets.values()) if offsets else 0.0
    for host, offset in offsets.items():
        skew = offset - usual
        if abs(skew) > _CLOCK_SECONDS:
            yield _finding(
                "clock",
                f"Its clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} that of "
                "other hosts.",
                "Have its clock set by a time server (`timedatectl` shows whether it is), as on "
                "the others: times, limits and ages of tasks are wrong until then.",
                host,
                severity=WARNING,
            )


def _of_releases(results: Results) -> Iterator[Finding]:
    running = {
        (host, str(running["instance"])): str(running["release"])
        for host, result in results.items()
        for running in result.get("releases") or []
    }
    (usual, _count), *others = Counter(running.values()).most_common() or [("", 0)]
    for (host, instance), release in running.items():
        if others and release != usual:
            yield _finding(
                "version",
                f"{instance} runs release {release}, and most run {usual}.",
                "Finish what was interrupted by the playbook celeryops.cluster.rolling_update.",
                host,
                severity=WARNING,
            )


def _of_health(health: Mapping[str, Any], known: Sequence[Finding]) -> Iterator[Finding]:
    if health.get("failed") and not _unreached(known):
        yield _of_cluster(_text(health))
    nodes = health.get("nodes") or {}
    explained = {finding["node"] for finding in known if finding["severity"] == ERROR}
    unreachable = {finding["host"] for finding in known if finding["check"] == "host"}
    for node, about in nodes.items():
        host = node.partition("@")[2]
        if about["reasons"] and node not in explained and host not in unreachable:
            yield _of_node(node, host, about["reasons"], node in health["duplicates"])
    for name, queue in (health.get("queues") or {}).items():
        if not queue["consumers"]:
            yield _finding(
                "queue",
                f"No node shows that it consumes from queue '{name}', where {queue['backlog']} "
                "tasks wait.",
                "Start or resume the nodes of a pool that has it, see their findings.",
            )
    if nodes or not _unreached(known):
        yield from (_of_cluster(reason) for reason in _other_reasons(health))


def _of_node(node: str, host: str, reasons: Iterable[str], duplicate: bool) -> Finding:
    cause = f"{node}: {'; '.join(reasons)}."
    if duplicate:
        fix = (
            f"Find the second worker on the hosts (`pgrep --full --list-full hostname={node}`), "
            "and stop the one that the service manager doesn't know."
        )
        return _finding("duplicate", cause, fix, host, node)
    fix = (
        f"If it was drained, run the playbook celeryops.cluster.resume with --limit={host}; else "
        "read its log, mend what that tells, and run celeryops.cluster.restart with that limit."
    )
    return _finding("node", cause, fix, host, node)


def _unreached(known: Iterable[Finding]) -> bool:
    """Whether a host has said why the broker can't be asked."""
    return any(finding["check"] in _ON_THE_WAY for finding in known)


def _other_reasons(health: Mapping[str, Any]) -> Iterator[str]:
    """Those that are neither a node's nor a queue's."""
    nodes = tuple(f"{node}: " for node in health.get("nodes") or {})
    queues = [f"queue '{name}'" for name in health.get("queues") or {}]
    for reason in health.get("reasons") or []:
        if not reason.startswith(nodes) and not any(queue in reason for queue in queues):
            yield reason


def _of_cluster(reason: str) -> Finding:
    if "beat" in reason:
        fix = (
            "Exactly one host of the group celery_beat may run it, as celery-<app>-beat.service; "
            "start it there, and stop any other."
        )
        return _finding("beat", f"{reason[:1].upper()}{reason[1:]}.", fix)
    return _finding("cluster", f"{reason.rstrip('.')}.", "Mend what that says, and look again.")


def _of_queues(
    queues: Mapping[str, Any], health: Mapping[str, Any], foreign: Collection[str]
) -> Iterator[Finding]:
    judged = {*(health.get("queues") or {}), *foreign}
    for name, queue in (queues.get("queues") or {}).items():
        served = queue["nodes"] or queue["consumers"]
        if queue["ready"] and not served and name not in judged:
            yield _finding(
                "route",
                f"{queue['ready']} tasks wait in queue '{name}', from which nobody consumes.",
                "Correct what sends them there and move them by celeryops.cluster.celery_queue, or "
                "add the queue to a pool of celery_worker_pools, or to celery_app_foreign_queues "
                "if others consume it.",
            )


def _of_routes(
    results: Results, health: Mapping[str, Any], foreign: Collection[str]
) -> Iterator[Finding]:
    served = {*(health.get("queues") or {}), *foreign}
    routes = {
        (str(route["task"]), str(route["queue"]))
        for result in results.values()
        for route in result.get("routes") or []
    }
    # While no node is known, nor is what they consume.
    for task, queue in sorted(routes) if health.get("nodes") else []:
        if queue not in served:
            yield _finding(
                "route",
                f"task_routes sends '{task}' to queue '{queue}', which no node has.",
                "Correct celery_settings, or add the queue to a pool of celery_worker_pools, or to "
                "celery_app_foreign_queues if others consume it; then run celeryops.cluster.site.",
                severity=WARNING,
            )
