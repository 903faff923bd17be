# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""What `celery_task` does: sending tasks, sending failed ones again, and awaiting their results."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any
from uuid import NAMESPACE_OID, uuid4, uuid5

from ansible_collections.celeryops.cluster.plugins.module_utils._client import (
    READING_PATIENCE,
    Client,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Backend,
    Cluster,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import listed
from ansible_collections.celeryops.cluster.plugins.module_utils._results import (
    READY,
    Meta,
    Results,
    failure_text,
    plain,
    readable,
    unreadable,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._secrets import hide_secrets
from ansible_collections.celeryops.cluster.plugins.module_utils._task_order import (
    Order,
    Signature,
    Timing,
    order_of,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._task_revoke import (
    Revocation,
    revoke,
    revoke_stamped,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._task_send import (
    Plan,
    outcome,
    plan,
    post,
)

# The states of tasks that may be sent again.
_FAILED = ("FAILURE", "REVOKED")


# The options that mean something for a state, beside the common ones.
_SENDING = frozenset(
    {"task", "args", "kwargs", "queue", "priority", "headers", "id", "wait", "force"}
    | {"result_backend"}
)
_MEANINGFUL: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "sent": _SENDING | {"chain", "group", "countdown", "eta", "expires", "stamps"},
        "revoked": frozenset({"ids", "stamps"}),
        "terminated": frozenset({"ids", "stamps"}),
        "retried": _SENDING | {"ids"},
    }
)


def check_options(params: Mapping[str, Any]) -> None:
    """Refuse options that don't go together.

    Raises:
        CeleryOpsError: An option is missing, or has no meaning.
    """
    state = params["state"]
    for name in sorted(frozenset().union(*_MEANINGFUL.values()) - _MEANINGFUL[state]):
        if params[name]:
            raise CeleryOpsError(f"`{name}` has no meaning with `state: {state}`: leave it out.")
    kinds = [name for name in ("task", "chain", "group") if params[name]]
    if state == "sent" and len(kinds) != 1:
        raise CeleryOpsError("give one of `task`, `chain` and `group`.")
    if kinds in (["chain"], ["group"]) and (params["args"] or params["kwargs"]):
        raise CeleryOpsError(f"give `args` and `kwargs` to each task of `{kinds[0]}`.")
    if params["eta"] and params["countdown"] is not None:
        raise CeleryOpsError("give either `eta` or `countdown`.")
    if state in ("revoked", "terminated") and bool(params["ids"]) == bool(params["stamps"]):
        raise CeleryOpsError(f"`state: {state}` wants either `ids` or `stamps`.")
    if state == "retried" and len(params["ids"] or ()) != 1:
        raise CeleryOpsError("`state: retried` wants one task in `ids`.")


def operate(
    client: Client, cluster: Cluster, nodes: Sequence[str], params: Mapping[str, Any], check: bool
) -> dict[str, Any]:
    """Bring tasks into the wanted state.

    Args:
        client: The client.
        cluster: The cluster.
        nodes: The nodes that are asked or told.
        params: The module's options.
        check: Whether to predict only.

    Returns:
        The result of the module.

    Raises:
        BrokerError: The broker can't be reached or fails.
        CeleryOpsError: Something must be corrected first, or the state isn't reached.
    """
    state = params["state"]
    if state in ("revoked", "terminated"):
        signal = params["signal"] if state == "terminated" else None
        # Workers that nobody knows of must not run the tasks either.
        directed = bool(params["nodes"] or params["pool"])
        if params["stamps"]:
            return revoke_stamped(client, nodes, params["stamps"], signal, directed, check)
        wanted = Revocation(sorted(set(params["ids"])), signal, directed)
        return revoke(client, nodes, wanted, check)
    results = readable(cluster.backend, client.remaining)
    tasks = Tasks(client, cluster, nodes, results, force=params["force"], check_mode=check)
    if state == "sent":
        return tasks.send(order_of(params, datetime.now(timezone.utc)), params["wait"])
    queues = client.call("active_queues", nodes=nodes, patience=READING_PATIENCE).answers
    consumed = {queue["name"] for shown in queues.values() for queue in shown}
    order = order_of_retry(params, cluster.backend, results, consumed)
    try:
        return {**tasks.send(order, params["wait"]), "retry_of": params["ids"][0]}
    except CeleryOpsError as error:
        raise CeleryOpsError(str(error), {**error.result, "retry_of": params["ids"][0]}) from error


class Tasks:
    """Sends tasks to the nodes of one cluster."""

    def __init__(
        self,
        client: Client,
        cluster: Cluster,
        nodes: Sequence[str],
        results: Results | None,
        *,
        force: bool,
        check_mode: bool,
    ) -> None:
        """Take note of whom to ask.

        Args:
            client: The client.
            cluster: The cluster.
            nodes: The nodes that are asked.
            results: The results; None where they can't be read.
            force: Whether what looks like a mistake is done all the same.
            check_mode: Whether to predict only.
        """
        self._client = client
        self._cluster = cluster
        self._nodes = nodes
        self._results = results
        self._force = force
        self._check_mode = check_mode

    def send(self, order: Order, wait: bool) -> dict[str, Any]:
        """Send what wasn't sent before, and await its result if that is wanted.

        Returns:
            The result of the module.

        Raises:
            BrokerError: The broker can't be reached or fails.
            CeleryOpsError: Something must be corrected first, or it isn't known whether a task was
                sent, or a task failed, or its result isn't there in time.
        """
        wanted = plan(self._client, self._cluster, self._nodes, order, self._results, self._force)
        if wait:
            _refuse_vain_wait(wanted, self._results, self._cluster.backend)
        if wanted.due and not self._check_mode:
            try:
                post(self._client, self._cluster.broker, wanted, self._results)
            except CeleryOpsError as error:
                result = self._result(wanted, error.result["sent"], {})
                raise CeleryOpsError(str(error), result) from error
        if wait and self._results and not self._check_mode:
            return self._awaited(wanted, self._results)
        return self._result(wanted, wanted.due_ids, {})

    def _awaited(self, wanted: Plan, results: Results) -> dict[str, Any]:
        ids = [task.id for task in wanted.order.signatures]
        awaited = set(wanted.order.awaited)

        def enough(metas: Mapping[str, Meta]) -> bool:
            states = {task_id: meta["status"] for task_id, meta in metas.items()}
            failed = set(states.values()) & set(_FAILED) and wanted.order.kind == "chain"
            return bool(failed) or all(states.get(task_id) in READY for task_id in awaited)

        try:
            metas = results.await_ready(ids, enough)
        except CeleryOpsError as error:
            result = self._result(wanted, wanted.due_ids, {})
            sent = f"{error.clause}; {listed(wanted.order.awaited)} was sent before."
            raise CeleryOpsError(sent, result) from error
        result = self._result(wanted, wanted.due_ids, metas)
        values = [_value(metas.get(task_id)) for task_id in wanted.order.awaited]
        result["result"] = values if wanted.order.kind == "group" else values[0]
        if sentence := _unsuccessful(wanted.order, metas, enough(metas)):
            raise CeleryOpsError(sentence, result)
        return result

    def _result(
        self, wanted: Plan, sent: Collection[str], metas: Mapping[str, Meta]
    ) -> dict[str, Any]:
        found = wanted.survey
        return {
            **outcome(wanted, sent, metas),
            "nodes": {node: {"queues": queues} for node, queues in sorted(found.queues.items())},
            "missing": found.missing,
            "errors": found.errors,
            "duplicates": self._client.duplicates,
        }


def order_of_retry(
    params: Mapping[str, Any],
    backend: Backend | None,
    results: Results | None,
    consumed: Collection[str],
) -> Order:
    """The order that sends a failed task again, under another id.

    Args:
        params: The module's options.
        backend: Where the results are.
        results: The results; None where they can't be read.
        consumed: The queues that nodes consume from. The task goes to its former queue if that is
            one of them, else by the app's route.

    Raises:
        CeleryOpsError: The task hasn't failed, or isn't known well enough.
    """
    old, force = params["ids"][0], params["force"]
    meta: Meta = {}
    if results is None:
        if not (force and params["task"]):
            raise CeleryOpsError(
                f"It can't be told that {old} has failed, since {unreadable(backend)}; or give "
                "`force: true` with its `task`, `args` and `kwargs`."
            )
    else:
        meta = results.read([old]).get(old, {})
        _refuse_unfailed(old, meta, params, force)
    given = params["task"] is not None
    name = params["task"] if given else meta["name"]
    # By default the same id each time, so that one failure is sent again only once.
    new = params["id"] or (str(uuid4()) if force else str(uuid5(NAMESPACE_OID, f"retry of {old}")))
    signature = Signature(
        id=new,
        task=name,
        args=tuple((params["args"] if params["args"] is not None else meta.get("args")) or ()),
        kwargs=dict(
            (params["kwargs"] if params["kwargs"] is not None else meta.get("kwargs")) or {}
        ),
        queue=params["queue"] or (meta.get("queue") if meta.get("queue") in consumed else None),
        priority=params["priority"],
    )
    return Order([signature], "task", new, True, Timing(), params["headers"] or {})


def _refuse_unfailed(old: str, meta: Meta, params: Mapping[str, Any], force: bool) -> None:
    state = meta.get("status")
    if state not in _FAILED and not force:
        raise CeleryOpsError(
            f"The result backend knows nothing of {old}: it has not failed, or its result has "
            "expired."
            if state is None
            else f"{old} is in state {state} and not failed or revoked: give `force: true` to send "
            "it again all the same."
        )
    if params["task"] is None and not meta.get("name"):
        raise CeleryOpsError(
            f"The result of {old} doesn't tell which task it was: give its `task`, `args` and "
            "`kwargs`, and set `result_extended: true` in celery_settings for the next time."
        )


def _refuse_vain_wait(wanted: Plan, results: Results | None, backend: Backend | None) -> None:
    """Refuse to wait for a result that nobody will write or that can't be read.

    Raises:
        CeleryOpsError: There is nothing to wait for.
    """
    if results is None:
        raise CeleryOpsError(f"`wait` is impossible, since {unreadable(backend)}.")
    for task in wanted.order.signatures:
        route = wanted.routes[task.id]
        if route and route.ignore_result:
            raise CeleryOpsError(
                f"`wait` is impossible, since the task '{task.task}' leaves no result "
                "(`ignore_result`): leave `wait` out."
            )


def _value(meta: Meta | None) -> Any:
    if meta is None or meta["status"] != "SUCCESS":
        return None
    return hide_secrets(plain(meta.get("result")))


def _unsuccessful(order: Order, metas: Mapping[str, Meta], ready: bool) -> str | None:
    """Why an awaited order is no success; None where it is one."""
    for task in order.signatures:
        meta = metas.get(task.id)
        if meta and meta["status"] in _FAILED:
            text = hide_secrets(failure_text(meta))
            word = "failed" if meta["status"] == "FAILURE" else "was revoked"
            return f"Task '{task.task}' ({task.id}) {word} ({text.rstrip('.')})."
    if ready:
        return None
    pending = _pending(order.awaited, metas)
    return (
        f"{listed(pending)} was sent, and has no result in time: read it later by "
        "celery_task_info, or give a longer `timeout`."
    )


def _pending(ids: Collection[str], metas: Mapping[str, Meta]) -> list[str]:
    return [task_id for task_id in ids if metas.get(task_id, {}).get("status") not in READY]
