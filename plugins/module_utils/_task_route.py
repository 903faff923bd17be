# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""Where tasks go, and whether somebody there knows them.

A worker drops a task that it doesn't know, and publishing to a queue that doesn't exist either
loses the task or makes a queue that nobody consumes from. Both are found out beforehand.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._client import (
    READING_PATIENCE,
    Call,
    Client,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Cluster
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import (
    is_direct_queue,
    listed,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._replies import Replies
from ansible_collections.celeryops.cluster.plugins.module_utils._task_order import Signature


@dataclass(frozen=True)
class Route:
    """Where a task goes.

    Attributes:
        queue: The queue; None where the app names an exchange only.
        exchange: The exchange; the empty one brings a message to the queue of its routing key.
        delayed_key: The routing key of the queue for a task with an ETA, where the broker holds
            such tasks until then.
        priority: The app's own for this task.
        expires: The app's own for this task: seconds, or a moment.
        ignore_result: Whether the task leaves no result.
    """

    queue: str | None
    exchange: str
    exchange_type: str
    routing_key: str
    delayed_key: str | None = None
    priority: int | None = None
    expires: float | str | None = None
    ignore_result: bool = False


@dataclass
class Survey:
    """What the nodes told about queues, routes and tasks.

    Attributes:
        nodes: The nodes that were asked.
        queues: The queues that each answering node consumes from, but for its own one.
        routes: Where the app sends a task, by the task, the given queue and the answering node.
        unrouted: Why a node didn't tell where, by the task and the given queue.
        held: Where the ids that were asked for are: by id and node, active, reserved or scheduled.
        missing: The silent nodes.
        errors: Why nodes refused to answer.
    """

    nodes: Sequence[str]
    queues: dict[str, list[str]] = field(default_factory=dict)
    routes: dict[tuple[str, str | None], dict[str, dict[str, Any]]] = field(default_factory=dict)
    unrouted: dict[tuple[str, str | None], str] = field(default_factory=dict)
    held: dict[str, dict[str, str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)

    def consumers(self, queue: str | None) -> list[str]:
        """The nodes that consume from a queue."""
        return sorted(node for node, names in self.queues.items() if queue in names)

    def all_queues(self) -> set[str]:
        """The queues that any node consumes from."""
        return {name for names in self.queues.values() for name in names}


def survey(
    client: Client, cluster: Cluster, nodes: Sequence[str], signatures: Sequence[Signature]
) -> Survey:
    """Ask the nodes where the tasks would go and whether they hold them already.

    Raises:
        BrokerError: The broker can't be reached or fails.
    """
    found = Survey(nodes)
    pairs = sorted({(s.task, s.queue) for s in signatures}, key=str)
    # Workers that aren't the kit's don't know the command, and log an error about it.
    asked = pairs if cluster.app is not None else []
    ids = [signature.id for signature in signatures]
    queues, held, *routes = client.call_all(
        [
            Call("active_queues", nodes=nodes),
            Call("query_task", {"ids": ids}, nodes),
            *(Call("celeryops_route", _route_arguments(*pair), nodes) for pair in asked),
        ],
        patience=READING_PATIENCE,
    )
    found.queues = {node: queue_names(shown) for node, shown in queues.answers.items()}
    found.held = held_by(held)
    found.routes = {pair: replies.answers for pair, replies in zip(asked, routes, strict=True)}
    found.unrouted = {
        pair: next(iter(replies.errors.values()))
        for pair, replies in zip(asked, routes, strict=True)
        if replies.errors
    }
    found.missing = queues.missing
    found.errors = queues.errors
    return found


def held_by(replies: Replies) -> dict[str, dict[str, str]]:
    """Where tasks are, by id and node, from the replies to `query_task`."""
    held: dict[str, dict[str, str]] = {}
    for node, tasks in replies.answers.items():
        for task_id, (state, _request) in tasks.items():
            held.setdefault(task_id, {})[node] = state
    return held


def route_of(found: Survey, signature: Signature) -> Route | None:
    """Where a task goes; None where it has no queue and no node told the app's route."""
    told = found.routes.get((signature.task, signature.queue), {})
    # A node that consumes from the queue knows it best.
    answers = sorted(
        (queue not in found.queues.get(node, ()), node)
        for node, answer in told.items()
        for queue in [answer["queue"]]
    )
    if answers:
        answer = told[answers[0][1]]
        return Route(
            queue=answer["queue"],
            exchange=answer["exchange"] or "",
            exchange_type=answer["exchange_type"],
            routing_key=answer["routing_key"],
            delayed_key=answer["delayed_key"],
            priority=answer["priority"],
            expires=answer["expires"],
            ignore_result=answer["ignore_result"],
        )
    if signature.queue is None:
        return None
    return Route(signature.queue, "", "direct", signature.queue)


def check_tasks(
    client: Client, found: Survey, routes: Mapping[str, Route | None], tasks: Sequence[Signature]
) -> None:
    """Refuse tasks that a worker would drop, since it doesn't know them.

    Args:
        client: The client.
        found: What the nodes told.
        routes: Where the tasks go, by id; None where only the worker that sends it knows.
        tasks: The tasks.

    Raises:
        CeleryOpsError: A node that consumes from the queue of a task doesn't know the task.
    """
    doubtful: dict[str, set[str]] = {}
    ignorant: dict[str, set[str]] = {}
    for task in tasks:
        route = routes[task.id]
        told = found.routes.get((task.task, task.queue), {})
        for node in (found.consumers(route.queue) if route else []) or told:
            if node not in told:
                doubtful.setdefault(task.task, set()).add(node)
            elif not told[node]["registered"]:
                ignorant.setdefault(task.task, set()).add(node)
    asked = sorted(set().union(*doubtful.values(), *ignorant.values()))
    if not asked:
        return
    replies = client.call("registered", nodes=asked, patience=READING_PATIENCE)
    registered = {node: names_of(lines) for node, lines in replies.answers.items()}
    for name, nodes in doubtful.items():
        lacking = {node for node in nodes if name not in registered.get(node, (name,))}
        ignorant.setdefault(name, set()).update(lacking)
    first = min(((name, node) for name, nodes in ignorant.items() for node in nodes), default=None)
    if first is not None:
        name, node = first
        raise CeleryOpsError(_unregistered(name, node, registered.get(node, ())))


def check_queues(
    client: Client, cluster: Cluster, found: Survey, queues: Mapping[str, str | None]
) -> None:
    """Refuse queues that don't exist.

    On Redis, where an empty queue doesn't exist, these are the ones that nobody consumes from,
    nothing waits in, and the inventory doesn't know.

    Args:
        client: The client.
        cluster: The cluster.
        found: What the nodes told.
        queues: The queues, each with the task that the app itself sends there, if it does.

    Raises:
        BrokerError: The broker can't be reached or fails.
        CeleryOpsError: A queue doesn't exist.
    """
    sizes = client.queue_sizes(queues) if queues else {}
    on_redis = cluster.broker.url.startswith(("redis", "sentinel"))
    planned = {name for node in cluster.nodes.values() for name in node.queues}
    for queue, task in sorted(queues.items()):
        exists = sizes[queue] is not None
        if on_redis:
            exists = bool(sizes[queue]) or bool(found.consumers(queue)) or queue in planned
        if not exists:
            raise CeleryOpsError(_no_queue(queue, task, found.all_queues() | planned))


def queue_names(shown: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of the queues in an answer to `active_queues`, but for the node's own one."""
    return [queue["name"] for queue in shown if not is_direct_queue(queue["name"])]


def names_of(registered: Sequence[str]) -> set[str]:
    """The names of the tasks in an answer to `registered`."""
    return {line.partition(" [")[0] for line in registered}


def _route_arguments(task: str, queue: str | None) -> dict[str, str]:
    return {"task_name": task} if queue is None else {"task_name": task, "queue": queue}


def _no_queue(queue: str, task: str | None, known: Collection[str]) -> str:
    hint = get_close_matches(queue, known, n=1) if task is None else []
    which = f", to which the app sends '{task}'," if task else ""
    meant = f"did you mean '{hint[0]}'" if hint else "name the right one by `queue`"
    return (
        f"Queue '{queue}'{which} doesn't exist, and nodes consume from {listed(known)}: {meant}, "
        "or create it first by the module celery_queue (on Redis, give `force: true`)."
    )


def _unregistered(name: str, node: str, known: Collection[str]) -> str:
    hint = get_close_matches(name, known, n=1)
    meant = f": did you mean '{hint[0]}'?" if hint else "."
    return (
        f"Node {node} doesn't know the task '{name}' and would drop it{meant} "
        "Give `force: true` to send it anyway."
    )
