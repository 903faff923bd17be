"""Alerts on real sockets: a web server and a mail server of the test's own."""

from __future__ import annotations

import json
import smtplib
import socketserver
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from celeryops_runtime._alerts import alert, deliver
from celeryops_runtime._delivery import SUBJECT_LENGTH, Mail, Webhook
from celeryops_runtime.alert import report

LOGIN = b64encode(b"\0a-user\0a-password").decode()
ALERT = alert("task-failed", "shop", "task pay failed", traceback="Traceback …\n  line")


class Web(BaseHTTPRequestHandler):
    """Answers with the code that the path names."""

    requests: list[tuple[str, dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.requests.append((self.path, dict(self.headers), body))
        self.send_response(int(self.path.rpartition("/")[2]))
        self.send_header("Location", "/200")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


class MailServer(socketserver.StreamRequestHandler):
    """Just enough of SMTP to take a message."""

    lines: list[str]

    def handle(self) -> None:
        self.answer("220 mail")
        while line := self.rfile.readline().decode().rstrip("\r\n"):
            self.lines.append(line)
            verb = line.split()[0].upper()
            if verb == "EHLO":
                self.answer("250-mail\r\n250 AUTH PLAIN")
            elif verb == "AUTH":
                self.answer("235 ok" if line.endswith(f" {LOGIN}") else "535 no such user")
            elif verb == "DATA":
                self.answer("354 go on")
                while (line := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                    self.lines.append(line)
                self.answer("250 taken")
            else:
                self.answer("221 bye" if verb == "QUIT" else "250 ok")

    def answer(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


Serve = Callable[[Any], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Runs a server of a handler; its port."""
    servers: list[socketserver.TCPServer] = []

    def start(handler: Any) -> int:
        server = (HTTPServer if handler is Web else socketserver.TCPServer)(
            ("127.0.0.1", 0), handler
        )
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return int(server.server_address[1])

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def web(serve: Serve) -> str:
    Web.requests = []
    return f"http://127.0.0.1:{serve(Web)}"


@pytest.fixture
def mail(serve: Serve) -> int:
    MailServer.lines = []
    return serve(MailServer)


def test_webhook(web: str) -> None:
    Webhook(f"{web}/204", {"Authorization": "Bearer x"}).send(ALERT, 5)
    [(path, headers, body)] = Web.requests
    assert path == "/204"
    assert headers["Content-Type"] == "application/json"
    assert headers["Authorization"] == "Bearer x"
    assert json.loads(body) == ALERT


@pytest.mark.parametrize("code", [302, 404, 500])
def test_a_webhook_that_does_not_take_it(
    code: int, web: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert not deliver(Webhook(f"{web}/token/{code}"), ALERT, 5)
    assert len(Web.requests) == 1
    assert f"by webhook: it answered {code}" in caplog.text
    assert "token" not in caplog.text


def test_an_address_that_is_none_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert not deliver(Webhook("http://host/a token"), ALERT, 5)
    assert "token" not in caplog.text


def test_mail(mail: int) -> None:
    Mail("127.0.0.1", "ops@shop", ["a@shop", "b@shop"], mail, "none", "a-user", "a-password").send(
        ALERT, 5
    )
    assert "mail FROM:<ops@shop>" in [line.split(" size=")[0] for line in MailServer.lines]
    assert {"rcpt TO:<a@shop>", "rcpt TO:<b@shop>"} <= set(MailServer.lines)
    assert "Subject: shop: task pay failed" in MailServer.lines
    assert "event: task-failed" in MailServer.lines


def test_a_mail_server_that_refuses_the_user(mail: int) -> None:
    wrong = Mail("127.0.0.1", "ops@shop", ["a@shop"], mail, "none", "a-user", "wrong")
    with pytest.raises(smtplib.SMTPAuthenticationError):
        wrong.send(ALERT, 5)


def test_a_mail_server_without_tls_gets_nothing(mail: int) -> None:
    with pytest.raises(smtplib.SMTPNotSupportedError):
        Mail("127.0.0.1", "ops@shop", ["a@shop"], mail).send(ALERT, 5)
    assert not [line for line in MailServer.lines if "FROM" in line]


def test_a_subject_is_one_short_line() -> None:
    text = "first\nsecond " + "x" * 500
    message = Mail("mail", "a@b", ["c@d"]).message({**ALERT, "text": text})
    assert message["Subject"].startswith("first second xxx")
    assert len(message["Subject"]) == SUBJECT_LENGTH


def test_a_unit_that_is_given_up_is_reported(web: str, tmp_path: Path) -> None:
    path = tmp_path / "alerts.json"
    path.write_text(json.dumps({"app": "shop", "webhook": {"url": f"{web}/204"}}), encoding="utf-8")
    environ = {"CELERYOPS_ALERTS": str(path), "MONITOR_SERVICE_RESULT": "exit-code"}
    assert report("celery-shop-cpu@1.service", environ)
    [(_path, _headers, body)] = Web.requests
    sent = json.loads(body)
    assert sent["event"] == "service-failed"
    assert sent["unit"] == "celery-shop-cpu@1.service"
    assert "has failed (exit-code) and is not started again" in sent["text"]


def test_a_report_is_tried_again_and_given_up(web: str, tmp_path: Path) -> None:
    path = tmp_path / "alerts.json"
    path.write_text(json.dumps({"app": "shop", "webhook": {"url": f"{web}/503"}}), encoding="utf-8")
    assert not report("a.service", {"CELERYOPS_ALERTS": str(path)}, pauses=(0, 0))
    assert len(Web.requests) == 3


def test_without_settings_nothing_is_reported() -> None:
    assert report("a.service", {})
