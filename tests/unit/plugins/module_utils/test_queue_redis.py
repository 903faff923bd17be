# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Queues on a Redis that is a dictionary; the real one is in tests/integration."""

from __future__ import annotations

import fnmatch
import json
import time
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils import _queue_redis
from ansible_collections.celeryops.cluster.plugins.module_utils._queue_redis import (
    RedisQueues,
    message,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._queues import (
    Binding,
    Definition,
    Message,
    Moved,
)

SEP = "\x06\x16"
FAR = time.monotonic() + 3600


class Redis:
    """The commands that are used; a pipeline carries them out at once."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.replies: list[Any] = []
        self.before_move = lambda: None

    def pipeline(self, **_: Any) -> Redis:
        pipe = Redis()
        pipe.data = self.data
        return pipe

    def execute(self) -> list[Any]:
        return self.replies

    def _note(self, reply: Any) -> Redis:
        self.replies.append(reply)
        return self

    def llen(self, key: str) -> Redis:
        return self._note(len(self.data.get(key, [])))

    def lindex(self, key: str, _index: int) -> Redis:
        return self._note((self.data.get(key) or [None])[-1])

    def smembers(self, key: bytes) -> Redis:
        return self._note({member.encode() for member in self.data[key.decode()]})

    def srem(self, key: str, member: str) -> Redis:
        self.data.get(key, set()).discard(member)
        return self._note(1)

    def delete(self, *keys: str) -> Redis:
        return self._note([self.data.pop(key, None) for key in keys])

    def scan_iter(self, match: str, **_: Any) -> list[bytes]:
        return [key.encode() for key in self.data if fnmatch.fnmatchcase(key, match)]

    def hscan_iter(self, key: str, **_: Any) -> list[tuple[bytes, bytes]]:
        return list(self.data.get(key, {}).items())

    def lrange(self, key: str, start: int, _end: int) -> list[bytes]:
        return list(self.data.get(key, [])[start:])

    def register_script(self, _text: str) -> Any:
        def move(keys: list[str], args: list[bytes]) -> int:
            self.before_move()
            source, target = (self.data.setdefault(key, []) for key in keys)
            moved = 0
            for expected, rewritten in zip(args[::2], args[1::2], strict=True):
                if not source or source[-1] != expected:
                    break
                target.insert(0, rewritten)
                source.pop()
                moved += 1
            return moved

        return move


def raw(number: int, exchange: str = "", key: str = "src", **headers: Any) -> bytes:
    info = {"exchange": exchange, "routing_key": key}
    return json.dumps(
        {
            "body": "W10=",
            "headers": {"id": str(number), "task": "a.b", "own": {"list": [], "x": {}}, **headers},
            "properties": {"priority": 3, "delivery_info": info},
        }
    ).encode()


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> Redis:
    library = pytest.importorskip("redis")
    server = Redis()
    monkeypatch.setattr(library, "Redis", lambda **_: server)
    return server


@pytest.fixture
def queues(redis: Redis) -> RedisQueues:
    def bind(**binding: str) -> None:
        member = SEP.join([binding["routing_key"], "", binding["queue"]])
        redis.data.setdefault(f"p:_kombu.binding.{binding['exchange']}", set()).add(member)

    channel = SimpleNamespace(
        global_keyprefix="p:",
        sep=SEP,
        pool=None,
        priority_steps=[0, 3],
        keyprefix_queue="_kombu.binding.%s",
        keyprefix_binding_permanent="_kombu.binding_permanent.%s",
        unacked_key="unacked",
        _q_for_pri=lambda name, step: f"{name}{SEP}{step}" if step else name,
        queue_declare=lambda **_: None,
        exchange_declare=lambda **_: None,
        queue_bind=bind,
        queue_purge=lambda _name: 7,
    )
    return RedisQueues(SimpleNamespace(default_channel=channel))


def test_a_queue_that_is_not_there(queues: RedisQueues) -> None:
    reading = queues.read(["src"], 10)["src"]
    assert (reading.exists, reading.ready, reading.unacked) == (False, 0, 0)
    assert reading.heads == []


def test_declaring_and_deleting(queues: RedisQueues, redis: Redis) -> None:
    queues.declare(Definition("src", "ex", "direct", "rk"))
    reading = queues.read(["src"], 10)["src"]
    assert reading.exists
    assert reading.bindings == [Binding("ex", "rk")]
    assert queues.known() == ["src"]
    assert queues.conflict(Definition("src", "other", "direct", "rk")) is None
    redis.data["p:src"] = [raw(1)]
    queues.delete("src", reading, force=False)
    assert queues.known() == []
    assert redis.data["p:src"], "a message that came meanwhile was deleted"
    queues.delete("src", reading, force=True)
    assert "p:src" not in redis.data


def test_reading_by_priority(queues: RedisQueues, redis: Redis) -> None:
    redis.data["p:src"] = [raw(2), raw(1, celeryops_due=100.5)]
    redis.data[f"p:src{SEP}3"] = [raw(3)]
    reading = queues.read(["src"], 10)["src"]
    assert (reading.exists, reading.ready) == (True, 3)
    assert reading.priorities == {0: 2, 3: 1}
    assert reading.heads == [Message("1", "a.b", 100.5), Message("3", "a.b", None)]
    assert set(reading.unknown) == {"consumers", "type"}
    assert queues.purge("src") == 7


def test_held_messages_by_queue(queues: RedisQueues, redis: Redis) -> None:
    queues.declare(Definition("src", "direct", "direct", "rk"))
    topic = SEP.join(["mail.*", r"^mail\.[^\.]+$", "mail"])
    redis.data["p:_kombu.binding.topic"] = {topic, "malformed"}
    routes = [("", "src"), ("direct", "rk"), ("topic", "mail.x"), ("topic", "x"), ("", "else")]
    redis.data["p:unacked"] = {
        str(number).encode(): json.dumps([{}, *route]).encode()
        for number, route in enumerate(routes)
    }
    readings = queues.read(["src", "mail"], 10)
    assert (readings["src"].unacked, readings["mail"].unacked) == (2, 1)
    assert readings["src"].unacked_exact
    reading = queues.read(["src"], 1)["src"]
    assert (reading.unacked, reading.unacked_exact) == (1, False)


def test_moving_keeps_order_priority_and_content(queues: RedisQueues, redis: Redis) -> None:
    redis.data["p:src"] = [raw(number) for number in (3, 2, 1)]
    redis.data[f"p:src{SEP}3"] = [raw(4), b"no JSON"]
    redis.data["p:dst"] = [raw(0, key="dst")]
    assert queues.move("src", "dst", 5, FAR) == Moved(5)
    ids = [json.loads(each)["headers"]["id"] for each in redis.data["p:dst"]]
    assert ids == ["3", "2", "1", "0"]
    assert redis.data[f"p:dst{SEP}3"][-1] == b"no JSON"
    moved = json.loads(redis.data["p:dst"][0])
    original = json.loads(raw(3))
    assert moved["properties"].pop("delivery_info") == {"exchange": "", "routing_key": "dst"}
    original["properties"].pop("delivery_info")
    assert moved == original
    assert not redis.data["p:src"]


def test_moving_at_most_some(queues: RedisQueues, redis: Redis) -> None:
    redis.data["p:src"] = [raw(number) for number in (3, 2, 1)]
    assert queues.move("src", "dst", 2, FAR) == Moved(2)
    assert redis.data["p:src"] == [raw(3)]


def test_moving_beside_a_consumer(
    queues: RedisQueues, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_queue_redis, "BATCH", 2)
    redis.data["p:src"] = [raw(number) for number in (4, 3, 2, 1)]
    taken: list[bytes] = []

    def consume() -> None:
        if not taken:
            taken.append(redis.data["p:src"].pop())

    redis.before_move = consume
    assert queues.move("src", "dst", 4, FAR) == Moved(3)
    assert taken == [raw(1)]
    assert [json.loads(m)["headers"]["id"] for m in redis.data["p:dst"]] == ["4", "3", "2"]


def test_moving_ends_in_time(queues: RedisQueues, redis: Redis) -> None:
    redis.data["p:src"] = [raw(1)]
    assert queues.move("src", "dst", 1, 0.0) == Moved(0, "the time-out is over")


@pytest.mark.parametrize("content", [b"x", b"[]", b'{"headers": null}', b'{"headers": 1}'])
def test_messages_of_others(content: bytes) -> None:
    assert message(content) == Message(None, None, None)
