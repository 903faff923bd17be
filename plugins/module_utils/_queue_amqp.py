# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""Queues on RabbitMQ."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._declaring import (
    bind_to_delays,
    clash,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import (
    BrokerError,
    CeleryOpsError,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._management import Management
from ansible_collections.celeryops.cluster.plugins.module_utils._queues import (
    BATCH,
    Binding,
    Definition,
    Moved,
    Reading,
)

# The consumer that takes messages to be moved, and the seconds after which no more are coming.
TAG = "celeryops"
IDLE_SECONDS = 1.0
NOT_FOUND, REFUSED, LOCKED, PRECONDITION = 404, 403, 405, 406
NO_API = "only RabbitMQ's management API tells it, and the cluster has no URL of it"
NO_PEEK = "RabbitMQ shows no message without taking it out of its queue"
_DIFFERENCE = re.compile(
    r"inequivalent arg '([^']+)' for (queue|exchange) .*: received (.*) but current is (.*)"
)


class AmqpQueues:
    """The queues of one virtual host."""

    on_redis = False

    def __init__(self, connection: Any, management: Management | None) -> None:
        self._connection = connection
        self._management = management

    def read(self, names: Collection[str], most_unacked: int) -> dict[str, Reading]:  # noqa: ARG002
        return {name: self._reading(name) for name in names}

    def known(self) -> list[str]:
        return self._management.queues() if self._management else []

    def conflict(self, definition: Definition) -> str | None:
        text = clash(self._connection, definition.name, _for_workers(definition))
        if text and not _DIFFERENCE.search(text):
            raise CeleryOpsError(
                f"The queue '{definition.name}' is there, and can't be compared with what is asked "
                f"for, since {text}."
            )
        return difference(text) if text else None

    def declare(self, definition: Definition) -> None:
        with self._connection.channel() as channel:
            try:
                # The queue comes first: where it is refused, no exchange is left behind.
                channel.queue_declare(
                    queue=definition.name,
                    durable=definition.durable,
                    exclusive=False,
                    auto_delete=False,
                    arguments=dict(definition.arguments),
                )
                channel.exchange_declare(
                    exchange=definition.exchange,
                    type=definition.exchange_type,
                    durable=definition.durable,
                    auto_delete=False,
                )
                channel.queue_bind(
                    queue=definition.name,
                    exchange=definition.exchange,
                    routing_key=definition.routing_key,
                )
            except self._connection.channel_errors as error:
                raise _explained(error, definition) from error
        bind_to_delays(self._connection, definition.name, _for_workers(definition))

    def delete(self, name: str, reading: Reading, *, force: bool) -> None:
        # A quorum queue knows no conditions: asking for them ends the whole connection.
        conditional = not force and reading.type == "classic"
        with self._connection.channel() as channel:
            try:
                channel.queue_delete(queue=name, if_unused=conditional, if_empty=conditional)
            except self._connection.channel_errors as error:
                if error.code == PRECONDITION:
                    raise CeleryOpsError(
                        f"The queue '{name}' came into use meanwhile ({_text(error)}): try again."
                    ) from error
                raise CeleryOpsError(_refusal(f"delete the queue '{name}'", error)) from error

    def purge(self, name: str) -> int:
        with self._connection.channel() as channel:
            try:
                return int(channel.queue_purge(queue=name))
            except self._connection.channel_errors as error:
                raise CeleryOpsError(_refusal(f"purge the queue '{name}'", error)) from error

    def move(self, source: str, target: str, count: int, until: float) -> Moved:
        moved = 0
        with self._connection.channel() as channel:
            try:
                mover = _Mover(self._connection, channel, source, target)
                while moved < count and not mover.trouble:
                    if time.monotonic() >= until:
                        return Moved(moved, "the time-out is over")
                    batch = mover.take(min(BATCH, count - moved))
                    if not batch:
                        break
                    moved += mover.pass_on(batch, until)
            except self._connection.channel_errors as error:
                return Moved(moved, _text(error))
        # With the channel, whatever was taken and not moved goes back to its place.
        return Moved(moved, mover.trouble)

    def _reading(self, name: str) -> Reading:
        with self._connection.channel() as channel:
            try:
                found = channel.queue_declare(queue=name, passive=True)
            except self._connection.channel_errors as error:
                if error.code == NOT_FOUND:
                    return Reading(exists=False)
                if error.code == LOCKED:
                    reason = "another connection has the queue for itself"
                    return Reading(exists=True, unknown=dict.fromkeys(_COUNTED, reason))
                raise CeleryOpsError(_refusal(f"read the queue '{name}'", error)) from error
        details, unknown = self._details(name)
        return Reading(
            exists=True,
            ready=found.message_count,
            unacked=details.get("messages_unacknowledged"),
            consumers=found.consumer_count,
            type=details.get("type"),
            bindings=details.get("bindings"),
            unknown={
                "priorities": "RabbitMQ doesn't count by priority",
                "heads": NO_PEEK,
                **unknown,
            },
        )

    def _details(self, name: str) -> tuple[Mapping[str, Any], dict[str, str]]:
        """What only the management API tells, or why it doesn't."""
        if not self._management:
            return {}, dict.fromkeys(_BY_API, NO_API)
        try:
            details = self._management.queue(name)
            bindings = self._management.bindings(name)
        except BrokerError as error:
            return {}, dict.fromkeys(_BY_API, error.clause)
        if details is None:
            return {}, dict.fromkeys(_BY_API, "the management API doesn't show the queue yet")
        return {**details, "bindings": [Binding(*binding) for binding in bindings]}, {}


_COUNTED = ("ready", "priorities", "unacked", "consumers", "type", "heads")
_BY_API = ("unacked", "type")


class _Mover:
    """Publishes messages, and takes them from their source when the target has confirmed them."""

    def __init__(self, connection: Any, channel: Any, source: str, target: str) -> None:
        self.trouble: str | None = None
        self._connection = connection
        self._channel = channel
        self._source = source
        self._target = target
        self._published = 0
        self._open: set[int] = set()
        self._refused: set[int] = set()
        self._returned = False
        # The body is passed on as it is.
        channel.auto_decode = False
        channel.confirm_select()
        channel.events["basic_ack"].add(self._on_ack)
        channel.events["basic_nack"].add(self._on_nack)
        channel.events["basic_return"].add(self._on_return)

    def take(self, count: int) -> list[Any]:
        """Take the oldest messages, as many as there are, and no more than asked for.

        A consumer's messages are acknowledged by one command. Of many, as for messages that were
        got one by one, a quorum queue holds some back, and forgets them when the channel closes.
        """
        taken: list[Any] = []
        self._channel.basic_qos(0, count, False)
        self._channel.basic_consume(self._source, consumer_tag=TAG, callback=taken.append)
        while len(taken) < count:
            try:
                self._connection.drain_events(timeout=IDLE_SECONDS)
            except TimeoutError:
                break
        self._channel.basic_cancel(TAG)
        return taken

    def pass_on(self, batch: list[Any], until: float) -> int:
        """Publish messages that were taken, and count those that the target has."""
        # Not the channel's own way, which may be to wait for each confirmation.
        publish = type(self._channel).basic_publish
        sources = {}
        for taken in batch:
            self._published += 1
            sources[self._published] = taken.delivery_tag
            self._open.add(self._published)
            publish(self._channel, taken, exchange="", routing_key=self._target, mandatory=True)
        self._await_confirmations(until)
        if not self.trouble:
            self._channel.basic_ack(batch[-1].delivery_tag, multiple=True)
            return len(batch)
        # A returned message can't be told from the others: the whole batch stays where it was.
        done = [] if self._returned else sorted(set(sources) - self._open - self._refused)
        for number in done:
            self._channel.basic_ack(sources[number])
        return len(done)

    def _await_confirmations(self, until: float) -> None:
        while self._open:
            try:
                self._connection.drain_events(timeout=max(0.1, until - time.monotonic()))
            except TimeoutError:
                self.trouble = f"the queue '{self._target}' didn't confirm in time"
                return
        if self._returned:
            self.trouble = f"the queue '{self._target}' is gone"
        elif self._refused:
            self.trouble = f"the queue '{self._target}' takes no more messages"

    def _on_ack(self, tag: int, multiple: bool) -> None:
        self._open -= self._settled(tag, multiple)

    def _on_nack(self, tag: int, multiple: bool) -> None:
        settled = self._settled(tag, multiple)
        self._refused |= settled
        self._open -= settled

    def _settled(self, tag: int, multiple: bool) -> set[int]:
        return {number for number in self._open if number == tag or (multiple and number < tag)}

    def _on_return(self, *_: Any) -> None:
        self._returned = True


def _for_workers(definition: Definition) -> dict[str, Any]:
    """The definition in the words of a worker's command."""
    return {
        "exchange": definition.exchange,
        "exchange_type": definition.exchange_type,
        "routing_key": definition.routing_key,
        "durable": definition.durable,
        "queue_arguments": definition.arguments,
    }


def difference(text: str) -> str:
    """RabbitMQ's objection to a definition as a clause."""
    match = _DIFFERENCE.search(text)
    if not match:
        return text
    argument, where, asked, present = match.groups()
    what = f"its {argument}" if where == "queue" else f"the {argument} of its exchange"
    return f"{what} is {present}, and {asked} is asked for"


def _explained(error: Any, definition: Definition) -> CeleryOpsError:
    if error.code == PRECONDITION:
        return CeleryOpsError(
            f"RabbitMQ refuses the queue '{definition.name}' as it is asked for "
            f"({difference(_text(error))}): check `type`, `max_priority` and `arguments`."
        )
    return CeleryOpsError(_refusal(f"declare the queue '{definition.name}'", error))


def _refusal(what: str, error: Any) -> str:
    if error.code == REFUSED:
        return (
            f"The broker's user may not {what} ({_text(error)}): give it the permission "
            "on RabbitMQ's side."
        )
    return f"RabbitMQ didn't {what} ({_text(error)})."


def _text(error: Any) -> str:
    return str(error.reply_text).partition(" - ")[2] or str(error.reply_text)
