# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""The rate limit and the time limits of a task, changed live.

Celery's `time_limit` takes off the limit that isn't named, so that both are always sent. A worker
without the runtime package confirms new time limits and goes on with those that it started with, so
that it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._changes import (
    LAST_READING_SECONDS,
    NOT_SHOWN,
    SILENT_AFTER,
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
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import (
    BrokerError,
    CeleryOpsError,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._limits import (
    ATTRIBUTES,
    Limits,
    Wish,
    check_order,
    keeping,
    read_limits,
    shown,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import listed, pool_of
from ansible_collections.celeryops.cluster.plugins.module_utils._pool import read_state
from ansible_collections.celeryops.cluster.plugins.module_utils._pool_file import PoolFile

# Which time limits the kinds of pools keep.
_KEPT_LIMITS = {"prefork": {"soft_time_limit", "time_limit"}, "gevent": {"time_limit"}}


@dataclass(frozen=True)
class State:
    """What is known of a task on a node.

    Attributes:
        kind: The kind of its pool.
        limits: The limits of the task; None where the node doesn't know it.
        registered: The names of the tasks that it knows.
        applies: Whether new time limits have an effect.
        declared: The limits that the task has of its own, whatever was set live; None where the
            node can't tell.
    """

    kind: str
    limits: Limits | None
    registered: Sequence[str]
    applies: bool
    declared: Mapping[str, Any] | None = None


def set_limits(
    client: Client,
    nodes: Sequence[str],
    wish: Wish,
    files: Sequence[PoolFile] = (),
    check_mode: bool = False,
) -> dict[str, Any]:
    """Read the nodes, refuse what can't be done before anything is sent, and do the rest.

    Args:
        client: The client, whose deadline bounds everything but the last reading.
        nodes: The names of the nodes.
        wish: The task and its limits.
        files: Where the limits are kept.
        check_mode: Whether to predict only.

    Returns:
        The result of the module.

    Raises:
        BrokerError: The broker can't be reached or fails.
        CeleryOpsError: A node can't be changed, or hasn't been; in the second case with the result.
    """
    refuse_no_node(nodes)
    states, errors, missing = _read(client, nodes, wish, kept=bool(files))
    refuse_duplicates(client.duplicates)
    before = {node: _checked(node, state, wish) for node, state in sorted(states.items())}
    wanted = {node: wish.applied(limits) for node, limits in before.items()}
    for node, limits in wanted.items():
        check_order(limits, f" on {node}")
        if not states[node].applies and not limits.same_times(before[node]):
            raise CeleryOpsError(
                f"{node} runs without the runtime of this collection, and would confirm new time "
                "limits and go on with those it started with: set them in task_annotations of the "
                "app, and restart it."
            )
    files = [_kept(file, states, wish) for file in files]
    after = dict(wanted)
    if not check_mode:
        after = _change(client, before, wanted, wish, errors)
        note_duplicates(client, errors)
    values = {node: (shown(limits), shown(after[node])) for node, limits in before.items()}
    result = result_of(client, values, missing, errors, files)
    if not check_mode:
        keep(files, result)
    return concluded(result, f"have the limits of {wish.task}")


def _read(
    client: Client, nodes: Sequence[str], wish: Wish, *, kept: bool = False
) -> tuple[dict[str, State], dict[str, str], list[str]]:
    """The states, errors and silent ones of nodes.

    Args:
        kept: Whether limits are kept, so that the declared ones are needed.
    """
    calls = [
        Call("registered", {"taskinfoitems": list(ATTRIBUTES), "builtins": True}, nodes),
        Call("stats", {}, nodes),
    ]
    # To a worker without the runtime these are unknown, which is an error in its log.
    if wish.given.keys() & {"soft", "hard"}:
        calls.append(Call("celeryops", {}, nodes))
    if kept:
        calls.append(Call("celeryops_limits", {"task_name": wish.task}, nodes))
    registered, stats, *runtime = client.call_all(calls, patience=READING_PATIENCE)
    told = {call.command: replies.answers for call, replies in zip(calls[2:], runtime, strict=True)}
    states = {
        node: State(
            kind=read_state(stats.answers[node]).kind,
            limits=read_limits(wish.task, entries),
            registered=[entry.partition(" [")[0] for entry in entries],
            applies=bool(told.get("celeryops", {}).get(node, {}).get("applies_time_limits")),
            declared=told.get("celeryops_limits", {}).get(node, {}).get("declared"),
        )
        for node, entries in registered.answers.items()
        if node in stats.answers
    }
    errors = registered.errors | stats.errors
    return states, errors, sorted(set(nodes) - states.keys() - errors.keys())


def _checked(node: str, state: State, wish: Wish) -> Limits:
    """The limits of a node that can be changed as it is asked.

    Raises:
        CeleryOpsError: It can't.
    """
    if state.limits is None:
        close = get_close_matches(wish.task, state.registered, n=1)
        own = [name for name in state.registered if not name.startswith("celery.")]
        hint = f"did you mean '{close[0]}'?" if close else f"it knows {listed(own)}."
        raise CeleryOpsError(f"{node} knows no task '{wish.task}': {hint}")
    given = {"soft": "soft_time_limit", "hard": "time_limit"}
    for name, option in given.items():
        if wish.given.get(name) is not None and option not in _KEPT_LIMITS.get(state.kind, set()):
            raise CeleryOpsError(
                f"{node} has a pool of kind {state.kind}, which never keeps a `{option}`: "
                "name only nodes of kind prefork (options `nodes` and `pool`)."
            )
    return state.limits


def _kept(file: PoolFile, states: Mapping[str, State], wish: Wish) -> PoolFile:
    """A pool's file as it should be.

    Raises:
        CeleryOpsError: The limits can't be kept.
    """
    told = {n: state.declared for n, state in sorted(states.items()) if pool_of(n) == file.pool}
    known = {node: declared for node, declared in told.items() if declared is not None}
    if unable := [node for node in told if node not in known]:
        raise CeleryOpsError(
            f"{unable[0]} can't keep limits for its next start, since it runs without the runtime "
            "of this collection or with an older one: run the playbook celeryops.cluster.site, or "
            "set `persist: false`."
        )
    if not known:
        return file
    first = next(iter(known))
    if others := [node for node, declared in known.items() if declared != known[first]]:
        raise CeleryOpsError(
            f"{first} and {others[0]} differ in the limits of '{wish.task}' that the app itself "
            "gives it, so that none can be kept for both: bring them to the same release first, or "
            "set `persist: false`."
        )
    return keeping(file, wish, known[first])


def _change(
    client: Client,
    before: Mapping[str, Limits],
    wanted: Mapping[str, Limits],
    wish: Wish,
    errors: dict[str, str],
) -> dict[str, Limits]:
    """Send what differs, once, and read it back; the limits afterwards."""
    rates = [node for node, limits in wanted.items() if not limits.same_rate(before[node])]
    times = {
        node: [(limits.soft, limits.hard)]
        for node, limits in wanted.items()
        if not limits.same_times(before[node])
    }
    calls = [
        Call("time_limit", {"task_name": wish.task, "soft": soft, "hard": hard}, nodes)
        for (soft, hard), nodes in by_value(times)
    ]
    if rates:
        arguments = {"task_name": wish.task, "rate_limit": wish.given["rate"]}
        calls.insert(0, Call("rate_limit", arguments, rates))
    if not calls:
        return dict(before)
    changing = sorted({*rates, *times})
    after = dict(before)
    try:
        for replies in client.call_all(calls, patience=READING_PATIENCE):
            errors.update(replies.errors)
        with client.at_least(LAST_READING_SECONDS):
            states, refused, missing = _read(client, changing, wish)
    except BrokerError as error:
        errors.update(dict.fromkeys(changing, unknown_outcome(error)))
        return after
    errors.update(refused)
    errors.update(dict.fromkeys(missing, SILENT_AFTER))
    for node, state in states.items():
        after[node] = state.limits or Limits()
        reached = after[node].same_rate(wanted[node]) and after[node].same_times(wanted[node])
        if not reached:
            errors.setdefault(node, NOT_SHOWN)
    return after
