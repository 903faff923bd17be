# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""Resizing pools live, without losing a task.

Growing is one command. Shrinking ends processes, and Celery also ends one that has just been given
a task, so that it is done in steps: pause (stop consuming), wait until nothing runs or is held,
shrink, resume. Workers answer before they act, so that every step is read back.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._client import Call
from ansible_collections.celeryops.cluster.plugins.module_utils._drain import (
    POLL_INTERVAL,
    READING_PATIENCE,
    Caller,
    idle_nodes,
    pause,
    resume,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import (
    BrokerError,
    CeleryOpsError,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import listed
from ansible_collections.celeryops.cluster.plugins.module_utils._pool import (
    Change,
    PoolState,
    Target,
    change_for,
    read_state,
    refusal,
    shown,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._pool_file import PoolFile
from ansible_collections.celeryops.cluster.plugins.module_utils._tracker import Tracker

# Seconds. What is kept of the time-out for shrinking and resuming, once a node is idle.
FINISHING_SECONDS = 2.0
# By how much the last reading may overrun the time-out: without it nobody would know what has
# become of a change.
LAST_READING_SECONDS = 1.0


@dataclass
class Outcome:
    """What has become of the nodes.

    Attributes:
        states: The last state that was read, by node.
        errors: Why a node isn't at its target, by node.
    """

    states: dict[str, PoolState]
    errors: dict[str, str] = field(default_factory=dict)


def set_pools(
    client: Caller,
    nodes: Sequence[str],
    target: Target,
    files: Sequence[PoolFile] = (),
    check_mode: bool = False,
) -> dict[str, Any]:
    """Read the nodes, refuse what can't be done before anything is sent, and do the rest.

    Args:
        client: The client, whose deadline bounds everything but resuming and the last reading.
        nodes: The names of the nodes.
        target: The size or range of each of them.
        files: Where the size is kept.
        check_mode: Whether to predict only.

    Returns:
        The result of the module.

    Raises:
        BrokerError: The broker can't be reached or fails.
        CeleryOpsError: A node can't be resized, or hasn't been; in the second case with the result.
    """
    if not nodes:
        raise CeleryOpsError("no worker node was found: check that the workers run.")
    replies = client.call("stats", nodes=nodes, patience=READING_PATIENCE)
    before = {node: read_state(stats) for node, stats in replies.answers.items()}
    _refuse(before, replies.duplicates, target)
    if check_mode:
        outcome = Outcome(before, dict(replies.errors))
        after = {node: shown(target) for node in before}
    else:
        outcome = resize(client, before, target)
        outcome.errors.update(replies.errors)
        for node in client.duplicates:
            outcome.errors[node] = "is the name of more than one worker, and each was changed"
        after = {node: state.shown(target) for node, state in outcome.states.items()}

    # A size that no node has, or that some couldn't be given, isn't kept for their next start.
    kept = files if before and not outcome.errors else []
    tracker = Tracker()
    for node, state in before.items():
        tracker.add("nodes", node, before=state.shown(target), after=after[node])
    for file in kept:
        tracker.add("persisted", file.pool, before=file.before, after=file.after)
    result = {
        "changed": tracker.changed,
        "diff": tracker.diff(),
        "nodes": tracker.values("nodes"),
        "persisted": tracker.values("persisted"),
        "missing": replies.missing,
        "errors": outcome.errors,
        "duplicates": client.duplicates,
    }
    if not check_mode:
        _write(kept, result)
    if replies.missing or outcome.errors:
        raise CeleryOpsError(_failure(replies.missing, outcome.errors, target), result)
    return result


def resize(client: Caller, states: Mapping[str, PoolState], target: Target) -> Outcome:
    """Bring the pools of nodes to a target.

    A change is sent at most once to a node: whether a command without reply has been carried out
    is seen by reading the state again.

    Args:
        client: The client.
        states: The nodes, as they were just read; none may be one that `refusal` is about.
        target: The size or range.
    """
    changes = _changes(states, target)
    ending = {node: change for node, change in changes.items() if change.ends_processes}
    plain = {node: change for node, change in changes.items() if not change.ends_processes}
    outcome = Outcome(dict(states))
    try:
        _apply(client, plain, outcome)
        if ending:
            _shrink(client, list(ending), target, outcome)
        _await(client, plain, target, outcome)
    except BrokerError as error:
        for node in changes:
            if not outcome.states[node].reached(target):
                outcome.errors.setdefault(node, f"may have been changed or not: {error.clause}")
    return outcome


def _refuse(states: Mapping[str, PoolState], duplicates: Sequence[str], target: Target) -> None:
    if duplicates:
        raise CeleryOpsError(
            f"more than one worker bears the name {duplicates[0]}, and each would be changed: "
            "give each its own (option -n of the worker)."
        )
    for node, state in states.items():
        if reason := refusal(node, state, target):
            raise CeleryOpsError(reason)


def _write(files: Sequence[PoolFile], result: dict[str, Any]) -> None:
    try:
        for file in files:
            file.write()
    except CeleryOpsError as error:
        raise CeleryOpsError(str(error), result) from error


def _failure(missing: Sequence[str], errors: Mapping[str, str], target: Target) -> str:
    parts = [f"{node} {text}" for node, text in sorted(errors.items())[:3]]
    if len(errors) > 3:
        parts.append(f"{len(errors) - 3} more nodes failed (see `errors`)")
    if missing:
        parts.append(
            f"{listed(missing)} didn't answer and got no change (check the service of each, and "
            "run the module again)"
        )
    return f"Not all nodes are at {shown(target)}: {'; '.join(parts)}."


def _changes(states: Mapping[str, PoolState], target: Target) -> dict[str, Change]:
    return {node: change for node, s in states.items() if (change := change_for(s, target))}


def _apply(client: Caller, changes: Mapping[str, Change], outcome: Outcome) -> None:
    """Send the changes, equal ones together. A silent node isn't an error yet."""
    groups: dict[tuple[str, tuple[tuple[str, int], ...]], list[str]] = defaultdict(list)
    for node, change in changes.items():
        groups[change.command, tuple(change.arguments.items())].append(node)
    calls = [Call(command, dict(items), nodes) for (command, items), nodes in groups.items()]
    for replies in client.call_all(calls, patience=READING_PATIENCE):
        outcome.errors.update(replies.errors)


def _await(client: Caller, nodes: Iterable[str], target: Target, outcome: Outcome) -> None:
    """Read the states until all nodes are at the target or the time is over."""
    waiting = {node for node in nodes if node not in outcome.errors}
    while waiting:
        last = client.remaining() < LAST_READING_SECONDS
        with client.at_least(LAST_READING_SECONDS):
            states = _read_states(client, waiting, outcome)
        waiting = {node for node in waiting if not outcome.states[node].reached(target)}
        if waiting and last:
            for node in waiting:
                outcome.errors[node] = _not_reached(states.get(node), target)
            return
        if waiting:
            client.wait(POLL_INTERVAL)


def _read_states(client: Caller, nodes: Collection[str], outcome: Outcome) -> dict[str, PoolState]:
    """The present states of the nodes that answer, also noted in the outcome."""
    replies = client.call("stats", nodes=nodes, patience=READING_PATIENCE)
    states = {node: read_state(stats) for node, stats in replies.answers.items()}
    outcome.states.update(states)
    return states


def _not_reached(state: PoolState | None, target: Target) -> str:
    if state is None:
        return "stopped answering after the change was sent: whether it was carried out is unknown"
    return (
        f"is at {state.shown(target)} and not yet at the target: run the module again, "
        "with a longer `timeout`"
    )


def _shrink(client: Caller, nodes: Sequence[str], target: Target, outcome: Outcome) -> None:
    """Pause the nodes, change each one as soon as it is idle, and resume it."""
    replies = client.call("active_queues", nodes=nodes, patience=READING_PATIENCE)
    outcome.errors.update(replies.errors)
    outcome.errors.update(dict.fromkeys(replies.missing, "stopped answering before its change"))
    queues = replies.answers
    paused = set(queues)
    try:
        with _interruptions_raise():
            pause(client, queues)
            finishing = min(FINISHING_SECONDS, client.remaining() / 2)
            while paused and client.remaining() > finishing:
                idle = idle_nodes(client, paused)
                if not idle:
                    client.wait(POLL_INTERVAL)
                    continue
                # Anew, since an earlier command may have been carried out late: to shrink by too
                # much would leave no process.
                states = _read_states(client, idle, outcome)
                _apply(client, _changes(states, target), outcome)
                _await(client, idle, target, outcome)
                outcome.errors.update(resume(client, {node: queues[node] for node in idle}))
                paused -= idle
            for node in paused:
                outcome.errors[node] = (
                    "still ran or held tasks when the time was over, and keeps its size: "
                    "run the module again, with a longer `timeout`"
                )
    finally:
        # Also after an error and an interruption, and although a node may never have got the
        # command to pause: resuming a node that consumes does nothing.
        outcome.errors.update(resume(client, {node: queues[node] for node in paused}))


@contextlib.contextmanager
def _interruptions_raise() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise an error, while by default they end Python at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, _frame: Any) -> None:
        raise CeleryOpsError(
            f"Interrupted by {signal.Signals(number).name}: some nodes may not be at their size, "
            "run the module again."
        )

    previous = {
        number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
