# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils import _link
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Broker
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import BrokerError

kombu = pytest.importorskip("kombu")


@pytest.fixture
def port() -> Any:
    """Where something listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def places(url: str) -> list[tuple[str, float]]:
    return list(_link._places(Broker(url, "the test"), 4.0))


def test_one_place(port: int) -> None:
    assert places(f"redis://127.0.0.1:{port}/0") == [(f"redis://127.0.0.1:{port}/0", 4.0)]


def test_each_of_several_places_has_its_share_of_the_time(port: int) -> None:
    dead, alive = "amqp://127.0.0.1:1/v", f"amqp://127.0.0.1:{port}/v"
    assert places(f"{dead};{alive};{alive}") == [(alive, 4.0 / 3)] * 2


def test_sentinel_asks_its_places_itself(port: int) -> None:
    url = f"sentinel://127.0.0.1:1;sentinel://127.0.0.1:{port}"
    assert places(url) == [(url, 4.0)]


def test_no_sentinel_listens() -> None:
    with pytest.raises(BrokerError, match=r"127\.0\.0\.1:1 refuses the connection"):
        places("sentinel://127.0.0.1:1")


def test_a_scheme_without_place() -> None:
    assert places("memory://") == [("memory://", 4.0)]


@pytest.mark.parametrize("broken", [0, 1])
def test_the_next_place_is_tried(monkeypatch: pytest.MonkeyPatch, port: int, broken: int) -> None:
    urls = [f"redis://127.0.0.1:{port}/{number}" for number in range(2)]

    def connected(_broker: Broker, url: str, _seconds: float) -> str:
        if url == urls[broken]:
            raise TimeoutError("frozen")
        return url

    monkeypatch.setattr(_link, "_connected", connected)
    assert _link.connect(Broker(";".join(urls), "the test"), 4.0) == urls[1 - broken]


def test_the_first_failure_is_told(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    urls = [f"redis://127.0.0.1:{port}/{number}" for number in range(2)]

    def fail(_broker: Broker, url: str, _seconds: float) -> None:
        raise ValueError(url)

    monkeypatch.setattr(_link, "_connected", fail)
    with pytest.raises(ValueError, match=urls[0]):
        _link.connect(Broker(";".join(urls), "the test"), 4.0)


class Redis:
    """A connection that has answers ready."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.requests = 0

    def get_connection(self) -> Redis:
        return self

    def pack_commands(self, commands: Any) -> Any:
        return commands

    def send_packed_command(self, _request: Any) -> None:
        self.requests += 1

    def can_read(self, _seconds: float) -> bool:
        return bool(self.answers)

    def read_response(self) -> Any:
        return self.answers.pop(0)


def payload(ticket: str) -> bytes:
    return json.dumps({"headers": {"ticket": ticket}, "properties": {"delivery_tag": 1}}).encode()


def test_all_replies_that_are_there_are_read_at_once() -> None:
    answers = (
        *([b"queue", payload("1")], [payload("2"), b"rubbish", payload("3")]),
        *(None, None),
        *([b"queue", payload("4")], None),
    )
    redis, received = Redis(*answers), []
    with kombu.Connection("memory://") as connection:
        channel = connection.channel()
        channel.global_keyprefix = "shop:"
        channel.client = type("Client", (), {"connection_pool": redis})
        inbox = _link._RedisInbox(
            channel,
            kombu.Queue("queue")(channel),
            lambda message: received.append(message.headers["ticket"]),
        )
        for _read in range(3):
            inbox.read(0.1)
        # Nothing has come since: the request still stands.
        inbox.read(0.1)
        inbox.read(0.1)
    assert received == ["1", "2", "3", "4"]
    assert redis.requests == 4
    assert {command[1] for command in inbox._request} == {"shop:queue"}
