# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""What is known of tasks, by the workers that hold them and by their results.

Celery says PENDING of a task that waits as well as of one that never was. Here, a task of which
nobody knows is UNKNOWN.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._client import (
    READING_PATIENCE,
    Call,
    Client,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._replies import Replies
from ansible_collections.celeryops.cluster.plugins.module_utils._results import (
    READY,
    Failures,
    Meta,
    Results,
    ended_at,
    failure_text,
    plain,
    sent_at,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._secrets import hide_secrets

# What a worker that holds a task makes of its state.
_STATES = {"active": "STARTED", "reserved": "RECEIVED", "scheduled": "RECEIVED"}


@dataclass(frozen=True)
class Question:
    """Which tasks are asked for.

    Attributes:
        ids: These.
        running_longer_than: Those that run for longer than these seconds.
        failed_since: Those that failed within these seconds.
        limit: How many failed ones, the latest.
        scan_limit: How many results are looked at for them.
    """

    ids: Sequence[str] = ()
    running_longer_than: float | None = None
    failed_since: float | None = None
    limit: int = 100
    scan_limit: int = 100_000


def question_of(params: Mapping[str, Any]) -> Question:
    """The question that a module's options ask.

    Raises:
        CeleryOpsError: An option's value makes no sense.
    """
    for name in ("running_longer_than", "failed_since"):
        if params[name] is not None and not 0 <= params[name] < math.inf:
            raise CeleryOpsError(f"`{name}` must be 0 seconds or more, not {params[name]}.")
    for name in ("limit", "scan_limit"):
        if params[name] < 1:
            raise CeleryOpsError(f"`{name}` must be at least 1, not {params[name]}.")
    return Question(
        params["ids"] or (),
        params["running_longer_than"],
        params["failed_since"],
        params["limit"],
        params["scan_limit"],
    )


@dataclass(frozen=True)
class Holding:
    """A task as the worker that holds it tells.

    Attributes:
        node: The worker.
        held: active, reserved or scheduled.
        request: The request as Celery shows it.
    """

    node: str
    held: str
    request: Mapping[str, Any]

    @property
    def started(self) -> float | None:
        """When it began, in seconds since the epoch."""
        started = self.request.get("time_start")
        return float(started) if self.held == "active" and started else None


@dataclass
class Findings:
    """What was found out about tasks.

    Attributes:
        holdings: The tasks that workers hold, by id.
        metas: The tasks of which the result backend knows, by id.
        failures: The failed ones, if they were asked for.
    """

    holdings: dict[str, Holding] = field(default_factory=dict)
    metas: dict[str, Meta] = field(default_factory=dict)
    failures: Failures = field(default_factory=Failures)


def ask(
    client: Client,
    nodes: Sequence[str],
    results: Results | None,
    question: Question,
    now: float,
    only: bool,
) -> dict[str, Any]:
    """Find out about tasks.

    Args:
        client: The client.
        nodes: The nodes that are asked.
        results: The results; None where they can't be read.
        question: Which tasks.
        now: The time, in seconds since the epoch.
        only: Whether failures on other nodes are left out.

    Returns:
        The result of the module.

    Raises:
        BrokerError: The broker can't be reached or fails.
        CeleryOpsError: The results can't be read, or don't tell enough.
    """
    calls = [Call("query_task", {"ids": list(question.ids)}, nodes)]
    if question.running_longer_than is not None:
        calls.append(Call("active", {}, nodes))
    held, *active = client.call_all(calls, patience=READING_PATIENCE)
    found = Findings(_holdings(held, active[0] if active else Replies(), question, now))
    if results and question.ids:
        found.metas = results.read(question.ids)
    if results and question.failed_since is not None:
        since = now - question.failed_since
        found.failures = results.failures(since, question.limit, question.scan_limit)
        kept = found.failures.metas
        found.failures.metas = _of_nodes(kept, nodes) if only else kept
    ids = [*question.ids, *found.holdings, *found.failures.metas]
    metas = {**found.failures.metas, **found.metas}
    tasks = {id_: describe(found.holdings.get(id_), metas.get(id_), now) for id_ in ids}
    return {
        "tasks": tasks,
        "stuck": _stuck(found.holdings, question, now),
        "failures": list(found.failures.metas),
        "scanned": found.failures.scanned,
        "complete": found.failures.complete,
        "nodes": {
            node: {"tasks": sorted(id_ for id_, h in found.holdings.items() if h.node == node)}
            for node in sorted(held.answers)
        },
        "missing": held.missing,
        "errors": held.errors,
        "duplicates": client.duplicates,
    }


def describe(holding: Holding | None, meta: Meta | None, now: float) -> dict[str, Any]:
    """A task as it is returned, without secrets."""
    meta = meta or {}
    request = holding.request if holding else {}
    state = _state(holding, meta)
    ended, started = ended_at(meta), holding.started if holding else None
    sent = sent_at(meta)
    since = ended if state in READY else (sent if started is None else started)
    task: dict[str, Any] = {
        "state": state,
        "task": request.get("type") or meta.get("name"),
        "node": holding.node if holding else meta.get("worker"),
        "held": holding.held if holding else None,
        "queue": (request.get("delivery_info") or {}).get("routing_key") or meta.get("queue"),
        "args": request.get("args", meta.get("args")),
        "kwargs": request.get("kwargs", meta.get("kwargs")),
        "retries": meta.get("retries"),
        "result": meta.get("result") if state == "SUCCESS" else None,
        "error": failure_text(meta) if state in ("FAILURE", "REVOKED", "RETRY") and meta else None,
        "traceback": meta.get("traceback"),
        "sent": _moment(sent),
        "started": _moment(started),
        "ended": _moment(ended),
        "runtime": None if started is None else round(max(0.0, now - started), 3),
        "age": None if since is None else round(max(0.0, now - since), 3),
    }
    hidden: dict[str, Any] = hide_secrets(plain(task))
    return hidden


def _holdings(held: Replies, active: Replies, question: Question, now: float) -> dict[str, Holding]:
    """The tasks that were asked for and are held, by id; a running one counts before a held one."""
    found: dict[str, Holding] = {}
    for node, tasks in held.answers.items():
        for task_id, (state, request) in tasks.items():
            if task_id not in found or state == "active":
                found[task_id] = Holding(node, state, request)
    if question.running_longer_than is None:
        return found
    for node, requests in active.answers.items():
        for request in requests:
            holding = Holding(node, "active", request)
            if holding.started and now - holding.started > question.running_longer_than:
                found[request["id"]] = holding
    return found


def _stuck(holdings: Mapping[str, Holding], question: Question, now: float) -> list[str]:
    """The ids of the tasks that run for too long, the longest first."""
    limit = question.running_longer_than
    if limit is None:
        return []
    starts = {i: h.started for i, h in holdings.items() if h.started and now - h.started > limit}
    return sorted(starts, key=lambda task_id: starts[task_id] or 0.0)


def _state(holding: Holding | None, meta: Mapping[str, Any]) -> str:
    """Celery's state; what a worker holds wins over an earlier run's.

    A revoked task that runs is still running: the workers that don't run it write REVOKED.
    """
    known = str(meta.get("status", "UNKNOWN"))
    final = ("SUCCESS", "FAILURE") if holding and holding.held == "active" else READY
    if holding is None or known in final:
        return known
    return _STATES.get(holding.held, known)


def _of_nodes(metas: Mapping[str, Meta], nodes: Collection[str]) -> dict[str, Meta]:
    """The results of what some nodes ran.

    The rest of a chain that failed was run by none: its results have no worker.

    Raises:
        CeleryOpsError: A result doesn't tell which node ran its task.
    """
    if any("worker" not in meta for meta in metas.values()):
        raise CeleryOpsError(
            "The results don't tell which node ran a task: leave out `nodes` and `pool`, or set "
            "`result_extended: true` in celery_settings."
        )
    return {task_id: meta for task_id, meta in metas.items() if meta["worker"] in nodes}


def _moment(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")
