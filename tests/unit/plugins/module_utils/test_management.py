# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Broker
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import BrokerError
from ansible_collections.celeryops.cluster.plugins.module_utils._management import (
    FRESH,
    Management,
)

LOGIN = "Basic " + base64.b64encode(b"ops:p@ss").decode()
ANSWERS: dict[str, Any] = {
    f"/api/queues/%2F/mail%2Fout{FRESH}": {"type": "quorum"},
    f"/api/queues/%2F{FRESH}": [{"name": "a"}, {"name": "b"}],
    "/api/queues/%2F/a/bindings": [{"source": "ex", "routing_key": "rk"}],
}


class Api(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.path in ANSWERS
        code = 401 if self.headers["Authorization"] != LOGIN else 200 if known else 404
        if "broken" in self.path:
            code = 500
        self.send_response(code)
        self.end_headers()
        if code == 200:
            self.wfile.write(json.dumps(ANSWERS[self.path]).encode())

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def place() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def management(place: str, password: str = "p%40ss", end: str = "") -> Management:
    url = f"http://ops:{password}@{place}{end}"
    return Management(Broker("amqp://b", "the file", management=url), "/", 2.0)


@pytest.mark.parametrize("end", ["", "/", "/api", "/api/"])
def test_queues(place: str, end: str) -> None:
    api = management(place, end=end)
    assert api.queue("mail/out") == {"type": "quorum"}
    assert api.queue("nosuch") is None
    assert api.queues() == ["a", "b"]
    assert api.bindings("a") == [("ex", "rk")]
    assert api.bindings("nosuch") == []


def test_a_proxy_of_the_environment_is_not_used(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert management(place).queues() == ["a", "b"]


def test_a_wrong_password(place: str) -> None:
    with pytest.raises(BrokerError) as caught:
        management(place, "hunter2").queues()
    assert f"at {place} refuses the user name or the password" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_faults(place: str) -> None:
    with pytest.raises(BrokerError, match=r"HTTP Error 500.*its user in the file\.$"):
        management(place).queue("broken")
    with pytest.raises(BrokerError, match=r"at 127\.0\.0\.1:1 can't be read \(.*refused"):
        management("127.0.0.1:1").queues()
