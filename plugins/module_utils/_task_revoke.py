# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""Keeping tasks from being run, and ending those that run.

Workers confirm a revoke whatever they know of the task, so that it is read back: each keeps the
ids of revoked tasks in its memory.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._changes import (
    LAST_READING_SECONDS,
    POLL_INTERVAL,
    concluded,
    refuse_no_node,
    result_of,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._client import (
    READING_PATIENCE,
    Call,
    Client,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import listed
from ansible_collections.celeryops.cluster.plugins.module_utils._pool import read_state
from ansible_collections.celeryops.cluster.plugins.module_utils._task_route import held_by

# Seconds. How long nodes that were silent already are waited for.
SILENT_PATIENCE = 1.0
# What has become of the silent ones.
LATER_OR_NEVER = (
    "didn't answer, and may do it later or never (a busy node of kind solo does it after its task; "
    "check the service of the others, and run the module again)"
)
# The kinds of pool that can end a single task.
_ENDING = frozenset({"prefork", "gevent", "eventlet"})


@dataclass(frozen=True)
class Revocation:
    """What is to be revoked.

    Attributes:
        ids: The tasks.
        signal: What ends the tasks that run, for example SIGTERM; None leaves them running.
        directed: Whether nodes that weren't named are left out.
    """

    ids: Sequence[str]
    signal: str | None = None
    directed: bool = True

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the command."""
        ending = {} if self.signal is None else {"terminate": True, "signal": self.signal}
        return {"task_id": list(self.ids), **ending}


@dataclass
class Knowledge:
    """What the nodes know of the tasks.

    Attributes:
        revoked: Which of the tasks each node keeps as revoked.
        held: Where the tasks are: by id and node, active, reserved or scheduled.
    """

    revoked: dict[str, list[str]] = field(default_factory=dict)
    held: dict[str, dict[str, str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)

    def unfinished(self, wanted: Revocation) -> set[str]:
        """The nodes at which something is still to be done."""
        lacking = {node for node, ids in self.revoked.items() if set(ids) != set(wanted.ids)}
        return lacking | (self.running() if wanted.signal else set())

    def running(self) -> set[str]:
        """The nodes that run one of the tasks."""
        return {
            node
            for states in self.held.values()
            for node, state in states.items()
            if state == "active"
        }


def revoke(
    client: Client, nodes: Sequence[str], wanted: Revocation, check_mode: bool = False
) -> dict[str, Any]:
    """Have nodes revoke tasks, and see that they did.

    Returns:
        The result of the module.

    Raises:
        BrokerError: The broker can't be reached or fails.
        CeleryOpsError: A node can't end a task, or it isn't known whether it has revoked all; in
            the second case with the result.
    """
    refuse_no_node(nodes)
    before = after = _known(client, nodes, wanted)
    if wanted.signal:
        _refuse_unending(client, before)
    errors = dict(before.errors)
    if check_mode:
        after = Knowledge(dict.fromkeys(before.revoked, sorted(wanted.ids)))
    elif before.unfinished(wanted) or before.missing:
        patience = SILENT_PATIENCE if before.missing else READING_PATIENCE
        for told in client.call_all(_commands(wanted, before), patience=patience):
            errors.update(told.errors)
        after = _awaited(client, before, wanted)
        errors.update({n: _undone(after, n) for n in after.unfinished(wanted) if n not in errors})

    values = {node: (ids, after.revoked.get(node, ids)) for node, ids in before.revoked.items()}
    result = result_of(client, values, before.missing, errors)
    if wanted.signal and before.running() - after.running():
        result["changed"] = True
    result["tasks"] = {id_: {"held_by": before.held.get(id_, {})} for id_ in sorted(wanted.ids)}
    return concluded(result, _goal(wanted.signal), silence=LATER_OR_NEVER)


def revoke_stamped(
    client: Client,
    nodes: Sequence[str],
    stamps: Mapping[str, Any],
    signal: str | None,
    directed: bool,
    check_mode: bool,
) -> dict[str, Any]:
    """Have nodes revoke the tasks that bear any of some stamps.

    What they keep of it can't be read, so that it is always a change.

    Raises:
        BrokerError: The broker can't be reached or fails.
        CeleryOpsError: A node refused or didn't answer; with the result.
    """
    headers = {
        name: value if isinstance(value, list) else [value] for name, value in stamps.items()
    }
    ending = {} if signal is None else {"terminate": True, "signal": signal}
    call = (
        Call("ping", {}, nodes)
        if check_mode
        else Call("revoke_by_stamped_headers", {"headers": headers, **ending}, nodes, directed)
    )
    [replies] = client.call_all([call], patience=READING_PATIENCE)
    values = {node: (None, {"stamps": headers}) for node in replies.answers}
    result = result_of(client, values, replies.missing, replies.errors)
    result["tasks"] = {}
    return concluded(result, _goal(signal), silence=LATER_OR_NEVER)


def _known(client: Client, nodes: Collection[str], wanted: Revocation) -> Knowledge:
    calls = [Call("revoked", {}, nodes), Call("query_task", {"ids": list(wanted.ids)}, nodes)]
    revoked, held = client.call_all(calls, patience=READING_PATIENCE)
    ids = set(wanted.ids)
    return Knowledge(
        {node: sorted(ids & set(kept)) for node, kept in revoked.answers.items()},
        held_by(held),
        revoked.missing,
        {**revoked.errors, **held.errors},
    )


def _commands(wanted: Revocation, known: Knowledge) -> list[Call]:
    """The commands for all nodes, also for those that were silent."""
    answering = list(known.revoked)
    if answering and not wanted.directed:
        return [Call("revoke", wanted.arguments, answering, directed=False)]
    return [
        Call("revoke", wanted.arguments, nodes, wanted.directed)
        for nodes in (answering, known.missing)
        if nodes
    ]


def _refuse_unending(client: Client, known: Knowledge) -> None:
    """Refuse to end tasks on nodes whose pool can't do it.

    Raises:
        CeleryOpsError: A node that runs a task can't end it.
    """
    running = known.running()
    if not running:
        return
    stats = client.call("stats", nodes=running, patience=READING_PATIENCE).answers
    for node, shown in sorted(stats.items()):
        kind = read_state(shown).kind
        if kind not in _ENDING:
            ids = [id_ for id_, states in known.held.items() if states.get(node) == "active"]
            raise CeleryOpsError(
                f"{node} runs {listed(ids)} and can't end it, since its pool is of kind {kind}: "
                "restart its service, or give `state: revoked` to keep the task from being run "
                "elsewhere or again."
            )


def _awaited(client: Client, before: Knowledge, wanted: Revocation) -> Knowledge:
    """Read until all nodes that answered at first have done it or the time is over."""
    while True:
        last = client.remaining() <= LAST_READING_SECONDS
        with client.at_least(LAST_READING_SECONDS):
            now = _known(client, list(before.revoked), wanted)
        silent = set(before.revoked) - set(now.revoked)
        if not (now.unfinished(wanted) or silent) or last:
            # Of a node that has fallen silent only the former state is known.
            now.revoked = {**before.revoked, **now.revoked}
            return now
        client.wait(POLL_INTERVAL)


def _undone(known: Knowledge, node: str) -> str:
    if node in known.missing:
        return "stopped answering after it was told: whether it has done it is unknown"
    if node in known.running():
        return "still runs it: give `signal: SIGKILL` or a longer `timeout`"
    return "doesn't show the tasks as revoked: run the module again"


def _goal(signal: str | None) -> str:
    return f"have {'ended' if signal else 'revoked'} the tasks"
