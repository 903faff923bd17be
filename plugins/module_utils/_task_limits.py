# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""The rate limit and the time limits of a task, changed live.

Celery's `time_limit` takes off the limit that isn't named, so that both are always sent. A worker
without the runtime package confirms new time limits and goes on with those that it started with, so
that it is refused. Workers show the limits as text, so that they are compared by value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from fractions import Fraction
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._client import Call
from ansible_collections.celeryops.cluster.plugins.module_utils._consumer import (
    failure,
    refuse_duplicates,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._drain import (
    READING_PATIENCE,
    Caller,
    by_value,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import (
    BrokerError,
    CeleryOpsError,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import listed
from ansible_collections.celeryops.cluster.plugins.module_utils._pool import read_state
from ansible_collections.celeryops.cluster.plugins.module_utils._tracker import Tracker

NONE = "none"
LAST_READING_SECONDS = 1.0
# As a worker names them.
_ATTRIBUTES = ("rate_limit", "soft_time_limit", "time_limit")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_RATE = re.compile(r"(\d+(?:\.\d+)?)(?:/([smh]))?\Z")
_SECONDS = re.compile(r"\d+(?:\.\d+)?\Z")
# Which time limits the kinds of pools keep.
_KEPT_LIMITS = {"prefork": {"soft_time_limit", "time_limit"}, "gevent": {"time_limit"}}


@dataclass(frozen=True)
class Limits:
    """The limits of a task.

    Attributes:
        rate: Tasks per second on each worker, as the text that Celery takes; None for no limit.
        soft: Seconds until the task gets an exception that it can handle; None for no limit.
        hard: Seconds until its process is ended; None for no limit.
    """

    rate: str | None = None
    soft: float | None = None
    hard: float | None = None

    def same_rate(self, other: Limits) -> bool:
        return per_second(self.rate) == per_second(other.rate)

    def same_times(self, other: Limits) -> bool:
        return (self.soft, self.hard) == (other.soft, other.hard)


@dataclass(frozen=True)
class Wish:
    """What the user asked for: a name in `given`, with None as the value that takes a limit off."""

    task: str
    given: Mapping[str, Any] = field(default_factory=dict)

    def applied(self, limits: Limits) -> Limits:
        """What limits would become; a rate that is the same by value keeps its text."""
        changed = replace(limits, **self.given)
        return replace(changed, rate=limits.rate) if changed.same_rate(limits) else changed


@dataclass(frozen=True)
class State:
    """What is known of a task on a node.

    Attributes:
        kind: The kind of its pool.
        limits: The limits of the task; None where the node doesn't know it.
        registered: The names of the tasks that it knows.
        applies: Whether new time limits have an effect.
    """

    kind: str
    limits: Limits | None
    registered: Sequence[str]
    applies: bool


def wish_of(task: str, rate: str | None, soft: str | None, hard: str | None) -> Wish:
    """Check what the user asked for.

    Raises:
        CeleryOpsError: A value isn't valid, or the soft limit is above the hard one.
    """
    given: dict[str, Any] = {}
    if rate is not None:
        given["rate"] = None if _is_off(rate) else rate.replace(" ", "")
        _check_rate(rate, given["rate"])
    for name, option, text in (("soft", "soft_time_limit", soft), ("hard", "time_limit", hard)):
        if text is not None:
            given[name] = _seconds(option, text)
    _check_order(None, Limits(**given))
    return Wish(task, given)


def per_second(rate: str | None) -> Fraction:
    """A rate as a number of tasks per second; 0 for no limit, as Celery takes it."""
    match = _RATE.match(rate or "0")
    return Fraction(match[1]) / _UNITS[match[2] or ""] if match else Fraction(0)


def read_limits(task: str, registered: Iterable[str]) -> Limits | None:
    """The limits of a task by a node's answer to `registered`; None if it doesn't know it."""
    for entry in registered:
        name, _bracket, details = entry.partition(" [")
        if name == task:
            pairs = (part.partition("=") for part in details.rstrip("]").split(" "))
            values = {key: value for key, sign, value in pairs if sign}
            return Limits(
                rate=_shown_rate(values.get("rate_limit")),
                soft=_shown_seconds(values.get("soft_time_limit")),
                hard=_shown_seconds(values.get("time_limit")),
            )
    return None


def set_limits(
    client: Caller, nodes: Sequence[str], wish: Wish, check_mode: bool = False
) -> dict[str, Any]:
    """Read the nodes, refuse what can't be done before anything is sent, and do the rest.

    Args:
        client: The client, whose deadline bounds everything but the last reading.
        nodes: The names of the nodes.
        wish: The task and its limits.
        check_mode: Whether to predict only.

    Returns:
        The result of the module.

    Raises:
        BrokerError: The broker can't be reached or fails.
        CeleryOpsError: A node can't be changed, or hasn't been; in the second case with the result.
    """
    if not nodes:
        raise CeleryOpsError("no worker node was found: check that the workers run.")
    states, errors, missing = _read(client, nodes, wish)
    refuse_duplicates(client.duplicates)
    before = {node: _checked(node, state, wish) for node, state in sorted(states.items())}
    wanted = {node: wish.applied(limits) for node, limits in before.items()}
    for node, limits in wanted.items():
        _check_order(node, limits)
        if not states[node].applies and not limits.same_times(before[node]):
            raise CeleryOpsError(
                f"{node} runs without the runtime of this collection, and would confirm new time "
                "limits and go on with those it started with: set them in task_annotations of the "
                "app, and restart it."
            )
    after = dict(wanted)
    if not check_mode:
        after = _change(client, before, wanted, wish, errors)
    for node in client.duplicates:
        errors[node] = "is the name of more than one worker, and each was changed"

    tracker = Tracker()
    for node, limits in before.items():
        tracker.add("nodes", node, before=_shown(limits), after=_shown(after[node]))
    result = {
        "changed": tracker.changed,
        "diff": tracker.diff(),
        "nodes": tracker.values("nodes"),
        "missing": missing,
        "errors": errors,
        "duplicates": client.duplicates,
    }
    if missing or errors:
        raise CeleryOpsError(failure(f"have the limits of {wish.task}", missing, errors), result)
    return result


def _is_off(text: str) -> bool:
    return text.strip().lower() in (NONE, "0", "0.0")


def _check_rate(text: str, rate: str | None) -> None:
    if rate is not None and not per_second(rate):
        raise CeleryOpsError(
            f"`rate_limit` must be a number of tasks per second, or per unit like 10/s, 10/m or "
            f"10/h, or none to take it off, not '{text}'."
        )


def _seconds(option: str, text: str) -> float | None:
    if _is_off(text):
        return None
    if not _SECONDS.match(text.strip()) or not float(text):
        raise CeleryOpsError(
            f"`{option}` must be a number of seconds above 0, or none to take it off, not '{text}'."
        )
    return float(text)


def _check_order(node: str | None, limits: Limits) -> None:
    if limits.soft is not None and limits.hard is not None and limits.soft > limits.hard:
        where = f" on {node}" if node else ""
        raise CeleryOpsError(
            f"`soft_time_limit` would be above `time_limit`{where} ({limits.soft:g} s and "
            f"{limits.hard:g} s), and never have an effect: give both."
        )


def _shown_rate(text: str | None) -> str | None:
    return text if text and per_second(text) else None


def _shown_seconds(text: str | None) -> float | None:
    return float(text) if text and _SECONDS.match(text) and float(text) else None


def _shown(limits: Limits) -> dict[str, Any]:
    return {
        "rate_limit": limits.rate,
        "soft_time_limit": limits.soft,
        "time_limit": limits.hard,
    }


def _read(
    client: Caller, nodes: Sequence[str], wish: Wish
) -> tuple[dict[str, State], dict[str, str], list[str]]:
    """The states, errors and silent ones of nodes."""
    calls = [
        Call("registered", {"taskinfoitems": list(_ATTRIBUTES), "builtins": True}, nodes),
        Call("stats", {}, nodes),
    ]
    if wish.given.keys() & {"soft", "hard"}:
        # To a worker without the runtime it is unknown, which is an error in its log.
        calls.append(Call("celeryops", {}, nodes))
    registered, stats, *runtime = client.call_all(calls, patience=READING_PATIENCE)
    told = runtime[0].answers if runtime else {}
    states = {
        node: State(
            kind=read_state(stats.answers[node]).kind,
            limits=read_limits(wish.task, entries),
            registered=[entry.partition(" [")[0] for entry in entries],
            applies=bool(told.get(node, {}).get("applies_time_limits")),
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


def _change(
    client: Caller,
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
        text = f"may have been changed or not: {error.clause}"
        errors.update(dict.fromkeys(changing, text))
        return after
    errors.update(refused)
    unknown = "stopped answering after the change was sent: whether it was carried out is unknown"
    errors.update(dict.fromkeys(missing, unknown))
    for node, state in states.items():
        after[node] = state.limits or Limits()
        reached = after[node].same_rate(wanted[node]) and after[node].same_times(wanted[node])
        if not reached:
            errors.setdefault(node, "confirmed the change and doesn't show it: look into its log")
    return after
