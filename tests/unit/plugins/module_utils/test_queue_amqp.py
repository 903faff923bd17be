# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Queues on a RabbitMQ that is a dictionary; the real one is in tests/integration."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils import _queue_amqp
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import (
    BrokerError,
    CeleryOpsError,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._queue_amqp import (
    NO_API,
    AmqpQueues,
    difference,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._queues import (
    Binding,
    Definition,
    Moved,
)

DEFINITION = Definition("src", "ex", "direct", "rk", arguments={"x-queue-type": "quorum"})


class ChannelError(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.reply_text = text


class Server:
    """Queues with their messages, and what it does to a publisher."""

    def __init__(self) -> None:
        self.queues: dict[str, list[str]] = {"src": [], "dst": []}
        self.exchanges: dict[str, str] = {}
        self.arguments: dict[str, Any] = {}
        self.log: list[tuple[str, Any]] = []
        self.refuse: dict[str, ChannelError] = {}
        self.nacked: set[str] = set()
        self.silent = False
        self.consumer: str | None = None
        self.acknowledgements = 0
        self.gone = False
        self.pending: list[Callable[[], None]] = []


class Channel:
    def __init__(self, server: Server) -> None:
        self.server = server
        self.events: Any = defaultdict(set)
        self.taken: dict[int, tuple[str, str]] = {}
        self.published = 0
        self.delivered = 0
        self.window = 0

    def __enter__(self) -> Channel:
        return self

    def __exit__(self, *_: Any) -> None:
        for queue, body in reversed(self.taken.values()):
            self.server.queues[queue].insert(0, body)

    def _check(self, what: str) -> None:
        if what in self.server.refuse:
            raise self.server.refuse[what]

    def queue_declare(self, queue: str, passive: bool = False, **options: Any) -> Any:
        self._check("passive" if passive else "queue")
        if passive and queue not in self.server.queues:
            raise ChannelError(404, f"NOT_FOUND - no queue '{queue}'")
        if not passive:
            self.server.log.append(("queue", options["arguments"]))
            self.server.queues.setdefault(queue, [])
        count = len(self.server.queues[queue])
        return SimpleNamespace(message_count=count, consumer_count=1)

    def exchange_declare(self, exchange: str, type: str, passive: bool = False, **_: Any) -> None:
        self._check("passive exchange" if passive else "exchange")
        if passive and exchange not in self.server.exchanges:
            raise ChannelError(404, "NOT_FOUND - no exchange")
        if not passive:
            self.server.log.append(("exchange", type))
            self.server.exchanges[exchange] = type

    def queue_bind(self, **binding: str) -> None:
        self.server.log.append(("bind", binding))

    def queue_delete(self, queue: str, **conditions: bool) -> None:
        self._check("delete")
        self.server.log.append(("delete", conditions))
        del self.server.queues[queue]

    def queue_purge(self, queue: str) -> int:
        self._check("purge")
        count = len(self.server.queues[queue])
        self.server.queues[queue] = []
        return count

    def confirm_select(self) -> None:
        self.server.log.append(("confirm", None))

    def basic_qos(self, _size: int, count: int, _everywhere: bool) -> None:
        self.window = count

    def basic_consume(self, queue: str, consumer_tag: str, callback: Any) -> None:
        self._check("consume")
        self.server.consumer = consumer_tag
        for _ in range(min(self.window, len(self.server.queues[queue]))):
            self.delivered += 1
            body = self.server.queues[queue].pop(0)
            self.taken[self.delivered] = queue, body
            message = SimpleNamespace(delivery_tag=self.delivered, body=body)
            self.server.pending.append(partial(callback, message))

    def basic_cancel(self, consumer_tag: str) -> None:
        assert self.server.consumer == consumer_tag
        self.server.consumer = None

    def basic_publish(self, message: Any, exchange: str, routing_key: str, **_: Any) -> None:
        assert exchange == ""
        self.published += 1
        tag, body = self.published, message.body

        def settle() -> None:
            if self.server.gone:
                self._tell("basic_return", 312, "NO_ROUTE", "", routing_key, message)
            elif body not in self.server.nacked:
                self.server.queues[routing_key].append(body)
            self._tell("basic_nack" if body in self.server.nacked else "basic_ack", tag, False)

        self.server.pending.append(settle)

    def basic_ack(self, tag: int, multiple: bool = False) -> None:
        assert self.server.consumer is None, "more messages would come"
        self.server.acknowledgements += 1
        for taken in list(self.taken):
            if taken == tag or (multiple and taken < tag):
                del self.taken[taken]

    def _tell(self, event: str, *arguments: Any) -> None:
        for callback in self.events[event]:
            callback(*arguments)


class Connection:
    channel_errors = (ChannelError,)
    transport = SimpleNamespace(driver_type="amqp")

    def __init__(self, server: Server) -> None:
        self.server = server

    def channel(self) -> Channel:
        return Channel(self.server)

    def drain_events(self, **_: Any) -> None:
        if not self.server.pending or (self.server.silent and self.server.consumer is None):
            raise TimeoutError
        self.server.pending.pop(0)()


class Management:
    def __init__(self, fault: BrokerError | None = None, lacking: bool = False) -> None:
        self.fault = fault
        self.lacking = lacking

    def queue(self, _name: str) -> Any:
        if self.fault:
            raise self.fault
        return None if self.lacking else {"type": "quorum", "messages_unacknowledged": 3}

    def bindings(self, name: str) -> list[tuple[str, str]]:
        return [("", name), ("ex", "rk")]

    def queues(self) -> list[str]:
        return ["src", "dst"]


@pytest.fixture
def server() -> Server:
    return Server()


def queues(server: Server, management: Any = None) -> AmqpQueues:
    return AmqpQueues(Connection(server), management)


def far() -> float:
    return time.monotonic() + 60


def test_reading(server: Server) -> None:
    server.queues["src"] = ["a", "b"]
    found = queues(server).read(["src", "nosuch"], 0)
    assert not found["nosuch"].exists
    reading = found["src"]
    assert (reading.ready, reading.consumers, reading.unacked, reading.type) == (2, 1, None, None)
    assert reading.unknown["unacked"] == reading.unknown["type"] == NO_API
    assert reading.bindings is None
    assert queues(server).known() == []


def test_reading_with_the_management_api(server: Server) -> None:
    api = Management()
    reading = queues(server, api).read(["src"], 0)["src"]
    assert (reading.unacked, reading.type) == (3, "quorum")
    assert reading.bindings == [Binding("", "src"), Binding("ex", "rk")]
    assert set(reading.unknown) == {"priorities", "heads"}
    assert queues(server, api).known() == ["src", "dst"]


@pytest.mark.parametrize(
    ("management", "reason"),
    [
        (Management(BrokerError("It is down.")), "It is down"),
        (Management(lacking=True), "doesn't show the queue yet"),
    ],
)
def test_a_management_api_that_tells_nothing(
    server: Server, management: Management, reason: str
) -> None:
    reading = queues(server, management).read(["src"], 0)["src"]
    assert reason in reading.unknown["unacked"]


def test_a_queue_of_another_connection(server: Server) -> None:
    server.refuse["passive"] = ChannelError(405, "RESOURCE_LOCKED - it is exclusive")
    reading = queues(server).read(["src"], 0)["src"]
    assert reading.exists
    assert "for itself" in reading.unknown["ready"]


def test_declaring(server: Server) -> None:
    queues(server).declare(DEFINITION)
    assert server.log == [
        ("queue", {"x-queue-type": "quorum"}),
        ("exchange", "direct"),
        ("bind", {"queue": "src", "exchange": "ex", "routing_key": "rk"}),
    ]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            ChannelError(406, "PRECONDITION_FAILED - invalid arg 'x-max-priority'"),
            r"refuses the queue 'src' as it is asked for \(invalid arg 'x-max-priority'\)",
        ),
        (ChannelError(403, "ACCESS_REFUSED - no"), r"user may not declare the queue 'src' \(no\)"),
        (ChannelError(541, "INTERNAL_ERROR - x"), r"RabbitMQ didn't declare the queue 'src'"),
    ],
)
def test_a_queue_that_is_refused_leaves_nothing_behind(
    server: Server, error: ChannelError, sentence: str
) -> None:
    server.refuse["queue"] = error
    with pytest.raises(CeleryOpsError, match=sentence):
        queues(server).declare(DEFINITION)
    assert server.log == []


def test_conflicts(server: Server) -> None:
    side = queues(server)
    assert side.conflict(DEFINITION) is None
    assert server.exchanges == {}
    server.exchanges["ex"] = "topic"
    server.refuse["exchange"] = ChannelError(
        406,
        "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'ex' in vhost '/': "
        "received 'direct' but current is 'topic'",
    )
    assert side.conflict(DEFINITION) == (
        "the type of its exchange is 'topic', and 'direct' is asked for"
    )
    server.refuse["passive exchange"] = ChannelError(403, "ACCESS_REFUSED - no access")
    with pytest.raises(CeleryOpsError, match=r"can't be compared .* since the broker says: no acc"):
        side.conflict(DEFINITION)


def test_tasks_with_an_eta_come_to_a_new_queue(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound: list[tuple[str, str]] = []
    monkeypatch.setattr(
        _queue_amqp,
        "bind_to_delays",
        lambda _connection, name, words: bound.append((name, words["exchange_type"])),
    )
    queues(server).declare(DEFINITION)
    assert bound == [("src", "direct")]


def test_differences() -> None:
    text = "inequivalent arg 'x-max-priority' for queue 'q' in vhost '/': received none but current"
    assert difference(f"{text} is the value '10' of type 'signedint'") == (
        "its x-max-priority is the value '10' of type 'signedint', and none is asked for"
    )
    assert difference("something else") == "something else"


@pytest.mark.parametrize(
    ("kind", "force", "conditional"),
    [("classic", False, True), ("classic", True, False), ("quorum", False, False)],
)
def test_deleting(server: Server, kind: str, force: bool, conditional: bool) -> None:
    reading: Any = SimpleNamespace(type=kind)
    queues(server).delete("src", reading, force=force)
    assert server.log == [("delete", {"if_unused": conditional, "if_empty": conditional})]


def test_a_queue_that_is_used_again_is_kept(server: Server) -> None:
    reading: Any = SimpleNamespace(type="classic")
    server.refuse["delete"] = ChannelError(406, "PRECONDITION_FAILED - not empty")
    with pytest.raises(CeleryOpsError, match=r"came into use meanwhile \(not empty\)"):
        queues(server).delete("src", reading, force=False)
    server.refuse["delete"] = ChannelError(403, "ACCESS_REFUSED - no")
    with pytest.raises(CeleryOpsError, match="may not delete"):
        queues(server).delete("src", reading, force=False)


def test_purging(server: Server) -> None:
    server.queues["src"] = ["a", "b"]
    assert queues(server).purge("src") == 2
    server.refuse["purge"] = ChannelError(403, "ACCESS_REFUSED - no")
    with pytest.raises(CeleryOpsError, match="may not purge"):
        queues(server).purge("src")


def test_moving(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_queue_amqp, "BATCH", 2)
    server.queues["src"] = ["a", "b", "c", "d"]
    assert queues(server).move("src", "dst", 3, far()) == Moved(3)
    assert server.queues == {"src": ["d"], "dst": ["a", "b", "c"]}
    assert server.acknowledgements == 2, "a quorum queue may forget single acknowledgements"
    assert queues(server).move("src", "dst", 3, far()) == Moved(1)


def test_moving_to_a_queue_that_refuses_some(server: Server) -> None:
    server.queues["src"] = ["a", "b", "c"]
    server.nacked = {"b"}
    moved = queues(server).move("src", "dst", 3, far())
    assert moved == Moved(2, "the queue 'dst' takes no more messages")
    assert server.queues == {"src": ["b"], "dst": ["a", "c"]}


def test_moving_to_a_queue_that_goes_away(server: Server) -> None:
    server.queues["src"] = ["a", "b"]
    server.gone = True
    assert queues(server).move("src", "dst", 2, far()) == Moved(0, "the queue 'dst' is gone")
    assert server.queues["src"] == ["a", "b"]


def test_moving_to_a_queue_that_is_silent(server: Server) -> None:
    server.queues["src"] = ["a", "b"]
    server.silent = True
    moved = queues(server).move("src", "dst", 2, far())
    assert moved == Moved(0, "the queue 'dst' didn't confirm in time")
    assert server.queues["src"] == ["a", "b"]


def test_moving_ends_in_time_or_with_the_permission(server: Server) -> None:
    server.queues["src"] = ["a"]
    assert queues(server).move("src", "dst", 1, 0.0) == Moved(0, "the time-out is over")
    server.refuse["consume"] = ChannelError(403, "ACCESS_REFUSED - no read access")
    assert queues(server).move("src", "dst", 1, far()) == Moved(0, "no read access")
