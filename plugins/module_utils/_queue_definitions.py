# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""What a queue is to a worker: the definitions that were asked for, shown, or made at its start."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import is_direct_queue

DETAILS = ("exchange", "exchange_type", "routing_key", "durable", "queue_arguments")
TYPES = ("direct", "topic", "fanout", "headers")
# What a unit's environment and Celery's option --queues can hold.
_NAME = re.compile(r"[\w.:@/-]+\Z")

# The arguments of `add_consumer` without the name.
Definition = Mapping[str, Any]


def wanted_queues(values: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """Check the queues that the user named; what was said of each, by its name.

    Raises:
        CeleryOpsError: A name, a type or a key isn't valid, or a queue is named twice.
    """
    wanted: dict[str, dict[str, Any]] = {}
    for value in values:
        given = dict(value) if isinstance(value, Mapping) else {"name": value}
        name = given.pop("name", None)
        if not isinstance(name, str) or not _NAME.match(name):
            raise CeleryOpsError(
                f"`queues`: {name!r} is no name of a queue: use letters, digits and _.:@/- only."
            )
        if is_direct_queue(name):
            raise CeleryOpsError(
                f"`queues`: '{name}' is a node's own queue, which isn't to be changed."
            )
        if name in wanted:
            raise CeleryOpsError(f"`queues`: '{name}' is named twice.")
        wanted[name] = _checked_details(name, given)
    return wanted


def work_queues(queues: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The definitions that `active_queues` shows, by name, without a node's own queue."""
    return {
        queue["name"]: {
            "exchange": (queue.get("exchange") or {}).get("name"),
            "exchange_type": (queue.get("exchange") or {}).get("type"),
            "routing_key": queue.get("routing_key"),
            "durable": queue.get("durable", True),
            "queue_arguments": queue.get("queue_arguments") or {},
        }
        for queue in queues
        if not is_direct_queue(queue["name"])
    }


def start_definition(conf: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """What a worker with these settings takes a queue for when it starts.

    Args:
        conf: The answer to `conf`, which holds only what differs from Celery's defaults.
        name: The queue's name.

    Returns:
        The definition; None if the worker wouldn't start with such a queue.
    """
    declared = conf.get("task_queues") or ()
    known = work_queues(queue for queue in declared if isinstance(queue, Mapping))
    if name in known:
        return known[name]
    if not declared and name == conf.get("task_default_queue", "celery"):
        return _definition(
            conf.get("task_default_exchange") or name,
            conf.get("task_default_exchange_type"),
            conf.get("task_default_routing_key") or name,
            conf.get("task_default_queue_type"),
        )
    if not conf.get("task_create_missing_queues", True):
        return None
    return _definition(
        name,
        conf.get("task_create_missing_queue_exchange_type"),
        name,
        conf.get("task_create_missing_queue_type"),
    )


def complete(conf: Mapping[str, Any], name: str, details: Definition) -> dict[str, Any]:
    """The whole definition of a queue of which only some details were given."""
    base = start_definition(conf, name) or _definition(name, None, name, None)
    arguments = {**base["queue_arguments"], **(details.get("queue_arguments") or {})}
    return {**base, **details, "queue_arguments": arguments}


def difference(actual: Definition, details: Definition) -> str | None:
    """How a definition differs from the details that were given; None if it doesn't."""
    for key, value in details.items():
        if key == "queue_arguments":
            different = {k: v for k, v in value.items() if actual[key].get(k) != v}
            if different:
                name = min(different)
                return f"{name} {actual[key].get(name)!r} instead of {different[name]!r}"
        elif actual[key] != value:
            return f"{key} {actual[key]!r} instead of {value!r}"
    return None


def _checked_details(name: str, given: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(given) - set(DETAILS))
    if unknown:
        raise CeleryOpsError(
            f"`queues`: '{name}' has an unknown key '{unknown[0]}'; known: name, "
            f"{', '.join(DETAILS)}."
        )
    details = {key: value for key, value in given.items() if value is not None}
    if details.get("exchange_type", "direct") not in TYPES:
        raise CeleryOpsError(
            f"`queues`: '{name}' has the unknown exchange_type '{details['exchange_type']}': "
            f"use {', '.join(TYPES)}."
        )
    for key, kind in (("exchange", str), ("routing_key", str), ("queue_arguments", Mapping)):
        if key in details and (not isinstance(details[key], kind) or not details[key]):
            raise CeleryOpsError(
                f"`queues`: '{key}' of '{name}' is empty or not of the right type."
            )
    if "durable" in details and not isinstance(details["durable"], bool):
        raise CeleryOpsError(f"`queues`: 'durable' of '{name}' must be true or false.")
    return details


def _definition(
    exchange: str, exchange_type: str | None, routing_key: str, queue_type: str | None
) -> dict[str, Any]:
    quorum = queue_type == "quorum"
    return {
        "exchange": exchange,
        "exchange_type": exchange_type or "direct",
        "routing_key": routing_key,
        "durable": True,
        "queue_arguments": {"x-queue-type": "quorum"} if quorum else {},
    }
