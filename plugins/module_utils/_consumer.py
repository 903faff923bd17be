# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""The queues that nodes consume from, changed live.

A worker confirms before it acts, keeps the first definition of a queue until it ends, whatever it
is told later, and on RabbitMQ dies of a definition that differs from the broker's. So definitions
are compared before anything is sent, and every step is read back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._changes import (
    LAST_READING_SECONDS,
    NOT_SHOWN,
    POLL_INTERVAL,
    SILENT_AFTER,
    SILENT_BEFORE,
    by_value,
    concluded,
    keep,
    note_duplicates,
    refuse_duplicates,
    refuse_no_node,
    result_of,
    unknown_outcome,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._client import (
    READING_PATIENCE,
    Call,
    Client,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._declaring import (
    bind_to_delays,
    clash,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import (
    BrokerError,
    CeleryOpsError,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._pool_file import PoolFile
from ansible_collections.celeryops.cluster.plugins.module_utils._queue_definitions import (
    Definition,
    complete,
    difference,
    start_definition,
    work_queues,
)


@dataclass(frozen=True)
class Plan:
    """What is to be done with a node.

    Attributes:
        before: The queues that it consumes from.
        add: The queues to add, with their whole definitions.
        cancel: The queues to give up.
        details: What each queue was asked to be like.
    """

    before: tuple[str, ...]
    add: Mapping[str, Definition] = field(default_factory=dict)
    cancel: tuple[str, ...] = ()
    details: Mapping[str, Definition] = field(default_factory=dict)

    @property
    def after(self) -> tuple[str, ...]:
        return tuple(sorted({*self.before, *self.add} - set(self.cancel)))


@dataclass
class Outcome:
    """What has become of the nodes: the queues by node that was read, and errors by node."""

    queues: dict[str, tuple[str, ...]]
    errors: dict[str, str] = field(default_factory=dict)


def changed_names(state: str, names: Sequence[str]) -> Callable[[str], str]:
    """The change of a list of queues, joined by commas, that a state asks for.

    The change raises a CeleryOpsError where no queue would be left.
    """

    def change(present: str) -> str:
        known = present.split(",")
        if state == "present":
            left = [*known, *(name for name in names if name not in known)]
        elif state == "absent":
            left = [name for name in known if name not in names]
        else:
            left = list(names)
        if not left:
            raise CeleryOpsError(_no_queue_left("a worker would start"))
        return ",".join(left)

    return change


def set_queues(
    client: Client,
    nodes: Sequence[str],
    wanted: Mapping[str, Definition],
    state: str,
    files: Sequence[PoolFile] = (),
    check_mode: bool = False,
) -> dict[str, Any]:
    """Read the nodes, refuse what can't be done before anything is sent, and do the rest.

    Args:
        client: The client, whose deadline bounds everything but the last reading.
        nodes: The names of the nodes.
        wanted: The queues, with what was said of each.
        state: present, absent or exact.
        files: Where the queues are kept.
        check_mode: Whether to predict only.

    Returns:
        The result of the module.

    Raises:
        BrokerError: The broker can't be reached or fails.
        CeleryOpsError: A node can't be changed, or hasn't been; in the second case with the result.
    """
    refuse_no_node(nodes)
    replies = client.call("active_queues", nodes=nodes, patience=READING_PATIENCE)
    refuse_duplicates(replies.duplicates)
    shown = {node: work_queues(queues) for node, queues in replies.answers.items()}
    errors = dict(replies.errors)
    plans = {node: _plan(node, queues, wanted, state) for node, queues in sorted(shown.items())}
    keeping = state != "absent" and any(file.before != file.after for file in files)
    if keeping or any(plan.add for plan in plans.values()):
        plans = completed(client, plans, errors, kept=wanted if keeping else {})
    refuse_clashes(client, plans)

    if check_mode:
        outcome = Outcome({node: plan.after for node, plan in plans.items()})
    else:
        outcome = change_queues(client, plans)
        note_duplicates(client, outcome.errors)
    errors |= outcome.errors
    values = {n: (list(plan.before), list(outcome.queues[n])) for n, plan in plans.items()}
    result = result_of(client, values, replies.missing, errors, files)
    if not check_mode:
        keep(files, result)
    return concluded(result, "have the queues")


def completed(
    client: Client,
    plans: Mapping[str, Plan],
    errors: dict[str, str],
    kept: Mapping[str, Definition] = MappingProxyType({}),
) -> dict[str, Plan]:
    """The plans with whole definitions, by the settings of the nodes.

    Args:
        client: The client.
        plans: The plans.
        errors: Where it is noted why a node is left out.
        kept: The queues that must be such that the nodes can start with them.

    Raises:
        CeleryOpsError: A queue can't be kept for the next start.
    """
    replies = client.call("conf", nodes=list(plans), patience=READING_PATIENCE)
    errors.update(replies.errors)
    errors.update(dict.fromkeys(replies.missing, SILENT_BEFORE))
    whole = {}
    for node, conf in sorted(replies.answers.items()):
        for name, details in kept.items():
            _refuse_unkept_definition(node, conf, name, details)
        plan = plans[node]
        add = {name: complete(conf, name, details) for name, details in plan.add.items()}
        whole[node] = replace(plan, add=add)
    return whole


def change_queues(client: Client, plans: Mapping[str, Plan]) -> Outcome:
    """Carry out plans: first what is added, then, where that is seen, what is given up.

    A command is sent once to a node. A node whose queue turns out to be another one than asked
    gives it up again.
    """
    outcome = Outcome({node: plan.before for node, plan in plans.items()})
    try:
        adding = {node: plan for node, plan in plans.items() if plan.add}
        added = _add(client, adding, outcome)
        _give_up_others(client, adding, added, outcome)
        _bind_to_delays(client, adding, added, outcome)
        cancelling = {
            node: plan.cancel
            for node, plan in plans.items()
            if plan.cancel and node not in outcome.errors
        }
        _cancel(client, cancelling, outcome)
    except BrokerError as error:
        for node, plan in plans.items():
            if plan.before != plan.after:
                outcome.errors.setdefault(node, unknown_outcome(error))
    return outcome


def refuse_clashes(client: Client, plans: Mapping[str, Plan]) -> None:
    """Refuse queues that exist on RabbitMQ with another definition.

    Raises:
        CeleryOpsError: There is one.
        BrokerError: The broker can't be reached or fails.
    """
    for (name, definition), _nodes in _additions(plans):
        step = partial(clash, name=name, definition=definition)
        if reason := client.run(step):
            raise CeleryOpsError(
                f"queue '{name}' can't be consumed from ({reason}), and a worker that tries "
                "dies of it: ask for what the broker has, or replace the queue by celery_queue."
            )


def _plan(
    node: str, shown: Mapping[str, Definition], wanted: Mapping[str, Definition], state: str
) -> Plan:
    """What is to be done, with the details of the queues to add still as they were given.

    Raises:
        CeleryOpsError: It can't be done.
    """
    before = tuple(sorted(shown))
    if state == "absent":
        plan = Plan(before, cancel=tuple(sorted(set(shown) & set(wanted))))
        if before and not plan.after:
            raise CeleryOpsError(_no_queue_left(f"{node} would be left"))
        return plan
    if not before:
        raise CeleryOpsError(
            f"{node} is paused, and a queue would let it work again: resume it by celery_worker "
            "(`state: consuming`) first."
        )
    for name in sorted(set(shown) & set(wanted)):
        if reason := difference(shown[name], wanted[name]):
            raise CeleryOpsError(f"{node} {_redefined(name, reason)}.")
    surplus = set(shown) - set(wanted) if state == "exact" else ()
    return Plan(
        before,
        add={name: details for name, details in wanted.items() if name not in shown},
        cancel=tuple(sorted(surplus)),
        details=wanted,
    )


def _refuse_unkept_definition(
    node: str, conf: Mapping[str, Any], name: str, details: Definition
) -> None:
    started = start_definition(conf, name)
    if started is None:
        raise CeleryOpsError(
            f"{node} wouldn't start with queue '{name}', since task_create_missing_queues is off: "
            "declare it in task_queues of the app, or set `persist: false`."
        )
    if reason := difference(started, details):
        raise CeleryOpsError(
            f"what was said of queue '{name}' can't be kept, since {node} would start with "
            f"{reason}: declare the queue in task_queues of the app, or set `persist: false`."
        )


def _redefined(name: str, reason: str) -> str:
    return (
        f"has queue '{name}' with {reason}, and a worker keeps a queue's definition until it ends: "
        "ask for that one, or restart its service before"
    )


def _no_queue_left(subject: str) -> str:
    return (
        f"{subject} without any queue, and would look as if it worked: leave it one, or pause it "
        "by celery_worker (`state: paused`)."
    )


def _add(
    client: Client, plans: Mapping[str, Plan], outcome: Outcome
) -> dict[str, dict[str, dict[str, Any]]]:
    """Have nodes consume from further queues; what they show then, by node."""
    additions = _additions(plans)
    _send(
        client,
        [Call("add_consumer", {"queue": q, **d}, nodes) for (q, d), nodes in additions],
        outcome,
    )
    return _await(
        client,
        [node for node in plans if node not in outcome.errors],
        lambda node, queues: set(plans[node].add) <= set(queues),
        outcome,
    )


def _additions(plans: Mapping[str, Plan]) -> list[tuple[tuple[str, Definition], list[str]]]:
    """The queues to add, with their definitions, and the nodes that are to consume from each."""
    return by_value({node: list(plan.add.items()) for node, plan in plans.items()})


def _give_up_others(
    client: Client,
    plans: Mapping[str, Plan],
    shown: Mapping[str, Mapping[str, Definition]],
    outcome: Outcome,
) -> None:
    """Give up queues that turned out to be others than those that were asked for."""
    wrong: dict[str, tuple[str, ...]] = {}
    reasons: dict[str, str] = {}
    for node, plan in plans.items():
        queues = shown.get(node, {})
        for name in plan.add:
            reason = (
                difference(queues[name], plan.details.get(name, {})) if name in queues else None
            )
            if reason:
                wrong[node] = (*wrong.get(node, ()), name)
                reasons[node] = _redefined(name, reason)
    _cancel(client, wrong, outcome)
    outcome.errors.update(reasons)


def _bind_to_delays(
    client: Client,
    plans: Mapping[str, Plan],
    shown: Mapping[str, Mapping[str, Definition]],
    outcome: Outcome,
) -> None:
    """Have the broker deliver tasks with a time to come to the added queues, as they are."""
    added = {
        node: [(name, shown[node][name]) for name in plan.add]
        for node, plan in plans.items()
        if node in shown and node not in outcome.errors
    }
    for (name, definition), _nodes in by_value(added):
        client.run(partial(bind_to_delays, name=name, definition=definition))


def _cancel(client: Client, queues: Mapping[str, Sequence[str]], outcome: Outcome) -> None:
    """Have nodes give up queues."""
    calls = [Call("cancel_consumer", {"queue": name}, nodes) for name, nodes in by_value(queues)]
    _send(client, calls, outcome)
    _await(
        client,
        [node for node in queues if node not in outcome.errors],
        lambda node, shown: not set(queues[node]) & set(shown),
        outcome,
    )


def _send(client: Client, calls: Sequence[Call], outcome: Outcome) -> None:
    """Send commands; a silent node isn't an error yet."""
    for replies in client.call_all(calls, patience=READING_PATIENCE):
        outcome.errors.update(replies.errors)


def _await(
    client: Client,
    nodes: Collection[str],
    reached: Callable[[str, Mapping[str, Definition]], bool],
    outcome: Outcome,
) -> dict[str, dict[str, dict[str, Any]]]:
    """Read the queues of nodes until all are as they should be or the time is over."""
    waiting = set(nodes)
    shown: dict[str, dict[str, dict[str, Any]]] = {}
    while waiting:
        last = client.remaining() < LAST_READING_SECONDS
        with client.at_least(LAST_READING_SECONDS):
            replies = client.call("active_queues", nodes=waiting, patience=READING_PATIENCE)
        for node, queues in replies.answers.items():
            shown[node] = work_queues(queues)
            outcome.queues[node] = tuple(sorted(shown[node]))
        waiting = {node for node in waiting if not reached(node, shown.get(node, {}))}
        if waiting and last:
            for node in waiting:
                outcome.errors[node] = NOT_SHOWN if node in replies.answers else SILENT_AFTER
            break
        if waiting:
            client.wait(POLL_INTERVAL)
    return shown
