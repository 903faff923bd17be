"""Signed messages: a worker that signs hears only who signs, and so does the client."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import kombu
import pytest
from kombu.serialization import registry

from ansible_collections.celeryops.cluster.plugins.module_utils._client import Client
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._link import Link
from ansible_collections.celeryops.cluster.plugins.module_utils._security import codec
from ansible_collections.celeryops.cluster.tests.integration.transports.brokers import (
    Brokers,
    Transport,
)
from ansible_collections.celeryops.cluster.tests.integration.transports.conftest import security


@pytest.fixture
def signed(served: dict[str, Transport], brokers: Brokers) -> Transport:
    """The worker that signs, for a client with a key of its own."""
    return replace(served["signed"], security=security(brokers, "operator"))


def test_a_key_of_its_own(signed: Transport) -> None:
    with Client(signed.broker, 10.0) as client:
        assert client.call("ping", nodes=[signed.node]).answers == {signed.node: {"ok": "pong"}}
    # Another client of the process is not made to sign.
    assert "auth" not in registry._encoders


@pytest.mark.parametrize("signer", [None, "intruder"])
def test_a_client_that_the_worker_does_not_know(
    signed: Transport, brokers: Brokers, signer: str | None
) -> None:
    unknown = security(brokers, signer) if signer else None
    with Client(replace(signed, security=unknown).broker, 10.0) as client:
        assert client.call("ping", nodes=[signed.node], patience=0.4).missing == [signed.node]
        note = client.notes[0]
    assert note.startswith(f"Nobody answered, though the broker has the mailbox of {signed.node}")
    assert ("come unsigned, as json" if signer is None else "intruder.crt") in note


def test_a_worker_that_the_client_does_not_know(signed: Transport, brokers: Brokers) -> None:
    strict = replace(signed, security=security(brokers, "operator", store="elsewhere"))
    with (
        Client(strict.broker, 10.0) as client,
        pytest.raises(CeleryOpsError, match=r"aren't signed by a certificate of .*elsewhere"),
    ):
        client.call("ping", nodes=[signed.node], patience=1.0)


class Impostor:
    """Somebody who may use the broker and answers in a worker's place, before the worker does."""

    def __init__(self, link: Link, body: Any, **publishing: Any) -> None:
        self._link = link
        self._body = body
        self._publishing = publishing

    def answer(self, ticket: str) -> None:
        queue = self._link._queue
        with kombu.Producer(self._link._channel) as producer:
            producer.publish(
                self._body,
                exchange=queue.exchange,
                routing_key=queue.routing_key,
                headers={"ticket": ticket},
                **self._publishing,
            )


@pytest.mark.parametrize(
    ("publishing", "body"),
    [
        ({"serializer": "json"}, {"signed@test": {"ok": "forged"}}),
        ({"content_type": "application/data", "content_encoding": "utf-8"}, "Zm9yZ2Vk"),
        ({"content_type": "application/data", "content_encoding": "binary"}, b"\x00forged"),
        ({"content_type": "application/text", "content_encoding": "utf-8"}, "forged"),
    ],
)
def test_a_reply_that_is_not_signed(
    signed: Transport, monkeypatch: pytest.MonkeyPatch, publishing: Mapping[str, Any], body: Any
) -> None:
    with Client(signed.broker, 10.0) as client:
        _answer_first(monkeypatch, body, **publishing)
        replies = client.call("ping", nodes=[signed.node])
        assert replies.answers == {signed.node: {"ok": "pong"}}
        assert (replies.refused, replies.duplicates) == (1, [])
        assert "Replies to `ping` were refused: they aren't signed by" in client.notes[0]


def test_a_reply_from_elsewhere(
    served: dict[str, Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = served["prefixed"]
    with Client(transport.broker, 10.0) as client:
        _answer_first(monkeypatch, {"stranger@test": {"ok": "pong"}}, serializer="json")
        replies = client.call("ping", nodes=[transport.node])
        assert list(replies.answers) == [transport.node]
        assert "nodes that weren't asked" in client.notes[0]


LIKE_A_MESSAGE = b'{"properties": {"delivery_tag": 1}, "headers": %s}'


@pytest.mark.parametrize(
    "rubbish",
    [
        *(b"rubbish", b"\xff", b"{}", b"[]"),
        *(LIKE_A_MESSAGE % headers for headers in (b"null", b"[1]", b'{"ticket": ["a"]}')),
    ],
)
def test_rubbish_in_the_reply_queue(served: dict[str, Transport], rubbish: bytes) -> None:
    transport = served["prefixed"]
    with Client(transport.broker, 10.0) as client:

        def litter(connection: kombu.Connection) -> None:
            channel = connection.default_channel
            for _exchange, _pattern, queue in channel.get_table("reply.shop.pidbox"):
                channel.client.lpush(queue, rubbish)

        client.run(litter)
        assert client.call("ping", nodes=[transport.node]).missing == []


def test_signed_replies_to_a_client_without_a_key(
    signed: Transport, served: dict[str, Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = served["prefixed"]
    _type, encoding, body = codec(signed.broker).encode({transport.node: {"ok": "pong"}})
    with Client(transport.broker, 10.0) as client:
        _answer_first(monkeypatch, body, content_type=_type, content_encoding=encoding)
        with pytest.raises(CeleryOpsError, match="they are signed: give `app`"):
            client.call("ping", nodes=["gone@test"], patience=0.3)


def _answer_first(monkeypatch: pytest.MonkeyPatch, body: Any, **publishing: Any) -> None:
    send = Link.send

    def answer_and_send(self: Link, command: Mapping[str, Any], *arguments: Any) -> None:
        Impostor(self, body, **publishing).answer(command["ticket"])
        send(self, command, *arguments)

    monkeypatch.setattr(Link, "send", answer_and_send)


@pytest.mark.parametrize("file", ["key", "certificate", "store"])
def test_a_file_that_is_missing(signed: Transport, file: str) -> None:
    assert signed.security
    lacking = replace(signed.security, **{file: "/nowhere/file"})
    with (
        Client(replace(signed, security=lacking).broker, 10.0) as client,
        pytest.raises(CeleryOpsError, match=re.escape("/nowhere/file")),
    ):
        client.call("ping", nodes=[signed.node])
