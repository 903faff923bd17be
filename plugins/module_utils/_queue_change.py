# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""Bringing a queue to a state: present, absent, purged, or moved into another one."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._client import (
    READING_PATIENCE,
    Client,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Cluster
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import (
    ALL,
    Selection,
    listed,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._queues import (
    Definition,
    Moved,
    Reading,
    Run,
    ask,
    fleet,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._tracker import Tracker

# Seconds that are kept back from moving, to come to an orderly end.
ENDING_SECONDS = 0.5
# As many nodes are asked for the settings by which they declare queues: one may be silent.
ASKED_FOR_SETTINGS = 3
# Of the messages that workers hold, so many are looked at before a queue is deleted.
MOST_UNACKED = 100_000
# RabbitMQ takes any argument that it doesn't know, and ignores it.
_ARGUMENTS = (
    "x-consumer-timeout",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-dead-letter-strategy",
    "x-delivery-limit",
    "x-expires",
    "x-max-length",
    "x-max-length-bytes",
    "x-message-ttl",
    "x-overflow",
    "x-queue-leader-locator",
    "x-queue-version",
    "x-quorum-initial-group-size",
    "x-quorum-target-group-size",
    "x-single-active-consumer",
)
_OWN_OPTIONS = {"x-queue-type": "type", "x-max-priority": "max_priority"}


@dataclass(frozen=True)
class Wanted:
    """A queue as the user asks for it; None is for what the workers' settings say."""

    name: str
    type: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    max_priority: int | None = None
    durable: bool = True
    exchange: str | None = None
    exchange_type: str | None = None
    routing_key: str | None = None


@dataclass
class Outcome:
    """What was found and done, for the module's result."""

    tracker: Tracker = field(default_factory=Tracker)
    count: int | None = None
    nodes: dict[str, Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    duplicates: list[str] = field(default_factory=list)

    def result(self) -> dict[str, Any]:
        return {
            "changed": self.tracker.changed,
            "diff": self.tracker.diff(),
            "queues": self.tracker.values(),
            **{name: value for name, value in vars(self).items() if name != "tracker"},
        }


def present(client: Client, cluster: Cluster, run: Run, wanted: Wanted, check: bool) -> Outcome:
    """Make a queue with its binding.

    Raises:
        CeleryOpsError: The queue is there in another form, or can't be as it is asked for.
    """
    on_redis = bool(run(lambda queues: queues.on_redis))
    refuse_unfit(wanted, on_redis)
    definition = defined(wanted, _settings(client, cluster, wanted, on_redis), on_redis)
    reading = _read(run, [wanted.name])[wanted.name]
    if reading.exists and (conflict := run(lambda queues: queues.conflict(definition))):
        raise CeleryOpsError(
            f"the queue '{wanted.name}' is there already, but {conflict}: no queue can be changed, "
            "so declare one of another name, let the workers consume from it, move the messages "
            "there by `state: moved`, and then delete this one."
        )
    bound = _is_bound(reading, definition)
    outcome = Outcome()
    shown = definition.shown()
    outcome.tracker.add(
        wanted.name,
        before={**shown, "bound": bound is not False} if reading.exists else None,
        after={**shown, "bound": True},
    )
    if not check and not (reading.exists and bound):
        run(lambda queues: queues.declare(definition))
    return outcome


def absent(
    client: Client, cluster: Cluster, run: Run, name: str, force: bool, check: bool
) -> Outcome:
    """Delete a queue that nobody uses and that is empty, or any one by force.

    Raises:
        CeleryOpsError: The queue is in use, or it isn't known whether it is.
    """
    outcome = Outcome()
    reading = _read(run, [name])[name]
    if reading.exists and not force:
        users = _users(client, cluster, name, reading, outcome)
        if users:
            raise CeleryOpsError(f"the queue '{name}' isn't deleted: {users}.", outcome.result())
    outcome.tracker.add(name, before=_counts(reading), after=None)
    if reading.exists and not check:
        run(lambda queues: queues.delete(name, reading, force=force))
    return outcome


def purged(run: Run, name: str, confirmed: bool, check: bool) -> Outcome:
    """Delete the messages that wait in a queue.

    Raises:
        CeleryOpsError: The purge isn't confirmed, or there is no such queue.
    """
    if not confirmed and not check:
        raise CeleryOpsError(
            "a purge deletes all tasks that wait in the queue: give `confirm: true` for it, or "
            "run it in check mode to see how many there are."
        )
    reading = _read(run, [name])[name]
    _refuse_lacking(name, reading)
    outcome = Outcome(count=reading.ready)
    if reading.ready and not check:
        outcome.count = int(run(lambda queues: queues.purge(name)))
    outcome.tracker.add(name, before={"ready": outcome.count}, after={"ready": 0})
    return outcome


def moved(
    client: Client, run: Run, source: str, target: str, limit: int | None, check: bool
) -> Outcome:
    """Move the messages that wait in a queue to the end of another one.

    Raises:
        CeleryOpsError: There is no such queue, or not all of them could be moved in time.
    """
    if source == target:
        raise CeleryOpsError(f"`name` and `to` are the same queue '{source}': name another one.")
    readings = _read(run, [source, target])
    _refuse_lacking(source, readings[source])
    if not readings[target].exists:
        raise CeleryOpsError(
            f"there is no queue '{target}' to move messages to: make it first, by `state: present`."
        )
    due = readings[source].ready if limit is None else min(limit, readings[source].ready)
    done = Moved(due)
    if due and not check:
        until = time.monotonic() + client.remaining() - ENDING_SECONDS
        done = run(lambda queues: queues.move(source, target, due, until))
    outcome = Outcome(count=done.count)
    for name, change in ((source, -done.count), (target, done.count)):
        ready = readings[name].ready
        outcome.tracker.add(name, before={"ready": ready}, after={"ready": ready + change})
    if done.trouble:
        raise CeleryOpsError(
            f"{done.count} of {due} messages were moved from '{source}' to '{target}' "
            f"({done.trouble}): run it again for the rest; none is lost.",
            outcome.result(),
        )
    return outcome


def refuse_unfit(wanted: Wanted, on_redis: bool) -> None:
    """Refuse what the broker would ignore or misunderstand.

    Raises:
        CeleryOpsError: An option doesn't fit.
    """
    if wanted.exchange == "":
        raise CeleryOpsError("`exchange` is empty: leave it out, or name an exchange.")
    for name in wanted.arguments:
        if option := _OWN_OPTIONS.get(name):
            raise CeleryOpsError(f"`arguments` holds '{name}': give the option `{option}` for it.")
        close = get_close_matches(name, _ARGUMENTS, n=1, cutoff=0.8)
        if close and name not in _ARGUMENTS:
            raise CeleryOpsError(
                f"`arguments` holds '{name}', which RabbitMQ would ignore: "
                f"did you mean '{close[0]}'?"
            )
    given = {
        "type": wanted.type is not None,
        "arguments": bool(wanted.arguments),
        "max_priority": wanted.max_priority is not None,
        "durable": not wanted.durable,
    }
    if on_redis and any(given.values()):
        names = " and ".join(f"`{name}`" for name, is_given in given.items() if is_given)
        raise CeleryOpsError(
            f"{names} can't be had on Redis, where a queue is nothing but a list for each "
            "priority step: leave it out."
        )
    if wanted.max_priority is not None and wanted.type == "quorum":
        raise CeleryOpsError(
            "`max_priority` can't be had with `type: quorum`: such a queue always has two "
            "priorities, 0 to 4 and from 5."
        )
    if wanted.max_priority is not None and not 1 <= wanted.max_priority <= 255:
        raise CeleryOpsError(f"`max_priority` must be from 1 to 255, not {wanted.max_priority}.")


def defined(wanted: Wanted, settings: Mapping[str, Any], on_redis: bool) -> Definition:
    """The definition that the app's workers would give to the queue, but for what is asked for."""
    default = wanted.name == settings.get("task_default_queue", "celery")
    own_type, own_exchange_type = (
        ("task_default_queue_type", "task_default_exchange_type")
        if default
        else ("task_create_missing_queue_type", "task_create_missing_queue_exchange_type")
    )
    arguments = dict(wanted.arguments)
    kind = wanted.type or settings.get(own_type) or "classic"
    # Celery declares a classic queue without naming its type, which a virtual host may turn into
    # its own default.
    if wanted.type or kind != "classic":
        arguments["x-queue-type"] = kind
    highest = wanted.max_priority or settings.get("task_queue_max_priority")
    if highest and kind == "classic":
        arguments["x-max-priority"] = highest
    exchange = settings.get("task_default_exchange") if default else None
    routing_key = settings.get("task_default_routing_key") if default else None
    return Definition(
        name=wanted.name,
        exchange=wanted.exchange or exchange or wanted.name,
        exchange_type=wanted.exchange_type or settings.get(own_exchange_type) or "direct",
        routing_key=wanted.routing_key or routing_key or wanted.name,
        durable=wanted.durable,
        arguments={} if on_redis else arguments,
    )


def _settings(
    client: Client, cluster: Cluster, wanted: Wanted, on_redis: bool
) -> Mapping[str, Any]:
    """The settings of a node that answers; they are needed where the type isn't given."""
    if wanted.exchange_type and (wanted.type or on_redis):
        return {}
    nodes = fleet(client, cluster, Selection((ALL,)))[:ASKED_FOR_SETTINGS]
    answers = client.call("conf", nodes=nodes, patience=READING_PATIENCE).answers
    for settings in answers.values():
        return {name.lower().removeprefix("celery_"): value for name, value in settings.items()}
    if on_redis:
        return {}
    raise CeleryOpsError(
        f"no worker tells how the app declares its queues (asked: {listed(nodes)}): "
        "start one, or give `type` and `exchange_type`."
    )


def _is_bound(reading: Reading, definition: Definition) -> bool | None:
    if reading.bindings is None:
        return None
    wanted = definition.exchange, definition.routing_key
    return any((known.exchange, known.routing_key) == wanted for known in reading.bindings)


def _users(
    client: Client, cluster: Cluster, name: str, reading: Reading, outcome: Outcome
) -> str | None:
    """Why a queue must not be deleted; None if nothing speaks against it."""
    nodes = fleet(client, cluster, Selection((ALL,)))
    commands = ("active_queues", "active", "reserved", "scheduled")
    # A worker that the inventory doesn't know may use the queue as well.
    replies = ask(client, nodes, commands, strangers=True)
    answers = {command: reply.answers for command, reply in zip(commands, replies, strict=True)}
    consuming = sorted(
        node
        for node, queues in answers["active_queues"].items()
        if any(queue["name"] == name for queue in queues)
    )
    holding = _holding(answers, name)
    outcome.missing = sorted(set().union(*(reply.missing for reply in replies)))
    outcome.duplicates = client.duplicates
    outcome.nodes = {
        node: {"consumes": node in consuming, "holds": holding.get(node, 0)}
        for node in sorted(set(answers["active_queues"]))
    }
    return _objection(reading, consuming, holding, outcome.missing)


def _objection(
    reading: Reading,
    consuming: Collection[str],
    holding: Mapping[str, int],
    missing: Collection[str],
) -> str | None:
    by_force = "or give `force: true`"
    if reading.ready:
        return (
            f"{reading.ready} messages wait in it; move or purge them by `state: moved` or "
            f"`state: purged`, {by_force}"
        )
    if consuming or reading.consumers:
        who = listed(consuming) if consuming else f"{reading.consumers} unknown consumers"
        return f"{who} consume from it; stop that by celery_consumer, {by_force}"
    held = max(reading.unacked or 0, sum(holding.values()))
    if held:
        where = f" at {listed(holding)}" if holding else ""
        return f"workers hold {held} of its messages{where}; wait until they have run, {by_force}"
    if not reading.unacked_exact:
        return f"workers hold too many messages to tell whether any is of it; wait, {by_force}"
    if missing:
        return (
            f"it isn't known whether {listed(missing)} consume from it, since there was no "
            f"answer; run it again when they answer, {by_force}"
        )
    return None


def _holding(answers: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, int]:
    """The number of tasks of a queue by the nodes that hold any."""
    holding: dict[str, int] = {}
    for command in ("active", "reserved", "scheduled"):
        for node, tasks in answers[command].items():
            held = sum(_came_by(task, name) for task in tasks)
            if held:
                holding[node] = holding.get(node, 0) + held
    return holding


def _came_by(task: Mapping[str, Any], name: str) -> bool:
    # An ETA task is wrapped; one with acks_late is unacknowledged until it ends.
    request = task.get("request", task)
    info = request.get("delivery_info") or {}
    return not request.get("acknowledged") and info.get("routing_key") == name


def _counts(reading: Reading) -> dict[str, Any] | None:
    if not reading.exists:
        return None
    counts = asdict(reading)
    return {name: counts[name] for name in ("ready", "unacked", "type")}


def _refuse_lacking(name: str, reading: Reading) -> None:
    if not reading.exists:
        raise CeleryOpsError(
            f"there is no queue '{name}': check the name; celery_queue_info shows those that "
            "there are."
        )


def _read(run: Run, names: Collection[str]) -> dict[str, Reading]:
    readings: dict[str, Reading] = run(lambda queues: queues.read(names, MOST_UNACKED))
    return readings
