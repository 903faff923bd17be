# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils import _broker
from ansible_collections.celeryops.cluster.plugins.module_utils._broker import (
    check_certificates,
    endpoints,
    explain,
    no_answer,
    reachable,
    transport_options,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Broker
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import (
    BrokerError,
    CeleryOpsError,
)


def broker(url: str, **options: Any) -> Broker:
    return Broker(url, "the option `broker_url`", options)


@pytest.mark.parametrize(
    ("url", "places"),
    [
        ("redis://:p%40@h:6391/0", ["h:6391"]),
        ("redis://h", ["h:6379"]),
        ("rediss://u:p@h/1?ssl_cert_reqs=required", ["h:6379"]),
        ("AMQP://u:p:q@h/v", ["h:5672"]),
        ("amqps://u:p@h//", ["h:5671"]),
        ("amqp://u:p@h1/v;amqp://u:p@h2:5673/v", ["h1:5672", "h2:5673"]),
        ("sentinel://:p@s1:26379;sentinel://:p@s2", ["s1:26379", "s2:26379"]),
        ("redis://:p@[::1]:6379/0", ["[::1]:6379"]),
        ("redis://", ["localhost:6379"]),
        ("redis+socket:///run/redis.sock", []),
        ("memory://", []),
    ],
)
def test_endpoints(url: str, places: list[str]) -> None:
    assert [str(place) for place in endpoints(broker(url))] == places


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hunter2/@h/0",
        "redis://:hunter2#@h",
        "redis://:hunter2?@h",
        "redis://:[hunter2@h/0",
        "redis://:x@h:hunter2",
        "hunter2",
    ],
)
def test_a_url_that_cannot_be_understood_is_not_quoted(url: str) -> None:
    with pytest.raises(CeleryOpsError) as caught:
        endpoints(broker(url))
    assert "percent-encoded" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_the_places_that_listen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        free = socket.create_server(("127.0.0.1", 0))
        closed = free.getsockname()[1]
        free.close()
        urls = [f"redis://:p@127.0.0.1:{each}/0" for each in (closed, port, port)]
        places = list(reachable(broker(";".join(urls)), 2.0))
    assert [(place.port, place.url) for place in places] == [(port, urls[1])] * 2


def test_a_scheme_without_place() -> None:
    assert list(reachable(broker("memory://"), 1.0)) == []


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "b:6379 refuses the connection"),
        (TimeoutError("timed out"), "b:6379 doesn't answer"),
        (
            socket.gaierror(-2, "Name or service not known"),
            "b:6379 has a name that doesn't resolve",
        ),
        (OSError(113, os.strerror(113)), "b:6379 no route to host"),
    ],
)
def test_nothing_listens(monkeypatch: pytest.MonkeyPatch, error: OSError, cause: str) -> None:
    def fail(*_arguments: Any) -> None:
        raise error

    monkeypatch.setattr(_broker.socket, "create_connection", fail)
    with pytest.raises(BrokerError) as caught:
        list(reachable(broker("redis://:hunter2@b/0"), 1.0))
    sentence = str(caught.value)
    assert f"The broker can't be reached ({cause}): check that it runs" in sentence
    assert "the option `broker_url`" in sentence
    assert "hunter2" not in sentence


class AuthenticationError(Exception):
    """Named as redis-py names it."""


class AccessRefused(Exception):  # noqa: N818
    """Named as py-amqp names it."""


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationError("invalid username-password pair or user is disabled."),
        AccessRefused(403, "Login was refused"),
        Exception("WRONGPASS invalid username-password pair"),
        Exception("NOAUTH Authentication required."),
    ],
)
def test_a_refused_login(error: Exception) -> None:
    wrapped = RuntimeError("wrapped")
    wrapped.__cause__ = error
    for each in (error, wrapped):
        assert str(explain(each, broker("redis://:hunter2@b/0"))) == (
            "The broker at b:6379 refuses the user name or the password: "
            "check the broker's URL in the option `broker_url`."
        )


class MasterNotFoundError(Exception):
    """Named as redis-py names it."""


def test_a_master_that_the_sentinels_do_not_name() -> None:
    error = MasterNotFoundError("No master found for 'm' : AuthenticationError('WRONGPASS')")
    sentence = str(explain(error, broker("sentinel://:hunter2@s1;sentinel://:hunter2@s2")))
    assert sentence.startswith("The Sentinels at s1:26379 or s2:26379 name no master (No master")
    assert "`sentinel_kwargs`" in sentence
    assert "hunter2" not in sentence


@pytest.mark.parametrize(
    "error",
    [
        ssl.SSLCertVerificationError(1, "certificate verify failed"),
        Exception("Error 1 connecting to b:6379. [SSL: CERTIFICATE_VERIFY_FAILED] failed"),
    ],
)
def test_tls(error: Exception) -> None:
    sentence = str(explain(error, broker("rediss://b")))
    assert "The broker at b:6379 and this client don't agree on TLS" in sentence
    assert "`broker_use_ssl`" in sentence


def test_files_for_tls(tmp_path: Path) -> None:
    there = tmp_path / "ca.crt"
    there.touch()
    options = {"ssl_cert_reqs": "required", "ssl_ca_certs": str(there)}
    check_certificates(broker("rediss://b"))
    check_certificates(Broker("rediss://b", "the file", use_ssl=True))
    check_certificates(Broker("rediss://b", "the file", use_ssl=options))
    lacking = {**options, "ssl_keyfile": str(tmp_path / "none.key")}
    with pytest.raises(
        BrokerError, match=r"none\.key, which is `ssl_keyfile` .* the file, can't be read \(no such"
    ):
        check_certificates(Broker("rediss://b", "the file", use_ssl=lacking))


def test_other_errors_are_one_line_without_password() -> None:
    error = explain(OSError("lost\n amqp://u:hunter2@b//"), broker("amqp://u:hunter2@b//"))
    assert str(error) == (
        "The broker at b:5672 failed (lost amqp://u:***@b//): check its log and try again."
    )
    assert "(ValueError)" in str(explain(ValueError(), broker("memory://")))


def test_no_answer() -> None:
    assert str(no_answer(broker("redis://b"), 4.0)).startswith(
        "The broker at b:6379 didn't answer within 4.0 s"
    )


def test_options_for_redis() -> None:
    options = transport_options(
        broker("redis://b", visibility_timeout=60, socket_timeout=30, client_name="worker1"), 2.5
    )
    assert options["visibility_timeout"] == 60
    assert options["socket_timeout"] == options["socket_connect_timeout"] == 2.5
    assert options["retry_on_timeout"] is False
    # Else the client would give back the tasks of workers.
    assert options["ack_emulation"] is False
    assert options["client_name"] != "worker1"


def test_options_for_sentinel() -> None:
    given = {"password": "hunter2", "socket_timeout": 60}
    urls = "sentinel://:p@s1:26379;sentinel://:p@s2;sentinel://:p@s3"
    options = transport_options(broker(urls, master_name="m", sentinel_kwargs=given), 3.0)
    assert (options["master_name"], options["socket_timeout"]) == ("m", 3.0)
    kwargs = options["sentinel_kwargs"]
    assert kwargs["password"] == "hunter2"
    # One that is frozen leaves time for another one.
    assert kwargs["socket_timeout"] == kwargs["socket_connect_timeout"] == 0.5


def test_options_for_amqp() -> None:
    assert transport_options(broker("amqp://b", confirm_publish=True), 2.5) == {
        "confirm_publish": True,
        "read_timeout": 2.5,
        "write_timeout": 2.5,
    }
