# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils import _doctor_servers
from ansible_collections.celeryops.cluster.plugins.module_utils._broker import endpoints
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Backend, Broker
from ansible_collections.celeryops.cluster.plugins.module_utils._doctor import Address, Place
from ansible_collections.celeryops.cluster.plugins.module_utils._doctor_servers import (
    login_fault,
    reach,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import BrokerError


def seconds() -> float:
    return 2.0


@pytest.fixture
def listener() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port(listener: int) -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def reached(url: str, hosts_file: Path) -> Place:
    server = Broker(url, "the test")
    (place,) = endpoints(server)
    return reach(server, place, seconds, hosts_file)


def test_a_place_that_listens(listener: int, tmp_path: Path) -> None:
    found = reached(f"redis://:p@127.0.0.1:{listener}/0", tmp_path / "hosts")
    assert found == Place("broker", "the test", "127.0.0.1", listener, (Address("127.0.0.1"),))
    assert found.open


def test_a_place_by_the_hosts_file(
    closed_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(*_: Any, **__: Any) -> list[Any]:
        stream = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*stream, ("127.0.0.1", 0)), (*stream, ("127.0.0.1", 0))]

    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost # Broker1\n127.0.0.1\tx BROKER1\n", encoding="utf-8")
    monkeypatch.setattr(_doctor_servers.socket, "getaddrinfo", look_up)
    monkeypatch.setattr(_doctor_servers, "_fault", lambda *_: "refused")
    found = reached(f"redis://broker1:{closed_port}", hosts)
    assert found.addresses == (Address("127.0.0.1", True, "refused"),)


def test_a_name_that_does_not_resolve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_: Any, **__: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(_doctor_servers.socket, "getaddrinfo", look_up)
    assert reached("amqp://u:p@nowhere/v", tmp_path / "hosts").addresses == ()


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "refused"),
        (TimeoutError("timed out"), "silent"),
        (OSError(113, "No route to host"), "no route to host"),
        (None, None),
    ],
)
def test_what_a_port_does(
    error: OSError | None, fault: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*_: Any) -> socket.socket:
        if error:
            raise error
        return socket.socket()

    monkeypatch.setattr(_doctor_servers.socket, "create_connection", connect)
    assert _doctor_servers._fault("127.0.0.1", 1, 0.0) == fault


def test_a_login(monkeypatch: pytest.MonkeyPatch) -> None:
    class Connection:
        released = False

        def release(self) -> None:
            Connection.released = True

    monkeypatch.setattr(_doctor_servers, "connect", lambda *_: Connection())
    assert login_fault(Broker("redis://b", "x"), seconds) is None
    assert Connection.released


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (BrokerError("Gone: mend it."), "Gone: mend it."),
        (OSError("WRONGPASS invalid"), "The broker at b:6379 refuses the user name or the passwo"),
    ],
)
def test_a_login_that_is_refused(
    error: Exception, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*_: Any) -> None:
        raise error

    monkeypatch.setattr(_doctor_servers, "connect", connect)
    assert str(login_fault(Broker("redis://:secret@b", "x"), seconds)).startswith(sentence)


def test_a_broker_that_never_answers(monkeypatch: pytest.MonkeyPatch, listener: int) -> None:
    monkeypatch.setattr(_doctor_servers, "in_thread", lambda *_: Future())
    found = str(login_fault(Broker(f"redis://127.0.0.1:{listener}", "x"), seconds))
    assert f"127.0.0.1:{listener} didn't answer within 2.0 s" in found


def test_a_result_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    class Results:
        error: Exception | None = None

        def __init__(self, *_: Any) -> None: ...

        def read(self, _ids: Any) -> dict[str, Any]:
            if self.error:
                raise self.error
            return {}

    monkeypatch.setattr(_doctor_servers, "Results", Results)
    backend = Backend("redis://b/1", "x")
    assert login_fault(backend, seconds) is None
    Results.error = BrokerError("Gone: mend it.")
    assert login_fault(backend, seconds) is Results.error
