# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""Queues as a broker keeps them: which there are, what they are, and what waits in them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Protocol, TypeAlias

from ansible_collections.celeryops.cluster.plugins.module_utils._client import (
    READING_PATIENCE,
    Call,
    Client,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Broker,
    Cluster,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import (
    DIRECT_QUEUE,
    Selection,
    listed,
    selected,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._replies import Replies

# What Celery keeps for itself: remote control, events, and tasks with an ETA.
_OWN_ENDS = (DIRECT_QUEUE, ".pidbox")
_OWN_STARTS = ("celeryev.", "celery_delayed_")
# Messages moved at once: so many may be in both queues after an interruption.
BATCH = 50
# The header that celeryops_runtime writes: the moment from which a task waits.
DUE = "celeryops_due"
# The management API answers within milliseconds; this is for one that doesn't.
MANAGEMENT_SECONDS = 2.0
# Seconds for workers that nobody expects, after all that are expected have answered.
STRANGER_GRACE = 0.3


@dataclass(frozen=True)
class Binding:
    """What leads to a queue; the pattern is that of a topic exchange on Redis."""

    exchange: str
    routing_key: str
    pattern: str = ""


@dataclass(frozen=True)
class Definition:
    """A queue as it is declared, with the binding that leads to it."""

    name: str
    exchange: str
    exchange_type: str
    routing_key: str
    durable: bool = True
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        """For results and diffs."""
        return {
            "exchange": self.exchange,
            "exchange_type": self.exchange_type,
            "routing_key": self.routing_key,
            "durable": self.durable,
            "arguments": dict(self.arguments),
        }


@dataclass(frozen=True)
class Message:
    """A waiting task.

    Attributes:
        id: The id of the task.
        task: Its name.
        due: Since when it waits, in seconds of Unix time; None without a stamp of the publisher.
    """

    id: str | None
    task: str | None
    due: float | None


@dataclass(frozen=True)
class Reading:
    """A queue at one moment.

    Attributes:
        exists: Whether there is such a queue. On Redis it is there when something leads to it, or
            when it holds a message.
        ready: The messages that wait.
        priorities: The same by priority step, from the one that is served first.
        unacked: The messages that workers hold.
        unacked_exact: Whether they were all counted; else they are at least so many.
        consumers: The consumers that the broker counts.
        type: classic, quorum or stream.
        heads: The oldest message of each priority step that holds any, from the one that is
            served first.
        bindings: What leads to the queue.
        unknown: Why an attribute is None, by its name.
    """

    exists: bool
    ready: int = 0
    priorities: Mapping[int, int] | None = None
    unacked: int | None = None
    unacked_exact: bool = True
    consumers: int | None = None
    type: str | None = None
    heads: Sequence[Message] | None = None
    bindings: Sequence[Binding] | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Moved:
    """How many messages were moved, and why no more."""

    count: int
    trouble: str | None = None


class Queues(Protocol):
    """The broker's side; everything raises the errors of the broker's library."""

    on_redis: bool

    def read(self, names: Collection[str], most_unacked: int) -> dict[str, Reading]:
        """Read queues; of the messages that workers hold, at most some are looked at on Redis."""

    def known(self) -> list[str]:
        """The names of all queues, as far as the broker tells them."""

    def conflict(self, definition: Definition) -> str | None:
        """How a queue that is there differs from its definition."""

    def declare(self, definition: Definition) -> None:
        """Make a queue and its binding where they are lacking."""

    def delete(self, name: str, reading: Reading, *, force: bool) -> None:
        """Delete a queue; without force, only while it is unused and empty, as far as possible."""

    def purge(self, name: str) -> int:
        """Delete the messages that wait, and count them."""

    def move(self, source: str, target: str, count: int, until: float) -> Moved:
        """Move the oldest messages, until a time of the monotonic clock."""


# Runs a step with the broker's side, within the deadline of the call.
Run: TypeAlias = Callable[[Callable[[Queues], Any]], Any]


def queues_by(client: Client, broker: Broker) -> Run:
    """How to run steps over the client's connection."""
    return lambda step: client.run(
        lambda connection: step(_side(connection, broker, client.remaining()))
    )


def fleet(client: Client, cluster: Cluster, selection: Selection) -> list[str]:
    """The selected nodes; where only those that answer are known, they have a moment for it.

    Raises:
        CeleryOpsError: The selection matches no node.
    """
    return selected(_Hurried(client), cluster, selection)


def ask(
    client: Client, nodes: Collection[str], commands: Sequence[str], *, strangers: bool
) -> list[Replies]:
    """The replies of nodes to some commands.

    Args:
        strangers: Whether workers that aren't expected are asked as well.
    """
    calls = [Call(command, {}, nodes, directed=not strangers) for command in commands]
    return client.call_all(
        calls, patience=READING_PATIENCE, grace=STRANGER_GRACE if strangers else None
    )


def is_own(name: str) -> bool:
    """Whether Celery keeps a queue for itself, so that no pool consumes from it by its settings."""
    return name.endswith(_OWN_ENDS) or name.startswith(_OWN_STARTS)


def matching(patterns: Sequence[str], known: Iterable[str]) -> list[str]:
    """The names that are meant; a plain name is, whether it is known or not.

    Celery's own queues are meant only by a plain name, or by a glob that ends like their names.

    Raises:
        CeleryOpsError: A glob matches nothing.
    """
    known = set(known)
    if not patterns:
        return sorted(name for name in known if not is_own(name))
    chosen: set[str] = set()
    for pattern in patterns:
        if not is_glob(pattern):
            chosen.add(pattern)
            continue
        own = pattern.endswith(_OWN_ENDS) or pattern.startswith(_OWN_STARTS)
        found = {name for name in known if fnmatchcase(name, pattern) and (own or not is_own(name))}
        if not found:
            shown = (name for name in known if not is_own(name))
            raise CeleryOpsError(f"no queue matches '{pattern}'; known: {listed(shown)}.")
        chosen |= found
    return sorted(chosen)


def is_glob(pattern: str) -> bool:
    """Whether a pattern may match several names."""
    return any(character in pattern for character in "*?[")


@dataclass(frozen=True)
class _Hurried:
    """Pings without waiting until the deadline where nobody is there."""

    client: Client

    def call(self, command: str) -> Replies:
        return self.client.call(command, patience=READING_PATIENCE)


def _side(connection: Any, broker: Broker, seconds: float) -> Queues:
    from ansible_collections.celeryops.cluster.plugins.module_utils._management import Management
    from ansible_collections.celeryops.cluster.plugins.module_utils._queue_amqp import AmqpQueues
    from ansible_collections.celeryops.cluster.plugins.module_utils._queue_redis import RedisQueues

    kind = connection.transport.driver_type
    if kind == "redis":
        return RedisQueues(connection)
    if kind == "amqp":
        patience = max(0.1, min(MANAGEMENT_SECONDS, seconds))
        management = (
            Management(broker, connection.virtual_host, patience) if broker.management else None
        )
        return AmqpQueues(connection, management)
    raise CeleryOpsError(
        f"the broker's URL in {broker.origin} is of kind '{kind}', whose queues can't be managed: "
        "only those of Redis and RabbitMQ can."
    )
