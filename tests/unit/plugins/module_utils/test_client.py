# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client against workers on kombu's transport within one process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils import _client
from ansible_collections.celeryops.cluster.plugins.module_utils._client import Call, Client
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Broker
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import (
    BrokerError,
    CeleryOpsError,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._security import (
    RefusedError,
    codec,
)

kombu = pytest.importorskip("kombu")

BROKER = Broker("memory://", "the option `broker_url`", {"polling_interval": 0.001})


class Workers(threading.Thread):
    """Nodes that answer `ping`, `stats` and `pool_grow`; a name may be there twice."""

    def __init__(self, *names: str) -> None:
        super().__init__(daemon=True)
        self.received: list[tuple[str, str]] = []
        self._names = names
        self._over = threading.Event()
        self._ready = threading.Event()

    def run(self) -> None:
        from kombu.pidbox import Mailbox

        connection = kombu.Connection("memory://", transport_options={"polling_interval": 0.001})
        mailbox = Mailbox("celery", type="fanout", connection=connection, accept=["json"])
        for number, name in enumerate(self._names):
            self._listen(mailbox, connection.channel(), name, number)
        self._ready.set()
        while not self._over.is_set():
            try:
                connection.drain_events(timeout=0.02)
            except TimeoutError:
                continue
        connection.release()

    def _listen(self, mailbox: Any, channel: Any, name: str, number: int) -> None:
        def ping(_state: Any) -> Any:
            self.received.append(("ping", name))
            return {"ok": "pong"}

        def pool_grow(_state: Any, n: int) -> Any:
            self.received.append(("pool_grow", name))
            raise ValueError(f"can't grow by {n}")

        handlers = {"ping": ping, "pool_grow": pool_grow}
        node = mailbox.Node(name, channel=channel, handlers=handlers)
        # A queue of its own for each, as two hosts with the same name have on Redis.
        queue = mailbox.get_queue(f"{name}.{number}")(channel)
        kombu.Consumer(
            channel, [queue], callbacks=[node.handle_message], accept=["json"], no_ack=True
        ).consume()

    def begin(self) -> Workers:
        self.start()
        assert self._ready.wait(5)
        return self

    def end(self) -> None:
        self._over.set()
        self.join(5)


@pytest.fixture
def workers() -> Iterator[Callable[..., Workers]]:
    begun = []

    def begin(*names: str) -> Workers:
        begun.append(Workers(*names).begin())
        return begun[-1]

    yield begin
    for each in begun:
        each.end()


def test_directed_to_some(workers: Callable[..., Workers]) -> None:
    fleet = workers("a@h", "b@h", "c@h")
    with Client(BROKER, 5.0) as client:
        replies = client.call("ping", nodes=["a@h", "c@h"])
    assert replies.answers == {"a@h": {"ok": "pong"}, "c@h": {"ok": "pong"}}
    assert (replies.missing, replies.errors, replies.duplicates) == ([], {}, [])
    assert replies.elapsed < 1.0
    assert sorted(fleet.received) == [("ping", "a@h"), ("ping", "c@h")]


def test_nobody_is_asked_where_no_node_is_given(workers: Callable[..., Workers]) -> None:
    fleet = workers("a@h")
    with Client(BROKER, 5.0) as client:
        assert client.call("ping", nodes=[]).answers == {}
        assert client.call_all([]) == []
    assert fleet.received == []


def test_an_unknown_fleet(workers: Callable[..., Workers]) -> None:
    workers("a@h", "b@h")
    with Client(BROKER, 5.0) as client:
        replies = client.call("ping")
    assert sorted(replies.answers) == ["a@h", "b@h"]
    assert replies.elapsed < 2.0


def test_undirected_with_expectations(workers: Callable[..., Workers]) -> None:
    workers("a@h", "stranger@h")
    with Client(BROKER, 5.0) as client:
        replies = client.call_all([Call("ping", nodes=["a@h"], directed=False)], grace=0.3)[0]
    assert sorted(replies.answers) == ["a@h", "stranger@h"]


def test_duplicates_missing_and_errors(workers: Callable[..., Workers]) -> None:
    workers("a@h", "a@h", "b@h")
    with Client(BROKER, 5.0) as client:
        started = time.monotonic()
        ping, grow = client.call_all(
            [Call("ping", nodes=["a@h", "gone@h"]), Call("pool_grow", {"n": 2}, ["b@h"])],
            patience=0.4,
        )
        assert 0.4 <= time.monotonic() - started < 1.5
        assert ping.duplicates == ["a@h"]
        assert ping.missing == ["gone@h"]
        assert grow.errors == {"b@h": "can't grow by 2"}
        assert client.duplicates == ["a@h"]


def test_why_nobody_answers(workers: Callable[..., Workers]) -> None:
    workers("a@h")
    with Client(BROKER, 5.0) as client:
        client.call("ping", nodes=["a@h"])
        assert client.notes == []
        client.call("ping", nodes=["gone@h"], patience=0.1)
        client.call("ping", nodes=["gone@h"], patience=0.1)
        assert len(client.notes) == 1
        assert "the broker has no mailbox of gone@h: not running, or with" in client.notes[0]
        client.call("ping", nodes=["a@h"])
        assert client.notes == []


def test_a_mailbox_that_nobody_reads(workers: Callable[..., Workers]) -> None:
    from kombu.pidbox import Mailbox

    with kombu.Connection("memory://") as connection:
        mailbox = Mailbox("celery", type="fanout", connection=connection)
        queue = mailbox.get_queue("stuck@h")(connection.channel())
        queue.declare()
        with Client(BROKER, 5.0) as client:
            client.call("ping", nodes=["stuck@h"], patience=0.1)
            assert "the broker has the mailbox of stuck@h: busy" in client.notes[0]
            assert "messages that come unsigned, as json" in client.notes[0]
        queue.delete()


def test_replies_that_are_refused(
    workers: Callable[..., Workers], monkeypatch: pytest.MonkeyPatch
) -> None:
    workers("a@h", "b@h")
    messages = codec(BROKER)
    monkeypatch.setattr(_client, "codec", lambda _broker: messages)
    decode = messages.decode
    refused = ["a@h", "b@h"]

    def refuse_some(message: Any) -> Any:
        body = decode(message)
        if refused and set(body) <= set(refused):
            raise RefusedError("they are forged")
        return body

    monkeypatch.setattr(messages, "decode", refuse_some)
    with Client(BROKER, 5.0) as client:
        with pytest.raises(CeleryOpsError, match=r"to `ping` were refused: they are forged\.$"):
            client.call("ping", nodes=["a@h", "b@h"], patience=0.3)
        refused.remove("b@h")
        replies = client.call("ping", nodes=["a@h", "b@h"], patience=0.3)
        assert (replies.missing, replies.refused) == (["a@h"], 1)
        assert client.notes == ["Replies to `ping` were refused: they are forged."]


def test_what_is_remembered_is_bounded(workers: Callable[..., Workers]) -> None:
    workers("a@h", "a@h")
    with Client(BROKER, 30.0) as client:
        client.call("ping", nodes=["a@h"])
        for _call in range(3 * _client.CALLS_REMEMBERED):
            client.call_all([Call("ping", nodes=["a@h"])], grace=0.0)
        assert len(client._gatherings) == _client.CALLS_REMEMBERED
        assert client.duplicates == ["a@h"]


def test_mistakes_are_caught_before_connecting() -> None:
    with Client(Broker("redis://127.0.0.1:1", "x"), 5.0) as client:
        with pytest.raises(ValueError, match="knows no"):
            client.call("pool_grow", {"n": 1, "bogus": 1}, ["a@h"])
        with pytest.raises(ValueError, match="may be sent"):
            client.call("election", {}, ["a@h"])


def test_the_deadline() -> None:
    with Client(BROKER, 0.3) as client:
        assert client.call("ping", nodes=["gone@h"]).missing == ["gone@h"]
        assert client.remaining() == 0.0
        client.wait(5.0)
        with client.at_least(2.0):
            assert 1.5 < client.remaining() <= 2.0
        assert client.remaining() == 0.0


def test_queue_sizes() -> None:
    connection = kombu.Connection("memory://")
    queue = connection.SimpleQueue("jobs")
    queue.put({"n": 1})
    queue.put({"n": 2})
    with Client(BROKER, 5.0) as client:
        assert client.queue_sizes(["jobs", "nosuch"]) == {"jobs": 2, "nosuch": None}
    queue.clear()
    connection.release()


def test_a_broker_that_is_down() -> None:
    with Client(Broker("redis://:hunter2@127.0.0.1:1/0", "the file"), 30.0) as client:
        started = time.monotonic()
        with pytest.raises(BrokerError, match=r"127\.0\.0\.1:1 refuses the connection") as caught:
            client.call("ping")
        assert time.monotonic() - started < 5.0
        assert "hunter2" not in str(caught.value)


def test_a_step_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_client, "Link", lambda *_arguments: time.sleep(3))
    monkeypatch.setattr(_client, "CONNECT_SECONDS", 0.2)
    with Client(BROKER, 30.0) as client:
        started = time.monotonic()
        with pytest.raises(BrokerError, match=r"memory didn't answer within 0\.2 s"):
            client.call("ping")
        assert time.monotonic() - started < 1.0


def test_libraries_that_load_slowly_are_not_the_broker_being_silent(
    workers: Callable[..., Workers], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a load of 18 on two processors it took more than 4 s."""
    workers("a@h")
    monkeypatch.setattr(_client, "load_libraries", lambda _broker: time.sleep(1.5))
    monkeypatch.setattr(_client, "CONNECT_SECONDS", 1.0)
    with Client(BROKER, 30.0) as client:
        assert client.call("ping", nodes=["a@h"]).missing == []


def test_a_connection_that_comes_too_late_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = threading.Event()

    class SlowLink:
        def __init__(self, *_arguments: Any) -> None:
            time.sleep(0.3)

        def close(self, *, complete: bool) -> None:
            assert complete
            closed.set()

    monkeypatch.setattr(_client, "Link", SlowLink)
    monkeypatch.setattr(_client, "CONNECT_SECONDS", 0.1)
    with Client(BROKER, 30.0) as client, pytest.raises(BrokerError, match="didn't answer"):
        client.call("ping")
    assert closed.wait(5)


def test_a_fault_gives_up_the_connection(
    workers: Callable[..., Workers], monkeypatch: pytest.MonkeyPatch
) -> None:
    workers("a@h")
    with Client(BROKER, 5.0) as client:
        assert client.call("ping", nodes=["a@h"]).missing == []

        def fail(*_arguments: Any) -> None:
            raise OSError("reset by peer")

        with monkeypatch.context() as patch:
            patch.setattr(_client.Link, "send", fail)
            with pytest.raises(BrokerError, match="reset by peer"):
                client.call("ping", nodes=["a@h"])
        assert client.call("ping", nodes=["a@h"]).missing == []


def test_a_missing_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: Any) -> None:
        raise ImportError("No module named 'redis'")

    monkeypatch.setattr(_client, "Link", fail)
    with (
        Client(BROKER, 5.0) as client,
        pytest.raises(CeleryOpsError, match=r"No module named 'redis'.*install celery\[redis\]"),
    ):
        client.call("ping")


def test_second_workers_are_waited_for_once(
    workers: Callable[..., Workers], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first command of a batch shows them, while workers still compute the others' answers."""
    workers("a@h", "a@h", "b@h")
    awaited: list[list[float]] = []
    gather = Client._gather

    def watched(client: Client, link: Any, gatherings: Any, seconds: float, *more: Any) -> None:
        awaited.append(list(more[0]))
        gather(client, link, gatherings, seconds, *more)

    monkeypatch.setattr(Client, "_gather", watched)
    with Client(BROKER, 5.0) as client:
        client.call_all([Call("ping", nodes=["a@h"]), Call("ping", nodes=["a@h", "b@h"])])
        assert client.duplicates == ["a@h"]
        client.call_all([Call("ping", nodes=["a@h"]), Call("ping", nodes=["b@h"])])
        client.call_all([Call("ping", nodes=["b@h"]), Call("ping", nodes=["b@h"])])
    grace = _client.DUPLICATE_GRACE
    assert awaited == [[grace, grace], [0.0, 0.0], [0.0, 0.0]]
    with Client(BROKER, 5.0) as client:
        client.call_all([Call("ping", nodes=["a@h", "b@h"]), Call("ping", nodes=["b@h"])])
    assert awaited[-1] == [grace, 0.0]
