# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""Resizing and restarting pools live, without losing a task.

To end processes, Celery also picks one that has just been given a task, so that a node is paused
first (it stops consuming), and nothing ends until it runs and holds no task. Workers answer before
they act, so that every step is read back.

On RabbitMQ 4 and with quorum queues, a consumer keeps the prefetch count that it began with,
whatever the worker says of its own: new processes would get no tasks. There a node is paused to
grow as well, since it begins to consume anew when it is resumed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._changes import (
    LAST_READING_SECONDS,
    POLL_INTERVAL,
    SILENT_AFTER,
    SILENT_BEFORE,
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
from ansible_collections.celeryops.cluster.plugins.module_utils._drain import (
    Queues,
    idle_nodes,
    interruptions_raise,
    pause,
    resume,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import (
    BrokerError,
    CeleryOpsError,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._pool import (
    Change,
    PoolState,
    Restart,
    Step,
    Target,
    change_for,
    read_state,
    refusal,
    shown,
    steps_to,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._pool_file import PoolFile
from ansible_collections.celeryops.cluster.plugins.module_utils._replies import Replies

# Seconds. What is kept of the time-out for shrinking and resuming, once a node is idle.
FINISHING_SECONDS = 2.0
# What is kept of it for restarting: new processes are there within 5 s.
RESTARTING_SECONDS = 7.0
# How long a node that grows stays paused at most. If it still runs tasks then, it takes as many
# more as its new size allows; the surplus waits in it. To wait longer would leave processes idle.
SETTLING_SECONDS = 2.0


@dataclass
class Outcome:
    """What has become of the nodes.

    Attributes:
        states: The last state that was read, by node.
        errors: Why a node isn't at its target, by node.
    """

    states: dict[str, PoolState]
    errors: dict[str, str] = field(default_factory=dict)


@dataclass
class Paused:
    """What is done to a node while it is paused.

    Attributes:
        steps: The sizes or the range that it is still to be brought to, one after the other.
        awaited: Whether it stays paused until the last step is seen.
        begun: Whether any command has been sent.
        sent: Whether the command of the first of the steps has been sent.
    """

    steps: list[Step]
    awaited: bool
    begun: bool = False
    sent: bool = False

    @property
    def over(self) -> bool:
        return not self.steps or (self.begun and not self.awaited)

    def next(self, state: PoolState) -> Change | None:
        """The command to send now, if any; steps that are reached are passed over."""
        while self.steps and state.reached(self.steps[0]):
            self.steps.pop(0)
            self.sent = False
        return change_for(state, self.steps[0]) if self.steps and not self.sent else None


def set_pools(
    client: Client,
    nodes: Sequence[str],
    target: Target,
    files: Sequence[PoolFile] = (),
    check_mode: bool = False,
) -> dict[str, Any]:
    """Read the nodes, refuse what can't be done before anything is sent, and do the rest.

    Args:
        client: The client, whose deadline bounds everything but resuming and the last reading.
        nodes: The names of the nodes.
        target: The size or range of each of them, or their restart.
        files: Where the size or range is kept.
        check_mode: Whether to predict only.

    Returns:
        The result of the module.

    Raises:
        BrokerError: The broker can't be reached or fails.
        CeleryOpsError: A node can't be resized, or hasn't been; in the second case with the result.
    """
    refuse_no_node(nodes)
    # A second worker of a name answers the ping too, and is waited for while the rest is computed.
    calls = [Call("ping", {}, nodes), Call("stats", {}, nodes)]
    _pong, replies = client.call_all(calls, patience=READING_PATIENCE)
    before = {node: read_state(stats) for node, stats in replies.answers.items()}
    refuse_duplicates(client.duplicates)
    for node in sorted(before):
        if reason := refusal(node, before[node], target):
            raise CeleryOpsError(reason)
    if isinstance(target, Restart) and client.remaining() < RESTARTING_SECONDS + 1:
        raise CeleryOpsError(
            f"a restart takes up to {RESTARTING_SECONDS:.0f} s beside the tasks that still run: "
            "give a `timeout` of 10 s or more."
        )
    if check_mode:
        outcome = Outcome(before, dict(replies.errors))
        after = {node: shown(target) for node in before}
    else:
        outcome = resize(client, before, target)
        outcome.errors.update(replies.errors)
        note_duplicates(client, outcome.errors)
        after = {node: state.shown(target) for node, state in outcome.states.items()}

    values = {node: (state.shown(target), after[node]) for node, state in before.items()}
    result = result_of(client, values, replies.missing, outcome.errors, files)
    if not check_mode:
        keep(files, result)
    restarting = isinstance(target, Restart)
    return concluded(result, f"are {'restarted' if restarting else f'at {shown(target)}'}")


def resize(client: Client, states: Mapping[str, PoolState], target: Target) -> Outcome:
    """Bring the pools of nodes to a target.

    A change is sent at most once to a node: whether a command without reply has been carried out
    is seen by reading the state again.

    Args:
        client: The client.
        states: The nodes, as they were just read; none may be one that `refusal` is about.
        target: The size or range, or the restart.
    """
    steps = {node: steps_to(state, target) for node, state in states.items()}
    changes = {
        node: change
        for node, state in states.items()
        if (change := change_for(state, steps[node][0]))
    }
    outcome = Outcome(dict(states))
    try:
        paused = _to_be_paused(client, changes, target)
        plain = {node: change for node, change in changes.items() if node not in paused}
        _apply(client, plain, outcome)
        if paused:
            work = {node: Paused([*steps[node]], awaited) for node, awaited in paused.items()}
            _work_paused(client, work, outcome, restarting=isinstance(target, Restart))
        if not isinstance(target, Restart):
            _await(client, changes, target, outcome)
    except BrokerError as error:
        for node in changes:
            survivors = _survivors(states[node], outcome.states[node], target)
            if survivors or not outcome.states[node].reached(steps[node][-1]):
                outcome.errors.setdefault(node, unknown_outcome(error))
    for node, state in outcome.states.items():
        if survivors := _survivors(states[node], state, target):
            ids = ", ".join(map(str, sorted(survivors)))
            outcome.errors.setdefault(
                node, f"still has processes from before ({ids}): restart its service"
            )
    return outcome


def _apply(client: Client, changes: Mapping[str, Change], outcome: Outcome) -> None:
    """Send the changes, equal ones together, and read what has come of them until then.

    A silent node isn't an error yet.
    """
    groups: dict[tuple[str, tuple[tuple[str, int], ...]], list[str]] = defaultdict(list)
    for node, change in changes.items():
        groups[change.command, tuple(change.arguments.items())].append(node)
    calls = [Call(command, dict(items), nodes) for (command, items), nodes in groups.items()]
    # Some are where they should be at once, and then no further call is needed.
    *told, now = client.call_all([*calls, Call("stats", {}, changes)], patience=READING_PATIENCE)
    for replies in told:
        outcome.errors.update(replies.errors)
    _note(now, outcome)


def _await(client: Client, nodes: Iterable[str], target: Step, outcome: Outcome) -> None:
    """Read the states until all nodes are at the target or the time is over."""
    waiting = {
        node
        for node in nodes
        if node not in outcome.errors and not outcome.states[node].reached(target)
    }
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


def _read_states(client: Client, nodes: Collection[str], outcome: Outcome) -> dict[str, PoolState]:
    """The present states of the nodes that answer, also noted in the outcome."""
    return _note(client.call("stats", nodes=nodes, patience=READING_PATIENCE), outcome)


def _note(replies: Replies, outcome: Outcome) -> dict[str, PoolState]:
    states = {node: read_state(stats) for node, stats in replies.answers.items()}
    outcome.states.update(states)
    return states


def _not_reached(state: PoolState | None, step: Step) -> str:
    if state is None:
        return SILENT_AFTER
    return (
        f"is at {state.shown(step)} and not yet at {shown(step)}: run the module again, "
        "with a longer `timeout`"
    )


def _to_be_paused(client: Client, changes: Mapping[str, Change], target: Target) -> dict[str, bool]:
    """The nodes that must be paused, and whether until they are at the target."""
    if isinstance(target, Restart):
        return dict.fromkeys(changes, True)
    paused = {node: True for node, change in changes.items() if change.ends_processes}
    moving = [n for n, change in changes.items() if change.moves_prefetch and n not in paused]
    return paused | dict.fromkeys(_with_fixed_prefetch(client, moving), False)


def _with_fixed_prefetch(client: Client, nodes: Collection[str]) -> Collection[str]:
    """The nodes whose consumers keep the prefetch count that they began with."""
    per_consumer = client.run(_prefetch_per_consumer) if nodes else None
    if per_consumer is None:
        return []
    if per_consumer:
        return nodes
    # Older brokers count per channel, unless the worker has a quorum queue.
    replies = client.call("active_queues", nodes=nodes, patience=READING_PATIENCE)
    return [node for node, queues in replies.answers.items() if _has_quorum_queue(queues)]


def _prefetch_per_consumer(connection: Any) -> bool | None:
    """How the broker counts the tasks that are held in advance; None where the worker counts."""
    if connection.transport.driver_type != "amqp":
        return None
    # As the workers decide it, by the version of the broker.
    return bool(connection.qos_semantics_matches_spec)


def _has_quorum_queue(queues: Queues) -> bool:
    arguments = [queue.get("queue_arguments") or {} for queue in queues]
    return any(values.get("x-queue-type") == "quorum" for values in arguments)


def _work_paused(
    client: Client, work: Mapping[str, Paused], outcome: Outcome, restarting: bool
) -> None:
    """Pause nodes, change each one as soon as it may be, and resume it."""
    replies = client.call("active_queues", nodes=work, patience=READING_PATIENCE)
    outcome.errors.update(replies.errors)
    outcome.errors.update(dict.fromkeys(replies.missing, SILENT_BEFORE))
    queues = replies.answers
    paused = set(queues)
    try:
        with interruptions_raise("their size"):
            pause(client, queues)
            left = client.remaining()
            settling = min(SETTLING_SECONDS, left / 4)
            reserve = RESTARTING_SECONDS if restarting else min(FINISHING_SECONDS, left / 2)
            while paused:
                now = client.remaining()
                done = _advance(
                    client,
                    {node: work[node] for node in paused},
                    outcome,
                    settled=now <= left - settling,
                    late=now <= reserve,
                )
                outcome.errors.update(resume(client, {node: queues[node] for node in done}))
                paused -= done
                if paused:
                    client.wait(POLL_INTERVAL)
    finally:
        # Also after an error and an interruption, and although a node may never have got the
        # command to pause: resuming a node that consumes does nothing.
        outcome.errors.update(resume(client, {node: queues[node] for node in paused}))


def _advance(
    client: Client, work: Mapping[str, Paused], outcome: Outcome, settled: bool, late: bool
) -> set[str]:
    """Do what can be done for paused nodes now.

    Args:
        client: The client.
        work: The paused nodes.
        outcome: What becomes of them.
        settled: Whether nodes that need not be idle are waited for no longer.
        late: Whether it is too late to begin with a node.

    Returns:
        The nodes that are to be resumed.
    """
    begun = {node for node, paused in work.items() if paused.begun}
    last = client.remaining() < LAST_READING_SECONDS
    with client.at_least(LAST_READING_SECONDS if begun else 0.0):
        unsent = {node for node in (begun if late else work) if not work[node].sent}
        idle = idle_nodes(client, unsent) if unsent else set()
        free = {node for node in unsent if settled and not work[node].awaited}
        # Anew, since an earlier command may have been carried out late: to shrink by too much
        # would leave no process.
        states = _read_states(client, idle | free | (begun - unsent), outcome)
        changes = {
            node: change
            for node, state in states.items()
            if (change := work[node].next(state)) and (node in idle or not change.ends_processes)
        }
        _apply(client, changes, outcome)
    for node in changes:
        work[node].begun = work[node].sent = True
    for node, paused in work.items():
        if late and not (paused.begun or paused.over):
            outcome.errors[node] = (
                "still ran or held tasks when the time was over, and is as it was: "
                "run the module again, with a longer `timeout`"
            )
        elif last and node in begun and not paused.over:
            outcome.errors.setdefault(node, _not_reached(states.get(node), paused.steps[0]))
    return {node for node, paused in work.items() if paused.over or node in outcome.errors}


def _survivors(before: PoolState, now: PoolState, target: Target) -> set[int]:
    """The processes that should have been restarted and are still there."""
    return set(before.processes) & set(now.processes) if isinstance(target, Restart) else set()
