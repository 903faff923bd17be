# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""Sending tasks by name, each at most once.

A message is published once, and RabbitMQ must confirm that it is in a queue. If it isn't known
whether it got there, that is said, and nothing is sent again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._client import (
    Client,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Broker,
    Cluster,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import (
    CeleryOpsError,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import listed
from ansible_collections.celeryops.cluster.plugins.module_utils._queues import DUE
from ansible_collections.celeryops.cluster.plugins.module_utils._results import Meta, Results
from ansible_collections.celeryops.cluster.plugins.module_utils._secrets import hide_secrets
from ansible_collections.celeryops.cluster.plugins.module_utils._security import Codec, codec
from ansible_collections.celeryops.cluster.plugins.module_utils._task_order import (
    Order,
    Signature,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._task_route import (
    Route,
    Survey,
    check_queues,
    check_tasks,
    route_of,
    survey,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._tracker import Tracker

# The exchange through which RabbitMQ holds tasks until their time, and what it may be at most.
_DELAYING_EXCHANGE = "celery_delayed_27"


@dataclass
class Post:
    """A message that is to be published.

    Attributes:
        ids: The ids of the tasks that it brings about.
        progress: waiting, published or sent. Between the last two, nobody knows whether the
            broker has it.
    """

    ids: Sequence[str]
    exchange: str
    exchange_type: str
    routing_key: str
    body: Any = field(repr=False)
    headers: Mapping[str, Any] = field(repr=False)
    properties: Mapping[str, Any]
    expiration: float | None
    progress: str = "waiting"


@dataclass
class Plan:
    """What is to be done about an order.

    Attributes:
        order: The order.
        survey: What the nodes told.
        routes: Where each task goes, by id.
        known: The state of the tasks that were sent before, by id.
    """

    order: Order
    survey: Survey
    routes: Mapping[str, Route | None]
    known: Mapping[str, str]

    @property
    def due(self) -> list[Signature]:
        """The tasks whose messages are still to be published."""
        if self.order.kind == "chain" and self.known:
            return []
        return [task for task in self.order.posted if task.id not in self.known]

    @property
    def due_ids(self) -> list[str]:
        """The ids of all tasks that these messages bring about."""
        if self.order.kind == "chain" and self.due:
            return [task.id for task in self.order.signatures]
        return [task.id for task in self.due]


def plan(
    client: Client,
    cluster: Cluster,
    nodes: Sequence[str],
    order: Order,
    results: Results | None,
    force: bool,
) -> Plan:
    """Find out where the tasks go, refuse what can't work, and see what was sent before.

    Raises:
        BrokerError: The broker can't be reached or fails.
        CeleryOpsError: Something must be corrected first.
    """
    found = survey(client, cluster, nodes, order.signatures)
    routes = {task.id: route_of(found, task) for task in order.signatures}
    for task in order.posted:
        if routes[task.id] is None:
            why = found.unrouted.get((task.task, task.queue), "no node of the kit answered")
            raise CeleryOpsError(
                f"It isn't known where the app sends the task '{task.task}' ({why}): give `queue`."
            )
    if not force:
        check_tasks(client, found, routes, order.signatures)
        queues = {
            route.queue: task.task if task.queue is None else None
            for task in order.signatures
            if (route := routes[task.id]) and route.queue
        }
        check_queues(client, cluster, found, queues)
    known = _known(found, order, results) if order.given and not force else {}
    return Plan(order, found, routes, known)


def post(client: Client, broker: Broker, wanted: Plan, results: Results | None) -> None:
    """Publish what is due, each message once.

    Raises:
        CeleryOpsError: A message wasn't published, or it isn't known whether it was; with the ids
            of the others as `sent`, and those that were perhaps sent among them.
    """
    now = time.time()
    posts = [message_of(wanted, task, now) for task in wanted.due]
    messages = codec(broker)
    noted: list[str] = []
    given_up = threading.Event()
    try:
        if results and wanted.order.given:
            # Beforehand, since afterwards the task may have written its own result.
            noted = results.mark_sent(_ids(posts), now)
        client.run(lambda connection: _publish(connection, messages, posts, given_up))
    except CeleryOpsError as error:
        # The thread that publishes may be left behind, and must not go on.
        given_up.set()
        unsent = _ids(each for each in posts if each.progress == "waiting")
        if results and noted:
            with suppress(CeleryOpsError):
                results.unmark([task_id for task_id in unsent if task_id in noted])
        sent = _ids(each for each in posts if each.progress != "waiting")
        raise CeleryOpsError(_failure(error, posts), {"sent": sent}) from error


def message_of(wanted: Plan, task: Signature, now: float) -> Post:
    """The message of a task, with the rest of its chain."""
    order = wanted.order
    route = wanted.routes[task.id]
    if route is None:
        raise ValueError(f"the task {task.id} goes nowhere: it isn't the first of its chain")
    eta = order.timing.eta
    delay = eta.timestamp() - now if eta else 0.0
    expires = order.timing.expires if order.timing.expires is not None else route.expires
    priority = task.priority if task.priority is not None else route.priority
    rest = order.signatures[1:] if order.kind == "chain" else ()
    message = _protocol(
        task,
        eta=eta if delay > 0 else None,
        expires=expires,
        chain=[_link(link, order) for link in reversed(rest)] or None,
        group_id=order.id if order.kind == "group" else None,
        stamps=order.stamps,
    )
    exchange, key, kind = route.exchange, route.routing_key, route.exchange_type
    if route.delayed_key is not None and delay >= 1:
        from kombu.transport.native_delayed_delivery import calculate_routing_key

        exchange, kind = _DELAYING_EXCHANGE, "topic"
        key = calculate_routing_key(int(delay), route.delayed_key)
    return Post(
        ids=[task.id, *(link.id for link in rest)],
        exchange=exchange,
        exchange_type=kind,
        routing_key=key,
        body=message.body,
        headers={**message.headers, **order.headers, DUE: now + max(0.0, delay)},
        properties={
            **message.properties,
            **({"priority": priority} if priority is not None else {}),
        },
        expiration=expires if isinstance(expires, (int, float)) else None,
    )


def outcome(wanted: Plan, sent: Collection[str], metas: Mapping[str, Meta]) -> dict[str, Any]:
    """The module's result for an order.

    Args:
        wanted: The order and what was found out about it.
        sent: The ids that were, may have been, or would be sent.
        metas: The results that were awaited.
    """
    tracker = Tracker()
    tasks = {}
    for task in wanted.order.signatures:
        before = wanted.known.get(task.id)
        after = "PENDING" if task.id in sent else before
        if task.id in metas:
            after = metas[task.id]["status"]
        tracker.add("tasks", task.id, before=before, after=after)
        route = wanted.routes[task.id]
        tasks[task.id] = {
            "before": before,
            "after": after,
            "task": task.task,
            "queue": route.queue if route else None,
            "consumers": wanted.survey.consumers(route.queue) if route else [],
        }
    return {
        "changed": bool(sent),
        "diff": tracker.diff(),
        "id": wanted.order.id,
        "tasks": tasks,
    }


def _known(found: Survey, order: Order, results: Results | None) -> dict[str, str]:
    """The state of the tasks that workers hold or the backend knows, by id."""
    known = {
        task_id: "STARTED" if "active" in states.values() else "RECEIVED"
        for task_id, states in found.held.items()
    }
    if results:
        metas = results.read([task.id for task in order.signatures])
        known.update({task_id: meta["status"] for task_id, meta in metas.items()})
    return known


def _ids(posts: Iterable[Post]) -> list[str]:
    return [task_id for each in posts for task_id in each.ids]


@cache
def _amqp() -> Any:
    from celery import Celery

    return Celery("celeryops", set_as_current=False).amqp


def _protocol(task: Signature, **options: Any) -> Any:
    """A message as the second version of Celery's protocol wants it."""
    stamps = options.pop("stamps")
    # Workers log these texts, and show them in their events.
    hidden = {
        "argsrepr": repr(tuple(hide_secrets(task.args))),
        "kwargsrepr": repr(hide_secrets(task.kwargs)),
    }
    return _amqp().as_task_v2(
        task.id,
        task.task,
        task.args,
        task.kwargs,
        **options,
        **hidden,
        stamped_headers=sorted(stamps) or None,
        **stamps,
    )


def _link(task: Signature, order: Order) -> dict[str, Any]:
    """A later task of a chain, as the worker of its predecessor sends it."""
    options: dict[str, Any] = {"task_id": task.id}
    if task.queue is not None:
        options["queue"] = task.queue
    if task.priority is not None:
        options["priority"] = task.priority
    if order.headers:
        options["headers"] = dict(order.headers)
    if order.stamps:
        options |= {**order.stamps, "stamped_headers": sorted(order.stamps)}
    return {
        "task": task.task,
        "args": list(task.args),
        "kwargs": dict(task.kwargs),
        "options": options,
        "subtask_type": None,
        "immutable": task.immutable,
    }


def _publish(
    connection: Any, messages: Codec, posts: Sequence[Post], given_up: threading.Event
) -> None:
    from kombu.messaging import Producer

    with connection.channel() as channel:
        confirmed = hasattr(channel, "basic_publish_confirm")
        if confirmed:
            channel.basic_publish = channel.basic_publish_confirm
        producer = Producer(channel, auto_declare=False)
        for each in posts:
            if given_up.is_set():
                return
            if each.exchange and not confirmed:
                # On Redis that is only remembered in this process.
                channel.exchange_declare(each.exchange, each.exchange_type, durable=True)
                if not channel._lookup(each.exchange, each.routing_key):
                    raise _refused(each, "no queue is bound")
            content_type, encoding, body = messages.encode(each.body)
            each.progress = "published"
            try:
                producer.publish(
                    body,
                    content_type=content_type,
                    content_encoding=encoding,
                    exchange=each.exchange,
                    routing_key=each.routing_key,
                    headers=dict(each.headers),
                    expiration=each.expiration,
                    delivery_mode=2,
                    mandatory=confirmed,
                    retry=False,
                    **each.properties,
                )
            except Exception as error:
                if _is_refusal(error, connection):
                    each.progress = "waiting"
                    raise _refused(each, " ".join(str(error).split()) or "rejected") from error
                raise
            each.progress = "sent"


def _is_refusal(error: Exception, connection: Any) -> bool:
    """Whether the broker said that it doesn't take a message."""
    return isinstance(error, connection.channel_errors) or type(error).__name__ == "MessageNacked"


def _refused(each: Post, cause: str) -> CeleryOpsError:
    where = (
        f"exchange '{each.exchange}' with key '{each.routing_key}'"
        if each.exchange
        else f"queue '{each.routing_key}'"
    )
    return CeleryOpsError(
        f"The broker doesn't take a message for {where} ({cause}): check that the queue exists, is "
        "bound to that exchange and isn't full."
    )


def _failure(error: CeleryOpsError, posts: Sequence[Post]) -> str:
    unclear = _ids(each for each in posts if each.progress == "published")
    unsent = _ids(each for each in posts if each.progress == "waiting")
    sent = _ids(each for each in posts if each.progress == "sent")
    parts = [
        *([f"it isn't known whether {listed(unclear)} was sent"] if unclear else []),
        *([f"{listed(unsent)} was not sent"] if unsent else []),
        *([f"{listed(sent)} was sent"] if sent else []),
    ]
    advice = " (look for it by celery_task_info before you send it again)" if unclear else ""
    return f"{error.clause}; {', '.join(parts)}{advice}."
