# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""Canaries: small tasks that are put into the queues of single nodes and must come back.

They prove that a node fetches and runs what is sent to it, while remote control proves neither. A
canary is answered like a command, so that no result backend is needed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import is_direct_queue

# The name of the task and of the exchange, which the package `celeryops_runtime` brings into each
# worker.
CANARY = "celeryops.canary"
# Seconds by which the clocks of hosts may differ without a worker taking a canary for expired.
CLOCK_MARGIN = 60.0


@dataclass(frozen=True)
class Door:
    """Where messages for a node's own queue are sent."""

    exchange: str
    routing_key: str


def door_of(queues: Collection[Mapping[str, Any]]) -> Door | None:
    """The way to a node's own queue, by what `active_queues` shows; None where it has none."""
    for queue in queues:
        if is_direct_queue(queue["name"]):
            return Door(queue["exchange"]["name"], queue["routing_key"])
    return None


def canary(ticket: str, reply_to: Mapping[str, str], seconds: float) -> tuple[dict[str, Any], Any]:
    """The headers and the body of a canary.

    Args:
        ticket: What the reply is known by.
        reply_to: The exchange and the routing key of the reply queue.
        seconds: How long the reply is waited for.
    """
    task_id = str(uuid4())
    expires = datetime.now(timezone.utc) + timedelta(seconds=seconds + CLOCK_MARGIN)
    headers = {
        "lang": "py",
        "task": CANARY,
        "id": task_id,
        "root_id": task_id,
        "parent_id": None,
        "group": None,
        "eta": None,
        "expires": expires.isoformat(),
        "retries": 0,
        "timelimit": [None, None],
        "argsrepr": "()",
        "kwargsrepr": "{}",
        "origin": "celeryops",
        "ignore_result": True,
    }
    return headers, [[], {**reply_to, "ticket": ticket}, {}]
