# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""Queues on Redis, where a queue is a list for each priority step, and a binding a set's member."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._queues import (
    BATCH,
    DUE,
    Binding,
    Definition,
    Message,
    Moved,
    Reading,
)

# The message is in the target before it leaves the source, so that nothing is lost where Redis
# refuses a step of the script. Another consumer may have taken the message meanwhile.
_MOVE = """
local moved = 0
for i = 1, #ARGV, 2 do
    if redis.call('LINDEX', KEYS[1], -1) ~= ARGV[i] then break end
    redis.call('LPUSH', KEYS[2], ARGV[i + 1])
    redis.call('RPOP', KEYS[1])
    moved = moved + 1
end
return moved
"""


class RedisQueues:
    """The queues of one database."""

    on_redis = True

    def __init__(self, connection: Any) -> None:
        from redis import Redis

        self._channel = connection.default_channel
        self._prefix = self._channel.global_keyprefix
        # The channel's own client puts the prefix before the keys of a few commands only.
        self._redis: Any = Redis(connection_pool=self._channel.pool)

    def read(self, names: Collection[str], most_unacked: int) -> dict[str, Reading]:
        pipe = self._redis.pipeline(transaction=False)
        for name in names:
            for key in self._keys(name).values():
                pipe.llen(key).lindex(key, -1)
        replies = iter(pipe.execute())
        bindings = self._bindings()
        held, exact = self._held(bindings, most_unacked)
        return {
            name: self._reading(
                {step: (next(replies), next(replies)) for step in self._keys(name)},
                bindings.get(name, []),
                held[name],
                exact,
            )
            for name in names
        }

    def known(self) -> list[str]:
        return sorted(self._bindings())

    def conflict(self, definition: Definition) -> str | None:  # noqa: ARG002
        return None

    def declare(self, definition: Definition) -> None:
        self._channel.queue_declare(queue=definition.name)
        self._channel.exchange_declare(
            exchange=definition.exchange, type=definition.exchange_type, durable=True
        )
        self._channel.queue_bind(
            queue=definition.name,
            exchange=definition.exchange,
            routing_key=definition.routing_key,
        )

    def delete(self, name: str, reading: Reading, *, force: bool) -> None:
        pipe = self._redis.pipeline()
        for binding in reading.bindings or ():
            member = self._channel.sep.join([binding.routing_key, binding.pattern, name])
            for prefix in (
                self._channel.keyprefix_queue,
                self._channel.keyprefix_binding_permanent,
            ):
                pipe.srem(self._prefix + prefix % binding.exchange, member)
        if force:
            pipe.delete(*self._keys(name).values())
        pipe.execute()

    def purge(self, name: str) -> int:
        return int(self._channel.queue_purge(name))

    def move(self, source: str, target: str, count: int, until: float) -> Moved:
        move = self._redis.register_script(_MOVE)
        targets = self._keys(target)
        moved = 0
        for step, key in self._keys(source).items():
            while moved < count:
                if time.monotonic() >= until:
                    return Moved(moved, "the time-out is over")
                wanted = min(BATCH, count - moved)
                oldest_first = self._redis.lrange(key, -wanted, -1)[::-1]
                if not oldest_first:
                    break
                pairs = [part for raw in oldest_first for part in (raw, _readdressed(raw, target))]
                moved += int(move(keys=[key, targets[step]], args=pairs))
        return Moved(moved)

    def _keys(self, name: str) -> dict[int, str]:
        """The list of each priority step, from the one that is served first."""
        steps = self._channel.priority_steps
        return {step: self._prefix + self._channel._q_for_pri(name, step) for step in steps}

    def _reading(
        self,
        steps: Mapping[int, tuple[int, bytes | None]],
        bindings: list[Binding],
        held: int,
        exact: bool,
    ) -> Reading:
        ready = sum(size for size, _head in steps.values())
        return Reading(
            exists=bool(bindings or ready),
            ready=ready,
            priorities={step: size for step, (size, _head) in steps.items()},
            unacked=held,
            unacked_exact=exact,
            heads=[message(head) for _size, head in steps.values() if head is not None],
            bindings=bindings,
            unknown={
                "consumers": "Redis counts no consumers",
                "type": "a queue on Redis has no type",
            },
        )

    def _bindings(self) -> dict[str, list[Binding]]:
        start = self._prefix + self._channel.keyprefix_queue % ""
        pattern = re.sub(r"([*?\[\]\\])", r"\\\1", start) + "*"
        keys = sorted(self._redis.scan_iter(match=pattern, count=1000))
        pipe = self._redis.pipeline(transaction=False)
        for key in keys:
            pipe.smembers(key)
        found: dict[str, list[Binding]] = {}
        for key, members in zip(keys, pipe.execute(), strict=True):
            exchange = key.decode()[len(start) :]
            for member in sorted(members):
                parts = member.decode().split(self._channel.sep)
                if len(parts) == 3:
                    found.setdefault(parts[2], []).append(Binding(exchange, *parts[:2]))
        return found

    def _held(
        self, bindings: Mapping[str, Iterable[Binding]], most: int
    ) -> tuple[Counter[str], bool]:
        """The number of unacknowledged messages by queue, and whether all were looked at."""
        held: Counter[str] = Counter()
        key = self._prefix + self._channel.unacked_key
        for looked_at, (_tag, entry) in enumerate(self._redis.hscan_iter(key, count=500)):
            if looked_at >= most:
                return held, False
            _message, exchange, routing_key = json.loads(entry)
            held.update(_led_to(exchange, routing_key, bindings))
        return held, True


def message(raw: bytes) -> Message:
    """What a message in a queue tells about itself."""
    try:
        headers = json.loads(raw)["headers"]
        due = headers.get(DUE)
        return Message(
            headers.get("id"),
            headers.get("task"),
            due if isinstance(due, (int, float)) else None,
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return Message(None, None, None)


def _readdressed(raw: bytes, target: str) -> bytes:
    """The message as if it had been sent to the target.

    A worker that gives it back, and a task that retries, send it where it says it came from.
    """
    try:
        content = json.loads(raw)
        content["properties"]["delivery_info"].update(exchange="", routing_key=target)
    except (ValueError, TypeError, KeyError, AttributeError):
        return raw
    return json.dumps(content).encode()


def _led_to(
    exchange: str, routing_key: str, bindings: Mapping[str, Iterable[Binding]]
) -> list[str]:
    if not exchange:
        return [routing_key]
    return [
        queue
        for queue, leading in bindings.items()
        if any(b.exchange == exchange and _matches(b, routing_key) for b in leading)
    ]


def _matches(binding: Binding, routing_key: str) -> bool:
    if binding.pattern:
        return re.match(binding.pattern, routing_key) is not None
    return binding.routing_key == routing_key
