"""Tasks run at once, in this process: no broker, no result backend, no Redis."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

# Celery prefers these to what is configured below.
os.environ.pop("CELERY_BROKER_URL", None)
os.environ.pop("CELERY_RESULT_BACKEND", None)

from monitoring_app import ledger
from monitoring_app.celery import app
from monitoring_app.settings import get_settings

app.conf.update(
    broker_url="memory://",
    result_backend="cache+memory://",
    task_always_eager=True,
    task_store_eager_result=True,
)


class FakeRedis:
    """The few commands that the application uses itself."""

    def __init__(self) -> None:
        self.lists: dict[str, list[bytes]] = {}

    def rpush(self, key: str, value: str) -> None:
        self.lists.setdefault(key, []).append(value.encode())

    def ltrim(self, key: str, start: int, end: int) -> None:
        self.lists[key] = self.lrange(key, start, end)

    def lrange(self, key: str, start: int, end: int) -> list[bytes]:
        assert end == -1
        return self.lists.get(key, [])[start:]


@pytest.fixture
def redis_lists(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[bytes]]:
    """The lists of the Redis that the ledger and the outbox are written to."""
    fake = FakeRedis()
    monkeypatch.setattr(ledger, "client", lambda: fake)
    return fake.lists


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Set MONITORING_* variables by the names of their settings, for this test."""

    def set_variables(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"MONITORING_{name.upper()}", value)
        get_settings.cache_clear()

    yield set_variables
    get_settings.cache_clear()


class Handler(BaseHTTPRequestHandler):
    """/status/<n> answers n, /redirect?to=<url> sends there, /loop to itself.

    /silent answers nothing, /endless begins a line of its answer's head that has no end.
    """

    released = threading.Event()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/silent":
            self.released.wait()
            return
        if parts.path == "/endless":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Endless: ")
            while not self.released.wait(0.01):
                self.wfile.write(b".")
            return
        if parts.path.startswith("/status/"):
            self.send_response(int(parts.path.removeprefix("/status/")))
        else:
            self.send_response(302)
            self.send_header("Location", parse_qs(parts.query).get("to", ["/loop"])[0])
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        """Nothing: the tests' output is pytest's."""


class QuietServer(ThreadingHTTPServer):
    """A client that hangs up on it is nothing to tell of."""

    def handle_error(self, *_: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            raise


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The base URL of an HTTP server on loopback."""
    with QuietServer(("127.0.0.1", 0), Handler) as http_server:
        thread = threading.Thread(target=http_server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http_server.server_address[1]}"
        Handler.released.set()
        http_server.shutdown()
        thread.join()
