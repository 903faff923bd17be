# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""Pausing, draining and resuming nodes, and switching their task events.

A node is consuming while it fetches from at least one queue, paused when from none, and drained
when it is paused and has nothing left. Its own queue (`<node>.dq2`) doesn't count: canaries still
come.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._changes import (
    POLL_INTERVAL,
    concluded,
    note_duplicates,
    refuse_duplicates,
    refuse_no_node,
    result_of,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._client import (
    READING_PATIENCE,
    Call,
    Client,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._consumer import (
    Plan,
    change_queues,
    completed,
    refuse_clashes,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Broker, Cluster
from ansible_collections.celeryops.cluster.plugins.module_utils._drain import (
    Queues,
    interruptions_raise,
    pause,
    resume,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import (
    BrokerError,
    CeleryOpsError,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import (
    is_direct_queue,
    listed,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._pool_file import (
    QUEUES,
    kept_value,
    present_value,
)

CONSUMING, PAUSED, DRAINED = "consuming", "paused", "drained"
# Seconds for which a node must have shown nothing: on Redis a fetch that was under way when the
# node was paused may still bring a task, and acknowledgements trail the ends of tasks a little.
SETTLE_SECONDS = 1.5
# What is kept of the time-out for the last reading.
FINISHING_SECONDS = 0.5
_DELAY = re.compile(r"^([01]\.)+")


@dataclass(frozen=True)
class Wish:
    """What the user asked for.

    Attributes:
        state: consuming, paused or drained; None to leave it.
        events: Whether tasks shall send events; None to leave it.
        on_timeout: What becomes of a node that isn't drained in time: resume, stay or fail.
        queues: The only queues that the state is about; empty for all.
    """

    state: str | None
    events: bool | None
    on_timeout: str = "resume"
    queues: frozenset[str] = frozenset()

    def names(self, queue: str) -> bool:
        """Whether the state is about a queue."""
        return not self.queues or queue in self.queues


@dataclass(frozen=True)
class Reading:
    """What a node told of itself at one time.

    Attributes:
        queues: The queues that it consumes from, as `active_queues` shows them, without its own
            and without those that the wish isn't about.
        tasks: The tasks that it runs or holds, without those whose time is yet to come and those
            that the wish isn't about.
        events: Whether its tasks send events; None where it can't tell.
        live: What was set live for its pool; None where it can't tell.
    """

    queues: Queues
    tasks: Sequence[Mapping[str, Any]]
    events: bool | None = None
    live: Mapping[str, str] | None = None

    @property
    def state(self) -> str:
        if self.queues:
            return CONSUMING
        return PAUSED if self.tasks else DRAINED

    def names(self) -> list[str]:
        return sorted(queue["name"] for queue in self.queues)

    def shown(self, wish: Wish) -> dict[str, Any]:
        """The part of it that a wish is about, for results and diffs."""
        # A paused node whose tasks end has changed by itself.
        state = PAUSED if self.state == DRAINED and wish.state != DRAINED else self.state
        part = {} if wish.state is None else {"state": state, "queues": self.names()}
        return part if wish.events is None else {**part, "events": self.events}


@dataclass
class Work:
    """What has been found and done.

    Attributes:
        before: The first reading of each node that answered.
        after: The last one.
        errors: Why a node isn't as it should be.
        silent: The nodes that haven't answered until now.
        patient: Those that got the command unseen, since they may be busy and not dead, with the
            queues that they should have consumed from until then.
    """

    before: dict[str, Reading]
    after: dict[str, Reading] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    patient: dict[str, Queues] = field(default_factory=dict)


def set_workers(
    client: Client, cluster: Cluster, nodes: Sequence[str], wish: Wish, check_mode: bool = False
) -> dict[str, Any]:
    """Read the nodes, refuse what can't be done before anything is sent, and do the rest.

    Args:
        client: The client, whose deadline bounds everything but resuming and the last reading.
        cluster: The cluster, which knows what the nodes should consume from.
        nodes: The names of the nodes.
        wish: What is asked for.
        check_mode: Whether to predict only.

    Returns:
        The result of the module.

    Raises:
        BrokerError: The broker can't be reached or fails.
        CeleryOpsError: A node can't be changed, or hasn't been; in the second case with the result.
    """
    refuse_no_node(nodes)
    # Without the runtime package the command is unknown, and each asking would log an error.
    runtime = any(node.release for node in cluster.nodes.values())
    _refuse_unknown_queues(cluster, wish)
    work = Work({})
    work.before, work.errors = _read(client, nodes, wish, runtime)
    refuse_duplicates(client.duplicates)
    work.after = dict(work.before)
    work.silent = set(nodes) - work.before.keys() - work.errors.keys()
    if check_mode:
        _predict(cluster, wish, work)
    else:
        if wish.state == CONSUMING:
            _consume(client, cluster, wish, work, runtime)
        elif wish.state is not None:
            _pause(client, cluster, wish, work)
        if wish.events is not None:
            _switch_events(client, wish.events, work)
        note_duplicates(client, work.errors)
    return _result(client, wish, work)


def settle_seconds(broker: Broker) -> float:
    """For how long a paused node must have shown no task to be drained."""
    # How long Redis holds a fetch open for a worker.
    interval = broker.options.get("polling_interval") or 0.0
    return max(SETTLE_SECONDS, float(interval) + 0.5)


def _read(
    client: Client, nodes: Collection[str], wish: Wish, runtime: bool
) -> tuple[dict[str, Reading], dict[str, str]]:
    """What nodes tell of themselves, and the errors of those that refuse to."""
    # A task moves from reserved to active, so that it can't slip through in this order.
    commands = ["active_queues", "reserved", "active", *(["celeryops"] if runtime else [])]
    calls = [Call(command, {}, nodes) for command in commands]
    replies = dict(zip(commands, client.call_all(calls, patience=READING_PATIENCE), strict=True))
    queues, reserved, active = (replies[command].answers for command in commands[:3])
    told = replies["celeryops"].answers if runtime else {}
    readings = {
        node: Reading(
            queues=[queue for queue in _work_queues(queues[node]) if wish.names(queue["name"])],
            tasks=_tasks([*active[node], *reserved[node]], _work_queues(queues[node]), wish),
            events=told.get(node, {}).get("events"),
            live=told.get(node, {}).get("live"),
        )
        for node in queues.keys() & reserved.keys() & active.keys()
    }
    errors = {
        node: text for command in commands[:3] for node, text in replies[command].errors.items()
    }
    return readings, errors


def _work_queues(shown: Queues) -> Queues:
    """The queues of a node without its own."""
    return [queue for queue in shown if not is_direct_queue(queue["name"])]


def _tasks(
    tasks: Sequence[Mapping[str, Any]], shown: Queues, wish: Wish
) -> Sequence[Mapping[str, Any]]:
    """The tasks that a wish is about: all but those that surely came from another queue.

    A task tells the way that it came, by its routing key, and a node the queues that it still
    consumes from.
    """
    others = [queue for queue in shown if not wish.names(queue["name"])]
    keys = {key for queue in others for key in (queue["name"], queue.get("routing_key"))}
    return [task for task in tasks if _routing_key(task) not in keys]


def _routing_key(task: Mapping[str, Any]) -> str | None:
    key = (task.get("delivery_info") or {}).get("routing_key")
    # The key of a task that waited in RabbitMQ for its time begins with that time, bit by bit.
    return _DELAY.sub("", key) if key else None


def _refuse_unknown_queues(cluster: Cluster, wish: Wish) -> None:
    """Refuse queues that no node has by the inventory, where it is known.

    Raises:
        CeleryOpsError: There is one.
    """
    known = {queue for node in cluster.nodes.values() for queue in node.queues}
    unknown = wish.queues - known
    if known and unknown:
        raise CeleryOpsError(
            f"no node consumes from {listed(unknown)} by the inventory; known: {listed(known)}."
        )


def _expected(cluster: Cluster, name: str, reading: Reading, wish: Wish) -> list[str] | None:
    """The queues that a node should consume from; None where the inventory isn't known."""
    node = cluster.nodes.get(name)
    if node is None:
        return None
    if reading.live is not None:
        value = present_value(reading.live, node, QUEUES)
    elif node.host == cluster.host:
        value = kept_value(cluster, node, QUEUES)
    else:
        value = ",".join(node.queues)
    return [queue for queue in value.split(",") if wish.names(queue)]


def _predict(cluster: Cluster, wish: Wish, work: Work) -> None:
    for name, reading in work.before.items():
        after = reading
        if wish.state == CONSUMING:
            lacking = _lacking(cluster, name, wish, work)
            after = replace(after, queues=[*after.queues, *({"name": n} for n in lacking)])
        elif wish.state is not None:
            after = replace(after, queues=[], tasks=after.tasks if wish.state == PAUSED else [])
        if wish.events is not None:
            after = replace(after, events=wish.events)
        work.after[name] = after


def _lacking(cluster: Cluster, name: str, wish: Wish, work: Work) -> list[str]:
    """The queues that a node doesn't consume from, and should."""
    reading = work.before[name]
    expected = _expected(cluster, name, reading, wish)
    if expected is None and not reading.queues:
        work.errors[name] = (
            "is paused, and what it should consume from isn't known without `app`: name its queues "
            "by celery_consumer, or restart its service"
        )
    return [queue for queue in expected or () if queue not in reading.names()]


def _consume(client: Client, cluster: Cluster, wish: Wish, work: Work, runtime: bool) -> None:
    """Have nodes consume from all the queues that they should."""
    lacking = {name: _lacking(cluster, name, wish, work) for name in work.before}
    plans = {
        name: Plan(tuple(work.before[name].names()), add={queue: {} for queue in queues})
        for name, queues in lacking.items()
        if queues
    }
    if not plans:
        return
    plans = completed(client, plans, work.errors)
    refuse_clashes(client, plans)
    work.errors.update(change_queues(client, plans).errors)
    with client.at_least(FINISHING_SECONDS):
        work.after.update(_read(client, plans, wish, runtime)[0])


def _pause(client: Client, cluster: Cluster, wish: Wish, work: Work) -> None:
    """Pause nodes, and wait until they are, or are drained."""
    for name in work.silent:
        if name in cluster.nodes and cluster.nodes[name].kind == "solo":
            expected = _expected(cluster, name, Reading([], []), wish) or []
            work.patient[name] = [{"name": queue} for queue in expected]
    queues = {name: reading.queues for name, reading in work.before.items()} | work.patient
    waiting = set(queues)
    late: dict[str, str] = {}
    try:
        with interruptions_raise(str(wish.state)):
            pause(client, queues)
            settle = settle_seconds(cluster.broker) if wish.state == DRAINED else 0.0
            late = _await(client, waiting, wish, settle, work)
    finally:
        # Also after an error and an interruption.
        if wish.state == DRAINED and wish.on_timeout == "resume":
            known = queues | work.patient
            _resume(client, {node: known[node] for node in waiting}, late, work)
    if wish.state == PAUSED or wish.on_timeout == "fail":
        work.errors.update(late)


def _await(
    client: Client, waiting: set[str], wish: Wish, settle: float, work: Work
) -> dict[str, str]:
    """Read nodes until they are paused or drained, or the time is over.

    Args:
        client: The client.
        waiting: The nodes; those that are as they should be are taken out.
        wish: What they should be, paused or drained.
        settle: For how long they must have been.
        work: Where the readings are noted.

    Returns:
        Why a node isn't as it should be, for those that are left.
    """
    since: dict[str, float] = {}
    late: dict[str, str] = {}
    while waiting:
        late = _late(client, waiting, wish, work)
        now = client.remaining()
        since = {node: since.get(node, now) for node in waiting - late.keys()}
        waiting -= {node for node, moment in since.items() if moment - now >= settle}
        if now <= FINISHING_SECONDS:
            break
        if waiting:
            client.wait(POLL_INTERVAL)
    return {node: late.get(node, "hasn't been idle for long enough") for node in waiting}


def _late(client: Client, nodes: Collection[str], wish: Wish, work: Work) -> dict[str, str]:
    """Read nodes once; why a node isn't paused or drained, for those that aren't."""
    try:
        with client.at_least(FINISHING_SECONDS):
            readings, errors = _read(client, nodes, wish, runtime=False)
            _pause_untold(client, readings, work)
    except BrokerError as error:
        # A drain may take hours, and the broker may be away for a while.
        return dict.fromkeys(nodes, f"couldn't be read ({error.clause})")
    work.silent -= readings.keys()
    late = dict.fromkeys(nodes, "hasn't answered since it was told to pause") | errors
    for node, new in readings.items():
        assumed = replace(new, queues=work.patient.get(node, []))
        first = work.before.setdefault(node, assumed)
        work.after[node] = replace(new, events=first.events, live=first.live)
        del late[node]
        if new.queues:
            late[node] = f"still consumes from {listed(new.names())}, though it was told to pause"
        elif new.tasks and wish.state == DRAINED:
            names = listed({str(task.get("name")) for task in new.tasks})
            late[node] = f"still runs or holds {len(new.tasks)} tasks ({names})"
    return late


def _pause_untold(client: Client, readings: Mapping[str, Reading], work: Work) -> None:
    """Have nodes that got the command unseen give up the queues that weren't known of them."""
    untold = {}
    for node, known in work.patient.items():
        names = {queue["name"] for queue in known}
        shown = readings[node].queues if node in readings else []
        untold[node] = [queue for queue in shown if queue["name"] not in names]
        work.patient[node] = [*known, *untold[node]]
    if any(untold.values()):
        pause(client, untold)


def _resume(
    client: Client, queues: Mapping[str, Queues], late: Mapping[str, str], work: Work
) -> None:
    """Let nodes that weren't drained in time consume again, as before."""
    still_paused = resume(client, queues)
    for node, own in queues.items():
        text = late.get(node, "wasn't drained")
        now = "consumes again" if own else "stays paused, as it was"
        work.errors[node] = still_paused.get(
            node, f"{text}, and {now}: run the module again, with a longer `timeout`"
        )
        if node in work.after and node not in still_paused:
            work.after[node] = replace(work.after[node], queues=own)


def _switch_events(client: Client, wanted: bool, work: Work) -> None:
    """Switch task events on or off, and read back whether they are."""
    nodes = [
        name
        for name, reading in work.before.items()
        if reading.events is not wanted and name not in work.errors
    ]
    command, other = ("enable_events", "disable_events")[:: 1 if wanted else -1]
    told = _told(client, command, nodes, work)
    unchanged = [node for node, text in told.items() if "already" in text]
    if not wanted and unchanged:
        # To a worker that was started with events on, off is "already", and so is on.
        again = _told(client, other, unchanged, work)
        locked = [node for node, text in again.items() if "already" in text]
        for node in locked:
            work.errors[node] = (
                "was started with task events on, and Celery can't switch these off live: start it "
                "without -E and worker_send_task_events"
            )
            work.before[node] = replace(work.before[node], events=True)
            work.after[node] = replace(work.after[node], events=True)
        told |= _told(client, command, [node for node in again if node not in locked], work)
    for node in told.keys() - work.errors.keys():
        before = work.before[node]
        if before.events is None:
            known = wanted if node in unchanged else not wanted
            work.before[node] = replace(before, events=known)
        work.after[node] = replace(work.after[node], events=wanted)


def _told(client: Client, command: str, nodes: Collection[str], work: Work) -> dict[str, str]:
    """Send a command without arguments; what each node said."""
    if not nodes:
        return {}
    replies = client.call(command, nodes=nodes, patience=READING_PATIENCE)
    work.errors.update(replies.errors)
    unknown = "stopped answering when its events were switched: whether they were is unknown"
    work.errors.update(dict.fromkeys(replies.missing, unknown))
    return {node: str(answer.get("ok")) for node, answer in replies.answers.items()}


def _result(client: Client, wish: Wish, work: Work) -> dict[str, Any]:
    """The result of the module.

    Raises:
        CeleryOpsError: A node isn't as it should be; with the result.
    """
    values = {
        node: (reading.shown(wish), work.after[node].shown(wish))
        for node, reading in sorted(work.before.items())
    }
    result = result_of(client, values, sorted(work.silent), work.errors)
    if wish.state in (PAUSED, DRAINED):
        now = time.time()
        result["remaining"] = {
            node: [_task(task, now) for task in reading.tasks]
            for node, reading in sorted(work.after.items())
        }
    if wish.state == DRAINED:
        result["drained"] = not work.silent and all(
            reading.state == DRAINED for reading in work.after.values()
        )
    # The others of the silent ones are among the errors, or are let be.
    missing = sorted(work.silent - work.patient.keys())
    return concluded(result, f"are {_goal(wish)}", missing=missing)


def _goal(wish: Wish) -> str:
    events = {True: "sending task events", False: "without task events", None: None}[wish.events]
    return " and ".join(part for part in (wish.state, events) if part)


def _task(task: Mapping[str, Any], now: float) -> dict[str, Any]:
    began = task.get("time_start")
    return {
        "id": task.get("id"),
        "name": task.get("name"),
        "runtime": round(max(0.0, now - began), 1) if began else None,
    }
